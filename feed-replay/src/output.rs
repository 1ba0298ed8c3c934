//! Where made sessions go: capture files.

use crate::synth::{MessageSink, PacketSink};
use feed_common::capture::{BinaryFileWriter, PcapWriter};
use feed_common::time::UnixNanos;
use feed_common::wire::frame::UdpFlow;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Writes packets as frames of a nanosecond pcap: Ethernet, IPv4, UDP to a multicast group, or to several as redundant
/// lines carry them.
#[derive(Debug)]
pub struct PcapSink<W: Write> {
    writer: PcapWriter<W>,
    flows: Vec<UdpFlow>,
    /// IP identification of the next packet.
    id: u16,
    frame: Vec<u8>,
}

impl<W: Write> PcapSink<W> {
    /// Group and port of made sessions, unless others are asked for.
    pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 192, 50, 1), 26_477);

    /// The sender in the frames: an address of a documentation network (RFC 5737).
    const SOURCE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 10), 26_400);

    /// Begins a file whose packets go to `group`. `out` should be buffered.
    pub fn new(out: W, group: SocketAddrV4) -> io::Result<PcapSink<W>> {
        PcapSink::lines(out, &[group])
    }

    /// Begins a file in which every packet goes to each of `groups`, in this order and at the same time.
    pub fn lines(out: W, groups: &[SocketAddrV4]) -> io::Result<PcapSink<W>> {
        let flow = |&group| UdpFlow::multicast(Self::SOURCE, group);
        Ok(PcapSink {
            writer: PcapWriter::new(out)?,
            flows: groups.iter().map(flow).collect(),
            id: 0,
            frame: Vec::with_capacity(2_048),
        })
    }

    /// Flushes and gives the output back.
    pub fn finish(self) -> io::Result<W> {
        self.writer.finish()
    }
}

impl<W: Write> PacketSink for PcapSink<W> {
    fn packet(&mut self, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        for flow in &self.flows {
            let encoded = flow.encode(payload, self.id, &mut self.frame);
            encoded.map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
            self.writer.frame(time, &self.frame)?;
        }
        self.id = self.id.wrapping_add(1);
        Ok(())
    }
}

/// Writes messages as a BinaryFILE.
#[derive(Debug)]
pub struct BinaryFileSink<W: Write>(pub BinaryFileWriter<W>);

impl<W: Write> MessageSink for BinaryFileSink<W> {
    fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
        self.0.message(message)
    }
}
