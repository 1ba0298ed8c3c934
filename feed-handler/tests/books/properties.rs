//! Random operations, possible and impossible ones, on few instruments, prices and numbers, so that they meet.

use crate::both::{Both, Op, What};
use feed_common::event::{NO_INSTRUMENT, Price, Side, SlotAction, StatusKind};
use feed_handler::book::{BookLimits, Level, Quote};
use proptest::prelude::*;
use proptest::sample::select;

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![
        10 => Just(Side::BUY),
        10 => Just(Side::SELL),
        1 => Just(Side::NONE),
    ]
}

fn price(prices: i64) -> impl Strategy<Value = Price> {
    prop_oneof![
        40 => (1..=prices).prop_map(Price),
        1 => Just(Price::NULL),
        1 => select(vec![Price(i64::MIN + 1), Price(i64::MAX), Price(0), Price(-1)]),
    ]
}

fn quantity() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 1..=4u64,
        1 => Just(0),
        1 => select(vec![u64::MAX, u64::MAX - 2, 1 << 40]),
    ]
}

fn order_event(ids: u64, prices: i64) -> impl Strategy<Value = What> {
    prop_oneof![
        8 => (0..ids, side(), price(prices), quantity()).prop_map(|(id, s, p, q)| What::Add(id, s, p, q)),
        3 => (0..ids, quantity()).prop_map(|(id, q)| What::Execute(id, q)),
        2 => (0..ids, quantity()).prop_map(|(id, q)| What::Cancel(id, q)),
        3 => (0..ids).prop_map(What::Delete),
        4 => (0..ids, 0..ids, price(prices), quantity()).prop_map(|(o, n, p, q)| What::Replace(o, n, p, q)),
        3 => (0..ids, price(prices), quantity()).prop_map(|(id, p, q)| What::Modify(id, p, q)),
    ]
}

fn level_event(prices: i64) -> impl Strategy<Value = What> {
    let orders = proptest::option::of(0..4u32);
    let quantity = prop_oneof![3 => quantity(), 1 => Just(0)];
    (side(), price(prices), quantity, orders).prop_map(|(side, price, quantity, orders)| {
        let level = Level {
            price,
            quantity,
            orders,
        };
        What::Level(side, level)
    })
}

fn quote_event(prices: i64) -> impl Strategy<Value = What> {
    let quote =
        move || (price(prices), quantity()).prop_map(|(price, quantity)| Quote { price, quantity });
    prop_oneof![
        (side(), quote()).prop_map(|(side, quote)| What::Quote(side, quote)),
        (quote(), quote()).prop_map(|(bid, ask)| What::Quotes(bid, ask)),
    ]
}

/// Levels beyond what there can be are part of it.
fn slot_event(depth: u8, prices: i64) -> impl Strategy<Value = What> {
    use SlotAction::*;
    let action = prop_oneof![
        6 => Just(New),
        3 => Just(Delete),
        6 => select(vec![Change, Overlay, DeleteThru, DeleteFrom]),
    ];
    let level = prop_oneof![30 => 1..=depth, 1 => select(vec![0, 3, 11, 21, 200, 255])];
    let of = (proptest::bool::weighted(0.2), action, side(), level);
    (of, price(prices), quantity()).prop_map(|((implied, action, side, level), price, quantity)| {
        What::Slot(implied, action, side, level, price, quantity)
    })
}

fn ranked_event(ids: u64, prices: i64) -> impl Strategy<Value = What> {
    let rank = prop_oneof![20 => 0..6u64, 1 => Just(u64::MAX)];
    let order = (0..ids, side(), price(prices), quantity(), rank);
    prop_oneof![
        4 => order.prop_map(|(id, s, p, q, r)| What::Ranked(id, s, p, q, r)),
        1 => (0..ids).prop_map(What::Delete),
    ]
}

fn definition() -> impl Strategy<Value = What> {
    let depth = || prop_oneof![4 => 0..6u8, 1 => select(vec![10, 20, 30, 255])];
    ([depth(), depth()], any::<bool>()).prop_map(|(depths, long)| What::Define(depths, long))
}

/// What moves an instrument between the phases of a day, the likeliest way first.
fn state_event() -> impl Strategy<Value = What> {
    let (system, trading) = (StatusKind::SYSTEM, StatusKind::TRADING);
    prop_oneof![
        4 => Just(What::Status(system, b'Q')),
        4 => Just(What::Status(trading, b'T')),
        6 => Just(What::Cross),
        1 => select(vec![(system, b'M'), (trading, b'H'), (trading, b'Q')])
            .prop_map(|(kind, value)| What::Status(kind, value)),
        1 => select(&b"HT"[..]).prop_map(|value| What::Status(StatusKind::OPERATIONAL, value)),
        2 => any::<bool>().prop_map(What::Says),
        2 => any::<bool>().prop_map(What::AllSay),
    ]
}

fn any_event(ids: u64, prices: i64) -> impl Strategy<Value = What> {
    prop_oneof![
        40 => order_event(ids, prices),
        4 => state_event(),
        2 => level_event(prices),
        2 => quote_event(prices),
        4 => slot_event(4, prices),
        4 => ranked_event(ids, prices),
        2 => definition(),
        4 => Just(What::End),
        2 => Just(What::Clear),
        1 => Just(What::Restart),
    ]
}

/// What a feed of numbered levels and ranked orders says.
fn numbered_event(ids: u64, prices: i64) -> impl Strategy<Value = What> {
    prop_oneof![
        20 => slot_event(5, prices),
        10 => ranked_event(ids, prices),
        2 => definition(),
        2 => any::<bool>().prop_map(What::Says),
        3 => Just(What::End),
        1 => Just(What::Clear),
    ]
}

fn ops(what: impl Strategy<Value = What>, max: usize) -> impl Strategy<Value = Vec<Op>> {
    let instrument = prop_oneof![20 => 0..3u32, 1 => Just(3), 1 => Just(NO_INSTRUMENT)];
    let [recovering, open] = [0.1, 0.3].map(proptest::bool::weighted);
    let op = (instrument, recovering, open, what);
    let op = op.prop_map(|(instrument, recovering, open, what)| Op {
        instrument,
        recovering,
        open,
        what,
    });
    prop::collection::vec(op, 1..max)
}

fn limits() -> impl Strategy<Value = BookLimits> {
    let tight = (0..6usize, 0..6usize, 0..4usize);
    let wide = Just((1000, 1000, 3));
    prop_oneof![tight, wide].prop_map(|(orders, levels, instruments)| BookLimits {
        orders,
        levels,
        instruments,
    })
}

/// Runs the list on both books, comparing after each.
fn agree(limits: BookLimits, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut both = Both::new(limits);
    for (i, op) in ops.iter().enumerate() {
        both.run(op).map_err(|difference| {
            TestCaseError::fail(format!("after {i}, {op:?}: {difference}"))
        })?;
    }
    both.compare_digests().map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Everything there is, in tables that are soon full.
    #[test]
    fn anything_at_all(limits in limits(), ops in ops(any_event(8, 4), 50)) {
        agree(limits, &ops)?;
    }

    /// Numbered levels with ranked orders beside them.
    #[test]
    fn numbered_levels_and_ranked_orders(limits in limits(), ops in ops(numbered_event(6, 4), 60)) {
        agree(limits, &ops)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Queues of ranked orders in a table that is as full as it may be: ranks move along with their orders.
    #[test]
    fn long_queues_of_ranked_orders(orders in 1..40usize, ops in ops(ranked_event(60, 3), 300)) {
        agree(BookLimits { orders, levels: 6, instruments: 3 }, &ops)?;
    }

    /// Orders at many prices: blocks of levels split and merge.
    #[test]
    fn deep_books_of_orders(ops in ops(order_event(200, 150), 400)) {
        agree(BookLimits { orders: 200, levels: 300, instruments: 1 }, &ops)?;
    }

    /// The same of totals.
    #[test]
    fn deep_books_of_levels(ops in ops(level_event(150), 400)) {
        agree(BookLimits { orders: 0, levels: 200, instruments: 1 }, &ops)?;
    }

    /// An order-driven day with a table that is as full as it may be.
    #[test]
    fn a_table_on_the_brim(orders in 1..40usize, ops in ops(order_event(60, 6), 300)) {
        agree(BookLimits { orders, levels: 12, instruments: 3 }, &ops)?;
    }
}
