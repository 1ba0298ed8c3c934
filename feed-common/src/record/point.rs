//! Points of time series: of whatever is measured, and of the handler's own rates and latencies.

use super::kind;
use crate::event::{Kind, MarketData, NO_INSTRUMENT, NO_SYMBOL, Price, Record};
use zerocopy::byteorder::little_endian::{I64, U32, U64};

/// Bits of [`TimeSeriesPoint::flags`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct PointFlags(pub u8);

impl PointFlags {
    /// No flag.
    pub const NONE: PointFlags = PointFlags(0);
    /// The value is estimated, not measured.
    pub const ESTIMATED: PointFlags = PointFlags(1);
    /// The interval the value is of was cut short.
    pub const PARTIAL: PointFlags = PointFlags(1 << 1);
    /// Points before this one are missing.
    pub const AFTER_GAP: PointFlags = PointFlags(1 << 2);
    /// What is counted began anew.
    pub const RESET: PointFlags = PointFlags(1 << 3);

    /// Both sets.
    #[inline]
    pub const fn with(self, other: PointFlags) -> PointFlags {
        PointFlags(self.0 | other.0)
    }

    /// True when every bit of `other` is set.
    #[inline]
    pub const fn has(self, other: PointFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

crate::record! {
    /// A value of a series at a time.
    #[derive(Default)]
    pub struct TimeSeriesPoint: 24, kind kind::POINT, version 1 {
        /// Nanoseconds since the Unix epoch.
        timestamp: U64,
        /// The bits of the `f64`, so that every value comes through as it is, NaN included; see [`TimeSeriesPoint::value`].
        bits: U64,
        /// Which series.
        series: U32,
        /// [`PointFlags`].
        flags: u8,
        /// Zero.
        reserved: [u8; 3],
    }
}

impl TimeSeriesPoint {
    /// A point of a series.
    #[inline]
    pub fn new(series: u32, timestamp: u64, value: f64, flags: PointFlags) -> TimeSeriesPoint {
        TimeSeriesPoint {
            timestamp: U64::new(timestamp),
            bits: U64::new(value.to_bits()),
            series: U32::new(series),
            flags: flags.0,
            reserved: [0; 3],
        }
    }

    /// Its value.
    #[inline]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.bits.get())
    }

    /// As a published record of [`Kind::POINT`]: `order_id` is the bits of the value, `price` the value in units of 1e-9
    /// (null when it does not fit), `quantity` the series, `side` the flags. Sequence, channel, receive time and trust are
    /// the caller's to fill in.
    pub fn to_record(&self) -> Record {
        Record {
            data: MarketData {
                symbol: NO_SYMBOL,
                price: I64::new(canonical(self.value()).0),
                quantity: self.series,
                kind: Kind::POINT.0,
                side: self.flags,
                timestamp: self.timestamp,
                ..MarketData::default()
            },
            order_id: self.bits,
            instrument: U32::new(NO_INSTRUMENT),
            ..Record::default()
        }
    }

    /// The point that a record carries; `None` when it is of another kind.
    pub fn of(record: &Record) -> Option<TimeSeriesPoint> {
        (record.data.kind == Kind::POINT.0).then_some(TimeSeriesPoint {
            timestamp: record.data.timestamp,
            bits: record.order_id,
            series: record.data.quantity,
            flags: record.data.side,
            reserved: [0; 3],
        })
    }
}

/// The nearest price; null for what no price can be.
fn canonical(value: f64) -> Price {
    let units = (value * 1e9).round();
    // Both bounds are powers of two, and exact; i64::MIN itself is the null price.
    if units > i64::MIN as f64 && units < -(i64::MIN as f64) {
        Price(units as i64)
    } else {
        Price::NULL
    }
}
