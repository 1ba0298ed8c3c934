//! Sessions as a reader sees them.

use super::*;
use crate::synth::{Protocol, generate};
use std::collections::BTreeSet;
use wire::{Message, packet_type};

#[test]
fn a_session_is_numbered_through_announced_first_and_ended() {
    let spec = Spec {
        rate: 2_000,
        ..Spec::new(Protocol::Memoir, 20_000, 7)
    };
    let (mut next, mut types, mut before) = (1, Vec::new(), 0);
    let mut announced = BTreeSet::new();
    let mut sessions = BTreeSet::new();
    let mut take = |time: UnixNanos, bytes: &[u8]| {
        let (header, count, messages) = wire::parse(bytes).unwrap();
        assert_eq!(header.sequence_number.get(), next);
        sessions.insert(header.session_id.get());
        types.push(header.message_type);
        next += u64::from(count);
        for message in messages {
            let parsed = Message::parse(message).unwrap();
            let template = wire::template_of(message).unwrap();
            assert_eq!(wire::length_of(template), Some(message.len()));
            let stamp = u64::from_be_bytes(*message[wire::SBE..].first_chunk().unwrap());
            assert!(before <= stamp && stamp < time.0);
            before = stamp;
            match parsed {
                Message::InstrumentDirectory(m) => assert!(announced.insert(m.security_id.get())),
                _ => {
                    let head = wire::Head::of(message);
                    assert!(head.is_none_or(|head| announced.contains(&head.security_id)));
                }
            }
        }
        Ok(())
    };
    let summary = generate(&spec, &mut take).unwrap();
    assert_eq!((next, sessions.len()), (20_001, 1));
    assert_eq!(announced.len() as u64, summary.symbols);
    assert_eq!(types.pop(), Some(packet_type::SHUTDOWN));
    assert!(!types.contains(&packet_type::SHUTDOWN));
    assert!(types.contains(&packet_type::HEARTBEAT));
    for kind in ["1", "2", "3", "5", "10", "11", "12", "13", "14"] {
        assert!(
            summary.by_type.contains_key(kind),
            "no {kind} in {:?}",
            summary.by_type
        );
    }
    // Hardly anything is filler.
    assert!(summary.by_type["5"] < 2_000, "{:?}", summary.by_type);
}

#[test]
fn any_number_of_messages_can_be_had() {
    for messages in [1, 2, 3, 10, 100, 1_000] {
        let mut made = 0;
        let mut take = |_: UnixNanos, bytes: &[u8]| {
            made += u64::from(wire::parse(bytes).unwrap().1);
            Ok(())
        };
        generate(&Spec::new(Protocol::Memoir, messages, messages), &mut take).unwrap();
        assert_eq!(made, messages);
    }
}
