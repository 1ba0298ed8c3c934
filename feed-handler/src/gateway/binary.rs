//! Records as native batches: the mission's record as every reader of native batches knows it, and behind it in each
//! record what this project's published record says beside it, the position and the whole name.

use super::lane::Quoted;
use super::update::Source;
use feed_common::event::{Flags, Kind, MarketData, Price, Record, Side, Trust};
use feed_common::ring::shared::{Quote, QuoteFlags};
use feed_common::time::UnixNanos;
use feed_common::wire::native::{BatchInfo, HEADER_LENGTH, MAX_UDP_PAYLOAD, appended_header};
use zerocopy::byteorder::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A record of a batch, 96 bytes: a reader that knows only market data reads the first 32 of them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct PublishedRow {
    /// As it was published; its first 32 bytes are a [`MarketData`].
    pub record: Record,
    /// Its number among all that its writer published; of a quote, that of the snapshot.
    pub position: U64,
    /// The whole name of its instrument, zeros behind it; all zeros for a record of a channel.
    pub name: [u8; 24],
}

const _: () = assert!(size_of::<PublishedRow>() == 96 && size_of::<MarketData>() == 32);

/// Most records of a batch.
pub const ROWS_MAX: usize = (MAX_UDP_PAYLOAD - HEADER_LENGTH) / size_of::<PublishedRow>();

impl PublishedRow {
    /// Of a record.
    pub fn new(record: &Record, position: u64, name: &str) -> PublishedRow {
        let mut bytes = [0; 24];
        let len = name.len().min(bytes.len());
        bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
        PublishedRow {
            record: *record,
            position: U64::new(position),
            name: bytes,
        }
    }

    /// The name without what is behind it.
    pub fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|b| *b == 0);
        &self.name[..end.unwrap_or(self.name.len())]
    }
}

/// What the batches of a stream are called, in the ten bytes that the header has for it: `U` for updates or `S` for a
/// snapshot, three digits of the lane's number, a hyphen, five digits of the writer's generation.
pub fn session(what: u8, source: &Source) -> [u8; 10] {
    let mut session = [0; 10];
    let text = format!(
        "{:03}-{:05}",
        source.index % 1_000,
        source.generation % 100_000
    );
    session[0] = what;
    session[1..].copy_from_slice(text.as_bytes());
    session
}

/// Makes room for a header at the front of an empty buffer.
pub fn begin(buffer: &mut Vec<u8>) {
    buffer.resize(HEADER_LENGTH, 0);
}

/// Writes the header before `rows` records that were appended.
pub fn finish(buffer: &mut [u8], session: [u8; 10], sequence: u64, rows: usize) {
    let info = BatchInfo {
        session,
        sequence,
        sent: UnixNanos::now(),
    };
    // At most ROWS_MAX and not none, by those who call; a client's numbers do not end.
    if let Ok(header) = appended_header(&info, size_of::<PublishedRow>(), rows) {
        buffer[..HEADER_LENGTH].copy_from_slice(header.as_bytes());
    }
}

/// A quote as the pair of records that would have published it, each side followed by its exact quantity where the record
/// cannot hold it. A quote of which a side may have changed is at most `Recovering`.
pub fn pair(quoted: &Quoted) -> Vec<Record> {
    let quote = &quoted.quote;
    let mut pair = Vec::with_capacity(4);
    for (kind, side, price, quantity) in [
        (Kind::BID, Side::BUY, quote.bid, quote.bid_quantity),
        (Kind::OFFER, Side::SELL, quote.ask, quote.ask_quantity),
    ] {
        let mut record = base(quoted);
        record.data.kind = kind.0;
        record.data.side = side.0;
        record.data.price.set(price.0);
        record
            .data
            .quantity
            .set(u32::try_from(quantity).unwrap_or(u32::MAX));
        let saturated = quantity > u64::from(u32::MAX);
        if saturated {
            flag(&mut record, Flags::QUANTITY_SATURATED);
        }
        pair.push(record);
        if saturated {
            let mut exact = base(quoted);
            exact.data.kind = Kind::EXTENSION.0;
            exact.data.side = side.0;
            exact.data.price.set(Price::NULL.0);
            exact.order_id.set(quantity);
            pair.push(exact);
        }
    }
    if let Some(last) = pair.last_mut() {
        flag(last, Flags::END_OF_EVENT);
    }
    pair
}

fn flag(record: &mut Record, flag: Flags) {
    let flags = Flags(record.data.flags.get()).with(flag);
    record.data.flags.set(flags.0);
}

/// What all records of a quote say.
fn base(quoted: &Quoted) -> Record {
    let (quote, it): (&Quote, _) = (&quoted.quote, &quoted.instrument);
    let has = |flag: QuoteFlags| quote.flags.0 & flag.0 != 0;
    let mut record = Record::default();
    record.data.symbol = it.symbol;
    record.data.timestamp.set(quote.timestamp.0);
    record.sequence.set(quote.sequence);
    record.rx.set(quote.rx.0);
    record.instrument.set(it.instrument);
    record.channel.set(it.channel);
    record.trust = match has(QuoteFlags::UNSURE) {
        true => quote.trust.0.max(Trust::RECOVERING.0),
        false => quote.trust.0,
    };
    if has(QuoteFlags::NO_DATE) {
        flag(&mut record, Flags::NO_DATE);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::BestOf;
    use feed_common::event::Name;
    use feed_common::ring::shared::Instrument;
    use feed_common::time::Ticks;
    use feed_common::wire::native::Batch;

    fn quoted(quote: Quote) -> Quoted {
        Quoted {
            instrument: Instrument {
                channel: 3,
                instrument: 17,
                symbol: *b"AAPL    ",
                name: Name::new(b"AAPL"),
            },
            name: "AAPL".into(),
            channel: "c".into(),
            quote,
        }
    }

    #[test]
    fn a_quote_as_records_is_the_quote_again() {
        for quantity in [0, 100, u64::from(u32::MAX), 1 << 40] {
            for ask in [Price(5), Price::NULL] {
                let quote = Quote {
                    bid: Price(-4),
                    bid_quantity: quantity,
                    ask,
                    ask_quantity: quantity / 2,
                    timestamp: UnixNanos(7),
                    sequence: 9,
                    rx: Ticks(11),
                    trust: Trust::SUSPECT,
                    flags: QuoteFlags::NO_DATE,
                };
                let records = pair(&quoted(quote));
                let mut best = BestOf::new("*".parse().unwrap());
                records.iter().for_each(|r| _ = best.take(r));
                assert_eq!(best.row(0).unwrap().quote(), quote);
                let ends = records
                    .iter()
                    .filter(|r| r.data.flags.get() & 1 != 0)
                    .count();
                assert_eq!((ends, records.last().unwrap().data.flags.get() & 1), (1, 1));
            }
        }
        let unsure = Quote {
            flags: QuoteFlags::UNSURE,
            ..Quote::default()
        };
        assert_eq!(pair(&quoted(unsure))[0].trust, Trust::RECOVERING.0);
    }

    #[test]
    fn a_batch_is_read_as_any_other_and_holds_all_of_the_record() {
        let source = Source {
            index: 7,
            lane: "l".into(),
            generation: 12,
            epoch: 1,
        };
        let mut buffer = Vec::new();
        begin(&mut buffer);
        let mut rows = Vec::new();
        for (i, record) in pair(&quoted(Quote::default())).iter().enumerate() {
            let row = PublishedRow::new(record, 1_000 + i as u64, "A-LONGER-NAME-THAN-EIGHT");
            buffer.extend_from_slice(row.as_bytes());
            rows.push(row);
        }
        finish(&mut buffer, session(b'U', &source), 41, rows.len());
        let (batch, rest) = Batch::parse(&buffer).unwrap();
        assert!(rest.is_empty());
        let header = batch.header();
        assert_eq!(
            (&header.session, header.sequence.get()),
            (b"U007-00012", 41)
        );
        let market: Vec<_> = batch.market_data().unwrap().iter().collect();
        let want: Vec<_> = rows.iter().map(|row| row.record.data).collect();
        assert_eq!(market, want);
        let (all, _) = <[PublishedRow]>::ref_from_prefix_with_elems(&buffer[48..], 2).unwrap();
        assert_eq!(all, rows);
        assert_eq!(all[1].name(), b"A-LONGER-NAME-THAN-EIGHT");
        assert_eq!(PublishedRow::new(&Record::default(), 0, "A").name(), b"A");
    }
}
