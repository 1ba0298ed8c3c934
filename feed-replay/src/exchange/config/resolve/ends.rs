//! Lines and servers: where an exchange is heard and asked.

use super::{MINUTE, MS, Resolver, file};
use crate::exchange::{Limits, LinePlan, LoopPlan, LoopTiming, ServerPlan, Service};
use crate::send::SenderOptions;
use std::net::SocketAddrV4;
use toml::Spanned;

/// One socket, and one thread or one share of the packets, for each.
const LINES_MAX: usize = 16;
/// See [`LINES_MAX`].
const SERVERS_MAX: usize = 16;

fn options(ttl: Option<u8>, source_port: Option<u16>) -> SenderOptions {
    let usual = SenderOptions::default();
    SenderOptions {
        ttl: ttl.unwrap_or(usual.ttl),
        source_port: source_port.unwrap_or(usual.source_port),
    }
}

impl Resolver {
    pub(super) fn lines(&mut self, lines: &[file::Line]) -> Vec<LinePlan> {
        if lines.is_empty() {
            self.note(0..0, "no line: expected at least one [[line]]".into());
        }
        if let Some(beyond) = lines.get(LINES_MAX) {
            self.wrong(&beyond.name, format!("more than {LINES_MAX} lines"));
        }
        let mut plans = Vec::<LinePlan>::new();
        for line in lines {
            let name = self.name("line", &line.name, plans.iter().map(|plan| &plan.name));
            let Some(target) = self.target(&line.group) else {
                continue;
            };
            plans.push(LinePlan {
                name,
                target,
                interface: line.interface.clone(),
                options: options(line.ttl, line.source_port),
                faults: self.faults(&line.faults),
            });
        }
        plans
    }

    pub(super) fn loops(&mut self, loops: &[file::Loop]) -> Vec<LoopPlan> {
        if let Some(beyond) = loops.get(LINES_MAX) {
            self.wrong(&beyond.name, format!("more than {LINES_MAX} loops"));
        }
        let mut plans = Vec::<LoopPlan>::new();
        for each in loops {
            let names = plans.iter().map(|plan| &plan.line.name);
            let name = self.name("loop", &each.name, names);
            let Some(target) = self.target(&each.group) else {
                continue;
            };
            let usual = LoopTiming::default();
            let bytes = usual.payload as u64;
            plans.push(LoopPlan {
                line: LinePlan {
                    name,
                    target,
                    interface: each.interface.clone(),
                    options: options(each.ttl, each.source_port),
                    faults: self.faults(&each.faults),
                },
                timing: LoopTiming {
                    orders: each.orders,
                    period: self.time("period", &each.period, usual.period, MS..=MINUTE),
                    spacing: self.time("spacing", &each.spacing, usual.spacing, 1_000..=MINUTE),
                    payload: self.within("payload", &each.payload, bytes, 128..=65_507) as usize,
                },
            });
        }
        plans
    }

    /// Where packets may be sent.
    fn target(&mut self, group: &Spanned<String>) -> Option<SocketAddrV4> {
        let target = self.address(group)?;
        if !(target.ip().is_multicast() || target.ip().is_loopback()) {
            let what =
                "neither a multicast group nor in 127.0.0.0/8: packets are sent nowhere else";
            self.wrong(group, format!("{target} is {what}"));
        } else if target.port() == 0 {
            self.wrong(group, "expected a port other than 0");
        }
        Some(target)
    }

    pub(super) fn servers(&mut self, servers: &[file::Server]) -> Vec<ServerPlan> {
        if let Some(beyond) = servers.get(SERVERS_MAX) {
            self.wrong(&beyond.kind, format!("more than {SERVERS_MAX} servers"));
        }
        let mut plans = Vec::<ServerPlan>::new();
        for (i, server) in servers.iter().enumerate() {
            let name = match &server.name {
                Some(name) => self.name("server", name, plans.iter().map(|plan| &plan.name)),
                None => format!("{}", i + 1),
            };
            let Some(address) = self.address(&server.address) else {
                continue;
            };
            let ip = address.ip();
            if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() {
                self.wrong(
                    &server.address,
                    format!("{ip} is no address of one machine"),
                );
            } else if !ip.is_loopback() && server.interface.is_none() {
                self.wrong(
                    &server.address,
                    format!("{ip} is not in 127.0.0.0/8: expected `interface` beside it"),
                );
            }
            plans.push(ServerPlan {
                name,
                address,
                interface: server.interface.clone(),
                service: self.service(server),
                faults: self.faults(&server.faults),
            });
        }
        plans
    }

    fn service(&mut self, server: &file::Server) -> Service {
        let service = match server.kind.get_ref() {
            file::Kind::MoldUdp64 => return Service::MoldUdp64(self.limits(server)),
            file::Kind::SoupBinTcp => Service::SoupBinTcp,
            file::Kind::Glimpse => Service::Glimpse,
        };
        let limits = [
            ("payload", &server.payload),
            ("packets", &server.packets),
            ("messages", &server.messages),
            ("requests_per_second", &server.requests_per_second),
            ("keep", &server.keep),
        ];
        for (key, limit) in limits {
            let place = limit.as_ref().map(Spanned::span);
            self.out_of_place(key, place, "it limits the answers of moldudp64");
        }
        service
    }

    fn limits(&mut self, server: &file::Server) -> Limits {
        let usual = Limits::default();
        let mut within = |key, number: &Option<Spanned<u64>>, usual: u64, range| {
            self.within(key, number, usual, range)
        };
        let second = u64::from(usual.requests_per_second);
        Limits {
            payload: within(
                "payload",
                &server.payload,
                usual.payload as u64,
                64..=65_507,
            ) as usize,
            packets: within("packets", &server.packets, usual.packets.into(), 1..=1_000) as u16,
            messages: within(
                "messages",
                &server.messages,
                usual.messages.into(),
                1..=65_534,
            ) as u16,
            requests_per_second: within(
                "requests_per_second",
                &server.requests_per_second,
                second,
                0..=1_000_000,
            ) as u32,
            keep: within("keep", &server.keep, usual.keep, 0..=u64::MAX),
        }
    }

    /// An IPv4 address with a port; a server's may be 0.
    fn address(&mut self, text: &Spanned<String>) -> Option<SocketAddrV4> {
        let address = text.get_ref().parse().ok();
        if address.is_none() {
            self.wrong(
                text,
                "expected an IPv4 address and port such as \"239.1.1.1:5000\"",
            );
        }
        address
    }
}
