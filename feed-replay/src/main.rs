//! Replay and generation. See `feed-replay --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
