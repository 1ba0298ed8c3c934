//! Where and why a file's records end before the file should.

use std::fmt;

/// A file's end that is not a proper one. Everything before it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes from the start of the file to the first byte that was not delivered.
    pub offset: u64,
    /// What is wrong there.
    pub reason: CutReason,
}

/// What ends a file early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutReason {
    /// The file ends inside a record.
    PartialRecord,
    /// A record claims this many bytes, more than any capture holds: the file is damaged here.
    RecordTooLong(u32),
    /// The session ended, and this many bytes follow.
    BehindEnd(u64),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.offset;
        match self.reason {
            CutReason::PartialRecord => {
                write!(f, "cut short: the record at byte {at} is incomplete")
            }
            CutReason::RecordTooLong(len) => {
                write!(f, "damaged: the record at byte {at} claims {len} bytes")
            }
            CutReason::BehindEnd(len) => {
                write!(f, "{len} bytes behind the end of the session at byte {at}")
            }
        }
    }
}
