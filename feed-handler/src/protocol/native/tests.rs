use super::*;
use crate::transport::{Framing, native::NativeFraming};
use feed_common::encode::Encode;
use feed_common::event::{MarketData, NO_INSTRUMENT, NO_SYMBOL, Trust};
use feed_common::prices::Endian;
use feed_common::record::{PointFlags, SensorReading, TimeSeriesPoint};
use feed_common::time::Ticks;
use feed_common::wire::native::{
    BatchInfo, NativeRecord, NativeRecords, encode_columns, encode_records,
};
use proptest::prelude::*;
use zerocopy::byteorder::little_endian::{I64, U32, U64};

const INFO: BatchInfo = BatchInfo {
    session: *b"S         ",
    sequence: 1000,
    sent: UnixNanos(1),
};

/// What a handler saw of one event.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    sequence: u64,
    instrument: u32,
    symbol: [u8; 8],
    timestamp: UnixNanos,
    flags: Flags,
    data: MarketData,
}

#[derive(Default)]
struct Handler(Vec<Seen>);

impl MarketHandler for Handler {
    fn on_market_data(&mut self, cx: &MsgCtx, data: MarketData) {
        self.0.push(Seen {
            sequence: cx.sequence,
            instrument: cx.instrument,
            symbol: cx.symbol,
            timestamp: cx.timestamp,
            flags: cx.flags,
            data,
        });
    }
}

fn context(sequence: u64, skip: u32) -> MsgCtx {
    MsgCtx {
        sequence,
        skip,
        channel: 0,
        rx: Ticks(5),
        trust: Trust::VALID,
        midnight: UnixNanos::UNKNOWN,
        timestamp: UnixNanos::UNKNOWN,
        instrument: NO_INSTRUMENT,
        symbol: NO_SYMBOL,
        flags: Flags::NONE,
        ..MsgCtx::default()
    }
}

fn run(decoder: &mut NativeDecoder, message: &[u8], skip: u32) -> Result<Vec<Seen>, DecodeError> {
    let mut handler = Handler::default();
    let mut cx = context(INFO.sequence + skip as u64, skip);
    decoder.decode(message, &mut cx, &mut handler)?;
    Ok(handler.0)
}

fn record(symbol: &[u8; 8], price: i64) -> MarketData {
    MarketData {
        symbol: *symbol,
        price: I64::new(price),
        quantity: U32::new(300),
        kind: 12,
        side: b'S',
        flags: U16::new(Flags::END_OF_EVENT.with(Flags::HIDDEN).0),
        timestamp: U64::new(77),
    }
}

fn layout(width: usize, signed: bool, endian: Endian, decimals: u32) -> PriceLayout {
    PriceLayout::new(width, signed, endian, decimals).unwrap()
}

fn oddity(decoder: &NativeDecoder, name: &str) -> u64 {
    let all = decoder.oddities();
    all.iter().find(|(n, _)| *n == name).unwrap().1
}

#[test]
fn records_become_events_with_their_context() {
    let mut bytes = Vec::new();
    let records = [
        record(b"AAPL    ", 1_500_000_000),
        record(b"MSFT    ", Price::NULL.0),
        record(&NO_SYMBOL, 0),
        record(b"AAPL    ", -1_000_000_000),
    ];
    let price = layout(4, true, Endian::Big, 2);
    encode_records(&mut bytes, &INFO, &price, &records).unwrap();
    let mut decoder = NativeDecoder::with_room(10);
    let seen = run(&mut decoder, &bytes, 0).unwrap();
    assert_eq!(seen.iter().map(|s| s.data).collect::<Vec<_>>(), records);
    let numbers: Vec<_> = seen.iter().map(|s| (s.sequence, s.instrument)).collect();
    let want = [(1000, 0), (1001, 1), (1002, NO_INSTRUMENT), (1003, 0)];
    assert_eq!(numbers, want);
    assert_eq!(seen[1].symbol, *b"MSFT    ");
    assert_eq!(seen[1].timestamp, UnixNanos(77));
    assert_eq!(seen[1].flags, Flags::END_OF_EVENT.with(Flags::HIDDEN));
    assert_eq!(oddity(&decoder, "price_out_of_range"), 0);
}

#[test]
fn a_price_out_of_range_is_flagged_and_counted_where_it_is() {
    let mut bytes = Vec::new();
    let price = layout(8, true, Endian::Little, 0);
    let whole = record(b"X       ", 3_000_000_000);
    let null = record(b"X       ", Price::NULL.0);
    let records = [whole, null, whole, whole, whole, whole, null];
    encode_records(&mut bytes, &INFO, &price, &records).unwrap();
    // Record 2 becomes 2^62, which cannot be multiplied by 10^9.
    bytes[48 + 2 * 32 + 8..][..8].copy_from_slice(&(1i64 << 62).to_le_bytes());
    for path in [Path::Portable, Path::Avx2] {
        let mut decoder = NativeDecoder::with_path(10, path);
        let seen = run(&mut decoder, &bytes, 0).unwrap();
        for (i, s) in seen.iter().enumerate() {
            assert_eq!(s.flags.has(Flags::PRICE_RANGE), i == 2, "record {i}");
            assert_eq!(Flags(s.data.flags.get()), s.flags);
            assert!(s.flags.has(Flags::END_OF_EVENT));
            let none = [1, 2, 6].contains(&i);
            assert_eq!(s.data.price.get() == Price::NULL.0, none, "record {i}");
        }
        assert_eq!(oddity(&decoder, "price_out_of_range"), 1);
        // What another line has delivered is not counted again.
        run(&mut decoder, &bytes, 3).unwrap();
        assert_eq!(oddity(&decoder, "price_out_of_range"), 1);
    }
}

/// What a handler saw of records that are not market data, with their contexts.
#[derive(Default)]
struct Others {
    readings: Vec<(MsgCtx, SensorReading)>,
    points: Vec<(MsgCtx, TimeSeriesPoint)>,
}

impl MarketHandler for Others {
    fn on_sensor(&mut self, cx: &MsgCtx, m: SensorReading) {
        self.readings.push((*cx, m));
    }

    fn on_point(&mut self, cx: &MsgCtx, m: TimeSeriesPoint) {
        self.points.push((*cx, m));
    }
}

fn batch_of<T: NativeRecord>(records: &[T]) -> Vec<u8> {
    let batch = NativeRecords::new(&INFO, records).unwrap();
    let mut bytes = vec![0; batch.serialized_size()];
    batch.serialize_into_slice(&mut bytes).unwrap();
    bytes
}

#[test]
fn readings_and_points_are_events_of_no_instrument() {
    let reading = |n: u32| SensorReading {
        timestamp: u64::from(n).into(),
        sensor: n.into(),
        ..SensorReading::default()
    };
    let points = [1.5, f64::NAN].map(|v| TimeSeriesPoint::new(3, 8, v, PointFlags::RESET));
    let mut decoder = NativeDecoder::with_room(1);
    let mut seen = Others::default();
    // Behind market data, and where another line has delivered the first of them.
    let mut cx = context(INFO.sequence + 1, 1);
    (cx.instrument, cx.symbol) = (0, *b"A       ");
    let readings = [reading(5), reading(6), reading(7)];
    decoder
        .decode(&batch_of(&readings), &mut cx, &mut seen)
        .unwrap();
    let mut cx = context(INFO.sequence, 0);
    decoder
        .decode(&batch_of(&points), &mut cx, &mut seen)
        .unwrap();

    let alone = Flags::END_OF_EVENT.with(Flags::OF_INSTRUMENT);
    let said = |cx: &MsgCtx| {
        (
            cx.sequence,
            cx.timestamp.0,
            cx.instrument,
            cx.symbol,
            cx.flags,
        )
    };
    let told: Vec<_> = seen.readings.iter().map(|(cx, _)| said(cx)).collect();
    let of = |sequence, time| (sequence, time, NO_INSTRUMENT, NO_SYMBOL, alone);
    assert_eq!(told, [of(1001, 6), of(1002, 7)]);
    assert_eq!(seen.readings[1].1, readings[2]);
    let told: Vec<_> = seen.points.iter().map(|(cx, _)| said(cx)).collect();
    assert_eq!(told, [of(1000, 8), of(1001, 8)]);
    assert_eq!(seen.points[1].1, points[1]); // by its bits, NaN or not
}

#[test]
fn the_path_can_be_switched_and_seen() {
    let portable = NativeDecoder::with_path(1, Path::Portable);
    assert_eq!(portable.path(), Path::Portable);
    assert_eq!(NativeDecoder::with_room(1).path(), Path::best());
}

#[test]
fn the_path_stays_when_the_layout_changes() {
    let mut decoder = NativeDecoder::with_path(1, Path::Portable);
    let mut bytes = Vec::new();
    let price = layout(4, false, Endian::Big, 4);
    encode_columns(&mut bytes, &INFO, &price, &[record(b"A       ", 100_000)]).unwrap();
    let seen = run(&mut decoder, &bytes, 0).unwrap();
    assert_eq!(seen[0].data.price.get(), 100_000);
    assert_eq!(decoder.path(), Path::Portable);
}

#[test]
fn a_full_instrument_table_is_counted() {
    let mut bytes = Vec::new();
    let records = [record(b"A       ", 0), record(b"B       ", 0)];
    encode_columns(&mut bytes, &INFO, &PriceLayout::CANONICAL, &records).unwrap();
    let mut decoder = NativeDecoder::with_room(1);
    let seen = run(&mut decoder, &bytes, 0).unwrap();
    assert_eq!((seen[0].instrument, seen[1].instrument), (0, NO_INSTRUMENT));
    assert_eq!(seen[1].symbol, *b"B       ");
    assert_eq!(oddity(&decoder, "instrument_table_full"), 1);
}

#[test]
fn messages_that_are_none_have_their_kind_of_error() {
    let mut bytes = Vec::new();
    let records = [record(b"A       ", 0)];
    encode_records(&mut bytes, &INFO, &PriceLayout::CANONICAL, &records).unwrap();
    let mut decoder = NativeDecoder::with_room(1);
    assert_eq!(run(&mut decoder, b"", 0), Err(DecodeError::Empty));
    assert_eq!(run(&mut decoder, &bytes[..50], 0), Err(DecodeError::Short));
    let mut other = bytes.clone();
    other[22] = 9;
    assert_eq!(run(&mut decoder, &other, 0), Err(DecodeError::UnknownType));
    other[4] = 9;
    assert_eq!(run(&mut decoder, &other, 0), Err(DecodeError::Invalid));
}

/// A batch of any layout whose price bytes are anything at all.
fn any_batch() -> impl Strategy<Value = Vec<u8>> {
    let shape = any::<(bool, bool, bool, bool)>();
    let records = prop::collection::vec(any::<(u8, u64, u32, u16)>(), 1..50);
    (shape, 0u32..=9, records).prop_map(|((wide, signed, big, columns), decimals, values)| {
        let width = if wide { 8 } else { 4 };
        let endian = if big { Endian::Big } else { Endian::Little };
        let records: Vec<_> = values
            .iter()
            .map(|(symbol, _, quantity, flags)| MarketData {
                symbol: [*symbol; 8],
                price: I64::new(0),
                quantity: U32::new(*quantity),
                flags: U16::new(*flags),
                ..record(&NO_SYMBOL, 0)
            })
            .collect();
        let mut bytes = Vec::new();
        let encode = if columns {
            encode_columns
        } else {
            encode_records
        };
        let price = layout(width, signed, endian, decimals);
        encode(&mut bytes, &INFO, &price, &records).unwrap();
        for (i, (_, mantissa, ..)) in values.iter().enumerate() {
            let at = match columns {
                true => 48 + 8 * values.len() + i * width,
                false => 48 + i * (24 + width) + 8,
            };
            // Small, large, and null prices by the low bits.
            let mantissa = match mantissa % 4 {
                0 => mantissa >> 34,
                1 => 1 << 63,
                _ => *mantissa,
            };
            bytes[at..at + width].copy_from_slice(&mantissa.to_le_bytes()[..width]);
        }
        bytes
    })
}

proptest! {
    /// Both paths give what reading record by record gives, whole and behind any number of records already delivered.
    #[test]
    fn both_paths_agree_with_reading_one_at_a_time(bytes in any_batch(), skip in 0u32..60) {
        let (batch, _) = Batch::parse(&bytes).unwrap();
        let want: Vec<_> = batch.market_data().unwrap().iter().skip(skip as usize).collect();
        let mut both = Vec::new();
        for path in [Path::Portable, Path::Avx2] {
            let mut decoder = NativeDecoder::with_path(300, path);
            let seen = run(&mut decoder, &bytes, skip).unwrap();
            prop_assert_eq!(seen.iter().map(|s| s.data).collect::<Vec<_>>(), want.clone());
            for (i, s) in seen.iter().enumerate() {
                prop_assert_eq!(s.sequence, INFO.sequence + skip as u64 + i as u64);
                prop_assert_eq!(s.flags.0, s.data.flags.get());
            }
            both.push((seen, decoder.oddities()));
        }
        prop_assert_eq!(&both[0], &both[1]);
    }

    /// Framing and decoder together on damaged datagrams: an error, or as many events as the span says.
    #[test]
    fn damage_never_panics(
        mut bytes in any_batch(),
        damage in prop::collection::vec((0usize..60, any::<u8>()), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        for (at, value) in damage {
            bytes[at] = value;
        }
        for datagram in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            let mut rest = datagram;
            while !rest.is_empty() {
                let Ok((frame, behind)) = NativeFraming.open(rest) else { break };
                prop_assert!(behind.len() < rest.len());
                rest = behind;
                let mut decoder = NativeDecoder::with_room(300);
                for message in frame.messages {
                    prop_assert_eq!(u64::from(NativeFraming::sequences(message)), frame.span.count);
                    match run(&mut decoder, message, 0) {
                        Ok(seen) => prop_assert_eq!(seen.len(), frame.span.count as usize),
                        Err(e) => prop_assert_eq!(e, DecodeError::UnknownType),
                    }
                }
            }
        }
    }
}
