//! Rows that other harnesses measure, each in a process of its own: because it enters a network namespace, or because it
//! is a whole run.

use super::{Effort, Made, Row, Target};
use std::env;
use std::process::{Command, Stdio};

/// Receiving through a socket, against the bare system call.
pub fn receive(effort: Effort) -> Result<Vec<Made>, String> {
    let text = output("receive", &[effort.pick("61", "11")])?;
    // bytes, stamps, ns of the bare loop, ns of the receiver, their ratio
    let rows = text.lines().filter_map(|line| {
        let [bytes, stamps, bare, ours, _] = fields(line)?;
        let (bare, ours) = (bare.parse().ok()?, ours.parse().ok()?);
        let stamps = match stamps {
            "true" => ", stamped",
            _ => "",
        };
        let row = Row::time(
            format!("socket receive, {bytes} bytes{stamps}"),
            "CPU ns a packet",
            ours,
        );
        let row = row.limit("bare recvmmsg", bare);
        Some(row.target(Target::OfLimit(1.10)).into())
    });
    some(rows.collect(), &text)
}

/// Latency instrumentation, on against off.
pub fn instrumentation(effort: Effort) -> Result<Vec<Made>, String> {
    let arguments = [effort.pick("1000000", "300000"), effort.pick("15", "7")];
    let text = output("pipeline", &arguments)?;
    let median = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (Some(off), Some(on)) = (median("lane: + ring "), median("lane: + stages ")) else {
        return Err(format!("no such rows in {text:?}"));
    };
    let what = "stages of a lane without books";
    Ok(vec![
        Row::time(format!("{what}, on"), "ns a message", on)
            .limit("off", off)
            .target(Target::OfLimit(1.05))
            .into(),
        Row::time(format!("{what}, on less off"), "ns a message", on - off)
            .target(Target::AtMost(5.0))
            .into(),
    ])
}

/// Runs another program of this package, built beside this one, and gives what it printed.
pub fn output(name: &str, arguments: &[&str]) -> Result<String, String> {
    let program = env::current_exe().map_err(|e| e.to_string())?;
    let program = program.with_file_name(name);
    let output = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}: {}", output.status, said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{name}: {e}"))
}

/// A line of exactly so many words.
fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.try_into().ok()
}

/// Rows, if there are any.
fn some(rows: Vec<Made>, text: &str) -> Result<Vec<Made>, String> {
    match rows.is_empty() {
        true => Err(format!("no rows in {text:?}")),
        false => Ok(rows),
    }
}
