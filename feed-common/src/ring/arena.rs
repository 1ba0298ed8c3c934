//! The same slots without a second thread: receive, read, receive again.

use super::slots::{SlotConfig, SlotError, Slots};
use crate::packet::{Packet, PacketBatch, PacketSource, RxBackend, RxError, SlotMut, SlotWriter};
use crate::sys::Pages;

/// Slots of one thread. They are filled from the first one on every time, so that a quiet feed keeps using the few
/// that are in the cache.
#[derive(Debug)]
pub struct Arena {
    slots: Slots,
    /// Most slots filled at once.
    batch: usize,
    /// Slots `..committed` hold packets.
    committed: usize,
    /// Free slots promised by the last call of `free` and not yet committed.
    granted: usize,
}

impl Arena {
    /// Maps and touches the slots.
    pub fn new(config: &SlotConfig) -> Result<Arena, SlotError> {
        Ok(Arena {
            slots: Slots::new(config)?,
            batch: config.batch,
            committed: 0,
            granted: 0,
        })
    }

    /// What the slots lie on, and why.
    pub fn pages(&self) -> (Pages, &str) {
        self.slots.pages()
    }

    /// Frees all slots.
    fn clear(&mut self) {
        self.committed = 0;
        self.granted = 0;
    }
}

// SAFETY: `slot(i)` addresses position `committed + i` of the mapping by raw pointer, and positions below the number of
// slots lie in distinct slots; `granted` keeps them there. Nobody reads a slot before `commit`, and the mapping lives as
// long as the arena.
unsafe impl SlotWriter for Arena {
    #[inline]
    fn free(&mut self, want: usize) -> usize {
        self.granted = want.min(self.batch - self.committed);
        self.granted
    }

    #[inline]
    fn slot(&mut self, i: usize) -> SlotMut<'_> {
        assert!(i < self.granted, "slot {i} is not free");
        // SAFETY: one thread, and `&mut self`: no other reference into the slots lives. The result borrows `self`.
        unsafe { self.slots.write((self.committed + i) as u64) }
    }

    #[inline]
    fn commit(&mut self, n: usize) {
        assert!(
            n <= self.granted,
            "commit of {n} slots, {} are free",
            self.granted
        );
        self.granted -= n;
        self.committed += n;
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}

/// A backend read in the thread that uses its packets (run to completion): [`PacketSource`] without a ring.
#[derive(Debug)]
pub struct Inline<B> {
    backend: B,
    arena: Arena,
    /// An error that came together with packets, kept back until they have been read.
    pending: Option<RxError>,
}

impl<B: RxBackend> Inline<B> {
    /// Reads `backend` through an arena of its own. A poll hands out at most `config.batch` packets.
    pub fn new(backend: B, config: &SlotConfig) -> Result<Inline<B>, SlotError> {
        Ok(Inline {
            backend,
            arena: Arena::new(config)?,
            pending: None,
        })
    }

    /// The backend, for its counters.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The backend, to change its settings between polls.
    pub fn backend_mut(&mut self) -> &mut B {
        &mut self.backend
    }

    /// The slots.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }
}

impl<B: RxBackend> PacketSource for Inline<B> {
    type Batch<'a>
        = InlineBatch<'a>
    where
        B: 'a;

    /// Lets the backend receive, then hands out what it committed. When it fails after committing packets, those are
    /// handed out first and the error by the next poll.
    #[inline]
    fn poll(&mut self) -> Result<InlineBatch<'_>, RxError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        // Also frees what a leaked batch did not.
        self.arena.clear();
        if let Err(error) = self.backend.fill(&mut self.arena) {
            if self.arena.committed == 0 {
                return Err(error);
            }
            self.pending = Some(error);
        }
        Ok(InlineBatch {
            arena: &mut self.arena,
        })
    }
}

/// Packets of one poll; dropping it frees their slots.
#[derive(Debug)]
pub struct InlineBatch<'a> {
    arena: &'a mut Arena,
}

impl PacketBatch for InlineBatch<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.arena.committed
    }

    #[inline]
    fn get(&self, i: usize) -> Packet<'_> {
        assert!(
            i < self.arena.committed,
            "packet {i} of a batch of {}",
            self.arena.committed
        );
        // SAFETY: one thread; slots are written only through `&mut Arena`, which this batch holds and the result borrows.
        unsafe { self.arena.slots.read(i as u64) }
    }
}

impl Drop for InlineBatch<'_> {
    #[inline]
    fn drop(&mut self) {
        self.arena.clear();
    }
}
