//! Books of the exchange's own numbered levels. What each action moves is in the unit tests of the slots.

use crate::both::{Both, Op, Part, What};
use feed_common::event::{Name, Price, Side, SlotAction, SlotAction::*};
use feed_handler::book::{Bbo, BookLimits, Fault, Quote, View};

const LIMITS: BookLimits = BookLimits {
    orders: 0,
    levels: 0,
    instruments: 3,
};

fn op(what: What) -> Op {
    Op {
        instrument: 2,
        recovering: false,
        open: false,
        what,
    }
}

/// A level of 5 in the real book.
fn bid(action: SlotAction, level: u8, price: i64) -> Op {
    op(What::Slot(false, action, Side::BUY, level, Price(price), 5))
}

fn bids(both: &Both) -> Vec<(u32, i64)> {
    both.numbers(2, Side::BUY, Part::Real)
}

#[test]
fn who_joins_late_knows_some_levels_and_keeps_their_numbers() {
    let mut both = Both::new(LIMITS);
    assert!(!both.ok(bid(Change, 3, 97)).bbo, "not the first");
    assert_eq!(bids(&both), [(3, 97)]);
    assert_eq!(both.fast.bbo(2), Bbo::EMPTY);
    both.ok(bid(New, 2, 98));
    assert_eq!(bids(&both), [(2, 98), (4, 97)]);
    both.ok(bid(Delete, 3, 0));
    assert_eq!(bids(&both), [(2, 98), (3, 97)]);
    assert!(both.ok(bid(Delete, 1, 0)).bbo);
    assert_eq!(bids(&both), [(1, 98), (2, 97)]);
    let quote = Quote {
        price: Price(98),
        quantity: 5,
    };
    assert_eq!(both.fast.bbo(2).bid, quote);
    assert!(both.ok(bid(Overlay, 1, 99)).bbo);
    assert!(!both.ok(bid(Overlay, 1, 99)).bbo, "the same");
    assert!(both.ok(bid(DeleteThru, 1, 0)).bbo);
    assert_eq!(bids(&both), [(1, 97)]);
    both.ok(bid(DeleteFrom, 1, 0));
    assert_eq!(bids(&both), []);
    assert!(both.faults().is_empty());
}

#[test]
fn a_level_has_its_orders_and_may_have_no_quantity() {
    let mut both = Both::new(LIMITS);
    both.ok(op(What::Slot(false, New, Side::SELL, 1, Price(7), 0)));
    both.ok(op(What::Slot(false, New, Side::SELL, 2, Price(-8), 3)));
    let mut rows = Vec::new();
    both.fast.levels(2, Side::SELL, &mut |number, level| {
        rows.push((number, level.price.0, level.quantity, level.orders));
    });
    assert_eq!(rows, [(1, 7, 0, Some(1)), (2, -8, 3, None)]);
}

#[test]
fn the_implied_book_is_apart_and_makes_no_best_price() {
    let mut both = Both::new(LIMITS);
    let implied = op(What::Slot(true, New, Side::BUY, 1, Price(200), 5));
    assert!(!both.ok(implied).bbo);
    both.ok(bid(New, 1, 100));
    assert_eq!(bids(&both), [(1, 100)]);
    assert_eq!(both.numbers(2, Side::BUY, Part::Implied), [(1, 200)]);
    let digest = feed_handler::book::digest(&both.fast);
    both.ok(op(What::Slot(true, Overlay, Side::BUY, 1, Price(201), 5)));
    assert_ne!(digest, feed_handler::book::digest(&both.fast));
    both.compare_digests().unwrap();
}

#[test]
fn depths_are_ten_and_two_unless_a_definition_says_others() {
    let mut both = Both::new(LIMITS);
    both.ok(bid(New, 10, 90));
    both.ok(bid(New, 1, 100));
    assert_eq!(bids(&both), [(1, 100)], "what was the tenth is gone");
    both.ok(op(What::Define([3, 1], false)));
    both.ok(bid(New, 3, 98));
    both.ok(bid(New, 1, 101));
    assert_eq!(bids(&both), [(1, 101), (2, 100)]);
    let second = op(What::Slot(true, New, Side::BUY, 2, Price(200), 5));
    assert!(both.ok(second).suspect);
    // A definition outlives the session; one that says less cuts the book.
    both.ok(op(What::Restart));
    assert!(both.ok(bid(New, 4, 97)).suspect);
    both.ok(bid(New, 1, 97));
    both.ok(bid(New, 1, 98));
    both.ok(op(What::Define([1, 1], false)));
    assert_eq!(bids(&both), [(1, 98)]);
    assert_eq!(both.faults(), [(Fault::LevelRange, 2)]);
}

#[test]
fn levels_that_cannot_be_are_counted_and_change_nothing() {
    let mut both = Both::new(LIMITS);
    both.ok(bid(New, 1, 100));
    for level in [0, 11, 200] {
        assert!(both.ok(bid(New, level, 99)).suspect);
    }
    both.ok(op(What::Slot(false, New, Side::NONE, 1, Price(1), 5)));
    both.ok(op(What::Slot(false, New, Side::BUY, 1, Price::NULL, 5)));
    assert_eq!(bids(&both), [(1, 100)]);
    assert_eq!(both.faults(), [(Fault::LevelRange, 5)]);
    both.ok(op(What::Slot(false, Delete, Side::BUY, 1, Price::NULL, 0)));
    assert_eq!(bids(&both), []);
}

#[test]
fn a_cleared_book_knows_no_level() {
    let mut both = Both::new(LIMITS);
    both.ok(bid(New, 1, 100));
    both.ok(op(What::Slot(true, New, Side::SELL, 1, Price(101), 5)));
    assert!(both.ok(op(What::Clear)).bbo);
    assert_eq!(bids(&both), []);
    assert_eq!(both.numbers(2, Side::SELL, Part::Implied), []);
    both.ok(bid(Change, 2, 99));
    assert_eq!(bids(&both), [(2, 99)]);
}

#[test]
fn a_name_too_long_for_a_symbol_is_that_of_the_definition() {
    let mut both = Both::new(LIMITS);
    both.ok(bid(New, 1, 100));
    let names = |both: &Both| both.fast.instruments();
    assert_eq!(names(&both), [(2, Name::new(b"#2"))]);
    both.ok(op(What::Define([0; 2], true)));
    assert_eq!(names(&both), [(2, Name::new(b"2-TOO-LONG"))]);
    both.compare_digests().unwrap();
    both.ok(op(What::Define([0; 2], false)));
    assert_eq!(names(&both), [(2, Name::new(b"#2"))]);
}
