//! Dense instrument numbers: the first symbol seen is 0, the next 1, and so on; the number is the array index.

use feed_common::event::{NO_INSTRUMENT, NO_SYMBOL};

/// Symbols in the order they were first seen. Memory is taken once; a full table counts and refuses.
#[derive(Debug)]
pub struct Instruments {
    symbols: Box<[[u8; 8]]>,
    len: usize,
    /// Open addressing over `symbols`, at most half full: index + 1, or 0 for an empty place.
    places: Box<[u32]>,
    refused: u64,
}

impl Instruments {
    /// Room for `capacity` instruments.
    pub fn with_capacity(capacity: usize) -> Instruments {
        let capacity = capacity.max(1);
        Instruments {
            symbols: vec![NO_SYMBOL; capacity].into_boxed_slice(),
            len: 0,
            places: vec![0; (capacity * 2).next_power_of_two()].into_boxed_slice(),
            refused: 0,
        }
    }

    /// The number of `symbol`, giving it one if it is new; [`NO_INSTRUMENT`] when the table is full.
    #[inline]
    pub fn intern(&mut self, symbol: [u8; 8]) -> u32 {
        let mask = self.places.len() - 1;
        let mut place = self.home(symbol);
        loop {
            match self.places[place] {
                0 => break,
                n if self.symbols[n as usize - 1] == symbol => return n - 1,
                _ => place = (place + 1) & mask,
            }
        }
        if self.len == self.symbols.len() {
            self.refused += 1;
            return NO_INSTRUMENT;
        }
        self.symbols[self.len] = symbol;
        self.len += 1;
        self.places[place] = self.len as u32;
        self.len as u32 - 1
    }

    /// Where the search for a symbol begins. Multiply-shift: only the highest bits of the product depend on every byte
    /// of the symbol, and the last bytes are where numbered symbols differ.
    #[inline]
    fn home(&self, symbol: [u8; 8]) -> usize {
        let hash = u64::from_le_bytes(symbol).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // There are two places at least, so the shift is at most 63.
        (hash >> (64 - self.places.len().trailing_zeros())) as usize
    }

    /// The symbol of an instrument; blanks for a number that was never given.
    #[inline]
    pub fn symbol(&self, instrument: u32) -> [u8; 8] {
        self.symbols
            .get(instrument as usize)
            .copied()
            .unwrap_or(NO_SYMBOL)
    }

    /// Instruments so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True before the first instrument.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How often a new symbol found the table full.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_stable() {
        let mut t = Instruments::with_capacity(3);
        assert_eq!(t.intern(*b"AAPL    "), 0);
        assert_eq!(t.intern(*b"MSFT    "), 1);
        assert_eq!(t.intern(*b"AAPL    "), 0);
        assert_eq!(t.intern(*b"SPY     "), 2);
        assert_eq!(t.intern(*b"QQQ     "), NO_INSTRUMENT);
        assert_eq!(
            t.intern(*b"SPY     "),
            2,
            "a full table still finds what it has"
        );
        assert_eq!((t.len(), t.refused()), (3, 1));
        assert_eq!(t.symbol(1), *b"MSFT    ");
        assert_eq!(t.symbol(NO_INSTRUMENT), NO_SYMBOL);
    }

    #[test]
    fn symbols_that_differ_in_their_last_bytes_are_spread() {
        let t = Instruments::with_capacity(1000);
        let homes: std::collections::HashSet<_> = (0..1000)
            .map(|i| t.home(format!("#{i:07}").as_bytes().try_into().unwrap()))
            .collect();
        assert!(homes.len() > 600, "{} places for 1000 symbols", homes.len());
    }

    #[test]
    fn agrees_with_a_hash_map() {
        let mut t = Instruments::with_capacity(5_000);
        let mut model = std::collections::HashMap::new();
        for i in 0..20_000u64 {
            let symbol = (i * i % 4_999).to_le_bytes();
            let next = model.len() as u32;
            assert_eq!(t.intern(symbol), *model.entry(symbol).or_insert(next));
        }
        assert_eq!(t.len(), model.len());
    }
}
