//! Records of a batch that are not market data.

use super::{
    BatchInfo, EncodeError, HEADER_LENGTH, Header, MAX_UDP_PAYLOAD, MarketBatch, arrangement,
    encode, record_kind,
};
use crate::encode::{Encode, RecordKind, SerializeError, room};
use crate::record::{SensorReading, TimeSeriesPoint};
use crate::time::UnixNanos;
use std::io::{self, Write};
use std::marker::PhantomData;
use zerocopy::IntoBytes;

/// A record that native batches carry as it is, one behind the other.
pub trait NativeRecord: RecordKind {
    /// Its number in a batch's header.
    const RECORD_KIND: u8;

    /// When what it says was so.
    fn time(&self) -> UnixNanos;
}

impl NativeRecord for SensorReading {
    const RECORD_KIND: u8 = record_kind::SENSOR;

    #[inline]
    fn time(&self) -> UnixNanos {
        UnixNanos(self.timestamp.get())
    }
}

impl NativeRecord for TimeSeriesPoint {
    const RECORD_KIND: u8 = record_kind::POINT;

    #[inline]
    fn time(&self) -> UnixNanos {
        UnixNanos(self.timestamp.get())
    }
}

/// What a batch holds.
#[derive(Clone, Copy, Debug)]
pub enum Contents<'a> {
    /// Market data.
    Market(MarketBatch<'a>),
    /// Readings of sensors.
    Sensors(Rows<'a, SensorReading>),
    /// Points of time series.
    Points(Rows<'a, TimeSeriesPoint>),
    /// Records of a kind this version does not know, and how many: to be counted.
    Unknown(u16),
}

/// The records of a validated batch, in place, each at the record length on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// `count * length` bytes.
    body: &'a [u8],
    length: usize,
    of: PhantomData<&'a T>,
}

impl<'a, T: NativeRecord> Rows<'a, T> {
    /// `None` where the records are of another kind.
    #[inline]
    pub(super) fn new(header: &Header, body: &'a [u8]) -> Option<Rows<'a, T>> {
        let length = usize::from(header.record_length.get());
        // Validation sees to the length.
        (header.record_kind == T::RECORD_KIND && length >= size_of::<T>()).then_some(Rows {
            body,
            length,
            of: PhantomData,
        })
    }

    /// Number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.body.len() / self.length
    }

    /// True for heartbeats.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Record `i`; `None` when there are not so many.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a T> {
        let at = i.checked_mul(self.length)?;
        Some(T::ref_from_prefix(self.body.get(at..)?).ok()?.0)
    }

    /// The records from number `skip` on, in order.
    #[inline]
    pub fn iter(&self, skip: usize) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let skipped = skip.saturating_mul(self.length).min(self.body.len());
        let rows = self.body[skipped..].chunks_exact(self.length);
        rows.filter_map(|row| Some(T::ref_from_prefix(row).ok()?.0))
    }
}

/// A batch to be written: records of one kind as they are, behind a header.
#[derive(Clone, Copy, Debug)]
pub struct NativeRecords<'a, T> {
    info: &'a BatchInfo,
    records: &'a [T],
}

impl<'a, T: NativeRecord> NativeRecords<'a, T> {
    /// Most records that fit a batch alone in a datagram of `datagram` bytes.
    pub const fn that_fit(datagram: usize) -> usize {
        datagram.saturating_sub(HEADER_LENGTH) / size_of::<T>()
    }

    /// Refused when there are none, more than the largest datagram holds, or more than there are sequence numbers.
    pub fn new(info: &'a BatchInfo, records: &'a [T]) -> Result<Self, EncodeError> {
        let most = Self::that_fit(MAX_UDP_PAYLOAD);
        encode::count_of(info, records.len(), most)?;
        Ok(NativeRecords { info, records })
    }

    fn header(&self) -> Header {
        Header {
            record_length: (size_of::<T>() as u16).into(),
            record_kind: T::RECORD_KIND,
            price_width: 0,
            price_decimals: 0,
            price_format: 0,
            // Fits: `new` has counted them.
            ..encode::data_header(self.info, arrangement::RECORDS, self.records.len() as u16)
        }
    }
}

impl<T: NativeRecord> Encode for NativeRecords<'_, T> {
    #[inline]
    fn serialized_size(&self) -> usize {
        HEADER_LENGTH + size_of_val(self.records)
    }

    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(self.header().as_bytes())?;
        out.write_all(self.records.as_bytes())
    }

    #[inline]
    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
        let size = self.serialized_size();
        let (header, body) = room(out, size)?.split_at_mut(HEADER_LENGTH);
        header.copy_from_slice(self.header().as_bytes());
        body.copy_from_slice(self.records.as_bytes());
        Ok(size)
    }
}
