//! What `run` and `demo` share: the histograms they ask for, the tables they print, the folder they write.

use feed_common::latency::Resolution;
use feed_common::program::Failure;
use feed_handler::config::Plan;
use feed_handler::report::terminal;
use feed_handler::run::Recorded;
use std::io::{self, Write};

/// The tables of a finished run.
pub fn tables(recorded: &Recorded) -> String {
    format!("\n{}\n", terminal::render(recorded.report()))
}

/// Writes a run's folder and says where it is.
pub fn write_out(recorded: Recorded) -> Result<(), Failure> {
    if let Some(dir) = recorded.write().map_err(Failure::running)? {
        let _ = writeln!(
            io::stderr(),
            "wrote summary.json, latency.hlog and report.html to {}",
            dir.display()
        );
    }
    Ok(())
}

/// The histograms a plan asks for.
pub fn resolution(plan: &Plan) -> Result<Resolution, Failure> {
    let highest = Resolution::default().highest_nanos();
    Resolution::new(highest, plan.latency.digits).map_err(Failure::usage)
}
