//! The bridge: a cold thread that reads the broadcast rings and feeds each blocking consumer a channel of its own.
//!
//! Hot threads write their ring and nothing else. Consumers that want to block or select get a
//! [`crossbeam_channel::Receiver`]; one channel each, because several receivers of one channel would share the records,
//! not repeat them. A slow consumer never slows another one or the lane. What happens when its queue is full is its own
//! choice ([`WhenFull`]), and is counted; before the next record it is handed a [`Delivery`] that says how many are missing.
//!
//! A consumer that asks for valid data only is spared the records of instruments that nobody should act on, and told before
//! the next one how many there were. Gaps, clearings and silences it has all the same: they say why, and what it holds no more.

mod queue;
mod waiting;

pub use waiting::{OfRecord, Taken, Waiting};

use crate::config::{Believed, WhenFull};
use crossbeam_channel::Receiver;
use feed_common::event::Record;
use feed_common::ring::Reader;
use feed_common::sys::sleep_precisely;
use queue::Queue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How long the bridge sleeps when no ring had a record.
const NAP: Duration = Duration::from_micros(50);

/// Records taken from a ring at once.
const BATCH: usize = 256;

/// What a blocking consumer receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A record.
    Record(Record),
    /// This many records are missing here: the consumer's queue was full, or the ring overran the bridge.
    Lost(u64),
    /// This many records are left out here, as newer ones say the same of their instruments ([`WhenFull::Conflate`]). Those
    /// follow.
    Conflated(u64),
    /// This many records are left out here, as the consumer asked for valid data only: of instruments that a gap could
    /// have touched, say, and that are not whole again.
    Withheld(u64),
}

impl Delivery {
    /// How many records are not here; `None` for one that is.
    pub fn left_out(&self) -> Option<u64> {
        match *self {
            Delivery::Record(_) => None,
            Delivery::Lost(n) | Delivery::Conflated(n) | Delivery::Withheld(n) => Some(n),
        }
    }
}

/// What became of one consumer's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerStats {
    /// The consumer's name.
    pub name: String,
    /// Records put into its queue.
    pub delivered: u64,
    /// Records it lost, whatever the reason.
    pub lost: u64,
    /// Of those lost, the ones that were in its queue and were taken out again, so that it goes on with what is new.
    pub skipped: u64,
    /// Records it was spared, as newer ones said the same of their instruments.
    pub conflated: u64,
    /// Records it did not ask for, as they were not to be trusted.
    pub withheld: u64,
    /// It was stopped when it had lost some, as it asked for.
    pub stopped: bool,
}

/// What has become of one consumer's records so far, shown by the bridge and read by anyone.
#[derive(Debug, Default)]
pub struct ConsumerGauge {
    name: String,
    delivered: AtomicU64,
    lost: AtomicU64,
    skipped: AtomicU64,
    conflated: AtomicU64,
    withheld: AtomicU64,
    stopped: AtomicBool,
}

impl ConsumerGauge {
    fn named(name: &str) -> ConsumerGauge {
        ConsumerGauge {
            name: name.to_owned(),
            ..ConsumerGauge::default()
        }
    }

    /// What was last shown.
    pub fn read(&self) -> ConsumerStats {
        ConsumerStats {
            name: self.name.clone(),
            delivered: self.delivered.load(Relaxed),
            lost: self.lost.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            conflated: self.conflated.load(Relaxed),
            withheld: self.withheld.load(Relaxed),
            stopped: self.stopped.load(Relaxed),
        }
    }

    fn show(&self, stats: &ConsumerStats) {
        self.delivered.store(stats.delivered, Relaxed);
        self.lost.store(stats.lost, Relaxed);
        self.skipped.store(stats.skipped, Relaxed);
        self.conflated.store(stats.conflated, Relaxed);
        self.withheld.store(stats.withheld, Relaxed);
        self.stopped.store(stats.stopped, Relaxed);
    }
}

/// Feeds blocking consumers from the lanes' rings. Build it, hand out the receivers, then [`Bridge::run`] it on a thread.
#[derive(Debug)]
pub struct Bridge {
    /// With their index, as closed ones leave.
    readers: Vec<(usize, Reader<Record>)>,
    queues: Vec<Queue>,
}

impl Bridge {
    /// A bridge over the rings that `readers` read.
    pub fn new(readers: Vec<Reader<Record>>) -> Bridge {
        Bridge {
            readers: readers.into_iter().enumerate().collect(),
            queues: Vec::new(),
        }
    }

    /// Adds a consumer with a queue of `queue` records that hears the given rings (indices into the readers).
    pub fn consumer(
        &mut self,
        name: &str,
        queue: usize,
        rings: &[usize],
        believed: Believed,
        when_full: WhenFull,
    ) -> Receiver<Delivery> {
        let (queue, receiver) = Queue::new(name, queue, rings, believed, when_full);
        self.queues.push(queue);
        receiver
    }

    /// What becomes of each consumer's records while it runs.
    pub fn gauges(&self) -> Vec<Arc<ConsumerGauge>> {
        self.queues.iter().map(|q| q.gauge().clone()).collect()
    }

    /// Moves records until every ring is closed and drained, then disconnects the consumers.
    pub fn run(mut self) -> Vec<ConsumerStats> {
        sleep_precisely();
        let mut batch = [Record::default(); BATCH];
        while !self.readers.is_empty() {
            let mut idle = true;
            for (ring, reader) in &mut self.readers {
                let read = reader.read(&mut batch);
                let listeners = self.queues.iter_mut().filter(|q| q.hears(*ring));
                match read {
                    Ok(0) => continue,
                    Ok(n) => listeners.for_each(|queue| queue.take(&batch[..n])),
                    Err(overrun) => listeners.for_each(|queue| queue.miss(overrun.lost)),
                }
                idle = false;
            }
            if idle {
                self.queues.iter_mut().for_each(Queue::settle);
                self.readers.retain(|(_, r)| !r.is_closed());
                std::thread::sleep(NAP);
            }
        }
        self.queues.into_iter().map(Queue::close).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::{Kind, Trust};
    use feed_common::ring::broadcast;

    fn numbered(n: u64) -> Record {
        let mut r = Record::default();
        r.sequence.set(n);
        r
    }

    /// What a consumer received: sequence numbers, losses as negative numbers, what was withheld as those below -1,000 and
    /// what was conflated as those below -2,000.
    fn received(rx: &Receiver<Delivery>) -> Vec<i64> {
        rx.iter()
            .map(|d| match d {
                Delivery::Record(r) => r.sequence.get() as i64,
                Delivery::Lost(n) => -(n as i64),
                Delivery::Withheld(n) => -1_000 - n as i64,
                Delivery::Conflated(n) => -2_000 - n as i64,
            })
            .collect()
    }

    #[test]
    fn every_consumer_gets_every_record_of_the_rings_it_hears() {
        let mut one = broadcast::<Record>(64).unwrap();
        let mut two = broadcast::<Record>(64).unwrap();
        let mut bridge = Bridge::new(vec![one.subscribe(), two.subscribe()]);
        let both = bridge.consumer("both", 16, &[0, 1], Believed::Any, WhenFull::Drop);
        let second = bridge.consumer("second", 16, &[1], Believed::Any, WhenFull::Drop);
        (1..4).for_each(|n| one.push(&numbered(n)));
        (11..13).for_each(|n| two.push(&numbered(n)));
        drop((one, two));
        let stats = bridge.run();
        assert_eq!(received(&both), [1, 2, 3, 11, 12]);
        assert_eq!(received(&second), [11, 12]);
        assert_eq!(
            stats
                .iter()
                .map(|s| (s.delivered, s.lost))
                .collect::<Vec<_>>(),
            [(5, 0), (2, 0)]
        );
    }

    #[test]
    fn a_full_queue_drops_the_newest_counts_them_and_tells_before_the_next() {
        let mut ring = broadcast::<Record>(64).unwrap();
        let mut bridge = Bridge::new(vec![ring.subscribe()]);
        let slow = bridge.consumer("slow", 2, &[0], Believed::Any, WhenFull::Drop);
        let bystander = bridge.consumer("bystander", 64, &[0], Believed::Any, WhenFull::Drop);
        (1..6).for_each(|n| ring.push(&numbered(n)));
        ring.flush();
        let handle = std::thread::spawn(move || bridge.run());
        // The bystander has all of them, so the slow one's queue has been full for the last three.
        let first: Vec<_> = (0..5).map(|_| bystander.recv().unwrap()).collect();
        assert_eq!(first.len(), 5);
        let early: Vec<_> = (0..2).map(|_| slow.recv().unwrap()).collect();
        assert_eq!(
            early,
            [Delivery::Record(numbered(1)), Delivery::Record(numbered(2))]
        );
        ring.push(&numbered(6));
        drop(ring);
        assert_eq!(received(&slow), [-3, 6]);
        let stats = handle.join().unwrap();
        assert_eq!((stats[0].delivered, stats[0].lost), (3, 3));
        assert_eq!((stats[1].delivered, stats[1].lost), (6, 0));
    }

    #[test]
    fn who_asks_for_valid_data_is_told_what_is_withheld() {
        let mut ring = broadcast::<Record>(64).unwrap();
        let mut bridge = Bridge::new(vec![ring.subscribe()]);
        let valid = bridge.consumer("valid", 64, &[0], Believed::Valid, WhenFull::Drop);
        let all = bridge.consumer("all", 64, &[0], Believed::Any, WhenFull::Drop);
        let doubted = |n, kind: Kind| {
            let mut r = numbered(n);
            r.data.kind = kind.0;
            r.trust = Trust::RECOVERING.0;
            r
        };
        ring.push(&numbered(1));
        ring.push(&doubted(2, Kind::GAP));
        ring.push(&doubted(3, Kind::ADD));
        ring.push(&doubted(4, Kind::TRADE));
        ring.push(&doubted(5, Kind::CLEAR));
        ring.push(&numbered(6));
        ring.push(&doubted(7, Kind::BID));
        ring.push(&doubted(8, Kind::TRUST));
        drop(ring);
        let stats = bridge.run();
        assert_eq!(received(&valid), [1, 2, -1_002, 5, 6, -1_001, 8]);
        assert_eq!(received(&all), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((stats[0].delivered, stats[0].withheld), (5, 3));
        assert_eq!((stats[1].delivered, stats[1].withheld), (8, 0));
    }

    #[test]
    fn an_overrun_of_the_bridge_reaches_every_consumer_as_a_loss() {
        let mut ring = broadcast::<Record>(64).unwrap();
        let mut bridge = Bridge::new(vec![ring.subscribe()]);
        let rx = bridge.consumer("c", 1000, &[0], Believed::Any, WhenFull::Drop);
        (0..200).for_each(|n| ring.push(&numbered(n)));
        drop(ring);
        let stats = bridge.run();
        let got = received(&rx);
        assert!(got[0] < 0, "{got:?}");
        assert_eq!(stats[0].delivered + stats[0].lost, 200);
        assert_eq!(-got[0] as u64, stats[0].lost);
        assert_eq!(got.len() as u64 - 1, stats[0].delivered);
    }

    /// A bridge with one consumer of that policy and a queue of four, behind which `records` come at once; then it is read
    /// empty, and `later` come.
    fn overwhelmed(
        when_full: WhenFull,
        records: &[Record],
        later: &[Record],
    ) -> (Vec<i64>, ConsumerStats) {
        let mut ring = broadcast::<Record>(256).unwrap();
        let mut bridge = Bridge::new(vec![ring.subscribe()]);
        let slow = bridge.consumer("slow", 4, &[0], Believed::Any, when_full);
        let beside = bridge.consumer("beside", 256, &[0], Believed::Any, WhenFull::Drop);
        records.iter().for_each(|r| ring.push(r));
        ring.flush();
        let bridge = std::thread::spawn(move || bridge.run());
        // The slow one was offered each before the one beside it had the last.
        (0..records.len()).for_each(|_| _ = beside.recv().unwrap());
        let wait = Duration::from_millis(50);
        let mut all: Vec<Delivery> = std::iter::from_fn(|| slow.recv_timeout(wait).ok()).collect();
        later.iter().for_each(|r| ring.push(r));
        drop(ring);
        all.extend(slow.iter());
        let (sender, again) = crossbeam_channel::unbounded();
        all.into_iter().for_each(|d| sender.send(d).unwrap());
        drop(sender);
        (received(&again), bridge.join().unwrap().swap_remove(0))
    }

    fn of_kind(kind: Kind, n: u64, instrument: u32) -> Record {
        let mut r = numbered(n);
        r.data.kind = kind.0;
        r.instrument.set(instrument);
        r
    }

    #[test]
    fn who_skips_goes_on_with_the_newest() {
        let records: Vec<_> = (1..=10).map(numbered).collect();
        let (got, stats) = overwhelmed(WhenFull::Skip, &records, &[numbered(11)]);
        // Full at 5 and again at 8, as what is missing takes a place: 1 to 4 go, then 5 to 7.
        assert_eq!(got, [-7, 8, 9, 10, 11]);
        assert_eq!((stats.lost, stats.skipped), (7, 7));
        assert_eq!(stats.delivered, 11);
    }

    #[test]
    fn who_conflates_gets_the_newest_of_each_instrument() {
        let bid = |n, instrument| of_kind(Kind::BID, n, instrument);
        let records = [
            bid(1, 1),
            bid(2, 1),
            bid(3, 1),
            bid(4, 1),
            // Full from here on.
            bid(5, 1),
            bid(6, 2),
            bid(7, 1),
            of_kind(Kind::ADD, 8, 1),
            of_kind(Kind::GAP, 9, 1),
            bid(10, 2),
        ];
        let (got, stats) = overwhelmed(WhenFull::Conflate, &records, &[numbered(11)]);
        assert_eq!(got, [1, 2, 3, 4, -1, -2_002, 7, 10, 9, 11]);
        assert_eq!((stats.delivered, stats.lost, stats.conflated), (8, 1, 2));
        assert_eq!(stats.delivered + stats.lost + stats.conflated, 11);
    }

    #[test]
    fn what_waits_at_the_end_is_handed_out() {
        let bid = |n| of_kind(Kind::BID, n, 1);
        let (mut ring, records) = (broadcast::<Record>(256).unwrap(), (1..=9).map(bid));
        let mut bridge = Bridge::new(vec![ring.subscribe()]);
        let slow = bridge.consumer("slow", 4, &[0], Believed::Any, WhenFull::Conflate);
        records.for_each(|r| ring.push(&r));
        drop(ring);
        let bridge = std::thread::spawn(move || bridge.run());
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(received(&slow), [1, 2, 3, 4, -2_004, 9]);
        assert_eq!(bridge.join().unwrap()[0].delivered, 5);
    }

    #[test]
    fn who_stops_is_told_and_gets_nothing_more() {
        let records: Vec<_> = (1..=6).map(numbered).collect();
        let (got, stats) = overwhelmed(WhenFull::Stop, &records, &[numbered(7)]);
        assert_eq!(got, [1, 2, 3, 4, -2]);
        assert_eq!((stats.delivered, stats.lost), (4, 2));
        assert!(stats.stopped);
    }
}
