//! Recording latencies.

use feed_common::latency::recorder::{self, StageRecorder};
use feed_common::latency::{Probe, Resolution, Stage};
use feed_common::time::{Clock, Ticks};
use std::hint::black_box;

/// Values of one pass.
pub const VALUES: u64 = 4_096;

/// A recorder of a run, and a time that lies behind it.
pub struct Recording {
    recorder: StageRecorder,
    rx: Ticks,
}

impl Recording {
    /// With nothing in it.
    pub fn new() -> Recording {
        let clock = Clock::new();
        let rx = clock.now();
        let recorder = recorder::pair(Resolution::default(), clock).0;
        Recording { recorder, rx }
    }

    /// Counts [`VALUES`] values from 100 ns to 100 µs.
    pub fn record(&mut self) {
        for i in 0..VALUES {
            let nanos = 100 + i.wrapping_mul(0x9E37_79B9) % 100_000;
            black_box(&mut self.recorder).record(Stage::Decoded, nanos);
        }
    }

    /// Marks a stage [`VALUES`] times: a reading of the clock, a conversion and a count.
    pub fn mark(&mut self) {
        for _ in 0..VALUES {
            black_box(&mut self.recorder).mark(Stage::Published, self.rx);
        }
    }
}

impl Default for Recording {
    fn default() -> Recording {
        Recording::new()
    }
}
