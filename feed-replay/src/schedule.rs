//! The schedule of a replay: when each packet is due, and how far from it we were.
//!
//! A packet is due at start + offset / speed. Nothing is ever added up from sleeps, so an error made at one packet is
//! not carried into the next and a replay cannot drift. The arithmetic takes the time as an argument; only
//! [`Pacer`] reads a clock.

use feed_common::time::{Clock, TickScale, Ticks};
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How fast a capture is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// As fast as the system takes packets; the schedule is ignored.
    Max,
    /// A multiple of the capture's own speed, in millionths (1_000_000 is the original speed).
    Millionths(u64),
}

impl Speed {
    /// The capture's own speed.
    pub const ORIGINAL: Speed = Speed::Millionths(1_000_000);

    /// When a packet recorded `offset` nanoseconds after the first is due, in nanoseconds after the start; `None`
    /// without a schedule.
    #[inline]
    pub fn due(self, offset: u64) -> Option<u64> {
        match self {
            Speed::Max => None,
            Speed::ORIGINAL => Some(offset),
            Speed::Millionths(m) => {
                let due = offset as u128 * 1_000_000 / m.max(1) as u128;
                Some(due.min(u64::MAX as u128) as u64)
            }
        }
    }
}

impl std::str::FromStr for Speed {
    type Err = String;

    /// `max`, or a positive decimal number with up to six places.
    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        parse_millionths(text)
            .filter(|&m| m > 0)
            .map(Speed::Millionths)
            .ok_or_else(|| {
                format!("`{text}` is neither `max` nor a positive number such as 1, 10 or 0.5")
            })
    }
}

fn parse_millionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction)
}

/// What to do until a packet is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It is due now, or late.
    Due,
    /// So near that only watching the clock meets it.
    Spin,
    /// Far enough to give the core away for this many nanoseconds.
    Sleep(u64),
}

impl Wait {
    /// Longest sleep at once, so that a request to stop is heard.
    pub const SLEEP_MAX_NS: u64 = 50_000_000;

    /// What to do at `now` about a packet due at `due`, both in nanoseconds after the start, when the last `spin` are
    /// spun.
    #[inline]
    pub fn until(due: u64, now: u64, spin: u64) -> Wait {
        match due.saturating_sub(now) {
            0 => Wait::Due,
            left if left <= spin => Wait::Spin,
            left => Wait::Sleep((left - spin).min(Self::SLEEP_MAX_NS)),
        }
    }
}

/// How long before a packet is due the sleep ends and the spinning begins.
///
/// A sleep ends late, by how much depends on the machine and on what else it does: 17 µs half of the time and above 70 in
/// one of a hundred where this was written. The margin follows: it grows where a sleep was longer than it allowed for,
/// and shrinks where not, so that one of [`Margin::MISSES`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    nanos: u64,
}

impl Margin {
    /// Before anything is known.
    const FIRST_NS: u64 = 100_000;
    /// Bounds: a core is not spun for what no sleep ever is, nor for all that a machine can do to it.
    const LEAST_NS: u64 = 40_000;
    const MOST_NS: u64 = 250_000;
    const STEP_NS: u64 = 20_000;
    /// Sleeps among which one is longer than the margin allowed for.
    pub const MISSES: u64 = 200;

    /// The margin now, in nanoseconds.
    #[inline]
    pub fn nanos(self) -> u64 {
        self.nanos
    }

    /// A sleep ended `late` nanoseconds after it should have.
    #[inline]
    pub fn woke(&mut self, late: u64) {
        let moved = match late > self.nanos {
            true => self.nanos + Self::STEP_NS,
            false => self.nanos - Self::STEP_NS / Self::MISSES,
        };
        self.nanos = moved.clamp(Self::LEAST_NS, Self::MOST_NS);
    }
}

impl Default for Margin {
    fn default() -> Self {
        Margin {
            nanos: Self::FIRST_NS,
        }
    }
}

/// A running schedule: the start, and the clock it is read on.
#[derive(Debug)]
pub struct Pacer {
    clock: Clock,
    scale: TickScale,
    start: Ticks,
    margin: Margin,
}

impl Pacer {
    /// Starts now.
    pub fn start(clock: Clock) -> Pacer {
        let (scale, start) = (clock.scale(), clock.now());
        Pacer {
            clock,
            scale,
            start,
            margin: Margin::default(),
        }
    }

    /// Nanoseconds since the start.
    #[inline]
    pub fn now(&self) -> u64 {
        self.scale.nanos(self.clock.now().since(self.start))
    }

    /// Returns at `due`, and says when that was; `None` soon after `stop` was set.
    #[inline]
    pub fn wait(&mut self, due: u64, stop: &AtomicBool) -> Option<u64> {
        loop {
            let now = self.now();
            match Wait::until(due, now, self.margin.nanos()) {
                Wait::Due => return Some(now),
                // Bounded by the margin; a stop can wait that long.
                Wait::Spin => return Some(self.watch(due)),
                Wait::Sleep(nanos) => {
                    if stop.load(Ordering::Relaxed) {
                        return None;
                    }
                    std::thread::sleep(Duration::from_nanos(nanos));
                    self.margin.woke(self.now().saturating_sub(now + nanos));
                }
            }
        }
    }

    /// Reads the counter until it is `due`.
    fn watch(&self, due: u64) -> u64 {
        // Rounded up, so that it is never early.
        let end = self.start.0.saturating_add(self.scale.ticks(due));
        loop {
            let now = self.clock.now();
            if now.0 >= end {
                return self.scale.nanos(now.since(self.start));
            }
        }
    }
}

/// Collects by how much packets were sent after they were due.
#[derive(Clone, Debug)]
pub struct Lateness {
    histogram: Histogram<u64>,
    last: u64,
}

impl Lateness {
    /// Errors above this count as this.
    const HIGHEST_NS: u64 = 3_600_000_000_000;

    /// Empty, and with all the memory it will ever need.
    pub fn new() -> Lateness {
        let histogram = Histogram::new_with_bounds(1, Self::HIGHEST_NS, 3);
        Lateness {
            histogram: histogram.expect("the bounds are constants that the histogram accepts"),
            last: 0,
        }
    }

    /// A packet due at `due` was sent at `sent`. Never early: sending waits for the time.
    #[inline]
    pub fn record(&mut self, due: u64, sent: u64) {
        self.last = sent.saturating_sub(due);
        self.histogram.saturating_record(self.last);
    }

    /// The figures; `None` when nothing was on a schedule.
    pub fn report(&self) -> Option<ScheduleReport> {
        let h = &self.histogram;
        (!h.is_empty()).then(|| ScheduleReport {
            p50: h.value_at_quantile(0.5),
            p99: h.value_at_quantile(0.99),
            p999: h.value_at_quantile(0.999),
            max: h.max(),
            end: self.last,
        })
    }
}

impl Default for Lateness {
    fn default() -> Self {
        Lateness::new()
    }
}

/// Finds the busiest millisecond, of those that are whole on the clock it is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    millisecond: u64,
    packets: u64,
    most: u64,
}

impl Peak {
    /// So many packets were sent at `at`, in nanoseconds; never before the last.
    #[inline]
    pub fn count(&mut self, at: u64, packets: u64) {
        let millisecond = at / 1_000_000;
        if millisecond != self.millisecond {
            (self.millisecond, self.packets) = (millisecond, 0);
        }
        self.packets += packets;
        self.most = self.most.max(self.packets);
    }

    /// Its packets.
    pub fn most(&self) -> u64 {
        self.most
    }
}

/// How far from its schedule a replay was, in nanoseconds after the intended time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleReport {
    /// Half of the packets were at most this late.
    pub p50: u64,
    /// 99 % were.
    pub p99: u64,
    /// 99.9 % were.
    pub p999: u64,
    /// The latest packet.
    pub max: u64,
    /// The last packet: what a drift would have added up to.
    pub end: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_exactly_or_refused() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("1".parse(), Ok(Speed::ORIGINAL));
        assert_eq!("0.5".parse(), Ok(Speed::Millionths(500_000)));
        assert_eq!("2.000001".parse(), Ok(Speed::Millionths(2_000_001)));
        for bad in [
            "",
            "0",
            "0.0",
            "-1",
            "+1",
            "1e3",
            "1.0000001",
            ".5",
            "fast",
            "99999999999999999999",
            "1.2.3",
        ] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn due_times_scale_the_offset_and_never_overflow() {
        assert_eq!(Speed::Max.due(7), None);
        assert_eq!(Speed::ORIGINAL.due(7), Some(7));
        assert_eq!(Speed::Millionths(10_000_000).due(1_000_005), Some(100_000));
        assert_eq!(Speed::Millionths(500_000).due(3), Some(6));
        assert_eq!(Speed::Millionths(1).due(u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn a_late_packet_does_not_move_the_next_one() {
        // Packets every 1 ms; the first is sent 700 µs late. The second still is due at 1 ms, not at 1.7 ms.
        let speed = Speed::ORIGINAL;
        let late_by = 700_000;
        let due = speed.due(1_000_000).unwrap();
        assert_eq!(
            Wait::until(due, late_by, 100_000),
            Wait::Sleep(1_000_000 - late_by - 100_000)
        );
    }

    #[test]
    fn waiting_sleeps_then_spins_then_is_due() {
        let until = |due, now| Wait::until(due, now, 100);
        assert_eq!(until(100, 100), Wait::Due);
        assert_eq!(until(100, 101), Wait::Due);
        assert_eq!(until(101, 100), Wait::Spin);
        assert_eq!(until(100, 0), Wait::Spin);
        assert_eq!(until(101, 0), Wait::Sleep(1));
        assert_eq!(until(u64::MAX, 0), Wait::Sleep(Wait::SLEEP_MAX_NS));
    }

    #[test]
    fn the_margin_follows_how_late_sleeps_end() {
        let settled = |late: &dyn Fn(u64) -> u64| {
            let mut margin = Margin::default();
            (0..5_000).for_each(|i| margin.woke(late(i)));
            margin.nanos()
        };
        assert_eq!(settled(&|_| 0), Margin::LEAST_NS);
        assert_eq!(settled(&|_| u64::MAX), Margin::MOST_NS);
        // One in a hundred is 150 µs late, the rest 20: what is met 199 times of 200 covers these too.
        let spread = settled(&|i| if i % 100 == 0 { 150_000 } else { 20_000 });
        assert!((130_000..=180_000).contains(&spread), "{spread}");
        // One in a thousand is let go.
        let rare = settled(&|i| if i % 1_000 == 0 { 150_000 } else { 20_000 });
        assert!((40_000..=60_000).contains(&rare), "{rare}");
    }

    #[test]
    fn a_pacer_is_never_early_and_hears_a_stop() {
        let mut pacer = Pacer::start(Clock::new());
        let stop = AtomicBool::new(false);
        for due in [0, 50_000, 300_000, 2_000_000] {
            let at = pacer.wait(due, &stop).unwrap();
            assert!(due <= at && at <= pacer.now());
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(pacer.wait(pacer.now() + 3_600_000_000_000, &stop), None);
    }

    #[test]
    fn the_busiest_millisecond_is_found() {
        let mut peak = Peak::default();
        for (at, packets) in [
            (5, 3),
            (999_999, 1),
            (1_000_000, 2),
            (7_999_999, 64),
            (8_000_000, 1),
        ] {
            peak.count(at, packets);
        }
        assert_eq!(peak.most(), 64);
        assert_eq!(Peak::default().most(), 0);
    }

    #[test]
    fn lateness_reports_percentiles_and_the_end() {
        let mut lateness = Lateness::new();
        assert_eq!(lateness.report(), None);
        for i in 0..1_000u64 {
            lateness.record(i * 10, i * 10 + if i < 990 { 1 } else { 500 });
        }
        lateness.record(0, 40);
        let r = lateness.report().unwrap();
        assert_eq!((r.p50, r.p999, r.max, r.end), (1, 500, 500, 40));
        lateness.record(0, u64::MAX); // above the range: counted at its end, not lost
        assert!(lateness.report().unwrap().max >= Lateness::HIGHEST_NS);
    }
}
