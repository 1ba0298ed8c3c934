use super::OutputFormat;
use feed_common::program::{Failure, print};
use feed_handler::demo::failure;
use feed_handler::verify::{self, VerifyError};
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  feed-handler verify runs/today day.pcap\n  feed-handler verify runs/today runs/again\n\nA \
                  run's folder has a digest of its records every so many sequence numbers (digests.jsonl) and its \
                  configuration (plan.toml). A capture is handled again under that configuration. Where the two part \
                  first is a sequence number when both can be handled again: captures, runs of captures, and live runs \
                  that kept what they received (run --record); else the stretch between two digests.\n\nExit status: 0 \
                  equal, 3 different, 2 when there is nothing that can be compared."
)]
pub struct Arguments {
    /// The folder of a run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The folder of another run, or a capture of the same lines
    #[arg(value_name = "RUN|FILE")]
    other: PathBuf,
    /// How to print what was found
    #[arg(long, default_value = "text")]
    format: OutputFormat,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let verdict = verify::verify(&arguments.run, &arguments.other).map_err(refused)?;
    print(&match arguments.format {
        OutputFormat::Text => verify::render(&verdict),
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(&verdict).map_err(Failure::running)?;
            format!("{json}\n")
        }
    })?;
    match verdict.equal {
        true => Ok(()),
        false => Err(Failure::verdict(verify::summary(&verdict))),
    }
}

fn refused(e: VerifyError) -> Failure {
    match e {
        VerifyError::Start(e) => failure(e),
        VerifyError::Read { .. } => Failure::running(e),
        _ => Failure::usage(e),
    }
}
