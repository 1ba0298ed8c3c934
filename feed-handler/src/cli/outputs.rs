//! What `run` and `demo` share: the histograms they ask for, the tables they print, the folder they write.

use feed_common::latency::Resolution;
use feed_common::program::{Failure, warn};
use feed_handler::config::Plan;
use feed_handler::report::units::plural;
use feed_handler::report::{Journal, Recording, terminal};
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

/// Says what a recording came to. One that is not whole cost the run nothing: that is a warning, and under `--strict` a
/// failure.
pub fn judge_recording(recorded: Option<&Recording>, strict: bool) -> Result<(), Failure> {
    let Some(recording) = recorded else {
        return Ok(());
    };
    let packets = plural(recording.packets, "packet");
    let _ = writeln!(io::stderr(), "recorded {packets} to {}", recording.file);
    match recording.shortage() {
        Some(why) if strict => Err(Failure::running(why)),
        Some(why) => {
            warn(why);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Says what the journals came to; one that is not whole as a recording is that is not.
pub fn judge_journals(journals: &[Journal], strict: bool) -> Result<(), Failure> {
    for journal in journals {
        let records = plural(journal.records, "record");
        let _ = writeln!(io::stderr(), "journalled {records} in {}", journal.dir);
    }
    let mut shortages = journals.iter().filter_map(Journal::shortage);
    match shortages.next() {
        Some(why) if strict => Err(Failure::running(why)),
        first => {
            first.into_iter().chain(shortages).for_each(warn);
            Ok(())
        }
    }
}

/// The histograms a plan asks for.
pub fn resolution(plan: &Plan) -> Result<Resolution, Failure> {
    let highest = Resolution::default().highest_nanos();
    Resolution::new(highest, plan.latency.digits).map_err(Failure::usage)
}
