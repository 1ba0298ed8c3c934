//! The Internet checksum (RFC 1071).

/// The checksum: 0 over a header that holds its own right checksum.
pub(super) fn internet_checksum(bytes: &[u8]) -> u16 {
    checksum_of_sum(sum_of_words(bytes))
}

/// The sum of the 16-bit words of `bytes`, an odd byte being the upper half of one, with its carries added back: at most
/// 0xFFFF, and 0 for zeros only.
///
/// Words are added in the machine's order and as wide as it adds: the sum comes out the same but for the order of its
/// own two bytes (section 2, B). 64 bits cannot overflow: that would take 2^32 words of 32 bits.
pub(super) fn sum_of_words(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().map(|&w| u32::from_ne_bytes(w) as u64);
    let sum = words.sum::<u64>() + u32::from_ne_bytes(last) as u64;
    u16::from_be(folded(sum)) as u64
}

/// The complement of a sum after its carries have been added back.
pub(super) fn checksum_of_sum(sum: u64) -> u16 {
    !folded(sum)
}

/// A sum with its carries added back.
fn folded(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_checksum() {
        // A header in wide use as an example: its checksum is B861.
        let mut header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00, 0xC0, 0xA8,
            0x00, 0x01, 0xC0, 0xA8, 0x00, 0xC7,
        ];
        assert_eq!(internet_checksum(&header), 0xB861);
        header[10..12].copy_from_slice(&[0xB8, 0x61]);
        assert_eq!(internet_checksum(&header), 0);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_definition(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut sum = 0u32;
            for pair in bytes.chunks(2) {
                sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
                sum = (sum & 0xFFFF) + (sum >> 16);
            }
            prop_assert_eq!(sum_of_words(&bytes), u64::from(sum));
        }
    }

    #[test]
    fn checksum_of_an_odd_length_pads_with_zero() {
        assert_eq!(internet_checksum(&[0x12, 0x34, 0x56]), !(0x1234 + 0x5600));
        assert_eq!(internet_checksum(&[]), 0xFFFF);
    }
}
