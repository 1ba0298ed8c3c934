//! Reading books, whatever they are made of.

use super::{Level, Queued};
use crate::publish::Digest;
use feed_common::event::{Name, Price, Side};

/// What can be read of books between two events. For cold threads and ends of runs; the hot path reads the best prices.
pub trait View {
    /// Number and whole name of every instrument that has had an event, by number.
    fn instruments(&self) -> Vec<(u32, Name)>;

    /// Visits the levels of one side, the best first, with their numbers: from 1 without a gap, but for a feed that
    /// numbers its levels, of which some may not be known.
    fn levels(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(u32, Level));

    /// The same of the implied book, where the feed has one.
    fn implied(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(u32, Level));

    /// Visits the levels, the best first, of orders that are kept beside numbered levels, which may be others.
    fn beside(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(Level));

    /// Visits the orders at a price, the first in the queue first; none where the feed says totals only.
    fn queue(&self, instrument: u32, side: Side, price: Price, visit: &mut dyn FnMut(Queued));
}

/// A digest of everything in the books: names, sides, numbered levels, and the orders in their queues. Empty books and
/// the numbers of instruments are left out, so that equal books have equal digests however they came about.
pub fn digest(books: &dyn View) -> Digest {
    let mut digest = Digest::EMPTY;
    let mut instruments = books.instruments();
    instruments.sort_by_key(|&(_, name)| name);
    for (instrument, name) in instruments {
        for side in [Side::BUY, Side::SELL] {
            let (mut levels, mut implied, mut beside) = (Vec::new(), Vec::new(), Vec::new());
            books.levels(instrument, side, &mut |number, level| {
                levels.push((number, level))
            });
            for (number, level) in levels {
                head(&mut digest, name, side.0.into(), number, level);
                queue(&mut digest, books, instrument, side, level.price);
            }
            books.implied(instrument, side, &mut |number, level| {
                implied.push((number, level))
            });
            for (number, level) in implied {
                head(
                    &mut digest,
                    name,
                    u64::from(side.0) | IMPLIED,
                    number,
                    level,
                );
            }
            books.beside(instrument, side, &mut |level| beside.push(level));
            for (number, level) in (1..).zip(beside) {
                head(&mut digest, name, u64::from(side.0) | BESIDE, number, level);
                queue(&mut digest, books, instrument, side, level.price);
            }
        }
    }
    digest
}

/// What tells the side of an implied book from that of a real one.
const IMPLIED: u64 = 1 << 8;
/// And that of orders beside numbered levels.
const BESIDE: u64 = 1 << 9;

fn head(digest: &mut Digest, name: Name, side: u64, number: u32, level: Level) {
    match name.symbol() {
        Some(symbol) => digest.word(u64::from_le_bytes(symbol)),
        None => name.as_bytes().chunks(8).for_each(|part| {
            let mut bytes = [0; 8];
            bytes[..part.len()].copy_from_slice(part);
            digest.word(u64::from_le_bytes(bytes));
        }),
    }
    let orders = level.orders.map_or(u64::MAX, u64::from);
    let (price, quantity) = (level.price.0 as u64, level.quantity);
    for word in [side, number.into(), price, quantity, orders] {
        digest.word(word);
    }
}

fn queue(digest: &mut Digest, books: &dyn View, instrument: u32, side: Side, price: Price) {
    books.queue(instrument, side, price, &mut |order| {
        digest.word(order.order_id);
        digest.word(order.quantity);
    });
}
