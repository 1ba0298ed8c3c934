//! Reading the books.

use super::books::Books;
use super::instrument::{Instrument, Kept, side_of};
use super::levels::{ASKS, NONE, key};
use super::{Level, Queued, View};
use feed_common::event::{Name, Price, Side};

impl Books {
    /// The record that has an instrument's levels by price: its own or, of ranked orders, the one behind it.
    fn priced(&self, instrument: u32) -> Option<&Instrument> {
        let own = self.known(instrument)?;
        match own.kept {
            Kept::Slots | Kept::Ranked => {
                let behind = &self.instruments[self.behind(instrument)];
                behind.known.then_some(behind)
            }
            _ => Some(own),
        }
    }

    fn visit_priced(&self, instrument: u32, side: u32, visit: &mut dyn FnMut(Level)) {
        let (Some(own), Some(book)) = (self.known(instrument), self.priced(instrument)) else {
            return;
        };
        let of_orders = own.kept.is_of_orders();
        self.ladders.visit(book.half(side).top, |slot| {
            let level = self.levels.at(slot);
            let counted = of_orders || level.head != NONE;
            visit(Level {
                price: level.price(),
                quantity: level.quantity,
                orders: counted.then_some(level.orders),
            });
        });
    }

    /// True where levels are numbered by the feed.
    fn is_numbered(&self, instrument: u32) -> bool {
        let book = self.known(instrument);
        book.is_some_and(|book| book.kept == Kept::Slots)
    }
}

impl View for Books {
    fn instruments(&self) -> Vec<(u32, Name)> {
        (0..self.seen)
            .filter_map(|i| Some((i, self.name(i, self.known(i)?.symbol))))
            .collect()
    }

    fn levels(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(u32, Level)) {
        let Some(side) = side_of(side) else {
            return;
        };
        if self.is_numbered(instrument) {
            return self.slots[instrument].visit(false, side, visit);
        }
        let mut number = 0;
        self.visit_priced(instrument, side, &mut |level| {
            number += 1;
            visit(number, level);
        });
    }

    fn implied(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(u32, Level)) {
        match side_of(side) {
            Some(side) if self.is_numbered(instrument) => {
                self.slots[instrument].visit(true, side, visit);
            }
            _ => {}
        }
    }

    fn beside(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(Level)) {
        match side_of(side) {
            Some(side) if self.is_numbered(instrument) => {
                self.visit_priced(instrument, side, visit);
            }
            _ => {}
        }
    }

    fn queue(&self, instrument: u32, side: Side, price: Price, visit: &mut dyn FnMut(Queued)) {
        let of_orders = |book: &&Instrument| book.kept.is_of_orders();
        let own = self.known(instrument).filter(of_orders);
        let Some(book) = own.and_then(|_| self.priced(instrument)) else {
            return;
        };
        let side = side_of(side).unwrap_or(ASKS);
        let rank = self.ladders.find(book.half(side).top, key(side, price));
        let mut at = rank.level.map_or(NONE, |level| self.levels.at(level).head);
        while at != NONE {
            let order = self.orders.at(at);
            visit(Queued {
                order_id: order.order_id,
                quantity: order.quantity,
            });
            at = order.next;
        }
    }
}
