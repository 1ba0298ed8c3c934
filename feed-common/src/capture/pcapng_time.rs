//! Times of pcapng: a counter of any resolution, shifted by whole seconds.

use crate::time::UnixNanos;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How an interface's counter becomes nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeScale {
    unit: Unit,
    /// Nanoseconds to add.
    offset: i128,
}

/// Nanoseconds of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// So many.
    Times(u64),
    /// One in so many units.
    Per(u64),
    /// A second in 2^n units, n below 128.
    Binary(u8),
}

impl TimeScale {
    /// Microseconds since the epoch, where an interface says nothing else.
    pub(super) const MICROS: TimeScale = TimeScale {
        unit: Unit::Times(1_000),
        offset: 0,
    };

    /// From the options of an interface: `tsresol` as its byte (bit 7 clear: 10^-v seconds, set: 2^-(v & 127)), `tsoffset`
    /// in seconds.
    pub(super) fn new(tsresol: u8, tsoffset: i64) -> TimeScale {
        let unit = match (tsresol & 0x80 != 0, tsresol & 0x7F) {
            (true, power) => Unit::Binary(power),
            (false, power @ 0..=9) => Unit::Times(10u64.pow(9 - u32::from(power))),
            (false, power @ 10..=28) => Unit::Per(10u64.pow(u32::from(power) - 9)),
            // All of a counter is less than a nanosecond, as it is in this unit.
            (false, _) => Unit::Binary(127),
        };
        TimeScale {
            unit,
            offset: i128::from(tsoffset) * i128::from(NANOS_PER_SECOND),
        }
    }

    /// The time of a counter, cut off to nanoseconds; times outside the range saturate, and 0 is "not known".
    #[inline]
    pub(super) fn nanos(self, counter: u64) -> UnixNanos {
        let counter = u128::from(counter);
        // None of these can overflow: a counter has 64 bits, a factor at most 30, and a shift at most 127.
        let nanos = match self.unit {
            Unit::Times(factor) => counter * u128::from(factor),
            Unit::Per(divisor) => counter / u128::from(divisor),
            Unit::Binary(power) => (counter * u128::from(NANOS_PER_SECOND)) >> power,
        };
        let nanos = nanos as i128 + self.offset;
        UnixNanos(nanos.clamp(0, i128::from(u64::MAX)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn resolutions_by_hand() {
        let micros = TimeScale::new(6, 0);
        assert_eq!(micros, TimeScale::MICROS);
        assert_eq!(
            micros.nanos(1_700_000_000_123_456).0,
            1_700_000_000_123_456_000
        );
        assert_eq!(TimeScale::new(0, 0).nanos(3).0, 3_000_000_000);
        assert_eq!(TimeScale::new(9, 0).nanos(7).0, 7);
        assert_eq!(TimeScale::new(12, 0).nanos(1_999).0, 1);
        assert_eq!(TimeScale::new(28, 0).nanos(u64::MAX).0, 1);
        assert_eq!(TimeScale::new(29, 0).nanos(u64::MAX).0, 0);
        assert_eq!(TimeScale::new(127, 0).nanos(u64::MAX).0, 0);
        assert_eq!(TimeScale::new(0x80, 0).nanos(2).0, 2_000_000_000);
        assert_eq!(TimeScale::new(0x80 | 10, 0).nanos(1_536).0, 1_500_000_000);
        assert_eq!(TimeScale::new(0x80 | 63, 0).nanos(1 << 63).0, 1_000_000_000);
        assert_eq!(TimeScale::new(0xFF, 0).nanos(u64::MAX).0, 0);
    }

    #[test]
    fn what_leaves_the_range_saturates() {
        assert_eq!(TimeScale::new(0, 0).nanos(u64::MAX).0, u64::MAX);
        assert_eq!(TimeScale::new(6, 0).nanos(u64::MAX).0, u64::MAX);
        assert_eq!(TimeScale::new(9, i64::MAX).nanos(1).0, u64::MAX);
        assert_eq!(TimeScale::new(9, i64::MIN).nanos(u64::MAX).0, 0);
        assert_eq!(TimeScale::new(9, -1).nanos(1_500_000_000).0, 500_000_000);
        assert_eq!(TimeScale::new(9, 2).nanos(5).0, 2_000_000_005);
    }

    proptest! {
        /// Binary resolutions against decimal long division, one digit at a time.
        #[test]
        fn binary_resolutions(counter: u64, power in 0u8..=63) {
            let units = 1u128 << power;
            let mut rest = u128::from(counter) % units;
            let mut nanos = u128::from(counter) / units;
            for _ in 0..9 {
                rest *= 10;
                nanos = nanos * 10 + rest / units;
                rest %= units;
            }
            let want = u64::try_from(nanos).unwrap_or(u64::MAX);
            prop_assert_eq!(TimeScale::new(0x80 | power, 0).nanos(counter).0, want);
        }

        #[test]
        fn every_resolution_and_offset_gives_a_time(counter: u64, tsresol: u8, tsoffset: i64) {
            TimeScale::new(tsresol, tsoffset).nanos(counter);
        }
    }
}
