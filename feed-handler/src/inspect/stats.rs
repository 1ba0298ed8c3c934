//! Counts over a capture: packets, messages by type, what was lost and what came twice.

use super::intervals::Arrived;
use super::lines::{Channels, Lines};
use super::routes::{Route, Routes};
use super::{DetectError, Dissect, Streams, Tally, View};
use crate::transport::{FrameKind, Session};
use feed_common::capture::{Datagram, Lend};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// The facts of `stats`, in their fixed shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Frames of recognised streams, heartbeats included; none in a BinaryFILE.
    pub packets: u64,
    /// Messages, each once however many lines carried it.
    pub messages: u64,
    /// Of which type; empty messages have none.
    pub by_type: BTreeMap<String, u64>,
    /// Holes per channel after merging its lines, from the first sequence seen.
    pub gaps: u64,
    /// Messages in them.
    pub lost: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Frames that carried no message.
    pub heartbeats: u64,
    /// Messages without sequence numbers, taken as they came.
    pub unsequenced: u64,
    /// Sessions after the first, over all channels.
    pub restarts: u64,
    /// Channels after merging lines.
    pub channels: u64,
    /// Streams that are of no known protocol, and therefore not counted above.
    pub unrecognised_streams: u64,
    /// What was malformed, by name: whole packets, and single messages of good ones.
    pub errors: BTreeMap<&'static str, u64>,
    /// What was odd and counted all the same, by name.
    pub oddities: BTreeMap<&'static str, u64>,
    /// What the specification calls the types that occur.
    pub type_names: BTreeMap<String, &'static str>,
}

/// Counts a capture. `pass` begins one reading of it; the one that counted is handed back when it has come to its end.
/// Streams that are not `given` are told by their bytes. One reading and a look at its beginning suffice, unless what
/// streams are and which are lines of one channel shows late.
pub fn stats<D: Lend>(
    pass: impl Fn() -> D,
    given: Option<&Streams>,
    lines: &Lines,
) -> Result<(Stats, D), DetectError> {
    let mut routes = Routes::guess(&pass, given, lines);
    let (mut counter, mut datagrams) = Counter::count(pass(), &mut routes);
    let streams = match given {
        Some(streams) => streams.clone(),
        None => routes.streams()?,
    };
    let unrecognised = streams.unrecognised();
    let channels = match routes.confirmed(&streams, lines) {
        Some(channels) => channels.count(),
        None => {
            let channels = Channels::new(pass(), &streams, lines);
            let count = channels.count();
            routes = Routes::certain(streams, channels);
            (counter, datagrams) = Counter::count(pass(), &mut routes);
            count
        }
    };
    let mut stats = counter.finish(routes.protocols());
    stats.channels = channels as u64;
    stats.unrecognised_streams = unrecognised as u64;
    Ok((stats, datagrams))
}

struct Counter {
    stats: Stats,
    /// Per channel.
    sessions: Vec<Sessions>,
    /// In the order of [`Routes::protocols`].
    tallies: Vec<Tally>,
    /// What the frame at hand brings; kept for its memory.
    new: Vec<Range<u64>>,
}

/// What came of each session of a channel: lines need not change sessions at the same moment.
#[derive(Default)]
struct Sessions {
    numbers: HashMap<Session, usize>,
    arrived: Vec<Arrived>,
    /// The one that the last frame was of.
    last: Option<(Session, usize)>,
}

impl Counter {
    fn count<D: Lend>(mut datagrams: D, routes: &mut Routes) -> (Counter, D) {
        let mut counter = Counter {
            stats: Stats::default(),
            sessions: Vec::new(),
            tallies: Vec::new(),
            new: Vec::new(),
        };
        while let Some(datagram) = datagrams.lend() {
            if let Some(route) = routes.of(&datagram) {
                counter.datagram(routes, &route, &datagram);
            }
        }
        (counter, datagrams)
    }

    fn datagram(&mut self, routes: &mut Routes, route: &Route, d: &Datagram<'_>) {
        self.stats.packets += u64::from(d.dst.is_some());
        if self.sessions.len() <= route.channel {
            self.sessions
                .resize_with(route.channel + 1, Sessions::default);
        }
        if self.tallies.len() <= route.slot {
            self.tallies.resize_with(route.slot + 1, Tally::default);
        }
        if !routes.compares() && self.next_in_order(route, d.payload) {
            return;
        }
        let (mut had_data, mut had_new) = (false, false);
        let mut rest = d.payload;
        // Every frame has a header, so the rest gets shorter.
        loop {
            // Used where it lies: moving it reads in one piece what was just written in several, and waits for that.
            let opened = route.protocol.open(rest, d.number);
            let frame = match &opened {
                Ok(frame) => frame,
                Err(e) => {
                    *self.stats.errors.entry(e.name()).or_default() += 1;
                    break;
                }
            };
            if rest.len() == d.payload.len() {
                routes.compare(route, frame, d.payload);
            }
            if frame.kind == FrameKind::Unsequenced {
                self.new.clear();
                self.new.push(frame.span.first..frame.span.end());
                self.stats.unsequenced += frame.span.count;
            } else {
                let arrived = self.sessions[route.channel].of(&frame.session);
                arrived.add(frame.span, &mut self.new);
            }
            if frame.span.count == 0 {
                self.stats.heartbeats += 1;
            } else {
                had_data = true;
                had_new |= !self.new.is_empty();
                self.messages(route, frame);
            }
            rest = frame.rest;
            if rest.is_empty() {
                break;
            }
        }
        self.stats.duplicates += u64::from(had_data && !had_new);
    }

    /// Counts a datagram that goes on where the one before it ended, as nearly all do, in one walk over its messages.
    #[inline]
    fn next_in_order(&mut self, route: &Route, datagram: &[u8]) -> bool {
        let tally = &mut self.tallies[route.slot];
        let sessions = &mut self.sessions[route.channel];
        let Some((session, number)) = &sessions.last else {
            return false;
        };
        let arrived = &mut sessions.arrived[*number];
        let Some(next) = arrived.next() else {
            return false;
        };
        match route.protocol.tally_next(datagram, session, next, tally) {
            Some(count) => arrived.extend(count),
            None => return false,
        }
        true
    }

    /// Counts the messages of a frame whose numbers are new.
    fn messages(&mut self, route: &Route, frame: &View<'_>) {
        let tally = &mut self.tallies[route.slot];
        match &self.new[..] {
            [] => {}
            [all] if (all.start, all.end) == (frame.span.first, frame.span.end()) => {
                route.protocol.tally(frame, tally);
            }
            parts => tally_parts(route.protocol, frame, parts, tally),
        }
    }

    fn finish(mut self, protocols: &[&dyn Dissect]) -> Stats {
        for sessions in &self.sessions {
            self.stats.restarts += (sessions.arrived.len() as u64).saturating_sub(1);
            for arrived in &sessions.arrived {
                let (gaps, lost) = arrived.holes();
                self.stats.gaps += gaps;
                // The sum over sessions of hostile numbers could leave the range.
                self.stats.lost = self.stats.lost.saturating_add(lost);
            }
        }
        for (protocol, tally) in protocols.iter().zip(&self.tallies) {
            tally.add_to(&mut self.stats, *protocol);
        }
        self.stats
    }
}

impl Sessions {
    #[inline]
    fn of(&mut self, session: &Session) -> &mut Arrived {
        let number = match &self.last {
            Some((last, number)) if last == session => *number,
            _ => {
                let next = self.arrived.len();
                let number = *self.numbers.entry(*session).or_insert(next);
                if number == next {
                    self.arrived.push(Arrived::default());
                }
                self.last = Some((*session, number));
                number
            }
        };
        &mut self.arrived[number]
    }
}

/// Counts the messages of a frame whose numbers are in `parts`, sorted and disjoint.
fn tally_parts(
    protocol: &dyn Dissect,
    frame: &View<'_>,
    mut parts: &[Range<u64>],
    tally: &mut Tally,
) {
    let mut number = frame.span.first;
    protocol.messages(frame, &mut |message| {
        while let [part, rest @ ..] = parts
            && part.end <= number
        {
            parts = rest;
        }
        let Some(part) = parts.first() else {
            return false;
        };
        if part.contains(&number) {
            tally.message(message);
        }
        number += 1;
        true
    });
}

#[cfg(test)]
mod tests;
