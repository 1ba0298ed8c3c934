//! The messages for people.

use crate::protocol::{DecodeError, Sheet};
use feed_common::wire::message::Value;
use feed_common::wire::pitch::{Message, ParseError, name};

/// Cboe Multicast PITCH, and the TCP services beside it.
#[derive(Clone, Copy, Debug)]
pub struct PitchSheet;

impl Sheet for PitchSheet {
    fn code(message: &[u8]) -> u32 {
        message.get(1).copied().unwrap_or(0).into()
    }

    fn name(code: u32) -> Option<&'static str> {
        name(u8::try_from(code).ok()?)
    }

    /// Hexadecimal, as the specification writes types.
    fn key(code: u32) -> String {
        format!("0x{code:02X}")
    }

    fn error(message: &[u8]) -> Option<DecodeError> {
        Message::parse(message).err().map(DecodeError::from)
    }

    fn is_long(message: &[u8]) -> bool {
        !excess(message).is_empty()
    }

    fn visit(message: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match Message::parse(message) {
            Ok(known) => {
                let mut head = 2; // length and type: the one is framing, the other facts have already named
                known.fields().visit(&mut |name, value| match head {
                    0 => visit(name, value),
                    _ => head -= 1,
                });
                if Self::is_long(message) {
                    visit("excess", Value::Hex(excess(message)));
                }
            }
            Err(_) => visit("bytes", Value::Hex(message)),
        }
    }
}

impl From<ParseError> for DecodeError {
    fn from(e: ParseError) -> DecodeError {
        match e {
            ParseError::Empty => DecodeError::Empty,
            ParseError::Short => DecodeError::Short,
            ParseError::UnknownType => DecodeError::UnknownType,
        }
    }
}

/// What is behind the fields of its type.
fn excess(message: &[u8]) -> &[u8] {
    let known = Message::parse(message).ok();
    known
        .and_then(|known| message.get(known.size()..))
        .unwrap_or_default()
}
