//! The holes of one numbering.

use super::entry::{By, Cause, Closed, Entry, Hole, LINES_MAX, Mark, Of, SessionName, Sight, What};
use super::listing::{Listing, Order};
use crate::inspect::intervals::Arrived;
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use std::collections::BTreeMap;
use std::ops::Range;

/// Numbers that a numbering goes on by before a closed hole is certain: so much later a line may still bring what it
/// seemed to have lost.
const WINDOW: u64 = 1 << 16;

/// Closed holes that are not certain yet, at most.
const CLOSED_MAX: usize = 1 << 16;

/// What has come of a numbering, by line, and what has not. Memory is one entry for each hole and each hole of a line.
#[derive(Default)]
pub(super) struct Holes {
    session: SessionName,
    unit: Option<u8>,
    all: Arrived,
    lines: BTreeMap<usize, Arrived>,
    aside: Arrived,
    /// What lies between the first number and the last known and has not come, by its first number.
    open: BTreeMap<u64, Open>,
    /// What lines lacked, or seemed to, and has come; apart from each other and from what is open.
    closed: BTreeMap<u64, Filled>,
    has_ended: bool,
}

#[derive(Clone, Copy)]
struct Notice {
    order: Order,
    sight: Sight,
}

#[derive(Clone, Copy)]
struct Open {
    end: u64,
    notice: Notice,
}

#[derive(Clone, Copy)]
struct Filled {
    end: u64,
    notice: Notice,
    /// By whom, and when the last of it came; `None` where the numbers were there before.
    by: Option<(By, UnixNanos)>,
}

impl Holes {
    /// Says what numbering this is.
    pub(super) fn name(&mut self, session: SessionName, unit: Option<u8>) {
        (self.session, self.unit) = (session, unit);
    }

    /// An entry about it.
    pub(super) fn entry(&self, of: Of, mark: Mark, what: What) -> Entry {
        Entry {
            mark,
            channel: of.channel,
            unit: self.unit,
            session: self.session,
            what,
        }
    }

    /// The numbering ends; true when it had already.
    pub(super) fn ends(&mut self) -> bool {
        std::mem::replace(&mut self.has_ended, true)
    }

    /// True when a line that brings `span` gets further.
    pub(super) fn goes_on(&self, line: usize, span: SeqSpan) -> bool {
        let bounds = self.lines.get(&line).and_then(Arrived::bounds);
        bounds.is_none_or(|(_, next)| span.end() > next)
    }

    /// Takes in what somebody brought; true when some of it is new. `new` is room to work in.
    pub(super) fn bring(
        &mut self,
        by: By,
        span: SeqSpan,
        sight: Sight,
        new: &mut Vec<Range<u64>>,
        listing: &mut Listing<'_>,
    ) -> bool {
        let mut span = span;
        match (by, self.all.bounds()) {
            (By::Line(line), Some((start, next))) => {
                let own = self.lines.get(&line).and_then(Arrived::bounds);
                if let Some((_, own)) = own {
                    self.passed_over(own.max(start)..span.first.min(next), sight, listing);
                }
                if span.first > next {
                    self.opened(next..span.first, sight, listing);
                }
            }
            (By::Line(_), None) => {}
            // What was asked for again is nothing new, and says nothing of what is.
            (_, bounds) => {
                let next = bounds.map_or(0, |(_, next)| next);
                span = SeqSpan::between(span.first.min(next), span.end().min(next));
                if span.count == 0 {
                    return false;
                }
            }
        }
        self.all.add(span, new);
        let is_new = !new.is_empty();
        if !self.open.is_empty() {
            for part in new.drain(..) {
                self.fill(part, by, sight.mark.time, listing);
            }
        }
        match by {
            By::Line(line) => self.lines.entry(line).or_default().add(span, new),
            _ => self.aside.add(span, new),
        }
        self.settle(listing);
        is_new
    }

    /// A line has come past numbers without bringing them: those that are not known to be missing have been there.
    fn passed_over(&mut self, range: Range<u64>, sight: Sight, listing: &mut Listing<'_>) {
        if range.is_empty() {
            return;
        }
        let open = within(&self.open, &range, |o| o.end);
        let mut known: Vec<_> = open
            .chain(within(&self.closed, &range, |c| c.end))
            .collect();
        known.sort_unstable();
        let order = listing.notice();
        let mut at = range.start;
        for (start, end) in known.into_iter().chain([(range.end, range.end)]) {
            if at < start {
                let filled = Filled {
                    end: start,
                    notice: Notice { order, sight },
                    by: None,
                };
                listing.expect(order);
                self.closed.insert(at, filled);
            }
            at = at.max(end);
        }
    }

    /// The channel has come past numbers that nobody has brought.
    fn opened(&mut self, range: Range<u64>, sight: Sight, listing: &mut Listing<'_>) {
        let before = self.open.range_mut(..range.start).next_back();
        match before {
            // Nothing has come since that was announced.
            Some((_, open)) if open.end == range.start => open.end = range.end,
            _ => {
                let order = listing.notice();
                listing.expect(order);
                let notice = Notice { order, sight };
                let end = range.end;
                self.open.insert(range.start, Open { end, notice });
            }
        }
    }

    /// Numbers have come that had not before.
    fn fill(&mut self, part: Range<u64>, by: By, now: UnixNanos, listing: &mut Listing<'_>) {
        let touched: Vec<_> = within(&self.open, &part, |o| o.end).collect();
        for (start, end) in touched {
            let Some(Open { notice, .. }) = self.open.remove(&start) else {
                continue;
            };
            let piece = start.max(part.start)..end.min(part.end);
            for (start, end) in [(start, piece.start), (piece.end, end)] {
                if start < end {
                    listing.expect(notice.order);
                    self.open.insert(start, Open { end, notice });
                }
            }
            self.close(piece, notice, by, now, listing);
            listing.settled(notice.order);
        }
    }

    /// A part of a hole is closed. What one brings piece by piece is one part.
    fn close(
        &mut self,
        piece: Range<u64>,
        notice: Notice,
        by: By,
        now: UnixNanos,
        listing: &mut Listing<'_>,
    ) {
        if let Some((_, before)) = self.closed.range_mut(..piece.start).next_back()
            && before.end == piece.start
            && before.notice.order == notice.order
            && before.by.is_some_and(|(who, _)| who == by)
        {
            before.end = piece.end;
            before.by = Some((by, now));
            return;
        }
        let filled = Filled {
            end: piece.end,
            notice,
            by: Some((by, now)),
        };
        listing.expect(notice.order);
        self.closed.insert(piece.start, filled);
    }

    /// Lists closed holes that no line will bring any more.
    fn settle(&mut self, listing: &mut Listing<'_>) {
        while let Some(first) = self.closed.first_entry() {
            let (_, next) = self.all.bounds().unwrap_or_default();
            let is_certain = next.saturating_sub(first.get().end) >= WINDOW;
            if !is_certain && self.closed.len() <= CLOSED_MAX {
                return;
            }
            self.certain_first(listing);
        }
    }

    /// Lists everything: nothing more will come.
    pub(super) fn finish(mut self, listing: &mut Listing<'_>) {
        while !self.closed.is_empty() {
            self.certain_first(listing);
        }
        while let Some((start, Open { end, notice })) = self.open.pop_first() {
            self.certain(start..end, notice, None, listing);
        }
    }

    fn certain_first(&mut self, listing: &mut Listing<'_>) {
        let Some((start, Filled { end, notice, by })) = self.closed.pop_first() else {
            return;
        };
        let range = start..end;
        if by.is_none() && self.lacking(&range).is_empty() {
            // The line brought it later, and the channel had never waited for it.
            return listing.settled(notice.order);
        }
        let late = |at: UnixNanos| at.0.saturating_sub(notice.sight.mark.time.0);
        let closed = match by {
            Some((by, at)) => Closed { by, late: late(at) },
            None => Closed {
                by: self.holder(&range),
                late: 0,
            },
        };
        self.certain(range, notice, Some(closed), listing);
    }

    fn certain(
        &self,
        range: Range<u64>,
        notice: Notice,
        closed: Option<Closed>,
        listing: &mut Listing<'_>,
    ) {
        let Notice { order, sight } = notice;
        listing.settled(order);
        let lacked_by = self.lacking(&range);
        let cause = cause(&lacked_by, closed, sight.of.lines);
        let hole = Hole {
            first: range.start,
            last: range.end - 1,
            shown: sight.shown,
            lacked_by,
            closed,
            cause,
        };
        listing.list(order, self.entry(sight.of, sight.mark, What::Hole(hole)));
    }

    /// The lines that came past a range and did not bring all of it.
    fn lacking(&self, range: &Range<u64>) -> Vec<usize> {
        let lines = self.lines.iter().take(LINES_MAX);
        let lacking = lines.filter(|(_, came)| {
            let (start, end) = came.bounds().unwrap_or_default();
            let passed = start.max(range.start)..end.min(range.end);
            !passed.is_empty() && came.count(passed.clone()) < passed.end - passed.start
        });
        lacking.map(|(&line, _)| line).collect()
    }

    /// Who brought a range: the line that has most of it, or a server.
    fn holder(&self, range: &Range<u64>) -> By {
        let lines = self.lines.iter().take(LINES_MAX);
        let held = lines.map(|(&line, came)| (came.count(range.clone()), By::Line(line)));
        let most = held.rev().max_by_key(|&(n, _)| n);
        match most {
            Some((1.., line)) => line,
            _ => By::Retransmission,
        }
    }
}

/// The parts of a map of ranges that overlap with a range, whole.
fn within<'m, T>(
    map: &'m BTreeMap<u64, T>,
    range: &Range<u64>,
    end: impl Fn(&T) -> u64 + 'm,
) -> impl Iterator<Item = (u64, u64)> + 'm {
    let from = range.start;
    let before = map.range(..from).next_back();
    let others = map.range(from..range.end.max(from));
    let all = before.into_iter().chain(others);
    all.map(move |(&start, value)| (start, end(value)))
        .filter(move |&(_, end)| end > from)
}

/// Where a range was lost that these lines lack, of so many.
fn cause(lacked_by: &[usize], closed: Option<Closed>, lines: usize) -> Cause {
    let by_line = closed.is_some_and(|c| matches!(c.by, By::Line(_)));
    Cause::of(lacked_by.iter().map(|_| None), by_line, lines)
}
