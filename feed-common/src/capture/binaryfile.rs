//! ITCH BinaryFILE in place: `u16 big-endian length, message` repeated, a length of 0 at the end of the session.
//!
//! It has no header, times or sequence numbers of its own. It is cut into runs of whole records, so that what happens
//! once per packet elsewhere (a clock reading, a bounds check, a call) happens once per thousand messages.

use super::ahead::prefetch_line;
use super::parsed::{Parsed, RunAt};

/// Bytes before each message.
const PREFIX: usize = 2;

/// Records that [`looks_like`] wants to agree, or as many as there are.
const DETECT_RECORDS: usize = 16;

/// The state between two runs.
#[derive(Clone, Debug, Default)]
pub(super) struct BinaryFileParser {
    records: u64,
    /// The end of the session was seen.
    ended: bool,
    /// Bytes behind it.
    behind: u64,
}

impl BinaryFileParser {
    /// As many records as fit `limit` bytes, prefixes included; a single one where already that one exceeds it.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8], at: &mut usize, limit: usize) -> Parsed {
        let rest = &bytes[*at..];
        if self.ended {
            return self.pass_behind(rest, at);
        }
        let window = &rest[..limit.min(rest.len())];
        let (mut end, mut records) = (0, 0);
        while let Some(record) = record_len(&window[end..]) {
            end += record;
            records += 1;
            prefetch_line(&window[end..]);
        }
        if records == 0 {
            match record_len(rest) {
                Some(record) => (end, records) = (record, 1),
                None if rest.starts_with(&[0, 0]) => {
                    self.ended = true;
                    *at += PREFIX;
                    return Parsed::Passed;
                }
                None => return Parsed::Short,
            }
        }
        let run = RunAt {
            first_record: self.records + 1,
            records,
            bytes: *at..*at + end,
        };
        *at += end;
        self.records += u64::from(records);
        Parsed::Run(run)
    }

    /// What follows the end of the session, once the file has ended.
    pub(super) fn behind(&self) -> u64 {
        self.behind
    }

    /// Counts what follows the end of the session.
    #[cold]
    fn pass_behind(&mut self, rest: &[u8], at: &mut usize) -> Parsed {
        if rest.is_empty() {
            return Parsed::Short;
        }
        self.behind += rest.len() as u64;
        *at += rest.len();
        Parsed::Passed
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
