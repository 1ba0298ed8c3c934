//! The live feed handler. See `feed-handler --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
