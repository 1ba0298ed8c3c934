//! What one thread has recorded in one interval: a histogram per stage, all memory taken beforehand.

use super::Stage;
use super::bursts::Bursts;
use super::counters::Counters;
use super::pauses::Pauses;
use crate::time::{Ticks, UnixNanos};
use hdrhistogram::Histogram;

/// Stages that have a figure: all but [`Stage::Kernel`], which is only an origin.
pub const MEASURED: [Stage; 9] = [
    Stage::Exchange,
    Stage::Card,
    Stage::Receive,
    Stage::Dequeue,
    Stage::Decoded,
    Stage::Published,
    Stage::Taken,
    Stage::Message,
    Stage::GapClosed,
];

/// Position of a stage in [`MEASURED`]; `None` for [`Stage::Kernel`].
#[inline]
pub(super) const fn position(stage: Stage) -> Option<usize> {
    (stage as usize).checked_sub(Stage::Exchange as usize)
}

/// Range and resolution of the histograms of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    highest_nanos: u64,
    digits: u8,
}

/// A resolution that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolutionError {
    /// Outside 1 to 4: more would take 10 MB a stage, less says nothing about a latency.
    #[error("latency digits must be 1 to 4, not {0}")]
    Digits(u8),
    /// Outside 1 µs to one hour.
    #[error("highest latency must be 1000 ns to 3600 s, not {0} ns")]
    Highest(u64),
}

impl Resolution {
    /// Values from 0 to `highest_nanos` told apart to `digits` decimal digits. Three digits up to 10 s take 100 KB a
    /// stage (of which only the part that is used comes into the cache), two digits 14 KB.
    pub const fn new(highest_nanos: u64, digits: u8) -> Result<Resolution, ResolutionError> {
        if digits < 1 || digits > 4 {
            return Err(ResolutionError::Digits(digits));
        }
        if highest_nanos < 1_000 || highest_nanos > 3_600_000_000_000 {
            return Err(ResolutionError::Highest(highest_nanos));
        }
        Ok(Resolution {
            highest_nanos,
            digits,
        })
    }

    /// The highest value told apart; what is above is counted there and counted again as above.
    pub const fn highest_nanos(self) -> u64 {
        self.highest_nanos
    }

    /// Decimal digits.
    pub const fn digits(self) -> u8 {
        self.digits
    }

    pub(super) fn histogram<C: hdrhistogram::Counter>(self) -> Histogram<C> {
        Histogram::new_with_bounds(1, self.highest_nanos, self.digits)
            .expect("the constructor has checked the bounds")
    }
}

impl Default for Resolution {
    /// 10 s at three digits.
    fn default() -> Self {
        Resolution {
            highest_nanos: 10_000_000_000,
            digits: 3,
        }
    }
}

/// The values of one stage in one interval.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) counters: Counters,
    /// Values above the range; they are counted at its end.
    pub(super) above: u64,
    /// The largest value, also beyond the range, in ns.
    pub(super) largest: u64,
    /// Spans across two clocks that came out negative: not recorded, only counted.
    pub(super) backwards: u64,
}

impl Figure {
    /// An empty one with all its pages touched, so that recording never faults one in.
    pub(super) fn new(resolution: Resolution) -> Figure {
        Figure {
            counters: Counters::new(resolution),
            above: 0,
            largest: 0,
            backwards: 0,
        }
    }

    /// Empties it; the memory stays.
    pub(super) fn reset(&mut self) {
        self.counters.reset();
        self.above = 0;
        self.largest = 0;
        self.backwards = 0;
    }

    /// Counts one value. Never allocates; a value above `highest`, the end of the range, is counted there and as above.
    #[inline]
    pub(super) fn record(&mut self, nanos: u64, highest: u64) {
        self.record_n(nanos, 1, highest);
    }

    /// Counts one value `n` times.
    #[inline]
    pub(super) fn record_n(&mut self, value: u64, n: u64, highest: u64) {
        // Hardly ever, and a branch is foreseen where a store would be waited for by the next.
        if value > self.largest {
            self.largest = value;
        }
        if value > highest {
            self.above += n;
        }
        self.counters.add(value, n.min(u32::MAX.into()) as u32);
    }

    /// Adds what another has counted.
    pub(super) fn add(&mut self, other: &Figure) {
        self.counters.merge(&other.counters);
        self.above += other.above;
        self.largest = self.largest.max(other.largest);
        self.backwards += other.backwards;
    }
}

/// Everything recorded by one thread between two snapshots.
#[derive(Clone, Debug)]
pub struct StageSet {
    pub(super) figures: [Figure; MEASURED.len()],
    pub(super) pauses: Pauses,
    pub(super) bursts: Bursts,
    resolution: Resolution,
    /// When the recorder began to fill it.
    pub(super) opened: Ticks,
    /// When the recorder gave it away.
    pub(super) closed: Ticks,
}

impl StageSet {
    /// An empty set with all its pages touched, so that recording never faults one in.
    pub fn new(resolution: Resolution) -> StageSet {
        StageSet {
            figures: std::array::from_fn(|_| Figure::new(resolution)),
            pauses: Pauses::new(resolution),
            bursts: Bursts::new(resolution),
            resolution,
            opened: Ticks(0),
            closed: Ticks(0),
        }
    }

    /// Empties it; the memory stays.
    pub fn reset(&mut self) {
        self.figures.iter_mut().for_each(Figure::reset);
        self.pauses.reset();
        self.bursts.reset();
        self.opened = Ticks(0);
        self.closed = Ticks(0);
    }

    /// Counts one value. Never allocates; a value above the range is counted at its top and as above. A stage without
    /// a figure is ignored.
    #[inline]
    pub fn record(&mut self, stage: Stage, nanos: u64) {
        if let Some(figure) = position(stage).and_then(|at| self.figures.get_mut(at)) {
            figure.record(nanos, self.resolution.highest_nanos);
        }
    }

    /// Counts the time from a stamp of one clock to one of another; a negative one is only counted as such, since
    /// it says how far the clocks disagree and not how long anything took. Does nothing where either is not known.
    #[inline]
    pub fn record_across(&mut self, stage: Stage, from: UnixNanos, to: UnixNanos) {
        let Some(figure) = position(stage).and_then(|at| self.figures.get_mut(at)) else {
            return;
        };
        if !from.is_known() || !to.is_known() {
            return;
        }
        // Not `to - from`, which wraps: the exchange's time is whatever a packet says.
        match to.0.checked_sub(from.0) {
            Some(nanos) => figure.record(nanos, self.resolution.highest_nanos),
            None => figure.backwards += 1,
        }
    }

    /// Adds what another thread recorded in the same interval. Both must have the same resolution.
    pub fn add(&mut self, other: &StageSet) {
        for (mine, theirs) in self.figures.iter_mut().zip(&other.figures) {
            mine.add(theirs);
        }
        self.pauses.add(&other.pauses);
        self.bursts.add(&other.bursts);
        if self.opened == Ticks(0) || (other.opened != Ticks(0) && other.opened < self.opened) {
            self.opened = other.opened;
        }
        self.closed = self.closed.max(other.closed);
    }

    /// The histogram of a stage, in ns; `None` for [`Stage::Kernel`]. Made when it is asked for: for a cold thread.
    pub fn histogram(&self, stage: Stage) -> Option<Histogram<u32>> {
        position(stage).map(|at| self.figures[at].counters.histogram())
    }

    /// Values of a stage above the range.
    pub fn above(&self, stage: Stage) -> u64 {
        position(stage).map_or(0, |at| self.figures[at].above)
    }

    /// A pause of the machine that took so long.
    pub fn record_pause(&mut self, nanos: u64) {
        self.pauses.record(nanos, self.resolution.highest_nanos);
    }

    /// Pauses of the machine, in ns; see [`super::pauses`].
    pub fn pauses(&self) -> Histogram<u32> {
        self.pauses.figure.counters.histogram()
    }

    /// How long was watched for pauses, in ns, on all threads together.
    pub fn watched_nanos(&self) -> u64 {
        self.pauses.watched
    }

    /// How close packets came; see [`super::bursts`].
    pub fn bursts(&self) -> &Bursts {
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

    /// When the interval began and ended, on the recorder's clock.
    pub fn interval(&self) -> (Ticks, Ticks) {
        (self.opened, self.closed)
    }

    /// True when no stage has a value.
    pub fn is_empty(&self) -> bool {
        self.figures.iter().all(|f| f.counters.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolution_is_checked() {
        assert_eq!(
            Resolution::new(1_000_000, 0),
            Err(ResolutionError::Digits(0))
        );
        assert_eq!(
            Resolution::new(1_000_000, 5),
            Err(ResolutionError::Digits(5))
        );
        assert_eq!(Resolution::new(999, 3), Err(ResolutionError::Highest(999)));
        for (highest, digits) in [(1_000, 1), (3_600_000_000_000, 4)] {
            let r = Resolution::new(highest, digits).expect("at the edge of what is allowed");
            assert!(StageSet::new(r).is_empty());
        }
    }

    #[test]
    fn a_value_above_the_range_is_saturated_and_counted() {
        let mut set = StageSet::new(Resolution::new(1_000_000, 3).unwrap());
        set.record(Stage::Dequeue, 1_000_000);
        set.record(Stage::Dequeue, 1_000_001);
        set.record(Stage::Dequeue, u64::MAX);
        let h = set.histogram(Stage::Dequeue).unwrap();
        assert_eq!((h.len(), set.above(Stage::Dequeue)), (3, 2));
        assert!(h.equivalent(h.max(), 1_000_000));
        assert_eq!(set.above(Stage::Decoded), 0);
    }

    #[test]
    fn every_stage_has_its_own_figure_and_the_kernel_none() {
        let mut set = StageSet::new(Resolution::default());
        for (i, stage) in Stage::ALL.into_iter().enumerate() {
            set.record(stage, 100 + i as u64);
        }
        assert!(set.histogram(Stage::Kernel).is_none());
        for (i, stage) in Stage::ALL.into_iter().enumerate().skip(1) {
            let h = set.histogram(stage).unwrap();
            assert_eq!((h.len(), h.max()), (1, 100 + i as u64), "{}", stage.name());
        }
    }

    #[test]
    fn what_crosses_clocks_is_never_negative_and_never_wraps() {
        let mut set = StageSet::new(Resolution::default());
        let mut across = |from, to| {
            set.record_across(Stage::Exchange, UnixNanos(from), UnixNanos(to));
            let h = set.histogram(Stage::Exchange).unwrap();
            (h.len(), set.backwards(Stage::Exchange))
        };
        assert_eq!(across(0, 5), (0, 0), "not known");
        assert_eq!(across(5, 0), (0, 0), "not known");
        assert_eq!(across(5, 5), (1, 0));
        assert_eq!(across(6, 5), (1, 1));
        // As differences of 64 bits these would be 1 and -2.
        assert_eq!(across(u64::MAX, 1), (1, 2));
        assert_eq!(across(1, u64::MAX), (2, 2));
        assert_eq!(set.above(Stage::Exchange), 1);
        assert_eq!(set.backwards(Stage::Receive), 0);
        set.record_across(Stage::Kernel, UnixNanos(2), UnixNanos(1));
        assert_eq!(set.backwards(Stage::Kernel), 0, "it has no figure");
    }

    #[test]
    fn sets_add_up_and_empty_again() {
        let mut a = StageSet::new(Resolution::default());
        let mut b = StageSet::new(Resolution::default());
        (a.opened, a.closed) = (Ticks(10), Ticks(20));
        (b.opened, b.closed) = (Ticks(5), Ticks(15));
        a.record(Stage::Published, 500);
        b.record(Stage::Published, 700);
        b.record(Stage::Published, u64::MAX);
        b.record_across(Stage::Receive, UnixNanos(8), UnixNanos(7));
        b.record_across(Stage::Receive, UnixNanos(u64::MAX), UnixNanos(7));
        a.add(&b);
        let h = a.histogram(Stage::Published).unwrap();
        assert_eq!((h.len(), h.min()), (3, 500));
        assert_eq!(
            (a.above(Stage::Published), a.backwards(Stage::Receive)),
            (1, 2)
        );
        assert_eq!(a.interval(), (Ticks(5), Ticks(20)));
        a.reset();
        assert!(a.is_empty() && a.backwards(Stage::Receive) == 0 && a.above(Stage::Published) == 0);
    }
}
