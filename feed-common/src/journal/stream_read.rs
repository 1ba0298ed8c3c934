//! Reads a stream of records, and goes on behind what is damaged.
//!
//! Where a block should begin and does not, or is not what its checks say, the reader looks byte by byte for the next
//! that is: also inside what the damaged one claims as its body, since its length may be the lie, or bytes may be missing.
//! Where the claim ends as it should, with another block or the end, it takes only later blocks of the same stream inside
//! of it, so that a record that happens to hold blocks does not pass for the stream.
//!
//! Memory is bounded by the largest block, whatever lengths say. Work is, too: bytes that were checked in vain are counted,
//! and beyond eight times the bytes of the stream (and 64 MiB) blocks inside of damaged ones are passed over unchecked,
//! which only a file that was made for it comes to.

use super::block::{BlockHeader, HEADER_LENGTH, MAGIC, MAX_BODY, VERSION, mark, packing};
use super::{Found, Skipped, Why};
use crate::encode::{Decode, Frame};
use std::fmt;
use std::io::{self, ErrorKind, Read};
use zstd::bulk::Decompressor;

/// Bytes that are asked for at a time.
const CHUNK: usize = 128 << 10;

/// Bytes that may be checked in vain whatever the stream is.
const IN_VAIN: u64 = 4 * MAX_BODY as u64;

/// Reads what [`StreamWriter`](super::StreamWriter) wrote, from anything that gives bytes. Records are handed out as soon
/// as their block is whole, in place.
pub struct StreamReader<R> {
    from: R,
    /// `start..end` has been read and not used up.
    window: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of the stream before `start`.
    offset: u64,
    /// There is no more to read.
    exhausted: bool,
    unpacked: Vec<u8>,
    unpacker: Option<Decompressor<'static>>,
    block: Option<Block>,
    skipping: Option<Skipping>,
    in_vain: u64,
    /// The stream of the last block.
    stream: Option<u64>,
    /// The number of the record behind those of the last block.
    next: u64,
    /// The last block was the last of its stream.
    finished: bool,
}

/// A whole block whose records are being handed out.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Its frames that are not handed out yet: in `unpacked`, or in the window.
    packed: bool,
    at: usize,
    until: usize,
    /// Records that are not handed out yet, and the number of the first of them.
    left: u32,
    number: u64,
    /// Bytes of it in the window.
    bytes: usize,
}

/// A stretch that is being skipped.
#[derive(Clone, Copy, Debug)]
struct Skipping {
    offset: u64,
    why: Why,
    /// Up to there it is the body of a damaged block, and in there only later ones of its stream are meant.
    claim: Option<Claim>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    until: u64,
    stream: u64,
    first: u64,
}

/// What the window begins with.
enum Look {
    Block(BlockHeader),
    Damage(Why, Option<Claim>),
    End,
}

impl<R: Read> StreamReader<R> {
    /// Reads nothing yet.
    pub fn new(from: R) -> StreamReader<R> {
        StreamReader {
            from,
            window: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            exhausted: false,
            unpacked: Vec::new(),
            unpacker: None,
            block: None,
            skipping: None,
            in_vain: 0,
            stream: None,
            next: 0,
            finished: false,
        }
    }

    /// The next record, or what was skipped before it; `None` at the end. Only reading fails, and may be tried again.
    #[inline]
    pub fn read(&mut self) -> io::Result<Option<Found<'_>>> {
        if self.block.is_none_or(|block| block.at == block.until)
            && let Some(skipped) = self.next_block()?
        {
            return Ok(Some(Found::Skipped(skipped)));
        }
        let Some(block) = &mut self.block else {
            return Ok(None);
        };
        let body = match block.packed {
            true => &self.unpacked,
            false => &self.window,
        };
        let frame = match Frame::deserialize_from(&body[block.at..block.until]) {
            Ok((frame, _)) if block.left > 0 => frame,
            _ => {
                let before = if block.packed {
                    0
                } else {
                    block.at - self.start
                };
                let skipped = Skipped {
                    offset: self.offset + before as u64,
                    bytes: (block.until - block.at) as u64,
                    records: Some(block.left.into()),
                    why: Why::Frame,
                };
                (block.at, block.left) = (block.until, 0);
                return Ok(Some(Found::Skipped(skipped)));
            }
        };
        let number = block.number;
        block.at += frame.bytes().len();
        block.left -= 1;
        block.number += 1;
        Ok(Some(Found::Record { number, frame }))
    }

    /// Which stream the last record was of.
    pub fn stream(&self) -> Option<u64> {
        self.stream
    }

    /// Whether the last thing read is the mark that ends a stream in order.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Bytes read and used up: the blocks that were handed out, and what was skipped.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What is read from.
    pub fn into_inner(self) -> R {
        self.from
    }

    /// Gets a block with bytes in it, or says what is in its place. Neither: the end.
    #[cold]
    fn next_block(&mut self) -> io::Result<Option<Skipped>> {
        if let Some(block) = self.block.take() {
            self.use_up(block.bytes);
            if block.left > 0 {
                return Ok(Some(Skipped {
                    offset: self.offset,
                    bytes: 0,
                    records: Some(block.left.into()),
                    why: Why::Frame,
                }));
            }
        }
        loop {
            match self.look()? {
                Look::Block(header) => {
                    if let Some(skipped) = self.take(&header) {
                        return Ok(Some(skipped));
                    }
                    if self.block.is_some_and(|b| b.at < b.until || b.left > 0) {
                        return Ok(None);
                    }
                    self.use_up(HEADER_LENGTH + header.stored.get() as usize);
                    self.block = None;
                }
                Look::Damage(why, claim) => {
                    let offset = self.offset;
                    let begun = Skipping { offset, why, claim };
                    let skipping = self.skipping.get_or_insert(begun);
                    if claim.is_some() && skipping.claim.is_none_or(|old| offset >= old.until) {
                        skipping.claim = claim;
                    }
                    self.finished = false;
                    self.seek();
                }
                Look::End => {
                    return Ok(self.skipping.take().map(|skipping| Skipped {
                        offset: skipping.offset,
                        bytes: self.offset - skipping.offset,
                        records: None,
                        why: skipping.why,
                    }));
                }
            }
        }
    }

    /// Makes a whole block the one that is handed out; what is missing before it.
    fn take(&mut self, header: &BlockHeader) -> Option<Skipped> {
        let (first, records) = (header.first.get(), header.records.get());
        let stream = header.stream.get();
        // Where the number begins that the block should have; nobody knows when another stream was cut before it.
        let expected = match self.stream {
            Some(before) if before == stream => Some(self.next),
            Some(_) if !self.finished => None,
            _ => Some(0),
        };
        let records_lost = expected.and_then(|expected| first.checked_sub(expected));
        let skipped = match self.skipping.take() {
            Some(skipping) => Some(Skipped {
                offset: skipping.offset,
                bytes: self.offset - skipping.offset,
                records: records_lost,
                why: skipping.why,
            }),
            None => records_lost.filter(|&lost| lost > 0).map(|_| Skipped {
                offset: self.offset,
                bytes: 0,
                records: records_lost,
                why: Why::Missing,
            }),
        };
        self.stream = Some(stream);
        // The sum is within range: a readable header has seen to it.
        self.next = first + u64::from(records);
        self.finished = header.mark == mark::LAST;
        let packed = header.packing != packing::NONE;
        let stored = header.stored.get() as usize;
        let (at, until) = match packed {
            true => (0, self.unpacked.len()),
            false => (
                self.start + HEADER_LENGTH,
                self.start + HEADER_LENGTH + stored,
            ),
        };
        self.block = Some(Block {
            packed,
            at,
            until,
            left: records,
            number: first,
            bytes: HEADER_LENGTH + stored,
        });
        skipped
    }

    /// Looks at what the window begins with, and checks it.
    fn look(&mut self) -> io::Result<Look> {
        let there = self.fill(HEADER_LENGTH)?;
        let window = &self.window[self.start..self.end];
        if there == 0 {
            return Ok(Look::End);
        }
        if !window.starts_with(&MAGIC[..MAGIC.len().min(there)]) {
            return Ok(Look::Damage(Why::NoBlock, None));
        }
        if there < HEADER_LENGTH {
            return Ok(Look::Damage(Why::Cut, None));
        }
        let header = match BlockHeader::whole(window) {
            Ok(&header) => header,
            Err(why) => return Ok(Look::Damage(why, None)),
        };
        if header.version != VERSION {
            return Ok(Look::Damage(Why::Version(header.version), None));
        }
        if !header.is_readable() {
            return Ok(Look::Damage(Why::Header, None));
        }
        if !self.is_meant(&header) {
            return Ok(Look::Damage(Why::NoBlock, None));
        }
        let stored = header.stored.get() as usize;
        let length = HEADER_LENGTH + stored;
        if self.fill(length)? < length {
            return Ok(Look::Damage(Why::Cut, None));
        }
        let body = &self.window[self.start + HEADER_LENGTH..][..stored];
        let why = if crc32fast::hash(body) != header.body_check.get() {
            self.in_vain += stored as u64;
            Why::Body
        } else if header.packing == packing::ZSTD && !self.unpack(&header) {
            self.in_vain += u64::from(header.length.get());
            Why::Packing
        } else {
            return Ok(Look::Block(header));
        };
        let there = self.fill(length + MAGIC.len())?;
        let behind =
            &self.window[self.start + length..self.start + there.min(length + MAGIC.len())];
        let claim = MAGIC.starts_with(behind).then(|| Claim {
            until: self.offset + length as u64,
            stream: header.stream.get(),
            first: header.first.get(),
        });
        Ok(Look::Damage(why, claim))
    }

    /// Whether a block with a whole header can be one of the stream, where it lies.
    fn is_meant(&self, header: &BlockHeader) -> bool {
        let Some(skipping) = &self.skipping else {
            return true;
        };
        let later = |claim: Claim| {
            self.offset >= claim.until
                || header.stream.get() == claim.stream && header.first.get() > claim.first
        };
        skipping.claim.is_none_or(later) && self.in_vain <= IN_VAIN + 8 * self.offset
    }

    /// Unpacks the body of the block that the window begins with; whether it has the length it should have.
    fn unpack(&mut self, header: &BlockHeader) -> bool {
        let body = &self.window[self.start + HEADER_LENGTH..][..header.stored.get() as usize];
        let length = header.length.get() as usize;
        self.unpacked.clear();
        self.unpacked.resize(length, 0);
        if self.unpacker.is_none() {
            self.unpacker = Decompressor::new().ok();
        }
        let Some(unpacker) = &mut self.unpacker else {
            return false;
        };
        let unpacked = unpacker.decompress_to_buffer(body, &mut self.unpacked[..]);
        unpacked.is_ok_and(|bytes| bytes == length)
    }

    /// Uses up the first byte, and what is behind it up to where a block may begin.
    fn seek(&mut self) {
        let behind = &self.window[self.start + 1..self.end];
        let begins = |at: &usize| {
            let rest = &behind[*at..];
            rest.starts_with(&MAGIC[..MAGIC.len().min(rest.len())])
        };
        let mut at = 0;
        let found = loop {
            match behind[at..].iter().position(|&byte| byte == MAGIC[0]) {
                None => break behind.len(),
                Some(more) if begins(&(at + more)) => break at + more,
                Some(more) => at += more + 1,
            }
        };
        self.use_up(1 + found);
    }

    fn use_up(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads until there are `want` bytes in the window, at most the largest block, or no more come; how many there are.
    fn fill(&mut self, want: usize) -> io::Result<usize> {
        while self.end - self.start < want && !self.exhausted {
            if self.window.len() - self.start < want {
                self.window.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
                if self.window.len() < want.max(CHUNK) {
                    self.window.resize(want.max(CHUNK), 0);
                }
            }
            match self.from.read(&mut self.window[self.end..]) {
                Ok(0) => self.exhausted = true,
                Ok(bytes) => self.end += bytes,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(self.end - self.start)
    }
}

impl<R> fmt::Debug for StreamReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("offset", &self.offset)
            .field("stream", &self.stream)
            .field("next", &self.next)
            .field("block", &self.block)
            .field("skipping", &self.skipping)
            .finish_non_exhaustive()
    }
}
