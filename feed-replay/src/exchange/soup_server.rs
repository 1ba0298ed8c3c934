//! The servers with connections: of the session's messages, and of its state.

use super::glimpse::{GlimpseState, Snapshot};
use super::history::History;
use super::server::ServerCounts;
use super::soupbintcp::{SoupConnection, SoupEnd, SoupFaults, SoupSource};
use crate::fault::ServerFaults;
use crate::synth::rng::Rng;
use feed_common::wire::soupbintcp::{CURRENT_SESSION, LoginRequest, NO_SESSION, number};
use std::sync::{Arc, Mutex, PoisonError};

/// A server that clients connect to: it makes the connections, each with what goes wrong with it.
///
/// What it does follows from its faults, the seed, and the order of the connections. An answer that is wrong is a login
/// to another session or from another number, or garbage; a connection that is to be closed is so within its first
/// thousand messages; one that is refused is told that there is no such session. Nothing is lost on a connection.
#[derive(Debug)]
pub struct SoupServer {
    history: Arc<History>,
    /// Of a server of snapshots.
    state: Option<Arc<Mutex<Reached>>>,
    faults: ServerFaults,
    rng: Rng,
    counts: ServerCounts,
}

/// The state of a session before a number.
#[derive(Debug)]
struct Reached {
    state: GlimpseState,
    next: u64,
}

impl SoupServer {
    /// Messages until a connection goes wrong, at most.
    const AFTER_MAX: u64 = 1_000;

    /// A server of a session's messages, which must be MoldUDP64's.
    pub fn replay(history: Arc<History>, faults: &ServerFaults, seed: u64) -> SoupServer {
        SoupServer {
            history,
            state: None,
            faults: faults.clone(),
            rng: Rng::new(seed),
            counts: ServerCounts::default(),
        }
    }

    /// A GLIMPSE server of a session, which must be ITCH over MoldUDP64.
    pub fn snapshots(history: Arc<History>, faults: &ServerFaults, seed: u64) -> SoupServer {
        let reached = Reached {
            state: GlimpseState::default(),
            next: history.begin(),
        };
        SoupServer {
            state: Some(Arc::new(Mutex::new(reached))),
            ..SoupServer::replay(history, faults, seed)
        }
    }

    /// A client has connected at `now`, in nanoseconds after the start.
    pub fn connect(&mut self, now: u64) -> SoupConnection {
        let faults = self.draw();
        let history = Arc::clone(&self.history);
        let source: Box<dyn SoupSource> = match &self.state {
            None => Box::new(Replay {
                history,
                session: CURRENT_SESSION,
            }),
            Some(state) => Box::new(Glimpse {
                history,
                state: Arc::clone(state),
                snapshot: Snapshot::default(),
            }),
        };
        SoupConnection::new(source, faults, now)
    }

    /// What it did so far, by connections: none of them is malformed, unknown or limited.
    pub fn counts(&self) -> ServerCounts {
        self.counts
    }

    /// What goes wrong with the next connection. Everything is drawn, whatever comes of it.
    fn draw(&mut self) -> SoupFaults {
        let (faults, rng, counts) = (&self.faults, &mut self.rng, &mut self.counts);
        let refused = faults.refuse.happens(rng);
        let wrong = faults.wrong.happens(rng);
        let closed = faults.close.happens(rng);
        let late = faults.late.draw(rng);
        let (kind, after) = (rng.below(3), rng.below(Self::AFTER_MAX));
        let mut drawn = SoupFaults {
            late,
            after,
            trickle: faults.trickle,
            ..SoupFaults::default()
        };
        counts.requests += 1;
        if refused {
            counts.refused += 1;
            drawn.reject = Some(NO_SESSION);
            return drawn;
        }
        counts.late += u64::from(late > 0);
        if closed {
            counts.closed += 1;
            drawn.then = SoupEnd::Close;
            return drawn;
        }
        counts.answered += 1;
        if wrong {
            counts.wrong += 1;
            match kind {
                0 => drawn.session = Some(*b"YESTERDAY "),
                1 => drawn.from = Some(1 + after),
                _ => drawn.then = SoupEnd::Garbage,
            }
        }
        drawn
    }
}

/// The messages of one of the sessions.
#[derive(Debug)]
struct Replay {
    history: Arc<History>,
    /// The one that was logged in to.
    session: [u8; 10],
}

impl SoupSource for Replay {
    fn login(&mut self, request: &LoginRequest, now: u64) -> Result<([u8; 10], u64), u8> {
        let current = self.history.heartbeat(now, false).ok_or(NO_SESSION)?;
        self.session = match request.requested_session {
            CURRENT_SESSION => current.session,
            session => session,
        };
        let first = number(&request.requested_sequence).unwrap_or(0);
        let sent = self.history.sent_of(&self.session, first, now);
        let sent = sent.ok_or(NO_SESSION)?;
        if !sent.is_empty() {
            return Ok((self.session, first));
        }
        // Of what is not there yet, or not any more, whatever comes next.
        let last = self.history.wire(sent.end.wrapping_sub(1));
        let last = last.filter(|(session, _)| *session == self.session);
        Ok((self.session, last.map_or(1, |(_, last)| last + 1)))
    }

    fn messages(&self, from: u64, now: u64, visit: &mut dyn FnMut(&[u8]) -> bool) {
        if let Some(sent) = self.history.sent_of(&self.session, from, now) {
            let count = usize::try_from(sent.end - sent.start).unwrap_or(usize::MAX);
            let messages = self.history.messages(sent.start);
            messages.take(count).all(visit);
        }
    }

    fn is_over(&self, from: u64, now: u64) -> bool {
        let sent = self.history.sent_of(&self.session, from, now);
        let current = self.history.heartbeat(now, false);
        let goes_on = current.is_some_and(|header| header.session == self.session);
        sent.is_none_or(|sent| sent.is_empty()) && (!goes_on || now >= self.history.last_at())
    }
}

/// The state of the session when it was asked for.
#[derive(Debug)]
struct Glimpse {
    history: Arc<History>,
    /// Every snapshot is of what has happened since the one before it.
    state: Arc<Mutex<Reached>>,
    snapshot: Snapshot,
}

impl Glimpse {
    /// Session of a snapshot.
    const SESSION: [u8; 10] = *b"GLIMPSE   ";
}

impl SoupSource for Glimpse {
    fn login(&mut self, request: &LoginRequest, now: u64) -> Result<([u8; 10], u64), u8> {
        let next = self.history.heartbeat(now, false).ok_or(NO_SESSION)?;
        let asked = (request.requested_session, &request.requested_sequence);
        if (asked.0, number(asked.1)) != (CURRENT_SESSION, Some(1)) {
            return Err(NO_SESSION);
        }
        let mut reached = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        reached.go_to(&self.history, now);
        self.snapshot = reached.state.snapshot(next.sequence.get());
        Ok((Self::SESSION, 1))
    }

    fn messages(&self, from: u64, _: u64, visit: &mut dyn FnMut(&[u8]) -> bool) {
        self.snapshot.from(from).all(visit);
    }

    fn is_over(&self, _: u64, _: u64) -> bool {
        false // it waits for the logout
    }
}

impl Reached {
    /// On to what was sent by `now`. What a capture does not have is passed over.
    fn go_to(&mut self, history: &History, now: u64) {
        let end = history.reached(now);
        while self.next < end {
            let before = self.next;
            let left = usize::try_from(end - before).unwrap_or(usize::MAX);
            for message in history.messages(before).take(left) {
                self.state.apply(message);
                self.next += 1;
            }
            self.next += u64::from(self.next == before);
        }
    }
}

#[cfg(test)]
#[path = "soup_server_tests.rs"]
mod tests;
