//! The gateway as a process over a lane that is written here, and its clients as threads of this process: all that can be
//! measured of it on one machine.

mod feed;
mod process;
mod reader;

pub use process::Running;
pub use reader::{Reader, Way};

use feed::Feed;
use feed_common::ring::shared::{OwnedBy, SharedReader};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

/// Records that wait for a client at most.
const QUEUE: u64 = 8_192;

/// Records that wait for one that never reads: few, so that it is at its end soon.
const STUCK_QUEUE: u64 = 128;

/// A moment until nothing is left to be done, and how long nothing is done then.
const SETTLE: Duration = Duration::from_millis(1_500);
const IDLE: Duration = Duration::from_secs(2);

/// Between two subscriptions of one that asks for quotes again and again.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What the client does that is there beside those that are measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Beside {
    /// It reads as they do.
    Reads,
    /// It never reads.
    Stuck,
    /// It asks for all quotes twenty times a second.
    Asks,
}

/// What is written, and who reads.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How clients are connected.
    pub way: Way,
    /// Records a second.
    pub rate: u64,
    /// For how long.
    pub seconds: u64,
    /// Instruments, all of which have a quote before anybody connects.
    pub instruments: u64,
    /// Clients that read and are measured.
    pub clients: u64,
    /// One more client.
    pub beside: Option<Beside>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Of the clients that are measured: from publishing a record to reading it, in nanoseconds, ascending.
    pub latencies: Vec<u64>,
    /// What the gateway says of itself.
    pub facts: Value,
    /// The gateway's processor time of a second, with nothing to do.
    pub idle: f64,
    /// The same under the load.
    pub busy: f64,
}

impl Outcome {
    /// A quantile in microseconds.
    pub fn at(&self, q: f64) -> f64 {
        match self.latencies.len() {
            0 => 0.0,
            n => self.latencies[((n - 1) as f64 * q) as usize] as f64 / 1_000.0,
        }
    }
}

/// The file of the lane.
fn path() -> PathBuf {
    format!("/dev/shm/feed-bench-gateway-{}", std::process::id()).into()
}

fn while_not(is_over: &AtomicBool, mut what: impl FnMut()) {
    while !is_over.load(Relaxed) {
        what();
        thread::sleep(ASK_EVERY);
    }
}

/// Measures a load; every record has come to every client that reads, or the gateway has said that it has not.
pub fn measure(load: Load) -> Outcome {
    let mut feed = Feed::new(load.instruments);
    feed.write_all();
    let mut gateway = Running::start(&path());
    thread::sleep(SETTLE);
    let before = gateway.processor_time();
    thread::sleep(IDLE);
    let idle = (gateway.processor_time() - before).as_secs_f64() / IDLE.as_secs_f64();
    let connect = |_| Reader::connect(&gateway, load.way, QUEUE);
    let measured: Vec<_> = (0..load.clients).map(connect).collect();
    let queue = match load.beside {
        Some(Beside::Stuck) => STUCK_QUEUE,
        _ => QUEUE,
    };
    let beside = load
        .beside
        .map(|_| Reader::connect(&gateway, load.way, queue));
    let total = load.rate * load.seconds;
    let run = |mut reader: Reader| thread::spawn(move || reader.run(total));
    let measured: Vec<_> = measured.into_iter().map(run).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let beside = beside.zip(load.beside).map(|(mut reader, does)| {
        let is_over = is_over.clone();
        thread::spawn(move || match does {
            Beside::Reads => _ = reader.run(total),
            Beside::Stuck => {
                reader.narrow();
                while_not(&is_over, || {});
            }
            Beside::Asks => while_not(&is_over, || reader.subscribe()),
        })
    });
    let before = gateway.processor_time();
    let took = feed.write(load.rate, total);
    let (mut latencies, mut missing) = (Vec::new(), 0);
    for thread in measured {
        let (times, n) = thread.join().expect("a reader");
        latencies.extend(times);
        missing += n;
    }
    let busy = (gateway.processor_time() - before).as_secs_f64() / took.as_secs_f64();
    // The one thing that the handler would notice is the ring: it is written without looking at anybody.
    let seen = SharedReader::open(&path(), OwnedBy::Us).expect("just made");
    assert_eq!(seen.subscriber().published(), feed.written());
    // Before the gateway ends, which would end its connection.
    is_over.store(true, Relaxed);
    if let Some(thread) = beside {
        thread.join().expect("the one beside");
    }
    let facts = gateway.stop();
    feed.remove();
    assert_eq!(
        latencies.len() as u64 + missing,
        total * load.clients,
        "not all of it: {facts}"
    );
    latencies.sort_unstable();
    Outcome {
        latencies,
        facts,
        idle,
        busy,
    }
}

/// How late the first records after so long a silence come to a client, so many times: nanoseconds, ascending.
pub fn after_silence(silence: Duration, times: u64) -> Vec<u64> {
    let mut feed = Feed::new(1);
    let mut gateway = Running::start(&path());
    let mut reader = Reader::connect(&gateway, Way::Tcp, QUEUE);
    let reader = thread::spawn(move || reader.run(times));
    for n in 0..times {
        // Not in step with whatever sleeps.
        thread::sleep(silence + Duration::from_micros(n * 7_919 % 10_007));
        feed.packet(1);
    }
    let (mut latencies, missing) = reader.join().expect("a reader");
    assert_eq!((latencies.len() as u64, missing), (times, 0));
    gateway.stop();
    feed.remove();
    latencies.sort_unstable();
    latencies
}
