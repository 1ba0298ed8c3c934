//! The messages that are not the bulk of the order flow, kept out of the hot function's code.

use super::PitchDecoder;
use crate::protocol::{DecodeError, Place};
use feed_common::event::{
    ExecuteOrder, Flags, Imbalance, MarketHandler, ModifyOrder, MsgCtx, NO_INSTRUMENT, NO_SYMBOL,
    Price, Side, Statistic, StatisticKind, Status, StatusKind, Trade, TradeBreak,
};
use feed_common::wire::pitch as wire;
use zerocopy::FromBytes;

impl PitchDecoder {
    /// Decodes a message of any of these types.
    #[inline(never)]
    pub(super) fn decode_rare<H: MarketHandler>(
        &mut self,
        kind: u8,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        (cx.instrument, cx.symbol) = (NO_INSTRUMENT, NO_SYMBOL);
        match kind {
            wire::Time::TYPE => {
                let m: &wire::Time = self.lay(message)?;
                let second = u64::from(m.time.get()) * 1_000_000_000;
                self.seconds[usize::from(cx.unit)] = second;
            }
            wire::AddOrderExpandedOlder::TYPE => {
                let m = self.lay_expanded(message)?;
                self.fill(cx, m.time_offset);
                let (price, quantity) = (self.long(cx, m.price), m.quantity.get());
                let order_id = m.order_id.get();
                self.add(cx, out, m.symbol, order_id, m.side, price, quantity);
            }
            wire::OrderExecutedAtPriceSize::TYPE => {
                let m: &wire::OrderExecutedAtPriceSize = self.lay(message)?;
                self.fill(cx, m.time_offset);
                self.execute_to(m, cx, out);
            }
            wire::TradeExpanded::TYPE => {
                let m: &wire::TradeExpanded = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let (price, quantity) = (self.long(cx, m.price), m.quantity.get());
                let match_id = m.execution_id.get();
                self.trade(cx, out, m.symbol, match_id, m.side, price, quantity);
            }
            wire::TradeBreak::TYPE => {
                let m: &wire::TradeBreak = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let match_id = m.execution_id.get();
                out.on_trade_break(cx, TradeBreak { match_id });
            }
            wire::UnitClear::TYPE => {
                let m: &wire::UnitClear = self.lay(message)?;
                self.fill(cx, m.time_offset);
                self.clear_unit(cx, out);
            }
            wire::EndOfSession::TYPE => {
                let m: &wire::EndOfSession = self.lay(message)?;
                self.fill(cx, m.time_offset);
                out.on_status(cx, plain(StatusKind::SYSTEM, m.msg_type));
            }
            wire::TradingStatus::TYPE => {
                let m: &wire::TradingStatus = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let place = self.known.intern(m.symbol);
                self.known.deliver(place, cx, |cx| trading(m, cx, out));
            }
            wire::AuctionUpdate::TYPE => {
                let m: &wire::AuctionUpdate = self.lay(message)?;
                self.fill(cx, m.time_offset);
                self.auction(m, cx, out);
            }
            wire::AuctionSummary::TYPE => {
                let m: &wire::AuctionSummary = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let trade = Trade {
                    match_id: 0,
                    side: Side::NONE,
                    price: self.long(cx, m.price),
                    quantity: m.shares.get().into(),
                    flags: Flags::CROSS,
                };
                let place = self.known.intern(m.symbol);
                self.known.deliver(place, cx, |cx| out.on_trade(cx, trade));
            }
            wire::RetailPriceImprovement::TYPE => {
                let m: &wire::RetailPriceImprovement = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let status = plain(StatusKind::RETAIL_INTEREST, m.interest);
                let place = self.known.intern(m.symbol);
                self.known
                    .deliver(place, cx, |cx| out.on_status(cx, status));
            }
            // Of the TCP services, or unknown.
            _ => {
                return wire::Message::parse(message)
                    .map(|_| ())
                    .map_err(Into::into);
            }
        }
        Ok(())
    }

    /// The expanded add order as all editions have it; the byte that newer ones append is not in events.
    fn lay_expanded<'a>(
        &mut self,
        message: &'a [u8],
    ) -> Result<&'a wire::AddOrderExpandedOlder, DecodeError> {
        let laid = wire::AddOrderExpandedOlder::ref_from_prefix(message);
        let (m, rest) = laid.map_err(|_| DecodeError::Short)?;
        self.oddities.long += u64::from(rest.len() > 1);
        Ok(m)
    }

    /// An execution that says what remains. Where that is not what it would be, the order is modified in place: after the
    /// execution, or before it where it would otherwise have left.
    fn execute_to<H: MarketHandler>(
        &mut self,
        m: &wire::OrderExecutedAtPriceSize,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let order_id = m.order_id.get();
        let (executed, remaining) = (m.executed_quantity.get(), m.remaining_quantity.get());
        let execute = ExecuteOrder {
            order_id,
            quantity: executed.into(),
            price: self.long(cx, m.price),
            match_id: m.execution_id.get(),
            printable: true,
        };
        let found = self.orders.seek(cx.unit, order_id);
        let place = self.place(found);
        let (mut before, mut after) = (None, None);
        if let Ok(at) = found {
            let order = self.orders.at(at);
            self.orders.resize(at, remaining);
            let to = |quantity| ModifyOrder {
                order_id,
                price: order.price,
                quantity,
            };
            match order.quantity.checked_sub(executed) {
                Some(rest) if rest == remaining => {}
                Some(1..) => after = Some(to(remaining.into())),
                _ if remaining > 0 => before = Some(to(u64::from(executed) + u64::from(remaining))),
                _ => {} // more than there was, and nothing remains
            }
        }
        let last = cx.flags;
        let end_none = open_ended(last);
        // The price of the execution is not that of the order.
        let unpriced = |flags: Flags| Flags(flags.0 & !Flags::PRICE_RANGE.0);
        self.known.deliver(place, cx, |cx| {
            if let Some(before) = before {
                cx.flags = unpriced(end_none);
                out.on_modify(cx, before);
            }
            cx.flags = if after.is_some() { end_none } else { last };
            out.on_execute(cx, execute);
            if let Some(after) = after {
                cx.flags = unpriced(last);
                out.on_modify(cx, after);
            }
        });
    }

    /// Clears every instrument that has orders in the unit: one event, which the last one ends.
    fn clear_unit<H: MarketHandler>(&mut self, cx: &mut MsgCtx, out: &mut H) {
        let marks = &mut self.marks;
        self.orders.remove_unit(cx.unit, |instrument| {
            if let Some(word) = marks.get_mut(instrument as usize / 64) {
                *word |= 1 << (instrument % 64);
            }
        });
        let last = cx.flags;
        let mut cleared: Option<Place> = None;
        for word in 0..self.marks.len() {
            let mut left = std::mem::take(&mut self.marks[word]);
            while left != 0 {
                let instrument = word as u32 * 64 + left.trailing_zeros();
                left &= left - 1;
                let place = self.known.at(instrument);
                if place.standing.is_delivered()
                    && let Some(before) = cleared.replace(place)
                {
                    cx.flags = open_ended(last);
                    self.known.deliver(before, cx, |cx| out.on_clear(cx));
                }
            }
        }
        cx.flags = last;
        if let Some(place) = cleared {
            self.known.deliver(place, cx, |cx| out.on_clear(cx));
        }
    }

    /// The state of an auction: the imbalance at the reference price, and the clearing prices there are (0 is none).
    fn auction<H: MarketHandler>(&mut self, m: &wire::AuctionUpdate, cx: &mut MsgCtx, out: &mut H) {
        let (buy, sell) = (m.buy_shares.get(), m.sell_shares.get());
        let last = cx.flags;
        let mut ranged = |wire| {
            cx.flags = last;
            let price = self.long(cx, wire);
            (price, cx.flags)
        };
        let (reference, flags) = ranged(m.reference_price);
        let imbalance = Imbalance {
            side: match buy.cmp(&sell) {
                std::cmp::Ordering::Greater => Side::BUY,
                std::cmp::Ordering::Less => Side::SELL,
                std::cmp::Ordering::Equal => Side::NONE,
            },
            reference,
            paired: buy.min(sell).into(),
            unpaired: buy.abs_diff(sell).into(),
        };
        let figures = [
            (StatisticKind::AUCTION_FAR, m.auction_only_price),
            (StatisticKind::AUCTION_NEAR, m.indicative_price),
        ]
        .map(|(what, wire)| {
            let (price, flags) = ranged(wire);
            let statistic = Statistic {
                what,
                price,
                quantity: 0,
            };
            (price != Price(0)).then_some((statistic, flags))
        });
        let place = self.known.intern(m.symbol);
        self.known.deliver(place, cx, |cx| {
            let mut left = figures.iter().flatten().count();
            cx.flags = if left > 0 { open_ended(flags) } else { flags };
            out.on_imbalance(cx, imbalance);
            for (statistic, flags) in figures.into_iter().flatten() {
                left -= 1;
                cx.flags = if left > 0 { open_ended(flags) } else { flags };
                out.on_statistic(cx, statistic);
            }
        });
    }
}

/// A trading status, and the short sale restriction that it comes with.
fn trading<H: MarketHandler>(m: &wire::TradingStatus, cx: &mut MsgCtx, out: &mut H) {
    let status = Status {
        continuous: match m.status {
            b'T' => Some(true),
            b'A' | b'H' | b'Q' | b'S' => Some(false),
            _ => None,
        },
        ..plain(StatusKind::TRADING, m.status)
    };
    let last = cx.flags;
    cx.flags = open_ended(last);
    out.on_status(cx, status);
    cx.flags = last;
    out.on_status(cx, plain(StatusKind::SHORT_SALE, m.reg_sho));
}

/// A state that has a value and nothing else.
fn plain(what: StatusKind, value: u8) -> Status {
    Status {
        what,
        value,
        detail: *b"    ",
        price: Price::NULL,
        continuous: None,
    }
}

const fn open_ended(flags: Flags) -> Flags {
    Flags(flags.0 & !Flags::END_OF_EVENT.0)
}
