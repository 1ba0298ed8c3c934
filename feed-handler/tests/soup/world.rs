//! Servers, the ways to them, and a lane, around a recovery.

use feed_common::wire::soupbintcp::{LoginRequest, number};
use feed_handler::recovery::{
    Handed, Heard, Missing, Net, Recovery, RecoverySink, SoupServers, SoupUser, Wish,
};
use feed_handler::sequence::SeqSpan;
use feed_replay::exchange::{SoupConnection, SoupFaults, SoupNext, SoupSource};
use feed_replay::synth::rng::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const MILLISECOND: u64 = 1_000_000;
pub const SECOND: u64 = 1_000_000_000;
pub const SESSION: [u8; 10] = *b"SESSION001";
pub const CHANNEL: u16 = 7;

/// How long a connection takes to be made.
const WAY: u64 = MILLISECOND;

/// Impatient, so that simulations are short.
pub fn servers(count: usize) -> SoupServers {
    let user = SoupUser {
        name: *b"USER  ",
        password: *b"SECRET    ",
    };
    SoupServers {
        progress: SECOND,
        patience: 30 * SECOND,
        ..SoupServers::new(count, user)
    }
}

pub fn missing(first: u64, end: u64) -> Missing {
    Missing {
        channel: CHANNEL,
        unit: 0,
        session: SESSION,
        span: SeqSpan::between(first, end),
    }
}

/// Messages that are all there from the beginning.
#[derive(Clone, Debug)]
pub struct Source {
    pub session: [u8; 10],
    pub first: u64,
    pub messages: Arc<Vec<Vec<u8>>>,
    /// No more will come.
    pub over: bool,
}

impl Source {
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }
}

impl SoupSource for Source {
    fn login(&mut self, request: &LoginRequest, _: u64) -> Result<([u8; 10], u64), u8> {
        assert_eq!(
            (&request.username, &request.password),
            (b"USER  ", b"SECRET    ")
        );
        let asked = number(&request.requested_sequence).expect("a number");
        Ok((self.session, asked.clamp(self.first, self.end())))
    }

    fn messages(&self, from: u64, _: u64, visit: &mut dyn FnMut(&[u8]) -> bool) {
        let skip = from
            .checked_sub(self.first)
            .map_or(usize::MAX, |skip| skip as usize);
        self.messages
            .iter()
            .skip(skip)
            .all(|message| visit(message));
    }

    fn is_over(&self, from: u64, _: u64) -> bool {
        self.over && from >= self.end()
    }
}

/// What becomes of a connection to a server.
#[derive(Clone, Debug)]
pub enum Way {
    /// It is refused.
    Refused,
    /// Nobody answers.
    Deaf,
    /// It is made.
    Made(Source, SoupFaults),
}

/// What a recovery handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    Packet(Vec<u8>),
    Failed(Missing),
    Begins,
    Message(Vec<u8>),
    Ends(u64),
    NoSnapshot,
}

/// The lane's end. Handing more than there is room for fails the test.
#[derive(Debug)]
pub struct Lane {
    pub room: usize,
    pub got: Vec<Got>,
}

impl RecoverySink for Lane {
    fn has_room(&self, n: usize) -> bool {
        self.room >= n
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert_eq!(channel, CHANNEL);
        assert!(self.room > 0, "no room for {what:?}");
        self.room -= 1;
        self.got.push(match what {
            Handed::Packet(bytes) => Got::Packet(bytes.to_vec()),
            Handed::Failed(missing) => Got::Failed(missing),
            Handed::SnapshotBegins => Got::Begins,
            Handed::SnapshotMessage(bytes) => Got::Message(bytes.to_vec()),
            Handed::SnapshotEnds {
                session,
                unit,
                next,
            } => {
                assert_eq!((session, unit), (None, 0));
                Got::Ends(next)
            }
            Handed::SnapshotFailed => Got::NoSnapshot,
            other => panic!("of a loop: {other:?}"),
        });
    }
}

enum Done {
    Send(usize, Vec<u8>),
    Open(usize),
    Close(usize),
}

#[derive(Default)]
struct Asked(Vec<Done>);

impl Net for Asked {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        self.0.push(Done::Send(server, bytes.to_vec()));
    }

    fn open(&mut self, server: usize) {
        self.0.push(Done::Open(server));
    }

    fn close(&mut self, server: usize) {
        self.0.push(Done::Close(server));
    }
}

/// The servers' end of a connection.
enum End {
    None,
    /// Made or refused at a time.
    Opening(u64, Option<SoupConnection>),
    Open(SoupConnection),
}

struct Server {
    /// What becomes of the connections, again and again.
    ways: Vec<Way>,
    end: End,
    asked: usize,
}

/// All of it.
pub struct World<R> {
    pub recovery: R,
    pub lane: Lane,
    pub now: u64,
    /// Logouts so far.
    pub logouts: u64,
    servers: Vec<Server>,
    asked: Asked,
    rng: Rng,
    /// Most bytes that come at once.
    pub piece: u64,
    /// Most things the lane takes before a step.
    pub most: u64,
}

impl<R: Recovery> World<R> {
    /// A world with these servers; the seed decides how bytes are cut and how much room the lane has.
    pub fn new(recovery: R, ways: Vec<Vec<Way>>, seed: u64) -> World<R> {
        let servers = ways.into_iter().map(|ways| Server {
            ways,
            end: End::None,
            asked: 0,
        });
        World {
            recovery,
            lane: Lane {
                room: usize::MAX,
                got: Vec::new(),
            },
            now: 0,
            logouts: 0,
            servers: servers.collect(),
            asked: Asked::default(),
            rng: Rng::new(seed),
            piece: 4_000,
            most: 1_000,
        }
    }

    pub fn wish(&mut self, wish: Wish) {
        self.lane.room = usize::MAX;
        self.recovery.wish(wish, self.now, &mut self.lane);
    }

    /// Until nothing is open any more.
    pub fn run(&mut self) {
        for _ in 0..2_000_000 {
            if !self.step() {
                return;
            }
        }
        panic!("it never ends");
    }

    /// Until a time.
    pub fn run_to(&mut self, time: u64) {
        while self.now < time {
            self.step();
        }
    }

    /// One call of everything there is; false when nothing is open.
    pub fn step(&mut self) -> bool {
        self.lane.room = self.rng.below(self.most + 1) as usize;
        let (net, lane) = (&mut self.asked, &mut self.lane);
        let due = self.recovery.poll(self.now, net, lane);
        self.act();
        let mut next = due.unwrap_or(u64::MAX);
        for server in 0..self.servers.len() {
            next = next.min(self.serve(server));
        }
        let soonest = self.now + MILLISECOND / 100;
        let latest = match due {
            Some(_) => self.now + SECOND,
            None => self.now + MILLISECOND,
        };
        self.now = next.clamp(soonest, latest);
        due.is_some()
    }

    /// What comes from a server. When it has more to say.
    fn serve(&mut self, server: usize) -> u64 {
        match std::mem::replace(&mut self.servers[server].end, End::None) {
            End::None => u64::MAX,
            End::Opening(at, connection) if at > self.now => {
                self.servers[server].end = End::Opening(at, connection);
                at
            }
            End::Opening(_, None) => {
                self.heard(server, Heard::Closed);
                self.now
            }
            End::Opening(_, Some(connection)) => {
                self.servers[server].end = End::Open(connection);
                self.heard(server, Heard::Opened);
                self.now
            }
            End::Open(mut connection) => {
                let piece = 1 + self.rng.below(self.piece) as usize;
                let room = self.recovery.room(server).min(piece);
                let mut bytes = Vec::new();
                let next = connection.poll(self.now, room, &mut bytes);
                assert!(bytes.len() <= room);
                self.servers[server].end = End::Open(connection);
                let heard = !bytes.is_empty();
                if heard {
                    self.heard(server, Heard::Bytes(&bytes));
                }
                match next {
                    SoupNext::At(_) if heard => self.now,
                    SoupNext::At(_) if room == 0 => u64::MAX,
                    SoupNext::At(at) => at,
                    SoupNext::Close => {
                        let open = matches!(self.servers[server].end, End::Open(_));
                        if open {
                            self.servers[server].end = End::None;
                            self.heard(server, Heard::Closed);
                        }
                        self.now
                    }
                }
            }
        }
    }

    pub fn heard(&mut self, server: usize, heard: Heard<'_>) {
        let (net, lane) = (&mut self.asked, &mut self.lane);
        self.recovery.heard(server, heard, self.now, net, lane);
        self.act();
    }

    fn act(&mut self) {
        for done in std::mem::take(&mut self.asked.0) {
            match done {
                Done::Open(i) => {
                    let server = &mut self.servers[i];
                    assert!(matches!(server.end, End::None), "one connection at a time");
                    let way = server.ways[server.asked % server.ways.len()].clone();
                    server.asked += 1;
                    server.end = match way {
                        Way::Refused => End::Opening(self.now + WAY, None),
                        Way::Deaf => End::Opening(u64::MAX, None),
                        Way::Made(source, faults) => {
                            let source = Box::new(source);
                            let connection = SoupConnection::new(source, faults, self.now);
                            End::Opening(self.now + WAY, Some(connection))
                        }
                    };
                }
                Done::Send(i, bytes) => {
                    let End::Open(connection) = &mut self.servers[i].end else {
                        panic!("nobody to send to");
                    };
                    self.logouts += u64::from(bytes == *b"\0\x01O");
                    connection.heard(&bytes, self.now);
                }
                Done::Close(i) => {
                    let end = std::mem::replace(&mut self.servers[i].end, End::None);
                    assert!(!matches!(end, End::None), "nothing to close");
                }
            }
        }
    }

    pub fn count(&self, name: &str) -> u64 {
        let counters: BTreeMap<_, _> = self.recovery.counters().into_iter().collect();
        counters[name]
    }
}
