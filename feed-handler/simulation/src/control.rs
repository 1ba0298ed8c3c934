//! The control thread and what it talks to: the client of a channel's re-request servers, the servers, and the network
//! between them, in virtual time.

use crate::play::Play;
use crate::scenario::Asking;
use crossbeam_channel::{Receiver, bounded};
use feed_common::wire::moldudp64::Request;
use feed_handler::pipeline::{Join, Rescue};
use feed_handler::recovery::{
    Handed, Heard, Missing, MoldRequests, Net, Recovery, RecoverySink, RequestLimits, Wish,
};
use feed_handler::transport::Session;
use feed_replay::exchange::{
    DatagramServer, History, HistoryError, Limits, MoldServer, Numbering, Shape,
};
use feed_replay::schedule::Speed;
use feed_replay::synth::rng::splitmix64;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use zerocopy::FromBytes;

/// How long a datagram takes between handler and server.
const WAY_NS: u64 = 40_000;

/// What is on its way to the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A packet of the channel.
    Packet(Vec<u8>),
    /// Messages that cannot be had.
    Failed(Missing),
}

/// The control thread's part of a scenario.
pub struct Control {
    client: MoldRequests,
    wishes: Receiver<Wish>,
    network: Network,
    /// Things got back that the lane has not taken.
    pub outbox: Outbox,
    every: u64,
    /// When it looks next.
    pub next: u64,
    /// The client waits for something.
    busy: bool,
}

/// What waits for the lane.
#[derive(Debug)]
pub struct Outbox {
    waiting: VecDeque<Parcel>,
    room: usize,
    /// What found no room.
    pub refused: u64,
}

/// The servers and what they have sent.
struct Network {
    /// Of each server, the sessions it knows: when they begin, and what they are called.
    servers: Vec<Vec<(u64, Session, MoldServer)>>,
    /// On their way back.
    answers: BinaryHeap<Reverse<Answer>>,
    sent: u64,
    now: u64,
}

/// When it arrives, in which order it was sent, from whom, and what.
type Answer = (u64, u64, usize, Vec<u8>);

impl Control {
    /// The control thread, and what the lane is given to reach it.
    pub fn new(asking: &Asking, play: &Play, seed: u64) -> Result<(Control, Rescue), HistoryError> {
        let (sender, wishes) = bounded(asking.wishes);
        let rescue = Rescue {
            wishes: sender,
            messages: true,
            limit_nanos: asking.limit,
            snapshot_nanos: None,
            refresh: None,
            join: if asking.start {
                Join::Start
            } else {
                Join::Live
            },
        };
        let limits = RequestLimits {
            attempts: asking.attempts,
            answer_nanos: asking.answer,
            messages: asking.ask,
            in_flight: asking.flight,
            open: 4_096,
        };
        let control = Control {
            client: MoldRequests::new(asking.servers.len(), limits),
            wishes,
            network: Network::new(asking, play, seed)?,
            outbox: Outbox {
                waiting: VecDeque::new(),
                room: asking.room,
                refused: 0,
            },
            every: asking.poll,
            next: 0,
            busy: false,
        };
        Ok((control, rescue))
    }

    /// Does what is to be done at `now`.
    pub fn poll(&mut self, now: u64) {
        self.network.now = now;
        for wish in self.wishes.try_iter() {
            self.client.wish(wish, now, &mut self.outbox);
        }
        while let Some((server, bytes)) = self.network.arrived(now) {
            let heard = Heard::Bytes(&bytes);
            self.client
                .heard(server, heard, now, &mut self.network, &mut self.outbox);
        }
        let due = self.client.poll(now, &mut self.network, &mut self.outbox);
        self.busy = due.is_some();
        self.next = now + self.every;
    }

    /// Nothing will come of it any more, unless the lane wishes for something.
    pub fn is_idle(&self) -> bool {
        let quiet = self.wishes.is_empty() && self.network.answers.is_empty();
        quiet && !self.busy && self.outbox.waiting.is_empty()
    }

    /// Counts of the client, by name.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.client.counters()
    }
}

impl Outbox {
    /// Takes the first thing out.
    pub fn take(&mut self) -> Option<Parcel> {
        self.waiting.pop_front()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl RecoverySink for Outbox {
    fn has_room(&self, n: usize) -> bool {
        self.waiting.len() + n <= self.room
    }

    fn hand(&mut self, _: u16, what: Handed<'_>) {
        let parcel = match what {
            Handed::Packet(bytes) => Parcel::Packet(bytes.to_vec()),
            Handed::Failed(missing) => Parcel::Failed(missing),
            other => unreachable!("no snapshot was wished for: {other:?}"),
        };
        match self.has_room(1) {
            true => self.waiting.push_back(parcel),
            false => self.refused += 1,
        }
    }
}

impl Network {
    fn new(asking: &Asking, play: &Play, seed: u64) -> Result<Network, HistoryError> {
        let mut sessions = Vec::new();
        for epoch in &play.epochs {
            let shape = Shape {
                lead: epoch.start,
                speed: Speed::Max,
                ..Shape::default()
            };
            let history = History::of(&epoch.recording, Numbering::MoldUdp64, &shape)?;
            sessions.push((epoch.start, epoch.session, Arc::new(history)));
        }
        let servers = asking.servers.iter().enumerate().map(|(i, faults)| {
            let server = |(e, (at, session, history)): (usize, &(u64, Session, Arc<History>))| {
                let seed = splitmix64(seed ^ splitmix64((i * 64 + e + 1) as u64));
                let limits = Limits {
                    payload: asking.payload,
                    ..Limits::default()
                };
                let server = MoldServer::new(history.clone(), limits, faults, seed);
                (*at, *session, server)
            };
            sessions.iter().enumerate().map(server).collect()
        });
        Ok(Network {
            servers: servers.collect(),
            answers: BinaryHeap::new(),
            sent: 0,
            now: 0,
        })
    }

    fn arrived(&mut self, now: u64) -> Option<(usize, Vec<u8>)> {
        let Reverse((at, ..)) = self.answers.peek()?;
        if *at > now {
            return None;
        }
        let Reverse((_, _, server, bytes)) = self.answers.pop()?;
        Some((server, bytes))
    }
}

impl Net for Network {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        let at = self.now + WAY_NS;
        let asked = Request::read_from_bytes(bytes).map(|request| request.session);
        let sessions = &mut self.servers[server];
        let of = |(begun, session, _): &(u64, Session, MoldServer)| {
            *begun <= at && asked.as_ref().is_ok_and(|asked| asked == session)
        };
        // Whoever knows nothing of it counts it.
        let place = sessions.iter().position(of).unwrap_or(0);
        let (answers, sent) = (&mut self.answers, &mut self.sent);
        sessions[place].2.answer(bytes, at, &mut |leaves, packet| {
            *sent += 1;
            answers.push(Reverse((leaves + WAY_NS, *sent, server, packet.to_vec())));
        });
    }

    fn open(&mut self, _: usize) {}

    fn close(&mut self, _: usize) {}
}
