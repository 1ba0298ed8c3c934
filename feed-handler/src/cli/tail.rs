use super::OutputFormat;
use feed_common::event::Kind;
use feed_common::program::{Failure, printed, warn};
use feed_common::ring::shared::{OwnedBy, Standing};
use feed_handler::report::units::plural;
use feed_handler::subscribe::Glob;
use feed_handler::tail::{Polled, Tail, Wanted, files, kind_named};
use serde_json::Value;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::PathBuf;
use std::time::Duration;

/// How long to sleep when there is nothing to read.
const NAP: Duration = Duration::from_millis(1);

/// Naps from one look for the next writer to another.
const LOOK_EVERY: u32 = 100;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler tail --dir /dev/shm/feed --symbol 'A*'\n  feed-handler tail --dir \
                  /dev/shm/feed --quotes\n  feed-handler tail /dev/shm/feed/equities --kind trade --format json | jq \
                  .price\n\nIt reads what a run with [shared_memory] publishes, and costs that run nothing. What was \
                  overwritten before it was read is said on standard error; so is the end of a writer, behind which it \
                  waits for the next one."
)]
pub struct Arguments {
    /// Files of lanes; or --dir
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// All files of a folder: the configuration's `shared_memory.dir`
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    dir: Option<PathBuf>,
    /// Only symbols that this pattern means, such as 'A*'; may be given more than once
    #[arg(long, value_name = "GLOB")]
    symbol: Vec<Glob>,
    /// Only records of this kind, such as trade, bid or gap; may be given more than once
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<Kind>,
    /// Print the table of latest quotes and end
    #[arg(long, conflicts_with_all = ["count", "kind", "oldest", "once"])]
    quotes: bool,
    /// Begin with the oldest records that are still there
    #[arg(long)]
    oldest: bool,
    /// End after this many records
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    count: u64,
    /// End when every writer has
    #[arg(long)]
    once: bool,
    /// The user whose files they are; default: this one or root
    #[arg(long, value_name = "UID")]
    owner: Option<u32>,
    /// How to print them: text, or a JSON object a line
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

fn kind(name: &str) -> Result<Kind, String> {
    kind_named(name).ok_or_else(|| {
        let known = (0..=u8::MAX).filter_map(|k| Kind(k).name());
        format!("expected {}", known.collect::<Vec<_>>().join(", "))
    })
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let paths = match &arguments.dir {
        Some(dir) => {
            let cannot = |e| Failure::usage(format_args!("{}: {e}", dir.display()));
            files(dir).map_err(cannot)?
        }
        None if arguments.files.is_empty() => {
            return Err(Failure::usage(
                "nothing to read: expected files of lanes, or --dir",
            ));
        }
        None => arguments.files.clone(),
    };
    if let (Some(dir), []) = (&arguments.dir, &paths[..]) {
        let why = "nobody has published here";
        return Err(Failure::usage(format_args!("{}: {why}", dir.display())));
    }
    let owned_by = arguments.owner.map_or(OwnedBy::Us, OwnedBy::User);
    let open = |path: &PathBuf| Tail::open(path, owned_by, arguments.oldest);
    let tails: Result<Vec<_>, _> = paths.iter().map(open).collect();
    let mut tails = tails.map_err(Failure::usage)?;
    if !arguments.oldest && !arguments.quotes {
        tails.iter_mut().for_each(Tail::measure);
    }
    let wanted = Wanted {
        symbols: arguments.symbol.clone(),
        kinds: arguments.kind.clone(),
    };
    let mut out = Out {
        to: BufWriter::with_capacity(1 << 16, io::stdout().lock()),
        format: arguments.format,
    };
    printed(match arguments.quotes {
        true => quotes(&tails, &wanted, &mut out),
        false => follow(tails, &wanted, arguments, &mut out),
    })
}

struct Out {
    to: BufWriter<StdoutLock<'static>>,
    format: OutputFormat,
}

impl Out {
    fn say(&mut self, line: impl Fn() -> String, facts: impl Fn() -> Value) -> io::Result<()> {
        match self.format {
            OutputFormat::Text => writeln!(self.to, "{}", line()),
            OutputFormat::Json => writeln!(self.to, "{}", facts()),
        }
    }
}

fn quotes(tails: &[Tail], wanted: &Wanted, out: &mut Out) -> io::Result<()> {
    for tail in tails {
        let (rows, unsettled) = tail.quotes(wanted);
        for row in rows {
            out.say(|| row.line(), || row.facts())?;
        }
        if unsettled > 0 {
            let rows = plural(unsettled.into(), "row");
            warn(format_args!(
                "{}: {rows} could not be read",
                tail.path().display()
            ));
        }
    }
    out.to.flush()
}

fn follow(
    mut tails: Vec<Tail>,
    wanted: &Wanted,
    arguments: &Arguments,
    out: &mut Out,
) -> io::Result<()> {
    let (mut left, mut naps) = (arguments.count, 0u32);
    while left > 0 {
        let mut idle = true;
        for tail in &mut tails {
            match tail.poll(wanted) {
                Polled::Rows(rows) => {
                    idle = false;
                    for row in rows
                        .iter()
                        .take(usize::try_from(left).unwrap_or(usize::MAX))
                    {
                        out.say(|| row.line(), || row.facts())?;
                        left -= 1;
                    }
                }
                Polled::Lost(lost) => {
                    idle = false;
                    let lost = plural(lost, "record");
                    let path = tail.path().display();
                    warn(format_args!(
                        "{path}: {lost} overwritten before they were read"
                    ));
                }
                Polled::Ended(standing) => {
                    idle = false;
                    leave(tail);
                    warn(format_args!(
                        "{}: {}",
                        tail.path().display(),
                        ended(standing)
                    ));
                }
                Polled::Nothing => {}
            }
        }
        if !idle {
            continue;
        }
        // Whoever reads this sees what there is when nothing more comes.
        out.to.flush()?;
        if arguments.once && tails.iter().all(Tail::has_ended) {
            break;
        }
        std::thread::sleep(NAP);
        naps += 1;
        if !arguments.once && naps.is_multiple_of(LOOK_EVERY) {
            for tail in tails.iter_mut().filter(|tail| tail.has_ended()) {
                if tail.reopen() {
                    warn(format_args!("{}: a new writer", tail.path().display()));
                }
            }
        }
    }
    tails
        .iter()
        .filter(|tail| !tail.has_ended())
        .for_each(leave);
    out.to.flush()
}

/// Leaves to the run how long records took. Who may read a file need not be allowed to leave anything beside it.
fn leave(tail: &Tail) {
    if let Err(e) = tail.leave()
        && e.kind() != io::ErrorKind::PermissionDenied
    {
        warn(format_args!(
            "{}: its latency is not left: {e}",
            tail.path().display()
        ));
    }
}

fn ended(standing: Standing) -> &'static str {
    match standing {
        Standing::Dead => "its writer has died",
        Standing::Superseded => "another writer has the name",
        _ => "its writer has ended",
    }
}
