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
    /// By the unit's place.
    seen: Vec<SeenWindow>,
}

impl LineStats {
    /// Another numbering has appeared on the channel.
    pub fn add_unit(&mut self) {
        self.seen.push(SeenWindow::new());
    }

    /// A frame of the unit at a place came in on the line, with `messages` messages.
    #[inline]
    pub fn bring(&mut self, unit: usize, span: SeqSpan, messages: u64) {
        self.packets += 1;
        self.messages += messages;
        self.seen[unit].bring(span);
    }

    /// Numbers of the sequence that this line never brought.
    pub fn lost(&self) -> u64 {
        let lost = self.seen.iter().map(SeenWindow::lost);
        lost.fold(0, u64::saturating_add)
    }

    /// The numbers of a unit start over.
    pub fn restart(&mut self, unit: usize) {
        self.seen[unit].restart();
    }
}
