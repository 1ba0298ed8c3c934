//! Writes a mapped journal.

use super::layout::{BLOCK_TAG, END_AT, END_TAG, MARK_WORDS, Seal, Shape, WORD, record_words};
use super::prepare::{Preparer, Shared};
use super::recover::{Place, Recovered, recover};
use super::segment::Segment;
use super::{JournalError, folder};
use crate::encode::frame::{HEADER_LENGTH, MAGIC};
use crate::encode::{Decode, EncodeFrame, Frame, RecordKind};
use crate::sys::FileLock;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far ahead of the writing the cache is asked for lines, in words: more than the processor fetches by itself, which
/// ends at each page. Two thirds of the time, measured.
const AHEAD: usize = 4096 / WORD;
/// Words of a cache line.
const LINE: usize = 64 / WORD;

/// How a journal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// Which journal it is: the time it began, or anything else that tells it from others. One that is there keeps its own.
    pub journal: u64,
    /// Bytes of a segment: 4096 for its header and a whole number of blocks, at most 16 GiB.
    pub segment: usize,
    /// Bytes of a block, a power of two from 4 KiB to 16 MiB: what damage can cost at most, and what bounds a record.
    pub block: usize,
    /// Segments that are kept beside the one that is being written, at least one; `None`: all.
    pub keep: Option<u64>,
}

impl JournalOptions {
    /// Segments of 64 MiB (838,000 published records) with blocks of 64 KiB, all of them kept.
    pub fn new(journal: u64) -> JournalOptions {
        let block = 64 << 10;
        JournalOptions {
            journal,
            segment: 4096 + 1023 * block,
            block,
            keep: None,
        }
    }
}

/// Appends records to a journal; see [`mapped`](super). There is one writer at a time, others are refused.
///
/// A record is committed, and readers in other processes can see it, when the call that takes it returns; one after the other
/// within a call. Dropped at any moment, or killed, the journal ends with what was committed.
///
/// To append is to store into memory, and no system call until the next segment. But the system writes pages to the disk as
/// it sees fit, and the first store to a page after that is a fault, for which the file system can take milliseconds when
/// the disk is busy. So a writer belongs on a thread that may wait, behind a queue.
pub struct JournalWriter {
    segment: Segment,
    /// The block that is being written: its number, and the words `at..end` that are left of it.
    block: usize,
    at: usize,
    end: usize,
    /// The number of the next record.
    number: u64,
    shared: Arc<Shared>,
    recovered: Recovered,
    waits: u64,
    /// A record as it will lie in the journal.
    scratch: Box<[u8]>,
    _lock: FileLock,
}

impl JournalWriter {
    /// Opens the journal of a folder behind its last committed record, or begins one. What a writer before this one had
    /// not committed is cleared away ([`JournalWriter::recovered`]).
    pub fn open(folder: &Path, options: &JournalOptions) -> Result<JournalWriter, JournalError> {
        let shape = Shape {
            journal: options.journal,
            block: options.block,
            length: options.segment,
        };
        let refuse = |says: String| JournalError::Options {
            segment: options.segment,
            block: options.block,
            says,
        };
        if !shape.is_possible() {
            let says = "a block is a power of two from 4 KiB to 16 MiB, and a segment 4096 bytes and a whole number of \
                        blocks, at most 16 GiB";
            return Err(refuse(says.into()));
        }
        if options.keep == Some(0) {
            return Err(refuse("at least one segment has to be kept".into()));
        }
        fs::create_dir_all(folder).map_err(JournalError::at(folder))?;
        let lock = folder::lock(folder)?;
        let _ = fs::remove_file(folder::unfinished(folder));
        let place = match recover(folder)? {
            Some(place) => {
                let there = place.segment.shape;
                if (there.length, there.block) != (shape.length, shape.block) {
                    let says = format!(
                        "the journal in {} was begun with segments of {} and blocks of {}",
                        folder.display(),
                        there.length,
                        there.block
                    );
                    return Err(refuse(says));
                }
                place
            }
            None => {
                let segment = Shared::new(folder, shape, None, 0, Vec::new()).make(0)?;
                Place::beginning(segment)
            }
        };
        let shape = place.segment.shape;
        let current = place.segment.number;
        let shared = Shared::new(folder, shape, options.keep, current, place.prepared);
        let mut writer = JournalWriter {
            block: place.block,
            at: place.at,
            end: shape.block_at(place.block + 1),
            number: place.recovered.next,
            shared: Arc::new(shared),
            recovered: place.recovered,
            waits: 0,
            scratch: vec![0; shape.block].into(),
            segment: place.segment,
            _lock: lock,
        };
        if !place.inside {
            // Before a mark: there is no room before it is made.
            writer.end = writer.at;
            match writer.block < shape.blocks() {
                true if !place.ended => writer.begin_block(place.block),
                _ => writer.block = shape.blocks(),
            }
        }
        Ok(writer)
    }

    /// Appends records of one kind, each committed when it is written. After an error the first
    /// [`JournalWriter::number`] less what it was before are in the journal, and it can be tried again with the others.
    pub fn append<T: RecordKind>(&mut self, records: &[T]) -> Result<(), JournalError> {
        let frame = HEADER_LENGTH + size_of::<T>();
        let words = record_words(frame);
        if frame > self.segment.shape.most() {
            return Err(self.too_long(frame));
        }
        let mut left = records;
        while !left.is_empty() {
            let fit = (self.end - self.at) / words;
            if fit == 0 {
                self.next_block()?;
                continue;
            }
            let (now, later) = left.split_at(fit.min(left.len()));
            self.fill(now, words);
            left = later;
        }
        Ok(())
    }

    /// Appends a record of any kind, with its tail.
    pub fn push<R: EncodeFrame>(&mut self, record: &R) -> Result<(), JournalError> {
        let frame = record.serialized_size();
        if frame > self.segment.shape.most() {
            return Err(self.too_long(frame));
        }
        let words = record_words(frame);
        // The check comes in front, and what is behind the frame is zero.
        let entry = &mut self.scratch[..words * WORD];
        let check = size_of::<u32>();
        entry[..check].fill(0);
        entry[check + frame..].fill(0);
        record.serialize_into_slice(&mut entry[check..check + frame])?;
        // A user's encoding could be anything, and what is in the journal has to be a frame.
        let is_frame = Frame::deserialize_from(&entry[check..check + frame])
            .is_ok_and(|(_, rest)| rest.is_empty());
        if !is_frame {
            return Err(JournalError::NoFrame);
        }
        while self.end - self.at < words {
            self.next_block()?;
        }
        let mut bytes = self.scratch[..words * WORD].as_chunks::<WORD>().0.iter();
        let mut word = || bytes.next().map_or(0, |&bytes| u64::from_le_bytes(bytes));
        let cells = &self.segment.words.cells()[self.at..self.at + words];
        let tag = (word() >> 32) as u32;
        let seal = self.segment.seal;
        let check = seal.begin(self.at, self.number, tag);
        let check = cells[1..].iter().fold(check, |check, cell| {
            let word = word();
            cell.store(word, Ordering::Relaxed);
            seal.add(check, word)
        });
        cells[0].store(Seal::commit(check, tag), Ordering::Release);
        self.at += words;
        self.number += 1;
        Ok(())
    }

    /// The number of the next record: how many the journal has, those that retention has removed included.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The number of the segment that is being written.
    pub fn segment(&self) -> u64 {
        self.segment.number
    }

    /// What was found when it was opened.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// How often the next segment was not prepared when it was wanted, and had to be made by the writer.
    pub fn waits(&self) -> u64 {
        self.waits
    }

    /// Prepares segments for this journal, in any thread; without it the writer makes them itself, which takes tens of
    /// milliseconds each.
    pub fn preparer(&self) -> Preparer {
        Preparer {
            shared: self.shared.clone(),
        }
    }

    /// Waits until the disk has the records of the segment that is being written. Not needed to survive the end of the
    /// process, only that of the machine.
    pub fn sync(&self) -> Result<(), JournalError> {
        let synced = self.segment.words.sync();
        synced.map_err(JournalError::at(&self.shared.path(self.segment.number)))
    }

    /// Writes records that fit the block. The words of each are stored as its check is made; the commit word last.
    #[inline]
    fn fill<T: RecordKind>(&mut self, records: &[T], words: usize) {
        // The four bytes that come into the commit word, and the other eight of the frame's header.
        let tag = u32::from(MAGIC) | u32::from(T::KIND) << 16;
        // The macro has asserted that the size fits.
        let lengths = u64::from(T::VERSION) | (size_of::<T>() as u64) << 16;
        let seal = self.segment.seal;
        let file = &self.segment.words;
        let mut rest: &[AtomicU64] = &file.cells()[self.at..self.at + records.len() * words];
        let (mut at, mut number) = (self.at, self.number);
        let mut ahead = at + AHEAD;
        for record in records {
            while ahead < at + words + AHEAD {
                file.prefetch(ahead);
                ahead += LINE;
            }
            let cells;
            (cells, rest) = rest.split_at(words);
            let mut check = seal.begin(at, number, tag);
            let mut store = |cell: &AtomicU64, word| {
                check = seal.add(check, word);
                cell.store(word, Ordering::Relaxed);
            };
            store(&cells[1], lengths);
            let (whole, odd) = record.as_bytes().as_chunks::<WORD>();
            for (cell, &bytes) in cells[2..].iter().zip(whole) {
                store(cell, u64::from_le_bytes(bytes));
            }
            if !odd.is_empty() {
                let mut last = [0; WORD];
                last[..odd.len()].copy_from_slice(odd);
                store(&cells[words - 1], u64::from_le_bytes(last));
            }
            cells[0].store(Seal::commit(check, tag), Ordering::Release);
            at += words;
            number += 1;
        }
        (self.at, self.number) = (at, number);
    }

    #[cold]
    fn next_block(&mut self) -> Result<(), JournalError> {
        match self.block + 1 < self.segment.shape.blocks() {
            true => self.begin_block(self.block + 1),
            false => self.next_segment()?,
        }
        Ok(())
    }

    /// Commits the mark of a block: no more records come into the one before.
    fn begin_block(&mut self, block: usize) {
        let shape = self.segment.shape;
        let at = shape.block_at(block);
        self.commit_mark(at, BLOCK_TAG);
        (self.block, self.at) = (block, at + MARK_WORDS);
        self.end = shape.block_at(block + 1);
    }

    /// Ends the segment when the next one is there, and goes over to it.
    fn next_segment(&mut self) -> Result<(), JournalError> {
        let (next, made) = self.shared.take()?;
        self.waits += u64::from(made);
        self.commit_mark(END_AT, END_TAG);
        self.shared
            .leave(std::mem::replace(&mut self.segment, next));
        self.begin_block(0);
        Ok(())
    }

    fn commit_mark(&self, at: usize, tag: u32) {
        let [commit, number] = self.segment.seal.mark(at, self.number, tag);
        let cells = self.segment.words.cells();
        cells[at + 1].store(number, Ordering::Relaxed);
        cells[at].store(commit, Ordering::Release);
    }

    fn too_long(&self, bytes: usize) -> JournalError {
        let most = self.segment.shape.most();
        JournalError::TooLong { bytes, most }
    }
}

impl Drop for JournalWriter {
    /// Before the lock is given back.
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for JournalWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalWriter")
            .field("segment", &self.segment.number)
            .field("block", &self.block)
            .field("number", &self.number)
            .field("recovered", &self.recovered)
            .finish_non_exhaustive()
    }
}
