//! The frame a record travels in: what it is, of which version, and how long.
//!
//! All integers are little-endian. A frame is a header of 12 bytes, `fixed` bytes of fields, and `tail` bytes of
//! whatever the kind says (nothing, a payload, a name).
//!
//! | offset | size | field | |
//! |---|---|---|---|
//! | 0 | 2 | `magic` | `0x4846`, which is `FH`; `HF` is the work of a writer of the other byte order, and refused |
//! | 2 | 2 | `kind` | 1 to 255 this project's (see [`record::kind`](crate::record::kind)), 256 and more for its users |
//! | 4 | 2 | `version` | of the kind, from 1 |
//! | 6 | 2 | `fixed` | bytes of its fields |
//! | 8 | 4 | `tail` | bytes behind them |
//!
//! A later version of a kind may append fields and begin to use the tail, and changes nothing else: what would be
//! another meaning is another kind. So a reader takes the fields it knows from the front and steps by the lengths. An
//! earlier version has fewer fields: no view can be laid over it, but a copy is made, with zeros where it has none.

use super::{Decode, Encode, EncodeFrame, RecordKind, SerializeError, room};
use std::io::{self, Write};
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What every frame begins with, read as a little-endian integer.
pub const MAGIC: u16 = u16::from_le_bytes(*b"FH");

/// Bytes of a frame before its fields.
pub const HEADER_LENGTH: usize = size_of::<FrameHeader>();

/// The header of a frame; see the module for its fields.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
#[allow(missing_docs)]
pub struct FrameHeader {
    pub magic: U16,
    pub kind: U16,
    pub version: U16,
    pub fixed: U16,
    pub tail: U32,
}

const _: () = assert!(size_of::<FrameHeader>() == 12 && align_of::<FrameHeader>() == 1);

impl FrameHeader {
    /// The header of a record of kind `T` with so many bytes of tail.
    #[inline(always)]
    pub(super) fn of<T: RecordKind>(tail: u32) -> FrameHeader {
        FrameHeader {
            magic: U16::new(MAGIC),
            kind: U16::new(T::KIND),
            version: U16::new(T::VERSION),
            // The macro has asserted that it fits.
            fixed: U16::new(size_of::<T>() as u16),
            tail: U32::new(tail),
        }
    }
}

/// Why bytes are not a frame, or not of the record that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FrameError {
    /// The bytes end before the frame does: cut short, or more is to come.
    #[error("the bytes end inside a frame")]
    Short,
    /// The magic reads backwards.
    #[error("written in the other byte order")]
    ByteOrder,
    /// Something else.
    #[error("not the frame of a record")]
    Foreign,
    /// A record of another kind.
    #[error("a record of kind {0}, not of the kind asked for")]
    Kind(u16),
    /// Fewer fields than the kind has ever had, or than a view of this version needs.
    #[error("a record with {0} bytes of fields, which are too few")]
    Fields(u16),
}

/// A frame of whatever kind, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    header: &'a FrameHeader,
    fixed: &'a [u8],
    tail: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Its header.
    #[inline]
    pub fn header(&self) -> &'a FrameHeader {
        self.header
    }

    /// The kind of its record.
    #[inline]
    pub fn kind(&self) -> u16 {
        self.header.kind.get()
    }

    /// The bytes of its fields, those of a newer version included.
    #[inline]
    pub fn fixed(&self) -> &'a [u8] {
        self.fixed
    }

    /// The bytes behind its fields.
    #[inline]
    pub fn tail(&self) -> &'a [u8] {
        self.tail
    }

    /// The whole of it.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its record, in place.
    #[inline]
    pub fn view<T: RecordKind>(&self) -> Result<&'a T, FrameError> {
        self.expect::<T>()?;
        match T::ref_from_prefix(self.fixed) {
            Ok((view, _)) => Ok(view),
            Err(_) => Err(FrameError::Fields(self.header.fixed.get())),
        }
    }

    /// Its record, copied; fields that the version of its writer did not have are zero.
    #[inline]
    pub fn copy<T: RecordKind>(&self) -> Result<T, FrameError> {
        self.expect::<T>()?;
        if self.fixed.len() < T::LEAST {
            return Err(FrameError::Fields(self.header.fixed.get()));
        }
        let mut record = T::new_zeroed();
        let known = self.fixed.len().min(size_of::<T>());
        record.as_mut_bytes()[..known].copy_from_slice(&self.fixed[..known]);
        Ok(record)
    }

    #[inline(always)]
    fn expect<T: RecordKind>(&self) -> Result<(), FrameError> {
        match self.kind() {
            kind if kind == T::KIND => Ok(()),
            kind => Err(FrameError::Kind(kind)),
        }
    }
}

impl<'a> Decode<'a> for Frame<'a> {
    type Error = FrameError;

    /// A frame of any kind: a reader that does not know it goes on with the rest.
    #[inline]
    fn deserialize_from(bytes: &'a [u8]) -> Result<(Frame<'a>, &'a [u8]), FrameError> {
        if let Some(&magic) = bytes.first_chunk::<2>() {
            match u16::from_le_bytes(magic) {
                MAGIC => {}
                other if other.swap_bytes() == MAGIC => return Err(FrameError::ByteOrder),
                _ => return Err(FrameError::Foreign),
            }
        }
        let (header, body) = FrameHeader::ref_from_prefix(bytes).map_err(|_| FrameError::Short)?;
        let (fixed, tail) = (header.fixed.get(), header.tail.get());
        let (fixed, body) = body
            .split_at_checked(fixed.into())
            .ok_or(FrameError::Short)?;
        let (tail, rest) = usize::try_from(tail)
            .ok()
            .and_then(|tail| body.split_at_checked(tail))
            .ok_or(FrameError::Short)?;
        let frame = Frame {
            header,
            fixed,
            tail,
            bytes: &bytes[..bytes.len() - rest.len()],
        };
        Ok((frame, rest))
    }
}

impl Encode for Frame<'_> {
    #[inline]
    fn serialized_size(&self) -> usize {
        self.bytes.len()
    }

    /// The frame as it was read: fields that only its writer knows are passed on.
    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(self.bytes)
    }

    #[inline]
    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
        room(out, self.bytes.len())?.copy_from_slice(self.bytes);
        Ok(self.bytes.len())
    }
}

impl EncodeFrame for Frame<'_> {}

/// A frame without its tail: one run of bytes to write.
#[derive(Clone, Copy, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Head<T: Unaligned> {
    header: FrameHeader,
    fixed: T,
}

impl<T: RecordKind> Head<T> {
    /// Bytes of it.
    pub const SIZE: usize = HEADER_LENGTH + size_of::<T>();

    /// Magic, kind, version and length of the fields.
    const FIRST: u64 = MAGIC as u64
        | (T::KIND as u64) << 16
        | (T::VERSION as u64) << 32
        | (size_of::<T>() as u64) << 48;

    #[inline(always)]
    pub fn new(fixed: &T, tail: u32) -> Head<T> {
        Head {
            header: FrameHeader::of::<T>(tail),
            fixed: *fixed,
        }
    }

    /// Writes it from where its parts are: made in memory first, it would be loaded again before its small stores have
    /// reached the cache, and wait for them. `out` is of its size.
    #[inline(always)]
    pub fn fill(fixed: &T, tail: u32, out: &mut [u8]) {
        let (header, fields) = out.split_at_mut(HEADER_LENGTH);
        header[..8].copy_from_slice(&Self::FIRST.to_le_bytes());
        header[8..].copy_from_slice(&tail.to_le_bytes());
        fields.copy_from_slice(fixed.as_bytes());
    }
}

/// A record with bytes behind its fields: a payload, a name, a note. Views of both, when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithTail<'a, T> {
    /// The fields.
    pub fixed: &'a T,
    /// What follows them.
    pub tail: &'a [u8],
}

impl<'a, T: RecordKind> WithTail<'a, T> {
    /// The two together.
    #[inline]
    pub fn new(fixed: &'a T, tail: &'a [u8]) -> WithTail<'a, T> {
        WithTail { fixed, tail }
    }

    #[inline(always)]
    fn tail_length(&self) -> Result<u32, SerializeError> {
        u32::try_from(self.tail.len()).map_err(|_| SerializeError::Tail(self.tail.len()))
    }
}

impl<T: RecordKind> Encode for WithTail<'_, T> {
    #[inline]
    fn serialized_size(&self) -> usize {
        Head::<T>::SIZE + self.tail.len()
    }

    #[inline]
    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(Head::new(self.fixed, self.tail_length()?).as_bytes())?;
        out.write_all(self.tail)
    }

    #[inline]
    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
        let size = self.serialized_size();
        let (head, tail) = room(out, size)?.split_at_mut(Head::<T>::SIZE);
        Head::fill(self.fixed, self.tail_length()?, head);
        tail.copy_from_slice(self.tail);
        Ok(size)
    }
}

impl<T: RecordKind> EncodeFrame for WithTail<'_, T> {}

impl<'a, T: RecordKind> Decode<'a> for WithTail<'a, T> {
    type Error = FrameError;

    #[inline]
    fn deserialize_from(bytes: &'a [u8]) -> Result<(WithTail<'a, T>, &'a [u8]), FrameError> {
        let (frame, rest) = Frame::deserialize_from(bytes)?;
        Ok((WithTail::new(frame.view()?, frame.tail), rest))
    }
}

/// What the [`record!`](macro@crate::record) macro makes of a record without a tail.
#[doc(hidden)]
pub mod alone {
    use super::{Head, RecordKind, SerializeError, room};
    use std::io::{self, Write};
    use zerocopy::IntoBytes;

    #[inline(always)]
    pub const fn size<T: RecordKind>() -> usize {
        Head::<T>::SIZE
    }

    #[inline]
    pub fn write<T: RecordKind, W: Write + ?Sized>(record: &T, out: &mut W) -> io::Result<()> {
        out.write_all(Head::new(record, 0).as_bytes())
    }

    #[inline(always)]
    pub fn fill<T: RecordKind>(record: &T, out: &mut [u8]) -> Result<usize, SerializeError> {
        Head::fill(record, 0, room(out, size::<T>())?);
        Ok(size::<T>())
    }
}
