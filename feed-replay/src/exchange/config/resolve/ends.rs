//! Lines and servers: where an exchange is heard and asked.

use super::{MINUTE, MS, Resolver, file};
use crate::exchange::{Limits, LinePlan, LoopPlan, LoopTiming, PillarLimits, ServerPlan, Service};
use crate::send::SenderOptions;
use std::net::{Ipv4Addr, SocketAddrV4};
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
        let kind = *server.kind.get_ref();
        let place = |number: &Option<Spanned<u64>>| number.as_ref().map(Spanned::span);
        let (mold, pillar) = match kind {
            file::Kind::MoldUdp64 => (true, false),
            file::Kind::Pillar => (false, true),
            file::Kind::SoupBinTcp | file::Kind::Glimpse => (false, false),
        };
        let limits = [
            ("payload", &server.payload, mold || pillar),
            ("packets", &server.packets, mold),
            ("messages", &server.messages, mold || pillar),
            ("requests_per_second", &server.requests_per_second, mold),
            ("keep", &server.keep, mold || pillar),
        ];
        for (key, limit, fits) in limits {
            if !fits {
                self.out_of_place(key, place(limit), "it limits the answers of moldudp64");
            }
        }
        let ids = [
            ("requests", place(&server.requests)),
            ("product_id", place(&server.product_id)),
            ("channel_id", place(&server.channel_id)),
            ("group", server.group.as_ref().map(Spanned::span)),
        ];
        for (key, place) in ids {
            if !pillar {
                self.out_of_place(key, place, "it is for `kind = \"pillar\"`");
            }
        }
        match kind {
            file::Kind::MoldUdp64 => Service::MoldUdp64(self.limits(server)),
            file::Kind::SoupBinTcp => Service::SoupBinTcp,
            file::Kind::Glimpse => Service::Glimpse,
            file::Kind::Pillar => Service::Pillar {
                limits: self.pillar_limits(server),
                group: self.answers(server),
            },
        }
    }

    /// Where the answers of a server go that are for everybody.
    fn answers(&mut self, server: &file::Server) -> SocketAddrV4 {
        let nowhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let Some(text) = &server.group else {
            self.wrong(&server.kind, "answers go to a group: expected `group`");
            return nowhere;
        };
        let Some(group) = self.address(text) else {
            return nowhere;
        };
        if !(group.ip().is_multicast() || group.ip().is_loopback()) || group.port() == 0 {
            let what = "neither a multicast group with a port nor in 127.0.0.0/8";
            self.wrong(text, format!("{group} is {what}"));
        } else if group.ip().is_multicast() && server.interface.is_none() {
            self.wrong(
                text,
                "a group is reached through an interface: expected `interface`",
            );
        }
        group
    }

    fn pillar_limits(&mut self, server: &file::Server) -> PillarLimits {
        let usual = PillarLimits::default();
        let most = u64::from(usual.messages);
        let bytes = usual.payload as u64;
        let mut within = |key, number: &Option<Spanned<u64>>, usual: u64, range| {
            self.within(key, number, usual, range)
        };
        let id = 0..=u64::from(u8::MAX);
        PillarLimits {
            messages: within("messages", &server.messages, most, 1..=most) as u32,
            requests: within(
                "requests",
                &server.requests,
                usual.requests.into(),
                0..=u32::MAX.into(),
            ) as u32,
            keep: within("keep", &server.keep, usual.keep, 0..=u64::MAX),
            payload: within("payload", &server.payload, bytes, 64..=bytes) as usize,
            product_id: within(
                "product_id",
                &server.product_id,
                usual.product_id.into(),
                id.clone(),
            ) as u8,
            channel_id: within(
                "channel_id",
                &server.channel_id,
                usual.channel_id.into(),
                id,
            ) as u8,
        }
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
