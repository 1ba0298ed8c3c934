//! Clients as the thread that reads lanes sees them: who wants which record, and what is put into whose queue.

use super::hub::{Begun, Snapshot};
use super::interests::{Interests, bit};
use super::lane::{Lane, Of};
use super::queue::{Missing, State};
use super::seat::Outbox;
use super::update::{Memory, Source, Update};
use crate::tail::Row;
use feed_common::event::Record;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Clients by number.
pub type Listeners = BTreeMap<u64, Listener>;

/// A client.
pub struct Listener {
    /// What waits for it.
    pub outbox: Arc<Outbox>,
    /// What it wants.
    pub interests: Interests,
    /// Something waits for it that it was not woken for.
    pub due: bool,
}

impl Listener {
    /// One that wants nothing yet.
    pub fn new(outbox: Arc<Outbox>) -> Listener {
        Listener {
            outbox,
            interests: Interests::default(),
            due: false,
        }
    }

    /// What waits, to be sent before these quotes: they are as of the same place.
    pub fn begin(&self, snapshots: Vec<Snapshot>) -> Begun {
        let mut before = VecDeque::new();
        self.outbox.queue().take(usize::MAX, &mut before);
        Begun { before, snapshots }
    }

    fn wants(&mut self, lane: &mut Lane, of: Of, record: &Record, bit: u32) -> bool {
        if self.interests.any() & bit == 0 {
            return false;
        }
        let index = lane.source().index;
        let kinds = match of {
            Of::Channel => self.interests.any(),
            Of::Number(number) => self.interests.of(index, number, lane.name_of(number)),
            Of::Unnumbered => self.interests.of(index, usize::MAX, &lane.name(of, record)),
        };
        kinds & bit != 0
    }
}

/// Puts records into the queues of those who want them.
pub fn deliver(
    lane: &mut Lane,
    listeners: &mut Listeners,
    records: &[Record],
    memory: &Arc<Memory>,
) {
    let index = lane.source().index;
    let first = lane.position() - records.len() as u64;
    let mut wanted = Vec::new();
    for (position, record) in (first..).zip(records) {
        let (of, renamed) = lane.take(record);
        if let (Of::Number(number), true) = (of, renamed) {
            listeners
                .values_mut()
                .for_each(|l| l.interests.forget(index, number));
        }
        let bit = bit(record.data.kind);
        let mut those = listeners.values_mut();
        if those.any(|listener| listener.wants(lane, of, record, bit)) {
            let name = lane.name(of, record);
            let channel = lane.tail().channel(record.channel.get());
            let row = Row {
                record: *record,
                name,
                channel,
            };
            let update = Update::new(lane.source(), position, row, memory);
            wanted.push((of, bit, Arc::new(update)));
        }
    }
    if wanted.is_empty() {
        return;
    }
    let no_memory = memory.is_full();
    for listener in listeners.values_mut().filter(|l| l.interests.any() != 0) {
        let outbox = listener.outbox.clone();
        let mut queue = outbox.queue();
        for (of, bit, update) in &wanted {
            if listener.wants(lane, *of, &update.row.record, *bit) {
                queue.push(update, no_memory);
                listener.due = true;
            }
        }
        if queue.ending().is_some() {
            drop(queue);
            outbox.kill.notify_one();
        }
    }
}

/// Tells of records that the gateway was too slow for.
pub fn miss(lane: &Lane, listeners: &mut Listeners, lost: u64) {
    for listener in listeners.values_mut().filter(|l| l.interests.any() != 0) {
        let mut queue = listener.outbox.queue();
        queue.miss(lane.source(), Missing::Lost, lost);
        listener.due = true;
    }
}

/// Tells how it stands with a lane that has published so many records.
pub fn tell(source: &Arc<Source>, state: State, position: u64, listeners: &mut Listeners) {
    for listener in listeners.values_mut() {
        let mut queue = listener.outbox.queue();
        queue.state(source, state, position);
        listener.due = true;
    }
}
