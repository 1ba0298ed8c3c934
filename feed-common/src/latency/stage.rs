//! The one list of stages, and the hook the pipeline calls at each.

use crate::time::{Ticks, UnixNanos};

/// A point on a packet's way from the wire to a consumer.
///
/// Every figure is the time from [`Stage::Receive`] to the stage, so queueing is never left out; the exception is
/// [`Stage::Receive`] itself, which is the time from the kernel's stamp and therefore crosses two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// The kernel stamped the packet (the origin of `Receive`; has no figure of its own).
    Kernel = 0,
    /// The receive call returned in user space.
    Receive = 1,
    /// The lane took the packet up.
    Dequeue = 2,
    /// The packet's last message was decoded and its records written.
    Decoded = 3,
    /// The packet's records became visible to consumers.
    Published = 4,
    /// An in-process consumer had the record in its hands.
    Taken = 5,
    /// One sampled message: decoding it and writing its records (a span of its own, not from receive).
    Message = 6,
    /// What recovery was asked for had come (from the receive of the packet that showed it was missing).
    GapClosed = 7,
}

impl Stage {
    /// All stages in the order packets pass them.
    pub const ALL: [Stage; 8] = [
        Stage::Kernel,
        Stage::Receive,
        Stage::Dequeue,
        Stage::Decoded,
        Stage::Published,
        Stage::Taken,
        Stage::Message,
        Stage::GapClosed,
    ];

    /// The name in `summary.json`, the interval log's tags and the report.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Kernel => "kernel",
            Stage::Receive => "receive",
            Stage::Dequeue => "dequeue",
            Stage::Decoded => "decoded",
            Stage::Published => "published",
            Stage::Taken => "taken",
            Stage::Message => "message",
            Stage::GapClosed => "gap_closed",
        }
    }

    /// What the figure measures, in words for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Stage::Kernel => "kernel receive",
            Stage::Receive => "kernel receive to user space (crosses two clocks)",
            Stage::Dequeue => "receive call returned to lane takes the packet",
            Stage::Decoded => "receive call returned to last message decoded",
            Stage::Published => "receive call returned to records visible",
            Stage::Taken => "receive call returned to consumer holds the record",
            Stage::Message => "one sampled message: decode and write its records",
            Stage::GapClosed => "messages were found missing to recovery had brought them",
        }
    }
}

/// Called by the pipeline when a packet reaches a stage. The probe owns the clock; the pipeline has none.
pub trait Probe {
    /// The clock now; a constant where nothing is measured.
    fn now(&self) -> Ticks;

    /// The packet received at `rx` has reached `stage`. Reads the clock once.
    fn mark(&mut self, stage: Stage, rx: Ticks);

    /// As [`Probe::mark`] by a reading of [`Probe::now`] that the caller has, where two stages can share one.
    fn mark_at(&mut self, stage: Stage, rx: Ticks, at: Ticks);

    /// Which of its lane's channels the packet that follows is of.
    #[inline]
    fn turn_to(&mut self, channel: usize) {
        let _ = channel;
    }

    /// A span measured elsewhere, in nanoseconds.
    fn span(&mut self, stage: Stage, nanos: u64);

    /// The kernel stamped a packet at `kernel`, and the receive call that brought it returned at `rx`.
    fn received(&mut self, rx: Ticks, kernel: UnixNanos);

    /// A packet came at `at`, in nanoseconds of the clock that arrivals are timed by; in the order they came.
    #[inline]
    fn arrived(&mut self, _at: u64) {}

    /// The packet that last arrived, received at `rx`, was published at `at`: what its place among those just before it
    /// cost it.
    #[inline]
    fn crowded(&mut self, _rx: Ticks, _at: Ticks) {}
}

/// Measures nothing, has no size, and lets the compiler drop every stamp.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    #[inline]
    fn now(&self) -> Ticks {
        Ticks(0)
    }

    #[inline]
    fn mark(&mut self, _stage: Stage, _rx: Ticks) {}

    #[inline]
    fn mark_at(&mut self, _stage: Stage, _rx: Ticks, _at: Ticks) {}

    #[inline]
    fn span(&mut self, _stage: Stage, _nanos: u64) {}

    #[inline]
    fn received(&mut self, _rx: Ticks, _kernel: UnixNanos) {}
}

const _: () = assert!(size_of::<NoProbe>() == 0);
