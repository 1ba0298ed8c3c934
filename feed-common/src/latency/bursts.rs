//! How close packets came: how many there were within 10 µs, 100 µs and 1 ms, and what latency packets had that came as
//! one of so many.
//!
//! A window ends with a packet and slides with it, so the largest number is that of the worst moment, wherever it lay.
//! Packets that one receive call brought have one time. All memory is taken beforehand.

use super::set::{Figure, Resolution};
use super::summary::{Quantiles, Total};

/// The windows, in nanoseconds.
pub const WINDOWS: [u64; 3] = [10_000, 100_000, 1_000_000];

/// The one that latency is held against.
pub const CROWD: usize = 1;

/// Bucket `i` of latency is of packets that were the 2^i-th to the (2^(i+1) - 1)-th in their window; the last has all
/// that were further back.
pub const CROWDS: usize = 12;

/// Times that are kept, and one more: with more within a millisecond, which is 4 million a second, the oldest are left out
/// of their windows, and that is counted.
const TIMES: usize = 4_096;

/// Numbers of packets up to a million, to two digits.
const COUNTED: Resolution = match Resolution::new(1 << 20, 2) {
    Ok(resolution) => resolution,
    Err(_) => unreachable!(),
};

/// Two digits are enough beside the figures of the stage.
const fn coarse(resolution: Resolution) -> Resolution {
    match Resolution::new(resolution.highest_nanos(), 2) {
        Ok(coarse) => coarse,
        Err(_) => resolution,
    }
}

/// Counts packets in the windows before them, in the order they came.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Those that are kept, and behind them one that never leaves a window and says how many packets came before it.
    times: Box<[Time; TIMES]>,
    /// Times so far.
    head: u64,
    /// Packets so far.
    packets: u64,
    /// The time of the newest packets, not yet among the times, and how many there are; 0 before the first.
    last: u64,
    run: u64,
    /// Of each window the first time in it.
    tails: [u64; WINDOWS.len()],
}

/// When packets came.
#[derive(Clone, Copy, Debug)]
struct Time {
    at: u64,
    /// Packets before them.
    before: u64,
}

/// Later than packets come: what is said to be later came then.
const NEVER: u64 = 1 << 62;

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals::new()
    }
}

impl Arrivals {
    /// None yet. Its memory is touched.
    pub fn new() -> Arrivals {
        // Not zeros: those would be pages that the first store has to fetch.
        let never = Time {
            at: NEVER,
            before: 0,
        };
        let times: Box<[_]> = vec![never; TIMES].into();
        Arrivals {
            times: times.try_into().expect("as many as there are"),
            head: 0,
            packets: 0,
            last: 0,
            run: 0,
            tails: [0; WINDOWS.len()],
        }
    }

    /// A packet came at `at`, in nanoseconds of any clock. One that is said to have come up to a millisecond before the
    /// last came with it; further back, time begins anew.
    #[inline]
    pub fn arrived(&mut self, at: u64, seen: &mut Bursts) {
        let at = at.min(NEVER - 1);
        if at != self.last || self.run == 0 {
            self.moves_on(at, seen);
        }
        self.run += 1;
        self.packets += 1;
    }

    /// Its place among those within 100 µs before it, in the order they came; 1 when it came alone.
    #[inline]
    pub fn place(&self) -> u64 {
        self.within(CROWD)
    }

    /// Counts what has come and is not counted yet: to be called when nothing more will come.
    pub fn finish(&mut self, seen: &mut Bursts) {
        self.close(seen);
        self.run = 0;
    }

    /// Packets in a window so far.
    #[inline]
    fn within(&self, window: usize) -> u64 {
        self.packets - self.time(self.tails[window]).before
    }

    #[inline]
    fn time(&self, number: u64) -> Time {
        self.times[number as usize % TIMES]
    }

    fn moves_on(&mut self, at: u64, seen: &mut Bursts) {
        let widest = WINDOWS[WINDOWS.len() - 1];
        if self.run > 0 && at < self.last && self.last - at <= widest {
            return; // with the last
        }
        self.close(seen);
        let passed = at.checked_sub(self.last).unwrap_or(u64::MAX); // anew
        (self.last, self.run) = (at, 0);
        for (window, width) in WINDOWS.into_iter().enumerate() {
            self.tails[window] = match passed < width {
                true => self.first_within(width, at, self.tails[window]),
                false => self.head,
            }
        }
    }

    /// The first time less than `width` before `at`, from `tail` on.
    #[inline]
    fn first_within(&self, width: u64, at: u64, mut tail: u64) -> u64 {
        let leaves = |tail: u64| self.time(tail).at + width <= at;
        // With every packet one leaves at the average, and sometimes none or two: a branch would be guessed wrong so often
        // that it is cheaper to look twice.
        tail += u64::from(leaves(tail));
        tail += u64::from(leaves(tail));
        while leaves(tail) {
            tail += 1;
        }
        tail
    }

    /// The packets of the last time are all there.
    fn close(&mut self, seen: &mut Bursts) {
        if self.run == 0 {
            return;
        }
        for (window, numbers) in seen.windows.iter_mut().enumerate() {
            numbers.record_n(self.within(window), self.run);
        }
        // Behind all others until now; how many came before it is there already.
        self.times[self.head as usize % TIMES].at = self.last;
        self.head += 1;
        self.times[self.head as usize % TIMES] = Time {
            at: NEVER,
            before: self.packets,
        };
        for tail in &mut self.tails {
            if self.head - *tail >= TIMES as u64 {
                *tail += 1;
                seen.crowded += 1;
            }
        }
    }
}

/// Numbers below this have a counter each.
const FEW: usize = 256;

/// Numbers of packets: small ones, which nearly all are, are counted in an array, as finding the cell of a histogram for
/// three windows costs more than all the rest.
#[derive(Clone, Debug)]
struct Numbers {
    few: [u32; FEW],
    more: Figure,
}

impl Numbers {
    fn new() -> Numbers {
        Numbers {
            few: [0; FEW],
            more: Figure::new(COUNTED),
        }
    }

    #[inline]
    fn record_n(&mut self, packets: u64, n: u64) {
        match self.few.get_mut(packets as usize) {
            Some(counter) => *counter = counter.saturating_add(n.min(u32::MAX.into()) as u32),
            None => self.more.record_n(packets, n, COUNTED.highest_nanos()),
        }
    }

    fn reset(&mut self) {
        self.few.fill(0);
        self.more.reset();
    }

    fn add(&mut self, other: &Numbers) {
        for (mine, theirs) in self.few.iter_mut().zip(&other.few) {
            *mine = mine.saturating_add(*theirs);
        }
        self.more.add(&other.more);
    }

    fn add_to(&self, total: &mut Total) {
        let few = self.few.iter().enumerate().filter(|(_, n)| **n > 0);
        few.for_each(|(packets, n)| total.record_n(packets as u64, (*n).into()));
        total.add(&self.more);
    }
}

/// What was counted in one interval.
#[derive(Clone, Debug)]
pub struct Bursts {
    windows: [Numbers; WINDOWS.len()],
    latency: [Figure; CROWDS],
    /// Times that were left out of a window because there were too many.
    crowded: u64,
    highest: u64,
}

impl Bursts {
    /// An empty one with all its pages touched, for latencies of this range.
    pub fn new(resolution: Resolution) -> Bursts {
        Bursts {
            windows: std::array::from_fn(|_| Numbers::new()),
            latency: std::array::from_fn(|_| Figure::new(coarse(resolution))),
            crowded: 0,
            highest: resolution.highest_nanos(),
        }
    }

    /// A packet that was the `place`-th in its window was published `nanos` after its receive.
    #[inline]
    pub fn published(&mut self, place: u64, nanos: u64) {
        let bucket = (place.max(1).ilog2() as usize).min(CROWDS - 1);
        self.latency[bucket].record(nanos, self.highest);
    }

    pub(super) fn reset(&mut self) {
        self.windows.iter_mut().for_each(Numbers::reset);
        self.latency.iter_mut().for_each(Figure::reset);
        self.crowded = 0;
    }

    pub(super) fn add(&mut self, other: &Bursts) {
        let windows = self.windows.iter_mut().zip(&other.windows);
        windows.for_each(|(mine, theirs)| mine.add(theirs));
        let latency = self.latency.iter_mut().zip(&other.latency);
        latency.for_each(|(mine, theirs)| mine.add(theirs));
        self.crowded += other.crowded;
    }
}

/// What was counted in a run.
#[derive(Clone, Debug)]
pub struct BurstTotals {
    windows: [Total; WINDOWS.len()],
    latency: [Total; CROWDS],
    crowded: u64,
}

impl BurstTotals {
    /// Nothing yet, for latencies of this range.
    pub fn new(resolution: Resolution) -> BurstTotals {
        BurstTotals {
            windows: std::array::from_fn(|_| Total::new(COUNTED)),
            latency: std::array::from_fn(|_| Total::new(coarse(resolution))),
            crowded: 0,
        }
    }

    /// Adds an interval.
    pub fn add(&mut self, interval: &Bursts) {
        let windows = self.windows.iter_mut().zip(&interval.windows);
        windows.for_each(|(mine, theirs)| theirs.add_to(mine));
        let latency = self.latency.iter_mut().zip(&interval.latency);
        latency.for_each(|(mine, theirs)| mine.add(theirs));
        self.crowded += interval.crowded;
    }

    pub(super) fn merge(&mut self, other: &BurstTotals) {
        let theirs = other.windows.iter().chain(&other.latency);
        let mine = self.windows.iter_mut().chain(&mut self.latency);
        mine.zip(theirs)
            .for_each(|(mine, theirs)| mine.merge(theirs));
        self.crowded += other.crowded;
    }

    /// For each of [`WINDOWS`]: with how many packets, itself included, a packet came within it. The largest is exact.
    pub fn windows(&self) -> [Quantiles; WINDOWS.len()] {
        self.windows.each_ref().map(Total::quantiles)
    }

    /// For each of [`CROWDS`] buckets: what packets that came as one of so many took to be published, in ns.
    pub fn latency(&self) -> [Quantiles; CROWDS] {
        self.latency.each_ref().map(Total::quantiles)
    }

    /// Times that were left out of a window because there were more than can be kept: numbers are then too small.
    pub fn crowded(&self) -> u64 {
        self.crowded
    }
}

#[cfg(test)]
#[path = "bursts_tests.rs"]
mod tests;
