//! IEX TOPS 1.5 and 1.6, DEEP 1.0 and DEEP+ 1.0: the 19 messages, each of which means the same in every feed that has it.
//!
//! Source: "IEX TOPS Specification" 1.66, "IEX DEEP Specification" 1.08 and "IEX DEEP+ Specification" 1.04. Integers are
//! little-endian, prices signed with 4 implied decimal places, text is ASCII padded with blanks on the right. Times are
//! nanoseconds since the Unix epoch, but for one in seconds. All messages but the system event name their symbol, in the
//! same place.
//!
//! A message may be longer than its struct (a later revision appended fields): read the prefix. A shorter one is
//! malformed. Bits of flag bytes may be added.
//!
//! Unverified: which bit of [`OrderModify::modify_flags`] keeps the priority, since the documents and other readers
//! disagree and no capture has it set; and four trailing bytes that trade reports of TOPS 1.5, which is retired, are said
//! to have had.

use super::Fit;
use super::iextp;
use super::message::{Fields, message};
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{I64, U32, U64};

/// Declares a message per entry: type byte, struct, its name in facts, its length, the byte after the type, whether there
/// is a symbol behind the time, and the fields after those.
macro_rules! iex {
    ($(
        $(#[$doc:meta])*
        $kind:literal $name:ident $text:literal $size:literal {
            $(#[$second_doc:meta])* $second:ident: $second_letter:ident, timestamp $(, $symbol:ident)?;
            $($(#[$field_doc:meta])* $field:ident: $ty:ty => $letter:ident,)*
        }
    )*) => {
        message! {$(
            $(#[$doc])*
            pub struct $name: $size {
                /// The type byte, the struct's `TYPE`.
                msg_type("type"): u8 => a,
                $(#[$second_doc])* $second: u8 => $second_letter,
                /// Nanoseconds since the Unix epoch.
                timestamp: U64 => t,
                $($symbol: [u8; 8] => a,)?
                $($(#[$field_doc])* $field: $ty => $letter,)*
            }
        )*}

        $(impl $name {
            /// The type byte.
            pub const TYPE: u8 = $kind;

            /// A message of zeros with its type byte set.
            pub fn new() -> $name {
                $name { msg_type: $kind, ..$name::default() }
            }
        })*

        /// Any message, in place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Message<'a> {
            $($name(&'a $name),)*
        }

        impl<'a> Message<'a> {
            /// Lays the struct its type byte names over the front of `bytes`.
            #[inline]
            pub fn parse(bytes: &'a [u8]) -> Result<Message<'a>, ParseError> {
                match bytes.first() {
                    None => Err(ParseError::Empty),
                    $(Some(&$kind) => match $name::ref_from_prefix(bytes) {
                        Ok((message, _)) => Ok(Message::$name(message)),
                        Err(_) => Err(ParseError::Short),
                    },)*
                    Some(_) => Err(ParseError::UnknownType),
                }
            }

            /// Its fields.
            pub fn fields(&self) -> &'a dyn Fields {
                match *self { $(Message::$name(message) => message,)* }
            }
        }

        /// The type bytes.
        pub const TYPES: &[u8] = &[$($kind),*];

        /// Bytes a message of this type has; `None` for an unknown type.
        #[inline]
        pub const fn length_of(kind: u8) -> Option<usize> {
            match kind { $($kind => Some($size),)* _ => None }
        }

        /// The message's name in facts; `None` for an unknown type.
        pub const fn name(kind: u8) -> Option<&'static str> {
            match kind { $($kind => Some($text),)* _ => None }
        }
    };
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No byte at all, so no type either.
    #[error("empty message")]
    Empty,
    /// Fewer bytes than the type has.
    #[error("message shorter than its type")]
    Short,
    /// Not one of the 19.
    #[error("unknown message type")]
    UnknownType,
}

/// What every message about a symbol begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The type byte.
    pub kind: u8,
    /// The byte after it, whose meaning differs.
    pub second: u8,
    /// Nanoseconds since the Unix epoch.
    pub timestamp: u64,
    /// Padded with blanks.
    pub symbol: [u8; 8],
}

impl Head {
    /// Bytes of it.
    pub const LEN: usize = 18;

    /// Reads it off any message but a system event; `None` where there are fewer bytes.
    #[inline(always)]
    pub fn of(message: &[u8]) -> Option<Head> {
        let bytes = message.first_chunk::<{ Head::LEN }>()?;
        let (&[kind, second], rest) = bytes.split_first_chunk::<2>()?;
        let (&timestamp, symbol) = rest.split_first_chunk::<8>()?;
        Some(Head {
            kind,
            second,
            timestamp: u64::from_le_bytes(timestamp),
            symbol: *symbol.first_chunk()?,
        })
    }
}

iex! {
    /// An event of the whole system.
    b'S' SystemEvent "System Event" 10 {
        /// `O` start of messages, `S` of system hours, `R` of regular hours; `M`, `E`, `C` their ends.
        event: a, timestamp;
    }

    /// A security of the day.
    b'D' SecurityDirectory "Security Directory" 31 {
        /// 0x80 test security, 0x40 when-issued, 0x20 exchange traded product.
        flags: bits, timestamp, symbol;
        /// Shares.
        round_lot: U32 => u,
        /// Official close of the day before, adjusted for corporate actions.
        adjusted_poc_price: I64 => sp4,
        /// 0 where it has none, 1 or 2.
        luld_tier: u8 => u,
    }

    /// The trading state of a security in all markets.
    b'H' TradingStatus "Trading Status" 22 {
        /// `H` halted, `O` halt released into an order acceptance period, `P` paused with order acceptance, `T` trading.
        status: a, timestamp, symbol;
        /// Why it is halted; blank in `P` and `T`.
        reason: [u8; 4] => a,
    }

    /// Retail interest.
    b'I' RetailLiquidityIndicator "Retail Liquidity Indicator" 18 {
        /// Blank none, `A` to buy, `B` to sell, `C` both.
        indicator: a, timestamp, symbol;
    }

    /// A halt on this market only.
    b'O' OperationalHaltStatus "Operational Halt Status" 18 {
        /// `O` halted, `N` not.
        status: a, timestamp, symbol;
    }

    /// Short sale price test restriction.
    b'P' ShortSalePriceTestStatus "Short Sale Price Test Status" 19 {
        /// 0 or 1.
        in_effect: u, timestamp, symbol;
        /// Blank none, `A` activated today, `C` continued, `D` deactivated, `N` not available.
        detail: u8 => a,
    }

    /// The opening or closing process of a security is over.
    b'E' SecurityEvent "Security Event" 18 {
        /// `O` opening, `C` closing.
        event: a, timestamp, symbol;
    }

    /// The best displayed prices of a security: all of them, whatever was said before.
    b'Q' QuoteUpdate "Quote Update" 42 {
        /// 0x80 not available (halted, paused, not tradable here), 0x40 before or after regular hours.
        flags: bits, timestamp, symbol;
        /// 0 where there is no bid.
        bid_size: U32 => u,
        bid_price: I64 => sp4,
        ask_price: I64 => sp4,
        /// 0 where there is no offer.
        ask_size: U32 => u,
    }

    /// An execution: of any order in TOPS and DEEP, of two that are not displayed in DEEP+.
    b'T' TradeReport "Trade Report" 38 {
        /// [`sale_flags`].
        sale_flags: bits, timestamp, symbol;
        size: U32 => u,
        price: I64 => sp4,
        /// Unique for the day.
        trade_id: U64 => u,
    }

    /// An execution of the day is void.
    b'B' TradeBreak "Trade Break" 38 {
        /// [`sale_flags`] of the trade.
        sale_flags: bits, timestamp, symbol;
        size: U32 => u,
        price: I64 => sp4,
        /// That of the trade.
        trade_id: U64 => u,
    }

    /// An official opening or closing price.
    b'X' OfficialPrice "Official Price" 26 {
        /// `Q` open, `M` close.
        price_type: a, timestamp, symbol;
        official_price: I64 => sp4,
    }

    /// The state of an auction.
    b'A' AuctionInformation "Auction Information" 80 {
        /// `O` opening, `C` closing, `I` IPO, `H` halt, `V` volatility.
        auction_type: a, timestamp, symbol;
        /// At the reference price.
        paired_shares: U32 => u,
        reference_price: I64 => sp4,
        indicative_clearing_price: I64 => sp4,
        /// At the reference price.
        imbalance_shares: U32 => u,
        /// `B`, `S`, `N` none.
        imbalance_side: u8 => a,
        /// How often the auction has been put off.
        extension_number: u8 => u,
        /// SECONDS since the Unix epoch.
        scheduled_auction_time: U32 => t,
        auction_book_clearing_price: I64 => sp4,
        collar_reference_price: I64 => sp4,
        lower_collar: I64 => sp4,
        upper_collar: I64 => sp4,
    }

    /// The total at a price of the buy side.
    b'8' PriceLevelBuy "Price Level Update (buy)" 30 {
        /// [`EVENT_COMPLETE`].
        event_flags: bits, timestamp, symbol;
        /// All displayed shares at the price; 0 when there are none left.
        size: U32 => u,
        price: I64 => sp4,
    }

    /// The total at a price of the sell side.
    b'5' PriceLevelSell "Price Level Update (sell)" 30 {
        /// [`EVENT_COMPLETE`].
        event_flags: bits, timestamp, symbol;
        /// All displayed shares at the price; 0 when there are none left.
        size: U32 => u,
        price: I64 => sp4,
    }

    /// A new displayed order.
    b'a' AddOrder "Add Order" 38 {
        /// [`BUY`] or [`SELL`].
        side: a, timestamp, symbol;
        /// Unique among the live orders of the day.
        order_id: U64 => u,
        size: U32 => u,
        price: I64 => sp4,
    }

    /// An order has another size or price.
    b'M' OrderModify "Order Modify" 38 {
        /// [`KEEPS_PRIORITY`].
        modify_flags: bits, timestamp, symbol;
        order_id: U64 => u,
        /// All that it displays now.
        size: U32 => u,
        price: I64 => sp4,
    }

    /// An order has left.
    b'R' OrderDelete "Order Delete" 26 {
        reserved: x, timestamp, symbol;
        order_id: U64 => u,
    }

    /// A displayed order traded.
    b'L' OrderExecuted "Order Executed" 46 {
        /// [`sale_flags`].
        sale_flags: bits, timestamp, symbol;
        order_id: U64 => u,
        /// What traded: the order has so much less.
        size: U32 => u,
        /// Of the trade, which need not be that of the order.
        price: I64 => sp4,
        /// Unique for the day.
        trade_id: U64 => u,
    }

    /// All orders of a security have left.
    b'C' ClearBook "Clear Book" 18 {
        reserved: x, timestamp, symbol;
    }
}

/// Whether a type is known and its messages begin with a [`Head`].
#[inline(always)]
pub const fn has_symbol(kind: u8) -> bool {
    length_of(kind).is_some() && kind != SystemEvent::TYPE
}

/// Bit of [`PriceLevelBuy::event_flags`]: the event is over. Without it more updates of the same event follow.
pub const EVENT_COMPLETE: u8 = 0x01;

/// Bits of [`OrderModify::modify_flags`] of which any keeps the order's priority: the document says bit 0, others read the
/// highest.
pub const KEEPS_PRIORITY: u8 = 0x81;

/// [`AddOrder::side`] of an order to buy.
pub const BUY: u8 = b'8';
/// [`AddOrder::side`] of an order to sell.
pub const SELL: u8 = b'5';

/// Sale condition flags. A trade is eligible for last sale, high and low when it is neither of extended hours nor an odd
/// lot, and for volume always.
#[allow(missing_docs)]
pub mod sale_flags {
    pub const INTERMARKET_SWEEP: u8 = 0x80;
    pub const EXTENDED_HOURS: u8 = 0x40;
    pub const ODD_LOT: u8 = 0x20;
    pub const TRADE_THROUGH_EXEMPT: u8 = 0x10;
    pub const SINGLE_PRICE_CROSS: u8 = 0x08;
}

/// Whether a datagram is a segment of messages of known types, told by version, protocol and lengths.
pub fn fit(datagram: &[u8]) -> Fit {
    let Ok((header, blocks)) = iextp::parse(datagram) else {
        return Fit::No;
    };
    if header.message_count.get() == 0 {
        return Fit::Possible;
    }
    let mut known = false;
    for message in blocks {
        match message.first().map(|&kind| length_of(kind)) {
            Some(Some(len)) if message.len() < len => return Fit::No,
            Some(Some(_)) => known = true,
            _ => {} // types may be added
        }
    }
    if known { Fit::Yes } else { Fit::No }
}

#[cfg(test)]
#[path = "iex_tests.rs"]
mod tests;
