//! The thread that reads shared memory. It never spins: it sleeps between its looks, longer while nothing comes.

use super::hub::Hub;
use feed_common::event::Record;
use feed_common::sys::sleep_precisely;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long it sleeps when a look has brought nothing: twice as long each time, up to the longest.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_micros(200);

/// Clients are woken no more often: under load their messages hold what has come meanwhile, and a single record after a
/// pause goes at once.
const PACE: Duration = Duration::from_millis(1);

/// Between two looks for the next writer of a lane whose last has ended.
const REOPEN: Duration = Duration::from_millis(100);

/// Records read at once.
const BATCH: usize = 256;

/// Reads the lanes of a hub until it stops.
pub fn start(hub: Arc<Hub>, lanes: usize) -> io::Result<JoinHandle<()>> {
    let thread = Builder::new().name("source".into());
    thread.spawn(move || run(&hub, lanes))
}

fn run(hub: &Hub, lanes: usize) {
    sleep_precisely();
    let mut batch = [Record::default(); BATCH];
    let (mut nap, mut is_behind) = (SHORTEST, true);
    let (mut woken, mut reopened) = (Instant::now(), Instant::now());
    while !hub.is_stopping() {
        let mut idle = true;
        for lane in 0..lanes {
            idle &= !hub.step(lane, &mut batch);
        }
        let now = Instant::now();
        if now - woken >= PACE {
            hub.wake();
            woken = now;
        }
        if now - reopened >= REOPEN {
            hub.reopen();
            reopened = now;
        }
        if !idle {
            nap = SHORTEST;
            continue;
        }
        if is_behind {
            // What was there before says nothing of how long records take.
            hub.measure();
            is_behind = false;
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(LONGEST);
    }
    hub.leave_measured();
}
