//! Orders with ranks, alone and beside numbered levels.

use crate::both::{Both, Op, Part, What};
use feed_common::event::{Price, Side, SlotAction};
use feed_handler::book::{BookLimits, Fault};

const LIMITS: BookLimits = BookLimits {
    orders: 5,
    levels: 3,
    instruments: 1,
};

fn op(what: What) -> Op {
    Op {
        instrument: 0,
        recovering: false,
        open: false,
        what,
    }
}

/// A bid.
fn ranked(id: u64, price: i64, quantity: u64, rank: u64) -> Op {
    op(What::Ranked(id, Side::BUY, Price(price), quantity, rank))
}

fn slot(price: i64) -> Op {
    let (new, side) = (SlotAction::New, Side::BUY);
    op(What::Slot(false, new, side, 1, Price(price), 70))
}

#[test]
fn a_queue_is_in_the_order_of_ranks_not_of_arrival() {
    let mut both = Both::new(LIMITS);
    for (id, rank) in [(1, 30), (2, 10), (3, 40), (4, 20), (5, 30)] {
        assert!(both.ok(ranked(id, 100, 1, rank)).bbo);
    }
    let queue = vec![(2, 1), (4, 1), (1, 1), (5, 1), (3, 1)];
    assert_eq!(both.side(0, Side::BUY), [(100, 5, queue)]);
    both.ok(op(What::Delete(1)));
    let queue = vec![(2, 1), (4, 1), (5, 1), (3, 1)];
    assert_eq!(both.side(0, Side::BUY), [(100, 4, queue)]);
    assert!(both.faults().is_empty());
}

#[test]
fn a_change_keeps_the_place_unless_price_or_rank_is_another() {
    let mut both = Both::new(LIMITS);
    for (id, rank) in [(1, 10), (2, 10), (3, 20)] {
        both.ok(ranked(id, 100, 5, rank));
    }
    both.ok(ranked(1, 100, 9, 10));
    let queue = vec![(1, 9), (2, 5), (3, 5)];
    assert_eq!(both.side(0, Side::BUY), [(100, 19, queue)]);
    both.ok(ranked(1, 100, 9, 30));
    let queue = vec![(2, 5), (3, 5), (1, 9)];
    assert_eq!(both.side(0, Side::BUY), [(100, 19, queue)]);
    assert!(both.ok(ranked(3, 101, 5, 1)).bbo);
    let queue = vec![(2, 5), (1, 9)];
    let all = [(101, 5, vec![(3, 5)]), (100, 14, queue)];
    assert_eq!(both.side(0, Side::BUY), all);
    // It may change its side, and leave by having nothing left.
    both.ok(op(What::Ranked(2, Side::SELL, Price(102), 5, 1)));
    both.ok(ranked(1, 100, 0, 30));
    assert_eq!(both.side(0, Side::BUY), [(101, 5, vec![(3, 5)])]);
    assert_eq!(both.side(0, Side::SELL), [(102, 5, vec![(2, 5)])]);
    assert!(both.faults().is_empty());
    both.ok(ranked(1, 100, 0, 30));
    both.ok(op(What::Ranked(2, Side::SELL, Price::NULL, 5, 1)));
    let faults = [(Fault::UnknownOrder, 1), (Fault::LevelRange, 1)];
    assert_eq!(both.faults(), faults);
}

#[test]
fn beside_numbered_levels_orders_are_in_queues_and_levels_are_the_feed_s() {
    let mut both = Both::new(LIMITS);
    both.ok(ranked(1, 100, 5, 1));
    both.ok(ranked(2, 99, 5, 1));
    assert_eq!(both.fast.bbo(0).bid.quantity, 5);
    assert!(
        both.ok(slot(100)).bbo,
        "what the feed says counts from now on"
    );
    assert_eq!(both.fast.bbo(0).bid.quantity, 70);
    assert_eq!(both.side(0, Side::BUY), [(100, 70, vec![(1, 5)])]);
    let beside = |both: &Both| both.numbers(0, Side::BUY, Part::Beside).len();
    assert_eq!(beside(&both), 2);
    both.compare_digests().unwrap();

    assert!(!both.ok(ranked(3, 105, 5, 1)).bbo);
    assert!(!both.ok(op(What::Delete(1))).bbo);
    assert_eq!(both.side(0, Side::BUY), [(100, 70, vec![])]);
    assert!(both.ok(op(What::Clear)).bbo);
    assert_eq!((beside(&both), both.fast.live_orders()), (0, 0));
    assert!(!both.ok(ranked(1, 100, 5, 1)).bbo, "levels are numbered");
    both.ok(op(What::Restart));
    assert!(both.ok(ranked(1, 100, 5, 1)).bbo);
    assert!(both.faults().is_empty());
}

#[test]
fn ranked_orders_and_others_do_not_mix() {
    let mut both = Both::new(LIMITS);
    both.ok(ranked(1, 100, 5, 1));
    both.ok(op(What::Add(2, Side::BUY, Price(100), 5)));
    both.ok(op(What::Execute(1, 2)));
    both.ok(op(What::Replace(1, 2, Price(100), 5)));
    both.ok(op(What::Modify(1, Price(100), 2)));
    assert_eq!(both.side(0, Side::BUY), [(100, 5, vec![(1, 5)])]);
    let faults = [(Fault::UnknownOrder, 3), (Fault::LevelRange, 1)];
    assert_eq!(both.faults(), faults);
}

#[test]
fn full_tables_leave_the_order_out() {
    let mut both = Both::new(LIMITS);
    for price in 1..=3 {
        both.ok(ranked(price as u64, price, 5, 1));
    }
    both.ok(ranked(4, 4, 5, 1));
    assert_eq!(both.faults(), [(Fault::LevelsFull, 1)]);
    both.ok(ranked(4, 3, u64::MAX, 1));
    both.ok(ranked(4, 3, 5, 1));
    both.ok(ranked(5, 3, 5, 1));
    both.ok(ranked(6, 3, 5, 1));
    let faults = [
        (Fault::LevelRange, 1),
        (Fault::OrdersFull, 1),
        (Fault::LevelsFull, 1),
    ];
    assert_eq!(both.faults(), faults);
    assert_eq!(both.fast.live_orders(), 5);
}
