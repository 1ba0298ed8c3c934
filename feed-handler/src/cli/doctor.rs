use super::OutputFormat;
use feed_common::program::{Failure, print, print_line};
use feed_handler::{config, doctor};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler doctor -c feed.toml\n  feed-handler doctor --format json | jq '.checks[] | \
                  select(.status == \"FAIL\")'\n\nEach check is OK, WARN (it costs microseconds or steadiness), FAIL (it \
                  costs milliseconds or packets, or the configuration cannot have what it asks) or UNKNOWN (it could not \
                  be read, and why), with what was read, what that does to latency, and the command that mends it. With \
                  a configuration it is about its cores, interfaces, buffers and memory; without one about every core \
                  and interface, and a lane of the defaults.\n\nIt only reads. The exit status is 0 whatever is found, \
                  and 2 when the configuration cannot be read."
)]
pub struct Arguments {
    /// The configuration that is to run here; default: none, the machine alone
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.config.as_deref().map(config::load).transpose();
    let checks = doctor::doctor(plan.map_err(Failure::usage)?.as_ref());
    match arguments.format {
        OutputFormat::Text => print(&doctor::render(&checks)),
        OutputFormat::Json => print_line(json!({"checks": checks})),
    }
}
