//! ITCH BinaryFILE in place: `u16 big-endian length, message` repeated, a length of 0 at the end of the session.
//!
//! It has no header, times or sequence numbers of its own. The reader hands out runs of whole records, so that what
//! happens once per packet elsewhere (a clock reading, a bounds check, a call) happens once per thousand messages.

use super::ahead::prefetch_line;
use super::cut::{Cut, CutReason};

/// Bytes before each message.
const PREFIX: usize = 2;

/// Records that [`looks_like`] wants to agree, or as many as there are.
const DETECT_RECORDS: usize = 16;

/// A run of whole records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Position of its first record in the file, from 1.
    pub first_record: u64,
    /// Records in it, at least 1.
    pub records: u32,
    /// The records, each with its length before it.
    pub bytes: &'a [u8],
}

/// Cuts a file into runs of whole records. Ends at the end of the session or at the first record that is not whole;
/// [`BinaryFileReader::cut`] then tells.
#[derive(Clone, Debug)]
pub struct BinaryFileReader<'a> {
    rest: &'a [u8],
    file_len: usize,
    records: u64,
}

impl<'a> BinaryFileReader<'a> {
    /// Reads `file`; any bytes are accepted, since there is no header to refuse.
    pub fn new(file: &'a [u8]) -> BinaryFileReader<'a> {
        BinaryFileReader {
            rest: file,
            file_len: file.len(),
            records: 0,
        }
    }

    /// As many records as fit `limit` bytes, prefixes included; a single one where already that one exceeds it.
    #[inline]
    pub fn next_chunk(&mut self, limit: usize) -> Option<Chunk<'a>> {
        let window = &self.rest[..limit.min(self.rest.len())];
        let (mut end, mut records) = (0, 0);
        while let Some(record) = record_len(&window[end..]) {
            end += record;
            records += 1;
            prefetch_line(&window[end..]);
        }
        if records == 0 {
            end = record_len(self.rest)?;
            records = 1;
        }
        let (bytes, rest) = self.rest.split_at(end);
        let chunk = Chunk {
            first_record: self.records + 1,
            records,
            bytes,
        };
        self.rest = rest;
        self.records += records as u64;
        Some(chunk)
    }

    /// True once what follows is the mark of the end of the session. A file may end without it.
    pub fn end_of_session(&self) -> bool {
        self.rest.starts_with(&[0, 0])
    }

    /// Why the chunks ended before the end of the file; `None` where they did not (also before they have ended).
    pub fn cut(&self) -> Option<Cut> {
        let offset = self.file_len - self.rest.len();
        let (behind, reason) = match *self.rest {
            [] => return None,
            [0, 0] => return None,
            [0, 0, ref rest @ ..] => (PREFIX, CutReason::BehindEnd(rest.len() as u64)),
            _ if record_len(self.rest).is_some() => return None,
            _ => (0, CutReason::PartialRecord),
        };
        Some(Cut {
            offset: (offset + behind) as u64,
            reason,
        })
    }
}

/// Bytes of the first record with its prefix; `None` when it is not whole or is the end of the session.
#[inline]
fn record_len(bytes: &[u8]) -> Option<usize> {
    let prefix = bytes.first_chunk::<PREFIX>()?;
    let message = u16::from_be_bytes(*prefix) as usize;
    (message != 0 && PREFIX + message <= bytes.len()).then_some(PREFIX + message)
}

/// True when the first records have the lengths that ITCH 5.0 gives their types. A record cut by the end of `head`
/// counts by its length and type.
pub(super) fn looks_like(head: &[u8]) -> bool {
    let (mut rest, mut agreed) = (head, 0);
    while let [a, b, kind, ..] = *rest {
        let len = u16::from_be_bytes([a, b]);
        if len == 0 {
            break;
        }
        if itch50_length(kind) != Some(len) {
            return false;
        }
        agreed += 1;
        if agreed == DETECT_RECORDS {
            break;
        }
        rest = rest.get(PREFIX + len as usize..).unwrap_or_default();
    }
    agreed > 0
}

/// Bytes of a message of an ITCH 5.0 type.
const fn itch50_length(kind: u8) -> Option<u16> {
    Some(match kind {
        b'S' | b'W' => 12,
        b'R' => 39,
        b'H' => 25,
        b'Y' | b'N' => 20,
        b'L' => 26,
        b'V' | b'J' | b'U' => 35,
        b'K' => 28,
        b'h' => 21,
        b'A' | b'C' => 36,
        b'F' | b'Q' => 40,
        b'E' => 31,
        b'X' => 23,
        b'D' | b'B' => 19,
        b'P' => 44,
        b'I' => 50,
        b'O' => 48,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "binaryfile_tests.rs"]
mod tests;
