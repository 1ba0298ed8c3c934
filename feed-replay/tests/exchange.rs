//! The exchange as a program: over 127.0.0.1, and to multicast in a network namespace of its own.

use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

/// A configuration in a file of its own.
struct Config(PathBuf);

impl Config {
    fn new(name: &str, text: &str) -> Config {
        let path =
            std::env::temp_dir().join(format!("feed-replay-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Config(path)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feed-replay"));
        command.args(["exchange", "-c"]).arg(&self.0).args(more);
        command
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn socket(ip: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((ip, port)).unwrap();
    if ip.is_multicast() {
        socket.join_multicast_v4(&ip, &Ipv4Addr::LOCALHOST).unwrap();
    }
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket
}

/// Receives MoldUDP64 until the end of session: the sequence numbers, and how many heartbeats.
fn receive(socket: &UdpSocket) -> (BTreeSet<u64>, u64) {
    let (mut numbers, mut heartbeats, mut buffer) = (BTreeSet::new(), 0, [0; 2048]);
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        assert!(length >= 20);
        let sequence = u64::from_be_bytes(buffer[10..18].try_into().unwrap());
        match u16::from_be_bytes([buffer[18], buffer[19]]) {
            0xffff => return (numbers, heartbeats),
            0 => heartbeats += 1,
            count => numbers.extend(sequence..sequence + u64::from(count)),
        }
    }
}

fn config(groups: [String; 2]) -> String {
    let [a, b] = groups;
    format!(
        "seed = 5\n[session]\nprotocol = \"itch50\"\nmessages = 2_000\nrate = 5_000\nlead = \"300ms\"\n\
         heartbeat = \"20ms\"\ngrace = \"300ms\"\n\
         [[line]]\nname = \"A\"\ngroup = \"{a}\"\ninterface = \"lo\"\nfaults = \"loss=10%\"\n\
         [[line]]\nname = \"B\"\ngroup = \"{b}\"\ninterface = \"lo\"\nfaults = \"loss=10% skew=1ms\"\n\
         [[server]]\nkind = \"moldudp64\"\naddress = \"127.0.0.1:0\"\n"
    )
}

/// Plays it to two sockets and holds what came against what the program says it lost.
fn plays_what_it_says(sockets: [UdpSocket; 2]) {
    let groups = sockets
        .each_ref()
        .map(|s| s.local_addr().unwrap().to_string());
    let config = Config::new("plays", &config(groups));
    let (report, [a, b]) = std::thread::scope(|scope| {
        let lines = sockets
            .each_ref()
            .map(|socket| scope.spawn(|| receive(socket)));
        let report = json(&config.command(&["--format", "json"]).output().unwrap());
        (report, lines.map(|line| line.join().unwrap()))
    });
    assert_eq!(report["messages"], 2_000);
    assert_eq!(report["stopped"], false);
    for (i, (numbers, heartbeats)) in [&a, &b].into_iter().enumerate() {
        let lost = report["lines"][i]["messages_lost"].as_u64().unwrap();
        assert!(lost > 50);
        assert_eq!(numbers.len() as u64, 2_000 - lost);
        // Fifteen before the session, of which a few are lost, and more in its pauses.
        assert!(*heartbeats > 5 && *heartbeats <= report["heartbeats"].as_u64().unwrap());
    }
    let missing: Vec<u64> = (1..2_001)
        .filter(|n| !a.0.contains(n) && !b.0.contains(n))
        .collect();
    assert_eq!(report["lost_by_all"]["messages"], missing.len());
    let holes = report["lost_by_all"]["first_holes"].as_array().unwrap();
    assert_eq!(report["lost_by_all"]["holes"], holes.len());
    let listed = holes
        .iter()
        .flat_map(|hole| hole[0].as_u64().unwrap()..=hole[1].as_u64().unwrap());
    assert!(listed.eq(missing));
    assert_eq!(report["servers"][0]["requests"], 0);
    assert!(report["duration_ns"].as_u64().unwrap() > 600_000_000);
}

#[test]
fn over_loopback_the_lines_bring_all_but_what_the_report_says() {
    plays_what_it_says([0, 0].map(|port| socket(Ipv4Addr::LOCALHOST, port)));
}

/// Set for the half of the multicast test that runs inside a network namespace.
const INSIDE: &str = "FEED_REPLAY_TEST_INSIDE";

/// Runs itself again in a network namespace of its own, where multicast reaches nobody else.
#[test]
fn multicast_brings_the_same() {
    if std::env::var_os(INSIDE).is_some() {
        let groups = [Ipv4Addr::new(239, 20, 0, 1), Ipv4Addr::new(239, 20, 0, 2)];
        return plays_what_it_says(groups.map(|group| socket(group, 7_002)));
    }
    let may = Command::new("unshare").args(["-rn", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: this system does not let its users make network namespaces");
        return;
    }
    let script = "ip link set lo up && exec \"$0\" --exact multicast_brings_the_same";
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    let good = config(["127.0.0.1:5000".into(), "127.0.0.1:5001".into()]);
    let run = |name: &str, text: &str, more: &[&str]| {
        let config = Config::new(name, text);
        (
            config.0.display().to_string(),
            config.command(more).output().unwrap(),
        )
    };
    let (path, output) = run(
        "wrong",
        &good.replace("loss=10% skew", "lost=10% skew"),
        &[],
    );
    assert_eq!(output.status.code(), Some(2));
    let expected =
        format!("error: {path}:18:11: found \"lost=10%\", expected a fault of a line: loss, burst");
    assert!(
        text(&output.stderr).starts_with(&expected),
        "{}",
        text(&output.stderr)
    );
    assert!(output.stdout.is_empty());
    let (path, output) = run("good", &good, &["--check"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), format!("{path}: in order\n"))
    );
    let capture = "[session]\ncapture = \"/no/such/file\"\n[[line]]\nname = \"A\"\ngroup = \"127.0.0.1:5\"\ninterface = \"lo\"\n";
    let (_, output) = run("capture", capture, &["--check"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("/no/such/file"));
    let missing = Command::new(env!("CARGO_BIN_EXE_feed-replay"))
        .args(["exchange", "-c", "/no/such.toml"])
        .output()
        .unwrap();
    assert!(missing.status.code() == Some(2) && text(&missing.stderr).contains("cannot be read"));
}
