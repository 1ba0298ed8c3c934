//! The folder of a journal: which segments there are.

use super::JournalError;
use super::layout::Shape;
use super::segment::{Mark, Segment};
use crate::journal::Why;
use crate::sys::{FileLock, FileLockError, FileWords};
use std::fs;
use std::path::{Path, PathBuf};

/// The file that the writer holds.
const LOCK: &str = "writer.lock";
const PREFIX: &str = "segment-";
const SUFFIX: &str = ".fhj";
/// What a segment is called until it is whole.
const UNFINISHED: &str = "unfinished.fhj.new";

/// A segment of a journal, as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// What it says of itself, or why it cannot be read.
    pub contents: Result<SegmentContents, Why>,
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentContents {
    /// Which journal it is of.
    pub journal: u64,
    /// When it was prepared, nanoseconds since the Unix epoch.
    pub made: u64,
    /// Bytes of a block.
    pub block: usize,
    /// The number of its first record; `None` when it is only prepared.
    pub first: Option<u64>,
    /// The number behind its last record; `None` while it is written.
    pub end: Option<u64>,
}

/// The segments of a journal in order: `journal ls`.
pub fn segments(folder: &Path) -> Result<Vec<SegmentInfo>, JournalError> {
    let numbers = numbers(folder)?.into_iter();
    // Between the list and the look at it retention may remove one.
    let infos = numbers.filter_map(|number| {
        let path = path(folder, number);
        let bytes = fs::metadata(&path).ok()?.len();
        let contents = match open(folder, number) {
            Ok(segment) => Ok(SegmentContents {
                journal: segment.shape.journal,
                made: segment.made,
                block: segment.shape.block,
                first: first(&segment),
                end: match segment.end() {
                    Mark::At(number) => Some(number),
                    _ => None,
                },
            }),
            Err(JournalError::Unreadable { why, .. }) => Err(why),
            Err(e) => return Some(Err(e)),
        };
        Some(Ok(SegmentInfo {
            number,
            path,
            bytes,
            contents,
        }))
    });
    infos.collect()
}

/// The number of the first record that can be found in a segment.
pub(super) fn first(segment: &Segment) -> Option<u64> {
    let blocks = 0..segment.begun.map_or(0, |begun| begun + 1);
    blocks
        .map(|block| segment.block(block))
        .find_map(|mark| match mark {
            Mark::At(number) => Some(number),
            _ => None,
        })
}

pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:010}{SUFFIX}"))
}

pub(super) fn unfinished(folder: &Path) -> PathBuf {
    folder.join(UNFINISHED)
}

/// The numbers of the segments there are, in order; none where there is no folder.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u64>, JournalError> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(JournalError::at(folder))?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(JournalError::at(folder))?.file_name();
        let number: Option<u64> = name.to_str().and_then(|name| {
            name.strip_prefix(PREFIX)?
                .strip_suffix(SUFFIX)?
                .parse()
                .ok()
        });
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A segment, to be read.
pub(super) fn open(folder: &Path, number: u64) -> Result<Segment, JournalError> {
    let path = path(folder, number);
    let words = FileWords::open(&path).map_err(JournalError::at(&path))?;
    named(words, number).map_err(|why| JournalError::Unreadable { path, why })
}

/// A segment, to be written: all of it has to be there.
pub(super) fn open_writable(folder: &Path, number: u64) -> Result<Segment, JournalError> {
    let path = path(folder, number);
    let words = FileWords::open_writable(&path).map_err(JournalError::at(&path))?;
    named(words, number).map_err(|why| JournalError::Unreadable { path, why })
}

/// A file that was given another number is not taken for the segment of that number.
fn named(words: FileWords, number: u64) -> Result<Segment, Why> {
    let segment = Segment::new(words)?;
    match segment.number == number {
        true => Ok(segment),
        false => Err(Why::Header),
    }
}

/// Keeps other writers out.
pub(super) fn lock(folder: &Path) -> Result<FileLock, JournalError> {
    let path = folder.join(LOCK);
    FileLock::take(&path).map_err(|e| match e {
        FileLockError::Held { holder } => JournalError::Locked {
            folder: folder.into(),
            holder,
        },
        FileLockError::Io(source) => JournalError::Io { path, source },
    })
}

/// Whether a segment was begun: its records are behind those of all before it.
pub(super) fn is_begun(folder: &Path, number: u64, shape: &Shape) -> bool {
    open(folder, number).is_ok_and(|segment| segment.shape == *shape && segment.begun.is_some())
}
