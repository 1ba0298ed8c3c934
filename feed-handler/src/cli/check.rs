use super::OutputFormat;
use feed_common::program::{Failure, print, print_line};
use feed_handler::config::{self, ChannelPlan, LanePlan, LinePlan, Plan};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "Example:\n  feed-handler check feed.toml")]
pub struct Arguments {
    /// The configuration
    file: PathBuf,
    /// How to print what it says
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = config::load(&arguments.file).map_err(Failure::usage)?;
    match arguments.format {
        OutputFormat::Text => print(&text(&arguments.file, &plan)),
        OutputFormat::Json => print_line(facts(&arguments.file, &plan)),
    }
}

fn text(file: &Path, plan: &Plan) -> String {
    let mut out = format!("{}: ok\n", file.display());
    let lines = || plan.lanes.iter().flat_map(LanePlan::lines);
    let channels = plan.channels().map(|(_, c)| c.name.chars().count()).max();
    let names = lines().map(|(_, l)| l.name.chars().count()).max();
    let (channel_width, line_width) = (channels.unwrap_or(0), names.unwrap_or(0));
    // Writing to a String cannot fail.
    for lane in &plan.lanes {
        let (name, protocol) = (&lane.name, lane.protocol.name());
        let (threads, stamps) = (lane.threads, lane.timestamps.name());
        let _ = writeln!(
            out,
            "lane {name} ({protocol}, {threads}, timestamps {stamps})"
        );
        for (channel, line) in lane.lines() {
            let _ = writeln!(
                out,
                "  channel {:channel_width$}  line {:line_width$}  {}",
                lane.channels[channel].name, line.name, line.address
            );
        }
    }
    if let Some(shared) = &plan.shared_memory {
        let _ = writeln!(
            out,
            "shared memory {}/LANE (mode {:04o}, {} instruments)",
            shared.dir.display(),
            shared.mode,
            shared.instruments
        );
    }
    out
}

fn facts(file: &Path, plan: &Plan) -> Value {
    let line = |line: &LinePlan| {
        let address = &line.address;
        json!({
            "name": line.name,
            "group": address.group.to_string(),
            "interface": address.interface.as_ref().map(|i| i.to_string()),
            "source": address.source.map(|s| s.to_string()),
        })
    };
    let channel = |channel: &ChannelPlan| {
        let lines: Vec<Value> = channel.lines.iter().map(line).collect();
        json!({"name": channel.name, "lines": lines})
    };
    let lane = |lane: &LanePlan| {
        let channels: Vec<Value> = lane.channels.iter().map(channel).collect();
        json!({
            "name": lane.name,
            "protocol": lane.protocol.name(),
            "threads": lane.threads.to_string(),
            "timestamps": lane.timestamps.name(),
            "channels": channels,
        })
    };
    let lanes: Vec<Value> = plan.lanes.iter().map(lane).collect();
    let mut facts = json!({"file": file.display().to_string(), "lanes": lanes});
    if let Some(shared) = &plan.shared_memory {
        facts["shared_memory"] = json!({
            "dir": shared.dir.display().to_string(),
            "instruments": shared.instruments,
            "mode": format!("{:04o}", shared.mode),
            "group": shared.group,
        });
    }
    facts
}
