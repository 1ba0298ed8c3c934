//! Ethernet II with 802.1Q tags (IEEE 802.3, 802.1Q, 802.1ad).
//!
//! ```text
//! | dst 6 | src 6 | { 0x8100 | TCI 2 }* | ethertype 2 | payload |
//! ```

use std::net::Ipv4Addr;

use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Ethertype of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;

/// Ethertype of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86DD;

/// Ethertypes that announce MPLS labels: unicast, and what was multicast (RFC 5332).
pub const ETHERTYPES_MPLS: [u16; 2] = [0x8847, 0x8848];

/// Ethertypes that announce a tag: 802.1Q, 802.1ad, and two from before 802.1ad.
pub const ETHERTYPE_TAGS: [u16; 4] = [0x8100, 0x88A8, 0x9100, 0x9200];

/// A station address.
pub type Mac = [u8; 6];

/// The first 14 bytes of a frame.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct EthernetHeader {
    /// Destination.
    pub dst: Mac,
    /// Source.
    pub src: Mac,
    /// What follows; below 0x0600 it is an 802.3 length instead.
    pub ethertype: U16,
}

/// What stands between a tag's ethertype and the next ethertype, and that next one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct VlanTag {
    /// Priority (3 bits), drop eligible (1), VLAN (12).
    pub tci: U16,
    /// What follows the tag.
    pub ethertype: U16,
}

/// The group's station address: 01:00:5E and the low 23 bits of the group (RFC 1112, section 6.4).
pub const fn multicast_mac(group: Ipv4Addr) -> Mac {
    let [_, b, c, d] = group.octets();
    [0x01, 0x00, 0x5E, b & 0x7F, c, d]
}

/// The ethertype behind any number of tags, and the bytes behind it; `None` when the frame ends inside a tag. Each takes
/// four bytes off `rest`, so the loop is bounded by the frame.
pub fn peel_tags(mut ethertype: u16, mut rest: &[u8]) -> Option<(u16, &[u8])> {
    while ETHERTYPE_TAGS.contains(&ethertype) {
        let (tag, behind) = VlanTag::ref_from_prefix(rest).ok()?;
        ethertype = tag.ethertype.get();
        rest = behind;
    }
    Some((ethertype, rest))
}

const _: () = assert!(size_of::<EthernetHeader>() == 14);
const _: () = assert!(size_of::<VlanTag>() == 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_every_kind_are_peeled() {
        let tags = [
            0x00, 0x0A, 0x91, 0x00, 0x00, 0x0B, 0x92, 0x00, 0xE0, 0x0C, 0x81, 0x00, 0xFF, 0xFF,
            0x08, 0x00, 7,
        ];
        assert_eq!(peel_tags(0x88A8, &tags), Some((0x0800, &[7][..])));
        for cut in 0..16 {
            assert_eq!(peel_tags(0x88A8, &tags[..cut]), None, "cut at {cut}");
        }
        assert_eq!(peel_tags(0x88A8, &tags[..16]), Some((0x0800, &[][..])));
    }

    #[test]
    fn without_a_tag_everything_stays_as_it_is() {
        for ethertype in [0x0800, 0x0806, 0x002E] {
            assert_eq!(peel_tags(ethertype, &[1]), Some((ethertype, &[1][..])));
        }
    }

    #[test]
    fn group_addresses_lose_nine_bits() {
        assert_eq!(
            multicast_mac(Ipv4Addr::new(239, 255, 1, 2)),
            [0x01, 0x00, 0x5E, 0x7F, 1, 2]
        );
        assert_eq!(
            multicast_mac(Ipv4Addr::new(224, 127, 1, 2)),
            [0x01, 0x00, 0x5E, 0x7F, 1, 2]
        );
    }
}
