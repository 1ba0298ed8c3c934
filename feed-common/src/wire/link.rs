//! What captured frames begin with, and the way through it to the network layer.
//!
//! Link types have the numbers and names of the LINKTYPE registry (tcpdump.org/linktypes.html). All fields are in
//! network byte order whatever the order of the file, except the family of [`LinkType::Null`].

use std::fmt;

use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::contents::Skip;
use super::ethernet::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPES_MPLS, EthernetHeader, peel_tags};

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// An address family of the capturing machine in its own byte order (0).
    Null,
    /// An Ethernet header (1).
    Ethernet,
    /// The IP header of either version (101).
    Raw,
    /// An address family in network order (108).
    Loop,
    /// The 16 bytes that Linux puts before frames of its `any` device (113).
    LinuxSll,
    /// The IPv4 header (228).
    Ipv4,
    /// The IPv6 header (229).
    Ipv6,
    /// The 20 bytes of the second version of 113 (276).
    LinuxSll2,
}

impl LinkType {
    /// All that are read, by number.
    pub const ALL: [LinkType; 8] = [
        LinkType::Null,
        LinkType::Ethernet,
        LinkType::Raw,
        LinkType::Loop,
        LinkType::LinuxSll,
        LinkType::Ipv4,
        LinkType::Ipv6,
        LinkType::LinuxSll2,
    ];

    /// Its number in the registry, as capture files have it.
    pub const fn number(self) -> u16 {
        match self {
            LinkType::Null => 0,
            LinkType::Ethernet => 1,
            LinkType::Raw => 101,
            LinkType::Loop => 108,
            LinkType::LinuxSll => 113,
            LinkType::Ipv4 => 228,
            LinkType::Ipv6 => 229,
            LinkType::LinuxSll2 => 276,
        }
    }

    /// Its name in the registry, behind `LINKTYPE_`.
    pub const fn name(self) -> &'static str {
        match self {
            LinkType::Null => "NULL",
            LinkType::Ethernet => "ETHERNET",
            LinkType::Raw => "RAW",
            LinkType::Loop => "LOOP",
            LinkType::LinuxSll => "LINUX_SLL",
            LinkType::Ipv4 => "IPV4",
            LinkType::Ipv6 => "IPV6",
            LinkType::LinuxSll2 => "LINUX_SLL2",
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.name())
    }
}

/// A link type this build does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("link type {0} is not supported (supported: {list})", list = supported())]
pub struct UnsupportedLinkType(pub u16);

fn supported() -> String {
    LinkType::ALL.map(|link| link.to_string()).join(", ")
}

impl TryFrom<u16> for LinkType {
    type Error = UnsupportedLinkType;

    fn try_from(number: u16) -> Result<LinkType, UnsupportedLinkType> {
        let known = LinkType::ALL.into_iter().find(|l| l.number() == number);
        known.ok_or(UnsupportedLinkType(number))
    }
}

/// The bytes from the IP header to the end of the frame, by the version that the layers before announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network<'a> {
    Ipv4(&'a [u8]),
    Ipv6(&'a [u8]),
}

/// The way through the link layer of any type, tags and labels.
pub(super) fn network(frame: &[u8], link: LinkType) -> Result<Network<'_>, Skip> {
    match link {
        LinkType::Null => {
            let (family, packet) = header::<U32>(frame)?;
            // The lower of the two readings: families are small numbers, so the other has its zeros at the end.
            by_family(family.get().min(family.get().swap_bytes()), packet)
        }
        LinkType::Ethernet => {
            let (ethernet, rest) = header::<EthernetHeader>(frame)?;
            by_ethertype(ethernet.ethertype.get(), rest)
        }
        LinkType::Raw => by_version(frame),
        LinkType::Loop => {
            let (family, packet) = header::<U32>(frame)?;
            by_family(family.get(), packet)
        }
        LinkType::LinuxSll => {
            let (sll, rest) = header::<SllHeader>(frame)?;
            by_ethertype(sll.protocol.get(), rest)
        }
        LinkType::Ipv4 => Ok(Network::Ipv4(frame)),
        LinkType::Ipv6 => Ok(Network::Ipv6(frame)),
        LinkType::LinuxSll2 => {
            let (sll, rest) = header::<Sll2Header>(frame)?;
            by_ethertype(sll.protocol.get(), rest)
        }
    }
}

/// Behind tags and labels. An 802.3 length in place of the ethertype is not IP.
fn by_ethertype(ethertype: u16, rest: &[u8]) -> Result<Network<'_>, Skip> {
    let (ethertype, rest) = peel_tags(ethertype, rest).ok_or(Skip::ShortHeaders)?;
    match ethertype {
        ETHERTYPE_IPV4 => Ok(Network::Ipv4(rest)),
        ETHERTYPE_IPV6 => Ok(Network::Ipv6(rest)),
        mpls if ETHERTYPES_MPLS.contains(&mpls) => by_version(pop_labels(rest)?),
        _ => Err(Skip::NotIp),
    }
}

/// Bottom of stack: this label is the last (RFC 3032, section 2.1).
const MPLS_BOTTOM: u32 = 0x100;

/// What follows the last label. Each takes four bytes off `rest`, so the loop is bounded by the frame.
fn pop_labels(mut rest: &[u8]) -> Result<&[u8], Skip> {
    loop {
        let (label, behind) = header::<U32>(rest)?;
        if label.get() & MPLS_BOTTOM != 0 {
            return Ok(behind);
        }
        rest = behind;
    }
}

fn by_version(packet: &[u8]) -> Result<Network<'_>, Skip> {
    match packet.first().ok_or(Skip::ShortHeaders)? >> 4 {
        4 => Ok(Network::Ipv4(packet)),
        6 => Ok(Network::Ipv6(packet)),
        _ => Err(Skip::NotIp),
    }
}

/// `AF_INET` is 2 everywhere, `AF_INET6` what the system made it: Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin.
fn by_family(family: u32, packet: &[u8]) -> Result<Network<'_>, Skip> {
    match family {
        2 => Ok(Network::Ipv4(packet)),
        10 | 23 | 24 | 28 | 30 => Ok(Network::Ipv6(packet)),
        _ => Err(Skip::NotIp),
    }
}

fn header<T: FromBytes + KnownLayout + Immutable + Unaligned>(
    bytes: &[u8],
) -> Result<(&T, &[u8]), Skip> {
    T::ref_from_prefix(bytes).map_err(|_| Skip::ShortHeaders)
}

/// What Linux puts before a frame of no particular device.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
struct SllHeader {
    /// To us 0, broadcast 1, multicast 2, others' 3, sent by us 4.
    packet_type: U16,
    /// Kind of device.
    arphrd: U16,
    /// Bytes of the address that count.
    address_length: U16,
    /// Source station.
    address: [u8; 8],
    /// What follows: an ethertype, also of a tag.
    protocol: U16,
}

/// The second version, which names the device.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
struct Sll2Header {
    /// What follows: an ethertype, also of a tag.
    protocol: U16,
    /// 0.
    reserved: U16,
    /// Device.
    interface: U32,
    /// Kind of device.
    arphrd: U16,
    /// As in the first version.
    packet_type: u8,
    /// Bytes of the address that count.
    address_length: u8,
    /// Source station.
    address: [u8; 8],
}

const _: () = assert!(size_of::<SllHeader>() == 16);
const _: () = assert!(size_of::<Sll2Header>() == 20);

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
