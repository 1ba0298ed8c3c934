use super::*;
use crate::inspect::{BboRows, BookOptions, Breaks, RowFormat, Trades, write_books};
use feed_common::event::{Name, SlotAction, StatusKind};
use feed_common::time::UnixNanos;

const END: Flags = Flags::END_OF_EVENT;

/// The context of a message with that number, which is its time too.
fn cx(sequence: u64, instrument: u32, flags: Flags) -> MsgCtx {
    let mut symbol = *b"#0      ";
    symbol[1] += (instrument % 10) as u8;
    MsgCtx {
        sequence,
        timestamp: UnixNanos(sequence),
        instrument,
        symbol,
        flags,
        ..MsgCtx::default()
    }
}

fn slot(implied: bool, action: SlotAction, level: u8, price: i64) -> SlotUpdate {
    SlotUpdate {
        implied,
        side: Side::BUY,
        action,
        level,
        price: Price(price * 1_000_000_000),
        quantity: 5,
        orders: Some(1),
    }
}

fn bid(price: i64) -> SlotUpdate {
    slot(false, SlotAction::Overlay, 1, price)
}

fn trade(match_id: u64, quantity: u64, flags: Flags) -> Trade {
    Trade {
        match_id,
        side: Side::NONE,
        price: Price(7_000_000_000),
        quantity,
        flags,
    }
}

/// The rows that `events` make of best prices.
fn bbo(events: impl FnOnce(&mut Kept<BboRows<&mut Vec<u8>>>)) -> Vec<String> {
    let mut out = Vec::new();
    let mut kept = Kept::new(1, &room(1, None), BboRows::to(&mut out, RowFormat::Csv)).unwrap();
    events(&mut kept);
    let faults = kept.faults();
    kept.finish(|rows, books| rows.write_rest(books, faults))
        .unwrap();
    drop(kept);
    let text = String::from_utf8(out).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn an_event_over_messages_makes_one_row_an_instrument_with_the_message_that_ends_it() {
    let rows = bbo(|kept| {
        kept.on_slot(&cx(1, 1, Flags::NONE), bid(10));
        kept.on_slot(&cx(1, 0, Flags::NONE), bid(20));
        kept.on_slot(&cx(2, 1, Flags::NONE), bid(11));
        kept.on_slot(&cx(3, 2, Flags::NONE), bid(30));
        let gone = slot(false, SlotAction::Delete, 1, 0);
        kept.on_slot(&cx(4, 2, END), gone);
        kept.on_slot(&cx(5, 0, END), bid(20));
        kept.on_slot(&cx(6, 0, END), bid(21));
    });
    let want = ["#1,4,4,11,5,,", "#0,4,4,20,5,,", "#0,6,6,21,5,,"];
    assert_eq!(rows, want);
}

#[test]
fn an_event_can_end_with_a_message_about_nothing() {
    let rows = bbo(|kept| {
        kept.on_slot(&cx(1, 1, Flags::NONE), bid(10));
        kept.on_end(&cx(2, NO_INSTRUMENT, END));
        kept.on_end(&cx(3, NO_INSTRUMENT, END));
    });
    assert_eq!(rows, ["#1,2,2,10,5,,"]);
}

#[test]
fn an_event_of_one_instrument_ends_no_other() {
    let alone = Flags::OF_INSTRUMENT;
    let rows = bbo(|kept| {
        kept.on_slot(&cx(1, 0, alone), bid(10));
        kept.on_slot(&cx(2, 1, alone.with(END)), bid(20));
        kept.on_slot(&cx(3, 0, alone), bid(11));
        kept.on_slot(&cx(4, 2, alone), bid(30));
        kept.on_trade(&cx(5, 0, alone.with(END)), trade(1, 5, Flags::NONE));
        kept.on_slot(&cx(6, 2, alone.with(END)), bid(31));
    });
    let want = ["#1,2,2,20,5,,", "#0,5,5,11,5,,", "#2,6,6,31,5,,"];
    assert_eq!(rows, want);
}

#[test]
fn an_event_may_end_with_what_is_about_no_book() {
    let status = Status {
        what: StatusKind::GROUP,
        value: 0,
        detail: *b"    ",
        price: Price::NULL,
        continuous: None,
    };
    let imbalance = Imbalance {
        side: Side::BUY,
        reference: Price::NULL,
        paired: 0,
        unpaired: 0,
    };
    type Step = fn(&mut Kept<BboRows<&mut Vec<u8>>>, &MsgCtx, Status, Imbalance);
    let ends: [Step; 4] = [
        |kept, cx, _, _| kept.on_trade(cx, trade(1, 5, Flags::NONE)),
        |kept, cx, status, _| kept.on_status(cx, status),
        |kept, cx, _, imbalance| kept.on_imbalance(cx, imbalance),
        |kept, cx, _, _| kept.on_trade_break(cx, TradeBreak { match_id: 1 }),
    ];
    for end in ends {
        let rows = bbo(|kept| {
            kept.on_slot(&cx(1, 0, Flags::NONE), bid(10));
            end(kept, &cx(2, NO_INSTRUMENT, END), status, imbalance);
            kept.on_slot(&cx(3, 0, END), bid(11));
        });
        assert_eq!(rows, ["#0,2,2,10,5,,", "#0,3,3,11,5,,"]);
    }
}

#[test]
fn a_row_has_the_name_that_is_known_by_then() {
    let rows = bbo(|kept| {
        kept.on_slot(&cx(1, 0, END), bid(10));
        let name = Name::new(b"ESZ5-ESH6");
        kept.on_directory(&cx(2, 0, END), Directory::of(name));
        kept.on_slot(&cx(3, 0, END), bid(11));
    });
    assert_eq!(rows, ["#0,1,1,10,5,,", "ESZ5-ESH6,3,3,11,5,,"]);
}

#[test]
fn books_have_numbers_and_whole_names_and_the_implied_ones_are_apart() {
    let mut kept = Kept::new(1, &room(1, None), ()).unwrap();
    for (instrument, name) in [(0, "ZZZZ-LONGER"), (1, "AAAA-LONGER")] {
        let name = Directory::of(Name::new(name.as_bytes()));
        kept.on_directory(&cx(1, instrument, END), name);
        kept.on_slot(&cx(2, instrument, END), bid(10));
    }
    kept.on_slot(&cx(3, 0, END), slot(false, SlotAction::Change, 4, 9));
    kept.on_slot(&cx(4, 1, END), slot(true, SlotAction::New, 2, 12));
    let printed = |implied, depth| {
        let options = BookOptions {
            format: RowFormat::Csv,
            depth,
            implied,
            queue: false,
        };
        let mut out = Vec::new();
        write_books(kept.books(), &options, kept.faults(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let [first, last] = ["AAAA-LONGER,B,1,10,5,1", "ZZZZ-LONGER,B,1,10,5,1"];
    let far = "ZZZZ-LONGER,B,4,9,5,1";
    assert_eq!(printed(false, usize::MAX), [first, last, far]);
    assert_eq!(printed(false, 3), [first, last]);
    assert_eq!(printed(true, usize::MAX), ["AAAA-LONGER,B,2,12,5,1"]);
}

#[test]
fn prints_that_do_not_count_are_none_and_totals_have_whole_names() {
    let mut kept = Kept::new(1, &room(1, None), Trades::new(Breaks::new(1))).unwrap();
    kept.on_trade(&cx(1, 0, END), trade(1, 5, Flags::NONE));
    kept.on_trade(&cx(2, 0, END), trade(2, 50, Flags::NON_PRINTABLE));
    let name = Name::new(b"ESZ5-ESH6");
    kept.on_directory(&cx(3, 0, END), Directory::of(name));
    let mut out = Vec::new();
    let (books, trades) = (kept.books(), kept.watch());
    let faults = kept.faults();
    trades
        .write(books, RowFormat::Csv, faults, &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().last(), Some("ESZ5-ESH6,1,5,7"));
}

#[test]
fn the_room_of_books_follows_from_what_there_is_to_read() {
    let whole = BookPlan::default().limits;
    assert_eq!(room(1, None), whole);
    assert_eq!(room(1, Some(u64::MAX)), whole);
    assert_eq!(room(4, None).orders, whole.orders / 4);
    let little = room(1, Some(16 * 100_000));
    assert_eq!((little.orders, little.levels), (100_000, 100_000));
    assert_eq!(little.instruments, whole.instruments);
    let least = room(1, Some(24));
    assert_eq!(
        [least.orders, least.levels, least.instruments],
        [LEAST_ROOM; 3]
    );
}
