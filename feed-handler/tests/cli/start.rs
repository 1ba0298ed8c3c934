//! Runs that cannot start as configured: interfaces, ports, cores, priorities, captures of something else.

use crate::support::*;
use std::net::UdpSocket;
use std::process::Command;

#[test]
fn a_missing_interface_is_named_with_what_there_is() {
    let scratch = Scratch::new();
    let text = configuration("itch50", "239.1.1.1:5000", "");
    let config = scratch.file("feed.toml", text.replace("\"lo\"", "\"none0\""));
    let ended = feed_handler(&["run", "-c", &config]);
    ended.is(2, "no interface `none0`").is(2, "lo (127.0.0.1)");
}

#[test]
fn a_run_that_does_not_start_leaves_an_earlier_run_as_it_was() {
    let scratch = Scratch::new();
    let text = configuration("itch50", "239.1.1.1:5000", "");
    let config = scratch.file("feed.toml", text.replace("\"lo\"", "\"none0\""));
    let log = scratch.file("latency.hlog", "an earlier run's log");
    let dir = std::path::Path::new(&log).parent().unwrap();
    feed_handler(&["run", "-c", &config, "--out", dir.to_str().unwrap()])
        .is(2, "no interface `none0`");
    assert_eq!(
        std::fs::read_to_string(&log).unwrap(),
        "an earlier run's log"
    );
}

#[test]
fn a_port_in_use_is_said_to_be() {
    let scratch = Scratch::new();
    let owner = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = owner.local_addr().unwrap().to_string();
    for layout in ["", "layout = \"two-threads\""] {
        let text = configuration("itch50", &taken, layout).replace(", interface = \"lo\"", "");
        let config = scratch.file("feed.toml", text);
        feed_handler(&["run", "-c", &config])
            .is(1, "the port is in use")
            .is(1, &taken);
    }
}

#[test]
fn a_core_that_does_not_exist_is_named() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(100));
    let wide = scratch.file(
        "wide.toml",
        configuration("itch50", GROUP, "core = 4000000000"),
    );
    feed_handler(&["run", "-c", &wide, "--input", &capture]).is(2, "wide.toml:3:8: ");
    for (lane, core) in [
        ("core = 1023", 1023),
        (
            "layout = \"two-threads\"\nreceive_core = 1022\ndecode_core = 0",
            1022,
        ),
        (
            "layout = \"two-threads\"\nreceive_core = 0\ndecode_core = 1021",
            1021,
        ),
    ] {
        let config = scratch.file("feed.toml", configuration("itch50", GROUP, lane));
        let ended = feed_handler(&["run", "-c", &config, "--input", &capture]);
        ended.is(2, &format!("lane l: there is no core {core}"));
    }
}

/// Starts the program behind a filter that refuses one system call with EPERM, as a sandbox would.
const REFUSED: &str = r#"
import ctypes, os, struct, sys
number = {("sched_setaffinity", "x86_64"): 203, ("sched_setaffinity", "aarch64"): 122}[sys.argv[1], os.uname().machine]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in [
    (0x20, 0, 0, 0),                # load the call's number
    (0x15, 0, 1, number),           # the one?
    (0x06, 0, 0, 0x00050000 | 1),   # refuse: EPERM
    (0x06, 0, 0, 0x7fff0000)]))     # allow
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(filter))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program, 0, 0):
    sys.exit("not filtered: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[2], sys.argv[2:])
"#;

#[test]
fn no_permission_to_pin_is_said() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(100));
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, "core = 0"));
    let filtered = || {
        let mut command = Command::new("python3");
        command.args(["-c", REFUSED, "sched_setaffinity"]);
        command
    };
    let may = filtered().arg("/bin/true").output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no python3, or no system call filters here");
        return;
    }
    let arguments = [PROGRAM, "run", "-c", &config, "--input", &capture];
    let ended = run(filtered().args(arguments), b"");
    ended
        .is(1, "lane l: not permitted to run on core 0")
        .is(1, "Operation not permitted");
}

/// A process that may not raise its priority, whoever runs the tests.
#[test]
fn no_permission_to_raise_the_priority_is_said() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(100));
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, "priority = 1"));
    let arguments = ["run", "-c", &config, "--input", &capture];
    // Root keeps its rights unless they are taken from what it starts.
    let without = ["--bounding-set=-sys_nice", "prlimit", "--rtprio=0"];
    let may = Command::new("setpriv").args(without).arg("true").output();
    let ended = if may.is_ok_and(|o| o.status.success()) {
        let mut command = Command::new("setpriv");
        run(command.args(without).arg(PROGRAM).args(arguments), b"")
    } else {
        feed_handler(&arguments)
    };
    if ended.status == 0 {
        eprintln!("SKIPPED: this user may raise priorities, and the right cannot be taken away");
        return;
    }
    ended.is(
        1,
        "lane l: not permitted to use real-time priority 1: needs root",
    );
}

#[test]
fn a_capture_of_other_groups_is_refused_before_anything_runs() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(100));
    let config = scratch.file("feed.toml", configuration("itch50", "239.1.1.1:5000", ""));
    let out = scratch.path("out");
    let ended = feed_handler(&["run", "-c", &config, "--input", &capture, "--out", &out]);
    ended
        .is(2, "(239.1.1.1:5000)")
        .is(2, &format!("it has {GROUP} ("));
    assert!(!std::path::Path::new(&out).exists());
}

#[test]
fn packets_of_other_groups_are_counted() {
    let scratch = Scratch::new();
    let (whole, other) = (session(100), pcap([("239.9.9.9:9", &b"x"[..]); 3]));
    let capture = scratch.file("a.pcap", [&whole[..], &other[24..]].concat());
    for layout in ["", "layout = \"two-threads\""] {
        let config = scratch.file("feed.toml", configuration("itch50", GROUP, layout));
        let facts = run_over(&config, &capture).json();
        assert_eq!(
            (&facts["drops"]["foreign"], &facts["messages"]),
            (&3.into(), &100.into())
        );
    }
}

#[test]
fn a_capture_without_datagrams_is_no_error_and_no_silence() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", &session(20)[..24]);
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    feed_handler(&["run", "-c", &config, "--input", &capture]).is(0, "no datagram in 0 frames");
    feed_handler(&["stats", &capture]).is_quiet();
    assert_eq!(feed_handler(&["decode", &capture]).is_quiet().out, "");
}

#[test]
fn a_live_run_without_packets_ends_when_it_should() {
    let scratch = Scratch::new();
    let (config, _) = Live::configuration(&scratch, "itch50", "");
    let ended = run_briefly(&config);
    assert_eq!(
        (ended.status, &ended.json()["packets"]),
        (0, &0.into()),
        "{ended:?}"
    );
}
