use super::selection::{Rows, Selection};
use feed_common::program::{Failure, Progress};
use feed_handler::inspect::{Breaks, Kept, Trades};
use std::io::{self, BufWriter};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler trades day.pcap --symbol 'A*'\n  feed-handler trades day.pcap --format \
                  csv\n\nPrints only: executions, trades of hidden orders, crosses with shares, and of executions at \
                  another price the printable ones. Breaks take their print away; the last price stays."
)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// How to print them
    #[arg(long, default_value = "table")]
    format: Rows,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let selection = &arguments.selection;
    let file = selection.input.open()?;
    let capture = selection.merged(&file, Progress::of_file)?;
    // What is broken comes after what it breaks: only those prints are remembered.
    let (breaks, passed) = capture.run(Breaks::new(capture.channels()), |_| false);
    selection.check_protocol(&passed)?;
    let trades = Trades::new(breaks);
    let kept = Kept::new(capture.channels(), &capture.room(), trades).map_err(Failure::running)?;
    let (kept, passed) = capture.run(kept, |_| false);
    let trades = kept.watch();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let others = [
        ("unknown_trade", trades.unknown_breaks()),
        ("breaks_full", trades.breaks_over()),
    ];
    let faults = kept.faults().into_iter().chain(others);
    let written = trades.write(kept.books(), arguments.format.into(), faults, &mut out);
    selection.judge(written, kept.shortcomings().chain(others), &passed)
}
