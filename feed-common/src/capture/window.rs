//! What a parser sees of a file: all of it, where it is mapped or in memory; of a stream, a block at a time.
//!
//! A file that is in the system's cache took 1.7 times as long in blocks as through a mapping (`benches --bin capture`), so
//! regular files stay mapped.

use std::time::Duration;

use super::cut::CutReason;
use super::stream::Stream;

/// Contiguous bytes of a file.
#[derive(Debug)]
pub(super) enum Window<'f> {
    /// The file.
    Whole(&'f [u8]),
    /// What a thread unpacks or reads.
    Stream(Box<Stream>),
}

/// What asking for more came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refill {
    /// The window goes on behind what it held from the position on.
    More,
    /// There is nothing yet.
    Pending,
    /// There is no more, and why, unless that is as it should be.
    End(Option<CutReason>),
}

impl Window<'_> {
    /// The bytes at hand.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Window::Whole(bytes) => bytes,
            Window::Stream(stream) => stream.bytes(),
        }
    }

    /// Bytes of the file before the window.
    #[inline]
    pub(super) fn base(&self) -> u64 {
        match self {
            Window::Whole(_) => 0,
            Window::Stream(stream) => stream.base(),
        }
    }

    /// Bytes of the file as it is, packed or not, that have been read when `at` bytes of the window have: those of
    /// blocks count when the block is at hand.
    pub(super) fn taken(&self, at: usize) -> u64 {
        match self {
            Window::Whole(_) => at as u64,
            Window::Stream(stream) => stream.taken(),
        }
    }

    /// Replaces the window by one that begins at position `at` and has more behind; `at` is then its place there.
    /// Waits for at most `wait`, where one is given.
    pub(super) fn refill(&mut self, at: &mut usize, wait: Option<Duration>) -> Refill {
        match self {
            Window::Whole(_) => Refill::End(None),
            Window::Stream(stream) => stream.refill(at, wait),
        }
    }
}
