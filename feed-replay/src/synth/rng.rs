//! Pseudo-random numbers that are the same on every machine: integers only, no library behind them.
//!
//! The generator is xoshiro256++ (Blackman and Vigna), seeded through splitmix64 as its authors advise. Distributions
//! are made from integer tables, because the last bit of a floating-point logarithm depends on the platform and one
//! bit is enough to make two "equal" sessions differ.

/// One step of splitmix64: a full-period mix of 64 bits, good enough on its own as a hash of a counter.
#[inline]
pub const fn splitmix64(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// xoshiro256++.
#[derive(Clone, Debug)]
pub struct Rng {
    s: [u64; 4],
}

impl Rng {
    /// The stream of `seed`. Different seeds, even neighbouring ones, give unrelated streams.
    pub const fn new(seed: u64) -> Rng {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        Rng {
            s: [
                splitmix64(seed),
                splitmix64(seed.wrapping_add(STEP)),
                splitmix64(seed.wrapping_add(STEP.wrapping_mul(2))),
                splitmix64(seed.wrapping_add(STEP.wrapping_mul(3))),
            ],
        }
    }

    /// The next 64 bits.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        let s = &mut self.s;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..n`, `n` above 0. By multiplication: the bias is below `n` in 2^64, far under what shows.
    #[inline]
    pub const fn below(&mut self, n: u64) -> u64 {
        ((self.next_u64() as u128 * n as u128) >> 64) as u64
    }

    /// A number in `low..=high`.
    #[inline]
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `num` times in `den`.
    #[inline]
    pub const fn chance(&mut self, num: u64, den: u64) -> bool {
        self.below(den) < num
    }

    /// Exponentially distributed with the given mean, in the mean's units, rounded down.
    ///
    /// Minus the logarithm of a uniform number: its integer part is the count of leading zero bits, its fraction
    /// comes from a table of 256 steps with a straight line between them (error under 3 in 10^6).
    #[inline]
    pub const fn exponential(&mut self, mean: u64) -> u64 {
        let bits = self.next_u64() | 1; // the lowest bit stands for "not quite zero"
        let zeros = bits.leading_zeros();
        let mantissa = bits << zeros; // 1.fraction, the one in bit 63
        let step = ((mantissa >> 55) & 0xFF) as usize;
        let within = (mantissa >> 23) & 0xFFFF_FFFF; // 32 bits below the step
        let log =
            LOG2[step] + (((LOG2[step + 1] - LOG2[step]) as u128 * within as u128) >> 32) as u64;
        let minus_log2 = ((zeros as u64 + 1) << 32) - log; // of bits / 2^64, 32 fraction bits
        ((minus_log2 as u128 * LN_2 as u128 * mean as u128) >> 64) as u64
    }
}

/// The natural logarithm of 2 with 32 fraction bits.
const LN_2: u64 = 2_977_044_472;

/// log2(1 + k/256) with 32 fraction bits.
const LOG2: [u64; 257] = log2_table();

const fn log2_table() -> [u64; 257] {
    let mut table = [0u64; 257];
    let mut k = 0;
    while k < 256 {
        // The digits of the logarithm, one per squaring: when the square of a number in 1..2 reaches 2, the digit is 1.
        let mut x = ((256 + k as u128) << 62) / 256;
        let mut log = 0u64;
        let mut digit = 0;
        while digit < 32 {
            x = (x * x) >> 62;
            log <<= 1;
            if x >= 1 << 63 {
                log |= 1;
                x >>= 1;
            }
            digit += 1;
        }
        table[k] = log;
        k += 1;
    }
    table[256] = 1 << 32;
    table
}

/// Draws indexes with fixed integer weights, by binary search in their running sum.
#[derive(Clone, Debug)]
pub struct Weighted {
    sums: Vec<u64>,
}

impl Weighted {
    /// Weights by index; at least one must be above 0 and their sum must fit 64 bits.
    pub fn new(weights: impl IntoIterator<Item = u64>) -> Weighted {
        let mut sum = 0u64;
        let sums: Vec<u64> = weights
            .into_iter()
            .map(|w| {
                sum += w;
                sum
            })
            .collect();
        assert!(sum > 0, "all weights are 0");
        Weighted { sums }
    }

    /// Zipf's law with exponent 1 over ranks `0..n`: rank r is drawn in proportion to 1 / (r + 1).
    pub fn zipf(n: usize) -> Weighted {
        Weighted::new((0..n as u64).map(|r| (1 << 32) / (r + 1)))
    }

    /// An index.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let x = rng.below(self.total());
        self.sums.partition_point(|&sum| sum <= x)
    }

    /// Weight of one index.
    pub fn weight(&self, index: usize) -> u64 {
        self.sums[index] - if index == 0 { 0 } else { self.sums[index - 1] }
    }

    /// Sum of all weights.
    #[inline]
    pub fn total(&self) -> u64 {
        self.sums[self.sums.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_is_the_published_one() {
        // First outputs of the reference implementation for seed 1234567.
        let mut state = 1_234_567u64;
        let mut next = || {
            let out = splitmix64(state);
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            out
        };
        assert_eq!(next(), 6_457_827_717_110_365_317);
        assert_eq!(next(), 3_203_168_211_198_807_973);
        assert_eq!(next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn xoshiro_is_the_published_one() {
        // First outputs of the reference implementation for the state 1, 2, 3, 4.
        let mut rng = Rng { s: [1, 2, 3, 4] };
        assert_eq!(rng.next_u64(), 41_943_041);
        assert_eq!(rng.next_u64(), 58_720_359);
        assert_eq!(rng.next_u64(), 3_588_806_011_781_223);
    }

    #[test]
    fn logarithms_are_right_to_the_last_digits() {
        for (k, &log) in LOG2.iter().enumerate() {
            let want = (1.0 + k as f64 / 256.0).log2() * (1u64 << 32) as f64;
            assert!((log as f64 - want).abs() < 2.0, "{k}");
        }
        assert_eq!(
            LN_2,
            (std::f64::consts::LN_2 * (1u64 << 32) as f64).round() as u64
        );
    }

    #[test]
    fn exponential_has_its_mean_and_its_tail() {
        let mut rng = Rng::new(3);
        let (n, mean) = (200_000u64, 1_000_000u64);
        let (mut sum, mut above_3) = (0u64, 0u64);
        for _ in 0..n {
            let x = rng.exponential(mean);
            sum += x;
            above_3 += u64::from(x > 3 * mean);
        }
        assert!((sum / n).abs_diff(mean) < mean / 100, "{}", sum / n);
        // e^-3 = 4.979 %
        assert!((above_3 * 10_000 / n).abs_diff(498) < 20, "{above_3}");
    }

    #[test]
    fn weights_are_drawn_in_proportion() {
        let table = Weighted::new([1, 0, 3]);
        let mut rng = Rng::new(9);
        let mut hits = [0u32; 3];
        for _ in 0..40_000 {
            hits[table.draw(&mut rng)] += 1;
        }
        assert_eq!(hits[1], 0);
        assert!(hits[0].abs_diff(10_000) < 400, "{hits:?}");
        assert_eq!(
            (table.weight(0), table.weight(1), table.weight(2)),
            (1, 0, 3)
        );
    }

    #[test]
    fn below_covers_its_range() {
        let mut rng = Rng::new(0);
        let mut seen = [false; 7];
        for _ in 0..1_000 {
            seen[rng.below(7) as usize] = true;
            assert!((5..=6).contains(&rng.between(5, 6)));
        }
        assert!(seen.iter().all(|&s| s));
    }
}
