//! MoldUDP64 1.00: sequenced messages in datagrams, and the requests for those that were lost.
//!
//! Source: "MoldUDP64 Protocol Specification" 1.00, Nasdaq. Integers are big-endian and unsigned. A datagram is a
//! header and `message_count` blocks of `u16 length, data`, back to back with nothing after them. An empty block is
//! legal and consumes a sequence number. The first message of a session has number 1.

use crate::encode::{Encode, SerializeError, room};
use crate::wire::message::message;
use std::io::{self, Write};
use zerocopy::byteorder::big_endian::{U16, U64};
use zerocopy::{FromBytes, IntoBytes};

/// `message_count` of an end-of-session packet. It has no blocks.
pub const END_OF_SESSION: u16 = 0xffff;

/// Messages one packet can carry or one request can ask for.
pub const MAX_COUNT: u16 = 0xfffe;

/// Payload that travels unfragmented over Ethernet and IPv4 without options.
pub const MAX_PAYLOAD: usize = 1472;

/// Largest UDP payload over IPv4.
const UDP_LIMIT: usize = 65_507;

message! {
    /// Head of a downstream packet.
    pub struct Header: 20 {
        /// Text, padded with blanks.
        session: [u8; 10] => a,
        /// Number of the first message; in heartbeats and at the end of the session the next to be sent.
        sequence: U64 => u,
        /// Blocks that follow; 0 is a heartbeat, [`END_OF_SESSION`] the end.
        message_count: U16 => u,
    }

    /// Asks a retransmission server for messages. Answered with ordinary packets to the asking address and port.
    pub struct Request: 20 {
        session: [u8; 10] => a,
        /// First message wanted.
        sequence: U64 => u,
        /// How many, from 1 to [`MAX_COUNT`].
        requested_count: U16 => u,
    }
}

impl Header {
    /// Blocks that follow: the count, except that an end of session has none.
    #[inline]
    pub fn blocks(&self) -> u16 {
        match self.message_count.get() {
            END_OF_SESSION => 0,
            n => n,
        }
    }
}

/// Why bytes are not a downstream packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Fewer bytes than the header has.
    #[error("shorter than its header")]
    ShortHeader,
    /// A block runs past the end, or fewer blocks than the count says.
    #[error("a message runs past the end")]
    Overrun,
    /// Bytes are left after the last block.
    #[error("bytes are left over after the last message")]
    Trailing,
}

/// A packet's header and blocks, every length checked.
#[inline]
pub fn parse(payload: &[u8]) -> Result<(&Header, Blocks<'_>), ParseError> {
    let (header, body) = Header::ref_from_prefix(payload).map_err(|_| ParseError::ShortHeader)?;
    let mut blocks = Blocks { rest: body };
    for _ in 0..header.blocks() {
        blocks.next().ok_or(ParseError::Overrun)?;
    }
    if blocks.rest.is_empty() {
        Ok((header, Blocks { rest: body }))
    } else {
        Err(ParseError::Trailing)
    }
}

/// The blocks of a packet, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Blocks laid back to back in `bytes`; iteration ends at the first that is not whole.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Blocks<'a> {
        Blocks { rest: bytes }
    }

    /// The bytes not yet taken.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.rest.split_first_chunk::<2>()?;
        let (data, rest) = rest.split_at_checked(length(*len))?;
        self.rest = rest;
        Some(data)
    }
}

/// The length that a block begins with.
///
/// Where the next block is depends on it, so every cycle of it is paid for: below 256, which they all are, it is one
/// byte as it lies there. A processor that foresees the branch does not wait for the other.
#[inline(always)]
pub fn length(prefix: [u8; 2]) -> usize {
    #[cold]
    #[inline(never)]
    fn long(prefix: [u8; 2]) -> usize {
        u16::from_be_bytes(prefix).into()
    }
    match prefix {
        [0, low] => low.into(),
        prefix => long(prefix),
    }
}

/// Packs messages into packets of a session, numbering them from where it was started.
///
/// The buffer is taken once. Push messages until one is refused, send [`PacketBuilder::payload`], [`clear`], push on.
///
/// [`clear`]: PacketBuilder::clear
#[derive(Clone, Debug)]
pub struct PacketBuilder {
    session: [u8; 10],
    /// Number of the packet's first message.
    sequence: u64,
    count: u16,
    limit: usize,
    bytes: Vec<u8>,
}

impl PacketBuilder {
    /// An empty packet whose first message will be number `sequence`. `limit` is the payload in bytes that packets
    /// must not exceed; values outside the header's 20 and UDP's 65,507 are brought inside.
    pub fn new(session: [u8; 10], sequence: u64, limit: usize) -> PacketBuilder {
        let limit = limit.clamp(size_of::<Header>(), UDP_LIMIT);
        let mut bytes = Vec::with_capacity(limit);
        bytes.resize(size_of::<Header>(), 0);
        PacketBuilder {
            session,
            sequence,
            count: 0,
            limit,
            bytes,
        }
    }

    /// Appends a message; false, changing nothing, when it does not fit: send the packet first. A message refused by
    /// an empty packet fits none.
    #[inline]
    pub fn push(&mut self, message: &[u8]) -> bool {
        let after = self.bytes.len() + 2 + message.len();
        if after > self.limit || self.count == MAX_COUNT {
            return false;
        }
        // Fits 16 bits: the limit is below 65,508.
        self.bytes
            .extend_from_slice(&(message.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(message);
        self.count += 1;
        true
    }

    /// The packet as it stands: a heartbeat when no message was pushed.
    pub fn payload(&mut self) -> &[u8] {
        let header = self.header(self.sequence, self.count);
        self.bytes[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        &self.bytes
    }

    /// Begins the packet after this one.
    pub fn clear(&mut self) {
        self.sequence = self.next_sequence();
        self.count = 0;
        self.bytes.truncate(size_of::<Header>());
    }

    /// Messages in the packet.
    pub fn len(&self) -> u16 {
        self.count
    }

    /// True before the first message.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number the next message pushed will have.
    pub fn next_sequence(&self) -> u64 {
        self.sequence.saturating_add(self.count.into())
    }

    /// A heartbeat that announces the next message.
    pub fn heartbeat(&self) -> Header {
        self.header(self.next_sequence(), 0)
    }

    /// The packet that ends the session after what was pushed so far.
    pub fn end_of_session(&self) -> Header {
        self.header(self.next_sequence(), END_OF_SESSION)
    }

    fn header(&self, sequence: u64, count: u16) -> Header {
        Header {
            session: self.session,
            sequence: sequence.into(),
            message_count: count.into(),
        }
    }
}

impl Encode for PacketBuilder {
    fn serialized_size(&self) -> usize {
        self.bytes.len()
    }

    /// The packet as it stands, as [`PacketBuilder::payload`] has it.
    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        let header = self.header(self.sequence, self.count);
        out.write_all(header.as_bytes())?;
        out.write_all(&self.bytes[size_of::<Header>()..])
    }

    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
        let out = room(out, self.bytes.len())?;
        out.copy_from_slice(&self.bytes);
        let header = self.header(self.sequence, self.count);
        out[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        Ok(self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_by_hand() {
        let bytes = b"000010059B\0\0\0\0\x00\xe1\x2f\x59\x00\x03\x00\x02hi\x00\x00\x00\x01!";
        let (header, blocks) = parse(bytes).unwrap();
        assert_eq!(&header.session, b"000010059B");
        assert_eq!((header.sequence.get(), header.blocks()), (14_757_721, 3));
        assert_eq!(blocks.collect::<Vec<_>>(), [&b"hi"[..], b"", b"!"]);
    }

    #[test]
    fn malformed_packets_say_why() {
        let packet = |count: u16, body: &[u8]| {
            let mut p = b"S         \0\0\0\0\0\0\0\x01".to_vec();
            p.extend(count.to_be_bytes());
            p.extend(body);
            p
        };
        let error = |p: &[u8]| parse(p).err();
        assert_eq!(error(&packet(0, b"")[..19]), Some(ParseError::ShortHeader));
        assert_eq!(error(b""), Some(ParseError::ShortHeader));
        assert_eq!(error(&packet(1, b"")), Some(ParseError::Overrun));
        assert_eq!(error(&packet(1, b"\0")), Some(ParseError::Overrun));
        assert_eq!(error(&packet(1, b"\0\x02a")), Some(ParseError::Overrun));
        assert_eq!(error(&packet(2, b"\0\x01a")), Some(ParseError::Overrun));
        assert_eq!(error(&packet(1, b"\0\x01ab")), Some(ParseError::Trailing));
        assert_eq!(error(&packet(0, b"\0\x01a")), Some(ParseError::Trailing));
        assert_eq!(error(&packet(0xffff, b"\0\0")), Some(ParseError::Trailing));
        assert_eq!(error(&packet(0, b"")), None);
        assert_eq!(error(&packet(0xffff, b"")), None);
    }

    #[test]
    fn packets_fill_to_the_limit_and_number_on() {
        let mut b = PacketBuilder::new(*b"SESSION   ", 7, 20 + 2 * (2 + 5));
        assert!(b.push(b"first") && b.push(b"later") && !b.push(b""));
        assert_eq!((b.len(), b.next_sequence()), (2, 9));
        let payload = b.payload().to_vec();
        assert_eq!(payload.len(), 34);
        let (header, blocks) = parse(&payload).unwrap();
        assert_eq!((header.sequence.get(), header.message_count.get()), (7, 2));
        assert_eq!(blocks.collect::<Vec<_>>(), [b"first", b"later"]);

        b.clear();
        assert!(b.is_empty());
        let (header, _) = parse(b.payload()).unwrap();
        assert_eq!((header.sequence.get(), header.message_count.get()), (9, 0));
        assert_eq!(b.heartbeat().sequence.get(), 9);
        assert_eq!(b.end_of_session().message_count.get(), 0xffff);
        assert_eq!(b.end_of_session().blocks(), 0);
    }

    #[test]
    fn a_message_no_packet_can_hold_is_refused_by_an_empty_one() {
        let mut b = PacketBuilder::new([0; 10], 1, usize::MAX);
        assert!(!b.push(&[0; UDP_LIMIT - 21]) && b.is_empty());
        assert!(b.push(&[0; UDP_LIMIT - 22]));
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60),
            first in 0u64..1 << 40,
            limit in 100usize..1500,
        ) {
            let mut b = PacketBuilder::new(*b"PROP      ", first, limit);
            let (mut packets, mut read) = (Vec::new(), Vec::new());
            for m in &messages {
                if !b.push(m) {
                    packets.push(b.payload().to_vec());
                    b.clear();
                    prop_assert!(b.push(m));
                }
            }
            packets.push(b.payload().to_vec());
            for p in &packets {
                prop_assert!(p.len() <= limit);
                let (header, blocks) = parse(p).unwrap();
                prop_assert_eq!(header.sequence.get(), first + read.len() as u64);
                read.extend(blocks.map(<[u8]>::to_vec));
            }
            prop_assert_eq!(read, messages);
        }

        /// Cutting or extending a packet anywhere is noticed, and nothing panics.
        #[test]
        fn a_wrong_length_is_always_noticed(cut in 0usize..60, extra in 1usize..10) {
            let mut b = PacketBuilder::new(*b"PROP      ", 1, 1400);
            for m in [&b"abcdef"[..], b"", b"0123456789", b"x"] {
                b.push(m);
            }
            let mut bytes = b.payload().to_vec();
            if cut < bytes.len() {
                prop_assert!(parse(&bytes[..cut]).is_err());
            }
            bytes.resize(bytes.len() + extra, 0);
            prop_assert_eq!(parse(&bytes).err(), Some(ParseError::Trailing));
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((header, blocks)) = parse(&bytes) {
                prop_assert_eq!(blocks.count(), usize::from(header.blocks()));
            }
        }
    }
}
