//! What recovery talks to, in virtual time: the servers of the sessions, the connections to them, and the feeds on which
//! snapshots go round.

use crate::play::{Epoch, Play};
use crate::scenario::{Asking, Scenario, Service};
use feed_common::wire::mdp3::parse;
use feed_common::wire::moldudp64::Request;
use feed_common::wire::soupbintcp::{FromClient, Packet, PacketStream};
use feed_handler::recovery::Net;
use feed_replay::exchange::{
    Again, DatagramServer, History, HistoryError, Limits, LoopTiming, MoldServer, Numbering,
    PillarLimits, PillarServer, Shape, SnapshotLoop, SoupServer, StreamConnection, StreamServer,
};
use feed_replay::fault::LineFaults;
use feed_replay::schedule::Speed;
use feed_replay::synth::rng::{Rng, splitmix64};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::sync::Arc;
use zerocopy::FromBytes;

/// How long a datagram takes between handler and server, and a connection to be made.
const WAY_NS: u64 = 40_000;

/// Most bytes of a connection that come at once.
const PIECE: u64 = 4_000;

/// How long an exchange answers nothing after its numbers have begun anew: longer than a handler can take to see it.
const ANEW_NS: u64 = 20_000_000;

/// Bytes of a packet of snapshots, and nanoseconds between two.
const LOOP_PAYLOAD: usize = 1_400;
const LOOP_SPACING_NS: u64 = 100_000;

/// What comes from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The connection is there.
    Opened,
    /// A datagram, or the next bytes.
    Bytes(Vec<u8>),
    /// It was ended.
    Closed,
}

/// The servers and what they have sent.
pub struct Network {
    service: Service,
    /// When each session begins, when its first packet is sent, and what it is called.
    sessions: Vec<(u64, u64, [u8; 10])>,
    servers: Vec<Server>,
    loops: Vec<Loop>,
    /// Datagrams on their way back.
    answers: BinaryHeap<Reverse<Answer>>,
    sent: u64,
    /// How bytes are cut.
    rng: Rng,
    now: u64,
}

/// When it arrives, in which order it was sent, from whom, and what.
type Answer = (u64, u64, usize, Vec<u8>);

/// A server: one for each session, behind one address.
enum Server {
    Datagrams(Vec<MoldServer>),
    Streams(Vec<Box<dyn StreamServer>>, Option<Link>),
}

/// A connection to a server.
struct Link {
    /// When it is made.
    at: u64,
    told: bool,
    /// Its ends, by session: made when that is first spoken to.
    ends: BTreeMap<usize, Box<dyn StreamConnection>>,
    /// The one that was spoken to last.
    last: usize,
}

/// A feed of snapshots, and whether it is listened to.
struct Loop {
    feed: SnapshotLoop,
    joined: bool,
    /// Its packets as they were sent.
    intact: HashSet<Vec<u8>>,
}

impl Network {
    /// The servers and feeds of a scenario.
    pub fn new(asking: &Asking, play: &Play, scenario: &Scenario) -> Result<Network, HistoryError> {
        let histories = play
            .epochs
            .iter()
            .map(|epoch| history(asking.service, epoch));
        let histories: Vec<Arc<History>> = histories.collect::<Result<_, _>>()?;
        let servers = asking.servers.iter().enumerate().map(|(i, faults)| {
            let seeds = |e: usize| splitmix64(scenario.seed ^ splitmix64((i * 64 + e + 1) as u64));
            let of = histories.iter().cloned().enumerate();
            let stream = |(e, history): (usize, Arc<History>)| -> Box<dyn StreamServer> {
                let seed = seeds(e);
                match asking.service {
                    Service::Pillar => {
                        let limits = PillarLimits {
                            requests: 0,
                            payload: asking.payload,
                            ..PillarLimits::default()
                        };
                        Box::new(PillarServer::new(history, limits, faults, seed))
                    }
                    Service::Glimpse => Box::new(SoupServer::snapshots(history, faults, seed)),
                    _ => Box::new(SoupServer::replay(history, faults, seed)),
                }
            };
            match asking.service {
                Service::MoldUdp64 => {
                    let limits = Limits {
                        payload: asking.payload,
                        ..Limits::default()
                    };
                    let server = |(e, history)| MoldServer::new(history, limits, faults, seeds(e));
                    Server::Datagrams(of.map(server).collect())
                }
                _ => Server::Streams(of.map(stream).collect(), None),
            }
        });
        let servers = servers.collect();
        let longest = asking.loops.iter().map(|feed| feed.period).max();
        let end = play.end() + scenario.longest_way() + 12 * longest.unwrap_or(0);
        let loops = (1..).zip(&asking.loops).map(|(i, feed)| {
            let timing = LoopTiming {
                orders: feed.orders,
                period: feed.period,
                spacing: LOOP_SPACING_NS,
                payload: LOOP_PAYLOAD,
            };
            let seed = splitmix64(scenario.seed ^ splitmix64(0x6c6f_6f70 + i));
            let of = |faults: &LineFaults| {
                SnapshotLoop::new(Arc::clone(&histories[0]), faults, seed, timing, end)
            };
            let (mut clean, mut intact) = (of(&LineFaults::default()), HashSet::new());
            while let Some(packet) = clean.next(u64::MAX) {
                intact.insert(packet.payload.to_vec());
            }
            Loop {
                feed: of(&feed.faults),
                joined: false,
                intact,
            }
        });
        let loops = loops.collect();
        let session = |epoch: &Epoch| (epoch.start, epoch.first_at, epoch.session);
        Ok(Network {
            service: asking.service,
            sessions: play.epochs.iter().map(session).collect(),
            servers,
            loops,
            answers: BinaryHeap::new(),
            sent: 0,
            rng: Rng::new(splitmix64(scenario.seed ^ 0x6e65_7473)),
            now: 0,
        })
    }

    /// It is `now`.
    pub fn turn_to(&mut self, now: u64) {
        self.now = now;
    }

    /// True while something is on its way that is listened to.
    pub fn is_busy(&mut self) -> bool {
        let goes_round = |one: &mut Loop| one.joined && one.feed.due().is_some();
        !self.answers.is_empty() || self.loops.iter_mut().any(goes_round)
    }

    /// The next thing that has come by now; `room` says how many bytes of a server can be taken.
    pub fn next(&mut self, room: &dyn Fn(usize) -> usize) -> Option<(usize, Said)> {
        let now = self.now;
        if let Some(Reverse((at, ..))) = self.answers.peek()
            && *at <= now
        {
            let Reverse((_, _, server, bytes)) = self.answers.pop()?;
            return Some((server, Said::Bytes(bytes)));
        }
        if let Some(said) = self.snapshot() {
            return Some(said);
        }
        let servers = self.servers.len();
        let current = self.current();
        for (place, server) in self.servers.iter_mut().enumerate() {
            let Server::Streams(of, link) = server else {
                continue;
            };
            // What the servers send to their groups.
            for server in of {
                server.datagrams(now, &mut |packet| {
                    self.sent += 1;
                    let group = servers + place;
                    let answer = (now + WAY_NS, self.sent, group, packet.to_vec());
                    self.answers.push(Reverse(answer));
                });
            }
            let piece = 1 + self.rng.below(PIECE) as usize;
            let said = link
                .as_mut()
                .and_then(|link| link.next(now, room(place).min(piece), current));
            if let Some(said) = said {
                if said == Said::Closed {
                    *link = None;
                }
                return Some((place, said));
            }
        }
        None
    }

    /// The next packet of a feed that somebody listens to.
    fn snapshot(&mut self) -> Option<(usize, Said)> {
        loop {
            let feeds = self.loops.iter_mut().enumerate();
            let next = feeds
                .filter_map(|(i, one)| Some((one.feed.due()?, i)))
                .min();
            let (_, place) = next.filter(|&(at, _)| at <= self.now)?;
            let one = &mut self.loops[place];
            let packet = one.feed.next(self.now)?.payload.to_vec();
            // A flipped byte that leaves a packet a packet is for the checksum of UDP to find.
            let unheard = !one.intact.contains(&packet) && parse(&packet).is_ok();
            if one.joined && !unheard {
                return Some((place, Said::Bytes(packet)));
            }
        }
    }

    /// The session that servers are in. There is none for a while after the numbers of a channel without names have begun
    /// anew.
    fn current(&self) -> Option<usize> {
        let place = self.sessions.iter().rposition(|of| of.0 <= self.now)?;
        let settled = self.service != Service::Pillar
            || place == 0
            || self.sessions[place].1 + ANEW_NS <= self.now;
        settled.then_some(place)
    }

    /// The session that a client means, by what it sends to a connection.
    fn meant(&self, bytes: &[u8]) -> Option<usize> {
        let mut stream = PacketStream::new();
        stream.fill(bytes);
        let login = match stream.next().ok().flatten().map(Packet::from_client) {
            Some(Ok(FromClient::Login(login))) => login.requested_session,
            _ => return None,
        };
        let of =
            |&(begun, _, session): &(u64, u64, [u8; 10])| begun <= self.now && session == login;
        self.sessions.iter().position(of)
    }
}

impl Link {
    /// What the server says next, at most `room` bytes.
    fn next(&mut self, now: u64, room: usize, current: Option<usize>) -> Option<Said> {
        if !self.told {
            self.told = now >= self.at;
            return self.told.then_some(Said::Opened);
        }
        let end = self.ends.get_mut(&self.last)?;
        if room == 0 {
            return None;
        }
        let mut bytes = Vec::new();
        let again = end.poll(now, room, &mut bytes);
        if !bytes.is_empty() {
            return Some(Said::Bytes(bytes));
        }
        let over = again == Again::Close && current.is_some();
        over.then_some(Said::Closed)
    }
}

impl Net for Network {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        let (now, current, meant) = (self.now, self.current(), self.meant(bytes));
        let service = self.service;
        match &mut self.servers[server] {
            Server::Datagrams(of) => {
                let at = now + WAY_NS;
                let asked = Request::read_from_bytes(bytes).map(|request| request.session);
                let known = |&(begun, _, session): &(u64, u64, [u8; 10])| {
                    begun <= at && asked.as_ref().is_ok_and(|asked| *asked == session)
                };
                // Whoever knows nothing of it counts it.
                let place = self.sessions.iter().position(known).unwrap_or(0);
                let (answers, sent) = (&mut self.answers, &mut self.sent);
                of[place].answer(bytes, at, &mut |leaves, packet| {
                    *sent += 1;
                    answers.push(Reverse((leaves + WAY_NS, *sent, server, packet.to_vec())));
                });
            }
            Server::Streams(of, Some(link)) => {
                let place = match service {
                    Service::Pillar => current,
                    _ => meant
                        .or_else(|| link.ends.keys().next().copied())
                        .or(current),
                };
                let Some(place) = place else {
                    return;
                };
                link.last = place;
                let end = link.ends.entry(place);
                end.or_insert_with(|| of[place].connect(now))
                    .heard(bytes, now);
            }
            Server::Streams(_, None) => {}
        }
    }

    fn open(&mut self, server: usize) {
        if let Some(one) = self.loops.get_mut(server) {
            one.joined = true;
            return;
        }
        if let Server::Streams(_, link) = &mut self.servers[server] {
            assert!(link.is_none(), "one connection at a time");
            *link = Some(Link {
                at: self.now + WAY_NS,
                told: false,
                ends: BTreeMap::new(),
                last: 0,
            });
        }
    }

    fn close(&mut self, server: usize) {
        if let Some(one) = self.loops.get_mut(server) {
            one.joined = false;
        } else if let Server::Streams(_, link) = &mut self.servers[server] {
            *link = None;
        }
    }
}

/// The session as a server has it: with datagrams from its beginning on, with connections as it is sent.
fn history(service: Service, epoch: &Epoch) -> Result<Arc<History>, HistoryError> {
    let (numbering, lead, speed) = match service {
        Service::MoldUdp64 => (Numbering::MoldUdp64, epoch.start, Speed::Max),
        Service::SoupBinTcp | Service::Glimpse => {
            (Numbering::MoldUdp64, epoch.first_at, Speed::ORIGINAL)
        }
        Service::Pillar => (Numbering::Pillar, epoch.first_at, Speed::ORIGINAL),
        Service::Mdp3 => (Numbering::Counted, epoch.first_at, Speed::ORIGINAL),
    };
    let shape = Shape {
        lead,
        speed,
        ..Shape::default()
    };
    History::of(&epoch.recording, numbering, &shape).map(Arc::new)
}
