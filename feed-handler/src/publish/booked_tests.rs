use super::*;
use crate::book::{Bbo, Fault};
use feed_common::event::{Name, Record, SlotAction, StatusKind};
use feed_common::time::{Ticks, UnixNanos};

const LIMITS: BookLimits = BookLimits {
    orders: 100,
    levels: 100,
    instruments: 10,
};

const END: u16 = Flags::END_OF_EVENT.0;

/// What is compared of a record: kind, quantity, price, order id and flags.
type Said = (Kind, u32, i64, u64, u16);

const NULL: i64 = Price::NULL.0;

/// A pair of best prices that ends its event: price and quantity of bid and offer.
fn pair(bid: (i64, u32), offer: (i64, u32)) -> [Said; 2] {
    [
        (Kind::BID, bid.1, bid.0, 0, 0),
        (Kind::OFFER, offer.1, offer.0, 0, END),
    ]
}

const NONE: (i64, u32) = (NULL, 0);

fn booked(publish_bbo: bool) -> Booked<Vec<Record>> {
    Booked::new(Records::new(Vec::new(), 1), 0..1, &LIMITS, publish_bbo).unwrap()
}

/// The context of an instrument's message, which is an event of its own.
fn cx(instrument: u32) -> MsgCtx {
    MsgCtx {
        sequence: 7,
        skip: 0,
        channel: 0,
        rx: Ticks(5),
        trust: Trust::VALID,
        midnight: UnixNanos(1),
        timestamp: UnixNanos(9),
        instrument,
        symbol: [b'A' + instrument as u8; 8],
        flags: Flags::END_OF_EVENT,
        ..MsgCtx::default()
    }
}

/// The same within an event that goes on.
fn open(instrument: u32) -> MsgCtx {
    MsgCtx {
        flags: Flags::NONE,
        ..cx(instrument)
    }
}

fn order(order_id: u64, side: Side, price: i64, quantity: u64) -> AddOrder {
    AddOrder {
        order_id,
        side,
        price: Price(price),
        quantity,
    }
}

fn execute(order_id: u64, quantity: u64) -> ExecuteOrder {
    ExecuteOrder {
        order_id,
        quantity,
        price: Price::NULL,
        match_id: 1,
        printable: true,
    }
}

fn trade(flags: Flags) -> Trade {
    Trade {
        match_id: 3,
        side: Side::NONE,
        price: Price(10),
        quantity: 1,
        flags,
    }
}

fn said(records: &[Record]) -> Vec<Said> {
    let said = |r: &Record| {
        let d = r.data;
        (
            Kind(d.kind),
            d.quantity.get(),
            d.price.get(),
            r.order_id.get(),
            d.flags.get(),
        )
    };
    records.iter().map(said).collect()
}

/// The records that `step` adds.
fn added(b: &mut Booked<Vec<Record>>, step: impl FnOnce(&mut Booked<Vec<Record>>)) -> Vec<Record> {
    let before = b.published() as usize;
    step(b);
    b.records.sink()[before..].to_vec()
}

#[test]
fn an_event_that_changes_the_best_prices_ends_with_them() {
    let mut b = booked(true);
    let out = added(&mut b, |b| b.on_add(&cx(3), order(1, Side::BUY, 10, 5)));
    let add = (Kind::ADD, 5, 10, 1, 0);
    let [bid, offer] = pair((10, 5), NONE);
    assert_eq!(said(&out), [add, bid, offer]);
    for record in &out {
        assert_eq!(record.sequence.get(), 7);
        assert_eq!((record.data.timestamp.get(), record.rx.get()), (9, 5));
        assert_eq!((record.instrument.get(), record.trust), (3, 0));
        assert_eq!(record.data.symbol, *b"DDDDDDDD");
    }
    assert_eq!(
        [&out[0], &out[1], &out[2]].map(|r| r.data.side),
        [Side::BUY, Side::BUY, Side::SELL].map(|s| s.0)
    );
    let digest = b.digest(0);
    let mut again = Digest::EMPTY;
    b.into_sink().iter().for_each(|r| again.update(r));
    assert_eq!(digest, again, "best prices are part of the record digest");
}

#[test]
fn every_event_of_an_order_tells_what_it_does_to_the_best_prices_and_only_that() {
    let mut b = booked(true);
    let b = &mut b;
    let one = |kind, quantity, price, id| vec![(kind, quantity, price, id, END)];
    let then = |first: &[Said], best: [Said; 2]| [first, &best].concat();

    b.on_add(&cx(0), order(1, Side::BUY, 10, 5));
    b.on_add(&cx(0), order(2, Side::SELL, 12, 6));
    let out = added(b, |b| b.on_add(&cx(0), order(3, Side::BUY, 9, 7)));
    assert_eq!(said(&out), one(Kind::ADD, 7, 9, 3), "behind the best");
    let out = added(b, |b| b.on_add(&cx(0), order(4, Side::BUY, 10, 1)));
    let best = pair((10, 6), (12, 6));
    assert_eq!(said(&out), then(&[(Kind::ADD, 1, 10, 4, 0)], best));

    let out = added(b, |b| b.on_execute(&cx(0), execute(1, 2)));
    let best = pair((10, 4), (12, 6));
    assert_eq!(said(&out), then(&[(Kind::EXECUTE, 2, NULL, 1, 0)], best));
    let cancel = |order_id, quantity| CancelOrder { order_id, quantity };
    let out = added(b, |b| b.on_cancel(&cx(0), cancel(2, 5)));
    let best = pair((10, 4), (12, 1));
    assert_eq!(said(&out), then(&[(Kind::CANCEL, 5, NULL, 2, 0)], best));
    let out = added(b, |b| b.on_cancel(&cx(0), cancel(3, 1)));
    assert_eq!(said(&out), one(Kind::CANCEL, 1, NULL, 3), "behind the best");

    let replace = |old_id, new_id, price| ReplaceOrder {
        old_id,
        new_id,
        price: Price(price),
        quantity: 8,
    };
    let out = added(b, |b| b.on_replace(&cx(0), replace(2, 5, 11)));
    let halves = [
        (Kind::REPLACE_OLD, 0, NULL, 2, 0),
        (Kind::REPLACE_NEW, 8, 11, 5, 0),
    ];
    assert_eq!(said(&out), then(&halves, pair((10, 4), (11, 8))));
    let out = added(b, |b| b.on_replace(&cx(0), replace(3, 6, 8)));
    let halves = [
        (Kind::REPLACE_OLD, 0, NULL, 3, 0),
        (Kind::REPLACE_NEW, 8, 8, 6, END),
    ];
    assert_eq!(said(&out), halves, "behind the best");

    let out = added(b, |b| b.on_delete(&cx(0), DeleteOrder { order_id: 5 }));
    let best = pair((10, 4), NONE);
    assert_eq!(said(&out), then(&[(Kind::DELETE, 0, NULL, 5, 0)], best));
    let out = added(b, |b| b.on_trade(&cx(0), trade(Flags::HIDDEN)));
    assert_eq!(out.len(), 1, "a print touches no book");

    let totals = b.books(0).unwrap();
    assert_eq!(totals.bbo_changes, 7);
    assert_eq!((totals.live_orders, totals.levels), (3, 2));
    assert_eq!((totals.instruments, totals.faults.total()), (1, 0));
    assert_eq!(totals.digest, book::digest(b.channel(0).unwrap()));
}

#[test]
fn best_prices_can_be_kept_unpublished() {
    let mut b = booked(false);
    let mut plain = Records::new(Vec::new(), 1);
    let m = order(1, Side::BUY, 10, 5);
    b.on_add(&cx(0), m);
    plain.on_add(&cx(0), m);
    assert_eq!(b.digest(0), plain.digest(0));
    assert_eq!(b.books(0).unwrap().bbo_changes, 1);
    assert_eq!(b.into_sink(), plain.into_sink());
}

#[test]
fn a_best_quantity_above_32_bits_is_said_exactly_behind_its_record() {
    let mut b = booked(true);
    b.on_add(&cx(0), order(1, Side::BUY, 10, u32::MAX.into()));
    let out = added(&mut b, |b| b.on_add(&cx(0), order(2, Side::BUY, 10, 2)));
    let saturated = Flags::QUANTITY_SATURATED.0;
    assert_eq!(
        said(&out),
        [
            (Kind::ADD, 2, 10, 2, 0),
            (Kind::BID, u32::MAX, 10, 0, saturated),
            (Kind::EXTENSION, 0, NULL, (1 << 32) + 1, 0),
            (Kind::OFFER, 0, NULL, 0, END),
        ]
    );
    b.on_add(&cx(0), order(3, Side::SELL, 11, u32::MAX.into()));
    let out = added(&mut b, |b| b.on_add(&cx(0), order(4, Side::SELL, 11, 1)));
    let last = out.last().unwrap();
    let ends: Vec<_> = out.iter().map(|r| r.data.flags.get() & END).collect();
    assert_eq!((last.data.kind, last.order_id.get()), (19, 1 << 32));
    assert_eq!(ends, [0, 0, 0, 0, END]);
}

#[test]
fn a_broken_invariant_takes_the_instruments_trust_away_and_no_other() {
    let mut b = booked(true);
    let trust = |out: &[Record]| out.iter().map(|r| Trust(r.trust)).collect::<Vec<_>>();
    let out = added(&mut b, |b| b.on_add(&cx(0), order(1, Side::BUY, 10, 5)));
    assert_eq!(trust(&out), [Trust::VALID; 3]);
    let out = added(&mut b, |b| b.on_execute(&cx(0), execute(1, 6)));
    let after = [Trust::SUSPECT; 3];
    assert_eq!(trust(&out), after, "of the event itself, and the best");
    let out = added(&mut b, |b| {
        b.on_trade(&cx(0), trade(Flags::NONE));
        b.on_add(&cx(0), order(2, Side::BUY, 10, 5));
        b.on_status(&cx(0), status(StatusKind::TRADING, b'H'));
    });
    assert_eq!(trust(&out), [Trust::SUSPECT; 5], "and of all that follow");
    let out = added(&mut b, |b| b.on_trade(&cx(1), trade(Flags::NONE)));
    assert_eq!(trust(&out), [Trust::VALID]);
    assert_eq!(b.books(0).unwrap().faults.of(Fault::SizeUnderflow), 1);

    // After a gap an unknown order is no surprise; the channel's own trust stands, and a broken book's stays worse.
    let behind = |instrument| MsgCtx {
        trust: Trust::RECOVERING,
        ..cx(instrument)
    };
    let gone = DeleteOrder { order_id: 99 };
    let out = added(&mut b, |b| {
        b.on_delete(&behind(1), gone);
        b.on_delete(&behind(0), gone);
    });
    assert_eq!(trust(&out), [Trust::RECOVERING, Trust::SUSPECT]);
}

fn status(what: StatusKind, value: u8) -> Status {
    Status {
        what,
        value,
        detail: *b"    ",
        price: Price::NULL,
        continuous: None,
    }
}

#[test]
fn a_crossed_book_is_suspect_only_while_its_instrument_trades() {
    let mut b = booked(true);
    let crossing = |b: &mut Booked<Vec<Record>>, id| {
        b.on_add(&cx(0), order(id, Side::BUY, 12, 1));
        b.on_add(&cx(0), order(id + 1, Side::SELL, 11, 1));
        let last = b.records.sink().last().unwrap().trust;
        b.on_delete(&cx(0), DeleteOrder { order_id: id });
        b.on_delete(&cx(0), DeleteOrder { order_id: id + 1 });
        Trust(last)
    };
    assert_eq!(crossing(&mut b, 1), Trust::VALID, "before the open");
    let market = MsgCtx {
        instrument: NO_INSTRUMENT,
        ..cx(0)
    };
    b.on_status(&market, status(StatusKind::SYSTEM, b'Q'));
    b.on_status(&cx(0), status(StatusKind::TRADING, b'T'));
    assert_eq!(crossing(&mut b, 3), Trust::VALID, "before its auction");
    b.on_trade(&cx(0), trade(Flags::CROSS));
    assert_eq!(crossing(&mut b, 5), Trust::SUSPECT);
    assert_eq!(b.books(0).unwrap().faults.of(Fault::Crossed), 1);
}

#[test]
fn best_prices_of_an_open_event_wait_for_its_end() {
    let mut b = booked(true);
    b.on_add(&cx(2), order(1, Side::BUY, 10, 5));
    let out = added(&mut b, |b| {
        b.on_add(&open(0), order(2, Side::BUY, 20, 1));
        b.on_delete(&open(2), DeleteOrder { order_id: 1 });
        b.on_add(&open(0), order(3, Side::BUY, 20, 1));
        b.on_add(&open(4), order(4, Side::SELL, 30, 1));
        b.on_delete(&open(4), DeleteOrder { order_id: 4 });
    });
    assert!(out.iter().all(|r| r.data.flags.get() == 0), "{out:?}");
    assert_eq!(out.len(), 5, "no best prices yet");
    let out = added(&mut b, |b| b.on_add(&cx(1), order(5, Side::SELL, 40, 1)));
    let of = |r: &Record| (Kind(r.data.kind), r.instrument.get(), r.data.symbol[0]);
    assert_eq!(
        out.iter().map(of).collect::<Vec<_>>(),
        [
            (Kind::ADD, 1, b'B'),
            (Kind::BID, 0, b'A'),
            (Kind::OFFER, 0, b'A'),
            (Kind::BID, 2, b'C'),
            (Kind::OFFER, 2, b'C'),
            (Kind::BID, 1, b'B'),
            (Kind::OFFER, 1, b'B'),
        ],
        "in the order they were touched; what is as it was before the event is not said"
    );
    let said = said(&out);
    let flags: Vec<_> = said.iter().map(|s| s.4).collect();
    assert_eq!(flags, [0, 0, 0, 0, 0, 0, END]);
    assert_eq!(said[1], (Kind::BID, 2, 20, 0, 0));
    assert_eq!(said[3], (Kind::BID, 0, NULL, 0, 0));
    assert_eq!(b.books(0).unwrap().bbo_changes, 4);
    // And the next event is on its own again.
    let out = added(&mut b, |b| b.on_add(&cx(2), order(6, Side::BUY, 10, 5)));
    assert_eq!(out.len(), 3);
}

#[test]
fn an_event_can_end_with_a_record_of_no_book() {
    let mut b = booked(true);
    b.on_add(&open(0), order(1, Side::BUY, 20, 1));
    let end = MsgCtx {
        instrument: NO_INSTRUMENT,
        ..cx(0)
    };
    let out = added(&mut b, |b| b.on_trade(&end, trade(Flags::NONE)));
    let print = (Kind::TRADE, 1, 10, 3, 0);
    let [bid, offer] = pair((20, 1), NONE);
    assert_eq!(said(&out), [print, bid, offer]);
    // One that leaves everything as it was ends with its own record.
    b.on_add(&open(0), order(2, Side::BUY, 21, 1));
    let out = added(&mut b, |b| b.on_delete(&cx(0), DeleteOrder { order_id: 2 }));
    assert_eq!(said(&out), [(Kind::DELETE, 0, NULL, 2, END)]);
}

#[test]
fn a_new_session_voids_books_and_what_was_due() {
    let mut b = booked(true);
    b.on_add(&cx(0), order(1, Side::BUY, 10, 5));
    b.on_delete(&cx(0), DeleteOrder { order_id: 9 });
    b.on_add(&open(1), order(2, Side::BUY, 20, 1));
    let nobody = MsgCtx {
        instrument: NO_INSTRUMENT,
        ..cx(0)
    };
    let out = added(&mut b, |b| b.on_restart(&nobody));
    assert_eq!(said(&out), [(Kind::CLEAR, 0, NULL, 0, END)]);
    let totals = b.books(0).unwrap();
    assert_eq!((totals.live_orders, totals.levels), (0, 0));
    assert_eq!(totals.faults.of(Fault::UnknownOrder), 1, "totals go on");
    let out = added(&mut b, |b| b.on_add(&cx(0), order(1, Side::BUY, 10, 5)));
    assert_eq!(out.len(), 3, "its own best prices and no others");
    assert_eq!(out[0].trust, Trust::VALID.0);
}

/// A native record and the context its decoder makes of it.
fn native(kind: Kind, side: Side, price: i64, quantity: u32, flags: Flags) -> (MsgCtx, MarketData) {
    let context = MsgCtx { flags, ..cx(0) };
    let data = MarketData {
        symbol: context.symbol,
        price: price.into(),
        quantity: quantity.into(),
        kind: kind.0,
        side: side.0,
        flags: flags.0.into(),
        timestamp: 9.into(),
    };
    (context, data)
}

#[test]
fn price_levels_make_best_prices_and_a_feeds_own_are_not_repeated() {
    let mut b = booked(true);
    let send = |b: &mut Booked<_>, kind, side, price, quantity, flags| {
        let (cx, m) = native(kind, side, price, quantity, flags);
        added(b, |b| b.on_market_data(&cx, m))
    };
    let end = Flags::END_OF_EVENT;
    let out = send(&mut b, Kind::LEVEL, Side::BUY, 10, 5, end);
    let [bid, offer] = pair((10, 5), NONE);
    assert_eq!(said(&out), [(Kind::LEVEL, 5, 10, 0, 0), bid, offer]);
    let out = send(&mut b, Kind::LEVEL, Side::BUY, 9, 5, end);
    assert_eq!(said(&out), [(Kind::LEVEL, 5, 9, 0, END)]);
    let out = send(&mut b, Kind::CLEAR, Side::NONE, NULL, 0, end);
    let [bid, offer] = pair(NONE, NONE);
    assert_eq!(said(&out), [(Kind::CLEAR, 0, NULL, 0, 0), bid, offer]);

    // The book is empty, so it may become another kind.
    let bid = send(&mut b, Kind::BID, Side::BUY, 10, 5, Flags::NONE);
    let offer = send(&mut b, Kind::OFFER, Side::SELL, 11, 6, end);
    assert_eq!(said(&bid), [(Kind::BID, 5, 10, 0, 0)]);
    assert_eq!(said(&offer), [(Kind::OFFER, 6, 11, 0, END)]);
    let print = send(&mut b, Kind::TRADE, Side::NONE, 10, 1, end);
    assert_eq!(said(&print), [(Kind::TRADE, 1, 10, 0, END)]);
    let best = b.channel(0).unwrap().bbo(0);
    let quote = |price, quantity| Quote {
        price: Price(price),
        quantity,
    };
    let expected = Bbo {
        bid: quote(10, 5),
        ask: quote(11, 6),
    };
    assert_eq!(best, expected);
    let totals = b.books(0).unwrap();
    assert_eq!((totals.bbo_changes, totals.faults.total()), (3, 0));

    let (cx, m) = native(Kind::CLEAR, Side::NONE, NULL, 0, end);
    let everything = MsgCtx {
        instrument: NO_INSTRUMENT,
        ..cx
    };
    let out = added(&mut b, |b| b.on_market_data(&everything, m));
    assert_eq!(out.len(), 1);
    assert_eq!(b.books(0).unwrap().levels, 0);
}

#[test]
fn a_lane_has_books_for_its_own_channels_only() {
    let mut b = Booked::new(Records::new(Vec::new(), 6), 3..5, &LIMITS, true).unwrap();
    let of = |channel| MsgCtx { channel, ..cx(0) };
    b.on_add(&of(3), order(1, Side::BUY, 10, 5));
    b.on_add(&of(4), order(1, Side::BUY, 10, 5));
    b.on_delete(&of(4), DeleteOrder { order_id: 1 });
    let live = |channel| Some(b.books(channel)?.live_orders);
    let all: Vec<_> = (0..6).map(live).collect();
    assert_eq!(all, [None, None, None, Some(1), Some(0), None]);
    assert_ne!(b.digest(3), b.digest(4));
    assert_eq!(b.digest(5), Digest::EMPTY);
}

#[test]
fn an_order_that_changes_in_place_or_loses_its_place_by_its_own_number() {
    let mut b = booked(true);
    b.on_add(&cx(0), order(1, Side::BUY, 10, 5));
    let modify = ModifyOrder {
        order_id: 1,
        price: Price(10),
        quantity: 7,
    };
    let out = added(&mut b, |b| b.on_modify(&cx(0), modify));
    let [bid, offer] = pair((10, 7), NONE);
    assert_eq!(said(&out), [(Kind::MODIFY, 7, 10, 1, 0), bid, offer]);
    let replace = ReplaceOrder {
        old_id: 1,
        new_id: 1,
        price: Price(10),
        quantity: 7,
    };
    let out = added(&mut b, |b| b.on_replace(&cx(0), replace));
    let halves = [
        (Kind::REPLACE_OLD, 0, NULL, 1, 0),
        (Kind::REPLACE_NEW, 7, 10, 1, END),
    ];
    assert_eq!(said(&out), halves, "the best prices are the same");
    assert_eq!(b.books(0).unwrap().faults.total(), 0);
}

fn slot(side: Side, price: i64) -> SlotUpdate {
    SlotUpdate {
        implied: false,
        side,
        action: SlotAction::New,
        level: 1,
        price: Price(price),
        quantity: 5,
        orders: Some(2),
    }
}

#[test]
fn numbered_levels_make_best_prices_at_the_end_of_their_event() {
    let mut b = booked(true);
    let says = Status {
        continuous: Some(true),
        ..status(StatusKind::TRADING, 17)
    };
    b.on_status(&cx(0), says);
    b.on_slot(&cx(0), slot(Side::SELL, 11));
    let out = added(&mut b, |b| {
        b.on_slot(&open(0), slot(Side::BUY, 12));
        b.on_slot(&open(1), slot(Side::BUY, 20));
        b.on_slot(&cx(0), slot(Side::SELL, 13));
    });
    let number = 1 | 3 << 32;
    let [crossing, other, last] =
        [(12, 0), (20, 0), (13, 0)].map(|(price, flags)| (Kind::LEVEL, 5, price, number, flags));
    let [bid, mut offer] = pair((12, 5), (13, 5));
    offer.4 = 0;
    let [bid_1, offer_1] = pair((20, 5), NONE);
    assert_eq!(
        said(&out),
        [crossing, other, last, bid, offer, bid_1, offer_1]
    );
    assert!(out.iter().all(|r| r.trust == Trust::VALID.0));
    assert_eq!(b.books(0).unwrap().faults.total(), 0);
}

#[test]
fn an_event_that_leaves_a_book_crossed_takes_its_trust_when_it_ends_with_another() {
    let mut b = booked(true);
    let says = Status {
        continuous: Some(true),
        ..status(StatusKind::SYSTEM, b'R')
    };
    let market = MsgCtx {
        instrument: NO_INSTRUMENT,
        ..cx(0)
    };
    b.on_status(&market, says);
    let level = |side, price| LevelUpdate {
        side,
        price: Price(price),
        quantity: 5,
        orders: None,
    };
    b.on_level(&cx(0), level(Side::SELL, 11));
    let out = added(&mut b, |b| {
        b.on_level(&open(0), level(Side::BUY, 12));
        b.on_trade(&cx(1), trade(Flags::NONE));
    });
    let trust: Vec<_> = out
        .iter()
        .map(|r| (r.instrument.get(), Trust(r.trust)))
        .collect();
    assert_eq!(
        trust,
        [
            (0, Trust::VALID),
            (1, Trust::VALID),
            (0, Trust::SUSPECT),
            (0, Trust::SUSPECT)
        ]
    );
    assert_eq!(b.books(0).unwrap().faults.of(Fault::Crossed), 1);
}

#[test]
fn an_event_of_one_instrument_ends_no_other() {
    let mut b = booked(true);
    let alone = |cx: MsgCtx| MsgCtx {
        flags: cx.flags.with(Flags::OF_INSTRUMENT),
        ..cx
    };
    let out = added(&mut b, |b| {
        b.on_add(&alone(open(0)), order(1, Side::BUY, 10, 5));
        b.on_add(&alone(cx(1)), order(2, Side::BUY, 20, 5));
        b.on_add(&alone(cx(0)), order(3, Side::BUY, 11, 5));
        b.on_add(&alone(cx(2)), order(4, Side::BUY, 30, 5));
    });
    let of = |r: &Record| (Kind(r.data.kind), r.instrument.get(), r.data.price.get());
    let said: Vec<_> = out.iter().map(of).collect();
    let best = |instrument, price| {
        [
            (Kind::BID, instrument, price),
            (Kind::OFFER, instrument, NULL),
        ]
    };
    let adds = [(0, 10), (1, 20), (0, 11), (2, 30)].map(|(i, price)| (Kind::ADD, i, price));
    let want = [
        &adds[..2],
        &best(1, 20),
        &adds[2..3],
        &best(0, 11),
        &adds[3..],
        &best(2, 30),
    ];
    assert_eq!(said, want.concat());
    assert_eq!(b.books(0).unwrap().bbo_changes, 3);
}

#[test]
fn a_feeds_quote_is_kept_and_said_once() {
    let mut b = booked(true);
    let quote = QuoteUpdate {
        bid: Price(10),
        bid_quantity: 5,
        ask: Price::NULL,
        ask_quantity: 0,
    };
    let out = added(&mut b, |b| b.on_quote(&cx(0), quote));
    assert_eq!(said(&out), pair((10, 5), NONE));
    let out = added(&mut b, |b| b.on_quote(&cx(0), quote));
    assert_eq!(said(&out), pair((10, 5), NONE), "as often as it says it");
    assert_eq!(b.books(0).unwrap().bbo_changes, 1);
}

#[test]
fn a_definition_is_published_whole_and_says_the_name_of_the_book() {
    let mut b = booked(true);
    let named = MsgCtx {
        symbol: *b"#3      ",
        ..cx(3)
    };
    let name = Name::new(b"GEZ5-2GEH6+GEM6");
    let out = added(&mut b, |b| {
        b.on_directory(&named, Directory::of(name));
        b.on_slot(&named, slot(Side::BUY, 10));
    });
    let kinds: Vec<_> = out.iter().map(|r| Kind(r.data.kind)).collect();
    let (directory, name_record) = (Kind::DIRECTORY, Kind::EXTENSION);
    let best = [Kind::LEVEL, Kind::BID, Kind::OFFER];
    assert_eq!(kinds, [&[directory, name_record][..], &best].concat());
    assert_eq!(b.channel(0).unwrap().instruments(), [(3, name)]);
}

#[test]
fn an_event_can_end_without_another_word() {
    let mut b = booked(true);
    let over = MsgCtx {
        instrument: NO_INSTRUMENT,
        symbol: feed_common::event::NO_SYMBOL,
        ..cx(0)
    };
    let out = added(&mut b, |b| {
        for _ in 0..2 {
            b.on_slot(&open(1), slot(Side::BUY, 10));
            b.on_end(&over);
        }
    });
    let kinds: Vec<_> = out.iter().map(|r| Kind(r.data.kind)).collect();
    let want = [Kind::LEVEL, Kind::BID, Kind::OFFER, Kind::LEVEL, Kind::END];
    assert_eq!(kinds, want, "best prices end it, where they have changed");
    let ends = |r: &Record| Flags(r.data.flags.get()).has(Flags::END_OF_EVENT);
    let ends: Vec<_> = out.iter().map(ends).collect();
    assert_eq!(ends, [false, false, true, false, true]);
    let [.., bid, _, _, end] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(bid.instrument.get(), 1);
    assert_eq!(end.instrument.get(), NO_INSTRUMENT);
}

#[test]
fn an_instrument_can_get_another_name() {
    let mut b = booked(true);
    let called = |symbol| MsgCtx { symbol, ..cx(3) };
    b.on_slot(&called(*b"23253   "), slot(Side::BUY, 10));
    let name = Name::new(b"ESZ6");
    b.on_directory(&called(*b"ESZ6    "), Directory::of(name));
    let books = b.channel(0).unwrap();
    assert_eq!(books.instruments(), [(3, name)]);
    assert_eq!(books.bbo(3).bid.price, Price(10));
}
