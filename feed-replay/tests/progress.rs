//! The progress bar: on a terminal, and nowhere else.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_feed-replay");

/// Makes a session of so many messages and throws it away.
fn arguments(messages: u64) -> String {
    format!("generate --protocol itch50 --messages {messages} --seed 7 -o /dev/null")
}

/// A job that takes so long has a bar, however slow the machine is in starting it.
const LONG: Duration = Duration::from_secs(3);

/// Runs a shell's command with a terminal of its own (`script` is in every Debian's base), 80 columns wide.
fn on_a_terminal(command: &str) -> Output {
    let command = format!("stty cols 80; {command}");
    Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .env("TERM", "xterm")
        .output()
        .expect("script, of bsdutils")
}

/// How many messages that takes depends on the machine and the build, so they are doubled until there is a bar.
#[test]
fn a_long_job_shows_how_far_it_is_and_leaves_nothing_of_it() {
    let mut messages = 600_000;
    let text = loop {
        let began = Instant::now();
        let output = on_a_terminal(&format!("{PROGRAM} {}", arguments(messages)));
        let took = began.elapsed();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains(&format!("% of {messages} messages")) {
            break text;
        }
        assert!(took < LONG, "{text}");
        messages *= 2;
    };
    // What is printed afterwards begins behind a cleared line.
    let (_, cleared) = text.rsplit_once("\u{1b}[2K").expect("the bar is cleared");
    assert!(cleared.trim_start().starts_with("made"), "{cleared}");
}

#[test]
fn without_a_terminal_there_is_none() {
    let arguments = arguments(600_000);
    let output = Command::new(PROGRAM).args(arguments.split(' ')).output();
    let output = output.unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let facts = String::from_utf8(output.stdout).unwrap();
    assert!(facts.starts_with("made") && !facts.contains('\u{1b}'));
}
