//! Decoding into order books: nanoseconds a message from a BinaryFILE in memory to books with queues, checks and best
//! prices, on one core, with and without looking ahead, beside the decoder alone and a book over maps.
//!
//! Looking ahead goes by groups of messages: all of a group are asked for, then all are asked for further, then all are
//! decoded. Rounds are interleaved and medians compared, as in `pipeline`; times are those the thread was on a core.
//!
//! ```text
//! cargo run --release -p benches --bin book [-- MESSAGES [ROUNDS [SYMBOLS [ORDERS]]]]
//! ```
//!
//! SYMBOLS says how many instruments, and so how many live orders, the session has; ORDERS is the books' limit of them.
//! Instructions and mispredicted branches of the row that looks ahead, which do not depend on the machine's mood:
//!
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null --branch-sim=yes --toggle-collect='*counted*' \
//!     target/release/book 1000000 0
//! ```

use benches::{MESSAGES, Sum, arguments, context, decoder, spec};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, MsgCtx, ReplaceOrder,
    Status, Trade,
};
use feed_common::wire::moldudp64::Blocks;
use feed_handler::book::{BookLimits, Books, oracle};
use feed_handler::protocol::{Ahead, Decode};
use feed_replay::synth::{MessageSink, Spec, generate_messages};
use std::hint::black_box;
use std::{fs, io};

/// Messages that the book over maps gets, which would take as long as all others together.
const MAPS: usize = 500_000;

/// How far to look ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stages {
    None,
    One,
    Two,
}

/// Takes a whole session in and says how long it took, in nanoseconds.
type Way<'w> = (&'static str, usize, Box<dyn FnMut(&mut Fast) -> u64 + 'w>);

fn main() {
    let mut arguments = arguments();
    let messages = arguments.next().unwrap_or(MESSAGES);
    let rounds = arguments.next().unwrap_or(9);
    let symbols = arguments.next().unwrap_or(100);
    let limits = BookLimits {
        orders: arguments.next().unwrap_or(1 << 20),
        levels: 1 << 19,
        instruments: 1 << 16,
    };
    let session = session(messages, symbols);
    let few = session.iter().map(|m| m.len() + 2).take(MAPS).sum();
    let few = &session.bytes()[..few];
    let mut fast = Fast::new(Books::new(&limits).expect("memory"));
    if rounds == 0 {
        counted(session.bytes(), &mut fast);
        return;
    }

    let bytes = session.bytes();
    let mut ways: Vec<Way<'_>> = vec![
        (
            "decode only",
            messages,
            Box::new(|_| play::<8>(Stages::None, bytes, &mut Sum(0))),
        ),
        (
            "decode, book",
            messages,
            Box::new(|books| books.play::<8>(Stages::None, bytes)),
        ),
        (
            "one stage ahead, 16 at a time",
            messages,
            Box::new(|books| books.play::<16>(Stages::One, bytes)),
        ),
        (
            "two stages ahead, 8 at a time",
            messages,
            Box::new(|books| books.play::<8>(Stages::Two, bytes)),
        ),
        (
            "two stages ahead, 16 at a time",
            messages,
            Box::new(|books| books.play::<16>(Stages::Two, bytes)),
        ),
        (
            "two stages ahead, 32 at a time",
            messages,
            Box::new(|books| books.play::<32>(Stages::Two, bytes)),
        ),
        (
            "decode, book over maps",
            messages.min(MAPS),
            Box::new(|_| {
                let mut plain = Plain::new(oracle::Books::new(&limits));
                play::<8>(Stages::None, few, &mut plain)
            }),
        ),
    ];
    let mut figures = vec![Vec::new(); ways.len()];
    // The first round warms caches, branch predictors and page tables.
    for round in 0..=rounds {
        for (figure, (_, of, way)) in figures.iter_mut().zip(&mut ways) {
            let took = way(&mut fast);
            if round > 0 {
                figure.push(took as f64 / *of as f64);
            }
        }
    }
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
    let mut decode = 0.0;
    for (figure, (name, ..)) in figures.iter_mut().zip(&ways) {
        figure.sort_by(f64::total_cmp);
        let median = figure[rounds / 2];
        if decode == 0.0 {
            decode = median;
        }
        println!(
            "{name:34} {median:8.1} {:8.1} {:8.1}",
            figure[0],
            median / decode
        );
    }
}

/// The row that looks ahead by a name that a profiler can find.
#[inline(never)]
fn counted(bytes: &[u8], books: &mut Fast) {
    books.play::<16>(Stages::Two, bytes);
}

/// Takes the messages through the decoder into `out`, `GROUP` at a time.
#[inline(always)]
fn play<const GROUP: usize>(stages: Stages, bytes: &[u8], out: &mut impl LookAhead) -> u64 {
    let mut decoder = decoder();
    let mut cx = context();
    let start = time_on_core();
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
    time_on_core() - start
}

/// Nanoseconds this thread has been running, those when others had its core left out.
fn time_on_core() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel with schedstats");
    let first = text.split(' ').next();
    first.and_then(|n| n.parse().ok()).expect("a number")
}

/// What takes events and may be told what is coming.
trait LookAhead: MarketHandler {
    #[inline(always)]
    fn look(&self, _ahead: &Ahead) {}
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
    #[inline(never)]
    fn play<const GROUP: usize>(&mut self, stages: Stages, bytes: &[u8]) -> u64 {
        self.books.restart();
        (self.bbo_changes, self.live_most) = (0, 0);
        play::<GROUP>(stages, bytes, self)
    }
}

/// Books behind a decoder, and what they did.
macro_rules! books {
    ($name:ident, $books:ty) => {
        struct $name {
            books: $books,
            bbo_changes: u64,
            live_most: usize,
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

books!(Fast, Books);
books!(Plain, oracle::Books);

/// Messages with their lengths, as in a BinaryFILE.
struct Session(Vec<u8>);

impl Session {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn iter(&self) -> Blocks<'_> {
        Blocks::new(&self.0)
    }
}

impl MessageSink for Session {
    fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
        self.0
            .extend_from_slice(&(message.len() as u16).to_be_bytes());
        self.0.extend_from_slice(message);
        Ok(())
    }
}

fn session(messages: usize, symbols: usize) -> Session {
    let mut session = Session(Vec::with_capacity(messages * 34));
    let spec = Spec {
        symbols: symbols as u16,
        ..spec(messages)
    };
    generate_messages(&spec, &mut session).expect("a session that can be made");
    session
}
