use super::*;
use crate::wire::ProtocolName;
use crate::wire::message::{Field, Value};
use proptest::prelude::*;
use zerocopy::IntoBytes;

#[test]
fn the_types_and_their_lengths() {
    let want = "20:6 97:6 21:34 22:26 2F:41 2F:40 23:26 24:38 25:18 26:16 27:27 28:19 29:14 2A:41 2B:33 30:43 2C:14 \
                2D:6 31:18 95:47 96:27 98:15 01:22 02:3 03:9 04:10 80:6 81:6 82:11 83:6";
    let have: Vec<_> = FORMS
        .iter()
        .map(|f| format!("{:02X}:{}", f.0, f.1))
        .collect();
    assert_eq!(have.join(" "), want);
    assert_eq!(length_of(0x2F), Some(40));
    assert_eq!((length_of(0x99), name(0x99)), (None, None));
    assert_eq!(name(0x2A), Some("Trade (long)"));
    let known = (0..=255).filter(|&t| length_of(t).is_some() && name(t).is_some());
    assert_eq!(known.count(), FORMS.len() - 1);
}

/// A swapped field would still fit: check the layout of every form covers its bytes in order, begins alike, and reads at
/// its offset.
#[test]
fn every_layout_is_contiguous_and_begins_alike() {
    for &(kind, len, _) in FORMS {
        let mut bytes: Vec<u8> = (0..len as u8).map(|i| i ^ 0x80).collect();
        (bytes[0], bytes[1]) = (len as u8, kind);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.size(), len);
        let layout = message.fields().layout();
        let mut end = 0;
        for f in layout {
            assert_eq!(f.offset, end);
            end += f.len;
        }
        assert_eq!(end, len);
        let third = match kind {
            0x20 => Some("time"),
            0x21..=0x31 | 0x95..=0x98 => Some("time_offset"),
            _ => None,
        };
        let head: Vec<_> = layout.iter().map(|f| (f.name, f.offset)).collect();
        assert_eq!(head[..2], [("length", 0), ("type", 1)]);
        assert!(third.is_none_or(|name| head[2] == (name, 2) && layout[2].len == 4));
        let mut i = 0;
        message.fields().visit(&mut |name, value| {
            let Field {
                name: want,
                offset,
                len,
                ..
            } = layout[i];
            assert_eq!(name, want);
            let raw = &bytes[offset..offset + len];
            let number = raw.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
            match value {
                Value::Text(b) | Value::Hex(b) => assert_eq!(b, raw),
                Value::Unsigned(n) | Value::Time(n) => assert_eq!(n, number),
                Value::Price { mantissa, .. } => assert_eq!(mantissa, number.into()),
                Value::Null | Value::Signed(_) | Value::Float(_) | Value::Rows(_) => {
                    unreachable!("no field of PITCH can be absent")
                }
            }
            i += 1;
        });
        assert_eq!(i, layout.len());
    }
}

#[test]
fn an_add_order_by_hand() {
    let bytes =
        b"\x1a\x22\x70\xdb\x09\x00\x08\x07\x06\x05\x04\x03\x02\x01S\xc4\x54ZVZZT \xf4\x02\x01";
    let made = AddOrderShort {
        time_offset: 646_000.into(),
        order_id: 0x0102_0304_0506_0708.into(),
        side: b'S',
        quantity: 21_700.into(),
        symbol: *b"ZVZZT ",
        price: 756.into(), // 7.56
        flags: flags::DISPLAY,
        ..AddOrderShort::new()
    };
    assert_eq!(Message::parse(bytes), Ok(Message::AddOrderShort(&made)));
    assert_eq!(made.as_bytes(), bytes);
}

#[test]
fn the_longest_form_that_there_are_bytes_for_is_taken() {
    let mut bytes = AddOrderExpanded::new().as_bytes().to_vec();
    bytes[40] = b'C';
    let form = |bytes: &[u8]| Message::parse(bytes).map(|m| m.size());
    assert_eq!(form(&bytes), Ok(41));
    assert_eq!(form(&bytes[..40]), Ok(40));
    assert_eq!(form(&bytes[..39]), Err(ParseError::Short));
    bytes.push(0);
    assert_eq!(form(&bytes), Ok(41));
    assert_eq!(form(b"\x02\x99"), Err(ParseError::UnknownType));
    assert_eq!(form(b"\x01"), Err(ParseError::Empty));
}

/// A block with this body, and a length that is right.
fn block(count: u8, body: &[u8]) -> Vec<u8> {
    let header = Header {
        length: ((HEADER + body.len()) as u16).into(),
        count,
        unit: 3,
        sequence: 7.into(),
    };
    [header.as_bytes(), body].concat()
}

#[test]
fn a_datagram_of_two_blocks_by_hand() {
    let first = b"\x10\x00\x02\x11\xb3\x36\x00\x00\x02\xff\x06\x20\x98\x85\x00\x00";
    let second = b"\x08\x00\x00\x12\x01\x00\x00\x00";
    let both = [&first[..], second].concat();
    let (header, messages, rest) = parse(&both).unwrap();
    let head = (header.unit, header.count, header.sequence.get());
    assert_eq!(head, (0x11, 2, 14_003));
    let messages: Vec<_> = messages.collect();
    assert_eq!(messages, [&b"\x02\xff"[..], b"\x06\x20\x98\x85\0\0"]);
    let (header, messages, rest) = parse(rest).unwrap();
    assert_eq!((header.unit, header.sequence.get()), (0x12, 1));
    assert_eq!((messages.count(), rest), (0, &[][..]));
}

#[test]
fn malformed_blocks_say_why() {
    let error = |bytes: &[u8]| parse(bytes).err();
    assert_eq!(error(b""), Some(BlockError::ShortHeader));
    assert_eq!(error(&block(0, b"")[..7]), Some(BlockError::ShortHeader));
    assert_eq!(error(&block(0, b"")), None);
    assert_eq!(error(&block(1, b"")), Some(BlockError::Overrun));
    assert_eq!(error(&block(1, b"\x03\x20")), Some(BlockError::Overrun));
    assert_eq!(error(&block(2, b"\x02\x20")), Some(BlockError::Overrun));
    assert_eq!(error(&block(1, b"\x00\x20")), Some(BlockError::Length));
    assert_eq!(error(&block(1, b"\x01\x20")), Some(BlockError::Length));
    assert_eq!(error(&block(1, b"\x02\x20\0")), Some(BlockError::Trailing));
    assert_eq!(error(&block(0, b"\x02\x20")), Some(BlockError::Trailing));
    for (length, want) in [
        (7, BlockError::Length),
        (9, BlockError::Overrun),
        (11, BlockError::Overrun),
    ] {
        let mut lying = block(1, b"\x02\x20");
        lying[0] = length;
        assert_eq!(error(&lying), Some(want), "{length}");
    }
    for crumbs in 1..HEADER {
        let bytes = [block(1, b"\x02\x20"), vec![0; crumbs]].concat();
        assert_eq!(error(&bytes), Some(BlockError::Trailing));
    }
}

#[test]
fn known_messages_tell_and_others_do_not() {
    let time = Time::new();
    let told = ProtocolName::tell(&block(1, time.as_bytes()));
    assert_eq!(told, (Fit::Yes, Some(ProtocolName::Pitch)));
    let unknown = [&b"\x02\xad"[..], time.as_bytes()].concat();
    assert_eq!(fit(&block(2, &unknown)), Fit::Yes);
    let two = [block(0, b""), block(1, time.as_bytes())].concat();
    assert_eq!(fit(&two), Fit::Yes);
    // The options markets append a byte to executions; a message may have grown by more, but then it tells nothing.
    for (extra, want) in [(1, Fit::Yes), (2, Fit::Possible)] {
        let mut grown = OrderExecuted::new().as_bytes().to_vec();
        grown[0] += extra;
        grown.resize(grown[0].into(), 0);
        assert_eq!(fit(&block(1, &grown)), want);
    }
    assert_eq!(fit(&block(0, b"")), Fit::Possible);
    assert_eq!(fit(&block(1, b"\x02\xad")), Fit::Possible);
    for nothing in [
        &b""[..],
        b"noise that is long enough",
        &block(1, b"\x05\x20\0\0\0"),
        &block(2, time.as_bytes()),
        &[block(1, time.as_bytes()), vec![0; 8]].concat(),
    ] {
        assert_eq!(fit(nothing), Fit::No);
    }
}

/// Headers that begin with the packet's length in the same way, with a count of 1 behind it, and a time that could be a
/// message.
#[test]
fn headers_of_sixteen_bytes_are_not_taken_for_blocks() {
    for kind in 0..=255 {
        let packet = [16, 0, 1, 1, 9, 0, 0, 0, 8, kind, 0, 0, 0, 0, 0, 0];
        assert_ne!(fit(&packet), Fit::Yes);
    }
}

#[test]
fn blocks_fill_to_the_limit_and_number_on() {
    let mut b = UnitBuilder::new(9, u32::MAX, HEADER + 12);
    let time = Time::new();
    assert!(b.push(time.as_bytes()) && b.push(time.as_bytes()) && !b.push(b"\x02\xff"));
    assert_eq!((b.len(), b.next_sequence()), (2, 1));
    let (header, messages, _) = parse(b.block()).unwrap();
    assert_eq!((header.length.get(), header.count, header.unit), (20, 2, 9));
    assert_eq!((header.sequence.get(), messages.count()), (u32::MAX, 2));
    b.clear();
    assert!(b.is_empty());
    let heartbeat = b.heartbeat();
    assert_eq!(parse(heartbeat.as_bytes()).unwrap().0.sequence.get(), 1);
    assert_eq!(b.block(), heartbeat.as_bytes());
    let mut full = UnitBuilder::new(1, 1, usize::MAX);
    (0..255).for_each(|_| assert!(full.push(b"\x02\xff")));
    assert!(!full.push(b"\x02\xff"), "a count has 8 bits");
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_are_not_taken_for_messages(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert_ne!(fit(&bytes), Fit::Yes);
        let _ = Message::parse(&bytes);
        prop_assert!(Messages::new(&bytes).count() <= bytes.len());
    }

    /// Cutting or extending a block anywhere is noticed.
    #[test]
    fn a_wrong_length_is_always_noticed(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..9),
        cut in 1usize..8,
    ) {
        let mut b = UnitBuilder::new(1, 1, 1400);
        let messages: Vec<_> = bodies
            .iter()
            .map(|body| [&[body.len() as u8 + 1], &body[..]].concat())
            .collect();
        prop_assert!(messages.iter().all(|m| b.push(m)));
        let bytes = b.block().to_vec();
        let (_, read, rest) = parse(&bytes).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(read.map(<[u8]>::to_vec).collect::<Vec<_>>(), messages);
        prop_assert!(parse(&bytes[..bytes.len() - cut]).is_err());
        prop_assert!(parse(&[&bytes[..], &[0; 8][..cut]].concat()).is_err());
    }
}
