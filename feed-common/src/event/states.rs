//! What is said beside the book: states, announcements, figures.

use super::{NO_SYMBOL, Price};

/// A state changed. In a record `order_id` is `what << 8 | value` and `quantity` the four detail bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which state.
    pub what: StatusKind,
    /// Its new value, the wire's byte.
    pub value: u8,
    /// Reason, participant or other text of the message; spaces when none.
    pub detail: [u8; 4],
    /// A price the state comes with, or null.
    pub price: Price,
    /// Whether orders match as they come from now on, so that the book cannot be crossed, where the message says that on
    /// its own; `None` where it does not, or where it takes other messages too.
    pub continuous: Option<bool>,
}

/// Which state a [`Status`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct StatusKind(pub u8);

#[allow(missing_docs)]
impl StatusKind {
    pub const SYSTEM: StatusKind = StatusKind(1);
    pub const TRADING: StatusKind = StatusKind(2);
    pub const SHORT_SALE: StatusKind = StatusKind(3);
    pub const OPERATIONAL: StatusKind = StatusKind(4);
    pub const PARTICIPANT: StatusKind = StatusKind(5);
    pub const CIRCUIT_BREAKER: StatusKind = StatusKind(6);
    pub const QUOTING_PERIOD: StatusKind = StatusKind(7);
    pub const RETAIL_INTEREST: StatusKind = StatusKind(8);
    pub const DIRECT_LISTING: StatusKind = StatusKind(9);
    /// An auction of the instrument has been completed.
    pub const AUCTION: StatusKind = StatusKind(10);
    /// The state of a group of instruments, of which none is named.
    pub const GROUP: StatusKind = StatusKind(11);
    /// The range that an auction is expected in: the price is its lower end.
    pub const INDICATION: StatusKind = StatusKind(12);
}

/// An instrument is announced. Its symbol is in the context, or where that is too short for it, in `name`. In a record
/// `quantity` is the round lot, `price` the tick; a name longer than 8 bytes follows in extension records, 16 bytes in
/// each: `order_id`, then `price`, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// 0 where the feed does not say.
    pub round_lot: u32,
    /// The least step between prices; null where the feed does not say.
    pub tick: Price,
    /// What a price of the feed is multiplied by to be shown, in units of 1e-9; null where the feed does not say.
    pub display_factor: Price,
    /// Levels of the real and of the implied book, where the feed numbers its levels and says how many; else 0.
    pub depths: [u8; 2],
    /// The whole name.
    pub name: Name,
}

impl Directory {
    /// Says the name and nothing else.
    pub const fn of(name: Name) -> Directory {
        Directory {
            round_lot: 0,
            tick: Price::NULL,
            display_factor: Price::NULL,
            depths: [0; 2],
            name,
        }
    }
}

/// The name of an instrument, without padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Zeros behind the name.
    bytes: [u8; Name::MAX],
    len: u8,
}

impl Name {
    /// The longest name: longer than that of any venue.
    pub const MAX: usize = 23;

    /// No name.
    pub const NONE: Name = Name {
        bytes: [0; Name::MAX],
        len: 0,
    };

    /// A name as on the wire: blanks and zeros at its end are padding, and what is beyond [`Name::MAX`] is cut off.
    pub fn new(text: &[u8]) -> Name {
        let text = crate::wire::message::trimmed(text);
        let len = text.len().min(Name::MAX);
        let mut name = Name::NONE;
        name.bytes[..len].copy_from_slice(&text[..len]);
        name.len = len as u8;
        name
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len).min(Name::MAX)]
    }

    /// As a symbol of 8 bytes, if it is not longer than that.
    pub fn symbol(&self) -> Option<[u8; 8]> {
        let mut symbol = NO_SYMBOL;
        symbol
            .get_mut(..self.as_bytes().len())?
            .copy_from_slice(self.as_bytes());
        Some(symbol)
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}

/// A figure beside the book. In a record `order_id` is `what`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Statistic {
    pub what: StatisticKind,
    pub price: Price,
    pub quantity: u64,
}

/// Which figure a [`Statistic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct StatisticKind(pub u8);

#[allow(missing_docs)]
impl StatisticKind {
    pub const BREAKER_LEVEL_1: StatisticKind = StatisticKind(1);
    pub const BREAKER_LEVEL_2: StatisticKind = StatisticKind(2);
    pub const BREAKER_LEVEL_3: StatisticKind = StatisticKind(3);
    pub const COLLAR_REFERENCE: StatisticKind = StatisticKind(4);
    pub const COLLAR_UPPER: StatisticKind = StatisticKind(5);
    pub const COLLAR_LOWER: StatisticKind = StatisticKind(6);
    pub const AUCTION_FAR: StatisticKind = StatisticKind(7);
    pub const AUCTION_NEAR: StatisticKind = StatisticKind(8);
    pub const LISTING_MINIMUM: StatisticKind = StatisticKind(9);
    pub const LISTING_MAXIMUM: StatisticKind = StatisticKind(10);
    pub const LISTING_LOWER: StatisticKind = StatisticKind(11);
    pub const LISTING_UPPER: StatisticKind = StatisticKind(12);
    pub const OFFICIAL_OPEN: StatisticKind = StatisticKind(13);
    pub const OFFICIAL_CLOSE: StatisticKind = StatisticKind(14);
    pub const SETTLEMENT: StatisticKind = StatisticKind(15);
    pub const OPEN: StatisticKind = StatisticKind(16);
    pub const HIGH: StatisticKind = StatisticKind(17);
    pub const LOW: StatisticKind = StatisticKind(18);
    pub const CLOSE: StatisticKind = StatisticKind(19);
    pub const VWAP: StatisticKind = StatisticKind(20);
    pub const VOLUME: StatisticKind = StatisticKind(21);
    pub const CLEARED_VOLUME: StatisticKind = StatisticKind(22);
    pub const OPEN_INTEREST: StatisticKind = StatisticKind(23);
    pub const HIGH_BID: StatisticKind = StatisticKind(24);
    pub const LOW_OFFER: StatisticKind = StatisticKind(25);
    pub const LIMIT_UPPER: StatisticKind = StatisticKind(26);
    pub const LIMIT_LOWER: StatisticKind = StatisticKind(27);
    pub const PRICE_BAND: StatisticKind = StatisticKind(28);
    pub const FIXING: StatisticKind = StatisticKind(29);
    pub const AUCTION_CLEARING: StatisticKind = StatisticKind(30);
    pub const PREVIOUS_CLOSE: StatisticKind = StatisticKind(31);
    /// The quantity is what a cross had after all.
    pub const CROSS_VOLUME: StatisticKind = StatisticKind(32);
    /// Upper end of the range that an auction is expected in.
    pub const INDICATION_HIGH: StatisticKind = StatisticKind(33);
}
