//! Consumers of a run's shared memory in C, Python and this process.

use crate::shared::{MESSAGES, from_capture, shared};
use crate::support::*;
use feed_common::event::Record;
use feed_common::ring::Reader;
use feed_common::ring::shared::taken::TakenLog;
use feed_common::ring::shared::{OwnedBy, SharedReader};
use feed_replay::synth::{Protocol, Recording, Spec};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A C program, a Python program and a reader in this process follow a live run from its first record to its end: what they
/// read is what the run says it published, word for word, the quotes they find are the books' best prices, and the run
/// reports how long the records took to reach each of them.
#[test]
fn readers_in_c_and_python_agree_with_the_summary() {
    let scratch = Scratch::new();
    let program = compiled(&scratch);
    let (_, published) = from_capture(&scratch);
    if !has_numpy() {
        let skipped = "SKIPPED readers_in_c_and_python_agree_with_the_summary: Python: needs python3 with the package numpy";
        writeln!(std::io::stderr(), "{skipped}").unwrap();
    }
    // A run does not wait for long for what its consumers leave, and a busy machine may keep them from it.
    let in_time = (0..5).any(|_| all_of_a_run(&program, published));
    assert!(in_time, "there was a consumer that was late every time");
}

/// Follows a run that will publish so many records. False where one of the programs was late with what it left.
fn all_of_a_run(program: &str, published: u64) -> bool {
    let scratch = Scratch::new();
    let mut live = Live::start(&scratch, "itch50", &shared(&scratch, ""), "60s");
    let file = scratch.path("shm/l");
    wait_for(&file);
    let shared = SharedReader::open(Path::new(&file), OwnedBy::Us).unwrap();
    let mut reader = shared.subscriber().from_oldest();
    let mut others = vec![Follower::begin("C", &mut Command::new(program), &file)];
    if has_numpy() {
        others.push(Follower::begin("Python", &mut python(), &file));
    }
    let taken = TakenLog::of(&shared);
    live.wait_until_it_listens();
    let (made, _) = Recording::of(&Spec::new(Protocol::Itch50, MESSAGES, 7)).unwrap();
    let sum = std::thread::scope(|threads| {
        let sum = threads.spawn(|| follow(&mut reader, taken, published));
        live.send(made.packets().map(|packet| packet.payload));
        sum.join().unwrap()
    });
    // The others, and the table of quotes, are there soon.
    std::thread::sleep(Duration::from_millis(500));
    let summary = live.end();
    let of = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(
        (of("messages"), summary["sequence"]["lost"].as_u64()),
        (MESSAGES, Some(0))
    );
    assert_eq!(of("published"), published);
    assert_eq!(reader.read(&mut [Record::default()]), Ok(0));
    assert!(reader.is_closed());
    assert_eq!(summary["books"]["instruments"], shared.rows());

    let mut processes = vec![std::process::id()];
    processes.extend(others.iter().map(|other| other.child.id()));
    for other in others {
        let language = other.language;
        let said = other.rest();
        let want = format!("read {published} lost 0 sum {sum}\nended closed\nchannel 0 c itch50\n");
        assert!(said.contains(&want), "{language}: no {want:?} in {said}");
        for row in 0..shared.rows() {
            let want = instrument(&shared, row);
            let found = said.lines().any(|line| line == want);
            assert!(found, "{language}: no {want:?} in {said}");
        }
    }
    let left = format!("{file}.taken.{}", shared.facts().epoch);
    let late = |process: &u32| std::fs::exists(format!("{left}.{process}")).unwrap();
    if processes.iter().any(late) {
        return false;
    }
    took_part(&summary, processes, published);
    true
}

/// The processes are those of the report, and each says of every record how long it took.
fn took_part(summary: &Value, mut processes: Vec<u32>, records: u64) {
    processes.sort();
    let reported = summary["processes"].as_array().unwrap();
    let numbers: Vec<_> = reported.iter().map(|p| p["process"].as_u64()).collect();
    let expected: Vec<_> = processes.iter().map(|p| Some(u64::from(*p))).collect();
    assert_eq!(numbers, expected, "{reported:?}");
    for process in reported {
        let taken = |name: &str| process["taken"][name].as_u64().unwrap();
        assert_eq!((taken("count"), &process["lane"]), (records, &"l".into()));
        assert_eq!(process["fault"], Value::Null);
        // The others look a thousand times a second.
        let [least, half, most] = ["min", "p50", "max"].map(taken);
        assert!(0 < least && least <= half && half <= most, "{process}");
        assert!(half < 1_000_000_000, "{process}");
    }
}

/// Reads so many records, and leaves how long they took; the sum that the programs print.
fn follow(reader: &mut Reader<Record>, mut taken: TakenLog, records: u64) -> u64 {
    let (mut batch, mut read, mut sum) = ([Record::default(); 256], 0, 0u64);
    let since = Instant::now();
    while read < records {
        let n = reader.read(&mut batch).unwrap();
        if n == 0 {
            assert!(since.elapsed() < PATIENCE, "{read} of {records}");
            std::thread::sleep(Duration::from_millis(1));
        }
        taken.take(&batch[..n]);
        for record in &batch[..n] {
            read += 1;
            let words = (0..).zip(record.words());
            let words = words.map(|(w, word): (u64, u64)| word.wrapping_mul(2 * w + 1));
            sum = sum.wrapping_add(words.fold(0, u64::wrapping_add).wrapping_mul(read));
        }
    }
    taken.leave().unwrap();
    sum
}

/// An instrument and its quote, as the programs print them.
fn instrument(shared: &SharedReader, row: u32) -> String {
    let it = shared.instrument(row).unwrap().unwrap();
    let name = String::from_utf8_lossy(it.name.as_bytes()).into_owned();
    let quote = match shared.quote(row).unwrap() {
        None => "no quote".to_owned(),
        Some(q) => format!(
            "{} x {}, {} x {} at {} trust {} flags {}",
            q.bid.0, q.bid_quantity, q.ask.0, q.ask_quantity, q.sequence, q.trust.0, q.flags.0
        ),
    };
    format!("instrument {} {name} of channel 0: {quote}", it.instrument)
}

/// A program that follows a file to its writer's end.
struct Follower {
    language: &'static str,
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Follower {
    /// Starts it and waits until it stands at the oldest record.
    fn begin(language: &'static str, program: &mut Command, file: &str) -> Follower {
        let mut child = program.arg(file).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with("session "), "{language}: {line}");
        Follower {
            language,
            child,
            out,
        }
    }

    /// What it says until it ends, which has to be well.
    fn rest(mut self) -> String {
        let mut said = String::new();
        self.out.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{}", self.language);
        said
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn compiled(scratch: &Scratch) -> String {
    let program = scratch.path("example_tail");
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../feed-common/include/example_tail.c"
    );
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-std=c11", "-o", &program, source]);
    assert!(compiler.status().expect("a C compiler").success());
    program
}

fn python() -> Command {
    let mut python = Command::new("python3");
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/python");
    python
        .args(["-m", "feed_shm"])
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

fn has_numpy() -> bool {
    let mut asked = Command::new("python3");
    asked.args(["-c", "import numpy"]).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}
