use super::OutputFormat;
use clap::{Subcommand, ValueEnum};
use feed_common::journal::{Found, JournalError, JournalReader, Start};
use feed_common::program::{Failure, print, print_line, printed, warn};
use feed_handler::inspect::RowFormat;
use feed_handler::journal::{self, LocateError, Picked, Rows};
use feed_handler::subscribe::Glob;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler journal ls runs/journal\n  feed-handler journal cat runs/journal/equities \
                  --symbol 'A*' --format csv\n  feed-handler journal tail runs/journal\n  feed-handler journal verify \
                  runs/journal && echo whole\n\nA run keeps a journal for each lane where its configuration has [journal]; \
                  DIR is the folder of one, or of a run with a single lane. All of these read while it is written."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The segments: numbers, records, bytes, state
    Ls(Ls),
    /// Records, from the oldest or from one by its number
    Cat(Cat),
    /// What comes next, as it is written
    Tail(Tail),
    /// Every check; status 3 when something is damaged or missing
    Verify(Verify),
}

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  feed-handler journal ls runs/journal/equities\n\nstate: written (full), open (the last with \
                  records), prepared (made ahead of time), unreadable. Records are numbered through the journal from 0."
)]
struct Ls {
    /// The journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// How to print them
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
}

impl From<Format> for RowFormat {
    fn from(format: Format) -> RowFormat {
        match format {
            Format::Text => RowFormat::Table,
            Format::Json => RowFormat::Json,
            Format::Csv => RowFormat::Csv,
        }
    }
}

/// What `cat` and `tail` share.
#[derive(clap::Args)]
struct Which {
    /// The journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// End after so many records
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Only records of these symbols: `*` stands for any characters, `?` for one. What is missing is told all the same
    #[arg(long, value_name = "GLOB")]
    symbol: Option<Glob>,
    /// How to print them
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler journal cat runs/journal --count 20\n  feed-handler journal cat \
                  runs/journal/equities --from 1000000 --symbol MSFT --format csv > msft.csv\n\nA row has the record's \
                  number in the journal, the event and its fields. kind gap-record: `quantity` records from position \
                  `sequence` of all that were published are not in the journal, `symbol` says why. What is damaged is \
                  skipped with a warning; `verify` judges."
)]
struct Cat {
    #[command(flatten)]
    which: Which,
    /// Begin with the record of this number
    #[arg(long, value_name = "N")]
    from: Option<u64>,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler journal tail runs/journal --symbol 'A*'\n  feed-handler journal tail \
                  runs/journal --count 100 --format json\n\nBegins with the next record that is written, and goes on until \
                  --count records are there or it is interrupted."
)]
struct Tail {
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  feed-handler journal verify runs/journal/equities --format json | jq .damaged\n\nExit status: \
                  0 whole, 3 when records are damaged, segments are missing or cannot be read, or records were published \
                  and never journalled; 2 when there is no journal."
)]
struct Verify {
    /// The journal
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// How to print what was found
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

/// How long `tail` sleeps when nothing is new.
const NAP: Duration = Duration::from_millis(2);

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Ls(arguments) => ls(arguments),
        Command::Cat(arguments) => {
            let start = arguments.from.map_or(Start::Oldest, Start::Number);
            show(&arguments.which, start, false)
        }
        Command::Tail(arguments) => show(&arguments.which, Start::End, true),
        Command::Verify(arguments) => verify(arguments),
    }
}

fn ls(arguments: &Ls) -> Result<(), Failure> {
    let dir = located(&arguments.dir)?;
    let rows = journal::segment_rows(&dir).map_err(refused)?;
    match arguments.format {
        OutputFormat::Text => print(&journal::table(&rows)),
        OutputFormat::Json => print_line(serde_json::to_string(&rows).map_err(Failure::running)?),
    }
}

/// Prints records from `start` on: those there are, or with `follows` also those that come.
fn show(which: &Which, start: Start, follows: bool) -> Result<(), Failure> {
    let dir = located(&which.dir)?;
    let mut reader = JournalReader::open(&dir, start).map_err(refused)?;
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut rows = Rows::new(out, which.format.into(), which.symbol.clone());
    let mut left = which.count.unwrap_or(u64::MAX);
    let written = loop {
        if left == 0 {
            break rows.flush();
        }
        match reader.read().map_err(refused)? {
            Some(Found::Record { number, frame }) => match rows.take(number, &frame) {
                Ok(Picked::Written) => left -= 1,
                Ok(Picked::Passed) => {}
                Err(e) => break Err(e),
            },
            Some(Found::Skipped(skipped)) => warn(format_args!("{}: {skipped}", dir.display())),
            None => {
                // Whoever reads has what there is before this waits.
                let flushed = rows.flush();
                if !follows || flushed.is_err() {
                    break flushed;
                }
                std::thread::sleep(NAP);
            }
        }
    };
    printed(written)
}

fn verify(arguments: &Verify) -> Result<(), Failure> {
    let dir = located(&arguments.dir)?;
    let checked = journal::check(&dir).map_err(refused)?;
    match arguments.format {
        OutputFormat::Text => print(&checked.text())?,
        OutputFormat::Json => {
            print_line(serde_json::to_string(&checked).map_err(Failure::running)?)?;
        }
    }
    match checked.is_whole() {
        true => Ok(()),
        false => Err(Failure::verdict(checked.summary())),
    }
}

fn located(dir: &Path) -> Result<PathBuf, Failure> {
    journal::locate(dir).map_err(|e| match e {
        LocateError::Journal(e) => refused(e),
        e => Failure::usage(e),
    })
}

/// What cannot be read at all is wrong usage; what fails later is a failure.
fn refused(e: JournalError) -> Failure {
    match e {
        JournalError::Empty { .. } | JournalError::Unreadable { .. } | JournalError::Io { .. } => {
            Failure::usage(e)
        }
        e => Failure::running(e),
    }
}
