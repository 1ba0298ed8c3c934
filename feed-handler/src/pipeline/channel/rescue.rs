//! What a channel asks of its recovery, and what it does with what it is handed.

use super::{Channel, Core};
use crate::pipeline::rescue::{Join, Rescue};
use crate::protocol::{Decode, Protocol};
use crate::publish::Outlet;
use crate::recovery::{Handed, Missing, Wish};
use crate::sequence::{By, Refused, SeqSpan};
use crate::transport::Session;
use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Trust};
use feed_common::latency::Probe;
use feed_common::packet::{Packet, RxMeta};
use feed_common::time::{Ticks, UnixNanos};

impl<P: Protocol> Channel<P> {
    /// Gives the channel a recovery.
    pub(in crate::pipeline) fn recover_by(&mut self, rescue: Rescue) {
        if let Some(settings) = rescue.refresh {
            self.refresh_by(settings);
        }
        self.rescue = Some(rescue);
    }

    /// How long a unit's first hole may wait for recovery; `None` where there is nobody to ask.
    pub(super) fn limit(&self, unit: usize) -> Option<u64> {
        let rescue = self.rescue.as_ref()?;
        match self.units[unit].wants_snapshot {
            true => rescue.snapshot_nanos,
            false => rescue.messages.then_some(rescue.limit_nanos),
        }
    }

    /// Asks for what is missing of the first hole that has not been asked for.
    #[cold]
    pub(super) fn ask(&mut self, unit: usize, now: u64) {
        let Some(hole) = self.units[unit].holes.ask(now) else {
            return;
        };
        if self.units[unit].wants_snapshot {
            return self.wish_snapshot(unit, hole.span);
        }
        let from = hole.span.first.max(self.next(unit));
        let (channel, holed) = (self.cx.channel, &self.units[unit]);
        let (Some(rescue), Some(session)) = (&self.rescue, holed.session) else {
            return;
        };
        let mut asked = true;
        let missing = SeqSpan::between(from, hole.span.end());
        holed.stash.missing(missing, |span| {
            let missing = Missing {
                channel,
                unit: holed.key,
                session,
                span,
            };
            asked &= rescue.wishes.try_send(Wish::Messages(missing)).is_ok();
        });
        if !asked {
            self.units[unit].holes.fail(hole.span);
        }
    }

    /// Nobody has the first hole's messages: asks for a snapshot instead, if there are any and none was asked for yet.
    pub(super) fn resort_to_snapshot(&mut self, unit: usize, now: u64) -> bool {
        let has = self
            .rescue
            .as_ref()
            .is_some_and(|r| r.snapshot_nanos.is_some());
        let holed = &mut self.units[unit];
        let Some(hole) = holed.holes.first().copied() else {
            return false;
        };
        if !has || holed.wants_snapshot {
            return false;
        }
        holed.wants_snapshot = true;
        holed.holes.retry(now);
        self.wish_snapshot(unit, hole.span);
        true
    }

    fn wish_snapshot(&mut self, unit: usize, span: SeqSpan) {
        let channel = self.cx.channel;
        let holed = &mut self.units[unit];
        let (Some(rescue), Some(session)) = (&self.rescue, holed.session) else {
            return;
        };
        let missing = Missing {
            channel,
            unit: holed.key,
            session,
            span,
        };
        if rescue.wishes.try_send(Wish::Snapshot(missing)).is_err() {
            holed.holes.fail(span);
        }
    }

    /// Says that what was wished of a unit has come, or is not waited for any more.
    #[cold]
    pub(super) fn settle(&mut self, unit: usize) {
        let next = self.next(unit);
        let settled = &mut self.units[unit];
        settled.wants_snapshot &= !settled.holes.is_empty();
        settled.void &= settled.wants_snapshot;
        if let (Some(rescue), Some(session)) = (&self.rescue, settled.session) {
            let missing = Missing {
                channel: self.cx.channel,
                unit: settled.key,
                session,
                span: SeqSpan {
                    first: next,
                    count: 0,
                },
            };
            // Without room for it a superfluous request may follow.
            let _ = rescue.wishes.try_send(Wish::Settled(missing));
        }
    }

    /// The number from which on a session is wanted that was first heard of at `first`.
    pub(super) fn begins_at(&self, first: u64) -> u64 {
        match self.rescue.as_ref().map(|rescue| rescue.join) {
            None | Some(Join::Live) => first,
            Some(Join::Start | Join::Snapshot) => first.min(1),
        }
    }

    /// What a session that was joined late begins with.
    pub(super) fn join(&mut self, unit: usize, first: u64) {
        let Some(rescue) = &self.rescue else {
            return;
        };
        let joining = &mut self.units[unit];
        joining.wants_snapshot = false;
        joining.joining = false;
        match rescue.join {
            _ if first <= 1 => {}
            Join::Live => {}
            Join::Start => {
                joining.sequencer.begin(1);
                joining.trust = Trust::VALID;
            }
            Join::Snapshot => {
                joining.sequencer.begin(1);
                joining.joining = true;
                joining.wants_snapshot = true;
            }
        }
    }

    /// Takes what recovery hands over, which arrived at the tick `rx` and at `at`, in the lane's nanoseconds.
    pub(in crate::pipeline) fn hand<H: Outlet, R: Probe>(
        &mut self,
        what: Handed<'_>,
        rx: Ticks,
        at: u64,
        core: &mut Core<H, R>,
    ) {
        match what {
            Handed::Packet(bytes) => {
                let meta = RxMeta {
                    rx,
                    len: bytes.len() as u32,
                    ..RxMeta::default()
                };
                let line = self.lines.len();
                self.receive(line, at, Packet { meta: &meta, bytes }, core);
            }
            Handed::Failed(missing) => {
                if let Some(unit) = self.unit_of(missing.unit, Some(missing.session)) {
                    self.units[unit].holes.fail(missing.span);
                }
            }
            Handed::SnapshotBegins => self.snapshot_begins(at, core),
            Handed::SnapshotMessage(message) => self.snapshot_message(message, rx, at, core),
            Handed::SnapshotEnds {
                session,
                unit,
                next,
            } => {
                if std::mem::take(&mut self.taking_snapshot)
                    && let Some(unit) = self.unit_of(unit, session)
                {
                    self.snapshot_ends(unit, next, core);
                }
            }
            Handed::LoopBegins { orders } => self.loop_begins(orders),
            Handed::Refresh(message) => self.refresh(message, rx, core),
            Handed::LoopEnds { orders, as_of } => self.loop_ends(orders, as_of, rx, core),
            Handed::SnapshotFailed => {
                self.taking_snapshot = false;
                for unit in self.units.iter_mut().filter(|u| u.wants_snapshot) {
                    if let Some(hole) = unit.holes.first().copied() {
                        unit.holes.fail(hole.span);
                    }
                }
            }
        }
    }

    /// The unit of that name, in the session at hand.
    fn unit_of(&self, key: u8, session: Option<Session>) -> Option<usize> {
        let fits = |held: Option<Session>| session.is_none() || session == held;
        self.units
            .iter()
            .position(|u| u.key == key && fits(u.session))
    }

    /// The next number a unit has to deliver.
    fn next(&self, unit: usize) -> u64 {
        self.units[unit].sequencer.expected().unwrap_or_default()
    }

    /// A context about no instrument, as of the next number.
    pub(super) fn apart(&self, unit: usize) -> MsgCtx {
        MsgCtx {
            sequence: self.next(unit),
            unit: self.units[unit].key,
            trust: self.units[unit].trust,
            timestamp: UnixNanos::UNKNOWN,
            instrument: NO_INSTRUMENT,
            symbol: NO_SYMBOL,
            flags: Flags::END_OF_EVENT,
            ..self.cx
        }
    }

    /// Everything the books hold is void: what they are is said anew.
    fn snapshot_begins<H: Outlet, R: Probe>(&mut self, at: u64, core: &mut Core<H, R>) {
        let Some(unit) = self.units.iter().position(|u| u.wants_snapshot) else {
            return;
        };
        self.taking_snapshot = true;
        self.units[unit].void = true;
        self.units[unit].trust = Trust::RECOVERING;
        self.units[unit].holes.progress(at);
        core.outlet.on_restart(&self.apart(unit));
    }

    /// What would go on where a snapshot does, while that comes: its messages would be done to books that are not whole,
    /// and close a hole that nobody would bring a snapshot for any more. True when it waits.
    #[cold]
    pub(super) fn waits_for_snapshot<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        line: usize,
        at: u64,
        span: SeqSpan,
        packet: Packet<'_>,
        core: &mut Core<H, R>,
    ) -> bool {
        let next = self.next(unit);
        let waits = &mut self.units[unit];
        let fills = span.first <= next && next < span.end();
        if !fills || !waits.wants_snapshot || waits.holes.is_empty() {
            return false;
        }
        match waits.stash.insert(span, line, at, packet) {
            Ok(()) => true,
            Err(Refused::Duplicate) => {
                waits.sequencer.count_duplicate();
                self.line(line).duplicates += 1;
                true
            }
            Err(Refused::Full) => {
                core.drops.stash_full += 1;
                self.taking_snapshot = false; // this is done to the books before it is whole
                false
            }
        }
    }

    fn snapshot_message<H: Outlet, R: Probe>(
        &mut self,
        message: &[u8],
        rx: Ticks,
        at: u64,
        core: &mut Core<H, R>,
    ) {
        let wanting = self.units.iter().position(|u| u.wants_snapshot);
        let Some(unit) = wanting.filter(|_| self.taking_snapshot) else {
            self.taking_snapshot = false; // it is not whole without this
            return;
        };
        self.units[unit].holes.progress(at);
        self.cx = MsgCtx {
            rx,
            skip: 0,
            ..self.apart(unit)
        };
        if let Err(e) = self.decoder.decode(message, &mut self.cx, &mut core.outlet) {
            core.drops.message(e);
        }
    }

    /// The books are those of the session before `next`: goes on from there.
    fn snapshot_ends<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        next: u64,
        core: &mut Core<H, R>,
    ) {
        let taken = &mut self.units[unit];
        if !taken.wants_snapshot {
            return;
        }
        let expected = taken.sequencer.expected().unwrap_or_default();
        if next < expected {
            // Of a time before what has been delivered: of no use, and the books are those of neither.
            taken.wants_snapshot = false;
            return self.give_up_first(unit, core);
        }
        (taken.wants_snapshot, taken.void) = (false, false);
        self.forgo(unit, next, core);
        let whole = &mut self.units[unit];
        whole.trust = Trust::VALID;
        if whole
            .holes
            .first()
            .is_some_and(|hole| hole.span.end() > next)
        {
            whole.holes.again();
        }
        self.drain(unit, Some(By::Snapshot), core);
    }
}
