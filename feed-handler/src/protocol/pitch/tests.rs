//! Every message type by hand, and what is malformed or odd.

use super::*;
use crate::protocol::Sheet;
use crate::subscribe::Glob;
use crate::transport::Framing;
use feed_common::event::{
    Imbalance, NO_INSTRUMENT, NO_SYMBOL, Statistic, Status, TradeBreak, Trust,
};
use feed_common::wire::pitch::UnitBuilder;
use proptest::prelude::*;
use zerocopy::IntoBytes;

/// Writes events down as text, with what the context says of each: a `!` before those after a gap, a `.` behind the last
/// of an event.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
}

impl Recorder {
    fn note(&mut self, cx: &MsgCtx, event: &dyn std::fmt::Debug) {
        let symbol = String::from_utf8_lossy(&cx.symbol);
        let mark = |set, mark| if set { mark } else { "" };
        let late = mark(cx.trust == Trust::RECOVERING, "!");
        let range = mark(cx.flags.has(Flags::PRICE_RANGE), " out of range");
        let end = mark(cx.flags.has(Flags::END_OF_EVENT), ".");
        let symbol = symbol.trim_end();
        self.events
            .push(format!("{late}{symbol} {event:?}{range}{end}"));
    }
}

macro_rules! recorded {
    ($($event:ident: $ty:ty,)*) => {
        impl MarketHandler for Recorder {
            $(fn $event(&mut self, cx: &MsgCtx, m: $ty) {
                self.note(cx, &m);
            })*
            fn on_clear(&mut self, cx: &MsgCtx) {
                self.note(cx, &"clear");
            }
        }
    };
}

recorded! {
    on_add: AddOrder,
    on_execute: ExecuteOrder,
    on_cancel: CancelOrder,
    on_delete: DeleteOrder,
    on_replace: ReplaceOrder,
    on_modify: ModifyOrder,
    on_trade: Trade,
    on_trade_break: TradeBreak,
    on_imbalance: Imbalance,
    on_status: Status,
    on_statistic: Statistic,
}

const MIDNIGHT: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 34_200;
const UNIT: u8 = 17;

fn context() -> MsgCtx {
    MsgCtx {
        unit: UNIT,
        midnight: UnixNanos(MIDNIGHT),
        ..MsgCtx::default()
    }
}

/// A message five nanoseconds after the second, the rest as given.
macro_rules! made {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        wire::$name {
            time_offset: 5.into(),
            $($field: $value,)*
            ..wire::$name::new()
        }
    };
}

fn time() -> wire::Time {
    wire::Time {
        time: (SECOND as u32).into(),
        ..wire::Time::new()
    }
}

/// A decoder that has been told the time.
fn started() -> PitchDecoder {
    let mut d = PitchDecoder::new(4, 8);
    let mut out = Recorder::default();
    let told = d.decode(time().as_bytes(), &mut context(), &mut out);
    assert!(told.is_ok() && out.events.is_empty());
    d
}

fn decode(d: &mut PitchDecoder, message: &[u8]) -> Vec<String> {
    let (mut cx, mut out) = (context(), Recorder::default());
    assert_eq!(d.decode(message, &mut cx, &mut out), Ok(()));
    assert_eq!(cx.timestamp.0, MIDNIGHT + SECOND * 1_000_000_000 + 5);
    assert!(!cx.flags.has(Flags::NO_DATE));
    out.events
}

fn oddity(d: &PitchDecoder, name: &str) -> u64 {
    d.oddities().iter().find(|o| o.0 == name).unwrap().1
}

fn add(order_id: u64, symbol: &[u8; 6], quantity: u16) -> wire::AddOrderShort {
    made!(AddOrderShort {
        order_id: order_id.into(),
        side: b'B',
        quantity: quantity.into(),
        symbol: *symbol,
        price: 1_234.into(),
    })
}

fn delete(order_id: u64) -> wire::DeleteOrder {
    made!(DeleteOrder {
        order_id: order_id.into()
    })
}

/// What is kept of an order.
fn kept(d: &PitchDecoder, order_id: u64) -> Option<(u32, i64)> {
    let at = d.orders.seek(UNIT, order_id).ok()?;
    let order = d.orders.at(at);
    Some((order.quantity, order.price.0))
}

#[test]
fn orders_enter_by_all_forms() {
    let mut d = started();
    let entered = |id, price: u64, quantity: u32| {
        format!(
            "AddOrder {{ order_id: {id}, side: Side(66), price: Price({price}), quantity: {quantity} }}."
        )
    };
    let short = add(1, b"AAPL  ", u16::MAX);
    let want = ["AAPL ".to_owned() + &entered(1, 12_340_000_000, 65_535)];
    assert_eq!(decode(&mut d, short.as_bytes()), want);
    let long = made!(AddOrderLong {
        order_id: 2.into(),
        side: b'B',
        quantity: u32::MAX.into(),
        symbol: *b"MSFT  ",
        price: 9_999_999.into(),
    });
    let want = ["MSFT ".to_owned() + &entered(2, 999_999_900_000, u32::MAX)];
    assert_eq!(decode(&mut d, long.as_bytes()), want);
    let expanded = made!(AddOrderExpanded {
        order_id: 3.into(),
        side: b'B',
        quantity: 7.into(),
        symbol: *b"ABCDEFGH",
        price: 1.into(),
        customer_indicator: b'R',
    });
    let want = ["ABCDEFGH ".to_owned() + &entered(3, 100_000, 7)];
    assert_eq!(decode(&mut d, expanded.as_bytes()), want);
    // Older editions have no customer indicator, and newer ones may have more behind it.
    assert_eq!(decode(&mut d, &expanded.as_bytes()[..40]), want);
    assert_eq!(oddity(&d, "message_long"), 0);
    let longer = [expanded.as_bytes(), b"?"].concat();
    assert_eq!(decode(&mut d, &longer), want);
    assert_eq!(oddity(&d, "message_long"), 1);
    assert_eq!(kept(&d, 3), Some((7, 100_000)));
}

#[test]
fn what_becomes_of_orders_is_about_their_instrument() {
    let mut d = started();
    decode(&mut d, add(11, b"AAPL  ", 500).as_bytes());
    let executed = made!(OrderExecuted {
        order_id: 11.into(),
        executed_quantity: 100.into(),
        execution_id: 900.into(),
    });
    assert_eq!(
        decode(&mut d, executed.as_bytes()),
        [
            "AAPL ExecuteOrder { order_id: 11, quantity: 100, price: Price(-9223372036854775808), \
         match_id: 900, printable: true }."
        ]
    );
    let short = made!(ReduceSizeShort {
        order_id: 11.into(),
        cancelled_quantity: 30.into(),
    });
    assert_eq!(
        decode(&mut d, short.as_bytes()),
        ["AAPL CancelOrder { order_id: 11, quantity: 30 }."]
    );
    let long = made!(ReduceSizeLong {
        order_id: 11.into(),
        cancelled_quantity: 70.into(),
    });
    assert_eq!(
        decode(&mut d, long.as_bytes()),
        ["AAPL CancelOrder { order_id: 11, quantity: 70 }."]
    );
    assert_eq!(kept(&d, 11), Some((300, 12_340_000_000)));
    assert_eq!(
        decode(&mut d, delete(11).as_bytes()),
        ["AAPL DeleteOrder { order_id: 11 }."]
    );
    assert_eq!(kept(&d, 11), None);
    assert_eq!(oddity(&d, "order_unknown"), 0);
}

#[test]
fn a_modified_order_keeps_its_priority_only_where_that_is_said() {
    let mut d = started();
    decode(&mut d, add(11, b"AAPL  ", 500).as_bytes());
    let mut short = made!(ModifyOrderShort {
        order_id: 11.into(),
        quantity: 400.into(),
        price: 1_233.into(),
        flags: flags::DISPLAY | flags::MAINTAINS_PRIORITY,
    });
    assert_eq!(
        decode(&mut d, short.as_bytes()),
        ["AAPL ModifyOrder { order_id: 11, price: Price(12330000000), quantity: 400 }."]
    );
    assert_eq!(kept(&d, 11), Some((400, 12_330_000_000)));
    short.flags = flags::DISPLAY;
    assert_eq!(
        decode(&mut d, short.as_bytes()),
        ["AAPL ReplaceOrder { old_id: 11, new_id: 11, price: Price(12330000000), quantity: 400 }."]
    );
    let mut long = made!(ModifyOrderLong {
        order_id: 11.into(),
        quantity: 100_000.into(),
        price: 7_000_001.into(),
    });
    assert_eq!(
        decode(&mut d, long.as_bytes()),
        [
            "AAPL ReplaceOrder { old_id: 11, new_id: 11, price: Price(700000100000), quantity: 100000 }."
        ]
    );
    assert_eq!(kept(&d, 11), Some((100_000, 700_000_100_000)));
    // To nothing: it leaves, whatever its priority.
    long.quantity = 0.into();
    assert_eq!(
        decode(&mut d, long.as_bytes()),
        ["AAPL ModifyOrder { order_id: 11, price: Price(700000100000), quantity: 0 }."]
    );
    assert_eq!(kept(&d, 11), None);
}

/// What an execution at a price is told as: of an order of 100, so much, and so much remains.
fn executed_to(executed: u32, remaining: u32) -> (Vec<String>, Option<u32>) {
    let mut d = started();
    decode(&mut d, add(11, b"AAPL  ", 100).as_bytes());
    let m = made!(OrderExecutedAtPriceSize {
        order_id: 11.into(),
        executed_quantity: executed.into(),
        remaining_quantity: remaining.into(),
        execution_id: 9.into(),
        price: 120_000.into(),
    });
    let events = decode(&mut d, m.as_bytes());
    (events, kept(&d, 11).map(|(quantity, _)| quantity))
}

#[test]
fn an_execution_at_a_price_leaves_what_it_says() {
    let execute = |quantity, end| {
        format!(
            "AAPL ExecuteOrder {{ order_id: 11, quantity: {quantity}, price: Price(12000000000), \
             match_id: 9, printable: true }}{end}"
        )
    };
    let modify = |quantity, end| {
        format!(
            "AAPL ModifyOrder {{ order_id: 11, price: Price(12340000000), quantity: {quantity} }}{end}"
        )
    };
    let alone = |quantity| vec![execute(quantity, ".")];
    // What the quantities say already needs no more words.
    assert_eq!(executed_to(30, 70), (alone(30), Some(70)));
    assert_eq!(executed_to(100, 0), (alone(100), None));
    // Less or more remains than it would.
    let to = |quantity, left| vec![execute(quantity, ""), modify(left, ".")];
    assert_eq!(executed_to(30, 20), (to(30, 20), Some(20)));
    assert_eq!(executed_to(30, 0), (to(30, 0), None));
    assert_eq!(executed_to(30, 90), (to(30, 90), Some(90)));
    // An order that would have left with the execution is made as large as it must have been.
    let from = |before, quantity| vec![modify(before, ""), execute(quantity, ".")];
    assert_eq!(executed_to(100, 50), (from(150, 100), Some(50)));
    assert_eq!(executed_to(130, 1), (from(131, 130), Some(1)));
    // More than there was: the books say so.
    assert_eq!(executed_to(130, 0), (alone(130), None));
}

#[test]
fn orders_that_are_not_known_are_counted_and_about_nothing() {
    let mut d = started();
    decode(&mut d, add(11, b"AAPL  ", 100).as_bytes());
    let at_price = made!(OrderExecutedAtPriceSize {
        order_id: 12.into(),
        remaining_quantity: 5.into(),
    });
    let modify = made!(ModifyOrderShort {
        order_id: 12.into()
    });
    let executed = made!(OrderExecuted {
        order_id: 12.into()
    });
    let reduce = made!(ReduceSizeShort {
        order_id: 12.into()
    });
    let delete = delete(12);
    let unknown: [&[u8]; 5] = [
        at_price.as_bytes(),
        modify.as_bytes(),
        executed.as_bytes(),
        reduce.as_bytes(),
        delete.as_bytes(),
    ];
    for (message, so_far) in unknown.into_iter().zip(1..) {
        let (mut cx, mut out) = (context(), Recorder::default());
        d.decode(message, &mut cx, &mut out).unwrap();
        assert_eq!((cx.instrument, cx.symbol), (NO_INSTRUMENT, NO_SYMBOL));
        assert_eq!(out.events.len(), 1);
        assert_eq!(oddity(&d, "order_unknown"), so_far);
    }
}

#[test]
fn orders_leave_with_their_last_share_and_not_before() {
    let mut d = started();
    for (order_id, amount, left) in [(1, 99, Some(1)), (2, 100, None), (3, 101, None)] {
        decode(&mut d, add(order_id, b"AAPL  ", 100).as_bytes());
        let executed = made!(OrderExecuted {
            order_id: order_id.into(),
            executed_quantity: amount.into(),
        });
        decode(&mut d, executed.as_bytes());
        assert_eq!(kept(&d, order_id).map(|(quantity, _)| quantity), left);
    }
    decode(&mut d, add(4, b"AAPL  ", 0).as_bytes());
    assert_eq!(kept(&d, 4), None, "an order of nothing");
}

#[test]
fn a_full_table_of_orders_is_counted_and_delivers() {
    let mut d = PitchDecoder::new(4, 2);
    d.decode(time().as_bytes(), &mut context(), &mut Recorder::default())
        .unwrap();
    for order_id in 1..=3 {
        let events = decode(&mut d, add(order_id, b"AAPL  ", 100).as_bytes());
        assert!(events[0].starts_with("AAPL AddOrder"));
    }
    assert_eq!(oddity(&d, "orders_full"), 1);
}

#[test]
fn units_have_orders_and_times_of_their_own() {
    let mut d = started();
    decode(&mut d, add(11, b"AAPL  ", 100).as_bytes());
    let mut other = |message: &[u8]| {
        let mut cx = MsgCtx {
            unit: 3,
            ..context()
        };
        let mut out = Recorder::default();
        d.decode(message, &mut cx, &mut out).unwrap();
        (cx.timestamp, out.events)
    };
    let (timestamp, events) = other(delete(11).as_bytes());
    assert_eq!(timestamp, UnixNanos::UNKNOWN);
    assert_eq!(events, [" DeleteOrder { order_id: 11 }."]);
    let (_, events) = other(add(11, b"MSFT  ", 100).as_bytes());
    assert!(events[0].starts_with("MSFT AddOrder"));
    let later = wire::Time {
        time: 40_000.into(),
        ..wire::Time::new()
    };
    other(later.as_bytes());
    let (timestamp, events) = other(delete(11).as_bytes());
    assert_eq!(timestamp.0, MIDNIGHT + 40_000_000_000_005);
    assert_eq!(events, ["MSFT DeleteOrder { order_id: 11 }."]);
    assert_eq!(oddity(&d, "time_unknown"), 2);
    assert_eq!(
        decode(&mut d, delete(11).as_bytes()),
        ["AAPL DeleteOrder { order_id: 11 }."]
    );
}

#[test]
fn without_a_date_times_count_from_midnight_and_say_so() {
    let mut d = started();
    let mut cx = MsgCtx {
        midnight: UnixNanos::UNKNOWN,
        ..context()
    };
    d.decode(
        add(1, b"AAPL  ", 1).as_bytes(),
        &mut cx,
        &mut Recorder::default(),
    )
    .unwrap();
    assert_eq!(cx.timestamp, UnixNanos(34_200_000_000_005));
    assert_eq!(cx.flags, Flags::END_OF_EVENT.with(Flags::NO_DATE));
    d.restart();
    d.decode(
        add(1, b"AAPL  ", 1).as_bytes(),
        &mut cx,
        &mut Recorder::default(),
    )
    .unwrap();
    assert_eq!(cx.timestamp, UnixNanos::UNKNOWN, "said anew in a session");
}

#[test]
fn prices_that_leave_the_range_are_null_and_flagged() {
    let mut d = started();
    let mut long = made!(AddOrderLong {
        order_id: 1.into(),
        side: b'S',
        quantity: 1.into(),
        symbol: *b"BRK.A ",
        price: (i64::MAX as u64 / 100_000).into(),
    });
    let highest = decode(&mut d, long.as_bytes());
    assert!(
        highest[0].contains("price: Price(9223372036854700000)"),
        "{highest:?}"
    );
    long.price = (i64::MAX as u64 / 100_000 + 1).into();
    let beyond = decode(&mut d, long.as_bytes());
    assert!(beyond[0].contains("Price(-9223372036854775808)"));
    assert!(beyond[0].ends_with("out of range."));
    assert_eq!(oddity(&d, "price_range"), 1);
}

#[test]
fn orders_of_unwanted_instruments_are_followed_and_not_delivered() {
    let mut d = started();
    let only = |glob: &str| Box::new(Filter::of(vec![glob.parse::<Glob>().unwrap()]).unwrap());
    d.subscribe(only("MSFT"));
    let events = |d: &mut PitchDecoder, message: &[u8]| {
        let mut out = Recorder::default();
        d.decode(message, &mut context(), &mut out).unwrap();
        out.events
    };
    assert_eq!(events(&mut d, add(1, b"AAPL  ", 9).as_bytes()), [""; 0]);
    assert_eq!(events(&mut d, add(2, b"AAPL  ", 9).as_bytes()), [""; 0]);
    assert_eq!(events(&mut d, delete(1).as_bytes()), [""; 0]);
    assert_eq!((d.filtered(), oddity(&d, "order_unknown")), (3, 0));
    d.subscribe(only("AAPL"));
    assert!(!d.review(&context(), &mut Recorder::default()));
    assert_eq!(
        events(&mut d, delete(2).as_bytes()),
        ["!AAPL DeleteOrder { order_id: 2 }."]
    );
}

#[test]
fn what_an_order_to_come_will_look_up() {
    let mut d = started();
    decode(&mut d, add(1, b"MSFT  ", 9).as_bytes());
    decode(&mut d, add(2, b"AAPL  ", 9).as_bytes());
    let (instrument, order_id) = (1, 2);
    let want = Ahead {
        instrument,
        order_id,
        new_id: order_id,
    };
    assert_eq!(d.ahead(delete(2).as_bytes()), Some(want));
    assert_eq!(d.ahead(time().as_bytes()), None);
}

#[test]
fn what_is_no_message_is_named_and_reports_nothing() {
    let mut d = started();
    let mut refuse = |message: &[u8], want: DecodeError| {
        let mut out = Recorder::default();
        assert_eq!(d.decode(message, &mut context(), &mut out), Err(want));
        assert!(out.events.is_empty());
        assert_eq!(PitchSheet::error(message), Some(want));
        let mut shown = Vec::new();
        PitchSheet::visit(message, &mut |name, _| shown.push(name));
        assert_eq!(shown, ["bytes"]);
    };
    refuse(b"", DecodeError::Empty);
    refuse(b"\x01", DecodeError::Empty);
    refuse(b"\x03\xad?", DecodeError::UnknownType);
    for &(kind, _, _) in wire::FORMS {
        for len in 2..wire::length_of(kind).unwrap() {
            let mut message = vec![b' '; len];
            (message[0], message[1]) = (len as u8, kind);
            refuse(&message, DecodeError::Short);
        }
    }
}

#[test]
fn a_longer_message_is_read_as_its_prefix_and_counted() {
    let mut d = started();
    decode(&mut d, add(5, b"AAPL  ", 9).as_bytes());
    let mut message = delete(5).as_bytes().to_vec();
    message[0] += 1;
    message.push(0xff);
    assert_eq!(
        decode(&mut d, &message),
        ["AAPL DeleteOrder { order_id: 5 }."]
    );
    assert_eq!(oddity(&d, "message_long"), 1);
    assert!(PitchSheet::is_long(&message) && !PitchSheet::is_long(&message[..14]));
}

#[test]
fn people_see_every_field_but_length_and_type() {
    let mut shown = Vec::new();
    let message = [
        made!(DeleteOrder { order_id: 7.into() }).as_bytes(),
        b"\x01",
    ]
    .concat();
    PitchSheet::visit(&message, &mut |name, value| {
        shown.push(format!("{name} {value:?}"));
    });
    assert_eq!(
        shown,
        [
            "time_offset Unsigned(5)",
            "order_id Unsigned(7)",
            "excess Hex([1])"
        ]
    );
    let code = PitchSheet::code(&message);
    assert_eq!(PitchSheet::key(code), "0x29");
    assert_eq!(PitchSheet::name(code), Some("Delete Order"));
    assert_eq!(PitchSheet::key(0x2A), "0x2A");
    assert_eq!(PitchSheet::name(0x1_0029), None);
}

mod rare;

/// Bytes that often look like a message: a known type, then anything.
fn bytes_like_messages() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..60);
    let form = prop::sample::select(wire::FORMS);
    (form, any::<bool>(), body).prop_map(|((kind, len, _), known, mut body)| {
        if known {
            body.resize(len.saturating_sub(2), 0);
        }
        [&[body.len() as u8 + 2, kind], &body[..]].concat()
    })
}

proptest! {
    #[test]
    fn random_datagrams_never_panic(
        messages in prop::collection::vec(bytes_like_messages(), 0..20),
        noise in prop::collection::vec(any::<u8>(), 0..100),
        cut in 0usize..400,
        damage in (0usize..400, any::<u8>()),
    ) {
        let mut b = UnitBuilder::new(1, 1, 1400);
        prop_assert!(messages.iter().all(|m| b.push(m)));
        let datagram = [b.block(), &noise].concat();
        let cut = &datagram[..cut.min(datagram.len())];
        let mut damaged = datagram.clone();
        if let Some(byte) = damaged.get_mut(damage.0) {
            *byte = damage.1;
        }
        let mut decoder = PitchDecoder::new(3, 4);
        for bytes in [b.block(), &datagram, cut, &damaged, &noise] {
            let mut rest = bytes;
            while let Ok((frame, after)) = PitchFraming.open(rest) {
                prop_assert!(after.len() < rest.len());
                let mut read = 0;
                for m in frame.messages {
                    let mut cx = MsgCtx { unit: frame.unit, ..context() };
                    let _ = decoder.ahead(m);
                    let decoded = decoder.decode(m, &mut cx, &mut Recorder::default());
                    prop_assert_eq!(decoded.err(), PitchSheet::error(m));
                    read += 1;
                }
                prop_assert_eq!(read, frame.carries);
                rest = after;
            }
        }
    }
}
