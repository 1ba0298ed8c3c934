//! What is sent.

use super::cable::SENDER;
use super::{Failed, GROUP, SCHEDULED};
use feed_common::capture::{CaptureFile, Datagrams, PcapWriter};
use feed_common::time::UnixNanos;
use feed_common::wire::frame::UdpFlow;
use feed_replay::synth::arrivals::{Arrivals, Bursts};
use feed_replay::synth::rng::Rng;
use feed_replay::synth::{PacketSink, Protocol, Spec, generate};
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

/// Of the day of all of them, in nanoseconds.
const MIDNIGHT: u64 = 1_700_000_000_000_000_000;

/// Packets of 64 bytes at equal distances.
pub fn evenly(file: &Path, group: SocketAddrV4, gap: u64, packets: u64) -> Result<(), Failed> {
    let mut out = Frames::create(file, group)?;
    for i in 0..packets {
        out.packet(UnixNanos(MIDNIGHT + i * gap), &[i as u8; 64])?;
    }
    out.finish()
}

/// A session of about so many packets, for their sizes.
pub fn session(file: &Path, packets: u64) -> Result<(), Failed> {
    let mut out = Frames::create(file, GROUP)?;
    let spec = Spec {
        rate: 1_000_000,
        // Twenty of them to a packet.
        ..Spec::new(Protocol::Itch50, packets * 20, 7)
    };
    generate(&spec, &mut out)?;
    out.finish()
}

/// About 40,000 packets a second, four fifths of them in bursts of 64 with 1.5 µs and more between them; the median
/// gap of the whole is 3.6 µs.
pub fn bursts(file: &Path) -> Result<(), Failed> {
    const LEAST_GAP: u64 = 1_500;
    let bursts = Bursts {
        factor: 12,
        share: 80,
    };
    let mut arrivals = Arrivals::new(Rng::new(7), 0, 40_300, bursts);
    let mut out = Frames::create(file, GROUP)?;
    for i in 0.. {
        let at = arrivals.next(1) + i * LEAST_GAP;
        if at >= SCHEDULED.as_nanos() as u64 {
            break;
        }
        let bytes = 40 + i as usize * 37 % 400;
        out.packet(UnixNanos(MIDNIGHT + at), &[i as u8; 440][..bytes])?;
    }
    out.finish()
}

/// The packets of the busiest part of a capture, as long as a run is.
pub fn excerpt(from: &Path, file: &Path) -> Result<(), Failed> {
    let capture = CaptureFile::open(from)?;
    let mut datagrams = Datagrams::new(&capture);
    let mut times = Vec::new();
    while let Some(datagram) = datagrams.next() {
        times.push(datagram.time.0);
    }
    let span = SCHEDULED.as_nanos() as u64;
    let mut busiest = 0..0;
    for begin in 0..times.len() {
        let end = times.partition_point(|&time| time < times[begin] + span);
        if end - begin > busiest.len() {
            busiest = begin..end;
        }
    }
    let mut out = Frames::create(file, GROUP)?;
    let mut datagrams = Datagrams::new(&capture);
    let mut number = 0;
    while let Some(datagram) = datagrams.next() {
        if busiest.contains(&number) {
            out.packet(datagram.time, datagram.payload)?;
        }
        number += 1;
    }
    out.finish()
}

/// Writes payloads as the frames that tcpreplay is to send.
struct Frames {
    out: PcapWriter<BufWriter<File>>,
    flow: UdpFlow,
    frame: Vec<u8>,
}

impl Frames {
    fn create(file: &Path, group: SocketAddrV4) -> Result<Frames, Failed> {
        Ok(Frames {
            out: PcapWriter::new(BufWriter::new(File::create(file)?))?,
            flow: UdpFlow::multicast(SocketAddrV4::new(SENDER, 7_000), group),
            frame: Vec::new(),
        })
    }

    fn finish(self) -> Result<(), Failed> {
        self.out.finish()?.into_inner()?;
        Ok(())
    }
}

impl PacketSink for Frames {
    fn packet(&mut self, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        let encoded = self.flow.encode(payload, 0, &mut self.frame);
        encoded.map_err(io::Error::other)?;
        self.out.frame(time, &self.frame)
    }
}

/// A directory that goes away at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> io::Result<Scratch> {
        let path = std::env::temp_dir().join(format!("feed-replay-bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
