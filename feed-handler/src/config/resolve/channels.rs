//! Channels and what their lines listen to.

use super::{Resolver, Taken, number};
use crate::config::defaults::*;
use crate::config::plan::{ChannelPlan, LinePlan};
use crate::config::{cme, file};
use crate::net::{InterfaceError, LineAddress};
use crate::protocol::announced_apart;
use feed_common::wire::ProtocolName;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// A channel that does not know its lane yet.
pub(super) struct Unplaced<'f> {
    pub file: &'f file::Channel,
    pub plan: ChannelPlan,
}

impl Unplaced<'_> {
    /// Its lines, each with the place that says it.
    fn lines(&self) -> impl Iterator<Item = (Range<usize>, &LineAddress)> {
        let list = self.file.config_xml.as_ref().map(Spanned::span);
        let place = move |i: usize| {
            let line = self.file.lines.get(i).map(|line| line.group.span());
            line.or(list.clone()).unwrap_or(0..0)
        };
        let lines = self.plan.lines.iter().enumerate();
        lines.map(move |(i, line)| (place(i), &line.address))
    }
}

impl Resolver<'_> {
    pub(super) fn channels<'f>(&mut self, channels: &'f [file::Channel]) -> Vec<Unplaced<'f>> {
        if channels.is_empty() {
            self.note(0..0, "no channel: expected at least one [[channel]]".into());
        }
        if let Some(beyond) = channels.get(CHANNELS_MAX) {
            self.wrong(&beyond.name, format!("more than {CHANNELS_MAX} channels"));
        }
        let mut taken = Taken::new();
        let mut all = Vec::with_capacity(channels.len());
        for file in channels {
            let name = self.name("channel", &file.name, &mut taken);
            all.push(Unplaced {
                file,
                plan: self.channel(name, file),
            });
        }
        all
    }

    /// No time at all means never.
    fn stale_after(&mut self, file: &file::Channel) -> Option<Duration> {
        let Some(limit) = &file.stale_after else {
            return Some(Duration::from_nanos(match file.protocol.get_ref().0 {
                ProtocolName::Mdp3 => CME_STALE_AFTER_NANOS,
                _ => STALE_AFTER_NANOS,
            }));
        };
        if limit.get_ref().0 > STALE_AFTER_NANOS_MAX {
            self.wrong(limit, "`stale_after` is too long: expected at most 24h");
        }
        Some(limit.get_ref().duration()).filter(|limit| !limit.is_zero())
    }

    fn channel(&mut self, name: String, file: &file::Channel) -> ChannelPlan {
        if file.lines.is_empty() && file.config_xml.is_none() {
            self.wrong(
                &file.name,
                format!("channel `{name}` has no line: expected at least one [[channel.line]]"),
            );
        }
        if let Some(beyond) = file.lines.get(LINES_PER_CHANNEL_MAX) {
            self.wrong(
                &beyond.name,
                format!("more than {LINES_PER_CHANNEL_MAX} lines in one channel"),
            );
        }
        if let Some(window) = &file.reorder_window
            && window.get_ref().0 > REORDER_WINDOW_NANOS_MAX
        {
            self.wrong(
                window,
                "`reorder_window` is too long: expected at most 1min",
            );
        }
        let window = file
            .reorder_window
            .as_ref()
            .map_or(REORDER_WINDOW_NANOS, |w| w.get_ref().0);
        let mut taken = Taken::new();
        let mut lines = Vec::with_capacity(file.lines.len());
        for line in &file.lines {
            let name = self.name("line", &line.name, &mut taken);
            lines.push(LinePlan {
                name,
                address: self.address(line),
                retransmission: line.retransmission.unwrap_or_default(),
            });
        }
        if !lines.is_empty() && lines.iter().all(|line| line.retransmission) {
            let expected = "expected a line without `retransmission`";
            self.wrong(&file.name, format!("nothing is sent first: {expected}"));
        }
        lines.extend(self.listed(file));
        let stash_packets = match file.snapshot {
            Some(_) => STASH_PACKETS_SNAPSHOT,
            None => STASH_PACKETS,
        };
        ChannelPlan {
            name,
            reorder_window: Duration::from_nanos(window),
            stale_after: self.stale_after(file),
            stash_packets: self.within(
                "stash_packets",
                number(&file.stash_packets, stash_packets),
                1..=STASH_PACKETS_MAX,
            ),
            definitions: self.definitions(file),
            join: self.join(file),
            recovery: self.recovery(file),
            snapshot: self.snapshot(file),
            lines,
        }
    }

    fn definitions(&mut self, file: &file::Channel) -> Option<PathBuf> {
        let path = file.definitions.as_ref()?;
        let protocol = file.protocol.get_ref().0;
        if !announced_apart(protocol) {
            self.wrong(
                path,
                format!("{protocol} names its instruments itself: expected no `definitions`"),
            );
        }
        Some(path.get_ref().clone())
    }

    /// The lines that the exchange's own list gives a channel.
    fn listed(&mut self, file: &file::Channel) -> Vec<LinePlan> {
        let Some(list) = &file.config_xml else {
            let alone = "expected `config_xml` beside it";
            if let Some(id) = &file.channel_id {
                self.wrong(id, format!("`channel_id`: {alone}"));
            }
            if let Some(interface) = &file.interface {
                self.wrong(interface, format!("`interface` of a channel: {alone}"));
            }
            return Vec::new();
        };
        if file.protocol.get_ref().0 != ProtocolName::Mdp3 {
            let expected = "expected `protocol = \"mdp3\"`";
            self.wrong(
                list,
                format!("`config_xml` lists CME's channels: {expected}"),
            );
        }
        if !file.lines.is_empty() {
            self.wrong(
                list,
                "`config_xml` has the lines: expected no [[channel.line]]",
            );
        }
        let (Some(id), Some(interface)) = (&file.channel_id, &file.interface) else {
            self.wrong(
                list,
                "expected `channel_id` and `interface` beside `config_xml`",
            );
            return Vec::new();
        };
        let interface = interface.get_ref().parse().map_err(|e: InterfaceError| {
            self.wrong(interface, e);
        });
        let found = cme::read(list.get_ref(), *id.get_ref());
        let found = found.map_err(|e| self.wrong(list, e));
        let (Ok(interface), Ok(found)) = (interface, found) else {
            return Vec::new();
        };
        let line = |connection: cme::Connection| LinePlan {
            name: connection.feed,
            address: LineAddress {
                group: connection.group,
                interface: Some(Clone::clone(&interface)),
                source: None,
            },
            retransmission: false,
        };
        found.into_iter().map(line).collect()
    }

    pub(super) fn address(&mut self, line: &file::Line) -> LineAddress {
        let group = self.group(&line.group);
        let multicast = group.ip().is_multicast();
        if multicast && line.interface.is_none() {
            let expected =
                "expected `interface` (a name or an IPv4 address) beside a multicast group";
            self.wrong(
                &line.group,
                format!("no interface to join {group} on: {expected}"),
            );
        }
        for extra in [&line.interface, &line.source].into_iter().flatten() {
            if !multicast && group != NOWHERE {
                self.wrong(
                    extra,
                    format!(
                        "{group} is not a multicast group: expected no `interface` and no `source`"
                    ),
                );
            }
        }
        let interface = line.interface.as_ref().and_then(|text| {
            text.get_ref()
                .parse()
                .map_err(|e: InterfaceError| self.wrong(text, e))
                .ok()
        });
        let source = line.source.as_ref().and_then(|text| self.source(text));
        LineAddress {
            group,
            interface,
            source,
        }
    }

    pub(super) fn group(&mut self, text: &Spanned<String>) -> SocketAddrV4 {
        let expected = "expected an IPv4 multicast group and port such as \"239.192.1.1:26477\", \
                        or an address in 127.0.0.0/8 for tests";
        let message = match text.get_ref().parse::<SocketAddrV4>() {
            Err(_) => expected.to_owned(),
            Ok(a) if a.port() == 0 => format!("port 0 cannot be listened to: {expected}"),
            Ok(a) if a.ip().is_multicast() || a.ip().is_loopback() => return a,
            Ok(a) => format!("{} is not a multicast group: {expected}", a.ip()),
        };
        self.wrong(text, message);
        NOWHERE
    }

    fn source(&mut self, text: &Spanned<String>) -> Option<Ipv4Addr> {
        let source = text.get_ref().parse::<Ipv4Addr>();
        let single = source
            .ok()
            .filter(|a| !a.is_multicast() && !a.is_broadcast() && !a.is_unspecified());
        if single.is_none() {
            self.wrong(
                text,
                "expected the IPv4 address of the one sender to listen to",
            );
        }
        single
    }

    /// Two lines of a lane that one packet would reach twice.
    pub(super) fn repeated_groups(&mut self, channels: &[&Unplaced<'_>]) {
        let lines: Vec<_> = channels.iter().flat_map(|c| c.lines()).collect();
        for (i, (text, line)) in lines.iter().enumerate() {
            let same = |(_, other): &&(Range<usize>, &LineAddress)| {
                let sources =
                    line.source.is_none() || other.source.is_none() || line.source == other.source;
                line.group.ip().is_multicast()
                    && line.group == other.group
                    && line.interface == other.interface
                    && sources
            };
            if let Some((first, _)) = lines[..i].iter().find(same) {
                let at = self.line_of(first.clone());
                let message = format!("{} is already a line of this lane (line {at})", line.group);
                self.note(text.clone(), message);
            }
        }
    }

    /// A unicast port can be bound once, whatever the lane.
    pub(super) fn unicast_ports<'f>(&mut self, channels: &'f [file::Channel]) {
        let mut taken: HashMap<SocketAddrV4, Range<usize>> = HashMap::new();
        let answers = |c: &'f file::Channel| c.recovery.iter().flat_map(|s| &s.lines);
        for text in channels
            .iter()
            .flat_map(|c| c.lines.iter().chain(answers(c)))
            .map(|l| &l.group)
        {
            let Ok(address) = text.get_ref().parse::<SocketAddrV4>() else {
                continue;
            };
            if address.ip().is_multicast() {
                continue;
            }
            if let Some(first) = taken.get(&address) {
                let at = self.line_of(first.clone());
                self.wrong(
                    text,
                    format!("{address} is already listened to (line {at})"),
                );
            }
            taken.entry(address).or_insert(text.span());
        }
    }
}

/// Stands for an address that was noted as wrong.
const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
