//! Tests of the way to the network layer, with frames written out by hand.

use super::*;
use crate::wire::frame::{Contents, UdpDatagram, contents};

/// 192.168.0.1:0x1234 to 239.1.2.3:0x5678, payload "abc".
const V4: [u8; 31] = [
    0x45, 0x00, 0x00, 0x1F, 0x00, 0x07, 0x40, 0x00, 0x01, 0x11, 0xC8, 0x19, 0xC0, 0xA8, 0x00, 0x01,
    0xEF, 0x01, 0x02, 0x03, // network
    0x12, 0x34, 0x56, 0x78, 0x00, 0x0B, 0x00, 0x00, b'a', b'b', b'c',
];

/// [fe80::1]:0x1234 to [ff15::2]:0x5678, payload "abc".
const V6: [u8; 51] = [
    0x60, 0x00, 0x00, 0x00, 0x00, 0x0B, 0x11, 0x01, // up to the hop limit
    0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // source
    0xFF, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // destination
    0x12, 0x34, 0x56, 0x78, 0x00, 0x0B, 0x00, 0x00, b'a', b'b', b'c',
];

const MACS: [u8; 12] = [1, 0, 0x5E, 1, 2, 3, 2, 0, 0xC0, 0xA8, 0, 1];

/// Sent by us, Ethernet, six bytes of address.
const SLL: [u8; 14] = [0, 4, 0, 1, 0, 6, 2, 0, 0xC0, 0xA8, 0, 1, 0, 0];

/// Behind the protocol: device 2, Ethernet, sent by us, six bytes of address.
const SLL2: [u8; 18] = [0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0xC0, 0xA8, 0, 1, 0, 0];

fn packet(version: u8) -> &'static [u8] {
    match version {
        4 => &V4,
        _ => &V6,
    }
}

/// Every way to a packet of each version: what it is, link type, version, the bytes before the packet.
fn ways() -> Vec<(&'static str, LinkType, u8, Vec<u8>)> {
    use LinkType::*;
    let ethernet = |rest: &[u8]| [&MACS, rest].concat();
    let sll = |rest: &[u8]| [&SLL, rest].concat();
    let sll2 = |[a, b]: [u8; 2], rest: &[u8]| [&[a, b], &SLL2[..], rest].concat();
    let mut ways = vec![
        ("untagged", Ethernet, 4, ethernet(&[0x08, 0x00])),
        ("untagged", Ethernet, 6, ethernet(&[0x86, 0xDD])),
        (
            "802.1ad and 802.1Q",
            Ethernet,
            4,
            ethernet(&[0x88, 0xA8, 0, 10, 0x81, 0, 0xE0, 11, 0x08, 0x00]),
        ),
        (
            "labels 16 and 17",
            Ethernet,
            4,
            ethernet(&[0x88, 0x47, 0, 1, 0, 64, 0, 1, 0x11, 64]),
        ),
        (
            "label 16 behind a tag",
            Ethernet,
            6,
            ethernet(&[0x81, 0, 0, 5, 0x88, 0x48, 0, 1, 0x01, 64]),
        ),
        ("either", Raw, 4, vec![]),
        ("either", Raw, 6, vec![]),
        ("one", Ipv4, 4, vec![]),
        ("one", Ipv6, 6, vec![]),
        ("network order", Loop, 4, vec![0, 0, 0, 2]),
        ("network order", Loop, 6, vec![0, 0, 0, 24]),
        ("little-endian", Null, 4, vec![2, 0, 0, 0]),
        ("big-endian", Null, 4, vec![0, 0, 0, 2]),
        ("plain", LinuxSll, 4, sll(&[0x08, 0x00])),
        ("plain", LinuxSll, 6, sll(&[0x86, 0xDD])),
        ("tagged", LinuxSll, 4, sll(&[0x81, 0, 0, 9, 0x08, 0x00])),
        ("plain", LinuxSll2, 4, sll2([0x08, 0x00], &[])),
        ("plain", LinuxSll2, 6, sll2([0x86, 0xDD], &[])),
        ("tagged", LinuxSll2, 6, sll2([0x81, 0], &[0, 9, 0x86, 0xDD])),
    ];
    for tag in [[0x81, 0x00], [0x88, 0xA8], [0x91, 0x00], [0x92, 0x00]] {
        let [a, b] = tag;
        ways.push(("one tag", Ethernet, 4, ethernet(&[a, b, 0, 7, 0x08, 0x00])));
        ways.push(("one tag", Ethernet, 6, ethernet(&[a, b, 0, 7, 0x86, 0xDD])));
    }
    for family in [10, 23, 24, 28, 30] {
        ways.push(("little-endian", Null, 6, vec![family, 0, 0, 0]));
        ways.push(("big-endian", Null, 6, vec![0, 0, 0, family]));
    }
    ways
}

#[test]
fn every_link_type_leads_to_the_datagram_wherever_the_frame_ends() {
    for (what, link, version, before) in ways() {
        let frame = [&before, packet(version), b"trailer"].concat();
        let Ok(Contents::Datagram(d)) = contents(&frame, link) else {
            panic!("{link}, {what}: {:?}", contents(&frame, link));
        };
        let (src, dst) = match version {
            4 => ("192.168.0.1", "239.1.2.3"),
            _ => ("fe80::1", "ff15::2"),
        };
        let whole = UdpDatagram {
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            src_port: 0x1234,
            dst_port: 0x5678,
            payload: &frame[frame.len() - 10..frame.len() - 7],
            missing: 0,
        };
        assert_eq!(d, whole, "{link}, {what}");

        let headers = frame.len() - 10;
        for cut in 0..frame.len() {
            let got = contents(&frame[..cut], link);
            if cut < headers {
                assert_eq!(got, Err(Skip::ShortHeaders), "{link}, {what}, cut at {cut}");
                continue;
            }
            let there = (cut - headers).min(3);
            let want = UdpDatagram {
                payload: &whole.payload[..there],
                missing: 3 - there as u16,
                ..whole
            };
            assert_eq!(
                got,
                Ok(Contents::Datagram(want)),
                "{link}, {what}, cut at {cut}"
            );
        }
    }
}

#[test]
fn what_is_not_ip_is_named() {
    use LinkType::*;
    let ethernet = |rest: &[u8]| [&MACS, rest, &V4].concat();
    for (what, link, frame) in [
        ("ARP", Ethernet, ethernet(&[0x08, 0x06])),
        ("802.3 length", Ethernet, ethernet(&[0x00, 0x1F])),
        (
            "ARP behind a tag",
            Ethernet,
            ethernet(&[0x81, 0, 0, 1, 0x08, 0x06]),
        ),
        (
            "pseudowire",
            Ethernet,
            [&ethernet(&[0x88, 0x47, 0, 1, 1, 64])[..18], &[0; 40]].concat(),
        ),
        ("802.2", LinuxSll, [&SLL[..], &[0, 4], &V4].concat()),
        ("nothing", LinuxSll2, [&[0, 0], &SLL2[..], &V4].concat()),
        ("AppleTalk", Null, [&[16, 0, 0, 0], &V4[..]].concat()),
        ("other order", Loop, [&[2, 0, 0, 0], &V4[..]].concat()),
        ("version 5", Raw, vec![0x55; 60]),
    ] {
        assert_eq!(contents(&frame, link), Err(Skip::NotIp), "{link}, {what}");
    }
    // The ethertype, the family or the link type decides, not the version behind it.
    for (link, before) in [(Ipv4, &[][..]), (Loop, &[0, 0, 0, 2])] {
        let frame = [before, &V6].concat();
        assert_eq!(contents(&frame, link), Err(Skip::BadIpv4), "{link}");
    }
    for (link, before) in [(Ipv6, &[][..]), (Null, &[30, 0, 0, 0])] {
        let frame = [before, &V4, &[0; 20]].concat();
        assert_eq!(contents(&frame, link), Err(Skip::BadIpv6), "{link}");
    }
}

#[test]
fn tags_and_labels_without_end_end_with_the_frame() {
    let tags = [&MACS[..], &[0x81, 0x00].repeat(100_000)].concat();
    assert_eq!(contents(&tags, LinkType::Ethernet), Err(Skip::ShortHeaders));
    let labels = [&MACS[..], &[0x88, 0x47], &[0; 200_000]].concat();
    assert_eq!(
        contents(&labels, LinkType::Ethernet),
        Err(Skip::ShortHeaders)
    );
}

#[test]
fn link_types_by_number() {
    for link in LinkType::ALL {
        assert_eq!(LinkType::try_from(link.number()), Ok(link));
    }
    assert_eq!(LinkType::LinuxSll.to_string(), "113 LINUX_SLL");
    assert_eq!(
        UnsupportedLinkType(147).to_string(),
        "link type 147 is not supported (supported: 0 NULL, 1 ETHERNET, 101 RAW, 108 LOOP, 113 LINUX_SLL, 228 IPV4, \
         229 IPV6, 276 LINUX_SLL2)"
    );
    let known = (0..=u16::MAX).filter_map(|n| LinkType::try_from(n).ok());
    assert!(known.eq(LinkType::ALL));
}
