//! The lines of the file.

use super::Origin;
use crate::publish::{Digest, Fingerprint, Mark, MarkKind};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;

/// The version of the file that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub version: u32,
    pub every: u64,
    pub channels: Vec<String>,
    pub input: Option<PathBuf>,
    pub recording: Option<PathBuf>,
}

impl Header {
    pub fn of(every: u64, channels: &[String], origin: &Origin) -> Header {
        Header {
            version: VERSION,
            every,
            channels: channels.to_vec(),
            input: origin.input.clone(),
            recording: origin.recording.clone(),
        }
    }
}

/// Any other line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "lowercase")]
pub(super) enum Line {
    Begin(Noted),
    At(Noted),
    Gap(Noted),
    End(Noted),
    Last(Noted),
    Missed { count: u64 },
    Done(Totals),
}

/// What was noted of a numbering, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Noted {
    pub channel: String,
    pub unit: u8,
    pub epoch: u32,
    pub sequence: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    digest: Hex,
    sum: Hex,
    records: u64,
}

impl Noted {
    pub fn print(&self) -> Fingerprint {
        Fingerprint {
            digest: Digest::from_bits(self.digest.0),
            sum: self.sum.0,
            records: self.records,
        }
    }
}

impl Line {
    /// The line of a lane's mark; `None` when it is of no channel or no kind that is known.
    pub fn of(mark: &Mark, channels: &[String]) -> Option<Line> {
        let kind = match mark.kind {
            MarkKind::BEGIN => Line::Begin,
            MarkKind::AT => Line::At,
            MarkKind::GAP => Line::Gap,
            MarkKind::END => Line::End,
            _ => return None,
        };
        Some(kind(Noted {
            channel: channels.get(usize::from(mark.channel))?.clone(),
            unit: mark.unit,
            epoch: mark.epoch,
            sequence: mark.sequence,
            count: mark.count,
            digest: Hex(mark.print.digest.bits()),
            sum: Hex(mark.print.sum),
            records: mark.print.records,
        }))
    }
}

/// Messages declared lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GapMark {
    /// The first of them.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// Where a numbering stood when its run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The channel's name.
    pub channel: String,
    /// The unit.
    pub unit: u8,
    /// How often it had begun anew.
    pub epoch: u32,
    /// The sequence number that would have been next.
    pub next: u64,
    /// Of all its records.
    pub print: Fingerprint,
}

impl From<Last> for Noted {
    fn from(last: Last) -> Noted {
        Noted {
            channel: last.channel,
            unit: last.unit,
            epoch: last.epoch,
            sequence: last.next,
            count: 0,
            digest: Hex(last.print.digest.bits()),
            sum: Hex(last.print.sum),
            records: last.print.records,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Messages delivered.
    pub messages: u64,
    /// Records published.
    pub published: u64,
    /// Gaps declared.
    pub gaps: u64,
    /// Messages in them (packets where those are numbered).
    pub lost: u64,
    /// Numberings that began anew.
    pub restarts: u64,
    /// Digest of all records.
    pub record_digest: String,
    /// Digest of all books, where they are kept.
    pub book_digest: Option<String>,
}

/// 64 bits as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hex, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let bits = digits
            .then(|| u64::from_str_radix(&text, 16).ok())
            .flatten();
        bits.map(Hex)
            .ok_or_else(|| D::Error::custom("expected 16 hexadecimal digits"))
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}
