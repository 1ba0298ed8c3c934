//! What is simulated: a session, its lines, the handler's parameters, its recovery. Said in a line of text, so that a
//! failure can be handed on and repeated.

use feed_common::config::TimeSpan;
use feed_replay::fault::{LineFaults, Rate, ServerFaults};
use feed_replay::synth::{Layout, Protocol};
use std::fmt;
use std::str::FromStr;

/// Everything a simulated session follows from. Times are nanoseconds.
///
/// Printed and read as parts between semicolons, each a word and then `NAME=VALUE`; the faults of lines and servers are
/// in the grammar of [`feed_replay::fault`]:
///
/// ```text
/// itch50 seed=7 messages=800 rate=50000 restarts=1 join=2ms; handler window=1ms stash=16 batch=8 stall=5ms;
/// line payload=1472 loss=1% burst=3; line payload=600 skew=2ms; recovery service=moldudp64 poll=200us attempts=3
/// answer=2ms ask=50 flight=4 payload=1400 limit=20ms wishes=256 room=64 start=0; server late=1ms refuse=10%
/// ```
///
/// In place of servers a service of snapshot loops has `loop orders=0 period=10ms loss=1%`, each a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The exchange's language.
    pub protocol: Protocol,
    /// The session, its faults and the handler's stalls follow from it.
    pub seed: u64,
    /// Messages of a session.
    pub messages: u64,
    /// Messages a second.
    pub rate: u64,
    /// Sessions that follow the first, each cutting the one before it short.
    pub restarts: u64,
    /// When the handler begins to listen.
    pub join: u64,
    /// The handler's parameters.
    pub handler: Handler,
    /// At least one.
    pub lines: Vec<Line>,
    /// What makes good for what no line brought.
    pub recovery: Option<Asking>,
}

/// The parameters of the lane, and how its thread gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// How long a hole waits for the lines.
    pub window: u64,
    /// Frames that can wait ahead of a hole.
    pub stash: usize,
    /// Packets that a poll takes off a line.
    pub batch: usize,
    /// Longest time for which the thread stands still, now and then; 0 for never.
    pub stall: u64,
}

/// A line of the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Largest UDP payload: how messages are packed.
    pub payload: usize,
    /// What goes wrong on it.
    pub faults: LineFaults,
}

/// What a channel's recovery asks, or listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Re-request servers of MoldUDP64.
    MoldUdp64,
    /// Request servers of NYSE Pillar, which answer to groups.
    Pillar,
    /// Replay over SoupBinTCP.
    SoupBinTcp,
    /// Snapshots of the books over SoupBinTCP.
    Glimpse,
    /// CME's loops of snapshots.
    Mdp3,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 5] = [
        Service::MoldUdp64,
        Service::Pillar,
        Service::SoupBinTcp,
        Service::Glimpse,
        Service::Mdp3,
    ];

    /// Its name in scenarios, as in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Service::MoldUdp64 => "moldudp64",
            Service::Pillar => "pillar",
            Service::SoupBinTcp => "soupbintcp",
            Service::Glimpse => "glimpse",
            Service::Mdp3 => "mdp3",
        }
    }

    /// The protocol whose channels can have it.
    pub fn protocol(self) -> Protocol {
        match self {
            Service::MoldUdp64 | Service::SoupBinTcp | Service::Glimpse => Protocol::Itch50,
            Service::Pillar => Protocol::Pillar,
            Service::Mdp3 => Protocol::Mdp3,
        }
    }

    /// Whether messages are asked for, and not states.
    pub fn brings_messages(self) -> bool {
        !matches!(self, Service::Glimpse | Service::Mdp3)
    }
}

/// The recovery of the channel. What a service has no use for is written all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Whom it asks.
    pub service: Service,
    /// How often the control thread looks.
    pub poll: u64,
    /// Requests, or connections, that bring nothing after which messages are given up.
    pub attempts: u32,
    /// How long an answer, to a request or a login, may take.
    pub answer: u64,
    /// Messages of a request at most; of a replay, those that are read to get to the next that is wanted.
    pub ask: u16,
    /// Requests for one run of missing messages that are under way at a time.
    pub flight: usize,
    /// Largest UDP payload of an answer, or of what is made of it.
    pub payload: usize,
    /// How long a hole waits for recovery without getting on.
    pub limit: u64,
    /// Wishes that can wait for the control thread.
    pub wishes: usize,
    /// Things got back that can wait for the lane.
    pub room: usize,
    /// The beginning of a session joined late is asked for.
    pub start: bool,
    /// What goes wrong with each of the servers; at least one where the service has any.
    pub servers: Vec<ServerFaults>,
    /// The feeds of snapshots; at least one of levels where the service has any.
    pub loops: Vec<Feed>,
}

/// A feed on which snapshots go round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Of orders, and not of levels.
    pub orders: bool,
    /// Nanoseconds that a round takes, at least.
    pub period: u64,
    /// What goes wrong on it.
    pub faults: LineFaults,
}

/// What is wrong with the text of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioError(String);

/// What a protocol is called in a scenario: its name, and its feed or layout where there are several.
pub fn name(protocol: Protocol) -> String {
    let kind = match protocol {
        Protocol::Native(Layout::Records) => "records",
        Protocol::Native(Layout::Columns) => "columns",
        other => other.feed(),
    };
    match kind {
        "" => protocol.name().to_string(),
        kind => format!("{}/{kind}", protocol.name()),
    }
}

/// All protocols that can be simulated, native batches in each of their layouts.
pub fn protocols() -> impl Iterator<Item = Protocol> {
    let layouts = [Layout::Records, Layout::Columns].map(Protocol::Native);
    Protocol::ALL.iter().copied().chain(layouts)
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario {
            seed,
            messages,
            rate,
            restarts,
            handler,
            ..
        } = self;
        let (protocol, join) = (name(self.protocol), TimeSpan(self.join));
        write!(f, "{protocol} seed={seed} messages={messages} rate={rate}")?;
        write!(f, " restarts={restarts} join={join}")?;
        let (window, stall) = (TimeSpan(handler.window), TimeSpan(handler.stall));
        let (stash, batch) = (handler.stash, handler.batch);
        write!(
            f,
            "; handler window={window} stash={stash} batch={batch} stall={stall}"
        )?;
        for line in &self.lines {
            write!(f, "; line payload={} {}", line.payload, line.faults)?;
        }
        let Some(asking) = &self.recovery else {
            return Ok(());
        };
        let [poll, answer, limit] = [asking.poll, asking.answer, asking.limit].map(TimeSpan);
        let (service, attempts, ask) = (asking.service.name(), asking.attempts, asking.ask);
        let (flight, payload) = (asking.flight, asking.payload);
        write!(f, "; recovery service={service} poll={poll}")?;
        write!(
            f,
            " attempts={attempts} answer={answer} ask={ask} flight={flight} payload={payload}"
        )?;
        let (wishes, room, start) = (asking.wishes, asking.room, u8::from(asking.start));
        write!(
            f,
            " limit={limit} wishes={wishes} room={room} start={start}"
        )?;
        for server in &asking.servers {
            write!(f, "; server {server}")?;
        }
        asking.loops.iter().try_for_each(|feed| {
            let (orders, period) = (u8::from(feed.orders), TimeSpan(feed.period));
            write!(f, "; loop orders={orders} period={period} {}", feed.faults)
        })
    }
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Scenario, ScenarioError> {
        let mut parts = text.split(';').map(str::trim);
        let (what, mut session) = Words::of(parts.next().unwrap_or_default());
        let protocol = protocols().find(|&p| name(p) == what);
        let mut scenario = Scenario {
            protocol: protocol.ok_or_else(|| wrong(format!("{what:?} is no protocol")))?,
            seed: session.number("seed")?,
            messages: session.number("messages")?,
            rate: session.number("rate")?,
            restarts: session.number("restarts")?,
            join: session.time("join")?,
            handler: Handler {
                window: 0,
                stash: 0,
                batch: 1,
                stall: 0,
            },
            lines: Vec::new(),
            recovery: None,
        };
        session.end()?;
        for part in parts {
            let (what, mut words) = Words::of(part);
            match what {
                "handler" => {
                    scenario.handler = Handler {
                        window: words.time("window")?,
                        stash: words.number("stash")?,
                        batch: words.number("batch")?,
                        stall: words.time("stall")?,
                    }
                }
                "line" => scenario.lines.push(Line {
                    payload: words.number("payload")?,
                    faults: words.rest()?,
                }),
                "recovery" => {
                    let service = words.take("service")?;
                    let known = Service::ALL.iter().find(|s| s.name() == service);
                    scenario.recovery = Some(Asking {
                        service: *known
                            .ok_or_else(|| wrong(format!("{service:?} is no service")))?,
                        poll: words.time("poll")?,
                        attempts: words.number("attempts")?,
                        answer: words.time("answer")?,
                        ask: words.number("ask")?,
                        flight: words.number("flight")?,
                        payload: words.number("payload")?,
                        limit: words.time("limit")?,
                        wishes: words.number("wishes")?,
                        room: words.number("room")?,
                        start: words.number::<u8>("start")? != 0,
                        servers: Vec::new(),
                        loops: Vec::new(),
                    })
                }
                "loop" => match &mut scenario.recovery {
                    Some(asking) => asking.loops.push(Feed {
                        orders: words.number::<u8>("orders")? != 0,
                        period: words.time("period")?,
                        faults: words.rest()?,
                    }),
                    None => return Err(wrong("a loop stands behind `recovery`")),
                },
                "server" => match &mut scenario.recovery {
                    Some(asking) => asking.servers.push(words.rest()?),
                    None => return Err(wrong("a server stands behind `recovery`")),
                },
                other => return Err(wrong(format!("{other:?} is no part of a scenario"))),
            }
            words.end()?;
        }
        scenario.check()
    }
}

impl Scenario {
    fn check(self) -> Result<Scenario, ScenarioError> {
        if self.lines.is_empty() {
            return Err(wrong("a scenario has a line"));
        }
        if self.handler.batch == 0 {
            return Err(wrong("a batch has a packet"));
        }
        let Some(asking) = &self.recovery else {
            return Ok(self);
        };
        let service = asking.service;
        if service.protocol() != self.protocol {
            return Err(wrong(format!(
                "{} has no {}",
                name(self.protocol),
                service.name()
            )));
        }
        let (servers, loops) = (asking.servers.len(), asking.loops.len());
        let sorted = asking.loops.is_sorted_by_key(|feed| feed.orders);
        let levels = asking.loops.first().is_some_and(|feed| !feed.orders);
        let whom = match service {
            Service::Mdp3 => {
                let goes_round = asking.loops.iter().all(|feed| feed.period > 0);
                levels && sorted && goes_round && servers == 0
            }
            _ => servers > 0 && loops == 0,
        };
        if !whom || asking.poll == 0 {
            return Err(wrong(
                "recovery has servers or loops, and polls now and then",
            ));
        }
        // Neither says of which session it is.
        if !service.brings_messages() && self.restarts > 0 {
            return Err(wrong("snapshots are of one session"));
        }
        Ok(self)
    }

    /// True when a server answers every request rightly and in time, so that nothing need be lost. Nothing says that about
    /// answers while numbers without the name of a session begin anew.
    pub fn is_recoverable(&self) -> bool {
        let named = |asking: &Asking| self.restarts == 0 || asking.service != Service::Pillar;
        // A channel of Pillar has eight requests under way in all: one message each is too few for what lines can lose.
        let quick = |asking: &Asking| asking.ask >= 10 || asking.service != Service::Pillar;
        let whole =
            |asking: &&Asking| asking.service.brings_messages() && named(asking) && quick(asking);
        self.recovery
            .as_ref()
            .filter(whole)
            .is_some_and(|asking| self.is_sound(asking))
    }

    /// True when states come rightly and in time, so that all books are whole in the end.
    pub fn is_healed(&self) -> bool {
        let heals = |asking: &Asking| match asking.service {
            Service::Glimpse => self.is_sound(asking),
            Service::Mdp3 => {
                let sound = |feed: &Feed| {
                    let rare = feed.faults.loss.billionths() <= Rate::SCALE / 20;
                    let lossless = LineFaults {
                        loss: Rate::NEVER,
                        ..feed.faults.clone()
                    };
                    rare && lossless == LineFaults::default()
                };
                let orders = asking.loops.iter().any(|feed| feed.orders);
                orders && asking.loops.iter().all(sound) && asking.room >= 4_096
            }
            _ => false,
        };
        self.recovery.as_ref().is_some_and(heals)
    }

    fn is_sound(&self, asking: &Asking) -> bool {
        asking.servers.iter().all(|s| *s == ServerFaults::default())
            && asking.wishes >= 4_096
            && asking.room >= 4_096
            && asking.answer >= 4 * asking.poll + 1_000_000
            && asking.limit >= 8 * asking.answer
            && self.handler.stall < asking.answer
    }

    /// How far the slowest packet of any line can be behind the moment it was sent.
    pub fn longest_way(&self) -> u64 {
        let way = |line: &Line| line.faults.delay.high + line.faults.skew;
        let ways = self.lines.iter().map(way);
        ways.max().unwrap_or(0) + feed_replay::fault::FaultyLine::HELD_NS
    }

    /// A rate of so many in a thousand.
    pub(crate) fn per_mille(n: u64) -> Rate {
        Rate::per_billion(n.min(1_000) as u32 * (Rate::SCALE / 1_000)).unwrap_or(Rate::ALWAYS)
    }
}

fn wrong(what: impl Into<String>) -> ScenarioError {
    ScenarioError(what.into())
}

/// The words of a part that have not been taken.
struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    /// The first word, and the others.
    fn of(part: &'a str) -> (&'a str, Words<'a>) {
        let mut words = part.split_whitespace();
        (words.next().unwrap_or_default(), Words(words.collect()))
    }

    fn take(&mut self, name: &str) -> Result<&'a str, ScenarioError> {
        let value = |word: &&'a str| word.strip_prefix(name)?.strip_prefix('=');
        let found = self.0.iter().enumerate();
        let found = found
            .filter_map(|(at, word)| Some((at, value(word)?)))
            .next();
        let (at, value) = found.ok_or_else(|| wrong(format!("expected {name}=...")))?;
        self.0.remove(at);
        Ok(value)
    }

    fn number<N: FromStr>(&mut self, name: &str) -> Result<N, ScenarioError> {
        let value = self.take(name)?;
        let number = value.parse();
        number.map_err(|_| wrong(format!("{name}={value}: expected a number")))
    }

    fn time(&mut self, name: &str) -> Result<u64, ScenarioError> {
        let value = self.take(name)?;
        let span: Result<TimeSpan, _> = value.parse();
        let span = span.map_err(|e| wrong(format!("{name}={value}: {e}")))?;
        Ok(span.0)
    }

    /// All others, in a grammar of their own.
    fn rest<F: FromStr>(&mut self) -> Result<F, ScenarioError>
    where
        F::Err: fmt::Display,
    {
        let text = std::mem::take(&mut self.0).join(" ");
        text.parse().map_err(|e| wrong(format!("{text}: {e}")))
    }

    fn end(self) -> Result<(), ScenarioError> {
        match self.0.first() {
            Some(word) => Err(wrong(format!("{word} is nothing here"))),
            None => Ok(()),
        }
    }
}
