//! What can go wrong with a journal.

use super::super::Why;
use crate::encode::SerializeError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a journal was not opened, or a record not written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another writer has it.
    #[error("{}: another writer has the journal, process {holder}", folder.display())]
    Locked {
        /// The journal.
        folder: PathBuf,
        /// The process.
        holder: String,
    },
    /// There is no room for a segment: the disk, a quota, or a limit of the process.
    #[error("{}: no room for a segment of {bytes} bytes: {source}", path.display())]
    NoRoom {
        /// The segment.
        path: PathBuf,
        /// What it takes.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
    /// A segment that has to be read cannot be: of a newer version, of the other byte order, damaged, or no segment.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The segment.
        path: PathBuf,
        /// What is wrong.
        why: Why,
    },
    /// There are no segments.
    #[error("{}: no journal is here", folder.display())]
    Empty {
        /// Where there are none.
        folder: PathBuf,
    },
    /// The options are out of bounds, or others than those the journal was begun with.
    #[error("segments of {segment} bytes with blocks of {block}: {says}")]
    Options {
        /// Bytes of a segment that were asked for.
        segment: usize,
        /// Bytes of a block.
        block: usize,
        /// What is wrong.
        says: String,
    },
    /// A record that does not fit a block.
    #[error("a record of {bytes} bytes: this journal holds {most}")]
    TooLong {
        /// Its frame.
        bytes: usize,
        /// The longest.
        most: usize,
    },
    /// What an [`EncodeFrame`](crate::encode::EncodeFrame) of a user has written is not one frame.
    #[error("the record is not one frame")]
    NoFrame,
    /// The record has no encoding.
    #[error("the record cannot be written: {0}")]
    Record(#[from] SerializeError),
    /// Anything else the system said.
    #[error("{}: {source}", path.display())]
    Io {
        /// What it is about.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl JournalError {
    /// For errors about `path`.
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> JournalError + '_ {
        move |source| JournalError::Io {
            path: path.into(),
            source,
        }
    }

    /// For errors of making a segment.
    pub(super) fn making(path: &Path, bytes: usize, source: io::Error) -> JournalError {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let path = path.into();
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => JournalError::NoRoom {
                path,
                bytes,
                source,
            },
            _ => JournalError::Io { path, source },
        }
    }
}
