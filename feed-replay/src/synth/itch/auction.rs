//! Auctions: at the open, at the close, and at the end of a halt.
//!
//! What is displayed trades at the price that trades most; each order that takes part has its execution without print,
//! and the cross is the print of all of them. Orders that were never displayed wait as `interest`: what is left of it
//! after matching itself takes from the displayed orders at the same price. No displayed orders cross each other
//! afterwards.

use super::instrument::State;
use super::market::Market;
use super::notices::Indication;
use super::tape::Tape;
use feed_common::event::Side;
use std::io;

/// What the displayed orders of an instrument would trade.
#[derive(Clone, Copy, Debug)]
struct Clearing {
    price: u32,
    shares: u64,
    /// Orders that take part, at most.
    orders: u64,
}

impl Market {
    /// Executions that a cross of instrument `i` may take, besides the cross itself.
    pub fn cross_needs(&self, i: usize) -> u64 {
        self.clearing(i).map_or(0, |clearing| clearing.orders)
    }

    /// The cross of an instrument: from 1 to `room + 1` messages; `room` is at least what the cross needs. One that is
    /// halted at the close has its cross without shares.
    pub fn cross(&mut self, tape: &mut Tape, i: usize, kind: u8, room: u64) -> io::Result<()> {
        if kind == b'C' && self.instruments[i].state != State::Trading {
            let number = self.execution(0).number;
            return tape.cross(self.instruments[i].name, kind, 0, 0, number);
        }
        let end = tape.left - room;
        self.join_auction(i);
        let clearing = self.clearing(i);
        let [buy, sell] = std::mem::take(&mut self.instruments[i].interest);
        let (taken_from, surplus) = match buy > sell {
            true => (Side::SELL, buy - sell),
            false => (Side::BUY, sell - buy),
        };
        let instrument = &self.instruments[i];
        let resting = instrument.marketable(taken_from);
        let price = match (clearing, resting) {
            (Some(clearing), _) => clearing.price,
            (None, Some(place)) => self.pool.get(place).price,
            (None, None) => instrument.fair.below() as u32 * instrument.tick,
        };
        let mut shares = buy.min(sell);
        if let Some(clearing) = clearing {
            shares += clearing.shares;
            self.take(tape, i, Side::BUY, price, clearing.shares, end)?;
            self.take(tape, i, Side::SELL, price, clearing.shares, end)?;
        }
        shares += self.take(tape, i, taken_from, price, surplus, end)?;
        let number = self.execution(0).number;
        let price = if shares > 0 { price } else { 0 };
        if shares > 0 {
            self.printed(i, number);
        }
        tape.cross(self.instruments[i].name, kind, shares, price, number)
    }

    /// Executes up to `shares` of the orders of a side that trade at `price`, the best and oldest first, while more than
    /// `end` messages are left. The shares executed.
    fn take(
        &mut self,
        tape: &mut Tape,
        i: usize,
        side: Side,
        price: u32,
        shares: u64,
        end: u64,
    ) -> io::Result<u64> {
        let trades = |at: u32| match side {
            Side::BUY => at >= price,
            _ => at <= price,
        };
        let mut left = shares;
        while left > 0
            && tape.left > end
            && let Some(place) = self.instruments[i].orders.first_in_line(side)
            && trades(self.pool.get(place).price)
        {
            let order = *self.pool.get(place);
            let execution = self.execution(left.min(order.shares.into()) as u32);
            let instrument = &mut self.instruments[i];
            tape.executed_at(instrument.name, &order, execution, price, false)?;
            self.pool
                .reduce(&mut instrument.orders, place, execution.shares);
            left -= u64::from(execution.shares);
        }
        Ok(shares - left)
    }

    /// Matches the levels of both sides, best first. The price is that of the last order which stays with a remainder,
    /// so that nothing better than it is left; without a remainder the middle of the last two, in whole ticks.
    fn clearing(&self, i: usize) -> Option<Clearing> {
        let instrument = &self.instruments[i];
        let mut bids = instrument.orders.levels(Side::BUY);
        let mut offers = instrument.orders.levels(Side::SELL);
        let (mut bid, mut offer) = (*bids.next()?, *offers.next()?);
        let mut clearing = None;
        let mut orders = u64::from(bid.orders + offer.orders);
        let mut shares = 0;
        while bid.price >= offer.price {
            let matched = bid.shares.min(offer.shares);
            shares += matched;
            bid.shares -= matched;
            offer.shares -= matched;
            let price = match (bid.shares, offer.shares) {
                (0, 0) => {
                    let middle = offer.price + (bid.price - offer.price) / 2;
                    middle / instrument.tick * instrument.tick
                }
                (0, _) => offer.price,
                _ => bid.price,
            };
            clearing = Some(Clearing {
                price,
                shares,
                orders,
            });
            // Orders of a level that is only looked at do not take part yet.
            let mut more = 0;
            if bid.shares == 0 {
                match bids.next() {
                    Some(&next) => (bid, more) = (next, more + next.orders),
                    None => break,
                }
            }
            if offer.shares == 0 {
                match offers.next() {
                    Some(&next) => (offer, more) = (next, more + next.orders),
                    None => break,
                }
            }
            orders += u64::from(more);
        }
        clearing
    }

    /// Hidden orders come, and the state of the coming auction is told. One message.
    pub fn imbalance(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        self.join_auction(i);
        let clearing = self.clearing(i);
        let instrument = &self.instruments[i];
        let kind = match instrument.state {
            State::Opening => b'O',
            State::Quoting(_) | State::Halted(_) => b'H',
            _ => b'C',
        };
        let [buy, sell] = instrument.interest;
        let far = instrument.fair.below() as u32 * instrument.tick;
        let near = clearing.map_or(far, |clearing| clearing.price);
        let paired = buy.min(sell) + clearing.map_or(0, |clearing| clearing.shares);
        let indication = Indication {
            kind,
            paired,
            unpaired: buy.abs_diff(sell),
            side: match buy.cmp(&sell) {
                _ if paired == 0 => b'O',
                std::cmp::Ordering::Greater => b'B',
                std::cmp::Ordering::Less => b'S',
                std::cmp::Ordering::Equal => b'N',
            },
            far: if buy.min(sell) > 0 { far } else { 0 },
            near: if paired > 0 { near } else { 0 },
            reference: far,
        };
        tape.imbalance(instrument.name, indication)
    }

    /// Hidden orders for the coming auction of an instrument, on one side or on both.
    fn join_auction(&mut self, i: usize) {
        let both = self.any_side() == Side::BUY;
        let one = usize::from(self.any_side() == Side::BUY);
        for side in 0..2 {
            if both || side == one {
                self.instruments[i].interest[side] += self.rng.exponential(400);
            }
        }
    }
}
