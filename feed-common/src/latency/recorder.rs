//! A recorder per thread, and the exchange that empties it without stopping it.
//!
//! The hot thread owns one preallocated [`StageSet`] and records into it with plain stores. A cold thread offers an
//! empty set; at its next [`StageRecorder::housekeep`] the hot thread puts the empty one in place and gives the full
//! one away. Both moves are one atomic swap: the hot thread never waits, locks or allocates, and no value is lost or
//! counted twice, whoever is faster and whoever ends first.

use super::bursts::Arrivals;
use super::pauses::PauseMeter;
use super::set::{Resolution, StageSet};
use super::stage::{Probe, Stage};
use super::summary::StageTotals;
use crate::sys::handover::Slot;
use crate::time::{Clock, FitReader, TickScale, Ticks, UnixNanos};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A recorder for one hot thread and the collector that empties it.
pub fn pair(resolution: Resolution, clock: Clock) -> (StageRecorder, Collector) {
    let exchange = Arc::new(Exchange::default());
    let mut active = Box::new(StageSet::new(resolution));
    active.opened = clock.now();
    let recorder = StageRecorder {
        scale: clock.scale(),
        meter: PauseMeter::new(clock.scale()),
        arrivals: Arrivals::new(),
        clock,
        active: Some(active),
        fit: None,
        channels: Box::default(),
        channel: 0,
        exchange: exchange.clone(),
    };
    let collector = Collector {
        exchange,
        held: Some(Box::new(StageSet::new(resolution))),
        asked: false,
        over: false,
        total: StageTotals::new(resolution),
    };
    (recorder, collector)
}

/// The same where a lane has several channels: what each adds to [`Stage::Published`] is counted once more, to
/// [`CHANNEL_DIGITS`], and given to a collector of its own. Ask these before the lane's: they are answered together.
pub fn pair_by_channel(
    resolution: Resolution,
    clock: Clock,
    channels: usize,
) -> (StageRecorder, Collector, Vec<Collector>) {
    let own = Resolution::new(resolution.highest_nanos(), CHANNEL_DIGITS).unwrap_or(resolution);
    let (channels, collectors): (Vec<_>, _) =
        (0..channels).map(|_| pair(own, clock.clone())).unzip();
    let (mut recorder, collector) = pair(resolution, clock);
    recorder.channels = channels.into();
    (recorder, collector, collectors)
}

/// Digits of the figures of single channels.
pub const CHANNEL_DIGITS: u8 = 2;

/// The three places sets pass through.
#[derive(Default)]
struct Exchange {
    /// Collector to recorder: an empty set.
    offered: Slot<StageSet>,
    /// Recorder to collector: the full set in return.
    filled: Slot<StageSet>,
    /// Recorder to collector, once, when the recorder ends: the remainder.
    last: Slot<StageSet>,
}

/// Records stages on one thread. Dropping it delivers what is left.
pub struct StageRecorder {
    clock: Clock,
    scale: TickScale,
    /// `None` only while being dropped.
    active: Option<Box<StageSet>>,
    /// The line between the clocks, for kernel stamps.
    fit: Option<FitReader>,
    meter: PauseMeter,
    arrivals: Arrivals,
    /// Of each channel, where they are told apart, and the one at hand.
    channels: Box<[StageRecorder]>,
    channel: usize,
    exchange: Arc<Exchange>,
}

impl StageRecorder {
    /// Measures [`Stage::Receive`] too, by the line that `fit` follows.
    pub fn with_fit(mut self, fit: FitReader) -> StageRecorder {
        self.fit = Some(fit);
        self
    }

    /// Counts `nanos` at `stage`: a few nanoseconds, no clock, no allocation.
    #[inline]
    pub fn record(&mut self, stage: Stage, nanos: u64) {
        if let Some(active) = &mut self.active {
            active.record(stage, nanos);
        }
    }

    /// Counts the span between two readings the caller already has, saving a clock read where stages share one.
    #[inline]
    pub fn record_between(&mut self, stage: Stage, from: Ticks, to: Ticks) {
        self.record(stage, self.scale.nanos(to.since(from)));
    }

    /// A poll brought `n` packets and nothing else was done in this round of the loop; it was over at `at`. One that took
    /// longer than such rounds do was a pause of the machine.
    #[inline]
    pub fn polled(&mut self, n: usize, at: Ticks) {
        let pause = match n {
            0 => self.meter.nothing(at),
            n => self.meter.packets(n, at),
        };
        if let Some(nanos) = pause
            && let Some(active) = &mut self.active
        {
            active.record_pause(nanos);
        }
    }

    /// What the last poll brought was handled at `at`.
    #[inline]
    pub fn handled(&mut self, at: Ticks) {
        self.meter.goes_on(at);
    }

    /// The loop did something in this round besides asking for packets: its length is nobody's pause.
    #[inline]
    pub fn own_work(&mut self) {
        self.meter.own_work();
    }

    /// To be called once per poll: two relaxed loads, unless the collector asks, which is once an interval. True then.
    #[inline]
    pub fn housekeep(&mut self) -> bool {
        if let Some(fit) = &mut self.fit {
            fit.refresh();
        }
        let ends = !self.exchange.offered.seems_empty();
        if ends {
            self.hand_over();
        }
        ends
    }

    /// The factor the recorder converts ticks with.
    pub fn scale(&self) -> TickScale {
        self.scale
    }

    #[cold]
    fn hand_over(&mut self) {
        for channel in &mut self.channels {
            channel.housekeep();
        }
        let Some(mut fresh) = self.exchange.offered.take() else {
            return;
        };
        let now = self.clock.now();
        fresh.opened = now;
        if let Some(mut full) = self.active.replace(fresh) {
            full.closed = now;
            full.pauses.watched = self.meter.take_watched();
            // The collector offers again only after it has taken the answer to its last offer, so nothing is
            // displaced here.
            let displaced = self.exchange.filled.put(full);
            debug_assert!(displaced.is_none(), "an interval was not collected");
        }
    }
}

impl Probe for StageRecorder {
    #[inline]
    fn now(&self) -> Ticks {
        self.clock.now()
    }

    #[inline]
    fn mark(&mut self, stage: Stage, rx: Ticks) {
        self.record_between(stage, rx, self.clock.now());
    }

    #[inline]
    fn mark_at(&mut self, stage: Stage, rx: Ticks, at: Ticks) {
        self.record_between(stage, rx, at);
        if stage == Stage::Published
            && let Some(channel) = self.channels.get_mut(self.channel)
        {
            channel.record_between(stage, rx, at);
        }
    }

    #[inline]
    fn turn_to(&mut self, channel: usize) {
        self.channel = channel;
    }

    #[inline]
    fn span(&mut self, stage: Stage, nanos: u64) {
        self.record(stage, nanos);
    }

    /// Counts [`Stage::Receive`]: from the kernel's stamp to the return of the receive call, by the fitted line between
    /// the two clocks. A stamp that lies after the receive is impossible; it shows how far the clocks disagree and is
    /// counted apart instead of being recorded as zero. Does nothing for packets nobody stamped, or before the first
    /// fit.
    #[inline]
    fn received(&mut self, rx: Ticks, kernel: UnixNanos) {
        let (Some(fit), Some(active)) = (&self.fit, &mut self.active) else {
            return;
        };
        if !kernel.is_known() {
            return;
        }
        match fit.nanos_between(kernel, rx) {
            Some(nanos) if nanos >= 0 => active.record(Stage::Receive, nanos as u64),
            Some(_) => active.backwards += 1,
            None => {}
        }
    }

    #[inline]
    fn arrived(&mut self, at: u64) {
        if let Some(active) = &mut self.active {
            self.arrivals.arrived(at, &mut active.bursts);
        }
    }

    #[inline]
    fn crowded(&mut self, rx: Ticks, at: Ticks) {
        let nanos = self.scale.nanos(at.since(rx));
        if let Some(active) = &mut self.active {
            active.bursts.published(self.arrivals.place(), nanos);
        }
    }
}

impl Drop for StageRecorder {
    fn drop(&mut self) {
        if let Some(mut rest) = self.active.take() {
            rest.closed = self.clock.now();
            rest.pauses.watched = self.meter.take_watched();
            self.arrivals.finish(&mut rest.bursts);
            self.exchange.last.put(rest);
        }
    }
}

/// Takes finished intervals from one [`StageRecorder`] and keeps their sum. For a cold thread.
pub struct Collector {
    exchange: Arc<Exchange>,
    /// The set of the last interval, or the empty one to offer next.
    held: Option<Box<StageSet>>,
    /// An offer is out and not answered.
    asked: bool,
    over: bool,
    total: StageTotals,
}

/// What [`Collector::collect`] found.
#[derive(Debug)]
pub enum Collected<'a> {
    /// An interval; the recorder goes on.
    Interval(&'a StageSet),
    /// The last interval: the recorder has ended.
    Last(&'a StageSet),
    /// The recorder did not poll in time. Nothing is lost: the interval goes on and comes with a later call.
    Late,
    /// The recorder has ended and everything has been collected.
    Over,
}

impl<'a> Collected<'a> {
    /// The interval, if there is one.
    pub fn interval(self) -> Option<&'a StageSet> {
        match self {
            Collected::Interval(set) | Collected::Last(set) => Some(set),
            Collected::Late | Collected::Over => None,
        }
    }
}

impl Collector {
    /// Asks for the interval without waiting for it. With several recorders, ask all of them first, then collect from
    /// each: their intervals then end together.
    pub fn ask(&mut self) {
        if self.asked || self.over {
            return;
        }
        if let Some(mut empty) = self.held.take() {
            empty.reset();
            self.exchange.offered.put(empty);
            self.asked = true;
        }
    }

    /// Ends the running interval and returns it, waiting at most `timeout` for the recorder to poll. The interval is
    /// added to [`Collector::total`].
    pub fn collect(&mut self, timeout: Duration) -> Collected<'_> {
        if self.over {
            return Collected::Over;
        }
        self.ask();
        let deadline = Instant::now() + timeout;
        loop {
            // `last` first: when it is there, an answer given before it is visible too.
            if let Some(rest) = self.exchange.last.take() {
                return self.finish(rest);
            }
            if let Some(full) = self.exchange.filled.take() {
                self.asked = false;
                self.total.add(&full);
                return Collected::Interval(self.held.insert(full));
            }
            if Instant::now() >= deadline {
                return Collected::Late;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn finish(&mut self, rest: Box<StageSet>) -> Collected<'_> {
        let mut set = rest;
        if let Some(answer) = self.exchange.filled.take() {
            set.add(&answer);
        }
        self.over = true;
        self.total.add(&set);
        Collected::Last(self.held.insert(set))
    }

    /// The sum of all intervals collected so far.
    pub fn total(&self) -> &StageTotals {
        &self.total
    }

    /// True when the recorder has ended and its remainder has been collected.
    pub fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
