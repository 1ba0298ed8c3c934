//! Price levels: one slot each, which stays where it is while orders point to it.

use feed_common::event::Price;
use feed_common::sys::{Circle, MapError};
use zerocopy::FromZeros;

/// The index of nothing, for links between slots.
pub(super) const NONE: u32 = u32::MAX;

/// A side of an instrument, as an index.
pub(super) const BIDS: u32 = 0;
/// The other one.
pub(super) const ASKS: u32 = 1;

/// A price such that of two keys of a side the greater one is better: the price of a bid, its complement for an offer.
pub(super) const fn key(side: u32, price: Price) -> i64 {
    price.0 ^ -(side as i64)
}

/// One price level. The orders of a feed that has them are a list through the order table.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C, align(32))]
pub(super) struct Level {
    /// See [`key`].
    pub key: i64,
    /// Displayed quantity of all its orders.
    pub quantity: u64,
    /// First of the queue. Without orders: 0 when the feed says how many there are.
    pub head: u32,
    /// Last of the queue.
    pub tail: u32,
    /// Number of orders.
    pub orders: u32,
    /// [`BIDS`] or [`ASKS`].
    pub side: u32,
}

const _: () = assert!(size_of::<Level>() == 32);

impl Level {
    /// Its price.
    #[inline]
    pub fn price(&self) -> Price {
        Price(self.key ^ -i64::from(self.side))
    }
}

/// The slots of all levels of a channel.
#[derive(Debug)]
pub(super) struct Levels {
    slots: Circle<Level>,
    /// Slots from here on have never been used since the last [`Levels::clear`].
    fresh: u32,
    /// The slot given back last; each one's `head` is the one before.
    free: u32,
    live: u32,
    limit: u32,
}

impl Levels {
    /// Room for `limit` levels.
    pub fn new(limit: u32) -> Result<Levels, MapError> {
        Ok(Levels {
            slots: Circle::zeroed(limit as usize)?,
            fresh: 0,
            free: NONE,
            live: 0,
            limit,
        })
    }

    /// True when there is no room for another.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.live >= self.limit
    }

    /// Takes a slot for an empty level. Not when full.
    #[inline]
    pub fn take(&mut self, side: u32, key: i64) -> u32 {
        debug_assert!(!self.is_full());
        let at = match self.free {
            NONE => {
                self.fresh += 1;
                self.fresh - 1
            }
            at => {
                self.free = self.slots[at].head;
                at
            }
        };
        self.live += 1;
        self.slots[at] = Level {
            key,
            quantity: 0,
            head: NONE,
            tail: NONE,
            orders: 0,
            side,
        };
        at
    }

    /// Gives a slot back.
    #[inline]
    pub fn give_back(&mut self, at: u32) {
        self.slots[at].head = self.free;
        self.free = at;
        self.live -= 1;
    }

    /// Gives all slots back.
    pub fn clear(&mut self) {
        (self.fresh, self.free, self.live) = (0, NONE, 0);
    }

    /// A level that is in use.
    #[inline(always)]
    pub fn at(&self, at: u32) -> &Level {
        &self.slots[at]
    }

    /// A level that is in use.
    #[inline(always)]
    pub fn at_mut(&mut self, at: u32) -> &mut Level {
        &mut self.slots[at]
    }

    /// Asks for a level's cache line.
    #[inline(always)]
    pub fn prefetch(&self, at: u32) {
        self.slots.prefetch(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_prices_have_greater_keys() {
        let prices = [i64::MIN + 1, -5, 0, 7, i64::MAX].map(Price);
        for (worse, better) in prices.iter().zip(&prices[1..]) {
            assert!(key(BIDS, *worse) < key(BIDS, *better));
            assert!(key(ASKS, *better) < key(ASKS, *worse));
        }
        let mut levels = Levels::new(10).unwrap();
        for price in prices {
            for side in [BIDS, ASKS] {
                let at = levels.take(side, key(side, price));
                assert_eq!(levels.at(at).price(), price);
            }
        }
        assert!(levels.is_full());
    }

    #[test]
    fn slots_come_back() {
        let mut levels = Levels::new(3).unwrap();
        let taken = [(); 3].map(|()| levels.take(BIDS, 1));
        assert_eq!((taken, levels.is_full()), ([0, 1, 2], true));
        levels.give_back(1);
        assert!(!levels.is_full());
        levels.give_back(0);
        assert_eq!([levels.take(BIDS, 1), levels.take(BIDS, 1)], [0, 1]);
        assert!(levels.is_full());
        levels.clear();
        assert_eq!(levels.take(ASKS, 1), 0);
    }
}
