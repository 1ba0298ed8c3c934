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
