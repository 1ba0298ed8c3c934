//! What the packets of a capture say about which streams are lines of one channel.

use super::{Dissect, View};
use crate::transport::{FrameKind, Session};
use std::collections::HashMap;
use std::ops::Range;

/// Packets of a stream that are compared at most: lines that are lines agree long before this many.
const COMPARED: u32 = 1 << 20;

/// Streams that one packet is compared in: more lines than any feed has.
const COMPARED_STREAMS: usize = 32;

/// Equal packets that make two streams lines of one channel.
const ENOUGH: u64 = 2;

/// The packets of all streams, to be compared where they share session and sequence number.
///
/// Lines bring the same packets in the same order, so a packet is kept once, and of each stream which of them it brought.
#[derive(Default)]
pub(super) struct Evidence {
    sessions: HashMap<(&'static str, Session), usize>,
    /// By session, in order of arrival.
    packets: Vec<Vec<Packet>>,
    /// The places in `brought`, by session and stream.
    places: HashMap<(usize, usize), usize>,
    brought: Vec<Brought>,
    /// By stream.
    taken: Vec<Taken>,
}

#[derive(Clone, Copy)]
struct Packet {
    sequence: u64,
    fingerprint: u64,
}

/// The packets of a session that a stream brought.
struct Brought {
    session: usize,
    stream: usize,
    /// In order of arrival, packets in a row together.
    packets: Vec<Range<u32>>,
}

#[derive(Clone, Default)]
struct Taken {
    packets: u32,
    /// The session of the last one, and its place in [`Evidence::brought`].
    last: Option<(Session, usize)>,
}

/// A packet that was taken, for [`Evidence::again`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exhibit(pub(super) u32);

impl Evidence {
    /// Takes the packet that begins with `frame`.
    pub(super) fn take(
        &mut self,
        stream: usize,
        protocol: &dyn Dissect,
        frame: &View<'_>,
        payload: &[u8],
    ) -> Option<Exhibit> {
        match frame.kind {
            FrameKind::Data => {
                // Numbers of different units are different numbers.
                let sequence = frame.span.first ^ u64::from(frame.unit) << 56;
                self.keep(stream, protocol, &frame.session, sequence, payload)
            }
            _ => None,
        }
    }

    /// Takes a packet of data, if more of its stream are wanted.
    #[inline]
    pub(super) fn keep(
        &mut self,
        stream: usize,
        protocol: &dyn Dissect,
        session: &Session,
        sequence: u64,
        payload: &[u8],
    ) -> Option<Exhibit> {
        let place = self.place(stream, protocol, session)?;
        let brought = &mut self.brought[place];
        let packets = &mut self.packets[brought.session];
        let number = u32::try_from(packets.len()).ok()?;
        packets.push(Packet {
            sequence,
            fingerprint: fingerprint(payload),
        });
        brought.add(number);
        Some(Exhibit(number))
    }

    /// Takes a packet that is, byte by byte, one that was taken of another stream of this protocol and session.
    #[inline]
    pub(super) fn again(
        &mut self,
        stream: usize,
        protocol: &dyn Dissect,
        session: &Session,
        exhibit: Exhibit,
    ) {
        if let Some(place) = self.place(stream, protocol, session) {
            self.brought[place].add(exhibit.0);
        }
    }

    /// The place of what a stream brought of a session, if one more packet is wanted.
    #[inline]
    fn place(&mut self, stream: usize, protocol: &dyn Dissect, session: &Session) -> Option<usize> {
        if self.taken.len() <= stream {
            self.taken.resize(stream + 1, Taken::default());
        }
        let taken = &mut self.taken[stream];
        if taken.packets >= COMPARED {
            return None;
        }
        taken.packets += 1;
        match &taken.last {
            Some((last, place)) if last == session => Some(*place),
            _ => Some(self.turn(stream, protocol, session)),
        }
    }

    /// The place of a stream that has turned to a session.
    #[cold]
    fn turn(&mut self, stream: usize, protocol: &dyn Dissect, session: &Session) -> usize {
        let next = self.packets.len();
        let key = (protocol.name(), *session);
        let number = *self.sessions.entry(key).or_insert(next);
        if number == next {
            self.packets.push(Vec::new());
        }
        let next = self.brought.len();
        let place = *self.places.entry((number, stream)).or_insert(next);
        if place == next {
            self.brought.push(Brought {
                session: number,
                stream,
                packets: Vec::new(),
            });
        }
        self.taken[stream].last = Some((*session, place));
        place
    }

    /// The pairs of streams whose packets say that they are lines of one channel.
    pub(super) fn lines(mut self) -> impl Iterator<Item = (usize, usize)> {
        // Equal and different packets of each pair of streams, the smaller first.
        let mut pairs = HashMap::new();
        self.brought.sort_by_key(|b| (b.session, b.stream));
        for all in self.brought.chunk_by(|a, b| a.session == b.session) {
            let packets = &self.packets[all[0].session];
            match are_in_order(packets, all) {
                true => overlap(all, &mut pairs),
                false => compare(packets, all, &mut pairs),
            }
        }
        let lines = |&(_, (equal, different)): &(_, (u64, u64))| equal >= ENOUGH && different == 0;
        pairs.into_iter().filter(lines).map(|(pair, _)| pair)
    }
}

impl Brought {
    #[inline]
    fn add(&mut self, number: u32) {
        match self.packets.last_mut() {
            Some(row) if row.end == number => row.end += 1,
            _ => self.packets.push(number..number + 1),
        }
    }
}

type Pairs = HashMap<(usize, usize), (u64, u64)>;

/// True where no sequence number came with two payloads, and each stream brought its packets in order and none twice.
fn are_in_order(packets: &[Packet], all: &[Brought]) -> bool {
    let ascend = |rows: &[Range<u32>]| rows.is_sorted_by(|a, b| a.end <= b.start);
    all.len() <= COMPARED_STREAMS
        && all.iter().all(|b| ascend(&b.packets))
        && packets.is_sorted_by(|a, b| a.sequence < b.sequence)
}

/// Counts what streams have in common of packets in order: all of it is equal.
fn overlap(all: &[Brought], pairs: &mut Pairs) {
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let (mut ours, mut theirs) = (&a.packets[..], &b.packets[..]);
            let mut equal = 0;
            while let ([a, after_a @ ..], [b, after_b @ ..]) = (ours, theirs) {
                let common = a.start.max(b.start)..a.end.min(b.end);
                equal += common.len() as u64;
                match a.end <= b.end {
                    true => ours = after_a,
                    false => theirs = after_b,
                }
            }
            pairs.entry((a.stream, b.stream)).or_default().0 += equal;
        }
    }
}

/// Counts what is equal and what differs in any packets of a session.
fn compare(packets: &[Packet], all: &[Brought], pairs: &mut Pairs) {
    let mut list = Vec::new();
    for brought in all {
        for number in brought.packets.iter().cloned().flatten() {
            let packet = packets[number as usize];
            list.push((packet.sequence, brought.stream, packet.fingerprint));
        }
    }
    // Stable, so that of repeats within a stream the first is kept.
    list.sort_by_key(|&(sequence, stream, _)| (sequence, stream));
    list.dedup_by_key(|&mut (sequence, stream, _)| (sequence, stream));
    for same in list.chunk_by(|a, b| a.0 == b.0) {
        let same = &same[..same.len().min(COMPARED_STREAMS)];
        for (i, &(_, a, ours)) in same.iter().enumerate() {
            for &(_, b, theirs) in &same[i + 1..] {
                let (equal, different) = pairs.entry((a, b)).or_default();
                *(if ours == theirs { equal } else { different }) += 1;
            }
        }
    }
}

/// Tells payloads apart. It guards against mistakes, not against an adversary. Four chains take turns so that their
/// multiplications overlap.
#[inline]
fn fingerprint(payload: &[u8]) -> u64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(K).rotate_left(29);
    let (blocks, rest) = payload.as_chunks::<32>();
    let mut chains = [1, 2, 3, 4];
    let mut take = |block: &[u8; 32]| {
        for (chain, word) in chains.iter_mut().zip(block.as_chunks::<8>().0) {
            *chain = mix(*chain, u64::from_le_bytes(*word));
        }
    };
    blocks.iter().for_each(&mut take);
    // The rest together with bytes that have been taken, which is cheaper than to copy it.
    match payload.last_chunk() {
        Some(last) => take(last),
        None => {
            let mut last = [0; 32];
            last[..rest.len()].copy_from_slice(rest);
            take(&last);
        }
    }
    chains.into_iter().fold(payload.len() as u64, mix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// A packet: its stream, session, sequence number, and what it carries.
    type Sent = (usize, u8, u64, u8);

    /// The rule, word for word.
    fn lines(sent: &[Sent]) -> BTreeSet<(usize, usize)> {
        let mut first = BTreeMap::new();
        for &(stream, session, sequence, payload) in sent {
            first.entry((stream, session, sequence)).or_insert(payload);
        }
        let equal = |a: usize, b: usize| -> Vec<bool> {
            let ours = first.iter().filter(|((stream, ..), _)| *stream == a);
            let both = ours.filter_map(|(&(_, session, sequence), payload)| {
                Some(first.get(&(b, session, sequence))? == payload)
            });
            both.collect()
        };
        let pairs = (0..4).flat_map(|b| (0..b).map(move |a| (a, b)));
        let lines = pairs.filter(|&(a, b)| {
            let equal = equal(a, b);
            equal.len() >= 2 && !equal.contains(&false)
        });
        lines.collect()
    }

    fn sent() -> impl Strategy<Value = Vec<Sent>> {
        let any = prop::collection::vec((0usize..4, 0u8..2, 0u64..9, 0u8..2), 0..60);
        // Lines in order, one of which may be late, lose and repeat.
        let lines =
            (prop::collection::vec(0usize..4, 0..60), 0u64..3).prop_map(|(streams, step)| {
                let mut next = [0; 4];
                let mut send = |stream: usize| {
                    next[stream] += if stream == 3 { step } else { 1 };
                    (stream, 0, next[stream], 0)
                };
                streams.into_iter().map(&mut send).collect()
            });
        prop_oneof![any, lines]
    }

    proptest! {
        #[test]
        fn lines_are_those_of_the_rule(sent in sent(), again in any::<bool>()) {
            let protocol = crate::inspect::dissector(feed_common::wire::ProtocolName::Itch50);
            let mut evidence = Evidence::default();
            let mut exhibits = HashMap::new();
            for &(stream, session, sequence, payload) in &sent {
                let (packet, session) = ((session, sequence, payload), [session; 10]);
                match exhibits.get(&packet) {
                    Some(&exhibit) if again => evidence.again(stream, protocol, &session, exhibit),
                    _ => {
                        let payload = [payload; 50];
                        let taken = evidence.keep(stream, protocol, &session, sequence, &payload);
                        exhibits.insert(packet, taken.unwrap());
                    }
                }
            }
            prop_assert_eq!(evidence.lines().collect::<BTreeSet<_>>(), lines(&sent));
        }
    }

    #[test]
    fn every_byte_of_a_payload_tells() {
        for len in 0..200 {
            let mut payload = vec![0; len];
            let mut seen = BTreeSet::from([fingerprint(&payload)]);
            for i in 0..len {
                payload[i] = 1;
                assert!(seen.insert(fingerprint(&payload)), "byte {i} of {len}");
                payload[i] = 0;
            }
            payload.push(0);
            assert!(seen.insert(fingerprint(&payload)), "one more than {len}");
        }
    }
}
