//! Captured frames down to their UDP payload.

use super::choices::Choices;
use feed_common::wire::frame::{Contents, LinkType, Skip, UdpFlow, contents, udp_payload};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The first byte picks what the frame begins with.
pub fn frames(data: &[u8]) {
    let mut choices = Choices(data);
    let link = LinkType::ALL[choices.small() as usize % LinkType::ALL.len()];
    let frame = choices.0;
    let (any, whole) = (contents(frame, link), udp_payload(frame, link));
    let inside = frame.as_ptr_range();
    let is_inside = |part: &[u8]| {
        let part = part.as_ptr_range();
        part.is_empty() || (inside.start <= part.start && part.end <= inside.end)
    };
    match any {
        Ok(Contents::Datagram(datagram)) => {
            assert!(is_inside(datagram.payload));
            assert!(datagram.payload.len() + usize::from(datagram.missing) <= 65_535);
            match datagram.missing {
                0 => assert_eq!(whole, Ok(datagram)),
                _ => assert_eq!(whole, Err(Skip::Truncated)),
            }
        }
        Ok(Contents::Fragment(fragment)) => {
            assert!(is_inside(fragment.bytes) && fragment.offset % 8 == 0);
            assert_eq!(whole, Err(Skip::Fragment));
        }
        Err(reason) => assert_eq!(whole, Err(reason)),
    }
    made(frame);
}

/// What we make is read back, whatever follows it, and cut anywhere it is never something else.
fn made(payload: &[u8]) {
    let group = SocketAddrV4::new(Ipv4Addr::new(239, 1, 2, 3), 4);
    let flow = UdpFlow::multicast(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5), group);
    let mut frame = Vec::new();
    if flow.encode(payload, 7, &mut frame).is_err() {
        return;
    }
    let len = frame.len();
    frame.extend_from_slice(&payload[..payload.len().min(9)]);
    let read = udp_payload(&frame, LinkType::Ethernet).expect("we made it");
    assert_eq!((read.payload, read.dst_port), (payload, 4));
    let cut = payload.first().map_or(0, |&b| usize::from(b) * len / 256);
    assert!(udp_payload(&frame[..cut], LinkType::Ethernet).is_err());
}
