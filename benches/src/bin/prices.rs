//! Price arrays: the vector kernels against the loop one would write, interleaved, medians.
//!
//! `cargo run --release -p benches --bin prices` prints 10^9 values a second for arrays in the first and second cache
//! and in memory, and how many times the plain loop the chosen path is. The plain loop knows its type, stride and scale
//! at compile time, has no null and no range check, and is compiled for the same baseline as the rest. Then what the
//! native protocol makes of it: ns a record from datagram to handler.

use feed_common::event::{
    Flags, MarketData, MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Trust,
};
use feed_common::prices::{Endian, Path, PriceDecoder, PriceLayout, read_f32, write_f32};
use feed_common::time::{Ticks, UnixNanos};
use feed_common::wire::native::{BatchInfo, EncodeError, encode_columns, encode_records};
use feed_handler::protocol::{Decode, native::NativeDecoder};
use feed_handler::transport::{Framing, native::NativeFraming};
use std::hint::black_box;
use std::time::Instant;

/// Values in an array, by where it and its output lie.
const SIZES: [(&str, usize); 3] = [("L1", 512), ("L2", 16 << 10), ("DRAM", 4 << 20)];
/// Values a sample covers at least: short, so that most samples are not interrupted on a busy machine.
const SAMPLE: usize = 1 << 18;
/// Samples of each side.
const ROUNDS: usize = 31;

fn main() {
    println!(
        "path {}; medians of {ROUNDS} interleaved samples of {SAMPLE} values or more",
        Path::best().name()
    );
    println!(
        "{:<40} {:>5} {:>8} {:>8} {:>8} {:>7}",
        "10^9 values/s", "", "plain", "portable", "best", "ratio"
    );
    be_i64::<8>("contiguous");
    be_i64::<28>("stride 28");
    be_i64::<32>("stride 32");
    be_i64::<36>("stride 36");
    be_u32();
    canonical_to_double();
    floats();
    native();
}

/// Big-endian `i64` at `STRIDE`: to `f64` as whole units (the plain conversion), and rescaled from four decimals.
fn be_i64<const STRIDE: usize>(stride: &str) {
    let whole = layout(8, true, 0).with_stride(STRIDE).expect("a stride");
    let fours = layout(8, true, 4).with_stride(STRIDE).expect("a stride");
    let nines = layout(8, true, 9).with_stride(STRIDE).expect("a stride");
    let value = |b: &[u8]| i64::from_be_bytes(*b.first_chunk().expect("eight bytes"));
    for (place, count) in SIZES {
        // Some 10^12, as prices are; the bytes between values are whatever they are.
        let mut bytes = vec![0x5A; whole.bytes(count)];
        for i in 0..count {
            let price = (i as i64).wrapping_mul(7_919) % 1_000_000_000_000;
            bytes[i * STRIDE..][..8].copy_from_slice(&price.to_be_bytes());
        }
        let name = |what: &str| format!("be i64 -> {what}, {stride}");
        let mut doubles = vec![0.0f64; count];
        compare(&name("f64"), place, count, |side| match side {
            Side::Plain => {
                for (out, b) in doubles.iter_mut().zip(bytes.chunks(STRIDE)) {
                    *out = value(b) as f64;
                }
                black_box(&mut doubles);
            }
            Side::Path(path) => {
                decoder(&whole, path).decode_f64(&bytes, &mut doubles);
                black_box(&mut doubles);
            }
        });
        let mut prices = vec![0i64; count];
        compare(&name("i64, 9 decimals"), place, count, |side| match side {
            Side::Plain => {
                for (out, b) in prices.iter_mut().zip(bytes.chunks(STRIDE)) {
                    *out = value(b);
                }
                black_box(&mut prices);
            }
            Side::Path(path) => {
                black_box(decoder(&nines, path).decode(&bytes, &mut prices));
                black_box(&mut prices);
            }
        });
        compare(&name("i64, 4 decimals"), place, count, |side| match side {
            Side::Plain => {
                for (out, b) in prices.iter_mut().zip(bytes.chunks(STRIDE)) {
                    *out = value(b).wrapping_mul(100_000);
                }
                black_box(&mut prices);
            }
            Side::Path(path) => {
                black_box(decoder(&fours, path).decode(&bytes, &mut prices));
                black_box(&mut prices);
            }
        });
    }
}

/// Nasdaq's price: big-endian `u32`, four decimals, contiguous and in records of 36 bytes.
fn be_u32() {
    for stride in [4, 36] {
        let layout = layout(4, false, 4).with_stride(stride).expect("a stride");
        for (place, count) in SIZES {
            let bytes: Vec<u8> = (0..layout.bytes(count)).map(|i| (i % 101) as u8).collect();
            let mut prices = vec![0i64; count];
            let name = format!("be u32 -> i64, 4 decimals, stride {stride}");
            compare(&name, place, count, |side| match side {
                Side::Plain => {
                    for (out, b) in prices.iter_mut().zip(bytes.chunks(stride)) {
                        let value = u32::from_be_bytes(*b.first_chunk().expect("four bytes"));
                        *out = value as i64 * 100_000;
                    }
                    black_box(&mut prices);
                }
                Side::Path(path) => {
                    black_box(decoder(&layout, path).decode(&bytes, &mut prices));
                    black_box(&mut prices);
                }
            });
        }
    }
}

/// Canonical prices to `f64`: one division a value on both sides.
fn canonical_to_double() {
    for (place, count) in SIZES {
        let prices: Vec<i64> = (0..count as i64).map(|i| i * 1_000_003).collect();
        let bytes: Vec<u8> = prices.iter().flat_map(|p| p.to_ne_bytes()).collect();
        let mut doubles = vec![0.0f64; count];
        compare("canonical i64 -> f64 / 1e9", place, count, |side| {
            match side {
                Side::Plain => {
                    for (out, price) in doubles.iter_mut().zip(&prices) {
                        *out = *price as f64 / 1e9;
                    }
                }
                Side::Path(path) => {
                    decoder(&PriceLayout::CANONICAL, path).decode_f64(&bytes, &mut doubles);
                }
            }
            black_box(&mut doubles);
        });
    }
}

/// `f32` arrays of 1 KiB to big-endian wire bytes and back.
fn floats() {
    let values: Vec<f32> = (0..256).map(|i| i as f32 / 3.0).collect();
    let mut bytes = vec![0u8; 1024];
    let mut back = vec![0.0f32; 256];
    compare("f32 -> big-endian wire, 1 KiB", "L1", 256, |side| {
        match side {
            Side::Plain => {
                for (out, v) in bytes.chunks_exact_mut(4).zip(&values) {
                    out.copy_from_slice(&v.to_be_bytes());
                }
            }
            Side::Path(path) => write_f32(path, Endian::Big, black_box(&values), &mut bytes),
        }
        black_box(&mut bytes);
    });
    compare("big-endian wire -> f32, 1 KiB", "L1", 256, |side| {
        match side {
            Side::Plain => {
                for (out, b) in back.iter_mut().zip(bytes.chunks_exact(4)) {
                    *out = f32::from_be_bytes([b[0], b[1], b[2], b[3]]);
                }
            }
            Side::Path(path) => read_f32(path, Endian::Big, black_box(&bytes), &mut back),
        }
        black_box(&mut back);
    });
}

#[derive(Clone, Copy)]
enum Side {
    Plain,
    Path(Path),
}

/// Times the three sides in turn, round after round, and prints the medians.
fn compare(name: &str, place: &str, count: usize, mut run: impl FnMut(Side)) {
    let sides = [
        Side::Plain,
        Side::Path(Path::Portable),
        Side::Path(Path::best()),
    ];
    let repeats = SAMPLE.div_ceil(count);
    let mut samples = [const { Vec::new() }; 3];
    for round in 0..ROUNDS + 2 {
        for (side, samples) in sides.iter().zip(&mut samples) {
            let start = Instant::now();
            for _ in 0..repeats {
                run(black_box(*side));
            }
            let rate = (repeats * count) as f64 / start.elapsed().as_nanos() as f64;
            // The first two rounds warm caches, pages and branches.
            if round >= 2 {
                samples.push(rate);
            }
        }
    }
    let [plain, portable, best] = samples.map(|mut s| {
        s.sort_by(f64::total_cmp);
        s[s.len() / 2]
    });
    println!(
        "{name:<40} {place:>5} {plain:>8.2} {portable:>8.2} {best:>8.2} {:>6.2}x",
        best / plain
    );
}

fn layout(width: usize, signed: bool, decimals: u32) -> PriceLayout {
    PriceLayout::new(width, signed, Endian::Big, decimals).expect("a layout")
}

fn decoder(layout: &PriceLayout, path: Path) -> PriceDecoder {
    PriceDecoder::with_path(*layout, path)
}

/// Takes records and keeps the compiler from dropping any of their fields.
#[derive(Default)]
struct Sum(u64);

impl MarketHandler for Sum {
    #[inline]
    fn on_market_data(&mut self, cx: &MsgCtx, m: MarketData) {
        let price = m.price.get() as u64 ^ m.quantity.get() as u64;
        self.0 = self
            .0
            .wrapping_add(price ^ m.timestamp.get() ^ u64::from(cx.instrument));
    }
}

/// Whole batches of 44 records of eight symbols through framing and decoder, in ns a record.
fn native() {
    let records: Vec<MarketData> = (0..44u64)
        .map(|i| MarketData {
            symbol: *b"SYMBOL  ",
            price: (i as i64 * 1_000_000_000).into(),
            quantity: 100.into(),
            timestamp: i.into(),
            ..MarketData::default()
        })
        .map(|mut r| {
            r.symbol[6] = b'0' + (r.timestamp.get() % 8) as u8;
            r
        })
        .collect();
    let info = BatchInfo {
        session: *b"BENCH     ",
        sequence: 1,
        sent: UnixNanos(1),
    };
    type Encode =
        fn(&mut Vec<u8>, &BatchInfo, &PriceLayout, &[MarketData]) -> Result<(), EncodeError>;
    for (name, encode) in [
        ("records", encode_records as Encode),
        ("columns", encode_columns as Encode),
    ] {
        for (prices, layout) in [
            ("canonical", PriceLayout::CANONICAL),
            ("be u32, 4 decimals", layout(4, false, 4)),
        ] {
            let mut datagram = Vec::new();
            encode(&mut datagram, &info, &layout, &records).expect("a batch");
            let medians = [Path::Portable, Path::best()].map(|path| {
                let mut decoder = NativeDecoder::with_path(64, path);
                let mut sum = Sum::default();
                let mut samples: Vec<f64> = (0..ROUNDS)
                    .map(|_| one_sample(&mut decoder, &datagram, &mut sum))
                    .collect();
                black_box(sum.0);
                samples.sort_by(f64::total_cmp);
                samples[samples.len() / 2]
            });
            println!(
                "native {name}, {prices}: {:.2} ns a record portable, {:.2} best",
                medians[0], medians[1]
            );
        }
    }
}

/// 1,000 times the same datagram.
fn one_sample(decoder: &mut NativeDecoder, datagram: &[u8], sum: &mut Sum) -> f64 {
    let (times, mut records) = (1_000, 0u64);
    let start = Instant::now();
    for _ in 0..times {
        let (frame, _) = NativeFraming.open(black_box(datagram)).expect("a frame");
        records += frame.span.count;
        let mut cx = MsgCtx {
            sequence: frame.span.first,
            skip: 0,
            channel: 0,
            rx: Ticks(0),
            trust: Trust::VALID,
            midnight: UnixNanos::UNKNOWN,
            timestamp: UnixNanos::UNKNOWN,
            instrument: NO_INSTRUMENT,
            symbol: NO_SYMBOL,
            flags: Flags::NONE,
            ..MsgCtx::default()
        };
        for message in frame.messages {
            decoder.decode(message, &mut cx, sum).expect("a batch");
        }
    }
    start.elapsed().as_nanos() as f64 / records as f64
}
