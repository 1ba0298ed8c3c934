//! The books of one channel: what each event does.

use super::instrument::{Half, Instrument, Kept, side_at, side_of};
use super::ladder::Ladders;
use super::levels::{ASKS, BIDS, Levels, NONE, key};
use super::orders::{Orders, Record};
use super::{Bbo, BookLimits, Change, Fault, Faults, Level, Order, Phase, Quote};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, MsgCtx, Price, ReplaceOrder, Side, Status,
    StatusKind, Trust,
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
    pub(super) instruments: Circle<Instrument>,
    /// How many instruments there may be.
    pub(super) limit: u32,
    /// No instrument from here on has had an event.
    pub(super) seen: u32,
    /// What the market as a whole has said; new instruments begin with it.
    market: Phase,
    faults: Faults,
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
            ladders: Ladders::new(limits.levels, 2 * limits.instruments)?,
            instruments: Circle::zeroed(limits.instruments)?,
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
        let Ok(at) = self.orders.seek(cx.instrument, m.order_id) else {
            return self.refuse(cx, Fault::UnknownOrder);
        };
        let side = self.side_of_order(at);
        let before = self.half(cx.instrument, side).quote();
        self.leave(cx.instrument, at);
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

    /// A price level is now `quantity`, of `orders` orders where the feed says so; 0 removes it.
    pub fn level(&mut self, cx: &MsgCtx, side: Side, level: Level) -> Change {
        self.total(cx, side, Kept::Levels, |books, side| {
            books.set(cx.instrument, side, level)
        })
    }

    /// The best price of one side, of a feed that says no more; quantity 0 or no price empties the side.
    pub fn quote(&mut self, cx: &MsgCtx, side: Side, quote: Quote) -> Change {
        self.total(cx, side, Kept::Quotes, |books, side| {
            while books.half(cx.instrument, side).best != NONE {
                books.drop_level(cx.instrument, books.half(cx.instrument, side).best);
            }
            if quote.quantity == 0 || !quote.price.is_some() {
                return Ok(());
            }
            let level = Level {
                price: quote.price,
                quantity: quote.quantity,
                orders: None,
            };
            books.set(cx.instrument, side, level)
        })
    }

    /// Everything in the instrument's book is void, and with it what was wrong with it. Takes time by its orders and
    /// levels.
    pub fn clear(&mut self, cx: &MsgCtx) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let i = cx.instrument;
        let bbo = self.bbo(i) != Bbo::EMPTY;
        let orders = self.instruments[i].kept == Kept::Orders;
        for side in [BIDS, ASKS] {
            while self.half(i, side).best != NONE {
                let best = self.half(i, side).best;
                match orders {
                    true => self.leave(i, self.levels.at(best).head),
                    false => self.drop_level(i, best),
                }
            }
        }
        let book = &mut self.instruments[i];
        (book.suspect, book.kept) = (false, Kept::Nothing);
        // An empty book is not crossed.
        book.crossed = false;
        Change {
            bbo,
            suspect: false,
        }
    }

    /// A status of the instrument, or of the market.
    pub fn status(&mut self, cx: &MsgCtx, m: &Status) {
        if m.what == StatusKind::SYSTEM {
            self.market.market(m.value);
            // Also those not heard of yet: they begin with the market's phase.
            (0..self.seen).for_each(|i| self.instruments[i].phase.market(m.value));
        } else if self.has_room_for(cx.instrument) {
            self.meet(cx);
            self.instruments[cx.instrument].phase.status(m);
        }
    }

    /// The instrument's auction has been held.
    pub fn cross(&mut self, cx: &MsgCtx) {
        if self.has_room_for(cx.instrument) {
            self.meet(cx);
            self.instruments[cx.instrument].phase.cross();
        }
    }

    /// A new session: nothing is known any more, except what has been counted. Takes time by the live orders and levels
    /// and the instruments there were.
    pub fn restart(&mut self) {
        for i in 0..self.seen {
            if self.instruments[i].kept == Kept::Orders {
                self.forget_orders(i);
            }
            self.instruments[i] = Instrument::new_zeroed();
        }
        self.levels.clear();
        self.ladders.clear();
        self.seen = 0;
        self.market = Phase::default();
    }

    /// Asks for what an event of this order looks at first: its place in the table, and its instrument. For messages
    /// that lie some way ahead.
    #[inline(always)]
    pub fn prefetch(&self, instrument: u32, order_id: u64) {
        self.orders.prefetch(instrument, order_id);
        self.instruments.prefetch(instrument);
    }

    /// Asks for what an event of this order looks at next, when it is in the book: its level and its neighbours in the
    /// queue. For messages somewhat nearer, for which [`Books::prefetch`] has had its time.
    #[inline(always)]
    pub fn prefetch_order(&self, instrument: u32, order_id: u64) {
        if let Ok(at) = self.orders.seek(instrument, order_id) {
            let order = self.orders.at(at);
            self.levels.prefetch(order.level);
            // Where there is no neighbour, some other line comes for nothing.
            self.orders.prefetch_at(order.previous);
            self.orders.prefetch_at(order.next);
        }
    }

    /// Asks for what a new order looks at: the level of the best price, where that is its price, or else the levels of
    /// its side. For messages as near as those of [`Books::prefetch_order`].
    #[inline(always)]
    pub fn prefetch_price(&self, instrument: u32, side: Side, price: Price) {
        let Some(side) = side_of(side) else {
            return;
        };
        let half = self.half(instrument, side);
        if half.quote().price == price {
            self.levels.prefetch(half.best);
        } else {
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
        let at = self.orders.seek(instrument, order_id).ok()?;
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

    /// An instrument that has had an event.
    #[inline(always)]
    pub(super) fn known(&self, instrument: u32) -> Option<&Instrument> {
        let known = instrument < self.seen && self.instruments[instrument].known;
        known.then(|| &self.instruments[instrument])
    }
}

/// The steps events are made of.
impl Books {
    #[inline(always)]
    fn half(&self, instrument: u32, side: u32) -> &Half {
        self.instruments[instrument].half(side)
    }

    #[inline(always)]
    fn half_mut(&mut self, instrument: u32, side: u32) -> &mut Half {
        self.instruments[instrument].half_mut(side)
    }

    #[inline(always)]
    fn side_of_order(&self, at: u32) -> u32 {
        self.levels.at(self.orders.at(at).level).side
    }

    #[inline(always)]
    fn has_room_for(&self, instrument: u32) -> bool {
        instrument < self.limit
    }

    /// Begins an event; false, and counted, when its instrument has no number or one beyond the limit.
    #[inline(always)]
    fn open(&mut self, cx: &MsgCtx) -> bool {
        if !self.has_room_for(cx.instrument) {
            self.faults.count(Fault::NoInstrument);
            return false;
        }
        self.meet(cx);
        true
    }

    #[inline(always)]
    fn meet(&mut self, cx: &MsgCtx) {
        if !self.instruments[cx.instrument].known {
            self.introduce(cx.instrument);
        }
        self.instruments[cx.instrument].symbol = cx.symbol;
    }

    #[cold]
    fn introduce(&mut self, instrument: u32) {
        self.instruments[instrument] = Instrument::new(self.market);
        self.seen = self.seen.max(instrument + 1);
    }

    /// A book keeps one kind of thing, the first it hears of.
    #[inline(always)]
    fn keeps(&mut self, instrument: u32, kind: Kept) -> bool {
        let kept = &mut self.instruments[instrument].kept;
        if *kept == Kept::Nothing {
            *kept = kind;
        }
        *kept == kind
    }

    /// Counts a fault. After a gap the feed's own are no surprise: the channel's trust already says so.
    #[cold]
    fn fault(&mut self, cx: &MsgCtx, fault: Fault) {
        self.faults.count(fault);
        if cx.trust != Trust::RECOVERING || fault.is_capacity() {
            self.instruments[cx.instrument].suspect = true;
        }
    }

    /// Ends an event that changed nothing.
    #[cold]
    fn refuse(&mut self, cx: &MsgCtx, fault: Fault) -> Change {
        self.fault(cx, fault);
        Change {
            bbo: false,
            suspect: self.instruments[cx.instrument].suspect,
        }
    }

    /// Ends an event that could have changed one side only.
    #[inline(always)]
    fn settle(&mut self, cx: &MsgCtx, side: u32, before: Quote) -> Change {
        let after = self.half(cx.instrument, side).quote();
        self.conclude(cx, after != before)
    }

    #[inline(always)]
    fn conclude(&mut self, cx: &MsgCtx, bbo: bool) -> Change {
        let book = &mut self.instruments[cx.instrument];
        if bbo {
            let crossed = book.is_inverted() && book.phase.is_continuous();
            let news = crossed && !book.crossed;
            book.crossed = crossed;
            if news {
                self.fault(cx, Fault::Crossed);
            }
        }
        Change {
            bbo,
            suspect: self.instruments[cx.instrument].suspect,
        }
    }

    /// Adds an order with the number of a live one, after an event that may have changed the best prices since `before`.
    #[cold]
    fn add_again(&mut self, cx: &MsgCtx, m: &AddOrder, before: Bbo) -> Change {
        let i = cx.instrument;
        if let Ok(at) = self.orders.seek(i, m.order_id) {
            self.leave(i, at);
        }
        self.fault(cx, Fault::IdReused);
        let joined = match (side_of(m.side), self.orders.seek(i, m.order_id)) {
            (Some(side), Err(vacant)) => {
                self.join(i, vacant, side, m.order_id, m.price, m.quantity)
            }
            _ => Err(Fault::LevelRange),
        };
        if let Err(fault) = joined {
            self.fault(cx, fault);
        }
        let after = self.bbo(i);
        self.conclude(cx, after != before)
    }

    /// Takes `quantity` away from an order, and the order when nothing remains.
    #[inline(always)]
    fn reduce(&mut self, cx: &MsgCtx, order_id: u64, quantity: u64) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let Ok(at) = self.orders.seek(cx.instrument, order_id) else {
            return self.refuse(cx, Fault::UnknownOrder);
        };
        let side = self.side_of_order(at);
        let before = self.half(cx.instrument, side).quote();
        let order = self.orders.at_mut(at);
        if quantity < order.quantity {
            order.quantity -= quantity;
            let slot = order.level;
            let level = self.levels.at_mut(slot);
            level.quantity -= quantity;
            let total = level.quantity;
            let half = self.half_mut(cx.instrument, side);
            if half.best == slot {
                half.resize(total);
            }
        } else {
            let underflow = quantity > order.quantity;
            self.leave(cx.instrument, at);
            if underflow {
                self.fault(cx, Fault::SizeUnderflow);
            }
        }
        self.settle(cx, side, before)
    }

    /// Puts an order that is not there into the vacant place and behind the queue of its price.
    #[inline(always)]
    fn join(
        &mut self,
        instrument: u32,
        vacant: u32,
        side: u32,
        order_id: u64,
        price: Price,
        quantity: u64,
    ) -> Result<(), Fault> {
        if quantity == 0 || !price.is_some() {
            return Err(Fault::LevelRange);
        }
        if self.orders.is_full() {
            return Err(Fault::OrdersFull);
        }
        let half = self.half(instrument, side);
        let level = match half.quote().price == price {
            true => {
                let best = half.best;
                self.swell(best, quantity)?;
                let total = self.levels.at(best).quantity;
                self.half_mut(instrument, side).resize(total);
                best
            }
            false => self.find_or_make(instrument, side, price, quantity)?,
        };
        self.levels.at_mut(level).orders += 1;
        let record = Record {
            order_id,
            quantity,
            instrument,
            level,
            previous: NONE,
            next: NONE,
        };
        self.orders.join(vacant, record, &mut self.levels);
        Ok(())
    }

    /// The level of a price that is not the best, `quantity` added to it; a new one if need be.
    #[inline(always)]
    fn find_or_make(
        &mut self,
        instrument: u32,
        side: u32,
        price: Price,
        quantity: u64,
    ) -> Result<u32, Fault> {
        let key = key(side, price);
        let rank = self.ladders.find(self.half(instrument, side).top, key);
        if let Some(level) = rank.level {
            self.swell(level, quantity)?;
            return Ok(level);
        }
        if self.levels.is_full() {
            return Err(Fault::LevelsFull);
        }
        let level = self.levels.take(side, key);
        self.levels.at_mut(level).quantity = quantity;
        let half = self.instruments[instrument].half_mut(side);
        self.ladders.insert(&mut half.top, rank, key, level);
        if half.best == NONE || key > super::levels::key(side, half.quote().price) {
            half.turn_to(level, Quote { price, quantity });
        }
        Ok(level)
    }

    #[inline(always)]
    fn swell(&mut self, level: u32, quantity: u64) -> Result<(), Fault> {
        let total = &mut self.levels.at_mut(level).quantity;
        *total = total.checked_add(quantity).ok_or(Fault::LevelRange)?;
        Ok(())
    }

    /// Takes an order out, and its level when it was the last.
    #[inline(always)]
    fn leave(&mut self, instrument: u32, at: u32) {
        let Record {
            quantity,
            level: slot,
            ..
        } = *self.orders.at(at);
        self.orders.leave(at, &mut self.levels);
        let level = self.levels.at_mut(slot);
        level.orders -= 1;
        if level.orders == 0 {
            return self.drop_level(instrument, slot);
        }
        level.quantity -= quantity;
        let (side, total) = (level.side, level.quantity);
        let half = self.half_mut(instrument, side);
        if half.best == slot {
            half.resize(total);
        }
    }

    /// Takes a level out of its side.
    #[inline]
    fn drop_level(&mut self, instrument: u32, slot: u32) {
        let level = self.levels.at(slot);
        let (side, key) = (level.side, level.key);
        let half = self.instruments[instrument].half_mut(side);
        let rank = self.ladders.find(half.top, key);
        self.ladders.remove(&mut half.top, rank);
        if half.best == slot {
            match self.ladders.best(half.top) {
                Some(best) => {
                    let level = self.levels.at(best);
                    let quote = Quote {
                        price: level.price(),
                        quantity: level.quantity,
                    };
                    half.turn_to(best, quote);
                }
                None => half.turn_to(NONE, Quote::EMPTY),
            }
        }
        self.levels.give_back(slot);
    }

    /// An event of a feed that says totals.
    fn total(
        &mut self,
        cx: &MsgCtx,
        side: Side,
        kind: Kept,
        what: impl FnOnce(&mut Books, u32) -> Result<(), Fault>,
    ) -> Change {
        if !self.open(cx) {
            return Change::default();
        }
        let kept = self.keeps(cx.instrument, kind);
        let Some(side) = side_of(side).filter(|_| kept) else {
            return self.refuse(cx, Fault::LevelRange);
        };
        let before = self.half(cx.instrument, side).quote();
        if let Err(fault) = what(self, side) {
            self.fault(cx, fault);
        }
        self.settle(cx, side, before)
    }

    /// Sets the total at a price.
    fn set(&mut self, instrument: u32, side: u32, level: Level) -> Result<(), Fault> {
        if !level.price.is_some() {
            return Err(Fault::LevelRange);
        }
        let key = key(side, level.price);
        let half = self.half(instrument, side);
        let found = self.ladders.find(half.top, key).level;
        let slot = match (found, level.quantity) {
            (None, 0) => return Err(Fault::UnknownOrder),
            (Some(slot), 0) => {
                self.drop_level(instrument, slot);
                return Ok(());
            }
            (Some(slot), quantity) => {
                self.levels.at_mut(slot).quantity = quantity;
                let half = self.half_mut(instrument, side);
                if half.best == slot {
                    half.resize(quantity);
                }
                slot
            }
            (None, quantity) => self.find_or_make(instrument, side, level.price, quantity)?,
        };
        let kept = self.levels.at_mut(slot);
        kept.head = level.orders.map_or(NONE, |_| 0);
        kept.orders = level.orders.unwrap_or(0);
        Ok(())
    }

    /// Empties the places of all orders of an instrument, before its levels are forgotten too.
    fn forget_orders(&mut self, instrument: u32) {
        for side in [BIDS, ASKS] {
            let top = self.half(instrument, side).top;
            self.ladders.visit(top, |level| {
                let mut at = self.levels.at(level).head;
                while at != NONE {
                    let next = self.orders.at(at).next;
                    self.orders.forget(at);
                    at = next;
                }
            });
        }
    }
}
