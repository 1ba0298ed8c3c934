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

#[cfg(not(loom))]
mod mapped {
    use super::AtomicU64;
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

    /// Zeroed atomic words, aligned to a page.
    #[derive(Debug)]
    pub struct Words {
        memory: Mapping,
        first: NonNull<AtomicU64>,
        count: usize,
    }

    // SAFETY: Words hands out nothing but `&AtomicU64` into memory it owns, and AtomicU64 is Send and Sync.
    unsafe impl Send for Words {}
    // SAFETY: as above.
    unsafe impl Sync for Words {}

    impl Words {
        pub fn zeroed(count: usize) -> Result<Words, MapError> {
            let bytes = count
                .checked_mul(size_of::<AtomicU64>())
                .ok_or(MapError::Size { bytes: usize::MAX })?;
            let memory = Mapping::anonymous(bytes)?;
            Ok(Words {
                first: memory.as_ptr().cast(),
                memory,
                count,
            })
        }

        pub fn pages(&self) -> (Pages, &str) {
            (self.memory.pages(), self.memory.reason())
        }

        /// `n` words from word `first` on.
        ///
        /// # Safety
        ///
        /// `first + n` must be at most the count given to [`Words::zeroed`].
        #[inline(always)]
        pub unsafe fn run(&self, first: usize, n: usize) -> &[AtomicU64] {
            debug_assert!(first + n <= self.count);
            // SAFETY: the mapping holds `count` words of 8 bytes, is page-aligned and zeroed (a valid AtomicU64), lives
            // as long as `self`, and is accessed only through this method, so only atomically. The run is in range by
            // the caller's promise.
            unsafe { std::slice::from_raw_parts(self.first.add(first).as_ptr(), n) }
        }
    }
}

#[cfg(loom)]
mod on_heap {
    use super::AtomicU64;
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

    /// Zeroed atomic words.
    #[derive(Debug)]
    pub struct Words(Vec<AtomicU64>);

    impl Words {
        pub fn zeroed(count: usize) -> Result<Words, MapError> {
            Ok(Words((0..count).map(|_| AtomicU64::new(0)).collect()))
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
