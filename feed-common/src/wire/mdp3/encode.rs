//! Writing messages and packets.

use super::{Dimension, MessageHeader, PacketHeader, SCHEMA_ID, schema};
use crate::time::UnixNanos;
use zerocopy::{Immutable, IntoBytes};

/// Largest UDP payload over IPv4.
const UDP_LIMIT: usize = 65_507;

/// Writes one message after the other into a buffer that it keeps.
#[derive(Clone, Debug, Default)]
pub struct MessageBuilder {
    bytes: Vec<u8>,
}

impl MessageBuilder {
    /// Nothing begun.
    pub fn new() -> MessageBuilder {
        MessageBuilder::default()
    }

    /// Begins a message of a template as senders of `version` write it. The root block is `root`, filled up with zeros
    /// to the length that the version's schema says.
    pub fn begin<T: IntoBytes + Immutable + ?Sized>(
        &mut self,
        template_id: u16,
        version: u16,
        root: &T,
    ) -> &mut MessageBuilder {
        let template = schema(version).template(template_id);
        let root = root.as_bytes();
        let said = template.map_or(0, |template| usize::from(template.root.len));
        let length = root.len().max(said);
        let header = MessageHeader {
            msg_size: 0.into(),
            block_length: (length as u16).into(),
            template_id: template_id.into(),
            schema_id: SCHEMA_ID.into(),
            version: version.into(),
        };
        self.bytes.clear();
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(root);
        self.bytes.resize(size_of::<MessageHeader>() + length, 0);
        self
    }

    /// Appends a group, which may be empty.
    ///
    /// # Panics
    ///
    /// When there are more than 255 entries.
    pub fn group<T: IntoBytes + Immutable>(
        &mut self,
        dimension: Dimension,
        entries: &[T],
    ) -> &mut MessageBuilder {
        let count = u8::try_from(entries.len()).expect("a group has at most 255 entries");
        let stride = size_of::<T>() as u16;
        self.bytes.extend_from_slice(&stride.to_le_bytes());
        let padding = dimension.size() - 3;
        self.bytes.extend_from_slice(&[0; 5][..padding]);
        self.bytes.push(count);
        for entry in entries {
            self.bytes.extend_from_slice(entry.as_bytes());
        }
        self
    }

    /// The message.
    ///
    /// # Panics
    ///
    /// When none was begun, or when it is longer than its size field can say.
    pub fn finish(&mut self) -> &[u8] {
        let size = u16::try_from(self.bytes.len()).expect("a message of at most 65,535 bytes");
        self.bytes[..2].copy_from_slice(&size.to_le_bytes());
        &self.bytes
    }
}

/// Packs messages into packets of a feed, numbering the packets.
///
/// The buffer is taken once. Push messages until one is refused, send [`PacketBuilder::payload`], [`clear`], push on.
///
/// [`clear`]: PacketBuilder::clear
#[derive(Clone, Debug)]
pub struct PacketBuilder {
    msg_seq_num: u32,
    limit: usize,
    bytes: Vec<u8>,
}

impl PacketBuilder {
    /// An empty packet with this number. `limit` is the payload in bytes that packets must not exceed; values outside
    /// the header's 12 and UDP's 65,507 are brought inside.
    pub fn new(msg_seq_num: u32, limit: usize) -> PacketBuilder {
        let limit = limit.clamp(size_of::<PacketHeader>(), UDP_LIMIT);
        let mut bytes = Vec::with_capacity(limit);
        bytes.resize(size_of::<PacketHeader>(), 0);
        PacketBuilder {
            msg_seq_num,
            limit,
            bytes,
        }
    }

    /// Appends a whole message; false, changing nothing, when it does not fit: send the packet first. A message refused
    /// by an empty packet fits none.
    pub fn push(&mut self, message: &[u8]) -> bool {
        if self.bytes.len() + message.len() > self.limit {
            return false;
        }
        self.bytes.extend_from_slice(message);
        true
    }

    /// The packet as it stands, sent at this time.
    pub fn payload(&mut self, sent: UnixNanos) -> &[u8] {
        let header = PacketHeader {
            msg_seq_num: self.msg_seq_num.into(),
            sending_time: sent.0.into(),
        };
        self.bytes[..size_of::<PacketHeader>()].copy_from_slice(header.as_bytes());
        &self.bytes
    }

    /// Begins the packet after this one.
    pub fn clear(&mut self) {
        self.msg_seq_num = self.msg_seq_num.wrapping_add(1);
        self.bytes.truncate(size_of::<PacketHeader>());
    }

    /// The packet's number.
    pub fn msg_seq_num(&self) -> u32 {
        self.msg_seq_num
    }

    /// True before the first message.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == size_of::<PacketHeader>()
    }
}
