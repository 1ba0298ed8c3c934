//! Files that are no captures, and captures that are cut, damaged or hold other things.

use crate::support::*;
use feed_common::capture::{BinaryFileWriter, PcapWriter};
use feed_common::wire::moldudp64::PacketBuilder;
use feed_replay::output::BinaryFileSink;
use feed_replay::synth::{Protocol, Spec, generate_messages};
use std::process::Command;
use zerocopy::IntoBytes;

fn binaryfile(messages: u64) -> Vec<u8> {
    let mut sink = BinaryFileSink(BinaryFileWriter::new(Vec::new()));
    generate_messages(&Spec::new(Protocol::Itch50, messages, 7), &mut sink).unwrap();
    sink.0.finish().unwrap()
}

#[test]
fn what_is_no_capture_is_named() {
    let scratch = Scratch::new();
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    let header = &session(20)[..24];
    let with = |at: usize, value: u8| {
        let mut bytes = header.to_vec();
        bytes[at] = value;
        bytes
    };
    for (bytes, said) in [
        (&b""[..], "an empty file is not readable"),
        (b"symbol,price\nA,1\n", "a text file is not readable"),
        (
            b"\x0A\x0D\x0D\x0A\x1C\0\0\0M<+\x1A",
            "pcapng file header is incomplete (12 of 28 bytes)",
        ),
        (
            b"\x1F\x8B\x08\0\0\0\0\0",
            "gzip cut short: the stream ends at byte 8",
        ),
        (
            b"\x28\xB5\x2F\xFD\0",
            "zstd cut short: the stream ends at byte 5",
        ),
        (
            b"\x7FELF\x02\x01",
            "a file of unknown format is not readable",
        ),
        (&header[..23], "header is incomplete (23 of 24 bytes)"),
        (&with(4, 3), "pcap version 3.4 is not supported"),
        (&with(20, 147), "link type 147"),
    ] {
        let file = scratch.file("file", bytes);
        for arguments in [
            &["stats", &file][..],
            &["decode", &file],
            &["run", "-c", &config, "--input", &file],
        ] {
            feed_handler(arguments).is(2, said).is(2, &file);
        }
    }
    for (file, said) in [
        (scratch.path("none.pcap"), "No such file"),
        (scratch.path(""), "Is a directory"),
    ] {
        for command in ["stats", "decode"] {
            feed_handler(&[command, &file]).is(2, said).is(2, &file);
        }
        feed_handler(&["run", "-c", &config, "--input", &file]).is(2, said);
    }
}

/// Offsets that a capture's records end at, the header's end first.
fn record_ends(pcap: &[u8]) -> Vec<usize> {
    let mut ends = vec![24];
    while let Some(length) = pcap
        .get(ends[ends.len() - 1] + 8..)
        .and_then(|l| l.first_chunk())
    {
        ends.push(ends[ends.len() - 1] + 16 + u32::from_le_bytes(*length) as usize);
    }
    ends
}

#[test]
fn a_capture_cut_anywhere_gives_what_it_holds() {
    let scratch = Scratch::new();
    let whole = session(60);
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    let ends = record_ends(&whole);
    assert_eq!(ends.last(), Some(&whole.len()));
    // Around the ends of records, and across the file.
    let near = ends.iter().take(4).flat_map(|e| [e - 1, *e, e + 1, e + 16]);
    let across = (24..whole.len()).step_by(whole.len() / 12);
    for len in near
        .chain(across)
        .filter(|&len| len >= 24 && len <= whole.len())
    {
        let file = scratch.file("cut.pcap", &whole[..len]);
        let last = *ends.iter().rfind(|&&end| end <= len).unwrap();
        let packets = ends.iter().position(|&end| end == last).unwrap();
        let stats = feed_handler(&["stats", &file, "--format", "json"]);
        assert_eq!(stats.status, 0, "{stats:?}");
        assert_eq!(stats.json()["packets"], packets, "cut at {len}");
        let strict = feed_handler(&["stats", &file, "--strict"]);
        let decode = feed_handler(&["decode", &file]);
        let run = feed_handler(&["run", "-c", &config, "--input", &file, "--format", "json"]);
        assert_eq!(run.json()["packets"], packets, "cut at {len}");
        if last == len {
            assert_eq!((strict.status, stats.err.as_str()), (0, ""), "cut at {len}");
            decode.is_quiet();
        } else {
            let warning = format!("warning: {file}: cut short: the record at byte {last} ");
            stats.is(0, &warning);
            decode.is(0, &warning);
            run.is(0, &warning);
            assert_eq!(stats.json()["cut"]["offset"], last);
            strict.is(1, &format!("error: {file}: cut short"));
            feed_handler(&["decode", &file, "--strict"]).is(1, "cut short");
            feed_handler(&["run", "-c", &config, "--input", &file, "--strict"]).is(1, "cut short");
        }
    }
}

#[test]
fn a_binaryfile_cut_anywhere_gives_what_it_holds() {
    let scratch = Scratch::new();
    let whole = binaryfile(40);
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    // The first record is a system event: 2 bytes of length and 12 of message.
    for len in (3..whole.len()).step_by(61).chain([14, whole.len() - 1]) {
        let file = scratch.file("cut.bin", &whole[..len]);
        let (mut end, mut messages) = (0, 0);
        while let Some(length) = whole[..len].get(end..).and_then(|l| l.first_chunk()) {
            let next = end + 2 + usize::from(u16::from_be_bytes(*length));
            if next > len {
                break;
            }
            (end, messages) = (next, messages + 1);
        }
        let stats = feed_handler(&["stats", &file, "--format", "json"]);
        assert_eq!(stats.json()["messages"], messages, "cut at {len}");
        let run = feed_handler(&["run", "-c", &config, "--input", &file, "--format", "json"]);
        assert_eq!(run.json()["messages"], messages, "cut at {len}");
        if end == len {
            stats.is_quiet();
        } else {
            let warning = format!("warning: {file}: cut short: the record at byte {end} ");
            stats.is(0, &warning);
            run.is(0, &warning);
            feed_handler(&["decode", &file, "--strict"]).is(1, "cut short");
        }
    }
}

#[test]
fn damaged_captures_never_panic() {
    let scratch = Scratch::new();
    let whole = session(60);
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    // Every byte of the first record is set to its complement in some round, the rest of the file only here and there.
    let first = record_ends(&whole)[1];
    for at in (24..first).chain((first..whole.len()).step_by(311)) {
        let mut bytes = whole.clone();
        bytes[at] = !bytes[at];
        let file = scratch.file("damaged.pcap", &bytes);
        // What the program is held to in every run is the test.
        feed_handler(&["stats", &file, "--format", "json"]);
        feed_handler(&["decode", &file]);
        if at % 4 == 0 {
            let ended = feed_handler(&["run", "-c", &config, "--input", &file]);
            assert_eq!(ended.status, 0, "{ended:?}");
        }
    }
}

#[test]
fn other_frames_are_counted_by_reason() {
    let scratch = Scratch::new();
    let mut b = PacketBuilder::new(*b"S         ", 1, 1400);
    assert!(b.push(&[b'D'; 19]));
    let good = frame(GROUP, b.payload());
    let mut out = PcapWriter::new(Vec::new()).unwrap();
    let mut arp = vec![0xff; 60];
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    out.frame(time(0), &arp).unwrap();
    out.frame(time(1), &good).unwrap();
    let only_other = scratch.file("arp.pcap", out.finish().unwrap());
    let stats = feed_handler(&["stats", &only_other, "--format", "json", "--strict"]);
    let facts = stats.is_quiet().json();
    assert_eq!(facts["skipped"], serde_json::json!({"not_ip": 1}));
    assert_eq!(
        (&facts["frames"], &facts["packets"]),
        (&2.into(), &1.into())
    );
    let text = feed_handler(&["stats", &only_other]).out;
    assert!(text.contains("skipped: not IP "), "{text}");
    feed_handler(&["decode", &only_other, "--strict"]).is(0, "not_ip 1");

    // A frame whose capture was cut is damage.
    let mut out = PcapWriter::new(Vec::new()).unwrap();
    out.frame(time(0), &good).unwrap();
    out.cut_frame(time(1), &good[..50], good.len()).unwrap();
    out.frame(time(2), &good).unwrap();
    let cut = scratch.file("snap.pcap", out.finish().unwrap());
    let facts = feed_handler(&["stats", &cut, "--format", "json"])
        .is_quiet()
        .json();
    assert_eq!(facts["skipped"], serde_json::json!({"frame_truncated": 1}));
    feed_handler(&["stats", &cut, "--strict"]).is(1, "frame_truncated 1");
    let decode = feed_handler(&["decode", &cut, "--strict"]);
    decode.is(1, "frame_truncated 1");
    assert_eq!(decode.out.lines().count(), 1, "it ends where the damage is");
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    let input = ["run", "-c", &config, "--input", &cut, "--format", "json"];
    assert_eq!(feed_handler(&input).json()["drops"]["packet_truncated"], 1);
    feed_handler(&[&input[..], &["--strict"]].concat()).is(1, "packet_truncated 1");
}

#[test]
fn heartbeats_alone_do_not_tell_the_protocol() {
    let scratch = Scratch::new();
    let header = PacketBuilder::new(*b"S         ", 1, 1400).heartbeat();
    let file = scratch.file("quiet.pcap", pcap([(GROUP, header.as_bytes()); 3]));
    for command in ["stats", "decode"] {
        feed_handler(&[command, &file]).is(2, "--protocol native|itch50");
    }
    let told = feed_handler(&["stats", &file, "--protocol", "itch50", "--format", "json"]);
    let facts = told.is_quiet().json();
    assert_eq!(
        (&facts["packets"], &facts["heartbeats"]),
        (&3.into(), &3.into())
    );
    // Told wrongly, nothing can be read, and that is counted.
    let told = feed_handler(&["stats", &file, "--protocol", "native", "--format", "json"]);
    assert_eq!(told.json()["errors"]["frame_short_header"], 3);
}

#[test]
fn unknown_streams_are_said_to_be_unknown() {
    let scratch = Scratch::new();
    let file = scratch.file("other.pcap", pcap([(GROUP, &b"GET / HTTP/1.1"[..])]));
    feed_handler(&["stats", &file]).is(2, "no stream of a known protocol");
    let mut b = PacketBuilder::new(*b"S         ", 1, 1400);
    assert!(b.push(&[b'D'; 19]));
    let both = [
        (GROUP, b.payload()),
        ("239.9.9.9:9", &b"GET / HTTP/1.1"[..]),
    ];
    let file = scratch.file("both.pcap", pcap(both));
    let stats = feed_handler(&["stats", &file, "--format", "json"]);
    assert_eq!(stats.is_quiet().json()["unrecognised_streams"], 1);
    feed_handler(&["decode", &file]).is(0, "1 stream of no known protocol left out");
}

#[test]
fn a_binaryfile_is_itch50_only() {
    let scratch = Scratch::new();
    let file = scratch.file("a.bin", binaryfile(40));
    feed_handler(&["stats", &file, "--protocol", "native"]).is(2, "itch50 and not native");
    feed_handler(&["stats", &file, "--protocol", "itch50"]).is_quiet();
    let config = scratch.file("feed.toml", configuration("native", GROUP, ""));
    feed_handler(&["run", "-c", &config, "--input", &file]).is(2, "exactly one itch50 channel");
}

#[test]
fn standard_input_is_a_file_like_others() {
    let scratch = Scratch::new();
    let bytes = session(100);
    let file = scratch.file("a.pcap", &bytes);
    for command in ["stats", "decode"] {
        let piped = run(Command::new(PROGRAM).args([command, "-"]), &bytes);
        assert_eq!(piped.is_quiet().out, feed_handler(&[command, &file]).out);
    }
    run(Command::new(PROGRAM).args(["stats", "-"]), b"").is(2, "-: an empty file");
    let config = scratch.file("feed.toml", configuration("itch50", GROUP, ""));
    let arguments = ["run", "-c", &config, "--format", "json", "--input"];
    let piped = run(Command::new(PROGRAM).args(arguments).arg("-"), &bytes);
    assert_eq!(piped.json()["messages"], 100);
}
