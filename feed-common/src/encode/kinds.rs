//! Record kinds: structs that are their own bytes, and travel in frames.

use super::Encode;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A struct without padding and of alignment 1, made of integers in wire order, that frames carry under a number of its
/// own. The [`record!`](macro@crate::record) macro implements it.
pub trait RecordKind:
    FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy + 'static
{
    /// Its number; 256 and more are for users.
    const KIND: u16;
    /// The version its fields are of. A later one has more.
    const VERSION: u16;
    /// Bytes of its fields in version 1: fewer are refused.
    const LEAST: usize;
}

/// What writes one frame, no more and no less: what a stream of records carries.
pub trait EncodeFrame: Encode {}

/// Declares a record kind: a struct that is its own bytes, with everything that [`encode`](crate::encode) offers.
///
/// ```
/// use zerocopy::byteorder::little_endian::{U32, U64};
///
/// feed_common::record! {
///     /// A level in a tank.
///     #[derive(Default)]
///     pub struct Level: 16, kind 301, version 2, least 12 {
///         /// Nanoseconds since the Unix epoch.
///         timestamp: U64,
///         /// Millimetres.
///         level: U32,
///         /// Since version 2: which tank.
///         tank: U32,
///     }
/// }
/// ```
///
/// `kind` is its number (256 and more are for users), `version` counts from 1 and grows when fields are appended, and
/// `least`, from version 2 on, is the size of version 1. The size behind the name, alignment 1 and the absence of
/// padding are checked when it is compiled; the crate that uses the macro needs `zerocopy` with its `derive` feature.
///
/// A struct that has the derives already is made a kind by `record! { impl Name: SIZE, kind K, version V }`.
#[macro_export]
macro_rules! record {
    (
        $(#[$about:meta])*
        $vis:vis struct $name:ident: $size:literal, kind $kind:expr, version $version:literal
        $(, least $least:literal)? {
            $($(#[$field_about:meta])* $field:ident: $ty:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            ::zerocopy::FromBytes, ::zerocopy::IntoBytes, ::zerocopy::KnownLayout,
            ::zerocopy::Immutable, ::zerocopy::Unaligned,
        )]
        #[repr(C)]
        $vis struct $name {
            $($(#[$field_about])* pub $field: $ty,)*
        }

        $crate::record! { impl $name: $size, kind $kind, version $version $(, least $least)? }
    };

    (impl $name:ident: $size:literal, kind $kind:expr, version $version:literal) => {
        $crate::record! { impl $name: $size, kind $kind, version $version, least $size }
    };

    (impl $name:ident: $size:literal, kind $kind:expr, version $version:literal, least $least:literal) => {
        const _: () = {
            assert!(::std::mem::size_of::<$name>() == $size, "the size is another");
            assert!(::std::mem::align_of::<$name>() == 1, "a record has alignment 1");
            assert!($size <= u16::MAX as usize, "a frame counts its fields in 16 bits");
            assert!(0 < $least && $least <= $size, "version 1 had some of the fields");
            assert!($version > 0, "versions count from 1");
        };

        impl $crate::encode::RecordKind for $name {
            const KIND: u16 = $kind;
            const VERSION: u16 = $version;
            const LEAST: usize = $least;
        }

        impl $crate::encode::Encode for $name {
            #[inline(always)]
            fn serialized_size(&self) -> usize {
                $crate::encode::frame::alone::size::<Self>()
            }

            #[inline]
            fn serialize_into<W: ::std::io::Write + ?Sized>(
                &self,
                out: &mut W,
            ) -> ::std::io::Result<()> {
                $crate::encode::frame::alone::write(self, out)
            }

            #[inline]
            fn serialize_into_slice(
                &self,
                out: &mut [u8],
            ) -> ::std::result::Result<usize, $crate::encode::SerializeError> {
                $crate::encode::frame::alone::fill(self, out)
            }
        }

        impl $crate::encode::EncodeFrame for $name {}

        impl<'a> $crate::encode::Decode<'a> for &'a $name {
            type Error = $crate::encode::FrameError;

            #[inline]
            fn deserialize_from(
                bytes: &'a [u8],
            ) -> ::std::result::Result<(Self, &'a [u8]), Self::Error> {
                let (frame, rest) = $crate::encode::Frame::deserialize_from(bytes)?;
                ::std::result::Result::Ok((frame.view()?, rest))
            }
        }

        impl<'a> $crate::encode::Decode<'a> for $name {
            type Error = $crate::encode::FrameError;

            #[inline]
            fn deserialize_from(
                bytes: &'a [u8],
            ) -> ::std::result::Result<(Self, &'a [u8]), Self::Error> {
                let (frame, rest) = $crate::encode::Frame::deserialize_from(bytes)?;
                ::std::result::Result::Ok((frame.copy()?, rest))
            }
        }
    };
}
