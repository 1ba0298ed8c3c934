use super::super::compare::{Row, Verdict, compare};
use super::super::model::tests::sample;
use super::super::{Budget, Document, GapPoint, INJECTED, IntervalPoint, Journal, Recording, Run};
use super::*;
use std::time::Duration;

#[test]
fn one_file_without_references() {
    let (report, _) = sample(10);
    let page = render(&report);
    for forbidden in [
        "http:", "https:", "src=", "href=", "<script", "@import", "url(",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for part in [
        "99 % of packets were visible to consumers within",
        "17 messages in 3 gaps arrived on no line",
        "Where the time went",
        "Percentiles",
        "Over time",
        "Losses by cause",
        "00f1e2d3c4b5a697",
        "<h2>Books</h2>",
        "<tr><td class=\"t\">live orders</td><td>12,345</td></tr>",
        "<code>crossed</code></td><td>2</td>",
        "Looked for and not seen: <code>unknown_order</code>.",
        "0123456789abcdef",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.len() < 200 << 10, "{} bytes", page.len());
}

#[test]
fn what_was_kept_and_what_of_it_is_missing_is_said() {
    let (mut report, _) = sample(1);
    report.record = Some(Recording {
        packets: 7,
        lost: 2,
        file: "<day>.pcap".into(),
        ..Recording::default()
    });
    report.journals = vec![Journal {
        dir: "journal/l".into(),
        records: 1_234,
        ..Journal::default()
    }];
    let page = render(&report);
    for row in [
        "packets not in the recording “&lt;day&gt;.pcap”, which has 7 packets</td><td>2</td>",
        "records not in the journal “journal/l”, which has 1,234 records</td><td class=\"zero\">0</td>",
    ] {
        assert!(page.contains(row), "{row}");
    }
}

#[test]
fn foreign_text_is_escaped() {
    let (mut report, _) = sample(1);
    report.lines[0].channel = "<img onerror=x>".into();
    report.drops.set("<u>cause", 1);
    let page = render(&report);
    for raw in ["<script>alert", "<img", "<u>", "printer <b>"] {
        assert!(!page.contains(raw), "{raw}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

/// Runs held against others and a budget, with damage and a delay.
fn compared(seconds: u64) -> Document {
    let runs = |names: &[&str]| -> Vec<Run> {
        let run = |name: &&str| Run {
            name: format!("<{name}>"),
            report: sample(seconds).0,
            damage: vec!["latency.hlog: line 3: <cut>".to_owned()],
            ..Run::default()
        };
        names.iter().map(run).collect()
    };
    let mut document = Document {
        runs: runs(&["new"]),
        base: runs(&["old", "older"]),
        ..Document::default()
    };
    document.runs[0]
        .report
        .run
        .set(INJECTED, "<5ms>".to_owned());
    let budget = Budget::parse("[published]\np99 = \"1ns\"", "b".as_ref()).unwrap();
    document.budget = budget.judge(&document.runs);
    let mut comparison = compare(&document.runs, &document.base);
    comparison.rows = [-40.0, 2.0, 900.0].map(row).into();
    document.comparison = Some(comparison);
    document
}

fn row(percent: f64) -> Row {
    Row {
        stage: "published",
        quantile: "p50",
        base_ns: 100.0,
        ns: 100.0 + percent,
        difference_ns: percent,
        percent,
        low_percent: percent - 10.0,
        high_percent: percent + 5_000.0,
        verdict: match percent {
            p if p > 10.0 => Verdict::Regressed,
            p if p < -10.0 => Verdict::Improved,
            _ => Verdict::Same,
        },
        reason: "because".to_owned(),
    }
}

#[test]
fn runs_held_against_others_are_one_page() {
    let page = document(&compared(3));
    for part in [
        "These runs cannot be compared",
        "was run with an INJECTED DELAY: &lt;5ms&gt;",
        "could not be read as a whole: latency.hlog: line 3: &lt;cut&gt;",
        "<h2>Before and now</h2>",
        "<h2>Budget</h2>",
        "<td class=\"t bad\">broken</td>",
        "<td class=\"t bad\">regressed</td>",
        "<h2>Runs side by side</h2>",
        "<h2>Percentiles by run</h2>",
        "class=\"curve r-before\"",
        "class=\"curve r-now\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(
        page.matches("class=\"range worse\"").count(),
        2,
        "wide and narrow"
    );
    assert!(!page.contains("<new>") && !page.contains("NaN"));
}

#[test]
fn a_delay_is_said_before_anything_else() {
    let (mut report, _) = sample(1);
    report
        .run
        .set(INJECTED, "20us in front of decoded".to_owned());
    let page = render(&report);
    let at = |what: &str| page.find(what).unwrap();
    assert!(at("INJECTED DELAY: 20us in front of decoded") < at("<h1>"));
}

#[test]
fn holes_are_marked_above_the_time_line() {
    let (mut report, _) = sample(4);
    let gap = |millis, lost| GapPoint {
        opened: Duration::from_millis(millis),
        length: Duration::from_millis(1),
        lost,
    };
    report.gaps = vec![gap(1_500, 0), gap(1_501, 0), gap(2_500, 4), gap(99_000, 1)];
    let page = render(&report);
    assert_eq!(
        page.matches("class=\"gap healed\"").count(),
        2,
        "one a column, wide and narrow"
    );
    assert_eq!(
        page.matches("class=\"gap lost\"").count(),
        2,
        "and none beyond the end"
    );
    assert!(page.contains("red where some were given up"));
    assert!(page.contains("class=\"heat h5\""));
}

#[test]
fn a_long_run_is_a_small_page() {
    let (mut report, _) = sample(1);
    let template = report.timeline[0].clone();
    let at = |i| IntervalPoint {
        start: Duration::from_secs(i),
        ..template.clone()
    };
    report.timeline = (0..86_400).map(at).collect();
    let gap = |i| GapPoint {
        opened: Duration::from_secs(i),
        length: Duration::from_millis(1),
        lost: i % 2,
    };
    report.gaps = (0..86_400).map(gap).collect();
    let page = render(&report);
    assert!(page.len() < 400 << 10, "{} bytes", page.len());
}

/// Every tag is closed, in order.
#[test]
fn tags_are_balanced() {
    let pages = [0, 1, 5].map(|seconds| render(&sample(seconds).0));
    for page in pages.into_iter().chain([document(&compared(2))]) {
        let body = &page[page.find("<html").unwrap()..];
        let mut open: Vec<&str> = Vec::new();
        for tag in body.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            let name = tag.split([' ', '/']).next().unwrap();
            if let Some(closing) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closing), "in {tag}");
            } else if !tag.ends_with('/') && name != "meta" {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?} left open");
    }
}

#[test]
fn one_interval_makes_no_time_line_and_none_no_charts() {
    let one = render(&sample(1).0);
    assert!(one.contains("Percentiles") && !one.contains("Over time"));
    let none = render(&RunReport::default());
    assert!(!none.contains("<h2>Books</h2>"));
    assert!(none.contains("No latency was recorded"));
    assert!(!none.contains("<svg"));
    assert!(
        none.contains("No message was lost on the way in, and nothing that arrived was dropped.")
    );
}

#[test]
fn a_run_is_written_whole() {
    let (report, _) = sample(2);
    let dir = std::env::temp_dir().join(format!("feed-report-run-{}", std::process::id()));
    let dir = dir.join("deeper");
    super::super::write_run(&dir, &report).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["report.html", "summary.json"]);
    let html = std::fs::read_to_string(dir.join("report.html")).unwrap();
    assert_eq!(html, render(&report));
    std::fs::remove_dir_all(dir.parent().unwrap()).unwrap();
}
