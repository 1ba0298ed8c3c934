//! Books as everybody writes them, over the maps of the standard library: orders in a hash map, levels in a tree or in a
//! hash map. Neither keeps queues or checks anything, which makes them cheaper than they would have to be.

use super::Foresighted;
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, MarketHandler, MsgCtx, ReplaceOrder, Side,
};
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::hint::black_box;

/// One side of a book, the best price being the greatest key.
pub trait Levels: Default {
    /// Adds to a level.
    fn add(&mut self, key: i64, quantity: u64);

    /// Takes from a level, which is gone when nothing is left.
    fn take(&mut self, key: i64, quantity: u64);

    /// The best level.
    fn best(&mut self) -> Option<(i64, u64)>;
}

/// Levels in a tree.
#[derive(Default)]
pub struct Tree(BTreeMap<i64, u64>);

impl Levels for Tree {
    fn add(&mut self, key: i64, quantity: u64) {
        *self.0.entry(key).or_default() += quantity;
    }

    fn take(&mut self, key: i64, quantity: u64) {
        if let Some(level) = self.0.get_mut(&key) {
            *level -= quantity;
            if *level == 0 {
                self.0.remove(&key);
            }
        }
    }

    fn best(&mut self) -> Option<(i64, u64)> {
        self.0.last_key_value().map(|(key, level)| (*key, *level))
    }
}

/// Levels in a hash map, their prices in a heap that is cleared of what is gone when it comes to the top.
#[derive(Default)]
pub struct Heap {
    levels: HashMap<i64, u64>,
    prices: BinaryHeap<i64>,
}

impl Levels for Heap {
    fn add(&mut self, key: i64, quantity: u64) {
        let prices = &mut self.prices;
        let level = self.levels.entry(key).or_insert_with(|| {
            prices.push(key);
            0
        });
        *level += quantity;
    }

    fn take(&mut self, key: i64, quantity: u64) {
        if let Some(level) = self.levels.get_mut(&key) {
            *level -= quantity;
            if *level == 0 {
                self.levels.remove(&key);
            }
        }
    }

    fn best(&mut self) -> Option<(i64, u64)> {
        while let Some(key) = self.prices.peek() {
            match self.levels.get(key) {
                Some(level) => return Some((*key, *level)),
                None => _ = self.prices.pop(),
            }
        }
        None
    }
}

/// Books of such levels behind a decoder.
#[derive(Default)]
pub struct Maps<L> {
    orders: HashMap<u64, Order>,
    /// By instrument: bids and asks.
    books: Vec<[L; 2]>,
    /// Events that left another best price.
    pub bbo_changes: u64,
}

#[derive(Clone, Copy)]
struct Order {
    side: Side,
    key: i64,
    quantity: u64,
}

impl<L: Levels> Maps<L> {
    fn side(&mut self, instrument: u32, side: Side) -> &mut L {
        let at = instrument as usize;
        if at >= self.books.len() {
            self.books.resize_with(at + 1, Default::default);
        }
        &mut self.books[at][usize::from(side == Side::SELL)]
    }

    /// Does something to one side and looks whether its best price is another.
    fn change(&mut self, instrument: u32, side: Side, change: impl FnOnce(&mut Self)) {
        let before = self.side(instrument, side).best();
        change(self);
        let after = self.side(instrument, side).best();
        if before != after {
            self.bbo_changes += 1;
            let [bids, asks] = &mut self.books[instrument as usize];
            black_box((bids.best(), asks.best()));
        }
    }

    fn insert(&mut self, instrument: u32, m: &AddOrder) {
        let key = match m.side {
            Side::SELL => -m.price.0,
            _ => m.price.0,
        };
        let order = Order {
            side: m.side,
            key,
            quantity: m.quantity,
        };
        self.orders.insert(m.order_id, order);
        self.side(instrument, m.side).add(key, m.quantity);
    }

    fn remove(&mut self, instrument: u32, id: u64) {
        if let Some(order) = self.orders.remove(&id) {
            self.side(instrument, order.side)
                .take(order.key, order.quantity);
        }
    }

    fn reduce(&mut self, instrument: u32, id: u64, by: u64) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.quantity -= by;
        let Order {
            side,
            key,
            quantity,
        } = *order;
        if quantity == 0 {
            self.orders.remove(&id);
        }
        self.change(instrument, side, |books| {
            books.side(instrument, side).take(key, by);
        });
    }
}

impl<L: Levels> MarketHandler for Maps<L> {
    fn on_add(&mut self, cx: &MsgCtx, m: AddOrder) {
        self.change(cx.instrument, m.side, |books| {
            books.insert(cx.instrument, &m)
        });
    }

    fn on_execute(&mut self, cx: &MsgCtx, m: ExecuteOrder) {
        self.reduce(cx.instrument, m.order_id, m.quantity);
    }

    fn on_cancel(&mut self, cx: &MsgCtx, m: CancelOrder) {
        self.reduce(cx.instrument, m.order_id, m.quantity);
    }

    fn on_delete(&mut self, cx: &MsgCtx, m: DeleteOrder) {
        if let Some(&Order { side, .. }) = self.orders.get(&m.order_id) {
            self.change(cx.instrument, side, |books| {
                books.remove(cx.instrument, m.order_id)
            });
        }
    }

    fn on_replace(&mut self, cx: &MsgCtx, m: ReplaceOrder) {
        if let Some(&Order { side, .. }) = self.orders.get(&m.old_id) {
            self.change(cx.instrument, side, |books| {
                books.remove(cx.instrument, m.old_id);
                let new = AddOrder {
                    order_id: m.new_id,
                    side,
                    price: m.price,
                    quantity: m.quantity,
                };
                books.insert(cx.instrument, &new);
            });
        }
    }
}

impl<L: Levels> Foresighted for Maps<L> {}
