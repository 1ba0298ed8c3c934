//! Packets and messages that are not what their protocol says: each is counted by its cause, the rest goes on, and
//! `--strict` makes it fatal. The same counters in `stats`, `decode` and `run`.

use crate::support::*;
use feed_common::event::{Kind, MarketData};
use feed_common::prices::PriceLayout;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_common::wire::native::{BatchInfo, encode_records};

/// Where a count is found in the facts of `stats` and of a run.
const DROPPED: [&str; 2] = ["errors", "drops"];
const ODD: [&str; 2] = ["oddities", "oddities"];

/// Three packets, the one in the middle bad; `good` messages are in the others and in what is left of the bad one.
fn holds(protocol: &str, packets: [&[u8]; 3], good: u64, [stats, drops]: [&str; 2], cause: &str) {
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", pcap(packets.map(|payload| (GROUP, payload))));
    let config = scratch.file("feed.toml", configuration(protocol, GROUP, ""));
    let input = ["run", "-c", &config, "--input", &file];
    let fatal = stats == "errors";

    let facts = feed_handler(&["stats", &file, "--format", "json"]);
    assert_eq!(facts.is_quiet().json()[stats][cause], 1, "{facts:?}");
    assert_eq!(facts.json()["packets"], 3);
    let run = feed_handler(&[&input[..], &["--format", "json"]].concat());
    assert_eq!(run.json()[drops][cause], 1, "{run:?}");
    assert_eq!(
        (run.status, &run.json()["published"]),
        (0, &good.into()),
        "{run:?}"
    );
    let decode = feed_handler(&["decode", &file, "--format", "json"]);
    let lines = decode.out.lines().filter(|l| !l.contains("\"error\""));
    assert_eq!(
        (decode.status, lines.count() as u64),
        (0, good),
        "{decode:?}"
    );

    let strict = ["stats", &file, "--strict"];
    let decode_strict = ["decode", &file, "--strict"];
    let run_strict = [&input[..], &["--strict"]].concat();
    if fatal {
        assert!(decode.err.contains(cause), "{decode:?}");
        feed_handler(&strict).is(1, cause);
        feed_handler(&run_strict).is(1, cause);
        let ended = feed_handler(&decode_strict);
        ended.is(1, "packet 2");
        let mut numbers = ended.out.lines().map(|l| l.split_whitespace().next());
        assert!(
            numbers.all(|n| n < Some("3")),
            "it goes no further: {ended:?}"
        );
    } else {
        feed_handler(&strict).is_quiet();
        feed_handler(&decode_strict).is_quiet();
        feed_handler(&run_strict).is(0, "");
    }
}

fn batch(sequence: u64, count: usize) -> Vec<u8> {
    let info = BatchInfo {
        session: *b"0123456789",
        sequence,
        sent: UnixNanos::UNKNOWN,
    };
    let record = MarketData {
        symbol: *b"EURUSD  ",
        kind: Kind::ADD.0,
        side: b'B',
        ..MarketData::default()
    };
    let mut out = Vec::new();
    encode_records(
        &mut out,
        &info,
        &PriceLayout::CANONICAL,
        &vec![record; count],
    )
    .unwrap();
    out
}

fn native(cause: &str, spoil: impl FnOnce(&mut Vec<u8>)) {
    let mut bad = batch(3, 2);
    spoil(&mut bad);
    holds(
        "native",
        [&batch(1, 2), &bad, &batch(3, 2)],
        4,
        DROPPED,
        cause,
    );
}

#[test]
fn native_packets() {
    native("frame_short_header", |p| p.truncate(47));
    native("frame_short_header", Vec::clear);
    native("frame_overrun", |p| p.truncate(p.len() - 1));
    native("frame_foreign", |p| p[0] = b'X');
    native("frame_version", |p| p[4] = 2);
    native("frame_header", |p| p[5] = 9);
    native("frame_header", |p| p[6] = 47);
    native("frame_header", |p| p[20] = 31);
    native("frame_header", |p| p[41] = 10);
}

#[test]
fn native_counts_that_do_not_match() {
    native("frame_overrun", |p| p[18] = 3);
    native("frame_overrun", |p| (p[18], p[19]) = (0xff, 0xff));
    native("frame_header", |p| p[18] = 0);
    // A record left over is no header of another batch; less than a header is left over too.
    native("frame_trailing", |p| p[18] = 1);
}

#[test]
fn native_batches_of_an_unknown_kind() {
    // Two records are taken up, and neither can be read: the batch is one message to the pipeline, two to inspection.
    let scratch = Scratch::new();
    let mut other = batch(3, 2);
    other[22] = 77;
    let packets = [batch(1, 2), other, batch(5, 2)];
    let file = scratch.file("a.pcap", pcap(packets.iter().map(|p| (GROUP, &p[..]))));
    let facts = feed_handler(&["stats", &file, "--format", "json"])
        .is_quiet()
        .json();
    assert_eq!(
        (&facts["errors"]["message_unknown_type"], &facts["lost"]),
        (&2.into(), &0.into())
    );
    let config = scratch.file("feed.toml", configuration("native", GROUP, ""));
    let input = ["run", "-c", &config, "--input", &file, "--format", "json"];
    let run = feed_handler(&input).json();
    assert_eq!(
        (
            &run["drops"]["message_unknown_type"],
            &run["sequence"]["lost"]
        ),
        (&1.into(), &0.into())
    );
    feed_handler(&["decode", &file, "--strict"]).is(1, "packet 2, message 3: unknown message type");
}

fn mold(sequence: u64, messages: &[&[u8]]) -> Vec<u8> {
    let mut b = PacketBuilder::new(*b"S         ", sequence, 1400);
    assert!(messages.iter().all(|m| b.push(m)));
    b.payload().to_vec()
}

/// A message that decodes to one record.
const EVENT: &[u8] = b"S\0\0\0\0\0\0\0\0\0\0O";

fn itch_packet(cause: &str, spoil: impl FnOnce(&mut Vec<u8>)) {
    let mut bad = mold(3, &[EVENT, EVENT]);
    spoil(&mut bad);
    let (before, after) = (mold(1, &[EVENT, EVENT]), mold(3, &[EVENT, EVENT]));
    holds("itch50", [&before, &bad, &after], 4, DROPPED, cause);
}

#[test]
fn itch_packets() {
    itch_packet("frame_short_header", |p| p.truncate(19));
    itch_packet("frame_short_header", Vec::clear);
    itch_packet("frame_overrun", |p| p.truncate(p.len() - 1));
    itch_packet("frame_overrun", |p| p.truncate(21));
    itch_packet("frame_trailing", |p| p.push(0));
    // Other traffic on the group.
    itch_packet("frame_short_header", |p| *p = b"hello".to_vec());
    itch_packet("frame_overrun", |p| {
        *p = b"GET /quotes HTTP/1.1 and so on\r\n\r\n".to_vec()
    });
}

#[test]
fn itch_counts_that_do_not_match() {
    itch_packet("frame_overrun", |p| p[19] = 3);
    itch_packet("frame_overrun", |p| (p[18], p[19]) = (0xff, 0xfe));
    itch_packet("frame_trailing", |p| p[19] = 1);
    // No messages by its count: a heartbeat with something behind it.
    itch_packet("frame_trailing", |p| p[19] = 0);
}

#[test]
fn itch_messages() {
    let long = [EVENT, b"\x01\x02"].concat();
    for (message, good, place, cause) in [
        (&EVENT[..11], 5, DROPPED, "message_short"),
        (b"S", 5, DROPPED, "message_short"),
        (b"z0123456789", 5, DROPPED, "message_unknown_type"),
        (b"\xff", 5, DROPPED, "message_unknown_type"),
        (b"", 5, DROPPED, "message_empty"),
        (&long, 6, ODD, "message_long"),
    ] {
        let (before, after) = (mold(1, &[EVENT, EVENT]), mold(5, &[EVENT, EVENT]));
        let bad = mold(3, &[message, EVENT]);
        holds("itch50", [&before, &bad, &after], good, place, cause);
    }
}

#[test]
fn what_is_behind_a_message_is_shown() {
    let scratch = Scratch::new();
    let long = [EVENT, b"\x01\x02"].concat();
    let file = scratch.file("a.pcap", pcap([(GROUP, &mold(1, &[&long])[..])]));
    let line = feed_handler(&["decode", &file, "--format", "json"])
        .is_quiet()
        .json();
    assert_eq!(
        (&line["event_code"], &line["excess"]),
        (&"O".into(), &"0102".into())
    );
}

#[test]
fn huge_sequence_numbers_are_gaps_and_no_loops() {
    let scratch = Scratch::new();
    let last = mold(u64::MAX - 1, &[EVENT]);
    let file = scratch.file(
        "a.pcap",
        pcap([(GROUP, &mold(1, &[EVENT])[..]), (GROUP, &last)]),
    );
    let facts = feed_handler(&["stats", &file, "--format", "json"])
        .is_quiet()
        .json();
    assert_eq!(
        (&facts["gaps"], &facts["lost"]),
        (&1.into(), &(u64::MAX - 3).into())
    );
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    let run = feed_handler(&["run", "-c", &config, "--input", &file, "--format", "json"]).json();
    assert_eq!(run["sequence"]["lost"], u64::MAX - 3);
}
