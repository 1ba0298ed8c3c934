//! Which sequence numbers have come: a set of intervals, so that reordering needs no window.

use crate::sequence::SeqSpan;
use std::collections::BTreeMap;
use std::ops::Range;

/// The numbers of one session that have come, and how far the sender is known to have got.
///
/// Memory is one entry per hole, so in order it is constant.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrived {
    /// Disjoint, not touching: start -> end. All but the last.
    intervals: BTreeMap<u64, u64>,
    /// The one of the greatest numbers, which grows while all is in order.
    last: Option<(u64, u64)>,
    /// First number seen, and one more than the greatest seen or announced; `None` before the first.
    bounds: Option<(u64, u64)>,
}

impl Arrived {
    /// Takes `span` in, and puts the parts of it that had not come before into `new`, in order. An empty span
    /// announces its first number.
    pub(super) fn add(&mut self, span: SeqSpan, new: &mut Vec<Range<u64>>) {
        new.clear();
        let (first, end) = (span.first, span.end());
        let (start, known) = *self.bounds.get_or_insert((first, end));
        self.bounds = Some((start, known.max(end)));
        if first == end {
            return;
        }
        match &mut self.last {
            // In order.
            Some((_, last)) if *last == first => {
                *last = end;
                new.push(first..end);
            }
            // What another line brought before.
            Some((start, last)) if (*start..=*last).contains(&first) && end <= *last => {}
            _ => self.merge(first, end, new),
        }
    }

    /// The number that comes next while all is in order: nothing from it on is known, and nothing was announced.
    #[inline]
    pub(super) fn next(&self) -> Option<u64> {
        let (_, end) = self.last?;
        let (_, known) = self.bounds?;
        (end == known).then_some(end)
    }

    /// Takes in `count` numbers from [`Arrived::next`] on.
    #[inline]
    pub(super) fn extend(&mut self, count: u64) {
        if let (Some((_, end)), Some((_, known))) = (&mut self.last, &mut self.bounds) {
            *end += count;
            *known = *end;
        }
    }

    fn merge(&mut self, first: u64, end: u64, new: &mut Vec<Range<u64>>) {
        self.intervals.extend(self.last.take());
        let before = self.intervals.range(..first).next_back();
        let touched: Vec<(u64, u64)> = before
            .filter(|&(_, &e)| e >= first)
            .into_iter()
            .chain(self.intervals.range(first..=end))
            .map(|(&s, &e)| (s, e))
            .collect();
        let (mut merged_start, mut merged_end, mut from) = (first, end, first);
        for (s, e) in touched {
            if s > from {
                new.push(from..s);
            }
            from = from.max(e);
            merged_start = merged_start.min(s);
            merged_end = merged_end.max(e);
            self.intervals.remove(&s);
        }
        if from < end {
            new.push(from..end);
        }
        self.intervals.insert(merged_start, merged_end);
        self.last = self.intervals.pop_last();
    }

    /// First number seen, and one more than the greatest seen or announced; `None` before the first.
    pub(super) fn bounds(&self) -> Option<(u64, u64)> {
        self.bounds
    }

    /// How many numbers of a range have come.
    pub(super) fn count(&self, range: Range<u64>) -> u64 {
        let mut n = 0;
        self.parts(range, |part| n += part.end - part.start);
        n
    }

    /// Calls `each` with the parts of a range that have come, in order.
    pub(super) fn parts(&self, range: Range<u64>, mut each: impl FnMut(Range<u64>)) {
        let before = self.intervals.range(..range.start).next_back();
        let others = self
            .intervals
            .range(range.start..range.end.max(range.start));
        let others = others.map(|(&s, &e)| (s, e)).chain(self.last);
        for (s, e) in before.map(|(&s, &e)| (s, e)).into_iter().chain(others) {
            let part = s.max(range.start)..e.min(range.end);
            if !part.is_empty() {
                each(part);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = (u64, u64)> {
        let others = self.intervals.iter().map(|(&s, &e)| (s, e));
        others.chain(self.last)
    }

    /// Holes between the first number seen and the last known: how many, and the numbers in them.
    pub(super) fn holes(&self) -> (u64, u64) {
        let Some((mut at, end)) = self.bounds else {
            return (0, 0);
        };
        let (mut holes, mut missing) = (0, 0);
        let mut hole = |from: u64, to: u64| {
            if to > from {
                holes += 1;
                missing += to - from;
            }
        };
        for (s, e) in self.all() {
            hole(at, s);
            at = at.max(e);
        }
        hole(at, end);
        (holes, missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Adds a span; the numbers it brought.
    fn add(a: &mut Arrived, first: u64, count: u32) -> Vec<u64> {
        let mut new = Vec::new();
        let count = count.into();
        a.add(SeqSpan { first, count }, &mut new);
        new.into_iter().flatten().collect()
    }

    #[test]
    fn holes_open_and_close() {
        let mut a = Arrived::default();
        assert_eq!(a.holes(), (0, 0));
        assert_eq!(add(&mut a, 10, 3), [10, 11, 12]);
        assert_eq!(add(&mut a, 20, 2), [20, 21]);
        assert_eq!(a.holes(), (1, 7));
        assert_eq!(add(&mut a, 12, 9), [13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(a.holes(), (0, 0));
        assert!(add(&mut a, 10, 12).is_empty());
        assert!(add(&mut a, 27, 0).is_empty(), "a heartbeat brings nothing");
        assert_eq!(a.holes(), (1, 5), "but shows what was lost before it");
        assert_eq!(add(&mut a, 3, 2), [3, 4], "before the first seen is new");
        assert_eq!(a.holes(), (1, 5), "but what lies between was never awaited");
        assert_eq!(a.all().count(), 2);
    }

    #[test]
    fn the_end_of_the_range_does_not_overflow() {
        let mut a = Arrived::default();
        add(&mut a, u64::MAX - 1, 1);
        add(&mut a, u64::MAX, 0);
        add(&mut a, 0, 1);
        assert_eq!(a.holes(), (0, 0));
        let mut a = Arrived::default();
        add(&mut a, 0, 0);
        add(&mut a, u64::MAX, 0);
        assert_eq!(a.holes(), (1, u64::MAX));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set_of_numbers(
            spans in prop::collection::vec((0u64..200, 0u32..20), 1..60),
        ) {
            let (mut a, mut model) = (Arrived::default(), BTreeSet::new());
            let start = spans[0].0;
            let mut end = start;
            for &(first, count) in &spans {
                end = end.max(first + u64::from(count));
                let want: Vec<u64> = (first..first + u64::from(count)).filter(|n| model.insert(*n)).collect();
                prop_assert_eq!(add(&mut a, first, count), want);
            }
            let missing: Vec<u64> = (start..end).filter(|n| !model.contains(n)).collect();
            let holes = missing.iter().filter(|&&n| n == start || model.contains(&(n - 1))).count();
            prop_assert_eq!(a.holes(), (holes as u64, missing.len() as u64));
            prop_assert_eq!(a.bounds(), Some((start, end)));
            for range in [0..250, 20..90, 57..57, 130..131] {
                let mut came = Vec::new();
                a.parts(range.clone(), |part| came.extend(part));
                prop_assert_eq!(a.count(range.clone()), came.len() as u64);
                prop_assert!(came.iter().eq(model.range(range)));
            }
            let touching = a.all().zip(a.all().skip(1)).any(|((_, e), (s, _))| e >= s);
            prop_assert!(!touching);
        }
    }
}
