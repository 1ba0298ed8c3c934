//! Best prices, put together from the records of the rings: of chosen symbols, or of all in a table that others read (see
//! `table`). For a cold thread: no ring, no thread, no clock in here.

use crate::subscribe::Glob;
use feed_common::event::{Flags, Kind, NO_INSTRUMENT, Price, Record, Side, Trust};
use feed_common::ring::shared::{Instrument, Quote, QuoteFlags};
use feed_common::time::{Ticks, UnixNanos};

/// Symbols that are followed at once; of more that are chosen those heard of first.
pub const SYMBOLS_MAX: usize = 256;

/// Channels whose silence is remembered.
const SILENT_MAX: usize = 1 << 16;

/// The best prices of one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BestPrices {
    /// As it is published.
    pub symbol: [u8; 8],
    /// Its channel's number.
    pub channel: u16,
    /// Its number in the channel.
    pub instrument: u32,
    /// Best bid.
    pub bid: Best,
    /// Best offer.
    pub ask: Best,
    /// How far they can be believed.
    pub trust: Trust,
    /// When the packet of the last change was received.
    pub changed: Ticks,
    /// Exchange time of the last change.
    pub timestamp: UnixNanos,
    /// That counts from midnight, because the session date is not known.
    pub undated: bool,
    /// Its message.
    pub sequence: u64,
    /// Changes that were seen.
    pub changes: u64,
    /// A best price was ever said.
    known: bool,
    /// Records were overwritten since a side was last heard of: it may have changed.
    pub unsure: bool,
}

/// A best price; null where the side is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Best {
    /// Price.
    pub price: Price,
    /// Quantity there.
    pub quantity: u64,
    heard: bool,
}

impl Best {
    /// An empty side of which nothing has been said.
    const NONE: Best = Best {
        price: Price::NULL,
        quantity: 0,
        heard: false,
    };
}

/// Which instruments are followed, and where the row of each is.
pub trait Places {
    /// The row of a record's instrument.
    fn find(&self, rows: &[BestPrices], record: &Record) -> Option<usize>;

    /// Whether an instrument that has no row gets the next one.
    fn admit(&mut self, rows: &[BestPrices], record: &Record) -> bool;
}

/// The symbols that a pattern means, at most [`SYMBOLS_MAX`].
#[derive(Debug)]
pub struct Chosen {
    wanted: Glob,
    more: bool,
}

impl Places for Chosen {
    fn find(&self, rows: &[BestPrices], record: &Record) -> Option<usize> {
        let (symbol, channel) = (record.data.symbol, record.channel.get());
        let is_it = |row: &BestPrices| row.symbol == symbol && row.channel == channel;
        rows.iter().position(is_it)
    }

    fn admit(&mut self, rows: &[BestPrices], record: &Record) -> bool {
        if !self.wanted.matches(&record.data.symbol) {
            return false;
        }
        self.more |= rows.len() == SYMBOLS_MAX;
        rows.len() < SYMBOLS_MAX
    }
}

/// The rows that a record may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// None.
    Nothing,
    /// This one.
    Row(usize),
    /// Those of this channel.
    Channel(u16),
}

/// The best prices of instruments; of the symbols that a pattern means, unless another choice is named.
#[derive(Debug)]
pub struct BestOf<P = Chosen> {
    places: P,
    rows: Vec<BestPrices>,
    /// Channels whose lines are silent.
    silent: Vec<u16>,
    /// The row whose side's exact quantity may follow.
    saturated: Option<usize>,
    lost: u64,
}

impl BestOf {
    /// Nothing yet.
    pub fn new(wanted: Glob) -> BestOf {
        BestOf::over(Chosen {
            wanted,
            more: false,
        })
    }

    /// What was chosen.
    pub fn wanted(&self) -> &Glob {
        &self.places.wanted
    }

    /// By symbol. The trust of a symbol whose channel is silent says so, where it was whole.
    pub fn rows(&self) -> Vec<BestPrices> {
        let mut rows: Vec<_> = (0..self.rows.len()).filter_map(|at| self.row(at)).collect();
        rows.sort_by_key(|row| (row.symbol, row.channel));
        rows
    }

    /// Whether there are symbols that had no place.
    pub fn has_more(&self) -> bool {
        self.places.more
    }
}

impl<P: Places> BestOf<P> {
    /// Nothing yet.
    pub fn over(places: P) -> BestOf<P> {
        BestOf {
            places,
            rows: Vec::new(),
            silent: Vec::new(),
            saturated: None,
            lost: 0,
        }
    }

    /// Which are followed.
    pub fn places(&mut self) -> &mut P {
        &mut self.places
    }

    /// Takes the next record of a ring; those of one channel come in order. Says what it may have changed.
    pub fn take(&mut self, record: &Record) -> Touched {
        let saturated = self.saturated.take();
        match Kind(record.data.kind) {
            Kind::BID | Kind::OFFER => self.best(record),
            Kind::EXTENSION => {
                let Some(at) = saturated else {
                    return Touched::Nothing;
                };
                self.rows[at].side(record.data.side).quantity = record.order_id.get();
                Touched::Row(at)
            }
            Kind::TRUST => self.silence(record),
            Kind::GAP | Kind::CLEAR if record.instrument.get() == NO_INSTRUMENT => {
                let cleared = record.data.kind == Kind::CLEAR.0;
                let channel = record.channel.get();
                for row in self.rows.iter_mut().filter(|r| r.channel == channel) {
                    row.trust = match cleared {
                        true => Trust(record.trust),
                        false => Trust(row.trust.0.max(Trust::RECOVERING.0)),
                    };
                    if cleared {
                        row.empty(record);
                    }
                }
                Touched::Channel(channel)
            }
            kind => {
                let Some(at) = self.places.find(&self.rows, record) else {
                    return Touched::Nothing;
                };
                let row = &mut self.rows[at];
                let before = std::mem::replace(&mut row.trust, Trust(record.trust));
                if kind == Kind::CLEAR {
                    row.empty(record);
                } else if before == row.trust {
                    return Touched::Nothing;
                }
                Touched::Row(at)
            }
        }
    }

    /// Records were overwritten before they were read: every side may have changed.
    pub fn lose(&mut self, lost: u64) {
        self.saturated = None;
        // What nobody was followed through is missed by nobody.
        if !self.rows.is_empty() {
            self.lost += lost;
        }
        for row in &mut self.rows {
            (row.bid.heard, row.ask.heard, row.unsure) = (false, false, true);
        }
    }

    /// A row as it stands. The trust of one whose channel is silent says so, where it was whole.
    pub fn row(&self, at: usize) -> Option<BestPrices> {
        let mut row = *self.rows.get(at)?;
        if row.trust == Trust::VALID && self.silent.contains(&row.channel) {
            row.trust = Trust::STALE;
        }
        Some(row)
    }

    /// The rows of a channel, or of all.
    pub fn rows_of(&self, channel: Option<u16>) -> impl Iterator<Item = usize> + '_ {
        let rows = self.rows.iter().enumerate();
        let rows = rows.filter(move |(_, row)| channel.is_none_or(|c| c == row.channel));
        rows.map(|(at, _)| at)
    }

    /// Whether an exact quantity may follow that belongs to the last best price.
    pub fn awaits_quantity(&self) -> bool {
        self.saturated.is_some()
    }

    /// The row of a record's instrument, a new one where it has none and is wanted.
    pub fn place(&mut self, record: &Record) -> Option<usize> {
        if let Some(at) = self.places.find(&self.rows, record) {
            return Some(at);
        }
        if !self.places.admit(&self.rows, record) {
            return None;
        }
        self.rows.push(BestPrices::unheard(record));
        Some(self.rows.len() - 1)
    }

    /// Takes a quote of an earlier follower of the same records over, in place of what was known. `None` where its instrument
    /// gets no row.
    pub fn restore(&mut self, of: &Instrument, quote: &Quote) -> Option<usize> {
        let mut like = Record::default();
        like.data.symbol = of.symbol;
        like.channel.set(of.channel);
        like.instrument.set(of.instrument);
        let at = self.place(&like)?;
        let has = |flag: QuoteFlags| quote.flags.0 & flag.0 != 0;
        let unsure = has(QuoteFlags::UNSURE);
        let side = |price, quantity| Best {
            price,
            quantity,
            heard: !unsure,
        };
        self.rows[at] = BestPrices {
            bid: side(quote.bid, quote.bid_quantity),
            ask: side(quote.ask, quote.ask_quantity),
            trust: quote.trust,
            changed: quote.rx,
            timestamp: quote.timestamp,
            undated: has(QuoteFlags::NO_DATE),
            sequence: quote.sequence,
            known: true,
            unsure,
            ..BestPrices::unheard(&like)
        };
        // A row says so only of its channel; when that is heard again, its instruments are as they were.
        if quote.trust == Trust::STALE {
            self.rows[at].trust = Trust::VALID;
            self.fall_silent(of.channel);
        }
        Some(at)
    }

    /// Records that were overwritten before they were read.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn best(&mut self, record: &Record) -> Touched {
        let Some(at) = self.place(record) else {
            return Touched::Nothing;
        };
        let row = &mut self.rows[at];
        row.trust = Trust(record.trust);
        row.changed = Ticks(record.rx.get());
        row.dated(record);
        row.known = true;
        row.changes += u64::from(record.data.kind == Kind::OFFER.0);
        let side = match record.data.kind == Kind::BID.0 {
            true => Side::BUY.0,
            false => Side::SELL.0,
        };
        *row.side(side) = Best {
            price: Price(record.data.price.get()),
            quantity: record.data.quantity.get().into(),
            heard: true,
        };
        row.unsure &= !(row.bid.heard && row.ask.heard);
        if Flags(record.data.flags.get()).has(Flags::QUANTITY_SATURATED) {
            self.saturated = Some(at);
        }
        Touched::Row(at)
    }

    fn silence(&mut self, record: &Record) -> Touched {
        let channel = record.channel.get();
        self.silent.retain(|c| *c != channel);
        if Trust(record.trust) == Trust::STALE {
            self.fall_silent(channel);
        }
        Touched::Channel(channel)
    }

    fn fall_silent(&mut self, channel: u16) {
        if self.silent.len() < SILENT_MAX && !self.silent.contains(&channel) {
            self.silent.push(channel);
        }
    }
}

impl BestPrices {
    fn unheard(record: &Record) -> BestPrices {
        BestPrices {
            symbol: record.data.symbol,
            channel: record.channel.get(),
            instrument: record.instrument.get(),
            bid: Best::NONE,
            ask: Best::NONE,
            trust: Trust::VALID,
            changed: Ticks(0),
            timestamp: UnixNanos::UNKNOWN,
            undated: false,
            sequence: 0,
            changes: 0,
            known: false,
            unsure: false,
        }
    }

    /// Whether anything was ever said of its best prices.
    pub fn is_known(&self) -> bool {
        self.known
    }

    /// As it stands in a table.
    pub fn quote(&self) -> Quote {
        let flag = |on, flag: QuoteFlags| if on { flag.0 } else { 0 };
        Quote {
            bid: self.bid.price,
            bid_quantity: self.bid.quantity,
            ask: self.ask.price,
            ask_quantity: self.ask.quantity,
            timestamp: self.timestamp,
            sequence: self.sequence,
            rx: self.changed,
            trust: self.trust,
            flags: QuoteFlags(
                flag(self.unsure, QuoteFlags::UNSURE) | flag(self.undated, QuoteFlags::NO_DATE),
            ),
        }
    }

    fn side(&mut self, side: u8) -> &mut Best {
        match Side(side) {
            Side::BUY => &mut self.bid,
            _ => &mut self.ask,
        }
    }

    fn empty(&mut self, record: &Record) {
        (self.bid, self.ask) = (Best::NONE, Best::NONE);
        self.changed = Ticks(record.rx.get());
        self.dated(record);
        self.unsure = false;
    }

    fn dated(&mut self, record: &Record) {
        self.sequence = record.sequence.get();
        self.timestamp = UnixNanos(record.data.timestamp.get());
        self.undated = Flags(record.data.flags.get()).has(Flags::NO_DATE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn record(kind: Kind, channel: u16, symbol: &[u8; 8], price: i64) -> Record {
        let mut record = Record::default();
        record.data.kind = kind.0;
        record.data.symbol = *symbol;
        record.data.price.set(price);
        record.data.quantity.set(100);
        record.channel.set(channel);
        record.sequence.set(7);
        record.rx.set(55);
        record.instrument.set(match symbol {
            b"        " => NO_INSTRUMENT,
            _ => 1,
        });
        record
    }

    fn of(glob: &str, records: &[Record]) -> BestOf {
        let mut best = BestOf::new(glob.parse().unwrap());
        for r in records {
            best.take(r);
        }
        best
    }

    const A: &[u8; 8] = b"AAPL    ";
    const B: &[u8; 8] = b"MSFT    ";
    const NONE: &[u8; 8] = b"        ";

    fn pair(symbol: &[u8; 8], bid: i64, ask: i64) -> [Record; 2] {
        [
            record(Kind::BID, 3, symbol, bid),
            record(Kind::OFFER, 3, symbol, ask),
        ]
    }

    #[test]
    fn chosen_symbols_have_their_last_prices() {
        let mut records = pair(A, 100, 101).to_vec();
        records.extend(pair(B, 50, 51));
        records.extend(pair(A, 102, i64::MIN));
        records.push(record(Kind::ADD, 3, A, 5));
        let best = of("A*", &records);
        let rows = best.rows();
        assert_eq!(rows.len(), 1);
        let row = rows[0];
        assert_eq!((row.bid.price, row.ask.price), (Price(102), Price::NULL));
        assert_eq!(
            (&row.symbol, row.channel, row.changes, row.changed),
            (A, 3, 2, Ticks(55))
        );
        assert_eq!(
            (row.trust, row.unsure, best.lost(), best.has_more()),
            (Trust::VALID, false, 0, false)
        );
        assert_eq!(of("*", &records).rows().len(), 2);
    }

    #[test]
    fn a_quote_that_is_taken_over_stands_as_it_stood() {
        let of_a = Instrument {
            channel: 3,
            instrument: 1,
            symbol: *A,
            name: feed_common::event::Name::new(A),
        };
        for (trust, flags) in [
            (Trust::VALID, QuoteFlags::NONE),
            (Trust::STALE, QuoteFlags::NONE),
            (Trust::SUSPECT, QuoteFlags(3)),
        ] {
            let quote = Quote {
                bid: Price(100),
                bid_quantity: 1 << 40,
                sequence: 9,
                rx: Ticks(4),
                trust,
                flags,
                ..Quote::default()
            };
            let mut best = BestOf::new("*".parse().unwrap());
            assert_eq!(best.restore(&of_a, &quote), Some(0));
            assert_eq!(best.row(0).unwrap().quote(), quote);
            // Whose channel is heard again is whole again; a pair makes sure of what was not.
            best.take(&record(Kind::TRUST, 3, NONE, 0));
            pair(A, 5, 6).iter().for_each(|r| _ = best.take(r));
            let row = best.row(0).unwrap();
            assert_eq!((row.trust, row.unsure), (Trust::VALID, false));
            assert_eq!((row.bid.price, row.ask.price), (Price(5), Price(6)));
        }
        let mut others = BestOf::new("B*".parse().unwrap());
        assert_eq!(others.restore(&of_a, &Quote::default()), None);
    }

    #[test]
    fn an_exact_quantity_follows_its_side() {
        let mut bid = record(Kind::BID, 3, A, 100);
        bid.data.quantity.set(u32::MAX);
        bid.data.flags.set(Flags::QUANTITY_SATURATED.0);
        let mut exact = record(Kind::EXTENSION, 3, A, 0);
        exact.data.side = Side::BUY.0;
        exact.order_id.set(1 << 40);
        let offer = record(Kind::OFFER, 3, A, 101);
        let mut best = of("*", &[bid, exact, offer]);
        assert_eq!(
            (best.rows()[0].bid.quantity, best.rows()[0].ask.quantity),
            (1 << 40, 100)
        );
        // Of another record it is none of theirs.
        best.take(&exact);
        assert_eq!(best.rows()[0].ask.quantity, 100);
    }

    #[test]
    fn trust_follows_gaps_silence_and_what_is_said_of_the_symbol() {
        let mut best = of("*", &pair(A, 100, 101));
        let trust = |best: &BestOf| best.rows()[0].trust;
        let mut silent = record(Kind::TRUST, 3, NONE, 0);
        silent.trust = Trust::STALE.0;
        best.take(&silent);
        assert_eq!(trust(&best), Trust::STALE);
        best.take(&record(Kind::TRUST, 3, NONE, 0));
        assert_eq!(trust(&best), Trust::VALID);
        best.take(&record(Kind::GAP, 4, NONE, 0));
        assert_eq!(trust(&best), Trust::VALID, "another channel's");
        best.take(&record(Kind::GAP, 3, NONE, 0));
        assert_eq!(trust(&best), Trust::RECOVERING);
        best.take(&silent);
        assert_eq!(trust(&best), Trust::RECOVERING, "the worse of both");
        best.take(&record(Kind::ADD, 3, A, 0));
        best.take(&record(Kind::TRUST, 3, NONE, 0));
        assert_eq!(trust(&best), Trust::VALID);
        best.take(&record(Kind::CLEAR, 3, NONE, 0));
        let row = best.rows()[0];
        assert_eq!(
            (row.bid, row.ask, row.trust),
            (Best::NONE, Best::NONE, Trust::VALID)
        );
    }

    #[test]
    fn after_a_loss_both_sides_are_unsure_until_they_are_heard_of() {
        let mut best = BestOf::new("*".parse().unwrap());
        best.lose(1_000);
        for r in pair(A, 100, 101) {
            best.take(&r);
        }
        assert_eq!(
            (best.lost(), best.rows()[0].unsure),
            (0, false),
            "nobody was followed"
        );
        best.lose(9);
        assert_eq!((best.lost(), best.rows()[0].unsure), (9, true));
        best.take(&record(Kind::BID, 3, A, 100));
        assert!(best.rows()[0].unsure, "the offer may be another by now");
        best.take(&record(Kind::OFFER, 3, A, 101));
        assert!(!best.rows()[0].unsure);
    }

    #[test]
    fn no_more_symbols_than_there_is_room_for() {
        let mut best = BestOf::new("*".parse().unwrap());
        for i in 0..=SYMBOLS_MAX {
            let symbol = format!("S{i:<7}");
            let symbol: &[u8; 8] = symbol.as_bytes().try_into().unwrap();
            best.take(&record(Kind::BID, 3, symbol, 1));
        }
        assert_eq!((best.rows().len(), best.has_more()), (SYMBOLS_MAX, true));
    }

    proptest! {
        /// Against a map of the last price by symbol and side, for records of any kind.
        #[test]
        fn agrees_with_a_map(records in prop::collection::vec((0u8..24, 0u16..2, 0usize..3, any::<i64>()), 0..200)) {
            let symbols = [A, B, b"ZZZ     "];
            let mut last = BTreeMap::new();
            let mut best = BestOf::new("*".parse().unwrap());
            for (kind, channel, symbol, price) in records {
                let (kind, symbol) = (Kind(kind), symbols[symbol]);
                best.take(&record(kind, channel, symbol, price));
                let sides: &mut [i64; 2] = match kind {
                    Kind::BID | Kind::OFFER => last.entry((*symbol, channel)).or_insert([i64::MIN; 2]),
                    Kind::CLEAR => match last.get_mut(&(*symbol, channel)) {
                        Some(sides) => sides,
                        None => continue,
                    },
                    _ => continue,
                };
                match kind {
                    Kind::BID => sides[0] = price,
                    Kind::OFFER => sides[1] = price,
                    _ => *sides = [i64::MIN; 2],
                }
            }
            let rows = best.rows();
            let found = rows.iter().map(|r| ((r.symbol, r.channel), [r.bid.price.0, r.ask.price.0]));
            prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), last);
        }
    }
}
