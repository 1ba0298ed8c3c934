//! Readings of weather sensors.

use super::kind;
use crate::event::{Kind, MarketData, NO_INSTRUMENT, NO_SYMBOL, Record};
use zerocopy::byteorder::little_endian::{I32, I64, U16, U32, U64};

/// Canonical price units (1e-9) in a hundredth.
const HUNDREDTH: i64 = 10_000_000;

crate::record! {
    /// What a sensor says of the air around it.
    #[derive(Default)]
    pub struct SensorReading: 24, kind kind::SENSOR, version 1 {
        /// Nanoseconds since the Unix epoch.
        timestamp: U64,
        /// Which sensor.
        sensor: U32,
        /// Hundredths of a degree Celsius.
        temperature: I32,
        /// Pascal, which are hundredths of a hectopascal.
        pressure: U32,
        /// Hundredths of a per cent of relative humidity, 0 to 10,000.
        humidity: U16,
        /// The sensor's own; 0 when it says nothing.
        status: U16,
    }
}

impl SensorReading {
    /// As a published record of [`Kind::SENSOR`]: `price` is the temperature in units of 1e-9 degrees, `quantity` the
    /// pressure, `order_id` from the lowest bits up the sensor (32 bits), humidity (16) and status (16). Sequence,
    /// channel, receive time and trust are the caller's to fill in.
    pub fn to_record(&self) -> Record {
        let order_id = u64::from(self.sensor.get())
            | u64::from(self.humidity.get()) << 32
            | u64::from(self.status.get()) << 48;
        Record {
            data: MarketData {
                symbol: NO_SYMBOL,
                // 32 bits times ten million stay within 64.
                price: I64::new(i64::from(self.temperature.get()) * HUNDREDTH),
                quantity: self.pressure,
                kind: Kind::SENSOR.0,
                timestamp: self.timestamp,
                ..MarketData::default()
            },
            order_id: U64::new(order_id),
            instrument: U32::new(NO_INSTRUMENT),
            ..Record::default()
        }
    }

    /// The reading that a record carries; `None` when it is of another kind or no reading was ever made into it.
    pub fn of(record: &Record) -> Option<SensorReading> {
        let price = record.data.price.get();
        if record.data.kind != Kind::SENSOR.0 || price % HUNDREDTH != 0 {
            return None;
        }
        let order_id = record.order_id.get();
        Some(SensorReading {
            timestamp: record.data.timestamp,
            sensor: U32::new(order_id as u32),
            temperature: I32::new(i32::try_from(price / HUNDREDTH).ok()?),
            pressure: record.data.quantity,
            humidity: U16::new((order_id >> 32) as u16),
            status: U16::new((order_id >> 48) as u16),
        })
    }
}
