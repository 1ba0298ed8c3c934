use super::OutputFormat;
use feed_common::capture::Format;
use feed_common::capture::pcap::TimeUnit;
use feed_common::program::{Failure, judge_cut, open_capture, print, print_line};
use feed_replay::info::{Stream, Survey};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Say what is in a capture
///
/// Streams are told apart by the group and port they went to; the peak is the most packets within one millisecond.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  feed-replay info day.pcap --format json")]
pub struct Arguments {
    /// The capture; `-` is standard input
    file: PathBuf,
    /// Fail when the capture is cut short, instead of warning
    #[arg(long)]
    strict: bool,
    /// How to print the facts
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = open_capture(&arguments.file)?;
    let survey = Survey::of(&file);
    match arguments.format {
        OutputFormat::Text => print(&text(&survey))?,
        OutputFormat::Json => print_line(json(&survey))?,
    }
    judge_cut(&arguments.file, survey.cut, arguments.strict)
}

fn json(survey: &Survey) -> Value {
    let skipped: Map<String, Value> = survey
        .skipped
        .iter()
        .filter(|&(_, n)| n > 0)
        .map(|(reason, n)| (reason.name().to_owned(), n.into()))
        .collect();
    let streams: Vec<Value> = survey
        .streams
        .iter()
        .map(|(group, stream)| {
            let mut facts = stream_json(stream);
            facts.shift_insert(0, "group".to_owned(), group.to_string().into());
            facts.into()
        })
        .collect();
    let mut facts = Map::new();
    facts.insert("file_format".into(), format_key(survey.format).into());
    facts.insert("frames".into(), survey.frames.into());
    facts.extend(stream_json(&survey.total));
    facts.insert(
        "messages".into(),
        match survey.format {
            Format::BinaryFile => survey.messages.into(),
            _ => Value::Null,
        },
    );
    facts.insert("skipped".into(), skipped.into());
    facts.insert("streams".into(), streams.into());
    facts.insert(
        "cut".into(),
        survey.cut.map_or(
            Value::Null,
            |cut| json!({"offset": cut.offset, "reason": cut.to_string()}),
        ),
    );
    facts.into()
}

fn format_key(format: Format) -> &'static str {
    match format {
        Format::Pcap(_) => "pcap",
        Format::Pcapng => "pcapng",
        Format::BinaryFile => "binaryfile",
        other => other.name(),
    }
}

fn stream_json(stream: &Stream) -> Map<String, Value> {
    let mut facts = Map::new();
    let known = stream.first.is_known();
    let time = |t: u64| if known { t.into() } else { Value::Null };
    facts.insert("packets".into(), stream.packets.into());
    facts.insert("bytes".into(), stream.bytes.into());
    facts.insert("first".into(), time(stream.first.0));
    facts.insert("last".into(), time(stream.last.0));
    facts.insert("duration_ns".into(), stream.duration().into());
    facts.insert(
        "packets_per_second".into(),
        stream.rate().map_or(Value::Null, Value::from),
    );
    facts.insert("peak_packets_per_ms".into(), stream.peak_per_ms.into());
    facts
}

fn text(survey: &Survey) -> String {
    let detail = match survey.format {
        Format::Pcap(flavour) => match flavour.unit {
            TimeUnit::Nanos => ", times in nanoseconds",
            TimeUnit::Micros => ", times in microseconds",
        },
        _ => "",
    };
    let mut out = format!("format    {}{detail}\n", format_key(survey.format));
    // Writing to a String cannot fail.
    if survey.format == Format::BinaryFile {
        let _ = writeln!(out, "messages  {}", survey.messages);
        return out;
    }
    let total = &survey.total;
    let _ = writeln!(
        out,
        "packets   {} ({} payload bytes) in {} frames",
        total.packets, total.bytes, survey.frames
    );
    for (reason, count) in survey.skipped.iter().filter(|&(_, n)| n > 0) {
        let _ = writeln!(out, "skipped   {count} frames: {reason}");
    }
    if total.packets == 0 {
        return out;
    }
    let _ = writeln!(out, "from      {}", total.first);
    let _ = writeln!(out, "to        {}", total.last);
    let (seconds, millis) = (
        total.duration() / 1_000_000_000,
        total.duration() / 1_000_000 % 1_000,
    );
    let rate = total
        .rate()
        .map_or_else(String::new, |r| format!(", {r} packets/s on average"));
    let _ = writeln!(
        out,
        "duration  {seconds}.{millis:03} s{rate}, {} in the busiest millisecond",
        total.peak_per_ms
    );
    let _ = writeln!(
        out,
        "\n{:<22} {:>12} {:>14} {:>8}  {:<30}  {:<30}",
        "group", "packets", "bytes", "peak/ms", "first", "last"
    );
    for (group, s) in &survey.streams {
        let _ = writeln!(
            out,
            "{:<22} {:>12} {:>14} {:>8}  {:<30}  {:<30}",
            group.to_string(),
            s.packets,
            s.bytes,
            s.peak_per_ms,
            s.first.to_string(),
            s.last.to_string(),
        );
    }
    out
}
