//! Against the records themselves: where two streams of records really part.

use super::*;
use crate::trail::{Last, Origin, Totals};
use feed_common::event::Record;
use proptest::prelude::*;

const CHANNEL: &str = "c";

/// Two records of each message, which say how often the message was changed.
fn records(sequences: impl Iterator<Item = u64>) -> Vec<Record> {
    let two = |sequence| {
        [1, 2].map(|id| {
            let mut record = Record::default();
            record.sequence.set(sequence);
            record.order_id.set(id);
            record
        })
    };
    sequences.flat_map(two).collect()
}

fn print(records: &[Record]) -> Fingerprint {
    let mut print = Fingerprint::EMPTY;
    records.iter().for_each(|r| print.update(r));
    print
}

fn place() -> Place {
    Place {
        channel: CHANNEL.to_owned(),
        unit: 0,
        epoch: 0,
    }
}

/// The trail of a run with these records.
fn trail(records: &[Record], every: u64, next: u64) -> Trail {
    let mut trail = Trail::new(every, vec![CHANNEL.to_owned()], Origin::default());
    let mut stream = Stream::default();
    for (i, pair) in records.windows(2).enumerate() {
        let [before, after] = [&pair[0], &pair[1]].map(|r| r.sequence.get() / every);
        if after > before {
            stream.at.insert(after * every, print(&records[..=i]));
        }
    }
    let first = records.first().map(|r| r.sequence.get());
    stream.begin = first.map(|first| (first, Fingerprint::EMPTY));
    trail.streams.insert(place(), stream);
    let last = Last {
        channel: CHANNEL.to_owned(),
        unit: 0,
        epoch: 0,
        next,
        print: print(records),
    };
    trail.done(vec![last], Totals::default());
    trail
}

fn whole() -> Vec<Record> {
    records(1..200)
}

fn within(records: &[Record], part: &Part) -> Vec<Record> {
    let to = part.to.unwrap_or(u64::MAX);
    let of = records
        .iter()
        .filter(|r| (part.from..to).contains(&r.sequence.get()));
    of.copied().collect()
}

proptest! {
    #[test]
    fn stretches_part_where_their_records_do(
        changed in prop::collection::btree_set(0usize..398, 0..6),
        removed in prop::collection::btree_set(0usize..398, 0..6),
        every in prop::sample::select(vec![1u64, 8, 32]),
        coarser in prop::sample::select(vec![1u64, 4]),
    ) {
        let a = whole();
        let mut b = Vec::new();
        for (i, record) in a.iter().enumerate() {
            let mut record = *record;
            if changed.contains(&i) {
                record.data.quantity.set(7);
            }
            // The first message stays, so that both begin alike.
            if i < 2 || !removed.contains(&i) {
                b.push(record);
            }
        }
        let found = compare(&trail(&a, every, 200), &trail(&b, every * coarser, 200));
        let compared = &found.compared[0];
        prop_assert_eq!((compared.from, compared.to), (Some(1), Some(200)));
        for part in &found.parts {
            prop_assert_eq!(part.kind, PartKind::Records);
            let [x, y] = [within(&a, part), within(&b, part)];
            prop_assert_ne!(&x, &y);
            prop_assert_eq!(part.records, [Some(x.len() as u64), Some(y.len() as u64)]);
        }
        let first = a.iter().zip(&b).find(|(x, y)| x != y).map(|(x, y)| x.sequence.get().min(y.sequence.get()));
        let first = first.or(a.get(b.len()).map(|r| r.sequence.get()));
        match (first, found.parts.first()) {
            (None, part) => prop_assert!(part.is_none()),
            (Some(first), Some(part)) => {
                prop_assert!(part.from <= first && part.to.is_none_or(|to| first < to), "{} {:?}", first, part);
                prop_assert!(part.to.unwrap_or(200) - part.from <= every * coarser + every * coarser);
            }
            (Some(first), None) => prop_assert!(false, "they part at {}", first),
        }
        // Every record that is not on the other side lies in a part.
        for record in a.iter().filter(|r| !b.contains(r)) {
            let at = record.sequence.get();
            prop_assert!(found.parts.iter().any(|p| p.from <= at && p.to.is_none_or(|to| at < to)));
        }
    }
}

#[test]
fn a_late_beginning_and_an_early_end_are_told_apart_from_other_records() {
    let a = trail(&whole(), 16, 200);
    let late = compare(&a, &trail(&records(50..200), 16, 200));
    let [begins] = &late.parts[..] else {
        panic!("{:?}", late.parts);
    };
    assert_eq!(
        (begins.kind, begins.from, begins.to, begins.less),
        (PartKind::Begins, 1, Some(64), Some(1))
    );
    assert_eq!(late.compared[0].parted, 0);
    let early = compare(&trail(&records(1..100), 16, 100), &a);
    let [ends] = &early.parts[..] else {
        panic!("{:?}", early.parts);
    };
    assert_eq!(
        (ends.kind, ends.from, ends.to, ends.less),
        (PartKind::Ends, 100, Some(200), Some(0))
    );
    // Behind the last number that both have noted, the shorter side has this.
    let tail = print(&records(96..100)).since(&Fingerprint::EMPTY);
    assert_eq!(ends.known.tail, Some((96, tail)));
}

#[test]
fn the_order_of_a_messages_records_is_seen() {
    let mut b = whole();
    b.swap(120, 121);
    let found = compare(&trail(&whole(), 16, 200), &trail(&b, 16, 200));
    let [part] = &found.parts[..] else {
        panic!("{:?}", found.parts);
    };
    assert_eq!(
        (part.kind, part.from, part.to),
        (PartKind::Order, 48, Some(64))
    );
}

#[test]
fn gaps_of_one_side_are_named_where_they_are() {
    let mut b = trail(&records((1..60).chain(65..200)), 16, 200);
    let stream = b.streams.get_mut(&place()).unwrap();
    let gap = GapMark {
        first: 60,
        count: 5,
    };
    stream.gaps.push(gap);
    let found = compare(&trail(&whole(), 16, 200), &b);
    // The gap reaches over a boundary.
    let parts: Vec<_> = found
        .parts
        .iter()
        .map(|p| (p.from, p.gaps.clone()))
        .collect();
    assert_eq!(
        parts,
        [(48, [vec![], vec![gap]]), (64, [vec![], vec![gap]])]
    );
}

#[test]
fn marks_that_are_missing_make_stretches_longer() {
    let (a, mut b) = (trail(&whole(), 16, 200), trail(&whole(), 16, 200));
    let stream = b.streams.get_mut(&place()).unwrap();
    stream.at.retain(|at, _| at % 64 == 0);
    let found = compare(&a, &b);
    assert!(found.parts.is_empty());
    assert_eq!(found.compared[0].stretches, 4);
}

#[test]
fn a_trail_that_stops_is_one_that_ends_early_and_a_numbering_that_one_lacks_is_said() {
    let a = trail(&whole(), 16, 200);
    let mut b = trail(&records(1..100), 16, 100);
    b.totals = None;
    b.streams.get_mut(&place()).unwrap().end = None;
    let found = compare(&a, &b);
    let kinds: Vec<_> = found
        .parts
        .iter()
        .map(|p| (p.kind, p.from, p.less))
        .collect();
    assert_eq!(kinds, [(PartKind::Ends, 96, Some(1))]);
    b.streams.clear();
    let found = compare(&a, &b);
    let kinds: Vec<_> = found
        .parts
        .iter()
        .map(|p| (p.kind, p.from, p.less))
        .collect();
    assert_eq!(kinds, [(PartKind::OneSided, 1, Some(1))]);
}
