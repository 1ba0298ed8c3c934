//! An exchange's sparse instrument numbers: a table of bounded size, never an index as large as a number can be.

/// From numbers of the wire to instruments. Open addressing, at most half full; all memory is taken when it is made.
#[derive(Debug)]
pub struct Ids {
    /// The number, and the instrument + 1; 0 in an empty place.
    places: Box<[(u32, u32)]>,
    room: usize,
    len: usize,
    refused: u64,
}

impl Ids {
    /// Room for `ids` numbers.
    pub fn with_room(ids: usize) -> Ids {
        let room = ids.max(1);
        Ids {
            places: vec![(0, 0); (room * 2).next_power_of_two()].into(),
            room,
            len: 0,
            refused: 0,
        }
    }

    /// The instrument of a number.
    #[inline]
    pub fn get(&self, id: u32) -> Option<u32> {
        match self.places[self.seek(id)] {
            (_, 0) => None,
            (_, n) => Some(n - 1),
        }
    }

    /// Makes a number stand for an instrument; false, and counted, when it is new and there is no room.
    pub fn insert(&mut self, id: u32, instrument: u32) -> bool {
        let place = self.seek(id);
        // The number of no instrument cannot be kept, and need not be.
        let Some(kept) = instrument.checked_add(1) else {
            return false;
        };
        if self.places[place].1 == 0 {
            if self.len == self.room {
                self.refused += 1;
                return false;
            }
            self.len += 1;
        }
        self.places[place] = (id, kept);
        true
    }

    /// Where a number is, or would be.
    #[inline]
    fn seek(&self, id: u32) -> usize {
        let mask = self.places.len() - 1;
        // Multiply-shift: the high bits of the product depend on every bit of the number.
        let hash = u64::from(id).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut place = (hash >> (64 - self.places.len().trailing_zeros())) as usize;
        loop {
            match self.places[place & mask] {
                (_, 0) => return place & mask,
                (known, _) if known == id => return place & mask,
                _ => place += 1,
            }
        }
    }

    /// Forgets all numbers.
    pub fn clear(&mut self) {
        if self.len > 0 {
            self.places.fill((0, 0));
            self.len = 0;
        }
    }

    /// How often a new number found no room.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn agrees_with_a_hash_map(ids in prop::collection::vec((0u32..64, 0u32..9, any::<bool>()), 0..300)) {
            let mut table = Ids::with_room(16);
            let mut model = HashMap::new();
            let mut refused = 0;
            for (id, instrument, scattered) in ids {
                let id = if scattered { id << 26 } else { id };
                let room = model.contains_key(&id) || model.len() < 16;
                prop_assert_eq!(table.insert(id, instrument), room);
                if room {
                    model.insert(id, instrument);
                } else {
                    refused += 1;
                }
                for (&id, &instrument) in &model {
                    prop_assert_eq!(table.get(id), Some(instrument));
                }
                prop_assert_eq!(table.get(u32::MAX), model.get(&u32::MAX).copied());
            }
            prop_assert_eq!(table.refused(), refused);
            table.clear();
            prop_assert!(model.keys().all(|&id| table.get(id).is_none()));
        }
    }
}
