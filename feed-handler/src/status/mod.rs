//! A run as it is seen while it goes: one model, read by other processes over the local socket and as metrics.

mod books;
pub mod metrics;
mod names;

pub use books::{BookStatus, BooksStatus, DepthStatus};
pub use names::{METRICS, Metric, MetricKind, PREFIX, documentation};

use crate::report::{Figures, Ordered};
use serde::{Deserialize, Serialize};

/// What a run has done so far. Counters are exact; together they are a glimpse. What the lanes say of channels and lines is
/// as old as the last interval, a second at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The version of the handler.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since it was started, in nanoseconds.
    pub elapsed_ns: u64,
    /// Intervals that have ended: channels, lines and stages are as of the last.
    pub intervals: u64,
    /// By lane.
    pub lanes: Vec<LaneStatus>,
    /// By channel.
    pub channels: Vec<ChannelStatus>,
    /// Consumers on queues.
    pub consumers: Vec<ConsumerStatus>,
    /// Stages that have figures, in the order packets pass them.
    pub stages: Vec<StageStatus>,
}

/// A lane so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaneStatus {
    /// Its name.
    pub name: String,
    /// Packets taken up.
    pub packets: u64,
    /// Messages delivered, each once.
    pub messages: u64,
    /// Records published.
    pub published: u64,
    /// What was not delivered, by cause.
    pub drops: Ordered<u64>,
    /// Its journal, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalStatus>,
}

/// A lane's journal so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JournalStatus {
    /// Records in it.
    pub records: u64,
    /// Records that were published and are not: the queue was full, or they could not be written.
    pub lost: u64,
}

/// A channel so far, after its lines were merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// Its lane's.
    pub lane: String,
    /// How far it can be believed: `valid`, `stale` or `recovering` (of CME's, when an instrument of it is).
    pub trust: String,
    /// Holes given up.
    pub gaps: u64,
    /// Messages in them.
    pub lost: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Messages that recovery brought.
    pub recovered: u64,
    /// Sessions that began anew.
    pub restarts: u64,
    /// How often its lines were silent for too long.
    pub silences: u64,
    /// Holes so far.
    pub holes: u64,
    /// Those that are open.
    pub open: u64,
    /// Messages passed over because their instrument was not wanted.
    pub filtered: u64,
    /// By line.
    pub lines: Vec<LineStatus>,
}

/// A line so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LineStatus {
    /// Its name within the channel.
    pub name: String,
    /// Its group and port.
    pub group: String,
    /// Packets that came in on it.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages it brought before any other.
    pub first: u64,
    /// Messages it never brought.
    pub lost: u64,
    /// Those of them that another line did.
    pub lost_alone: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Packets its socket's buffer had no room for.
    pub socket_buffer: u64,
    /// Packets there was no slot for.
    pub ring_full: u64,
    /// How long ago it was last heard; not known of a file, or before its first packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_ns: Option<u64>,
}

/// A consumer so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// Records put into its queue.
    pub delivered: u64,
    /// Records it lost.
    pub lost: u64,
    /// Of those lost, the ones taken out of its queue again, so that it goes on with what is new.
    pub skipped: u64,
    /// Records it was spared, as newer ones said the same.
    pub conflated: u64,
    /// Records it did not ask for, as they were not to be trusted.
    pub withheld: u64,
}

/// The latency of a stage, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageStatus {
    /// Its name.
    pub stage: String,
    /// In the last interval.
    pub interval: Figures,
    /// Since the start.
    pub total: Figures,
}

impl Status {
    /// Packets of all lanes.
    pub fn packets(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.packets).sum()
    }

    /// Messages of all lanes.
    pub fn messages(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.messages).sum()
    }

    /// Everything that was not delivered.
    pub fn dropped(&self) -> u64 {
        let drops = self.lanes.iter().flat_map(|lane| lane.drops.iter());
        drops.fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }
}
