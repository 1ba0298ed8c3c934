//! What sequencing costs a packet of two healthy lines: the sequencer alone, the line statistics, and both.
//!
//! ```text
//! cargo run --release -p benches --bin sequence [PACKETS] [ROUNDS]
//! ```

use benches::measure::{self, Way, take_turns};
use benches::{arguments, sequence};

fn main() {
    let mut arguments = arguments();
    let packets = arguments.next().unwrap_or(1_000_000);
    let rounds = arguments.next().unwrap_or(9);
    let sent = sequence::sent(packets);
    let n = sent.len() as u64;
    let figures = take_turns(
        rounds,
        &mut [
            Way::new("sequencer", n, || sequence::sequencer(&sent)),
            Way::new("line statistics", n, || sequence::lines(&sent)),
            Way::new("both", n, || sequence::both(&sent)),
        ],
    );
    println!("{n} packets on two lines, {rounds} rounds");
    measure::print("ns a packet", &figures);
}
