//! Every message type by hand, and what is malformed or odd.

use super::*;
use crate::protocol::Sheet;
use crate::subscribe::Glob;
use feed_common::event::{
    Directory, Imbalance, Name, Statistic, StatisticKind, Status, StatusKind, TradeBreak, Trust,
};
use feed_common::wire::message::Value;
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

impl MarketHandler for Recorder {
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.note(cx, &m);
    }
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.note(cx, &m);
    }
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.note(cx, &m);
    }
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.note(cx, &m);
    }
    fn on_modify(&mut self, cx: &MsgCtx, m: ModifyOrder) {
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
    fn on_clear(&mut self, cx: &MsgCtx) {
        self.note(cx, &"clear");
    }
}

/// When all packets here are sent: 250 ms into a second.
const SENT: u64 = 1_795_271_400_250_000_000;

fn context() -> MsgCtx {
    MsgCtx {
        sequence: 1,
        sent: UnixNanos(SENT),
        ..MsgCtx::default()
    }
}

/// A message about symbol 77, one nanosecond into the second, the rest as given.
macro_rules! made {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        wire::$name {
            symbol_index: 77.into(),
            source_time_ns: 1.into(),
            $($field: $value,)*
            ..wire::$name::new()
        }
    };
}

fn mapping(index: u32, symbol: [u8; 11], code: u8) -> wire::SymbolIndexMapping {
    wire::SymbolIndexMapping {
        symbol_index: index.into(),
        symbol,
        price_scale_code: code,
        lot_size: 100.into(),
        ..wire::SymbolIndexMapping::new()
    }
}

const BRK: [u8; 11] = *b"BRK B\0\0\0\0\0\0";

/// A decoder that has been told what symbol 77 is.
fn introduced() -> PillarDecoder {
    let mut d = PillarDecoder::with_room(4);
    assert_eq!(decode(&mut d, mapping(77, BRK, 4).as_bytes()).len(), 1);
    d
}

fn decode(d: &mut PillarDecoder, message: &[u8]) -> Vec<String> {
    timed(d, message).0
}

fn timed(d: &mut PillarDecoder, message: &[u8]) -> (Vec<String>, u64) {
    let (mut cx, mut out) = (context(), Recorder::default());
    assert_eq!(d.decode(message, &mut cx, &mut out), Ok(()));
    assert!(!cx.flags.has(Flags::NO_DATE));
    (out.0, cx.timestamp.0)
}

fn fails(d: &mut PillarDecoder, message: &[u8]) -> DecodeError {
    let (mut cx, mut out) = (context(), Recorder::default());
    let error = d.decode(message, &mut cx, &mut out).unwrap_err();
    assert!(out.0.is_empty(), "{:?}", out.0);
    error
}

/// The oddities that there are.
fn odd(d: &PillarDecoder) -> Vec<(&'static str, u64)> {
    d.oddities().into_iter().filter(|o| o.1 > 0).collect()
}

mod states;

#[test]
fn order_flow() {
    let mut d = introduced();
    let add = made!(AddOrder {
        order_id: 11.into(),
        price: 1_234_500.into(),
        volume: 300.into(),
        side: b'B',
    });
    let execution = |printable| {
        made!(OrderExecution {
            order_id: 11.into(),
            trade_id: 9.into(),
            price: 1.into(),
            volume: u32::MAX.into(),
            printable: printable,
        })
    };
    let (printed, unprinted) = (execution(1), execution(0));
    let replace = made!(ReplaceOrder {
        order_id: 11.into(),
        new_order_id: u64::MAX.into(),
        price: 10_000.into(),
        volume: 70.into(),
    });
    let modify = |position_change| {
        made!(ModifyOrder {
            order_id: 13.into(),
            price: 20_000.into(),
            volume: 60.into(),
            position_change: position_change,
        })
    };
    let (stays, moves) = (modify(0), modify(1));
    let delete = made!(DeleteOrder {
        order_id: 12.into()
    });
    let execute = "ExecuteOrder { order_id: 11, quantity: 4294967295, price: Price(100000), match_id: 9, printable:";
    for (message, want) in [
        (
            add.as_bytes(),
            "AddOrder { order_id: 11, side: Side(66), price: Price(123450000000), quantity: 300 }",
        ),
        (printed.as_bytes(), &format!("{execute} true }}")),
        (unprinted.as_bytes(), &format!("{execute} false }}")),
        (
            replace.as_bytes(),
            "ReplaceOrder { old_id: 11, new_id: 18446744073709551615, price: Price(1000000000), quantity: 70 }",
        ),
        (
            stays.as_bytes(),
            "ModifyOrder { order_id: 13, price: Price(2000000000), quantity: 60 }",
        ),
        (
            moves.as_bytes(),
            "ReplaceOrder { old_id: 13, new_id: 13, price: Price(2000000000), quantity: 60 }",
        ),
        (delete.as_bytes(), "DeleteOrder { order_id: 12 }"),
    ] {
        assert_eq!(decode(&mut d, message), [format!("BRK B {want}.")]);
    }
    assert_eq!(odd(&d), []);
}

#[test]
fn prints() {
    let mut d = introduced();
    let trade = |printable| {
        made!(NonDisplayedTrade {
            trade_id: 3.into(),
            price: 20_000.into(),
            volume: 5.into(),
            printable: printable,
        })
    };
    let (hidden, part) = (trade(1), trade(0));
    let cross = made!(CrossTrade {
        cross_id: 4.into(),
        price: 30_000.into(),
        volume: 6.into(),
        cross_type: b'O',
    });
    let cancel = made!(TradeCancel { trade_id: 3.into() });
    let correction = made!(CrossCorrection {
        cross_id: 4.into(),
        volume: 7.into()
    });
    let print = |id, price: u64, quantity, flags| {
        format!(
            "Trade {{ match_id: {id}, side: Side(0), price: Price({price}), quantity: {quantity}, flags: {flags:?} }}"
        )
    };
    let aside = Flags::HIDDEN.with(Flags::NON_PRINTABLE);
    for (message, want) in [
        (hidden.as_bytes(), print(3, 2_000_000_000, 5, Flags::HIDDEN)),
        (part.as_bytes(), print(3, 2_000_000_000, 5, aside)),
        (cross.as_bytes(), print(4, 3_000_000_000, 6, Flags::CROSS)),
        (cancel.as_bytes(), "TradeBreak { match_id: 3 }".into()),
        (
            correction.as_bytes(),
            figure(StatisticKind::CROSS_VOLUME, Price::NULL, 7),
        ),
    ] {
        assert_eq!(decode(&mut d, message), [format!("BRK B {want}.")]);
    }
    assert_eq!(odd(&d), []);
}

fn figure(what: StatisticKind, price: Price, quantity: u64) -> String {
    format!(
        "{:?}",
        Statistic {
            what,
            price,
            quantity
        }
    )
}

#[test]
fn an_instrument_has_a_name_of_any_length_and_a_tick() {
    let mut d = PillarDecoder::with_room(4);
    let short = wire::SymbolIndexMapping {
        mpv: 100.into(),
        prev_close_price: 207_500.into(),
        prev_close_volume: 9.into(),
        ..mapping(7, *b"IBM\0junk\0\0\0", 6)
    };
    let ibm = Directory {
        round_lot: 100,
        tick: Price(10_000_000),
        ..Directory::of(Name::new(b"IBM"))
    };
    let close = figure(StatisticKind::PREVIOUS_CLOSE, Price(207_500_000), 9);
    let (events, time) = timed(&mut d, short.as_bytes());
    assert_eq!(
        events,
        [format!("IBM {ibm:?}"), format!("IBM {close}.")],
        "its name ends at the first NUL"
    );
    assert_eq!(time, SENT, "a mapping has no time of its own");
    let long = mapping(8, *b"ABCDEFGHIJK", 4);
    let name = Directory {
        round_lot: 100,
        ..Directory::of(Name::new(b"ABCDEFGHIJK"))
    };
    assert_eq!(
        decode(&mut d, long.as_bytes()),
        [format!("#1 {name:?}.")],
        "too long for a symbol"
    );
    let nameless = mapping(9, [0; 11], 4);
    assert_eq!(fails(&mut d, nameless.as_bytes()), DecodeError::Invalid);
    assert_eq!(odd(&d), []);
    decode(&mut d, mapping(7, BRK, 4).as_bytes());
    assert_eq!(odd(&d), [("symbol_reassigned", 1)]);
}

#[test]
fn each_symbol_has_its_own_scale_and_prices_without_one_are_null() {
    let mut d = PillarDecoder::with_room(8);
    let price = |d: &mut PillarDecoder, index: u32, wire: u32| {
        let add = wire::AddOrder {
            symbol_index: index.into(),
            price: wire.into(),
            ..wire::AddOrder::new()
        };
        let (mut cx, mut out) = (context(), Prices::default());
        d.decode(add.as_bytes(), &mut cx, &mut out).unwrap();
        assert_eq!(cx.flags.has(Flags::PRICE_RANGE), !out.0[0].is_some());
        out.0[0].0
    };
    for (index, code) in [
        (0, 0),
        (1, 4),
        (2, 6),
        (3, 9),
        (u32::MAX, 10),
        (1 << 20, 255),
    ] {
        let name = format!("S{code}         ");
        let name: [u8; 11] = name.as_bytes()[..11].try_into().unwrap();
        decode(&mut d, mapping(index, name, code).as_bytes());
    }
    assert_eq!(odd(&d), [("scale_range", 2)]);
    assert_eq!(price(&mut d, 0, u32::MAX), 4_294_967_295_000_000_000);
    assert_eq!(price(&mut d, 1, 10_010_000), 1_001_000_000_000);
    assert_eq!(price(&mut d, 2, 10_010_000), 10_010_000_000);
    assert_eq!(price(&mut d, 3, 1), 1);
    assert_eq!(price(&mut d, u32::MAX, 1), Price::NULL.0);
    assert_eq!(price(&mut d, 1 << 20, 1), Price::NULL.0);
    assert_eq!(price(&mut d, 99, 1), Price::NULL.0);
    let expected = [
        ("symbol_unmapped", 1),
        ("scale_range", 2),
        ("scale_unknown", 3),
    ];
    assert_eq!(odd(&d), expected);
    // Said again with another scale.
    decode(&mut d, mapping(1, *b"S4         ", 2).as_bytes());
    assert_eq!(price(&mut d, 1, 5), 50_000_000);
    // Indices mean the same after a reset.
    d.restart();
    assert_eq!(price(&mut d, 1, 5), 50_000_000);
}

#[derive(Default)]
struct Prices(Vec<Price>);

impl MarketHandler for Prices {
    fn on_add(&mut self, _: &MsgCtx, m: AddOrder) {
        self.0.push(m.price);
    }
}

#[test]
fn times_are_in_the_second_last_referred_to() {
    const SECONDS: u32 = 1_795_271_399;
    let mut d = introduced();
    let delete = wire::DeleteOrder {
        source_time_ns: 999_999_999.into(),
        symbol_index: 77.into(),
        ..wire::DeleteOrder::new()
    };
    let time = |d: &mut PillarDecoder| timed(d, delete.as_bytes()).1;
    let sent_second = SENT - SENT % SECOND;
    assert_eq!(time(&mut d), sent_second + 999_999_999, "not said yet");
    let reference = wire::SourceTimeReference {
        id: 56.into(),
        source_time: SECONDS.into(),
        ..wire::SourceTimeReference::new()
    };
    assert_eq!(decode(&mut d, reference.as_bytes()), [""; 0]);
    assert_eq!(time(&mut d), u64::from(SECONDS) * SECOND + 999_999_999);
    // Whole times change nothing of that.
    let status = made!(SecurityStatus {
        source_time: 5.into(),
    });
    assert_eq!(timed(&mut d, status.as_bytes()).1, 5_000_000_001);
    assert_eq!(time(&mut d), u64::from(SECONDS) * SECOND + 999_999_999);
    d.restart();
    assert_eq!(time(&mut d), sent_second + 999_999_999);
}

#[test]
fn every_type_may_be_longer_and_some_may_be_shorter() {
    for &kind in wire::TYPES {
        let (size, least) = wire::lengths_of(kind).unwrap();
        let message = |len: usize| {
            let mut bytes = vec![b'A'; len];
            bytes[..2].copy_from_slice(&u16::to_le_bytes(len as u16));
            bytes[2..4].copy_from_slice(&kind.to_le_bytes());
            bytes
        };
        let mut d = introduced();
        let whole = decode(&mut d, &message(size));
        let count = |d: &PillarDecoder, name| d.oddities().iter().find(|o| o.0 == name).unwrap().1;
        assert_eq!(count(&d, "message_long"), 0, "{kind}");
        assert_eq!(decode(&mut d, &message(size + 3)), whole, "{kind}");
        assert_eq!(count(&d, "message_long"), 1, "{kind}");
        assert_eq!(PillarSheet::error(&message(least)), None);
        for len in least..size {
            assert_eq!(decode(&mut d, &message(len)).is_empty(), whole.is_empty());
        }
        assert_eq!(count(&d, "message_earlier_release"), (size - least) as u64);
        for len in 4..least {
            assert_eq!(fails(&mut d, &message(len)), DecodeError::Short, "{kind}");
            assert_eq!(PillarSheet::error(&message(len)), Some(DecodeError::Short));
        }
    }
    let mut d = introduced();
    for (bytes, error) in [
        (&b""[..], DecodeError::Empty),
        (b"\x04\0\x64", DecodeError::Short),
        (
            b"\x22\0\x8c\0and more than a head",
            DecodeError::UnknownType,
        ),
        (b"\x04\0\x8c\0", DecodeError::UnknownType),
    ] {
        assert_eq!(fails(&mut d, bytes), error);
        assert_eq!(PillarSheet::error(bytes), Some(error));
    }
}

#[test]
fn only_what_is_wanted_is_delivered() {
    let only = |glob: &str| {
        let glob: Glob = glob.parse().unwrap();
        Box::new(Filter::of(vec![glob]).unwrap())
    };
    let mut d = PillarDecoder::with_room(4);
    d.subscribe(only("ABCDEFGHI*"));
    assert_eq!(decode(&mut d, mapping(77, BRK, 4).as_bytes()), [""; 0]);
    let long = mapping(78, *b"ABCDEFGHIJK", 4);
    assert_eq!(decode(&mut d, long.as_bytes()).len(), 1);
    let delete = made!(DeleteOrder {});
    let clear = wire::SymbolClear {
        symbol_index: 77.into(),
        ..wire::SymbolClear::new()
    };
    assert_eq!(decode(&mut d, delete.as_bytes()), [""; 0]);
    assert_eq!(decode(&mut d, clear.as_bytes()), [""; 0]);
    assert_eq!(d.filtered(), 3);
    let other = wire::DeleteOrder {
        symbol_index: 78.into(),
        ..wire::DeleteOrder::new()
    };
    assert_eq!(decode(&mut d, other.as_bytes()).len(), 1);

    d.subscribe(only("BRK*"));
    let mut out = Recorder::default();
    assert!(!d.review(&context(), &mut out));
    assert_eq!(out.0, ["#1 \"clear\""]);
    struct Trusts(Vec<Trust>);
    impl MarketHandler for Trusts {
        fn on_delete(&mut self, cx: &MsgCtx, _: DeleteOrder) {
            self.0.push(cx.trust);
        }
    }
    let mut trusts = Trusts(Vec::new());
    let mut tell = |d: &mut PillarDecoder| {
        d.decode(delete.as_bytes(), &mut context(), &mut trusts)
            .unwrap()
    };
    tell(&mut d);
    d.restart();
    tell(&mut d);
    assert_eq!(trusts.0, [Trust::RECOVERING, Trust::VALID]);
}

#[test]
fn what_a_message_will_look_up() {
    let d = introduced();
    let replace = made!(ReplaceOrder {
        order_id: 11.into(),
        new_order_id: 12.into(),
    });
    let delete = made!(DeleteOrder {
        order_id: 13.into()
    });
    let ahead = |instrument, order_id, new_id| {
        Some(Ahead {
            instrument,
            order_id,
            new_id,
        })
    };
    assert_eq!(d.ahead(replace.as_bytes()), ahead(0, 11, 12));
    assert_eq!(d.ahead(delete.as_bytes()), ahead(0, 13, 13));
    assert_eq!(d.ahead(&delete.as_bytes()[..23]), None);
    assert_eq!(d.ahead(wire::AddOrder::new().as_bytes()), None, "unmapped");
    assert_eq!(d.ahead(wire::SymbolClear::new().as_bytes()), None);
}

#[test]
fn fields_for_people() {
    let add = made!(AddOrder {
        order_id: 11.into(),
        price: 5.into(),
        side: b'B',
        firm_id: *b"ABC  ",
    });
    let fields = |message: &[u8]| {
        let mut fields = Vec::new();
        PillarSheet::visit(message, &mut |name, value| {
            fields.push(match value {
                Value::Text(text) => format!("{name}={}", String::from_utf8_lossy(text)),
                other => format!("{name}={other:?}"),
            })
        });
        fields.join(" ")
    };
    assert_eq!(PillarSheet::code(add.as_bytes()), 100);
    assert_eq!(PillarSheet::key(100), "100");
    assert_eq!(PillarSheet::name(100), Some("Add Order"));
    assert_eq!(PillarSheet::name(100 + (1 << 16)), None);
    let want = "source_time_ns=Time(1) symbol_index=Unsigned(77) symbol_seq_num=Unsigned(0) order_id=Unsigned(11) \
        price=Unsigned(5) volume=Unsigned(0) side=B firm_id=ABC   reserved=Hex([0])";
    assert_eq!(fields(add.as_bytes()), want);
    let long = [add.as_bytes(), b"\x07"].concat();
    assert!(PillarSheet::is_long(&long));
    assert_eq!(fields(&long), format!("{want} excess=Hex([7])"));
    // One without the end of its firm: what is not whole is not there.
    let short = fields(&add.as_bytes()[..35]);
    assert!(
        short.ends_with("side=B firm_id=Null reserved=Null"),
        "{short}"
    );
    assert_eq!(fields(b"\x05\0\x8c\0\x01"), "bytes=Hex([5, 0, 140, 0, 1])");
}

proptest! {
    #[test]
    fn anything_is_decoded_or_refused_as_the_sheet_says(
        messages in prop::collection::vec(
            (prop::sample::select(wire::TYPES), prop::collection::vec(any::<u8>(), 0..90), 0u8..4),
            0..40,
        ),
    ) {
        let mut d = PillarDecoder::with_room(2);
        for (kind, mut bytes, known) in messages {
            if let Some(place) = bytes.get_mut(2..4) {
                place.copy_from_slice(&kind.to_le_bytes());
            }
            // Few symbols, so that messages meet those that have been mapped.
            for at in [4, 8, 12] {
                if let Some(place) = bytes.get_mut(at..at + 4) && known < 3 {
                    place.copy_from_slice(&u32::from(known).to_le_bytes());
                }
            }
            let (mut cx, mut out) = (context(), Recorder::default());
            match (d.decode(&bytes, &mut cx, &mut out), PillarSheet::error(&bytes)) {
                (Err(DecodeError::Invalid), None) => {}
                (have, want) => prop_assert_eq!(have.err(), want),
            }
            let ends = out.0.iter().filter(|event| event.ends_with('.')).count();
            prop_assert_eq!(ends, usize::from(!out.0.is_empty()), "{:?}", out.0);
            d.ahead(&bytes);
        }
        prop_assert!(d.known.instruments().len() <= 2);
    }
}
