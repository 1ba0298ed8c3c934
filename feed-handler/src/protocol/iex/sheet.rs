//! The 19 messages for people.

use crate::protocol::{DecodeError, Sheet};
use feed_common::wire::iex::{Message, ParseError, length_of, name};
use feed_common::wire::message::Value;

/// TOPS, DEEP and DEEP+.
#[derive(Clone, Copy, Debug)]
pub struct IexSheet;

impl Sheet for IexSheet {
    fn code(message: &[u8]) -> u32 {
        message.first().copied().unwrap_or(0).into()
    }

    fn name(code: u32) -> Option<&'static str> {
        name(u8::try_from(code).ok()?)
    }

    /// The type's character; a byte that has none in hexadecimal.
    fn key(code: u32) -> String {
        match char::from_u32(code) {
            Some(c) if c.is_ascii_graphic() => c.to_string(),
            _ => format!("{code:#04x}"),
        }
    }

    fn error(message: &[u8]) -> Option<DecodeError> {
        let Some(&kind) = message.first() else {
            return Some(DecodeError::Empty);
        };
        match length_of(kind) {
            None => Some(DecodeError::UnknownType),
            Some(len) if message.len() < len => Some(DecodeError::Short),
            Some(_) => None,
        }
    }

    fn is_long(message: &[u8]) -> bool {
        !excess(message).is_empty()
    }

    fn visit(message: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match Message::parse(message) {
            Ok(known) => {
                let mut is_type = true; // the first field, which facts have already named
                known.fields().visit(&mut |name, value| {
                    if !std::mem::take(&mut is_type) {
                        visit(name, value);
                    }
                });
                if Self::is_long(message) {
                    visit("excess", Value::Hex(excess(message)));
                }
            }
            Err(ParseError::Empty | ParseError::Short | ParseError::UnknownType) => {
                visit("bytes", Value::Hex(message));
            }
        }
    }
}

/// What is behind the fields of its type.
fn excess(message: &[u8]) -> &[u8] {
    let known = message.first().and_then(|&kind| length_of(kind));
    known.and_then(|len| message.get(len..)).unwrap_or_default()
}
