//! One segment, read: what is committed in it, and where that ends.

use super::super::Why;
use super::layout::{
    BLOCK_TAG, END_AT, END_TAG, FIELD_WORDS, HEADER_WORDS, MARK_WORDS, Seal, SegmentHeader, Shape,
    WORD, record_words,
};
use crate::encode::frame::{HEADER_LENGTH, MAGIC};
use crate::sys::FileWords;
use std::sync::atomic::Ordering;
use zerocopy::byteorder::little_endian::U64;

/// A segment whose header is whole.
#[derive(Debug)]
pub(super) struct Segment {
    pub words: FileWords,
    pub number: u64,
    pub made: u64,
    pub shape: Shape,
    pub seal: Seal,
    /// The last block that was begun when it was opened: those before it are as full as they will be.
    pub begun: Option<usize>,
    /// No more comes into it, whatever its end mark says.
    pub superseded: bool,
}

/// What lies where a mark should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Vacant,
    Damaged,
    At(u64),
}

/// What lies where a record should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Vacant,
    /// What its lengths say may be true: so many words.
    Damaged(Option<usize>),
    /// A frame of so many bytes.
    Whole(usize),
}

impl Segment {
    /// Reads the header, and looks how far blocks were begun.
    pub fn new(words: FileWords) -> Result<Segment, Why> {
        if words.len() < HEADER_WORDS {
            return Err(Why::Cut);
        }
        let fields: [U64; FIELD_WORDS] =
            std::array::from_fn(|i| U64::new(words.load(i, Ordering::Relaxed)));
        let header: SegmentHeader = zerocopy::transmute!(fields);
        let shape = header.shape()?;
        let mut segment = Segment {
            number: header.segment.get(),
            made: header.made.get(),
            seal: Seal::new(shape.journal, header.segment.get()),
            words,
            shape,
            begun: None,
            superseded: false,
        };
        // Nobody writes into a file that was cut.
        segment.superseded = segment.is_cut();
        let there = segment.words.len() * WORD / shape.block;
        let blocks = 0..shape.blocks().min(there + 1);
        segment.begun = blocks
            .rev()
            .find(|&block| segment.load(shape.block_at(block)) != 0);
        Ok(segment)
    }

    /// Whether the file has all of it.
    pub fn is_cut(&self) -> bool {
        self.words.len() * WORD < self.shape.length
    }

    /// Bytes of the journal before word `at`.
    pub fn offset(&self, at: usize) -> u64 {
        offset(&self.shape, self.number, at)
    }

    /// A commit word; zero where the file has ended.
    #[inline(always)]
    fn load(&self, at: usize) -> u64 {
        match at < self.words.len() {
            true => self.words.load(at, Ordering::Acquire),
            false => 0,
        }
    }

    fn mark(&self, at: usize, tag: u32) -> Mark {
        match self.load(at) {
            0 => Mark::Vacant,
            commit if at + 1 < self.words.len() => {
                let number = self.words.load(at + 1, Ordering::Relaxed);
                match self.seal.mark(at, number, tag)[0] == commit {
                    true => Mark::At(number),
                    false => Mark::Damaged,
                }
            }
            _ => Mark::Damaged,
        }
    }

    /// The mark that begins a block.
    pub fn block(&self, block: usize) -> Mark {
        self.mark(self.shape.block_at(block), BLOCK_TAG)
    }

    /// The mark of its end.
    pub fn end(&self) -> Mark {
        self.mark(END_AT, END_TAG)
    }

    /// Whether no more records come into it.
    #[inline]
    pub fn is_ended(&self) -> bool {
        self.superseded || self.load(END_AT) != 0
    }

    /// Whether no more records come into a block.
    #[inline]
    pub fn is_past(&self, block: usize) -> bool {
        self.begun.is_some_and(|begun| block < begun)
            || block + 1 < self.shape.blocks() && self.load(self.shape.block_at(block + 1)) != 0
            || self.is_ended()
    }

    /// The record at word `at` of a block that ends at word `end`, when it should be of this number.
    #[inline]
    pub fn entry(&self, at: usize, end: usize, number: u64) -> Entry {
        let end = end.min(self.words.len());
        if at >= end {
            return Entry::Vacant;
        }
        let commit = self.load(at);
        if commit == 0 {
            return Entry::Vacant;
        }
        let tag = (commit >> 32) as u32;
        // A frame has two words with its header, so the second is there.
        if tag as u16 != MAGIC || end - at < record_words(HEADER_LENGTH) {
            return Entry::Damaged(None);
        }
        let lengths = self.words.load(at + 1, Ordering::Relaxed);
        let (fixed, tail) = (lengths as u32 >> 16, lengths >> 32);
        let frame = HEADER_LENGTH + fixed as usize + tail as usize;
        let words = record_words(frame);
        if words > end - at {
            return Entry::Damaged(None);
        }
        let begun = self.seal.begin(at, number, tag);
        let check = (at + 1..at + words).fold(begun, |check, word| {
            self.seal
                .add(check, self.words.load(word, Ordering::Relaxed))
        });
        match Seal::commit(check, tag) == commit {
            true => Entry::Whole(frame),
            false => Entry::Damaged(Some(words)),
        }
    }
}

/// Bytes of a journal before word `at` of a segment.
pub(super) fn offset(shape: &Shape, segment: u64, at: usize) -> u64 {
    let before = segment.saturating_mul(shape.length as u64);
    before.saturating_add((at * WORD) as u64)
}

/// Where records are read, from the first of a journal to the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The block, and whether its mark was read.
    pub block: usize,
    inside: bool,
    /// The next word.
    pub at: usize,
    /// The number of the next record where it is known, and no more than that where it is not: numbers only rise.
    pub number: u64,
    pub known: bool,
    /// A stretch that gives no records, not told yet.
    lost: Option<Lost>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub offset: u64,
    pub why: Why,
}

/// What comes next in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The frame at a word, of so many bytes.
    Record {
        number: u64,
        at: usize,
        frame: usize,
    },
    /// No records up to here; how many, where that is known.
    Skipped {
        lost: Lost,
        until: u64,
        records: Option<u64>,
    },
    /// Nothing yet.
    Wait,
    /// The segment has no more.
    End,
}

impl Cursor {
    /// Before the first record of a segment; the number it should have, where that is known.
    pub fn new(number: Option<u64>) -> Cursor {
        Cursor {
            block: 0,
            inside: false,
            at: HEADER_WORDS,
            number: number.unwrap_or(0),
            known: number.is_some(),
            lost: None,
        }
    }

    /// Goes on with the next segment.
    pub fn next_segment(&mut self) {
        (self.block, self.inside, self.at) = (0, false, HEADER_WORDS);
    }

    /// Before the mark of a block.
    pub fn go_to(&mut self, segment: &Segment, block: usize) {
        (self.block, self.inside, self.at) = (block, false, segment.shape.block_at(block));
    }

    /// A record can follow at [`Cursor::at`], behind those of its block.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// Begins a stretch without records, if there is none.
    pub fn lose(&mut self, offset: u64, why: Why) {
        self.lost.get_or_insert(Lost { offset, why });
    }

    /// Whether such a stretch is not told yet.
    pub fn is_losing(&self) -> bool {
        self.lost.is_some()
    }

    /// Ends it: the records it has cost, if `number` is that of the next.
    pub fn settle(&mut self, until: u64, number: Option<u64>) -> Option<Step> {
        let records = number.filter(|_| self.known);
        let records = records.map(|number| number.saturating_sub(self.number));
        let missing = records.filter(|&records| records > 0).map(|_| Lost {
            offset: until,
            why: Why::Missing,
        });
        let lost = self.lost.take().or(missing);
        self.known = match number {
            Some(number) => {
                self.number = number;
                true
            }
            None => self.known && lost.is_none(),
        };
        lost.map(|lost| Step::Skipped {
            lost,
            until,
            records,
        })
    }

    /// The next of a segment.
    #[inline]
    pub fn step(&mut self, segment: &Segment) -> Step {
        if self.inside {
            let end = segment.shape.block_at(self.block + 1);
            if let Entry::Whole(frame) = segment.entry(self.at, end, self.number) {
                let step = Step::Record {
                    number: self.number,
                    at: self.at,
                    frame,
                };
                self.at += record_words(frame);
                self.number = self.number.wrapping_add(1);
                return step;
            }
        }
        self.step_slowly(segment)
    }

    fn step_slowly(&mut self, segment: &Segment) -> Step {
        loop {
            let step = match self.inside {
                true => self.in_block(segment),
                false => self.before_block(segment),
            };
            if let Some(step) = step {
                return step;
            }
        }
    }

    /// Where there may be no record.
    fn in_block(&mut self, segment: &Segment) -> Option<Step> {
        let end = segment.shape.block_at(self.block + 1);
        match segment.entry(self.at, end, self.number) {
            Entry::Whole(_) => return Some(self.step(segment)),
            Entry::Vacant if self.at < end && !segment.is_past(self.block) => {
                return Some(Step::Wait);
            }
            // Records may have come before what told that no more come.
            Entry::Vacant if segment.entry(self.at, end, self.number) != Entry::Vacant => {
                return None;
            }
            Entry::Vacant => {}
            Entry::Damaged(words) => {
                let offset = segment.offset(self.at);
                let behind = words.map(|words| self.at + words);
                let goes_on = |at: &usize| {
                    let next = segment.entry(*at, end, self.number.wrapping_add(1));
                    matches!(next, Entry::Whole(_))
                };
                if let Some(at) = behind.filter(goes_on) {
                    self.at = at;
                    self.lose(offset, Why::Record);
                    return self.settle(segment.offset(at), Some(self.number.wrapping_add(1)));
                }
                self.lose(
                    offset,
                    match end > segment.words.len() {
                        true => Why::Cut,
                        false => Why::Record,
                    },
                );
            }
        }
        self.go_to(segment, self.block + 1);
        None
    }

    /// Before the mark of a block.
    fn before_block(&mut self, segment: &Segment) -> Option<Step> {
        let here = segment.offset(self.at);
        let blocks = segment.shape.blocks();
        if self.at >= segment.words.len() && segment.is_cut() && self.block < blocks {
            self.lose(here, Why::Cut);
            self.go_to(segment, blocks);
        }
        if self.block == blocks {
            return Some(self.at_end(segment));
        }
        match segment.block(self.block) {
            Mark::Vacant if !segment.is_past(self.block) => {
                return self.settle_unknown(here).or(Some(Step::Wait));
            }
            // As in a block.
            Mark::Vacant if segment.block(self.block) != Mark::Vacant => return None,
            Mark::Vacant => {}
            Mark::At(number) if number >= self.number => {
                self.inside = true;
                self.at += MARK_WORDS;
                return self.settle(here, Some(number));
            }
            Mark::At(_) | Mark::Damaged => self.lose(here, Why::Header),
        }
        self.go_to(segment, self.block + 1);
        None
    }

    /// Behind the last block.
    fn at_end(&mut self, segment: &Segment) -> Step {
        let here = segment.offset(segment.shape.block_at(segment.shape.blocks()));
        if !segment.is_ended() && !segment.is_cut() {
            return self.settle_unknown(here).unwrap_or(Step::Wait);
        }
        let told = match segment.end() {
            Mark::At(number) if number >= self.number => self.settle(here, Some(number)),
            _ => None,
        };
        told.unwrap_or(Step::End)
    }

    /// Tells what is lost, though nobody knows how much.
    pub fn settle_unknown(&mut self, here: u64) -> Option<Step> {
        self.lost?;
        self.settle(here, None)
    }
}
