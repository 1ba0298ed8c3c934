//! The IPv6 header and its extension headers (RFC 8200, sections 3 and 4).

use std::net::IpAddr;

use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::contents::{Contents, Fragment, Skip};
use super::udp::{self, PROTOCOL_UDP};

/// The fixed 40 bytes; extension headers may follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv6Header {
    /// Version (6, highest 4 bits), traffic class (8), flow label (20).
    pub version_class_flow: U32,
    /// Bytes behind this header; 0 in jumbograms, which no UDP datagram of a feed is.
    pub payload_length: U16,
    /// What follows: an extension header or a protocol.
    pub next_header: u8,
    /// Hops left.
    pub hop_limit: u8,
    /// Source.
    pub src: [u8; 16],
    /// Destination.
    pub dst: [u8; 16],
}

impl Ipv6Header {
    /// Version; 6, or this is something else.
    #[inline]
    pub fn version(&self) -> u8 {
        (self.version_class_flow.get() >> 28) as u8
    }
}

/// The extension header of a fragment (RFC 8200, section 4.5).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct Ipv6FragmentHeader {
    /// What the whole begins with; that of the first fragment counts.
    pub next_header: u8,
    /// 0.
    pub reserved: u8,
    /// Offset in units of 8 bytes (13 bits), reserved (2), more fragments (1).
    pub fragment: U16,
    /// Groups the fragments of one datagram.
    pub id: U32,
}

/// Extension headers that are stepped over before a packet is refused: no stack sends as many.
pub const EXTENSIONS_MAX: usize = 16;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// What is in an IPv6 packet that is followed by anything.
pub(super) fn contents(packet: &[u8]) -> Result<Contents<'_>, Skip> {
    let (ip, rest) = Ipv6Header::ref_from_prefix(packet).map_err(|_| Skip::ShortHeaders)?;
    if ip.version() != 6 {
        return Err(Skip::BadIpv6);
    }
    let promised = ip.payload_length.get() as usize;
    let held = &rest[..promised.min(rest.len())];
    let (src, dst) = (IpAddr::from(ip.src), IpAddr::from(ip.dst));
    match upper_layer(ip.next_header, held, promised)? {
        Upper::Udp { at } => {
            let segment = held.get(at..).ok_or(Skip::ShortHeaders)?;
            udp::datagram(src, dst, segment, promised - at).map(Contents::Datagram)
        }
        Upper::Fragment { header, at } => {
            if held.len() < promised {
                return Err(Skip::Truncated);
            }
            // Only these can have a datagram behind them.
            if header.next_header != PROTOCOL_UDP && !is_extension(header.next_header) {
                return Err(Skip::NotUdp);
            }
            Ok(Contents::Fragment(Fragment {
                src,
                dst,
                protocol: header.next_header,
                id: header.id.get(),
                offset: header.fragment.get() & !7,
                more: header.fragment.get() & 1 != 0,
                bytes: &held[at..],
            }))
        }
    }
}

/// The UDP segment in what fragments of an IPv6 packet were put together to; it begins with what `protocol` says.
pub(crate) fn segment(protocol: u8, whole: &[u8]) -> Result<&[u8], Skip> {
    match upper_layer(protocol, whole, whole.len())? {
        Upper::Udp { at } => Ok(&whole[at..]),
        // A fragment of a fragment.
        Upper::Fragment { .. } => Err(Skip::BadIpv6),
    }
}

/// What stands behind the extension headers, `at` bytes after the first of them.
enum Upper {
    /// A UDP header.
    Udp { at: usize },
    /// Part of a datagram.
    Fragment {
        header: Ipv6FragmentHeader,
        at: usize,
    },
}

/// Steps over extension headers, the first of which is of kind `next`. The packet has `promised` bytes behind its
/// fixed header, of which the capture has `held`; `at` never leaves the promised ones.
fn upper_layer(mut next: u8, held: &[u8], promised: usize) -> Result<Upper, Skip> {
    let mut at = 0;
    for _ in 0..=EXTENSIONS_MAX {
        if next == PROTOCOL_UDP {
            return Ok(Upper::Udp { at });
        }
        if !is_extension(next) {
            return Err(Skip::NotUdp);
        }
        // The shortest has 8 bytes; the second byte is the length, except in a fragment's.
        if promised - at < 8 {
            return Err(Skip::BadIpv6);
        }
        let rest = held.get(at..).ok_or(Skip::ShortHeaders)?;
        let &[following, length, ..] = rest else {
            return Err(Skip::ShortHeaders);
        };
        let size = match next {
            FRAGMENT => 8,
            AUTHENTICATION => (length as usize + 2) * 4,
            _ => (length as usize + 1) * 8,
        };
        if promised - at < size {
            return Err(Skip::BadIpv6);
        }
        at += size;
        if next == FRAGMENT {
            let (&header, _) =
                Ipv6FragmentHeader::ref_from_prefix(rest).map_err(|_| Skip::ShortHeaders)?;
            // One with nothing before and nothing behind it is a whole datagram (RFC 6946).
            if header.fragment.get() & !6 != 0 {
                return Ok(Upper::Fragment { header, at });
            }
        }
        next = following;
    }
    Err(Skip::BadIpv6)
}

fn is_extension(next: u8) -> bool {
    matches!(
        next,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION
    )
}

const _: () = assert!(size_of::<Ipv6Header>() == 40);
const _: () = assert!(size_of::<Ipv6FragmentHeader>() == 8);

#[cfg(test)]
#[path = "ipv6_tests.rs"]
mod tests;
