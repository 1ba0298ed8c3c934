//! `doctor` on the machine the tests run on, whatever that is, as whoever runs them and with less.

use crate::support::*;
use serde_json::Value;
use std::process::Command;

const CONFIGURATION: &str = r#"
[process]
lock_memory = true
[[lane]]
name = "l"
core = 0
priority = 1
[[channel]]
name = "c"
protocol = "itch50"
lane = "l"
lines = [{ name = "A", group = "239.1.1.1:5000", interface = "lo" }]
"#;

/// Holds the shape and gives the checks.
#[track_caller]
fn checks(ended: &Ended) -> Vec<Value> {
    ended.is_quiet();
    let facts = ended.json();
    let keys: Vec<&String> = facts.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["checks"]);
    let checks = facts["checks"].as_array().unwrap();
    let mut names = Vec::new();
    for check in checks {
        let keys: Vec<&String> = check.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            ["name", "status", "reason", "effect", "fix"],
            "{check}"
        );
        let text = |key: &str| check[key].as_str().unwrap();
        assert!(
            ["OK", "WARN", "FAIL", "UNKNOWN"].contains(&text("status")),
            "{check}"
        );
        assert!(
            !text("reason").is_empty() && text("effect").ends_with('.'),
            "{check}"
        );
        match text("status") {
            "OK" => assert_eq!(text("fix"), "", "{check}"),
            "WARN" | "FAIL" => assert_ne!(text("fix"), "", "{check}"),
            _ => {}
        }
        names.push(text("name").to_owned());
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), checks.len(), "each once: {names:?}");
    checks.clone()
}

#[track_caller]
fn named<'c>(checks: &'c [Value], name: &str) -> &'c Value {
    let found = checks.iter().find(|c| c["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {checks:?}"))
}

#[test]
fn this_machine_is_looked_at() {
    let all = checks(&feed_handler(&["doctor", "--format", "json"]));
    for name in [
        "cpu.isolated",
        "clock.source",
        "memory.swap",
        "network.receive_buffer",
    ] {
        named(&all, name);
    }
    let text = feed_handler(&["doctor"]);
    let (body, counts) = text.is_quiet().out.trim_end().rsplit_once("\n\n").unwrap();
    for check in &all {
        assert!(
            body.contains(check["name"].as_str().unwrap()),
            "{check} in {body}"
        );
    }
    // Other programs run beside this one, so only their sum is sure to be the same.
    let numbers = counts.split(", ").map(|c| c.split(' ').next().unwrap());
    let sum: usize = numbers.map(|n| n.parse::<usize>().unwrap()).sum();
    assert_eq!(sum, all.len(), "{counts}");
}

#[test]
fn a_configuration_is_held_against_it() {
    let scratch = Scratch::new();
    let config = scratch.file("feed.toml", CONFIGURATION);
    let all = checks(&feed_handler(&[
        "doctor", "-c", &config, "--format", "json",
    ]));
    let pinning = named(&all, "cpu.pinning");
    assert!(
        pinning["status"] != "OK" || pinning["reason"] == "lane l on core 0",
        "{pinning}"
    );
    assert_eq!(named(&all, "card.interface.lo")["status"], "OK");
    assert_eq!(named(&all, "card.ring.lo")["status"], "UNKNOWN");

    let elsewhere = CONFIGURATION
        .replace("\"lo\"", "\"none0\"")
        .replace("core = 0", "core = 1023");
    let config = scratch.file("elsewhere.toml", elsewhere);
    let all = checks(&feed_handler(&[
        "doctor", "-c", &config, "--format", "json",
    ]));
    assert_eq!(named(&all, "card.interface.none0")["status"], "FAIL");
    let pinning = named(&all, "cpu.pinning");
    assert!(
        ["FAIL", "UNKNOWN"].contains(&pinning["status"].as_str().unwrap()),
        "{pinning}"
    );

    let wrong = scratch.file("wrong.toml", CONFIGURATION.replace("priority", "prio"));
    feed_handler(&["doctor", "-c", &wrong]).is(2, "wrong.toml:");
    let none = scratch.path("none.toml");
    feed_handler(&["doctor", "-c", &none]).is(2, "none.toml");
}

#[test]
fn who_may_do_less_is_told_so() {
    let scratch = Scratch::new();
    let config = scratch.file("feed.toml", CONFIGURATION);
    for less in [
        // A user and network namespace of its own: root there, and nobody here.
        &["unshare", "-rn", "prlimit", "--rtprio=0", "--memlock=65536"][..],
        &[
            "setpriv",
            "--bounding-set=-all",
            "prlimit",
            "--rtprio=0",
            "--memlock=65536",
        ],
    ] {
        let run_in = |program: &[&str]| {
            let mut command = Command::new(less[0]);
            run(command.args(&less[1..]).args(program), b"")
        };
        let may = Command::new(less[0]).args(&less[1..]).arg("true").output();
        if !may.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: this system does not let its users run {less:?}");
            continue;
        }
        let all = checks(&run_in(&[
            PROGRAM, "doctor", "-c", &config, "--format", "json",
        ]));
        for (name, fix) in [
            ("limits.memory_lock", "ulimit -l"),
            ("limits.priority", "ulimit -r"),
        ] {
            let check = named(&all, name);
            assert_eq!(check["status"], "FAIL", "{check} under {less:?}");
            assert!(check["fix"].as_str().unwrap().contains(fix), "{check}");
        }
        checks(&run_in(&[PROGRAM, "doctor", "--format", "json"]));
    }
}
