//! The books of a long session against those written as plainly as possible: equal digests over every level and queue, as
//! many changes of the best prices, and the memory that either took.
//!
//! ```text
//! scripts/bench oracle [MESSAGES [SYMBOLS]]        20 million messages of 1,000 symbols where nothing is said
//! ```
//!
//! Ends with status 1 where they differ.

use benches::book::{Fast, Plain, play};
use benches::growth::resident;
use benches::{arguments, itch};
use feed_handler::book::digest;

fn main() {
    let mut arguments = arguments();
    let messages = arguments.next().unwrap_or(20_000_000);
    let symbols = arguments.next().unwrap_or(1_000);
    let session = itch::session(messages, symbols as u16);
    println!(
        "{messages} messages, {symbols} symbols, {:.1} bytes each with their length",
        session.len() as f64 / messages as f64
    );
    let before = resident();
    let mut fast = Fast::with_room(1 << 22);
    let took = play(true, &session, &mut fast);
    let memory = resident() - before;
    let before = resident();
    let mut plain = Plain::oracle();
    let plainly = play(false, &session, &mut plain);
    let plain_memory = resident() - before;
    let digests = [digest(&fast.books), digest(&plain.books)];
    print("ours", messages, took, memory);
    print("oracle", messages, plainly, plain_memory);
    println!(
        "live orders {} and {}, changes of the best prices {} and {}, digests {} and {}",
        fast.books.live_orders(),
        plain.books.live_orders(),
        fast.bbo_changes,
        plain.bbo_changes,
        digests[0],
        digests[1],
    );
    let equal = digests[0] == digests[1]
        && fast.bbo_changes == plain.bbo_changes
        && fast.books.faults() == plain.books.faults();
    if !equal {
        println!("they differ");
        std::process::exit(1);
    }
    println!("they are equal");
}

fn print(name: &str, messages: usize, nanos: f64, bytes: u64) {
    let (each, megabytes) = (nanos / messages as f64, bytes as f64 / 1e6);
    println!("{name:8} {each:8.1} ns a message {megabytes:8.1} MB");
}
