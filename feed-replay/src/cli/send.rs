use super::OutputFormat;
use feed_common::capture::{Datagrams, Format};
use feed_common::program::{Failure, judge_cut, open_capture, print, print_line};
use feed_replay::info::Survey;
use feed_replay::schedule::Speed;
use feed_replay::send::{
    Column, Interface, OpenError, Outgoing, Route, SendReport, Sender, SenderOptions, parse_map,
    parse_target, replay,
};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Send a capture's UDP payloads to multicast on its original schedule
///
/// Packets go to --group, or where --map says for their original group, or else to the group they have in the capture;
/// with --map alone, other groups are not sent, and IPv6 groups only where --group or --map says so. Targets are
/// multicast groups or 127.0.0.0/8. The report gives the distance of the packets from their schedule: the start plus the
/// offset in the capture, divided by the speed. `service` is what the call took that sent a packet, `response` the time
/// from when it was due until that call had returned: a sender that was held up shows in the second only.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
        feed-replay send day.pcap --group 239.1.1.1:5000 --iface lo\n  \
        feed-replay send day.pcap --map 233.54.12.1:26477=239.1.1.1:5000 --iface eth1 --speed 10")]
pub struct Arguments {
    /// The capture; `-` is standard input
    file: PathBuf,
    /// Send everything to this group and port
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_target)]
    group: Option<SocketAddrV4>,
    /// Send the packets of one group of the capture to another; may be given many times
    #[arg(long, value_name = "FROM=TO", value_parser = parse_map)]
    map: Vec<(SocketAddr, SocketAddrV4)>,
    /// Interface to send through; there is no default, so that nothing is sent by accident
    #[arg(long, value_name = "NAME")]
    iface: String,
    /// Multiple of the capture's own speed, or `max`
    #[arg(long, default_value = "1", value_name = "SPEED")]
    speed: Speed,
    /// Send the capture this many times
    #[arg(long = "loop", default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// Hops a packet may go
    #[arg(long, default_value_t = 1, value_name = "HOPS")]
    ttl: u8,
    /// Source port; otherwise the system chooses
    #[arg(
        long,
        default_value_t = 0,
        value_name = "PORT",
        hide_default_value = true
    )]
    source_port: u16,
    /// Send nothing of a capture that is cut short, instead of warning
    #[arg(long)]
    strict: bool,
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = open_capture(&arguments.file)?;
    if file.format() == Format::BinaryFile {
        return Err(Failure::usage(format_args!(
            "{} has messages, but no packets and no times to send them at",
            arguments.file.display()
        )));
    }
    let survey = Survey::of(&file);
    judge_cut(&arguments.file, survey.cut, arguments.strict)?;
    let streams = survey.streams.keys().copied().collect();
    let route = Route::new(&streams, arguments.group, &arguments.map).map_err(Failure::usage)?;
    let interface = Interface::named(&arguments.iface).map_err(Failure::usage)?;
    let options = SenderOptions {
        ttl: arguments.ttl,
        source_port: arguments.source_port,
    };
    let mut senders = Vec::with_capacity(route.targets().len());
    for &target in route.targets() {
        senders.push(
            Sender::open(target, &interface, options).map_err(|e| match e {
                OpenError::Socket { .. } => Failure::running(e),
                _ => Failure::usage(e),
            })?,
        );
    }

    // The next pass begins one average gap after the last packet of this one.
    let span = survey.total.duration();
    let span = span + span / survey.total.packets.saturating_sub(1).max(1);
    let first = survey.total.first.0;
    let packets = (0..u64::from(arguments.passes)).flat_map(|pass| {
        let (mut datagrams, route) = (Datagrams::new(&file), &route);
        std::iter::from_fn(move || {
            loop {
                let found = datagrams.locate()?;
                let Some(line) = found.dst.and_then(|dst| route.line(dst)) else {
                    continue;
                };
                let offset = found.time.0.saturating_sub(first);
                return Some(Outgoing {
                    offset: offset.saturating_add(pass.saturating_mul(span)),
                    line,
                    payload: datagrams.lasting(&found),
                });
            }
        })
    });
    let stop = interrupted()?;
    let report = replay(packets, &senders, arguments.speed, &stop).map_err(Failure::running)?;
    let unrouted = survey
        .streams
        .iter()
        .filter(|(group, _)| route.line(**group).is_none());
    let unrouted = unrouted
        .map(|(_, known)| known.traffic.packets)
        .sum::<u64>()
        * u64::from(arguments.passes);
    // Without a map, only IPv6 keeps a stream from its own group.
    let (unmapped, ipv6) = match arguments.map.is_empty() {
        true => (0, unrouted),
        false => (unrouted, 0),
    };
    match arguments.format {
        OutputFormat::Text => print(&text(&report, unmapped, ipv6)),
        OutputFormat::Json => print_line(json(&report, unmapped, ipv6)),
    }
}

/// Set by the first interrupt, so that a replay broken off still reports; a second one ends the program at once.
pub(super) fn interrupted() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Registered first, so it sees the flag as the signals before this one left it.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn json(report: &SendReport, unmapped: u64, ipv6: u64) -> Value {
    json!({
        "packets": report.packets,
        "bytes": report.bytes,
        "duration_ns": report.duration,
        "packets_per_second": report.rate(),
        "retries": report.retries,
        "refused": report.refused,
        "unsent": report.unsent,
        "unmapped": unmapped,
        "ipv6": ipv6,
        "stopped": report.stopped,
        "schedule_error_ns": schedule_json(report),
        "service_ns": column_json(report.service),
        "response_ns": column_json(report.response),
    })
}

/// How far from its schedule a replay was; null without one.
pub(super) fn schedule_json(report: &SendReport) -> Value {
    report.schedule.map_or(
        Value::Null,
        |s| json!({"p50": s.p50, "p99": s.p99, "p999": s.p999, "max": s.max, "end": s.end}),
    )
}

/// Service or response; null where there is none.
pub(super) fn column_json(column: Option<Column>) -> Value {
    column.map_or(
        Value::Null,
        |c| json!({"p50": c.p50, "p99": c.p99, "p999": c.p999, "max": c.max}),
    )
}

/// Service and response, a line each.
pub(super) fn columns_text(report: &SendReport) -> String {
    let columns = [
        (report.service, "service ", "the call that sent it"),
        (report.response, "response", "when it was due"),
    ];
    let line = |(column, name, from): (Option<Column>, &str, &str)| {
        let c = column?;
        Some(format!(
            "{name}  p50 {}, p99 {}, p99.9 {}, max {} from {from} until a packet was sent\n",
            micros_text(c.p50),
            micros_text(c.p99),
            micros_text(c.p999),
            micros_text(c.max),
        ))
    };
    columns.into_iter().filter_map(line).collect()
}

fn text(report: &SendReport, unmapped: u64, ipv6: u64) -> String {
    let (seconds, micros) = (
        report.duration / 1_000_000_000,
        report.duration / 1_000 % 1_000_000,
    );
    let mut out = format!(
        "sent      {} packets, {} bytes in {seconds}.{micros:06} s: {} packets/s\n",
        report.packets,
        report.bytes,
        report.rate(),
    );
    match report.schedule {
        Some(s) => {
            out += &format!(
                "schedule  late by p50 {}, p99 {}, p99.9 {}, max {}; {} at the end\n",
                micros_text(s.p50),
                micros_text(s.p99),
                micros_text(s.p999),
                micros_text(s.max),
                micros_text(s.end),
            )
        }
        None => out += "schedule  none: as fast as possible\n",
    }
    out += &columns_text(report);
    if report.stopped {
        out += "note      stopped before the last packet\n";
    }
    for (count, what) in [
        (
            report.retries,
            "calls repeated because the system had no room",
        ),
        (report.refused, "calls refused because nobody listened"),
        (report.unsent, "packets NOT sent: the system never had room"),
        (unmapped, "packets not sent: their group is not mapped"),
        (ipv6, "packets not sent: their group is IPv6"),
    ] {
        if count > 0 {
            out += &format!("note      {count} {what}\n");
        }
    }
    out
}

pub(super) fn micros_text(nanos: u64) -> String {
    format!("{}.{:03} µs", nanos / 1_000, nanos % 1_000)
}
