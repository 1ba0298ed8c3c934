//! Price arrays: the vector kernels against the loop one would write, interleaved, medians.
//!
//! `cargo run --release -p benches --bin prices` prints 10^9 values a second for arrays in the first and second cache
//! and in memory, and how many times the plain loop the chosen path is. Then what the native protocol makes of it: ns a
//! record from datagram to handler.

use benches::measure::{median, timed};
use benches::native::{self, AllRecords};
use benches::prices::{SAMPLE, all, layout, rates};
use feed_common::prices::{Path, PriceLayout};
use feed_handler::protocol::native::NativeDecoder;
use std::hint::black_box;

/// Samples of each side.
const ROUNDS: usize = 31;

fn main() {
    println!(
        "path {}; medians of {ROUNDS} interleaved samples of {SAMPLE} values or more",
        Path::best().name()
    );
    println!(
        "{:<40} {:>5} {:>8} {:>8} {:>8} {:>7}",
        "10^9 values/s", "", "plain", "portable", "best", "ratio"
    );
    all(&mut |name, place, count, run| {
        let [plain, portable, best] = rates(ROUNDS, count, run);
        println!(
            "{name:<40} {place:>5} {plain:>8.2} {portable:>8.2} {best:>8.2} {:>6.2}x",
            best / plain
        );
    });
    for (name, columns) in [("records", false), ("columns", true)] {
        for (prices, layout) in [
            ("canonical", PriceLayout::CANONICAL),
            ("be u32, 4 decimals", layout(4, false, 4)),
        ] {
            let datagram = native::datagram(columns, &layout);
            let [portable, best] = [Path::Portable, Path::best()].map(|path| {
                let mut decoder = NativeDecoder::with_path(64, path);
                let mut sum = AllRecords::default();
                let samples = (0..ROUNDS).map(|_| one_sample(&mut decoder, &datagram, &mut sum));
                let figure = median(samples.collect());
                black_box(sum.0);
                figure
            });
            println!("native {name}, {prices}: {portable:.2} ns a record portable, {best:.2} best");
        }
    }
}

/// 1,000 times the same datagram.
fn one_sample(decoder: &mut NativeDecoder, datagram: &[u8], sum: &mut AllRecords) -> f64 {
    let mut records = 0;
    let took = timed(|| {
        for _ in 0..1_000 {
            records += native::decode(decoder, black_box(datagram), sum);
        }
    });
    took / records as f64
}
