//! The recorder's thread: packets out of the queues, bytes into the file.

use super::frames::{Frames, Lost};
use super::queue::QueueGauge;
use crate::net::LineCounters;
use feed_common::packet::{PacketBatch, PacketSource, RxError};
use feed_common::ring::Consumer;
use feed_common::time::FitReader;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The counters of every lane's lines.
pub type Sockets = Vec<Arc<[LineCounters]>>;

/// What has been received reaches the file after this long at most, unless the file is slow.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// As many bytes are written at once, a batch more or less.
const WRITE_BYTES: usize = 256 << 10;

/// How long the thread sleeps when the queues are empty: a fraction of what they hold at any rate a line can have.
const NAP: Duration = Duration::from_millis(1);

/// How far the file has come, for whoever waits for it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) packets: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Set when nobody waits any more.
    pub(super) given_up: AtomicBool,
}

/// What the recorder's thread holds.
pub(super) struct Writing<'p> {
    pub(super) file: File,
    pub(super) frames: Frames,
    pub(super) lanes: Vec<Intake>,
    pub(super) sockets: Sockets,
    pub(super) clock: FitReader,
    pub(super) progress: &'p Progress,
    /// Packets in [`Writing::frames`] that the file does not have yet.
    pub(super) pending: u64,
}

/// Where the packets of a lane come out.
pub(super) struct Intake {
    pub(super) queue: Consumer,
    pub(super) gauge: QueueGauge,
    /// Number of its first line.
    pub(super) first_line: usize,
    pub(super) ended: bool,
}

impl Writing<'_> {
    /// Writes until every lane has ended and its queue is drained, then what the lines came to.
    pub(super) fn run(mut self) -> io::Result<()> {
        // What an earlier recording left in the file stays until now.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.pass_on()?;
        let mut written = Instant::now();
        loop {
            let taken = self.take()?;
            let full = self.frames.bytes().len() >= WRITE_BYTES;
            if full || written.elapsed() >= FLUSH_EVERY {
                self.pass_on()?;
                written = Instant::now();
            }
            if self.lanes.iter().all(|lane| lane.ended) {
                break;
            }
            if self.progress.given_up.load(Relaxed) {
                return Ok(());
            }
            if taken == 0 {
                std::thread::sleep(NAP);
            }
        }
        self.statistics()?;
        self.pass_on()
    }

    /// Takes a batch out of every queue; the number of packets.
    fn take(&mut self) -> io::Result<usize> {
        self.clock.refresh();
        let mut taken = 0;
        for lane in self.lanes.iter_mut().filter(|lane| !lane.ended) {
            match lane.queue.poll() {
                Ok(batch) => {
                    for i in 0..batch.len() {
                        let packet = batch.get(i);
                        let line = lane.first_line + packet.meta.line as usize;
                        self.frames.packet(line, packet, self.clock.line())?;
                        self.pending += 1;
                    }
                    taken += batch.len();
                }
                Err(RxError::End) => lane.ended = true,
                Err(RxError::Io(e)) => return Err(e),
            }
        }
        Ok(taken)
    }

    /// Writes what has been put together. Only what was written whole counts as recorded.
    fn pass_on(&mut self) -> io::Result<()> {
        let bytes = self.frames.bytes();
        self.file.write_all(bytes)?;
        self.progress.bytes.fetch_add(bytes.len() as u64, Relaxed);
        self.progress.packets.fetch_add(self.pending, Relaxed);
        self.pending = 0;
        bytes.clear();
        Ok(())
    }

    /// Adds what each line came to. Every lane has ended, so nothing counts any more.
    fn statistics(&mut self) -> io::Result<()> {
        for (lane, sockets) in self.lanes.iter().zip(&self.sockets) {
            for (number, socket) in sockets.iter().enumerate() {
                let counts = socket.read();
                let lost = Lost {
                    here: lane.gauge.lost(number) + counts.ring_full,
                    system: counts.socket_drops,
                };
                self.frames.statistics(lane.first_line + number, lost)?;
            }
        }
        Ok(())
    }
}
