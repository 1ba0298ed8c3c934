//! Where ticks and wall-clock time meet: pairs of readings, and the line fitted through them.
//!
//! quanta calibrates the counter once, and against the wall clock that calibration drifts tens of parts per million,
//! 2 µs in 100 ms. So a cold thread takes a [`ClockPair`] every 100 ms, [`ClockFit`] keeps the last ones, and hot
//! threads get the line through [`super::shared_line`].

use super::{Clock, FitLine, TickScale, Ticks, UnixNanos};
use std::collections::VecDeque;

/// One reading of the wall clock between two readings of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockPair {
    /// Middle of the two counter readings.
    pub ticks: Ticks,
    /// The wall clock between them.
    pub unix: UnixNanos,
    /// Half the distance of the two counter readings: the pair is certain to this many ticks.
    pub uncertainty: u64,
}

impl ClockPair {
    /// Tries of [`ClockPair::sample`]: at 50 ns each, enough that one of them is not interrupted.
    const TRIES: usize = 8;

    /// Takes a few pairs and keeps the tightest. For a cold thread: about 0.5 µs.
    pub fn sample(clock: &Clock) -> ClockPair {
        Self::sample_of(clock, UnixNanos::now)
    }

    /// The same of any other clock, of which `wall` is a reading in nanoseconds.
    pub fn sample_of(clock: &Clock, wall: impl FnMut() -> UnixNanos) -> ClockPair {
        Self::tightest(|| clock.now(), wall)
    }

    fn tightest(
        mut counter: impl FnMut() -> Ticks,
        mut wall: impl FnMut() -> UnixNanos,
    ) -> ClockPair {
        let mut best: Option<ClockPair> = None;
        for _ in 0..Self::TRIES {
            let before = counter();
            let unix = wall();
            let half = counter().since(before) / 2;
            let pair = ClockPair {
                ticks: Ticks(before.0 + half),
                unix,
                uncertainty: half,
            };
            if best.is_none_or(|b| pair.uncertainty < b.uncertainty) {
                best = Some(pair);
            }
        }
        best.expect("at least one try")
    }
}

/// A line through the last pairs, by least squares weighted with their certainty.
///
/// With one pair the line passes through it at the counter's nominal rate. When the wall clock is set (a step, not a
/// slew), older pairs say nothing about it any more: the window starts again and the step is counted.
#[derive(Clone, Debug)]
pub struct ClockFit {
    nominal: f64,
    window: VecDeque<ClockPair>,
    capacity: usize,
    line: FitLine,
    steps: u64,
}

/// How well the line fits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FitQuality {
    /// Pairs in the window.
    pub pairs: usize,
    /// How much faster the wall clock runs than the counter's calibration says, in parts per million; 0 with fewer than
    /// two pairs.
    pub drift_ppm: f64,
    /// Largest distance of a pair from the line, in ns.
    pub residual_max: f64,
    /// Root mean square of the distances, in ns.
    pub residual_rms: f64,
    /// Largest uncertainty of a pair in the window, in ns.
    pub uncertainty: f64,
    /// Times the wall clock was set.
    pub steps: u64,
    /// What the wall clock reads where the counter is 0, by the line; unknown before the first pair.
    pub offset: UnixNanos,
}

impl ClockFit {
    /// A second of slewing at the usual 500 ppm limit moves the clock by 500 µs; what exceeds this share of the time
    /// since the last pair, by more than [`ClockFit::STEP_FLOOR`], is a step.
    const SLEW_SHARE: f64 = 500e-6;

    /// Nanoseconds a pair may always be off the line.
    const STEP_FLOOR: f64 = 200_000.0;

    /// Nanoseconds added to every pair's uncertainty: the wall clock's own grain. Also bounds the weights.
    const GRAIN: f64 = 20.0;

    /// Keeps at most `capacity` pairs (at least 2), at 100 ms 600 are one minute: long against the noise of a pair,
    /// short against the wander of a crystal. `scale` is the counter's nominal rate.
    pub fn new(scale: TickScale, capacity: usize) -> ClockFit {
        let capacity = capacity.max(2);
        ClockFit {
            nominal: scale.nanos(1 << 32) as f64 / (1u64 << 32) as f64,
            window: VecDeque::with_capacity(capacity),
            capacity,
            line: FitLine::default(),
            steps: 0,
        }
    }

    /// Takes up a pair and fits again. A pair that is not later than the last is ignored.
    pub fn push(&mut self, pair: ClockPair) {
        if let Some(last) = self.window.back() {
            if pair.ticks <= last.ticks {
                return;
            }
            let elapsed = pair.ticks.since(last.ticks) as f64 * self.nominal;
            let off = (pair.unix - self.line.to_unix(pair.ticks)) as f64;
            let allowed = Self::STEP_FLOOR
                + Self::SLEW_SHARE * elapsed
                + 2.0 * pair.uncertainty as f64 * self.nominal;
            if off.abs() > allowed {
                self.steps += 1;
                self.window.clear();
            }
        }
        if self.window.len() == self.capacity {
            self.window.pop_front();
        }
        self.window.push_back(pair);
        self.fit();
    }

    /// The line; [`FitLine::is_known`] is false before the first pair.
    pub fn line(&self) -> FitLine {
        self.line
    }

    /// Wall-clock time of a reading; [`UnixNanos::UNKNOWN`] before the first pair.
    pub fn to_unix(&self, at: Ticks) -> UnixNanos {
        self.line.to_unix(at)
    }

    /// How well the line fits its window.
    pub fn quality(&self) -> FitQuality {
        let mut q = FitQuality {
            pairs: self.window.len(),
            steps: self.steps,
            offset: self.line.to_unix(Ticks(0)),
            ..FitQuality::default()
        };
        if self.window.is_empty() {
            return q;
        }
        if self.window.len() >= 2 {
            q.drift_ppm = (self.line.rate() / self.nominal - 1.0) * 1e6;
        }
        let mut squares = 0.0;
        for p in &self.window {
            let off = (p.unix - self.line.to_unix(p.ticks)) as f64;
            q.residual_max = q.residual_max.max(off.abs());
            q.uncertainty = q.uncertainty.max(p.uncertainty as f64 * self.nominal);
            squares += off * off;
        }
        q.residual_rms = (squares / self.window.len() as f64).sqrt();
        q
    }

    fn fit(&mut self) {
        let Some(newest) = self.window.back().copied() else {
            return;
        };
        // Everything is taken relative to the newest pair and to the nominal rate, so that the sums are small numbers
        // and a double keeps them to a fraction of a nanosecond.
        let (mut w, mut wx, mut wy) = (0.0, 0.0, 0.0);
        for (x, y, weight) in self.deviations(newest) {
            w += weight;
            wx += weight * x;
            wy += weight * y;
        }
        let (mean_x, mean_y) = (wx / w, wy / w);
        let (mut sxx, mut sxy) = (0.0, 0.0);
        for (x, y, weight) in self.deviations(newest) {
            sxx += weight * (x - mean_x) * (x - mean_x);
            sxy += weight * (x - mean_x) * (y - mean_y);
        }
        // One pair has no slope of its own.
        let slope = if sxx > 0.0 { sxy / sxx } else { 0.0 };
        let at_newest = (mean_y - slope * mean_x).round() as i64;
        self.line = FitLine::new(
            newest.ticks,
            UnixNanos(newest.unix.0.saturating_add_signed(at_newest)),
            self.nominal + slope,
        );
    }

    /// Per pair: ticks since `newest` (negative), the wall clock's deviation from the nominal line through `newest` in
    /// ns, and the weight.
    fn deviations(&self, newest: ClockPair) -> impl Iterator<Item = (f64, f64, f64)> {
        self.window.iter().map(move |p| {
            let x = -(newest.ticks.since(p.ticks) as f64);
            let y = (p.unix - newest.unix) as f64 - x * self.nominal;
            let sigma = p.uncertainty as f64 * self.nominal + Self::GRAIN;
            (x, y, 1.0 / (sigma * sigma))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EPOCH: u64 = 1_700_000_000_000_000_000;
    /// 2.5 ticks per nanosecond.
    const TENTH: u64 = 250_000_000;

    fn scale() -> TickScale {
        TickScale::from_ratio(2, 5)
    }

    /// What a wall clock `ppm` faster than nominal shows at `ticks`.
    fn wall(ticks: u64, ppm: f64) -> u64 {
        EPOCH + (ticks as f64 * 0.4 * (1.0 + ppm * 1e-6)).round() as u64
    }

    fn pair(ticks: u64, unix: u64) -> ClockPair {
        ClockPair {
            ticks: Ticks(ticks),
            unix: UnixNanos(unix),
            uncertainty: 50,
        }
    }

    #[test]
    fn no_pair_no_time_one_pair_nominal_rate() {
        let mut fit = ClockFit::new(scale(), 10);
        assert_eq!(fit.to_unix(Ticks(7)), UnixNanos::UNKNOWN);
        assert_eq!(fit.quality(), FitQuality::default());
        fit.push(pair(1_000, EPOCH));
        assert_eq!(fit.to_unix(Ticks(1_000)), UnixNanos(EPOCH));
        let later = fit.to_unix(Ticks(1_000 + 2_500_000)) - UnixNanos(EPOCH + 1_000_000);
        assert!(later.abs() <= 1, "{later}");
        assert_eq!(fit.quality().drift_ppm, 0.0);
        assert_eq!(fit.quality().offset, UnixNanos(EPOCH - 400));
    }

    #[test]
    fn drift_is_found_and_followed() {
        for ppm in [-80.0, -18.8, 0.0, 42.0] {
            let mut fit = ClockFit::new(scale(), 50);
            for i in 0..200u64 {
                fit.push(pair(i * TENTH, wall(i * TENTH, ppm)));
            }
            let q = fit.quality();
            assert!(
                (q.drift_ppm - ppm).abs() < 0.01,
                "{} for {ppm}",
                q.drift_ppm
            );
            assert_eq!((q.pairs, q.steps), (50, 0));
            assert!(q.residual_max < 2.0, "{}", q.residual_max);
            let ahead = 205 * TENTH;
            let off = fit.to_unix(Ticks(ahead)) - UnixNanos(wall(ahead, ppm));
            assert!(off.abs() <= 2, "{off} ns at {ppm} ppm");
        }
    }

    #[test]
    fn a_step_starts_the_window_again() {
        let mut fit = ClockFit::new(scale(), 50);
        (0..20).for_each(|i| fit.push(pair(i * TENTH, wall(i * TENTH, 10.0))));
        // The administrator sets the clock back by a second.
        let step = 1_000_000_000;
        fit.push(pair(20 * TENTH, wall(20 * TENTH, 10.0) - step));
        assert_eq!((fit.quality().pairs, fit.quality().steps), (1, 1));
        (21..40).for_each(|i| fit.push(pair(i * TENTH, wall(i * TENTH, 10.0) - step)));
        let q = fit.quality();
        assert_eq!((q.pairs, q.steps), (20, 1));
        assert!((q.drift_ppm - 10.0).abs() < 0.05 && q.residual_max < 2.0);
    }

    #[test]
    fn slewing_at_the_limit_is_not_a_step() {
        let mut fit = ClockFit::new(scale(), 20);
        (0..20).for_each(|i| fit.push(pair(i * TENTH, wall(i * TENTH, 0.0))));
        let base = wall(19 * TENTH, 0.0) - EPOCH;
        for i in 1..40u64 {
            let since = wall(i * TENTH, 500.0) - EPOCH;
            fit.push(pair((19 + i) * TENTH, EPOCH + base + since));
        }
        let q = fit.quality();
        assert_eq!(q.steps, 0);
        assert!((q.drift_ppm - 500.0).abs() < 1.0, "{}", q.drift_ppm);
    }

    #[test]
    fn an_interrupted_pair_hardly_counts() {
        let mut fit = ClockFit::new(scale(), 50);
        (0..30).for_each(|i| fit.push(pair(i * TENTH, wall(i * TENTH, 5.0))));
        // The thread lost its core between the readings: the pair is 100 µs off, and says so.
        fit.push(ClockPair {
            uncertainty: 250_000,
            ..pair(30 * TENTH, wall(30 * TENTH, 5.0) + 100_000)
        });
        let off = fit.to_unix(Ticks(31 * TENTH)) - UnixNanos(wall(31 * TENTH, 5.0));
        assert!(off.abs() < 20, "{off} ns");
    }

    #[test]
    fn pairs_out_of_order_are_ignored() {
        let mut fit = ClockFit::new(scale(), 4);
        fit.push(pair(1_000, EPOCH));
        fit.push(pair(1_000, EPOCH + 5));
        fit.push(pair(900, EPOCH + 9));
        assert_eq!(fit.quality().pairs, 1);
    }

    #[test]
    fn the_tightest_try_wins() {
        let widths = [900, 300, 40, 500, 600, 700, 800, 900u64];
        let (mut reads, mut now) = (0, 0u64);
        let counter = || {
            now += if reads % 2 == 1 {
                widths[reads / 2]
            } else {
                10_000
            };
            reads += 1;
            Ticks(now)
        };
        let mut walls = 0;
        let pair = ClockPair::tightest(counter, || {
            walls += 1;
            UnixNanos(walls)
        });
        assert_eq!((pair.unix, pair.uncertainty), (UnixNanos(3), 20));
        assert_eq!(pair.ticks, Ticks(31_220), "middle of the third try");
    }

    #[test]
    fn the_machine_s_own_clocks_fit() {
        let clock = Clock::new();
        let mut fit = ClockFit::new(clock.scale(), 16);
        for _ in 0..8 {
            fit.push(ClockPair::sample(&clock));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let off = (fit.to_unix(clock.now()) - UnixNanos::now()).abs();
        assert!(
            off < 1_000_000,
            "{off} ns: the line must meet the wall clock"
        );
    }

    proptest! {
        /// Noise within the stated uncertainty keeps the line within it too.
        #[test]
        fn noise_stays_noise(ppm in -100.0f64..100.0, noise in prop::collection::vec(-20i64..=20, 30)) {
            let mut fit = ClockFit::new(scale(), 30);
            for (i, n) in noise.iter().enumerate() {
                let t = i as u64 * TENTH;
                fit.push(pair(t, wall(t, ppm).saturating_add_signed(*n)));
            }
            for i in 0..30 {
                let off = fit.to_unix(Ticks(i * TENTH)) - UnixNanos(wall(i * TENTH, ppm));
                prop_assert!(off.abs() <= 21, "{} ns at pair {}", off, i);
            }
        }
    }
}
