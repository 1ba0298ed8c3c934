//! What waits for one client, and what is done when that is too much. No thread, no clock, no socket in here.

use super::ending::Ending;
use super::request::Policy;
use super::update::{Source, Update};
use crate::publish::Waiting;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a client is told, in order.
#[derive(Clone, Debug)]
pub enum Item {
    /// A record.
    Update(Arc<Update>),
    /// Records that are not here.
    Missing {
        /// Whose.
        source: Arc<Source>,
        /// Why not.
        why: Missing,
        /// How many.
        count: u64,
    },
    /// How it stands with the writer of a lane.
    State {
        /// Whose.
        source: Arc<Source>,
        /// How.
        state: State,
        /// How many it has published.
        position: u64,
    },
}

/// Why records are not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The gateway was too slow, or the client and they cannot be conflated. Of all records, wanted or not, where the
    /// gateway was.
    Lost,
    /// The client was too slow: passed over.
    Skipped,
    /// The client was too slow: newer ones of the same state came.
    Conflated,
}

/// How it stands with the writer of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It writes.
    Live,
    /// It has ended.
    Ended,
    /// It was killed, or has crashed.
    Died,
    /// Another has its name.
    Replaced,
    /// It has ended, and its file is gone.
    Gone,
}

/// What became of a client's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed over to be sent.
    pub taken: u64,
    /// Passed over.
    pub skipped: u64,
    /// Merged into newer ones.
    pub conflated: u64,
    /// Lost on the way from the queue, when it had no room.
    pub lost: u64,
}

/// The queue of a client.
#[derive(Debug)]
pub struct Queue {
    items: VecDeque<Item>,
    room: usize,
    policy: Policy,
    /// By lane; what does not fit `items`, of a client that conflates.
    waiting: Vec<Waiting<Arc<Update>>>,
    /// Of what waits, what is not told yet.
    untold: Vec<Item>,
    counts: Counts,
    ending: Option<Ending>,
}

impl Queue {
    /// Room for so many records, all of it allocated now.
    pub fn new(room: usize, policy: Policy) -> Queue {
        Queue {
            items: VecDeque::with_capacity(room),
            room,
            policy,
            waiting: Vec::new(),
            untold: Vec::new(),
            counts: Counts::default(),
            ending: None,
        }
    }

    /// What became of its records so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Why nothing more will come.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// Nothing more will come, and what waits goes. The first reason stays.
    pub fn end(&mut self, ending: Ending) {
        self.items.clear();
        self.waiting.clear();
        self.untold.clear();
        self.ending.get_or_insert(ending);
    }

    /// Takes a record in. Where all of the gateway's memory is taken (`no_memory`), a queue with anything in it is full.
    pub fn push(&mut self, update: &Arc<Update>, no_memory: bool) {
        if self.ending.is_some() {
            return;
        }
        let is_full = self.items.len() >= self.room || (no_memory && !self.items.is_empty());
        if !is_full && self.waiting.iter().all(Waiting::is_empty) {
            self.items.push_back(Item::Update(update.clone()));
            return;
        }
        match self.policy {
            Policy::Skip => {
                self.skip();
                self.items.push_back(Item::Update(update.clone()));
            }
            Policy::Conflate => self.conflate(update, no_memory),
            Policy::Disconnect => self.end(Ending::TooSlow(self.room)),
        }
    }

    /// Records are missing here.
    pub fn miss(&mut self, source: &Arc<Source>, why: Missing, count: u64) {
        if self.ending.is_none() {
            self.items.push_back(missing(source, why, count));
            merge_last(&mut self.items);
        }
    }

    /// The writer of a lane is another, or is no more. What waits of an earlier writer of it is void.
    pub fn state(&mut self, source: &Arc<Source>, state: State, position: u64) {
        if self.ending.is_some() {
            return;
        }
        if state == State::Live
            && let Some(waiting) = self.waiting.get_mut(source.index)
        {
            let void = waiting.clear();
            self.counts.conflated += void;
            self.leave_out(source, Missing::Conflated, void);
        }
        // A writer that comes and goes while a client takes nothing is told of once.
        let is_last =
            |item: &Item| matches!(item, Item::State { source: s, .. } if s.index == source.index);
        let ends = self.items.iter().rev();
        let states = ends
            .take_while(|item| matches!(item, Item::State { .. }))
            .count();
        let from = self.items.len() - states;
        if let Some(at) = (from..self.items.len()).find(|&at| is_last(&self.items[at])) {
            self.items.remove(at);
        }
        self.items.push_back(Item::State {
            source: source.clone(),
            state,
            position,
        });
    }

    /// Hands over at most so many items, in order.
    pub fn take(&mut self, most: usize, out: &mut VecDeque<Item>) {
        let before = out.len();
        let n = most.min(self.items.len());
        out.extend(self.items.drain(..n));
        if self.items.is_empty() && out.len() - before < most {
            out.extend(self.untold.drain(..));
            for waiting in &mut self.waiting {
                while out.len() - before < most
                    && let Some(update) = waiting.first()
                {
                    waiting.pop();
                    out.push_back(Item::Update(update));
                }
            }
        }
        let updates = out.iter().skip(before);
        let updates = updates.filter(|item| matches!(item, Item::Update(_)));
        self.counts.taken += updates.count() as u64;
    }

    /// Passes everything over that waits, but for what is said of lanes.
    fn skip(&mut self) {
        let all: Vec<Item> = self.items.drain(..).collect();
        let mut skipped: Vec<Item> = Vec::new();
        for item in all {
            match item {
                Item::Update(update) => {
                    self.counts.skipped += 1;
                    add(&mut skipped, missing(&update.source, Missing::Skipped, 1));
                }
                Item::Missing { .. } => add(&mut skipped, item),
                Item::State { .. } => self.items.push_back(item),
            }
        }
        self.items.extend(skipped);
    }

    fn conflate(&mut self, update: &Arc<Update>, no_memory: bool) {
        let lane = update.source.index;
        while self.waiting.len() <= lane {
            self.waiting.push(Waiting::with_room(self.room));
        }
        let waiting = &mut self.waiting[lane];
        waiting.set_room(if no_memory { 0 } else { self.room });
        let taken = waiting.take(update);
        self.counts.conflated += taken.replaced;
        self.leave_out(&update.source, Missing::Conflated, taken.replaced);
        if !taken.waits {
            self.counts.lost += 1;
            self.leave_out(&update.source, Missing::Lost, 1);
        }
    }

    /// To be told before what waits.
    fn leave_out(&mut self, source: &Arc<Source>, why: Missing, count: u64) {
        if count > 0 {
            add(&mut self.untold, missing(source, why, count));
        }
    }
}

fn missing(source: &Arc<Source>, why: Missing, count: u64) -> Item {
    Item::Missing {
        source: source.clone(),
        why,
        count,
    }
}

/// Adds what is missing to what already is, of the same lane and for the same reason.
fn add(to: &mut Vec<Item>, item: Item) {
    if !to.iter_mut().any(|there| merge(there, &item)) {
        to.push(item);
    }
}

/// Counts one into the other where both say the same.
fn merge(into: &mut Item, item: &Item) -> bool {
    match (into, item) {
        (
            Item::Missing { source, why, count },
            Item::Missing {
                source: s,
                why: w,
                count: n,
            },
        ) if source.is(s) && *why == *w => {
            *count += n;
            true
        }
        _ => false,
    }
}

fn merge_last(items: &mut VecDeque<Item>) {
    if let Some(last) = items.pop_back()
        && !items.back_mut().is_some_and(|before| merge(before, &last))
    {
        items.push_back(last);
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
