//! SoupBinTCP 3.00 to 4.10: sequenced messages over TCP, with a login that says from which number on.
//!
//! Source: "SoupBinTCP" 3.00 and 4.00, Nasdaq; the end of a snapshot from "GLIMPSE 5.0". A stream of packets: `u16
//! length` (big-endian, of what follows it), a type, what the type has. What TCP brings at once is part of a packet or
//! many. All numbers but the length are ASCII: digits, padded with blanks on the left; text is padded on the right.
//!
//! Sequenced packets do not say their number. The first after the login has the one that the login was answered with,
//! and each is one message; other packets have none. Either side sends a heartbeat when it has sent nothing for a
//! second, and takes a peer for dead that has sent nothing for fifteen.
//!
//! From single sources, and not relied on: the intervals, what a 4.10 login has behind its 49 bytes (ignored), and what a
//! server answers that is asked for numbers it has not come to.

use crate::wire::message::message;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, IntoBytes};

/// Bytes of the largest packet.
pub const MAX_PACKET: usize = 2 + u16::MAX as usize;

/// Bytes of the longest message a packet carries.
pub const MAX_MESSAGE: usize = MAX_PACKET - size_of::<Head>();

message! {
    /// What every packet begins with, and all that some have.
    pub struct Head: 3 {
        /// Bytes behind this field: 1 or more.
        length: U16 => u,
        packet_type: u8 => a,
    }

    /// Asks a server to begin.
    pub struct LoginRequest: 49 {
        length: U16 => u,
        packet_type: u8 => a,
        username: [u8; 6] => a,
        password: [u8; 10] => a,
        /// Blank: the current one.
        requested_session: [u8; 10] => a,
        /// Number wanted first; 1 is the beginning, 0 whatever is generated next.
        requested_sequence: [u8; 20] => a,
    }

    /// The server begins.
    pub struct LoginAccepted: 33 {
        length: U16 => u,
        packet_type: u8 => a,
        session: [u8; 10] => a,
        /// Number of the next sequenced message.
        sequence_number: [u8; 20] => a,
    }

    /// The server does not, and closes.
    pub struct LoginRejected: 4 {
        length: U16 => u,
        packet_type: u8 => a,
        /// [`NOT_AUTHORIZED`] or [`NO_SESSION`].
        reason: u8 => a,
    }

    /// The message that ends a GLIMPSE snapshot, in a sequenced packet.
    pub struct EndOfSnapshot: 21 {
        msg_type("type"): u8 => a,
        /// Number of the first message of the feed that is not in the snapshot.
        sequence_number: [u8; 20] => a,
    }
}

/// `reason` of a login that is rejected for its user name or password.
pub const NOT_AUTHORIZED: u8 = b'A';
/// `reason` of a login that is rejected because there is no such session.
pub const NO_SESSION: u8 = b'S';

/// The type byte of [`EndOfSnapshot`].
pub const END_OF_SNAPSHOT: u8 = b'G';

/// Session of a login that asks for whatever is current.
pub const CURRENT_SESSION: [u8; 10] = [b' '; 10];

impl Head {
    fn of(packet_type: u8, size: usize) -> Head {
        Head {
            length: ((size - 2) as u16).into(),
            packet_type,
        }
    }

    /// A server has had nothing to send.
    pub fn server_heartbeat() -> Head {
        Head::of(b'H', size_of::<Head>())
    }

    /// The session is over, and nothing follows.
    pub fn end_of_session() -> Head {
        Head::of(b'Z', size_of::<Head>())
    }

    /// A client has had nothing to send.
    pub fn client_heartbeat() -> Head {
        Head::of(b'R', size_of::<Head>())
    }

    /// The client wants no more.
    pub fn logout_request() -> Head {
        Head::of(b'O', size_of::<Head>())
    }
}

impl LoginRequest {
    /// Asks for a session from a number on.
    pub fn new(username: [u8; 6], password: [u8; 10], session: [u8; 10], sequence: u64) -> Self {
        let Head {
            length,
            packet_type,
        } = Head::of(b'L', size_of::<Self>());
        LoginRequest {
            length,
            packet_type,
            username,
            password,
            requested_session: session,
            requested_sequence: digits(sequence),
        }
    }
}

impl LoginAccepted {
    /// Begins with the message of that number.
    pub fn new(session: [u8; 10], sequence: u64) -> Self {
        let Head {
            length,
            packet_type,
        } = Head::of(b'A', size_of::<Self>());
        LoginAccepted {
            length,
            packet_type,
            session,
            sequence_number: digits(sequence),
        }
    }
}

impl LoginRejected {
    /// Refuses.
    pub fn new(reason: u8) -> Self {
        let Head {
            length,
            packet_type,
        } = Head::of(b'J', size_of::<Self>());
        LoginRejected {
            length,
            packet_type,
            reason,
        }
    }
}

impl EndOfSnapshot {
    /// The feed goes on with the message of that number.
    pub fn new(next: u64) -> Self {
        EndOfSnapshot {
            msg_type: END_OF_SNAPSHOT,
            sequence_number: digits(next),
        }
    }
}

/// Appends a message with its number left to be counted. False, changing nothing, when it is longer than a packet.
pub fn push_sequenced(out: &mut Vec<u8>, message: &[u8]) -> bool {
    push(out, b'S', message)
}

/// Appends a message that has no number. False, changing nothing, when it is longer than a packet.
pub fn push_unsequenced(out: &mut Vec<u8>, message: &[u8]) -> bool {
    push(out, b'U', message)
}

/// Appends text that means nothing. False, changing nothing, when it is longer than a packet.
pub fn push_debug(out: &mut Vec<u8>, text: &[u8]) -> bool {
    push(out, b'+', text)
}

fn push(out: &mut Vec<u8>, packet_type: u8, payload: &[u8]) -> bool {
    if payload.len() > MAX_MESSAGE {
        return false;
    }
    let head = Head::of(packet_type, size_of::<Head>() + payload.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(payload);
    true
}

/// A number as packets have it.
pub fn digits(number: u64) -> [u8; 20] {
    let (mut text, mut rest) = ([b' '; 20], number);
    for place in text.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text
}

/// The number that digits say, whatever blanks or zeros are around them; `None` where there are none, or other
/// characters, or it does not fit.
pub fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, &c| {
        let digit = c.is_ascii_digit().then(|| u64::from(c - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Why bytes are not a stream of packets. What follows them cannot be read either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A packet without a type.
    #[error("a packet of length 0")]
    Empty,
    /// A type that the sender cannot send.
    #[error("packet type {0:#04x}")]
    Type(u8),
    /// A packet shorter than its type.
    #[error("a packet of type {0:#04x} that is too short")]
    Short(u8),
}

/// A packet of which only the length is known to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    kind: u8,
    /// All of it, `length` and type included.
    bytes: &'a [u8],
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromServer<'a> {
    /// The login is accepted.
    Accepted(&'a LoginAccepted),
    /// It is not.
    Rejected(&'a LoginRejected),
    /// The next message.
    Sequenced(&'a [u8]),
    /// A message without a number.
    Unsequenced(&'a [u8]),
    /// It is alive.
    Heartbeat,
    /// The session is over.
    EndOfSession,
    /// Free text.
    Debug(&'a [u8]),
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromClient<'a> {
    /// It asks for messages.
    Login(&'a LoginRequest),
    /// A message without a number.
    Unsequenced(&'a [u8]),
    /// It is alive.
    Heartbeat,
    /// It wants no more.
    Logout,
    /// Free text.
    Debug(&'a [u8]),
}

impl<'a> Packet<'a> {
    /// As the packet of a server. Bytes behind what the type has are left aside.
    pub fn from_server(self) -> Result<FromServer<'a>, StreamError> {
        Ok(match self.kind {
            b'A' => FromServer::Accepted(self.layout()?),
            b'J' => FromServer::Rejected(self.layout()?),
            b'S' => FromServer::Sequenced(self.payload()),
            b'U' => FromServer::Unsequenced(self.payload()),
            b'H' => FromServer::Heartbeat,
            b'Z' => FromServer::EndOfSession,
            b'+' => FromServer::Debug(self.payload()),
            other => return Err(StreamError::Type(other)),
        })
    }

    /// As the packet of a client. Bytes behind what the type has are left aside.
    pub fn from_client(self) -> Result<FromClient<'a>, StreamError> {
        Ok(match self.kind {
            b'L' => FromClient::Login(self.layout()?),
            b'U' => FromClient::Unsequenced(self.payload()),
            b'R' => FromClient::Heartbeat,
            b'O' => FromClient::Logout,
            b'+' => FromClient::Debug(self.payload()),
            other => return Err(StreamError::Type(other)),
        })
    }

    fn payload(self) -> &'a [u8] {
        &self.bytes[size_of::<Head>()..]
    }

    fn layout<T>(self) -> Result<&'a T, StreamError>
    where
        T: FromBytes + zerocopy::KnownLayout + zerocopy::Immutable + zerocopy::Unaligned,
    {
        let layout = T::ref_from_prefix(self.bytes);
        layout.map_or(Err(StreamError::Short(self.kind)), |(layout, _)| Ok(layout))
    }
}

/// The packets of a connection, out of bytes that are cut anywhere. Its memory is taken once.
#[derive(Clone, Debug)]
pub struct PacketStream {
    bytes: Box<[u8]>,
    begin: usize,
    end: usize,
}

impl Default for PacketStream {
    fn default() -> PacketStream {
        PacketStream::new()
    }
}

impl PacketStream {
    /// Bytes it holds at most: a largest packet that lacks its last byte does not leave it without room for a good read.
    pub const CAPACITY: usize = 2 * MAX_PACKET;

    /// An empty one.
    pub fn new() -> PacketStream {
        PacketStream {
            bytes: vec![0; Self::CAPACITY].into(),
            begin: 0,
            end: 0,
        }
    }

    /// How many bytes it can take; 0 only while it holds a whole packet.
    pub fn room(&self) -> usize {
        Self::CAPACITY - self.held().len()
    }

    /// Takes bytes off the connection, as many as there is room for. How many those were.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        if Self::CAPACITY - self.end < taken {
            self.bytes.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        self.bytes[self.end..][..taken].copy_from_slice(&bytes[..taken]);
        self.end += taken;
        taken
    }

    /// The next packet, if all of it is there. After an error there is none any more.
    #[expect(clippy::should_implement_trait)] // what it returns borrows it
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, StreamError> {
        let Some(size) = self.size()? else {
            return Ok(None);
        };
        let begin = self.begin;
        self.begin += size;
        let bytes = &self.bytes[begin..][..size];
        let kind = bytes[2]; // the length is 1 or more
        Ok(Some(Packet { kind, bytes }))
    }

    /// True when [`PacketStream::next`] has something to say.
    pub fn is_ready(&self) -> bool {
        !matches!(self.size(), Ok(None))
    }

    /// Forgets what it holds, for another connection.
    pub fn clear(&mut self) {
        (self.begin, self.end) = (0, 0);
    }

    /// Bytes of the first packet, if all of it is there.
    fn size(&self) -> Result<Option<usize>, StreamError> {
        let held = self.held();
        let Some(&length) = held.first_chunk::<2>() else {
            return Ok(None);
        };
        match usize::from(u16::from_be_bytes(length)) {
            0 => Err(StreamError::Empty),
            length => Ok(Some(2 + length).filter(|&size| size <= held.len())),
        }
    }

    fn held(&self) -> &[u8] {
        &self.bytes[self.begin..self.end]
    }
}

#[cfg(test)]
#[path = "soupbintcp_tests.rs"]
mod tests;
