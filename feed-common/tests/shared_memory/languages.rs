//! Programs in C and Python.

use super::Folder;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a test says that cannot run.
pub const NUMPY: &str = "needs python3 with the package numpy";

/// The program of a source of this crate, in a folder.
pub fn compiled(folder: &Folder, source: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = home.join(source);
    let name = source.file_stem().expect("a file");
    let program = folder.feed().with_file_name(name);
    let output = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-std=c11", "-I"])
        .arg(home.join("include"))
        .arg("-o")
        .args([&program, &source])
        .output()
        .expect("a C compiler");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}

/// Python with the package at hand.
pub fn python() -> Command {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/python");
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", package)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

pub fn has_numpy() -> bool {
    let mut asked = Command::new("python3");
    let asked = asked
        .args(["-c", "import numpy"])
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Said past the harness, which keeps what a test that passes prints to itself.
pub fn skipped(test: &str, needs: &str) {
    writeln!(stderr(), "SKIPPED {test}: {needs}").expect("standard error");
}
