//! What a run has left: which journals, and which part of each.

use crate::report::json;
use feed_common::journal::JournalError;
use feed_common::journal::mapped::segments;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What of a journal is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its folder.
    pub dir: PathBuf,
    /// The number of the first record.
    pub first: u64,
    /// How many published records; all there are, where nobody has counted them.
    pub records: Option<u64>,
}

/// Why a folder has nothing to export.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Folder {
        /// What cannot be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What it says of itself cannot be read.
    #[error("{}: {reason}", path.display())]
    Summary {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It kept none.
    #[error(
        "{}: the run has kept no journal: [journal] in its configuration, with `dir`, makes a run keep one",
        path.display()
    )]
    NoJournal {
        /// The folder.
        path: PathBuf,
    },
    /// The journal's segments cannot be listed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What the folder of a run means: its own records in the journals of its lanes; of a journal, or of one's folder above:
/// everything.
pub fn parts(path: &Path) -> Result<Vec<Part>, RunError> {
    let summary = path.join(crate::report::SUMMARY);
    if summary.exists() {
        return of_run(path, &summary);
    }
    let all = |dir: PathBuf| Part {
        dir,
        first: 0,
        records: None,
    };
    if !segments(path)?.is_empty() {
        return Ok(vec![all(path.to_owned())]);
    }
    let at = |source| RunError::Folder {
        path: path.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(at)? {
        let folder = entry.map_err(at)?.path();
        if folder.is_dir() && segments(&folder).is_ok_and(|segments| !segments.is_empty()) {
            found.push(folder);
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(JournalError::Empty {
            folder: path.to_owned(),
        }
        .into()),
        false => Ok(found.into_iter().map(all).collect()),
    }
}

fn of_run(path: &Path, summary: &Path) -> Result<Vec<Part>, RunError> {
    let wrong = |reason: String| RunError::Summary {
        path: summary.to_owned(),
        reason,
    };
    let text = fs::read_to_string(summary).map_err(|e| wrong(e.to_string()))?;
    let report = json::parse(&text).map_err(|e| wrong(e.to_string()))?;
    if report.journals.is_empty() {
        return Err(RunError::NoJournal {
            path: path.to_owned(),
        });
    }
    let parts = report.journals.iter().map(|journal| Part {
        dir: PathBuf::from(&journal.dir),
        first: journal.first,
        records: Some(journal.records),
    });
    Ok(parts.collect())
}
