//! Arrays of `f32` on the wire: bit for bit, payloads of NaN included.

use super::{Endian, Path, portable};
use zerocopy::IntoBytes;

/// Writes `values` as wire bytes of the given order; `out` takes exactly `4 * values.len()`.
///
/// # Panics
/// When `out` has another length.
pub fn write_f32(path: Path, endian: Endian, values: &[f32], out: &mut [u8]) {
    copy(path, endian, values.as_bytes(), out);
}

/// Reads wire bytes of the given order; `bytes` is exactly `4 * out.len()` long.
///
/// # Panics
/// When `bytes` has another length.
pub fn read_f32(path: Path, endian: Endian, bytes: &[u8], out: &mut [f32]) {
    copy(path, endian, bytes, out.as_mut_bytes());
}

/// Copies words of this machine's order from or to `endian`.
fn copy(path: Path, endian: Endian, from: &[u8], to: &mut [u8]) {
    assert_eq!(from.len(), to.len(), "an f32 takes four bytes");
    if endian == Endian::NATIVE {
        return to.copy_from_slice(from);
    }
    match path.or_portable() {
        // SAFETY: `or_portable` leaves `Path::Avx2` only where this machine has it.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { super::avx2::swap_words(from, to) },
        _ => portable::swap_words(from, to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_by_hand() {
        // 1.5 is 0x3FC00000, and a signalling NaN with a payload must come through as it is.
        let values = [1.5, f32::from_bits(0x7F80_1234), -0.0];
        let mut out = [0; 12];
        for path in [Path::Portable, Path::Avx2] {
            write_f32(path, Endian::Big, &values, &mut out);
            assert_eq!(out, *b"\x3F\xC0\0\0\x7F\x80\x12\x34\x80\0\0\0");
            write_f32(path, Endian::Little, &values, &mut out);
            assert_eq!(out, *b"\0\0\xC0\x3F\x34\x12\x80\x7F\0\0\0\x80");
        }
    }

    #[test]
    #[should_panic(expected = "an f32 takes four bytes")]
    fn lengths_must_agree() {
        write_f32(Path::Portable, Endian::Big, &[1.0], &mut [0; 5]);
    }
}
