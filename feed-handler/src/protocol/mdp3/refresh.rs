//! Books made whole again by instrument: from the order of its own numbers, and from the exchange's loop of snapshots.
//!
//! After a loss every instrument is doubtful. The next RptSeq of one shows whether any of its entries were lost: when it
//! follows the last one held, the instrument is whole again. Orders are not counted by RptSeq: an instrument that has
//! them is late until its orders have been said anew.
//!
//! A snapshot says what an instrument was after the packet with a number, the channel having gone on since. So its books
//! are replaced by what it says, and then what has come behind that number is done to them again: levels or orders of
//! that instrument alone, nothing that was told and is no part of a book. All of that is told as `Recovering`, in an
//! event of the instrument alone, which the end of event says to be whole where it is. Levels (52, 69, 38) and orders (53,
//! 44, in chunks) have loops of their own; what says that orders begin empties the levels too, whose next turn follows.

use super::book::{Book, CHANGE, DELETE, Level, NEW, action};
use super::{Mdp3Decoder, long_quantity, quantity};
use crate::protocol::{DecodeError, Place};
use crate::subscribe::Standing;
use feed_common::event::{
    DeleteOrder, Flags, MarketHandler, MsgCtx, Price, RankedOrder, Side, SlotAction, SlotUpdate,
    Status, StatusKind, Trust,
};
use feed_common::time::UnixNanos;
use feed_common::wire::mdp3::{
    BookEntry, BookLongEntry, Dimension, EventRoot, Message, MessageError, NULL_I8, NULL_I32,
    NULL_PRICE, NULL_U8, OrderBookEntry, OrderIdEntry, SnapshotEntry, SnapshotLongEntry,
    SnapshotOrderEntry, SnapshotOrdersRoot, SnapshotRoot, price_unit, template,
};

/// What is known of an instrument beside its numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// Orders have been told of it.
    pub by_order: bool,
    /// Where it is not whole: its levels are all the same.
    pub levels: bool,
    /// So are its orders; or it is known to have none.
    pub orders: bool,
    /// It was in the loop of levels, or in that of orders, since that began.
    seen: [bool; 2],
    /// The chunk of its orders that comes next, if that is not the first, and the packet that they are as of.
    chunk: u32,
    as_of: u32,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub whole: u64,
    pub part: u64,
    pub ahead: u64,
    pub stale: u64,
    pub chunk: u64,
}

/// The levels of a side of a book.
const SIDES: [(bool, Side); 4] = [
    (false, Side::BUY),
    (false, Side::SELL),
    (true, Side::BUY),
    (true, Side::SELL),
];

impl Mdp3Decoder {
    /// An entry whose RptSeq does not follow, or that decides about an instrument. How the instrument stands then.
    #[cold]
    #[inline(never)]
    pub(super) fn recount<H: MarketHandler>(
        &mut self,
        place: Place,
        counted: u32,
        rpt_seq: u32,
        cx: &MsgCtx,
        out: &mut H,
    ) -> Place {
        let jumps = counted != 0 && rpt_seq > counted.saturating_add(1);
        self.oddities.rpt_seq_gap += u64::from(jumps);
        match place.standing {
            Standing::Doubtful if rpt_seq == counted.wrapping_add(1) => {
                self.known.stand(place.instrument, Standing::Wanted);
            }
            Standing::Doubtful => self.known.stand(place.instrument, Standing::Late),
            Standing::Wanted if jumps => {
                self.known.stand(place.instrument, Standing::Late);
                // What it did before in an open event was right, and what follows is not to pass for that.
                self.conclude(place, Trust::RECOVERING, cx, out);
            }
            _ => {}
        }
        if jumps {
            self.held[place.instrument as usize].void();
            // Its entries may have been in this very packet.
            self.whole_from = self.whole_from.max(cx.sequence.saturating_add(1));
        }
        self.known.at(place.instrument)
    }

    /// The first order of an instrument. Where nobody knows that it had none, there may be others.
    #[cold]
    #[inline(never)]
    pub(super) fn first_order(&mut self, place: Place) -> Place {
        let held = &mut self.held[place.instrument as usize];
        held.by_order = true;
        if self.known.is_doubtful() && !held.orders && place.standing.is_delivered() {
            self.known.stand(place.instrument, Standing::Late);
        }
        self.known.at(place.instrument)
    }

    /// Packets before `next` are lost.
    pub(super) fn doubt_all(&mut self, next: u64) {
        self.known.doubt();
        self.whole_from = next;
        self.looped = false;
        for (instrument, held) in (0..self.known.instruments().len() as u32).zip(&mut self.held) {
            held.void();
            if held.by_order && self.known.at(instrument).standing == Standing::Doubtful {
                self.known.stand(instrument, Standing::Late);
            }
        }
    }

    /// All books are empty, and known to be.
    pub(super) fn trust_all(&mut self) {
        self.known.resume();
        let seen = self.known.instruments().len().min(self.held.len());
        self.held[..seen].fill(Held::default());
        self.whole_from = 0;
        self.looped = false;
    }

    /// An instrument's books are empty, and known to be.
    pub(super) fn trust_empty(&mut self, place: Place) -> Place {
        if place.standing.has_missed()
            && let Some(held) = self.held.get_mut(place.instrument as usize)
        {
            (held.levels, held.orders) = (false, !held.by_order);
            self.known.stand(place.instrument, Standing::Wanted);
            return self.known.at(place.instrument);
        }
        place
    }

    pub(super) fn loop_begins(&mut self, orders: bool) {
        let known = self.known.instruments().len();
        for held in self.held.iter_mut().take(known) {
            held.seen[usize::from(orders)] = false;
        }
    }

    /// A whole loop has been seen, whose first message is as of the packet `as_of`: what was not in it was empty then.
    pub(super) fn loop_ends<H: MarketHandler>(
        &mut self,
        orders: bool,
        as_of: u64,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        if as_of >= cx.sequence || as_of.saturating_add(1) < self.whole_from {
            return;
        }
        self.looped |= !orders;
        for instrument in 0..self.known.instruments().len() as u32 {
            let place = self.known.at(instrument);
            let Some(held) = self.held.get_mut(instrument as usize) else {
                return;
            };
            let absent = !held.seen[usize::from(orders)] && !held.by_order;
            match (orders, place.standing) {
                _ if !absent => {}
                (true, _) => {
                    held.orders = true;
                    if held.levels && place.standing == Standing::Late {
                        self.restore(place, cx, out);
                    }
                }
                // Of one that is late something has been heard since.
                (false, Standing::Doubtful) if held.orders || !self.expects_orders => {
                    self.counted[instrument as usize] = 0;
                    cx.flags = Flags::OF_INSTRUMENT;
                    self.known.deliver(place, cx, |cx| out.on_clear(cx));
                    self.restore(place, cx, out);
                }
                (false, _) => {}
            }
        }
    }

    /// Takes a message of a loop. `since` are the messages that have been delivered behind the packet it is as of, if
    /// all of them are still there; the context is as of the next packet.
    pub(super) fn take_snapshot<'m, H: MarketHandler>(
        &mut self,
        message: &[u8],
        since: Option<impl Iterator<Item = &'m [u8]>>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        use template::*;
        let message = Message::parse(message)?;
        let orders = match message.template_id() {
            SNAPSHOT | SNAPSHOT_7 | SNAPSHOT_LONG => false,
            SNAPSHOT_ORDERS | SNAPSHOT_ORDERS_7 => true,
            _ => return Err(DecodeError::UnknownType),
        };
        let head = Head::of(&message).ok_or(MessageError::Block)?;
        let known = self.known.of(head.security_id as u32);
        if known.is_none() && !self.known.is_doubtful() {
            return Ok(()); // nothing has been missed of what it will be
        }
        cx.trust = Trust::RECOVERING;
        // An event of the feed may be open: it is none of the snapshot's business.
        let open = self.open;
        let place = self.place(head.security_id, cx, out);
        self.open = open;
        let Some(held) = self.held.get_mut(place.instrument as usize) else {
            return Ok(()); // no room for it, nor for its book
        };
        held.seen[usize::from(orders)] = true;
        let has = if orders { held.orders } else { held.levels };
        if !place.standing.has_missed() || has {
            return Ok(());
        }
        let as_of = u64::from(head.as_of);
        if as_of >= cx.sequence {
            self.tally.ahead += 1;
            return Ok(());
        }
        if as_of + 1 < self.whole_from {
            self.tally.stale += 1;
            return Ok(());
        }
        cx.flags = Flags::OF_INSTRUMENT;
        match orders {
            true => self.take_orders(message, place, since, cx, out),
            false => self.take_levels(message, place, since, cx, out),
        }
    }

    fn take_levels<'m, H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        place: Place,
        since: Option<impl Iterator<Item = &'m [u8]>>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let root: &SnapshotRoot = message.root().ok_or(MessageError::Block)?;
        let rpt_seq = root.rpt_seq.get();
        let counted = self.counted[place.instrument as usize];
        cx.timestamp = UnixNanos(root.transact_time.get());
        if place.standing == Standing::Doubtful && rpt_seq == counted {
            self.restore(place, cx, out); // it is what it was
            return Ok(());
        }
        let group = message.groups().next(Dimension::Three)?;
        let long = message.template_id() == template::SNAPSHOT_LONG;
        // All that can be wrong with it is, before anything is done.
        if long {
            group.entries::<SnapshotLongEntry>()?;
        } else {
            group.entries::<SnapshotEntry>()?;
        }
        let Some(since) = since else {
            self.tally.stale += 1;
            return Ok(());
        };
        match self.held[place.instrument as usize].by_order {
            false => self.about(place, cx, |cx| out.on_clear(cx)),
            true => self.no_levels(place, cx, out),
        }
        let status = root.md_security_trading_status;
        if status != NULL_U8 {
            let status = Status {
                what: StatusKind::TRADING,
                value: status,
                detail: [0; 4],
                price: Price::NULL,
                continuous: super::continuous(status),
            };
            self.about(place, cx, |cx| out.on_status(cx, status));
        }
        let mut tell = |entry: Snapshotted| {
            if let Some(update) = entry.update(message.template_id()) {
                self.about(place, cx, |cx| out.on_slot(cx, update));
            }
        };
        match long {
            true => group.entries()?.for_each(|e| tell(Snapshotted::long(e))),
            false => group.entries()?.for_each(|e| tell(Snapshotted::short(e))),
        }
        let id = root.security_id.get();
        let mut reset = false;
        for message in since.filter_map(|m| Message::parse(m).ok()) {
            reset |= self
                .levels_again(&message, id, place, cx, out)
                .is_ok_and(|r| r);
        }
        let counted = &mut self.counted[place.instrument as usize];
        if !reset {
            *counted = rpt_seq.max(*counted);
        }
        self.held[place.instrument as usize].levels = true;
        self.weigh(place, cx, out);
        Ok(())
    }

    fn take_orders<'m, H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        place: Place,
        since: Option<impl Iterator<Item = &'m [u8]>>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let root: &SnapshotOrdersRoot = message.root().ok_or(MessageError::Block)?;
        let (chunk, chunks) = (root.current_chunk.get(), root.no_chunks.get());
        let as_of = root.last_msg_seq_num_processed.get();
        let group = message.groups().next(Dimension::Three)?;
        let orders = group.entries::<SnapshotOrderEntry>()?;
        let held = &mut self.held[place.instrument as usize];
        let follows = chunk == 1 || (chunk, as_of) == (held.chunk, held.as_of);
        if !follows || chunk == 0 || chunk > chunks {
            held.chunk = 0;
            self.tally.chunk += 1;
            return Ok(());
        }
        let Some(since) = since else {
            held.chunk = 0;
            self.tally.stale += 1;
            return Ok(());
        };
        (held.chunk, held.as_of) = (chunk.saturating_add(1), as_of);
        held.by_order = true;
        cx.timestamp = UnixNanos(root.transact_time.get());
        if chunk == 1 {
            held.levels = false;
            self.known.stand(place.instrument, Standing::Late);
            self.about(place, cx, |cx| out.on_clear(cx));
        }
        for order in orders {
            let price = scaled(message.template_id(), order.md_entry_px_ex.get());
            if let (Some(Book { side, .. }), true) =
                (Book::of(order.md_entry_type_book), price.is_some())
            {
                let ranked = RankedOrder {
                    order_id: order.order_id.get(),
                    side,
                    price,
                    quantity: quantity(order.md_display_qty.get()),
                    rank: order.md_order_priority.get(),
                    enters: true,
                };
                self.about(place, cx, |cx| out.on_ranked(cx, ranked));
            }
        }
        if chunk < chunks {
            self.conclude(place, Trust::RECOVERING, cx, out);
            return Ok(());
        }
        let id = root.security_id.get();
        for message in since.filter_map(|m| Message::parse(m).ok()) {
            // What could not be read then is not there now either.
            let _ = self.orders_again(&message, id, place, cx, out);
        }
        let held = &mut self.held[place.instrument as usize];
        (held.chunk, held.orders) = (0, true);
        self.weigh(place, cx, out);
        Ok(())
    }

    /// A part of an instrument has been said anew: ends that, and says whether it is whole now.
    fn weigh<H: MarketHandler>(&mut self, place: Place, cx: &MsgCtx, out: &mut H) {
        let held = self.held[place.instrument as usize];
        let orders = held.orders || !(held.by_order || self.expects_orders);
        if held.levels && orders {
            return self.restore(place, cx, out);
        }
        self.known.stand(place.instrument, Standing::Late);
        self.tally.part += 1;
        self.conclude(place, Trust::RECOVERING, cx, out);
    }

    fn restore<H: MarketHandler>(&mut self, place: Place, cx: &MsgCtx, out: &mut H) {
        let held = &mut self.held[place.instrument as usize];
        // That it has no orders stays known; the rest is of use only while something is missing.
        (held.levels, held.orders) = (false, held.orders && !held.by_order);
        self.known.stand(place.instrument, Standing::Wanted);
        self.tally.whole += 1;
        self.conclude(place, Trust::VALID, cx, out);
    }

    /// Ends what is open of an instrument, and says how far it is to be trusted.
    fn conclude<H: MarketHandler>(&mut self, place: Place, trust: Trust, cx: &MsgCtx, out: &mut H) {
        out.on_end(&MsgCtx {
            instrument: place.instrument,
            symbol: place.symbol,
            flags: Flags::END_OF_EVENT.with(Flags::OF_INSTRUMENT),
            trust,
            ..*cx
        });
    }

    /// Tells of an instrument that is not whole.
    fn about(&mut self, place: Place, cx: &mut MsgCtx, tell: impl FnOnce(&MsgCtx)) {
        cx.instrument = place.instrument;
        cx.symbol = place.symbol;
        tell(cx);
    }

    fn no_levels<H: MarketHandler>(&mut self, place: Place, cx: &mut MsgCtx, out: &mut H) {
        for (implied, side) in SIDES {
            let gone = SlotUpdate {
                implied,
                side,
                action: SlotAction::DeleteFrom,
                level: 1,
                price: Price::NULL,
                quantity: 0,
                orders: None,
            };
            self.about(place, cx, |cx| out.on_slot(cx, gone));
        }
    }

    /// What a message does to the levels of an instrument, done again. True when its numbers began anew.
    fn levels_again<H: MarketHandler>(
        &mut self,
        message: &Message<'_>,
        id: i32,
        place: Place,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<bool, DecodeError> {
        use template::*;
        match message.template_id() {
            BOOK | BOOK_7 => self.entries_again::<BookEntry, H>(message, id, place, cx, out)?,
            BOOK_LONG => self.entries_again::<BookLongEntry, H>(message, id, place, cx, out)?,
            CHANNEL_RESET => {
                self.no_levels(place, cx, out);
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    fn entries_again<T: Level, H: MarketHandler>(
        &mut self,
        message: &Message<'_>,
        id: i32,
        place: Place,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let group = message.groups().next(Dimension::Three)?;
        for level in group.entries::<T>()?.filter(|l| l.security_id() == id) {
            cx.timestamp = time(message, cx);
            let book = Book::of(level.entry_type());
            if let (Some(Book { implied, side }), Some(action)) = (book, action(level.action())) {
                let update = SlotUpdate {
                    implied,
                    side,
                    action,
                    level: level.level(),
                    price: scaled(message.template_id(), level.price()),
                    quantity: level.quantity(),
                    orders: level.orders(),
                };
                self.about(place, cx, |cx| out.on_slot(cx, update));
            } else if level.entry_type() == b'J' {
                self.no_levels(place, cx, out);
            }
        }
        Ok(())
    }

    /// What a message does to the orders of an instrument, done again.
    fn orders_again<H: MarketHandler>(
        &mut self,
        message: &Message<'_>,
        id: i32,
        place: Place,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        use template::*;
        match message.template_id() {
            BOOK | BOOK_7 => self.along_again::<BookEntry, H>(message, id, place, cx, out),
            BOOK_LONG => self.along_again::<BookLongEntry, H>(message, id, place, cx, out),
            ORDER_BOOK | ORDER_BOOK_7 => {
                let group = message.groups().next(Dimension::Three)?;
                let orders = group.entries::<OrderBookEntry>()?;
                for order in orders.filter(|order| order.security_id.get() == id) {
                    let wire = order.md_entry_px_optional_ex.get();
                    let done = Done {
                        order_id: order.order_id_optional.get(),
                        entry_type: order.md_entry_type_book,
                        price: scaled(message.template_id(), wire),
                        quantity: quantity(order.md_display_qty_optional.get()),
                        rank: order.md_order_priority_optional.get(),
                        action: order.md_update_action,
                    };
                    cx.timestamp = time(message, cx);
                    self.order_again(&done, place, cx, out);
                }
                Ok(())
            }
            CHANNEL_RESET => {
                self.about(place, cx, |cx| out.on_clear(cx));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn along_again<T: Level, H: MarketHandler>(
        &mut self,
        message: &Message<'_>,
        id: i32,
        place: Place,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let mut groups = message.groups();
        let levels = groups.next(Dimension::Three)?.entries::<T>()?;
        let orders = groups.next(Dimension::Eight)?.entries::<OrderIdEntry>()?;
        cx.timestamp = time(message, cx);
        for level in levels.clone().filter(|l| l.security_id() == id) {
            if level.entry_type() == b'J' {
                self.about(place, cx, |cx| out.on_clear(cx));
            }
        }
        for order in orders {
            let level = levels.get(usize::from(order.reference_id).wrapping_sub(1));
            if let Some(level) = level.filter(|level| level.security_id() == id) {
                let done = Done {
                    order_id: order.order_id.get(),
                    entry_type: level.entry_type(),
                    price: scaled(message.template_id(), level.price()),
                    quantity: quantity(order.md_display_qty_optional.get()),
                    rank: order.md_order_priority_optional.get(),
                    action: order.order_update_action,
                };
                self.order_again(&done, place, cx, out);
            }
        }
        Ok(())
    }

    fn order_again<H: MarketHandler>(
        &mut self,
        done: &Done,
        place: Place,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let order_id = done.order_id;
        let Some(Book { side, .. }) = Book::of(done.entry_type) else {
            return;
        };
        match done.action {
            NEW | CHANGE => {
                let ranked = RankedOrder {
                    order_id,
                    side,
                    price: done.price,
                    quantity: done.quantity,
                    rank: done.rank,
                    enters: done.action == NEW,
                };
                self.about(place, cx, |cx| out.on_ranked(cx, ranked));
            }
            DELETE => self.about(place, cx, |cx| out.on_delete(cx, DeleteOrder { order_id })),
            _ => {}
        }
    }
}

impl Held {
    /// What was known to be whole is not any more.
    fn void(&mut self) {
        (self.levels, self.orders, self.chunk) = (false, false, 0);
    }
}

/// What the snapshots of levels and of orders begin with alike.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// The packet that it is as of.
    pub as_of: u32,
    security_id: i32,
}

impl Head {
    pub fn of(message: &Message<'_>) -> Option<Head> {
        use template::*;
        match message.template_id() {
            SNAPSHOT | SNAPSHOT_7 | SNAPSHOT_LONG => {
                let root: &SnapshotRoot = message.root()?;
                Some(Head {
                    as_of: root.last_msg_seq_num_processed.get(),
                    security_id: root.security_id.get(),
                })
            }
            SNAPSHOT_ORDERS | SNAPSHOT_ORDERS_7 => {
                let root: &SnapshotOrdersRoot = message.root()?;
                Some(Head {
                    as_of: root.last_msg_seq_num_processed.get(),
                    security_id: root.security_id.get(),
                })
            }
            _ => None,
        }
    }
}

/// An entry of a snapshot of levels, or a figure, which is none of them.
struct Snapshotted {
    price: i64,
    quantity: u64,
    orders: i32,
    level: Option<u8>,
    entry_type: u8,
}

impl Snapshotted {
    fn short(entry: &SnapshotEntry) -> Snapshotted {
        let level = entry.md_price_level_optional;
        Snapshotted {
            price: entry.md_entry_px_optional_ex.get(),
            quantity: quantity(entry.md_entry_size_short_optional.get()),
            orders: entry.number_of_orders_optional.get(),
            level: (level != NULL_I8)
                .then_some(level)
                .and_then(|l| l.try_into().ok()),
            entry_type: entry.md_entry_type,
        }
    }

    fn long(entry: &SnapshotLongEntry) -> Snapshotted {
        let level = entry.md_price_level_unsigned_optional;
        Snapshotted {
            price: entry.md_entry_px_optional_ex.get(),
            quantity: long_quantity(entry.md_entry_size_optional.get()),
            orders: entry.number_of_orders_optional.get(),
            level: (level != NULL_U8).then_some(level),
            entry_type: entry.md_entry_type,
        }
    }

    fn update(&self, template_id: u16) -> Option<SlotUpdate> {
        let Book { implied, side } = Book::of(self.entry_type)?;
        Some(SlotUpdate {
            implied,
            side,
            action: SlotAction::Overlay,
            level: self.level?,
            price: scaled(template_id, self.price),
            quantity: self.quantity,
            orders: match self.orders {
                NULL_I32 => None,
                n => u32::try_from(n).ok(),
            },
        })
    }
}

/// What was done to an order.
struct Done {
    order_id: u64,
    entry_type: u8,
    price: Price,
    quantity: u64,
    rank: u64,
    action: u8,
}

/// A price in units of 1e-9; null also where it leaves the range, which was counted when it first came.
fn scaled(template_id: u16, wire: i64) -> Price {
    match wire.checked_mul(price_unit(template_id)) {
        Some(price) if wire != NULL_PRICE => Price(price),
        _ => Price::NULL,
    }
}

/// When what a message tells happened.
fn time(message: &Message<'_>, cx: &MsgCtx) -> UnixNanos {
    let root = message.root::<EventRoot>();
    root.map_or(cx.timestamp, |root| UnixNanos(root.transact_time.get()))
}
