//! Makes blocks.

use super::{HEADER, Header};
use zerocopy::IntoBytes;

/// Packs messages of a unit into blocks, numbering them from where it was started.
///
/// The buffer is taken once. Push messages until one is refused, send [`UnitBuilder::block`], [`clear`], push on.
///
/// [`clear`]: UnitBuilder::clear
#[derive(Clone, Debug)]
pub struct UnitBuilder {
    unit: u8,
    /// Number of the block's first message.
    sequence: u32,
    count: u8,
    limit: usize,
    bytes: Vec<u8>,
}

impl UnitBuilder {
    /// An empty block of `unit` whose first message will be number `sequence`. `limit` is the length in bytes that blocks
    /// must not exceed; values outside the header's 8 and the 65,507 of a UDP payload are brought inside.
    pub fn new(unit: u8, sequence: u32, limit: usize) -> UnitBuilder {
        const UDP_LIMIT: usize = 65_507;
        let limit = limit.clamp(HEADER, UDP_LIMIT);
        let mut bytes = Vec::with_capacity(limit);
        bytes.resize(HEADER, 0);
        UnitBuilder {
            unit,
            sequence,
            count: 0,
            limit,
            bytes,
        }
    }

    /// Appends a message, which begins with its length; false, changing nothing, when it does not fit: send the block
    /// first. A message refused by an empty block fits none.
    #[inline]
    pub fn push(&mut self, message: &[u8]) -> bool {
        if self.bytes.len() + message.len() > self.limit || self.count == u8::MAX {
            return false;
        }
        self.bytes.extend_from_slice(message);
        self.count += 1;
        true
    }

    /// The block as it stands: a heartbeat when no message was pushed.
    pub fn block(&mut self) -> &[u8] {
        let header = Header {
            length: (self.bytes.len() as u16).into(), // the limit is below 65,508
            count: self.count,
            unit: self.unit,
            sequence: self.sequence.into(),
        };
        self.bytes[..HEADER].copy_from_slice(header.as_bytes());
        &self.bytes
    }

    /// Begins the block after this one.
    pub fn clear(&mut self) {
        self.sequence = self.next_sequence();
        self.count = 0;
        self.bytes.truncate(HEADER);
    }

    /// Messages in the block.
    pub fn len(&self) -> u8 {
        self.count
    }

    /// True before the first message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the block as it stands.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Number the next message pushed will have.
    pub fn next_sequence(&self) -> u32 {
        self.sequence.wrapping_add(self.count.into())
    }

    /// A heartbeat that announces the next message.
    pub fn heartbeat(&self) -> Header {
        Header {
            length: (HEADER as u16).into(),
            count: 0,
            unit: self.unit,
            sequence: self.next_sequence().into(),
        }
    }
}
