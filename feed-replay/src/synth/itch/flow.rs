//! What happens to the orders of one instrument: the flow of adds, deletes, replaces, cancels and executions.
//!
//! While an instrument trades its displayed book is never crossed: a new bid stays below the best offer and a new offer
//! above the best bid. When the fair price moves through a quote, the flow turns on that quote until it is gone: it is
//! deleted, replaced, or traded away, so prices follow the fair price without changing the mix.

use super::action::Action;
use super::instrument::PARTICIPANTS;
use super::market::{Market, NewOrder, opposite};
use super::orders::Place;
use super::tape::Tape;
use feed_common::event::Side;
use std::io;

impl Market {
    /// One thing happens to an instrument that trades.
    #[inline]
    pub(super) fn trade(&mut self, tape: &mut Tape, i: usize, room: u64) -> io::Result<()> {
        let late = self.instruments[i].overtaken();
        match self.action() {
            Action::AddOrDelete => self.add_or_delete(tape, i, late),
            Action::Replace => self.replace(tape, i, late),
            Action::Execute => {
                let side = late.unwrap_or_else(|| self.any_side());
                self.execute(tape, i, side, room)
            }
            Action::ExecuteAt => {
                let side = late.unwrap_or_else(|| self.any_side());
                self.execute_at(tape, i, side)
            }
            Action::Cancel => self.cancel(tape, i),
            Action::Hidden => self.hidden(tape, i),
        }
    }

    /// Draws an action. A sweep is one action and many messages, so executions are passed over until the mix has caught
    /// up.
    fn action(&mut self) -> Action {
        let action = self.actions.draw(&mut self.rng);
        if action == Action::Execute && self.executions_ahead > 0 {
            self.executions_ahead -= 1;
            return Action::AddOrDelete;
        }
        action
    }

    /// One thing happens to an instrument whose orders gather for a cross; nothing trades.
    pub(super) fn gather(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        match self.rng.below(100) {
            0..=2 => self.imbalance(tape, i),
            3..=8 => self.replace(tape, i, None),
            9..=10 => self.cancel(tape, i),
            _ => self.add_or_delete(tape, i, None),
        }
    }

    /// An order of an instrument that is stopped and has some leaves, or shrinks.
    pub(super) fn withdraw(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let place = self.any_order(i);
        if self.rng.chance(1, 12) && self.pool.get(place).shares > 1 {
            return self.cancel_part(tape, i, place);
        }
        self.delete(tape, i, place)
    }

    /// After the close orders leave, and few come.
    pub(super) fn wind_down(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        if self.instruments[i].orders.is_empty() || self.rng.chance(1, 6) {
            return self.add(tape, i);
        }
        let place = self.any_order(i);
        self.delete(tape, i, place)
    }

    /// An add or a delete, so that the number of orders stays near its target: an even chance there, certainly an add
    /// when empty, hardly one at twice the target.
    fn add_or_delete(&mut self, tape: &mut Tape, i: usize, late: Option<Side>) -> io::Result<()> {
        let instrument = &self.instruments[i];
        let (live, target) = (instrument.orders.len() as u64, instrument.target);
        let weight = (2 * target).saturating_sub(live).max(target / 8);
        if live == 0 || self.rng.chance(weight, 2 * target) {
            return self.add(tape, i);
        }
        let place = self.leaving(i, late);
        self.delete(tape, i, place)
    }

    fn add(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        if self.instruments[i].stubs > 0 && self.instruments[i].is_gathering() {
            return self.add_stub(tape, i);
        }
        let side = self.any_side();
        let (price, distance) = self.quote(i, side);
        let shares = self.size(i, distance);
        let attributed = self.rng.chance(self.attributed, 1_000_000);
        let participant =
            attributed.then(|| PARTICIPANTS[self.rng.below(PARTICIPANTS.len() as u64) as usize]);
        let order = NewOrder {
            side,
            shares,
            price,
        };
        self.enter(tape, i, order, participant)
    }

    /// A market maker's quote that is not meant to trade: 8 to 28 % away, or at the ends of what can be quoted.
    fn add_stub(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let (percent, extreme) = (self.rng.between(8, 28) as u32, self.rng.chance(1, 6));
        let instrument = &mut self.instruments[i];
        instrument.stubs -= 1;
        let side = match instrument.stubs % 2 {
            0 => Side::SELL,
            _ => Side::BUY,
        };
        let maker = instrument.makers[usize::from(instrument.stubs / 2)];
        let fair = instrument.fair.below() as u32;
        let price = match (extreme, side) {
            (true, Side::BUY) => LOWEST,
            (true, _) => HIGHEST,
            (false, Side::BUY) => (fair - fair * percent / 100) * instrument.tick,
            (false, _) => (fair + fair * percent / 100) * instrument.tick,
        };
        let order = NewOrder {
            side,
            shares: instrument.lot,
            price,
        };
        self.enter(tape, i, order, Some(maker))
    }

    /// One order gives way to another: mostly moved to where the price is now.
    fn replace(&mut self, tape: &mut Tape, i: usize, late: Option<Side>) -> io::Result<()> {
        if self.instruments[i].orders.is_empty() {
            return self.add(tape, i);
        }
        let place = self.leaving(i, late);
        let old = *self.pool.get(place);
        self.pool.remove(&mut self.instruments[i].orders, place);
        let (mut price, distance) = self.quote(i, old.side);
        let mut shares = old.shares;
        match self.rng.below(4) {
            // Only the size changes. The old price is no trouble: it was in the book.
            0 => {
                price = old.price;
                shares = self.size(i, 0);
            }
            1 => shares = self.size(i, distance),
            _ => {}
        }
        let id = self.order_id();
        let instrument = &mut self.instruments[i];
        let place = self
            .pool
            .add(&mut instrument.orders, id, old.side, shares, price);
        tape.replace(instrument.name, old.id, self.pool.get(place))
    }

    fn cancel(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        if self.instruments[i].orders.is_empty() {
            return self.add(tape, i);
        }
        let place = self.any_order(i);
        match self.pool.get(place).shares {
            1 => self.delete(tape, i, place),
            _ => self.cancel_part(tape, i, place),
        }
    }

    /// Takes away a part of an order of more than one share.
    fn cancel_part(&mut self, tape: &mut Tape, i: usize, place: Place) -> io::Result<()> {
        let order = *self.pool.get(place);
        let shares = self.rng.between(1, u64::from(order.shares) - 1) as u32;
        let instrument = &mut self.instruments[i];
        tape.cancel(instrument.name, &order, shares)?;
        self.pool.reduce(&mut instrument.orders, place, shares);
        Ok(())
    }

    /// Somebody takes what rests on `side`, the oldest order of the best level first, some levels deep at most: one
    /// message per order, all in one event. What is left of the aggressor may stay as an order of its own.
    fn execute(&mut self, tape: &mut Tape, i: usize, side: Side, room: u64) -> io::Result<()> {
        let instrument = &self.instruments[i];
        let Some(first) = instrument.marketable(side) else {
            return self.add_or_delete(tape, i, None);
        };
        let first = *self.pool.get(first);
        let reach = if self.rng.chance(1, 8) {
            self.rng.between(1, 3) as u32
        } else {
            0
        };
        let reach = reach * instrument.tick;
        let (limit, within): (u32, fn(u32, u32) -> bool) = match side {
            Side::BUY => (first.price - reach, |price, limit| price >= limit),
            _ => (first.price + reach, |price, limit| price <= limit),
        };
        let mut wanted = match self.rng.below(10) {
            0..=2 => first.shares,
            3..=5 => self.rng.between(1, first.shares.into()) as u32,
            _ => self.size(i, 0) * self.rng.between(1, 4) as u32,
        };
        let mut taken = 0;
        while wanted > 0
            && taken < room
            && let Some(place) = self.instruments[i].orders.first_in_line(side)
            && within(self.pool.get(place).price, limit)
        {
            let order = *self.pool.get(place);
            let execution = self.execution(wanted.min(order.shares));
            let instrument = &mut self.instruments[i];
            tape.executed(instrument.name, &order, execution)?;
            self.pool
                .reduce(&mut instrument.orders, place, execution.shares);
            self.printed(i, execution.number);
            wanted -= execution.shares;
            taken += 1;
        }
        self.executions_ahead += taken - 1;
        // The loop has ended for want of orders within the limit: one at the limit crosses nothing.
        if wanted > 0 && taken < room && self.rng.chance(1, 3) {
            let order = NewOrder {
                side: opposite(side),
                shares: wanted,
                price: limit,
            };
            return self.enter(tape, i, order, None);
        }
        Ok(())
    }

    /// A resting order trades half a tick away from its price, or a whole one where there are no halves.
    fn execute_at(&mut self, tape: &mut Tape, i: usize, side: Side) -> io::Result<()> {
        let instrument = &self.instruments[i];
        let Some(place) = instrument.marketable(side) else {
            return self.add_or_delete(tape, i, None);
        };
        let order = *self.pool.get(place);
        let half = instrument.tick.div_ceil(2);
        let price = match side {
            Side::BUY => order.price - half,
            _ => order.price + half,
        };
        let shares = match self.rng.chance(1, 2) {
            true => order.shares,
            false => self.rng.between(1, order.shares.into()) as u32,
        };
        let execution = self.execution(shares);
        let instrument = &mut self.instruments[i];
        tape.executed_at(instrument.name, &order, execution, price, true)?;
        self.pool.reduce(&mut instrument.orders, place, shares);
        self.printed(i, execution.number);
        Ok(())
    }

    /// A trade between the best quotes, against an order that nobody saw.
    fn hidden(&mut self, tape: &mut Tape, i: usize) -> io::Result<()> {
        let shares = self.size(i, 0);
        let execution = self.execution(shares);
        let instrument = &self.instruments[i];
        let near = |side| instrument.marketable(side).map(|p| self.pool.get(p).price);
        let price = match (near(Side::BUY), near(Side::SELL)) {
            (Some(bid), Some(offer)) => (bid + offer) / 2,
            _ => instrument.fair.below() as u32 * instrument.tick,
        };
        tape.trade(instrument.name, execution, price)?;
        self.printed(i, execution.number);
        Ok(())
    }

    /// Price of a new order, and its distance from the innermost in ticks. Two in five join the best quote, one in eight
    /// improves it, the others keep a distance: exponential, mean `depth`, ten times that for one in twenty. Where
    /// orders gather for a cross, one in twenty reaches through the fair price.
    fn quote(&mut self, i: usize, side: Side) -> (u32, u64) {
        let instrument = &self.instruments[i];
        let (towards, fair) = match side {
            Side::BUY => (1, instrument.fair.below()),
            _ => (-1, instrument.fair.above()),
        };
        let inner = fair - towards * (instrument.half_spread - 1);
        // How far the best quote is behind the innermost of the new ones.
        let behind = instrument.best(side).map(|best| (inner - best) * towards);
        let gathering = instrument.is_gathering();
        let away = match (self.rng.below(160), behind) {
            (0..8, _) if gathering => -(self.rng.exponential(4) as i64),
            (8..72, Some(behind @ 0..=8)) => behind,
            (72..92, Some(behind @ 1..=8)) => behind - 1,
            (152.., _) => self.rng.exponential(10 * instrument.depth) as i64,
            _ => self.rng.exponential(instrument.depth) as i64,
        };
        // A quarter of the price at most: it stays positive, and a penny stock's below a dollar.
        let at = inner - towards * away.min(fair / 4);
        let free = match (gathering, instrument.best(opposite(side))) {
            (false, Some(other)) => other - towards,
            _ => at,
        };
        let at = if side == Side::BUY {
            at.min(free)
        } else {
            at.max(free)
        };
        (at as u32 * instrument.tick, away.max(0) as u64)
    }

    /// Displayed size: mostly a few round lots, now and then an odd one, larger ones further from the price.
    pub(super) fn size(&mut self, i: usize, distance: u64) -> u32 {
        let lot = u64::from(self.instruments[i].lot);
        let shares = match self.rng.below(16) {
            0..=3 => self.rng.between(1, lot - 1),
            4 => self.rng.between(5, 50) * lot,
            _ => self.rng.between(1, 5) * lot,
        };
        let more = if distance >= 4 {
            self.rng.exponential(distance / 4)
        } else {
            0
        };
        (shares + more * lot) as u32
    }

    /// The order that leaves next: one that the fair price has reached, if there is any; mostly one that has not been
    /// there for long.
    fn leaving(&mut self, i: usize, late: Option<Side>) -> Place {
        let reached = late.and_then(|side| self.instruments[i].orders.first_in_line(side));
        match reached {
            Some(place) if self.rng.chance(3, 4) => place,
            _ => self.any_order(i),
        }
    }

    /// An order of an instrument that has some. Its list ends with the newest: four in five are among them.
    fn any_order(&mut self, i: usize) -> Place {
        let orders = &self.instruments[i].orders;
        let last = orders.len() as u64 - 1;
        let back = match self.rng.chance(4, 5) {
            true => self.rng.exponential(5).min(last),
            false => self.rng.below(last + 1),
        };
        orders.any((last - back) as usize)
    }
}

/// A cent: the lowest price that is quoted whatever the tick.
const LOWEST: u32 = 100;

/// The highest price: 199,999.99.
const HIGHEST: u32 = 1_999_999_900;
