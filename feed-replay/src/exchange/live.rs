//! The exchange on real sockets: the virtual one, played to the clock.

use super::downstream::{Downstream, Played};
use super::history::{History, HistoryError, Numbering};
use super::mdp3_loop::{Looped, SnapshotLoop};
use super::moldudp64::MoldServer;
use super::pillar::PillarServer;
use super::plan::{LinePlan, LoopPlan, Plan, ServerPlan, Service, Source};
use super::server::ServerCounts;
use super::soup_server::SoupServer;
use super::tcp::TcpServer;
use super::udp::{SocketCounts, UdpServer};
use crate::fault::{Account, Delivery};
use crate::schedule::{Speed, Wait};
use crate::send::{
    self, Interface, Outgoing, SendError, SendReport, Sender, SenderOptions, replay,
};
use crate::synth::rng::splitmix64;
use crate::synth::{GenerateError, Recording};
use crate::sys::BATCH;
use feed_common::capture::{CaptureFile, OpenError};
use feed_common::ring::{Pool, RingError};
use feed_common::wire::Fit;
use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// An exchange whose sockets are open.
pub struct Exchange {
    downstream: Downstream,
    /// Their senders are behind those of the lines.
    loops: Vec<SnapshotLoop>,
    senders: Vec<Sender>,
    servers: Vec<Listening>,
    /// For the packets that are ready to be sent, so that nothing is allocated between two that are due.
    payloads: Pool,
}

/// Bytes of such a packet, on a network whose frames have 1500; a longer one is allocated.
const PAYLOAD: usize = 2048;

/// A server on its socket.
enum Listening {
    Datagrams(UdpServer),
    Connections(TcpServer),
}

impl Listening {
    fn address(&self) -> SocketAddrV4 {
        match self {
            Listening::Datagrams(server) => server.address(),
            Listening::Connections(server) => server.address(),
        }
    }

    fn serve(&mut self, start: Instant, over: &AtomicBool) {
        match self {
            Listening::Datagrams(server) => server.serve(start, over),
            Listening::Connections(server) => server.serve(start, over),
        }
    }

    fn report(&self) -> ServerReport {
        let (answers, socket) = match self {
            Listening::Datagrams(server) => server.counts(),
            Listening::Connections(server) => server.counts(),
        };
        ServerReport {
            address: self.address(),
            answers,
            socket,
        }
    }
}

/// Why an exchange cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The capture.
    #[error(transparent)]
    Capture(#[from] OpenError),
    /// The session cannot be made.
    #[error(transparent)]
    Made(#[from] GenerateError),
    /// There is no memory for its packets.
    #[error(transparent)]
    Memory(#[from] RingError),
    /// The session cannot be played.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// It would go on for longer than anybody wants.
    #[error("the session and its grace take {0} s: longer than the {max} s that an exchange runs", max = Exchange::LONGEST_NS / 1_000_000_000)]
    TooLong(u64),
    /// A line.
    #[error("line {name}: {reason}")]
    Line {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: send::OpenError,
    },
    /// Servers are for sessions in MoldUDP64, or in Pillar.
    #[error("server {name}: the session is not in {framing}")]
    OtherFraming {
        /// Its name.
        name: String,
        /// What it is a server for.
        framing: &'static str,
    },
    /// Where a server's answers go.
    #[error("server {name}: {reason}")]
    Group {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: send::OpenError,
    },
    /// Snapshots are of the books of MDP 3.0.
    #[error("loop {0}: the session is not in MDP 3.0")]
    NoLoops(String),
    /// An address that anybody could reach, or nobody.
    #[error(
        "server {name}: {address} is in 127.0.0.0/8 or needs an interface, and is of one machine"
    )]
    Address {
        /// Its name.
        name: String,
        /// Its address.
        address: SocketAddrV4,
    },
    /// A server's socket.
    #[error("server {name} on {address}: {reason}")]
    Socket {
        /// Its name.
        name: String,
        /// Its address.
        address: SocketAddrV4,
        /// What the system said.
        reason: io::Error,
    },
}

/// What an exchange did.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was sent on every line before its faults.
    pub played: Played,
    /// What became of it there. Where the exchange was stopped, what was about to be sent is in it too.
    pub account: Account,
    /// What the sockets of the lines did.
    pub sent: SendReport,
    /// What the feeds of snapshots did, in the order of the plan.
    pub loops: Vec<LoopReport>,
    /// What the servers did, in the order of the plan.
    pub servers: Vec<ServerReport>,
    /// Packets for which memory was allocated while it played: more were ready than the sender holds, or one was longer
    /// than a frame of a usual network.
    pub allocated: u64,
    /// From the start to the end, in nanoseconds.
    pub duration: u64,
    /// True when it was stopped before its end.
    pub stopped: bool,
}

/// What a feed of snapshots did.
#[derive(Clone, Debug)]
pub struct LoopReport {
    /// What was sent before its faults.
    pub played: Looped,
    /// What became of it.
    pub account: Account,
}

/// What a server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// Where it listened.
    pub address: SocketAddrV4,
    /// Its requests and answers.
    pub answers: ServerCounts,
    /// What became of the answers.
    pub socket: SocketCounts,
}

impl Plan {
    /// Makes or reads the session.
    pub fn history(&self) -> Result<History, ExchangeError> {
        Ok(match &self.source {
            Source::Made(spec) => {
                let (session, _) = Recording::of(spec)?;
                History::of(&session, Numbering::of(spec.protocol.name()), &self.shape)?
            }
            Source::Capture { path, group } => {
                let file = CaptureFile::open(path)?;
                History::captured(&file, *group, None, &self.shape)?
            }
        })
    }
}

impl Exchange {
    /// Longest time that an exchange runs: a day and an hour.
    pub const LONGEST_NS: u64 = 25 * 3_600_000_000_000;

    /// Makes or reads the session and opens all sockets.
    pub fn open(plan: &Plan) -> Result<Exchange, ExchangeError> {
        Exchange::of(Arc::new(plan.history()?), plan)
    }

    /// Opens all sockets for a session that is there already; the plan's source is not looked at.
    pub fn of(history: Arc<History>, plan: &Plan) -> Result<Exchange, ExchangeError> {
        let lines = plan.lines.iter();
        let lines = lines.chain(plan.loops.iter().map(|plan| &plan.line));
        let senders = lines.map(open_line);
        let senders = senders.collect::<Result<_, _>>()?;
        let servers = plan.servers.iter().enumerate();
        let servers = servers.map(|(i, server)| {
            let seed = splitmix64(plan.seed ^ splitmix64(0x7365_7276_6572 + i as u64));
            open_server(server, &history, seed)
        });
        let servers = servers.collect::<Result<_, _>>()?;
        let faults: Vec<_> = plan.lines.iter().map(|line| line.faults.clone()).collect();
        let downstream = Downstream::new(history, &faults, plan.seed, plan.timing);
        let loops = plan.loops.iter().enumerate();
        let loops = loops.map(|(i, each)| {
            let seed = splitmix64(plan.seed ^ splitmix64(0x6c6f_6f70 + i as u64));
            open_loop(each, &downstream, seed)
        });
        let loops = loops.collect::<Result<_, _>>()?;
        if downstream.end() > Self::LONGEST_NS {
            return Err(ExchangeError::TooLong(downstream.end() / 1_000_000_000));
        }
        Ok(Exchange {
            downstream,
            loops,
            senders,
            servers,
            // A full window of the sender's, and the packet that is about to come into it.
            payloads: Pool::new(BATCH + 1, PAYLOAD)?,
        })
    }

    /// Where the servers listen, in the order of the plan.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddrV4> {
        self.servers.iter().map(Listening::address)
    }

    /// The session.
    pub fn history(&self) -> &Arc<History> {
        self.downstream.history()
    }

    /// How long it will run, in nanoseconds.
    pub fn length(&self) -> u64 {
        self.downstream.end()
    }

    /// Plays the session and answers requests until the grace is over, or soon after `stop` was set.
    pub fn run(mut self, stop: &AtomicBool) -> Result<Report, SendError> {
        let (start, over) = (Instant::now(), AtomicBool::new(false));
        let (downstream, loops) = (&mut self.downstream, &mut self.loops);
        let payloads = &self.payloads;
        let lines = downstream.account().lines();
        let (sent, stopped) = std::thread::scope(|scope| {
            // However this ends, the servers do too, and the scope with them.
            let _over = Over(&over);
            for server in &mut self.servers {
                scope.spawn(|| server.serve(start, &over));
            }
            let packets = std::iter::from_fn(|| {
                let out = |packet: Delivery<'_>, first: usize| {
                    let mut payload = payloads.get();
                    payload.extend_from_slice(packet.payload);
                    Outgoing {
                        offset: packet.at,
                        line: first + packet.line,
                        payload,
                    }
                };
                let dues = loops.iter_mut().enumerate();
                let first = dues.filter_map(|(i, each)| Some((each.due()?, i))).min();
                match (downstream.due(), first) {
                    (due, Some((at, i))) if due.is_none_or(|due| at < due) => {
                        loops[i].next(at).map(|packet| out(packet, lines + i))
                    }
                    (due, _) => downstream.next(due?).map(|packet| out(packet, 0)),
                }
            });
            let sent = replay(packets, &self.senders, Speed::ORIGINAL, stop)?;
            let stopped = sent.stopped || !wait(start, downstream.end(), stop);
            Ok((sent, stopped))
        })?;
        Ok(Report {
            played: self.downstream.played(),
            account: self.downstream.account().clone(),
            sent,
            loops: self
                .loops
                .iter()
                .map(|each| LoopReport {
                    played: each.played(),
                    account: each.account().clone(),
                })
                .collect(),
            servers: self.servers.iter().map(Listening::report).collect(),
            allocated: self.payloads.misses() + self.payloads.regrown(),
            duration: u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX),
            stopped,
        })
    }
}

/// Returns at `end` after the start (true), or soon after `stop` was set (false).
fn wait(start: Instant, end: u64, stop: &AtomicBool) -> bool {
    let end = start + Duration::from_nanos(end);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(left.min(Duration::from_nanos(Wait::SLEEP_MAX_NS)));
    }
}

/// Sets the flag when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn open_line(line: &LinePlan) -> Result<Sender, ExchangeError> {
    let open = || {
        Sender::open(
            line.target,
            &Interface::named(&line.interface)?,
            line.options,
        )
    };
    open().map_err(|reason| ExchangeError::Line {
        name: line.name.clone(),
        reason,
    })
}

fn open_loop(
    plan: &LoopPlan,
    downstream: &Downstream,
    seed: u64,
) -> Result<SnapshotLoop, ExchangeError> {
    let history = Arc::clone(downstream.history());
    let packet = history.packet(0).map(|packet| packet.payload);
    if history.numbering() != Numbering::Counted
        || packet.is_none_or(|packet| feed_common::wire::mdp3::fit(packet) != Fit::Yes)
    {
        return Err(ExchangeError::NoLoops(plan.line.name.clone()));
    }
    let faults = &plan.line.faults;
    Ok(SnapshotLoop::new(
        history,
        faults,
        seed,
        plan.timing,
        downstream.end(),
    ))
}

fn open_server(
    plan: &ServerPlan,
    history: &Arc<History>,
    seed: u64,
) -> Result<Listening, ExchangeError> {
    let (name, address) = (plan.name.clone(), plan.address);
    let ip = address.ip();
    let one = !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast());
    if !one || !(ip.is_loopback() || plan.interface.is_some()) {
        return Err(ExchangeError::Address { name, address });
    }
    let (needs, framing) = match plan.service {
        Service::Pillar { .. } => (Numbering::Pillar, "Pillar"),
        _ => (Numbering::MoldUdp64, "MoldUDP64"),
    };
    if history.numbering() != needs {
        return Err(ExchangeError::OtherFraming { name, framing });
    }
    let (history, faults) = (Arc::clone(history), &plan.faults);
    let interface = plan.interface.as_deref();
    let connections = |server| TcpServer::bind(address, interface, Box::new(server));
    let bound = match plan.service {
        Service::MoldUdp64(limits) => {
            let server = Box::new(MoldServer::new(history, limits, faults, seed));
            UdpServer::bind(address, interface, server).map(Listening::Datagrams)
        }
        Service::SoupBinTcp => {
            connections(SoupServer::replay(history, faults, seed)).map(Listening::Connections)
        }
        Service::Glimpse => {
            connections(SoupServer::snapshots(history, faults, seed)).map(Listening::Connections)
        }
        Service::Pillar { limits, group } => {
            // A group is reached through an interface, also where the server needs none.
            let open = || {
                let interface = Interface::named(interface.unwrap_or("lo"))?;
                Sender::open(group, &interface, SenderOptions::default())
            };
            let sender = open().map_err(|reason| ExchangeError::Group {
                name: name.clone(),
                reason,
            })?;
            let server = PillarServer::new(history, limits, faults, seed);
            let bound = TcpServer::bind(address, interface, Box::new(server));
            bound.map(|server| Listening::Connections(server.with_group(sender)))
        }
    };
    bound.map_err(|reason| ExchangeError::Socket {
        name,
        address,
        reason,
    })
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
