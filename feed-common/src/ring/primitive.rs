//! The atomics and memory the rings are built on, exchanged for loom's under `--cfg loom`.
//!
//! Loom runs a test through every interleaving and every value a relaxed load may return. It cannot see memory mapped
//! behind its back, so there the rings live on the heap, and plain accesses to a slot are told to loom by [`Watch`].

#[cfg(loom)]
pub(super) use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};
#[cfg(not(loom))]
pub(super) use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};

#[cfg(not(loom))]
pub(super) use mapped::{Memory, Watch, Words};
#[cfg(loom)]
pub(super) use on_heap::{Memory, Watch, Words};

use std::ops::Deref;

/// A value with two cache lines of its own: the processor fetches lines in pairs, so one line apart still interferes.
#[repr(align(128))]
#[derive(Debug, Default)]
pub(super) struct Padded<T>(pub T);

impl<T> Deref for Padded<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// An acquire load of a word that this process may have no leave to write: a relaxed load and a fence, since only those are
/// promised to work there.
#[inline(always)]
pub(super) fn acquire(word: &AtomicU64) -> u64 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    value
}

#[cfg(not(loom))]
mod mapped {
    use super::{Arc, AtomicU64};
    use crate::sys::shared::SharedMap;
    use crate::sys::{MapError, Mapping, Pages};
    use std::ptr::NonNull;

    /// Zeroed bytes, aligned to a page, that two threads share by raw pointer.
    #[derive(Debug)]
    pub struct Memory(Mapping);

    impl Memory {
        pub fn zeroed(bytes: usize) -> Result<Memory, MapError> {
            Mapping::anonymous(bytes).map(Memory)
        }

        #[inline(always)]
        pub fn as_ptr(&self) -> NonNull<u8> {
            self.0.as_ptr()
        }

        pub fn pages(&self) -> (Pages, &str) {
            (self.0.pages(), self.0.reason())
        }
    }

    /// Tells loom who reads and writes a slot; here, nobody.
    #[derive(Debug)]
    pub struct Watch;

    impl Watch {
        pub fn new(_slots: usize) -> Watch {
            Watch
        }

        #[inline(always)]
        pub fn read(&self, _slot: usize) {}

        #[inline(always)]
        pub fn write(&self, _slot: usize) {}
    }

    /// Atomic words, aligned to a cache line, in memory of this process or in a file that several have mapped. A clone is
    /// the same words.
    #[derive(Clone, Debug)]
    pub struct Words {
        first: NonNull<AtomicU64>,
        count: usize,
        memory: Kept,
    }

    /// What must not be unmapped while its words are used.
    #[derive(Clone, Debug)]
    #[allow(dead_code, reason = "kept, and not looked at")]
    enum Kept {
        Own(Arc<Mapping>),
        Shared(Arc<SharedMap>),
    }

    // SAFETY: Words hands out nothing but `&AtomicU64` into memory it keeps, and AtomicU64 is Send and Sync.
    unsafe impl Send for Words {}
    // SAFETY: as above.
    unsafe impl Sync for Words {}

    impl Words {
        /// Zeroed ones of this process.
        pub fn zeroed(count: usize) -> Result<Words, MapError> {
            let bytes = count
                .checked_mul(size_of::<AtomicU64>())
                .ok_or(MapError::Size { bytes: usize::MAX })?;
            let memory = Mapping::anonymous(bytes)?;
            Ok(Words {
                first: memory.as_ptr().cast(),
                memory: Kept::Own(Arc::new(memory)),
                count,
            })
        }

        /// Those of a mapped file from byte `offset` on; `None` where the mapping has not so many there, or they would not
        /// begin on a cache line.
        ///
        /// Of a mapping that can only be read they may only be loaded.
        pub fn of(map: &Arc<SharedMap>, offset: u64, count: u64) -> Option<Words> {
            let end = count.checked_mul(8)?.checked_add(offset)?;
            if !offset.is_multiple_of(64) || end > map.len() as u64 {
                return None;
            }
            let start = map.as_ptr().cast::<AtomicU64>();
            Some(Words {
                // SAFETY: offset <= end <= len, so it is in the mapping or just behind it; all three fit a usize, since
                // `len` is one.
                first: unsafe { start.byte_add(offset as usize) },
                count: count as usize,
                memory: Kept::Shared(map.clone()),
            })
        }

        /// How many there are.
        #[inline(always)]
        pub fn count(&self) -> usize {
            self.count
        }

        /// All of them.
        pub fn all(&self) -> &[AtomicU64] {
            // SAFETY: as many as there are.
            unsafe { self.run(0, self.count) }
        }

        pub fn pages(&self) -> (Pages, &str) {
            match &self.memory {
                Kept::Own(memory) => (memory.pages(), memory.reason()),
                Kept::Shared(_) => (Pages::Small, "a file that others map"),
            }
        }

        /// `n` words from word `first` on.
        ///
        /// # Safety
        ///
        /// `first + n` must be at most [`Words::count`].
        #[inline(always)]
        pub unsafe fn run(&self, first: usize, n: usize) -> &[AtomicU64] {
            debug_assert!(first + n <= self.count);
            // SAFETY: `count` words of 8 bytes lie in the mapping from `first` on, which is aligned to a cache line; any
            // bytes are a valid AtomicU64. The mapping lives as long as `self`, and is accessed only through this method,
            // so only atomically; what other processes do to a shared one is as atomic, or breaks only what they were told
            // of it. The run is in range by the caller's promise.
            unsafe { std::slice::from_raw_parts(self.first.add(first).as_ptr(), n) }
        }
    }
}

#[cfg(loom)]
mod on_heap {
    use super::{Arc, AtomicU64};
    use crate::sys::{MapError, Pages};
    use loom::cell::UnsafeCell;
    use std::ptr::NonNull;

    const REASON: (Pages, &str) = (Pages::Small, "on the heap for loom");

    #[repr(align(64))]
    #[derive(Clone, Copy)]
    struct Line {
        _bytes: [u8; 64],
    }

    /// Zeroed bytes, aligned to a cache line, that two threads share by raw pointer.
    #[derive(Debug)]
    pub struct Memory {
        lines: NonNull<Line>,
        count: usize,
    }

    // SAFETY: it owns its lines and gives out only their address; who may use it when is the ring's to prove.
    unsafe impl Send for Memory {}
    // SAFETY: as above.
    unsafe impl Sync for Memory {}

    impl Memory {
        pub fn zeroed(bytes: usize) -> Result<Memory, MapError> {
            let count = bytes.div_ceil(64);
            let lines = Box::leak(vec![Line { _bytes: [0; 64] }; count].into_boxed_slice());
            Ok(Memory {
                lines: NonNull::from(lines).cast(),
                count,
            })
        }

        pub fn as_ptr(&self) -> NonNull<u8> {
            self.lines.cast()
        }

        pub fn pages(&self) -> (Pages, &str) {
            REASON
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            let lines = NonNull::slice_from_raw_parts(self.lines, self.count);
            // SAFETY: made by Box::leak of a slice of this length, and freed once.
            drop(unsafe { Box::from_raw(lines.as_ptr()) });
        }
    }

    /// Tells loom who reads and writes a slot, so that it fails the test when two accesses are not ordered.
    #[derive(Debug)]
    pub struct Watch(Vec<UnsafeCell<()>>);

    // SAFETY: the cells hold nothing; that accesses to them are ordered is what loom is asked to check.
    unsafe impl Sync for Watch {}

    impl Watch {
        pub fn new(slots: usize) -> Watch {
            Watch((0..slots).map(|_| UnsafeCell::new(())).collect())
        }

        pub fn read(&self, slot: usize) {
            self.0[slot].with(|_| {});
        }

        pub fn write(&self, slot: usize) {
            self.0[slot].with_mut(|_| {});
        }
    }

    /// Zeroed atomic words. A clone is the same words.
    #[derive(Clone, Debug)]
    pub struct Words(Arc<Vec<AtomicU64>>);

    impl Words {
        pub fn zeroed(count: usize) -> Result<Words, MapError> {
            let words = (0..count).map(|_| AtomicU64::new(0));
            Ok(Words(Arc::new(words.collect())))
        }

        pub fn count(&self) -> usize {
            self.0.len()
        }

        pub fn pages(&self) -> (Pages, &str) {
            REASON
        }

        /// `n` words from word `first` on.
        ///
        /// # Safety
        ///
        /// None here; the mapped twin wants the run in range.
        pub unsafe fn run(&self, first: usize, n: usize) -> &[AtomicU64] {
            &self.0[first..first + n]
        }
    }
}
