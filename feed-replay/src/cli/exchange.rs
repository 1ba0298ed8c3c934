use super::OutputFormat;
use super::send::{column_json, columns_text, interrupted, micros_text, schedule_json};
use feed_common::program::{Failure, print, print_line};
use feed_replay::exchange::{Exchange, ExchangeError, Plan, Report, config};
use feed_replay::fault::Spans;
use feed_replay::synth::GenerateError;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Play a small exchange: a session on redundant lines, servers for what was lost, and faults from a seed
///
/// The session is made from a seed or is in a capture. Lines go to multicast groups or to 127.0.0.0/8, with heartbeats
/// while nothing is said and the end of the session after it; a MoldUDP64 server answers requests for what was lost. What
/// goes wrong on each is said in a small grammar, such as `loss=1% burst=3 delay=0..200us silence=2s@10s`. It ends after
/// the session and its grace; the report says what was lost by plan on each line and on all of them.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
        feed-replay exchange -c exchange.toml\n  \
        feed-replay exchange -c exchange.toml --format json\n\n\
        A configuration:\n  \
        seed = 7\n  \
        [session]\n  \
        protocol = \"itch50\"\n  \
        messages = 1_000_000\n  \
        rate = 50_000\n  \
        [[line]]\n  \
        name = \"A\"\n  \
        group = \"239.192.50.1:26477\"\n  \
        interface = \"lo\"\n  \
        faults = \"loss=1% burst=3\"\n  \
        [[server]]\n  \
        kind = \"moldudp64\"\n  \
        address = \"127.0.0.1:26500\"\n  \
        faults = \"refuse=10% late=0..5ms\"\n\n\
        docs/EXCHANGE.md explains the faults, docs/exchange.toml shows every key.")]
pub struct Arguments {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration and make the session; open no socket
    #[arg(long)]
    check: bool,
    /// How to print the report
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = config::load(&arguments.config).map_err(Failure::usage)?;
    if arguments.check {
        plan.history().map_err(failure)?;
        return print(&format!("{}: in order\n", arguments.config.display()));
    }
    let exchange = Exchange::open(&plan).map_err(failure)?;
    let stop = interrupted()?;
    let report = exchange.run(&stop).map_err(Failure::running)?;
    match arguments.format {
        OutputFormat::Text => print(&text(&plan, &report)),
        OutputFormat::Json => print_line(json(&plan, &report)),
    }
}

fn failure(e: ExchangeError) -> Failure {
    match e {
        ExchangeError::Socket { .. } | ExchangeError::Made(GenerateError::Io(_)) => {
            Failure::running(e)
        }
        e => Failure::usage(e),
    }
}

/// Most holes that are listed one by one.
const HOLES_MAX: usize = 1_000;

fn json(plan: &Plan, report: &Report) -> Value {
    let lines = plan.lines.iter().enumerate().map(|(i, line)| {
        let counts = report.account.counts(i);
        json!({
            "name": line.name,
            "group": line.target.to_string(),
            "faults": line.faults.to_string(),
            "packets": counts.sent,
            "arriving": counts.arriving(),
            "lost": counts.lost,
            "silenced": counts.silenced,
            "overflowed": counts.overflowed,
            "corrupted": counts.corrupted,
            "duplicated": counts.duplicated,
            "reordered": counts.held,
            "messages_lost": report.account.lost(i).count(),
        })
    });
    let servers = plan
        .servers
        .iter()
        .zip(&report.servers)
        .map(|(server, did)| {
            let (a, s) = (did.answers, did.socket);
            json!({
                "name": server.name,
                "kind": server.service.name(),
                "address": did.address.to_string(),
                "faults": server.faults.to_string(),
                "requests": a.requests,
                "answered": a.answered,
                "malformed": a.malformed,
                "other_session": a.other_session,
                "unknown": a.unknown,
                "limited": a.limited,
                "refused": a.refused,
                "closed": a.closed,
                "late": a.late,
                "wrong": a.wrong,
                "packets": a.packets,
                "messages": a.messages,
                "bytes": a.bytes,
                "lost": a.lost,
                "sent": s.sent,
                "overflowed": s.overflowed,
                "errors": s.errors,
            })
        });
    let loops = plan.loops.iter().zip(&report.loops).map(|(each, did)| {
        let counts = did.account.counts(0);
        json!({
            "name": each.line.name,
            "group": each.line.target.to_string(),
            "faults": each.line.faults.to_string(),
            "orders": each.timing.orders,
            "rounds": did.played.rounds,
            "packets": did.played.packets,
            "messages": did.played.messages,
            "lost": counts.lost_in_all(),
        })
    });
    let lost = report.account.lost_by_all();
    json!({
        "duration_ns": report.duration,
        "stopped": report.stopped,
        "packets": report.played.packets,
        "messages": report.played.messages,
        "heartbeats": report.played.heartbeats,
        "ends": report.played.ends,
        "lines": lines.collect::<Vec<_>>(),
        "lost_by_all": {
            "messages": lost.count(),
            "holes": lost.ranges().len(),
            "first_holes": holes(&lost),
        },
        "damaged": report.account.intact_on_none().count() - lost.count(),
        "loops": loops.collect::<Vec<_>>(),
        "servers": servers.collect::<Vec<_>>(),
        "send": {
            "packets": report.sent.packets,
            "bytes": report.sent.bytes,
            "retries": report.sent.retries,
            "refused": report.sent.refused,
            "unsent": report.sent.unsent,
            "schedule_error_ns": schedule_json(&report.sent),
            "service_ns": column_json(report.sent.service),
            "response_ns": column_json(report.sent.response),
        },
    })
}

/// First and last number of each hole, of the first thousand.
fn holes(lost: &Spans) -> Vec<[u64; 2]> {
    let holes = lost.ranges().iter().take(HOLES_MAX);
    holes.map(|hole| [hole.start, hole.end - 1]).collect()
}

fn text(plan: &Plan, report: &Report) -> String {
    let played = report.played;
    let mut out = format!(
        "played    {} messages in {} packets, {} heartbeats, {} ends of session in {}.{:03} s\n",
        played.messages,
        played.packets,
        played.heartbeats,
        played.ends,
        report.duration / 1_000_000_000,
        report.duration / 1_000_000 % 1_000,
    );
    for (i, line) in plan.lines.iter().enumerate() {
        let c = report.account.counts(i);
        out += &format!(
            "line      {} to {}: {} packets, {} lost by chance, {} in silence; {} twice, {} late in order, {} damaged; {} messages lost\n",
            line.name,
            line.target,
            c.sent,
            c.lost,
            c.silenced,
            c.duplicated,
            c.held,
            c.corrupted,
            report.account.lost(i).count(),
        );
        if c.overflowed > 0 {
            out += &format!(
                "note      line {}: {} packets lost because too many were under way\n",
                line.name, c.overflowed
            );
        }
    }
    let lost = report.account.lost_by_all();
    out += &format!(
        "lost      {} messages on all lines, in {} holes\n",
        lost.count(),
        lost.ranges().len()
    );
    for (each, did) in plan.loops.iter().zip(&report.loops) {
        out += &format!(
            "loop      {} to {}: {} rounds, {} packets, {} lost\n",
            each.line.name,
            each.line.target,
            did.played.rounds,
            did.played.packets,
            did.account.counts(0).lost_in_all(),
        );
    }
    for (server, did) in plan.servers.iter().zip(&report.servers) {
        let a = did.answers;
        out += &format!(
            "server    {} on {}: {} requests, {} answered with {} messages in {} packets; {} refused, {} gone, {} over the limit, {} unknown, {} of another session, {} malformed; {} wrong, {} lost\n",
            server.name,
            did.address,
            a.requests,
            a.answered,
            a.messages,
            a.packets,
            a.refused,
            a.closed,
            a.limited,
            a.unknown,
            a.other_session,
            a.malformed,
            a.wrong,
            a.lost,
        );
        if did.socket.overflowed + did.socket.errors > 0 {
            out += &format!(
                "note      server {}: {} packets dropped because too many waited, {} calls failed\n",
                server.name, did.socket.overflowed, did.socket.errors
            );
        }
    }
    if let Some(s) = report.sent.schedule {
        out += &format!(
            "schedule  late by p50 {}, p99 {}, p99.9 {}, max {}\n",
            micros_text(s.p50),
            micros_text(s.p99),
            micros_text(s.p999),
            micros_text(s.max),
        );
    }
    out += &columns_text(&report.sent);
    if report.sent.unsent > 0 {
        out += &format!(
            "note      {} packets NOT sent: the system never had room\n",
            report.sent.unsent
        );
    }
    if report.stopped {
        out += "note      stopped before the end\n";
    }
    out
}
