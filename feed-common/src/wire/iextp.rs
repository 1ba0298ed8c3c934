//! IEX-TP 1.25: the segments that carry TOPS, DEEP and DEEP+.
//!
//! Source: "IEX Transport Specification" 1.25. Integers are little-endian and unsigned. A datagram is one segment: a
//! header, and `payload_length` bytes that are `message_count` blocks of `u16 length, data`, back to back. The first
//! message of a session has number 1 and stream offset 0. A segment without messages is a heartbeat: its number and
//! offset are those of the next message.
//!
//! Not here: the requests to the gap fill servers, whose layout is in no source that could be had.

use super::message::message;
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

/// The version of the transport that this reads.
pub const VERSION: u8 = 1;

/// `message_protocol_id` of the protocols that are known, with their names.
pub const PROTOCOLS: [(u16, &str); 4] = [
    (TOPS_1_5, "TOPS 1.5"),
    (TOPS_1_6, "TOPS 1.6"),
    (DEEP_1_0, "DEEP 1.0"),
    (DEEP_PLUS_1_0, "DEEP+ 1.0"),
];

/// TOPS 1.5, which is retired.
pub const TOPS_1_5: u16 = 0x8002;
/// TOPS 1.6: quotes and trades.
pub const TOPS_1_6: u16 = 0x8003;
/// DEEP 1.0: price levels and trades.
pub const DEEP_1_0: u16 = 0x8004;
/// DEEP+ 1.0: orders.
pub const DEEP_PLUS_1_0: u16 = 0x8005;

/// Payload that travels unfragmented over Ethernet and IPv4 without options, header included.
pub const MAX_SEGMENT: usize = 1472;

/// Largest UDP payload over IPv4.
const UDP_LIMIT: usize = 65_507;

message! {
    /// Head of a segment.
    pub struct Header: 40 {
        /// [`VERSION`].
        version: u8 => u,
        reserved: u8 => x,
        /// What the messages are in: one of [`PROTOCOLS`].
        message_protocol_id: U16 => u,
        /// 1 in production.
        channel_id: U32 => u,
        /// Another for each trading session.
        session_id: U32 => u,
        /// Bytes behind the header.
        payload_length: U16 => u,
        /// Blocks in the payload.
        message_count: U16 => u,
        /// Where the payload lies in that of the whole session, in bytes.
        stream_offset: U64 => u,
        /// Number of the first message.
        first_sequence: U64 => u,
        /// Nanoseconds since the Unix epoch.
        send_time: U64 => t,
    }
}

impl Header {
    /// Protocol, channel and session as on the wire: whatever the numbers of messages are unique within.
    #[inline]
    pub fn stream(&self) -> [u8; 10] {
        let mut stream = [0; 10];
        stream.copy_from_slice(&self.as_bytes()[2..12]);
        stream
    }

    /// True when the messages could be the first of their session.
    #[inline]
    pub fn begins(&self) -> bool {
        self.first_sequence.get() == 1
            && self.stream_offset.get() == 0
            && self.message_count.get() > 0
    }
}

/// Why bytes are not a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Fewer bytes than the header has.
    #[error("shorter than its header")]
    ShortHeader,
    /// Not [`VERSION`].
    #[error("another version of the transport")]
    Version,
    /// None of [`PROTOCOLS`].
    #[error("a message protocol that is not known")]
    Protocol,
    /// The payload or a block runs past the end, or there are fewer blocks than the count says.
    #[error("a message runs past the end")]
    Overrun,
    /// Bytes are left after the payload, or in it after the last block.
    #[error("bytes are left over after the last message")]
    Trailing,
}

/// A segment's header and blocks, every length checked.
#[inline]
pub fn parse(datagram: &[u8]) -> Result<(&Header, Blocks<'_>), ParseError> {
    let (header, body) = Header::ref_from_prefix(datagram).map_err(|_| ParseError::ShortHeader)?;
    if header.version != VERSION {
        return Err(ParseError::Version);
    }
    let protocol = header.message_protocol_id.get();
    if !(TOPS_1_5..=DEEP_PLUS_1_0).contains(&protocol) {
        return Err(ParseError::Protocol);
    }
    match body.len().cmp(&header.payload_length.get().into()) {
        std::cmp::Ordering::Less => return Err(ParseError::Overrun),
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Greater => return Err(ParseError::Trailing),
    }
    let mut blocks = Blocks { rest: body };
    for _ in 0..header.message_count.get() {
        blocks.next().ok_or(ParseError::Overrun)?;
    }
    if blocks.rest.is_empty() {
        Ok((header, Blocks { rest: body }))
    } else {
        Err(ParseError::Trailing)
    }
}

/// The blocks of a segment, in order; iteration ends at the first that is not whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Blocks laid back to back in `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Blocks<'a> {
        Blocks { rest: bytes }
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.rest.split_first_chunk::<2>()?;
        let (data, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
        self.rest = rest;
        Some(data)
    }
}

/// Packs messages into segments of a session, numbering them from 1.
///
/// The buffer is taken once. Push messages until one is refused, send [`SegmentBuilder::segment`], [`clear`], push on.
///
/// [`clear`]: SegmentBuilder::clear
#[derive(Clone, Debug)]
pub struct SegmentBuilder {
    /// Of the segment being filled, but for its length, count and time.
    header: Header,
    count: u16,
    limit: usize,
    bytes: Vec<u8>,
}

impl SegmentBuilder {
    /// The first segment of a session of channel 1. `limit` is the bytes that segments must not exceed, header included;
    /// values outside the header's 40 and UDP's 65,507 are brought inside.
    pub fn new(protocol: u16, session: u32, limit: usize) -> SegmentBuilder {
        let limit = limit.clamp(size_of::<Header>(), UDP_LIMIT);
        let mut bytes = Vec::with_capacity(limit);
        bytes.resize(size_of::<Header>(), 0);
        SegmentBuilder {
            header: Header {
                version: VERSION,
                message_protocol_id: protocol.into(),
                channel_id: 1.into(),
                session_id: session.into(),
                first_sequence: 1.into(),
                ..Header::default()
            },
            count: 0,
            limit,
            bytes,
        }
    }

    /// Appends a message; false, changing nothing, when it does not fit: send the segment first. A message refused by an
    /// empty segment fits none.
    #[inline]
    pub fn push(&mut self, message: &[u8]) -> bool {
        if self.bytes.len() + 2 + message.len() > self.limit {
            return false;
        }
        // Both fit 16 bits: the limit is below 65,508, and a block has two bytes at least.
        self.bytes
            .extend_from_slice(&(message.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(message);
        self.count += 1;
        true
    }

    /// The segment as it stands, sent at `time`, nanoseconds since the Unix epoch: a heartbeat when no message was pushed.
    pub fn segment(&mut self, time: u64) -> &[u8] {
        let header = Header {
            payload_length: self.payload().into(),
            message_count: self.count.into(),
            send_time: time.into(),
            ..self.header
        };
        self.bytes[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        &self.bytes
    }

    /// Begins the segment after this one.
    pub fn clear(&mut self) {
        let payload = u64::from(self.payload());
        self.header.stream_offset += payload;
        self.header.first_sequence += u64::from(self.count);
        self.count = 0;
        self.bytes.truncate(size_of::<Header>());
    }

    /// Bytes of the segment as it stands, header included.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// True before the first message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn payload(&self) -> u16 {
        (self.bytes.len() - size_of::<Header>()) as u16
    }
}

#[cfg(test)]
#[path = "iextp_tests.rs"]
mod tests;
