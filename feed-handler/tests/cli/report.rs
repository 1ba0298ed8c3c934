//! Reports of runs: folders, formats, budgets, comparisons and their exit statuses.

use crate::support::*;

/// Folders of runs of one capture.
struct Runs {
    scratch: Scratch,
    config: String,
    capture: String,
}

impl Runs {
    fn new() -> Runs {
        Runs::of(20_000)
    }

    fn of(messages: u64) -> Runs {
        let scratch = Scratch::new();
        let capture = scratch.file("a.pcap", session(messages));
        let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
        Runs {
            scratch,
            config,
            capture,
        }
    }

    fn run(&self, name: &str, more: &[&str]) -> String {
        let out = self.scratch.path(name);
        let arguments = [
            "run",
            "-c",
            &self.config,
            "--input",
            &self.capture,
            "--out",
            &out,
        ];
        feed_handler(&[&arguments, more].concat()).is(0, "report.html");
        out
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_run_is_reported_as_it_wrote_itself() {
    let runs = Runs::new();
    let run = runs.run("r", &[]);
    let page = runs.scratch.path("page.html");
    feed_handler(&["report", &run, "-o", &page]).is(0, "wrote ");
    assert_eq!(read(&page), read(&format!("{run}/report.html")));
    let md = feed_handler(&["report", &run, "--format", "md"]);
    let md = &md.is_quiet().out;
    assert!(
        md.contains("## Latency by stage") && md.contains("| published |"),
        "{md}"
    );
    let json = feed_handler(&["report", &run, "--format", "json"]).json();
    assert_eq!(json["runs"][0]["summary"]["messages"], 20_000);
    assert_eq!(json["runs"][0]["damage"].as_array().unwrap().len(), 0);
    let curve = json["runs"][0]["curves"]["published"].as_array().unwrap();
    assert!(curve.len() > 24 && curve[0][0] == 0.0);
    let csv = feed_handler(&["report", &run, "--format", "csv"]);
    let rows: Vec<&str> = csv.is_quiet().out.lines().collect();
    let columns = rows[0].split(',').count();
    assert!(
        rows.iter().all(|row| row.split(',').count() == columns),
        "{rows:?}"
    );
    let p99 = json["runs"][0]["summary"]["latency"]["published"]["p99"]
        .as_u64()
        .unwrap();
    assert!(
        rows.iter()
            .any(|row| row.starts_with("latency,")
                && row.contains(&format!(",published,p99,{p99},")))
    );
}

#[test]
fn several_runs_stand_side_by_side() {
    let runs = Runs::new();
    let (a, b) = (runs.run("a", &[]), runs.run("b", &[]));
    let page = runs.scratch.path("both.html");
    feed_handler(&["report", &a, &b, "-o", &page]).is(0, "wrote ");
    let page = read(&page);
    assert!(page.contains("2 runs side by side") && page.contains("Percentiles by run"));
    assert_eq!(
        page.matches("class=\"curve r-").count(),
        4,
        "two runs, twice"
    );
    assert!(!page.contains("http") && !page.contains("<script"));
    let md = feed_handler(&["report", &a, &b, "--format", "md"]).out;
    assert!(md.contains("## Runs side by side"), "{md}");
}

#[test]
fn a_budget_is_kept_or_broken() {
    let runs = Runs::new();
    let run = runs.run("r", &[]);
    let kept = runs
        .scratch
        .file("kept.toml", "[published]\np99 = \"1h\"\n");
    let broken = runs.scratch.file(
        "broken.toml",
        "[published]\np99 = \"1h\"\np50 = \"0ns\"\n[taken]\nmax = \"1h\"\n",
    );
    for format in ["md", "csv", "json"] {
        let at =
            |budget: &str| feed_handler(&["report", &run, "--format", format, "--budget", budget]);
        assert!(at(&kept).is_quiet().out.contains("kept"));
        let ended = at(&broken);
        ended.is(3, "budget broken: published p50 is ");
        assert!(
            ended.err.contains("and 1 more"),
            "taken has no figures: {}",
            ended.err
        );
        assert!(ended.out.contains(if format == "json" {
            "\"kept\": false"
        } else {
            "broken"
        }));
    }
    let page = runs.scratch.path("page.html");
    let ended = feed_handler(&["report", &run, "-o", &page, "--budget", &broken]);
    assert!(
        ended.is(3, "").out.contains("no figures"),
        "the table is printed too"
    );
    assert!(read(&page).contains("<h2>Budget</h2>"));
    let wrong = runs
        .scratch
        .file("wrong.toml", "[published]\n\np98 = \"5us\"\n");
    feed_handler(&["report", &run, "--budget", &wrong]).is(2, "wrong.toml:3:1: unknown key `p98`");
    feed_handler(&["report", &run, "--budget", "/none.toml"]).is(2, "cannot be read");
}

#[test]
fn what_is_no_run_and_where_nothing_can_be_written() {
    let runs = Runs::new();
    feed_handler(&["report", &runs.scratch.path("")]).is(2, "nothing of a run can be read");
    feed_handler(&["report", &runs.capture]).is(2, "not the folder of a run");
    feed_handler(&["report"]).is(2, "Usage");
    let run = runs.run("r", &[]);
    feed_handler(&["report", &run, "-o", "/proc/none/page.html"]).is(1, "cannot write");
    feed_handler(&["report", &run, "-o", "/dev/full"]).is(1, "the disk is full");
    // Damage is named, and what can be read is reported.
    std::fs::write(format!("{run}/latency.hlog"), "Tag=decoded,0,1,1,HISTFA\n").unwrap();
    let ended = feed_handler(&["report", &run, "--format", "csv"]);
    ended.is(0, "could not be read as a whole: latency.hlog: line 1: ");
    assert!(ended.out.contains("damage,") && ended.out.contains(",published,p99,"));
    let md = feed_handler(&["report", &run, "--format", "md"]);
    assert!(md.out.contains("> **") && md.out.contains("latency.hlog: line 1"));
}

#[test]
fn runs_are_held_against_others() {
    let runs = Runs::new();
    let short = Runs::of(200);
    let (a, b) = (short.run("a", &[]), short.run("b", &[]));
    // So short that they have an interval or two.
    let ended = feed_handler(&["report", &b, "--compare", &a, "--format", "md"]);
    ended.is(3, "not comparable: too short");
    let sides: Vec<(String, String)> = (0..6)
        .map(|i| {
            (
                runs.run(&format!("base{i}"), &[]),
                runs.run(&format!("new{i}"), &[]),
            )
        })
        .collect();
    let base: Vec<&str> = sides.iter().map(|(base, _)| base.as_str()).collect();
    let new: Vec<&str> = sides.iter().map(|(_, new)| new.as_str()).collect();
    let arguments = [
        &["report", "--format", "json"],
        &new[..],
        &["--compare"],
        &base[..],
    ]
    .concat();
    let (one, two) = (feed_handler(&arguments), feed_handler(&arguments));
    assert_eq!(one.out, two.out, "the same input gives the same answer");
    let json = one.json();
    let verdict = json["comparison"]["verdict"].as_str().unwrap();
    assert_eq!(
        one.status,
        if ["same", "improved"].contains(&verdict) {
            0
        } else {
            3
        },
        "{verdict}"
    );
    let rows = json["comparison"]["rows"].as_array().unwrap();
    assert!(
        rows.iter()
            .any(|row| row["stage"] == "published" && row["quantile"] == "p50")
    );
}

#[test]
fn an_injected_delay_is_found_and_said_everywhere() {
    // Two dozen packets, and a delay that no machine has by itself.
    let runs = Runs::of(450);
    let mut arguments = vec!["report".to_owned()];
    let mut base = Vec::new();
    for i in 0..6 {
        base.push(runs.run(&format!("base{i}"), &[]));
        arguments.push(runs.run(&format!("new{i}"), &["--inject", "published=100ms"]));
    }
    let slowed = arguments[1].clone();
    let said = "100ms in front of published, 100 % of packets";
    let summary: serde_json::Value =
        serde_json::from_str(&read(&format!("{slowed}/summary.json"))).unwrap();
    assert_eq!(summary["run"]["injected delay"], said);
    assert!(read(&format!("{slowed}/report.html")).contains(&format!("INJECTED DELAY: {said}")));
    for format in ["md", "csv", "json"] {
        let ended = feed_handler(&["report", &slowed, "--format", format]);
        ended.is(0, "INJECTED DELAY");
        assert!(ended.out.contains(said), "{format}");
    }
    let page = runs.scratch.path("page.html");
    arguments.extend(["-o".to_owned(), page.clone(), "--compare".to_owned()]);
    arguments.extend(base);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = feed_handler(&arguments);
    ended.is(3, "regressed: published ");
    assert!(ended.out.contains("publishing itself takes") && ended.out.contains("INJECTED DELAY"));
    let page = read(&page);
    assert!(page.contains("Slower than before, in the stage published"));
}

#[test]
fn a_delay_that_cannot_be_is_refused() {
    let runs = Runs::new();
    for (delay, why) in [
        (
            "taken=1us",
            "unknown stage `taken`, expected one of `dequeue`, `decoded`, `published`",
        ),
        ("decoded", "expected <stage>=<delay>"),
        ("decoded=5", "expected a duration"),
        ("decoded=1us@0%", "a share above 0 % and up to 100 %"),
        ("decoded=1us@101%", "a share above 0 % and up to 100 %"),
        ("decoded=2s", "at most 1s"),
    ] {
        feed_handler(&[
            "run",
            "-c",
            &runs.config,
            "--input",
            &runs.capture,
            "--inject",
            delay,
        ])
        .is(2, why);
    }
}

#[test]
fn omission_is_corrected_only_on_purpose_once_and_without_a_schedule() {
    let runs = Runs::new();
    let run = runs.run("r", &[]);
    let published = |json: &serde_json::Value, figure: &str| {
        let latency = &json["runs"][0]["summary"]["latency"];
        latency["published"][figure].as_u64().unwrap()
    };
    let as_json = ["report", &run, "--format", "json"];
    let measured = feed_handler(&as_json).is_quiet().json();
    assert!(measured["runs"][0]["summary"]["omission_corrected_ns"].is_null());
    // However slow the machine is: the longest stands for ten.
    let interval = published(&measured, "max") / 10;
    let flag = ["--correct-omission-known", &format!("{interval}ns")];
    let corrected = feed_handler(&[&as_json[..], &flag].concat());
    corrected.is(0, "CORRECTED FOR OMISSION by a known interval of ");
    let corrected = corrected.json();
    let summary = &corrected["runs"][0]["summary"];
    assert_eq!(summary["omission_corrected_ns"], interval);
    let counts = [&corrected, &measured].map(|json| published(json, "count"));
    assert!(counts[0] >= counts[1] + 9, "{counts:?}");
    // Not with what judges figures, nor by what is no time.
    for more in [["--compare", &run], ["--budget", "b.toml"]] {
        let arguments = [&["report", &run][..], &flag, &more].concat();
        feed_handler(&arguments).is(2, "cannot be used with");
    }
    for bad in ["0ns", "fast"] {
        feed_handler(&["report", &run, "--correct-omission-known", bad]).is(2, "");
    }
    // What was corrected is not corrected again.
    let path = format!("{run}/summary.json");
    std::fs::write(&path, summary.to_string()).unwrap();
    let again = [&["report", &run][..], &flag].concat();
    feed_handler(&again).is(2, "it has been corrected for omission already, by ");
    // Live packets came by a schedule; of a run without a summary nobody knows.
    let live = summary.to_string().replace("capture ", "live lines ");
    let live = live.replace(&format!("\"omission_corrected_ns\":{interval},"), "");
    std::fs::write(&path, live).unwrap();
    feed_handler(&again).is(2, "which come by a schedule of their own");
    std::fs::remove_file(&path).unwrap();
    feed_handler(&again).is(2, "it does not say what its input was");
}

#[test]
fn a_file_has_the_arrivals_of_its_capture() {
    let runs = Runs::new();
    let run = runs.run("r", &[]);
    let json = feed_handler(&["report", &run, "--format", "json"]).json();
    let summary = &json["runs"][0]["summary"];
    let windows = summary["arrivals"]["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 3);
    for window in windows {
        assert_eq!(window["count"], summary["packets"]);
    }
    // A capture is read as fast as it can be: no loop waits, and no packet came behind another.
    assert!(summary["arrivals"]["latency"].is_null() && summary["pauses"].is_null());
    let csv = feed_handler(&["report", &run, "--format", "csv"]).out;
    assert!(csv.contains("\npackets_within_100us,") && !csv.contains("\npauses,"));
}
