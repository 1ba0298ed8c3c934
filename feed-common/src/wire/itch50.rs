//! Nasdaq TotalView-ITCH 5.0: the 23 messages.
//!
//! Source: "Nasdaq TotalView-ITCH 5.0" specification, sections 1.1 to 1.8, and its later additions (`O`). Integers
//! are big-endian and unsigned; text is ASCII padded with blanks. Prices have 4 implied decimal places, the market
//! wide circuit breaker levels 8. Every message begins with the same 11 bytes; `timestamp` is nanoseconds since
//! midnight of the trading day in New York, with no date. `stock_locate` is an instrument number valid for one day,
//! 0 in messages that concern no single instrument.
//!
//! The same bytes are carried by MoldUDP64, SoupBinTCP and BinaryFILE. A message may be longer than its struct (a
//! later revision appended fields): read the prefix. A shorter one is malformed.

use super::Fit;
use super::moldudp64::{self, Blocks};
use crate::encode::{Decode, Encode, SerializeError, room};
use crate::wire::message::{Fields, U48, message};
use std::io::{self, Write};
use zerocopy::byteorder::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

/// Declares a message per entry: type byte, struct, its name in facts, its length, its fields after the first four.
macro_rules! itch {
    ($(
        $(#[$doc:meta])*
        $kind:literal $name:ident $text:literal $size:literal {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty => $letter:ident,)*
        }
    )*) => {
        message! {$(
            $(#[$doc])*
            pub struct $name: $size {
                /// The type byte, the struct's `TYPE`.
                msg_type("type"): u8 => a,
                stock_locate: U16 => u,
                /// Nasdaq's own; without meaning outside.
                tracking_number: U16 => u,
                /// Nanoseconds since midnight in New York.
                timestamp: U48 => t,
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

        impl<'a> Decode<'a> for Message<'a> {
            type Error = ParseError;

            /// The message of that type, and what is behind it.
            #[inline]
            fn deserialize_from(bytes: &'a [u8]) -> Result<(Message<'a>, &'a [u8]), ParseError> {
                let message = Message::parse(bytes)?;
                Ok((message, &bytes[message.as_bytes().len()..]))
            }
        }

        impl Message<'_> {
            /// Its bytes.
            pub fn as_bytes(&self) -> &[u8] {
                match *self { $(Message::$name(message) => message.as_bytes(),)* }
            }
        }

        /// The type bytes, in the specification's order.
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

impl Encode for Message<'_> {
    fn serialized_size(&self) -> usize {
        self.as_bytes().len()
    }

    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(self.as_bytes())
    }

    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
        let bytes = self.as_bytes();
        room(out, bytes.len())?.copy_from_slice(bytes);
        Ok(bytes.len())
    }
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
    /// Not one of the 23.
    #[error("unknown message type")]
    UnknownType,
}

/// What every message begins with, but for Nasdaq's tracking number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The type byte.
    pub kind: u8,
    /// `stock_locate`.
    pub locate: u16,
    /// Nanoseconds since midnight in New York.
    pub timestamp: u64,
}

impl Head {
    /// Bytes of it, the tracking number included.
    pub const LEN: usize = 11;

    /// Reads it off any message; `None` where there are fewer bytes.
    #[inline(always)]
    pub fn of(message: &[u8]) -> Option<Head> {
        let [kind, high, low, word @ ..] = *message.first_chunk::<{ Head::LEN }>()?;
        Some(Head {
            kind,
            locate: u16::from_be_bytes([high, low]),
            // Tracking number and timestamp are one word: a single load.
            timestamp: u64::from_be_bytes(word) & (u64::MAX >> 16),
        })
    }
}

itch! {
    /// An event of the whole system.
    b'S' SystemEvent "System Event" 12 {
        /// `O` start of messages, `S` of system hours, `Q` of market hours; `M`, `E`, `C` their ends.
        event_code: u8 => a,
    }

    /// An instrument of the day: the only map from locate to symbol.
    b'R' StockDirectory "Stock Directory" 39 {
        stock: [u8; 8] => a,
        market_category: u8 => a,
        financial_status: u8 => a,
        /// Shares per round lot.
        round_lot_size: U32 => u,
        round_lots_only: u8 => a,
        issue_classification: u8 => a,
        issue_sub_type: [u8; 2] => a,
        /// `P` live, `T` test.
        authenticity: u8 => a,
        short_sale_threshold: u8 => a,
        ipo_flag: u8 => a,
        luld_tier: u8 => a,
        etp_flag: u8 => a,
        etp_leverage_factor: U32 => u,
        inverse_indicator: u8 => a,
    }

    /// The trading state of an instrument in all markets.
    b'H' StockTradingAction "Stock Trading Action" 25 {
        stock: [u8; 8] => a,
        /// `H` halted, `P` paused, `Q` quotation only, `T` trading.
        trading_state: u8 => a,
        reserved: u8 => x,
        reason: [u8; 4] => a,
    }

    /// Short sale price test restriction.
    b'Y' RegShoRestriction "Reg SHO Restriction" 20 {
        stock: [u8; 8] => a,
        /// `0` none, `1` in effect since today, `2` still in effect.
        reg_sho_action: u8 => a,
    }

    /// A market participant's state in an instrument.
    b'L' MarketParticipantPosition "Market Participant Position" 26 {
        mpid: [u8; 4] => a,
        stock: [u8; 8] => a,
        primary_market_maker: u8 => a,
        market_maker_mode: u8 => a,
        participant_state: u8 => a,
    }

    /// Market wide circuit breaker: the index values of the day.
    b'V' MwcbDeclineLevel "MWCB Decline Level" 35 {
        level1: U64 => p8,
        level2: U64 => p8,
        level3: U64 => p8,
    }

    /// Market wide circuit breaker: a level was breached.
    b'W' MwcbStatus "MWCB Status" 12 {
        /// `1`, `2` or `3`.
        breached_level: u8 => a,
    }

    /// When quotation of an IPO opens.
    b'K' QuotingPeriodUpdate "Quoting Period Update" 28 {
        stock: [u8; 8] => a,
        /// SECONDS since midnight.
        release_time: U32 => u,
        /// `A` anticipated, `C` cancelled or postponed.
        qualifier: u8 => a,
        ipo_price: U32 => p4,
    }

    /// Price collar of the auction that ends a volatility pause.
    b'J' LuldAuctionCollar "LULD Auction Collar" 35 {
        stock: [u8; 8] => a,
        reference_price: U32 => p4,
        upper_price: U32 => p4,
        lower_price: U32 => p4,
        /// Extensions of the collar so far.
        extension: U32 => u,
    }

    /// A halt on one market only.
    b'h' OperationalHalt "Operational Halt" 21 {
        stock: [u8; 8] => a,
        market_code: u8 => a,
        /// `H` halted, `T` lifted.
        action: u8 => a,
    }

    /// A new displayed order.
    b'A' AddOrder "Add Order" 36 {
        /// Unique for the day.
        order_ref: U64 => u,
        /// `B` or `S`.
        side: u8 => a,
        shares: U32 => u,
        stock: [u8; 8] => a,
        price: U32 => p4,
    }

    /// A new displayed order that names its participant.
    b'F' AddOrderMpid "Add Order with MPID" 40 {
        /// Unique for the day.
        order_ref: U64 => u,
        /// `B` or `S`.
        side: u8 => a,
        shares: U32 => u,
        stock: [u8; 8] => a,
        price: U32 => p4,
        /// The participant.
        attribution: [u8; 4] => a,
    }

    /// A resting order traded at its display price.
    b'E' OrderExecuted "Order Executed" 31 {
        order_ref: U64 => u,
        executed_shares: U32 => u,
        match_number: U64 => u,
    }

    /// A resting order traded at a price of the execution's own.
    b'C' OrderExecutedWithPrice "Order Executed With Price" 36 {
        order_ref: U64 => u,
        executed_shares: U32 => u,
        match_number: U64 => u,
        /// `N`: not to be counted in volume or last sale.
        printable: u8 => a,
        execution_price: U32 => p4,
    }

    /// A resting order shrank.
    b'X' OrderCancel "Order Cancel" 23 {
        order_ref: U64 => u,
        /// Shares taken away, not what remains.
        cancelled_shares: U32 => u,
    }

    /// A resting order left.
    b'D' OrderDelete "Order Delete" 19 {
        order_ref: U64 => u,
    }

    /// A resting order was replaced; side and symbol stay, priority is lost.
    b'U' OrderReplace "Order Replace" 35 {
        original_ref: U64 => u,
        new_ref: U64 => u,
        shares: U32 => u,
        price: U32 => p4,
    }

    /// A trade against an order that was not displayed.
    b'P' Trade "Trade" 44 {
        /// 0 since 2010.
        order_ref: U64 => u,
        /// Always `B` since 2014, whatever the resting side.
        side: u8 => a,
        shares: U32 => u,
        stock: [u8; 8] => a,
        price: U32 => p4,
        match_number: U64 => u,
    }

    /// The bulk print of an auction.
    b'Q' CrossTrade "Cross Trade" 40 {
        /// 0 when the cross had no volume.
        shares: U64 => u,
        stock: [u8; 8] => a,
        cross_price: U32 => p4,
        match_number: U64 => u,
        /// `O` opening, `C` closing, `H` IPO or reopening, `A` extended close.
        cross_type: u8 => a,
    }

    /// An execution is void.
    b'B' BrokenTrade "Broken Trade" 19 {
        match_number: U64 => u,
    }

    /// State of an auction before it happens.
    b'I' NetOrderImbalance "Net Order Imbalance Indicator" 50 {
        paired_shares: U64 => u,
        imbalance_shares: U64 => u,
        /// `B`, `S`, `N` none, `O` not enough orders, `P` paused.
        imbalance_direction: u8 => a,
        stock: [u8; 8] => a,
        /// Clearing price of auction orders alone; 0 when there is none.
        far_price: U32 => p4,
        /// Clearing price with the continuous book; 0 when there is none.
        near_price: U32 => p4,
        reference_price: U32 => p4,
        cross_type: u8 => a,
        price_variation: u8 => a,
    }

    /// Retail price improvement orders are there.
    b'N' RetailPriceImprovement "Retail Price Improvement Indicator" 20 {
        stock: [u8; 8] => a,
        /// `B`, `S`, `A` both, `N` none.
        interest_flag: u8 => a,
    }

    /// Price discovery of a direct listing that raises capital.
    b'O' DirectListing "Direct Listing with Capital Raise" 48 {
        stock: [u8; 8] => a,
        open_eligibility: u8 => a,
        min_allowable_price: U32 => p4,
        max_allowable_price: U32 => p4,
        near_execution_price: U32 => p4,
        /// Nanoseconds since midnight.
        near_execution_time: U64 => t,
        lower_price_range_collar: U32 => p4,
        upper_price_range_collar: U32 => p4,
    }
}

/// Whether a datagram is MoldUDP64 with messages of known types that are long enough, at least one and no other.
pub fn fit(datagram: &[u8]) -> Fit {
    match moldudp64::parse(datagram) {
        Err(_) => Fit::No,
        Ok((header, _)) if header.blocks() == 0 => Fit::Possible,
        Ok((_, blocks)) => fit_blocks(blocks),
    }
}

/// The same of messages with their lengths before them.
pub fn fit_blocks(blocks: Blocks<'_>) -> Fit {
    let mut any = false;
    for message in blocks {
        let Some(&kind) = message.first() else {
            continue; // an empty block is legal in any protocol and says nothing
        };
        if length_of(kind).is_none_or(|len| message.len() < len) {
            return Fit::No;
        }
        any = true;
    }
    if any { Fit::Yes } else { Fit::Possible }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::{Field, Value};
    use zerocopy::IntoBytes;

    #[test]
    fn the_twenty_three_types_and_their_lengths() {
        let want = "S12 R39 H25 Y20 L26 V35 W12 K28 J35 h21 A36 F40 E31 C36 X23 D19 U35 P44 Q40 B19 I50 N20 O48";
        let have: Vec<_> = TYPES
            .iter()
            .map(|&t| format!("{}{}", t as char, length_of(t).unwrap()))
            .collect();
        assert_eq!(have.join(" "), want);
        let known = (0..=255).filter(|&t| length_of(t).is_some() && name(t).is_some());
        assert_eq!(known.count(), 23);
    }

    /// Parsing and the length table are made from one list, but a swapped field would still fit: check the layout of
    /// every message covers its bytes in order, begins alike, and reads at its offset.
    #[test]
    fn every_layout_is_contiguous_and_begins_alike() {
        for &kind in TYPES {
            let len = length_of(kind).unwrap();
            let mut bytes: Vec<u8> = (0..len as u8 + 3).map(|i| i ^ 0x80).collect();
            bytes[0] = kind;
            let message = Message::parse(&bytes).unwrap();
            let layout = message.fields().layout();
            let mut end = 0;
            for f in layout {
                assert_eq!(f.offset, end);
                end += f.len;
            }
            assert_eq!(end, len);
            let number = |bytes: &[u8]| bytes.iter().fold(0, |n, &b| n << 8 | u64::from(b));
            let head = Head::of(&bytes).unwrap();
            assert_eq!(head.kind, kind);
            assert_eq!(u64::from(head.locate), number(&bytes[1..3]));
            assert_eq!(head.timestamp, number(&bytes[5..11]));
            assert_eq!(Head::of(&bytes[..Head::LEN - 1]), None);
            let head: Vec<_> = layout[..4].iter().map(|f| (f.name, f.offset)).collect();
            let want = [
                ("type", 0),
                ("stock_locate", 1),
                ("tracking_number", 3),
                ("timestamp", 5),
            ];
            assert_eq!(head, want);
            let mut i = 0;
            message.fields().visit(&mut |name, value| {
                let Field {
                    name: want,
                    offset,
                    len,
                    ..
                } = layout[i];
                assert_eq!(name, want);
                let raw = &bytes[offset..offset + len];
                let number = number(raw);
                match value {
                    Value::Text(b) | Value::Hex(b) => assert_eq!(b, raw),
                    Value::Unsigned(n) | Value::Time(n) => assert_eq!(n, number),
                    Value::Price { mantissa, .. } => assert_eq!(mantissa, number.into()),
                    Value::Null | Value::Signed(_) | Value::Float(_) | Value::Rows(_) => {
                        unreachable!("no field of ITCH can be absent")
                    }
                }
                i += 1;
            });
            assert_eq!(i, layout.len());
        }
    }

    #[test]
    fn an_add_order_by_hand() {
        let bytes = b"A\x01\x02\x00\x00\x1f\x1a\xce\xd8\x53\x06\0\0\0\0\x01\0\0\x01B\0\0\x01\x2cZVZZT   \x00\x01\xe2\x40";
        let made = AddOrder {
            stock_locate: 258.into(),
            timestamp: U48::new(34_199_999_894_278), // 09:29:59.999894278
            order_ref: 16_777_217.into(),
            side: b'B',
            shares: 300.into(),
            stock: *b"ZVZZT   ",
            price: 123_456.into(), // 12.3456
            ..AddOrder::new()
        };
        assert_eq!(Message::parse(bytes), Ok(Message::AddOrder(&made)));
        assert_eq!(made.as_bytes(), bytes);
    }

    #[test]
    fn what_is_no_message_says_why() {
        assert_eq!(Message::parse(b""), Err(ParseError::Empty));
        assert_eq!(Message::parse(b"s"), Err(ParseError::UnknownType));
        assert_eq!(Message::parse(&[b'D'; 18]), Err(ParseError::Short));
        assert!(Message::parse(&[b'D'; 19]).is_ok());
        assert!(
            Message::parse(&[b'D'; 25]).is_ok(),
            "longer is read as its prefix"
        );
    }
}
