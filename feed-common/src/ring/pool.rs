//! The buffer pool: buffers taken once, lent to any thread, given back when they are dropped.
//!
//! # Protocol
//!
//! Every buffer has a flag: lent or not. To take one: exchange "not lent" for "lent" (acquire); whoever succeeds has the
//! buffer. To give it back: store "not lent" (release). Where to begin to look is a hint, stored and loaded relaxed: the
//! buffer given back last, which is still in the cache, or the one behind the last that was taken. So taking is one atomic
//! exchange as long as the hint is good, and a walk over the flags, each a byte, when it is not; giving back is a store.
//! Neither ever waits for another thread.
//!
//! # Why a buffer has one holder
//!
//! - All writes to a flag are in one order, and an exchange that succeeds reads the write right before its own. After a
//!   "not lent" one exchange reads it and every later one finds "lent" and writes nothing, until the holder, and nobody
//!   else, stores "not lent" again.
//! - What one holder did to the buffer happens before what the next one does: its release store is what the next one's
//!   acquire exchange has read.
//! - There are no links between free buffers, so none can go stale while a thread looks at them (ABA).
//!
//! A buffer borrows its pool: the compiler proves that none outlives it. [`Pool::leaked`] is for threads that no scope
//! bounds.

use super::RingError;
use super::primitive::{AtomicBool, AtomicU64, Ordering, Padded, Watch};
use std::cell::UnsafeCell;
use std::fmt;
use std::io::{self, Write};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Preallocated buffers for bytes that are made in one place and used up in another.
///
/// [`Pool::get`] and dropping a [`PoolBuffer`] never lock, wait or enter the kernel. When all buffers are out a fresh one is
/// allocated, and counted.
///
/// ```
/// use feed_common::ring::Pool;
/// let pool = Pool::new(2, 1500)?;
/// let mut buffer = pool.get();
/// buffer.extend_from_slice(b"a datagram");
/// std::thread::scope(|scope| {
///     scope.spawn(move || assert_eq!(buffer.len(), 10));
/// });
/// assert_eq!((pool.available(), pool.misses()), (2, 0));
/// # Ok::<(), feed_common::ring::RingError>(())
/// ```
pub struct Pool {
    hint: Padded<AtomicU64>,
    misses: Padded<AtomicU64>,
    regrown: AtomicU64,
    lent: Box<[AtomicBool]>,
    buffers: Box<[UnsafeCell<Vec<u8>>]>,
    watch: Watch,
    capacity: usize,
}

// SAFETY: a buffer's cell is used by its holder alone, and its holder changes as the module argues; a vector of bytes may
// be used by any thread. Everything else is atomic, or never written again.
unsafe impl Sync for Pool {}

impl Pool {
    /// Most buffers a pool can have: so many flags are looked through in about a microsecond.
    pub const MAX_BUFFERS: usize = 4096;

    /// A pool of `buffers` buffers of `capacity` bytes, all of them allocated and touched now. [`RingError::Pool`] when
    /// either is 0, it is more than [`Pool::MAX_BUFFERS`], or more bytes than memory has addresses.
    pub fn new(buffers: usize, capacity: usize) -> Result<Pool, RingError> {
        let fits = buffers.checked_mul(capacity);
        let fits = fits.is_some_and(|bytes| bytes <= isize::MAX as usize);
        if buffers == 0 || capacity == 0 || buffers > Self::MAX_BUFFERS || !fits {
            return Err(RingError::Pool { buffers, capacity });
        }
        Ok(Pool {
            hint: Padded(AtomicU64::new(0)),
            misses: Padded(AtomicU64::new(0)),
            regrown: AtomicU64::new(0),
            lent: (0..buffers).map(|_| AtomicBool::new(false)).collect(),
            buffers: (0..buffers)
                .map(|_| UnsafeCell::new(touched(capacity)))
                .collect(),
            watch: Watch::new(buffers),
            capacity,
        })
    }

    /// As [`Pool::new`], for the life of the process: for threads that no scope bounds.
    pub fn leaked(buffers: usize, capacity: usize) -> Result<&'static Pool, RingError> {
        Ok(Box::leak(Box::new(Pool::new(buffers, capacity)?)))
    }

    /// An empty buffer of [`Pool::capacity`] bytes: one of the pool's, or a fresh one where all are out.
    #[inline]
    pub fn get(&self) -> PoolBuffer<'_> {
        let hint = self.hint.load(Ordering::Relaxed) as usize;
        match self.take(hint) {
            Some(buffer) => buffer,
            None => self.search(hint),
        }
    }

    /// Buffer number `i`, if it is not lent.
    #[inline(always)]
    fn take(&self, i: usize) -> Option<PoolBuffer<'_>> {
        let lent = self.lent.get(i)?;
        if lent.load(Ordering::Relaxed) {
            return None;
        }
        lent.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        self.watch.write(i);
        self.hint.store(i as u64 + 1, Ordering::Relaxed);
        // SAFETY: as many cells as flags. The pointer to a cell of a living slice is not null.
        let bytes = unsafe { NonNull::new_unchecked(self.buffers.get_unchecked(i).get()) };
        Some(PoolBuffer {
            bytes,
            home: Some((self, i)),
        })
    }

    /// Looks at all from `hint` on, once around; what is given back behind it meanwhile may be missed.
    #[cold]
    fn search(&self, hint: usize) -> PoolBuffer<'_> {
        let hint = hint.min(self.lent.len());
        if let Some(found) = (hint..self.lent.len())
            .chain(0..hint)
            .find_map(|i| self.take(i))
        {
            return found;
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let fresh = Box::new(Vec::with_capacity(self.capacity));
        PoolBuffer {
            bytes: NonNull::from(Box::leak(fresh)),
            home: None,
        }
    }

    /// Bytes of a buffer.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Buffers of the pool, lent or not.
    pub fn buffers(&self) -> usize {
        self.lent.len()
    }

    /// Buffers that are not lent, as far as can be said while other threads take and give back.
    pub fn available(&self) -> usize {
        let idle = |lent: &&AtomicBool| !lent.load(Ordering::Relaxed);
        self.lent.iter().filter(idle).count()
    }

    /// How often [`Pool::get`] found no buffer and allocated.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// How often a buffer came back with another capacity, because it was filled beyond it or its bytes were kept, and one
    /// of the right capacity was allocated in its place.
    pub fn regrown(&self) -> u64 {
        self.regrown.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("buffers", &self.buffers())
            .field("available", &self.available())
            .field("capacity", &self.capacity())
            .field("misses", &self.misses())
            .field("regrown", &self.regrown())
            .finish()
    }
}

/// A buffer that goes back to its [`Pool`] when it is dropped, from whatever thread. It is a vector of bytes; one that
/// was filled beyond its capacity is replaced when it comes back.
pub struct PoolBuffer<'p> {
    /// In the pool's cell of this number, or in a box of its own where there is none.
    bytes: NonNull<Vec<u8>>,
    home: Option<(&'p Pool, usize)>,
}

// SAFETY: it is the only one to use its vector, and gives it back by atomics; a vector of bytes may be used by any thread,
// and a Pool is Sync.
unsafe impl Send for PoolBuffer<'_> {}
// SAFETY: through a shared reference the vector is only read.
unsafe impl Sync for PoolBuffer<'_> {}

impl PoolBuffer<'_> {
    /// Its bytes, which are then nobody's but the caller's; the pool gets another buffer in their place.
    pub fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut *self)
    }

    /// Whether it was allocated because the pool was empty.
    pub fn is_fresh(&self) -> bool {
        self.home.is_none()
    }
}

impl Drop for PoolBuffer<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some((pool, i)) = self.home else {
            // SAFETY: without a home the vector is in a box that was leaked for this buffer, and dropped once.
            drop(unsafe { Box::from_raw(self.bytes.as_ptr()) });
            return;
        };
        self.clear();
        if self.capacity() != pool.capacity {
            pool.regrown.fetch_add(1, Ordering::Relaxed);
            **self = touched(pool.capacity);
        }
        pool.watch.write(i);
        pool.lent[i].store(false, Ordering::Release);
        pool.hint.store(i as u64, Ordering::Relaxed);
    }
}

/// An empty vector of this capacity, with memory behind all of it.
#[cold]
fn touched(capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(capacity);
    bytes.resize(capacity, 0xA5);
    bytes.clear();
    bytes
}

impl Deref for PoolBuffer<'_> {
    type Target = Vec<u8>;

    #[inline(always)]
    fn deref(&self) -> &Vec<u8> {
        // SAFETY: the vector lives as long as the buffer: in a pool that it borrows, or in a box that it drops. It is
        // reached only through this buffer, which is borrowed.
        unsafe { self.bytes.as_ref() }
    }
}

impl DerefMut for PoolBuffer<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        // SAFETY: as in `deref`; and the buffer is borrowed mutably.
        unsafe { self.bytes.as_mut() }
    }
}

impl AsRef<[u8]> for PoolBuffer<'_> {
    #[inline(always)]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Write for PoolBuffer<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for PoolBuffer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuffer")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("number", &self.home.map(|(_, i)| i))
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
#[path = "pool_tests.rs"]
mod tests;
