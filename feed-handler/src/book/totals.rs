//! Events of feeds that say totals: by price, by number, or of the best prices only.

use super::books::Books;
use super::instrument::{Kept, side_of};
use super::levels::{ASKS, BIDS, NONE, key};
use super::slots::Slot;
use super::{Change, Fault, Level, Quote};
use feed_common::event::{LevelUpdate, MsgCtx, QuoteUpdate, Side, SlotAction, SlotUpdate};

impl Books {
    /// The total at a price is another; 0 removes the level.
    #[inline]
    pub fn level(&mut self, cx: &MsgCtx, m: &LevelUpdate) -> Change {
        self.total(cx, m.side, Kept::Levels, |books, side| {
            let level = Level {
                price: m.price,
                quantity: m.quantity,
                orders: m.orders,
            };
            books.set(cx.instrument, side, level)
        })
    }

    /// The best price of one side, of a feed that says no more; quantity 0 or no price empties the side.
    pub fn quote(&mut self, cx: &MsgCtx, side: Side, quote: Quote) -> Change {
        self.total(cx, side, Kept::Quotes, |books, side| {
            books.set_best(cx.instrument, side, quote)
        })
    }

    /// The best prices of both sides in one event, as [`Books::quote`] takes them.
    #[inline]
    pub fn quotes(&mut self, cx: &MsgCtx, m: &QuoteUpdate) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        if !self.keeps(cx.instrument, Kept::Quotes) {
            return self.refuse(cx, Fault::LevelRange);
        }
        let before = self.bbo(cx.instrument);
        let quote = |price, quantity| Quote { price, quantity };
        let sides = [
            (BIDS, quote(m.bid, m.bid_quantity)),
            (ASKS, quote(m.ask, m.ask_quantity)),
        ];
        for (side, quote) in sides {
            if let Err(fault) = self.set_best(cx.instrument, side, quote) {
                self.fault(cx, fault);
            }
        }
        let after = self.bbo(cx.instrument);
        self.conclude(cx, after != before)
    }

    /// Something happened to a numbered level. One that cannot be, or that comes without its price, changes nothing.
    #[inline]
    pub fn slot(&mut self, cx: &MsgCtx, m: &SlotUpdate) -> Change {
        use SlotAction::{Change as Resize, New, Overlay};
        if !self.open(cx) {
            return Change::default();
        }
        let i = cx.instrument;
        let depth = self.instruments[i].depths[usize::from(m.implied)];
        let fits = (1..=depth).contains(&m.level);
        let whole = m.price.is_some() || !matches!(m.action, New | Resize | Overlay);
        let Some(side) = side_of(m.side).filter(|_| fits && whole) else {
            return self.refuse(cx, Fault::LevelRange);
        };
        let before = self.bbo(i);
        if !self.keeps(i, Kept::Slots) {
            return self.refuse(cx, Fault::LevelRange);
        }
        let slot = Slot::new(Level {
            price: m.price,
            quantity: m.quantity,
            orders: m.orders,
        });
        let slots = &mut self.slots[i];
        slots.apply((m.implied, side), depth, m.action, m.level, slot);
        if !m.implied {
            let best = self.slots[i].best(side);
            self.show(i, side, best);
        }
        let after = self.bbo(i);
        self.conclude(cx, after != before)
    }

    /// An event about one side.
    #[inline(always)]
    fn total(
        &mut self,
        cx: &MsgCtx,
        side: Side,
        kind: Kept,
        what: impl FnOnce(&mut Books, u32) -> Result<(), Fault>,
    ) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let kept = self.keeps(cx.instrument, kind);
        let Some(side) = side_of(side).filter(|_| kept) else {
            return self.refuse(cx, Fault::LevelRange);
        };
        let before = self.half(cx.instrument, side).quote();
        if let Err(fault) = what(self, side) {
            self.fault(cx, fault);
        }
        self.settle(cx, side, before)
    }

    /// Makes a side consist of one price, or of none.
    fn set_best(&mut self, instrument: u32, side: u32, quote: Quote) -> Result<(), Fault> {
        let Quote { price, quantity } = quote;
        let gone = quantity == 0 || !price.is_some();
        let half = self.half(instrument, side);
        // A best price most often stays where it is.
        let stays = !gone && half.quote().price == price;
        if !stays && half.best != NONE {
            self.drop_level(instrument, half.best);
        }
        if gone {
            return Ok(());
        }
        let level = Level {
            price,
            quantity,
            orders: None,
        };
        self.set(instrument, side, level)
    }

    /// Sets the total at a price.
    #[inline(always)]
    fn set(&mut self, instrument: u32, side: u32, level: Level) -> Result<(), Fault> {
        if !level.price.is_some() {
            return Err(Fault::LevelRange);
        }
        let half = self.half(instrument, side);
        let slot = match half.quote().price == level.price {
            true => Some(half.best),
            false => self.ladders.find(half.top, key(side, level.price)).level,
        };
        let slot = match (slot, level.quantity) {
            (None, 0) => return Err(Fault::UnknownOrder),
            (Some(slot), 0) => {
                self.drop_level(instrument, slot);
                return Ok(());
            }
            (Some(slot), quantity) => {
                self.levels.at_mut(slot).quantity = quantity;
                let half = self.half_mut(instrument, side);
                if half.best == slot {
                    half.resize(quantity);
                }
                slot
            }
            (None, quantity) => self.find_or_make(instrument, side, level.price, quantity)?,
        };
        let kept = self.levels.at_mut(slot);
        kept.head = level.orders.map_or(NONE, |_| 0);
        kept.orders = level.orders.unwrap_or(0);
        Ok(())
    }

    /// Lets the best prices of an instrument be these, which are of no level of its own.
    pub(super) fn show(&mut self, instrument: u32, side: u32, quote: Quote) {
        self.half_mut(instrument, side).turn_to(NONE, quote);
    }

    /// Forgets what is shown of an instrument whose levels are not its own.
    pub(super) fn show_nothing(&mut self, instrument: u32) {
        for side in [BIDS, ASKS] {
            self.show(instrument, side, Quote::EMPTY);
        }
    }
}
