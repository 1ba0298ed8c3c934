//! An instrument: what is fixed for the day, what it is worth, its orders, and whether it trades.

use super::orders::{InstrumentOrders, Place};
use super::price::FairPrice;
use super::tape::Name;
use crate::synth::instruments::symbol;
use crate::synth::rng::Rng;
use feed_common::event::Side;

/// Participants by name: market makers register per instrument, and their names are on their orders.
pub const PARTICIPANTS: [[u8; 4]; 12] = [
    *b"NITE", *b"CDRG", *b"ETMM", *b"HRTF", *b"UBSS", *b"MSCO", *b"GSCO", *b"JPMS", *b"VIRT",
    *b"SUSQ", *b"WCHV", *b"LEHM",
];

/// How an instrument comes to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// As on every other day.
    Ordinary,
    /// For the first time, sold to the public.
    Offering,
    /// For the first time, listed directly, with new capital.
    Direct,
}

/// Why an instrument does not trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halt {
    /// News are expected.
    News,
    /// The price moved too fast: a limit up, limit down pause.
    Volatility,
    /// The circuit breaker of all markets.
    Breaker,
    /// It has not been listed yet.
    Listing,
}

/// What may happen to an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Before its opening cross: orders gather, and may cross each other.
    Opening,
    /// Everything.
    Trading,
    /// Orders can be withdrawn, nothing else.
    Halted(Halt),
    /// Orders gather for the cross that ends a halt, and may cross each other.
    Quoting(Halt),
    /// Nasdaq alone has stopped: orders can be withdrawn.
    Suspended,
    /// After the closing cross: orders leave, few come.
    Closed,
}

/// An instrument and its state.
pub struct Instrument {
    /// Locate and symbol.
    pub name: Name,
    /// How it comes to trade.
    pub listing: Listing,
    /// Market it is listed on.
    pub category: u8,
    /// Price step, in prices with 4 decimals: a cent, or a hundredth of one below a dollar.
    pub tick: u32,
    /// Shares of a round lot.
    pub lot: u32,
    /// What it is worth.
    pub fair: FairPrice,
    /// Distance of the innermost new quotes from the fair price, in ticks; at least 1.
    pub half_spread: i64,
    /// Mean distance of new orders from the innermost, in ticks.
    pub depth: u64,
    /// Orders it tends to have.
    pub target: u64,
    /// Quotes far away that its market makers have still to place.
    pub stubs: u8,
    /// Its two registered market makers.
    pub makers: [[u8; 4]; 2],
    /// Whether it trades.
    pub state: State,
    /// Live orders.
    pub orders: InstrumentOrders,
    /// Shares to buy and to sell that wait, hidden, for the coming auction.
    pub interest: [u64; 2],
}

impl Instrument {
    /// One in so many costs less than a dollar.
    const PENNY_ONE_IN: u64 = 12;

    /// The instrument number `index` of the day, the `rank`-th by activity, with `target` orders.
    pub fn new(rng: &mut Rng, index: u16, rank: usize, target: u64) -> Instrument {
        // From 3 to 768 dollars, low prices as common as high ones on a scale of doublings; or from 5 to 39 cents, which
        // nothing that can happen brings to a dollar.
        let (tick, ticks) = if rng.chance(1, Self::PENNY_ONE_IN) {
            (1, rng.between(500, 3_900) as u32)
        } else {
            let base = 300u32 << rng.below(8);
            (100, base + rng.below(base.into()) as u32)
        };
        // Little traded instruments have wide spreads, dear ones deep books.
        let wide = 1 + rank as u64 / 16 % 8;
        let dear = u64::from(ticks / 4_096);
        let maker = rng.below(PARTICIPANTS.len() as u64) as usize;
        let categories = b"QQQGSNAPZ";
        Instrument {
            name: Name {
                locate: index + 1,
                symbol: symbol(index),
            },
            listing: Listing::Ordinary,
            category: categories[rng.below(categories.len() as u64) as usize],
            tick,
            lot: match u64::from(ticks) * u64::from(tick) {
                0..=2_500_000 => 100,
                2_500_001..=10_000_000 => 40,
                _ => 10,
            },
            fair: FairPrice::new(rng, ticks),
            half_spread: rng.between(1, wide + dear / 4) as i64,
            depth: rng.between(4, 12) + dear,
            target,
            stubs: if target >= 50 { 4 } else { 0 },
            makers: [
                PARTICIPANTS[maker],
                PARTICIPANTS[(maker + 5) % PARTICIPANTS.len()],
            ],
            state: State::Opening,
            orders: InstrumentOrders::default(),
            interest: [0; 2],
        }
    }

    /// True when orders can only be withdrawn.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Halted(_) | State::Suspended)
    }

    /// True when orders may cross each other.
    pub fn is_gathering(&self) -> bool {
        matches!(self.state, State::Opening | State::Quoting(_))
    }

    /// The best price of a side in ticks.
    pub fn best(&self, side: Side) -> Option<i64> {
        let price = self.orders.best_price(side)?;
        Some(i64::from(price / self.tick))
    }

    /// The order that an aggressor would take from `side`: none when all there is lies far from the fair price.
    pub fn marketable(&self, side: Side) -> Option<Place> {
        let (best, fair) = (self.best(side)?, self.fair.below());
        let near = best * 4 >= fair * 3 && best * 3 <= fair * 4;
        near.then(|| self.orders.first_in_line(side)).flatten()
    }

    /// The side whose best quote the fair price has reached, if any.
    pub fn overtaken(&self) -> Option<Side> {
        let reached = |best: Option<i64>, of: fn(i64, i64) -> bool, fair| {
            best.is_some_and(|best| of(best, fair))
        };
        if reached(
            self.best(Side::SELL),
            |best, fair| best < fair,
            self.fair.above(),
        ) {
            return Some(Side::SELL);
        }
        let bid = reached(
            self.best(Side::BUY),
            |best, fair| best > fair,
            self.fair.below(),
        );
        bid.then_some(Side::BUY)
    }
}
