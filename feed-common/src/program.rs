//! How the programs end and print: the exit statuses and fact output that scripts rely on.

mod progress;
mod watched;

pub use progress::Progress;
pub use watched::Watched;

use crate::capture::{CaptureFile, Cut};
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Why a command did not do its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The user has to change what was asked: wrong usage, configuration, or input that cannot be read at all.
    Usage(String),
    /// It was right, and failed while running.
    Running(String),
    /// It was done, and what was found is not as it should be.
    Verdict(String),
}

impl Failure {
    /// A usage failure that says `reason`.
    pub fn usage(reason: impl Display) -> Failure {
        Failure::Usage(reason.to_string())
    }

    /// A running failure that says `reason`.
    pub fn running(reason: impl Display) -> Failure {
        Failure::Running(reason.to_string())
    }

    /// A negative verdict that says `reason`.
    pub fn verdict(reason: impl Display) -> Failure {
        Failure::Verdict(reason.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Failure {
        Failure::running(e)
    }
}

/// Says why a command failed and turns it into the exit status: 0 done, 1 it failed while running, 2 wrong usage, 3 a
/// negative verdict.
pub fn finish(done: Result<(), Failure>) -> ExitCode {
    let (status, what, reason) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Running(reason)) => (1, "error: ", reason),
        Err(Failure::Usage(reason)) => (2, "error: ", reason),
        Err(Failure::Verdict(reason)) => (3, "", reason),
    };
    // Nothing is left to do when standard error is closed too.
    let _ = writeln!(io::stderr(), "{what}{reason}");
    ExitCode::from(status)
}

/// The outcome of writing facts to standard output. A reader that has seen enough and left is no failure.
pub fn printed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::running(format_args!("standard output: {e}")))
        }
        _ => Ok(()),
    }
}

/// Prints facts to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints facts to standard output as one line, such as a JSON value.
pub fn print_line(line: impl Display) -> Result<(), Failure> {
    print(&format!("{line}\n"))
}

/// Says on standard error what the user should know and what ends nothing.
pub fn warn(what: impl Display) {
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(io::stderr(), "warning: {what}");
}

/// Opens a capture named on the command line.
pub fn open_capture(path: &Path) -> Result<CaptureFile, Failure> {
    CaptureFile::open(path).map_err(Failure::usage)
}

/// Opens a capture named on the command line for one reading: a pipe is handled as it arrives.
pub fn open_capture_once(path: &Path) -> Result<CaptureFile, Failure> {
    CaptureFile::open_once(path).map_err(Failure::usage)
}

/// What a file that was cut short means: a warning, or under `--strict` a failure.
pub fn judge_cut(path: &Path, cut: Option<Cut>, strict: bool) -> Result<(), Failure> {
    let Some(cut) = cut else { return Ok(()) };
    let reason = format!("{}: {cut}", path.display());
    if strict {
        return Err(Failure::Running(reason));
    }
    warn(reason);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CutReason;

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let error = |kind| printed(Err(io::Error::from(kind)));
        assert_eq!(error(io::ErrorKind::BrokenPipe), Ok(()));
        let full = error(io::ErrorKind::StorageFull);
        assert!(matches!(full, Err(Failure::Running(r)) if r.starts_with("standard output: ")));
    }

    #[test]
    fn a_cut_is_fatal_where_asked() {
        let cut = Cut {
            offset: 77,
            reason: CutReason::PartialRecord,
        };
        let path = Path::new("day.pcap");
        assert_eq!(judge_cut(path, None, true), Ok(()));
        assert_eq!(judge_cut(path, Some(cut), false), Ok(()));
        let strict = judge_cut(path, Some(cut), true);
        let says = |r: &str| r.starts_with("day.pcap: ") && r.contains("77");
        assert!(matches!(strict, Err(Failure::Running(r)) if says(&r)));
    }
}
