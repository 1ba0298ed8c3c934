//! A report of any number of runs, with what they are held against.

use super::budget::Judged;
use super::compare::{Comparison, Verdict};
use super::folder::Run;
use super::table::Table;
use super::units::{count, percent, time};
use super::{RunReport, omission, stack_at};
use feed_common::latency::{MEASURED, Stage};

/// What a report is of. [`super::html`], [`super::markdown`], [`super::csv`] and [`super::json`] render it.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// The runs; at least one.
    pub runs: Vec<Run>,
    /// Those they are held against.
    pub base: Vec<Run>,
    /// What that came to.
    pub comparison: Option<Comparison>,
    /// What became of each limit of a budget; empty without one.
    pub budget: Vec<Judged>,
}

impl Document {
    /// All runs, those that are held against last.
    pub fn all(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().chain(&self.base)
    }

    /// What is not as it should be, in a sentence.
    pub fn objection(&self) -> Option<String> {
        let mut objections = Vec::new();
        if let Some(c) = &self.comparison
            && matches!(c.verdict, Verdict::Regressed | Verdict::NotComparable)
        {
            objections.push(format!("{}: {}", c.verdict.name(), c.reason));
        }
        let broken: Vec<String> = self.budget.iter().filter_map(Judged::broken).collect();
        match &broken[..] {
            [] => {}
            [one] => objections.push(format!("budget broken: {one}")),
            [one, rest @ ..] => {
                objections.push(format!("budget broken: {one}, and {} more", rest.len()))
            }
        }
        (!objections.is_empty()).then(|| objections.join("; "))
    }

    /// What every reader must see first, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for run in self.all() {
            if let Some(delay) = run.report.injected() {
                warnings.push(format!("{} was run with an INJECTED DELAY: {delay}. Its figures are not those of the program.", run.name));
            }
            if let Some(text) = omission::warning(&run.report) {
                warnings.push(format!("{}: {text}", run.name));
            }
            if !run.damage.is_empty() {
                warnings.push(format!(
                    "{} could not be read as a whole: {}.",
                    run.name,
                    run.damage.join("; ")
                ));
            }
        }
        warnings
    }
}

/// The figures of all stages.
pub(super) fn latency(report: &RunReport) -> Table {
    let head = [
        "stage", "count", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max",
    ];
    let mut table = Table::new("Latency by stage", &head, 1);
    for (stage, f) in report.stages_of_one_clock() {
        let mut row = vec![stage.name().to_owned(), count(f.count)];
        row.extend([f.min, f.p50, f.p90, f.p99, f.p999, f.p9999].map(time));
        let more = if f.above > 0 { "> " } else { "" };
        row.push(format!("{more}{}", time(f.max)));
        table.rows.push(row);
    }
    table
}

/// The runs side by side: the stage that speaks for each, and what was lost.
pub(super) fn side_by_side(document: &Document) -> Table {
    let head = [
        "run", "start", "stage", "p50", "p99", "p99.9", "max", "messages", "lost", "dropped",
    ];
    let mut table = Table::new("Runs side by side", &head, 3);
    for run in document.all() {
        let r = &run.report;
        let start = r
            .run
            .get("start")
            .cloned()
            .unwrap_or_else(|| "–".to_owned());
        let mut row = vec![run.name.clone(), start];
        match r.headline_stage() {
            Some((stage, f)) => {
                row.push(stage.name().to_owned());
                row.extend([f.p50, f.p99, f.p999, f.max].map(time));
            }
            None => row.extend(["–"; 5].map(str::to_owned)),
        }
        let dropped = r
            .drops
            .iter()
            .fold(0u64, |sum, (_, n)| sum.saturating_add(*n));
        row.extend([r.messages, r.sequence.lost, dropped].map(count));
        table.rows.push(row);
    }
    table
}

/// One quantile of every stage of every run.
pub(super) fn stages_by_run(document: &Document) -> Table {
    let stages: Vec<Stage> = MEASURED
        .into_iter()
        .filter(|s| !s.crosses_clocks())
        .filter(|s| document.all().any(|run| run.report.figures(*s).is_some()))
        .collect();
    let head: Vec<&str> = ["run"]
        .into_iter()
        .chain(stages.iter().map(|s| s.name()))
        .collect();
    let mut table = Table::new("p50 / p99 of every stage", &head, 1);
    for run in document.all() {
        let figures = stages.iter().map(|stage| match run.report.figures(*stage) {
            Some(f) => format!("{} / {}", time(f.p50), time(f.p99)),
            None => "–".to_owned(),
        });
        table
            .rows
            .push([run.name.clone()].into_iter().chain(figures).collect());
    }
    table
}

/// What the parts of the way take at three quantiles.
pub(super) fn parts(report: &RunReport) -> Option<Table> {
    let stacks = [0.5, 0.99, 0.999].map(|quantile| stack_at(report, quantile));
    let first = stacks.first().filter(|shares| shares.len() > 1)?;
    let head = ["part", "p50", "share", "p99", "share", "p99.9", "share"];
    let mut table = Table::new("Where the time went", &head, 1);
    for (at, share) in first.iter().enumerate() {
        let mut row = vec![share.label.to_owned()];
        for shares in &stacks {
            let nanos = shares.get(at).map_or(0, |s| s.nanos);
            row.extend([time(nanos), percent(nanos, super::stack::whole(shares))]);
        }
        table.rows.push(row);
    }
    Some(table)
}

/// Kept and broken limits.
pub(super) fn budget(judged: &[Judged]) -> Table {
    let mut table = Table::new(
        "Budget",
        &["run", "stage", "figure", "verdict", "found", "limit"],
        4,
    );
    for j in judged {
        let verdict = if j.kept { "kept" } else { "broken" };
        let mut row = vec![
            j.run.clone(),
            j.stage.to_owned(),
            j.figure.to_owned(),
            verdict.to_owned(),
        ];
        row.push(j.found_ns.map_or_else(|| "no figures".to_owned(), time));
        row.push(time(j.limit_ns));
        table.rows.push(row);
    }
    table
}

/// Every difference with its interval and verdict.
pub(super) fn comparison(c: &Comparison) -> Table {
    let head = [
        "stage", "quantile", "verdict", "reason", "before", "now", "change", "ns", "from", "to",
    ];
    let mut table = Table::new("Comparison", &head, 4);
    for row in &c.rows {
        let mut cells = vec![
            row.stage.to_owned(),
            row.quantile.to_owned(),
            row.verdict.name().to_owned(),
            row.reason.clone(),
        ];
        cells.extend([row.base_ns, row.ns].map(|ns| time(ns.max(0.0).round() as u64)));
        match row.verdict {
            Verdict::NotComparable => cells.extend(["–"; 4].map(str::to_owned)),
            _ => {
                cells.push(format!("{:+.1} %", row.percent));
                cells.push(format!("{:+.0}", row.difference_ns));
                cells.extend([row.low_percent, row.high_percent].map(|p| format!("{p:+.1} %")));
            }
        }
        table.rows.push(cells);
    }
    table
}

/// The mean time on each part of the way, before and now.
pub(super) fn means(c: &Comparison) -> Table {
    let mut table = Table::new(
        "Mean time on each part of the way",
        &["part", "before", "now"],
        1,
    );
    for part in &c.parts {
        let nanos = [part.base_ns, part.ns].map(|ns| time(ns.round() as u64));
        table
            .rows
            .push([part.label.to_owned()].into_iter().chain(nanos).collect());
    }
    table
}

/// The verdict and what should be known of it, a line each.
pub(super) fn said(c: &Comparison) -> Vec<String> {
    let runs = format!("{} runs against {}", c.runs, c.base_runs);
    let verdict = format!(
        "Verdict: {}. {} ({runs}).",
        c.verdict.name(),
        capital(&c.reason)
    );
    let notes = c.notes.iter().map(|note| format!("{}.", capital(note)));
    [verdict].into_iter().chain(notes).collect()
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// Comparison and budget as text, for a terminal or a build's log; empty without either.
pub fn text(document: &Document) -> String {
    let mut out = String::new();
    if let Some(c) = &document.comparison {
        comparison(c).render(&mut out);
        out.push('\n');
        means(c).render(&mut out);
        for line in said(c) {
            out.push_str(&super::plain(&line));
            out.push('\n');
        }
        out.push('\n');
    }
    if !document.budget.is_empty() {
        budget(&document.budget).render(&mut out);
        out.push('\n');
    }
    out
}
