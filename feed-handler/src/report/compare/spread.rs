//! The difference of two sides with its interval, in logarithms: a factor means the same at every level.

use super::QUANTILES;
use super::draws::{DRAWS, Random, Sample};

/// Pairs of runs from which the noise between runs can be seen.
const PAIRS_MIN: usize = 5;

/// How often the runs of both sides are drawn again.
const ROUNDS: usize = 400;

/// What runs of the same program have been seen to differ by, one against one, in logarithms, by quantile: 1.6, 2, 4 and
/// 8 times. Intervals are widened by it where the runs themselves cannot show it.
const ALLOWANCE: [f64; QUANTILES.len()] = [0.47, 0.69, 1.39, 2.08];

/// How the runs of two sides lie in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pairing {
    /// Runs of the smaller side.
    least: usize,
    /// Each run has a neighbour of the other side.
    interleaved: bool,
}

/// A difference, as the logarithm of a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) middle: f64,
    /// Half the width of the 99.9 % interval.
    pub(super) half: f64,
}

impl Pairing {
    /// By when they were started.
    pub(super) fn of(runs: &[u64], base: &[u64]) -> Pairing {
        let side = |starts: &[u64], ours: bool| -> Vec<(u64, bool)> {
            starts.iter().map(|at| (*at, ours)).collect()
        };
        let mut all = [side(runs, true), side(base, false)].concat();
        all.sort_unstable();
        let known = all.iter().all(|(at, _)| *at > 0);
        // One of each side next to each other, whichever came first.
        let pairs = all
            .chunks(2)
            .all(|pair| pair.len() == 2 && pair[0].1 != pair[1].1);
        Pairing {
            least: runs.len().min(base.len()),
            interleaved: known && pairs,
        }
    }

    /// True where the noise between runs shows in the runs themselves.
    pub(super) fn sees_runs(self) -> bool {
        self.interleaved && self.least >= PAIRS_MIN
    }

    /// For people.
    pub(super) fn said(self) -> String {
        let n = self.least;
        let allowed = ALLOWANCE.map(|log| format!("{:.1}", log.exp())).join(", ");
        let advice = format!(
            "intervals allow for runs that differ by {allowed} times (p50, p90, p99, p99.9) for no reason; {PAIRS_MIN} or \
             more runs a side, interleaved (one of each in turn), show much smaller differences"
        );
        if self.sees_runs() {
            format!("{n} interleaved runs a side: each was held against its neighbour in time")
        } else if n <= 1 {
            format!("one run a side: what differs between runs cannot be seen; {advice}")
        } else if self.interleaved {
            format!(
                "{n} interleaved runs a side are too few to show what differs between runs; {advice}"
            )
        } else {
            format!("runs that are not interleaved differ by when they were made as well; {advice}")
        }
    }
}

/// The difference of the quantile at `at`. Runs must be in the order of their start, and have values.
pub(super) fn interval(runs: &[Sample], base: &[Sample], at: usize, pairing: Pairing) -> Interval {
    let k = pairing.least;
    let paired = pairing.interleaved;
    let middle = shift(
        &runs.iter().map(|s| s.point[at]).collect::<Vec<_>>(),
        &base.iter().map(|s| s.point[at]).collect::<Vec<_>>(),
        paired,
    );
    let mut random = Random::of(0x5EED_0000 + at as u64);
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        // Where runs show what differs between them, that has what differs within them in it, and to draw blocks as
        // well would count it twice: the beginning of a run is not like the rest of it.
        let mut drawn = |run: &Sample| match pairing.sees_runs() {
            true => run.point[at],
            false => run.draws[random.below(DRAWS)][at],
        };
        let mut places = Random::of(rounds.len() as u64 ^ 0xB10C_0000);
        let mut place = |side: &[Sample]| places.below(side.len());
        let (ours, theirs): (Vec<f64>, Vec<f64>) = if paired {
            // Neighbours are drawn together: what they have in common stays in common.
            let pairs = (0..k).map(|_| place(runs));
            pairs.map(|at| (drawn(&runs[at]), drawn(&base[at]))).unzip()
        } else {
            let mut side = |side: &[Sample]| -> Vec<f64> {
                (0..side.len()).map(|_| drawn(&side[place(side)])).collect()
            };
            (side(runs), side(base))
        };
        rounds.push(shift(&ours, &theirs, paired));
    }
    let error = deviation(&rounds);
    let fewest = |side: &[Sample]| side.iter().map(|s| s.blocks).sum::<usize>();
    let half = if pairing.sees_runs() {
        // Drawing from k runs shows (k-1)/k of the variance between them.
        student(k - 1) * error * (k as f64 / (k - 1) as f64).sqrt()
    } else {
        let blocks = fewest(runs).min(fewest(base));
        let share = if paired { (k as f64).sqrt() } else { 1.0 };
        student(blocks.saturating_sub(1)) * error + ALLOWANCE[at] / share
    };
    Interval { middle, half }
}

/// How far the first side lies above the second: the median of the means of all pairs of differences (Hodges and
/// Lehmann), which a few bad runs do not move; of two sides that are not paired, the median of all differences.
fn shift(ours: &[f64], theirs: &[f64], paired: bool) -> f64 {
    if !paired {
        let all = ours.iter().flat_map(|a| theirs.iter().map(move |b| a - b));
        return median(all.collect());
    }
    let differences: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a - b).collect();
    let means = differences
        .iter()
        .enumerate()
        .flat_map(|(i, a)| differences[i..].iter().map(move |b| (a + b) / 2.0));
    median(means.collect())
}

/// The middle value, or the mean of the two; 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (below, upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    let upper = *upper;
    if n % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::MIN, f64::max);
    (lower + upper) / 2.0
}

fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    (squares / (n - 1.0).max(1.0)).sqrt()
}

/// Half-width of a 99.9 % interval in standard errors by degrees of freedom, from the tables of Student's distribution.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        636.619, 31.599, 12.924, 8.610, 6.869, 5.959, 5.408, 5.041, 4.781, 4.587, 4.437, 4.318,
        4.221, 4.140, 4.073, 4.015, 3.965, 3.922, 3.883, 3.850, 3.819, 3.792, 3.768, 3.745, 3.725,
        3.707, 3.690, 3.674, 3.659, 3.646,
    ];
    // Beyond the table it falls to 3.291; what is too wide by a tenth harms nobody.
    TABLE[freedom.clamp(1, TABLE.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaving_is_seen_in_the_starts() {
        let see = |runs: &[u64], base: &[u64]| Pairing::of(runs, base).interleaved;
        assert!(see(&[1], &[2]));
        assert!(see(&[1, 4, 5, 8], &[2, 3, 6, 7]), "either first");
        assert!(!see(&[1, 2, 3, 4], &[5, 6, 7, 8]));
        assert!(!see(&[1, 3, 5], &[2, 4]), "one is alone");
        assert!(!see(&[0, 3], &[2, 4]), "without a start nothing is known");
        assert!(!Pairing::of(&[1, 3, 5, 7], &[2, 4, 6, 8]).sees_runs());
        assert!(Pairing::of(&[1, 3, 5, 7, 9], &[2, 4, 6, 8, 10]).sees_runs());
    }

    #[test]
    fn a_few_bad_runs_do_not_move_the_difference() {
        let base = [1.0; 10];
        let mut ours = [1.1; 10];
        ours[3] = 9.0;
        ours[7] = 4.0;
        assert!((shift(&ours, &base, true) - 0.1).abs() < 1e-9);
        assert!((shift(&ours, &base, false) - 0.1).abs() < 1e-9);
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn fewer_runs_make_wider_intervals() {
        let widths: Vec<f64> = (0..40).map(student).collect();
        assert!(widths.is_sorted_by(|a, b| a >= b));
        assert!(student(1_000) > 3.291);
    }
}
