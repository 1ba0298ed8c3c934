//! The session an exchange plays: its packets in the order in which they are sent, and its messages by number.

mod build;

use feed_common::wire::moldudp64::{Blocks, END_OF_SESSION, Header};
use feed_common::wire::pillar;
use std::ops::Range;

pub use build::{HistoryError, Shape};

/// A session, ready to be played and to be asked for.
///
/// Messages have *numbers* that rise through the whole of it. In MoldUDP64 they are the sequence numbers of its first
/// session and go on where a later session begins anew at 1; [`History::wire`] translates. In Pillar they are the sequence
/// numbers. In other framings messages (of a made session) or packets (of a capture) are counted from 1.
#[derive(Clone, Debug)]
pub struct History {
    numbering: Numbering,
    /// All payloads, one after another.
    bytes: Vec<u8>,
    packets: Vec<Entry>,
    /// Of the packets that brought messages with higher numbers than all before them: theirs rise and do not overlap.
    index: Vec<usize>,
    /// The sessions, in order; in MoldUDP64 only.
    epochs: Vec<Epoch>,
}

/// How the packets of a session are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// By their headers. Heartbeats and the end of the session are made while it is played.
    MoldUdp64,
    /// By the headers of NYSE Pillar, as one run of numbers. Heartbeats are made while it is played; a packet that does
    /// not go on with the run is played, and is not asked for.
    Pillar,
    /// By counting; packets are played as they are.
    Counted,
}

/// A packet of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it is sent, in nanoseconds after the start.
    pub at: u64,
    /// Its messages; empty where it has none.
    pub numbers: Range<u64>,
    /// The UDP payload.
    pub payload: &'a [u8],
}

#[derive(Clone, Debug)]
struct Entry {
    at: u64,
    /// Where its payload ends in the bytes.
    end: usize,
    numbers: Range<u64>,
    /// Behind the highest number of this and all earlier packets.
    reached: u64,
}

/// A session of MoldUDP64 within the history.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    session: [u8; 10],
    /// When it begins, in nanoseconds after the start.
    at: u64,
    /// Number of its first message.
    begin: u64,
    /// Added to a sequence number it gives the number, modulo 2^64.
    offset: u64,
}

impl Epoch {
    fn sequence(&self, number: u64) -> u64 {
        number.wrapping_sub(self.offset)
    }
}

impl History {
    /// How its packets are numbered.
    pub fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// How many packets there are; those without messages do not count in MoldUDP64.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// True without packets.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The packet at a place in the order of sending.
    pub fn packet(&self, place: usize) -> Option<Packet<'_>> {
        let entry = self.packets.get(place)?;
        let begin = place
            .checked_sub(1)
            .map_or(0, |before| self.packets[before].end);
        Some(Packet {
            at: entry.at,
            numbers: entry.numbers.clone(),
            payload: &self.bytes[begin..entry.end],
        })
    }

    /// When the packet at a place is sent.
    pub fn sent_at(&self, place: usize) -> Option<u64> {
        self.packets.get(place).map(|packet| packet.at)
    }

    /// When the last packet is sent; 0 without packets.
    pub fn last_at(&self) -> u64 {
        self.packets.last().map_or(0, |packet| packet.at)
    }

    /// Behind the highest number sent by `now`: what is not below it has yet to be sent.
    pub fn reached(&self, now: u64) -> u64 {
        let sent = self.packets.partition_point(|packet| packet.at <= now);
        match sent.checked_sub(1) {
            Some(last) => self.packets[last].reached,
            None => self.begin(),
        }
    }

    /// The lowest number there is.
    pub fn begin(&self) -> u64 {
        match (self.epochs.first(), self.index.first()) {
            (Some(epoch), _) => epoch.begin,
            (None, Some(&first)) => self.packets[first].numbers.start,
            (None, None) => 1,
        }
    }

    /// Session and sequence number of a message on the wire; `None` outside MoldUDP64 and before the first message.
    pub fn wire(&self, number: u64) -> Option<([u8; 10], u64)> {
        let epoch = self
            .epochs
            .iter()
            .rev()
            .find(|epoch| epoch.begin <= number)?;
        Some((epoch.session, epoch.sequence(number)))
    }

    /// The numbers of the messages from `sequence` to the last of a session that have been sent by `now`; `None` when
    /// there was no such session, empty when there is no such message yet.
    pub fn sent_of(&self, session: &[u8; 10], sequence: u64, now: u64) -> Option<Range<u64>> {
        let known = |epoch: &Epoch| epoch.session == *session && epoch.at <= now;
        let at = self.epochs.iter().rposition(known)?;
        let epoch = &self.epochs[at];
        let reached = self.reached(now);
        let end = match self.epochs.get(at + 1) {
            Some(next) => reached.min(next.begin),
            None => reached,
        };
        // Compared as sequence numbers, which cannot pass the end of the session by wrapping around.
        let (first, behind) = (epoch.sequence(epoch.begin), epoch.sequence(end));
        match (first..behind).contains(&sequence) {
            true => Some(sequence.wrapping_add(epoch.offset)..end),
            false => Some(end..end),
        }
    }

    /// The messages from a number on, up to the first that the session does not have.
    pub fn messages(&self, from: u64) -> impl Iterator<Item = &[u8]> {
        let place = self
            .index
            .partition_point(|&i| self.packets[i].numbers.start <= from);
        let mut expected = from;
        self.index[place.saturating_sub(1)..]
            .iter()
            .map_while(move |&i| {
                let packet = self.packet(i)?;
                let skip = expected.checked_sub(packet.numbers.start)?;
                if expected >= packet.numbers.end {
                    return None;
                }
                expected = packet.numbers.end;
                Some(self.body(packet.payload).skip(skip as usize))
            })
            .flatten()
    }

    /// The packet that says at `now` what comes next, while the session goes on or after its end; `None` outside
    /// MoldUDP64.
    pub fn heartbeat(&self, now: u64, ended: bool) -> Option<Header> {
        let begun = self.epochs.partition_point(|epoch| epoch.at <= now);
        let epoch = self.epochs.get(begun.saturating_sub(1))?;
        Some(Header {
            session: epoch.session,
            sequence: epoch.sequence(self.reached(now).max(epoch.begin)).into(),
            message_count: if ended { END_OF_SESSION } else { 0 }.into(),
        })
    }

    /// The heartbeat of Pillar at `now`; `None` in other framings.
    pub fn pillar_heartbeat(&self, now: u64) -> Option<pillar::Header> {
        let time = self.pillar_time(now)?;
        let next = u32::try_from(self.reached(now)).ok()?;
        Some(pillar::PacketBuilder::new(next, pillar::MAX_PACKET).heartbeat(time))
    }

    /// The session's own time at `now`, in nanoseconds since the epoch, as its packets of Pillar say it.
    pub fn pillar_time(&self, now: u64) -> Option<u64> {
        if self.numbering != Numbering::Pillar {
            return None;
        }
        // The last one that was sent, or the first that will be.
        let sent = self.packets.partition_point(|packet| packet.at <= now);
        let near = self.packet(sent.saturating_sub(1))?;
        let (header, _) = pillar::parse(near.payload).ok()?;
        let seconds = u64::from(header.send_time.get()) * 1_000_000_000;
        let time = seconds + u64::from(header.send_time_ns.get());
        Some(time.saturating_add(now).saturating_sub(near.at))
    }

    fn body<'a>(&self, payload: &'a [u8]) -> Body<'a> {
        match self.numbering {
            Numbering::MoldUdp64 => Body::Blocks(Blocks::new(
                payload.get(size_of::<Header>()..).unwrap_or_default(),
            )),
            Numbering::Pillar => {
                Body::Messages(pillar::parse(payload).map_or_else(|_| Default::default(), |p| p.1))
            }
            Numbering::Counted => Body::Messages(pillar::Messages::default()),
        }
    }
}

/// The messages of a packet.
enum Body<'a> {
    Blocks(Blocks<'a>),
    Messages(pillar::Messages<'a>),
}

impl<'a> Iterator for Body<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Body::Blocks(blocks) => blocks.next(),
            Body::Messages(messages) => messages.next(),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
