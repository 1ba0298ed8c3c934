//! What one line contributed.

use super::{SeenWindow, SeqSpan};

/// Counters of one line of a channel.
#[derive(Debug, Default)]
pub struct LineStats {
    /// Frames of the channel's protocol, heartbeats included.
    pub packets: u64,
    /// Messages in them, new or not.
    pub messages: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Messages this line brought before any other.
    pub first: u64,
    seen: SeenWindow,
}

impl LineStats {
    /// A frame came in on the line.
    #[inline]
    pub fn bring(&mut self, span: SeqSpan) {
        self.packets += 1;
        self.messages += span.count;
        self.seen.bring(span);
    }

    /// Messages of the sequence that this line never brought.
    pub fn lost(&self) -> u64 {
        self.seen.lost()
    }

    /// The numbers start over.
    pub fn restart(&mut self) {
        self.seen.restart();
    }
}
