use super::OutputFormat;
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use feed_common::capture::BinaryFileWriter;
use feed_common::program::{Failure, Progress, print, print_line};
use feed_common::time::{CivilDate, UnixNanos};
use feed_common::wire::ProtocolName;
use feed_replay::output::{BinaryFileSink, PcapSink};
use feed_replay::send::parse_target;
use feed_replay::synth::{
    Bursts, GenerateError, Layout, MessageSink, Mix, PacketSink, Protocol, Row, Spec, Summary,
    expected_book, generate, generate_messages,
};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

/// Make a trading session; the same seed gives the same bytes on every machine
///
/// itch50 is a Nasdaq TotalView-ITCH 5.0 day with the quiet hours left out: prices that wander and jump, order flow
/// around them, opening, closing and reopening crosses, halts, listings, microbursts; books are always consistent. As
/// MoldUDP64 packets with heartbeats in a nanosecond pcap, or as a BinaryFILE.
/// It has exactly the number of messages asked for, but at least 10; from 100000 messages all types are there, but
/// for W, which --circuit-breaker brings. native is a stream of quotes and trades in
/// batches, whose price type follows from the seed. A short session has fewer instruments than asked for, so that at
/// least half of it is about orders. All other protocols tell the market of an itch50 session in their own messages and
/// packets; what the day leaves of the messages asked for is filled with messages that change nothing.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-replay generate --protocol itch50 --messages 1000000 --seed 7 -o session.pcap\n  feed-replay generate --protocol itch50 --messages 20000 --seed 7 -o session.pcap --book want.csv\n  feed-handler book session.pcap --format csv --depth 100000 | diff want.csv -"
)]
pub struct Arguments {
    /// The exchange's language
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(names()).try_map(|name| name.parse::<ProtocolName>()))]
    protocol: ProtocolName,
    /// Which feed of an exchange that has several; the usual one unless given
    #[arg(long, value_name = "FEED")]
    feed: Option<String>,
    /// Messages in all
    #[arg(long, value_name = "N")]
    messages: u64,
    /// Everything random follows from it
    #[arg(long, value_name = "SEED")]
    seed: u64,
    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Instruments
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    symbols: u16,
    /// Messages per second on average
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rate: u64,
    /// Microbursts: how many times the average rate, and the percentage of messages that come in them. They have 64
    /// messages on average; 1:0 is a plain Poisson process
    #[arg(long, default_value_t = Bursts::USUAL, value_name = "FACTOR:PERCENT")]
    burst: Bursts,
    /// Percent of some types in the order flow of market hours: F add with participant, U replace, E execution, C
    /// execution at another price, X cancel, P hidden trade. What is not named is as the default; what they leave is A
    /// and D, which balance each other (all but native)
    #[arg(long, default_value_t = Mix::USUAL, value_name = "TYPE=PERCENT,...")]
    mix: Mix,
    /// Instruments halted for news or paused for volatility in market hours, each with a reopening cross; a short
    /// session has at most one per 1000 messages (all but native)
    #[arg(long, default_value_t = Spec::HALTS, value_name = "N")]
    halts: u32,
    /// Let the market-wide circuit breaker halt all instruments once (all but native)
    #[arg(long)]
    circuit_breaker: bool,
    /// The kind of file
    #[arg(long, default_value = "pcap")]
    framing: Framing,
    /// How native batches lay out their records
    #[arg(long, default_value = "mixed")]
    layout: LayoutName,
    /// Largest UDP payload in bytes
    #[arg(long, value_name = "BYTES", default_value_t = Spec::PAYLOAD_LIMIT)]
    payload: usize,
    /// Write the books at the end of the session as well, as `feed-handler book --format csv` prints them with every level
    /// and every level's number of orders: what your own handler should have. The session is made twice then
    #[arg(long, value_name = "FILE")]
    book: Option<PathBuf>,
    /// Group and port in the packets; may be given many times, for redundant lines that all carry every packet
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_target, default_values_t = [PcapSink::<Vec<u8>>::GROUP])]
    group: Vec<SocketAddrV4>,
    /// Day of the session
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2026-11-20")]
    date: CivilDate,
    /// How to print what was made
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LayoutName {
    /// Record after record
    Records,
    /// Field after field
    Columns,
    /// Some packets so, some so
    Mixed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Framing {
    /// UDP packets in Ethernet frames
    Pcap,
    /// Messages behind their lengths, as the exchange's own files have them
    Binaryfile,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let protocol = match Protocol::of(arguments.protocol, arguments.feed.as_deref()) {
        Ok(Protocol::Native(_)) => Protocol::Native(match arguments.layout {
            LayoutName::Records => Layout::Records,
            LayoutName::Columns => Layout::Columns,
            LayoutName::Mixed => Layout::Mixed,
        }),
        Ok(other) => other,
        Err(reason) => return Err(Failure::usage(reason)),
    };
    if arguments.framing == Framing::Binaryfile && protocol != Protocol::Itch50 {
        return Err(Failure::usage(format_args!(
            "a BinaryFILE holds ITCH messages; {} sessions are packets",
            protocol.name()
        )));
    }
    if arguments.book.is_some() && protocol.name() == ProtocolName::Native {
        return Err(Failure::usage(
            "native sessions are of quotes and trades; they have no books to write",
        ));
    }
    let spec = Spec {
        symbols: arguments.symbols,
        rate: arguments.rate,
        bursts: arguments.burst,
        mix: arguments.mix,
        halts: arguments.halts,
        breaker: arguments.circuit_breaker,
        date: arguments.date,
        payload_limit: arguments.payload,
        ..Spec::new(protocol, arguments.messages, arguments.seed)
    };
    // Before the file is touched: a wrong specification must not empty an existing one.
    spec.check().map_err(|e| failure(e, &arguments.output))?;
    if let Some(group) = arguments.group.iter().find(|g| !g.ip().is_multicast()) {
        return Err(Failure::usage(format_args!(
            "{group} is not a multicast group"
        )));
    }
    let summary = write(arguments, &spec).map_err(|e| failure(e, &arguments.output))?;
    if let Some(path) = &arguments.book {
        write_book(path, &spec).map_err(|e| failure(e, path))?;
    }
    if arguments.output == Path::new("-") {
        return Ok(()); // standard output has the session
    }
    match arguments.format {
        OutputFormat::Text => print(&text(&summary)),
        OutputFormat::Json => print_line(json(&summary)),
    }
}

fn write(arguments: &Arguments, spec: &Spec) -> Result<Summary, GenerateError> {
    let out: Box<dyn Write> = match arguments.output.as_path() {
        path if path == Path::new("-") => Box::new(io::stdout().lock()),
        path => Box::new(File::create(path)?),
    };
    let out = BufWriter::with_capacity(1 << 20, out);
    match arguments.framing {
        Framing::Pcap => {
            let mut sink = PcapSink::lines(out, &arguments.group)?;
            let mut watched = Watched::new(&mut sink, spec);
            let summary = generate(spec, &mut watched)?;
            sink.finish()?;
            Ok(summary)
        }
        Framing::Binaryfile => {
            let mut sink = BinaryFileSink(BinaryFileWriter::new(out));
            let mut watched = Watched::new(&mut sink, spec);
            let summary = generate_messages(spec, &mut watched)?;
            sink.0.finish()?;
            Ok(summary)
        }
    }
}

fn write_book(path: &Path, spec: &Spec) -> Result<(), GenerateError> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "{}", Row::HEADER)?;
    for row in expected_book(spec, usize::MAX)? {
        writeln!(out, "{row}")?;
    }
    Ok(out.flush()?)
}

/// Names of the protocols that can be made.
fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = Protocol::ALL.iter().map(|p| p.name().name()).collect();
    names.dedup(); // the feeds of a protocol stand together
    names
}

/// A sink that says how far the session is.
struct Watched<'s, S> {
    sink: &'s mut S,
    messages: u64,
    progress: Progress,
}

impl<'s, S> Watched<'s, S> {
    fn new(sink: &'s mut S, spec: &Spec) -> Watched<'s, S> {
        Watched {
            sink,
            messages: 0,
            progress: Progress::of_messages(spec.messages),
        }
    }

    fn count(&mut self, messages: u16) {
        self.messages += u64::from(messages);
        self.progress.step(|| self.messages);
    }
}

impl<S: PacketSink> PacketSink for Watched<'_, S> {
    fn packet(&mut self, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        self.carrying(0, time, payload)
    }

    fn carrying(&mut self, messages: u16, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        self.count(messages);
        self.sink.packet(time, payload)
    }
}

impl<S: MessageSink> MessageSink for Watched<'_, S> {
    fn message(&mut self, time: u64, message: &[u8]) -> io::Result<()> {
        self.count(1);
        self.sink.message(time, message)
    }
}

fn failure(e: GenerateError, path: &Path) -> Failure {
    match e {
        GenerateError::Spec(reason) => Failure::usage(reason),
        GenerateError::Io(reason) => {
            Failure::running(format_args!("cannot write {}: {reason}", path.display()))
        }
    }
}

fn json(summary: &Summary) -> Value {
    json!({
        "messages": summary.messages,
        "packets": summary.packets,
        "bytes": summary.bytes,
        "symbols": summary.symbols,
        "by_type": summary.by_type,
        "first": summary.first.0,
        "last": summary.last.0,
    })
}

fn text(summary: &Summary) -> String {
    let types: Vec<String> = summary
        .by_type
        .iter()
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    let packets = match summary.packets {
        0 => String::new(),
        n => format!(" in {n} packets"),
    };
    format!(
        "made      {} messages{packets}, {} bytes, {} instruments\nfrom      {}\nto        {}\ntypes     {}\n",
        summary.messages,
        summary.bytes,
        summary.symbols,
        summary.first,
        summary.last,
        types.join(", "),
    )
}
