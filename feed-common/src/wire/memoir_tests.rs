//! The tables against the sheet, packets made and taken apart, and what is taken for one.

use super::*;
use crate::wire::ProtocolName;
use crate::wire::message::{Field, Value};
use proptest::prelude::*;

/// Template, name and root block as published.
const TABLE: [(u8, &str, usize); 13] = [
    (1, "Instrument Directory", 36),
    (2, "Reg SHO Restriction", 11),
    (3, "Security Trading Status", 12),
    (5, "Trading Session Status", 9),
    (10, "Order Added", 31),
    (11, "Order Deleted", 18),
    (12, "Order Reduced", 22),
    (13, "Order Executed", 38),
    (14, "Trade", 30),
    (15, "Broken Trade", 30),
    (16, "Corrected Trade", 42),
    (18, "Clear Book", 10),
    (100, "Snapshot Complete", 16),
];

/// A message of `length` bytes, its SBE header right and the rest counting up.
fn message(template: u8, length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..length as u8).map(|i| i ^ 0x80).collect();
    bytes[..2].copy_from_slice(&((length - SBE) as u16).to_be_bytes());
    bytes[2..4].copy_from_slice(&[template, SCHEMA]);
    bytes
}

#[test]
fn the_table_is_the_one_published() {
    let block = |template| length_of(template).unwrap() - SBE;
    let have: Vec<_> = TEMPLATES
        .iter()
        .map(|&t| (t, name(t).unwrap(), block(t)))
        .collect();
    assert_eq!(have, TABLE);
    let known = (0..=255).filter(|&t| length_of(t).is_some() || name(t).is_some());
    assert_eq!(known.count(), TABLE.len());
}

/// A swapped field would still fit: every layout covers its bytes in order and reads at its offset.
#[test]
fn every_layout_is_contiguous_and_read_in_place() {
    for &template in TEMPLATES {
        let length = length_of(template).unwrap();
        let bytes = message(template, length);
        let parsed = Message::parse(&bytes).unwrap();
        let mut fields = parsed.fields().layout().iter();
        let mut end = 0;
        parsed.fields().visit(&mut |name, value| {
            let field: &Field = fields.next().unwrap();
            assert_eq!((name, end), (field.name, field.offset));
            end += field.len;
            let raw = &bytes[field.offset..end];
            let number = raw.iter().fold(0, |n: u64, &b| n << 8 | u64::from(b));
            match value {
                Value::Text(b) | Value::Hex(b) => assert_eq!(b, raw),
                Value::Unsigned(n) | Value::Time(n) => assert_eq!(n, number),
                Value::Price { mantissa, decimals } => {
                    // Of two's complement, as all prices have 64 bits.
                    assert_eq!((mantissa as u64, decimals), (number, 6));
                }
                other => unreachable!("{other:?} is in no message"),
            }
        });
        assert_eq!((end, fields.next()), (length, None));
        let layout = parsed.fields().layout();
        assert_eq!((layout[4].name, layout[4].offset), ("timestamp", 6));
    }
}

#[test]
fn the_head_of_messages_about_a_security() {
    for template in 0..=255 {
        let bytes = message(template, 48);
        let want = matches!(template, 2 | 3 | 10..=16 | 18).then_some(Head {
            template,
            timestamp: 0x8687_8889_8a8b_8c8d,
            security_id: 0x8e8f,
        });
        assert_eq!(Head::of(&bytes), want, "{template}");
        assert_eq!(Head::of(&bytes[..Head::LEN - 1]), None);
        let mut foreign = bytes.clone();
        foreign[3] = 3;
        assert_eq!((Head::of(&foreign), template_of(&foreign)), (None, None));
        if want.is_some() {
            let layout = Message::parse(&bytes).unwrap().fields().layout();
            assert_eq!((layout[5].name, layout[5].offset), ("security_id", 14));
        }
    }
}

#[test]
fn an_order_by_hand() {
    let made = OrderAdded {
        timestamp: 0x177d_b7af_a667_3a40.into(),
        security_id: 7996.into(),
        order_id: 20_881_514.into(),
        side: b'S',
        quantity: 900.into(),
        price: 104_760_000.into(),
        ..OrderAdded::new()
    };
    let bytes = b"\x00\x1f\x0a\x02\x01\x03\x17\x7d\xb7\xaf\xa6\x67\x3a\x40\x1f\x3c\0\0\0\0\x01\x3e\xa0\x6aS\
        \0\0\x03\x84\0\0\0\0\x06\x3e\x82\xc0";
    assert_eq!(made.as_bytes(), bytes);
    assert_eq!(Message::parse(bytes), Ok(Message::OrderAdded(&made)));
}

#[test]
fn blocks_are_as_long_as_their_header_says() {
    let whole = message(11, 24);
    let error = |bytes: &[u8]| Message::parse(bytes).err();
    assert_eq!(error(&whole), None);
    assert_eq!(error(b""), Some(MessageError::Empty));
    assert_eq!(error(&whole[..5]), Some(MessageError::Short));
    assert_eq!(error(&whole[..23]), Some(MessageError::Short));
    let mut cut = whole.clone();
    cut[1] = 17;
    assert_eq!(
        error(&cut),
        Some(MessageError::Short),
        "the block, not the message"
    );
    let mut over = whole.clone();
    over[1] = 19;
    assert_eq!(error(&over), Some(MessageError::Short));
    assert_eq!(error(&message(11, 30)), None, "a longer block");
    let behind = [&whole[..], b"a group"].concat();
    assert_eq!(error(&behind), None, "something behind the block");
    assert_eq!(error(&message(4, 24)), Some(MessageError::UnknownType));
    let unknown = error(&message(4, 24)[..20]);
    assert_eq!(unknown, Some(MessageError::UnknownType), "whatever it says");
    let mut foreign = whole;
    foreign[3] = 1;
    assert_eq!(error(&foreign), Some(MessageError::UnknownType));
}

/// `USE1`, and a day.
const SESSION: u64 = 0x5553_4531_64e4_86c8;

fn packet(messages: &[&[u8]]) -> Vec<u8> {
    let mut builder = PacketBuilder::new(SESSION, 7, MAX_PACKET);
    assert!(messages.iter().all(|message| builder.push(message)));
    builder.payload().to_vec()
}

#[test]
fn packets_by_hand() {
    let mut builder = PacketBuilder::new(SESSION, 0x0102, 1 << 20);
    assert!(builder.push(b"one") && builder.push(b""));
    let bytes = b"\x02\x12USE1\x64\xe4\x86\xc8\0\0\0\0\0\0\x01\x02\0\x02\0\x03one\0\0";
    assert_eq!(builder.payload(), bytes);
    assert_eq!(builder.len(), bytes.len());
    let (header, count, messages) = parse(bytes).unwrap();
    assert_eq!((header.sequence_number.get(), count), (0x0102, 2));
    assert!(messages.eq([&b"one"[..], b""]));
    assert_eq!(builder.heartbeat().sequence_number.get(), 0x0104);
    builder.clear();
    assert!(builder.is_empty());
    let heartbeat = b"\x00\x12USE1\x64\xe4\x86\xc8\0\0\0\0\0\0\x01\x04";
    assert_eq!(builder.heartbeat().as_bytes(), heartbeat);
    assert_eq!(builder.shutdown().message_type, packet_type::SHUTDOWN);
    // A header may have grown.
    let mut longer = bytes.to_vec();
    longer[1] = 20;
    longer.splice(18..18, *b"xy");
    assert!(parse(&longer).unwrap().2.eq([&b"one"[..], b""]));
}

#[test]
fn full_packets_refuse() {
    let mut builder = PacketBuilder::new(SESSION, 1, 24);
    assert!(!builder.push(b"one") && builder.push(b"it"));
    assert!(!builder.push(b"") && builder.len() == 24);
}

#[test]
fn malformed_packets_are_refused_whole() {
    let good = packet(&[b"one", b"two"]);
    let with = |at: usize, value: u8| {
        let mut bad = good.clone();
        bad[at] = value;
        parse(&bad).err()
    };
    assert!(parse(&good).is_ok());
    assert_eq!(parse(&good[..17]).err(), Some(ParseError::ShortHeader));
    for end in 18..good.len() {
        assert_eq!(parse(&good[..end]).err(), Some(ParseError::Overrun));
    }
    let longer = [&good[..], b"x"].concat();
    assert_eq!(parse(&longer).err(), Some(ParseError::Trailing));
    assert_eq!(with(0, 3), Some(ParseError::Header));
    assert_eq!(
        with(0, 0),
        Some(ParseError::Trailing),
        "a heartbeat is its header"
    );
    assert_eq!(with(1, 17), Some(ParseError::Header));
    assert_eq!(with(1, 255), Some(ParseError::Overrun));
    assert_eq!(with(19, 1), Some(ParseError::Trailing), "one too few");
    assert_eq!(with(19, 3), Some(ParseError::Overrun), "one too many");
    assert_eq!(with(21, 9), Some(ParseError::Overrun));
}

#[test]
fn messages_tell_and_heartbeats_do_not() {
    let order = OrderAdded::new();
    let order = order.as_bytes();
    let tell = |messages: &[&[u8]]| ProtocolName::tell(&packet(messages));
    let sure = (Fit::Yes, Some(ProtocolName::Memoir));
    assert_eq!(tell(&[order]), sure);
    assert_eq!(tell(&[&message(4, 9), order]), sure);
    assert_eq!(tell(&[&message(10, 50)]), sure);

    let no = (Fit::No, None);
    assert_eq!(tell(&[&message(4, 9)]), no);
    assert_eq!(tell(&[order, &order[..36]]), no, "a message that is cut");
    assert_eq!(tell(&[order, b""]), no);
    let mut grown = packet(&[order]);
    grown[1] = 19;
    grown.insert(18, 0);
    assert_eq!(fit(&grown), Fit::No);

    assert_eq!(tell(&[]), (Fit::Possible, None));
    let builder = PacketBuilder::new(SESSION, 7, MAX_PACKET);
    assert_eq!(fit(builder.heartbeat().as_bytes()), Fit::Possible);
    assert_eq!(fit(builder.shutdown().as_bytes()), Fit::Possible);
}

proptest! {
    #[test]
    fn packets_are_read_back(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..30),
        sequence in 0..u64::MAX / 2,
    ) {
        let mut builder = PacketBuilder::new(SESSION, sequence, MAX_PACKET);
        let mut pushed = messages;
        pushed.retain(|message| builder.push(message));
        let (header, count, messages) = parse(builder.payload()).unwrap();
        prop_assert_eq!(header.sequence_number.get(), sequence);
        prop_assert_eq!(usize::from(count), pushed.len());
        prop_assert_eq!(messages.map(<[u8]>::to_vec).collect::<Vec<_>>(), pushed);
    }

    #[test]
    fn noise_is_no_packet(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        template in proptest::sample::select(TEMPLATES),
    ) {
        // Even behind a header that is right, and of a known template.
        let mut message = vec![body.len() as u8, 0, template, SCHEMA];
        message.extend(&body);
        let parsed = Message::parse(&message);
        prop_assert!(parsed.is_err(), "its block is longer than it");
        prop_assert_ne!(fit(&packet(&[&message])), Fit::Yes);
        prop_assert_ne!(fit(&body), Fit::Yes);
    }
}
