//! What is kept of each instrument: one cache line, with its best prices in it.

use super::levels::{ASKS, BIDS, NONE};
use super::{Bbo, Phase, Quote};
use feed_common::event::{NO_SYMBOL, Price, Side};
use zerocopy::FromZeros;

/// One side of an instrument.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C)]
pub(super) struct Half {
    best_price: i64,
    best_quantity: u64,
    /// The first block of its ladder.
    pub top: u32,
    /// The slot of its best level.
    pub best: u32,
}

impl Half {
    const EMPTY: Half = Half {
        best_price: Price::NULL.0,
        best_quantity: 0,
        top: NONE,
        best: NONE,
    };

    /// The best price.
    #[inline(always)]
    pub fn quote(&self) -> Quote {
        Quote {
            price: Price(self.best_price),
            quantity: self.best_quantity,
        }
    }

    /// Another level is the best one.
    #[inline(always)]
    pub fn turn_to(&mut self, level: u32, quote: Quote) {
        self.best = level;
        (self.best_price, self.best_quantity) = (quote.price.0, quote.quantity);
    }

    /// The quantity at the best price is another.
    #[inline(always)]
    pub fn resize(&mut self, quantity: u64) {
        self.best_quantity = quantity;
    }
}

/// What a book is made of, by what its feed has said first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
#[repr(u8)]
pub(super) enum Kept {
    Nothing = 0,
    Orders,
    Levels,
    Quotes,
    /// Numbered levels; ranked orders may be beside them.
    Slots,
    /// Ranked orders only.
    Ranked,
}

impl Kept {
    /// True where there may be single orders.
    pub fn is_of_orders(self) -> bool {
        self == Kept::Orders || self.is_ranked()
    }

    /// True where its single orders, if any, are ranked.
    #[inline(always)]
    pub fn is_ranked(self) -> bool {
        matches!(self, Kept::Slots | Kept::Ranked)
    }
}

/// One instrument. Zeroed it is one of which nothing has been heard.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C, align(64))]
pub(super) struct Instrument {
    /// By [`BIDS`] and [`ASKS`].
    halves: [Half; 2],
    pub symbol: [u8; 8],
    pub kept: Kept,
    pub phase: Phase,
    pub suspect: bool,
    /// It was crossed when an event ended.
    pub crossed: bool,
    /// Whether it is crossed is judged when the event ends.
    pub doubtful: bool,
    /// True from its first event on.
    pub known: bool,
    /// How many numbered levels are kept of its real and of its implied book.
    pub depths: [u8; 2],
}

const _: () = assert!(size_of::<Instrument>() == 64);

impl Instrument {
    /// An empty book with so many numbered levels.
    pub fn new(phase: Phase, depths: [u8; 2]) -> Instrument {
        Instrument {
            halves: [Half::EMPTY; 2],
            symbol: NO_SYMBOL,
            kept: Kept::Nothing,
            phase,
            suspect: false,
            crossed: false,
            doubtful: false,
            known: true,
            depths,
        }
    }

    #[inline(always)]
    pub fn half(&self, side: u32) -> &Half {
        &self.halves[side as usize & 1]
    }

    #[inline(always)]
    pub fn half_mut(&mut self, side: u32) -> &mut Half {
        &mut self.halves[side as usize & 1]
    }

    pub fn bbo(&self) -> Bbo {
        Bbo {
            bid: self.half(BIDS).quote(),
            ask: self.half(ASKS).quote(),
        }
    }

    /// True when the best bid is above the best offer, both being there, while the instrument trades.
    #[inline(always)]
    pub fn is_crossed(&self) -> bool {
        let [bid, ask] = [BIDS, ASKS].map(|side| self.half(side).best_price);
        bid > ask && ask != Price::NULL.0 && self.phase.is_continuous()
    }
}

/// The side as an index; `None` for what is no side. Which of the two it is, nobody can foresee: no branch on that.
#[inline(always)]
pub(super) fn side_of(side: Side) -> Option<u32> {
    let sells = side == Side::SELL;
    (sells | (side == Side::BUY)).then_some(u32::from(sells))
}

/// The side of an index.
#[inline]
pub(super) fn side_at(side: u32) -> Side {
    if side == BIDS { Side::BUY } else { Side::SELL }
}
