//! The bridge: a cold thread that reads the broadcast rings and feeds each blocking consumer a channel of its own.
//!
//! Hot threads write their ring and nothing else. Consumers that want to block or select get a
//! [`crossbeam_channel::Receiver`]; one channel each, because several receivers of one channel would share the records,
//! not repeat them. A consumer whose queue is full loses the newest records: they are counted, and before the next
//! record it is handed a [`Delivery::Lost`] that says how many. It never slows another consumer or the lane.
//!
//! A consumer that asks for valid data only is spared the records of instruments that nobody should act on, and told before
//! the next one how many there were. Gaps, clearings and silences it has all the same: they say why, and what it holds no more.

use crate::config::Believed;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use feed_common::event::{Kind, Record, Trust};
use feed_common::ring::Reader;
use feed_common::sys::sleep_precisely;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
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
    /// This many records are left out here, as the consumer asked for valid data only: of instruments that a gap could
    /// have touched, say, and that are not whole again.
    Withheld(u64),
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
    /// Records it did not ask for, as they were not to be trusted.
    pub withheld: u64,
}

/// What has become of one consumer's records so far, shown by the bridge and read by anyone.
#[derive(Debug, Default)]
pub struct ConsumerGauge {
    name: String,
    delivered: AtomicU64,
    lost: AtomicU64,
    withheld: AtomicU64,
}

impl ConsumerGauge {
    /// What was last shown.
    pub fn read(&self) -> ConsumerStats {
        ConsumerStats {
            name: self.name.clone(),
            delivered: self.delivered.load(Relaxed),
            lost: self.lost.load(Relaxed),
            withheld: self.withheld.load(Relaxed),
        }
    }

    fn show(&self, stats: &ConsumerStats) {
        self.delivered.store(stats.delivered, Relaxed);
        self.lost.store(stats.lost, Relaxed);
        self.withheld.store(stats.withheld, Relaxed);
    }
}

/// The sending side of one consumer.
#[derive(Debug)]
struct Outlet {
    sender: Sender<Delivery>,
    stats: ConsumerStats,
    gauge: Arc<ConsumerGauge>,
    believed: Believed,
    /// Lost since the consumer was last told.
    untold: u64,
    /// Withheld since then.
    withheld: u64,
    gone: bool,
    /// The rings it hears, by index.
    rings: Vec<usize>,
}

impl Outlet {
    fn hears(&self, ring: usize) -> bool {
        !self.gone && self.rings.contains(&ring)
    }

    fn offer(&mut self, record: &Record) {
        if self.believed == Believed::Valid && !is_for_all(record) {
            self.stats.withheld += 1;
            self.withheld += 1;
            return;
        }
        if self.tell() && self.send(Delivery::Record(*record)) {
            self.stats.delivered += 1;
        } else {
            self.lose(1);
        }
    }

    /// Says what is still untold; true when nothing is any more.
    fn tell(&mut self) -> bool {
        if self.untold > 0 && self.send(Delivery::Lost(self.untold)) {
            self.untold = 0;
        }
        if self.untold == 0 && self.withheld > 0 && self.send(Delivery::Withheld(self.withheld)) {
            self.withheld = 0;
        }
        self.untold == 0 && self.withheld == 0
    }

    fn lose(&mut self, n: u64) {
        self.stats.lost += n;
        self.untold += n;
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

    /// Says what is still untold before the channel closes, waiting for room a bounded time.
    fn close(self) -> ConsumerStats {
        let untold = [
            (self.untold, Delivery::Lost(self.untold)),
            (self.withheld, Delivery::Withheld(self.withheld)),
        ];
        for (_, delivery) in untold.into_iter().filter(|(n, _)| *n > 0 && !self.gone) {
            let _ = self
                .sender
                .send_timeout(delivery, Duration::from_millis(100));
        }
        self.stats
    }
}

/// Whether a record can be acted on, or says what cannot be.
fn is_for_all(record: &Record) -> bool {
    let tells = [Kind::GAP.0, Kind::CLEAR.0, Kind::TRUST.0].contains(&record.data.kind);
    record.trust == Trust::VALID.0 || tells
}

/// Feeds blocking consumers from the lanes' rings. Build it, hand out the receivers, then [`Bridge::run`] it on a thread.
#[derive(Debug)]
pub struct Bridge {
    /// With their index, as closed ones leave.
    readers: Vec<(usize, Reader<Record>)>,
    outlets: Vec<Outlet>,
}

impl Bridge {
    /// A bridge over the rings that `readers` read.
    pub fn new(readers: Vec<Reader<Record>>) -> Bridge {
        Bridge {
            readers: readers.into_iter().enumerate().collect(),
            outlets: Vec::new(),
        }
    }

    /// Adds a consumer with a queue of `queue` records that hears the given rings (indices into the readers).
    pub fn consumer(
        &mut self,
        name: &str,
        queue: usize,
        rings: &[usize],
        believed: Believed,
    ) -> Receiver<Delivery> {
        let (sender, receiver) = bounded(queue);
        self.outlets.push(Outlet {
            sender,
            stats: ConsumerStats {
                name: name.to_owned(),
                ..ConsumerStats::default()
            },
            gauge: Arc::new(ConsumerGauge {
                name: name.to_owned(),
                ..ConsumerGauge::default()
            }),
            believed,
            untold: 0,
            withheld: 0,
            gone: false,
            rings: rings.to_vec(),
        });
        receiver
    }

    /// What becomes of each consumer's records while it runs.
    pub fn gauges(&self) -> Vec<Arc<ConsumerGauge>> {
        self.outlets.iter().map(|o| o.gauge.clone()).collect()
    }

    /// Moves records until every ring is closed and drained, then disconnects the consumers.
    pub fn run(mut self) -> Vec<ConsumerStats> {
        sleep_precisely();
        let mut batch = [Record::default(); BATCH];
        while !self.readers.is_empty() {
            let mut idle = true;
            for (ring, reader) in &mut self.readers {
                let listeners = self.outlets.iter_mut().filter(|o| o.hears(*ring));
                match reader.read(&mut batch) {
                    Ok(0) => {}
                    Ok(n) => {
                        idle = false;
                        for outlet in listeners {
                            batch[..n].iter().for_each(|r| outlet.offer(r));
                            outlet.gauge.show(&outlet.stats);
                        }
                    }
                    Err(overrun) => {
                        idle = false;
                        for outlet in listeners {
                            outlet.lose(overrun.lost);
                            outlet.gauge.show(&outlet.stats);
                        }
                    }
                }
            }
            if idle {
                self.readers.retain(|(_, r)| !r.is_closed());
                std::thread::sleep(NAP);
            }
        }
        self.outlets.into_iter().map(Outlet::close).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::Record;
    use feed_common::ring::broadcast;

    fn numbered(n: u64) -> Record {
        let mut r = Record::default();
        r.sequence.set(n);
        r
    }

    /// What a consumer received: sequence numbers, losses as negative numbers, and what was withheld as those below -1,000.
    fn received(rx: &Receiver<Delivery>) -> Vec<i64> {
        rx.iter()
            .map(|d| match d {
                Delivery::Record(r) => r.sequence.get() as i64,
                Delivery::Lost(n) => -(n as i64),
                Delivery::Withheld(n) => -1_000 - n as i64,
            })
            .collect()
    }

    #[test]
    fn every_consumer_gets_every_record_of_the_rings_it_hears() {
        let mut one = broadcast::<Record>(64).unwrap();
        let mut two = broadcast::<Record>(64).unwrap();
        let mut bridge = Bridge::new(vec![one.subscribe(), two.subscribe()]);
        let both = bridge.consumer("both", 16, &[0, 1], Believed::Any);
        let second = bridge.consumer("second", 16, &[1], Believed::Any);
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
        let slow = bridge.consumer("slow", 2, &[0], Believed::Any);
        let bystander = bridge.consumer("bystander", 64, &[0], Believed::Any);
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
        let valid = bridge.consumer("valid", 64, &[0], Believed::Valid);
        let all = bridge.consumer("all", 64, &[0], Believed::Any);
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
        let rx = bridge.consumer("c", 1000, &[0], Believed::Any);
        (0..200).for_each(|n| ring.push(&numbered(n)));
        drop(ring);
        let stats = bridge.run();
        let got = received(&rx);
        assert!(got[0] < 0, "{got:?}");
        assert_eq!(stats[0].delivered + stats[0].lost, 200);
        assert_eq!(-got[0] as u64, stats[0].lost);
        assert_eq!(got.len() as u64 - 1, stats[0].delivered);
    }
}
