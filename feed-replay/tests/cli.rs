//! The program as its users meet it: files, facts, exit statuses, and packets on a network of the test's own.

use feed_common::capture::{CaptureFile, Datagrams};
use serde_json::Value;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("feed-replay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn feed_replay(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_feed-replay"))
        .args(arguments)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn generate(file: &str, messages: &str, more: &[&str]) -> Value {
    let mut arguments = vec![
        "generate",
        "--protocol",
        "itch50",
        "--messages",
        messages,
        "--seed",
        "7",
    ];
    arguments.extend(["-o", file, "--format", "json"]);
    arguments.extend(more);
    json(&feed_replay(&arguments))
}

#[test]
fn generate_then_info_agree() {
    let scratch = Scratch::new("info");
    let (a, b) = (scratch.path("a.pcap"), scratch.path("b.pcap"));
    let made = generate(&a, "5000", &[]);
    assert_eq!(made, generate(&b, "5000", &[]));
    assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());

    let info = json(&feed_replay(&["info", &a, "--format", "json"]));
    assert_eq!(made["messages"], 5000);
    for fact in ["packets", "bytes"] {
        assert_eq!(info[fact], made[fact]);
    }
    assert_eq!(
        (&info["frames"], &info["cut"]),
        (&made["packets"], &Value::Null)
    );
    assert_eq!(info["streams"][0]["group"], "239.192.50.1:26477");
    assert_eq!(info["streams"].as_array().unwrap().len(), 1);
    let text = String::from_utf8(feed_replay(&["info", &a]).stdout).unwrap();
    assert!(
        text.contains("239.192.50.1:26477") && text.contains("2026-11-20T14:"),
        "{text}"
    );
}

#[test]
fn binaryfile_holds_the_same_messages() {
    let scratch = Scratch::new("binaryfile");
    let (pcap, binary) = (scratch.path("a.pcap"), scratch.path("a.bin"));
    let as_packets = generate(&pcap, "3000", &["--group", "239.5.5.5:5555"]);
    let as_messages = generate(&binary, "3000", &["--framing", "binaryfile"]);
    assert_eq!(as_packets["by_type"], as_messages["by_type"]);
    assert_eq!(as_messages["packets"], 0);
    assert_eq!(
        json(&feed_replay(&["info", &binary, "--format", "json"]))["messages"],
        3000
    );

    let capture = CaptureFile::open(&pcap).unwrap();
    let mut messages = Vec::new();
    for datagram in Datagrams::new(&capture) {
        assert_eq!(datagram.dst.unwrap().to_string(), "239.5.5.5:5555");
        messages.extend(&datagram.payload[20..]); // blocks have the same lengths before them
    }
    messages.extend([0, 0]);
    assert!(messages == std::fs::read(&binary).unwrap());
}

#[test]
fn a_file_cut_short_is_a_warning_with_its_offset() {
    let scratch = Scratch::new("cut");
    let (whole, cut) = (scratch.path("whole.pcap"), scratch.path("cut.pcap"));
    let made = generate(&whole, "1000", &[]);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    let output = feed_replay(&["info", &cut, "--format", "json"]);
    let info = json(&output);
    assert_eq!(
        info["packets"].as_u64(),
        made["packets"].as_u64().map(|n| n - 1)
    );
    // The last record is the end of session: 16 bytes of record header, 42 of frame headers, 20 of payload.
    let offset = bytes.len() - 78;
    assert_eq!(info["cut"]["offset"], offset);
    assert!(
        stderr(&output).starts_with("warning:") && stderr(&output).contains(&offset.to_string())
    );
}

#[test]
fn exit_statuses_tell_usage_from_failure() {
    let scratch = Scratch::new("status");
    let (text, pcap, binary) = (
        scratch.path("a.txt"),
        scratch.path("a.pcap"),
        scratch.path("a.bin"),
    );
    std::fs::write(&text, "not a capture\n").unwrap();
    generate(&pcap, "100", &[]);
    generate(&binary, "100", &["--framing", "binaryfile"]);
    let make = |more: &[&'static str]| -> Vec<String> {
        let base = [
            "generate",
            "--protocol",
            "itch50",
            "--messages",
            "100",
            "--seed",
            "1",
        ];
        base.iter().chain(more).map(|s| (*s).to_owned()).collect()
    };
    let send = |file: &str, more: &[&str]| -> Vec<String> {
        ["send", file]
            .iter()
            .chain(more)
            .map(|s| (*s).to_owned())
            .collect()
    };
    let missing = scratch.path("missing.pcap");
    for (status, arguments, said) in [
        (1, make(&["-o", "/dev/full"]), "/dev/full: No space left"),
        (
            1,
            make(&["-o", "/nonexistent/x.pcap"]),
            "/nonexistent/x.pcap: No such file",
        ),
        (2, make(&["-o", "x", "--rate", "0"]), "--rate"),
        (2, make(&["-o", "x", "--date", "2026-02-30"]), "2026-02-30"),
        (
            2,
            make(&["-o", "x", "--group", "10.0.0.1:5000"]),
            "not a multicast group",
        ),
        (
            2,
            vec!["generate".into(), "--protocol".into(), "morse".into()],
            "morse",
        ),
        (2, vec!["info".into(), text.clone()], "a.txt"),
        (2, vec!["info".into(), missing.clone()], "missing.pcap"),
        (2, vec!["juggle".into()], "juggle"),
        (2, send(&pcap, &["--group", "239.1.1.1:5000"]), "--iface"),
        (
            2,
            send(&pcap, &["--group", "239.1.1.1:5000", "--iface", "none0"]),
            "none0",
        ),
        (
            2,
            send(&pcap, &["--group", "10.1.1.1:5000", "--iface", "lo"]),
            "10.1.1.1:5000",
        ),
        (
            2,
            send(
                &pcap,
                &["--group", "127.0.0.1:9", "--iface", "lo", "--speed=0"],
            ),
            "--speed",
        ),
        (
            2,
            send(
                &pcap,
                &["--map", "239.7.7.7:7=127.0.0.1:9", "--iface", "lo"],
            ),
            "239.7.7.7:7",
        ),
        (
            2,
            send(&binary, &["--group", "127.0.0.1:9", "--iface", "lo"]),
            "no packets",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_feed-replay"))
            .args(&arguments)
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(said),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn what_is_no_capture_is_named() {
    let scratch = Scratch::new("foreign");
    let file = scratch.path("file");
    for (bytes, said) in [
        (&b""[..], "an empty file is not readable"),
        (b"symbol,price\n", "a text file is not readable"),
        (
            b"\x0A\x0D\x0D\x0A\x1C\0\0\0",
            "a pcapng file is not readable",
        ),
        (b"\x1F\x8B\x08\0", "a gzip file is not readable"),
        (
            b"\x4D\x3C\xB2\xA1\x02",
            "header is incomplete (5 of 24 bytes)",
        ),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let send = ["send", &file, "--group", "127.0.0.1:9", "--iface", "lo"];
        for arguments in [&["info", &file][..], &send] {
            let output = feed_replay(arguments);
            assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
            assert!(stderr(&output).starts_with("error: ") && stderr(&output).contains(said));
        }
    }
    let directory = feed_replay(&["info", &scratch.path("")]);
    assert_eq!(directory.status.code(), Some(2));
    assert!(stderr(&directory).contains("Is a directory"));
}

#[test]
fn strict_makes_a_cut_fatal_and_sends_nothing() {
    let scratch = Scratch::new("strict");
    let (whole, cut) = (scratch.path("whole.pcap"), scratch.path("cut.pcap"));
    generate(&whole, "200", &[]);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(
        feed_replay(&["info", &whole, "--strict"]).status.code(),
        Some(0)
    );
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let target = socket.local_addr().unwrap().to_string();
    let send = [
        "send", &cut, "--group", &target, "--iface", "lo", "--speed", "max",
    ];
    for arguments in [
        &["info", &cut, "--strict"][..],
        &[&send[..], &["--strict"]].concat(),
    ] {
        let output = feed_replay(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("cut short: the record at byte"));
    }
    assert!(socket.recv(&mut [0; 2048]).is_err(), "nothing was sent");
    let output = feed_replay(&send);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).starts_with("warning: "));
    assert!(socket.recv(&mut [0; 2048]).is_ok());
}

#[test]
fn a_capture_without_packets_is_told_and_not_sent() {
    let scratch = Scratch::new("header");
    let (whole, header) = (scratch.path("whole.pcap"), scratch.path("header.pcap"));
    generate(&whole, "200", &[]);
    std::fs::write(&header, &std::fs::read(&whole).unwrap()[..24]).unwrap();
    let info = json(&feed_replay(&["info", &header, "--format", "json"]));
    assert_eq!(
        (&info["packets"], &info["first"]),
        (&0.into(), &Value::Null)
    );
    let send = feed_replay(&["send", &header, "--group", "127.0.0.1:9", "--iface", "lo"]);
    assert_eq!(send.status.code(), Some(2));
    assert!(
        stderr(&send).contains("no UDP packets"),
        "{}",
        stderr(&send)
    );
}

#[test]
fn huge_counts_are_refused_before_a_file_is_touched() {
    let scratch = Scratch::new("huge");
    let file = scratch.path("a.pcap");
    std::fs::write(&file, "kept").unwrap();
    for (messages, said) in [
        ("18446744073709551615", "trading day"),
        ("18446744073709551616", "--messages"),
        ("-1", "--messages"),
    ] {
        let messages = format!("--messages={messages}");
        let output = feed_replay(&[
            "generate",
            "--protocol",
            "itch50",
            &messages,
            "--seed",
            "1",
            "-o",
            &file,
        ]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn a_reader_that_left_is_no_failure() {
    let scratch = Scratch::new("pipe");
    let pcap = scratch.path("a.pcap");
    generate(&pcap, "200", &[]);
    for arguments in [&["info", &pcap][..], &["--help"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_feed-replay"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(0), "")
        );
    }
}

#[test]
fn every_help_has_an_example() {
    for command in ["send", "generate", "info"] {
        let help = String::from_utf8(feed_replay(&[command, "--help"]).stdout).unwrap();
        assert!(
            help.contains("Example") && help.contains(&format!("feed-replay {command} ")),
            "{help}"
        );
    }
}

#[test]
fn send_repeats_a_capture_over_loopback() {
    let scratch = Scratch::new("loop");
    let pcap = scratch.path("a.pcap");
    // Twice this waits in the socket: what an ordinary receive buffer holds.
    let made = generate(&pcap, "250", &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let target = socket.local_addr().unwrap().to_string();
    let arguments = [
        "send", &pcap, "--group", &target, "--iface", "lo", "--speed", "max", "--loop", "2",
    ];
    let report = json(&feed_replay(
        &[&arguments[..], &["--format", "json"]].concat(),
    ));
    assert_eq!(
        report["packets"].as_u64(),
        made["packets"].as_u64().map(|n| 2 * n)
    );
    assert_eq!(
        (&report["unsent"], &report["schedule_error_ns"]),
        (&0.into(), &Value::Null)
    );

    let capture = CaptureFile::open(&pcap).unwrap();
    let mut buffer = [0; 2048];
    for _ in 0..2 {
        for datagram in Datagrams::new(&capture) {
            let n = socket.recv(&mut buffer).unwrap();
            assert!(buffer[..n] == *datagram.payload);
        }
    }
}

#[test]
fn an_interrupted_replay_still_reports() {
    let scratch = Scratch::new("interrupt");
    let pcap = scratch.path("a.pcap");
    generate(&pcap, "500", &[]);
    // At a hundredth of its speed the session takes minutes.
    let child = Command::new(env!("CARGO_BIN_EXE_feed-replay"))
        .args([
            "send",
            &pcap,
            "--group",
            "127.0.0.1:9",
            "--iface",
            "lo",
            "--speed",
            "0.01",
            "--format",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Long enough to have begun; a signal before the flag is registered would end it without a report.
    std::thread::sleep(Duration::from_secs(2));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let report = json(&child.wait_with_output().unwrap());
    assert_eq!(report["stopped"], true);
    assert!(report["packets"].as_u64().unwrap() > 0);
}

/// Set for the half of the multicast test that runs inside a network namespace.
const INSIDE: &str = "FEED_REPLAY_TEST_INSIDE";

/// Runs itself again in a network namespace of its own, where multicast reaches nobody else.
#[test]
fn send_maps_groups_to_multicast_on_schedule() {
    if std::env::var_os(INSIDE).is_some() {
        return multicast_inside();
    }
    let may = Command::new("unshare").args(["-rn", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: this system does not let its users make network namespaces");
        return;
    }
    let output = Command::new("unshare")
        .args([
            "-rn",
            "sh",
            "-c",
            "ip link set lo up && exec \"$0\" --exact send_maps_groups_to_multicast_on_schedule",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(&output)
    );
}

fn multicast_inside() {
    let scratch = Scratch::new("multicast");
    let pcap = scratch.path("a.pcap");
    let made = generate(&pcap, "400", &["--group", "239.10.0.1:7001"]);
    let group = Ipv4Addr::new(239, 20, 0, 1);
    let socket = UdpSocket::bind((group, 7002)).unwrap();
    socket
        .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let report = json(&feed_replay(&[
        "send",
        &pcap,
        "--map",
        "239.10.0.1:7001=239.20.0.1:7002",
        "--iface",
        "lo",
        "--speed",
        "10",
        "--source-port",
        "7100",
        "--format",
        "json",
    ]));
    assert_eq!(
        (&report["packets"], &report["unmapped"]),
        (&made["packets"], &0.into())
    );

    let capture = CaptureFile::open(&pcap).unwrap();
    let times: Vec<_> = Datagrams::new(&capture).map(|d| d.time).collect();
    let span = (*times.last().unwrap() - times[0]) as u64;
    assert!(
        report["duration_ns"].as_u64().unwrap() >= span / 10,
        "{report}"
    );
    let late = &report["schedule_error_ns"];
    assert!(late["p50"].as_u64().unwrap() <= late["max"].as_u64().unwrap());
    // A tenth of a second is far more than a busy machine needs, and far less than a drift over the session.
    assert!(late["end"].as_u64().unwrap() < 100_000_000, "{report}");

    let mut buffer = [0; 2048];
    for datagram in Datagrams::new(&capture) {
        let (n, from) = socket.recv_from(&mut buffer).unwrap();
        assert!(buffer[..n] == *datagram.payload);
        assert_eq!(from.port(), 7100);
    }
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    assert!(socket.recv(&mut buffer).is_err(), "nothing comes twice");
}
