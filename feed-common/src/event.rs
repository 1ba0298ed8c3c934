//! What the feed says, in one model: the events a decoder reports, `MarketData`, and the published record.
//!
//! Decoders call a [`MarketHandler`]; the publisher is one and turns events into [`Record`]s, books are another.
//! Prices are integers in units of 1e-9 ([`Price`]); wire enums stay bytes, and values nobody knows are kept.

mod orders;
mod states;

pub use orders::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, LevelUpdate, ModifyOrder, QuoteUpdate,
    RankedOrder, ReplaceOrder, SlotAction, SlotUpdate,
};
pub use states::{Directory, Name, Statistic, StatisticKind, Status, StatusKind};

use crate::record::{SensorReading, TimeSeriesPoint};
use crate::time::{Ticks, UnixNanos};
use zerocopy::byteorder::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A price in units of 1e-9; [`Price::NULL`] when the message has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Price(pub i64);

impl Price {
    /// No price.
    pub const NULL: Price = Price(i64::MIN);

    /// Decimal places a canonical price carries.
    pub const DECIMALS: u32 = 9;

    /// A wire price of `N` decimal places whose width cannot leave the range (32 bits at any `N` from 0 to 9).
    #[inline]
    pub const fn from_u32<const N: u32>(mantissa: u32) -> Price {
        const { assert!(N <= Price::DECIMALS) }
        Price(mantissa as i64 * 10i64.pow(Self::DECIMALS - N))
    }

    /// A wire price of `decimals` places (0 to 9); `None` when it leaves the range, which callers count and flag.
    #[inline]
    pub const fn from_wide(mantissa: i128, decimals: u32) -> Option<Price> {
        let value = mantissa * 10i128.pow(Self::DECIMALS - decimals);
        if value > i64::MIN as i128 && value <= i64::MAX as i128 {
            Some(Price(value as i64))
        } else {
            None
        }
    }

    /// False for [`Price::NULL`].
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0 != i64::MIN
    }
}

/// The side of the book, as the wire's ASCII byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Side(pub u8);

impl Side {
    /// Neither side, or not said.
    pub const NONE: Side = Side(0);
    /// Bid.
    pub const BUY: Side = Side(b'B');
    /// Offer.
    pub const SELL: Side = Side(b'S');
}

/// What a record is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Kind(pub u8);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Kind = Kind($value);)*

            /// The name in facts and reports; `None` for a kind this version does not know.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($value => Some($text),)* _ => None }
            }
        }
    };
}

kinds! {
    /// An order enters the book.
    ADD = 1, "add";
    /// An order changes in place and keeps its priority.
    MODIFY = 2, "modify";
    /// An order leaves the book.
    DELETE = 3, "delete";
    /// An order trades; `quantity` is what traded, `price` is null when it traded at its own price.
    EXECUTE = 4, "execute";
    /// An order shrinks by `quantity`.
    CANCEL = 5, "cancel";
    /// First half of a replacement: the order that goes. `price` and `quantity` are not repeated.
    REPLACE_OLD = 6, "replace-old";
    /// Second half of a replacement: the order that comes, behind the queue.
    REPLACE_NEW = 7, "replace-new";
    /// A price level is now `quantity` (0: gone). In `order_id`, from the lowest bits up: the level number where the
    /// feed has one (8 bits), the [`SlotAction`] (8 bits), and one more than the number of its orders where the feed
    /// says that (32 bits).
    LEVEL = 8, "level";
    /// All orders and levels of the instrument are void; without an instrument, those of the whole channel.
    CLEAR = 9, "clear";
    /// Best bid; closed by its offer.
    BID = 10, "bid";
    /// Best offer.
    OFFER = 11, "offer";
    /// A print that touched no visible order, or a bulk print; `order_id` is the match number.
    TRADE = 12, "trade";
    /// The print with match number `order_id` is void.
    TRADE_BREAK = 13, "trade-break";
    /// Auction imbalance: reference price, unpaired quantity, its side; `order_id` is the paired quantity.
    IMBALANCE = 14, "imbalance";
    /// A state changed; see [`Status`] for where its parts are.
    STATUS = 15, "status";
    /// An instrument is announced.
    DIRECTORY = 16, "directory";
    /// A figure beside the book (collar, official price, ...); `order_id` says which, see [`Statistic`].
    STATISTIC = 17, "statistic";
    /// `order_id` messages from `sequence` on are missing and will not come.
    GAP = 18, "gap";
    /// What the record before it could not hold: `order_id` is its exact quantity.
    EXTENSION = 19, "extension";
    /// An event has ended with a message of which nothing else is published.
    END = 20, "end";
    /// The lines of the channel have fallen silent (`trust` is [`Trust::STALE`]), or are heard again: for all of its
    /// instruments. It depends on when packets came, so no digest counts it. Received when the last packet before it was.
    TRUST = 21, "trust";
    /// A sensor's reading; [`SensorReading::to_record`] says where its parts are.
    SENSOR = 22, "sensor";
    /// A point of a time series; [`TimeSeriesPoint::to_record`] says where its parts are.
    POINT = 23, "point";
}

/// Bits of [`MarketData::flags`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Flags(pub u16);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// Last record of an event: books are consistent after it.
    pub const END_OF_EVENT: Flags = Flags(1);
    /// The quantity does not fit 32 bits; `quantity` is `u32::MAX` and an extension record follows.
    pub const QUANTITY_SATURATED: Flags = Flags(1 << 1);
    /// The wire price left the canonical range; `price` is null.
    pub const PRICE_RANGE: Flags = Flags(1 << 2);
    /// `timestamp` counts from midnight because the session date is not known.
    pub const NO_DATE: Flags = Flags(1 << 3);
    /// An execution that must not be counted in volume or last sale.
    pub const NON_PRINTABLE: Flags = Flags(1 << 4);
    /// The trade was against non-displayed interest.
    pub const HIDDEN: Flags = Flags(1 << 5);
    /// The trade is the bulk print of a cross (auction).
    pub const CROSS: Flags = Flags(1 << 6);
    /// A price level that the exchange derives from the books of other instruments (implied), apart from the real ones.
    pub const IMPLIED: Flags = Flags(1 << 7);
    /// The event is of the record's instrument alone: its end ends no event of another instrument that is open.
    pub const OF_INSTRUMENT: Flags = Flags(1 << 8);

    /// Both sets.
    #[inline]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// True when every bit of `other` is set.
    #[inline]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How far an instrument's data can be believed when the record was published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Trust(pub u8);

impl Trust {
    /// Every message so far was delivered.
    pub const VALID: Trust = Trust(0);
    /// The lines are silent.
    pub const STALE: Trust = Trust(1);
    /// A gap could have touched it.
    pub const RECOVERING: Trust = Trust(2);
    /// An invariant broke.
    pub const SUSPECT: Trust = Trust(3);
}

/// A market event in 32 bytes: the mission's record, on the wire of the native protocol and inside [`Record`].
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct MarketData {
    /// Symbol, padded with spaces; longer names are `#` and the instrument number.
    pub symbol: [u8; 8],
    /// Price in 1e-9; `i64::MIN` is null.
    pub price: I64,
    /// Shares or contracts.
    pub quantity: U32,
    /// A [`Kind`].
    pub kind: u8,
    /// A [`Side`].
    pub side: u8,
    /// [`Flags`].
    pub flags: U16,
    /// Exchange time, nanoseconds since the Unix epoch (since midnight under [`Flags::NO_DATE`]).
    pub timestamp: U64,
}

/// A published record: one cache line.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct Record {
    /// The event.
    pub data: MarketData,
    /// Sequence number of the message on its channel.
    pub sequence: U64,
    /// Order id, level, match number or count, by kind.
    pub order_id: U64,
    /// When the packet was received, in raw [`Ticks`]: a consumer subtracts it from its own reading.
    pub rx: U64,
    /// Dense instrument number within the handler.
    pub instrument: U32,
    /// Channel number within the configuration.
    pub channel: U16,
    /// A [`Trust`].
    pub trust: u8,
    /// Zero.
    pub reserved: u8,
}

impl Record {
    /// The record whose eight words, little-endian in memory, are these: `symbol`; `price`; `quantity`, `kind`, `side`
    /// and `flags` from the lowest bits up; `timestamp`; `sequence`; `order_id`; `rx`; `instrument`, `channel`, `trust`
    /// and the reserved byte from the lowest bits up.
    ///
    /// Made this way a record stays in registers until it is stored: field by field its small ones would be stored
    /// alone, and loading the word they lie in at once has to wait until they have reached the cache.
    #[inline(always)]
    pub fn from_words(words: [u64; 8]) -> Record {
        zerocopy::transmute!(words.map(U64::new))
    }

    /// The words that [`Record::from_words`] makes it from.
    #[inline(always)]
    pub fn words(&self) -> [u64; 8] {
        let words: [U64; 8] = zerocopy::transmute!(*self);
        words.map(U64::get)
    }
}

const _: () = assert!(size_of::<MarketData>() == 32 && align_of::<MarketData>() == 1);
const _: () = assert!(size_of::<Record>() == 64 && align_of::<Record>() == 1);

/// Instrument number of events that concern none.
pub const NO_INSTRUMENT: u32 = u32::MAX;

/// Symbol of events that concern no instrument.
pub const NO_SYMBOL: [u8; 8] = *b"        ";

/// Where an event comes from. The pipeline fills the upper half per packet, the decoder the lower half per message.
#[derive(Clone, Copy, Debug)]
pub struct MsgCtx {
    /// Sequence number of the message (of its first event not yet delivered, when a message spans several).
    pub sequence: u64,
    /// Leading sequence numbers of a message that spans several which another line has already delivered.
    pub skip: u32,
    /// Channel number within the configuration.
    pub channel: u16,
    /// Which of the independent numberings of the channel the message is of; 0 where there is one.
    pub unit: u8,
    /// When the packet was received.
    pub rx: Ticks,
    /// When its sender says it sent it, or unknown.
    pub sent: UnixNanos,
    /// Trust to publish with.
    pub trust: Trust,
    /// Midnight of the session day in the exchange's zone, for exchange times that have no date;
    /// [`UnixNanos::UNKNOWN`] marks their records [`Flags::NO_DATE`].
    pub midnight: UnixNanos,

    /// Exchange time of the message, already on the Unix epoch where `flags` does not say otherwise.
    pub timestamp: UnixNanos,
    /// Dense instrument number, or [`NO_INSTRUMENT`].
    pub instrument: u32,
    /// The instrument's symbol, or [`NO_SYMBOL`].
    pub symbol: [u8; 8],
    /// Flags common to the message's records, [`Flags::END_OF_EVENT`] included when this event is its last.
    pub flags: Flags,
}

impl Default for MsgCtx {
    /// The first message of the first channel, about nothing.
    fn default() -> MsgCtx {
        MsgCtx {
            sequence: 0,
            skip: 0,
            channel: 0,
            unit: 0,
            rx: Ticks(0),
            sent: UnixNanos::UNKNOWN,
            trust: Trust::VALID,
            midnight: UnixNanos::UNKNOWN,
            timestamp: UnixNanos::UNKNOWN,
            instrument: NO_INSTRUMENT,
            symbol: NO_SYMBOL,
            flags: Flags::NONE,
        }
    }
}

/// A print without a visible order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Trade {
    pub match_id: u64,
    pub side: Side,
    pub price: Price,
    pub quantity: u64,
    /// [`Flags::HIDDEN`], [`Flags::CROSS`], [`Flags::NON_PRINTABLE`] or nothing.
    pub flags: Flags,
}

/// A print is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TradeBreak {
    pub match_id: u64,
}

/// State of an auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Imbalance {
    pub side: Side,
    pub reference: Price,
    pub paired: u64,
    pub unpaired: u64,
}

/// Messages that are missing and will not come: `count` from the context's sequence on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Gap {
    pub count: u64,
}

/// Takes what decoders report. Every event defaults to nothing, so a handler writes only what it needs.
#[allow(unused_variables)]
pub trait MarketHandler {
    /// A new visible order.
    #[inline]
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {}
    /// An order traded.
    #[inline]
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {}
    /// An order shrank.
    #[inline]
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {}
    /// An order left.
    #[inline]
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {}
    /// An order was replaced.
    #[inline]
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {}
    /// An order changed in place.
    #[inline]
    fn on_modify(&mut self, cx: &MsgCtx, m: ModifyOrder) {}
    /// An order entered or changed, at a place in its queue that the feed says.
    #[inline]
    fn on_ranked(&mut self, cx: &MsgCtx, m: RankedOrder) {}
    /// The total at a price is another.
    #[inline]
    fn on_level(&mut self, cx: &MsgCtx, m: LevelUpdate) {}
    /// Something happened to a numbered level.
    #[inline]
    fn on_slot(&mut self, cx: &MsgCtx, m: SlotUpdate) {}
    /// The best prices are these.
    #[inline]
    fn on_quote(&mut self, cx: &MsgCtx, m: QuoteUpdate) {}
    /// A print without a visible order.
    #[inline]
    fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {}
    /// A print is void.
    #[inline]
    fn on_trade_break(&mut self, cx: &MsgCtx, m: TradeBreak) {}
    /// State of an auction.
    #[inline]
    fn on_imbalance(&mut self, cx: &MsgCtx, m: Imbalance) {}
    /// A state changed.
    #[inline]
    fn on_status(&mut self, cx: &MsgCtx, m: Status) {}
    /// An instrument is announced.
    #[inline]
    fn on_directory(&mut self, cx: &MsgCtx, m: Directory) {}
    /// A figure beside the book.
    #[inline]
    fn on_statistic(&mut self, cx: &MsgCtx, m: Statistic) {}
    /// Messages are missing for good.
    #[inline]
    fn on_gap(&mut self, cx: &MsgCtx, m: Gap) {}
    /// All instruments of the channel are to be trusted as the context says.
    #[inline]
    fn on_trust(&mut self, cx: &MsgCtx) {}
    /// A new session has begun: everything known of the channel's instruments is void.
    #[inline]
    fn on_restart(&mut self, cx: &MsgCtx) {}
    /// Everything known of the instrument is void: the exchange says so, or it is not followed any more.
    #[inline]
    fn on_clear(&mut self, cx: &MsgCtx) {}
    /// An event ends with a message that has told nothing else.
    #[inline]
    fn on_end(&mut self, cx: &MsgCtx) {}
    /// A native record: already in our own shape, its price canonical.
    #[inline]
    fn on_market_data(&mut self, cx: &MsgCtx, m: MarketData) {}
    /// A sensor's reading.
    #[inline]
    fn on_sensor(&mut self, cx: &MsgCtx, m: SensorReading) {}
    /// A point of a time series.
    #[inline]
    fn on_point(&mut self, cx: &MsgCtx, m: TimeSeriesPoint) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_rescale_or_refuse() {
        assert_eq!(Price::from_u32::<4>(1_234_500), Price(123_450_000_000));
        assert_eq!(
            Price::from_u32::<0>(u32::MAX).0,
            u32::MAX as i64 * 1_000_000_000
        );
        assert_eq!(
            Price::from_wide(9_223_372_036, 0),
            Some(Price(9_223_372_036_000_000_000))
        );
        assert_eq!(Price::from_wide(9_223_372_037, 0), None);
        // i64::MIN is the null price and must not be reachable by rescaling.
        assert_eq!(Price::from_wide(i64::MIN as i128, 9), None);
        assert_eq!(Price::from_wide(-1, 8), Some(Price(-10)));
    }

    #[test]
    fn record_has_no_padding_and_its_fields_where_the_format_says() {
        let r = Record {
            data: MarketData {
                symbol: *b"ABCDEFGH",
                price: I64::new(1),
                quantity: U32::new(2),
                kind: 3,
                side: 4,
                flags: U16::new(5),
                timestamp: U64::new(6),
            },
            sequence: U64::new(7),
            order_id: U64::new(8),
            rx: U64::new(9),
            instrument: U32::new(10),
            channel: U16::new(11),
            trust: 12,
            reserved: 13,
        };
        let b = r.as_bytes();
        assert_eq!(&b[..8], b"ABCDEFGH");
        for (offset, value) in [
            (8, 1),
            (16, 2),
            (20, 3),
            (21, 4),
            (22, 5),
            (24, 6),
            (32, 7),
            (40, 8),
            (48, 9),
            (56, 10),
            (60, 11),
            (62, 12),
            (63, 13),
        ] {
            assert_eq!(b[offset], value, "offset {offset}");
        }
        let symbol = u64::from_le_bytes(*b"ABCDEFGH");
        let what = 2 | 3 << 32 | 4 << 40 | 5 << 48;
        let whence = 10 | 11 << 32 | 12 << 48 | 13 << 56;
        assert_eq!(r.words(), [symbol, 1, what, 6, 7, 8, 9, whence]);
        assert_eq!(Record::from_words(r.words()), r);
    }
}
