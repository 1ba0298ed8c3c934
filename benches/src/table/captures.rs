//! Reading captures, and the report of a long run.

use super::{Effort, Made, Row, Target};
use crate::capture::{
    GROUP, TemporaryFile, best_of, datagrams, frames, pcap_file, pcap_parser, session,
};
use crate::report::LongRun;
use feed_replay::synth::Protocol;

/// Reading a pcap file of a session.
pub fn rows(effort: Effort) -> Result<Vec<Made>, String> {
    let messages = effort.pick(2_000_000, 200_000);
    let made = session(Protocol::Itch50, messages, &[GROUP]).map_err(|e| e.to_string())?;
    let (bytes, packets) = made;
    let file = TemporaryFile::new("table.pcap", bytes).map_err(|e| e.to_string())?;
    let mapped = file.open();
    let best = best_of(
        effort.pick(25, 5),
        packets,
        &mut [
            ("mapped: frames", &mut || frames(&mapped)),
            ("mapped: datagrams", &mut || datagrams(&mapped)),
            ("memory: pcap-parser", &mut || pcap_parser(&file.bytes[..])),
            ("memory: pcap-file", &mut || pcap_file(&file.bytes[..])),
            ("file: frames", &mut || frames(&file.open())),
            ("file: pcap-parser", &mut || pcap_parser(file.plain())),
            ("file: pcap-file", &mut || pcap_file(file.plain())),
        ],
    );
    let warm = [("pcap-parser", best[2]), ("pcap-file", best[3])];
    let opened = [("pcap-parser", best[5]), ("pcap-file", best[6])];
    let row = |what: &str, ours| Row::time(what, "ns a packet", ours);
    Ok(vec![
        row("pcap to frames, warm", best[0])
            .beside(warm)
            .target(Target::OfPeer(0.5))
            .into(),
        row("pcap to UDP payloads, warm; peers to frames", best[1])
            .beside(warm)
            .target(Target::OfPeer(1.0))
            .into(),
        row("pcap file opened, to frames", best[4])
            .beside(opened)
            .target(Target::OfPeer(1.0))
            .into(),
    ])
}

/// The report of a run of a thousand million values.
pub fn report(effort: Effort) -> Result<Vec<Made>, String> {
    let run = LongRun::new().map_err(|e| e.to_string())?;
    let reports = (0..effort.pick(3, 1)).map(|_| run.report(false).map_err(|e| e.to_string()));
    let mut reports = reports.collect::<Result<Vec<_>, _>>()?;
    reports.sort_by(|a, b| a.on_core.total_cmp(&b.on_core));
    let took = &reports[reports.len() / 2];
    let of = format!("report of {} million values", took.values / 1_000_000);
    Ok(vec![
        Row::time(of.clone(), "s on a core", took.on_core)
            .target(Target::AtMost(2.0))
            .into(),
        Row::time(of, "MiB", took.page as f64 / f64::from(1 << 20))
            .target(Target::AtMost(2.0))
            .into(),
    ])
}
