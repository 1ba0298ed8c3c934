//! Replay of sequenced messages by SoupBinTCP: what no line brought, asked for from its number on.
//!
//! A login names the first number that is wanted, and everything from there on follows until it is enough. What was
//! wanted goes to the lane in MoldUDP64 packets, as a line would have brought it; the rest is left aside. A connection is
//! kept for the next wish when that is near, and ended otherwise: to read on costs less than a login.

use super::replay_wants::{Want, Wants};
use super::soup::{Ended, SoupClient, SoupEvent};
use super::soup_servers::{Counters, ROOM_WAIT, SoupServers};
use super::{Handed, Heard, Missing, Net, Recovery, RecoverySink, Wish};
use feed_common::wire::message::trimmed;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_common::wire::soupbintcp::NOT_AUTHORIZED;

/// How a replay is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaySettings {
    /// Wishes that can be open. What is beyond them fails.
    pub wishes: usize,
    /// Messages nobody wants that are read to get to the next that are, rather than logging in again.
    pub skip: u64,
    /// Largest payload of the packets that are handed, in bytes.
    pub payload: usize,
}

impl Default for ReplaySettings {
    /// 64 wishes, 2,000 messages, 1,400 bytes.
    fn default() -> ReplaySettings {
        ReplaySettings {
            wishes: 64,
            skip: 2_000,
            payload: 1_400,
        }
    }
}

/// The replay client of a channel.
#[derive(Debug)]
pub struct SoupReplay {
    servers: SoupServers,
    settings: ReplaySettings,
    client: SoupClient,
    wants: Wants,
    run: Option<Run>,
    /// The server that is asked next, if it has not said that it does not have what is wanted.
    server: usize,
    /// What has come and is not handed yet.
    packet: Option<(Missing, PacketBuilder)>,
    counters: Counters,
    tally: Tally,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The wish that it was begun for.
    of: Missing,
    server: usize,
    /// First number asked for.
    asked: u64,
    /// When something wanted came last, or was not what was waited for.
    progress: u64,
    accepted: bool,
}

/// What has been brought, and what not.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    messages: u64,
    packets: u64,
    /// Messages between two that were wanted.
    skipped: u64,
    /// Messages too long for a packet.
    too_long: u64,
    /// Wishes, or parts of them, there was no room for.
    wishes_refused: u64,
    /// Wishes, or parts of them, that could not be had.
    failed: u64,
}

impl SoupReplay {
    /// A replay that asks these servers.
    ///
    /// # Panics
    ///
    /// When there are no servers or more than 64.
    pub fn new(servers: SoupServers, settings: ReplaySettings) -> SoupReplay {
        servers.assert();
        SoupReplay {
            servers,
            settings,
            client: SoupClient::new(servers.user, servers.times),
            wants: Wants::new(settings.wishes),
            run: None,
            server: 0,
            packet: None,
            counters: Counters::default(),
            tally: Tally::default(),
        }
    }

    /// Takes what servers have said and does what is to be done.
    fn advance(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) {
        self.give_up(now);
        self.hand_failed(out);
        loop {
            self.read(now, net, out);
            if !self.hurry(now, net) && !self.begin(now, net) {
                break;
            }
        }
        self.hand_failed(out);
    }

    /// Takes what the server has said, while there is room for a packet: none of it takes more.
    fn read(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) {
        while out.has_room(1) {
            let (Some(run), Some(event)) = (self.run.as_mut(), self.client.next(net)) else {
                break;
            };
            match event {
                SoupEvent::Alive => {}
                SoupEvent::Accepted { session, next } => {
                    self.counters.logins += 1;
                    (run.accepted, run.progress) = (true, now);
                    if trimmed(&session) == trimmed(&run.of.session) {
                        let (of, server) = (run.of.session, run.server);
                        self.wants.refuse_before(of, next, server);
                        self.go_on(net);
                    } else {
                        self.counters.other_session += 1;
                        let run = *run;
                        self.refused(run, 0);
                        self.leave(net);
                    }
                }
                SoupEvent::Message { sequence, message } => {
                    let session = run.of.session;
                    if message.len() + MOLD > self.settings.payload {
                        self.tally.too_long += 1;
                        self.client.close(net);
                        self.ended(Ended::Garbage, now);
                    } else if self.wants.take(session, sequence) {
                        run.progress = now;
                        self.tally.messages += 1;
                        let tally = &mut self.tally;
                        let limit = self.settings.payload;
                        pack(&mut self.packet, run, sequence, message, limit, tally, out);
                        self.go_on(net);
                    } else if sequence < run.asked {
                        self.counters.answer_unasked += 1;
                    } else {
                        self.tally.skipped += 1;
                        self.go_on(net);
                    }
                }
                SoupEvent::Ended(ended) => self.ended(ended, now),
            }
        }
        if let Some(run) = &mut self.run
            && self.client.is_ready()
        {
            run.progress = now; // what is waited for is the lane
        }
        if out.has_room(1) {
            flush(&mut self.packet, &mut self.tally, out);
        }
    }

    /// Reads on if something wanted comes soon, and logs out if not.
    fn go_on(&mut self, net: &mut dyn Net) {
        let Some(run) = self.run else {
            return;
        };
        let at = self.client.next_sequence();
        let next = self.wants.next_of(run.of.session, at, run.server);
        // The wish that the login was for may be far: what it was answered with decides how the server goes on.
        let near = |next: u64| next <= at.max(run.asked).saturating_add(self.settings.skip);
        if !next.is_some_and(near) {
            self.leave(net);
        }
    }

    fn leave(&mut self, net: &mut dyn Net) {
        self.client.log_out(net);
        self.run = None;
    }

    /// A connection has ended before everything came that it was for.
    fn ended(&mut self, ended: Ended, now: u64) {
        self.counters.ended(ended);
        let Some(run) = self.run.take() else {
            return;
        };
        match ended {
            Ended::Rejected(NOT_AUTHORIZED) => self.refused(run, 0),
            Ended::EndOfSession => self.refused(run, self.client.next_sequence()),
            // A session that is not there now may be another time.
            Ended::Rejected(_)
            | Ended::Closed
            | Ended::Silent
            | Ended::Garbage
            | Ended::Flooded => self.failed(run, now),
        }
    }

    /// A server does not have what is wanted from a number on, and will not.
    fn refused(&mut self, run: Run, from: u64) {
        self.server = (run.server + 1) % self.servers.servers;
        for want in self.wants.of_mut(run.of.session) {
            if want.missing.span.end() > from {
                want.refused |= 1 << run.server;
            }
        }
    }

    /// A server has failed, and may not the next time.
    fn failed(&mut self, run: Run, now: u64) {
        self.server = (run.server + 1) % self.servers.servers;
        for want in self.wants.of_mut(run.of.session) {
            want.attempts = match std::mem::take(&mut want.brought) {
                true => 0,
                false => want.attempts + 1,
            };
            want.after = now.saturating_add(self.servers.retry);
        }
    }

    /// Gives up what nobody has, or nobody had in time.
    fn give_up(&mut self, now: u64) {
        for want in self.wants.iter_mut() {
            want.failed |= now >= want.deadline
                || want.attempts >= self.servers.attempts
                || self.servers.first_but(0, want.refused).is_none();
        }
    }

    fn hand_failed(&mut self, out: &mut dyn RecoverySink) {
        self.wants.hand_failed(&mut |missing| {
            let room = out.has_room(1);
            if room {
                self.tally.failed += 1;
                out.hand(missing.channel, Handed::Failed(missing));
            }
            room
        });
    }

    /// Ends a connection that nothing is wanted of any more, or that takes too long; true when it was ended.
    fn hurry(&mut self, now: u64, net: &mut dyn Net) -> bool {
        let Some(run) = self.run else {
            return false;
        };
        if run.accepted && now >= run.progress.saturating_add(self.servers.progress) {
            self.counters.server_slow += 1;
            self.leave(net);
            self.failed(run, now);
        } else if self.wants.next_of(run.of.session, 0, run.server).is_none() {
            self.leave(net);
        }
        self.give_up(now);
        self.run.is_none()
    }

    /// Connects for the first wish whose time has come; true when there was one.
    fn begin(&mut self, now: u64, net: &mut dyn Net) -> bool {
        self.give_up(now);
        if self.run.is_some() {
            return false;
        }
        let due = |want: &&Want| !want.failed && want.after <= now;
        let Some(&want) = self.wants.iter().find(due) else {
            return false;
        };
        let Some(server) = self.servers.first_but(self.server, want.refused) else {
            return false;
        };
        let of = want.missing;
        let asked = of.span.first;
        self.counters.connections += 1;
        self.client.open(server, of.session, asked, now, net);
        self.run = Some(Run {
            of,
            server,
            asked,
            progress: now,
            accepted: false,
        });
        true
    }

    /// When something is to be done next.
    fn due(&self, now: u64, client: Option<u64>, out: &dyn RecoverySink) -> Option<u64> {
        let waits = self.packet.is_some() || self.client.is_ready();
        let waits = waits || self.wants.iter().any(|want| want.failed);
        let room = (waits && !out.has_room(1)).then(|| now.saturating_add(ROOM_WAIT));
        let progress = self.run.filter(|run| run.accepted);
        let progress = progress.map(|run| run.progress.saturating_add(self.servers.progress));
        let idle = self.run.is_none();
        let wants = self.wants.iter().filter(|want| !want.failed);
        let wants = wants.map(|want| match idle {
            true => want.deadline.min(want.after),
            false => want.deadline,
        });
        let client = client.into_iter().chain(room).chain(progress);
        client.chain(wants.min()).min()
    }
}

/// Nanoseconds that a wish may take longer for each of its messages: a long one is no fault of the server.
const PACE: u64 = 100_000;

/// What a packet has besides a message: its header, and the length of the message.
const MOLD: usize = 22;

/// Adds a message to the packet that is being filled, handing that first where it does not go on with it.
fn pack(
    packet: &mut Option<(Missing, PacketBuilder)>,
    run: &Run,
    sequence: u64,
    message: &[u8],
    limit: usize,
    tally: &mut Tally,
    out: &mut dyn RecoverySink,
) {
    if let Some((of, building)) = packet {
        let goes_on = of.session == run.of.session && building.next_sequence() == sequence;
        if goes_on && building.push(message) {
            return;
        }
    }
    flush(packet, tally, out);
    let mut building = PacketBuilder::new(run.of.session, sequence, limit);
    building.push(message);
    *packet = Some((run.of, building));
}

fn flush(
    packet: &mut Option<(Missing, PacketBuilder)>,
    tally: &mut Tally,
    out: &mut dyn RecoverySink,
) {
    if let Some((of, mut building)) = packet.take() {
        tally.packets += 1;
        out.hand(of.channel, Handed::Packet(building.payload()));
    }
}

impl Recovery for SoupReplay {
    fn wish(&mut self, wish: Wish, now: u64, out: &mut dyn RecoverySink) {
        match wish {
            Wish::Messages(missing) => {
                let want = Want {
                    missing,
                    brought: false,
                    attempts: 0,
                    deadline: now
                        .saturating_add(self.servers.patience)
                        .saturating_add(missing.span.count.saturating_mul(PACE)),
                    after: now,
                    refused: 0,
                    failed: false,
                };
                self.wants.add(want, &mut |missing| {
                    self.tally.wishes_refused += 1;
                    out.hand(missing.channel, Handed::Failed(missing));
                });
            }
            Wish::Settled(settled) => self.wants.settle(&settled),
            Wish::Snapshot(missing) => {
                self.tally.wishes_refused += 1;
                out.hand(missing.channel, Handed::SnapshotFailed);
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
        self.due(now, client, out)
    }

    fn room(&self, _server: usize) -> usize {
        self.client.room()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let tally = self.tally;
        let own = [
            ("messages", tally.messages),
            ("packets", tally.packets),
            ("skipped", tally.skipped),
            ("too_long", tally.too_long),
            ("wishes_refused", tally.wishes_refused),
            ("failed", tally.failed),
        ];
        self.counters.list().chain(own).collect()
    }
}
