//! The report as text: the tables printed at the end of a run and the line printed every second of it.

use super::clocks;
use super::holes::holes;
use super::stack::whole;
use super::table::{Table, plain};
use super::units::{count, percent, plural, time};
use super::{IntervalPoint, RunReport, bursts, pauses, processes, stack};
use std::fmt::Write;
use std::time::Duration;

/// The tables at the end of a run: latency by stage, where the time went, lines, books, losses by cause.
pub fn render(report: &RunReport) -> String {
    let mut out = String::new();
    if let Some(delay) = report.injected() {
        let delay = plain(delay);
        let _ = writeln!(
            out,
            "INJECTED DELAY: {delay}. These figures are not those of the program.\n"
        );
    }
    latency(report, &mut out);
    out.push_str(&clocks::text(report));
    processes(report, &mut out);
    shares(report, &mut out);
    pauses::terminal(report, &mut out);
    bursts::terminal(report, &mut out);
    lines(report, &mut out);
    books(report, &mut out);
    losses(report, &mut out);
    out
}

/// What one second of a run looked like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// Packets in this second.
    pub packets: u64,
    /// Messages in this second.
    pub messages: u64,
    /// Messages lost since the start.
    pub lost: u64,
    /// Packets and messages dropped since the start.
    pub dropped: u64,
    /// Holes since the start.
    pub holes: u64,
    /// Those that are open.
    pub open: u64,
}

/// Two lines, without the last line end: what was handled, and the median and 99 % latency of every stage.
pub fn progress(p: &Progress, stages: &IntervalPoint) -> String {
    let mut out = format!(
        "{:>4} s  {:>11} packets  {:>12} messages  lost {}  dropped {}",
        p.elapsed.as_secs(),
        count(p.packets),
        count(p.messages),
        count(p.lost),
        count(p.dropped),
    );
    if p.holes > 0 {
        let _ = write!(out, "  holes {}, {} open", count(p.holes), count(p.open));
    }
    if !stages.stages.is_empty() {
        out.push_str("\n        p50/p99");
    }
    for (stage, f) in &stages.stages {
        let _ = write!(out, "  {} {}/{}", stage.name(), time(f.p50), time(f.p99));
    }
    out
}

fn latency(report: &RunReport, out: &mut String) {
    let mut table = Table::new(
        "Latency",
        &[
            "stage", "count", "min", "p50", "p90", "p99", "p99.9", "p99.99", "max",
        ],
        1,
    );
    for (stage, f) in report.stages_of_one_clock() {
        let mut row = vec![stage.name().to_owned(), count(f.count)];
        row.extend([f.min, f.p50, f.p90, f.p99, f.p999, f.p9999].map(time));
        row.push(if f.above > 0 {
            format!("> {}", time(f.max))
        } else {
            time(f.max)
        });
        table.rows.push(row);
    }
    if table.rows.is_empty() {
        out.push_str("Latency: nothing was recorded.\n\n");
        return;
    }
    table.render(out);
    for (stage, f) in report.stages_of_one_clock() {
        let _ = write!(out, "  {:<10} {}", stage.name(), stage.meaning());
        if f.above > 0 {
            let _ = write!(out, "; {} above the range", count(f.above));
        }
        out.push('\n');
    }
    if let Some(said) = report.instruments_said() {
        let _ = writeln!(out, "  {said}");
    }
    out.push('\n');
}

fn processes(report: &RunReport, out: &mut String) {
    if let Some(table) = processes::table(report) {
        table.render(out);
        out.push('\n');
    }
}

fn shares(report: &RunReport, out: &mut String) {
    let shares = stack(report);
    if shares.len() < 2 {
        return;
    }
    let whole = whole(&shares);
    let mut table = Table::new(
        "Where the time went (differences of medians)",
        &["part", "time", "share"],
        1,
    );
    for share in shares {
        table.rows.push(vec![
            share.label.to_owned(),
            time(share.nanos),
            percent(share.nanos, whole),
        ]);
    }
    table.render(out);
    out.push('\n');
}

fn lines(report: &RunReport, out: &mut String) {
    if report.lines.is_empty() {
        return;
    }
    let mut table = Table::new(
        "Lines",
        &[
            "channel",
            "line",
            "group",
            "packets",
            "messages",
            "first",
            "lost",
            "alone",
            "duplicates",
            "earlier by",
            "silent for",
        ],
        3,
    );
    let none = || "-".to_owned();
    for l in &report.lines {
        let mut row: Vec<String> = [&l.channel, &l.line, &l.group].map(|s| plain(s)).into();
        row.extend([l.packets, l.messages, l.first, l.lost].map(count));
        row.push(l.lost_alone.map_or_else(none, count));
        row.push(count(l.duplicates));
        let lead = l.lead_ns.filter(|lead| lead.count > 0);
        row.push(lead.map_or_else(none, |lead| time(lead.p50)));
        row.push(time(l.longest_silence_ns));
        table.rows.push(row);
    }
    table.render(out);
    out.push('\n');
}

fn books(report: &RunReport, out: &mut String) {
    let Some(books) = &report.books else {
        return;
    };
    let mut table = Table::new("Books", &["what", "count"], 1);
    let mut row = |what: String, n: u64| table.rows.push(vec![what, count(n)]);
    row("instruments".to_owned(), books.instruments);
    row("live orders".to_owned(), books.live_orders);
    row("price levels".to_owned(), books.levels);
    row("changes of best prices".to_owned(), books.bbo_changes);
    for (kind, n) in books.faults.iter().filter(|(_, n)| **n > 0) {
        row(format!("fault {}", plain(kind)), *n);
    }
    table.render(out);
    out.push('\n');
}

fn losses(report: &RunReport, out: &mut String) {
    let s = &report.sequence;
    let mut table = Table::new("Losses", &["cause", "count"], 1);
    let mut row = |cause: String, n: u64| table.rows.push(vec![cause, count(n)]);
    row("lost on every line".to_owned(), s.lost);
    for (cause, n) in report.drops.iter().filter(|(_, n)| **n > 0) {
        row(plain(cause), *n);
    }
    for c in report.consumers.iter().filter(|c| c.lost > 0) {
        row(format!("consumer {} too slow", plain(&c.name)), c.lost);
    }
    for c in report.consumers.iter().filter(|c| c.conflated > 0) {
        let name = plain(&c.name);
        row(format!("conflated for consumer {name}"), c.conflated);
    }
    for c in report.consumers.iter().filter(|c| c.withheld > 0) {
        let name = plain(&c.name);
        row(format!("not valid, kept from consumer {name}"), c.withheld);
    }
    table.render(out);
    let _ = writeln!(
        out,
        "  {}, {} recovered, {}, {}",
        plural(s.gaps, "gap"),
        count(s.recovered),
        plural(s.duplicates, "duplicate packet"),
        plural(s.restarts, "restart")
    );
    for said in holes(report) {
        let _ = writeln!(out, "  {said}");
    }
    for of in &report.recovery {
        let counts = of.counts.iter().filter(|(_, n)| **n > 0);
        let counts: Vec<_> = counts
            .map(|(name, n)| format!("{} {}", count(*n), plain(name)))
            .collect();
        if !counts.is_empty() {
            let _ = writeln!(
                out,
                "  recovery {}: {}",
                plain(&of.channel),
                counts.join(", ")
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Figures;
    use super::super::model::tests::sample;
    use super::*;
    use feed_common::latency::Stage;

    #[test]
    fn columns_are_aligned() {
        let (report, _) = sample(1);
        let text = render(&report);
        let rows: Vec<&str> = text.lines().skip(1).take(6).collect();
        assert!(rows[0].starts_with("  stage"));
        let end = rows[0].chars().count();
        for row in &rows {
            assert_eq!(row.chars().count(), end, "{row}");
        }
        assert!(rows.iter().all(|r| r.chars().count() <= 100));
    }

    #[test]
    fn says_what_was_lost_and_why() {
        let (mut report, _) = sample(1);
        report.drops.set("bad\u{1b}[2Jname", 4);
        let text = render(&report);
        for part in [
            "lost on every line",
            "ring_full",
            "too slow",
            "3 gaps, 0 recovered",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains("socket_buffer"), "causes without losses");
        assert!(!text.contains('\u{1b}'), "control characters");
    }

    #[test]
    fn says_what_the_books_hold_and_what_they_could_not_take() {
        let (mut report, _) = sample(1);
        let text = render(&report);
        let of = |what: &str| text.lines().find(|l| l.starts_with(&format!("  {what} ")));
        assert!(of("live orders").unwrap().ends_with(" 12,345"));
        assert!(of("changes of best prices").unwrap().ends_with(" 9,876"));
        assert!(of("fault crossed").unwrap().ends_with(" 2"));
        assert!(of("fault unknown_order").is_none(), "what did not happen");
        report.books = None;
        assert!(!render(&report).contains("Books"));
    }

    #[test]
    fn an_empty_run_has_an_end_too() {
        let text = render(&RunReport::default());
        assert!(text.starts_with("Latency: nothing was recorded."));
        assert!(text.contains("0 gaps"));
    }

    #[test]
    fn progress_says_what_was_handled_and_every_stage() {
        let p = Progress {
            elapsed: Duration::from_secs(3_600),
            packets: 1_234_567,
            messages: 12_345_678,
            lost: 3,
            dropped: 0,
            holes: 0,
            open: 0,
        };
        let f = |p50, p99| Figures {
            count: 1,
            p50,
            p99,
            ..Figures::default()
        };
        let stages = IntervalPoint {
            stages: vec![
                (Stage::Dequeue, f(412, 900)),
                (Stage::Published, f(2_345, 12_345)),
            ],
            ..IntervalPoint::default()
        };
        assert_eq!(
            progress(&p, &stages),
            "3600 s    1,234,567 packets    12,345,678 messages  lost 3  dropped 0\n        \
             p50/p99  dequeue 412 ns/900 ns  published 2.35 µs/12.3 µs"
        );
        assert!(!progress(&p, &IntervalPoint::default()).contains("p50"));
        let holed = Progress {
            holes: 1_204,
            open: 3,
            ..p
        };
        let said = progress(&holed, &IntervalPoint::default());
        assert!(said.ends_with("dropped 0  holes 1,204, 3 open"), "{said}");
    }
}
