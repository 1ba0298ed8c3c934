//! Root blocks and group entries of the order flow, statistics, statuses and snapshots, as structs.
//!
//! Each is laid over the front of a block, and holds in every version that has its template; the tests hold them against
//! the tables. Names are those of the tables. The values that mean "absent": [`NULL_PRICE`], [`NULL_I32`], [`NULL_U64`]
//! and so on, each where its field says "optional" or its documentation does.

use crate::wire::message::message;
use zerocopy::byteorder::little_endian::{I16, I32, I64, U16, U32, U64};

/// A price that is absent.
pub const NULL_PRICE: i64 = i64::MAX;
/// A quantity, count or instrument of 4 bytes that is absent.
pub const NULL_I32: i32 = i32::MAX;
/// A number of 4 bytes without a sign that is absent.
pub const NULL_U32: u32 = u32::MAX;
/// A quantity, order or priority of 8 bytes that is absent.
pub const NULL_U64: u64 = u64::MAX;
/// A level of one signed byte that is absent.
pub const NULL_I8: i8 = i8::MAX;
/// A status, flag or reference of one byte that is absent.
pub const NULL_U8: u8 = u8::MAX;
/// A date that is absent.
pub const NULL_DATE: u16 = u16::MAX;

/// Numbers of templates. Those below 46 are of versions 5 to 9, but for the ones that all versions have.
#[allow(missing_docs)] // the names are the schema's
pub mod template {
    pub const CHANNEL_RESET: u16 = 4;
    pub const ADMIN_HEARTBEAT: u16 = 12;
    pub const ADMIN_LOGIN: u16 = 15;
    pub const ADMIN_LOGOUT: u16 = 16;
    pub const FUTURE_7: u16 = 27;
    pub const SPREAD_7: u16 = 29;
    pub const SECURITY_STATUS: u16 = 30;
    pub const BOOK_7: u16 = 32;
    pub const DAILY_STATISTICS_7: u16 = 33;
    pub const LIMITS_BANDING_7: u16 = 34;
    pub const SESSION_STATISTICS_7: u16 = 35;
    pub const TRADE_7: u16 = 36;
    pub const VOLUME: u16 = 37;
    pub const SNAPSHOT_7: u16 = 38;
    pub const QUOTE_REQUEST: u16 = 39;
    pub const OPTION_7: u16 = 41;
    pub const TRADE_SUMMARY_7: u16 = 42;
    pub const ORDER_BOOK_7: u16 = 43;
    pub const SNAPSHOT_ORDERS_7: u16 = 44;
    pub const BOOK: u16 = 46;
    pub const ORDER_BOOK: u16 = 47;
    pub const TRADE_SUMMARY: u16 = 48;
    pub const DAILY_STATISTICS: u16 = 49;
    pub const LIMITS_BANDING: u16 = 50;
    pub const SESSION_STATISTICS: u16 = 51;
    pub const SNAPSHOT: u16 = 52;
    pub const SNAPSHOT_ORDERS: u16 = 53;
    pub const FUTURE: u16 = 54;
    pub const OPTION: u16 = 55;
    pub const SPREAD: u16 = 56;
    pub const FIXED_INCOME: u16 = 57;
    pub const REPO: u16 = 58;
    pub const TOP_ORDERS: u16 = 59;
    pub const WORKUP: u16 = 60;
    pub const SNAPSHOT_TCP: u16 = 61;
    pub const COLLATERAL: u16 = 62;
    pub const FX: u16 = 63;
    pub const BOOK_LONG: u16 = 64;
    pub const TRADE_SUMMARY_LONG: u16 = 65;
    pub const VOLUME_LONG: u16 = 66;
    pub const SESSION_STATISTICS_LONG: u16 = 67;
    pub const SNAPSHOT_TCP_LONG: u16 = 68;
    pub const SNAPSHOT_LONG: u16 = 69;
}

/// Bits of `match_event_indicator`.
#[allow(missing_docs)] // the names are the schema's
pub mod event {
    pub const LAST_TRADE: u8 = 0x01;
    pub const LAST_VOLUME: u8 = 0x02;
    pub const LAST_QUOTE: u8 = 0x04;
    pub const LAST_STATS: u8 = 0x08;
    pub const LAST_IMPLIED: u8 = 0x10;
    /// Sent again in a recovery.
    pub const RECOVERY: u8 = 0x20;
    /// The event ends with this message; until then books are not whole.
    pub const END: u8 = 0x80;
}

message! {
    /// The root of every message of an event: channel resets and all incremental refreshes, and the front of
    /// 61 and 68.
    pub struct EventRoot: 9 {
        /// Nanoseconds since the Unix epoch.
        transact_time: U64 => u,
        /// Bits, see [`event`].
        match_event_indicator: u8 => bits,
    }

    /// Root of 30.
    pub struct SecurityStatusRoot: 30 {
        transact_time: U64 => u,
        /// The group of instruments it is about where there is no instrument.
        security_group: [u8; 6] => a,
        /// The product it is about, where there is one.
        asset: [u8; 6] => a,
        security_id_optional: I32 => i,
        /// Days since the Unix epoch, or [`NULL_DATE`].
        trade_date: U16 => u,
        match_event_indicator: u8 => bits,
        /// 2 halt, 4 close, 15 new price, 17 ready to trade, 18 not available, 21 pre-open, 24 pre-cross, 25 cross, 26
        /// post-close, 103 no change; 20 and [`NULL_U8`] not known.
        security_trading_status: u8 => u,
        halt_reason: u8 => u,
        /// 4: session statistics begin anew; 5 and 6: implied orders on and off.
        security_trading_event: u8 => u,
    }

    /// Root of 52, 69 and 38: an instrument's levels and statistics.
    pub struct SnapshotRoot: 59 {
        /// The incremental packet up to which it tells.
        last_msg_seq_num_processed: U32 => u,
        /// Messages in this loop.
        tot_num_reports: U32 => u,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        transact_time: U64 => u,
        /// Nanoseconds since the Unix epoch.
        last_update_time: U64 => u,
        /// Days since the Unix epoch, or [`NULL_DATE`].
        trade_date: U16 => u,
        /// As in [`SecurityStatusRoot`].
        md_security_trading_status: u8 => u,
        /// Or [`NULL_PRICE`]; so the two below.
        high_limit_price: I64 => sp9,
        low_limit_price: I64 => sp9,
        max_price_variation: I64 => sp9,
    }

    /// Root of 53 and 44: an instrument's orders, or a part of them.
    pub struct SnapshotOrdersRoot: 28 {
        last_msg_seq_num_processed: U32 => u,
        tot_num_reports: U32 => u,
        security_id: I32 => i,
        /// Messages this instrument takes.
        no_chunks: U32 => u,
        /// Which of them this is, from 1.
        current_chunk: U32 => u,
        transact_time: U64 => u,
    }

    /// Entry of 4: a channel whose books are empty now.
    pub struct ChannelResetEntry: 2 {
        appl_id: I16 => i,
    }

    /// First group of 46 and 32: what becomes of a price level.
    pub struct BookEntry: 32 {
        md_entry_px_optional_ex: I64 => sp9,
        md_entry_size_short_optional: I32 => i,
        security_id: I32 => i,
        /// Counts the instrument's entries.
        rpt_seq: U32 => u,
        number_of_orders_optional: I32 => i,
        /// 1 is the best.
        md_price_level: u8 => u,
        /// 0 new, 1 change, 2 delete, 3 delete through, 4 delete from, 5 overlay.
        md_update_action: u8 => u,
        /// `0` bid, `1` offer, `E` implied bid, `F` implied offer, `J` reset of the instrument's books.
        md_entry_type_book: u8 => a,
        /// Of version 10: see [`BookEntry::tradeable_size`].
        raw_tradeable_size("tradeable_size"): I32 => i,
        padding_1: u8 => x,
    }

    /// Second group of 46, 32 and 64: an order at a level of the first.
    pub struct OrderIdEntry: 24 {
        order_id: U64 => u,
        /// Smaller is earlier.
        md_order_priority_optional: U64 => u,
        md_display_qty_optional: I32 => i,
        /// Which entry of the first group it belongs to, from 1; or [`NULL_U8`].
        reference_id: u8 => u,
        /// 0 new, 1 update, 2 delete.
        order_update_action: u8 => u,
        padding_2: [u8; 2] => x,
    }

    /// Group of 47 and 43: what becomes of an order.
    pub struct OrderBookEntry: 40 {
        order_id_optional: U64 => u,
        /// Smaller is earlier.
        md_order_priority_optional: U64 => u,
        md_entry_px_optional_ex: I64 => sp9,
        md_display_qty_optional: I32 => i,
        security_id: I32 => i,
        /// As in [`BookEntry`].
        md_update_action: u8 => u,
        /// As in [`BookEntry`].
        md_entry_type_book: u8 => a,
        padding_6: [u8; 6] => x,
    }

    /// First group of 48 and 42: trades at a price.
    pub struct TradeEntry: 32 {
        md_entry_px_ex: I64 => sp9,
        md_entry_size_short: I32 => i,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        /// Orders that took part, the aggressor among them. In 42 it can be absent.
        number_of_orders: I32 => i,
        /// 0 none, 1 buy, 2 sell, or [`NULL_U8`].
        aggressor_side: u8 => u,
        /// 0 new, 1 change, 2 delete (a trade that is taken back).
        md_update_action: u8 => u,
        /// Of version 7: see [`TradeEntry::md_trade_entry`].
        raw_md_trade_entry("md_trade_entry_optional"): U32 => u,
        padding_2: [u8; 2] => x,
    }

    /// Second group of 48, 42 and 65: what an order had of the trades.
    pub struct FillEntry: 16 {
        order_id: U64 => u,
        last_qty: I32 => i,
        padding_4: [u8; 4] => x,
    }

    /// Group of 37: the volume of the session.
    pub struct VolumeEntry: 16 {
        md_entry_size_short: I32 => i,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        md_update_action: u8 => u,
        padding_3: [u8; 3] => x,
    }

    /// Group of 49 and 33: settlement, cleared volume, open interest.
    pub struct DailyStatisticsEntry: 32 {
        md_entry_px_optional_ex: I64 => sp9,
        md_entry_size_short_optional: I32 => i,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        /// Days since the Unix epoch, or [`NULL_DATE`].
        trading_reference_date: U16 => u,
        /// 1 final, 2 actual, 4 rounded, 8 intraday, 0x80 absent.
        settl_price_type: u8 => bits,
        md_update_action: u8 => u,
        /// `6` settlement, `B` cleared volume, `C` open interest, `W` fixing.
        md_entry_type_daily_statistics: u8 => a,
        padding_7: [u8; 7] => x,
    }

    /// Group of 50 and 34: the prices between which may be traded.
    pub struct LimitsBandingEntry: 32 {
        /// Or [`NULL_PRICE`]; so the two below.
        high_limit_price: I64 => sp9,
        low_limit_price: I64 => sp9,
        max_price_variation: I64 => sp9,
        security_id: I32 => i,
        rpt_seq: U32 => u,
    }

    /// Group of 51 and 35: open, high, low and the like.
    pub struct SessionStatisticsEntry: 24 {
        md_entry_px_ex: I64 => sp9,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        /// 0 the day's open, 5 an indicative one, or [`NULL_U8`].
        open_close_settl_flag: u8 => u,
        md_update_action: u8 => u,
        /// `4` open, `7` high, `8` low, `9` average, `N` highest bid, `O` lowest offer.
        md_entry_type_statistics: u8 => a,
        /// Of version 8: see [`SessionStatisticsEntry::size`].
        raw_size("md_entry_size_short_optional"): I32 => i,
        padding_1: u8 => x,
    }

    /// Group of 52 and 38: a level or a statistic.
    pub struct SnapshotEntry: 22 {
        md_entry_px_optional_ex: I64 => sp9,
        md_entry_size_short_optional: I32 => i,
        number_of_orders_optional: I32 => i,
        /// 1 is the best; [`NULL_I8`] for statistics.
        md_price_level_optional: i8 => i,
        trading_reference_date: U16 => u,
        open_close_settl_flag: u8 => u,
        settl_price_type: u8 => bits,
        /// As in the incremental groups, and `2` for the last trade, `e` volume, `g` limits.
        md_entry_type: u8 => a,
    }

    /// Group of 53, 44 and 59: an order.
    pub struct SnapshotOrderEntry: 29 {
        order_id: U64 => u,
        /// Smaller is earlier. In 53 and 44 it can be absent.
        md_order_priority("md_order_priority_optional"): U64 => u,
        md_entry_px_ex: I64 => sp9,
        md_display_qty: I32 => i,
        md_entry_type_book: u8 => a,
    }

    /// First group of 64: [`BookEntry`] with 8 bytes of quantity.
    pub struct BookLongEntry: 32 {
        md_entry_px_optional_ex: I64 => sp9,
        md_entry_size_optional: U64 => u,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        number_of_orders_optional: I32 => i,
        md_price_level: u8 => u,
        md_update_action: u8 => u,
        md_entry_type_book: u8 => a,
        padding_1: u8 => x,
    }

    /// First group of 65: [`TradeEntry`] with 8 bytes of quantity.
    pub struct TradeLongEntry: 40 {
        md_entry_px_ex: I64 => sp9,
        md_entry_size: U64 => u,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        number_of_orders: I32 => i,
        md_trade_entry: U32 => u,
        aggressor_side: u8 => u,
        md_update_action: u8 => u,
        padding_6: [u8; 6] => x,
    }

    /// Group of 66: [`VolumeEntry`] with 8 bytes of quantity.
    pub struct VolumeLongEntry: 24 {
        md_entry_size: U64 => u,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        md_update_action: u8 => u,
        padding_7: [u8; 7] => x,
    }

    /// Group of 67: [`SessionStatisticsEntry`] with 8 bytes of quantity.
    pub struct SessionStatisticsLongEntry: 32 {
        md_entry_px_ex: I64 => sp9,
        md_entry_size_optional: U64 => u,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        open_close_settl_flag: u8 => u,
        md_update_action: u8 => u,
        md_entry_type_statistics: u8 => a,
        padding_5: [u8; 5] => x,
    }

    /// Group of 69 and 68: [`SnapshotEntry`] with 8 bytes of quantity.
    pub struct SnapshotLongEntry: 23 {
        md_entry_px_optional_ex: I64 => sp9,
        md_entry_size_optional: U64 => u,
        number_of_orders_optional: I32 => i,
        md_price_level_unsigned_optional: u8 => u,
        open_close_settl_flag: u8 => u,
        md_entry_type: u8 => a,
    }

    /// Group of 36, which versions 5 to 8 have: a trade.
    pub struct SingleTradeEntry: 32 {
        md_entry_px_ex: I64 => sp9,
        md_entry_size_short: I32 => i,
        security_id: I32 => i,
        rpt_seq: U32 => u,
        number_of_orders_optional: I32 => i,
        /// Numbers the instrument's trades of a day.
        trade_id: I32 => i,
        aggressor_side: u8 => u,
        md_update_action: u8 => u,
        padding_2: [u8; 2] => x,
    }
}

impl BookEntry {
    /// What of the quantity can be traded with (FX spread matching), of senders that say it: since version 10; before,
    /// these bytes were padding.
    #[inline]
    pub fn tradeable_size(&self, version: u16) -> Option<i32> {
        let size = self.raw_tradeable_size.get();
        (version >= 10 && size != NULL_I32).then_some(size)
    }
}

impl TradeEntry {
    /// The number of the trade, of senders that say it: since version 7; before, these bytes were padding.
    #[inline]
    pub fn md_trade_entry(&self, version: u16) -> Option<u32> {
        let id = self.raw_md_trade_entry.get();
        (version >= 7 && id != NULL_U32).then_some(id)
    }
}

impl SessionStatisticsEntry {
    /// The quantity at the price, of senders that say it: since version 8; before, these bytes were padding.
    #[inline]
    pub fn size(&self, version: u16) -> Option<i32> {
        let size = self.raw_size.get();
        (version >= 8 && size != NULL_I32).then_some(size)
    }
}
