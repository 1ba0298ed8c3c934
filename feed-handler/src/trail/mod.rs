//! The trail of a run: marks of its record streams, as a file in its folder and as what is made of them.
//!
//! `digests.jsonl` is JSON Lines, written as the run goes. The first line is the header:
//!
//! ```json
//! {"version":1,"every":4096,"channels":["demo"],"input":null,"recording":null}
//! ```
//!
//! `every`: sequence numbers from mark to mark, 0 for none; `input`: the capture the run was of, null when it was live;
//! `recording`: the capture it kept. Then a line for each mark, in the order each lane took them, lanes interleaved:
//!
//! ```json
//! {"mark":"at","channel":"demo","unit":0,"epoch":0,"sequence":4096,"digest":"0f…","sum":"7a…","records":8123}
//! ```
//!
//! - `begin`: the numbering's first record is that of `sequence`. `at`: a boundary. `gap`: `count` messages from
//!   `sequence` on were declared lost. `end`: the numbering ended because a new one began, and `epoch` is counted up.
//!   `last`: the run ended, and `sequence` would have been next.
//! - `digest`, `sum`, `records`: of all the channel's records of that `unit` before it, as
//!   [`Fingerprint`] has them; 16 hexadecimal digits each.
//! - `{"mark":"missed","count":n}`: so many marks of the lanes were overwritten before they could be written here.
//! - `{"mark":"done", …}`: the run's totals. A file without it is of a run that was ended from outside.
//!
//! A last line that is not whole belongs to a run that goes on, or was ended while it was written, and is no error.
//! Readers ignore keys they do not know.

mod line;
mod read;
mod write;

pub use line::{GapMark, Last, Totals};
pub use read::TrailError;
pub use write::TrailWriter;

use crate::publish::{Fingerprint, Mark};
use line::{Header, Line, Noted};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file's name in a run's folder.
pub const DIGESTS: &str = "digests.jsonl";

/// The name of the configuration in a run's folder, everything in it written out.
pub const PLAN: &str = "plan.toml";

/// Where a run's records came from, as its header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The capture it was of; `None` when it was live.
    pub input: Option<PathBuf>,
    /// The capture it kept of what it received.
    pub recording: Option<PathBuf>,
}

/// One numbering of a channel, from one beginning to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The channel's name.
    pub channel: String,
    /// The unit; 0 where the channel has one numbering.
    pub unit: u8,
    /// How often it had begun anew.
    pub epoch: u32,
}

/// What was noted of one numbering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The sequence number of its first record, and the fingerprint before it.
    pub begin: Option<(u64, Fingerprint)>,
    /// The fingerprints at its boundaries.
    pub at: BTreeMap<u64, Fingerprint>,
    /// What was declared lost.
    pub gaps: Vec<GapMark>,
    /// Its end.
    pub end: Option<StreamEnd>,
}

/// How a numbering ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamEnd {
    /// The sequence number that would have been next; not known where a new numbering replaced it.
    pub next: Option<u64>,
    /// Of all its records.
    pub print: Fingerprint,
}

/// What a run left of its record streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// Sequence numbers from boundary to boundary; 0 for no boundaries.
    pub every: u64,
    /// The channels by their numbers in records.
    pub channels: Vec<String>,
    /// Where the records came from.
    pub origin: Origin,
    /// By numbering.
    pub streams: BTreeMap<Place, Stream>,
    /// Marks that were overwritten before they could be kept.
    pub missed: u64,
    /// What the run came to; `None` when it was ended before it could say so.
    pub totals: Option<Totals>,
    /// What of the file could not be read; `None` when all of it could.
    pub damage: Option<String>,
}

impl Trail {
    /// A trail with nothing in it yet.
    pub fn new(every: u64, channels: Vec<String>, origin: Origin) -> Trail {
        Trail {
            every,
            channels,
            origin,
            ..Trail::default()
        }
    }

    /// Takes a lane's mark.
    pub fn mark(&mut self, mark: &Mark) {
        if let Some(line) = Line::of(mark, &self.channels) {
            self.take(line);
        }
    }

    /// Takes what a run came to.
    pub fn done(&mut self, lasts: Vec<Last>, totals: Totals) {
        for last in lasts {
            self.take(Line::Last(last.into()));
        }
        self.take(Line::Done(totals));
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Begin(noted) => {
                let (sequence, print) = (noted.sequence, noted.print());
                self.stream(noted).begin = Some((sequence, print));
            }
            Line::At(noted) => {
                let (sequence, print) = (noted.sequence, noted.print());
                self.stream(noted).at.insert(sequence, print);
            }
            Line::Gap(noted) => {
                let (first, count) = (noted.sequence, noted.count);
                self.stream(noted).gaps.push(GapMark { first, count });
            }
            Line::End(noted) => {
                let (next, print) = (None, noted.print());
                self.stream(noted).end = Some(StreamEnd { next, print });
            }
            Line::Last(noted) => {
                // Nothing that was numbered came.
                let next = (noted.sequence > 0).then_some(noted.sequence);
                let print = noted.print();
                self.stream(noted).end = Some(StreamEnd { next, print });
            }
            Line::Missed { count } => self.missed = self.missed.saturating_add(count),
            Line::Done(totals) => self.totals = Some(totals),
        }
    }

    fn stream(&mut self, noted: Noted) -> &mut Stream {
        let place = Place {
            channel: noted.channel,
            unit: noted.unit,
            epoch: noted.epoch,
        };
        self.streams.entry(place).or_default()
    }

    fn header(&self) -> Header {
        Header::of(self.every, &self.channels, &self.origin)
    }
}

#[cfg(test)]
mod tests;
