//! What happens in the simulated market.

use feed_common::event::Side;

/// Something that happened. Prices have 4 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synth) struct Event {
    /// Nanoseconds after midnight in New York; never goes back.
    pub time: u64,
    /// Number of the instrument: the `n`-th that was announced, from 0. Of no meaning, 0, where `symbol` is blank.
    pub instrument: usize,
    /// Its symbol, padded with blanks; blank in what concerns no single instrument.
    pub symbol: [u8; 8],
    /// Another event of the same happening follows: the next order of a sweep, the cross behind its executions. False in
    /// the last one.
    pub more: bool,
    /// What it was.
    pub what: What,
}

/// The kinds of events. Orders are as they were before, but for new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synth) enum What {
    /// An event of the whole market: `O` start of messages, `S` of system hours, `Q` of market hours; `M`, `E`, `C` their
    /// ends.
    System(u8),
    /// The circuit breaker of all markets was triggered: level `1`, `2` or `3`.
    Breaker(u8),
    /// An instrument of the day.
    Directory {
        /// Shares per round lot.
        round_lot: u32,
        /// `C` a stock, `Q` a fund.
        class: u8,
    },
    /// The trading state of an instrument in all markets.
    Status {
        /// Whether orders match as they come. It says so of instruments before the open too: the market is not open then.
        trading: bool,
        /// `H` halted, `P` paused, `Q` quotation only, `T` trading.
        state: u8,
        /// Nasdaq's reason code; blanks for none.
        reason: [u8; 4],
    },
    /// A single market stopped (`halted`) or goes on trading an instrument; `Q` is this one.
    Operational { market: u8, halted: bool },
    /// Short sale price test: `0` none, `1` in effect since today, `2` still in effect.
    ShortSale(u8),
    /// Price bounds of the auction that ends a pause.
    Collar {
        reference: u32,
        upper: u32,
        lower: u32,
        /// Extensions so far.
        extension: u32,
    },
    /// A new order.
    Add(Order),
    /// An order trades; without shares left it is gone.
    Execute {
        order: Order,
        shares: u32,
        /// Match number.
        number: u64,
        /// The price, where it is not the order's.
        price: Option<u32>,
        /// False within a cross, whose bulk print counts.
        printable: bool,
    },
    /// An order loses `shares` and keeps some.
    Cancel { order: Order, shares: u32 },
    /// An order leaves.
    Delete { order: Order },
    /// An order gives way to another: its priority is lost, its `origin` stays.
    Replace { old: Order, new: Order },
    /// A trade against an order that was not displayed.
    Hidden {
        shares: u32,
        price: u32,
        number: u64,
    },
    /// The bulk print of an auction: `O` open, `C` close, `H` end of a halt or listing; no shares and no price where
    /// nothing traded.
    Cross {
        shares: u64,
        price: u32,
        number: u64,
        auction: u8,
    },
    /// A print is void.
    Broken { number: u64, print: Option<Print> },
    /// The coming auction, as it would be now; prices are 0 where there is none.
    Imbalance {
        paired: u64,
        imbalance: u64,
        /// `B`, `S`, `N` none, `O` not enough orders.
        side: u8,
        /// Clearing price of auction orders alone, and with the book.
        far: u32,
        near: u32,
        reference: u32,
        /// As in [`What::Cross`].
        auction: u8,
    },
    /// Retail orders wait: `B`, `S`, `A` both, `N` none.
    Retail(u8),
    /// What other exchanges have no message for.
    Other,
}

/// A displayed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synth) struct Order {
    /// Its number; a replaced order gets another.
    pub id: u64,
    /// The number of the first order of the chain of replaces that led to this one: stays what it is.
    pub origin: u64,
    /// The instrument's number.
    pub instrument: usize,
    /// Its side.
    pub side: Side,
    /// Shares left, above 0.
    pub shares: u32,
    /// Its price.
    pub price: u32,
    /// The participant, where it is named.
    pub participant: Option<[u8; 4]>,
}

/// A trade that was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::synth) struct Print {
    /// Shares in all.
    pub shares: u64,
    /// Their price.
    pub price: u32,
}
