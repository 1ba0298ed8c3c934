//! What the parsers of the formats have in common.
//!
//! A parser sees a window of the file and a position in it, which it moves past what it has taken. It says where in the
//! window a record lies instead of lending it, so that whoever drives it may replace the window in between. It asks for
//! more bytes ([`Parsed::Short`]) only for records that are legal, hence never for more than [`RECORD_MAX`].

use std::ops::Range;

use super::cut::CutReason;
use super::pcap::FRAME_MAX;
use super::records::Frame;
use crate::time::UnixNanos;
use crate::wire::frame::{LinkType, Skip};

/// Most bytes a record may have, framing included, 512 KiB: twice the longest frame, so that a pcapng block has as much
/// room for options. What claims more is damage.
pub(super) const RECORD_MAX: usize = 2 * FRAME_MAX;

/// What a parser found at its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A frame.
    Frame(FrameAt),
    /// A frame of which nothing can be said but why.
    Unusable(Skip),
    /// A run of records without frames.
    Run(RunAt),
    /// Bytes that hold nothing to hand out; they have been taken.
    Passed,
    /// The start of something that goes on behind the window, or nothing at all.
    Short,
    /// Nothing behind this position can be read.
    Damaged(CutReason),
}

/// A frame by its place in the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameAt {
    pub number: u64,
    pub time: UnixNanos,
    pub orig_len: u32,
    pub link: LinkType,
    pub bytes: Range<usize>,
}

impl FrameAt {
    /// The frame itself.
    #[inline]
    pub fn within(self, window: &[u8]) -> Frame<'_> {
        Frame {
            number: self.number,
            time: self.time,
            orig_len: self.orig_len,
            link: self.link,
            bytes: &window[self.bytes],
        }
    }
}

/// Whole records by their place in the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunAt {
    pub first_record: u64,
    pub records: u32,
    pub bytes: Range<usize>,
}
