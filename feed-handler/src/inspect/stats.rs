//! Counts over a capture: packets, messages by type, what was lost and what came twice.

use super::intervals::Arrived;
use super::lines::{Channels, Lines};
use super::{Dissect, Streams, View};
use crate::protocol::DecodeError;
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

/// Counts a capture. `pass` begins one reading of it: the first pairs lines, the second counts, and is handed back when
/// it has come to its end.
pub fn stats<D: Lend>(pass: impl Fn() -> D, streams: &Streams, lines: &Lines) -> (Stats, D) {
    let channels = Channels::new(pass(), streams, lines);
    let mut counter = Counter {
        sessions: (0..channels.count()).map(|_| HashMap::new()).collect(),
        ..Counter::default()
    };
    let mut datagrams = pass();
    while let Some(datagram) = datagrams.lend() {
        if let (Some(protocol), Some(channel)) = (streams.of(&datagram), channels.of(&datagram)) {
            counter.datagram(protocol, channel, &datagram);
        }
    }
    let mut stats = counter.finish();
    stats.channels = channels.count() as u64;
    stats.unrecognised_streams = streams.unrecognised() as u64;
    (stats, datagrams)
}

#[derive(Default)]
struct Counter {
    stats: Stats,
    /// Per channel, what came of each session: lines need not change sessions at the same moment.
    sessions: Vec<HashMap<Session, Arrived>>,
    /// By protocol and type code.
    types: Vec<(&'static str, Types)>,
    /// What the frame at hand brings; kept for its memory.
    new: Vec<Range<u64>>,
}

/// Counts by type code: codes of one byte, which most protocols have, by index.
struct Types {
    protocol: &'static dyn Dissect,
    small: [u64; 256],
    large: HashMap<u32, u64>,
}

impl Counter {
    fn datagram(&mut self, protocol: &'static dyn Dissect, channel: usize, d: &Datagram<'_>) {
        self.stats.packets += u64::from(d.dst.is_some());
        let (mut had_data, mut had_new) = (false, false);
        let mut new = std::mem::take(&mut self.new);
        let mut rest = d.payload;
        // Every frame has a header, so the rest gets shorter.
        loop {
            let frame = match protocol.open(rest, d.number) {
                Ok(frame) => frame,
                Err(e) => {
                    *self.stats.errors.entry(e.name()).or_default() += 1;
                    break;
                }
            };
            if frame.kind == FrameKind::Unsequenced {
                new.clear();
                new.push(frame.span.first..frame.span.end());
                self.stats.unsequenced += frame.span.count;
            } else {
                let arrived = self.sessions[channel].entry(frame.session).or_default();
                arrived.add(frame.span, &mut new);
            }
            if frame.span.count == 0 {
                self.stats.heartbeats += 1;
            } else {
                had_data = true;
                had_new |= !new.is_empty();
                self.messages(protocol, &frame, &new);
            }
            rest = frame.rest;
            if rest.is_empty() {
                break;
            }
        }
        self.stats.duplicates += u64::from(had_data && !had_new);
        self.new = new;
    }

    /// Counts the messages of a frame whose numbers are in `new`, sorted and disjoint.
    fn messages(&mut self, protocol: &'static dyn Dissect, frame: &View<'_>, new: &[Range<u64>]) {
        let at = match self.types.iter().position(|t| t.0 == protocol.name()) {
            Some(at) => at,
            None => {
                self.types.push((protocol.name(), Types::new(protocol)));
                self.types.len() - 1
            }
        };
        let (types, stats) = (&mut self.types[at].1, &mut self.stats);
        let (mut parts, mut number) = (new, frame.span.first);
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
                stats.messages += 1;
                let error = message.error();
                if let Some(e) = error {
                    *stats.errors.entry(e.name()).or_default() += 1;
                }
                if message.is_long() {
                    *stats.oddities.entry("message_long").or_default() += 1;
                }
                if error != Some(DecodeError::Empty) {
                    types.count(message.code());
                }
            }
            number += 1;
            true
        });
    }

    fn finish(mut self) -> Stats {
        for sessions in &self.sessions {
            self.stats.restarts += (sessions.len() as u64).saturating_sub(1);
            for arrived in sessions.values() {
                let (gaps, lost) = arrived.holes();
                self.stats.gaps += gaps;
                // The sum over sessions of hostile numbers could leave the range.
                self.stats.lost = self.stats.lost.saturating_add(lost);
            }
        }
        for (_, types) in &self.types {
            types.add_to(&mut self.stats);
        }
        self.stats
    }
}

impl Types {
    fn new(protocol: &'static dyn Dissect) -> Types {
        Types {
            protocol,
            small: [0; 256],
            large: HashMap::new(),
        }
    }

    #[inline]
    fn count(&mut self, code: u32) {
        match self.small.get_mut(code as usize) {
            Some(n) => *n += 1,
            None => *self.large.entry(code).or_default() += 1,
        }
    }

    fn add_to(&self, stats: &mut Stats) {
        let small = (0..).zip(&self.small);
        let large = self.large.iter().map(|(&code, n)| (code, n));
        for (code, &n) in small.chain(large).filter(|(_, n)| **n > 0) {
            let key = self.protocol.type_key(code);
            if let Some(name) = self.protocol.type_name(code) {
                stats.type_names.insert(key.clone(), name);
            }
            *stats.by_type.entry(key).or_default() += n;
        }
    }
}

#[cfg(test)]
mod tests;
