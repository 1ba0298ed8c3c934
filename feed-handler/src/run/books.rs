//! Best prices of chosen symbols while a run goes: a thread reads the lanes' rings as any consumer does, from the first
//! question until nobody has asked for a while. Lanes do nothing for it, and do not know whether it is there.

use super::depth::LEVELS;
use super::gauge::Gauge;
use crate::book::Level;
use crate::publish::{Best, BestOf, BestPrices};
use crate::status::{BookStatus, BooksStatus, DepthStatus};
use crate::subscribe::Glob;
use feed_common::event::{Price, Record, Trust};
use feed_common::ring::{Reader, Subscriber};
use feed_common::time::Clock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long the thread goes on when nobody asks.
const ATTENTION: Duration = Duration::from_secs(5);

/// How long the first answer waits for what the rings still hold.
const FIRST: Duration = Duration::from_millis(50);

/// How long the thread sleeps when there is nothing to read: a ring of the usual 65,536 slots has room for 13 million
/// records a second in it.
const NAP: Duration = Duration::from_millis(5);

/// Records read at once.
const BATCH: usize = 256;

/// Follows one choice of symbols at a time.
#[derive(Debug)]
pub(super) struct Following {
    rings: Vec<Subscriber<Record>>,
    /// The configuration's channels, in their order: their names, and where their lanes show themselves.
    channels: Vec<(String, Arc<Gauge>)>,
    clock: Clock,
    is_live: bool,
    /// The run publishes the best prices of its books.
    published: bool,
    followed: Mutex<Option<Followed>>,
}

#[derive(Debug)]
struct Followed {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    best: Mutex<BestOf>,
    began: Instant,
    /// When it was last asked for, in nanoseconds since it began.
    asked: AtomicU64,
    stop: AtomicBool,
}

impl Following {
    pub(super) fn new(
        rings: Vec<Subscriber<Record>>,
        channels: Vec<(String, Arc<Gauge>)>,
        clock: Clock,
        is_live: bool,
        published: bool,
    ) -> Following {
        Following {
            rings,
            channels,
            clock,
            is_live,
            published,
            followed: Mutex::new(None),
        }
    }

    /// What is known of these symbols. The first question starts the reading, and another choice begins anew. An error when
    /// the system gives no thread.
    pub(super) fn ask(&self, symbols: &Glob) -> Result<BooksStatus, String> {
        let mut followed = locked(&self.followed);
        let goes_on = followed.as_ref().filter(|w| w.follows(symbols));
        let shared = match goes_on {
            Some(followed) => followed.shared.clone(),
            None => {
                if let Some(before) = followed.take() {
                    before.end();
                }
                let begun = self
                    .begin(symbols)
                    .map_err(|e| format!("no thread for it: {e}"))?;
                let shared = begun.shared.clone();
                *followed = Some(begun);
                std::thread::sleep(FIRST);
                shared
            }
        };
        let asked = shared.began.elapsed().as_nanos() as u64;
        shared.asked.store(asked, Relaxed);
        let best = locked(&shared.best);
        let rows = best.rows();
        let depth = match &rows[..] {
            [one] => self.depth(one),
            _ => Vec::new(),
        };
        Ok(BooksStatus {
            symbols: best.wanted().as_str().to_owned(),
            rows: rows.iter().map(|row| self.told(row)).collect(),
            lost: best.lost(),
            more: best.has_more(),
            published: self.published,
            depth,
        })
    }

    /// What its lane has shown of a symbol's book since it was last asked for.
    fn depth(&self, row: &BestPrices) -> Vec<DepthStatus> {
        let lane = self.channels.get(usize::from(row.channel));
        let page = lane.and_then(|(_, gauge)| gauge.depth().ask((row.channel, row.instrument)));
        page.map(|page| levels(&page.sides)).unwrap_or_default()
    }

    fn begin(&self, symbols: &Glob) -> std::io::Result<Followed> {
        let shared = Arc::new(Shared {
            best: Mutex::new(BestOf::new(symbols.clone())),
            began: Instant::now(),
            asked: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let readers = self.rings.iter().map(Subscriber::from_oldest).collect();
        let with = shared.clone();
        let thread = Builder::new().name("books".into());
        let thread = thread.spawn(move || follow(readers, &with))?;
        Ok(Followed { shared, thread })
    }

    fn told(&self, row: &BestPrices) -> BookStatus {
        let channel = self.channels.get(usize::from(row.channel));
        let channel = channel.map(|(name, _)| name.clone());
        let age = self.clock.now().since(row.changed);
        let price = |best: Best| best.price.is_some().then(|| decimal(best.price));
        BookStatus {
            symbol: String::from_utf8_lossy(row.symbol.trim_ascii_end()).into_owned(),
            channel: channel.unwrap_or_default(),
            bid: price(row.bid),
            bid_quantity: row.bid.quantity,
            ask: price(row.ask),
            ask_quantity: row.ask.quantity,
            trust: trust(row.trust).to_owned(),
            unsure: row.unsure,
            age_ns: self.is_live.then(|| self.clock.scale().nanos(age)),
            sequence: row.sequence,
            changes: row.changes,
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(followed) = locked(&self.followed).take() {
            followed.end();
        }
    }
}

impl Followed {
    fn follows(&self, symbols: &Glob) -> bool {
        !self.thread.is_finished() && locked(&self.shared.best).wanted() == symbols
    }

    fn end(self) {
        self.shared.stop.store(true, Relaxed);
        // A panic there has been told; whoever asks is told what was known.
        let _ = self.thread.join();
    }
}

/// Reads until it is told to stop, nobody has asked for a while, or there will be nothing more.
fn follow(mut readers: Vec<Reader<Record>>, shared: &Shared) {
    let mut batch = [Record::default(); BATCH];
    while !shared.stop.load(Relaxed) {
        let mut idle = true;
        for reader in &mut readers {
            match reader.read(&mut batch) {
                Ok(0) => {}
                Ok(n) => {
                    idle = false;
                    let mut best = locked(&shared.best);
                    for record in &batch[..n] {
                        best.take(record);
                    }
                }
                Err(overrun) => {
                    idle = false;
                    locked(&shared.best).lose(overrun.lost);
                }
            }
        }
        let asked = Duration::from_nanos(shared.asked.load(Relaxed));
        if shared.began.elapsed().saturating_sub(asked) > ATTENTION {
            return;
        }
        if idle {
            if readers.iter().all(Reader::is_closed) {
                return;
            }
            std::thread::sleep(NAP);
        }
    }
}

/// The rows of a page, up to the last level there is.
fn levels([bids, asks]: &[[Option<Level>; LEVELS]; 2]) -> Vec<DepthStatus> {
    let price = |level: &Option<Level>| level.map(|level| decimal(level.price));
    let quantity = |level: &Option<Level>| level.map_or(0, |level| level.quantity);
    let orders = |level: &Option<Level>| level.and_then(|level| level.orders);
    let rows = bids.iter().zip(asks).map(|(bid, ask)| DepthStatus {
        bid_orders: orders(bid),
        bid_quantity: quantity(bid),
        bid: price(bid),
        ask: price(ask),
        ask_quantity: quantity(ask),
        ask_orders: orders(ask),
    });
    let mut rows: Vec<_> = rows.collect();
    let last = rows
        .iter()
        .rposition(|row| row.bid.is_some() || row.ask.is_some());
    rows.truncate(last.map_or(0, |last| last + 1));
    rows
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As a plain decimal, without zeros at the end.
pub(crate) fn decimal(price: Price) -> String {
    let (whole, part) = (price.0 / UNIT, (price.0 % UNIT).unsigned_abs());
    let sign = if price.0 < 0 && whole == 0 { "-" } else { "" };
    match part {
        0 => format!("{sign}{whole}"),
        part => {
            let part = format!("{part:09}");
            format!("{sign}{whole}.{}", part.trim_end_matches('0'))
        }
    }
}

/// Units of a price in a whole.
const UNIT: i64 = 10i64.pow(Price::DECIMALS);

/// How far a symbol can be believed, in the words of a status.
pub(crate) fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::VALID => "valid",
        Trust::STALE => "stale",
        Trust::SUSPECT => "suspect",
        _ => "recovering",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::event::Kind;
    use feed_common::ring::{Writer, broadcast};

    fn say(ring: &mut Writer<Record>, symbol: &[u8; 8], bid: i64, ask: i64, rx: u64) {
        for (kind, price) in [(Kind::BID, bid), (Kind::OFFER, ask)] {
            let mut record = Record::default();
            record.data.kind = kind.0;
            record.data.symbol = *symbol;
            record.data.price.set(price);
            record.data.quantity.set(300);
            record.channel.set(1);
            record.rx.set(rx);
            ring.push(&record);
        }
        ring.flush();
    }

    fn following(ring: &Writer<Record>, clock: &Clock) -> Following {
        let gauge = Arc::new(Gauge::new([1, 1]));
        let channels = ["other", "itch"].map(|name| (name.to_owned(), gauge.clone()));
        let channels = channels.into();
        Following::new(vec![ring.subscriber()], channels, clock.clone(), true, true)
    }

    /// Waits for an answer, at most 5 seconds.
    fn comes(
        following: &Following,
        glob: &str,
        done: impl Fn(&BooksStatus) -> bool,
    ) -> BooksStatus {
        let glob = glob.parse().unwrap();
        let answers = (0..500).map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            following.ask(&glob).unwrap()
        });
        let mut answers = answers.skip_while(|answer| !done(answer));
        answers.next().expect("an answer in time")
    }

    #[test]
    fn what_the_rings_still_hold_is_told_and_what_comes_after() {
        let clock = Clock::new();
        let mut ring = broadcast::<Record>(64).unwrap();
        say(
            &mut ring,
            b"AAPL    ",
            189_120_000_000,
            189_130_000_000,
            clock.now().0,
        );
        say(&mut ring, b"MSFT    ", 1, 2, clock.now().0);
        let following = following(&ring, &clock);
        let told = comes(&following, "A*", |b| !b.rows.is_empty());
        let row = &told.rows[0];
        assert_eq!(
            (told.symbols.as_str(), told.rows.len(), told.lost),
            ("A*", 1, 0)
        );
        assert_eq!(
            (row.symbol.as_str(), row.channel.as_str()),
            ("AAPL", "itch")
        );
        assert_eq!(
            (row.bid.as_deref(), row.ask.as_deref()),
            (Some("189.12"), Some("189.13"))
        );
        assert_eq!(
            (row.bid_quantity, row.trust.as_str(), row.unsure),
            (300, "valid", false)
        );
        assert!(
            row.age_ns.is_some_and(|age| age < 60_000_000_000),
            "{row:?}"
        );
        say(
            &mut ring,
            b"AAPL    ",
            i64::MIN,
            189_130_000_000,
            clock.now().0,
        );
        let told = comes(&following, "A*", |b| b.rows[0].changes == 2);
        assert_eq!(
            (told.rows[0].bid.as_deref(), told.rows[0].bid_quantity),
            (None, 300)
        );
        // Another choice begins anew.
        let told = comes(&following, "M*", |b| !b.rows.is_empty());
        assert_eq!(
            (told.symbols.as_str(), told.rows[0].symbol.as_str()),
            ("M*", "MSFT")
        );
        // When the run is over what it ended with is told.
        drop(ring);
        comes(&following, "M*", |b| b.rows.len() == 1);
    }

    #[test]
    fn what_was_overwritten_leaves_prices_unsure() {
        let clock = Clock::new();
        let mut ring = broadcast::<Record>(64).unwrap();
        say(&mut ring, b"AAPL    ", 1, 2, 0);
        let following = following(&ring, &clock);
        comes(&following, "AAPL", |b| b.rows.len() == 1);
        // More in one go than the ring holds, of another symbol.
        {
            let followed = locked(&following.followed);
            let _held = followed.as_ref().map(|w| locked(&w.shared.best));
            (0..100).for_each(|i| say(&mut ring, b"MSFT    ", i, i + 1, 0));
        }
        let told = comes(&following, "AAPL", |b| b.lost > 0);
        assert!(told.rows[0].unsure);
        say(&mut ring, b"AAPL    ", 1, 2, 0);
        comes(&following, "AAPL", |b| !b.rows[0].unsure);
    }

    #[test]
    fn a_page_ends_with_its_last_level() {
        let level = |price: i64, orders| {
            Some(Level {
                price: Price(price * 1_000_000_000),
                quantity: 9,
                orders,
            })
        };
        let mut sides = [[None; LEVELS]; 2];
        sides[0][..2].copy_from_slice(&[level(10, Some(4)), level(9, None)]);
        sides[1][2] = level(12, Some(1)); // numbered levels, of which two are not known
        let rows = levels(&sides);
        let of = |row: &DepthStatus| (row.bid.clone(), row.bid_orders, row.ask.clone());
        let text = |s: &str| Some(s.to_owned());
        let want = [
            (text("10"), Some(4), None),
            (text("9"), None, None),
            (None, None, text("12")),
        ];
        assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), want);
        assert_eq!((rows[2].ask_quantity, rows[2].ask_orders), (9, Some(1)));
        assert!(levels(&[[None; LEVELS]; 2]).is_empty());
    }

    #[test]
    fn prices_are_plain_decimals() {
        for (nanos, want) in [
            (189_120_000_000, "189.12"),
            (5_000_000_000, "5"),
            (-500_000_000, "-0.5"),
            (-1_250_000_001, "-1.250000001"),
            (0, "0"),
            (1, "0.000000001"),
        ] {
            assert_eq!(decimal(Price(nanos)), want);
        }
    }
}
