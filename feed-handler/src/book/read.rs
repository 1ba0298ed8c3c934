//! Reading the books.

use super::books::Books;
use super::instrument::{Instrument, Kept, side_of};
use super::levels::{ASKS, NONE, key};
use super::{Level, Queued, View};
use feed_common::event::{Name, Price, Side};
use feed_common::prices::{Path, canonical_to_f64};

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

    /// The levels by price of one side, the best first.
    fn by_price(&self, instrument: u32, side: u32) -> impl Iterator<Item = Level> + '_ {
        let books = self.known(instrument).zip(self.priced(instrument));
        books.into_iter().flat_map(move |(own, book)| {
            let of_orders = own.kept.is_of_orders();
            let levels = self.ladders.levels(book.half(side).top);
            levels.map(move |slot| {
                let level = self.levels.at(slot);
                let counted = of_orders || level.head != NONE;
                Level {
                    price: level.price(),
                    quantity: level.quantity,
                    orders: counted.then_some(level.orders),
                }
            })
        })
    }

    /// Visits the `n` best levels of one side with their numbers, as [`View::levels`] does all of them.
    pub fn top(&self, instrument: u32, side: Side, n: usize, visit: &mut dyn FnMut(u32, Level)) {
        let Some(side) = side_of(side) else {
            return;
        };
        if self.is_numbered(instrument) {
            return self.slots[instrument].visit(false, side, &mut |number, level| {
                if number as usize <= n {
                    visit(number, level);
                }
            });
        }
        let levels = (1..).zip(self.by_price(instrument, side));
        levels
            .take(n)
            .for_each(|(number, level)| visit(number, level));
    }

    /// The best levels of one side as floating point, for those who calculate: prices and quantities, the best first, as
    /// many as both slices take. Returns how many there were: of a feed that numbers its levels, those it has told of.
    ///
    /// A price is the double nearest to it up to 9,007,199 (2^53 units of 1e-9), and off by one unit in 2^53 beyond.
    pub fn depth_f64(
        &self,
        instrument: u32,
        side: Side,
        prices: &mut [f64],
        quantities: &mut [f64],
    ) -> usize {
        /// Prices that are turned into floating point together.
        const TOGETHER: usize = 32;
        let room = prices.len().min(quantities.len());
        let path = Path::best();
        let (mut canonical, mut n) = ([0; TOGETHER], 0);
        self.top(instrument, side, room, &mut |_, level| {
            canonical[n % TOGETHER] = level.price.0;
            quantities[n] = level.quantity as f64;
            n += 1;
            if n % TOGETHER == 0 {
                canonical_to_f64(path, &canonical, &mut prices[n - TOGETHER..n]);
            }
        });
        let rest = n % TOGETHER;
        canonical_to_f64(path, &canonical[..rest], &mut prices[n - rest..n]);
        n
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
        self.top(instrument, side, usize::MAX, visit);
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
                self.by_price(instrument, side).for_each(visit);
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
