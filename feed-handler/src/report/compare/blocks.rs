//! A run's distributions in blocks of neighbouring intervals: what a comparison draws from.

use feed_common::latency::log::LogInterval;
use feed_common::latency::{MEASURED, Stage};
use std::time::Duration;

/// Blocks that are kept of a run. When there would be more, neighbours become one: blocks get longer, not more.
const BLOCKS_MAX: usize = 32;

/// Values are told apart to the nanosecond below this, and to one part in this above.
const FINE: u64 = 128;

/// The blocks of a run. Memory is bounded however long the run was.
#[derive(Clone, Debug)]
pub struct Blocks {
    done: Vec<Block>,
    open: Block,
    /// Intervals in the open block, of `each`.
    taken: u32,
    each: u32,
    /// The interval the last line belonged to.
    last: Option<(Duration, Duration)>,
    intervals: u64,
    digits: u8,
}

/// Of each stage the cells that have values, in order, with how many.
#[derive(Clone, Debug, Default, PartialEq)]
struct Block([Vec<(u16, u64)>; MEASURED.len()]);

/// A stage's distributions, block by block.
#[derive(Clone, Debug, Default)]
pub(super) struct StageBlocks {
    /// Lower and upper end of each cell, in ns.
    ends: Vec<(f64, f64)>,
    /// For each block how many values each cell has.
    counts: Vec<Vec<f64>>,
}

impl Default for Blocks {
    fn default() -> Blocks {
        Blocks {
            done: Vec::new(),
            open: Block::default(),
            taken: 0,
            each: 1,
            last: None,
            intervals: 0,
            digits: 0,
        }
    }
}

impl Blocks {
    /// Takes a line of the log, which come in the order of their intervals; `stage` is its.
    pub fn take(&mut self, stage: Stage, interval: &LogInterval) {
        let this = (interval.start, interval.length);
        if self.last != Some(this) {
            self.last = Some(this);
            self.intervals += 1;
            if self.taken == self.each {
                self.end_block();
            }
            self.taken += 1;
        }
        self.digits = interval.cells.digits();
        let fine = interval.cells.iter().map(|c| {
            let middle = c.low + (c.high - c.low) / 2;
            (cell(middle), c.count)
        });
        self.open.add(stage, fine);
    }

    /// Nothing more comes. A last block of less than half its length goes to the one before, so that it does not weigh as
    /// much as the others.
    pub fn close(&mut self) {
        if self.taken == 0 {
            return;
        }
        let short = self.taken * 2 < self.each;
        self.end_block();
        if short && self.done.len() > 1 {
            let rest = self.done.pop().unwrap_or_default();
            if let Some(last) = self.done.last_mut() {
                last.merge(&rest);
            }
        }
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.done.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// Intervals they are of.
    pub fn intervals(&self) -> u64 {
        self.intervals
    }

    /// Decimal digits to which the log tells values apart.
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// The distributions of a stage.
    pub(super) fn of(&self, stage: Stage) -> StageBlocks {
        let Some(at) = MEASURED.iter().position(|s| *s == stage) else {
            return StageBlocks::default();
        };
        let blocks = || self.done.iter().map(|block| &block.0[at]);
        let mut cells: Vec<u16> = blocks().flatten().map(|(cell, _)| *cell).collect();
        cells.sort_unstable();
        cells.dedup();
        let counts = blocks().filter(|b| !b.is_empty()).map(|block| {
            let mut counts = vec![0.0; cells.len()];
            for (cell, n) in block {
                if let Ok(place) = cells.binary_search(cell) {
                    counts[place] = *n as f64;
                }
            }
            counts
        });
        StageBlocks {
            counts: counts.collect(),
            ends: cells.iter().map(|c| ends(*c)).collect(),
        }
    }

    fn end_block(&mut self) {
        self.done.push(std::mem::take(&mut self.open));
        self.taken = 0;
        if self.done.len() < BLOCKS_MAX * 2 {
            return;
        }
        let pairs = self.done.chunks(2).map(|pair| {
            let mut sum = pair[0].clone();
            pair[1..].iter().for_each(|more| sum.merge(more));
            sum
        });
        self.done = pairs.collect();
        self.each = self.each.saturating_mul(2);
    }
}

impl Block {
    fn add(&mut self, stage: Stage, cells: impl Iterator<Item = (u16, u64)>) {
        let Some(at) = MEASURED.iter().position(|s| *s == stage) else {
            return;
        };
        let known = std::mem::take(&mut self.0[at]);
        self.0[at] = merged(known.into_iter(), cells);
    }

    fn merge(&mut self, other: &Block) {
        for (stage, theirs) in MEASURED.into_iter().zip(&other.0) {
            self.add(stage, theirs.iter().copied());
        }
    }
}

/// Two lists in rising order as one, equal cells added up.
fn merged(
    a: impl Iterator<Item = (u16, u64)>,
    b: impl Iterator<Item = (u16, u64)>,
) -> Vec<(u16, u64)> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    let mut out: Vec<(u16, u64)> = Vec::new();
    while let Some((cell, n)) = match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x.0 <= y.0 => a.next(),
        (Some(_), None) => a.next(),
        _ => b.next(),
    } {
        match out.last_mut().filter(|last| last.0 == cell) {
            Some(last) => last.1 = last.1.saturating_add(n),
            None => out.push((cell, n)),
        }
    }
    out
}

impl StageBlocks {
    /// Blocks with values.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// All values.
    pub(super) fn count(&self) -> f64 {
        self.counts.iter().flatten().sum()
    }

    /// The mean of all values but the largest 0.1 %: one stall of the machine is worth thousands of others.
    pub(super) fn mean(&self) -> f64 {
        let limit = self.count() * 0.999;
        let (mut sum, mut seen) = (0.0, 0.0);
        for (at, (low, high)) in self.ends.iter().enumerate() {
            let n: f64 = self.counts.iter().map(|counts| counts[at]).sum();
            let n = n.min(limit - seen);
            sum += n * (low + high) / 2.0;
            seen += n;
        }
        sum / seen.max(1.0)
    }

    /// The rising `quantiles` of the sum of blocks, each as often as `weights` says; within a cell values are taken to
    /// lie evenly. `sums` is memory to be used again.
    pub(super) fn quantiles<const N: usize>(
        &self,
        weights: &[u32],
        quantiles: &[f64; N],
        sums: &mut Vec<f64>,
    ) -> [f64; N] {
        sums.clear();
        sums.resize(self.ends.len(), 0.0);
        for (counts, &weight) in self.counts.iter().zip(weights) {
            if weight > 0 {
                let weight = f64::from(weight);
                sums.iter_mut()
                    .zip(counts)
                    .for_each(|(sum, n)| *sum += weight * n);
            }
        }
        let total: f64 = sums.iter().sum();
        let mut found = [0.0; N];
        let (mut at, mut seen) = (0, 0.0);
        for (n, (low, high)) in sums.iter().zip(&self.ends) {
            while at < N && *n > 0.0 && seen + n >= quantiles[at] * total {
                let share = ((quantiles[at] * total - seen) / n).clamp(0.0, 1.0);
                found[at] = low + (high - low) * share;
                at += 1;
            }
            seen += n;
        }
        found
    }
}

/// The cell of a value.
fn cell(nanos: u64) -> u16 {
    if nanos < FINE {
        return nanos as u16;
    }
    let step = nanos.ilog2() - FINE.ilog2();
    // At most 57 steps of 128.
    ((u64::from(step) + 1) * FINE + (nanos >> step) - FINE) as u16
}

/// What lies in a cell, in ns. A nanosecond is taken to be the time around it.
fn ends(cell: u16) -> (f64, f64) {
    let cell = u64::from(cell);
    let (step, place) = match cell / FINE {
        0 => (0, cell),
        bucket => (bucket - 1, FINE + cell % FINE),
    };
    let width = 2f64.powi(step as i32);
    (place as f64 * width - 0.5, (place + 1) as f64 * width - 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::latency::log::{LogReader, LogWriter};
    use feed_common::latency::{Resolution, StageSet};
    use feed_common::time::UnixNanos;
    use proptest::prelude::*;

    fn blocks_of(intervals: &[Vec<u64>]) -> Blocks {
        let start = UnixNanos(1_700_000_000_000_000_000);
        let mut log = LogWriter::begin(Vec::new(), start, &[]).unwrap();
        let mut set = StageSet::new(Resolution::default());
        for (i, values) in intervals.iter().enumerate() {
            set.reset();
            values.iter().for_each(|v| set.record(Stage::Decoded, *v));
            let from = UnixNanos(start.0 + i as u64 * 100_000_000);
            log.write_set(&set, from, UnixNanos(from.0 + 100_000_000), None)
                .unwrap();
        }
        let text = String::from_utf8(log.finish().unwrap()).unwrap();
        let mut blocks = Blocks::default();
        for interval in LogReader::new(&text) {
            let interval = interval.unwrap();
            blocks.take(interval.stage.unwrap(), &interval);
        }
        blocks.close();
        blocks
    }

    #[test]
    fn blocks_get_longer_and_not_more() {
        for n in [1, 31, 63, 64, 65, 100, 1_000] {
            let intervals: Vec<_> = (0..n).map(|i| vec![100 + i, 5_000]).collect();
            let blocks = blocks_of(&intervals);
            assert!((1..BLOCKS_MAX * 2).contains(&blocks.len()), "{n}");
            assert_eq!(blocks.intervals(), n);
            let stage = blocks.of(Stage::Decoded);
            assert_eq!(stage.count(), 2.0 * n as f64, "{n}: nothing is left out");
            assert_eq!(blocks.of(Stage::Taken).len(), 0);
        }
    }

    #[test]
    fn weights_choose_the_blocks() {
        let blocks = blocks_of(&[vec![100; 10], vec![1_000; 10]]).of(Stage::Decoded);
        let mut sums = Vec::new();
        let median =
            |weights: [u32; 2], sums: &mut Vec<f64>| blocks.quantiles(&weights, &[0.5], sums)[0];
        assert!((median([1, 0], &mut sums) - 100.0).abs() <= 0.5);
        assert!((median([0, 1], &mut sums) - 1_000.0).abs() <= 8.0);
        assert!((median([3, 1], &mut sums) - 100.0).abs() <= 0.5);
        assert!((blocks.mean() - 550.0).abs() < 5.0);
    }

    proptest! {
        // Each case writes and reads a log.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_value_lies_in_its_cell(value in any::<u64>(), shift in 1u32..64) {
            let value = value >> shift;
            let (low, high) = ends(cell(value));
            prop_assert!(low <= value as f64 && value as f64 <= high, "{low} {value} {high}");
            prop_assert!(high - low <= 1.0 || (high - low) / high <= 0.008);
        }

        /// Against sorting, to the width of a cell.
        #[test]
        fn quantiles_agree_with_sorting(mut values in prop::collection::vec(1u64..10_000_000, 20..300)) {
            let blocks = blocks_of(&[values.clone()]).of(Stage::Decoded);
            values.sort_unstable();
            let got = blocks.quantiles(&[1], &[0.5, 0.9], &mut Vec::new());
            for (q, got) in [0.5, 0.9].into_iter().zip(got) {
                let rank = (q * values.len() as f64).ceil() as usize;
                let want = values[rank - 1] as f64;
                prop_assert!((got - want).abs() <= want * 0.01 + 1.0, "{got} for {want}");
            }
        }
    }
}
