//! The progress bar: on a terminal, and nowhere else.

use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_feed-replay");

/// Long enough to be worth a bar whatever the build.
const ARGUMENTS: [&str; 9] = [
    "generate",
    "--protocol",
    "itch50",
    "--messages",
    "600000",
    "--seed",
    "7",
    "-o",
    "/dev/null",
];

/// Runs a shell's command with a terminal of its own (`script` is in every Debian's base), 80 columns wide.
fn on_a_terminal(command: &str) -> Output {
    let command = format!("stty cols 80; {command}");
    Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .env("TERM", "xterm")
        .output()
        .expect("script, of bsdutils")
}

#[test]
fn a_long_job_shows_how_far_it_is_and_leaves_nothing_of_it() {
    let output = on_a_terminal(&format!("{PROGRAM} {}", ARGUMENTS.join(" ")));
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("% of 600000 messages"), "{text}");
    // What is printed afterwards begins behind a cleared line.
    let (_, cleared) = text.rsplit_once("\u{1b}[2K").expect("the bar is cleared");
    assert!(cleared.trim_start().starts_with("made"), "{cleared}");
}

#[test]
fn without_a_terminal_there_is_none() {
    let output = Command::new(PROGRAM).args(ARGUMENTS).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let facts = String::from_utf8(output.stdout).unwrap();
    assert!(facts.starts_with("made") && !facts.contains('\u{1b}'));
}
