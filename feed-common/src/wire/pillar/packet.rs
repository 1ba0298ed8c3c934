//! Packets: a header, and messages that begin with their size, back to back with nothing after them.

use crate::wire::message::message;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

/// Bytes a packet has at most, by the specification. Readers take longer ones.
pub const MAX_PACKET: usize = 1400;

/// Bytes in front of every message: its size and its type.
pub(super) const MESSAGE_HEADER: usize = 4;

message! {
    /// Head of a packet.
    pub struct Header: 16 {
        /// Bytes of the packet, these included.
        pkt_size: U16 => u,
        /// A [`Flag`].
        delivery_flag: u8 => u,
        /// 0 in heartbeats.
        number_msgs: u8 => u,
        /// Number of the first message; in heartbeats the next to be sent.
        seq_num: U32 => u,
        /// Seconds since the epoch.
        send_time: U32 => t,
        /// Nanoseconds within the second.
        send_time_ns: U32 => t,
    }
}

impl Header {
    /// What the packet is for.
    #[inline]
    pub fn flag(&self) -> Flag {
        Flag(self.delivery_flag)
    }
}

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flag(pub u8);

#[allow(missing_docs)]
impl Flag {
    pub const HEARTBEAT: Flag = Flag(1);
    /// After a failure of the publisher: a sequence number reset, and then the state of the channel anew.
    pub const FAILOVER: Flag = Flag(10);
    pub const ORIGINAL: Flag = Flag(11);
    pub const SEQUENCE_RESET: Flag = Flag(12);
    pub const RETRANSMISSION: Flag = Flag(13);
    pub const RETRANSMISSION_PART: Flag = Flag(15);
    pub const REFRESH: Flag = Flag(17);
    pub const REFRESH_START: Flag = Flag(18);
    pub const REFRESH_PART: Flag = Flag(19);
    pub const REFRESH_END: Flag = Flag(20);
    /// Messages that were asked for will not come.
    pub const UNAVAILABLE: Flag = Flag(21);

    /// True of the flags above.
    #[inline]
    pub const fn is_known(self) -> bool {
        matches!(self.0, 1 | 10..=13 | 15 | 17..=21)
    }

    /// True of the answers to a refresh request.
    #[inline]
    pub const fn is_refresh(self) -> bool {
        matches!(self.0, 17..=20)
    }
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Fewer bytes than the header has.
    #[error("shorter than its header")]
    ShortHeader,
    /// The packet is larger than the datagram, or a message runs past the end, or there are fewer than the count says.
    #[error("a message runs past the end")]
    Overrun,
    /// Bytes are left after the last message, or after the packet.
    #[error("bytes are left over after the last message")]
    Trailing,
    /// No delivery flag of these feeds, or a heartbeat with messages.
    #[error("a delivery flag that there is not, or not with messages")]
    Flag,
    /// A message says that it is smaller than its own size and type.
    #[error("a message smaller than its header")]
    Size,
}

/// A packet's header and messages, every size checked.
#[inline]
pub fn parse(datagram: &[u8]) -> Result<(&Header, Messages<'_>), ParseError> {
    let (header, body) = Header::ref_from_prefix(datagram).map_err(|_| ParseError::ShortHeader)?;
    let beats = header.flag() == Flag::HEARTBEAT && header.number_msgs != 0;
    if !header.flag().is_known() || beats {
        return Err(ParseError::Flag);
    }
    match usize::from(header.pkt_size.get()) {
        size if size > datagram.len() => return Err(ParseError::Overrun),
        size if size < datagram.len() => return Err(ParseError::Trailing),
        _ => {}
    }
    let mut rest = body;
    for _ in 0..header.number_msgs {
        let size: usize = match rest.first_chunk() {
            Some(size) => u16::from_le_bytes(*size).into(),
            None => return Err(ParseError::Overrun),
        };
        if size < MESSAGE_HEADER {
            return Err(ParseError::Size);
        }
        rest = rest.get(size..).ok_or(ParseError::Overrun)?;
    }
    match rest {
        [] => Ok((header, Messages { rest: body })),
        _ => Err(ParseError::Trailing),
    }
}

/// The messages of a packet, in order, each with its size and type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let size = u16::from_le_bytes(*self.rest.first_chunk()?).into();
        let (message, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        Some(message)
    }
}

/// Packs messages into original packets, numbering them from where it was started.
///
/// The buffer is taken once. Push messages until one is refused, send [`PacketBuilder::payload`], [`clear`], push on.
///
/// [`clear`]: PacketBuilder::clear
#[derive(Clone, Debug)]
pub struct PacketBuilder {
    /// Number of the packet's first message.
    sequence: u32,
    count: u8,
    limit: usize,
    bytes: Vec<u8>,
}

impl PacketBuilder {
    /// An empty packet whose first message will be number `sequence`. `limit` is the packet in bytes that must not be
    /// exceeded; values outside the header's 16 and [`MAX_PACKET`] are brought inside.
    pub fn new(sequence: u32, limit: usize) -> PacketBuilder {
        let limit = limit.clamp(size_of::<Header>(), MAX_PACKET);
        let mut bytes = Vec::with_capacity(limit);
        bytes.resize(size_of::<Header>(), 0);
        PacketBuilder {
            sequence,
            count: 0,
            limit,
            bytes,
        }
    }

    /// Appends a message that begins with its size; false, changing nothing, when it does not fit: send the packet
    /// first. A message refused by an empty packet fits none.
    #[inline]
    pub fn push(&mut self, message: &[u8]) -> bool {
        if self.bytes.len() + message.len() > self.limit || self.count == u8::MAX {
            return false;
        }
        self.bytes.extend_from_slice(message);
        self.count += 1;
        true
    }

    /// The packet as it stands, sent with `flag` at `time`, in nanoseconds since the epoch.
    pub fn payload(&mut self, flag: Flag, time: u64) -> &[u8] {
        let header = Header {
            number_msgs: self.count,
            seq_num: self.sequence.into(),
            ..header(flag, time, self.bytes.len())
        };
        self.bytes[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        &self.bytes
    }

    /// Begins the packet after this one.
    pub fn clear(&mut self) {
        self.sequence = self.next_sequence();
        self.count = 0;
        self.bytes.truncate(size_of::<Header>());
    }

    /// Bytes of the packet as it stands.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True before the first message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number the next message pushed will have.
    pub fn next_sequence(&self) -> u32 {
        self.sequence.wrapping_add(self.count.into())
    }

    /// A heartbeat that announces the next message, sent at `time`.
    pub fn heartbeat(&self, time: u64) -> Header {
        Header {
            seq_num: self.next_sequence().into(),
            ..header(Flag::HEARTBEAT, time, size_of::<Header>())
        }
    }
}

/// A header of `size` bytes of packet, which fit 16 bits: no packet is larger than [`MAX_PACKET`].
pub(super) fn header(flag: Flag, time: u64, size: usize) -> Header {
    Header {
        pkt_size: (size as u16).into(),
        delivery_flag: flag.0,
        number_msgs: 0,
        seq_num: 0.into(),
        send_time: ((time / 1_000_000_000) as u32).into(),
        send_time_ns: ((time % 1_000_000_000) as u32).into(),
    }
}
