use super::OutputFormat;
use super::input::{Input, listed};
use super::stats::{check_lines, lines};
use feed_common::program::{Failure, Progress, Watched, print, print_line, warn};
use feed_common::time::UnixNanos;
use feed_handler::inspect::Lines;
use feed_handler::inspect::contributions::{ChannelLines, contributions};
use feed_handler::report::units::{count, plural, time};
use feed_handler::report::{Table, plain};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler lines day.pcap\n  feed-handler lines day.pcap --format json | jq \
                  '.channels[].lines[] | {line, first, lead_ns}'\n\nJSON: `channels`, each with `lost_by_all` (numbers \
                  that no line brought) and `lines`: `first` counts messages a line brought before any other, in the order \
                  of the file; `lead_ns` by how much its packets were earlier than on the line that came second, by the \
                  times of the file, which can be in another order; `lost` what it never brought \
                  between its first number and its last, `lost_alone` what of that another line brought, `absent` what \
                  others brought before its first and behind its last. Numbers are messages, and packets for mdp3. \
                  `longest_silence_ns` is the longest time without a packet while the channel had some."
)]
pub struct Arguments {
    #[command(flatten)]
    input: Input,
    /// Which streams are lines of one channel: `auto` tells by their bytes, `separate` keeps them apart, or list the
    /// groups of each channel: `G:P,G:P;G:P,G:P`
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = lines)]
    lines: Lines,
    /// How to print the facts
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let input = &arguments.input;
    let file = input.open()?;
    let streams = input.streams(&file)?;
    if let Lines::Given(channels) = &arguments.lines {
        check_lines(channels, &file, input)?;
    }
    let pass = || Watched::new(&file, Progress::of_file(&file));
    let (facts, watched) = contributions(pass, &streams, &arguments.lines);
    match arguments.format {
        OutputFormat::Text => {
            let texts: Vec<String> = facts.channels.iter().map(text).collect();
            print(&texts.join("\n"))?;
        }
        OutputFormat::Json => print_line(serde_json::to_string(&facts).map_err(Failure::running)?)?,
    }
    let errors = listed(facts.errors.iter().map(|(&name, &n)| (name, n)));
    if !input.strict
        && let Some(errors) = &errors
    {
        warn(format_args!(
            "{}: malformed: {errors}",
            input.file.display()
        ));
    }
    input.judge(errors, &watched.into_datagrams())
}

fn text(channel: &ChannelLines) -> String {
    let mut title = format!("channel {}  {}", channel.channel, channel.protocol);
    if !channel.session.is_empty() {
        title += &format!("  session {}", plain(&channel.session));
    }
    title += &format!(
        "  {}, {} lost by all lines",
        plural(channel.messages, "message"),
        count(channel.lost_by_all)
    );
    if channel.restarts > 0 {
        title += &format!(", {}", plural(channel.restarts, "restart"));
    }
    if channel.retransmission_packets > 0 {
        let packets = plural(channel.retransmission_packets, "packet");
        title += &format!(", {packets} of retransmissions");
    }
    let mut counts = Table::new(
        title,
        &[
            "line",
            "group",
            "packets",
            "messages",
            "first",
            "lost",
            "lost alone",
            "absent",
            "duplicates",
        ],
        2,
    );
    let mut times = Table::new(
        "  earlier than the second line, and silent",
        &[
            "line",
            "since",
            "packets",
            "min",
            "p50",
            "p99",
            "max",
            "longest silence",
        ],
        2,
    );
    for line in &channel.lines {
        let mut row = vec![line.line.clone(), line.group.clone()];
        row.extend(
            [
                line.packets,
                line.messages,
                line.first,
                line.lost,
                line.lost_alone,
                line.absent,
                line.duplicates,
            ]
            .map(count),
        );
        counts.rows.push(row);
        let lead = line.lead_ns;
        let since = line.first_packet_ns;
        let since = since.map_or_else(|| "-".to_owned(), |ns| UnixNanos(ns).to_string());
        let mut row = vec![line.line.clone(), since, count(lead.count)];
        match lead.count {
            0 => row.extend(["-"; 4].map(str::to_owned)),
            _ => row.extend([lead.min, lead.p50, lead.p99, lead.max].map(time)),
        }
        row.push(time(line.longest_silence_ns));
        times.rows.push(row);
    }
    let mut out = String::new();
    counts.render(&mut out);
    times.render(&mut out);
    out
}
