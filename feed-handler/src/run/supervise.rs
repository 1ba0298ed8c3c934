//! The cold loop around a running handler: intervals, progress, signals, time limits.

use super::handler::{Handler, Outcome};
use super::outputs::Recorded;
use super::start::{Input, StartError};
use crate::config::Plan;
use crate::report::terminal::{Progress as Second, progress};
use feed_common::program::Progress;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How often progress is told.
const TOLD: Duration = Duration::from_secs(1);

/// How long the intervals of the log are at first, and how long that is: short runs have a time line too, and something
/// to be compared by.
const SHORT_INTERVAL: Duration = Duration::from_millis(100);
const SHORT_FOR: Duration = Duration::from_secs(30);

/// How long they are then.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the loop sleeps between looks at whether it is over.
const NAP: Duration = Duration::from_millis(10);

/// When a run ends, besides at the end of its input.
#[derive(Clone, Debug)]
pub struct Until {
    /// After this long.
    pub duration: Option<Duration>,
    /// When this is set: by a signal, or by whoever sends what is received.
    pub flag: Arc<AtomicBool>,
}

impl Until {
    /// Ends at SIGINT and SIGTERM. A second signal ends the process at once.
    pub fn signalled(duration: Option<Duration>) -> io::Result<Until> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Order matters: the second looks at the flag before the first sets it.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, flag.clone())?;
            signal_hook::flag::register(signal, flag.clone())?;
        }
        Ok(Until { duration, flag })
    }
}

/// Runs a plan to its end, telling progress on standard error, and completes `recorded`.
pub fn supervise(
    plan: &Plan,
    input: &Input,
    until: &Until,
    recorded: &mut Recorded,
    started: impl FnOnce(&Handler),
) -> Result<Outcome, StartError> {
    let mut handler = Handler::start(plan, input)?;
    if let Err(e) = handler.measure_consumers() {
        handler.finish();
        return Err(e);
    }
    recorded.started(plan, input, &handler);
    let mut marks = handler.marks();
    started(&handler);
    let (mut next, mut before) = (recorded.elapsed() + TOLD, handler.reading());
    let mut interval_ends = recorded.elapsed() + SHORT_INTERVAL;
    let mut bar = match input {
        Input::File(file) => Progress::of_file(file),
        Input::Live => Progress::unwatched(),
    };
    while !handler.is_finished() {
        std::thread::sleep(NAP);
        recorded.marks(&mut marks);
        recorded.holes();
        if let Some(read) = handler.position() {
            bar.reach(read);
        }
        let now = recorded.elapsed();
        if until.flag.load(Relaxed) || until.duration.is_some_and(|d| now >= d) {
            break;
        }
        if now >= interval_ends {
            let counts = handler.reading().counts();
            recorded.interval(handler.interval(), counts);
            recorded.by_channel(handler.by_channel());
            interval_ends = now
                + match now < SHORT_FOR {
                    true => SHORT_INTERVAL,
                    false => INTERVAL,
                };
        }
        if now < next {
            continue;
        }
        next += TOLD;
        let told = recorded.since_told();
        handler.board().interval(recorded.stages(&told));
        let reading = handler.reading();
        let this = Second {
            elapsed: now,
            packets: reading.packets - before.packets,
            messages: reading.messages - before.messages,
            lost: reading.lost,
            dropped: reading.dropped,
            holes: reading.holes,
            open: reading.open,
        };
        bar.print_above(&progress(&this, &told));
        before = reading;
    }
    drop(bar);
    let clock = handler.clock().clone();
    let outcome = handler.finish();
    recorded.marks(&mut marks);
    recorded.complete(plan, &clock, &outcome);
    Ok(outcome)
}
