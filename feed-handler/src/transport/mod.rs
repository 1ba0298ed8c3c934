//! Framing per family: a datagram's header and where its messages lie.

mod iex;
mod itchfile;
mod mdp3;
mod memoir;
mod moldudp64;
mod pillar;
mod pitch;

pub use iex::IexFraming;
pub use itchfile::{FILE_SESSION, ItchFileFraming};
pub use mdp3::Mdp3Framing;
pub use memoir::MemoirFraming;
pub use moldudp64::MoldFraming;
pub use pillar::PillarFraming;
pub mod native;
pub use pitch::PitchFraming;

use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;

/// Session identifier as on the wire, 10 bytes (MoldUDP64's width; shorter ones are padded with zeros).
pub type Session = [u8; 10];

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Carries messages with sequence numbers.
    Data,
    /// Carries none and says which number comes next.
    Heartbeat,
    /// As a heartbeat, and no data will follow in this session.
    EndOfSession,
    /// Carries messages without sequence numbers: taken as they come.
    Unsequenced,
    /// Carries numbered messages that repeat a state for those who asked: they are not what happens now.
    Refresh,
}

/// A frame whose message lengths have all been validated: iterating its messages cannot fail.
#[derive(Clone, Debug)]
pub struct Frame<M> {
    /// Session the sequence numbers belong to.
    pub session: Session,
    /// Sequence numbers it covers.
    pub span: SeqSpan,
    /// What it is for.
    pub kind: FrameKind,
    /// When the sender says it sent it, or unknown.
    pub sent: UnixNanos,
    /// Messages in it: as many as numbers, unless numbers count packets ([`Framing::PACKETS`]).
    pub carries: u32,
    /// Which of the independent numberings of its stream it is of ([`Framing::UNITS`]); 0 where there is one.
    pub unit: u8,
    /// It could be the first of a numbering that begins anew within its session ([`Framing::BEGINS`]).
    pub begins: bool,
    /// Its messages, in order.
    pub messages: M,
}

/// Why a datagram is not a frame of this family. Counted by [`FrameError::name`]; nothing of the frame is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum FrameError {
    #[error("shorter than its header")]
    ShortHeader,
    #[error("a message runs past the end")]
    Overrun,
    #[error("bytes are left over after the last message")]
    Trailing,
    #[error("not this protocol")]
    Foreign,
    #[error("a version this build does not read")]
    Version,
    #[error("the header contradicts itself")]
    Header,
}

impl FrameError {
    /// All kinds, for counters indexed by kind.
    pub const ALL: [FrameError; 6] = [
        FrameError::ShortHeader,
        FrameError::Overrun,
        FrameError::Trailing,
        FrameError::Foreign,
        FrameError::Version,
        FrameError::Header,
    ];

    /// The cause under `drops` in facts.
    pub const fn name(self) -> &'static str {
        match self {
            FrameError::ShortHeader => "frame_short_header",
            FrameError::Overrun => "frame_overrun",
            FrameError::Trailing => "frame_trailing",
            FrameError::Foreign => "frame_foreign",
            FrameError::Version => "frame_version",
            FrameError::Header => "frame_header",
        }
    }
}

/// A frame opened and the rest of its datagram, or why it could not be.
pub type Opened<'a, M> = Result<(Frame<M>, &'a [u8]), FrameError>;

/// Opens datagrams of one family.
pub trait Framing: Default {
    /// Numbers count packets and not messages: a frame's span is one number, and all its messages have it.
    const PACKETS: bool = false;

    /// A stream may carry several independent numberings.
    const UNITS: bool = false;

    /// A numbering may begin anew without a new session, to be told by when its packets were sent.
    const BEGINS: bool = false;

    /// Iterates the messages of a frame; cloned to look at some before their turn.
    type Messages<'a>: Iterator<Item = &'a [u8]> + Clone;

    /// Validates the whole frame, then hands out its messages and the bytes after it (another frame, or nothing).
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Self::Messages<'a>>;

    /// As [`Framing::open`] for a datagram whose receiver has said [`RxMeta::records`]: where that is not 0, every length
    /// in it has been checked, and a framing that would only check them again need not.
    ///
    /// [`RxMeta::records`]: feed_common::packet::RxMeta::records
    #[inline]
    fn open_walked<'a>(
        &mut self,
        datagram: &'a [u8],
        _records: u32,
    ) -> Opened<'a, Self::Messages<'a>> {
        self.open(datagram)
    }

    /// Sequence numbers a message consumes; more than one only where messages come in arrays.
    #[inline]
    fn sequences(_message: &[u8]) -> u32 {
        1
    }
}
