//! What the layers of a frame come to: a datagram, part of one, or why there is none.

use std::net::IpAddr;

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
    pub const ALL: [Skip; 9] = [
        Skip::ShortHeaders,
        Skip::NotIp,
        Skip::BadIpv4,
        Skip::BadIpv6,
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
