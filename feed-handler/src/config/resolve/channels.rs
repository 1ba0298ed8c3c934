//! Channels and what their lines listen to.

use super::{Resolver, Taken, number};
use crate::config::defaults::*;
use crate::config::file;
use crate::config::plan::{ChannelPlan, LinePlan};
use crate::net::{InterfaceError, LineAddress};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// A channel that does not know its lane yet.
pub(super) struct Unplaced<'f> {
    pub file: &'f file::Channel,
    pub plan: ChannelPlan,
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

    fn channel(&mut self, name: String, file: &file::Channel) -> ChannelPlan {
        if file.lines.is_empty() {
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
            });
        }
        ChannelPlan {
            name,
            reorder_window: Duration::from_nanos(window),
            stash_packets: self.within(
                "stash_packets",
                number(&file.stash_packets, STASH_PACKETS),
                1..=STASH_PACKETS_MAX,
            ),
            lines,
        }
    }

    fn address(&mut self, line: &file::Line) -> LineAddress {
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

    fn group(&mut self, text: &Spanned<String>) -> SocketAddrV4 {
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
        let lines = channels
            .iter()
            .flat_map(|c| c.file.lines.iter().zip(&c.plan.lines));
        let lines: Vec<_> = lines
            .map(|(file, plan)| (&file.group, &plan.address))
            .collect();
        for (i, (text, line)) in lines.iter().enumerate() {
            let same = |(_, other): &&(&Spanned<String>, &LineAddress)| {
                let sources =
                    line.source.is_none() || other.source.is_none() || line.source == other.source;
                line.group.ip().is_multicast()
                    && line.group == other.group
                    && line.interface == other.interface
                    && sources
            };
            if let Some((first, _)) = lines[..i].iter().find(same) {
                let at = self.line_of(first.span());
                self.wrong(
                    text,
                    format!("{} is already a line of this lane (line {at})", line.group),
                );
            }
        }
    }

    /// A unicast port can be bound once, whatever the lane.
    pub(super) fn unicast_ports(&mut self, channels: &[file::Channel]) {
        let mut taken: HashMap<SocketAddrV4, Range<usize>> = HashMap::new();
        for text in channels.iter().flat_map(|c| &c.lines).map(|l| &l.group) {
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
