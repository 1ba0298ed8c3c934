//! The IPv4 header (RFC 791, section 3.1).

use std::net::{IpAddr, Ipv4Addr};

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::checksum::internet_checksum;
use super::contents::{Contents, Fragment, Skip};
use super::udp::{self, PROTOCOL_UDP};

/// The fixed 20 bytes; options may follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv4Header {
    /// Version (4, high half) and header length in 32-bit words (5 to 15, low half).
    pub version_ihl: u8,
    /// Differentiated services and congestion bits.
    pub tos: u8,
    /// Bytes of header and payload; 0 in captures taken before segmentation offload.
    pub total_length: U16,
    /// Groups the fragments of one datagram.
    pub id: U16,
    /// Don't fragment (0x4000), more fragments (0x2000), offset in units of 8 bytes (low 13 bits).
    pub fragment: U16,
    /// Time to live, hops.
    pub ttl: u8,
    /// What the payload is; [`PROTOCOL_UDP`].
    pub protocol: u8,
    /// One's complement of the header's sum. Not enforced on reading: offload leaves it wrong in captures.
    pub checksum: U16,
    /// Source.
    pub src: [u8; 4],
    /// Destination.
    pub dst: [u8; 4],
}

impl Ipv4Header {
    /// Version and header length of a header without options.
    pub const PLAIN: u8 = 0x45;
    /// Don't fragment.
    pub const DONT_FRAGMENT: u16 = 0x4000;
    /// More fragments follow.
    pub const MORE_FRAGMENTS: u16 = 0x2000;
    /// The bits of the fragment offset.
    pub const FRAGMENT_OFFSET: u16 = 0x1FFF;

    /// A header without options carrying `payload_len` bytes of UDP, checksum filled.
    ///
    /// `None` when header and payload exceed 65,535 bytes.
    pub fn udp(src: Ipv4Addr, dst: Ipv4Addr, payload_len: usize, ttl: u8, id: u16) -> Option<Self> {
        let total = u16::try_from(payload_len.checked_add(size_of::<Self>())?).ok()?;
        let mut header = Ipv4Header {
            version_ihl: Self::PLAIN,
            tos: 0,
            total_length: U16::new(total),
            id: U16::new(id),
            fragment: U16::new(Self::DONT_FRAGMENT),
            ttl,
            protocol: PROTOCOL_UDP,
            checksum: U16::new(0),
            src: src.octets(),
            dst: dst.octets(),
        };
        header.checksum = U16::new(internet_checksum(header.as_bytes()));
        Some(header)
    }

    /// Version; 4, or this is something else.
    #[inline]
    pub const fn version(&self) -> u8 {
        self.version_ihl >> 4
    }

    /// Bytes of header with options, as written: 0 to 60, valid from 20.
    #[inline]
    pub const fn header_length(&self) -> usize {
        (self.version_ihl & 0x0F) as usize * 4
    }

    /// True for every part of a datagram that was sent in parts, also the first.
    #[inline]
    pub fn is_fragment(&self) -> bool {
        self.fragment.get() & (Self::MORE_FRAGMENTS | Self::FRAGMENT_OFFSET) != 0
    }
}

/// What is in an IPv4 packet that is followed by anything.
#[inline]
pub(super) fn contents(packet: &[u8]) -> Result<Contents<'_>, Skip> {
    let (ip, segment, promised) = udp_segment(packet)?;
    if ip.is_fragment() {
        return fragment(ip, segment, promised);
    }
    let (src, dst) = (IpAddr::from(ip.src), IpAddr::from(ip.dst));
    udp::datagram(src, dst, segment, promised).map(Contents::Datagram)
}

/// The header of an IPv4 packet with UDP in it, what the capture has behind the header, and how many bytes the header
/// promises there: `usize::MAX` where it does not say.
#[inline(always)]
fn udp_segment(packet: &[u8]) -> Result<(&Ipv4Header, &[u8], usize), Skip> {
    let (ip, _) = Ipv4Header::ref_from_prefix(packet).map_err(|_| Skip::ShortHeaders)?;
    let header_length = ip.header_length();
    // Offload leaves 0 as the total length; then the frame's end is all that is known.
    let total_length = match ip.total_length.get() {
        0 => usize::MAX,
        total => total as usize,
    };
    // Version 4 and five to fifteen words in one comparison.
    if !(0x45..=0x4F).contains(&ip.version_ihl) || total_length < header_length {
        return Err(Skip::BadIpv4);
    }
    if ip.protocol != PROTOCOL_UDP {
        return Err(Skip::NotUdp);
    }
    let held = &packet[..total_length.min(packet.len())];
    let segment = held.get(header_length..).ok_or(Skip::ShortHeaders)?;
    Ok((ip, segment, total_length - header_length))
}

#[cold]
fn fragment<'a>(ip: &Ipv4Header, bytes: &'a [u8], promised: usize) -> Result<Contents<'a>, Skip> {
    // Only what is still to be cut up by the device lacks its length, and that is no fragment.
    if promised > u16::MAX as usize {
        return Err(Skip::BadIpv4);
    }
    if bytes.len() < promised {
        return Err(Skip::Truncated);
    }
    let fragment = ip.fragment.get();
    Ok(Contents::Fragment(Fragment {
        src: ip.src.into(),
        dst: ip.dst.into(),
        protocol: ip.protocol,
        id: ip.id.get().into(),
        offset: (fragment & Ipv4Header::FRAGMENT_OFFSET) * 8,
        more: fragment & Ipv4Header::MORE_FRAGMENTS != 0,
        bytes,
    }))
}

const _: () = assert!(size_of::<Ipv4Header>() == 20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_header_is_the_known_one() {
        let h = Ipv4Header::udp(
            Ipv4Addr::new(192, 168, 0, 1),
            Ipv4Addr::new(192, 168, 0, 199),
            0x73 - 20,
            64,
            0,
        )
        .expect("fits");
        assert_eq!(h.checksum.get(), 0xB861);
        assert_eq!((h.version(), h.header_length()), (4, 20));
        assert!(!h.is_fragment());
    }

    #[test]
    fn longest_datagram() {
        let any = Ipv4Addr::UNSPECIFIED;
        assert!(Ipv4Header::udp(any, any, 65_515, 1, 0).is_some());
        assert!(Ipv4Header::udp(any, any, 65_516, 1, 0).is_none());
        assert!(Ipv4Header::udp(any, any, usize::MAX, 1, 0).is_none());
    }
}
