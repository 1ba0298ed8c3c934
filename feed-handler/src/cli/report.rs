use clap::ValueEnum;
use feed_common::config::TimeSpan;
use feed_common::program::{Failure, print, warn};
use feed_handler::report::compare::compare;
use feed_handler::report::units::plural;
use feed_handler::report::{
    Budget, Document, LOG, Run, csv, hgrm, html, json, markdown, text, write_atomically,
};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler report runs/today\n  feed-handler report runs/a runs/b -o both.html\n  \
                  feed-handler report runs/today --budget budget.toml --format md\n  feed-handler report runs/new-* \
                  --compare runs/old-*\n  feed-handler report runs/today --format hgrm -o plots\n\nA budget has limits by stage and figure: [published] p99 = \"5us\". A \
                  comparison says improved, same, regressed or not comparable; five or more runs a side, made in turn, \
                  show differences of a few per cent, one run a side only large ones.\n\nExit status: 0 done, 3 \
                  regressed, not comparable or a limit broken, 2 a folder that is no run, 1 the report cannot be \
                  written."
)]
pub struct Arguments {
    /// Folders of runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Folders of runs they are held against
    #[arg(long, value_name = "BASE", num_args = 1..)]
    compare: Vec<PathBuf>,
    /// Limits by stage and figure that the runs are held against
    #[arg(long, value_name = "FILE")]
    budget: Option<PathBuf>,
    /// Corrects the figures of a run of a FILE for omission, by the time between packets that is KNOWN FROM ELSEWHERE (such
    /// as 20us). The report then holds values that nobody measured, and says so everywhere. Refused where packets came by a
    /// schedule (live lines count from the receive: nothing is omitted) and where it was done before
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["compare", "budget"])]
    correct_omission_known: Option<TimeSpan>,
    /// Where to write the report: report.html where it is HTML, else standard output (`-`)
    /// Where to write the report: report.html where it is HTML, the folder hgrm in the run's where it is percentile files, else
    /// standard output (`-`)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to write; told by the name of the output where that says it, else html
    #[arg(long)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Html,
    Md,
    Json,
    Csv,
    /// A folder of percentile files, STAGE.hgrm, as HdrHistogram's plotter takes them; of one run
    Hgrm,
}

/// More runs would only hide each other.
const RUNS_MAX: usize = 200;

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.runs.len() + arguments.compare.len() > RUNS_MAX {
        return Err(Failure::usage(format_args!(
            "at most {RUNS_MAX} runs in a report"
        )));
    }
    let budget = match &arguments.budget {
        Some(path) => Some(Budget::load(path).map_err(Failure::usage)?),
        None => None,
    };
    let to_compare = !arguments.compare.is_empty();
    let read = |dirs: &[PathBuf]| -> Result<Vec<Run>, Failure> {
        let read = |dir: &PathBuf| {
            let run = match arguments.correct_omission_known {
                Some(TimeSpan(known)) => Run::read_corrected(dir, known),
                None => Run::read(dir, to_compare),
            };
            run.map_err(Failure::usage)
        };
        dirs.iter().map(read).collect()
    };
    let mut document = Document {
        runs: read(&arguments.runs)?,
        base: read(&arguments.compare)?,
        ..Document::default()
    };
    document.comparison = to_compare.then(|| compare(&document.runs, &document.base));
    document.budget = budget.map_or_else(Vec::new, |budget| budget.judge(&document.runs));
    document.warnings().iter().for_each(warn);
    let format = format(arguments);
    let rendered = match format {
        Format::Html => html::document(&document),
        Format::Md => markdown::render(&document),
        Format::Json => json::document(&document),
        Format::Csv => csv::render(&document),
        Format::Hgrm => return percentile_files(arguments),
    };
    let standard = match format {
        Format::Html => "report.html",
        _ => "-",
    };
    let output = arguments.output.as_deref().unwrap_or(Path::new(standard));
    if output == Path::new("-") {
        print(&rendered)?;
    } else {
        write_atomically(output, rendered.as_bytes()).map_err(Failure::running)?;
        print(&text(&document))?;
        let _ = writeln!(io::stderr(), "wrote {}", output.display());
    }
    match document.objection() {
        Some(objection) => Err(Failure::verdict(objection)),
        None => Ok(()),
    }
}

/// Writes a run's percentile files: what its log has, whatever else is in its folder.
fn percentile_files(arguments: &Arguments) -> Result<(), Failure> {
    let [run] = &arguments.runs[..] else {
        return Err(Failure::usage(
            "percentile files are of one run: expected one folder",
        ));
    };
    if arguments.budget.is_some() || !arguments.compare.is_empty() {
        return Err(Failure::usage(
            "percentile files are held against nothing: expected no --budget and no --compare",
        ));
    }
    let log = run.join(LOG);
    let cannot = |e: io::Error| Failure::usage(format_args!("{}: {e}", log.display()));
    let totals = hgrm::totals(&log).map_err(cannot)?;
    let own = run.join(hgrm::FOLDER);
    let dir = arguments.output.as_deref().unwrap_or(&own);
    let files = hgrm::write(dir, &totals).map_err(Failure::running)?;
    let _ = writeln!(
        io::stderr(),
        "wrote {} to {}",
        plural(files as u64, "percentile file"),
        dir.display()
    );
    Ok(())
}

fn format(arguments: &Arguments) -> Format {
    let named = || {
        let name = arguments.output.as_ref()?.extension()?.to_str()?;
        Format::from_str(name, true).ok()
    };
    arguments.format.or_else(named).unwrap_or(Format::Html)
}
