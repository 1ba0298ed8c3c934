//! Durations and sizes as people write them: `"250us"`, `"64KiB"`.
//!
//! A bare number is refused: a configuration that does not say its unit is read wrongly sooner or later.

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

/// A span of time in whole nanoseconds, written as a whole number and one of `ns us ms s min h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub u64);

/// A size in bytes, written as a whole number and one of `B KiB MiB GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl TimeSpan {
    /// Largest unit first, so that printing finds the shortest exact form.
    const UNITS: [(&'static str, u64); 6] = [
        ("h", 3_600_000_000_000),
        ("min", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];

    /// As the standard library's duration.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for TimeSpan {
    /// Saturates after 584 years.
    fn from(d: Duration) -> TimeSpan {
        TimeSpan(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl ByteSize {
    const UNITS: [(&'static str, u64); 4] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("B", 1),
    ];
}

/// Why a text is not a quantity with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct UnitError(&'static str);

impl FromStr for TimeSpan {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<TimeSpan, UnitError> {
        quantity(text, &TimeSpan::UNITS)
            .map(TimeSpan)
            .ok_or(UnitError(TimeSpan::EXPECTED))
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<ByteSize, UnitError> {
        quantity(text, &ByteSize::UNITS)
            .map(ByteSize)
            .ok_or(UnitError(ByteSize::EXPECTED))
    }
}

/// `None` for anything but digits and a known unit, and for what does not fit 64 bits.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn print(value: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let smallest = units[units.len() - 1];
    let exact = units
        .iter()
        .find(|(_, factor)| value != 0 && value.is_multiple_of(*factor));
    let (name, factor) = exact.unwrap_or(&smallest);
    write!(f, "{}{name}", value / factor)
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, &TimeSpan::UNITS, f)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(self.0, &ByteSize::UNITS, f)
    }
}

/// What serde needs to know of the two types.
trait Unit: FromStr<Err = UnitError> {
    const EXPECTED: &'static str;
}

impl Unit for TimeSpan {
    const EXPECTED: &'static str = "a duration such as \"250us\" (units: ns us ms s min h)";
}

impl Unit for ByteSize {
    const EXPECTED: &'static str = "a size such as \"64KiB\" (units: B KiB MiB GiB)";
}

struct UnitVisitor<T>(PhantomData<T>);

impl<T: Unit> Visitor<'_> for UnitVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse()
            .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<TimeSpan, D::Error> {
        d.deserialize_str(UnitVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<ByteSize, D::Error> {
        d.deserialize_str(UnitVisitor(PhantomData))
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!("250us".parse(), Ok(TimeSpan(250_000)));
        assert_eq!("2min".parse(), Ok(TimeSpan(120_000_000_000)));
        assert_eq!("0ns".parse(), Ok(TimeSpan(0)));
        assert_eq!("64KiB".parse(), Ok(ByteSize(65_536)));
        assert_eq!("1B".parse(), Ok(ByteSize(1)));
    }

    #[test]
    fn refuses_what_could_be_misread() {
        for text in [
            "",
            "250",
            "us",
            "-1us",
            "1.5ms",
            "1 ms",
            "1MS",
            "99999999999h",
        ] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
        for text in ["64", "64KB", "64k", "KiB", "18446744073709551615KiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_the_largest_exact_unit() {
        assert_eq!(TimeSpan(10_000_000).to_string(), "10ms");
        assert_eq!(TimeSpan(1_500_000).to_string(), "1500us");
        assert_eq!(TimeSpan(0).to_string(), "0ns");
        assert_eq!(ByteSize(8 << 20).to_string(), "8MiB");
        assert_eq!(ByteSize(1000).to_string(), "1000B");
    }

    proptest! {
        #[test]
        fn printing_and_reading_are_inverse(v in any::<u64>(), shift in 0u32..64) {
            let v = v >> shift;
            prop_assert_eq!(TimeSpan(v).to_string().parse(), Ok(TimeSpan(v)));
            prop_assert_eq!(ByteSize(v).to_string().parse(), Ok(ByteSize(v)));
        }
    }
}
