//! What a reader of a stream or a journal finds: records, and where they should be and are not.

use crate::encode::Frame;
use std::fmt;

/// The next of a stream or a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record.
    Record {
        /// How many records its stream or journal had before it.
        number: u64,
        /// The record.
        frame: Frame<'a>,
    },
    /// What is not there or cannot be read.
    Skipped(Skipped),
}

/// A stretch of a stream or a journal that gave no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Bytes from the beginning to its first.
    pub offset: u64,
    /// Bytes of it; 0 where whole blocks are missing. Of a block that was compressed: of what came out of it.
    pub bytes: u64,
    /// Records that were lost with it, where the numbers around it tell.
    pub records: Option<u64>,
    /// What is wrong where it begins.
    pub why: Why,
}

/// Why a stretch was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Why {
    /// No block begins here.
    #[error("no block begins here")]
    NoBlock,
    /// The integers are those of a machine of the other byte order.
    #[error("it is written in the other byte order")]
    ByteOrder,
    /// The header is damaged.
    #[error("the header is damaged")]
    Header,
    /// The block, or the segment of a journal, is of a version that this build does not read.
    #[error("it is of version {0}, this build reads 1")]
    Version(u8),
    /// The body is not what was written.
    #[error("the block is damaged")]
    Body,
    /// The body is what was written, and no Zstandard frame of the length it should have.
    #[error("the block cannot be unpacked")]
    Packing,
    /// The stream ends inside the block, or the file inside the segment.
    #[error("it is cut short")]
    Cut,
    /// The body is what was written, and no records.
    #[error("there are no records in the block, or others than it says")]
    Frame,
    /// Between two whole blocks, or two segments of a journal, others are missing.
    #[error("blocks are missing")]
    Missing,
    /// The file is no segment of a journal.
    #[error("no segment of a journal begins here")]
    NoSegment,
    /// The record of a journal is not what was written.
    #[error("the record is damaged")]
    Record,
    /// Segments of a journal were removed, as its writer was told to, before they were read.
    #[error("the segments were removed before they were read")]
    Removed,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Skipped { offset, bytes, .. } = self;
        write!(f, "skipped {bytes} bytes at offset {offset}, ")?;
        match self.records {
            Some(1) => write!(f, "1 record: {}", self.why),
            Some(records) => write!(f, "{records} records: {}", self.why),
            None => write!(f, "nobody knows how many records: {}", self.why),
        }
    }
}
