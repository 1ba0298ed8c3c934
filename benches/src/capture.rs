//! Reading captures: files, the ways through them, and those of others.

use crate::measure::timed;
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
use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;

/// The line of all packets, or the first of two.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 30_001);
/// The second line.
pub const OTHER_GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 0, 1, 1), 30_001);

/// A row's name and its work, which says how many things it saw.
pub type Row<'a> = (&'a str, &'a mut dyn FnMut() -> u64);

/// What one of `things` took in each row's best pass, in nanoseconds. The rows take turns, so that a disturbance of the
/// machine does not fall on one of them alone.
pub fn best_of(passes: usize, things: u64, rows: &mut [Row<'_>]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; rows.len()];
    for _ in 0..passes {
        for ((name, work), best) in rows.iter_mut().zip(&mut best) {
            let mut seen = 0;
            let took = timed(|| seen = work());
            assert_eq!(seen, things, "{name}");
            *best = best.min(took / things as f64);
        }
    }
    best
}

/// Frames, looked at.
pub fn frames(file: &CaptureFile) -> u64 {
    let mut records = file.records();
    let (mut n, mut sum) = (0, 0u64);
    while let Some(record) = records.next(CHUNK_BYTES) {
        if let Record::Frame(frame) = record {
            n += 1;
            sum = sum.wrapping_add(ends(frame.bytes));
        }
    }
    black_box(sum);
    n
}

/// UDP payloads, looked at.
pub fn datagrams(file: &CaptureFile) -> u64 {
    let mut datagrams = Datagrams::new(file);
    let (mut n, mut sum) = (0, 0u64);
    while let Some(datagram) = datagrams.next() {
        n += 1;
        sum = sum.wrapping_add(ends(datagram.payload));
    }
    black_box(sum);
    n
}

/// All that the `stats` command does with a file it has opened.
pub fn count_packets(file: &CaptureFile) -> u64 {
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

/// Packets as a lane gets them.
pub fn packets(file: &CaptureFile) -> u64 {
    drain(file, |bytes| (1, ends(bytes)))
}

/// Runs of whole records, as the reader cuts them; records.
pub fn runs(file: &CaptureFile) -> u64 {
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
pub fn records(file: &CaptureFile) -> u64 {
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
    black_box(sum);
    n
}

/// Frames by the crate `pcap-parser`, used as its documentation shows.
pub fn pcap_parser(from: impl Read) -> u64 {
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
    black_box(sum);
    n
}

/// Frames by the crate `pcap-file`, likewise.
pub fn pcap_file(from: impl Read) -> u64 {
    let mut reader = pcap_file::pcap::PcapReader::new(from).expect("pcap");
    let (mut n, mut sum) = (0, 0u64);
    while let Some(frame) = reader.next_packet() {
        n += 1;
        sum = sum.wrapping_add(ends(&frame.expect("a frame").data));
    }
    black_box(sum);
    n
}

/// A capture of frames of one MoldUDP64 message each.
pub fn small_frames(packets: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let flow = UdpFlow::multicast(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40_000), GROUP);
    let mut file = PcapWriter::new(Vec::new())?;
    let mut frame = Vec::new();
    for i in 0..packets {
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

/// A session as a capture, and its packets on all lines.
pub fn session(
    protocol: Protocol,
    messages: u64,
    lines: &[SocketAddrV4],
) -> Result<(Vec<u8>, u64), Box<dyn Error>> {
    let mut sink = PcapSink::lines(Vec::new(), lines)?;
    let spec = Spec::new(protocol, messages, 7);
    let packets = generate(&spec, &mut sink)?.packets * lines.len() as u64;
    Ok((sink.finish()?, packets))
}

/// Adds, executions and deletes in turn, by their lengths.
pub fn binary_file(messages: u64) -> io::Result<Vec<u8>> {
    let mut file = BinaryFileWriter::new(Vec::new());
    for i in 0..messages {
        let (kind, len) = [(b'A', 36), (b'E', 31), (b'D', 19)][(i % 3) as usize];
        let mut message = [0; 36];
        message[0] = kind;
        file.message(&message[..len])?;
    }
    file.finish()
}

/// A file that is removed with the value.
pub struct TemporaryFile {
    path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl TemporaryFile {
    /// Writes it.
    pub fn new(name: &str, bytes: Vec<u8>) -> io::Result<TemporaryFile> {
        let name = format!("feed-bench-{}.{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(&bytes)?;
        file.flush()?;
        Ok(TemporaryFile { path, bytes })
    }

    /// As the product opens it.
    pub fn open(&self) -> CaptureFile {
        CaptureFile::open(&self.path).expect("just written")
    }

    /// As anybody does.
    pub fn plain(&self) -> File {
        File::open(&self.path).expect("just written")
    }

    /// The file through a thread that reads it in blocks, as what cannot be mapped is read.
    pub fn pipe(&self) -> CaptureFile {
        CaptureFile::read_once(&self.path).expect("just written")
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // A file left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_sees_every_frame() {
        let bytes = small_frames(3_000).unwrap();
        let file = CaptureFile::from_memory("memory", bytes.clone()).unwrap();
        assert_eq!(frames(&file), 3_000);
        assert_eq!(datagrams(&file), 3_000);
        assert_eq!(packets(&file), 3_000);
        assert_eq!(pcap_parser(&bytes[..]), 3_000);
        assert_eq!(pcap_file(&bytes[..]), 3_000);
    }
}
