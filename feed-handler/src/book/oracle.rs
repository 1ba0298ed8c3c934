//! The book written as plainly as possible, over maps: slow and obviously right.

use super::{Bbo, BookLimits, Change, Fault, Faults, Level, Order, Phase, Queued, Quote, View};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, MsgCtx, Price, ReplaceOrder, Side, Status,
    StatusKind, Trust,
};
use std::collections::{BTreeMap, HashMap};

/// The books of one channel. Orders are told apart by instrument and number, as exchanges promise no more than that.
#[derive(Clone, Debug)]
pub struct Books {
    limits: BookLimits,
    orders: HashMap<(u32, u64), Order>,
    books: BTreeMap<u32, Book>,
    levels: usize,
    /// What the market as a whole has said; new instruments begin with it.
    market: Phase,
    faults: Faults,
}

/// One instrument.
#[derive(Clone, Debug, Default)]
struct Book {
    symbol: [u8; 8],
    kept: Kept,
    bids: BTreeMap<Price, Resting>,
    asks: BTreeMap<Price, Resting>,
    phase: Phase,
    suspect: bool,
    crossed: bool,
}

/// What a book is made of, by what its feed has said first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kept {
    #[default]
    Nothing,
    Orders,
    Levels,
    Quotes,
}

/// What rests at a price: orders in their queue, or a total.
#[derive(Clone, Debug, Default)]
struct Resting {
    quantity: u64,
    orders: Option<u32>,
    queue: Vec<u64>,
}

impl Books {
    /// Empty books with that much room.
    pub fn new(limits: &BookLimits) -> Books {
        Books {
            limits: *limits,
            orders: HashMap::new(),
            books: BTreeMap::new(),
            levels: 0,
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
            let known = books.remove(cx.instrument, m.order_id);
            known.map(|_| ()).ok_or(Fault::UnknownOrder)
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

    /// A price level is now `quantity`, of `orders` orders where the feed says so; 0 removes it.
    pub fn level(&mut self, cx: &MsgCtx, side: Side, level: Level) -> Change {
        self.event(cx, |books, cx| {
            books.keep(cx.instrument, Kept::Levels)?;
            books.set(cx.instrument, side, level)
        })
    }

    /// The best price of one side, of a feed that says no more; quantity 0 or no price empties the side.
    pub fn quote(&mut self, cx: &MsgCtx, side: Side, quote: Quote) -> Change {
        self.event(cx, |books, cx| {
            books.keep(cx.instrument, Kept::Quotes)?;
            let book = books.books.entry(cx.instrument).or_default();
            let half = book.half(side).ok_or(Fault::LevelRange)?;
            books.levels -= half.len();
            half.clear();
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

    /// Everything in the instrument's book is void, and with it what was wrong with it.
    pub fn clear(&mut self, cx: &MsgCtx) -> Change {
        let change = self.event(cx, |books, cx| {
            books.orders.retain(|key, _| key.0 != cx.instrument);
            let book = books.books.entry(cx.instrument).or_default();
            books.levels -= book.bids.len() + book.asks.len();
            (book.bids, book.asks) = Default::default();
            (book.suspect, book.kept) = (false, Kept::Nothing);
            Ok(())
        });
        Change {
            suspect: false,
            ..change
        }
    }

    /// A status of the instrument, or of the market.
    pub fn status(&mut self, cx: &MsgCtx, m: &Status) {
        if m.what == StatusKind::SYSTEM {
            self.market.market(m.value);
            let books = self.books.values_mut();
            books.for_each(|book| book.phase.market(m.value));
        } else if let Some(book) = self.book(cx) {
            book.phase.status(m);
        }
    }

    /// The instrument's auction has been held.
    pub fn cross(&mut self, cx: &MsgCtx) {
        if let Some(book) = self.book(cx) {
            book.phase.cross();
        }
    }

    /// A new session: nothing is known any more, except what has been counted.
    pub fn restart(&mut self) {
        *self = Books {
            faults: self.faults,
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
        self.orders.get(&(instrument, order_id)).copied()
    }

    /// Live orders.
    pub fn live_orders(&self) -> usize {
        self.orders.len()
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
        if after != before {
            self.check_crossed(cx, after);
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

    fn check_crossed(&mut self, cx: &MsgCtx, bbo: Bbo) {
        let book = self.books.entry(cx.instrument).or_default();
        let both = bbo.bid.price.is_some() && bbo.ask.price.is_some();
        let crossed = both && bbo.bid.price > bbo.ask.price && book.phase.is_continuous();
        let news = crossed && !book.crossed;
        book.crossed = crossed;
        if news {
            self.fault(cx, Fault::Crossed);
        }
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

    /// A book keeps one kind of thing, the first it hears of.
    fn keep(&mut self, instrument: u32, kind: Kept) -> Result<(), Fault> {
        let book = self.books.entry(instrument).or_default();
        if book.kept == Kept::Nothing {
            book.kept = kind;
        }
        match book.kept == kind {
            true => Ok(()),
            false => Err(Fault::LevelRange),
        }
    }

    fn insert(&mut self, cx: &MsgCtx, m: &AddOrder) -> Result<(), Fault> {
        self.keep(cx.instrument, Kept::Orders)?;
        if self.remove(cx.instrument, m.order_id).is_some() {
            self.fault(cx, Fault::IdReused);
        }
        let book = self.books.entry(cx.instrument).or_default();
        let half = book.half(m.side).ok_or(Fault::LevelRange)?;
        if m.quantity == 0 || !m.price.is_some() {
            return Err(Fault::LevelRange);
        }
        if self.orders.len() >= self.limits.orders {
            return Err(Fault::OrdersFull);
        }
        let rests = half.get(&m.price).map_or(0, |level| level.quantity);
        let total = rests.checked_add(m.quantity).ok_or(Fault::LevelRange)?;
        if rests == 0 {
            if self.levels >= self.limits.levels {
                return Err(Fault::LevelsFull);
            }
            self.levels += 1;
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
            self.levels -= 1;
        }
        Some(order)
    }

    /// Sets the total at a price.
    fn set(&mut self, instrument: u32, side: Side, level: Level) -> Result<(), Fault> {
        let full = self.levels >= self.limits.levels;
        let book = self.books.entry(instrument).or_default();
        let half = book.half(side).ok_or(Fault::LevelRange)?;
        if !level.price.is_some() {
            return Err(Fault::LevelRange);
        }
        if level.quantity == 0 {
            half.remove(&level.price).ok_or(Fault::UnknownOrder)?;
            self.levels -= 1;
            return Ok(());
        }
        if !half.contains_key(&level.price) {
            if full {
                return Err(Fault::LevelsFull);
            }
            self.levels += 1;
        }
        let resting = half.entry(level.price).or_default();
        (resting.quantity, resting.orders) = (level.quantity, level.orders);
        Ok(())
    }
}

impl Book {
    fn half(&mut self, side: Side) -> Option<&mut BTreeMap<Price, Resting>> {
        match side {
            Side::BUY => Some(&mut self.bids),
            Side::SELL => Some(&mut self.asks),
            _ => None,
        }
    }

    fn bbo(&self) -> Bbo {
        let quote = |best: Option<(&Price, &Resting)>| {
            best.map_or(Quote::EMPTY, |(&price, resting)| Quote {
                price,
                quantity: resting.quantity,
            })
        };
        Bbo {
            bid: quote(self.bids.last_key_value()),
            ask: quote(self.asks.first_key_value()),
        }
    }

    fn level(&self, price: Price, resting: &Resting) -> Level {
        let counted = (self.kept == Kept::Orders).then_some(resting.queue.len() as u32);
        Level {
            price,
            quantity: resting.quantity,
            orders: counted.or(resting.orders),
        }
    }
}

impl View for Books {
    fn instruments(&self) -> Vec<(u32, [u8; 8])> {
        self.books.iter().map(|(&i, b)| (i, b.symbol)).collect()
    }

    fn levels(&self, instrument: u32, side: Side, visit: &mut dyn FnMut(Level)) {
        let Some(book) = self.books.get(&instrument) else {
            return;
        };
        let mut each = |(&price, resting): (&Price, &Resting)| visit(book.level(price, resting));
        match side {
            Side::BUY => book.bids.iter().rev().for_each(&mut each),
            Side::SELL => book.asks.iter().for_each(&mut each),
            _ => {}
        }
    }

    fn queue(&self, instrument: u32, side: Side, price: Price, visit: &mut dyn FnMut(Queued)) {
        let Some(book) = self.books.get(&instrument) else {
            return;
        };
        let half = match side {
            Side::BUY => &book.bids,
            _ => &book.asks,
        };
        for &order_id in half.get(&price).map_or(&[][..], |level| &level.queue) {
            let quantity = self.orders[&(instrument, order_id)].quantity;
            visit(Queued { order_id, quantity });
        }
    }
}
