//! Which streams of a capture are lines of one channel.

use super::appearance::Appearance;
use super::{Dissect, Streams, View};
use crate::transport::{FrameKind, Session};
use feed_common::capture::{Datagram, Lend};
use std::collections::HashMap;
use std::net::SocketAddr;

/// How streams become channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// By their bytes: streams of one protocol and session of which at least two packets with the same sequence
    /// number are equal and none differ.
    #[default]
    Found,
    /// Each stream is a channel.
    Separate,
    /// The streams of a list are one channel, and each stream in none is one.
    Given(Vec<Vec<SocketAddr>>),
}

/// Packets of a stream that are compared at most: lines that are lines agree long before this many.
const COMPARED: u32 = 1 << 20;

/// Streams that one packet is compared in: more lines than any feed has.
const COMPARED_STREAMS: usize = 32;

/// Equal packets that make two streams lines of one channel.
const ENOUGH: u32 = 2;

/// The channel of each stream, numbered from 0 in the order of appearance.
pub(super) struct Channels {
    by_destination: HashMap<Option<SocketAddr>, usize>,
    count: usize,
}

impl Channels {
    /// Goes through the datagrams once, or not at all where there is only one stream.
    pub(super) fn new(mut datagrams: impl Lend, streams: &Streams, lines: &Lines) -> Channels {
        if let Some(only) = streams.only() {
            return Channels {
                by_destination: HashMap::from([(only, 0)]),
                count: 1,
            };
        }
        let mut appearance = Appearance::default();
        let mut evidence = Evidence::default();
        while let Some(d) = datagrams.lend() {
            let Some(protocol) = streams.of(&d) else {
                continue;
            };
            let stream = appearance.number(d.dst);
            if *lines == Lines::Found
                && let Ok(frame) = protocol.open(d.payload, d.number)
            {
                evidence.take(stream, protocol, &frame, d.payload);
            }
        }
        Channels::grouped(&appearance, streams, lines, evidence)
    }

    /// The channels of all that has appeared and is recognised; `evidence` has the packets that [`Lines::Found`] needs.
    pub(super) fn grouped(
        appearance: &Appearance,
        streams: &Streams,
        lines: &Lines,
        evidence: Evidence,
    ) -> Channels {
        let order = appearance.order();
        let mut groups = Groups::new(order.len());
        match lines {
            Lines::Separate => {}
            Lines::Given(lists) => {
                for list in lists {
                    let mut members = list.iter().filter_map(|&dst| appearance.find(Some(dst)));
                    if let Some(first) = members.next() {
                        members.for_each(|other| groups.join(first, other));
                    }
                }
            }
            Lines::Found => evidence.join(&mut groups),
        }
        let mut channels = HashMap::new();
        let recognised = order.iter().enumerate();
        let recognised = recognised.filter(|&(_, &dst)| streams.at(dst).is_some());
        let by_destination = recognised.map(|(i, &dst)| {
            let next = channels.len();
            (dst, *channels.entry(groups.root(i)).or_insert(next))
        });
        Channels {
            by_destination: by_destination.collect(),
            count: channels.len(),
        }
    }

    /// Number of channels.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Every recognised stream and its channel.
    pub(super) fn streams(&self) -> impl Iterator<Item = (Option<SocketAddr>, usize)> {
        self.by_destination
            .iter()
            .map(|(&dst, &channel)| (dst, channel))
    }

    /// The channel of a datagram of a recognised stream.
    pub(super) fn of(&self, datagram: &Datagram<'_>) -> Option<usize> {
        self.at(datagram.dst)
    }

    /// The channel of a recognised stream.
    pub(super) fn at(&self, destination: Option<SocketAddr>) -> Option<usize> {
        self.by_destination.get(&destination).copied()
    }
}

/// The packets of all streams, to be compared where they share session and sequence number.
#[derive(Default)]
pub(super) struct Evidence {
    sessions: HashMap<(&'static str, Session), u32>,
    packets: Vec<Packet>,
    taken: Vec<u32>,
}

struct Packet {
    session: u32,
    stream: u32,
    sequence: u64,
    hash: u64,
}

impl Evidence {
    /// Takes the packet that begins with `frame`.
    #[inline]
    pub(super) fn take(
        &mut self,
        stream: usize,
        protocol: &'static dyn Dissect,
        frame: &View<'_>,
        payload: &[u8],
    ) {
        let taken = self.taken.get(stream).copied().unwrap_or(0);
        if taken < COMPARED && frame.kind == FrameKind::Data {
            self.keep(stream, protocol, frame, payload);
        }
    }

    fn keep(
        &mut self,
        stream: usize,
        protocol: &'static dyn Dissect,
        frame: &View<'_>,
        payload: &[u8],
    ) {
        let next = self.sessions.len() as u32;
        let session = *self
            .sessions
            .entry((protocol.name(), frame.session))
            .or_insert(next);
        self.packets.push(Packet {
            session,
            stream: stream as u32,
            sequence: frame.span.first,
            hash: fingerprint(payload),
        });
        if self.taken.len() <= stream {
            self.taken.resize(stream + 1, 0);
        }
        self.taken[stream] += 1;
    }

    /// Joins the streams whose packets say that they are lines of one channel.
    fn join(mut self, groups: &mut Groups) {
        // Stable, so that of repeats within a stream the first is kept.
        self.packets
            .sort_by_key(|p| (p.session, p.sequence, p.stream));
        self.packets
            .dedup_by_key(|p| (p.session, p.sequence, p.stream));
        // Equal and different packets of each pair of streams, the smaller first.
        let mut pairs: HashMap<(u32, u32), (u32, u32)> = HashMap::new();
        for same in self
            .packets
            .chunk_by(|a, b| (a.session, a.sequence) == (b.session, b.sequence))
        {
            let same = &same[..same.len().min(COMPARED_STREAMS)];
            for (i, a) in same.iter().enumerate() {
                for b in &same[i + 1..] {
                    let (equal, different) = pairs.entry((a.stream, b.stream)).or_default();
                    *(if a.hash == b.hash { equal } else { different }) += 1;
                }
            }
        }
        for ((a, b), (equal, different)) in pairs {
            if equal >= ENOUGH && different == 0 {
                groups.join(a as usize, b as usize);
            }
        }
    }
}

/// Tells payloads apart. It guards against mistakes, not against an adversary: one to one for a change within one of
/// its four chains, which take turns so that their multiplications overlap.
fn fingerprint(payload: &[u8]) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(K).rotate_left(29);
    let (words, rest) = payload.as_chunks::<8>();
    let (blocks, words) = words.as_chunks::<4>();
    let mut chains = [payload.len() as u64, 1, 2, 3];
    for block in blocks {
        for (chain, word) in chains.iter_mut().zip(block) {
            *chain = mix(*chain, u64::from_le_bytes(*word));
        }
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]);
    let words = words.map(|word| u64::from_le_bytes(*word));
    chains.into_iter().chain(words).fold(0, mix)
}

/// Disjoint groups of streams; the root is the smallest index.
struct Groups(Vec<usize>);

impl Groups {
    fn new(len: usize) -> Groups {
        Groups((0..len).collect())
    }

    fn root(&self, mut i: usize) -> usize {
        while self.0[i] != i {
            i = self.0[i];
        }
        i
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}
