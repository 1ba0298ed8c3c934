//! How an array of wire prices lies in memory, and what one of its values means.

use crate::event::Price;

/// Byte order of wire integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Endian {
    #[default]
    Little,
    Big,
}

impl Endian {
    /// The byte order of this machine.
    pub const NATIVE: Endian = if cfg!(target_endian = "big") {
        Endian::Big
    } else {
        Endian::Little
    };
}

/// An array of fixed-point prices: integers of `width` bytes, worth `mantissa / 10^decimals`, one every `stride` bytes.
///
/// The array ends with its last value, not with a whole stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceLayout {
    width: usize,
    signed: bool,
    endian: Endian,
    decimals: u32,
    stride: usize,
    null: Option<i128>,
}

/// Why a layout cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceLayoutError {
    /// Only 4 and 8 are.
    #[error("a price of {0} bytes; it must have 4 or 8")]
    Width(usize),
    /// Canonical prices carry nine decimal places; more cannot be kept.
    #[error("a price of {0} decimal places; it must have 0 to 9")]
    Decimals(u32),
    /// Values would overlap.
    #[error("a stride of {stride} bytes is shorter than a price of {width}")]
    Stride {
        /// What was asked.
        stride: usize,
        /// The price's width.
        width: usize,
    },
    /// No value of this width and signedness is equal to it, so it could never be seen.
    #[error("a null price of {0} does not fit the price's type")]
    Null(i128),
}

/// A price has no place in the range or precision of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the price leaves the range or precision of its new representation")]
pub struct PriceRange;

impl PriceLayout {
    /// Our own prices: `i64` in units of 1e-9 in this machine's byte order, contiguous, null at `i64::MIN`.
    pub const CANONICAL: PriceLayout = PriceLayout {
        width: 8,
        signed: true,
        endian: Endian::NATIVE,
        decimals: Price::DECIMALS,
        stride: 8,
        null: Some(i64::MIN as i128),
    };

    /// A contiguous array without null: `width` 4 or 8 bytes, `decimals` 0 to 9.
    pub const fn new(
        width: usize,
        signed: bool,
        endian: Endian,
        decimals: u32,
    ) -> Result<PriceLayout, PriceLayoutError> {
        if width != 4 && width != 8 {
            return Err(PriceLayoutError::Width(width));
        }
        if decimals > Price::DECIMALS {
            return Err(PriceLayoutError::Decimals(decimals));
        }
        Ok(PriceLayout {
            width,
            signed,
            endian,
            decimals,
            stride: width,
            null: None,
        })
    }

    /// The same values, `stride` bytes from start to start.
    pub const fn with_stride(self, stride: usize) -> Result<PriceLayout, PriceLayoutError> {
        let width = self.width;
        if stride < width {
            return Err(PriceLayoutError::Stride { stride, width });
        }
        Ok(PriceLayout { stride, ..self })
    }

    /// The same array, in which the mantissa `null` says that there is no price.
    pub const fn with_null(self, null: i128) -> Result<PriceLayout, PriceLayoutError> {
        let (least, greatest) = self.mantissas();
        if null < least || null > greatest {
            return Err(PriceLayoutError::Null(null));
        }
        Ok(PriceLayout {
            null: Some(null),
            ..self
        })
    }

    /// Bytes of a value.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// True when the mantissa is two's complement.
    pub const fn is_signed(&self) -> bool {
        self.signed
    }

    /// Byte order of the mantissa.
    pub const fn endian(&self) -> Endian {
        self.endian
    }

    /// Decimal places.
    pub const fn decimals(&self) -> u32 {
        self.decimals
    }

    /// Bytes from the start of a value to the start of the next.
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// The mantissa that stands for no price.
    pub const fn null(&self) -> Option<i128> {
        self.null
    }

    /// Least and greatest mantissa of the type.
    pub const fn mantissas(&self) -> (i128, i128) {
        match (self.width, self.signed) {
            (4, true) => (i32::MIN as i128, i32::MAX as i128),
            (4, false) => (0, u32::MAX as i128),
            (_, true) => (i64::MIN as i128, i64::MAX as i128),
            (_, false) => (0, u64::MAX as i128),
        }
    }

    /// Canonical units (1e-9) in one unit of the mantissa.
    pub const fn factor(&self) -> i64 {
        10i64.pow(Price::DECIMALS - self.decimals)
    }

    /// Bytes an array of `count` values takes; `usize::MAX` where it exceeds the address space.
    pub const fn bytes(&self, count: usize) -> usize {
        match count {
            0 => 0,
            n => (n - 1)
                .saturating_mul(self.stride)
                .saturating_add(self.width),
        }
    }

    /// Value `i` of the array, one at a time and for cold paths: null for the wire's null. Panics when the array is
    /// shorter.
    pub fn read(&self, array: &[u8], i: usize) -> Result<Price, PriceRange> {
        let mantissa = self.mantissa(&array[i * self.stride..][..self.width]);
        if self.null == Some(mantissa) {
            return Ok(Price::NULL);
        }
        Price::from_wide(mantissa, self.decimals).ok_or(PriceRange)
    }

    /// Writes one price in its `width` bytes at the start of `out`. Refuses what the type cannot hold exactly, and a
    /// price whose mantissa would read as null. Panics when `out` is shorter.
    pub fn write(&self, price: Price, out: &mut [u8]) -> Result<(), PriceRange> {
        let mantissa = if price.is_some() {
            let mantissa = (price.0 / self.factor()) as i128;
            let (least, greatest) = self.mantissas();
            if price.0 % self.factor() != 0
                || mantissa < least
                || mantissa > greatest
                || self.null == Some(mantissa)
            {
                return Err(PriceRange);
            }
            mantissa
        } else {
            self.null.ok_or(PriceRange)?
        };
        let (little, big) = (mantissa.to_le_bytes(), mantissa.to_be_bytes());
        out[..self.width].copy_from_slice(match self.endian {
            Endian::Little => &little[..self.width],
            Endian::Big => &big[big.len() - self.width..],
        });
        Ok(())
    }

    /// The integer in exactly `width` bytes.
    fn mantissa(&self, bytes: &[u8]) -> i128 {
        let mut little = [0u8; 8];
        little[..self.width].copy_from_slice(bytes);
        if self.endian == Endian::Big {
            little[..self.width].reverse();
        }
        let raw = u64::from_le_bytes(little);
        match (self.width, self.signed) {
            (4, true) => raw as u32 as i32 as i128,
            (_, true) => raw as i64 as i128,
            (_, false) => raw as i128,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(width: usize, signed: bool, endian: Endian, decimals: u32) -> PriceLayout {
        PriceLayout::new(width, signed, endian, decimals).unwrap()
    }

    #[test]
    fn impossible_layouts_are_refused() {
        use PriceLayoutError::*;
        for width in [0, 1, 2, 3, 5, 6, 7, 9, 16] {
            let made = PriceLayout::new(width, true, Endian::Little, 0);
            assert_eq!(made, Err(Width(width)));
        }
        assert_eq!(
            PriceLayout::new(8, true, Endian::Big, 10),
            Err(Decimals(10))
        );
        let l = layout(8, true, Endian::Big, 4);
        let (stride, width) = (7, 8);
        assert_eq!(l.with_stride(7), Err(Stride { stride, width }));
        let l = layout(4, false, Endian::Big, 4);
        assert_eq!(l.with_null(-1), Err(Null(-1)));
        assert_eq!(l.with_null(1 << 32), Err(Null(1 << 32)));
        assert!(l.with_null(u32::MAX as i128).is_ok());
    }

    #[test]
    fn an_array_ends_with_its_last_value() {
        let l = layout(8, true, Endian::Little, 9).with_stride(36).unwrap();
        assert_eq!((l.bytes(0), l.bytes(1), l.bytes(3)), (0, 8, 80));
        assert_eq!(l.bytes(usize::MAX), usize::MAX);
    }

    #[test]
    fn values_by_hand() {
        // 123.4500 as a Nasdaq price: unsigned, four places, big-endian.
        let nasdaq = layout(4, false, Endian::Big, 4);
        let bytes = [0x00, 0x12, 0xD6, 0x44];
        assert_eq!(nasdaq.read(&bytes, 0), Ok(Price(123_450_000_000)));
        let mut out = [0; 4];
        nasdaq.write(Price(123_450_000_000), &mut out).unwrap();
        assert_eq!(out, bytes);
        assert_eq!(nasdaq.write(Price(1), &mut out), Err(PriceRange));
        assert_eq!(nasdaq.write(Price(-100_000), &mut out), Err(PriceRange));
        assert_eq!(nasdaq.write(Price::NULL, &mut out), Err(PriceRange));
        // i64::MAX is the null of CME's PRICE9 type.
        let cme = layout(8, true, Endian::Little, 9)
            .with_null(i64::MAX as i128)
            .unwrap();
        assert_eq!(cme.read(&i64::MAX.to_le_bytes(), 0), Ok(Price::NULL));
        assert_eq!(cme.read(&i64::MIN.to_le_bytes(), 0), Err(PriceRange));
        assert_eq!(cme.read(&(-5i64).to_le_bytes(), 0), Ok(Price(-5)));
        let mut out = [0; 8];
        assert_eq!(cme.write(Price(i64::MAX), &mut out), Err(PriceRange));
        cme.write(Price::NULL, &mut out).unwrap();
        assert_eq!(out, i64::MAX.to_le_bytes());
    }
}
