//! Structs laid over the bytes of somebody else's protocol: written as they are, with nothing around them.

/// The bytes end before the struct does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the bytes end before the message does")]
pub struct Short;

/// Makes zerocopy structs of alignment 1 their own encoding.
macro_rules! plain {
    ($($name:ty),* $(,)?) => {$(
        impl $crate::encode::Encode for $name {
            #[inline(always)]
            fn serialized_size(&self) -> usize {
                size_of::<Self>()
            }

            #[inline]
            fn serialize_into<W: ::std::io::Write + ?Sized>(
                &self,
                out: &mut W,
            ) -> ::std::io::Result<()> {
                out.write_all(::zerocopy::IntoBytes::as_bytes(self))
            }

            #[inline]
            fn serialize_into_slice(
                &self,
                out: &mut [u8],
            ) -> ::std::result::Result<usize, $crate::encode::SerializeError> {
                let bytes = ::zerocopy::IntoBytes::as_bytes(self);
                $crate::encode::room(out, bytes.len())?.copy_from_slice(bytes);
                Ok(bytes.len())
            }
        }

        impl<'a> $crate::encode::Decode<'a> for &'a $name {
            type Error = $crate::encode::Short;

            #[inline]
            fn deserialize_from(bytes: &'a [u8]) -> ::std::result::Result<(Self, &'a [u8]), $crate::encode::Short> {
                <$name as ::zerocopy::FromBytes>::ref_from_prefix(bytes).map_err(|_| $crate::encode::Short)
            }
        }

        impl<'a> $crate::encode::Decode<'a> for $name {
            type Error = $crate::encode::Short;

            #[inline]
            fn deserialize_from(bytes: &'a [u8]) -> ::std::result::Result<(Self, &'a [u8]), $crate::encode::Short> {
                <$name as ::zerocopy::FromBytes>::read_from_prefix(bytes).map_err(|_| $crate::encode::Short)
            }
        }
    )*};
}
pub(crate) use plain;
