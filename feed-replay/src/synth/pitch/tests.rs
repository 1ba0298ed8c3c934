use super::*;
use crate::synth::{Protocol, Recording};
use feed_common::wire::pitch::{Message, parse};
use std::collections::{BTreeMap, BTreeSet};

/// A session in two units.
fn session(messages: u64) -> Recording {
    let spec = Spec {
        symbols: 6,
        payload_limit: 512,
        rate: 4_000,
        ..Spec::new(Protocol::Pitch, messages, 2)
    };
    Recording::of(&spec).unwrap().0
}

#[test]
fn units_number_on_and_say_every_second_before_its_messages() {
    let session = session(60_000);
    let (mut next, mut seconds) = ([1, 1], [None, None]);
    let (mut alone, mut together) = (0, 0);
    for packet in session.packets() {
        assert!(packet.payload.len() <= 512);
        let (mut rest, mut units) = (packet.payload, BTreeSet::new());
        while !rest.is_empty() {
            let (header, messages, after) = parse(rest).unwrap();
            let unit = usize::from(header.unit) - 1;
            assert!(units.insert(unit), "a block of each unit");
            assert_eq!(header.sequence.get(), next[unit]);
            next[unit] += u32::from(header.count);
            for message in messages {
                match Message::parse(message).unwrap() {
                    Message::Time(m) => {
                        assert!(seconds[unit].is_none_or(|before| before <= m.time.get()));
                        seconds[unit] = Some(m.time.get());
                    }
                    known => {
                        assert!(seconds[unit].is_some());
                        assert_eq!(known.size(), message.len());
                        let offset = u32::from_le_bytes(message[2..6].try_into().unwrap());
                        assert!(offset < 1_000_000_000);
                    }
                }
            }
            rest = after;
        }
        match units.len() {
            1 => alone += 1,
            _ => together += 1,
        }
    }
    assert!(alone > together && together > 100, "{alone}, {together}");
    assert!(seconds[0] > Some(34_201), "{seconds:?}");
}

#[test]
fn most_sessions_have_one_unit() {
    let (session, _) = Recording::of(&Spec::new(Protocol::Pitch, 2_000, 3)).unwrap();
    for packet in session.packets() {
        let (header, _, rest) = parse(packet.payload).unwrap();
        assert_eq!((header.unit, rest), (1, &[][..]));
    }
}

/// Every message of the multicast feed but the last of the day and those that need what the market does not have: unit
/// failures, large orders that shrink by much, and trades in symbols of more than 6 characters.
#[test]
fn all_the_language_is_spoken() {
    let mut spoken = BTreeMap::new();
    for packet in session(120_000).packets() {
        let mut rest = packet.payload;
        while !rest.is_empty() {
            let (_, messages, after) = parse(rest).unwrap();
            messages.for_each(|m| *spoken.entry(m[1]).or_insert(0) += 1);
            rest = after;
        }
    }
    let spoken: Vec<_> = spoken.keys().map(|kind| format!("{kind:02X}")).collect();
    assert_eq!(
        spoken.join(" "),
        "20 21 22 23 24 26 27 28 29 2A 2B 2C 2F 31 95 96 98"
    );
}
