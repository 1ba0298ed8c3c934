//! Cost per packet of reading captures, beside crates that read them: `cargo run --release -p benches --bin capture`.
//!
//! A capture of small frames, one MoldUDP64 message each, is made in memory and written to temporary files. Every row is
//! the best of several passes over the same bytes; rows on memory are warm, rows on a file open and map (or read, or
//! unpack) it anew in each pass. Rates are those of the capture, not of what it is compressed to.
//!
//! Then come made sessions with many messages a packet, on one line and on two, for what `stats` costs as a whole, as a
//! multiple of pcap-parser's walk over the same frames in the same run; with the argument `stats` only these.

use benches::capture::{
    GROUP, OTHER_GROUP, Row, TemporaryFile, best_of, binary_file, count_packets, datagrams, frames,
    packets, pcap_file, pcap_parser, records, runs, session, small_frames,
};
use feed_common::capture::CaptureFile;
use feed_replay::synth::Protocol;
use std::error::Error;
use std::io::Read;
use std::net::SocketAddrV4;

const PACKETS: u64 = 2_000_000;
const MESSAGES: u64 = 10_000_000;
const SESSION_MESSAGES: u64 = 4_000_000;
const PASSES: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).is_none_or(|only| only != "stats") {
        of_small_frames()?;
    }
    sessions("one line", &[GROUP])?;
    sessions("two lines", &[GROUP, OTHER_GROUP])
}

/// What `stats` does with a made session, beside a walk over its frames.
fn sessions(name: &str, lines: &[SocketAddrV4]) -> Result<(), Box<dyn Error>> {
    let (bytes, packets) = session(Protocol::Itch50, SESSION_MESSAGES, lines)?;
    let pcap = TemporaryFile::new("session.pcap", bytes)?;
    println!("{packets} packets of a session on {name}");
    let mapped = pcap.open();
    let best = report(
        packets,
        pcap.bytes.len(),
        &mut [
            ("mapped: datagrams", &mut || datagrams(&mapped)),
            ("mapped: stats", &mut || count_packets(&mapped)),
            ("memory: pcap-parser", &mut || pcap_parser(&pcap.bytes[..])),
            ("file: stats", &mut || count_packets(&pcap.open())),
            ("file: pcap-parser", &mut || pcap_parser(pcap.plain())),
        ],
    );
    let [_, stats, parser, opened, opened_parser] = best[..] else {
        unreachable!("a figure for every row");
    };
    println!(
        "stats / pcap-parser: {:.2} warm, {:.2} from the file",
        stats / parser,
        opened / opened_parser
    );
    Ok(())
}

fn of_small_frames() -> Result<(), Box<dyn Error>> {
    let pcap = TemporaryFile::new("pcap", small_frames(PACKETS)?)?;
    let itch = TemporaryFile::new("itch", binary_file(MESSAGES)?)?;
    let gzip = TemporaryFile::new("pcap.gz", gzip(&pcap.bytes)?)?;
    let zstd = TemporaryFile::new("pcap.zst", zstd::encode_all(&pcap.bytes[..], 3)?)?;

    println!("{PACKETS} packets of one message");
    let memory = CaptureFile::from_memory("memory", pcap.bytes.clone())?;
    let mapped = pcap.open();
    report(
        PACKETS,
        pcap.bytes.len(),
        &mut [
            ("memory: frames", &mut || frames(&memory)),
            ("memory: datagrams", &mut || datagrams(&memory)),
            ("memory: packet source", &mut || packets(&memory)),
            ("memory: pcap-parser", &mut || pcap_parser(&pcap.bytes[..])),
            ("memory: pcap-file", &mut || pcap_file(&pcap.bytes[..])),
            ("mapped: frames", &mut || frames(&mapped)),
            ("mapped: datagrams", &mut || datagrams(&mapped)),
            ("mapped: stats", &mut || count_packets(&mapped)),
            ("file: datagrams", &mut || datagrams(&pcap.open())),
            ("file: packet source", &mut || packets(&pcap.open())),
            ("file: pcap-parser", &mut || pcap_parser(pcap.plain())),
            ("file: pcap-file", &mut || pcap_file(pcap.plain())),
            ("file: datagrams, read", &mut || datagrams(&pcap.pipe())),
            ("file: datagrams, gzip", &mut || datagrams(&gzip.open())),
            ("file: datagrams, zstd", &mut || datagrams(&zstd.open())),
        ],
    );
    println!("{MESSAGES} messages in a BinaryFILE");
    let memory = CaptureFile::from_memory("memory", itch.bytes.clone())?;
    report(
        MESSAGES,
        itch.bytes.len(),
        &mut [
            ("memory: runs", &mut || runs(&memory)),
            ("memory: runs, records", &mut || records(&memory)),
            ("file: runs", &mut || runs(&itch.open())),
            ("file: runs, records", &mut || records(&itch.open())),
        ],
    );
    Ok(())
}

/// Prints what one of `things` took in each row's best pass, and gives it.
fn report(things: u64, bytes: usize, rows: &mut [Row<'_>]) -> Vec<f64> {
    let best = best_of(PASSES, things, rows);
    for ((name, _), best) in rows.iter().zip(&best) {
        let rate = bytes as f64 / (best * things as f64);
        println!("{name:24} {best:7.2} ns each {rate:7.1} GB/s");
    }
    best
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut packed)?;
    Ok(packed)
}
