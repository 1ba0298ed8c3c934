//! Price arrays: what the vector kernels do, beside the loop one would write.
//!
//! The plain loop knows its type, stride and scale at compile time, has no null and no range check, and is compiled for
//! the same baseline as the rest.

use crate::measure::{median, timed};
use feed_common::prices::{Endian, Path, PriceDecoder, PriceLayout, read_f32, write_f32};
use std::hint::black_box;

/// Values in an array, by where it and its output lie.
pub const SIZES: [(&str, usize); 3] = [("L1", 512), ("L2", 16 << 10), ("DRAM", 4 << 20)];

/// Values a sample covers at least: short, so that most samples are not interrupted on a busy machine.
pub const SAMPLE: usize = 1 << 18;

/// Who converts an array.
#[derive(Clone, Copy)]
pub enum Side {
    /// The loop one would write.
    Plain,
    /// The product.
    Path(Path),
}

/// What is called for each conversion: its name, where the array lies, how many values it has, and what converts it once.
pub type Compare<'c> = &'c mut dyn FnMut(&str, &str, usize, &mut dyn FnMut(Side));

/// 10^9 values a second of the plain loop, the portable kernel and the best: medians of interleaved samples.
pub fn rates(rounds: usize, count: usize, run: &mut dyn FnMut(Side)) -> [f64; 3] {
    let sides = [
        Side::Plain,
        Side::Path(Path::Portable),
        Side::Path(Path::best()),
    ];
    let repeats = SAMPLE.div_ceil(count);
    let mut samples = [const { Vec::new() }; 3];
    for round in 0..rounds + 2 {
        for (side, samples) in sides.iter().zip(&mut samples) {
            let took = timed(|| (0..repeats).for_each(|_| run(black_box(*side))));
            // The first two rounds warm caches, pages and branches.
            if round >= 2 {
                samples.push((repeats * count) as f64 / took);
            }
        }
    }
    samples.map(median)
}

/// Everything.
pub fn all(compare: Compare<'_>) {
    be_i64::<8>("contiguous", compare);
    be_i64::<28>("stride 28", compare);
    be_i64::<32>("stride 32", compare);
    be_i64::<36>("stride 36", compare);
    be_u32(compare);
    canonical_to_double(compare);
    floats(compare);
}

/// Big-endian `i64` at `STRIDE`: to `f64` as whole units (the plain conversion), and rescaled from four decimals.
pub fn be_i64<const STRIDE: usize>(stride: &str, compare: Compare<'_>) {
    let whole = layout(8, true, 0).with_stride(STRIDE).expect("a stride");
    let fours = layout(8, true, 4).with_stride(STRIDE).expect("a stride");
    let nines = layout(8, true, 9).with_stride(STRIDE).expect("a stride");
    let value = |b: &[u8]| i64::from_be_bytes(*b.first_chunk().expect("eight bytes"));
    for (place, count) in SIZES {
        let bytes = array(&whole, count);
        let name = |what: &str| format!("be i64 -> {what}, {stride}");
        let mut doubles = vec![0.0f64; count];
        compare(&name("f64"), place, count, &mut |side| match side {
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
        compare(
            &name("i64, 9 decimals"),
            place,
            count,
            &mut |side| match side {
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
            },
        );
        compare(
            &name("i64, 4 decimals"),
            place,
            count,
            &mut |side| match side {
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
            },
        );
    }
}

/// Nasdaq's price: big-endian `u32`, four decimals, contiguous and in records of 36 bytes.
pub fn be_u32(compare: Compare<'_>) {
    for stride in [4, 36] {
        let layout = layout(4, false, 4).with_stride(stride).expect("a stride");
        for (place, count) in SIZES {
            let bytes: Vec<u8> = (0..layout.bytes(count)).map(|i| (i % 101) as u8).collect();
            let mut prices = vec![0i64; count];
            let name = format!("be u32 -> i64, 4 decimals, stride {stride}");
            compare(&name, place, count, &mut |side| match side {
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
pub fn canonical_to_double(compare: Compare<'_>) {
    for (place, count) in SIZES {
        let prices: Vec<i64> = (0..count as i64).map(|i| i * 1_000_003).collect();
        let bytes: Vec<u8> = prices.iter().flat_map(|p| p.to_ne_bytes()).collect();
        let mut doubles = vec![0.0f64; count];
        compare("canonical i64 -> f64 / 1e9", place, count, &mut |side| {
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
pub fn floats(compare: Compare<'_>) {
    let values: Vec<f32> = (0..256).map(|i| i as f32 / 3.0).collect();
    let mut bytes = vec![0u8; 1024];
    let mut back = vec![0.0f32; 256];
    compare("f32 -> big-endian wire, 1 KiB", "L1", 256, &mut |side| {
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
    compare("big-endian wire -> f32, 1 KiB", "L1", 256, &mut |side| {
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

/// Big-endian prices of some 10^12, as they are; the bytes between values are whatever they are.
pub fn array(layout: &PriceLayout, count: usize) -> Vec<u8> {
    let mut bytes = vec![0x5A; layout.bytes(count)];
    for i in 0..count {
        let price = (i as i64).wrapping_mul(7_919) % 1_000_000_000_000;
        bytes[i * layout.stride()..][..8].copy_from_slice(&price.to_be_bytes());
    }
    bytes
}

/// A big-endian layout.
pub fn layout(width: usize, signed: bool, decimals: u32) -> PriceLayout {
    PriceLayout::new(width, signed, Endian::Big, decimals).expect("a layout")
}

/// A decoder that goes by `path`.
pub fn decoder(layout: &PriceLayout, path: Path) -> PriceDecoder {
    PriceDecoder::with_path(*layout, path)
}
