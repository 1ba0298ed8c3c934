//! Kinds of time that never mix by accident.
//!
//! [`Ticks`] is the raw time-stamp counter: cheap (12 ns), monotonic on one machine, meaningless elsewhere.
//! [`UnixNanos`] is wall-clock time, [`CardNanos`] that of a network card. They meet only in a report, through a fitted
//! line for each.

mod clock;
mod line;
mod pairing;
mod session;

pub use clock::{Clock, TickScale};
pub use line::{FitLine, FitReader, FitWriter, shared_line};
pub use pairing::{ClockFit, ClockPair, FitQuality};
pub use session::{CivilDate, DateError, Zone, ZoneError};

use std::ops::Sub;

/// A raw reading of the time-stamp counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Ticks(pub u64);

impl Ticks {
    /// Counter units from `earlier` to `self`; 0 when the readings are out of order (two cores may differ by a few).
    #[inline]
    pub const fn since(self, earlier: Ticks) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A reading of a network card's own clock, in nanoseconds of it: since the epoch in TAI or UTC, or since the card was
/// started. It can be compared with nothing but readings of the same clock. Zero means "not known".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct CardNanos(pub u64);

impl CardNanos {
    /// The sentinel for a time that is not known.
    pub const UNKNOWN: CardNanos = CardNanos(0);

    /// True unless this is [`CardNanos::UNKNOWN`].
    #[inline]
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }
}

/// Nanoseconds since the Unix epoch, UTC. Zero means "not known".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct UnixNanos(pub u64);

impl UnixNanos {
    /// The sentinel for a time that is not known.
    pub const UNKNOWN: UnixNanos = UnixNanos(0);

    /// True unless this is [`UnixNanos::UNKNOWN`].
    #[inline]
    pub const fn is_known(self) -> bool {
        self.0 != 0
    }

    /// The wall clock now. For cold paths: 30 ns, and it may step.
    pub fn now() -> UnixNanos {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        UnixNanos(since.map_or(0, |d| d.as_nanos() as u64))
    }
}

impl Sub for UnixNanos {
    type Output = i64;
    #[inline]
    fn sub(self, earlier: UnixNanos) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }
}
