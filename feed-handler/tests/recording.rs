//! Recording live lines, end to end: what was kept gives what was handled, and a recording that fails costs only itself.
//!
//! In a network namespace of its own, as the tests of live runs are, and for the same reason with its own `main`.

mod harness;
#[path = "harness/scratch.rs"]
mod scratch;
mod sessions;

use feed_handler::config::{Plan, RecordPlan};
use feed_handler::run::{Handler, Input, Outcome};
use feed_handler::verify::verify;
use feed_replay::schedule::Speed;
use feed_replay::send::{Interface, Sender, SenderOptions, replay};
use feed_replay::synth::{Layout, Protocol};
use scratch::Scratch;
use serde_json::Value;
use sessions::{Faults, Feed, GROUPS, LAYOUTS, from_file, plan};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

const TESTS: &[harness::Test] = &[
    (
        "a_recording_gives_the_records_of_the_live_run",
        a_recording_gives_the_records_of_the_live_run,
    ),
    (
        "a_recording_that_fails_costs_the_feed_nothing",
        a_recording_that_fails_costs_the_feed_nothing,
    ),
    (
        "an_interrupted_program_leaves_a_whole_recording",
        an_interrupted_program_leaves_a_whole_recording,
    ),
    (
        "the_program_tells_a_recording_that_is_not_whole",
        the_program_tells_a_recording_that_is_not_whole,
    ),
];

/// After the last packet was sent; what waits for longer is handled when the lane ends.
const GRACE: Duration = Duration::from_millis(50);

/// Each line loses 2 % of its packets, which the other carries.
const FAULTS: Faults = Faults {
    per_line: 200,
    hole_every: 0,
    skew: 0,
};

fn main() {
    harness::run("recording", TESTS);
}

fn a_recording_gives_the_records_of_the_live_run() {
    let scratch = Scratch::new();
    for (seed, protocol) in (31..).zip([Protocol::Itch50, Protocol::Native(Layout::Mixed)]) {
        let feed = Feed::new(protocol, 10_000, seed, FAULTS);
        for (threads, name) in LAYOUTS
            .into_iter()
            .flat_map(|l| NAMES.map(|name| (l, name)))
        {
            let what = format!("{protocol:?}, {threads}, {name}");
            let to = scratch.0.join(name);
            let plan = plan(protocol, threads);
            let outcome = live(&recording(&plan, &to), &feed);
            let end = outcome.record.as_ref().unwrap();
            assert!(end.error.is_none() && end.lost == 0, "{what}: {end:?}");
            assert_eq!(end.packets, outcome.lanes[0].packets, "{what}");
            assert_eq!(end.bytes, std::fs::metadata(&to).unwrap().len(), "{what}");
            let again = from_file(&plan, std::fs::read(&to).unwrap());
            assert_eq!(again.record_digest(), outcome.record_digest(), "{what}");
            // Every line of the recording is the line it was.
            let lines = |o: &Outcome| o.lanes[0].channels[0].lines.clone();
            for (live, kept) in lines(&outcome).iter().zip(lines(&again)) {
                let counts = (live.packets, live.messages, live.lost);
                assert_eq!((kept.packets, kept.messages, kept.lost), counts, "{what}");
            }
        }
    }
}

/// What a recording is called.
const NAMES: [&str; 2] = ["kept.pcap", "kept.pcapng"];

fn a_recording_that_fails_costs_the_feed_nothing() {
    let scratch = Scratch::new();
    let feed = Feed::new(Protocol::Itch50, 20_000, 41, FAULTS);
    let stuck = scratch.pipe();
    let from = stuck.clone();
    // Opened and never read: it takes 64 KiB and no more.
    let reader = thread::spawn(move || File::open(from).unwrap());
    let whole = scratch.0.join("kept.pcapng");
    for threads in LAYOUTS {
        let plan = plan(Protocol::Itch50, threads);
        let want = from_file(&plan, feed.lossless()).record_digest();
        for (to, queue_packets) in [(&PathBuf::from("/dev/full"), 64), (&stuck, 64), (&whole, 1)] {
            let what = format!("{threads}, {}", to.display());
            let mut plan = recording(&plan, to);
            plan.record.as_mut().unwrap().queue_packets = queue_packets;
            let outcome = live(&plan, &feed);
            let (lane, end) = (&outcome.lanes[0], outcome.record.as_ref().unwrap());
            assert_eq!(lane.messages, feed.messages, "{what}: {:?}", lane.drops);
            assert_eq!(outcome.record_digest(), want, "{what}");
            assert!(end.lost > 0, "{what}: {end:?}");
            assert_eq!(end.packets + end.lost, lane.packets, "{what}");
            assert_eq!(end.error.is_some(), to != &whole, "{what}: {end:?}");
        }
    }
    drop(reader.join().unwrap());
}

fn an_interrupted_program_leaves_a_whole_recording() {
    let scratch = Scratch::new();
    let feed = Feed::new(Protocol::Itch50, 5_000, 51, Faults::default());
    for threads in LAYOUTS {
        let plan = plan(Protocol::Itch50, threads);
        let (out, to) = (scratch.0.join("out"), scratch.0.join("kept.pcap"));
        let mut program = program(&scratch, &plan, &to, &["--out", out.to_str().unwrap()]);
        // The recording begins when every line is open.
        wait_for(|| std::fs::metadata(&to).is_ok_and(|file| file.len() > 0));
        send(&feed);
        assert!(program.try_wait().unwrap().is_none(), "it ended by itself");
        let interrupt = Command::new("kill")
            .args(["-INT", &program.id().to_string()])
            .status();
        assert!(interrupt.unwrap().success());
        let ended = ended(program);
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let summary = std::fs::read_to_string(out.join("summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["messages"], feed.messages);
        let record = &summary["record"];
        assert_eq!(
            (&record["packets"], &record["lost"]),
            (&summary["packets"], &0.into())
        );
        assert_eq!(record["file"], to.to_str().unwrap());
        // What the run left says that it is the session's file, and its own recording's.
        let whole = scratch.0.join("whole.pcap");
        std::fs::write(&whole, feed.lossless()).unwrap();
        for capture in [&whole, &to] {
            let verdict = verify(&out, capture).unwrap();
            assert!(verdict.equal && verdict.notes.is_empty(), "{verdict:#?}");
            assert_eq!(verdict.records.compared[0].stretches, 2);
        }
        let again = from_file(&plan, std::fs::read(&to).unwrap());
        assert!(again.lanes[0].source.cut.is_none());
        assert_eq!(
            again.record_digest().to_string(),
            summary["record_digest"].as_str().unwrap()
        );
        std::fs::remove_file(to).unwrap();
    }
}

fn the_program_tells_a_recording_that_is_not_whole() {
    let scratch = Scratch::new();
    let plan = plan(Protocol::Itch50, LAYOUTS[0]);
    let run = |to: &str, more: &[&str]| {
        let more = [&["--duration", "200ms", "--format", "json"], more].concat();
        let ended = ended(program(&scratch, &plan, Path::new(to), &more));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        (ended.status.code().unwrap(), said, ended.stdout)
    };
    let (status, said, facts) = run("/dev/full", &[]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains("warning: /dev/full: No space left on device"),
        "{said}"
    );
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    assert!(
        facts["record"]["error"]
            .as_str()
            .unwrap()
            .contains("No space")
    );
    let (status, said, _) = run("/dev/full", &["--strict"]);
    assert!(
        status == 1 && said.contains("error: /dev/full: No space"),
        "{said}"
    );
    let (status, said, _) = run("/nowhere/kept.pcapng", &[]);
    assert!(
        status == 1 && said.contains("cannot record to /nowhere/kept.pcapng"),
        "{said}"
    );
    let (status, said, _) = run("kept.pcapng.zst", &[]);
    assert!(status == 2 && said.contains("not compressed"), "{said}");
    let (status, said, _) = run("kept.pcapng", &["--input", "kept.pcapng"]);
    assert!(
        status == 2 && said.contains("cannot be used with"),
        "{said}"
    );
}

fn recording(plan: &Plan, to: &Path) -> Plan {
    Plan {
        record: Some(RecordPlan::new(to.to_owned())),
        ..plan.clone()
    }
}

/// Handles a feed live.
fn live(plan: &Plan, feed: &Feed) -> Outcome {
    let handler = Handler::start(plan, &Input::Live).unwrap();
    send(feed);
    handler.finish()
}

/// Sends a feed on its schedule, and gives it time to arrive.
fn send(feed: &Feed) {
    let lo = Interface::named("lo").unwrap();
    let senders = GROUPS.map(|g| Sender::open(g, &lo, SenderOptions::default()).unwrap());
    let go = AtomicBool::new(false);
    let report = replay(feed.outgoing(), &senders, Speed::ORIGINAL, &go).unwrap();
    assert_eq!(report.packets, feed.carried().count() as u64);
    thread::sleep(GRACE);
}

/// Starts the program, recording.
fn program(scratch: &Scratch, plan: &Plan, to: &Path, more: &[&str]) -> Child {
    let config = scratch.0.join("feed.toml");
    std::fs::write(&config, plan.to_toml().unwrap()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_feed-handler"))
        .args([
            "run",
            "-c",
            config.to_str().unwrap(),
            "--record",
            to.to_str().unwrap(),
        ])
        .args(more)
        .current_dir(&scratch.0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a program that is about to end; what it says fits a pipe.
fn ended(mut program: Child) -> Output {
    let ends = || program.try_wait().unwrap().is_some();
    wait_for(ends);
    program.wait_with_output().unwrap()
}

/// Waits 20 seconds at most.
fn wait_for(mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(
            since.elapsed() < Duration::from_secs(20),
            "it does not come to it"
        );
        thread::sleep(Duration::from_millis(2));
    }
}
