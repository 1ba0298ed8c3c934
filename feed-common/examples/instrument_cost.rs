//! Prints what the latency instruments cost on this machine: `cargo run --release --example instrument_cost`.

use feed_common::latency::cost::Cost;
use feed_common::time::Clock;

fn main() {
    let clock = Clock::new();
    for _ in 0..5 {
        println!("{}", Cost::measure(&clock));
    }
}
