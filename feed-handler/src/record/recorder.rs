//! A recording from its start to what it came to.

use super::frames::{Frames, RecordFormat};
use super::queue::{LONGER, Queue, QueueGauge, queue};
use super::write::{Intake, Progress, Sockets, Writing};
use crate::config::{LanePlan, RecordPlan, defaults};
use feed_common::capture::SectionDescription;
use feed_common::ring::{SlotConfig, SlotError};
use feed_common::time::FitReader;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a file may take to open. A pipe that nobody reads takes for ever.
const OPENING: Duration = Duration::from_secs(2);

/// When the lanes have ended, a file that takes nothing for this long is given up.
const STALLED: Duration = Duration::from_secs(2);

/// Packets taken out of a queue at once.
const BATCH: usize = 64;

/// Why a recording did not start.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Its name asks for what it would not be.
    #[error("{}: a recording is not compressed: call it .pcapng or .pcap", file.display())]
    Compressed {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot record to {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A queue could not be made.
    #[error("the recorder's queue: {0}")]
    Queue(#[from] SlotError),
}

/// What a recording came to.
#[derive(Debug)]
pub struct RecordEnd {
    /// The file.
    pub file: PathBuf,
    /// Packets in it.
    pub packets: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Packets that were handled and are not in it.
    pub lost: u64,
    /// What ended it early.
    pub error: Option<io::Error>,
}

impl RecordEnd {
    /// True when every packet that was handled is in the file.
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.error.is_none()
    }
}

/// A recording in progress.
#[derive(Debug)]
pub struct Recorder {
    file: PathBuf,
    thread: JoinHandle<io::Result<()>>,
    go: Sender<Sockets>,
    progress: Arc<Progress>,
    queues: Vec<QueueGauge>,
}

impl Recorder {
    /// Opens the file and starts the thread that writes it; returns a queue for each lane, in order. Nothing is written
    /// before [`Recorder::begin`]. `machine` says what the capture was made by; `clock` dates packets that the kernel
    /// does not stamp.
    pub fn start(
        plan: &RecordPlan,
        lanes: &[LanePlan],
        machine: &SectionDescription<'_>,
        clock: FitReader,
    ) -> Result<(Recorder, Vec<Queue>), RecordError> {
        let failed = |source| RecordError::File {
            file: plan.file.clone(),
            source,
        };
        let format = RecordFormat::of(&plan.file).ok_or_else(|| RecordError::Compressed {
            file: plan.file.clone(),
        })?;
        let frames = Frames::new(format, lanes, machine).map_err(failed)?;
        let (mut queues, mut intakes, mut first_line) = (Vec::new(), Vec::new(), 0);
        for lane in lanes {
            let lines = lane.lines().count();
            let (hot, cold, gauge) = queue(lines, &slots(plan, lane))?;
            queues.push(hot);
            intakes.push(Intake {
                queue: cold,
                gauge,
                first_line,
                ended: false,
            });
            first_line += lines;
        }
        let gauges = intakes.iter().map(|lane| lane.gauge.clone()).collect();
        let (opened, opening) = channel();
        let (go, begun) = channel();
        let progress = Arc::new(Progress::default());
        let (path, shared) = (plan.file.clone(), progress.clone());
        let thread = Builder::new().name("record".into()).spawn(move || {
            let Some((file, sockets)) = open(&path, &opened, &begun) else {
                return Ok(());
            };
            let writing = Writing {
                file,
                frames,
                lanes: intakes,
                sockets,
                clock,
                progress: &shared,
                pending: 0,
            };
            writing.run()
        });
        let recorder = Recorder {
            file: plan.file.clone(),
            thread: thread.map_err(failed)?,
            go,
            progress,
            queues: gauges,
        };
        match opening.recv_timeout(OPENING) {
            Ok(Ok(())) => Ok((recorder, queues)),
            Ok(Err(source)) => Err(failed(source)),
            // The thread ends when the file opens after all.
            Err(_) => Err(failed(io::Error::new(
                io::ErrorKind::TimedOut,
                "it does not open; is it a pipe that nobody reads?",
            ))),
        }
    }

    /// Nothing will call the run off any more: the file begins. A recorder that is dropped before leaves it as it was.
    /// `sockets` counts what the lines lost before they were handled, for lanes in order.
    pub fn begin(&self, sockets: Sockets) {
        // Fails only when the thread has panicked, which `finish` tells.
        let _ = self.go.send(sockets);
    }

    /// Waits until the file has everything that is still queued, as long as it takes something. The lanes must have
    /// ended and given up their queues.
    pub fn finish(self) -> RecordEnd {
        drop(self.go);
        let bytes = || self.progress.bytes.load(Relaxed);
        let (mut before, mut since) = (bytes(), Instant::now());
        while !self.thread.is_finished() && since.elapsed() < STALLED {
            std::thread::sleep(Duration::from_millis(1));
            if bytes() != before {
                (before, since) = (bytes(), Instant::now());
            }
        }
        let error = if self.thread.is_finished() {
            match self.thread.join() {
                Ok(written) => written.err(),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        } else {
            // The thread is left to itself: it ends when the system lets it.
            self.progress.given_up.store(true, Relaxed);
            let reason = format!(
                "it took nothing for {} s and was given up",
                STALLED.as_secs()
            );
            Some(io::Error::new(io::ErrorKind::TimedOut, reason))
        };
        let packets = self.progress.packets.load(Relaxed);
        let came = |q: &QueueGauge| q.taken() + q.lost_in_all();
        RecordEnd {
            file: self.file,
            packets,
            bytes: self.progress.bytes.load(Relaxed),
            lost: self
                .queues
                .iter()
                .map(came)
                .sum::<u64>()
                .saturating_sub(packets),
            error,
        }
    }
}

/// Opens the file, says whether it did, and waits for the run to begin; `None` when it does not.
fn open(
    path: &Path,
    opened: &Sender<io::Result<()>>,
    begun: &Receiver<Sockets>,
) -> Option<(File, Sockets)> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let (said, file) = match file {
        Ok(file) => (Ok(()), Some(file)),
        Err(e) => (Err(e), None),
    };
    opened.send(said).ok()?;
    Some((file?, begun.recv().ok()?))
}

/// The shape of a lane's queue: as many packets as planned, as far as that much memory goes.
fn slots(plan: &RecordPlan, lane: &LanePlan) -> SlotConfig {
    let stride = lane.slot_bytes + LONGER;
    let most = (defaults::RECORD_QUEUE_BYTES / stride).max(1);
    let wanted = plan.queue_packets.clamp(1, SlotConfig::MAX_SLOTS);
    let slots = wanted.next_power_of_two().min(1 << most.ilog2());
    SlotConfig {
        slots,
        stride,
        batch: BATCH.min(slots),
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
