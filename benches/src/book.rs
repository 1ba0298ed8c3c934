//! From a BinaryFILE in memory to books with their best prices, with and without looking ahead.
//!
//! Looking ahead goes by groups of messages: all of a group are asked for, then all are asked for further, then all are
//! decoded.

pub mod maps;

use crate::measure::thread_nanos;
use crate::{Sum, context, decoder};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, MsgCtx, ReplaceOrder,
    Status, Trade,
};
use feed_common::wire::moldudp64::Blocks;
use feed_handler::book::{BookLimits, Books, oracle};
use feed_handler::protocol::itch50::Itch50Decoder;
use feed_handler::protocol::{Ahead, Decode};
use std::hint::black_box;

/// How far to look ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stages {
    /// Not at all.
    None,
    /// What a message looks up.
    One,
    /// And what that leads to, as a lane does.
    Two,
}

/// Room for any session that is measured here.
pub fn limits(orders: usize) -> BookLimits {
    BookLimits {
        orders,
        levels: 1 << 19,
        instruments: 1 << 16,
    }
}

/// Messages that a lane looks ahead by.
pub const GROUP: usize = 8;

/// Takes the messages through a new decoder into `out`. Nanoseconds.
#[inline(always)]
pub fn play<const GROUP: usize>(stages: Stages, bytes: &[u8], out: &mut impl LookAhead) -> f64 {
    let mut decoder = decoder();
    let start = thread_nanos();
    decode::<GROUP>(stages, bytes, &mut decoder, out);
    (thread_nanos() - start) as f64
}

/// Takes the messages through a decoder into `out`, `GROUP` at a time.
#[inline(always)]
pub fn decode<const GROUP: usize>(
    stages: Stages,
    bytes: &[u8],
    decoder: &mut Itch50Decoder,
    out: &mut impl LookAhead,
) {
    let mut cx = context();
    let mut messages = Blocks::new(bytes);
    while !messages.rest().is_empty() {
        let group = messages.take(GROUP);
        if stages != Stages::None {
            let known = group.clone().filter_map(|m| decoder.ahead(m));
            known.for_each(|ahead| out.look(&ahead));
        }
        if stages == Stages::Two {
            let known = group.filter_map(|m| decoder.ahead(m));
            known.for_each(|ahead| out.look_further(&ahead));
        }
        for message in messages.by_ref().take(GROUP) {
            cx.sequence += 1;
            let decoded = decoder.decode(message, &mut cx, out);
            decoded.expect("known messages");
        }
    }
    black_box(out);
}

/// The decoder alone, nanoseconds.
pub fn decode_only(bytes: &[u8]) -> f64 {
    play::<GROUP>(Stages::None, bytes, &mut Sum(0))
}

/// What takes events and may be told what is coming.
pub trait LookAhead: MarketHandler {
    /// Asks for what an event looks up.
    #[inline(always)]
    fn look(&self, _ahead: &Ahead) {}

    /// Asks for what that leads to.
    #[inline(always)]
    fn look_further(&self, _ahead: &Ahead) {}
}

impl LookAhead for Sum {}

impl LookAhead for Plain {}

impl LookAhead for Fast {
    #[inline(always)]
    fn look(&self, ahead: &Ahead) {
        self.books.prefetch(ahead.instrument, ahead.order_id);
        self.books.prefetch(ahead.instrument, ahead.new_id);
    }

    #[inline(always)]
    fn look_further(&self, ahead: &Ahead) {
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
    pub fn play<const GROUP: usize>(&mut self, stages: Stages, bytes: &[u8]) -> f64 {
        self.books.restart();
        (self.bbo_changes, self.live_most) = (0, 0);
        play::<GROUP>(stages, bytes, self)
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
        fast.play::<GROUP>(Stages::Two, &session);
        assert!(fast.bbo_changes > 5_000, "{}", fast.bbo_changes);
        let looked = fast.bbo_changes;
        fast.play::<GROUP>(Stages::None, &session);
        assert_eq!(fast.bbo_changes, looked);

        let mut oracle = Plain::oracle();
        play::<GROUP>(Stages::None, &session, &mut oracle);
        assert_eq!(oracle.bbo_changes, looked);
        let mut tree = Maps::<Tree>::default();
        play::<GROUP>(Stages::None, &session, &mut tree);
        assert_eq!(tree.bbo_changes, looked);
        let mut heap = Maps::<Heap>::default();
        play::<GROUP>(Stages::None, &session, &mut heap);
        assert_eq!(heap.bbo_changes, looked);
    }
}
