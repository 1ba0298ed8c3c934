//! The client of a SoupBinTCP session: from the login to its end, one connection at a time.
//!
//! [`SoupClient`] is told what a server says and what time it is, and hands out what the server said one event after
//! another, each when it is asked for: whoever has no room for more does not ask. What has not been asked for stays in a
//! buffer of fixed size, and [`SoupClient::room`] says what that can still take.

use super::{Heard, Net};
use crate::transport::Session;
use feed_common::wire::soupbintcp::{FromServer, Head, LoginRequest, Packet, PacketStream, number};
use zerocopy::IntoBytes;

const SECOND: u64 = 1_000_000_000;

/// Who logs in: text, padded with blanks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoupUser {
    /// User name.
    pub name: [u8; 6],
    /// Password.
    pub password: [u8; 10],
}

/// How long things may take, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoupTimes {
    /// From beginning to connect until the login is answered.
    pub login: u64,
    /// Without sending anything, after which a heartbeat is sent.
    pub heartbeat: u64,
    /// Without a whole packet, after which the server is dead. Parts of one are no sign of life, so a server that sends
    /// a byte now and then is as dead as one that sends nothing.
    pub silence: u64,
}

impl Default for SoupTimes {
    /// The specification's, and three seconds for the login.
    fn default() -> SoupTimes {
        SoupTimes {
            login: 3 * SECOND,
            heartbeat: SECOND,
            silence: 15 * SECOND,
        }
    }
}

/// What a server has said, or what has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoupEvent<'a> {
    /// The login is accepted.
    Accepted {
        /// Session of what follows, which may be another than was asked for.
        session: Session,
        /// Number of the first message that follows, likewise.
        next: u64,
    },
    /// The next message of the session.
    Message {
        /// Its number.
        sequence: u64,
        /// It.
        message: &'a [u8],
    },
    /// Something without a number that needs no answer.
    Alive,
    /// There is no connection any more.
    Ended(Ended),
}

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It could not be made, or the server or the network ended it.
    Closed,
    /// No login or no whole packet came in time.
    Silent,
    /// The server sent what is no packet, or one that cannot come at that point.
    Garbage,
    /// More bytes came than there was room for: the driver has not asked.
    Flooded,
    /// The login was rejected, for this reason.
    Rejected(u8),
    /// The session is over, and all that was in it has come.
    EndOfSession,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Opening,
    Open,
    /// There is no connection, but what it brought may not have been taken yet.
    Over(Ended),
}

/// A client of one server at a time. Logging in again with the session that was accepted and the number after the last
/// message goes on where a lost connection ended.
#[derive(Debug)]
pub struct SoupClient {
    user: SoupUser,
    times: SoupTimes,
    stream: PacketStream,
    server: usize,
    state: State,
    /// The login has been accepted.
    accepted: bool,
    /// To log in to.
    session: Session,
    /// To log in with; then the number of the next message.
    next: u64,
    /// When the connection was begun.
    opened: u64,
    /// When something was sent last.
    sent: u64,
    /// When a whole packet was last there.
    heard: u64,
}

impl SoupClient {
    /// A client without a connection.
    pub fn new(user: SoupUser, times: SoupTimes) -> SoupClient {
        SoupClient {
            user,
            times,
            stream: PacketStream::new(),
            server: 0,
            state: State::Idle,
            accepted: false,
            session: Session::default(),
            next: 0,
            opened: 0,
            sent: 0,
            heard: 0,
        }
    }

    /// Connects to a server and logs in to a session (blank: the current one) from a number on. What there was before is
    /// closed and forgotten.
    pub fn open(
        &mut self,
        server: usize,
        session: Session,
        sequence: u64,
        now: u64,
        net: &mut dyn Net,
    ) {
        self.close(net);
        (self.server, self.session, self.next) = (server, session, sequence);
        (self.opened, self.sent, self.heard) = (now, now, now);
        (self.state, self.accepted) = (State::Opening, false);
        self.stream.clear();
        net.open(server);
    }

    /// Says that no more is wanted, and closes. What has not been taken is forgotten.
    pub fn log_out(&mut self, net: &mut dyn Net) {
        if self.state == State::Open {
            net.send(self.server, Head::logout_request().as_bytes());
        }
        self.close(net);
    }

    /// Closes the connection, if there is one. What has not been taken is forgotten.
    pub fn close(&mut self, net: &mut dyn Net) {
        if self.is_connected() {
            net.close(self.server);
        }
        self.state = State::Idle;
    }

    /// The number of the next message.
    pub fn next_sequence(&self) -> u64 {
        self.next
    }

    /// How many bytes it can take.
    pub fn room(&self) -> usize {
        self.stream.room()
    }

    /// True when [`SoupClient::next`] has something to say.
    pub fn is_ready(&self) -> bool {
        match self.state {
            State::Idle | State::Opening => false,
            State::Open => self.stream.is_ready(),
            State::Over(_) => true,
        }
    }

    /// True when there is no connection any more and that has not been taken yet.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// Takes what a server says; false when it was not waited for, and nothing has happened.
    pub fn heard(&mut self, server: usize, heard: Heard<'_>, now: u64, net: &mut dyn Net) -> bool {
        if server != self.server || !self.is_connected() {
            return false;
        }
        match (heard, self.state) {
            (Heard::Closed, _) => self.state = State::Over(Ended::Closed),
            (Heard::Opened, State::Opening) => {
                let SoupUser { name, password } = self.user;
                let login = LoginRequest::new(name, password, self.session, self.next);
                net.send(server, login.as_bytes());
                self.sent = now;
                self.state = State::Open;
            }
            (Heard::Opened, _) | (Heard::Bytes(_), State::Opening) => return false,
            (Heard::Bytes(bytes), _) => {
                if self.stream.fill(bytes) < bytes.len() {
                    self.end(Ended::Flooded, net);
                } else if self.stream.is_ready() {
                    self.heard = now;
                }
            }
        }
        true
    }

    /// The next thing the server said, if there is one.
    pub fn next(&mut self, net: &mut dyn Net) -> Option<SoupEvent<'_>> {
        let state = self.state;
        if !self.is_ready() {
            return None;
        }
        if let State::Over(ended) = state
            && !self.stream.is_ready()
        {
            self.state = State::Idle;
            return Some(SoupEvent::Ended(ended));
        }
        let packet = self.stream.next().transpose()?;
        let said = packet.and_then(Packet::from_server);
        let ended = match said {
            Ok(FromServer::Sequenced(message)) if self.accepted && self.next < u64::MAX => {
                let sequence = self.next;
                self.next += 1;
                return Some(SoupEvent::Message { sequence, message });
            }
            Ok(FromServer::Accepted(m)) if !self.accepted => match number(&m.sequence_number) {
                Some(next) if next > 0 => {
                    (self.next, self.accepted) = (next, true);
                    let session = m.session;
                    return Some(SoupEvent::Accepted { session, next });
                }
                _ => Ended::Garbage,
            },
            Ok(FromServer::Rejected(m)) if !self.accepted => Ended::Rejected(m.reason),
            Ok(FromServer::EndOfSession) => Ended::EndOfSession,
            Ok(FromServer::Heartbeat | FromServer::Debug(_) | FromServer::Unsequenced(_)) => {
                return Some(SoupEvent::Alive);
            }
            Ok(_) | Err(_) => Ended::Garbage,
        };
        if state == State::Open {
            net.close(self.server);
        }
        self.state = State::Idle;
        Some(SoupEvent::Ended(ended))
    }

    /// Sends the heartbeats that are due, and gives up a server that is silent. Returns when it is to be called again at
    /// the latest; `None` without a connection.
    pub fn poll(&mut self, now: u64, net: &mut dyn Net) -> Option<u64> {
        if !self.is_connected() {
            return None;
        }
        if self.is_ready() {
            self.heard = now; // what is waited for is us
        } else if !self.accepted {
            let limit = self.opened.saturating_add(self.times.login);
            return self.alive_until(limit, now, net);
        }
        if now.saturating_sub(self.sent) >= self.times.heartbeat {
            net.send(self.server, Head::client_heartbeat().as_bytes());
            self.sent = now;
        }
        let limit = self.heard.saturating_add(self.times.silence);
        let heartbeat = self.sent.saturating_add(self.times.heartbeat);
        Some(self.alive_until(limit, now, net)?.min(heartbeat))
    }

    fn alive_until(&mut self, limit: u64, now: u64, net: &mut dyn Net) -> Option<u64> {
        if now >= limit {
            self.end(Ended::Silent, net);
        }
        Some(limit)
    }

    fn is_connected(&self) -> bool {
        !matches!(self.state, State::Idle | State::Over(_))
    }

    fn end(&mut self, ended: Ended, net: &mut dyn Net) {
        net.close(self.server);
        self.state = State::Over(ended);
    }
}

#[cfg(test)]
#[path = "soup_tests.rs"]
mod tests;
