//! Orders of a feed that says each one's place in its queue.
//!
//! They are a book behind that of their instrument, in an instrument record of its own: numbered levels can be kept
//! beside them, and events of other orders need not know. Where there are no numbered levels, its best prices are shown
//! as those of the instrument.

use super::books::Books;
use super::instrument::{Instrument, Kept, side_of};
use super::levels::{ASKS, BIDS, NONE};
use super::orders::Record;
use super::{Bbo, Change, Fault};
use feed_common::event::{DeleteOrder, MsgCtx, RankedOrder};
use zerocopy::FromZeros;

impl Books {
    /// An order has entered or changed, and takes the place in its queue that its rank says, behind others of the same
    /// one. It leaves when nothing remains of it. Takes time by the orders that it goes before.
    pub fn ranked(&mut self, cx: &MsgCtx, m: &RankedOrder) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        if !self.keeps(cx.instrument, Kept::Ranked) {
            return self.refuse(cx, Fault::LevelRange);
        }
        let Some(side) = side_of(m.side).filter(|_| m.price.is_some()) else {
            return self.refuse(cx, Fault::LevelRange);
        };
        let behind = self.behind(cx.instrument);
        if !self.instruments[behind].known {
            self.instruments[behind] = Instrument::new(self.market, [0; 2]);
        }
        let before = self.bbo(cx.instrument);
        let placed = match (self.orders.seek(behind, m.order_id), m.quantity) {
            (Err(_), 0) => Err(Fault::UnknownOrder),
            (Err(vacant), _) => self.join_ranked(behind, vacant, side, m),
            (Ok(at), 0) => {
                self.leave(behind, at);
                Ok(())
            }
            (Ok(at), quantity) if self.is_placed(at, side, m) => self.resize(behind, at, quantity),
            (Ok(at), _) => {
                self.leave(behind, at);
                match self.orders.seek(behind, m.order_id) {
                    Err(vacant) => self.join_ranked(behind, vacant, side, m),
                    Ok(_) => Err(Fault::IdReused), // never: it has left
                }
            }
        };
        if let Err(fault) = placed {
            self.fault(cx, fault);
        }
        self.conclude_ranked(cx, before)
    }

    /// Deletes an order of an instrument whose orders, if any, are ranked.
    #[inline(never)]
    pub(super) fn delete_ranked(&mut self, cx: &MsgCtx, m: &DeleteOrder) -> Change {
        let behind = self.behind(cx.instrument);
        let Ok(at) = self.orders.seek(behind, m.order_id) else {
            return self.refuse(cx, Fault::UnknownOrder);
        };
        let before = self.bbo(cx.instrument);
        self.leave(behind, at);
        self.conclude_ranked(cx, before)
    }

    /// The number under which an instrument's ranked orders are kept: none that an event can have, but for that of no
    /// instrument, which has no orders.
    #[inline(always)]
    pub(super) fn behind(&self, instrument: u32) -> u32 {
        self.limit.saturating_add(instrument)
    }

    /// Takes all ranked orders of an instrument out.
    pub(super) fn clear_ranked(&mut self, instrument: u32) {
        let behind = self.behind(instrument);
        if self.instruments[behind].known {
            self.clear_orders(behind);
        }
    }

    /// Forgets an instrument's ranked orders, before their levels are forgotten too.
    pub(super) fn forget_ranked(&mut self, instrument: u32) {
        let behind = self.behind(instrument);
        if self.instruments[behind].known {
            self.forget_orders(behind);
            self.instruments[behind] = Instrument::new_zeroed();
        }
    }

    fn is_placed(&self, at: u32, side: u32, m: &RankedOrder) -> bool {
        let level = self.levels.at(self.orders.at(at).level);
        (level.side, level.price(), self.orders.rank(at)) == (side, m.price, m.rank)
    }

    fn join_ranked(
        &mut self,
        behind: u32,
        vacant: u32,
        side: u32,
        m: &RankedOrder,
    ) -> Result<(), Fault> {
        let level = self.make_room(behind, side, m.price, m.quantity)?;
        let record = Record {
            order_id: m.order_id,
            quantity: m.quantity,
            instrument: behind,
            level,
            previous: NONE,
            next: NONE,
        };
        self.orders
            .join_ranked(vacant, record, m.rank, &mut self.levels);
        Ok(())
    }

    fn conclude_ranked(&mut self, cx: &MsgCtx, before: Bbo) -> Change {
        let i = cx.instrument;
        if self.instruments[i].kept != Kept::Ranked {
            return self.conclude(cx, false); // its best prices are those of its levels
        }
        let behind = self.behind(i);
        for side in [BIDS, ASKS] {
            self.show(i, side, self.half(behind, side).quote());
        }
        let after = self.bbo(i);
        self.conclude(cx, after != before)
    }
}
