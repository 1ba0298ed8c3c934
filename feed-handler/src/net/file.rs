//! A capture file as a packet source of the live pipeline.
//!
//! [`CaptureSource`] lends packets where the file's window has them; [`CaptureBackend`] copies them into slots, for the
//! layout with a receiving thread, and takes only as many as are free: a file can wait, so nothing is ever dropped. Both
//! take a datagram's line from where it was sent to, and count what belongs to none.
//!
//! An ITCH BinaryFILE has no packets: a run of its records takes their place, on line 0.

mod lines;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use feed_common::capture::{
    Advance, CHUNK_BYTES, CaptureFile, Cut, Datagrams, Format, Located, Payloads, Place, Skipped,
};
use feed_common::packet::{
    Packet, PacketBatch, PacketSource, RxBackend, RxError, RxMeta, SlotWriter,
};
use feed_common::time::{CardNanos, Clock, Ticks};
pub use lines::{DuplicateLine, LineMap};

/// Most packets of one poll, as many as one receive call of a socket brings.
pub const BATCH: usize = 64;

/// Most frames looked at in one poll, so that a file full of other traffic cannot keep a lane from its other duties.
const FRAMES_PER_POLL: usize = 4096;

/// Longest wait for what is being unpacked or comes through a pipe, for the same reason.
const WAIT: Duration = Duration::from_millis(1);

/// The cause of [`FileCounters::incomplete`] under `drops` in facts.
pub const INCOMPLETE: &str = "ip_fragments_missing";

/// What a file source has read and left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounters {
    /// Packets handed out; those the capture had cut are among them, flagged.
    pub packets: u64,
    /// Datagrams sent to an address that is no line.
    pub foreign: u64,
    /// Frames that hold no datagram.
    pub skipped: Skipped,
    /// Datagrams of which some fragments came and others did not.
    pub incomplete: u64,
}

impl FileCounters {
    /// Every cause that occurred, by its name under `drops` in facts.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let skipped = self.skipped.iter().map(|(reason, n)| (reason.name(), n));
        [("foreign", self.foreign), (INCOMPLETE, self.incomplete)]
            .into_iter()
            .chain(skipped)
            .filter(|&(_, n)| n > 0)
    }
}

/// How far a source has read its file, for other threads to look at.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Position(AtomicU64);

impl Position {
    /// Bytes, as [`Datagrams::taken`] counts them, before the last poll.
    pub fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Lends a file's packets in place: no copy and no allocation, and no system call but for the blocks of a stream.
#[derive(Debug)]
pub struct CaptureSource<'f> {
    walk: Walk<'f>,
    clock: Clock,
    chunk_bytes: usize,
    /// Packets of one poll at most.
    want: usize,
    metas: Box<[RxMeta; BATCH]>,
    places: Box<[Place; BATCH]>,
}

impl<'f> CaptureSource<'f> {
    /// Reads `file` from the start.
    pub fn new(file: &'f CaptureFile, lines: LineMap, clock: Clock) -> CaptureSource<'f> {
        CaptureSource {
            walk: Walk::new(file, lines),
            clock,
            chunk_bytes: CHUNK_BYTES,
            // Each run of a BinaryFILE fills the second cache by itself: several per poll would push each other out.
            want: match file.format() {
                Format::BinaryFile => 1,
                _ => BATCH,
            },
            metas: Box::new([RxMeta::default(); BATCH]),
            places: Box::new([Place::default(); BATCH]),
        }
    }

    /// Hands out a BinaryFILE in runs of `bytes` (at most 1 GiB) instead of [`CHUNK_BYTES`].
    pub fn with_chunk_bytes(mut self, bytes: usize) -> CaptureSource<'f> {
        // A packet's length has 32 bits.
        self.chunk_bytes = bytes.min(1 << 30);
        self
    }

    /// Shows in `position` how far it is.
    pub fn showing(mut self, position: Arc<Position>) -> CaptureSource<'f> {
        self.walk.position = position;
        self
    }

    /// What was read and left out so far.
    pub fn counters(&self) -> FileCounters {
        self.walk.counters()
    }

    /// Why the file ended early, where it did; asked after [`RxError::End`].
    pub fn cut(&self) -> Option<Cut> {
        self.walk.datagrams.cut()
    }
}

impl PacketSource for CaptureSource<'_> {
    type Batch<'a>
        = CaptureBatch<'a>
    where
        Self: 'a;

    /// As the trait says, but for a file whose next block is not unpacked yet: then it waits a moment.
    #[inline]
    fn poll(&mut self) -> Result<CaptureBatch<'_>, RxError> {
        self.walk.show();
        let mut n = 0;
        for _ in 0..FRAMES_PER_POLL {
            match self.walk.step(self.chunk_bytes) {
                Step::Packet(taken) => {
                    self.metas[n] = taken.meta(taken.found.place.len());
                    self.places[n] = taken.found.place;
                    n += 1;
                    if taken.last || n == self.want {
                        break;
                    }
                }
                Step::Passed => {}
                // The packets at hand lie in the window that would go.
                Step::Short if n > 0 => break,
                Step::Short if self.walk.datagrams.more(Some(WAIT)) => {}
                Step::Short => break,
                Step::End if n == 0 => return Err(RxError::End),
                Step::End => break,
            }
        }
        let metas = &mut self.metas[..n];
        if n > 0 {
            // One reading for all, when the last is there: what a receive call's return is for a socket.
            let rx = self.clock.now();
            metas.iter_mut().for_each(|meta| meta.rx = rx);
        }
        Ok(CaptureBatch {
            metas,
            places: &self.places[..n],
            payloads: self.walk.datagrams.payloads(),
        })
    }
}

/// Packets lent by a [`CaptureSource`].
#[derive(Debug)]
pub struct CaptureBatch<'a> {
    metas: &'a [RxMeta],
    places: &'a [Place],
    payloads: Payloads<'a>,
}

impl PacketBatch for CaptureBatch<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.metas.len()
    }

    #[inline]
    fn get(&self, i: usize) -> Packet<'_> {
        Packet {
            meta: &self.metas[i],
            bytes: self.payloads.at(self.places[i]),
        }
    }
}

/// Copies a file's packets into slots as a socket's receiver would.
#[derive(Debug)]
pub struct CaptureBackend<'f> {
    walk: Walk<'f>,
    clock: Clock,
}

impl<'f> CaptureBackend<'f> {
    /// Reads `file` from the start.
    pub fn new(file: &'f CaptureFile, lines: LineMap, clock: Clock) -> CaptureBackend<'f> {
        CaptureBackend {
            walk: Walk::new(file, lines),
            clock,
        }
    }

    /// Shows in `position` how far it is.
    pub fn showing(mut self, position: Arc<Position>) -> CaptureBackend<'f> {
        self.walk.position = position;
        self
    }

    /// What was read and left out so far.
    pub fn counters(&self) -> FileCounters {
        self.walk.counters()
    }

    /// Why the file ended early, where it did; asked after [`RxError::End`].
    pub fn cut(&self) -> Option<Cut> {
        self.walk.datagrams.cut()
    }
}

impl RxBackend for CaptureBackend<'_> {
    /// As the trait says; a packet longer than a slot is cut and flagged, runs of a BinaryFILE are made to fit.
    #[inline]
    fn fill<W: SlotWriter>(&mut self, slots: &mut W) -> Result<usize, RxError> {
        let free = slots.free(BATCH);
        if free == 0 {
            return Ok(0);
        }
        self.walk.show();
        let capacity = slots.capacity();
        let mut n = 0;
        for _ in 0..FRAMES_PER_POLL {
            match self.walk.step(capacity) {
                Step::Packet(taken) => {
                    let bytes = self.walk.datagrams.payloads().at(taken.found.place);
                    let slot = slots.slot(n);
                    let len = bytes.len().min(slot.payload.len());
                    slot.payload[..len].copy_from_slice(&bytes[..len]);
                    *slot.meta = taken.meta(len);
                    n += 1;
                    if n == free {
                        break;
                    }
                }
                Step::Passed => {}
                Step::Short if n > 0 => break,
                Step::Short if self.walk.datagrams.more(Some(WAIT)) => {}
                Step::Short => break,
                Step::End if n == 0 => return Err(RxError::End),
                Step::End => break,
            }
        }
        if n > 0 {
            let rx = self.clock.now();
            for i in 0..n {
                slots.slot(i).meta.rx = rx;
            }
            slots.commit(n);
        }
        Ok(n)
    }
}

/// A file's datagrams on their way to packets: what both sources share.
#[derive(Debug)]
struct Walk<'f> {
    datagrams: Datagrams<'f>,
    lines: LineMap,
    position: Arc<Position>,
    packets: u64,
    foreign: u64,
}

/// What one step came to.
enum Step {
    Packet(Taken),
    /// Counted, nothing to hand out.
    Passed,
    /// Asking for more ends the places of what was handed out.
    Short,
    End,
}

/// A datagram on its line.
struct Taken {
    found: Located,
    line: u16,
    /// Its place does not outlive the next step.
    last: bool,
}

impl Taken {
    /// The receive facts of a copy or a view that holds `len` of its bytes.
    #[inline]
    fn meta(&self, len: usize) -> RxMeta {
        let whole = len == self.found.place.len();
        let cut = !whole || self.found.missing != 0;
        RxMeta {
            rx: Ticks(0),
            kernel: self.found.time,
            len: len as u32,
            line: self.line,
            flags: if cut { RxMeta::TRUNCATED } else { 0 },
            socket_drops: 0,
            ring_drops: 0,
            records: if whole { self.found.records } else { 0 },
            card: CardNanos::UNKNOWN,
        }
    }
}

impl<'f> Walk<'f> {
    fn new(file: &'f CaptureFile, lines: LineMap) -> Walk<'f> {
        Walk {
            datagrams: Datagrams::new(file),
            lines,
            position: Arc::default(),
            packets: 0,
            foreign: 0,
        }
    }

    /// A plain store: what others see of it is some moments old.
    #[inline(always)]
    fn show(&self) {
        self.position.0.store(self.datagrams.taken(), Relaxed);
    }

    /// One step; `chunk` bounds a run of a BinaryFILE.
    #[inline(always)]
    fn step(&mut self, chunk: usize) -> Step {
        match self.datagrams.advance(chunk) {
            Advance::Datagram(found) => self.take(found, false),
            Advance::Assembled(found) => self.take(found, true),
            Advance::Passed => Step::Passed,
            Advance::Short => Step::Short,
            Advance::End => Step::End,
        }
    }

    #[inline(always)]
    fn take(&mut self, found: Located, last: bool) -> Step {
        let line = match found.dst {
            Some(dst) => self.lines.line(dst.ip(), dst.port()),
            None => Some(0),
        };
        let Some(line) = line else {
            self.foreign += 1;
            return Step::Passed;
        };
        self.packets += 1;
        Step::Packet(Taken { found, line, last })
    }

    fn counters(&self) -> FileCounters {
        FileCounters {
            packets: self.packets,
            foreign: self.foreign,
            skipped: *self.datagrams.skipped(),
            incomplete: self.datagrams.incomplete(),
        }
    }
}

#[cfg(test)]
mod tests;
