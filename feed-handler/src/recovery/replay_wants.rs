//! The numbers that a replay is to bring, and who has already said that he cannot.

use super::Missing;
use crate::sequence::SeqSpan;
use crate::transport::Session;
use std::ops::Range;

/// Numbers that are wanted, with how asking for them has gone. No number is in two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Want {
    /// What is left to come; never empty.
    pub missing: Missing,
    /// The connection there is has brought some of it.
    pub brought: bool,
    /// Connections in a row that brought nothing of it.
    pub attempts: u32,
    /// When it is given up.
    pub deadline: u64,
    /// Not to be asked for before.
    pub after: u64,
    /// Servers, a bit each, that have said they do not have it.
    pub refused: u64,
    /// It cannot be had, and that has yet to be said.
    pub failed: bool,
}

impl Want {
    fn first(&self) -> u64 {
        self.missing.span.first
    }

    fn end(&self) -> u64 {
        self.missing.span.end()
    }

    fn cut(&self, first: u64, end: u64) -> Want {
        let span = SeqSpan::between(first, end);
        let missing = Missing {
            span,
            ..self.missing
        };
        Want { missing, ..*self }
    }
}

/// All that is wanted, by session and number. A replay knows one numbering of a session, whatever unit it is called. The
/// room for it is taken once.
#[derive(Debug)]
pub(super) struct Wants {
    wants: Vec<Want>,
    /// How many may be wished; twice as many can come of them by being split.
    limit: usize,
}

impl Wants {
    pub fn new(limit: usize) -> Wants {
        Wants {
            wants: Vec::with_capacity(2 * limit),
            limit,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Want> {
        self.wants.iter()
    }

    /// Those of a session.
    pub fn of_mut(&mut self, session: Session) -> impl Iterator<Item = &mut Want> {
        let wants = self.wants.iter_mut();
        wants.filter(move |want| want.missing.session == session)
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Want> {
        self.wants.iter_mut()
    }

    /// Adds what is wished and not wanted already. What there is no room for is handed back.
    pub fn add(&mut self, wish: Want, refuse: &mut dyn FnMut(Missing)) {
        let (mut at, mut first) = (self.place(&wish.missing), wish.first());
        let (session, end) = (wish.missing.session, wish.end());
        if first == end {
            refuse(wish.missing); // the last number there is has none behind it
        }
        while first < end {
            let next = self.wants.get(at).filter(|w| w.missing.session == session);
            let next = next.map(|w| (w.first(), w.end()));
            let (until, behind) = match next {
                Some((next, behind)) if next < end => (next, behind),
                _ => (end, end),
            };
            if first < until {
                let part = wish.cut(first, until);
                if self.wants.len() < self.limit {
                    self.wants.insert(at, part);
                    at += 1;
                } else {
                    refuse(part.missing);
                }
            }
            (at, first) = (at + 1, first.max(behind));
        }
    }

    /// Nothing before the number is wanted any more.
    pub fn settle(&mut self, settled: &Missing) {
        let first = settled.span.first;
        self.wants.retain_mut(|want| {
            let before = want.missing.session == settled.session && want.first() < first;
            if before && first < want.end() {
                *want = want.cut(first, want.end());
            }
            !before || want.first() >= first
        });
    }

    /// The message with that number has come; false when it is not wanted.
    pub fn take(&mut self, session: Session, sequence: u64) -> bool {
        let Some(at) = self.wants.iter().position(|want| {
            let Missing {
                session: of, span, ..
            } = want.missing;
            of == session && (span.first..span.end()).contains(&sequence)
        }) else {
            return false;
        };
        let want = Want {
            brought: true,
            ..self.wants[at]
        };
        if want.first() < sequence && !self.split(at, sequence) {
            return false;
        }
        let at = at + usize::from(want.first() < sequence);
        if sequence + 1 == want.end() {
            self.wants.remove(at);
        } else {
            self.wants[at] = want.cut(sequence + 1, want.end());
        }
        true
    }

    /// Messages of a span have come; how many of them were wanted.
    pub fn bring(&mut self, session: Session, span: SeqSpan) -> u64 {
        for want in self.of_mut(session) {
            want.brought |= want.first() < span.end() && span.first < want.end();
        }
        let part = self.part(session, span);
        let brought = self.wants.drain(part).map(|want| want.missing.span.count);
        brought.sum()
    }

    /// Messages of a span cannot be had.
    pub fn fail(&mut self, session: Session, span: SeqSpan) {
        let part = self.part(session, span);
        self.wants[part]
            .iter_mut()
            .for_each(|want| want.failed = true);
    }

    /// The channel that something of a span is wanted for; `None` where nothing of it is, or all has failed.
    pub fn channel_of(&self, session: Session, span: SeqSpan) -> Option<u16> {
        let at = self.behind(session, span.first);
        let within = self.wants[at..]
            .iter()
            .take_while(|want| want.missing.session == session && want.first() < span.end());
        let mut wanted = within.filter(|want| !want.failed);
        wanted.next().map(|want| want.missing.channel)
    }

    /// Cuts the want that a number lies in before it, where there is room to.
    pub fn cut_at(&mut self, session: Session, number: u64) {
        let at = self.behind(session, number);
        let within = |want: &Want| want.missing.session == session && want.first() < number;
        if self.wants.get(at).is_some_and(within) {
            self.split(at, number);
        }
    }

    /// A server has nothing of a session before a number.
    pub fn refuse_before(&mut self, session: Session, first: u64, server: usize) {
        for at in 0..self.wants.len() {
            let want = self.wants[at];
            if want.missing.session == session && want.first() < first {
                if first < want.end() {
                    self.split(at, first);
                }
                self.wants[at].refused |= 1 << server;
            }
        }
    }

    /// The lowest number from `from` on that this server may be asked for.
    pub fn next_of(&self, session: Session, from: u64, server: usize) -> Option<u64> {
        let of = self.wants.iter().filter(|want| {
            want.missing.session == session
                && !want.failed
                && want.refused >> server & 1 == 0
                && want.end() > from
        });
        of.map(|want| want.first().max(from)).min()
    }

    /// Hands out what has failed while there is room for it.
    pub fn hand_failed(&mut self, hand: &mut dyn FnMut(Missing) -> bool) {
        self.wants
            .retain(|want| !want.failed || !hand(want.missing));
    }

    /// Cuts a want in two, the second of which begins with that number; false without room.
    fn split(&mut self, at: usize, first: u64) -> bool {
        if self.wants.len() == 2 * self.limit {
            return false;
        }
        let want = self.wants[at];
        self.wants[at] = want.cut(want.first(), first);
        self.wants.insert(at + 1, want.cut(first, want.end()));
        true
    }

    /// Where the wants are that lie within a span; those that reach beyond it are cut first, where there is room to.
    fn part(&mut self, session: Session, span: SeqSpan) -> Range<usize> {
        self.cut_at(session, span.first);
        self.cut_at(session, span.end());
        let (from, to) = ((session, span.first), (session, span.end()));
        let begin = |want: &Want| (want.missing.session, want.first()) < from;
        let end = |want: &Want| (want.missing.session, want.end()) <= to;
        let begin = self.wants.partition_point(begin);
        begin..self.wants.partition_point(end).max(begin)
    }

    /// Where what ends behind the beginning of that is, or would be.
    fn place(&self, missing: &Missing) -> usize {
        self.behind(missing.session, missing.span.first)
    }

    /// Where what ends behind a number is, or would be.
    fn behind(&self, session: Session, number: u64) -> usize {
        let before = (session, number);
        self.wants
            .partition_point(|want| (want.missing.session, want.end()) <= before)
    }
}

#[cfg(test)]
#[path = "replay_wants_tests.rs"]
mod tests;
