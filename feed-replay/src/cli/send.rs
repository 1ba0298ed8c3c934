use super::OutputFormat;
use clap::ValueEnum;
use feed_common::capture::Format;
use feed_common::config::TimeSpan;
use feed_common::program::{Failure, judge_cut, open_capture, print, print_line, warn};
use feed_replay::info::Survey;
use feed_replay::schedule::Speed;
use feed_replay::send::{
    Column, Interface, NoFrames, OpenError, Route, SendReport, SenderOptions, SocketChoice,
    SocketKind, captured, open, parse_map, parse_target, replay,
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
///
/// Packets leave through UDP sockets (`udp`), or as whole Ethernet frames through a packet socket (`raw`), which costs the
/// system less. `auto` takes frames where all targets are multicast groups that nobody on this machine has joined, the
/// interface is an Ethernet device with an IPv4 address, and packet sockets are permitted (CAP_NET_RAW); members that join
/// on this machine later do not hear frames. Packets longer than the interface takes whole go through a UDP socket in any
/// case, and in parts.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
        feed-replay send day.pcap --group 239.1.1.1:5000 --iface lo\n  \
        feed-replay send day.pcap --map 233.54.12.1:26477=239.1.1.1:5000 --iface eth1 --speed 10\n  \
        feed-replay send day.pcap --iface eth1 --socket raw --max-error 50us")]
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
    /// What packets leave through
    #[arg(long, default_value = "auto", value_name = "KIND")]
    socket: SocketArgument,
    /// Let runs of packets of one size to one target, due together, leave as one that is cut up behind the UDP socket;
    /// a capture on the way may see them whole
    #[arg(long)]
    offload: bool,
    /// Put frames past the interface's queue, where captures on the interface do not see them
    #[arg(long)]
    bypass: bool,
    /// End with status 3 when a packet was sent later than this after it was due, such as 50us
    #[arg(long, value_name = "TIME")]
    max_error: Option<TimeSpan>,
    /// Send nothing of a capture that is cut short, instead of warning
    #[arg(long)]
    strict: bool,
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SocketArgument {
    /// Frames where that is possible, else UDP
    Auto,
    /// UDP sockets
    Udp,
    /// Frames, or nothing
    Raw,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = open_capture(&arguments.file)?;
    if file.format() == Format::BinaryFile {
        return Err(Failure::usage(format_args!(
            "{} has messages, but no packets and no times to send them at",
            arguments.file.display()
        )));
    }
    let choice = arguments.choice()?;
    let survey = Survey::of(&file);
    judge_cut(&arguments.file, survey.cut, arguments.strict)?;
    let streams = survey.streams.keys().copied().collect();
    let route = Route::new(&streams, arguments.group, &arguments.map).map_err(Failure::usage)?;
    let interface = Interface::named(&arguments.iface).map_err(failure)?;
    if !interface.has_carrier() {
        warn(format_args!(
            "interface `{}` has no carrier: what is sent is lost",
            interface.name()
        ));
    }
    let options = SenderOptions {
        ttl: arguments.ttl,
        source_port: arguments.source_port,
    };
    let opened = open(route.targets(), &interface, options, choice).map_err(failure)?;
    let packets = captured(&file, &survey, &route, arguments.passes);
    let stop = interrupted()?;
    let report =
        replay(packets, &opened.senders, arguments.speed, &stop).map_err(Failure::running)?;
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
    let outcome = Outcome {
        report,
        kind: opened.kind,
        instead: opened.instead,
        unmapped,
        ipv6,
    };
    match arguments.format {
        OutputFormat::Text => print(&outcome.text())?,
        OutputFormat::Json => print_line(outcome.json())?,
    }
    judge_error(&outcome.report, arguments.max_error)
}

impl Arguments {
    fn choice(&self) -> Result<SocketChoice, Failure> {
        let kind = match self.socket {
            SocketArgument::Auto => None,
            SocketArgument::Udp => Some(SocketKind::Udp),
            SocketArgument::Raw => Some(SocketKind::Raw),
        };
        if self.bypass && kind != Some(SocketKind::Raw) {
            return Err(Failure::usage(
                "--bypass is of frames: it needs --socket raw",
            ));
        }
        if self.max_error.is_some() && self.speed == Speed::Max {
            return Err(Failure::usage(
                "--max-error needs a schedule, which --speed max has not",
            ));
        }
        Ok(SocketChoice {
            kind,
            offload: self.offload,
            bypass: self.bypass,
        })
    }
}

fn failure(e: OpenError) -> Failure {
    match e.is_usage() {
        true => Failure::usage(e),
        false => Failure::running(e),
    }
}

fn judge_error(report: &SendReport, most: Option<TimeSpan>) -> Result<(), Failure> {
    match (report.schedule, most) {
        (Some(s), Some(most)) if s.max > most.0 => Err(Failure::verdict(format_args!(
            "a packet was sent {} after it was due, more than --max-error {most}",
            micros_text(s.max)
        ))),
        _ => Ok(()),
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

/// What is reported.
struct Outcome {
    report: SendReport,
    kind: SocketKind,
    /// Why it is not frames, where that was left open.
    instead: Option<NoFrames>,
    /// Packets of groups that are not mapped.
    unmapped: u64,
    /// Packets of IPv6 groups.
    ipv6: u64,
}

impl Outcome {
    fn json(&self) -> Value {
        let report = &self.report;
        json!({
            "packets": report.packets,
            "bytes": report.bytes,
            "duration_ns": report.duration,
            "packets_per_second": report.rate(),
            "peak_packets_per_millisecond": report.peak,
            "socket": self.kind.name(),
            "socket_reason": self.instead.as_ref().map(NoFrames::to_string),
            "calls": report.calls,
            "in_runs": report.in_runs,
            "in_parts": report.in_parts,
            "retries": report.retries,
            "refused": report.refused,
            "unsent": report.unsent,
            "unmapped": self.unmapped,
            "ipv6": self.ipv6,
            "stopped": report.stopped,
            "schedule_error_ns": schedule_json(report),
            "service_ns": column_json(report.service),
            "response_ns": column_json(report.response),
        })
    }

    fn text(&self) -> String {
        let report = &self.report;
        let (seconds, micros) = (
            report.duration / 1_000_000_000,
            report.duration / 1_000 % 1_000_000,
        );
        let mut out = format!(
            "sent      {} packets, {} bytes in {seconds}.{micros:06} s: {} packets/s, {} in the busiest millisecond\n",
            report.packets,
            report.bytes,
            report.rate(),
            report.peak,
        );
        out += &self.socket_text();
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
                report.in_parts,
                "packets sent in parts: they are longer than the interface takes whole",
            ),
            (
                report.retries,
                "calls repeated because the system had no room",
            ),
            (report.refused, "calls refused because nobody listened"),
            (report.unsent, "packets NOT sent: the system never had room"),
            (self.unmapped, "packets not sent: their group is not mapped"),
            (self.ipv6, "packets not sent: their group is IPv6"),
        ] {
            if count > 0 {
                out += &format!("note      {count} {what}\n");
            }
        }
        out
    }

    fn socket_text(&self) -> String {
        let calls = self.report.calls;
        match (self.kind, &self.instead) {
            (SocketKind::Raw, _) => format!(
                "socket    raw, {calls} calls: frames, which members on this machine do not hear\n"
            ),
            (SocketKind::Udp, None) => format!("socket    udp, {calls} calls\n"),
            (SocketKind::Udp, Some(instead)) => {
                format!("socket    udp, {calls} calls; not raw: {instead}\n")
            }
        }
    }
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

pub(super) fn micros_text(nanos: u64) -> String {
    format!("{}.{:03} µs", nanos / 1_000, nanos % 1_000)
}
