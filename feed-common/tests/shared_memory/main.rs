//! Shared memory across processes: this test again in a process of its own, which says on a line of its output what it
//! has come to, and goes on when it is told a line.
#![cfg(not(loom))]

mod languages;
mod left;
mod processes;
mod readers;
mod taken;

use feed_common::event::{Name, Price, Record};
use feed_common::ring::shared::{
    Channel, Instrument, Published, Quote, Session, SharedPlan, publish,
};
use feed_common::time::{TickScale, Ticks, UnixNanos};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// What a process of its own is to do, and with which file.
const ROLE: &str = "FEED_SHARED_ROLE";
const PATH: &str = "FEED_SHARED_PATH";
/// Records that are written and read flat out; a debug build takes about a second for each million.
const RECORDS: &str = "FEED_STRESS_RECORDS";

/// Ends a test that hangs; far beyond any honest run on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30 * 60);

fn records() -> u64 {
    std::env::var(RECORDS).map_or(5_000_000, |n| n.parse().expect("a number"))
}

/// A folder in shared memory, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = format!("/dev/shm/feed-processes-{name}-{}", std::process::id());
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path.into())
    }

    fn feed(&self) -> PathBuf {
        self.0.join("feed")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn plan(path: &Path, slots: usize) -> SharedPlan {
    SharedPlan {
        path: path.into(),
        slots,
        instruments: 16,
        mode: 0o600,
        group: None,
        session: Session::new("processes"),
        channels: vec![Channel {
            number: 3,
            name: "itch".into(),
            protocol: "itch50".into(),
        }],
        scale: TickScale::from_ratio(1, 2),
    }
}

/// Each word is a different function of the position.
fn record(p: u64) -> Record {
    Record::from_words(std::array::from_fn(|i| {
        (p ^ (i as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15 | 1 << i)
    }))
}

/// Every field follows from the number.
fn quote(n: u64) -> Quote {
    Quote {
        bid: Price(n as i64),
        bid_quantity: !n,
        ask: Price((n ^ 0x5555) as i64),
        ask_quantity: n.rotate_left(32),
        timestamp: UnixNanos(n.wrapping_mul(3)),
        sequence: n,
        rx: Ticks(n.wrapping_mul(5)),
        ..Quote::default()
    }
}

fn instrument(i: u32) -> Instrument {
    let name = match i {
        0 => "ABC".into(),
        i => format!("A LONG NAME {i}"),
    };
    let name = Name::new(name.as_bytes());
    Instrument {
        channel: 3,
        instrument: i,
        symbol: name.symbol().unwrap_or(*b"#       "),
        name,
    }
}

/// Another process.
struct Other {
    child: Child,
    tells: BufReader<ChildStdout>,
    told: ChildStdin,
}

impl Other {
    fn start(role: &str, path: &Path) -> Other {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "another_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(ROLE, role)
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let tells = BufReader::new(child.stdout.take().unwrap());
        let told = child.stdin.take().unwrap();
        Other { child, tells, told }
    }

    /// What it says next.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.tells.read_line(&mut line).unwrap() > 0, "it has ended");
            // The test harness says things, too, at times on the same line.
            if let Some((_, said)) = line.split_once("SAYS ") {
                return said.trim().into();
            }
        }
    }

    fn tell(&mut self) {
        self.told.write_all(b"\n").unwrap();
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(what: impl std::fmt::Display) {
    println!("SAYS {what}");
}

fn wait_to_be_told() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Not a test of its own: what the other process does.
#[test]
fn another_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    match role.as_str() {
        "writer" => write_flat_out(&path),
        "endless" => write_until_killed(&path),
        other => panic!("{other}"),
    }
}

/// Writes all records and quotes, and lets the reader go first now and then.
fn write_flat_out(path: &Path) {
    let Published {
        mut ring,
        mut board,
        hold,
    } = publish(&plan(path, 4_096)).unwrap();
    let row = board.announce(&instrument(0)).unwrap();
    say("ready");
    wait_to_be_told();
    for p in 0..records() {
        ring.push(&record(p));
        if p % 64 == 0 {
            board.put(row, &quote(p));
        }
        if p % 32 == 31 {
            ring.flush();
        }
        if p & 0xF_FFFF == 0 {
            thread::yield_now();
        }
    }
    drop(ring);
    drop(hold);
}

fn write_until_killed(path: &Path) {
    let mut published = publish(&plan(path, 256)).unwrap();
    say(format!("{:?}", published.hold.takeover()));
    let start = Instant::now();
    for p in 0.. {
        published.ring.push(&record(p));
        published.ring.flush();
        if p % 64 == 0 {
            assert!(start.elapsed() < LIMIT);
            thread::sleep(Duration::from_micros(50));
        }
    }
}
