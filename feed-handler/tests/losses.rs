//! Where it was lost, over real sockets: what a run lists of its holes is what was done to its lines.
//!
//! All of it runs in a network namespace that this test makes for itself; where the system allows none it says so and
//! passes.

mod harness;
#[allow(dead_code)] // pipes are for recordings
#[path = "harness/scratch.rs"]
mod scratch;
mod sessions;

use feed_common::capture::CaptureFile;
use feed_common::latency::Resolution;
use feed_common::sys::pin_current_thread;
use feed_handler::config::{LaneThreads, Plan};
use feed_handler::run::{Input, Outcome, Recorded, Until, supervise};
use feed_replay::schedule::Speed;
use feed_replay::send::{Interface, Outgoing, Sender, SenderOptions, replay};
use feed_replay::synth::Protocol;
use scratch::Scratch;
use serde_json::Value;
use sessions::{Faults, Feed, GROUPS, LAYOUTS, plan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const TESTS: &[harness::Test] = &[
    (
        "what_one_line_loses_and_what_both_lose",
        what_one_line_loses_and_what_both_lose,
    ),
    (
        "what_a_socket_has_no_room_for",
        what_a_socket_has_no_room_for,
    ),
    (
        "a_run_from_a_file_leaves_no_list",
        a_run_from_a_file_leaves_no_list,
    ),
];

/// After the last packet was sent: longer than the reorder window, so that holes end while the run goes on.
const GRACE: Duration = Duration::from_millis(300);

fn main() {
    harness::run("losses", TESTS);
}

/// What a run left behind.
struct Left {
    outcome: Outcome,
    gaps: Vec<Value>,
    summary: Value,
}

impl Left {
    fn dropped(&self, cause: &str) -> u64 {
        self.outcome.lanes[0].drops.get(cause).copied().unwrap_or(0)
    }
}

/// Runs a plan live while `send` sends, and reads its folder.
fn live(plan: &Plan, send: impl FnOnce() + Send) -> Left {
    let scratch = Scratch::new();
    let until = Until {
        duration: Some(Duration::from_secs(20)),
        flag: Arc::new(AtomicBool::new(false)),
    };
    let started = AtomicBool::new(false);
    let mut recorded = Recorded::begin("test", Resolution::default(), Some(&scratch.0)).unwrap();
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            while !started.load(Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            send();
            thread::sleep(GRACE);
            until.flag.store(true, Relaxed);
        });
        supervise(plan, &Input::Live, &until, &mut recorded, |_| {
            started.store(true, Relaxed);
        })
        .unwrap()
    });
    recorded.write().unwrap();
    let read = |name: &str| std::fs::read_to_string(scratch.0.join(name)).unwrap();
    let rows = read("gaps.jsonl");
    Left {
        outcome,
        gaps: rows
            .lines()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect(),
        summary: serde_json::from_str(&read("summary.json")).unwrap(),
    }
}

fn senders() -> [Sender; 2] {
    let lo = Interface::named("lo").unwrap();
    GROUPS.map(|group| Sender::open(group, &lo, SenderOptions::default()).unwrap())
}

fn what_one_line_loses_and_what_both_lose() {
    let faults = Faults {
        per_line: 200,
        hole_every: 100,
        ..Faults::default()
    };
    let feed = Feed::new(Protocol::Itch50, 20_000, 31, faults);
    for threads in LAYOUTS {
        let left = live(&plan(Protocol::Itch50, threads), || {
            let go = AtomicBool::new(false);
            replay(feed.outgoing(), &senders(), Speed::ORIGINAL, &go).unwrap();
        });
        if left.outcome.lanes[0].drops.values().any(|&n| n > 0) {
            println!("  SKIPPED on {threads}: this machine had no time for it");
            continue;
        }
        let number = |row: &Value, key: &str| row[key].as_u64().unwrap();
        let (lost, closed): (Vec<_>, Vec<_>) =
            left.gaps.iter().partition(|row| row["state"] == "given_up");
        let lost_spans: Vec<_> = lost
            .iter()
            .map(|row| (number(row, "lost_first"), number(row, "lost")))
            .collect();
        assert_eq!(lost_spans, feed.holes, "{threads}");
        for row in lost {
            assert_eq!(row["cause"], "upstream", "{row}");
            assert_eq!(row["lacked_by"], serde_json::json!(["A", "B"]), "{row}");
            assert!(row["closed_by"].is_null());
            assert!(number(row, "late_ns") >= 100_000_000, "{row}");
        }
        assert!(!closed.is_empty(), "{threads}");
        for row in &closed {
            assert_eq!(row["cause"], "one_line", "{row}");
            let (by, lacking) = match row["closed_by"].as_str().unwrap() {
                "line A" => ("A", "B"),
                "line B" => ("B", "A"),
                other => panic!("{other}"),
            };
            assert_eq!(row["lacked_by"], serde_json::json!([lacking]), "{by}");
        }
        let holes = &left.summary["holes"];
        assert_eq!(number(holes, "found"), left.gaps.len() as u64);
        assert_eq!(number(holes, "given_up"), feed.holes.len() as u64);
        assert_eq!(
            (number(holes, "unlisted"), number(holes, "unreported")),
            (0, 0)
        );
        let all: u64 = feed.holes.iter().map(|hole| hole.1).sum();
        assert_eq!(left.summary["losses"]["upstream"], all);
        assert_eq!(left.summary["sequence"]["lost"], all);
        let one: u64 = closed.iter().map(|row| number(row, "count")).sum();
        assert_eq!(left.summary["losses"]["one_line"], one);
    }
}

fn what_a_socket_has_no_room_for() {
    let feed = Feed::new(Protocol::Itch50, 20_000, 32, Faults::default());
    // Both on one core: the lane cannot look while the sender sends.
    let mut plan = plan(Protocol::Itch50, LaneThreads::One { core: Some(0) });
    plan.lanes[0].socket_buffer = 4_096;
    let left = live(&plan, || {
        pin_current_thread(0).unwrap();
        let of_a: Vec<_> = feed.outgoing().filter(|packet| packet.line == 0).collect();
        let (last, burst) = of_a.split_last().unwrap();
        let (senders, go) = (senders(), AtomicBool::new(false));
        replay(burst.iter().copied(), &senders, Speed::Max, &go).unwrap();
        // What shows that the end of the burst is missing too.
        thread::sleep(Duration::from_millis(50));
        let last = Outgoing { offset: 0, ..*last };
        replay([last], &senders, Speed::Max, &go).unwrap();
    });
    let dropped = left.dropped("socket_buffer");
    assert!(dropped > 0, "the socket kept up");
    let mut told = 0;
    for row in &left.gaps {
        assert_eq!(row["cause"], "socket_buffer", "{row}");
        assert_eq!(row["lines"][0]["line"], "A", "{row}");
        assert_eq!(row["lines"][0]["cause"], "socket_buffer", "{row}");
        told += row["lines"][0]["dropped"].as_u64().unwrap();
    }
    assert_eq!(told, dropped, "each packet that was dropped, in one hole");
    let lost = &left.summary["sequence"]["lost"];
    assert_eq!(&left.summary["losses"]["socket_buffer"], lost);
    let line = &left.summary["lines"][0];
    assert_eq!(&line["lost_here"]["socket_buffer"], lost);
    assert!(left.summary["lines"][1]["lost_here"].is_null());
}

fn a_run_from_a_file_leaves_no_list() {
    let scratch = Scratch::new();
    let list = scratch.0.join("gaps.jsonl");
    std::fs::write(&list, "of an earlier run\n").unwrap();
    let feed = Feed::new(Protocol::Itch50, 1_000, 33, Faults::default());
    let mut recorded = Recorded::begin("test", Resolution::default(), Some(&scratch.0)).unwrap();
    let until = Until {
        duration: None,
        flag: Arc::default(),
    };
    let file = CaptureFile::from_memory("capture", feed.lossless()).unwrap();
    let input = Input::File(Arc::new(file));
    let plan = plan(Protocol::Itch50, LAYOUTS[0]);
    supervise(&plan, &input, &until, &mut recorded, |_| {}).unwrap();
    recorded.write().unwrap();
    assert!(!list.exists());
}
