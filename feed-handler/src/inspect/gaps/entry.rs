//! What `gaps` lists.

use crate::inspect::View;
pub use crate::sequence::{By, Cause};
use crate::transport::Session;
use feed_common::time::UnixNanos;
use feed_common::wire::ProtocolName;
use serde::{Serialize, Serializer};
use std::fmt;

/// Lines of a channel that are told apart among those that lack something.
pub(super) const LINES_MAX: usize = u64::BITS as usize;

/// The channel that something is of, and how many lines it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Of {
    pub(super) channel: usize,
    pub(super) lines: usize,
}

/// How something was noticed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) of: Of,
    pub(super) mark: Mark,
    pub(super) shown: Shown,
}

/// Where in the capture something was noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// When the packet was captured.
    pub time: UnixNanos,
    /// Its number in the file, from 1.
    pub packet: u64,
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The packet that showed it.
    pub mark: Mark,
    /// Its channel.
    pub channel: usize,
    /// Its unit, where a stream has several.
    pub unit: Option<u8>,
    /// Its session.
    pub session: SessionName,
    /// What it is.
    pub what: What,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Numbers that a line did not bring.
    Hole(Hole),
    /// A numbering has begun or ended.
    Turned {
        /// In which way.
        turned: Turned,
        /// The first number of what began; the next of what ended.
        first: u64,
        /// The line that showed it; `None` for a packet beside the lines.
        line: Option<usize>,
    },
}

/// Numbers that a line did not bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
    /// What showed it.
    pub shown: Shown,
    /// The lines that came past and never brought it, or not all of it. Of the first 64 lines.
    pub lacked_by: Vec<usize>,
    /// By whom it was closed; `None` for one that stays open.
    pub closed: Option<Closed>,
    /// Where it was lost, as far as a capture can say.
    pub cause: Cause,
}

impl Hole {
    /// How many numbers it has.
    pub fn count(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// How a hole was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// By whom.
    pub by: By,
    /// How long after it was noticed, in nanoseconds; 0 where the numbers were there before.
    pub late: u64,
}

/// What showed a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Data behind it.
    Data,
    /// A packet that only says what comes next: nothing more had come.
    Heartbeat,
    /// The end of the session.
    EndOfSession,
}

impl Shown {
    /// Its name in facts.
    pub fn name(self) -> &'static str {
        match self {
            Shown::Data => "data",
            Shown::Heartbeat => "heartbeat",
            Shown::EndOfSession => "end_of_session",
        }
    }
}

/// How a numbering began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// A session of another name.
    Session,
    /// The same session, from its beginning (IEX).
    Restart,
    /// Numbers began anew.
    SequenceReset,
    /// The exchange says that all books of the channel are empty (MDP 3.0).
    ChannelReset,
    /// No more will come.
    EndOfSession,
}

impl Turned {
    /// As an entry's subject.
    pub(super) fn at(self, first: u64, line: Option<usize>) -> What {
        What::Turned {
            turned: self,
            first,
            line,
        }
    }

    /// What numbers that begin anew within a session are called.
    pub(super) fn anew(protocol: ProtocolName) -> Turned {
        match protocol {
            ProtocolName::Iex => Turned::Restart,
            _ => Turned::SequenceReset,
        }
    }

    /// Its name in facts.
    pub fn name(self) -> &'static str {
        match self {
            Turned::Session => "session",
            Turned::Restart => "restart",
            Turned::SequenceReset => "sequence_reset",
            Turned::ChannelReset => "channel_reset",
            Turned::EndOfSession => "end_of_session",
        }
    }
}

/// The name of a session for people: as text where the wire has text, else hexadecimal; empty where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionName(Session);

impl SessionName {
    /// That of a frame.
    pub(crate) fn of(frame: &View<'_>) -> SessionName {
        SessionName(frame.session_name())
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.trim_ascii_end();
        if self.0 == Session::default() {
            return Ok(());
        }
        if text.iter().all(u8::is_ascii_graphic) {
            return text
                .iter()
                .try_for_each(|&b| write!(f, "{}", char::from(b)));
        }
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl Serialize for SessionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
