//! The holes that are open in a numbering: what is missing, since when, and what has been done about it.

use super::SeqSpan;
use feed_common::time::Ticks;
use std::collections::VecDeque;

/// Numbers that nothing has brought yet, though later ones are there or have been announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The numbers that were missing when it was noticed. Part of them may have come since.
    pub span: SeqSpan,
    /// When it was noticed, in the caller's nanoseconds.
    pub at: u64,
    /// The receive time of the packet that showed it.
    pub rx: Ticks,
    /// From when on it counts as asked for: moves on with every step that recovery makes. `None` while only the lines
    /// are waited for.
    pub asked: Option<u64>,
    /// It cannot be had from whom it was asked.
    pub failed: bool,
    /// What was given up with it: the first number, and how many in all. `None` when nothing was.
    pub lost: Option<SeqSpan>,
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The lines have had their time with a hole: ask recovery for it.
    Ask,
    /// Nobody has filled the first hole in time: give it up.
    GiveUp,
}

/// The open holes of one numbering, in the order of their numbers, which is that of their times. Bounded, memory taken
/// once: when there is no room for another, the last one grows over it.
#[derive(Debug)]
pub struct Holes {
    open: VecDeque<Hole>,
    most: usize,
    /// How many, from the front, have been asked for.
    asked: usize,
    /// The number after the highest that has been seen or announced.
    reached: u64,
    /// Holes so far.
    opened: u64,
}

impl Holes {
    /// Room for `most` holes.
    pub fn new(most: usize) -> Holes {
        let most = most.max(1);
        Holes {
            open: VecDeque::with_capacity(most),
            most,
            asked: 0,
            reached: 0,
            opened: 0,
        }
    }

    /// Something that covers `span`, or announces its first number, has come while `expected` was still missing.
    pub fn reveal(&mut self, expected: u64, span: SeqSpan, at: u64, rx: Ticks) {
        let reached = self.reached.max(expected);
        self.reached = reached.max(span.end());
        if span.first <= reached {
            return;
        }
        let full = self.open.len() == self.most;
        match self.open.back_mut() {
            Some(last) if full => {
                last.span = SeqSpan::between(last.span.first, span.first);
            }
            _ => {
                self.opened += 1;
                self.open.push_back(Hole {
                    span: SeqSpan::between(reached, span.first),
                    at,
                    rx,
                    asked: None,
                    failed: false,
                    lost: None,
                });
            }
        }
    }

    /// True when none is open.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many are open.
    #[inline]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// How many there have been.
    #[inline]
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// The first one.
    #[inline]
    pub fn first(&self) -> Option<&Hole> {
        self.open.front()
    }

    /// What is due at `now`: a hole is asked for when it has been open for `window`, where somebody can be asked, and
    /// given up when nobody has brought anything of it for `limit` since. Where nobody can, it is given up after the
    /// window.
    #[inline]
    pub fn due(&self, now: u64, window: u64, limit: Option<u64>) -> Option<Due> {
        let passed = |since: u64, time| now.saturating_sub(since) >= time;
        let first = self.open.front()?;
        match (first.asked, limit) {
            (_, None) => passed(first.at, window).then_some(Due::GiveUp),
            (Some(asked), Some(limit)) if first.failed || passed(asked, limit) => Some(Due::GiveUp),
            _ => {
                let next = self.open.get(self.asked)?;
                passed(next.at, window).then_some(Due::Ask)
            }
        }
    }

    /// Takes note that the first one that had not been asked for now is, and returns it.
    pub fn ask(&mut self, now: u64) -> Option<Hole> {
        let hole = self.open.get_mut(self.asked)?;
        hole.asked = Some(now);
        let hole = *hole;
        let asked = |h: &Hole| h.asked.is_some();
        while self.open.get(self.asked).is_some_and(asked) {
            self.asked += 1;
        }
        Some(hole)
    }

    /// The first one has been asked for otherwise.
    pub fn retry(&mut self, now: u64) {
        if let Some(first) = self.open.front_mut() {
            first.asked = Some(now);
            first.failed = false;
            self.asked = self.asked.max(1);
        }
    }

    /// The first one is to be asked for anew.
    pub fn again(&mut self) {
        if let Some(first) = self.open.front_mut() {
            first.asked = None;
            first.failed = false;
            self.asked = 0;
        }
    }

    /// Numbers, part of the first one, are given up.
    pub fn lose(&mut self, span: SeqSpan) {
        if let Some(first) = self.open.front_mut() {
            first.lost = Some(match first.lost {
                Some(before @ SeqSpan { count: 1.., .. }) => SeqSpan {
                    count: before.count.saturating_add(span.count),
                    ..before
                },
                _ => span,
            });
        }
    }

    /// Something of the first one has come: its time begins anew.
    pub fn progress(&mut self, now: u64) {
        if let Some(Hole {
            asked: Some(asked), ..
        }) = self.open.front_mut()
        {
            *asked = now;
        }
    }

    /// What of `span` is missing cannot be had, and is given up at its turn. What else is missing of the same holes may
    /// still come: they are parted there, unless no room is left for another.
    pub fn fail(&mut self, span: SeqSpan) {
        let mut place = 0;
        while let Some(hole) = self.open.get(place) {
            let within = hole.span.first < span.end() && span.first < hole.span.end();
            if hole.asked.is_some() && within {
                place += usize::from(self.part(place, span.first));
                self.part(place, span.end());
                self.open[place].failed = true;
            }
            place += 1;
        }
    }

    /// Makes two of a hole, the second from `number` on, where that lies in it and there is room.
    fn part(&mut self, place: usize, number: u64) -> bool {
        let full = self.open.len() == self.most;
        let hole = &mut self.open[place];
        let (first, end) = (hole.span.first, hole.span.end());
        if full || number <= first || number >= end {
            return false;
        }
        hole.span = SeqSpan::between(first, number);
        let rest = Hole {
            span: SeqSpan::between(number, end),
            ..*hole
        };
        self.asked += usize::from(place < self.asked);
        self.open.insert(place + 1, rest);
        self.opened += 1;
        true
    }

    /// Takes out the first one, when it lies before `expected`.
    #[inline]
    pub fn closed(&mut self, expected: u64) -> Option<Hole> {
        if self.open.front()?.span.end() > expected {
            return None;
        }
        self.asked = self.asked.saturating_sub(1);
        self.open.pop_front()
    }

    /// Numbers start over.
    pub fn clear(&mut self) {
        self.open.clear();
        self.asked = 0;
        self.reached = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(first: u64, end: u64) -> SeqSpan {
        SeqSpan::between(first, end)
    }

    fn holes(most: usize) -> Holes {
        let mut holes = Holes::new(most);
        holes.reveal(10, span(15, 20), 100, Ticks(1));
        holes.reveal(10, span(17, 22), 110, Ticks(2));
        holes.reveal(10, span(30, 30), 120, Ticks(3));
        holes.reveal(10, span(40, 50), 130, Ticks(4));
        holes
    }

    #[test]
    fn what_is_revealed_is_a_hole_once() {
        let mut holes = holes(8);
        let spans: Vec<_> = holes.open.iter().map(|h| (h.span, h.at)).collect();
        let expected = [
            (span(10, 15), 100),
            (span(22, 30), 120),
            (span(30, 40), 130),
        ];
        assert_eq!(spans, expected);
        assert_eq!(holes.closed(14), None);
        assert_eq!(holes.closed(15).map(|h| h.rx), Some(Ticks(1)));
        assert_eq!(holes.closed(29), None);
        holes.clear();
        assert!(holes.is_empty());
    }

    #[test]
    fn without_room_the_last_one_grows() {
        let holes = holes(2);
        let spans: Vec<_> = holes.open.iter().map(|h| h.span).collect();
        assert_eq!(spans, [span(10, 15), span(22, 40)]);
    }

    #[test]
    fn each_is_asked_for_after_its_window_and_given_up_after_the_limit() {
        let mut holes = holes(8);
        assert_eq!(holes.due(149, 50, None), None);
        assert_eq!(holes.due(150, 50, None), Some(Due::GiveUp));
        let limit = Some(30);
        assert_eq!(holes.due(149, 50, limit), None);
        assert_eq!(holes.due(150, 50, limit), Some(Due::Ask));
        assert_eq!(holes.ask(150).map(|h| h.span), Some(span(10, 15)));
        assert_eq!(holes.due(169, 50, limit), None);
        assert_eq!(holes.due(170, 50, limit), Some(Due::Ask));
        holes.ask(170);
        holes.progress(175);
        assert_eq!(holes.due(179, 50, limit), None);
        holes.ask(180);
        assert_eq!(holes.due(204, 50, limit), None);
        assert_eq!(holes.due(205, 50, limit), Some(Due::GiveUp));
        assert!(holes.closed(15).is_some());
        assert_eq!(holes.due(199, 50, limit), None);
        holes.fail(span(20, 30));
        assert_eq!(holes.due(199, 50, limit), Some(Due::GiveUp));
        holes.again();
        assert_eq!(holes.due(199, 50, limit), Some(Due::Ask));
        assert_eq!(holes.ask(199).map(|h| h.span), Some(span(22, 30)));
        assert_eq!(holes.due(199, 50, limit), None);
        holes.lose(span(23, 25));
        holes.lose(span(29, 30));
        assert_eq!(holes.closed(30).and_then(|h| h.lost), Some(span(23, 26)));
        assert_eq!(holes.due(199, 50, limit), None);
    }

    #[test]
    fn what_cannot_be_had_is_parted_from_what_may_still_come() {
        let mut holes = holes(8);
        holes.ask(150);
        holes.ask(150);
        holes.fail(span(12, 24));
        let parts: Vec<_> = holes.open.iter().map(|h| (h.span, h.failed)).collect();
        let expected = [
            (span(10, 12), false),
            (span(12, 15), true),
            (span(22, 24), true),
            (span(24, 30), false),
            (span(30, 40), false),
        ];
        assert_eq!(parts, expected);
        assert_eq!(holes.ask(160).map(|h| h.span), Some(span(30, 40)));
        assert_eq!(holes.due(160, 50, Some(30)), None);
        holes.closed(12);
        assert_eq!(holes.due(160, 50, Some(30)), Some(Due::GiveUp));
    }

    #[test]
    fn without_room_a_hole_fails_whole() {
        let mut holes = holes(3);
        holes.ask(150);
        holes.fail(span(12, 13));
        let failed: Vec<_> = holes.open.iter().map(|h| (h.span, h.failed)).collect();
        let expected = [
            (span(10, 15), true),
            (span(22, 30), false),
            (span(30, 40), false),
        ];
        assert_eq!(failed, expected);
    }

    proptest! {
        /// Against a set: what is between the first number and the highest and has not come lies in a hole, and holes do
        /// not overlap.
        #[test]
        fn every_missing_number_is_in_one_hole(
            packets in proptest::collection::vec((10u64..200, 0u64..6), 1..60),
        ) {
            let mut holes = Holes::new(64);
            let mut seen = std::collections::BTreeSet::new();
            let (mut expected, mut high) = (10, 10);
            for (first, count) in packets {
                let span = SeqSpan { first, count };
                if first > expected {
                    holes.reveal(expected, span, 0, Ticks(0));
                }
                seen.extend(first..span.end());
                high = high.max(span.end());
                while seen.contains(&expected) {
                    expected += 1;
                }
                while holes.closed(expected).is_some() {}
                for number in expected..high {
                    let within = holes
                        .open
                        .iter()
                        .filter(|h| h.span.first <= number && number < h.span.end());
                    prop_assert!(within.count() <= 1);
                    if !seen.contains(&number) {
                        prop_assert!(holes.open.iter().any(|h| h.span.first <= number && number < h.span.end()));
                    }
                }
                prop_assert_eq!(holes.is_empty(), expected == high);
            }
        }
    }
}
