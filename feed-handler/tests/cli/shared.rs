//! Shared memory of a run as other processes see it: `tail`, and a reader in this process.

use crate::support::*;
use feed_common::event::Record;
use feed_common::ring::shared::{OwnedBy, SharedReader, Standing};
use feed_replay::synth::{Protocol, Recording, Spec};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub const MESSAGES: u64 = 20_000;

/// The tables of a configuration that turn it on.
pub fn shared(scratch: &Scratch, more: &str) -> String {
    let dir = scratch.path("shm");
    format!("[publish]\nslots = 131072\n[shared_memory]\ndir = \"{dir}\"\n{more}\n")
}

/// A run over a capture with shared memory on; its folder of files, and what it says it published.
pub fn from_capture(scratch: &Scratch) -> (String, u64) {
    let capture = scratch.file("a.pcap", session(MESSAGES));
    let text = configuration("itch50", GROUP, "") + &shared(scratch, "");
    let config = scratch.file("feed.toml", text);
    let run = run_over(&config, &capture);
    let published = run.is(0, "").json()["published"].as_u64().unwrap();
    assert!(published > MESSAGES, "{published}");
    (scratch.path("shm"), published)
}

fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.out.lines();
    lines.map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn tail_prints_every_record_that_the_run_published() {
    let scratch = Scratch::new();
    let (dir, published) = from_capture(&scratch);
    let json = ["--format", "json"];
    let all = feed_handler(&[&["tail", "--dir", &dir, "--oldest", "--once"][..], &json].concat());
    all.is(0, "its writer has ended");
    let rows = lines(&all);
    assert_eq!(rows.len() as u64, published);
    for row in &rows {
        assert_eq!(row["channel"], "c");
    }
    // What a pattern and a kind leave is what they leave of all.
    let symbol = rows.iter().find(|r| r["type"] == "bid").unwrap()["symbol"].clone();
    let symbol = symbol.as_str().unwrap();
    let wanted: Vec<_> = rows
        .iter()
        .filter(|r| r["symbol"] == symbol && r["type"] == "bid")
        .cloned()
        .collect();
    let chosen = [
        "tail", "--dir", &dir, "--oldest", "--once", "--symbol", symbol, "--kind", "bid",
    ];
    assert_eq!(lines(&feed_handler(&[&chosen[..], &json].concat())), wanted);
    let file = Path::new(&dir).join("l").display().to_string();
    let some = ["tail", &file, "--oldest", "--count", "3"];
    let some = feed_handler(&[&some[..], &json].concat());
    assert_eq!(lines(&some), rows[..3]);
}

#[test]
fn the_latest_quotes_are_the_best_prices_of_the_books_at_the_end() {
    let scratch = Scratch::new();
    let (dir, _) = from_capture(&scratch);
    let bbo = feed_handler(&["bbo", &scratch.path("a.pcap"), "--format", "json"]);
    let mut last = BTreeMap::new();
    // Behind the rows comes what the books found wrong, which has no symbol.
    let rows = lines(&bbo)
        .into_iter()
        .filter(|row| row["symbol"].is_string());
    for row in rows {
        last.insert(row["symbol"].to_string(), side_by_side(&row));
    }
    let whole = last
        .values()
        .filter(|[bid, ask]| bid.is_some() && ask.is_some());
    assert!(whole.count() > 3, "{last:?}");
    let quotes = feed_handler(&["tail", "--dir", &dir, "--quotes", "--format", "json"]);
    let quotes = lines(quotes.is_quiet()).into_iter();
    let quotes = quotes.map(|row| (row["symbol"].to_string(), side_by_side(&row)));
    let quotes = quotes.collect::<BTreeMap<_, _>>();
    for (symbol, sides) in &last {
        assert_eq!(quotes.get(symbol), Some(sides), "{symbol}");
    }
    assert_eq!(quotes.len(), last.len());
}

/// Prices and quantities of a row; a side without a price has no quantity.
fn side_by_side(row: &Value) -> [Option<(String, u64)>; 2] {
    ["bid", "ask"].map(|side| {
        let price = match &row[format!("{side}_price")] {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        Some((price, row[format!("{side}_quantity")].as_u64().unwrap()))
    })
}

#[test]
fn a_live_run_is_read_while_it_goes_and_nobody_else_gets_its_name() {
    let scratch = Scratch::new();
    let mut live = Live::start(&scratch, "itch50", &shared(&scratch, ""), "6s");
    let file = scratch.path("shm/l");
    wait_for(&file);
    let shared = SharedReader::open(Path::new(&file), OwnedBy::Us).unwrap();
    assert_eq!(shared.standing(), Standing::Live);
    let mut reader = shared.subscriber().from_oldest();
    let second = feed_handler(&["run", "-c", &live.config, "--duration", "1s"]);
    second
        .is(2, "a running writer has it")
        .is(2, &format!("(process {})", live.id()));
    // It listens soon after its file is there.
    live.wait_until_it_listens();
    let tail = std::thread::spawn({
        let file = file.clone();
        move || {
            let tail = ["tail", &file, "--oldest", "--once", "--count", "50"];
            feed_handler(&[&tail[..], &["--format", "json"]].concat())
        }
    });
    let consumer = std::thread::spawn({
        let file = file.clone();
        move || feed_handler(&["tail", &file, "--once", "--format", "json"])
    });
    // Its clock is calibrated by then.
    std::thread::sleep(Duration::from_millis(1_500));
    let (made, _) = Recording::of(&Spec::new(Protocol::Itch50, 500, 7)).unwrap();
    live.send(made.packets().map(|packet| packet.payload));
    let tail = tail.join().unwrap();
    assert_eq!(lines(&tail).len(), 50, "{}", tail.err);
    let config = live.config.clone();
    let summary = live.summary();
    let (mut batch, mut read) = ([Record::default(); 256], Vec::new());
    loop {
        match reader.read(&mut batch).unwrap() {
            0 => break,
            n => read.extend_from_slice(&batch[..n]),
        }
    }
    assert!(reader.is_closed());
    let consumed = lines(&consumer.join().unwrap());
    let consumers = summary["processes"].as_array().unwrap();
    let taken: Vec<u64> = consumers
        .iter()
        .map(|c| c["taken"]["count"].as_u64().unwrap())
        .collect();
    // The two tails have read the same lane, and each speaks of what came while it was there.
    assert!(!taken.is_empty() && taken.len() <= 2, "{summary}");
    assert!(
        taken
            .iter()
            .all(|n| (1..=consumed.len() as u64).contains(n)),
        "{taken:?}"
    );
    let page = std::fs::read_to_string(scratch.path("out/report.html")).unwrap();
    assert!(page.contains("<h2>Consumers in other processes"));
    assert_eq!(summary["published"], read.len() as u64);
    assert_eq!(lines(&tail)[7]["seq"], read[7].sequence.get());
    assert_eq!(shared.standing(), Standing::Closed);
    // The name is free again, and whoever reads the old file is told.
    run_briefly(&config).is(0, "");
    assert_eq!(shared.standing(), Standing::Superseded);
    assert_eq!(
        shared.reopen().unwrap().facts().channels,
        shared.facts().channels
    );
}

#[test]
fn what_cannot_be_read_or_published_is_refused() {
    let scratch = Scratch::new();
    let file = scratch.file("no", "something else");
    feed_handler(&["tail", &file]).is(2, "not a shared-memory file of feed-handler");
    std::fs::create_dir(scratch.path("empty")).unwrap();
    feed_handler(&["tail", "--dir", &scratch.path("empty")]).is(2, "nobody has published here");
    feed_handler(&["tail"]).is(2, "--dir");
    feed_handler(&["tail", &file, "--kind", "bids"]).is(2, "expected add, modify");
    let capture = scratch.file("a.pcap", session(100));
    for (more, said) in [
        ("group = \"no such group\"", "no group `no such group`"),
        ("mode = \"0660\"", ":13:8: mode \"0660\": expected"),
        (
            "instruments = 0",
            ":13:15: `instruments` is 0: expected 1 to",
        ),
    ] {
        let text = configuration("itch50", GROUP, "") + &shared(&scratch, more);
        let config = scratch.file("feed.toml", text);
        feed_handler(&["run", "-c", &config, "--input", &capture]).is(2, said);
    }
    // What somebody else has put in the place of a lane's file stays.
    std::fs::create_dir_all(scratch.path("shm")).unwrap();
    let taken = scratch.file("shm/l", vec![7; 1 << 16]);
    let text = configuration("itch50", GROUP, "") + &shared(&scratch, "");
    let config = scratch.file("feed.toml", text);
    let ended = feed_handler(&["run", "-c", &config, "--input", &capture]);
    ended.is(2, "not a shared-memory file of feed-handler");
    assert_eq!(std::fs::read(taken).unwrap(), vec![7; 1 << 16]);
}

#[test]
fn what_a_killed_run_left_is_taken_over() {
    let scratch = Scratch::new();
    let live = Live::start(&scratch, "itch50", &shared(&scratch, ""), "60s");
    let file = scratch.path("shm/l");
    wait_for(&file);
    let (config, id) = (live.config.clone(), live.id());
    live.kill();
    let tail = feed_handler(&["tail", &file, "--once"]);
    tail.is(0, "its writer has died");
    let summary = run_briefly(&config).is(0, "").json();
    let fact = summary["run"]["shared memory l"].as_str().unwrap();
    let want = format!("taken over from process {id}, which had died");
    assert!(fact.contains(&want), "{fact}");
}
