//! Orders that come and go while their number stays.

use crate::itch::{push, symbol};
use feed_common::wire::itch50 as wire;
use feed_common::wire::message::U48;
use zerocopy::IntoBytes;

/// How large a market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Instruments.
    pub symbols: u16,
    /// Live orders of all of them together.
    pub orders: usize,
    /// Price levels of a side that orders are at.
    pub depth: u32,
}

/// The newest orders, of which one leaves nine in ten times.
const YOUNG: usize = 1_000;

/// A live order.
#[derive(Clone, Copy)]
struct Live {
    id: u64,
    locate: u16,
    side: u64,
    shares: u32,
}

/// A market whose size stays.
pub struct Market {
    shape: Shape,
    /// Oldest first, but where one that left was replaced by the newest.
    live: Vec<Live>,
    next: u64,
    clock: u64,
    state: u64,
}

impl Market {
    /// An empty one; the same seed makes the same messages.
    pub fn new(shape: Shape, seed: u64) -> Market {
        Market {
            shape,
            live: Vec::with_capacity(shape.orders + 1),
            next: 1,
            clock: 34_200_000_000_000,
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        }
    }

    /// The adds that fill it: level by level, so that every level there is has its orders.
    pub fn fill(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.shape.orders * 38);
        let symbols = u64::from(self.shape.symbols);
        let places = symbols * 2 * u64::from(self.shape.depth);
        for order in 0..self.shape.orders as u64 {
            let place = order % places;
            let (symbol, rest) = (place % symbols, place / symbols);
            let (side, level) = (rest % 2, rest / 2);
            self.add(&mut bytes, symbol as u16 + 1, side, level as u32);
        }
        bytes
    }

    /// So many messages, one or two more at the end: 46 % adds, 41 % deletes, 5 % executions and 5 % replacements of
    /// orders there are, the rest partial cancels.
    pub fn messages(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count * 34);
        let mut sent = 0;
        while sent < count {
            match self.random() % 100 {
                0..92 => {
                    let r = self.random();
                    let locate = (r % u64::from(self.shape.symbols)) as u16 + 1;
                    let level = self.level();
                    self.add(&mut bytes, locate, r >> 32 & 1, level);
                    self.leave(&mut bytes);
                    sent += 2;
                }
                92..97 => {
                    self.replace(&mut bytes);
                    sent += 1;
                }
                _ => {
                    self.shrink(&mut bytes);
                    sent += 1;
                }
            }
        }
        bytes
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Near the best, eight in ten times.
    fn level(&mut self) -> u32 {
        let r = self.random();
        let near = (r >> 8).trailing_zeros().min(self.shape.depth - 1);
        match r % 10 {
            0..8 => near,
            _ => (r >> 8) as u32 % self.shape.depth,
        }
    }

    fn tick(&mut self) -> U48 {
        self.clock += 1_000;
        U48::new(self.clock)
    }

    /// Bids below 1,000,000 and offers from there on, so that nothing ever crosses.
    fn price(side: u64, level: u32) -> u32 {
        match side {
            0 => 1_000_000 - 1 - level,
            _ => 1_000_000 + level,
        }
    }

    fn add(&mut self, bytes: &mut Vec<u8>, locate: u16, side: u64, level: u32) {
        let shares = 100 * (1 + self.random() as u32 % 10);
        let add = wire::AddOrder {
            stock_locate: locate.into(),
            timestamp: self.tick(),
            order_ref: self.next.into(),
            side: [b'B', b'S'][side as usize],
            shares: shares.into(),
            stock: symbol(u64::from(locate) - 1),
            price: Market::price(side, level).into(),
            ..wire::AddOrder::new()
        };
        push(bytes, add.as_bytes());
        self.live.push(Live {
            id: self.next,
            locate,
            side,
            shares,
        });
        self.next += 1;
    }

    /// The place of an order that something happens to.
    fn chosen(&mut self) -> usize {
        let (r, all) = (self.random() as usize, self.live.len());
        match r % 10 {
            0..9 => all - 1 - (r >> 8) % all.min(YOUNG),
            _ => (r >> 8) % all,
        }
    }

    /// One leaves: deleted, or executed as a whole one time in nine.
    fn leave(&mut self, bytes: &mut Vec<u8>) {
        let at = self.chosen();
        let order = self.live.swap_remove(at);
        let (stock_locate, timestamp) = (order.locate.into(), self.tick());
        if self.random().is_multiple_of(9) {
            let execute = wire::OrderExecuted {
                stock_locate,
                timestamp,
                order_ref: order.id.into(),
                executed_shares: order.shares.into(),
                match_number: order.id.into(),
                ..wire::OrderExecuted::new()
            };
            return push(bytes, execute.as_bytes());
        }
        let delete = wire::OrderDelete {
            stock_locate,
            timestamp,
            order_ref: order.id.into(),
            ..wire::OrderDelete::new()
        };
        push(bytes, delete.as_bytes());
    }

    /// One shrinks by a share; one of a single share stays as it is and another message is made next time.
    fn shrink(&mut self, bytes: &mut Vec<u8>) {
        let (at, timestamp) = (self.chosen(), self.tick());
        let order = &mut self.live[at];
        if order.shares == 1 {
            return;
        }
        order.shares -= 1;
        let cancel = wire::OrderCancel {
            stock_locate: order.locate.into(),
            timestamp,
            order_ref: order.id.into(),
            cancelled_shares: 1.into(),
            ..wire::OrderCancel::new()
        };
        push(bytes, cancel.as_bytes());
    }

    /// One is replaced by another of its side.
    fn replace(&mut self, bytes: &mut Vec<u8>) {
        let (at, level, timestamp) = (self.chosen(), self.level(), self.tick());
        let order = &mut self.live[at];
        let (old, new) = (order.id, self.next);
        order.id = new;
        self.next += 1;
        let replace = wire::OrderReplace {
            stock_locate: order.locate.into(),
            timestamp,
            original_ref: old.into(),
            new_ref: new.into(),
            shares: order.shares.into(),
            price: Market::price(order.side, level).into(),
            ..wire::OrderReplace::new()
        };
        push(bytes, replace.as_bytes());
    }
}
