//! ITCH decode and order book with best prices, queue and checks.

use super::{Effort, Made, Row, Target};
use crate::book::maps::{Heap, Maps, Tree};
use crate::book::{Fast, Foresighted, decode_only, play};
use crate::itch::session;
use crate::measure::{Way, of, take_turns};
use std::cell::RefCell;

/// Symbols of the session, and of the one that is ten times as large.
const SYMBOLS: u16 = 100;

/// The rows.
pub fn rows(effort: Effort) -> Result<Vec<Made>, String> {
    let messages = effort.pick(1_000_000, 200_000);
    let small = session(messages, SYMBOLS);
    // Ten times the messages on ten times the symbols, so that ten times the orders stay; the end of it is measured.
    let large = session(10 * messages, 10 * SYMBOLS);
    let fast = RefCell::new([Fast::with_room(1 << 20), Fast::with_room(1 << 22)]);
    let n = messages as u64;
    let ours = |which: usize, bytes, of_messages| {
        let fast = &fast;
        Way::timing(["ours", "ten times"][which], of_messages, move || {
            fast.borrow_mut()[which].play(true, bytes)
        })
    };
    let mut ways = [
        Way::timing("decode", n, || decode_only(&small)),
        ours(0, &small, n),
        Way::timing("tree", n, || over_maps(&small, Maps::<Tree>::default())),
        Way::timing("hash map", n, || over_maps(&small, Maps::<Heap>::default())),
        ours(1, &large, 10 * n),
    ];
    let figures = take_turns(effort.pick(7, 3), &mut ways);
    drop(ways);
    let [few, many] = fast.into_inner();
    let median = |name| of(&figures, name).median();
    let peers = [
        ("BTreeMap", median("tree")),
        ("HashMap", median("hash map")),
    ];
    let held = |books: &Fast| format!("{}k orders", books.live_most / 1_000);
    Ok(vec![
        Row::time(
            format!("ITCH decode, book, best prices, {}", held(&few)),
            "ns a message",
            median("ours"),
        )
        .beside(peers)
        .limit("decode only", median("decode"))
        .target(Target::OfLimit(9.0))
        .into(),
        Row::time(
            format!("the same, {} of 10 times the symbols", held(&many)),
            "ns a message",
            median("ten times"),
        )
        .limit("the row above", median("ours"))
        .target(Target::OfLimit(1.5))
        .into(),
    ])
}

/// Takes a session into new books.
fn over_maps(bytes: &[u8], mut books: impl Foresighted) -> f64 {
    play(false, bytes, &mut books)
}
