//! One datagram in the making.

use std::ops::Range;

use super::{Fragments, Key};
use crate::time::UnixNanos;
use crate::wire::frame::Fragment;

/// Fragments begin at multiples of this many bytes.
const UNIT: usize = 8;

/// Memory for one datagram, and what is known about it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) state: State,
    pub(super) key: Key,
    /// When its first fragment was captured.
    pub(super) since: UnixNanos,
    /// Rises from datagram to datagram.
    pub(super) order: u64,
    /// What the whole begins with, once its first fragment is there.
    pub(super) protocol: u8,
    /// Bytes of the whole; `usize::MAX` before the last fragment is there.
    end: usize,
    /// Bytes that the whole has at least, as far as is known.
    reach: usize,
    /// Bytes that are there.
    held: usize,
    /// A bit for each unit that is there.
    units: Vec<u64>,
    bytes: Vec<u8>,
}

/// What a place is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing.
    Free,
    /// A datagram of which something is missing.
    Open,
    /// One that was handed out.
    Completed,
    /// One that was given up for what is in it.
    GivenUp,
}

/// What a fragment brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Part of the missing.
    Kept,
    /// Nothing new.
    Duplicate,
    /// Nothing, for the datagram had been given up.
    Late,
    /// All that was missing.
    Whole,
    /// Other bytes for a place that has some, or some of both. The datagram is given up.
    Overlap,
    /// Lengths that cannot be. The datagram is given up.
    Contradiction,
}

impl Place {
    /// Memory for the longest datagram, which the system gives when it is touched.
    pub(super) fn new(key: Key) -> Place {
        let longest = Fragments::DATAGRAM_MAX + 1;
        Place {
            state: State::Free,
            key,
            since: UnixNanos::UNKNOWN,
            order: 0,
            protocol: 0,
            end: usize::MAX,
            reach: 0,
            held: 0,
            units: vec![0; longest / UNIT / 64],
            bytes: vec![0; longest],
        }
    }

    /// Forgets what was here.
    pub(super) fn begin(&mut self, key: Key, since: UnixNanos, order: u64) {
        (self.state, self.key, self.since, self.order) = (State::Open, key, since, order);
        (self.end, self.reach, self.held) = (usize::MAX, 0, 0);
        self.units.fill(0);
    }

    /// Takes a fragment of this datagram; of a completed one it must be one that it [holds](Place::holds).
    pub(super) fn take(&mut self, fragment: &Fragment<'_>) -> Outcome {
        let outcome = match self.state {
            State::Open | State::Free => self.keep(fragment),
            State::Completed => Outcome::Duplicate,
            State::GivenUp => Outcome::Late,
        };
        match outcome {
            Outcome::Whole => self.state = State::Completed,
            Outcome::Overlap | Outcome::Contradiction => self.state = State::GivenUp,
            Outcome::Kept | Outcome::Duplicate | Outcome::Late => {}
        }
        outcome
    }

    /// The datagram, which is whole, and the state, for one that turns out to be none.
    pub(super) fn whole(&mut self) -> (&[u8], &mut State) {
        (&self.bytes[..self.end], &mut self.state)
    }

    /// True when a whole datagram has these bytes there.
    pub(super) fn holds(&self, fragment: &Fragment<'_>) -> bool {
        self.bytes[..self.end].get(range(fragment)) == Some(fragment.bytes)
    }

    /// Keeps what is new and does not contradict what is there.
    fn keep(&mut self, fragment: &Fragment<'_>) -> Outcome {
        let range = range(fragment);
        let whole_units = !fragment.more || range.len().is_multiple_of(UNIT);
        if !range.start.is_multiple_of(UNIT)
            || !whole_units
            || range.is_empty()
            || range.end > Fragments::DATAGRAM_MAX
        {
            return Outcome::Contradiction;
        }
        // Behind one that is not the last there is at least a byte.
        let reach = self.reach.max(range.end + usize::from(fragment.more));
        let end = match fragment.more {
            true => self.end,
            false => self.end.min(range.end),
        };
        if reach > end {
            return Outcome::Contradiction;
        }
        let words = words(&range);
        if words.clone().any(|(i, mask)| self.units[i] & mask != 0) {
            let all = words.clone().all(|(i, mask)| self.units[i] & mask == mask);
            return match all && self.bytes[range] == *fragment.bytes {
                true => Outcome::Duplicate,
                false => Outcome::Overlap,
            };
        }
        words.for_each(|(i, mask)| self.units[i] |= mask);
        if range.start == 0 {
            self.protocol = fragment.protocol;
        }
        (self.reach, self.end) = (reach, end);
        self.held += range.len();
        self.bytes[range].copy_from_slice(fragment.bytes);
        // What is held lies before the end and nowhere twice, so this many bytes are all of them.
        match self.held == self.end {
            true => Outcome::Whole,
            false => Outcome::Kept,
        }
    }
}

/// Where in the whole a fragment belongs.
fn range(fragment: &Fragment<'_>) -> Range<usize> {
    let start = fragment.offset as usize;
    start..start + fragment.bytes.len()
}

/// The words of [`Place::units`] that a range of bytes, which is not empty, has bits in, each with those bits.
fn words(range: &Range<usize>) -> impl Iterator<Item = (usize, u64)> + Clone + use<> {
    let (first, last) = (range.start / UNIT, (range.end - 1) / UNIT);
    (first / 64..=last / 64).map(move |word| {
        let from = first.saturating_sub(word * 64);
        let to = (last - word * 64).min(63);
        (word, u64::MAX << from & u64::MAX >> (63 - to))
    })
}
