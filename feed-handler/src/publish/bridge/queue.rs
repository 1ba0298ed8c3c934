//! The sending side of one blocking consumer: its queue, what was left out of it, and what is done when it is full.

use super::waiting::{Taken, Waiting};
use super::{ConsumerGauge, ConsumerStats, Delivery};
use crate::config::{Believed, WhenFull};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use feed_common::event::{Kind, Record, Trust};
use std::sync::Arc;
use std::time::Duration;

/// How long a closing queue waits for room to say what is still untold.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What the consumer has not been told yet.
#[derive(Clone, Copy, Debug, Default)]
struct Untold {
    lost: u64,
    conflated: u64,
    withheld: u64,
}

impl Untold {
    /// The next thing to say.
    fn first(&self) -> Option<Delivery> {
        let all = [
            Delivery::Lost(self.lost),
            Delivery::Conflated(self.conflated),
            Delivery::Withheld(self.withheld),
        ];
        all.into_iter()
            .find(|d| d.left_out().is_some_and(|n| n > 0))
    }

    /// The count that such a delivery is of.
    fn count(&mut self, of: Delivery) -> &mut u64 {
        match of {
            Delivery::Conflated(_) => &mut self.conflated,
            Delivery::Withheld(_) => &mut self.withheld,
            _ => &mut self.lost,
        }
    }
}

/// What is done when there is no room.
#[derive(Debug)]
enum Policy {
    Drop,
    /// With a receiving end of the same queue, so that a consumer that has dropped its own is not noticed: its queue is
    /// emptied again and again, which hurts nobody.
    Skip(Receiver<Delivery>),
    Conflate(Waiting),
    Stop,
}

/// The sending side of one consumer.
#[derive(Debug)]
pub(super) struct Queue {
    sender: Sender<Delivery>,
    policy: Policy,
    stats: ConsumerStats,
    gauge: Arc<ConsumerGauge>,
    believed: Believed,
    untold: Untold,
    /// It has dropped its end, or was stopped and told so.
    gone: bool,
    /// The rings it hears, by index.
    rings: Vec<usize>,
}

impl Queue {
    /// A queue of `room` records, and its receiving end.
    pub fn new(
        name: &str,
        room: usize,
        rings: &[usize],
        believed: Believed,
        when_full: WhenFull,
    ) -> (Queue, Receiver<Delivery>) {
        let (sender, receiver) = bounded(room);
        let policy = match when_full {
            WhenFull::Drop => Policy::Drop,
            WhenFull::Skip => Policy::Skip(receiver.clone()),
            WhenFull::Conflate => Policy::Conflate(Waiting::with_room(room)),
            WhenFull::Stop => Policy::Stop,
        };
        let stats = ConsumerStats {
            name: name.to_owned(),
            ..ConsumerStats::default()
        };
        let queue = Queue {
            sender,
            policy,
            gauge: Arc::new(ConsumerGauge::named(name)),
            stats,
            believed,
            untold: Untold::default(),
            gone: false,
            rings: rings.to_vec(),
        };
        (queue, receiver)
    }

    pub fn gauge(&self) -> &Arc<ConsumerGauge> {
        &self.gauge
    }

    pub fn hears(&self, ring: usize) -> bool {
        !self.gone && self.rings.contains(&ring)
    }

    /// Takes records of a ring.
    pub fn take(&mut self, records: &[Record]) {
        records.iter().for_each(|record| self.offer(record));
        self.gauge.show(&self.stats);
    }

    /// So many records were overwritten before the bridge had read them.
    pub fn miss(&mut self, lost: u64) {
        self.lose(lost);
        self.gauge.show(&self.stats);
    }

    /// Hands out what waits, as far as there is room by now.
    pub fn settle(&mut self) {
        let waits = match &self.policy {
            Policy::Conflate(waiting) => !waiting.is_empty(),
            Policy::Stop => self.stats.stopped,
            _ => false,
        };
        if waits && !self.gone {
            self.has_room();
            self.gauge.show(&self.stats);
        }
    }

    fn offer(&mut self, record: &Record) {
        if self.gone {
            return;
        }
        if self.believed == Believed::Valid && !is_for_all(record) {
            self.stats.withheld += 1;
            self.untold.withheld += 1;
            return;
        }
        if self.has_room() && self.send(Delivery::Record(*record)) {
            self.stats.delivered += 1;
            return;
        }
        match &mut self.policy {
            Policy::Conflate(waiting) => {
                let Taken { waits, replaced } = waiting.take(record);
                self.stats.conflated += replaced;
                self.untold.conflated += replaced;
                self.lose(u64::from(!waits));
            }
            Policy::Skip(_) => {
                self.skip();
                if self.has_room() && self.send(Delivery::Record(*record)) {
                    self.stats.delivered += 1;
                } else {
                    self.lose(1);
                }
            }
            Policy::Drop | Policy::Stop => self.lose(1),
        }
    }

    /// Takes everything out of the queue that the consumer has not taken.
    fn skip(&mut self) {
        let Policy::Skip(own) = &self.policy else {
            return;
        };
        let mut skipped = 0;
        // No more than it holds: the consumer may be at it as well, and nobody else puts anything in.
        for old in own.try_iter() {
            match old.left_out() {
                None => skipped += 1,
                Some(n) => *self.untold.count(old) += n,
            }
        }
        self.stats.skipped += skipped;
        self.lose(skipped);
    }

    /// Says what is still untold, then hands out what waits: true when nothing of either is left.
    fn has_room(&mut self) -> bool {
        while let Some(next) = self.untold.first() {
            if !self.send(next) {
                return false;
            }
            *self.untold.count(next) = 0;
        }
        if self.stats.stopped {
            self.gone = true;
            return false;
        }
        while let Policy::Conflate(waiting) = &mut self.policy
            && let Some(record) = waiting.first()
        {
            if !self.send(Delivery::Record(record)) {
                return false;
            }
            self.stats.delivered += 1;
            if let Policy::Conflate(waiting) = &mut self.policy {
                waiting.pop();
            }
        }
        true
    }

    fn lose(&mut self, n: u64) {
        self.stats.lost += n;
        self.untold.lost += n;
        self.stats.stopped |= n > 0 && matches!(self.policy, Policy::Stop);
    }

    fn send(&mut self, delivery: Delivery) -> bool {
        match self.sender.try_send(delivery) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => false,
            Err(TrySendError::Disconnected(_)) => {
                self.gone = true;
                false
            }
        }
    }

    /// Says what is still untold and hands out what waits before the channel closes, waiting for room a bounded time.
    pub fn close(mut self) -> ConsumerStats {
        let wait = |delivery| {
            let sent = self.sender.send_timeout(delivery, LAST_WORDS);
            sent.is_ok()
        };
        while let Some(next) = self.untold.first().filter(|_| !self.gone) {
            *self.untold.count(next) = 0;
            self.gone = !wait(next);
        }
        if let Policy::Conflate(waiting) = &mut self.policy {
            while let Some(record) = waiting.first() {
                waiting.pop();
                self.gone = self.gone || !wait(Delivery::Record(record));
                *match self.gone {
                    true => &mut self.stats.lost,
                    false => &mut self.stats.delivered,
                } += 1;
            }
        }
        self.gauge.show(&self.stats);
        self.stats
    }
}

/// Whether a record can be acted on, or says what cannot be.
fn is_for_all(record: &Record) -> bool {
    let tells = [Kind::GAP.0, Kind::CLEAR.0, Kind::TRUST.0].contains(&record.data.kind);
    record.trust == Trust::VALID.0 || tells
}
