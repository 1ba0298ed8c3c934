//! Events to books and records: what is published says how far its instrument can be believed, and the best prices
//! follow when they have changed.

use super::due::Due;
use super::fields::Fields;
use super::records::{Mark, Records};
use super::{Digest, Outlet, Publish, UnitPrint, ahead};
use crate::book::{self, BookError, BookLimits, Books, Change, Faults, Level, Quote, View};
use crate::protocol::Ahead;
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, Gap, Imbalance, Kind,
    LevelUpdate, MarketData, MarketHandler, ModifyOrder, MsgCtx, NO_INSTRUMENT, Price, QuoteUpdate,
    RankedOrder, ReplaceOrder, Side, SlotUpdate, Statistic, Status, Trade, TradeBreak, Trust,
};
use feed_common::record::{SensorReading, TimeSeriesPoint};
use std::ops::Range;

/// Keeps the books of a lane's channels and publishes what [`Records`] would, with two differences: records of an
/// instrument whose book is suspect say so, and an event that changed the best bid or offer ends with both, as a
/// [`Kind::BID`] and a [`Kind::OFFER`] of the same message: price null and quantity 0 where a side is empty. Best prices
/// are judged when their event ends, and not repeated when they came from the feed as such.
#[derive(Debug)]
pub struct Booked<K> {
    records: Records<K>,
    /// Of the channels from `first` on.
    channels: Box<[Channel]>,
    first: u16,
    publish_bbo: bool,
}

/// The books of one channel.
#[derive(Debug)]
struct Channel {
    books: Books,
    due: Due,
    bbo_changes: u64,
}

/// What a channel's books came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTotals {
    /// Over everything in them.
    pub digest: Digest,
    /// Orders in them.
    pub live_orders: u64,
    /// Price levels in them.
    pub levels: u64,
    /// Instruments that had an event.
    pub instruments: u64,
    /// Events that left a best bid or offer other than it was, by instrument.
    pub bbo_changes: u64,
    /// What could not be.
    pub faults: Faults,
}

impl<K: Publish> Booked<K> {
    /// Books of that much room for each of a lane's channels, which are numbered through; `publish_bbo` says whether
    /// changes of best prices are published.
    pub fn new(
        records: Records<K>,
        channels: Range<u16>,
        limits: &BookLimits,
        publish_bbo: bool,
    ) -> Result<Booked<K>, BookError> {
        let first = channels.start;
        let channel = |_| {
            Ok(Channel {
                books: Books::new(limits)?,
                due: Due::with_room(limits.instruments),
                bbo_changes: 0,
            })
        };
        Ok(Booked {
            records,
            channels: channels.map(channel).collect::<Result<_, BookError>>()?,
            first,
            publish_bbo,
        })
    }

    /// Where the records go.
    pub fn sink(&self) -> &K {
        self.records.sink()
    }

    /// Where the records went.
    pub fn into_sink(self) -> K {
        self.records.into_sink()
    }

    /// The books of a channel; `None` for those of other lanes.
    pub fn channel(&self, channel: u16) -> Option<&Books> {
        self.channels.get(self.index(channel)).map(|c| &c.books)
    }

    /// Channels before the first come out beyond the last.
    #[inline(always)]
    fn index(&self, channel: u16) -> usize {
        usize::from(channel.wrapping_sub(self.first))
    }

    /// Takes an event: what it does to the books, then the records that say it, marked as the books stand after it, then
    /// the best prices that are due.
    #[inline(always)]
    fn take(
        &mut self,
        cx: &MsgCtx,
        announce: bool,
        apply: impl FnOnce(&mut Books) -> Change,
        say: impl FnOnce(&mut Records<K>, Mark),
    ) {
        let announce = announce && self.publish_bbo;
        let at = self.index(cx.channel);
        let channel = &mut self.channels[at];
        // The way of feeds whose every message is an event.
        let ends = cx.flags.has(Flags::END_OF_EVENT);
        let alone = ends && channel.due.is_empty();
        if !alone && !channel.due.has_just_noted(cx.instrument) {
            channel.note(cx, announce);
        }
        let change = apply(&mut channel.books);
        let (follows, suspect) = if alone {
            channel.bbo_changes += u64::from(change.bbo);
            (change.bbo && announce, change.suspect)
        } else if ends {
            channel.settle(cx)
        } else {
            (false, change.suspect)
        };
        let mark = Mark {
            trust: trust(cx, suspect),
            flags: cx.flags,
        };
        say(&mut self.records, if follows { mark.open() } else { mark });
        if follows {
            self.best(cx, mark);
        }
    }

    /// Publishes the best prices that are due: of the instruments an event of several messages has touched, else of the
    /// one at hand. The last pair ends the event.
    #[inline(never)]
    fn best(&mut self, cx: &MsgCtx, mark: Mark) {
        let at = self.index(cx.channel);
        let Channel { books, due, .. } = &mut self.channels[at];
        let Some((last, others)) = due.settled().split_last() else {
            return self.records.best(cx, mark, books.bbo(cx.instrument));
        };
        for touched in others.iter().chain([last]) {
            let more = !std::ptr::eq(touched, last);
            // What the context says is of its own instrument, and of the channel.
            let said = match touched.instrument == cx.instrument {
                true => cx.trust,
                false => Trust(touched.trust.0.max(cx.trust.0)),
            };
            let cx = MsgCtx {
                instrument: touched.instrument,
                symbol: touched.symbol,
                trust: said,
                ..*cx
            };
            let mark = Mark {
                trust: trust(&cx, books.is_suspect(cx.instrument)),
                ..mark
            };
            let mark = if more { mark.open() } else { mark };
            self.records.best(&cx, mark, books.bbo(cx.instrument));
        }
        due.said();
    }

    /// An event that says nothing about a book.
    #[inline(always)]
    fn pass(&mut self, cx: &MsgCtx, fields: Fields) {
        self.take(
            cx,
            true,
            |books| unchanged(books, cx),
            |records, mark| records.emit(cx, mark, fields),
        );
    }
}

impl Channel {
    #[inline(never)]
    fn note(&mut self, cx: &MsgCtx, announce: bool) {
        self.due.note(cx, self.books.bbo(cx.instrument), announce);
    }

    /// Ends the event: whether there are best prices to be published, and whether the instrument at
    /// hand is suspect then.
    #[inline(never)]
    fn settle(&mut self, cx: &MsgCtx) -> (bool, bool) {
        let follows = self.end_event(cx);
        (follows, self.books.is_suspect(cx.instrument))
    }

    fn end_event(&mut self, cx: &MsgCtx) -> bool {
        let Channel {
            books,
            due,
            bbo_changes,
        } = self;
        books.end_event(cx);
        due.settle(
            cx,
            |instrument| books.bbo(instrument),
            |touched| {
                *bbo_changes += 1;
                touched.announce
            },
        );
        !due.settled().is_empty()
    }

    fn totals(&self) -> BookTotals {
        let instruments = self.books.instruments();
        let mut levels = 0;
        for &(instrument, _) in &instruments {
            for side in [Side::BUY, Side::SELL] {
                let mut count = |_, _| levels += 1;
                self.books.levels(instrument, side, &mut count);
            }
        }
        BookTotals {
            digest: book::digest(&self.books),
            live_orders: self.books.live_orders() as u64,
            levels,
            instruments: instruments.len() as u64,
            bbo_changes: self.bbo_changes,
            faults: *self.books.faults(),
        }
    }
}

/// The worse of what is known of the channel and of the book.
#[inline(always)]
fn trust(cx: &MsgCtx, suspect: bool) -> Trust {
    if suspect { Trust::SUSPECT } else { cx.trust }
}

/// The change that is none.
#[inline(always)]
fn unchanged(books: &Books, cx: &MsgCtx) -> Change {
    Change {
        bbo: false,
        suspect: books.is_suspect(cx.instrument),
    }
}

impl<K: Publish> Outlet for Booked<K> {
    #[inline]
    fn flush(&mut self) {
        self.records.flush();
    }

    #[inline]
    fn prepare(&mut self) {
        self.records.prepare();
    }

    #[inline]
    fn published(&self) -> u64 {
        self.records.published()
    }

    fn digest(&self, channel: u16) -> Digest {
        self.records.digest(channel)
    }

    fn prints(&self, channel: u16) -> Vec<UnitPrint> {
        self.records.prints(channel)
    }

    fn top(
        &self,
        channel: u16,
        instrument: u32,
        side: Side,
        n: usize,
        visit: &mut dyn FnMut(u32, Level),
    ) {
        if let Some(books) = self.channel(channel) {
            books.top(instrument, side, n, visit);
        }
    }

    const LOOKS_AHEAD: bool = true;

    #[inline(always)]
    fn fetch(&self, channel: u16, ahead: Ahead) {
        ahead::fetch(&self.channels[self.index(channel)].books, ahead);
    }

    #[inline(always)]
    fn fetch_behind(&self, channel: u16, ahead: Ahead) {
        ahead::fetch_behind(&self.channels[self.index(channel)].books, ahead);
    }

    fn books(&self, channel: u16) -> Option<BookTotals> {
        self.channels.get(self.index(channel)).map(Channel::totals)
    }
}

impl<K: Publish> MarketHandler for Booked<K> {
    #[inline(always)]
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.take(
            cx,
            true,
            |books| books.add(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    #[inline(always)]
    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.take(
            cx,
            true,
            |books| books.execute(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    #[inline(always)]
    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.take(
            cx,
            true,
            |books| books.cancel(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    #[inline(always)]
    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        self.take(
            cx,
            true,
            |books| books.delete(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    #[inline(always)]
    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        self.take(
            cx,
            true,
            |books| books.replace(cx, &m),
            |records, mark| records.replace(cx, mark, m),
        );
    }

    #[inline(always)]
    fn on_modify(&mut self, cx: &MsgCtx, m: ModifyOrder) {
        self.take(
            cx,
            true,
            |books| books.modify(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    #[inline]
    fn on_ranked(&mut self, cx: &MsgCtx, m: RankedOrder) {
        self.take(
            cx,
            true,
            |books| books.ranked(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    #[inline]
    fn on_level(&mut self, cx: &MsgCtx, m: LevelUpdate) {
        self.take(
            cx,
            true,
            |books| books.level(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    #[inline]
    fn on_slot(&mut self, cx: &MsgCtx, m: SlotUpdate) {
        self.take(
            cx,
            true,
            |books| books.slot(cx, &m),
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    /// They are the feed's own best prices.
    #[inline]
    fn on_quote(&mut self, cx: &MsgCtx, m: QuoteUpdate) {
        self.take(
            cx,
            false,
            |books| books.quotes(cx, &m),
            |records, mark| records.quote(cx, mark, m),
        );
    }

    /// A cross ends the instrument's auction.
    #[inline]
    fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
        self.take(
            cx,
            true,
            |books| {
                if m.flags.has(Flags::CROSS) {
                    books.cross(cx);
                }
                unchanged(books, cx)
            },
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    fn on_status(&mut self, cx: &MsgCtx, m: Status) {
        self.take(
            cx,
            true,
            |books| {
                books.status(cx, &m);
                unchanged(books, cx)
            },
            |records, mark| records.emit(cx, mark, m.into()),
        );
    }

    fn on_trade_break(&mut self, cx: &MsgCtx, m: TradeBreak) {
        self.pass(cx, m.into());
    }

    fn on_imbalance(&mut self, cx: &MsgCtx, m: Imbalance) {
        self.pass(cx, m.into());
    }

    fn on_directory(&mut self, cx: &MsgCtx, m: Directory) {
        self.take(
            cx,
            true,
            |books| {
                books.directory(cx, &m);
                unchanged(books, cx)
            },
            |records, mark| records.directory(cx, mark, m),
        );
    }

    fn on_statistic(&mut self, cx: &MsgCtx, m: Statistic) {
        self.pass(cx, m.into());
    }

    fn on_gap(&mut self, cx: &MsgCtx, m: Gap) {
        self.pass(cx, m.into());
    }

    fn on_trust(&mut self, cx: &MsgCtx) {
        self.records.on_trust(cx);
    }

    /// What an event had not ended with will not come.
    fn on_restart(&mut self, cx: &MsgCtx) {
        let at = self.index(cx.channel);
        let channel = &mut self.channels[at];
        channel.books.restart();
        channel.due.clear();
        self.records.on_restart(cx);
    }

    /// Best prices there were are gone, and are said to be.
    fn on_clear(&mut self, cx: &MsgCtx) {
        self.take(
            cx,
            true,
            |books| books.clear(cx),
            |records, mark| records.emit(cx, mark, Fields::of(Kind::CLEAR)),
        );
    }

    /// Nothing else is published of the message, if best prices end the event.
    fn on_end(&mut self, cx: &MsgCtx) {
        let at = self.index(cx.channel);
        let mark = Mark {
            trust: cx.trust,
            flags: cx.flags,
        };
        match self.channels[at].end_event(cx) {
            true => self.best(cx, mark),
            false => self.records.on_end(cx),
        }
    }

    #[inline]
    fn on_market_data(&mut self, cx: &MsgCtx, m: MarketData) {
        let (price, quantity) = (Price(m.price.get()), u64::from(m.quantity.get()));
        let quote = Quote { price, quantity };
        let kind = Kind(m.kind);
        let apply = |books: &mut Books| match kind {
            Kind::LEVEL => books.level(
                cx,
                &LevelUpdate {
                    side: Side(m.side),
                    price,
                    quantity,
                    orders: None,
                },
            ),
            Kind::BID => books.quote(cx, Side::BUY, quote),
            Kind::OFFER => books.quote(cx, Side::SELL, quote),
            Kind::CLEAR if cx.instrument == NO_INSTRUMENT => {
                books.restart();
                Change::default()
            }
            Kind::CLEAR => books.clear(cx),
            _ => unchanged(books, cx),
        };
        let announce = !matches!(kind, Kind::BID | Kind::OFFER);
        self.take(cx, announce, apply, |records, mark| {
            records.data(cx, mark, m, 0)
        });
    }

    /// It has no part in any book, and ends nothing that is open there.
    fn on_sensor(&mut self, cx: &MsgCtx, m: SensorReading) {
        self.records.on_sensor(cx, m);
    }

    fn on_point(&mut self, cx: &MsgCtx, m: TimeSeriesPoint) {
        self.records.on_point(cx, m);
    }
}

#[cfg(test)]
#[path = "booked_tests.rs"]
mod tests;
