//! The kernels with 256-bit vectors: four prices at a time, in 64-bit lanes.
//!
//! Every function of the chain carries `target_feature`, for an intrinsic called from a function without it is not
//! inlined. Loads stay within the array: the kernels assert its length once, and the loop advances by whole fours.

use super::constants::Constants;
use super::kernel::{Shape, ToCanonical, ToF64};
use super::portable;
use std::arch::x86_64::*;

/// Prices in a vector.
const LANES: usize = 4;

/// Vectors a turn of the loop works on, so that its counting costs little beside them.
const UNROLL: usize = 4;

#[target_feature(enable = "avx2")]
fn canonical<
    const WIDTH: usize,
    const SIGNED: bool,
    const SWAP: bool,
    const STRIDED: bool,
    const RESCALED: bool,
    const NULL: bool,
>(
    c: &Constants,
    array: &[u8],
    stride: usize,
    out: &mut [i64],
) -> usize {
    let source = Source::<WIDTH, SIGNED, SWAP, STRIDED>::new(array, stride, out.len());
    let factor = _mm256_set1_epi64x(c.factor);
    // One comparison for both ends of the range: moved to begin at i64::MIN, its end alone can be passed.
    let to_start = i64::MIN.wrapping_sub(c.least);
    let bias = _mm256_set1_epi64x(to_start);
    let end = _mm256_set1_epi64x(c.greatest.wrapping_add(to_start));
    let null = _mm256_set1_epi64x(c.null);
    let canonical_null = _mm256_set1_epi64x(i64::MIN);
    let mut overflows = _mm256_setzero_si256();

    let mut vector = |i: usize, four: &mut [i64; LANES]| {
        // SAFETY: `each_four` numbers the whole fours of `out`, and `Source::new` was given the length of `out`.
        let m = unsafe { source.four(i) };
        let mut value = match (RESCALED, WIDTH) {
            (false, _) => m,
            (true, 4) => narrow_product::<SIGNED>(m, factor),
            (true, _) => low_product(m, factor),
        };
        let is_null = _mm256_cmpeq_epi64(m, null);
        // A mantissa of 32 bits stays within 2^32 * 10^9 < 2^62: only 64 bits can leave the range.
        let nothing = if WIDTH == 4 {
            NULL.then_some(is_null)
        } else {
            let outside = _mm256_cmpgt_epi64(_mm256_add_epi64(m, bias), end);
            let (overflow, nothing) = if NULL {
                (
                    _mm256_andnot_si256(is_null, outside),
                    _mm256_or_si256(is_null, outside),
                )
            } else {
                (outside, outside)
            };
            // A true lane is -1.
            overflows = _mm256_sub_epi64(overflows, overflow);
            Some(nothing)
        };
        if let Some(nothing) = nothing {
            value = _mm256_blendv_epi8(value, canonical_null, nothing);
        }
        // SAFETY: `four` is 32 writable bytes; the store needs no alignment.
        unsafe { _mm256_storeu_si256(four.as_mut_ptr().cast(), value) };
    };

    let (done, tail) = each_four(out, &mut vector);
    let rest = array.get(done * stride..).unwrap_or_default();
    sum(overflows)
        + portable::canonical::<WIDTH, SIGNED, SWAP, STRIDED, NULL>(c, rest, stride, tail)
}

#[target_feature(enable = "avx2")]
fn f64s<
    const WIDTH: usize,
    const SIGNED: bool,
    const SWAP: bool,
    const STRIDED: bool,
    const DIVIDED: bool,
    const NULL: bool,
>(
    c: &Constants,
    array: &[u8],
    stride: usize,
    out: &mut [f64],
) {
    let source = Source::<WIDTH, SIGNED, SWAP, STRIDED>::new(array, stride, out.len());
    let null = _mm256_set1_epi64x(c.null);
    let divisor = _mm256_set1_pd(c.divisor);
    let nan = _mm256_set1_pd(f64::NAN);

    let mut vector = |i: usize, four: &mut [f64; LANES]| {
        // SAFETY: `each_four` numbers the whole fours of `out`, and `Source::new` was given the length of `out`.
        let m = unsafe { source.four(i) };
        let mut value = to_double::<WIDTH, SIGNED>(m);
        if DIVIDED {
            value = _mm256_div_pd(value, divisor);
        }
        if NULL {
            let is_null = _mm256_castsi256_pd(_mm256_cmpeq_epi64(m, null));
            value = _mm256_blendv_pd(value, nan, is_null);
        }
        // SAFETY: `four` is 32 writable bytes; the store needs no alignment.
        unsafe { _mm256_storeu_pd(four.as_mut_ptr(), value) };
    };

    let (done, tail) = each_four(out, &mut vector);
    let rest = array.get(done * stride..).unwrap_or_default();
    portable::f64s::<WIDTH, SIGNED, SWAP, STRIDED, NULL>(c, rest, stride, tail);
}

/// Calls `vector` with the number and the place of every whole four of `out`, in order, several to a turn of the loop.
/// Returns how many values that was, and the places left.
#[inline]
#[target_feature(enable = "avx2")]
fn each_four<'o, T>(
    out: &'o mut [T],
    vector: &mut impl FnMut(usize, &mut [T; LANES]),
) -> (usize, &'o mut [T]) {
    let (fours, tail) = out.as_chunks_mut::<LANES>();
    let count = fours.len();
    let (turns, few) = fours.as_chunks_mut::<UNROLL>();
    let mut i = 0;
    for turn in turns {
        for (k, four) in turn.iter_mut().enumerate() {
            vector(i + k, four);
        }
        i += UNROLL;
    }
    for (k, four) in few.iter_mut().enumerate() {
        vector(i + k, four);
    }
    (count * LANES, tail)
}

/// An array that holds a known number of values.
struct Source<'a, const WIDTH: usize, const SIGNED: bool, const SWAP: bool, const STRIDED: bool> {
    array: &'a [u8],
    stride: usize,
}

impl<'a, const WIDTH: usize, const SIGNED: bool, const SWAP: bool, const STRIDED: bool>
    Source<'a, WIDTH, SIGNED, SWAP, STRIDED>
{
    /// Panics unless `array` holds `count` values.
    #[inline]
    fn new(array: &'a [u8], stride: usize, count: usize) -> Self {
        let stride = if STRIDED { stride } else { WIDTH };
        let last = count.saturating_sub(1).saturating_mul(stride);
        let needed = last.saturating_add(if count == 0 { 0 } else { WIDTH });
        assert!(needed <= array.len(), "fewer bytes than prices");
        Source { array, stride }
    }

    /// The widened mantissas of values `4 * i` to `4 * i + 3`.
    ///
    /// # Safety
    /// `4 * i + 4` must be at most the `count` given to [`Source::new`].
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn four(&self, i: usize) -> __m256i {
        let s = self.stride;
        // SAFETY: value `4 * i` is one of `count`, so it starts within the array.
        let p = unsafe { self.array.as_ptr().add(LANES * i * s) };
        let raw = match (WIDTH, STRIDED) {
            // SAFETY: contiguous, so the next three values touch this one, and all four are within the array: the
            // 16 bytes loaded are theirs.
            (4, false) => unsafe { widen_low(_mm_loadu_si128(p.cast())) },
            // SAFETY: the four values lie `s` bytes apart and within the array, each of 4 bytes; nothing else is
            // read, and unaligned reads need no alignment.
            (4, _) => unsafe {
                widen_low(_mm_set_epi32(
                    p.add(3 * s).cast::<i32>().read_unaligned(),
                    p.add(2 * s).cast::<i32>().read_unaligned(),
                    p.add(s).cast::<i32>().read_unaligned(),
                    p.cast::<i32>().read_unaligned(),
                ))
            },
            // SAFETY: as for 4 bytes; the 32 bytes loaded are those of the four values.
            (_, false) => unsafe { _mm256_loadu_si256(p.cast()) },
            // SAFETY: the four values lie `s` bytes apart and within the array, each of 8 bytes; each load takes 8
            // bytes and needs no alignment.
            (_, true) => unsafe {
                let low =
                    _mm_unpacklo_epi64(_mm_loadl_epi64(p.cast()), _mm_loadl_epi64(p.add(s).cast()));
                let high = _mm_unpacklo_epi64(
                    _mm_loadl_epi64(p.add(2 * s).cast()),
                    _mm_loadl_epi64(p.add(3 * s).cast()),
                );
                _mm256_set_m128i(high, low)
            },
        };
        match (WIDTH, SWAP, SIGNED) {
            (4, false, true) => sign_extend(raw),
            (4, false, false) => raw,
            (4, true, _) => {
                let swapped = _mm256_shuffle_epi8(raw, reverse_low_words());
                if SIGNED {
                    sign_extend(swapped)
                } else {
                    swapped
                }
            }
            (_, false, _) => raw,
            (_, true, _) => _mm256_shuffle_epi8(raw, reverse_lanes()),
        }
    }
}

/// Four 32-bit values to the lower halves of four lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn widen_low(four: __m128i) -> __m256i {
    _mm256_cvtepu32_epi64(four)
}

/// The sign of the lower half to the upper half, which is zero.
#[inline]
#[target_feature(enable = "avx2")]
fn sign_extend(low: __m256i) -> __m256i {
    // (x ^ 2^31) - 2^31 is x for x below 2^31 and x - 2^32 from there on.
    let sign = _mm256_set1_epi64x(1 << 31);
    _mm256_sub_epi64(_mm256_xor_si256(low, sign), sign)
}

/// Reverses the 8 bytes of each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn reverse_lanes() -> __m256i {
    _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0809_0A0B_0C0D_0E0F, 0x0001_0203_0405_0607))
}

/// Reverses the lower 4 bytes of each lane and clears the upper 4.
#[inline]
#[target_feature(enable = "avx2")]
fn reverse_low_words() -> __m256i {
    let clear = 0x8080_8080 << 32;
    _mm256_broadcastsi128_si256(_mm_set_epi64x(clear | 0x0809_0A0B, clear | 0x0001_0203))
}

/// `m * factor` where `m` fits 32 bits of its signedness and `factor` is below 2^30: the whole product.
#[inline]
#[target_feature(enable = "avx2")]
fn narrow_product<const SIGNED: bool>(m: __m256i, factor: __m256i) -> __m256i {
    if SIGNED {
        _mm256_mul_epi32(m, factor)
    } else {
        _mm256_mul_epu32(m, factor)
    }
}

/// The lower 64 bits of `m * factor` where `factor` is below 2^30, hence those of the signed product too:
/// `m = high * 2^32 + low`, and `high * factor * 2^32` counts by its lower half only.
#[inline]
#[target_feature(enable = "avx2")]
fn low_product(m: __m256i, factor: __m256i) -> __m256i {
    let low = _mm256_mul_epu32(m, factor);
    let high = _mm256_mul_epu32(_mm256_srli_epi64::<32>(m), factor);
    _mm256_add_epi64(low, _mm256_slli_epi64::<32>(high))
}

/// Each lane to the nearest double, ties to even, as `as f64` does.
///
/// Doubles are put together from bits. `2^52 + low` holds the lower 32 bits exactly in its fraction. `2^84 + high * 2^32`
/// (signed: `high + 2^31` in place of `high`) does the same with the upper 32 bits. Subtracting
/// `2^84 + 2^52` (signed: `2^84 + 2^63 + 2^52`) from the latter is exact, the result `(high - 2^20) * 2^32` having at
/// most 33 significant bits; adding the former gives `high * 2^32 + low`, rounded once.
#[inline]
#[target_feature(enable = "avx2")]
fn to_double<const WIDTH: usize, const SIGNED: bool>(m: __m256i) -> __m256d {
    const EXP_52: i64 = 0x4330_0000_0000_0000;
    const EXP_84: i64 = 0x4530_0000_0000_0000;
    if WIDTH == 4 && !SIGNED {
        let two_52 = _mm256_set1_epi64x(EXP_52);
        let raised = _mm256_or_si256(m, two_52);
        return _mm256_sub_pd(_mm256_castsi256_pd(raised), _mm256_castsi256_pd(two_52));
    }
    // The bit of weight 2^63 in a double of exponent 84, whose fraction counts by 2^32.
    let bias = if SIGNED { 1i64 << 31 } else { 0 };
    let low = _mm256_blend_epi32::<0b1010_1010>(m, _mm256_set1_epi64x(EXP_52));
    let high = _mm256_xor_si256(
        _mm256_srli_epi64::<32>(m),
        _mm256_set1_epi64x(EXP_84 | bias),
    );
    // 2^52 in the same fraction is 2^20.
    let both = _mm256_set1_epi64x(EXP_84 | bias | 1 << 20);
    let high = _mm256_sub_pd(_mm256_castsi256_pd(high), _mm256_castsi256_pd(both));
    _mm256_add_pd(high, _mm256_castsi256_pd(low))
}

/// The sum of four lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn sum(lanes: __m256i) -> usize {
    let pairs = _mm_add_epi64(
        _mm256_castsi256_si128(lanes),
        _mm256_extracti128_si256::<1>(lanes),
    );
    (_mm_extract_epi64::<0>(pairs) + _mm_extract_epi64::<1>(pairs)) as usize
}

/// Reverses the bytes of every 32-bit word. The slices have one length, a multiple of four.
#[target_feature(enable = "avx2")]
pub(super) fn swap_words(from: &[u8], to: &mut [u8]) {
    let order =
        _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0C0D_0E0F_0809_0A0B, 0x0405_0607_0001_0203));
    // Four blocks at a time, all loaded before the first is stored: two thirds of the time of one after another.
    let (from_runs, from) = from.as_chunks::<128>();
    let (to_runs, to) = to.as_chunks_mut::<128>();
    for (from, to) in from_runs.iter().zip(to_runs) {
        let from = from.as_ptr().cast();
        // SAFETY: `from` is 128 readable bytes, four blocks; the loads need no alignment.
        let [a, b, c, d] = unsafe {
            [
                _mm256_loadu_si256(from),
                _mm256_loadu_si256(from.add(1)),
                _mm256_loadu_si256(from.add(2)),
                _mm256_loadu_si256(from.add(3)),
            ]
        };
        let to = to.as_mut_ptr().cast();
        // SAFETY: `to` is 128 writable bytes, four blocks; the stores need no alignment.
        unsafe {
            _mm256_storeu_si256(to, _mm256_shuffle_epi8(a, order));
            _mm256_storeu_si256(to.add(1), _mm256_shuffle_epi8(b, order));
            _mm256_storeu_si256(to.add(2), _mm256_shuffle_epi8(c, order));
            _mm256_storeu_si256(to.add(3), _mm256_shuffle_epi8(d, order));
        }
    }
    let (from_blocks, from_rest) = from.as_chunks::<32>();
    let (to_blocks, to_rest) = to.as_chunks_mut::<32>();
    for (from, to) in from_blocks.iter().zip(to_blocks) {
        // SAFETY: `from` is 32 readable bytes; the load needs no alignment.
        let block = unsafe { _mm256_loadu_si256(from.as_ptr().cast()) };
        let swapped = _mm256_shuffle_epi8(block, order);
        // SAFETY: `to` is 32 writable bytes; the store needs no alignment.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), swapped) };
    }
    super::portable::swap_words(from_rest, to_rest);
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
        (false, false) => scale::<WIDTH, SIGNED, false, false>(shape),
        (false, true) => scale::<WIDTH, SIGNED, false, true>(shape),
        (true, false) => scale::<WIDTH, SIGNED, true, false>(shape),
        (true, true) => scale::<WIDTH, SIGNED, true, true>(shape),
    }
}

fn scale<const WIDTH: usize, const SIGNED: bool, const SWAP: bool, const STRIDED: bool>(
    shape: &Shape,
) -> (ToCanonical, ToF64) {
    let canonical: ToCanonical = match (shape.rescaled, shape.null) {
        (false, false) => canonical::<WIDTH, SIGNED, SWAP, STRIDED, false, false>,
        (false, true) => canonical::<WIDTH, SIGNED, SWAP, STRIDED, false, true>,
        (true, false) => canonical::<WIDTH, SIGNED, SWAP, STRIDED, true, false>,
        (true, true) => canonical::<WIDTH, SIGNED, SWAP, STRIDED, true, true>,
    };
    let f64s: ToF64 = match (shape.divided, shape.null) {
        (false, false) => f64s::<WIDTH, SIGNED, SWAP, STRIDED, false, false>,
        (false, true) => f64s::<WIDTH, SIGNED, SWAP, STRIDED, false, true>,
        (true, false) => f64s::<WIDTH, SIGNED, SWAP, STRIDED, true, false>,
        (true, true) => f64s::<WIDTH, SIGNED, SWAP, STRIDED, true, true>,
    };
    (canonical, f64s)
}
