//! What a lane leaves behind when it ends.

use crate::net::LineCounters;
use crate::pipeline::{Channel, Lane};
use crate::protocol::Protocol;
use crate::publish::{BookTotals, Digest, Outlet, UnitPrint};
use crate::report::{Lead, SLOWEST};
use crate::sequence::{Dropped, Lines, SequenceStats, Silence};
use crate::series::Counts;
use feed_common::capture::Cut;
use feed_common::latency::Probe;
use feed_common::latency::messages::{MessageFigures, SlowInstrument};
use feed_common::latency::summary::Quantiles;
use feed_common::packet::RxError;
use std::collections::BTreeMap;

/// Totals of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineEnd {
    /// Frames, heartbeats included.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages it never brought.
    pub lost: u64,
    /// Those of them that were dropped in this process, by cause.
    pub lost_here: Dropped,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Messages it brought before any other line.
    pub first: u64,
    /// Where the channel has other lines, what it lost and one of them brought.
    pub lost_alone: Option<u64>,
    /// And by how much its packets were earlier than on the line that came second.
    pub lead: Option<Lead>,
    /// The longest time without a packet of it while the channel had some.
    pub silence: Silence,
}

impl LineEnd {
    /// A line of retransmissions has no others that bring the same, and is silent while nothing is lost.
    fn of(lines: &Lines, line: usize, retransmits: bool) -> LineEnd {
        let stats = &lines[line];
        let has_others = lines.len() > 1 && !retransmits;
        LineEnd {
            packets: stats.packets,
            messages: stats.messages,
            lost: stats.lost(),
            lost_here: stats.lost_here(),
            duplicates: stats.duplicates,
            first: stats.first,
            lost_alone: has_others.then(|| stats.lost_alone()),
            lead: has_others.then(|| stats.lead().into()),
            silence: match retransmits {
                true => Silence::default(),
                false => lines.silence(line),
            },
        }
    }
}

/// Totals of one channel.
#[derive(Clone, Debug)]
pub struct ChannelEnd {
    /// Its name.
    pub name: String,
    /// After merging.
    pub sequence: SequenceStats,
    /// Messages delivered, each once.
    pub messages: u64,
    /// By line.
    pub lines: Vec<LineEnd>,
    /// Over its records.
    pub digest: Digest,
    /// The records of each of its numberings, and the number each would have had next.
    pub units: Vec<(UnitPrint, u64)>,
    /// Its books, where they are kept.
    pub books: Option<BookTotals>,
}

/// Totals of one lane.
#[derive(Debug, Default)]
pub struct LaneEnd {
    /// By channel.
    pub channels: Vec<ChannelEnd>,
    /// Packets taken up.
    pub packets: u64,
    /// Messages delivered, each once.
    pub messages: u64,
    /// Messages among them that were passed over because their instrument was not wanted.
    pub filtered: u64,
    /// Records published.
    pub published: u64,
    /// Holes of which nothing could be said while it ran.
    pub hole_ends_missed: u64,
    /// What sampled messages took, where some were.
    pub sampled: Option<SampledEnd>,
    /// What was not delivered, by cause.
    pub drops: BTreeMap<&'static str, u64>,
    /// What was odd and delivered all the same, by name.
    pub oddities: BTreeMap<&'static str, u64>,
    /// How its input ended.
    pub source: SourceEnd,
}

impl LaneEnd {
    /// What of it the series of a run are made of.
    pub fn counts(&self) -> Counts {
        let lost = self.channels.iter().map(|c| c.sequence.lost);
        Counts {
            packets: self.packets,
            messages: self.messages,
            lost: lost.fold(0, u64::saturating_add),
        }
    }
}

/// What a lane's sampled messages took, in ns.
#[derive(Clone, Debug)]
pub struct SampledEnd {
    /// By the number of the type.
    pub types: Vec<(u32, Quantiles)>,
    /// Types there was no room for.
    pub untyped: u64,
    /// The instruments whose messages took longest; their channels are numbered through the configuration.
    pub slowest: Vec<SlowInstrument>,
    /// Messages about no instrument, or one beyond the table.
    pub unattributed: u64,
}

impl SampledEnd {
    fn of(figures: &MessageFigures) -> SampledEnd {
        SampledEnd {
            types: figures.types().collect(),
            untyped: figures.untyped(),
            slowest: figures.slowest(SLOWEST),
            unattributed: figures.unattributed(),
        }
    }
}

/// How a lane's input ended.
#[derive(Debug, Default)]
pub struct SourceEnd {
    /// A receive that failed; `None` when the input ended or the run was stopped.
    pub error: Option<RxError>,
    /// From a file: where it was cut.
    pub cut: Option<Cut>,
    /// From a file: datagrams of no line of the lane.
    pub foreign: u64,
    /// From a file: frames without a datagram, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl LaneEnd {
    /// Reads a finished lane off.
    pub fn of<P: Protocol, H: Outlet, R: Probe>(lane: &Lane<P, H, R>, source: SourceEnd) -> Self {
        let next = |c: &Channel<P>, unit| c.expected(unit).unwrap_or(0);
        let units = |prints: Vec<UnitPrint>, c: &Channel<P>| {
            let units = prints.into_iter().map(|print| (print, next(c, print.unit)));
            units.collect()
        };
        let channel = |c: &Channel<P>| ChannelEnd {
            name: c.name().to_owned(),
            sequence: c.sequence(),
            messages: c.messages(),
            digest: lane.outlet().digest(c.number()),
            units: units(lane.outlet().prints(c.number()), c),
            books: lane.outlet().books(c.number()),
            lines: (0..c.lines().len())
                .map(|line| LineEnd::of(c.lines(), line, c.is_retransmission(line)))
                .collect(),
        };
        let mut oddities = BTreeMap::new();
        for (name, n) in lane.channels().iter().flat_map(|c| c.oddities()) {
            *oddities.entry(name).or_default() += n;
        }
        LaneEnd {
            channels: lane.channels().iter().map(channel).collect(),
            packets: lane.packets(),
            messages: lane.messages(),
            filtered: lane.channels().iter().map(|c| c.filtered()).sum(),
            published: lane.outlet().published(),
            hole_ends_missed: lane.hole_ends_missed(),
            sampled: lane.message_figures().map(SampledEnd::of),
            drops: lane.drops().by_cause().collect(),
            oddities,
            source,
        }
    }

    /// Adds what the sockets of the lane dropped.
    pub fn add_sockets(&mut self, counters: &[LineCounters]) {
        for line in counters {
            let counts = line.read();
            *self.drops.entry("socket_buffer").or_default() += counts.socket_drops;
            *self.drops.entry("ring_full").or_default() += counts.ring_full;
        }
    }
}
