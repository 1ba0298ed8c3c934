//! Which line a datagram belongs to, by where it was sent.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// Line numbers by group and port. A handful of lines is usual, so a sorted array beats any table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineMap {
    /// Sorted by key.
    lines: Box<[(u64, u16)]>,
}

/// Two lines with one address: a capture cannot tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lines {first} and {second} share the address {address}")]
pub struct DuplicateLine {
    /// The address.
    pub address: SocketAddrV4,
    /// The lower line.
    pub first: u16,
    /// The higher one.
    pub second: u16,
}

impl LineMap {
    /// From each line's group and port, and its number within the lane.
    pub fn new(
        lines: impl IntoIterator<Item = (SocketAddrV4, u16)>,
    ) -> Result<LineMap, DuplicateLine> {
        let mut lines: Vec<_> = lines
            .into_iter()
            .map(|(address, line)| (key(*address.ip(), address.port()), line))
            .collect();
        lines.sort_unstable();
        match lines.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(DuplicateLine {
                address: address(pair[0].0),
                first: pair[0].1,
                second: pair[1].1,
            }),
            None => Ok(LineMap {
                lines: lines.into(),
            }),
        }
    }

    /// The line of a group and port, if it is one. Lines have IPv4 groups, so one of IPv6 is never.
    #[inline]
    pub fn line(&self, group: IpAddr, port: u16) -> Option<u16> {
        let IpAddr::V4(group) = group else {
            return None;
        };
        let at = self
            .lines
            .binary_search_by_key(&key(group, port), |&(key, _)| key);
        at.ok().map(|i| self.lines[i].1)
    }
}

#[inline]
fn key(group: Ipv4Addr, port: u16) -> u64 {
    (u32::from(group) as u64) << 16 | port as u64
}

fn address(key: u64) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from((key >> 16) as u32), key as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_line_and_nothing_else() {
        let addresses: Vec<SocketAddrV4> = (0..40u8)
            .map(|i| SocketAddrV4::new(Ipv4Addr::new(239, 0, i % 5, 1), 30_000 + u16::from(i)))
            .collect();
        let map = LineMap::new(addresses.iter().copied().zip(0..)).expect("all differ");
        for (line, a) in (0..).zip(&addresses) {
            assert_eq!(map.line(IpAddr::V4(*a.ip()), a.port()), Some(line));
            assert_eq!(map.line(IpAddr::V4(*a.ip()), a.port() + 1000), None);
            assert_eq!(map.line(IpAddr::from([238, 0, 0, 1]), a.port()), None);
            let mapped = IpAddr::V6(a.ip().to_ipv6_mapped());
            assert_eq!(map.line(mapped, a.port()), None);
        }
        assert_eq!(
            LineMap::default().line(IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
            None
        );
    }

    #[test]
    fn one_address_twice_is_refused() {
        let a = SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 30_000);
        let refused = LineMap::new([(a, 5), (a, 2)]).expect_err("shared");
        assert_eq!(
            refused.to_string(),
            "lines 2 and 5 share the address 239.0.0.1:30000"
        );
    }
}
