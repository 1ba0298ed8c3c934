use super::*;
use crate::report::{Figures, Ordered};
use crate::status::{
    ChannelStatus, ConsumerStatus, JournalStatus, LaneStatus, LineStatus, documentation,
};

fn status() -> Status {
    let line = |name: &str, silent_ns| LineStatus {
        name: name.into(),
        packets: 7,
        silent_ns,
        ..LineStatus::default()
    };
    Status {
        version: "1.2".into(),
        elapsed_ns: 1_500_000_000,
        lanes: vec![LaneStatus {
            name: "equities".into(),
            packets: 14,
            messages: 20,
            published: 33,
            drops: [("ring_full", 2), ("stash_full", 0)]
                .into_iter()
                .collect::<Ordered<u64>>(),
            journal: Some(JournalStatus {
                records: 31,
                lost: 2,
            }),
        }],
        channels: vec![ChannelStatus {
            name: "it\"ch\\".into(),
            trust: "stale".into(),
            lost: 3,
            lines: vec![line("A", Some(40_000_001)), line("B", None)],
            ..ChannelStatus::default()
        }],
        consumers: vec![ConsumerStatus {
            name: "k".into(),
            lost: 9,
            ..ConsumerStatus::default()
        }],
        stages: vec![StageStatus {
            stage: "decoded".into(),
            interval: Figures {
                count: 4,
                p50: 900,
                p999: 12_000,
                ..Figures::default()
            },
            total: Figures {
                count: 40,
                max: 2_000_000_000,
                ..Figures::default()
            },
        }],
        ..Status::default()
    }
}

#[test]
fn the_text_is_openmetrics() {
    let text = render(&status());
    for line in [
        "# TYPE feed_handler_build info",
        "feed_handler_build_info{version=\"1.2\"} 1",
        "feed_handler_uptime_seconds 1.500000000",
        "feed_handler_journal_records_total{lane=\"equities\"} 31",
        "feed_handler_journal_lost_records_total{lane=\"equities\"} 2",
        "# TYPE feed_handler_packets counter",
        "feed_handler_packets_total{lane=\"equities\"} 14",
        "feed_handler_dropped_total{lane=\"equities\",cause=\"ring_full\"} 2",
        "feed_handler_channel_trust{channel=\"it\\\"ch\\\\\"} 1",
        "feed_handler_line_packets_total{channel=\"it\\\"ch\\\\\",line=\"B\"} 7",
        "feed_handler_line_silence_seconds{channel=\"it\\\"ch\\\\\",line=\"A\"} 0.040000001",
        "feed_handler_consumer_lost_records_total{consumer=\"k\"} 9",
        "feed_handler_stage_latency_seconds{stage=\"decoded\",quantile=\"0.999\"} 0.000012000",
        "feed_handler_stage_latency_seconds_count{stage=\"decoded\"} 40",
        "feed_handler_stage_latency_max_seconds{stage=\"decoded\"} 2.000000000",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n"));
    assert!(!text.contains("silence_seconds{channel=\"it\\\"ch\\\\\",line=\"B\"}"));
    // Each family once, and its samples behind it.
    let families: Vec<_> = text
        .lines()
        .filter_map(|l| l.strip_prefix("# TYPE "))
        .collect();
    let mut names: Vec<_> = families.iter().map(|f| f.split(' ').next()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), METRICS.len());
    assert_eq!(families.len(), METRICS.len());
}

#[test]
fn an_idle_stage_has_a_count_and_no_quantiles() {
    let mut status = status();
    status.stages[0].interval = Figures::default();
    let text = render(&status);
    assert!(!text.contains("quantile="));
    assert!(text.contains("stage_latency_seconds_count"));
}

#[test]
fn the_documentation_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page == documentation(),
        "docs/METRICS.md is to be:\n{}",
        documentation()
    );
}

#[test]
fn alert_rules_name_what_there_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/alerts.yml");
    let rules = std::fs::read_to_string(path).unwrap();
    let samples: Vec<String> = METRICS
        .iter()
        .map(|m| format!("{PREFIX}{}{}", m.name, m.kind.suffix()))
        .collect();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = 0;
    for name in rules.split(|c| !word(c)).filter(|w| w.starts_with(PREFIX)) {
        assert!(samples.iter().any(|s| s == name), "{name} is no metric");
        found += 1;
    }
    assert!(found >= 8, "{found} names");
}
