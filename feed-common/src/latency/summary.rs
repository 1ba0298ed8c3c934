//! Histograms in a few numbers: quantiles, the percentile curve, and the sum over a run.

use super::Stage;
use super::bursts::BurstTotals;
use super::pauses::PauseTotals;
use super::payload::Cells;
use super::set::{Figure, MEASURED, Resolution, StageSet, position};
use hdrhistogram::{Counter, Histogram};

/// A distribution of latencies in nanoseconds. Values are those of the histogram: exact below its resolution (2048 ns
/// at three digits), above it the highest value that falls into the same cell; `min` is the lowest of its cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Number of values; everything else is 0 when there is none.
    pub count: u64,
    /// Smallest value.
    pub min: u64,
    /// Half of the values are at or below.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p999: u64,
    /// 99.99 %.
    pub p9999: u64,
    /// Largest value.
    pub max: u64,
}

impl Quantiles {
    /// Reads them off a histogram in one pass.
    pub fn of<C: Counter>(histogram: &Histogram<C>) -> Quantiles {
        let count = total(recorded(histogram));
        Quantiles::over(count, recorded(histogram), histogram.min(), histogram.max())
    }

    /// Reads them off a histogram of an interval log.
    pub fn of_cells(cells: &Cells) -> Quantiles {
        let pairs = || cells.iter().map(|cell| (cell.high, cell.count));
        let (min, max) = (cells.iter().next(), cells.iter().last());
        let (min, max) = (min.map_or(0, |c| c.low), max.map_or(0, |c| c.high));
        Quantiles::over(total(pairs()), pairs(), min, max)
    }

    fn over(count: u64, cells: impl Iterator<Item = (u64, u64)>, min: u64, max: u64) -> Quantiles {
        if count == 0 {
            return Quantiles::default();
        }
        let mut found = [0u64; 5];
        ladder(
            cells,
            count,
            &[0.5, 0.9, 0.99, 0.999, 0.9999],
            |at, value| {
                found[at] = value;
            },
        );
        Quantiles {
            count,
            min,
            p50: found[0],
            p90: found[1],
            p99: found[2],
            p999: found[3],
            p9999: found[4],
            max,
        }
    }
}

/// One point of a percentile curve: the share `quantile` of the values is at or below `nanos`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// From 0 to 1; 1 only at the last point, the maximum.
    pub quantile: f64,
    /// Nanoseconds.
    pub nanos: u64,
}

/// Points per nine of the curve: enough for a smooth line, few enough for a small report.
pub const POINTS_PER_NINE: u32 = 24;

/// The percentile curve: points evenly spread over log(1/(1-q)), as far as there are values to tell them apart, then
/// the maximum. Empty when nothing was recorded.
pub fn curve<C: Counter>(histogram: &Histogram<C>) -> Vec<CurvePoint> {
    let count = total(recorded(histogram));
    if count == 0 {
        return Vec::new();
    }
    // The last nine with at least one value behind it.
    let nines = (count as f64).log10();
    let steps = (nines * f64::from(POINTS_PER_NINE)).floor() as u32;
    let quantiles: Vec<f64> = (0..=steps)
        .map(|i| 1.0 - 10f64.powf(-f64::from(i) / f64::from(POINTS_PER_NINE)))
        .collect();
    let mut points: Vec<CurvePoint> = Vec::with_capacity(quantiles.len() + 1);
    ladder(recorded(histogram), count, &quantiles, |at, nanos| {
        points.push(CurvePoint {
            quantile: quantiles[at],
            nanos,
        });
    });
    points.push(CurvePoint {
        quantile: 1.0,
        nanos: histogram.max(),
    });
    points
}

/// The cells that have values: the highest value of each, and how many.
fn recorded<C: Counter>(histogram: &Histogram<C>) -> impl Iterator<Item = (u64, u64)> + '_ {
    let cells = histogram.iter_recorded();
    cells.map(|cell| (cell.value_iterated_to(), cell.count_at_value().as_u64()))
}

/// Sum of the cells. Not [`Histogram::len`], which runs ahead of the cells once a counter has saturated.
fn total(cells: impl Iterator<Item = (u64, u64)>) -> u64 {
    cells.fold(0, |sum: u64, (_, count)| sum.saturating_add(count))
}

/// Calls `found(i, value)` for each of the rising `quantiles` of `count` values, in one pass over the cells.
fn ladder(
    cells: impl Iterator<Item = (u64, u64)>,
    count: u64,
    quantiles: &[f64],
    mut found: impl FnMut(usize, u64),
) {
    let rank = |q: f64| ((q * count as f64).ceil() as u64).clamp(1, count);
    let mut at = 0;
    let mut seen = 0u64;
    for (value, n) in cells {
        seen = seen.saturating_add(n);
        while at < quantiles.len() && rank(quantiles[at]) <= seen {
            found(at, value);
            at += 1;
        }
    }
}

/// The sum of many intervals: 64-bit counters, so that no run is too long.
#[derive(Clone, Debug)]
pub struct StageTotals {
    figures: [Total; MEASURED.len()],
    pauses: PauseTotals,
    bursts: BurstTotals,
    resolution: Resolution,
}

/// Values that a correction may add: a second of work.
const CORRECTIONS_MAX: u64 = 50_000_000;

/// An interval by which values cannot be corrected, because they are too many times as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an interval of {known} ns is too short for values as long as these")]
pub struct TooShort {
    known: u64,
}

/// The sum of many figures.
#[derive(Clone, Debug)]
pub(super) struct Total {
    histogram: Histogram<u64>,
    above: u64,
    largest: u64,
    backwards: u64,
}

impl StageTotals {
    /// Nothing yet. Sets added later must have this resolution to be kept exactly.
    pub fn new(resolution: Resolution) -> StageTotals {
        StageTotals {
            figures: std::array::from_fn(|_| Total::new(resolution)),
            pauses: PauseTotals::new(resolution),
            bursts: BurstTotals::new(resolution),
            resolution,
        }
    }

    /// Adds an interval.
    pub fn add(&mut self, set: &StageSet) {
        for (mine, theirs) in self.figures.iter_mut().zip(&set.figures) {
            mine.add(theirs);
        }
        self.pauses.add(&set.pauses);
        self.bursts.add(&set.bursts);
    }

    /// Adds what other threads have recorded.
    pub fn merge(&mut self, other: &StageTotals) {
        for (mine, theirs) in self.figures.iter_mut().zip(&other.figures) {
            mine.merge(theirs);
        }
        self.pauses.merge(&other.pauses);
        self.bursts.merge(&other.bursts);
    }

    /// Adds values of one stage, as read from an interval log.
    pub fn add_cells(&mut self, stage: Stage, cells: &Cells) {
        if let Some(at) = position(stage) {
            self.figures[at].add_cells(cells);
        }
    }

    /// The stages that have values, in the order packets pass them.
    pub fn recorded(&self) -> impl Iterator<Item = (Stage, &Histogram<u64>)> {
        MEASURED
            .into_iter()
            .zip(&self.figures)
            .filter(|(_, total)| !total.histogram.is_empty())
            .map(|(stage, total)| (stage, &total.histogram))
    }

    /// Adds pauses of the machine, as read from an interval log, which does not say how long was watched.
    pub fn add_pause_cells(&mut self, cells: &Cells) {
        self.pauses.add_cells(cells);
    }

    /// Adds to the stages what packets would have had that came `known` nanoseconds apart while a longer one went on:
    /// beside each value of more than that, those that are one, two and more intervals shorter. Only for what was measured
    /// by asking for the next when the last was done; doing it twice is wrong.
    pub fn correct_omission(&mut self, stages: &[Stage], known: u64) -> Result<(), TooShort> {
        let chosen = || stages.iter().filter_map(|stage| position(*stage));
        let added = |at: usize| {
            let cells = recorded(&self.figures[at].histogram);
            cells.fold(0u64, |sum, (value, _)| {
                sum.saturating_add(value.checked_div(known).unwrap_or(u64::MAX))
            })
        };
        let steps = chosen().map(added).fold(0, u64::saturating_add);
        if known == 0 || steps > CORRECTIONS_MAX {
            return Err(TooShort { known });
        }
        for at in chosen() {
            let histogram = &mut self.figures[at].histogram;
            *histogram = histogram.clone_correct(known);
        }
        Ok(())
    }

    /// Quantiles of a stage; all zero when it has no values.
    pub fn quantiles(&self, stage: Stage) -> Quantiles {
        position(stage).map_or_else(Quantiles::default, |at| {
            Quantiles::of(&self.figures[at].histogram)
        })
    }

    /// Values of a stage above the histograms' range: they count at its top.
    pub fn above(&self, stage: Stage) -> u64 {
        position(stage).map_or(0, |at| self.figures[at].above)
    }

    /// The largest value of a stage, also beyond the histograms' range, in ns.
    pub fn largest(&self, stage: Stage) -> u64 {
        position(stage).map_or(0, |at| self.figures[at].largest)
    }

    /// Pauses of the machine.
    pub fn pauses(&self) -> &PauseTotals {
        &self.pauses
    }

    /// How close packets came.
    pub fn bursts(&self) -> &BurstTotals {
        &self.bursts
    }

    /// Spans of a stage across two clocks that were negative.
    pub fn backwards(&self, stage: Stage) -> u64 {
        position(stage).map_or(0, |at| self.figures[at].backwards)
    }

    /// Range and resolution.
    pub fn resolution(&self) -> Resolution {
        self.resolution
    }
}

impl Total {
    /// Nothing yet.
    pub(super) fn new(resolution: Resolution) -> Total {
        Total {
            histogram: resolution.histogram(),
            above: 0,
            largest: 0,
            backwards: 0,
        }
    }

    pub(super) fn add(&mut self, figure: &Figure) {
        for cell in figure.counters.iter() {
            self.histogram
                .saturating_record_n(cell.low, cell.count.into());
        }
        self.exceptions(figure.above, figure.largest, figure.backwards);
    }

    pub(super) fn merge(&mut self, other: &Total) {
        for (value, count) in recorded(&other.histogram) {
            self.histogram.saturating_record_n(value, count);
        }
        self.exceptions(other.above, other.largest, other.backwards);
    }

    /// Adds values as read from an interval log.
    pub(super) fn add_cells(&mut self, cells: &Cells) {
        cells
            .iter()
            .for_each(|cell| self.record_n(cell.high, cell.count));
    }

    /// Adds one value `n` times.
    pub(super) fn record_n(&mut self, value: u64, n: u64) {
        self.histogram.saturating_record_n(value, n);
        self.largest = self.largest.max(value);
    }

    /// The values, those above the range at its top.
    pub(super) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Its figures; the largest is exact.
    pub(super) fn quantiles(&self) -> Quantiles {
        let q = Quantiles::of(&self.histogram);
        // The end of its cell may lie above the largest value.
        let max = self.largest;
        let [p50, p90, p99, p999, p9999] =
            [q.p50, q.p90, q.p99, q.p999, q.p9999].map(|at| at.min(max));
        Quantiles {
            p50,
            p90,
            p99,
            p999,
            p9999,
            max,
            ..q
        }
    }

    fn exceptions(&mut self, above: u64, largest: u64, backwards: u64) {
        self.above += above;
        self.largest = self.largest.max(largest);
        self.backwards += backwards;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_histogram_has_no_figures() {
        let h: Histogram<u32> = Resolution::default().histogram();
        assert_eq!(Quantiles::of(&h), Quantiles::default());
        assert!(curve(&h).is_empty());
    }

    #[test]
    fn one_to_a_thousand() {
        let mut h: Histogram<u32> = Resolution::default().histogram();
        (1..=1000).for_each(|v| h.saturating_record(v));
        let want = Quantiles {
            count: 1000,
            min: 1,
            p50: 500,
            p90: 900,
            p99: 990,
            p999: 999,
            p9999: 1000,
            max: 1000,
        };
        assert_eq!(Quantiles::of(&h), want);
        let curve = curve(&h);
        assert_eq!(curve.len(), 3 * POINTS_PER_NINE as usize + 2);
        assert_eq!(curve[0].nanos, 1);
        assert_eq!(curve[POINTS_PER_NINE as usize].nanos, 900);
        let last = curve.last().unwrap();
        assert_eq!((last.quantile, last.nanos), (1.0, 1000));
    }

    #[test]
    fn totals_pass_the_range_of_one_counter() {
        let resolution = Resolution::default();
        let mut set = StageSet::new(resolution);
        let at = position(Stage::Decoded).unwrap();
        set.figures[at].counters.add(250, u32::MAX);
        // Past the counter's end the cell stays full; quantiles must survive it.
        set.record(Stage::Decoded, 250);
        let interval = Quantiles::of(&set.histogram(Stage::Decoded).unwrap());
        assert_eq!((interval.count, interval.p9999), (u32::MAX as u64, 250));
        let mut totals = StageTotals::new(resolution);
        (0..3).for_each(|_| totals.add(&set));
        assert_eq!(totals.quantiles(Stage::Decoded).count, 3 * u32::MAX as u64);
        assert_eq!(totals.recorded().count(), 1);
    }

    proptest! {
        /// Against sorting: the quantile is the cell of the value at that rank.
        #[test]
        fn quantiles_agree_with_sorting(mut values in prop::collection::vec(0u64..10_000_000, 1..300)) {
            let mut h: Histogram<u32> = Resolution::default().histogram();
            values.iter().for_each(|v| h.saturating_record(*v));
            values.sort_unstable();
            let at = |q: f64| {
                let rank = (q * values.len() as f64).ceil().max(1.0) as usize;
                h.highest_equivalent(values[rank - 1])
            };
            let got = Quantiles::of(&h);
            prop_assert_eq!(got.count, values.len() as u64);
            prop_assert_eq!(got.min, h.lowest_equivalent(values[0]));
            prop_assert_eq!(
                [got.p50, got.p90, got.p99, got.p999, got.p9999, got.max],
                [at(0.5), at(0.9), at(0.99), at(0.999), at(0.9999), at(1.0)]
            );
            let curve = curve(&h);
            prop_assert!(curve.is_sorted_by(|a, b| a.quantile < b.quantile && a.nanos <= b.nanos));
        }
    }
}
