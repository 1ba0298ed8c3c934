//! What a report of a long run takes: a log of an hour of seconds with a thousand million values in four stages, read back and
//! rendered.
//!
//! ```text
//! cargo run --release -p benches --bin report
//! ```

use benches::report::LongRun;
use std::{fs, io};

fn main() -> io::Result<()> {
    let run = LongRun::new()?;
    for to_compare in [false, true] {
        let took = run.report(to_compare)?;
        println!(
            "{} values in {} intervals, {} MB of log{}: {:.2} s, page of {} KB",
            took.values,
            took.intervals,
            took.log >> 20,
            if to_compare { ", to be compared" } else { "" },
            took.seconds,
            took.page >> 10
        );
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!(
        "most memory, the making of the log included: {}",
        peak.unwrap_or("not known")
    );
    Ok(())
}
