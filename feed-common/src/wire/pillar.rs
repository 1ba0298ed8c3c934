//! NYSE XDP as the Pillar markets send it: packets, control messages, and the Integrated Feed.
//!
//! Source: "XDP Common Client Specification" 2.3c and "XDP Integrated Feed Client Specification" 2.3a, NYSE, and what
//! release 2.5 changed. Integers are little-endian and unsigned; text is ASCII, padded with NULs or blanks. A price is
//! an integer that the symbol's `price_scale_code` places the point in, never a fixed scale. Times are UTC: seconds of
//! the epoch, and nanoseconds within the second.
//!
//! Markets and releases differ in how much of a message they send: readers step by `msg_size` and read the prefix. What
//! is beyond a message's end is absent; a message that ends before what it is about is malformed. In release 2.1 and
//! 2.3 the bytes called `side` in Modify and Replace Order are a number that no book needs, and those called
//! `trade_cond` one that is always 0.

mod messages;
mod packet;
mod request;

pub use messages::*;
pub use packet::{Flag, Header, MAX_PACKET, Messages, PacketBuilder, ParseError, parse};
pub use request::{MAX_REQUESTED, PacketStream, RequestPacket, SourceId, Status, messages};

use super::Fit;

/// Whether a datagram is a packet of this family with a message of a known type in it. Of unknown ones alone, or of
/// none, nothing is said.
pub fn fit(datagram: &[u8]) -> Fit {
    let Ok((header, messages)) = parse(datagram) else {
        return Fit::No;
    };
    // More than reading needs, because other protocols begin with a length too.
    if header.send_time_ns.get() >= 1_000_000_000 {
        return Fit::No;
    }
    let mut any = false;
    for message in messages {
        if let Some((_, least)) = lengths_of(kind_of(message)) {
            if message.len() < least {
                return Fit::No;
            }
            any = true;
        }
    }
    if any { Fit::Yes } else { Fit::Possible }
}

#[cfg(test)]
mod tests;
