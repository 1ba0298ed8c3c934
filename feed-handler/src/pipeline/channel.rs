//! One channel of a lane: its lines merged, its messages decoded in order.

mod holes;
mod refresh;
mod rescue;
mod silence;

use super::look_ahead::LookAhead;
use super::rescue::Rescue;
use super::unit::{Turn, Unit};
use super::{Drops, HoleEnds};
use crate::protocol::{Decode, Protocol};
use crate::publish::Outlet;
use crate::sequence::{Admit, LineStats, Lines, Refused, SequenceStats};
use crate::subscribe::Changes;
use crate::transport::{Frame, FrameKind, Framing};
use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Trust};
use feed_common::latency::messages::MessageFigures;
use feed_common::latency::{Probe, Stage};
use feed_common::packet::{Packet, RxMeta};
use feed_common::time::{Ticks, UnixNanos, Zone};
use refresh::Refresh;
use silence::Silence;

/// How a channel is set up.
#[derive(Clone, Debug)]
pub struct ChannelSetup {
    /// Name in facts and in the combined digest.
    pub name: String,
    /// Number in records.
    pub number: u16,
    /// Names of its lines, in the order the lane numbers them.
    pub lines: usize,
    /// How long to wait for a hole to fill, in nanoseconds.
    pub window_nanos: u64,
    /// Frames that can wait ahead of a hole.
    pub stash_slots: usize,
    /// Bytes a waiting frame may have.
    pub stash_slot_bytes: usize,
    /// Where exchange times since midnight get their date from.
    pub day: SessionDay,
}

/// The date of exchange times that have none of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionDay {
    /// Midnight of the session day, as UTC.
    Midnight(UnixNanos),
    /// The day on which the first packet with a known time was received, in this zone.
    FirstPacket(Zone),
}

/// What delivering a message needs besides the channel: shared by the channels of a lane.
pub(super) struct Core<H, R> {
    pub(super) outlet: H,
    pub(super) probe: R,
    pub(super) drops: Drops,
    /// Where it says what became of holes.
    pub(super) hole_ends: Option<HoleEnds>,
    /// Messages delivered, each once.
    pub(super) messages: u64,
    /// When the packet at hand was sent, where it says so.
    pub(super) sent: UnixNanos,
    pub(super) sampler: Sampler,
    /// What sampled messages took, by type and instrument.
    pub(super) figures: Option<Box<MessageFigures>>,
}

impl<H, R: Probe> Core<H, R> {
    /// A sampled message, begun at `from`, is done.
    #[cold]
    fn sampled(&mut self, message: &[u8], cx: &MsgCtx, from: Ticks) {
        let to = self.probe.now();
        self.probe.mark_at(Stage::Message, from, to);
        if let Some(figures) = &mut self.figures {
            figures.take(message, cx.channel, (cx.instrument, cx.symbol), from, to);
        }
    }
}

/// Says for which messages a span of their own is measured: one in `every`, or none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampler {
    every: u32,
    left: u32,
}

impl Sampler {
    pub(super) fn one_in(every: u32) -> Sampler {
        Sampler { every, left: every }
    }

    #[inline]
    fn due(&mut self) -> bool {
        if self.every == 0 {
            return false;
        }
        self.left -= 1;
        if self.left == 0 {
            self.left = self.every;
            return true;
        }
        false
    }
}

/// One channel's state.
pub struct Channel<P: Protocol> {
    name: String,
    framing: P::Framing,
    decoder: P::Decoder,
    /// The first is there from the start; others are added as they appear.
    units: Vec<Unit>,
    stash_slots: usize,
    stash_slot_bytes: usize,
    window_nanos: u64,
    /// Lines of the lane: so many receive calls that brought packets have asked every one of them.
    lane_lines: u64,
    lines: Lines,
    /// A bit for each of the lines that bring only what the others had lost.
    retransmissions: u64,
    /// What recovery has brought: the line behind the others.
    back: LineStats,
    day: SessionDay,
    /// A new filter has not been applied to every known instrument yet.
    reviewing: bool,
    rescue: Option<Rescue>,
    refresh: Option<Box<Refresh>>,
    taking_snapshot: bool,
    silence: Silence,
    /// When something last came or was due, in the lane's nanoseconds.
    now: u64,
    cx: MsgCtx,
}

impl<P: Protocol> Channel<P> {
    pub(super) fn new(
        setup: &ChannelSetup,
        lane_lines: usize,
        framing: P::Framing,
        decoder: P::Decoder,
    ) -> Self {
        let midnight = match setup.day {
            SessionDay::Midnight(m) => m,
            SessionDay::FirstPacket(_) => UnixNanos::UNKNOWN,
        };
        let mut channel = Channel {
            name: setup.name.clone(),
            framing,
            decoder,
            units: Vec::new(),
            stash_slots: setup.stash_slots,
            stash_slot_bytes: setup.stash_slot_bytes,
            window_nanos: setup.window_nanos,
            lane_lines: lane_lines as u64,
            lines: Lines::new(setup.lines),
            retransmissions: 0,
            back: LineStats::default(),
            day: setup.day,
            reviewing: false,
            rescue: None,
            refresh: None,
            taking_snapshot: false,
            silence: Silence::default(),
            now: 0,
            cx: MsgCtx {
                channel: setup.number,
                midnight,
                ..MsgCtx::default()
            },
        };
        if !P::Framing::UNITS {
            channel.add_unit(0);
        }
        channel
    }

    /// A line, or what stands behind the last for recovery.
    #[inline]
    fn line(&mut self, line: usize) -> &mut LineStats {
        self.lines.get_mut(line).unwrap_or(&mut self.back)
    }

    /// The place of a frame's unit.
    #[inline]
    fn unit(&mut self, key: u8) -> usize {
        if !P::Framing::UNITS {
            return 0;
        }
        let known = self.units.iter().position(|u| u.key == key);
        known.unwrap_or_else(|| self.add_unit(key))
    }

    /// A stream shows which units it has as it goes: this allocates once for each, of which there are 256 at most. The
    /// room to wait in is that of the first; the others together have as much again.
    #[cold]
    fn add_unit(&mut self, key: u8) -> usize {
        let slots = match self.units.len() {
            0 => self.stash_slots,
            _ => self.stash_slots.div_ceil(usize::from(u8::MAX)),
        };
        self.units
            .push(Unit::new(key, slots, self.stash_slot_bytes));
        self.lines.add_unit();
        self.units.len() - 1
    }

    /// Takes a datagram that came in on `line` (of this channel) and arrived `at`, in the lane's nanoseconds.
    #[inline]
    pub(super) fn receive<H: Outlet, R: Probe>(
        &mut self,
        line: usize,
        at: u64,
        packet: Packet<'_>,
        core: &mut Core<H, R>,
    ) {
        if !self.cx.midnight.is_known() {
            self.find_day(packet.meta.kernel);
        }
        self.now = at;
        let mut rest = packet.bytes;
        loop {
            match self.framing.open_walked(rest, packet.meta.records) {
                Ok((frame, after)) => {
                    // What was sent for the second time says nothing of the way here.
                    if frame.sent.is_known() && !self.is_retransmission(line) {
                        core.sent = frame.sent;
                    }
                    let bytes = &rest[..rest.len() - after.len()];
                    let meta = packet.meta;
                    self.frame(line, at, frame, Packet { meta, bytes }, core);
                    rest = after;
                    if rest.is_empty() {
                        return;
                    }
                }
                Err(e) => {
                    core.drops.frame(e);
                    return self.refuse(line);
                }
            }
        }
    }

    /// Something that came in on a line could not be read: what the line seems to lack may have been in it.
    #[cold]
    pub(super) fn refuse(&mut self, line: usize) {
        self.line(line).refuse();
    }

    #[inline]
    fn frame<H: Outlet, R: Probe>(
        &mut self,
        line: usize,
        at: u64,
        frame: Frame<<P::Framing as Framing>::Messages<'_>>,
        packet: Packet<'_>,
        core: &mut Core<H, R>,
    ) {
        let back = line == self.lines.len() || self.is_retransmission(line);
        if back && !self.repeats(line, &frame) {
            core.drops.stray += u64::from(line == self.lines.len());
            return;
        }
        if !back {
            self.cx.rx = packet.meta.rx;
            self.hear(at, frame.kind, core);
        }
        if frame.kind == FrameKind::Unsequenced {
            self.lines[line].packets += 1;
            self.lines[line].messages += u64::from(frame.carries);
            return self.deliver_apart(frame, packet.meta.rx, core);
        }
        let unit = self.unit(frame.unit);
        match self.units[unit].judge::<P::Framing, _>(&frame) {
            Turn::Stays => {}
            Turn::Over if back => {
                core.drops.stray += u64::from(line == self.lines.len());
                return;
            }
            Turn::Over => self.turn_to(unit, &frame, core),
            Turn::Back => {
                core.drops.old_session += 1;
                return;
            }
        }
        let span = frame.span;
        let (carries, stamp) = (frame.carries.into(), packet.meta.kernel);
        if !back {
            let RxMeta {
                socket_drops,
                ring_drops,
                ..
            } = *packet.meta;
            self.lines[line].dropped_before(socket_drops, ring_drops);
            self.lines.bring(line, unit, span, carries, at, stamp);
        }
        if self.units[unit].void && self.waits_for_snapshot(unit, line, at, span, packet, core) {
            return;
        }
        loop {
            match self.units[unit].sequencer.admit(span) {
                Admit::Deliver { skip } => {
                    self.keep(span.first, packet.bytes);
                    let new = self.deliver(unit, frame, skip, packet.meta.rx, core);
                    self.line(line).first += new;
                    if !self.units[unit].holes.is_empty() {
                        self.units[unit].holes.progress(at);
                        self.drain(unit, Some(self.by(line)), core);
                    }
                    return;
                }
                Admit::Duplicate => {
                    self.line(line).duplicates += (span.count > 0) as u64;
                    return;
                }
                Admit::Gap { missing } => {
                    let waits = &mut self.units[unit];
                    let rx = packet.meta.rx;
                    waits.holes.reveal(missing.first, span, at, rx);
                    if span.count == 0 {
                        return;
                    }
                    match waits.stash.insert(span, line, at, packet) {
                        Ok(()) => return,
                        Err(Refused::Duplicate) => {
                            waits.sequencer.count_duplicate();
                            self.line(line).duplicates += 1;
                            return;
                        }
                        Err(Refused::Full) => {
                            core.drops.stash_full += 1;
                            self.give_up_first(unit, core);
                        }
                    }
                }
            }
        }
    }

    /// Notes a frame of a line of retransmissions or of recovery; whether it repeats messages of a numbering that the lines
    /// have. Servers answer; what comes next is for the lines to say, and others ask them too.
    fn repeats(
        &mut self,
        line: usize,
        frame: &Frame<<P::Framing as Framing>::Messages<'_>>,
    ) -> bool {
        if let Some(own) = self.lines.get_mut(line) {
            own.packets += 1;
            own.messages += u64::from(frame.carries);
        }
        let known = !P::Framing::UNITS || self.units.iter().any(|u| u.key == frame.unit);
        known && frame.span.count > 0 && frame.kind != FrameKind::Unsequenced
    }

    /// Lines that bring only what the others had lost: they lack nothing themselves, and are silent rightfully.
    pub(super) fn retransmit_on(&mut self, lines: impl IntoIterator<Item = usize>) {
        for line in lines.into_iter().filter(|&line| line < 64) {
            self.retransmissions |= 1 << line;
        }
    }

    /// Says so when its lines have been silent for longer than that.
    pub(super) fn stale_after(&mut self, nanos: u64) {
        self.silence = Silence::limited(nanos);
    }

    /// True of a line that brings only what the others had lost.
    #[inline]
    pub fn is_retransmission(&self, line: usize) -> bool {
        line < 64 && self.retransmissions >> line & 1 == 1
    }

    /// As [`Channel::deliver`] for a frame without numbers, out of the way of those that have them.
    #[inline(never)]
    fn deliver_apart<H: Outlet, R: Probe>(
        &mut self,
        frame: Frame<<P::Framing as Framing>::Messages<'_>>,
        rx: Ticks,
        core: &mut Core<H, R>,
    ) {
        deliver::<P, H, R>(&mut self.decoder, &mut self.cx, frame, 0, rx, core);
    }

    #[inline(always)]
    fn deliver<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        frame: Frame<<P::Framing as Framing>::Messages<'_>>,
        skip: u64,
        rx: Ticks,
        core: &mut Core<H, R>,
    ) -> u64 {
        self.cx.trust = self.units[unit].trust;
        deliver::<P, H, R>(&mut self.decoder, &mut self.cx, frame, skip, rx, core)
    }

    /// Turns a unit to a new session.
    #[cold]
    fn turn_to<H: Outlet, R: Probe>(
        &mut self,
        unit: usize,
        frame: &Frame<<P::Framing as Framing>::Messages<'_>>,
        core: &mut Core<H, R>,
    ) {
        if self.units[unit].session.is_some() {
            self.give_up_all(unit, core);
            self.decoder.restart();
            let cx = MsgCtx {
                // Where it begins, whichever of its packets came first.
                sequence: self.begins_at(frame.span.first),
                unit: frame.unit,
                trust: self.units[unit].trust,
                timestamp: UnixNanos::UNKNOWN,
                instrument: NO_INSTRUMENT,
                symbol: NO_SYMBOL,
                flags: Flags::END_OF_EVENT,
                ..self.cx
            };
            core.outlet.on_restart(&cx);
            self.lines.restart(unit);
            if let SessionDay::FirstPacket(_) = self.day {
                self.cx.midnight = UnixNanos::UNKNOWN;
            }
            self.units[unit].sequencer.restart();
        }
        self.units[unit].turn_to(frame);
        if P::Decoder::BY_INSTRUMENT && self.units[unit].trust == Trust::RECOVERING {
            self.units[unit].trust = Trust::VALID;
            self.doubt(frame.span.first);
        }
        self.join(unit, frame.span.first);
    }

    #[cold]
    fn find_day(&mut self, seen: UnixNanos) {
        if let (SessionDay::FirstPacket(zone), true) = (self.day, seen.is_known()) {
            self.cx.midnight = zone.midnight(zone.date_of(seen));
        }
    }

    /// Takes a filter posted to place `number` and goes on with applying the last one to the instruments that are known:
    /// a few at a time. True when there is more to do.
    #[cold]
    pub(super) fn resubscribe<H: Outlet, R: Probe>(
        &mut self,
        changes: &Changes,
        number: usize,
        core: &mut Core<H, R>,
    ) -> bool {
        let taken = changes.take(number, |filter| {
            self.reviewing = true;
            self.decoder.subscribe(filter)
        });
        if self.reviewing {
            let cx = MsgCtx {
                // As of the message that comes next.
                sequence: self
                    .units
                    .first()
                    .and_then(|u| u.sequencer.expected())
                    .unwrap_or(0),
                timestamp: UnixNanos::UNKNOWN,
                flags: Flags::END_OF_EVENT,
                ..self.cx
            };
            self.reviewing = self.decoder.review(&cx, &mut core.outlet);
        }
        self.reviewing || !taken
    }

    /// Messages passed over because their instrument is not wanted.
    pub fn filtered(&self) -> u64 {
        self.decoder.filtered()
    }

    /// Name in facts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number in records and among the digests.
    pub fn number(&self) -> u16 {
        self.cx.channel
    }

    /// Totals after merging.
    pub fn sequence(&self) -> SequenceStats {
        let all = self.units.iter().map(|u| u.sequencer.stats());
        let all = all.reduce(SequenceStats::plus).unwrap_or_default();
        let repeated = self.lines.iter().enumerate();
        let repeated = repeated.filter(|(line, _)| self.is_retransmission(*line));
        SequenceStats {
            recovered: self.back.first + repeated.map(|(_, line)| line.first).sum::<u64>(),
            ..all
        }
    }

    /// Messages delivered, each once, whoever brought them.
    pub fn messages(&self) -> u64 {
        self.lines.iter().map(|line| line.first).sum::<u64>() + self.back.first
    }

    /// How many holes there have been, and how many are open.
    pub fn holes(&self) -> (u64, u64) {
        let each = self.units.iter().map(|u| &u.holes);
        each.fold((0, 0), |(opened, open), holes| {
            (opened + holes.opened(), open + holes.len() as u64)
        })
    }

    /// The number that one of its numberings expects next; `None` before its first message.
    pub fn expected(&self, unit: u8) -> Option<u64> {
        let unit = self.units.iter().find(|u| u.key == unit);
        unit.and_then(|u| u.sequencer.expected())
    }

    /// What each line contributed.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Oddities, by name.
    pub fn oddities(&self) -> Vec<(&'static str, u64)> {
        let mut oddities = self.decoder.oddities();
        oddities.push(("channel_silent", self.silences()));
        oddities
    }
}

/// Decodes the messages of a frame from number `skip` on; how many there were. A free function so that a frame borrowed
/// from the channel's own stash can be delivered while the decoder and the context are borrowed too.
#[inline(always)]
fn deliver<P: Protocol, H: Outlet, R: Probe>(
    decoder: &mut P::Decoder,
    cx: &mut MsgCtx,
    frame: Frame<<P::Framing as Framing>::Messages<'_>>,
    skip: u64,
    rx: Ticks,
    core: &mut Core<H, R>,
) -> u64 {
    cx.rx = rx;
    cx.sent = frame.sent;
    cx.unit = frame.unit;
    let new = match P::Framing::PACKETS {
        true => u64::from(frame.carries),
        false => frame.span.count - skip,
    };
    if frame.kind == FrameKind::Refresh {
        core.drops.refresh += new;
        return new;
    }
    core.messages += new;
    let mut sequence = frame.span.first;
    // Sequence numbers that another line has delivered and that are still to be passed over.
    let mut skip = skip;
    let mut messages = frame.messages;
    // There is nothing to be won over a message on its own.
    let looks_ahead = H::LOOKS_AHEAD && frame.carries > 1;
    let mut ahead = LookAhead::new(messages.clone());
    loop {
        if looks_ahead {
            let (channel, outlet) = (cx.channel, &core.outlet);
            ahead.step(
                |message| decoder.ahead(message),
                |found| outlet.fetch(channel, found),
                |found| outlet.fetch_behind(channel, found),
            );
        }
        let Some(message) = messages.next() else {
            return new;
        };
        let numbers = match P::Framing::PACKETS {
            true => 0,
            false => u64::from(P::Framing::sequences(message)),
        };
        if !P::Framing::PACKETS && skip >= numbers {
            skip -= numbers;
            sequence += numbers;
            continue;
        }
        cx.sequence = sequence + skip;
        cx.skip = skip as u32;
        (skip, sequence) = (0, sequence + numbers);
        let sampled = core.sampler.due().then(|| {
            // Of a message about no instrument none may be left over from the one before.
            (cx.instrument, cx.symbol) = (NO_INSTRUMENT, NO_SYMBOL);
            core.probe.now()
        });
        if let Err(e) = decoder.decode(message, cx, &mut core.outlet) {
            core.drops.message(e);
        }
        if let Some(start) = sampled {
            core.sampled(message, cx, start);
        }
    }
}
