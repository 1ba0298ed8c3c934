//! Runs that leave a folder, and captures with something changed.

use crate::sessions::{CHANNEL, Feed, LAYOUTS, pcap, plan};
use feed_common::capture::CaptureFile;
use feed_common::latency::Resolution;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64;
use feed_handler::config::{LaneThreads, Plan};
use feed_handler::run::{Input, Recorded, Until, supervise};
use feed_handler::verify::{Part, Verdict, verify};
use feed_replay::synth::Protocol;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sequence numbers from digest to digest.
pub const EVERY: u64 = 64;

/// The plan of these tests' runs.
pub fn marked(protocol: Protocol, threads: LaneThreads) -> Plan {
    Plan {
        digest_every: EVERY,
        ..plan(protocol, threads)
    }
}

/// Handles a capture as `run --input` does; its folder.
pub fn run(plan: &Plan, capture: &Path, to: PathBuf) -> PathBuf {
    let input = Input::File(Arc::new(CaptureFile::open(capture).unwrap()));
    let until = Until {
        duration: None,
        flag: Arc::default(),
    };
    let mut recorded = Recorded::begin("test", Resolution::default(), Some(&to)).unwrap();
    supervise(plan, &input, &until, &mut recorded, |_| {}).unwrap();
    recorded.write().unwrap();
    to
}

/// The same of a capture that is gone afterwards.
pub fn run_of_bytes(plan: &Plan, capture: Vec<u8>, to: PathBuf) -> PathBuf {
    let file = to.with_extension("gone.pcap");
    std::fs::write(&file, capture).unwrap();
    let dir = run(plan, &file, to);
    std::fs::remove_file(file).unwrap();
    dir
}

/// A run of a protocol in one layout.
pub fn one_thread(protocol: Protocol) -> Plan {
    marked(protocol, LAYOUTS[0])
}

/// Writes a capture and returns its path.
pub fn file(dir: &Path, name: &str, bytes: Vec<u8>) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[track_caller]
pub fn verdict(run: &Path, other: &Path) -> Verdict {
    verify(run, other).unwrap()
}

#[track_caller]
pub fn assert_equal(verdict: &Verdict) {
    assert!(verdict.equal, "{verdict:#?}");
    assert!(verdict.records.compared.iter().any(|c| c.stretches > 1));
    assert_eq!(verdict.notes, Vec::<String>::new());
}

/// The first part, which is on the only channel.
#[track_caller]
pub fn first(verdict: &Verdict) -> &Part {
    assert!(!verdict.equal);
    let part = verdict.records.parts.first().expect("they part somewhere");
    assert_eq!(part.place.channel, CHANNEL);
    part
}

/// The packets that line A of a feed carries.
pub fn packets(feed: &Feed) -> Vec<(UnixNanos, Vec<u8>)> {
    let of_a = feed.carried().filter(|(_, line, _)| *line == 0);
    of_a.map(|(time, _, payload)| (time, payload.to_vec()))
        .collect()
}

/// Their capture.
pub fn capture(packets: &[(UnixNanos, Vec<u8>)]) -> Vec<u8> {
    pcap(
        packets
            .iter()
            .map(|(time, payload)| (*time, 0, &payload[..])),
    )
}

/// Raises the price of the first order added at or behind a sequence number, and returns that message's number.
pub fn change_a_price(packets: &mut [(UnixNanos, Vec<u8>)], behind: u64) -> u64 {
    // Add Order: the price is its last four bytes of 36.
    const PRICE_LOW_BYTE: usize = 35;
    for (_, payload) in packets {
        let (header, blocks) = moldudp64::parse(payload).unwrap();
        let (first, mut at) = (header.sequence.get(), 20);
        let messages: Vec<_> = blocks.map(|m| (m[0], m.len())).collect();
        for (sequence, (kind, len)) in (first..).zip(messages) {
            at += 2;
            if kind == b'A' && sequence >= behind {
                payload[at + PRICE_LOW_BYTE] ^= 1;
                return sequence;
            }
            at += len;
        }
    }
    panic!("no order is added behind {behind}");
}
