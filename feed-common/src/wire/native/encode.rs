//! Writing native batches.

use super::{
    HEADER_LENGTH, Header, MAGIC, MAX_UDP_PAYLOAD, NativeRecord, NativeRecords, RECORD_BASE,
    VERSION, arrangement, frame, price_format, record_kind, with_wire_null,
};
use crate::encode::Encode;
use crate::event::{MarketData, Price};
use crate::prices::{Endian, PriceLayout};
use crate::time::UnixNanos;
use std::ops::Range;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U16, U64};

/// What a batch says beside its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    /// Session identifier.
    pub session: [u8; 10],
    /// Sequence number of the first record, or of the next one to come where there is none.
    pub sequence: u64,
    /// When it is sent, or unknown.
    pub sent: UnixNanos,
}

/// Why records do not make a batch. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Heartbeats are written by [`encode_heartbeat`].
    #[error("a data batch without records")]
    Empty,
    /// The batch would not fit the largest datagram.
    #[error("{0} records do not fit a datagram")]
    TooMany(usize),
    /// Records with appended fields hold a whole [`MarketData`] and are counted in 16 bits.
    #[error("records of {0} bytes")]
    RecordLength(usize),
    /// The sequence number after the last record would exceed 64 bits.
    #[error("the sequence numbers end before the batch does")]
    Sequence,
    /// The price of the record with this index cannot be written exactly.
    #[error("the price of record {0} has no exact place in the price's type")]
    Price(usize),
}

/// Bytes of a batch of `count` records with prices of `price_width` bytes, in either arrangement.
pub const fn encoded_len(count: usize, price_width: usize) -> usize {
    HEADER_LENGTH + count * (RECORD_BASE + price_width)
}

/// How many records with prices of `price_width` bytes fit a batch alone in a datagram of `datagram` bytes.
pub const fn records_that_fit(datagram: usize, price_width: usize) -> usize {
    datagram.saturating_sub(HEADER_LENGTH) / (RECORD_BASE + price_width)
}

/// Appends a batch of whole records. `price` says how prices are written; its stride and null are the protocol's.
pub fn encode_records(
    out: &mut Vec<u8>,
    info: &BatchInfo,
    price: &PriceLayout,
    records: &[MarketData],
) -> Result<(), EncodeError> {
    let price = with_wire_null(*price);
    append(out, info, &price, arrangement::RECORDS, records, |body| {
        fill_records(body, &price, records)
    })
}

/// Appends a batch of columns. `price` says how prices are written; its null is the protocol's.
pub fn encode_columns(
    out: &mut Vec<u8>,
    info: &BatchInfo,
    price: &PriceLayout,
    records: &[MarketData],
) -> Result<(), EncodeError> {
    let price = with_wire_null(*price);
    append(out, info, &price, arrangement::COLUMNS, records, |body| {
        fill_columns(body, &price, records)
    })
}

/// Appends a batch of records of another kind.
pub fn encode_kind<T: NativeRecord>(
    out: &mut Vec<u8>,
    info: &BatchInfo,
    records: &[T],
) -> Result<(), EncodeError> {
    let batch = NativeRecords::new(info, records)?;
    let start = out.len();
    out.resize(start + batch.serialized_size(), 0);
    let written = batch.serialize_into_slice(&mut out[start..]);
    debug_assert!(written.is_ok(), "the room was made for it");
    Ok(())
}

/// The header of a batch of whole records of `record_length` bytes each, that begin with a [`MarketData`] as it is in memory
/// and go on with fields of the sender's own: a reader of market data steps over those.
pub fn appended_header(
    info: &BatchInfo,
    record_length: usize,
    records: usize,
) -> Result<Header, EncodeError> {
    let length = u16::try_from(record_length).ok();
    let length = length.filter(|_| record_length >= size_of::<MarketData>());
    let length = length.ok_or(EncodeError::RecordLength(record_length))?;
    let most = (MAX_UDP_PAYLOAD - HEADER_LENGTH) / record_length;
    let count = count_of(info, records, most)?;
    let price = with_wire_null(PriceLayout::CANONICAL);
    Ok(Header {
        record_length: U16::new(length),
        ..market_header(info, &price, arrangement::RECORDS, count)
    })
}

/// Where in a [`MarketData`] the fields behind the price lie.
pub(super) const BEHIND_PRICE: Range<usize> = 16..32;

/// Quantity, kind, side, flags, timestamp, as they lie in a [`MarketData`].
pub(super) const FIELDS_BEHIND_PRICE: [Range<usize>; 5] = [16..20, 20..21, 21..22, 22..24, 24..32];

/// Writes whole records into a body of exactly their size.
pub(super) fn fill_records(
    body: &mut [u8],
    price: &PriceLayout,
    records: &[MarketData],
) -> Result<(), EncodeError> {
    let lengths = body.chunks_exact_mut(RECORD_BASE + price.width());
    for (i, (place, r)) in lengths.zip(records).enumerate() {
        let (symbol, place) = place.split_at_mut(8);
        let (mantissa, tail) = place.split_at_mut(price.width());
        symbol.copy_from_slice(&r.symbol);
        price
            .write(Price(r.price.get()), mantissa)
            .map_err(|_| EncodeError::Price(i))?;
        tail.copy_from_slice(&r.as_bytes()[BEHIND_PRICE]);
    }
    Ok(())
}

/// Writes columns into a body of exactly their size.
pub(super) fn fill_columns(
    body: &mut [u8],
    price: &PriceLayout,
    records: &[MarketData],
) -> Result<(), EncodeError> {
    let (symbols, rest) = body.split_at_mut(records.len() * 8);
    let (mantissas, mut rest) = rest.split_at_mut(records.len() * price.width());
    for (place, r) in symbols.chunks_exact_mut(8).zip(records) {
        place.copy_from_slice(&r.symbol);
    }
    let mantissas = mantissas.chunks_exact_mut(price.width());
    for (i, (place, r)) in mantissas.zip(records).enumerate() {
        price
            .write(Price(r.price.get()), place)
            .map_err(|_| EncodeError::Price(i))?;
    }
    for field in FIELDS_BEHIND_PRICE {
        let (column, behind) = rest.split_at_mut(records.len() * field.len());
        for (place, r) in column.chunks_exact_mut(field.len()).zip(records) {
            place.copy_from_slice(&r.as_bytes()[field.clone()]);
        }
        rest = behind;
    }
    Ok(())
}

/// Appends a heartbeat.
pub fn encode_heartbeat(out: &mut Vec<u8>, info: &BatchInfo) {
    let price = with_wire_null(PriceLayout::CANONICAL);
    let h = header(info, frame::HEARTBEAT, &price, arrangement::RECORDS, 0);
    out.extend_from_slice(h.as_bytes());
}

/// Appends the end of the session.
pub fn encode_end_of_session(out: &mut Vec<u8>, info: &BatchInfo) {
    let price = with_wire_null(PriceLayout::CANONICAL);
    let h = header(info, frame::END_OF_SESSION, &price, arrangement::RECORDS, 0);
    out.extend_from_slice(h.as_bytes());
}

/// Checks what both arrangements must, writes the header, and lets `fill` write the body; takes all back on an error.
fn append(
    out: &mut Vec<u8>,
    info: &BatchInfo,
    price: &PriceLayout,
    arrangement: u8,
    records: &[MarketData],
    fill: impl FnOnce(&mut [u8]) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let most = records_that_fit(MAX_UDP_PAYLOAD, price.width());
    let count = count_of(info, records.len(), most)?;
    let start = out.len();
    let h = market_header(info, price, arrangement, count);
    out.extend_from_slice(h.as_bytes());
    out.resize(start + encoded_len(records.len(), price.width()), 0);
    let filled = fill(&mut out[start + HEADER_LENGTH..]);
    if filled.is_err() {
        out.truncate(start);
    }
    filled
}

/// The number of records as a header counts them, when a batch can have so many.
pub(super) fn count_of(info: &BatchInfo, records: usize, most: usize) -> Result<u16, EncodeError> {
    if records == 0 {
        return Err(EncodeError::Empty);
    }
    if records > most {
        return Err(EncodeError::TooMany(records));
    }
    // Fits 16 bits: a record takes more than one byte of the datagram.
    let count = records as u16;
    match info.sequence.checked_add(count.into()) {
        Some(_) => Ok(count),
        None => Err(EncodeError::Sequence),
    }
}

/// The header of a batch of market data.
pub(super) fn market_header(
    info: &BatchInfo,
    price: &PriceLayout,
    arrangement: u8,
    count: u16,
) -> Header {
    header(info, frame::DATA, price, arrangement, count)
}

/// The header of a batch with records, as it is where the records are canonical market data.
pub(super) fn data_header(info: &BatchInfo, arrangement: u8, count: u16) -> Header {
    market_header(info, &PriceLayout::CANONICAL, arrangement, count)
}

fn header(info: &BatchInfo, frame: u8, price: &PriceLayout, arrangement: u8, count: u16) -> Header {
    let unsigned = if price.is_signed() {
        0
    } else {
        price_format::UNSIGNED
    };
    let big = match price.endian() {
        Endian::Little => 0,
        Endian::Big => price_format::BIG_ENDIAN,
    };
    Header {
        magic: MAGIC,
        version: VERSION,
        frame,
        header_length: U16::new(HEADER_LENGTH as u16),
        session: info.session,
        count: U16::new(count),
        record_length: U16::new((RECORD_BASE + price.width()) as u16),
        record_kind: record_kind::MARKET_DATA,
        arrangement,
        sequence: U64::new(info.sequence),
        sent: U64::new(info.sent.0),
        price_width: price.width() as u8,
        price_decimals: price.decimals() as u8,
        price_format: unsigned | big,
        reserved: [0; 5],
    }
}
