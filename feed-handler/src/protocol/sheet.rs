//! What a specification says of single messages, for people: the counterpart of [`Decode`](super::Decode), which is for
//! speed.

use super::DecodeError;
use feed_common::wire::message::Value;

/// The messages of a protocol, named and taken apart.
pub trait Sheet {
    /// The number of a message's type; 0 where it is too short to have one.
    fn code(message: &[u8]) -> u32;

    /// What the specification calls a type; `None` for an unknown one.
    fn name(code: u32) -> Option<&'static str>;

    /// How a type is written as the `type` of facts.
    fn key(code: u32) -> String;

    /// Why a message cannot be read, if so.
    fn error(message: &[u8]) -> Option<DecodeError>;

    /// True when a message has bytes behind what its type has: a newer sender, or damage. It is read all the same.
    fn is_long(message: &[u8]) -> bool {
        let _ = message;
        false
    }

    /// Calls `visit` with every field after the type, in wire order; of a message that cannot be read with its `bytes`;
    /// of one that is long with the `excess` behind its fields.
    fn visit(message: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>));
}

/// Describes a protocol whose messages begin with a character that is their type, from the tables of its wire module.
macro_rules! lettered_sheet {
    ($(#[$doc:meta])* $sheet:ident of $wire:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $sheet;

        impl $crate::protocol::Sheet for $sheet {
            fn code(message: &[u8]) -> u32 {
                message.first().copied().unwrap_or(0).into()
            }

            fn name(code: u32) -> Option<&'static str> {
                ::feed_common::wire::$wire::name(u8::try_from(code).ok()?)
            }

            /// The type's character; a byte that has none in hexadecimal.
            fn key(code: u32) -> String {
                match char::from_u32(code) {
                    Some(c) if c.is_ascii_graphic() => c.to_string(),
                    _ => format!("{code:#04x}"),
                }
            }

            fn error(message: &[u8]) -> Option<$crate::protocol::DecodeError> {
                use $crate::protocol::DecodeError;
                let Some(&kind) = message.first() else {
                    return Some(DecodeError::Empty);
                };
                match ::feed_common::wire::$wire::length_of(kind) {
                    None => Some(DecodeError::UnknownType),
                    Some(len) if message.len() < len => Some(DecodeError::Short),
                    Some(_) => None,
                }
            }

            fn is_long(message: &[u8]) -> bool {
                let known = message.first().copied();
                known
                    .and_then(::feed_common::wire::$wire::length_of)
                    .is_some_and(|len| message.len() > len)
            }

            fn visit(
                message: &[u8],
                visit: &mut dyn FnMut(&'static str, ::feed_common::wire::message::Value<'_>),
            ) {
                use ::feed_common::wire::message::Value;
                let Ok(known) = ::feed_common::wire::$wire::Message::parse(message) else {
                    return visit("bytes", Value::Hex(message));
                };
                let (mut is_type, mut end) = (true, 0);
                for field in known.fields().layout() {
                    end = field.offset + field.len;
                }
                known.fields().visit(&mut |name, value| {
                    // The first field is the type, which facts have already named.
                    if !std::mem::take(&mut is_type) {
                        visit(name, value);
                    }
                });
                if message.len() > end {
                    visit("excess", Value::Hex(&message[end..]));
                }
            }
        }
    };
}
pub(super) use lettered_sheet;
