//! Writes the series of a run as it goes.

use super::Series;
use feed_common::journal::{StreamOptions, StreamWriter};
use feed_common::record::{PointFlags, TimeSeriesPoint};
use feed_common::time::UnixNanos;
use std::io::{self, Write};
use std::iter::Sum;
use std::time::Duration;

/// What a run has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets received.
    pub packets: u64,
    /// Messages, each once.
    pub messages: u64,
    /// Messages in holes that were given up.
    pub lost: u64,
}

impl Counts {
    /// What came since `before`, by the second of `length`.
    pub fn rates(&self, before: &Counts, length: Duration) -> [f64; 3] {
        let seconds = length.as_secs_f64();
        [
            self.packets.saturating_sub(before.packets),
            self.messages.saturating_sub(before.messages),
            self.lost.saturating_sub(before.lost),
        ]
        .map(|n| n as f64 / seconds)
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Counts>>(counts: I) -> Counts {
        counts.fold(Counts::default(), |sum, more| Counts {
            packets: sum.packets + more.packets,
            messages: sum.messages + more.messages,
            lost: sum.lost.saturating_add(more.lost),
        })
    }
}

/// Writes points to a file or whatever else takes bytes.
pub struct SeriesLog<W: Write> {
    stream: StreamWriter<W>,
    /// Of the next points.
    flags: PointFlags,
}

impl<W: Write> SeriesLog<W> {
    /// Begins the series of a run that was started then.
    pub fn begin(out: W, started: UnixNanos) -> io::Result<SeriesLog<W>> {
        Ok(SeriesLog {
            stream: StreamWriter::new(out, &StreamOptions::new(started.0))?,
            flags: PointFlags::RESET,
        })
    }

    /// The points to come are of an interval that the end of the run cuts short.
    pub fn ends(&mut self) {
        self.flags = self.flags.with(PointFlags::PARTIAL);
    }

    /// Writes the points of an interval that ended `at`: its rates as [`Counts::rates`] has them, how long half, 99 in 100 and
    /// 999 in 1,000 of its packets took at most, and the slowest, where there were any, and its longest pause; all of these
    /// in nanoseconds. They are in the file when this returns.
    pub fn interval(
        &mut self,
        at: UnixNanos,
        [packets, messages, lost]: [f64; 3],
        published: Option<[u64; 4]>,
        pause_ns: u64,
    ) -> io::Result<()> {
        let rates = [
            (Series::Packets, packets),
            (Series::Messages, messages),
            (Series::Lost, lost),
            (Series::Pause, pause_ns as f64),
        ];
        let of = [Series::P50, Series::P99, Series::P999, Series::Max];
        let latencies = published.into_iter().flat_map(|p| of.into_iter().zip(p));
        let latencies = latencies.map(|(series, nanos)| (series, nanos as f64));
        for (series, value) in rates.into_iter().chain(latencies) {
            let point = TimeSeriesPoint::new(series as u32, at.0, value, self.flags);
            self.stream.push(&point)?;
        }
        self.flags = PointFlags(self.flags.0 & !PointFlags::RESET.0);
        self.stream.flush()
    }

    /// Writes the mark of the end.
    pub fn finish(self) -> io::Result<W> {
        self.stream.finish().map_err(|e| e.source)
    }
}
