//! Made sessions, checked by a reader that knows only the specifications: MoldUDP64, ITCH 5.0 and what an order is.

#[path = "session/market.rs"]
mod market;
#[path = "session/reader.rs"]
mod reader;

use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::time::UnixNanos;
use feed_common::wire::itch50::Message;
use feed_common::wire::moldudp64;
use feed_replay::output::PcapSink;
use feed_replay::synth::{Bursts, GenerateError, Layout, Mix, Protocol, Spec, generate};
use reader::Reader;
use std::net::SocketAddrV4;

type Packets = Vec<(UnixNanos, Vec<u8>)>;

fn make(spec: &Spec) -> (Packets, feed_replay::synth::Summary) {
    let mut packets = Vec::new();
    let summary = generate(spec, &mut |time, payload: &[u8]| {
        packets.push((time, payload.to_vec()));
        Ok(())
    });
    (packets, summary.unwrap())
}

fn itch(messages: u64, seed: u64) -> Spec {
    Spec::new(Protocol::Itch50, messages, seed)
}

/// The messages of packets, read and found right.
fn read(packets: &Packets) -> Reader {
    let mut reader = Reader::default();
    for (_, payload) in packets {
        let (_, blocks) = moldudp64::parse(payload).unwrap();
        blocks.for_each(|m| reader.message(m));
    }
    reader.finish();
    reader
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let (a, b, c) = (
        make(&itch(20_000, 7)).0,
        make(&itch(20_000, 7)).0,
        make(&itch(20_000, 8)).0,
    );
    assert!(a == b && a != c);
    // A change of the generator changes every session that anybody has kept: it must be meant.
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for (time, payload) in &a {
        for byte in time.0.to_be_bytes().iter().chain(payload) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    assert_eq!(
        hash, 17_235_319_194_801_159_836,
        "FNV-1a of the packets of seed 7"
    );
}

#[test]
fn a_session_is_consistent() {
    for (messages, seed, rate) in [
        (120_000, 1, 100_000),
        (40_000, 2, 2_000_000),
        (40_000, 3, 3_000),
    ] {
        let spec = Spec {
            rate,
            ..itch(messages, seed)
        };
        let midnight = spec.midnight();
        let (packets, summary) = make(&spec);
        let mut reader = Reader::default();
        let (mut expected, mut last_packet, mut last_message) = (1, UnixNanos(0), 0);
        let (mut bytes, mut heartbeats, mut ends, mut longest) = (0, 0, 0, 0);
        let session = packets[0].1[..10].to_vec();
        for (i, (time, payload)) in packets.iter().enumerate() {
            let (header, blocks) = moldudp64::parse(payload).unwrap();
            assert!(payload.len() <= 1472 && header.session[..] == session[..]);
            assert_eq!(
                header.sequence.get(),
                expected,
                "sequences follow each other"
            );
            assert!(*time >= last_packet);
            assert!(
                i == 0 || *time - last_packet <= 1_001_000_000,
                "silence is filled by heartbeats"
            );
            (last_packet, bytes) = (*time, bytes + payload.len() as u64);
            heartbeats += u32::from(header.message_count.get() == 0);
            ends += u32::from(header.message_count.get() == moldudp64::END_OF_SESSION);
            longest = longest.max(header.blocks());
            for block in blocks {
                let stamp = block[5..11].iter().fold(0, |t, &b| t << 8 | u64::from(b));
                assert!(
                    stamp >= last_message && midnight.0 + stamp <= time.0,
                    "no message before it happened"
                );
                last_message = stamp;
                reader.message(block);
                expected += 1;
            }
        }
        assert_eq!(expected - 1, messages);
        reader.finish();
        assert!(
            heartbeats >= 2 && ends == 1 && longest > 10,
            "{heartbeats} {ends} {longest}"
        );
        let (_, last) = packets.last().unwrap();
        assert_eq!(
            moldudp64::parse(last).unwrap().0.message_count.get(),
            moldudp64::END_OF_SESSION
        );

        assert_eq!(summary.messages, messages);
        assert_eq!(summary.by_type, reader.named());
        assert_eq!(
            (summary.packets, summary.bytes),
            (packets.len() as u64, bytes)
        );
        assert_eq!(summary.last.0, midnight.0 + last_message);
        assert!(!reader.orders.is_empty());
    }
}

#[test]
fn the_open_is_at_half_past_nine_and_the_rate_as_asked() {
    let spec = itch(200_000, 4);
    let (packets, summary) = make(&spec);
    let midnight = spec.midnight().0;
    assert_eq!(
        midnight, 1_795_150_800_000_000_000,
        "5 o'clock UTC in November"
    );
    let (mut open, mut close) = (0, 0);
    for (_, payload) in &packets {
        for block in moldudp64::parse(payload).unwrap().1 {
            if let Ok(Message::SystemEvent(m)) = Message::parse(block) {
                match m.event_code {
                    b'Q' => open = m.timestamp.get(),
                    b'M' => close = m.timestamp.get(),
                    _ => {}
                }
            }
        }
    }
    let second = 1_000_000_000;
    assert!(open.abs_diff(34_200 * second) < second / 100, "{open}");
    // Market hours hold about 86 % of the messages: 1.7 seconds at 100,000 per second.
    let hours = close - open;
    assert!(
        (15 * second / 10..19 * second / 10).contains(&hours),
        "{hours} ns"
    );
    assert!(summary.last.0 - summary.first.0 < 7 * second);
}

#[test]
fn every_count_is_met_exactly_down_to_the_smallest_session() {
    for messages in (10..300).chain([500, 999, 1_700, 2_345, 4_321]) {
        let (packets, summary) = make(&itch(messages, messages));
        let reader = read(&packets);
        assert_eq!(
            (summary.messages, reader.by_type.values().sum()),
            (messages, messages)
        );
    }
    for messages in [0, 1, 9] {
        assert_eq!(make(&itch(messages, 0)).1.messages, 10);
    }
}

#[test]
fn sessions_of_all_kinds_are_consistent() {
    for seed in 0..12u64 {
        let spec = Spec {
            symbols: [1, 2, 9, 30, 300, 1_000][seed as usize % 6],
            halts: [0, 4, 60][seed as usize % 3],
            breaker: seed % 4 > 1,
            rate: [2_000, 100_000, 900_000_000][seed as usize % 3],
            mix: match seed % 4 {
                0 => Mix::USUAL,
                1 => "E=15,C=5,U=20,X=5,P=3".parse().unwrap(),
                2 => "F=0,U=0,E=0,C=0,X=0,P=0".parse().unwrap(),
                _ => "F=10,U=79.9,E=0.1,C=0,X=0,P=0".parse().unwrap(),
            },
            ..itch(2_000 << (seed % 5), seed)
        };
        let (packets, summary) = make(&spec);
        read(&packets);
        assert_eq!(summary.messages, spec.messages);
    }
}

#[test]
fn what_cannot_be_made_is_said() {
    let wrong = |spec: Spec| {
        let result = generate(&spec, &mut |_, _: &[u8]| Ok(()));
        assert!(matches!(result, Err(GenerateError::Spec(_))), "{result:?}");
    };
    wrong(Spec {
        symbols: 0,
        ..itch(100, 0)
    });
    wrong(Spec {
        rate: 0,
        ..itch(100, 0)
    });
    wrong(Spec {
        rate: 1,
        ..itch(23_401, 0)
    });
    wrong(Spec {
        bursts: Bursts {
            factor: 0,
            share: 10,
        },
        ..itch(100, 0)
    });
    wrong(Spec {
        mix: Mix {
            replace: 9_000,
            ..Mix::USUAL
        },
        ..itch(100, 0)
    });
    wrong(Spec {
        payload_limit: 127,
        ..itch(100, 0)
    });
    let full = generate(&itch(100, 0), &mut |_, _: &[u8]| {
        Err(std::io::ErrorKind::StorageFull.into())
    });
    assert!(matches!(full, Err(GenerateError::Io(_))));
}

#[test]
fn the_lowest_payload_limit_holds_every_message() {
    let layouts = [Layout::Records, Layout::Columns, Layout::Mixed];
    let native = layouts.map(Protocol::Native);
    for protocol in native.into_iter().chain([Protocol::Itch50]) {
        for seed in 0..8 {
            let spec = Spec {
                payload_limit: 128,
                ..Spec::new(protocol, 3_000, seed)
            };
            let mut longest = 0;
            let made = generate(&spec, &mut |_, payload: &[u8]| {
                longest = longest.max(payload.len());
                Ok(())
            });
            assert_eq!(made.unwrap().messages, 3_000);
            assert!((100..=128).contains(&longest), "{protocol:?}: {longest}");
        }
    }
}

#[test]
fn redundant_lines_all_carry_every_packet() {
    let groups = ["239.1.1.1:5000", "239.1.1.2:5001"].map(|g| g.parse().unwrap());
    let capture = |groups: &[SocketAddrV4]| {
        let mut sink = PcapSink::lines(Vec::new(), groups).unwrap();
        generate(&itch(2_000, 3), &mut sink).unwrap();
        CaptureFile::from_memory("lines", sink.finish().unwrap()).unwrap()
    };
    let (both, one) = (capture(&groups), capture(&groups[..1]));
    for (line, group) in groups.into_iter().enumerate() {
        let of_line = Datagrams::new(&both).filter(|d| d.dst == Some(group.into()));
        let mut packets = 0;
        for (a, b) in of_line.zip(Datagrams::new(&one)) {
            assert_eq!((a.time, a.payload), (b.time, b.payload), "line {line}");
            packets += 1;
        }
        assert_eq!(packets, Datagrams::new(&one).count());
    }
    assert_eq!(
        Datagrams::new(&both).count(),
        2 * Datagrams::new(&one).count()
    );
}
