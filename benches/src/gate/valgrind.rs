//! Counting: this program again, under callgrind, which writes the instructions of each counted function to a file.

use super::Count;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

/// The argument with which this program runs the functions, and says on each line of its output which came next.
pub const RUN: &str = "--run-functions";

/// Counts all functions.
pub fn count() -> Result<Vec<Count>, String> {
    let dir = Folder::new().map_err(|e| format!("no folder for the counts: {e}"))?;
    let program = env::current_exe().map_err(|e| e.to_string())?;
    // One pattern can say one thing only: of two alike, callgrind forgets the first.
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=*counted_by_callgrind*",
        ])
        .arg("--dump-after=*by_callgrind*")
        .arg(format!("--callgrind-out-file={}", dir.counts().display()))
        .arg(program)
        .arg(RUN)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| {
            format!("valgrind cannot be run ({e}); on Debian: apt-get install valgrind")
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {said}", output.status));
    }
    let listed = String::from_utf8_lossy(&output.stdout);
    let listed: Vec<&str> = listed.lines().collect();
    let counts = listed.iter().enumerate().map(|(i, line)| {
        // Files are numbered from 1 as functions end.
        let path = format!("{}.{}", dir.counts().display(), i + 1);
        let text = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        let total = total(&text).ok_or_else(|| format!("{path}: no total"))?;
        one(line, total).ok_or_else(|| format!("not a function: {line}"))
    });
    counts.collect()
}

/// How [`RUN`] lists a function.
pub fn listing(name: &str, things: u64, per: &str) -> String {
    format!("{things}\t{per}\t{name}")
}

/// A listed function and its instructions.
fn one(listed: &str, total: u64) -> Option<Count> {
    let mut parts = listed.splitn(3, '\t');
    let things: u64 = parts.next()?.parse().ok()?;
    let (per, name) = (parts.next()?, parts.next()?);
    Some(Count {
        name: name.to_owned(),
        per: per.to_owned(),
        instructions: total as f64 / things.max(1) as f64,
    })
}

/// The instructions in all, of a file of callgrind's.
fn total(text: &str) -> Option<u64> {
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    totals?.split_whitespace().next()?.parse().ok()
}

/// A folder that is removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        let path = env::temp_dir().join(format!("feed-gate-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    fn counts(&self) -> PathBuf {
        Path::new(&self.0).join("counts")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left behind harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_divided_by_what_it_handles() {
        let text = "version: 1\npart: 3\nevents: Ir\nfn=(1) x\n+1 20\ntotals: 5000\n";
        let counted = one(&listing("ring: write", 40, "record"), total(text).unwrap());
        let expected = Count {
            name: "ring: write".into(),
            per: "record".into(),
            instructions: 125.0,
        };
        assert_eq!(counted, Some(expected));
        assert_eq!(total("events: Ir\n"), None);
        assert_eq!(one("not a line", 1), None);
    }
}
