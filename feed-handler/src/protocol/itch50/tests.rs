//! Every message type by hand, and what is malformed or odd.

use super::*;
use crate::transport::Framing;
use feed_common::event::{Directory, Imbalance, Statistic, Status, TradeBreak, Trust};
use feed_common::time::Ticks;
use feed_common::wire::message::U48;
use proptest::prelude::*;
use zerocopy::IntoBytes;

/// Writes events down as text, with what the context says of each.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
}

impl Recorder {
    fn note(&mut self, cx: &MsgCtx, event: &dyn std::fmt::Debug) {
        let symbol = String::from_utf8_lossy(&cx.symbol);
        let end = if cx.flags.has(Flags::END_OF_EVENT) {
            "."
        } else {
            ""
        };
        self.events
            .push(format!("{} {event:?}{end}", symbol.trim_end()));
    }
}

impl MarketHandler for Recorder {
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.note(cx, &m);
    }
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.note(cx, &m);
    }
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.note(cx, &m);
    }
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.note(cx, &m);
    }
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.note(cx, &m);
    }
    fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
        self.note(cx, &m);
    }
    fn on_trade_break(&mut self, cx: &MsgCtx, m: TradeBreak) {
        self.note(cx, &m);
    }
    fn on_imbalance(&mut self, cx: &MsgCtx, m: Imbalance) {
        self.note(cx, &m);
    }
    fn on_status(&mut self, cx: &MsgCtx, m: Status) {
        self.note(cx, &m);
    }
    fn on_directory(&mut self, cx: &MsgCtx, m: Directory) {
        self.note(cx, &m);
    }
    fn on_statistic(&mut self, cx: &MsgCtx, m: Statistic) {
        self.note(cx, &m);
    }
}

fn context() -> MsgCtx {
    MsgCtx {
        sequence: 1,
        skip: 0,
        channel: 0,
        rx: Ticks(0),
        trust: Trust::VALID,
        midnight: UnixNanos(MIDNIGHT),
        timestamp: UnixNanos::UNKNOWN,
        instrument: 0,
        symbol: NO_SYMBOL,
        flags: Flags::NONE,
        ..MsgCtx::default()
    }
}

const MIDNIGHT: u64 = 1_700_000_000_000_000_000;
const AAPL: [u8; 8] = *b"AAPL    ";

/// A message with locate 7 and one nanosecond after midnight, the rest as given.
macro_rules! made {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        wire::$name {
            stock_locate: 7.into(),
            timestamp: U48::new(1),
            $($field: $value,)*
            ..wire::$name::new()
        }
    };
}

/// A decoder that has been told what locate 7 is.
fn introduced() -> Itch50Decoder {
    let mut d = Itch50Decoder::with_room(4);
    let r = made!(StockDirectory {
        stock: AAPL,
        round_lot_size: 100.into()
    });
    assert_eq!(
        decode(&mut d, r.as_bytes()),
        [
            "AAPL Directory { round_lot: 100, tick: Price(-9223372036854775808), \
            display_factor: Price(-9223372036854775808), depths: [0, 0], name: \"AAPL\" }."
        ]
    );
    d
}

fn decode(d: &mut Itch50Decoder, message: &[u8]) -> Vec<String> {
    let (mut cx, mut out) = (context(), Recorder::default());
    assert_eq!(d.decode(message, &mut cx, &mut out), Ok(()));
    assert_eq!(cx.timestamp.0, MIDNIGHT + 1);
    assert!(!cx.flags.has(Flags::NO_DATE));
    out.events
}

fn oddity(d: &Itch50Decoder, name: &str) -> u64 {
    d.oddities().iter().find(|o| o.0 == name).unwrap().1
}

#[test]
fn order_flow() {
    let mut d = introduced();
    let add = made!(AddOrder {
        order_ref: 11.into(),
        side: b'B',
        shares: 300.into(),
        stock: AAPL,
        price: 1_234_500.into(),
    });
    let add_mpid = made!(AddOrderMpid {
        order_ref: 12.into(),
        side: b'S',
        shares: 1.into(),
        stock: AAPL,
        price: u32::MAX.into(),
        attribution: *b"GSCO",
    });
    let executed = made!(OrderExecuted {
        order_ref: 11.into(),
        executed_shares: 100.into(),
        match_number: 9.into(),
    });
    let executed_at = |printable| {
        made!(OrderExecutedWithPrice {
            order_ref: 11.into(),
            executed_shares: 50.into(),
            match_number: 10.into(),
            printable: printable,
            execution_price: 1.into(),
        })
    };
    let (printed, unprinted) = (executed_at(b'Y'), executed_at(b'N'));
    let cancel = made!(OrderCancel {
        order_ref: 11.into(),
        cancelled_shares: 20.into()
    });
    let replace = made!(OrderReplace {
        original_ref: 11.into(),
        new_ref: 13.into(),
        shares: 70.into(),
        price: 10_000.into(),
    });
    let delete = made!(OrderDelete {
        order_ref: u64::MAX.into()
    });
    let cases: [(&[u8], &str); 8] = [
        (
            add.as_bytes(),
            "AddOrder { order_id: 11, side: Side(66), price: Price(123450000000), quantity: 300 }",
        ),
        (
            add_mpid.as_bytes(),
            "AddOrder { order_id: 12, side: Side(83), price: Price(429496729500000), quantity: 1 }",
        ),
        (
            executed.as_bytes(),
            "ExecuteOrder { order_id: 11, quantity: 100, price: Price(-9223372036854775808), match_id: 9, printable: true }",
        ),
        (
            printed.as_bytes(),
            "ExecuteOrder { order_id: 11, quantity: 50, price: Price(100000), match_id: 10, printable: true }",
        ),
        (
            unprinted.as_bytes(),
            "ExecuteOrder { order_id: 11, quantity: 50, price: Price(100000), match_id: 10, printable: false }",
        ),
        (
            cancel.as_bytes(),
            "CancelOrder { order_id: 11, quantity: 20 }",
        ),
        (
            replace.as_bytes(),
            "ReplaceOrder { old_id: 11, new_id: 13, price: Price(1000000000), quantity: 70 }",
        ),
        (
            delete.as_bytes(),
            "DeleteOrder { order_id: 18446744073709551615 }",
        ),
    ];
    for (message, want) in cases {
        assert_eq!(decode(&mut d, message), [format!("AAPL {want}.")]);
    }
    assert!(d.oddities().iter().all(|o| o.1 == 0), "{:?}", d.oddities());
}

#[test]
fn prints() {
    let mut d = introduced();
    let trade = made!(Trade {
        side: b'B',
        shares: 5.into(),
        stock: AAPL,
        price: 20_000.into(),
        match_number: 3.into(),
    });
    let cross = made!(CrossTrade {
        shares: (1u64 << 33).into(),
        stock: AAPL,
        cross_price: 30_000.into(),
        match_number: 4.into(),
        cross_type: b'O',
    });
    let broken = made!(BrokenTrade {
        match_number: 4.into()
    });
    let cases: [(&[u8], String); 3] = [
        (
            trade.as_bytes(),
            format!(
                "Trade {{ match_id: 3, side: Side(66), price: Price(2000000000), quantity: 5, flags: {:?} }}",
                Flags::HIDDEN
            ),
        ),
        (
            cross.as_bytes(),
            format!(
                "Trade {{ match_id: 4, side: Side(0), price: Price(3000000000), quantity: 8589934592, flags: {:?} }}",
                Flags::CROSS
            ),
        ),
        (broken.as_bytes(), "TradeBreak { match_id: 4 }".into()),
    ];
    for (message, want) in cases {
        assert_eq!(decode(&mut d, message), [format!("AAPL {want}.")]);
    }
}

#[test]
fn an_imbalance_and_its_clearing_prices_are_one_event() {
    let mut d = introduced();
    let m = |far: u32, near: u32, direction| {
        made!(NetOrderImbalance {
            paired_shares: 1.into(),
            imbalance_shares: 2.into(),
            imbalance_direction: direction,
            stock: AAPL,
            far_price: far.into(),
            near_price: near.into(),
            reference_price: 10_000.into(),
        })
    };
    let head = |side| {
        format!(
            "AAPL Imbalance {{ side: Side({side}), reference: Price(1000000000), paired: 1, unpaired: 2 }}"
        )
    };
    let figure = |what, p: u64| {
        format!(
            "AAPL Statistic {{ what: StatisticKind({what}), price: Price({p}00000), quantity: 0 }}"
        )
    };
    assert_eq!(decode(&mut d, m(0, 0, b'N').as_bytes()), [head(0) + "."]);
    assert_eq!(
        decode(&mut d, m(5, 0, b'S').as_bytes()),
        [head(83), figure(7, 5) + "."]
    );
    assert_eq!(
        decode(&mut d, m(5, 6, b'O').as_bytes()),
        [head(79), figure(7, 5), figure(8, 6) + "."]
    );
}

#[test]
fn states() {
    let mut d = introduced();
    let null = "Price(-9223372036854775808)";
    let status = |what, value: u8, detail: &[u8; 4], price: &str| {
        format!(
            "Status {{ what: StatusKind({what}), value: {value}, detail: {detail:?}, price: {price}, continuous: None }}."
        )
    };
    let system = made!(SystemEvent { event_code: b'Q' });
    let trading = made!(StockTradingAction {
        stock: AAPL,
        trading_state: b'H',
        reason: *b"LUDP"
    });
    let sho = made!(RegShoRestriction {
        stock: AAPL,
        reg_sho_action: b'1'
    });
    let participant = made!(MarketParticipantPosition {
        mpid: *b"GSCO",
        stock: AAPL,
        participant_state: b'A',
    });
    let breaker = made!(MwcbStatus {
        breached_level: b'2'
    });
    let ipo = made!(QuotingPeriodUpdate {
        stock: AAPL,
        release_time: 0x0102_0304.into(),
        qualifier: b'A',
        ipo_price: 10_000.into(),
    });
    let halt = made!(OperationalHalt {
        stock: AAPL,
        market_code: b'Q',
        action: b'H'
    });
    let retail = made!(RetailPriceImprovement {
        stock: AAPL,
        interest_flag: b'A'
    });
    let blank = b"    ";
    let cases: [(&[u8], String); 8] = [
        (
            system.as_bytes(),
            format!(" {}", status(1, b'Q', blank, null)),
        ),
        (
            trading.as_bytes(),
            format!("AAPL {}", status(2, b'H', b"LUDP", null)),
        ),
        (
            sho.as_bytes(),
            format!("AAPL {}", status(3, b'1', blank, null)),
        ),
        (
            halt.as_bytes(),
            format!("AAPL {}", status(4, b'H', b"Q   ", null)),
        ),
        (
            participant.as_bytes(),
            format!("AAPL {}", status(5, b'A', b"GSCO", null)),
        ),
        (
            breaker.as_bytes(),
            format!(" {}", status(6, b'2', blank, null)),
        ),
        (
            ipo.as_bytes(),
            format!(
                "AAPL {}",
                status(7, b'A', &[4, 3, 2, 1], "Price(1000000000)")
            ),
        ),
        (
            retail.as_bytes(),
            format!("AAPL {}", status(8, b'A', blank, null)),
        ),
    ];
    for (message, want) in cases {
        assert_eq!(decode(&mut d, message), [want]);
    }
}

#[test]
fn figures() {
    let mut d = introduced();
    let collar = made!(LuldAuctionCollar {
        stock: AAPL,
        reference_price: 1.into(),
        upper_price: 2.into(),
        lower_price: 3.into(),
        extension: 4.into(),
    });
    let figure = |who, what, price: i64, quantity| {
        format!(
            "{who} Statistic {{ what: StatisticKind({what}), price: Price({price}), quantity: {quantity} }}"
        )
    };
    assert_eq!(
        decode(&mut d, collar.as_bytes()),
        [
            figure("AAPL", 4, 100_000, 4),
            figure("AAPL", 5, 200_000, 4),
            figure("AAPL", 6, 300_000, 4) + "."
        ]
    );
    let listing = made!(DirectListing {
        stock: AAPL,
        open_eligibility: b'Y',
        min_allowable_price: 1.into(),
        max_allowable_price: 2.into(),
        near_execution_price: 3.into(),
        lower_price_range_collar: 4.into(),
        upper_price_range_collar: 5.into(),
    });
    assert_eq!(
        decode(&mut d, listing.as_bytes()),
        [
            "AAPL Status { what: StatusKind(9), value: 89, detail: [32, 32, 32, 32], price: Price(300000), continuous: None }".into(),
            figure("AAPL", 9, 100_000, 0),
            figure("AAPL", 10, 200_000, 0),
            figure("AAPL", 11, 400_000, 0),
            figure("AAPL", 12, 500_000, 0) + "."
        ]
    );
    let breaker = made!(MwcbDeclineLevel {
        level1: 123_456_789_012.into(),
        level2: u64::MAX.into(),
        level3: 7.into(),
    });
    assert_eq!(
        decode(&mut d, breaker.as_bytes()),
        [
            figure("", 1, 1_234_567_890_120, 0),
            figure("", 2, i64::MIN, 0),
            figure("", 3, 70, 0) + "."
        ]
    );
    assert_eq!(oddity(&d, "price_range"), 1);
}

#[test]
fn every_type_gives_an_event_and_only_the_last_ends_it() {
    for &kind in wire::TYPES {
        let mut message = vec![b'1'; wire::length_of(kind).unwrap()];
        message[0] = kind;
        let (mut d, mut cx, mut out) =
            (Itch50Decoder::with_room(4), context(), Recorder::default());
        d.decode(&message, &mut cx, &mut out).unwrap();
        let (last, others) = out.events.split_last().expect("an event");
        assert!(last.ends_with('.'), "{last}");
        assert!(others.iter().all(|e| !e.ends_with('.')), "{others:?}");
    }
}

#[test]
fn what_is_no_message_is_named_and_reports_nothing() {
    let mut d = introduced();
    let mut refuse = |message: &[u8]| {
        let mut out = Recorder::default();
        let error = d.decode(message, &mut context(), &mut out).unwrap_err();
        assert!(out.events.is_empty());
        error
    };
    assert_eq!(refuse(b""), DecodeError::Empty);
    assert_eq!(refuse(b"Z"), DecodeError::UnknownType);
    assert_eq!(refuse(&[0; 50]), DecodeError::UnknownType);
    for &kind in wire::TYPES {
        for len in 1..wire::length_of(kind).unwrap() {
            let mut message = vec![b' '; len];
            message[0] = kind;
            assert_eq!(refuse(&message), DecodeError::Short);
        }
    }
}

#[test]
fn a_longer_message_is_read_as_its_prefix_and_counted() {
    let mut d = introduced();
    let mut message = made!(OrderDelete {
        order_ref: 5.into()
    })
    .as_bytes()
    .to_vec();
    message.push(0xff);
    assert_eq!(
        decode(&mut d, &message),
        ["AAPL DeleteOrder { order_id: 5 }."]
    );
    assert_eq!(oddity(&d, "message_long"), 1);
}

#[test]
fn instruments_are_learnt_late_and_forgotten_with_the_session() {
    let mut d = Itch50Decoder::with_room(4);
    let delete = made!(OrderDelete {
        order_ref: 5.into()
    });
    let add = |stock| made!(AddOrder { stock: stock });
    assert_eq!(
        decode(&mut d, delete.as_bytes()),
        [" DeleteOrder { order_id: 5 }."]
    );
    assert_eq!(oddity(&d, "locate_unannounced"), 1);

    decode(&mut d, add(AAPL).as_bytes());
    assert_eq!(
        decode(&mut d, delete.as_bytes()),
        ["AAPL DeleteOrder { order_id: 5 }."]
    );
    assert_eq!(oddity(&d, "locate_unannounced"), 1);

    decode(&mut d, add(*b"MSFT    ").as_bytes());
    assert_eq!(
        decode(&mut d, delete.as_bytes()),
        ["MSFT DeleteOrder { order_id: 5 }."]
    );
    assert_eq!(oddity(&d, "locate_reassigned"), 1);

    d.restart();
    assert_eq!(
        decode(&mut d, delete.as_bytes()),
        [" DeleteOrder { order_id: 5 }."]
    );
    assert_eq!(d.instruments().len(), 2, "numbers outlive the session");
}

#[test]
fn every_locate_is_forgotten_with_the_session() {
    let mut d = Itch50Decoder::with_room(4);
    for locates in [[65_535, 1], [2, 40_000], [3, 3]] {
        for locate in locates {
            let mut add = made!(AddOrder { stock: AAPL });
            add.stock_locate = locate.into();
            decode(&mut d, add.as_bytes());
        }
        d.restart();
        assert!(d.locates.iter().all(|place| *place == Located::NOTHING));
    }
}

#[test]
fn symbols_beyond_the_table_are_delivered_without_a_number() {
    let mut d = Itch50Decoder::with_room(1);
    for (stock, want) in [(AAPL, 0), (*b"MSFT    ", NO_INSTRUMENT)] {
        let (mut cx, add) = (context(), made!(AddOrder { stock: stock }));
        d.decode(add.as_bytes(), &mut cx, &mut Recorder::default())
            .unwrap();
        assert_eq!((cx.symbol, cx.instrument), (stock, want));
    }
    assert_eq!(oddity(&d, "instruments_full"), 1);
}

#[test]
fn without_a_date_times_count_from_midnight_and_say_so() {
    let mut cx = MsgCtx {
        midnight: UnixNanos::UNKNOWN,
        ..context()
    };
    let message = made!(SystemEvent { event_code: b'O' });
    Itch50Decoder::with_room(1)
        .decode(message.as_bytes(), &mut cx, &mut Recorder::default())
        .unwrap();
    assert_eq!(cx.timestamp, UnixNanos(1));
    assert_eq!(cx.flags, Flags::END_OF_EVENT.with(Flags::NO_DATE));
    assert_eq!((cx.instrument, cx.symbol), (NO_INSTRUMENT, NO_SYMBOL));
}

/// Bytes that often look like a message: a known type, then anything.
fn bytes_like_messages() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..60);
    (prop::sample::select(wire::TYPES), any::<bool>(), body).prop_map(|(kind, known, mut body)| {
        if known && !body.is_empty() {
            body[0] = kind;
        }
        body
    })
}

proptest! {
    #[test]
    fn random_datagrams_never_panic(
        messages in prop::collection::vec(bytes_like_messages(), 0..20),
        noise in prop::collection::vec(any::<u8>(), 0..100),
        cut in 0usize..400,
    ) {
        let mut datagram = vec![b'S'; 18];
        datagram.extend((messages.len() as u16).to_be_bytes());
        for m in &messages {
            datagram.extend((m.len() as u16).to_be_bytes());
            datagram.extend(m);
        }
        let cut = &datagram[..cut.min(datagram.len())];
        let mut decoder = Itch50Decoder::with_room(64);
        for bytes in [&datagram[..], cut, &noise] {
            let Ok((frame, rest)) = MoldFraming.open(bytes) else { continue };
            prop_assert!(rest.is_empty());
            for m in frame.messages {
                let mut out = Recorder::default();
                let decoded = decoder.decode(m, &mut context(), &mut out);
                prop_assert_eq!(decoded.is_ok(), !out.events.is_empty());
                let fits = m.first().and_then(|&k| wire::length_of(k)).is_some_and(|n| m.len() >= n);
                prop_assert_eq!(decoded.is_ok(), fits);
            }
        }
        let mut file = ItchFileFraming::default();
        let mut rest = &noise[..];
        while let Ok((frame, after)) = file.open(rest) {
            prop_assert!(after.len() < rest.len());
            for m in frame.messages {
                let _ = decoder.decode(m, &mut context(), &mut Recorder::default());
            }
            rest = after;
        }
    }
}
