//! Books of totals and of best prices.

use crate::both::{Both, Op, What};
use feed_common::event::{Price, Side};
use feed_handler::book::{Bbo, BookLimits, Fault, Level, Quote, View};

const LIMITS: BookLimits = BookLimits {
    orders: 8,
    levels: 3,
    instruments: 2,
};

fn op(what: What) -> Op {
    Op {
        instrument: 1,
        recovering: false,
        open: false,
        what,
    }
}

fn level(side: Side, price: i64, quantity: u64) -> Op {
    op(What::Level(
        side,
        Level {
            price: Price(price),
            quantity,
            orders: (price % 2 == 0).then_some(7),
        },
    ))
}

fn quote(side: Side, price: Price, quantity: u64) -> Op {
    op(What::Quote(side, Quote { price, quantity }))
}

#[test]
fn levels_are_set_and_removed() {
    let mut both = Both::new(LIMITS);
    assert!(both.ok(level(Side::BUY, 10, 5)).bbo);
    assert!(!both.ok(level(Side::BUY, 9, 5)).bbo);
    assert!(both.ok(level(Side::BUY, 10, 6)).bbo);
    assert!(both.ok(level(Side::SELL, 12, 1)).bbo);
    assert_eq!(
        both.side(1, Side::BUY),
        [(10, 6, vec![]), (9, 5, vec![])],
        "no queues"
    );
    let mut orders = Vec::new();
    both.fast
        .levels(1, Side::BUY, &mut |_, level| orders.push(level.orders));
    assert_eq!(orders, [Some(7), None]);

    assert!(both.ok(level(Side::SELL, 11, 1)).suspect, "one too many");
    assert!(both.ok(level(Side::BUY, 10, 0)).bbo);
    both.ok(level(Side::BUY, 10, 0));
    assert_eq!(both.side(1, Side::BUY), [(9, 5, vec![])]);
    assert_eq!(
        both.faults(),
        [(Fault::UnknownOrder, 1), (Fault::LevelsFull, 1)]
    );
}

#[test]
fn a_quote_replaces_its_side() {
    let mut both = Both::new(LIMITS);
    assert!(both.ok(quote(Side::BUY, Price(10), 5)).bbo);
    assert!(both.ok(quote(Side::SELL, Price(11), 5)).bbo);
    assert!(!both.ok(quote(Side::SELL, Price(11), 5)).bbo, "the same");
    assert!(both.ok(quote(Side::BUY, Price(9), 1)).bbo);
    assert_eq!(both.side(1, Side::BUY), [(9, 1, vec![])]);
    assert!(both.ok(quote(Side::BUY, Price(9), 0)).bbo);
    assert!(both.ok(quote(Side::SELL, Price::NULL, 3)).bbo);
    assert_eq!(both.fast.bbo(1), Bbo::EMPTY);
    assert!(both.faults().is_empty());
}

#[test]
fn a_book_keeps_one_kind_until_it_is_cleared() {
    let mut both = Both::new(LIMITS);
    both.ok(level(Side::BUY, 10, 5));
    let add = op(What::Add(1, Side::BUY, Price(10), 5));
    assert!(both.ok(add).suspect);
    both.ok(quote(Side::BUY, Price(9), 1));
    assert_eq!(both.faults(), [(Fault::LevelRange, 2)]);
    let cleared = both.ok(op(What::Clear));
    assert!(cleared.bbo && !cleared.suspect);
    assert!(!both.ok(add).suspect);
    assert_eq!(both.side(1, Side::BUY), [(10, 5, vec![(1, 5)])]);
}

#[test]
fn a_restart_leaves_nothing_but_the_counters() {
    let mut both = Both::new(LIMITS);
    both.ok(level(Side::BUY, 10, 5));
    both.ok(level(Side::BUY, 10, 0));
    both.ok(level(Side::BUY, 10, 0));
    for what in [What::Restart, What::Restart] {
        both.ok(op(what));
        assert!(both.fast.instruments().is_empty());
    }
    assert_eq!(both.faults(), [(Fault::UnknownOrder, 1)]);
    for price in 1..=3 {
        assert!(!both.ok(level(Side::SELL, price, 5)).suspect);
    }
}
