//! Simulates sessions with faults and says which were not as they must be.

use clap::Parser;
use simulation::{Failed, Scenario, Totals, attempt, run, shrink};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Simulates trading sessions with faults in virtual time, through the handler's own pipeline, against an oracle.
///
/// Exit status: 0 all were as they must be, 2 wrong usage, 3 one was not: it is shrunk, and printed with the command
/// that repeats it.
#[derive(Parser)]
#[command(after_help = "Example: simulation --seed 7 --sessions 10000")]
struct Args {
    /// What everything follows from; a fresh one if left out
    #[arg(long)]
    seed: Option<u64>,
    /// How many sessions
    #[arg(long, default_value_t = 1_000)]
    sessions: u64,
    /// One session in particular, as a failure prints it
    #[arg(long, conflicts_with_all = ["seed", "sessions"])]
    scenario: Option<Scenario>,
    /// Threads; the result is the same with any number
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Go on after a failure, and say how often each kind came up
    #[arg(long)]
    all: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A panic in a session is one of its results, and told as such.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(scenario) = args.scenario {
        println!("scenario: {scenario}");
        return match attempt(&scenario) {
            Ok(facts) => {
                println!("{facts:?}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                println!("FAILED: {failure}");
                ExitCode::from(3)
            }
        };
    }
    let seed = args.seed.unwrap_or_else(fresh);
    println!("seed {seed}, {} sessions", args.sessions);
    let started = Instant::now();
    let totals = run(seed, args.sessions, args.threads, !args.all);
    tell(&totals, started.elapsed().as_secs_f64());
    match totals.failed.first() {
        None => ExitCode::SUCCESS,
        Some(first) => {
            explain(&totals, first);
            ExitCode::from(3)
        }
    }
}

/// A seed that no run had before, short enough to be copied by hand.
fn fresh() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64 & 0xffff_ffff)
}

fn tell(totals: &Totals, seconds: f64) {
    let protocols = totals.protocols.iter();
    let protocols: Vec<_> = protocols.map(|(name, n)| format!("{name} {n}")).collect();
    println!(
        "{} sessions in {seconds:.1} s, {:.0} a second; {:.0} virtual seconds",
        totals.sessions,
        totals.sessions as f64 / seconds,
        totals.lasted as f64 / 1e9
    );
    println!("  {}", protocols.join(", "));
    let services = totals.services.iter();
    let services: Vec<_> = services.map(|(name, n)| format!("{name} {n}")).collect();
    println!("  recovery: {}", services.join(", "));
    println!(
        "  {} whole, {} with gaps; {} packets lost on lines, {} messages delivered, {} declared lost",
        totals.whole, totals.with_gaps, totals.lost_packets, totals.messages, totals.lost
    );
    println!(
        "  {} messages recovered with {} requests; {} new sessions, {} damaged datagrams",
        totals.recovered, totals.requests, totals.restarts, totals.malformed
    );
    println!("  {} failed", totals.failed.len());
}

fn explain(totals: &Totals, first: &Failed) {
    let mut kinds: Vec<(&Failed, u64)> = Vec::new();
    for failed in &totals.failed {
        let same = |(of, _): &&mut (&Failed, u64)| of.failure.what == failed.failure.what;
        match kinds.iter_mut().find(same) {
            Some((_, n)) => *n += 1,
            None => kinds.push((failed, 1)),
        }
    }
    for (of, n) in kinds {
        println!(
            "    {n} times: {}, as with seed {}",
            of.failure.what, of.seed
        );
    }
    let scenario = Scenario::draw(first.seed);
    println!("\nFAILED: {}", first.failure);
    println!(
        "  repeat: cargo run --release -p simulation -- --seed {} --sessions 1",
        first.seed
    );
    println!("  scenario: {scenario}");
    let (small, failure) = shrink(scenario, first.failure.clone(), |s| attempt(s).err());
    println!("shrunk: {failure}");
    println!("  repeat: cargo run --release -p simulation -- --scenario '{small}'");
}
