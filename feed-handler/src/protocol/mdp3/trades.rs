//! Trades: new ones, changed ones, and those that are taken back.

use super::book::{CHANGE, DELETE, NEW};
use super::{Mdp3Decoder, long_quantity, quantity};
use crate::protocol::DecodeError;
use feed_common::event::{Flags, MarketHandler, MsgCtx, Side, Trade, TradeBreak};
use feed_common::wire::mdp3::{Dimension, Message, SingleTradeEntry, TradeEntry, TradeLongEntry};

/// An entry of whichever template.
struct Entry {
    price: i64,
    quantity: u64,
    security_id: i32,
    rpt_seq: u32,
    aggressor_side: u8,
    action: u8,
    /// The exchange's number for it, where the sender says it.
    number: Option<u32>,
}

impl Mdp3Decoder {
    pub(super) fn trades<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let trades = message.groups().next(Dimension::Three)?;
        let version = message.version();
        let trades = trades.entries()?.map(|entry: &TradeEntry| Entry {
            price: entry.md_entry_px_ex.get(),
            quantity: quantity(entry.md_entry_size_short.get()),
            security_id: entry.security_id.get(),
            rpt_seq: entry.rpt_seq.get(),
            aggressor_side: entry.aggressor_side,
            action: entry.md_update_action,
            number: entry.md_trade_entry(version),
        });
        self.tell_trades(message, trades, cx, out)
    }

    pub(super) fn long_trades<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let trades = message.groups().next(Dimension::Three)?;
        let trades = trades.entries()?.map(|entry: &TradeLongEntry| Entry {
            price: entry.md_entry_px_ex.get(),
            quantity: long_quantity(entry.md_entry_size.get()),
            security_id: entry.security_id.get(),
            rpt_seq: entry.rpt_seq.get(),
            aggressor_side: entry.aggressor_side,
            action: entry.md_update_action,
            number: Some(entry.md_trade_entry.get()),
        });
        self.tell_trades(message, trades, cx, out)
    }

    pub(super) fn single_trades<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let trades = message.groups().next(Dimension::Three)?;
        let trades = trades.entries()?.map(|entry: &SingleTradeEntry| Entry {
            price: entry.md_entry_px_ex.get(),
            quantity: quantity(entry.md_entry_size_short.get()),
            security_id: entry.security_id.get(),
            rpt_seq: entry.rpt_seq.get(),
            aggressor_side: entry.aggressor_side,
            action: entry.md_update_action,
            number: Some(entry.trade_id.get() as u32),
        });
        self.tell_trades(message, trades, cx, out)
    }

    fn tell_trades<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        trades: impl ExactSizeIterator<Item = Entry>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let ends = self.begin(&message, cx)?;
        let count = trades.len();
        for (i, entry) in (1..).zip(trades) {
            self.tell_trade(&message, entry, ends && i == count, cx, out);
        }
        self.close(ends, cx, out);
        Ok(())
    }

    fn tell_trade<H: MarketHandler>(
        &mut self,
        message: &Message<'_>,
        entry: Entry,
        last: bool,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let place = self.place(entry.security_id, cx, out);
        let place = self.count(place, entry.rpt_seq, cx, out);
        let number = entry.number.unwrap_or(entry.rpt_seq);
        let match_id = u64::from(entry.security_id as u32) << 32 | u64::from(number);
        let broken = TradeBreak { match_id };
        let (price, range) = self.price(message, entry.price);
        let trade = Trade {
            match_id,
            side: match entry.aggressor_side {
                1 => Side::BUY,
                2 => Side::SELL,
                _ => Side::NONE,
            },
            price,
            quantity: entry.quantity,
            flags: Flags::NONE,
        };
        match (entry.action, entry.number) {
            (NEW, _) => self.tell(place, last, range, cx, |cx| out.on_trade(cx, trade)),
            (CHANGE, Some(_)) => {
                self.tell(place, false, Flags::NONE, cx, |cx| {
                    out.on_trade_break(cx, broken);
                });
                self.tell(place, last, range, cx, |cx| out.on_trade(cx, trade));
            }
            (DELETE, Some(_)) => self.tell(place, last, Flags::NONE, cx, |cx| {
                out.on_trade_break(cx, broken);
            }),
            (CHANGE | DELETE, None) => self.oddities.trade_unnumbered += 1,
            _ => self.oddities.entry_unknown += 1,
        }
    }
}
