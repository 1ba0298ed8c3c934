//! Price arrays, exactly as long as they have to be, so that a read behind the last value is seen.

use super::choices::Choices;
use feed_common::event::Price;
use feed_common::prices::{Endian, Path, PriceDecoder, PriceLayout};

/// Five bytes choose the layout, the rest is the array.
pub fn prices(data: &[u8]) {
    let mut choices = Choices(data);
    let [shape, decimals, stride, null, skip] = [0; 5].map(|_| choices.small() as usize);
    let width = if shape & 1 == 0 { 4 } else { 8 };
    let endian = if shape & 4 == 0 {
        Endian::Little
    } else {
        Endian::Big
    };
    let layout = PriceLayout::new(width, shape & 2 == 0, endian, decimals as u32 % 10);
    let mut layout = layout.expect("a layout there is");
    if shape & 8 != 0 {
        layout = layout
            .with_stride(width + stride % 64)
            .expect("not shorter");
    }
    if shape & 16 != 0 {
        layout = layout.with_null(null as i128).expect("every type has it");
    }
    // At any alignment.
    let array = choices.0.get(skip % 32..).unwrap_or_default();
    let n = match array.len().checked_sub(width) {
        Some(more) => more / layout.stride() + 1,
        None => 0,
    };
    let array = array[..layout.bytes(n)].to_vec();
    let [fast, plain] = [Path::best(), Path::Portable].map(|p| PriceDecoder::with_path(layout, p));
    let (mut got, mut want) = (vec![0; n], vec![0; n]);
    let overflows = fast.decode(&array, &mut got);
    assert_eq!((overflows, &got), (plain.decode(&array, &mut want), &want));
    for (i, &price) in want.iter().enumerate() {
        assert_eq!(layout.read(&array, i).unwrap_or(Price::NULL).0, price);
    }
    let out = (0..n).filter(|&i| plain.overflowed(&array, i)).count();
    assert_eq!(out, overflows);
    let (mut got, mut want) = (vec![0.0; n], vec![0.0; n]);
    fast.decode_f64(&array, &mut got);
    plain.decode_f64(&array, &mut want);
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&got), bits(&want));
}
