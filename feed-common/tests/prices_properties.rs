//! Price arrays: both paths against arithmetic in 128 bits, for every layout, every tail, and every edge of the range.

use feed_common::event::Price;
use feed_common::prices::{
    Endian, Path, PriceDecoder, PriceLayout, canonical_to_f64, read_f32, write_f32,
};
use proptest::prelude::*;

const PATHS: [Path; 2] = [Path::Portable, Path::Avx2];

/// A wire array written the slow way, every gap filled with bytes that would be seen if they were read as prices.
fn array(layout: &PriceLayout, mantissas: &[i128]) -> Vec<u8> {
    let mut bytes = vec![0xA5; layout.bytes(mantissas.len())];
    for (i, m) in mantissas.iter().enumerate() {
        for k in 0..layout.width() {
            let significance = match layout.endian() {
                Endian::Little => k,
                Endian::Big => layout.width() - 1 - k,
            };
            bytes[i * layout.stride() + k] = (m >> (8 * significance)) as u8;
        }
    }
    bytes
}

/// What the canonical price must be, and whether the wire price left the range.
fn canonical(layout: &PriceLayout, mantissa: i128) -> (i64, bool) {
    if layout.null() == Some(mantissa) {
        return (i64::MIN, false);
    }
    let value = mantissa * 10i128.pow(9 - layout.decimals());
    if value > i64::MAX as i128 || value <= i64::MIN as i128 {
        (i64::MIN, true)
    } else {
        (value as i64, false)
    }
}

/// What the floating-point price must be, bit for bit; `i128 as f64` rounds once, to nearest, ties to even.
fn double(layout: &PriceLayout, mantissa: i128) -> u64 {
    if layout.null() == Some(mantissa) {
        return f64::NAN.to_bits();
    }
    let ten: f64 = format!("1e{}", layout.decimals()).parse().unwrap();
    (mantissa as f64 / ten).to_bits()
}

fn check(layout: &PriceLayout, mantissas: &[i128]) {
    let bytes = array(layout, mantissas);
    let want: Vec<_> = mantissas.iter().map(|m| canonical(layout, *m)).collect();
    let overflows = want.iter().filter(|w| w.1).count();
    for path in PATHS {
        let decoder = PriceDecoder::with_path(*layout, path);
        let mut out = vec![7; mantissas.len()];
        let counted = decoder.decode(&bytes, &mut out);
        let mut doubles = vec![7.0; mantissas.len()];
        decoder.decode_f64(&bytes, &mut doubles);
        for (i, m) in mantissas.iter().enumerate() {
            let at = || format!("{m} at {i} of {}, {layout:?}, {path:?}", mantissas.len());
            assert_eq!(out[i], want[i].0, "{}", at());
            assert_eq!(decoder.overflowed(&bytes, i), want[i].1, "{}", at());
            assert_eq!(doubles[i].to_bits(), double(layout, *m), "{}", at());
        }
        assert_eq!(counted, overflows, "{layout:?}, {path:?}");
    }
}

/// Mantissas around everything that could go wrong for this layout.
fn edges(layout: &PriceLayout) -> Vec<i128> {
    let (least, greatest) = layout.mantissas();
    let last = (i64::MAX / 10i64.pow(9 - layout.decimals())) as i128;
    let mut edges = Vec::new();
    for centre in [
        0,
        least,
        greatest,
        last,
        -last,
        1 << 31,
        -(1 << 31),
        1 << 32,
        1 << 52,
        1 << 53,
        -(1 << 53),
        1 << 54,
        1 << 63,
        3 << 61,
        // Half way between two doubles, so that the lower half alone decides the rounding.
        (1 << 62) + (1 << 9),
        (1 << 62) + (3 << 9),
        -(1 << 62) - (1 << 9),
        i64::MAX as i128 - 511,
        layout.null().unwrap_or(0),
    ] {
        edges.extend((centre - 2..=centre + 2).filter(|m| (least..=greatest).contains(m)));
    }
    edges
}

/// Every combination of width, signedness, byte order and decimals, contiguous.
fn all_layouts() -> Vec<PriceLayout> {
    let mut all = Vec::new();
    for width in [4, 8] {
        for signed in [false, true] {
            for endian in [Endian::Little, Endian::Big] {
                for decimals in 0..=9 {
                    all.push(PriceLayout::new(width, signed, endian, decimals).unwrap());
                }
            }
        }
    }
    all
}

/// The layout without a null and with the nulls that feeds use, and 0 and -1 for what arithmetic could do to them.
fn with_nulls(layout: PriceLayout) -> Vec<PriceLayout> {
    let (least, greatest) = layout.mantissas();
    let mut all = vec![layout];
    for null in [least, greatest, 0, -1, 1 << 31, (1 << 31) - 1, 1 << 63] {
        all.extend(layout.with_null(null));
    }
    all
}

#[test]
fn edges_of_every_layout() {
    for layout in all_layouts().into_iter().flat_map(with_nulls) {
        let edges = edges(&layout);
        check(&layout, &edges);
        // Each edge in each lane, and in the tail.
        for rotate in 1..8 {
            check(&layout, &edges[rotate..]);
        }
    }
}

#[test]
fn every_length_and_stride() {
    for layout in all_layouts() {
        let layout = layout.with_null(layout.mantissas().1).unwrap();
        let edges = edges(&layout);
        let width = layout.width();
        for stride in [width, width + 1, 12, 28, 32, 36, 61, 64] {
            let layout = layout.with_stride(stride).unwrap();
            for length in 0..=13 {
                check(&layout, &edges[edges.len() - length..]);
            }
        }
    }
}

#[test]
fn a_huge_stride_is_no_trouble_for_one_value() {
    let layout = PriceLayout::new(8, true, Endian::Big, 0).unwrap();
    check(&layout.with_stride(usize::MAX).unwrap(), &[-3]);
}

#[test]
fn arrays_that_are_too_short_are_refused_before_anything_is_read() {
    for width in [4, 8] {
        let layout = PriceLayout::new(width, true, Endian::Big, 4).unwrap();
        for layout in [layout, layout.with_stride(28).unwrap()] {
            for path in PATHS {
                let decoder = PriceDecoder::with_path(layout, path);
                let bytes = vec![0; layout.bytes(6) - 1];
                let refused = |f: &dyn Fn()| {
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err()
                };
                assert!(refused(&|| {
                    decoder.decode(&bytes, &mut [0; 6]);
                }));
                assert!(refused(&|| decoder.decode_f64(&bytes, &mut [0.0; 6])));
                decoder.decode(&bytes, &mut [0; 5]);
            }
        }
    }
}

#[test]
fn canonical_prices_divide_exactly() {
    let prices = [123_450_000_000, -1, 0, i64::MIN, i64::MAX, 3];
    let want = [123.45, -1e-9, 0.0, f64::NAN, i64::MAX as f64 / 1e9, 3e-9];
    for path in PATHS {
        let mut out = [0.0; 6];
        canonical_to_f64(path, &prices, &mut out);
        assert_eq!(out.map(f64::to_bits), want.map(f64::to_bits));
    }
}

#[test]
fn the_path_taken_can_be_seen() {
    let portable = PriceDecoder::with_path(PriceLayout::CANONICAL, Path::Portable);
    assert_eq!(portable.path(), Path::Portable);
    let best = PriceDecoder::new(PriceLayout::CANONICAL);
    assert_eq!(best.path(), Path::best());
    let asked = PriceDecoder::with_path(PriceLayout::CANONICAL, Path::Avx2);
    assert_eq!(asked.path(), Path::best(), "AVX2 where there is AVX2");
}

fn any_layout() -> impl Strategy<Value = PriceLayout> {
    let layouts = prop::sample::select(all_layouts());
    (layouts, 0usize..40, any::<prop::sample::Index>()).prop_map(|(layout, gap, null)| {
        let nulls = with_nulls(layout);
        let layout = nulls[null.index(nulls.len())];
        layout.with_stride(layout.width() + gap).unwrap()
    })
}

/// A mantissa of any magnitude, or one near an edge.
fn any_mantissas(layout: PriceLayout) -> impl Strategy<Value = (PriceLayout, Vec<i128>)> {
    let (least, greatest) = layout.mantissas();
    let any_size = (any::<u64>(), 0u32..64, any::<bool>()).prop_map(move |(m, shift, negative)| {
        let m = (m >> shift) as i128;
        (if negative { -m } else { m }).clamp(least, greatest)
    });
    let one = prop_oneof![any_size, prop::sample::select(edges(&layout))];
    prop::collection::vec(one, 0..70).prop_map(move |mantissas| (layout, mantissas))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_layout_any_values((layout, mantissas) in any_layout().prop_flat_map(any_mantissas)) {
        check(&layout, &mantissas);
    }

    #[test]
    fn reading_takes_back_what_writing_wrote(
        (layout, mantissas) in any_layout().prop_flat_map(any_mantissas),
    ) {
        let bytes = array(&layout, &mantissas);
        for i in 0..mantissas.len() {
            if let Ok(price) = layout.read(&bytes, i) {
                let mut out = [0; 8];
                layout.write(price, &mut out).unwrap();
                let value = &bytes[i * layout.stride()..][..layout.width()];
                prop_assert_eq!(&out[..layout.width()], value);
            }
        }
    }

    #[test]
    fn canonical_prices_survive_any_exact_layout(
        layout in any_layout(),
        mantissa in any::<i64>(),
        shift in 0u32..64,
    ) {
        let mut out = [0; 8];
        let price = (mantissa >> shift) / layout.factor() * layout.factor();
        if layout.write(Price(price), &mut out).is_ok() {
            prop_assert_eq!(layout.read(&out, 0), Ok(Price(price)));
        }
    }

    #[test]
    fn floats_come_back_bit_for_bit(
        bits in prop::collection::vec(any::<u32>(), 0..70),
        big in any::<bool>(),
    ) {
        let endian = if big { Endian::Big } else { Endian::Little };
        let values: Vec<f32> = bits.iter().map(|b| f32::from_bits(*b)).collect();
        let wire: Vec<u8> = bits
            .iter()
            .flat_map(|b| if big { b.to_be_bytes() } else { b.to_le_bytes() })
            .collect();
        for path in PATHS {
            let mut bytes = vec![0; wire.len()];
            write_f32(path, endian, &values, &mut bytes);
            prop_assert_eq!(&bytes, &wire);
            let mut back = vec![0.0f32; values.len()];
            read_f32(path, endian, &wire, &mut back);
            prop_assert_eq!(back.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), bits.clone());
        }
    }
}
