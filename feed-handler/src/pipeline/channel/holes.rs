//! What becomes of the holes of a channel: they are closed by what comes, or given up.

use super::{Channel, Core, deliver};
use crate::protocol::{Decode, Protocol};
use crate::publish::Outlet;
use crate::sequence::{Admit, By, Due, Hole, HoleEnd, SeqSpan, Stashed};
use crate::transport::Framing;
use feed_common::event::{Flags, Gap, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Trust};
use feed_common::latency::{Probe, Stage};
use feed_common::time::UnixNanos;

impl<P: Protocol> Channel<P> {
    /// Asks recovery for holes that have been open for longer than the window, and gives them up when nobody can be asked
    /// or nobody has them. While packets flow, `receive_call` numbers the
    /// calls that brought them: a lane that had lost its core finds old packets of one line before it has asked the
    /// others, so a hole is given up only when every line has been asked once more. `None` says that nothing is waiting
    /// on any line.
    #[inline]
    pub(in crate::pipeline) fn expire<H: Outlet, R: Probe>(
        &mut self,
        now: u64,
        receive_call: Option<u64>,
        core: &mut Core<H, R>,
    ) {
        if self.silence.is_due(now) {
            self.fall_silent(core);
        }
        for unit in 0..self.units.len() {
            if !self.units[unit].holes.is_empty() {
                self.expire_unit(unit, now, receive_call, core);
            }
        }
    }

    fn expire_unit<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        now: u64,
        receive_call: Option<u64>,
        core: &mut Core<H, R>,
    ) {
        self.now = now;
        loop {
            let limit = self.limit(unit);
            let holed = &mut self.units[unit];
            let Some(due) = holed.holes.due(now, self.window_nanos, limit) else {
                holed.overdue = None;
                return;
            };
            let asked = holed.holes.first().is_some_and(|h| h.asked.is_some());
            if due == Due::Ask && holed.wants_snapshot && asked {
                return; // it will be as of a number behind the other holes, or they are asked for then
            }
            if let Some(call) = receive_call {
                let noticed = *holed.overdue.get_or_insert(call);
                if call - noticed <= self.lane_lines {
                    return;
                }
            }
            holed.overdue = None;
            match due {
                Due::Ask => self.ask(unit, now),
                Due::GiveUp if self.resort_to_snapshot(unit, now) => {}
                Due::GiveUp => self.give_up_first(unit, core),
            }
        }
    }

    /// Gives up every hole: nothing more will come.
    pub(in crate::pipeline) fn finish<H: Outlet, R: Probe>(&mut self, core: &mut Core<H, R>) {
        for unit in 0..self.units.len() {
            self.give_up_all(unit, core);
        }
    }

    pub(super) fn give_up_all<H: Outlet, R: Probe>(&mut self, unit: usize, core: &mut Core<H, R>) {
        while !self.units[unit].holes.is_empty() {
            self.give_up_first(unit, core);
        }
    }

    /// Gives up the first hole of a unit, if there is one, and delivers what waited behind it and in it.
    #[cold]
    pub(super) fn give_up_first<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        core: &mut Core<H, R>,
    ) {
        let Some(end) = self.units[unit].holes.first().map(|hole| hole.span.end()) else {
            return;
        };
        // What waited is done to the books before the snapshot that it waited for is whole.
        self.taking_snapshot &= !self.units[unit].void;
        while let Some(next) = self.units[unit].behind_hole().filter(|&next| next <= end) {
            self.forgo(unit, next, core);
            self.drain(unit, None, core);
        }
    }

    /// Goes on at `next` without what is missing before it. Of a session that was joined late it was never this handler's
    /// to deliver.
    pub(super) fn forgo<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        next: u64,
        core: &mut Core<H, R>,
    ) {
        let forgoing = &mut self.units[unit];
        // Once something of it has been delivered, what is missing from there on is lost.
        if forgoing.joining && next > 1 && forgoing.sequencer.expected() == Some(1) {
            forgoing.holes.lose(SeqSpan::default());
            forgoing.sequencer.begin(next);
            return;
        }
        let lost = self.declare(unit, next, core);
        self.units[unit].holes.lose(lost.unwrap_or_default());
    }

    /// Declares everything before `next` lost: a gap record, and no more trust in the channel's instruments. What
    /// that is.
    fn declare<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        next: u64,
        core: &mut Core<H, R>,
    ) -> Option<SeqSpan> {
        let holed = &mut self.units[unit];
        let missing = holed.sequencer.give_up_before(next)?;
        if !P::Decoder::BY_INSTRUMENT {
            holed.trust = Trust::RECOVERING;
        }
        let cx = MsgCtx {
            sequence: missing.first,
            unit: holed.key,
            trust: Trust::RECOVERING,
            timestamp: UnixNanos::UNKNOWN,
            instrument: NO_INSTRUMENT,
            symbol: NO_SYMBOL,
            flags: Flags::END_OF_EVENT,
            ..self.cx
        };
        let count = missing.count;
        core.outlet.on_gap(&cx, Gap { count });
        if P::Decoder::BY_INSTRUMENT {
            self.doubt(next);
        }
        Some(missing)
    }

    /// Closes the holes that end before the next number, which `by` has made possible, delivers what waited for that,
    /// and closes the holes that it ends.
    pub(super) fn drain<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        by: Option<By>,
        core: &mut Core<H, R>,
    ) {
        let here = self.units[unit].sequencer.expected().unwrap_or_default();
        let came = (by, self.now);
        let mut asked = self.close(unit, |_| came, core);
        while let Some(&Stashed { line, span, at, .. }) = self.units[unit].stash.first() {
            let waits = &mut self.units[unit];
            match waits.sequencer.admit(span) {
                Admit::Gap { .. } => break,
                Admit::Duplicate => {
                    if let Some(taken) = waits.stash.take_first() {
                        waits.stash.release(taken);
                    }
                    self.line(line).duplicates += 1;
                }
                Admit::Deliver { skip } => {
                    let Some(taken) = waits.stash.take_first() else {
                        return;
                    };
                    let new = self.redeliver(unit, &taken, skip, core);
                    self.line(line).first += new;
                    self.units[unit].stash.release(taken);
                    // A hole that begins behind what came now was closed by what had come before.
                    let waited = (Some(self.by(line)), at);
                    let by = |hole: &Hole| match hole.span.first < here {
                        true => came,
                        false => waited,
                    };
                    asked |= self.close(unit, by, core);
                }
            }
        }
        // A snapshot that was asked for the sake of one hole serves those behind it: nobody wants it when they are closed.
        let whole = &self.units[unit];
        if asked || whole.wants_snapshot && whole.holes.is_empty() {
            self.settle(unit);
        }
    }

    /// Who brings what comes in on a line, or stands behind the last.
    pub(super) fn by(&self, line: usize) -> By {
        match line < self.lines.len() && !self.is_retransmission(line) {
            true => By::Line(line),
            false => By::Retransmission,
        }
    }

    /// Closes the holes that end before the next number; `by` says by whom and when. True when recovery had been asked
    /// for one.
    fn close<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        by: impl Fn(&Hole) -> (Option<By>, u64),
        core: &mut Core<H, R>,
    ) -> bool {
        let expected = self.units[unit].sequencer.expected().unwrap_or_default();
        let mut asked = false;
        while let Some(hole) = self.units[unit].holes.closed(expected) {
            let was_asked = hole.asked.is_some();
            asked |= was_asked;
            let whole = &mut self.units[unit];
            if std::mem::take(&mut whole.joining) && hole.lost.is_none() && !whole.void {
                whole.trust = Trust::VALID; // the lines have brought its beginning themselves
            }
            if was_asked && hole.lost.is_none() {
                core.probe.mark(Stage::GapClosed, hole.rx);
            }
            if let Some(ends) = &mut core.hole_ends {
                let (by, at) = by(&hole);
                ends.send(self.end_of(unit, &hole, by, at));
            }
        }
        asked
    }

    /// What is known of a hole that `by` has closed.
    fn end_of(&self, unit: usize, hole: &Hole, by: Option<By>, at: u64) -> HoleEnd {
        let lost = hole.lost.filter(|lost| lost.count > 0);
        // Of a hole that was filled in part, what is left is what has a cause.
        let open = match lost {
            Some(lost) => SeqSpan::between(lost.first.max(hole.span.first), hole.span.end()),
            None => hole.span,
        };
        HoleEnd {
            channel: self.cx.channel,
            unit: self.units[unit].key,
            span: hole.span,
            opened: hole.at,
            closed: at.max(hole.at),
            by: by.filter(|&by| by == By::Snapshot || hole.lost.is_none()),
            lost: hole.lost.unwrap_or_default(),
            lines: self.lines.len() - self.retransmissions.count_ones() as usize,
            sides: self.lines.sides(unit, open),
        }
    }

    /// Delivers a packet out of the stash, and says how many messages it brought. Its stages are marked here, with its own
    /// receive time: what it waited for the hole to close is part of its latency.
    #[inline(never)]
    fn redeliver<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        taken: &Stashed,
        skip: u64,
        core: &mut Core<H, R>,
    ) -> u64 {
        let unit = &self.units[unit];
        let packet = unit.stash.packet(taken);
        let rx = packet.meta.rx;
        if P::Decoder::BY_INSTRUMENT
            && let Some(refresh) = &mut self.refresh
        {
            refresh.keep(taken.span.first, packet.bytes);
        }
        let Ok((frame, _)) = self.framing.open(packet.bytes) else {
            return 0; // it opened when it was stashed
        };
        self.cx.trust = unit.trust;
        let new = deliver::<P, H, R>(&mut self.decoder, &mut self.cx, frame, skip, rx, core);
        core.outlet.flush();
        let done = core.probe.now();
        core.probe.mark_at(Stage::Decoded, rx, done);
        core.probe.mark_at(Stage::Published, rx, done);
        new
    }
}
