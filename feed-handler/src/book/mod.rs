//! Order books, price levels and best prices of a channel's instruments, behind one interface.
//!
//! What a feed says decides what is kept: single orders in their queues (ITCH), totals by price, the exchange's own
//! numbered levels (CME) with ranked orders beside them, or the best prices only. [`Books`] takes each event once, says what it did ([`Change`]), and answers questions in the same terms
//! whatever is kept. It is checked: what cannot be is counted by kind ([`Fault`]), changes nothing or is clamped, and
//! takes the instrument's trust away.
//!
//! Finding an order is one access to memory (`orders`), and so is its level (`levels`); the levels of a side are in
//! order with the best at the tail of an array (`ladder`). No call allocates, waits or enters the kernel.
//!
//! [`oracle`] is the same book written as plainly as possible, over maps: what the other one is compared with.

mod books;
mod definitions;
mod fault;
mod instrument;
mod ladder;
mod levels;
pub mod oracle;
mod orders;
mod phase;
mod ranked;
mod read;
mod slots;
mod steps;
mod totals;
mod view;

pub use books::{BookError, Books};
pub use fault::{Fault, Faults};
pub use phase::Phase;
pub use view::{View, digest};

use feed_common::event::{Price, Side};

/// How much a channel's books can hold. All of it is taken when they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookLimits {
    /// Live orders over all instruments.
    pub orders: usize,
    /// Price levels over all instruments and both sides.
    pub levels: usize,
    /// Instruments.
    pub instruments: usize,
}

/// A price with what is offered at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// Displayed quantity of all its orders.
    pub quantity: u64,
    /// How many orders; `None` where the feed does not say.
    pub orders: Option<u32>,
}

/// The better end of one side: [`Price::NULL`] and 0 when it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Best price.
    pub price: Price,
    /// Displayed quantity at it.
    pub quantity: u64,
}

impl Quote {
    /// An empty side.
    pub const EMPTY: Quote = Quote {
        price: Price::NULL,
        quantity: 0,
    };
}

/// Best bid and offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bbo {
    /// The highest price somebody pays.
    pub bid: Quote,
    /// The lowest price somebody asks.
    pub ask: Quote,
}

impl Bbo {
    /// Both sides empty.
    pub const EMPTY: Bbo = Bbo {
        bid: Quote::EMPTY,
        ask: Quote::EMPTY,
    };
}

impl Default for Bbo {
    fn default() -> Bbo {
        Bbo::EMPTY
    }
}

/// A live order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its side.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// What remains of it.
    pub quantity: u64,
}

/// One order of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The exchange's number for it.
    pub order_id: u64,
    /// Displayed quantity that remains.
    pub quantity: u64,
}

/// What an event did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The best bid or offer of the instrument is another now, in price or quantity.
    pub bbo: bool,
    /// An invariant of the instrument has been broken, now or before: its book is not to be believed.
    pub suspect: bool,
}
