//! Points of time series through the broadcast ring, as the pipeline publishes them beside market data, to a consumer
//! that draws them.
//!
//! ```text
//! cargo run -p feed-common --example time_series
//! ```

use feed_common::event::{Kind, Record};
use feed_common::record::{PointFlags, TimeSeriesPoint};
use feed_common::ring::{Reader, broadcast};
use std::error::Error;
use std::io::Write;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// Messages a second, and the latency that 99 in 100 of them stay below.
const RATE: u32 = 1;
const P99: u32 = 2;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout().lock())
}

/// What the example does, and prints to `out`.
pub fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut writer = broadcast::<Record>(256)?;
    let mut reader = writer.subscribe();
    for second in 0..20 {
        // Market data goes the same way; a consumer of points steps over it.
        writer.push(&Record::default());
        for point in measured(second) {
            writer.push(&point.to_record());
        }
    }
    writer.flush();
    draw(out, &mut reader)
}

/// The two series: a burst in the middle, which the latency follows, and an interval that nobody measured.
fn measured(second: u64) -> Vec<TimeSeriesPoint> {
    if second == 5 {
        return Vec::new();
    }
    let flags = match second {
        0 => PointFlags::RESET,
        6 => PointFlags::AFTER_GAP,
        _ => PointFlags::NONE,
    };
    let burst = match second {
        10..13 => 1.0,
        _ => 0.0,
    };
    let at = (1_700_000_000 + second) * SECOND;
    let rate = 40_000.0 + burst * 60_000.0 + second as f64 * 250.0;
    vec![
        TimeSeriesPoint::new(RATE, at, rate, flags),
        TimeSeriesPoint::new(P99, at, 4.25e-6 + burst * 3e-6, flags),
    ]
}

/// A line for every point of the rate, and the highest latency.
fn draw(out: &mut impl Write, reader: &mut Reader<Record>) -> Result<(), Box<dyn Error>> {
    let mut records = [Record::default(); 32];
    let (mut others, mut worst) = (0, TimeSeriesPoint::default());
    loop {
        let read = reader.read(&mut records)?;
        if read == 0 {
            break;
        }
        for record in &records[..read] {
            let Some(point) = TimeSeriesPoint::of(record) else {
                assert_ne!(Kind(record.data.kind), Kind::POINT);
                others += 1;
                continue;
            };
            if point.series.get() == P99 {
                worst = if point.value() > worst.value() {
                    point
                } else {
                    worst
                };
                continue;
            }
            let gap = match PointFlags(point.flags).has(PointFlags::AFTER_GAP) {
                true => " after a gap",
                false => "",
            };
            let bar = "#".repeat((point.value() / 4_000.0) as usize);
            let second = point.timestamp.get() / SECOND % 100;
            writeln!(out, "{second:>2} s {:>7.0}/s {bar}{gap}", point.value())?;
        }
    }
    let (micros, second) = (worst.value() * 1e6, worst.timestamp.get() / SECOND % 100);
    writeln!(out, "p99 at most {micros:.2} µs, at {second} s")?;
    writeln!(out, "{others} other records stepped over")?;
    Ok(())
}
