//! What every metric is called and means: the one table behind the exposition and its documentation.

use super::{ChannelStatus, ConsumerStatus, JournalStatus, LaneStatus, LineStatus};
use std::fmt::Write;

/// With what all names begin.
pub const PREFIX: &str = "feed_handler_";

/// Whether it only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A total since the start; its samples end in `_total`.
    Counter,
    /// A state.
    Gauge,
    /// Quantiles, and how many values they are of.
    Summary,
    /// Facts in labels, of the value 1.
    Info,
}

impl MetricKind {
    /// As OpenMetrics says it.
    pub const fn name(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Summary => "summary",
            MetricKind::Info => "info",
        }
    }

    /// What the names of its plain samples end in.
    pub const fn suffix(self) -> &'static str {
        match self {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::Summary => "",
        }
    }
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Behind [`PREFIX`], before the suffix of its kind.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// What tells its samples apart.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    /// Where its samples are from.
    pub(super) of: Of,
}

/// What a metric has a sample for each of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    Build,
    Uptime,
    Lane(fn(&LaneStatus) -> u64),
    Drops,
    Journal(fn(&JournalStatus) -> u64),
    Channel(fn(&ChannelStatus) -> u64),
    Line(fn(&LineStatus) -> u64),
    Silence,
    Consumer(fn(&ConsumerStatus) -> u64),
    Stage,
    StageMax,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    of: Of,
) -> Metric {
    Metric {
        name,
        kind: MetricKind::Counter,
        labels,
        help,
        of,
    }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    of: Of,
) -> Metric {
    Metric {
        kind: MetricKind::Gauge,
        ..counter(name, labels, help, of)
    }
}

const LANE: &[&str] = &["lane"];
const CHANNEL: &[&str] = &["channel"];
const LINE: &[&str] = &["channel", "line"];
const CONSUMER: &[&str] = &["consumer"];

/// All of them, in the order they are told.
pub const METRICS: &[Metric] = &[
    Metric {
        kind: MetricKind::Info,
        ..gauge("build", &["version"], "The running handler.", Of::Build)
    },
    gauge(
        "uptime_seconds",
        &[],
        "Time since the run began.",
        Of::Uptime,
    ),
    counter(
        "packets",
        LANE,
        "Packets taken up.",
        Of::Lane(|l| l.packets),
    ),
    counter(
        "messages",
        LANE,
        "Messages delivered, each once, however many lines carried it.",
        Of::Lane(|l| l.messages),
    ),
    counter(
        "records_published",
        LANE,
        "Records published.",
        Of::Lane(|l| l.published),
    ),
    counter(
        "dropped",
        &["lane", "cause"],
        "Packets, frames and messages that were not delivered.",
        Of::Drops,
    ),
    counter(
        "journal_records",
        LANE,
        "Records in the lane's journal.",
        Of::Journal(|j| j.records),
    ),
    counter(
        "journal_lost_records",
        LANE,
        "Records published and not in the lane's journal, because its queue was full or they could not be written.",
        Of::Journal(|j| j.lost),
    ),
    gauge(
        "channel_trust",
        CHANNEL,
        "How far the channel can be believed: 0 valid, 1 stale, 2 recovering.",
        Of::Channel(trust),
    ),
    counter(
        "channel_gaps",
        CHANNEL,
        "Holes in the sequence that were given up.",
        Of::Channel(|c| c.gaps),
    ),
    counter(
        "channel_lost_messages",
        CHANNEL,
        "Messages in those holes.",
        Of::Channel(|c| c.lost),
    ),
    counter(
        "channel_recovered_messages",
        CHANNEL,
        "Messages that a recovery service brought back.",
        Of::Channel(|c| c.recovered),
    ),
    counter(
        "channel_duplicate_packets",
        CHANNEL,
        "Data packets that brought nothing new.",
        Of::Channel(|c| c.duplicates),
    ),
    counter(
        "channel_restarts",
        CHANNEL,
        "Sessions that began anew.",
        Of::Channel(|c| c.restarts),
    ),
    counter(
        "channel_silences",
        CHANNEL,
        "Times that all lines were silent for longer than the channel's stale_after.",
        Of::Channel(|c| c.silences),
    ),
    counter(
        "channel_holes",
        CHANNEL,
        "Holes found, whoever closed them.",
        Of::Channel(|c| c.holes),
    ),
    gauge(
        "channel_open_holes",
        CHANNEL,
        "Holes that are open.",
        Of::Channel(|c| c.open),
    ),
    counter(
        "channel_filtered_messages",
        CHANNEL,
        "Messages of instruments that are not wanted.",
        Of::Channel(|c| c.filtered),
    ),
    counter(
        "line_packets",
        LINE,
        "Packets that came in on the line.",
        Of::Line(|l| l.packets),
    ),
    counter(
        "line_messages",
        LINE,
        "Messages in them.",
        Of::Line(|l| l.messages),
    ),
    counter(
        "line_first_messages",
        LINE,
        "Messages the line brought before any other.",
        Of::Line(|l| l.first),
    ),
    // What comes late is lost no more: these can fall.
    gauge(
        "line_lost_messages",
        LINE,
        "Messages the line has not brought.",
        Of::Line(|l| l.lost),
    ),
    gauge(
        "line_lost_alone_messages",
        LINE,
        "Those of them that another line brought.",
        Of::Line(|l| l.lost_alone),
    ),
    counter(
        "line_duplicate_packets",
        LINE,
        "Data packets of the line that brought nothing new.",
        Of::Line(|l| l.duplicates),
    ),
    counter(
        "line_socket_buffer_drops",
        LINE,
        "Packets the line's socket buffer had no room for.",
        Of::Line(|l| l.socket_buffer),
    ),
    counter(
        "line_ring_full_drops",
        LINE,
        "Packets of the line there was no slot for.",
        Of::Line(|l| l.ring_full),
    ),
    gauge(
        "line_silence_seconds",
        LINE,
        "Time since the line was last heard.",
        Of::Silence,
    ),
    counter(
        "consumer_delivered_records",
        CONSUMER,
        "Records put into the consumer's queue.",
        Of::Consumer(|c| c.delivered),
    ),
    counter(
        "consumer_lost_records",
        CONSUMER,
        "Records the consumer lost because it was too slow.",
        Of::Consumer(|c| c.lost),
    ),
    counter(
        "consumer_skipped_records",
        CONSUMER,
        "Of those lost, records taken out of the queue of a consumer that goes on with the newest.",
        Of::Consumer(|c| c.skipped),
    ),
    counter(
        "consumer_conflated_records",
        CONSUMER,
        "Records that newer ones of the same instrument took the place of.",
        Of::Consumer(|c| c.conflated),
    ),
    counter(
        "consumer_withheld_records",
        CONSUMER,
        "Records not given to a consumer that asked for valid data only.",
        Of::Consumer(|c| c.withheld),
    ),
    Metric {
        kind: MetricKind::Summary,
        ..gauge(
            "stage_latency_seconds",
            &["stage"],
            "Latency of the stage: quantiles of the last interval, the count since the start.",
            Of::Stage,
        )
    },
    gauge(
        "stage_latency_max_seconds",
        &["stage"],
        "Largest latency of the stage since the start.",
        Of::StageMax,
    ),
];

fn trust(channel: &ChannelStatus) -> u64 {
    match channel.trust.as_str() {
        "stale" => 1,
        "recovering" => 2,
        _ => 0,
    }
}

/// The table as Markdown: what docs/METRICS.md holds.
pub fn documentation() -> String {
    let mut page = String::from(
        "# Metrics\n\nOpenMetrics text at `http://ADDRESS/metrics`, where `[metrics] listen` in the configuration names an \
         address of the loopback interface. Made from the table in `feed-handler/src/status/names.rs`, which also makes the \
         exposition; a test compares. Alert rules are in [alerts.yml](alerts.yml).\n\n\
         | name | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        let _ = writeln!(
            page,
            "| `{PREFIX}{}{}` | {} | {} | {} |",
            metric.name,
            metric.kind.suffix(),
            metric.kind.name(),
            labels.join(", "),
            metric.help
        );
    }
    page
}
