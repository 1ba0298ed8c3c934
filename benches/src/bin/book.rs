//! Decoding into order books: nanoseconds a message from a BinaryFILE in memory to books with queues, checks and best
//! prices, on one core, with and without looking ahead, beside the decoder alone and books over maps.
//!
//! ```text
//! cargo run --release -p benches --bin book [-- MESSAGES [ROUNDS [SYMBOLS [ORDERS]]]]
//! ```
//!
//! SYMBOLS says how many instruments, and so how many live orders, the session has; ORDERS is the books' limit of them.
//! What does not depend on the machine's mood is in `scripts/bench gate`.

use benches::book::maps::{Heap, Maps, Tree};
use benches::book::{Fast, Foresighted, Plain, decode_only, play};
use benches::measure::{Way, take_turns};
use benches::{MESSAGES, arguments, itch};
use feed_common::wire::moldudp64::Blocks;
use std::cell::RefCell;

/// Messages that the books over maps get, which would take as long as all others together.
const MAPS: usize = 500_000;

fn main() {
    let mut arguments = arguments();
    let messages = arguments.next().unwrap_or(MESSAGES);
    let rounds = arguments.next().unwrap_or(9);
    let symbols = arguments.next().unwrap_or(100);
    let orders = arguments.next().unwrap_or(1 << 20);
    let session = itch::session(messages, symbols as u16);
    let few = Blocks::new(&session).map(|m| m.len() + 2).take(MAPS).sum();
    let (bytes, few) = (&session[..], &session[..few]);
    let fast = RefCell::new(Fast::with_room(orders));

    let (all, of_maps) = (messages as u64, messages.min(MAPS) as u64);
    let fast_way = |name, play: fn(&mut Fast, &[u8]) -> f64| {
        let fast = &fast;
        Way::timing(name, all, move || play(&mut fast.borrow_mut(), bytes))
    };
    let mut ways = [
        Way::timing("decode only", all, || decode_only(bytes)),
        fast_way("decode, book", |fast, bytes| fast.play(false, bytes)),
        fast_way("decode, book, looking ahead", |fast, bytes| {
            fast.play(true, bytes)
        }),
        Way::timing("decode, tree of levels", of_maps, || {
            over_maps(few, Maps::<Tree>::default())
        }),
        Way::timing("decode, hash map of levels", of_maps, || {
            over_maps(few, Maps::<Heap>::default())
        }),
        Way::timing("decode, book over maps", of_maps, || {
            over_maps(few, Plain::oracle())
        }),
    ];
    let figures = take_turns(rounds, &mut ways);
    drop(ways);
    let fast = fast.into_inner();
    println!("{messages} messages, {symbols} symbols, {rounds} rounds");
    println!(
        "live orders at the end {}, most {}; changes of the best prices {}; faults {}",
        fast.books.live_orders(),
        fast.live_most,
        fast.bbo_changes,
        fast.books.faults().total()
    );
    println!(
        "{:34} {:>8} {:>8} {:>8}",
        "ns a message", "median", "least", "decodes"
    );
    let decode = figures[0].median();
    for f in &figures {
        println!(
            "{:34} {:8.1} {:8.1} {:8.1}",
            f.name,
            f.median(),
            f.least(),
            f.median() / decode
        );
    }
}

/// Takes a session into new books.
fn over_maps(bytes: &[u8], mut books: impl Foresighted) -> f64 {
    play(false, bytes, &mut books)
}
