//! The cold thread that pairs ticks with the wall clock, so that kernel stamps and receive ticks can be compared.

use super::start::join;
use feed_common::time::{Clock, ClockFit, ClockPair, FitQuality, FitReader, shared_line};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two pairs.
const EVERY: Duration = Duration::from_millis(100);

/// Pairs the line is fitted through: one minute of them.
const WINDOW: usize = 600;

/// Pairs clocks until it is stopped.
pub(super) struct Pairing {
    thread: JoinHandle<FitQuality>,
    stop: Arc<AtomicBool>,
}

impl Pairing {
    /// Takes the first pair before it returns, so that the line is known from the first packet on.
    pub(super) fn start(clock: Clock) -> std::io::Result<(Pairing, FitReader)> {
        let (mut writer, reader) = shared_line();
        let mut fit = ClockFit::new(clock.scale(), WINDOW);
        fit.push(ClockPair::sample(&clock));
        writer.publish(fit.line());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("clock".into())
            .spawn(move || {
                while !stopped.load(Relaxed) {
                    std::thread::park_timeout(EVERY);
                    fit.push(ClockPair::sample(&clock));
                    writer.publish(fit.line());
                }
                fit.quality()
            })?;
        Ok((Pairing { thread, stop }, reader))
    }

    /// Ends the thread and says how well the line fitted.
    pub(super) fn finish(self) -> FitQuality {
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        join(self.thread)
    }
}
