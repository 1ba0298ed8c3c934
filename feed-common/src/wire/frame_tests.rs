//! Tests of the walk to the payload and of the frame encoder.

use super::*;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

/// 192.168.0.1:0x1234 to 239.1.2.3:0x5678, payload "abc", four bytes of trailer; written out by hand.
const FRAME: [u8; 49] = [
    0x01, 0x00, 0x5E, 0x01, 0x02, 0x03, 0x02, 0x00, 0xC0, 0xA8, 0x00, 0x01, 0x08,
    0x00, // link
    0x45, 0x00, 0x00, 0x1F, 0x00, 0x07, 0x40, 0x00, 0x01, 0x11, 0xC8, 0x19, // network
    0xC0, 0xA8, 0x00, 0x01, 0xEF, 0x01, 0x02, 0x03, // addresses
    0x12, 0x34, 0x56, 0x78, 0x00, 0x0B, 0x00, 0x00, // transport
    b'a', b'b', b'c', 0xDE, 0xAD, 0xBE, 0xEF,
];
const IP: usize = 14;
const UDP: usize = 34;

fn flow() -> UdpFlow {
    UdpFlow::multicast(
        SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 1), 0x1234),
        SocketAddrV4::new(Ipv4Addr::new(239, 1, 2, 3), 0x5678),
    )
}

fn with(edits: &[(usize, u8)]) -> Vec<u8> {
    let mut frame = FRAME.to_vec();
    for &(at, value) in edits {
        frame[at] = value;
    }
    frame
}

fn skip(frame: &[u8]) -> Option<Skip> {
    contents(frame, LinkType::Ethernet).err()
}

#[track_caller]
fn datagram(frame: &[u8], link: LinkType) -> UdpDatagram<'_> {
    match contents(frame, link) {
        Ok(Contents::Datagram(datagram)) => datagram,
        other => panic!("{other:?}"),
    }
}

/// What a frame holds of its payload, and how much it lacks.
#[track_caller]
fn held(frame: &[u8]) -> (&[u8], u16) {
    let datagram = datagram(frame, LinkType::Ethernet);
    (datagram.payload, datagram.missing)
}

#[test]
fn headers_over_a_payload_have_both_checksums() {
    let headers = flow().headers_over(b"abc", 7).unwrap();
    assert_eq!(headers.ipv4.checksum.get(), 0xC819);
    // C0A8 + 0001 + EF01 + 0203 + 0011 + 000B + 1234 + 5678 + 000B + 6162 + 6300 = 2DEE2, folded DEE4.
    assert_eq!(headers.udp.checksum.get(), !0xDEE4);
    let long = vec![0; 65_508];
    assert_eq!(flow().headers_over(&long, 7), Err(PayloadTooLong(65_508)));
}

#[test]
fn walks_to_the_payload_and_leaves_the_trailer() {
    let d = datagram(&FRAME, LinkType::Ethernet);
    assert_eq!(d.src, IpAddr::from([192, 168, 0, 1]));
    assert_eq!(d.dst, IpAddr::from([239, 1, 2, 3]));
    assert_eq!((d.src_port, d.dst_port), (0x1234, 0x5678));
    assert_eq!((d.payload, d.missing), (&b"abc"[..], 0));
    assert_eq!(datagram(&FRAME[IP..], LinkType::Raw), d);
}

#[test]
fn encodes_the_same_frame() {
    let mut frame = vec![0xFF; 3];
    flow().encode(b"abc", 7, &mut frame).expect("fits");
    assert_eq!(frame, FRAME[..45]);
}

#[test]
fn options_are_stepped_over() {
    let mut frame = with(&[(IP, 0x46), (IP + 3, 0x23)]);
    frame.splice(UDP..UDP, [1, 1, 1, 0]);
    assert_eq!(held(&frame), (&b"abc"[..], 0));
}

#[test]
fn a_cut_frame_gives_what_it_holds_and_says_what_is_missing() {
    for cut in 0..42 {
        assert_eq!(
            skip(&FRAME[..cut]),
            Some(Skip::ShortHeaders),
            "cut at {cut}"
        );
    }
    for cut in 42..FRAME.len() {
        let whole = cut.min(45);
        let want = (&FRAME[42..whole], 45 - whole as u16);
        assert_eq!(held(&FRAME[..cut]), want, "cut at {cut}");
    }
}

#[test]
fn what_is_not_a_datagram_is_named() {
    for (what, edits, want) in [
        ("ARP", &[(13, 0x06)][..], Skip::NotIp),
        ("802.3", &[(12, 0), (13, 46)], Skip::NotIp),
        ("version 6", &[(IP, 0x65)], Skip::BadIpv4),
        ("header of 16", &[(IP, 0x44)], Skip::BadIpv4),
        ("total below header", &[(IP + 3, 19)], Skip::BadIpv4),
        ("TCP", &[(IP + 9, 6)], Skip::NotUdp),
        ("no room for UDP", &[(IP + 3, 27)], Skip::BadUdp),
        ("UDP length 7", &[(UDP + 5, 7)], Skip::BadUdp),
        ("UDP past IP", &[(UDP + 5, 12)], Skip::BadUdp),
    ] {
        assert_eq!(skip(&with(edits)), Some(want), "{what}");
    }
}

#[test]
fn a_fragment_is_handed_out_as_it_is() {
    for (edit, more, offset) in [((IP + 6, 0x20), true, 0), ((IP + 7, 0x01), false, 8)] {
        let frame = with(&[(IP + 6, 0), edit]);
        let want = Fragment {
            src: IpAddr::from([192, 168, 0, 1]),
            dst: IpAddr::from([239, 1, 2, 3]),
            protocol: 17,
            id: 7,
            offset,
            more,
            bytes: &FRAME[UDP..45],
        };
        let found = contents(&frame, LinkType::Ethernet);
        assert_eq!(found, Ok(Contents::Fragment(want)));
        assert_eq!(skip(&frame[..44]), Some(Skip::Truncated));
    }
}

#[test]
fn shorter_udp_than_ip_bounds_the_payload() {
    let d = with(&[(UDP + 5, 10)]);
    assert_eq!(held(&d), (&b"ab"[..], 0));
}

#[test]
fn total_length_zero_leaves_the_frame_as_bound() {
    let frame = with(&[(IP + 3, 0)]);
    assert_eq!(held(&frame), (&b"abc"[..], 0));
    assert_eq!(held(&frame[..44]), (&b"ab"[..], 1));
    assert_eq!(skip(&frame[..41]), Some(Skip::ShortHeaders));
}

#[test]
fn names_and_indices_are_distinct() {
    let mut names: Vec<_> = Skip::ALL.iter().map(|s| s.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Skip::ALL.len());
    for (i, s) in Skip::ALL.iter().enumerate() {
        assert_eq!(*s as usize, i);
    }
}

#[test]
fn longest_payload() {
    let mut frame = Vec::new();
    let payload = vec![9; 65_507];
    flow().encode(&payload, 0, &mut frame).expect("fits");
    assert_eq!(held(&frame), (&payload[..], 0));
    assert_eq!(
        flow().encode(&[0; 65_508], 0, &mut frame),
        Err(PayloadTooLong(65_508))
    );
}

proptest! {
    #[test]
    fn round_trip(payload in proptest::collection::vec(any::<u8>(), 0..2000), id: u16, pad in 0usize..64) {
        let mut frame = Vec::new();
        flow().encode(&payload, id, &mut frame).unwrap();
        frame.resize(frame.len() + pad, 0xAA);
        prop_assert_eq!(held(&frame), (&payload[..], 0));
        prop_assert_eq!(crate::wire::checksum::internet_checksum(&frame[IP..UDP]), 0);
    }
}
