//! When things happen: bursts of events with silence between them, at a mean rate that is kept exactly.
//!
//! Real feeds are quiet most of the time and then send a hundred messages in a few microseconds; queues, and so tails
//! of latency, come from there. Events within a burst follow each other closely; the pause after it makes up for the
//! time the burst was ahead of the mean rate, so a session lasts as long as its message count says.

use super::rng::Rng;

/// A sequence of event times, in nanoseconds, never going back.
#[derive(Clone, Debug)]
pub struct Arrivals {
    rng: Rng,
    /// Nanoseconds per message on average.
    mean: u64,
    now: u64,
    /// Events left in the burst.
    burst: u64,
    /// Nanoseconds by which the clock is behind what the messages so far should have taken.
    owed: i64,
}

impl Arrivals {
    /// Mean gap between events of a burst at low rates; at high rates a quarter of the mean message interval.
    const WITHIN_BURST_NS: u64 = 800;
    const BURST_MEAN: u64 = 12;
    /// One burst in this many is a large one.
    const LARGE_ONE_IN: u64 = 64;
    const LARGE_MEAN: u64 = 250;

    /// Begins at `start` with `rate` messages per second (above 0).
    pub fn new(rng: Rng, start: u64, rate: u64) -> Arrivals {
        Arrivals {
            rng,
            mean: (1_000_000_000 / rate).max(1),
            now: start,
            burst: 0,
            owed: 0,
        }
    }

    /// Time of the next event, when the one before it took `messages` messages.
    pub fn next(&mut self, messages: u64) -> u64 {
        self.owed += (messages * self.mean) as i64;
        let within = (self.mean / 4).clamp(1, Self::WITHIN_BURST_NS);
        let gap = if self.burst > 0 {
            self.burst -= 1;
            self.rng.exponential(within)
        } else {
            let large = self.rng.chance(1, Self::LARGE_ONE_IN);
            let mean = if large {
                Self::LARGE_MEAN
            } else {
                Self::BURST_MEAN
            };
            self.burst = self.rng.exponential(mean);
            self.rng.exponential(self.owed.max(within as i64) as u64)
        };
        self.owed -= gap as i64;
        self.now += gap;
        self.now
    }

    /// True while the next event belongs to the same burst as the last.
    pub fn in_burst(&self) -> bool {
        self.burst > 0
    }

    /// Nothing happens before `time`; what was owed is forgotten.
    pub fn skip_to(&mut self, time: u64) {
        self.now = self.now.max(time);
        self.burst = 0;
        self.owed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_rate_is_kept_and_bursts_are_there() {
        for rate in [1_000, 100_000, 2_000_000] {
            let mut arrivals = Arrivals::new(Rng::new(5), 0, rate);
            let (n, mut last, mut close) = (200_000u64, 0, 0u64);
            for _ in 0..n {
                let t = arrivals.next(1);
                assert!(t >= last);
                close += u64::from(t - last < 1_000_000_000 / rate / 3);
                last = t;
            }
            let want = n * 1_000_000_000 / rate;
            assert!(
                last.abs_diff(want) < want / 20,
                "{rate}/s: {last} ns for {want}"
            );
            assert!(close > n / 2, "{rate}/s: {close} of {n} gaps are short");
        }
    }
}
