//! From a stretch to a record: both sides are handled again, and the records of that stretch compared one by one.

use super::compare::{Comparison, Part, PartKind};
use super::rerun::stretch;
use super::side::Side;
use crate::publish::Fingerprint;
use crate::run::StartError;
use feed_common::event::{Kind, Price, Record};
use feed_common::wire::message::trimmed;
use serde::Serialize;
use std::fmt;

/// Ends that are looked into: for each the longer side is handled once more.
const TAILS_MAX: usize = 8;

/// The first record that is not the same.
#[derive(Clone, Debug, Serialize)]
pub struct Narrowed {
    /// The sequence number at which the sides part.
    pub sequence: u64,
    /// What either side has there; null where its stretch is over.
    pub records: [Option<ShownRecord>; 2],
}

/// What a digest covers of a record, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ShownRecord {
    pub sequence: u64,
    pub kind: String,
    pub symbol: String,
    /// As the wire's letter; null for neither.
    pub side: Option<char>,
    /// A decimal; null for none.
    pub price: Option<String>,
    pub quantity: u32,
    pub order_id: u64,
    /// Nanoseconds since the Unix epoch.
    pub timestamp: u64,
}

/// Looks into the ends, then into the first part. What cannot be looked into is said in `notes`.
pub(super) fn narrow(
    found: &mut Comparison,
    sides: [&Side; 2],
    notes: &mut Vec<String>,
) -> Result<Option<Narrowed>, StartError> {
    look_into_ends(found, sides, notes)?;
    let Some(first) = found.parts.first() else {
        return Ok(None);
    };
    if !matches!(first.kind, PartKind::Records | PartKind::Order) {
        return Ok(None);
    }
    let mut records = [const { Vec::new() }; 2];
    for (i, side) in sides.into_iter().enumerate() {
        let Some(file) = &side.capture else {
            notes.push(format!(
                "{}: no capture of it is at hand, so the stretch is as exact as it gets: `run --record FILE` keeps one",
                side.name
            ));
            return Ok(None);
        };
        let Some(taken) = stretch(&side.plan, file, first)? else {
            notes.push(format!(
                "{}: the stretch has too many records to be looked at one by one",
                side.name
            ));
            return Ok(None);
        };
        let sum = sum(&taken);
        if first.known.sums.is_some_and(|sums| sums[i] != sum) {
            notes.push(format!(
                "{}: {} does not give again what it gave in that stretch",
                side.name,
                file.path().display()
            ));
            return Ok(None);
        }
        records[i] = taken;
    }
    Ok(first_difference(&records))
}

/// What lies between the last number that both sides have noted and the end of the shorter one is compared by handling
/// the longer one again.
fn look_into_ends(
    found: &mut Comparison,
    sides: [&Side; 2],
    notes: &mut Vec<String>,
) -> Result<(), StartError> {
    let mut looked = 0;
    let mut at = 0;
    while at < found.parts.len() {
        let part = &found.parts[at];
        at += 1;
        let (PartKind::Ends, Some((from, short)), Some(less)) =
            (part.kind, part.known.tail, part.less)
        else {
            continue;
        };
        let (place, end) = (part.place.clone(), part.from);
        let longer = sides[1 - less];
        let file = longer.capture.as_ref().filter(|_| looked < TAILS_MAX);
        let mut tail = Part::new(&place, PartKind::Records, from, Some(end));
        looked += 1;
        let long = match file {
            Some(file) => stretch(&longer.plan, file, &tail)?,
            None => None,
        };
        let Some(long) = long.map(|records| sum(&records)) else {
            notes.push(format!(
                "{}: what lies from {from} to {} on {} cannot be compared without handling it again",
                longer.name,
                end.saturating_sub(1),
                place.channel
            ));
            continue;
        };
        if let Some(compared) = found.compared.iter_mut().find(|c| c.place == place) {
            compared.stretches += 1;
            compared.to = Some(end);
            compared.parted += u64::from(long != short);
        }
        if long != short {
            let mut sums = [short; 2];
            sums[1 - less] = long;
            tail.known.sums = Some(sums);
            tail.records = sums.map(|(_, records)| Some(records));
            tail.gaps = found.parts[at - 1].gaps.clone();
            found.parts.insert(at - 1, tail);
            found.parts_total += 1;
            at += 1;
        }
    }
    Ok(())
}

/// The sum of the hashes of records, and their number.
fn sum(records: &[Record]) -> (u64, u64) {
    let mut print = Fingerprint::EMPTY;
    records.iter().for_each(|r| print.update(r));
    print.since(&Fingerprint::EMPTY)
}

fn first_difference([a, b]: &[Vec<Record>; 2]) -> Option<Narrowed> {
    let alone = |record: &Record| sum(std::slice::from_ref(record));
    let differ = (0..a.len().max(b.len())).find(|&i| a.get(i).map(alone) != b.get(i).map(alone))?;
    let records = [a.get(differ), b.get(differ)];
    let sequences = records.into_iter().flatten().map(|r| r.sequence.get());
    Some(Narrowed {
        sequence: sequences.min()?,
        records: records.map(|record| record.map(ShownRecord::of)),
    })
}

impl ShownRecord {
    fn of(record: &Record) -> ShownRecord {
        let data = &record.data;
        let kind = Kind(data.kind);
        ShownRecord {
            sequence: record.sequence.get(),
            kind: kind
                .name()
                .map_or_else(|| format!("kind {}", kind.0), str::to_owned),
            symbol: String::from_utf8_lossy(trimmed(&data.symbol)).into_owned(),
            side: (data.side != 0).then_some(char::from(data.side)),
            price: decimal(Price(data.price.get())),
            quantity: data.quantity.get(),
            order_id: record.order_id.get(),
            timestamp: data.timestamp.get(),
        }
    }
}

impl fmt::Display for ShownRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.symbol.is_empty() {
            write!(f, " {}", self.symbol.escape_default())?;
        }
        if let Some(side) = self.side {
            write!(f, " {}", side.escape_default())?;
        }
        write!(f, " {}", self.quantity)?;
        if let Some(price) = &self.price {
            write!(f, " at {price}")?;
        }
        write!(f, ", number {}, at {} ns", self.order_id, self.timestamp)
    }
}

/// With as many places as it needs.
fn decimal(price: Price) -> Option<String> {
    const ONE: u64 = 10u64.pow(Price::DECIMALS);
    price.is_some().then(|| {
        let (sign, value) = (if price.0 < 0 { "-" } else { "" }, price.0.unsigned_abs());
        let text = format!("{sign}{}.{:09}", value / ONE, value % ONE);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    })
}
