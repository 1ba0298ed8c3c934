//! Arguments. Everything else is the library.

mod exchange;
mod generate;
mod info;
mod send;

use clap::{Parser, Subcommand, ValueEnum};
use feed_common::program::finish;
use std::process::ExitCode;

/// Replays captures to multicast on their schedule, and makes realistic sessions from a seed
#[derive(Parser)]
#[command(name = "feed-replay", version, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Send(send::Arguments),
    Generate(generate::Arguments),
    Exchange(exchange::Arguments),
    Info(info::Arguments),
}

/// How facts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    Text,
    Json,
}

/// Parses the arguments and does what they say.
pub fn run() -> ExitCode {
    finish(match Arguments::parse().command {
        Command::Send(arguments) => send::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Exchange(arguments) => exchange::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
    })
}
