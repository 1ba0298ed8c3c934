//! What a lane shows of itself while it runs: a few counters that a cold thread may read at any time.

use crate::pipeline::Lane;
use crate::protocol::Protocol;
use crate::publish::Outlet;
use feed_common::latency::Probe;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Written by the lane once a batch with plain stores, read by anyone; each counter is exact, together they are a glimpse.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Gauge {
    packets: AtomicU64,
    messages: AtomicU64,
    published: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
    holes: AtomicU64,
    open: AtomicU64,
}

/// A reading of a [`Gauge`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Reading {
    pub packets: u64,
    pub messages: u64,
    pub published: u64,
    /// Messages in holes given up.
    pub lost: u64,
    /// Packets, frames and messages not delivered for another reason, the socket's drops left out.
    pub dropped: u64,
    /// Holes so far.
    pub holes: u64,
    /// Those that are open.
    pub open: u64,
}

impl Gauge {
    /// Shows the lane's totals.
    #[inline]
    pub fn show<P: Protocol, H: Outlet, R: Probe>(&self, lane: &Lane<P, H, R>) {
        self.packets.store(lane.packets(), Relaxed);
        self.messages.store(lane.messages(), Relaxed);
        self.published.store(lane.outlet().published(), Relaxed);
        let lost = lane.channels().iter().map(|c| c.sequence().lost);
        let lost = lost.fold(0, u64::saturating_add);
        self.lost.store(lost, Relaxed);
        self.dropped.store(lane.drops().total(), Relaxed);
        let holes = lane.channels().iter().map(|c| c.holes());
        let (holes, open) = holes.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        self.holes.store(holes, Relaxed);
        self.open.store(open, Relaxed);
    }

    /// The totals last shown.
    pub fn read(&self) -> Reading {
        Reading {
            packets: self.packets.load(Relaxed),
            messages: self.messages.load(Relaxed),
            published: self.published.load(Relaxed),
            lost: self.lost.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            holes: self.holes.load(Relaxed),
            open: self.open.load(Relaxed),
        }
    }
}

impl std::ops::AddAssign for Reading {
    fn add_assign(&mut self, other: Reading) {
        self.packets += other.packets;
        self.messages += other.messages;
        self.published += other.published;
        self.lost = self.lost.saturating_add(other.lost);
        self.dropped += other.dropped;
        self.holes += other.holes;
        self.open += other.open;
    }
}
