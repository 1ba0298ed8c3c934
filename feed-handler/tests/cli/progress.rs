//! The progress bar: on a terminal, and nowhere else.

use crate::support::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

/// What a bar of a file says, and what takes it away again.
const BAR: &str = " % of ";
const CLEARED: &str = "\u{1b}[2K";

/// Runs a shell's command with a terminal of its own (`script` is in every Debian's base), 80 columns wide; all that
/// came to the terminal.
#[track_caller]
fn on_a_terminal(command: &str) -> String {
    let command = format!("stty cols 80; {command}");
    let ended = run(
        Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .env("TERM", "xterm"),
        b"",
    );
    assert_eq!(ended.status, 0, "{ended:?}");
    ended.out
}

/// The arguments of commands that go through the whole of a capture and take their time.
fn commands(scratch: &Scratch, capture: &str) -> Vec<String> {
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    let reading = ["decode", "book", "bbo"];
    let mut commands: Vec<String> = reading.map(|c| format!("{c} {capture}")).into();
    commands.push(format!("run -c {config} --input {capture}"));
    commands
}

/// A job that takes so long has a bar, however slow the machine is in starting it.
const LONG: Duration = Duration::from_secs(3);

/// How long a capture has to be depends on the machine and the build, so it is doubled until each command has shown a bar.
#[test]
fn a_long_reading_shows_how_far_it_is_and_leaves_nothing_of_it() {
    let scratch = Scratch::new();
    let [capture, packed, out] = ["a.pcap", "a.pcap.gz", "out"].map(|name| scratch.path(name));
    let mut barless = commands(&scratch, &capture);
    // Of a packed file nobody knows how long it is unpacked, so its own bytes are counted.
    barless.push(format!("trades {packed}"));
    let mut messages = 150_000;
    while !barless.is_empty() {
        let session = session(messages);
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&session).unwrap();
        scratch.file("a.pcap.gz", packer.finish().unwrap());
        scratch.file("a.pcap", session);
        barless.retain(|command| !shows_a_bar(command, &out));
        messages *= 2;
    }
}

/// Whether a command shows a bar on a terminal, its output in a file. One that takes long has to.
fn shows_a_bar(command: &str, out: &str) -> bool {
    let began = Instant::now();
    let text = on_a_terminal(&format!("{PROGRAM} {command} > {out}"));
    let took = began.elapsed();
    let facts = std::fs::read_to_string(out).unwrap();
    assert!(!facts.is_empty() && !facts.contains('\u{1b}'), "{command}");
    if !text.contains(BAR) {
        assert!(took < LONG, "{command}: {text:?}");
        return false;
    }
    let (_, cleared) = text.rsplit_once(CLEARED).expect("the bar is cleared");
    assert!(!cleared.contains(BAR), "{command}: {text:?}");
    true
}

#[test]
fn without_a_terminal_there_is_none() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(100_000));
    for command in commands(&scratch, &capture) {
        let arguments: Vec<_> = command.split(' ').collect();
        let ended = feed_handler(&arguments);
        assert_eq!(ended.status, 0, "{ended:?}");
        assert!(!ended.err.contains(['\u{1b}', '\r', '%']), "{ended:?}");
        assert!(!ended.out.contains('\u{1b}'), "{command}");
    }
}

/// However fast the build is, what comes slowly takes long.
#[test]
fn a_run_from_a_pipe_shows_how_much_has_come() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(2_000));
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    let slowly = format!("(head -c 30000 {capture}; sleep 1.5; tail -c +30001 {capture})");
    let text = on_a_terminal(&format!("{slowly} | {PROGRAM} run -c {config} --input -"));
    assert!(text.contains(" so far"), "{text:?}");
    // The line of a second goes above the bar, each on a line of its own.
    let (before, _) = text.split_once(" packets ").expect("the first second");
    let (_, second) = before.rsplit_once(CLEARED).expect("the bar made room");
    assert!(!second.contains("so far"), "{text:?}");
    assert!(text.contains("record digest"), "{text:?}");
}

#[test]
fn rows_on_a_terminal_or_for_a_pager_have_no_bar_between_them() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(2_000));
    for command in ["decode", "bbo"] {
        let rows = format!("{PROGRAM} {command} {capture}");
        let slowly = format!("{rows} | (sleep 1; cat)");
        for command in [rows, slowly] {
            let text = on_a_terminal(&command);
            assert!(text.lines().count() > 200, "{command}");
            assert!(!text.contains(CLEARED), "{command}");
        }
    }
}
