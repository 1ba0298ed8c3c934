use super::*;
use crate::event::{Flags, Kind, Price};
use proptest::prelude::*;
use zerocopy::byteorder::little_endian::{I32, U16, U32, U64};
use zerocopy::{FromBytes, IntoBytes};

#[test]
fn a_sensor_reading_byte_by_byte() {
    let reading = SensorReading {
        timestamp: U64::new(0x0102_0304_0506_0708),
        sensor: U32::new(0x0A0B_0C0D),
        temperature: I32::new(-1_234),
        pressure: U32::new(101_325),
        humidity: U16::new(4_550),
        status: U16::new(2),
    };
    let mut want = b"\x08\x07\x06\x05\x04\x03\x02\x01\x0D\x0C\x0B\x0A".to_vec();
    want.extend((-1_234i32).to_le_bytes());
    want.extend(101_325u32.to_le_bytes());
    want.extend([0xC6, 0x11, 2, 0]);
    assert_eq!(reading.as_bytes(), want);

    let record = reading.to_record();
    assert_eq!(Price(record.data.price.get()), Price(-12_340_000_000));
    assert_eq!(record.data.quantity.get(), 101_325);
    assert_eq!(record.order_id.get(), 2 << 48 | 4_550 << 32 | 0x0A0B_0C0D);
    assert_eq!(Kind(record.data.kind).name(), Some("sensor"));
    assert_eq!(SensorReading::of(&record), Some(reading));
}

#[test]
fn a_point_byte_by_byte() {
    let flags = PointFlags::PARTIAL.with(PointFlags::RESET);
    let point = TimeSeriesPoint::new(7, 0x0102_0304_0506_0708, 1.5, flags);
    assert!(flags.has(PointFlags::RESET) && !flags.has(PointFlags::ESTIMATED));
    let want = b"\x08\x07\x06\x05\x04\x03\x02\x01\0\0\0\0\0\0\xF8\x3F\x07\0\0\0\x0A\0\0\0";
    assert_eq!(point.as_bytes(), want);
    assert_eq!(
        Price(point.to_record().data.price.get()),
        Price(1_500_000_000)
    );
    for value in [f64::NAN, f64::INFINITY, 9.3e9, -9.3e9, f64::MIN] {
        let record = TimeSeriesPoint::new(7, 1, value, PointFlags::NONE).to_record();
        assert_eq!(Price(record.data.price.get()), Price::NULL, "{value}");
    }
}

#[test]
fn records_of_other_kinds_carry_neither() {
    let record = Record::default();
    assert_eq!(SensorReading::of(&record), None);
    assert_eq!(TimeSeriesPoint::of(&record), None);
    // Of the kind, but with a temperature that no reading has.
    for price in [1, i64::MAX - i64::MAX % 10_000_000] {
        let mut record = SensorReading::default().to_record();
        record.data.price = price.into();
        assert_eq!(SensorReading::of(&record), None);
    }
}

#[test]
fn kinds_have_the_names_they_are_published_under() {
    assert_eq!(Kind::POINT.name(), Some("point"));
    assert_eq!(GapCause::QUEUE_FULL.name(), Some("queue-full"));
    assert_eq!(GapCause(200).name(), None);
    assert_eq!(Record::default().data.flags.get(), Flags::NONE.0);
}

proptest! {
    #[test]
    fn readings_and_points_come_out_of_a_record_as_they_went_in(bytes: [u8; 24]) {
        let reading = SensorReading::read_from_bytes(&bytes).unwrap();
        prop_assert_eq!(SensorReading::of(&reading.to_record()), Some(reading));
        let mut point = TimeSeriesPoint::read_from_bytes(&bytes).unwrap();
        point.reserved = [0; 3];
        prop_assert_eq!(TimeSeriesPoint::of(&point.to_record()), Some(point));
    }

    #[test]
    fn any_record_is_taken_or_refused(bytes: [u8; 64], kind in 20u8..25) {
        let mut record = Record::read_from_bytes(&bytes).unwrap();
        record.data.kind = kind;
        if let Some(reading) = SensorReading::of(&record) {
            prop_assert_eq!(reading.to_record().data.price, record.data.price);
        }
        if let Some(point) = TimeSeriesPoint::of(&record) {
            prop_assert_eq!(point.to_record().order_id, record.order_id);
        }
    }
}
