//! A channel whose instruments are made whole one by one, by a loop of snapshots that the exchange repeats.
//!
//! The lane waits for nothing: what is lost is declared as without a recovery, and what follows is delivered. While
//! instruments are not whole, the packets that are delivered are kept too, as many as the stash has room for, so that a
//! snapshot that is a little behind them can be caught up with.

use super::{Channel, Core};
use crate::pipeline::backlog::Backlog;
use crate::pipeline::rescue::Loop;
use crate::protocol::{Decode, DecodeError, Protocol};
use crate::publish::Outlet;
use crate::recovery::{Missing, Wish};
use crate::sequence::SeqSpan;
use crate::transport::Framing;
use feed_common::event::{MsgCtx, Trust};
use feed_common::latency::Probe;
use feed_common::time::Ticks;

/// What a channel does about its loop of snapshots.
#[derive(Debug)]
pub(super) struct Refresh {
    backlog: Backlog,
    /// Snapshots are wished for, and packets are kept.
    open: bool,
    /// The wish has been taken.
    wished: bool,
}

impl Refresh {
    /// Keeps a packet that is being delivered, while packets are kept.
    #[inline]
    pub(super) fn keep(&mut self, number: u64, packet: &[u8]) {
        if self.open {
            self.backlog.keep(number, packet);
        }
    }
}

impl<P: Protocol> Channel<P> {
    /// Lets snapshots of single instruments make its books whole.
    pub(super) fn refresh_by(&mut self, settings: Loop) {
        if !P::Decoder::BY_INSTRUMENT {
            return;
        }
        if settings.orders {
            self.decoder.expect_orders();
        }
        self.refresh = Some(Box::new(Refresh {
            backlog: Backlog::new(self.stash_slots, self.stash_slot_bytes),
            open: false,
            wished: false,
        }));
    }

    /// What was numbered below `next` is lost: of which instruments, they have to show.
    #[cold]
    pub(super) fn doubt(&mut self, next: u64) {
        self.decoder.doubt(next);
        if let Some(refresh) = &mut self.refresh {
            refresh.backlog.begin(next);
            refresh.open = true;
        }
    }

    /// Keeps a packet that is being delivered.
    #[inline]
    pub(super) fn keep(&mut self, number: u64, packet: &[u8]) {
        if P::Decoder::BY_INSTRUMENT
            && let Some(refresh) = &mut self.refresh
        {
            refresh.keep(number, packet);
        }
    }

    /// Wishes for snapshots while instruments are not whole, and no longer. Called once a poll.
    pub(in crate::pipeline) fn look_after(&mut self) {
        let next = self.expected(0).unwrap_or_default();
        let (Some(refresh), Some(rescue)) = (&mut self.refresh, &self.rescue) else {
            return;
        };
        let recovering = self.decoder.is_recovering();
        if recovering && !refresh.open {
            refresh.backlog.begin(next);
        }
        refresh.open = recovering;
        if recovering != refresh.wished {
            let missing = Missing {
                channel: self.cx.channel,
                unit: 0,
                session: self.units[0].session.unwrap_or_default(),
                span: SeqSpan {
                    first: next,
                    count: 0,
                },
            };
            let wish = match recovering {
                true => Wish::Snapshot(missing),
                false => Wish::Settled(missing),
            };
            if rescue.wishes.try_send(wish).is_ok() {
                refresh.wished = recovering;
            }
        }
    }

    /// Takes a snapshot of an instrument.
    #[cold]
    pub(super) fn refresh<H: Outlet, R: Probe>(
        &mut self,
        message: &[u8],
        rx: Ticks,
        core: &mut Core<H, R>,
    ) {
        let mut cx = self.refreshing(rx);
        let (Some(refresh), framing) = (&self.refresh, &mut self.framing) else {
            return;
        };
        let Some(as_of) = P::Decoder::snapshot_as_of(message) else {
            return core.drops.message(DecodeError::Invalid);
        };
        let since = refresh
            .backlog
            .from(as_of.saturating_add(1))
            .map(|packets| {
                packets
                    .filter_map(|packet| framing.open(packet).ok())
                    .flat_map(|(frame, _)| frame.messages)
            });
        let taken = self
            .decoder
            .refresh(message, since, &mut cx, &mut core.outlet);
        if let Err(e) = taken {
            core.drops.message(e);
        }
    }

    pub(super) fn loop_begins(&mut self, orders: bool) {
        if self.refresh.is_some() {
            self.decoder.loop_begins(orders);
        }
    }

    /// All of a loop has been handed over.
    #[cold]
    pub(super) fn loop_ends<H: Outlet, R: Probe>(
        &mut self,
        orders: bool,
        as_of: u64,
        rx: Ticks,
        core: &mut Core<H, R>,
    ) {
        if self.refresh.is_some() {
            let mut cx = self.refreshing(rx);
            self.decoder
                .loop_ends(orders, as_of, &mut cx, &mut core.outlet);
        }
    }

    fn refreshing(&self, rx: Ticks) -> MsgCtx {
        MsgCtx {
            rx,
            skip: 0,
            trust: Trust::RECOVERING,
            ..self.apart(0)
        }
    }
}
