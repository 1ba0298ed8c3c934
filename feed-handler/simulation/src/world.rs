//! A simulated session: what is sent, when it arrives, when the lane and the control thread look, and what they do.
//!
//! Time is a number that jumps from one thing that happens to the next. There are no threads, no clocks and no sockets:
//! a scenario is the same run every time.

use crate::books::Believed;
use crate::control::{Control, Parcel};
use crate::oracle::{Failure, Moment, Oracle, Seen, Tally, fail};
use crate::play::{Kept, Play, TracedLane, Truth, lane, step};
use crate::scenario::{Scenario, Service};
use crate::trace::{Trace, hash};
use feed_common::event::{Kind, NO_INSTRUMENT, Record};
use feed_common::time::Ticks;
use feed_handler::protocol::{Decode, ForProtocol, Protocol, with_protocol};
use feed_handler::publish::{Digest, Outlet};
use feed_handler::recovery::Missing;
use feed_handler::transport::Framing;
use feed_replay::fault::Lines;
use feed_replay::synth::rng::{Rng, splitmix64};
use std::collections::{HashMap, VecDeque};

/// What a session came to that was as it must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the oracle counted.
    pub tally: Tally,
    /// Messages that a server brought.
    pub recovered: u64,
    /// Packets that lines lost.
    pub lost_packets: u64,
    /// Requests sent.
    pub requests: u64,
    /// Every message of every session was delivered, and the digests are those without faults.
    pub whole: bool,
    /// Virtual nanoseconds.
    pub lasted: u64,
}

/// How long a session may go on after the last packet was sent.
const PATIENCE_NS: u64 = 300_000_000_000;
/// What it may do at most.
const TURNS_MAX: u64 = 3_000_000;

/// Simulates a scenario.
pub fn simulate(scenario: &Scenario) -> Result<Facts, Failure> {
    struct Simulate<'a>(&'a Scenario);
    impl ForProtocol for Simulate<'_> {
        type Out = Result<Facts, Failure>;

        fn call<P: Protocol>(self) -> Self::Out {
            let play = Play::of::<P>(self.0);
            let play = play.or_else(|e| fail("no session", e.to_string()))?;
            let truth = Truth::of::<P>(&play, is_watched::<P>(self.0));
            World::<P>::new(self.0, &play, &truth)?.run()
        }
    }
    with_protocol(scenario.protocol.name(), Simulate(scenario))
}

/// A datagram at the handler.
struct Arrived {
    at: u64,
    bytes: Vec<u8>,
    /// Of which session it is; `None` when it was damaged so that it is none.
    epoch: Option<usize>,
}

struct World<'a, P: Protocol> {
    scenario: &'a Scenario,
    play: &'a Play,
    truth: &'a Truth,
    /// What is sent: when, on which line, of which session, at which place there.
    sends: Vec<(u64, usize, usize, usize)>,
    next_send: usize,
    /// Messages sent so far, by line and session: their numbers in the account of the lines.
    sent: HashMap<(usize, usize), u64>,
    lines: Lines,
    /// Of which session a payload is.
    epochs: HashMap<&'a [u8], usize>,
    /// What has arrived on each line and was not taken yet.
    sockets: Vec<VecDeque<Arrived>>,
    /// The line that is asked first.
    turn: usize,
    lane: TracedLane<P>,
    trace: Trace,
    records: Kept,
    /// How many of them have been judged.
    judged: usize,
    /// What their consumer knows.
    believed: Believed,
    /// A whole loop of levels, and of orders, has been taken: one that has nothing to say says nothing.
    looped: [bool; 2],
    stash_full: u64,
    control: Option<Control>,
    oracle: Oracle<'a>,
    /// When the thread stands still.
    stalls: Rng,
    now: u64,
    /// When the lane looks next.
    wakes: u64,
    /// Damaged packets that a checksum kept from the handler.
    unseen: u64,
}

impl<'a, P: Protocol> World<'a, P> {
    fn new(
        scenario: &'a Scenario,
        play: &'a Play,
        truth: &'a Truth,
    ) -> Result<World<'a, P>, Failure> {
        let handler = scenario.handler;
        let lines = scenario.lines.len();
        let (mut lane, trace, records) =
            lane::<P>(lines, handler.window, handler.stash, &truth.definitions);
        let mut control = None;
        if let Some(asking) = &scenario.recovery {
            let made = Control::new(asking, play, scenario);
            let (made, rescue) = made.or_else(|e| fail("no history", e.to_string()))?;
            lane = lane.with_rescue(0, rescue);
            control = Some(made);
        }
        let faults: Vec<_> = scenario.lines.iter().map(|l| l.faults.clone()).collect();
        let mut world = World {
            sends: sends(play),
            next_send: 0,
            sent: HashMap::new(),
            lines: Lines::new(&faults, scenario.seed),
            epochs: HashMap::new(),
            sockets: faults.iter().map(|_| VecDeque::new()).collect(),
            turn: 0,
            lane,
            trace,
            records,
            judged: 0,
            believed: Believed::default(),
            looped: [false; 2],
            stash_full: 0,
            control,
            oracle: Oracle::new(scenario, truth, P::Decoder::BY_INSTRUMENT),
            stalls: Rng::new(splitmix64(scenario.seed ^ 0x7374_616c)),
            now: 0,
            wakes: 0,
            unseen: 0,
            scenario,
            play,
            truth,
        };
        for (number, epoch) in play.epochs.iter().enumerate() {
            let packets = epoch.lines.iter().flatten();
            let payloads = packets.map(|packet| packet.payload.as_slice());
            world.epochs.extend(payloads.map(|bytes| (bytes, number)));
        }
        Ok(world)
    }

    fn run(mut self) -> Result<Facts, Failure> {
        let patience = self.play.end() + self.scenario.longest_way() + PATIENCE_NS;
        for _ in 0..TURNS_MAX {
            let Some(next) = self.upcoming() else {
                return self.end();
            };
            if next > patience {
                break;
            }
            self.now = next;
            self.arrive();
            if let Some(control) = self.control.as_mut().filter(|c| c.next <= next) {
                control.poll(next);
            }
            if self.wakes <= next {
                self.look()?;
            }
        }
        fail("does not end", (self.now, self.oracle.waits()))
    }

    /// When something happens next; `None` when nothing more will.
    fn upcoming(&self) -> Option<u64> {
        let waiting = self.sockets.iter().any(|socket| !socket.is_empty());
        let handed = self.control.as_ref().is_some_and(|c| !c.outbox.is_empty());
        let looks = (waiting || handed || self.oracle.waits()).then_some(self.wakes);
        let sends = self.sends.get(self.next_send).map(|send| send.0);
        let control = self.control.as_ref();
        let polls = control
            .filter(|c| !c.is_idle() || looks.is_some())
            .map(|c| c.next);
        let all = [looks, sends, self.lines.due(), polls];
        Some(all.into_iter().flatten().min()?.max(self.now))
    }

    /// Sends what is due, and takes in what arrives.
    fn arrive(&mut self) {
        while let Some(&(at, line, epoch, place)) = self.sends.get(self.next_send)
            && at <= self.now
        {
            self.next_send += 1;
            let of = &self.play.epochs[epoch];
            match (&of.herald, place) {
                (Some(herald), HERALD) => self.sockets[line].push_back(Arrived {
                    at,
                    bytes: herald.clone(),
                    epoch: Some(epoch),
                }),
                _ => {
                    let packet = &of.lines[line][place];
                    let sent = self.sent.entry((line, epoch)).or_default();
                    let first = ((epoch as u64) << 32) + *sent;
                    *sent += u64::from(packet.messages);
                    let numbers = first..first + u64::from(packet.messages);
                    self.lines.send_on(line, at, numbers, &packet.payload);
                }
            }
        }
        while let Some(delivery) = self.lines.next(self.now) {
            if delivery.at < self.scenario.join {
                continue; // nobody listens
            }
            let epoch = self.epochs.get(delivery.payload).copied();
            // A flipped bit that leaves a frame a frame is for the checksum of UDP to find: neither the protocols nor
            // a handler can. Nor one that makes it a packet of a session that is to come.
            let unheard = epoch.is_none_or(|epoch| self.play.epochs[epoch].start > delivery.at);
            if unheard && P::Framing::default().open(delivery.payload).is_ok() {
                self.unseen += 1;
                continue;
            }
            let arrived = Arrived {
                at: delivery.at,
                bytes: delivery.payload.to_vec(),
                epoch,
            };
            self.sockets[delivery.line].push_back(arrived);
        }
    }

    /// The lane looks: at what recovery has brought, then at a line.
    fn look(&mut self) -> Result<(), Failure> {
        while let Some(parcel) = self.control.as_mut().and_then(|c| c.outbox.take()) {
            self.hand(&parcel)?;
        }
        let lines = self.sockets.len();
        let mut asked = (self.turn..self.turn + lines).map(|line| line % lines);
        match asked.find(|&line| !self.sockets[line].is_empty()) {
            None => {
                self.lane.idle(self.now);
                self.judge(false)?;
            }
            Some(line) => {
                self.turn = line + 1;
                for _ in 0..self.scenario.handler.batch {
                    let Some(packet) = self.sockets[line].pop_front() else {
                        break;
                    };
                    self.take(line, &packet)?;
                }
            }
        }
        self.lane.take_delivery();
        let handler = self.scenario.handler;
        let nap = match handler.stall > 0 && self.stalls.chance(1, 50) {
            true => self.stalls.below(handler.stall),
            false => 0,
        };
        // Often enough to see every window pass, and seldom enough to get on.
        let pace = match self.sockets.iter().all(VecDeque::is_empty) {
            true => (handler.window / 8).clamp(5_000, 500_000),
            false => 1_000,
        };
        self.wakes = self.now + pace + nap;
        Ok(())
    }

    /// Hands the lane a packet of a line.
    fn take(&mut self, line: usize, packet: &Arrived) -> Result<(), Failure> {
        let frames = seen::<P>(&packet.bytes);
        match packet.epoch {
            Some(epoch) if self.oracle.is_before_its_time(epoch) => return Ok(()),
            Some(epoch) => self.oracle.arrives(Some(line), epoch, &frames, self.now),
            None => self.oracle.malformed(),
        }
        step(&mut self.lane, line, packet.at, self.now, &packet.bytes);
        self.judge(false)?;
        match packet.epoch {
            Some(epoch) => self.oracle.arrived(epoch, &frames),
            None => Ok(()),
        }
    }

    /// Hands the lane what recovery has brought.
    fn hand(&mut self, parcel: &Parcel) -> Result<(), Failure> {
        let rx = Ticks(self.now);
        match parcel {
            Parcel::Packet(bytes) => {
                let Some(epoch) = self.epoch_of(bytes) else {
                    return fail("recovery brought what is nothing", bytes);
                };
                let frames = seen::<P>(bytes);
                self.oracle.arrives(None, epoch, &frames, self.now);
                self.lane.hand(0, parcel.handed(), rx);
                self.judge(false)?;
                return self.oracle.arrived(epoch, &frames);
            }
            Parcel::Failed(missing) => {
                if let Some(epoch) = self.epoch_named(missing) {
                    self.oracle.failed(epoch, missing.span);
                }
            }
            Parcel::SnapshotBegins => self.oracle.snapshot_begins(),
            Parcel::SnapshotMessage(message) => self.oracle.snapshot_message(hash(message)),
            &Parcel::SnapshotEnds(_, unit, next) => self.oracle.snapshot_ends(unit, next),
            Parcel::SnapshotFailed => self.oracle.snapshot_failed(),
            Parcel::LoopEnds(orders, _) => self.looped[usize::from(*orders)] = true,
            Parcel::LoopBegins(_) | Parcel::Refresh(_) => {}
        }
        self.lane.hand(0, parcel.handed(), rx);
        self.judge(false)?;
        self.oracle.handed()
    }

    /// The session of a packet that recovery has brought: by its name or, where sessions have none, by when it was sent.
    fn epoch_of(&self, bytes: &[u8]) -> Option<usize> {
        let mut framing = P::Framing::default();
        let (frame, _) = framing.open(bytes).ok()?;
        let epochs = &self.play.epochs;
        match P::Framing::BEGINS {
            true => epochs.iter().rposition(|e| e.sent <= frame.sent),
            false => epochs.iter().position(|e| e.session == frame.session),
        }
    }

    /// The session that messages cannot be had of: where it has no name, the one at hand.
    fn epoch_named(&self, missing: &Missing) -> Option<usize> {
        match P::Framing::BEGINS {
            true => self.oracle.epoch(),
            false => {
                let mut epochs = self.play.epochs.iter();
                epochs.position(|e| e.session == missing.session)
            }
        }
    }

    fn judge(&mut self, ended: bool) -> Result<(), Failure> {
        let full = self.lane.drops().stash_full;
        let moment = Moment {
            now: self.now,
            stash_full: full > std::mem::replace(&mut self.stash_full, full),
            ended,
        };
        let mut deeds = self.trace.take();
        deeds.iter_mut().for_each(crate::play::same_unit::<P>);
        self.oracle.judge(&deeds, moment)?;
        if let (Some(next), false) = (self.lane.channels()[0].expected(0), self.oracle.is_taking())
        {
            self.oracle.goes_on(next);
        }
        self.hold(false)
    }

    /// Holds the books that can be believed against the clean ones: those that have changed, or all.
    fn hold(&mut self, all: bool) -> Result<(), Failure> {
        let clean = self.oracle.epoch().and_then(|e| self.truth.clean.get(e));
        let (Some(clean), true) = (clean, is_watched::<P>(self.scenario)) else {
            return Ok(());
        };
        let new = self.records.since(&mut self.judged);
        let touched = self.believed.take(&new);
        let touched = if all { self.believed.all() } else { touched };
        let books = self.lane.outlet().inner().channel(0);
        match (books, self.lane.channels()[0].expected(0)) {
            (Some(books), Some(next)) if !touched.is_empty() => {
                self.believed.hold(books, &touched, clean, next)
            }
            _ => Ok(()),
        }
    }

    /// Nothing more will happen: compares what came out, and what was counted.
    fn end(mut self) -> Result<Facts, Failure> {
        self.lane.finish();
        self.judge(true)?;
        let whole = self.oracle.end()?;
        self.counters()?;
        let from_the_start = self.oracle.is_from_the_start();
        let account = self.lines.account();
        let lost = (0..account.lines()).map(|line| account.counts(line).lost_in_all());
        let requests = self.control.iter().flat_map(Control::counters);
        let requests = requests.filter(|(name, _)| *name == "requests");
        let facts = Facts {
            tally: self.oracle.tally,
            recovered: self.lane.channels()[0].sequence().recovered,
            lost_packets: lost.sum(),
            requests: requests.map(|(_, n)| n).sum(),
            whole,
            lasted: self.now,
        };
        self.hold(true)?;
        self.healed()?;
        let (digest, books) = (self.lane.outlet().digest(0), self.lane.outlet().books(0));
        let records = self.records.since(&mut 0);
        let later = self.scenario.recovery.as_ref();
        if later.is_some_and(|r| r.service == Service::Pillar) {
            if whole && timeless(&records) != timeless(&self.truth.records) {
                return fail("whole, and yet other records", (digest, books));
            }
        } else if whole && digest != self.truth.digest {
            return fail("whole, and yet another digest", (digest, books));
        }
        if whole && books != self.truth.books {
            return fail("whole, and yet other books", (digest, books));
        }
        if !P::Framing::UNITS && from_the_start {
            let repeated = later.is_some_and(|r| r.service == Service::Pillar);
            same_until_a_gap(&records, &self.truth.records, repeated)?;
        }
        Ok(facts)
    }

    /// Where nothing keeps the state of the books from coming, and the end was seen, all of them can be believed again,
    /// and are those without faults.
    fn healed(&self) -> Result<(), Failure> {
        if !self.scenario.is_healed() || !self.oracle.is_at_the_end() {
            return Ok(());
        }
        let clean = self.oracle.epoch().and_then(|e| self.truth.clean.get(e));
        let books = self.lane.outlet().inner().channel(0);
        if let (Some(clean), Some(books)) = (clean, books)
            && let Some(next) = self.lane.channels()[0].expected(0)
            && P::Decoder::BY_INSTRUMENT
            && self.looped == [true; 2]
            && let Some(name) = self.believed.doubted(books, clean, next)
        {
            return fail("not whole again after a loop", name);
        }
        if !P::Decoder::BY_INSTRUMENT && self.oracle.is_in_doubt() {
            return fail("not whole again after a snapshot", self.oracle.tally);
        }
        Ok(())
    }

    /// Holds what the lane counted against what was done to it.
    fn counters(&self) -> Result<(), Failure> {
        let (tally, drops) = (self.oracle.tally, self.lane.drops());
        let channel = &self.lane.channels()[0];
        let sequence = channel.sequence();
        let counted = |name: &str| {
            let found = drops.by_cause().find(|(cause, _)| *cause == name);
            found.map_or(0, |(_, n)| n)
        };
        let frames = drops
            .by_cause()
            .filter(|(cause, _)| cause.starts_with("frame_"));
        let expected = [
            ("messages", self.lane.messages(), tally.messages),
            ("gaps", sequence.gaps, tally.gaps),
            ("lost", sequence.lost, tally.lost),
            ("restarts", sequence.restarts, tally.restarts),
            ("old_session", counted("old_session"), tally.old_session),
            ("recovery_stray", counted("recovery_stray"), tally.stray),
            ("frames", frames.map(|(_, n)| n).sum(), tally.malformed),
            ("drops", drops.total() - counted("stash_full"), {
                tally.old_session + tally.stray + tally.malformed
            }),
        ];
        if let Some(wrong) = expected.iter().find(|(_, counted, due)| counted != due) {
            return fail("a counter is wrong", wrong);
        }
        let (mut first, mut duplicates) = (sequence.recovered, 0);
        for (stats, truth) in channel.lines().iter().zip(&self.oracle.lines) {
            let counted = (stats.packets, stats.messages, stats.lost());
            let due = (truth.packets, truth.messages, truth.lost());
            if counted != due || stats.duplicates > truth.data {
                return fail(
                    "a line's counters are wrong",
                    (counted, due, stats.duplicates),
                );
            }
            first += stats.first;
            duplicates += stats.duplicates;
        }
        if first != tally.messages {
            return fail(
                "lines and recovery did not bring what came out",
                (first, tally),
            );
        }
        let duplicates_due = match self.control {
            Some(_) => sequence.duplicates.max(duplicates),
            None => duplicates,
        };
        if sequence.duplicates != duplicates_due {
            return fail("duplicates are wrong", (sequence.duplicates, duplicates));
        }
        Ok(())
    }
}

/// The place of the packet that announces a session.
const HERALD: usize = usize::MAX;

/// Whether the books are held against the clean ones all along: where states make good for what is lost.
fn is_watched<P: Protocol>(scenario: &Scenario) -> bool {
    let recovery = scenario.recovery.as_ref();
    P::Decoder::BY_INSTRUMENT || recovery.is_some_and(|r| !r.service.brings_messages())
}

/// The digest of records but for the times of mappings: those have none of their own, and say when their packet was sent.
fn timeless(records: &[Record]) -> Digest {
    let mut digest = Digest::EMPTY;
    records.iter().map(timed).for_each(|r| digest.update(&r));
    digest
}

/// A record without the time of a mapping.
fn timed(record: &Record) -> Record {
    let mut record = *record;
    if record.data.kind == Kind::DIRECTORY.0 {
        record.data.timestamp = Default::default();
    }
    record
}

/// What is sent on all lines, in order.
fn sends(play: &Play) -> Vec<(u64, usize, usize, usize)> {
    let mut sends = Vec::new();
    for (number, epoch) in play.epochs.iter().enumerate() {
        for (line, packets) in epoch.lines.iter().enumerate() {
            if epoch.herald.is_some() {
                sends.push((epoch.start, line, number, HERALD));
            }
            let places = packets.iter().enumerate();
            sends.extend(places.map(|(place, packet)| (packet.at, line, number, place)));
        }
    }
    sends.sort_by_key(|send| send.0);
    sends
}

/// The frames of a datagram.
fn seen<P: Protocol>(datagram: &[u8]) -> Vec<Seen> {
    let (mut framing, mut frames, mut rest) = (P::Framing::default(), Vec::new(), datagram);
    while let Ok((frame, after)) = framing.open(rest) {
        frames.push(Seen {
            unit: crate::play::unit::<P>(frame.unit),
            span: frame.span,
            carries: frame.carries,
        });
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    frames
}

/// Up to the first gap or the end of a session that was not whole, records are those without faults.
fn same_until_a_gap(records: &[Record], truth: &[Record], repeated: bool) -> Result<(), Failure> {
    let parts = |r: &Record| {
        let clear = r.data.kind == Kind::CLEAR.0 && r.instrument.get() == NO_INSTRUMENT;
        r.data.kind == Kind::GAP.0 || clear
    };
    let until = records.iter().position(parts).unwrap_or(records.len());
    let said = |r: &Record| {
        let r = if repeated { timed(r) } else { *r };
        (r.data, r.sequence.get(), r.order_id.get())
    };
    let wrong = (0..until).find(|&i| truth.get(i).map(said) != Some(said(&records[i])));
    match wrong {
        Some(i) => fail("another record", (i, records[i], truth.get(i))),
        None => Ok(()),
    }
}
