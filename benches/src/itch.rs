//! ITCH 5.0: sessions as BinaryFILEs in memory, and the ways through them.

pub mod malformed;
pub mod peers;

use crate::{Sum, context, decoder, spec};
use feed_common::wire::itch50 as wire;
use feed_common::wire::message::U48;
use feed_common::wire::moldudp64::Blocks;
use feed_handler::protocol::{Decode, itch50::Itch50Decoder};
use feed_handler::transport::{Framing, ItchFileFraming};
use feed_replay::synth::{MessageSink, Spec, generate_messages};
use std::io;
use zerocopy::IntoBytes;

/// A generated session, in which every order is one that is there.
pub fn session(messages: usize, symbols: u16) -> Vec<u8> {
    struct Sink(Vec<u8>);
    impl MessageSink for Sink {
        fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
            push(&mut self.0, message);
            Ok(())
        }
    }
    let mut sink = Sink(Vec::with_capacity(messages * 36));
    let spec = Spec {
        symbols,
        ..spec(messages)
    };
    generate_messages(&spec, &mut sink).expect("a session that can be made");
    sink.0
}

/// Adds a message with its length.
pub fn push(file: &mut Vec<u8>, message: &[u8]) {
    file.extend((message.len() as u16).to_be_bytes());
    file.extend(message);
}

/// Symbols of [`mix`].
const SYMBOLS: u64 = 1 << 13;

/// The name of a symbol; its locate is one more than its number.
pub fn symbol(number: u64) -> [u8; 8] {
    let mut symbol = *b"S       ";
    symbol[1..5].copy_from_slice(&[0, 4, 8, 12].map(|s| b'A' + (number >> s & 15) as u8));
    symbol
}

/// A decoder that has been told the symbols of [`mix`].
pub fn told_of_mix() -> Itch50Decoder {
    told(decoder(), SYMBOLS)
}

/// A decoder that has been told so many symbols, as it is by the first messages of a day.
pub fn told(mut decoder: Itch50Decoder, symbols: u64) -> Itch50Decoder {
    let (mut cx, mut sum) = (context(), Sum(0));
    for number in 0..symbols {
        let directory = wire::StockDirectory {
            stock_locate: (number as u16 + 1).into(),
            stock: symbol(number),
            ..wire::StockDirectory::new()
        };
        decoder
            .decode(directory.as_bytes(), &mut cx, &mut sum)
            .expect("a known message");
    }
    decoder
}

/// Messages in the proportions of a day: mostly adds and deletes. Order numbers make no sense.
pub fn mix(messages: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut file = Vec::with_capacity(messages * 36);
    let mut clock = 34_200_000_000_000;
    for order in 0..messages as u64 {
        let r = random();
        clock += r % 5_000;
        let number = r >> 8 & (SYMBOLS - 1);
        let (stock_locate, timestamp) = ((number as u16 + 1).into(), U48::new(clock));
        let stock = symbol(number);
        let shares = (100 * (1 + (r >> 32) as u32 % 10)).into();
        let price = (100_000 + 100 * ((r >> 40) as u32 % 5_000)).into();
        let earlier = order.saturating_sub(r >> 24 & 0xffff).into();
        let mut write = |m: &[u8]| push(&mut file, m);
        match r % 100 {
            0..44 => write(
                wire::AddOrder {
                    stock_locate,
                    timestamp,
                    order_ref: order.into(),
                    side: b'B',
                    shares,
                    stock,
                    price,
                    ..wire::AddOrder::new()
                }
                .as_bytes(),
            ),
            44..85 => write(
                wire::OrderDelete {
                    stock_locate,
                    timestamp,
                    order_ref: earlier,
                    ..wire::OrderDelete::new()
                }
                .as_bytes(),
            ),
            85..93 => write(
                wire::OrderReplace {
                    stock_locate,
                    timestamp,
                    original_ref: earlier,
                    new_ref: order.into(),
                    shares,
                    price,
                    ..wire::OrderReplace::new()
                }
                .as_bytes(),
            ),
            93..97 => write(
                wire::OrderExecuted {
                    stock_locate,
                    timestamp,
                    order_ref: earlier,
                    executed_shares: shares,
                    match_number: order.into(),
                    ..wire::OrderExecuted::new()
                }
                .as_bytes(),
            ),
            97..99 => write(
                wire::OrderCancel {
                    stock_locate,
                    timestamp,
                    order_ref: earlier,
                    cancelled_shares: shares,
                    ..wire::OrderCancel::new()
                }
                .as_bytes(),
            ),
            _ => write(
                wire::Trade {
                    stock_locate,
                    timestamp,
                    side: b'B',
                    shares,
                    stock,
                    price,
                    match_number: order.into(),
                    ..wire::Trade::new()
                }
                .as_bytes(),
            ),
        }
    }
    file
}

/// The least that any decoder must do: the length prefixes.
pub fn walk(file: &[u8]) -> u64 {
    Blocks::new(file).map(|m| u64::from(m[0])).sum()
}

/// What a program written for this one purpose would do: the book's fields by offset, without framing, validation,
/// instruments or events.
pub fn plain(file: &[u8]) -> u64 {
    fn be<const N: usize>(m: &[u8], at: usize) -> u64 {
        m[at..at + N].iter().fold(0, |n, &b| n << 8 | u64::from(b))
    }
    let mut sum = 0u64;
    for m in Blocks::new(file) {
        let mut add = |n: u64| sum = sum.wrapping_add(n);
        add(be::<2>(m, 1));
        add(be::<6>(m, 5));
        add(be::<8>(m, 11));
        match m[0] {
            b'A' => {
                add(u64::from(m[19]));
                add(be::<4>(m, 20));
                add(be::<4>(m, 32));
            }
            b'E' => {
                add(be::<4>(m, 19));
                add(be::<8>(m, 23));
            }
            b'X' => add(be::<4>(m, 19)),
            b'U' => {
                add(be::<8>(m, 19));
                add(be::<4>(m, 27));
                add(be::<4>(m, 31));
            }
            b'P' => {
                add(be::<4>(m, 20));
                add(be::<4>(m, 32));
                add(be::<8>(m, 36));
            }
            _ => {}
        }
    }
    sum
}

/// The product's path: framing and decoder to events whose every field is used.
pub fn product(file: &[u8], decoder: &mut Itch50Decoder) -> u64 {
    let mut framing = ItchFileFraming::default();
    let mut sum = Sum(0);
    let mut cx = context();
    let mut rest = file;
    while !rest.is_empty() {
        let (frame, after) = framing.open(rest).expect("a whole file");
        cx.sequence = frame.span.first;
        for message in frame.messages {
            decoder
                .decode(message, &mut cx, &mut sum)
                .expect("known messages");
            cx.sequence += 1;
        }
        rest = after;
    }
    sum.0
}
