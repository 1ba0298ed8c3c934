use super::super::ProtocolName;
use super::iextp::{DEEP_1_0, SegmentBuilder};
use super::*;
use crate::wire::message::{Field, Value};
use zerocopy::IntoBytes;

/// Type, name and length as in the specifications.
const TABLE: [(u8, &str, usize); 19] = [
    (b'S', "System Event", 10),
    (b'D', "Security Directory", 31),
    (b'H', "Trading Status", 22),
    (b'I', "Retail Liquidity Indicator", 18),
    (b'O', "Operational Halt Status", 18),
    (b'P', "Short Sale Price Test Status", 19),
    (b'E', "Security Event", 18),
    (b'Q', "Quote Update", 42),
    (b'T', "Trade Report", 38),
    (b'B', "Trade Break", 38),
    (b'X', "Official Price", 26),
    (b'A', "Auction Information", 80),
    (b'8', "Price Level Update (buy)", 30),
    (b'5', "Price Level Update (sell)", 30),
    (b'a', "Add Order", 38),
    (b'M', "Order Modify", 38),
    (b'R', "Order Delete", 26),
    (b'L', "Order Executed", 46),
    (b'C', "Clear Book", 18),
];

#[test]
fn the_table_is_the_specifications() {
    let have: Vec<_> = TYPES
        .iter()
        .map(|&kind| (kind, name(kind).unwrap(), length_of(kind).unwrap()))
        .collect();
    assert_eq!(have, TABLE);
    let known = (0..=255u8).filter(|&kind| length_of(kind).is_some());
    assert_eq!(known.count(), TABLE.len());
    assert!(!has_symbol(b'Z'));
}

/// A swapped field would still fit: every layout covers its bytes in order, begins alike, and reads at its offset.
#[test]
fn every_layout_is_contiguous_and_begins_alike() {
    for &kind in TYPES {
        let len = length_of(kind).unwrap();
        let mut bytes: Vec<u8> = (0..len as u8 + 3).map(|i| i ^ 0x80).collect();
        bytes[0] = kind;
        let message = Message::parse(&bytes).unwrap();
        let layout = message.fields().layout();
        let mut end = 0;
        for field in layout {
            assert_eq!(field.offset, end);
            end += field.len;
        }
        assert_eq!(end, len);
        let place = |i: usize| (layout[i].name, layout[i].offset);
        assert_eq!((place(0), place(2)), (("type", 0), ("timestamp", 2)));
        assert_eq!(has_symbol(kind), layout.iter().any(|f| f.name == "symbol"));
        if has_symbol(kind) {
            assert_eq!(place(3), ("symbol", 10));
            let head = Head::of(&bytes).unwrap();
            assert_eq!((head.kind, head.second), (kind, bytes[1]));
            assert_eq!(u128::from(head.timestamp), number(&bytes[2..10]));
            assert_eq!(head.symbol, bytes[10..18]);
        }
        assert_eq!(Head::of(&bytes[..Head::LEN.min(len) - 1]), None);
        let mut fields = layout.iter();
        message.fields().visit(&mut |name, value| {
            let field: &Field = fields.next().unwrap();
            assert_eq!(name, field.name);
            let raw = &bytes[field.offset..field.offset + field.len];
            match value {
                Value::Text(b) | Value::Hex(b) => assert_eq!(b, raw),
                Value::Unsigned(n) | Value::Time(n) => assert_eq!(u128::from(n), number(raw)),
                Value::Price { mantissa, decimals } => {
                    let bits = mantissa as u64; // of two's complement, as all prices have 64
                    assert_eq!((u128::from(bits), decimals), (number(raw), 4));
                }
                Value::Null | Value::Signed(_) | Value::Float(_) | Value::Rows(_) => {
                    unreachable!("no field of IEX is of such a kind")
                }
            }
        });
        assert!(fields.next().is_none());
    }
}

fn number(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .rev()
        .fold(0, |n, &byte| n << 8 | u128::from(byte))
}

#[test]
fn a_price_level_by_hand() {
    let bytes = b"8\x01\xbe\x7f\x13\x35\x3a\xe2\x5d\x16V       \xbe\0\0\0\xb4\xf0\x1e\0\0\0\0\0";
    let made = PriceLevelBuy {
        event_flags: EVENT_COMPLETE,
        timestamp: 1_611_692_981_294_956_478.into(),
        symbol: *b"V       ",
        size: 190.into(),
        price: 2_027_700.into(), // 202.77
        ..PriceLevelBuy::new()
    };
    assert_eq!(Message::parse(bytes), Ok(Message::PriceLevelBuy(&made)));
    assert_eq!(made.as_bytes(), bytes);
}

#[test]
fn prices_can_be_below_zero() {
    let made = OfficialPrice {
        official_price: (-1).into(),
        ..OfficialPrice::new()
    };
    assert_eq!(made.as_bytes()[18..], [0xff; 8]);
}

#[test]
fn what_is_no_message_says_why() {
    assert_eq!(Message::parse(b""), Err(ParseError::Empty));
    assert_eq!(Message::parse(b"Z"), Err(ParseError::UnknownType));
    assert_eq!(Message::parse(&[b'C'; 17]), Err(ParseError::Short));
    assert!(Message::parse(&[b'C'; 18]).is_ok());
    assert!(
        Message::parse(&[b'C'; 25]).is_ok(),
        "longer is read as its prefix"
    );
}

fn segment(messages: &[&[u8]]) -> Vec<u8> {
    let mut segment = SegmentBuilder::new(DEEP_1_0, 5, 1400);
    assert!(messages.iter().all(|message| segment.push(message)));
    segment.segment(1).to_vec()
}

#[test]
fn segments_of_known_messages_fit() {
    let clear = ClearBook::new();
    let clear = clear.as_bytes();
    let event = SystemEvent::new();
    let yes: [&[&[u8]]; 4] = [
        &[clear] as &[&[u8]],
        &[clear, b"", b"Zebra"],
        &[&[b'8'; 33]],
        &[event.as_bytes(), clear],
    ];
    for messages in yes {
        let datagram = segment(messages);
        let told = ProtocolName::tell(&datagram);
        assert_eq!(told, (Fit::Yes, Some(ProtocolName::Iex)), "{messages:?}");
    }
    assert_eq!(fit(&segment(&[])), Fit::Possible, "a heartbeat");
    let none: [&[&[u8]]; 3] = [
        &[&clear[..17]] as &[&[u8]],
        &[clear, &[b'8'; 29]],
        &[b"Zebra", b""],
    ];
    for messages in none {
        assert_eq!(fit(&segment(messages)), Fit::No, "{messages:?}");
    }
    for at in [0, 2, 12, 14, 40] {
        let mut wrong = segment(&[clear]);
        wrong[at] ^= 0x40;
        assert_eq!(fit(&wrong), Fit::No, "byte {at}");
    }
}

#[test]
fn packets_of_others_do_not_fit() {
    let mut mold = super::super::moldudp64::PacketBuilder::new(*b"S         ", 1, 1400);
    assert!(mold.push(&[b'D'; 19]));
    assert_eq!(fit(mold.payload()), Fit::No);
    assert_eq!(fit(mold.heartbeat().as_bytes()), Fit::No);
    assert_eq!(fit(&super::super::native::MAGIC), Fit::No);
    for len in 0..120 {
        for byte in [0, 1, 0x20, 0x80, 0xff] {
            assert_eq!(fit(&vec![byte; len]), Fit::No);
        }
    }
}
