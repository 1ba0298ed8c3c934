//! What a GLIMPSE server sends: the state of an ITCH session after any of its messages, in messages of the session.
//!
//! System events so far; of each instrument its directory, trading state, short sale restriction and retail interest, as
//! they were said last; an order for each that rests, with what is left of it and the time of its place in the queue; and
//! the number of the first message that is not in it. Orders come by instrument, side and price, and at a price in the
//! order of their queue.

use feed_common::wire::itch50::{AddOrder, AddOrderMpid, Head, Message, OrderReplace};
use feed_common::wire::message::U48;
use feed_common::wire::soupbintcp::EndOfSnapshot;
use std::collections::{BTreeMap, HashMap};
use zerocopy::IntoBytes;
use zerocopy::byteorder::big_endian::U16;

/// An ITCH session up to a message. What cannot be of a session (orders nobody added, messages cut short) is left aside.
#[derive(Clone, Debug, Default)]
pub struct GlimpseState {
    system: Vec<Vec<u8>>,
    /// By locate.
    instruments: BTreeMap<u16, Instrument>,
    /// By number. Nothing goes through them in an order, which would not be the same on every run.
    orders: HashMap<u64, Order>,
    /// Orders so far, those in place of others included.
    arrivals: u64,
}

/// What was said last about an instrument: directory, trading state, short sale restriction, retail interest.
type Instrument = [Option<Vec<u8>>; 4];

/// A resting order.
#[derive(Clone, Copy, Debug)]
struct Order {
    /// Its turn among all orders.
    arrival: u64,
    locate: U16,
    tracking: U16,
    timestamp: U48,
    side: u8,
    shares: u32,
    stock: [u8; 8],
    price: u32,
    attribution: Option<[u8; 4]>,
}

impl GlimpseState {
    /// The next message of the session has happened.
    pub fn apply(&mut self, message: &[u8]) {
        let (Some(head), Ok(parsed)) = (Head::of(message), Message::parse(message)) else {
            return;
        };
        match parsed {
            Message::SystemEvent(_) => self.system.push(message.to_vec()),
            Message::StockDirectory(_) => self.say(head.locate, 0, message),
            Message::StockTradingAction(_) => self.say(head.locate, 1, message),
            Message::RegShoRestriction(_) => self.say(head.locate, 2, message),
            Message::RetailPriceImprovement(_) => self.say(head.locate, 3, message),
            Message::AddOrder(m) => self.enter(m.order_ref.get(), Order::of(m, None)),
            Message::AddOrderMpid(m) => {
                let plain = AddOrder {
                    stock_locate: m.stock_locate,
                    tracking_number: m.tracking_number,
                    timestamp: m.timestamp,
                    side: m.side,
                    shares: m.shares,
                    stock: m.stock,
                    price: m.price,
                    ..AddOrder::new()
                };
                self.enter(m.order_ref.get(), Order::of(&plain, Some(m.attribution)));
            }
            Message::OrderExecuted(m) => self.reduce(m.order_ref.get(), m.executed_shares.get()),
            Message::OrderExecutedWithPrice(m) => {
                self.reduce(m.order_ref.get(), m.executed_shares.get());
            }
            Message::OrderCancel(m) => self.reduce(m.order_ref.get(), m.cancelled_shares.get()),
            Message::OrderDelete(m) => _ = self.orders.remove(&m.order_ref.get()),
            Message::OrderReplace(m) => self.replace(m),
            _ => {}
        }
    }

    /// All of it, `next` being the number of the session's next message: what a snapshot server sends.
    pub fn snapshot(&self, next: u64) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.system.iter().for_each(|m| snapshot.push(m));
        for kind in 0..4 {
            let said = self.instruments.values();
            let said = said.filter_map(|instrument| instrument[kind].as_ref());
            said.for_each(|message| snapshot.push(message));
        }
        let mut orders: Vec<_> = self.orders.iter().collect();
        orders.sort_unstable_by_key(|(_, o)| (o.locate.get(), o.side, o.price, o.arrival));
        for (&id, order) in orders {
            order.add(id, &mut snapshot);
        }
        snapshot.push(EndOfSnapshot::new(next).as_bytes());
        snapshot
    }

    fn say(&mut self, locate: u16, kind: usize, message: &[u8]) {
        let instrument = self.instruments.entry(locate).or_default();
        instrument[kind] = Some(message.to_vec());
    }

    fn enter(&mut self, id: u64, order: Order) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.orders.insert(id, Order { arrival, ..order });
    }

    fn reduce(&mut self, id: u64, shares: u32) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.shares = order.shares.saturating_sub(shares);
            if order.shares == 0 {
                self.orders.remove(&id);
            }
        }
    }

    fn replace(&mut self, m: &OrderReplace) {
        if let Some(old) = self.orders.remove(&m.original_ref.get()) {
            let new = Order {
                tracking: m.tracking_number,
                timestamp: m.timestamp,
                shares: m.shares.get(),
                price: m.price.get(),
                ..old
            };
            self.enter(m.new_ref.get(), new);
        }
    }
}

impl Order {
    fn of(m: &AddOrder, attribution: Option<[u8; 4]>) -> Order {
        Order {
            arrival: 0,
            locate: m.stock_locate,
            tracking: m.tracking_number,
            timestamp: m.timestamp,
            side: m.side,
            shares: m.shares.get(),
            stock: m.stock,
            price: m.price.get(),
            attribution,
        }
    }

    fn add(&self, id: u64, snapshot: &mut Snapshot) {
        let plain = AddOrder {
            stock_locate: self.locate,
            tracking_number: self.tracking,
            timestamp: self.timestamp,
            order_ref: id.into(),
            side: self.side,
            shares: self.shares.into(),
            stock: self.stock,
            price: self.price.into(),
            ..AddOrder::new()
        };
        let Some(attribution) = self.attribution else {
            return snapshot.push(plain.as_bytes());
        };
        let named = AddOrderMpid {
            stock_locate: plain.stock_locate,
            tracking_number: plain.tracking_number,
            timestamp: plain.timestamp,
            order_ref: plain.order_ref,
            side: plain.side,
            shares: plain.shares,
            stock: plain.stock,
            price: plain.price,
            attribution,
            ..AddOrderMpid::new()
        };
        snapshot.push(named.as_bytes());
    }
}

/// The messages of a snapshot, numbered from 1; the last is the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Snapshot {
    /// The messages from a number on.
    pub fn from(&self, number: u64) -> impl Iterator<Item = &[u8]> {
        let first = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        (first..self.ends.len()).map(|i| {
            let begin = i.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.bytes[begin..self.ends[i]]
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True of what is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn push(&mut self, message: &[u8]) {
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
    }
}

#[cfg(test)]
#[path = "glimpse_tests.rs"]
mod tests;
