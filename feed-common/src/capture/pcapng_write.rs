//! Writes pcapng: one little-endian section, any number of interfaces, times in nanoseconds.
//!
//! ```text
//! block:   type 4 | length 4 | body... | length 4            the length counts all of it, a multiple of 4
//! option:  code 2 | length 2 | value... | padding to 4       code 0 ends them
//! section:    0x0A0D0D0A | 0x1A2B3C4D | major 2 = 1 | minor 2 = 0 | section length 8 = -1 | options
//! interface:  1 | link type 2 | 0 2 | snap length 4 | options
//! packet:     6 | interface 4 | time high 4 | time low 4 | bytes held 4 | bytes on the wire 4 | bytes... | options
//! statistics: 5 | interface 4 | time high 4 | time low 4 | options
//! ```
//!
//! Source: draft-ietf-opsawg-pcapng, sections 3 and 4.

use std::io::{self, Write};

use super::pcap::FRAME_MAX;
use crate::time::UnixNanos;

const SECTION: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;

const OPT_COMMENT: u16 = 1;
const SHB_HARDWARE: u16 = 2;
const SHB_OS: u16 = 3;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const EPB_DROPCOUNT: u16 = 4;
const ISB_STARTTIME: u16 = 2;
const ISB_ENDTIME: u16 = 3;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
const ISB_USRDELIV: u16 = 8;

/// What made the capture. Empty texts are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectionDescription<'a> {
    /// The machine.
    pub hardware: &'a str,
    /// Its operating system.
    pub os: &'a str,
    /// The program.
    pub application: &'a str,
    /// Anything else a reader should know.
    pub comment: &'a str,
}

/// Where packets come from. Empty texts are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceDescription<'a> {
    /// What its packets begin with: a number of the LINKTYPE registry.
    pub link_type: u16,
    /// Its name.
    pub name: &'a str,
    /// More about it.
    pub description: &'a str,
}

/// What is known about a packet besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketNote<'a> {
    /// As [`PcapngWriter::interface`] numbered it.
    pub interface: u32,
    /// When it was received.
    pub time: UnixNanos,
    /// Bytes it had on the wire.
    pub orig_len: usize,
    /// Packets lost between the one before it on its interface and this one; 0 is left out.
    pub lost_before: u64,
    /// Left out when empty.
    pub comment: &'a str,
}

/// What an interface came to, in packets from the start of the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    /// When the capture began; left out when unknown.
    pub start: UnixNanos,
    /// When it ended, which is also the time of the statistics.
    pub end: UnixNanos,
    /// Packets received, those lost afterwards among them.
    pub received: u64,
    /// Packets the capturing program had no room for.
    pub dropped: u64,
    /// Packets the operating system had no room for.
    pub os_dropped: u64,
    /// Packets in the file.
    pub delivered: u64,
}

/// Writes blocks as they are given, each with one write; the caller's `out` should be buffered.
#[derive(Debug)]
pub struct PcapngWriter<W: Write> {
    out: W,
    interfaces: u32,
    /// The block being put together; kept for its memory.
    block: Vec<u8>,
}

impl<W: Write> PcapngWriter<W> {
    /// Writes the header of the file's one section. `InvalidInput` when a text exceeds 65,535 bytes.
    pub fn new(out: W, section: &SectionDescription<'_>) -> io::Result<PcapngWriter<W>> {
        let mut writer = PcapngWriter {
            out,
            interfaces: 0,
            block: Vec::new(),
        };
        writer.begin(SECTION);
        writer.put(&BYTE_ORDER.to_le_bytes());
        writer.put(&1u16.to_le_bytes());
        writer.put(&0u16.to_le_bytes());
        writer.put(&(-1i64).to_le_bytes());
        writer.text(SHB_HARDWARE, section.hardware)?;
        writer.text(SHB_OS, section.os)?;
        writer.text(SHB_USERAPPL, section.application)?;
        writer.text(OPT_COMMENT, section.comment)?;
        writer.end()?;
        Ok(writer)
    }

    /// Describes an interface and returns its number, counted from 0. Errors as [`PcapngWriter::new`].
    pub fn interface(&mut self, interface: &InterfaceDescription<'_>) -> io::Result<u32> {
        self.begin(INTERFACE);
        self.put(&interface.link_type.to_le_bytes());
        self.put(&0u16.to_le_bytes());
        self.put(&(FRAME_MAX as u32).to_le_bytes());
        self.text(IF_NAME, interface.name)?;
        self.text(IF_DESCRIPTION, interface.description)?;
        self.option(IF_TSRESOL, &[9]);
        self.end()?;
        self.interfaces += 1;
        Ok(self.interfaces - 1)
    }

    /// Writes a whole frame. Errors as [`PcapngWriter::packet`].
    pub fn frame(&mut self, interface: u32, time: UnixNanos, bytes: &[u8]) -> io::Result<()> {
        let note = PacketNote {
            interface,
            time,
            orig_len: bytes.len(),
            ..PacketNote::default()
        };
        self.packet(&note, bytes)
    }

    /// Writes a frame of which `bytes` were kept. `InvalidInput` when they exceed [`FRAME_MAX`], the interface has not
    /// been described, or the comment exceeds 65,535 bytes; nothing is written then.
    pub fn packet(&mut self, note: &PacketNote<'_>, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > FRAME_MAX {
            return Err(refused("a frame above 262144 bytes"));
        }
        let orig_len = u32::try_from(note.orig_len).map_err(|_| refused("a frame above 4 GiB"))?;
        self.begin(PACKET);
        self.stamp(note.interface, note.time)?;
        self.put(&(bytes.len() as u32).to_le_bytes());
        self.put(&orig_len.to_le_bytes());
        self.put(bytes);
        self.pad();
        if note.lost_before != 0 {
            self.option(EPB_DROPCOUNT, &note.lost_before.to_le_bytes());
        }
        self.text(OPT_COMMENT, note.comment)?;
        self.end()
    }

    /// Writes what an interface came to. `InvalidInput` when it has not been described.
    pub fn statistics(&mut self, interface: u32, counts: &InterfaceStatistics) -> io::Result<()> {
        self.begin(STATISTICS);
        self.stamp(interface, counts.end)?;
        for (code, time) in [(ISB_STARTTIME, counts.start), (ISB_ENDTIME, counts.end)] {
            if time.is_known() {
                self.option(code, time_words(time).as_flattened());
            }
        }
        for (code, count) in [
            (ISB_IFRECV, counts.received),
            (ISB_IFDROP, counts.dropped),
            (ISB_OSDROP, counts.os_dropped),
            (ISB_USRDELIV, counts.delivered),
        ] {
            self.option(code, &count.to_le_bytes());
        }
        self.end()
    }

    /// What is written to, between blocks: for callers that pass blocks on from memory.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Flushes and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    /// Begins a block; its length is filled in at the end.
    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.put(&kind.to_le_bytes());
        self.put(&[0; 4]);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
    }

    /// Fills up to a multiple of 4, which every block begins at.
    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// The fields that packets and statistics begin with.
    fn stamp(&mut self, interface: u32, time: UnixNanos) -> io::Result<()> {
        if interface >= self.interfaces {
            return Err(refused("what comes from an interface it does not describe"));
        }
        self.put(&interface.to_le_bytes());
        self.put(time_words(time).as_flattened());
        Ok(())
    }

    /// An option with a text, which is left out when empty.
    fn text(&mut self, code: u16, text: &str) -> io::Result<()> {
        if text.len() > u16::MAX as usize {
            return Err(refused("a text above 65535 bytes"));
        }
        if !text.is_empty() {
            self.option(code, text.as_bytes());
        }
        Ok(())
    }

    /// An option; values are at most 65,535 bytes, which [`PcapngWriter::text`] sees to.
    fn option(&mut self, code: u16, value: &[u8]) {
        self.put(&code.to_le_bytes());
        self.put(&(value.len() as u16).to_le_bytes());
        self.put(value);
        self.pad();
    }

    /// Completes the block and writes it.
    fn end(&mut self) -> io::Result<()> {
        // Readers accept options without an end, and an end without options; this is the form all of them write.
        self.put(&[0; 4]);
        let length = (self.block.len() as u32 + 4).to_le_bytes();
        self.block[4..8].copy_from_slice(&length);
        self.put(&length);
        self.out.write_all(&self.block)
    }
}

/// A time as its two words: the high one comes first in either byte order.
fn time_words(time: UnixNanos) -> [[u8; 4]; 2] {
    [(time.0 >> 32) as u32, time.0 as u32].map(u32::to_le_bytes)
}

fn refused(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("pcapng cannot hold {what}"),
    )
}

#[cfg(test)]
#[path = "pcapng_write_tests.rs"]
mod tests;
