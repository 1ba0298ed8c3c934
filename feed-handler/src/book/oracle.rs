//! The book written as plainly as possible, over maps: slow and obviously right.

mod book;

use super::{Bbo, BookLimits, Change, Fault, Faults, Level, Order, Phase, Queued, Quote, View};
use book::{Book, Kept};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, LevelUpdate, ModifyOrder,
    MsgCtx, NO_INSTRUMENT, Name, Price, QuoteUpdate, RankedOrder, ReplaceOrder, Side, SlotAction,
    SlotUpdate, Status, StatusKind, Trust,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The books of one channel. Orders are told apart by instrument and number, as exchanges promise no more than that.
#[derive(Clone, Debug)]
pub struct Books {
    limits: BookLimits,
    orders: HashMap<(u32, u64), Order>,
    books: BTreeMap<u32, Book>,
    definitions: HashMap<u32, Directory>,
    /// Instruments that came to be crossed, or not to be, within the event that is open.
    doubtful: BTreeSet<u32>,
    /// What the market as a whole has said; new instruments begin with it.
    market: Phase,
    faults: Faults,
}

impl Books {
    /// Empty books with that much room.
    pub fn new(limits: &BookLimits) -> Books {
        Books {
            limits: *limits,
            orders: HashMap::new(),
            books: BTreeMap::new(),
            definitions: HashMap::new(),
            doubtful: BTreeSet::new(),
            market: Phase::default(),
            faults: Faults::default(),
        }
    }

    /// A new order joins the end of its queue.
    pub fn add(&mut self, cx: &MsgCtx, m: &AddOrder) -> Change {
        self.event(cx, |books, cx| books.insert(cx, m))
    }

    /// An order trades.
    pub fn execute(&mut self, cx: &MsgCtx, m: &ExecuteOrder) -> Change {
        self.event(cx, |books, cx| books.reduce(cx, m.order_id, m.quantity))
    }

    /// An order shrinks and keeps its place.
    pub fn cancel(&mut self, cx: &MsgCtx, m: &CancelOrder) -> Change {
        self.event(cx, |books, cx| books.reduce(cx, m.order_id, m.quantity))
    }

    /// An order leaves.
    pub fn delete(&mut self, cx: &MsgCtx, m: &DeleteOrder) -> Change {
        self.event(cx, |books, cx| {
            let (instrument, id) = (cx.instrument, m.order_id);
            let known = books.remove(instrument, id).is_some()
                || books.remove_ranked(instrument, id).is_some();
            known.then_some(()).ok_or(Fault::UnknownOrder)
        })
    }

    /// An order leaves and another of its side joins the end of its queue.
    pub fn replace(&mut self, cx: &MsgCtx, m: &ReplaceOrder) -> Change {
        self.event(cx, |books, cx| {
            let old = books.remove(cx.instrument, m.old_id);
            let new = AddOrder {
                order_id: m.new_id,
                side: old.ok_or(Fault::UnknownOrder)?.side,
                price: m.price,
                quantity: m.quantity,
            };
            books.insert(cx, &new)
        })
    }

    /// An order is another in place: at its price it keeps its place, at another it goes to the end.
    pub fn modify(&mut self, cx: &MsgCtx, m: &ModifyOrder) -> Change {
        self.event(cx, |books, cx| {
            let key = (cx.instrument, m.order_id);
            let order = *books.orders.get(&key).ok_or(Fault::UnknownOrder)?;
            if m.quantity == 0 || m.price != order.price {
                books.remove(cx.instrument, m.order_id);
                let new = AddOrder {
                    order_id: m.order_id,
                    side: order.side,
                    price: m.price,
                    quantity: m.quantity,
                };
                return match m.quantity {
                    0 => Ok(()),
                    _ => books.insert(cx, &new),
                };
            }
            let book = books.books.entry(cx.instrument).or_default();
            if let Some(level) = book.half(order.side).and_then(|h| h.get_mut(&order.price)) {
                let others = level.quantity - order.quantity;
                level.quantity = others.checked_add(m.quantity).ok_or(Fault::LevelRange)?;
            }
            let quantity = m.quantity;
            books.orders.insert(key, Order { quantity, ..order });
            Ok(())
        })
    }

    /// An order enters or changes, and goes where its rank says, unless that is where it is.
    pub fn ranked(&mut self, cx: &MsgCtx, m: &RankedOrder) -> Change {
        self.event(cx, |books, cx| {
            books.keep(cx.instrument, Kept::Ranked)?;
            if !matches!(m.side, Side::BUY | Side::SELL) || !m.price.is_some() {
                return Err(Fault::LevelRange);
            }
            let place = |o: &RankedOrder| (o.order_id, o.side, o.price, o.rank);
            let book = books.books.entry(cx.instrument).or_default();
            let stays = m.quantity > 0 && book.ranked.iter().any(|o| place(o) == place(m));
            let old = match stays {
                true => None,
                false => books.remove_ranked(cx.instrument, m.order_id),
            };
            if m.quantity == 0 {
                return old.map(|_| ()).ok_or(Fault::UnknownOrder);
            }
            if !stays && books.live_orders() >= books.limits.orders {
                return Err(Fault::OrdersFull);
            }
            let full = books.levels() >= books.limits.levels;
            let book = books.books.entry(cx.instrument).or_default();
            let queue = book.ranked_at(m.side, m.price);
            let others = queue.iter().filter(|o| o.order_id != m.order_id);
            let others: u64 = others.map(|o| o.quantity).sum();
            others.checked_add(m.quantity).ok_or(Fault::LevelRange)?;
            if full && queue.is_empty() {
                return Err(Fault::LevelsFull);
            }
            match stays {
                true => {
                    let mut orders = book.ranked.iter_mut();
                    let order = orders.find(|o| o.order_id == m.order_id);
                    order.into_iter().for_each(|o| o.quantity = m.quantity);
                }
                false => book.ranked.push(*m),
            }
            Ok(())
        })
    }

    /// The total at a price is another; 0 removes the level.
    pub fn level(&mut self, cx: &MsgCtx, m: &LevelUpdate) -> Change {
        self.event(cx, |books, cx| {
            books.keep(cx.instrument, Kept::Levels)?;
            books.set(cx.instrument, m)
        })
    }

    /// The best price of one side, of a feed that says no more; quantity 0 or no price empties the side.
    pub fn quote(&mut self, cx: &MsgCtx, side: Side, quote: Quote) -> Change {
        self.event(cx, |books, cx| {
            books.keep(cx.instrument, Kept::Quotes)?;
            books.set_best(cx.instrument, side, quote)
        })
    }

    /// The best prices of both sides in one event.
    pub fn quotes(&mut self, cx: &MsgCtx, m: &QuoteUpdate) -> Change {
        self.event(cx, |books, cx| {
            books.keep(cx.instrument, Kept::Quotes)?;
            let quote = |price, quantity| Quote { price, quantity };
            let bid = quote(m.bid, m.bid_quantity);
            if let Err(fault) = books.set_best(cx.instrument, Side::BUY, bid) {
                books.fault(cx, fault);
            }
            books.set_best(cx.instrument, Side::SELL, quote(m.ask, m.ask_quantity))
        })
    }

    /// Something happened to a numbered level.
    pub fn slot(&mut self, cx: &MsgCtx, m: &SlotUpdate) -> Change {
        self.event(cx, |books, cx| {
            let depth = books.depths(cx.instrument)[usize::from(m.implied)];
            let fills = [SlotAction::New, SlotAction::Change, SlotAction::Overlay];
            let is_side = matches!(m.side, Side::BUY | Side::SELL);
            let is_level = m.level > 0 && m.level <= depth;
            let is_whole = m.price.is_some() || !fills.contains(&m.action);
            if !is_side || !is_level || !is_whole {
                return Err(Fault::LevelRange);
            }
            books.keep(cx.instrument, Kept::Numbered)?;
            let book = books.books.entry(cx.instrument).or_default();
            book.act(m, depth);
            Ok(())
        })
    }

    /// An instrument is announced.
    pub fn directory(&mut self, cx: &MsgCtx, m: &Directory) {
        if (cx.instrument as usize) < self.limits.instruments {
            self.definitions.insert(cx.instrument, *m);
            let depths = self.depths(cx.instrument);
            let book = self.books.get_mut(&cx.instrument);
            book.into_iter().for_each(|book| {
                book.symbol = cx.symbol;
                book.resize(depths);
            });
        }
    }

    /// The whole name of the instrument with that number and symbol.
    pub fn name(&self, instrument: u32, symbol: [u8; 8]) -> Name {
        match self.definitions.get(&instrument) {
            Some(m) if symbol[0] == b'#' && m.name.symbol().is_none() => m.name,
            _ => Name::new(&symbol),
        }
    }

    /// Everything in the instrument's book is void, and with it what was wrong with it.
    pub fn clear(&mut self, cx: &MsgCtx) -> Change {
        let change = self.event(cx, |books, cx| {
            books.orders.retain(|key, _| key.0 != cx.instrument);
            let book = books.books.entry(cx.instrument).or_default();
            (book.bids, book.asks) = Default::default();
            (book.numbered, book.ranked) = Default::default();
            (book.suspect, book.crossed) = (false, false);
            if book.kept != Kept::Numbered {
                book.kept = Kept::Nothing;
            }
            Ok(())
        });
        Change {
            suspect: false,
            ..change
        }
    }

    /// A status of the instrument, or of the market.
    pub fn status(&mut self, cx: &MsgCtx, m: &Status) {
        let phases = self.books.values_mut().map(|book| &mut book.phase);
        match (m.what, m.continuous, cx.instrument) {
            (StatusKind::GROUP, _, _) => {}
            (_, Some(continuous), NO_INSTRUMENT) => {
                self.market.say(continuous);
                phases.for_each(|phase| phase.say(continuous));
            }
            (StatusKind::SYSTEM, None, _) => {
                self.market.market(m.value);
                phases.for_each(|phase| phase.market(m.value));
            }
            (_, continuous, _) => {
                if let Some(book) = self.book(cx) {
                    match continuous {
                        Some(continuous) => book.phase.say(continuous),
                        None => book.phase.status(m),
                    }
                }
            }
        }
    }

    /// An event of several messages has ended.
    pub fn end_event(&mut self, cx: &MsgCtx) {
        let alone = cx.flags.has(Flags::OF_INSTRUMENT);
        let ends = |instrument: &u32| !alone || *instrument == cx.instrument;
        let (ended, open) = self.doubtful.iter().partition(|&i| ends(i));
        self.doubtful = open;
        let ended: BTreeSet<u32> = ended;
        for instrument in ended {
            self.judge(&MsgCtx { instrument, ..*cx });
        }
    }

    /// The instrument's auction has been held.
    pub fn cross(&mut self, cx: &MsgCtx) {
        if let Some(book) = self.book(cx) {
            book.phase.cross();
        }
    }

    /// A new session: nothing is known any more, except what has been counted, and names and depths.
    pub fn restart(&mut self) {
        *self = Books {
            faults: self.faults,
            definitions: std::mem::take(&mut self.definitions),
            ..Books::new(&self.limits)
        };
    }

    /// Best bid and offer of an instrument; empty when there is none of that number.
    pub fn bbo(&self, instrument: u32) -> Bbo {
        self.books.get(&instrument).map_or(Bbo::EMPTY, Book::bbo)
    }

    /// True when an invariant of the instrument has been broken.
    pub fn is_suspect(&self, instrument: u32) -> bool {
        self.books.get(&instrument).is_some_and(|book| book.suspect)
    }

    /// A live order of an instrument.
    pub fn order(&self, instrument: u32, order_id: u64) -> Option<Order> {
        let order = self.orders.get(&(instrument, order_id)).copied();
        let ranked = || {
            let mut ranked = self.books.get(&instrument)?.ranked.iter();
            let &RankedOrder {
                side,
                price,
                quantity,
                ..
            } = ranked.find(|o| o.order_id == order_id)?;
            Some(Order {
                side,
                price,
                quantity,
            })
        };
        order.or_else(ranked)
    }

    /// Live orders.
    pub fn live_orders(&self) -> usize {
        let ranked = self.books.values().map(|book| book.ranked.len());
        self.orders.len() + ranked.sum::<usize>()
    }

    /// What could not be.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Runs an event and says what it did.
    fn event(
        &mut self,
        cx: &MsgCtx,
        what: impl FnOnce(&mut Books, &MsgCtx) -> Result<(), Fault>,
    ) -> Change {
        if self.book(cx).is_none() {
            self.faults.count(Fault::NoInstrument);
            return Change::default();
        }
        let before = self.bbo(cx.instrument);
        if let Err(fault) = what(self, cx) {
            self.fault(cx, fault);
        }
        let after = self.bbo(cx.instrument);
        let book = &self.books[&cx.instrument];
        if after != before && book.is_crossed() != book.crossed {
            match cx.flags.has(Flags::END_OF_EVENT) {
                true => self.judge(cx),
                false => drop(self.doubtful.insert(cx.instrument)),
            }
        }
        Change {
            bbo: after != before,
            suspect: self.books[&cx.instrument].suspect,
        }
    }

    /// Counts a fault. After a gap the feed's own are no surprise: the channel's trust already says so.
    fn fault(&mut self, cx: &MsgCtx, fault: Fault) {
        self.faults.count(fault);
        if cx.trust != Trust::RECOVERING || fault.is_capacity() {
            self.books.entry(cx.instrument).or_default().suspect = true;
        }
    }

    /// Counts a book that has come to be crossed.
    fn judge(&mut self, cx: &MsgCtx) {
        let book = self.books.entry(cx.instrument).or_default();
        let crossed = book.is_crossed();
        let before = std::mem::replace(&mut book.crossed, crossed);
        if crossed && !before {
            self.fault(cx, Fault::Crossed);
        }
    }

    /// Price levels, those of the exchange's numbers left out.
    fn levels(&self) -> usize {
        self.books.values().map(Book::priced).sum()
    }

    /// How many numbered levels a real and an implied book have.
    fn depths(&self, instrument: u32) -> [u8; 2] {
        let said = self.definitions.get(&instrument);
        super::slots::depths(said.map_or([0; 2], |m| m.depths))
    }

    /// The instrument's book, made when it is the first event; `None` without a number or with one beyond the limit.
    fn book(&mut self, cx: &MsgCtx) -> Option<&mut Book> {
        if cx.instrument as usize >= self.limits.instruments {
            return None;
        }
        let market = self.market;
        let book = self.books.entry(cx.instrument).or_insert_with(|| Book {
            phase: market,
            ..Book::default()
        });
        book.symbol = cx.symbol;
        Some(book)
    }

    /// A book keeps one kind of thing, the first it hears of; but ranked orders may be beside numbered levels.
    fn keep(&mut self, instrument: u32, kind: Kept) -> Result<(), Fault> {
        let book = self.books.entry(instrument).or_default();
        if book.kept == Kept::Nothing {
            book.kept = kind;
        }
        match (book.kept, kind) {
            // Their best prices are then those of the levels.
            (Kept::Ranked, Kept::Numbered) => book.kept = Kept::Numbered,
            (Kept::Numbered, Kept::Ranked) => {}
            (kept, kind) if kept == kind => {}
            _ => return Err(Fault::LevelRange),
        }
        Ok(())
    }

    fn insert(&mut self, cx: &MsgCtx, m: &AddOrder) -> Result<(), Fault> {
        self.keep(cx.instrument, Kept::Orders)?;
        if self.remove(cx.instrument, m.order_id).is_some() {
            self.fault(cx, Fault::IdReused);
        }
        let (live, levels) = (self.live_orders(), self.levels());
        let book = self.books.entry(cx.instrument).or_default();
        let half = book.half(m.side).ok_or(Fault::LevelRange)?;
        if m.quantity == 0 || !m.price.is_some() {
            return Err(Fault::LevelRange);
        }
        if live >= self.limits.orders {
            return Err(Fault::OrdersFull);
        }
        let rests = half.get(&m.price).map_or(0, |level| level.quantity);
        let total = rests.checked_add(m.quantity).ok_or(Fault::LevelRange)?;
        if rests == 0 && levels >= self.limits.levels {
            return Err(Fault::LevelsFull);
        }
        let level = half.entry(m.price).or_default();
        level.quantity = total;
        level.queue.push(m.order_id);
        let order = Order {
            side: m.side,
            price: m.price,
            quantity: m.quantity,
        };
        self.orders.insert((cx.instrument, m.order_id), order);
        Ok(())
    }

    /// Takes `quantity` away from an order, and the order when nothing remains.
    fn reduce(&mut self, cx: &MsgCtx, order_id: u64, quantity: u64) -> Result<(), Fault> {
        let key = (cx.instrument, order_id);
        let order = self.orders.get_mut(&key).ok_or(Fault::UnknownOrder)?;
        if quantity >= order.quantity {
            let underflow = quantity > order.quantity;
            self.remove(cx.instrument, order_id);
            return match underflow {
                true => Err(Fault::SizeUnderflow),
                false => Ok(()),
            };
        }
        order.quantity -= quantity;
        let (side, price) = (order.side, order.price);
        let book = self.books.entry(cx.instrument).or_default();
        if let Some(level) = book.half(side).and_then(|half| half.get_mut(&price)) {
            level.quantity -= quantity;
        }
        Ok(())
    }

    fn remove(&mut self, instrument: u32, order_id: u64) -> Option<Order> {
        let order = self.orders.remove(&(instrument, order_id))?;
        let half = self.books.get_mut(&instrument)?.half(order.side)?;
        let level = half.get_mut(&order.price)?;
        level.quantity -= order.quantity;
        level.queue.retain(|&id| id != order_id);
        if level.queue.is_empty() {
            half.remove(&order.price);
        }
        Some(order)
    }

    fn remove_ranked(&mut self, instrument: u32, order_id: u64) -> Option<RankedOrder> {
        let ranked = &mut self.books.get_mut(&instrument)?.ranked;
        let at = ranked.iter().position(|o| o.order_id == order_id)?;
        Some(ranked.remove(at))
    }

    /// Makes a side consist of one price, or of none.
    fn set_best(&mut self, instrument: u32, side: Side, quote: Quote) -> Result<(), Fault> {
        let book = self.books.entry(instrument).or_default();
        book.half(side).ok_or(Fault::LevelRange)?.clear();
        if quote.quantity == 0 || !quote.price.is_some() {
            return Ok(());
        }
        let level = LevelUpdate {
            side,
            price: quote.price,
            quantity: quote.quantity,
            orders: None,
        };
        self.set(instrument, &level)
    }

    /// Sets the total at a price.
    fn set(&mut self, instrument: u32, m: &LevelUpdate) -> Result<(), Fault> {
        let full = self.levels() >= self.limits.levels;
        let book = self.books.entry(instrument).or_default();
        let half = book.half(m.side).ok_or(Fault::LevelRange)?;
        if !m.price.is_some() {
            return Err(Fault::LevelRange);
        }
        if m.quantity == 0 {
            half.remove(&m.price).ok_or(Fault::UnknownOrder)?;
            return Ok(());
        }
        if full && !half.contains_key(&m.price) {
            return Err(Fault::LevelsFull);
        }
        let resting = half.entry(m.price).or_default();
        (resting.quantity, resting.orders) = (m.quantity, m.orders);
        Ok(())
    }
}

impl View for Books {
    fn instruments(&self) -> Vec<(u32, Name)> {
        let books = self.books.iter();
        books.map(|(&i, b)| (i, self.name(i, b.symbol))).collect()
    }

    fn levels(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(u32, Level)) {
        if let Some(book) = self.books.get(&instrument) {
            let levels = book.levels(side).into_iter();
            levels.for_each(|(number, level)| visit(number, level));
        }
    }

    fn implied(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(u32, Level)) {
        if let Some(book) = self.books.get(&instrument) {
            let levels = book.numbered(true, side).into_iter();
            levels.for_each(|(number, level)| visit(number, level));
        }
    }

    fn beside(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(Level)) {
        if let Some(book) = self.books.get(&instrument)
            && book.kept == Kept::Numbered
        {
            book.ranked_levels(side).into_iter().for_each(visit);
        }
    }

    fn queue(&self, instrument: u32, side: Side, price: Price, visit: &mut dyn FnMut(Queued)) {
        if let Some(book) = self.books.get(&instrument) {
            let size = |order_id| self.orders[&(instrument, order_id)].quantity;
            book.queue(side, price, size).into_iter().for_each(visit);
        }
    }
}
