//! What the fuzz targets look at, in every run of the tests: the seeds as they are, cut at every byte, and with every
//! byte a lie in turn. `scripts/fuzz` goes on from there.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use fuzz::{Seeds, TARGETS};

/// Runs of a target at most. Seeds of more bytes than this allows are gone through in steps.
const RUNS: usize = 400;

#[test]
fn every_target_holds_for_seeds_cut_and_damaged_anywhere() {
    for target in TARGETS {
        let mut seeds = Seeds::with_corpus();
        (target.seeds)(&mut seeds);
        let bytes: usize = seeds.iter().map(<[u8]>::len).sum();
        let step = (bytes * 5).div_ceil(RUNS).max(1);
        assert!(bytes > 0, "{} begins with nothing", target.name);
        for seed in seeds.iter() {
            fuzz::check(target.name, seed);
            for at in (0..seed.len()).step_by(step) {
                fuzz::check(target.name, &seed[..at]);
                let mut lying = seed.to_vec();
                for lie in [0, 0xFF, 0x7F, seed[at] ^ 1] {
                    lying[at] = lie;
                    fuzz::check(target.name, &lying);
                }
            }
        }
    }
}
