//! What is known of a run while it goes, put together from what its threads show, for whoever asks.

use super::books::Following;
use super::gauge::{ChannelReading, Gauge, LineReading};
use crate::config::{LanePlan, LinePlan};
use crate::journal::JournalGauge;
use crate::net::LineCounters;
use crate::publish::ConsumerGauge;
use crate::report::Ordered;
use crate::status::{
    BooksStatus, ChannelStatus, ConsumerStatus, JournalStatus, LaneStatus, LineStatus, StageStatus,
    Status,
};
use crate::subscribe::Glob;
use feed_common::event::Trust;
use feed_common::time::Clock;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// Where a run's state can be read by other threads. There before the run is, so that a socket which cannot be had is known
/// before anything has started.
#[derive(Debug, Default)]
pub struct Board {
    shown: OnceLock<Shown>,
    intervals: Mutex<Intervals>,
}

/// What threads show by themselves.
#[derive(Debug)]
pub(super) struct Shown {
    pub clock: Clock,
    pub started: Instant,
    pub is_live: bool,
    pub lanes: Vec<ShownLane>,
    pub consumers: Vec<Arc<ConsumerGauge>>,
    pub books: Following,
}

/// What a lane shows.
#[derive(Debug)]
pub(super) struct ShownLane {
    pub plan: LanePlan,
    pub gauge: Arc<Gauge>,
    pub sockets: Option<Arc<[LineCounters]>>,
    pub journal: Option<JournalGauge>,
}

/// What is told of intervals.
#[derive(Debug, Default)]
struct Intervals {
    ended: u64,
    stages: Vec<StageStatus>,
}

impl Board {
    /// The run has started.
    pub(super) fn begin(&self, shown: Shown) {
        // A second run would need a board of its own.
        let _ = self.shown.set(shown);
    }

    /// Another interval has ended, with these figures.
    pub(super) fn interval(&self, stages: Vec<StageStatus>) {
        let mut intervals = self
            .intervals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        intervals.ended += 1;
        intervals.stages = stages;
    }

    /// The best prices of these symbols; the first question begins to follow them.
    pub fn books(&self, symbols: &Glob) -> Result<BooksStatus, String> {
        let shown = self.shown.get();
        let shown = shown.ok_or("the run has not started yet")?;
        shown.books.ask(symbols)
    }

    /// What is known now; `None` before the run has started.
    pub fn status(&self) -> Option<Status> {
        let shown = self.shown.get()?;
        let intervals = self
            .intervals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let consumer = |c: &Arc<ConsumerGauge>| {
            let stats = c.read();
            ConsumerStatus {
                name: stats.name,
                delivered: stats.delivered,
                lost: stats.lost,
                skipped: stats.skipped,
                conflated: stats.conflated,
                withheld: stats.withheld,
            }
        };
        Some(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            elapsed_ns: shown.started.elapsed().as_nanos() as u64,
            intervals: intervals.ended,
            lanes: shown.lanes.iter().map(ShownLane::status).collect(),
            channels: shown.channels(),
            consumers: shown.consumers.iter().map(consumer).collect(),
            stages: intervals.stages.clone(),
        })
    }
}

impl Shown {
    fn channels(&self) -> Vec<ChannelStatus> {
        let now = match self.is_live {
            true => Some(self.clock.scale().nanos(self.clock.now().0)),
            false => None, // times of a capture say nothing of now
        };
        let mut channels = Vec::new();
        for lane in &self.lanes {
            let mut number = 0;
            let read = lane.gauge.channels();
            for (plan, (read, lines)) in lane.plan.channels.iter().zip(read) {
                let lines = plan.lines.iter().zip(&lines);
                let lines = lines.map(|(line, read)| {
                    number += 1;
                    line_status(line, read, lane.socket(number - 1), now)
                });
                channels.push(ChannelStatus {
                    lines: lines.collect(),
                    ..channel_status(&plan.name, &lane.plan.name, &read)
                });
            }
        }
        channels
    }
}

impl ShownLane {
    /// What the socket of a line dropped for want of room in its buffer, and for want of a slot.
    fn socket(&self, line: usize) -> (u64, u64) {
        let counters = self.sockets.as_ref().and_then(|all| all.get(line));
        let counts = counters.map(LineCounters::read).unwrap_or_default();
        (counts.socket_drops, counts.ring_full)
    }

    fn status(&self) -> LaneStatus {
        let read = self.gauge.read();
        let mut drops: Ordered<u64> = self.gauge.drops().collect();
        if let Some(sockets) = &self.sockets {
            let counts = (0..sockets.len()).map(|line| self.socket(line));
            let (socket_buffer, ring_full) = counts.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
            drops.set("socket_buffer", socket_buffer);
            drops.set("ring_full", ring_full);
        }
        LaneStatus {
            name: self.plan.name.clone(),
            packets: read.packets,
            messages: read.messages,
            published: read.published,
            drops,
            journal: self.journal.as_ref().map(|journal| JournalStatus {
                records: journal.records(),
                lost: journal.lost(),
            }),
        }
    }
}

fn channel_status(name: &str, lane: &str, read: &ChannelReading) -> ChannelStatus {
    let trust = match Trust(read.trust as u8) {
        Trust::VALID => "valid",
        Trust::STALE => "stale",
        _ => "recovering",
    };
    ChannelStatus {
        name: name.to_owned(),
        lane: lane.to_owned(),
        trust: trust.to_owned(),
        gaps: read.gaps,
        lost: read.lost,
        duplicates: read.duplicates,
        recovered: read.recovered,
        restarts: read.restarts,
        silences: read.silences,
        holes: read.holes,
        open: read.open,
        filtered: read.filtered,
        lines: Vec::new(),
    }
}

fn line_status(
    plan: &LinePlan,
    read: &LineReading,
    (socket_buffer, ring_full): (u64, u64),
    now: Option<u64>,
) -> LineStatus {
    let silent = now.map(|now| now.saturating_sub(read.heard));
    LineStatus {
        name: plan.name.clone(),
        group: plan.address.group.to_string(),
        packets: read.packets,
        messages: read.messages,
        first: read.first,
        lost: read.lost,
        lost_alone: read.lost_alone,
        duplicates: read.duplicates,
        socket_buffer,
        ring_full,
        silent_ns: silent.filter(|_| read.heard > 0),
    }
}
