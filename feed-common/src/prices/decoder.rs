//! A layout with the code chosen for it.

use super::constants::Constants;
use super::kernel::{Shape, ToCanonical, ToF64};
use super::{Endian, Path, PriceLayout, portable};
use zerocopy::IntoBytes;

/// Decodes price arrays of one layout by one path. Made once a layout; using it costs an indirect call an array.
#[derive(Clone, Copy, Debug)]
pub struct PriceDecoder {
    layout: PriceLayout,
    path: Path,
    constants: Constants,
    canonical: ToCanonical,
    f64s: ToF64,
}

impl PriceDecoder {
    /// A decoder by the fastest path this machine has.
    pub fn new(layout: PriceLayout) -> PriceDecoder {
        PriceDecoder::with_path(layout, Path::best())
    }

    /// A decoder by `path`, or by [`Path::Portable`] where the machine cannot run it; [`PriceDecoder::path`] tells.
    pub fn with_path(layout: PriceLayout, path: Path) -> PriceDecoder {
        let path = path.or_portable();
        let shape = Shape {
            width: layout.width(),
            signed: layout.is_signed(),
            swap: layout.endian() != Endian::NATIVE,
            strided: layout.stride() != layout.width(),
            rescaled: layout.factor() != 1,
            divided: layout.decimals() != 0,
            null: layout.null().is_some(),
        };
        let (canonical, f64s) = match path {
            Path::Portable => portable::kernels(&shape),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => super::avx2::kernels(&shape),
            #[cfg(not(target_arch = "x86_64"))]
            Path::Avx2 => portable::kernels(&shape),
        };
        PriceDecoder {
            layout,
            path,
            constants: Constants::new(&layout),
            canonical,
            f64s,
        }
    }

    /// The layout it decodes.
    pub fn layout(&self) -> &PriceLayout {
        &self.layout
    }

    /// The path it takes.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Decodes the first `out.len()` values of `array` to canonical prices, and returns how many left the range.
    /// These are null in `out`, as the wire's nulls are; [`PriceDecoder::overflowed`] tells them apart.
    ///
    /// # Panics
    /// When `array` is shorter than `layout().bytes(out.len())`.
    #[inline]
    pub fn decode(&self, array: &[u8], out: &mut [i64]) -> usize {
        let array = &array[..self.layout.bytes(out.len())];
        // SAFETY: `with_path` stored an AVX2 kernel only where `or_portable` had found AVX2 on this machine.
        unsafe { (self.canonical)(&self.constants, array, self.layout.stride(), out) }
    }

    /// True when value `i` of `array` is not the wire's null and has no canonical price. For the rare array of which
    /// [`PriceDecoder::decode`] has counted some.
    ///
    /// # Panics
    /// When `array` is shorter than `layout().bytes(i + 1)`.
    #[cold]
    pub fn overflowed(&self, array: &[u8], i: usize) -> bool {
        self.layout.read(array, i).is_err()
    }

    /// Decodes the first `out.len()` values of `array` to `mantissa as f64 / 10^decimals`, the wire's null to
    /// [`f64::NAN`]. Both operations round to nearest: below 2^53 the result is the double nearest to the price.
    ///
    /// # Panics
    /// When `array` is shorter than `layout().bytes(out.len())`.
    #[inline]
    pub fn decode_f64(&self, array: &[u8], out: &mut [f64]) {
        let array = &array[..self.layout.bytes(out.len())];
        // SAFETY: `with_path` stored an AVX2 kernel only where `or_portable` had found AVX2 on this machine.
        unsafe { (self.f64s)(&self.constants, array, self.layout.stride(), out) }
    }
}

/// Canonical prices to floating point, `price as f64 / 1e9`; null to [`f64::NAN`].
///
/// # Panics
/// When `out` is longer than `prices`.
pub fn canonical_to_f64(path: Path, prices: &[i64], out: &mut [f64]) {
    PriceDecoder::with_path(PriceLayout::CANONICAL, path).decode_f64(prices.as_bytes(), out);
}
