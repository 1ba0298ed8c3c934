use super::*;
use crate::exchange::{Numbering, Shape};
use crate::synth::{Protocol, Recording, Spec};
use feed_common::wire::mdp3::{Message, SnapshotOrdersRoot, SnapshotRoot};

const MS: u64 = 1_000_000;

fn history(messages: u64) -> Arc<History> {
    let spec = Spec {
        rate: 20_000,
        symbols: 40,
        ..Spec::new(Protocol::Mdp3, messages, 5)
    };
    let (session, _) = Recording::of(&spec).unwrap();
    let shape = Shape {
        lead: 3 * MS,
        ..Shape::default()
    };
    Arc::new(History::of(&session, Numbering::Counted, &shape).unwrap())
}

fn played(faults: &str, timing: LoopTiming) -> (Vec<(u64, Vec<u8>)>, Looped) {
    let history = history(4_000);
    let end = history.last_at() + 50 * MS;
    let faults = faults.parse().unwrap();
    let mut all = SnapshotLoop::new(history, &faults, 7, timing, end);
    let mut packets = Vec::new();
    while let Some(packet) = all.next(u64::MAX) {
        packets.push((packet.at, packet.payload.to_vec()));
    }
    (packets, all.played())
}

fn timing(orders: bool) -> LoopTiming {
    LoopTiming {
        orders,
        period: 10 * MS,
        spacing: MS / 10,
        payload: 1_000,
    }
}

/// Total and as-of of a message.
fn about(bytes: &[u8], orders: bool) -> (u32, u32) {
    let message = Message::parse(bytes).unwrap();
    if orders {
        let root: &SnapshotOrdersRoot = message.root().unwrap();
        (
            root.tot_num_reports.get(),
            root.last_msg_seq_num_processed.get(),
        )
    } else {
        let root: &SnapshotRoot = message.root().unwrap();
        (
            root.tot_num_reports.get(),
            root.last_msg_seq_num_processed.get(),
        )
    }
}

#[test]
fn every_round_is_whole_and_as_of_packets_that_were_sent() {
    for orders in [false, true] {
        let history = history(4_000);
        let (packets, looped) = played("", timing(orders));
        assert_eq!(packets.len() as u64, looped.packets);
        assert!(looped.rounds > 10, "{looped:?}");
        let (mut expected, mut left, mut rounds, mut messages) = (0, 0, 0, 0);
        let mut before = 0;
        for (at, packet) in &packets {
            assert!(packet.len() <= 1_000 && *at >= before);
            before = *at;
            let (header, said, _) = parse(packet).unwrap();
            if header.msg_seq_num.get() == 1 {
                assert_eq!(left, 0, "the round before was not whole");
                (expected, rounds) = (0, rounds + 1);
            }
            expected += 1;
            assert_eq!(header.msg_seq_num.get(), expected);
            for message in said {
                let (total, as_of) = about(message, orders);
                if expected == 1 && left == 0 {
                    left = total;
                }
                (left, messages) = (left - 1, messages + 1);
                let sent = history.sent_at(as_of as usize - 1).unwrap();
                assert!(sent <= *at, "{as_of} is sent at {sent}, after {at}");
                let next = history.sent_at(as_of as usize);
                assert!(orders || next.is_none_or(|next| next > *at));
            }
        }
        assert_eq!((rounds, messages), (looped.rounds, looped.messages));
    }
}

#[test]
fn its_line_has_faults_of_its_own_from_the_seed() {
    let (whole, looped) = played("", timing(false));
    let (lossy, lossily) = played("loss=20%", timing(false));
    assert_eq!(looped, lossily);
    assert!(lossy.len() < whole.len() && lossy.iter().all(|packet| whole.contains(packet)));
    assert_eq!(lossy, played("loss=20%", timing(false)).0);
}

#[test]
fn what_fits_no_packet_is_left_out() {
    let tight = LoopTiming {
        payload: 100,
        ..timing(false)
    };
    let (packets, looped) = played("", tight);
    assert!(looped.rounds > 0);
    assert!(packets.iter().all(|(_, packet)| packet.len() <= 100));
}
