//! Arguments. Everything else is the library.

mod bbo;
mod book;
mod check;
mod ctl;
mod decode;
mod demo;
mod doctor;
#[cfg(feature = "export")]
mod export;
mod gaps;
#[cfg(feature = "gateway")]
mod gateway;
mod input;
mod journal;
mod lanes;
mod lines;
mod outputs;
mod protocols;
mod report;
mod run;
mod selection;
mod stats;
mod tail;
mod top;
mod trades;
mod verify;

use clap::{Parser, Subcommand, ValueEnum};
use feed_common::program::finish;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "feed-handler", version, max_term_width = 120)]
#[command(
    about = "Receives market data from multicast lines or capture files, and says where every nanosecond and every \
             message went"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The main job with nothing configured: a session sent as two lossy lines, handled live, measured
    Demo(demo::Arguments),
    /// The live process; with --input the same pipeline from a capture
    Run(run::Arguments),
    /// Tell a live run which symbols are wanted
    Ctl(ctl::Arguments),
    /// A dashboard of a live run, from another process
    Top(top::Arguments),
    /// Records and latest quotes of a live run's shared memory, from another process
    Tail(tail::Arguments),
    /// Records and latest quotes of a live run for other machines and programs, over WebSocket and TCP
    #[cfg(feature = "gateway")]
    Gateway(gateway::Arguments),
    /// Check a configuration: file, line, column, what was expected
    Check(check::Arguments),
    /// Packets, messages by type, gaps and duplicates of a capture
    Stats(stats::Arguments),
    /// Who was first and by how much, what each line lost alone, and what all lost
    Lines(lines::Arguments),
    /// Every hole of a capture: what, when, on which line, closed by what; status 3 where one stays open
    Gaps(gaps::Arguments),
    /// Every message of a capture, field by field, before any merging
    Decode(decode::Arguments),
    /// The order books at the end of a capture
    Book(book::Arguments),
    /// Every change of the best bid and offer
    Bbo(bbo::Arguments),
    /// What has traded, by symbol
    Trades(trades::Arguments),
    /// Best prices, trades, orders or depth as columns for other tools: Parquet, Arrow, CSV
    #[cfg(feature = "export")]
    Export(export::Arguments),
    /// What a run has published and kept: its segments, its records, whether it is whole
    Journal(journal::Arguments),
    /// Where a run and a capture, or two runs, part
    Verify(verify::Arguments),
    /// The latency report of runs; held against a budget or other runs, status 3 where they are found wanting
    Report(report::Arguments),
    /// Is this machine tuned: what costs latency here, and the command that mends it
    Doctor(doctor::Arguments),
    /// The protocols that are read, their versions, messages and books
    Protocols(protocols::Arguments),
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
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Ctl(arguments) => ctl::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Tail(arguments) => tail::run(&arguments),
        #[cfg(feature = "gateway")]
        Command::Gateway(arguments) => gateway::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Lines(arguments) => lines::run(&arguments),
        Command::Gaps(arguments) => gaps::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Book(arguments) => book::run(&arguments),
        Command::Bbo(arguments) => bbo::run(&arguments),
        Command::Trades(arguments) => trades::run(&arguments),
        #[cfg(feature = "export")]
        Command::Export(arguments) => export::run(&arguments),
        Command::Journal(arguments) => journal::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Protocols(arguments) => protocols::run(&arguments),
    })
}
