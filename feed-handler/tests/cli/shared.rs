//! Shared memory of a run as other processes see it: `tail`, a reader in this process, and the Python package.

use crate::support::*;
use feed_common::event::Record;
use feed_common::ring::shared::{OwnedBy, SharedReader, Standing};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MESSAGES: u64 = 20_000;

fn shared(scratch: &Scratch, more: &str) -> String {
    let dir = scratch.path("shm");
    format!("[publish]\nslots = 131072\n[shared_memory]\ndir = \"{dir}\"\n{more}\n")
}

/// A run over a capture with shared memory on; its folder of files, and what it says it published.
fn from_capture(scratch: &Scratch) -> (String, u64) {
    let capture = scratch.file("a.pcap", session(MESSAGES));
    let text = configuration("itch50", GROUP, "") + &shared(scratch, "");
    let config = scratch.file("feed.toml", text);
    let run = feed_handler(&[
        "run", "-c", &config, "--input", &capture, "--format", "json",
    ]);
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
    let free = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let text = configuration("itch50", &address, "").replace(", interface = \"lo\"", "");
    let config = scratch.file("feed.toml", text + &shared(&scratch, ""));
    let mut child = Command::new(PROGRAM)
        .args(["run", "-c", &config, "--duration", "6s", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = scratch.path("shm/l");
    let since = Instant::now();
    let shared = loop {
        match SharedReader::open(Path::new(&file), OwnedBy::Us) {
            Ok(shared) => break shared,
            Err(e) => assert!(since.elapsed() < Duration::from_secs(30), "{e}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(shared.standing(), Standing::Live);
    let mut reader = shared.subscriber().from_oldest();
    let second = feed_handler(&["run", "-c", &config, "--duration", "1s"]);
    second
        .is(2, "a running writer has it")
        .is(2, &format!("(process {})", child.id()));
    // It listens soon after its file is there.
    while !listens(&address) {
        assert!(since.elapsed() < Duration::from_secs(30), "nobody listens");
        std::thread::sleep(Duration::from_millis(5));
    }
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
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (made, _) = feed_replay::synth::Recording::of(&feed_replay::synth::Spec::new(
        feed_replay::synth::Protocol::Itch50,
        500,
        7,
    ))
    .unwrap();
    for packet in made.packets() {
        sender.send_to(packet.payload, &address).unwrap();
    }
    let tail = tail.join().unwrap();
    assert_eq!(lines(&tail).len(), 50, "{}", tail.err);
    let mut out = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().unwrap(), &mut out).unwrap();
    assert_eq!(wait(&mut child), 0);
    let summary: Value = serde_json::from_str(&out).unwrap();
    let (mut batch, mut read) = ([Record::default(); 256], Vec::new());
    loop {
        match reader.read(&mut batch).unwrap() {
            0 => break,
            n => read.extend_from_slice(&batch[..n]),
        }
    }
    assert!(reader.is_closed());
    let consumed = lines(&consumer.join().unwrap());
    let run = summary["run"].as_object().unwrap();
    let told = run
        .iter()
        .find(|(name, _)| name.starts_with("consumer l process "));
    let told = told.expect("the consumer's latency").1.as_str().unwrap();
    let taken: u64 = told.split(' ').next().unwrap().parse().unwrap();
    assert!(taken > 0 && taken <= consumed.len() as u64, "{told}");
    assert_eq!(summary["published"], read.len() as u64);
    assert_eq!(lines(&tail)[7]["seq"], read[7].sequence.get());
    assert_eq!(shared.standing(), Standing::Closed);
    // The name is free again, and whoever reads the old file is told.
    let third = feed_handler(&[
        "run",
        "-c",
        &config,
        "--duration",
        "100ms",
        "--format",
        "json",
    ]);
    third.is(0, "");
    assert_eq!(shared.standing(), Standing::Superseded);
    assert_eq!(
        shared.reopen().unwrap().facts().channels,
        shared.facts().channels
    );
}

/// Whether somebody has a socket of that address, by the system's list of ports.
pub fn listens(address: &str) -> bool {
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let list = std::fs::read_to_string("/proc/net/udp").unwrap();
    list.contains(&format!(":{port:04X} "))
}

#[test]
fn python_agrees_with_the_summary() {
    let mut numpy = Command::new("python3");
    numpy.args(["-c", "import numpy"]).stderr(Stdio::null());
    let numpy = numpy.status();
    if !numpy.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED python_agrees_with_the_summary: needs python3 with the package numpy");
        return;
    }
    let scratch = Scratch::new();
    let (dir, published) = from_capture(&scratch);
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/python");
    let mut python = Command::new("python3");
    python
        .args(["-m", "feed_shm", &format!("{dir}/l")])
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let ended = run(&mut python, b"");
    assert_eq!(ended.status, 0, "{ended:?}");
    let want = format!("read {published} lost 0 ");
    assert!(ended.out.contains(&want), "no {want:?} in {}", ended.out);
    let quotes = feed_handler(&["tail", "--dir", &dir, "--quotes", "--format", "json"]);
    let told = ended.out.lines().filter(|l| l.contains(" trust "));
    assert_eq!(told.count(), lines(&quotes).len());
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
    let free = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let text = configuration("itch50", &address, "").replace(", interface = \"lo\"", "");
    let config = scratch.file("feed.toml", text + &shared(&scratch, ""));
    let mut child = Command::new(PROGRAM)
        .args(["run", "-c", &config, "--duration", "60s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = scratch.path("shm/l");
    let since = Instant::now();
    while !Path::new(&file).exists() {
        assert!(since.elapsed() < Duration::from_secs(30), "no file");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let tail = feed_handler(&["tail", &file, "--once"]);
    tail.is(0, "its writer has died");
    let second = [
        "run",
        "-c",
        &config,
        "--duration",
        "100ms",
        "--format",
        "json",
    ];
    let summary = feed_handler(&second).is(0, "").json();
    let fact = summary["run"]["shared memory l"].as_str().unwrap();
    let want = format!("taken over from process {}, which had died", child.id());
    assert!(fact.contains(&want), "{fact}");
}
