//! What happens to orders, price levels and best prices.

use super::{Price, Side};

/// A new visible order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AddOrder {
    pub order_id: u64,
    pub side: Side,
    pub price: Price,
    pub quantity: u64,
}

/// An order traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecuteOrder {
    /// The resting order.
    pub order_id: u64,
    /// What traded.
    pub quantity: u64,
    /// Null when it traded at the order's own price.
    pub price: Price,
    /// The exchange's number for the execution.
    pub match_id: u64,
    /// False when the print must not be counted.
    pub printable: bool,
}

/// An order lost part of its quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CancelOrder {
    pub order_id: u64,
    /// What was taken away, not what remains.
    pub quantity: u64,
}

/// An order left the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DeleteOrder {
    pub order_id: u64,
}

/// An order was replaced by another, which goes to the back of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReplaceOrder {
    pub old_id: u64,
    pub new_id: u64,
    pub price: Price,
    pub quantity: u64,
}

/// An order changed in place and keeps its priority, at its old price or at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ModifyOrder {
    pub order_id: u64,
    pub price: Price,
    /// What it has now; 0 when it has left.
    pub quantity: u64,
}

/// An order of a feed that says each order's place among those of its price: entered, or changed to be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RankedOrder {
    pub order_id: u64,
    pub side: Side,
    pub price: Price,
    pub quantity: u64,
    /// Orders of a price trade in the order of these numbers, the smallest first.
    pub rank: u64,
    /// Whether the feed says that it enters; else that it changes.
    pub enters: bool,
}

/// The total at a price, of a feed that keys its levels by price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LevelUpdate {
    pub side: Side,
    pub price: Price,
    /// Of all orders at the price; 0 when there are none left.
    pub quantity: u64,
    /// How many orders; `None` where the feed does not say.
    pub orders: Option<u32>,
}

/// What happens to a level of a feed that numbers its levels from 1, the best. The values are those of CME MDP 3.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SlotAction {
    /// It is new here; those from here on move down, and what leaves the depth is gone.
    New = 0,
    /// It has another quantity, at the same price.
    Change = 1,
    /// It is gone; those behind it move up.
    Delete = 2,
    /// It and all better ones are gone.
    DeleteThru = 3,
    /// It and all worse ones are gone.
    DeleteFrom = 4,
    /// It has another price and quantity, and nothing moves.
    Overlay = 5,
}

/// A level of a feed that numbers its levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SlotUpdate {
    /// Of the implied book, which is apart from the real one.
    pub implied: bool,
    pub side: Side,
    pub action: SlotAction,
    /// From 1, the best, as on the wire.
    pub level: u8,
    /// Null where the feed says none.
    pub price: Price,
    /// 0 where the feed says none.
    pub quantity: u64,
    /// How many orders; `None` where the feed does not say.
    pub orders: Option<u32>,
}

/// The best prices of a feed that says no more; a price is null and its quantity 0 where a side is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct QuoteUpdate {
    pub bid: Price,
    pub bid_quantity: u64,
    pub ask: Price,
    pub ask_quantity: u64,
}
