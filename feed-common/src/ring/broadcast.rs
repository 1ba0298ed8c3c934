//! The broadcast ring: one writer that never waits, any number of readers that poll.
//!
//! # Protocol
//!
//! Positions count records from 0 and never wrap (2^64). Record `p` lies in slot `p % slots`, as atomic words that are
//! stored and loaded relaxed. Two positions are shared, both stored by the writer alone:
//!
//! - `head`: records below it are published.
//! - `window`: records below it may have been written, or be in the middle of it. The writer raises it *before* it writes
//!   there, by a whole reach: a 64th of the ring, but at least a step.
//!
//! A step is 64 records, or a quarter of the ring when that is less: what is written becomes visible after that many even
//! if nobody flushes. A reach is a whole number of steps.
//!
//! Writer, record `w`: if a step begins: `head := w` (release), and if `w == window`: `window := w + reach` (release),
//! release fence. Then store the words of `w`. A flush stores `head := w + 1` (release).
//!
//! Reader, record `p`: `h := head`, acquire fence, and stop when `p >= h`. Load the words. Acquire fence. `v := window`. The
//! words are record `p` when `v <= p + slots`; otherwise they may be anything and are thrown away (an overrun).
//!
//! A reader never stores, and loads relaxed only, with a fence where it must acquire: memory that it may only read, another
//! process's ring, is promised nothing else (`std::sync::atomic`, "atomic accesses to read-only memory").
//!
//! # Why an accepted record is never torn
//!
//! Let a word loaded for `p` be the value stored for record `q`, in the same slot, so `q = p + k * slots` for some
//! integer `k`. To show: `k = 0`, for each word.
//!
//! - `k < 0` cannot be. The store of the word for `p` is sequenced before the release store of a `head` above `p`, which
//!   the reader's load has seen (that one or a later one of the same thread) before its acquire fence. So it happens before
//!   the reader's load of the word, and by coherence that load cannot return a value older than it; the store for `q < p` is
//!   older.
//! - `k > 0` is not accepted. The store of a `window` of at least `q + 1` is sequenced before a release fence, and that
//!   before the store of the word for `q`. The reader loads that word, then has an acquire fence. The two fences
//!   synchronise through the word (C++ `[atomics.fences]`, which Rust adopts), so the store of `window` happens before
//!   the reader's load of `window`, and by coherence `v >= q + 1 > p + slots`: an overrun.
//! - What a never-written slot holds (zeros) counts as a store that happens before everything: the case `k < 0`.
//!
//! # Why an overrun always moves a reader on
//!
//! The reach is at most a quarter of the ring and `window` is at most one reach above `head` when it is raised, so a reader
//! that saw `v > p + slots` and then has an acquire fence sees `head >= v - reach > p + slots - slots/4`. It continues at
//! `head - slots/2 > p`: half a ring behind, the farthest place that leaves as much room on both sides. The records between
//! are lost to this reader and counted; nobody else notices.
//!
//! # Why the window is raised seldom
//!
//! A reader looks at both positions for each batch it takes, so each store to one of them first has to take the line from
//! it, and what the writer stores behind that waits. The head cannot do with less than a store a flush; the window can: it
//! costs the readers a 64th of the ring in which they may be late.
//!
//! # Where it lies
//!
//! All of it is words: three to steer by, and those of the records. They lie in memory of this process ([`broadcast`]) or in
//! a file that others map (`shared`); each end has the addresses, and nothing in here knows which it is. What another
//! process stores is not to be trusted: whatever a reader finds in the words, it reads a slot of the ring and returns. So
//! its arithmetic wraps, which among our own writers never happens.

use super::RingError;
use super::primitive::{AtomicU64, Ordering, Words, acquire, fence};
use crate::sys::{Pages, prefetch_write};
use std::fmt;
use std::marker::PhantomData;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// Most records that are written before everything written becomes visible.
const MAX_STEP: u64 = 64;

/// How many records ahead their slots are asked for while the writer is busy: as many as the processor fetches at once.
const PREFETCH_AHEAD: u64 = 8;

/// And while it has nothing to do: a burst. So many lines are small beside a first-level cache.
const PREPARED: u64 = 64;

/// How much of a ring the window may be ahead, as a divisor.
const REACH: u64 = 64;

/// Makes a broadcast ring of `slots` records and returns its writing end; [`Writer::subscribe`] and
/// [`Writer::subscriber`] make readers. `slots` is a power of two from 4 to 2^32.
///
/// A reader may fall behind by `slots` less a 64th (64 records in rings below 4096, a quarter in those below 256) before it
/// loses records: choose the size for the longest pause a reader may make.
pub fn broadcast<T: Item>(slots: usize) -> Result<Writer<T>, RingError> {
    check_slots(slots as u64).map_err(|_| RingError::Slots { slots })?;
    let bytes_fit = slots.checked_mul(words::<T>());
    let count = bytes_fit.ok_or(RingError::Slots { slots })?;
    let control = Words::zeroed(CONTROL_WORDS)?;
    Ok(Writer::over(Shared::new(control, Words::zeroed(count)?)))
}

/// Whether a ring can have so many slots; what is said to those who asked otherwise.
pub(super) fn check_slots(slots: u64) -> Result<(), &'static str> {
    match slots.is_power_of_two() && (4..=1 << 32).contains(&slots) {
        true => Ok(()),
        false => Err("must be a power of two from 4 to 2^32"),
    }
}

/// What a broadcast ring carries: plain bytes, a whole number of 8-byte words of them.
pub trait Item: FromBytes + IntoBytes + Immutable + Copy {}

impl<T: FromBytes + IntoBytes + Immutable + Copy> Item for T {}

/// Words of an item. Refuses, when compiled, an item that is no whole number of words.
const fn words<T>() -> usize {
    const {
        assert!(
            size_of::<T>() > 0 && size_of::<T>().is_multiple_of(WORD),
            "a broadcast record must be a whole number of 8-byte words"
        );
    }
    size_of::<T>() / WORD
}

/// Words that steer a ring. Each has two cache lines of its own: the processor fetches lines in pairs, so one line apart
/// still interferes.
pub(super) const CONTROL_WORDS: usize = 3 * LINES;
const LINES: usize = 128 / WORD;
const HEAD: usize = 0;
const WINDOW: usize = LINES;
/// Not 0 when the writer is gone: `head` is final.
const CLOSED: usize = 2 * LINES;

/// What [`CLOSED`] becomes when the writer ends as it should.
pub(super) const CLOSED_BY_WRITER: u64 = 1;

/// The words of a ring of `T`, wherever they lie.
pub(super) struct Shared<T> {
    control: Words,
    records: Words,
    slots: u64,
    item: PhantomData<fn(T) -> T>,
}

impl<T: Item> Shared<T> {
    /// A ring that lies in these words: as many of `control` as [`CONTROL_WORDS`], and `records` for a number of slots
    /// that [`check_slots`] allows.
    pub fn new(control: Words, records: Words) -> Shared<T> {
        assert_eq!(control.count(), CONTROL_WORDS);
        let slots = (records.count() / words::<T>()) as u64;
        assert!(check_slots(slots).is_ok() && records.count().is_multiple_of(words::<T>()));
        Shared {
            control,
            records,
            slots,
            item: PhantomData,
        }
    }

    /// The words of record `p`.
    ///
    /// One slice a record, so that its address is computed once: the compiler may not keep a pointer that lies in memory
    /// across a store to an atomic.
    #[inline(always)]
    fn record(&self, p: u64) -> &[AtomicU64] {
        let first = (p & (self.slots - 1)) as usize * words::<T>();
        // SAFETY: the slot is below `slots`, so the run ends at or below slots * words, the number of words there are.
        unsafe { self.records.run(first, words::<T>()) }
    }
}

impl<T> Shared<T> {
    #[inline(always)]
    fn control(&self, word: usize) -> &AtomicU64 {
        // SAFETY: one of the constants above, below the number of words that `new` has seen there are.
        unsafe { &self.control.run(word, 1)[0] }
    }

    #[inline(always)]
    fn head(&self) -> &AtomicU64 {
        self.control(HEAD)
    }

    #[inline(always)]
    fn window(&self) -> &AtomicU64 {
        self.control(WINDOW)
    }

    #[inline(always)]
    fn closed(&self) -> &AtomicU64 {
        self.control(CLOSED)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared {
            control: self.control.clone(),
            records: self.records.clone(),
            slots: self.slots,
            item: PhantomData,
        }
    }
}

/// The writing end of a broadcast ring. Dropping it publishes what was written and tells the readers that no more comes.
pub struct Writer<T> {
    shared: Shared<T>,
    /// Records written.
    next: u64,
    /// Records published, `head`.
    published: u64,
    /// Where the current step ends, at most `window`.
    step_end: u64,
    /// As shared.
    window: u64,
    step: u64,
    reach: u64,
    /// How far behind `next` the slots lie that [`Writer::prepare`] asks for next.
    prepared: u64,
}

impl<T: Item> Writer<T> {
    /// Of a ring that nobody has written into, and that lies where this process may write.
    pub(super) fn over(shared: Shared<T>) -> Writer<T> {
        let step = MAX_STEP.min(shared.slots / 4);
        Writer {
            next: 0,
            published: 0,
            step_end: 0,
            window: 0,
            step,
            reach: step.max(shared.slots / REACH),
            prepared: 0,
            shared,
        }
    }

    /// Writes a record over the oldest one. It becomes visible by [`Writer::flush`], or by itself when the 64 records of
    /// the current step have been written.
    // Always: a record made in registers goes from there to the ring. As a call it took three times as long, since each
    // word is written to memory first and read again behind a store to the ring.
    #[inline(always)]
    pub fn push(&mut self, record: &T) {
        if self.next == self.step_end {
            self.open_step();
        }
        self.ask_for(self.next + PREFETCH_AHEAD);
        let cells = self.shared.record(self.next);
        for (cell, bytes) in cells.iter().zip(record.as_bytes().chunks_exact(WORD)) {
            let word = u64::from_ne_bytes(bytes.try_into().expect("a chunk of 8 bytes"));
            cell.store(word, Ordering::Relaxed);
        }
        self.next += 1;
    }

    /// For a writer that has nothing to write now: asks for the slots of the next burst, eight a call, so that the burst
    /// does not wait for them. They have left the caches since they were written a lap ago, and what a reader's processor
    /// fetches ahead of what it reads takes them again: so there is no end to the asking. A few nanoseconds.
    #[inline]
    pub fn prepare(&mut self) {
        let from = self.next + self.prepared;
        (from..from + PREFETCH_AHEAD).for_each(|p| self.ask_for(p));
        self.prepared = (self.prepared + PREFETCH_AHEAD) % PREPARED;
    }

    /// Has the slot of record `p` fetched for writing.
    #[inline(always)]
    fn ask_for(&self, p: u64) {
        prefetch_write(self.shared.record(p).as_ptr());
    }

    /// Makes everything written visible, with one store.
    #[inline]
    pub fn flush(&mut self) {
        if self.published != self.next {
            self.published = self.next;
            self.shared.head().store(self.next, Ordering::Release);
        }
    }

    /// Records written so far, visible or not.
    #[inline]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// A reader of everything that becomes visible from now on.
    pub fn subscribe(&self) -> Reader<T> {
        self.subscriber().from_now()
    }

    /// A handle that makes readers in other threads, at any time.
    pub fn subscriber(&self) -> Subscriber<T> {
        Subscriber::over(self.shared.clone())
    }

    /// What the ring lies on, and why.
    pub fn pages(&self) -> (Pages, &str) {
        self.shared.records.pages()
    }

    /// Begins the next step. Publishing first keeps `window` within one reach of `head`.
    #[cold]
    fn open_step(&mut self) {
        self.flush();
        self.step_end += self.step;
        // Both are whole steps, so the window is never passed within one.
        if self.step_end > self.window {
            self.window += self.reach;
            self.shared.window().store(self.window, Ordering::Release);
            // The words stored after this must not become visible before the window.
            fence(Ordering::Release);
        }
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.shared.head().store(self.next, Ordering::Release);
        // Release: whoever sees the flag sees the last head.
        self.shared
            .closed()
            .store(CLOSED_BY_WRITER, Ordering::Release);
    }
}

/// Makes readers of a broadcast ring; can be cloned and sent anywhere, and outlives the writer.
pub struct Subscriber<T> {
    shared: Shared<T>,
}

impl<T: Item> Subscriber<T> {
    /// Of a ring that lies where this process may at least read.
    pub(super) fn over(shared: Shared<T>) -> Subscriber<T> {
        Subscriber { shared }
    }

    /// A reader of everything that becomes visible from now on.
    pub fn from_now(&self) -> Reader<T> {
        self.reader_at(acquire(self.shared.head()))
    }

    /// A reader that begins with the oldest record that is still held. While the writer is busy that one is about to be
    /// overwritten, and the first read may be an overrun like any other.
    pub fn from_oldest(&self) -> Reader<T> {
        let head = acquire(self.shared.head());
        let window = acquire(self.shared.window());
        self.reader_at(window.saturating_sub(self.shared.slots).min(head))
    }

    /// Records published so far.
    pub fn published(&self) -> u64 {
        acquire(self.shared.head())
    }

    fn reader_at(&self, position: u64) -> Reader<T> {
        Reader {
            shared: self.shared.clone(),
            position,
            head_seen: position,
            lost: 0,
        }
    }
}

/// The reader was too slow: records were overwritten before it had read them. It continues half a ring behind the
/// writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{lost} records were overwritten before they were read")]
pub struct Overrun {
    /// How many.
    pub lost: u64,
}

/// A reading end of a broadcast ring, with a position of its own.
pub struct Reader<T> {
    shared: Shared<T>,
    /// Next record to read.
    position: u64,
    /// Last value seen of the writer's head; at least `position`.
    head_seen: u64,
    lost: u64,
}

impl<T: Item> Reader<T> {
    /// Copies the next records into `out` and returns how many; 0 when there are none yet. Never waits.
    ///
    /// After an [`Overrun`] what `out` holds is unspecified, and reading can go on at once. Every record is either
    /// returned once, in order, or counted as lost once.
    #[inline]
    pub fn read(&mut self, out: &mut [T]) -> Result<usize, Overrun> {
        if self.position == self.head_seen {
            self.head_seen = acquire(self.shared.head());
        }
        let there = self.head_seen.wrapping_sub(self.position);
        let out = match out.get_mut(..there as usize) {
            Some(part) => part,
            None => out,
        };
        if out.is_empty() {
            return Ok(0);
        }
        for (i, record) in out.iter_mut().enumerate() {
            self.copy(self.position.wrapping_add(i as u64), record);
        }
        // Orders the loads of the words before the load of the window.
        fence(Ordering::Acquire);
        let window = self.shared.window().load(Ordering::Relaxed);
        // The oldest of them is the first to be overwritten.
        if window > self.position.wrapping_add(self.shared.slots) {
            return Err(self.move_on());
        }
        self.position = self.position.wrapping_add(out.len() as u64);
        Ok(out.len())
    }

    /// The next record; `None` when there is none yet. Never waits.
    // Not an iterator: the end of what is there now is not the end.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<T>, Overrun> {
        let mut record = [T::new_zeroed()];
        match self.read(&mut record)? {
            0 => Ok(None),
            _ => Ok(Some(record[0])),
        }
    }

    /// Position of the next record, counted from the first one ever written.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Records overwritten before this reader came to them, in all.
    #[inline]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Records published and not read yet.
    pub fn backlog(&self) -> u64 {
        acquire(self.shared.head()).wrapping_sub(self.position)
    }

    /// True when the writer is gone and this reader has read all it left: nothing will ever come.
    pub fn is_closed(&self) -> bool {
        // The order matters: only a head loaded after the flag was seen is the last one.
        acquire(self.shared.closed()) != 0 && self.backlog() == 0
    }

    #[inline(always)]
    fn copy(&self, p: u64, record: &mut T) {
        let cells = self.shared.record(p);
        let bytes = record.as_mut_bytes().chunks_exact_mut(WORD);
        for (cell, bytes) in cells.iter().zip(bytes) {
            bytes.copy_from_slice(&cell.load(Ordering::Relaxed).to_ne_bytes());
        }
    }

    /// After an overrun: goes to half a ring behind the writer, past the current position (see the module).
    #[cold]
    fn move_on(&mut self) -> Overrun {
        // With the load of the window, which came before.
        fence(Ordering::Acquire);
        self.head_seen = acquire(self.shared.head());
        let position = self.head_seen.wrapping_sub(self.shared.slots / 2);
        let lost = position.wrapping_sub(self.position);
        self.position = position;
        self.lost = self.lost.wrapping_add(lost);
        Overrun { lost }
    }
}

impl<T> Clone for Subscriber<T> {
    fn clone(&self) -> Self {
        Subscriber {
            shared: self.shared.clone(),
        }
    }
}

/// The new reader begins where this one stands, with nothing lost.
impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Reader {
            shared: self.shared.clone(),
            position: self.position,
            head_seen: self.head_seen,
            lost: 0,
        }
    }
}

impl<T> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("slots", &self.shared.slots)
            .field("next", &self.next)
            .field("published", &self.published)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("slots", &self.shared.slots)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("position", &self.position)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}
