//! Frames with every byte lying in turn, against the etherparse crate.
//!
//! It is asked only where the two mean the same: it does not know MPLS and the tag 0x9200, it knows authentication
//! headers behind IPv4 and MACsec, and takes a UDP or IPv6 length of 0 for a jumbogram's.

use etherparse::{
    IpNumber, Ipv6ExtensionSlice, LinkExtSlice, NetSlice, SlicedPacket, TransportSlice,
};

use super::frame::{Contents, Fragment, LinkType, Skip, UdpDatagram, contents, plain_datagram};

const MACS: [u8; 12] = [1, 0, 0x5E, 1, 2, 3, 2, 0, 0xC0, 0xA8, 0, 1];

const UDP: [u8; 11] = [
    0x12, 0x34, 0x56, 0x78, 0x00, 0x0B, 0x00, 0x00, b'a', b'b', b'c',
];

/// An IPv4 packet with `options` and these flags and offset.
fn ipv4(options: &[u8], fragment: u16) -> Vec<u8> {
    let length = 20 + options.len() + UDP.len();
    let mut packet = vec![0x45 + (options.len() / 4) as u8, 0, 0, length as u8, 0, 7];
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, 17, 0, 0, 192, 168, 0, 1, 239, 1, 2, 3]);
    [&packet, options, &UDP].concat()
}

/// An IPv6 packet with extension headers, the first of kind `next`.
fn ipv6(next: u8, extensions: &[u8]) -> Vec<u8> {
    let length = extensions.len() + UDP.len();
    let mut packet = vec![0x60, 0, 0, 0, 0, length as u8, next, 64];
    packet.extend([0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0xFF, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    [&packet, extensions, &UDP].concat()
}

/// A frame of each shape, with four bytes of trailer.
fn shapes() -> Vec<(LinkType, Vec<u8>)> {
    let hop_by_hop = [17, 0, 5, 2, 0, 0, 1, 0];
    let atomic_and_options = [
        60, 0, 0, 0, 0, 0, 0, 9, 17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let authentication = [17, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4];
    let middle = [17, 0, 0, 9, 0, 0, 0, 7];
    let packets = [
        ipv4(&[], 0x4000),
        ipv4(&[1, 1, 1, 0, 7, 4, 4, 0], 0),
        ipv4(&[], 0x2000),
        ipv4(&[], 0x0002),
        ipv6(17, &[]),
        ipv6(0, &hop_by_hop),
        ipv6(44, &atomic_and_options),
        ipv6(51, &authentication),
        ipv6(44, &middle),
    ];
    let mut shapes = Vec::new();
    for packet in packets {
        let packet = [&packet[..], &[0xDE, 0xAD, 0xBE, 0xEF]].concat();
        let ethertype: &[u8] = if packet[0] >> 4 == 4 {
            &[0x08, 0x00]
        } else {
            &[0x86, 0xDD]
        };
        shapes.push((LinkType::Ethernet, [&MACS, ethertype, &packet].concat()));
        let tags = [0x88, 0xA8, 0, 10, 0x81, 0, 0xE0, 11];
        shapes.push((
            LinkType::Ethernet,
            [&MACS[..], &tags, ethertype, &packet].concat(),
        ));
        shapes.push((LinkType::Raw, packet));
    }
    shapes
}

/// What the other one finds, where it means the same.
enum Theirs<'a> {
    Datagram {
        ports: (u16, u16),
        payload: &'a [u8],
    },
    Fragment {
        id: u32,
        offset: u16,
        more: bool,
        bytes: &'a [u8],
    },
    Other,
}

fn theirs(frame: &[u8], link: LinkType) -> Option<Theirs<'_>> {
    let packet = match link {
        LinkType::Ethernet => SlicedPacket::from_ethernet(frame).ok()?,
        _ => SlicedPacket::from_ip(frame).ok()?,
    };
    let tagged = |e: &LinkExtSlice<'_>| matches!(e, LinkExtSlice::Vlan(_));
    if !packet.link_exts.iter().all(tagged) {
        return None;
    }
    let (udp, fragment) = match packet.net.as_ref()? {
        NetSlice::Ipv4(ip) => {
            if !ip.extensions().is_empty() {
                return None;
            }
            let (header, bytes) = (ip.header(), ip.payload().payload);
            let fragment = Theirs::Fragment {
                id: header.identification().into(),
                offset: header.fragments_offset().value() * 8,
                more: header.more_fragments(),
                bytes,
            };
            let udp = header.protocol() == IpNumber::UDP;
            (udp, ip.is_payload_fragmented().then_some(fragment))
        }
        NetSlice::Ipv6(ip) => {
            if ip.header().payload_length() == 0 {
                return None;
            }
            let fragmenting = ip.extensions().clone().into_iter().find_map(|e| match e {
                Ipv6ExtensionSlice::Fragment(f) if f.is_fragmenting_payload() => Some(f),
                _ => None,
            });
            if fragmenting
                .as_ref()
                .is_some_and(|f| f.next_header() != IpNumber::UDP)
            {
                return None; // It steps over what is in the fragment, too.
            }
            let fragment = fragmenting.map(|f| Theirs::Fragment {
                id: f.identification(),
                offset: f.fragment_offset().value() * 8,
                more: f.more_fragments(),
                bytes: ip.payload().payload,
            });
            (ip.payload().ip_number == IpNumber::UDP, fragment)
        }
        NetSlice::Arp(_) => return Some(Theirs::Other),
    };
    match (packet.transport, fragment) {
        (None, Some(fragment)) if udp => Some(fragment),
        (Some(TransportSlice::Udp(udp)), None) if udp.length() > 0 => Some(Theirs::Datagram {
            ports: (udp.source_port(), udp.destination_port()),
            payload: udp.payload(),
        }),
        (Some(TransportSlice::Udp(_)), _) | (_, Some(_)) => None,
        _ => Some(Theirs::Other),
    }
}

/// The way for plain frames gives what the way for all of them gives, and leaves out none that is plain.
fn plain_agrees(frame: &[u8], link: LinkType, what: &str) {
    let plain = link == LinkType::Ethernet
        && frame.get(12..15) == Some(&[0x08, 0x00, 0x45])
        && frame.get(16..18) != Some(&[0, 0]);
    let whole = match contents(frame, link) {
        Ok(Contents::Datagram(d)) if plain && d.missing == 0 => Some(d),
        _ => None,
    };
    assert_eq!(plain_datagram(frame, link), whole, "{what}");
}

/// Returns whether the two could be compared.
fn agrees(frame: &[u8], link: LinkType, what: &str) -> bool {
    plain_agrees(frame, link, what);
    let ours = contents(frame, link);
    if let Ok(Contents::Datagram(UdpDatagram { payload: bytes, .. }))
    | Ok(Contents::Fragment(Fragment { bytes, .. })) = ours
    {
        let inside = frame.as_ptr_range().contains(&bytes.as_ptr()) || bytes.is_empty();
        assert!(inside && bytes.len() + 20 <= frame.len(), "{what}");
    }
    let Some(theirs) = theirs(frame, link) else {
        return false;
    };
    match (theirs, ours) {
        (Theirs::Datagram { ports, payload }, Ok(Contents::Datagram(d))) => {
            assert_eq!((d.src_port, d.dst_port), ports, "{what}");
            assert_eq!((d.payload, d.missing), (payload, 0), "{what}");
        }
        (
            Theirs::Fragment {
                id,
                offset,
                more,
                bytes,
            },
            Ok(Contents::Fragment(f)),
        ) => {
            assert_eq!((f.id, f.offset, f.more), (id, offset, more), "{what}");
            assert_eq!(f.bytes, bytes, "{what}");
        }
        (Theirs::Other, Err(_)) => {}
        // The tag it does not know.
        (Theirs::Other, Ok(_)) if frame.windows(2).any(|w| w == [0x92, 0x00]) => {}
        (_, ours) => panic!("{what}: {ours:?}"),
    }
    true
}

#[test]
fn every_byte_lies_in_turn() {
    let mut compared = 0;
    for (shape, (link, frame)) in shapes().into_iter().enumerate() {
        assert!(
            agrees(&frame, link, "as it is"),
            "shape {shape} is compared"
        );
        // The trailer lies too, to no effect.
        for at in 0..frame.len() {
            let mut lying = frame.clone();
            for value in 0..=u8::MAX {
                lying[at] = value;
                let what = format!("shape {shape}, {link}, byte {at} is {value}");
                compared += u32::from(agrees(&lying, link, &what));
            }
        }
    }
    assert!(compared > 200_000, "{compared}");
}

#[test]
fn every_cut_is_short_or_truncated() {
    for (link, frame) in shapes() {
        let whole = frame.len() - 4;
        for cut in 0..whole {
            plain_agrees(&frame[..cut], link, "cut");
            match contents(&frame[..cut], link) {
                Ok(Contents::Datagram(d)) => assert_eq!(d.missing as usize, whole - cut),
                Err(Skip::ShortHeaders | Skip::Truncated) => {}
                other => panic!("cut at {cut} of {frame:02X?}: {other:?}"),
            }
        }
        assert_eq!(contents(&frame[..whole], link), contents(&frame, link));
    }
}
