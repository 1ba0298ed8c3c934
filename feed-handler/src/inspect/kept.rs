//! Events into books: what `book`, `bbo` and `trades` have in common.

use crate::book::{BookError, BookLimits, Books, Change, Fault, Quote};
use crate::config::BookPlan;
use crate::protocol::Ahead;
use crate::publish::{Outlet, ahead};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, Gap, Imbalance, Kind,
    LevelUpdate, MarketData, MarketHandler, ModifyOrder, MsgCtx, NO_INSTRUMENT, Price, QuoteUpdate,
    RankedOrder, ReplaceOrder, Side, SlotUpdate, Statistic, Status, Trade, TradeBreak,
};

/// Orders, and levels, that each of many channels has room for at least.
const LEAST_ROOM: usize = 1 << 14;

/// No feed says an order, a level or an instrument in fewer bytes.
const BYTES_EACH: u64 = 16;

/// Watches the books of a capture. Every event defaults to nothing.
#[allow(unused_variables)]
pub trait Watch {
    /// An event has been applied.
    #[inline]
    fn changed(&mut self, books: &Books, cx: &MsgCtx, change: Change) {}

    /// An event has ended with the message of this context, also where that is about no book.
    #[inline]
    fn ended(&mut self, books: &Books, cx: &MsgCtx) {}

    /// Something has traded that counts.
    #[inline]
    fn printed(&mut self, books: &Books, cx: &MsgCtx, print: Print) {}

    /// A print is void.
    fn broken(&mut self, books: &Books, cx: &MsgCtx, broken: Broken) {}

    /// A new session: the channel's books are empty.
    fn restarted(&mut self, books: &Books, cx: &MsgCtx) {}
}

/// Nobody watches: the books are all that is wanted.
impl Watch for () {}

/// A trade that counts in volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// The exchange's number for it; `None` where the feed gives none.
    pub match_id: Option<u64>,
    /// What traded.
    pub quantity: u64,
    /// At what price; null where that was the price of an order that is not in the book.
    pub price: Price,
    /// The visible order that traded, if it was one.
    pub order_id: Option<u64>,
    /// Its side, where it is in the book; of a print without a visible order what the feed says.
    pub side: Side,
    /// [`Flags::HIDDEN`], [`Flags::CROSS`] or nothing.
    pub flags: Flags,
}

/// What a trade break voids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The print of this number.
    Match(u64),
    /// A print of so much; the feed gives no numbers.
    Quantity(u64),
}

/// The room of each of so many channels' books. Together they have what a run would give one by default: memory must not
/// follow from how many channels a capture claims to have. Where it is known how many bytes there are to read, they have
/// no more than these can fill: half a gigabyte is not made ready for a small file.
pub(crate) fn room(channels: usize, bytes: Option<u64>) -> BookLimits {
    let whole = BookPlan::default().limits;
    let can_be = bytes.map_or(usize::MAX, |bytes| (bytes / BYTES_EACH) as usize);
    let can_be = can_be.max(LEAST_ROOM);
    let share = |room: usize| (room / channels.max(1)).max(LEAST_ROOM).min(can_be);
    BookLimits {
        orders: share(whole.orders),
        levels: share(whole.levels),
        instruments: whole.instruments.min(can_be),
    }
}

/// The books of every channel, and who watches them.
#[derive(Debug)]
pub struct Kept<T> {
    books: Box<[Books]>,
    watch: T,
    events: u64,
    unnumbered: u64,
}

impl<T: Watch> Kept<T> {
    /// Empty books for so many channels, each with that room.
    pub fn new(channels: usize, room: &BookLimits, watch: T) -> Result<Kept<T>, BookError> {
        let books: Result<_, _> = (0..channels).map(|_| Books::new(room)).collect();
        Ok(Kept {
            books: books?,
            watch,
            events: 0,
            unnumbered: 0,
        })
    }

    /// The books, by channel.
    pub fn books(&self) -> &[Books] {
        &self.books
    }

    /// Who watches.
    pub fn watch(&self) -> &T {
        &self.watch
    }

    /// Who has watched, and the books as they are in the end.
    pub fn into_parts(self) -> (T, Box<[Books]>) {
        (self.watch, self.books)
    }

    /// Lets who watches come to an end, with the books as they are then.
    pub fn finish<R>(&mut self, end: impl FnOnce(&mut T, &[Books]) -> R) -> R {
        end(&mut self.watch, &self.books)
    }

    /// What could not be, over all channels: every kind by name, also those that never happened.
    pub fn faults(&self) -> Vec<(&'static str, u64)> {
        let sum = |fault| {
            self.books
                .iter()
                .map(|books| books.faults().of(fault))
                .sum()
        };
        Fault::ALL.map(|fault| (fault.name(), sum(fault))).into()
    }

    /// All that could not be: the faults, and records of single orders in a protocol whose records carry no order
    /// numbers, which are in no book.
    pub fn shortcomings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let unnumbered = ("orders_without_number", self.unnumbered);
        self.faults().into_iter().chain([unnumbered])
    }

    #[inline]
    fn apply(&mut self, cx: &MsgCtx, event: impl FnOnce(&mut Books) -> Change) {
        self.events += 1;
        if let Some(books) = self.books.get_mut(usize::from(cx.channel)) {
            let change = event(books);
            self.watch.changed(books, cx, change);
        }
        self.end(cx);
    }

    /// Ends the event, if it ends here.
    #[inline]
    fn end(&mut self, cx: &MsgCtx) {
        if cx.flags.has(Flags::END_OF_EVENT)
            && let Some(books) = self.books.get_mut(usize::from(cx.channel))
        {
            books.end_event(cx);
            self.watch.ended(books, cx);
        }
    }

    fn print(&mut self, cx: &MsgCtx, print: Print) {
        if print.quantity > 0
            && cx.instrument != NO_INSTRUMENT
            && let Some(books) = self.books.get(usize::from(cx.channel))
        {
            self.watch.printed(books, cx, print);
        }
    }

    fn broken(&mut self, cx: &MsgCtx, broken: Broken) {
        if let Some(books) = self.books.get(usize::from(cx.channel)) {
            self.watch.broken(books, cx, broken);
        }
        self.end(cx);
    }
}

impl<T: Watch> Outlet for Kept<T> {
    fn published(&self) -> u64 {
        self.events
    }

    const LOOKS_AHEAD: bool = true;

    #[inline(always)]
    fn fetch(&self, channel: u16, ahead: Ahead) {
        if let Some(books) = self.books.get(usize::from(channel)) {
            ahead::fetch(books, ahead);
        }
    }

    #[inline(always)]
    fn fetch_behind(&self, channel: u16, ahead: Ahead) {
        if let Some(books) = self.books.get(usize::from(channel)) {
            ahead::fetch_behind(books, ahead);
        }
    }
}

impl<T: Watch> MarketHandler for Kept<T> {
    #[inline]
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.apply(cx, |books| books.add(cx, &m));
    }

    #[inline]
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        if m.printable {
            let order = || {
                let books = self.books.get(usize::from(cx.channel))?;
                books.order(cx.instrument, m.order_id)
            };
            // Before it is applied: it may be the last of its order.
            let order = order();
            let price = match m.price.is_some() {
                true => m.price,
                false => order.map_or(Price::NULL, |o| o.price),
            };
            let print = Print {
                match_id: Some(m.match_id),
                quantity: m.quantity,
                price,
                order_id: Some(m.order_id),
                side: order.map_or(Side::NONE, |o| o.side),
                flags: Flags::NONE,
            };
            self.print(cx, print);
        }
        self.apply(cx, |books| books.execute(cx, &m));
    }

    #[inline]
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.apply(cx, |books| books.cancel(cx, &m));
    }

    #[inline]
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.apply(cx, |books| books.delete(cx, &m));
    }

    #[inline]
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.apply(cx, |books| books.replace(cx, &m));
    }

    #[inline]
    fn on_modify(&mut self, cx: &MsgCtx, m: ModifyOrder) {
        self.apply(cx, |books| books.modify(cx, &m));
    }

    #[inline]
    fn on_ranked(&mut self, cx: &MsgCtx, m: RankedOrder) {
        self.apply(cx, |books| books.ranked(cx, &m));
    }

    #[inline]
    fn on_level(&mut self, cx: &MsgCtx, m: LevelUpdate) {
        self.apply(cx, |books| books.level(cx, &m));
    }

    #[inline]
    fn on_slot(&mut self, cx: &MsgCtx, m: SlotUpdate) {
        self.apply(cx, |books| books.slot(cx, &m));
    }

    #[inline]
    fn on_quote(&mut self, cx: &MsgCtx, m: QuoteUpdate) {
        self.apply(cx, |books| books.quotes(cx, &m));
    }

    fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
        if m.flags.has(Flags::CROSS)
            && let Some(books) = self.books.get_mut(usize::from(cx.channel))
        {
            books.cross(cx);
        }
        // One that is not printable is part of a print of its own.
        if !m.flags.has(Flags::NON_PRINTABLE) {
            let print = Print {
                match_id: Some(m.match_id),
                quantity: m.quantity,
                price: m.price,
                order_id: None,
                side: m.side,
                flags: m.flags,
            };
            self.print(cx, print);
        }
        self.end(cx);
    }

    fn on_trade_break(&mut self, cx: &MsgCtx, m: TradeBreak) {
        self.broken(cx, Broken::Match(m.match_id));
    }

    fn on_status(&mut self, cx: &MsgCtx, m: Status) {
        if let Some(books) = self.books.get_mut(usize::from(cx.channel)) {
            books.status(cx, &m);
        }
        self.end(cx);
    }

    fn on_directory(&mut self, cx: &MsgCtx, m: Directory) {
        if let Some(books) = self.books.get_mut(usize::from(cx.channel)) {
            books.directory(cx, &m);
        }
        self.end(cx);
    }

    fn on_imbalance(&mut self, cx: &MsgCtx, _: Imbalance) {
        self.end(cx);
    }

    fn on_statistic(&mut self, cx: &MsgCtx, _: Statistic) {
        self.end(cx);
    }

    fn on_gap(&mut self, cx: &MsgCtx, _: Gap) {
        self.end(cx);
    }

    fn on_end(&mut self, cx: &MsgCtx) {
        self.end(cx);
    }

    fn on_restart(&mut self, cx: &MsgCtx) {
        self.events += 1;
        if let Some(books) = self.books.get_mut(usize::from(cx.channel)) {
            books.restart();
            self.watch.restarted(books, cx);
        }
    }

    fn on_clear(&mut self, cx: &MsgCtx) {
        self.apply(cx, |books| books.clear(cx));
    }

    /// Native records say totals, best prices and trades; of single orders they lack the number.
    fn on_market_data(&mut self, cx: &MsgCtx, m: MarketData) {
        let (price, quantity) = (Price(m.price.get()), u64::from(m.quantity.get()));
        let quote = Quote { price, quantity };
        match Kind(m.kind) {
            Kind::LEVEL => {
                let level = LevelUpdate {
                    side: Side(m.side),
                    price,
                    quantity,
                    orders: None,
                };
                self.apply(cx, |books| books.level(cx, &level));
            }
            Kind::BID => self.apply(cx, |books| books.quote(cx, Side::BUY, quote)),
            Kind::OFFER => self.apply(cx, |books| books.quote(cx, Side::SELL, quote)),
            Kind::CLEAR if cx.instrument == NO_INSTRUMENT => self.on_restart(cx),
            Kind::CLEAR => self.apply(cx, |books| books.clear(cx)),
            Kind::TRADE | Kind::EXECUTE if !cx.flags.has(Flags::NON_PRINTABLE) => {
                let print = Print {
                    match_id: None,
                    quantity,
                    price,
                    order_id: None,
                    side: Side(m.side),
                    flags: Flags(cx.flags.0 & Flags::HIDDEN.with(Flags::CROSS).0),
                };
                self.print(cx, print);
                self.end(cx);
            }
            Kind::TRADE_BREAK => self.broken(cx, Broken::Quantity(quantity)),
            Kind::ADD
            | Kind::MODIFY
            | Kind::DELETE
            | Kind::CANCEL
            | Kind::REPLACE_OLD
            | Kind::REPLACE_NEW => {
                self.unnumbered += 1;
                self.end(cx);
            }
            _ => self.end(cx),
        }
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
