use super::*;
use crate::inspect::{decode, dissector};
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::{Header, PacketBuilder};
use feed_common::wire::{ProtocolName, native};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use zerocopy::{FromZeros, IntoBytes};

const DELETE: [u8; 19] = [b'D'; 19];

/// A packet of `count` delete messages.
fn packet(session: &[u8; 10], sequence: u64, count: usize) -> Vec<u8> {
    let mut b = PacketBuilder::new(*session, sequence, 1400);
    assert!((0..count).all(|_| b.push(&DELETE)));
    b.payload().to_vec()
}

const A: &[u8; 10] = b"AAAAAAAAAA";
const B: &[u8; 10] = b"BBBBBBBBBB";

/// Counts packets given with the port they were sent to.
fn count(packets: &[(u16, Vec<u8>)], lines: &Lines) -> Stats {
    let datagrams: Vec<_> = (1..)
        .zip(packets)
        .map(|(number, (port, payload))| Datagram {
            number,
            time: UnixNanos::UNKNOWN,
            dst: Some(at(*port)),
            src: None,
            payload,
        })
        .collect();
    stats(|| &datagrams[..], None, lines).unwrap().0
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([239, 0, 0, 1], port))
}

fn summary(s: &Stats) -> [u64; 6] {
    [
        s.packets,
        s.messages,
        s.gaps,
        s.lost,
        s.duplicates,
        s.channels,
    ]
}

#[test]
fn a_stream_with_holes_late_packets_and_repeats() {
    let packets = [
        (1, packet(A, 10, 2)),
        (1, packet(A, 20, 2)), // 12..20 missing
        (1, packet(A, 14, 2)), // late: two holes now
        (1, packet(A, 20, 2)), // nothing new
        (1, packet(A, 19, 4)), // 19 and 22 are new
        (1, packet(A, 30, 0)), // 23..30 missing
    ];
    let s = count(&packets, &Lines::Found);
    // Missing: 12-13, 16-18, 23-29.
    assert_eq!(summary(&s), [6, 8, 3, 12, 1, 1]);
    assert_eq!(s.heartbeats, 1);
    assert_eq!(s.by_type, BTreeMap::from([("D".into(), 8)]));
    assert!(s.errors.is_empty());
}

#[test]
fn lines_are_found_by_their_bytes() {
    let mut packets = vec![(1, packet(A, 1, 1)), (2, packet(A, 1, 1))];
    let s = count(&packets, &Lines::Found);
    assert_eq!(
        summary(&s),
        [2, 2, 0, 0, 0, 2],
        "one equal packet is not enough"
    );

    packets.extend([
        (1, packet(A, 2, 3)),
        (2, packet(A, 2, 3)),
        (2, packet(A, 5, 1)),
    ]);
    let s = count(&packets, &Lines::Found);
    assert_eq!(summary(&s), [5, 5, 0, 0, 2, 1]);
    let s = count(&packets, &Lines::Separate);
    assert_eq!(summary(&s), [5, 9, 0, 0, 0, 2]);

    // Packed differently, message 5 comes twice; it is equal but its packet is not.
    packets.push((1, packet(A, 5, 2)));
    let s = count(&packets, &Lines::Found);
    assert_eq!(s.channels, 2, "a packet that differs parts them");
    let s = count(&packets, &Lines::Given(vec![vec![at(1), at(2)]]));
    assert_eq!(summary(&s), [6, 6, 0, 0, 2, 1]);
}

#[test]
fn other_sessions_and_protocols_are_no_lines() {
    let packets = [
        (1, packet(A, 1, 1)),
        (1, packet(A, 2, 1)),
        (2, packet(B, 1, 1)),
        (2, packet(B, 2, 1)),
    ];
    let s = count(&packets, &Lines::Found);
    assert_eq!(summary(&s), [4, 4, 0, 0, 0, 2]);
    assert_eq!(s.restarts, 0);
}

#[test]
fn two_channels_of_two_lines_that_share_session_and_numbers() {
    let other = |n| {
        let mut b = PacketBuilder::new(*A, n, 1400);
        assert!(b.push(&[b'X'; 23]));
        b.payload().to_vec()
    };
    let mut packets = Vec::new();
    for n in 1..=3 {
        packets.extend([(1, packet(A, n, 1)), (2, packet(A, n, 1))]);
        packets.extend([(3, other(n)), (4, other(n))]);
    }
    let s = count(&packets, &Lines::Found);
    assert_eq!(summary(&s), [12, 6, 0, 0, 6, 2]);
    let types = [("D", 3), ("X", 3)].map(|(t, n)| (t.to_owned(), n));
    assert_eq!(s.by_type, BTreeMap::from(types));
}

#[test]
fn each_line_may_lose_what_the_other_brings() {
    let mut packets = Vec::new();
    for n in 1..=20 {
        for line in [1, 2] {
            if n % 5 != u64::from(line) && n != 13 {
                packets.push((line, packet(A, n, 1)));
            }
        }
    }
    let s = count(&packets, &Lines::Found);
    assert_eq!((s.messages, s.gaps, s.lost, s.channels), (19, 1, 1, 1));
    assert_eq!(s.packets, s.messages + s.duplicates);
}

#[test]
fn a_new_session_is_a_restart_and_no_gap() {
    let packets = [
        (1, packet(A, 1000, 2)),
        (1, packet(B, 1, 2)),
        (1, packet(A, 1002, 1)), // the other line was behind
        (1, packet(B, 3, 1)),
    ];
    let s = count(&packets, &Lines::Found);
    assert_eq!(summary(&s), [4, 6, 0, 0, 0, 1]);
    assert_eq!(s.restarts, 1);
}

#[test]
fn packets_without_numbers_are_taken_as_they_come() {
    let packets = [(1, packet(&[0; 10], 0, 1)), (1, packet(&[0; 10], 0, 1))];
    let s = count(&packets, &Lines::Found);
    assert_eq!(summary(&s), [2, 2, 0, 0, 0, 1]);
    assert_eq!(s.unsequenced, 2);
}

#[test]
fn what_is_malformed_is_named_and_the_rest_counted() {
    let mut b = PacketBuilder::new(*A, 1, 1400);
    for m in [&DELETE[..], b"", b"Z", b"\x01", &DELETE[..18]] {
        assert!(b.push(m));
    }
    let mut trailing = packet(A, 6, 1);
    trailing.push(0);
    let packets = [
        (1, packet(A, 1, 0)),
        (1, packet(A, 0, 1)),
        (1, b.payload().to_vec()),
        (1, trailing),
    ];
    let s = count(&packets, &Lines::Found);
    assert_eq!(summary(&s), [4, 6, 0, 0, 0, 1]);
    let types = [("0x01", 1), ("D", 3), ("Z", 1)].map(|(t, n)| (t.to_owned(), n));
    assert_eq!(s.by_type, BTreeMap::from(types));
    assert_eq!(
        s.errors,
        BTreeMap::from([
            ("frame_trailing", 1),
            ("message_empty", 1),
            ("message_short", 1),
            ("message_unknown_type", 2),
        ])
    );
}

/// A native batch of an add and a delete.
fn native_batch(sequence: u64) -> Vec<u8> {
    let mut header = native::Header::new_zeroed();
    header.magic = native::MAGIC;
    header.version = native::VERSION;
    header.frame = native::frame::DATA;
    header.header_length = 48.into();
    header.count = 2.into();
    header.record_length = 32.into();
    header.record_kind = native::record_kind::MARKET_DATA;
    header.arrangement = native::arrangement::RECORDS;
    header.sequence = sequence.into();
    header.price_width = 8;
    let mut bytes = header.as_bytes().to_vec();
    for kind in [1, 3] {
        let mut record = [0; 32];
        record[20] = kind;
        bytes.extend(record);
    }
    bytes
}

#[test]
fn native_batches_in_one_datagram() {
    let both = [native_batch(1), native_batch(3)].concat();
    let s = count(&[(1, both), (1, native_batch(3))], &Lines::Found);
    assert_eq!(summary(&s), [2, 4, 0, 0, 1, 1]);
    let types = [("1", 2), ("3", 2)].map(|(t, n)| (t.to_owned(), n));
    assert_eq!(s.by_type, BTreeMap::from(types));
}

#[test]
fn a_binary_file_has_messages_and_no_packets() {
    let chunk = [&[0, 19][..], &DELETE].concat().repeat(3);
    let datagrams = [1, 4].map(|number| Datagram {
        number,
        time: UnixNanos::UNKNOWN,
        dst: None,
        src: None,
        payload: &chunk,
    });
    let (s, _) = stats(|| &datagrams[..], None, &Lines::Found).unwrap();
    assert_eq!(summary(&s), [0, 6, 0, 0, 0, 1]);
}

#[test]
fn the_shape_programs_rely_on() {
    let s = count(&[(1, packet(A, 1, 2))], &Lines::Found);
    let json = serde_json::to_string(&s).unwrap();
    let want = r#"{"packets":1,"messages":2,"by_type":{"D":2},"gaps":0,"lost":0,"duplicates":0,"#;
    assert!(json.starts_with(want), "{json}");
}

#[test]
fn hostile_numbers_do_not_overflow() {
    let mut packets = vec![(1, packet(A, 0, 1)), (1, packet(B, 0, 1))];
    for session in [A, B] {
        let header = Header {
            session: *session,
            sequence: u64::MAX.into(),
            message_count: 0.into(),
        };
        packets.push((1, header.as_bytes().to_vec()));
    }
    let s = count(&packets, &Lines::Found);
    assert_eq!((s.gaps, s.lost), (2, u64::MAX));
}

/// Packets `(line, first, count)` of two lines, each losing, repeating and reordering as it likes.
fn traffic() -> impl Strategy<Value = Vec<(u16, u64, usize)>> {
    prop::collection::vec((1u16..3, 1u64..80, 0usize..6), 1..60)
}

proptest! {
    #[test]
    fn counts_agree_with_a_set_of_numbers(traffic in traffic()) {
        let packets: Vec<_> = traffic
            .iter()
            .map(|&(line, first, count)| (line, packet(A, first, count)))
            .chain([(1, packet(B, 1, 1))]) // one data packet at least, or the protocol is not known
            .collect();
        let s = count(&packets, &Lines::Given(vec![vec![at(1), at(2)]]));

        let (mut seen, mut duplicates, mut end) = (BTreeSet::new(), 0, 0);
        for &(_, first, count) in &traffic {
            let span = first..first + count as u64;
            end = end.max(span.end);
            let new = span.clone().filter(|&n| seen.insert(n)).count();
            duplicates += u64::from(count > 0 && new == 0);
        }
        let start = traffic[0].1;
        let lost: Vec<u64> = (start..end).filter(|n| !seen.contains(n)).collect();
        let gaps = lost.iter().filter(|&&n| n == start || seen.contains(&(n - 1))).count();
        prop_assert_eq!(s.packets, packets.len() as u64);
        prop_assert_eq!(s.messages, seen.len() as u64 + 1);
        prop_assert_eq!(s.by_type.values().sum::<u64>(), s.messages);
        prop_assert_eq!((s.gaps, s.lost), (gaps as u64, lost.len() as u64));
        prop_assert_eq!((s.duplicates, s.restarts), (duplicates, 1));
    }

    #[test]
    fn a_plain_loop_counts_what_a_visitor_sees(
        messages in prop::collection::vec((any::<u8>(), 0usize..60, 0usize..3), 0..20),
    ) {
        let mut b = PacketBuilder::new(*A, 1, 1400);
        for (byte, len, like) in messages {
            let message = [DELETE.to_vec(), vec![byte; len], vec![b'D'; len]];
            prop_assert!(b.push(&message[like]));
        }
        let protocol = dissector(ProtocolName::Itch50);
        let frame = protocol.open(b.payload(), 1).unwrap();
        let (mut fast, mut slow) = (Tally::default(), Tally::default());
        protocol.tally(&frame, &mut fast);
        let whole = frame.span.first..frame.span.end();
        tally_parts(protocol, &frame, std::slice::from_ref(&whole), &mut slow);
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn opening_and_counting_at_once_is_opening_and_then_counting_or_nothing(
        kinds in prop::collection::vec(0usize..8, 0..9),
        first in prop_oneof![Just(0u64), Just(1), Just(7), Just(u64::MAX - 3)],
        session in prop::sample::select(vec![A, B]),
        cut in prop_oneof![8 => Just(0usize), 1 => 1usize..30],
        more in prop_oneof![8 => Just(0usize), 1 => 1usize..30],
    ) {
        let mut b = PacketBuilder::new(*session, first, 1400);
        for kind in &kinds {
            // One in eight is longer than its type.
            prop_assert!(b.push(&[b'D'; 20][..19 + usize::from(*kind == 0)]));
        }
        let mut bytes = b.payload().to_vec();
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        bytes.resize(bytes.len() + more, 0);
        let protocol = dissector(ProtocolName::Itch50);
        let (mut once, mut twice) = (Tally::default(), Tally::default());
        let counted = protocol.tally_next(&bytes, A, 7, &mut once);
        let all_good = kinds.iter().all(|&kind| kind > 0) && !kinds.is_empty();
        let expected = match protocol.open(&bytes, 1) {
            Ok(frame) if all_good && first == 7 && session == A => {
                protocol.tally(&frame, &mut twice);
                Some(frame.span.count)
            }
            _ => None,
        };
        prop_assert_eq!(counted, expected);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn what_is_told_on_the_way_is_what_a_reading_before_tells(
        traffic in prop::collection::vec((1u16..5, 0u8..5, 1u64..12, 1usize..3), 1..60),
        late in prop::bool::weighted(0.1),
    ) {
        // What comes late comes after the look at the beginning.
        let before = if late { 5_000 } else { 1 };
        let mut packets = vec![(9, packet(B, 1, 1)); before];
        packets.extend(traffic.into_iter().map(|(port, kind, first, count)| match kind {
            0 => (port, packet(A, first, 0)),
            1 => (port, b"noise".to_vec()),
            _ => (port, packet(A, first, count)),
        }));
        let datagrams: Vec<_> = packets
            .iter()
            .map(|(port, payload)| Datagram {
                number: 1,
                time: UnixNanos::UNKNOWN,
                dst: Some(at(*port)),
                src: None,
                payload,
            })
            .collect();
        for lines in [Lines::Found, Lines::Separate, Lines::Given(vec![vec![at(1), at(2)]])] {
            let streams = Streams::detect(&datagrams[..]).unwrap();
            let channels = Channels::new(&datagrams[..], &streams, &lines);
            let (count, unrecognised) = (channels.count(), streams.unrecognised());
            let mut routes = Routes::certain(streams, channels);
            let (counter, _) = Counter::count(&datagrams[..], &mut routes);
            let mut want = counter.finish(routes.protocols());
            (want.channels, want.unrecognised_streams) = (count as u64, unrecognised as u64);
            let (got, _) = stats(|| &datagrams[..], None, &lines).unwrap();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn random_bytes_never_panic(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..150), 1..10),
        heads in prop::collection::vec(0usize..4, 10),
    ) {
        // Some begin like the real thing, so that more than the first check sees them.
        let like: [Vec<u8>; 3] = [packet(A, 1, 2), native_batch(1), b"AAAAAAAAAA\0\0\0\0\0\0\0\x01\0\x01\0".to_vec()];
        let payloads: Vec<Vec<u8>> = payloads
            .into_iter()
            .zip(heads)
            .map(|(noise, head)| match like.get(head) {
                Some(like) => {
                    let keep = usize::from(*noise.first().unwrap_or(&0)) % (like.len() + 1);
                    [&like[..keep], &noise].concat()
                }
                None => noise,
            })
            .collect();
        for dst in [Some(at(1)), None] {
            let datagrams = (1..).zip(&payloads).map(|(number, payload)| Datagram {
                number,
                time: UnixNanos::UNKNOWN,
                dst,
                src: None,
                payload,
            });
            let given: Vec<_> = ProtocolName::ALL.iter().map(|&p| Streams::given(dissector(p))).collect();
            let datagrams: Vec<_> = datagrams.collect();
            let found = Streams::detect(&datagrams[..]).ok();
            for streams in given.iter().chain(&found) {
                let counted = stats(|| &datagrams[..], Some(streams), &Lines::Found);
                let (s, _) = counted.unwrap();
                for format in [decode::Format::Json, decode::Format::Text] {
                    let mut out = Vec::new();
                    let options = decode::Options { format, limit: u64::MAX, strict: false };
                    let printed = decode::decode(&datagrams[..], streams, options, &mut out).unwrap();
                    prop_assert!(printed.messages >= s.messages);
                    let lines = out.split(|&b| b == b'\n').filter(|l| !l.is_empty());
                    prop_assert_eq!(lines.clone().count() as u64, printed.messages);
                    for line in lines.filter(|_| format == decode::Format::Json) {
                        prop_assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok());
                    }
                }
            }
        }
    }
}
