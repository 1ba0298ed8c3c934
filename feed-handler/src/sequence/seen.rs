//! Which of the recent sequence numbers a single line has brought, for counting what that line itself lost.

use super::SeqSpan;

/// Numbers remembered behind the newest: late packets within it heal a loss, older ones count as duplicates.
const WINDOW: u64 = 1 << 16;
const WORDS: usize = (WINDOW / 64) as usize;

/// A sliding bitmap over the newest 65,536 sequence numbers of one line.
///
/// The numbers that came in order since anything came astray are a run that its two ends say; they are marked in the bitmap
/// when something astray comes next. A healthy line touches the bitmap never.
#[derive(Debug)]
pub struct SeenWindow {
    /// Of the numbers before `run`.
    bits: Box<[u64; WORDS]>,
    /// All numbers from here on to `next` have come.
    run: u64,
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
            run: 0,
            start: None,
            next: 0,
            lost: 0,
        }
    }

    /// The line brought `span` (or, when empty, announced its first number as the next).
    #[inline]
    pub fn bring(&mut self, span: SeqSpan) {
        // In order, which nearly all are.
        if span.first == self.next && self.start.is_some() {
            self.next = span.end();
            return;
        }
        self.bring_astray(span);
    }

    #[inline(never)]
    fn bring_astray(&mut self, span: SeqSpan) {
        self.start.get_or_insert_with(|| {
            (self.run, self.next) = (span.first, span.first);
            span.first
        });
        self.mark_run();
        let skipped = self.skips(span);
        self.lost = self.lost.saturating_add(skipped.count);
        // Late or repeated: what was not there before was counted lost and is no longer.
        let late = self.behind(span);
        let healed = late.count - self.count_in(late);
        self.lost = self.lost.saturating_sub(healed);
        self.set(late.first, late.end());
        let end = span.end();
        if end > self.next {
            let new = self.next.max(span.first);
            self.clear(self.next, new);
            self.set(new, end);
            (self.run, self.next) = (end, end);
        }
    }

    /// The bitmap knows of all numbers up to the newest.
    fn mark_run(&mut self) {
        self.set(self.run, self.next);
        self.run = self.next;
    }

    /// One more than the newest number seen or announced; 0 before anything was.
    #[inline]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The first number that was ever brought or announced; `None` before that.
    #[inline]
    pub fn start(&self) -> Option<u64> {
        self.start
    }

    /// The numbers that the line passes over when it brings `span` now.
    #[inline]
    pub fn skips(&self, span: SeqSpan) -> SeqSpan {
        match self.start {
            Some(_) => SeqSpan::between(self.next, span.first),
            None => SeqSpan::default(),
        }
    }

    /// The numbers of `span` that the line has come past and that the window still knows of.
    #[inline]
    pub fn behind(&self, span: SeqSpan) -> SeqSpan {
        let Some(start) = self.start else {
            return SeqSpan::default();
        };
        let oldest = self.next.saturating_sub(WINDOW).max(start);
        SeqSpan::between(span.first.max(oldest), span.end().min(self.next))
    }

    /// True when every number of `span` has come, as far as the window knows.
    #[inline]
    pub fn holds(&self, span: SeqSpan) -> bool {
        span.end() <= self.next && (span.first >= self.run || self.all_marked(span))
    }

    #[inline(never)]
    fn all_marked(&self, span: SeqSpan) -> bool {
        self.behind(span) == span && self.count(span.first, span.end()) == span.count
    }

    /// True when a number has come, as far as the window knows.
    pub fn has(&self, number: u64) -> bool {
        self.count_in(SeqSpan {
            first: number,
            count: 1,
        }) > 0
    }

    /// How many numbers of `span` have come, as far as the window knows.
    pub fn count_in(&self, span: SeqSpan) -> u64 {
        let known = self.behind(span);
        self.count(known.first, known.end())
    }

    /// How many numbers of `span` have come. Of those that the window knows no more, all but what has been lost since
    /// `lost` were.
    pub fn brought_of(&self, span: SeqSpan, lost: u64) -> u64 {
        let known = self.behind(span);
        let Some(start) = self.start else {
            return 0;
        };
        let old = SeqSpan::between(span.first.max(start), span.end().min(known.first));
        if old.count == 0 {
            return self.count_in(known);
        }
        let window = self.behind(SeqSpan::between(0, self.next));
        let lost_within = window.count - self.count_in(window);
        let lost_before = self.lost.saturating_sub(lost_within).saturating_sub(lost);
        old.count.saturating_sub(lost_before) + self.count_in(known)
    }

    /// How many numbers of `span` have come to the other, and not to this one, as far as both windows know.
    pub fn lacks_of(&mut self, span: SeqSpan, other: &mut SeenWindow) -> u64 {
        self.mark_run();
        other.mark_run();
        let known = other.behind(self.behind(span));
        let mut n = 0;
        for_words(known.first, known.end(), |word, mask| {
            n += u64::from((other.bits[word] & !self.bits[word] & mask).count_ones());
        });
        n
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
        (self.run, self.next) = (0, 0);
        self.lost = lost;
    }

    fn set(&mut self, first: u64, end: u64) {
        for_words(first, end, |word, mask| self.bits[word] |= mask);
    }

    /// Forgets the numbers that `first..end` push out of the window, which share their places.
    fn clear(&mut self, first: u64, end: u64) {
        for_words(first, end, |word, mask| self.bits[word] &= !mask);
    }

    fn count(&self, first: u64, end: u64) -> u64 {
        let marked = end.min(self.run);
        let mut n = end - first.max(marked).min(end);
        for_words(first, marked, |word, mask| {
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
