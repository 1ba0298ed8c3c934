//! A file that has to be unpacked, or that comes through a pipe: a thread fills blocks, the reader empties them.
//!
//! ```text
//!           ┌── filled, at most 4 ──►┐
//!  thread ──┤                        ├── reader: headroom [ tail of the block before | block ]
//!           └◄── emptied ────────────┘
//! ```
//!
//! A block has room in front, into which the reader moves what it could not yet take of the block before, so that every
//! record is contiguous. Blocks go round, so memory stays flat however long the file is.

mod gzip;
mod source;
mod zstd;

use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::cut::CutReason;
use super::parsed::RECORD_MAX;
use super::window::Refill;
pub(super) use source::{Held, Progress, Source, compressed, plain};

/// Bytes of a block behind its headroom.
pub(super) const BLOCK: usize = 1 << 20;

/// Bytes in front of a block: the start of a record that is not whole is shorter.
const HEADROOM: usize = RECORD_MAX;

/// Blocks of a stream: one being read, one being filled, two to even out the two.
const BLOCKS: usize = 4;

/// The reader's end.
#[derive(Debug)]
pub(super) struct Stream {
    state: State,
    block: Block,
    /// Bytes of the file before the window.
    base: u64,
    /// See [`Source::taken`]: for the window and what came before it.
    taken: u64,
}

#[derive(Debug)]
enum State {
    /// No thread yet: many readings of a file end before they begin.
    Idle {
        source: Box<dyn Source>,
        block: usize,
    },
    Running(Channels),
    Ended(Option<CutReason>),
}

#[derive(Debug)]
struct Channels {
    filled: Receiver<Filled>,
    emptied: SyncSender<Block>,
}

/// Bytes with room in front.
#[derive(Debug, Default)]
struct Block {
    bytes: Box<[u8]>,
    /// The first byte of the window.
    start: usize,
    /// Behind the last.
    end: usize,
}

/// A block, what its source had taken when it was full, and how the stream ended if it is the last.
#[derive(Debug)]
struct Filled {
    block: Block,
    taken: u64,
    end: Option<Option<CutReason>>,
}

impl Stream {
    /// Reads `source` from its start, in blocks of [`BLOCK`] bytes.
    pub(super) fn new(source: Box<dyn Source>) -> Stream {
        Stream::with_block(source, BLOCK)
    }

    /// Reads `source` in blocks of `block` bytes.
    pub(super) fn with_block(source: Box<dyn Source>, block: usize) -> Stream {
        Stream {
            state: State::Idle { source, block },
            block: Block::default(),
            base: 0,
            taken: 0,
        }
    }

    /// A stream that gives nothing, for this reason.
    pub(super) fn ended(reason: CutReason) -> Stream {
        Stream {
            state: State::Ended(Some(reason)),
            block: Block::default(),
            base: 0,
            taken: 0,
        }
    }

    /// The window.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.block.bytes[self.block.start..self.block.end]
    }

    /// Bytes of the file before the window.
    #[inline]
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    /// Bytes of the file as it is, packed or not, up to the end of the window.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// See [`Window::refill`](super::window::Window::refill).
    pub(super) fn refill(&mut self, at: &mut usize, wait: Option<Duration>) -> Refill {
        if let State::Idle { .. } = self.state {
            self.start();
        }
        let channels = match &self.state {
            State::Running(channels) => channels,
            State::Ended(end) => return Refill::End(*end),
            State::Idle { .. } => return Refill::Pending,
        };
        let received = match wait {
            Some(wait) => channels.filled.recv_timeout(wait),
            None => channels.filled.recv().map_err(RecvTimeoutError::from),
        };
        let filled = match received {
            Ok(filled) => filled,
            Err(RecvTimeoutError::Timeout) => return Refill::Pending,
            // The thread is gone without a word: it panicked.
            Err(RecvTimeoutError::Disconnected) => {
                self.state = State::Ended(Some(CutReason::Read(ErrorKind::Other)));
                return Refill::End(Some(CutReason::Read(ErrorKind::Other)));
            }
        };
        self.taken = filled.taken;
        let emptied = self.turn(filled.block, at);
        if let State::Running(channels) = &self.state {
            // There is room for every block; a thread that has ended wants none.
            let _ = channels.emptied.try_send(emptied);
        }
        if let Some(end) = filled.end {
            self.state = State::Ended(end);
        }
        Refill::More
    }

    /// Makes `next` the window, with what is left of the one before in front, and gives that one back.
    fn turn(&mut self, mut next: Block, at: &mut usize) -> Block {
        let tail = &self.bytes()[*at..];
        next.start = HEADROOM - tail.len();
        next.bytes[next.start..HEADROOM].copy_from_slice(tail);
        self.base += *at as u64;
        *at = 0;
        std::mem::replace(&mut self.block, next)
    }

    fn start(&mut self) {
        let ended = State::Ended(None);
        let State::Idle { source, block } = std::mem::replace(&mut self.state, ended) else {
            return;
        };
        let (to_reader, filled) = sync_channel(BLOCKS);
        let (emptied, from_reader) = sync_channel(BLOCKS);
        let filler = Filler {
            source,
            block,
            filled: to_reader,
            emptied: from_reader,
        };
        let spawned = thread::Builder::new()
            .name("unpack".to_owned())
            .spawn(move || filler.run());
        self.state = match spawned {
            Ok(_) => State::Running(Channels { filled, emptied }),
            Err(e) => State::Ended(Some(CutReason::Read(e.kind()))),
        };
    }
}

/// The thread's end. It is not waited for: when the reader is gone its next block is refused, and it ends.
struct Filler {
    source: Box<dyn Source>,
    block: usize,
    filled: SyncSender<Filled>,
    emptied: Receiver<Block>,
}

impl Filler {
    fn run(mut self) {
        let mut made = 0;
        loop {
            let block = if made < BLOCKS {
                made += 1;
                Block {
                    bytes: vec![0; HEADROOM + self.block].into(),
                    start: HEADROOM,
                    end: HEADROOM,
                }
            } else {
                match self.emptied.recv() {
                    Ok(block) if !block.bytes.is_empty() => block,
                    Ok(_) => continue, // what the reader held before its first block
                    Err(_) => return,
                }
            };
            let filled = self.fill(block);
            let last = filled.end.is_some();
            if self.filled.send(filled).is_err() || last {
                return;
            }
        }
    }

    /// Fills a block. Of a pipe it takes what one reading gives: what is there should not wait for what may come.
    fn fill(&mut self, mut block: Block) -> Filled {
        (block.start, block.end) = (HEADROOM, HEADROOM);
        let mut end = None;
        while block.end < block.bytes.len() {
            match self.source.read(&mut block.bytes[block.end..]) {
                Progress::Bytes(n) => block.end += n,
                Progress::End(reason) => {
                    end = Some(reason);
                    break;
                }
            }
            if self.source.is_live() {
                break;
            }
        }
        Filled {
            block,
            taken: self.source.taken(),
            end,
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
