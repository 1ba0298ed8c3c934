//! Packets that arrived ahead of a gap, kept until the hole is filled or given up. Bounded, memory taken once.

use super::SeqSpan;
use feed_common::packet::{Packet, RxMeta};
use std::collections::VecDeque;

/// A packet in the stash.
#[derive(Clone, Copy, Debug)]
pub struct Stashed {
    /// Its sequence numbers.
    pub span: SeqSpan,
    /// Line of the channel it came in on.
    pub line: usize,
    /// When it arrived, in the caller's nanoseconds.
    pub at: u64,
    slot: usize,
}

/// Why a packet was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A packet that covers it is there.
    Duplicate,
    /// No slot is free, or the packet is larger than a slot.
    Full,
}

/// A preallocated store of packets in sequence order.
#[derive(Debug)]
pub struct Stash {
    metas: Box<[RxMeta]>,
    bytes: Box<[u8]>,
    slot_bytes: usize,
    free: Vec<usize>,
    /// Ascending by first number; of equal first numbers, the longer later.
    waiting: VecDeque<Stashed>,
}

impl Stash {
    /// Room for `slots` packets of up to `slot_bytes` each.
    pub fn new(slots: usize, slot_bytes: usize) -> Stash {
        Stash {
            metas: vec![RxMeta::default(); slots].into_boxed_slice(),
            bytes: vec![0; slots * slot_bytes].into_boxed_slice(),
            slot_bytes,
            free: (0..slots).rev().collect(),
            waiting: VecDeque::with_capacity(slots),
        }
    }

    /// Copies a frame in that covers `span`, came in on `line` and arrived `at`; receive facts are its packet's.
    pub fn insert(
        &mut self,
        span: SeqSpan,
        line: usize,
        at: u64,
        frame: Packet<'_>,
    ) -> Result<(), Refused> {
        let place = self.waiting.partition_point(|s| s.span.first <= span.first);
        if place > 0 && self.waiting[place - 1].span.end() >= span.end() {
            return Err(Refused::Duplicate);
        }
        if frame.bytes.len() > self.slot_bytes {
            return Err(Refused::Full);
        }
        let slot = self.free.pop().ok_or(Refused::Full)?;
        self.metas[slot] = RxMeta {
            len: frame.bytes.len() as u32,
            ..*frame.meta
        };
        self.bytes[slot * self.slot_bytes..][..frame.bytes.len()].copy_from_slice(frame.bytes);
        self.waiting.insert(
            place,
            Stashed {
                span,
                line,
                at,
                slot,
            },
        );
        Ok(())
    }

    /// Calls `each` with every run of numbers of `span` that no packet here covers. A packet that begins far before the
    /// span and reaches into it may be overlooked.
    pub fn missing(&self, span: SeqSpan, mut each: impl FnMut(SeqSpan)) {
        let mut from = span.first;
        let near = self.waiting.partition_point(|s| s.span.first < from);
        for waits in self.waiting.range(near.saturating_sub(1)..) {
            if waits.span.first >= span.end() {
                break;
            }
            if waits.span.first > from {
                each(SeqSpan::between(from, waits.span.first));
            }
            from = from.max(waits.span.end());
        }
        if from < span.end() {
            each(SeqSpan::between(from, span.end()));
        }
    }

    /// The earliest packet waiting.
    pub fn first(&self) -> Option<&Stashed> {
        self.waiting.front()
    }

    /// Takes the earliest packet out. It stays readable through [`Stash::packet`] until [`Stash::release`].
    pub fn take_first(&mut self) -> Option<Stashed> {
        self.waiting.pop_front()
    }

    /// The bytes and receive facts of a packet taken out.
    pub fn packet(&self, taken: &Stashed) -> Packet<'_> {
        let meta = &self.metas[taken.slot];
        let start = taken.slot * self.slot_bytes;
        Packet {
            meta,
            bytes: &self.bytes[start..start + meta.len as usize],
        }
    }

    /// Gives the slot of a packet taken out back.
    pub fn release(&mut self, taken: Stashed) {
        self.free.push(taken.slot);
    }

    /// Packets waiting.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(stash: &mut Stash, first: u64, count: u64, bytes: &[u8]) -> Result<(), Refused> {
        let meta = RxMeta::default();
        stash.insert(
            SeqSpan { first, count },
            0,
            0,
            Packet { meta: &meta, bytes },
        )
    }

    #[test]
    fn comes_out_in_sequence_order_with_its_bytes() {
        let mut s = Stash::new(3, 4);
        insert(&mut s, 30, 2, b"cc").unwrap();
        insert(&mut s, 10, 2, b"aaaa").unwrap();
        insert(&mut s, 20, 2, b"").unwrap();
        assert_eq!(insert(&mut s, 40, 2, b"d"), Err(Refused::Full));
        let mut order = Vec::new();
        while let Some(t) = s.take_first() {
            order.push((t.span.first, s.packet(&t).bytes.to_vec()));
            s.release(t);
        }
        assert_eq!(
            order,
            [(10, b"aaaa".to_vec()), (20, vec![]), (30, b"cc".to_vec())]
        );
        insert(&mut s, 1, 1, b"again").unwrap_err();
        insert(&mut s, 1, 1, b"agai").unwrap();
        assert_eq!(s.len(), 1);
    }

    #[test]
    fn what_is_missing_lies_between_what_waits() {
        let mut s = Stash::new(4, 4);
        for (first, count) in [(10, 5), (20, 2), (22, 3), (40, 1)] {
            insert(&mut s, first, count, b"a").unwrap();
        }
        let missing = |first, count| {
            let mut all = Vec::new();
            s.missing(SeqSpan { first, count }, |m| all.push((m.first, m.end())));
            all
        };
        assert_eq!(missing(5, 31), [(5, 10), (15, 20), (25, 36)]);
        assert_eq!(missing(12, 10), [(15, 20)]);
        assert_eq!(missing(12, 3), []);
        assert_eq!(missing(41, 3), [(41, 44)]);
        assert_eq!(missing(41, 0), []);
    }

    #[test]
    fn what_is_covered_already_is_a_duplicate_and_what_reaches_further_is_not() {
        let mut s = Stash::new(4, 4);
        insert(&mut s, 10, 5, b"a").unwrap();
        assert_eq!(insert(&mut s, 10, 5, b"a"), Err(Refused::Duplicate));
        assert_eq!(insert(&mut s, 12, 3, b"a"), Err(Refused::Duplicate));
        insert(&mut s, 12, 4, b"b").unwrap();
        insert(&mut s, 10, 6, b"c").unwrap();
        assert_eq!(s.len(), 3);
    }
}
