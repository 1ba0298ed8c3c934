//! The control thread: the client of a channel's recovery, in virtual time.

use crate::network::{Network, Said};
use crate::play::Play;
use crate::scenario::{Asking, Scenario, Service};
use crossbeam_channel::{Receiver, bounded};
use feed_handler::pipeline::{Join, Loop, Rescue};
use feed_handler::recovery::{
    Glimpse, GlimpseSettings, Handed, Heard, LoopSettings, Mdp3Loops, Missing, MoldRequests,
    PillarRequests, PillarSettings, PillarTimes, Recovery, RecoverySink, ReplaySettings,
    RequestLimits, SoupReplay, SoupServers, SoupTimes, SoupUser, Wish,
};
use feed_handler::transport::Session;
use feed_replay::exchange::{HistoryError, PillarLimits};
use std::collections::VecDeque;

/// What is on its way to the lane: what a recovery hands, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A packet of the channel.
    Packet(Vec<u8>),
    /// Messages that cannot be had.
    Failed(Missing),
    /// A snapshot begins.
    SnapshotBegins,
    /// A message of it.
    SnapshotMessage(Vec<u8>),
    /// It is whole: session, unit, and the first number that is not in it.
    SnapshotEnds(Option<Session>, u8, u64),
    /// It cannot be had.
    SnapshotFailed,
    /// A loop begins, of orders or of levels.
    LoopBegins(bool),
    /// A snapshot of an instrument.
    Refresh(Vec<u8>),
    /// A loop was whole, and the number that it is as of.
    LoopEnds(bool, u64),
}

impl Parcel {
    fn of(what: Handed<'_>) -> Parcel {
        match what {
            Handed::Packet(bytes) => Parcel::Packet(bytes.to_vec()),
            Handed::Failed(missing) => Parcel::Failed(missing),
            Handed::SnapshotBegins => Parcel::SnapshotBegins,
            Handed::SnapshotMessage(bytes) => Parcel::SnapshotMessage(bytes.to_vec()),
            Handed::SnapshotEnds {
                session,
                unit,
                next,
            } => Parcel::SnapshotEnds(session, unit, next),
            Handed::SnapshotFailed => Parcel::SnapshotFailed,
            Handed::LoopBegins { orders } => Parcel::LoopBegins(orders),
            Handed::Refresh(bytes) => Parcel::Refresh(bytes.to_vec()),
            Handed::LoopEnds { orders, as_of } => Parcel::LoopEnds(orders, as_of),
        }
    }

    /// As it was handed.
    pub fn handed(&self) -> Handed<'_> {
        match *self {
            Parcel::Packet(ref bytes) => Handed::Packet(bytes),
            Parcel::Failed(missing) => Handed::Failed(missing),
            Parcel::SnapshotBegins => Handed::SnapshotBegins,
            Parcel::SnapshotMessage(ref bytes) => Handed::SnapshotMessage(bytes),
            Parcel::SnapshotEnds(session, unit, next) => Handed::SnapshotEnds {
                session,
                unit,
                next,
            },
            Parcel::SnapshotFailed => Handed::SnapshotFailed,
            Parcel::LoopBegins(orders) => Handed::LoopBegins { orders },
            Parcel::Refresh(ref bytes) => Handed::Refresh(bytes),
            Parcel::LoopEnds(orders, as_of) => Handed::LoopEnds { orders, as_of },
        }
    }
}

/// The control thread's part of a scenario.
pub struct Control {
    client: Box<dyn Recovery>,
    wishes: Receiver<Wish>,
    network: Network,
    /// Things got back that the lane has not taken.
    pub outbox: Outbox,
    every: u64,
    /// When it looks next.
    pub next: u64,
    /// The client waits for something, or something is on its way.
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

/// What is due later than so many nanoseconds is the silence of a connection that nothing is wanted of.
const SOON_NS: u64 = 30_000_000_000;

/// Pieces taken off the network in one go, at most.
const PIECES: usize = 256;

impl Control {
    /// The control thread, and what the lane is given to reach it.
    pub fn new(
        asking: &Asking,
        play: &Play,
        scenario: &Scenario,
    ) -> Result<(Control, Rescue), HistoryError> {
        let (sender, wishes) = bounded(asking.wishes);
        let service = asking.service;
        let rescue = Rescue {
            wishes: sender,
            messages: service.brings_messages(),
            limit_nanos: asking.limit,
            snapshot_nanos: (service == Service::Glimpse).then_some(asking.limit),
            refresh: (service == Service::Mdp3).then(|| Loop {
                orders: asking.loops.iter().any(|feed| feed.orders),
            }),
            join: match (asking.start, service) {
                (false, _) | (_, Service::Mdp3) => Join::Live,
                (true, Service::Glimpse) => Join::Snapshot,
                (true, _) => Join::Start,
            },
        };
        let control = Control {
            client: client(asking),
            wishes,
            network: Network::new(asking, play, scenario)?,
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
        let Control {
            client,
            network,
            outbox,
            ..
        } = self;
        network.turn_to(now);
        for wish in self.wishes.try_iter() {
            client.wish(wish, now, outbox);
        }
        for _ in 0..PIECES {
            let Some((server, said)) = network.next(&|server| client.room(server)) else {
                break;
            };
            let heard = match &said {
                Said::Opened => Heard::Opened,
                Said::Bytes(bytes) => Heard::Bytes(bytes),
                Said::Closed => Heard::Closed,
            };
            client.heard(server, heard, now, network, outbox);
        }
        let due = client.poll(now, network, outbox);
        self.busy = due.is_some_and(|due| due < now + SOON_NS) || network.is_busy();
        self.next = now + self.every;
    }

    /// Nothing will come of it any more, unless the lane wishes for something.
    pub fn is_idle(&self) -> bool {
        self.wishes.is_empty() && !self.busy && self.outbox.waiting.is_empty()
    }

    /// Counts of the client, by name.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.client.counters()
    }
}

/// The client of a service.
fn client(asking: &Asking) -> Box<dyn Recovery> {
    let servers = asking.servers.len();
    match asking.service {
        Service::MoldUdp64 => Box::new(MoldRequests::new(
            servers,
            RequestLimits {
                attempts: asking.attempts,
                answer_nanos: asking.answer,
                messages: asking.ask,
                in_flight: asking.flight,
                open: 4_096,
            },
        )),
        Service::Pillar => {
            let PillarLimits {
                product_id,
                channel_id,
                ..
            } = PillarLimits::default();
            let usual = PillarSettings::new(servers, *b"ACME01\0\0\0\0", product_id, channel_id);
            Box::new(PillarRequests::new(PillarSettings {
                messages: u32::from(asking.ask).clamp(1, usual.messages),
                attempts: asking.attempts,
                answer: asking.answer,
                wishes: asking.wishes,
                times: PillarTimes {
                    retry: asking.answer / 8,
                    retry_most: asking.answer,
                    ..PillarTimes::default()
                },
                ..usual
            }))
        }
        Service::SoupBinTcp => Box::new(SoupReplay::new(
            soup_servers(asking),
            ReplaySettings {
                wishes: asking.wishes,
                skip: asking.ask.into(),
                payload: asking.payload,
            },
        )),
        Service::Glimpse => Box::new(Glimpse::new(
            soup_servers(asking),
            GlimpseSettings {
                messages: 100_000,
                again: asking.answer / 2,
                ..GlimpseSettings::default()
            },
        )),
        Service::Mdp3 => Box::new(Mdp3Loops::new(
            asking.loops.len(),
            LoopSettings {
                levels: asking.loops.iter().filter(|feed| !feed.orders).count(),
                message_bytes: 1_500,
                again: 1_000_000,
            },
        )),
    }
}

fn soup_servers(asking: &Asking) -> SoupServers {
    let user = SoupUser {
        name: *b"USER  ",
        password: *b"SECRET    ",
    };
    SoupServers {
        times: SoupTimes {
            login: asking.answer,
            silence: 4 * asking.answer,
            ..SoupTimes::default()
        },
        attempts: asking.attempts,
        retry: asking.answer / 8,
        progress: 2 * asking.answer,
        ..SoupServers::new(asking.servers.len(), user)
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
        match self.has_room(1) {
            true => self.waiting.push_back(Parcel::of(what)),
            false => self.refused += 1,
        }
    }
}
