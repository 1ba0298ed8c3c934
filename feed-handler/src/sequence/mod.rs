//! Sequencing: merging the lines of a channel by message.
//!
//! [`Sequencer`] decides, [`Stash`] holds what arrived ahead of a gap, [`Holes`] knows since when what is missing,
//! [`Lines`] says what each line brought and lost itself, and which was first by how much; [`Cause`], why.
//! None of them owns a clock or a socket: time comes in as an argument, so the same code runs live, from a file and in
//! tests.

mod cause;
mod epochs;
mod evidence;
mod heard;
mod holes;
mod leads;
mod lines;
mod seen;
mod sequencer;
mod stash;

pub use cause::{By, Cause, HoleEnd, SIDES, Verdict};
pub use epochs::{Epoch, Epochs};
pub use evidence::{Dropped, Interval, Side};
pub use heard::{Heard, Silence};
pub use holes::{Due, Hole, Holes};
pub use leads::{LEAD_RESOLUTION, Lead, Leads};
pub use lines::{LineStats, Lines};
pub use seen::SeenWindow;
pub use sequencer::{Admit, SequenceStats, Sequencer};
pub use stash::{Refused, Stash, Stashed};

/// A run of consecutive sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqSpan {
    /// First number.
    pub first: u64,
    /// How many; 0 for heartbeats, which say what comes next.
    pub count: u64,
}

impl SeqSpan {
    /// The numbers from `first` up to, not including, `end`.
    #[inline]
    pub const fn between(first: u64, end: u64) -> SeqSpan {
        SeqSpan {
            first,
            count: end.saturating_sub(first),
        }
    }

    /// The number after the last; saturates, as sequence numbers come from the network.
    #[inline]
    pub const fn end(self) -> u64 {
        self.first.saturating_add(self.count)
    }
}
