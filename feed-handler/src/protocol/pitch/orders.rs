//! The live orders of a channel: what PITCH says once, when an order enters, and takes for known afterwards.
//!
//! Open addressing with linear probing, at most half full, without tombstones: behind an order that leaves, those that it
//! had pushed on move up. All memory is reserved when the table is made, and none of it touched.

use feed_common::event::{NO_INSTRUMENT, Price};
use feed_common::sys::Circle;
use zerocopy::FromZeros;

/// What is known of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub instrument: u32,
    /// What remains, above 0.
    pub quantity: u32,
    pub price: Price,
}

/// Where an order is, or could be put.
pub(super) type Found = Result<u32, u32>;

#[derive(Debug)]
pub(super) struct Orders {
    places: Circle<Place>,
    /// What makes a hash an index.
    shift: u32,
    live: usize,
    limit: usize,
}

/// A place without an order has quantity 0.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C)]
struct Place {
    order_id: u64,
    price: i64,
    quantity: u32,
    /// The unit in the highest 8 bits, the instrument below them.
    whose: u32,
}

/// The highest instrument number that fits beside a unit stands for none.
pub(super) const INSTRUMENTS_MAX: usize = (1 << 24) - 1;

impl Orders {
    /// Room for `limit` live orders.
    ///
    /// # Panics
    ///
    /// Where there is not so much address space, as wherever memory cannot be had.
    pub fn with_room(limit: usize) -> Orders {
        let limit = limit.clamp(1, Circle::<Place>::LEN_MAX / 2);
        let places = match Circle::zeroed(limit * 2) {
            Ok(places) => places,
            Err(e) => panic!("a table of {limit} orders: {e}"),
        };
        Orders {
            shift: u64::BITS - places.len().ilog2(),
            places,
            live: 0,
            limit,
        }
    }

    /// Looks for an order.
    #[inline(always)]
    pub fn seek(&self, unit: u8, order_id: u64) -> Found {
        let mut at = self.home(order_id);
        loop {
            let place = &self.places[at];
            if place.quantity == 0 {
                return Err(at);
            }
            if place.order_id == order_id && place.unit() == unit {
                return Ok(at);
            }
            at = self.after(at);
        }
    }

    /// The order at a place where [`Orders::seek`] found it.
    #[inline(always)]
    pub fn at(&self, at: u32) -> Order {
        let place = &self.places[at];
        Order {
            instrument: place.instrument(),
            quantity: place.quantity,
            price: Price(place.price),
        }
    }

    /// Puts an order where [`Orders::seek`] has said, over the one that is there or into the vacant place. False, changing
    /// nothing, when there is no room for another.
    #[inline(always)]
    pub fn put(&mut self, found: Found, unit: u8, order_id: u64, order: Order) -> bool {
        let at = match found {
            Ok(at) => at,
            Err(_) if self.live == self.limit => return false,
            Err(vacant) => {
                self.live += 1;
                vacant
            }
        };
        self.places[at] = Place {
            order_id,
            price: order.price.0,
            quantity: order.quantity,
            whose: u32::from(unit) << 24 | order.instrument & INSTRUMENTS_MAX as u32,
        };
        true
    }

    /// Sets what remains of an order, which leaves when that is nothing.
    #[inline(always)]
    pub fn resize(&mut self, at: u32, quantity: u32) {
        match quantity {
            0 => self.remove(at),
            _ => self.places[at].quantity = quantity,
        }
    }

    /// Sets the price of an order.
    #[inline(always)]
    pub fn reprice(&mut self, at: u32, price: Price) {
        self.places[at].price = price.0;
    }

    /// Takes an order out.
    #[inline(always)]
    pub fn remove(&mut self, at: u32) {
        self.live -= 1;
        // Most often nobody is behind it.
        if self.places[self.after(at)].quantity == 0 {
            self.places[at].quantity = 0;
        } else {
            self.move_up(at);
        }
    }

    /// Takes all orders of a unit out and shows the instrument of each. Takes time by the size of the table.
    #[cold]
    pub fn remove_unit(&mut self, unit: u8, mut each: impl FnMut(u32)) {
        for at in 0..self.places.len() as u32 {
            // Another may move up to the place of one that left. What moves from the beginning of the table around to its
            // end has been looked at.
            while self.places[at].quantity != 0 && self.places[at].unit() == unit {
                each(self.places[at].instrument());
                self.remove(at);
            }
        }
    }

    /// Takes all orders out. Takes time by the size of the table if there are any.
    pub fn clear(&mut self) {
        if self.live > 0 {
            (0..self.places.len() as u32).for_each(|at| self.places[at].quantity = 0);
            self.live = 0;
        }
    }

    /// The instrument of whatever lies where an order is looked for first: most often that order.
    #[inline(always)]
    pub fn guess(&self, order_id: u64) -> u32 {
        self.places[self.home(order_id)].instrument()
    }

    /// Fills the place of an order that left with those behind it that hash to it or before.
    #[inline(never)]
    fn move_up(&mut self, left: u32) {
        let (mut hole, mut at) = (left, left);
        loop {
            at = self.after(at);
            let place = self.places[at];
            if place.quantity == 0 {
                break;
            }
            let mask = self.places.mask();
            let from_home = at.wrapping_sub(self.home(place.order_id)) & mask;
            let from_hole = at.wrapping_sub(hole) & mask;
            if from_home >= from_hole {
                self.places[hole] = place;
                hole = at;
            }
        }
        self.places[hole].quantity = 0;
    }

    /// Multiply-shift: the upper bits of the product spread numbers that come in rows evenly over the table. The unit is
    /// left out, so that [`Orders::guess`] can do without: the numbers of an exchange differ between its units.
    #[inline(always)]
    fn home(&self, order_id: u64) -> u32 {
        (order_id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as u32
    }

    #[inline(always)]
    fn after(&self, at: u32) -> u32 {
        at.wrapping_add(1) & self.places.mask()
    }
}

impl Place {
    #[inline(always)]
    fn unit(&self) -> u8 {
        (self.whose >> 24) as u8
    }

    #[inline(always)]
    fn instrument(&self) -> u32 {
        match self.whose & INSTRUMENTS_MAX as u32 {
            none if none == INSTRUMENTS_MAX as u32 => NO_INSTRUMENT,
            instrument => instrument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn order(instrument: u32, quantity: u32) -> Order {
        Order {
            instrument,
            quantity,
            price: Price(i64::from(quantity) - 3),
        }
    }

    #[test]
    fn a_full_table_refuses_and_keeps_what_it_has() {
        let mut t = Orders::with_room(2);
        assert!(t.put(t.seek(1, 10), 1, 10, order(0, 5)));
        assert!(t.put(t.seek(2, 10), 2, 10, order(NO_INSTRUMENT, 6)));
        assert!(!t.put(t.seek(1, 11), 1, 11, order(0, 7)), "no room");
        assert!(t.put(t.seek(1, 10), 1, 10, order(9, 8)), "over itself");
        assert_eq!(t.at(t.seek(1, 10).unwrap()), order(9, 8));
        assert_eq!(t.at(t.seek(2, 10).unwrap()), order(NO_INSTRUMENT, 6));
        assert!(t.seek(1, 11).is_err());
        t.clear();
        assert!(t.seek(1, 10).is_err() && t.seek(2, 10).is_err());
        assert!(t.put(t.seek(1, 11), 1, 11, order(0, 7)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u8, u64, u32),
        Resize(u8, u64, u32),
        Reprice(u8, u64),
        RemoveUnit(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Few numbers, of few units, so that they meet; some that hash to the end of the table, where it wraps around.
        let id = prop_oneof![0u64..24, (0u64..8).prop_map(|i| u64::MAX - i * 7)];
        prop_oneof![
            6 => (0u8..3, id.clone(), 1u32..9).prop_map(|(u, i, q)| Step::Put(u, i, q)),
            6 => (0u8..3, id.clone(), 0u32..4).prop_map(|(u, i, q)| Step::Resize(u, i, q)),
            1 => (0u8..3, id).prop_map(|(u, i)| Step::Reprice(u, i)),
            1 => (0u8..3).prop_map(Step::RemoveUnit),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_hash_map(steps in prop::collection::vec(step(), 0..400)) {
            const ROOM: usize = 16;
            let mut table = Orders::with_room(ROOM);
            let mut model = HashMap::<(u8, u64), Order>::new();
            for step in steps {
                match step {
                    Step::Put(unit, id, quantity) => {
                        let new = order(id as u32 & 0xFFFF, quantity);
                        let room = model.len() < ROOM || model.contains_key(&(unit, id));
                        prop_assert_eq!(table.put(table.seek(unit, id), unit, id, new), room);
                        if room {
                            model.insert((unit, id), new);
                        }
                    }
                    Step::Resize(unit, id, quantity) => {
                        if let Ok(at) = table.seek(unit, id) {
                            table.resize(at, quantity);
                        }
                        match model.get_mut(&(unit, id)) {
                            Some(order) if quantity > 0 => order.quantity = quantity,
                            _ => _ = model.remove(&(unit, id)),
                        }
                    }
                    Step::Reprice(unit, id) => {
                        if let Ok(at) = table.seek(unit, id) {
                            table.reprice(at, Price(77));
                        }
                        if let Some(order) = model.get_mut(&(unit, id)) {
                            order.price = Price(77);
                        }
                    }
                    Step::RemoveUnit(unit) => {
                        let mut gone = Vec::new();
                        table.remove_unit(unit, |instrument| gone.push(instrument));
                        let of_unit = |key: &(u8, u64)| key.0 == unit;
                        let all = model.iter().filter(|(key, _)| of_unit(key));
                        let mut want: Vec<_> = all.map(|(_, o)| o.instrument).collect();
                        gone.sort();
                        want.sort();
                        prop_assert_eq!(gone, want);
                        model.retain(|key, _| !of_unit(key));
                    }
                }
                prop_assert_eq!(table.live, model.len());
                for (&(unit, id), order) in &model {
                    let found = table.seek(unit, id);
                    prop_assert_eq!(found.map(|at| table.at(at)), Ok(*order));
                }
                let used = (0..table.places.len() as u32).filter(|&at| table.places[at].quantity > 0);
                prop_assert_eq!(used.count(), model.len());
            }
        }
    }
}
