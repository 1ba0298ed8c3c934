//! The UDP header (RFC 768).

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The eight bytes before a datagram's payload.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct UdpHeader {
    /// Source port.
    pub src_port: U16,
    /// Destination port.
    pub dst_port: U16,
    /// Bytes of header and payload, at least 8.
    pub length: U16,
    /// 0 over IPv4: not computed.
    pub checksum: U16,
}

impl UdpHeader {
    /// A header for `payload_len` bytes, without checksum; `None` when header and payload exceed 65,535 bytes.
    pub fn new(src_port: u16, dst_port: u16, payload_len: usize) -> Option<UdpHeader> {
        let length = u16::try_from(payload_len.checked_add(size_of::<Self>())?).ok()?;
        Some(UdpHeader {
            src_port: U16::new(src_port),
            dst_port: U16::new(dst_port),
            length: U16::new(length),
            checksum: U16::new(0),
        })
    }
}

const _: () = assert!(size_of::<UdpHeader>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_by_hand() {
        let h = UdpHeader::new(0x1234, 0x5678, 3).expect("fits");
        assert_eq!(
            h.as_bytes(),
            [0x12, 0x34, 0x56, 0x78, 0x00, 0x0B, 0x00, 0x00]
        );
    }

    #[test]
    fn longest_payload() {
        assert!(UdpHeader::new(1, 2, 65_527).is_some());
        assert!(UdpHeader::new(1, 2, 65_528).is_none());
    }
}
