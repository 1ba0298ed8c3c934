//! The steps that events are made of.

use super::books::Books;
use super::instrument::{Half, Instrument, Kept, side_of};
use super::levels::{ASKS, BIDS, NONE, key};
use super::orders::Record;
use super::{Bbo, Change, Fault, Quote};
use feed_common::event::{AddOrder, Flags, MsgCtx, Price, Trust};

impl Books {
    #[inline(always)]
    pub(super) fn half(&self, instrument: u32, side: u32) -> &Half {
        self.instruments[instrument].half(side)
    }

    #[inline(always)]
    pub(super) fn half_mut(&mut self, instrument: u32, side: u32) -> &mut Half {
        self.instruments[instrument].half_mut(side)
    }

    #[inline(always)]
    pub(super) fn side_of_order(&self, at: u32) -> u32 {
        self.levels.at(self.orders.at(at).level).side
    }

    #[inline(always)]
    pub(super) fn has_room_for(&self, instrument: u32) -> bool {
        instrument < self.limit
    }

    /// Begins an event; false, and counted, when its instrument has no number or one beyond the limit.
    #[inline(always)]
    pub(super) fn open(&mut self, cx: &MsgCtx) -> bool {
        if !self.has_room_for(cx.instrument) {
            self.faults.count(Fault::NoInstrument);
            return false;
        }
        self.meet(cx);
        true
    }

    #[inline(always)]
    pub(super) fn meet(&mut self, cx: &MsgCtx) {
        if !self.instruments[cx.instrument].known {
            self.introduce(cx.instrument);
        }
        self.instruments[cx.instrument].symbol = cx.symbol;
    }

    #[cold]
    fn introduce(&mut self, instrument: u32) {
        self.instruments[instrument] =
            Instrument::new(self.market, self.definitions[instrument].depths());
        self.seen = self.seen.max(instrument + 1);
    }

    /// A book keeps one kind of thing, the first it hears of; but numbered levels and ranked orders are kept beside each
    /// other, and its best prices are then those of the levels.
    #[inline(always)]
    pub(super) fn keeps(&mut self, instrument: u32, kind: Kept) -> bool {
        let kept = &mut self.instruments[instrument].kept;
        if *kept == Kept::Nothing {
            *kept = kind;
        }
        *kept == kind || self.keeps_beside(instrument, kind)
    }

    fn keeps_beside(&mut self, instrument: u32, kind: Kept) -> bool {
        match (self.instruments[instrument].kept, kind) {
            (Kept::Slots, Kept::Ranked) => true,
            (Kept::Ranked, Kept::Slots) => {
                self.instruments[instrument].kept = Kept::Slots;
                self.show_nothing(instrument);
                true
            }
            _ => false,
        }
    }

    /// Counts a fault. After a gap the feed's own are no surprise: the channel's trust already says so.
    #[cold]
    pub(super) fn fault(&mut self, cx: &MsgCtx, fault: Fault) {
        self.faults.count(fault);
        if cx.trust != Trust::RECOVERING || fault.is_capacity() {
            self.instruments[cx.instrument].suspect = true;
        }
    }

    /// Ends an event that changed nothing.
    #[cold]
    pub(super) fn refuse(&mut self, cx: &MsgCtx, fault: Fault) -> Change {
        self.fault(cx, fault);
        Change {
            bbo: false,
            suspect: self.instruments[cx.instrument].suspect,
        }
    }

    /// Ends an event that could have changed one side only.
    #[inline(always)]
    pub(super) fn settle(&mut self, cx: &MsgCtx, side: u32, before: Quote) -> Change {
        let after = self.half(cx.instrument, side).quote();
        self.conclude(cx, after != before)
    }

    #[inline(always)]
    pub(super) fn conclude(&mut self, cx: &MsgCtx, bbo: bool) -> Change {
        if bbo {
            let book = &self.instruments[cx.instrument];
            if book.is_crossed() != book.crossed {
                self.doubt(cx);
            }
        }
        Change {
            bbo,
            suspect: self.instruments[cx.instrument].suspect,
        }
    }

    /// The instrument is crossed and was not, or the other way round: judged at once where the event ends here.
    #[cold]
    fn doubt(&mut self, cx: &MsgCtx) {
        if cx.flags.has(Flags::END_OF_EVENT) {
            return self.judge(cx);
        }
        let book = &mut self.instruments[cx.instrument];
        if !std::mem::replace(&mut book.doubtful, true) {
            self.doubtful.push(cx.instrument);
        }
    }

    /// Counts a book that has come to be crossed.
    pub(super) fn judge(&mut self, cx: &MsgCtx) {
        let book = &mut self.instruments[cx.instrument];
        let crossed = book.is_crossed();
        let before = std::mem::replace(&mut book.crossed, crossed);
        if crossed && !before {
            self.fault(cx, Fault::Crossed);
        }
    }

    /// Adds an order with the number of a live one, after an event that may have changed the best prices since `before`.
    #[cold]
    pub(super) fn add_again(&mut self, cx: &MsgCtx, m: &AddOrder, before: Bbo) -> Change {
        let i = cx.instrument;
        if let Ok(at) = self.orders.seek(i, m.order_id) {
            self.leave(i, at);
        }
        self.fault(cx, Fault::IdReused);
        let joined = match (side_of(m.side), self.orders.seek(i, m.order_id)) {
            (Some(side), Err(vacant)) => {
                self.join(i, vacant, side, m.order_id, m.price, m.quantity)
            }
            _ => Err(Fault::LevelRange),
        };
        if let Err(fault) = joined {
            self.fault(cx, fault);
        }
        let after = self.bbo(i);
        self.conclude(cx, after != before)
    }

    /// Takes `quantity` away from an order, and the order when nothing remains.
    #[inline(always)]
    pub(super) fn reduce(&mut self, cx: &MsgCtx, order_id: u64, quantity: u64) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let Ok(at) = self.orders.seek(cx.instrument, order_id) else {
            return self.refuse(cx, Fault::UnknownOrder);
        };
        let side = self.side_of_order(at);
        let before = self.half(cx.instrument, side).quote();
        let order = self.orders.at_mut(at);
        if quantity < order.quantity {
            order.quantity -= quantity;
            let slot = order.level;
            let level = self.levels.at_mut(slot);
            level.quantity -= quantity;
            let total = level.quantity;
            let half = self.half_mut(cx.instrument, side);
            if half.best == slot {
                half.resize(total);
            }
        } else {
            let underflow = quantity > order.quantity;
            self.leave(cx.instrument, at);
            if underflow {
                self.fault(cx, Fault::SizeUnderflow);
            }
        }
        self.settle(cx, side, before)
    }

    /// Puts an order that is not there into the vacant place and behind the queue of its price.
    #[inline(always)]
    pub(super) fn join(
        &mut self,
        instrument: u32,
        vacant: u32,
        side: u32,
        order_id: u64,
        price: Price,
        quantity: u64,
    ) -> Result<(), Fault> {
        let level = self.make_room(instrument, side, price, quantity)?;
        let record = Record {
            order_id,
            quantity,
            instrument,
            level,
            previous: NONE,
            next: NONE,
        };
        self.orders.join(vacant, record, &mut self.levels);
        Ok(())
    }

    /// The level of a price, with room made for another order in it.
    #[inline(always)]
    pub(super) fn make_room(
        &mut self,
        instrument: u32,
        side: u32,
        price: Price,
        quantity: u64,
    ) -> Result<u32, Fault> {
        if quantity == 0 || !price.is_some() {
            return Err(Fault::LevelRange);
        }
        if self.orders.is_full() {
            return Err(Fault::OrdersFull);
        }
        let half = self.half(instrument, side);
        let level = match half.quote().price == price {
            true => {
                let best = half.best;
                self.swell(best, quantity)?;
                let total = self.levels.at(best).quantity;
                self.half_mut(instrument, side).resize(total);
                best
            }
            false => self.find_or_make(instrument, side, price, quantity)?,
        };
        self.levels.at_mut(level).orders += 1;
        Ok(level)
    }

    /// The level of a price that is not the best, `quantity` added to it; a new one if need be.
    #[inline(always)]
    pub(super) fn find_or_make(
        &mut self,
        instrument: u32,
        side: u32,
        price: Price,
        quantity: u64,
    ) -> Result<u32, Fault> {
        let key = key(side, price);
        let rank = self.ladders.find(self.half(instrument, side).top, key);
        if let Some(level) = rank.level {
            self.swell(level, quantity)?;
            return Ok(level);
        }
        if self.levels.is_full() {
            return Err(Fault::LevelsFull);
        }
        let level = self.levels.take(side, key);
        self.levels.at_mut(level).quantity = quantity;
        let half = self.instruments[instrument].half_mut(side);
        self.ladders.insert(&mut half.top, rank, key, level);
        if half.best == NONE || key > self::key(side, half.quote().price) {
            half.turn_to(level, Quote { price, quantity });
        }
        Ok(level)
    }

    #[inline(always)]
    fn swell(&mut self, level: u32, quantity: u64) -> Result<(), Fault> {
        let total = &mut self.levels.at_mut(level).quantity;
        *total = total.checked_add(quantity).ok_or(Fault::LevelRange)?;
        Ok(())
    }

    /// Lets an order have another quantity, above 0, where it is.
    #[inline(always)]
    pub(super) fn resize(&mut self, instrument: u32, at: u32, quantity: u64) -> Result<(), Fault> {
        let order = self.orders.at_mut(at);
        let level = self.levels.at_mut(order.level);
        let others = level.quantity - order.quantity;
        level.quantity = others.checked_add(quantity).ok_or(Fault::LevelRange)?;
        order.quantity = quantity;
        let (slot, side, total) = (order.level, level.side, level.quantity);
        let half = self.half_mut(instrument, side);
        if half.best == slot {
            half.resize(total);
        }
        Ok(())
    }

    /// Takes an order out, and its level when it was the last.
    #[inline(always)]
    pub(super) fn leave(&mut self, instrument: u32, at: u32) {
        let Record {
            quantity,
            level: slot,
            ..
        } = *self.orders.at(at);
        self.orders.leave(at, &mut self.levels);
        let level = self.levels.at_mut(slot);
        level.orders -= 1;
        if level.orders == 0 {
            return self.drop_level(instrument, slot);
        }
        level.quantity -= quantity;
        let (side, total) = (level.side, level.quantity);
        let half = self.half_mut(instrument, side);
        if half.best == slot {
            half.resize(total);
        }
    }

    /// Takes a level out of its side.
    #[inline]
    pub(super) fn drop_level(&mut self, instrument: u32, slot: u32) {
        let level = self.levels.at(slot);
        let (side, key) = (level.side, level.key);
        let half = self.instruments[instrument].half_mut(side);
        let rank = self.ladders.find(half.top, key);
        self.ladders.remove(&mut half.top, rank);
        if half.best == slot {
            match self.ladders.best(half.top) {
                Some(best) => {
                    let level = self.levels.at(best);
                    let quote = Quote {
                        price: level.price(),
                        quantity: level.quantity,
                    };
                    half.turn_to(best, quote);
                }
                None => half.turn_to(NONE, Quote::EMPTY),
            }
        }
        self.levels.give_back(slot);
    }

    /// Takes all orders out.
    pub(super) fn clear_orders(&mut self, instrument: u32) {
        for side in [BIDS, ASKS] {
            while self.half(instrument, side).best != NONE {
                let best = self.half(instrument, side).best;
                self.leave(instrument, self.levels.at(best).head);
            }
        }
    }

    /// Takes all levels of totals out.
    pub(super) fn clear_levels(&mut self, instrument: u32) {
        for side in [BIDS, ASKS] {
            while self.half(instrument, side).best != NONE {
                self.drop_level(instrument, self.half(instrument, side).best);
            }
        }
    }

    /// Empties the places of all orders of an instrument, before its levels are forgotten too.
    pub(super) fn forget_orders(&mut self, instrument: u32) {
        for side in [BIDS, ASKS] {
            let top = self.half(instrument, side).top;
            for level in self.ladders.levels(top) {
                let mut at = self.levels.at(level).head;
                while at != NONE {
                    let next = self.orders.at(at).next;
                    self.orders.forget(at);
                    at = next;
                }
            }
        }
    }
}
