//! What a lane may do, judged while it does it.
//!
//! The oracle sees every packet that is handed to the lane, just before, and everything that the lane does then. It knows
//! the session without faults. So it can say that
//!
//! - every message is delivered once, in order, under its own number, with its own bytes, or lies in a gap record that
//!   covers exactly what is missing;
//! - nothing that was handed to the lane is ever in a gap, and no gap is declared before the lines, and then recovery,
//!   have had their time;
//! - trust follows the gaps;
//! - the counters agree with what was handed in.

use crate::lines::LineTruth;
use crate::play::{Message, Truth};
use crate::scenario::{Scenario, Service};
use crate::trace::Deed;
use feed_common::event::Trust;
use feed_handler::sequence::SeqSpan;
use feed_replay::fault::Spans;
use std::collections::BTreeMap;
use std::fmt;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In a few words: shrinking keeps to the same ones.
    pub what: &'static str,
    /// With numbers.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.detail)
    }
}

/// As a verdict.
pub fn fail<T>(what: &'static str, detail: impl fmt::Debug) -> Result<T, Failure> {
    Err(Failure {
        what,
        detail: format!("{detail:?}"),
    })
}

/// A frame that is handed to the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Of which numbering.
    pub unit: u8,
    /// Its numbers.
    pub span: SeqSpan,
    /// Messages in it.
    pub carries: u32,
}

/// What happened in the lane while it did something.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time it was given.
    pub now: u64,
    /// Its stash had no room.
    pub stash_full: bool,
    /// It had been told that nothing more will come.
    pub ended: bool,
}

/// What was counted besides what lines and gaps say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages delivered.
    pub messages: u64,
    /// Gap records.
    pub gaps: u64,
    /// Numbers in them.
    pub lost: u64,
    /// Sessions after the first.
    pub restarts: u64,
    /// Frames of sessions that had been replaced.
    pub old_session: u64,
    /// Datagrams that were none.
    pub malformed: u64,
    /// What recovery brought and nobody can use.
    pub stray: u64,
}

/// The judge of one lane.
pub struct Oracle<'a> {
    scenario: &'a Scenario,
    truth: &'a Truth,
    /// The session the lane is in.
    epoch: Option<usize>,
    /// The sessions it has heard of, in their order.
    heard: Vec<usize>,
    /// The session that it must turn to now, and with which frames.
    turning: Option<(usize, Vec<Seen>, u64)>,
    units: BTreeMap<u8, Unit>,
    /// Numbers of the session that recovery has said it cannot have.
    failed: Spans,
    /// The lines, and what they brought.
    pub lines: Vec<LineTruth>,
    /// What was counted.
    pub tally: Tally,
    /// Nothing of any session so far is missing, and none was joined late.
    whole: bool,
    /// The lane has heard the first message of the first session.
    from_the_start: bool,
    /// Trust is of instruments, and not of all that there is.
    by_instrument: bool,
    /// What the lane is being handed of a snapshot.
    snapshot: Option<Part>,
    /// When the lane got on with the one that it takes.
    taking: Option<u64>,
    /// A session was joined late and its beginning not asked for, or the stash had no room for what waited.
    joined_live: bool,
    overflowed: bool,
}

/// A part of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Begins,
    /// A message, by its hash.
    Message(u64),
    /// With the number behind it.
    Ends(u8, u64),
}

/// One numbering of the session at hand.
#[derive(Debug)]
struct Unit {
    /// Where it begins for this lane.
    start: u64,
    /// The next of its messages.
    place: usize,
    /// Behind the highest number that was seen or announced, and when it came to be that.
    reached: Vec<(u64, u64)>,
    /// What the lane was handed.
    handed: Spans,
    /// Something of the books is not known; `None` where the lane decides, with its next message.
    doubtful: Option<bool>,
    /// Its beginning is waited for, and was never the lane's to deliver.
    joining: bool,
    /// The lines bring that themselves: it is known when the lane says so.
    filling: bool,
}

impl Unit {
    fn reached(&self) -> u64 {
        self.reached
            .last()
            .map_or(self.start, |&(reached, _)| reached)
    }

    /// When something behind a number was first heard of.
    fn revealed(&self, number: u64) -> Option<u64> {
        let at = self
            .reached
            .partition_point(|&(reached, _)| reached <= number);
        self.reached.get(at).map(|&(_, at)| at)
    }

    /// What is before a number is not the lane's to deliver.
    fn jump(&mut self, messages: &[Message], number: u64) {
        (self.joining, self.start) = (false, number);
        self.place = messages.partition_point(|m| m.end() <= number);
    }

    /// The next number that the lane has to deliver.
    fn next(&self, messages: &[Message]) -> u64 {
        match (messages.get(self.place), messages.last()) {
            (Some(message), _) => message.sequence.max(self.start),
            (None, Some(last)) => last.end().max(self.start),
            (None, None) => self.start,
        }
    }
}

impl<'a> Oracle<'a> {
    /// A judge of what a lane makes of a scenario.
    pub fn new(scenario: &'a Scenario, truth: &'a Truth, by_instrument: bool) -> Oracle<'a> {
        let line = |_| LineTruth::default();
        Oracle {
            scenario,
            truth,
            epoch: None,
            heard: Vec::new(),
            turning: None,
            units: BTreeMap::new(),
            failed: Spans::default(),
            lines: (0..scenario.lines.len()).map(line).collect(),
            tally: Tally::default(),
            whole: true,
            from_the_start: true,
            by_instrument,
            snapshot: None,
            taking: None,
            joined_live: false,
            overflowed: false,
        }
    }

    /// The session the lane is in.
    pub fn epoch(&self) -> Option<usize> {
        self.epoch
    }

    /// Whether a session was over before the lane heard of it, and a later one has been: it cannot know that it is not a
    /// new one.
    pub fn is_before_its_time(&self, epoch: usize) -> bool {
        self.epoch > Some(epoch) && !self.heard.contains(&epoch)
    }

    /// A datagram is about to be handed in that is none.
    pub fn malformed(&mut self) {
        self.tally.malformed += 1;
    }

    /// The frames of a datagram of a session are about to be handed in, from a line or, without one, from recovery.
    pub fn arrives(&mut self, line: Option<usize>, epoch: usize, frames: &[Seen], now: u64) {
        let hand = self.epoch;
        let stays = hand == Some(epoch);
        match line {
            None if stays && frames.iter().all(|f| f.span.count > 0) => self.reach(frames, now),
            None if hand > Some(epoch) && frames.iter().all(|f| f.span.count > 0) => {
                self.tally.old_session += 1;
            }
            None => self.tally.stray += 1,
            Some(_) if hand > Some(epoch) => self.tally.old_session += 1,
            Some(line) => {
                match hand {
                    None => {
                        self.epoch = Some(epoch);
                        self.heard.push(epoch);
                        self.whole &= epoch == 0;
                        self.from_the_start &= epoch == 0;
                        self.reach(frames, now);
                    }
                    Some(_) if stays => self.reach(frames, now),
                    Some(_) => {
                        self.lines.iter_mut().for_each(LineTruth::restart);
                        self.turning = Some((epoch, frames.to_vec(), now));
                    }
                }
                self.lines[line].bring(frames);
            }
        }
    }

    /// Whether the messages of a session that was joined late are asked for, or a snapshot in their place.
    fn asks_for_start(&self) -> (bool, bool) {
        let recovery = self.scenario.recovery.as_ref();
        let start = recovery.filter(|r| r.start).map(|r| r.service);
        (
            start.is_some_and(Service::brings_messages),
            start == Some(Service::Glimpse),
        )
    }

    fn reach(&mut self, frames: &[Seen], now: u64) {
        let (messages_asked, snapshot_asked) = self.asks_for_start();
        for frame in frames {
            let messages = self.truth.epochs[self.epoch.unwrap_or(0)].get(&frame.unit);
            let messages = messages.map_or(&[][..], Vec::as_slice);
            let unit = self.units.entry(frame.unit).or_insert_with(|| {
                let late = frame.span.first > 1;
                let start = match messages_asked || snapshot_asked {
                    true => frame.span.first.min(1),
                    false => frame.span.first,
                };
                Unit {
                    start,
                    place: messages.partition_point(|m| m.end() <= start),
                    reached: Vec::new(),
                    handed: Spans::default(),
                    doubtful: Some(late && !messages_asked),
                    joining: late && snapshot_asked,
                    filling: false,
                }
            });
            self.joined_live |= unit.start > 1;
            let from_the_start = unit.start <= 1 && !unit.joining;
            self.whole &= from_the_start;
            if self.epoch == Some(0) {
                self.from_the_start &= from_the_start;
            }
            if frame.span.end() > unit.reached() {
                unit.reached.push((frame.span.end(), now));
            }
        }
    }

    /// The frames have been handed in.
    pub fn arrived(&mut self, epoch: usize, frames: &[Seen]) -> Result<(), Failure> {
        if let Some((epoch, ..)) = self.turning {
            return fail("a new session was not begun", epoch);
        }
        for frame in frames.iter().filter(|_| self.epoch == Some(epoch)) {
            if let Some(unit) = self.units.get_mut(&frame.unit) {
                unit.handed.add(frame.span.first..frame.span.end());
            }
        }
        Ok(())
    }

    /// Recovery has said that messages of a session cannot be had.
    pub fn failed(&mut self, epoch: usize, span: SeqSpan) {
        if self.epoch == Some(epoch) {
            self.failed.add(span.first..span.end());
        }
    }

    /// The lane is about to be told that a snapshot begins.
    pub fn snapshot_begins(&mut self) {
        self.snapshot = Some(Part::Begins);
    }

    /// It is about to be handed a message of the snapshot.
    pub fn snapshot_message(&mut self, hash: u64) {
        self.snapshot = Some(Part::Message(hash));
    }

    /// It is about to be told that the snapshot is whole.
    pub fn snapshot_ends(&mut self, unit: u8, next: u64) {
        self.snapshot = Some(Part::Ends(unit, next));
    }

    /// It is about to be told that there is no snapshot.
    pub fn snapshot_failed(&mut self) {
        self.taking = None;
        let reached = self.units.values().map(Unit::reached).max();
        self.failed.add(0..reached.unwrap_or(0));
    }

    /// It has been handed something; what it had to do about that it has done.
    pub fn handed(&mut self) -> Result<(), Failure> {
        match self.snapshot.take() {
            Some(Part::Message(hash)) if self.is_taking() => {
                // Nothing is missing any more, or was given up for want of room: it is not wanted.
                if self.open().is_some() && !self.overflowed {
                    return fail("a message of a snapshot was left out", hash);
                }
            }
            Some(Part::Ends(key, next)) if self.is_taking() => self.gone_on(key, next),
            _ => return Ok(()),
        }
        self.taking = None;
        Ok(())
    }

    /// The lane takes a snapshot.
    pub fn is_taking(&self) -> bool {
        self.taking.is_some()
    }

    /// The lane goes on with `next`: of a beginning that was waited for nothing came, and it is not waited for any more.
    pub fn goes_on(&mut self, next: u64) {
        let truth = self.truth;
        if let Some((unit, messages)) = self.unit(0, truth)
            && unit.joining
            && next > unit.start
        {
            unit.jump(messages, next);
        }
    }

    /// The lane has taken a snapshot, or found it of no use, and said nothing about it before what comes now.
    fn gone_on(&mut self, key: u8, next: u64) {
        let truth = self.truth;
        if let Some((unit, messages)) = self.unit(key, truth) {
            if unit.joining {
                unit.jump(messages, next);
                unit.doubtful = Some(false);
            } else if unit.next(messages) == next {
                unit.doubtful = None;
            }
        }
    }

    /// Judges what the lane did.
    pub fn judge(&mut self, deeds: &[Deed], moment: Moment) -> Result<(), Failure> {
        self.overflowed |= moment.stash_full;
        for &deed in deeds {
            match deed {
                Deed::Message {
                    unit,
                    sequence,
                    numbers,
                    hash,
                    trust,
                } => {
                    let message = Message {
                        sequence,
                        numbers,
                        hash,
                    };
                    self.delivered(unit, message, trust, moment)?;
                }
                Deed::Gap { unit, first, count } => {
                    self.declared(unit, SeqSpan { first, count }, moment)?;
                }
                Deed::Restart if self.snapshot == Some(Part::Begins) => {
                    self.snapshot = None;
                    self.taking = Some(moment.now);
                    // Whoever reads the records knows nothing of what comes until it is whole.
                    self.units.values_mut().for_each(|unit| {
                        (unit.filling, unit.doubtful) = (false, Some(true));
                    });
                    self.whole = false;
                }
                Deed::Restart => self.turned()?,
            }
        }
        Ok(())
    }

    fn delivered(
        &mut self,
        key: u8,
        message: Message,
        trust: Trust,
        moment: Moment,
    ) -> Result<(), Failure> {
        if let Some(Part::Message(hash)) = self.snapshot {
            self.snapshot = None;
            let taken = self.taking.replace(moment.now);
            return match hash == message.hash && taken.is_some() && trust == Trust::RECOVERING {
                true => Ok(()),
                false => fail("not the message of the snapshot", (key, message, trust)),
            };
        }
        self.tally.messages += message.numbers;
        let (truth, by_instrument) = (self.truth, self.by_instrument);
        let taking = self.taking.take();
        if let (Some(Part::Ends(of, next)), Some(_)) = (self.snapshot, taking)
            && of == key
        {
            self.gone_on(key, next);
        } else if let Some(since) = taking {
            // It may be given up, without anything missing then, and not before.
            let limit = self.scenario.recovery.as_ref().map(|r| r.limit);
            let given_up = moment.ended || moment.now - since >= limit.unwrap_or(0);
            if !given_up && !moment.stash_full {
                return fail("done to books that a snapshot is to fill", (key, message));
            }
        }
        let Some((unit, messages)) = self.unit(key, truth) else {
            return fail("a message of no unit", (key, message));
        };
        if unit.joining && message.sequence > unit.start {
            // Nobody had the beginning: it goes on with what it holds.
            unit.jump(messages, message.sequence);
        }
        unit.filling |= std::mem::take(&mut unit.joining);
        let expected = messages.get(unit.place);
        if expected != Some(&message) {
            return fail("not the next message", (key, message, expected));
        }
        unit.place += 1;
        let doubted = trust != Trust::VALID;
        if unit.filling {
            (unit.filling, unit.doubtful) = (doubted, None);
        }
        if *unit.doubtful.get_or_insert(doubted) != doubted && !by_instrument {
            return fail("trust does not follow the gaps", (key, message, trust));
        }
        Ok(())
    }

    fn declared(&mut self, key: u8, gap: SeqSpan, moment: Moment) -> Result<(), Failure> {
        self.tally.gaps += 1;
        self.tally.lost += gap.count;
        self.whole = false;
        let truth = self.truth;
        let turning = self.turning.is_some();
        let failed = self.failed.clone();
        let (window, recovery) = (self.scenario.handler.window, &self.scenario.recovery);
        let recoverable = self.scenario.is_recoverable();
        // What waited behind it is done to the books that a snapshot was to fill: that is not wanted any more.
        let taking = self.taking.take();
        let snapshot = self.snapshot.filter(|_| taking.is_some());
        let Some((unit, messages)) = self.unit(key, truth) else {
            return fail("a gap of no unit", (key, gap));
        };
        if unit.joining && gap.first > unit.start && snapshot.is_none() {
            unit.jump(messages, gap.first); // nobody had the beginning, and nothing came right behind it
        }
        let next = unit.next(messages);
        if snapshot == Some(Part::Ends(key, gap.end())) && gap.first == next {
            // All of it is in the snapshot, whether it came or not.
            unit.doubtful = Some(false);
            unit.place = messages.partition_point(|m| m.end() <= gap.end());
            if gap.end() > unit.reached() {
                unit.reached.push((gap.end(), moment.now));
            }
            return Ok(());
        }
        (unit.filling, unit.doubtful) = (false, Some(true));
        if gap.count == 0 || gap.first != next || gap.end() > unit.reached() {
            return fail(
                "a gap that is not what is missing",
                (key, gap, next, unit.reached()),
            );
        }
        let held = |&number: &u64| unit.handed.contains(number);
        if let Some(number) = (gap.first..gap.end()).find(held) {
            return fail("lost what it had been handed", (key, gap, number));
        }
        let more = messages[unit.place..].iter();
        unit.place += more.take_while(|m| m.end() <= gap.end()).count();
        let next = unit.next(messages);
        if next != gap.end() {
            return fail("a gap that is not what is missing", (key, gap, next));
        }
        if moment.stash_full || turning || snapshot.is_some() {
            return Ok(());
        }
        if moment.ended {
            return fail("a hole was left open", (key, gap));
        }
        if recoverable {
            return fail("lost what a server had", (key, gap));
        }
        let Some(revealed) = unit.revealed(gap.end() - 1) else {
            return fail("a gap that nothing shows", (key, gap));
        };
        let waited = moment.now - revealed;
        let asked = recovery.as_ref().filter(|r| r.wishes >= 4_096);
        // Holes that there is no room to part, since too many of their messages cannot be had, fail as a whole.
        let crowded =
            |ask: u16| failed.count() / u64::from(ask.max(1)) > self.scenario.handler.stash as u64;
        let due = match asked.filter(|r| r.service != Service::Mdp3) {
            Some(r) if crowded(r.ask) => window,
            Some(r) if (gap.first..gap.end()).any(|n| !failed.contains(n)) => window + r.limit,
            _ => window,
        };
        if waited < due {
            return fail("given up before its time", (key, gap, waited, due));
        }
        Ok(())
    }

    fn unit<'t>(&mut self, key: u8, truth: &'t Truth) -> Option<(&mut Unit, &'t [Message])> {
        let messages = truth.epochs[self.epoch?].get(&key)?;
        Some((self.units.get_mut(&key)?, messages))
    }

    fn turned(&mut self) -> Result<(), Failure> {
        let Some((epoch, frames, now)) = self.turning.take() else {
            return fail("a new session out of nothing", self.epoch);
        };
        self.settled(true)?;
        self.tally.restarts += 1;
        self.whole &= self.is_complete() && self.epoch.map(|e| e + 1) == Some(epoch);
        self.units.clear();
        self.failed = Spans::default();
        self.epoch = Some(epoch);
        self.heard.push(epoch);
        self.reach(&frames, now);
        Ok(())
    }

    /// Everything that was seen or announced has been delivered or declared.
    fn settled(&self, leaving: bool) -> Result<(), Failure> {
        match self.open() {
            Some((key, next, reached)) if leaving => {
                fail("a session left with messages missing", (key, next, reached))
            }
            Some((key, next, reached)) => fail("not all came out", (key, next, reached)),
            None => Ok(()),
        }
    }

    /// A unit with something that was seen or announced, and neither delivered nor declared.
    fn open(&self) -> Option<(u8, u64, u64)> {
        let truth = &self.truth.epochs[self.epoch?];
        self.units.iter().find_map(|(&key, unit)| {
            let next = unit.next(truth.get(&key).map_or(&[], Vec::as_slice));
            (next < unit.reached()).then(|| (key, next, unit.reached()))
        })
    }

    /// True while the lane waits for something.
    pub fn waits(&self) -> bool {
        self.open().is_some()
    }

    /// Every message of the session at hand has been delivered.
    fn is_complete(&self) -> bool {
        let Some(epoch) = self.epoch else {
            return false;
        };
        let truth = &self.truth.epochs[epoch];
        truth.iter().all(|(key, messages)| {
            self.units
                .get(key)
                .is_some_and(|unit| unit.place == messages.len())
        })
    }

    /// The last message of all has been delivered, or declared.
    pub fn is_at_the_end(&self) -> bool {
        self.epoch == Some(self.truth.epochs.len() - 1) && self.is_complete()
    }

    /// Something is not known that a snapshot would have said.
    pub fn is_in_doubt(&self) -> bool {
        let excused = self.joined_live || self.overflowed;
        let mut units = self.units.values();
        !excused && units.any(|unit| unit.doubtful == Some(true))
    }

    /// Whether the lane has heard the first message of the first session, so that records begin as they do without
    /// faults.
    pub fn is_from_the_start(&self) -> bool {
        self.from_the_start
    }

    /// Judges the end; true when all sessions came out whole.
    pub fn end(&mut self) -> Result<bool, Failure> {
        self.settled(false)?;
        Ok(self.whole && self.is_at_the_end())
    }
}
