use super::*;
use crate::output::PcapSink;
use crate::schedule::Speed;
use crate::synth::{PacketSink, Protocol, Recording, Spec};
use feed_common::capture::CaptureFile;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::{PacketBuilder, parse};
use std::collections::BTreeMap;
use std::net::SocketAddrV4;

const MS: u64 = 1_000_000;
const MOLD: Option<Numbering> = Some(Numbering::MoldUdp64);

/// A packet of MoldUDP64 whose messages say their sequence numbers.
pub fn mold(session: &[u8; 10], sequence: u64, count: u64) -> Vec<u8> {
    let mut packet = PacketBuilder::new(*session, sequence, 1_400);
    for s in sequence..sequence + count {
        assert!(packet.push(format!("{s}").as_bytes()));
    }
    packet.payload().to_vec()
}

/// A capture of packets, one a millisecond, to one group.
fn capture(packets: &[Vec<u8>]) -> CaptureFile {
    let mut sink = PcapSink::new(Vec::new(), PcapSink::<Vec<u8>>::GROUP).unwrap();
    for (i, packet) in packets.iter().enumerate() {
        sink.packet(UnixNanos(1_000 + i as u64 * MS), packet)
            .unwrap();
    }
    CaptureFile::from_memory("made.pcap", sink.finish().unwrap()).unwrap()
}

fn played(packets: &[Vec<u8>], shape: &Shape) -> History {
    History::captured(&capture(packets), None, MOLD, shape).unwrap()
}

fn shape(faults: &str) -> Shape {
    Shape {
        faults: faults.parse().unwrap(),
        ..Shape::default()
    }
}

fn texts(history: &History, from: u64) -> Vec<String> {
    let messages = history.messages(from);
    messages
        .map(|m| String::from_utf8(m.to_vec()).unwrap())
        .collect()
}

#[test]
fn a_made_session_is_its_packets_and_every_message_has_its_number() {
    let (session, summary) = Recording::of(&Spec::new(Protocol::Itch50, 20_000, 3)).unwrap();
    let history = History::of(&session, Numbering::MoldUdp64, &Shape::default()).unwrap();
    assert_eq!(history.numbering(), Numbering::MoldUdp64);
    let sent: Vec<_> = session.packets().filter(|p| p.messages > 0).collect();
    assert_eq!(history.len(), sent.len());
    let mut all = BTreeMap::new();
    for (i, packet) in sent.iter().enumerate() {
        let ours = history.packet(i).unwrap();
        assert_eq!((ours.at, ours.payload), (packet.offset, packet.payload));
        let (header, blocks) = parse(packet.payload).unwrap();
        for (k, message) in blocks.enumerate() {
            all.insert(header.sequence.get() + k as u64, message);
        }
    }
    assert_eq!(
        (history.begin(), history.reached(u64::MAX)),
        (1, summary.messages + 1)
    );
    assert!(history.messages(1).eq(all.values().copied()));
    for from in [2, 777, 19_999, 20_000] {
        assert_eq!(history.messages(from).next(), Some(all[&from]));
        assert_eq!(history.messages(from).count() as u64, 20_001 - from);
    }
    for nowhere in [0, 20_001, u64::MAX] {
        assert_eq!(history.messages(nowhere).next(), None);
    }
}

#[test]
fn what_was_sent_by_a_time_is_known_then() {
    let packets = [
        mold(b"S         ", 1, 3),
        mold(b"S         ", 4, 2),
        mold(b"S         ", 6, 1),
    ];
    let history = played(
        &packets,
        &Shape {
            lead: 10 * MS,
            ..Shape::default()
        },
    );
    let s = b"S         ";
    for (now, reached) in [
        (0, 1),
        (10 * MS - 1, 1),
        (10 * MS, 4),
        (11 * MS, 6),
        (12 * MS, 7),
        (u64::MAX, 7),
    ] {
        assert_eq!(history.reached(now), reached, "{now}");
        assert_eq!(history.sent_of(s, 1, now), Some(1..reached));
        let heartbeat = history.heartbeat(now, false).unwrap();
        assert_eq!((heartbeat.sequence.get(), heartbeat.blocks()), (reached, 0));
    }
    assert_eq!(history.sent_of(s, 5, 11 * MS), Some(5..6));
    for nowhere in [0, 6, 7, u64::MAX] {
        assert!(
            history.sent_of(s, nowhere, 11 * MS).unwrap().is_empty(),
            "{nowhere}"
        );
    }
    assert_eq!(history.sent_of(b"T         ", 1, u64::MAX), None);
    assert_eq!(
        history
            .heartbeat(u64::MAX, true)
            .unwrap()
            .message_count
            .get(),
        0xffff
    );
}

#[test]
fn speed_and_lead_shape_the_times() {
    let packets = [mold(b"S         ", 1, 1), mold(b"S         ", 2, 1)];
    let speed = Speed::Millionths(500_000);
    let history = played(
        &packets,
        &Shape {
            lead: 7,
            speed,
            ..Shape::default()
        },
    );
    assert_eq!(
        (history.sent_at(0), history.sent_at(1)),
        (Some(7), Some(7 + 2 * MS))
    );
    assert_eq!(history.last_at(), 7 + 2 * MS);
    let at_once = played(
        &packets,
        &Shape {
            speed: Speed::Max,
            ..Shape::default()
        },
    );
    assert_eq!(at_once.last_at(), 0);
}

#[test]
fn a_restart_is_a_new_session_from_one_and_numbers_go_on() {
    let old = b"00000ABCD9";
    let packets: Vec<_> = (0..6).map(|i| mold(old, 1 + 2 * i, 2)).collect();
    let history = played(&packets, &shape("restart@1500us restart@4ms"));
    let (first, second, third) = (old, b"00000ABCDA", b"00000ABCDB");
    let on_the_wire: Vec<_> = (0..6)
        .map(|i| {
            let packet = history.packet(i).unwrap();
            let (header, _) = parse(packet.payload).unwrap();
            (header.session, header.sequence.get(), packet.numbers)
        })
        .collect();
    assert_eq!(
        on_the_wire,
        [
            (*first, 1, 1..3),
            (*first, 3, 3..5),
            (*second, 1, 5..7),
            (*second, 3, 7..9),
            (*third, 1, 9..11),
            (*third, 3, 11..13)
        ]
    );
    assert_eq!(history.wire(8), Some((*second, 4)));
    // Each session answers for its own messages, the new one from its beginning on.
    assert_eq!(history.sent_of(first, 2, u64::MAX), Some(2..5));
    assert!(history.sent_of(first, 5, u64::MAX).unwrap().is_empty());
    assert_eq!(history.sent_of(second, 3, u64::MAX), Some(7..9));
    assert_eq!(history.sent_of(third, 1, 3 * MS), None);
    assert_eq!(texts(&history, 7)[..2], ["7", "8"]);
    // Between the restart and the first packet, the new session has nothing yet.
    let heartbeat = history.heartbeat(1_600_000, false).unwrap();
    assert_eq!((&heartbeat.session, heartbeat.sequence.get()), (second, 1));
    // A restart behind the last packet is one too.
    let history = played(&packets, &shape("restart@1s"));
    let end = history.heartbeat(2_000 * MS, true).unwrap();
    assert_eq!((&end.session, end.sequence.get()), (second, 1));
}

#[test]
fn captures_with_holes_repeats_and_new_sessions_keep_what_they_have() {
    let (s, t) = (b"S         ", b"T         ");
    let packets = [
        mold(s, 100, 2),
        mold(s, 0xffff_0000, 0), // a heartbeat
        mold(s, 105, 3),
        mold(s, 102, 3), // late: sent, but not asked for
        mold(s, 105, 3), // twice
        mold(t, 40, 2),
        mold(s, 108, 1), // the old session again
        mold(t, 42, 1),
    ];
    let history = played(&packets, &Shape::default());
    assert_eq!(history.len(), 7);
    assert_eq!((history.begin(), history.wire(100)), (100, Some((*s, 100))));
    assert_eq!(texts(&history, 101), ["101"]);
    assert_eq!(texts(&history, 102), Vec::<String>::new());
    assert_eq!(texts(&history, 105)[..3], ["105", "106", "107"]);
    assert_eq!(history.wire(108), Some((*t, 40)));
    assert_eq!(history.sent_of(t, 41, 5 * MS), Some(109..110));
    // It came back as a session of its own; what is asked of its name is asked of that.
    assert_eq!(history.packet(5).unwrap().numbers, 110..111);
    assert!(history.sent_of(s, 105, u64::MAX).unwrap().is_empty());
}

#[test]
fn other_framings_are_counted_and_played_as_they_are() {
    let (session, _) = Recording::of(&Spec::new(Protocol::Pitch, 5_000, 3)).unwrap();
    let history = History::of(&session, Numbering::Counted, &Shape::default()).unwrap();
    assert_eq!(history.numbering(), Numbering::Counted);
    assert_eq!(history.len(), session.len());
    assert_eq!(history.reached(u64::MAX), 5_001);
    assert!(history.heartbeat(0, false).is_none() && history.wire(1).is_none());
    assert_eq!(history.messages(1).next(), None);
    let restart = History::of(&session, Numbering::Counted, &shape("restart@1s"));
    assert_eq!(restart.err(), Some(HistoryError::Restart));
    // Wrapped bare messages have sequence 0.
    let packets = [mold(&[0; 10], 0, 1), mold(&[0; 10], 0, 1)];
    assert_eq!(played(&packets, &Shape::default()).reached(u64::MAX), 3);
}

#[test]
fn what_cannot_be_played_says_why() {
    let error = |packets: &[Vec<u8>]| {
        History::captured(&capture(packets), None, MOLD, &Shape::default()).err()
    };
    assert_eq!(error(&[]), Some(HistoryError::Empty));
    assert_eq!(
        error(&[mold(b"S         ", 1, 0)]),
        Some(HistoryError::Empty)
    );
    let broken = error(&[mold(b"S         ", 1, 1), b"short".to_vec()]);
    assert_eq!(
        broken.unwrap().to_string(),
        "packet 2 is no packet of MoldUDP64: shorter than its header"
    );
    let mut last = mold(b"S         ", 1, 2);
    last[10..18].copy_from_slice(&u64::MAX.to_be_bytes());
    assert_eq!(
        error(&[mold(b"S         ", 1, 1), last.clone()]),
        Some(HistoryError::Beyond { packet: 2 })
    );
    assert_eq!(error(&[last]), Some(HistoryError::Beyond { packet: 1 }));
    let file = capture(&[mold(b"S         ", 1, 1)]);
    let other: SocketAddrV4 = "239.1.1.1:1".parse().unwrap();
    let absent = History::captured(&file, Some(other.into()), MOLD, &Shape::default()).unwrap_err();
    assert_eq!(
        absent.to_string(),
        "the capture has no packets to 239.1.1.1:1"
    );
    let own = PcapSink::<Vec<u8>>::GROUP;
    let unclear = History::captured(&file, Some(own.into()), None, &Shape::default()).unwrap();
    assert_eq!(unclear.numbering(), Numbering::Counted);
    let mut sink = PcapSink::lines(Vec::new(), &[own, other]).unwrap();
    sink.packet(UnixNanos(1), &mold(b"S         ", 1, 1))
        .unwrap();
    let file = CaptureFile::from_memory("two.pcap", sink.finish().unwrap()).unwrap();
    let groups = History::captured(&file, None, MOLD, &Shape::default()).unwrap_err();
    assert_eq!(
        groups.to_string(),
        "the capture has 2 groups; name one: 239.1.1.1:1, 239.192.50.1:26477"
    );
    assert!(History::captured(&file, Some(other.into()), MOLD, &Shape::default()).is_ok());
}

#[test]
fn the_bytes_of_a_capture_tell_its_numbering() {
    for (protocol, numbering) in [
        (Protocol::Itch50, Numbering::MoldUdp64),
        (Protocol::Memoir, Numbering::Counted),
    ] {
        let mut sink = PcapSink::new(Vec::new(), PcapSink::<Vec<u8>>::GROUP).unwrap();
        crate::synth::generate(&Spec::new(protocol, 2_000, 1), &mut sink).unwrap();
        let file = CaptureFile::from_memory("made.pcap", sink.finish().unwrap()).unwrap();
        let history = History::captured(&file, None, None, &Shape::default()).unwrap();
        assert_eq!(history.numbering(), numbering);
    }
}

#[test]
fn a_session_of_pillar_is_known_by_its_own_numbers_and_says_its_own_time() {
    use feed_common::wire::pillar;
    const SECOND: u64 = 1_000_000_000;
    let packet = |first: u32, count: u32| {
        let mut packet = pillar::PacketBuilder::new(first, 1_400);
        let message = |n: u32| [&[5, 0, 200, 0][..], &[n as u8]].concat();
        (first..first + count).for_each(|n| assert!(packet.push(&message(n))));
        packet
    };
    let flag = pillar::Flag::ORIGINAL;
    let packets: Vec<Vec<u8>> = vec![
        packet(10, 2).payload(flag, 50 * SECOND).to_vec(),
        packet(12, 0).payload(flag, 51 * SECOND).to_vec(), // says only what comes next
        packet(12, 3).payload(flag, 52 * SECOND).to_vec(),
        packet(10, 1).payload(flag, 53 * SECOND).to_vec(), // again
        b"no packet".to_vec(),
        packet(20, 1).payload(flag, 54 * SECOND).to_vec(), // behind a hole
    ];
    let numbering = Some(Numbering::Pillar);
    let history =
        History::captured(&capture(&packets), None, numbering, &Shape::default()).unwrap();
    assert_eq!(history.len(), 5);
    let numbers = |from: u64| history.messages(from).map(|m| m[4]).collect::<Vec<_>>();
    assert_eq!(numbers(10), [10, 11, 12, 13, 14]);
    assert_eq!((numbers(14), numbers(15)), (vec![14], vec![]));
    assert_eq!((numbers(1), numbers(20)), (vec![], vec![20]));
    assert_eq!((history.reached(0), history.reached(u64::MAX)), (12, 21));
    assert_eq!(
        (history.begin(), history.pillar_time(2 * MS)),
        (10, Some(52 * SECOND))
    );
    let later = Shape {
        lead: MS,
        ..Shape::default()
    };
    let waits = History::captured(&capture(&packets), None, numbering, &later).unwrap();
    assert_eq!(waits.pillar_heartbeat(0).unwrap().seq_num.get(), 10);
    assert_eq!(waits.pillar_time(0), Some(50 * SECOND - MS));
    let heartbeat = history.pillar_heartbeat(5 * MS + 7).unwrap();
    assert_eq!(
        (heartbeat.seq_num.get(), heartbeat.send_time.get()),
        (21, 54)
    );
    assert_eq!(heartbeat.send_time_ns.get(), 7);
    assert!(history.heartbeat(5 * MS, false).is_none() && history.wire(10).is_none());
    let restarts = shape("restart@1ms");
    let e = History::captured(&capture(&packets), None, numbering, &restarts).unwrap_err();
    assert_eq!(e, HistoryError::Restart);
}
