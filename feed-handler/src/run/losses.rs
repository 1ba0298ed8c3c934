//! The list of a live run's holes: where each was lost and who closed it, into the run's folder, and the sums.

use super::handler::{Handler, Outcome};
use crate::config::{LinePlan, Plan};
use crate::net::{HostDrops, HostWatch, Interface, interfaces};
use crate::report::{Holes, Ordered};
use crate::sequence::{By, Cause, HoleEnd, SIDES, Side};
use crossbeam_channel::Receiver;
use feed_common::latency::{Resolution, Spread};
use feed_common::time::{Clock, UnixNanos};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

/// The list in a run's folder: JSON Lines, a hole a line in the order they were closed.
pub(super) const GAPS: &str = "gaps.jsonl";

/// Lines of the list; further holes are counted.
const LISTED_MAX: u64 = 100_000;

/// How often the machine's counters are read, in nanoseconds, while no hole ends.
const LOOK_NANOS: u64 = 100_000_000;

/// Takes what lanes say of their holes, and judges it.
pub(super) struct LossLog {
    ends: Vec<Receiver<HoleEnd>>,
    channels: Vec<Named>,
    clock: Clock,
    watch: HostWatch,
    looked: u64,
    file: Option<BufWriter<File>>,
    holes: Holes,
    closed_after: Spread,
    /// Messages that were missing, by the place of their cause.
    messages: [u64; Cause::ALL.len()],
}

struct Named {
    name: String,
    lines: Vec<NamedLine>,
}

struct NamedLine {
    name: String,
    interface: Option<String>,
}

/// A line of the list; the names are those of `gaps`.
#[derive(Serialize)]
struct Row<'a> {
    time: String,
    time_ns: u64,
    closed_ns: u64,
    channel: &'a str,
    unit: u8,
    first: u64,
    last: u64,
    count: u64,
    lacked_by: Vec<&'a str>,
    state: &'static str,
    closed_by: Option<String>,
    late_ns: u64,
    /// The first number that was given up.
    lost_first: Option<u64>,
    lost: u64,
    cause: &'static str,
    lines: Vec<LineRow<'a>>,
}

/// Of a line that lacked it.
#[derive(Serialize)]
struct LineRow<'a> {
    line: &'a str,
    cause: &'static str,
    /// Packets of the line that were dropped here between its packets before and behind.
    dropped: u64,
}

impl LossLog {
    /// Begins the list in `dir`, if there is one; its error when there cannot be.
    pub fn begin(dir: Option<&Path>, plan: &Plan, handler: &Handler) -> (LossLog, io::Result<()>) {
        let opened = dir.map(|dir| File::create(dir.join(GAPS))).transpose();
        let (file, result) = match opened {
            Ok(file) => (file.map(BufWriter::new), Ok(())),
            Err(e) => (None, Err(e)),
        };
        let channel = |(_, channel): (_, &crate::config::ChannelPlan)| Named {
            name: channel.name.clone(),
            lines: channel.lines.iter().map(named).collect(),
        };
        let mut log = LossLog {
            ends: handler.hole_ends(),
            channels: plan.channels().map(channel).collect(),
            clock: handler.clock().clone(),
            watch: HostWatch::default(),
            looked: 0,
            file,
            holes: Holes::default(),
            closed_after: Spread::new(Resolution::default()),
            messages: [0; Cause::ALL.len()],
        };
        log.look(log.now());
        (log, result)
    }

    /// Takes what lanes have said since it was last called. An error is the file's, which is then given up.
    pub fn take(&mut self) -> io::Result<()> {
        let now = self.now();
        let is_quiet = self.ends.iter().all(Receiver::is_empty);
        if is_quiet && now.saturating_sub(self.looked) < LOOK_NANOS {
            return Ok(());
        }
        // Before holes are judged, so that what has grown while they came about is known.
        self.look(now);
        let wall = UnixNanos::now().0;
        let mut written = Ok(());
        for lane in 0..self.ends.len() {
            for _ in 0..self.ends[lane].len() {
                let Ok(end) = self.ends[lane].try_recv() else {
                    break;
                };
                let stamp = |at: u64| UnixNanos(wall.saturating_sub(now).saturating_add(at));
                written = written.and(self.hole(&end, stamp));
            }
        }
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        written.and(flushed).inspect_err(|_| self.file = None)
    }

    /// The sums, at the end of the run, with the messages by cause.
    pub fn sums(self, outcome: &Outcome) -> (Holes, Ordered<u64>) {
        let causes = Cause::ALL.iter().zip(self.messages);
        let found = causes.filter(|&(_, messages)| messages > 0);
        let holes = Holes {
            unreported: outcome.lanes.iter().map(|l| l.hole_ends_missed).sum(),
            closed_after_ns: self.closed_after.quantiles().into(),
            ..self.holes
        };
        (holes, found.map(|(cause, n)| (cause.name(), n)).collect())
    }

    fn now(&self) -> u64 {
        self.clock.scale().nanos(self.clock.now().0)
    }

    fn look(&mut self, now: u64) {
        self.looked = now;
        // Without them the evidence is what this process has itself.
        if let Ok(drops) = HostDrops::read() {
            self.watch.reading(now, drops);
        }
    }

    fn hole(&mut self, end: &HoleEnd, stamp: impl Fn(u64) -> UnixNanos) -> io::Result<()> {
        let Some(channel) = self.channels.get(end.channel as usize) else {
            return Ok(());
        };
        let verdict = end.verdict(|line, from, to| {
            let interface = channel.lines.get(line).and_then(|l| l.interface.as_deref());
            self.watch.dropped(interface, from, to)
        });
        let missing = match end.by {
            Some(_) => end.span.count,
            None => end.lost.count,
        };
        let place = Cause::ALL.iter().position(|&c| c == verdict.cause);
        if let Some(messages) = place.and_then(|place| self.messages.get_mut(place)) {
            *messages = messages.saturating_add(missing);
        }
        let line_name = |line: usize| channel.lines.get(line).map_or("?", |l| l.name.as_str());
        let closed_by = end.by.map(|by| by.name(|line| line_name(line).to_owned()));
        let open = end.closed.saturating_sub(end.opened);
        self.holes.found += 1;
        match &closed_by {
            None => self.holes.given_up += 1,
            Some(by) => {
                let known = self.holes.closed_by.get(by).copied().unwrap_or(0);
                self.holes.closed_by.set(by.as_str(), known + 1);
                if end.by != Some(By::Snapshot) {
                    self.closed_after.record(open);
                }
            }
        }
        if self.holes.found > LISTED_MAX {
            self.holes.unlisted += 1;
            return Ok(());
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let sides = end.sides.iter().zip(verdict.lines).take(SIDES).enumerate();
        let lacking = sides.filter_map(|(line, (side, cause))| {
            Some(LineRow {
                line: line_name(line),
                cause: cause?.name(),
                dropped: match side {
                    Side::Lacks(interval) => interval.dropped.total(),
                    _ => 0,
                },
            })
        });
        let lines: Vec<LineRow> = lacking.collect();
        let row = Row {
            time: stamp(end.opened).to_string(),
            time_ns: stamp(end.opened).0,
            closed_ns: stamp(end.closed).0,
            channel: &channel.name,
            unit: end.unit,
            first: end.span.first,
            last: end.span.end().saturating_sub(1),
            count: end.span.count,
            lacked_by: lines.iter().map(|row| row.line).collect(),
            state: match end.by {
                Some(_) => "closed",
                None => "given_up",
            },
            closed_by,
            late_ns: open,
            lost_first: (end.lost.count > 0).then_some(end.lost.first),
            lost: end.lost.count,
            cause: verdict.cause.name(),
            lines,
        };
        serde_json::to_writer(&mut *file, &row)?;
        file.write_all(b"\n")
    }
}

/// Takes away the list of an earlier run, which this one does not make.
pub(super) fn forget(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(GAPS)) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn named(line: &LinePlan) -> NamedLine {
    let interface = match &line.address.interface {
        None => None,
        Some(Interface::Name(name)) => Some(name.clone()),
        Some(Interface::Address(address)) => {
            let all = interfaces().unwrap_or_default();
            let found = all.into_iter().find(|i| i.addresses.contains(address));
            found.map(|i| i.name)
        }
    };
    NamedLine {
        name: line.name.clone(),
        interface,
    }
}
