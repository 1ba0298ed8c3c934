//! CRC-32C of words, with the processor's instruction where it has one.
//!
//! Castagnoli's polynomial (iSCSI, RFC 3720; ext4; Btrfs), reflected, begun with all ones and inverted at the end. Words are
//! taken one by one, so that whoever copies them anyway checks them on the way; their bytes count from the lowest up.

/// How the check is made on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Crc32c {
    /// The processor has the instruction `crc32` (SSE4.2).
    instruction: bool,
}

impl Crc32c {
    /// What a check begins with.
    pub const START: u32 = !0;

    /// Looks what the processor has.
    pub fn new() -> Crc32c {
        Crc32c {
            #[cfg(target_arch = "x86_64")]
            instruction: std::arch::is_x86_feature_detected!("sse4.2"),
            #[cfg(not(target_arch = "x86_64"))]
            instruction: false,
        }
    }

    /// The check with one word more.
    #[inline(always)]
    pub fn add(self, check: u32, word: u64) -> u32 {
        #[cfg(target_arch = "x86_64")]
        if self.instruction {
            let mut sum = u64::from(check);
            // Assembly and not the intrinsic: that is inlined only into functions compiled for SSE4.2, and so would be a
            // call for each word.
            //
            // SAFETY: `instruction` is set only where the processor has it (the field is private and never changed). It
            // works on the two registers, touches neither memory nor stack nor flags, and zeroes the upper half of `sum`.
            unsafe {
                std::arch::asm!(
                    "crc32 {sum}, {word}",
                    sum = inout(reg) sum,
                    word = in(reg) word,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            return sum as u32;
        }
        portable(check, word)
    }

    /// What is stored, of the check with all words.
    #[inline(always)]
    pub fn finish(check: u32) -> u32 {
        !check
    }
}

impl Default for Crc32c {
    fn default() -> Crc32c {
        Crc32c::new()
    }
}

/// Of a byte, and of a byte followed by one to seven zeros.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    const POLYNOMIAL: u32 = 0x82F6_3B78;
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = (sum >> 1) ^ ((sum & 1) * POLYNOMIAL);
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before: u32 = tables[zeros - 1][byte];
            tables[zeros][byte] = (before >> 8) ^ tables[0][before as usize & 255];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

fn portable(check: u32, word: u64) -> u32 {
    let bytes = (word ^ u64::from(check)).to_le_bytes();
    let parts = bytes.iter().zip(TABLES.iter().rev());
    parts.fold(0, |sum, (&byte, table)| sum ^ table[usize::from(byte)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(add: impl Fn(u32, u64) -> u32, bytes: &[u8]) -> u32 {
        let words = bytes
            .chunks(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()));
        Crc32c::finish(words.fold(Crc32c::START, add))
    }

    #[test]
    fn the_values_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = rising.iter().rev().copied().collect();
        for (bytes, want) in [
            (vec![0; 32], 0x8A91_36AA),
            (vec![0xFF; 32], 0x62A8_AB43),
            (rising, 0x46DD_794E),
            (falling, 0x113F_DB5C),
        ] {
            assert_eq!(of(|c, w| Crc32c::new().add(c, w), &bytes), want);
            assert_eq!(of(portable, &bytes), want);
        }
    }

    proptest! {
        #[test]
        fn the_instruction_and_the_tables_agree(check: u32, word: u64) {
            prop_assert_eq!(Crc32c::new().add(check, word), portable(check, word));
        }
    }
}
