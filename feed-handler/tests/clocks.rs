//! Stamps of other clocks than the time-stamp counter, end to end: who stamps packets, what is refused, and how long packets
//! were on their way from the exchange.
//!
//! All of it runs in a network namespace that this test makes for itself, so nothing can get out. A namespace can only
//! be entered while one thread runs, so this test has its own `main`. Where the system allows none it says so and
//! passes.

mod harness;
// Each test program uses its part of this.
#[allow(dead_code)]
#[path = "harness/scratch.rs"]
mod scratch;
mod sessions;

use feed_common::latency::{Resolution, Stage, StageSet};
use feed_common::time::UnixNanos;
use feed_common::wire::iextp::SegmentBuilder;
use feed_handler::config::{Plan, Timestamps};
use feed_handler::net::{Interface, interfaces};
use feed_handler::run::{Handler, Input, Outcome};
use feed_replay::synth::Protocol;
use scratch::Scratch;
use serde_json::Value;
use sessions::{Faults, Feed, LAYOUTS, from_file, pcap, plan};
use std::net::UdpSocket;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

const TESTS: &[harness::Test] = &[
    (
        "the_setting_decides_who_stamps",
        the_setting_decides_who_stamps,
    ),
    (
        "stamps_that_are_not_there_are_refused",
        stamps_that_are_not_there_are_refused,
    ),
    (
        "from_a_file_the_send_time_is_compared_with_the_capture",
        from_a_file_the_send_time_is_compared_with_the_capture,
    ),
    (
        "what_crosses_clocks_has_a_table_of_its_own",
        what_crosses_clocks_has_a_table_of_its_own,
    ),
];

const NO_CARD: &str = "lo: the card can stamp no received packets";

fn main() {
    harness::run("clocks", TESTS);
}

/// A plan of one unicast line, which needs no group.
fn unicast(protocol: Protocol, timestamps: Timestamps) -> Plan {
    let mut plan = plan(protocol, LAYOUTS[0]);
    plan.lanes[0].timestamps = timestamps;
    let channel = &mut plan.lanes[0].channels[0];
    channel.lines.truncate(1);
    channel.lines[0].address.group = "127.0.0.1:26461".parse().unwrap();
    channel.lines[0].address.interface = None;
    plan
}

/// Runs a plan while heartbeats of an IEX session are sent to it, each with the time it is sent less `late`.
fn with_heartbeats(plan: &Plan, packets: u64, late: i64) -> Outcome {
    let handler = Handler::start(plan, &Input::Live).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let group = plan.lanes[0].channels[0].lines[0].address.group;
    let mut segments = SegmentBuilder::new(0x8004, 1, 1_400);
    for _ in 0..packets {
        let sent = UnixNanos::now().0.saturating_add_signed(-late);
        sender.send_to(segments.segment(sent), group).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while handler.reading().packets < packets && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    let outcome = handler.finish();
    assert_eq!(outcome.lanes[0].packets, packets);
    outcome
}

/// Values of a stage, and those that were negative.
fn counts(outcome: &Outcome, stage: Stage) -> (u64, u64) {
    let set = &outcome.last;
    (set.histogram(stage).unwrap().len(), set.backwards(stage))
}

fn fact<'o>(outcome: &'o Outcome, name: &str) -> &'o str {
    let found = outcome.facts.iter().find(|(n, _)| n == name);
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

fn the_setting_decides_who_stamps() {
    const PACKETS: u64 = 200;
    let auto = format!("auto: the kernel, not the card: {NO_CARD}");
    for (timestamps, said) in [
        (Timestamps::Auto, auto.as_str()),
        (Timestamps::Kernel, "kernel: the kernel"),
        (
            Timestamps::User,
            "user: nobody, so there are no figures of receive",
        ),
    ] {
        for threads in LAYOUTS {
            let mut plan = unicast(Protocol::IexDeep, timestamps);
            plan.lanes[0].threads = threads;
            let outcome = with_heartbeats(&plan, PACKETS, 0);
            assert_eq!(fact(&outcome, "timestamps session/A"), said);
            let (received, backwards) = counts(&outcome, Stage::Receive);
            let stamped = if timestamps == Timestamps::User {
                0
            } else {
                PACKETS
            };
            assert_eq!(received + backwards, stamped, "{timestamps:?}, {threads}");
            assert!(backwards <= stamped / 10, "{backwards} negative");
            // The send time is in the packet, whoever stamps.
            let (sent, backwards) = counts(&outcome, Stage::Exchange);
            assert_eq!(sent + backwards, PACKETS, "{timestamps:?}, {threads}");
            assert!(backwards <= PACKETS / 10, "{backwards} negative");
            assert_eq!(counts(&outcome, Stage::Card), (0, 0));
        }
    }
    // An exchange whose clock is ahead, and one whose clock is behind.
    let plan = unicast(Protocol::IexDeep, Timestamps::User);
    let ahead = with_heartbeats(&plan, PACKETS, -5_000_000_000);
    assert_eq!(counts(&ahead, Stage::Exchange), (0, PACKETS));
    let behind = with_heartbeats(&plan, PACKETS, 3_000_000_000);
    assert_eq!(counts(&behind, Stage::Exchange), (PACKETS, 0));
    let least = behind.last.histogram(Stage::Exchange).unwrap().min();
    assert!((2_900_000_000..5_000_000_000).contains(&least), "{least}");
}

fn stamps_that_are_not_there_are_refused() {
    let scratch = Scratch::new();
    let run = |interface: &str, group: &str| {
        let config = scratch.0.join("feed.toml");
        let text = format!(
            "[[lane]]\nname = \"l\"\ntimestamps = \"hardware\"\n[[channel]]\nname = \"c\"\nprotocol = \"itch50\"\n\
             lane = \"l\"\nlines = [{{ name = \"A\", group = \"{group}\"{interface} }}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let out = program(&["run", "-c", config.to_str().unwrap(), "--duration", "1s"]);
        let checked = program(&["check", config.to_str().unwrap()]);
        let checked = String::from_utf8(checked.stdout).unwrap();
        assert!(checked.contains("timestamps hardware)"), "{checked}");
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    let expect = |interface: &str, group: &str, named: &str| {
        let (status, said) = run(interface, group);
        assert_eq!(status, Some(2), "{said}");
        for part in [
            group,
            "timestamps = \"hardware\" cannot be had",
            &format!("{named}: the card can stamp no received packets"),
            "`timestamps = \"auto\"` takes the best there is",
        ] {
            assert!(said.contains(part), "no `{part}` in {said}");
        }
    };
    expect(", interface = \"lo\"", "239.192.60.9:26462", "lo");
    expect("", "127.0.0.3:26462", "lo");
    if !veth() {
        println!("  SKIPPED: no second interface can be made here");
        return;
    }
    expect(", interface = \"lab0\"", "239.192.60.9:26462", "lab0");
    let mut plan = unicast(Protocol::Itch50, Timestamps::Auto);
    let address = &mut plan.lanes[0].channels[0].lines[0].address;
    address.group = "239.192.60.9:26462".parse().unwrap();
    address.interface = Some(Interface::Name("lab0".into()));
    let outcome = Handler::start(&plan, &Input::Live).unwrap().finish();
    let said = fact(&outcome, "timestamps session/A");
    assert!(
        said.starts_with("auto: the kernel") && said.contains("lab0"),
        "{said}"
    );
}

/// Makes `lab0`, up; false where `ip` may not or is missing.
fn veth() -> bool {
    let ip = |arguments: &str| {
        let ip = Command::new("ip").args(arguments.split(' ')).output();
        ip.is_ok_and(|o| o.status.success())
    };
    ip("link add lab0 type veth peer name lab1")
        && ip("address add 10.9.9.1/24 dev lab0")
        && ip("link set lab0 up")
        && interfaces().unwrap().iter().any(|i| i.name == "lab0")
}

fn program(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-handler"));
    command.args(arguments).output().unwrap()
}

/// The send time of a packet, read at its place in the exchange's own sheet.
fn sent(protocol: Protocol, packet: &[u8]) -> Option<u64> {
    let number = |at: usize, len: usize| {
        let bytes = packet[at..at + len].iter().rev();
        bytes.fold(0u64, |n, byte| n << 8 | u64::from(*byte))
    };
    match protocol.name().name() {
        "iex" => Some(number(32, 8)),
        "mdp3" => Some(number(4, 8)),
        "pillar" => Some(number(8, 4) * 1_000_000_000 + number(12, 4)),
        // Only their messages have times.
        "itch50" | "pitch" | "memoir" => None,
        other => panic!("{other}"),
    }
}

fn from_a_file_the_send_time_is_compared_with_the_capture() {
    let faults = Faults {
        per_line: 100,
        skew: 7_000,
        ..Faults::default()
    };
    for protocol in sessions::everything().filter(|p| p.name().name() != "native") {
        let feed = Feed::new(protocol, 4_000, 9, faults);
        // A capturing machine whose clock wanders around the exchange's.
        let off = |i: usize| (i * 7_919 % 40_001) as i64 - 10_000;
        let at = |i, time: UnixNanos| UnixNanos(time.0.saturating_add_signed(off(i)));
        let carried = || feed.carried().enumerate();
        let captured = pcap(carried().map(|(i, (time, line, packet))| (at(i, time), line, packet)));
        for threads in LAYOUTS {
            let plan = plan(protocol, threads);
            let outcome = from_file(&plan, captured.clone());
            let resolution = Resolution::new(10_000_000_000, plan.latency.digits).unwrap();
            let (mut want, mut negative) = (StageSet::new(resolution), 0);
            for (i, (time, _, packet)) in carried() {
                match sent(protocol, packet).map(|sent| at(i, time).0.checked_sub(sent)) {
                    Some(Some(nanos)) => want.record(Stage::Exchange, nanos),
                    Some(None) => negative += 1,
                    None => {}
                }
            }
            let what = format!("{protocol:?}, {threads}");
            let got = outcome.last.histogram(Stage::Exchange).unwrap();
            assert_eq!(
                Some(&got),
                want.histogram(Stage::Exchange).as_ref(),
                "{what}"
            );
            assert_eq!(outcome.last.backwards(Stage::Exchange), negative, "{what}");
            let has_times = sent(protocol, &[0; 64]).is_some();
            assert_eq!(has_times, !got.is_empty() && negative > 0, "{what}");
            assert_eq!(counts(&outcome, Stage::Receive), (0, 0), "{what}");
        }
    }
}

fn what_crosses_clocks_has_a_table_of_its_own() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.0.join(name).to_str().unwrap().to_owned();
    let feed = Feed::new(Protocol::IexDeep, 2_000, 3, Faults::default());
    std::fs::write(path("a.pcap"), feed.capture()).unwrap();
    let lines = [("A", sessions::GROUPS[0]), ("B", sessions::GROUPS[1])];
    let lines = lines.map(|(name, group)| {
        format!("{{ name = \"{name}\", group = \"{group}\", interface = \"lo\" }}")
    });
    let config = format!(
        "[[lane]]\nname = \"l\"\n[[channel]]\nname = \"c\"\nprotocol = \"iex\"\nlane = \"l\"\nlines = [{}]\n",
        lines.join(", ")
    );
    std::fs::write(path("feed.toml"), config).unwrap();
    let run = |more: &[&str], dir: &str| -> (String, Value) {
        let (config, out) = (path("feed.toml"), path(dir));
        let arguments = [&["run", "-c", &config, "--out", &out], more].concat();
        let ended = program(&arguments);
        assert!(ended.status.success(), "{ended:?}");
        let summary = std::fs::read_to_string(format!("{out}/summary.json")).unwrap();
        (
            String::from_utf8(ended.stdout).unwrap(),
            serde_json::from_str(&summary).unwrap(),
        )
    };
    let (printed, summary) = run(&["--input", &path("a.pcap")], "file");
    let table = printed.find("Stages that cross clocks").expect(&printed);
    let main = &printed[printed.find("Latency").unwrap()..table];
    assert!(main.contains("\n  decoded ") && !main.contains("\n  exchange "));
    let packets = summary["packets"].as_u64().unwrap();
    assert_eq!(summary["latency"]["exchange"]["count"], packets);
    let crossing = &summary["clocks"]["stages"]["exchange"];
    assert_eq!(crossing["from"], "exchange, in the packet");
    assert_eq!(crossing["to"], "capture's stamp");
    assert_eq!(crossing["backwards"], 0);
    // No tick is in it.
    assert_eq!(summary["clocks"]["lines"].as_array().unwrap().len(), 0);
    // Live, with nothing sent: the line between the clocks is there all the same.
    let (printed, summary) = run(&["--duration", "500ms"], "live");
    assert!(printed.contains("Lines between the clocks"), "{printed}");
    let line = &summary["clocks"]["lines"][0];
    assert_eq!(line["clock"], "UTC of this machine");
    let now = UnixNanos::now().0;
    assert!((1..now).contains(&line["offset_ns"].as_u64().unwrap()));
    assert!(line["pairs"].as_u64().unwrap() >= 3 && line["drift_ppm"].is_f64());
    let stamped = summary["run"]["timestamps c/A"].as_str().unwrap();
    assert_eq!(
        stamped,
        format!("auto: the kernel, not the card: {NO_CARD}")
    );
}
