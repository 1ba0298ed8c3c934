//! Which journals and segments there are: `journal ls`.

use feed_common::journal::mapped::{SegmentInfo, segments};
use feed_common::journal::{JournalError, JournalReader, Start, Why};
use serde::{Serialize, Serializer};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Why it is not known which journal is meant.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// The folder cannot be read, or there is none.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A run keeps one for each lane.
    #[error("{}: journals of several lanes are here: name one of {}", path.display(), names.join(", "))]
    Several {
        /// The folder.
        path: PathBuf,
        /// The folders in it that hold one.
        names: Vec<String>,
    },
    /// Its segments cannot be listed, or there are none.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The folder of the journal that is meant by `path`: the folder itself, or the only one in it that holds a journal, as
/// a run of one lane has left it.
pub fn locate(path: &Path) -> Result<PathBuf, LocateError> {
    if !segments(path)?.is_empty() {
        return Ok(path.to_owned());
    }
    let at = |source| LocateError::Folder {
        path: path.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(at)? {
        let folder = entry.map_err(at)?.path();
        if folder.is_dir() && segments(&folder).is_ok_and(|segments| !segments.is_empty()) {
            found.push(folder);
        }
    }
    found.sort();
    match &found[..] {
        [only] => Ok(only.clone()),
        [] => Err(JournalError::Empty {
            folder: path.to_owned(),
        }
        .into()),
        several => Err(LocateError::Several {
            path: path.to_owned(),
            names: several
                .iter()
                .map(|folder| folder.display().to_string())
                .collect(),
        }),
    }
}

/// A segment of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SegmentRow {
    /// Its number.
    pub segment: u64,
    /// The number of its first record.
    pub first: Option<u64>,
    /// Its records; as of now, where it is being written.
    pub records: Option<u64>,
    /// Bytes of its file.
    pub bytes: u64,
    /// What has become of it.
    pub state: SegmentState,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub made_ns: Option<u64>,
    /// Its file.
    pub file: PathBuf,
}

/// What has become of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// Full, and closed.
    Written,
    /// The last with records: its writer is at work, or was ended.
    Open,
    /// Made ahead of time; no record is in it.
    Prepared,
    /// It cannot be read.
    Unreadable(Why),
}

impl SegmentState {
    /// The name in facts.
    pub fn name(self) -> &'static str {
        match self {
            SegmentState::Written => "written",
            SegmentState::Open => "open",
            SegmentState::Prepared => "prepared",
            SegmentState::Unreadable(_) => "unreadable",
        }
    }
}

impl Serialize for SegmentState {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// The segments of a journal, in order.
pub fn segment_rows(folder: &Path) -> Result<Vec<SegmentRow>, JournalError> {
    let infos = segments(folder)?;
    // The number behind the last record there is. A journal of which nothing can be read has none.
    let next = match JournalReader::open(folder, Start::End) {
        Ok(reader) => reader.number(),
        Err(JournalError::Unreadable { .. }) => None,
        Err(e) => return Err(e),
    };
    Ok(infos.iter().map(|info| row(info, next)).collect())
}

fn row(info: &SegmentInfo, next: Option<u64>) -> SegmentRow {
    let contents = info.contents.as_ref().ok();
    let first = contents.and_then(|contents| contents.first);
    let end = contents.and_then(|contents| contents.end);
    let state = match &info.contents {
        Err(why) => SegmentState::Unreadable(*why),
        Ok(_) if first.is_none() => SegmentState::Prepared,
        Ok(_) if end.is_none() => SegmentState::Open,
        Ok(_) => SegmentState::Written,
    };
    let behind = match state {
        SegmentState::Open => next,
        SegmentState::Prepared => Some(0),
        _ => end,
    };
    SegmentRow {
        segment: info.number,
        first,
        records: behind.and_then(|end| end.checked_sub(first.unwrap_or(0))),
        bytes: info.bytes,
        state,
        made_ns: contents.map(|contents| contents.made),
        file: info.path.clone(),
    }
}

/// The rows as lines for people.
pub fn table(rows: &[SegmentRow]) -> String {
    let mut out = format!(
        "{:>10} {:>20} {:>14} {:>14}  state\n",
        "segment", "first", "records", "bytes"
    );
    let known = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    for row in rows {
        let why = match row.state {
            SegmentState::Unreadable(why) => format!(": {why}"),
            _ => String::new(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:>10} {:>20} {:>14} {:>14}  {}{why}",
            row.segment,
            known(row.first),
            known(row.records),
            row.bytes,
            row.state.name()
        );
    }
    out
}
