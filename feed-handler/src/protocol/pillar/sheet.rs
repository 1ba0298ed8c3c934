//! The messages for people.

use crate::protocol::{DecodeError, Sheet};
use feed_common::wire::message::Value;
use feed_common::wire::pillar::{LONGEST, Message, kind_of, lengthened, lengths_of, name};

/// NYSE XDP: control messages, Integrated Feed and request server.
#[derive(Clone, Copy, Debug)]
pub struct PillarSheet;

impl Sheet for PillarSheet {
    fn code(message: &[u8]) -> u32 {
        kind_of(message).into()
    }

    fn name(code: u32) -> Option<&'static str> {
        name(u16::try_from(code).ok()?)
    }

    /// The type's number.
    fn key(code: u32) -> String {
        code.to_string()
    }

    fn error(message: &[u8]) -> Option<DecodeError> {
        match (message.len(), lengths_of(kind_of(message))) {
            (0, _) => Some(DecodeError::Empty),
            (1..4, _) => Some(DecodeError::Short),
            (_, None) => Some(DecodeError::UnknownType),
            (len, Some((_, least))) => (len < least).then_some(DecodeError::Short),
        }
    }

    fn is_long(message: &[u8]) -> bool {
        !excess(message).is_empty()
    }

    fn visit(message: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let mut room = [0; LONGEST];
        let whole = lengthened(message, &mut room).unwrap_or(message);
        let Some(known) = Message::parse(whole) else {
            return visit("bytes", Value::Hex(message));
        };
        let mut layout = known.fields().layout().iter();
        known.fields().visit(&mut |name, value| {
            let end = layout.next().map_or(0, |field| field.offset + field.len);
            match name {
                "msg_size" | "msg_type" => {} // facts have named the type already
                _ if end > message.len() => visit(name, Value::Null),
                _ => visit(name, value),
            }
        });
        if Self::is_long(message) {
            visit("excess", Value::Hex(excess(message)));
        }
    }
}

/// What is behind the fields of its type.
fn excess(message: &[u8]) -> &[u8] {
    let known = lengths_of(kind_of(message));
    known
        .and_then(|(size, _)| message.get(size..))
        .unwrap_or_default()
}
