use super::input::{Input, listed};
use super::stats::{check_lines, lines};
use clap::ValueEnum;
use feed_common::program::{Failure, Progress, Watched, printed};
use feed_handler::inspect::Lines;
use feed_handler::inspect::gaps::{GapFormat, GapRows, gaps};
use std::io::{self, BufWriter};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler gaps day.pcap\n  feed-handler gaps day.pcap --format json | jq '.entries[] | \
                  select(.state == \"open\")'\n\nA hole is a range of sequence numbers (of packets for mdp3) that a line \
                  came past without bringing it, and it is listed with the packet that showed it. It is closed by the \
                  line that brought it, `late` by so much (0 where it was there before), or by a retransmission: a packet \
                  from an address that is none of the lines'. Late packets have no limit. causes: one_line, some_lines \
                  (the others brought it), upstream (all lines came past and lack it), reordered (it came later on the \
                  same line), unknown. Other entries: session, restart, sequence_reset, channel_reset, end_of_session. \
                  Entries stand in the order of time, except that a hole open for more than 65,536 entries comes after \
                  them.\n\nThe exit status is 3 if a hole stays open."
)]
pub struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Which streams are lines of one channel: `auto` tells by their bytes, `separate` keeps them apart, or list the
    /// groups of each channel: `G:P,G:P;G:P,G:P`
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = lines)]
    lines: Lines,
    /// How to print the list
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let input = &arguments.input;
    let file = input.open()?;
    let streams = input.streams(&file)?;
    if let Lines::Given(channels) = &arguments.lines {
        check_lines(channels, &file, input)?;
    }
    let format = match arguments.format {
        Format::Text => GapFormat::Text,
        Format::Json => GapFormat::Json,
        Format::Csv => GapFormat::Csv,
    };
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut rows = GapRows::new(format, out);
    let pass = || Watched::new(&file, Progress::beside_rows(&file));
    let found = match gaps(pass, &streams, &arguments.lines, &mut rows) {
        Ok(found) => found,
        Err(e) => return printed(Err(e)),
    };
    let errors = listed(found.errors.iter().map(|(&name, &n)| (name, n)));
    input.judge(errors, &found.datagrams.into_datagrams())?;
    match found.totals.open {
        0 => Ok(()),
        _ => Err(Failure::verdict(format_args!(
            "{}: {}",
            input.file.display(),
            found.totals
        ))),
    }
}
