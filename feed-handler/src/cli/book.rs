use super::selection::{Rows, Selection};
use feed_common::program::{Failure, Progress};
use feed_handler::inspect::{BookOptions, Kept, write_books};
use std::io::{self, BufWriter};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler book day.pcap --symbol MSFT --depth 5\n  feed-handler book day.pcap \
                  --symbol 'A*' --format csv\n\nRows are sorted by symbol, side (B bids, S offers) and level, 1 being the \
                  best. Prices have as many decimal places as they need. With --queue each order has a row of its own, in the \
                  order in which they trade."
)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// How to print them
    #[arg(long, default_value = "table")]
    format: Rows,
    /// Levels of each side at most
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    depth: usize,
    /// The implied books instead of the real ones, where the feed has them
    #[arg(long)]
    implied: bool,
    /// Print each level's orders too, where the feed has them
    #[arg(long)]
    queue: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let selection = &arguments.selection;
    let file = selection.input.open()?;
    let capture = selection.merged(&file, Progress::of_file)?;
    let kept = Kept::new(capture.channels(), &capture.room(), ()).map_err(Failure::running)?;
    let (kept, passed) = capture.run(kept, |_| false);
    selection.check_protocol(&passed)?;
    let options = BookOptions {
        format: arguments.format.into(),
        depth: arguments.depth,
        implied: arguments.implied,
        queue: arguments.queue,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = write_books(kept.books(), &options, kept.faults(), &mut out);
    selection.judge(written, kept.shortcomings(), &passed)
}
