//! The Internet checksum (RFC 1071).

/// The checksum: 0 over a header that holds its own right checksum.
pub(super) fn internet_checksum(bytes: &[u8]) -> u16 {
    checksum_of_sum(sum_of_words(bytes))
}

/// The sum of the 16-bit words of `bytes`, an odd byte being the upper half of one. 64 bits cannot overflow: that would
/// take 2^48 words.
pub(super) fn sum_of_words(bytes: &[u8]) -> u64 {
    let (words, odd) = bytes.as_chunks::<2>();
    let last = odd.first().map_or(0, |&b| (b as u64) << 8);
    let words = words.iter().map(|&w| u16::from_be_bytes(w) as u64);
    words.sum::<u64>() + last
}

/// The complement of a sum after its carries have been added back.
pub(super) fn checksum_of_sum(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn checksum_of_an_odd_length_pads_with_zero() {
        assert_eq!(internet_checksum(&[0x12, 0x34, 0x56]), !(0x1234 + 0x5600));
        assert_eq!(internet_checksum(&[]), 0xFFFF);
    }
}
