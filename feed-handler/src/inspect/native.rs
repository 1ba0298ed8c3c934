//! The native protocol taken apart: every record of a batch is a message, its type the record's kind.

use super::{Dissect, Fit, Message, View};
use crate::protocol::DecodeError;
use crate::transport::native::NativeFraming;
use crate::transport::{FrameError, Framing};
use feed_common::event::{Kind, MarketData, Price, Side};
use feed_common::record::{SensorReading, TimeSeriesPoint};
use feed_common::wire::ProtocolName;
use feed_common::wire::message::Value;
use feed_common::wire::native::{self, Batch, Contents};
use zerocopy::IntoBytes;

pub(super) struct Native;

impl Dissect for Native {
    fn protocol(&self) -> ProtocolName {
        ProtocolName::Native
    }

    fn fit(&self, datagram: &[u8]) -> Fit {
        native::fit(datagram)
    }

    fn open<'a>(&self, bytes: &'a [u8], _number: u64) -> Result<View<'a>, FrameError> {
        let (frame, rest) = NativeFraming.open(bytes)?;
        Ok(View::of::<NativeFraming, _>(&frame, bytes, rest))
    }

    fn messages(&self, frame: &View<'_>, each: &mut dyn FnMut(&dyn Message) -> bool) {
        let Ok((batch, _)) = Batch::parse(frame.bytes) else {
            return; // an opened frame has been parsed before
        };
        let header = batch.header();
        match batch.contents() {
            Contents::Market(records) => {
                let decimals = header.price_decimals.into();
                records
                    .iter()
                    .all(|data| each(&NativeRecord { data, decimals }));
            }
            Contents::Sensors(rows) => {
                rows.iter(0).all(|reading| each(reading));
            }
            Contents::Points(rows) => {
                rows.iter(0).all(|point| each(point));
            }
            Contents::Unknown(_) => {
                let body = &frame.bytes[header.header_length.get().into()..];
                // A record has at least one byte; validation sees to it.
                body.chunks_exact(header.record_length.get().max(1).into())
                    .all(|record| each(&Opaque(record)));
            }
        }
    }

    fn type_key(&self, code: u32) -> String {
        code.to_string()
    }

    fn type_name(&self, code: u32) -> Option<&'static str> {
        Kind(u8::try_from(code).ok()?).name()
    }
}

struct NativeRecord {
    data: MarketData,
    /// Of the price on the wire.
    decimals: u32,
}

impl Message for NativeRecord {
    fn code(&self) -> u32 {
        self.data.kind.into()
    }

    fn error(&self) -> Option<DecodeError> {
        None // kinds of a newer sender are records all the same
    }

    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let d = &self.data;
        let price = match Price(d.price.get()) {
            Price::NULL => Value::Null,
            // Exact: it was scaled up by this factor.
            Price(p) => Value::Price {
                mantissa: i128::from(p) / 10i128.pow(Price::DECIMALS - self.decimals),
                decimals: self.decimals,
            },
        };
        let side = match Side(d.side) {
            Side::NONE => Value::Null,
            _ => Value::Text(d.side.as_bytes()),
        };
        visit("symbol", Value::Text(&d.symbol));
        visit("price", price);
        visit("quantity", Value::Unsigned(d.quantity.get().into()));
        visit("side", side);
        visit("flags", Value::Unsigned(d.flags.get().into()));
        visit("timestamp", Value::Time(d.timestamp.get()));
    }
}

impl Message for SensorReading {
    fn code(&self) -> u32 {
        Kind::SENSOR.0.into()
    }

    fn error(&self) -> Option<DecodeError> {
        None
    }

    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let hundredths = |mantissa| Value::Price {
            mantissa,
            decimals: 2,
        };
        visit("sensor", Value::Unsigned(self.sensor.get().into()));
        visit("temperature", hundredths(self.temperature.get().into()));
        visit("pressure", Value::Unsigned(self.pressure.get().into()));
        visit("humidity", hundredths(self.humidity.get().into()));
        visit("status", Value::Unsigned(self.status.get().into()));
        visit("timestamp", Value::Time(self.timestamp.get()));
    }
}

impl Message for TimeSeriesPoint {
    fn code(&self) -> u32 {
        Kind::POINT.0.into()
    }

    fn error(&self) -> Option<DecodeError> {
        None
    }

    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        visit("series", Value::Unsigned(self.series.get().into()));
        visit("value", Value::Float(self.value()));
        visit("flags", Value::Unsigned(self.flags.into()));
        visit("timestamp", Value::Time(self.timestamp.get()));
    }
}

/// A record of a kind that this version does not know.
struct Opaque<'a>(&'a [u8]);

impl Message for Opaque<'_> {
    fn code(&self) -> u32 {
        0
    }

    fn error(&self) -> Option<DecodeError> {
        Some(DecodeError::UnknownType)
    }

    fn visit(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        visit("bytes", Value::Hex(self.0));
    }
}
