//! Which of the recent sequence numbers a single line has brought, for counting what that line itself lost.

use super::SeqSpan;

/// Numbers remembered behind the newest: late packets within it heal a loss, older ones count as duplicates.
const WINDOW: u64 = 1 << 16;
const WORDS: usize = (WINDOW / 64) as usize;

/// A sliding bitmap over the newest 65,536 sequence numbers of one line.
#[derive(Debug)]
pub struct SeenWindow {
    bits: Box<[u64; WORDS]>,
    /// First number the line ever brought; `None` before that.
    start: Option<u64>,
    /// One more than the newest number seen or announced.
    next: u64,
    lost: u64,
}

impl SeenWindow {
    /// An empty window.
    pub fn new() -> SeenWindow {
        SeenWindow {
            bits: vec![0; WORDS]
                .into_boxed_slice()
                .try_into()
                .expect("allocated with this length"),
            start: None,
            next: 0,
            lost: 0,
        }
    }

    /// The line brought `span` (or, when empty, announced its first number as the next).
    #[inline]
    pub fn bring(&mut self, span: SeqSpan) {
        let start = *self.start.get_or_insert_with(|| {
            self.next = span.first;
            span.first
        });
        if span.first > self.next {
            self.lost = self.lost.saturating_add(span.first - self.next);
        }
        let end = span.end();
        if end > self.next {
            self.clear(self.next, end);
            let new = end - self.next.max(span.first);
            self.set(self.next.max(span.first), end, new);
        }
        let seen_to = self.next.min(end);
        self.next = self.next.max(end);
        if span.first < seen_to {
            // Late or repeated: what was not there before was counted lost and is no longer.
            let oldest = self.next.saturating_sub(WINDOW).max(start);
            let first = span.first.max(oldest);
            if first < seen_to {
                let healed = seen_to - first - self.count(first, seen_to);
                self.lost -= healed.min(self.lost);
                self.set(first, seen_to, healed);
            }
        }
    }

    /// Messages between the first and the newest that never came.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// A new session: numbers start over, what was lost stays counted.
    pub fn restart(&mut self) {
        let lost = self.lost;
        self.bits.fill(0);
        self.start = None;
        self.next = 0;
        self.lost = lost;
    }

    fn set(&mut self, first: u64, end: u64, wanted: u64) {
        if wanted == 0 {
            return;
        }
        for_words(first, end, |word, mask| self.bits[word] |= mask);
    }

    /// Forgets the numbers that `first..end` push out of the window, which share their places.
    fn clear(&mut self, first: u64, end: u64) {
        for_words(first, end, |word, mask| self.bits[word] &= !mask);
    }

    fn count(&self, first: u64, end: u64) -> u64 {
        let mut n = 0;
        for_words(first, end, |word, mask| {
            n += (self.bits[word] & mask).count_ones() as u64
        });
        n
    }
}

impl Default for SeenWindow {
    fn default() -> Self {
        SeenWindow::new()
    }
}

/// Calls `f` with every word of the bitmap that holds part of `first..end`, at most once around.
#[inline]
fn for_words(first: u64, end: u64, mut f: impl FnMut(usize, u64)) {
    let mut at = first.max(end.saturating_sub(WINDOW));
    while at < end {
        let bit = at % 64;
        let n = (64 - bit).min(end - at);
        let mask = (u64::MAX >> (64 - n)) << bit;
        f((at / 64) as usize % WORDS, mask);
        at += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn holes_count_and_late_packets_heal_them_once() {
        let mut w = SeenWindow::new();
        w.bring(SeqSpan {
            first: 10,
            count: 5,
        });
        w.bring(SeqSpan {
            first: 20,
            count: 5,
        });
        assert_eq!(w.lost(), 5);
        w.bring(SeqSpan {
            first: 15,
            count: 2,
        });
        w.bring(SeqSpan {
            first: 15,
            count: 2,
        });
        assert_eq!(w.lost(), 3);
        w.bring(SeqSpan {
            first: 30,
            count: 0,
        });
        assert_eq!(w.lost(), 8);
        w.restart();
        w.bring(SeqSpan { first: 1, count: 1 });
        assert_eq!(w.lost(), 8);
    }

    #[test]
    fn what_several_sessions_lose_saturates() {
        let mut w = SeenWindow::new();
        for _ in 0..3 {
            for first in [1, u64::MAX - 1] {
                w.bring(SeqSpan { first, count: 1 });
            }
            w.restart();
        }
        assert_eq!(w.lost(), u64::MAX);
    }

    #[test]
    fn a_jump_over_the_whole_window_forgets_it() {
        let mut w = SeenWindow::new();
        w.bring(SeqSpan {
            first: 0,
            count: WINDOW,
        });
        w.bring(SeqSpan {
            first: WINDOW * 5,
            count: 1,
        });
        assert_eq!(w.lost(), WINDOW * 4);
        // Just inside the window, but never brought.
        w.bring(SeqSpan {
            first: WINDOW * 5 - 10,
            count: 10,
        });
        assert_eq!(w.lost(), WINDOW * 4 - 10);
        // Too old to judge.
        w.bring(SeqSpan { first: 3, count: 5 });
        assert_eq!(w.lost(), WINDOW * 4 - 10);
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(packets in proptest::collection::vec((0u64..3_000, 0u64..150), 1..120)) {
            let mut w = SeenWindow::new();
            let mut seen = HashSet::new();
            let (mut start, mut next) = (None, 0);
            for (first, count) in packets {
                let s = SeqSpan { first, count };
                w.bring(s);
                let start = *start.get_or_insert(first);
                next = next.max(s.end());
                seen.extend((first..s.end()).filter(|n| *n >= start));
                prop_assert_eq!(w.lost(), next - start - seen.len() as u64);
            }
        }
    }
}
