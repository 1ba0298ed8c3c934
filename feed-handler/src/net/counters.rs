//! What a line received and lost, counted by its one receiver and read by anyone.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The counters of one line on a cache line of their own. Only the receiver counts, once per batch: so it adds with a
/// plain load and store, not with a locked instruction.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct LineCounters {
    packets: AtomicU64,
    bytes: AtomicU64,
    truncated: AtomicU64,
    by_card: AtomicU64,
    socket_drops: AtomicU64,
    ring_full: AtomicU64,
    empty_polls: AtomicU64,
    troubles: AtomicU64,
}

/// The counters at one moment. Each is exact; together they may be a batch apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Packets put into slots.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets among them that were longer than a slot.
    pub truncated: u64,
    /// Packets among them that a network card had stamped.
    pub by_card: u64,
    /// Packets the socket's buffer had no room for, as of the last packet taken: the kernel says it with the next.
    pub socket_drops: u64,
    /// Packets taken off the socket and thrown away because no slot was free.
    pub ring_full: u64,
    /// Polls that found nothing.
    pub empty_polls: u64,
    /// Polls that failed for a reason that passes (a refusal, no memory, the network down).
    pub troubles: u64,
}

/// What one receive call brought.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub packets: u64,
    pub bytes: u64,
    pub truncated: u64,
    pub by_card: u64,
}

const _: () = assert!(size_of::<LineCounters>() == 64);

impl LineCounters {
    /// The counters now.
    pub fn read(&self) -> LineCounts {
        LineCounts {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            truncated: self.truncated.load(Relaxed),
            by_card: self.by_card.load(Relaxed),
            socket_drops: self.socket_drops.load(Relaxed),
            ring_full: self.ring_full.load(Relaxed),
            empty_polls: self.empty_polls.load(Relaxed),
            troubles: self.troubles.load(Relaxed),
        }
    }

    #[inline]
    pub(super) fn received(&self, sums: Sums, drops: u64) {
        add(&self.packets, sums.packets);
        add(&self.bytes, sums.bytes);
        add(&self.truncated, sums.truncated);
        add(&self.by_card, sums.by_card);
        self.socket_drops.store(drops, Relaxed);
    }

    pub(super) fn discarded(&self, packets: u64, drops: u64) {
        add(&self.ring_full, packets);
        self.socket_drops.store(drops, Relaxed);
    }

    #[inline]
    pub(super) fn found_empty(&self) {
        add(&self.empty_polls, 1);
    }

    pub(super) fn troubled(&self) {
        add(&self.troubles, 1);
    }
}

#[inline]
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}
