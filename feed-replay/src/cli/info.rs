use super::OutputFormat;
use feed_common::capture::pcap::TimeUnit;
use feed_common::capture::{Compression, Format, LinkSeen};
use feed_common::program::{Failure, Progress, judge_cut, open_capture_once, print, print_line};
use feed_common::wire::frame::LinkType;
use feed_replay::info::{Known, Stream, Survey};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Say what is in a capture
///
/// Streams are told apart by the group and port they went to, and their protocol by their bytes. The peak is the most
/// packets, or payload bytes, within one millisecond of the clock.
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
    let file = open_capture_once(&arguments.file)?;
    let mut progress = Progress::of_file(&file);
    let survey = Survey::watched(&file, &mut progress);
    drop(progress);
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
        .map(|(group, known)| {
            let mut facts = stream_json(&known.traffic);
            facts.shift_insert(0, "group".to_owned(), group.to_string().into());
            let protocol = known.protocol().map_or(Value::Null, Value::from);
            facts.shift_insert(1, "protocol".to_owned(), protocol);
            facts.insert("share".to_owned(), share(known, survey).into());
            facts.into()
        })
        .collect();
    let mut facts = Map::new();
    facts.insert("file_format".into(), format_key(survey.format).into());
    let compression = survey.compression.map(Compression::name);
    facts.insert("compression".into(), compression.into());
    facts.insert("link_types".into(), survey.links.iter().map(link).collect());
    facts.insert("sections".into(), survey.sections.into());
    facts.insert("interfaces".into(), survey.interfaces.into());
    facts.insert("frames".into(), survey.frames.into());
    facts.insert("cut_frames".into(), survey.cut_frames.into());
    facts.insert(
        "fragments".into(),
        json!({"completed": survey.fragments.completed, "incomplete": survey.incomplete}),
    );
    let faults = survey.faults.iter().filter(|&(_, n)| n > 0);
    let faults: Map<_, _> = faults
        .map(|(f, n)| (f.name().to_owned(), n.into()))
        .collect();
    facts.insert("faults".into(), faults.into());
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
    facts.insert("further_packets".into(), survey.further.into());
    facts.insert(
        "cut".into(),
        survey.cut.map_or(
            Value::Null,
            |cut| json!({"offset": cut.offset, "reason": cut.to_string()}),
        ),
    );
    facts.into()
}

fn link(link: &LinkSeen) -> Value {
    let name = LinkType::try_from(link.number).map(LinkType::name).ok();
    json!({"number": link.number, "name": name, "frames": link.frames})
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
    facts.insert(
        "bytes_per_second".into(),
        stream.byte_rate().map_or(Value::Null, Value::from),
    );
    facts.insert("peak_packets_per_ms".into(), stream.peak_packets.into());
    facts.insert("peak_bytes_per_ms".into(), stream.peak_bytes.into());
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
    let packed = survey
        .compression
        .map_or_else(String::new, |c| format!(" in {}", c.name()));
    let mut out = format!("format    {}{packed}{detail}\n", format_key(survey.format));
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
    for link in &survey.links {
        let name = LinkType::try_from(link.number).map_or("not supported", LinkType::name);
        let (number, frames) = (link.number, link.frames);
        let _ = writeln!(out, "link      {number}, {name}: {frames} frames");
    }
    if survey.interfaces > 0 {
        let (sections, interfaces) = (survey.sections, survey.interfaces);
        let _ = writeln!(out, "sections  {sections} with {interfaces} interfaces");
    }
    if survey.cut_frames > 0 {
        let _ = writeln!(out, "cut       {} frames are not whole", survey.cut_frames);
    }
    if survey.fragments.completed + survey.incomplete > 0 {
        let (whole, incomplete) = (survey.fragments.completed, survey.incomplete);
        let _ = writeln!(
            out,
            "fragments {whole} datagrams put together, {incomplete} incomplete"
        );
    }
    for (fault, count) in survey.faults.iter().filter(|&(_, n)| n > 0) {
        let _ = writeln!(out, "faults    {count} blocks: {fault}");
    }
    for (reason, count) in survey.skipped.iter().filter(|&(_, n)| n > 0) {
        let _ = writeln!(out, "skipped   {count} frames: {reason}");
    }
    if total.packets == 0 {
        return out;
    }
    let _ = writeln!(out, "from      {}", total.first);
    let _ = writeln!(out, "to        {}", total.last);
    let duration = total.duration();
    let (seconds, millis) = (duration / 1_000_000_000, duration / 1_000_000 % 1_000);
    let rate = total.rate().zip(total.byte_rate());
    let rate = rate.map_or_else(String::new, |(packets, bytes)| {
        format!(", {packets} packets/s and {bytes} bytes/s on average")
    });
    let _ = writeln!(out, "duration  {seconds}.{millis:03} s{rate}");
    let _ = writeln!(
        out,
        "peak      {} packets and {} bytes in the busiest millisecond of each",
        total.peak_packets, total.peak_bytes
    );
    let _ = writeln!(
        out,
        "\n{:<22} {:<8} {:>12} {:>7} {:>14} {:>10} {:>8} {:>9}  {:<30}  {:<30}",
        "group",
        "protocol",
        "packets",
        "share",
        "bytes",
        "packets/s",
        "peak/ms",
        "bytes/ms",
        "first",
        "last"
    );
    for (group, known) in &survey.streams {
        let s = &known.traffic;
        let _ = writeln!(
            out,
            "{:<22} {:<8} {:>12} {:>5.1} % {:>14} {:>10} {:>8} {:>9}  {:<30}  {:<30}",
            group.to_string(),
            known.protocol().unwrap_or("-"),
            s.packets,
            100.0 * share(known, survey),
            s.bytes,
            s.rate()
                .map_or_else(|| "-".to_owned(), |rate| rate.to_string()),
            s.peak_packets,
            s.peak_bytes,
            s.first.to_string(),
            s.last.to_string(),
        );
    }
    if survey.further > 0 {
        let _ = writeln!(out, "and {} packets to further groups", survey.further);
    }
    out
}

/// A stream's part of all packets, from 0 to 1.
fn share(known: &Known, survey: &Survey) -> f64 {
    known.traffic.packets as f64 / survey.total.packets as f64
}
