//! Writes a stream of records.

use super::block::{BlockHeader, MAGIC, MAX_BODY, VERSION, mark, packing};
use crate::encode::EncodeFrame;
use std::fmt;
use std::io::{self, Write};
use zerocopy::IntoBytes;
use zstd::bulk::Compressor;

/// What is done with the bodies of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compress {
    /// Nothing.
    #[default]
    No,
    /// Each is a frame of Zstandard of this level (1 fast, 3 its default, 19 small), unless it would not be smaller.
    Zstd(i32),
}

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Which stream it is: the time it began, or anything else that tells it from those before and behind it in a file.
    pub stream: u64,
    /// Bytes of records that are kept before they are written; brought between 4 KiB and 16 MiB. A record of more is
    /// written at once, as a block of its own, without being copied or compressed.
    pub buffer: usize,
    /// What is done with the bodies of blocks.
    pub compress: Compress,
}

impl StreamOptions {
    /// A buffer of 64 KiB, no compression.
    pub fn new(stream: u64) -> StreamOptions {
        StreamOptions {
            stream,
            buffer: 64 << 10,
            compress: Compress::No,
        }
    }
}

/// Writes records to a file, a pipe, or whatever else takes bytes and waits for room. It allocates when it is made, and
/// never again.
///
/// End it by [`StreamWriter::finish`], which writes what is left and the mark of the end, and says when that failed. Of
/// one that is only dropped what is left is written if it can be, without the mark: a reader then says that the stream
/// was cut, so nothing is lost in silence, but nobody is told why. After a write has failed nothing more is written:
/// every call returns an error, and the records of the block are lost ([`FinishError::lost`]).
///
/// ```
/// use feed_common::encode::Decode;
/// use feed_common::journal::{Found, StreamOptions, StreamReader, StreamWriter};
/// use feed_common::record::{PointFlags, TimeSeriesPoint};
///
/// let mut stream = StreamWriter::new(Vec::new(), &StreamOptions::new(1))?;
/// stream.push(&TimeSeriesPoint::new(3, 1_700_000_000, 0.5, PointFlags::NONE))?;
/// let file = stream.finish()?;
///
/// let mut stream = StreamReader::new(&file[..]);
/// while let Some(found) = stream.read()? {
///     match found {
///         Found::Record { number, frame } => {
///             assert_eq!((number, frame.view::<TimeSeriesPoint>()?.value()), (0, 0.5));
///         }
///         Found::Skipped(skipped) => println!("{skipped}"),
///     }
/// }
/// assert!(stream.is_finished());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StreamWriter<W: Write> {
    /// Taken by `finish`.
    out: Option<W>,
    stream: u64,
    /// Frames of the block that is being made.
    buffer: Box<[u8]>,
    used: usize,
    /// How many they are.
    records: u32,
    /// Records in the blocks before.
    first: u64,
    packer: Option<Packer>,
    /// A write has failed: what the last block has become is not known.
    failed: Option<io::ErrorKind>,
}

struct Packer {
    compressor: Compressor<'static>,
    /// Room for a block that is smaller than it was.
    out: Box<[u8]>,
}

/// The end of a stream that was not written.
#[derive(Debug, thiserror::Error)]
#[error("the stream was not ended, and {lost} records not written: {source}")]
pub struct FinishError {
    /// Records that were taken and not written, or only in part.
    pub lost: u64,
    /// What the system said.
    pub source: io::Error,
}

impl<W: Write> StreamWriter<W> {
    /// Writes nothing yet. Fails when there is no compressor of that level.
    pub fn new(out: W, options: &StreamOptions) -> io::Result<StreamWriter<W>> {
        let buffer = options.buffer.clamp(4 << 10, MAX_BODY);
        let packer = match options.compress {
            Compress::No => None,
            Compress::Zstd(level) => Some(Packer {
                compressor: Compressor::new(level)?,
                out: vec![0; buffer].into(),
            }),
        };
        Ok(StreamWriter {
            out: Some(out),
            stream: options.stream,
            buffer: vec![0; buffer].into(),
            used: 0,
            records: 0,
            first: 0,
            packer,
            failed: None,
        })
    }

    /// Takes a record. What it was before is written when there is no room for it. [`io::ErrorKind::InvalidInput`],
    /// changing nothing, for a record above [`MAX_BODY`]; any other error is that of a write.
    #[inline]
    pub fn push<R: EncodeFrame>(&mut self, record: &R) -> io::Result<()> {
        match record.serialize_into_slice(&mut self.buffer[self.used..]) {
            Ok(bytes) if self.failed.is_none() => {
                self.used += bytes;
                self.records += 1;
                Ok(())
            }
            _ => self.push_slowly(record),
        }
    }

    /// Writes the block so far and has everything written that can be: what a reader at the other end of a pipe waits for.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_block(mark::MORE)?;
        self.attempt(|out| out.flush())
    }

    /// Records taken.
    pub fn records(&self) -> u64 {
        self.first + u64::from(self.records)
    }

    /// What is written to. Bytes that do not come from here are damage to a reader.
    pub fn get_ref(&self) -> Option<&W> {
        self.out.as_ref()
    }

    /// Writes what is left and the mark of the end, flushes, and gives back what was written to.
    pub fn finish(mut self) -> Result<W, FinishError> {
        let ended = self
            .write_block(mark::MORE)
            .and_then(|()| self.write_block(mark::LAST))
            .and_then(|()| self.attempt(|out| out.flush()));
        match (ended, self.out.take()) {
            (Ok(()), Some(out)) => Ok(out),
            (ended, _) => Err(FinishError {
                lost: self.records.into(),
                source: ended.err().unwrap_or(io::ErrorKind::Other.into()),
            }),
        }
    }

    /// Where there is no room, or never will be.
    #[cold]
    fn push_slowly<R: EncodeFrame>(&mut self, record: &R) -> io::Result<()> {
        let size = record.serialized_size();
        if size > MAX_BODY {
            let says = format!("a record of {size} bytes: a block holds {MAX_BODY}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, says));
        }
        self.write_block(mark::MORE)?;
        if size <= self.buffer.len() {
            self.used = record.serialize_into_slice(&mut self.buffer)?;
            self.records = 1;
            return Ok(());
        }
        // Twice over the record, and no copy of it.
        let mut check = Check::default();
        record.serialize_into(&mut check)?;
        let header = self.header(mark::MORE, packing::NONE, size, size, 1, check.0.finalize());
        self.records = 1;
        self.attempt(|out| {
            out.write_all(header.as_bytes())?;
            record.serialize_into(out)
        })?;
        self.next_block();
        Ok(())
    }

    /// Writes the block so far, if it has records, or one that has none and this mark.
    fn write_block(&mut self, mark: u8) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(io::Error::new(kind, "a write of this stream has failed"));
        }
        if self.records == 0 && mark == mark::MORE {
            return Ok(());
        }
        let body = &self.buffer[..self.used];
        let packed = self.packer.as_mut().and_then(|packer| {
            let bytes = packer
                .compressor
                .compress_to_buffer(body, &mut packer.out[..]);
            bytes.ok().filter(|&bytes| bytes < body.len())
        });
        let (how, stored) = match (packed, &self.packer) {
            (Some(bytes), Some(packer)) => (packing::ZSTD, &packer.out[..bytes]),
            _ => (packing::NONE, body),
        };
        let check = crc32fast::hash(stored);
        let header = self.header(mark, how, stored.len(), body.len(), self.records, check);
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        // Until it is known that it was written it is lost.
        self.failed = Some(io::ErrorKind::Other);
        let written = out
            .write_all(header.as_bytes())
            .and_then(|()| out.write_all(stored));
        self.failed = written.as_ref().err().map(io::Error::kind);
        written?;
        self.next_block();
        Ok(())
    }

    fn next_block(&mut self) {
        self.first += u64::from(self.records);
        (self.used, self.records) = (0, 0);
    }

    /// Writes, and remembers a failure.
    fn attempt(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        self.failed = Some(io::ErrorKind::Other);
        let written = write(out);
        self.failed = written.as_ref().err().map(io::Error::kind);
        written
    }

    fn header(
        &self,
        mark: u8,
        packing: u8,
        stored: usize,
        length: usize,
        records: u32,
        body_check: u32,
    ) -> BlockHeader {
        BlockHeader {
            magic: MAGIC,
            version: VERSION,
            packing,
            mark,
            reserved: 0,
            // Both are at most MAX_BODY.
            stored: (stored as u32).into(),
            length: (length as u32).into(),
            records: records.into(),
            first: self.first.into(),
            stream: self.stream.into(),
            body_check: body_check.into(),
            header_check: 0.into(),
        }
        .sealed()
    }
}

impl<W: Write> Drop for StreamWriter<W> {
    /// Writes what is left if it can be; see [`StreamWriter`].
    fn drop(&mut self) {
        if self.out.is_some() {
            // Nobody is left to be told.
            let _ = self.flush();
        }
    }
}

impl<W: Write> fmt::Debug for StreamWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("stream", &self.stream)
            .field("records", &self.records())
            .field("waiting", &self.used)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Takes the checksum of what is written to it.
#[derive(Default)]
struct Check(crc32fast::Hasher);

impl Write for Check {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
