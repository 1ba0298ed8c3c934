//! One received packet, and the traits between whatever receives packets and whatever reads them.
//!
//! A packet borrows its batch, the batch borrows its source, and dropping the batch gives the slots back, so the
//! compiler proves that nothing outlives its slot.

use crate::time::{CardNanos, Ticks, UnixNanos};

/// What is known about a packet besides its bytes: one cache line at the head of its slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct RxMeta {
    /// When the receive call that brought the packet returned; all packets of one call share it.
    pub rx: Ticks,
    /// When the kernel (or, from a file, the capturing machine) saw it. [`UnixNanos::UNKNOWN`] when nobody stamped it.
    pub kernel: UnixNanos,
    /// Payload bytes held.
    pub len: u32,
    /// Line it came in on, numbered within the lane.
    pub line: u16,
    /// [`RxMeta::TRUNCATED`] or nothing.
    pub flags: u16,
    /// Packets the socket's buffer has dropped since the line was opened, as of this packet.
    pub socket_drops: u64,
    /// Packets of the line that were received and thrown away since it was opened because no slot was free, as of this
    /// packet.
    pub ring_drops: u64,
    /// Records that the payload is known to hold, whole and with nothing behind them, because the receiver has walked
    /// them already (runs of a BinaryFILE); 0 where it has not looked.
    pub records: u32,
    /// When the network card saw it, by the card's own clock. [`CardNanos::UNKNOWN`] where no card stamps.
    pub card: CardNanos,
}

impl RxMeta {
    /// The datagram was longer than the slot, or the capture had cut it; its bytes must not be decoded.
    pub const TRUNCATED: u16 = 1;

    /// True when part of the datagram is missing.
    #[inline]
    pub const fn is_truncated(&self) -> bool {
        self.flags & Self::TRUNCATED != 0
    }
}

/// A UDP payload in place, with what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Receive facts.
    pub meta: &'a RxMeta,
    /// The UDP payload.
    pub bytes: &'a [u8],
}

/// Why no packets came and none will.
#[derive(Debug, thiserror::Error)]
pub enum RxError {
    /// A file has been read to its end, or the receiving thread has stopped and its ring is drained.
    #[error("end of input")]
    End,
    /// The system refused.
    #[error("receive failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Where a lane takes its packets from: a socket or file read in this thread, or the ring another thread fills.
pub trait PacketSource {
    /// A run of packets; dropping it returns their slots.
    type Batch<'a>: PacketBatch
    where
        Self: 'a;

    /// The packets that are there now, possibly none. Never waits.
    fn poll(&mut self) -> Result<Self::Batch<'_>, RxError>;
}

/// Packets that arrived together, oldest first.
pub trait PacketBatch {
    /// Number of packets.
    fn len(&self) -> usize;

    /// Packet `i`; panics when `i >= len()`.
    fn get(&self, i: usize) -> Packet<'_>;

    /// True when nothing arrived.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Something that receives packets into slots it is given: sockets, or a file for tests of the two-thread layout.
pub trait RxBackend {
    /// Receives what is there now into free slots and commits them; 0 when nothing was there. Never waits.
    fn fill<W: SlotWriter>(&mut self, slots: &mut W) -> Result<usize, RxError>;
}

/// The writing side of preallocated slots: the packet ring's producer or a thread's own arena.
///
/// # Safety
///
/// Receivers hand the payloads of many slots to the kernel at once, by pointer. An implementation promises that after
/// `free(want)` returned `n`, the payloads that `slot(i)` gives for `i < n` do not overlap, and that each stays
/// allocated, at the same place and for nobody else to touch, through any further calls of `slot`, until the writer is
/// next used otherwise.
#[allow(unsafe_code)]
pub unsafe trait SlotWriter {
    /// How many slots are free, at most `want`. They are numbered from 0 in the order they will be committed.
    fn free(&mut self, want: usize) -> usize;

    /// Free slot `i`, `i` below what the last [`SlotWriter::free`] returned.
    fn slot(&mut self, i: usize) -> SlotMut<'_>;

    /// Hands the first `n` free slots to the reader.
    fn commit(&mut self, n: usize);

    /// Bytes a slot can hold.
    fn capacity(&self) -> usize;
}

/// A free slot to write.
#[derive(Debug)]
pub struct SlotMut<'a> {
    /// Receive facts, to be filled in whole.
    pub meta: &'a mut RxMeta,
    /// Room for the payload; what it held before is unspecified.
    pub payload: &'a mut [u8],
}

const _: () = assert!(size_of::<RxMeta>() == 64);
