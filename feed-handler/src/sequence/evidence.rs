//! What is known here of the packets that a line did not bring: what this process dropped of it, between which packets.

use super::{Cause, SeenWindow, SeqSpan};

/// Packets of a line that reached this process, or its socket, and that nobody read: so far, or in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The socket's buffer had no room for them.
    pub socket_buffer: u64,
    /// They were received and no slot was free.
    pub ring_full: u64,
    /// They were no frames.
    pub malformed: u64,
}

impl Dropped {
    /// What has been added since an earlier reading.
    #[inline]
    pub fn since(self, before: Dropped) -> Dropped {
        Dropped {
            socket_buffer: self.socket_buffer.saturating_sub(before.socket_buffer),
            ring_full: self.ring_full.saturating_sub(before.ring_full),
            malformed: self.malformed.saturating_sub(before.malformed),
        }
    }

    /// Two intervals together.
    fn plus(self, other: Dropped) -> Dropped {
        Dropped {
            socket_buffer: self.socket_buffer.saturating_add(other.socket_buffer),
            ring_full: self.ring_full.saturating_add(other.ring_full),
            malformed: self.malformed.saturating_add(other.malformed),
        }
    }

    /// Why something that the line lacks is missing, when this is all that happened to it on the way through this process:
    /// `None` when nothing did, and [`Cause::Unknown`] when it could have been one or the other.
    pub fn cause(self) -> Option<Cause> {
        match (self.socket_buffer, self.ring_full, self.malformed) {
            (0, 0, 0) => None,
            (1.., 0, 0) => Some(Cause::SocketBuffer),
            (0, 1.., 0) => Some(Cause::RingFull),
            (0, 0, 1..) => Some(Cause::Malformed),
            _ => Some(Cause::Unknown),
        }
    }

    /// All of it.
    pub fn total(self) -> u64 {
        let two = self.socket_buffer.saturating_add(self.ring_full);
        two.saturating_add(self.malformed)
    }

    /// The counter of what a cause stands for.
    fn of(&mut self, cause: Option<Cause>) -> Option<&mut u64> {
        match cause? {
            Cause::SocketBuffer => Some(&mut self.socket_buffer),
            Cause::RingFull => Some(&mut self.ring_full),
            Cause::Malformed => Some(&mut self.malformed),
            _ => None,
        }
    }
}

/// Where a line stood with a packet: when it came, in the channel's nanoseconds, and what had been dropped of the line by
/// then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub at: u64,
    pub dropped: Dropped,
}

/// What a line is to a hole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// It has not come past all of it, or has not been heard at all; it lacks nothing of what it came past.
    #[default]
    Behind,
    /// It was first heard behind the hole.
    Later,
    /// It brought all of it that it has come past.
    Brought,
    /// It came past it and lacks all or part of it.
    Lacks(Interval),
    /// It came past it and lacks it, so long ago that no more is known.
    Forgotten,
}

/// The interval in which a line did not bring something: from its last packet before it to its first one behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Its beginning, in the channel's nanoseconds.
    pub from: u64,
    /// Its end.
    pub to: u64,
    /// What was dropped of the line in it.
    pub dropped: Dropped,
}

/// Numbers that a line came past without bringing them.
#[derive(Clone, Copy, Debug, Default)]
struct Jump {
    span: SeqSpan,
    interval: Interval,
}

/// Jumps that are remembered: those of a tenth of a second where a hundredth of 100,000 packets a second is lost.
const REMEMBERED: usize = 128;

/// A line in one numbering: what it brought, and where it jumped.
#[derive(Debug)]
pub(super) struct Course {
    pub seen: SeenWindow,
    /// What all lines had lost when this one was last heard.
    pub lost_before: u64,
    /// With its last packet.
    pub last: Standing,
    /// The newest jumps, each in the place of its number.
    jumps: Box<[Jump; REMEMBERED]>,
    /// Jumps of the numbering so far.
    jumped: u64,
}

impl Course {
    pub fn new() -> Course {
        Course {
            seen: SeenWindow::new(),
            lost_before: 0,
            last: Standing::default(),
            jumps: Box::new([Jump::default(); REMEMBERED]),
            jumped: 0,
        }
    }

    /// The line brings `span`, which does not follow what it brought before: notes what it came past, and takes back what
    /// it brings late. `lost` counts, by cause, what the line lacks because of what was dropped here.
    #[cold]
    pub fn turns(&mut self, span: SeqSpan, now: Standing, lost: &mut Dropped) {
        let skipped = self.seen.skips(span);
        if skipped.count > 0 {
            let dropped = now.dropped.since(self.last.dropped);
            if let Some(lost) = lost.of(dropped.cause()) {
                *lost = lost.saturating_add(skipped.count);
            }
            self.jumps[self.jumped as usize % REMEMBERED] = Jump {
                span: skipped,
                interval: Interval {
                    from: self.last.at,
                    to: now.at,
                    dropped,
                },
            };
            self.jumped += 1;
        }
        let late = self.seen.behind(span);
        if late.count == 0 {
            return;
        }
        for jump in self.over(late) {
            let part = common(jump.span, late);
            let healed = part.count - self.seen.count_in(part);
            if let Some(lost) = lost.of(jump.interval.dropped.cause()) {
                *lost = lost.saturating_sub(healed);
            }
        }
    }

    /// What the line is to the hole of these numbers.
    pub fn side(&self, hole: SeqSpan) -> Side {
        let Some(start) = self.seen.start() else {
            return Side::Behind;
        };
        if hole.end() <= start {
            return Side::Later;
        }
        let passed = common(hole, SeqSpan::between(start, self.seen.next()));
        if passed.count == 0 {
            return Side::Behind;
        }
        let known = self.seen.behind(passed);
        if known.count == passed.count && self.seen.count_in(known) == known.count {
            // What of it is still to come nobody can tell.
            return match passed.end() == hole.end() {
                true => Side::Brought,
                false => Side::Behind,
            };
        }
        let intervals = self.over(hole).map(|jump| jump.interval);
        let whole = intervals.reduce(|a, b| Interval {
            from: a.from.min(b.from),
            to: a.to.max(b.to),
            dropped: a.dropped.plus(b.dropped),
        });
        whole.map_or(Side::Forgotten, Side::Lacks)
    }

    /// Numbers begin anew.
    pub fn restart(&mut self) {
        self.seen.restart();
        self.jumped = 0;
    }

    /// The remembered jumps over part of `span`, the newest first.
    fn over(&self, span: SeqSpan) -> impl Iterator<Item = &Jump> {
        let oldest = self.jumped.saturating_sub(REMEMBERED as u64);
        let newest_first = (oldest..self.jumped).rev();
        let jumps = newest_first.map(|n| &self.jumps[n as usize % REMEMBERED]);
        // A line only jumps forward.
        jumps
            .take_while(move |jump| jump.span.end() > span.first)
            .filter(move |jump| jump.span.first < span.end())
    }
}

/// The numbers that two runs have in common.
fn common(a: SeqSpan, b: SeqSpan) -> SeqSpan {
    SeqSpan::between(a.first.max(b.first), a.end().min(b.end()))
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
