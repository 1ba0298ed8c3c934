//! Books of numbered levels: the exchange's own slots, kept as it numbers them.
//!
//! What a feed has not said of a slot since it was joined is not known: a level that moves up leaves an unknown one
//! behind, and nothing is renumbered because of it.

use super::{Level, Quote};
use feed_common::event::{Price, SlotAction};
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

/// One level. Zeroed it is one that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromZeros)]
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

/// The slots of an instrument. Zeroed nothing of them is known. Those beyond the depth never are.
#[derive(Clone, Copy, Debug, FromZeros)]
#[repr(C, align(64))]
pub(super) struct SlotBook {
    real: [[Slot; DEPTHS_MAX[0] as usize]; 2],
    implied: [[Slot; DEPTHS_MAX[1] as usize]; 2],
}

impl SlotBook {
    fn side(&self, implied: bool, side: u32) -> &[Slot] {
        match implied {
            false => &self.real[side as usize & 1],
            true => &self.implied[side as usize & 1],
        }
    }

    #[inline(always)]
    fn side_mut(&mut self, implied: bool, side: u32) -> &mut [Slot] {
        match implied {
            false => &mut self.real[side as usize & 1],
            true => &mut self.implied[side as usize & 1],
        }
    }

    /// Does what the feed says to the slots of one side, of which there are `depth`; `level` is from 1 to that, and
    /// `slot` what is there now, where the action says so.
    #[inline(always)]
    pub fn apply(
        &mut self,
        (implied, side): (bool, u32),
        depth: u8,
        action: SlotAction,
        level: u8,
        slot: Slot,
    ) {
        debug_assert!(0 < level && level <= depth && depth <= DEPTHS_MAX[usize::from(implied)]);
        let slots = &mut self.side_mut(implied, side)[..usize::from(depth)];
        let (at, last) = (usize::from(level - 1), slots.len() - 1);
        match action {
            SlotAction::New => {
                slots.copy_within(at..last, at + 1);
                slots[at] = slot;
            }
            SlotAction::Change | SlotAction::Overlay => slots[at] = slot,
            SlotAction::Delete => {
                slots.copy_within(at + 1.., at);
                slots[last] = Slot::UNKNOWN;
            }
            SlotAction::DeleteThru => {
                slots.copy_within(at + 1.., 0);
                slots[last - at..].fill(Slot::UNKNOWN);
            }
            SlotAction::DeleteFrom => slots[at..].fill(Slot::UNKNOWN),
        }
    }

    /// Forgets what lies beyond these depths.
    pub fn cut(&mut self, depths: [u8; 2]) {
        for side in [0, 1] {
            for (implied, depth) in [false, true].into_iter().zip(depths) {
                self.side_mut(implied, side)[usize::from(depth)..].fill(Slot::UNKNOWN);
            }
        }
    }

    /// The first real level of a side, where it is known.
    #[inline(always)]
    pub fn best(&self, side: u32) -> Quote {
        let slot = &self.real[side as usize & 1][0];
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
        for (number, slot) in (1..).zip(self.side(implied, side)) {
            if let Some(level) = slot.level() {
                visit(number, level);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
