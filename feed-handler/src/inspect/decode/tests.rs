use super::*;
use feed_common::event::MarketData;
use feed_common::time::UnixNanos;
use feed_common::wire::itch50::{AddOrder, StockTradingAction};
use feed_common::wire::message::U48;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_common::wire::{ProtocolName, native};
use std::net::{Ipv4Addr, SocketAddr};
use zerocopy::{FromZeros, IntoBytes};

fn options(format: Format, limit: u64) -> Options {
    Options {
        format,
        limit,
        strict: false,
    }
}

fn decoded(payload: &[u8], dst: bool, format: Format, limit: u64) -> (String, Decoded) {
    let datagram = Datagram {
        number: 7,
        time: UnixNanos::UNKNOWN,
        dst: dst.then_some(SocketAddr::from(([239, 0, 0, 1], 1))),
        src: None,
        payload,
    };
    let streams = Streams::detect(&[datagram][..]).unwrap();
    let mut out = Vec::new();
    let decoded = decode(&[datagram][..], &streams, options(format, limit), &mut out).unwrap();
    (String::from_utf8(out).unwrap(), decoded)
}

fn add() -> AddOrder {
    AddOrder {
        stock_locate: 5.into(),
        timestamp: U48::new(34_200_000_000_000),
        order_ref: u64::MAX.into(),
        side: b'B',
        shares: 300.into(),
        stock: *b"AAPL    ",
        price: 123_400.into(),
        ..AddOrder::new()
    }
}

fn mold(messages: &[&[u8]]) -> Vec<u8> {
    let mut b = PacketBuilder::new(*b"S         ", 41, 1400);
    assert!(messages.iter().all(|m| b.push(m)));
    b.payload().to_vec()
}

#[test]
fn the_shape_programs_rely_on() {
    let halt = StockTradingAction {
        stock: *b"ZVZZT   ",
        trading_state: b'H',
        reserved: 0xff,
        reason: *b"T1  ",
        ..StockTradingAction::new()
    };
    let packet = mold(&[add().as_bytes(), halt.as_bytes()]);
    let (lines, facts) = decoded(&packet, true, Format::Json, u64::MAX);
    let want = [
        concat!(
            r#"{"packet":7,"seq":41,"type":"A","name":"Add Order","stock_locate":5,"tracking_number":0,"#,
            r#""timestamp":34200000000000,"order_ref":18446744073709551615,"side":"B","shares":300,"#,
            r#""stock":"AAPL","price":"12.3400"}"#
        ),
        concat!(
            r#"{"packet":7,"seq":42,"type":"H","name":"Stock Trading Action","stock_locate":0,"#,
            r#""tracking_number":0,"timestamp":0,"stock":"ZVZZT","trading_state":"H","reserved":"ff","#,
            r#""reason":"T1"}"#
        ),
    ];
    assert_eq!(lines.lines().collect::<Vec<_>>(), want);
    assert_eq!((facts.messages, facts.errors.len()), (2, 0));
}

#[test]
fn malformed_messages_are_printed_with_the_reason_and_stay_json() {
    let packet = mold(&[&[b'D'; 19], b"D\"", b"", b"\"x"]);
    // Detection wants known types only; here the protocol is given.
    let streams = Streams::given(crate::inspect::dissector(ProtocolName::Itch50));
    let datagram = Datagram {
        number: 1,
        time: UnixNanos::UNKNOWN,
        dst: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))),
        src: None,
        payload: &packet,
    };
    let mut out = Vec::new();
    let facts = decode(
        &[datagram][..],
        &streams,
        options(Format::Json, 9),
        &mut out,
    )
    .unwrap();
    let lines: Vec<serde_json::Value> = out
        .split(|&b| b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(lines[1]["error"], "message shorter than its type");
    assert_eq!(lines[1]["bytes"], "4422");
    assert_eq!(lines[2]["error"], "empty message");
    assert_eq!(lines[3]["type"], "\"");
    assert_eq!(lines[3]["name"], serde_json::Value::Null);
    assert_eq!(facts.messages, 4);
    assert_eq!(facts.errors.values().sum::<u64>(), 3);
}

#[test]
fn limits_and_text() {
    let packet = mold(&[add().as_bytes(); 3]);
    let (lines, facts) = decoded(&packet, true, Format::Text, 2);
    assert_eq!((lines.lines().count(), facts.messages), (2, 2));
    assert!(lines.contains(" 42 A Add Order "), "{lines}");
    assert!(lines.ends_with(" stock=AAPL price=12.3400\n"), "{lines}");
    assert_eq!(decoded(&packet, true, Format::Text, 0).0, "");
}

#[test]
fn records_of_a_file_are_numbered_themselves() {
    let message = add();
    let record = [&[0, 36][..], message.as_bytes()].concat();
    let (lines, _) = decoded(&record.repeat(2), false, Format::Json, u64::MAX);
    let starts: Vec<_> = lines.lines().map(|l| &l[..22]).collect();
    assert_eq!(
        starts,
        [r#"{"packet":7,"seq":7,"t"#, r#"{"packet":8,"seq":8,"t"#]
    );
}

#[test]
fn native_records_have_their_wire_price() {
    let mut header = native::Header::new_zeroed();
    header.magic = native::MAGIC;
    header.version = native::VERSION;
    header.frame = native::frame::DATA;
    header.header_length = 48.into();
    header.count = 2.into();
    header.record_length = 32.into();
    header.record_kind = native::record_kind::MARKET_DATA;
    header.arrangement = native::arrangement::RECORDS;
    header.sequence = 9.into();
    header.price_width = 8;
    header.price_decimals = 2;
    let mut record = MarketData {
        symbol: *b"EURUSD  ",
        price: (-1_05i64).into(),
        quantity: 3.into(),
        kind: 1,
        side: b'S',
        ..MarketData::default()
    };
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(record.as_bytes());
    record.price = i64::MIN.into();
    record.side = 0;
    bytes.extend(record.as_bytes());
    let (lines, _) = decoded(&bytes, true, Format::Json, u64::MAX);
    let line = |seq, price, side| {
        format!(
            r#"{{"packet":7,"seq":{seq},"type":"1","name":"add","symbol":"EURUSD","price":{price},"quantity":3,"side":{side},"flags":0,"timestamp":0}}"#
        )
    };
    let want = [line(9, "\"-1.05\"", "\"S\""), line(10, "null", "null")];
    assert_eq!(lines.lines().collect::<Vec<_>>(), want);
}

#[test]
fn integers_as_the_standard_library_has_them() {
    for n in [
        0,
        9,
        10,
        99,
        100,
        u64::from(u32::MAX),
        u64::MAX - 1,
        u64::MAX,
    ] {
        let mut to = Vec::new();
        number(n, &mut to);
        assert_eq!(to, n.to_string().as_bytes());
    }
}

#[test]
fn decimals_keep_their_zeros() {
    for (mantissa, decimals, want) in [
        (0, 4, "0.0000"),
        (1, 4, "0.0001"),
        (123_400, 4, "12.3400"),
        (-5, 1, "-0.5"),
        (7, 0, "7"),
        (10_000, 4, "1.0000"),
        (-9_999, 4, "-0.9999"),
        (i128::from(i64::MIN), 9, "-9223372036.854775808"),
        (1i128 << 64, 2, "184467440737095516.16"),
        (i128::from(u64::MAX), 8, "184467440737.09551615"),
    ] {
        let mut to = Vec::new();
        price(mantissa, decimals, &mut to);
        assert_eq!(String::from_utf8(to).unwrap(), want);
    }
}
