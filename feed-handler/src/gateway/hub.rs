//! Who wants what, and who gets it: lanes and clients under one lock, so that a subscription begins between two batches of
//! records and its quotes are as of that place.

use super::ending::{Cause, Ending, Endings};
use super::interests::{Interests, Subscription, bit};
use super::lane::{Lane, Of, Quoted};
use super::options::Limits;
use super::queue::{Counts, Item, Missing, State};
use super::seat::{Outbox, Seat};
use super::update::{Held, Memory, Source, Update};
use crate::tail::Taken;
use feed_common::event::Record;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lanes and clients.
pub struct Hub {
    state: Mutex<Everything>,
    memory: Arc<Memory>,
    limits: Limits,
    stopping: AtomicBool,
    /// What was counted.
    pub totals: Totals,
}

/// What was counted since the beginning.
#[derive(Debug, Default)]
pub struct Totals {
    /// Clients that were let in.
    pub clients: AtomicU64,
    /// Why they are no longer served, or never were.
    pub endings: Endings,
    /// Records read from shared memory.
    pub read: AtomicU64,
    /// Records that were overwritten before they were read.
    pub overrun: AtomicU64,
    /// Writers that came after another of the same name.
    pub reopened: AtomicU64,
    /// Messages sent to clients, and their bytes.
    pub messages: AtomicU64,
    /// Bytes of them, without what WebSocket and TCP add.
    pub bytes: AtomicU64,
}

struct Everything {
    lanes: Vec<Lane>,
    listeners: BTreeMap<u64, Listener>,
    next: u64,
    /// Of clients that have left.
    counts: Counts,
}

struct Listener {
    outbox: Arc<Outbox>,
    interests: Interests,
    /// Something waits for it that it was not woken for.
    due: bool,
}

/// What comes before the records of a new subscription.
#[derive(Debug)]
pub struct Begun {
    /// What had waited: of the time before.
    pub before: VecDeque<Item>,
    /// Quotes of each lane.
    pub snapshots: Vec<Snapshot>,
}

/// The latest quotes of a lane.
#[derive(Debug)]
pub struct Snapshot {
    /// Whose.
    pub source: Arc<Source>,
    /// They are as of every record below this position; updates go on with it.
    pub position: u64,
    /// By name.
    pub quotes: Vec<Quoted>,
    /// Their memory.
    _held: Held,
}

/// Why there is no subscription.
#[derive(Debug)]
pub enum Refused {
    /// Best prices are being put together: again in a moment.
    Unsettled,
    /// The client is no longer served.
    Ended(Ending),
}

/// How a lane stands.
#[derive(Clone, Debug)]
pub struct LaneFacts {
    /// Whose.
    pub source: Arc<Source>,
    /// How.
    pub state: State,
    /// Position of the next record.
    pub position: u64,
    /// Instruments that were heard of.
    pub instruments: usize,
    /// Its channels: number, name, protocol.
    pub channels: Vec<(u16, String, String)>,
}

/// What clients have now.
#[derive(Clone, Debug, Default)]
pub struct ClientFacts {
    /// Clients.
    pub clients: usize,
    /// Their subscriptions.
    pub subscriptions: usize,
    /// What became of records, of those that have left too.
    pub counts: Counts,
}

impl Hub {
    /// Of lanes that are open.
    pub fn new(lanes: Vec<Lane>, limits: Limits) -> Hub {
        Hub {
            memory: Arc::new(Memory::new(limits.memory)),
            state: Mutex::new(Everything {
                lanes,
                listeners: BTreeMap::new(),
                next: 0,
                counts: Counts::default(),
            }),
            limits,
            stopping: AtomicBool::new(false),
            totals: Totals::default(),
        }
    }

    /// What clients can take up.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bytes that wait for clients.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Lets a client in, if there is room for it.
    pub fn admit(self: &Arc<Hub>) -> Result<Seat, Ending> {
        let mut all = self.lock();
        if self.is_stopping() {
            return Err(shutdown());
        }
        if all.listeners.len() >= self.limits.clients {
            let reason = format!("there are {} clients already", all.listeners.len());
            return Err(Ending::new(Cause::NoRoom, reason));
        }
        let outbox = Arc::new(Outbox::new());
        let key = all.next;
        all.next += 1;
        let listener = Listener {
            outbox: outbox.clone(),
            interests: Interests::default(),
            due: false,
        };
        all.listeners.insert(key, listener);
        self.totals.clients.fetch_add(1, Relaxed);
        Ok(Seat::new(self.clone(), key, outbox))
    }

    /// A client has left.
    pub(super) fn leave(&self, key: u64) {
        let mut all = self.lock();
        if let Some(listener) = all.listeners.remove(&key) {
            let counts = listener.outbox.queue().counts();
            add(&mut all.counts, counts);
        }
    }

    /// Begins a subscription: its records are those from the positions of the snapshots on.
    pub fn subscribe(&self, key: u64, subscription: Subscription) -> Result<Begun, Refused> {
        let mut all = self.lock();
        let all = &mut *all;
        let Some(listener) = all.listeners.get_mut(&key) else {
            return Err(Refused::Ended(Ending::left()));
        };
        let number = listener.interests.len();
        if number >= self.limits.subscriptions && !listener.interests.has(subscription.id) {
            let reason = format!(
                "expected at most {} subscriptions",
                self.limits.subscriptions
            );
            return Err(Refused::Ended(Ending::new(Cause::TooMany, reason)));
        }
        let mut snapshots = Vec::new();
        if subscription.snapshot {
            if !all.lanes.iter().all(Lane::is_settled) {
                return Err(Refused::Unsettled);
            }
            for lane in &all.lanes {
                let quotes = lane.quotes(|name| subscription.means(name));
                let bytes = quotes.len() * (size_of::<Quoted>() + 32);
                if self.memory.is_full() {
                    let reason = "the gateway's memory for clients is taken";
                    return Err(Refused::Ended(Ending::new(Cause::NoRoom, reason)));
                }
                snapshots.push(Snapshot {
                    source: lane.source().clone(),
                    position: lane.position(),
                    quotes,
                    _held: self.memory.hold(bytes),
                });
            }
        }
        listener.interests.add(subscription);
        let mut before = VecDeque::new();
        listener.outbox.queue().take(usize::MAX, &mut before);
        Ok(Begun { before, snapshots })
    }

    /// Ends a subscription; false where there is none of that number.
    pub fn unsubscribe(&self, key: u64, id: u32) -> bool {
        let mut all = self.lock();
        let listener = all.listeners.get_mut(&key);
        listener.is_some_and(|listener| listener.interests.remove(id))
    }

    /// Reads a lane once and hands out what is there. False when there was nothing.
    pub fn step(&self, lane: usize, batch: &mut [Record]) -> bool {
        let mut all = self.lock();
        let Everything {
            lanes, listeners, ..
        } = &mut *all;
        let lane = &mut lanes[lane];
        match lane.read(batch) {
            Taken::Nothing => return false,
            Taken::Records(n) => {
                self.totals.read.fetch_add(n as u64, Relaxed);
                deliver(lane, listeners, &batch[..n], &self.memory);
            }
            Taken::Lost(lost) => {
                self.totals.overrun.fetch_add(lost, Relaxed);
                miss(lane, listeners, lost);
            }
            Taken::Ended(_) => {
                // Who may read need not be allowed to leave anything.
                let _ = lane.tail().leave();
                tell(lane, listeners);
            }
        }
        true
    }

    /// Goes on with a new writer where the last has ended.
    pub fn reopen(&self) {
        let mut all = self.lock();
        let Everything {
            lanes, listeners, ..
        } = &mut *all;
        for lane in lanes {
            if !lane.reopen() {
                continue;
            }
            self.totals.reopened.fetch_add(1, Relaxed);
            let index = lane.source().index;
            listeners
                .values_mut()
                .for_each(|l| l.interests.forget_lane(index));
            tell(lane, listeners);
            // What was overwritten before the file was opened again.
            let lost = lane.position();
            if lost > 0 {
                self.totals.overrun.fetch_add(lost, Relaxed);
                miss(lane, listeners, lost);
            }
        }
    }

    /// Wakes those for whom something waits.
    pub fn wake(&self) {
        let mut all = self.lock();
        for listener in all.listeners.values_mut().filter(|l| l.due) {
            listener.due = false;
            listener.outbox.wake.notify_one();
        }
    }

    /// Ends everybody.
    pub fn stop(&self) {
        self.stopping.store(true, Relaxed);
        for listener in self.lock().listeners.values() {
            listener.outbox.end(shutdown());
        }
    }

    /// Whether it ends.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed)
    }

    /// How the lanes stand.
    pub fn lanes(&self) -> Vec<LaneFacts> {
        let mut all = self.lock();
        let facts = all.lanes.iter_mut().map(|lane| LaneFacts {
            source: lane.source().clone(),
            state: lane.state(),
            position: lane.position(),
            instruments: lane.instruments(),
            channels: {
                let channels = lane.tail().facts().channels.iter();
                channels
                    .map(|c| (c.number, c.name.clone(), c.protocol.clone()))
                    .collect()
            },
        });
        facts.collect()
    }

    /// What clients have.
    pub fn clients(&self) -> ClientFacts {
        let all = self.lock();
        let mut facts = ClientFacts {
            clients: all.listeners.len(),
            counts: all.counts,
            ..ClientFacts::default()
        };
        for listener in all.listeners.values() {
            facts.subscriptions += listener.interests.len();
            add(&mut facts.counts, listener.outbox.queue().counts());
        }
        facts
    }

    /// Keeps how long records took to come here, from now on: for the report of the run.
    pub fn measure(&self) {
        self.lock()
            .lanes
            .iter_mut()
            .for_each(|lane| lane.tail().measure());
    }

    /// Leaves what was measured to the runs, as far as that is allowed.
    pub fn leave_measured(&self) {
        for lane in &mut self.lock().lanes {
            let _ = lane.tail().leave();
        }
    }

    /// Nothing in here is left half done by a panic that another thread could go on with: counts and queues.
    fn lock(&self) -> MutexGuard<'_, Everything> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shutdown() -> Ending {
    Ending::new(Cause::Shutdown, "the gateway ends")
}

fn add(to: &mut Counts, counts: Counts) {
    to.taken += counts.taken;
    to.skipped += counts.skipped;
    to.conflated += counts.conflated;
    to.lost += counts.lost;
}

/// Puts records into the queues of those who want them.
fn deliver(
    lane: &mut Lane,
    listeners: &mut BTreeMap<u64, Listener>,
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
            let row = crate::tail::Row {
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

impl Listener {
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

/// Tells of records that the gateway was too slow for.
fn miss(lane: &Lane, listeners: &mut BTreeMap<u64, Listener>, lost: u64) {
    for listener in listeners.values_mut().filter(|l| l.interests.any() != 0) {
        let mut queue = listener.outbox.queue();
        queue.miss(lane.source(), Missing::Lost, lost);
        listener.due = true;
    }
}

/// Tells how it stands with a lane.
fn tell(lane: &Lane, listeners: &mut BTreeMap<u64, Listener>) {
    for listener in listeners.values_mut() {
        let mut queue = listener.outbox.queue();
        queue.state(lane.source(), lane.state(), lane.position());
        listener.due = true;
    }
}
