//! Captured frames down to their UDP payload.

use super::choices::Choices;
use feed_common::wire::frame::{Contents, LinkType, UdpFlow, contents};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The first byte picks what the frame begins with.
pub fn frames(data: &[u8]) {
    let mut choices = Choices(data);
    let link = LinkType::ALL[choices.small() as usize % LinkType::ALL.len()];
    let frame = choices.0;
    let inside = frame.as_ptr_range();
    let is_inside = |part: &[u8]| {
        let part = part.as_ptr_range();
        part.is_empty() || (inside.start <= part.start && part.end <= inside.end)
    };
    match contents(frame, link) {
        Ok(Contents::Datagram(datagram)) => {
            assert!(is_inside(datagram.payload));
            assert!(datagram.payload.len() + usize::from(datagram.missing) <= 65_535);
        }
        Ok(Contents::Fragment(fragment)) => {
            assert!(is_inside(fragment.bytes) && fragment.offset % 8 == 0);
        }
        Err(_) => {}
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
    let read = |frame| match contents(frame, LinkType::Ethernet) {
        Ok(Contents::Datagram(datagram)) => Some(datagram),
        Ok(Contents::Fragment(_)) => panic!("we made it whole"),
        Err(_) => None,
    };
    let whole = read(&frame).expect("we made it");
    assert_eq!((whole.payload, whole.missing), (payload, 0));
    assert_eq!(whole.dst_port, 4);
    let cut = payload.first().map_or(0, |&b| usize::from(b) * len / 256);
    if let Some(part) = read(&frame[..cut]) {
        assert_eq!(cut + usize::from(part.missing), len);
        assert!(part.missing > 0 && payload.starts_with(part.payload));
    }
}
