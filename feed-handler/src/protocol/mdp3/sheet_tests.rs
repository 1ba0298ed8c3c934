use super::Mdp3Sheet;
use crate::protocol::{DecodeError, Sheet};
use feed_common::wire::mdp3::{
    BookEntry, Dimension, EventRoot, MessageBuilder, NULL_I32, NULL_PRICE, OrderIdEntry, Schema,
    template,
};
use feed_common::wire::message::Value;
use proptest::prelude::*;

/// A deletion at a level, without a price, of an instrument.
fn book(template_id: u16, version: u16) -> Vec<u8> {
    let root = EventRoot {
        transact_time: 5.into(),
        match_event_indicator: 0x84,
    };
    let level = BookEntry {
        md_entry_px_optional_ex: NULL_PRICE.into(),
        md_entry_size_short_optional: NULL_I32.into(),
        security_id: (-2).into(),
        rpt_seq: 7.into(),
        number_of_orders_optional: 3.into(),
        md_price_level: 1,
        md_update_action: 2,
        md_entry_type_book: b'E',
        raw_tradeable_size: 9.into(),
        padding_1: 0,
    };
    let mut message = MessageBuilder::new();
    message
        .begin(template_id, version, &root)
        .group(Dimension::Three, &[level]);
    if version > 6 {
        message.group::<OrderIdEntry>(Dimension::Eight, &[]);
    }
    message.finish().to_vec()
}

/// What is said of a message: a line a field, groups as the debugging form writes them.
fn said(message: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    Mdp3Sheet::visit(message, &mut |name, value| {
        said.push(format!("{name} {value:?}"))
    });
    said
}

#[test]
fn a_message_is_named_and_taken_apart() {
    let message = book(template::BOOK, 13);
    let code = Mdp3Sheet::code(&message);
    assert_eq!((code, Mdp3Sheet::key(code)), (46, "46".to_owned()));
    assert_eq!(Mdp3Sheet::name(code), Some("MDIncrementalRefreshBook"));
    assert_eq!(
        (Mdp3Sheet::error(&message), Mdp3Sheet::is_long(&message)),
        (None, false)
    );
    let rows = |tail: &str| {
        format!(
            "incremental_refresh_book Rows([[\"md_entry_px_optional_ex: Null\", \
             \"md_entry_size_short_optional: Null\", \"security_id: Signed(-2)\", \
             \"rpt_seq: Unsigned(7)\", \"number_of_orders_optional: Signed(3)\", \
             \"md_price_level: Unsigned(1)\", \"md_update_action: Unsigned(2)\", \
             \"md_entry_type_book: Text([69])\", {tail}]])"
        )
    };
    let head = [
        "transact_time Unsigned(5)",
        "match_event_indicator Unsigned(132)",
        "padding_2 Hex([0, 0])",
    ];
    let young = rows("\"tradeable_size: Signed(9)\", \"padding_1: Hex([0])\"");
    let orders = "incremental_refresh_book_order_id Rows([])";
    assert_eq!(
        said(&message),
        [head.as_slice(), &[&young, orders]].concat()
    );

    let old = rows("\"padding_5: Hex([9, 0, 0, 0, 0])\"");
    assert_eq!(
        said(&book(template::BOOK, 9)),
        [head.as_slice(), &[&old, orders]].concat()
    );
    assert_eq!(
        said(&book(template::BOOK_7, 7)),
        [head.as_slice(), &[&old, orders]].concat()
    );
    for version in [5, 6] {
        let message = book(template::BOOK_7, version);
        assert_eq!(said(&message), [head.as_slice(), &[&old]].concat());
    }
}

#[test]
fn what_newer_senders_append_is_shown_and_passed_over() {
    let mut message = MessageBuilder::new();
    let entry = [[0u8; 32].as_slice(), &[0xAB]].concat();
    let entry: [u8; 33] = entry.try_into().unwrap();
    message
        .begin(template::BOOK, 99, &[1u8; 12])
        .group(Dimension::Three, &[entry])
        .group::<OrderIdEntry>(Dimension::Eight, &[])
        .group(Dimension::Three, &[0xCDu8]);
    let message = message.finish();
    assert!(Mdp3Sheet::is_long(message) && Mdp3Sheet::error(message).is_none());
    let said = said(message);
    assert_eq!(said[3], "excess Hex([1])");
    assert!(said[4].ends_with("\"padding_1: Hex([0])\", \"excess: Hex([171])\"]])"));
    assert_eq!(said.last().unwrap(), "excess Hex([1, 0, 1, 205])");
}

#[test]
fn what_cannot_be_read_is_shown_whole() {
    let good = book(template::BOOK, 13);
    let lie = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    for (bytes, error, key) in [
        (vec![], DecodeError::Empty, "0"),
        (good[..9].to_vec(), DecodeError::Short, "0"),
        (good[..good.len() - 1].to_vec(), DecodeError::Short, "46"),
        (lie(2, 200), DecodeError::Invalid, "46"),
        (lie(4, 200), DecodeError::UnknownType, "200"),
        (lie(4, 32), DecodeError::UnknownType, "32"),
        (lie(6, 2), DecodeError::UnknownType, "2/46"),
        (lie(21, 41), DecodeError::Invalid, "46"),
        (lie(23, 9), DecodeError::Invalid, "46"),
    ] {
        assert_eq!(Mdp3Sheet::error(&bytes), Some(error), "{key}");
        assert_eq!(Mdp3Sheet::key(Mdp3Sheet::code(&bytes)), key);
        assert!(!Mdp3Sheet::is_long(&bytes));
        assert_eq!(said(&bytes), [format!("bytes {:?}", Value::Hex(&bytes))]);
    }
    assert_eq!(Mdp3Sheet::name(Mdp3Sheet::code(&lie(6, 2))), None);
    assert_eq!(Mdp3Sheet::name(32), Some("MDIncrementalRefreshBook"));
}

/// Every template of every version: a message of zeros has the fields and groups that the table says, and can be cut
/// back to its first byte.
#[test]
fn every_template_can_be_taken_apart() {
    for schema in Schema::ALL {
        for template in schema.templates {
            let mut message = MessageBuilder::new();
            message.begin(template.id, schema.version, &[0u8; 0]);
            for group in template.groups {
                message.group::<[u8; 0]>(group.dimension, &[]);
            }
            let bytes = message.finish();
            assert_eq!(Mdp3Sheet::error(bytes), None, "{}", template.name);
            let names: Vec<_> = said(bytes)
                .iter()
                .map(|s| s.split(' ').next().unwrap().to_owned())
                .collect();
            let groups = template.groups.iter().map(|g| g.name);
            let want: Vec<_> = template
                .root
                .fields
                .iter()
                .map(|f| f.name)
                .chain(groups)
                .collect();
            assert_eq!(names, want);
            for size in 0..bytes.len() {
                let mut cut = bytes[..size].to_vec();
                assert!(Mdp3Sheet::error(&cut).is_some());
                if size >= 2 {
                    cut[..2].copy_from_slice(&(size as u16).to_le_bytes());
                    said(&cut);
                }
            }
        }
    }
}

proptest! {
    /// Sizes, block lengths, counts and all else can be anything.
    #[test]
    fn damaged_messages_never_panic(
        template in prop::sample::select(vec![4u16, 30, 32, 37, 46, 47, 54, 56, 58, 63, 64]),
        version in 4u16..15,
        bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(3), any::<u8>()], 10..400),
        root in prop_oneof![Just(11u16), 0u16..400],
        keep in any::<bool>(),
    ) {
        let mut message = bytes;
        let size = message.len() as u16;
        if keep {
            for (at, value) in [(0, size), (2, root), (4, template), (6, 1), (8, version)] {
                message[at..at + 2].copy_from_slice(&value.to_le_bytes());
            }
        }
        let said = said(&message);
        let error = Mdp3Sheet::error(&message);
        prop_assert_eq!(error.is_some(), said[0].starts_with("bytes "));
        let shown = said.iter().any(|field| field.contains("excess"));
        prop_assert_eq!(Mdp3Sheet::is_long(&message), shown);
    }
}
