//! Cboe Multicast PITCH 2.x for US equities: sequenced unit blocks, and the messages in them.
//!
//! Source: "Cboe US Equities Multicast PITCH" specification, 2.41. Integers are little-endian and unsigned; text is
//! ASCII padded with blanks on the right. Short forms have prices of 2 decimal places in 16 bits and quantities of 16
//! bits, long forms prices of 4 decimal places in 64 bits and quantities of 32.
//!
//! A market is split into units, each with sequence numbers of its own from 1 on every day. A datagram is one block or
//! several, one after another; a block is a header and messages of one unit, back to back. Every message begins with its
//! own length, which is how to step to the next one: messages may grow at their end, and unknown types have a number too.
//!
//! The options markets send the same messages with bytes appended to some; what is appended is left as bytes here. Their
//! own messages, those of complex orders and those of the futures market, whose bodies differ, are not read.
//!
//! Only field definitions stand behind these, not captured bytes: the bodies of Trading Status, Auction Update, Auction
//! Summary, Trade Break, Retail Price Improvement, Unit Clear and End of Session, and those of the TCP services.

mod builder;
mod messages;

pub use builder::UnitBuilder;
pub use messages::*;

use super::Fit;
use crate::wire::message::message;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{U16, U32};

message! {
    /// Head of a block.
    pub struct Header: 8 {
        /// Bytes of the block, this header included.
        length: U16 => u,
        /// Messages that follow; none in a heartbeat.
        count: u8 => u,
        /// The unit; 0 on the login traffic of the TCP services.
        unit: u8 => u,
        /// Number of the first message, in heartbeats of the next to be sent; 0 where messages have none.
        sequence: U32 => u,
    }
}

/// Bytes of a block's head.
pub const HEADER: usize = size_of::<Header>();

/// Why bytes do not begin with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Fewer bytes than the header has.
    #[error("shorter than its header")]
    ShortHeader,
    /// The block is said to be shorter than its header, or a message than its own length and type.
    #[error("a length that cannot be")]
    Length,
    /// The block runs past the end, or a message past that of the block, or there are fewer than the count says.
    #[error("a message runs past the end")]
    Overrun,
    /// The block has bytes behind its last message, or the datagram has some that are no header behind its last block.
    #[error("bytes are left over after the last message")]
    Trailing,
}

/// The first block of a datagram, every length in it checked, and the bytes after it: nothing, or more blocks.
#[inline]
pub fn parse(datagram: &[u8]) -> Result<(&Header, Messages<'_>, &[u8]), BlockError> {
    let (header, _) = Header::ref_from_prefix(datagram).map_err(|_| BlockError::ShortHeader)?;
    let length = header.length.get().into();
    let (block, rest) = datagram
        .split_at_checked(length)
        .ok_or(BlockError::Overrun)?;
    let body = block.get(HEADER..).ok_or(BlockError::Length)?;
    let messages = Messages { rest: body };
    let mut left = messages;
    for _ in 0..header.count {
        match left.next() {
            Some([_, _, ..]) => {}
            Some(_) => return Err(BlockError::Length),
            None => return Err(BlockError::Overrun),
        }
    }
    if !left.rest.is_empty() || (1..HEADER).contains(&rest.len()) {
        return Err(BlockError::Trailing);
    }
    Ok((header, messages, rest))
}

/// The messages of a block, in order, each with its length byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Messages laid back to back in `bytes`; iteration ends at the first that is not whole.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Messages<'a> {
        Messages { rest: bytes }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let &len = self.rest.first()?;
        // A length of 0 would never come to an end: it takes the byte that says so.
        let (message, rest) = self.rest.split_at_checked(usize::from(len).max(1))?;
        self.rest = rest;
        Some(message)
    }
}

/// Whether a datagram is of blocks with at least one message of a known type and its length, and none that is too short
/// for its type. Blocks without such a message could be anybody's.
pub fn fit(datagram: &[u8]) -> Fit {
    let (mut rest, mut any) = (datagram, false);
    loop {
        let Ok((_, messages, after)) = parse(rest) else {
            return Fit::No;
        };
        for message in messages {
            let &[_, kind, ..] = message else {
                return Fit::No;
            };
            match length_of(kind) {
                Some(least) if message.len() < least => return Fit::No,
                // The options markets append a byte. What is longer still is read, but tells nothing: a block header
                // alone is not much to go by, and other headers begin much like it.
                Some(least) => any |= message.len() <= least + 1,
                None => {}
            }
        }
        match after {
            [] => break,
            more => rest = more,
        }
    }
    if any { Fit::Yes } else { Fit::Possible }
}

#[cfg(test)]
mod tests;
