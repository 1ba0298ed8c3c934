//! The tables, and the structs against them.

use super::*;
use crate::wire::message::{Field as Laid, FieldType};

/// A struct's fields, and what it is laid over.
type Laying<P> = (&'static [Laid], &'static [P]);

/// Structs over root blocks, and the templates that they are laid over.
const ROOTS: &[Laying<u16>] = &[
    (
        EventRoot::LAYOUT,
        &[
            4, 32, 33, 34, 35, 36, 37, 42, 43, 46, 47, 48, 49, 50, 51, 59, 61, 62, 64, 65, 66, 67,
            68,
        ],
    ),
    (SecurityStatusRoot::LAYOUT, &[30]),
    (SnapshotRoot::LAYOUT, &[38, 52, 69]),
    (SnapshotOrdersRoot::LAYOUT, &[44, 53]),
];

/// Structs over entries, and the templates and groups (from 0) that they are laid over.
const ENTRIES: &[Laying<(u16, usize)>] = &[
    (ChannelResetEntry::LAYOUT, &[(4, 0)]),
    (BookEntry::LAYOUT, &[(32, 0), (46, 0)]),
    (OrderIdEntry::LAYOUT, &[(32, 1), (46, 1), (64, 1)]),
    (OrderBookEntry::LAYOUT, &[(43, 0), (47, 0)]),
    (TradeEntry::LAYOUT, &[(42, 0), (48, 0)]),
    (FillEntry::LAYOUT, &[(42, 1), (48, 1), (65, 1)]),
    (VolumeEntry::LAYOUT, &[(37, 0)]),
    (DailyStatisticsEntry::LAYOUT, &[(33, 0), (49, 0)]),
    (LimitsBandingEntry::LAYOUT, &[(34, 0), (50, 0)]),
    (SessionStatisticsEntry::LAYOUT, &[(35, 0), (51, 0)]),
    (SnapshotEntry::LAYOUT, &[(38, 0), (52, 0)]),
    (SnapshotOrderEntry::LAYOUT, &[(44, 0), (53, 0), (59, 0)]),
    (BookLongEntry::LAYOUT, &[(64, 0)]),
    (TradeLongEntry::LAYOUT, &[(65, 0)]),
    (VolumeLongEntry::LAYOUT, &[(66, 0)]),
    (SessionStatisticsLongEntry::LAYOUT, &[(67, 0)]),
    (SnapshotLongEntry::LAYOUT, &[(68, 0), (69, 0)]),
    (SingleTradeEntry::LAYOUT, &[(36, 0)]),
];

/// Every field of a struct is where the tables have it, in every version; or where they have padding, because the
/// field is younger.
#[test]
fn structs_lie_as_the_tables_say() {
    let versions = |id| Schema::ALL.iter().filter_map(move |s| s.template(id));
    for &(layout, templates) in ROOTS {
        for &id in templates {
            for template in versions(id) {
                assert!(laid(layout, &template.root) <= template.root.len, "{id}");
            }
            assert!(versions(id).count() > 0, "{id}");
        }
    }
    for &(layout, groups) in ENTRIES {
        for &(id, group) in groups {
            let groups = || versions(id).filter_map(|template| template.groups.get(group));
            for group in groups() {
                assert_eq!(laid(layout, &group.block), group.block.len, "{id}");
                let eight = group.name.ends_with("_order_id");
                assert_eq!(group.dimension == Dimension::Eight, eight);
            }
            assert!(groups().count() > 0, "{id}");
        }
    }
}

/// Where a struct ends that lies as the block says.
fn laid(layout: &[Laid], block: &Block) -> u16 {
    for field in layout {
        let (start, end) = (field.offset, field.offset + field.len);
        let holds =
            |f: &&Field| usize::from(f.offset) <= start && end <= usize::from(f.offset + f.len);
        let found = block.fields.iter().find(holds);
        let found = found.unwrap_or_else(|| panic!("no {} at {start}", field.name));
        if found.ty == FieldType::Opaque {
            let young = [
                "tradeable_size",
                "md_trade_entry_optional",
                "md_entry_size_short_optional",
            ];
            assert!(
                field.ty == FieldType::Opaque || young.contains(&field.name),
                "{}",
                field.name
            );
            continue;
        }
        // Some can be absent in one template and not in another.
        let stem = |name: &'static str| name.trim_end_matches("_optional");
        assert_eq!(stem(found.name), stem(field.name));
        let same = (usize::from(found.offset), usize::from(found.len)) == (start, field.len);
        assert!(same, "{}", field.name);
        match (found.ty, field.ty) {
            (FieldType::Price(_), FieldType::Price(_)) => {}
            (theirs, ours) => assert_eq!(theirs, ours, "{}", field.name),
        }
    }
    layout
        .last()
        .map_or(0, |last| (last.offset + last.len) as u16)
}

/// What the methods of structs know about versions is what the tables say.
#[test]
fn younger_fields_are_gated_as_the_tables_say() {
    let since = |id, name| {
        let has = |&version: &u16| {
            let template = schema(version).template(id);
            let field = template.and_then(|t| t.groups[0].block.field(name));
            field.is_some_and(|field| field.since <= version)
        };
        (5..=13).find(has)
    };
    assert_eq!(since(46, "tradeable_size"), Some(10));
    assert_eq!(since(42, "md_trade_entry_optional"), Some(7));
    assert_eq!(since(35, "md_entry_size_short_optional"), Some(8));
    let level = BookEntry::default();
    assert_eq!([9, 10].map(|v| level.tradeable_size(v)), [None, Some(0)]);
    let trade = TradeEntry::default();
    assert_eq!([6, 7].map(|v| trade.md_trade_entry(v)), [None, Some(0)]);
    let open = SessionStatisticsEntry::default();
    assert_eq!([7, 8].map(|v| open.size(v)), [None, Some(0)]);
    let absent = BookEntry {
        raw_tradeable_size: NULL_I32.into(),
        ..level
    };
    assert_eq!(absent.tradeable_size(13), None);
}

/// Whatever file the tables were made from: fields cover their blocks, and what they say can be read.
#[test]
fn tables_are_whole() {
    for schema in Schema::ALL {
        assert!(schema.templates.is_sorted_by(|a, b| a.id < b.id));
        for template in schema.templates {
            assert_eq!(schema.template(template.id), Some(*template));
            let blocks = template.groups.iter().map(|group| &group.block);
            for block in blocks.chain([&template.root]) {
                let mut end = 0;
                for field in block.fields {
                    assert_eq!(field.offset, end, "{} of {}", field.name, template.name);
                    end += field.len;
                    let number = !matches!(field.ty, FieldType::Text | FieldType::Opaque);
                    assert!(!number || [1, 2, 4, 8].contains(&field.len));
                    assert!(number || field.null.is_none());
                    if field.ty == FieldType::Price(4) {
                        continue; // a quantity
                    }
                    if let FieldType::Price(places) = field.ty {
                        assert_eq!(places, decimals(template.id), "{}", field.name);
                    }
                }
                assert_eq!(end, block.len, "{}", template.name);
            }
        }
    }
    assert!(Schema::ALL.is_sorted_by(|a, b| a.version < b.version));
    assert_eq!(
        (price_unit(template::BOOK_7), price_unit(template::BOOK)),
        (100, 1)
    );
}

#[test]
fn a_version_is_read_by_its_schema_or_the_next_newer_one() {
    let pick = |version| schema(version).version;
    assert_eq!([0, 5, 6, 7, 8, 9].map(pick), [5, 5, 8, 8, 8, 9]);
    assert_eq!([10, 11, 12, 13].map(pick), [12, 12, 12, 13]);
    let newest = Schema::ALL.last().map(|schema| schema.version);
    assert_eq!(Some(pick(u16::MAX)), newest);
}
