//! `summary.json`: the run as facts for programs.

use super::RunReport;
use super::document::Document;
use super::folder::Run;
use serde_json::{Value, json};

/// The run as JSON, indented, with a newline at the end. The shape is part of the program's interface: keys may be
/// added, not renamed.
pub fn render(report: &RunReport) -> String {
    let mut text =
        serde_json::to_string_pretty(report).expect("numbers, strings and string keys only");
    text.push('\n');
    text
}

/// A report of runs as JSON: `runs`, `base`, `comparison` (null without one) and `budget` (empty without one). Of each run its
/// `summary`, what of its folder is damaged, the percentile curve of each stage as pairs of quantile and ns, and the
/// times at which messages were missing.
pub fn document(document: &Document) -> String {
    let runs = |side: &[Run]| -> Vec<Value> { side.iter().map(run).collect() };
    let value = json!({
        "runs": runs(&document.runs),
        "base": runs(&document.base),
        "comparison": document.comparison,
        "budget": document.budget,
        "warnings": document.warnings(),
    });
    let mut text =
        serde_json::to_string_pretty(&value).expect("numbers, strings and string keys only");
    text.push('\n');
    text
}

fn run(run: &Run) -> Value {
    let report = &run.report;
    let curve = |curve: &super::Curve| {
        let points = curve.points.iter().map(|p| json!([p.quantile, p.nanos]));
        (
            curve.stage.name().to_owned(),
            points.collect::<Vec<_>>().into(),
        )
    };
    let curves: serde_json::Map<String, Value> = report.curves.iter().map(curve).collect();
    let gaps = report.gaps.iter().map(|gap| {
        let (at, length) = (gap.opened.as_nanos() as u64, gap.length.as_nanos() as u64);
        json!({"at_ns": at, "length_ns": length, "lost": gap.lost})
    });
    json!({
        "run": run.name,
        "injected_delay": report.injected(),
        "damage": run.damage,
        "summary": report,
        "curves": curves,
        "gaps": gaps.collect::<Vec<_>>(),
    })
}

/// Reads a summary back. Keys that are not there are zero or empty, unknown ones are ignored.
pub fn parse(text: &str) -> Result<RunReport, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::sample;
    use super::*;
    use serde_json::Value;

    #[test]
    fn has_the_promised_shape() {
        let (report, _) = sample(2);
        let json: Value = serde_json::from_str(&render(&report)).unwrap();
        let keys = |v: &Value| -> Vec<String> { v.as_object().unwrap().keys().cloned().collect() };
        for key in ["packets", "messages", "published"] {
            assert!(json[key].is_u64(), "{key}");
        }
        assert_eq!(
            keys(&json["sequence"]),
            ["gaps", "lost", "duplicates", "recovered", "restarts"]
        );
        assert_eq!(
            keys(&json["lines"][0]),
            [
                "channel",
                "line",
                "group",
                "packets",
                "messages",
                "lost",
                "duplicates",
                "first",
                "lost_alone",
                "lead_ns",
                "longest_silence_ns",
                "longest_silence_since_ns"
            ]
        );
        assert_eq!(
            keys(&json["lines"][0]["lead_ns"]),
            ["count", "min", "p50", "p99", "max"]
        );
        assert_eq!(json["drops"]["ring_full"], 15);
        assert_eq!(
            keys(&json["latency"]),
            [
                "receive",
                "dequeue",
                "decoded",
                "published",
                "taken",
                "message"
            ]
        );
        let figures = keys(&json["latency"]["published"]);
        assert_eq!(
            figures[..8],
            ["count", "min", "p50", "p90", "p99", "p999", "p9999", "max"]
        );
        assert_eq!(json["record_digest"], "00f1e2d3c4b5a697");
        assert_eq!(json["book_digest"], "0123456789abcdef");
        assert_eq!(
            keys(&json["books"]),
            [
                "live_orders",
                "levels",
                "instruments",
                "bbo_changes",
                "faults"
            ]
        );
        assert_eq!(json["books"]["faults"]["unknown_order"], 0, "zeros too");
        // Without books the keys are there all the same.
        let none: Value = serde_json::from_str(&render(&RunReport::default())).unwrap();
        let none = none.as_object().unwrap();
        assert!(none["book_digest"].is_null() && none["books"].is_null());
    }

    #[test]
    fn reads_back() {
        let (mut report, _) = sample(1);
        let back = parse(&render(&report)).unwrap();
        report.curves.clear();
        report.timeline.clear();
        assert_eq!(back, report);
        assert_eq!(parse("{\"packets\": 3, \"new\": []}").unwrap().packets, 3);
        assert!(parse("{\"packets\": -1}").is_err());
    }
}
