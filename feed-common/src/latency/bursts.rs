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

/// Times that are kept: with more than this within a millisecond, which is 4 million a second, the oldest are left out
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
    /// Of each time: how many packets there were up to and with it.
    times: Box<[(u64, u64); TIMES]>,
    /// Times so far.
    head: u64,
    /// Packets so far.
    packets: u64,
    /// The time of the newest packets, not yet among the times, and how many there are; 0 before the first.
    last: u64,
    run: u64,
    windows: [Window; WINDOWS.len()],
}

/// Where a window begins.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// The first time in it.
    tail: u64,
    /// Packets before it.
    before: u64,
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals::new()
    }
}

impl Arrivals {
    /// None yet. Its memory is touched.
    pub fn new() -> Arrivals {
        // Not zeros: those would be pages that the first store has to fetch.
        let times: Box<[_]> = vec![(u64::MAX, u64::MAX); TIMES].into();
        Arrivals {
            times: times.try_into().expect("as many as there are"),
            head: 0,
            packets: 0,
            last: 0,
            run: 0,
            windows: [Window::default(); WINDOWS.len()],
        }
    }

    /// A packet came at `at`, in nanoseconds of any clock. One that is said to have come up to a millisecond before the
    /// last came with it; further back, time begins anew.
    #[inline]
    pub fn arrived(&mut self, at: u64, seen: &mut Bursts) {
        if at != self.last || self.run == 0 {
            self.moves_on(at, seen);
        }
        self.run += 1;
        self.packets += 1;
    }

    /// Its place among those within 100 µs before it, in the order they came; 1 when it came alone.
    #[inline]
    pub fn place(&self) -> u64 {
        self.packets - self.windows[CROWD].before
    }

    /// Counts what has come and is not counted yet: to be called when nothing more will come.
    pub fn finish(&mut self, seen: &mut Bursts) {
        self.close(seen);
        self.run = 0;
    }

    fn moves_on(&mut self, at: u64, seen: &mut Bursts) {
        let widest = WINDOWS[WINDOWS.len() - 1];
        if self.run > 0 && at < self.last && self.last - at <= widest {
            return; // with the last
        }
        self.close(seen);
        let passed = at.checked_sub(self.last).unwrap_or(u64::MAX); // anew
        (self.last, self.run) = (at, 0);
        for (window, width) in self.windows.iter_mut().zip(WINDOWS) {
            if passed >= width {
                (window.tail, window.before) = (self.head, self.packets);
                continue;
            }
            while window.tail < self.head {
                let (time, packets) = self.times[window.tail as usize % TIMES];
                if at.saturating_sub(time) < width {
                    break;
                }
                (window.tail, window.before) = (window.tail + 1, packets);
            }
        }
    }

    /// The packets of the last time are all there.
    fn close(&mut self, seen: &mut Bursts) {
        if self.run == 0 {
            return;
        }
        for (figure, window) in seen.windows.iter_mut().zip(&self.windows) {
            let packets = self.packets - window.before;
            figure.record_n(packets, self.run, COUNTED.highest_nanos());
        }
        let place = &mut self.times[self.head as usize % TIMES];
        let (_, oldest) = std::mem::replace(place, (self.last, self.packets));
        self.head += 1;
        for window in &mut self.windows {
            if self.head - window.tail > TIMES as u64 {
                (window.tail, window.before) = (window.tail + 1, oldest);
                seen.crowded += 1;
            }
        }
    }
}

/// What was counted in one interval.
#[derive(Clone, Debug)]
pub struct Bursts {
    windows: [Figure; WINDOWS.len()],
    latency: [Figure; CROWDS],
    /// Times that were left out of a window because there were too many.
    crowded: u64,
    highest: u64,
}

impl Bursts {
    /// An empty one with all its pages touched, for latencies of this range.
    pub fn new(resolution: Resolution) -> Bursts {
        Bursts {
            windows: std::array::from_fn(|_| Figure::new(COUNTED)),
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
        self.windows.iter_mut().for_each(Figure::reset);
        self.latency.iter_mut().for_each(Figure::reset);
        self.crowded = 0;
    }

    pub(super) fn add(&mut self, other: &Bursts) {
        let theirs = other.windows.iter().chain(&other.latency);
        let mine = self.windows.iter_mut().chain(&mut self.latency);
        mine.zip(theirs).for_each(|(mine, theirs)| mine.add(theirs));
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
        let theirs = interval.windows.iter().chain(&interval.latency);
        let mine = self.windows.iter_mut().chain(&mut self.latency);
        mine.zip(theirs).for_each(|(mine, theirs)| mine.add(theirs));
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
