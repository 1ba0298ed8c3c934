//! The report as one table for other tools: a row for each figure, limit and difference. `what` says which columns have
//! something in them.

use super::document::Document;
use super::folder::Run;
use super::{bursts, omission, pauses};
use std::fmt::Write;

/// The columns.
const HEAD: &str = "what,run,stage,figure,nanoseconds,base_or_limit_nanoseconds,percent,low_percent,high_percent,verdict,reason";

/// The whole report, with a line of names first.
pub fn render(document: &Document) -> String {
    let mut out = format!("{HEAD}\n");
    for run in document.all() {
        let mut row = |what: &str, reason: &str| {
            let _ = writeln!(out, "{what},{},,,,,,,,,{}", field(&run.name), field(reason));
        };
        if let Some(delay) = run.report.injected() {
            row("injected", delay);
        }
        if let Some(text) = omission::warning(&run.report) {
            row("omission_corrected", &text);
        }
        run.damage.iter().for_each(|damage| row("damage", damage));
    }
    for run in document.all() {
        let what = match run.report.omission_corrected_ns {
            Some(_) => "latency_corrected",
            None => "latency",
        };
        for (stage, f) in run.report.stages() {
            let (name, stage) = (field(&run.name), stage.name());
            // The one figure that is no time.
            let _ = writeln!(out, "count,{name},{stage},count,{},,,,,,", f.count);
            let figures = [
                ("min", f.min),
                ("p50", f.p50),
                ("p90", f.p90),
                ("p99", f.p99),
                ("p99.9", f.p999),
                ("p99.99", f.p9999),
                ("max", f.max),
            ];
            for (figure, nanos) in figures {
                let _ = writeln!(out, "{what},{name},{stage},{figure},{nanos},,,,,,");
            }
        }
        messages(run, &mut out);
    }
    for run in document.all() {
        let name = field(&run.name);
        let mut row = |what: &str, stage: &str, figure: &str, value: u64| {
            let _ = writeln!(out, "{what},{name},{stage},{figure},{value},,,,,,");
        };
        pauses::rows(&run.report, &mut row);
        bursts::rows(&run.report, &mut row);
    }
    for j in &document.budget {
        let found = j.found_ns.map_or_else(String::new, |ns| ns.to_string());
        let verdict = if j.kept { "kept" } else { "broken" };
        let reason = j.broken().unwrap_or_default();
        let (run, reason) = (field(&j.run), field(&reason));
        let _ = writeln!(
            out,
            "budget,{run},{},{},{found},{},,,,{verdict},{reason}",
            j.stage, j.figure, j.limit_ns
        );
    }
    let Some(c) = &document.comparison else {
        return out;
    };
    for row in &c.rows {
        let _ = writeln!(
            out,
            "comparison,,{},{},{:.1},{:.1},{:.2},{:.2},{:.2},{},{}",
            row.stage,
            row.quantile,
            row.ns,
            row.base_ns,
            row.percent,
            row.low_percent,
            row.high_percent,
            row.verdict.name(),
            field(&row.reason)
        );
    }
    let slowed = c.slowed.unwrap_or_default();
    let _ = writeln!(
        out,
        "verdict,,{slowed},,,,,,,{},{}",
        c.verdict.name(),
        field(&c.reason)
    );
    for note in &c.notes {
        let _ = writeln!(out, "note,,,,,,,,,,{}", field(note));
    }
    out
}

/// Sampled messages: the type, or the symbol, stands where stages do, and its channel or lane under `reason`.
fn messages(run: &Run, out: &mut String) {
    let Some(sampled) = &run.report.sampled else {
        return;
    };
    let name = field(&run.name);
    let types = sampled.types.iter().map(|t| {
        let figures = [
            ("count", t.count),
            ("p50", t.p50),
            ("p99", t.p99),
            ("max", t.max),
        ];
        ("type", &t.key, &t.lane, figures)
    });
    let symbols = sampled.symbols.iter().map(|s| {
        let figures = [
            ("count", s.count),
            ("p50", s.p50),
            ("p90", s.p90),
            ("max", s.max),
        ];
        ("symbol", &s.symbol, &s.channel, figures)
    });
    for (what, of, place, figures) in types.chain(symbols) {
        let (of, place) = (field(of), field(place));
        for (figure, value) in figures {
            let _ = writeln!(out, "{what},{name},{of},{figure},{value},,,,,,{place}");
        }
    }
}

/// A field, in quotes where its text needs them.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
