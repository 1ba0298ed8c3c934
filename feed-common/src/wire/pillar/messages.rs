//! The messages: control, Integrated Feed, and those of the request server.

use crate::wire::message::{Fields, message};
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{U16, U32, U64};

/// Declares a message per entry: its type, struct, its name in facts, its length, how much of it a reader needs, and its
/// fields after the first two.
macro_rules! pillar {
    ($(
        $(#[$doc:meta])*
        $kind:literal $name:ident $text:literal $size:literal $least:literal {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty => $letter:ident,)*
        }
    )*) => {
        message! {$(
            $(#[$doc])*
            pub struct $name: $size {
                /// Bytes of the message, these included.
                msg_size: U16 => u,
                /// The struct's `TYPE`.
                msg_type: U16 => u,
                $($(#[$field_doc])* $field: $ty => $letter,)*
            }
        )*}

        $(impl $name {
            /// The type.
            pub const TYPE: u16 = $kind;

            /// A message of zeros with its size and type set.
            pub fn new() -> $name {
                $name { msg_size: U16::new($size), msg_type: U16::new($kind), ..$name::default() }
            }
        })*

        /// Any message, in place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Message<'a> {
            $($name(&'a $name),)*
        }

        impl<'a> Message<'a> {
            /// Lays the struct its type names over the front of `bytes`; `None` where the type is unknown or has more
            /// bytes.
            pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
                match kind_of(bytes) {
                    $($kind => $name::ref_from_prefix(bytes).ok().map(|(m, _)| Message::$name(m)),)*
                    _ => None,
                }
            }

            /// Its fields.
            pub fn fields(&self) -> &'a dyn Fields {
                match *self { $(Message::$name(message) => message,)* }
            }
        }

        /// The types.
        pub const TYPES: &[u16] = &[$($kind),*];

        /// Bytes a message of this type has, and how many of them are needed to know what it says; `None` for an unknown
        /// type.
        #[inline]
        pub const fn lengths_of(kind: u16) -> Option<(usize, usize)> {
            match kind { $($kind => Some(($size, $least)),)* _ => None }
        }

        /// The message's name in facts; `None` for an unknown type.
        pub const fn name(kind: u16) -> Option<&'static str> {
            match kind { $($kind => Some($text),)* _ => None }
        }

        /// Bytes of the longest message.
        pub const LONGEST: usize = {
            let mut longest = 0;
            $(if $size > longest { longest = $size; })*
            longest
        };
    };
}

/// The type of a message; 0, which none has, where it is too short for one.
#[inline]
pub fn kind_of(message: &[u8]) -> u16 {
    match message.first_chunk() {
        Some(&[_, _, low, high]) => u16::from_le_bytes([low, high]),
        None => 0,
    }
}

/// A message of a release that sent less of it, brought to its whole length by zeros in `room`; `None` where it is whole,
/// misses what it is about, or has no known type.
pub fn lengthened<'a>(message: &[u8], room: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    let (size, least) = lengths_of(kind_of(message))?;
    if !(least..size).contains(&message.len()) {
        return None;
    }
    let (there, absent) = room.get_mut(..size)?.split_at_mut(message.len());
    there.copy_from_slice(message);
    absent.fill(0);
    Some(&room[..size])
}

/// What the messages about orders and trades, from 100 to 104 and from 110 to 114, begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The type.
    pub kind: u16,
    /// Nanoseconds within the second of the last [`SourceTimeReference`].
    pub nanos: u32,
    /// `symbol_index`.
    pub symbol: u32,
}

impl Head {
    /// Bytes of it.
    pub const LEN: usize = 12;

    /// Reads it off such a message; `None` for others, and where there are fewer bytes.
    #[inline(always)]
    pub fn of(message: &[u8]) -> Option<Head> {
        let [_, _, k, l, a, b, c, d, s, t, u, v] = *message.first_chunk::<{ Head::LEN }>()?;
        let kind = u16::from_le_bytes([k, l]);
        // One bit per type from 100 on.
        let place = u32::from(kind.wrapping_sub(AddOrder::TYPE));
        let begins_so = 0b111_1100_0001_1111_u32.checked_shr(place).unwrap_or(0) & 1 == 1;
        begins_so.then_some(Head {
            kind,
            nanos: u32::from_le_bytes([a, b, c, d]),
            symbol: u32::from_le_bytes([s, t, u, v]),
        })
    }
}

pillar! {
    /// The channel numbers its messages anew; this is number 1.
    1 SequenceNumberReset "Sequence Number Reset" 14 12 {
        /// Seconds since the epoch.
        source_time: U32 => t,
        source_time_ns: U32 => t,
        product_id: u8 => u,
        channel_id: u8 => u,
    }

    /// The second that the times of the messages after it are in, before the first of each second.
    2 SourceTimeReference "Source Time Reference" 16 16 {
        /// A symbol index or a part of the matching engine: the time is the channel's.
        id: U32 => u,
        symbol_seq_num: U32 => u,
        /// Seconds since the epoch.
        source_time: U32 => t,
    }

    /// An instrument: the only map from index to symbol, and where the point is in its prices.
    3 SymbolIndexMapping "Symbol Index Mapping" 44 25 {
        /// The same on all days and markets.
        symbol_index: U32 => u,
        symbol: [u8; 11] => a,
        reserved1: u8 => x,
        market_id: U16 => u,
        system_id: u8 => u,
        exchange_code: u8 => a,
        /// Decimal places of all prices of the symbol.
        price_scale_code: u8 => u,
        security_type: u8 => a,
        /// Shares per round lot.
        lot_size: U16 => u,
        prev_close_price: U32 => u,
        prev_close_volume: U32 => u,
        price_resolution: u8 => u,
        round_lots_accepted: u8 => a,
        /// Least price variation, in 1/10000.
        mpv: U16 => u,
        unit_of_trade: U16 => u,
        reserved2: [u8; 2] => x,
    }

    /// Asks for messages again.
    10 RetransmissionRequest "Retransmission Request" 24 24 {
        begin_seq: U32 => u,
        /// Inclusive.
        end_seq: U32 => u,
        source_id: [u8; 10] => a,
        product_id: u8 => u,
        channel_id: u8 => u,
    }

    /// What a request leads to.
    11 RequestResponse "Request Response" 29 29 {
        /// Number of the packet that asked.
        request_seq_num: U32 => u,
        begin_seq: U32 => u,
        end_seq: U32 => u,
        source_id: [u8; 10] => a,
        product_id: u8 => u,
        channel_id: u8 => u,
        /// `0` accepted, others say why not.
        status: u8 => a,
    }

    /// Answers a heartbeat of the request server.
    12 HeartbeatResponse "Heartbeat Response" 14 14 {
        source_id: [u8; 10] => a,
    }

    /// Asks for the symbol index mappings.
    13 SymbolIndexMappingRequest "Symbol Index Mapping Request" 21 21 {
        /// 0 for all.
        symbol_index: U32 => u,
        source_id: [u8; 10] => a,
        product_id: u8 => u,
        channel_id: u8 => u,
        /// 0 for UDP.
        retransmit_method: u8 => u,
    }

    /// Asks for the state of a symbol.
    15 RefreshRequest "Refresh Request" 20 20 {
        /// 0 for all of the channel.
        symbol_index: U32 => u,
        source_id: [u8; 10] => a,
        product_id: u8 => u,
        channel_id: u8 => u,
    }

    /// Messages that will not come, on the channel of retransmissions.
    31 MessageUnavailable "Message Unavailable" 14 12 {
        begin_seq: U32 => u,
        /// Inclusive.
        end_seq: U32 => u,
        product_id: u8 => u,
        channel_id: u8 => u,
    }

    /// The whole book of a symbol is void; its orders follow as refreshes.
    32 SymbolClear "Symbol Clear" 20 16 {
        /// Seconds since the epoch.
        source_time: U32 => t,
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        next_source_seq_num: U32 => u,
    }

    /// A state of an instrument.
    34 SecurityStatus "Security Status" 46 22 {
        /// Seconds since the epoch.
        source_time: U32 => t,
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        /// `4` halt, `5` resume, `6` suspend; `A`, `C`, `D` short sale restriction; `P`, `B`, `E`, `O`, `L`, `X` phases
        /// of the day; `I`, `G` indications.
        security_status: u8 => a,
        halt_condition: u8 => a,
        reserved: [u8; 4] => x,
        /// Price that triggered the restriction, or low end of the indication.
        price1: U32 => u,
        /// High end of the indication.
        price2: U32 => u,
        ssr_exchange: u8 => a,
        ssr_volume: U32 => u,
        /// HHMMSSmmm.
        time: U32 => t,
        ssr_state: u8 => a,
        market_state: u8 => a,
        session_state: u8 => a,
    }

    /// Opens each packet of a refresh. Behind the first packet of a symbol it has 8 bytes only.
    35 RefreshHeader "Refresh Header" 16 8 {
        /// From 1.
        current_refresh_pkt: U16 => u,
        total_refresh_pkts: U16 => u,
        /// What of the channel the state includes.
        last_seq_num: U32 => u,
        last_symbol_seq_num: U32 => u,
    }

    /// A new displayed order.
    100 AddOrder "Add Order" 39 33 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        /// Unique for the day.
        order_id: U64 => u,
        price: U32 => u,
        volume: U32 => u,
        /// `B` or `S`.
        side: u8 => a,
        firm_id: [u8; 5] => a,
        reserved: u8 => x,
    }

    /// A resting order has another price or volume.
    101 ModifyOrder "Modify Order" 35 33 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        order_id: U64 => u,
        price: U32 => u,
        /// What it has now.
        volume: U32 => u,
        /// 1 where it lost its place. Before release 2.5 always 0, and an order of another price has lost it.
        position_change: u8 => u,
        side: u8 => a,
        reserved: u8 => x,
    }

    /// A resting order left.
    102 DeleteOrder "Delete Order" 25 24 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        order_id: U64 => u,
        reserved: u8 => x,
    }

    /// A resting order traded. None of volume 0 remains: no Delete Order follows.
    103 OrderExecution "Order Execution" 42 37 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        order_id: U64 => u,
        trade_id: U32 => u,
        /// Of the trade; what remains keeps its own.
        price: U32 => u,
        /// What traded.
        volume: U32 => u,
        /// 1: reported as a trade of its own; 0: part of one.
        printable: u8 => u,
        reserved: u8 => x,
        trade_cond1: u8 => a,
        trade_cond2: u8 => a,
        trade_cond3: u8 => a,
        trade_cond4: u8 => a,
    }

    /// A resting order was replaced by another of the same side, behind the queue.
    104 ReplaceOrder "Replace Order" 42 40 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        /// The order that goes.
        order_id: U64 => u,
        /// The order that comes.
        new_order_id: U64 => u,
        price: U32 => u,
        volume: U32 => u,
        side: u8 => a,
        reserved: u8 => x,
    }

    /// State of an auction before it happens. Prices that there are not are 0.
    105 Imbalance "Imbalance" 73 40 {
        /// Seconds since the epoch.
        source_time: U32 => t,
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        reference_price: U32 => u,
        paired_qty: U32 => u,
        total_imbalance_qty: U32 => u,
        market_imbalance_qty: U32 => u,
        /// hhmm.
        auction_time: U16 => u,
        auction_type: u8 => a,
        /// `B`, `S`, blank for none.
        imbalance_side: u8 => a,
        continuous_book_clearing_price: U32 => u,
        auction_interest_clearing_price: U32 => u,
        ssr_filing_price: U32 => u,
        indicative_match_price: U32 => u,
        upper_collar: U32 => u,
        lower_collar: U32 => u,
        auction_status: u8 => u,
        freeze_status: u8 => u,
        num_extensions: u8 => u,
        unpaired_qty: U32 => u,
        unpaired_side: u8 => a,
        significant_imbalance: u8 => a,
    }

    /// An order of a book that is told anew.
    106 AddOrderRefresh "Add Order Refresh" 43 37 {
        /// Seconds since the epoch.
        source_time: U32 => t,
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        order_id: U64 => u,
        price: U32 => u,
        volume: U32 => u,
        /// `B` or `S`.
        side: u8 => a,
        firm_id: [u8; 5] => a,
        reserved: u8 => x,
    }

    /// A trade against an order that was not displayed.
    110 NonDisplayedTrade "Non-Displayed Trade" 33 29 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        trade_id: U32 => u,
        price: U32 => u,
        volume: U32 => u,
        /// 1: reported as a trade of its own; 0: part of one.
        printable: u8 => u,
        trade_cond1: u8 => a,
        trade_cond2: u8 => a,
        trade_cond3: u8 => a,
        trade_cond4: u8 => a,
    }

    /// The bulk print of an auction, whose parts came with `printable` 0.
    111 CrossTrade "Cross Trade" 29 28 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        cross_id: U32 => u,
        price: U32 => u,
        volume: U32 => u,
        /// `E` early open, `O` open, `5` reopening, `6` closing.
        cross_type: u8 => a,
    }

    /// An execution or a trade is void.
    112 TradeCancel "Trade Cancel" 20 20 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        trade_id: U32 => u,
    }

    /// A cross had another volume.
    113 CrossCorrection "Cross Correction" 24 24 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        cross_id: U32 => u,
        volume: U32 => u,
    }

    /// Retail price improvement orders are there.
    114 RetailPriceImprovement "Retail Price Improvement" 17 17 {
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        symbol_seq_num: U32 => u,
        /// Blank for none, `A` bid, `B` offer, `C` both.
        rpi: u8 => a,
    }

    /// Figures of a symbol's day so far.
    223 StockSummary "Stock Summary" 36 36 {
        /// Seconds since the epoch.
        source_time: U32 => t,
        source_time_ns: U32 => t,
        symbol_index: U32 => u,
        high_price: U32 => u,
        low_price: U32 => u,
        open: U32 => u,
        close: U32 => u,
        total_volume: U32 => u,
    }
}
