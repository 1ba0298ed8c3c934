use super::OutputFormat;
use super::input::{DAMAGE, listed};
use super::outputs::{judge_journals, judge_recording, resolution, tables, write_out};
use feed_common::capture::{CaptureFile, Datagrams, Format};
use feed_common::program::{Failure, judge_cut, open_capture, open_capture_once, print, warn};
use feed_handler::config::{self, Injection, Plan, RecordPlan, TimeSpan};
use feed_handler::demo::failure;
use feed_handler::protocol::DecodeError;
use feed_handler::report::json;
use feed_handler::report::units::plural;
use feed_handler::run::{Input, LaneEnd, Outcome, Recorded, Until, supervise};
use feed_handler::transport::FrameError;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler run -c feed.toml --duration 10s --out runs/today\n  feed-handler run -c \
                  feed.toml --input day.pcap\n  feed-handler run -c feed.toml --record today.pcapng\n\nSIGINT and SIGTERM drain what was received and write the outputs; a \
                  second one ends at once."
)]
pub struct Arguments {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// A capture to handle instead of the live lines. Packets of other groups are counted as foreign; one with nothing
    /// for any line is refused. `-` is standard input; with a single lane, a pipe is handled as it arrives
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// End after this long, such as 10s or 500ms
    #[arg(long, value_name = "SPAN")]
    duration: Option<TimeSpan>,
    /// Folder for summary.json, latency.hlog, report.html, digests.jsonl, plan.toml and, of a live run, gaps.jsonl (every
    /// hole, who closed it and where it was lost); the configuration's `output.dir` when left out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Keep what every line brings, with its receive times, as a capture: pcapng, or classic pcap where the name ends in
    /// .pcap. A disk that is too slow costs the recording, never the feed: what it lacks is counted and noted in the file
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    record: Option<PathBuf>,
    /// Hold packets up in front of a stage (dequeue, decoded or published), to see that a slower stage is found: 20us in
    /// front of decoding for one packet in a hundred is decoded=20us@1%. Every output says so
    #[arg(long, value_name = "STAGE=DELAY@SHARE%")]
    inject: Option<Injection>,
    /// End with status 1 when anything was malformed, the capture is cut short, or the recording or a journal is not whole, instead of
    /// counting it and warning
    #[arg(long)]
    strict: bool,
    /// How to print the figures at the end
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut plan = config::load(&arguments.config).map_err(Failure::usage)?;
    plan.record = arguments.record.clone().map(RecordPlan::new);
    plan.latency.inject = arguments.inject;
    let input = match &arguments.input {
        Some(path) => {
            // Every lane reads the whole of it, so only a single one can take a pipe as it arrives.
            let file = match plan.lanes.len() {
                1 => open_capture_once(path)?,
                _ => open_capture(path)?,
            };
            if !file.is_once() {
                check_lines(&plan, &file, path)?;
            }
            Input::File(Arc::new(file))
        }
        None => Input::Live,
    };
    let dir = arguments.out.as_ref().or(plan.output_dir.as_ref());
    let until = Until::signalled(arguments.duration.map(TimeSpan::duration))?;
    let command: Vec<_> = std::env::args().collect();
    let mut recorded = Recorded::begin(
        &command.join(" "),
        resolution(&plan)?,
        dir.map(PathBuf::as_path),
    )
    .map_err(Failure::running)?;
    let outcome = supervise(&plan, &input, &until, &mut recorded, |_| {}).map_err(failure)?;
    if let (Input::File(file), [lane]) = (&input, &outcome.lanes[..])
        && file.is_once()
        && lane.packets == 0
        && lane.source.foreign > 0
    {
        let packets = plural(lane.source.foreign, "packet");
        return Err(Failure::usage(format_args!(
            "{}: none of its {packets} was sent to a line of the configuration",
            file.path().display()
        )));
    }
    match arguments.format {
        OutputFormat::Text => print(&format!("{}{}", tables(&recorded), digests(&outcome)))?,
        OutputFormat::Json => print(&json::render(recorded.report()))?,
    }
    let recording = recorded.report().record.clone();
    let journals = recorded.report().journals.clone();
    write_out(recorded)?;
    judge_recording(recording.as_ref(), arguments.strict)?;
    judge_journals(&journals, arguments.strict)?;
    if arguments.strict
        && let Some(what) = malformed(&outcome.lanes)
    {
        return Err(Failure::running(format_args!("malformed: {what}")));
    }
    if let Some(path) = &arguments.input {
        let cut = outcome.lanes.iter().find_map(|l| l.source.cut);
        judge_cut(path, cut, arguments.strict)?;
    }
    match outcome.lanes.into_iter().find_map(|l| l.source.error) {
        Some(e) => Err(Failure::running(e)),
        None => Ok(()),
    }
}

/// A line for each digest of the run.
fn digests(outcome: &Outcome) -> String {
    let books = outcome.book_digest();
    let books = books.map_or(String::new(), |d| format!("book digest   {d}\n"));
    format!("record digest {}\n{books}", outcome.record_digest())
}

/// Groups of a capture that are named when it is the wrong one.
const NAMED_GROUPS: usize = 8;

/// Refuses a capture in which no datagram belongs to a line of the configuration. A single one is enough: what else
/// the capture carries is counted as foreign.
fn check_lines(plan: &Plan, file: &CaptureFile, path: &Path) -> Result<(), Failure> {
    if file.format() == Format::BinaryFile {
        return Ok(()); // it has no groups
    }
    let lines = plan.lanes.iter().flat_map(|lane| lane.lines());
    let configured = lines.map(|(_, line)| SocketAddr::V4(line.address.group));
    let configured: BTreeSet<SocketAddr> = configured.collect();
    let mut found = BTreeMap::<SocketAddr, u64>::new();
    let mut datagrams = Datagrams::new(file);
    while let Some(datagram) = datagrams.next() {
        let Some(group) = datagram.dst else {
            continue;
        };
        if configured.contains(&group) {
            return Ok(());
        }
        if found.len() < NAMED_GROUPS || found.contains_key(&group) {
            *found.entry(group).or_default() += 1;
        }
    }
    let path = path.display();
    if found.is_empty() {
        let skipped = datagrams
            .skipped()
            .iter()
            .map(|(reason, n)| (reason.name(), n));
        let skipped = listed(skipped).map_or_else(String::new, |s| format!(": {s}"));
        let frames = plural(datagrams.frames(), "frame");
        warn(format_args!("{path}: no datagram in {frames}{skipped}"));
        return Ok(());
    }
    let found = found
        .iter()
        .map(|(group, &n)| format!("{group} ({})", plural(n, "packet")));
    let configured = configured.iter().map(SocketAddr::to_string);
    Err(Failure::usage(format_args!(
        "{path}: nothing in it was sent to a line of the configuration ({}); it has {}",
        configured.collect::<Vec<_>>().join(", "),
        found.collect::<Vec<_>>().join(", ")
    )))
}

/// Everything that was not what its protocol says, by cause.
fn malformed(lanes: &[LaneEnd]) -> Option<String> {
    let causes = FrameError::ALL.map(FrameError::name).into_iter();
    let causes = causes.chain(DecodeError::ALL.map(DecodeError::name));
    let counts = causes.chain(["packet_truncated"]).map(|cause| {
        let of = |lane: &LaneEnd| lane.drops.get(cause).copied().unwrap_or(0);
        (cause, lanes.iter().map(of).sum())
    });
    // Every lane of a file walks all of it: frames without a datagram are the same ones.
    let frames = DAMAGE.map(|reason| {
        let skipped = lanes.first().map(|lane| &lane.source.skipped);
        let n = skipped.and_then(|s| s.get(reason.name()).copied());
        (reason.name(), n.unwrap_or(0))
    });
    listed(counts.chain(frames))
}
