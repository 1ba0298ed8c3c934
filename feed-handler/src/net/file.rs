//! A capture file as a packet source of the live pipeline.
//!
//! [`CaptureSource`] lends packets out of the mapping; [`CaptureBackend`] copies them into slots, for the layout with
//! a receiving thread, and takes only as many as are free: a file can wait, so nothing is ever dropped. Both take a
//! datagram's line from where it was sent to, and count what belongs to none.
//!
//! An ITCH BinaryFILE has no packets: a run of its records takes their place, on line 0.

mod lines;

use feed_common::capture::{CHUNK_BYTES, CaptureFile, Cut, Records, Skipped};
use feed_common::packet::{
    Packet, PacketBatch, PacketSource, RxBackend, RxError, RxMeta, SlotWriter,
};
use feed_common::time::{Clock, Ticks, UnixNanos};
use feed_common::wire::frame::udp_datagram;
pub use lines::{DuplicateLine, LineMap};

/// Most packets of one poll, as many as one receive call of a socket brings.
pub const BATCH: usize = 64;

/// Most frames looked at in one poll, so that a file full of other traffic cannot keep a lane from its other duties.
const FRAMES_PER_POLL: usize = 4096;

/// What a file source has read and left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounters {
    /// Packets handed out; those the capture had cut are among them, flagged.
    pub packets: u64,
    /// Datagrams sent to an address that is no line.
    pub foreign: u64,
    /// Frames that hold no datagram.
    pub skipped: Skipped,
}

impl FileCounters {
    /// Every cause that occurred, by its name under `drops` in facts.
    pub fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let skipped = self.skipped.iter().map(|(reason, n)| (reason.name(), n));
        std::iter::once(("foreign", self.foreign))
            .chain(skipped)
            .filter(|&(_, n)| n > 0)
    }
}

/// Lends a file's packets in place: no copy, no system call, no allocation.
#[derive(Debug)]
pub struct CaptureSource<'f> {
    walk: Walk<'f>,
    clock: Clock,
    chunk_bytes: usize,
    metas: Box<[RxMeta; BATCH]>,
    payloads: Box<[&'f [u8]; BATCH]>,
}

impl<'f> CaptureSource<'f> {
    /// Reads `file` from the start.
    pub fn new(file: &'f CaptureFile, lines: LineMap, clock: Clock) -> CaptureSource<'f> {
        CaptureSource {
            walk: Walk::new(file, lines),
            clock,
            chunk_bytes: CHUNK_BYTES,
            metas: Box::new([RxMeta::default(); BATCH]),
            payloads: Box::new([&[]; BATCH]),
        }
    }

    /// Hands out a BinaryFILE in runs of `bytes` (at most 1 GiB) instead of [`CHUNK_BYTES`].
    pub fn with_chunk_bytes(mut self, bytes: usize) -> CaptureSource<'f> {
        // A packet's length has 32 bits.
        self.chunk_bytes = bytes.min(1 << 30);
        self
    }

    /// What was read and left out so far.
    pub fn counters(&self) -> &FileCounters {
        &self.walk.counters
    }

    /// Why the file ended early, where it did; asked after [`RxError::End`].
    pub fn cut(&self) -> Option<Cut> {
        self.walk.records.cut()
    }
}

impl<'f> PacketSource for CaptureSource<'f> {
    type Batch<'a>
        = CaptureBatch<'a>
    where
        Self: 'a;

    #[inline]
    fn poll(&mut self) -> Result<CaptureBatch<'_>, RxError> {
        // Each run of a BinaryFILE fills the second cache by itself: several per poll would push each other out.
        let want = match self.walk.records {
            Records::Pcap(_) => BATCH,
            Records::BinaryFile(_) => 1,
        };
        let mut n = 0;
        for _ in 0..FRAMES_PER_POLL {
            match self.walk.step(self.chunk_bytes) {
                Step::Packet(taken) => {
                    self.metas[n] = taken.meta(taken.bytes.len(), Ticks(0));
                    self.payloads[n] = taken.bytes;
                    n += 1;
                    if n == want {
                        break;
                    }
                }
                Step::Passed => {}
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
            payloads: &self.payloads[..n],
        })
    }
}

/// Packets lent by a [`CaptureSource`].
#[derive(Debug)]
pub struct CaptureBatch<'a> {
    metas: &'a [RxMeta],
    payloads: &'a [&'a [u8]],
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
            bytes: self.payloads[i],
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

    /// What was read and left out so far.
    pub fn counters(&self) -> &FileCounters {
        &self.walk.counters
    }

    /// Why the file ended early, where it did; asked after [`RxError::End`].
    pub fn cut(&self) -> Option<Cut> {
        self.walk.records.cut()
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
        let capacity = slots.capacity();
        let mut n = 0;
        for _ in 0..FRAMES_PER_POLL {
            match self.walk.step(capacity) {
                Step::Packet(taken) => {
                    let slot = slots.slot(n);
                    let len = taken.bytes.len().min(slot.payload.len());
                    slot.payload[..len].copy_from_slice(&taken.bytes[..len]);
                    *slot.meta = taken.meta(len, Ticks(0));
                    n += 1;
                    if n == free {
                        break;
                    }
                }
                Step::Passed => {}
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

/// A file's records on their way to packets: what both sources share.
#[derive(Debug)]
struct Walk<'f> {
    records: Records<'f>,
    lines: LineMap,
    counters: FileCounters,
}

/// What one record came to.
enum Step<'f> {
    Packet(Taken<'f>),
    /// Counted, nothing to hand out.
    Passed,
    End,
}

/// A packet in the file.
struct Taken<'f> {
    bytes: &'f [u8],
    time: UnixNanos,
    line: u16,
    flags: u16,
    /// Of a run; 0 for a datagram.
    records: u32,
}

impl Taken<'_> {
    /// The receive facts of a copy or a view that holds `len` of its bytes.
    #[inline]
    fn meta(&self, len: usize, rx: Ticks) -> RxMeta {
        let whole = len == self.bytes.len();
        let cut = if whole { 0 } else { RxMeta::TRUNCATED };
        RxMeta {
            rx,
            kernel: self.time,
            len: len as u32,
            line: self.line,
            flags: self.flags | cut,
            socket_drops: 0,
            records: if whole { self.records } else { 0 },
        }
    }
}

impl<'f> Walk<'f> {
    fn new(file: &'f CaptureFile, lines: LineMap) -> Walk<'f> {
        Walk {
            records: file.records(),
            lines,
            counters: FileCounters::default(),
        }
    }

    /// The next record; `chunk` bounds a run of a BinaryFILE.
    #[inline]
    fn step(&mut self, chunk: usize) -> Step<'f> {
        let taken = match &mut self.records {
            Records::Pcap(reader) => {
                let Some(frame) = reader.next() else {
                    return Step::End;
                };
                let udp = match udp_datagram(frame.bytes, frame.link) {
                    Ok(udp) => udp,
                    Err(reason) => {
                        self.counters.skipped.count(reason);
                        return Step::Passed;
                    }
                };
                let Some(line) = self.lines.line(udp.dst, udp.dst_port) else {
                    self.counters.foreign += 1;
                    return Step::Passed;
                };
                let flags = if udp.missing != 0 {
                    RxMeta::TRUNCATED
                } else {
                    0
                };
                Taken {
                    bytes: udp.payload,
                    time: frame.time,
                    line,
                    flags,
                    records: 0,
                }
            }
            Records::BinaryFile(reader) => {
                let Some(chunk) = reader.next_chunk(chunk) else {
                    return Step::End;
                };
                Taken {
                    bytes: chunk.bytes,
                    time: UnixNanos::UNKNOWN,
                    line: 0,
                    flags: 0,
                    records: chunk.records,
                }
            }
        };
        self.counters.packets += 1;
        Step::Packet(taken)
    }
}

#[cfg(test)]
mod tests;
