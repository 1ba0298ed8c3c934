//! When a line was heard, and how long it was silent.

use feed_common::time::UnixNanos;

/// The packets of a line in time. Spans are of the clock that reorder windows go by, instants are stamps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heard {
    /// First and last packet by the clock; `None` before the first.
    span: Option<(u64, u64)>,
    first: UnixNanos,
    last: UnixNanos,
    longest: Silence,
}

/// A stretch of time in which nothing came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// How long it was.
    pub nanos: u64,
    /// The stamp of the packet before it; unknown where there was none.
    pub since: UnixNanos,
}

impl Heard {
    /// A packet arrived `at`, in nanoseconds, and was stamped so.
    #[inline]
    pub fn packet(&mut self, at: u64, stamp: UnixNanos) {
        let Some((_, last)) = &mut self.span else {
            self.span = Some((at, at));
            (self.first, self.last) = (stamp, stamp);
            return;
        };
        // Captures can go back in time.
        let nanos = at.saturating_sub(*last);
        if nanos > self.longest.nanos {
            self.longest = Silence {
                nanos,
                since: self.last,
            };
        }
        *last = at;
        self.last = stamp;
    }

    /// When the last packet came, by the clock.
    pub fn last(&self) -> Option<u64> {
        self.span.map(|(_, last)| last)
    }

    /// The stamps of the first packet and of the last; unknown where nothing came.
    pub fn stamps(&self) -> (UnixNanos, UnixNanos) {
        (self.first, self.last)
    }

    /// The longest silence while others were heard: before its first packet and behind its last one too.
    pub fn silence<'a>(&self, others: impl IntoIterator<Item = &'a Heard>) -> Silence {
        let spans = others.into_iter().filter_map(|other| other.span);
        let all = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let Some((begin, end)) = all else {
            return self.longest;
        };
        let silence = |nanos, since| Silence { nanos, since };
        let around = match self.span {
            None => [silence(end.saturating_sub(begin), UnixNanos::UNKNOWN); 2],
            Some((first, last)) => [
                silence(first.saturating_sub(begin), UnixNanos::UNKNOWN),
                silence(end.saturating_sub(last), self.last),
            ],
        };
        let longer = |a: Silence, b: Silence| if b.nanos > a.nanos { b } else { a };
        around.into_iter().fold(self.longest, longer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(times: &[u64]) -> Heard {
        let mut heard = Heard::default();
        for &at in times {
            heard.packet(at, UnixNanos(1_000 + at));
        }
        heard
    }

    #[test]
    fn the_longest_silence_may_be_within_before_or_behind() {
        let since = |nanos, stamp| Silence {
            nanos,
            since: UnixNanos(stamp),
        };
        let all = heard(&[10, 100]);
        for (times, want) in [
            (&[10, 40, 45, 100][..], since(55, 1_045)),
            (&[70, 80, 100], since(60, 0)),
            (&[10, 20, 30], since(70, 1_030)),
            (&[10, 60, 40, 95], since(55, 1_040)),
            (&[], since(90, 0)),
        ] {
            let line = heard(times);
            assert_eq!(line.silence([&line, &all]), want, "{times:?}");
        }
        assert_eq!(heard(&[]).silence([&heard(&[])]), Silence::default());
        assert_eq!(all.stamps(), (UnixNanos(1_010), UnixNanos(1_100)));
    }
}
