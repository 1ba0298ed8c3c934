//! Batches of every kind through the encoding traits.

use super::*;
use crate::encode::{Decode, Encode, SerializeError};
use crate::event::MarketData;
use crate::prices::Endian;
use crate::record::PointFlags;
use crate::time::UnixNanos;
use proptest::prelude::*;
use zerocopy::byteorder::little_endian::U32;

const INFO: BatchInfo = BatchInfo {
    session: *b"SESSION001",
    sequence: 7,
    sent: UnixNanos(9),
};

fn readings(count: u32) -> Vec<SensorReading> {
    let reading = |i| SensorReading {
        sensor: U32::new(i),
        ..SensorReading::default()
    };
    (0..count).map(reading).collect()
}

#[test]
fn a_batch_of_points_byte_by_byte() {
    let point = TimeSeriesPoint::new(3, 5, 1.5, PointFlags::PARTIAL);
    let mut out = Vec::new();
    encode_kind(&mut out, &INFO, &[point]).unwrap();
    let mut want = b"FHNB\x01\x01\x30\x00SESSION001\x01\x00\x18\x00\x03\x01".to_vec();
    want.extend(7u64.to_le_bytes());
    want.extend(9u64.to_le_bytes());
    want.extend([0; 8]);
    want.extend(point.as_bytes());
    assert_eq!(out, want);
}

#[test]
fn readings_are_handed_out_in_place() {
    let sent = readings(5);
    let mut out = Vec::new();
    encode_kind(&mut out, &INFO, &sent).unwrap();
    out.extend(b"behind");
    let (batch, rest) = Batch::deserialize_from(&out).unwrap();
    assert_eq!(rest, b"behind");
    assert_eq!(
        batch.market_data().map(|_| ()),
        Err(NativeError::UnknownRecord)
    );
    let Contents::Sensors(rows) = batch.contents() else {
        panic!("{batch:?}");
    };
    assert_eq!((rows.len(), rows.is_empty()), (5, false));
    assert_eq!(rows.iter(0).copied().collect::<Vec<_>>(), sent);
    assert_eq!(rows.iter(3).copied().collect::<Vec<_>>(), sent[3..]);
    assert_eq!(rows.iter(usize::MAX).count(), 0);
    assert_eq!((rows.get(4), rows.get(5)), (sent.last(), None));
    assert_eq!(rows.get(usize::MAX), None);
}

#[test]
fn a_newer_sender_may_append_to_readings() {
    let sent = readings(3);
    let mut out = Vec::new();
    encode_kind(&mut out, &INFO, &sent).unwrap();
    let mut longer = out[..HEADER_LENGTH].to_vec();
    longer[20] = 24 + 5;
    for reading in &sent {
        longer.extend(reading.as_bytes());
        longer.extend([0xEE; 5]);
    }
    let (batch, _) = Batch::parse(&longer).unwrap();
    let Contents::Sensors(rows) = batch.contents() else {
        panic!("{batch:?}");
    };
    assert_eq!(rows.iter(0).copied().collect::<Vec<_>>(), sent);
}

#[test]
fn readings_and_points_that_are_not_whole_are_refused() {
    let mut out = Vec::new();
    encode_kind(&mut out, &INFO, &readings(2)).unwrap();
    for kind in [record_kind::SENSOR, record_kind::POINT] {
        for (at, lie) in [(20, 23), (20, 0), (23, 2), (23, 77)] {
            let mut lying = out.clone();
            (lying[22], lying[at]) = (kind, lie);
            let refused = Batch::parse(&lying).map(|_| ());
            assert_eq!(refused, Err(NativeError::Header), "{kind} {at} {lie}");
        }
    }
}

#[test]
fn what_makes_no_batch_is_refused() {
    let mut out = vec![9];
    let many = readings(NativeRecords::<SensorReading>::that_fit(MAX_UDP_PAYLOAD) as u32 + 1);
    let last = BatchInfo {
        sequence: u64::MAX,
        ..INFO
    };
    let mut refused = |info, records: &[SensorReading]| {
        let e = encode_kind(&mut out, info, records).unwrap_err();
        assert_eq!(out, [9]);
        e
    };
    assert_eq!(refused(&INFO, &[]), EncodeError::Empty);
    assert_eq!(refused(&INFO, &many), EncodeError::TooMany(many.len()));
    assert_eq!(refused(&last, &many[..1]), EncodeError::Sequence);

    // Half a unit of the wire's price has no place there.
    let odd = MarketData {
        price: 5_000.into(),
        ..MarketData::default()
    };
    let cents = PriceLayout::new(4, false, Endian::Big, 2).unwrap();
    let records = [MarketData::default(), odd];
    let batch = MarketRecords::new(&INFO, &cents, &records).unwrap();
    for batch in [batch, batch.in_columns()] {
        let mut written = Vec::new();
        let refused = batch.serialize_into(&mut written).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
        assert!(written.is_empty());
        assert_eq!(
            batch.serialize_into_slice(&mut [0; 200]),
            Err(SerializeError::Batch(EncodeError::Price(1)))
        );
    }
}

proptest! {
    #[test]
    fn the_traits_write_what_the_encoders_append(
        bytes in prop::collection::vec(any::<[u8; 32]>(), 1..20),
        wide: bool,
        big: bool,
        columns: bool,
    ) {
        let mut records: Vec<_> = bytes.iter().map(|b| MarketData::read_from_bytes(b).unwrap()).collect();
        for r in &mut records {
            r.price = (r.price.get() % 1_000 * 1_000_000_000).into();
        }
        let endian = if big { Endian::Big } else { Endian::Little };
        let price = PriceLayout::new(if wide { 8 } else { 4 }, true, endian, 4).unwrap();
        let batch = MarketRecords::new(&INFO, &price, &records).unwrap();
        let batch = if columns { batch.in_columns() } else { batch };
        let encode = if columns { encode_columns } else { encode_records };
        let mut want = Vec::new();
        encode(&mut want, &INFO, &price, &records).unwrap();

        let mut written = Vec::new();
        batch.serialize_into(&mut written).unwrap();
        prop_assert_eq!(&written, &want);
        prop_assert_eq!(batch.serialized_size(), want.len());
        let mut slice = vec![0xEE; want.len() + 1];
        prop_assert_eq!(batch.serialize_into_slice(&mut slice), Ok(want.len()));
        prop_assert_eq!(&slice[..want.len()], &want[..]);
        prop_assert_eq!(slice[want.len()], 0xEE);
        let needed = want.len();
        prop_assert_eq!(
            batch.serialize_into_slice(&mut slice[..needed - 1]),
            Err(SerializeError::NoRoom { needed, room: needed - 1 })
        );
        // And read again as the same, in place.
        let (read, _) = Batch::deserialize_from(&want).unwrap();
        let mut again = Vec::new();
        read.serialize_into(&mut again).unwrap();
        prop_assert_eq!(&again, &want);
        prop_assert_eq!(read.serialize_into_slice(&mut slice), Ok(needed));
        prop_assert_eq!(read.market_data().unwrap().iter().collect::<Vec<_>>(), records);
    }

    #[test]
    fn damaged_batches_of_other_kinds_give_what_is_there_or_nothing(
        count in 1u32..20,
        kind in 1u8..5,
        cut in 0usize..600,
        damage in prop::collection::vec((0usize..100, any::<u8>()), 0..4),
    ) {
        let mut bytes = Vec::new();
        encode_kind(&mut bytes, &INFO, &readings(count)).unwrap();
        bytes[22] = kind;
        for (at, value) in damage {
            if let Some(b) = bytes.get_mut(at) {
                *b = value;
            }
        }
        bytes.truncate(cut.max(HEADER_LENGTH));
        if let Ok((batch, _)) = Batch::parse(&bytes) {
            let header = batch.header();
            let handed_out = match batch.contents() {
                Contents::Market(m) => m.iter().count(),
                Contents::Sensors(rows) => rows.iter(0).count(),
                Contents::Points(rows) => rows.iter(0).count(),
                Contents::Unknown(count) => count.into(),
            };
            prop_assert_eq!(handed_out, usize::from(header.count.get()));
        }
    }
}
