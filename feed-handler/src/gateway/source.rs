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

/// After so long without a record it rests longer: the first one that comes then waits for it.
const SILENCE: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_millis(2);

/// Clients are woken no more often: under load their messages hold what has come meanwhile, and a single record after a
/// pause goes at once.
const PACE: Duration = Duration::from_millis(1);

/// Records read at once.
const BATCH: usize = 256;

/// Reads the lanes of a hub until it stops.
pub fn start(hub: Arc<Hub>) -> io::Result<JoinHandle<()>> {
    let thread = Builder::new().name("source".into());
    thread.spawn(move || run(&hub))
}

fn run(hub: &Hub) {
    sleep_precisely();
    let mut batch = [Record::default(); BATCH];
    let mut nap = SHORTEST;
    let (mut woken, mut heard) = (Instant::now(), Instant::now());
    while !hub.is_stopping() {
        let mut idle = true;
        let mut lane = 0;
        while let Some(brought) = hub.step(lane, &mut batch) {
            idle &= !brought;
            lane += 1;
        }
        let now = Instant::now();
        if now - woken >= PACE {
            hub.wake();
            woken = now;
        }
        if !idle {
            (nap, heard) = (SHORTEST, now);
            continue;
        }
        std::thread::sleep(nap);
        let longest = if now - heard < SILENCE { LONGEST } else { REST };
        nap = (nap * 2).min(longest);
    }
    hub.leave_measured();
}
