//! What an instrument is worth: a price that wanders, is drawn back to where it belongs, and jumps with news.
//!
//! With every event of the instrument the price moves by a step of mean 0 and deviation σ, and by a 2048th of its
//! distance from the anchor (an Ornstein-Uhlenbeck process in event time: it settles to a deviation of 32 σ around the
//! anchor). Once in 4096 events there is news and the anchor jumps, the price with it. All in ticks with 16 fraction
//! bits. A step's size is the number of ones among 64 random bits, less 32: binomial, all but normal, and the same on
//! every machine.

use crate::synth::rng::Rng;

/// The fair price of an instrument, in ticks.
#[derive(Clone, Debug)]
pub struct FairPrice {
    value: i64,
    anchor: i64,
    /// Deviation of a step.
    sigma: i64,
    /// Bounds of the anchor, and of the value.
    low: i64,
    high: i64,
}

impl FairPrice {
    /// Fraction bits.
    const FRACTION: u32 = 16;
    /// Part of the distance to the anchor that is made good with each event, as a shift.
    const REVERSION: u32 = 11;
    /// One event in so many is news.
    const NEWS_ONE_IN: u64 = 4_096;

    /// Begins at `ticks`, and stays between half and twice of it. Deviations differ between instruments, from a 32nd of
    /// a tick to half a tick per event.
    pub fn new(rng: &mut Rng, ticks: u32) -> FairPrice {
        let value = i64::from(ticks) << Self::FRACTION;
        let sigma = 1u64 << (11 + rng.below(4));
        FairPrice {
            value,
            anchor: value,
            sigma: (sigma + rng.below(sigma)) as i64,
            low: value / 2,
            high: value * 2,
        }
    }

    /// One event.
    #[inline]
    pub fn step(&mut self, rng: &mut Rng) {
        let ones = i64::from(rng.next_u64().count_ones()) - 32; // deviation 4
        let drawn = (self.anchor - self.value) >> Self::REVERSION;
        self.value = (self.value + ones * self.sigma / 4 + drawn).clamp(self.low, self.high);
        if rng.chance(1, Self::NEWS_ONE_IN) {
            let ticks = 1 + rng.exponential(5);
            self.jump(rng, ticks);
        }
    }

    /// News: price and anchor jump, up or down.
    pub fn jump(&mut self, rng: &mut Rng, ticks: u64) {
        let by = (ticks << Self::FRACTION) as i64;
        let by = if rng.chance(1, 2) { by } else { -by };
        self.anchor = (self.anchor + by).clamp(self.low, self.high);
        self.value = (self.value + by).clamp(self.low, self.high);
    }

    /// The highest whole tick below it: where a bid still is no gift.
    pub fn below(&self) -> i64 {
        (self.value - 1) >> Self::FRACTION
    }

    /// The lowest whole tick above it.
    pub fn above(&self) -> i64 {
        (self.value >> Self::FRACTION) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_neighbouring_ticks_are_below_and_above() {
        let mut price = FairPrice::new(&mut Rng::new(1), 500);
        assert_eq!((price.below(), price.above()), (499, 501));
        price.value += 1;
        assert_eq!((price.below(), price.above()), (500, 501));
        price.value -= 2;
        assert_eq!((price.below(), price.above()), (499, 500));
    }

    #[test]
    fn it_wanders_around_its_anchor_and_jumps_within_its_bounds() {
        let mut rng = Rng::new(8);
        for _ in 0..40 {
            let ticks = rng.between(300, 20_000) as u32;
            let mut price = FairPrice::new(&mut rng, ticks);
            let sigma = price.sigma;
            assert!((2_048..32_768).contains(&sigma));
            let n = 100_000u64;
            let (mut jumps, mut squares) = (0, 0i128);
            for _ in 0..n {
                let before = price.anchor;
                price.step(&mut rng);
                jumps += u32::from(price.anchor != before);
                let off = i128::from(price.value - price.anchor);
                squares += off * off;
                let ticks = i64::from(ticks);
                assert!(price.below() >= ticks / 2 - 1 && price.above() <= 2 * ticks + 1);
            }
            assert!((8..50).contains(&jumps), "{jumps}");
            // 32 σ, from a sample of some fifty relaxation times.
            let deviation = ((squares / i128::from(n)) as f64).sqrt();
            let settled = deviation / (32.0 * sigma as f64);
            assert!((0.6..1.5).contains(&settled), "{settled}");
        }
    }
}
