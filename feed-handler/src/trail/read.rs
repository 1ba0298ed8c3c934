//! Reading the file: whatever of it can be read is taken, and what cannot is said.

use super::line::{Header, VERSION};
use super::{Origin, Trail};
use std::io::{self, BufRead, Read};

/// The longest line that is read: a header of as many channels as a configuration can have fits several times.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Most lines that are taken; a run of 17 billion messages at the default distance. More would only fill the memory.
const LINES_MAX: u64 = 1 << 22;

/// Why a file is not the trail of a run at all.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It does not begin as one.
    #[error("its first line is no header: {0}")]
    Header(String),
    /// A newer program wrote it.
    #[error("it is of version {0}, and this program reads version {VERSION}")]
    Version(u32),
}

impl Trail {
    /// Reads a file. Lines that are damaged are passed over and counted in [`Trail::damage`]; a last line that is not
    /// whole is no damage.
    pub fn read(mut from: impl BufRead) -> Result<Trail, TrailError> {
        let mut line = Vec::new();
        next_line(&mut from, &mut line)?;
        let header: Header = match serde_json::from_slice(&line) {
            Ok(header) => header,
            Err(e) => return Err(TrailError::Header(e.to_string())),
        };
        if header.version != VERSION {
            return Err(TrailError::Version(header.version));
        }
        let origin = Origin {
            input: header.input,
            recording: header.recording,
        };
        let mut trail = Trail::new(header.every, header.channels, origin);
        let mut damage = Damage::default();
        for number in 2.. {
            match next_line(&mut from, &mut line) {
                Ok(Ended::Whole) if number > LINES_MAX => {
                    damage.over = true;
                    break;
                }
                Ok(Ended::Whole) => match serde_json::from_slice(&line) {
                    Ok(line) => trail.take(line),
                    Err(e) => damage.note(number, e),
                },
                Ok(Ended::TooLong) => damage.note(number, "it is longer than any line can be"),
                Ok(Ended::Torn) => break,
                Err(e) => {
                    damage.note(number, e);
                    break;
                }
            }
        }
        trail.damage = damage.said();
        Ok(trail)
    }
}

/// What could not be read.
#[derive(Default)]
struct Damage {
    lines: u64,
    first: Option<String>,
    over: bool,
}

impl Damage {
    fn note(&mut self, number: u64, why: impl std::fmt::Display) {
        self.lines += 1;
        self.first
            .get_or_insert_with(|| format!("line {number}: {why}"));
    }

    fn said(self) -> Option<String> {
        match (self.first, self.over) {
            (Some(first), _) if self.lines == 1 => Some(first),
            (Some(first), _) => Some(format!("{} lines, the first of them {first}", self.lines)),
            (None, true) => Some(format!("only its first {LINES_MAX} lines are compared")),
            (None, false) => None,
        }
    }
}

/// How a line ended.
enum Ended {
    Whole,
    /// Without a newline, which is the end of the file.
    Torn,
    /// Passed over.
    TooLong,
}

/// Reads the next line without its newline.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Ended> {
    let mut too_long = false;
    loop {
        line.clear();
        let read = from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(match too_long {
                true => Ended::TooLong,
                false => Ended::Whole,
            });
        }
        if (read as u64) < LINE_BYTES_MAX {
            return Ok(Ended::Torn);
        }
        too_long = true;
    }
}
