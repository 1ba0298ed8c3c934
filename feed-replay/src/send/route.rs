//! Which of a capture's groups goes where.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, SocketAddrV4};

/// Most groups a replay sends to: one socket each.
const TARGETS_MAX: usize = 1_024;

/// From the group in the capture to the sender that takes its packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    targets: Vec<SocketAddrV4>,
    lines: BTreeMap<SocketAddr, usize>,
}

/// Why a route cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A group was mapped twice.
    #[error("{0} is mapped twice")]
    Twice(SocketAddr),
    /// A mapped group is not in the capture: most likely a slip.
    #[error("{0} is mapped, but the capture has no packets to it")]
    Absent(SocketAddr),
    /// Nothing would be sent.
    #[error("the capture has no UDP packets")]
    Empty,
    /// Nothing can keep its group.
    #[error("the capture's groups are IPv6, which is not sent to; name an IPv4 group with --group")]
    OnlyIpv6,
    /// More groups than sockets are opened for.
    #[error(
        "{0} groups are more than the {TARGETS_MAX} a replay sends to; name one with --group or some with --map"
    )]
    TooMany(usize),
}

impl Route {
    /// Routes the `streams` of a capture. A stream in `map` goes where that says; others go to `group` if there is
    /// one; without a map they otherwise keep their own group, unless it is IPv6; with a map they are not sent.
    pub fn new(
        streams: &BTreeSet<SocketAddr>,
        group: Option<SocketAddrV4>,
        map: &[(SocketAddr, SocketAddrV4)],
    ) -> Result<Route, RouteError> {
        if streams.is_empty() {
            return Err(RouteError::Empty);
        }
        let mut mapped = BTreeMap::new();
        for &(from, to) in map {
            if !streams.contains(&from) {
                return Err(RouteError::Absent(from));
            }
            if mapped.insert(from, to).is_some() {
                return Err(RouteError::Twice(from));
            }
        }
        let own = |stream| match stream {
            SocketAddr::V4(own) if map.is_empty() => Some(own),
            _ => None,
        };
        let mut route = Route {
            targets: Vec::new(),
            lines: BTreeMap::new(),
        };
        for &stream in streams {
            if let Some(target) = mapped
                .get(&stream)
                .copied()
                .or(group)
                .or_else(|| own(stream))
            {
                let line = route.line_of(target);
                route.lines.insert(stream, line);
            }
        }
        match route.targets.len() {
            0 => Err(RouteError::OnlyIpv6),
            n if n > TARGETS_MAX => Err(RouteError::TooMany(n)),
            _ => Ok(route),
        }
    }

    /// Where packets go; the index is the line.
    pub fn targets(&self) -> &[SocketAddrV4] {
        &self.targets
    }

    /// The line that takes the packets of a stream; `None` when they are not sent.
    #[inline]
    pub fn line(&self, stream: SocketAddr) -> Option<usize> {
        self.lines.get(&stream).copied()
    }

    fn line_of(&mut self, target: SocketAddrV4) -> usize {
        let known = self.targets.iter().position(|&t| t == target);
        known.unwrap_or_else(|| {
            self.targets.push(target);
            self.targets.len() - 1
        })
    }
}

/// Reads `ADDRESS:PORT`.
pub fn parse_target(text: &str) -> Result<SocketAddrV4, String> {
    let target: Option<SocketAddrV4> = text.parse().ok();
    target
        .filter(|t| t.port() != 0)
        .ok_or_else(|| format!("`{text}` is not an IPv4 address and port such as 239.1.1.1:5000"))
}

/// Reads `FROM=TO`, both `ADDRESS:PORT`; FROM may be IPv6, `[ADDRESS]:PORT`.
pub fn parse_map(text: &str) -> Result<(SocketAddr, SocketAddrV4), String> {
    let (from, to) = text.split_once('=').ok_or_else(|| {
        format!("`{text}` is not FROM=TO such as 233.54.12.1:26477=239.1.1.1:5000")
    })?;
    // Anything may stand in a capture, also what could not be sent to.
    let from = from
        .parse()
        .map_err(|_| format!("`{from}` is not an address and port"))?;
    Ok((from, parse_target(to)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddrV4 {
        parse_target(text).unwrap()
    }

    fn from(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn streams(texts: &[&str]) -> BTreeSet<SocketAddr> {
        texts.iter().map(|t| from(t)).collect()
    }

    #[test]
    fn without_anything_streams_keep_their_groups() {
        let groups = ["239.0.0.1:1", "239.0.0.2:1"];
        let all = streams(&groups);
        let route = Route::new(&all, None, &[]).unwrap();
        assert_eq!(route.targets(), groups.map(at));
        assert_eq!(route.line(from("239.0.0.2:1")), Some(1));
        assert_eq!(route.line(from("239.0.0.3:1")), None);
    }

    #[test]
    fn one_group_takes_all_and_maps_go_first() {
        let all = streams(&["239.0.0.1:1", "239.0.0.2:1", "239.0.0.3:1"]);
        let route = Route::new(&all, Some(at("239.9.9.9:9")), &[]).unwrap();
        assert_eq!(route.targets(), [at("239.9.9.9:9")]);
        let map = [parse_map("239.0.0.2:1=239.8.8.8:8").unwrap()];
        let route = Route::new(&all, Some(at("239.9.9.9:9")), &map).unwrap();
        assert_eq!(route.targets(), [at("239.9.9.9:9"), at("239.8.8.8:8")]);
        // A map alone sends only what it names.
        let route = Route::new(&all, None, &map).unwrap();
        assert_eq!(route.targets(), [at("239.8.8.8:8")]);
        assert_eq!(
            (
                route.line(from("239.0.0.1:1")),
                route.line(from("239.0.0.2:1"))
            ),
            (None, Some(0))
        );
    }

    #[test]
    fn what_was_sent_over_ipv6_is_sent_over_ipv4_where_that_is_named() {
        let six = "[ff15::1]:1";
        let both = streams(&["239.0.0.1:1", six]);
        let route = Route::new(&both, None, &[]).unwrap();
        assert_eq!(route.targets(), [at("239.0.0.1:1")]);
        assert_eq!(route.line(from(six)), None);
        assert_eq!(
            Route::new(&streams(&[six]), None, &[]),
            Err(RouteError::OnlyIpv6)
        );
        let route = Route::new(&both, Some(at("239.9.9.9:9")), &[]).unwrap();
        assert_eq!(route.line(from(six)), Some(0));
        let map = [parse_map("[ff15::1]:1=239.8.8.8:8").unwrap()];
        let route = Route::new(&both, None, &map).unwrap();
        assert_eq!(route.targets(), [at("239.8.8.8:8")]);
        assert_eq!(route.line(from(six)), Some(0));
    }

    #[test]
    fn slips_are_named() {
        let all = streams(&["239.0.0.1:1"]);
        let map = |text| parse_map(text).unwrap();
        assert_eq!(Route::new(&streams(&[]), None, &[]), Err(RouteError::Empty));
        assert_eq!(
            Route::new(&all, None, &[map("239.0.0.7:1=239.1.1.1:1")]),
            Err(RouteError::Absent(from("239.0.0.7:1")))
        );
        let twice = [
            map("239.0.0.1:1=239.1.1.1:1"),
            map("239.0.0.1:1=239.1.1.2:1"),
        ];
        assert_eq!(
            Route::new(&all, None, &twice),
            Err(RouteError::Twice(from("239.0.0.1:1")))
        );
        for bad in [
            "",
            "239.1.1.1",
            "239.1.1.1:0",
            "239.1.1.1:70000",
            "host:5000",
            "[::1]:5",
        ] {
            assert!(parse_target(bad).is_err(), "{bad}");
        }
        assert!(parse_map("239.1.1.1:5").is_err() && parse_map("239.1.1.1:5=").is_err());
        assert!(parse_map("0.0.0.0:0=239.1.1.1:5").is_ok());
    }
}
