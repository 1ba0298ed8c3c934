use super::selection::{Rows, Selection};
use feed_common::program::{Failure, Progress, warn};
use feed_handler::inspect::{BboRows, Kept};
use std::io::{self, BufWriter};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler bbo day.pcap --symbol MSFT\n  feed-handler bbo day.pcap --format csv > \
                  bbo.csv\n\nA row per change of price or quantity, judged at the end of each event (for ITCH, of each \
                  message). Timestamps are nanoseconds since the Unix epoch; an empty side has no price and no quantity."
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
    let capture = selection.merged(&file, Progress::beside_rows)?;
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let rows = BboRows::to(out, arguments.format.into());
    let kept = Kept::new(capture.channels(), &capture.room(), rows).map_err(Failure::running)?;
    let (mut kept, passed) = capture.run(kept, |kept| kept.watch().has_failed());
    selection.check_protocol(&passed)?;
    let faults = kept.faults();
    let written = kept.finish(|rows, books| rows.write_rest(books, faults));
    if written.is_ok() && kept.watch().is_undated() {
        warn(format_args!(
            "{}: no date: timestamps are nanoseconds since midnight; --date gives one",
            selection.input.file.display()
        ));
    }
    selection.judge(written, kept.shortcomings(), &passed)
}
