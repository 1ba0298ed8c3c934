//! What a line's statistics must say, from the frames that were handed in.

use crate::oracle::Seen;
use feed_replay::fault::Spans;
use std::collections::BTreeMap;

/// A line as it was.
#[derive(Debug, Default)]
pub struct LineTruth {
    /// Frames of the session at hand.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Frames with messages.
    pub data: u64,
    /// What it lost of sessions before.
    lost_before: u64,
    units: BTreeMap<u8, Brought>,
}

/// What it brought of a numbering.
#[derive(Debug)]
struct Brought {
    first: u64,
    /// Behind the highest number it brought or announced.
    next: u64,
    numbers: Spans,
}

impl LineTruth {
    /// Frames came in on it.
    pub fn bring(&mut self, frames: &[Seen]) {
        for &Seen {
            unit,
            span,
            carries,
        } in frames
        {
            self.packets += 1;
            self.messages += u64::from(carries);
            self.data += u64::from(span.count > 0);
            let brought = self.units.entry(unit).or_insert_with(|| Brought {
                first: span.first,
                next: span.first,
                numbers: Spans::default(),
            });
            brought.next = brought.next.max(span.end());
            brought.numbers.add(span.first..span.end());
        }
    }

    /// Numbers start over.
    pub fn restart(&mut self) {
        self.lost_before = self.lost();
        self.units.clear();
    }

    /// Numbers between its first and its highest that it never brought.
    pub fn lost(&self) -> u64 {
        let lost = |brought: &Brought| {
            let mut all = Spans::default();
            all.add(brought.first..brought.next);
            all.minus(&brought.numbers).count()
        };
        self.lost_before + self.units.values().map(lost).sum::<u64>()
    }
}
