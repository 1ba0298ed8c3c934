//! Who wants what, and who gets it: lanes and clients under one lock, so that a subscription begins between two batches of
//! records and its quotes are as of that place.

use super::ending::{Ending, Endings};
use super::interests::Subscription;
use super::lane::{Lane, Quoted};
use super::lanes::Lanes;
use super::listeners::{Listener, Listeners, deliver, miss, tell};
use super::options::Limits;
use super::queue::{Counts, Item, State};
use super::seat::{Outbox, Seat};
use super::update::{Held, Memory, Source};
use crate::tail::{Tail, Taken};
use feed_common::event::Record;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
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
    /// Lanes that came later than the gateway.
    pub found: AtomicU64,
    /// Writers that came after another of the same name.
    pub reopened: AtomicU64,
    /// Files that cannot be read, at the last look.
    pub refused: AtomicU64,
    /// Messages sent to clients, and their bytes.
    pub messages: AtomicU64,
    /// Bytes of them, without what WebSocket and TCP add.
    pub bytes: AtomicU64,
}

struct Everything {
    lanes: Lanes,
    listeners: Listeners,
    next: u64,
    /// Of clients that have left.
    counts: Counts,
}

/// What comes before the records of a subscription.
#[derive(Debug)]
pub struct Begun {
    /// What had waited: of the time before.
    pub before: VecDeque<Item>,
    /// Quotes.
    pub snapshots: Vec<Snapshot>,
}

/// The latest quotes of a lane.
#[derive(Debug)]
pub struct Snapshot {
    /// Of which subscription.
    pub id: u32,
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
    /// Without lanes and clients.
    pub fn new(limits: Limits) -> Hub {
        Hub {
            memory: Arc::new(Memory::new(limits.memory)),
            state: Mutex::new(Everything {
                lanes: Lanes::default(),
                listeners: Listeners::new(),
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
            return Err(Ending::Shutdown);
        }
        if all.listeners.len() >= self.limits.clients {
            let reason = format!("there are {} clients already", all.listeners.len());
            return Err(Ending::NoRoom(reason));
        }
        let outbox = Arc::new(Outbox::new());
        let key = all.next;
        all.next += 1;
        all.listeners.insert(key, Listener::new(outbox.clone()));
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
            return Err(Refused::Ended(Ending::Left));
        };
        let number = listener.interests.len();
        if number >= self.limits.subscriptions && !listener.interests.has(subscription.id) {
            let reason = format!(
                "expected at most {} subscriptions",
                self.limits.subscriptions
            );
            return Err(Refused::Ended(Ending::TooMany(reason)));
        }
        let asked = std::slice::from_ref(&subscription);
        let snapshots = self.snapshots(all.lanes.iter(), asked)?;
        listener.interests.add(subscription);
        Ok(listener.begin(snapshots))
    }

    /// Quotes of a lane that has come, for the subscriptions that a client has.
    pub fn join(&self, key: u64, lane: usize) -> Result<Begun, Refused> {
        let mut all = self.lock();
        let all = &mut *all;
        let Some(listener) = all.listeners.get_mut(&key) else {
            return Err(Refused::Ended(Ending::Left));
        };
        let asked = listener.interests.subscriptions();
        let snapshots = self.snapshots(all.lanes.get(lane).into_iter(), asked)?;
        Ok(listener.begin(snapshots))
    }

    /// Quotes of lanes for the subscriptions that want them.
    fn snapshots<'a>(
        &self,
        lanes: impl Iterator<Item = &'a Lane> + Clone,
        asked: &[Subscription],
    ) -> Result<Vec<Snapshot>, Refused> {
        let mut snapshots = Vec::new();
        for subscription in asked.iter().filter(|s| s.snapshot) {
            if !lanes.clone().all(Lane::is_settled) {
                return Err(Refused::Unsettled);
            }
            for lane in lanes.clone() {
                let quotes = lane.quotes(|name| subscription.means(name));
                let bytes = quotes.len() * (size_of::<Quoted>() + 32);
                if self.memory.is_full() {
                    let reason = "the gateway's memory for clients is taken".into();
                    return Err(Refused::Ended(Ending::NoRoom(reason)));
                }
                snapshots.push(Snapshot {
                    id: subscription.id,
                    source: lane.source().clone(),
                    position: lane.position(),
                    quotes,
                    _held: self.memory.hold(bytes),
                });
            }
        }
        Ok(snapshots)
    }

    /// Ends a subscription; false where there is none of that number.
    pub fn unsubscribe(&self, key: u64, id: u32) -> bool {
        let mut all = self.lock();
        let listener = all.listeners.get_mut(&key);
        listener.is_some_and(|listener| listener.interests.remove(id))
    }

    /// Reads the lane of a number once and hands out what is there; whether anything was. `None` behind the last number.
    pub fn step(&self, number: usize, batch: &mut [Record]) -> Option<bool> {
        let mut all = self.lock();
        let Everything {
            lanes, listeners, ..
        } = &mut *all;
        let Some(lane) = lanes.get_mut(number) else {
            return (number < lanes.numbers()).then_some(false);
        };
        match lane.read(batch) {
            Taken::Nothing => return Some(false),
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
                tell(lane.source(), lane.state(), lane.position(), listeners);
            }
        }
        Some(true)
    }

    /// Files of lanes whose writer writes no more.
    pub fn ended(&self) -> Vec<PathBuf> {
        self.lock().lanes.ended()
    }

    /// Follows a file from its oldest record: the next writer of a lane that has ended, or a lane that was not there. Those
    /// who are `late` tell what was overwritten before. False where there are too many lanes. For one thread: what
    /// takes time is done while others read and clients come and go.
    pub fn follow(&self, tail: Tail, late: bool) -> bool {
        let source = self.lock().lanes.source(tail.path(), tail.facts().epoch);
        let Some(source) = source else {
            return false;
        };
        let (index, lost) = (source.index, tail.position());
        let lane = Lane::new(source, tail);
        let mut all = self.lock();
        let Everything {
            lanes, listeners, ..
        } = &mut *all;
        listeners
            .values_mut()
            .for_each(|l| l.interests.forget_lane(index));
        tell(lane.source(), State::Live, lost, listeners);
        if late && lost > 0 {
            self.totals.overrun.fetch_add(lost, Relaxed);
            miss(&lane, listeners, lost);
        }
        let earlier = lanes.put(lane);
        drop(all);
        if earlier.is_some() {
            self.totals.reopened.fetch_add(1, Relaxed);
        } else if late {
            self.totals.found.fetch_add(1, Relaxed);
        }
        true
    }

    /// The file of a lane that has ended is gone, and so is the lane.
    pub fn forget(&self, path: &Path) {
        let mut all = self.lock();
        let gone = all.lanes.take(path);
        if let Some(lane) = &gone {
            let (source, position) = (lane.source(), lane.position());
            tell(source, State::Gone, position, &mut all.listeners);
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
            listener.outbox.end(Ending::Shutdown);
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

    /// Leaves what was measured to the runs, as far as that is allowed.
    pub fn leave_measured(&self) {
        for lane in self.lock().lanes.iter_mut() {
            let _ = lane.tail().leave();
        }
    }

    /// Nothing in here is left half done by a panic that another thread could go on with: counts and queues.
    fn lock(&self) -> MutexGuard<'_, Everything> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(to: &mut Counts, counts: Counts) {
    to.taken += counts.taken;
    to.skipped += counts.skipped;
    to.conflated += counts.conflated;
    to.lost += counts.lost;
}
