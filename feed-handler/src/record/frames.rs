//! From recorded packets back to the frames of a capture.

use super::queue::held;
use crate::config::{LanePlan, LinePlan};
use feed_common::capture::{
    InterfaceDescription, InterfaceStatistics, PacketNote, PcapWriter, PcapngWriter,
    SectionDescription,
};
use feed_common::packet::Packet;
use feed_common::time::{FitLine, UnixNanos};
use feed_common::wire::frame::UdpFlow;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use zerocopy::IntoBytes;

/// Formats a recording can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordFormat {
    Pcap,
    Pcapng,
}

impl RecordFormat {
    /// The format a file's name asks for: pcapng unless it ends in `.pcap`. `None` when it asks for compression.
    pub(super) fn of(file: &Path) -> Option<RecordFormat> {
        let extension = file.extension().map(|e| e.to_ascii_lowercase());
        match extension.as_ref().and_then(|e| e.to_str()) {
            Some("gz" | "zst" | "xz" | "lz4" | "bz2") => None,
            Some("pcap") => Some(RecordFormat::Pcap),
            _ => Some(RecordFormat::Pcapng),
        }
    }
}

/// What every capture of ours says about its headers, which a socket does not show.
const COMMENT: &str = "Ethernet, IPv4 and UDP headers are made from the configured lines: a source that was not \
                       configured is 0.0.0.0:0";

/// Said of a packet whose line the kernel stamps, when it did not stamp this one.
const USER_TIME: &str = "time: user space, not stamped by the kernel";

/// Said of a packet that was longer than a slot. How much longer is not known.
const LONGER: &str = "longer than what was kept, by one byte at least";

/// Builds the frames of all lines, in memory.
pub(super) struct Frames {
    out: Writer,
    lines: Vec<Line>,
    /// The frame being put together.
    frame: Vec<u8>,
    start: UnixNanos,
}

/// What a recording lacks of a line, in packets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lost {
    /// Found the queue full, or before it the packet ring.
    pub(super) here: u64,
    /// Found the socket's buffer full.
    pub(super) system: u64,
}

enum Writer {
    Pcap(PcapWriter<Vec<u8>>),
    Pcapng(PcapngWriter<Vec<u8>>),
}

/// A line, which is an interface of the capture.
struct Line {
    flow: UdpFlow,
    /// Whether the kernel should have stamped its packets.
    stamped: bool,
    packets: u64,
    /// As of the last packet: what the queue and the socket's buffer had lost.
    queue_lost: u64,
    socket_lost: u64,
}

impl Frames {
    /// Begins a capture of all lines of `lanes`, numbered through.
    pub(super) fn new(
        format: RecordFormat,
        lanes: &[LanePlan],
        machine: &SectionDescription<'_>,
    ) -> io::Result<Frames> {
        let lines = lanes.iter().flat_map(|lane| {
            let stamped = lane.timestamps.by_kernel();
            lane.lines().map(move |(_, line)| Line::new(line, stamped))
        });
        let out = match format {
            RecordFormat::Pcap => Writer::Pcap(PcapWriter::new(Vec::new())?),
            RecordFormat::Pcapng => {
                let section = SectionDescription {
                    comment: COMMENT,
                    ..*machine
                };
                let mut out = PcapngWriter::new(Vec::new(), &section)?;
                for lane in lanes {
                    describe(lane, &mut out)?;
                }
                Writer::Pcapng(out)
            }
        };
        Ok(Frames {
            out,
            lines: lines.collect(),
            frame: Vec::new(),
            start: UnixNanos::now(),
        })
    }

    /// Adds a packet of line `number` as it lay in its queue. `clock` turns the receive time of one that the kernel has
    /// not stamped into wall-clock time.
    pub(super) fn packet(
        &mut self,
        number: usize,
        packet: Packet<'_>,
        clock: FitLine,
    ) -> io::Result<()> {
        let (meta, (lost, bytes)) = (packet.meta, held(packet));
        let line = self.lines.get_mut(number).ok_or_else(unknown_line)?;
        let missing = usize::from(meta.is_truncated());
        // The identification only has to differ between neighbours.
        let headers = line
            .flow
            .headers(bytes.len() + missing, line.packets as u16)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        self.frame.clear();
        self.frame.extend_from_slice(headers.as_bytes());
        self.frame.extend_from_slice(bytes);
        let orig_len = self.frame.len() + missing;
        let time = match meta.kernel {
            stamp if stamp.is_known() => stamp,
            _ => clock.to_unix(meta.rx),
        };
        match &mut self.out {
            Writer::Pcap(out) => out.cut_frame(time, &self.frame, orig_len)?,
            Writer::Pcapng(out) => {
                let comment = match (missing > 0, line.stamped && !meta.kernel.is_known()) {
                    (true, _) => LONGER,
                    (false, true) => USER_TIME,
                    (false, false) => "",
                };
                let lost_before = lost.saturating_sub(line.queue_lost)
                    + meta.socket_drops.saturating_sub(line.socket_lost);
                let note = PacketNote {
                    interface: number as u32,
                    time,
                    orig_len,
                    lost_before,
                    comment,
                };
                out.packet(&note, &self.frame)?;
            }
        }
        line.packets += 1;
        line.queue_lost = lost;
        line.socket_lost = meta.socket_drops;
        Ok(())
    }

    /// Adds what line `number` came to, where the format has a place for it.
    pub(super) fn statistics(&mut self, number: usize, lost: Lost) -> io::Result<()> {
        let Writer::Pcapng(out) = &mut self.out else {
            return Ok(());
        };
        let line = self.lines.get(number).ok_or_else(unknown_line)?;
        let counts = InterfaceStatistics {
            start: self.start,
            end: UnixNanos::now(),
            received: line.packets + lost.here + lost.system,
            dropped: lost.here,
            os_dropped: lost.system,
            delivered: line.packets,
        };
        out.statistics(number as u32, &counts)
    }

    /// The bytes of the capture since they were last taken away.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        match &mut self.out {
            Writer::Pcap(out) => out.get_mut(),
            Writer::Pcapng(out) => out.get_mut(),
        }
    }
}

impl Line {
    fn new(line: &LinePlan, stamped: bool) -> Line {
        let group = line.address.group;
        let source = line.address.source.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let mut flow = UdpFlow::multicast(SocketAddrV4::new(source, 0), group);
        if !group.ip().is_multicast() {
            let [a, b, c, d] = group.ip().octets();
            flow.dst_mac = [0x02, 0x00, a, b, c, d];
        }
        Line {
            flow,
            stamped,
            packets: 0,
            queue_lost: 0,
            socket_lost: 0,
        }
    }
}

/// An interface for each line of a lane, called "channel/line".
fn describe(lane: &LanePlan, out: &mut PcapngWriter<Vec<u8>>) -> io::Result<()> {
    // Also where a card stamps: its time is of its own clock, and readers of captures expect UTC.
    let times = match lane.timestamps.by_kernel() {
        true => "kernel receive times",
        false => "user-space receive times",
    };
    for (channel, line) in lane.lines() {
        out.interface(&InterfaceDescription {
            link_type: 1,
            name: &format!("{}/{}", lane.channels[channel].name, line.name),
            description: &format!("{}; {times}", line.address),
        })?;
    }
    Ok(())
}

fn unknown_line() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a packet of no line")
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
