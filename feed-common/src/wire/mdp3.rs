//! CME MDP 3.0: packets of SBE messages, schema versions 5 to 13 side by side.
//!
//! Source: CME Group's SBE schemas ("templates_FixBinary.xml") of versions 5, 8, 9, 12 and 13, and its description of
//! MDP 3.0's packets and message headers. Integers are little-endian. A packet is a header and messages until the end
//! of the datagram; a message begins with its size and SBE's header, then its root block, then its groups in the
//! schema's order. The wire says how long each block is: readers step by that, ignore what lies behind the fields they
//! know, and take fields that are not there as absent.
//!
//! Two ways to read a message, both from [`parse`] and [`Message::parse`]:
//!
//! - Order flow, by structs at fixed places ([`entries`]):
//!
//!   ```
//!   # use feed_common::wire::mdp3::*;
//!   # fn read(bytes: &[u8]) -> Result<i64, MessageError> {
//!   let message = Message::parse(bytes)?;
//!   let event = message.root::<EventRoot>().ok_or(MessageError::Block)?;
//!   let mut groups = message.groups();
//!   let levels = groups.next(Dimension::Three)?.entries::<BookEntry>()?;
//!   let orders = groups.next(Dimension::Eight)?.entries::<OrderIdEntry>()?;
//!   # let mut sum = event.match_event_indicator as i64;
//!   for order in orders {
//!       if let Some(level) = levels.get(usize::from(order.reference_id).wrapping_sub(1)) {
//!           // the order is of this level
//!   #       sum += level.md_entry_px_optional_ex.get();
//!       }
//!   }
//!   # Ok(sum)
//!   # }
//!   ```
//!
//!   A group that the sender's version does not have yet is empty, so the same lines read templates 32 and 46. Fields
//!   younger than their template (`BookEntry::tradeable_size`, for one) have methods that ask for the version.
//! - Everything else, by name through the tables of the message's version ([`Message::template`], [`BlockView`]). The
//!   tables (`mdp3/tables.rs`) are written by `scripts/sbe` from the exchange's XML. Whoever holds tomorrow's schema runs
//!   `scripts/sbe --add TOMORROW.xml` and builds again.
//!
//! Prices are integers with [`decimals`] implied places: 9, and 7 in the templates below 46, which version 10 dropped.

mod encode;
pub mod entries;
mod fit;
mod message;
mod schema;
#[rustfmt::skip]
mod tables;

pub use encode::{MessageBuilder, PacketBuilder};
pub use entries::*;
pub use fit::fit;
pub use message::{BlockView, Entries, Group, Groups, Message, MessageError};
pub use schema::{Block, Dimension, Field, GroupLayout, Schema, Template, schema};

use crate::wire::message::message;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{U16, U32, U64};

/// Schema of market data messages; messages of other schemas (TCP sessions have 2) are passed over by their size.
pub const SCHEMA_ID: u16 = 1;

message! {
    /// Head of a packet.
    pub struct PacketHeader: 12 {
        /// Number of the packet in its feed, the same on both lines; begins anew with 1 every week, in feeds that repeat
        /// themselves in every loop.
        msg_seq_num: U32 => u,
        /// Nanoseconds since the Unix epoch.
        sending_time: U64 => t,
    }

    /// Head of a message.
    pub struct MessageHeader: 10 {
        /// Bytes of the message, this header included.
        msg_size: U16 => u,
        /// Bytes of its root block, which follows this header.
        block_length: U16 => u,
        /// What it is.
        template_id: U16 => u,
        /// [`SCHEMA_ID`].
        schema_id: U16 => u,
        /// Version of the schema that the sender writes.
        version: U16 => u,
    }
}

/// Implied decimal places of a template's prices.
#[inline]
pub const fn decimals(template_id: u16) -> u32 {
    if template_id < template::BOOK { 7 } else { 9 }
}

/// Units of 1e-9 in one unit of a template's prices.
#[inline]
pub const fn price_unit(template_id: u16) -> i64 {
    10i64.pow(9 - decimals(template_id))
}

/// Why a datagram is not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Fewer bytes than the header has.
    #[error("shorter than its header")]
    ShortHeader,
    /// A message's size is below its header's or runs past the end.
    #[error("a message's size does not hold")]
    Overrun,
    /// A byte is left after the last message.
    #[error("bytes are left over after the last message")]
    Trailing,
}

/// A packet's header, its messages and how many they are, every size checked.
#[inline]
pub fn parse(payload: &[u8]) -> Result<(&PacketHeader, Messages<'_>, u32), PacketError> {
    let (header, rest) =
        PacketHeader::ref_from_prefix(payload).map_err(|_| PacketError::ShortHeader)?;
    let mut messages = Messages { rest };
    let count = messages.by_ref().count() as u32;
    match messages.rest.len() {
        0 => Ok((header, Messages { rest }, count)),
        1 => Err(PacketError::Trailing),
        _ => Err(PacketError::Overrun),
    }
}

/// The messages of a packet, whole, each beginning with its header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Messages laid back to back in `bytes`; iteration ends at the first whose size does not hold.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Messages<'a> {
        Messages { rest: bytes }
    }

    /// The bytes not yet taken.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let size = usize::from(u16::from_le_bytes(*self.rest.first_chunk()?));
        if size < size_of::<MessageHeader>() {
            return None;
        }
        let (message, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some(message)
    }
}

#[cfg(test)]
mod layout_tests;
#[cfg(test)]
mod tests;
