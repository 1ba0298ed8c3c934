//! Sensor readings from datagram to disk and back: native batches, read in place, kept in a stream of records.
//!
//! ```text
//! cargo run -p feed-common --example sensors
//! ```

use feed_common::encode::{Decode, Encode};
use feed_common::journal::{Compress, Found, StreamOptions, StreamReader, StreamWriter};
use feed_common::record::SensorReading;
use feed_common::time::UnixNanos;
use feed_common::wire::native::{Batch, BatchInfo, Contents, MAX_DATAGRAM, NativeRecords};
use std::error::Error;
use std::io::Write;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// When the readings begin.
const BEGIN: u64 = 1_700_000_000 * SECOND;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout().lock())
}

/// What the example does, and prints to `out`.
pub fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let datagrams = datagrams(&readings())?;
    writeln!(out, "{} datagrams", datagrams.len())?;

    let options = StreamOptions {
        buffer: 4096,
        compress: Compress::Zstd(3),
        ..StreamOptions::new(BEGIN)
    };
    let mut stream = StreamWriter::new(Vec::new(), &options)?;
    for datagram in &datagrams {
        // A datagram may carry several batches; what it carries beside readings is not ours.
        let mut rest = &datagram[..];
        while !rest.is_empty() {
            let (batch, behind) = Batch::deserialize_from(rest)?;
            if let Contents::Sensors(readings) = batch.contents() {
                readings.iter(0).try_for_each(|r| stream.push(r))?;
            }
            rest = behind;
        }
    }
    let kept = stream.records();
    let mut file = stream.finish()?;
    writeln!(out, "{kept} readings kept")?;
    summary(out, &file)?;

    writeln!(out, "the same with a damaged byte")?;
    let middle = file.len() / 2;
    file[middle] ^= 1;
    summary(out, &file)
}

/// An hour of three sensors, each read every ten seconds: the air cools, and the second is where the door is.
fn readings() -> Vec<SensorReading> {
    let reading = |i: u32| {
        let (sensor, turn) = (i % 3, i / 3);
        let draught = if sensor == 1 { turn as i32 % 7 * 30 } else { 0 };
        SensorReading {
            timestamp: (BEGIN + u64::from(turn) * 10 * SECOND).into(),
            sensor: (100 + sensor).into(),
            temperature: (2_150 - turn as i32 - draught).into(),
            pressure: (101_325 + turn % 40).into(),
            humidity: (4_500 + (turn % 90) as u16 * 10).into(),
            status: 0.into(),
        }
    };
    (0..3 * 360).map(reading).collect()
}

/// The readings as a sender would send them: as many to a datagram as it holds.
fn datagrams(readings: &[SensorReading]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let most = NativeRecords::<SensorReading>::that_fit(MAX_DATAGRAM);
    let mut sequence = 1;
    let mut datagrams = Vec::new();
    for records in readings.chunks(most) {
        let info = BatchInfo {
            session: *b"WEATHER   ",
            sequence,
            sent: UnixNanos(records.last().map_or(0, |r| r.timestamp.get())),
        };
        let batch = NativeRecords::new(&info, records)?;
        let mut datagram = vec![0; batch.serialized_size()];
        batch.serialize_into_slice(&mut datagram)?;
        datagrams.push(datagram);
        sequence += records.len() as u64;
    }
    Ok(datagrams)
}

/// What a stream of readings says of each sensor.
fn summary(out: &mut impl Write, file: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut sensors = [(0u32, i32::MAX, i32::MIN); 3];
    let mut stream = StreamReader::new(file);
    while let Some(found) = stream.read()? {
        match found {
            Found::Record { frame, .. } => {
                let reading: &SensorReading = frame.view()?;
                let temperature = reading.temperature.get();
                let place = reading.sensor.get().saturating_sub(100) as usize;
                if let Some((count, least, most)) = sensors.get_mut(place) {
                    *count += 1;
                    (*least, *most) = (temperature.min(*least), temperature.max(*most));
                }
            }
            Found::Skipped(skipped) => writeln!(out, "{skipped}")?,
        }
    }
    for (sensor, (count, least, most)) in (100..).zip(sensors) {
        let degrees = |hundredths: i32| f64::from(hundredths) / 100.0;
        let (least, most) = (degrees(least), degrees(most));
        writeln!(
            out,
            "sensor {sensor}: {count} readings, {least:.2} to {most:.2} °C"
        )?;
    }
    Ok(())
}
