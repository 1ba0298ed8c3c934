//! The journals of a run, from their start to what they came to.

use super::intake::Intake;
use super::tap::Tap;
use crate::config::{JournalPlan, JournalSync, LanePlan};
use feed_common::event::Record;
use feed_common::journal::mapped::segments;
use feed_common::journal::{JournalError, JournalOptions, JournalWriter, Preparer};
use feed_common::ring::{Reader, SlotError};
use feed_common::time::UnixNanos;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long the threads sleep when there is nothing to do: a fraction of what the queues and the segments hold.
const NAP: Duration = Duration::from_micros(500);

/// After segments could not be made, this long passes before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Why journals were not begun.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// One could not be opened.
    #[error("journal of lane {lane}: {source}")]
    Journal {
        /// Its lane.
        lane: String,
        /// What is wrong.
        source: JournalError,
    },
    /// A queue could not be made.
    #[error("the journal's queue: {0}")]
    Queue(#[from] SlotError),
    /// The system gave no thread.
    #[error("cannot start the journal's thread: {0}")]
    Thread(io::Error),
}

/// What can be told of a lane's journal from outside, exact once the lane and the journal have ended.
#[derive(Clone, Debug, Default)]
pub struct JournalGauge {
    shown: Arc<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    lost_before: AtomicU64,
    written: AtomicU64,
    unwritten: AtomicU64,
    gaps: AtomicU64,
}

impl JournalGauge {
    /// Records in the journal.
    pub fn records(&self) -> u64 {
        self.shown.written.load(Relaxed)
    }

    /// Records that found the queue full.
    pub fn lost_before(&self) -> u64 {
        self.shown.lost_before.load(Relaxed)
    }

    /// Records that came through the queue and could not be written.
    pub fn unwritten(&self) -> u64 {
        self.shown.unwritten.load(Relaxed)
    }

    /// Records that are not in the journal.
    pub fn lost(&self) -> u64 {
        self.lost_before() + self.unwritten()
    }

    // Each counter has one thread that adds to it; that one stores what it counted.

    pub(super) fn lose_before(&self, lost: u64) {
        self.shown.lost_before.store(lost, Relaxed);
    }

    pub(super) fn write(&self, records: u64) {
        self.shown.written.store(self.records() + records, Relaxed);
    }

    pub(super) fn fail(&self, records: u64) {
        let unwritten = self.unwritten() + records;
        self.shown.unwritten.store(unwritten, Relaxed);
    }

    pub(super) fn note_gap(&self) {
        self.shown.gaps.fetch_add(1, Relaxed);
    }
}

/// What a lane's journal came to.
#[derive(Debug)]
pub struct JournalEnd {
    /// Its lane.
    pub lane: String,
    /// Its folder.
    pub dir: PathBuf,
    /// The number in the journal of the first that this run has written.
    pub first: u64,
    /// Records of this run in it, those that say what is missing left out.
    pub records: u64,
    /// Records that were published and are not in it.
    pub lost: u64,
    /// Those of them that came through the queue and could not be written.
    pub unwritten: u64,
    /// Records that say what is missing.
    pub gaps: u64,
    /// How often the thread had to make a segment itself.
    pub waits: u64,
    /// What went wrong first.
    pub error: Option<JournalError>,
}

/// Journals being written.
pub struct Journals {
    writing: JoinHandle<Vec<JournalEnd>>,
    preparing: JoinHandle<()>,
    ended: Arc<AtomicBool>,
    gauges: Vec<JournalGauge>,
}

/// What the writing thread has of a lane.
struct Kept {
    lane: String,
    dir: PathBuf,
    first: u64,
    gauge: JournalGauge,
    intake: Intake,
}

impl Journals {
    /// Opens a journal for each lane in a folder of its name and starts the threads; a tap for each lane, in order, which
    /// looks into its broadcast ring through the reader that comes with it.
    pub fn start<'l>(
        plan: &JournalPlan,
        lanes: impl IntoIterator<Item = (&'l LanePlan, Reader<Record>)>,
    ) -> Result<(Journals, Vec<Tap>), KeepError> {
        let (mut kept, mut taps, mut preparers) = (Vec::new(), Vec::new(), Vec::new());
        for (lane, records) in lanes {
            let dir = plan.dir.join(&lane.name);
            let options = JournalOptions {
                segment: plan.segment,
                keep: plan.keep,
                ..JournalOptions::new(UnixNanos::now().0)
            };
            let opened = JournalWriter::open(&dir, &options);
            let writer = opened.map_err(|source| KeepError::Journal {
                lane: lane.name.clone(),
                source,
            })?;
            let gauge = JournalGauge::default();
            let (tap, queue) = Tap::new(records, plan.queue, gauge.clone())?;
            taps.push(tap);
            preparers.push(writer.preparer());
            kept.push(Kept {
                lane: lane.name.clone(),
                dir,
                first: writer.number(),
                gauge: gauge.clone(),
                intake: Intake::new(queue, gauge, writer),
            });
        }
        let gauges = kept.iter().map(|lane| lane.gauge.clone()).collect();
        let sync = plan.sync;
        let ended = Arc::new(AtomicBool::new(false));
        let stop = ended.clone();
        let thread = Builder::new().name("journal-room".into());
        let preparing = thread.spawn(move || prepare(&preparers, &stop));
        let preparing = preparing.map_err(KeepError::Thread)?;
        let thread = Builder::new().name("journal".into());
        let writing = thread.spawn(move || write(kept, sync)).map_err(|e| {
            ended.store(true, Relaxed);
            KeepError::Thread(e)
        })?;
        let journals = Journals {
            writing,
            preparing,
            ended,
            gauges,
        };
        Ok((journals, taps))
    }

    /// How far each lane's is.
    pub fn gauges(&self) -> &[JournalGauge] {
        &self.gauges
    }

    /// Waits until everything that is queued is written or lost. The lanes must have ended and given up their taps.
    pub fn finish(self) -> Vec<JournalEnd> {
        let written = self.writing.join();
        self.ended.store(true, Relaxed);
        let prepared = self.preparing.join();
        match (written, prepared) {
            (Ok(ends), Ok(())) => ends,
            (Err(panic), _) | (_, Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

fn write(mut lanes: Vec<Kept>, sync: JournalSync) -> Vec<JournalEnd> {
    loop {
        let mut taken = 0;
        for lane in lanes.iter_mut().filter(|lane| !lane.intake.has_ended()) {
            taken += lane.intake.take();
        }
        if lanes.iter().all(|lane| lane.intake.has_ended()) {
            break;
        }
        if taken == 0 {
            std::thread::sleep(NAP);
        }
    }
    lanes.into_iter().map(|lane| lane.end(sync)).collect()
}

impl Kept {
    fn end(self, sync: JournalSync) -> JournalEnd {
        let (writer, mut error) = self.intake.finish();
        if sync == JournalSync::End
            && let Err(e) = sync_all(&self.dir)
        {
            error.get_or_insert(e);
        }
        JournalEnd {
            lane: self.lane,
            first: self.first,
            records: self.gauge.records(),
            lost: self.gauge.lost(),
            unwritten: self.gauge.unwritten(),
            gaps: self.gauge.shown.gaps.load(Relaxed),
            waits: writer.waits(),
            dir: self.dir,
            error,
        }
    }
}

/// Waits until the disk has every segment there is.
fn sync_all(dir: &Path) -> Result<(), JournalError> {
    for segment in segments(dir)? {
        let path = segment.path;
        let synced = File::open(&path).and_then(|file| file.sync_all());
        match synced {
            // Retention has removed it meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(JournalError::Io { path, source }),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Makes segments ahead of time until the journals have ended.
fn prepare(preparers: &[Preparer], ended: &AtomicBool) {
    let mut retry = vec![None; preparers.len()];
    while !ended.load(Relaxed) {
        for (preparer, retry) in preparers.iter().zip(&mut retry) {
            if retry.is_some_and(|at| Instant::now() < at) {
                continue;
            }
            // What fails here fails again where the segment is wanted, and is told there.
            *retry = match preparer.prepare() {
                Ok(_) => None,
                Err(_) => Some(Instant::now() + RETRY),
            };
        }
        std::thread::sleep(NAP);
    }
}
