//! The records of a capture in file order: frames, or runs of messages of a file without frames.

use std::time::Duration;

use super::binaryfile::BinaryFileParser;
use super::cut::{Cut, CutReason};
use super::faults::Faults;
use super::interfaces::LinkSeen;
use super::parsed::{FrameAt, Parsed, RunAt};
use super::pcap::FILE_HEADER;
use super::pcap_read::PcapParser;
use super::pcapng_read::PcapngParser;
use super::window::{Refill, Window};
use crate::time::UnixNanos;
use crate::wire::frame::{LinkType, Skip};

/// A captured frame in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Position in the file, from 1.
    pub number: u64,
    /// When the capturing machine saw it; unknown in a simple packet of pcapng.
    pub time: UnixNanos,
    /// Bytes it had on the wire.
    pub orig_len: u32,
    /// What its bytes begin with.
    pub link: LinkType,
    /// The bytes held, from the link layer on.
    pub bytes: &'a [u8],
}

/// A run of whole records of a BinaryFILE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Position of its first record in the file, from 1.
    pub first_record: u64,
    /// Records in it, at least 1.
    pub records: u32,
    /// The records, each with its length before it.
    pub bytes: &'a [u8],
}

/// One step through a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A frame as captured.
    Frame(Frame<'a>),
    /// A frame that cannot be read.
    Unusable(Skip),
    /// Messages without frames.
    Run(Chunk<'a>),
}

/// Reads a file's records. Each borrows from the reader until the next is asked for: a stream has no more than a block
/// of itself in memory.
#[derive(Debug)]
pub struct Records<'f> {
    pub(super) window: Window<'f>,
    pub(super) cursor: Cursor,
}

/// The formats.
#[derive(Clone, Debug)]
pub(super) enum Parser {
    Pcap(PcapParser),
    Pcapng(Box<PcapngParser>),
    BinaryFile(BinaryFileParser),
}

/// A parser and its position in the window.
#[derive(Debug)]
pub(super) struct Cursor {
    parser: Parser,
    at: usize,
    /// Bytes of the file header that are still to be stepped over.
    header: usize,
    /// Set at the end: how it came.
    end: Option<Option<Cut>>,
}

/// What a step through the window came to.
pub(super) enum Stepped {
    Frame(FrameAt),
    Unusable(Skip),
    Run(RunAt),
    /// Nothing to hand out.
    Passed,
    /// The window has to be replaced.
    Short,
    End,
}

impl<'f> Records<'f> {
    pub(super) fn new(parser: Parser, window: Window<'f>) -> Records<'f> {
        let header = match parser {
            Parser::Pcap(_) => FILE_HEADER,
            _ => 0,
        };
        let mut cursor = Cursor {
            parser,
            at: 0,
            header,
            end: None,
        };
        cursor.step_over_header(window.bytes().len());
        Records { window, cursor }
    }

    /// The next record; a run has as many messages as fit `run` bytes, and at least one.
    pub fn next(&mut self, run: usize) -> Option<Record<'_>> {
        loop {
            if let Some(frame) = self.cursor.whole_frame(self.window.bytes()) {
                self.cursor.take(&frame);
                return Some(Record::Frame(frame.within(self.window.bytes())));
            }
            match self.cursor.step(&self.window, run) {
                Stepped::Frame(frame) => {
                    return Some(Record::Frame(frame.within(self.window.bytes())));
                }
                Stepped::Unusable(reason) => return Some(Record::Unusable(reason)),
                Stepped::Run(run) => {
                    return Some(Record::Run(Chunk {
                        first_record: run.first_record,
                        records: run.records,
                        bytes: &self.window.bytes()[run.bytes],
                    }));
                }
                Stepped::Passed => {}
                Stepped::Short => {
                    self.refill(None);
                }
                Stepped::End => return None,
            }
        }
    }

    /// Replaces a window that is [`Stepped::Short`]; whether there is a new one or an end, and not only nothing yet.
    pub(super) fn refill(&mut self, wait: Option<Duration>) -> bool {
        let cursor = &mut self.cursor;
        match self.window.refill(&mut cursor.at, wait) {
            Refill::More => {
                cursor.step_over_header(self.window.bytes().len());
                true
            }
            Refill::Pending => false,
            Refill::End(reason) => {
                let rest = self.window.bytes().len() - cursor.at;
                cursor.finish(self.window.base(), rest, reason);
                true
            }
        }
    }

    /// Bytes of the file, unpacked, gone through so far.
    pub fn position(&self) -> u64 {
        self.window.base() + self.cursor.at as u64
    }

    /// Bytes of the file as it is, packed or not, read so far: beside the length of [`CaptureFile::bytes`], how far this is.
    ///
    /// [`CaptureFile::bytes`]: super::CaptureFile::bytes
    pub fn taken(&self) -> u64 {
        self.window.taken(self.cursor.at)
    }

    /// Why the records ended before the end of the file, where they did; asked after the last one.
    pub fn cut(&self) -> Option<Cut> {
        self.cursor.end.flatten()
    }

    /// What contradicted itself in the blocks so far; nothing in formats without blocks.
    pub fn faults(&self) -> Faults {
        match &self.cursor.parser {
            Parser::Pcapng(parser) => *parser.faults(),
            _ => Faults::default(),
        }
    }

    /// The link types of the file so far, each with its frames.
    pub fn links(&self) -> Vec<LinkSeen> {
        match &self.cursor.parser {
            Parser::Pcap(parser) => vec![LinkSeen {
                number: parser.header().link_number,
                frames: parser.frames(),
            }],
            Parser::Pcapng(parser) => parser.links().to_vec(),
            Parser::BinaryFile(_) => Vec::new(),
        }
    }

    /// Sections so far; only pcapng has them.
    pub fn sections(&self) -> u64 {
        match &self.cursor.parser {
            Parser::Pcapng(parser) => parser.sections(),
            _ => 0,
        }
    }

    /// Interfaces described so far; only pcapng does.
    pub fn interfaces(&self) -> u64 {
        match &self.cursor.parser {
            Parser::Pcapng(parser) => parser.interfaces(),
            _ => 0,
        }
    }
}

impl Cursor {
    /// The next frame of a pcap file, if the window has all of it: what nearly every step comes to there, in line so that
    /// the frame stays in registers. [`Cursor::take`] goes on behind it.
    #[inline(always)]
    pub(super) fn whole_frame(&self, window: &[u8]) -> Option<FrameAt> {
        match &self.parser {
            Parser::Pcap(parser) => parser.whole_frame(window, self.at),
            _ => None,
        }
    }

    /// Steps over what [`Cursor::whole_frame`] found.
    #[inline(always)]
    pub(super) fn take(&mut self, frame: &FrameAt) {
        if let Parser::Pcap(parser) = &mut self.parser {
            parser.take(frame, &mut self.at);
        }
    }

    /// The next step in the window; `run` bounds a run of messages.
    pub(super) fn step(&mut self, window: &Window<'_>, run: usize) -> Stepped {
        if self.end.is_some() {
            return Stepped::End;
        }
        let bytes = window.bytes();
        let parsed = match &mut self.parser {
            Parser::Pcap(parser) => parser.next(bytes, &mut self.at),
            Parser::Pcapng(parser) => parser.next(bytes, &mut self.at),
            Parser::BinaryFile(parser) => parser.next(bytes, &mut self.at, run),
        };
        match parsed {
            Parsed::Frame(frame) => Stepped::Frame(frame),
            Parsed::Run(run) => Stepped::Run(run),
            Parsed::Unusable(reason) => Stepped::Unusable(reason),
            Parsed::Passed => Stepped::Passed,
            Parsed::Short => Stepped::Short,
            Parsed::Damaged(reason) => {
                let offset = window.base() + self.at as u64;
                self.end = Some(Some(Cut { offset, reason }));
                Stepped::End
            }
        }
    }

    /// The file header was read when the file was opened. The window, `len` bytes, may hold only part of it.
    fn step_over_header(&mut self, len: usize) {
        let step = self.header.min(len - self.at);
        self.at += step;
        self.header -= step;
    }

    /// The end of the window's bytes, of which `rest` are left: the proper end of the file, or a cut.
    #[cold]
    fn finish(&mut self, base: u64, rest: usize, reason: Option<CutReason>) {
        let offset = base + self.at as u64;
        let partial = (rest > 0).then_some(CutReason::PartialRecord);
        let (offset, own) = match &self.parser {
            Parser::Pcapng(parser) if parser.is_inside() => {
                (parser.position(), Some(CutReason::PartialRecord))
            }
            Parser::BinaryFile(parser) if parser.behind() > 0 => {
                let behind = parser.behind();
                (offset - behind, Some(CutReason::BehindEnd(behind)))
            }
            _ => (offset, partial),
        };
        self.end = Some(reason.or(own).map(|reason| Cut { offset, reason }));
    }
}
