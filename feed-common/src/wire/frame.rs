//! From a captured frame to the UDP payload inside it, and from a payload to a frame.
//!
//! The length in the IP header bounds everything: bytes behind it are padding, a frame check sequence, or a tap's
//! trailer, and are neither payload nor an error. Options and extension headers are stepped over. Checksums are not
//! enforced: offload leaves them wrong.

use std::net::{IpAddr, SocketAddrV4};

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::ethernet::{ETHERTYPE_IPV4, EthernetHeader, Mac, multicast_mac};
use super::ipv4::{self, Ipv4Header, PROTOCOL_UDP};
use super::ipv6;
pub use super::link::{LinkType, UnsupportedLinkType};
use super::link::{Network, network};
use super::udp::UdpHeader;

/// Why a frame gives no UDP payload. Counted by [`Skip::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Skip {
    #[error("ends inside its headers")]
    ShortHeaders,
    #[error("not IP")]
    NotIp,
    #[error("its IPv4 header contradicts itself")]
    BadIpv4,
    #[error("its IPv6 headers contradict themselves")]
    BadIpv6,
    #[error("a fragment of a datagram")]
    Fragment,
    #[error("not UDP")]
    NotUdp,
    #[error("its UDP length contradicts the IP length")]
    BadUdp,
    #[error("the capture holds only part of its payload")]
    Truncated,
    #[error("begins with a link layer that is not supported")]
    LinkType,
    #[error("its pcapng block contradicts itself")]
    BadBlock,
}

impl Skip {
    /// All reasons, for counters indexed by reason.
    pub const ALL: [Skip; 10] = [
        Skip::ShortHeaders,
        Skip::NotIp,
        Skip::BadIpv4,
        Skip::BadIpv6,
        Skip::Fragment,
        Skip::NotUdp,
        Skip::BadUdp,
        Skip::Truncated,
        Skip::LinkType,
        Skip::BadBlock,
    ];

    /// The cause under `drops` in facts.
    pub const fn name(self) -> &'static str {
        match self {
            Skip::ShortHeaders => "short_headers",
            Skip::NotIp => "not_ip",
            Skip::BadIpv4 => "bad_ipv4",
            Skip::BadIpv6 => "bad_ipv6",
            Skip::Fragment => "ip_fragment",
            Skip::NotUdp => "not_udp",
            Skip::BadUdp => "bad_udp",
            Skip::Truncated => "frame_truncated",
            Skip::LinkType => "link_type",
            Skip::BadBlock => "bad_block",
        }
    }
}

/// A UDP datagram in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpDatagram<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address: the group.
    pub dst: IpAddr,
    /// Source port.
    pub src_port: u16,
    /// Destination port; with the group it names the stream.
    pub dst_port: u16,
    /// Payload bytes the capture holds.
    pub payload: &'a [u8],
    /// Payload bytes the datagram had and the capture lacks. Unless 0 the payload must not be decoded.
    pub missing: u16,
}

/// Part of a UDP datagram that was sent in parts, in place. What it says of itself is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// What the whole begins with: UDP, or (IPv6 only) an extension header. That of the first fragment counts.
    pub protocol: u8,
    /// With the addresses it tells the fragments of one datagram from those of others.
    pub id: u32,
    /// Bytes of the whole before these, a multiple of 8.
    pub offset: u16,
    /// False in the last.
    pub more: bool,
    /// The bytes, all of them; in a middle one a multiple of 8.
    pub bytes: &'a [u8],
}

/// What of UDP is in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents<'a> {
    /// A datagram, whole or cut by the capture: see [`UdpDatagram::missing`].
    Datagram(UdpDatagram<'a>),
    /// Part of one.
    Fragment(Fragment<'a>),
}

/// What is inside a frame.
///
/// The plain case, IPv4 right behind an Ethernet header, is in line; everything else costs a call.
#[inline]
pub fn contents(frame: &[u8], link: LinkType) -> Result<Contents<'_>, Skip> {
    match plain_packet(frame, link) {
        Some(packet) => ipv4::contents(packet),
        None => contents_behind(frame, link),
    }
}

/// The datagram of a frame with the headers of [`UdpFrameHeaders`], all of it held; for any other frame `None`, whatever is
/// in it. This is a part of [`contents`] with everything in one condition and nothing to call, so that what it gives
/// stays in registers.
#[inline(always)]
pub(crate) fn plain_datagram(frame: &[u8], link: LinkType) -> Option<UdpDatagram<'_>> {
    let (headers, data) = UdpFrameHeaders::ref_from_prefix(frame).ok()?;
    let (ip, udp) = (&headers.ipv4, &headers.udp);
    let (promised, segment) = (ip.total_length.get(), udp.length.get());
    let plain = (link == LinkType::Ethernet)
        & (headers.ethernet.ethertype.get() == ETHERTYPE_IPV4)
        & (ip.version_ihl == Ipv4Header::PLAIN)
        & (ip.protocol == PROTOCOL_UDP)
        & !ip.is_fragment()
        & (size_of::<Ipv4Header>() + usize::from(segment) <= usize::from(promised));
    let length = usize::from(segment).checked_sub(size_of::<UdpHeader>())?;
    Some(UdpDatagram {
        src: ip.src.into(),
        dst: ip.dst.into(),
        src_port: udp.src_port.get(),
        dst_port: udp.dst_port.get(),
        payload: data.get(..length).filter(|_| plain)?,
        missing: 0,
    })
}

/// The packet right behind an Ethernet header that announces IPv4.
#[inline(always)]
fn plain_packet(frame: &[u8], link: LinkType) -> Option<&[u8]> {
    if link != LinkType::Ethernet {
        return None;
    }
    let (ethernet, packet) = EthernetHeader::ref_from_prefix(frame).ok()?;
    (ethernet.ethertype.get() == ETHERTYPE_IPV4).then_some(packet)
}

#[inline(never)]
fn contents_behind(frame: &[u8], link: LinkType) -> Result<Contents<'_>, Skip> {
    match network(frame, link)? {
        Network::Ipv4(packet) => ipv4::contents(packet),
        Network::Ipv6(packet) => ipv6::contents(packet),
    }
}

/// The datagram inside a frame, whole; one that the capture cut is [`Skip::Truncated`].
#[inline]
pub fn udp_payload(frame: &[u8], link: LinkType) -> Result<UdpDatagram<'_>, Skip> {
    match udp_datagram(frame, link) {
        Ok(datagram) if datagram.missing != 0 => Err(Skip::Truncated),
        other => other,
    }
}

/// The datagram inside a frame, whole or cut: for callers that attribute a cut one to its stream. See
/// [`UdpDatagram::missing`].
#[inline]
pub fn udp_datagram(frame: &[u8], link: LinkType) -> Result<UdpDatagram<'_>, Skip> {
    match contents(frame, link)? {
        Contents::Datagram(datagram) => Ok(datagram),
        Contents::Fragment(_) => Err(Skip::Fragment),
    }
}

/// The 42 bytes before the payload of an untagged Ethernet frame without IP options.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct UdpFrameHeaders {
    /// Link layer.
    pub ethernet: EthernetHeader,
    /// Network layer.
    pub ipv4: Ipv4Header,
    /// Transport layer.
    pub udp: UdpHeader,
}

/// A payload above 65,507 bytes, the most that fits an IPv4 packet behind its two headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes do not fit a UDP datagram over IPv4 (at most 65507)")]
pub struct PayloadTooLong(pub usize);

/// One sender's stream to one group: builds the frames of its datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpFlow {
    /// Source station.
    pub src_mac: Mac,
    /// Destination station.
    pub dst_mac: Mac,
    /// Source address and port.
    pub src: SocketAddrV4,
    /// Group and port.
    pub dst: SocketAddrV4,
    /// Time to live, hops.
    pub ttl: u8,
}

impl UdpFlow {
    /// Bytes before the payload.
    pub const HEADERS: usize = size_of::<UdpFrameHeaders>();

    /// A stream to a multicast group: the destination station follows from the group, the source station is a locally
    /// administered one made from the source address.
    pub fn multicast(src: SocketAddrV4, group: SocketAddrV4) -> UdpFlow {
        let [a, b, c, d] = src.ip().octets();
        UdpFlow {
            src_mac: [0x02, 0x00, a, b, c, d],
            dst_mac: multicast_mac(*group.ip()),
            src,
            dst: group,
            ttl: 1,
        }
    }

    /// The headers of a datagram of `payload_len` bytes; `id` is its IP identification. IPv4 checksum filled, UDP
    /// checksum 0 (not computed).
    pub fn headers(&self, payload_len: usize, id: u16) -> Result<UdpFrameHeaders, PayloadTooLong> {
        let too_long = PayloadTooLong(payload_len);
        let udp = UdpHeader::new(self.src.port(), self.dst.port(), payload_len).ok_or(too_long)?;
        let segment_len = udp.length.get() as usize;
        let (src, dst) = (*self.src.ip(), *self.dst.ip());
        Ok(UdpFrameHeaders {
            ethernet: EthernetHeader {
                dst: self.dst_mac,
                src: self.src_mac,
                ethertype: U16::new(ETHERTYPE_IPV4),
            },
            ipv4: Ipv4Header::udp(src, dst, segment_len, self.ttl, id).ok_or(too_long)?,
            udp,
        })
    }

    /// Replaces what `frame` holds with a whole frame; it allocates only when its capacity does not suffice.
    pub fn encode(
        &self,
        payload: &[u8],
        id: u16,
        frame: &mut Vec<u8>,
    ) -> Result<(), PayloadTooLong> {
        let headers = self.headers(payload.len(), id)?;
        frame.clear();
        frame.extend_from_slice(headers.as_bytes());
        frame.extend_from_slice(payload);
        Ok(())
    }
}

const _: () = assert!(UdpFlow::HEADERS == 42);

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
