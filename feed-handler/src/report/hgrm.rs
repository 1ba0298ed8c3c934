//! A run's percentile files: `STAGE.hgrm` for each stage, for HdrHistogram's plotter and whatever else reads its format.

use super::file::{WriteError, write_atomically};
use super::folder::open;
use feed_common::latency::log::LogReader;
use feed_common::latency::summary::StageTotals;
use feed_common::latency::{MEASURED, Resolution, Stage, hgrm};
use std::fs;
use std::io::{self, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// The folder they are in, within the run's.
pub const FOLDER: &str = "hgrm";

/// Writes a file for each stage with values into `dir`, which is made if it is not there, and takes away what an earlier
/// run left of the others; how many were written.
pub fn write(dir: &Path, totals: &StageTotals) -> Result<usize, WriteError> {
    fs::create_dir_all(dir).map_err(|source| WriteError::new(dir, source))?;
    for stage in MEASURED {
        let path = file(dir, stage);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(WriteError::new(&path, e)),
            _ => {}
        }
    }
    let mut written = 0;
    for (stage, histogram) in totals.recorded() {
        let (path, mut text) = (file(dir, stage), Vec::new());
        let says = format!("{}, {}", stage.name(), stage.meaning());
        hgrm::write(&mut text, histogram, &says).map_err(|e| WriteError::new(&path, e))?;
        write_atomically(&path, &text)?;
        written += 1;
    }
    Ok(written)
}

fn file(dir: &Path, stage: Stage) -> PathBuf {
    dir.join(format!("{}.hgrm", stage.name()))
}

/// The sum of an interval log's lines of stages, as far as they can be read, to the digits the log has.
pub fn totals(log: &Path) -> io::Result<StageTotals> {
    let lines = LogReader::over(BufReader::with_capacity(1 << 16, open(log)?));
    let mut totals = None;
    for line in lines.flatten() {
        let Some(stage) = line.stage.filter(|_| !line.is_part()) else {
            continue;
        };
        let digits = line.cells.digits();
        let totals = totals.get_or_insert_with(|| StageTotals::new(resolution(digits)));
        totals.add_cells(stage, &line.cells);
    }
    Ok(totals.unwrap_or_else(|| StageTotals::new(Resolution::default())))
}

fn resolution(digits: u8) -> Resolution {
    Resolution::new(Resolution::default().highest_nanos(), digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;

    #[test]
    fn a_file_for_each_stage_and_none_of_an_earlier_run() {
        let dir = std::env::temp_dir().join(format!("feed-hgrm-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (report, log) = sample(2);
        let path = dir.join("latency.hlog");
        fs::write(&path, log).unwrap();
        let out = dir.join(FOLDER);
        fs::create_dir_all(&out).unwrap();
        fs::write(out.join("gap_closed.hgrm"), "an earlier run's").unwrap();
        let totals = totals(&path).unwrap();
        assert_eq!(write(&out, &totals).unwrap(), 6);
        let mut names: Vec<_> = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let text = fs::read_to_string(out.join("published.hgrm")).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        let stages = [
            "decoded",
            "dequeue",
            "message",
            "published",
            "receive",
            "taken",
        ];
        assert_eq!(names, stages.map(|stage| format!("{stage}.hgrm")));
        let half = text.lines().find(|l| l.contains(" 0.500000000000 "));
        let half: f64 = half
            .and_then(|l| l.split_whitespace().next()?.parse().ok())
            .unwrap();
        let p50 = report.figures(Stage::Published).unwrap().p50;
        assert_eq!((half * 1e3).round() as u64, p50);
        assert!(text.contains("published, receive call returned to records visible]"));
    }
}
