use super::super::chart::{NARROW, WIDE, against_burst};
use super::super::model::tests::sample;
use super::super::{html, json, terminal};
use super::*;
use feed_common::latency::Resolution;
use feed_common::latency::bursts::{Arrivals as Counter, Bursts};

/// Ten packets at once, each taking 300 ns longer than the one before, then ten alone.
fn found() -> Arrivals {
    let (mut counter, mut seen) = (Counter::new(), Bursts::new(Resolution::default()));
    for packet in 0..20u64 {
        let alone = packet.saturating_sub(9);
        counter.arrived(1_000_000 + alone * 2_000_000, &mut seen);
        seen.published(counter.place(), 300 * counter.place());
    }
    counter.finish(&mut seen);
    let mut totals = BurstTotals::new(Resolution::default());
    assert_eq!(Arrivals::of(&totals), None);
    totals.add(&seen);
    Arrivals::of(&totals).unwrap()
}

#[test]
fn numbers_and_rates_of_every_window() {
    let found = found();
    let of = |w: &Window| (w.window_ns, w.count, w.p50, w.p99, w.max, w.max_per_second);
    assert_eq!(of(&found.windows[0]), (10_000, 20, 1, 10, 10, 1_000_000));
    assert_eq!(of(&found.windows[2]), (1_000_000, 20, 1, 10, 10, 10_000));
    assert!(!found.at_least);
}

#[test]
fn latency_by_the_place_in_the_burst() {
    let found = found();
    let of = |c: &Crowd| (c.range(), c.count, c.p50, c.max);
    let rows: Vec<_> = found.latency.iter().map(of).collect();
    let row = |range: &str, count, p50, max| (range.to_owned(), count, p50, max);
    assert_eq!(rows[0], row("1", 11, 300, 300));
    assert_eq!((rows[1].0.as_str(), rows[1].1), ("2–3", 2));
    assert_eq!(
        (rows[3].0.as_str(), rows[3].1, rows[3].3),
        ("8–15", 3, 3_000)
    );
    let last = Crowd {
        from: 2_048,
        ..Crowd::default()
    };
    assert_eq!(last.range(), "2,048 or more");
}

#[test]
fn every_form_of_the_report_has_them() {
    let (mut report, _) = sample(1);
    assert!(!json::render(&report).contains("arrivals"));
    report.arrivals = Some(found());
    let back = json::parse(&json::render(&report)).unwrap();
    assert_eq!(back.arrivals, report.arrivals);
    let text = terminal::render(&report);
    let row = text.lines().find(|l| l.starts_with("  10.0 µs ")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    let want = "10.0 µs 1 10 10 10 100,000 1,000,000 1,000,000";
    assert_eq!(cells.join(" "), want);
    assert!(text.contains("\n  8–15"), "{text}");
    let page = html::render(&report);
    assert!(page.contains("<h2>Latency against burst</h2>"));
    let mut rows = Vec::new();
    super::rows(&report, |what, stage, figure, value| {
        rows.push(format!("{what},{stage},{figure},{value}"));
    });
    for row in [
        "packets_within_10us,,max,10",
        "latency_from_packet_8,published,count,3",
    ] {
        assert!(rows.iter().any(|r| r == row), "{row} in {rows:?}");
    }
}

#[test]
fn a_capture_has_arrivals_and_no_latency_against_them() {
    let (mut report, _) = sample(1);
    report.arrivals = Some(Arrivals {
        latency: Vec::new(),
        ..found()
    });
    let page = html::render(&report);
    assert!(page.contains("<h2>How close packets came</h2>"));
    assert!(!page.contains("Latency against burst"));
    assert!(!terminal::render(&report).contains("Latency against burst"));
}

#[test]
fn the_chart_has_a_line_for_each_figure_and_stays_inside() {
    let crowd = |i: u32| Crowd {
        from: 1 << i,
        to: (i < 11).then_some((2 << i) - 1),
        count: 5,
        p50: 400 << i,
        p99: 900 << i,
        max: 3_000 << i,
    };
    for (crowds, size) in [(12, WIDE), (12, NARROW), (1, WIDE), (1, NARROW)] {
        let crowds: Vec<Crowd> = (0..crowds).map(crowd).collect();
        let svg = against_burst(&crowds, 100_000, size);
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert_eq!(svg.matches("<circle").count(), 3 * crowds.len());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(svg.contains("packets within 100 µs"));
    }
}
