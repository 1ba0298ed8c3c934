//! Levels and orders.

use super::{Mdp3Decoder, long_quantity, quantity};
use crate::protocol::{Ahead, DecodeError};
use feed_common::event::{
    DeleteOrder, Flags, MarketHandler, MsgCtx, Price, RankedOrder, Side, SlotAction, SlotUpdate,
};
use feed_common::wire::mdp3::{
    BookEntry, BookLongEntry, Dimension, Entries, Message, NULL_I32, NULL_PRICE, NULL_U64,
    OrderBookEntry, OrderIdEntry, template,
};
use std::mem::offset_of;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

impl Mdp3Decoder {
    /// Levels, and the orders that refer to them.
    #[inline(always)]
    pub(super) fn levels<T: Level, H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let ends = self.begin(&message, cx)?;
        let mut groups = message.groups();
        let group = groups.next(Dimension::Three)?;
        let levels = group.entries::<T>()?;
        let along = groups.next(Dimension::Eight)?;
        let orders = along.entries::<OrderIdEntry>()?;
        let beyond = self.arrays.levels(&group, message.template_id());
        // Who sends orders along ends with the last of them.
        let last = match (ends, along.len()) {
            (true, 0) => group.len(),
            _ => 0,
        };
        for (i, level) in levels.enumerate() {
            self.level(level, i, i + 1 == last, beyond, cx, out);
        }
        if !along.is_empty() {
            let last = if ends { along.len() } else { 0 };
            // Made anew, so that those above need not be kept in memory for a call that most messages do without.
            self.orders_at(group.entries::<T>()?, orders, last, cx, out);
        }
        self.close(ends, cx, out);
        Ok(())
    }

    #[inline(always)]
    fn level<T: Level, H: MarketHandler>(
        &mut self,
        level: &T,
        entry: usize,
        last: bool,
        beyond: bool,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let place = self.place(level.security_id(), cx, out);
        let place = self.count(place, level.rpt_seq(), cx, out);
        let price = Price(self.arrays.price(entry));
        let Some(book) = Book::of(level.entry_type()) else {
            return self.without_book(level, last, cx, out);
        };
        let Some(action) = action(level.action()) else {
            self.oddities.entry_unknown += 1;
            return;
        };
        let update = SlotUpdate {
            implied: book.implied,
            side: book.side,
            action,
            level: level.level(),
            price,
            quantity: level.quantity(),
            orders: level.orders(),
        };
        let out_of_range = beyond && !price.is_some() && level.has_price();
        self.oddities.price_range += u64::from(out_of_range);
        let range = range(out_of_range);
        self.tell(place, last, range, cx, |cx| out.on_slot(cx, update));
    }

    /// An entry that is of neither side: the instrument's books are void, or nobody knows what it is.
    #[cold]
    fn without_book<T: Level, H: MarketHandler>(
        &mut self,
        level: &T,
        last: bool,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        match level.entry_type() {
            b'J' => {
                let place = self.place(level.security_id(), cx, out);
                let place = self.trust_empty(place);
                self.tell(place, last, Flags::NONE, cx, |cx| out.on_clear(cx));
            }
            _ => self.oddities.entry_unknown += 1,
        }
    }

    /// Orders of the second group: each says which entry of the first it belongs to. The `last`, counted from 1, ends what
    /// happened.
    fn orders_at<T: Level, H: MarketHandler>(
        &mut self,
        levels: Entries<'_, T>,
        orders: Entries<'_, OrderIdEntry>,
        last: usize,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        for (i, order) in (1..).zip(orders) {
            let entry = usize::from(order.reference_id).wrapping_sub(1);
            let level = levels.get(entry);
            let of = level.and_then(|level| Some((level, Book::of(level.entry_type())?)));
            let Some((level, Book { side, .. })) = of else {
                self.oddities.order_reference += 1;
                continue;
            };
            let place = self.place(level.security_id(), cx, out);
            let (place, last) = (self.has_orders(place), i == last);
            let order_id = order.order_id.get();
            let ranked = RankedOrder {
                order_id,
                side,
                price: Price(self.arrays.price(entry)),
                quantity: quantity(order.md_display_qty_optional.get()),
                rank: order.md_order_priority_optional.get(),
                enters: order.order_update_action == NEW,
            };
            match order.order_update_action {
                NEW | CHANGE => self.tell(place, last, Flags::NONE, cx, |cx| {
                    out.on_ranked(cx, ranked);
                }),
                DELETE => self.tell(place, last, Flags::NONE, cx, |cx| {
                    out.on_delete(cx, DeleteOrder { order_id });
                }),
                _ => self.oddities.entry_unknown += 1,
            }
        }
    }

    /// The first order of a message, and the instrument of its first entry. Other templates are read as if they were 46:
    /// in that of trades the first order is one that has traded, which the levels will come to.
    #[inline(always)]
    pub(super) fn look(&self, message: &[u8]) -> Option<Ahead> {
        let message = Message::parse(message).ok()?;
        let bytes = message.groups().rest();
        let [a, b, count, entries @ ..] = bytes else {
            return None;
        };
        let stride = usize::from(u16::from_le_bytes([*a, *b]));
        let alone = matches!(
            message.template_id(),
            template::ORDER_BOOK | template::ORDER_BOOK_7
        );
        let id_at = match alone {
            true => const { offset_of!(OrderBookEntry, security_id) },
            false => const { offset_of!(BookEntry, security_id) },
        };
        let order_at = match alone {
            true => 0,
            false => stride * usize::from(*count) + Dimension::Eight.size(),
        };
        let id = u32::from_le_bytes(*entries.get(id_at..)?.first_chunk()?);
        let order = entries
            .get(order_at..)
            .and_then(|bytes| bytes.first_chunk());
        let order_id = order.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Some(Ahead {
            instrument: self.known.of(id)?.instrument,
            order_id,
            new_id: order_id,
        })
    }

    /// Orders without levels.
    #[inline(always)]
    pub(super) fn orders<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let ends = self.begin(&message, cx)?;
        let group = message.groups().next(Dimension::Three)?;
        let orders = group.entries::<OrderBookEntry>()?;
        let price = offset_of!(OrderBookEntry, md_entry_px_optional_ex);
        let beyond = self.arrays.orders(&group, price, message.template_id());
        for (i, order) in orders.enumerate() {
            let last = ends && i + 1 == group.len();
            self.order(order, i, last, beyond, cx, out);
        }
        self.close(ends, cx, out);
        Ok(())
    }

    #[inline(always)]
    fn order<H: MarketHandler>(
        &mut self,
        order: &OrderBookEntry,
        entry: usize,
        last: bool,
        beyond: bool,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let order_id = order.order_id_optional.get();
        let book = Book::of(order.md_entry_type_book);
        let (Some(Book { side, .. }), true) = (book, order_id != NULL_U64) else {
            self.oddities.entry_unknown += 1;
            return;
        };
        let place = self.place(order.security_id.get(), cx, out);
        let place = self.has_orders(place);
        let price = Price(self.arrays.price(entry));
        let wire_price = order.md_entry_px_optional_ex.get();
        let out_of_range = beyond && !price.is_some() && is_price(wire_price);
        let ranked = RankedOrder {
            order_id,
            side,
            price,
            quantity: quantity(order.md_display_qty_optional.get()),
            rank: order.md_order_priority_optional.get(),
            enters: order.md_update_action == NEW,
        };
        match order.md_update_action {
            NEW | CHANGE => {
                self.oddities.price_range += u64::from(out_of_range);
                let range = range(out_of_range);
                self.tell(place, last, range, cx, |cx| out.on_ranked(cx, ranked));
            }
            DELETE => self.tell(place, last, Flags::NONE, cx, |cx| {
                out.on_delete(cx, DeleteOrder { order_id });
            }),
            _ => self.oddities.entry_unknown += 1,
        }
    }
}

/// `md_update_action` and `order_update_action`.
pub(super) const NEW: u8 = 0;
pub(super) const CHANGE: u8 = 1;
pub(super) const DELETE: u8 = 2;

#[inline(always)]
pub(super) fn action(wire: u8) -> Option<SlotAction> {
    Some(match wire {
        NEW => SlotAction::New,
        CHANGE => SlotAction::Change,
        DELETE => SlotAction::Delete,
        3 => SlotAction::DeleteThru,
        4 => SlotAction::DeleteFrom,
        5 => SlotAction::Overlay,
        _ => return None,
    })
}

/// One side of one of an instrument's two books.
#[derive(Clone, Copy)]
pub(super) struct Book {
    pub implied: bool,
    pub side: Side,
}

impl Book {
    #[inline(always)]
    pub fn of(entry_type: u8) -> Option<Book> {
        let (implied, side) = match entry_type {
            b'0' => (false, Side::BUY),
            b'1' => (false, Side::SELL),
            b'E' => (true, Side::BUY),
            b'F' => (true, Side::SELL),
            _ => return None,
        };
        Some(Book { implied, side })
    }
}

#[inline(always)]
fn is_price(wire: i64) -> bool {
    wire != NULL_PRICE
}

/// The mark of an event whose price left the range.
#[inline(always)]
fn range(out_of_range: bool) -> Flags {
    match out_of_range {
        true => Flags::PRICE_RANGE,
        false => Flags::NONE,
    }
}

/// An entry that says what becomes of a level; its price comes first.
pub(super) trait Level: FromBytes + KnownLayout + Immutable + Unaligned + Clone {
    fn security_id(&self) -> i32;
    fn price(&self) -> i64;
    fn rpt_seq(&self) -> u32;
    fn entry_type(&self) -> u8;
    fn action(&self) -> u8;
    fn level(&self) -> u8;
    fn has_price(&self) -> bool;
    fn quantity(&self) -> u64;
    fn orders(&self) -> Option<u32>;
}

macro_rules! level {
    ($entry:ty, $quantity:expr) => {
        const _: () = assert!(offset_of!($entry, md_entry_px_optional_ex) == 0);

        impl Level for $entry {
            #[inline(always)]
            fn security_id(&self) -> i32 {
                self.security_id.get()
            }

            fn price(&self) -> i64 {
                self.md_entry_px_optional_ex.get()
            }

            #[inline(always)]
            fn rpt_seq(&self) -> u32 {
                self.rpt_seq.get()
            }

            #[inline(always)]
            fn entry_type(&self) -> u8 {
                self.md_entry_type_book
            }

            #[inline(always)]
            fn action(&self) -> u8 {
                self.md_update_action
            }

            #[inline(always)]
            fn level(&self) -> u8 {
                self.md_price_level
            }

            #[inline(always)]
            fn has_price(&self) -> bool {
                is_price(self.md_entry_px_optional_ex.get())
            }

            #[inline(always)]
            fn quantity(&self) -> u64 {
                $quantity(self)
            }

            #[inline(always)]
            fn orders(&self) -> Option<u32> {
                match self.number_of_orders_optional.get() {
                    NULL_I32 => None,
                    n => u32::try_from(n).ok(),
                }
            }
        }
    };
}

level!(BookEntry, |entry: &BookEntry| quantity(
    entry.md_entry_size_short_optional.get()
));
level!(BookLongEntry, |entry: &BookLongEntry| long_quantity(
    entry.md_entry_size_optional.get()
));
