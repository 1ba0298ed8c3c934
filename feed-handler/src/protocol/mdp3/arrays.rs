//! The prices of a group's entries, decoded at once.

use feed_common::prices::{Endian, PriceDecoder, PriceLayout};
use feed_common::wire::mdp3::{Group, NULL_PRICE};

/// Entries of a group at most: the wire counts them with one byte.
const ENTRIES_MAX: usize = u8::MAX as usize;

/// Canonical prices of the group at hand, and the decoders of those groups that order flow is made of.
#[derive(Debug)]
pub(super) struct Arrays {
    levels: Decoder,
    orders: Decoder,
    prices: Box<[i64; ENTRIES_MAX]>,
}

/// For the layout of the last group; senders keep theirs.
#[derive(Debug)]
struct Decoder {
    decimals: u32,
    stride: usize,
    decoder: PriceDecoder,
}

impl Arrays {
    pub fn new() -> Arrays {
        Arrays {
            levels: Decoder::new(9, 32),
            orders: Decoder::new(9, 40),
            prices: Box::new([0; ENTRIES_MAX]),
        }
    }

    /// Decodes the prices at the start of each entry. True when one of them left the range.
    #[inline(always)]
    pub fn levels(&mut self, group: &Group<'_>, decimals: u32) -> bool {
        self.levels.decode(group, 0, decimals, &mut *self.prices)
    }

    /// Decodes the prices `offset` bytes into each entry. True when one of them left the range.
    #[inline(always)]
    pub fn orders(&mut self, group: &Group<'_>, offset: usize, decimals: u32) -> bool {
        let prices = &mut *self.prices;
        self.orders.decode(group, offset, decimals, prices)
    }

    /// The price of an entry of the group that was decoded last.
    #[inline(always)]
    pub fn price(&self, entry: usize) -> i64 {
        self.prices[entry]
    }
}

impl Decoder {
    fn new(decimals: u32, stride: usize) -> Decoder {
        let layout = PriceLayout::new(8, true, Endian::Little, decimals)
            .and_then(|layout| layout.with_null(NULL_PRICE.into()))
            .and_then(|layout| layout.with_stride(stride))
            .expect("9 or 7 places, entries longer than a price");
        Decoder {
            decimals,
            stride,
            decoder: PriceDecoder::new(layout),
        }
    }

    /// Decodes one price an entry, `offset` bytes into it. Entries, if any, have room for that.
    #[inline(always)]
    fn decode(
        &mut self,
        group: &Group<'_>,
        offset: usize,
        decimals: u32,
        prices: &mut [i64],
    ) -> bool {
        if group.is_empty() {
            return false;
        }
        if (self.decimals, self.stride) != (decimals, group.stride()) {
            *self = Decoder::anew(decimals, group.stride());
        }
        let array = &group.bytes()[offset..];
        self.decoder.decode(array, &mut prices[..group.len()]) != 0
    }

    #[cold]
    fn anew(decimals: u32, stride: usize) -> Decoder {
        Decoder::new(decimals, stride)
    }
}
