use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SESSION: Session = *b"SESSION001";

fn want(first: u64, end: u64) -> Want {
    Want {
        missing: Missing {
            channel: 1,
            unit: 0,
            session: SESSION,
            span: SeqSpan::between(first, end),
        },
        brought: false,
        attempts: 0,
        deadline: u64::MAX,
        after: 0,
        refused: 0,
        failed: false,
    }
}

fn spans(wants: &Wants) -> Vec<(u64, u64)> {
    let spans = wants.iter().map(|w| w.missing.span);
    spans.map(|s| (s.first, s.end())).collect()
}

fn of(wishes: &[(u64, u64)]) -> Wants {
    let mut wants = Wants::new(8);
    for &(first, end) in wishes {
        wants.add(want(first, end), &mut |m| panic!("no room for {m:?}"));
    }
    wants
}

#[test]
fn no_number_is_wanted_twice() {
    assert_eq!(spans(&of(&[(5, 8), (1, 3)])), [(1, 3), (5, 8)]);
    assert_eq!(spans(&of(&[(5, 8), (6, 7)])), [(5, 8)]);
    assert_eq!(
        spans(&of(&[(5, 8), (10, 12), (4, 13)])),
        [(4, 5), (5, 8), (8, 10), (10, 12), (12, 13)]
    );
    assert_eq!(spans(&of(&[(5, 8), (7, 9)])), [(5, 8), (8, 9)]);
    assert_eq!(spans(&of(&[(5, 8), (5, 8)])), [(5, 8)]);
}

#[test]
fn what_there_is_no_room_for_is_handed_back() {
    let mut wants = Wants::new(2);
    let mut refused = Vec::new();
    for (first, end) in [(5, 6), (10, 11), (1, 20), (u64::MAX, u64::MAX)] {
        wants.add(want(first, end), &mut |m| {
            refused.push((m.span.first, m.span.end()));
        });
    }
    assert_eq!(refused, [(1, 5), (6, 10), (11, 20), (u64::MAX, u64::MAX)]);
    assert_eq!(spans(&wants), [(5, 6), (10, 11)]);
}

#[test]
fn what_comes_in_the_middle_leaves_two() {
    let mut wants = of(&[(5, 9)]);
    assert!(!wants.take(SESSION, 4) && !wants.take(SESSION, 9));
    assert!(!wants.take(*b"YESTERDAY ", 7));
    assert!(wants.take(SESSION, 7) && !wants.take(SESSION, 7));
    assert_eq!(spans(&wants), [(5, 7), (8, 9)]);
    assert!(wants.take(SESSION, 8) && wants.take(SESSION, 5));
    assert_eq!(spans(&wants), [(6, 7)]);
}

#[test]
fn servers_are_asked_for_what_they_have_not_refused() {
    let mut wants = of(&[(5, 9), (20, 30)]);
    wants.refuse_before(SESSION, 7, 2);
    assert_eq!(spans(&wants), [(5, 7), (7, 9), (20, 30)]);
    let next = |from, server| wants.next_of(SESSION, from, server);
    assert_eq!(
        [next(0, 1), next(0, 2), next(6, 1), next(8, 2), next(9, 2)],
        [Some(5), Some(7), Some(6), Some(8), Some(20)]
    );
    assert_eq!(next(30, 1), None);
}

proptest! {
    /// Against a set of numbers.
    #[test]
    fn wants_are_a_set_of_numbers(
        steps in prop::collection::vec((0u8..8, 1u64..60, 1u64..20), 1..60),
    ) {
        let mut wants = Wants::new(6);
        let mut model = BTreeSet::new();
        for (what, first, count) in steps {
            match what {
                0..3 => {
                    let mut refused = BTreeSet::new();
                    wants.add(want(first, first + count), &mut |m| {
                        refused.extend(m.span.first..m.span.end());
                    });
                    prop_assert!(refused.is_disjoint(&model));
                    model.extend((first..first + count).filter(|n| !refused.contains(n)));
                }
                3..6 => {
                    let full = spans(&wants).len() == 12;
                    let taken = wants.take(SESSION, first);
                    prop_assert!(taken == model.contains(&first) || full);
                    if taken {
                        model.remove(&first);
                    }
                }
                6 => {
                    let settled = want(first, first).missing;
                    wants.settle(&settled);
                    model = model.split_off(&first);
                }
                _ => wants.refuse_before(SESSION, first, 0),
            }
            let held = spans(&wants);
            prop_assert!(held.len() <= 12);
            prop_assert!(held.iter().all(|(first, end)| first < end));
            prop_assert!(held.windows(2).all(|w| w[0].1 <= w[1].0));
            let numbers: BTreeSet<_> = held.iter().flat_map(|&(f, e)| f..e).collect();
            prop_assert_eq!(&numbers, &model);
        }
    }
}

#[test]
fn spans_are_brought_and_fail_within_what_is_wanted() {
    let mut wants = of(&[(10, 20), (25, 30)]);
    assert_eq!(wants.channel_of(SESSION, SeqSpan::between(20, 25)), None);
    assert_eq!(wants.channel_of(SESSION, SeqSpan::between(19, 21)), Some(1));
    assert_eq!(
        wants.channel_of(*b"YESTERDAY ", SeqSpan::between(1, 99)),
        None
    );
    assert_eq!(wants.bring(SESSION, SeqSpan::between(15, 27)), 7);
    assert_eq!(spans(&wants), [(10, 15), (27, 30)]);
    assert!(wants.iter().all(|want| want.brought));
    wants.fail(SESSION, SeqSpan::between(1, 12));
    assert_eq!(spans(&wants), [(10, 12), (12, 15), (27, 30)]);
    assert_eq!(wants.channel_of(SESSION, SeqSpan::between(10, 12)), None);
    let mut failed = Vec::new();
    wants.hand_failed(&mut |m| {
        failed.push((m.span.first, m.span.end()));
        true
    });
    assert_eq!(failed, [(10, 12)]);
    assert_eq!(wants.bring(SESSION, SeqSpan::between(0, u64::MAX)), 6);
    assert_eq!(wants.iter().count(), 0);
}

#[test]
fn without_room_to_cut_a_want_stays_whole() {
    let mut wants = Wants::new(1);
    wants.add(want(10, 20), &mut |m| panic!("no room for {m:?}"));
    assert_eq!(wants.bring(SESSION, SeqSpan::between(12, 13)), 0);
    assert_eq!(spans(&wants), [(10, 12), (12, 20)]);
    assert_eq!(wants.bring(SESSION, SeqSpan::between(10, 20)), 10);
}
