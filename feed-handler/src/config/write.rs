//! A plan back to a file, for programs that make their own configuration and for showing what is in effect.

use super::file::{self, File, Layout, ProtocolText};
use super::plan::{JournalPlan, LanePlan, LaneThreads, LinePlan, Plan, ServiceKind, ServicePlan};
use feed_common::config::{ByteSize, TimeSpan};
use toml::Spanned;

impl Plan {
    /// The plan as a configuration file with every value written out. Reading it back gives the same plan. Fails when
    /// the output folder's name is not UTF-8, which TOML cannot hold.
    ///
    /// # Panics
    ///
    /// When a consumer names a lane that the plan does not have, which only a plan made by hand can.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&file(self))
    }
}

fn file(plan: &Plan) -> File {
    let channels = plan
        .lanes
        .iter()
        .flat_map(|lane| lane.channels.iter().map(move |c| (lane, c)));
    File {
        session: file::Session {
            date: plan.session.date.map(|d| at(file::DateText(d.to_string()))),
            zone: plan.session.zone.map(|z| at(z.name().to_owned())),
        },
        process: file::Process {
            lock_memory: plan.lock_memory,
        },
        book: file::Book {
            keep: plan.book.keep,
            orders: count(plan.book.limits.orders),
            levels: count(plan.book.limits.levels),
            instruments: count(plan.book.limits.instruments),
            publish_bbo: Some(plan.book.publish_bbo),
        },
        publish: file::Publish {
            slots: count(plan.publish_slots),
            digest_every: Some(at(plan.digest_every)),
        },
        shared_memory: plan.shared_memory.as_ref().map(|s| file::SharedMemory {
            dir: at(s.dir.clone()),
            instruments: count(s.instruments as usize),
            mode: Some(at(format!("{:04o}", s.mode))),
            group: s.group.clone().map(at),
        }),
        subscribe: file::Subscribe {
            symbols: plan.symbols.iter().map(|g| at(g.to_string())).collect(),
        },
        control: file::Control {
            socket: plan.control.clone().map(at),
        },
        metrics: file::Metrics {
            listen: plan.metrics.map(at),
        },
        journal: plan.journal.as_ref().map(journal),
        latency: file::Latency {
            sample_messages: Some(at(plan.latency.sample_messages.into())),
            digits: Some(at(plan.latency.digits.into())),
        },
        output: file::Output {
            dir: plan.output_dir.clone(),
        },
        lanes: plan.lanes.iter().map(lane).collect(),
        channels: channels
            .map(|(lane, c)| file::Channel {
                name: at(c.name.clone()),
                protocol: at(ProtocolText(lane.protocol)),
                lane: at(lane.name.clone()),
                reorder_window: Some(at(TimeSpan::from(c.reorder_window))),
                stale_after: Some(at(TimeSpan::from(c.stale_after.unwrap_or_default()))),
                stash_packets: count(c.stash_packets),
                join: c.join,
                definitions: c.definitions.clone().map(at),
                config_xml: None, // what it says is in the lines
                channel_id: None,
                interface: None,
                recovery: c.recovery.as_ref().map(service),
                snapshot: c.snapshot.as_ref().map(service),
                lines: c.lines.iter().map(line).collect(),
            })
            .collect(),
        consumers: plan
            .consumers
            .iter()
            .map(|c| {
                let names = c.lanes.iter().map(|i| at(plan.lanes[*i].name.clone()));
                file::Consumer {
                    name: at(c.name.clone()),
                    kind: file::ConsumerKind::Blocking,
                    queue: count(c.queue),
                    when_full: c.when_full,
                    trust: c.trust,
                    lanes: Some(at(names.collect())),
                }
            })
            .collect(),
    }
}

fn journal(journal: &JournalPlan) -> file::Journal {
    file::Journal {
        dir: at(journal.dir.clone()),
        segment: Some(at(ByteSize(journal.segment as u64))),
        keep: journal.keep.map(at),
        queue: count(journal.queue),
        sync: journal.sync,
    }
}

fn lane(lane: &LanePlan) -> file::Lane {
    let (layout, core, receive_core, decode_core) = match lane.threads {
        LaneThreads::One { core } => (Layout::OneThread, core, None, None),
        LaneThreads::Two {
            receive_core,
            decode_core,
        } => (Layout::TwoThreads, None, receive_core, decode_core),
    };
    file::Lane {
        name: at(lane.name.clone()),
        layout,
        core: core.and_then(count),
        receive_core: receive_core.and_then(count),
        decode_core: decode_core.and_then(count),
        priority: lane.priority.map(|p| at(p.into())),
        batch: count(lane.batch),
        socket_buffer: Some(at(ByteSize(lane.socket_buffer as u64))),
        timestamps: lane.timestamps,
        ring: file::Ring {
            slots: count(lane.ring_slots),
            slot_bytes: count(lane.slot_bytes),
        },
    }
}

fn service(service: &ServicePlan) -> file::Service {
    let servers = service.servers.iter().map(|s| at(s.to_string()));
    let asked = service.kind != ServiceKind::Mdp3;
    let text = |text: &String| (!text.is_empty()).then(|| at(text.clone()));
    let by_id = service.kind == ServiceKind::Pillar;
    let name = |there: bool| there.then(|| text(&service.account.user)).flatten();
    file::Service {
        kind: at(service.kind),
        servers: at(servers.collect()),
        orders: (!service.orders.is_empty())
            .then(|| at(service.orders.iter().map(|s| at(s.to_string())).collect())),
        interface: service.interface.as_ref().map(|i| at(i.to_string())),
        user: name(!by_id),
        password: text(&service.account.password),
        attempts: asked.then(|| at(service.attempts.into())),
        answer: asked.then(|| at(TimeSpan::from(service.answer))),
        request_messages: matches!(service.kind, ServiceKind::MoldUdp64 | ServiceKind::Pillar)
            .then(|| at(service.request_messages.into())),
        requests_in_flight: (service.kind == ServiceKind::MoldUdp64)
            .then(|| at(service.requests_in_flight.into())),
        limit: asked.then(|| at(TimeSpan::from(service.limit))),
        source_id: name(by_id),
        product_id: by_id.then(|| at(service.feed.product.into())),
        channel_id: by_id.then(|| at(service.feed.channel.into())),
        lines: service.lines.iter().map(line).collect(),
    }
}

fn line(line: &LinePlan) -> file::Line {
    file::Line {
        name: at(line.name.clone()),
        group: at(line.address.group.to_string()),
        interface: line.address.interface.as_ref().map(|i| at(i.to_string())),
        source: line.address.source.map(|s| at(s.to_string())),
        retransmission: line.retransmission.then_some(true),
    }
}

fn count(n: usize) -> Option<Spanned<u64>> {
    Some(at(n as u64))
}

/// A value that stands nowhere in a file yet.
fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
