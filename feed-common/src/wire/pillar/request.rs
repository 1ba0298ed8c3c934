//! What is said to the request server and by it: packets on a connection, and why a request is rejected.

use super::messages::{
    HeartbeatResponse, LONGEST, Message, RequestResponse, RetransmissionRequest,
};
use super::packet::{Flag, Header, MAX_PACKET, ParseError, header};
use zerocopy::IntoBytes;

/// Messages of one retransmission request at most.
pub const MAX_REQUESTED: u32 = 1_000;

/// How a client is known to the request server: text, padded with NULs.
pub type SourceId = [u8; 10];

/// What a request server makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Answers follow on the channel of retransmissions.
    Accepted,
    /// The source id is not known.
    SourceId,
    /// More messages than one request may ask for.
    RangeTooLarge,
    /// More requests than a day may have.
    DailyRequests,
    /// More refreshes than a day may have.
    DailyRefreshes,
    /// Messages that are not kept any more.
    TooOld,
    /// No such channel.
    Channel,
    /// No such product.
    Product,
    /// No such message, or of another size.
    Format,
    /// A status that the specification does not list.
    Other(u8),
}

impl Status {
    /// All that the specification lists.
    pub const ALL: [Status; 9] = [
        Status::Accepted,
        Status::SourceId,
        Status::RangeTooLarge,
        Status::DailyRequests,
        Status::DailyRefreshes,
        Status::TooOld,
        Status::Channel,
        Status::Product,
        Status::Format,
    ];

    /// As it stands in [`RequestResponse::status`].
    pub const fn code(self) -> u8 {
        match self {
            Status::Accepted => b'0',
            Status::SourceId => b'1',
            Status::RangeTooLarge => b'3',
            Status::DailyRequests => b'4',
            Status::DailyRefreshes => b'5',
            Status::TooOld => b'6',
            Status::Channel => b'7',
            Status::Product => b'8',
            Status::Format => b'9',
            Status::Other(code) => code,
        }
    }

    /// What a code says.
    pub fn of(code: u8) -> Status {
        let listed = Status::ALL.into_iter().find(|status| status.code() == code);
        listed.unwrap_or(Status::Other(code))
    }
}

/// A packet of one message on a connection, to the request server or from it.
#[derive(Clone, Copy, Debug)]
pub struct RequestPacket {
    bytes: [u8; size_of::<Header>() + LONGEST],
    len: usize,
}

impl RequestPacket {
    /// A request, number `sequence` of its client's packets, sent at `time` in nanoseconds since the epoch.
    pub fn request(request: &RetransmissionRequest, sequence: u32, time: u64) -> RequestPacket {
        RequestPacket::of(request.as_bytes(), sequence, time)
    }

    /// What a request leads to.
    pub fn response(response: &RequestResponse, sequence: u32, time: u64) -> RequestPacket {
        RequestPacket::of(response.as_bytes(), sequence, time)
    }

    /// The answer to a heartbeat.
    pub fn alive(source_id: SourceId, sequence: u32, time: u64) -> RequestPacket {
        let alive = HeartbeatResponse {
            source_id,
            ..HeartbeatResponse::new()
        };
        RequestPacket::of(alive.as_bytes(), sequence, time)
    }

    /// What is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Messages are no longer than [`LONGEST`].
    fn of(message: &[u8], sequence: u32, time: u64) -> RequestPacket {
        let len = size_of::<Header>() + message.len();
        let header = Header {
            number_msgs: 1,
            seq_num: sequence.into(),
            ..header(Flag::ORIGINAL, time, len)
        };
        let mut bytes = [0; size_of::<Header>() + LONGEST];
        bytes[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        bytes[size_of::<Header>()..len].copy_from_slice(message);
        RequestPacket { bytes, len }
    }
}

/// The whole messages of a packet that their type has a struct for; others are left aside.
pub fn messages(packet: &[u8]) -> Result<impl Iterator<Item = Message<'_>>, ParseError> {
    let (_, messages) = super::parse(packet)?;
    Ok(messages.filter_map(Message::parse))
}

/// Packets off a connection, whose bytes come cut anywhere. Holds one largest packet, and takes no more than that.
#[derive(Debug)]
pub struct PacketStream {
    bytes: Box<[u8]>,
    len: usize,
    /// Bytes of the packet that was handed out last; they go when the next is looked for.
    taken: usize,
}

impl Default for PacketStream {
    fn default() -> PacketStream {
        PacketStream::new()
    }
}

impl PacketStream {
    /// Bytes it holds at most.
    pub const CAPACITY: usize = MAX_PACKET;

    /// An empty one.
    pub fn new() -> PacketStream {
        PacketStream {
            bytes: vec![0; Self::CAPACITY].into(),
            len: 0,
            taken: 0,
        }
    }

    /// Takes bytes off the connection, as many as there is room for; how many those were. When all whole packets have
    /// been taken, it is at least one.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        self.forget_taken();
        let taken = bytes.len().min(Self::CAPACITY - self.len);
        self.bytes[self.len..][..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        taken
    }

    /// The next packet, if all of it is there. After an error, which is a size that no packet has, there is none any
    /// more.
    #[expect(clippy::should_implement_trait)] // what it returns borrows it
    pub fn next(&mut self) -> Result<Option<&[u8]>, ParseError> {
        self.forget_taken();
        let Some(&size) = self.bytes[..self.len].first_chunk::<2>() else {
            return Ok(None);
        };
        match usize::from(u16::from_le_bytes(size)) {
            size if size < size_of::<Header>() => Err(ParseError::ShortHeader),
            size if size > Self::CAPACITY => Err(ParseError::Overrun),
            size if size > self.len => Ok(None),
            size => {
                self.taken = size;
                Ok(Some(&self.bytes[..size]))
            }
        }
    }

    /// Forgets what it holds, for another connection.
    pub fn clear(&mut self) {
        (self.len, self.taken) = (0, 0);
    }

    fn forget_taken(&mut self) {
        self.bytes.copy_within(self.taken..self.len, 0);
        self.len -= self.taken;
        self.taken = 0;
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
