//! Records and quotes as facts and as lines.

use crate::run::{decimal, trust_name};
use feed_common::event::{Kind, Price, Record, Side, Trust};
use feed_common::record::{SensorReading, TimeSeriesPoint};
use feed_common::ring::shared::{Quote, QuoteFlags};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

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
