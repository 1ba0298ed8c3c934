//! Interval logs (`.hlog`, HdrHistogram log format 1.3): every interval of every stage with its whole distribution, in
//! the text form that HistogramLogAnalyzer, HdrHistogram's readers and plotters of other languages read.
//!
//! A line is `Tag=<stage>,<start>,<length>,<max>,<histogram>`: seconds since the log's base time, seconds, the largest
//! value in ms, and the histogram of nanoseconds, deflated and in base64. Threads or channels that are kept apart have
//! their name before the stage: `Tag=lane0/decoded`. What is part of another line is so too: `Tag=channel:itch/published`.

use super::pauses::PAUSE_TAG;
use super::payload::{self, Cells};
use super::set::{MEASURED, StageSet};
use super::stage::Stage;
use crate::time::{UnixNanos, Zone};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};
use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

/// Before the name of a channel in the tag of its part of what all channels' line has.
pub const CHANNEL: &str = "channel:";

/// Nanoseconds in the unit of a line's maximum. Readers assume milliseconds.
const MAX_UNIT: f64 = 1_000_000.0;

/// Writes an interval log. For a cold thread: encoding a set takes about a millisecond.
pub struct LogWriter<W: Write> {
    out: W,
    start: UnixNanos,
    serializer: V2DeflateSerializer,
    payload: Vec<u8>,
    line: String,
}

impl<W: Write> LogWriter<W> {
    /// Writes the header. `start` is the base of all times; `comments` (what ran, with which clocks) follow the
    /// first line, one comment a line.
    pub fn begin(mut out: W, start: UnixNanos, comments: &[&str]) -> io::Result<LogWriter<W>> {
        // Analyzers guess the generator from the first line and the time zone from the StartTime text.
        writeln!(out, "#[Logged with feed-handler]")?;
        writeln!(out, "#[Histogram log format version 1.3]")?;
        for line in comments.iter().flat_map(|c| c.split(['\n', '\r'])) {
            writeln!(out, "# {line}")?;
        }
        let seconds = seconds(start.0);
        writeln!(out, "#[BaseTime: {seconds:.3} (seconds since epoch)]")?;
        let date = java_date(start);
        writeln!(
            out,
            "#[StartTime: {seconds:.3} (seconds since epoch), {date}]"
        )?;
        writeln!(
            out,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        Ok(LogWriter {
            out,
            start,
            serializer: V2DeflateSerializer::new(),
            payload: Vec::new(),
            line: String::new(),
        })
    }

    /// Writes the stages of a set that have values, each under its name, behind `source/` where one is given. Its pauses
    /// come first, so that a reader knows of them when it comes to the stages.
    pub fn write_set(
        &mut self,
        set: &StageSet,
        from: UnixNanos,
        to: UnixNanos,
        source: Option<&str>,
    ) -> io::Result<()> {
        let pauses = set.pauses();
        if !pauses.is_empty() {
            self.write_tagged(source, PAUSE_TAG, &pauses, from, to)?;
        }
        for stage in MEASURED {
            if let Some(histogram) = set.histogram(stage).filter(|h| !h.is_empty()) {
                self.write(source, stage, &histogram, from, to)?;
            }
        }
        Ok(())
    }

    /// Writes one histogram of nanoseconds. Lines should come in the order of their start.
    pub fn write<C: Counter>(
        &mut self,
        source: Option<&str>,
        stage: Stage,
        histogram: &Histogram<C>,
        from: UnixNanos,
        to: UnixNanos,
    ) -> io::Result<()> {
        self.write_tagged(source, stage.name(), histogram, from, to)
    }

    fn write_tagged<C: Counter>(
        &mut self,
        source: Option<&str>,
        name: &str,
        histogram: &Histogram<C>,
        from: UnixNanos,
        to: UnixNanos,
    ) -> io::Result<()> {
        self.payload.clear();
        self.serializer
            .serialize(histogram, &mut self.payload)
            .map_err(io::Error::other)?;
        self.line.clear();
        STANDARD.encode_string(&self.payload, &mut self.line);
        let tag = tag(source, name);
        let start = seconds(from.0.saturating_sub(self.start.0));
        let length = seconds(to.0.saturating_sub(from.0));
        let max = histogram.max() as f64 / MAX_UNIT;
        writeln!(
            self.out,
            "Tag={tag},{start:.3},{length:.3},{max:.3},{}",
            self.line
        )
    }

    /// Flushes and gives the output back; errors of a buffered output show here at the latest.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The tag of a line. Scanners split lines at spaces and commas, so those are replaced.
fn tag(source: Option<&str>, name: &str) -> String {
    let Some(source) = source else {
        return name.to_owned();
    };
    let clean: String = source
        .chars()
        .map(|c| match c {
            '/' | ',' | '#' => '_',
            c if c.is_ascii_graphic() => c,
            _ => '_',
        })
        .collect();
    format!("{clean}/{name}")
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// The form of Java's `Date.toString`, in UTC: `Wed Sep 09 15:24:39 UTC 2015`.
fn java_date(at: UnixNanos) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let date = Zone::Utc.date_of(at);
    let of_day = at.0 / 1_000_000_000 % 86_400;
    format!(
        "{} {} {:02} {:02}:{:02}:{:02} UTC {:04}",
        DAYS[date.weekday() as usize],
        MONTHS[usize::from(date.month() - 1)],
        date.day(),
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60,
        date.year(),
    )
}

/// One line of an interval log.
#[derive(Clone, Debug)]
pub struct LogInterval {
    /// What stands before the stage in the tag, or the whole tag when it names no stage of ours.
    pub source: Option<String>,
    /// The stage, where the tag names one.
    pub stage: Option<Stage>,
    /// Since the log's base time (since the epoch where it has none).
    pub start: Duration,
    /// Length of the interval.
    pub length: Duration,
    /// The values, in ns.
    pub cells: Cells,
}

impl LogInterval {
    /// Whether it is of pauses of the machine, which are no stage.
    pub fn is_pauses(&self) -> bool {
        let tag = self.source.as_deref().filter(|_| self.stage.is_none());
        tag.is_some_and(|tag| tag.rsplit('/').next() == Some(PAUSE_TAG))
    }

    /// True of a channel's part of what another line has: to be left out of sums.
    pub fn is_part(&self) -> bool {
        self.source
            .as_deref()
            .is_some_and(|s| s.starts_with(CHANNEL))
    }
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LogError {
    /// Line number from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The longest line that is read: the largest histogram that is taken, in base64, and room for a tag.
const LINE_BYTES_MAX: u64 = 13 << 20;

/// Reads an interval log line by line; only one line of it is in memory at a time. After an error it goes on with the
/// next line.
#[derive(Debug)]
pub struct LogReader<R> {
    from: R,
    line: Vec<u8>,
    number: usize,
    base: Option<UnixNanos>,
    packed: Vec<u8>,
    inflated: Vec<u8>,
    over: bool,
}

impl<'a> LogReader<&'a [u8]> {
    /// Reads from the text of a whole log.
    pub fn new(text: &'a str) -> LogReader<&'a [u8]> {
        LogReader::over(text.as_bytes())
    }
}

impl<R: BufRead> LogReader<R> {
    /// Reads from a file or anything else.
    pub fn over(from: R) -> LogReader<R> {
        LogReader {
            from,
            line: Vec::new(),
            number: 0,
            base: None,
            packed: Vec::new(),
            inflated: Vec::new(),
            over: false,
        }
    }

    /// The base time, once the line that gives it has been passed.
    pub fn base(&self) -> Option<UnixNanos> {
        self.base
    }

    /// Reads the next line; `None` at the end.
    fn next_line(&mut self) -> Option<Result<(), LogError>> {
        if self.over {
            return None;
        }
        self.number += 1;
        self.line.clear();
        let read = self
            .from
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut self.line);
        let error = |line, reason| Some(Err(LogError { line, reason }));
        match read {
            Err(_) => {
                self.over = true;
                return error(self.number, "it cannot be read");
            }
            Ok(0) => return None,
            Ok(_) => {}
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            self.line.pop_if(|last| *last == b'\r');
        } else if self.line.len() as u64 == LINE_BYTES_MAX {
            // What follows is the rest of it, and no line of a log is so long.
            self.over = true;
            return error(self.number, "it is longer than any line can be");
        }
        Some(Ok(()))
    }

    fn interval(&mut self) -> Result<LogInterval, &'static str> {
        let line = str::from_utf8(&self.line).map_err(|_| "it is not text")?;
        interval(line, &mut self.packed, &mut self.inflated)
    }
}

/// The time of a `BaseTime` comment.
fn base_time(line: &[u8]) -> Option<UnixNanos> {
    let rest = str::from_utf8(line).ok()?.strip_prefix("#[BaseTime:")?;
    let time: f64 = rest.split_whitespace().next()?.parse().ok()?;
    // The form has milliseconds; a double of today's date is not exact below a microsecond anyway.
    let millis = Some((time * 1e3).round()).filter(|t| *t >= 0.0)?;
    Some(UnixNanos((millis as u64).saturating_mul(1_000_000)))
}

impl<R: BufRead> Iterator for LogReader<R> {
    type Item = Result<LogInterval, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Err(e) = self.next_line()? {
                return Some(Err(e));
            }
            match self.line.first() {
                None | Some(b'"') => {}
                Some(b'#') => self.base = base_time(&self.line).or(self.base),
                Some(_) => {
                    let line = self.number;
                    return Some(self.interval().map_err(|reason| LogError { line, reason }));
                }
            }
        }
    }
}

fn interval(
    line: &str,
    packed: &mut Vec<u8>,
    inflated: &mut Vec<u8>,
) -> Result<LogInterval, &'static str> {
    let (tag, fields) = match line.strip_prefix("Tag=") {
        Some(tagged) => {
            let (tag, fields) = tagged.split_once(',').ok_or("a tag and nothing else")?;
            (Some(tag), fields)
        }
        None => (None, line),
    };
    let mut fields = fields.split(',');
    let mut next = || fields.next().ok_or("fewer than four fields");
    let time = |text: &str| {
        text.parse::<f64>()
            .ok()
            .and_then(|t| Duration::try_from_secs_f64(t).ok())
            .ok_or("a time that is not a number of seconds")
    };
    let start = time(next()?)?;
    let length = time(next()?)?;
    next()?;
    packed.clear();
    STANDARD
        .decode_vec(next()?, packed)
        .map_err(|_| "the histogram is not base64")?;
    let (source, stage) = split_tag(tag);
    Ok(LogInterval {
        source,
        stage,
        start,
        length,
        cells: payload::decode(packed, inflated)?,
    })
}

fn split_tag(tag: Option<&str>) -> (Option<String>, Option<Stage>) {
    let Some(tag) = tag else {
        return (None, None);
    };
    let (source, name) = match tag.rsplit_once('/') {
        Some((source, name)) => (Some(source), name),
        None => (None, tag),
    };
    match MEASURED.into_iter().find(|s| s.name() == name) {
        Some(stage) => (source.map(str::to_owned), Some(stage)),
        None => (Some(tag.to_owned()), None),
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
