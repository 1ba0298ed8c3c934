//! Numberings that begin anew without a new session.

use feed_common::time::UnixNanos;

/// Tells the runs of one numbering apart where nothing but the time of sending does. Its first packet begins a new run
/// when it was sent after everything else seen; what was sent before that is of the run before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epochs {
    /// When the run at hand began; 0 for the first.
    begun: u64,
    latest: u64,
    number: u64,
}

/// What a packet is to the run at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// Of it.
    Same,
    /// Late, of the one before.
    Old,
    /// The first of the next.
    New,
}

impl Epochs {
    /// Judges a packet by when it was sent, and by whether it could be the first of a run.
    #[inline]
    pub fn judge(&mut self, sent: UnixNanos, begins: bool) -> Epoch {
        let sent = sent.0;
        if sent < self.begun {
            return Epoch::Old;
        }
        let later = sent > self.latest;
        let first = self.latest == 0;
        self.latest = self.latest.max(sent);
        if begins && later && !first {
            self.begun = sent;
            self.number += 1;
            return Epoch::New;
        }
        Epoch::Same
    }

    /// The number of the run at hand, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_packet_begins_a_run_only_when_it_was_sent_after_all_others() {
        let mut epochs = Epochs::default();
        let mut judge = |sent, begins| epochs.judge(UnixNanos(sent), begins);
        assert_eq!(judge(100, true), Epoch::Same, "the first of all");
        assert_eq!(judge(100, true), Epoch::Same, "the same on another line");
        assert_eq!(judge(105, false), Epoch::Same);
        assert_eq!(judge(103, true), Epoch::Same, "overtaken");
        assert_eq!(judge(110, true), Epoch::New);
        assert_eq!(judge(110, true), Epoch::Same, "the same on another line");
        assert_eq!(judge(109, false), Epoch::Old);
        assert_eq!(judge(112, false), Epoch::Same);
        assert_eq!(judge(120, true), Epoch::New);
        assert_eq!(epochs.number(), 2);
    }
}
