//! The line that converts ticks into wall-clock time, and the words in which hot threads receive it.

#[cfg(not(loom))]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering, fence},
};

#[cfg(loom)]
use loom::sync::{
    Arc,
    atomic::{AtomicU64, Ordering, fence},
};

use super::{Ticks, UnixNanos};

/// Fractional bits of [`FitLine::rate`]: an hour of ticks is off by less than a nanosecond, and rates up to 32768 ns
/// per tick fit.
const RATE_BITS: u32 = 48;

/// Wall-clock time as a line over ticks: valid near its anchor, before and after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FitLine {
    anchor: Ticks,
    unix: UnixNanos,
    /// Nanoseconds per tick, times 2^48; 0 means that there is no line yet.
    rate: u64,
}

impl FitLine {
    /// Passes through (`anchor`, `unix`) with `rate` nanoseconds per tick.
    pub fn new(anchor: Ticks, unix: UnixNanos, rate: f64) -> FitLine {
        let fixed = rate * (1u64 << RATE_BITS) as f64;
        FitLine {
            anchor,
            unix,
            // A float cast saturates; the upper bound keeps the product in `to_unix` within 128 bits.
            rate: (fixed as u64).min(i64::MAX as u64),
        }
    }

    /// False for the line published before any clock pair was taken.
    #[inline]
    pub const fn is_known(self) -> bool {
        self.rate != 0
    }

    /// Wall-clock time of a reading; [`UnixNanos::UNKNOWN`] when there is no line. Saturates at the ends of the range.
    #[inline]
    pub fn to_unix(self, at: Ticks) -> UnixNanos {
        if !self.is_known() {
            return UnixNanos::UNKNOWN;
        }
        // The counter's distance fits a signed word: at 5 GHz it takes 58 years to fill.
        let ticks = at.0.wrapping_sub(self.anchor.0) as i64;
        let nanos = (i128::from(ticks) * i128::from(self.rate)) >> RATE_BITS;
        let nanos = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        UnixNanos(self.unix.0.saturating_add_signed(nanos))
    }

    /// Nanoseconds per tick.
    pub fn rate(self) -> f64 {
        self.rate as f64 / (1u64 << RATE_BITS) as f64
    }
}

/// A line shared between the cold thread that fits it and the hot threads that use it.
pub fn shared_line() -> (FitWriter, FitReader) {
    let words = Arc::new(Words {
        sequence: AtomicU64::new(0),
        anchor: AtomicU64::new(0),
        unix: AtomicU64::new(0),
        rate: AtomicU64::new(0),
    });
    let reader = FitReader {
        words: words.clone(),
        seen: 0,
        line: FitLine::default(),
    };
    (FitWriter { words, sequence: 0 }, reader)
}

/// The line as relaxed words under a sequence number: odd while they are being written. Words instead of a copied
/// struct, because a racing copy would be undefined even when it is thrown away.
#[derive(Debug)]
struct Words {
    sequence: AtomicU64,
    anchor: AtomicU64,
    unix: AtomicU64,
    rate: AtomicU64,
}

/// The one writer of a shared line.
#[derive(Debug)]
pub struct FitWriter {
    words: Arc<Words>,
    /// What it last stored as sequence. Kept here because nobody else writes it, and because a load of its own would
    /// hide readers' earlier loads from loom's search for races.
    sequence: u64,
}

impl FitWriter {
    /// Replaces the line.
    pub fn publish(&mut self, line: FitLine) {
        let w = &*self.words;
        w.sequence
            .store(self.sequence.wrapping_add(1), Ordering::Relaxed);
        // A reader that sees any of the new words below and then fences also sees the odd number above.
        fence(Ordering::Release);
        w.anchor.store(line.anchor.0, Ordering::Relaxed);
        w.unix.store(line.unix.0, Ordering::Relaxed);
        w.rate.store(line.rate, Ordering::Relaxed);
        // A reader that acquires the even number sees the words of this line or of a later one.
        self.sequence = self.sequence.wrapping_add(2);
        w.sequence.store(self.sequence, Ordering::Release);
    }
}

/// A hot thread's copy of the line. Clone one per thread.
#[derive(Clone, Debug)]
pub struct FitReader {
    words: Arc<Words>,
    seen: u64,
    line: FitLine,
}

impl FitReader {
    /// Takes up a new line if one is published: one relaxed load when there is none. Never waits: while the writer is
    /// in the middle (it may have lost its core there) the old line stays, which is good for seconds.
    #[inline]
    pub fn refresh(&mut self) {
        if self.words.sequence.load(Ordering::Relaxed) != self.seen {
            self.reload();
        }
    }

    #[cold]
    fn reload(&mut self) {
        let w = &*self.words;
        let before = w.sequence.load(Ordering::Acquire);
        if before % 2 == 1 {
            return;
        }
        let line = FitLine {
            anchor: Ticks(w.anchor.load(Ordering::Relaxed)),
            unix: UnixNanos(w.unix.load(Ordering::Relaxed)),
            rate: w.rate.load(Ordering::Relaxed),
        };
        // Pairs with the writer's fence: had any word above come from a later line, the number would have moved.
        fence(Ordering::Acquire);
        if w.sequence.load(Ordering::Relaxed) == before {
            self.line = line;
            self.seen = before;
        }
    }

    /// The line as last refreshed.
    #[inline]
    pub fn line(&self) -> FitLine {
        self.line
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn converts_on_both_sides_of_the_anchor() {
        let line = FitLine::new(Ticks(1_000), UnixNanos(5_000_000), 0.5);
        assert_eq!(line.to_unix(Ticks(1_000)), UnixNanos(5_000_000));
        assert_eq!(line.to_unix(Ticks(3_000)), UnixNanos(5_001_000));
        assert_eq!(line.to_unix(Ticks(0)), UnixNanos(4_999_500));
        assert_eq!(line.rate(), 0.5);
    }

    #[test]
    fn saturates_instead_of_wrapping() {
        let line = FitLine::new(Ticks(u64::MAX / 2), UnixNanos(1_000), 30_000.0);
        assert_eq!(line.to_unix(Ticks(0)), UnixNanos(0));
        assert_eq!(
            line.to_unix(Ticks(u64::MAX - 1)),
            UnixNanos(1_000 + i64::MAX as u64)
        );
        let steep = FitLine::new(Ticks(0), UnixNanos(0), f64::INFINITY);
        assert_eq!(steep.to_unix(Ticks(1 << 20)), UnixNanos((1u64 << 35) - 1));
    }

    #[test]
    fn an_hour_away_is_exact_to_a_nanosecond() {
        let rate = 1.0 / 2.599_998_7;
        let line = FitLine::new(Ticks(0), UnixNanos(1_700_000_000_000_000_000), rate);
        let hour = (3600.0 * 1e9 / rate) as u64;
        let got = line.to_unix(Ticks(hour)) - UnixNanos(1_700_003_600_000_000_000);
        assert!(got.abs() <= 1, "{got} ns");
    }

    #[test]
    fn no_line_no_time() {
        let (mut writer, mut reader) = shared_line();
        assert_eq!(reader.line().to_unix(Ticks(1)), UnixNanos::UNKNOWN);
        writer.publish(FitLine::new(Ticks(10), UnixNanos(1_000), 1.0));
        assert_eq!(reader.line().to_unix(Ticks(15)), UnixNanos::UNKNOWN);
        reader.refresh();
        assert_eq!(reader.line().to_unix(Ticks(15)), UnixNanos(1_005));
    }

    /// One writer races readers; every line a reader holds must be one that was published, whole.
    #[test]
    fn lines_are_never_mixed() {
        let (mut writer, reader) = shared_line();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let mut reader = reader.clone();
                std::thread::spawn(move || {
                    let mut last = 0;
                    while last < 200_000 {
                        reader.refresh();
                        let FitLine { anchor, unix, rate } = reader.line();
                        assert_eq!((anchor.0, unix.0), (rate, rate.wrapping_mul(3)));
                        assert!(rate >= last, "went back from {last} to {rate}");
                        last = rate;
                    }
                })
            })
            .collect();
        for i in 1..=200_000u64 {
            writer.publish(FitLine {
                anchor: Ticks(i),
                unix: UnixNanos(i * 3),
                rate: i,
            });
            if i % 1_000 == 0 {
                std::thread::yield_now();
            }
        }
        for r in readers {
            r.join().expect("no mixed line");
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    /// Every interleaving of two publications with a refreshing reader.
    #[test]
    fn reader_holds_whole_lines_only() {
        loom::model(|| {
            let (mut writer, mut reader) = shared_line();
            let thread = loom::thread::spawn(move || {
                for i in 1..=2u64 {
                    writer.publish(FitLine {
                        anchor: Ticks(i),
                        unix: UnixNanos(i + 10),
                        rate: i + 20,
                    });
                }
            });
            for _ in 0..2 {
                reader.refresh();
                let FitLine { anchor, unix, rate } = reader.line();
                if rate != 0 {
                    assert_eq!((unix.0, rate), (anchor.0 + 10, anchor.0 + 20));
                }
            }
            thread.join().unwrap();
            reader.refresh();
            assert_eq!(reader.line().anchor, Ticks(2));
        });
    }
}
