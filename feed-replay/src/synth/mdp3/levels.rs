//! The levels that are shown of one side, and how they change.

use crate::synth::told::Total;

/// Levels that are shown.
pub(super) const DEPTH: usize = 10;

/// What becomes of a level, as on the wire.
const NEW: u8 = 0;
const CHANGE: u8 = 1;
const DELETE: u8 = 2;

/// The best levels of a side, best first.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown(Vec<Total>);

impl Shown {
    /// Shows the levels that there are `now`, best first, and says what has to be done to those before: action, number
    /// of the level, and the level. `lives` tells whether there is a level at a price, shown or not: one that is gone is
    /// deleted, one that is pushed out of the depth by a new one leaves without a word.
    pub fn turn(
        &mut self,
        now: impl Iterator<Item = Total>,
        lives: impl Fn(u32) -> bool,
        mut say: impl FnMut(u8, u8, Total),
    ) {
        let shown = &mut self.0;
        for at in (0..shown.len()).rev() {
            if !lives(shown[at].price) {
                say(DELETE, at as u8 + 1, shown.remove(at));
            }
        }
        for (at, total) in now.take(DEPTH).enumerate() {
            match shown.get_mut(at) {
                Some(level) if level.price == total.price => {
                    if *level != total {
                        *level = total;
                        say(CHANGE, at as u8 + 1, total);
                    }
                }
                _ => {
                    shown.insert(at, total);
                    shown.truncate(DEPTH);
                    say(NEW, at as u8 + 1, total);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// A book that does what is said shows what there is.
        #[test]
        fn what_is_said_leads_from_one_book_to_the_next(
            changes in prop::collection::vec((0u32..25, 0u64..4), 0..200),
        ) {
            let mut market = BTreeMap::new();
            let (mut shown, mut slots) = (Shown::default(), Vec::new());
            for (price, shares) in changes {
                match shares {
                    0 => market.remove(&price),
                    _ => market.insert(price, Total { price, shares, orders: 1 }),
                };
                shown.turn(market.values().copied(), |price| market.contains_key(&price), |action, level, total| {
                    let at = usize::from(level) - 1;
                    match action {
                        NEW => {
                            slots.insert(at, total);
                            slots.truncate(DEPTH);
                        }
                        CHANGE => {
                            let slot: &mut Total = &mut slots[at];
                            assert_eq!(slot.price, total.price);
                            *slot = total;
                        }
                        DELETE => assert_eq!(slots.remove(at).price, total.price),
                        other => panic!("action {other}"),
                    }
                });
                let want: Vec<_> = market.values().take(DEPTH).copied().collect();
                prop_assert_eq!(&slots, &want);
            }
        }
    }
}
