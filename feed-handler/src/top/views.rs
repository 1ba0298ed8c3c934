//! What each view shows, as listings.

use super::listing::{Cell, Listing};
use super::rates::History;
use crate::report::units::time;
use crate::report::{Figures, plain};
use crate::status::{ChannelStatus, ConsumerStatus, LaneStatus, StageStatus, Status};

/// A view of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum View {
    #[default]
    Overview,
    Channels,
    Lines,
    Latency,
    Consumers,
    Books,
}

impl View {
    /// In the order of their keys.
    pub const ALL: [View; 6] = [
        View::Overview,
        View::Channels,
        View::Lines,
        View::Latency,
        View::Consumers,
        View::Books,
    ];

    /// Its name in the header.
    pub fn name(self) -> &'static str {
        match self {
            View::Overview => "overview",
            View::Channels => "channels",
            View::Lines => "lines",
            View::Latency => "latency",
            View::Consumers => "consumers",
            View::Books => "books",
        }
    }

    /// So many behind this one, around the end.
    pub fn after(self, steps: usize) -> View {
        View::ALL[(self as usize + steps) % View::ALL.len()]
    }

    /// What it shows of a run's statuses; those say nothing of books.
    pub fn listings(self, of: &History) -> Vec<Listing> {
        match self {
            View::Overview => vec![lanes(of), losses(of.status()), last_interval(of.status())],
            View::Channels => vec![channels(of.status())],
            View::Lines => vec![lines(of)],
            View::Latency => latency(of.status()),
            View::Consumers => [Some(consumers(of)), journals(of), Some(drops(of))]
                .into_iter()
                .flatten()
                .collect(),
            View::Books => Vec::new(),
        }
    }
}

fn lanes(of: &History) -> Listing {
    let row = |(i, lane): (usize, &LaneStatus)| {
        let rate = |count: fn(&LaneStatus) -> u64| {
            Cell::Rate(of.rate(|status| status.lanes.get(i).map(count)))
        };
        vec![
            Cell::name(&lane.name),
            rate(|lane| lane.packets),
            rate(|lane| lane.messages),
            rate(|lane| lane.published),
            Cell::Count(lane.packets),
            Cell::Count(lane.messages),
            Cell::Count(lane.published),
        ]
    };
    Listing {
        title: "Lanes",
        head: &[
            "lane",
            "packets/s",
            "messages/s",
            "records/s",
            "packets",
            "messages",
            "records",
        ],
        names: 1,
        rows: of.status().lanes.iter().enumerate().map(row).collect(),
    }
}

fn losses(status: &Status) -> Listing {
    let sum = |count: fn(&ChannelStatus) -> u64| {
        let counts = status.channels.iter().map(count);
        counts.fold(0, u64::saturating_add)
    };
    let consumers = status.consumers.iter().map(|c| c.lost);
    Listing {
        title: "Trust and losses",
        head: &[
            "channels",
            "lost",
            "gaps",
            "open holes",
            "recovered",
            "dropped",
            "by consumers",
        ],
        names: 1,
        rows: vec![vec![
            all_trust(status),
            Cell::Loss(sum(|c| c.lost)),
            Cell::Loss(sum(|c| c.gaps)),
            Cell::Loss(sum(|c| c.open)),
            Cell::Count(sum(|c| c.recovered)),
            Cell::Loss(status.dropped()),
            Cell::Loss(consumers.fold(0, u64::saturating_add)),
        ]],
    }
}

/// How many channels can be believed how far: `1 stale, 2 valid`.
fn all_trust(status: &Status) -> Cell {
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for channel in &status.channels {
        match counts.iter_mut().find(|(trust, _)| *trust == channel.trust) {
            Some((_, n)) => *n += 1,
            None => counts.push((&channel.trust, 1)),
        }
    }
    // What needs attention is not what is cut where room is scarce.
    counts.sort_by_key(|(trust, _)| *trust == VALID);
    let said = counts
        .iter()
        .map(|(trust, n)| format!("{n} {}", plain(trust)));
    let said = said.collect::<Vec<_>>().join(", ");
    match counts.iter().all(|(trust, _)| *trust == VALID) {
        true => Cell::Text(said),
        false => Cell::Alarm(said),
    }
}

/// The trust that needs no attention.
pub(super) const VALID: &str = "valid";

fn trust(channel: &ChannelStatus) -> Cell {
    match channel.trust == VALID {
        true => Cell::name(&channel.trust),
        false => Cell::Alarm(plain(&channel.trust)),
    }
}

fn last_interval(status: &Status) -> Listing {
    let row = |stage: &StageStatus| {
        let f = &stage.interval;
        vec![
            Cell::name(&stage.stage),
            quantile(f, f.p50),
            quantile(f, f.p99),
            max(f),
            Cell::Count(f.count),
        ]
    };
    Listing {
        title: "Latency in the last interval",
        head: &["stage", "p50", "p99", "max", "count"],
        names: 1,
        rows: status.stages.iter().map(row).collect(),
    }
}

fn quantile(figures: &Figures, nanos: u64) -> Cell {
    Cell::Time((figures.count > 0).then_some(nanos))
}

/// What is above the range of the histogram is counted at its top.
fn max(figures: &Figures) -> Cell {
    match figures.above {
        0 => quantile(figures, figures.max),
        _ => Cell::Text(format!("> {}", time(figures.max))),
    }
}

fn channels(status: &Status) -> Listing {
    let row = |c: &ChannelStatus| {
        vec![
            Cell::name(&c.name),
            trust(c),
            Cell::Loss(c.gaps),
            Cell::Loss(c.lost),
            Cell::Count(c.recovered),
            Cell::Loss(c.open),
            Cell::Count(c.holes),
            Cell::Count(c.restarts),
            Cell::Count(c.silences),
            Cell::Count(c.duplicates),
            Cell::Count(c.filtered),
            Cell::name(&c.lane),
        ]
    };
    Listing {
        title: "Channels",
        head: &[
            "channel",
            "trust",
            "gaps",
            "lost",
            "recovered",
            "open",
            "holes",
            "restarts",
            "silences",
            "duplicates",
            "filtered",
            "lane",
        ],
        names: 2,
        rows: status.channels.iter().map(row).collect(),
    }
}

fn lines(of: &History) -> Listing {
    let mut rows = Vec::new();
    for (i, channel) in of.status().channels.iter().enumerate() {
        let first = channel.lines.iter().map(|line| line.first);
        let first = first.fold(0, u64::saturating_add);
        for (k, line) in channel.lines.iter().enumerate() {
            let packets = |status: &Status| Some(status.channels.get(i)?.lines.get(k)?.packets);
            rows.push(vec![
                Cell::name(&channel.name),
                Cell::name(&line.name),
                Cell::Rate(of.interval_rate(packets)),
                Cell::Share(line.first, first),
                Cell::Count(line.lost),
                Cell::Count(line.lost_alone),
                Cell::Count(line.duplicates),
                Cell::Loss(line.socket_buffer),
                Cell::Loss(line.ring_full),
                Cell::Time(line.silent_ns),
                Cell::Count(line.packets),
                Cell::Count(line.messages),
                Cell::name(&line.group),
            ]);
        }
    }
    Listing {
        title: "Lines",
        head: &[
            "channel",
            "line",
            "packets/s",
            "first",
            "lost",
            "alone",
            "duplicates",
            "socket",
            "ring",
            "silent",
            "packets",
            "messages",
            "group",
        ],
        names: 2,
        rows,
    }
}

fn latency(status: &Status) -> Vec<Listing> {
    let rows = |figures: fn(&StageStatus) -> &Figures| {
        let row = |stage| {
            let f = figures(stage);
            let mut row = vec![Cell::name(&stage.stage)];
            row.extend([f.p50, f.p90, f.p99, f.p999].map(|nanos| quantile(f, nanos)));
            row.extend([max(f), Cell::Count(f.count)]);
            row
        };
        status.stages.iter().map(row).collect()
    };
    let listing = |title, rows| Listing {
        title,
        head: &["stage", "p50", "p90", "p99", "p99.9", "max", "count"],
        names: 1,
        rows,
    };
    vec![
        listing("Last interval", rows(|stage| &stage.interval)),
        listing("Since the start", rows(|stage| &stage.total)),
    ]
}

fn consumers(of: &History) -> Listing {
    let row = |(i, consumer): (usize, &ConsumerStatus)| {
        vec![
            Cell::name(&consumer.name),
            Cell::Rate(of.rate(|status| Some(status.consumers.get(i)?.delivered))),
            Cell::Count(consumer.delivered),
            Cell::Loss(consumer.lost),
            Cell::Count(consumer.withheld),
        ]
    };
    Listing {
        title: "Consumers",
        head: &["consumer", "records/s", "delivered", "lost", "withheld"],
        names: 1,
        rows: of.status().consumers.iter().enumerate().map(row).collect(),
    }
}

/// The lanes' journals, where they have any.
pub(super) fn journals(of: &History) -> Option<Listing> {
    let row = |(i, lane): (usize, &LaneStatus)| {
        let journal = lane.journal?;
        let written = |status: &Status| Some(status.lanes.get(i)?.journal?.records);
        let kept = journal.records.saturating_add(journal.lost);
        Some(vec![
            Cell::name(&lane.name),
            Cell::Rate(of.rate(written)),
            Cell::Count(journal.records),
            Cell::Count(lane.published.saturating_sub(kept)),
            Cell::Loss(journal.lost),
        ])
    };
    let lanes = of.status().lanes.iter().enumerate();
    let rows: Vec<_> = lanes.filter_map(row).collect();
    (!rows.is_empty()).then_some(Listing {
        title: "Journals",
        head: &["lane", "records/s", "records", "queued", "lost"],
        names: 1,
        rows,
    })
}

fn drops(of: &History) -> Listing {
    let mut rows = Vec::new();
    for (i, lane) in of.status().lanes.iter().enumerate() {
        let mut drops: Vec<(&str, &u64)> = lane.drops.iter().collect();
        drops.sort_by_key(|(_, n)| **n == 0); // what there was before what there was not
        for (cause, n) in drops {
            let count = |status: &Status| status.lanes.get(i)?.drops.get(cause).copied();
            rows.push(vec![
                Cell::name(&lane.name),
                Cell::name(cause),
                Cell::Rate(of.rate(count)),
                Cell::Loss(*n),
            ]);
        }
    }
    Listing {
        title: "Drops by cause",
        head: &["lane", "cause", "a second", "count"],
        names: 2,
        rows,
    }
}
