//! The books of one channel: what each event does.

use super::definitions::Definition;
use super::instrument::{Instrument, Kept, side_at, side_of};
use super::ladder::Ladders;
use super::levels::{ASKS, BIDS, Levels};
use super::orders::Orders;
use super::slots::SlotBook;
use super::{Bbo, BookLimits, Change, Fault, Faults, Order, Phase};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, ModifyOrder, MsgCtx, NO_INSTRUMENT,
    ReplaceOrder, Status, StatusKind,
};
use feed_common::sys::{Circle, MapError};
use zerocopy::FromZeros;

/// The books of one channel. Orders are told apart by instrument and number, as exchanges promise no more than that.
///
/// All memory is reserved when they are made and none of it touched: what the limits allow costs address space, and
/// only what has been used costs memory.
#[derive(Debug)]
pub struct Books {
    pub(super) orders: Orders,
    pub(super) levels: Levels,
    pub(super) ladders: Ladders,
    /// By number; from `limit` on what is behind those before, see [`Books::ranked`].
    pub(super) instruments: Circle<Instrument>,
    /// By instrument, of feeds that number their levels.
    pub(super) slots: Circle<SlotBook>,
    /// By instrument.
    pub(super) definitions: Circle<Definition>,
    /// Instruments that came to be crossed, or not to be, within the event that is open.
    pub(super) doubtful: Vec<u32>,
    /// How many instruments there may be.
    pub(super) limit: u32,
    /// No instrument from here on has had an event.
    pub(super) seen: u32,
    /// What the market as a whole has said; new instruments begin with it.
    pub(super) market: Phase,
    pub(super) faults: Faults,
}

/// Why there are no books.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// More than the tables can number.
    #[error("books of {asked} {what}: at most {most}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// What was asked for.
        asked: usize,
        /// What is possible.
        most: usize,
    },
    /// Not so much address space.
    #[error(transparent)]
    Map(#[from] MapError),
}

impl Books {
    /// Empty books with that much room.
    pub fn new(limits: &BookLimits) -> Result<Books, BookError> {
        const INDEX_MAX: usize = 1 << 30;
        for (what, asked, most) in [
            ("orders", limits.orders, Orders::LIMIT_MAX),
            ("levels", limits.levels, INDEX_MAX),
            ("instruments", limits.instruments, INDEX_MAX),
        ] {
            if asked > most {
                return Err(BookError::Limit { what, asked, most });
            }
        }
        Ok(Books {
            orders: Orders::new(limits.orders)?,
            levels: Levels::new(limits.levels as u32)?,
            ladders: Ladders::new(limits.levels, 4 * limits.instruments)?,
            instruments: Circle::zeroed(2 * limits.instruments)?,
            slots: Circle::zeroed(limits.instruments)?,
            definitions: Circle::zeroed(limits.instruments)?,
            doubtful: Vec::with_capacity(limits.instruments),
            limit: limits.instruments as u32,
            seen: 0,
            market: Phase::default(),
            faults: Faults::default(),
        })
    }

    /// A new order joins the end of its queue.
    #[inline]
    pub fn add(&mut self, cx: &MsgCtx, m: &AddOrder) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        if !self.keeps(cx.instrument, Kept::Orders) {
            return self.refuse(cx, Fault::LevelRange);
        }
        match (self.orders.seek(cx.instrument, m.order_id), side_of(m.side)) {
            (Ok(_), _) => self.add_again(cx, m, self.bbo(cx.instrument)),
            (Err(_), None) => self.refuse(cx, Fault::LevelRange),
            (Err(vacant), Some(side)) => {
                let before = self.half(cx.instrument, side).quote();
                let joined =
                    self.join(cx.instrument, vacant, side, m.order_id, m.price, m.quantity);
                if let Err(fault) = joined {
                    return self.refuse(cx, fault);
                }
                self.settle(cx, side, before)
            }
        }
    }

    /// An order trades.
    #[inline]
    pub fn execute(&mut self, cx: &MsgCtx, m: &ExecuteOrder) -> Change {
        self.reduce(cx, m.order_id, m.quantity)
    }

    /// An order shrinks and keeps its place.
    #[inline]
    pub fn cancel(&mut self, cx: &MsgCtx, m: &CancelOrder) -> Change {
        self.reduce(cx, m.order_id, m.quantity)
    }

    /// An order leaves.
    #[inline]
    pub fn delete(&mut self, cx: &MsgCtx, m: &DeleteOrder) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        // Where it is not is a place that nobody has asked for ahead.
        if self.instruments[cx.instrument].kept.is_ranked() {
            return self.delete_ranked(cx, m);
        }
        let Ok(at) = self.orders.seek(cx.instrument, m.order_id) else {
            return self.refuse(cx, Fault::UnknownOrder);
        };
        let side = self.side_of_order(at);
        let before = self.half(cx.instrument, side).quote();
        self.leave(cx.instrument, at);
        self.settle(cx, side, before)
    }

    /// An order is another in place and keeps its priority: at its price its place in the queue, at another price it
    /// goes to the end of that. It leaves when nothing remains of it.
    #[inline]
    pub fn modify(&mut self, cx: &MsgCtx, m: &ModifyOrder) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let i = cx.instrument;
        let Ok(at) = self.orders.seek(i, m.order_id) else {
            return self.refuse(cx, Fault::UnknownOrder);
        };
        let level = self.levels.at(self.orders.at(at).level);
        let (side, price) = (level.side, level.price());
        let before = self.half(i, side).quote();
        let modified = if m.quantity > 0 && m.price == price {
            self.resize(i, at, m.quantity)
        } else {
            self.leave(i, at);
            match self.orders.seek(i, m.order_id) {
                Err(vacant) if m.quantity > 0 => {
                    self.join(i, vacant, side, m.order_id, m.price, m.quantity)
                }
                _ => Ok(()),
            }
        };
        if let Err(fault) = modified {
            self.fault(cx, fault);
        }
        self.settle(cx, side, before)
    }

    /// An order leaves and another of its side joins the end of its queue.
    #[inline]
    pub fn replace(&mut self, cx: &MsgCtx, m: &ReplaceOrder) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let Ok(at) = self.orders.seek(cx.instrument, m.old_id) else {
            return self.refuse(cx, Fault::UnknownOrder);
        };
        let side = self.side_of_order(at);
        let before = self.half(cx.instrument, side).quote();
        self.leave(cx.instrument, at);
        let Err(vacant) = self.orders.seek(cx.instrument, m.new_id) else {
            let mut both = self.bbo(cx.instrument);
            match side {
                BIDS => both.bid = before,
                _ => both.ask = before,
            }
            let add = AddOrder {
                order_id: m.new_id,
                side: side_at(side),
                price: m.price,
                quantity: m.quantity,
            };
            return self.add_again(cx, &add, both);
        };
        let joined = self.join(cx.instrument, vacant, side, m.new_id, m.price, m.quantity);
        if let Err(fault) = joined {
            self.fault(cx, fault);
        }
        self.settle(cx, side, before)
    }

    /// Everything in the instrument's book is void, and with it what was wrong with it. Takes time by its orders and
    /// levels.
    pub fn clear(&mut self, cx: &MsgCtx) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let i = cx.instrument;
        let bbo = self.bbo(i) != Bbo::EMPTY;
        let kept = self.instruments[i].kept;
        match kept {
            Kept::Nothing => {}
            Kept::Orders => self.clear_orders(i),
            Kept::Levels | Kept::Quotes => self.clear_levels(i),
            Kept::Slots | Kept::Ranked => {
                self.clear_ranked(i);
                self.show_nothing(i);
            }
        }
        let book = &mut self.instruments[i];
        book.suspect = false;
        // An empty book is not crossed.
        book.crossed = false;
        if kept == Kept::Slots {
            self.slots[i] = SlotBook::new_zeroed(); // which is what it stays, as the feed numbers its levels
        } else {
            book.kept = Kept::Nothing;
        }
        Change {
            bbo,
            suspect: false,
        }
    }

    /// A status of the instrument, or of the market. Where it says whether orders match as they come, without an
    /// instrument that is of all, also of those not heard of yet; that of a group of instruments is of none.
    pub fn status(&mut self, cx: &MsgCtx, m: &Status) {
        if m.what == StatusKind::GROUP {
            return;
        }
        match m.continuous {
            Some(continuous) if cx.instrument == NO_INSTRUMENT => {
                self.whole_market(|phase| phase.say(continuous));
            }
            None if m.what == StatusKind::SYSTEM => {
                self.whole_market(|phase| phase.market(m.value))
            }
            _ if !self.has_room_for(cx.instrument) => {}
            said => {
                self.meet(cx);
                let phase = &mut self.instruments[cx.instrument].phase;
                match said {
                    Some(continuous) => phase.say(continuous),
                    None => phase.status(m),
                }
            }
        }
    }

    /// An event of several messages has ended with the message of this context: the instruments that it crossed are
    /// judged, or the context's alone where the event was of no other. Events that end with their message need not be
    /// ended so; they have been judged by then.
    pub fn end_event(&mut self, cx: &MsgCtx) {
        if !cx.flags.has(Flags::OF_INSTRUMENT) {
            while let Some(instrument) = self.doubtful.pop() {
                self.instruments[instrument].doubtful = false;
                self.judge(&MsgCtx { instrument, ..*cx });
            }
        } else if self.known(cx.instrument).is_some_and(|book| book.doubtful) {
            self.instruments[cx.instrument].doubtful = false;
            self.doubtful
                .retain(|&instrument| instrument != cx.instrument);
            self.judge(cx);
        }
    }

    /// The instrument's auction has been held.
    pub fn cross(&mut self, cx: &MsgCtx) {
        if self.has_room_for(cx.instrument) {
            self.meet(cx);
            self.instruments[cx.instrument].phase.cross();
        }
    }

    /// A new session: nothing is known any more, except what has been counted, and names and depths. Takes time by the live orders and levels
    /// and the instruments there were.
    pub fn restart(&mut self) {
        for i in 0..self.seen {
            match self.instruments[i].kept {
                Kept::Orders => self.forget_orders(i),
                Kept::Slots => {
                    self.slots[i] = SlotBook::new_zeroed();
                    self.forget_ranked(i);
                }
                Kept::Ranked => self.forget_ranked(i),
                Kept::Nothing | Kept::Levels | Kept::Quotes => {}
            }
            self.instruments[i] = Instrument::new_zeroed();
        }
        self.doubtful.clear();
        self.orders.forget_ranks();
        self.levels.clear();
        self.ladders.clear();
        self.seen = 0;
        self.market = Phase::default();
    }

    /// Asks for what an event of this order looks at first: its place in the table, and its instrument. For messages
    /// that lie some way ahead.
    #[inline(always)]
    pub fn prefetch(&self, instrument: u32, order_id: u64) {
        let keeper = self.keeper(instrument);
        self.orders.prefetch(keeper, order_id);
        self.instruments.prefetch(keeper);
    }

    /// Where an instrument's orders are most likely kept: a feed ranks all of its orders or none.
    #[inline(always)]
    fn keeper(&self, instrument: u32) -> u32 {
        match self.orders.has_ranks() {
            true => self.behind(instrument),
            false => instrument,
        }
    }

    /// Asks for what an event of this order looks at next: its level, its neighbours in the queue, and the best levels of
    /// its instrument. For messages somewhat nearer, for which [`Books::prefetch`] has had its time. No branches: a wrong
    /// turn would cost more than the lines that are fetched in vain.
    #[inline(always)]
    pub fn prefetch_further(&self, instrument: u32, order_id: u64) {
        let keeper = self.keeper(instrument);
        let order = self.orders.guess(keeper, order_id);
        self.levels.prefetch(order.level);
        self.orders.prefetch_at(order.previous);
        self.orders.prefetch_at(order.next);
        for side in [BIDS, ASKS] {
            let half = self.half(keeper, side);
            self.levels.prefetch(half.best);
            self.ladders.prefetch(half.top);
        }
    }

    /// Best bid and offer of an instrument; empty when there is none of that number.
    #[inline]
    pub fn bbo(&self, instrument: u32) -> Bbo {
        self.known(instrument).map_or(Bbo::EMPTY, Instrument::bbo)
    }

    /// True when an invariant of the instrument has been broken.
    #[inline]
    pub fn is_suspect(&self, instrument: u32) -> bool {
        self.known(instrument).is_some_and(|book| book.suspect)
    }

    /// A live order of an instrument.
    pub fn order(&self, instrument: u32, order_id: u64) -> Option<Order> {
        let ranked = || self.orders.seek(self.behind(instrument), order_id);
        let at = self
            .orders
            .seek(instrument, order_id)
            .or_else(|_| ranked())
            .ok()?;
        let record = self.orders.at(at);
        let level = self.levels.at(record.level);
        Some(Order {
            side: side_at(level.side),
            price: level.price(),
            quantity: record.quantity,
        })
    }

    /// Live orders.
    pub fn live_orders(&self) -> usize {
        self.orders.live()
    }

    /// What could not be.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Changes the phase of every instrument, also of those not heard of yet: they begin with the market's.
    fn whole_market(&mut self, change: impl Fn(&mut Phase)) {
        change(&mut self.market);
        (0..self.seen).for_each(|i| change(&mut self.instruments[i].phase));
    }

    /// An instrument that has had an event.
    #[inline(always)]
    pub(super) fn known(&self, instrument: u32) -> Option<&Instrument> {
        let known = instrument < self.seen && self.instruments[instrument].known;
        known.then(|| &self.instruments[instrument])
    }
}
