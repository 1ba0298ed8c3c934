use crate::synth::{Protocol, Recording, Spec};
use feed_common::wire::mdp3::{BookEntry, Dimension, Message, event, parse, template};
use feed_common::wire::message::Value;
use std::collections::{BTreeMap, BTreeSet};

fn session(messages: u64, seed: u64) -> Recording {
    let spec = Spec::new(Protocol::Mdp3, messages, seed);
    Recording::of(&spec).unwrap().0
}

#[test]
fn packets_are_numbered_and_every_message_is_of_its_schema() {
    let session = session(20_000, 5);
    let (mut number, mut templates, mut names) = (0, BTreeSet::new(), BTreeSet::new());
    for packet in session.packets() {
        number += 1;
        let (header, messages, count) = parse(packet.payload).unwrap();
        assert_eq!(header.msg_seq_num.get(), number);
        assert_eq!(header.sending_time.get(), packet.time.0);
        assert_eq!(count, packet.messages.into());
        for message in messages {
            let message = Message::parse(message).unwrap();
            let layout = message.template().expect("a template of the version");
            templates.insert(layout.id);
            assert_eq!(message.root_bytes().len(), layout.root.len.into());
            let mut groups = message.groups();
            for group in layout.groups {
                let found = groups.next(group.dimension).unwrap();
                assert!(found.is_empty() || found.stride() == usize::from(group.block.len));
            }
            assert!(groups.rest().is_empty());
            if let Value::Text(name) = message.block().unwrap().get("symbol") {
                let name: Vec<u8> = name.iter().copied().take_while(|&b| b != 0).collect();
                names.insert(name);
            }
        }
    }
    let want = [
        template::ADMIN_HEARTBEAT,
        template::SECURITY_STATUS,
        template::VOLUME,
        template::BOOK,
        template::ORDER_BOOK,
        template::TRADE_SUMMARY,
        template::SESSION_STATISTICS,
        template::FUTURE,
        template::SPREAD,
    ];
    assert_eq!(templates, BTreeSet::from(want));
    assert!(names.iter().any(|name| name.len() > 8), "{names:?}");
}

#[test]
fn entries_are_counted_by_instrument_and_the_last_message_ends_the_event() {
    let session = session(20_000, 6);
    let mut counted: BTreeMap<i32, u32> = BTreeMap::new();
    let (mut last, mut spanning) = (event::END, 0);
    for packet in session.packets() {
        for message in parse(packet.payload).unwrap().1 {
            let message = Message::parse(message).unwrap();
            let id = message.template_id();
            if id != template::ADMIN_HEARTBEAT {
                let root = message.block().unwrap();
                last = root.unsigned("match_event_indicator").unwrap() as u8 & event::END;
                spanning += u32::from(last == 0);
            }
            // All count in the same way; their places differ.
            let counts: Vec<_> = match id {
                template::BOOK => {
                    let group = message.groups().next(Dimension::Three).unwrap();
                    let entries = group.entries::<BookEntry>().unwrap();
                    entries
                        .map(|e| (e.security_id.get(), e.rpt_seq.get()))
                        .collect()
                }
                template::TRADE_SUMMARY | template::VOLUME | template::SESSION_STATISTICS => {
                    let layout = &message.template().unwrap().groups[0];
                    let group = message.groups().next(layout.dimension).unwrap();
                    let at = |name| usize::from(layout.block.field(name).unwrap().offset);
                    let number = |entry: usize, name| {
                        let bytes = &group.entry(entry)[at(name)..][..4];
                        u32::from_le_bytes(bytes.try_into().unwrap())
                    };
                    (0..group.len())
                        .map(|e| (number(e, "security_id") as i32, number(e, "rpt_seq")))
                        .collect()
                }
                _ => Vec::new(),
            };
            for (id, rpt_seq) in counts {
                let before = counted.insert(id, rpt_seq).unwrap_or(0);
                assert_eq!(rpt_seq, before + 1, "of {id}");
            }
        }
    }
    assert_eq!(last, event::END, "the session ends between events");
    assert!(counted.len() > 10 && spanning > 1_000);
}
