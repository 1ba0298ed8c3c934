//! What is published.

use super::path;
use feed_common::event::{Flags, Kind, Price, Record, Side};
use feed_common::ring::shared::{Published, Session, SharedPlan, publish};
use feed_common::sys::sleep_precisely;
use feed_common::time::{Clock, UnixNanos};
use std::thread;
use std::time::{Duration, Instant};

/// Slots of the ring: more than a second at the rate that is aimed for.
const SLOTS: usize = 65_536;

/// Records of a packet, which become visible together.
const PACKET: u64 = 10;

/// A lane of best prices, one instrument after the other.
pub struct Feed {
    published: Published,
    instruments: u64,
    next: u64,
}

impl Feed {
    /// One that nothing has been written to. The number of instruments has no factor 7.
    pub fn new(instruments: u64) -> Feed {
        let plan = SharedPlan {
            path: path(),
            slots: SLOTS,
            instruments: instruments as u32,
            mode: 0o600,
            group: None,
            session: Session::new("bench"),
            channels: Vec::new(),
            scale: Clock::new().scale(),
        };
        Feed {
            published: publish(&plan).unwrap_or_else(|error| panic!("{error}")),
            instruments,
            next: 0,
        }
    }

    /// Records that were written.
    pub fn written(&self) -> u64 {
        self.next
    }

    /// Writes the best prices of every instrument.
    pub fn write_all(&mut self) {
        self.packet(self.instruments * 2);
    }

    /// Writes so many records on schedule, a packet at a time; how long that took.
    pub fn write(&mut self, rate: u64, total: u64) -> Duration {
        sleep_precisely();
        let start = Instant::now();
        let mut n = 0;
        while n < total {
            let due = Duration::from_nanos(n * 1_000_000_000 / rate);
            thread::sleep(due.saturating_sub(start.elapsed()));
            self.packet(PACKET.min(total - n));
            n += PACKET;
        }
        start.elapsed()
    }

    /// Writes so many records, of now.
    pub fn packet(&mut self, records: u64) {
        let now = UnixNanos::now();
        for n in self.next..self.next + records {
            self.published.ring.push(&record(n, self.instruments, now));
        }
        self.next += records;
        self.published.ring.flush();
    }

    /// Ends it.
    pub fn remove(self) {
        drop(self.published);
        for file in [path(), format!("{}.lock", path().display()).into()] {
            std::fs::remove_file(file).expect("what was made");
        }
    }
}

fn record(n: u64, instruments: u64, now: UnixNanos) -> Record {
    let (pair, is_bid) = (n / 2, n.is_multiple_of(2));
    let instrument = pair * 7 % instruments;
    let mut record = Record::default();
    let symbol = format!("S{instrument:<7}");
    record.data.symbol.copy_from_slice(symbol.as_bytes());
    record
        .data
        .price
        .set((pair % 10_000) as i64 * 10_000_000 + i64::from(!is_bid) * 10_000_000);
    record.data.quantity.set(100);
    (record.data.kind, record.data.side) = match is_bid {
        true => (Kind::BID.0, Side::BUY.0),
        false => (Kind::OFFER.0, Side::SELL.0),
    };
    record
        .data
        .flags
        .set(if is_bid { 0 } else { Flags::END_OF_EVENT.0 });
    record.data.timestamp.set(now.0);
    record.sequence.set(n);
    record.instrument.set(instrument as u32);
    debug_assert!(Price(record.data.price.get()).is_some());
    record
}
