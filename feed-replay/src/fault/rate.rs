//! How often something happens.

use crate::synth::rng::Rng;
use std::fmt;

/// A probability in exact steps of 10^-9, written in percent: `1%`, `0.05%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u32);

impl Rate {
    /// Never.
    pub const NEVER: Rate = Rate(0);

    /// Always.
    pub const ALWAYS: Rate = Rate(Self::SCALE);

    /// Steps that make a certainty.
    pub const SCALE: u32 = 1_000_000_000;

    /// Decimal places of a percentage.
    pub(super) const PLACES: usize = 7;

    /// So many in 10^9; `None` above that.
    pub const fn per_billion(n: u32) -> Option<Rate> {
        if n <= Self::SCALE {
            Some(Rate(n))
        } else {
            None
        }
    }

    /// Times in 10^9.
    pub const fn billionths(self) -> u32 {
        self.0
    }

    /// True for [`Rate::NEVER`].
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }

    /// Whether it happens this time: always one number of `rng`, so that what follows does not depend on the rate.
    pub(crate) const fn happens(self, rng: &mut Rng) -> bool {
        rng.chance(self.0 as u64, Self::SCALE as u64)
    }
}

impl fmt::Display for Rate {
    /// In percent, without zeros that say nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 10_000_000, self.0 % 10_000_000);
        if fraction == 0 {
            return write!(f, "{whole}%");
        }
        let digits = format!("{fraction:0places$}", places = Self::PLACES);
        write!(f, "{whole}.{}%", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_print_in_percent() {
        let text = |n| Rate::per_billion(n).unwrap().to_string();
        assert_eq!(text(0), "0%");
        assert_eq!(text(10_000_000), "1%");
        assert_eq!(text(1), "0.0000001%");
        assert_eq!(text(125_000), "0.0125%");
        assert_eq!(text(1_000_000_000), "100%");
        assert_eq!(Rate::per_billion(1_000_000_001), None);
    }

    #[test]
    fn never_and_always_are_meant() {
        let mut rng = Rng::new(1);
        for _ in 0..1_000 {
            assert!(!Rate::NEVER.happens(&mut rng) && Rate::ALWAYS.happens(&mut rng));
        }
    }
}
