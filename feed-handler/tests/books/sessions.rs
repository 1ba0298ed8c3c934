//! Generated sessions, decoded and put into both books.

use crate::both::{Both, context};
use crate::both::{Op, What};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, MsgCtx, NO_INSTRUMENT,
    ReplaceOrder, Status, Trade,
};
use feed_handler::book::{Bbo, BookLimits, Change, Fault};
use feed_handler::protocol::itch50::Itch50Decoder;
use feed_handler::protocol::{Ahead, Decode};
use feed_replay::synth::{MessageSink, Protocol, Spec, generate_messages};
use std::io;

/// Both books behind a decoder.
struct Session {
    decoder: Itch50Decoder,
    cx: MsgCtx,
    books: Handler,
    /// One message in so many is left away.
    lose: u64,
    messages: u64,
}

struct Handler {
    both: Both,
    bbo_changes: u64,
    live_most: usize,
}

impl Handler {
    fn agreed(&mut self, cx: &MsgCtx, fast: Change, plain: Change) {
        assert_eq!(fast, plain);
        let i = cx.instrument;
        let now: [Bbo; 2] = [self.both.fast.bbo(i), self.both.plain.bbo(i)];
        assert_eq!(now[0], now[1]);
        self.bbo_changes += u64::from(fast.bbo);
        self.live_most = self.live_most.max(self.both.fast.live_orders());
    }
}

/// Passes an event to both books and compares.
macro_rules! events {
    ($($on:ident: $event:ident = $method:ident;)*) => {
        impl MarketHandler for Handler {
            $(fn $on(&mut self, cx: &MsgCtx, m: $event) {
                let fast = self.both.fast.$method(cx, &m);
                let plain = self.both.plain.$method(cx, &m);
                self.agreed(cx, fast, plain);
            })*

            fn on_status(&mut self, cx: &MsgCtx, m: Status) {
                self.both.fast.status(cx, &m);
                self.both.plain.status(cx, &m);
            }

            fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
                if m.flags.has(Flags::CROSS) {
                    self.both.fast.cross(cx);
                    self.both.plain.cross(cx);
                }
            }
        }
    };
}

events! {
    on_add: AddOrder = add;
    on_execute: ExecuteOrder = execute;
    on_cancel: CancelOrder = cancel;
    on_delete: DeleteOrder = delete;
    on_replace: ReplaceOrder = replace;
}

impl MessageSink for Session {
    fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
        self.messages += 1;
        if self.lose > 0 && self.messages.is_multiple_of(self.lose) {
            return Ok(());
        }
        if let Some(ahead) = self.decoder.ahead(message) {
            let books = &self.books.both.fast;
            books.prefetch(ahead.instrument, ahead.order_id);
            books.prefetch(NO_INSTRUMENT, ahead.new_id);
            books.prefetch_further(ahead.instrument, ahead.order_id);
        }
        let decoded = self.decoder.decode(message, &mut self.cx, &mut self.books);
        decoded.expect("a message of the specification");
        if self.messages.is_multiple_of(5_000) {
            self.books.both.compare().expect("no difference");
        }
        Ok(())
    }
}

/// Takes a whole session through both books, then starts over with another.
fn play(messages: u64, symbols: u16, limits: BookLimits, lose: u64) -> Session {
    let nothing = Op {
        instrument: 0,
        recovering: false,
        open: false,
        what: What::Cross,
    };
    let mut session = Session {
        decoder: Itch50Decoder::with_room(1 << 16),
        cx: context(&nothing),
        books: Handler {
            both: Both::new(limits),
            bbo_changes: 0,
            live_most: 0,
        },
        lose,
        messages: 0,
    };
    for seed in [1, 2] {
        session.decoder.restart();
        session.books.both.fast.restart();
        session.books.both.plain.restart();
        let spec = Spec {
            symbols,
            rate: 1_000_000,
            ..Spec::new(Protocol::Itch50, messages, seed)
        };
        generate_messages(&spec, &mut session).expect("a session that can be made");
        session.books.both.compare().expect("no difference");
        let digests = session.books.both.compare_digests();
        digests.expect("no difference");
    }
    session
}

#[test]
fn whole_sessions_leave_the_same_books_and_no_fault() {
    let limits = BookLimits {
        orders: 20_000,
        levels: 10_000,
        instruments: 200,
    };
    let session = play(60_000, 100, limits, 0);
    assert!(session.books.both.faults().is_empty());
    assert!(session.books.live_most > 1_000 && session.books.bbo_changes > 10_000);
}

#[test]
fn sessions_with_lost_messages_leave_the_same_books() {
    let limits = BookLimits {
        orders: 20_000,
        levels: 10_000,
        instruments: 200,
    };
    let session = play(40_000, 20, limits, 50);
    let faults = session.books.both.fast.faults();
    assert!(faults.of(Fault::UnknownOrder) > 0 && faults.of(Fault::Crossed) > 0);
}

#[test]
fn sessions_in_tables_far_too_small_leave_the_same_books() {
    for (orders, levels, instruments) in [(50, 1000, 30), (3000, 60, 30), (400, 90, 7)] {
        let limits = BookLimits {
            orders,
            levels,
            instruments,
        };
        let session = play(30_000, 30, limits, 0);
        let faults = session.books.both.fast.faults();
        let full = Fault::ALL.into_iter().filter(|fault| fault.is_capacity());
        assert!(full.map(|fault| faults.of(fault)).sum::<u64>() > 100);
    }
}

/// Notes what each event will have looked up.
#[derive(Default)]
struct LookedUp(Option<Ahead>);

impl LookedUp {
    fn note(&mut self, cx: &MsgCtx, order_id: u64, new_id: u64) {
        self.0 = Some(Ahead {
            instrument: cx.instrument,
            order_id,
            new_id,
        });
    }
}

impl MarketHandler for LookedUp {
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.note(cx, m.order_id, m.order_id);
    }
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.note(cx, m.order_id, m.order_id);
    }
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.note(cx, m.order_id, m.order_id);
    }
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.note(cx, m.order_id, m.order_id);
    }
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.note(cx, m.old_id, m.new_id);
    }
}

#[test]
fn what_is_told_ahead_is_what_the_event_looks_up() {
    struct Sink(Itch50Decoder, MsgCtx, [u64; 2]);
    impl MessageSink for Sink {
        fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
            let Sink(decoder, cx, [told, cut]) = self;
            let ahead = decoder.ahead(message);
            for len in 0..message.len() {
                *cut += u64::from(decoder.ahead(&message[..len]).is_none());
            }
            let mut looked_up = LookedUp::default();
            let decoded = decoder.decode(message, cx, &mut looked_up);
            decoded.expect("a message of the specification");
            if looked_up.0.is_some() {
                assert_eq!(ahead, looked_up.0);
                *told += 1;
            }
            Ok(())
        }
    }
    let nothing = Op {
        instrument: 0,
        recovering: false,
        open: false,
        what: What::Cross,
    };
    let mut sink = Sink(Itch50Decoder::with_room(1 << 16), context(&nothing), [0, 0]);
    let spec = Spec::new(Protocol::Itch50, 20_000, 1);
    generate_messages(&spec, &mut sink).expect("a session that can be made");
    let [told, cut] = sink.2;
    assert!(told > 15_000);
    // No order's number lies in the first 18 bytes.
    assert!(cut >= 19 * told);
}
