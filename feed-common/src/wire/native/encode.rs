//! Writing native batches.

use super::{
    HEADER_LENGTH, Header, MAGIC, MAX_UDP_PAYLOAD, RECORD_BASE, VERSION, arrangement, frame,
    price_format, record_kind, with_wire_null,
};
use crate::event::{MarketData, Price};
use crate::prices::{Endian, PriceLayout};
use crate::time::UnixNanos;
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
        let lengths = body.chunks_exact_mut(RECORD_BASE + price.width());
        for (i, (place, r)) in lengths.zip(records).enumerate() {
            let (symbol, place) = place.split_at_mut(8);
            let (mantissa, tail) = place.split_at_mut(price.width());
            symbol.copy_from_slice(&r.symbol);
            price
                .write(Price(r.price.get()), mantissa)
                .map_err(|_| EncodeError::Price(i))?;
            tail.copy_from_slice(&r.as_bytes()[16..]);
        }
        Ok(())
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
        // Quantity, kind, side, flags, timestamp, as they lie in the record.
        for field in [16..20, 20..21, 21..22, 22..24, 24..32] {
            let (column, behind) = rest.split_at_mut(records.len() * field.len());
            for (place, r) in column.chunks_exact_mut(field.len()).zip(records) {
                place.copy_from_slice(&r.as_bytes()[field.clone()]);
            }
            rest = behind;
        }
        Ok(())
    })
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
    if records.is_empty() {
        return Err(EncodeError::Empty);
    }
    if records.len() > records_that_fit(MAX_UDP_PAYLOAD, price.width()) {
        return Err(EncodeError::TooMany(records.len()));
    }
    // Fits 16 bits: a record takes more than one byte of the datagram.
    let count = records.len() as u16;
    if info.sequence.checked_add(count.into()).is_none() {
        return Err(EncodeError::Sequence);
    }
    let start = out.len();
    let h = header(info, frame::DATA, price, arrangement, count);
    out.extend_from_slice(h.as_bytes());
    out.resize(start + encoded_len(records.len(), price.width()), 0);
    let filled = fill(&mut out[start + HEADER_LENGTH..]);
    if filled.is_err() {
        out.truncate(start);
    }
    filled
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
