//! The broadcast ring in a file that other processes map, with a table of latest quotes and a directory of instruments.
//!
//! One file a writer, usually in `/dev/shm`; the writer of a file is one lane. The ring in it is the ring of
//! [`super::broadcast`], the same words and the same code: [`Published::ring`] is a [`Writer`], and a reader's
//! [`SharedReader::subscriber`] makes [`Reader`](super::Reader)s. The writer never learns who reads, or whether: readers map
//! the file read-only, so one that is stopped, killed or hostile hurts nobody. What it can see it can read, no more.
//!
//! # Layout, version 1
//!
//! Integers are 64-bit words in the writer's byte order unless it says otherwise; everything that is written while others
//! read is an aligned word, stored and loaded whole. Text is UTF-8 with zeros behind it.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `FEEDSHM` and a zero, in every version |
//! | 8 | 8 | layout version, 1 |
//! | 16 | 8 | byte order: 0x0102030405060708 |
//! | 24 | 8 | bytes of the file |
//! | 32 | 8 | epoch: nanoseconds since the Unix epoch when the file was made, always more than that of the one before it |
//! | 40 | 8 | writer: process number |
//! | 48 | 8 | writer: when it started, field 22 of `/proc/PID/stat` |
//! | 56 | 16 | writer: `/proc/sys/kernel/random/boot_id`, its digits as bytes |
//! | 72 | 8 | writer: inode of `/proc/PID/ns/pid` |
//! | 80 | 8 | bytes of a record, 64 |
//! | 88 | 8 | slots of the ring, a power of two from 4 to 2^32 |
//! | 96 | 8 | offset of the ring |
//! | 104 | 8 | bytes of a row of the quotes and of the directory, 64 |
//! | 112 | 8 | rows of both, at most 2^24 |
//! | 120 | 8 | offset of the quotes |
//! | 128 | 8 | offset of the directory |
//! | 136 | 8 | number of channels, at most 1,024 |
//! | 144 | 8 | offset of the channels, 1024 |
//! | 152 | 8 | nanoseconds per tick of the receive times, times 2^32 |
//! | 160 | 32 | session: text of the writer's choice |
//! | 192 | 312 | zero |
//! | 504 | 8 | CRC-32 (IEEE 802.3) of the 504 bytes before it and of the channels |
//! | 512 | 8 | **head**: records below it are published |
//! | 640 | 8 | **window**: records below it may have been written or be in the middle of it |
//! | 768 | 8 | **state**: 0 the writer writes, 1 it has ended, 2 another file has taken the name; at this place in every version |
//! | 896 | 8 | **rows**: rows of the directory that are in use |
//! | 1024 | 64 each | channels: number, name (40), protocol (16) |
//! | a page | 64 each | ring: record `p` in slot `p % slots`, a [`Record`] |
//! | a page | 64 each | quotes |
//! | a page | 64 each | directory: row `i` says whose quote row `i` is |
//!
//! The header and the channels are written before the file has its name and never again. Parts follow each other as listed,
//! each on the next multiple of 4,096.
//!
//! Quotes and directory are rows of eight words, the first a mark: version in the upper 48 bits, odd while the row is
//! written and 0 before it ever was, and 16 bits of the value below. How they are read is in `latest`; how records are, in
//! `broadcast`. A row of the quotes: mark (trust in bits 0 to 7, flags in 8 to 15: 1 unsure, 2 no date), bid price, bid
//! quantity, ask price, ask quantity, exchange time, sequence, receive time in ticks. A row of the directory: mark (bytes of
//! the name), symbol (8 bytes), instrument in the lower 32 bits and channel in the next 16, name (24 bytes), two words of
//! zero.
//!
//! # Who may do what
//!
//! A writer holds the name by a lock on `NAME.lock`, which only its user can open, and which the kernel lets go of when the
//! process ends, however it ends. It makes `NAME.new`, with all of its space, writes the header and renames it: whoever
//! opens the name finds a whole file or none. So a file that somebody has mapped is never cut or written over. Of the file
//! that had the name before, the state becomes 2. A file of a writer that lives is refused, as is one of another user and
//! whatever does not begin with [`MAGIC`]; what a dead or ended writer left is taken over, and so is one of another version.
//! Links are not followed. Nobody deletes a file: one that its writer has closed keeps its memory, for those who read it
//! still, until the next writer takes the name or somebody removes it and its lock.
//!
//! Readers may be of other users, by the file's mode and group; nobody but its owner may write it. [`SharedReader::standing`]
//! says whether the writer writes, has ended, was killed, or was replaced, and [`SharedReader::reopen`] goes on with the
//! file that has the name now. In `/dev/shm` anybody can make a file of a name that is not taken, and its owner can cut it,
//! which ends whoever reads it: [`SharedReader::open`] wants to be told whose file it should be.
//!
//! Who consumes in another process can say how long records took to reach it, by a file of its own beside this one: see
//! [`taken`], which also says what clock receive times are of.

mod board;
#[cfg(test)]
mod hostile_tests;
mod layout;
mod read;
pub mod taken;
#[cfg(test)]
mod takeover_tests;
#[cfg(test)]
mod tests;
mod write;

pub use super::latest::Unsettled;
pub use board::{Board, Channel, Instrument, Quote, QuoteFlags};
pub use layout::{CHANNELS_MAX, INSTRUMENTS_MAX, MAGIC, VERSION};
pub use read::{Facts, OwnedBy, SharedReader, Standing};
pub use write::{Hold, Published, SharedPlan, Takeover, publish};

use std::fmt;
use std::io;
use std::path::PathBuf;

#[cfg(doc)]
use super::Writer;
#[cfg(doc)]
use crate::event::Record;

/// What a writer calls its run: at most 32 bytes of text, cut where it is longer.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Session([u8; 32]);

impl Session {
    /// Of a text.
    pub fn new(text: &str) -> Session {
        Session(layout::field(text))
    }

    /// The text.
    pub fn text(&self) -> String {
        layout::text(&self.0)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// It does not begin as such files do.
    #[error("it is not a shared-memory file of feed-handler")]
    Magic,
    /// A machine of the other byte order wrote it.
    #[error("it was written in the other byte order")]
    ByteOrder,
    /// It is laid out otherwise.
    #[error("it has layout version {0}, and this program reads version {VERSION}")]
    Version(u64),
    /// It contradicts itself.
    #[error("its header is damaged ({0})")]
    Damaged(&'static str),
}

/// Why shared memory was not made or not opened.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// A figure that cannot be.
    #[error("{what} {problem}")]
    Plan {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A writer has the name.
    #[error("{path}: a running writer has it{}", process(*.pid))]
    Held {
        /// Of the file.
        path: PathBuf,
        /// Its process, where the file says it.
        pid: Option<u32>,
    },
    /// Somebody else's file.
    #[error("{path}: it belongs to user {owner}, not to {wanted}")]
    Owner {
        /// Of the file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it should be.
        wanted: u32,
    },
    /// The folder can be changed by anybody, and what is in it with it.
    #[error("{path}: others may rename and delete in this folder (no sticky bit)")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Not such a file, or one that cannot be read.
    #[error("{path}: {error}")]
    Layout {
        /// Of the file.
        path: PathBuf,
        /// What is wrong with it.
        error: LayoutError,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// Of the file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
