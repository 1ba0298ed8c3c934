use super::*;
use crate::exchange::history::Shape;
use crate::synth::{Protocol, Recording, Spec};
use feed_common::wire::moldudp64::{END_OF_SESSION, parse};

const SECOND: u64 = 1_000_000_000;

fn history(protocol: Protocol, messages: u64, rate: u64, faults: &str) -> Arc<History> {
    let spec = Spec {
        rate,
        ..Spec::new(protocol, messages, 5)
    };
    let (session, _) = Recording::of(&spec).unwrap();
    let shape = Shape {
        faults: faults.parse().unwrap(),
        ..Shape::default()
    };
    Arc::new(History::of(&session, Numbering::of(protocol.name()), &shape).unwrap())
}

/// All that arrives.
fn play(downstream: &mut Downstream) -> Vec<(u64, usize, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(due) = downstream.due() {
        assert!(due == 0 || downstream.next(due - 1).is_none());
        let packet = downstream.next(due).unwrap();
        assert_eq!(packet.at, due);
        all.push((packet.at, packet.line, packet.payload.to_vec()));
    }
    assert!(downstream.next(u64::MAX).is_none());
    all
}

#[test]
fn without_faults_every_line_brings_the_session_with_heartbeats_and_its_end() {
    // Slow enough to fall silent.
    let history = history(Protocol::Itch50, 3_000, 300, "");
    let timing = Timing {
        heartbeat: SECOND / 10,
        grace: SECOND,
    };
    let mut downstream = Downstream::new(
        Arc::clone(&history),
        &[LineFaults::default(), LineFaults::default()],
        1,
        timing,
    );
    let all = play(&mut downstream);
    assert!(all.is_sorted_by_key(|(at, line, _)| (*at, *line)));
    let played = downstream.played();
    assert_eq!(
        (played.packets, played.messages),
        (history.len() as u64, 3_000)
    );
    assert!(played.heartbeats > 10);
    assert_eq!(played.ends, 10);
    for line in 0..2 {
        let own: Vec<_> = all.iter().filter(|p| p.1 == line).collect();
        assert!(own.windows(2).all(|w| w[1].0 - w[0].0 <= timing.heartbeat));
        let mut next = 1;
        for (i, (at, _, payload)) in own.iter().enumerate() {
            let (header, _) = parse(payload).unwrap();
            assert_eq!(header.sequence.get(), next, "packet {i} at {at}");
            next += u64::from(header.blocks());
            let ended = header.message_count.get() == END_OF_SESSION;
            assert_eq!(ended, i >= own.len() - 10);
        }
        assert_eq!(next, 3_001);
        let count = played.packets + played.heartbeats + played.ends;
        assert_eq!(own.len() as u64, count);
        assert_eq!(downstream.account().counts(line).sent, count);
    }
    let end = history.last_at() + SECOND;
    assert!(all.last().unwrap().0 <= end && downstream.end() == end);
    assert_eq!(downstream.account().sent().ranges().len(), 1);
    assert!(downstream.account().lost_by_all().is_empty());
}

#[test]
fn the_seed_decides_and_the_account_knows() {
    let history = history(Protocol::Itch50, 20_000, 100_000, "restart@100ms");
    let faults: Vec<LineFaults> = [
        "loss=2% burst=2 delay=0..50us dup=1%",
        "loss=3% reorder=4 skew=1ms",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec();
    let run = |seed| {
        let mut downstream =
            Downstream::new(Arc::clone(&history), &faults, seed, Timing::default());
        (play(&mut downstream), downstream)
    };
    let (all, downstream) = run(7);
    assert!(all == run(7).0 && all != run(8).0);
    // What came, counted by hand, is what the account says went out and was not lost.
    for line in 0..2 {
        let mut got = std::collections::BTreeSet::new();
        for (_, _, payload) in all.iter().filter(|p| p.1 == line) {
            let (header, _) = parse(payload).unwrap();
            let first = header.sequence.get();
            let sent = history.sent_of(&header.session, first, u64::MAX).unwrap();
            got.extend(sent.start..sent.start + u64::from(header.blocks()));
        }
        let lost: Vec<u64> = (1..20_001).filter(|n| !got.contains(n)).collect();
        assert!(lost.len() > 200);
        let account: Vec<u64> = downstream
            .account()
            .lost(line)
            .ranges()
            .iter()
            .cloned()
            .flatten()
            .collect();
        assert_eq!(account, lost);
    }
}

#[test]
fn what_has_no_heartbeats_is_played_as_it_is() {
    let history = history(Protocol::Memoir, 1_000, 10_000, "");
    let mut downstream = Downstream::new(
        Arc::clone(&history),
        &[LineFaults::default()],
        1,
        Timing::default(),
    );
    let all = play(&mut downstream);
    assert_eq!(all.len(), history.len());
    for (i, (at, _, payload)) in all.iter().enumerate() {
        let packet = history.packet(i).unwrap();
        assert_eq!((*at, &payload[..]), (packet.at, packet.payload));
    }
}
