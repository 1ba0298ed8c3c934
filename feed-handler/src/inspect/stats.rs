//! Counts over a capture: packets, messages by type, what was lost and what came twice.

use super::intervals::Arrived;
use super::lines::{Channels, Lines};
use super::numberings::Numberings;
use super::recent::Recent;
use super::routes::{Route, Routes};
use super::{DetectError, Dissect, Streams, Tally, View};
use crate::transport::FrameKind;
use feed_common::capture::{Datagram, Lend};
use serde::Serialize;
use std::collections::BTreeMap;
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
    sessions: Vec<Numberings<Numbers>>,
    /// In the order of [`Routes::protocols`].
    tallies: Vec<Tally>,
    /// What the frame at hand brings; kept for its memory.
    new: Vec<Range<u64>>,
}

/// What came of one numbering.
#[derive(Default)]
struct Numbers {
    arrived: Arrived,
    /// The last packets of one frame of data, where lines are to be found: what brings one again brings nothing new.
    recent: Recent,
}

impl Counter {
    fn count<D: Lend>(mut datagrams: D, routes: &mut Routes) -> (Counter, D) {
        let mut counter = Counter {
            stats: Stats::default(),
            sessions: Vec::new(),
            tallies: Vec::new(),
            new: Vec::new(),
        };
        while let Some(d) = datagrams.lend() {
            let stream = routes.stream(d.dst);
            // By its parts: what is handed over as a whole is written to memory and read back.
            if counter.follows(routes, stream, d.payload) {
                counter.stats.packets += u64::from(d.dst.is_some());
            } else {
                counter.any(routes, stream, &Datagram { ..d });
            }
        }
        (counter, datagrams)
    }

    /// Counts a datagram that nearly all are like: it goes on where the one before it in its session ended, or brings
    /// again what another line has just brought. False, and nothing counted, for any other.
    #[inline(always)]
    fn follows(&mut self, routes: &mut Routes, stream: usize, payload: &[u8]) -> bool {
        let Some(&Route {
            protocol,
            slot,
            channel,
        }) = routes.settled(stream)
        else {
            return false;
        };
        let (Some(tally), Some(sessions)) =
            (self.tallies.get_mut(slot), self.sessions.get_mut(channel))
        else {
            return false;
        };
        let Some((session, Numbers { arrived, recent })) = sessions.last() else {
            return false;
        };
        let Some(next) = arrived.next() else {
            return false;
        };
        let counted = protocol.tally_next(payload, session, next, tally);
        if let Some(count) = counted {
            arrived.extend(count);
        }
        let Some(evidence) = routes.evidence() else {
            return counted.is_some();
        };
        if counted.is_some() {
            if let Some(exhibit) = evidence.keep(stream, protocol, session, next, payload) {
                recent.remember(payload, exhibit);
            }
            return true;
        }
        let Some(exhibit) = recent.find(payload) else {
            return false;
        };
        evidence.again(stream, protocol, session, exhibit);
        self.stats.duplicates += 1;
        true
    }

    /// Counts any datagram.
    #[inline(never)]
    fn any(&mut self, routes: &mut Routes, stream: usize, d: &Datagram<'_>) {
        let Some(route) = routes.of(stream, d) else {
            return;
        };
        self.stats.packets += u64::from(d.dst.is_some());
        if self.sessions.len() <= route.channel {
            self.sessions
                .resize_with(route.channel + 1, Numberings::default);
        }
        if self.tallies.len() <= route.slot {
            self.tallies.resize_with(route.slot + 1, Tally::default);
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
            let is_first = rest.len() == d.payload.len();
            let exhibit = routes
                .evidence()
                .filter(|_| is_first)
                .and_then(|evidence| evidence.take(stream, route.protocol, frame, d.payload));
            if frame.kind == FrameKind::Unsequenced {
                self.new.clear();
                self.new.push(frame.span.first..frame.span.end());
                self.stats.unsequenced += frame.span.count;
            } else {
                let (numbers, _) = self.sessions[route.channel].of(frame);
                numbers.arrived.add(frame.span, &mut self.new);
                if let Some(exhibit) = exhibit
                    && frame.span.count > 0
                    && frame.rest.is_empty()
                {
                    numbers.recent.remember(d.payload, exhibit);
                }
            }
            if frame.span.count == 0 {
                self.stats.heartbeats += 1;
            } else {
                had_data = true;
                had_new |= !self.new.is_empty();
                self.messages(&route, frame);
            }
            rest = frame.rest;
            if rest.is_empty() {
                break;
            }
        }
        self.stats.duplicates += u64::from(had_data && !had_new);
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
            self.stats.restarts += sessions.restarts();
            for Numbers { arrived, .. } in sessions.all() {
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
