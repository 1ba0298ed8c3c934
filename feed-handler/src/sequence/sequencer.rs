//! What to do with a packet, by its sequence numbers alone.

use super::SeqSpan;

/// The verdict on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Deliver it from message `skip` on; the ones before were delivered already.
    Deliver {
        /// Leading messages to pass over.
        skip: u64,
    },
    /// It brings nothing new.
    Duplicate,
    /// Something before it is missing; nothing has changed, so admit it again once the hole is filled or given up.
    Gap {
        /// The messages that are missing.
        missing: SeqSpan,
    },
}

/// Totals of one channel after merging, in messages unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceStats {
    /// Holes given up.
    pub gaps: u64,
    /// Messages in those holes.
    pub lost: u64,
    /// Data packets that brought nothing new.
    pub duplicates: u64,
    /// Messages that a recovery service brought.
    pub recovered: u64,
    /// New sessions after the first.
    pub restarts: u64,
}

impl SequenceStats {
    /// The totals of two numberings together. Those of hostile numbers could leave the range.
    pub fn plus(self, other: SequenceStats) -> SequenceStats {
        SequenceStats {
            gaps: self.gaps + other.gaps,
            lost: self.lost.saturating_add(other.lost),
            duplicates: self.duplicates + other.duplicates,
            recovered: self.recovered + other.recovered,
            restarts: self.restarts + other.restarts,
        }
    }
}

/// The sequence state of one numbering. All lines, and later recovery, are admitted through it.
#[derive(Debug, Default)]
pub struct Sequencer {
    /// Next number to deliver; `None` until the first packet, whose numbers are taken as the start (late join).
    expected: Option<u64>,
    stats: SequenceStats,
}

impl Sequencer {
    /// Judges a packet that covers `span` (empty for a heartbeat) and, when it is delivered, moves on behind it.
    #[inline]
    pub fn admit(&mut self, span: SeqSpan) -> Admit {
        let expected = *self.expected.get_or_insert(span.first);
        if span.first > expected {
            return Admit::Gap {
                missing: SeqSpan::between(expected, span.first),
            };
        }
        let end = span.end();
        if end > expected {
            self.expected = Some(end);
            Admit::Deliver {
                skip: expected - span.first,
            }
        } else {
            // A heartbeat repeats no data.
            self.stats.duplicates += (span.count > 0) as u64;
            Admit::Duplicate
        }
    }

    /// A packet like one that already waits ahead of the gap.
    pub fn count_duplicate(&mut self) {
        self.stats.duplicates += 1;
    }

    /// Gives up waiting for everything before `next` and returns what is thereby lost, if anything.
    pub fn give_up_before(&mut self, next: u64) -> Option<SeqSpan> {
        let expected = self.expected?;
        if next <= expected {
            return None;
        }
        let missing = SeqSpan::between(expected, next);
        self.expected = Some(next);
        self.stats.gaps += 1;
        // Sessions of hostile numbers could lose more than can be counted.
        self.stats.lost = self.stats.lost.saturating_add(missing.count);
        Some(missing)
    }

    /// Begins at, or goes on from, a number without a word about what came before it.
    pub fn begin(&mut self, next: u64) {
        self.expected = Some(next);
    }

    /// A new session has begun; totals go on.
    pub fn restart(&mut self) {
        self.expected = None;
        self.stats.restarts += 1;
    }

    /// The next number to deliver, once anything was seen.
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Totals so far.
    pub fn stats(&self) -> SequenceStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(first: u64, count: u64) -> SeqSpan {
        SeqSpan { first, count }
    }

    #[test]
    fn first_packet_sets_the_start_and_overlap_is_used_from_its_first_new_message() {
        let mut s = Sequencer::default();
        assert_eq!(s.admit(span(100, 5)), Admit::Deliver { skip: 0 });
        assert_eq!(s.admit(span(100, 5)), Admit::Duplicate);
        assert_eq!(s.admit(span(103, 4)), Admit::Deliver { skip: 2 });
        assert_eq!(s.expected(), Some(107));
        assert_eq!(s.stats().duplicates, 1);
    }

    #[test]
    fn heartbeats_show_tail_loss_and_are_not_duplicates() {
        let mut s = Sequencer::default();
        s.admit(span(1, 1));
        assert_eq!(s.admit(span(2, 0)), Admit::Duplicate);
        assert_eq!(s.stats().duplicates, 0);
        assert_eq!(
            s.admit(span(9, 0)),
            Admit::Gap {
                missing: span(2, 7)
            }
        );
        assert_eq!(s.give_up_before(9), Some(span(2, 7)));
        assert_eq!(s.give_up_before(9), None);
        assert_eq!((s.stats().gaps, s.stats().lost), (1, 7));
    }

    #[test]
    fn numbers_near_the_end_of_their_range_do_not_wrap() {
        let mut s = Sequencer::default();
        assert_eq!(s.admit(span(u64::MAX - 1, 10)), Admit::Deliver { skip: 0 });
        assert_eq!(s.expected(), Some(u64::MAX));
        assert_eq!(s.admit(span(u64::MAX, 10)), Admit::Duplicate);
    }

    #[test]
    fn what_several_sessions_lose_saturates() {
        let mut s = Sequencer::default();
        for _ in 0..3 {
            s.admit(span(1, 1));
            s.give_up_before(u64::MAX);
            s.restart();
        }
        assert_eq!((s.stats().gaps, s.stats().lost), (3, u64::MAX));
    }

    proptest! {
        /// Whatever arrives, each number is delivered at most once, in order, and given-up plus delivered is everything.
        #[test]
        fn each_number_once(packets in proptest::collection::vec((0u64..60, 0u64..8), 1..80)) {
            let mut s = Sequencer::default();
            let (mut delivered, mut lost) = (Vec::new(), 0);
            for (first, count) in packets {
                let p = span(first, count);
                loop {
                    match s.admit(p) {
                        Admit::Deliver { skip } => { delivered.extend(p.first + skip..p.end()); break }
                        Admit::Duplicate => break,
                        Admit::Gap { missing } => {
                            prop_assert_eq!(missing.end(), p.first);
                            lost += s.give_up_before(p.first).unwrap().count;
                        }
                    }
                }
            }
            prop_assert!(delivered.windows(2).all(|w| w[0] < w[1]));
            prop_assert_eq!(lost, s.stats().lost);
            if let (Some(&first), Some(end)) = (delivered.first(), s.expected()) {
                // What was lost before the first delivery cannot be there: a hole opens only behind a first packet,
                // and an empty first packet (a heartbeat) may be followed by a hole.
                prop_assert!(delivered.len() as u64 + lost >= end - first);
            }
        }
    }
}
