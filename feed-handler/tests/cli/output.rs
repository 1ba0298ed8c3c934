//! Where outputs cannot go: full disks, places that are no folder, readers that left.

use crate::support::*;
use std::io::Read;
use std::process::{Command, Stdio};

fn input(scratch: &Scratch) -> [String; 5] {
    let capture = scratch.file("a.pcap", session(2_000));
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    ["run", "-c", &config, "--input", &capture].map(str::to_owned)
}

#[test]
fn a_run_writes_its_folder() {
    let scratch = Scratch::new();
    let out = scratch.path("out/deep");
    let ended = run(
        Command::new(PROGRAM)
            .args(input(&scratch))
            .args(["--out", &out]),
        b"",
    );
    ended.is(0, &format!("report.html to {out}"));
    let summary = std::fs::read_to_string(format!("{out}/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["messages"], 2_000);
    let digest = summary["record_digest"].as_str().unwrap();
    assert!(ended.out.contains(&format!("record digest {digest}")));
}

#[test]
fn a_folder_that_cannot_be_made_is_known_before_the_run() {
    let scratch = Scratch::new();
    let file = scratch.file("file", "");
    for out in [format!("{file}/out"), "/proc/out".to_owned(), file] {
        let ended = run(
            Command::new(PROGRAM)
                .args(input(&scratch))
                .args(["--out", &out]),
            b"",
        );
        ended.is(1, &format!("cannot write {out}"));
        assert_eq!(ended.out, "");
        feed_handler(&["demo", "--messages", "100", "--out", &out]).is(1, "cannot write");
    }
}

/// Runs the program with its `--out` on a file system of `size` bytes; `None` where none can be made.
fn on_a_small_disk(scratch: &Scratch, size: &str, arguments: &[String]) -> Option<Ended> {
    let disk = scratch.path("disk");
    std::fs::create_dir_all(&disk).unwrap();
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, PROGRAM, &disk, size]);
        command
    };
    let mount = "mount -t tmpfs -o size=\"$2\" tmpfs \"$1\"";
    let may = unshared(mount).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: this system does not let its users mount a small disk");
        return None;
    }
    let script = format!("{mount} && out=$1 && shift 2 && exec \"$0\" \"$@\" --out \"$out\"");
    Some(run(unshared(&script).args(arguments), b""))
}

#[test]
fn a_full_disk_is_a_failure_that_says_so() {
    let scratch = Scratch::new();
    let arguments = input(&scratch);
    // One page: the log fits, the report does not. The figures are printed all the same.
    if let Some(ended) = on_a_small_disk(&scratch, "4k", &arguments) {
        ended.is(1, "cannot write ").is(1, "disk is full");
        assert!(ended.out.contains("record digest"), "{ended:?}");
    }
    let demo = ["demo", "--messages", "1000"].map(str::to_owned);
    if let Some(ended) = on_a_small_disk(&scratch, "16k", &demo) {
        ended.is(1, "session.pcap: No space left on device");
    }
}

#[test]
fn facts_that_cannot_be_printed_are_a_failure() {
    let scratch = Scratch::new();
    let arguments = input(&scratch);
    let [.., capture] = &arguments;
    for arguments in [
        &["stats", capture][..],
        &["decode", capture],
        &["check", &arguments[2]],
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut command = Command::new(PROGRAM);
        let output = command.args(arguments).stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(
            err.starts_with("error: standard output: No space left"),
            "{err}"
        );
    }
}

#[test]
fn a_reader_that_left_is_no_failure() {
    let scratch = Scratch::new();
    let arguments = input(&scratch);
    let [.., capture] = &arguments;
    let run: Vec<_> = arguments.iter().map(String::as_str).collect();
    for (arguments, bytes) in [
        (&["decode", capture][..], 1),
        (&["decode", capture, "--strict"], 0),
        (&["stats", capture], 0),
        (&["check", &arguments[2]], 0),
        (&["--help"], 0),
        (&run, 0),
    ] {
        let mut command = Command::new(PROGRAM);
        let piped = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut vec![0; bytes]).unwrap();
        drop(out);
        let status = wait(&mut child);
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        // A run says how far it is once a second.
        err = err
            .lines()
            .filter(|line| !line.contains(" packets "))
            .collect();
        assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}");
    }
}
