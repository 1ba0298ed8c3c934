//! Where the slots of a packet ring or an arena lie: a descriptor, then room for the payload, at a fixed stride.

use super::primitive::{Memory, Watch};
use crate::packet::{Packet, RxMeta, SlotMut};
use crate::sys::{MapError, Pages, prefetch_read, prefetch_write};
use std::slice;

/// Bytes of a slot taken by its descriptor; the payload begins behind it, on the next cache line.
const HEAD: usize = size_of::<RxMeta>();

/// Shape of the slots of a packet ring or an arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotConfig {
    /// Number of slots; a power of two.
    pub slots: usize,
    /// Bytes from one slot to the next: 64 for the descriptor and the rest for the payload. A multiple of 64.
    pub stride: usize,
    /// Most packets one poll hands out; 1 to `slots`.
    pub batch: usize,
}

impl Default for SlotConfig {
    /// 4096 slots of 2 KiB (1984 bytes of payload: every datagram of an Ethernet frame), 8 MiB in all; polls of 64.
    fn default() -> Self {
        SlotConfig {
            slots: 4096,
            stride: 2048,
            batch: 64,
        }
    }
}

impl SlotConfig {
    /// Most slots a ring can have.
    pub const MAX_SLOTS: usize = 1 << 24;

    /// Most bytes a slot can have: a UDP payload of any length fits.
    pub const MAX_STRIDE: usize = 128 << 10;

    /// Says what is wrong with the figures, if anything.
    pub fn check(&self) -> Result<(), SlotError> {
        let SlotConfig {
            slots,
            stride,
            batch,
        } = *self;
        if !slots.is_power_of_two() || slots > Self::MAX_SLOTS {
            return Err(SlotError::Slots { slots });
        }
        if stride <= HEAD || !stride.is_multiple_of(64) || stride > Self::MAX_STRIDE {
            return Err(SlotError::Stride { stride });
        }
        if batch == 0 || batch > slots {
            return Err(SlotError::Batch { batch, slots });
        }
        Ok(())
    }
}

/// Why slots were not made.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// Positions become slots by masking.
    #[error("{slots} slots: the number must be a power of two, at most {max}", max = SlotConfig::MAX_SLOTS)]
    Slots {
        /// What was asked for.
        slots: usize,
    },
    /// Descriptors must begin on a cache line.
    #[error(
        "a slot of {stride} bytes: must be a multiple of 64, at least 128 and at most {max}",
        max = SlotConfig::MAX_STRIDE
    )]
    Stride {
        /// What was asked for.
        stride: usize,
    },
    /// A poll must hand out something and cannot hand out more than there is.
    #[error("a batch of {batch} packets: must be 1 to {slots}, the number of slots")]
    Batch {
        /// What was asked for.
        batch: usize,
        /// Slots of the ring.
        slots: usize,
    },
    /// No memory for the slots.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// The slots themselves, addressed by position: position `p` lies in slot `p` modulo their number.
///
/// References are made only inside one slot, never over the whole memory, so slots can be lent out one by one.
#[derive(Debug)]
pub(super) struct Slots {
    memory: Memory,
    watch: Watch,
    mask: u64,
    stride: usize,
}

impl Slots {
    pub fn new(config: &SlotConfig) -> Result<Slots, SlotError> {
        config.check()?;
        Ok(Slots {
            // Cannot overflow: both factors are bounded by the check.
            memory: Memory::zeroed(config.slots * config.stride)?,
            watch: Watch::new(config.slots),
            mask: config.slots as u64 - 1,
            stride: config.stride,
        })
    }

    #[inline(always)]
    pub fn count(&self) -> u64 {
        self.mask + 1
    }

    /// Bytes of payload a slot can hold.
    #[inline(always)]
    pub fn capacity(&self) -> usize {
        self.stride - HEAD
    }

    pub fn pages(&self) -> (Pages, &str) {
        self.memory.pages()
    }

    /// Slot of position `p`, for writing.
    ///
    /// # Safety
    ///
    /// For as long as the result lives, the caller must be the only one to use that slot, in any thread, and what others
    /// did with it before must happen before this call.
    #[inline(always)]
    pub unsafe fn write(&self, p: u64) -> SlotMut<'_> {
        let start = self.start(p);
        self.watch.write((p & self.mask) as usize);
        // SAFETY: `start` is a multiple of 64 (page-aligned memory, stride a multiple of 64) with `stride` bytes of the
        // mapping behind it. The first 64 are an RxMeta: zeroed at first, of integers only, so always initialised and
        // valid. The other `capacity` bytes are initialised likewise and do not overlap the first. Nobody else uses
        // either, by the caller's promise; the memory lives as long as `self`.
        unsafe {
            SlotMut {
                meta: &mut *start.cast::<RxMeta>(),
                payload: slice::from_raw_parts_mut(start.add(HEAD), self.capacity()),
            }
        }
    }

    /// Slot of position `p`, for reading. The payload is what the descriptor says, but never more than a slot holds.
    ///
    /// # Safety
    ///
    /// For as long as the result lives, nobody may write that slot, in any thread, and all earlier writes to it must
    /// happen before this call.
    #[inline(always)]
    pub unsafe fn read(&self, p: u64) -> Packet<'_> {
        let start = self.start(p);
        self.watch.read((p & self.mask) as usize);
        // SAFETY: as in `write`: aligned, in range, initialised; not written while borrowed, by the caller's promise.
        // The length is cut to the slot because any code that fills a slot can write any number there.
        unsafe {
            let meta = &*start.cast::<RxMeta>();
            let len = (meta.len as usize).min(self.capacity());
            Packet {
                meta,
                bytes: slice::from_raw_parts(start.add(HEAD), len),
            }
        }
    }

    /// Asks for the descriptor and the first payload line of position `p`, whoever owns it now.
    #[inline(always)]
    pub fn prefetch(&self, p: u64) {
        let start = self.start(p);
        prefetch_read(start);
        prefetch_read(start.wrapping_add(HEAD));
    }

    /// Asks for the descriptor and as much of the payload as a small packet has, to be written, whoever owns them now.
    #[inline(always)]
    pub fn prefetch_write(&self, p: u64) {
        const LINES: usize = 4;
        let start = self.start(p);
        for line in 0..LINES {
            prefetch_write(start.wrapping_add(line * HEAD));
        }
    }

    #[inline(always)]
    fn start(&self, p: u64) -> *mut u8 {
        let slot = (p & self.mask) as usize;
        // SAFETY: slot < count, so the offset is below count * stride, the size of the memory.
        unsafe { self.memory.as_ptr().as_ptr().add(slot * self.stride) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_cannot_work_are_refused_by_name() {
        let good = SlotConfig::default();
        good.check().unwrap();
        for slots in [0, 3, 4095, SlotConfig::MAX_SLOTS * 2] {
            let bad = SlotConfig { slots, ..good };
            assert!(matches!(bad.check(), Err(SlotError::Slots { slots: s }) if s == slots));
        }
        for stride in [0, 64, 100, 2047, SlotConfig::MAX_STRIDE + 64] {
            let bad = SlotConfig { stride, ..good };
            assert!(matches!(bad.check(), Err(SlotError::Stride { stride: s }) if s == stride));
        }
        for batch in [0, 4097] {
            let bad = SlotConfig { batch, ..good };
            assert!(matches!(bad.check(), Err(SlotError::Batch { .. })));
        }
    }
}
