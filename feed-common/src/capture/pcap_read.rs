//! Reads classic pcap in place.

use super::ahead::prefetch_lines;
use super::cut::CutReason;
use super::format::{Format, FormatError};
use super::parsed::{FrameAt, Parsed};
use super::pcap::{ByteOrder, FILE_HEADER, FRAME_MAX, Flavour, RECORD_HEADER};
use crate::time::UnixNanos;
use crate::wire::frame::LinkType;

/// What a file header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcapHeader {
    /// Byte order and time unit.
    pub flavour: Flavour,
    /// What every frame begins with.
    pub link: LinkType,
    /// The number of that in the LINKTYPE registry.
    pub link_number: u16,
}

impl PcapHeader {
    /// Reads the header of `file`. The snap length is not looked at: files carry any value there.
    pub fn parse(file: &[u8]) -> Result<PcapHeader, FormatError> {
        let flavour = match Format::detect(file) {
            Format::Pcap(flavour) => flavour,
            other => return Err(FormatError::Unsupported(other)),
        };
        let header: &[u8; FILE_HEADER] = file.first_chunk().ok_or(FormatError::ShortHeader {
            format: "pcap",
            held: file.len(),
            needed: FILE_HEADER,
        })?;
        let (words, _) = header.as_chunks::<4>();
        let (major, minor) = flavour.order.read_two_u16(words[1]);
        if major != 2 {
            return Err(FormatError::Version(major, minor));
        }
        // The upper half may announce a frame check sequence, which the IP length cuts off anyway.
        let link_number = flavour.order.read_u32(words[5]) as u16;
        let link = LinkType::try_from(link_number)?;
        Ok(PcapHeader {
            flavour,
            link,
            link_number,
        })
    }
}

/// The state between two frames.
#[derive(Clone, Debug)]
pub(super) struct PcapParser {
    header: PcapHeader,
    frames: u64,
}

impl PcapParser {
    /// Behind the file header.
    pub(super) fn new(header: PcapHeader) -> PcapParser {
        PcapParser { header, frames: 0 }
    }

    /// What the file header says.
    pub(super) fn header(&self) -> PcapHeader {
        self.header
    }

    /// Frames so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// The next frame.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8], at: &mut usize) -> Parsed {
        match self.whole_frame(bytes, *at) {
            Some(frame) => {
                self.take(&frame, at);
                Parsed::Frame(frame)
            }
            None => self.obstacle(&bytes[*at..]),
        }
    }

    /// The next frame, if the window has all of it. [`PcapParser::take`] goes on behind it.
    #[inline(always)]
    pub(super) fn whole_frame(&self, bytes: &[u8], at: usize) -> Option<FrameAt> {
        let (header, body) = bytes.get(at..)?.split_first_chunk::<RECORD_HEADER>()?;
        let Flavour { order, unit } = self.header.flavour;
        let (words, _) = header.as_chunks::<4>();
        let held = order.read_u32(words[2]) as usize;
        if held > FRAME_MAX || held > body.len() {
            return None;
        }
        let start = at + RECORD_HEADER;
        prefetch_lines(bytes, at, start + held);
        let seconds = u64::from(order.read_u32(words[0]));
        // A fraction of a second or more carries by itself; the greatest sum is 4.3e18 + 4.3e12, below 2^63.
        let fraction = u64::from(order.read_u32(words[1])) * u64::from(unit.nanos());
        Some(FrameAt {
            number: self.frames + 1,
            time: UnixNanos(seconds * 1_000_000_000 + fraction),
            orig_len: order.read_u32(words[3]),
            link: self.header.link,
            bytes: start..start + held,
        })
    }

    /// Steps over a frame that was found.
    #[inline(always)]
    pub(super) fn take(&mut self, frame: &FrameAt, at: &mut usize) {
        self.frames = frame.number;
        *at = frame.bytes.end;
    }

    /// Why there is no whole frame at the start of `rest`.
    #[cold]
    fn obstacle(&self, rest: &[u8]) -> Parsed {
        let Some(header) = rest.first_chunk::<RECORD_HEADER>() else {
            return Parsed::Short;
        };
        let (words, _) = header.as_chunks::<4>();
        match self.header.flavour.order.read_u32(words[2]) {
            held if held as usize > FRAME_MAX => Parsed::Damaged(CutReason::RecordTooLong(held)),
            _ => Parsed::Short,
        }
    }
}

impl ByteOrder {
    /// Two 16-bit integers side by side.
    fn read_two_u16(self, bytes: [u8; 4]) -> (u16, u16) {
        let value = self.read_u32(bytes);
        let (high, low) = ((value >> 16) as u16, value as u16);
        match self {
            ByteOrder::Little => (low, high),
            ByteOrder::Big => (high, low),
        }
    }
}

#[cfg(test)]
#[path = "pcap_tests.rs"]
mod tests;
