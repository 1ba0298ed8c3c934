//! Sampled messages by type and symbol, and percentile files: what a run's folder has of them.

use crate::support::*;
use feed_replay::synth::{Protocol, Recording, Spec};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs of a session that a venue tells, with and without sampling: their summaries, and the folder of the second.
fn runs(scratch: &Scratch, protocol: Protocol) -> ([Value; 2], String) {
    let name = protocol.name().name();
    let (session, _) = Recording::of(&Spec::new(protocol, 6_000, 11)).unwrap();
    let packets = session.packets().map(|p| (GROUP, p.payload));
    let capture = scratch.file(&format!("{name}.pcap"), pcap(packets));
    let run = |sample: u32| {
        let latency = format!("\n[latency]\nsample_messages = {sample}\n");
        let config = configuration(name, GROUP, "") + &latency;
        let config = scratch.file(&format!("{name}-{sample}.toml"), config);
        let out = scratch.path(&format!("{name}-{sample}"));
        feed_handler(&["run", "-c", &config, "--input", &capture, "--out", &out])
            .is(0, "summary.json");
        let text = std::fs::read_to_string(format!("{out}/summary.json")).unwrap();
        (serde_json::from_str(&text).unwrap(), out)
    };
    let ((plain, _), (sampled, folder)) = (run(0), run(1));
    ([plain, sampled], folder)
}

#[test]
fn sampling_tells_types_and_symbols_apart_and_changes_nothing() {
    let scratch = Scratch::new();
    for &protocol in Protocol::ALL {
        let ([plain, sampled], _) = runs(&scratch, protocol);
        let name = protocol.name();
        for same in [
            "record_digest",
            "book_digest",
            "messages",
            "published",
            "sequence",
        ] {
            assert_eq!(plain[same], sampled[same], "{name}: {same}");
        }
        assert!(plain["sampled"].is_null(), "{name}");
        let of = &sampled["sampled"];
        assert_eq!(
            (&of["one_in"], &of["untyped"]),
            (&1.into(), &0.into()),
            "{name}"
        );
        let types = of["types"].as_array().unwrap();
        let count = |rows: &[Value]| {
            rows.iter()
                .map(|r| r["count"].as_u64().unwrap())
                .sum::<u64>()
        };
        assert_eq!(
            count(types),
            sampled["latency"]["message"]["count"].as_u64().unwrap(),
            "{name}"
        );
        for row in types {
            let figure = |key: &str| row[key].as_u64().unwrap();
            assert!(figure("p50") <= figure("p99"), "{name}: {row}");
            assert_ne!(row["name"], "", "{name}: {row}");
        }
        let symbols = of["symbols"].as_array().unwrap();
        assert!((1..=20).contains(&symbols.len()), "{name}: {symbols:?}");
        assert!(
            symbols.is_sorted_by_key(|s| std::cmp::Reverse(s["p90"].as_u64())),
            "{name}"
        );
    }
}

#[test]
fn types_are_counted_as_stats_counts_them() {
    let scratch = Scratch::new();
    let ([_, sampled], folder) = runs(&scratch, Protocol::Itch50);
    let stats = feed_handler(&["stats", &scratch.path("itch50.pcap"), "--format", "json"]).json();
    let types = sampled["sampled"]["types"].as_array().unwrap();
    let counted = types
        .iter()
        .map(|t| (t["type"].as_str().unwrap().to_owned(), t["count"].clone()));
    let counted: serde_json::Map<String, Value> = counted.collect();
    assert_eq!(Value::Object(counted), stats["by_type"]);
    assert!(
        types
            .iter()
            .any(|t| t["type"] == "A" && t["name"] == "Add Order")
    );
    let page = std::fs::read_to_string(format!("{folder}/report.html")).unwrap();
    for part in [
        "<h2>Message types</h2>",
        "Add Order",
        "<h2>Slowest symbols</h2>",
        "One message in 1 was timed",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let md = feed_handler(&["report", &folder, "--format", "md"]).out;
    assert!(
        md.contains("## Message types") && md.contains("## Channels"),
        "{md}"
    );
    let csv = feed_handler(&["report", &folder, "--format", "csv"]).out;
    assert!(
        csv.contains("\ntype,") && csv.contains(",A,p99,") && csv.contains("\nsymbol,"),
        "{csv}"
    );
}

#[test]
fn the_cost_of_measuring_is_said_as_a_share() {
    let scratch = Scratch::new();
    let ([_, summary], folder) = runs(&scratch, Protocol::Itch50);
    let cost = &summary["instruments"];
    let part = |key: &str| cost[key].as_f64().unwrap();
    assert!(
        part("clock_ns") > 0.0 && part("packet_ns") > 2.0 * part("clock_ns"),
        "{cost}"
    );
    let p50 = summary["latency"]["published"]["p50"].as_f64().unwrap();
    let share = part("packet_ns") * 100.0 / p50;
    assert!(
        (part("percent_of_p50") - share).abs() < 0.06,
        "{cost} of {p50}"
    );
    let page = std::fs::read_to_string(format!("{folder}/report.html")).unwrap();
    assert!(page.contains("% of the p50 of published"));
}

#[test]
fn percentile_files_are_those_of_the_log() {
    let scratch = Scratch::new();
    let (_, folder) = runs(&scratch, Protocol::Itch50);
    let plots = scratch.path("plots");
    feed_handler(&["report", &folder, "--format", "hgrm", "-o", &plots])
        .is(0, "percentile files to ");
    let names = |dir: &str| {
        let entries = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    };
    let own = format!("{folder}/hgrm");
    assert_eq!(names(&own), names(&plots));
    assert!(names(&own).contains(&"published.hgrm".to_owned()));
    for name in names(&own) {
        let read = |dir: &str| std::fs::read(Path::new(dir).join(&name)).unwrap();
        assert!(read(&own) == read(&plots), "{name}");
    }
    // As Python decodes the log.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/check_hgrm.py");
    let log = format!("{folder}/latency.hlog");
    let checked = Command::new("python3")
        .arg(script)
        .args([&log, &own])
        .output();
    match checked {
        Ok(output) if output.status.code() != Some(3) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
        _ => eprintln!("SKIPPED: needs python3 with the package hdrhistogram"),
    }
    feed_handler(&["report", &folder, &folder, "--format", "hgrm"]).is(2, "expected one folder");
}

#[test]
fn channels_of_a_lane_have_latencies_of_their_own() {
    let scratch = Scratch::new();
    let other = "239.9.9.2:26402";
    let session = |messages, seed| {
        Recording::of(&Spec::new(Protocol::Itch50, messages, seed))
            .unwrap()
            .0
    };
    let (a, b) = (session(4_000, 1), session(9_000, 2));
    let first = a.packets().map(|p| (GROUP, p.payload));
    let packets = first.chain(b.packets().map(|p| (other, p.payload)));
    let capture = scratch.file("two.pcap", pcap(packets));
    let second = configuration("itch50", other, "");
    let (_, second) = second.split_once("[[channel]]").unwrap();
    let second = second.replace("name = \"c\"", "name = \"deep\"");
    let config = configuration("itch50", GROUP, "") + "[[channel]]" + &second;
    let (config, out) = (scratch.file("two.toml", config), scratch.path("two"));
    feed_handler(&["run", "-c", &config, "--input", &capture, "--out", &out]).is(0, "summary.json");
    let summary = std::fs::read_to_string(format!("{out}/summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let channels = summary["channels"].as_array().unwrap();
    let figure = |i: usize, key: &str| channels[i]["published"][key].as_u64().unwrap();
    assert_eq!(
        (&channels[0]["messages"], &channels[1]["messages"]),
        (&4_000.into(), &9_000.into())
    );
    let whole = &summary["latency"]["published"];
    assert_eq!(
        figure(0, "count") + figure(1, "count"),
        whole["count"].as_u64().unwrap()
    );
    assert!(figure(0, "count") > 0 && figure(1, "p50") > 0);
    let log = std::fs::read_to_string(format!("{out}/latency.hlog")).unwrap();
    for tag in [
        "Tag=channel:c/published,",
        "Tag=channel:deep/published,",
        "Tag=published,",
    ] {
        assert!(log.contains(tag), "{tag}");
    }
    // What is read back has them once.
    let page = scratch.path("page.html");
    feed_handler(&["report", &out, "-o", &page]).is(0, "wrote ");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(
        page,
        std::fs::read_to_string(format!("{out}/report.html")).unwrap()
    );
    assert!(page.contains("<h2>Channels</h2>") && page.contains("deep"));
    let own = format!("{out}/hgrm/published.hgrm");
    let text = std::fs::read_to_string(own).unwrap();
    let total = format!("Total count    = {:12}]", whole["count"].as_u64().unwrap());
    assert!(text.contains(&total), "{text}");
}
