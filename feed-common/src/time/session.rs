//! Session dates: exchanges that stamp nanoseconds since midnight mean midnight in their own zone.

use super::UnixNanos;
use std::fmt;
use std::str::FromStr;

const DAY_SECONDS: i64 = 86_400;

/// A day of the Gregorian calendar, from 1970-01-01 to 2553-12-31 (the last whole year [`UnixNanos`] can hold).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate {
    year: u16,
    month: u8,
    day: u8,
}

/// Text or numbers that are not a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not four, two and two digits.
    #[error("a date is written YYYY-MM-DD")]
    Form,
    /// No such day, or one outside 1970 to 2553.
    #[error("no such day between 1970-01-01 and 2553-12-31")]
    Day,
}

impl CivilDate {
    /// First and last year that [`UnixNanos`] holds in every zone.
    const FIRST_YEAR: u16 = 1970;
    const LAST_YEAR: u16 = 2553;

    /// 2553-12-31 in days since 1970-01-01.
    const LAST_DAY: i64 = 213_301;

    /// Year 1970 to 2553, month 1 to 12, day of the month from 1.
    pub const fn new(year: u16, month: u8, day: u8) -> Result<CivilDate, DateError> {
        if year < Self::FIRST_YEAR
            || year > Self::LAST_YEAR
            || month < 1
            || month > 12
            || day < 1
            || day > days_in_month(year, month)
        {
            return Err(DateError::Day);
        }
        Ok(CivilDate { year, month, day })
    }

    /// Year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// Month, January is 1.
    pub fn month(self) -> u8 {
        self.month
    }

    /// Day of the month from 1.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i64 {
        // Years are counted from March, so that the leap day is the last of its year.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let month = (i64::from(self.month) + 9) % 12;
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
    }

    /// The day `days` after 1970-01-01; an error outside the range.
    pub fn from_days(days: i64) -> Result<CivilDate, DateError> {
        if !(0..=Self::LAST_DAY).contains(&days) {
            return Err(DateError::Day);
        }
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        CivilDate::new(year as u16, month as u8, day as u8)
    }

    /// Days since Sunday.
    pub(crate) fn weekday(self) -> i64 {
        // 1970-01-01 was a Thursday.
        (self.days() + 4).rem_euclid(7)
    }

    /// The `nth` (from 1) Sunday of a month.
    fn sunday(year: u16, month: u8, nth: u8) -> CivilDate {
        let first = CivilDate {
            year,
            month,
            day: 1,
        };
        let to_sunday = (7 - first.weekday()) % 7;
        CivilDate {
            day: 1 + to_sunday as u8 + 7 * (nth - 1),
            ..first
        }
    }

    /// The last Sunday of October.
    fn last_sunday_of_october(year: u16) -> CivilDate {
        let last = CivilDate {
            year,
            month: 10,
            day: 31,
        };
        CivilDate {
            day: 31 - last.weekday() as u8,
            ..last
        }
    }
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for CivilDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<CivilDate, DateError> {
        let b = text.as_bytes();
        if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
            return Err(DateError::Form);
        }
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0u16, |n, d| match d {
                b'0'..=b'9' => Ok(n * 10 + u16::from(d - b'0')),
                _ => Err(DateError::Form),
            })
        };
        CivilDate::new(
            number(&b[..4])?,
            number(&b[5..7])? as u8,
            number(&b[8..])? as u8,
        )
    }
}

/// An instant in UTC: `2026-11-20T14:30:00.000000001Z`.
impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let of_day = seconds % DAY_SECONDS as u64;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let date = Zone::Utc.date_of(*self);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }
}

/// The zone an exchange's day begins in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Zone {
    /// No offset, no daylight saving.
    #[default]
    Utc,
    /// New York: five hours behind, four in summer.
    UsEastern,
    /// Chicago: six hours behind, five in summer.
    UsCentral,
}

/// Text that names no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a zone: us-eastern, us-central or utc")]
pub struct ZoneError;

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Zone, ZoneError> {
        let zones = [Zone::Utc, Zone::UsEastern, Zone::UsCentral];
        zones
            .into_iter()
            .find(|z| z.name() == name)
            .ok_or(ZoneError)
    }
}

impl Zone {
    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Zone::Utc => "utc",
            Zone::UsEastern => "us-eastern",
            Zone::UsCentral => "us-central",
        }
    }

    /// The instant a local day begins. Clocks change at two in the morning, so every day has exactly one midnight.
    pub fn midnight(self, date: CivilDate) -> UnixNanos {
        let Some(standard) = self.standard_offset() else {
            return at(date.days() * DAY_SECONDS);
        };
        let (spring, autumn) = daylight_days(date.year);
        // Summer time begins after midnight of its first day and ends after midnight of its last.
        let summer = spring < date && date <= autumn;
        at(date.days() * DAY_SECONDS - standard - i64::from(summer) * 3_600)
    }

    /// The local day an instant falls on. [`UnixNanos::UNKNOWN`] and other instants before the first local day count to
    /// 1970-01-01, those after 2553 to its last day.
    pub fn date_of(self, instant: UnixNanos) -> CivilDate {
        let seconds = (instant.0 / 1_000_000_000) as i64;
        let offset = self.offset(seconds);
        let days = (seconds + offset).div_euclid(DAY_SECONDS);
        CivilDate::from_days(days.clamp(0, CivilDate::LAST_DAY))
            .expect("within the calendar's range")
    }

    /// Seconds east of Greenwich in winter; `None` where there is no daylight saving.
    fn standard_offset(self) -> Option<i64> {
        match self {
            Zone::Utc => None,
            Zone::UsEastern => Some(-5 * 3_600),
            Zone::UsCentral => Some(-6 * 3_600),
        }
    }

    /// Seconds east of Greenwich at an instant.
    fn offset(self, seconds: i64) -> i64 {
        let Some(standard) = self.standard_offset() else {
            return 0;
        };
        // The year is the same by winter time unless it is New Year, when no clock changes anyway.
        let days = (seconds + standard).div_euclid(DAY_SECONDS).max(0);
        let Ok(date) = CivilDate::from_days(days) else {
            return standard;
        };
        let (spring, autumn) = daylight_days(date.year);
        // Both changes are at two by the clock then in force: winter's in spring, summer's in autumn.
        let begins = spring.days() * DAY_SECONDS + 2 * 3_600 - standard;
        let ends = autumn.days() * DAY_SECONDS + 3_600 - standard;
        standard + i64::from((begins..ends).contains(&seconds)) * 3_600
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Zone::Utc => "UTC",
            Zone::UsEastern => "America/New_York",
            Zone::UsCentral => "America/Chicago",
        })
    }
}

/// The days on which the clocks change in the United States: since 2007 by the Energy Policy Act of 2005, from 1987 by
/// the rule before it. Earlier years follow the latter too; no capture is that old.
fn daylight_days(year: u16) -> (CivilDate, CivilDate) {
    if year >= 2007 {
        (
            CivilDate::sunday(year, 3, 2),
            CivilDate::sunday(year, 11, 1),
        )
    } else {
        (
            CivilDate::sunday(year, 4, 1),
            CivilDate::last_sunday_of_october(year),
        )
    }
}

fn at(seconds: i64) -> UnixNanos {
    UnixNanos(seconds as u64 * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> CivilDate {
        text.parse().expect("a date")
    }

    #[test]
    fn known_days() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2019-12-30", 18_260),
            ("2024-02-29", 19_782),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(date(text).days(), days, "{text}");
            assert_eq!(CivilDate::from_days(days), Ok(date(text)));
            assert_eq!(date(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_date() {
        for text in [
            "",
            "2024-1-01",
            "2024/01/01",
            "20240101",
            "2024-01-0x",
            "+024-01-01",
            "２024-01",
        ] {
            assert_eq!(text.parse::<CivilDate>(), Err(DateError::Form), "{text}");
        }
        for text in [
            "2023-02-29",
            "2100-02-29",
            "2024-00-01",
            "2024-13-01",
            "2024-04-31",
            "2024-01-00",
            "1969-12-31",
            "2554-01-01",
        ] {
            assert_eq!(text.parse::<CivilDate>(), Err(DateError::Day), "{text}");
        }
        assert_eq!(CivilDate::from_days(-1), Err(DateError::Day));
        assert_eq!(CivilDate::from_days(i64::MAX), Err(DateError::Day));
    }

    #[test]
    fn clocks_change_on_the_known_sundays() {
        for (year, spring, autumn) in [
            (1987, "1987-04-05", "1987-10-25"),
            (2006, "2006-04-02", "2006-10-29"),
            (2007, "2007-03-11", "2007-11-04"),
            (2019, "2019-03-10", "2019-11-03"),
            (2026, "2026-03-08", "2026-11-01"),
        ] {
            assert_eq!(daylight_days(year), (date(spring), date(autumn)));
        }
    }

    /// Instants from `date -d 'TZ="America/New_York" ...' +%s`.
    #[test]
    fn midnights_by_known_instants() {
        for (zone, text, seconds) in [
            (Zone::Utc, "2019-12-30", 1_577_664_000),
            (Zone::UsEastern, "2019-12-30", 1_577_682_000),
            (Zone::UsEastern, "2019-07-01", 1_561_953_600),
            // The day summer time begins starts in winter time, the next one does not.
            (Zone::UsEastern, "2019-03-10", 1_552_194_000),
            (Zone::UsEastern, "2019-03-11", 1_552_276_800),
            // The day it ends starts in summer time and has 25 hours.
            (Zone::UsEastern, "2019-11-03", 1_572_753_600),
            (Zone::UsEastern, "2019-11-04", 1_572_843_600),
            (Zone::UsCentral, "2019-11-03", 1_572_757_200),
            (Zone::UsCentral, "2006-10-29", 1_162_098_000),
            (Zone::UsCentral, "2006-10-30", 1_162_188_000),
        ] {
            assert_eq!(zone.midnight(date(text)), at(seconds), "{zone} {text}");
        }
    }

    #[test]
    fn instants_around_the_changes_fall_on_the_right_day() {
        // 2019-03-10 23:59:59 EDT and the midnight after it.
        let end = 1_552_276_800;
        assert_eq!(Zone::UsEastern.date_of(at(end - 1)), date("2019-03-10"));
        assert_eq!(Zone::UsEastern.date_of(at(end)), date("2019-03-11"));
        // The 25th hour of 2019-11-03: 23:30 EST would be the next day in summer time.
        assert_eq!(
            Zone::UsEastern.date_of(at(1_572_843_600 - 1_800)),
            date("2019-11-03")
        );
        assert_eq!(Zone::UsEastern.date_of(UnixNanos(0)), date("1970-01-01"));
        assert_eq!(Zone::Utc.date_of(UnixNanos(u64::MAX)), date("2553-12-31"));
    }

    proptest! {
        #[test]
        fn days_go_both_ways(days in 0i64..213_000) {
            let d = CivilDate::from_days(days).unwrap();
            prop_assert_eq!(d.days(), days);
            prop_assert_eq!(d.to_string().parse(), Ok(d));
            // The day before differs by one day of the calendar, by the slow rule.
            if let Ok(before) = CivilDate::from_days(days - 1) {
                let next = if before.day < days_in_month(before.year, before.month) {
                    (before.year, before.month, before.day + 1)
                } else if before.month < 12 {
                    (before.year, before.month + 1, 1)
                } else {
                    (before.year + 1, 1, 1)
                };
                prop_assert_eq!((d.year, d.month, d.day), next);
            }
        }

        /// Every instant lies between the midnight of its day and the next one's.
        #[test]
        fn an_instant_lies_within_its_day(seconds in 86_400i64..4_000_000_000, zone in 0usize..3) {
            let zone = [Zone::Utc, Zone::UsEastern, Zone::UsCentral][zone];
            let d = zone.date_of(at(seconds));
            let next = CivilDate::from_days(d.days() + 1).unwrap();
            prop_assert!(zone.midnight(d) <= at(seconds) && at(seconds) < zone.midnight(next));
        }
    }
}
