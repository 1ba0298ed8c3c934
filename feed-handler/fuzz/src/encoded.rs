//! Records in frames, and streams of them.

use super::seeds::Seeds;
use feed_common::encode::{Decode, Encode, EncodeFrame, Frame, FrameError, RecordKind, WithTail};
use feed_common::event::{MarketData, Record};
use feed_common::journal::{Compress, Found, Skipped, StreamOptions, StreamReader, StreamWriter};
use feed_common::record::{GapRecord, PointFlags, SensorReading, TimeSeriesPoint};
use feed_common::time::UnixNanos;
use feed_common::wire::native::{Batch, BatchInfo, Contents, encode_kind};
use std::io::Read;
use zerocopy::byteorder::little_endian::U32;

/// Frames behind each other: every one is read by the kind it says, as a view and as a copy alike, and written as it was.
/// What is a native batch instead is told by what it holds.
pub fn encoded(data: &[u8]) {
    let mut rest = data;
    while let Ok((frame, behind)) = Frame::deserialize_from(rest) {
        assert_eq!(frame.bytes().len() + behind.len(), rest.len());
        assert_eq!(written(&frame), frame.bytes());
        kind::<MarketData>(rest, &frame);
        kind::<Record>(rest, &frame);
        kind::<GapRecord>(rest, &frame);
        kind::<SensorReading>(rest, &frame);
        kind::<TimeSeriesPoint>(rest, &frame);
        if let Ok(record) = frame.copy::<Record>() {
            if let Some(reading) = SensorReading::of(&record) {
                assert_eq!(SensorReading::of(&reading.to_record()), Some(reading));
            }
            if let Some(point) = TimeSeriesPoint::of(&record) {
                assert_eq!(TimeSeriesPoint::of(&point.to_record()), Some(point));
            }
        }
        rest = behind;
    }
    while let Ok((batch, behind)) = Batch::deserialize_from(rest) {
        assert_eq!(written(&batch), batch.bytes());
        let handed_out = match batch.contents() {
            Contents::Market(market) => market.iter().count(),
            Contents::Sensors(rows) => rows.iter(0).count(),
            Contents::Points(rows) => rows.iter(0).count(),
            Contents::Unknown(count) => count.into(),
        };
        assert_eq!(handed_out, usize::from(batch.header().count.get()));
        rest = behind;
    }
}

fn written(e: &impl Encode) -> Vec<u8> {
    let mut out = vec![0; e.serialized_size()];
    assert_eq!(e.serialize_into_slice(&mut out), Ok(out.len()));
    out
}

/// What must hold of a frame that is asked for a record of kind `T`.
fn kind<T>(bytes: &[u8], frame: &Frame<'_>)
where
    T: RecordKind + PartialEq + std::fmt::Debug,
    T: for<'a> Decode<'a, Error = FrameError>,
{
    let (view, copy) = (frame.view::<T>(), frame.copy::<T>());
    assert_eq!(T::deserialize_from(bytes).map(|(record, _)| record), copy);
    match (frame.kind() == T::KIND, view) {
        (false, view) => assert_eq!(view, Err(FrameError::Kind(frame.kind()))),
        (true, Ok(view)) => {
            assert_eq!(Ok(*view), copy);
            let known = WithTail::new(view, frame.tail());
            let again = written(&known);
            let (read, _) = WithTail::<T>::deserialize_from(&again).expect("just written");
            assert_eq!(read, known);
        }
        (true, Err(_)) => assert!(frame.fixed().len() < size_of::<T>()),
    }
}

/// A stream: the same whether it comes at once or byte by byte; every byte is used or skipped; and what it gave makes a
/// stream that gives it again.
pub fn record_stream(data: &[u8]) {
    let (records, skipped) = read(data);
    assert_eq!(read(OneByOne(data)), (records.clone(), skipped.clone()));
    for two in skipped.windows(2) {
        assert!(two[0].offset <= two[1].offset);
    }
    let options = StreamOptions {
        buffer: 0,
        compress: match data.len() % 2 {
            0 => Compress::No,
            _ => Compress::Zstd(1),
        },
        ..StreamOptions::new(1)
    };
    let mut writer = StreamWriter::new(Vec::new(), &options).expect("memory");
    for record in &records {
        let (frame, _) = Frame::deserialize_from(record).expect("was one before");
        push(&mut writer, &frame);
    }
    let again = writer.finish().expect("memory");
    assert_eq!(read(&again[..]), (records, vec![]));
}

fn push(writer: &mut StreamWriter<Vec<u8>>, record: &impl EncodeFrame) {
    writer.push(record).expect("memory");
}

fn read(from: impl Read) -> (Vec<Vec<u8>>, Vec<Skipped>) {
    let mut reader = StreamReader::new(from);
    let (mut records, mut skipped) = (Vec::new(), Vec::new());
    while let Some(found) = reader.read().expect("memory") {
        match found {
            Found::Record { frame, .. } => records.push(frame.bytes().to_vec()),
            Found::Skipped(stretch) => skipped.push(stretch),
        }
    }
    (records, skipped)
}

struct OneByOne<'a>(&'a [u8]);

impl Read for OneByOne<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let most = out.len().min(1);
        self.0.read(&mut out[..most])
    }
}

/// A record of every kind, and a batch of those that travel in batches.
pub fn seeds(seeds: &mut Seeds) {
    let reading = SensorReading {
        sensor: U32::new(3),
        ..SensorReading::default()
    };
    let point = TimeSeriesPoint::new(1, 2, 0.5, PointFlags::RESET);
    let mut all = written(&MarketData::default());
    all.extend(written(&reading.to_record()));
    all.extend(written(&point.to_record()));
    all.extend(written(&GapRecord::default()));
    all.extend(written(&WithTail::new(&reading, b"a note")));
    all.extend(written(&point));
    let info = BatchInfo {
        session: *b"SESSION001",
        sequence: 1,
        sent: UnixNanos(1),
    };
    encode_kind(&mut all, &info, &[reading; 2]).expect("a batch");
    encode_kind(&mut all, &info, &[point; 3]).expect("a batch");
    seeds.push(all);
}

/// Streams, plain and packed, of a block and of more.
pub fn stream_seeds(seeds: &mut Seeds) {
    for (compress, notes) in [(Compress::No, 2), (Compress::Zstd(1), 2), (Compress::No, 9)] {
        let options = StreamOptions {
            compress,
            buffer: 0,
            ..StreamOptions::new(1)
        };
        let mut writer = StreamWriter::new(Vec::new(), &options).expect("memory");
        for i in 0..notes {
            let point = TimeSeriesPoint::new(i, 0, 0.0, PointFlags::NONE);
            let tail = vec![0; i as usize * 10];
            writer.push(&WithTail::new(&point, &tail)).expect("memory");
            if i % 4 == 3 {
                writer.flush().expect("memory");
            }
        }
        seeds.push(writer.finish().expect("memory"));
    }
}
