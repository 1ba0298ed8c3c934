//! One instrument of the plain books.

use crate::book::{Bbo, Level, Phase, Queued, Quote};
use feed_common::event::{Price, RankedOrder, Side, SlotAction, SlotUpdate};
use std::collections::{BTreeMap, BTreeSet};

/// One instrument.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub symbol: [u8; 8],
    pub kept: Kept,
    pub bids: BTreeMap<Price, Resting>,
    pub asks: BTreeMap<Price, Resting>,
    /// By whether it is the implied book, and side; [`None`] for a level that is not known.
    pub numbered: BTreeMap<(bool, Side), Vec<Option<Level>>>,
    /// In the order in which they came to their places.
    pub ranked: Vec<RankedOrder>,
    pub phase: Phase,
    pub suspect: bool,
    pub crossed: bool,
}

/// What a book is made of, by what its feed has said first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kept {
    #[default]
    Nothing,
    Orders,
    Levels,
    Quotes,
    /// Numbered levels; ranked orders may be beside them.
    Numbered,
    /// Ranked orders only.
    Ranked,
}

/// What rests at a price: orders in their queue, or a total.
#[derive(Clone, Debug, Default)]
pub(super) struct Resting {
    pub quantity: u64,
    pub orders: Option<u32>,
    pub queue: Vec<u64>,
}

impl Book {
    pub fn half(&mut self, side: Side) -> Option<&mut BTreeMap<Price, Resting>> {
        match side {
            Side::BUY => Some(&mut self.bids),
            Side::SELL => Some(&mut self.asks),
            _ => None,
        }
    }

    /// How many price levels there are, those of the exchange's numbers left out.
    pub fn priced(&self) -> usize {
        let ranked: BTreeSet<_> = self.ranked.iter().map(|o| (o.side, o.price)).collect();
        self.bids.len() + self.asks.len() + ranked.len()
    }

    /// Lets a book have so many numbered levels.
    pub fn resize(&mut self, depths: [u8; 2]) {
        for side in [Side::BUY, Side::SELL] {
            for (implied, depth) in [(false, depths[0]), (true, depths[1])] {
                let levels = self.numbered.entry((implied, side)).or_default();
                levels.resize(depth.into(), None);
            }
        }
    }

    /// Does what the feed says to a numbered level that there can be.
    pub fn act(&mut self, m: &SlotUpdate, depth: u8) {
        let levels = self.numbered.entry((m.implied, m.side)).or_default();
        levels.resize(depth.into(), None);
        let at = usize::from(m.level) - 1;
        let level = Some(Level {
            price: m.price,
            quantity: m.quantity,
            orders: m.orders,
        });
        match m.action {
            SlotAction::New => levels.insert(at, level),
            SlotAction::Change | SlotAction::Overlay => levels[at] = level,
            SlotAction::Delete => drop(levels.remove(at)),
            SlotAction::DeleteThru => drop(levels.drain(..=at)),
            SlotAction::DeleteFrom => levels.truncate(at),
        }
        levels.resize(depth.into(), None);
    }

    /// The known numbered levels of a side.
    pub fn numbered(&self, implied: bool, side: Side) -> Vec<(u32, Level)> {
        let levels = self.numbered.get(&(implied, side)).into_iter().flatten();
        let known = (1..).zip(levels);
        known
            .filter_map(|(n, level)| Some((n, (*level)?)))
            .collect()
    }

    /// The ranked orders at a price as they trade.
    pub fn ranked_at(&self, side: Side, price: Price) -> Vec<&RankedOrder> {
        let here = |o: &&RankedOrder| (o.side, o.price) == (side, price);
        let mut queue: Vec<_> = self.ranked.iter().filter(here).collect();
        queue.sort_by_key(|o| o.rank); // those of one rank stay as they came
        queue
    }

    /// The levels of ranked orders, the best first.
    pub fn ranked_levels(&self, side: Side) -> Vec<Level> {
        let of_side = self.ranked.iter().filter(|o| o.side == side);
        let prices: BTreeSet<Price> = of_side.map(|o| o.price).collect();
        let level = |price| {
            let queue = self.ranked_at(side, price);
            Level {
                price,
                quantity: queue.iter().map(|o| o.quantity).sum(),
                orders: Some(queue.len() as u32),
            }
        };
        match side {
            Side::BUY => prices.into_iter().rev().map(level).collect(),
            _ => prices.into_iter().map(level).collect(),
        }
    }

    /// The levels of a side with their numbers.
    pub fn levels(&self, side: Side) -> Vec<(u32, Level)> {
        let level = |(&price, resting): (&Price, &Resting)| {
            let counted = (self.kept == Kept::Orders).then_some(resting.queue.len() as u32);
            Level {
                price,
                quantity: resting.quantity,
                orders: counted.or(resting.orders),
            }
        };
        let levels: Vec<Level> = match (self.kept, side) {
            (Kept::Numbered, _) => return self.numbered(false, side),
            (Kept::Ranked, _) => self.ranked_levels(side),
            (_, Side::BUY) => self.bids.iter().rev().map(level).collect(),
            (_, Side::SELL) => self.asks.iter().map(level).collect(),
            _ => Vec::new(),
        };
        (1..).zip(levels).collect()
    }

    /// The queue at a price: of ranked orders, or the numbers of others.
    pub fn queue(&self, side: Side, price: Price, size: impl Fn(u64) -> u64) -> Vec<Queued> {
        let half = match side {
            Side::BUY => &self.bids,
            _ => &self.asks,
        };
        let ranked = self.ranked_at(side, price);
        let ranked = ranked.iter().map(|o| (o.order_id, o.quantity));
        let others = half.get(&price).map_or(&[][..], |level| &level.queue);
        let others = others.iter().map(|&order_id| (order_id, size(order_id)));
        let all = ranked.chain(others);
        all.map(|(order_id, quantity)| Queued { order_id, quantity })
            .collect()
    }

    pub fn bbo(&self) -> Bbo {
        let quote = |side| match self.levels(side).first() {
            Some(&(
                1,
                Level {
                    price, quantity, ..
                },
            )) => Quote { price, quantity },
            _ => Quote::EMPTY,
        };
        Bbo {
            bid: quote(Side::BUY),
            ask: quote(Side::SELL),
        }
    }

    /// True when the best bid is above the best offer while the instrument trades.
    pub fn is_crossed(&self) -> bool {
        let Bbo { bid, ask } = self.bbo();
        let both = bid.price.is_some() && ask.price.is_some();
        both && bid.price > ask.price && self.phase.is_continuous()
    }
}
