//! Interval logs as another implementation reads them: the Python package `hdrhistogram`.

use feed_common::latency::log::LogWriter;
use feed_common::latency::summary::StageTotals;
use feed_common::latency::{Resolution, Stage, StageSet};
use feed_common::time::UnixNanos;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

const START: u64 = 1_700_000_000_000_000_000;

#[test]
fn python_reads_the_same_distribution() {
    let (log, totals) = write_log();
    let file = std::env::temp_dir().join(format!("feed-hlog-{}.hlog", std::process::id()));
    std::fs::write(&file, log).expect("temporary file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/check_hlog.py");
    let output = Command::new("python3").arg(script).arg(&file).output();
    std::fs::remove_file(&file).expect("temporary file");
    let output = match output {
        Ok(output) if output.status.code() != Some(3) => output,
        _ => {
            eprintln!("SKIPPED: needs python3 with the package hdrhistogram");
            return;
        }
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut want = String::new();
    for (stage, _) in totals.recorded() {
        let q = totals.quantiles(stage);
        writeln!(
            want,
            "{} 5 {} {} {} {} {} {}",
            stage.name(),
            q.count,
            q.min,
            q.p50,
            q.p99,
            q.p999,
            q.max
        )
        .unwrap();
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), want);
}

/// Five intervals of three stages, with long tails and values above the range.
fn write_log() -> (Vec<u8>, StageTotals) {
    let resolution = Resolution::new(100_000_000, 3).unwrap();
    let mut totals = StageTotals::new(resolution);
    let mut set = StageSet::new(resolution);
    let start = UnixNanos(START);
    let mut log = LogWriter::begin(Vec::new(), start, &["made by a test"]).unwrap();
    let mut random = 88_172_645_463_325_252u64;
    for second in 0..5u64 {
        set.reset();
        for _ in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // One value in about a thousand is far out.
            let tail = if random >> 54 == 0 { 10_000 } else { 1 };
            let nanos = (90 + random % 200) * tail;
            set.record(Stage::Dequeue, nanos);
            set.record(Stage::Decoded, nanos + 350);
            set.record(Stage::Published, nanos * nanos);
        }
        set.record(Stage::Published, u64::MAX);
        totals.add(&set);
        let from = UnixNanos(START + second * 1_000_000_000);
        let to = UnixNanos(from.0 + 1_000_000_000);
        log.write_set(&set, from, to, None).unwrap();
    }
    (log.finish().unwrap(), totals)
}
