//! How far apart things were: one distribution on its own, all memory taken beforehand.

use super::set::{Figure, Resolution};
use super::summary::Quantiles;

/// A distribution of spans of time in nanoseconds, kept by one thread.
#[derive(Clone, Debug)]
pub struct Spread {
    figure: Figure,
    smallest: u64,
    highest: u64,
}

impl Spread {
    /// An empty one with all its pages touched, so that recording never faults one in.
    pub fn new(resolution: Resolution) -> Spread {
        Spread {
            figure: Figure::new(resolution),
            smallest: u64::MAX,
            highest: resolution.highest_nanos(),
        }
    }

    /// Counts one span: no allocation, about two nanoseconds.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.smallest = self.smallest.min(nanos);
        self.figure.record(nanos, self.highest);
    }

    /// Its figures. The smallest and the largest are exact, also above the range of the histogram; the others are at most
    /// the end of their cell, and at most the end of the range.
    pub fn quantiles(&self) -> Quantiles {
        let quantiles = Quantiles::of(&self.figure.counters.histogram());
        match quantiles.count {
            0 => quantiles,
            _ => Quantiles {
                min: self.smallest,
                max: self.figure.largest,
                ..quantiles
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_exact_and_what_is_above_the_range_counts() {
        let mut spread = Spread::new(Resolution::new(1_000_000, 2).unwrap());
        assert_eq!(spread.quantiles(), Quantiles::default());
        for nanos in [70_001, 5, 123_456_789] {
            spread.record(nanos);
        }
        let found = spread.quantiles();
        assert_eq!((found.count, found.min, found.max), (3, 5, 123_456_789));
        assert!((70_001..71_000).contains(&found.p50), "{}", found.p50);
        assert!((1_000_000..1_010_000).contains(&found.p99), "{}", found.p99);
    }
}
