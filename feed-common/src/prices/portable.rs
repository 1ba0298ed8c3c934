//! The kernels in plain Rust. They run where AVX2 does not, finish the last values of an array where it does, and say
//! what it must give.

use super::constants::Constants;
use super::kernel::{Shape, ToCanonical, ToF64};

/// The widened mantissa at the start of `value`; see [`Constants`].
#[inline(always)]
fn mantissa<const WIDTH: usize, const SIGNED: bool, const SWAP: bool>(value: &[u8; WIDTH]) -> i64 {
    let mut raw = [0; 8];
    raw[..WIDTH].copy_from_slice(value);
    if WIDTH == 4 {
        let native = u32::from_ne_bytes([raw[0], raw[1], raw[2], raw[3]]);
        let native = if SWAP { native.swap_bytes() } else { native };
        if SIGNED {
            native as i32 as i64
        } else {
            native as i64
        }
    } else {
        let native = u64::from_ne_bytes(raw);
        (if SWAP { native.swap_bytes() } else { native }) as i64
    }
}

/// Fills `out` with what `f` makes of the values of `array`, which ends with the last of them: all but that one lie at
/// the head of a whole stride. A stride known when compiled lets the loop be vectorised.
#[inline(always)]
fn each<const WIDTH: usize, const STRIDED: bool, T>(
    array: &[u8],
    stride: usize,
    out: &mut [T],
    mut f: impl FnMut(&[u8; WIDTH]) -> T,
) {
    let strides = array.chunks_exact(if STRIDED { stride } else { WIDTH });
    let last = strides.remainder().first_chunk();
    let (places, last_place) = out.split_at_mut(strides.len().min(out.len()));
    for (place, value) in places.iter_mut().zip(strides) {
        if let Some(value) = value.first_chunk() {
            *place = f(value);
        }
    }
    if let (Some(place), Some(value)) = (last_place.first_mut(), last) {
        *place = f(value);
    }
}

#[inline(never)]
pub(super) fn canonical<
    const WIDTH: usize,
    const SIGNED: bool,
    const SWAP: bool,
    const STRIDED: bool,
    const NULL: bool,
>(
    c: &Constants,
    array: &[u8],
    stride: usize,
    out: &mut [i64],
) -> usize {
    let (c, mut overflows) = (*c, 0);
    // One unsigned comparison for both ends of the range.
    let span = c.greatest.wrapping_sub(c.least) as u64;
    each::<WIDTH, STRIDED, _>(array, stride, out, |value| {
        let m = mantissa::<WIDTH, SIGNED, SWAP>(value);
        let outside = m.wrapping_sub(c.least) as u64 > span;
        let rescaled = m.wrapping_mul(c.factor);
        let rescaled = if outside { i64::MIN } else { rescaled };
        if NULL {
            overflows += usize::from(outside & (m != c.null));
            if m == c.null { i64::MIN } else { rescaled }
        } else {
            overflows += usize::from(outside);
            rescaled
        }
    });
    overflows
}

#[inline(never)]
pub(super) fn f64s<
    const WIDTH: usize,
    const SIGNED: bool,
    const SWAP: bool,
    const STRIDED: bool,
    const NULL: bool,
>(
    c: &Constants,
    array: &[u8],
    stride: usize,
    out: &mut [f64],
) {
    let c = *c;
    each::<WIDTH, STRIDED, _>(array, stride, out, |value| {
        let m = mantissa::<WIDTH, SIGNED, SWAP>(value);
        let exact = if WIDTH == 8 && !SIGNED {
            m as u64 as f64
        } else {
            m as f64
        };
        if NULL && m == c.null {
            f64::NAN
        } else {
            exact / c.divisor
        }
    });
}

/// Reverses the bytes of every word. The slices have one length, a multiple of four.
pub(super) fn swap_words(from: &[u8], to: &mut [u8]) {
    let (from, _) = from.as_chunks::<4>();
    let (to, _) = to.as_chunks_mut::<4>();
    for (from, to) in from.iter().zip(to) {
        *to = [from[3], from[2], from[1], from[0]];
    }
}

/// The kernels for a shape.
pub(super) fn kernels(shape: &Shape) -> (ToCanonical, ToF64) {
    match (shape.width, shape.signed) {
        (4, false) => pick::<4, false>(shape),
        (4, true) => pick::<4, true>(shape),
        (_, false) => pick::<8, false>(shape),
        (_, true) => pick::<8, true>(shape),
    }
}

fn pick<const WIDTH: usize, const SIGNED: bool>(shape: &Shape) -> (ToCanonical, ToF64) {
    match (shape.swap, shape.strided) {
        (false, false) => with_null::<WIDTH, SIGNED, false, false>(shape),
        (false, true) => with_null::<WIDTH, SIGNED, false, true>(shape),
        (true, false) => with_null::<WIDTH, SIGNED, true, false>(shape),
        (true, true) => with_null::<WIDTH, SIGNED, true, true>(shape),
    }
}

fn with_null<const WIDTH: usize, const SIGNED: bool, const SWAP: bool, const STRIDED: bool>(
    shape: &Shape,
) -> (ToCanonical, ToF64) {
    if shape.null {
        (
            canonical::<WIDTH, SIGNED, SWAP, STRIDED, true>,
            f64s::<WIDTH, SIGNED, SWAP, STRIDED, true>,
        )
    } else {
        (
            canonical::<WIDTH, SIGNED, SWAP, STRIDED, false>,
            f64s::<WIDTH, SIGNED, SWAP, STRIDED, false>,
        )
    }
}
