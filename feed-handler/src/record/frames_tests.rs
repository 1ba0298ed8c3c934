//! Tests of the frames a recording is made of, read back by the capture reader and by a walk of its own.

use super::*;
use crate::config::Timestamps;
use crate::config::{ChannelPlan, ProtocolName};
use crate::net::{Interface, LineAddress};
use crate::record::walk::walk;
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::packet::RxMeta;
use feed_common::time::Ticks;
use std::net::SocketAddr;

const KERNEL: UnixNanos = UnixNanos(1_795_000_000_123_456_789);

fn lanes() -> Vec<LanePlan> {
    let line = |name: &str, group: &str, source: Option<&str>| LinePlan {
        name: name.into(),
        address: LineAddress {
            group: group.parse().unwrap(),
            interface: Some(Interface::Name("eth0".into())),
            source: source.map(|s| s.parse().unwrap()),
        },
        retransmission: false,
    };
    let a = line("A", "239.1.1.1:5000", Some("192.0.2.7"));
    let b = line("B", "127.0.0.1:5001", None);
    let channel = |lines| vec![ChannelPlan::new("c", lines)];
    vec![
        LanePlan::new("first", ProtocolName::Itch50, channel(vec![a])),
        LanePlan {
            timestamps: Timestamps::User,
            ..LanePlan::new("second", ProtocolName::Itch50, channel(vec![b]))
        },
    ]
}

/// A clock by which tick 5 is 5 ns after the kernel's stamp.
fn clock() -> FitLine {
    FitLine::new(Ticks(0), KERNEL, 1.0)
}

/// A packet as it lies in a queue.
fn add(frames: &mut Frames, line: usize, meta: RxMeta, lost: u64, payload: &[u8]) {
    let bytes = &[&lost.to_le_bytes(), payload].concat();
    let packet = Packet { meta: &meta, bytes };
    frames.packet(line, packet, clock()).unwrap();
}

fn made(format: RecordFormat) -> Vec<u8> {
    let mut frames = Frames::new(format, &lanes(), &SectionDescription::default()).unwrap();
    let stamped = RxMeta {
        kernel: KERNEL,
        rx: Ticks(5),
        ..RxMeta::default()
    };
    let unstamped = RxMeta {
        rx: Ticks(5),
        ..RxMeta::default()
    };
    let longer = RxMeta {
        flags: RxMeta::TRUNCATED,
        socket_drops: 4,
        ..stamped
    };
    add(&mut frames, 0, stamped, 0, b"one");
    add(&mut frames, 1, unstamped, 0, b"two");
    add(&mut frames, 0, unstamped, 2, b"three");
    add(&mut frames, 0, longer, 3, b"fo");
    for (number, here) in [3, 1].into_iter().enumerate() {
        let system = 4 * here;
        frames.statistics(number, Lost { here, system }).unwrap();
    }
    std::mem::take(frames.bytes())
}

#[test]
fn the_capture_reader_finds_the_packets_with_their_lines_and_times() {
    let file = CaptureFile::from_memory("a.pcap", made(RecordFormat::Pcap)).unwrap();
    let mut datagrams = Datagrams::new(&file);
    let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    let mut got = Vec::new();
    while let Some(d) = datagrams.next() {
        got.push((d.time - KERNEL, d.src, d.dst, d.payload.to_vec()));
    }
    let a = (address("192.0.2.7:0"), address("239.1.1.1:5000"));
    let b = (address("0.0.0.0:0"), address("127.0.0.1:5001"));
    assert_eq!(
        got,
        [
            (0, a.0, a.1, b"one".to_vec()),
            (5, b.0, b.1, b"two".to_vec()),
            (5, a.0, a.1, b"three".to_vec()),
        ]
    );
    // The one that was cut is known to have been.
    let skipped: Vec<_> = datagrams
        .skipped()
        .iter()
        .map(|(r, n)| (r.name(), n))
        .collect();
    assert_eq!(
        skipped.iter().find(|s| s.1 > 0),
        Some(&("frame_truncated", 1))
    );
}

#[test]
fn a_pcapng_has_an_interface_a_line_and_notes_what_is_missing_and_odd() {
    let walk = walk(&made(RecordFormat::Pcapng));
    let texts = [
        [
            "c/A",
            "239.1.1.1:5000 on eth0 from 192.0.2.7; kernel receive times",
        ],
        ["c/B", "127.0.0.1:5001 on eth0; user-space receive times"],
    ];
    assert_eq!(walk.interfaces, texts.map(|t| t.map(str::to_owned)));
    let seen: Vec<_> = walk
        .packets
        .iter()
        .map(|p| {
            let missing = p.orig_len - p.bytes.len() as u32;
            (
                p.interface,
                p.time - KERNEL.0,
                p.lost_before,
                missing,
                p.comment.as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (0, 0, 0, 0, ""),
            (1, 5, 0, 0, ""),
            (0, 5, 2, 0, USER_TIME),
            (0, 0, 5, 1, LONGER),
        ]
    );
    assert_eq!(&walk.packets[2].bytes[42..], b"three");
    assert_eq!(
        walk.packets[1].bytes[..6],
        [2, 0, 127, 0, 0, 1],
        "no group, no group address"
    );
    assert_eq!(walk.counts, [[3 + 3 + 12, 3, 12, 3], [1 + 1 + 4, 1, 4, 1]]);
}

#[test]
fn a_packet_of_no_line_is_an_error() {
    let section = SectionDescription::default();
    let mut frames = Frames::new(RecordFormat::Pcapng, &lanes(), &section).unwrap();
    let packet = Packet {
        meta: &RxMeta::default(),
        bytes: &[0; 9],
    };
    assert!(frames.packet(2, packet, clock()).is_err());
    assert!(frames.statistics(2, Lost::default()).is_err());
}

#[test]
fn the_name_decides_the_format() {
    let of = |name: &str| RecordFormat::of(Path::new(name));
    assert_eq!(of("day.pcap"), Some(RecordFormat::Pcap));
    assert_eq!(of("day.PCAP"), Some(RecordFormat::Pcap));
    for name in ["day.pcapng", "day", "/dev/full", "day.cap"] {
        assert_eq!(of(name), Some(RecordFormat::Pcapng), "{name}");
    }
    for name in ["day.pcap.gz", "day.pcapng.zst", "day.ZST"] {
        assert_eq!(of(name), None, "{name}");
    }
}
