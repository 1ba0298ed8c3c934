use super::*;
use crate::subscribe::Glob;
use feed_common::event::{
    DeleteOrder, RankedOrder, Side, SlotAction, SlotUpdate, Statistic, Trade, TradeBreak,
};
use feed_common::wire::mdp3::{
    ChannelResetEntry, Dimension, MessageBuilder, OrderBookEntry, OrderIdEntry, SnapshotRoot,
};
use proptest::prelude::*;
use std::fmt::Debug;
use zerocopy::{Immutable, IntoBytes};

mod beside;
mod names;
mod refresh;

const END: u8 = event::END;

/// Writes down every event as `SYMBOL event`, with what its flags say: `.` ends it, `|` leaves it open, `!` marks a price.
#[derive(Default)]
struct Recorder {
    events: Vec<String>,
    last: MsgCtx,
}

impl Recorder {
    fn note(&mut self, cx: &MsgCtx, event: &dyn Debug) {
        self.last = *cx;
        let symbol = String::from_utf8_lossy(&cx.symbol);
        let flag = |flag, yes, no| if cx.flags.has(flag) { yes } else { no };
        let range = flag(Flags::PRICE_RANGE, "!", "");
        let end = flag(Flags::END_OF_EVENT, ".", "|");
        let symbol = symbol.trim_end();
        self.events.push(format!("{symbol} {event:?}{range}{end}"));
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }
}

macro_rules! noted {
    ($($on:ident: $event:ty;)*) => {
        impl MarketHandler for Recorder {
            $(fn $on(&mut self, cx: &MsgCtx, m: $event) {
                self.note(cx, &m);
            })*

            fn on_clear(&mut self, cx: &MsgCtx) {
                self.note(cx, &"clear");
            }

            fn on_end(&mut self, cx: &MsgCtx) {
                self.note(cx, &"end");
            }
        }
    };
}

noted! {
    on_slot: SlotUpdate;
    on_ranked: RankedOrder;
    on_delete: DeleteOrder;
    on_trade: Trade;
    on_trade_break: TradeBreak;
    on_statistic: Statistic;
    on_status: Status;
    on_directory: Directory;
}

/// A decoder and what it has said.
struct Read {
    decoder: Mdp3Decoder,
    out: Recorder,
}

impl Read {
    fn new() -> Read {
        Read {
            decoder: Mdp3Decoder::with_room(8),
            out: Recorder::default(),
        }
    }

    fn wanting(glob: &str) -> Read {
        let mut read = Read::new();
        let glob: Glob = glob.parse().unwrap();
        let filter = Filter::of(vec![glob]).unwrap();
        read.decoder.subscribe(Box::new(filter));
        read
    }

    fn try_message(&mut self, message: &[u8]) -> Result<Vec<String>, DecodeError> {
        let mut cx = MsgCtx {
            sent: UnixNanos(77),
            ..MsgCtx::default()
        };
        self.decoder.decode(message, &mut cx, &mut self.out)?;
        Ok(self.out.take())
    }

    fn message(&mut self, message: &[u8]) -> Vec<String> {
        self.try_message(message).unwrap()
    }

    #[track_caller]
    fn odd(&self, name: &str) -> u64 {
        let all = self.decoder.oddities();
        all.iter().find(|(odd, _)| *odd == name).expect("a name").1
    }
}

fn root(indicator: u8) -> EventRoot {
    EventRoot {
        transact_time: 1_475_012_773_473_147_505.into(),
        match_event_indicator: indicator,
    }
}

/// A message of one group.
fn simple<T: IntoBytes + Immutable>(
    template_id: u16,
    version: u16,
    indicator: u8,
    entries: &[T],
) -> Vec<u8> {
    let mut message = MessageBuilder::new();
    message.begin(template_id, version, &root(indicator));
    message.group(Dimension::Three, entries).finish().to_vec()
}

fn level(id: i32, rpt_seq: u32, entry_type: u8, action: u8, level: u8, price: i64) -> BookEntry {
    BookEntry {
        md_entry_px_optional_ex: price.into(),
        md_entry_size_short_optional: 7.into(),
        security_id: id.into(),
        rpt_seq: rpt_seq.into(),
        number_of_orders_optional: 2.into(),
        md_price_level: level,
        md_update_action: action,
        md_entry_type_book: entry_type,
        ..BookEntry::default()
    }
}

/// A message of levels and of orders at them.
fn book(indicator: u8, levels: &[BookEntry], orders: &[OrderIdEntry]) -> Vec<u8> {
    let mut message = MessageBuilder::new();
    message
        .begin(template::BOOK, 9, &root(indicator))
        .group(Dimension::Three, levels)
        .group(Dimension::Eight, orders);
    message.finish().to_vec()
}

fn slot(implied: bool, side: Side, action: SlotAction, level: u8, price: i64) -> SlotUpdate {
    SlotUpdate {
        implied,
        side,
        action,
        level,
        price: Price(price),
        quantity: 7,
        orders: Some(2),
    }
}

/// How an event is written down.
fn said(symbol: &str, event: impl Debug, end: &str) -> String {
    format!("{symbol} {event:?}{end}")
}

#[test]
fn levels_are_told_as_they_are_numbered() {
    let mut read = Read::new();
    let actions = [
        SlotAction::New,
        SlotAction::Change,
        SlotAction::Delete,
        SlotAction::DeleteThru,
        SlotAction::DeleteFrom,
        SlotAction::Overlay,
    ];
    let levels: Vec<_> = (0..)
        .zip(actions)
        .map(|(i, action)| level(42, u32::from(i) + 1, b'1', action as u8, i + 1, -5))
        .collect();
    let want: Vec<_> = (1..)
        .zip(actions)
        .map(|(n, action)| said("42", slot(false, Side::SELL, action, n, -5), "|"))
        .collect();
    assert_eq!(read.message(&book(0, &levels, &[])), want);
    assert_eq!(
        read.out.last.timestamp,
        UnixNanos(1_475_012_773_473_147_505)
    );
    let implied = [
        level(42, 7, b'E', 0, 1, 1),
        level(42, 8, b'F', 1, 2, 2),
        level(42, 9, b'0', 2, 3, 3),
    ];
    let want = [
        said("42", slot(true, Side::BUY, SlotAction::New, 1, 1), "|"),
        said("42", slot(true, Side::SELL, SlotAction::Change, 2, 2), "|"),
        said("42", slot(false, Side::BUY, SlotAction::Delete, 3, 3), "."),
    ];
    assert_eq!(read.message(&book(END, &implied, &[])), want);
    let reset = [level(42, 10, b'J', 0, 0, 0)];
    assert_eq!(read.message(&book(END, &reset, &[])), ["42 \"clear\"."]);
    assert_eq!(read.odd("rpt_seq_gap"), 0);
}

#[test]
fn what_is_null_is_not_there() {
    let mut read = Read::new();
    let empty = BookEntry {
        md_entry_size_short_optional: NULL_I32.into(),
        number_of_orders_optional: NULL_I32.into(),
        ..level(42, 1, b'0', 2, 1, NULL_PRICE)
    };
    let nothing = SlotUpdate {
        price: Price::NULL,
        quantity: 0,
        orders: None,
        ..slot(false, Side::BUY, SlotAction::Delete, 1, 0)
    };
    assert_eq!(
        read.message(&book(END, &[empty], &[])),
        [said("42", nothing, ".")]
    );
    assert_eq!(read.odd("price_range"), 0);
}

#[test]
fn quantities_of_eight_bytes_and_prices_of_seven_places() {
    let mut read = Read::new();
    let long = BookLongEntry {
        md_entry_px_optional_ex: 3.into(),
        md_entry_size_optional: (1 << 40).into(),
        security_id: 42.into(),
        rpt_seq: 1.into(),
        number_of_orders_optional: 2.into(),
        md_price_level: 1,
        md_entry_type_book: b'0',
        ..BookLongEntry::default()
    };
    let quantity = 1 << 40;
    let want = SlotUpdate {
        quantity,
        ..slot(false, Side::BUY, SlotAction::New, 1, 3)
    };
    assert_eq!(
        read.message(&simple(template::BOOK_LONG, 12, END, &[long])),
        [said("42", want, ".")]
    );
    // Version 5 has no group of orders, and prices of 1e-7.
    let old = [
        level(42, 2, b'0', 0, 1, 12),
        level(42, 3, b'0', 1, 1, i64::MIN),
    ];
    let beyond = SlotUpdate {
        price: Price::NULL,
        ..slot(false, Side::BUY, SlotAction::Change, 1, 0)
    };
    assert_eq!(
        read.message(&simple(template::BOOK_7, 5, END, &old)),
        [
            said("42", slot(false, Side::BUY, SlotAction::New, 1, 1_200), "|"),
            said("42", beyond, "!."),
        ]
    );
    assert_eq!((read.odd("price_range"), read.odd("rpt_seq_gap")), (1, 0));
}

fn order(id: u64, reference_id: u8, action: u8) -> OrderIdEntry {
    OrderIdEntry {
        order_id: id.into(),
        md_order_priority_optional: (id + 100).into(),
        md_display_qty_optional: 3.into(),
        reference_id,
        order_update_action: action,
        ..OrderIdEntry::default()
    }
}

fn ranked(order_id: u64, side: Side, price: i64, enters: bool) -> RankedOrder {
    RankedOrder {
        order_id,
        side,
        price: Price(price),
        quantity: 3,
        rank: order_id + 100,
        enters,
    }
}

#[test]
fn orders_are_of_the_level_they_refer_to() {
    let mut read = Read::new();
    let levels = [
        level(42, 1, b'0', 0, 1, 10),
        level(43, 1, b'1', 0, 1, 20),
        level(43, 2, b'J', 0, 1, 20),
    ];
    let orders = [order(5, 2, 0), order(6, 1, 1), order(7, 1, 2)];
    let told = read.message(&book(END, &levels, &orders));
    assert_eq!(
        told[2..],
        [
            said("43", "clear", "|"),
            said("43", ranked(5, Side::SELL, 20, true), "|"),
            said("42", ranked(6, Side::BUY, 10, false), "|"),
            said("42", DeleteOrder { order_id: 7 }, "."),
        ]
    );
    // A reference to nothing, beyond the end, to no level: of no instrument. The end of the event comes all the same.
    let orders = [
        order(5, 0, 0),
        order(6, 4, 0),
        order(7, 255, 0),
        order(8, 3, 0),
    ];
    let told = read.message(&book(END, &levels, &orders));
    assert_eq!(told[3..], [" \"end\"."]);
    assert_eq!(
        (read.odd("order_reference"), read.odd("entry_unknown")),
        (4, 0)
    );
    let told = read.message(&book(END, &levels[..1], &[order(5, 1, 3)]));
    assert_eq!((told.len(), read.odd("entry_unknown")), (2, 1));
}

#[test]
fn what_a_message_will_look_up() {
    let mut read = Read::new();
    let levels = [level(42, 1, b'0', 0, 1, 10), level(43, 1, b'1', 0, 1, 20)];
    let both = book(END, &levels, &[order(5, 2, 0), order(6, 1, 1)]);
    let alone = OrderBookEntry {
        order_id_optional: 9.into(),
        security_id: 43.into(),
        md_entry_type_book: b'1',
        ..OrderBookEntry::default()
    };
    let alone = simple(template::ORDER_BOOK, 9, END, &[alone]);
    assert_eq!(read.decoder.ahead(&both), None, "not heard of yet");
    read.message(&both);
    let ahead = |instrument, order_id| {
        Some(Ahead {
            instrument,
            order_id,
            new_id: order_id,
        })
    };
    assert_eq!(read.decoder.ahead(&both), ahead(0, 5));
    assert_eq!(read.decoder.ahead(&book(END, &levels, &[])), ahead(0, 0));
    assert_eq!(read.decoder.ahead(&alone), ahead(1, 9));
    assert_eq!(read.decoder.ahead(&both[..both.len() - 1]), None, "short");
    let heartbeat = MessageBuilder::new()
        .begin(template::ADMIN_HEARTBEAT, 9, &[0u8; 0])
        .finish()
        .to_vec();
    assert_eq!(read.decoder.ahead(&heartbeat), None);
}

#[test]
fn orders_alone() {
    let mut read = Read::new();
    let entry = |id: u64, action, entry_type| OrderBookEntry {
        order_id_optional: id.into(),
        md_order_priority_optional: id.wrapping_add(100).into(),
        md_entry_px_optional_ex: 11.into(),
        md_display_qty_optional: 3.into(),
        security_id: 42.into(),
        md_update_action: action,
        md_entry_type_book: entry_type,
        ..OrderBookEntry::default()
    };
    let entries = [
        entry(5, 0, b'0'),
        entry(6, 1, b'1'),
        entry(NULL_U64, 1, b'1'),
        entry(7, 5, b'1'),
        entry(8, 2, b'1'),
    ];
    let want = |scale: i64| {
        [
            said("42", ranked(5, Side::BUY, 11 * scale, true), "|"),
            said("42", ranked(6, Side::SELL, 11 * scale, false), "|"),
            said("42", DeleteOrder { order_id: 8 }, "."),
        ]
    };
    let new = simple(template::ORDER_BOOK, 9, END, &entries);
    assert_eq!(read.message(&new), want(1));
    let old = simple(template::ORDER_BOOK_7, 8, END, &entries);
    assert_eq!(read.message(&old), want(100));
    assert_eq!(read.odd("entry_unknown"), 4);
}

#[test]
fn an_event_ends_where_its_last_message_says() {
    let mut read = Read::wanting("42");
    let levels = [level(42, 1, b'0', 0, 1, 10), level(43, 1, b'0', 0, 1, 10)];
    assert_eq!(read.message(&book(0, &levels, &[])).len(), 1);
    // The last message is of an instrument that is not wanted: the end comes alone, and once.
    let other = book(END, &[level(43, 2, b'0', 1, 1, 10)], &[]);
    assert_eq!(read.message(&other), [" \"end\"."]);
    assert_eq!(read.out.last.instrument, NO_INSTRUMENT);
    assert!(read.message(&other).is_empty());
    assert_eq!(read.decoder.filtered(), 3);
    // Nor need it have entries.
    assert_eq!(read.message(&book(0, &levels[..1], &[])).len(), 1);
    assert_eq!(read.message(&book(END, &[], &[])), [" \"end\"."]);
    let heartbeat = simple::<ChannelResetEntry>(template::ADMIN_HEARTBEAT, 9, END, &[]);
    assert!(read.message(&heartbeat).is_empty());
}

#[test]
fn a_channel_reset_empties_every_book_and_counts_anew() {
    let mut read = Read::new();
    let level = |id, rpt_seq| book(END, &[level(id, rpt_seq, b'0', 0, 1, 10)], &[]);
    read.message(&level(42, 5));
    read.message(&level(43, 9));
    read.message(&level(42, 6));
    assert_eq!(read.odd("rpt_seq_gap"), 0);
    read.message(&level(42, 9));
    assert_eq!(read.odd("rpt_seq_gap"), 1, "7 and 8");
    let channel = ChannelResetEntry {
        appl_id: 310.into(),
    };
    assert_eq!(
        read.message(&simple(template::CHANNEL_RESET, 9, END, &[channel])),
        ["42 \"clear\"|", "43 \"clear\"|", " \"end\"."]
    );
    read.message(&level(42, 100));
    read.decoder.restart();
    read.message(&level(42, 1));
    read.message(&level(42, 2));
    read.message(&level(42, 1));
    assert_eq!(read.odd("rpt_seq_gap"), 1);
}

#[test]
fn snapshots_touch_no_book_and_unknown_templates_are_errors() {
    let mut read = Read::new();
    let mut message = MessageBuilder::new();
    let snapshot = SnapshotRoot::default();
    message.begin(template::SNAPSHOT, 9, &snapshot);
    let snapshot = message.group::<u8>(Dimension::Three, &[]).finish();
    assert!(read.message(snapshot).is_empty());
    assert_eq!(read.odd("snapshot"), 1);
    let unknown = simple::<u8>(700, 9, END, &[]);
    assert_eq!(read.try_message(&unknown), Err(DecodeError::UnknownType));
    let mut foreign = book(END, &[], &[]);
    foreign[6] = 2;
    assert_eq!(read.try_message(&foreign), Err(DecodeError::UnknownType));
    assert_eq!(read.try_message(&[]), Err(DecodeError::Short));
}

#[test]
fn lengths_that_cannot_be_tell_nothing() {
    let levels = [level(42, 1, b'0', 0, 1, 10), level(43, 1, b'0', 0, 1, 10)];
    let whole = book(END, &levels, &[order(5, 1, 0)]);
    // The block's length, the levels' length and count, the orders' length and count.
    let groups = 10 + 11;
    let orders = groups + 3 + 64;
    for (at, lie) in [
        (2, 5),
        (2, 250),
        (groups, 31),
        (groups + 2, 4),
        (orders, 23),
        (orders + 7, 200),
    ] {
        let mut read = Read::new();
        let mut lying = whole.clone();
        lying[at] = lie;
        let refused = read.try_message(&lying);
        assert_eq!(refused, Err(DecodeError::Invalid), "{at}");
        assert!(read.out.events.is_empty(), "{at}");
    }
    // A newer sender's entries are longer: read by their front.
    let mut longer = MessageBuilder::new();
    let stretched: Vec<[u8; 40]> = levels
        .map(|level| {
            let mut bytes = [0xFF; 40];
            bytes[..32].copy_from_slice(level.as_bytes());
            bytes
        })
        .into();
    longer
        .begin(template::BOOK, 14, &root(END))
        .group(Dimension::Three, &stretched)
        .group::<OrderIdEntry>(Dimension::Eight, &[]);
    assert_eq!(Read::new().message(longer.finish()).len(), 2);
}

#[test]
fn more_instruments_than_there_is_room_for_are_told_without_a_number() {
    let mut read = Read::new();
    for id in 0..20 {
        let told = read.message(&book(END, &[level(id, 1, b'0', 0, 1, 10)], &[]));
        assert_eq!(told.len(), 1);
        assert_eq!(read.out.last.instrument == NO_INSTRUMENT, id >= 8);
    }
    assert!(read.odd("instruments_full") >= 12);
}

proptest! {
    /// Whatever the bytes: an event is told, or an error says why not.
    #[test]
    fn damaged_messages_never_panic(
        template_id in prop::sample::select(vec![4u16, 27, 30, 32, 36, 37, 42, 43, 46, 47, 48, 49, 50, 51, 52, 54, 55, 56, 57, 58, 63, 64, 65, 66, 67]),
        version in 0u16..16,
        body in prop::collection::vec(any::<u8>(), 0..700),
        block in 0u16..350,
    ) {
        let mut read = Read::new();
        let mut message = vec![0; 10];
        message.extend(&body);
        let size = message.len() as u16;
        for (at, field) in [(0, size), (2, block), (4, template_id), (6, 1), (8, version)] {
            message[at..at + 2].copy_from_slice(&field.to_le_bytes());
        }
        let _ = read.try_message(&message);
        let _ = Mdp3Decoder::announcement(&message);
        let _ = read.decoder.ahead(&message);
        for cut in 0..message.len().min(80) {
            let _ = read.try_message(&message[..cut]);
        }
    }
}
