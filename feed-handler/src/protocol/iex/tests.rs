use super::*;
use feed_common::event::{
    Directory, Imbalance, NO_INSTRUMENT, NO_SYMBOL, Statistic, Status, TradeBreak,
};
use proptest::prelude::*;
use std::fmt::Debug;
use zerocopy::IntoBytes;

/// Writes down every event as `SYMBOL event`, with what its flags say: `.` ends it, `|` leaves it open.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    last: MsgCtx,
}

impl Recorder {
    fn note(&mut self, cx: &MsgCtx, event: &dyn Debug) {
        self.last = *cx;
        assert!(cx.flags.has(Flags::OF_INSTRUMENT));
        let symbol = String::from_utf8_lossy(&cx.symbol);
        let end = match cx.flags.has(Flags::END_OF_EVENT) {
            true => ".",
            false => "|",
        };
        let range = match cx.flags.has(Flags::PRICE_RANGE) {
            true => "!",
            false => "",
        };
        self.events
            .push(format!("{} {event:?}{range}{end}", symbol.trim_end()));
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
    fn on_level(&mut self, cx: &MsgCtx, m: LevelUpdate) {
        self.note(cx, &m);
    }
    fn on_quote(&mut self, cx: &MsgCtx, m: QuoteUpdate) {
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
        self.note(cx, &"Clear");
    }
}

const ZIEXT: [u8; 8] = *b"ZIEXT   ";
const TIME: u64 = 1_696_246_475_036_572_612;
const DEEP: u8 = 4;
const DEEP_PLUS: u8 = 5;

/// A message about `ZIEXT`, the rest as given.
macro_rules! made {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        wire::$name {
            timestamp: TIME.into(),
            symbol: ZIEXT,
            $($field: $value,)*
            ..wire::$name::new()
        }
    };
}

/// A decoder and what it has said.
struct Heard {
    decoder: IexDecoder,
    recorder: Recorder,
    unit: u8,
}

impl Heard {
    fn of(unit: u8) -> Heard {
        Heard {
            decoder: IexDecoder::with_room(32),
            recorder: Recorder::default(),
            unit,
        }
    }

    /// What a message says, one line an event.
    fn says(&mut self, message: &impl Wire) -> String {
        self.hears(message.bytes()).expect("a message");
        std::mem::take(&mut self.recorder.events).join("\n")
    }

    fn hears(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let mut cx = MsgCtx {
            unit: self.unit,
            ..MsgCtx::default()
        };
        self.decoder.decode(message, &mut cx, &mut self.recorder)
    }
}

/// The bytes of any wire struct.
trait Wire {
    fn bytes(&self) -> &[u8];
}

impl<T: IntoBytes + Immutable> Wire for T {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

fn level(symbol: &[u8; 8], side: u8, event_flags: u8, size: u32, price: i64) -> Vec<u8> {
    let level = wire::PriceLevelBuy {
        msg_type: side,
        event_flags,
        timestamp: TIME.into(),
        symbol: *symbol,
        size: size.into(),
        price: price.into(),
    };
    level.as_bytes().to_vec()
}

#[test]
fn levels_end_their_event_where_the_flag_says() {
    let mut heard = Heard::of(DEEP);
    let mut says = |bytes: Vec<u8>| {
        heard.hears(&bytes).unwrap();
        heard.recorder.events.pop().unwrap()
    };
    assert_eq!(
        says(level(&ZIEXT, b'8', 0, 300, 1_234_500)),
        "ZIEXT LevelUpdate { side: Side(66), price: Price(123450000000), quantity: 300, orders: None }|"
    );
    assert_eq!(
        says(level(&ZIEXT, b'5', 1, 0, 1_234_600)),
        "ZIEXT LevelUpdate { side: Side(83), price: Price(123460000000), quantity: 0, orders: None }."
    );
    // Bits may be added.
    assert!(says(level(&ZIEXT, b'5', 0x81, 1, 1)).ends_with('.'));
    assert!(says(level(&ZIEXT, b'5', 0x80, 1, 1)).ends_with('|'));
    assert_eq!(heard.recorder.last.timestamp, UnixNanos(TIME));
}

#[test]
fn an_open_event_is_not_ended_by_what_has_no_mark() {
    let mut heard = Heard::of(DEEP);
    let trade = made!(TradeReport { size: 1.into() });
    let halt = made!(OperationalHaltStatus { status: b'O' });
    let other = wire::TradeReport {
        symbol: *b"OTHER   ",
        ..trade
    };
    assert!(
        heard.says(&trade).ends_with('.'),
        "ahead of its event's levels"
    );
    heard.hears(&level(&ZIEXT, b'8', 0, 5, 5)).unwrap();
    heard.recorder.events.clear();
    assert!(heard.says(&trade).ends_with('|'));
    assert!(heard.says(&halt).ends_with('|'));
    assert!(heard.says(&other).ends_with('.'), "of another instrument");
    // Both are open, and each ends alone.
    heard.hears(&level(b"OTHER   ", b'8', 0, 5, 5)).unwrap();
    heard.hears(&level(&ZIEXT, b'8', 1, 5, 5)).unwrap();
    heard.recorder.events.clear();
    assert!(heard.says(&trade).ends_with('.'));
    assert!(heard.says(&other).ends_with('|'));
    heard.hears(&level(b"OTHER   ", b'8', 1, 5, 5)).unwrap();
    heard.recorder.events.clear();
    assert!(heard.says(&other).ends_with('.'));
    assert_eq!(heard.decoder.open, 0);

    heard.hears(&level(&ZIEXT, b'8', 0, 5, 5)).unwrap();
    heard.hears(&level(&ZIEXT, b'8', 0, 6, 6)).unwrap();
    assert_eq!(heard.decoder.open, 1, "opened once");
    heard.decoder.restart();
    heard.recorder.events.clear();
    assert!(heard.says(&trade).ends_with('.'), "a new session");
}

#[test]
fn quotes_have_no_price_on_an_empty_side() {
    let mut heard = Heard::of(3);
    let quote = made!(QuoteUpdate {
        bid_size: 100.into(),
        bid_price: 10_000.into(),
        ask_price: 20_000.into(),
        ask_size: 0.into(),
    });
    assert_eq!(
        heard.says(&quote),
        "ZIEXT QuoteUpdate { bid: Price(1000000000), bid_quantity: 100, ask: Price(-9223372036854775808), ask_quantity: 0 }."
    );
    assert!(
        heard
            .says(&made!(QuoteUpdate { flags: 0x80 }))
            .contains("bid: Price(-9223372036854775808), bid_quantity: 0")
    );
}

#[test]
fn orders_come_change_trade_and_go() {
    let mut heard = Heard::of(DEEP_PLUS);
    let add = |side| {
        made!(AddOrder {
            side: side,
            order_id: 27_000_000_000_000_001.into(),
            size: 300.into(),
            price: (-5).into(),
        })
    };
    assert_eq!(
        heard.says(&add(b'8')),
        "ZIEXT AddOrder { order_id: 27000000000000001, side: Side(66), price: Price(-500000), quantity: 300 }."
    );
    assert!(heard.says(&add(b'5')).contains("Side(83)"));
    assert_eq!(
        heard.hears(add(b'B').as_bytes()),
        Err(DecodeError::Invalid),
        "sides are digits"
    );
    let modify = |modify_flags, size: u32| {
        made!(OrderModify {
            modify_flags: modify_flags,
            order_id: 9.into(),
            size: size.into(),
            price: 10_000.into(),
        })
    };
    assert_eq!(
        heard.says(&modify(0, 50)),
        "ZIEXT ReplaceOrder { old_id: 9, new_id: 9, price: Price(1000000000), quantity: 50 }.",
        "loses its priority"
    );
    let keeps =
        "ZIEXT ModifyOrder { order_id: 9, price: Price(1000000000), quantity: 50 }.".to_owned();
    for flags in [0x01, 0x80, 0xff] {
        assert_eq!(heard.says(&modify(flags, 50)), keeps, "{flags:#04x}");
    }
    assert!(heard.says(&modify(0x7e, 50)).contains("ReplaceOrder"));
    assert!(heard.says(&modify(0, 0)).contains("ModifyOrder"));
    let executed = made!(OrderExecuted {
        sale_flags: 0x60,
        order_id: 9.into(),
        size: 20.into(),
        price: 9_999.into(),
        trade_id: 77.into(),
    });
    assert_eq!(
        heard.says(&executed),
        "ZIEXT ExecuteOrder { order_id: 9, quantity: 20, price: Price(999900000), match_id: 77, printable: true }."
    );
    let delete = made!(OrderDelete {
        reserved: b' ',
        order_id: u64::MAX.into()
    });
    assert_eq!(
        heard.says(&delete),
        "ZIEXT DeleteOrder { order_id: 18446744073709551615 }."
    );
    assert_eq!(heard.says(&made!(ClearBook {})), "ZIEXT \"Clear\".");
}

#[test]
fn trades_are_hidden_in_deep_plus_and_crosses_where_marked() {
    let trade = |sale_flags| {
        made!(TradeReport {
            sale_flags: sale_flags,
            size: 10.into(),
            price: 1.into(),
            trade_id: 5.into(),
        })
    };
    let flags = |unit, sale_flags| {
        let said = Heard::of(unit).says(&trade(sale_flags));
        let plain = "ZIEXT Trade { match_id: 5, side: Side(0), price: Price(100000), quantity: 10, flags: Flags(";
        said.strip_prefix(plain)
            .unwrap()
            .trim_end_matches(") }.")
            .parse::<u16>()
            .map(Flags)
            .unwrap()
    };
    for unit in [2, 3, DEEP] {
        assert_eq!(
            flags(unit, 0xf7),
            Flags::NONE,
            "volume eligible whatever it is"
        );
        assert_eq!(flags(unit, 0x08), Flags::CROSS);
    }
    assert_eq!(flags(DEEP_PLUS, 0), Flags::HIDDEN);
    assert_eq!(flags(DEEP_PLUS, 0x08), Flags::HIDDEN.with(Flags::CROSS));
    let broken = made!(TradeBreak {
        size: 10.into(),
        trade_id: 5.into()
    });
    assert_eq!(
        Heard::of(DEEP).says(&broken),
        "ZIEXT TradeBreak { match_id: 5 }."
    );
}

#[test]
fn continuous_trading_takes_status_and_halt() {
    let mut heard = Heard::of(DEEP);
    let mut says = |bytes: &[u8]| {
        heard.hears(bytes).unwrap();
        heard.recorder.events.pop().unwrap()
    };
    let trading = |status, reason| {
        made!(TradingStatus {
            status: status,
            reason: reason
        })
    };
    let here = |status| made!(OperationalHaltStatus { status: status });
    // In the order in which the spin before the open has them.
    assert_eq!(
        says(here(b'N').as_bytes()),
        "ZIEXT Status { what: StatusKind(4), value: 78, detail: [32, 32, 32, 32], price: Price(-9223372036854775808), continuous: Some(false) }."
    );
    assert_eq!(
        says(trading(b'T', *b"    ").as_bytes()),
        "ZIEXT Status { what: StatusKind(2), value: 84, detail: [32, 32, 32, 32], price: Price(-9223372036854775808), continuous: Some(true) }."
    );
    let yes = |said: String| said.contains("continuous: Some(true)");
    assert!(!yes(says(here(b'O').as_bytes())), "halted here");
    assert!(
        !yes(says(trading(b'T', *b"    ").as_bytes())),
        "still halted here"
    );
    assert!(yes(says(here(b'N').as_bytes())));
    for status in *b"HOP" {
        let said = says(trading(status, *b"T1  ").as_bytes());
        assert!(said.contains("detail: [84, 49, 32, 32]") && !yes(said));
    }
    assert!(!yes(says(here(b'N').as_bytes())), "still halted everywhere");
    let event = |event| wire::SystemEvent {
        event,
        timestamp: TIME.into(),
        ..wire::SystemEvent::new()
    };
    for (code, said) in [
        (b'O', "None"),
        (b'S', "None"),
        (b'R', "None"),
        (b'M', "None"),
        (b'E', "Some(false)"),
        (b'C', "Some(false)"),
    ] {
        let want = format!(
            " Status {{ what: StatusKind(1), value: {code}, detail: [32, 32, 32, 32], price: Price(-9223372036854775808), continuous: {said} }}."
        );
        assert_eq!(says(event(code).as_bytes()), want);
    }
    assert_eq!(heard.recorder.last.instrument, NO_INSTRUMENT);
    assert_eq!(heard.recorder.last.symbol, NO_SYMBOL);
    assert_eq!(heard.recorder.last.timestamp, UnixNanos(TIME));
}

#[test]
fn states_and_announcements() {
    let mut heard = Heard::of(DEEP);
    let status = |what: u8, value: u8, detail: &str| {
        format!(
            "ZIEXT Status {{ what: StatusKind({what}), value: {value}, detail: {detail}, price: Price(-9223372036854775808), continuous: None }}."
        )
    };
    let blank = "[32, 32, 32, 32]";
    let short = made!(ShortSalePriceTestStatus {
        in_effect: 1,
        detail: b'C'
    });
    assert_eq!(heard.says(&short), status(3, 1, "[67, 32, 32, 32]"));
    let retail = made!(RetailLiquidityIndicator { indicator: b'A' });
    assert_eq!(heard.says(&retail), status(8, b'A', blank));
    let closed = made!(SecurityEvent { event: b'C' });
    assert_eq!(heard.says(&closed), status(10, b'C', blank));

    let directory = |close: i64| {
        made!(SecurityDirectory {
            round_lot: 100.into(),
            adjusted_poc_price: close.into(),
        })
    };
    let said = heard.says(&directory(990_500));
    let (first, second) = said.split_once('\n').unwrap();
    assert!(first.starts_with("ZIEXT Directory { round_lot: 100, "));
    assert!(first.ends_with("name: \"ZIEXT\" }|"), "{first}");
    assert_eq!(
        second,
        "ZIEXT Statistic { what: StatisticKind(31), price: Price(99050000000), quantity: 0 }."
    );
    assert!(
        heard.says(&directory(0)).ends_with("name: \"ZIEXT\" }."),
        "no close before"
    );

    let official = |price_type| {
        made!(OfficialPrice {
            price_type: price_type,
            official_price: 0.into()
        })
    };
    assert_eq!(
        heard.says(&official(b'Q')),
        "ZIEXT Statistic { what: StatisticKind(13), price: Price(0), quantity: 0 }."
    );
    assert!(heard.says(&official(b'M')).contains("StatisticKind(14)"));
    assert_eq!(
        heard.hears(official(b'Z').as_bytes()),
        Err(DecodeError::Invalid)
    );
}

#[test]
fn an_auction_is_an_imbalance_and_the_prices_there_are() {
    let mut heard = Heard::of(3);
    let auction = made!(AuctionInformation {
        auction_type: b'C',
        paired_shares: 400.into(),
        reference_price: 100_000.into(),
        indicative_clearing_price: 100_100.into(),
        imbalance_shares: 51.into(),
        imbalance_side: b'S',
        extension_number: 2,
        scheduled_auction_time: 1_517_060_700.into(),
        collar_reference_price: 100_000.into(),
        lower_collar: 90_000.into(),
        upper_collar: 110_000.into(),
    });
    assert_eq!(
        heard.says(&auction).lines().collect::<Vec<_>>(),
        [
            "ZIEXT Imbalance { side: Side(83), reference: Price(10000000000), paired: 400, unpaired: 51 }|",
            "ZIEXT Statistic { what: StatisticKind(30), price: Price(10010000000), quantity: 0 }|",
            "ZIEXT Statistic { what: StatisticKind(4), price: Price(10000000000), quantity: 2 }|",
            "ZIEXT Statistic { what: StatisticKind(6), price: Price(9000000000), quantity: 2 }|",
            "ZIEXT Statistic { what: StatisticKind(5), price: Price(11000000000), quantity: 2 }.",
        ]
    );
    let bare = made!(AuctionInformation {
        imbalance_side: b'N'
    });
    assert_eq!(
        heard.says(&bare),
        "ZIEXT Imbalance { side: Side(0), reference: Price(0), paired: 0, unpaired: 0 }."
    );
}

#[test]
fn prices_beyond_the_range_are_null_marked_and_counted() {
    let mut heard = Heard::of(DEEP);
    let trade = |price: i64| {
        made!(TradeReport {
            price: price.into()
        })
    };
    let most = i64::MAX / 100_000;
    assert!(
        heard
            .says(&trade(most))
            .contains(&format!("Price({})", most * 100_000))
    );
    assert!(heard.says(&trade(-most)).contains("Price(-92"));
    for price in [most + 1, -most - 1, i64::MIN, i64::MAX] {
        let said = heard.says(&trade(price));
        assert!(said.contains("Price(-9223372036854775808)") && said.ends_with("!."));
    }
    assert_eq!(heard.decoder.oddities()[1], ("price_range", 4));
    assert!(
        heard.says(&trade(1)).ends_with("}."),
        "the mark does not stay"
    );
}

#[test]
fn what_is_no_message_is_named_and_leaves_no_instrument() {
    let mut heard = Heard::of(DEEP);
    assert_eq!(heard.hears(b""), Err(DecodeError::Empty));
    assert_eq!(heard.hears(&[b'z'; 40]), Err(DecodeError::UnknownType));
    assert_eq!(heard.hears(b"S"), Err(DecodeError::Short));
    assert_eq!(heard.hears(&[b'8'; 17]), Err(DecodeError::Short));
    assert!(heard.decoder.instruments().is_empty());
    for &kind in wire::TYPES {
        let len = wire::length_of(kind).unwrap();
        let whole = vec![kind; len];
        assert_eq!(heard.hears(&whole[..len - 1]), Err(DecodeError::Short));
        assert_ne!(heard.hears(&whole), Err(DecodeError::Short));
        assert_ne!(heard.hears(&whole), Err(DecodeError::UnknownType));
    }
    assert_eq!(heard.decoder.oddities()[0], ("message_long", 0));
    // A revision appended fields.
    let mut long = level(&ZIEXT, b'8', 1, 1, 1);
    long.extend(b"more");
    assert_eq!(heard.hears(&long), Ok(()));
    let mut event = wire::SystemEvent::new().as_bytes().to_vec();
    event.extend([b'Y'; 30]);
    assert_eq!(heard.hears(&event), Ok(()));
    assert_eq!(heard.decoder.oddities()[0], ("message_long", 2));
    let known = |symbol: &[u8; 8]| {
        let seen = heard.decoder.instruments();
        (0..seen.len() as u32).any(|i| seen.symbol(i) == *symbol)
    };
    assert!(known(&ZIEXT) && !known(b"YYYYYYYY"));
}

#[test]
fn instruments_beyond_the_table_are_delivered_without_a_number() {
    let mut heard = Heard::of(DEEP);
    heard.decoder = IexDecoder::with_room(1);
    for symbol in [b"A       ", b"B       "] {
        heard.hears(&level(symbol, b'8', 0, 1, 1)).unwrap();
    }
    assert_eq!(heard.recorder.events.len(), 2);
    assert_eq!(heard.recorder.last.instrument, NO_INSTRUMENT);
    assert_eq!(heard.recorder.last.symbol, *b"B       ");
    assert_eq!(heard.decoder.oddities()[2], ("instruments_full", 1));
    assert_eq!(heard.decoder.open, 1);
}

#[test]
fn unwanted_instruments_are_passed_over_and_late_ones_marked() {
    let only = |glob: &str| {
        let rule = glob.parse().expect("a pattern");
        Box::new(Filter::of(vec![rule]).expect("few rules"))
    };
    let mut heard = Heard::of(DEEP);
    heard.decoder.subscribe(only("A*"));
    heard.hears(&level(b"A       ", b'8', 1, 1, 1)).unwrap();
    heard.hears(&level(b"B       ", b'8', 1, 1, 1)).unwrap();
    heard
        .hears(wire::SystemEvent::new().as_bytes())
        .expect("of no instrument");
    assert_eq!(heard.recorder.events.len(), 2);
    assert_eq!(heard.decoder.filtered(), 1);
    heard.decoder.subscribe(only("*"));
    let cx = MsgCtx::default();
    assert!(!heard.decoder.review(&cx, &mut Quiet));
    heard.hears(&level(b"B       ", b'8', 1, 1, 1)).unwrap();
    assert_eq!(heard.recorder.last.trust, Trust::RECOVERING);
    heard.hears(&level(b"A       ", b'8', 1, 1, 1)).unwrap();
    assert_eq!(heard.recorder.last.trust, Trust::VALID);
    heard.decoder.restart();
    heard.hears(&level(b"B       ", b'8', 1, 1, 1)).unwrap();
    assert_eq!(heard.recorder.last.trust, Trust::VALID, "nothing missed");
}

struct Quiet;
impl MarketHandler for Quiet {}

#[test]
fn the_sheet_names_keys_and_takes_apart() {
    use crate::protocol::Sheet;
    let message = level(&ZIEXT, b'8', 1, 190, -1);
    let code = IexSheet::code(&message);
    assert_eq!(IexSheet::key(code), "8");
    assert_eq!(IexSheet::name(code), Some("Price Level Update (buy)"));
    assert_eq!(
        (IexSheet::key(b'a'.into()).as_str(), IexSheet::name(1)),
        ("a", None)
    );
    let fields = |message: &[u8]| {
        let mut fields = Vec::new();
        IexSheet::visit(message, &mut |name, value| {
            fields.push(format!("{name} {value:?}"));
        });
        fields
    };
    assert_eq!(
        fields(&message),
        [
            "event_flags Unsigned(1)".to_owned(),
            format!("timestamp Time({TIME})"),
            format!("symbol Text({ZIEXT:?})"),
            "size Unsigned(190)".to_owned(),
            "price Price { mantissa: -1, decimals: 4 }".to_owned(),
        ]
    );
    assert_eq!(fields(b"z1"), ["bytes Hex([122, 49])"]);
    let mut long = message.clone();
    long.push(7);
    assert!(IexSheet::is_long(&long) && !IexSheet::is_long(&message));
    assert_eq!(fields(&long).last().unwrap(), "excess Hex([7])");
    assert_eq!(IexSheet::error(b""), Some(DecodeError::Empty));
    assert_eq!(IexSheet::error(&message[..20]), Some(DecodeError::Short));
    assert_eq!(IexSheet::error(b"z"), Some(DecodeError::UnknownType));
    assert_eq!(IexSheet::error(&long), None);
}

proptest! {
    /// Nothing panics, the sheet and the decoder agree about what is wrong, and open events are counted right.
    #[test]
    fn random_messages_never_panic(
        messages in prop::collection::vec(
            (
                prop::sample::select([wire::TYPES, b"z"].concat()),
                prop::collection::vec(prop::sample::select(b"\0\x01BAT \xff\x80".to_vec()), 0..90),
            ),
            0..60,
        ),
    ) {
        use crate::protocol::Sheet;
        let mut heard = Heard::of(DEEP);
        for (kind, mut message) in messages {
            if let Some(first) = message.first_mut() {
                *first = kind;
            }
            let error = heard.hears(&message).err();
            match IexSheet::error(&message) {
                None => prop_assert!(matches!(error, None | Some(DecodeError::Invalid))),
                wrong => prop_assert_eq!(error, wrong),
            }
            let open = heard.decoder.states.iter().filter(|s| s.has(State::OPEN_EVENT));
            prop_assert_eq!(open.count() as u32, heard.decoder.open);
        }
    }
}
