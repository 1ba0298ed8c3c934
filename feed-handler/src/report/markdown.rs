//! The report as Markdown: for a pull request or a build's summary.

use super::clocks;
use super::document::{self, Document};
use super::holes::holes;
use super::table::{Table, marked_down};
use super::units::count;
use super::{RunReport, bursts, html, kinds, pauses, processes};
use std::fmt::Write;

/// The whole report.
pub fn render(document: &Document) -> String {
    let mut out = String::from("# feed-handler latency report\n\n");
    for warning in document.warnings() {
        let _ = writeln!(out, "> **{}**\n", marked_down(&warning));
    }
    if let Some(c) = &document.comparison {
        document::comparison(c).markdown(&mut out);
        for line in document::said(c) {
            let _ = writeln!(out, "{}\n", marked_down(&line));
        }
        document::means(c).markdown(&mut out);
    }
    if !document.budget.is_empty() {
        document::budget(&document.budget).markdown(&mut out);
    }
    match &document.runs[..] {
        [run] if document.base.is_empty() => one(&run.report, &mut out),
        _ => {
            document::side_by_side(document).markdown(&mut out);
            document::stages_by_run(document).markdown(&mut out);
            let runs = document.all().map(|run| (run.name.as_str(), &run.report));
            clocks::tables(runs)
                .iter()
                .for_each(|table| table.markdown(&mut out));
        }
    }
    out
}

fn clocks(report: &RunReport, out: &mut String) {
    for table in clocks::tables([("", report)].into_iter()) {
        table.markdown(out);
    }
    for sentence in clocks::said(report) {
        let _ = writeln!(out, "{}.\n", marked_down(&document::capital(&sentence)));
    }
}

fn one(report: &RunReport, out: &mut String) {
    let _ = writeln!(
        out,
        "**{}.** {}\n",
        html::headline(report),
        html::lead(report)
    );
    document::latency(report).markdown(out);
    clocks(report, out);
    if let Some(parts) = document::parts(report) {
        parts.markdown(out);
    }
    pauses::markdown(report, out);
    bursts::markdown(report, out);
    if let Some(said) = report.instruments_said() {
        let _ = writeln!(out, "{}.\n", marked_down(&document::capital(&said)));
    }
    let by_message = [kinds::types(report), kinds::symbols(report)];
    by_message.iter().flatten().for_each(|t| t.markdown(out));
    for said in kinds::said(report) {
        let _ = writeln!(out, "{}.\n", marked_down(&said));
    }
    if let Some(channels) = kinds::channels(report) {
        channels.markdown(out);
    }
    if let Some(processes) = processes::table(report) {
        processes.markdown(out);
    }
    let head = [
        "channel",
        "line",
        "group",
        "packets",
        "messages",
        "first",
        "lost",
        "duplicates",
    ];
    let mut lines = Table::new("Lines", &head, 3);
    for l in &report.lines {
        let mut row = vec![l.channel.clone(), l.line.clone(), l.group.clone()];
        row.extend([l.packets, l.messages, l.first, l.lost, l.duplicates].map(count));
        lines.rows.push(row);
    }
    if !lines.rows.is_empty() {
        lines.markdown(out);
    }
    let mut losses = Table::new("Losses by cause", &["cause", "count"], 1);
    let mut row = |cause: &str, n: u64| losses.rows.push(vec![cause.to_owned(), count(n)]);
    row("lost on every line", report.sequence.lost);
    for (cause, n) in report.drops.iter().filter(|(_, n)| **n > 0) {
        row(cause, *n);
    }
    for c in report.consumers.iter().filter(|c| c.lost > 0) {
        row(&format!("consumer {} too slow", c.name), c.lost);
    }
    for (what, lost) in report.not_kept() {
        row(&what, lost);
    }
    losses.markdown(out);
    for said in holes(report) {
        let _ = writeln!(out, "{}.\n", marked_down(&said));
    }
    let mut facts = Table::new("The run", &["fact", "value"], 2);
    for (name, value) in report.run.iter() {
        facts.rows.push(vec![name.to_owned(), value.clone()]);
    }
    facts.markdown(out);
}
