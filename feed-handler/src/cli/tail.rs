use super::OutputFormat;
use super::lanes::Lanes;
use feed_common::event::Kind;
use feed_common::program::{Failure, printed, warn};
use feed_common::ring::shared::Standing;
use feed_handler::report::units::plural;
use feed_handler::subscribe::Glob;
use feed_handler::tail::{Finder, Next, Polled, Tail, Wanted, kind_named};
use serde_json::Value;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::time::{Duration, Instant};

/// How long to sleep when there is nothing to read.
const NAP: Duration = Duration::from_millis(1);

/// Between two looks for the next writers of lanes that have ended.
const NEXT_EVERY: Duration = Duration::from_millis(100);

/// Between two looks for lanes that were not there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler tail --dir /dev/shm/feed --symbol 'A*'\n  feed-handler tail --dir \
                  /dev/shm/feed --quotes\n  feed-handler tail /dev/shm/feed/equities --kind trade --format json | jq \
                  .price\n\nIt reads what a run with [shared_memory] publishes, and costs that run nothing. What was \
                  overwritten before it was read is said on standard error; so is the end of a writer, behind which it \
                  waits for the next one. Lanes that come later to the folder of --dir are found within a second or two."
)]
pub struct Arguments {
    #[command(flatten)]
    lanes: Lanes,
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
    let mut finder = Finder::new(arguments.lanes.place()?, arguments.lanes.owned_by());
    let found = finder.begin(arguments.oldest).map_err(Failure::usage)?;
    found.refused.iter().for_each(warn);
    let mut tails = found.lanes;
    if let (true, Some(nobody)) = (tails.is_empty(), arguments.lanes.nobody()) {
        return Err(Failure::usage(nobody));
    }
    if arguments.measures() {
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
        false => follow(tails, finder, &wanted, arguments, &mut out),
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

impl Arguments {
    /// Whether the run is left how long records took: of older ones that would say nothing.
    fn measures(&self) -> bool {
        !self.oldest && !self.quotes
    }
}

fn follow(
    mut tails: Vec<Tail>,
    mut finder: Finder,
    wanted: &Wanted,
    arguments: &Arguments,
    out: &mut Out,
) -> io::Result<()> {
    let mut left = arguments.count;
    let mut sought = Sought::now();
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
        if !arguments.once {
            sought.again(&mut tails, &mut finder, arguments);
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
    }
    tails
        .iter()
        .filter(|tail| !tail.has_ended())
        .for_each(leave);
    out.to.flush()
}

/// When lanes were last looked for.
struct Sought {
    next: Instant,
    new: Instant,
}

impl Sought {
    fn now() -> Sought {
        let now = Instant::now();
        Sought {
            next: now,
            new: now,
        }
    }

    /// Looks again, if it is time.
    fn again(&mut self, tails: &mut Vec<Tail>, finder: &mut Finder, arguments: &Arguments) {
        let follow = |mut tail: Tail, what: &str| {
            warn(format_args!("{}: {what}", tail.path().display()));
            if arguments.measures() {
                tail.measure();
            }
            tail
        };
        if self.next.elapsed() >= NEXT_EVERY {
            self.next = Instant::now();
            tails.retain_mut(|tail| {
                let next = match tail.has_ended() {
                    true => finder.next_writer(tail.path()),
                    false => Next::Same,
                };
                match next {
                    Next::Same => true,
                    Next::Gone => false,
                    Next::Writer(next) => {
                        *tail = follow(*next, "a new writer");
                        true
                    }
                }
            });
        }
        if self.new.elapsed() >= LOOK_EVERY {
            self.new = Instant::now();
            let found = finder.look(true);
            found.refused.iter().for_each(warn);
            let new = found.lanes.into_iter();
            tails.extend(new.map(|tail| follow(tail, "a new lane")));
        }
    }
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
