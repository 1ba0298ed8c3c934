//! The tick clock of a thread and the scale from ticks to nanoseconds.

use super::Ticks;

/// Reads the time-stamp counter through quanta. Clone one per thread; reading takes no lock and makes no system call.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: quanta::Clock,
    scale: TickScale,
}

impl Clock {
    /// Calibrates once (up to 200 ms the first time in a process, then immediate).
    pub fn new() -> Clock {
        let inner = quanta::Clock::new();
        // quanta keeps its calibration to itself; a long span gives the factor to better than one part in 2^31.
        let span = 1u64 << 31;
        let nanos = inner.delta_as_nanos(0, span);
        Clock {
            inner,
            scale: TickScale::from_ratio(nanos, span),
        }
    }

    /// The counter now.
    #[inline]
    pub fn now(&self) -> Ticks {
        Ticks(self.inner.raw())
    }

    /// The factor for differences. It is calibrated once and may drift tens of parts per million, which no latency
    /// figure can show; comparing with other clocks needs a fitted line.
    #[inline]
    pub fn scale(&self) -> TickScale {
        self.scale
    }
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}

/// Ticks to nanoseconds as a fixed-point factor: one multiplication, no division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickScale {
    /// Nanoseconds per tick, times 2^32.
    factor: u64,
}

impl TickScale {
    /// `nanos` nanoseconds pass in `ticks` ticks.
    pub fn from_ratio(nanos: u64, ticks: u64) -> TickScale {
        let factor = ((nanos as u128) << 32) / (ticks.max(1) as u128);
        TickScale {
            factor: factor as u64,
        }
    }

    /// Nanoseconds per tick, times 2^32: for other processes.
    pub const fn factor(self) -> u64 {
        self.factor
    }

    /// The scale of such a factor.
    pub const fn from_factor(factor: u64) -> TickScale {
        TickScale { factor }
    }

    /// Nanoseconds in a span of ticks.
    #[inline]
    pub const fn nanos(self, ticks: u64) -> u64 {
        ((ticks as u128 * self.factor as u128) >> 32) as u64
    }

    /// Ticks in a span of nanoseconds, rounded up: for time limits that are compared in ticks.
    pub const fn ticks(self, nanos: u64) -> u64 {
        (((nanos as u128) << 32).div_ceil(self.factor as u128)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_goes_both_ways() {
        let s = TickScale::from_ratio(1_000, 2_600);
        assert_eq!(s.nanos(2_600_000_000), 999_999_999); // the factor is floored
        let t = s.ticks(1_000_000);
        assert!((2_600_000..=2_600_001).contains(&t), "{t}");
    }

    #[test]
    fn clock_agrees_with_the_system() {
        let clock = Clock::new();
        let (t0, s0) = (clock.now(), std::time::Instant::now());
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (ns, want) = (
            clock.scale().nanos(clock.now().since(t0)),
            s0.elapsed().as_nanos() as u64,
        );
        assert!(
            ns.abs_diff(want) < want / 50,
            "{ns} ticks-ns against {want}"
        );
    }
}
