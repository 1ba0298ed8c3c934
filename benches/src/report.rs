//! What a report of a long run takes: a log of an hour of seconds with a thousand million values in four stages, read
//! back and rendered.

use crate::measure::thread_nanos;
use feed_common::latency::log::LogWriter;
use feed_common::latency::{Resolution, Stage, StageSet};
use feed_common::time::UnixNanos;
use feed_handler::report::{Document, Run, html};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

const SECONDS: u64 = 3_600;
const STAGES: [Stage; 4] = [
    Stage::Dequeue,
    Stage::Decoded,
    Stage::Published,
    Stage::Taken,
];

/// Values of a stage in a second before they are doubled, and how often they are: together a little over a thousand
/// million.
const VALUES: u64 = 2_176;
const DOUBLED: u32 = 5;

/// A run's folder with such a log, removed with the value.
pub struct LongRun {
    dir: PathBuf,
}

/// What its report took.
pub struct Took {
    /// Values in the log.
    pub values: u64,
    /// Intervals of the report's time line.
    pub intervals: usize,
    /// Bytes of the log.
    pub log: u64,
    /// Seconds from folder to page.
    pub seconds: f64,
    /// Seconds of it on a core.
    pub on_core: f64,
    /// Bytes of the page.
    pub page: usize,
}

impl LongRun {
    /// Writes the log.
    pub fn new() -> io::Result<LongRun> {
        let dir = std::env::temp_dir().join(format!("feed-report-bench-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        let run = LongRun { dir };
        write_log(&run.dir)?;
        Ok(run)
    }

    /// Reads the log and renders its report; `to_compare` as a comparison needs it read.
    pub fn report(&self, to_compare: bool) -> io::Result<Took> {
        let log = fs::metadata(self.dir.join("latency.hlog"))?.len();
        let (since, start) = (Instant::now(), thread_nanos());
        let run = Run::read(&self.dir, to_compare).map_err(io::Error::other)?;
        let values = run.report.stages().map(|(_, figures)| figures.count).sum();
        let intervals = run.report.timeline.len();
        let document = Document {
            runs: vec![run],
            ..Document::default()
        };
        let page = html::document(&document).len();
        Ok(Took {
            values,
            intervals,
            log,
            seconds: since.elapsed().as_secs_f64(),
            on_core: (thread_nanos() - start) as f64 / 1e9,
            page,
        })
    }
}

impl Drop for LongRun {
    fn drop(&mut self) {
        // A folder left behind harms nobody.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn write_log(dir: &Path) -> io::Result<()> {
    let start = UnixNanos(1_700_000_000_000_000_000);
    let file = File::create(dir.join("latency.hlog"))?;
    let mut log = LogWriter::begin(BufWriter::new(file), start, &[])?;
    let mut set = StageSet::new(Resolution::default());
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    for second in 0..SECONDS {
        set.reset();
        for _ in 0..VALUES {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            // Exponential with a heavy tail.
            let uniform = (random >> 11) as f64 / (1u64 << 53) as f64;
            let queue = -(1.0 - uniform).ln();
            let base = queue * 900.0 * (1.0 + (queue / 4.0).powi(4));
            for (stage, own) in STAGES.into_iter().zip([60.0, 310.0, 355.0, 480.0]) {
                set.record(stage, (own + base) as u64);
            }
        }
        for _ in 0..DOUBLED {
            let same = set.clone();
            set.add(&same);
        }
        let from = UnixNanos(start.0 + second * 1_000_000_000);
        log.write_set(&set, from, UnixNanos(from.0 + 1_000_000_000), None)?;
    }
    log.finish()?.flush()
}
