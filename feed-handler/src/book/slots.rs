//! Books of numbered levels: the exchange's own slots, kept as it numbers them.
//!
//! What a feed has not said of a slot since it was joined is not known: a level that moves up leaves an unknown one
//! behind, and nothing is renumbered because of it.

use super::{Level, Quote};
use feed_common::event::{Price, SlotAction};
use std::hint::select_unpredictable;
use zerocopy::FromZeros;

/// Levels of a real and of an implied book that are kept at most; feeds number fewer.
pub(super) const DEPTHS_MAX: [u8; 2] = [20, 4];

/// Levels where the feed has not said how many: those of most instruments of CME.
const DEPTHS_UNSAID: [u8; 2] = [10, 2];

/// How many levels are kept of the real and of the implied book, of which the feed says so many (0: it does not say).
pub(super) fn depths(said: [u8; 2]) -> [u8; 2] {
    let of = |book: usize| match said[book] {
        0 => DEPTHS_UNSAID[book],
        n => n.min(DEPTHS_MAX[book]),
    };
    [of(0), of(1)]
}

/// One level. Zeroed it is one that is not known; of such a one nothing else counts.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C)]
pub(super) struct Slot {
    price: i64,
    quantity: u64,
    /// One more than how many orders; 0 where the feed does not say.
    orders: u32,
    known: u32,
}

impl Slot {
    const UNKNOWN: Slot = Slot {
        price: 0,
        quantity: 0,
        orders: 0,
        known: 0,
    };

    #[inline(always)]
    pub fn new(level: Level) -> Slot {
        Slot {
            price: level.price.0,
            quantity: level.quantity,
            orders: level.orders.map_or(0, |n| n.saturating_add(1)),
            known: 1,
        }
    }

    fn level(&self) -> Option<Level> {
        (self.known != 0).then(|| Level {
            price: Price(self.price),
            quantity: self.quantity,
            orders: self.orders.checked_sub(1),
        })
    }
}

/// Places of a side's levels, in the order of the levels, [`BITS`] bits each and the first lowest. Zeroed they lie as the
/// levels do.
///
/// Levels that move up or down are renumbered and stay where they are: what an event costs does not depend on how many
/// it moves, and there is no branch on it.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(transparent)]
struct Places(u128);

/// Bits of a place.
const BITS: usize = 5;

const _: () =
    assert!(DEPTHS_MAX[0] < 1 << BITS && DEPTHS_MAX[0] as usize * BITS <= u128::BITS as usize);

impl Places {
    /// What is stored for each level is its place XOR its index.
    const INDICES: u128 = {
        let (mut all, mut i) = (0, 0);
        while i < DEPTHS_MAX[0] {
            all |= (i as u128) << (BITS * i as usize);
            i += 1;
        }
        all
    };

    /// The place of a level, by its index.
    #[inline(always)]
    fn of(self, level: usize) -> usize {
        Places::field(self.0 ^ Places::INDICES, level)
    }

    #[inline(always)]
    fn field(all: u128, level: usize) -> usize {
        (all >> (BITS * level)) as usize % (1 << BITS)
    }

    /// Takes a level out, which moves those behind it up, and puts it in before the one that is `to` then, which moves
    /// those from there on down. Returns its place.
    #[inline(always)]
    fn turn(&mut self, from: usize, to: usize) -> usize {
        let before = |level: usize| (1 << (BITS * level)) - 1;
        let all = self.0 ^ Places::INDICES;
        let place = Places::field(all, from);
        let rest = all & before(from) | all >> BITS & !before(from);
        let all = rest & before(to) | (place as u128) << (BITS * to) | (rest & !before(to)) << BITS;
        self.0 = all ^ Places::INDICES;
        place
    }
}

/// The slots of an instrument. Zeroed nothing of them is known. Those beyond the depth never are.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C, align(64))]
pub(super) struct SlotBook {
    /// Of the real and the implied book, by side.
    places: [[Places; 2]; 2],
    real: [[Slot; DEPTHS_MAX[0] as usize]; 2],
    implied: [[Slot; DEPTHS_MAX[1] as usize]; 2],
}

impl SlotBook {
    /// The places of a side's levels, and what lies there.
    #[inline(always)]
    fn side(&self, implied: bool, side: u32) -> (Places, &[Slot]) {
        let side = side as usize & 1;
        let slots: &[Slot] = match implied {
            false => &self.real[side],
            true => &self.implied[side],
        };
        (self.places[usize::from(implied)][side], slots)
    }

    #[inline(always)]
    fn side_mut(&mut self, implied: bool, side: u32) -> (&mut Places, &mut [Slot]) {
        let side = side as usize & 1;
        let slots: &mut [Slot] = match implied {
            false => &mut self.real[side],
            true => &mut self.implied[side],
        };
        (&mut self.places[usize::from(implied)][side], slots)
    }

    /// Does what the feed says to the slots of one side, of which there are `depth`; `level` is from 1 to that, and
    /// `slot` what is there now, where the action says so.
    #[inline(always)]
    pub fn apply(
        &mut self,
        side: (bool, u32),
        depth: u8,
        action: SlotAction,
        level: u8,
        slot: Slot,
    ) {
        use SlotAction::{Delete, DeleteFrom, DeleteThru, New};
        debug_assert!(0 < level && level <= depth && depth <= DEPTHS_MAX[usize::from(side.0)]);
        let (at, last) = (usize::from(level - 1), usize::from(depth - 1));
        if matches!(action, DeleteThru | DeleteFrom) {
            return self.delete_many(side, action == DeleteThru, at, last);
        }
        // A level that is new takes the place of the last one, and one that is gone leaves its place to that. Which of
        // them it is, nobody can foresee: no branch on that.
        let (new, gone) = (action == New, action == Delete);
        let (places, slots) = self.side_mut(side.0, side.1);
        let place = places.turn(
            select_unpredictable(new, last, at),
            select_unpredictable(gone, last, at),
        );
        slots[place] = Slot {
            known: u32::from(!gone),
            ..slot
        };
    }

    /// A level and all better ones are gone, or all worse ones.
    #[cold]
    fn delete_many(&mut self, (implied, side): (bool, u32), better: bool, at: usize, last: usize) {
        let (places, slots) = self.side_mut(implied, side);
        match better {
            true => (0..=at).for_each(|_| slots[places.turn(0, last)] = Slot::UNKNOWN),
            false => (at..=last).for_each(|level| slots[places.of(level)] = Slot::UNKNOWN),
        }
    }

    /// Forgets what lies beyond these depths.
    pub fn cut(&mut self, depths: [u8; 2]) {
        for side in [0, 1] {
            for (implied, depth) in [false, true].into_iter().zip(depths) {
                let (places, slots) = self.side_mut(implied, side);
                for level in usize::from(depth)..slots.len() {
                    slots[places.of(level)] = Slot::UNKNOWN;
                }
            }
        }
    }

    /// The first real level of a side, where it is known.
    #[inline(always)]
    pub fn best(&self, side: u32) -> Quote {
        let (places, slots) = self.side(false, side);
        let slot = &slots[places.of(0)];
        match slot.known {
            0 => Quote::EMPTY,
            _ => Quote {
                price: Price(slot.price),
                quantity: slot.quantity,
            },
        }
    }

    /// Visits the known levels of a side with their numbers.
    pub fn visit(&self, implied: bool, side: u32, visit: &mut dyn FnMut(u32, Level)) {
        let (places, slots) = self.side(implied, side);
        for (number, at) in (1..).zip(0..slots.len()) {
            if let Some(level) = slots[places.of(at)].level() {
                visit(number, level);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zerocopy::FromZeros;

    const DEPTH: u8 = 4;

    fn slot(price: i64) -> Slot {
        Slot::new(Level {
            price: Price(price),
            quantity: 1,
            orders: Some(0),
        })
    }

    /// The side after `actions`, begun with levels 10, 20, 30 and 40; unknown ones are 0.
    fn after(actions: &[(SlotAction, u8, i64)]) -> [i64; 4] {
        let mut book = SlotBook::new_zeroed();
        for (level, price) in (1..).zip([10, 20, 30, 40]) {
            book.apply((true, 1), DEPTH, SlotAction::Overlay, level, slot(price));
        }
        for &(action, level, price) in actions {
            book.apply((true, 1), DEPTH, action, level, slot(price));
        }
        let mut all = [0; 4];
        book.visit(true, 1, &mut |number, level| {
            all[number as usize - 1] = level.price.0;
        });
        book.visit(true, 0, &mut |_, _| panic!("the other side"));
        book.visit(false, 1, &mut |_, _| panic!("the other book"));
        assert_eq!(book.best(1), Quote::EMPTY);
        all
    }

    #[test]
    fn every_action_by_hand() {
        use SlotAction::*;
        assert_eq!(after(&[]), [10, 20, 30, 40]);
        assert_eq!(after(&[(New, 1, 5)]), [5, 10, 20, 30]);
        assert_eq!(after(&[(New, 3, 25)]), [10, 20, 25, 30]);
        assert_eq!(after(&[(New, 4, 35)]), [10, 20, 30, 35]);
        assert_eq!(after(&[(Change, 2, 21)]), [10, 21, 30, 40]);
        assert_eq!(after(&[(Overlay, 4, 41)]), [10, 20, 30, 41]);
        assert_eq!(after(&[(Delete, 1, 0)]), [20, 30, 40, 0]);
        assert_eq!(after(&[(Delete, 4, 0)]), [10, 20, 30, 0]);
        assert_eq!(after(&[(DeleteThru, 1, 0)]), [20, 30, 40, 0]);
        assert_eq!(after(&[(DeleteThru, 3, 0)]), [40, 0, 0, 0]);
        assert_eq!(after(&[(DeleteThru, 4, 0)]), [0; 4]);
        assert_eq!(after(&[(DeleteFrom, 4, 0)]), [10, 20, 30, 0]);
        assert_eq!(after(&[(DeleteFrom, 2, 0)]), [10, 0, 0, 0]);
        assert_eq!(after(&[(DeleteFrom, 1, 0)]), [0; 4]);
        // An unknown slot moves like any other.
        assert_eq!(after(&[(Delete, 1, 0), (New, 1, 5)]), [5, 20, 30, 40]);
        assert_eq!(after(&[(DeleteFrom, 2, 0), (New, 1, 5)]), [5, 10, 0, 0]);
        assert_eq!(after(&[(DeleteFrom, 1, 0), (Change, 3, 7)]), [0, 0, 7, 0]);
    }

    proptest! {
        /// Whatever is said to a side of any depth, its levels are those of a list in which they move.
        #[test]
        fn levels_are_where_a_list_has_them(
            depth in 1u8..=DEPTHS_MAX[0],
            said in prop::collection::vec((0usize..6, 1u8..=DEPTHS_MAX[0], 1i64..100), 0..200),
        ) {
            use SlotAction::*;
            let mut book = SlotBook::new_zeroed();
            let mut list = vec![None; depth.into()];
            for (action, level, price) in said {
                let action = [New, Change, Delete, DeleteThru, DeleteFrom, Overlay][action];
                let level = level.min(depth);
                let at = usize::from(level) - 1;
                book.apply((false, 1), depth, action, level, slot(price));
                match action {
                    New => list.insert(at, Some(price)),
                    Change | Overlay => list[at] = Some(price),
                    Delete => {
                        list.remove(at);
                    }
                    DeleteThru => {
                        list.drain(..=at);
                    }
                    DeleteFrom => list.truncate(at),
                }
                list.resize(depth.into(), None);
                let mut all = vec![None; depth.into()];
                book.visit(false, 1, &mut |number, level| all[number as usize - 1] = Some(level.price.0));
                prop_assert_eq!(&all, &list);
                let best = list[0].map_or(Price::NULL, Price);
                prop_assert_eq!(book.best(1).price, best);
                prop_assert_eq!(book.best(0), Quote::EMPTY);
            }
        }
    }

    #[test]
    fn depths_are_those_said_within_bounds() {
        assert_eq!(depths([0, 0]), [10, 2]);
        assert_eq!(depths([5, 1]), [5, 1]);
        assert_eq!(depths([255, 255]), DEPTHS_MAX);
        let mut book = SlotBook::new_zeroed();
        for level in 1..=3 {
            book.apply((false, 0), 3, SlotAction::Change, level, slot(level.into()));
        }
        book.cut([2, 1]);
        let mut numbers = Vec::new();
        book.visit(false, 0, &mut |number, _| numbers.push(number));
        assert_eq!(numbers, [1, 2]);
        assert_eq!(book.best(0).price, Price(1));
    }
}
