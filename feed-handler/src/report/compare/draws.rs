//! What the quantiles of a run could have been: its blocks of intervals drawn again.

use super::QUANTILES;
use super::blocks::StageBlocks;

/// How often each run is drawn again.
pub(super) const DRAWS: usize = 200;

/// The logarithms of a run's quantiles.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Values behind them.
    pub(super) count: f64,
    /// As they are.
    pub(super) point: [f64; QUANTILES.len()],
    /// As they come out when as many blocks as there are are drawn with replacement.
    pub(super) draws: Vec<[f64; QUANTILES.len()]>,
    /// Blocks they are drawn from.
    pub(super) blocks: usize,
}

impl Sample {
    /// The same `seed` gives the same draws.
    pub(super) fn of(blocks: &StageBlocks, seed: u64) -> Sample {
        let quantiles = QUANTILES.map(|(quantile, _)| quantile);
        let mut sums = Vec::new();
        let n = blocks.len();
        let mut read = |weights: &[u32]| {
            let found = blocks.quantiles(weights, &quantiles, &mut sums);
            // A nanosecond is the least that can be told, and nothing has no logarithm.
            found.map(|nanos| nanos.max(0.5).ln())
        };
        let point = read(&vec![1; n]);
        let mut random = Random::of(seed);
        let mut weights = vec![0; n];
        let draws = (0..DRAWS).map(|_| {
            if n <= 1 {
                return point;
            }
            weights.fill(0);
            (0..n).for_each(|_| weights[random.below(n)] += 1);
            read(&weights)
        });
        Sample {
            count: blocks.count(),
            point,
            draws: draws.collect(),
            blocks: n,
        }
    }
}

/// SplitMix64, which is enough to draw blocks with.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below `n`, which is not 0. The bias of at most `n` in 2^32 is nothing here.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 32) as usize * n) >> 32
    }
}
