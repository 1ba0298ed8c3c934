//! From a BinaryFILE in memory to books with their best prices, with and without looking ahead.

pub mod maps;

use crate::measure::thread_nanos;
use crate::{Sum, context, decoder};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, MsgCtx, ReplaceOrder,
    Status, Trade,
};
use feed_common::wire::moldudp64::Blocks;
use feed_handler::book::{BookLimits, Books, oracle};
use feed_handler::pipeline::LookAhead;
use feed_handler::protocol::itch50::Itch50Decoder;
use feed_handler::protocol::{Ahead, Decode};
use std::hint::black_box;

/// Room for any session that is measured here.
pub fn limits(orders: usize) -> BookLimits {
    BookLimits {
        orders,
        levels: 1 << 19,
        instruments: 1 << 16,
    }
}

/// Takes the messages through a new decoder into `out`, looking ahead as a lane does or not at all. Nanoseconds.
#[inline(always)]
pub fn play(looks_ahead: bool, bytes: &[u8], out: &mut impl Foresighted) -> f64 {
    let mut decoder = decoder();
    let start = thread_nanos();
    decode(looks_ahead, bytes, &mut decoder, out);
    (thread_nanos() - start) as f64
}

/// Takes the messages through a decoder into `out`.
#[inline(always)]
pub fn decode(
    looks_ahead: bool,
    bytes: &[u8],
    decoder: &mut Itch50Decoder,
    out: &mut impl Foresighted,
) {
    let mut cx = context();
    let mut ahead = LookAhead::new(Blocks::new(bytes));
    for message in Blocks::new(bytes) {
        if looks_ahead {
            ahead.step(
                |message| decoder.ahead(message),
                |found| out.fetch(found),
                |found| out.fetch_behind(found),
            );
        }
        cx.sequence += 1;
        let decoded = decoder.decode(message, &mut cx, out);
        decoded.expect("known messages");
    }
    black_box(out);
}

/// The decoder alone, nanoseconds.
pub fn decode_only(bytes: &[u8]) -> f64 {
    play(false, bytes, &mut Sum(0))
}

/// What takes events and may be told what is coming.
pub trait Foresighted: MarketHandler {
    /// Asks for what an event looks up.
    #[inline(always)]
    fn fetch(&self, _ahead: Ahead) {}

    /// Asks for what that leads to.
    #[inline(always)]
    fn fetch_behind(&self, _ahead: Ahead) {}
}

impl Foresighted for Sum {}

impl Foresighted for Plain {}

impl Foresighted for Fast {
    #[inline(always)]
    fn fetch(&self, ahead: Ahead) {
        self.books.prefetch(ahead.instrument, ahead.order_id);
        if ahead.new_id != ahead.order_id {
            self.books.prefetch(ahead.instrument, ahead.new_id);
        }
    }

    #[inline(always)]
    fn fetch_behind(&self, ahead: Ahead) {
        self.books
            .prefetch_further(ahead.instrument, ahead.order_id);
    }
}

impl Fast {
    /// The product's books with room for that many orders.
    pub fn with_room(orders: usize) -> Fast {
        Fast::new(Books::new(&limits(orders)).expect("memory"))
    }

    /// Takes a session into emptied books. Nanoseconds.
    #[inline(never)]
    pub fn play(&mut self, looks_ahead: bool, bytes: &[u8]) -> f64 {
        self.books.restart();
        (self.bbo_changes, self.live_most) = (0, 0);
        play(looks_ahead, bytes, self)
    }
}

impl Plain {
    /// The books written as plainly as possible, which are the oracle of the product's tests.
    pub fn oracle() -> Plain {
        Plain::new(oracle::Books::new(&limits(1 << 20)))
    }
}

/// Books behind a decoder, and what they did.
macro_rules! books {
    ($(#[$doc:meta])* $name:ident, $books:ty) => {
        $(#[$doc])*
        pub struct $name {
            /// The books.
            pub books: $books,
            /// Events that left another best price.
            pub bbo_changes: u64,
            /// The most orders there were when a best price changed.
            pub live_most: usize,
        }

        impl $name {
            fn new(books: $books) -> $name {
                $name {
                    books,
                    bbo_changes: 0,
                    live_most: 0,
                }
            }
        }

        books! { $name:
            on_add: AddOrder = add;
            on_execute: ExecuteOrder = execute;
            on_cancel: CancelOrder = cancel;
            on_delete: DeleteOrder = delete;
            on_replace: ReplaceOrder = replace;
        }
    };
    ($name:ident: $($on:ident: $event:ident = $method:ident;)*) => {
        impl MarketHandler for $name {
            $(#[inline(always)]
            fn $on(&mut self, cx: &MsgCtx, m: $event) {
                if self.books.$method(cx, &m).bbo {
                    self.bbo_changes += 1;
                    black_box(self.books.bbo(cx.instrument));
                    self.live_most = self.live_most.max(self.books.live_orders());
                }
            })*

            fn on_status(&mut self, cx: &MsgCtx, m: Status) {
                self.books.status(cx, &m);
            }

            #[inline]
            fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
                if m.flags.has(Flags::CROSS) {
                    self.books.cross(cx);
                }
            }
        }
    };
}

books!(
    /// The product's books.
    Fast,
    Books
);
books!(
    /// The oracle's books.
    Plain,
    oracle::Books
);

#[cfg(test)]
mod tests {
    use super::maps::{Heap, Maps, Tree};
    use super::*;
    use crate::itch::session;

    #[test]
    fn all_books_change_their_best_prices_alike() {
        let session = session(60_000, 20);
        let mut fast = Fast::with_room(1 << 16);
        fast.play(true, &session);
        assert!(fast.bbo_changes > 5_000, "{}", fast.bbo_changes);
        let looked = fast.bbo_changes;
        fast.play(false, &session);
        assert_eq!(fast.bbo_changes, looked);

        let mut oracle = Plain::oracle();
        play(false, &session, &mut oracle);
        assert_eq!(oracle.bbo_changes, looked);
        let mut tree = Maps::<Tree>::default();
        play(false, &session, &mut tree);
        assert_eq!(tree.bbo_changes, looked);
        let mut heap = Maps::<Heap>::default();
        play(false, &session, &mut heap);
        assert_eq!(heap.bbo_changes, looked);
    }
}
