use super::super::{Account, Lines};
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn faults(text: &str) -> LineFaults {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Sends `n` packets, each with its number, one every `gap`; what arrived as time and number, and the fates.
fn carry(text: &str, seed: u64, n: u64, gap: u64) -> (Vec<(u64, u64)>, Vec<Fate>) {
    let mut line = FaultyLine::new(&faults(text), seed);
    let mut arrived = Vec::new();
    let mut fates = Vec::new();
    for i in 0..n {
        fates.push(line.send(i * gap, &i.to_be_bytes()));
        take(&mut line, i * gap, &mut arrived);
    }
    take(&mut line, u64::MAX, &mut arrived);
    assert_eq!(line.due(), None);
    assert_eq!((line.bytes, line.held.len(), line.flying.len()), (0, 0, 0));
    (arrived, fates)
}

fn take(line: &mut FaultyLine, now: u64, arrived: &mut Vec<(u64, u64)>) {
    while let Some(due) = line.due() {
        let Some(packet) = line.next(now) else {
            assert!(due > now);
            return;
        };
        assert_eq!(packet.at, due);
        let number = packet
            .payload
            .try_into()
            .map_or(u64::MAX, u64::from_be_bytes);
        arrived.push((packet.at, number));
    }
}

fn is_lost(fate: &Fate) -> bool {
    matches!(fate, Fate::Lost(_))
}

#[test]
fn a_line_without_faults_is_a_wire() {
    let (arrived, fates) = carry("", 1, 1_000, 10);
    assert!(arrived.iter().copied().eq((0..1_000).map(|i| (i * 10, i))));
    assert!(!fates.iter().any(is_lost));
    let (arrived, _) = carry("skew=50us", 1, 1_000, 10);
    assert!(
        arrived
            .iter()
            .copied()
            .eq((0..1_000).map(|i| (i * 10 + 50_000, i)))
    );
}

#[test]
fn losses_have_the_rate_and_the_bursts_that_were_asked_for() {
    const N: u64 = 100_000;
    for (text, mean) in [
        ("loss=1%", 1.0),
        ("loss=1% burst=3", 3.0),
        ("loss=1% burst=10", 10.0),
    ] {
        let (mut lost, mut bursts) = (0, 0);
        for seed in 0..5 {
            let (_, fates) = carry(text, seed, N, 1);
            let runs: Vec<_> = fates.chunk_by(|a, b| is_lost(a) == is_lost(b)).collect();
            let runs = runs.iter().filter(|run| is_lost(&run[0]));
            let one: usize = runs.clone().map(|run| run.len()).sum();
            // Six standard deviations of a line with bursts, whose variance is about twice their length.
            let deviation = 6.0 * (N as f64 * 0.01 * 2.0 * mean).sqrt();
            assert!(
                (one as f64 - 1_000.0).abs() < deviation,
                "{text} seed {seed}: {one}"
            );
            lost += one;
            bursts += runs.count();
        }
        let length = lost as f64 / bursts as f64;
        assert!(
            (length / mean - 1.0).abs() < 0.1,
            "{text}: bursts of {length}"
        );
    }
}

#[test]
fn other_faults_have_their_rates() {
    let count = |text: &str, what: fn(&Fate) -> bool| -> usize {
        let fates = (0..5).flat_map(|seed| carry(text, seed, 20_000, 1).1);
        fates.filter(what).count()
    };
    // Of 100,000; six standard deviations are about 190 at 1 % and 950 at a half.
    let dup = |f: &Fate| {
        matches!(
            f,
            Fate::Carried {
                duplicated: true,
                ..
            }
        )
    };
    assert!(count("dup=1%", dup).abs_diff(1_000) < 190);
    let corrupt = |f: &Fate| {
        matches!(
            f,
            Fate::Carried {
                corrupted: true,
                ..
            }
        )
    };
    assert!(count("corrupt=1%", corrupt).abs_diff(1_000) < 190);
    // A fifth of those that may wait draw no place to wait for.
    let held = |f: &Fate| matches!(f, Fate::Carried { held: true, .. });
    assert!(count("reorder=50%x4", held).abs_diff(40_000) < 950);
    assert_eq!(count("reorder=50%x4", is_lost), 0);
}

#[test]
fn a_silence_takes_what_is_sent_in_it_and_nothing_else() {
    let (arrived, fates) = carry("silence=200ns@1us silence=1ns@0ns delay=1us", 3, 200, 10);
    for (i, fate) in fates.iter().enumerate() {
        let silent = i == 0 || (100..120).contains(&i);
        assert_eq!(*fate == Fate::Lost(Cause::Silence), silent, "{i}");
    }
    assert_eq!(arrived.len(), 200 - 21);
}

#[test]
fn a_packet_is_overtaken_by_as_many_as_were_allowed_and_waits_a_millisecond_at_most() {
    let mut farthest = 0;
    for text in ["reorder=5", "reorder=10%x5"] {
        let (arrived, _) = carry(text, 1, 2_000, 10);
        for (i, &(_, number)) in arrived.iter().enumerate() {
            let overtaken = arrived[i.saturating_sub(20)..i]
                .iter()
                .filter(|&&(_, other)| other > number)
                .count();
            farthest = overtaken.max(farthest);
        }
        assert_eq!(arrived.len(), 2_000);
    }
    assert_eq!(farthest, 5);
    // At a packet every 10 ms nobody comes in time to overtake.
    let (arrived, _) = carry("reorder=5", 1, 100, 10_000_000);
    for (i, &(at, number)) in arrived.iter().enumerate() {
        assert_eq!(number, i as u64);
        assert!(at == number * 10_000_000 || at == number * 10_000_000 + FaultyLine::HELD_NS);
    }
}

#[test]
fn delays_fill_their_range_and_come_in_order_of_time() {
    let (arrived, _) = carry("delay=10us..20us", 5, 10_000, 1_000);
    let delays: Vec<u64> = arrived.iter().map(|&(at, n)| at - n * 1_000).collect();
    assert!(arrived.is_sorted_by_key(|&(at, _)| at));
    assert!(delays.iter().all(|d| (10_000..=20_000).contains(d)));
    assert!(*delays.iter().min().unwrap() < 10_050 && *delays.iter().max().unwrap() > 19_950);
    assert!((delays.iter().sum::<u64>() / 10_000).abs_diff(15_000) < 200);
}

#[test]
fn corruption_changes_one_byte_and_a_second_copy_has_it_too() {
    let mut line = FaultyLine::new(&faults("corrupt=100% dup=100%"), 9);
    let mut places = BTreeSet::new();
    for i in 0..500u64 {
        line.send(i, &[0x55; 16]);
        let first = line.next(i).unwrap().payload.to_vec();
        assert_eq!(line.next(i).unwrap().payload, first);
        let changed: Vec<_> = (0..16).filter(|&at| first[at] != 0x55).collect();
        assert_eq!(changed.len(), 1);
        places.insert(changed[0]);
    }
    assert_eq!(places.len(), 16);
    // There is nothing to change in an empty packet.
    let fate = line.send(500, b"");
    assert!(matches!(
        fate,
        Fate::Carried {
            corrupted: false,
            ..
        }
    ));
}

#[test]
fn one_fault_more_leaves_the_others_as_they_were() {
    let lost = |text: &str| -> Vec<usize> {
        let fates = carry(text, 11, 5_000, 1).1;
        (0..5_000).filter(|&i| is_lost(&fates[i])).collect()
    };
    let alone = lost("loss=3% burst=2");
    assert!(alone.len() > 50);
    assert_eq!(
        lost("loss=3% burst=2 dup=5% reorder=3 delay=0..1us corrupt=2%"),
        alone
    );
    let dups = |text: &str| -> Vec<usize> {
        let fates = carry(text, 11, 5_000, 1).1;
        let dup = |f: &Fate| {
            matches!(
                f,
                Fate::Carried {
                    duplicated: true,
                    ..
                }
            )
        };
        (0..5_000).filter(|&i| dup(&fates[i])).collect()
    };
    let copies = dups("dup=5% loss=3%");
    let alone = dups("dup=5%");
    assert!(copies.iter().all(|i| alone.contains(i)) && copies.len() < alone.len());
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut line = FaultyLine::new(&faults("skew=1s dup=100%"), 1);
    let full = Fate::Lost(Cause::Full);
    let n = FaultyLine::PACKETS_MAX;
    assert_eq!((0..n).filter(|_| line.send(0, b"x") == full).count(), n / 2);
    let mut line = FaultyLine::new(&faults("skew=1s"), 1);
    let large = vec![0; 65_507];
    let carried = (0..2_000).filter(|_| line.send(0, &large) != full).count();
    assert_eq!(carried, FaultyLine::BYTES_MAX / large.len());
    while line.next(u64::MAX).is_some() {}
    assert_ne!(line.send(u64::MAX, &large), full);
}

fn some_faults() -> impl Strategy<Value = LineFaults> {
    prop::sample::select(vec![
        "",
        "loss=10%",
        "loss=10% burst=3 dup=10%",
        "dup=30% reorder=4",
        "reorder=50%x9 delay=0..40ns corrupt=10%",
        "loss=5% delay=0..3us skew=1us dup=10% reorder=3",
        "silence=500ns@200ns dup=10% corrupt=5% skew=2ms",
    ])
    .prop_map(faults)
}

/// Packets as gaps between them and lengths.
fn packets() -> impl Strategy<Value = Vec<(u64, usize)>> {
    let gap = prop_oneof![4 => 0..50u64, 1 => 0..2_000_000u64];
    prop::collection::vec((gap, 0..12usize), 1..150)
}

proptest! {
    /// Asking often, seldom, or only at the end gives the same arrivals.
    #[test]
    fn it_does_not_matter_when_arrivals_are_asked_for(
        faults in some_faults(),
        seed in any::<u64>(),
        packets in packets(),
        asked in prop::collection::vec(any::<bool>(), 150),
    ) {
        let run = |ask: &dyn Fn(usize) -> bool| {
            let mut line = FaultyLine::new(&faults, seed);
            let (mut now, mut out) = (0, Vec::new());
            for (i, &(gap, length)) in packets.iter().enumerate() {
                if ask(i) {
                    while let Some(p) = line.next(now + gap / 2) {
                        out.push((p.at, p.payload.to_vec()));
                    }
                }
                now += gap;
                line.send(now, &vec![i as u8; length]);
            }
            while let Some(p) = line.next(u64::MAX) {
                out.push((p.at, p.payload.to_vec()));
            }
            out
        };
        let at_the_end = run(&|_| false);
        prop_assert!(at_the_end.is_sorted_by_key(|(at, _)| *at));
        prop_assert_eq!(&run(&|_| true), &at_the_end);
        prop_assert_eq!(&run(&|i| asked[i]), &at_the_end);
    }

    /// What the account says of two lines is what a slow count of the packets that came out says.
    #[test]
    fn the_account_is_true(
        a in some_faults(),
        b in some_faults(),
        seed in any::<u64>(),
        packets in prop::collection::vec((0..50u64, 0..4u64), 1..150),
    ) {
        let mut lines = Lines::new(&[a, b], seed);
        let (mut now, mut number) = (0, 1);
        let mut spans = Vec::new();
        for (i, &(gap, messages)) in packets.iter().enumerate() {
            now += gap;
            // The index three times over, so that a changed byte can be told.
            lines.send(now, number..number + messages, &[i as u8; 3]);
            spans.push(number..number + messages);
            number += messages;
        }
        let mut copies = [BTreeMap::new(), BTreeMap::new()];
        let mut damaged = [BTreeSet::new(), BTreeSet::new()];
        while let Some(p) = lines.next(u64::MAX) {
            let [x, y, z] = p.payload.try_into().unwrap();
            // Two of the three are as they were.
            let index = if x == y || x == z { x } else { y };
            *copies[p.line].entry(index).or_insert(0) += 1;
            if x != y || y != z {
                damaged[p.line].insert(index);
            }
        }
        let account: &Account = lines.account();
        let numbers = |has: &dyn Fn(u8) -> bool| -> Vec<u64> {
            let packets = spans.iter().enumerate().filter(|(i, _)| has(*i as u8));
            packets.flat_map(|(_, span)| span.clone()).collect()
        };
        let flat = |spans: &super::super::Spans| -> Vec<u64> {
            spans.ranges().iter().cloned().flatten().collect()
        };
        prop_assert_eq!(flat(account.sent()), numbers(&|_| true));
        for line in 0..2 {
            let (copies, damaged) = (&copies[line], &damaged[line]);
            prop_assert_eq!(flat(&account.lost(line)), numbers(&|i| !copies.contains_key(&i)));
            prop_assert_eq!(flat(account.damaged(line)), numbers(&|i| damaged.contains(&i)));
            let intact = |i| copies.contains_key(&i) && !damaged.contains(&i);
            prop_assert_eq!(flat(account.intact(line)), numbers(&intact));
            let counts = account.counts(line);
            prop_assert_eq!(counts.sent, packets.len() as u64);
            prop_assert_eq!(counts.lost_in_all(), (packets.len() - copies.len()) as u64);
            prop_assert_eq!(counts.arriving(), copies.values().sum::<u64>());
            prop_assert_eq!(counts.duplicated, copies.values().filter(|&&n| n == 2).count() as u64);
            prop_assert_eq!(counts.corrupted, damaged.len() as u64);
        }
        let nowhere = |i| copies.iter().all(|line| !line.contains_key(&i));
        prop_assert_eq!(flat(&account.lost_by_all()), numbers(&nowhere));
        let broken = |i| (0..2).all(|l| !copies[l].contains_key(&i) || damaged[l].contains(&i));
        prop_assert_eq!(flat(&account.intact_on_none()), numbers(&broken));
    }
}
