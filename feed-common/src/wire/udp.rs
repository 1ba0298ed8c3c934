//! The UDP header (RFC 768).

use std::net::{IpAddr, Ipv4Addr};

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::{checksum_of_sum, sum_of_words};
use super::contents::{Skip, UdpDatagram};

/// Number of the protocol in the IP header.
pub const PROTOCOL_UDP: u8 = 17;

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

/// The checksum of a datagram over IPv4: `header`'s own field is not looked at. Never 0, which would say that there is none.
pub(super) fn checksum(src: Ipv4Addr, dst: Ipv4Addr, header: &UdpHeader, payload: &[u8]) -> u16 {
    let ends = sum_of_words(&src.octets()) + sum_of_words(&dst.octets());
    let ports = u64::from(header.src_port.get()) + u64::from(header.dst_port.get());
    // The length stands in the header and in front of it too.
    let lengths = 2 * u64::from(header.length.get());
    match checksum_of_sum(ends + PROTOCOL_UDP as u64 + ports + lengths + sum_of_words(payload)) {
        0 => 0xFFFF,
        checksum => checksum,
    }
}

/// The datagram of a segment, which the IP layer says has `promised` bytes (`usize::MAX` where it does not say) and of
/// which the capture has `segment`.
#[inline]
pub(crate) fn datagram(
    src: IpAddr,
    dst: IpAddr,
    segment: &[u8],
    promised: usize,
) -> Result<UdpDatagram<'_>, Skip> {
    let Ok((udp, data)) = UdpHeader::ref_from_prefix(segment) else {
        // The sender's own contradiction before the capture's shortage: it is the same on every tap.
        return Err(match promised < size_of::<UdpHeader>() {
            true => Skip::BadUdp,
            false => Skip::ShortHeaders,
        });
    };
    let length = udp.length.get() as usize;
    if length < size_of::<UdpHeader>() || length > promised {
        return Err(Skip::BadUdp);
    }
    let data_length = length - size_of::<UdpHeader>();
    let payload = &data[..data_length.min(data.len())];
    Ok(UdpDatagram {
        src,
        dst,
        src_port: udp.src_port.get(),
        dst_port: udp.dst_port.get(),
        payload,
        missing: (data_length - payload.len()) as u16,
    })
}

/// False when the checksum of a whole segment (header and data, nothing behind) was computed and is not right.
pub(crate) fn checksum_holds(src: IpAddr, dst: IpAddr, segment: &[u8]) -> bool {
    if segment.get(6..8).is_none_or(|checksum| checksum == [0, 0]) {
        return true;
    }
    let address = |address| match address {
        IpAddr::V4(a) => sum_of_words(&a.octets()),
        IpAddr::V6(a) => sum_of_words(&a.octets()),
    };
    // The pseudo-headers of both versions come to the same sum: addresses, protocol, length.
    let pseudo = address(src) + address(dst) + PROTOCOL_UDP as u64 + segment.len() as u64;
    checksum_of_sum(pseudo + sum_of_words(segment)) == 0
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
    fn checksum_by_hand() {
        let (src, dst) = (IpAddr::from([192, 168, 0, 1]), IpAddr::from([239, 1, 2, 3]));
        // C0A8 + 0001 + EF01 + 0203 + 0011 + 000B + 1234 + 5678 + 000B + 6162 + 6300 = 2DEE2, folded DEE4.
        let mut segment = [
            0x12, 0x34, 0x56, 0x78, 0x00, 0x0B, 0x21, 0x1B, b'a', b'b', b'c',
        ];
        assert!(checksum_holds(src, dst, &segment));
        assert!(!checksum_holds(src, src, &segment));
        segment[8] ^= 1;
        assert!(!checksum_holds(src, dst, &segment));
        segment[6..8].fill(0);
        assert!(checksum_holds(src, dst, &segment), "not computed");
    }

    #[test]
    fn checksums_that_are_made_hold_and_are_never_absent() {
        let (src, dst) = (Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(239, 1, 2, 3));
        let header = |payload: &[u8]| UdpHeader::new(0x1234, 0x5678, payload.len()).unwrap();
        assert_eq!(checksum(src, dst, &header(b"abc"), b"abc"), 0x211B); // as by hand above
        // With two zero bytes the sum is C0A8 + 0001 + EF01 + 0203 + 0011 + 000A + 1234 + 5678 + 000A = 21A7E, folded
        // 1A80: with E57F behind it is FFFF, whose complement would be 0.
        assert_eq!(checksum(src, dst, &header(b"\0\0"), b"\0\0"), !0x1A80);
        assert_eq!(
            checksum(src, dst, &header(b"\xE5\x7F"), b"\xE5\x7F"),
            0xFFFF
        );
        assert_ne!(checksum(src, dst, &header(b""), b""), 0);
    }

    #[test]
    fn longest_payload() {
        assert!(UdpHeader::new(1, 2, 65_527).is_some());
        assert!(UdpHeader::new(1, 2, 65_528).is_none());
    }
}
