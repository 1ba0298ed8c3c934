//! `journal ls`, `cat`, `tail` and `verify`.

use super::support::{GROUP, PROGRAM, Scratch, configuration, feed_handler, session};
use feed_common::journal::{Found, JournalReader, Start};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The configuration of one lane with a journal; the journal's folder.
fn journalling(scratch: &Scratch) -> (String, String) {
    let dir = scratch.path("journal");
    let book = "[book]\norders = 65536\nlevels = 65536\ninstruments = 1024\n";
    let journal = format!("[journal]\ndir = {dir:?}\nsegment = \"256KiB\"\n");
    // Tables of the file come behind the lane's keys, whose table ends there.
    let text = configuration("itch50", GROUP, &format!("\n{book}{journal}"));
    (scratch.file("feed.toml", text), format!("{dir}/l"))
}

/// A run that has kept a journal of one lane: its folder, and what the run said of itself.
fn kept(scratch: &Scratch, messages: u64) -> (String, Value) {
    let (config, dir) = journalling(scratch);
    let capture = scratch.file("day.pcap", session(messages));
    let out = scratch.path("out");
    let run = [
        "run", "-c", &config, "--input", &capture, "--out", &out, "--format", "json",
    ];
    let ended = feed_handler(&run);
    ended.is(0, "journalled ");
    (dir, ended.json())
}

/// The first columns of all rows of a journal.
fn numbers(dir: &str) -> Vec<u64> {
    let rows = feed_handler(&["journal", "cat", dir, "--format", "csv"]);
    let rows = rows.is_quiet().out.lines().skip(1);
    rows.map(|row| row.split(',').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn what_a_run_has_kept_can_be_listed_read_and_verified() {
    let scratch = Scratch::new();
    let (dir, facts) = kept(&scratch, 3_000);
    let published = facts["published"].as_u64().unwrap();
    let [journal] = &facts["journals"].as_array().unwrap()[..] else {
        panic!("{facts}");
    };
    let of = |key: &str| journal[key].as_u64().unwrap();
    assert_eq!((of("records"), of("lost")), (published, 0));
    assert_eq!(journal["dir"], dir);
    // All segments, with their records.
    let rows = feed_handler(&["journal", "ls", &dir, "--format", "json"]);
    let rows = rows.is_quiet().json();
    let rows = rows.as_array().unwrap();
    let records: u64 = rows.iter().filter_map(|row| row["records"].as_u64()).sum();
    assert!(rows.len() > 1 && records == published, "{rows:?}");
    let states: Vec<_> = rows
        .iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect();
    assert!(states.contains(&"written") && states.contains(&"open"));
    let table = feed_handler(&["journal", "ls", &dir]);
    assert_eq!(table.is_quiet().out.lines().count(), rows.len() + 1);
    // All records, from the folder above too, as it holds one lane's.
    let above = scratch.path("journal");
    let all = feed_handler(&["journal", "cat", &above, "--format", "csv"]);
    let lines: Vec<&str> = all.is_quiet().out.lines().collect();
    assert_eq!(lines.len() as u64, published + 1);
    assert!(lines[0].starts_with("number,kind,channel,sequence,timestamp,symbol,"));
    for (number, line) in lines[1..].iter().enumerate() {
        assert!(line.starts_with(&format!("{number},")), "{line}");
    }
    // Some of them.
    let some = feed_handler(&[
        "journal", "cat", &dir, "--from", "1000", "--count", "3", "--format", "json",
    ]);
    let objects = some.is_quiet().out.lines();
    let objects: Vec<Value> = objects.map(|l| serde_json::from_str(l).unwrap()).collect();
    let numbers: Vec<_> = objects
        .iter()
        .map(|o| o["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1000, 1001, 1002]);
    let symbol = lines[1001].split(',').nth(5).unwrap();
    assert_eq!(objects[0]["symbol"], symbol);
    let of_symbol = feed_handler(&[
        "journal", "cat", &dir, "--symbol", symbol, "--format", "csv",
    ]);
    let wanted = |line: &&&str| line.split(',').nth(5) == Some(symbol);
    assert_eq!(
        of_symbol.is_quiet().out.lines().skip(1).collect::<Vec<_>>(),
        lines[1..]
            .iter()
            .filter(wanted)
            .copied()
            .collect::<Vec<_>>()
    );
    let text = feed_handler(&["journal", "cat", &dir, "--count", "5"]);
    assert_eq!(text.is_quiet().out.lines().count(), 6);
    // Beyond the end there is nothing yet.
    let none = feed_handler(&["journal", "cat", &dir, "--from", "99999999"]);
    assert_eq!(none.is_quiet().out.lines().count(), 1);
    let verdict = feed_handler(&["journal", "verify", &dir, "--format", "json"]);
    let verdict = verdict.is_quiet().json();
    assert_eq!(verdict["published"], published);
    assert_eq!(
        (&verdict["damaged"], &verdict["lost"]),
        (&0.into(), &0.into())
    );
}

#[test]
fn damage_is_found_and_costs_what_it_hits() {
    let scratch = Scratch::new();
    let (dir, facts) = kept(&scratch, 3_000);
    let published = facts["published"].as_u64().unwrap();
    let segment = format!("{dir}/segment-0000000000.fhj");
    let whole = std::fs::read(&segment).unwrap();
    // A bit of a price.
    let mut bytes = whole.clone();
    bytes[20_000] ^= 0x10;
    std::fs::write(&segment, &bytes).unwrap();
    let found = feed_handler(&["journal", "verify", &dir, "--format", "json"]);
    let found = found.is(3, "1 damaged place").json();
    assert_eq!(found["damaged_records"], 1);
    assert_eq!(found["published"], published - 1);
    assert_eq!(found["stretches"][0]["segment"], 0);
    let said = feed_handler(&["journal", "verify", &dir]);
    said.is(3, "1 damaged place, 1 record there");
    assert!(said.out.contains("the record is damaged"), "{said:?}");
    let rest = feed_handler(&["journal", "cat", &dir, "--format", "csv"]);
    rest.is(0, "1 record: the record is damaged");
    assert_eq!(rest.out.lines().count() as u64, published);
    // A cut one gives what it holds.
    std::fs::write(&segment, &whole[..100_000]).unwrap();
    let cut = feed_handler(&["journal", "verify", &dir]);
    cut.is(3, "damaged place");
    assert!(cut.out.contains("it is cut short"), "{cut:?}");
    // A missing one, behind another.
    std::fs::write(&segment, &whole).unwrap();
    feed_handler(&["journal", "verify", &dir]).is_quiet();
    let second = format!("{dir}/segment-0000000001.fhj");
    std::fs::rename(&second, scratch.path("aside")).unwrap();
    let missing = feed_handler(&["journal", "verify", &dir]);
    missing.is(3, "damaged place");
    assert!(missing.out.contains("blocks are missing"), "{missing:?}");
    // One that is none.
    std::fs::write(&second, "not a segment").unwrap();
    feed_handler(&["journal", "verify", &dir]).is(3, "1 unreadable segment");
    let rows = feed_handler(&["journal", "ls", &dir]);
    assert!(rows.is_quiet().out.contains("unreadable: "), "{rows:?}");
}

#[test]
fn what_is_no_journal_is_said() {
    let scratch = Scratch::new();
    let nowhere = scratch.path("nowhere");
    let empty = scratch.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let foreign = scratch.path("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(format!("{foreign}/day.pcap"), session(10)).unwrap();
    let several = scratch.path("several");
    let (one, _) = kept(&scratch, 100);
    for lane in ["a", "b"] {
        let to = format!("{several}/{lane}");
        std::fs::create_dir_all(&to).unwrap();
        std::fs::copy(
            format!("{one}/segment-0000000000.fhj"),
            format!("{to}/segment-0000000000.fhj"),
        )
        .unwrap();
    }
    for what in ["ls", "cat", "tail", "verify"] {
        let on = |dir: &str| feed_handler(&["journal", what, dir]);
        on(&nowhere).is(2, "No such file or directory");
        on(&empty).is(2, "no journal is here");
        on(&foreign).is(2, "no journal is here");
        on(&several).is(2, "journals of several lanes are here: name one of");
        let help = feed_handler(&["journal", what, "--help"]);
        assert!(help.is_quiet().out.contains("Example"), "{help:?}");
    }
    // Nothing of it can be read.
    let segment = format!("{one}/segment-0000000000.fhj");
    for entry in std::fs::read_dir(&one).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    std::fs::write(&segment, vec![7; 100_000]).unwrap();
    feed_handler(&["journal", "cat", &one]).is(2, "no segment of a journal begins here");
    feed_handler(&["journal", "verify", &one]).is(3, "1 unreadable segment");
    feed_handler(&["journal", "cat", &one, "--symbol", ""]).is(2, "--symbol");
}

#[test]
fn tail_follows_what_is_written() {
    let scratch = Scratch::new();
    let (dir, facts) = kept(&scratch, 500);
    let before = facts["published"].as_u64().unwrap();
    let mut tail = Command::new(PROGRAM)
        .args(["journal", "tail", &dir, "--count", "200", "--format", "csv"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // It is at the end of the journal when it says what the columns are.
    assert!(lines.next().unwrap().unwrap().starts_with("number,"));
    kept(&scratch, 500);
    let numbers: Vec<u64> = lines
        .map(|line| line.unwrap().split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (before..before + 200).collect::<Vec<_>>());
    assert!(tail.wait().unwrap().success());
}

#[test]
fn a_run_that_is_killed_leaves_a_whole_journal_and_the_next_goes_on() {
    let scratch = Scratch::new();
    let (config, dir) = journalling(&scratch);
    let capture = session(3_000);
    let mut killed = Command::new(PROGRAM)
        .args(["run", "-c", &config, "--input", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A pipe is handled as it arrives, and this one stays open.
    let mut stdin = killed.stdin.take().unwrap();
    stdin.write_all(&capture[..capture.len() / 2]).unwrap();
    let seen = || {
        let mut reader = JournalReader::open(Path::new(&dir), Start::Oldest).ok()?;
        let mut seen = 0;
        while let Ok(Some(Found::Record { .. })) = reader.read() {
            seen += 1;
        }
        (seen > 0).then_some(seen)
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    let seen: u64 = loop {
        match seen() {
            Some(seen) => break seen,
            None => assert!(Instant::now() < deadline, "nothing is journalled"),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    killed.kill().unwrap();
    killed.wait().unwrap();
    feed_handler(&["journal", "verify", &dir]).is_quiet();
    let left = numbers(&dir);
    assert!(left.len() as u64 >= seen, "{} of {seen}", left.len());
    // Another run goes on behind the last.
    let (dir, facts) = kept(&scratch, 3_000);
    assert_eq!(facts["journals"][0]["first"], left.len());
    let all = left.len() as u64 + facts["published"].as_u64().unwrap();
    assert_eq!(numbers(&dir), (0..all).collect::<Vec<_>>());
    feed_handler(&["journal", "verify", &dir]).is_quiet();
}
