//! The thread that finds lanes: those that come later than the gateway, and the next writers of those that have ended.

use super::hub::Hub;
use super::options::LANES_MAX;
use crate::tail::{Finder, Next};
use crossbeam_channel::Sender;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::{Duration, Instant};

/// Between two looks for the next writer of a lane whose last has ended.
const NEXT: Duration = Duration::from_millis(100);

/// Between two looks for lanes that were not there.
const LOOK: Duration = Duration::from_secs(1);

/// Looks for lanes until the hub stops; what cannot be read is told to `warnings`, as far as there is room.
pub fn start(
    hub: Arc<Hub>,
    finder: Finder,
    warnings: Sender<String>,
) -> io::Result<JoinHandle<()>> {
    let thread = Builder::new().name("seek".into());
    thread.spawn(move || run(&hub, finder, &warnings))
}

fn run(hub: &Hub, mut finder: Finder, warnings: &Sender<String>) {
    // Nobody reads them, or not fast enough: there are the facts.
    let warn = |why: String| drop(warnings.try_send(why));
    let mut looked = Instant::now();
    loop {
        park_timeout(NEXT);
        if hub.is_stopping() {
            break;
        }
        for path in hub.ended() {
            match finder.next_writer(&path) {
                Next::Same => {}
                Next::Writer(tail) => _ = hub.follow(*tail, true),
                Next::Gone => hub.forget(&path),
            }
        }
        if looked.elapsed() < LOOK {
            continue;
        }
        looked = Instant::now();
        let found = finder.look(true);
        hub.totals.refused.store(finder.refused() as u64, Relaxed);
        for tail in found.lanes {
            let path = tail.path().to_owned();
            if !hub.follow(tail, true) {
                let path = path.display();
                warn(format!("{path}: there are {LANES_MAX} lanes already"));
            }
        }
        let refused = found.refused.iter();
        refused.for_each(|error| warn(error.to_string()));
    }
}
