//! The levels of every side in the order of their prices.
//!
//! A side is a chain of blocks, the best prices in its first one, and each block an array with the best price at its
//! tail. What happens at the top of a book, nearly everything, touches the end of one array and moves nothing; what
//! happens anywhere moves at most one block's worth of rungs, however many levels there are. Two neighbouring blocks hold
//! more than [`MERGED`] rungs together, which bounds the blocks that any number of levels can take.
//!
//! Every so many blocks one is a *station*, the first of a side always, and stations are chained past the blocks between
//! them: what is deep is found by way of the stations. A side of fewer blocks has one station and pays nothing.

use super::levels::NONE;
use feed_common::sys::{Circle, MapError};
use zerocopy::FromZeros;

/// Rungs of a block, which makes it 512 bytes long.
const RUNGS: usize = 31;
/// Neighbouring blocks with no more rungs than this become one.
const MERGED: usize = 16;

/// Blocks from one station to the next, about: when a block is made so far behind the last station, it becomes one. Fewer
/// in tests, so that small sides have several.
const SPACING: u32 = if cfg!(test) { 3 } else { 16 };

/// What a block that is no station has for the next one.
const NO_STATION: u32 = NONE - 1;

/// A level in its order.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C)]
struct Rung {
    /// The level's key.
    key: i64,
    /// Its slot.
    level: u32,
    spare: u32,
}

/// A run of rungs, keys ascending. The deepest key shares its cache line with what leads to the next block.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C, align(64))]
struct Block {
    len: u32,
    /// The next block with worse prices.
    deeper: u32,
    /// The one with better prices; in a free block the one freed before it.
    better: u32,
    /// Of a station, the next one with worse prices; else [`NO_STATION`].
    station: u32,
    rungs: [Rung; RUNGS],
}

const _: () = assert!(size_of::<Block>() == 512);

impl Block {
    #[inline(always)]
    fn rungs(&self) -> &[Rung] {
        &self.rungs[..self.len as usize % (RUNGS + 1)]
    }

    /// The best key of a block in use.
    #[inline(always)]
    fn best_key(&self) -> i64 {
        self.rungs[(self.len as usize).wrapping_sub(1) % RUNGS].key
    }

    #[inline(always)]
    fn is_station(&self) -> bool {
        self.station != NO_STATION
    }

    /// How many rungs have this key or a lower one. From the tail, as most of what happens is near the best price, and
    /// eight at a time without a branch between them: where the search ends cannot be foreseen.
    #[inline(always)]
    fn up_to(&self, key: i64) -> usize {
        const STEP: usize = 8;
        let mut rungs = self.rungs();
        while let Some((lower, last)) = rungs.split_last_chunk::<STEP>() {
            let above = last.iter().filter(|rung| rung.key > key).count();
            if above < STEP {
                return rungs.len() - above;
            }
            rungs = lower;
        }
        rungs.iter().filter(|rung| rung.key <= key).count()
    }
}

/// Where a key is in its side, or belongs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rank {
    block: u32,
    /// So many rungs of the block have a lower key.
    at: u32,
    /// The level of that very key.
    pub level: Option<u32>,
}

/// The blocks of all sides of a channel. A side is known by its top block, [`NONE`] when it has no levels.
#[derive(Debug)]
pub(super) struct Ladders {
    blocks: Circle<Block>,
    /// Blocks from here on have never been used since the last [`Ladders::clear`].
    fresh: u32,
    free: u32,
}

impl Ladders {
    /// Room for `levels` levels of `sides` sides, however they are spread.
    ///
    /// In a side of n levels every second block and the one before it hold more than [`MERGED`] rungs, so it has at most
    /// 1 + 2 n / (`MERGED` + 1) blocks.
    pub fn new(levels: usize, sides: usize) -> Result<Ladders, MapError> {
        let blocks = levels.min(sides) + 2 * levels / (MERGED + 1);
        Ok(Ladders {
            blocks: Circle::zeroed(blocks)?,
            fresh: 0,
            free: NONE,
        })
    }

    /// Finds a key in the side of that top block.
    #[inline(always)]
    pub fn find(&self, top: u32, key: i64) -> Rank {
        let mut rank = Rank {
            block: top,
            at: 0,
            level: None,
        };
        if top == NONE {
            return rank;
        }
        loop {
            let block = &self.blocks[rank.block];
            if block.rungs[0].key <= key || block.deeper == NONE {
                break;
            }
            rank.block = self.beyond(block, key);
        }
        let block = &self.blocks[rank.block];
        let below = block.up_to(key);
        rank.at = below as u32;
        if let Some(rung) = block.rungs()[..below].last()
            && rung.key == key
        {
            (rank.at, rank.level) = (rank.at - 1, Some(rung.level));
        }
        rank
    }

    /// Where to look for a key that lies behind a block which is not the last.
    #[inline]
    fn beyond(&self, block: &Block, key: i64) -> u32 {
        let next = block.station;
        let passes = next < NO_STATION && key <= self.blocks[next].best_key();
        if passes { next } else { block.deeper }
    }

    /// Puts a level where `find` said its key belongs.
    #[inline(always)]
    pub fn insert(&mut self, top: &mut u32, rank: Rank, key: i64, level: u32) {
        let Rank { mut block, at, .. } = rank;
        let mut at = at as usize;
        if block == NONE {
            block = self.take();
            self.blocks[block].station = NONE;
            *top = block;
        } else if self.blocks[block].len as usize == RUNGS {
            (block, at) = self.split(block, at);
        }
        let block = &mut self.blocks[block];
        let len = block.len as usize;
        debug_assert!(len < RUNGS && at <= len);
        if at < len {
            block.rungs.copy_within(at..len, at + 1);
        }
        block.rungs[at] = Rung {
            key,
            level,
            spare: 0,
        };
        block.len += 1;
    }

    /// Takes out the level that `find` found.
    #[inline(always)]
    pub fn remove(&mut self, top: &mut u32, rank: Rank) {
        let block = &mut self.blocks[rank.block];
        let (at, len) = (rank.at as usize, block.len as usize);
        debug_assert!(at < len && len <= RUNGS);
        if at + 1 < len {
            block.rungs.copy_within(at + 1..len, at);
        }
        block.len -= 1;
        if len <= MERGED + 1 {
            self.shrink(top, rank.block);
        }
    }

    /// The best level of a side.
    #[inline(always)]
    pub fn best(&self, top: u32) -> Option<u32> {
        if top == NONE {
            return None;
        }
        self.blocks[top].rungs().last().map(|rung| rung.level)
    }

    /// The levels of a side, the best first.
    pub fn levels(&self, top: u32) -> impl Iterator<Item = u32> + '_ {
        let block = |at: u32| (at != NONE).then(|| &self.blocks[at]);
        let blocks = std::iter::successors(block(top), move |b| block(b.deeper));
        blocks.flat_map(|block| block.rungs().iter().rev().map(|rung| rung.level))
    }

    /// Frees all blocks of all sides.
    pub fn clear(&mut self) {
        (self.fresh, self.free) = (0, NONE);
    }

    /// Asks for the head of a side's first block.
    #[inline(always)]
    pub fn prefetch(&self, top: u32) {
        self.blocks.prefetch(top);
    }

    /// Moves the deeper half of a full block to a new one behind it. Returns where `at` is now.
    #[cold]
    fn split(&mut self, upper: u32, at: usize) -> (u32, usize) {
        const HALF: usize = RUNGS / 2;
        let lower = self.take();
        let mut block = self.blocks[upper];
        let deeper = std::mem::replace(&mut block.deeper, lower);
        let below = &mut self.blocks[lower];
        (below.better, below.deeper) = (upper, deeper);
        below.rungs[..HALF].copy_from_slice(&block.rungs[..HALF]);
        below.len = HALF as u32;
        block.rungs.copy_within(HALF.., 0);
        block.len = (RUNGS - HALF) as u32;
        self.blocks[upper] = block;
        if deeper != NONE {
            self.blocks[deeper].better = lower;
        }
        self.open_station(lower);
        match at.checked_sub(HALF) {
            Some(above) => (upper, above),
            None => (lower, at),
        }
    }

    /// The station that a block is, or the nearest one with better prices, and how many blocks away. The first block of a
    /// side is one.
    fn station_of(&self, mut at: u32) -> (u32, u32) {
        let mut away = 0;
        while !self.blocks[at].is_station() {
            (at, away) = (self.blocks[at].better, away + 1);
        }
        (at, away)
    }

    /// Makes a new block a station if the last one is far away.
    fn open_station(&mut self, at: u32) {
        let (last, away) = self.station_of(at);
        if away >= SPACING {
            self.blocks[at].station = self.blocks[last].station;
            self.blocks[last].station = at;
        }
    }

    /// Closes a station whose block is about to go: the one before leads on, or else the block behind becomes the first.
    fn close_station(&mut self, at: u32) {
        let Block {
            station,
            better,
            deeper,
            ..
        } = self.blocks[at];
        if station == NO_STATION {
            return;
        }
        if better != NONE {
            let (before, _) = self.station_of(better);
            self.blocks[before].station = station;
        } else if deeper != NONE && !self.blocks[deeper].is_station() {
            self.blocks[deeper].station = station;
        }
    }

    /// Keeps the promise of [`MERGED`] for a block that has lost a rung.
    #[cold]
    fn shrink(&mut self, top: &mut u32, at: u32) {
        let Block {
            len,
            deeper,
            better,
            ..
        } = self.blocks[at];
        if len == 0 {
            self.close_station(at);
            if better != NONE {
                self.blocks[better].deeper = deeper;
            } else {
                *top = deeper;
            }
            if deeper != NONE {
                self.blocks[deeper].better = better;
            }
            self.give_back(at);
            return;
        }
        let merged =
            |other: u32| other != NONE && (len + self.blocks[other].len) as usize <= MERGED;
        if merged(deeper) {
            self.merge(at, deeper);
        } else if merged(better) {
            self.merge(better, at);
        }
    }

    /// Moves the rungs of `lower` in front of those of `upper`, its neighbour.
    fn merge(&mut self, upper: u32, lower: u32) {
        let below = self.blocks[lower];
        let block = &mut self.blocks[upper];
        let (len, more) = (block.len as usize, below.len as usize);
        block.rungs.copy_within(..len, more);
        block.rungs[..more].copy_from_slice(&below.rungs[..more]);
        block.len += below.len;
        block.deeper = below.deeper;
        if below.deeper != NONE {
            self.blocks[below.deeper].better = upper;
        }
        self.close_station(lower);
        self.give_back(lower);
    }

    /// An empty block. There always is one: see [`Ladders::new`].
    fn take(&mut self) -> u32 {
        let at = match self.free {
            NONE => {
                debug_assert!((self.fresh as usize) < self.blocks.len());
                self.fresh += 1;
                self.fresh - 1
            }
            at => {
                self.free = self.blocks[at].better;
                at
            }
        };
        let block = &mut self.blocks[at];
        (block.len, block.deeper, block.better) = (0, NONE, NONE);
        block.station = NO_STATION;
        at
    }

    fn give_back(&mut self, at: u32) {
        self.blocks[at].better = self.free;
        self.free = at;
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
