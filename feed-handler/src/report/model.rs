//! Everything a report says about a run, independent of how it is shown.

use super::clocks::Clocks;
use super::cost::Instruments;
use super::kinds::{ChannelTotals, Sampled};
use super::timeline::IntervalPoint;
use super::units::plural;
use super::{Arrivals, Ordered, Pauses, Process};
use crate::series::RatePoint;
use feed_common::latency::log::LogInterval;
use feed_common::latency::summary::{CurvePoint, Quantiles, StageTotals, curve};
use feed_common::latency::{MEASURED, Stage, StageSet};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A run: what `summary.json` holds, and with it the curves and the time line, which are kept in the interval log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunReport {
    /// Facts to tell runs apart: machine, clocks, configuration, command, start, duration.
    pub run: Ordered<String>,
    /// Frames of recognised streams.
    pub packets: u64,
    /// Messages, each once.
    pub messages: u64,
    /// What sequencing found.
    pub sequence: Sequence,
    /// The lines, by channel.
    pub lines: Vec<Line>,
    /// What was done to get back what the lines lost, by channel; empty where nobody could be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<Recovery>,
    /// What became of the holes of a live run's channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holes: Option<Holes>,
    /// Messages that were missing in these holes, by the cause of the hole, whoever brought them after all.
    #[serde(skip_serializing_if = "Ordered::is_empty")]
    pub losses: Ordered<u64>,
    /// What was not delivered, by cause.
    pub drops: Ordered<u64>,
    /// What was odd and delivered all the same, by name.
    pub oddities: Ordered<u64>,
    /// Messages passed over because their instrument was not wanted.
    pub filtered: u64,
    /// Records published.
    pub published: u64,
    /// Latency by stage name, in the order packets pass the stages.
    pub latency: Ordered<Figures>,
    /// Pauses of the machine, and the tails without them; only of a live run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pauses: Option<Pauses>,
    /// How close packets came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<Arrivals>,
    /// The interval between packets by which figures were corrected for omission, in ns; never in what a run writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omission_corrected_ns: Option<u64>,
    /// What measuring cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruments: Option<Instruments>,
    /// What each channel came to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelTotals>,
    /// Messages that were timed on their own, where some were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled: Option<Sampled>,
    /// Kernel stamps that lay after their receive: how often the two clocks disagreed.
    pub clock_backwards: u64,
    /// The clocks that stages cross, and how well these are known against each other.
    #[serde(skip_serializing_if = "Clocks::is_empty")]
    pub clocks: Clocks,
    /// Consumers and what they missed.
    pub consumers: Vec<Consumer>,
    /// Consumers in other processes, as far as they said how long records took to reach them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Process>,
    /// What was kept of the input, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Recording>,
    /// What was kept of what was published, by lane.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub journals: Vec<Journal>,
    /// Digest of all records, 16 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_digest: Option<String>,
    /// Digest of the final books, 16 hexadecimal digits; null when none are kept.
    pub book_digest: Option<String>,
    /// What the books came to; null when none are kept.
    pub books: Option<Books>,
    /// Percentile curves.
    #[serde(skip)]
    pub curves: Vec<Curve>,
    /// The run interval by interval.
    #[serde(skip)]
    pub timeline: Vec<IntervalPoint>,
    /// What came in and what was lost by the second.
    #[serde(skip)]
    pub rates: Vec<RatePoint>,
    /// When messages were missing, for the time line.
    #[serde(skip)]
    pub gaps: Vec<GapPoint>,
}

/// A hole of a channel on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapPoint {
    /// Since the start of the run.
    pub opened: Duration,
    /// How long it was open.
    pub length: Duration,
    /// Messages of it that were given up.
    pub lost: u64,
}

/// Sequencing over all channels, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sequence {
    /// Holes that no line filled.
    pub gaps: u64,
    /// Messages in them.
    pub lost: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Messages that recovery brought back.
    pub recovered: u64,
    /// Sessions that began anew.
    pub restarts: u64,
}

/// Holes of a live run: messages were missing while later ones were there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holes {
    /// How many there were, of which something is known.
    pub found: u64,
    /// Those that were closed, by whom: a line, `retransmission`, `snapshot`.
    pub closed_by: Ordered<u64>,
    /// Those of which all or part was given up.
    pub given_up: u64,
    /// How long they were open, in nanoseconds, where lines or retransmission have closed them.
    pub closed_after_ns: Lead,
    /// Those that the list in the run's folder had no room for.
    pub unlisted: u64,
    /// Those of which nothing is known, because too many came at once.
    pub unreported: u64,
}

/// One line of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// Channel name.
    pub channel: String,
    /// Line name within the channel.
    pub line: String,
    /// Multicast group and port, or the flow in a capture.
    pub group: String,
    /// Packets that came in on it.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages this line never carried.
    pub lost: u64,
    /// Packets that brought nothing new.
    pub duplicates: u64,
    /// Messages it brought before any other line.
    pub first: u64,
    /// Of the messages it never carried those that another line did; where there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_alone: Option<u64>,
    /// Of the messages it never carried those that were dropped in this process, by cause.
    #[serde(skip_serializing_if = "Ordered::is_empty")]
    pub lost_here: Ordered<u64>,
    /// By how many nanoseconds its packets were earlier than on the line that came second; where there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_ns: Option<Lead>,
    /// The longest time without a packet of it while its channel had some, in nanoseconds.
    pub longest_silence_ns: u64,
    /// When that began, by the stamp of the packet before it, in nanoseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_silence_since_ns: Option<u64>,
}

/// By how much a line was first, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Lead {
    pub count: u64,
    pub min: u64,
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl From<Quantiles> for Lead {
    fn from(q: Quantiles) -> Lead {
        Lead {
            count: q.count,
            min: q.min,
            p50: q.p50,
            p99: q.p99,
            max: q.max,
        }
    }
}

/// A channel's recovery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recovery {
    /// Channel name.
    pub channel: String,
    /// Requests, answers, and what was wrong with them, by name.
    pub counts: Ordered<u64>,
}

/// The books of all channels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Books {
    /// Orders in them at the end.
    pub live_orders: u64,
    /// Price levels in them at the end.
    pub levels: u64,
    /// Instruments that had an event.
    pub instruments: u64,
    /// Events that left a best bid or offer other than it was.
    pub bbo_changes: u64,
    /// What could not be, by kind.
    pub faults: Ordered<u64>,
}

/// One reader of the published records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consumer {
    /// Name.
    pub name: String,
    /// Records it took.
    pub taken: u64,
    /// Records that were overwritten before it came.
    pub lost: u64,
    /// Of those lost, the ones taken out of its queue again, so that it goes on with what is new.
    pub skipped: u64,
    /// Records it was spared, as newer ones said the same of their instruments.
    pub conflated: u64,
    /// Records it did not ask for, as they were not to be trusted.
    pub withheld: u64,
    /// It was stopped when it had lost some, as it asked for.
    pub stopped: bool,
}

/// A recording of what was received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recording {
    /// Packets in the file.
    pub packets: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Packets that were handled and are not in it.
    pub lost: u64,
    /// Its name.
    pub file: String,
    /// What ended it early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Recording {
    /// Why it is not whole, where it is not.
    pub fn shortage(&self) -> Option<String> {
        let lost = (self.lost > 0).then(|| plural(self.lost, "packet") + " not recorded");
        let reasons: Vec<String> = self.error.clone().into_iter().chain(lost).collect();
        (!reasons.is_empty()).then(|| format!("{}: {}", self.file, reasons.join(", ")))
    }
}

/// A journal of what a lane has published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Journal {
    /// The lane.
    pub lane: String,
    /// The journal's folder.
    pub dir: String,
    /// The number in the journal of the first that the run has written: an earlier one may be in it.
    pub first: u64,
    /// Records of the run in it, those that say what is missing left out.
    pub records: u64,
    /// Records that were published and are not in it. `published` of the lane is this and `records`.
    pub lost: u64,
    /// Those of them that could not be written; the others found the queue full.
    pub unwritten: u64,
    /// Records that say what is missing.
    pub gaps: u64,
    /// How often writing waited for a segment.
    pub waits: u64,
    /// What went wrong first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Journal {
    /// Why it is not whole, where it is not.
    pub fn shortage(&self) -> Option<String> {
        let lost = (self.lost > 0).then(|| plural(self.lost, "record") + " not in the journal");
        let reasons: Vec<String> = self.error.clone().into_iter().chain(lost).collect();
        (!reasons.is_empty()).then(|| format!("{}: {}", self.dir, reasons.join(", ")))
    }
}

/// The figures of a stage, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Figures {
    pub count: u64,
    pub min: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub p9999: u64,
    pub max: u64,
    /// Values above the histogram's range; `max` and the quantiles count them at its top.
    pub above: u64,
}

impl From<Quantiles> for Figures {
    fn from(q: Quantiles) -> Figures {
        Figures {
            count: q.count,
            min: q.min,
            p50: q.p50,
            p90: q.p90,
            p99: q.p99,
            p999: q.p999,
            p9999: q.p9999,
            max: q.max,
            above: 0,
        }
    }
}

impl Figures {
    pub(super) fn worsen(&mut self, other: &Figures) {
        self.count = self.count.saturating_add(other.count);
        self.above = self.above.saturating_add(other.above);
        self.min = self.min.min(other.min);
        self.p50 = self.p50.max(other.p50);
        self.p90 = self.p90.max(other.p90);
        self.p99 = self.p99.max(other.p99);
        self.p999 = self.p999.max(other.p999);
        self.p9999 = self.p9999.max(other.p9999);
        self.max = self.max.max(other.max);
    }
}

/// The percentile curve of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Stage.
    pub stage: Stage,
    /// Rising in both coordinates.
    pub points: Vec<CurvePoint>,
}

/// Stages that can speak for a run, the best first.
pub(super) const HEADLINES: [Stage; 3] = [Stage::Published, Stage::Decoded, Stage::Dequeue];

impl RunReport {
    /// Takes the figures and curves of all stages from the sum of a run.
    pub fn set_latency(&mut self, totals: &StageTotals) {
        self.clock_backwards = totals.backwards(Stage::Receive);
        self.latency = Ordered::default();
        for (stage, histogram) in totals.recorded() {
            let figures = Figures {
                above: totals.above(stage),
                ..Quantiles::of(histogram).into()
            };
            self.latency.set(stage.name(), figures);
        }
        self.set_curves(totals);
    }

    /// Adds an interval to the time line.
    pub fn push_interval(&mut self, start: Duration, length: Duration, set: &StageSet) {
        let point = IntervalPoint::of(start, length, set);
        self.timeline.push(point);
    }

    /// Takes the curves of all stages from the sum of a run's log; the figures stay.
    pub fn set_curves(&mut self, totals: &StageTotals) {
        self.curves = curves(totals);
    }

    /// Adds a line of an interval log to the time line; `stage` is its.
    pub fn push_logged(&mut self, stage: Stage, interval: &LogInterval) {
        let figures = Quantiles::of_cells(&interval.cells).into();
        let cells = interval.cells.iter().map(|cell| (cell.high, cell.count));
        if let Some(last) = self.point_of(interval) {
            last.take_up(stage, figures, cells);
        }
    }

    /// Adds pauses of the machine, a line of an interval log as well, to the time line.
    pub fn push_logged_pauses(&mut self, interval: &LogInterval) {
        let longest = interval.cells.iter().last().map_or(0, |cell| cell.high);
        if let Some(last) = self.point_of(interval) {
            last.pause_ns = last.pause_ns.max(longest);
        }
    }

    /// The point of a line's interval, which is the last or a new one.
    fn point_of(&mut self, interval: &LogInterval) -> Option<&mut IntervalPoint> {
        let (start, length) = (interval.start, interval.length);
        let same = |p: &IntervalPoint| p.start == start && p.length == length;
        if !self.timeline.last().is_some_and(same) {
            self.timeline.push(IntervalPoint {
                start,
                length,
                ..IntervalPoint::default()
            });
        }
        self.timeline.last_mut()
    }

    /// What the files that were kept of the run lack, with what they have: of what came in, of what was published.
    pub fn not_kept(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        let recording = self.record.iter().map(|r| {
            let has = plural(r.packets, "packet");
            (
                format!("packets not in the recording “{}”, which has {has}", r.file),
                r.lost,
            )
        });
        let journals = self.journals.iter().map(|j| {
            let has = plural(j.records, "record");
            (
                format!("records not in the journal “{}”, which has {has}", j.dir),
                j.lost,
            )
        });
        recording.chain(journals)
    }

    /// The delay that was put in front of a stage on purpose, where one was.
    pub fn injected(&self) -> Option<&str> {
        self.run.get(INJECTED).map(String::as_str)
    }

    /// Figures of a stage.
    pub fn figures(&self, stage: Stage) -> Option<&Figures> {
        self.latency.get(stage.name()).filter(|f| f.count > 0)
    }

    /// Stages with figures, in the order packets pass them.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, &Figures)> {
        MEASURED
            .into_iter()
            .filter_map(|stage| self.figures(stage).map(|f| (stage, f)))
    }

    /// Those of them whose figures are of one clock; the others have a table of their own.
    pub fn stages_of_one_clock(&self) -> impl Iterator<Item = (Stage, &Figures)> {
        self.stages().filter(|(stage, _)| !stage.crosses_clocks())
    }

    /// The stage that speaks for the run: records visible to consumers, or the last one before that was measured.
    pub fn headline_stage(&self) -> Option<(Stage, &Figures)> {
        HEADLINES
            .into_iter()
            .find_map(|stage| self.figures(stage).map(|f| (stage, f)))
    }
}

/// The run fact that says which delay was put in on purpose.
pub const INJECTED: &str = "injected delay";

fn curves(totals: &StageTotals) -> Vec<Curve> {
    let of = |(stage, histogram)| Curve {
        stage,
        points: curve(histogram),
    };
    totals.recorded().map(of).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use feed_common::latency::Resolution;
    use feed_common::latency::log::LogWriter;
    use feed_common::time::UnixNanos;

    /// Records `packets` with exponential queueing and a heavy tail, the way receive bursts behave; `slower` is what
    /// decoding takes more, `speed` what everything does.
    pub(in crate::report) fn fill(
        set: &mut StageSet,
        packets: u64,
        random: &mut u64,
        speed: f64,
        slower: f64,
    ) {
        for _ in 0..packets {
            *random ^= *random << 13;
            *random ^= *random >> 7;
            *random ^= *random << 17;
            let uniform = (*random >> 11) as f64 / (1u64 << 53) as f64;
            let queue = -(1.0 - uniform).ln();
            let tail = 1.0 + (queue / 4.0).powi(4);
            let base = queue * 120.0 * tail;
            let at = |nanos: f64| (nanos * speed) as u64;
            set.record(Stage::Receive, at(2_400.0 + base * 9.0));
            set.record(Stage::Dequeue, at(60.0 + base));
            set.record(Stage::Decoded, at((310.0 + base * 1.5) * slower));
            set.record(
                Stage::Published,
                at((310.0 + base * 1.5) * slower + 45.0 + base * 0.1),
            );
            set.record(Stage::Taken, at(480.0 + base * 2.2));
            if random.is_multiple_of(16) {
                set.record(Stage::Message, at(21.0 + queue * 9.0));
            }
        }
    }

    /// A run of `seconds` intervals with believable distributions, for the renderings' tests.
    pub(in crate::report) fn sample(seconds: u64) -> (RunReport, Vec<u8>) {
        let resolution = Resolution::default();
        let mut totals = StageTotals::new(resolution);
        let mut set = StageSet::new(resolution);
        let mut report = RunReport::default();
        let start = UnixNanos(1_700_000_000_000_000_000);
        let mut log = LogWriter::begin(Vec::new(), start, &[]).unwrap();
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        for second in 0..seconds {
            set.reset();
            fill(&mut set, 5_000, &mut random, 1.0, 1.0);
            totals.add(&set);
            let begins = Duration::from_secs(second);
            report.push_interval(begins, Duration::from_secs(1), &set);
            let from = UnixNanos(start.0 + second * 1_000_000_000);
            let to = UnixNanos(from.0 + 1_000_000_000);
            log.write_set(&set, from, to, None).unwrap();
        }
        report.set_latency(&totals);
        report.packets = 5_000 * seconds;
        report.messages = 31_234 * seconds;
        report.published = 33_810 * seconds;
        report.sequence = Sequence {
            gaps: 3,
            lost: 17,
            duplicates: 4_912 * seconds,
            recovered: 0,
            restarts: 0,
        };
        report.lines = ["A", "B"]
            .into_iter()
            .enumerate()
            .map(|(i, line)| Line {
                channel: "itch".into(),
                line: line.into(),
                group: format!("239.192.0.{}:2600{}", i + 1, i + 1),
                packets: 4_970 * seconds,
                messages: 31_010 * seconds,
                lost: 210 + i as u64,
                duplicates: 2_456 * seconds,
                first: 15_617 * seconds,
                lost_here: Ordered::default(),
                lost_alone: Some(200 + i as u64),
                lead_ns: Some(Lead {
                    count: 2_456 * seconds,
                    min: 40,
                    p50: 1_230,
                    p99: 45_600,
                    max: 1_234_567,
                }),
                longest_silence_ns: 12_300_000,
                longest_silence_since_ns: Some(1_795_271_400_000_000_042),
            })
            .collect();
        report.drops = [
            ("frame_overrun", 2),
            ("socket_buffer", 0),
            ("ring_full", 15),
        ]
        .into_iter()
        .collect();
        report.consumers = vec![Consumer {
            name: "printer <b>&\"'".into(),
            taken: report.published.saturating_sub(7),
            lost: 7,
            withheld: 0,
            ..Consumer::default()
        }];
        report.record_digest = Some("00f1e2d3c4b5a697".into());
        report.book_digest = Some("0123456789abcdef".into());
        report.books = Some(Books {
            live_orders: 12_345,
            levels: 2_468,
            instruments: 100,
            bbo_changes: 9_876,
            faults: [("unknown_order", 0), ("crossed", 2)].into_iter().collect(),
        });
        report.run = [
            ("command", "feed-handler demo --out runs/demo"),
            ("machine", "2 × example CPU, Linux 6.1"),
            ("receive clock", "time-stamp counter, drift −18.8 ppm"),
            ("configuration", "<script>alert(1)</script>"),
            ("start", "2023-11-14 22:13:20 UTC"),
            ("duration", "10.0 s"),
        ]
        .into_iter()
        .map(|(k, v)| (k, v.to_owned()))
        .collect();
        (report, log.finish().unwrap())
    }
}
