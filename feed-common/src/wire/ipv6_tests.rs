//! Tests of the walk over extension headers.

use super::*;
use crate::wire::frame::UdpDatagram;

/// UDP 0x1234 to 0x5678 with payload "abc".
const UDP: [u8; 11] = [
    0x12, 0x34, 0x56, 0x78, 0x00, 0x0B, 0x00, 0x00, b'a', b'b', b'c',
];

/// From ::1 to ff02::2, `next` and what follows.
fn packet(next: u8, behind: &[&[u8]]) -> Vec<u8> {
    let behind = behind.concat();
    let mut packet = vec![0x6F, 0xFF, 0xFF, 0xFF, 0, 0, next, 64];
    packet[4..6].copy_from_slice(&(behind.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(behind);
    packet
}

/// The payload of a datagram, whole; one that the capture cut is [`Skip::Truncated`].
#[track_caller]
fn payload(packet: &[u8]) -> Result<&[u8], Skip> {
    match contents(packet)? {
        Contents::Datagram(d) if d.missing == 0 => Ok(d.payload),
        Contents::Datagram(_) => Err(Skip::Truncated),
        Contents::Fragment(fragment) => panic!("{fragment:?}"),
    }
}

/// Hop-by-hop of 8 bytes, routing of 24, authentication of 24, atomic fragment, destination of 16, in this order.
const EXTENSIONS: [&[u8]; 5] = [
    &[43, 0, 5, 2, 0, 0, 1, 0],
    &[
        51, 2, 4, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ],
    &[
        44, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    ],
    &[60, 0xFF, 0, 6, 1, 2, 3, 4],
    &[17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];

#[test]
fn extension_headers_of_every_kind_are_stepped_over() {
    let whole = packet(0, &[&EXTENSIONS.concat(), &UDP]);
    let d = UdpDatagram {
        src: "::1".parse().unwrap(),
        dst: "ff02::2".parse().unwrap(),
        src_port: 0x1234,
        dst_port: 0x5678,
        payload: b"abc",
        missing: 0,
    };
    assert_eq!(contents(&whole), Ok(Contents::Datagram(d)));
    for cut in 0..whole.len() {
        let want = match cut {
            ..=127 => Skip::ShortHeaders,
            _ => Skip::Truncated,
        };
        assert_eq!(payload(&whole[..cut]), Err(want), "cut at {cut}");
    }
}

#[test]
fn a_fragment_is_handed_out_as_it_is() {
    let header = [17, 0, 0x01, 0x01, 0xDE, 0xAD, 0xBE, 0xEF];
    let whole = packet(44, &[&header, b"12345678"]);
    let want = Fragment {
        src: "::1".parse().unwrap(),
        dst: "ff02::2".parse().unwrap(),
        protocol: 17,
        id: 0xDEADBEEF,
        offset: 0x100,
        more: true,
        bytes: b"12345678",
    };
    let trailer = [&whole[..], b"trailer"].concat();
    assert_eq!(contents(&trailer), Ok(Contents::Fragment(want)));
    for cut in 0..whole.len() {
        let want = match cut {
            ..48 => Skip::ShortHeaders,
            _ => Skip::Truncated,
        };
        assert_eq!(contents(&whole[..cut]), Err(want), "cut at {cut}");
    }
    let last = packet(44, &[&[60, 0, 0, 8, 0, 0, 0, 1], b"123"]);
    let Ok(Contents::Fragment(last)) = contents(&last) else {
        panic!("{:?}", contents(&last));
    };
    assert_eq!((last.protocol, last.offset, last.more), (60, 8, false));
    let tcp = packet(44, &[&[6, 0, 0, 8, 0, 0, 0, 1], b"123"]);
    assert_eq!(contents(&tcp), Err(Skip::NotUdp));
}

#[test]
fn what_is_not_a_datagram_is_named() {
    let with = |at: usize, value: u8| {
        let mut p = packet(60, &[EXTENSIONS[4], &UDP]);
        p[at] = value;
        p
    };
    for (what, bytes, want) in [
        ("version 4", with(0, 0x40), Skip::BadIpv6),
        ("TCP", packet(6, &[&[0; 20]]), Skip::NotUdp),
        ("ICMPv6", with(6, 58), Skip::NotUdp),
        ("encrypted", with(6, 50), Skip::NotUdp),
        ("nothing", packet(59, &[]), Skip::NotUdp),
        ("TCP behind options", with(40, 6), Skip::NotUdp),
        ("jumbogram", with(5, 0), Skip::BadIpv6),
        ("no length for UDP", packet(17, &[]), Skip::BadUdp),
        ("options past the packet", with(41, 3), Skip::BadIpv6),
        ("options leave 3 bytes", with(41, 2), Skip::BadUdp),
        ("packet ends in options", with(5, 15), Skip::BadIpv6),
        ("packet ends in UDP", with(5, 23), Skip::BadUdp),
        ("UDP past the packet", with(61, 12), Skip::BadUdp),
        ("UDP length 0", with(61, 0), Skip::BadUdp),
    ] {
        assert_eq!(payload(&bytes), Err(want), "{what}");
    }
}

#[test]
fn the_walk_is_bounded() {
    let options = [60, 0, 1, 4, 0, 0, 0, 0];
    let last = [17, 0, 1, 4, 0, 0, 0, 0];
    let most = packet(60, &[&options.repeat(EXTENSIONS_MAX - 1), &last, &UDP]);
    assert_eq!(payload(&most), Ok(&b"abc"[..]));
    let more = packet(60, &[&options.repeat(EXTENSIONS_MAX), &last, &UDP]);
    assert_eq!(payload(&more), Err(Skip::BadIpv6));
    assert_eq!(
        payload(&packet(60, &[&options.repeat(8000)])),
        Err(Skip::BadIpv6)
    );
}

#[test]
fn what_fragments_came_to_is_walked_the_same_way() {
    assert_eq!(segment(17, &UDP), Ok(&UDP[..]));
    let behind = [EXTENSIONS[4], &UDP].concat();
    assert_eq!(segment(60, &behind), Ok(&UDP[..]));
    assert_eq!(segment(6, &UDP), Err(Skip::NotUdp));
    let nested = [&[17, 0, 0, 1, 0, 0, 0, 1], &UDP[..]].concat();
    assert_eq!(segment(44, &nested), Err(Skip::BadIpv6));
}
