//! Reads a mapped journal, while it is written or later.

use super::super::{Found, Skipped, Why};
use super::layout::{HEADER_WORDS, Shape, record_words};
use super::segment::{Cursor, Mark, Segment, Step, offset};
use super::{JournalError, folder};
use crate::encode::{Decode, Frame};
use crate::sys::FileWords;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record that is there.
    Oldest,
    /// With the record of this number. If it is not there any more, with the oldest, and what was removed is told first;
    /// if it is not written yet, when it is.
    Number(u64),
    /// With the next that is written.
    End,
}

/// Reads the records of a journal in place, in any process that may read its files; see [`mapped`](super).
#[derive(Debug)]
pub struct JournalReader {
    /// Where it is; `None` for one segment in memory.
    folder: Option<PathBuf>,
    shape: Shape,
    segment: Option<Segment>,
    /// The segment that comes when there is none.
    next: u64,
    cursor: Cursor,
    /// Records before it are not handed out.
    from: u64,
}

impl JournalReader {
    /// Opens the journal of a folder. Fails where there is none, and where none of its segments can be read.
    pub fn open(folder: &Path, start: Start) -> Result<JournalReader, JournalError> {
        let numbers = folder::numbers(folder)?;
        let Some(&oldest) = numbers.first() else {
            return Err(JournalError::Empty {
                folder: folder.into(),
            });
        };
        let mut first_error = None;
        let mut readable = numbers.iter().filter_map(|&number| {
            let opened = folder::open(folder, number);
            opened.map_err(|e| first_error.get_or_insert(e)).ok()
        });
        let Some(shape) = readable.next().map(|segment| segment.shape) else {
            drop(readable);
            return Err(first_error.unwrap_or(JournalError::Empty {
                folder: folder.into(),
            }));
        };
        let mut reader = JournalReader {
            folder: Some(folder.into()),
            shape,
            segment: None,
            next: oldest,
            cursor: Cursor::new(None),
            from: 0,
        };
        let begun = || {
            let numbers = numbers.iter().rev();
            numbers.filter_map(|&number| folder::open(folder, number).ok())
        };
        match start {
            Start::Oldest => {}
            Start::Number(number) => {
                reader.from = number;
                let holds = |segment: &Segment| folder::first(segment).is_some_and(|n| n <= number);
                match begun().find(holds) {
                    Some(segment) => reader.seek(segment, |first| first <= number),
                    None => {
                        reader.cursor = Cursor::new(Some(number));
                        let offset = offset(&shape, oldest, HEADER_WORDS);
                        reader.cursor.lose(offset, Why::Removed);
                    }
                }
            }
            Start::End => {
                if let Some(segment) = begun().find(|segment| segment.begun.is_some()) {
                    reader.seek(segment, |_| true);
                    while reader.read()?.is_some() {}
                }
            }
        }
        Ok(reader)
    }

    /// The records of one segment, from the bytes of its file.
    pub fn from_memory(bytes: &[u8]) -> Result<JournalReader, Why> {
        let mut segment = Segment::new(FileWords::from_bytes(bytes))?;
        segment.superseded = true;
        Ok(JournalReader {
            folder: None,
            shape: segment.shape,
            next: segment.number,
            segment: Some(segment),
            cursor: Cursor::new(None),
            from: 0,
        })
    }

    /// The next record, or what was skipped before it; `None` when nothing more is there now. Never waits: who follows a
    /// journal asks again, which costs a few loads.
    #[inline]
    pub fn read(&mut self) -> Result<Option<Found<'_>>, JournalError> {
        let (number, at, frame) = loop {
            let Some(segment) = &self.segment else {
                if !self.open_next()? {
                    let here = offset(&self.shape, self.next, HEADER_WORDS);
                    let step = self.cursor.settle_unknown(here);
                    return Ok(step.and_then(skipped).map(Found::Skipped));
                }
                continue;
            };
            match self.cursor.step(segment) {
                Step::Record { number, at, frame } if number >= self.from => {
                    break (number, at, frame);
                }
                Step::Record { .. } => {}
                Step::Wait => return Ok(None),
                Step::End => {
                    self.next = segment.number.wrapping_add(1);
                    self.segment = None;
                    self.cursor.next_segment();
                }
                // What was lost before the first that is wanted concerns nobody.
                Step::Skipped { .. } if self.cursor.known && self.cursor.number <= self.from => {}
                step @ Step::Skipped { .. } => {
                    return Ok(skipped(step).map(Found::Skipped));
                }
            }
        };
        let Some(segment) = &self.segment else {
            return Ok(None);
        };
        // SAFETY: the cursor has loaded the commit word of these words (acquire) and found it not zero, so they were
        // written before, and by the rules of the format nobody writes what is committed.
        let bytes = unsafe { segment.words.bytes(at..at + record_words(frame)) };
        let frame = Frame::deserialize_from(&bytes[size_of::<u32>()..][..frame]);
        Ok(Some(match frame {
            Ok((frame, _)) => Found::Record { number, frame },
            // Somebody broke the rules since the check was made.
            Err(_) => Found::Skipped(Skipped {
                offset: segment.offset(at),
                bytes: bytes.len() as u64,
                records: Some(1),
                why: Why::Frame,
            }),
        }))
    }

    /// The number of the next record, where it is known.
    pub fn number(&self) -> Option<u64> {
        self.cursor.known.then_some(self.cursor.number)
    }

    /// Which journal it is.
    pub fn journal(&self) -> u64 {
        self.shape.journal
    }

    /// Bytes of each of its segments: [`Skipped::offset`] counts from the beginning of segment 0, as if all were there.
    pub fn segment_length(&self) -> u64 {
        self.shape.length as u64
    }

    /// Begins with the last block whose first record `is_wanted`.
    fn seek(&mut self, segment: Segment, is_wanted: impl Fn(u64) -> bool) {
        let blocks = 0..segment.begun.map_or(0, |begun| begun + 1);
        let block = blocks
            .rev()
            .find(|&block| matches!(segment.block(block), Mark::At(first) if is_wanted(first)));
        self.cursor.go_to(&segment, block.unwrap_or(0));
        self.next = segment.number;
        self.take(segment);
    }

    fn take(&mut self, mut segment: Segment) {
        // A writer whose machine lost power may have begun another segment and the mark of this one's end not be there.
        if let Some(folder) = &self.folder
            && !segment.is_ended()
        {
            let next = segment.number.wrapping_add(1);
            segment.superseded = folder::is_begun(folder, next, &self.shape);
        }
        self.segment = Some(segment);
    }

    /// Opens the next segment there is; false when there is none.
    #[cold]
    fn open_next(&mut self) -> Result<bool, JournalError> {
        let Some(folder) = self.folder.clone() else {
            return Ok(false);
        };
        loop {
            let here = offset(&self.shape, self.next, 0);
            match folder::open(&folder, self.next) {
                Ok(segment) if segment.shape == self.shape => {
                    self.take(segment);
                    return Ok(true);
                }
                // Of another journal.
                Ok(_) => self.cursor.lose(here, Why::NoSegment),
                Err(JournalError::Unreadable { why, .. }) => self.cursor.lose(here, why),
                Err(JournalError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    let numbers = folder::numbers(&folder)?;
                    let Some(&next) = numbers.iter().find(|&&number| number > self.next) else {
                        return Ok(false);
                    };
                    let why = match numbers.first() == Some(&next) {
                        true => Why::Removed,
                        false => Why::Missing,
                    };
                    self.cursor.lose(here, why);
                    self.next = next;
                    continue;
                }
                Err(e) => return Err(e),
            }
            self.next = self.next.wrapping_add(1);
        }
    }
}

fn skipped(step: Step) -> Option<Skipped> {
    match step {
        Step::Skipped {
            lost,
            until,
            records,
        } => Some(Skipped {
            offset: lost.offset,
            bytes: until.saturating_sub(lost.offset),
            records,
            why: lost.why,
        }),
        _ => None,
    }
}
