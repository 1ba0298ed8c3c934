//! From a captured frame to the UDP payload inside it, and from a payload to a frame.
//!
//! The length in the IP header bounds everything: bytes behind it are padding, a frame check sequence, or a tap's
//! trailer, and are neither payload nor an error. Options and extension headers are stepped over. Checksums are not
//! enforced: offload leaves them wrong.

use std::net::SocketAddrV4;

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub use super::contents::{Contents, Fragment, Skip, UdpDatagram};
use super::ethernet::{ETHERTYPE_IPV4, EthernetHeader, Mac, multicast_mac};
use super::ipv4::{self, Ipv4Header};
use super::ipv6;
pub use super::link::{LinkType, UnsupportedLinkType};
use super::link::{Network, network};
use super::udp::{self, PROTOCOL_UDP, UdpHeader};

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

    /// The headers of a datagram with this payload, UDP checksum filled too: what is sent needs one, what is written to
    /// a file does not.
    pub fn headers_over(&self, payload: &[u8], id: u16) -> Result<UdpFrameHeaders, PayloadTooLong> {
        let mut headers = self.headers(payload.len(), id)?;
        let checksum = udp::checksum(*self.src.ip(), *self.dst.ip(), &headers.udp, payload);
        headers.udp.checksum = U16::new(checksum);
        Ok(headers)
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
