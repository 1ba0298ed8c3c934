//! From the exchange's numbers to names.

use super::*;
use feed_common::event::Name;
use feed_common::wire::mdp3::schema;

/// A definition as a sender of `version` writes it: the fields that are told, all others 0, and two feeds.
fn defined(template_id: u16, version: u16, id: i32, name: &[u8], depths: [u8; 2]) -> Vec<u8> {
    let template = schema(version).template(template_id).unwrap();
    let mut root = vec![0; template.root.len.into()];
    let mut put = |field: &str, bytes: &[u8]| {
        let field = template.root.field(field).unwrap();
        let at = usize::from(field.offset);
        root[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put("match_event_indicator", &[END]);
    put("symbol", name);
    put("security_id", &id.to_le_bytes());
    let tick = match template.root.field("min_price_increment") {
        Some(_) => "min_price_increment",
        None => "min_price_increment_optional",
    };
    put(tick, &250_000_000i64.to_le_bytes());
    put("display_factor", &10_000_000i64.to_le_bytes());
    let mut message = MessageBuilder::new();
    message.begin(template_id, version, &root[..]);
    for group in template.groups.iter().filter(|g| g.since <= version) {
        match group.name {
            "feed_types" => {
                let [real, implied] = depths;
                let feeds = [[b'G', b'B', b'X', real], [b'G', b'B', b'I', implied]];
                message.group(group.dimension, &feeds);
            }
            _ => {
                message.group::<u8>(group.dimension, &[]);
            }
        }
    }
    message.finish().to_vec()
}

fn directory(name: &str, scale: i64) -> Directory {
    Directory {
        round_lot: 0,
        tick: Price(250_000_000 * scale),
        display_factor: Price(10_000_000 * scale),
        depths: [10, 2],
        name: Name::new(name.as_bytes()),
    }
}

fn change(id: i32) -> Vec<u8> {
    book(END, &[level(id, 0, b'0', 1, 1, 10)], &[])
}

fn told(symbol: &str) -> String {
    said(
        symbol,
        slot(false, Side::BUY, SlotAction::Change, 1, 10),
        ".",
    )
}

#[test]
fn every_kind_of_definition_names_its_instrument() {
    for (template_id, version, scale) in [
        (template::FUTURE_7, 5, 100),
        (template::OPTION_7, 8, 100),
        (template::SPREAD_7, 9, 100),
        (template::FUTURE, 9, 1),
        (template::OPTION, 12, 1),
        (template::SPREAD, 13, 1),
        (template::FIXED_INCOME, 13, 1),
        (template::REPO, 13, 1),
        (template::FX, 13, 1),
    ] {
        let mut read = Read::new();
        let definition = defined(template_id, version, 42, b"ESZ6\0", [10, 2]);
        let want = [said("ESZ6", directory("ESZ6", scale), ".")];
        assert_eq!(read.message(&definition), want, "{template_id}");
        assert_eq!(read.out.last.timestamp, UnixNanos(77), "when it was sent");
        assert_eq!(read.message(&change(42)), [told("ESZ6")]);
        let announced = Mdp3Decoder::announcement(&definition);
        assert_eq!(announced, Some((42, directory("ESZ6", scale))));
    }
    assert_eq!(Mdp3Decoder::announcement(&change(42)), None);
}

#[test]
fn an_instrument_is_its_number_until_it_has_a_name() {
    let mut read = Read::new();
    assert_eq!(read.message(&change(-7)), [told("-7")]);
    assert_eq!(read.message(&change(-7)), [told("-7")]);
    // A number longer than a symbol is said once.
    let long = said("#1", Directory::of(Name::new(b"123456789")), "|");
    assert_eq!(read.message(&change(123_456_789)), [long, told("#1")]);
    assert_eq!(read.message(&change(123_456_789)), [told("#1")]);
    let name = "GEZ6-2GEH7+GEM7";
    let spread = defined(template::SPREAD, 13, 123_456_789, name.as_bytes(), [10, 2]);
    let want = [said("#1", directory(name, 1), ".")];
    assert_eq!(read.message(&spread), want);
    let future = defined(template::FUTURE, 13, -7, b"ESZ6", [10, 2]);
    read.message(&future);
    assert_eq!(read.message(&change(-7)), [told("ESZ6")]);
    assert_eq!(read.out.last.instrument, 0, "the number it had");
    // Numbers mean the same in the next week.
    read.decoder.restart();
    assert_eq!(read.message(&change(-7)), [told("ESZ6")]);
    // A definition without a name.
    let blank = defined(template::FUTURE, 13, 9, b"", [10, 2]);
    assert_eq!(read.message(&blank), [said("9", directory("9", 1), ".")]);
}

#[test]
fn definitions_of_another_stream_are_looked_up() {
    let mut read = Read::wanting("GEZ6*");
    let mut definitions = Definitions::default();
    for (id, name) in [(42, "ESZ6"), (43, "GEZ6-GEH7")] {
        definitions.insert(id, directory(name, 1));
    }
    read.decoder.refer(Arc::new(definitions));
    assert!(read.message(&change(42)).is_empty(), "not wanted");
    let want = [said("#1", directory("GEZ6-GEH7", 1), "|"), told("#1")];
    assert_eq!(read.message(&change(43)), want);
    assert_eq!(read.out.last.trust, feed_common::event::Trust::VALID);
    assert_eq!(read.message(&change(43)), [told("#1")]);
}

#[test]
fn the_filter_knows_names_and_before_them_numbers() {
    let mut read = Read::wanting("42");
    assert_eq!(read.message(&change(42)), [told("42")]);
    assert!(read.message(&change(43)).is_empty());
    // It has a name now, which is not wanted: its book is void.
    let definition = defined(template::FUTURE, 13, 42, b"ESZ6", [10, 2]);
    assert_eq!(
        read.message(&definition),
        [said("42", "clear", "|"), said("", "end", ".")]
    );
    assert!(read.message(&change(42)).is_empty());

    let mut read = Read::wanting("ES*");
    assert!(read.message(&change(42)).is_empty());
    assert_eq!(
        read.message(&definition),
        [said("ESZ6", directory("ESZ6", 1), ".")]
    );
    let late = feed_common::event::Trust::RECOVERING;
    assert_eq!(
        read.out.last.trust, late,
        "what came before the name was passed over"
    );
    let first = defined(template::FUTURE, 13, 44, b"ESH7", [10, 2]);
    read.message(&first);
    assert_eq!(read.out.last.trust, feed_common::event::Trust::VALID);
}
