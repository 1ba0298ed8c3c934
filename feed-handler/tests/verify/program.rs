//! The command: statuses and what it prints.

use crate::scratch::Scratch;
use crate::sessions::{Faults, Feed, pcap};
use crate::support::*;
use feed_replay::synth::Protocol;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Status, standard output, standard error.
fn verify(arguments: &[&str], in_dir: &Path) -> (Option<i32>, String, String) {
    let ended = Command::new(env!("CARGO_BIN_EXE_feed-handler"))
        .arg("verify")
        .args(arguments)
        .current_dir(in_dir)
        .output()
        .unwrap();
    let [out, err] = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!err.contains("panicked"), "{err}");
    (ended.status.code(), out, err)
}

#[test]
fn equal_is_0_different_is_3_and_what_cannot_be_compared_is_2() {
    let scratch = Scratch::new();
    let dir = scratch.0.as_path();
    let feed = Feed::new(Protocol::Itch50, 3_000, 3, Faults::default());
    let mut changed = packets(&feed);
    let whole = file(dir, "whole.pcap", capture(&changed));
    let at = change_a_price(&mut changed, 1_500);
    file(dir, "changed.pcap", capture(&changed));
    file(dir, "text.txt", b"no capture".to_vec());
    let on_b = changed
        .iter()
        .map(|(time, payload)| (*time, 1, &payload[..]));
    file(dir, "foreign.pcap", pcap(on_b));
    let mut plan = one_thread(Protocol::Itch50);
    plan.lanes[0].channels[0].lines.truncate(1);
    run(&plan, &whole, dir.join("run"));

    let (status, out, err) = verify(&["run", "whole.pcap"], dir);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("1 to 3,000 in 47 stretches: equal"), "{out}");
    assert!(out.ends_with("\nequal\n"), "{out}");
    let (status, out, err) = verify(&["run", "changed.pcap"], dir);
    assert_eq!(status, Some(3), "{out}");
    let shown = format!("{},{:03}", at / 1000, at % 1000);
    assert_eq!(
        err,
        format!("different: they part first on session at sequence {shown}\n")
    );
    assert!(out.contains(&format!("at sequence {shown}:")), "{out}");

    let (status, out, _) = verify(&["run", "changed.pcap", "--format", "json"], dir);
    assert_eq!(status, Some(3));
    let facts: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(facts["equal"], false);
    assert_eq!(facts["first"]["sequence"], at);
    assert_eq!(facts["parts"][0]["channel"], "session");
    assert_eq!(facts["parts"][0]["kind"], "records");
    assert_eq!(facts["sides"][0]["totals"]["messages"], 3_000);
    let (status, out, _) = verify(&["run", "run", "--format", "json"], dir);
    assert_eq!(status, Some(0));
    let facts: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&facts["equal"], &facts["first"]),
        (&true.into(), &Value::Null)
    );

    for (arguments, said) in [
        (
            ["nowhere", "whole.pcap"],
            "is not the folder of a run: it is no folder",
        ),
        (
            ["whole.pcap", "run"],
            "is not the folder of a run: it is no folder",
        ),
        (
            [".", "whole.pcap"],
            "is not the folder of a run: digests.jsonl: No such file",
        ),
        (["run", "nowhere.pcap"], "No such file"),
        (["run", "text.txt"], "a text file is not readable"),
        (
            ["run", "foreign.pcap"],
            "nothing in it was sent to a line of the run's configuration",
        ),
        (["run", "."], "is not the folder of a run"),
    ] {
        let (status, out, err) = verify(&arguments, dir);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(said), "{err}");
    }
    let (status, out, _) = verify(&["--help"], dir);
    assert!(status == Some(0) && out.contains("feed-handler verify runs/today day.pcap"));
}
