//! What a run writes: the interval log and its marks as it goes, the summary and the report at the end.

use super::crossing;
use super::end::LaneEnd;
use super::facts;
use super::handler::{Handler, Outcome};
use super::losses::{self, GAPS, LossLog};
use super::recovery::RecoveryEnd;
use super::sampled::sampled;
use super::start::Input;
use super::trail::TrailLog;
use crate::config::Plan;
use crate::journal::JournalEnd;
use crate::publish::MarkReader;
use crate::record::RecordEnd;
use crate::report::{
    self, Arrivals, Books, Calm, ChannelTotals, Consumer, Figures, IntervalPoint, Journal, Line,
    Ordered, Process, Recording, Recovery, RunReport, Sequence, WriteError,
};
use crate::sequence::{Cause, Dropped};
use crate::series::{Counts, RatePoint, SERIES, SeriesLog};
use crate::status::StageStatus;
use crate::trail::DIGESTS;
use feed_common::journal::JournalError;
use feed_common::latency::cost::Cost;
use feed_common::latency::log::{CHANNEL, LogWriter};
use feed_common::latency::summary::{Quantiles, StageTotals};
use feed_common::latency::{Resolution, Stage, StageSet};
use feed_common::time::{Clock, UnixNanos};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Why outputs could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The folder, or what is written into it as the run goes.
    #[error("cannot write {}: {source}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The summary or the report.
    #[error(transparent)]
    Report(#[from] WriteError),
}

/// Collects a run's intervals and writes its folder.
pub struct Recorded {
    report: RunReport,
    totals: StageTotals,
    /// What of it lay in intervals without a long pause of the machine.
    calm: Calm,
    /// Each channel's tag in the log and what it has of [`Stage::Published`], where there are several.
    channels: Vec<(String, StageTotals)>,
    dir: Option<PathBuf>,
    /// The log's file until the run has started: what an earlier run wrote into it stays until then.
    opened: Option<File>,
    log: Option<LogWriter<BufWriter<File>>>,
    trail: Option<TrailLog>,
    series: Option<SeriesLog<File>>,
    /// What had been counted when the interval before it ended.
    counted: Counts,
    /// Only of a live run.
    losses: Option<LossLog>,
    /// The first failure of a log; the run goes on without it, and the failure is told at the end.
    failed: Option<OutputError>,
    started: Instant,
    started_at: UnixNanos,
    live: bool,
    last: Duration,
    /// When the interval before it ended.
    before: Duration,
    /// Since progress was last told.
    untold: StageSet,
}

impl Recorded {
    /// Begins the record of a run of `command`, in `dir` if there is one. The folder is made and tried at once, so that
    /// a folder that cannot be written is known before the run and not after it.
    pub fn begin(
        command: &str,
        resolution: Resolution,
        dir: Option<&Path>,
    ) -> Result<Recorded, OutputError> {
        let started_at = UnixNanos::now();
        let opened = dir.map(open_log).transpose()?;
        let mut report = RunReport::default();
        report.run.set("command", command.to_owned());
        report.run.set("start", started_at.to_string());
        for (name, fact) in facts::machine() {
            report.run.set(name, fact);
        }
        Ok(Recorded {
            report,
            totals: StageTotals::new(resolution),
            calm: Calm::new(resolution),
            channels: Vec::new(),
            dir: dir.map(Path::to_owned),
            opened,
            log: None,
            trail: None,
            series: None,
            counted: Counts::default(),
            losses: None,
            failed: None,
            started: Instant::now(),
            started_at,
            live: false,
            last: Duration::ZERO,
            before: Duration::ZERO,
            untold: StageSet::new(resolution),
        })
    }

    /// Adds a fact of the run.
    pub fn fact(&mut self, name: &str, value: String) {
        self.report.run.set(name, value);
    }

    /// The run has started, and nothing will call it off any more: the logs begin.
    pub(super) fn started(&mut self, plan: &Plan, input: &Input, handler: &Handler) {
        self.live = matches!(input, Input::Live);
        self.fact("input", facts::input(input));
        let sets = handler.by_channel().iter();
        let channels = plan.channels().zip(sets).map(|((_, channel), set)| {
            let tag = format!("{CHANNEL}{}", channel.name);
            (tag, StageTotals::new(set.resolution()))
        });
        self.channels = channels.collect();
        if let Some(injection) = plan.latency.inject {
            self.fact(report::INJECTED, injection.to_string());
        }
        let cost = Cost::measure(handler.clock());
        self.fact("instruments", cost.to_string());
        self.report.instruments = Some(cost.into());
        let opened = self.opened.take();
        let dir = self.dir.clone().filter(|_| opened.is_some());
        let listed = match (input, &dir) {
            (Input::Live, dir) => {
                let (log, begun) = LossLog::begin(dir.as_deref(), plan, handler);
                self.losses = Some(log);
                begun
            }
            (Input::File(_), Some(dir)) => losses::forget(dir),
            (Input::File(_), None) => Ok(()),
        };
        if let Err(source) = listed {
            self.fail(GAPS, source);
        }
        let Some(file) = opened else {
            return;
        };
        let command = self.report.run.get("command").cloned().unwrap_or_default();
        let begun = file
            .set_len(0)
            .and_then(|()| LogWriter::begin(BufWriter::new(file), self.started_at, &[&command]));
        match begun {
            Ok(log) => self.log = Some(log),
            Err(source) => self.fail(LOG, source),
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("."));
        let begun =
            File::create(dir.join(SERIES)).and_then(|file| SeriesLog::begin(file, self.started_at));
        match begun {
            Ok(series) => self.series = Some(series),
            Err(source) => self.fail(SERIES, source),
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("."));
        match TrailLog::begin(dir, plan, input, handler.today()) {
            Ok(trail) => self.trail = Some(trail),
            Err((name, source)) => self.fail(name, source),
        }
    }

    /// Takes the marks that have come up.
    pub(super) fn marks(&mut self, marks: &mut MarkReader) {
        if let Some(trail) = &mut self.trail
            && let Err(source) = trail.take(marks)
        {
            self.trail = None;
            self.fail(DIGESTS, source);
        }
    }

    /// Takes what became of holes since it was last called.
    pub(super) fn holes(&mut self) {
        if let Some(log) = &mut self.losses
            && let Err(source) = log.take()
        {
            self.fail(GAPS, source);
        }
    }

    /// Time since the run began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes up an interval that ends now, with what has been counted since the run began.
    pub fn interval(&mut self, set: &StageSet, counts: Counts) {
        let now = self.elapsed();
        let (start, length) = (self.last, now - self.last);
        (self.before, self.last) = (start, now);
        self.totals.add(set);
        self.calm.take(set);
        self.untold.add(set);
        self.report
            .push_interval(millis(start), millis(length), set);
        if let Some(log) = &mut self.log {
            let at = |t: Duration| UnixNanos(self.started_at.0 + t.as_nanos() as u64);
            if let Err(source) = log.write_set(set, at(start), at(now), None) {
                self.log = None;
                self.fail(LOG, source);
            }
        }
        self.rates(length, counts);
    }

    /// Adds the interval that was taken up last to the series.
    fn rates(&mut self, length: Duration, counts: Counts) {
        // As the clock has it: a rate over none would be no number.
        if length.is_zero() {
            return;
        }
        let rates = counts.rates(&self.counted, length);
        self.counted = counts;
        let [packets, messages, lost] = rates;
        self.report.rates.push(RatePoint {
            at: self.last,
            packets,
            messages,
            lost,
        });
        let (Some(series), Some(point)) = (&mut self.series, self.report.timeline.last()) else {
            return;
        };
        let published = point.figures(Stage::Published);
        let published = published.map(|f| [f.p50, f.p99, f.p999, f.max]);
        let at = UnixNanos(self.started_at.0 + self.last.as_nanos() as u64);
        if let Err(source) = series.interval(at, rates, published, point.pause_ns) {
            self.series = None;
            self.fail(SERIES, source);
        }
    }

    /// Takes up what each channel has of [`Stage::Published`] in the interval that was taken up last.
    pub fn by_channel(&mut self, sets: &[StageSet]) {
        let at = |t: Duration| UnixNanos(self.started_at.0 + t.as_nanos() as u64);
        let (from, to) = (at(self.before), at(self.last));
        let mut failed = None;
        for ((tag, totals), set) in self.channels.iter_mut().zip(sets) {
            totals.add(set);
            let published = set.histogram(Stage::Published).filter(|h| !h.is_empty());
            if let (Some(log), Some(published)) = (&mut self.log, published) {
                let written = log.write(Some(tag.as_str()), Stage::Published, &published, from, to);
                failed = failed.or(written.err());
            }
        }
        if let Some(source) = failed {
            self.log = None;
            self.fail(LOG, source);
        }
    }

    /// The figures of the intervals since this was last called.
    pub fn since_told(&mut self) -> IntervalPoint {
        let point = IntervalPoint::of(self.last, Duration::ZERO, &self.untold);
        self.untold.reset();
        point
    }

    /// The stages so far, with their figures in `last`, the time since progress was told.
    pub fn stages(&self, last: &IntervalPoint) -> Vec<StageStatus> {
        let recorded = self.totals.recorded();
        let stages = recorded.map(|(stage, histogram)| StageStatus {
            stage: stage.name().to_owned(),
            interval: last.figures(stage).copied().unwrap_or_default(),
            total: Quantiles::of(histogram).into(),
        });
        stages.collect()
    }

    /// Completes the report with what the run came to.
    pub fn complete(&mut self, plan: &Plan, clock: &Clock, outcome: &Outcome) {
        if let Some(series) = &mut self.series {
            series.ends();
        }
        let counts = outcome.lanes.iter().map(LaneEnd::counts).sum();
        self.interval(&outcome.last, counts);
        self.by_channel(&outcome.last_by_channel);
        if let Some(trail) = self.trail.take()
            && let Err(source) = trail.done(outcome)
        {
            self.fail(DIGESTS, source);
        }
        self.holes();
        if let Some(log) = self.losses.take() {
            let (holes, losses) = log.sums(outcome);
            self.report.holes = Some(holes);
            self.report.losses = losses;
        }
        let facts = facts::lanes(plan)
            .into_iter()
            .chain([facts::books(&plan.book)])
            .chain(outcome.facts.iter().cloned())
            .chain(facts::clocks(clock.scale(), &outcome.clocks));
        for (name, fact) in facts {
            self.report.run.set(name, fact);
        }
        self.report
            .run
            .set("duration", format!("{:.3} s", self.elapsed().as_secs_f64()));
        self.report.set_latency(&self.totals);
        self.report.pauses = self.calm.beside(&self.totals);
        self.report.arrivals = Arrivals::of(self.totals.bursts());
        self.report.judge_instruments();
        self.report.clocks = crossing::clocks(self.live, &self.totals, outcome);
        self.report.record_digest = Some(outcome.record_digest().to_string());
        self.report.book_digest = outcome.book_digest().map(|d| d.to_string());
        self.report.books = books(outcome);
        self.report.consumers = outcome
            .consumers
            .iter()
            .map(|c| Consumer {
                name: c.name.clone(),
                taken: c.delivered - c.skipped,
                lost: c.lost,
                skipped: c.skipped,
                conflated: c.conflated,
                withheld: c.withheld,
                stopped: c.stopped,
            })
            .collect();
        self.report.processes = outcome
            .processes
            .iter()
            .map(|p| Process {
                lane: p.lane.clone(),
                process: p.process,
                taken: p.taken.into(),
                fault: p.fault.clone(),
            })
            .collect();
        self.report.record = outcome.record.as_ref().map(recording);
        self.report.journals = outcome.journals.iter().map(journal).collect();
        fill_counts(&mut self.report, plan, outcome);
        let alone = self.report.figures(Stage::Published).copied();
        match &mut self.report.channels[..] {
            [only] => only.published = alone,
            several => {
                for (channel, (_, totals)) in several.iter_mut().zip(&self.channels) {
                    let figures = Figures::from(totals.quantiles(Stage::Published));
                    channel.published = (figures.count > 0).then_some(figures);
                }
            }
        }
    }

    /// The report so far.
    pub fn report(&self) -> &RunReport {
        &self.report
    }

    /// Writes the folder, and says what of it could not be written.
    pub fn write(mut self) -> Result<Option<PathBuf>, OutputError> {
        let Some(dir) = self.dir.clone() else {
            return Ok(None);
        };
        if let Some(log) = self.log.take()
            && let Err(source) = log.finish().and_then(|mut out| out.flush())
        {
            self.fail(LOG, source);
        }
        if let Some(series) = self.series.take()
            && let Err(source) = series.finish()
        {
            self.fail(SERIES, source);
        }
        // The list is on the disk by now, and the report shows what a reader of the folder finds.
        if let Ok((gaps, _)) = report::read_gaps(&dir.join(GAPS), Some(logged(self.started_at))) {
            self.report.gaps = gaps;
        }
        report::hgrm::write(&dir.join(report::hgrm::FOLDER), &self.totals)?;
        report::write_run(&dir, &self.report)?;
        match self.failed {
            Some(failed) => Err(failed),
            None => Ok(Some(dir)),
        }
    }

    fn fail(&mut self, name: &str, source: io::Error) {
        let path = self.dir.as_deref().unwrap_or(Path::new(".")).join(name);
        self.failed.get_or_insert(OutputError::Log { path, source });
    }
}

const LOG: &str = "latency.hlog";

/// Opens a run's log for writing, which shows whether the folder can be written, and leaves it as it is.
fn open_log(dir: &Path) -> Result<File, OutputError> {
    let failed = |path: &Path, source| OutputError::Log {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
    let path = dir.join(LOG);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    file.map_err(|e| failed(&path, e))
}

/// As a log's head has it.
fn logged(at: UnixNanos) -> UnixNanos {
    UnixNanos(millis(Duration::from_nanos(at.0)).as_nanos() as u64)
}

/// To the millisecond, as a log's line has it: a report that is made of the folder is then the same.
fn millis(time: Duration) -> Duration {
    Duration::from_millis(((time.as_nanos() + 500_000) / 1_000_000) as u64)
}

/// The sum over all channels that have books.
fn books(outcome: &Outcome) -> Option<Books> {
    let mut sum = None;
    for (_, channel) in outcome.channel_books() {
        let sum = sum.get_or_insert_with(Books::default);
        sum.live_orders += channel.live_orders;
        sum.levels += channel.levels;
        sum.instruments += channel.instruments;
        sum.bbo_changes += channel.bbo_changes;
        for (fault, n) in channel.faults.iter() {
            let known = sum.faults.get(fault.name()).copied().unwrap_or(0);
            sum.faults.set(fault.name(), known + n);
        }
    }
    sum
}

fn recording(end: &RecordEnd) -> Recording {
    Recording {
        packets: end.packets,
        bytes: end.bytes,
        lost: end.lost,
        file: end.file.display().to_string(),
        error: end.error.as_ref().map(io::Error::to_string),
    }
}

fn journal(end: &JournalEnd) -> Journal {
    Journal {
        lane: end.lane.clone(),
        dir: end.dir.display().to_string(),
        first: end.first,
        records: end.records,
        lost: end.lost,
        unwritten: end.unwritten,
        gaps: end.gaps,
        waits: end.waits,
        error: end.error.as_ref().map(JournalError::to_string),
    }
}

fn fill_counts(report: &mut RunReport, plan: &Plan, outcome: &Outcome) {
    let mut sequence = Sequence::default();
    for (lane_plan, lane) in plan.lanes.iter().zip(&outcome.lanes) {
        report.packets += lane.packets;
        report.messages += lane.messages;
        report.filtered += lane.filtered;
        report.published += lane.published;
        for (cause, &n) in &lane.drops {
            add(report, cause, n);
        }
        add(report, "foreign", lane.source.foreign);
        for (name, &n) in &lane.oddities {
            let known = report.oddities.get(name).copied().unwrap_or(0);
            report.oddities.set(*name, known + n);
        }
        for (channel_plan, channel) in lane_plan.channels.iter().zip(&lane.channels) {
            let s = channel.sequence;
            sequence.gaps += s.gaps;
            sequence.lost = sequence.lost.saturating_add(s.lost);
            sequence.duplicates += s.duplicates;
            sequence.recovered += s.recovered;
            sequence.restarts += s.restarts;
            report.channels.push(ChannelTotals {
                channel: channel.name.clone(),
                lane: lane_plan.name.clone(),
                messages: channel.messages,
                gaps: s.gaps,
                lost: s.lost,
                duplicates: s.duplicates,
                recovered: s.recovered,
                restarts: s.restarts,
                published: None,
            });
            for (line_plan, line) in channel_plan.lines.iter().zip(&channel.lines) {
                let since = line.silence.since;
                report.lines.push(Line {
                    channel: channel.name.clone(),
                    line: line_plan.name.clone(),
                    group: line_plan.address.group.to_string(),
                    packets: line.packets,
                    messages: line.messages,
                    lost: line.lost,
                    duplicates: line.duplicates,
                    first: line.first,
                    lost_here: lost_here(line.lost_here),
                    lost_alone: line.lost_alone,
                    lead_ns: line.lead,
                    longest_silence_ns: line.silence.nanos,
                    longest_silence_since_ns: since.is_known().then_some(since.0),
                });
            }
        }
    }
    // Every lane of a file walks all of it: frames without a datagram are the same ones.
    if let Some(first) = outcome.lanes.first() {
        for (reason, &n) in &first.source.skipped {
            add(report, reason, n);
        }
    }
    report.sequence = sequence;
    report.sampled = sampled(plan, &outcome.lanes);
    report.recovery = outcome.recovery.iter().map(recovery).collect();
}

/// By the names of the causes; empty without any.
fn lost_here(dropped: Dropped) -> Ordered<u64> {
    let Dropped {
        socket_buffer,
        ring_full,
        malformed,
    } = dropped;
    let all = [
        (Cause::SocketBuffer, socket_buffer),
        (Cause::RingFull, ring_full),
        (Cause::Malformed, malformed),
    ];
    let lost = all.into_iter().filter(|&(_, n)| n > 0);
    lost.map(|(cause, n)| (cause.name(), n)).collect()
}

fn recovery((channel, counts): &RecoveryEnd) -> Recovery {
    Recovery {
        channel: channel.clone(),
        counts: counts.iter().copied().collect(),
    }
}

fn add(report: &mut RunReport, cause: &str, n: u64) {
    let known = report.drops.get(cause).copied().unwrap_or(0);
    report.drops.set(cause, known + n);
}
