//! Reading books, whatever they are made of.

use super::{Level, Queued};
use crate::publish::Digest;
use feed_common::event::{Price, Side};

/// What can be read of books between two events. For cold threads and ends of runs; the hot path reads the best prices.
pub trait View {
    /// Number and symbol of every instrument that has had an event, by number.
    fn instruments(&self) -> Vec<(u32, [u8; 8])>;

    /// Visits the levels of one side, the best first.
    fn levels(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(Level));

    /// Visits the orders at a price, the first in the queue first; none where the feed says totals only.
    fn queue(&self, instrument: u32, side: Side, price: Price, visit: &mut dyn FnMut(Queued));
}

/// A digest of everything in the books: symbols, sides, levels from the best on, and the orders in their queues. Empty
/// books and the numbers of instruments are left out, so that equal books have equal digests however they came about.
pub fn digest(books: &dyn View) -> Digest {
    let mut digest = Digest::EMPTY;
    let mut instruments = books.instruments();
    instruments.sort_by_key(|&(_, symbol)| symbol);
    for (instrument, symbol) in instruments {
        for side in [Side::BUY, Side::SELL] {
            let mut levels = Vec::new();
            books.levels(instrument, side, &mut |level| levels.push(level));
            for (i, level) in (1..).zip(levels) {
                let orders = level.orders.map_or(u64::MAX, u64::from);
                let symbol = u64::from_le_bytes(symbol);
                for word in [symbol, u64::from(side.0), i, level.price.0 as u64] {
                    digest.word(word);
                }
                digest.word(level.quantity);
                digest.word(orders);
                books.queue(instrument, side, level.price, &mut |order| {
                    digest.word(order.order_id);
                    digest.word(order.quantity);
                });
            }
        }
    }
    digest
}
