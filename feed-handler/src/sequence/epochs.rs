//! Numberings that begin anew without a new session.

use super::SeqSpan;
use feed_common::time::UnixNanos;

/// Tells the runs of one numbering apart where nothing but the time of sending does. Its first packet begins a new run
/// when it was sent after everything else seen and numbers behind its own have been; what was sent before that is of the
/// run before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epochs {
    /// When the run at hand began; 0 for the first.
    begun: u64,
    latest: u64,
    /// The number after the last of the run at hand, as far as it is known.
    reached: u64,
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
    /// Judges a packet by when it was sent, its numbers, and whether it could be the first of a run.
    #[inline]
    pub fn judge(&mut self, sent: UnixNanos, span: SeqSpan, begins: bool) -> Epoch {
        let sent = sent.0;
        if sent < self.begun {
            return Epoch::Old;
        }
        let anew = begins && sent > self.latest && self.reached > span.first;
        self.latest = self.latest.max(sent);
        if anew {
            self.begun = sent;
            self.reached = span.end();
            self.number += 1;
            return Epoch::New;
        }
        self.reached = self.reached.max(span.end());
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
        let mut judge = |sent, begins| {
            let first = if begins { 1 } else { 7 };
            epochs.judge(UnixNanos(sent), SeqSpan { first, count: 3 }, begins)
        };
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

    #[test]
    fn heartbeats_before_the_first_packet_are_no_run_of_their_own() {
        let mut epochs = Epochs::default();
        let at = |first, count| SeqSpan { first, count };
        for sent in 100..110 {
            assert_eq!(epochs.judge(UnixNanos(sent), at(1, 0), false), Epoch::Same);
        }
        assert_eq!(epochs.judge(UnixNanos(110), at(1, 5), true), Epoch::Same);
        assert_eq!(epochs.judge(UnixNanos(111), at(1, 5), true), Epoch::New);
    }
}
