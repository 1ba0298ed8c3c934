//! Cost per packet of reading captures, beside the pcap-parser crate: `cargo run --release -p benches --bin capture`.
//!
//! A capture of small frames, one MoldUDP64 message each, is made in memory and written to temporary files. Every row is
//! the best of several passes over the same bytes; rows on memory are warm, rows on a file open and map (or read, or
//! unpack) it anew in each pass. Rates are those of the capture, not of what it is compressed to.
//!
//! Then come made sessions with many messages a packet, on one line and on two, for what `stats` costs as a whole, as a
//! multiple of pcap-parser's walk over the same frames in the same run; with the argument `stats` only these.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Instant;

use feed_common::capture::{
    BinaryFileWriter, CHUNK_BYTES, CaptureFile, Datagrams, PcapWriter, Record,
};
use feed_common::packet::{PacketBatch, PacketSource, RxError};
use feed_common::time::{Clock, UnixNanos};
use feed_common::wire::frame::UdpFlow;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_handler::inspect::Lines;
use feed_handler::inspect::stats::stats;
use feed_handler::net::file::{CaptureSource, LineMap};
use feed_replay::output::PcapSink;
use feed_replay::synth::{Protocol, Spec, generate};
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{LegacyPcapReader, PcapBlockOwned, PcapError};

const PACKETS: u64 = 2_000_000;
const MESSAGES: u64 = 10_000_000;
const SESSION_MESSAGES: u64 = 4_000_000;
const PASSES: u32 = 15;
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 30_001);
const OTHER_GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 0, 1, 1), 30_001);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).is_none_or(|only| only != "stats") {
        small_frames()?;
    }
    sessions("one line", &[GROUP])?;
    sessions("two lines", &[GROUP, OTHER_GROUP])
}

/// What `stats` does with a made session, beside a walk over its frames.
fn sessions(name: &str, lines: &[SocketAddrV4]) -> Result<(), Box<dyn std::error::Error>> {
    let mut sink = PcapSink::lines(Vec::new(), lines)?;
    let spec = Spec::new(Protocol::Itch50, SESSION_MESSAGES, 7);
    let packets = generate(&spec, &mut sink)?.packets * lines.len() as u64;
    let pcap = TemporaryFile::new("session.pcap", sink.finish()?)?;
    println!("{packets} packets of a session on {name}");
    let mapped = pcap.open();
    let best = report(
        packets,
        pcap.bytes.len(),
        &mut [
            ("mapped: datagrams", &mut || datagrams(&mapped)),
            ("mapped: stats", &mut || count_packets(&mapped)),
            ("memory: pcap-parser", &mut || parser(&pcap.bytes[..])),
            ("file: stats", &mut || count_packets(&pcap.open())),
            ("file: pcap-parser", &mut || {
                parser(File::open(&pcap.path).expect("just written"))
            }),
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

fn small_frames() -> Result<(), Box<dyn std::error::Error>> {
    let pcap = TemporaryFile::new("pcap", make_pcap()?)?;
    let itch = TemporaryFile::new("itch", make_binaryfile()?)?;
    let gzip = TemporaryFile::new("pcap.gz", gzip(&pcap.bytes)?)?;
    let zstd = TemporaryFile::new("pcap.zst", zstd::encode_all(&pcap.bytes[..], 3)?)?;

    println!("{PACKETS} packets of one message");
    let memory = CaptureFile::from_memory("memory", pcap.bytes.clone())?;
    let mapped = pcap.open();
    let from_disk = || parser(File::open(&pcap.path).expect("just written"));
    report(
        PACKETS,
        pcap.bytes.len(),
        &mut [
            ("memory: frames", &mut || frames(&memory)),
            ("memory: datagrams", &mut || datagrams(&memory)),
            ("memory: packet source", &mut || packets(&memory)),
            ("memory: pcap-parser", &mut || parser(&pcap.bytes[..])),
            ("mapped: frames", &mut || frames(&mapped)),
            ("mapped: datagrams", &mut || datagrams(&mapped)),
            ("mapped: stats", &mut || count_packets(&mapped)),
            ("file: datagrams", &mut || datagrams(&pcap.open())),
            ("file: packet source", &mut || packets(&pcap.open())),
            ("file: pcap-parser", &mut || from_disk()),
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

/// A row's name and its work, which says how many things it saw.
type Row<'a> = (&'a str, &'a mut dyn FnMut() -> u64);

/// Prints what one of `things` took in each row's best pass, and gives the passes' nanoseconds. The rows take turns, so that a disturbance of the machine
/// does not fall on one of them alone.
fn report(things: u64, bytes: usize, rows: &mut [Row<'_>]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; rows.len()];
    for _ in 0..PASSES {
        for ((name, work), best) in rows.iter_mut().zip(&mut best) {
            let start = Instant::now();
            assert_eq!(work(), things, "{name}");
            *best = best.min(start.elapsed().as_nanos() as f64);
        }
    }
    for ((name, _), best) in rows.iter().zip(&best) {
        let (each, rate) = (best / things as f64, bytes as f64 / best);
        println!("{name:24} {each:7.2} ns each {rate:7.1} GB/s");
    }
    best
}

fn frames(file: &CaptureFile) -> u64 {
    let mut records = file.records();
    let (mut n, mut sum) = (0, 0u64);
    while let Some(record) = records.next(CHUNK_BYTES) {
        if let Record::Frame(frame) = record {
            n += 1;
            sum = sum.wrapping_add(ends(frame.bytes));
        }
    }
    std::hint::black_box(sum);
    n
}

fn datagrams(file: &CaptureFile) -> u64 {
    let mut datagrams = Datagrams::new(file);
    let (mut n, mut sum) = (0, 0u64);
    while let Some(datagram) = datagrams.next() {
        n += 1;
        sum = sum.wrapping_add(ends(datagram.payload));
    }
    std::hint::black_box(sum);
    n
}

/// All that the `stats` command does with a file it has opened.
fn count_packets(file: &CaptureFile) -> u64 {
    let counted = stats(|| Datagrams::new(file), None, &Lines::Found);
    counted.expect("a protocol").0.packets
}

/// Looks at both ends of a payload, which is the least a consumer does.
fn ends(payload: &[u8]) -> u64 {
    match payload {
        [first, .., last] => u64::from(*first) + u64::from(*last),
        _ => 0,
    }
}

fn packets(file: &CaptureFile) -> u64 {
    drain(file, |bytes| (1, ends(bytes)))
}

/// Runs of whole records, as the reader cuts them.
fn runs(file: &CaptureFile) -> u64 {
    let mut records = file.records();
    let mut n = 0;
    while let Some(record) = records.next(CHUNK_BYTES) {
        if let Record::Run(run) = record {
            n += u64::from(run.records);
        }
    }
    n
}

/// The same through the packet source, stepping over each record once more as a framing does.
fn records(file: &CaptureFile) -> u64 {
    drain(file, |bytes| (count_records(bytes), ends(bytes)))
}

fn count_records(mut run: &[u8]) -> u64 {
    let mut n = 0;
    while let [a, b, rest @ ..] = run {
        run = &rest[usize::from(u16::from_be_bytes([*a, *b]))..];
        n += 1;
    }
    n
}

fn drain(file: &CaptureFile, look: impl Fn(&[u8]) -> (u64, u64)) -> u64 {
    let lines = LineMap::new([(GROUP, 0)]).expect("one line");
    let mut source = CaptureSource::new(file, lines, Clock::new());
    let (mut n, mut sum) = (0, 0u64);
    loop {
        match source.poll() {
            Ok(batch) => {
                for i in 0..batch.len() {
                    let (things, value) = look(batch.get(i).bytes);
                    n += things;
                    sum = sum.wrapping_add(value);
                }
            }
            Err(RxError::End) => break,
            Err(e) => panic!("{e}"),
        }
    }
    std::hint::black_box(sum);
    n
}

/// The peer, used as its documentation shows.
fn parser(from: impl std::io::Read) -> u64 {
    let mut reader = LegacyPcapReader::new(1 << 20, from).expect("pcap");
    let (mut n, mut sum) = (0, 0u64);
    loop {
        match reader.next() {
            Ok((used, block)) => {
                if let PcapBlockOwned::Legacy(frame) = block {
                    n += 1;
                    sum = sum.wrapping_add(ends(frame.data));
                }
                reader.consume(used);
            }
            Err(PcapError::Eof) => break,
            Err(PcapError::Incomplete(_)) => reader.refill().expect("readable"),
            Err(e) => panic!("{e}"),
        }
    }
    std::hint::black_box(sum);
    n
}

fn make_pcap() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let flow = UdpFlow::multicast(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40_000), GROUP);
    let mut file = PcapWriter::new(Vec::new())?;
    let mut frame = Vec::new();
    for i in 0..PACKETS {
        // An order, 36 bytes; with its headers 104 bytes, much like the average of a feed.
        let mut message = [i as u8; 36];
        message[0] = b'A';
        let mut packet = PacketBuilder::new(*b"S         ", i + 1, 1400);
        assert!(packet.push(&message));
        flow.encode(packet.payload(), i as u16, &mut frame)?;
        file.frame(UnixNanos(1_700_000_000_000_000_000 + i * 1_000), &frame)?;
    }
    Ok(file.finish()?)
}

/// Adds, executions and deletes in turn, by their lengths.
fn make_binaryfile() -> std::io::Result<Vec<u8>> {
    let mut file = BinaryFileWriter::new(Vec::new());
    for i in 0..MESSAGES {
        let (kind, len) = [(b'A', 36), (b'E', 31), (b'D', 19)][(i % 3) as usize];
        let mut message = [0; 36];
        message[0] = kind;
        file.message(&message[..len])?;
    }
    file.finish()
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut packed)?;
    Ok(packed)
}

/// A file that is removed with the value.
struct TemporaryFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TemporaryFile {
    fn new(name: &str, bytes: Vec<u8>) -> std::io::Result<TemporaryFile> {
        let name = format!("feed-bench-{}.{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(&bytes)?;
        file.flush()?;
        Ok(TemporaryFile { path, bytes })
    }

    fn open(&self) -> CaptureFile {
        CaptureFile::open(&self.path).expect("just written")
    }

    /// The file through a thread that reads it in blocks, as what cannot be mapped is read.
    fn pipe(&self) -> CaptureFile {
        CaptureFile::read_once(&self.path).expect("just written")
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // A file left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.path);
    }
}
