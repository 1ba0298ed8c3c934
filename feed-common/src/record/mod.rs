//! Record kinds: what travels in native batches beside market data, and what goes into frames.
//!
//! [`SensorReading`] and [`TimeSeriesPoint`] are structs as [`MarketData`] is: little-endian, no padding, alignment 1.
//! A native batch carries them under a record kind of their own
//! ([`Batch::contents`](crate::wire::native::Batch::contents)); the pipeline publishes them as [`Record`]s, from which
//! [`SensorReading::of`] and [`TimeSeriesPoint::of`] take them out again unchanged.

mod gap;
mod point;
mod sensor;

pub use gap::{GapCause, GapRecord};
pub use point::{PointFlags, TimeSeriesPoint};
pub use sensor::SensorReading;

use crate::event::{MarketData, Record};

/// Numbers of this project's record kinds in frames. 256 and more are for users.
pub mod kind {
    /// [`MarketData`](crate::event::MarketData).
    pub const MARKET_DATA: u16 = 1;
    /// The published [`Record`](crate::event::Record), of whatever event: extensions and the gaps of the feed too.
    pub const RECORD: u16 = 2;
    /// [`GapRecord`](super::GapRecord).
    pub const GAP: u16 = 3;
    /// [`SensorReading`](super::SensorReading).
    pub const SENSOR: u16 = 4;
    /// [`TimeSeriesPoint`](super::TimeSeriesPoint).
    pub const POINT: u16 = 5;
}

crate::record! { impl MarketData: 32, kind kind::MARKET_DATA, version 1 }
crate::record! { impl Record: 64, kind kind::RECORD, version 1 }

#[cfg(test)]
mod tests;
