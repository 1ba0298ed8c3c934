//! What the kernels need of a layout, ready for registers.

use super::PriceLayout;

/// A mantissa is widened to 64 bits by its signedness; one that fills 64 unsigned bits is kept as its bits, so that
/// those from 2^63 on are negative here and fall below `least`. One signed range then serves all types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Constants {
    /// Canonical units in a unit of the mantissa, at most 10^9, so below 2^30.
    pub factor: i64,
    /// The greatest mantissa that can be rescaled, `i64::MAX / factor`.
    pub greatest: i64,
    /// The least one. For signed types it is `-greatest`: rescaled it is above `i64::MIN`, which is the null price,
    /// and one less is below or at it, since for a factor over 1 the product cannot be a power of two, and for
    /// factor 1 it would be `i64::MIN`. For unsigned types it is 0.
    pub least: i64,
    /// The wire's null, widened as mantissas are; not looked at where there is none.
    pub null: i64,
    /// 10^decimals: what a mantissa is divided by to be a floating-point price.
    pub divisor: f64,
}

impl Constants {
    pub fn new(layout: &PriceLayout) -> Constants {
        let factor = layout.factor();
        let greatest = i64::MAX / factor;
        Constants {
            factor,
            greatest,
            least: if layout.is_signed() { -greatest } else { 0 },
            // For u64 the upper half wraps to its bits, as the mantissas do.
            null: layout.null().unwrap_or(0) as i64,
            divisor: 10f64.powi(layout.decimals() as i32),
        }
    }
}
