//! The order table: open addressing, with the queue links in the records.
//!
//! A record is half a cache line and lies in the table itself, near the place its number hashes to, so finding an order
//! is one access to memory. At most a quarter of the places are used. There are no tombstones: behind a removed record
//! those that had been pushed on by it move up, and whatever pointed to them is mended.

use super::levels::{Levels, NONE};
use feed_common::sys::{Circle, MapError};
use std::hint::select_unpredictable;
use zerocopy::FromZeros;

/// Places for each order that may be live at a time, before rounding up to a power of two.
const PLACES_PER_ORDER: usize = 4;

/// A live order; a place without one has quantity 0.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C, align(32))]
pub(super) struct Record {
    /// The exchange's number.
    pub order_id: u64,
    /// What remains, above 0.
    pub quantity: u64,
    /// Whose it is.
    pub instrument: u32,
    /// Slot of its level.
    pub level: u32,
    /// The one before it in the queue.
    pub previous: u32,
    /// The one behind it.
    pub next: u32,
}

const _: () = assert!(size_of::<Record>() == 32);

/// All orders of a channel.
#[derive(Debug)]
pub(super) struct Orders {
    places: Circle<Record>,
    /// By place: see [`Orders::join_ranked`]. Touched by feeds that rank their orders only.
    ranks: Circle<u64>,
    has_ranks: bool,
    /// What makes a hash an index.
    shift: u32,
    live: usize,
    limit: usize,
}

impl Orders {
    /// The highest limit that [`Orders::new`] takes.
    pub const LIMIT_MAX: usize = Circle::<Record>::LEN_MAX / PLACES_PER_ORDER;

    /// Room for `limit` live orders.
    pub fn new(limit: usize) -> Result<Orders, MapError> {
        Orders::with_places(limit, limit * PLACES_PER_ORDER)
    }

    /// Room for `limit` orders in a table of `places` and more; at least one place stays empty, where searches end.
    fn with_places(limit: usize, places: usize) -> Result<Orders, MapError> {
        let places = Circle::zeroed(places.max(limit + 1).max(2))?;
        Ok(Orders {
            shift: u64::BITS - places.len().ilog2(),
            ranks: Circle::zeroed(places.len())?,
            has_ranks: false,
            places,
            live: 0,
            limit,
        })
    }

    /// Live orders.
    #[inline]
    pub fn live(&self) -> usize {
        self.live
    }

    /// True when there is no room for another.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.live >= self.limit
    }

    /// The order at a place that [`Orders::seek`] found.
    #[inline(always)]
    pub fn at(&self, at: u32) -> &Record {
        &self.places[at]
    }

    /// The order at a place that [`Orders::seek`] found.
    #[inline(always)]
    pub fn at_mut(&mut self, at: u32) -> &mut Record {
        &mut self.places[at]
    }

    /// Where an order is, or else where it would be put.
    #[inline(always)]
    pub fn seek(&self, instrument: u32, order_id: u64) -> Result<u32, u32> {
        let mut at = self.home(instrument, order_id);
        loop {
            let record = &self.places[at];
            if record.quantity == 0 {
                return Err(at);
            }
            if record.order_id == order_id && record.instrument == instrument {
                return Ok(at);
            }
            at = self.after(at);
        }
    }

    /// Puts an order into an empty place and at the end of its level's queue, leaving the level's totals alone.
    #[inline(always)]
    pub fn join(&mut self, vacant: u32, record: Record, levels: &mut Levels) {
        let level = levels.at_mut(record.level);
        let previous = std::mem::replace(&mut level.tail, vacant);
        let before = &mut self.places[previous].next;
        *select_unpredictable(previous == NONE, &mut level.head, before) = vacant;
        self.places[vacant] = Record {
            previous,
            next: NONE,
            ..record
        };
        self.live += 1;
    }

    /// Puts an order into an empty place and into its level's queue behind those of its rank and below, all of which
    /// came this way; leaves the level's totals alone. Most ranks are the highest so far, so it looks from the end.
    pub fn join_ranked(&mut self, vacant: u32, record: Record, rank: u64, levels: &mut Levels) {
        self.has_ranks = true;
        let level = levels.at_mut(record.level);
        let (mut previous, mut next) = (level.tail, NONE);
        while previous != NONE && self.ranks[previous] > rank {
            (previous, next) = (self.places[previous].previous, previous);
        }
        match previous {
            NONE => level.head = vacant,
            previous => self.places[previous].next = vacant,
        }
        match next {
            NONE => level.tail = vacant,
            next => self.places[next].previous = vacant,
        }
        self.places[vacant] = Record {
            previous,
            next,
            ..record
        };
        self.ranks[vacant] = rank;
        self.live += 1;
    }

    /// True once an order with a rank has been there, until all are forgotten.
    #[inline(always)]
    pub fn has_ranks(&self) -> bool {
        self.has_ranks
    }

    /// For when all orders have been forgotten.
    pub fn forget_ranks(&mut self) {
        self.has_ranks = false;
    }

    /// The rank of an order that has one.
    pub fn rank(&self, at: u32) -> u64 {
        self.ranks[at]
    }

    /// Takes an order out of its queue and its place, leaving the level's totals alone.
    #[inline(always)]
    pub fn leave(&mut self, at: u32, levels: &mut Levels) {
        let record = self.places[at];
        let level = levels.at_mut(record.level);
        let before = &mut self.places[record.previous].next;
        *select_unpredictable(record.previous == NONE, &mut level.head, before) = record.next;
        let behind = &mut self.places[record.next].previous;
        *select_unpredictable(record.next == NONE, &mut level.tail, behind) = record.previous;
        self.live -= 1;
        // Most often nobody is behind it.
        let behind = self.after(at);
        if self.places[behind].quantity == 0 {
            self.places[at].quantity = 0;
        } else {
            self.move_up(at, levels);
        }
    }

    /// Empties the place of an order, whatever points to it: for when all of them go.
    pub fn forget(&mut self, at: u32) {
        self.places[at].quantity = 0;
        self.live -= 1;
    }

    /// Asks for the line in which an order begins to be looked for.
    #[inline(always)]
    pub fn prefetch(&self, instrument: u32, order_id: u64) {
        let home = self.home(instrument, order_id);
        self.places.prefetch(home);
        if self.has_ranks {
            self.ranks.prefetch(home);
        }
    }

    /// What lies where an order is looked for first: most often the order.
    #[inline(always)]
    pub fn guess(&self, instrument: u32, order_id: u64) -> &Record {
        &self.places[self.home(instrument, order_id)]
    }

    /// Asks for the line of a place.
    #[inline(always)]
    pub fn prefetch_at(&self, at: u32) {
        self.places.prefetch(at);
    }

    /// Fills the place of an order that left with those behind it that hash to it or before.
    #[inline(never)]
    fn move_up(&mut self, left: u32, levels: &mut Levels) {
        let (mut hole, mut at) = (left, left);
        loop {
            at = self.after(at);
            let record = self.places[at];
            if record.quantity == 0 {
                break;
            }
            let mask = self.places.mask();
            let home = self.home(record.instrument, record.order_id);
            let from_home = at.wrapping_sub(home) & mask;
            let from_hole = at.wrapping_sub(hole) & mask;
            if from_home >= from_hole {
                self.places[hole] = record;
                if self.has_ranks {
                    self.ranks[hole] = self.ranks[at];
                }
                match record.previous {
                    NONE => levels.at_mut(record.level).head = hole,
                    previous => self.places[previous].next = hole,
                }
                match record.next {
                    NONE => levels.at_mut(record.level).tail = hole,
                    next => self.places[next].previous = hole,
                }
                hole = at;
            }
        }
        self.places[hole].quantity = 0;
    }

    /// Multiply-shift: the upper bits of the product spread numbers that come in rows evenly over the table.
    #[inline(always)]
    fn home(&self, instrument: u32, order_id: u64) -> u32 {
        const ORDER: u64 = 0x9E37_79B9_7F4A_7C15;
        const INSTRUMENT: u64 = 0xD1B5_4A32_D192_ED03;
        let whose = u64::from(instrument).wrapping_mul(INSTRUMENT);
        ((order_id ^ whose).wrapping_mul(ORDER) >> self.shift) as u32
    }

    #[inline(always)]
    fn after(&self, at: u32) -> u32 {
        at.wrapping_add(1) & self.places.mask()
    }
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
