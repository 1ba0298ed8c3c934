//! A lane, lines, snapshot loops and their client in virtual time, and an oracle that knows every book after every packet.

use feed_common::event::{Kind, NO_INSTRUMENT, Record, Side, Trust};
use feed_common::latency::NoProbe;
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::time::{TickScale, Ticks, UnixNanos};
use feed_common::wire::mdp3::parse;
use feed_handler::book::{BookLimits, Books, View};
use feed_handler::pipeline::{ChannelSetup, Join, Lane, LaneTime, Loop, Rescue, SessionDay};
use feed_handler::protocol::mdp3::{Mdp3, Mdp3Decoder};
use feed_handler::protocol::{Decode, Definitions};
use feed_handler::publish::{Booked, Publish, Records};
use feed_handler::recovery::{
    Handed, Heard, LoopSettings, Mdp3Loops, Net, Recovery, RecoverySink, Wish,
};
use feed_handler::transport::Mdp3Framing;
use feed_replay::exchange::{
    Downstream, History, LoopTiming, Numbering, Shape, SnapshotLoop, Timing,
};
use feed_replay::fault::LineFaults;
use feed_replay::synth::{Protocol, Recording, Spec};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

pub const MS: u64 = 1_000_000;

/// What goes wrong.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub messages: u64,
    /// Faults of each line.
    pub lines: Vec<&'static str>,
    /// Faults of the loops of levels, and of that of orders.
    pub levels: Vec<&'static str>,
    pub orders: Vec<&'static str>,
    /// The handler begins so many nanoseconds after the session.
    pub late: u64,
    /// What the client has got is with the lane so much later.
    pub delay: u64,
    /// Packets that wait, and that are kept.
    pub stash: usize,
    /// No two loops take the same time, and each has a state of its own.
    pub uneven: bool,
}

impl Scenario {
    pub fn new(seed: u64) -> Scenario {
        Scenario {
            seed,
            messages: 3_000,
            lines: vec!["", ""],
            levels: vec![""],
            orders: vec![""],
            late: 0,
            delay: MS / 4,
            stash: 256,
            uneven: false,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// Packets declared lost.
    pub lost: u64,
    /// Instruments whose last record could be believed, and all that had one.
    pub valid: usize,
    pub all: usize,
    /// The lane has seen the last packet.
    pub complete: bool,
    /// Records that could not be believed.
    pub doubted: u64,
    pub counters: BTreeMap<&'static str, u64>,
}

type Books3 = Lane<Mdp3, Booked<Tape>, NoProbe>;

/// Records on their way to whoever looks.
#[derive(Clone, Default)]
struct Tape(Rc<RefCell<Vec<Record>>>);

impl Publish for Tape {
    fn publish(&mut self, record: &Record) {
        self.0.borrow_mut().push(*record);
    }
}

fn lane(lines: usize, stash: usize, definitions: &Arc<Definitions>) -> (Books3, Tape) {
    let tape = Tape::default();
    let limits = BookLimits {
        orders: 1 << 14,
        levels: 1 << 13,
        instruments: 64,
    };
    let records = Records::new(tape.clone(), 1);
    let setup = ChannelSetup {
        name: "c".to_owned(),
        number: 0,
        lines,
        window_nanos: 2 * MS,
        stash_slots: stash,
        stash_slot_bytes: 1_500,
        day: SessionDay::Midnight(UnixNanos(0)),
    };
    let mut decoder = Mdp3Decoder::with_room(64);
    decoder.refer(definitions.clone());
    let lane = Lane::new(
        vec![(setup, Mdp3Framing, decoder)],
        LaneTime::Received(TickScale::from_ratio(1, 1)),
        0,
        Booked::new(records, 0..1, &limits, true).unwrap(),
        NoProbe,
    );
    (lane, tape)
}

struct One<'a>(RxMeta, &'a [u8]);

impl PacketSource for One<'_> {
    type Batch<'b>
        = Lent<'b>
    where
        Self: 'b;

    fn poll(&mut self) -> Result<Lent<'_>, RxError> {
        Ok(Lent(&self.0, self.1))
    }
}

struct Lent<'a>(&'a RxMeta, &'a [u8]);

impl PacketBatch for Lent<'_> {
    fn len(&self) -> usize {
        1
    }

    fn get(&self, _: usize) -> Packet<'_> {
        let Lent(meta, bytes) = *self;
        Packet { meta, bytes }
    }
}

fn give(lane: &mut Books3, line: usize, at: u64, payload: &[u8]) {
    let meta = RxMeta {
        rx: Ticks(at),
        len: payload.len() as u32,
        line: line as u16,
        ..RxMeta::default()
    };
    lane.step(&mut One(meta, payload)).unwrap();
}

/// Everything in an instrument's books, by a hash.
fn hash(books: &Books, instrument: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut said = false;
    for side in [Side::BUY, Side::SELL] {
        let mut prices = Vec::new();
        books.levels(instrument, side, &mut |number, level| {
            (said, _) = (
                true,
                (0, number, side, level.price, level.quantity, level.orders).hash(&mut hasher),
            );
            prices.push(level.price);
        });
        books.implied(instrument, side, &mut |number, level| {
            (said, _) = (
                true,
                (1, number, side, level.price, level.quantity, level.orders).hash(&mut hasher),
            );
        });
        books.beside(instrument, side, &mut |level| {
            (said, _) = (
                true,
                (2, side, level.price, level.quantity, level.orders).hash(&mut hasher),
            );
            prices.push(level.price);
        });
        for price in prices {
            books.queue(instrument, side, price, &mut |order| {
                (order.order_id, order.quantity).hash(&mut hasher);
            });
        }
    }
    if said { hasher.finish() } else { 0 }
}

/// The books after every packet, by name: the number of each packet that changed one, and what it was then.
struct Oracle {
    books: BTreeMap<String, Vec<(u64, u64)>>,
    last: u64,
}

impl Oracle {
    fn of(history: &History, definitions: &Arc<Definitions>) -> Oracle {
        let (mut clean, tape) = lane(1, 16, definitions);
        let mut oracle = Oracle {
            books: BTreeMap::new(),
            last: 0,
        };
        for place in 0..history.len() {
            let packet = history.packet(place).unwrap();
            give(&mut clean, 0, packet.at, packet.payload);
            let touched: BTreeSet<_> = tape.0.borrow().iter().map(|r| r.instrument.get()).collect();
            assert!(tape.0.borrow().iter().all(|r| r.trust == Trust::VALID.0));
            tape.0.borrow_mut().clear();
            oracle.last = parse(packet.payload).unwrap().0.msg_seq_num.get().into();
            let books = clean.outlet().channel(0).unwrap();
            let all = books.instruments().into_iter();
            for (instrument, name) in all.filter(|(i, _)| touched.contains(i)) {
                let states = oracle.books.entry(text(name)).or_default();
                let now = hash(books, instrument);
                if states.last().is_none_or(|&(_, before)| before != now) {
                    states.push((oracle.last, now));
                }
            }
        }
        oracle
    }

    fn book(&self, name: &str, number: u64) -> u64 {
        let Some(states) = self.books.get(name) else {
            return 0;
        };
        let at = states.partition_point(|&(n, _)| n <= number);
        at.checked_sub(1).map_or(0, |at| states[at].1)
    }
}

fn text(name: feed_common::event::Name) -> String {
    String::from_utf8(name.as_bytes().to_vec())
        .unwrap()
        .trim_end()
        .to_owned()
}

/// What the client hands over, on its way to the lane.
#[derive(Default)]
struct Way {
    under_way: VecDeque<(u64, Given)>,
    at: u64,
}

enum Given {
    Begins(bool),
    Snapshot(Vec<u8>),
    Ends(bool, u64),
}

impl RecoverySink for Way {
    fn has_room(&self, _: usize) -> bool {
        true
    }

    fn hand(&mut self, _: u16, what: Handed<'_>) {
        let given = match what {
            Handed::LoopBegins { orders } => Given::Begins(orders),
            Handed::Refresh(message) => Given::Snapshot(message.to_vec()),
            Handed::LoopEnds { orders, as_of } => Given::Ends(orders, as_of),
            other => panic!("{other:?}"),
        };
        self.under_way.push_back((self.at, given));
    }
}

#[derive(Default)]
struct Joined(Vec<bool>);

impl Net for Joined {
    fn send(&mut self, _: usize, _: &[u8]) {
        panic!("nobody is asked");
    }

    fn open(&mut self, server: usize) {
        self.0[server] = true;
    }

    fn close(&mut self, server: usize) {
        self.0[server] = false;
    }
}

struct World<'s> {
    scenario: &'s Scenario,
    oracle: Oracle,
    lane: Books3,
    tape: Tape,
    /// By instrument, as a consumer knows it.
    trust: BTreeMap<u32, Trust>,
    client: Mdp3Loops,
    wishes: crossbeam_channel::Receiver<Wish>,
    way: Way,
    joined: Joined,
    steps: u64,
    end: End,
}

/// Plays a scenario, and holds every book that is said to be valid against the clean one: after every step those that
/// were touched, and now and then all.
pub fn play(scenario: &Scenario) -> End {
    play_changed(scenario, &mut |_| {})
}

/// The same with the packets of the loops changed on their way.
pub fn play_changed(scenario: &Scenario, change: &mut dyn FnMut(&mut Vec<u8>)) -> End {
    let spec = Spec {
        rate: 20_000,
        symbols: 24,
        ..Spec::new(Protocol::Mdp3, scenario.messages, scenario.seed)
    };
    let (session, _) = Recording::of(&spec).unwrap();
    let history = History::of(&session, Numbering::Counted, &Shape::default()).unwrap();
    let history = Arc::new(history);
    let mut definitions = Definitions::default();
    for place in 0..history.len() {
        let (_, messages, _) = parse(history.packet(place).unwrap().payload).unwrap();
        for (id, directory) in messages.filter_map(Mdp3Decoder::announcement) {
            definitions.insert(id, directory);
        }
    }
    let definitions = Arc::new(definitions);
    let oracle = Oracle::of(&history, &definitions);
    let (sender, wishes) = crossbeam_channel::bounded(16);
    let rescue = Rescue {
        wishes: sender,
        messages: false,
        limit_nanos: 0,
        snapshot_nanos: None,
        refresh: Some(Loop {
            orders: !scenario.orders.is_empty(),
        }),
        join: Join::Live,
    };
    let (lane, tape) = lane(scenario.lines.len(), scenario.stash, &definitions);
    let feeds = scenario.levels.len() + scenario.orders.len();
    let settings = LoopSettings {
        levels: scenario.levels.len(),
        message_bytes: 1_500,
        again: MS,
    };
    let world = World {
        scenario,
        oracle,
        lane: lane.with_rescue(0, rescue),
        tape,
        trust: BTreeMap::new(),
        client: Mdp3Loops::new(feeds, settings),
        wishes,
        way: Way::default(),
        joined: Joined(vec![false; feeds]),
        steps: 0,
        end: End::default(),
    };
    world.run(history, change)
}

impl World<'_> {
    fn run(mut self, history: Arc<History>, change: &mut dyn FnMut(&mut Vec<u8>)) -> End {
        let scenario = self.scenario;
        let faults: Vec<LineFaults> = scenario.lines.iter().map(|f| f.parse().unwrap()).collect();
        let timing = Timing::default();
        let end = history.last_at() + 200 * MS;
        let mut lines = Downstream::new(history.clone(), &faults, scenario.seed, timing);
        let feeds = scenario.levels.iter().map(|f| (f, false));
        let feeds = feeds.chain(scenario.orders.iter().map(|f| (f, true)));
        let mut loops: Vec<_> = feeds
            .zip(1..)
            .map(|((faults, orders), i)| {
                let timing = LoopTiming {
                    orders,
                    period: (10 + 3 * i * u64::from(scenario.uneven)) * MS,
                    spacing: MS / 5,
                    payload: 1_400,
                };
                let faults = faults.parse().unwrap();
                SnapshotLoop::new(history.clone(), &faults, scenario.seed + i, timing, end)
            })
            .collect();
        loop {
            let line = lines.due();
            let feeds = loops.iter_mut().enumerate();
            let feed = feeds.filter_map(|(i, l)| Some((l.due()?, i))).min();
            let handed = self.way.under_way.front().map(|(at, _)| *at);
            let now = [line, feed.map(|(at, _)| at), handed]
                .into_iter()
                .flatten()
                .min();
            let Some(now) = now else { break };
            if handed == Some(now) {
                self.hand(now);
            } else if line == Some(now) {
                let packet = lines.next(now).unwrap();
                if now >= scenario.late {
                    give(&mut self.lane, packet.line, now, packet.payload);
                }
            } else if let Some((_, feed)) = feed {
                let mut packet = loops[feed].next(now).unwrap().payload.to_vec();
                change(&mut packet);
                if self.joined.0[feed] {
                    self.way.at = now + scenario.delay;
                    let heard = Heard::Bytes(&packet);
                    self.client
                        .heard(feed, heard, now, &mut self.joined, &mut self.way);
                }
            }
            self.lane.idle(now);
            self.lane.take_delivery();
            for wish in self.wishes.try_iter() {
                self.client.wish(wish, now, &mut self.way);
            }
            self.client.poll(now, &mut self.joined, &mut self.way);
            self.check(now);
        }
        self.finish()
    }

    fn hand(&mut self, now: u64) {
        let (_, given) = self.way.under_way.pop_front().unwrap();
        let what = match &given {
            Given::Begins(orders) => Handed::LoopBegins { orders: *orders },
            Given::Snapshot(message) => Handed::Refresh(message),
            Given::Ends(orders, as_of) => Handed::LoopEnds {
                orders: *orders,
                as_of: *as_of,
            },
        };
        self.lane.hand(0, what, Ticks(now));
    }

    /// What a consumer believes is what the clean run has.
    fn check(&mut self, now: u64) {
        let mut touched = BTreeSet::new();
        for record in self.tape.0.borrow_mut().drain(..) {
            touched.insert(record.instrument.get());
            let trust = Trust(record.trust);
            if record.data.kind == Kind::GAP.0 {
                self.trust.values_mut().for_each(|t| *t = Trust::RECOVERING);
            } else if record.instrument.get() != NO_INSTRUMENT {
                self.trust.insert(record.instrument.get(), trust);
            }
            self.end.doubted += u64::from(trust != Trust::VALID);
            assert_ne!(trust, Trust::SUSPECT, "{:?}: {record:?}", self.scenario);
        }
        let Some(next) = self.lane.channels()[0].expected(0) else {
            return;
        };
        self.steps += 1;
        let all = self.steps.is_multiple_of(64);
        if touched.is_empty() && !all {
            return;
        }
        let books = self.lane.outlet().channel(0).unwrap();
        let instruments = books.instruments().into_iter();
        for (instrument, name) in instruments.filter(|(i, _)| all || touched.contains(i)) {
            if self.trust.get(&instrument) == Some(&Trust::VALID) {
                let name = text(name);
                let clean = self.oracle.book(&name, next - 1);
                assert_eq!(
                    hash(books, instrument),
                    clean,
                    "{name} is not what it is said to be, at {now} after packet {}: {:?}",
                    next - 1,
                    self.scenario
                );
            }
        }
    }

    fn finish(mut self) -> End {
        let channel = &self.lane.channels()[0];
        self.end.lost = channel.sequence().lost;
        self.end.complete = channel.expected(0) == Some(self.oracle.last + 1);
        self.end.all = self.trust.len();
        self.end.valid = self.trust.values().filter(|t| **t == Trust::VALID).count();
        self.end.counters = channel
            .oddities()
            .into_iter()
            .chain(self.client.counters())
            .collect();
        self.end
    }
}
