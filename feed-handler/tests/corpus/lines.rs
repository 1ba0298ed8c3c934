//! Both lines of a CME channel: who was first, and what is said of packets that were cut out of either and of both.

use super::{corpus, say};
use feed_common::capture::{CaptureFile, Datagrams, PcapWriter};
use feed_common::time::UnixNanos;
use feed_common::wire::frame::UdpFlow;
use feed_common::wire::mdp3;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::Command;

const LINES: &str = "cme_mdp3/ab_v1_8_10000/Cme.Mdp3.Sbe.v8.1.Example.pcap";

/// A packet of the capture.
struct Packet {
    time: UnixNanos,
    from: SocketAddrV4,
    to: SocketAddrV4,
    number: u64,
    payload: Vec<u8>,
}

#[test]
fn the_lines_of_cme_are_complete_and_cuts_are_found() {
    let Some(corpus) = corpus() else { return };
    let capture = corpus.join(LINES);
    let packets = packets(&capture);
    let facts = run("lines", &capture, 0);
    let [channel] = &facts["channels"].as_array().unwrap()[..] else {
        panic!("{facts}");
    };
    assert_eq!(
        (&channel["protocol"], &channel["lost_by_all"]),
        (&json!("mdp3"), &json!(0))
    );
    let groups = [0, 1].map(|n| channel["lines"][n]["group"].as_str().unwrap().to_owned());
    let leads = leads(&packets, &groups);
    for (line, mut leads) in channel["lines"].as_array().unwrap().iter().zip(leads) {
        assert_eq!(line["packets"], 5_000, "{line}");
        for none in ["lost", "lost_alone", "absent"] {
            assert_eq!(line[none], 0, "{none} of {line}");
        }
        leads.sort_unstable();
        let figures = &line["lead_ns"];
        assert_eq!(figures["count"], leads.len(), "{line}");
        if let (Some(min), Some(max)) = (leads.first(), leads.last()) {
            assert_eq!(
                (&figures["min"], &figures["max"]),
                (&json!(min), &json!(max))
            );
            let median = leads[(leads.len() - 1) / 2] as f64;
            let p50 = figures["p50"].as_f64().unwrap();
            assert!(
                (median..=median * 1.01 + 1.0).contains(&p50),
                "{p50} for {median}"
            );
        }
        say(&format!("line {} of CME: {line}", line["line"]));
    }
    let whole = run("gaps", &capture, 0);
    assert_eq!(whole["entries"], json!([]), "{whole}");

    cuts(&packets, &groups);
}

fn cuts(packets: &[Packet], groups: &[String; 2]) {
    let base = packets.iter().map(|p| p.number).min().unwrap();
    let a = [base + 100, base + 101, base + 102, base + 900];
    let b = [base + 200, base + 4_000];
    let both = [base + 300, base + 301, base + 4_500];
    let lacks = |p: &Packet, upstream: bool| {
        let is_a = p.to.to_string() == groups[0];
        let line: &[u64] = if is_a { &a } else { &b };
        line.contains(&p.number) || upstream && both.contains(&p.number)
    };
    let dir = std::env::temp_dir().join(format!("feed-handler-corpus-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("cut.pcap");
    let one_line = [
        (base + 100, base + 102, "A", "B"),
        (base + 200, base + 200, "B", "A"),
        (base + 900, base + 900, "A", "B"),
        (base + 4_000, base + 4_000, "B", "A"),
    ];
    let mut want: Vec<Json> = one_line
        .iter()
        .map(|(first, last, lacks, has)| {
            json!([first, last, [lacks], format!("line {has}"), "one_line"])
        })
        .collect();
    for (upstream, status) in [(false, 0), (true, 3)] {
        write(&file, packets.iter().filter(|p| !lacks(p, upstream)));
        if upstream {
            for (first, last) in [(base + 300, base + 301), (base + 4_500, base + 4_500)] {
                want.push(json!([first, last, ["A", "B"], Json::Null, "upstream"]));
            }
            want.sort_by_key(|row| row[0].as_u64());
        }
        let list = run("gaps", &file, status);
        let entries = list["entries"].as_array().unwrap().iter();
        let found: Vec<Json> = entries
            .map(|e| {
                json!([
                    e["first"],
                    e["last"],
                    e["lacked_by"],
                    e["closed_by"],
                    e["cause"]
                ])
            })
            .collect();
        assert_eq!(found, want);
        let facts = run("lines", &file, 0);
        let channel = &facts["channels"][0];
        let lost = if upstream { both.len() } else { 0 };
        assert_eq!(channel["lost_by_all"], lost, "{channel}");
        for (line, alone) in [(0, a.len()), (1, b.len())] {
            let line = &channel["lines"][line];
            assert_eq!(
                (&line["lost"], &line["lost_alone"]),
                (&json!(alone + lost), &json!(alone))
            );
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
    say("what was cut out of the lines of CME is said exactly");
}

fn run(command: &str, file: &Path, status: i32) -> Json {
    let program = Command::new(env!("CARGO_BIN_EXE_feed-handler"))
        .args([command, "--format", "json"])
        .arg(file)
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&program.stderr);
    assert_eq!(program.status.code(), Some(status), "{command}: {said}");
    serde_json::from_slice(&program.stdout).expect("JSON")
}

fn packets(capture: &Path) -> Vec<Packet> {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let mut datagrams = Datagrams::new(&file);
    let mut packets = Vec::new();
    while let Some(d) = datagrams.next() {
        let (header, ..) = mdp3::parse(d.payload).expect("a packet of MDP 3.0");
        let v4 = |address: Option<SocketAddr>| match address {
            Some(SocketAddr::V4(address)) => address,
            other => panic!("{other:?} is not IPv4"),
        };
        packets.push(Packet {
            time: d.time,
            from: v4(d.src),
            to: v4(d.dst),
            number: header.msg_seq_num.get().into(),
            payload: d.payload.to_vec(),
        });
    }
    packets
}

/// By how much the packets of each line were earlier than on the other, with maps and nothing else. Of two at the same
/// time the first in the file is the earlier.
fn leads(packets: &[Packet], groups: &[String; 2]) -> [Vec<u64>; 2] {
    let mut first: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
    let mut leads = [Vec::new(), Vec::new()];
    for packet in packets {
        let line = usize::from(packet.to.to_string() != groups[0]);
        let at = packet.time.0;
        match first.get(&packet.number) {
            None => {
                first.insert(packet.number, (line, at));
            }
            Some(&(other, before)) if before <= at => leads[other].push(at - before),
            Some(&(_, before)) => leads[line].push(before - at),
        }
    }
    leads
}

fn write<'a>(file: &Path, packets: impl Iterator<Item = &'a Packet>) {
    let mut out = PcapWriter::new(Vec::new()).expect("memory");
    let mut frame = Vec::new();
    for packet in packets {
        let flow = UdpFlow::multicast(packet.from, packet.to);
        flow.encode(&packet.payload, 1, &mut frame)
            .expect("a packet");
        out.frame(packet.time, &frame).expect("memory");
    }
    std::fs::write(file, out.finish().expect("memory")).expect("a file");
}
