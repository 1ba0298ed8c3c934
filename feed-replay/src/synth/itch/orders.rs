//! The live orders of a session: every message about an order is made from here, so it is right by construction.
//!
//! Orders live in a pool and are named by their place in it. Each instrument keeps its orders in price levels (a
//! sorted array with the best at the end, orders queued by time) and in a plain list to draw random ones from.

use feed_common::event::Side;

/// Place of an order in the pool.
pub type Place = u32;

/// "No order".
const NONE: Place = u32::MAX;

/// A live order.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Order reference number.
    pub id: u64,
    /// Displayed shares left; above 0.
    pub shares: u32,
    /// Price with 4 decimals.
    pub price: u32,
    /// Its side.
    pub side: Side,
    /// Neighbours in the level's queue.
    older: Place,
    newer: Place,
    /// Where the instrument's list holds it.
    listed: u32,
}

/// Orders of one price, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// Price with 4 decimals.
    pub price: u32,
    /// How many orders there are, above 0.
    pub orders: u32,
    /// Their shares.
    pub shares: u64,
    oldest: Place,
    newest: Place,
}

/// Price levels of one side, best at the end.
#[derive(Clone, Debug, Default)]
struct Ladder {
    levels: Vec<Level>,
}

impl Ladder {
    /// Index of the level at `price`, or where it belongs. Nearly all activity is near the best: search from there, and
    /// halve what is left when it was not.
    fn find(&self, side: Side, price: u32) -> Result<usize, usize> {
        let better = |a: u32, b: u32| if side == Side::BUY { a > b } else { a < b };
        let far = self.levels.len().saturating_sub(Self::NEAR);
        for (i, level) in self.levels[far..].iter().enumerate().rev() {
            if level.price == price {
                return Ok(far + i);
            }
            if better(price, level.price) {
                return Err(far + i + 1);
            }
        }
        let worse = |level: &Level| better(price, level.price);
        let index = self.levels[..far].partition_point(worse);
        match self.levels[..far].get(index) {
            Some(level) if level.price == price => Ok(index),
            _ => Err(index),
        }
    }

    /// Levels that are looked at one by one.
    const NEAR: usize = 8;
}

/// The orders of one instrument.
#[derive(Clone, Debug, Default)]
pub struct InstrumentOrders {
    bids: Ladder,
    offers: Ladder,
    all: Vec<Place>,
}

impl InstrumentOrders {
    /// How many orders are live.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The `i`-th order in no particular order, `i < len()`.
    pub fn any(&self, i: usize) -> Place {
        self.all[i]
    }

    /// The best price of a side.
    pub fn best_price(&self, side: Side) -> Option<u32> {
        self.ladder(side).levels.last().map(|level| level.price)
    }

    /// The order that trades next on a side: the oldest at the best price.
    pub fn first_in_line(&self, side: Side) -> Option<Place> {
        self.ladder(side).levels.last().map(|level| level.oldest)
    }

    /// The price levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = &Level> {
        self.ladder(side).levels.iter().rev()
    }

    fn ladder(&self, side: Side) -> &Ladder {
        if side == Side::BUY {
            &self.bids
        } else {
            &self.offers
        }
    }

    /// The level of a live order.
    fn level_mut(&mut self, side: Side, price: u32) -> &mut Level {
        let ladder = self.ladder_mut(side);
        let index = ladder.find(side, price);
        &mut ladder.levels[index.expect("a live order has a level")]
    }

    fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        if side == Side::BUY {
            &mut self.bids
        } else {
            &mut self.offers
        }
    }
}

/// All live orders; places that became free are used again, so memory follows the largest number ever live.
#[derive(Clone, Debug, Default)]
pub struct OrderPool {
    orders: Vec<Order>,
    free: Vec<Place>,
}

impl OrderPool {
    /// The order at a place that is in use.
    #[inline]
    pub fn get(&self, place: Place) -> &Order {
        &self.orders[place as usize]
    }

    #[cfg(test)]
    fn live(&self) -> usize {
        self.orders.len() - self.free.len()
    }

    /// A new order at the end of its level's queue.
    pub fn add(
        &mut self,
        of: &mut InstrumentOrders,
        id: u64,
        side: Side,
        shares: u32,
        price: u32,
    ) -> Place {
        let listed = of.all.len() as u32;
        let ladder = of.ladder_mut(side);
        let index = ladder.find(side, price).unwrap_or_else(|index| {
            ladder.levels.insert(
                index,
                Level {
                    price,
                    orders: 0,
                    shares: 0,
                    oldest: NONE,
                    newest: NONE,
                },
            );
            index
        });
        let level = &mut ladder.levels[index];
        level.orders += 1;
        level.shares += u64::from(shares);
        let order = Order {
            id,
            shares,
            price,
            side,
            older: level.newest,
            newer: NONE,
            listed,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.orders[place as usize] = order;
                place
            }
            None => {
                self.orders.push(order);
                (self.orders.len() - 1) as Place
            }
        };
        if order.older == NONE {
            level.oldest = place;
        } else {
            self.orders[order.older as usize].newer = place;
        }
        level.newest = place;
        of.all.push(place);
        place
    }

    /// Takes `shares` (at most what is left) from an order; one that has none left is gone.
    pub fn reduce(&mut self, of: &mut InstrumentOrders, place: Place, shares: u32) {
        let order = &mut self.orders[place as usize];
        assert!(
            shares <= order.shares,
            "an order cannot lose more than it has"
        );
        if shares == order.shares {
            return self.remove(of, place);
        }
        order.shares -= shares;
        let (side, price) = (order.side, order.price);
        of.level_mut(side, price).shares -= u64::from(shares);
    }

    /// The order leaves.
    pub fn remove(&mut self, of: &mut InstrumentOrders, place: Place) {
        let order = self.orders[place as usize];
        let ladder = of.ladder_mut(order.side);
        let index = ladder
            .find(order.side, order.price)
            .expect("a live order has a level");
        let level = &mut ladder.levels[index];
        level.orders -= 1;
        level.shares -= u64::from(order.shares);
        match order.older {
            NONE => level.oldest = order.newer,
            older => self.orders[older as usize].newer = order.newer,
        }
        match order.newer {
            NONE => level.newest = order.older,
            newer => self.orders[newer as usize].older = order.older,
        }
        if level.oldest == NONE {
            ladder.levels.remove(index);
        }
        of.all.swap_remove(order.listed as usize);
        if let Some(&moved) = of.all.get(order.listed as usize) {
            self.orders[moved as usize].listed = order.listed;
        }
        self.free.push(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a plain list of orders in the sequence of their arrival.
        #[test]
        fn pool_agrees_with_a_plain_list(ops in prop::collection::vec((0u8..4, 0u32..40, 1u32..5, any::<u16>()), 1..300)) {
            let (mut pool, mut of) = (OrderPool::default(), InstrumentOrders::default());
            let mut model: Vec<(u64, Side, u32, u32)> = Vec::new();
            for (n, (op, price, shares, pick)) in ops.into_iter().enumerate() {
                let side = if pick & 1 == 0 { Side::BUY } else { Side::SELL };
                if op < 2 || of.is_empty() {
                    pool.add(&mut of, n as u64, side, shares, price);
                    model.push((n as u64, side, shares, price));
                } else {
                    let place = of.any(pick as usize % of.len());
                    let order = *pool.get(place);
                    let at = model.iter().position(|m| m.0 == order.id).unwrap();
                    prop_assert_eq!(model[at], (order.id, order.side, order.shares, order.price));
                    if op == 2 && order.shares > 1 {
                        pool.reduce(&mut of, place, 1);
                        model[at].2 -= 1;
                    } else {
                        pool.reduce(&mut of, place, order.shares);
                        model.remove(at);
                    }
                }
                prop_assert_eq!((of.len(), pool.live()), (model.len(), model.len()));
                for side in [Side::BUY, Side::SELL] {
                    let on_side = model.iter().filter(|m| m.1 == side);
                    let best = if side == Side::BUY { on_side.map(|m| m.3).max() } else { on_side.map(|m| m.3).min() };
                    prop_assert_eq!(of.best_price(side), best);
                    let first = model.iter().find(|m| m.1 == side && Some(m.3) == best).map(|m| m.0);
                    prop_assert_eq!(of.first_in_line(side).map(|p| pool.get(p).id), first);
                    let mut levels = BTreeMap::<u32, (u32, u64)>::new();
                    for m in model.iter().filter(|m| m.1 == side) {
                        let level = levels.entry(m.3).or_default();
                        *level = (level.0 + 1, level.1 + u64::from(m.2));
                    }
                    let mut levels: Vec<_> = levels.into_iter().collect();
                    if side == Side::BUY {
                        levels.reverse();
                    }
                    let have: Vec<_> = of.levels(side).map(|l| (l.price, (l.orders, l.shares))).collect();
                    prop_assert_eq!(have, levels);
                }
            }
        }
    }
}
