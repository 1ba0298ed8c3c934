//! What a price kernel is, and what selects one.

use super::constants::Constants;

/// Fills the slice with canonical prices and returns how many left the range. The bytes hold a value for each place.
/// Unsafe to call where the machine lacks what the kernel was compiled for, for no other reason.
pub(super) type ToCanonical = unsafe fn(&Constants, &[u8], usize, &mut [i64]) -> usize;

/// The same into floating point.
pub(super) type ToF64 = unsafe fn(&Constants, &[u8], usize, &mut [f64]);

/// What selects a kernel.
pub(super) struct Shape {
    pub width: usize,
    pub signed: bool,
    /// The wire's byte order is not this machine's.
    pub swap: bool,
    /// Values do not touch.
    pub strided: bool,
    /// The factor to canonical units is not 1.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub rescaled: bool,
    /// The divisor to floating point is not 1.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub divided: bool,
    /// There is a null.
    pub null: bool,
}
