//! Where and why a file's records end before the file should.

use std::fmt;
use std::io;

use super::format::Compression;

/// A file's end that is not a proper one. Everything before it was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes from the start of the file to the first byte that was not delivered; in a compressed file they are counted
    /// in what came out of it.
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
    /// A pcapng block claims this many bytes, fewer than it must have.
    BlockTooShort(u32),
    /// A pcapng section begins with these bytes in place of its byte order.
    ByteOrder([u8; 4]),
    /// The session ended, and this many bytes follow.
    BehindEnd(u64),
    /// The compressed stream gives no more.
    Compressed {
        /// Of which kind it is.
        compression: Compression,
        /// What is wrong with it.
        damage: StreamDamage,
        /// Where in the compressed file, in bytes from its start: at the latest there.
        at: u64,
    },
    /// The system refused to read on.
    Read(io::ErrorKind),
    /// A pipe that is handled as it arrives gives its bytes once, and they had been taken.
    Taken,
}

/// What is wrong with a compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamDamage {
    /// It ends before it is complete.
    Ended,
    /// It is not what a compressor writes.
    Corrupt,
    /// It was read to its end, and its checksum is that of other bytes.
    Checksum,
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
            CutReason::BlockTooShort(len) => {
                write!(f, "damaged: the block at byte {at} claims {len} bytes")
            }
            CutReason::ByteOrder(magic) => write!(
                f,
                "damaged: the section at byte {at} has no byte order but {magic:02X?}"
            ),
            CutReason::BehindEnd(len) => {
                write!(f, "{len} bytes behind the end of the session at byte {at}")
            }
            CutReason::Compressed {
                compression,
                damage,
                at: compressed,
            } => {
                let what = match damage {
                    StreamDamage::Ended => "cut short: the stream ends",
                    StreamDamage::Corrupt => "damaged: the stream is corrupt",
                    StreamDamage::Checksum => "damaged: the checksum differs",
                };
                let name = compression.name();
                write!(
                    f,
                    "{name} {what} at byte {compressed} of the compressed file, behind {at} bytes of capture"
                )
            }
            CutReason::Read(kind) => write!(f, "not readable from byte {at} on: {kind}"),
            CutReason::Taken => write!(f, "read before: a pipe can be read once"),
        }
    }
}
