use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const T: u64 = 1_795_271_400_000_000_000;

/// A packet: its line, first number and how many.
type Sent = (usize, u64, u64);

fn bring(lines: &mut Lines, (line, first, count): Sent, at: u64) {
    let span = SeqSpan { first, count };
    lines.bring(line, 0, span, count, at, UnixNanos(T + at));
}

fn brought(lines: usize, sent: &[Sent]) -> Lines {
    let mut all = Lines::new(lines);
    all.add_unit();
    for (at, &packet) in sent.iter().enumerate() {
        bring(&mut all, packet, at as u64 * 10);
    }
    all
}

/// What each line lost, what each lost alone, and what all lost.
fn losses(lines: &Lines) -> (Vec<u64>, Vec<u64>, u64) {
    (
        lines.iter().map(LineStats::lost).collect(),
        lines.iter().map(LineStats::lost_alone).collect(),
        lines.lost_by_all(),
    )
}

#[test]
fn what_one_lost_and_what_both_lost() {
    let sent = [
        (0, 1, 2),
        (1, 1, 2),
        (1, 3, 1), // lost by the first line alone, which finds out later
        (0, 4, 1),
        (1, 5, 1), // 4 lost by the second
        (0, 6, 1), // 5 lost by the first; it was there
        (0, 8, 1), // 7 lost by both
        (1, 6, 1),
        (1, 8, 1),
    ];
    let lines = brought(2, &sent);
    assert_eq!(losses(&lines), (vec![3, 2], vec![2, 1], 1));
    // The second brings it after all: now the first has lost it alone.
    let late = brought(2, &[&sent[..], &[(1, 7, 1)]].concat());
    assert_eq!(losses(&late), (vec![3, 1], vec![3, 1], 0));
    // And the first too.
    let both = brought(2, &[&sent[..], &[(1, 7, 1), (0, 7, 1), (0, 3, 1)]].concat());
    assert_eq!(losses(&both), (vec![1, 1], vec![1, 1], 0));
}

#[test]
fn a_line_that_was_away_for_long_lost_it_alone_but_for_what_all_lost() {
    let mut lines = brought(2, &[(0, 1, 1), (1, 1, 1)]);
    let away = 300_000;
    for n in (2..away).filter(|n| ![77, 290_000].contains(n)) {
        bring(&mut lines, (0, n, 1), n);
    }
    bring(&mut lines, (1, away, 1), away);
    assert_eq!(
        losses(&lines),
        (vec![2, away - 2], vec![0, away - 4], 2),
        "one of the two is beyond the window"
    );
    assert_eq!(lines.silence(1).nanos, away - 10);
}

#[test]
fn one_line_loses_for_all() {
    let lines = brought(1, &[(0, 5, 1), (0, 9, 0)]);
    assert_eq!(losses(&lines), (vec![4 - 1], vec![0], 3));
    assert_eq!(lines[0].lead(), Quantiles::default());
}

#[test]
fn leads_are_of_the_line_that_was_earlier_and_sessions_begin_anew() {
    let mut lines = brought(2, &[(0, 1, 3), (1, 1, 3), (1, 4, 3), (0, 4, 3)]);
    bring(&mut lines, (0, 7, 1), 100);
    bring(&mut lines, (1, 7, 1), 190);
    let lead = |line: usize| lines[line].lead();
    assert_eq!((lead(0).count, lead(0).min, lead(0).max), (2, 10, 90));
    assert_eq!((lead(1).count, lead(1).min), (1, 10));
    lines.restart(0);
    bring(&mut lines, (1, 7, 1), 200);
    bring(&mut lines, (0, 7, 1), 230);
    bring(&mut lines, (0, 8, 0), 240);
    bring(&mut lines, (1, 8, 0), 250);
    assert_eq!((lines[0].lead().count, lines[1].lead().max), (2, 30));
    assert_eq!(losses(&lines), (vec![0, 0], vec![0, 0], 0));
}

#[test]
fn hostile_numbers_neither_overflow_nor_loop() {
    let mut lines = Lines::new(2);
    lines.add_unit();
    for _ in 0..3 {
        for (line, first, count) in [
            (0, 0, 1),
            (1, u64::MAX, 0),
            (0, u64::MAX - 1, 1),
            (0, 0, 65_535),
            (1, 0, 65_535),
            (1, u64::MAX, 0),
        ] {
            bring(&mut lines, (line, first, count), 0);
        }
        lines.restart(0);
    }
    assert!(lines.lost_by_all() > u64::MAX - 100);
}

proptest! {
    /// Against sets: whatever the lines lose, repeat and reorder, and wherever they join.
    #[test]
    fn agrees_with_sets(sent in prop::collection::vec((0usize..3, 1u64..300, 0u64..12), 1..200)) {
        let lines = brought(3, &sent);
        let mut sets = vec![BTreeSet::new(); 4];
        let mut bounds = [None::<(u64, u64)>; 4];
        for &(line, first, count) in &sent {
            for who in [line, 3] {
                let (start, next) = bounds[who].get_or_insert((first, first));
                *next = (*next).max(first + count);
                let start = *start;
                sets[who].extend((first..first + count).filter(|n| *n >= start));
            }
        }
        let lacks = |who: usize| {
            let (start, next) = bounds[who].unwrap_or_default();
            (start..next).filter(|n| !sets[who].contains(n)).collect::<Vec<u64>>()
        };
        for line in 0..3 {
            let lost = lacks(line);
            let alone = lost.iter().filter(|n| sets[3].contains(n)).count();
            prop_assert_eq!(lines[line].lost(), lost.len() as u64);
            prop_assert_eq!(lines[line].lost_alone(), alone as u64);
        }
        prop_assert_eq!(lines.lost_by_all(), lacks(3).len() as u64);
    }
}
