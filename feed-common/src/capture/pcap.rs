//! Classic pcap: the file header's flavours and the layout both the reader and the writer follow.
//!
//! ```text
//! file:   magic 4 | major 2 = 2 | minor 2 = 4 | zone 4 | sigfigs 4 | snaplen 4 | link type 4
//! record: seconds 4 | fraction 4 | bytes held 4 | bytes on the wire 4 | bytes held...
//! ```

/// Bytes of the file header.
pub const FILE_HEADER: usize = 24;

/// Bytes of a record header.
pub const RECORD_HEADER: usize = 16;

/// Most bytes a record may hold, 256 KiB: the ceiling of the reference implementation, so a greater length is damage.
pub const FRAME_MAX: usize = 262_144;

/// Order of the bytes of all integers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// An integer from its bytes.
    #[inline]
    pub const fn read_u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        }
    }

    /// An integer from its bytes.
    #[inline]
    pub const fn read_u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        }
    }

    /// An integer from its bytes.
    pub const fn read_i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            ByteOrder::Little => i64::from_le_bytes(bytes),
            ByteOrder::Big => i64::from_be_bytes(bytes),
        }
    }

    /// An integer's bytes.
    pub const fn write_u32(self, value: u32) -> [u8; 4] {
        match self {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }

    /// An integer's bytes.
    pub const fn write_u16(self, value: u16) -> [u8; 2] {
        match self {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }
}

/// Unit of a record's fraction of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// 10^-6 s.
    Micros,
    /// 10^-9 s.
    Nanos,
}

impl TimeUnit {
    /// Nanoseconds in one unit.
    #[inline]
    pub const fn nanos(self) -> u32 {
        match self {
            TimeUnit::Micros => 1_000,
            TimeUnit::Nanos => 1,
        }
    }
}

/// What the magic number decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flavour {
    /// Byte order of all integers.
    pub order: ByteOrder,
    /// Unit of the fraction.
    pub unit: TimeUnit,
}

impl Flavour {
    /// What this project writes: little-endian nanoseconds, readable everywhere.
    pub const NANOS: Flavour = Flavour {
        order: ByteOrder::Little,
        unit: TimeUnit::Nanos,
    };

    /// All four.
    pub const ALL: [Flavour; 4] = [
        Flavour::NANOS,
        Flavour {
            order: ByteOrder::Big,
            unit: TimeUnit::Nanos,
        },
        Flavour {
            order: ByteOrder::Little,
            unit: TimeUnit::Micros,
        },
        Flavour {
            order: ByteOrder::Big,
            unit: TimeUnit::Micros,
        },
    ];

    /// The first four bytes of a file of this flavour.
    pub const fn magic(self) -> [u8; 4] {
        self.order.write_u32(match self.unit {
            TimeUnit::Micros => 0xA1B2_C3D4,
            TimeUnit::Nanos => 0xA1B2_3C4D,
        })
    }

    /// The flavour a file with these first four bytes has; `None` when they are no pcap magic.
    pub fn from_magic(magic: [u8; 4]) -> Option<Flavour> {
        Flavour::ALL.into_iter().find(|f| f.magic() == magic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_by_hand() {
        let flavour = |order, unit| Some(Flavour { order, unit });
        for (bytes, want) in [
            (
                [0xD4, 0xC3, 0xB2, 0xA1],
                flavour(ByteOrder::Little, TimeUnit::Micros),
            ),
            (
                [0xA1, 0xB2, 0xC3, 0xD4],
                flavour(ByteOrder::Big, TimeUnit::Micros),
            ),
            (
                [0x4D, 0x3C, 0xB2, 0xA1],
                flavour(ByteOrder::Little, TimeUnit::Nanos),
            ),
            (
                [0xA1, 0xB2, 0x3C, 0x4D],
                flavour(ByteOrder::Big, TimeUnit::Nanos),
            ),
            ([0x34, 0xCD, 0xB2, 0xA1], None),
        ] {
            assert_eq!(Flavour::from_magic(bytes), want);
        }
    }
}
