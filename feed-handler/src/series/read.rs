//! Reads the series of a run back.

use super::Series;
use feed_common::journal::{Found, StreamReader};
use feed_common::record::TimeSeriesPoint;
use std::io::{self, Read};
use std::time::Duration;

/// Intervals that are kept: a day of seconds, twice.
const INTERVALS_MAX: usize = 2 * 86_400;

/// Rates of an interval, by the second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RatePoint {
    /// When it ended, since the start of the run.
    pub at: Duration,
    /// Packets.
    pub packets: f64,
    /// Messages, each once.
    pub messages: f64,
    /// Messages in holes that were given up.
    pub lost: f64,
}

/// The rates of a run, and what of their file could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    /// In the order of time.
    pub points: Vec<RatePoint>,
    /// What is missing, and why.
    pub damage: Vec<String>,
    /// It has its end: without one, the run goes on, or was ended from outside.
    pub finished: bool,
}

/// Reads the rates among the points of a stream. Only reading fails; what is damaged or is no number is left out and told.
pub fn read(from: impl Read) -> io::Result<Rates> {
    let mut stream = StreamReader::new(from);
    let mut rates = Rates::default();
    let (mut foreign, mut beyond) = (0u64, false);
    // Known when the first block has been read.
    let mut began = None;
    while let Some(found) = stream.read()? {
        let frame = match found {
            Found::Skipped(skipped) => {
                rates.damage.push(skipped.to_string());
                continue;
            }
            Found::Record { frame, .. } => frame,
        };
        let Ok(point) = frame.copy::<TimeSeriesPoint>() else {
            foreign += 1;
            continue;
        };
        let began = *began.get_or_insert_with(|| stream.stream().unwrap_or_default());
        let value = point.value();
        if !(value.is_finite() && value >= 0.0) {
            foreign += 1;
            continue;
        }
        let at = Duration::from_nanos(point.timestamp.get().saturating_sub(began));
        let of_rates = |series| matches!(series, Series::Packets | Series::Messages | Series::Lost);
        let Some(series) = Series::numbered(point.series.get()).filter(|s| of_rates(*s)) else {
            continue;
        };
        if rates.points.last().is_none_or(|last| last.at != at) {
            if rates.points.len() == INTERVALS_MAX {
                beyond = true;
                break;
            }
            rates.points.push(RatePoint {
                at,
                ..RatePoint::default()
            });
        }
        let Some(last) = rates.points.last_mut() else {
            continue;
        };
        match series {
            Series::Packets => last.packets = value,
            Series::Messages => last.messages = value,
            _ => last.lost = value,
        }
    }
    if foreign > 0 {
        let said = format!("{foreign} of its records are no points that a run writes");
        rates.damage.push(said);
    }
    if beyond {
        let said = format!("it is not read further than {INTERVALS_MAX} intervals");
        rates.damage.push(said);
    }
    rates.finished = stream.is_finished();
    Ok(rates)
}
