//! Where a stream's bytes come from.

use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;

use super::gzip::Gzip;
use super::zstd::Zstd;
use crate::capture::cut::{CutReason, StreamDamage};
use crate::capture::format::Compression;
use crate::sys::file::FileBytes;

/// Bytes read from a pipe at once: what the system lets a pipe hold, or more.
const PIPE_READ: usize = 256 << 10;

/// Gives bytes until there are no more.
pub(in crate::capture) trait Source: Send {
    /// Writes the next bytes to the start of `out`, which is not empty.
    fn read(&mut self, out: &mut [u8]) -> Progress;

    /// Bytes it took so far of the file as it is, packed or not.
    fn taken(&self) -> u64;

    /// True where bytes may come slowly, so that those which are there should not wait for more.
    fn is_live(&self) -> bool;
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::capture) enum Progress {
    /// So many bytes, at least 1.
    Bytes(usize),
    /// No more, and why, unless that is as it should be. Asked again, it says so again.
    End(Option<CutReason>),
}

impl fmt::Debug for dyn Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// What is behind a compressed stream.
pub(in crate::capture) trait Packed: BufRead + Send + 'static {
    /// Whether it is a pipe.
    const LIVE: bool;
}

/// A compressed file that is mapped or in memory, from a position on.
#[derive(Debug)]
pub(in crate::capture) struct Held {
    bytes: Arc<FileBytes>,
    at: usize,
}

impl Held {
    /// From its start.
    pub(in crate::capture) fn new(bytes: Arc<FileBytes>) -> Held {
        Held { bytes, at: 0 }
    }
}

impl Read for Held {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = (&self.bytes[self.at..]).read(out)?;
        self.at += n;
        Ok(n)
    }
}

impl BufRead for Held {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        Ok(&self.bytes[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl Packed for Held {
    const LIVE: bool = false;
}

impl<R: Read + Send + 'static> Packed for BufReader<R> {
    const LIVE: bool = true;
}

/// Unpacks `from`.
pub(in crate::capture) fn compressed<R: Packed>(
    compression: Compression,
    from: R,
) -> Box<dyn Source> {
    match compression {
        Compression::Gzip => Box::new(Gzip::new(from)),
        Compression::Zstd => Box::new(Zstd::new(from)),
    }
}

/// Reads a pipe as it is, or unpacks what comes through it.
pub(in crate::capture) fn plain(
    compression: Option<Compression>,
    from: impl Read + Send + 'static,
) -> Box<dyn Source> {
    match compression {
        Some(compression) => compressed(compression, BufReader::with_capacity(PIPE_READ, from)),
        None => Box::new(Plain { from, taken: 0 }),
    }
}

struct Plain<R> {
    from: R,
    taken: u64,
}

impl<R: Read + Send> Source for Plain<R> {
    fn read(&mut self, out: &mut [u8]) -> Progress {
        loop {
            match self.from.read(out) {
                Ok(0) => return Progress::End(None),
                Ok(n) => {
                    self.taken += n as u64;
                    return Progress::Bytes(n);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Progress::End(Some(CutReason::Read(e.kind()))),
            }
        }
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// The input of a decompressor: what is there, and how much was taken.
pub(super) struct Input<R> {
    from: R,
    /// Bytes taken.
    pub(super) at: u64,
    compression: Compression,
}

impl<R: Packed> Input<R> {
    pub(super) fn new(from: R, compression: Compression) -> Input<R> {
        Input {
            from,
            at: 0,
            compression,
        }
    }

    /// The bytes at hand; none at the end.
    pub(super) fn bytes(&mut self) -> Result<&[u8], CutReason> {
        loop {
            match self.from.fill_buf() {
                Ok(_) => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(CutReason::Read(e.kind())),
            }
        }
        // What is buffered comes without another reading.
        self.from.fill_buf().map_err(|e| CutReason::Read(e.kind()))
    }

    /// Takes `n` of them.
    pub(super) fn take(&mut self, n: usize) {
        self.from.consume(n);
        self.at += n as u64;
    }

    /// Takes the next `n` bytes; `None` where the stream ends before.
    pub(super) fn array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, CutReason> {
        let mut array = [0; N];
        let mut have = 0;
        while have < N {
            let bytes = self.bytes()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let n = bytes.len().min(N - have);
            array[have..have + n].copy_from_slice(&bytes[..n]);
            have += n;
            self.take(n);
        }
        Ok(Some(array))
    }

    /// The reason for an end at this place.
    pub(super) fn damaged(&self, damage: StreamDamage) -> CutReason {
        CutReason::Compressed {
            compression: self.compression,
            damage,
            at: self.at,
        }
    }
}
