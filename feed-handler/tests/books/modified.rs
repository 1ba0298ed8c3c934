//! Orders that change in place, and books that are crossed within an event.

use crate::both::{Both, Op, What};
use feed_common::event::{Price, Side};
use feed_handler::book::{BookLimits, Fault};

const LIMITS: BookLimits = BookLimits {
    orders: 4,
    levels: 4,
    instruments: 2,
};

fn op(what: What) -> Op {
    Op {
        instrument: 0,
        recovering: false,
        open: false,
        what,
    }
}

fn add(id: u64, side: Side, price: i64, quantity: u64) -> Op {
    op(What::Add(id, side, Price(price), quantity))
}

fn modify(id: u64, price: i64, quantity: u64) -> Op {
    op(What::Modify(id, Price(price), quantity))
}

/// Bids of 10 at 100, numbered 1 and 2, and of 10 at 99, numbered 3.
fn queue() -> Both {
    let mut both = Both::new(LIMITS);
    for (id, price) in [(1, 100), (2, 100), (3, 99)] {
        both.ok(add(id, Side::BUY, price, 10));
    }
    both
}

#[test]
fn at_its_price_an_order_keeps_its_place_whether_it_shrinks_or_grows() {
    let mut both = queue();
    assert!(both.ok(modify(1, 100, 4)).bbo);
    assert_eq!(both.side(0, Side::BUY)[0], (100, 14, vec![(1, 4), (2, 10)]));
    assert!(both.ok(modify(1, 100, 25)).bbo);
    assert_eq!(
        both.side(0, Side::BUY)[0],
        (100, 35, vec![(1, 25), (2, 10)])
    );
    assert!(!both.ok(modify(3, 99, 1)).bbo, "behind the best");
    assert!(!both.ok(modify(1, 100, 25)).bbo, "the same");
    assert!(both.faults().is_empty());
}

#[test]
fn at_another_price_it_goes_to_the_end() {
    let mut both = queue();
    assert!(both.ok(modify(1, 99, 7)).bbo);
    assert_eq!(
        both.side(0, Side::BUY),
        [(100, 10, vec![(2, 10)]), (99, 17, vec![(3, 10), (1, 7)])]
    );
    assert!(both.ok(modify(2, 101, 1)).bbo);
    assert_eq!(
        both.side(0, Side::BUY),
        [(101, 1, vec![(2, 1)]), (99, 17, vec![(3, 10), (1, 7)])]
    );
}

#[test]
fn with_nothing_left_it_leaves_and_an_unknown_one_changes_nothing() {
    let mut both = queue();
    both.ok(modify(1, 100, 0));
    both.ok(modify(2, 55, 0));
    assert_eq!(both.side(0, Side::BUY), [(99, 10, vec![(3, 10)])]);
    assert!(both.faults().is_empty());
    assert!(both.ok(modify(1, 100, 5)).suspect);
    assert_eq!(both.faults(), [(Fault::UnknownOrder, 1)]);
    assert_eq!(both.side(0, Side::BUY), [(99, 10, vec![(3, 10)])]);
}

#[test]
fn totals_cannot_overflow_and_a_price_must_be_one() {
    let mut both = queue();
    both.ok(modify(1, 100, u64::MAX));
    assert_eq!(
        both.side(0, Side::BUY)[0],
        (100, 20, vec![(1, 10), (2, 10)])
    );
    both.ok(op(What::Modify(1, Price::NULL, 5)));
    assert_eq!(both.side(0, Side::BUY)[0], (100, 10, vec![(2, 10)]));
    assert_eq!(both.faults(), [(Fault::LevelRange, 2)]);
}

#[test]
fn a_replacement_by_its_own_number_loses_its_place() {
    let mut both = queue();
    let replaced = both.ok(op(What::Replace(1, 1, Price(100), 10)));
    assert!(!replaced.bbo && !replaced.suspect);
    assert_eq!(
        both.side(0, Side::BUY)[0],
        (100, 20, vec![(2, 10), (1, 10)])
    );
    both.ok(op(What::Replace(2, 2, Price(98), 3)));
    assert_eq!(
        both.side(0, Side::BUY),
        [
            (100, 10, vec![(1, 10)]),
            (99, 10, vec![(3, 10)]),
            (98, 3, vec![(2, 3)])
        ]
    );
    assert!(both.faults().is_empty());
}

/// Bid 10 and offer 12 of an instrument that trades continuously.
fn trading() -> Both {
    let mut both = Both::new(LIMITS);
    both.ok(op(What::Says(true)));
    both.ok(add(1, Side::BUY, 10, 1));
    both.ok(add(2, Side::SELL, 12, 1));
    both
}

fn open(op: Op) -> Op {
    Op { open: true, ..op }
}

#[test]
fn a_book_may_be_crossed_within_an_event() {
    let mut both = trading();
    both.ok(open(modify(1, 13, 1)));
    let whole = both.ok(modify(2, 14, 1));
    both.ok(op(What::End));
    assert!(!whole.suspect && both.faults().is_empty());
}

#[test]
fn what_is_crossed_when_the_event_ends_is_a_fault_also_if_the_end_is_another_s() {
    let mut both = trading();
    assert!(!both.ok(open(modify(1, 13, 1))).suspect);
    let other = Op {
        instrument: 1,
        ..add(3, Side::BUY, 5, 1)
    };
    both.ok(other);
    both.ok(op(What::End));
    assert_eq!(both.faults(), [(Fault::Crossed, 1)]);
    assert!(both.fast.is_suspect(0) && !both.fast.is_suspect(1));
    // It stays crossed, which is counted once.
    both.ok(modify(1, 14, 1));
    both.ok(open(modify(1, 15, 1)));
    both.ok(op(What::End));
    assert_eq!(both.faults(), [(Fault::Crossed, 1)]);
}

#[test]
fn what_the_whole_market_says_is_of_instruments_not_heard_of_too() {
    let mut both = Both::new(LIMITS);
    both.ok(op(What::AllSay(true)));
    both.ok(add(1, Side::BUY, 10, 1));
    assert!(both.ok(add(2, Side::SELL, 9, 1)).suspect);
    let other = |op: Op| Op {
        instrument: 1,
        ..op
    };
    both.ok(other(op(What::Says(false))));
    both.ok(other(add(1, Side::BUY, 10, 1)));
    assert!(!both.ok(other(add(2, Side::SELL, 9, 1))).suspect);
}
