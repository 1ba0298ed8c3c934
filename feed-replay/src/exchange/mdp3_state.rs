//! What CME's snapshot feeds repeat: the state of every instrument of a channel after any of its packets.
//!
//! Levels are kept as they are numbered, orders by their number. An entry counts an instrument's RptSeq whatever its
//! template: which have one the tables say.

use feed_common::wire::mdp3::{
    BlockView, BookEntry, BookLongEntry, Dimension, Message, MessageBuilder, NULL_DATE, NULL_I8,
    NULL_I32, NULL_PRICE, NULL_U8, NULL_U64, OrderBookEntry, OrderIdEntry, SecurityStatusRoot,
    SnapshotEntry, SnapshotLongEntry, SnapshotOrderEntry, SnapshotOrdersRoot, SnapshotRoot, parse,
    price_unit, template,
};
use std::collections::BTreeMap;

/// The schema version that snapshots are written in.
const VERSION: u16 = 13;

/// Levels of a side of the real and of the implied book, as most of CME's instruments have them.
const DEPTHS: [usize; 4] = [10, 10, 2, 2];

/// A channel up to a packet. What cannot be read is left aside.
#[derive(Clone, Debug, Default)]
pub struct Mdp3State {
    /// Number of the last packet.
    last: u32,
    /// By security id.
    instruments: BTreeMap<i32, Instrument>,
}

#[derive(Clone, Debug, Default)]
struct Instrument {
    rpt_seq: u32,
    time: u64,
    status: Option<u8>,
    /// Real bids and offers, implied bids and offers; `None` for what nobody has said.
    sides: [Vec<Option<Level>>; 4],
    /// By number.
    orders: BTreeMap<u64, Order>,
    /// It has had an order.
    by_order: bool,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    price: i64,
    quantity: u64,
    orders: i32,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    side: u8,
    price: i64,
    quantity: i32,
    priority: u64,
}

/// What an entry says of a level.
struct Entry {
    security_id: i32,
    entry_type: u8,
    action: u8,
    number: u8,
    level: Level,
}

impl Mdp3State {
    /// The next packet of the channel has been sent.
    pub fn apply(&mut self, packet: &[u8]) {
        let Ok((header, messages, _)) = parse(packet) else {
            return;
        };
        self.last = header.msg_seq_num.get();
        for message in messages.filter_map(|message| Message::parse(message).ok()) {
            self.count(&message);
            self.message(&message);
        }
    }

    /// The instruments there are, by order of their ids; those with orders alone where that is asked.
    pub fn instruments(&self, orders: bool) -> Vec<i32> {
        let all = self.instruments.iter();
        let wanted = all.filter(|(_, i)| i.rpt_seq > 0 || i.by_order);
        wanted
            .filter(|(_, i)| i.by_order || !orders)
            .map(|(&id, _)| id)
            .collect()
    }

    /// The levels of an instrument, as one of `total` messages of a loop; with quantities of 8 bytes where they need to be.
    pub fn levels(&self, security_id: i32, total: u32) -> Vec<u8> {
        let mut builder = MessageBuilder::new();
        let nothing = Instrument::default();
        let of = self.instruments.get(&security_id).unwrap_or(&nothing);
        let root = SnapshotRoot {
            last_msg_seq_num_processed: self.last.into(),
            tot_num_reports: total.into(),
            security_id: security_id.into(),
            rpt_seq: of.rpt_seq.into(),
            transact_time: of.time.into(),
            last_update_time: of.time.into(),
            trade_date: NULL_DATE.into(),
            md_security_trading_status: of.status.unwrap_or(NULL_U8),
            high_limit_price: NULL_PRICE.into(),
            low_limit_price: NULL_PRICE.into(),
            max_price_variation: NULL_PRICE.into(),
        };
        let known = || {
            of.sides
                .iter()
                .zip(*b"01EF")
                .flat_map(|(side, entry_type)| {
                    let numbered = (1..).zip(side);
                    numbered.filter_map(move |(n, level)| Some((entry_type, n, (*level)?)))
                })
        };
        if known().any(|(_, _, level)| i32::try_from(level.quantity).is_err()) {
            let entries: Vec<_> = known().map(|(t, n, level)| level.long(t, n)).collect();
            builder.begin(template::SNAPSHOT_LONG, VERSION, &root);
            builder.group(Dimension::Three, &entries);
        } else {
            let entries: Vec<_> = known().map(|(t, n, level)| level.short(t, n)).collect();
            builder.begin(template::SNAPSHOT, VERSION, &root);
            builder.group(Dimension::Three, &entries);
        }
        builder.finish().to_vec()
    }

    /// The orders of all instruments that have any, in messages of so many bytes at most: a whole loop.
    pub fn orders(&self, bytes: usize) -> Vec<Vec<u8>> {
        const HEAD: usize = 10 + size_of::<SnapshotOrdersRoot>() + 3;
        let room = bytes.saturating_sub(HEAD) / size_of::<SnapshotOrderEntry>();
        let room = room.clamp(1, usize::from(u8::MAX));
        let mut chunks = Vec::new();
        for (&security_id, of) in self.instruments.iter().filter(|(_, i)| i.by_order) {
            let orders: Vec<_> = of
                .orders
                .iter()
                .map(|(&id, order)| order.entry(id))
                .collect();
            let count = orders.len().div_ceil(room).max(1);
            for chunk in 0..count {
                let root = SnapshotOrdersRoot {
                    last_msg_seq_num_processed: self.last.into(),
                    tot_num_reports: 0.into(),
                    security_id: security_id.into(),
                    no_chunks: (count as u32).into(),
                    current_chunk: (chunk as u32 + 1).into(),
                    transact_time: of.time.into(),
                };
                let part = orders.chunks(room).nth(chunk).unwrap_or_default();
                chunks.push((root, part.to_vec()));
            }
        }
        let total = chunks.len() as u32;
        let mut builder = MessageBuilder::new();
        let message = |(root, orders): (SnapshotOrdersRoot, Vec<_>)| {
            let root = SnapshotOrdersRoot {
                tot_num_reports: total.into(),
                ..root
            };
            builder.begin(template::SNAPSHOT_ORDERS, VERSION, &root);
            builder.group(Dimension::Three, &orders).finish().to_vec()
        };
        chunks.into_iter().map(message).collect()
    }

    /// Notes the RptSeq of every entry that has one.
    fn count(&mut self, message: &Message<'_>) {
        let time = message
            .block()
            .and_then(|root| root.unsigned("transact_time"));
        let mut groups = message.groups();
        let layouts = message.template().map_or(&[][..], |t| t.groups);
        for layout in layouts.iter().filter(|g| g.since <= message.version()) {
            let Ok(group) = groups.next(layout.dimension) else {
                return;
            };
            if layout.block.field("rpt_seq").is_none() {
                continue;
            }
            for entry in 0..group.len() {
                let entry = BlockView::new(&layout.block, group.entry(entry), message.version());
                let (id, rpt_seq) = (entry.signed("security_id"), entry.unsigned("rpt_seq"));
                if let (Some(id), Some(rpt_seq)) = (id, rpt_seq) {
                    let of = self.instruments.entry(id as i32).or_default();
                    of.rpt_seq = rpt_seq as u32;
                    of.time = time.unwrap_or(of.time);
                }
            }
        }
    }

    fn message(&mut self, message: &Message<'_>) {
        use template::*;
        let scale = price_unit(message.template_id());
        let price = |wire: i64| wire.saturating_mul(scale);
        let mut groups = message.groups();
        let mut group = |dimension| groups.next(dimension).ok();
        match message.template_id() {
            BOOK | BOOK_7 => {
                let first = group(Dimension::Three);
                let entries = first.and_then(|g| g.entries::<BookEntry>().ok());
                let entries = entries.into_iter().flatten().map(|e| Entry {
                    security_id: e.security_id.get(),
                    entry_type: e.md_entry_type_book,
                    action: e.md_update_action,
                    number: e.md_price_level,
                    level: Level {
                        price: price(e.md_entry_px_optional_ex.get()),
                        quantity: e.md_entry_size_short_optional.get().max(0) as u64,
                        orders: e.number_of_orders_optional.get(),
                    },
                });
                self.book(entries.collect(), group(Dimension::Eight));
            }
            BOOK_LONG => {
                let first = group(Dimension::Three);
                let entries = first.and_then(|g| g.entries::<BookLongEntry>().ok());
                let entries = entries.into_iter().flatten().map(|e| Entry {
                    security_id: e.security_id.get(),
                    entry_type: e.md_entry_type_book,
                    action: e.md_update_action,
                    number: e.md_price_level,
                    level: Level {
                        price: price(e.md_entry_px_optional_ex.get()),
                        quantity: e.md_entry_size_optional.get(),
                        orders: e.number_of_orders_optional.get(),
                    },
                });
                self.book(entries.collect(), group(Dimension::Eight));
            }
            ORDER_BOOK | ORDER_BOOK_7 => {
                let first = group(Dimension::Three);
                let entries = first.and_then(|g| g.entries::<OrderBookEntry>().ok());
                for e in entries.into_iter().flatten() {
                    let order = Order {
                        side: e.md_entry_type_book,
                        price: price(e.md_entry_px_optional_ex.get()),
                        quantity: e.md_display_qty_optional.get(),
                        priority: e.md_order_priority_optional.get(),
                    };
                    let id = e.order_id_optional.get();
                    if id != NULL_U64 {
                        self.order(e.security_id.get(), id, e.md_update_action, order);
                    }
                }
            }
            SECURITY_STATUS => {
                if let Some(root) = message.root::<SecurityStatusRoot>()
                    && root.security_id_optional.get() != NULL_I32
                {
                    let of = self.instruments.entry(root.security_id_optional.get());
                    of.or_default().status = Some(root.security_trading_status);
                }
            }
            CHANNEL_RESET => self.instruments.clear(),
            _ => {}
        }
    }

    fn book(&mut self, entries: Vec<Entry>, orders: Option<feed_common::wire::mdp3::Group<'_>>) {
        for entry in &entries {
            let of = self.instruments.entry(entry.security_id).or_default();
            match b"01EF".iter().position(|&t| t == entry.entry_type) {
                Some(side) => change(&mut of.sides[side], DEPTHS[side], entry),
                None if entry.entry_type == b'J' => {
                    of.sides.iter_mut().for_each(Vec::clear);
                    of.orders.clear();
                }
                None => {}
            }
        }
        let orders = orders.and_then(|group| group.entries::<OrderIdEntry>().ok());
        for order in orders.into_iter().flatten() {
            let entry = entries.get(usize::from(order.reference_id).wrapping_sub(1));
            if let Some(entry) = entry {
                let said = Order {
                    side: entry.entry_type,
                    price: entry.level.price,
                    quantity: order.md_display_qty_optional.get(),
                    priority: order.md_order_priority_optional.get(),
                };
                let (id, action) = (order.order_id.get(), order.order_update_action);
                self.order(entry.security_id, id, action, said);
            }
        }
    }

    fn order(&mut self, security_id: i32, id: u64, action: u8, order: Order) {
        let of = self.instruments.entry(security_id).or_default();
        of.by_order = true;
        match action {
            0 | 1 if order.quantity > 0 => _ = of.orders.insert(id, order),
            0..=2 => _ = of.orders.remove(&id),
            _ => {}
        }
    }
}

/// What an entry does to the levels of its side.
fn change(side: &mut Vec<Option<Level>>, depth: usize, entry: &Entry) {
    let Some(at) = usize::from(entry.number)
        .checked_sub(1)
        .filter(|&at| at < depth)
    else {
        return;
    };
    if side.len() <= at {
        side.resize(at + 1, None);
    }
    match entry.action {
        0 => side.insert(at, Some(entry.level)),
        1 | 5 => side[at] = Some(entry.level),
        2 => _ = side.remove(at),
        3 => _ = side.drain(..=at),
        4 => side.truncate(at),
        _ => {}
    }
    side.truncate(depth);
}

impl Level {
    fn short(self, entry_type: u8, number: u8) -> SnapshotEntry {
        SnapshotEntry {
            md_entry_px_optional_ex: self.price.into(),
            md_entry_size_short_optional: (self.quantity as i32).into(),
            number_of_orders_optional: self.orders.into(),
            md_price_level_optional: i8::try_from(number).unwrap_or(NULL_I8),
            trading_reference_date: NULL_DATE.into(),
            open_close_settl_flag: NULL_U8,
            settl_price_type: 0x80,
            md_entry_type: entry_type,
        }
    }

    fn long(self, entry_type: u8, number: u8) -> SnapshotLongEntry {
        SnapshotLongEntry {
            md_entry_px_optional_ex: self.price.into(),
            md_entry_size_optional: self.quantity.into(),
            number_of_orders_optional: self.orders.into(),
            md_price_level_unsigned_optional: number,
            open_close_settl_flag: NULL_U8,
            md_entry_type: entry_type,
        }
    }
}

impl Order {
    fn entry(&self, id: u64) -> SnapshotOrderEntry {
        SnapshotOrderEntry {
            order_id: id.into(),
            md_order_priority: self.priority.into(),
            md_entry_px_ex: self.price.into(),
            md_display_qty: self.quantity.into(),
            md_entry_type_book: self.side,
        }
    }
}

#[cfg(test)]
#[path = "mdp3_state_tests.rs"]
mod tests;
