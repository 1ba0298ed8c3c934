//! A client's place: its queue, how it is woken, and that it is given back when the client has gone.

use super::ending::Ending;
use super::hub::Hub;
use super::queue::Queue;
use super::request::Policy;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What waits for a client, between the thread that reads shared memory and the task that sends.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    /// Something waits.
    pub wake: Notify,
    /// Nothing more will be sent: the queue says why.
    pub kill: Notify,
}

impl Outbox {
    /// Nothing waits, and nothing can until it is known how.
    pub fn new() -> Outbox {
        Outbox {
            queue: Mutex::new(Queue::new(0, Policy::Skip)),
            wake: Notify::new(),
            kill: Notify::new(),
        }
    }

    /// The queue. Held for moments only.
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for so many records, and what happens when there is none. What is said of lanes before is told anyway.
    pub fn open(&self, room: usize, policy: Policy) {
        let mut queue = self.queue();
        if queue.ending().is_none() {
            *queue = Queue::new(room, policy);
        }
    }

    /// Nothing more will be sent.
    pub fn end(&self, ending: Ending) {
        self.queue().end(ending);
        self.kill.notify_one();
    }
}

/// The place of a client, until it is dropped.
pub struct Seat {
    hub: Arc<Hub>,
    key: u64,
    outbox: Arc<Outbox>,
}

impl Seat {
    pub(super) fn new(hub: Arc<Hub>, key: u64, outbox: Arc<Outbox>) -> Seat {
        Seat { hub, key, outbox }
    }

    /// Lanes and clients.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// The number of the client.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// What waits for it.
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(self.key);
    }
}
