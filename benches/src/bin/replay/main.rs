//! How fast and how punctually captures are sent, beside tcpreplay.
//!
//! Two network namespaces joined by a pair of veth devices: in one a receiver drains a group, in the other each way of
//! sending takes its turn, round after round, so that what the machine does besides hits all of them. Figures are medians
//! over the rounds; a ratio is the median of the rounds' ratios. Runs on a schedule are shorter than a second, so that
//! under a real-time priority (`chrt -f 50`) the system does not take the core away in the middle of one.
//!
//! ```text
//! cargo run --release -p benches --bin replay -- [--json] [--rounds N] [CAPTURE]
//! ```
//!
//! Where the receiver listens, the receiving half of the kernel's work is done on the sender's core and is most of what
//! is measured, as always over veth; where nobody has joined the group it ends early, as it does for a sender on a real
//! network. The made packets on a schedule are about 40,000 a second, four fifths of them in bursts of 64 with 1.5 µs
//! and more between them (the median gap of the whole is 3.6 µs); CAPTURE, of which the busiest 0.8 s are sent, takes
//! their place. Needs `ip`, `unshare` and `taskset`; tcpreplay is left out where it is not installed.

mod cable;
mod captures;
mod runs;

use cable::{Receiver, receive};
use captures::{Scratch, bursts, evenly, excerpt, session};
use feed_common::capture::CaptureFile;
use feed_common::sys::pin_current_thread;
use feed_replay::info::Survey;
use feed_replay::schedule::Speed;
use feed_replay::send::{SendReport, SocketChoice, SocketKind};
use runs::{Run, ours, theirs};
use serde_json::{Value, json};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

type Failed = Box<dyn Error>;

const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 77, 0, 1), 26_477);
/// A group that nobody joins.
const UNHEARD: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 77, 0, 2), 26_477);
const SENDER_CORE: &str = "1";
/// Packets of a run flat out.
const FLAT_OUT: u64 = 120_000;
/// A run on a schedule.
const SCHEDULED: Duration = Duration::from_millis(800);
/// No round is begun after this.
const LATEST: Duration = Duration::from_secs(70);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("receive") => receive(),
        Some("inside") => inside(&arguments[1..]),
        _ => outside(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(e) => {
            eprintln!("replay: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this again in a network namespace, out of which no packet can get.
fn outside(arguments: &[String]) -> Result<ExitCode, Failed> {
    let status = Command::new("unshare")
        .arg("-rn")
        .arg(std::env::current_exe()?)
        .arg("inside")
        .args(arguments)
        .status()?;
    Ok(ExitCode::from(status.code().map_or(1, |code| code as u8)))
}

fn inside(arguments: &[String]) -> Result<ExitCode, Failed> {
    let (mut as_json, mut rounds, mut capture) = (false, 5, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--rounds" => rounds = arguments.next().ok_or("--rounds needs a number")?.parse()?,
            file => capture = Some(PathBuf::from(file)),
        }
    }
    let scratch = Scratch::new()?;
    let receiver = Receiver::start()?;
    pin_current_thread(SENDER_CORE.parse()?)?;
    let mut bench = Bench {
        receiver,
        tcpreplay: Command::new("tcpreplay").arg("-V").output().is_ok(),
        begin: Instant::now(),
        rounds,
        rows: Vec::new(),
    };
    if !bench.tcpreplay {
        eprintln!("left out: tcpreplay, which is not installed");
    }
    let file = scratch.file("capture.pcap");
    evenly(&file, GROUP, 1_000, FLAT_OUT)?;
    bench.flat_out("64-byte payloads", &file)?;
    session(&file, FLAT_OUT)?;
    bench.flat_out("session sizes", &file)?;
    evenly(&file, UNHEARD, 1_000, FLAT_OUT)?;
    bench.flat_out("64-byte payloads, nobody listens", &file)?;
    let name = match &capture {
        Some(capture) => {
            excerpt(capture, &file)?;
            "busiest part of the capture"
        }
        None => {
            bursts(&file)?;
            "40k/s, in bursts"
        }
    };
    bench.on_schedule(name, &file)?;
    evenly(&file, GROUP, 1_000_000, 900)?;
    bench.on_schedule("1k/s, evenly", &file)?;
    match as_json {
        true => println!("{}", Value::from(bench.rows)),
        false => bench.rows.iter().for_each(print_row),
    }
    Ok(ExitCode::SUCCESS)
}

struct Bench {
    receiver: Receiver,
    tcpreplay: bool,
    begin: Instant,
    rounds: usize,
    rows: Vec<Value>,
}

/// A way to send, by name; none is tcpreplay.
type Way = (&'static str, Option<SocketChoice>);

const UDP: SocketChoice = SocketChoice {
    kind: Some(SocketKind::Udp),
    offload: false,
    bypass: false,
};
const RAW: SocketChoice = SocketChoice {
    kind: Some(SocketKind::Raw),
    ..UDP
};
const TCPREPLAY: Way = ("tcpreplay", None);

impl Bench {
    fn flat_out(&mut self, name: &str, file: &Path) -> Result<(), Failed> {
        let offload = SocketChoice {
            offload: true,
            ..UDP
        };
        let bypass = SocketChoice {
            bypass: true,
            ..RAW
        };
        let ways = [
            TCPREPLAY,
            ("udp", Some(UDP)),
            ("udp, offload", Some(offload)),
            ("raw", Some(RAW)),
            ("raw, bypass", Some(bypass)),
        ];
        let runs = self.interleaved(&ways, file, Speed::Max)?;
        let rate = |run: &Run| run.packets as f64 / run.duration;
        let peer: Vec<f64> = runs[0].iter().map(rate).collect();
        for ((way, _), runs) in ways.iter().zip(&runs) {
            if runs.is_empty() {
                continue;
            }
            let ratios = runs.iter().zip(&peer).map(|(run, peer)| rate(run) / peer);
            let received = |run: &Run| run.received as f64 / run.packets as f64;
            self.rows.push(json!({
                "workload": format!("flat out, {name}"),
                "way": way,
                "packets_per_second": median(runs.iter().map(rate)).round(),
                "ratio_to_tcpreplay": (!peer.is_empty()).then(|| median(ratios)),
                "received": median(runs.iter().map(received)),
            }));
        }
        Ok(())
    }

    fn on_schedule(&mut self, name: &str, file: &Path) -> Result<(), Failed> {
        let ways = [TCPREPLAY, ("udp", Some(UDP)), ("raw", Some(RAW))];
        let runs = self.interleaved(&ways, file, Speed::ORIGINAL)?;
        let survey = Survey::of(&CaptureFile::open(file)?);
        let span = survey.total.duration() as f64 / 1e9;
        for ((way, _), runs) in ways.iter().zip(&runs) {
            if runs.is_empty() {
                continue;
            }
            let error = |pick: fn(&SendReport) -> u64| {
                let reports = runs.iter().filter_map(|run| run.report.as_ref());
                let picked: Vec<f64> = reports.map(|report| pick(report) as f64 / 1e3).collect();
                (!picked.is_empty()).then(|| median(picked))
            };
            self.rows.push(json!({
                "workload": format!("on schedule, {name}"),
                "way": way,
                "packets_per_second": (survey.total.packets as f64 / span).round(),
                "send_error_us": {
                    "p50": error(|r| r.schedule.map_or(0, |s| s.p50)),
                    "p99": error(|r| r.schedule.map_or(0, |s| s.p99)),
                    "p999": error(|r| r.schedule.map_or(0, |s| s.p999)),
                    "max": error(|r| r.schedule.map_or(0, |s| s.max)),
                },
                // What tcpreplay says of itself is when it ended.
                "late_at_the_end_us": error(|r| r.schedule.map_or(0, |s| s.end))
                    .unwrap_or_else(|| median(runs.iter().map(|run| (run.duration - span) * 1e6))),
                "service_p50_us": error(|r| r.service.map_or(0, |s| s.p50)),
                "core": median(runs.iter().map(|run| run.cpu)),
            }));
        }
        Ok(())
    }

    /// Each way's runs of a capture; they take turns, and who begins a round alternates.
    fn interleaved(
        &mut self,
        ways: &[Way],
        file: &Path,
        speed: Speed,
    ) -> Result<Vec<Vec<Run>>, Failed> {
        let mut runs = vec![Vec::new(); ways.len()];
        for round in 0..self.rounds {
            if self.begin.elapsed() > LATEST {
                break;
            }
            for i in 0..ways.len() {
                let i = (i + round) % ways.len();
                let Some(mut run) = (match ways[i].1 {
                    Some(choice) => Some(ours(file, choice, speed)?),
                    None if self.tcpreplay => Some(theirs(file, speed)?),
                    None => None,
                }) else {
                    continue;
                };
                run.received = self.receiver.count()?;
                runs[i].push(run);
            }
        }
        Ok(runs)
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print_row(row: &Value) {
    let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
    let number = |value: &Value, digits: usize| match value.as_f64() {
        Some(x) => format!("{x:.digits$}"),
        None => "-".into(),
    };
    print!("{:42} {:12}", text("workload"), text("way"));
    print!(" {:>7} packets/s", number(&row["packets_per_second"], 0));
    let error = &row["send_error_us"];
    if error.is_null() {
        println!(
            "  {:>5} times tcpreplay  {:>6} received",
            number(&row["ratio_to_tcpreplay"], 2),
            number(&row["received"], 3)
        );
        return;
    }
    println!(
        "  late by p50 {}, p99 {}, p99.9 {}, max {}, at the end {} µs; a call {} µs; {} of a core",
        number(&error["p50"], 3),
        number(&error["p99"], 2),
        number(&error["p999"], 1),
        number(&error["max"], 1),
        number(&row["late_at_the_end_us"], 1),
        number(&row["service_p50_us"], 2),
        number(&row["core"], 2),
    );
}
