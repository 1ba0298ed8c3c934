//! A table of latest values: one writer, any number of readers, a row each of one cache line.
//!
//! # Protocol
//!
//! A row is eight words that are stored and loaded relaxed. The first is its mark: a version in the upper 48 bits and a tag,
//! 16 bits of the value, below. The other seven are the rest of the value. The version is odd while the row is written; a
//! row of version 0 has never been.
//!
//! Writer, a row of version `v`, which is even: store the mark `v + 1` with the tag it has; release fence; store the words;
//! store the mark `v + 2` with its new tag (release).
//!
//! Reader: `m := mark`, acquire fence; if its version is odd, again. Load the words. Acquire fence. `n := mark`. The value is
//! the words and the tag of `m` when `n == m`, otherwise again.
//!
//! # Why an accepted value is never torn
//!
//! Let `m` be what the write number `k` stored last (version `2k`), or the zeros before all writes (`k = 0`). To show: each
//! word loaded is of write `k`.
//!
//! - Not of an earlier one. The store of the word by write `k` is sequenced before its release store of `m`, which the
//!   reader has loaded before its first acquire fence. So it happens before the load of the word, and by coherence that load
//!   cannot return an older value.
//! - Not of a later one `l > k`. The store of the mark `2l - 1` is sequenced before a release fence, and that before the
//!   store of the word. The reader loads that word, then has an acquire fence: the two fences synchronise through the word,
//!   so the store of the mark happens before the second load of the mark, and by coherence that returns it or a later one,
//!   whose version is greater than that of `m`: not accepted. A version is never used twice: 2^47 writes of one row at the
//!   rate of a store would take days of nothing else.
//!
//! A writer that ends in the middle of a row leaves its version odd for good, so a reader gives up after a bounded number
//! of looks and says so.

use super::primitive::{AtomicU64, Ordering, Words, acquire, fence};

/// Words of a row, its mark among them: a cache line. Loom looks at every order of every word, and two show what seven would.
pub(super) const ROW_WORDS: usize = if cfg!(loom) { 3 } else { 8 };

/// Where the version begins in a mark.
const VERSION: u32 = 16;

/// Looks at a row that is being written before a reader gives up: a write takes nanoseconds, so this is a writer that was
/// interrupted in it, or has ended.
const LOOKS: u32 = if cfg!(loom) { 2 } else { 10_000 };

/// What is in a row: 16 bits and the other words.
pub(super) type Value = (u16, [u64; ROW_WORDS - 1]);

/// The row's writer was stopped in the middle of it, or writes it without pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the row is being written for longer than a write takes: its writer was stopped, or has ended"
)]
pub struct Unsettled;

/// The rows, wherever they lie. A clone is the same rows.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    words: Words,
    rows: u32,
}

impl Latest {
    /// A table in these words.
    pub fn new(words: Words) -> Latest {
        Latest {
            rows: u32::try_from(words.count() / ROW_WORDS).unwrap_or(u32::MAX),
            words,
        }
    }

    /// Rows there are.
    #[cfg(not(loom))]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Writes a row. For the one writer of the table, where it may be written. True when there is such a row.
    #[inline]
    pub fn write(&self, row: u32, (tag, value): Value) -> bool {
        let Some((mark, words)) = self.row(row) else {
            return false;
        };
        let before = mark.load(Ordering::Relaxed);
        mark.store(before.wrapping_add(1 << VERSION), Ordering::Relaxed);
        // The words stored after this must not become visible before the mark.
        fence(Ordering::Release);
        for (word, value) in words.iter().zip(value) {
            word.store(value, Ordering::Relaxed);
        }
        let version = (before >> VERSION).wrapping_add(2);
        mark.store(version << VERSION | u64::from(tag), Ordering::Release);
        true
    }

    /// Reads a row; `None` when it was never written or there is no such row.
    #[inline]
    pub fn read(&self, row: u32) -> Result<Option<Value>, Unsettled> {
        let Some((mark, words)) = self.row(row) else {
            return Ok(None);
        };
        for _ in 0..LOOKS {
            let before = acquire(mark);
            if before >> VERSION & 1 == 0 {
                let mut value = [0; ROW_WORDS - 1];
                for (value, word) in value.iter_mut().zip(words) {
                    *value = word.load(Ordering::Relaxed);
                }
                // Orders the loads of the words before the second load of the mark.
                fence(Ordering::Acquire);
                if mark.load(Ordering::Relaxed) == before {
                    let written = before >> VERSION != 0;
                    return Ok(written.then_some((before as u16, value)));
                }
            }
            std::hint::spin_loop();
        }
        Err(Unsettled)
    }

    /// A row's mark and its other words.
    #[inline(always)]
    fn row(&self, row: u32) -> Option<(&AtomicU64, &[AtomicU64])> {
        if row >= self.rows {
            return None;
        }
        // SAFETY: the row is below `rows`, which times the words of one is at most the words there are.
        let words = unsafe { self.words.run(row as usize * ROW_WORDS, ROW_WORDS) };
        words.split_first()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(rows: usize) -> Latest {
        Latest::new(Words::zeroed(rows * ROW_WORDS).unwrap())
    }

    #[test]
    fn a_row_that_was_never_written_has_no_value_and_others_are_not_there() {
        let table = table(2);
        assert_eq!(table.rows(), 2);
        assert_eq!(table.read(1), Ok(None));
        assert!(table.write(1, (0, [0; 7])));
        assert_eq!(table.read(1), Ok(Some((0, [0; 7]))));
        assert_eq!(table.read(0), Ok(None));
        assert!(!table.write(2, (0, [0; 7])));
        assert_eq!(table.read(2), Ok(None));
        assert_eq!(table.read(u32::MAX), Ok(None));
    }

    #[test]
    fn a_writer_that_ended_in_the_middle_is_not_waited_for() {
        let table = table(1);
        table.write(0, (7, [1; 7]));
        let (mark, _) = table.row(0).unwrap();
        mark.fetch_add(1 << VERSION, Ordering::Relaxed);
        assert_eq!(table.read(0), Err(Unsettled));
    }

    proptest! {
        /// Against a list of the last values.
        #[test]
        fn agrees_with_a_list(writes in prop::collection::vec((0u32..6, any::<Value>()), 0..100)) {
            let table = table(5);
            let mut last = [None; 6];
            for (row, value) in writes {
                prop_assert_eq!(table.write(row, value), row < 5);
                if row < 5 {
                    last[row as usize] = Some(value);
                }
                for (row, value) in (0..).zip(last) {
                    prop_assert_eq!(table.read(row), Ok(value));
                }
            }
        }
    }
}
