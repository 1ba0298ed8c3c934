//! From a captured frame to the UDP payload inside it, and from a payload to a frame.
//!
//! The IP total length bounds everything: bytes behind it are padding, a frame check sequence, or a tap's trailer, and
//! are neither payload nor an error. Options are stepped over. Checksums are not enforced: offload leaves them wrong.

use std::net::{IpAddr, SocketAddrV4};

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::ethernet::{ETHERTYPE_IPV4, EthernetHeader, Mac, multicast_mac, network_layer};
use super::ipv4::{Ipv4Header, PROTOCOL_UDP};
use super::udp::UdpHeader;

/// What a frame begins with, by the numbers of the LINKTYPE registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// An Ethernet header (1).
    Ethernet,
    /// The IP header (101, and 228 which promises IPv4).
    Raw,
}

/// A link type this build does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("link type {0} is not supported (supported: 1 Ethernet, 101 raw IP, 228 raw IPv4)")]
pub struct UnsupportedLinkType(pub u16);

impl TryFrom<u16> for LinkType {
    type Error = UnsupportedLinkType;

    fn try_from(number: u16) -> Result<LinkType, UnsupportedLinkType> {
        match number {
            1 => Ok(LinkType::Ethernet),
            101 | 228 => Ok(LinkType::Raw),
            other => Err(UnsupportedLinkType(other)),
        }
    }
}

/// Why a frame gives no UDP payload. Counted by [`Skip::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Skip {
    #[error("ends inside its headers")]
    ShortHeaders,
    #[error("not IPv4")]
    NotIpv4,
    #[error("its IPv4 header contradicts itself")]
    BadIpv4,
    #[error("a fragment of a datagram")]
    Fragment,
    #[error("not UDP")]
    NotUdp,
    #[error("its UDP length contradicts the IPv4 length")]
    BadUdp,
    #[error("the capture holds only part of its payload")]
    Truncated,
}

impl Skip {
    /// All reasons, for counters indexed by reason.
    pub const ALL: [Skip; 7] = [
        Skip::ShortHeaders,
        Skip::NotIpv4,
        Skip::BadIpv4,
        Skip::Fragment,
        Skip::NotUdp,
        Skip::BadUdp,
        Skip::Truncated,
    ];

    /// The cause under `drops` in facts.
    pub const fn name(self) -> &'static str {
        match self {
            Skip::ShortHeaders => "short_headers",
            Skip::NotIpv4 => "not_ipv4",
            Skip::BadIpv4 => "bad_ipv4",
            Skip::Fragment => "ip_fragment",
            Skip::NotUdp => "not_udp",
            Skip::BadUdp => "bad_udp",
            Skip::Truncated => "frame_truncated",
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
    let packet = match link {
        LinkType::Ethernet => {
            let (ethertype, packet) = network_layer(frame).ok_or(Skip::ShortHeaders)?;
            if ethertype != ETHERTYPE_IPV4 {
                return Err(Skip::NotIpv4);
            }
            packet
        }
        LinkType::Raw => match frame.first().ok_or(Skip::ShortHeaders)? >> 4 {
            4 => frame,
            _ => return Err(Skip::NotIpv4),
        },
    };
    ipv4_datagram(packet)
}

/// The datagram inside an IPv4 packet that is followed by anything.
#[inline]
fn ipv4_datagram(packet: &[u8]) -> Result<UdpDatagram<'_>, Skip> {
    let (ip, _) = Ipv4Header::ref_from_prefix(packet).map_err(|_| Skip::ShortHeaders)?;
    let header_length = ip.header_length();
    // Offload leaves 0 as the total length; then the frame's end is all that is known.
    let total_length = match ip.total_length.get() {
        0 => packet.len(),
        total => total as usize,
    };
    if ip.version() != 4 || header_length < size_of::<Ipv4Header>() || total_length < header_length
    {
        return Err(Skip::BadIpv4);
    }
    if ip.protocol != PROTOCOL_UDP {
        return Err(Skip::NotUdp);
    }
    if ip.is_fragment() {
        return Err(Skip::Fragment);
    }
    let held = &packet[..total_length.min(packet.len())];
    let segment = held.get(header_length..).ok_or(Skip::ShortHeaders)?;
    // The sender's own contradiction before the capture's shortage: it is the same on every tap.
    let promised = total_length - header_length;
    if promised < size_of::<UdpHeader>() {
        return Err(Skip::BadUdp);
    }
    let (udp, data) = UdpHeader::ref_from_prefix(segment).map_err(|_| Skip::ShortHeaders)?;
    let length = udp.length.get() as usize;
    if length < size_of::<UdpHeader>() || (length > promised && ip.total_length.get() != 0) {
        return Err(Skip::BadUdp);
    }
    let data_length = length - size_of::<UdpHeader>();
    let payload = &data[..data_length.min(data.len())];
    Ok(UdpDatagram {
        src: IpAddr::from(ip.src),
        dst: IpAddr::from(ip.dst),
        src_port: udp.src_port.get(),
        dst_port: udp.dst_port.get(),
        payload,
        missing: (data_length - payload.len()) as u16,
    })
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
