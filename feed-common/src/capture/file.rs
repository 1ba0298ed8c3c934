//! A capture file opened: its bytes, what it is, and readers over them.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::binaryfile::BinaryFileParser;
use super::cut::{Cut, CutReason};
use super::format::{Compression, Format, FormatError};
use super::pcap_read::{PcapHeader, PcapParser};
use super::pcapng_read::PcapngParser;
use super::records::{Parser, Records};
use super::stream::{Held, Source, Stream, compressed, plain};
use super::window::{Refill, Window};
use crate::sys::file::{FileBytes, Opened};

/// An open capture whose header has been read; readers borrow from it.
///
/// A regular file is mapped and must not be cut while it is open (see [`FileBytes`]). A compressed one is unpacked anew
/// by each reader, on a thread of its own that never gets more than a few blocks ahead.
#[derive(Debug)]
pub struct CaptureFile {
    path: PathBuf,
    bytes: Bytes,
    compression: Option<Compression>,
    format: Format,
    parser: Parser,
}

/// Why a file gives no records at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused.
    #[error("{}: {reason}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// It is no capture this build reads.
    #[error("{}: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: FormatError,
    },
}

#[derive(Debug)]
enum Bytes {
    /// As they are in the file, to be read any number of times.
    Whole(Arc<FileBytes>),
    /// A pipe, until somebody takes it.
    Once(Mutex<Option<Box<Stream>>>),
}

impl CaptureFile {
    /// Opens a file by path; `-` is standard input. A pipe is kept as it comes in a temporary file without a name, so that
    /// it can be read several times; this returns when the pipe has ended.
    pub fn open(path: impl AsRef<Path>) -> Result<CaptureFile, OpenError> {
        let path = path.as_ref();
        let bytes = FileBytes::open(path).map_err(|e| refused(path, e))?;
        CaptureFile::of(path, bytes)
    }

    /// Opens a file by path; `-` is standard input. A pipe is read as it arrives, once: this returns when its first bytes
    /// have come. What can be mapped is, and [`CaptureFile::open`] does the same.
    pub fn open_once(path: impl AsRef<Path>) -> Result<CaptureFile, OpenError> {
        let path = path.as_ref();
        match FileBytes::open_once(path).map_err(|e| refused(path, e))? {
            Opened::Whole(bytes) => CaptureFile::of(path, bytes),
            Opened::Pipe(pipe) => CaptureFile::of_pipe(path, pipe),
        }
    }

    /// Opens a file as [`CaptureFile::open_once`] opens a pipe, also one that could be mapped: to compare the two.
    pub fn read_once(path: impl AsRef<Path>) -> Result<CaptureFile, OpenError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| refused(path, e))?;
        CaptureFile::of_pipe(path, file)
    }

    /// Takes a file that is in memory; `path` is only what messages call it.
    pub fn from_memory(path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<CaptureFile, OpenError> {
        CaptureFile::of(path.as_ref(), FileBytes::Memory(bytes))
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it is, compressed or not; `None` of one that can be read only once.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.bytes {
            Bytes::Whole(bytes) => Some(bytes),
            Bytes::Once(_) => None,
        }
    }

    /// Lets go of the memory of bytes that will not be looked at soon; they are read from the file again when they are.
    pub fn release(&self, range: Range<usize>) {
        if let Bytes::Whole(bytes) = &self.bytes {
            bytes.release(range);
        }
    }

    /// What it is, compressed or not.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What it is inside of.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// Bytes of the file, unpacked, where that is known before it has been read.
    pub fn length(&self) -> Option<u64> {
        match (&self.bytes, self.compression) {
            (Bytes::Whole(bytes), None) => Some(bytes.len() as u64),
            _ => None,
        }
    }

    /// True when it can be read only once.
    pub fn is_once(&self) -> bool {
        matches!(self.bytes, Bytes::Once(_))
    }

    /// Its records from the first on. Those of a file that can be read once are gone the second time, and the cut says so.
    pub fn records(&self) -> Records<'_> {
        let window = match (&self.bytes, self.compression) {
            (Bytes::Whole(bytes), None) => Window::Whole(bytes),
            (Bytes::Whole(bytes), Some(compression)) => {
                let source = compressed(compression, Held::new(bytes.clone()));
                Window::Stream(Box::new(Stream::new(source)))
            }
            (Bytes::Once(stream), _) => {
                let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                let taken = || Box::new(Stream::ended(CutReason::Taken));
                Window::Stream(stream.take().unwrap_or_else(taken))
            }
        };
        Records::new(self.parser.clone(), window)
    }

    /// Its records through windows of `block` bytes, though all of it is there: to compare the two.
    pub fn records_in_blocks(&self, block: usize) -> Records<'_> {
        let Bytes::Whole(bytes) = &self.bytes else {
            return self.records();
        };
        let held = Held::new(bytes.clone());
        let source = match self.compression {
            Some(compression) => compressed(compression, held),
            None => plain(None, held),
        };
        let window = Window::Stream(Box::new(Stream::with_block(source, block)));
        Records::new(self.parser.clone(), window)
    }

    fn of(path: &Path, bytes: FileBytes) -> Result<CaptureFile, OpenError> {
        let bytes = Arc::new(bytes);
        let compression = Compression::of(Format::detect(&bytes));
        let parsed = match compression {
            None => parser(&bytes, None, None),
            Some(compression) => {
                let source = compressed(compression, Held::new(bytes.clone()));
                // As much as the header takes, and no block more.
                let mut head = Stream::with_block(source, Format::DETECT);
                let cut = gather(&mut head);
                parser(head.bytes(), Some(compression), cut)
            }
        };
        let (format, parser) = parsed.map_err(|reason| unreadable(path, reason))?;
        Ok(CaptureFile {
            path: path.to_owned(),
            bytes: Bytes::Whole(bytes),
            compression,
            format,
            parser,
        })
    }

    fn of_pipe(
        path: &Path,
        mut pipe: impl Read + Send + 'static,
    ) -> Result<CaptureFile, OpenError> {
        let mut magic = Vec::new();
        let first = pipe.by_ref().take(4).read_to_end(&mut magic);
        first.map_err(|e| refused(path, e))?;
        let compression = Compression::of(Format::detect(&magic));
        let all = io::Cursor::new(magic).chain(pipe);
        let source: Box<dyn Source> = plain(compression, all);
        let mut stream = Stream::new(source);
        let cut = gather(&mut stream);
        let (format, parser) =
            parser(stream.bytes(), compression, cut).map_err(|reason| unreadable(path, reason))?;
        Ok(CaptureFile {
            path: path.to_owned(),
            bytes: Bytes::Once(Mutex::new(Some(Box::new(stream)))),
            compression,
            format,
            parser,
        })
    }
}

/// Waits for as many bytes as tell a format; why there are fewer, if there are.
fn gather(stream: &mut Stream) -> Option<Cut> {
    let mut at = 0;
    while stream.bytes().len() < Format::DETECT {
        if let Refill::End(reason) = stream.refill(&mut at, None) {
            let offset = stream.bytes().len() as u64;
            return reason.map(|reason| Cut { offset, reason });
        }
    }
    None
}

/// What a file is whose unpacked bytes begin with `head`, and its parser. `cut`: why there are no more of them.
fn parser(
    head: &[u8],
    compression: Option<Compression>,
    cut: Option<Cut>,
) -> Result<(Format, Parser), FormatError> {
    let format = Format::detect(head);
    let parser = match format {
        Format::Pcap(_) => PcapHeader::parse(head).map(|h| Parser::Pcap(PcapParser::new(h))),
        Format::Pcapng => PcapngParser::new(head).map(|p| Parser::Pcapng(Box::new(p))),
        Format::BinaryFile => Ok(Parser::BinaryFile(BinaryFileParser::default())),
        inside => Err(match (compression, cut) {
            // A stream that is broken before anything can be told.
            (_, Some(cut)) => FormatError::Broken(cut),
            (Some(outside), None) => FormatError::Inside { outside, inside },
            (None, None) => FormatError::Unsupported(inside),
        }),
    };
    match (parser, cut) {
        (Ok(parser), _) => Ok((format, parser)),
        (Err(FormatError::ShortHeader { .. }), Some(cut)) => Err(FormatError::Broken(cut)),
        (Err(reason), _) => Err(reason),
    }
}

fn refused(path: &Path, reason: io::Error) -> OpenError {
    OpenError::Io {
        path: path.to_owned(),
        reason,
    }
}

fn unreadable(path: &Path, reason: FormatError) -> OpenError {
    OpenError::Format {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
