//! The blocks of a stream of records.
//!
//! A stream is blocks one behind the other, and nothing else: the last of an orderly one is empty and says so. Each can be
//! found and checked on its own, so a reader can begin anywhere, streams can be written one behind the other, and what is
//! damaged costs its block. All integers are little-endian.
//!
//! | offset | size | field | |
//! |---|---|---|---|
//! | 0 | 8 | `magic` | `93 46 48 53 0D 0A 1A 0A`: no text, and not what a transfer as text leaves of it |
//! | 8 | 1 | `version` | 1 |
//! | 9 | 1 | `packing` | of the body: 0 none, 1 zstd |
//! | 10 | 1 | `mark` | 1 the last block of its stream, without records; 0 others |
//! | 11 | 1 | `reserved` | zero, not looked at |
//! | 12 | 4 | `stored` | bytes of the body behind the header, at most [`MAX_BODY`] |
//! | 16 | 4 | `length` | bytes of it unpacked, at most [`MAX_BODY`] |
//! | 20 | 4 | `records` | frames in it |
//! | 24 | 8 | `first` | how many records the stream had before it |
//! | 32 | 8 | `stream` | which stream it is of: when that began, or whatever its writer chose |
//! | 40 | 4 | `body_check` | CRC-32 of the body as stored |
//! | 44 | 4 | `header_check` | CRC-32 of the 44 bytes before |
//!
//! The checks are the CRC-32 of IEEE 802.3 (zlib, Ethernet): every burst of up to 32 bits is noticed, of anything else one
//! in 2^32 is not. The crate for it (crc32fast) multiplies without carry where the machine can, and is built already for
//! the compressors. They are against damage, not against malice.

use super::Why;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of a block.
pub const MAGIC: [u8; 8] = *b"\x93FHS\r\n\x1A\n";
/// The version written here, and the only one read.
pub const VERSION: u8 = 1;
/// Bytes of a block's header.
pub const HEADER_LENGTH: usize = size_of::<BlockHeader>();
/// Most bytes of a body, stored or unpacked; what a reader has to hold.
pub const MAX_BODY: usize = 16 << 20;

/// Values of [`BlockHeader::packing`].
pub mod packing {
    /// The body is stored as it is.
    pub const NONE: u8 = 0;
    /// The body is a Zstandard frame.
    pub const ZSTD: u8 = 1;
}

/// Values of [`BlockHeader::mark`].
pub mod mark {
    /// More blocks follow.
    pub const MORE: u8 = 0;
    /// The stream ends here.
    pub const LAST: u8 = 1;
}

/// The header of a block; see the module for its fields.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
#[allow(missing_docs)]
pub struct BlockHeader {
    pub magic: [u8; 8],
    pub version: u8,
    pub packing: u8,
    pub mark: u8,
    pub reserved: u8,
    pub stored: U32,
    pub length: U32,
    pub records: U32,
    pub first: U64,
    pub stream: U64,
    pub body_check: U32,
    pub header_check: U32,
}

const _: () = assert!(size_of::<BlockHeader>() == 48 && align_of::<BlockHeader>() == 1);

/// Bytes of a header that its own check covers.
const CHECKED: usize = 44;

impl BlockHeader {
    /// With its check.
    pub(super) fn sealed(mut self) -> BlockHeader {
        self.header_check = U32::new(crc32fast::hash(&self.as_bytes()[..CHECKED]));
        self
    }

    /// The header at the start of `bytes`, if it is as it was written; of another version too.
    pub(super) fn whole(bytes: &[u8]) -> Result<&BlockHeader, Why> {
        let (header, _) = BlockHeader::ref_from_prefix(bytes).map_err(|_| Why::Cut)?;
        if header.magic != MAGIC {
            return Err(Why::NoBlock);
        }
        let (said, check) = (
            header.header_check.get(),
            crc32fast::hash(&header.as_bytes()[..CHECKED]),
        );
        match said {
            said if said == check => Ok(header),
            said if said.swap_bytes() == check => Err(Why::ByteOrder),
            _ => Err(Why::Header),
        }
    }

    /// Whether what its fields say is within bounds and of use.
    pub(super) fn is_readable(&self) -> bool {
        let within = |bytes: U32| bytes.get() as usize <= MAX_BODY;
        within(self.stored)
            && within(self.length)
            && self.packing <= packing::ZSTD
            && (self.packing != packing::NONE || self.stored == self.length)
            && self.mark <= mark::LAST
            && (self.mark != mark::LAST || self.records.get() == 0)
            && self
                .first
                .get()
                .checked_add(self.records.get().into())
                .is_some()
    }
}
