//! What ITCH's order messages mean for a book, each by hand.

use crate::both::{Both, Op, What};
use feed_common::event::{NO_INSTRUMENT, Price, Side, StatusKind};
use feed_handler::book::{Bbo, BookLimits, Change, Fault, Order, Quote, View};

const LIMITS: BookLimits = BookLimits {
    orders: 4,
    levels: 3,
    instruments: 2,
};
const QUIET: Change = Change {
    bbo: false,
    suspect: false,
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

fn replace(old: u64, new: u64, price: i64, quantity: u64) -> Op {
    op(What::Replace(old, new, Price(price), quantity))
}

/// Three bids of 10 at 100, numbered 1 to 3.
fn queue_of_three() -> Both {
    let mut both = Both::new(LIMITS);
    (1..=3).for_each(|id| _ = both.ok(add(id, Side::BUY, 100, 10)));
    both
}

#[test]
fn a_queue_is_in_the_order_of_arrival() {
    let both = queue_of_three();
    let queue = vec![(1, 10), (2, 10), (3, 10)];
    assert_eq!(both.side(0, Side::BUY), [(100, 30, queue)]);
    let best = Quote {
        price: Price(100),
        quantity: 30,
    };
    assert_eq!(
        both.fast.bbo(0),
        Bbo {
            bid: best,
            ask: Quote::EMPTY
        }
    );
    assert_eq!(both.fast.bbo(1), Bbo::EMPTY);
}

#[test]
fn a_replacement_loses_its_place() {
    let mut both = queue_of_three();
    // At the same price and quantity: no change of the best price, and behind all the same.
    assert_eq!(both.ok(replace(1, 4, 100, 10)), QUIET);
    let queue = vec![(2, 10), (3, 10), (4, 10)];
    assert_eq!(both.side(0, Side::BUY), [(100, 30, queue)]);
    assert!(both.ok(replace(2, 5, 101, 7)).bbo);
    assert_eq!(
        both.side(0, Side::BUY),
        [(101, 7, vec![(5, 7)]), (100, 20, vec![(3, 10), (4, 10)])]
    );
    // Under its old number.
    both.ok(replace(3, 3, 100, 1));
    assert_eq!(both.side(0, Side::BUY)[1].2, [(4, 10), (3, 1)]);
    assert!(both.faults().is_empty());
}

#[test]
fn a_replacement_of_the_only_order_by_its_like_changes_no_best_price() {
    let mut both = Both::new(LIMITS);
    both.ok(add(1, Side::SELL, 100, 10));
    assert_eq!(both.ok(replace(1, 2, 100, 10)), QUIET);
    assert!(both.ok(replace(2, 3, 100, 11)).bbo);
}

#[test]
fn an_execution_leaves_the_remainder_at_its_price_and_place() {
    use feed_common::event::ExecuteOrder;
    use feed_handler::book::Books;
    // At whatever price it traded and whether or not it is printed: E, C, and C not printable.
    for (price, printable) in [(Price::NULL, true), (Price(99), true), (Price(101), false)] {
        let mut books = Books::new(&LIMITS).unwrap();
        let cx = crate::both::context(&op(What::Cross));
        for order_id in 1..=2 {
            let m = feed_common::event::AddOrder {
                order_id,
                side: Side::BUY,
                price: Price(100),
                quantity: 10,
            };
            books.add(&cx, &m);
        }
        let trade = ExecuteOrder {
            order_id: 1,
            quantity: 4,
            price,
            match_id: 9,
            printable,
        };
        assert!(books.execute(&cx, &trade).bbo);
        let rest = Order {
            side: Side::BUY,
            price: Price(100),
            quantity: 6,
        };
        assert_eq!(books.order(0, 1), Some(rest));
        let mut queue = Vec::new();
        books.queue(0, Side::BUY, Price(100), &mut |o| {
            queue.push((o.order_id, o.quantity))
        });
        assert_eq!(queue, [(1, 6), (2, 10)]);
        assert_eq!(books.bbo(0).bid.quantity, 16);
    }
}

#[test]
fn what_is_executed_or_cancelled_down_to_nothing_is_gone() {
    for last in [What::Execute(1, 6), What::Cancel(1, 6)] {
        let mut both = queue_of_three();
        assert!(both.ok(op(What::Cancel(1, 4))).bbo);
        assert_eq!(both.side(0, Side::BUY)[0].2[0], (1, 6));
        assert!(both.ok(op(last)).bbo);
        assert_eq!(both.side(0, Side::BUY)[0].2, [(2, 10), (3, 10)]);
        assert_eq!(both.fast.order(0, 1), None);
        assert!(both.faults().is_empty());
        let gone = both.ok(op(What::Execute(1, 1)));
        assert!(gone.suspect && !gone.bbo);
        assert_eq!(both.faults(), [(Fault::UnknownOrder, 1)]);
    }
}

#[test]
fn an_order_deleted_twice_is_unknown_the_second_time() {
    let mut both = queue_of_three();
    assert_eq!(
        both.ok(op(What::Delete(2))),
        Change {
            bbo: true,
            suspect: false
        }
    );
    assert_eq!(
        both.ok(op(What::Delete(2))),
        Change {
            bbo: false,
            suspect: true
        }
    );
    assert_eq!(both.side(0, Side::BUY)[0].2, [(1, 10), (3, 10)]);
    assert_eq!(both.faults(), [(Fault::UnknownOrder, 1)]);
}

#[test]
fn more_than_there_is_takes_what_there_is() {
    for what in [What::Execute(1, 11), What::Cancel(1, u64::MAX)] {
        let mut both = queue_of_three();
        let change = both.ok(op(what));
        assert!(change.bbo && change.suspect);
        assert_eq!(both.side(0, Side::BUY)[0].1, 20);
        assert_eq!(both.faults(), [(Fault::SizeUnderflow, 1)]);
    }
}

#[test]
fn a_number_used_again_is_the_new_order() {
    let mut both = queue_of_three();
    assert!(both.ok(add(1, Side::SELL, 103, 5)).suspect);
    assert_eq!(both.side(0, Side::BUY)[0].2, [(2, 10), (3, 10)]);
    assert_eq!(both.side(0, Side::SELL), [(103, 5, vec![(1, 5)])]);
    // By a replacement, on the other side of the book.
    assert!(both.ok(replace(1, 2, 104, 5)).bbo);
    assert_eq!(both.side(0, Side::BUY)[0].2, [(3, 10)]);
    assert_eq!(both.side(0, Side::SELL), [(104, 5, vec![(2, 5)])]);
    assert_eq!(both.faults(), [(Fault::IdReused, 2)]);
}

#[test]
fn the_same_number_of_another_instrument_is_another_order() {
    let mut both = queue_of_three();
    let other = |what| Op {
        instrument: 1,
        ..op(what)
    };
    both.ok(other(What::Delete(1)));
    assert_eq!(both.faults(), [(Fault::UnknownOrder, 1)]);
    assert!(both.ok(other(What::Add(1, Side::BUY, Price(7), 1))).bbo);
    both.ok(op(What::Delete(1)));
    assert_eq!(both.side(1, Side::BUY), [(7, 1, vec![(1, 1)])]);
}

#[test]
fn unknown_orders_change_nothing() {
    let mut both = queue_of_three();
    let before = both.side(0, Side::BUY);
    let unknown = [
        What::Execute(9, 1),
        What::Cancel(9, 1),
        What::Delete(9),
        What::Replace(9, 10, Price(100), 1),
    ];
    for what in unknown {
        assert!(!both.ok(op(what)).bbo);
    }
    assert_eq!(both.side(0, Side::BUY), before);
    assert_eq!(both.faults(), [(Fault::UnknownOrder, 4)]);
}

#[test]
fn after_a_gap_what_is_unknown_is_counted_and_nobody_is_suspected() {
    let mut both = queue_of_three();
    let after_gap = |what| Op {
        recovering: true,
        ..op(what)
    };
    assert_eq!(both.ok(after_gap(What::Delete(9))), QUIET);
    // A full table is our own doing, gap or not.
    both.ok(add(4, Side::BUY, 100, 1));
    let full = both.ok(after_gap(What::Add(5, Side::BUY, Price(100), 1)));
    assert!(full.suspect);
    assert_eq!(
        both.faults(),
        [(Fault::UnknownOrder, 1), (Fault::OrdersFull, 1)]
    );
}

#[test]
fn a_locate_never_announced_touches_no_book() {
    let mut both = queue_of_three();
    for instrument in [2, NO_INSTRUMENT] {
        for what in [
            What::Add(9, Side::BUY, Price(1), 1),
            What::Delete(1),
            What::Clear,
        ] {
            let nowhere = Op {
                instrument,
                ..op(what)
            };
            assert_eq!(both.ok(nowhere), QUIET);
        }
    }
    assert_eq!(both.faults(), [(Fault::NoInstrument, 6)]);
    assert_eq!(both.fast.live_orders(), 3);
}

#[test]
fn full_tables_leave_the_order_out() {
    let mut both = queue_of_three();
    both.ok(add(4, Side::SELL, 103, 1));
    assert!(both.ok(add(5, Side::SELL, 103, 1)).suspect);
    assert_eq!(both.faults(), [(Fault::OrdersFull, 1)]);
    both.ok(op(What::Delete(1)));
    both.ok(op(What::Clear));
    for (id, price) in [(1, 10), (2, 11), (3, 12)] {
        assert!(!both.ok(add(id, Side::BUY, price, 1)).suspect);
    }
    assert!(both.ok(add(4, Side::BUY, 13, 1)).suspect);
    assert_eq!(
        both.faults(),
        [(Fault::OrdersFull, 1), (Fault::LevelsFull, 1)]
    );
    assert!(
        both.ok(add(4, Side::BUY, 12, 1)).bbo,
        "room at a price there is"
    );
    // A replacement whose new order finds no room has left all the same.
    both.ok(replace(4, 5, 14, 1));
    assert_eq!(both.fast.live_orders(), 3);
}

#[test]
fn sides_prices_and_quantities_that_cannot_be_are_left_out() {
    let mut both = queue_of_three();
    both.ok(add(4, Side::NONE, 100, 1));
    both.ok(add(4, Side(b'X'), 100, 1));
    both.ok(add(4, Side::BUY, 100, 0));
    both.ok(add(4, Side::BUY, i64::MIN, 1));
    both.ok(add(4, Side::BUY, 100, u64::MAX));
    assert_eq!(both.faults(), [(Fault::LevelRange, 5)]);
    assert_eq!(both.side(0, Side::BUY)[0].1, 30);
}

#[test]
fn a_crossed_book_is_a_fault_only_while_the_instrument_trades() {
    let mut both = Both::new(LIMITS);
    let cross_and_back = |both: &mut Both| {
        let crossed = both.ok(add(2, Side::SELL, 99, 1));
        both.ok(op(What::Delete(2)));
        crossed.suspect
    };
    let status = |both: &mut Both, what, value| _ = both.ok(op(What::Status(what, value)));
    both.ok(add(1, Side::BUY, 100, 1));
    assert!(!cross_and_back(&mut both), "before the open");
    status(&mut both, StatusKind::TRADING, b'T');
    status(&mut both, StatusKind::SYSTEM, b'Q');
    assert!(!cross_and_back(&mut both), "before its cross");
    both.ok(op(What::Cross));
    // Locked, not crossed.
    assert!(!both.ok(add(3, Side::SELL, 100, 1)).suspect);
    both.ok(op(What::Delete(3)));
    status(&mut both, StatusKind::TRADING, b'H');
    assert!(!cross_and_back(&mut both), "halted");
    status(&mut both, StatusKind::TRADING, b'T');
    assert!(!cross_and_back(&mut both), "before the halt's cross");
    both.ok(op(What::Cross));
    status(&mut both, StatusKind::OPERATIONAL, b'H');
    assert!(!cross_and_back(&mut both), "halted on this market");
    status(&mut both, StatusKind::OPERATIONAL, b'T');
    assert!(both.faults().is_empty());

    assert!(cross_and_back(&mut both), "trading");
    assert_eq!(both.faults(), [(Fault::Crossed, 1)]);
    // Counted on becoming so: staying crossed is no news, crossing again is.
    both.ok(add(2, Side::SELL, 99, 1));
    both.ok(add(3, Side::SELL, 98, 1));
    assert_eq!(both.faults(), [(Fault::Crossed, 2)]);
}

#[test]
fn an_instrument_heard_of_late_is_in_the_market_s_phase() {
    let mut both = Both::new(LIMITS);
    both.ok(op(What::Status(StatusKind::SYSTEM, b'Q')));
    both.ok(op(What::Status(StatusKind::TRADING, b'T')));
    both.ok(op(What::Cross));
    both.ok(add(1, Side::BUY, 100, 1));
    assert!(both.ok(add(2, Side::SELL, 99, 1)).suspect);
    both.ok(op(What::Restart));
    both.ok(op(What::Status(StatusKind::TRADING, b'T')));
    both.ok(op(What::Cross));
    both.ok(add(1, Side::BUY, 100, 1));
    let crossed = both.ok(add(2, Side::SELL, 99, 1));
    assert!(!crossed.suspect, "the new session has not opened");
}

#[test]
fn clearing_voids_one_book_and_its_suspicion() {
    let mut both = queue_of_three();
    let other = Op {
        instrument: 1,
        ..add(1, Side::SELL, 5, 5)
    };
    both.ok(other);
    both.ok(op(What::Delete(9)));
    let cleared = both.ok(op(What::Clear));
    assert!(cleared.bbo && !cleared.suspect);
    assert_eq!(both.fast.live_orders(), 1);
    assert_eq!(both.fast.bbo(1).ask.quantity, 5);
    assert_eq!(both.ok(op(What::Clear)), QUIET);
    assert!(!both.ok(add(1, Side::BUY, 1, 1)).suspect);
}

#[test]
fn a_restart_forgets_orders_and_gives_all_room_back() {
    let mut both = queue_of_three();
    both.ok(add(4, Side::SELL, 103, 1));
    both.ok(op(What::Restart));
    assert_eq!(both.fast.live_orders(), 0);
    assert!(both.fast.instruments().is_empty());
    for id in 1..=4 {
        assert!(
            !both
                .ok(add(id, Side::SELL, 50 + (id / 2) as i64, 1))
                .suspect
        );
    }
    assert!(both.faults().is_empty());
}
