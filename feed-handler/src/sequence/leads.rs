//! By how much the line that was first was first.

use feed_common::latency::Resolution;

/// Range and resolution of leads: 10 s at two digits, 14 KB a line.
pub const LEAD_RESOLUTION: Resolution = match Resolution::new(10_000_000_000, 2) {
    Ok(resolution) => resolution,
    Err(_) => panic!("within its bounds"),
};

/// Packets that are remembered, more or less: as far as one line may be behind another and still be compared.
const PLACES: usize = 1 << 13;

/// Bits of a time that are kept; the rest of its word is the line. They go round in two years.
const TIME_BITS: u32 = 56;

/// Nothing is here, or its second has come.
const TAKEN: u64 = u64::MAX;

/// Longer leads are none: the two times are of different clocks.
const LEAD_MAX: u64 = 3_600_000_000_000;

/// Who brought each of the last packets first, and when, by the packet's first number.
///
/// A table with one place for each value of a hash: what comes into a place forgets what was there, so nothing is ever
/// searched for or moved. Two healthy lines cost one store and one load a packet; a line that is far behind is compared
/// seldom or not at all, and never wrongly.
#[derive(Debug)]
pub struct Leads {
    places: Box<[Place]>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    key: u64,
    /// The line in the high bits, or [`TAKEN`].
    first: u64,
}

/// What a packet that came for the second time says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The line on which it had been earlier.
    pub line: usize,
    /// By how much.
    pub nanos: u64,
}

impl Leads {
    /// Of a channel with so many lines. One line has no lead, and takes no memory.
    pub fn new(lines: usize) -> Leads {
        let empty = Place {
            key: 0,
            first: TAKEN,
        };
        let places = if lines < 2 { 0 } else { PLACES };
        Leads {
            places: vec![empty; places].into(),
        }
    }

    /// A packet from `number` on, which none had brought before, came in on `line` at `at` nanoseconds.
    #[inline]
    pub fn first(&mut self, line: usize, unit: usize, number: u64, at: u64) {
        let key = key(unit, number);
        // Lines beyond a byte have no place; no feed has as many.
        if let (Some(place), Ok(line)) = (self.places.get_mut(slot(key)), u8::try_from(line)) {
            *place = Place {
                key,
                first: u64::from(line) << TIME_BITS | at & (u64::MAX >> (u64::BITS - TIME_BITS)),
            };
        }
    }

    /// A packet from `number` on that had been brought before came in on `line`: the first time on another line, it says
    /// which of the two was earlier. That can be this one, where stamps know better than the order of processing.
    #[inline]
    pub fn again(&mut self, line: usize, unit: usize, number: u64, at: u64) -> Option<Lead> {
        let key = key(unit, number);
        let place = self.places.get_mut(slot(key))?;
        let first = place.first;
        let other = (first >> TIME_BITS) as usize;
        if place.key != key || first == TAKEN || other == line {
            return None;
        }
        place.first = TAKEN;
        let unused = u64::BITS - TIME_BITS;
        let later = (at.wrapping_sub(first) << unused) as i64 >> unused;
        let nanos = later.unsigned_abs();
        let line = if later < 0 { line } else { other };
        (nanos <= LEAD_MAX).then_some(Lead { line, nanos })
    }

    /// Numbers start over: what comes now is compared with nothing from before.
    pub fn restart(&mut self) {
        self.places.iter_mut().for_each(|place| place.first = TAKEN);
    }
}

#[inline]
fn key(unit: usize, number: u64) -> u64 {
    number ^ (unit as u64).rotate_right(8)
}

#[inline]
fn slot(key: u64) -> usize {
    // The high bits of the product depend on every bit of the key.
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const T: u64 = 1_795_271_400_000_000_042;

    #[test]
    fn only_the_second_line_is_compared_and_stamps_decide() {
        let mut leads = Leads::new(3);
        assert_eq!(leads.again(1, 0, 7, T), None, "nobody was first");
        leads.first(0, 0, 7, T);
        assert_eq!(leads.again(0, 0, 7, T + 1), None, "the same line");
        assert_eq!(leads.again(1, 1, 7, T + 2), None, "another unit");
        let (line, nanos) = (0, 90);
        assert_eq!(leads.again(1, 0, 7, T + 90), Some(Lead { line, nanos }));
        assert_eq!(leads.again(2, 0, 7, T + 95), None, "the third");
        leads.first(0, 0, 8, T);
        let (line, nanos) = (2, 5);
        assert_eq!(leads.again(2, 0, 8, T - 5), Some(Lead { line, nanos }));
        leads.first(0, 0, 9, T);
        leads.restart();
        assert_eq!(leads.again(1, 0, 9, T), None, "of the numbering before");
        leads.first(0, 0, 10, T);
        assert_eq!(leads.again(1, 0, 10, 55), None, "of another clock");
    }

    #[test]
    fn one_line_and_too_many_have_no_leads() {
        let mut one = Leads::new(1);
        one.first(0, 0, 7, T);
        assert_eq!(one.again(1, 0, 7, T), None);
        let mut many = Leads::new(300);
        many.first(256, 0, 7, T);
        assert_eq!(many.again(1, 0, 7, T), None);
    }

    proptest! {
        /// What is compared is compared rightly, and nearly everything is.
        #[test]
        fn agrees_with_a_map(packets in prop::collection::vec((0usize..3, 0usize..2, 0u64..2_000, 0u64..50), 1..300)) {
            let (mut leads, mut map) = (Leads::new(3), HashMap::new());
            let (mut now, mut compared, mut comparable) = (T, 0, 0);
            for (line, unit, number, later) in packets {
                now += later;
                let Some(&(first, at, taken)) = map.get(&(unit, number)) else {
                    leads.first(line, unit, number, now);
                    map.insert((unit, number), (line, now, false));
                    continue;
                };
                let want = (!taken && first != line).then_some(Lead { line: first, nanos: now - at });
                comparable += u64::from(want.is_some());
                if want.is_some() {
                    map.insert((unit, number), (first, at, true));
                }
                let got = leads.again(line, unit, number, now);
                compared += u64::from(got.is_some());
                prop_assert!(got.is_none() || got == want);
            }
            prop_assert!(comparable - compared <= comparable / 4 + 1);
        }
    }
}
