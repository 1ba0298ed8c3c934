use super::OutputFormat;
use super::input::{Input, damage, listed};
use feed_common::capture::{Datagram, Datagrams, Lend};
use feed_common::program::{Failure, Progress, printed, warn};
use feed_handler::inspect::Streams;
use feed_handler::inspect::decode::{Decoded, Format, Options, decode};
use feed_handler::report::units::plural;
use std::io::{self, BufWriter, Write};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler decode day.pcap --limit 20\n  feed-handler decode day.pcap --format json | \
                  jq 'select(.type == \"P\")'\n\nWith --strict it ends behind the first thing that is malformed."
)]
pub struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Stop after this many messages
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
    /// How to print them: text, or a JSON object a line
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let input = &arguments.input;
    let file = input.open()?;
    let streams = input.streams(&file)?;
    let options = Options {
        format: match arguments.format {
            OutputFormat::Text => Format::Text,
            OutputFormat::Json => Format::Json,
        },
        limit: arguments.limit,
        strict: input.strict,
    };
    let mut datagrams = Datagrams::new(&file);
    let readable = Readable {
        datagrams: &mut datagrams,
        progress: Progress::beside_rows(&file),
        strict: input.strict,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let decoded = decode(readable, &streams, options, &mut out);
    let flushed = decoded.and_then(|d| out.flush().map(|()| d));
    let decoded = match flushed {
        Ok(decoded) => decoded,
        Err(e) => return printed(Err(e)),
    };
    warn_of_unprinted(input, &streams, &decoded, &datagrams);
    input.judge(decoded.first.map(|first| first.to_string()), &datagrams)
}

/// The datagrams; when strict, those before the first damaged frame.
struct Readable<'a, 'f> {
    datagrams: &'a mut Datagrams<'f>,
    progress: Progress,
    strict: bool,
}

impl Lend for Readable<'_, '_> {
    fn lend(&mut self) -> Option<Datagram<'_>> {
        self.progress.step(|| self.datagrams.taken());
        let found = self.datagrams.locate()?;
        let ends = self.strict && damage(self.datagrams.skipped()).is_some();
        (!ends).then(|| self.datagrams.at(&found))
    }
}

/// What the messages printed do not show.
fn warn_of_unprinted(input: &Input, streams: &Streams, decoded: &Decoded, read: &Datagrams<'_>) {
    let file = input.file.display();
    let skipped = read.skipped().iter().map(|(reason, n)| (reason.name(), n));
    if let Some(skipped) = listed(skipped) {
        warn(format_args!("{file}: frames without a datagram: {skipped}"));
    }
    match streams.unrecognised() as u64 {
        0 => {}
        n => warn(format_args!(
            "{file}: {} of no known protocol left out",
            plural(n, "stream")
        )),
    }
    let errors = decoded.errors.iter().map(|(&name, &n)| (name, n));
    if !input.strict
        && let Some(errors) = listed(errors)
    {
        warn(format_args!("{file}: malformed: {errors}"));
    }
}
