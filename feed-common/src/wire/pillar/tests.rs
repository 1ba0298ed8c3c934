//! The tables against the specification, packets made and taken apart, and what is taken for one.

use super::*;
use crate::wire::ProtocolName;
use crate::wire::message::{Field, Value};
use proptest::prelude::*;
use zerocopy::IntoBytes;

#[test]
fn the_types_their_lengths_and_what_is_needed_of_them() {
    let want = "1:14/12 2:16/16 3:44/25 10:24/24 11:29/29 12:14/14 13:21/21 15:20/20 31:14/12 32:20/16 34:46/22 \
        35:16/8 100:39/33 101:35/33 102:25/24 103:42/37 104:42/40 105:73/40 106:43/37 110:33/29 111:29/28 112:20/20 \
        113:24/24 114:17/17 223:36/36";
    let have: Vec<_> = TYPES
        .iter()
        .map(|&kind| {
            let (size, least) = lengths_of(kind).unwrap();
            format!("{kind}:{size}/{least}")
        })
        .collect();
    assert_eq!(have.join(" "), want);
    let known = (0..=u16::MAX).filter(|&k| lengths_of(k).is_some() && name(k).is_some());
    assert_eq!(known.count(), TYPES.len());
}

/// Parsing and the length table are made from one list, but a swapped field would still fit: check that every layout
/// covers its message's bytes in order and reads at its offset.
#[test]
fn every_layout_is_contiguous_and_read_in_place() {
    for &kind in TYPES {
        let (size, _) = lengths_of(kind).unwrap();
        let mut bytes: Vec<u8> = (0..size as u8 + 3).map(|i| i ^ 0x80).collect();
        bytes[2..4].copy_from_slice(&kind.to_le_bytes());
        let message = Message::parse(&bytes).unwrap();
        let layout = message.fields().layout();
        assert_eq!([layout[0].name, layout[1].name], ["msg_size", "msg_type"]);
        let mut end = 0;
        let mut fields = layout.iter();
        message.fields().visit(&mut |name, value| {
            let &Field {
                name: want,
                offset,
                len,
                ..
            } = fields.next().unwrap();
            assert_eq!((name, offset), (want, end));
            end += len;
            let raw = &bytes[offset..end];
            let number = raw.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
            match value {
                Value::Text(b) | Value::Hex(b) => assert_eq!(b, raw),
                Value::Unsigned(n) | Value::Time(n) => assert_eq!(n, number),
                other => unreachable!("{other:?} is in no message"),
            }
        });
        assert_eq!((end, fields.next()), (size, None));
        assert_eq!(Message::parse(&bytes[..size - 1]), None);
    }
}

#[test]
fn the_head_of_messages_about_orders_and_trades() {
    for kind in 0..=300 {
        let mut message = [0; Head::LEN];
        message[2..4].copy_from_slice(&u16::to_le_bytes(kind));
        message[4..].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let want = matches!(kind, 100..=104 | 110..=114).then_some(Head {
            kind,
            nanos: 0x0403_0201,
            symbol: 0x0807_0605,
        });
        assert_eq!(Head::of(&message), want, "{kind}");
        assert_eq!(Head::of(&message[..Head::LEN - 1]), None);
    }
    // The struct of each has these fields there.
    for kind in TYPES.iter().filter(|t| matches!(t, 100..=104 | 110..=114)) {
        let mut bytes = [0; LONGEST];
        bytes[2..4].copy_from_slice(&kind.to_le_bytes());
        let layout = Message::parse(&bytes).unwrap().fields().layout();
        let at = |i: usize| (layout[i].name, layout[i].offset, layout[i].len);
        assert_eq!(at(2), ("source_time_ns", 4, 4));
        assert_eq!(at(3), ("symbol_index", 8, 4));
    }
}

#[test]
fn an_order_by_hand() {
    let made = AddOrder {
        source_time_ns: 177_431_552.into(),
        symbol_index: 4966.into(),
        symbol_seq_num: 6.into(),
        order_id: 0x0001_0100_0000_a6e9.into(),
        price: 100_100.into(),
        volume: 1200.into(),
        side: b'B',
        firm_id: *b"     ",
        ..AddOrder::new()
    };
    let bytes = b"\x27\0\x64\0\x00\x64\x93\x0a\x66\x13\0\0\x06\0\0\0\xe9\xa6\0\0\0\x01\x01\0\
        \x04\x87\x01\0\xb0\x04\0\0B     \0";
    assert_eq!(made.as_bytes(), bytes);
    assert_eq!(Message::parse(bytes), Some(Message::AddOrder(&made)));
    let head = Head::of(bytes).unwrap();
    assert_eq!((head.symbol, head.nanos), (4966, 177_431_552));
}

#[test]
fn shorter_messages_are_brought_to_their_length() {
    let whole = Imbalance {
        unpaired_qty: 9.into(),
        auction_type: b'C',
        ..Imbalance::new()
    };
    let mut room = [0xee; LONGEST];
    let bytes = whole.as_bytes();
    assert_eq!(lengthened(bytes, &mut room), None, "it is whole");
    assert_eq!(lengthened(&bytes[..39], &mut room), None, "too short");
    assert_eq!(lengthened(&[9, 0, 99, 0, 1], &mut room), None, "unknown");
    let long = lengthened(&bytes[..67], &mut room).unwrap();
    let Some(Message::Imbalance(m)) = Message::parse(long) else {
        panic!("no imbalance in {long:?}")
    };
    assert_eq!((m.auction_type, m.unpaired_qty.get()), (b'C', 0));
}

/// 2026-11-20 14:30:00.000000042 UTC.
const TIME: u64 = 1_795_271_400_000_000_042;

fn packet(flag: Flag, messages: &[&[u8]]) -> Vec<u8> {
    let mut packet = PacketBuilder::new(7, MAX_PACKET);
    assert!(messages.iter().all(|message| packet.push(message)));
    packet.payload(flag, TIME).to_vec()
}

#[test]
fn packets_by_hand() {
    let mut builder = PacketBuilder::new(0x0102_0304, 1 << 20);
    assert!(builder.push(b"\x05\0\xff\xffx") && builder.push(b"\x04\0\0\0"));
    let bytes =
        b"\x19\0\x0b\x02\x04\x03\x02\x01\xe8\xaa\x01\x6b\x2a\0\0\0\x05\0\xff\xffx\x04\0\0\0";
    assert_eq!(builder.payload(Flag::ORIGINAL, TIME), bytes);
    let (header, messages) = parse(bytes).unwrap();
    assert_eq!((header.flag(), header.number_msgs), (Flag::ORIGINAL, 2));
    let messages: Vec<_> = messages.collect();
    assert_eq!(messages, [&b"\x05\0\xff\xffx"[..], b"\x04\0\0\0"]);

    builder.clear();
    assert!(builder.is_empty());
    let beat = builder.heartbeat(TIME);
    let (header, mut messages) = parse(beat.as_bytes()).unwrap();
    assert_eq!(header.flag(), Flag::HEARTBEAT);
    assert_eq!(header.seq_num.get(), 0x0102_0306);
    assert_eq!(messages.next(), None);
}

#[test]
fn full_packets_refuse() {
    let mut builder = PacketBuilder::new(1, MAX_PACKET);
    for _ in 0..u8::MAX {
        assert!(builder.push(b"\x04\0\0\0"));
    }
    assert!(!builder.push(b"\x04\0\0\0"), "the count is 8 bits");
    assert_eq!(
        (builder.len(), builder.next_sequence()),
        (16 + 255 * 4, 256)
    );
    let mut builder = PacketBuilder::new(1, 20);
    assert!(!builder.push(b"\x05\0\0\0x") && builder.push(b"\x04\0\0\0"));
}

#[test]
fn malformed_packets_are_refused_whole() {
    let good = packet(Flag::ORIGINAL, &[b"\x05\0\x64\0x", b"\x04\0\x64\0"]);
    let with = |at: usize, value: u8| {
        let mut bad = good.clone();
        bad[at] = value;
        parse(&bad).err()
    };
    assert!(parse(&good).is_ok());
    assert_eq!(parse(&good[..15]).err(), Some(ParseError::ShortHeader));
    assert_eq!(parse(&good[..24]).err(), Some(ParseError::Overrun));
    let longer = [&good[..], b"x"].concat();
    assert_eq!(parse(&longer).err(), Some(ParseError::Trailing));
    assert_eq!(with(0, 26), Some(ParseError::Overrun));
    assert_eq!(with(0, 24), Some(ParseError::Trailing));
    assert_eq!(with(2, 14), Some(ParseError::Flag));
    assert_eq!(with(2, 1), Some(ParseError::Flag));
    assert_eq!(
        with(3, 1),
        Some(ParseError::Trailing),
        "one message too few"
    );
    assert_eq!(with(3, 3), Some(ParseError::Overrun), "one too many");
    assert_eq!(with(16, 3), Some(ParseError::Size));
    assert_eq!(with(16, 0), Some(ParseError::Size));
    assert_eq!(with(17, 1), Some(ParseError::Overrun));
}

#[test]
fn messages_tell_and_heartbeats_do_not() {
    let add = AddOrder::new();
    let tell = |packet: &[u8]| ProtocolName::tell(packet);
    let sure = (Fit::Yes, Some(ProtocolName::Pillar));
    let unknown: &[u8] = b"\x06\0\x8c\0xx";
    assert_eq!(tell(&packet(Flag::ORIGINAL, &[add.as_bytes()])), sure);
    let mixed = packet(Flag::REFRESH_END, &[unknown, add.as_bytes()]);
    assert_eq!(tell(&mixed), sure);
    let longer = [&[41, 0], &add.as_bytes()[2..], b"xx"].concat();
    assert_eq!(tell(&packet(Flag::ORIGINAL, &[&longer])), sure);
    let shorter = [&[33, 0], &add.as_bytes()[2..33]].concat();
    assert_eq!(tell(&packet(Flag::ORIGINAL, &[&shorter])), sure);

    let possible = (Fit::Possible, None);
    assert_eq!(tell(&packet(Flag::ORIGINAL, &[unknown])), possible);
    let beat = PacketBuilder::new(7, MAX_PACKET).heartbeat(TIME);
    assert_eq!(fit(beat.as_bytes()), Fit::Possible);

    let cut = [&[32, 0], &add.as_bytes()[2..32]].concat();
    assert_eq!(fit(&packet(Flag::ORIGINAL, &[&cut])), Fit::No);
    let mut late = packet(Flag::ORIGINAL, &[add.as_bytes()]);
    late[15] = 0x3c; // more nanoseconds than a second has
    assert_eq!(fit(&late), Fit::No);
    assert_eq!(fit(b""), Fit::No);
}

proptest! {
    #[test]
    fn packets_are_read_back(
        messages in proptest::collection::vec((0u16..300, proptest::collection::vec(any::<u8>(), 0..80)), 0..20),
        sequence: u32,
    ) {
        let mut builder = PacketBuilder::new(sequence, MAX_PACKET);
        let mut pushed = Vec::new();
        for (kind, body) in messages {
            let size = (4 + body.len() as u16).to_le_bytes();
            let message = [&size[..], &kind.to_le_bytes(), &body].concat();
            if builder.push(&message) {
                pushed.push(message);
            }
        }
        let bytes = builder.payload(Flag::ORIGINAL, TIME);
        let (header, messages) = parse(bytes).unwrap();
        prop_assert_eq!(header.seq_num.get(), sequence);
        prop_assert_eq!(usize::from(header.number_msgs), pushed.len());
        prop_assert_eq!(messages.map(<[u8]>::to_vec).collect::<Vec<_>>(), pushed);
    }

    #[test]
    fn noise_is_no_packet(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Even with its size and flag right.
        if bytes.len() >= 4 {
            bytes[0] = bytes.len() as u8;
            bytes[1] = 0;
            bytes[2] = 11;
        }
        prop_assert_ne!(fit(&bytes), Fit::Yes);
    }

    #[test]
    fn lengthening_keeps_what_is_there(
        kind in proptest::sample::select(TYPES),
        mut bytes in proptest::collection::vec(any::<u8>(), 4..90),
    ) {
        bytes[2..4].copy_from_slice(&kind.to_le_bytes());
        let (size, least) = lengths_of(kind).unwrap();
        let mut room = [0xee; LONGEST];
        match lengthened(&bytes, &mut room) {
            Some(long) => {
                prop_assert!(Message::parse(long).is_some());
                prop_assert_eq!(&long[..bytes.len()], &bytes[..]);
                prop_assert!(long[bytes.len()..].iter().all(|&b| b == 0));
            }
            None => prop_assert!(bytes.len() < least || bytes.len() >= size),
        }
    }
}
