//! The messages: those of the multicast feed, and those of the TCP services beside it (gap request proxy and spin server),
//! which captures may hold and nobody decodes further.

use crate::wire::message::{Fields, message};
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{U16, U32, U64};

/// Declares a message per entry: type byte, struct, its name in facts, its length, its fields after length and type. A
/// type with forms of several lengths has an entry for each, the longest first.
macro_rules! pitch {
    ($(
        $(#[$doc:meta])*
        $kind:literal $name:ident $text:literal $size:literal {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty => $letter:ident,)*
        }
    )*) => {
        message! {$(
            $(#[$doc])*
            pub struct $name: $size {
                /// Bytes of the message, this one included.
                length: u8 => u,
                /// The type byte, the struct's `TYPE`.
                msg_type("type"): u8 => u,
                $($(#[$field_doc])* $field: $ty => $letter,)*
            }
        )*}

        $(impl $name {
            /// The type byte.
            pub const TYPE: u8 = $kind;

            /// A message of zeros with its length and type set.
            pub fn new() -> $name {
                $name { length: $size, msg_type: $kind, ..$name::default() }
            }
        })*

        /// Any message, in place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Message<'a> {
            $($name(&'a $name),)*
        }

        impl<'a> Message<'a> {
            /// Lays the longest struct of its type that the message has the bytes for over its front.
            pub fn parse(message: &'a [u8]) -> Result<Message<'a>, ParseError> {
                let &[_, kind, ..] = message else {
                    return Err(ParseError::Empty);
                };
                $(if kind == $kind && let Ok((m, _)) = $name::ref_from_prefix(message) {
                    return Ok(Message::$name(m));
                })*
                Err(match length_of(kind) {
                    Some(_) => ParseError::Short,
                    None => ParseError::UnknownType,
                })
            }

            /// Its fields.
            pub fn fields(&self) -> &'a dyn Fields {
                match *self { $(Message::$name(message) => message,)* }
            }

            /// Bytes of the struct.
            pub fn size(&self) -> usize {
                match self { $(Message::$name(_) => $size,)* }
            }
        }

        /// Type byte, length and name of every form.
        pub const FORMS: &[(u8, usize, &str)] = &[$(($kind, $size, $text)),*];
    };
}

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No type.
    #[error("empty message")]
    Empty,
    /// Fewer bytes than the type has.
    #[error("message shorter than its type")]
    Short,
    /// A type not listed here.
    #[error("unknown message type")]
    UnknownType,
}

/// Bytes that a message of this type has at least; `None` for an unknown type.
#[inline]
pub const fn length_of(kind: u8) -> Option<usize> {
    match LENGTHS[kind as usize] {
        0 => None,
        least => Some(least as usize),
    }
}

/// The message's name in facts; `None` for an unknown type.
pub fn name(kind: u8) -> Option<&'static str> {
    let form = FORMS.iter().find(|form| form.0 == kind)?;
    Some(form.2)
}

/// The least length of each type; 0 for those that are unknown.
const LENGTHS: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut i = 0;
    while i < FORMS.len() {
        let (kind, size, _) = FORMS[i];
        lengths[kind as usize] = size as u8; // the last form is the shortest
        i += 1;
    }
    lengths
};

/// Bits of the flags of orders.
pub mod flags {
    /// The order contributes to the quote of the consolidated feed.
    pub const DISPLAY: u8 = 0x01;
    /// A modified order keeps its priority.
    pub const MAINTAINS_PRIORITY: u8 = 0x02;
}

pitch! {
    /// The second that the time offsets of this unit's messages count from.
    0x20 Time "Time" 6 {
        /// Seconds since midnight in New York.
        time: U32 => u,
    }

    /// All orders of the unit are void.
    0x97 UnitClear "Unit Clear" 6 {
        /// Nanoseconds since the unit's last [`Time`]; so in every message that has it.
        time_offset: U32 => u,
    }

    /// A new order.
    0x21 AddOrderLong "Add Order (long)" 34 {
        time_offset: U32 => u,
        /// Unique within the unit for the day.
        order_id: U64 => u,
        /// `B` or `S`.
        side: u8 => a,
        /// Shares displayed.
        quantity: U32 => u,
        symbol: [u8; 6] => a,
        price: U64 => p4,
        /// See [`flags`].
        flags: u8 => bits,
    }

    /// A new order whose quantity and price are small.
    0x22 AddOrderShort "Add Order (short)" 26 {
        time_offset: U32 => u,
        order_id: U64 => u,
        /// `B` or `S`.
        side: u8 => a,
        quantity: U16 => u,
        symbol: [u8; 6] => a,
        price: U16 => p2,
        /// See [`flags`].
        flags: u8 => bits,
    }

    /// A new order with a long symbol or one that names its participant.
    0x2F AddOrderExpanded "Add Order (expanded)" 41 {
        time_offset: U32 => u,
        order_id: U64 => u,
        /// `B` or `S`.
        side: u8 => a,
        quantity: U32 => u,
        symbol: [u8; 8] => a,
        price: U64 => p4,
        /// See [`flags`].
        flags: u8 => bits,
        /// Blank when none is named.
        participant_id: [u8; 4] => a,
        /// `N` non-customer, `C` customer, `R` retail priority.
        customer_indicator: u8 => a,
    }

    /// The same as older editions have it.
    0x2F AddOrderExpandedOlder "Add Order (expanded)" 40 {
        time_offset: U32 => u,
        order_id: U64 => u,
        side: u8 => a,
        quantity: U32 => u,
        symbol: [u8; 8] => a,
        price: U64 => p4,
        flags: u8 => bits,
        participant_id: [u8; 4] => a,
    }

    /// A resting order traded at its price.
    0x23 OrderExecuted "Order Executed" 26 {
        time_offset: U32 => u,
        order_id: U64 => u,
        executed_quantity: U32 => u,
        /// Unique for the day.
        execution_id: U64 => u,
    }

    /// A resting order traded at a price of the execution's own, or is of another quantity afterwards than it would be.
    0x24 OrderExecutedAtPriceSize "Order Executed at Price/Size" 38 {
        time_offset: U32 => u,
        order_id: U64 => u,
        executed_quantity: U32 => u,
        /// What the order is left with; 0 when it is gone.
        remaining_quantity: U32 => u,
        execution_id: U64 => u,
        price: U64 => p4,
    }

    /// A resting order shrank.
    0x25 ReduceSizeLong "Reduce Size (long)" 18 {
        time_offset: U32 => u,
        order_id: U64 => u,
        /// Shares taken away, not what remains.
        cancelled_quantity: U32 => u,
    }

    /// A resting order shrank by little.
    0x26 ReduceSizeShort "Reduce Size (short)" 16 {
        time_offset: U32 => u,
        order_id: U64 => u,
        /// Shares taken away, not what remains.
        cancelled_quantity: U16 => u,
    }

    /// A resting order has another quantity or price; it keeps its number.
    0x27 ModifyOrderLong "Modify Order (long)" 27 {
        time_offset: U32 => u,
        order_id: U64 => u,
        /// What it has now.
        quantity: U32 => u,
        price: U64 => p4,
        /// See [`flags`].
        flags: u8 => bits,
    }

    /// The same where both are small.
    0x28 ModifyOrderShort "Modify Order (short)" 19 {
        time_offset: U32 => u,
        order_id: U64 => u,
        /// What it has now.
        quantity: U16 => u,
        price: U16 => p2,
        /// See [`flags`].
        flags: u8 => bits,
    }

    /// A resting order left.
    0x29 DeleteOrder "Delete Order" 14 {
        time_offset: U32 => u,
        order_id: U64 => u,
    }

    /// A trade against an order that was not displayed, or of an auction.
    0x2A TradeLong "Trade (long)" 41 {
        time_offset: U32 => u,
        /// Obfuscated: it is no order of the book.
        order_id: U64 => u,
        /// Always `B`, whatever the resting side.
        side: u8 => a,
        quantity: U32 => u,
        symbol: [u8; 6] => a,
        price: U64 => p4,
        execution_id: U64 => u,
    }

    /// The same where quantity and price are small.
    0x2B TradeShort "Trade (short)" 33 {
        time_offset: U32 => u,
        /// Obfuscated: it is no order of the book.
        order_id: U64 => u,
        /// Always `B`, whatever the resting side.
        side: u8 => a,
        quantity: U16 => u,
        symbol: [u8; 6] => a,
        price: U16 => p2,
        execution_id: U64 => u,
    }

    /// The same with a long symbol.
    0x30 TradeExpanded "Trade (expanded)" 43 {
        time_offset: U32 => u,
        /// Obfuscated: it is no order of the book.
        order_id: U64 => u,
        /// Always `B`, whatever the resting side.
        side: u8 => a,
        quantity: U32 => u,
        symbol: [u8; 8] => a,
        price: U64 => p4,
        execution_id: U64 => u,
    }

    /// An execution is void.
    0x2C TradeBreak "Trade Break" 14 {
        time_offset: U32 => u,
        execution_id: U64 => u,
    }

    /// The last message of the unit for the day.
    0x2D EndOfSession "End of Session" 6 {
        time_offset: U32 => u,
    }

    /// The trading state of an instrument.
    0x31 TradingStatus "Trading Status" 18 {
        time_offset: U32 => u,
        symbol: [u8; 8] => a,
        /// `A` accepting orders for queuing, `H` halted, `Q` quotation only, `S` suspended by this exchange, `T` trading.
        status: u8 => a,
        /// `0` no price test, `1` short sales are restricted.
        reg_sho: u8 => a,
        reserved1: u8 => x,
        reserved2: u8 => x,
    }

    /// State of an auction before it happens.
    0x95 AuctionUpdate "Auction Update" 47 {
        time_offset: U32 => u,
        symbol: [u8; 8] => a,
        /// `O` opening, `C` closing, `H` halt, `I` IPO, `V` volatility, `M` market close, `P` periodic.
        auction_type: u8 => a,
        reference_price: U64 => p4,
        /// Shares to buy at the reference price.
        buy_shares: U32 => u,
        /// Shares to sell at the reference price.
        sell_shares: U32 => u,
        /// Clearing price with the continuous book.
        indicative_price: U64 => p4,
        /// Clearing price of auction orders alone.
        auction_only_price: U64 => p4,
    }

    /// The outcome of an auction.
    0x96 AuctionSummary "Auction Summary" 27 {
        time_offset: U32 => u,
        symbol: [u8; 8] => a,
        /// As in [`AuctionUpdate`].
        auction_type: u8 => a,
        price: U64 => p4,
        shares: U32 => u,
    }

    /// Retail price improvement orders are there.
    0x98 RetailPriceImprovement "Retail Price Improvement" 15 {
        time_offset: U32 => u,
        symbol: [u8; 8] => a,
        /// `B`, `S`, `A` both, `N` none.
        interest: u8 => a,
    }

    /// A client of the TCP services introduces itself.
    0x01 Login "Login (GRP and spin)" 22 {
        session_sub_id: [u8; 4] => a,
        username: [u8; 4] => a,
        filler: [u8; 2] => a,
        password: [u8; 10] => a,
    }

    /// The answer to it.
    0x02 LoginResponse "Login Response (GRP and spin)" 3 {
        /// `A` accepted; else why not.
        status: u8 => a,
    }

    /// Asks the gap request proxy for messages.
    0x03 GapRequest "Gap Request" 9 {
        unit: u8 => u,
        /// First message wanted.
        sequence: U32 => u,
        /// How many.
        count: U16 => u,
    }

    /// The answer to it; the messages themselves come by multicast.
    0x04 GapResponse "Gap Response" 10 {
        unit: u8 => u,
        sequence: U32 => u,
        count: U16 => u,
        /// `A` accepted; else why not.
        status: u8 => a,
    }

    /// The spin server has an image of the open orders.
    0x80 SpinImageAvailable "Spin Image Available" 6 {
        /// The image is complete through this number.
        sequence: U32 => u,
    }

    /// Asks for it.
    0x81 SpinRequest "Spin Request" 6 {
        sequence: U32 => u,
    }

    /// The answer to it.
    0x82 SpinResponse "Spin Response" 11 {
        sequence: U32 => u,
        /// Add orders that follow.
        order_count: U32 => u,
        /// `A` accepted; else why not.
        status: u8 => a,
    }

    /// All of the image was sent.
    0x83 SpinFinished "Spin Finished" 6 {
        sequence: U32 => u,
    }
}
