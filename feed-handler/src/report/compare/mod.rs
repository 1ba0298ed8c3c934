//! Whether runs are slower than others: differences with intervals, and a verdict that does not cry wolf.
//!
//! Figures of one machine move by 10 to 40 % within minutes, and nothing within a run shows that. So what counts is how
//! runs differ from each other: with five or more interleaved runs a side, each is held against its neighbour in time,
//! and the spread of these differences says what a difference is worth. With fewer runs, or runs that are not
//! interleaved, every interval is widened by a stated allowance for what cannot be seen.

mod blocks;
mod draws;
mod facts;
mod parts;
mod spread;

pub use blocks::Blocks;
pub use parts::Part;

use super::folder::Run;
use super::units::time;
use draws::Sample;
use feed_common::latency::{MEASURED, Stage};
use serde::Serialize;
use spread::{Interval, Pairing};

/// What a difference comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Faster than can be chance.
    #[serde(rename = "improved")]
    Improved,
    /// No difference that could be told from noise, or one too small to matter.
    #[serde(rename = "same")]
    Same,
    /// Slower than can be chance.
    #[serde(rename = "regressed")]
    Regressed,
    /// There is nothing to judge.
    #[serde(rename = "not comparable")]
    NotComparable,
}

impl Verdict {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Improved => "improved",
            Verdict::Same => "same",
            Verdict::Regressed => "regressed",
            Verdict::NotComparable => "not comparable",
        }
    }
}

/// Runs held against others.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Of all rows.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
    /// The stage in which time was added, where one was slowed.
    pub slowed: Option<&'static str>,
    /// Runs that are judged.
    pub runs: usize,
    /// Runs they are held against.
    pub base_runs: usize,
    /// How they were judged, in words, and what should be known of it.
    pub notes: Vec<String>,
    /// By stage and quantile.
    pub rows: Vec<Row>,
    /// The mean time on each part of a packet's way.
    pub parts: Vec<Part>,
}

/// One quantile of a stage.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The stage's name.
    pub stage: &'static str,
    /// The quantile's name: `p99`.
    pub quantile: &'static str,
    /// The median over the runs it is held against, in ns.
    pub base_ns: f64,
    /// The median over the runs that are judged, in ns.
    pub ns: f64,
    /// The difference that was found, in ns of `base_ns`.
    pub difference_ns: f64,
    /// The same in per cent.
    pub percent: f64,
    /// The lower end of its 99.9 % interval.
    pub low_percent: f64,
    /// The upper end.
    pub high_percent: f64,
    /// What it comes to.
    pub verdict: Verdict,
    /// Why, in words.
    pub reason: String,
}

/// The quantiles that are compared, and their names.
pub(super) const QUANTILES: [(f64, &str); 4] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

/// A quantile of a run is known where at least so many values lie beyond it.
const BEYOND_MIN: f64 = 10.0;

/// Blocks of intervals that each side must have where nothing but they shows the noise.
const BLOCKS_MIN: usize = 8;

/// Differences below these are too small to matter, however certain.
const FLOOR_PERCENT: f64 = 3.0;
const FLOOR_NANOS: f64 = 2.0;

/// Holds `runs` against `base`. The same runs give the same answer.
pub fn compare(runs: &[Run], base: &[Run]) -> Comparison {
    let (runs, base) = (&in_order(runs)[..], &in_order(base)[..]);
    let pairing = Pairing::of(&started(runs), &started(base));
    let mut comparison = Comparison {
        verdict: Verdict::NotComparable,
        reason: String::new(),
        slowed: None,
        runs: runs.len(),
        base_runs: base.len(),
        notes: facts::notes(runs, base),
        rows: Vec::new(),
        parts: parts::parts(runs, base),
    };
    comparison.notes.push(pairing.said());
    if let Some(reason) = facts::hindrance(runs, base) {
        comparison.reason = reason;
        return comparison;
    }
    if let Some(reason) = too_short(runs, base, pairing) {
        comparison.reason = reason;
        return comparison;
    }
    for stage in MEASURED {
        // How long holes were open follows from what was lost, and what an exchange's clock says from it: neither from the
        // program.
        if !matches!(stage, Stage::GapClosed | Stage::Exchange) {
            comparison.rows.extend(rows(stage, runs, base, pairing));
        }
    }
    comparison.judge();
    comparison
}

impl Comparison {
    /// The verdict over all rows, and its reason.
    fn judge(&mut self) {
        let of = |verdict| self.rows.iter().filter(move |row| row.verdict == verdict);
        if of(Verdict::Regressed).next().is_some() {
            self.verdict = Verdict::Regressed;
            let (slowed, part) = self.slowed_stage();
            self.slowed = Some(slowed);
            let worst = |a: &&Row, b: &&Row| a.low_percent.total_cmp(&b.low_percent);
            let own = of(Verdict::Regressed).filter(|row| row.stage == slowed);
            let row = own.max_by(worst).or(of(Verdict::Regressed).max_by(worst));
            if let Some(row) = row {
                self.reason = format!("{}{part}", row.said());
            }
        } else if let Some(row) =
            of(Verdict::Improved).min_by(|a, b| a.high_percent.total_cmp(&b.high_percent))
        {
            self.verdict = Verdict::Improved;
            self.reason = row.said();
        } else if of(Verdict::Same).next().is_some() {
            self.verdict = Verdict::Same;
            self.reason = "no stage differs by more than noise can explain".to_owned();
        } else {
            self.reason = match self.rows.first() {
                None => "they have no stage in common".to_owned(),
                Some(row) => row.reason.clone(),
            };
        }
    }

    /// The stage that takes longer itself, and in words what says so. Every later stage takes longer with it, and so do
    /// packets that wait behind, so the part of the way that grew most decides; the first stage that regressed where no
    /// part did.
    fn slowed_stage(&self) -> (&'static str, String) {
        let regressed = |stage: &str| {
            let of = |row: &Row| row.stage == stage && row.verdict == Verdict::Regressed;
            self.rows.iter().any(of)
        };
        let grown = self
            .parts
            .iter()
            .filter(|part| part.grew() && regressed(part.stage));
        let most = grown.max_by(|a, b| a.growth().total_cmp(&b.growth()));
        if let Some(part) = most {
            let (before, after) = (time(part.base_ns as u64), time(part.ns as u64));
            let said = format!(
                "; {} itself takes {after} on average instead of {before}",
                part.label
            );
            return (part.stage, said);
        }
        let first = self
            .rows
            .iter()
            .find(|row| row.verdict == Verdict::Regressed);
        (first.map_or("", |row| row.stage), String::new())
    }
}

impl Row {
    fn said(&self) -> String {
        format!(
            "{} {} is {} instead of {} ({:+.1} %, between {:+.1} and {:+.1} %)",
            self.stage,
            self.quantile,
            time(self.ns.max(0.0) as u64),
            time(self.base_ns.max(0.0) as u64),
            self.percent,
            self.low_percent,
            self.high_percent
        )
    }
}

fn in_order(runs: &[Run]) -> Vec<&Run> {
    let mut runs: Vec<&Run> = runs.iter().collect();
    runs.sort_by_key(|run| run.started.map(|at| at.0));
    runs
}

fn started(runs: &[&Run]) -> Vec<u64> {
    runs.iter()
        .map(|run| run.started.map_or(0, |at| at.0))
        .collect()
}

/// Why the runs are too short to be compared, where they are.
fn too_short(runs: &[&Run], base: &[&Run], pairing: Pairing) -> Option<String> {
    if pairing.sees_runs() {
        return None;
    }
    let shortest = [runs, base].map(|side| side.iter().map(|run| run.blocks.len()).sum::<usize>());
    let least = shortest.into_iter().min().unwrap_or(0);
    (least < BLOCKS_MIN).then(|| {
        format!(
            "too short: a side has {least} intervals with values and needs {BLOCKS_MIN}, or five interleaved runs a side"
        )
    })
}

/// The rows of a stage; none where no side has it.
fn rows(stage: Stage, runs: &[&Run], base: &[&Run], pairing: Pairing) -> Vec<Row> {
    let samples = |side: &[&Run], salt: u64| -> Vec<Sample> {
        let of = |(i, run): (usize, &&Run)| Sample::of(&run.blocks.of(stage), salt + i as u64);
        side.iter().enumerate().map(of).collect()
    };
    let (ours, theirs) = (samples(runs, 1 << 32), samples(base, 2 << 32));
    let has = |side: &[Sample]| side.iter().any(|s| s.count > 0.0);
    if !has(&ours) && !has(&theirs) {
        return Vec::new();
    }
    let row = |(at, (quantile, name)): (usize, (f64, &'static str))| {
        let median = |side: &[Sample]| {
            let values: Vec<f64> = side.iter().map(|s| s.point[at]).collect();
            spread::median(values).exp()
        };
        let (base_ns, ns) = (median(&theirs), median(&ours));
        let mut row = Row {
            stage: stage.name(),
            quantile: name,
            base_ns,
            ns,
            difference_ns: 0.0,
            percent: 0.0,
            low_percent: 0.0,
            high_percent: 0.0,
            verdict: Verdict::NotComparable,
            reason: String::new(),
        };
        let least = ours
            .iter()
            .chain(&theirs)
            .map(|s| s.count)
            .fold(f64::MAX, f64::min);
        if least * (1.0 - quantile) < BEYOND_MIN {
            row.reason = match least {
                0.0 => "a run has no values of this stage".to_owned(),
                n => format!("a run has {n:.0} values, too few to know this quantile"),
            };
            return row;
        }
        row.decide(&spread::interval(&ours, &theirs, at, pairing));
        row
    };
    QUANTILES.into_iter().enumerate().map(row).collect()
}

impl Row {
    fn decide(&mut self, found: &Interval) {
        let percent = |log: f64| (log.exp() - 1.0) * 100.0;
        self.percent = percent(found.middle);
        self.low_percent = percent(found.middle - found.half);
        self.high_percent = percent(found.middle + found.half);
        self.difference_ns = self.base_ns * (found.middle.exp() - 1.0);
        let matters =
            self.percent.abs() >= FLOOR_PERCENT && self.difference_ns.abs() >= FLOOR_NANOS;
        let certain = found.half < found.middle.abs();
        (self.verdict, self.reason) = match (certain, matters) {
            (true, true) if found.middle > 0.0 => (
                Verdict::Regressed,
                "slower than noise can explain".to_owned(),
            ),
            (true, true) => (
                Verdict::Improved,
                "faster than noise can explain".to_owned(),
            ),
            (true, false) => (Verdict::Same, "a difference too small to matter".to_owned()),
            (false, _) => {
                let unseen = percent(found.half);
                let reason =
                    format!("noise alone can explain it; less than {unseen:.0} % cannot be told");
                (Verdict::Same, reason)
            }
        };
    }
}

#[cfg(test)]
mod tests;
