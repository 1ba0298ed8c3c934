//! Around a decoder: what it is told about a message, and where its records go.

use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Record, Trust};
use feed_common::time::{Ticks, UnixNanos};
use feed_handler::publish::Publish;

/// What a decoder is told about a message.
pub fn context(sequence: u64) -> MsgCtx {
    MsgCtx {
        sequence,
        skip: 0,
        channel: 0,
        rx: Ticks(0),
        trust: Trust::VALID,
        midnight: UnixNanos(0),
        timestamp: UnixNanos::UNKNOWN,
        instrument: NO_INSTRUMENT,
        symbol: NO_SYMBOL,
        flags: Flags::NONE,
        ..MsgCtx::default()
    }
}

/// Keeps the records it is given.
#[derive(Default)]
pub struct Kept(pub Vec<Record>);

impl Publish for Kept {
    fn publish(&mut self, record: &Record) {
        self.0.push(*record);
    }
}
