//! Sessions as a reader sees them.

use super::*;
use crate::synth::{Protocol, generate};
use std::collections::BTreeMap;
use wire::Message;

/// The packets of a session: flag, number of the first message, when it was sent, and the messages.
type Packets = Vec<(Flag, u32, u64, Vec<Vec<u8>>)>;

fn packets(spec: &Spec) -> (Packets, BTreeMap<String, u64>) {
    let mut packets = Packets::new();
    let mut take = |time: UnixNanos, bytes: &[u8]| {
        let (header, messages) = wire::parse(bytes)?;
        let sent = u64::from(header.send_time.get()) * SECOND;
        assert_eq!(sent + u64::from(header.send_time_ns.get()), time.0);
        let messages = messages.map(<[u8]>::to_vec).collect();
        packets.push((header.flag(), header.seq_num.get(), time.0, messages));
        Ok::<(), wire::ParseError>(())
    };
    let summary = generate(spec, &mut |time: UnixNanos, bytes: &[u8]| {
        take(time, bytes).map_err(std::io::Error::other)
    });
    (packets, summary.unwrap().by_type)
}

#[test]
fn a_session_is_numbered_through_and_begins_with_a_reset_of_its_own() {
    let spec = Spec {
        rate: 2_000,
        ..Spec::new(Protocol::Pillar, 20_000, 7)
    };
    let (packets, by_type) = packets(&spec);
    let mut next = 1;
    for (flag, first, _, messages) in &packets {
        assert_eq!(*first, next);
        next += messages.len() as u32;
        let resets = messages.iter().any(|m| wire::kind_of(m) == 1);
        match *flag {
            Flag::SEQUENCE_RESET => assert!(resets && messages.len() == 1 && *first == 1),
            Flag::HEARTBEAT => assert!(messages.is_empty()),
            other => assert!(other == Flag::ORIGINAL && !resets && !messages.is_empty()),
        }
    }
    assert_eq!(next, 20_001);
    assert_eq!(packets[0].0, Flag::SEQUENCE_RESET);
    assert!(packets.iter().any(|p| p.0 == Flag::HEARTBEAT));
    for kind in [
        "1", "2", "3", "34", "100", "101", "102", "103", "104", "105", "110", "111",
    ] {
        assert!(by_type.contains_key(kind), "no {kind} in {by_type:?}");
    }
}

#[test]
fn times_and_scales_can_be_read_from_the_session_alone() {
    let spec = Spec {
        rate: 2_000,
        ..Spec::new(Protocol::Pillar, 20_000, 7)
    };
    let mut second = None;
    let (mut codes, mut again) = (BTreeMap::new(), 0);
    let mut before = 0;
    for (_, _, sent, messages) in packets(&spec).0 {
        for message in &messages {
            match Message::parse(message).unwrap() {
                Message::SourceTimeReference(m) => second = Some(m.source_time.get()),
                Message::SymbolIndexMapping(m) => {
                    let code = m.price_scale_code;
                    if let Some(before) = codes.insert(m.symbol_index, code) {
                        assert_eq!((before, code), (6, 4));
                        again += 1;
                    }
                }
                _ => {}
            }
            let Some(head) = wire::Head::of(message) else {
                continue;
            };
            let time = u64::from(second.unwrap()) * SECOND + u64::from(head.nanos);
            assert!(before <= time && time < sent && sent < time + SECOND);
            before = time;
            assert!(codes.contains_key(&U32::new(head.symbol)));
        }
    }
    assert!(before > spec.midnight().0 + crate::synth::OPEN);
    let of = |code| codes.values().filter(|&&c| c == code).count();
    assert_eq!(of(4) + of(6), codes.len());
    // Both kinds, and instruments that had to change.
    assert_eq!(of(4) - again, codes.len().div_ceil(2));
    assert!(of(6) > 0 && again > 0, "{} and {again}", of(6));
}

#[test]
fn any_number_of_messages_can_be_had() {
    for messages in [1, 2, 3, 10, 100, 1_000] {
        let (packets, _) = packets(&Spec::new(Protocol::Pillar, messages, messages));
        let made: usize = packets.iter().map(|p| p.3.len()).sum();
        assert_eq!(made as u64, messages);
    }
}
