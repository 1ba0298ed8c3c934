//! Servers that say anything to the client of a recovery, and a lane that has room for what it wants.

use super::choices::Choices;
use feed_handler::recovery::{Handed, Heard, Missing, Net, Recovery, RecoverySink, Wish};
use feed_handler::sequence::SeqSpan;
use feed_handler::transport::Session;

/// How many servers there are.
pub const SERVERS: usize = 2;
/// The channel whose recovery it is.
pub const CHANNEL: u16 = 1;
/// Calls of a client at most.
pub const STEPS: usize = 2_000;

/// Which servers are connected, or about to be: a client has one at a time, and closes and writes to no other.
pub struct Ends {
    connected: [Option<bool>; SERVERS],
    /// What must hold of everything that is sent.
    sent: fn(&[u8]),
}

impl Ends {
    /// Nothing is connected.
    pub fn new(sent: fn(&[u8])) -> Ends {
        Ends {
            connected: [None; SERVERS],
            sent,
        }
    }

    /// Whether a connection to a server is there; `None` where none was asked for.
    pub fn state(&self, server: usize) -> Option<bool> {
        self.connected[server]
    }

    /// A connection that was asked for is there.
    pub fn opened(&mut self, server: usize) -> Heard<'static> {
        self.connected[server] = Some(true);
        Heard::Opened
    }

    /// A connection is there no more.
    pub fn closed(&mut self, server: usize) -> Heard<'static> {
        self.connected[server] = None;
        Heard::Closed
    }

    /// True without connections.
    pub fn are_left(&self) -> bool {
        self.connected.iter().all(Option::is_none)
    }
}

impl Net for Ends {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        assert_eq!(self.connected[server], Some(true));
        (self.sent)(bytes);
    }

    fn open(&mut self, server: usize) {
        assert!(self.are_left(), "one at a time");
        self.connected[server] = Some(false);
    }

    fn close(&mut self, server: usize) {
        assert!(self.connected[server].take().is_some());
    }
}

/// Judges what is handed to a lane, given the numbers that were wished for.
pub trait Judge {
    /// Panics where that is none of what may be handed.
    fn judge(&mut self, wished: &Wished, what: Handed<'_>);
}

/// The numbers that were wished for.
#[derive(Default)]
pub struct Wished(Vec<SeqSpan>);

impl Wished {
    /// Whether a number was.
    pub fn has(&self, number: u64) -> bool {
        let mut all = self.0.iter();
        all.any(|span| number >= span.first && number < span.end())
    }

    /// Whether all of these were.
    pub fn have(&self, span: SeqSpan) -> bool {
        (span.first..span.end()).all(|number| self.has(number))
    }
}

/// Takes what there is room for.
pub struct Lane<J> {
    pub room: usize,
    wished: Wished,
    judge: J,
}

impl<J: Judge> Lane<J> {
    /// Without room.
    pub fn new(judge: J) -> Lane<J> {
        Lane {
            room: 0,
            wished: Wished::default(),
            judge,
        }
    }
}

impl<J: Judge> RecoverySink for Lane<J> {
    fn has_room(&self, n: usize) -> bool {
        self.room >= n
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert!(channel == CHANNEL && self.room > 0);
        self.room -= 1;
        self.judge.judge(&self.wished, what);
    }
}

/// Wishes what the next three bytes say.
pub fn wish<J: Judge>(
    client: &mut impl Recovery,
    choices: &mut Choices<'_>,
    session: Session,
    now: u64,
    lane: &mut Lane<J>,
) {
    let [what, first, count] = [0; 3].map(|_| choices.small());
    let first = match what & 0xc0 {
        0x40 => u64::from(u32::MAX) - first,
        0x80 => u64::MAX - first,
        _ => first,
    };
    let missing = Missing {
        channel: CHANNEL,
        unit: 0,
        session,
        span: SeqSpan { first, count },
    };
    let wish = match what & 3 {
        0 | 1 => Wish::Messages(missing),
        2 => Wish::Snapshot(missing),
        _ => Wish::Settled(missing),
    };
    if let Wish::Messages(_) = wish {
        lane.wished.0.push(missing.span);
    }
    // For what is refused at once there always is room.
    let room = std::mem::replace(&mut lane.room, 1_000);
    client.wish(wish, now, lane);
    lane.room = room;
}
