//! Every message by hand, and what is malformed or odd.

use super::*;
use crate::subscribe::Glob;
use feed_common::event::Trust;
use proptest::prelude::*;
use std::fmt::Debug;
use zerocopy::IntoBytes;

/// Writes events down as text, the symbol before each and a point behind the last of a message.
#[derive(Default)]
struct Recorder(Vec<String>);

impl Recorder {
    fn note(&mut self, cx: &MsgCtx, event: &dyn Debug) {
        let symbol = String::from_utf8_lossy(&cx.symbol);
        let flag = |flag, text| if cx.flags.has(flag) { text } else { "" };
        let range = flag(Flags::PRICE_RANGE, " price-range");
        let end = flag(Flags::END_OF_EVENT, ".");
        let line = format!("{} {event:?}{range}{end}", symbol.trim_end());
        self.0.push(line);
    }
}

macro_rules! record {
    ($($on:ident $event:ident)*) => {
        impl MarketHandler for Recorder {
            $(fn $on(&mut self, cx: &MsgCtx, m: $event) {
                self.note(cx, &m);
            })*
            fn on_clear(&mut self, cx: &MsgCtx) {
                self.note(cx, &"clear");
            }
        }
    };
}

record! {
    on_add AddOrder on_cancel CancelOrder on_delete DeleteOrder on_execute ExecuteOrder on_trade Trade
    on_trade_break TradeBreak on_status Status on_directory Directory
}

const TIME: u64 = 1_692_711_000_000_000_042;

/// A message about security 7, the rest as given.
macro_rules! made {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        wire::$name {
            timestamp: TIME.into(),
            security_id: 7.into(),
            $($field: $value,)*
            ..wire::$name::new()
        }
    };
}

fn directory(symbol: &[u8; 6], symbol_suffix: &[u8; 6]) -> wire::InstrumentDirectory {
    made!(InstrumentDirectory {
        symbol: *symbol,
        symbol_suffix: *symbol_suffix,
        round_lot: 100.into(),
        mpv: 10_000.into(),
    })
}

/// A decoder that has been told what security 7 is.
fn introduced() -> MemoirDecoder {
    let mut d = MemoirDecoder::with_room(4);
    let directory = directory(b"MSFT\0\0", &[0; 6]);
    assert_eq!(decode(&mut d, directory.as_bytes()).len(), 1);
    d
}

fn decode(d: &mut MemoirDecoder, message: &[u8]) -> Vec<String> {
    let (mut cx, mut out) = (MsgCtx::default(), Recorder::default());
    assert_eq!(d.decode(message, &mut cx, &mut out), Ok(()));
    if !out.0.is_empty() {
        assert_eq!(cx.timestamp, UnixNanos(TIME));
    }
    out.0
}

fn fails(d: &mut MemoirDecoder, message: &[u8]) -> DecodeError {
    let (mut cx, mut out) = (MsgCtx::default(), Recorder::default());
    let error = d.decode(message, &mut cx, &mut out).unwrap_err();
    assert!(out.0.is_empty(), "{:?}", out.0);
    assert_eq!(MemoirSheet::error(message), Some(error));
    error
}

/// The oddities that there are.
fn odd(d: &MemoirDecoder) -> Vec<(&'static str, u64)> {
    d.oddities().into_iter().filter(|o| o.1 > 0).collect()
}

#[test]
fn order_flow() {
    let mut d = introduced();
    let add = made!(OrderAdded {
        order_id: u64::MAX.into(),
        side: b'S',
        quantity: u32::MAX.into(),
        price: 104_760_000.into(),
    });
    let deleted = made!(OrderDeleted { order_id: 5.into() });
    let executed = made!(OrderExecuted {
        order_id: 5.into(),
        trade_id: 9.into(),
        quantity: 3.into(),
        price: 1.into(),
    });
    for (message, want) in [
        (
            add.as_bytes(),
            "AddOrder { order_id: 18446744073709551615, side: Side(83), price: Price(104760000000), quantity: 4294967295 }",
        ),
        (deleted.as_bytes(), "DeleteOrder { order_id: 5 }"),
        (
            executed.as_bytes(),
            "ExecuteOrder { order_id: 5, quantity: 3, price: Price(1000), match_id: 9, printable: true }",
        ),
    ] {
        assert_eq!(decode(&mut d, message), [format!("MSFT {want}.")]);
    }
    assert_eq!(odd(&d), []);
}

#[test]
fn a_reduction_takes_away_and_is_counted_as_unsettled() {
    let mut d = introduced();
    let reduced = made!(OrderReduced {
        order_id: 5.into(),
        quantity: 200.into(),
    });
    let want = "MSFT CancelOrder { order_id: 5, quantity: 200 }.";
    assert_eq!(decode(&mut d, reduced.as_bytes()), [want]);
    assert_eq!(odd(&d), [("order_reduced_unsettled", 1)]);
}

#[test]
fn prints_and_what_becomes_of_them() {
    let mut d = introduced();
    let trade = made!(Trade {
        trade_id: 9.into(),
        quantity: 3.into(),
        price: 2_000_000.into(),
    });
    let broken = made!(BrokenTrade {
        trade_id: 9.into(),
        original_quantity: 3.into(),
        original_price: 2_000_000.into(),
    });
    let corrected = made!(CorrectedTrade {
        trade_id: 9.into(),
        original_quantity: 3.into(),
        original_price: 2_000_000.into(),
        corrected_quantity: 2.into(),
        corrected_price: 1_000_000.into(),
    });
    let print = |price, quantity, flags| {
        format!(
            "MSFT Trade {{ match_id: 9, side: Side(0), price: Price({price}), quantity: {quantity}, flags: {flags:?} }}."
        )
    };
    let hidden = print(2_000_000_000, 3, Flags::HIDDEN);
    assert_eq!(decode(&mut d, trade.as_bytes()), [hidden]);
    let void = "MSFT TradeBreak { match_id: 9 }";
    assert_eq!(decode(&mut d, broken.as_bytes()), [format!("{void}.")]);
    let instead = print(1_000_000_000, 2, Flags::NONE);
    assert_eq!(decode(&mut d, corrected.as_bytes()), [void.into(), instead]);
}

#[test]
fn states_and_what_they_say_of_trading() {
    let mut d = introduced();
    let status = |what: u8, value: u8, detail: &[u8; 4], continuous: Option<bool>| {
        let status = Status {
            what: StatusKind(what),
            value,
            detail: *detail,
            price: Price::NULL,
            continuous,
        };
        format!("{status:?}.")
    };
    for (state, continuous) in [
        (b'T', Some(true)),
        (b'H', Some(false)),
        (b'P', Some(false)),
        (b'Q', Some(false)),
        (b'?', None),
    ] {
        let m = made!(SecurityTradingStatus {
            status: state,
            reason: b'R'
        });
        let want = format!("MSFT {}", status(2, state, b"R   ", continuous));
        assert_eq!(decode(&mut d, m.as_bytes()), [want]);
    }
    let m = made!(RegShoRestriction { restricted: 1 });
    let want = format!("MSFT {}", status(3, 1, b"    ", None));
    assert_eq!(decode(&mut d, m.as_bytes()), [want]);
    for (session, continuous) in [
        (b'1', None),
        (b'2', None),
        (b'3', None),
        (b'4', Some(false)),
    ] {
        let m = wire::TradingSessionStatus {
            timestamp: TIME.into(),
            session,
            ..wire::TradingSessionStatus::new()
        };
        let want = format!(" {}", status(1, session, b"    ", continuous));
        assert_eq!(decode(&mut d, m.as_bytes()), [want]);
    }
    let clear = made!(ClearBook {});
    assert_eq!(decode(&mut d, clear.as_bytes()), ["MSFT \"clear\"."]);
    let end = wire::SnapshotComplete::new();
    assert!(decode(&mut d, end.as_bytes()).is_empty());
}

#[test]
fn directories_name_securities() {
    let mut d = MemoirDecoder::with_room(4);
    let want = |symbol: &str, name: &str| {
        format!(
            "{symbol} Directory {{ round_lot: 100, tick: Price(10000000), display_factor: Price(-9223372036854775808), \
             depths: [0, 0], name: {name:?} }}."
        )
    };
    let mut told = |symbol, suffix| decode(&mut d, directory(symbol, suffix).as_bytes());
    assert_eq!(told(b"MSFT\0\0", b"\0\0\0\0\0\0"), [want("MSFT", "MSFT")]);
    assert_eq!(told(b"BRK   ", b"B     "), [want("BRK.B", "BRK.B")]);
    assert_eq!(
        told(b"ABCDEF", b"UVWXYZ"),
        [want("#2", "ABCDEF.UVWXYZ")],
        "longer than a symbol"
    );
    // The number now stands for the last that was announced under it.
    let deleted = made!(OrderDeleted { order_id: 5.into() });
    let want = ["#2 DeleteOrder { order_id: 5 }."];
    assert_eq!(decode(&mut d, deleted.as_bytes()), want);
    let nobody = directory(&[0; 6], b"B     ");
    assert_eq!(
        decode(&mut d, nobody.as_bytes()).len(),
        1,
        "a suffix is a name"
    );
    let (mut cx, mut out) = (MsgCtx::default(), Recorder::default());
    let nameless = directory(&[0; 6], b"      ");
    let decoded = d.decode(nameless.as_bytes(), &mut cx, &mut out);
    assert_eq!((decoded, out.0.len()), (Err(DecodeError::Invalid), 0));
    assert_eq!(odd(&d), []);
}

#[test]
fn numbers_mean_nothing_before_they_are_announced_or_in_another_session() {
    let mut d = introduced();
    let deleted = made!(OrderDeleted { order_id: 5.into() });
    let order = [0; 2].map(|_| {
        d.ahead(deleted.as_bytes())
            .map(|a| (a.instrument, a.order_id))
    });
    assert_eq!(order, [Some((0, 5)); 2]);
    d.restart();
    assert_eq!(d.ahead(deleted.as_bytes()), None);
    let want = [" DeleteOrder { order_id: 5 }."];
    assert_eq!(decode(&mut d, deleted.as_bytes()), want);
    assert_eq!(odd(&d), [("security_unannounced", 1)]);
}

#[test]
fn messages_are_read_by_their_lengths() {
    let mut d = introduced();
    let order = made!(OrderAdded { side: b'B' });
    let bytes = order.as_bytes();
    assert_eq!(fails(&mut d, b""), DecodeError::Empty);
    for end in 1..bytes.len() {
        assert_eq!(fails(&mut d, &bytes[..end]), DecodeError::Short, "{end}");
    }
    let mut cut = bytes.to_vec();
    cut[1] -= 1; // a block of an older version, and a byte behind it
    assert_eq!(fails(&mut d, &cut), DecodeError::Short);
    let change = |at: usize, to: u8| {
        let mut other = bytes.to_vec();
        other[at] = to;
        other
    };
    for template in [0, 4, 17, 19, 99, 101, 255] {
        let error = fails(&mut d, &change(2, template));
        assert_eq!(error, DecodeError::UnknownType, "{template}");
    }
    let foreign = change(3, 3);
    assert_eq!(fails(&mut d, &foreign), DecodeError::UnknownType);
    assert_eq!(MemoirSheet::key(MemoirSheet::code(&foreign)), "3/10");
    assert_eq!(MemoirSheet::name(MemoirSheet::code(&foreign)), None);
    assert_eq!(odd(&d), []);
    let longer_block = [&change(1, 33), &b"xy"[..]].concat();
    let behind = [bytes, b"xy"].concat();
    for long in [longer_block, behind] {
        assert_eq!(decode(&mut d, &long), decode(&mut d, bytes));
        assert!(MemoirSheet::is_long(&long));
    }
    assert_eq!(odd(&d), [("message_long", 2)]);
    let newer = change(5, 9);
    assert_eq!(
        decode(&mut d, &newer),
        decode(&mut d, bytes),
        "a minor version"
    );
}

#[test]
fn prices_beyond_the_range_are_marked() {
    let mut d = introduced();
    let of = |price: i64| {
        made!(OrderAdded {
            side: b'B',
            price: price.into()
        })
    };
    let add = |price: i64, mark| {
        [format!(
            "MSFT AddOrder {{ order_id: 0, side: Side(66), price: Price({price}), quantity: 0 }}{mark}."
        )]
    };
    let most = i64::MAX / 1_000;
    assert_eq!(decode(&mut d, of(most).as_bytes()), add(most * 1_000, ""));
    assert_eq!(decode(&mut d, of(-1).as_bytes()), add(-1_000, ""));
    assert_eq!(odd(&d), []);
    for beyond in [most + 1, i64::MIN] {
        let want = add(i64::MIN, " price-range");
        assert_eq!(decode(&mut d, of(beyond).as_bytes()), want);
    }
    assert_eq!(odd(&d), [("price_range", 2)]);
}

#[test]
fn unwanted_securities_are_passed_over_and_late_ones_marked() {
    let only = |glob: &str| {
        let glob: Glob = glob.parse().unwrap();
        Box::new(Filter::of(vec![glob]).unwrap())
    };
    let mut d = MemoirDecoder::with_room(4);
    d.subscribe(only("X*"));
    let msft = directory(b"MSFT\0\0", &[0; 6]);
    assert!(decode(&mut d, msft.as_bytes()).is_empty());
    let deleted = made!(OrderDeleted { order_id: 5.into() });
    assert!(decode(&mut d, deleted.as_bytes()).is_empty());
    assert_eq!(d.filtered(), 2);
    d.subscribe(only("MSFT"));
    assert!(!d.review(&MsgCtx::default(), &mut Recorder::default()));
    struct Trusts(Vec<Trust>);
    impl MarketHandler for Trusts {
        fn on_delete(&mut self, cx: &MsgCtx, _: DeleteOrder) {
            self.0.push(cx.trust);
        }
    }
    let mut out = Trusts(Vec::new());
    let decoded = d.decode(deleted.as_bytes(), &mut MsgCtx::default(), &mut out);
    assert_eq!((decoded, out.0), (Ok(()), vec![Trust::RECOVERING]));
}

#[test]
fn fields_for_people() {
    let order = made!(OrderReduced {
        quantity: 200.into()
    });
    let mut seen = Vec::new();
    let long = [order.as_bytes(), b"\x09"].concat();
    MemoirSheet::visit(&long, &mut |name, value| {
        seen.push(format!("{name} {value:?}"))
    });
    let want = [
        &format!("timestamp Time({TIME})")[..],
        "security_id Unsigned(7)",
        "order_id Unsigned(0)",
        "quantity Unsigned(200)",
        "excess Hex([9])",
    ];
    assert_eq!(seen, want);
}

proptest! {
    #[test]
    fn anything_is_decoded_or_refused_as_the_sheet_says(
        template in any::<u8>(),
        tail in proptest::collection::vec(any::<u8>(), 0..60),
        block in 0..60u8,
        schema in 1..4u8,
    ) {
        let mut message = vec![0, block, template, schema, 1, 3];
        message.extend(&tail);
        let mut d = introduced();
        let (mut cx, mut out) = (MsgCtx::default(), Recorder::default());
        let decoded = d.decode(&message, &mut cx, &mut out);
        match MemoirSheet::error(&message) {
            None => prop_assert!(matches!(decoded, Ok(()) | Err(DecodeError::Invalid))),
            error => prop_assert_eq!(decoded.err(), error),
        }
    }
}
