//! What became of a session on its lines: the truth that a receiver's report is held against.

use super::line::{Cause, Fate};
use super::spans::Spans;
use std::ops::Range;

/// What lines carried of a session. Messages are known by their numbers, whichever their sender gives them: rising
/// through the session, the same on every line. A packet without messages (a heartbeat) counts as a packet only.
#[derive(Clone, Debug, Default)]
pub struct Account {
    sent: Spans,
    lines: Vec<Line>,
}

/// Packets of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent.
    pub sent: u64,
    /// Lost by chance, alone or in a burst.
    pub lost: u64,
    /// Lost because the line was silent.
    pub silenced: u64,
    /// Lost because too much was under way.
    pub overflowed: u64,
    /// Carried, with a byte changed.
    pub corrupted: u64,
    /// Carried twice.
    pub duplicated: u64,
    /// Carried, and held back for others to overtake.
    pub held: u64,
}

impl Counts {
    /// Packets that do not arrive.
    pub fn lost_in_all(&self) -> u64 {
        self.lost + self.silenced + self.overflowed
    }

    /// Packets that arrive, second copies included.
    pub fn arriving(&self) -> u64 {
        self.sent - self.lost_in_all() + self.duplicated
    }
}

#[derive(Clone, Debug, Default)]
struct Line {
    counts: Counts,
    /// Messages in packets that arrive as they were sent.
    intact: Spans,
    /// Messages in packets that arrive with a byte changed.
    damaged: Spans,
}

impl Account {
    /// Of so many lines that nothing was sent on.
    pub fn new(lines: usize) -> Account {
        Account {
            sent: Spans::default(),
            lines: vec![Line::default(); lines],
        }
    }

    /// Notes the fate of a packet with these messages.
    pub fn note(&mut self, line: usize, numbers: Range<u64>, fate: Fate) {
        self.sent.add(numbers.clone());
        let line = &mut self.lines[line];
        let counts = &mut line.counts;
        counts.sent += 1;
        match fate {
            Fate::Lost(Cause::Loss) => counts.lost += 1,
            Fate::Lost(Cause::Silence) => counts.silenced += 1,
            Fate::Lost(Cause::Full) => counts.overflowed += 1,
            Fate::Carried {
                corrupted,
                duplicated,
                held,
            } => {
                counts.corrupted += u64::from(corrupted);
                counts.duplicated += u64::from(duplicated);
                counts.held += u64::from(held);
                match corrupted {
                    true => line.damaged.add(numbers),
                    false => line.intact.add(numbers),
                }
            }
        }
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Packets of a line.
    pub fn counts(&self, line: usize) -> Counts {
        self.lines[line].counts
    }

    /// The messages sent on any line.
    pub fn sent(&self) -> &Spans {
        &self.sent
    }

    /// The messages a line carried as they were sent.
    pub fn intact(&self, line: usize) -> &Spans {
        &self.lines[line].intact
    }

    /// The messages in packets of a line that arrive with a byte changed: any one byte, of one of them or of what is
    /// around them.
    pub fn damaged(&self, line: usize) -> &Spans {
        &self.lines[line].damaged
    }

    /// The messages of which a line brought nothing.
    pub fn lost(&self, line: usize) -> Spans {
        let line = &self.lines[line];
        self.sent.minus(&line.intact).minus(&line.damaged)
    }

    /// The messages of which no line brought anything: only a server can.
    pub fn lost_by_all(&self) -> Spans {
        let lines = self.lines.iter();
        lines.fold(self.sent.clone(), |left, line| {
            left.minus(&line.intact).minus(&line.damaged)
        })
    }

    /// The messages that no line brought as they were sent: lost by all, or damaged where they were not.
    pub fn intact_on_none(&self) -> Spans {
        let lines = self.lines.iter();
        lines.fold(self.sent.clone(), |left, line| left.minus(&line.intact))
    }
}
