use super::super::model::tests::sample;
use super::*;

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

/// Every tag is closed, in order.
#[test]
fn tags_are_balanced() {
    for seconds in [0, 1, 5] {
        let (report, _) = sample(seconds);
        let page = render(&report);
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
