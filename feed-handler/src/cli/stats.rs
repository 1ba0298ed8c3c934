use super::OutputFormat;
use super::input::{Input, listed};
use feed_common::capture::{CaptureFile, Cut, Format, Lend, Skipped};
use feed_common::program::{Failure, Progress, Watched, print, print_line};
use feed_handler::inspect::Lines;
use feed_handler::inspect::stats::{Stats, stats};
use feed_handler::report::units::count;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler stats day.pcap\n  feed-handler stats day.pcap --format json\n  feed-handler \
                  stats day.pcap --lines 239.1.1.1:5000,239.1.1.2:5000"
)]
pub struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Which streams are lines of one channel: `auto` tells by their bytes, `separate` keeps them apart, or list the
    /// groups of each channel: `G:P,G:P;G:P,G:P`
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = lines)]
    lines: Lines,
    /// How to print the facts
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

/// The facts of the file around those of its datagrams.
#[derive(Serialize)]
struct Facts {
    #[serde(flatten)]
    stats: Stats,
    /// Frames in the file; a BinaryFILE has none.
    frames: u64,
    /// Frames without a datagram, by reason.
    skipped: BTreeMap<&'static str, u64>,
    /// Frames of which the capture holds only the beginning.
    cut_frames: u64,
    /// Datagrams of which some fragments came and others did not.
    ip_fragments_missing: u64,
    /// What contradicts itself in the blocks of a pcapng file, by name.
    block_faults: BTreeMap<&'static str, u64>,
    cut: Option<CutFact>,
}

#[derive(Serialize)]
struct CutFact {
    offset: u64,
    reason: String,
}

impl From<Cut> for CutFact {
    fn from(cut: Cut) -> CutFact {
        CutFact {
            offset: cut.offset,
            reason: cut.to_string(),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.input.open()?;
    let given = arguments.input.given(&file)?;
    if let Lines::Given(channels) = &arguments.lines {
        check_lines(channels, &file, &arguments.input)?;
    }
    let pass = || Watched::new(&file, Progress::of_file(&file));
    let (stats, watched) = stats(pass, given.as_ref(), &arguments.lines)
        .map_err(|e| arguments.input.undetected(&e))?;
    let datagrams = watched.into_datagrams();
    let errors = listed(stats.errors.iter().map(|(&name, &n)| (name, n)));
    let skipped = datagrams.skipped().iter().filter(|&(_, n)| n > 0);
    let faults = datagrams.faults();
    let faults = faults.iter().filter(|&(_, n)| n > 0);
    let facts = Facts {
        frames: match file.format() {
            Format::BinaryFile => 0,
            _ => datagrams.frames(),
        },
        skipped: skipped.map(|(reason, n)| (reason.name(), n)).collect(),
        cut_frames: datagrams.cut_frames(),
        ip_fragments_missing: datagrams.incomplete(),
        block_faults: faults.map(|(fault, n)| (fault.name(), n)).collect(),
        cut: datagrams.cut().map(CutFact::from),
        stats,
    };
    match arguments.format {
        OutputFormat::Text => print(&text(&facts, datagrams.skipped()))?,
        OutputFormat::Json => print_line(serde_json::to_string(&facts).map_err(Failure::running)?)?,
    }
    arguments.input.judge(errors, &datagrams)
}

/// Refuses lines that the capture has not.
pub(super) fn check_lines(
    channels: &[Vec<SocketAddr>],
    file: &CaptureFile,
    input: &Input,
) -> Result<(), Failure> {
    let mut missing: BTreeSet<_> = channels.iter().flatten().copied().collect();
    let mut datagrams = Watched::new(file, Progress::of_file(file));
    while let Some(datagram) = datagrams.lend()
        && !missing.is_empty()
    {
        datagram.dst.map(|group| missing.remove(&group));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = missing.iter().map(SocketAddr::to_string).collect();
    Err(Failure::usage(format_args!(
        "--lines: {} has nothing for {}",
        input.file.display(),
        missing.join(", ")
    )))
}

pub(super) fn lines(text: &str) -> Result<Lines, String> {
    match text {
        "auto" => Ok(Lines::Found),
        "separate" => Ok(Lines::Separate),
        list => {
            let channel = |c: &str| c.split(',').map(str::parse::<SocketAddr>).collect();
            let channels: Result<_, _> = list.split(';').map(channel).collect();
            channels.map(Lines::Given).map_err(|_| {
                "expected auto, separate, or groups such as 239.1.1.1:5000,239.1.1.2:5000"
                    .to_owned()
            })
        }
    }
}

fn text(facts: &Facts, skipped: &Skipped) -> String {
    let s = &facts.stats;
    // What every capture has; the rest is only told where there is some.
    let mut rows = vec![
        ("frames".to_owned(), facts.frames),
        ("packets".to_owned(), s.packets),
        ("messages".to_owned(), s.messages),
        ("channels".to_owned(), s.channels),
        ("gaps".to_owned(), s.gaps),
        ("lost messages".to_owned(), s.lost),
        ("duplicate packets".to_owned(), s.duplicates),
    ];
    let others = [
        ("heartbeats", s.heartbeats),
        ("messages without sequence", s.unsequenced),
        ("restarts", s.restarts),
        ("streams of no known protocol", s.unrecognised_streams),
        ("frames held in part", facts.cut_frames),
        (
            "datagrams with missing fragments",
            facts.ip_fragments_missing,
        ),
    ];
    rows.extend(others.map(|(name, n)| (name.to_owned(), n)));
    let named = |label: &'static str| move |(name, n): (_, _)| (format!("{label}: {name}"), n);
    let counts = |counts: &BTreeMap<&'static str, u64>| counts.clone().into_iter();
    rows.extend(
        skipped
            .iter()
            .map(|(reason, n)| (format!("skipped: {reason}"), n)),
    );
    rows.extend(counts(&facts.block_faults).map(named("pcapng")));
    rows.extend(counts(&s.errors).map(named("malformed")));
    rows.extend(counts(&s.oddities).map(named("odd")));
    let always = 7;
    let mut out = String::new();
    // Writing to a String cannot fail.
    for (i, (name, n)) in rows.iter().enumerate() {
        if i < always || *n > 0 {
            let _ = writeln!(out, "{name:<48} {:>15}", count(*n));
        }
    }
    if s.by_type.is_empty() {
        return out;
    }
    let _ = writeln!(
        out,
        "\n{:<6} {:<41} {:>15} {:>9}",
        "type", "name", "messages", "share"
    );
    for (key, &n) in &s.by_type {
        let name = s.type_names.get(key).copied().unwrap_or("unknown type");
        let share = 100.0 * n as f64 / s.messages.max(1) as f64;
        let _ = writeln!(out, "{key:<6} {name:<41} {:>15} {share:>7.2} %", count(n));
    }
    out
}
