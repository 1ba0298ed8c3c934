//! The native protocol, version 1: batches of [`MarketData`](crate::event::MarketData), of sensor readings or of points of
//! time series, under one header, one or more batches to a datagram.
//!
//! All integers of the header are little-endian. The header is followed by `count * record_length` bytes, and nothing
//! else: the next batch, if any, starts right after.
//!
//! | offset | size | field | |
//! |---|---|---|---|
//! | 0 | 4 | `magic` | `FHNB` |
//! | 4 | 1 | `version` | 1 |
//! | 5 | 1 | `frame` | 1 data, 2 heartbeat, 3 end of session; the last two have `count` 0, data has not |
//! | 6 | 2 | `header_length` | at least 48; what is beyond belongs to a newer sender |
//! | 8 | 10 | `session` | |
//! | 18 | 2 | `count` | records; each takes one sequence number |
//! | 20 | 2 | `record_length` | bytes of a record (all its columns together): at least 24 and the price; 24 for kinds 2 and 3, 1 for others |
//! | 22 | 1 | `record_kind` | 1 `MarketData`, 2 [`SensorReading`], 3 [`TimeSeriesPoint`]; other kinds are framed but not read |
//! | 23 | 1 | `arrangement` | 1 whole records, 2 columns; kinds 2 and 3 are whole |
//! | 24 | 8 | `sequence` | of the first record; without records, of the next to come |
//! | 32 | 8 | `sent` | nanoseconds since the Unix epoch, 0 not said |
//! | 40 | 1 | `price_width` | 4 or 8 |
//! | 41 | 1 | `price_decimals` | 0 to 9 |
//! | 42 | 1 | `price_format` | bit 0: unsigned, bit 1: big-endian; other bits zero |
//! | 43 | 5 | `reserved` | zero, not looked at |
//!
//! Kinds 2 and 3 look at no price field, and their records are those structs. Of kind 1 a record is `symbol` (8), `price` (4 or 8), `quantity` (4), `kind` (1), `side` (1), `flags` (2), `timestamp` (8),
//! then what a newer sender appended. Columns are the same fields, each an array of `count`, one after another in that
//! order, newer columns behind them. The null price is the least mantissa of a signed type and the greatest of an
//! unsigned one. A reader steps by the lengths on the wire: longer than it knows is fine, shorter is an error.

mod encode;
mod kinds;
mod market;
mod write;

pub use encode::{
    BatchInfo, EncodeError, appended_header, encode_columns, encode_end_of_session,
    encode_heartbeat, encode_kind, encode_records, encoded_len, records_that_fit,
};
pub use kinds::{Contents, NativeRecord, NativeRecords, Rows};
pub use market::MarketBatch;
pub use write::MarketRecords;

use super::Fit;
use crate::prices::{Endian, PriceLayout};
use crate::record::{SensorReading, TimeSeriesPoint};
use zerocopy::byteorder::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of a batch.
pub const MAGIC: [u8; 4] = *b"FHNB";
/// The version written here, and the only one read: fields are appended without a new one.
pub const VERSION: u8 = 1;
/// Bytes of the header as this version writes it.
pub const HEADER_LENGTH: usize = size_of::<Header>();
/// Bytes of a record without its price.
pub const RECORD_BASE: usize = 24;
/// UDP payload of an Ethernet frame of 1500 bytes over IPv4.
pub const MAX_DATAGRAM: usize = 1472;
/// UDP payload of the largest IPv4 packet.
pub const MAX_UDP_PAYLOAD: usize = 65_507;

/// Values of [`Header::frame`].
pub mod frame {
    /// Carries records.
    pub const DATA: u8 = 1;
    /// Carries none, and says which sequence number comes next.
    pub const HEARTBEAT: u8 = 2;
    /// As a heartbeat, and the session is over.
    pub const END_OF_SESSION: u8 = 3;
}

/// Values of [`Header::record_kind`].
pub mod record_kind {
    /// Records are [`MarketData`](crate::event::MarketData).
    pub const MARKET_DATA: u8 = 1;
    /// Records are [`SensorReading`](crate::record::SensorReading).
    pub const SENSOR: u8 = 2;
    /// Records are [`TimeSeriesPoint`](crate::record::TimeSeriesPoint).
    pub const POINT: u8 = 3;
}

/// Values of [`Header::arrangement`].
pub mod arrangement {
    /// Record after record.
    pub const RECORDS: u8 = 1;
    /// Column after column.
    pub const COLUMNS: u8 = 2;
}

/// Bits of [`Header::price_format`].
pub mod price_format {
    /// The mantissa is unsigned.
    pub const UNSIGNED: u8 = 1;
    /// The mantissa is big-endian.
    pub const BIG_ENDIAN: u8 = 2;
}

/// The header of a batch; see the module for its fields.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Header {
    pub magic: [u8; 4],
    pub version: u8,
    pub frame: u8,
    pub header_length: U16,
    pub session: [u8; 10],
    pub count: U16,
    pub record_length: U16,
    pub record_kind: u8,
    pub arrangement: u8,
    pub sequence: U64,
    pub sent: U64,
    pub price_width: u8,
    pub price_decimals: u8,
    pub price_format: u8,
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<Header>() == 48 && align_of::<Header>() == 1);

/// Why bytes are not a batch that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[allow(missing_docs)]
pub enum NativeError {
    #[error("shorter than its header")]
    ShortHeader,
    #[error("the magic is not that of a native batch")]
    Foreign,
    #[error("a version this build does not read")]
    Version,
    #[error("the header contradicts itself")]
    Header,
    #[error("the records run past the end")]
    Overrun,
    #[error("a record kind this build does not read")]
    UnknownRecord,
}

/// The value of a header field, for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FieldValue<'a> {
    Integer(u64),
    Text(&'a [u8]),
}

/// A batch whose header and lengths have been validated: nothing below can fail any more.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    header: &'a Header,
    /// `count * record_length` bytes.
    body: &'a [u8],
    /// Header and body.
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads the batch at the start of `bytes`, and returns what follows it.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<(Batch<'a>, &'a [u8]), NativeError> {
        let Ok((header, _)) = Header::ref_from_prefix(bytes) else {
            return Err(NativeError::ShortHeader);
        };
        header.validate()?;
        let header_length = header.header_length.get() as usize;
        // Both factors have 16 bits.
        let body_length = header.count.get() as usize * header.record_length.get() as usize;
        if bytes.len() < header_length {
            return Err(NativeError::ShortHeader);
        }
        let Some((bytes, rest)) = bytes.split_at_checked(header_length + body_length) else {
            return Err(NativeError::Overrun);
        };
        let body = &bytes[header_length..];
        Ok((
            Batch {
                header,
                body,
                bytes,
            },
            rest,
        ))
    }

    /// The header; what a newer sender appended to it is not part of it.
    #[inline]
    pub fn header(&self) -> &'a Header {
        self.header
    }

    /// The whole batch as it was on the wire.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records; [`NativeError::UnknownRecord`] when they are not [`MarketData`](crate::event::MarketData).
    #[inline]
    pub fn market_data(&self) -> Result<MarketBatch<'a>, NativeError> {
        MarketBatch::new(self.header, self.body)
    }

    /// The records, whatever they are.
    #[inline]
    pub fn contents(&self) -> Contents<'a> {
        if let Ok(market) = self.market_data() {
            Contents::Market(market)
        } else if let Some(sensors) = Rows::new(self.header, self.body) {
            Contents::Sensors(sensors)
        } else if let Some(points) = Rows::new(self.header, self.body) {
            Contents::Points(points)
        } else {
            Contents::Unknown(self.header.count.get())
        }
    }
}

impl Header {
    /// The fields by name in wire order, without magic and reserved bytes.
    pub fn fields(&self) -> [(&'static str, FieldValue<'_>); 13] {
        use FieldValue::{Integer, Text};
        [
            ("version", Integer(self.version.into())),
            ("frame", Integer(self.frame.into())),
            ("header_length", Integer(self.header_length.get().into())),
            ("session", Text(&self.session)),
            ("count", Integer(self.count.get().into())),
            ("record_length", Integer(self.record_length.get().into())),
            ("record_kind", Integer(self.record_kind.into())),
            ("arrangement", Integer(self.arrangement.into())),
            ("sequence", Integer(self.sequence.get())),
            ("sent", Integer(self.sent.get())),
            ("price_width", Integer(self.price_width.into())),
            ("price_decimals", Integer(self.price_decimals.into())),
            ("price_format", Integer(self.price_format.into())),
        ]
    }

    /// How a single price is written, at a stride of its own width; `None` when the header names no such type.
    #[inline]
    pub fn price(&self) -> Option<PriceLayout> {
        if self.price_format & !(price_format::UNSIGNED | price_format::BIG_ENDIAN) != 0 {
            return None;
        }
        let endian = match self.price_format & price_format::BIG_ENDIAN {
            0 => Endian::Little,
            _ => Endian::Big,
        };
        let signed = self.price_format & price_format::UNSIGNED == 0;
        let (width, decimals) = (self.price_width.into(), self.price_decimals.into());
        Some(with_wire_null(
            PriceLayout::new(width, signed, endian, decimals).ok()?,
        ))
    }

    /// Whether records are whole and of at least so many bytes.
    fn is_whole(&self, least: usize) -> bool {
        self.arrangement == arrangement::RECORDS && usize::from(self.record_length.get()) >= least
    }

    /// Everything that does not need the length of the datagram.
    #[inline]
    fn validate(&self) -> Result<(), NativeError> {
        if self.magic != MAGIC {
            return Err(NativeError::Foreign);
        }
        if self.version != VERSION {
            return Err(NativeError::Version);
        }
        let count = self.count.get();
        let frame_ok = match self.frame {
            frame::DATA => count != 0,
            frame::HEARTBEAT | frame::END_OF_SESSION => count == 0,
            _ => false,
        };
        let record_ok = match self.record_kind {
            record_kind::MARKET_DATA => {
                matches!(
                    self.arrangement,
                    arrangement::RECORDS | arrangement::COLUMNS
                ) && self.price().is_some()
                    && self.record_length.get() as usize >= RECORD_BASE + self.price_width as usize
            }
            record_kind::SENSOR => self.is_whole(size_of::<SensorReading>()),
            record_kind::POINT => self.is_whole(size_of::<TimeSeriesPoint>()),
            // A record takes a byte at least, or a small datagram could claim any number of sequence numbers.
            _ => self.record_length.get() != 0,
        };
        let sequence_ok = self.sequence.get().checked_add(count.into()).is_some();
        let header_ok = self.header_length.get() as usize >= HEADER_LENGTH;
        if frame_ok && record_ok && sequence_ok && header_ok {
            Ok(())
        } else {
            Err(NativeError::Header)
        }
    }
}

/// `price` with the null of the native protocol: the least mantissa of a signed type, the greatest of an unsigned one.
#[inline]
fn with_wire_null(price: PriceLayout) -> PriceLayout {
    let (least, greatest) = price.mantissas();
    let null = if price.is_signed() { least } else { greatest };
    price.with_null(null).unwrap_or(price)
}

/// Whether a datagram is of the native protocol. The magic decides: what is wrong behind it is then named as an error of
/// this protocol.
pub fn fit(datagram: &[u8]) -> Fit {
    match datagram.starts_with(&MAGIC) {
        true => Fit::Yes,
        false => Fit::No,
    }
}

#[cfg(test)]
mod kinds_tests;
#[cfg(test)]
mod tests;
