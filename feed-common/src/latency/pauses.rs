//! Pauses of the machine, seen by the very loop that is paused.
//!
//! A hot loop asks for packets again and again, and each round that brings none takes as long as the one before. A round
//! that takes longer was not slowed by the code: its core was away, at an interrupt, another thread, another guest of the
//! host, or in firmware. The loop reads the clock at the end of such a round anyway, so the meter costs a subtraction and
//! a comparison, needs no thread of its own, and disturbs nobody on a core that spins.
//!
//! What it does not see: pauses while packets are handled (a slow packet and a paused one look the same from within),
//! and those of cores on which no lane runs. How much of the time was watched is counted, so that this can be judged.

use super::payload::Cells;
use super::set::{Figure, Resolution};
use super::summary::{Quantiles, Total};
use crate::time::{TickScale, Ticks};
use hdrhistogram::Histogram;

/// By how much longer than usual a round must be to count as a pause: above what caches and branches do to a round, far
/// below the tick of the kernel.
pub const PAUSE_NANOS: u64 = 2_000;

/// What a round is given for each packet it brings, which the kernel copied in it: twice what that takes with cold caches.
pub const PACKET_NANOS: u64 = 2_000;

/// The name of pauses in the interval log. It is no stage: nothing compares it or sets it a limit.
pub const PAUSE_TAG: &str = "pause";

/// Finds the pauses in the times at which a loop's rounds end. It owns no clock.
#[derive(Clone, Debug)]
pub struct PauseMeter {
    scale: TickScale,
    /// In ticks, as all below.
    threshold: u64,
    packet: u64,
    /// The end of the last round, where nothing but asking has been done since.
    since: Option<Ticks>,
    /// What half of the rounds without packets take; 0 before the first.
    usual: u64,
    watched: u64,
}

impl PauseMeter {
    /// For times of a clock of this scale.
    pub fn new(scale: TickScale) -> PauseMeter {
        PauseMeter {
            scale,
            threshold: scale.ticks(PAUSE_NANOS),
            packet: scale.ticks(PACKET_NANOS),
            since: None,
            usual: 0,
            watched: 0,
        }
    }

    /// A round that brought no packets ended at `at`; by how many nanoseconds it was too long, if it was a pause.
    #[inline]
    pub fn nothing(&mut self, at: Ticks) -> Option<u64> {
        let since = self.since.replace(at)?;
        let took = at.since(since);
        self.watched += took;
        if self.usual == 0 {
            self.usual = took;
            return None;
        }
        let above = took.saturating_sub(self.usual);
        // A median that follows: a share of itself up or down with each round, however far off that was.
        let step = 1 + self.usual / 256;
        match took > self.usual {
            true => self.usual += step,
            false => self.usual = self.usual.saturating_sub(step).max(1),
        }
        self.pause(above)
    }

    /// A round brought `n` packets, which were there at `at`; by how many nanoseconds it was too long, if it was a pause.
    /// Time is not watched again before [`PauseMeter::goes_on`].
    #[inline]
    pub fn packets(&mut self, n: usize, at: Ticks) -> Option<u64> {
        let since = self.since.take()?;
        let took = at.since(since);
        self.watched += took;
        if self.usual == 0 {
            return None;
        }
        self.pause(took.saturating_sub(self.usual + n as u64 * self.packet))
    }

    /// The packets of a round were handled at `at`: the next round begins.
    #[inline]
    pub fn goes_on(&mut self, at: Ticks) {
        self.since = Some(at);
    }

    /// The loop did something else in this round: how long it takes says nothing.
    #[inline]
    pub fn own_work(&mut self) {
        self.since = None;
    }

    /// How long rounds were watched since this was last called, in nanoseconds, pauses included.
    pub fn take_watched(&mut self) -> u64 {
        self.scale.nanos(std::mem::take(&mut self.watched))
    }

    #[inline]
    fn pause(&self, above: u64) -> Option<u64> {
        (above > self.threshold).then(|| self.scale.nanos(above))
    }
}

/// The pauses of one interval.
#[derive(Clone, Debug)]
pub(super) struct Pauses {
    pub(super) figure: Figure,
    /// How long rounds were watched, in ns.
    pub(super) watched: u64,
    /// How long all pauses were together, in ns.
    pub(super) lasted: u64,
}

impl Pauses {
    pub(super) fn new(resolution: Resolution) -> Pauses {
        Pauses {
            figure: Figure::new(resolution),
            watched: 0,
            lasted: 0,
        }
    }

    pub(super) fn record(&mut self, nanos: u64, highest: u64) {
        self.lasted = self.lasted.saturating_add(nanos);
        self.figure.record(nanos, highest);
    }

    pub(super) fn reset(&mut self) {
        self.figure.reset();
        (self.watched, self.lasted) = (0, 0);
    }

    pub(super) fn add(&mut self, other: &Pauses) {
        self.figure.add(&other.figure);
        self.watched = self.watched.saturating_add(other.watched);
        self.lasted = self.lasted.saturating_add(other.lasted);
    }
}

/// The pauses of a run.
#[derive(Clone, Debug)]
pub struct PauseTotals {
    total: Total,
    watched: u64,
    lasted: u64,
}

impl PauseTotals {
    pub(super) fn new(resolution: Resolution) -> PauseTotals {
        PauseTotals {
            total: Total::new(resolution),
            watched: 0,
            lasted: 0,
        }
    }

    pub(super) fn add(&mut self, interval: &Pauses) {
        self.total.add(&interval.figure);
        self.watched = self.watched.saturating_add(interval.watched);
        self.lasted = self.lasted.saturating_add(interval.lasted);
    }

    pub(super) fn merge(&mut self, other: &PauseTotals) {
        self.total.merge(&other.total);
        self.watched = self.watched.saturating_add(other.watched);
        self.lasted = self.lasted.saturating_add(other.lasted);
    }

    pub(super) fn add_cells(&mut self, cells: &Cells) {
        self.total.add_cells(cells);
    }

    /// How long they were, in ns.
    pub fn quantiles(&self) -> Quantiles {
        Quantiles::of(self.histogram())
    }

    /// The same as a histogram.
    pub fn histogram(&self) -> &Histogram<u64> {
        self.total.histogram()
    }

    /// How long the loops were watched, in ns, added up over all of them; pauses are part of it.
    pub fn watched_nanos(&self) -> u64 {
        self.watched
    }

    /// How long all pauses were together, in ns.
    pub fn lasted_nanos(&self) -> u64 {
        self.lasted
    }
}

#[cfg(test)]
#[path = "pauses_tests.rs"]
mod tests;
