//! What the lines of a channel contributed.

use super::evidence::{Course, Standing};
use super::{Dropped, Heard, LEAD_RESOLUTION, Leads, SIDES, SeenWindow, SeqSpan, Side, Silence};
use feed_common::latency::Spread;
use feed_common::latency::summary::Quantiles;
use feed_common::time::UnixNanos;
use std::ops::{Deref, DerefMut};

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
    /// Packets of it that were dropped here so far.
    dropped: Dropped,
    /// Numbers that it never brought, of which the packets before and behind say where they were dropped here.
    lost_here: Dropped,
    /// By how much packets were earlier on this line than on the one that came second; where there are others.
    lead: Option<Spread>,
    lost_alone: u64,
    heard: Heard,
    /// By the unit's place.
    courses: Vec<Course>,
}

impl LineStats {
    /// Numbers of the sequence that this line never brought.
    pub fn lost(&self) -> u64 {
        let lost = self.courses.iter().map(|course| course.seen.lost());
        lost.fold(0, u64::saturating_add)
    }

    /// So many packets of it were dropped by its socket, and for want of a slot, before the one that comes next.
    #[inline]
    pub fn dropped_before(&mut self, socket_buffer: u64, ring_full: u64) {
        let known = &mut self.dropped;
        // Stored only when they have grown: what is read whole soon after would wait for the stores.
        if ((known.socket_buffer ^ socket_buffer) | (known.ring_full ^ ring_full)) != 0 {
            known.socket_buffer = socket_buffer;
            known.ring_full = ring_full;
        }
    }

    /// Something that came in on it was no frame.
    #[cold]
    pub fn refuse(&mut self) {
        self.dropped.malformed += 1;
    }

    /// Those of them that were dropped in this process, by cause, as far as it is clear.
    pub fn lost_here(&self) -> Dropped {
        self.lost_here
    }

    /// Those of them that another line brought.
    pub fn lost_alone(&self) -> u64 {
        // What came later than anybody remembers is out of one count and still in the other.
        self.lost_alone.min(self.lost())
    }

    /// By how many nanoseconds packets were earlier on this line than on the one that came second: measured where both
    /// begin with the same number and came not too far apart.
    pub fn lead(&self) -> Quantiles {
        self.lead
            .as_ref()
            .map_or_else(Quantiles::default, Spread::quantiles)
    }

    /// When it was heard.
    pub fn heard(&self) -> &Heard {
        &self.heard
    }
}

/// The lines of a channel: what each brought, what each lost alone, what all lost, and who was first by how much.
///
/// Late packets heal a loss within the window of [`SeenWindow`]. Nothing is allocated but for a new unit.
#[derive(Debug)]
pub struct Lines {
    lines: Box<[LineStats]>,
    /// What any line brought, by the unit's place; empty where there is one line.
    together: Vec<SeenWindow>,
    leads: Leads,
}

impl Lines {
    /// So many lines that have brought nothing yet.
    pub fn new(lines: usize) -> Lines {
        let line = || LineStats {
            lead: (lines > 1).then(|| Spread::new(LEAD_RESOLUTION)),
            ..LineStats::default()
        };
        Lines {
            lines: (0..lines).map(|_| line()).collect(),
            together: Vec::new(),
            leads: Leads::new(lines),
        }
    }

    /// Another numbering has appeared on the channel.
    pub fn add_unit(&mut self) {
        for line in &mut self.lines {
            line.courses.push(Course::new());
        }
        if self.lines.len() > 1 {
            self.together.push(SeenWindow::new());
        }
    }

    /// A frame of the unit at a place came in on a line, with `messages` messages, `at` so many nanoseconds of the
    /// channel's clock. Leads are measured by stamps where there are any, and otherwise by that clock.
    #[inline]
    pub fn bring(
        &mut self,
        line: usize,
        unit: usize,
        span: SeqSpan,
        messages: u64,
        at: u64,
        stamp: UnixNanos,
    ) {
        let own = &mut self.lines[line];
        own.packets += 1;
        own.messages += messages;
        own.heard.packet(at, stamp);
        let now = Standing {
            at,
            dropped: own.dropped,
        };
        let course = &mut own.courses[unit];
        let follows = course.seen.next() == span.first;
        if !follows {
            course.turns(span, now, &mut own.lost_here);
        }
        course.last = now;
        let Some(together) = self.together.get_mut(unit) else {
            course.seen.bring(span);
            return;
        };
        let leads = together.next() == span.first;
        let is_known = !leads && together.holds(span);
        if !(follows && (leads || is_known)) {
            return self.astray(line, unit, span, at, stamp);
        }
        course.seen.bring(span);
        course.lost_before = together.lost();
        if leads {
            together.bring(span);
        }
        self.compare(line, unit, span, leads, at, stamp);
    }

    /// As [`Lines::bring`] for a packet before or after which something is missing, on its line or on all.
    #[cold]
    fn astray(&mut self, line: usize, unit: usize, span: SeqSpan, at: u64, stamp: UnixNanos) {
        let together = &mut self.together[unit];
        let is_new = span.first >= together.next() || !together.has(span.first);
        // What others had passed over, and nobody has brought before.
        for (other, stats) in self.lines.iter_mut().enumerate() {
            let passed = together.behind(stats.courses[unit].seen.behind(span));
            if other != line {
                let new = passed.count - together.count_in(passed);
                stats.lost_alone = stats.lost_alone.saturating_add(new);
            }
        }
        let own = &mut self.lines[line];
        let course = &mut own.courses[unit];
        let skipped = course.seen.skips(span);
        let alone = together.brought_of(skipped, course.lost_before);
        own.lost_alone = own.lost_alone.saturating_add(alone);
        let late = course.seen.behind(span);
        let healed = course.seen.lacks_of(late, together);
        own.lost_alone = own.lost_alone.saturating_sub(healed);
        course.seen.bring(span);
        together.bring(span);
        course.lost_before = together.lost();
        self.compare(line, unit, span, is_new, at, stamp);
    }

    /// Measures a lead, where the packet is one that another line has brought too.
    #[inline]
    fn compare(
        &mut self,
        line: usize,
        unit: usize,
        span: SeqSpan,
        is_new: bool,
        at: u64,
        stamp: UnixNanos,
    ) {
        if span.count == 0 {
            return;
        }
        let at = if stamp.is_known() { stamp.0 } else { at };
        if is_new {
            return self.leads.first(line, unit, span.first, at);
        }
        if let Some(lead) = self.leads.again(line, unit, span.first, at)
            && let Some(spread) = &mut self.lines[lead.line].lead
        {
            spread.record(lead.nanos);
        }
    }

    /// The numbers of a unit start over. What was lost stays counted.
    pub fn restart(&mut self, unit: usize) {
        for line in &mut self.lines {
            line.courses[unit].restart();
        }
        if let Some(together) = self.together.get_mut(unit) {
            together.restart();
        }
        self.leads.restart();
    }

    /// What each of the first lines is to a hole of the unit at a place.
    pub fn sides(&self, unit: usize, hole: SeqSpan) -> [Side; SIDES] {
        let mut sides = [Side::default(); SIDES];
        for (side, line) in sides.iter_mut().zip(&self.lines) {
            *side = line.courses[unit].side(hole);
        }
        sides
    }

    /// Numbers that no line brought.
    pub fn lost_by_all(&self) -> u64 {
        match &*self.lines {
            [only] => only.lost(),
            _ => {
                let lost = self.together.iter().map(SeenWindow::lost);
                lost.fold(0, u64::saturating_add)
            }
        }
    }

    /// The longest silence of a line while the channel was heard.
    pub fn silence(&self, line: usize) -> Silence {
        let all = self.lines.iter().map(LineStats::heard);
        self.lines[line].heard.silence(all)
    }
}

impl Deref for Lines {
    type Target = [LineStats];

    fn deref(&self) -> &[LineStats] {
        &self.lines
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [LineStats] {
        &mut self.lines
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
