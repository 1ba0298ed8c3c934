//! ITCH decoding alone: nanoseconds a message from an in-memory BinaryFILE to events whose every field is used.
//!
//! Beside the product's path runs the least that any decoder must do, walking the length prefixes, a plain loop that reads
//! the book's fields by offset without framing, validation, instruments or events, and decoders of others. Rounds are
//! interleaved and the medians printed, because the machine drifts more than the figures differ.
//!
//! `cargo run --release -p benches --bin decode [-- MESSAGES [ROUNDS]]`; on a busy machine many short rounds (30000 801)
//! are steadier. With `--features lunary` that crate is measured too: its licence is the AGPL's, which the program would
//! then be under.

use benches::itch::{mix, peers, plain, product, told_of_mix, walk};
use benches::measure::{self, Way, take_turns};
use benches::{MESSAGES, arguments};

fn main() {
    let mut arguments = arguments();
    let messages = arguments.next().unwrap_or(MESSAGES);
    let rounds = arguments.next().unwrap_or(9);
    let file = mix(messages);
    let each = file.len() as f64 / messages as f64;
    println!("{messages} messages, {each:.1} bytes each with their length");

    let n = messages as u64;
    let mut decoder = told_of_mix();
    let mut ways = vec![
        Way::new("walk the length prefixes", n, || walk(&file)),
        Way::new("plain loop, book's fields", n, || plain(&file)),
        Way::new("framing and decoder to events", n, || {
            product(&file, &mut decoder)
        }),
        Way::new("itch5", n, || peers::itch5(&file)),
        Way::new("itchy", n, || peers::itchy(&file)),
    ];
    #[cfg(feature = "lunary")]
    ways.push(Way::new("lunary", n, || peers::lunary(&file)));
    let figures = take_turns(rounds, &mut ways);
    measure::print("ns a message", &figures);
}
