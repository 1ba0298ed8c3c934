//! The knobs of `generate`: what they change in the session, and what they refuse.

use feed_replay::synth::{Protocol, Spec, expected_book};
use serde_json::Value;
use std::process::{Command, Output};

/// A session of 30,000 messages, thrown away.
fn generate(more: &[&str]) -> Output {
    let base = "generate --protocol itch50 --messages 30000 --seed 3 -o /dev/null --format json";
    Command::new(env!("CARGO_BIN_EXE_feed-replay"))
        .args(base.split(' '))
        .args(more)
        .output()
        .unwrap()
}

fn made(more: &[&str]) -> Value {
    let output = generate(more);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{more:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_defaults_are_those_of_the_help() {
    let usual = made(&[]);
    let stated = [
        "--symbols",
        "100",
        "--rate",
        "100000",
        "--burst",
        "50:90",
        "--halts",
        "4",
        "--mix",
        "F=2.5,U=7,E=3.5,C=0.4,X=2,P=1",
    ];
    assert_eq!(made(&stated), usual);
    let count = |kind: &str| usual["by_type"][kind].as_u64().unwrap_or(0);
    assert!(count("U") > 1_500 && count("W") == 0);
}

#[test]
fn every_knob_changes_its_part_of_the_session() {
    let usual = made(&[]);
    let count = |made: &Value, kind: &str| made["by_type"][kind].as_u64().unwrap_or(0);
    let span = |made: &Value| made["last"].as_u64().unwrap() - made["first"].as_u64().unwrap();

    let few = made(&["--symbols", "20"]);
    assert_eq!((count(&few, "R"), &few["symbols"]), (20, &20.into()));
    let mixed = made(&["--mix", "U=0,P=5"]);
    assert!(count(&mixed, "U") < count(&usual, "U") / 4); // those before the open
    assert!(count(&mixed, "P") > 3 * count(&usual, "P"));
    let quiet = made(&["--halts", "0"]);
    assert!(count(&quiet, "J") == 0 && count(&usual, "J") >= 2);
    assert!(count(&quiet, "Q") + 4 == count(&usual, "Q"));
    let broken = made(&["--circuit-breaker"]);
    assert!(count(&broken, "W") == 1 && count(&broken, "H") > count(&usual, "H") + 200);
    let slow = made(&["--rate", "1000"]);
    assert!(span(&slow) > 8 * span(&usual)); // with the silences, which stay
    // Messages that come one by one share packets less than messages in bursts.
    let even = made(&["--burst", "1:0"]);
    assert!(even["packets"].as_u64() > usual["packets"].as_u64().map(|n| 2 * n));
    assert_eq!(even["messages"], usual["messages"]);
}

#[test]
fn what_no_knob_can_be_set_to_is_said_with_the_reason() {
    for (option, value, reason) in [
        ("--symbols", "0", "--symbols"),
        ("--rate", "0", "--rate"),
        ("--burst", "20", "FACTOR:PERCENT"),
        ("--burst", "0:50", "from 1 to 1000 times"),
        ("--burst", "10:100", "from 0 to 99 percent"),
        ("--mix", "A=40", "not one of F, U, E, C, X and P"),
        ("--mix", "E=1e3", "not a percentage"),
        ("--mix", "U=90", "at least 20 percent"),
        ("--halts", "-1", "--halts"),
    ] {
        let output = generate(&[&format!("{option}={value}")]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option} {value}: {error}");
        assert!(error.contains(reason), "{option} {value}: {error}");
    }
}

#[test]
fn the_books_of_the_market_are_written_beside_the_session() {
    let path = std::env::temp_dir().join(format!("feed-replay-book-{}.csv", std::process::id()));
    let made = made(&["--book", path.to_str().unwrap()]);
    let book = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut lines = book.lines();
    assert_eq!(
        lines.next(),
        Some("symbol,side,level,price,quantity,orders")
    );
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 6));
    let spec = Spec::new(Protocol::Itch50, 30_000, 3);
    let want = expected_book(&spec, usize::MAX).unwrap();
    let want: Vec<String> = want.iter().map(|row| row.to_string()).collect();
    assert_eq!(book.lines().skip(1).collect::<Vec<_>>(), want);
    // One best level of each side of every instrument, nearly all of which have both.
    let best = rows.iter().filter(|row| row[2] == "1").count() as u64;
    let symbols = made["symbols"].as_u64().unwrap();
    assert!(best <= 2 * symbols && best > symbols && rows.len() > 500);
    assert!(rows.is_sorted_by_key(|row| (row[0], row[1])));
}

#[test]
fn what_a_protocol_does_not_have_is_said() {
    let native = [
        "generate",
        "--protocol",
        "native",
        "--messages",
        "9",
        "--seed",
        "1",
    ];
    let itch = [
        "generate",
        "--protocol",
        "itch50",
        "--messages",
        "99",
        "--seed",
        "1",
    ];
    for (base, more, reason) in [
        (
            native,
            ["--book", "/dev/null"],
            "native sessions are of quotes",
        ),
        (
            native,
            ["--framing", "binaryfile"],
            "native sessions are packets",
        ),
        (itch, ["--feed", "deep"], "itch50 has one feed only"),
        (
            itch,
            ["--protocol", "morse"],
            "possible values: itch50, native",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_feed-replay"))
            .args(base.iter().take(if more[0] == "--protocol" {
                1
            } else {
                base.len()
            }))
            .args(more)
            .args(["-o", "/dev/null"])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {error}");
        assert!(error.contains(reason), "{more:?}: {error}");
    }
}
