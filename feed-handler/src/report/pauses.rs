//! Pauses of the machine, and the tails of the stages with and without the intervals in which it paused.

use super::Ordered;
use super::model::RunReport;
use super::table::Table;
use super::units::{count, percent, plural, time};
use feed_common::latency::log::LogInterval;
use feed_common::latency::pauses::PAUSE_NANOS;
use feed_common::latency::summary::{Quantiles, StageTotals};
use feed_common::latency::{Resolution, StageSet};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::time::Duration;

/// An interval is left out when the machine paused in it for so long at once. Every interval has its ticks of the kernel,
/// some tens of microseconds each, and to leave those out would leave out everything; a core that is gone for longer than
/// this was taken by another thread or by the host.
pub const LONG_PAUSE_NANOS: u64 = 500_000;

/// What a run's lanes saw of the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pauses {
    /// How long the lanes' loops were watched, all added up, in ns; 0 where only the log is left, which does not say.
    pub watched_ns: u64,
    /// How long all pauses were together, in ns; 0 where only the log is left.
    pub lasted_ns: u64,
    /// Pauses of more than `from_ns`.
    pub count: u64,
    /// From which length one counts.
    pub from_ns: u64,
    /// How long they were, in ns.
    pub p50: u64,
    /// 99 % of them.
    pub p99: u64,
    /// The longest.
    pub max: u64,
    /// An interval with one of this length is left out, in ns.
    pub long_ns: u64,
    /// Intervals of the run that have any values.
    pub intervals: u64,
    /// Those that are left out.
    pub left_out: u64,
    /// By stage.
    pub tails: Ordered<Tails>,
}

/// A stage's tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tails {
    /// In all intervals.
    pub all: Tail,
    /// Without those in which the machine paused.
    pub calm: Tail,
}

/// Figures in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Tail {
    pub count: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl From<Quantiles> for Tail {
    fn from(q: Quantiles) -> Tail {
        Tail {
            count: q.count,
            p99: q.p99,
            p999: q.p999,
            max: q.max,
        }
    }
}

/// Adds up the intervals in which the machine did not pause for long.
#[derive(Clone, Debug)]
pub struct Calm {
    totals: StageTotals,
    intervals: u64,
    left_out: u64,
    /// Of a log: the interval its lines are of now.
    current: Option<Logged>,
}

#[derive(Clone, Debug)]
struct Logged {
    start: Duration,
    length: Duration,
    paused: bool,
    counted: bool,
}

impl Calm {
    /// None yet.
    pub fn new(resolution: Resolution) -> Calm {
        Calm {
            totals: StageTotals::new(resolution),
            intervals: 0,
            left_out: 0,
            current: None,
        }
    }

    /// Takes an interval.
    pub fn take(&mut self, set: &StageSet) {
        if set.is_empty() {
            return;
        }
        let paused = set.pauses().max() >= LONG_PAUSE_NANOS;
        self.intervals += 1;
        self.left_out += u64::from(paused);
        if !paused {
            self.totals.add(set);
        }
    }

    /// Takes a line of a log, in which the pauses of an interval come before its stages.
    pub fn take_logged(&mut self, line: &LogInterval) {
        let (start, length) = (line.start, line.length);
        let current = self.current.as_ref();
        if !current.is_some_and(|l| l.start == start && l.length == length) {
            self.current = None;
        }
        let current = self.current.get_or_insert(Logged {
            start,
            length,
            paused: false,
            counted: false,
        });
        if line.is_pauses() {
            let longest = line.cells.iter().last().map_or(0, |cell| cell.high);
            current.paused |= longest >= LONG_PAUSE_NANOS;
        }
        let Some(stage) = line.stage else {
            return;
        };
        if !std::mem::replace(&mut current.counted, true) {
            self.intervals += 1;
            self.left_out += u64::from(current.paused);
        }
        if !current.paused {
            self.totals.add_cells(stage, &line.cells);
        }
    }

    /// What it came to, beside `all` intervals; `None` where nothing was watched.
    pub fn beside(&self, all: &StageTotals) -> Option<Pauses> {
        let pauses = all.pauses();
        let q = pauses.quantiles();
        if q.count == 0 && pauses.watched_nanos() == 0 {
            return None;
        }
        let tails = all.recorded().map(|(stage, _)| {
            let tails = Tails {
                all: all.quantiles(stage).into(),
                calm: self.totals.quantiles(stage).into(),
            };
            (stage.name(), tails)
        });
        Some(Pauses {
            watched_ns: pauses.watched_nanos(),
            lasted_ns: pauses.lasted_nanos(),
            count: q.count,
            from_ns: PAUSE_NANOS,
            p50: q.p50,
            p99: q.p99,
            max: q.max,
            long_ns: LONG_PAUSE_NANOS,
            intervals: self.intervals,
            left_out: self.left_out,
            tails: tails.collect(),
        })
    }
}

/// The tails, each figure beside that of the calm intervals.
pub(super) fn table(pauses: &Pauses) -> Table {
    let head = ["stage", "p99", "calm", "p99.9", "calm", "max", "calm"];
    let mut table = Table::new("Tails with and without pauses of the machine", &head, 1);
    for (stage, Tails { all, calm }) in pauses.tails.iter() {
        let mut row = vec![stage.to_owned()];
        let figures = [
            (all.p99, calm.p99),
            (all.p999, calm.p999),
            (all.max, calm.max),
        ];
        for (all, without) in figures {
            let without = match calm.count {
                0 => "–".to_owned(),
                _ => time(without),
            };
            row.extend([time(all), without]);
        }
        table.rows.push(row);
    }
    table
}

/// What was seen of the machine, and what the calm figures leave out, a sentence each.
pub(super) fn said(pauses: &Pauses) -> Vec<String> {
    let p = pauses;
    let mut seen = match p.count {
        0 => "The lanes' cores never paused".to_owned(),
        n => format!(
            "The lanes' cores paused {} for more than {}",
            match n {
                1 => "once".to_owned(),
                n => format!("{} times", count(n)),
            },
            time(p.from_ns)
        ),
    };
    if p.count > 0 {
        let _ = write!(
            seen,
            ": half of it up to {}, 99 % up to {}, the longest {}",
            time(p.p50),
            time(p.p99),
            time(p.max)
        );
    }
    if p.watched_ns > 0 {
        let share = percent(p.lasted_ns, p.watched_ns);
        let _ = write!(
            seen,
            "; in all {share} of the {} that their loops were watched, which is whenever no packet was being handled",
            time(p.watched_ns)
        );
    }
    let left_out = match p.left_out {
        0 => format!(
            "Calm leaves nothing out: none of {} had a pause of {} or longer",
            plural(p.intervals, "interval"),
            time(p.long_ns)
        ),
        n => format!(
            "Calm leaves out {} of {}, in which there was a pause of {} or longer, and with them what the program itself was \
             slow at",
            count(n),
            plural(p.intervals, "interval"),
            time(p.long_ns)
        ),
    };
    vec![seen, left_out]
}

/// Appends the table and what it says, for a terminal.
pub(super) fn terminal(report: &RunReport, out: &mut String) {
    let Some(pauses) = &report.pauses else {
        return;
    };
    table(pauses).render(out);
    for said in said(pauses) {
        let _ = writeln!(out, "  {said}");
    }
    out.push('\n');
}

/// The same as Markdown.
pub(super) fn markdown(report: &RunReport, out: &mut String) {
    let Some(pauses) = &report.pauses else {
        return;
    };
    table(pauses).markdown(out);
    for said in said(pauses) {
        let _ = writeln!(out, "{said}.\n");
    }
}

/// Rows of the table for other tools: what, stage, figure, and its value.
pub(super) fn rows(report: &RunReport, mut row: impl FnMut(&str, &str, &str, u64)) {
    let Some(pauses) = &report.pauses else {
        return;
    };
    row("pauses", "", "count", pauses.count);
    let figures = [
        ("watched", pauses.watched_ns),
        ("lasted", pauses.lasted_ns),
        ("p50", pauses.p50),
        ("p99", pauses.p99),
        ("max", pauses.max),
    ];
    for (figure, nanos) in figures {
        row("pauses", "", figure, nanos);
    }
    row("intervals", "", "count", pauses.intervals);
    row("intervals_left_out", "", "count", pauses.left_out);
    for (stage, Tails { calm, .. }) in pauses.tails.iter() {
        row("calm", stage, "count", calm.count);
        let figures = [("p99", calm.p99), ("p99.9", calm.p999), ("max", calm.max)];
        for (figure, nanos) in figures {
            row("calm", stage, figure, nanos);
        }
    }
}

#[cfg(test)]
#[path = "pauses_tests.rs"]
mod tests;
