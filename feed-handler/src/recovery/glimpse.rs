//! GLIMPSE: the state of all books of a feed, by SoupBinTCP.
//!
//! A login to a session of its own, from number 1 on, is answered with everything one has to know: what the system and
//! the instruments are at, and an order for each that rests in a book; last comes the number the feed goes on with. The
//! messages go to the lane as they come. A snapshot that is older than what the lane has kept leaves a hole between the
//! two: it is void, and after a while another one is asked for.

use super::soup::{Ended, SoupClient, SoupEvent};
use super::soup_servers::{Counters, ROOM_WAIT, SoupServers};
use super::{Handed, Heard, Missing, Net, Recovery, RecoverySink, Wish};
use crate::sequence::SeqSpan;
use crate::transport::Session;
use feed_common::wire::soupbintcp::{
    CURRENT_SESSION, END_OF_SNAPSHOT, EndOfSnapshot, NOT_AUTHORIZED, number,
};
use zerocopy::FromBytes;

/// What a snapshot may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlimpseSettings {
    /// Messages it has at most. A server that goes on is given up.
    pub messages: u64,
    /// Nanoseconds it may take.
    pub time: u64,
    /// Nanoseconds until another is asked for when one was too old.
    pub again: u64,
}

impl Default for GlimpseSettings {
    /// 50 million messages (a busy day has a few million orders at once), 30 seconds, half a second.
    fn default() -> GlimpseSettings {
        GlimpseSettings {
            messages: 50_000_000,
            time: 30_000_000_000,
            again: 500_000_000,
        }
    }
}

/// The snapshot client of a channel.
#[derive(Debug)]
pub struct Glimpse {
    servers: SoupServers,
    settings: GlimpseSettings,
    client: SoupClient,
    wish: Option<Wished>,
    run: Option<Run>,
    /// The server that is asked next, if it has not refused.
    server: usize,
    counters: Counters,
    tally: Tally,
}

/// A snapshot that is wanted.
#[derive(Clone, Copy, Debug)]
struct Wished {
    missing: Missing,
    /// Connections in a row that brought none.
    attempts: u32,
    /// When it is given up.
    deadline: u64,
    /// Not to be asked for before.
    after: u64,
    /// Servers, a bit each, that do not let us in.
    refused: u64,
    /// It cannot be had, and that has yet to be said.
    failed: bool,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
struct Run {
    server: usize,
    /// Session of the feed that the snapshot is wanted for.
    session: Session,
    begun: u64,
    /// The login has been accepted.
    accepted: bool,
    /// When the last message came, or was not what was waited for.
    progress: u64,
    messages: u64,
    /// What it was for has come otherwise: the lane may have left out part of it.
    void: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    messages: u64,
    snapshots: u64,
    /// Snapshots that ended before what is held begins.
    too_old: u64,
    /// Snapshots with more messages than there can be.
    endless: u64,
    wishes_refused: u64,
    failed: u64,
}

/// What is done with a snapshot after one of its messages.
enum Step {
    GoesOn,
    Whole(u64),
    Broken(Ended),
    Endless,
}

impl Glimpse {
    /// A client that asks these servers.
    ///
    /// # Panics
    ///
    /// When there are no servers or more than 64.
    pub fn new(servers: SoupServers, settings: GlimpseSettings) -> Glimpse {
        servers.assert();
        Glimpse {
            servers,
            settings,
            client: SoupClient::new(servers.user, servers.times),
            wish: None,
            run: None,
            server: 0,
            counters: Counters::default(),
            tally: Tally::default(),
        }
    }

    fn advance(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) {
        let session = self.wish.map(|wish| wish.missing.session);
        if (self.run).is_some_and(|run| run.void || Some(run.session) != session) {
            self.client.log_out(net);
            self.run = None;
        }
        self.read(now, net, out);
        self.hurry(now, net);
        self.begin(now, net);
        self.give_up(now, net);
        self.tell_failed(out);
    }

    /// Takes what the server has said, while there is room: none of it hands more than one thing.
    fn read(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) {
        while let (Some(run), Some(wish), true) =
            (self.run.as_mut(), self.wish.as_mut(), out.has_room(1))
        {
            let channel = wish.missing.channel;
            let Some(event) = self.client.next(net) else {
                break;
            };
            let step = match event {
                SoupEvent::Alive => Step::GoesOn,
                SoupEvent::Accepted { next, .. } => {
                    self.counters.logins += 1;
                    (run.accepted, run.progress) = (true, now);
                    if next == 1 {
                        out.hand(channel, Handed::SnapshotBegins);
                        Step::GoesOn
                    } else {
                        self.counters.other_session += 1;
                        Step::Broken(Ended::Garbage)
                    }
                }
                SoupEvent::Message { message, .. } => {
                    (run.progress, run.messages) = (now, run.messages + 1);
                    let step = step_of(message, run.messages, &self.settings);
                    if let Step::GoesOn = step {
                        self.tally.messages += 1;
                        out.hand(channel, Handed::SnapshotMessage(message));
                    }
                    step
                }
                SoupEvent::Ended(ended) => Step::Broken(ended),
            };
            match step {
                Step::GoesOn => {}
                Step::Whole(next) => self.whole(next, now, net, out),
                Step::Broken(ended) => {
                    self.counters.ended(ended);
                    let refused = ended == Ended::Rejected(NOT_AUTHORIZED);
                    self.broken(refused, now, net);
                }
                Step::Endless => {
                    self.tally.endless += 1;
                    self.broken(false, now, net);
                }
            }
        }
        if let Some(run) = &mut self.run
            && self.client.is_ready()
        {
            run.progress = now; // what is waited for is the lane
        }
    }

    /// All of a snapshot has come; there is room to say so.
    fn whole(&mut self, next: u64, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) {
        self.client.log_out(net);
        self.run = None;
        let Some(wish) = &mut self.wish else {
            return;
        };
        if next < wish.missing.span.first {
            self.tally.too_old += 1;
            wish.after = now.saturating_add(self.settings.again);
            return;
        }
        self.tally.snapshots += 1;
        let Missing { channel, unit, .. } = wish.missing;
        // The session of the snapshot is none of the feed's.
        let ends = Handed::SnapshotEnds {
            session: None,
            unit,
            next,
        };
        out.hand(channel, ends);
        self.wish = None;
    }

    /// A connection has ended before its snapshot, or is ended here.
    fn broken(&mut self, refused: bool, now: u64, net: &mut dyn Net) {
        self.client.log_out(net);
        let (Some(run), Some(wish)) = (self.run.take(), &mut self.wish) else {
            return;
        };
        self.server = (run.server + 1) % self.servers.servers;
        if refused {
            wish.refused |= 1 << run.server;
        } else {
            wish.attempts += 1;
            wish.after = now.saturating_add(self.servers.retry);
        }
    }

    /// Ends a connection that takes too long.
    fn hurry(&mut self, now: u64, net: &mut dyn Net) {
        if let Some(run) = self.run
            && now >= self.limit(&run)
        {
            self.counters.server_slow += 1;
            self.broken(false, now, net);
        }
    }

    /// When a connection takes too long.
    fn limit(&self, run: &Run) -> u64 {
        let whole = run.begun.saturating_add(self.settings.time);
        match run.accepted {
            true => whole.min(run.progress.saturating_add(self.servers.progress)),
            false => whole,
        }
    }

    /// Connects when it is time to.
    fn begin(&mut self, now: u64, net: &mut dyn Net) {
        let Some(wish) = self.wish.filter(|wish| !wish.failed && wish.after <= now) else {
            return;
        };
        let server = self.servers.first_but(self.server, wish.refused);
        let (Some(server), None) = (server, self.run) else {
            return;
        };
        if self.is_hopeless(&wish, now) {
            return;
        }
        self.counters.connections += 1;
        self.client.open(server, CURRENT_SESSION, 1, now, net);
        self.run = Some(Run {
            server,
            session: wish.missing.session,
            begun: now,
            accepted: false,
            progress: now,
            messages: 0,
            void: false,
        });
    }

    fn is_hopeless(&self, wish: &Wished, now: u64) -> bool {
        now >= wish.deadline
            || wish.attempts >= self.servers.attempts
            || self.servers.first_but(0, wish.refused).is_none()
    }

    fn give_up(&mut self, now: u64, net: &mut dyn Net) {
        if let Some(wish) = self.wish
            && self.is_hopeless(&wish, now)
        {
            self.client.log_out(net);
            self.run = None;
            self.wish = Some(Wished {
                failed: true,
                ..wish
            });
        }
    }

    fn tell_failed(&mut self, out: &mut dyn RecoverySink) {
        if let Some(wish) = self.wish.filter(|wish| wish.failed)
            && out.has_room(1)
        {
            self.tally.failed += 1;
            out.hand(wish.missing.channel, Handed::SnapshotFailed);
            self.wish = None;
        }
    }

    /// When something is to be done next.
    fn due(&self, now: u64, client: Option<u64>) -> Option<u64> {
        let wish = self.wish?;
        if wish.failed || self.client.is_ready() {
            return Some(now.saturating_add(ROOM_WAIT));
        }
        let next = self.run.map_or(wish.after, |run| self.limit(&run));
        let next = next.min(wish.deadline);
        Some(client.map_or(next, |client| client.min(next)))
    }
}

/// What a message of a snapshot says about it, `messages` being how many there are with it.
fn step_of(message: &[u8], messages: u64, settings: &GlimpseSettings) -> Step {
    if message.first() == Some(&END_OF_SNAPSHOT) {
        let end = EndOfSnapshot::ref_from_prefix(message).ok();
        let next = end.and_then(|(end, _)| number(&end.sequence_number));
        return match next {
            Some(next) if next > 0 => Step::Whole(next),
            _ => Step::Broken(Ended::Garbage),
        };
    }
    match messages > settings.messages {
        true => Step::Endless,
        false => Step::GoesOn,
    }
}

impl Recovery for Glimpse {
    fn wish(&mut self, wish: Wish, now: u64, out: &mut dyn RecoverySink) {
        match wish {
            Wish::Snapshot(missing) => {
                let wished = self.wish.get_or_insert(Wished {
                    missing,
                    attempts: 0,
                    deadline: 0,
                    after: now,
                    refused: 0,
                    failed: false,
                });
                // The newest wish is the one that counts; a snapshot on its way may be good enough for it.
                wished.missing = missing;
                wished.deadline = now.saturating_add(self.servers.patience);
            }
            Wish::Settled(settled) => {
                if let Some(wish) = &mut self.wish
                    && wish.missing.session == settled.session
                {
                    let SeqSpan { first, .. } = wish.missing.span;
                    let end = wish.missing.span.end();
                    if settled.span.first >= end {
                        self.wish = None; // the next call ends the connection, also where another wish comes before it
                        self.run = self.run.map(|run| Run { void: true, ..run });
                    } else {
                        wish.missing.span = SeqSpan::between(first.max(settled.span.first), end);
                    }
                }
            }
            Wish::Messages(missing) => {
                self.tally.wishes_refused += 1;
                out.hand(missing.channel, Handed::Failed(missing));
            }
        }
    }

    fn heard(
        &mut self,
        server: usize,
        heard: Heard<'_>,
        now: u64,
        net: &mut dyn Net,
        out: &mut dyn RecoverySink,
    ) {
        if !self.client.heard(server, heard, now, net) {
            self.counters.answer_unasked += 1;
        }
        self.advance(now, net, out);
    }

    fn poll(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) -> Option<u64> {
        self.client.poll(now, net);
        let client = loop {
            self.advance(now, net, out);
            let client = self.client.poll(now, net);
            // A server that was not silent only as long as its last words were not taken.
            if !self.client.has_ended() || !out.has_room(1) {
                break client;
            }
        };
        self.due(now, client)
    }

    fn room(&self, _server: usize) -> usize {
        self.client.room()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let tally = self.tally;
        let own = [
            ("messages", tally.messages),
            ("snapshots", tally.snapshots),
            ("snapshot_too_old", tally.too_old),
            ("snapshot_endless", tally.endless),
            ("wishes_refused", tally.wishes_refused),
            ("failed", tally.failed),
        ];
        self.counters.list().chain(own).collect()
    }
}
