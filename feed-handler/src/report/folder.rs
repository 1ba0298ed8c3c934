//! Reading a run's folder back. Whatever of it can be read is taken, and what cannot is named.

use super::compare::Blocks;
use super::{Calm, GapPoint, RunReport, json, omission};
use crate::report::units::count;
use crate::series::{self, SERIES};
use feed_common::latency::Resolution;
use feed_common::latency::log::LogReader;
use feed_common::latency::summary::StageTotals;
use feed_common::time::UnixNanos;
use serde::Deserialize;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The run's counters and figures.
pub const SUMMARY: &str = "summary.json";

/// Its interval log.
pub const LOG: &str = "latency.hlog";

/// Its list of holes; only of a live run.
pub const GAPS: &str = "gaps.jsonl";

/// A summary has a few kilobytes; more than this is something else.
const SUMMARY_BYTES_MAX: u64 = 16 << 20;

/// Intervals of the time line that are kept: a day of seconds, twice. Later ones count in the figures only.
const INTERVALS_MAX: usize = 2 * 86_400;

/// Holes that are marked on the time line; a run lists no more.
const GAPS_MAX: usize = 100_000;

/// The longest line of the list of holes that is read: one of several thousand lines that lacked it.
const GAP_BYTES_MAX: u64 = 1 << 20;

/// A run as its folder has it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What it is called in a report: the folder, as it was given.
    pub name: String,
    /// Everything it says.
    pub report: RunReport,
    /// When its log begins, which is when it did.
    pub started: Option<UnixNanos>,
    /// Its distributions in blocks of intervals, where they are to be compared.
    pub blocks: Blocks,
    /// What of the folder could not be read, by file.
    pub damage: Vec<String>,
}

/// A folder in which there is no run.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct FolderError {
    path: PathBuf,
    reason: String,
}

impl Run {
    /// Reads a folder, for a comparison or without what only that needs. An error when neither its summary nor its log
    /// says anything.
    pub fn read(dir: &Path, to_compare: bool) -> Result<Run, FolderError> {
        Run::read_all(dir, to_compare).map(|(run, _)| run)
    }

    /// Reads a folder and corrects its figures for omission, by an interval between packets that is known from elsewhere.
    /// An error also where they must not be corrected: packets came by a schedule, or it was done before.
    pub fn read_corrected(dir: &Path, known_ns: u64) -> Result<Run, FolderError> {
        let (mut run, totals) = Run::read_all(dir, false)?;
        let totals = totals.ok_or_else(|| "there is no log to correct".to_owned());
        totals
            .and_then(|totals| omission::correct(&mut run.report, totals, known_ns))
            .map_err(|reason| FolderError {
                path: dir.to_owned(),
                reason: format!("it is not corrected for omission: {reason}"),
            })?;
        Ok(run)
    }

    /// A run, and the sum of its log where that has any values.
    fn read_all(dir: &Path, to_compare: bool) -> Result<(Run, Option<StageTotals>), FolderError> {
        let error = |reason: String| FolderError {
            path: dir.to_owned(),
            reason,
        };
        let kind = fs::metadata(dir).map_err(|e| error(e.to_string()))?;
        if !kind.is_dir() {
            return Err(error("not the folder of a run".to_owned()));
        }
        let mut run = Run {
            name: dir.display().to_string(),
            ..Run::default()
        };
        let summarised = run.take_summary(&dir.join(SUMMARY));
        let logged = run.take_log(&dir.join(LOG), summarised, to_compare);
        if !summarised && logged.is_none() {
            let found = run.damage.join("; ");
            return Err(error(format!("nothing of a run can be read: {found}")));
        }
        run.take_gaps(&dir.join(GAPS));
        run.take_rates(&dir.join(SERIES), summarised);
        Ok((run, logged))
    }

    fn damaged(&mut self, file: &str, what: impl Display) {
        self.damage.push(format!("{file}: {what}"));
    }

    /// True when there is one.
    fn take_summary(&mut self, path: &Path) -> bool {
        let mut text = String::new();
        let read =
            open(path).and_then(|file| file.take(SUMMARY_BYTES_MAX).read_to_string(&mut text));
        let parsed = match read {
            Ok(_) => json::parse(&text).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match parsed {
            Ok(report) => self.report = report,
            Err(e) => {
                self.damaged(
                    SUMMARY,
                    format_args!("{e}; its counters and facts are missing"),
                );
                return false;
            }
        }
        true
    }

    /// Curves, time line and blocks; and the figures, where no summary has them. Its sum where it has any values.
    fn take_log(&mut self, path: &Path, summarised: bool, to_compare: bool) -> Option<StageTotals> {
        let file = match open(path) {
            Ok(file) => file,
            Err(e) => {
                self.damaged(
                    LOG,
                    format_args!("{e}; there are no curves and no time line"),
                );
                return None;
            }
        };
        let mut totals = StageTotals::new(Resolution::default());
        let mut calm = Calm::new(Resolution::default());
        let mut wrong = Wrong::default();
        let mut skipped = false;
        let mut reader = LogReader::over(BufReader::with_capacity(1 << 16, file));
        for interval in reader.by_ref() {
            let interval = match interval {
                Ok(interval) => interval,
                Err(e) => {
                    wrong.note(e);
                    continue;
                }
            };
            if interval.is_part() {
                continue; // what a channel has is in the lane's too, and in the summary
            }
            if !summarised {
                calm.take_logged(&interval);
            }
            skipped |= self.report.timeline.len() >= INTERVALS_MAX;
            if interval.is_pauses() {
                totals.add_pause_cells(&interval.cells);
                if !skipped {
                    self.report.push_logged_pauses(&interval);
                }
            }
            let Some(stage) = interval.stage else {
                continue; // of another program's tags nothing is known
            };
            totals.add_cells(stage, &interval.cells);
            if to_compare {
                self.blocks.take(stage, &interval);
            }
            if !skipped {
                self.report.push_logged(stage, &interval);
            }
        }
        self.started = reader.base();
        self.blocks.close();
        let any = totals.recorded().next().is_some();
        if let Some(said) = wrong.said() {
            self.damaged(LOG, said);
        }
        if skipped {
            let kept = count(INTERVALS_MAX as u64);
            self.damaged(
                LOG,
                format_args!("the time line ends after {kept} intervals"),
            );
        }
        match summarised {
            true => {
                self.hold_against(&totals);
                self.report.set_curves(&totals);
            }
            false => {
                self.report.set_latency(&totals);
                self.report.pauses = calm.beside(&totals);
            }
        }
        any.then_some(totals)
    }

    /// Says where the log has not all of what the summary counts.
    fn hold_against(&mut self, totals: &StageTotals) {
        let short: Vec<String> = self
            .report
            .stages()
            .filter_map(|(stage, figures)| {
                let logged = totals.quantiles(stage).count;
                let text = || {
                    format!(
                        "{} of {} values of {}",
                        count(logged),
                        count(figures.count),
                        stage.name()
                    )
                };
                (logged != figures.count).then(text)
            })
            .collect();
        if !short.is_empty() {
            self.damaged(LOG, format_args!("it holds {}", short.join(", ")));
        }
    }

    /// The list of holes; a run of a capture has none.
    fn take_gaps(&mut self, path: &Path) {
        match read_gaps(path, self.started) {
            Ok((gaps, wrong)) => {
                self.report.gaps = gaps;
                if let Some(said) = wrong {
                    self.damaged(GAPS, said);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.damaged(GAPS, e),
        }
    }

    /// The rates among its series; runs of earlier versions have none.
    fn take_rates(&mut self, path: &Path, summarised: bool) {
        let rates = open(path).and_then(|file| series::read(BufReader::new(file)));
        match rates {
            Ok(rates) => {
                self.report.rates = rates.points;
                // Of a run that has not ended there is no summary either.
                if summarised && !rates.finished {
                    self.damaged(SERIES, "it was cut short");
                }
                for said in rates.damage {
                    self.damaged(SERIES, said);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.damaged(SERIES, e),
        }
    }
}

/// Opens a regular file: a pipe in its place would keep the reader waiting.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("not a regular file")),
    }
}

/// The holes of a run that began at `started`, and what of their list cannot be read.
pub fn read_gaps(
    path: &Path,
    started: Option<UnixNanos>,
) -> io::Result<(Vec<GapPoint>, Option<String>)> {
    #[derive(Deserialize)]
    struct Row {
        time_ns: u64,
        #[serde(default)]
        late_ns: u64,
        #[serde(default)]
        lost: u64,
    }
    let mut from = BufReader::new(open(path)?);
    let (mut gaps, mut wrong, mut line) = (Vec::new(), Wrong::default(), Vec::new());
    for number in 1.. {
        line.clear();
        let read = from
            .by_ref()
            .take(GAP_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if read as u64 == GAP_BYTES_MAX || gaps.len() == GAPS_MAX {
            wrong.note(format_args!(
                "line {number}: the list goes on and is not read further"
            ));
            break;
        }
        let row: Row = match serde_json::from_slice(&line) {
            Ok(row) => row,
            Err(e) => {
                wrong.note(format_args!("line {number}: {e}"));
                continue;
            }
        };
        // Without the moment the run began, its first hole stands for it.
        let zero = started.map_or(row.time_ns, |at| at.0);
        gaps.push(GapPoint {
            opened: Duration::from_nanos(row.time_ns.saturating_sub(zero)),
            length: Duration::from_nanos(row.late_ns),
            lost: row.lost,
        });
    }
    Ok((gaps, wrong.said()))
}

/// What of a file of lines could not be read.
#[derive(Default)]
struct Wrong {
    lines: u64,
    first: Option<String>,
}

impl Wrong {
    fn note(&mut self, what: impl Display) {
        self.lines += 1;
        self.first.get_or_insert_with(|| what.to_string());
    }

    fn said(self) -> Option<String> {
        let first = self.first?;
        match self.lines {
            1 => Some(first),
            n => Some(format!(
                "{} lines cannot be read, the first of them: {first}",
                count(n)
            )),
        }
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
