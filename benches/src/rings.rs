//! Rings between two pinned cores. There are never more than two spinning threads.
//!
//! Latencies are differences of time-stamp counters of two cores, which are synchronised on every machine this runs on;
//! the median of a round includes one reading of the counter.

pub mod broadcasting;
pub mod handoff;
pub mod peers;

use feed_common::sys::pin_current_thread;
use feed_common::time::Clock;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Packets or records of one commit or flush, and of one poll or read.
pub const BATCH: usize = 32;

/// Exchanges of one latency measurement.
pub const EXCHANGES: u64 = 50_000;

/// This thread's core and another, and a clock for both.
pub struct Cores {
    other: usize,
    clock: Clock,
}

impl Cores {
    /// Pins this thread to `here`; what is measured against it runs on `other`. Why not, if so.
    pub fn pin(here: usize, other: usize) -> Result<Cores, String> {
        if here == other {
            return Err("two cores are needed".into());
        }
        // The other first: only the last pinning of this thread lasts.
        for core in [other, here] {
            pin_current_thread(core).map_err(|e| e.to_string())?;
        }
        let clock = Clock::new();
        Ok(Cores { other, clock })
    }

    /// Runs `there` on the other core while `here` runs on this one, beginning together.
    pub fn pair<A: Send, B>(
        &self,
        there: impl FnOnce() -> A + Send,
        here: impl FnOnce() -> B,
    ) -> (A, B) {
        let (ready, started) = mpsc::channel();
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                pin_current_thread(self.other).unwrap_or_else(|error| panic!("{error}"));
                ready.send(()).expect("the other side waits");
                there()
            });
            started.recv().expect("the other thread runs");
            let here = here();
            (thread.join().expect("the other thread ends"), here)
        })
    }

    /// How far apart the cores are: half a round trip of one atomic word each way, in nanoseconds.
    pub fn distance(&self) -> f64 {
        let (ping, pong) = (Line::default(), Line::default());
        let answer = || {
            for i in 1..=EXCHANGES {
                wait(|| ping.0.load(Ordering::Acquire) == i);
                pong.0.store(i, Ordering::Release);
            }
        };
        let ask = || {
            let start = Instant::now();
            for i in 1..=EXCHANGES {
                ping.0.store(i, Ordering::Release);
                wait(|| pong.0.load(Ordering::Acquire) == i);
            }
            start.elapsed()
        };
        let ((), took) = self.pair(answer, ask);
        per(took, EXCHANGES) / 2.0
    }

    /// p50 and p99 of spans in ticks, in nanoseconds.
    fn quantiles(&self, mut ticks: Vec<u64>) -> [f64; 2] {
        ticks.sort_unstable();
        [50, 99].map(|p| {
            let at = ticks.len() * p / 100;
            self.clock.scale().nanos(ticks[at]) as f64
        })
    }
}

/// An atomic word on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// Spins until `done`; gives up after a time no working ring needs.
#[inline(always)]
fn wait(mut done: impl FnMut() -> bool) {
    let mut spins = 0u64;
    while !done() {
        spin_loop();
        spins += 1;
        assert!(spins < 1 << 32, "the other side has stopped");
    }
}

fn per(took: Duration, count: u64) -> f64 {
    took.as_nanos() as f64 / count.max(1) as f64
}
