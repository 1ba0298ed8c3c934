//! Entries in the order in which they were noticed, though what becomes of them is known in another.

use super::entry::{Entry, What};
use super::{GapSink, Totals};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;

/// Entries that wait for one before them at most.
const HELD_MAX: usize = 1 << 16;

/// The place of a notice among all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order(u64);

/// What goes to the sink, in order as far as memory allows.
pub(super) struct Listing<'s> {
    sink: &'s mut dyn GapSink,
    next: u64,
    /// Parts of each notice that are not certain yet.
    uncertain: BTreeMap<Order, u64>,
    held: BinaryHeap<Reverse<Held>>,
    totals: Totals,
    failed: Option<io::Error>,
}

/// An entry that waits for its turn: ordered by notice, and by its number within one.
struct Held {
    key: (Order, u64),
    entry: Entry,
}

impl<'s> Listing<'s> {
    pub(super) fn new(sink: &'s mut dyn GapSink) -> Listing<'s> {
        Listing {
            sink,
            next: 0,
            uncertain: BTreeMap::new(),
            held: BinaryHeap::new(),
            totals: Totals::default(),
            failed: None,
        }
    }

    /// Something has been noticed.
    pub(super) fn notice(&mut self) -> Order {
        self.next += 1;
        Order(self.next)
    }

    /// A part of it will be listed when it is certain.
    pub(super) fn expect(&mut self, order: Order) {
        *self.uncertain.entry(order).or_default() += 1;
    }

    /// A part of it will not be listed after all, or has been.
    pub(super) fn settled(&mut self, order: Order) {
        if let Some(parts) = self.uncertain.get_mut(&order) {
            *parts -= 1;
            if *parts == 0 {
                self.uncertain.remove(&order);
            }
        }
    }

    /// Lists an entry that is certain.
    pub(super) fn list(&mut self, order: Order, entry: Entry) {
        let within = match &entry.what {
            What::Hole(hole) => {
                self.totals.holes += 1;
                match hole.closed {
                    Some(_) => self.totals.closed += 1,
                    None => {
                        self.totals.open += 1;
                        // The sum over sessions of hostile numbers could leave the range.
                        self.totals.lost = self.totals.lost.saturating_add(hole.count());
                    }
                }
                hole.first
            }
            What::Turned { .. } => 0,
        };
        let key = (order, within);
        self.held.push(Reverse(Held { key, entry }));
        self.pass_on();
    }

    /// Lists what is noticed and certain at once.
    pub(super) fn list_now(&mut self, entry: Entry) {
        let order = self.notice();
        self.list(order, entry);
    }

    fn pass_on(&mut self) {
        while let Some(Reverse(first)) = self.held.peek() {
            let waits = self.uncertain.keys().next();
            let waits = waits.is_some_and(|&before| before <= first.key.0);
            if waits && self.held.len() <= HELD_MAX {
                return;
            }
            if let Some(Reverse(held)) = self.held.pop()
                && self.failed.is_none()
            {
                self.failed = self.sink.entry(&held.entry).err();
            }
        }
    }

    /// True when the sink takes no more.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Counts numberings that followed others.
    pub(super) fn restarts(&mut self, n: u64) {
        self.totals.restarts += n;
    }

    /// Everything is certain.
    pub(super) fn finish(mut self, channels: u64) -> io::Result<Totals> {
        self.uncertain.clear();
        self.pass_on();
        if let Some(e) = self.failed {
            return Err(e);
        }
        self.totals.channels = channels;
        self.sink.end(&self.totals)?;
        Ok(self.totals)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Held) -> bool {
        self.key == other.key
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Held) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Held) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}
