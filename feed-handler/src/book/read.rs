//! Reading the books.

use super::books::Books;
use super::instrument::{Kept, side_of};
use super::levels::{ASKS, NONE, key};
use super::{Level, Queued, View};
use feed_common::event::{Price, Side};

impl View for Books {
    fn instruments(&self) -> Vec<(u32, [u8; 8])> {
        (0..self.seen)
            .filter_map(|i| Some((i, self.known(i)?.symbol)))
            .collect()
    }

    fn levels(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(Level)) {
        let (Some(book), Some(side)) = (self.known(instrument), side_of(side)) else {
            return;
        };
        self.ladders.visit(book.half(side).top, |slot| {
            let level = self.levels.at(slot);
            let counted = book.kept == Kept::Orders || level.head != NONE;
            visit(Level {
                price: level.price(),
                quantity: level.quantity,
                orders: counted.then_some(level.orders),
            });
        });
    }

    fn queue(&self, instrument: u32, side: Side, price: Price, visit: &mut dyn FnMut(Queued)) {
        let Some(book) = self.known(instrument) else {
            return;
        };
        let side = side_of(side).unwrap_or(ASKS);
        let rank = self.ladders.find(book.half(side).top, key(side, price));
        let Some(level) = rank.level.filter(|_| book.kept == Kept::Orders) else {
            return;
        };
        let mut at = self.levels.at(level).head;
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
