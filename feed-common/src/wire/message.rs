//! One table per message: the `message!` macro turns a list of fields into a struct laid over the wire's bytes, and
//! into the list of its fields for whatever prints, compares or documents messages.

use zerocopy::byteorder::{big_endian, little_endian};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// How a field's bytes are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Unsigned integer, or bits.
    Unsigned,
    /// Two's-complement integer.
    Signed,
    /// ASCII, padded on the right.
    Text,
    /// Reserved or opaque bytes.
    Opaque,
    /// Integer with so many implied decimal places, signed or not.
    Price(u32),
    /// Unsigned count of time units.
    Time,
}

/// A field of a message: where it lies and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name in facts.
    pub name: &'static str,
    /// Bytes from the start of the message.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
    /// How to read it.
    pub ty: FieldType,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An integer.
    Unsigned(u64),
    /// An integer that can be negative.
    Signed(i64),
    /// A binary floating-point number.
    Float(f64),
    /// ASCII with its padding; [`trimmed`] takes it off.
    Text(&'a [u8]),
    /// Opaque bytes, to be shown in hexadecimal.
    Hex(&'a [u8]),
    /// `mantissa / 10^decimals`.
    Price {
        /// The integer on the wire; wide enough for any width and sign.
        mantissa: i128,
        /// Implied decimal places.
        decimals: u32,
    },
    /// A count of time units, in the unit the message's documentation names.
    Time(u64),
    /// The field is there and says that it has no value.
    Null,
    /// A repeating group.
    Rows(&'a dyn Rows),
}

/// The entries of a repeating group.
pub trait Rows {
    /// How many there are.
    fn count(&self) -> usize;

    /// Calls `visit` with every field of an entry, in wire order.
    fn visit(&self, entry: usize, visit: &mut dyn FnMut(&'static str, Value<'_>));
}

impl std::fmt::Debug for dyn Rows + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut list = f.debug_list();
        for entry in 0..self.count() {
            let mut fields = Vec::new();
            self.visit(entry, &mut |name, value| {
                fields.push(format!("{name}: {value:?}"))
            });
            list.entry(&fields);
        }
        list.finish()
    }
}

impl PartialEq for dyn Rows + '_ {
    /// Equal when everything in them is.
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

impl Eq for dyn Rows + '_ {}

/// A message that can name its fields.
pub trait Fields {
    /// The fields in wire order, covering every byte of the message.
    fn layout(&self) -> &'static [Field];

    /// Calls `visit` with the name and value of every field, in wire order.
    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>));
}

/// Text without its padding: blanks and NULs on the right.
pub fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b' ' && b != 0);
    &text[..end.map_or(0, |last| last + 1)]
}

/// A big-endian 48-bit integer, as ITCH writes the time of day.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(transparent)]
pub struct U48([u8; 6]);

impl U48 {
    /// The low 48 bits of `value`.
    #[inline]
    pub const fn new(value: u64) -> U48 {
        let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
        U48([a, b, c, d, e, f])
    }

    /// The integer, below 2^48.
    #[inline]
    pub const fn get(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        // Two loads and two byte swaps; assembling eight bytes makes the compiler shuffle vectors.
        (u16::from_be_bytes([a, b]) as u64) << 32 | u32::from_be_bytes([c, d, e, f]) as u64
    }
}

impl std::fmt::Debug for U48 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "U48({})", self.get())
    }
}

impl From<u64> for U48 {
    #[inline]
    fn from(value: u64) -> U48 {
        U48::new(value)
    }
}

/// An unsigned integer of the wire, whatever its width and byte order.
pub trait WireUnsigned: Copy {
    /// The value, widened.
    fn widen(self) -> u64;
}

impl WireUnsigned for u8 {
    fn widen(self) -> u64 {
        self.into()
    }
}

macro_rules! wire_unsigned {
    ($($ty:ty)*) => {
        $(impl WireUnsigned for $ty {
            fn widen(self) -> u64 {
                self.get().into()
            }
        })*
    };
}

wire_unsigned! {
    U48
    big_endian::U16 big_endian::U32 big_endian::U64
    little_endian::U16 little_endian::U32 little_endian::U64
}

/// A signed integer of the wire, whatever its width and byte order.
pub trait WireSigned: Copy {
    /// The value, widened.
    fn widen(self) -> i64;
}

impl WireSigned for i8 {
    fn widen(self) -> i64 {
        self.into()
    }
}

macro_rules! wire_signed {
    ($($ty:ty)*) => {
        $(impl WireSigned for $ty {
            fn widen(self) -> i64 {
                self.get().into()
            }
        })*
    };
}

wire_signed! {
    big_endian::I16 big_endian::I32 big_endian::I64
    little_endian::I16 little_endian::I32 little_endian::I64
}

/// Declares structs laid over wire bytes.
///
/// Each field is `name: RustType => kind,` where kind is the letter of the field tables: `u` unsigned, `i` signed,
/// `bits` a bit field, `a` text, `x` opaque, `pN` and `spN` unsigned and signed prices of N decimal places, `t` time. A
/// field that facts call by another name gives it in parentheses. The size after the struct's name is checked at compile time.
macro_rules! message {
    ($(
        $(#[$doc:meta])*
        pub struct $name:ident: $size:literal {
            $($(#[$field_doc:meta])* $field:ident $(($fact:literal))? : $ty:ty => $kind:ident,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq,
            ::zerocopy::FromBytes, ::zerocopy::IntoBytes, ::zerocopy::KnownLayout,
            ::zerocopy::Immutable, ::zerocopy::Unaligned,
        )]
        #[repr(C)]
        #[allow(missing_docs)] // most field names say all there is
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        const _: () = assert!(size_of::<$name>() == $size && align_of::<$name>() == 1);

        $crate::encode::plain!($name);

        impl $name {
            /// The fields in wire order.
            pub const LAYOUT: &'static [$crate::wire::message::Field] = &[$(
                $crate::wire::message::Field {
                    name: $crate::wire::message::message!(@name $field $($fact)?),
                    offset: ::std::mem::offset_of!($name, $field),
                    len: size_of::<$ty>(),
                    ty: $crate::wire::message::message!(@type $kind),
                },
            )*];
        }

        impl $crate::wire::message::Fields for $name {
            fn layout(&self) -> &'static [$crate::wire::message::Field] {
                Self::LAYOUT
            }

            fn visit(
                &self,
                visit: &mut dyn FnMut(&'static str, $crate::wire::message::Value<'_>),
            ) {
                $(visit(
                    $crate::wire::message::message!(@name $field $($fact)?),
                    $crate::wire::message::message!(@value $kind self.$field),
                );)*
            }
        }
    )*};

    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $fact:literal) => { $fact };

    (@type u) => { $crate::wire::message::FieldType::Unsigned };
    (@type bits) => { $crate::wire::message::FieldType::Unsigned };
    (@type i) => { $crate::wire::message::FieldType::Signed };
    (@type p2) => { $crate::wire::message::FieldType::Price(2) };
    (@type sp4) => { $crate::wire::message::FieldType::Price(4) };
    (@type sp6) => { $crate::wire::message::FieldType::Price(6) };
    (@type sp9) => { $crate::wire::message::FieldType::Price(9) };
    (@type a) => { $crate::wire::message::FieldType::Text };
    (@type x) => { $crate::wire::message::FieldType::Opaque };
    (@type p4) => { $crate::wire::message::FieldType::Price(4) };
    (@type p8) => { $crate::wire::message::FieldType::Price(8) };
    (@type t) => { $crate::wire::message::FieldType::Time };

    (@value u $field:expr) => {
        $crate::wire::message::Value::Unsigned($crate::wire::message::WireUnsigned::widen($field))
    };
    (@value bits $field:expr) => { $crate::wire::message::message!(@value u $field) };
    (@value i $field:expr) => {
        $crate::wire::message::Value::Signed($crate::wire::message::WireSigned::widen($field))
    };
    (@value a $field:expr) => {
        $crate::wire::message::Value::Text(::zerocopy::IntoBytes::as_bytes(&$field))
    };
    (@value x $field:expr) => {
        $crate::wire::message::Value::Hex(::zerocopy::IntoBytes::as_bytes(&$field))
    };
    (@value p2 $field:expr) => { $crate::wire::message::message!(@value 2 $field) };
    (@value p4 $field:expr) => { $crate::wire::message::message!(@value 4 $field) };
    (@value p8 $field:expr) => { $crate::wire::message::message!(@value 8 $field) };
    (@value t $field:expr) => {
        $crate::wire::message::Value::Time($crate::wire::message::WireUnsigned::widen($field))
    };
    (@value sp4 $field:expr) => { $crate::wire::message::message!(@signed 4 $field) };
    (@value sp6 $field:expr) => { $crate::wire::message::message!(@signed 6 $field) };
    (@value sp9 $field:expr) => { $crate::wire::message::message!(@signed 9 $field) };
    (@signed $decimals:literal $field:expr) => {
        $crate::wire::message::Value::Price {
            mantissa: $crate::wire::message::WireSigned::widen($field).into(),
            decimals: $decimals,
        }
    };
    (@value $decimals:literal $field:expr) => {
        $crate::wire::message::Value::Price {
            mantissa: $crate::wire::message::WireUnsigned::widen($field).into(),
            decimals: $decimals,
        }
    };
}
pub(crate) use message;

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::byteorder::big_endian::{U16, U32};
    use zerocopy::byteorder::little_endian::{I32, I64};

    message! {
        /// One field of every kind.
        pub struct Sample: 37 {
            kind("type"): u8 => a,
            number: U16 => u,
            name: [u8; 4] => a,
            price: U32 => p4,
            time: U48 => t,
            level: U32 => p8,
            reserved: u8 => x,
            change: I32 => i,
            yield_: I64 => sp6,
            cents: U16 => p2,
            marks: u8 => bits,
        }
    }

    #[test]
    fn fields_are_named_placed_and_read() {
        let bytes =
            *b"\x41\x01\x02AB  \x00\x01\xe2\x40\x00\x00\x00\x00\x01\x00\x00\x00\x00\x05\xff\
              \xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x81\x99";
        let (m, rest) = Sample::ref_from_prefix(&bytes).unwrap();
        assert_eq!(rest, [0x99]);
        let mut seen = Vec::new();
        m.visit(&mut |name, value| seen.push(format!("{name} {value:?}")));
        assert_eq!(
            seen,
            [
                "type Text([65])",
                "number Unsigned(258)",
                "name Text([65, 66, 32, 32])",
                "price Price { mantissa: 123456, decimals: 4 }",
                "time Time(256)",
                "level Price { mantissa: 5, decimals: 8 }",
                "reserved Hex([255])",
                "change Signed(-2)",
                "yield_ Price { mantissa: -1, decimals: 6 }",
                "cents Price { mantissa: 256, decimals: 2 }",
                "marks Unsigned(129)",
            ]
        );
        let mut end = 0;
        for field in m.layout() {
            assert_eq!(field.offset, end, "{}", field.name);
            end += field.len;
        }
        assert_eq!(end, 37);
        assert_eq!(m.layout()[3].ty, FieldType::Price(4));
    }

    #[test]
    fn padding_is_taken_off_the_right_only() {
        assert_eq!(trimmed(b" AB \0 "), b" AB");
        assert_eq!(trimmed(b"   "), b"");
        assert_eq!(trimmed(b""), b"");
    }

    #[test]
    fn forty_eight_bits_round_trip() {
        for value in [0, 1, 0xffff, 0x1f1a_ced8_5306, (1 << 48) - 1] {
            assert_eq!(U48::new(value).get(), value);
        }
        assert_eq!(
            U48::new(0x1f1a_ced8_5306).as_bytes(),
            b"\x1f\x1a\xce\xd8\x53\x06"
        );
        assert_eq!(U48::new(1 << 48).get(), 0);
    }
}
