//! The pipeline of one lane: packets in, records out. No threads, no clock of its own.
//!
//! [`Lane::step`] handles one batch: every packet goes through its channel's framing, sequencer and decoder, and its
//! records become visible before the next packet is looked at. The same code runs from sockets, from the packet ring
//! and from a file.

mod backlog;
mod channel;
mod counters;
mod hold;
mod hole_ends;
mod look_ahead;
mod rescue;
mod unit;

pub use channel::{Channel, ChannelSetup, SessionDay};
pub use counters::Drops;
pub use hold::{Hold, NoHold};
pub use hole_ends::HoleEnds;
pub use look_ahead::LookAhead;
pub use rescue::{Join, Loop, Rescue};

use crate::protocol::Protocol;
use crate::publish::Outlet;
use crate::recovery::{Handed, delivered};
use crate::subscribe::Changes;
use channel::{Core, Sampler};
use feed_common::latency::messages::MessageFigures;
use feed_common::latency::{Probe, Stage};
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError};
use feed_common::ring::Consumer;
use feed_common::time::{TickScale, Ticks, UnixNanos};
use std::sync::Arc;

/// What "now" means for reorder windows.
#[derive(Clone, Copy, Debug)]
pub enum LaneTime {
    /// The time a packet was received, in ticks of this scale.
    Received(TickScale),
    /// The time the capture was made, so that a file gives what live gave.
    Captured,
}

/// One lane: a thread's channels and where their events go.
pub struct Lane<P: Protocol, H, R> {
    channels: Box<[Channel<P>]>,
    /// For each line of the lane: its channel, and its number within it.
    routes: Box<[(usize, usize)]>,
    time: LaneTime,
    packets: u64,
    /// Receive calls that brought packets, and the time the last of them returned, which its packets share.
    receive_calls: u64,
    last_rx: Ticks,
    /// When the last batch was taken up and when it was done.
    handled: (Ticks, Ticks),
    /// New filters for the channels, where there can be any, and how many have been taken up.
    changes: Option<Arc<Changes>>,
    changed: u64,
    /// Where recovery hands over what it gets back.
    delivery: Option<Consumer>,
    /// A channel's instruments are made whole one by one.
    refreshes: bool,
    core: Core<H, R>,
}

impl<P: Protocol, H: Outlet, R: Probe> Lane<P, H, R> {
    /// A lane of channels, each with its framing and decoder. Lines are numbered through: those of the first channel
    /// first.
    pub fn new(
        channels: Vec<(ChannelSetup, P::Framing, P::Decoder)>,
        time: LaneTime,
        sample_messages: u32,
        outlet: H,
        probe: R,
    ) -> Self {
        let routes: Box<[_]> = channels
            .iter()
            .enumerate()
            .flat_map(|(c, (setup, _, _))| (0..setup.lines).map(move |line| (c, line)))
            .collect();
        let lane_lines = routes.len();
        Lane {
            routes,
            channels: channels
                .into_iter()
                .map(|(setup, framing, decoder)| Channel::new(&setup, lane_lines, framing, decoder))
                .collect(),
            time,
            packets: 0,
            receive_calls: 0,
            last_rx: Ticks(0),
            handled: (Ticks(0), Ticks(0)),
            changes: None,
            changed: 0,
            delivery: None,
            refreshes: false,
            core: Core {
                outlet,
                probe,
                drops: Drops::default(),
                hole_ends: None,
                messages: 0,
                sent: UnixNanos::UNKNOWN,
                sampler: Sampler::one_in(sample_messages),
                figures: None,
            },
        }
    }

    /// Keeps what sampled messages take by type and instrument.
    pub fn with_message_figures(mut self, figures: MessageFigures) -> Self {
        self.core.figures = Some(Box::new(figures));
        self
    }

    /// Follows what is posted there: one filter a channel.
    pub fn with_changes(mut self, changes: Arc<Changes>) -> Self {
        self.changes = Some(changes);
        self
    }

    /// Gives the channel of that number a recovery.
    pub fn with_rescue(mut self, channel: u16, rescue: Rescue) -> Self {
        if let Some(channel) = self.channels.iter_mut().find(|c| c.number() == channel) {
            self.refreshes |= rescue.refresh.is_some();
            channel.recover_by(rescue);
        }
        self
    }

    /// Says there what becomes of its holes.
    pub fn with_hole_ends(mut self, ends: HoleEnds) -> Self {
        self.core.hole_ends = Some(ends);
        self
    }

    /// Says which lines of the channel of that number bring only what the others had lost.
    pub fn with_retransmissions(
        mut self,
        channel: u16,
        lines: impl IntoIterator<Item = usize>,
    ) -> Self {
        if let Some(channel) = self.channels.iter_mut().find(|c| c.number() == channel) {
            channel.retransmit_on(lines);
        }
        self
    }

    /// Says so when the lines of the channel of that number have been silent for longer than `nanos`. It is seen when
    /// nothing comes on any line of the lane, or with what comes next.
    pub fn with_stale_after(mut self, channel: u16, nanos: u64) -> Self {
        if let Some(channel) = self.channels.iter_mut().find(|c| c.number() == channel) {
            channel.stale_after(nanos);
        }
        self
    }

    /// Takes what recovery hands over for a channel; it arrived at the tick `rx`.
    pub fn hand(&mut self, channel: u16, what: Handed<'_>, rx: Ticks) {
        let at = match self.time {
            LaneTime::Received(scale) => scale.nanos(rx.0),
            LaneTime::Captured => rx.0,
        };
        let before = self.core.outlet.published();
        if let Some(channel) = self.channels.iter_mut().find(|c| c.number() == channel) {
            channel.hand(what, rx, at, &mut self.core);
        }
        if self.core.outlet.published() != before {
            self.core.outlet.flush();
        }
    }

    /// Takes what recovery hands over from there, once a poll.
    pub fn with_delivery(mut self, delivery: Consumer) -> Self {
        self.delivery = Some(delivery);
        self
    }

    /// Takes what recovery has handed over since the last poll, and wishes for what has come to be missing. True where
    /// there was something.
    #[inline]
    pub fn take_delivery(&mut self) -> bool {
        let any = self.delivery.is_some() && self.take_delivered();
        if self.refreshes {
            self.channels.iter_mut().for_each(Channel::look_after);
        }
        any
    }

    fn take_delivered(&mut self) -> bool {
        let Some(mut delivery) = self.delivery.take() else {
            return false;
        };
        let mut any = false;
        if let Ok(batch) = delivery.poll() {
            any = batch.len() > 0;
            for i in 0..batch.len() {
                let Packet { meta, bytes } = batch.get(i);
                if let Some((channel, what)) = delivered(bytes) {
                    self.hand(channel, what, meta.rx);
                }
            }
        }
        self.delivery = Some(delivery);
        any
    }

    /// Takes up new filters, a bounded piece of the work at a time. Called once a poll. True where there were some.
    #[inline]
    pub fn resubscribe(&mut self) -> bool {
        let changes = self.changes.as_ref();
        let any = changes.is_some_and(|changes| changes.posted() != self.changed);
        if any {
            self.take_changes();
        }
        any
    }

    #[cold]
    fn take_changes(&mut self) {
        let Some(changes) = &self.changes else {
            return;
        };
        let posted = changes.posted();
        let before = self.core.outlet.published();
        let mut more = false;
        for (number, channel) in self.channels.iter_mut().enumerate() {
            more |= channel.resubscribe(changes, number, &mut self.core);
        }
        if !more {
            self.changed = posted;
        }
        if self.core.outlet.published() != before {
            self.core.outlet.flush();
        }
    }

    /// Handles the packets that are there now; returns how many there were.
    #[inline]
    pub fn step<S: PacketSource>(&mut self, source: &mut S) -> Result<usize, RxError> {
        self.step_held(source, &mut NoHold)
    }

    /// The same, with packets held up on purpose.
    #[inline]
    pub fn step_held<S: PacketSource>(
        &mut self,
        source: &mut S,
        hold: &mut impl Hold,
    ) -> Result<usize, RxError> {
        let batch = source.poll()?;
        let n = batch.len();
        if n == 0 {
            self.core.outlet.prepare();
            return Ok(0);
        }
        // A packet is taken up when the one before it is done: two packets share a reading of the clock.
        let taken = self.core.probe.now();
        let mut now = taken;
        for i in 0..n {
            now = self.packet_held(batch.get(i), now, hold);
        }
        self.handled = (taken, now);
        Ok(n)
    }

    #[cfg(test)]
    fn packet(&mut self, packet: Packet<'_>, now: Ticks) -> Ticks {
        self.packet_held(packet, now, &mut NoHold)
    }

    /// Handles a packet taken up at `now` and returns when it was done.
    #[inline]
    fn packet_held(&mut self, packet: Packet<'_>, now: Ticks, hold: &mut impl Hold) -> Ticks {
        let rx = packet.meta.rx;
        let now = hold.hold(Stage::Dequeue).map_or(now, |(_, to)| to);
        self.packets += 1;
        let new = self.deliver(packet);
        let mut held = None;
        if new {
            hold.hold(Stage::Decoded);
            held = hold.hold(Stage::Published);
            self.core.outlet.flush();
        }
        let done = self.core.probe.now();
        // Packets that bring nothing new have no decode or publish time, and would only flatter the figures.
        if new {
            // From its last record to their being visible it is one store, less than a reading of the clock: they share one.
            let decoded = held.map_or(done, |(from, _)| from);
            // Counted when the records are out: nobody waits for it.
            self.core.probe.mark_at(Stage::Decoded, rx, decoded);
            self.core.probe.mark_at(Stage::Published, rx, done);
        }
        self.core.probe.mark_at(Stage::Dequeue, rx, now);
        self.core.probe.received(packet.meta, self.core.sent);
        if let (LaneTime::Received(_), true) = (self.time, new) {
            self.core.probe.crowded(rx, done);
        }
        done
    }

    /// Merges and decodes a packet; true when there are new records to make visible.
    #[inline]
    fn deliver(&mut self, packet: Packet<'_>) -> bool {
        self.core.sent = UnixNanos::UNKNOWN;
        let Some(&(channel, line)) = self.routes.get(packet.meta.line as usize) else {
            self.core.drops.no_line += 1;
            return false;
        };
        self.core.probe.turn_to(channel);
        if packet.meta.is_truncated() {
            self.core.drops.truncated += 1;
            self.channels[channel].refuse(line);
            return false;
        }
        let (at, call) = match self.time {
            LaneTime::Received(scale) => {
                let rx = packet.meta.rx;
                self.receive_calls += u64::from(rx != self.last_rx);
                self.last_rx = rx;
                let at = scale.nanos(rx.0);
                self.core.probe.arrived(at);
                (at, Some(self.receive_calls))
            }
            // A file holds everything in order: nothing that belongs before this packet is still to come.
            LaneTime::Captured => {
                if packet.meta.kernel.is_known() {
                    self.core.probe.arrived(packet.meta.kernel.0);
                }
                (packet.meta.kernel.0, None)
            }
        };
        let before = self.core.outlet.published();
        let channel = &mut self.channels[channel];
        channel.expire(at, call, &mut self.core);
        channel.receive(line, at, packet, &mut self.core);
        self.core.outlet.published() != before
    }

    /// Lets time pass after a poll that found no packet on any line: holes older than their window at `now` are given up.
    /// True where that published something.
    #[inline]
    pub fn idle(&mut self, now: u64) -> bool {
        let before = self.core.outlet.published();
        for channel in &mut self.channels {
            channel.expire(now, None, &mut self.core);
        }
        let any = self.core.outlet.published() != before;
        if any {
            self.core.outlet.flush();
        }
        any
    }

    /// Nothing more will come: every hole is given up and everything is made visible.
    pub fn finish(&mut self) {
        for channel in &mut self.channels {
            channel.finish(&mut self.core);
        }
        self.core.outlet.flush();
    }

    /// When the last batch with packets was taken up, after the poll that brought it, and when it was done.
    pub fn last_batch(&self) -> (Ticks, Ticks) {
        self.handled
    }

    /// The probe, for housekeeping between batches.
    pub fn probe_mut(&mut self) -> &mut R {
        &mut self.core.probe
    }

    /// The channels.
    pub fn channels(&self) -> &[Channel<P>] {
        &self.channels
    }

    /// Packets taken up.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Messages delivered, each once.
    pub fn messages(&self) -> u64 {
        self.core.messages
    }

    /// Where its events have gone.
    pub fn outlet(&self) -> &H {
        &self.core.outlet
    }

    /// Where its events have gone, for what is done between batches.
    pub fn outlet_mut(&mut self) -> &mut H {
        &mut self.core.outlet
    }

    /// Where its events have gone, when it is done.
    pub fn into_outlet(self) -> H {
        self.core.outlet
    }

    /// Holes of which nothing could be said, because there was no room for it.
    pub fn hole_ends_missed(&self) -> u64 {
        self.core.hole_ends.as_ref().map_or(0, HoleEnds::missed)
    }

    /// What sampled messages took, where that was kept.
    pub fn message_figures(&self) -> Option<&MessageFigures> {
        self.core.figures.as_deref()
    }

    /// What was not delivered, by cause.
    pub fn drops(&self) -> Drops {
        self.core.drops
    }
}

#[cfg(test)]
mod hole_ends_tests;
#[cfg(test)]
mod look_ahead_tests;
#[cfg(test)]
mod pillar_tests;
#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod retransmission_tests;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;
