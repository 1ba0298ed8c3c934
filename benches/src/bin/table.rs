//! One table of what is aimed for: ours, the best peer, the limit, and whether it is met. `scripts/bench` builds what it
//! needs and runs it.
//!
//! ```text
//! scripts/bench [--quick] [--only NAME]... [--json FILE]
//! ```

use benches::measure::Own;
use benches::table::{Effort, Made, PRODUCERS, Skipped, json, print};
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

/// What the command line asks for.
struct Asked {
    effort: Effort,
    only: Vec<String>,
    json: Option<String>,
}

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("table: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(asked: Asked) -> Result<(), String> {
    let wanted = |name: &str| asked.only.is_empty() || asked.only.iter().any(|only| only == name);
    let own = Own::measure();
    let machine = machine();
    println!("{machine}");
    println!(
        "the harness itself: thread clock {:.0} ns, wall clock {:.0} ns, an empty measurement {:.0} ns",
        own.thread_clock, own.wall_clock, own.empty
    );
    let mut made = Vec::new();
    for producer in PRODUCERS.iter().filter(|p| wanted(p.name)) {
        let since = Instant::now();
        match (producer.rows)(asked.effort) {
            Ok(rows) => made.extend(rows),
            Err(why) => made.push(Made::Skipped(Skipped {
                what: producer.name.into(),
                why,
            })),
        }
        eprintln!("{}: {:.0} s", producer.name, since.elapsed().as_secs_f64());
    }
    print(&made);
    let Some(path) = asked.json else {
        return Ok(());
    };
    let text = json(&made, &own, &machine, asked.effort.quick).to_string();
    fs::write(&path, text + "\n").map_err(|e| format!("{path}: {e}"))
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        effort: Effort { quick: false },
        only: Vec::new(),
        json: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} what?"));
        match argument.as_str() {
            "--quick" => asked.effort.quick = true,
            "--only" => asked.only.push(value()?),
            "--json" => asked.json = Some(value()?),
            _ => {
                return Err(format!(
                    "{argument}? usage: [--quick] [--only NAME]... [--json FILE]"
                ));
            }
        }
    }
    let names = || PRODUCERS.iter().map(|p| p.name);
    match asked
        .only
        .iter()
        .find(|only| names().all(|name| name != *only))
    {
        None => Ok(asked),
        Some(only) => Err(format!(
            "no rows {only}; there are {:?}",
            names().collect::<Vec<_>>()
        )),
    }
}

/// What the figures are of.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .and_then(|m| m.split_once(": "))
        .map_or("unknown", |m| m.1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}
