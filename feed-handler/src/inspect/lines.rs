//! Which streams of a capture are lines of one channel.

use super::{Dissect, Streams};
use crate::transport::{FrameKind, Session};
use feed_common::capture::{Datagram, Lend};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
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

/// Packets of a stream that are compared: lines that are lines agree long before this many.
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
        let mut order = Vec::new();
        let mut index = HashMap::new();
        let mut evidence = Evidence::default();
        while let Some(d) = datagrams.lend() {
            let Some(protocol) = streams.of(&d) else {
                continue;
            };
            let stream = *index.entry(d.dst).or_insert_with(|| {
                order.push(d.dst);
                order.len() - 1
            });
            if *lines == Lines::Found {
                evidence.take(stream, protocol, &d);
            }
        }
        let mut groups = Groups::new(order.len());
        match lines {
            Lines::Separate => {}
            Lines::Given(lists) => {
                for list in lists {
                    let mut members = list.iter().filter_map(|&dst| index.get(&Some(dst)));
                    if let Some(&first) = members.next() {
                        members.for_each(|&other| groups.join(first, other));
                    }
                }
            }
            Lines::Found => evidence.join(&mut groups),
        }
        let mut channels = HashMap::new();
        let by_destination = order.iter().enumerate().map(|(i, &dst)| {
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
        self.by_destination.get(&datagram.dst).copied()
    }
}

/// The packets of all streams, to be compared where they share session and sequence number.
#[derive(Default)]
struct Evidence {
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
    fn take(&mut self, stream: usize, protocol: &'static dyn Dissect, d: &Datagram<'_>) {
        if self.taken.len() <= stream {
            self.taken.resize(stream + 1, 0);
        }
        if self.taken[stream] >= COMPARED {
            return;
        }
        let Ok(frame) = protocol.open(d.payload, d.number) else {
            return;
        };
        if frame.kind != FrameKind::Data {
            return;
        }
        let next = self.sessions.len() as u32;
        let session = *self
            .sessions
            .entry((protocol.name(), frame.session))
            .or_insert(next);
        let mut hasher = DefaultHasher::new();
        d.payload.hash(&mut hasher);
        self.packets.push(Packet {
            session,
            stream: stream as u32,
            sequence: frame.span.first,
            hash: hasher.finish(),
        });
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
