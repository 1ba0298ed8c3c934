//! The shared memory of a running handler, read from another process: records as they come, and the latest quotes.

use crate::run::{decimal, trust_name};
use crate::subscribe::Glob;
use feed_common::event::{Kind, NO_INSTRUMENT, Price, Record, Side, Trust};
use feed_common::record::{SensorReading, TimeSeriesPoint};
use feed_common::ring::Reader;
use feed_common::ring::shared::taken::TakenLog;
use feed_common::ring::shared::{
    Facts, Instrument, OwnedBy, Quote, QuoteFlags, SharedError, SharedReader, Standing,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Records read at once.
const BATCH: usize = 256;

/// Between two looks at the writer, while there is nothing to read.
const LOOK_EVERY: Duration = Duration::from_millis(16);

/// What of the records is wanted: everything where nothing is named.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of these symbols, by their whole names.
    pub symbols: Vec<Glob>,
    /// Of these kinds.
    pub kinds: Vec<Kind>,
}

impl Wanted {
    fn symbol(&self, name: &str) -> bool {
        let mut globs = self.symbols.iter();
        self.symbols.is_empty() || globs.any(|glob| glob.matches(name.as_bytes()))
    }

    fn kind(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

/// A kind of record by its name in facts.
pub fn kind_named(name: &str) -> Option<Kind> {
    (0..=u8::MAX).map(Kind).find(|k| k.name() == Some(name))
}

/// The files of a folder in which lanes may publish, by name: what a writer keeps beside its file is not one of them.
pub fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let beside = name.ends_with(".lock") || name.ends_with(".new") || name.contains(".taken.");
        if !beside && entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// A lane's file being read.
pub struct Tail {
    shared: SharedReader,
    records: Reader<Record>,
    names: HashMap<(u16, u32), Named>,
    /// Rows of the directory that are in `names`.
    rows: u32,
    /// When it was last asked how it stands with the writer.
    looked: Instant,
    taken: Option<TakenLog>,
    ending: Option<Standing>,
    ended: Option<Standing>,
}

/// What an instrument is called, as far as that is known.
#[derive(Debug)]
struct Named {
    name: String,
    row: u32,
}

/// What was there to be read.
#[derive(Debug)]
pub enum Polled {
    /// Wanted records, perhaps none of several.
    Rows(Vec<Row>),
    /// So many were overwritten before they were read.
    Lost(u64),
    /// None now.
    Nothing,
    /// None any more from this writer; said once.
    Ended(Standing),
}

/// What was read, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many records.
    Records(usize),
    /// So many were overwritten before they were read.
    Lost(u64),
    /// None now.
    Nothing,
    /// None any more from this writer; said once.
    Ended(Standing),
}

/// A record, and what it does not say itself.
#[derive(Clone, Debug)]
pub struct Row {
    /// As it was published.
    pub record: Record,
    /// The whole name of its instrument; empty for a record of a channel.
    pub name: String,
    /// The name of its channel.
    pub channel: String,
}

/// A row of the table of latest quotes.
#[derive(Clone, Debug)]
pub struct QuoteRow {
    /// The whole name of its instrument.
    pub name: String,
    /// The name of its channel.
    pub channel: String,
    /// What is there.
    pub quote: Quote,
}

impl Tail {
    /// Opens a file and reads from its oldest record that is still there, or from now on.
    pub fn open(path: &Path, owned_by: OwnedBy, oldest: bool) -> Result<Tail, SharedError> {
        Ok(Tail::over(SharedReader::open(path, owned_by)?, oldest))
    }

    fn over(shared: SharedReader, oldest: bool) -> Tail {
        let subscriber = shared.subscriber();
        Tail {
            records: match oldest {
                true => subscriber.from_oldest(),
                false => subscriber.from_now(),
            },
            shared,
            names: HashMap::new(),
            rows: 0,
            looked: Instant::now(),
            taken: None,
            ending: None,
            ended: None,
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        self.shared.path()
    }

    /// Goes on with the file that has the name now, from its first record that is still there, if it is another one.
    pub fn reopen(&mut self) -> bool {
        let Ok(shared) = self.shared.reopen() else {
            return false; // not yet
        };
        let is_new = shared.facts().epoch != self.shared.facts().epoch;
        if is_new {
            let measures = self.taken.is_some();
            *self = Tail::over(shared, true);
            if measures {
                self.measure();
            }
        }
        is_new
    }

    /// Keeps how long records took to come here, from now on: for the report of the run. Of records that were there before,
    /// that would say nothing.
    pub fn measure(&mut self) {
        self.taken = Some(TakenLog::of(&self.shared));
    }

    /// Leaves what was measured to the run, beside its file.
    pub fn leave(&self) -> io::Result<()> {
        self.taken
            .as_ref()
            .map_or(Ok(()), |taken| taken.leave().map(drop))
    }

    /// Whether its writer has ended and everything was read.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// What the header says.
    pub fn facts(&self) -> &Facts {
        self.shared.facts()
    }

    /// Position of the next record to be read, counted from the first that the writer ever published.
    pub fn position(&self) -> u64 {
        self.records.position()
    }

    /// Position of the next record to be published.
    pub fn published(&self) -> u64 {
        self.records.position() + self.records.backlog()
    }

    /// Reads what is there of what is wanted.
    pub fn poll(&mut self, wanted: &Wanted) -> Polled {
        let mut batch = [Record::default(); BATCH];
        match self.read(&mut batch) {
            Taken::Lost(lost) => Polled::Lost(lost),
            Taken::Nothing => Polled::Nothing,
            Taken::Ended(standing) => Polled::Ended(standing),
            Taken::Records(n) => {
                let rows = batch[..n].iter().filter(|r| wanted.kind(Kind(r.data.kind)));
                let rows = rows.map(|record| self.row(record));
                Polled::Rows(rows.filter(|row| wanted.symbol(&row.name)).collect())
            }
        }
    }

    /// Reads what is there.
    pub fn read(&mut self, batch: &mut [Record]) -> Taken {
        match self.records.read(batch) {
            Err(overrun) => Taken::Lost(overrun.lost),
            Ok(0) => self.idle(),
            Ok(n) => {
                if let Some(taken) = &mut self.taken {
                    taken.take(&batch[..n]);
                }
                Taken::Records(n)
            }
        }
    }

    /// A record with its names.
    pub fn row(&mut self, record: &Record) -> Row {
        Row {
            record: *record,
            name: self.name(record),
            channel: self.channel(record.channel.get()),
        }
    }

    /// There was nothing. How it stands with the writer costs a look into `/proc`, so it is not asked each time; and when
    /// it has ended, what it published before that is read first.
    fn idle(&mut self) -> Taken {
        if let Some(ending) = self.ending.take() {
            self.ended = Some(ending);
            return Taken::Ended(ending);
        }
        if self.ended.is_none() && self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            let standing = self.shared.standing();
            self.ending =
                (!matches!(standing, Standing::Live | Standing::Unseen)).then_some(standing);
        }
        Taken::Nothing
    }

    /// The table of latest quotes as it is, in no order; and instruments whose row was being written all the time.
    pub fn table(&self) -> (Vec<(Instrument, Quote)>, u32) {
        let (mut rows, mut unsettled) = (Vec::new(), 0);
        for row in 0..self.shared.rows() {
            match (self.shared.instrument(row), self.shared.quote(row)) {
                (Ok(Some(it)), Ok(Some(quote))) => rows.push((it, quote)),
                (Err(_), _) | (_, Err(_)) => unsettled += 1,
                _ => {}
            }
        }
        (rows, unsettled)
    }

    /// The latest quotes of the symbols that are wanted, by name; and instruments whose row was being written all the time.
    pub fn quotes(&self, wanted: &Wanted) -> (Vec<QuoteRow>, u32) {
        let (table, unsettled) = self.table();
        let rows = table.into_iter().map(|(it, quote)| QuoteRow {
            name: text(it.name.as_bytes()),
            channel: self.channel(it.channel),
            quote,
        });
        let mut rows: Vec<_> = rows.filter(|row| wanted.symbol(&row.name)).collect();
        rows.sort_by(|a, b| (&a.name, &a.channel).cmp(&(&b.name, &b.channel)));
        (rows, unsettled)
    }

    /// The name of a channel, by its number in the records.
    pub fn channel(&self, number: u16) -> String {
        let mut channels = self.shared.facts().channels.iter();
        let found = channels.find(|c| c.number == number);
        found.map_or_else(|| number.to_string(), |c| c.name.clone())
    }

    /// Its symbol, unless that is a number instead of a name: then what the directory says, which may come a little later.
    pub fn name(&mut self, record: &Record) -> String {
        let symbol = text(&record.data.symbol);
        if record.instrument.get() == NO_INSTRUMENT || !symbol.starts_with('#') {
            return symbol;
        }
        for row in self.rows..self.shared.rows() {
            let Ok(Some(it)) = self.shared.instrument(row) else {
                break; // another time
            };
            let name = text(it.name.as_bytes());
            self.names
                .insert((it.channel, it.instrument), Named { name, row });
            self.rows = row + 1;
        }
        let key = (record.channel.get(), record.instrument.get());
        let Some(named) = self.names.get_mut(&key) else {
            return symbol;
        };
        if named.name == symbol
            && let Ok(Some(it)) = self.shared.instrument(named.row)
        {
            named.name = text(it.name.as_bytes());
        }
        named.name.clone()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned()
}

fn price(price: Price) -> Option<String> {
    price.is_some().then(|| decimal(price))
}

/// The kind's name, or its number where this version does not know it.
fn kind(kind: Kind) -> String {
    kind.name()
        .map_or_else(|| kind.0.to_string(), str::to_owned)
}

fn hundredths(n: i64) -> String {
    decimal(Price(n * 10_000_000))
}

fn side(side: u8) -> Option<&'static str> {
    match Side(side) {
        Side::BUY => Some("B"),
        Side::SELL => Some("S"),
        _ => None,
    }
}

/// As facts: times in nanoseconds since the Unix epoch, prices as plain decimals, null where there is none. Readings and
/// points have their own fields beside them, under `reading` and `point`.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Facts<'a> {
            channel: &'a str,
            seq: u64,
            r#type: String,
            symbol: &'a str,
            price: Option<String>,
            quantity: u32,
            side: Option<&'a str>,
            order_id: u64,
            flags: u16,
            timestamp: u64,
            trust: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            reading: Option<Reading>,
            #[serde(skip_serializing_if = "Option::is_none")]
            point: Option<Point>,
        }
        let (record, data) = (&self.record, &self.record.data);
        let facts = Facts {
            channel: &self.channel,
            seq: record.sequence.get(),
            r#type: kind(Kind(data.kind)),
            symbol: &self.name,
            price: price(Price(data.price.get())),
            quantity: data.quantity.get(),
            side: side(data.side),
            order_id: record.order_id.get(),
            flags: data.flags.get(),
            timestamp: data.timestamp.get(),
            trust: trust_name(Trust(record.trust)),
            reading: SensorReading::of(record).map(Reading::from),
            point: TimeSeriesPoint::of(record).map(Point::from),
        };
        facts.serialize(to)
    }
}

/// A sensor's reading as facts.
#[derive(Serialize)]
struct Reading {
    sensor: u32,
    temperature: String,
    pressure: u32,
    humidity: String,
    status: u16,
}

impl From<SensorReading> for Reading {
    fn from(reading: SensorReading) -> Reading {
        Reading {
            sensor: reading.sensor.get(),
            temperature: hundredths(reading.temperature.get().into()),
            pressure: reading.pressure.get(),
            humidity: hundredths(reading.humidity.get().into()),
            status: reading.status.get(),
        }
    }
}

/// A point of a time series as facts.
#[derive(Serialize)]
struct Point {
    series: u32,
    /// Null where it is no number.
    value: f64,
    flags: u8,
}

impl From<TimeSeriesPoint> for Point {
    fn from(point: TimeSeriesPoint) -> Point {
        Point {
            series: point.series.get(),
            value: point.value(),
            flags: point.flags,
        }
    }
}

impl Row {
    /// As facts.
    pub fn facts(&self) -> Value {
        json!(self)
    }

    /// As a line for people.
    pub fn line(&self) -> String {
        let (record, data) = (&self.record, &self.record.data);
        if let Some(reading) = SensorReading::of(record) {
            return format!(
                "{} {} sensor {}: {} °C, {} Pa, {} %",
                self.channel,
                record.sequence.get(),
                reading.sensor.get(),
                hundredths(reading.temperature.get().into()),
                reading.pressure.get(),
                hundredths(reading.humidity.get().into()),
            );
        }
        if let Some(point) = TimeSeriesPoint::of(record) {
            return format!(
                "{} {} series {}: {:?}",
                self.channel,
                record.sequence.get(),
                point.series.get(),
                point.value(),
            );
        }
        let kind = kind(Kind(data.kind));
        let mut line = format!(
            "{} {} {kind:<11} {:<8}",
            self.channel,
            record.sequence.get(),
            self.name
        );
        if let Some(side) = side(data.side) {
            line += &format!(" {side}");
        }
        if let Some(price) = price(Price(data.price.get())) {
            line += &format!(" {} @ {price}", data.quantity.get());
        } else if data.quantity.get() > 0 {
            line += &format!(" {}", data.quantity.get());
        }
        match Trust(record.trust) {
            Trust::VALID => line,
            trust => format!("{line} ({})", trust_name(trust)),
        }
    }
}

impl QuoteRow {
    /// As facts, by the names that `bbo` has: an empty side has no price and no quantity.
    pub fn facts(&self) -> Value {
        let q = &self.quote;
        let beside = |at: Price, quantity: u64| at.is_some().then_some(quantity);
        json!({
            "channel": self.channel,
            "symbol": self.name,
            "sequence": q.sequence,
            "timestamp": q.timestamp.0,
            "bid_price": price(q.bid),
            "bid_quantity": beside(q.bid, q.bid_quantity),
            "ask_price": price(q.ask),
            "ask_quantity": beside(q.ask, q.ask_quantity),
            "trust": trust_name(q.trust),
            "unsure": self.has(QuoteFlags::UNSURE),
            "undated": self.has(QuoteFlags::NO_DATE),
        })
    }

    /// As a line for people.
    pub fn line(&self) -> String {
        let q = &self.quote;
        let at = |quantity: u64, at: Price| match price(at) {
            Some(price) => format!("{quantity} @ {price}"),
            None => "-".into(),
        };
        let (bid, ask) = (at(q.bid_quantity, q.bid), at(q.ask_quantity, q.ask));
        let mut line = format!("{} {:<8} {bid:>20} | {ask:<20}", self.channel, self.name);
        if q.trust != Trust::VALID {
            line += &format!(" ({})", trust_name(q.trust));
        }
        if self.has(QuoteFlags::UNSURE) {
            line += " (unsure)";
        }
        line.trim_end().to_owned()
    }

    fn has(&self, flag: QuoteFlags) -> bool {
        self.quote.flags.0 & flag.0 != 0
    }
}
