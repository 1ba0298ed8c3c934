//! The control thread that gets back what the lanes' lines lost: it takes their wishes, speaks to the servers, and hands
//! over what they give.

use super::start::StartError;
use crate::config::{ChannelPlan, LanePlan, ServiceKind, ServicePlan};
use crate::net::{LineAddress, Servers};
use crate::pipeline::{Join, Loop, Rescue};
use crate::recovery::{
    Courier, Glimpse, GlimpseSettings, LoopSettings, Mdp3Loops, MoldRequests, Recovery,
    ReplaySettings, RequestLimits, SoupReplay, SoupServers, SoupTimes, SoupUser, Wish, courier,
};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use feed_common::ring::Consumer;
use feed_common::time::Clock;
use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How often wishes are looked for. Lanes cannot wake a thread without a system call, and this one must not spin.
const LOOK: Duration = Duration::from_micros(250);

/// After so long a group that could not be joined is tried again.
const REJOIN_NANOS: u64 = 1_000_000_000;

/// Wishes of a lane that can wait to be looked at.
const WISHES: usize = 4_096;

/// What recovery did for a channel: its counters by name.
pub type RecoveryEnd = (String, Vec<(&'static str, u64)>);

/// A lane's side of recovery.
#[derive(Debug)]
pub(super) struct Link {
    /// By channel number.
    pub(super) rescues: Vec<(u16, Rescue)>,
    pub(super) delivery: Consumer,
}

/// The control thread, before it runs.
#[derive(Default)]
pub(super) struct Desk {
    lanes: Vec<Lane>,
    clients: Vec<Client>,
}

struct Lane {
    /// Number of its first channel, and how many it has.
    channels: std::ops::Range<u16>,
    /// `None` when the lane has ended.
    wishes: Option<Receiver<Wish>>,
    courier: Courier,
}

/// The client of one channel's service.
struct Client {
    channel: u16,
    name: String,
    lane: usize,
    /// It is asked for snapshots, and not for messages.
    snapshots: bool,
    recovery: Box<dyn Recovery>,
    servers: Servers,
}

impl Desk {
    /// Takes up what a lane's channels, numbered from `first`, can ask for; `None` when they have nobody to ask.
    pub(super) fn lane(
        &mut self,
        plan: &LanePlan,
        first: u16,
        clock: &Clock,
    ) -> Result<Option<Link>, StartError> {
        let has_service = |c: &&ChannelPlan| c.recovery.is_some() || c.snapshot.is_some();
        if plan.channels.iter().find(has_service).is_none() {
            return Ok(None);
        }
        let (sender, wishes) = bounded(WISHES);
        let (courier, delivery) = courier(plan.slot_bytes, clock.clone())?;
        let lane = self.lanes.len();
        let mut rescues = Vec::new();
        for (number, channel) in (first..).zip(&plan.channels) {
            let services = [(&channel.recovery, false), (&channel.snapshot, true)];
            for (service, snapshots) in services {
                if let Some(service) = service {
                    let (recovery, servers) = client(service, plan.slot_bytes)?;
                    self.clients.push(Client {
                        channel: number,
                        name: channel.name.clone(),
                        lane,
                        snapshots,
                        recovery,
                        servers,
                    });
                }
            }
            if has_service(&channel) {
                rescues.push((number, rescue(channel, sender.clone())));
            }
        }
        self.lanes.push(Lane {
            channels: first..first + plan.channels.len() as u16,
            wishes: Some(wishes),
            courier,
        });
        Ok(Some(Link { rescues, delivery }))
    }

    /// Starts the thread, if there is anything for it to do. It ends when every lane has.
    pub(super) fn start(
        self,
        clock: Clock,
    ) -> Result<Option<JoinHandle<Vec<RecoveryEnd>>>, StartError> {
        if self.clients.is_empty() {
            return Ok(None);
        }
        let thread = Builder::new().name("recovery".into());
        let started = thread.spawn(move || self.run(&clock));
        let started = started.map_err(|source| StartError::Thread {
            lane: "recovery".into(),
            source,
        })?;
        Ok(Some(started))
    }

    fn run(mut self, clock: &Clock) -> Vec<RecoveryEnd> {
        let mut buffer = vec![0; Servers::BYTES];
        while self.lanes.iter().any(|lane| lane.wishes.is_some()) {
            let now = clock.scale().nanos(clock.now().0);
            self.take_wishes(now);
            let mut due = LOOK;
            for client in &mut self.clients {
                let courier = &mut self.lanes[client.lane].courier;
                client.listen(now, courier, &mut buffer);
                let next = client.recovery.poll(now, &mut client.servers, courier);
                if let Some(next) = next {
                    due = due.min(Duration::from_nanos(next.saturating_sub(now)));
                }
            }
            // What a client has no room for would end every wait at once. What cannot be waited for is looked at all the
            // same, a little later.
            let full = self.clients.iter().any(Client::is_full);
            let servers = self.clients.iter().map(|client| &client.servers);
            if full || Servers::wait(servers, due).is_err() {
                std::thread::sleep(due);
            }
        }
        let end = |client: &Client| (client.name.clone(), client.recovery.counters());
        self.clients.iter().map(end).collect()
    }

    fn take_wishes(&mut self, now: u64) {
        let Desk { lanes, clients } = self;
        for lane in lanes {
            loop {
                match lane.wishes.as_ref().map(Receiver::try_recv) {
                    None | Some(Err(TryRecvError::Empty)) => break,
                    Some(Err(TryRecvError::Disconnected)) => lane.wishes = None,
                    Some(Ok(wish)) => {
                        let (channel, snapshot) = match wish {
                            Wish::Messages(m) => (m.channel, Some(false)),
                            Wish::Snapshot(m) => (m.channel, Some(true)),
                            Wish::Settled(m) => (m.channel, None),
                        };
                        debug_assert!(lane.channels.contains(&channel));
                        let of = |c: &&mut Client| {
                            c.channel == channel && snapshot.is_none_or(|s| s == c.snapshots)
                        };
                        for client in clients.iter_mut().filter(of) {
                            client.recovery.wish(wish, now, &mut lane.courier);
                        }
                    }
                }
            }
        }
    }
}

impl Client {
    fn is_full(&self) -> bool {
        (0..self.servers.len()).any(|server| self.recovery.room(server) == 0)
    }

    fn listen(&mut self, now: u64, courier: &mut Courier, buffer: &mut [u8]) {
        let Client {
            recovery, servers, ..
        } = self;
        for server in 0..servers.len() {
            for _ in 0..Servers::PIECES {
                let room = recovery.room(server).min(buffer.len());
                if room == 0 {
                    break;
                }
                let Some(heard) = servers.hear(server, &mut buffer[..room]) else {
                    break;
                };
                recovery.heard(server, heard, now, servers, courier);
            }
        }
    }
}

fn rescue(channel: &ChannelPlan, wishes: Sender<Wish>) -> Rescue {
    let limit = |service: &ServicePlan| service.limit.as_nanos() as u64;
    let snapshot = channel.snapshot.as_ref();
    let repeats = snapshot.filter(|service| service.kind == ServiceKind::Mdp3);
    let asked = snapshot.filter(|service| service.kind != ServiceKind::Mdp3);
    Rescue {
        wishes,
        messages: channel.recovery.is_some(),
        limit_nanos: channel.recovery.as_ref().map_or(0, limit),
        snapshot_nanos: asked.map(limit),
        refresh: repeats.map(|service| Loop {
            orders: !service.orders.is_empty(),
        }),
        // A loop says what every instrument is: a late join waits for nothing.
        join: match repeats {
            Some(_) => Join::Live,
            None => channel.join,
        },
    }
}

/// The client of a service, which hands over packets and messages of `slot_bytes` at most, and what it speaks to.
fn client(
    service: &ServicePlan,
    slot_bytes: usize,
) -> Result<(Box<dyn Recovery>, Servers), StartError> {
    let failed = |source: io::Error| StartError::Server {
        server: service.servers[0],
        source,
    };
    Ok(match service.kind {
        ServiceKind::MoldUdp64 => {
            let limits = RequestLimits {
                attempts: service.attempts,
                answer_nanos: service.answer.as_nanos() as u64,
                messages: service.request_messages,
                in_flight: service.requests_in_flight.into(),
                ..RequestLimits::default()
            };
            let servers = Servers::datagrams(&service.servers).map_err(failed)?;
            (Box::new(MoldRequests::new(servers.len(), limits)), servers)
        }
        ServiceKind::SoupBinTcp => {
            let replay = SoupReplay::new(soup_servers(service), ReplaySettings::default());
            (Box::new(replay), Servers::connections(&service.servers))
        }
        ServiceKind::Glimpse => {
            let glimpse = Glimpse::new(soup_servers(service), GlimpseSettings::default());
            (Box::new(glimpse), Servers::connections(&service.servers))
        }
        ServiceKind::Mdp3 => {
            let groups = service.servers.iter().chain(&service.orders);
            let groups: Vec<_> = groups
                .map(|&group| LineAddress {
                    group,
                    interface: service
                        .interface
                        .clone()
                        .filter(|_| group.ip().is_multicast()),
                    source: None,
                })
                .collect();
            let settings = LoopSettings {
                levels: service.servers.len(),
                message_bytes: slot_bytes,
                again: REJOIN_NANOS,
            };
            let loops = Mdp3Loops::new(groups.len(), settings);
            (Box::new(loops), Servers::groups(&groups)?)
        }
    })
}

fn soup_servers(service: &ServicePlan) -> SoupServers {
    let account = &service.account;
    let user = SoupUser {
        name: padded(&account.user),
        password: padded(&account.password),
    };
    SoupServers {
        times: SoupTimes {
            login: service.answer.as_nanos() as u64,
            ..SoupTimes::default()
        },
        attempts: service.attempts,
        progress: service.limit.as_nanos() as u64,
        ..SoupServers::new(service.servers.len(), user)
    }
}

/// Text as it stands in a login; the plan's is no longer than that.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    field
}
