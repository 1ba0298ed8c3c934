//! A run's own time series: what came in, what was lost and how long it took, interval by interval.
//!
//! `series.points` in a run's folder is a stream of records ([`feed_common::journal::StreamWriter`]) of
//! [`TimeSeriesPoint`](feed_common::record::TimeSeriesPoint)s, written as the run goes; the stream's number is the time the
//! run began, in nanoseconds since the Unix epoch. A point's time is the end of its interval. Rates are of that interval, by
//! the second; latencies are from the receive of a packet to its records being visible, and are left out of intervals in
//! which nothing was published. The first points of a series have
//! [`PointFlags::RESET`](feed_common::record::PointFlags::RESET), those of the last interval, which ends with the run,
//! [`PointFlags::PARTIAL`](feed_common::record::PointFlags::PARTIAL). Readers pass over series that they do not know.

mod read;
mod write;

pub use read::{RatePoint, Rates, read};
pub use write::{Counts, SeriesLog};

/// The file's name in a run's folder.
pub const SERIES: &str = "series.points";

/// The series there are, by the number that their points have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Series {
    /// Packets a second.
    Packets = 1,
    /// Messages a second, each once.
    Messages = 2,
    /// Messages a second in holes that were given up.
    Lost = 3,
    /// Half of the packets took no longer, in nanoseconds.
    P50 = 16,
    /// 99 in 100.
    P99 = 17,
    /// 999 in 1,000.
    P999 = 18,
    /// The slowest.
    Max = 19,
    /// The longest pause of the machine, in nanoseconds; 0 without any.
    Pause = 32,
}

impl Series {
    /// All of them.
    pub const ALL: [Series; 8] = [
        Series::Packets,
        Series::Messages,
        Series::Lost,
        Series::P50,
        Series::P99,
        Series::P999,
        Series::Max,
        Series::Pause,
    ];

    /// By the number of a point; `None` for one that this version does not know.
    pub fn numbered(number: u32) -> Option<Series> {
        Series::ALL.into_iter().find(|s| *s as u32 == number)
    }
}

#[cfg(test)]
mod tests;
