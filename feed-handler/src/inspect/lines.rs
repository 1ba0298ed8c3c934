//! Which streams of a capture are lines of one channel.

use super::Streams;
use super::appearance::Appearance;
use super::evidence::Evidence;
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
            Lines::Found => {
                for (a, b) in evidence.lines() {
                    groups.join(a, b);
                }
            }
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
