//! What a message costs as there is more of everything: symbols, live orders, price levels.
//!
//! A [`Market`] holds as many orders as it is told and keeps that number: every message that adds one is followed, sooner
//! or later, by one that takes one away. Which one leaves is as on exchanges, where most orders live for moments: nine in
//! ten times one of the newest thousand, otherwise any. Prices are near the best, eight in ten times, otherwise anywhere
//! in the depth there is.

pub mod chart;
mod market;

pub use market::{Market, Shape};

use crate::book::{Fast, Foresighted, decode};
use crate::itch::told;
use crate::measure::{median, thread_nanos};
use crate::{Sum, decoder};
use feed_handler::protocol::itch50::Itch50Decoder;

/// Messages of a measurement.
const MESSAGES: usize = 500_000;

/// What a message took at one point.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Where that was.
    pub shape: Shape,
    /// Decoding alone, nanoseconds a message.
    pub decode: f64,
    /// Decoding, books and best prices with a look ahead, as a lane does it.
    pub books: f64,
    /// The same without looking ahead.
    pub blind: f64,
    /// Bytes of memory that the process holds more than before the books were made.
    pub resident: u64,
}

/// Fills books and measures them `rounds` times while the market goes on: medians.
pub fn measure(shape: Shape, rounds: usize) -> Cost {
    let mut market = Market::new(shape, 1);
    let mut decoder = told(decoder(), shape.symbols.into());
    let before = resident();
    let mut fast = Fast::with_room(shape.orders + shape.orders / 4 + 1024);
    play(&market.fill(), &mut decoder, true, &mut fast);
    assert_eq!(fast.books.live_orders(), shape.orders);
    let [mut alone, mut books, mut blind] = [const { Vec::new() }; 3];
    for round in 0..=rounds {
        let bytes = market.messages(MESSAGES);
        let decode = play(&bytes, &mut decoder, false, &mut Sum(0));
        let ahead = play(&bytes, &mut decoder, true, &mut fast);
        let more = market.messages(MESSAGES);
        let without = play(&more, &mut decoder, false, &mut fast);
        // The first warms what the filling left cold.
        if round > 0 {
            alone.push(decode);
            books.push(ahead);
            blind.push(without);
        }
    }
    assert_eq!(fast.books.faults().total(), 0, "{:?}", fast.books.faults());
    Cost {
        shape,
        decode: median(alone),
        books: median(books),
        blind: median(blind),
        resident: resident().saturating_sub(before),
    }
}

/// Nanoseconds a message.
fn play(
    bytes: &[u8],
    decoder: &mut Itch50Decoder,
    looks_ahead: bool,
    out: &mut impl Foresighted,
) -> f64 {
    let messages = feed_common::wire::moldudp64::Blocks::new(bytes).count();
    let start = thread_nanos();
    decode(looks_ahead, bytes, decoder, out);
    (thread_nanos() - start) as f64 / messages as f64
}

/// Bytes of memory this process has in use; 0 where the system does not say.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_stays_as_large_as_it_is_and_breaks_no_book() {
        let shape = Shape {
            symbols: 20,
            orders: 3_000,
            depth: 12,
        };
        let mut market = Market::new(shape, 1);
        let mut decoder = told(decoder(), 20);
        let mut fast = Fast::with_room(1 << 13);
        play(&market.fill(), &mut decoder, true, &mut fast);
        assert_eq!(fast.books.live_orders(), 3_000);
        for _ in 0..20 {
            play(&market.messages(5_000), &mut decoder, true, &mut fast);
            let live = fast.books.live_orders() as i64;
            assert!((live - 3_000).abs() <= 1, "{live}");
        }
        assert_eq!(fast.books.faults().total(), 0);
        assert!(fast.bbo_changes > 1_000, "{}", fast.bbo_changes);
    }
}
