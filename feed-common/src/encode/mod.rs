//! Records as bytes that leave the process: how much room they take, how they are written, how they are read in place.
//!
//! [`Encode`] writes into any [`Write`] or into a slice, without allocating, and says beforehand how many bytes that
//! will be. [`Decode`] reads from the front of a slice and hands back the rest: as a view (`&Record`, [`WithTail`],
//! [`Batch`](crate::wire::native::Batch)) that borrows from the input, or as a value of its own by copying.
//!
//! What is written can be read without being told its length:
//!
//! - Records of ours, and of users of the [`record!`](macro@crate::record) macro, go in a frame (see [`frame`]): their kind,
//!   version and lengths in front. A newer writer may append fields; an older reader steps by the lengths.
//! - Native batches, and the messages and headers of other protocols, are written as their own specification says.
//!
//! ```
//! use feed_common::encode::{Decode, Encode, WithTail};
//! use zerocopy::byteorder::little_endian::{U16, U32, U64};
//!
//! feed_common::record! {
//!     /// What a wind gauge says.
//!     pub struct Wind: 16, kind 300, version 1 {
//!         /// Nanoseconds since the Unix epoch.
//!         timestamp: U64,
//!         /// Which gauge.
//!         gauge: U32,
//!         /// Centimetres a second.
//!         speed: U16,
//!         /// Degrees from north.
//!         direction: U16,
//!     }
//! }
//!
//! let wind = Wind { timestamp: 1.into(), gauge: 7.into(), speed: 830.into(), direction: 270.into() };
//! let mut buffer = [0; 64];
//! let first = wind.serialize_into_slice(&mut buffer)?;
//! assert_eq!(first, wind.serialized_size());
//! // A note of any length may follow the fields.
//! let noted = WithTail::new(&wind, b"gusty");
//! let second = noted.serialize_into_slice(&mut buffer[first..])?;
//!
//! let (view, rest) = <&Wind>::deserialize_from(&buffer[..first + second])?;
//! assert_eq!((view.gauge.get(), view.speed.get()), (7, 830));
//! let (noted, rest) = WithTail::<Wind>::deserialize_from(rest)?;
//! assert_eq!((noted.fixed, noted.tail, rest), (&wind, &b"gusty"[..], &b""[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod frame;
mod kinds;
mod plain;

pub use frame::{Frame, FrameError, FrameHeader, WithTail};
pub use kinds::{EncodeFrame, RecordKind};
pub use plain::Short;
pub(crate) use plain::plain;

use crate::wire::native;
use std::io::{self, Write};

/// Writes itself as bytes.
pub trait Encode {
    /// Exactly the bytes that it will write.
    fn serialized_size(&self) -> usize;

    /// Writes itself. `out` is best buffered: some kinds are several writes. What cannot be written at all is
    /// [`io::ErrorKind::InvalidInput`], and then nothing was.
    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()>;

    /// Writes itself to the front of `out`, and says how many bytes that were: [`Encode::serialized_size`]. After an
    /// error what `out` holds is not specified.
    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError>;
}

/// Reads itself from the front of bytes.
pub trait Decode<'a>: Sized {
    /// What bytes may be instead.
    type Error;

    /// What the bytes begin with, and what follows it.
    fn deserialize_from(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Self::Error>;
}

/// Why something was not written into a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerializeError {
    /// The slice is too short.
    #[error("{needed} bytes do not fit {room}")]
    NoRoom {
        /// Bytes it takes.
        needed: usize,
        /// Bytes there are.
        room: usize,
    },
    /// A frame counts the bytes of its tail in 32 bits.
    #[error("a tail of {0} bytes is more than a frame can count")]
    Tail(usize),
    /// The records do not make a native batch.
    #[error(transparent)]
    Batch(#[from] native::EncodeError),
}

impl From<SerializeError> for io::Error {
    fn from(e: SerializeError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, e)
    }
}

/// The first `size` bytes of `out`.
#[inline(always)]
pub(crate) fn room(out: &mut [u8], size: usize) -> Result<&mut [u8], SerializeError> {
    let there = out.len();
    out.get_mut(..size).ok_or(SerializeError::NoRoom {
        needed: size,
        room: there,
    })
}

#[cfg(test)]
mod tests;
