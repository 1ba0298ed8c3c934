//! Interval logs and percentile files as another implementation reads them: the Python package `hdrhistogram`.

use feed_common::latency::hgrm;
use feed_common::latency::log::LogWriter;
use feed_common::latency::summary::StageTotals;
use feed_common::latency::{Resolution, Stage, StageSet};
use feed_common::time::UnixNanos;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const START: u64 = 1_700_000_000_000_000_000;

#[test]
fn python_reads_the_same_distribution() {
    let (log, totals) = write_log();
    let dir = folder("hlog");
    std::fs::write(dir.join("latency.hlog"), log).expect("temporary file");
    let output = python("check_hlog.py", &[&dir.join("latency.hlog")]);
    std::fs::remove_dir_all(&dir).expect("temporary folder");
    let Some(output) = output else {
        return;
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

#[test]
fn python_prints_the_same_percentiles_from_the_log() {
    let (log, totals) = write_log();
    let dir = folder("hgrm");
    std::fs::write(dir.join("latency.hlog"), log).expect("temporary file");
    let mut want = String::new();
    for (stage, histogram) in totals.recorded() {
        let mut file = Vec::new();
        hgrm::write(&mut file, histogram, stage.meaning()).unwrap();
        std::fs::write(dir.join(stage.name()).with_extension("hgrm"), &file).unwrap();
        let rows = String::from_utf8(file).unwrap();
        let rows = rows.lines().skip(2).filter(|l| !l.starts_with('#')).count();
        writeln!(want, "{} {rows} {}", stage.name(), histogram.len()).unwrap();
    }
    let checked = || python("check_hgrm.py", &[&dir.join("latency.hlog"), &dir]);
    let good = checked();
    // A file that says something else is found.
    let published = dir.join("published.hgrm");
    let text = std::fs::read_to_string(&published).unwrap();
    let row = text.lines().nth(20).unwrap();
    std::fs::write(
        &published,
        text.replacen(row, &row.replacen("0.", "1.", 1), 1),
    )
    .unwrap();
    let bad = checked();
    std::fs::remove_dir_all(&dir).expect("temporary folder");
    let (Some(good), Some(bad)) = (good, bad) else {
        return;
    };
    let complaint = String::from_utf8_lossy(&good.stderr);
    assert!(good.status.success(), "{complaint}");
    assert_eq!(String::from_utf8_lossy(&good.stdout), want);
    assert_eq!(bad.status.code(), Some(1));
}

/// A folder of its own for a test.
fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("feed-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("temporary folder");
    dir
}

/// Runs one of our scripts; `None`, and said, where Python or the package is not there.
fn python(script: &str, arguments: &[&Path]) -> Option<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scripts")
        .join(script);
    let output = Command::new("python3").arg(script).args(arguments).output();
    let output = output.ok().filter(|o| o.status.code() != Some(3));
    if output.is_none() {
        eprintln!("SKIPPED: needs python3 with the package hdrhistogram");
    }
    output
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
