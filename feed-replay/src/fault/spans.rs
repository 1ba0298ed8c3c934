//! Sets of numbers as ranges: what a line carried of a session, and what it did not.

use std::ops::Range;

/// A set of numbers, kept as sorted ranges that neither touch nor overlap: its memory is the number of holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    ranges: Vec<Range<u64>>,
}

impl Spans {
    /// Adds the numbers of `range`. At the end of the set, where sessions grow, this costs nothing to speak of.
    pub fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // The ranges from `first` to `end` overlap or touch the new one and become one with it.
        let first = self.before(|r| r.end < range.start);
        let end = first
            + self.ranges[first..]
                .iter()
                .take_while(|r| r.start <= range.end)
                .count();
        let merged = match &self.ranges[first..end] {
            [] => range,
            touched => {
                touched[0].start.min(range.start)..touched[touched.len() - 1].end.max(range.end)
            }
        };
        self.ranges.splice(first..end, [merged]);
    }

    /// How many ranges come before the first for which `below` is false; looked for from the end, where it mostly is.
    fn before(&self, below: impl Fn(&Range<u64>) -> bool) -> usize {
        match self.ranges.last() {
            Some(last) if below(last) => self.ranges.len(),
            Some(_) if self.ranges.len() == 1 || below(&self.ranges[self.ranges.len() - 2]) => {
                self.ranges.len() - 1
            }
            _ => self.ranges.partition_point(below),
        }
    }

    /// The ranges, in order.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// True without numbers.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether a number is among them.
    pub fn contains(&self, number: u64) -> bool {
        let at = self.ranges.partition_point(|r| r.end <= number);
        self.ranges.get(at).is_some_and(|r| r.contains(&number))
    }

    /// The numbers of this set that are not in `other`.
    pub fn minus(&self, other: &Spans) -> Spans {
        let mut left = Spans::default();
        let mut others = other.ranges.iter().peekable();
        for range in &self.ranges {
            let mut start = range.start;
            while let Some(cut) = others.next_if(|cut| cut.end <= range.end) {
                left.push(start..cut.start);
                start = start.max(cut.end);
            }
            // One that reaches beyond this range may touch the next too.
            let end = others.peek().map_or(range.end, |cut| cut.start);
            left.push(start..end.min(range.end));
        }
        left
    }

    /// The numbers of either set.
    pub fn union(&self, other: &Spans) -> Spans {
        let mut all = self.clone();
        for range in &other.ranges {
            all.add(range.clone());
        }
        all
    }

    /// Appends a range behind all others; one without numbers is nothing.
    fn push(&mut self, range: Range<u64>) {
        if !range.is_empty() {
            self.ranges.push(range);
        }
    }
}

impl FromIterator<Range<u64>> for Spans {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Spans {
        let mut spans = Spans::default();
        ranges.into_iter().for_each(|range| spans.add(range));
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Ranges = Vec<Range<u64>>;

    fn ranges() -> impl Strategy<Value = Ranges> {
        prop::collection::vec((0u64..120, 0u64..9).prop_map(|(at, n)| at..at + n), 0..25)
    }

    fn set(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.iter().cloned().flatten().collect()
    }

    /// The same numbers, in as few ranges as there can be.
    fn same(spans: &Spans, set: &BTreeSet<u64>) {
        let numbers: Vec<u64> = spans.ranges().iter().cloned().flatten().collect();
        assert!(numbers.iter().eq(set), "{spans:?} is not {set:?}");
        assert_eq!(spans.count(), set.len() as u64);
        assert_eq!(spans.is_empty(), set.is_empty());
        assert!(spans.ranges().windows(2).all(|w| w[0].end < w[1].start));
        assert!((0..140).all(|n| spans.contains(n) == set.contains(&n)));
    }

    proptest! {
        #[test]
        fn spans_are_sets(a in ranges(), b in ranges()) {
            let (left, right): (Spans, Spans) = (a.iter().cloned().collect(), b.iter().cloned().collect());
            let (a, b) = (set(&a), set(&b));
            same(&left, &a);
            same(&left.minus(&right), &a.difference(&b).copied().collect());
            same(&left.union(&right), &a.union(&b).copied().collect());
        }
    }

    #[test]
    fn the_last_number_of_all_has_its_place() {
        let mut spans = Spans::default();
        spans.add(u64::MAX - 1..u64::MAX);
        spans.add(0..1);
        assert_eq!(spans.ranges(), [0..1, u64::MAX - 1..u64::MAX]);
    }
}
