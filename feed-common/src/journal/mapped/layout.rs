//! The segments of a mapped journal.
//!
//! A journal is a folder of segments, files of one size named `segment-0000000000.fhj` with their number. All integers are
//! little-endian, and all is made of words of 8 bytes. A segment begins with a header of 4096 bytes, then come blocks of
//! one size to its end. What is not written yet is zero.
//!
//! | offset | size | field | |
//! |---|---|---|---|
//! | 0 | 8 | `magic` | `93 46 48 4A 0D 0A 1A 0A` |
//! | 8 | 1 | `version` | 1 |
//! | 9 | 1 | `reserved` | zero, not looked at |
//! | 10 | 2 | `order` | `0xFEFF`; `0xFFFE` is the work of a machine of the other byte order, and refused |
//! | 12 | 4 | `block` | bytes of a block: a power of two from 4 KiB to 16 MiB |
//! | 16 | 8 | `length` | bytes of the segment: the header and at least one block, at most 16 GiB |
//! | 24 | 8 | `journal` | which journal it is of: when that began, or whatever its writer chose |
//! | 32 | 8 | `segment` | its number, from 0 |
//! | 40 | 8 | `made` | when it was prepared, nanoseconds since the Unix epoch |
//! | 48 | 4 | `most` | most bytes of a frame in it: `block` less 16 for the block's mark and 4 for a check |
//! | 52 | 4 | `check` | CRC-32C of the 56 bytes, with this field zero |
//! | 56 | 8 | | zero |
//! | 64 | 16 | | the mark `JEND`, once no more records come into this segment |
//!
//! A *mark* is two words, and begins a block as `JBLK`:
//!
//! | offset | size | field | |
//! |---|---|---|---|
//! | 0 | 4 | `check` | |
//! | 4 | 4 | `tag` | `JBLK`, or `JEND` |
//! | 8 | 8 | `number` | how many records the journal has before this place |
//!
//! Behind the mark of a block come records, each from a whole word on; none reaches into the next block. When the next does
//! not fit, the rest of the block stays zero, and so a record behind it begins the next block.
//!
//! | offset | size | field | |
//! |---|---|---|---|
//! | 0 | 4 | `check` | |
//! | 4 | | the frame | as in [`encode::frame`](crate::encode::frame): magic, kind, version, both lengths, fields, tail |
//! | | 0 to 7 | | zero, to the end of a word |
//!
//! A published record of 64 bytes takes 80 here, and its fields lie on whole words.
//!
//! # Commit
//!
//! The first word of a mark or a record, which is its check and the four bytes behind, is its *commit word*: written last, by
//! one atomic store (release). It is not zero, since a frame and a mark begin with letters. Whoever loads it (acquire) and
//! finds it not zero sees all of what it commits; see [`mapped`](super) for the proof. What is committed is never written again.
//!
//! # Checks
//!
//! A check is the CRC-32C (Castagnoli) of these words: `journal`; `segment`; the place of the commit word in the segment,
//! counted in words, in the upper half, and the number of the record (of a mark: its `number`), cut to 32 bits, in the lower
//! half; the commit word with the check zero; the words behind it that are committed by it. So what lies where it was not
//! written, or is of another journal, does not pass either. It is a check of its own because the processor has an instruction
//! for it that takes the words as they are copied; streams have the CRC-32 of zlib over whole blocks.

use super::super::Why;
use crate::sys::Crc32c;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of a segment.
pub const MAGIC: [u8; 8] = *b"\x93FHJ\r\n\x1A\n";
/// The version written here, and the only one read.
pub const VERSION: u8 = 1;
/// What [`SegmentHeader::order`] is.
pub const ORDER: u16 = 0xFEFF;
/// Bytes of a word.
pub(super) const WORD: usize = 8;
/// Bytes of a segment before its blocks: a page, so that blocks lie on pages.
pub const HEADER_BYTES: usize = 4096;
/// Words of it.
pub(super) const HEADER_WORDS: usize = HEADER_BYTES / WORD;
/// The word at which the mark of a segment's end lies.
pub(super) const END_AT: usize = 8;
/// Words of a mark.
pub(super) const MARK_WORDS: usize = 2;
/// Least and most bytes of a block.
pub const BLOCK: [usize; 2] = [4 << 10, 16 << 20];
/// Most bytes of a segment.
pub const MAX_SEGMENT: u64 = 16 << 30;
/// Bytes of a frame's header that come into the commit word.
const TAG: usize = 4;

/// Tags of marks.
pub(super) const BLOCK_TAG: u32 = u32::from_le_bytes(*b"JBLK");
pub(super) const END_TAG: u32 = u32::from_le_bytes(*b"JEND");

/// The header of a segment; see the module for its fields.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
#[allow(missing_docs)]
pub struct SegmentHeader {
    pub magic: [u8; 8],
    pub version: u8,
    pub reserved: u8,
    pub order: U16,
    pub block: U32,
    pub length: U64,
    pub journal: U64,
    pub segment: U64,
    pub made: U64,
    pub most: U32,
    pub check: U32,
}

/// Words of its fields.
pub(super) const FIELD_WORDS: usize = size_of::<SegmentHeader>() / WORD;

// Words are stored and loaded as the machine has them.
const _: () = assert!(cfg!(target_endian = "little"));
const _: () = assert!(size_of::<SegmentHeader>() == 56 && align_of::<SegmentHeader>() == 1);
const _: () = assert!(FIELD_WORDS < END_AT && END_AT + MARK_WORDS <= HEADER_WORDS);

impl SegmentHeader {
    /// The header of a segment.
    pub(super) fn new(shape: &Shape, segment: u64, made: u64) -> SegmentHeader {
        let mut header = SegmentHeader {
            magic: MAGIC,
            version: VERSION,
            reserved: 0,
            order: ORDER.into(),
            // A shape has bounds.
            block: (shape.block as u32).into(),
            length: (shape.length as u64).into(),
            journal: shape.journal.into(),
            segment: segment.into(),
            made: made.into(),
            most: (shape.most() as u32).into(),
            check: 0.into(),
        };
        header.check = header.sum().into();
        header
    }

    /// The shape of the segment, if the header is as it was written and this build reads it.
    pub(super) fn shape(&self) -> Result<Shape, Why> {
        if self.magic != MAGIC {
            return Err(Why::NoSegment);
        }
        if self.order.get().swap_bytes() == ORDER {
            return Err(Why::ByteOrder);
        }
        if self.check.get() != self.sum() {
            return Err(Why::Header);
        }
        if self.version != VERSION {
            return Err(Why::Version(self.version));
        }
        let shape = Shape {
            journal: self.journal.get(),
            block: self.block.get() as usize,
            length: usize::try_from(self.length.get()).map_err(|_| Why::Header)?,
        };
        let same = shape.most() == self.most.get() as usize && self.order.get() == ORDER;
        match shape.is_possible() && same {
            true => Ok(shape),
            false => Err(Why::Header),
        }
    }

    fn sum(&self) -> u32 {
        let unchecked = SegmentHeader {
            check: 0.into(),
            ..*self
        };
        let crc = Crc32c::new();
        let words = unchecked.words().into_iter();
        Crc32c::finish(words.fold(Crc32c::START, |sum, word| crc.add(sum, word)))
    }

    /// As words.
    pub(super) fn words(&self) -> [u64; FIELD_WORDS] {
        let words: [U64; FIELD_WORDS] = zerocopy::transmute!(*self);
        words.map(U64::get)
    }
}

/// What all segments of a journal have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub journal: u64,
    /// Bytes of a block, and of a segment.
    pub block: usize,
    pub length: usize,
}

impl Shape {
    pub fn is_possible(&self) -> bool {
        let blocks = self.length.checked_sub(HEADER_BYTES);
        self.block.is_power_of_two()
            && (BLOCK[0]..=BLOCK[1]).contains(&self.block)
            && self.length as u64 <= MAX_SEGMENT
            && blocks.is_some_and(|bytes| bytes > 0 && bytes.is_multiple_of(self.block))
    }

    /// Most bytes of a frame.
    pub fn most(&self) -> usize {
        self.block.saturating_sub(MARK_WORDS * WORD + TAG)
    }

    pub fn blocks(&self) -> usize {
        (self.length - HEADER_BYTES) / self.block
    }

    /// The word at which a block begins; behind the last, the end of the segment.
    pub fn block_at(&self, block: usize) -> usize {
        (HEADER_BYTES + block * self.block) / WORD
    }
}

/// Words of a record whose frame has so many bytes.
#[inline(always)]
pub(super) const fn record_words(frame: usize) -> usize {
    (size_of::<u32>() + frame).div_ceil(WORD)
}

/// Makes the commit words of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal {
    crc: Crc32c,
    /// The check so far: journal and segment.
    begun: u32,
}

impl Seal {
    pub fn new(journal: u64, segment: u64) -> Seal {
        let crc = Crc32c::new();
        Seal {
            crc,
            begun: crc.add(crc.add(Crc32c::START, journal), segment),
        }
    }

    /// The check of what begins at word `at`; the words behind the commit word are to be added.
    #[inline(always)]
    pub fn begin(&self, at: usize, number: u64, tag: u32) -> u32 {
        let place = (at as u64) << 32 | u64::from(number as u32);
        self.add(self.add(self.begun, place), u64::from(tag) << 32)
    }

    #[inline(always)]
    pub fn add(&self, check: u32, word: u64) -> u32 {
        self.crc.add(check, word)
    }

    /// The commit word.
    #[inline(always)]
    pub fn commit(check: u32, tag: u32) -> u64 {
        u64::from(tag) << 32 | u64::from(Crc32c::finish(check))
    }

    /// The two words of a mark.
    pub fn mark(&self, at: usize, number: u64, tag: u32) -> [u64; MARK_WORDS] {
        let check = self.add(self.begin(at, number, tag), number);
        [Seal::commit(check, tag), number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_byte_by_byte() {
        let shape = Shape {
            journal: 77,
            block: 4096,
            length: 3 * 4096,
        };
        let header = SegmentHeader::new(&shape, 5, 9);
        let mut want = b"\x93FHJ\r\n\x1A\n\x01\0\xFF\xFE\0\x10\0\0\0\x30\0\0\0\0\0\0".to_vec();
        want.extend([77u64, 5, 9].map(u64::to_le_bytes).as_flattened());
        want.extend(4076u32.to_le_bytes());
        assert_eq!(header.as_bytes()[..52], want);
        assert_eq!(header.shape(), Ok(shape));
        assert_eq!((shape.blocks(), shape.block_at(1)), (2, 1024));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let shape = Shape {
            journal: 1,
            block: 65_536,
            length: HEADER_BYTES + 65_536,
        };
        let header = SegmentHeader::new(&shape, 0, 0);
        for bit in 0..56 * 8 {
            let mut damaged = header;
            damaged.as_mut_bytes()[bit / 8] ^= 1 << (bit % 8);
            assert!(damaged.shape().is_err(), "bit {bit}");
        }
    }

    #[test]
    fn other_versions_and_orders_are_named() {
        let shape = Shape {
            journal: 1,
            block: 4096,
            length: 8192,
        };
        let header = SegmentHeader::new(&shape, 0, 0);
        let sealed = |mut header: SegmentHeader| {
            header.check = header.sum().into();
            header.shape()
        };
        let version = 2;
        assert_eq!(
            sealed(SegmentHeader { version, ..header }),
            Err(Why::Version(2))
        );
        let order = ORDER.swap_bytes().into();
        assert_eq!(
            SegmentHeader { order, ..header }.shape(),
            Err(Why::ByteOrder)
        );
        for length in [0, 4096, 8191, 1 << 40] {
            let length = length.into();
            assert_eq!(sealed(SegmentHeader { length, ..header }), Err(Why::Header));
        }
        for block in [0, 1, 2048, 4097, 1 << 25] {
            let block = U32::new(block);
            assert_eq!(sealed(SegmentHeader { block, ..header }), Err(Why::Header));
        }
    }
}
