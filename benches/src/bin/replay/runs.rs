//! One run of one way to send.

use super::cable::DEVICE;
use super::{Failed, SENDER_CORE};
use feed_common::capture::CaptureFile;
use feed_replay::info::Survey;
use feed_replay::schedule::Speed;
use feed_replay::send::{
    Interface, Route, SendReport, SenderOptions, SocketChoice, captured, open, replay,
};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

/// What a run came to.
#[derive(Clone, Copy, Default)]
pub struct Run {
    pub packets: u64,
    pub duration: f64,
    /// Of a core.
    pub cpu: f64,
    pub received: u64,
    pub report: Option<SendReport>,
}

/// A run of our sender on this thread.
pub fn ours(file: &Path, choice: SocketChoice, speed: Speed) -> Result<Run, Failed> {
    let file = CaptureFile::open(file)?;
    let survey = Survey::of(&file);
    let streams = survey.streams.keys().copied().collect();
    let route = Route::new(&streams, None, &[])?;
    let interface = Interface::named(DEVICE)?;
    let opened = open(
        route.targets(),
        &interface,
        SenderOptions::default(),
        choice,
    )?;
    let packets = captured(&file, &survey, &route, 1);
    let before = cpu_seconds()?;
    let report = replay(packets, &opened.senders, speed, &AtomicBool::new(false))?;
    let duration = report.duration as f64 / 1e9;
    Ok(Run {
        packets: report.packets,
        duration,
        cpu: (cpu_seconds()? - before) / duration,
        received: 0,
        report: Some(report),
    })
}

/// What this thread has used of its core.
fn cpu_seconds() -> Result<f64, Failed> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split(' ').next().unwrap_or("").parse()?;
    Ok(nanos / 1e9)
}

/// A run of tcpreplay, which says how long it took.
pub fn theirs(file: &Path, speed: Speed) -> Result<Run, Failed> {
    let mut command = Command::new("taskset");
    command.args(["-c", SENDER_CORE, "tcpreplay", "-q", "-K", "-i", DEVICE]);
    if speed == Speed::Max {
        command.arg("-t");
    }
    let before = children_cpu_seconds()?;
    let output = command.arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    // "Actual: 1000 packets (106000 bytes) sent in 0.003456 seconds"
    let words = said.lines().find(|line| line.starts_with("Actual:"));
    let words: Vec<&str> = words.unwrap_or("").split_whitespace().collect();
    let (Some(packets), Some(seconds)) = (words.get(1), words.get(7)) else {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("tcpreplay: {said}{reason}").into());
    };
    let duration: f64 = seconds.parse()?;
    Ok(Run {
        packets: packets.parse()?,
        duration,
        cpu: (children_cpu_seconds()? - before) / duration,
        ..Run::default()
    })
}

/// What the processes this one has waited for have used, in steps of 10 ms.
fn children_cpu_seconds() -> Result<f64, Failed> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // Fields 16 and 17, of which the name in parentheses is the second; clock ticks are of 10 ms.
    let behind = text.rsplit(')').next().unwrap_or("");
    let mut ticks = 0.0;
    for field in behind.split_whitespace().skip(13).take(2) {
        ticks += field.parse::<f64>()?;
    }
    Ok(ticks / 100.0)
}
