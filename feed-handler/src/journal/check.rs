//! Whether a journal is whole: `journal verify`.

use super::list::{SegmentRow, SegmentState, segment_rows};
use crate::report::units::plural;
use feed_common::event::Record;
use feed_common::journal::{Found, JournalError, JournalReader, Skipped, Start};
use feed_common::record::{GapCause, GapRecord, kind};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Stretches that are listed one by one; of what is beyond them the sums are told.
const LISTED: usize = 1000;

/// What was found in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its folder.
    pub dir: PathBuf,
    /// Segments there are.
    pub segments: u64,
    /// The number of the oldest record; older ones were removed, or there was none.
    pub first: Option<u64>,
    /// The number behind the last.
    pub next: Option<u64>,
    /// Whole records of any kind, each with its check.
    pub records: u64,
    /// Published records among them.
    pub published: u64,
    /// Those that say what is missing.
    pub gaps: u64,
    /// What these say is missing: published and never journalled.
    pub lost: u64,
    /// Records that were in the journal and cannot be read, as far as the numbers around them tell.
    pub damaged_records: u64,
    /// Bytes that gave no records.
    pub damaged_bytes: u64,
    /// Stretches that gave no records.
    pub damaged: u64,
    /// The first of them.
    pub stretches: Vec<Stretch>,
    /// Segments that cannot be read.
    pub unreadable: Vec<SegmentRow>,
    /// Records of the journal that are whole and not what their kind says.
    pub strange: u64,
}

/// A stretch of a journal that gave no records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Bytes from the beginning of segment 0, as if all were there.
    pub offset: u64,
    /// Its segment.
    pub segment: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Records that were lost with it, where that is known.
    pub records: Option<u64>,
    /// What is wrong where it begins.
    pub why: String,
}

impl Checked {
    /// True when nothing is damaged and nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.damaged == 0 && self.unreadable.is_empty() && self.lost == 0 && self.strange == 0
    }

    /// What is wrong, in a line.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        let mut tell = |n: u64, one: &str, more: &str| {
            if n > 0 {
                parts.push(plural(n, one) + more);
            }
        };
        tell(self.damaged, "damaged place", "");
        tell(self.damaged_records, "record", " there");
        tell(self.unreadable.len() as u64, "unreadable segment", "");
        tell(self.lost, "record", " published and not journalled");
        tell(self.strange, "record", " not of its kind");
        format!("{}: {}", self.dir.display(), parts.join(", "))
    }

    /// What was found, for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let rows = [
            ("segments", self.segments),
            ("records", self.records),
            ("published records", self.published),
            ("gap records", self.gaps),
            ("published and not journalled", self.lost),
            ("damaged places", self.damaged),
            ("records there", self.damaged_records),
            ("bytes there", self.damaged_bytes),
            ("unreadable segments", self.unreadable.len() as u64),
            ("records not of their kind", self.strange),
        ];
        // Writing to a String cannot fail.
        for (name, n) in rows {
            let _ = writeln!(out, "{name:<32} {n:>15}");
        }
        for stretch in &self.stretches {
            let Stretch {
                offset, bytes, why, ..
            } = stretch;
            let records = stretch.records.map_or_else(
                || "nobody knows how many records".to_owned(),
                |n| plural(n, "record"),
            );
            let _ = writeln!(
                out,
                "segment {} at offset {offset}: {bytes} bytes, {records}: {why}",
                stretch.segment
            );
        }
        for row in &self.unreadable {
            if let SegmentState::Unreadable(why) = row.state {
                let _ = writeln!(out, "{}: {why}", row.file.display());
            }
        }
        out
    }

    fn skip(&mut self, skipped: Skipped, segment_length: u64) {
        self.damaged += 1;
        self.damaged_bytes += skipped.bytes;
        self.damaged_records += skipped.records.unwrap_or(0);
        if self.stretches.len() < LISTED {
            self.stretches.push(Stretch {
                offset: skipped.offset,
                segment: skipped.offset / segment_length.max(1),
                bytes: skipped.bytes,
                records: skipped.records,
                why: skipped.why.to_string(),
            });
        }
    }
}

/// Reads all of a journal and holds every check, up to what is written when it comes there.
pub fn check(folder: &Path) -> Result<Checked, JournalError> {
    let rows = segment_rows(folder)?;
    let mut checked = Checked {
        dir: folder.to_owned(),
        segments: rows.len() as u64,
        ..Checked::default()
    };
    let is_unreadable = |row: &SegmentRow| matches!(row.state, SegmentState::Unreadable(_));
    checked.unreadable = rows.into_iter().filter(is_unreadable).collect();
    let mut reader = match JournalReader::open(folder, Start::Oldest) {
        Ok(reader) => reader,
        // All of them, and each is told.
        Err(JournalError::Unreadable { .. }) => return Ok(checked),
        Err(e) => return Err(e),
    };
    let length = reader.segment_length();
    loop {
        match reader.read()? {
            None => break,
            Some(Found::Skipped(skipped)) => checked.skip(skipped, length),
            Some(Found::Record { number, frame }) => {
                checked.first.get_or_insert(number);
                checked.records += 1;
                match frame.kind() {
                    kind::RECORD => match frame.view::<Record>() {
                        Ok(_) => checked.published += 1,
                        Err(_) => checked.strange += 1,
                    },
                    kind::GAP => match frame.copy::<GapRecord>() {
                        Ok(gap) => {
                            checked.gaps += 1;
                            let count = gap.count.get();
                            checked.lost = checked.lost.saturating_add(count);
                            if GapCause(gap.cause).name().is_none() {
                                checked.strange += 1;
                            }
                        }
                        Err(_) => checked.strange += 1,
                    },
                    _ => {}
                }
            }
        }
    }
    checked.next = reader.number();
    Ok(checked)
}
