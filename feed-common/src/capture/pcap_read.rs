//! Reads classic pcap in place.

use super::ahead::prefetch_two_lines;
use super::cut::{Cut, CutReason};
use super::format::{Format, FormatError};
use super::pcap::{ByteOrder, FILE_HEADER, FRAME_MAX, Flavour, RECORD_HEADER};
use crate::time::UnixNanos;
use crate::wire::frame::LinkType;

/// A captured frame in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Position in the file, from 1.
    pub number: u64,
    /// When the capturing machine saw it.
    pub time: UnixNanos,
    /// Bytes it had on the wire.
    pub orig_len: u32,
    /// What its bytes begin with.
    pub link: LinkType,
    /// The bytes held, from the link layer on.
    pub bytes: &'a [u8],
}

/// What a file header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcapHeader {
    /// Byte order and time unit.
    pub flavour: Flavour,
    /// What every frame begins with.
    pub link: LinkType,
}

impl PcapHeader {
    /// Reads the header of `file`. The snap length is not looked at: files carry any value there.
    pub fn parse(file: &[u8]) -> Result<PcapHeader, FormatError> {
        let flavour = match Format::detect(file) {
            Format::Pcap(flavour) => flavour,
            other => return Err(FormatError::Unsupported(other)),
        };
        let header: &[u8; FILE_HEADER] = file
            .first_chunk()
            .ok_or(FormatError::ShortHeader(file.len()))?;
        let (words, _) = header.as_chunks::<4>();
        let (major, minor) = flavour.order.read_two_u16(words[1]);
        if major != 2 {
            return Err(FormatError::Version(major, minor));
        }
        // The upper half may announce a frame check sequence, which the IP length cuts off anyway.
        let link = flavour.order.read_u32(words[5]) as u16;
        let link = LinkType::try_from(link)?;
        Ok(PcapHeader { flavour, link })
    }
}

/// Iterates the frames of a file. Ends at the first record that is not whole; [`PcapReader::cut`] then tells.
#[derive(Clone, Debug)]
pub struct PcapReader<'a> {
    header: PcapHeader,
    rest: &'a [u8],
    file_len: usize,
    frames: u64,
}

impl<'a> PcapReader<'a> {
    /// Reads `file`, header included.
    pub fn new(file: &'a [u8]) -> Result<PcapReader<'a>, FormatError> {
        Ok(PcapReader::behind(PcapHeader::parse(file)?, file))
    }

    /// Reads `file`, whose header has been read.
    pub(super) fn behind(header: PcapHeader, file: &'a [u8]) -> PcapReader<'a> {
        PcapReader {
            header,
            rest: file.get(FILE_HEADER..).unwrap_or_default(),
            file_len: file.len(),
            frames: 0,
        }
    }

    /// What the file header says.
    pub fn header(&self) -> PcapHeader {
        self.header
    }

    /// Why the iteration ended before the end of the file; `None` where it did not (also before it has ended).
    pub fn cut(&self) -> Option<Cut> {
        let offset = (self.file_len - self.rest.len()) as u64;
        let reason = match self.split() {
            Ok(_) => return None,
            Err(_) if self.rest.is_empty() => return None,
            Err(reason) => reason,
        };
        Some(Cut { offset, reason })
    }

    /// The next record's header, its frame, and what follows.
    #[inline]
    fn split(&self) -> Result<Split<'a>, CutReason> {
        let cut = CutReason::PartialRecord;
        let (header, body) = self.rest.split_first_chunk().ok_or(cut)?;
        let (words, _) = (header as &[u8; RECORD_HEADER]).as_chunks::<4>();
        let len = self.header.flavour.order.read_u32(words[2]);
        if len as usize > FRAME_MAX {
            return Err(CutReason::RecordTooLong(len));
        }
        let (bytes, rest) = body.split_at_checked(len as usize).ok_or(cut)?;
        Ok((header, bytes, rest))
    }
}

type Split<'a> = (&'a [u8; RECORD_HEADER], &'a [u8], &'a [u8]);

impl<'a> Iterator for PcapReader<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        let (header, bytes, rest) = self.split().ok()?;
        self.rest = rest;
        prefetch_two_lines(rest);
        self.frames += 1;
        let Flavour { order, unit } = self.header.flavour;
        let (words, _) = header.as_chunks::<4>();
        let seconds = order.read_u32(words[0]) as u64;
        // A fraction of a second or more carries by itself; the greatest sum is 4.3e18 + 4.3e12, below 2^63.
        let fraction = order.read_u32(words[1]) as u64 * unit.nanos() as u64;
        Some(Frame {
            number: self.frames,
            time: UnixNanos(seconds * 1_000_000_000 + fraction),
            orig_len: order.read_u32(words[3]),
            link: self.header.link,
            bytes,
        })
    }
}

impl std::iter::FusedIterator for PcapReader<'_> {}

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
