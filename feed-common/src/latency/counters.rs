//! What a hot thread counts values in: the cells of an HdrHistogram and nothing else.
//!
//! A value falls into the cell in which HdrHistogram of the same range and digits counts it, so the histogram made of these
//! afterwards is the one that would have come of recording there. What is left out is what it keeps up with every value:
//! the sum of all counts, the least and the largest value, and the general shape of its ranges.

use super::Resolution;
use hdrhistogram::Histogram;

/// Saturating counters of values from 0 to the end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    cells: Box<[u32]>,
    /// Values below 2 to the power of this have a cell each; every doubling beyond has half as many cells as these.
    bits: u32,
    resolution: Resolution,
}

/// A cell with values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// The lowest value that falls into it.
    pub(super) low: u64,
    pub(super) count: u32,
}

impl Counters {
    /// Nothing yet. All its pages are touched, so that counting never faults one in.
    pub(super) fn new(resolution: Resolution) -> Counters {
        let apart = 2 * 10u64.pow(resolution.digits().into());
        let bits = apart.next_power_of_two().ilog2();
        let cells = cell(resolution.highest_nanos(), bits) + 1;
        // Not zeros to begin with: those would be pages that the first store has to fetch.
        let mut counters = Counters {
            cells: vec![u32::MAX; cells].into(),
            bits,
            resolution,
        };
        counters.reset();
        counters
    }

    /// Counts a value `n` times: one beyond the range at its end.
    #[inline]
    pub(super) fn add(&mut self, value: u64, n: u32) {
        let value = value.min(self.resolution.highest_nanos());
        if let Some(counter) = self.cells.get_mut(cell(value, self.bits)) {
            *counter = counter.saturating_add(n);
        }
    }

    /// Empties it; the memory stays.
    pub(super) fn reset(&mut self) {
        self.cells.fill(0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cells.iter().all(|n| *n == 0)
    }

    /// The cells with values, in rising order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Counted> + '_ {
        let counted = self.cells.iter().enumerate().filter(|(_, n)| **n > 0);
        counted.map(|(at, &count)| Counted {
            low: self.low(at),
            count,
        })
    }

    /// Adds what others have counted, which may be told apart otherwise.
    pub(super) fn merge(&mut self, other: &Counters) {
        if self.resolution == other.resolution {
            let cells = self.cells.iter_mut().zip(&other.cells);
            return cells.for_each(|(mine, theirs)| *mine = mine.saturating_add(*theirs));
        }
        other.iter().for_each(|cell| self.add(cell.low, cell.count));
    }

    /// The same as a histogram.
    pub(super) fn histogram(&self) -> Histogram<u32> {
        let mut histogram = self.resolution.histogram();
        for cell in self.iter() {
            histogram.saturating_record_n(cell.low, cell.count);
        }
        histogram
    }

    /// The lowest value of a cell.
    fn low(&self, cell: usize) -> u64 {
        let half = self.bits - 1;
        let doublings = ((cell >> half) as u32).saturating_sub(1);
        (cell as u64 - (u64::from(doublings) << half)) << doublings
    }
}

/// The cell of a value, where values below 2 to the power of `bits` have one each.
#[inline]
fn cell(value: u64, bits: u32) -> usize {
    let low = (1u64 << bits) - 1;
    let doublings = (u64::BITS - bits) - (value | low).leading_zeros();
    ((u64::from(doublings) << (bits - 1)) + (value >> doublings)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What HdrHistogram makes of the same.
    fn plain(resolution: Resolution, values: &[(u64, u32)]) -> Histogram<u32> {
        let mut histogram = resolution.histogram();
        for &(value, n) in values {
            histogram.saturating_record_n(value.min(resolution.highest_nanos()), n);
        }
        histogram
    }

    fn resolution() -> impl Strategy<Value = Resolution> {
        (1_000u64..3_600_000_000_000, 1u8..=4)
            .prop_map(|(highest, digits)| Resolution::new(highest, digits).expect("within"))
    }

    proptest! {
        #[test]
        fn histograms_are_those_of_recording(
            resolution in resolution(),
            values in prop::collection::vec(((0u32..64, any::<u64>()), 1u32..5), 0..60),
        ) {
            // Of every size.
            let values: Vec<_> = values.into_iter().map(|((shift, v), n)| (v >> shift, n)).collect();
            let mut counters = Counters::new(resolution);
            prop_assert!(counters.is_empty());
            values.iter().for_each(|&(value, n)| counters.add(value, n));
            let want = plain(resolution, &values);
            prop_assert_eq!(counters.histogram(), want.clone());
            let cells = counters.iter().map(|cell| (cell.low, cell.count));
            let wanted = want.iter_recorded();
            let wanted = wanted.map(|c| (want.lowest_equivalent(c.value_iterated_to()), c.count_at_value()));
            prop_assert_eq!(cells.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
        }

        #[test]
        fn sums_are_those_of_recording(
            ours in resolution(),
            theirs in prop_oneof![Just(None), resolution().prop_map(Some)],
            values in prop::collection::vec((0u64..1 << 40, 1u32..5), 0..60),
        ) {
            let mut others = Counters::new(theirs.unwrap_or(ours));
            values.iter().for_each(|&(value, n)| others.add(value, n));
            let mut sum = Counters::new(ours);
            sum.merge(&others);
            let of_cells: Vec<_> = others.iter().map(|cell| (cell.low, cell.count)).collect();
            prop_assert_eq!(sum.histogram(), plain(ours, &of_cells));
        }
    }

    #[test]
    fn cells_are_numbered_without_a_gap_and_saturate() {
        let mut counters = Counters::new(Resolution::new(5_000, 1).expect("within"));
        let firsts: Vec<u64> = (0..counters.cells.len())
            .map(|at| counters.low(at))
            .collect();
        let expected = (0..32)
            .chain((32..64).step_by(2))
            .chain((64..128).step_by(4));
        assert!(firsts.iter().copied().zip(expected).all(|(a, b)| a == b));
        assert!(firsts.windows(2).all(|pair| pair[0] < pair[1]));
        counters.add(7, u32::MAX);
        counters.add(7, 3);
        counters.add(u64::MAX, 1);
        let cells: Vec<_> = counters.iter().collect();
        assert_eq!((cells[0].low, cells[0].count), (7, u32::MAX));
        assert_eq!((cells[1].low, cells.len()), (4_864, 2));
    }
}
