//! `book`, `bbo` and `trades`: against a naive reading of the same bytes, and on what a session should not have.

use crate::naive::Naive;
use crate::support::*;
use feed_common::capture::BinaryFileWriter;
use feed_common::event::{Flags, Kind, MarketData};
use feed_common::prices::PriceLayout;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_common::wire::native::{BatchInfo, encode_records};
use feed_replay::output::BinaryFileSink;
use feed_replay::synth::{Protocol, Recording, Spec, generate_messages};

const OTHER: &str = "239.192.50.2:26477";

/// What a command prints as CSV.
#[track_caller]
fn csv(command: &str, file: &str, more: &[&str]) -> Ended {
    feed_handler(&[&[command, file, "--format", "csv"], more].concat())
}

/// Holds what was printed, without a word on standard error, against what should be; says the first line that differs.
#[track_caller]
fn same(ended: &Ended, want: &str) {
    let lines = ended.out.lines().zip(want.lines());
    if let Some((got, want)) = lines.into_iter().find(|(got, want)| got != want) {
        panic!("{got}\ninstead of\n{want}");
    }
    assert_eq!(ended.out.len(), want.len(), "{}", ended.err);
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
}

fn made(messages: u64, seed: u64) -> (Spec, Recording) {
    let spec = Spec::new(Protocol::Itch50, messages, seed);
    let (session, _) = Recording::of(&spec).unwrap();
    (spec, session)
}

#[test]
fn made_sessions_give_what_a_naive_reading_gives() {
    let scratch = Scratch::new();
    for seed in 1..=4 {
        let (spec, session) = made(20_000, seed);
        let mut naive = Naive::default();
        naive.midnight = spec.midnight().0;
        naive.packets(session.packets().map(|p| p.payload));
        assert!(naive.book().lines().count() > 100 && naive.bbo().lines().count() > 1_000);
        let packets = session.packets().map(|p| (GROUP, p.payload));
        let file = scratch.file("a.pcap", pcap(packets));
        let date = ["--date", &spec.date.to_string()];
        same(&csv("book", &file, &[]), &naive.book());
        same(&csv("trades", &file, &[]), &naive.trades());
        same(&csv("bbo", &file, &date), &naive.bbo());
    }
}

#[test]
fn a_binaryfile_gives_the_same_and_says_that_it_has_no_date() {
    let scratch = Scratch::new();
    let (spec, session) = made(5_000, 9);
    let mut sink = BinaryFileSink(BinaryFileWriter::new(Vec::new()));
    generate_messages(&spec, &mut sink).unwrap();
    let file = scratch.file("a.itch", sink.0.finish().unwrap());
    let mut naive = Naive::default();
    naive.packets(session.packets().map(|p| p.payload));
    same(&csv("book", &file, &[]), &naive.book());
    same(&csv("trades", &file, &[]), &naive.trades());
    let bbo = csv("bbo", &file, &[]);
    bbo.is(0, "since midnight");
    assert_eq!(bbo.out, naive.bbo());
}

#[test]
fn lossy_lines_out_of_order_are_one_channel() {
    let scratch = Scratch::new();
    let (_, session) = made(5_000, 3);
    let mut naive = Naive::default();
    naive.packets(session.packets().map(|p| p.payload));
    let packets: Vec<_> = session.packets().map(|p| p.payload).collect();
    // Line A lacks every seventh packet; line B, which has those, comes as a whole afterwards.
    let a = packets.iter().enumerate().filter(|(i, _)| i % 7 != 3);
    let b = packets.iter().enumerate().filter(|(i, _)| i % 7 != 5);
    let lines = a
        .map(|(_, p)| (GROUP, *p))
        .chain(b.map(|(_, p)| (OTHER, *p)));
    let file = scratch.file("a.pcap", pcap(lines));
    same(&csv("book", &file, &[]), &naive.book());

    // Without line B, what is missing is told, and so is what follows from it.
    let a = packets.iter().enumerate().filter(|(i, _)| i % 7 != 3);
    let file = scratch.file("b.pcap", pcap(a.map(|(_, p)| (GROUP, *p))));
    let ended = csv("book", &file, &[]);
    ended.is(0, "messages missing in");
    ended.is(0, "faults: unknown_order ");
    csv("book", &file, &["--strict"]).is(1, "faults: unknown_order ");
}

fn message(kind: u8, locate: u16, fields: &[&[u8]]) -> Vec<u8> {
    let head = [
        &[kind],
        &locate.to_be_bytes()[..],
        &[0; 2],
        &[0, 0, 0, 0, 0, 9],
    ]
    .concat();
    [&[&head[..]], fields].concat().concat()
}

fn add(locate: u16, id: u64, side: u8, shares: u32, symbol: &str, price: u32) -> Vec<u8> {
    message(
        b'A',
        locate,
        &[
            &id.to_be_bytes(),
            &[side],
            &shares.to_be_bytes(),
            format!("{symbol:<8}").as_bytes(),
            &price.to_be_bytes(),
        ],
    )
}

fn execute(locate: u16, id: u64, shares: u32, match_id: u64) -> Vec<u8> {
    let fields: [&[u8]; 3] = [
        &id.to_be_bytes(),
        &shares.to_be_bytes(),
        &match_id.to_be_bytes(),
    ];
    message(b'E', locate, &fields)
}

fn execute_at(printable: u8, id: u64, shares: u32, match_id: u64, price: u32) -> Vec<u8> {
    let mut m = execute(1, id, shares, match_id);
    m[0] = b'C';
    m.push(printable);
    m.extend(price.to_be_bytes());
    m
}

fn cross(shares: u64, symbol: &str, price: u32, match_id: u64) -> Vec<u8> {
    message(
        b'Q',
        1,
        &[
            &shares.to_be_bytes(),
            format!("{symbol:<8}").as_bytes(),
            &price.to_be_bytes(),
            &match_id.to_be_bytes(),
            b"O",
        ],
    )
}

fn broken(match_id: u64) -> Vec<u8> {
    message(b'B', 1, &[&match_id.to_be_bytes()])
}

fn mold(session: &[u8; 10], sequence: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut b = PacketBuilder::new(*session, sequence, 1400);
    assert!(messages.iter().all(|m| b.push(m)));
    b.payload().to_vec()
}

const FIRST: &[u8; 10] = b"S000000001";
const SECOND: &[u8; 10] = b"S000000002";

#[test]
fn prints_and_what_is_none() {
    let scratch = Scratch::new();
    let packet = mold(
        FIRST,
        1,
        &[
            add(1, 1, b'B', 500, "ABC", 10_0000),
            execute(1, 1, 100, 1),
            execute_at(b'N', 1, 50, 2, 11_0000),
            execute_at(b'Y', 1, 50, 3, 10_5000),
            cross(0, "ABC", 99_0000, 4),
            cross(1 << 40, "ABC", 10_2500, 5),
            broken(3),
            broken(3),  // again: there is nothing left to break
            broken(77), // never printed
            execute(1, 99, 7, 6),
        ],
    );
    let file = scratch.file("a.pcap", pcap([(GROUP, &packet[..])]));
    let trades = csv("trades", &file, &[]);
    trades.is(0, "faults: unknown_order 1, unknown_trade 2");
    let volume = 100 + (1u64 << 40) + 7;
    // The order that traded last is not known, so the last known price is the cross's.
    let want = format!("symbol,count,volume,last_price\nABC,3,{volume},10.25\n");
    assert_eq!(trades.out, want);
    let json = feed_handler(&["trades", &file, "--format", "json"]).json();
    assert_eq!(json["trades"][0]["volume"], volume);
    assert_eq!(json["faults"]["unknown_trade"], 2);
    csv("trades", &file, &["--strict"]).is(1, "unknown_trade 2");
    let book = csv("book", &file, &[]);
    book.is(0, "faults: unknown_order 1");
    assert_eq!(book.out.lines().last(), Some("ABC,B,1,10,300,1"));
}

#[test]
fn rows_are_sorted_and_chosen() {
    let scratch = Scratch::new();
    let one = mold(
        FIRST,
        1,
        &[
            add(1, 1, b'S', 100, "B", 30_0000),
            add(2, 2, b'B', 200, "AB", 20_0000),
            add(2, 3, b'B', 300, "AB", 20_0100),
            add(2, 4, b'B', 400, "AB", 20_0100),
            add(3, 5, b'S', 500, "A", 1),
        ],
    );
    let two = mold(SECOND, 1, &[add(7, 1, b'B', 700, "AB", 21_0000)]);
    let packets = [(GROUP, &one[..]), (OTHER, &two[..])];
    let file = scratch.file("a.pcap", pcap(packets));
    let rows = |more: &[&str]| {
        let out = csv("book", &file, more).is_quiet().out.clone();
        out.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let all = [
        "A,S,1,0.0001,500,1",
        "AB,B,1,20.01,700,2",
        "AB,B,2,20,200,1",
        "AB,B,1,21,700,1",
        "B,S,1,30,100,1",
    ];
    assert_eq!(rows(&[]), all);
    assert_eq!(rows(&["--symbol", "A?"]), all[1..4]);
    assert_eq!(rows(&["--symbol", "B", "--symbol", "A"]), [all[0], all[4]]);
    assert_eq!(
        rows(&["--symbol", "A*", "--depth", "1"]),
        [all[0], all[1], all[3]]
    );
    assert_eq!(rows(&["--depth", "0"]), [""; 0]);
    assert_eq!(rows(&["--symbol", "C*"]), [""; 0]);
    let queue = ["--queue", "--symbol", "AB", "--lines", "separate"];
    assert_eq!(
        rows(&queue),
        [
            "AB,B,1,20.01,700,2,1,3,300",
            "AB,B,1,20.01,700,2,2,4,400",
            "AB,B,2,20,200,1,1,2,200",
            "AB,B,1,21,700,1,1,1,700",
        ]
    );
    let json = feed_handler(&["book", &file, "--format", "json", "--queue"]).json();
    let level = &json["levels"][1];
    assert_eq!(
        (&level["price"], &level["orders"]),
        (&"20.01".into(), &2.into())
    );
    assert_eq!(level["queue"][1]["order_id"], 4);
    assert_eq!(json["faults"]["unknown_order"], 0);
    let table = feed_handler(&["book", &file, "--symbol", "B"])
        .is_quiet()
        .out
        .clone();
    assert_eq!(table.lines().count(), 2);
    let bbo = csv("bbo", &file, &["--symbol", "AB"]);
    assert_eq!(bbo.is_quiet().out.lines().count(), 1 + 4);
}

#[test]
fn a_new_session_empties_the_books() {
    let scratch = Scratch::new();
    let one = mold(FIRST, 1, &[add(1, 1, b'S', 100, "B", 30_0000)]);
    let two = mold(
        SECOND,
        1,
        &[
            add(1, 1, b'B', 200, "A", 20_0000),
            execute(1, 1, 10, 1),
            broken(1),
        ],
    );
    let file = scratch.file("a.pcap", pcap([(GROUP, &one[..]), (GROUP, &two[..])]));
    let book = csv("book", &file, &[]);
    assert_eq!(book.is_quiet().out.lines().last(), Some("A,B,1,20,190,1"));
    assert_eq!(book.out.lines().count(), 2);
    let bbo = csv("bbo", &file, &["--date", "1970-01-01"])
        .is_quiet()
        .out
        .clone();
    let rows: Vec<_> = bbo.lines().skip(1).collect();
    let five_hours = 5 * 3_600_000_000_000u64 + 9;
    assert_eq!(
        rows,
        [
            &format!("B,1,{five_hours},,,30,100"),
            "B,1,,,,,",
            &format!("A,1,{five_hours},20,200,,"),
            &format!("A,2,{five_hours},20,190,,"),
        ]
    );
    let trades = csv("trades", &file, &[]).is_quiet().out.clone();
    assert_eq!(trades.lines().last(), Some("A,0,0,20"));
}

fn native(records: &[(Kind, u8, i64, u32, Flags)]) -> Vec<u8> {
    let info = BatchInfo {
        session: *b"0123456789",
        sequence: 1,
        sent: UnixNanos::UNKNOWN,
    };
    let records: Vec<_> = records
        .iter()
        .map(|&(kind, side, price, quantity, flags)| MarketData {
            symbol: *b"EURUSD  ",
            kind: kind.0,
            side,
            price: price.into(),
            quantity: quantity.into(),
            flags: flags.0.into(),
            timestamp: 5.into(),
        })
        .collect();
    let mut out = Vec::new();
    encode_records(&mut out, &info, &PriceLayout::CANONICAL, &records).unwrap();
    out
}

#[test]
fn native_records_make_books_of_what_they_say() {
    let scratch = Scratch::new();
    let end = Flags::END_OF_EVENT;
    let quotes = native(&[
        (Kind::BID, b'B', 1_100_000_000, 10, Flags::NONE),
        (Kind::OFFER, b'S', 1_200_000_000, 20, end),
        (Kind::TRADE, 0, 1_200_000_000, 5, end),
        (
            Kind::TRADE,
            0,
            1_300_000_000,
            5,
            end.with(Flags::NON_PRINTABLE),
        ),
        (Kind::BID, b'B', 1_150_000_000, 10, Flags::NONE),
        (Kind::BID, b'B', 1_100_000_000, 10, end),
        (Kind::OFFER, b'S', i64::MIN, 0, Flags::NONE),
    ]);
    let file = scratch.file("a.pcap", pcap([(GROUP, &quotes[..])]));
    let book = csv("book", &file, &[]).is_quiet().out.clone();
    assert_eq!(
        book.lines().skip(1).collect::<Vec<_>>(),
        ["EURUSD,B,1,1.1,10,"]
    );
    // What an event changes back is no row, and the end of the file is the end of the last event.
    let bbo = csv("bbo", &file, &[]).is_quiet().out.clone();
    assert_eq!(
        bbo.lines().skip(1).collect::<Vec<_>>(),
        ["EURUSD,2,5,1.1,10,1.2,20", "EURUSD,7,5,1.1,10,,"]
    );
    let trades = csv("trades", &file, &[]).is_quiet().out.clone();
    assert_eq!(trades.lines().last(), Some("EURUSD,1,5,1.2"));

    let orders = native(&[(Kind::ADD, b'B', 1, 1, end)]);
    let file = scratch.file("b.pcap", pcap([(GROUP, &orders[..])]));
    csv("book", &file, &[]).is(0, "orders_without_number 1");
}

#[test]
fn input_that_is_not_as_it_should_be() {
    let scratch = Scratch::new();
    let whole = session(2_000);
    let cut = scratch.file("cut.pcap", &whole[..whole.len() - 7]);
    let nothing = scratch.file("nothing.pcap", &whole[..24]);
    let itch = scratch.file("itch.pcap", &whole);
    let noise = scratch.file("noise.pcap", pcap([(GROUP, &b"noise"[..])]));
    let text = scratch.file("text", "no capture\n");
    let short = mold(FIRST, 1, &[b"A".to_vec(), add(1, 1, b'B', 1, "A", 1)]);
    let short = scratch.file("short.pcap", pcap([(GROUP, &short[..])]));
    for command in ["book", "bbo", "trades"] {
        csv(command, &cut, &[]).is(0, "cut short");
        csv(command, &cut, &["--strict"]).is(1, "cut short");
        let empty = csv(command, &nothing, &[]);
        assert_eq!(empty.is_quiet().out.lines().count(), 1, "the header alone");
        let foreign = csv(command, &itch, &["--protocol", "native"]);
        assert_eq!(foreign.is(2, "no packet of native in it").out, "");
        csv(command, &noise, &[]).is(2, "no stream of a known protocol");
        csv(command, &text, &[]).is(2, "text");
        csv(command, &short, &["--protocol", "itch50"]).is(0, "malformed: message_short 1");
        csv(command, &short, &["--protocol", "itch50", "--strict"]).is(1, "message_short 1");
        csv(command, &itch, &["--symbol", ""]).is(2, "--symbol");
        csv(command, &itch, &["--lines", "239.9.9.9:9"]).is(2, "has nothing for");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", session(100_000));
    let mut child = std::process::Command::new(PROGRAM)
        .args(["bbo", &file, "--format", "csv"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(wait(&mut child), 0);
}
