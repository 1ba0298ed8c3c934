//! A SoupBinTCP server: one [`SoupConnection`] for each connection, with what it serves behind [`SoupSource`].
//!
//! It owns no socket: whoever has one hands in what came, and sends what is given back. What a client has not taken
//! stays where it is and is not made yet, so a slow client costs a buffer and no more.

use feed_common::wire::soupbintcp::{
    FromClient, Head, LoginAccepted, LoginRejected, LoginRequest, Packet, PacketStream,
    push_sequenced,
};
use zerocopy::IntoBytes;

const SECOND: u64 = 1_000_000_000;

/// Without sending anything, after which a heartbeat is sent.
const HEARTBEAT: u64 = SECOND;
/// Without hearing anything, after which a client is dead.
const SILENCE: u64 = 15 * SECOND;
/// From the connection to the login.
const LOGIN: u64 = 30 * SECOND;

/// Bytes that are made before they can be sent.
const AHEAD: usize = 1 << 16;

/// What a server has for a client: a session's messages, or a snapshot.
pub trait SoupSource: Send + std::fmt::Debug {
    /// Where a login at `now` begins, as session and number of the next message, or why it is rejected.
    fn login(&mut self, request: &LoginRequest, now: u64) -> Result<([u8; 10], u64), u8>;

    /// Visits the messages there are at `now` from a number on, until one is refused.
    fn messages(&self, from: u64, now: u64, visit: &mut dyn FnMut(&[u8]) -> bool);

    /// True when no message from that number on will come.
    fn is_over(&self, from: u64, now: u64) -> bool;
}

/// What goes wrong with a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoupFaults {
    /// The login is rejected for this reason.
    pub reject: Option<u8>,
    /// Nanoseconds from the login to its answer.
    pub late: u64,
    /// The login is answered with this session.
    pub session: Option<[u8; 10]>,
    /// The login is answered with this number, and what follows begins there.
    pub from: Option<u64>,
    /// After so many messages it ends as [`SoupFaults::then`] says.
    pub after: u64,
    /// How it ends.
    pub then: SoupEnd,
    /// Nanoseconds between two bytes; 0 where they come as they are.
    pub trickle: u64,
}

/// How a connection goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SoupEnd {
    /// Not at all.
    #[default]
    Well,
    /// Closed in the middle of a packet.
    Close,
    /// What follows are no packets.
    Garbage,
    /// Nothing comes any more.
    Silence,
    /// The last message comes again and again.
    Repeat,
}

/// When to call again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoupNext {
    /// At this time at the latest, and when something came or was sent.
    At(u64),
    /// Never: the connection is to be closed when what was given back has been sent.
    Close,
}

/// One connection of a server.
#[derive(Debug)]
pub struct SoupConnection {
    source: Box<dyn SoupSource>,
    faults: SoupFaults,
    stream: PacketStream,
    state: State,
    /// What is made and not given back.
    made: Vec<u8>,
    /// How much of it has been.
    given: usize,
    /// Messages made.
    messages: u64,
    /// The newest, for a server that repeats itself.
    last: Vec<u8>,
    /// When the connection was made, and when something was heard, and something given back.
    heard: u64,
    sent: u64,
    /// From when on bytes trickle.
    trickles: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connected,
    /// Logged in: answered at a time, and next comes a number.
    LoggedIn {
        at: u64,
        answered: bool,
        next: u64,
    },
    /// Says nothing any more.
    Silent,
    /// To be closed when all is given back.
    Ending,
    /// To be closed at once.
    Closed,
}

impl SoupConnection {
    /// A connection that was made at `now`.
    pub fn new(source: Box<dyn SoupSource>, faults: SoupFaults, now: u64) -> SoupConnection {
        SoupConnection {
            source,
            faults,
            stream: PacketStream::new(),
            state: State::Connected,
            made: Vec::with_capacity(2 * AHEAD),
            given: 0,
            messages: 0,
            last: Vec::new(),
            heard: now,
            sent: now,
            trickles: now,
        }
    }

    /// Messages given back so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Takes what the client sends. What is no packet of a client ends the connection.
    pub fn heard(&mut self, mut bytes: &[u8], now: u64) {
        self.heard = now;
        while !bytes.is_empty() && self.state != State::Closed {
            bytes = &bytes[self.stream.fill(bytes)..];
            while self.packet(now) {}
        }
    }

    /// Takes a packet off what was heard; false when there is none.
    fn packet(&mut self, now: u64) -> bool {
        let packet = match self.stream.next() {
            Ok(None) => return false,
            Ok(Some(packet)) => Packet::from_client(packet),
            Err(e) => Err(e),
        };
        match packet {
            Ok(FromClient::Login(&login)) if self.state == State::Connected => {
                self.log_in(&login, now);
            }
            Ok(FromClient::Heartbeat | FromClient::Debug(_) | FromClient::Unsequenced(_)) => {}
            // Nobody logs in twice.
            Ok(FromClient::Logout | FromClient::Login(_)) | Err(_) => self.state = State::Closed,
        }
        self.state != State::Closed
    }

    fn log_in(&mut self, login: &LoginRequest, now: u64) {
        let answer = match self.faults.reject {
            Some(reason) => Err(reason),
            None => self.source.login(login, now),
        };
        match answer {
            Ok((session, first)) => {
                let next = self.faults.from.unwrap_or(first);
                let session = self.faults.session.unwrap_or(session);
                let accepted = LoginAccepted::new(session, next);
                self.made.extend_from_slice(accepted.as_bytes());
                self.state = State::LoggedIn {
                    at: now.saturating_add(self.faults.late),
                    answered: false,
                    next,
                };
            }
            Err(reason) => {
                let rejected = LoginRejected::new(reason);
                self.made.extend_from_slice(rejected.as_bytes());
                self.state = State::Ending;
            }
        }
    }

    /// Appends what is to be sent at `now`, at most `room` bytes.
    pub fn poll(&mut self, now: u64, room: usize, out: &mut Vec<u8>) -> SoupNext {
        let limit = match self.state {
            State::Connected => LOGIN,
            _ => SILENCE,
        };
        let dead = self.heard.saturating_add(limit);
        if now >= dead {
            self.state = State::Closed;
        }
        match self.state {
            State::Closed => return SoupNext::Close,
            State::Connected => return SoupNext::At(dead),
            State::Silent | State::Ending => {}
            State::LoggedIn { at, answered, next } => {
                if now < at {
                    return SoupNext::At(at.min(dead));
                }
                if !answered {
                    self.trickles = now;
                }
                let (answered, next) = (true, self.make(next, now));
                if let State::LoggedIn { .. } = self.state {
                    self.state = State::LoggedIn { at, answered, next };
                }
                if self.made.len() == self.given && now >= self.sent.saturating_add(HEARTBEAT) {
                    let heartbeat = Head::server_heartbeat();
                    self.made.extend_from_slice(heartbeat.as_bytes());
                }
            }
        }
        let may = self.give(now, room, out);
        let left = self.made.len() - self.given;
        match self.state {
            State::Ending if left == 0 => SoupNext::Close,
            _ => SoupNext::At(may.min(dead).max(now + 1)),
        }
    }

    /// Makes packets ahead. The number after the last.
    fn make(&mut self, from: u64, now: u64) -> u64 {
        let SoupConnection {
            source,
            faults,
            made,
            messages,
            last,
            ..
        } = self;
        made.drain(..self.given);
        self.given = 0;
        let mut next = from;
        let goes_well = |messages| faults.then == SoupEnd::Well || messages < faults.after;
        source.messages(from, now, &mut |message| {
            if made.len() >= AHEAD || !goes_well(*messages) {
                return false;
            }
            if faults.then == SoupEnd::Repeat {
                last.clear();
                last.extend_from_slice(message);
            }
            *messages += u64::from(push_sequenced(made, message));
            next += 1;
            true
        });
        if !goes_well(*messages) {
            self.go_wrong();
        } else if made.len() < AHEAD && source.is_over(next, now) {
            made.extend_from_slice(Head::end_of_session().as_bytes());
            self.state = State::Ending;
        }
        next
    }

    fn go_wrong(&mut self) {
        match self.faults.then {
            SoupEnd::Well => {}
            SoupEnd::Close => {
                self.made.extend_from_slice(&[0, 40, b'S', b'A']);
                self.state = State::Ending;
            }
            SoupEnd::Garbage => {
                self.made.extend_from_slice(b"\0\x05?what");
                self.state = State::Ending;
            }
            SoupEnd::Silence => self.state = State::Silent,
            SoupEnd::Repeat => {
                while self.made.len() < AHEAD {
                    push_sequenced(&mut self.made, &self.last);
                    self.messages += 1;
                }
            }
        }
    }

    /// Gives back as much as there is room and time for. When there will be more to give back.
    fn give(&mut self, now: u64, room: usize, out: &mut Vec<u8>) -> u64 {
        let left = self.made.len() - self.given;
        let trickle = self.faults.trickle;
        let due = match now.saturating_sub(self.trickles).checked_div(trickle) {
            Some(bytes) => left.min(bytes.try_into().unwrap_or(usize::MAX)),
            None => left,
        };
        let now_given = due.min(room);
        out.extend_from_slice(&self.made[self.given..][..now_given]);
        self.given += now_given;
        if now_given > 0 {
            self.sent = now;
            if trickle > 0 {
                self.trickles += trickle * now_given as u64;
            }
        }
        if now_given == left {
            // From the next byte on, not from the last.
            self.trickles = self.trickles.max(now);
            return self.sent.saturating_add(HEARTBEAT);
        }
        match trickle {
            0 => now + 1,
            _ => self.trickles.saturating_add(trickle),
        }
    }
}

#[cfg(test)]
#[path = "soupbintcp_tests.rs"]
mod tests;
