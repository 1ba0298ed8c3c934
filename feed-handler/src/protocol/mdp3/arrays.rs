//! The prices of a group's entries, decoded at once.

use feed_common::event::Price;
use feed_common::prices::{Endian, PriceDecoder, PriceLayout};
use feed_common::wire::mdp3::{Group, NULL_PRICE, decimals, price_unit, template};

/// Entries of a group at most: the wire counts them with one byte.
const ENTRIES_MAX: usize = u8::MAX as usize;

/// Entries that are decoded one by one: fewer than a vector has lanes.
const FEW: usize = 3;

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
    pub fn levels(&mut self, group: &Group<'_>, template_id: u16) -> bool {
        self.levels.decode(group, 0, template_id, &mut *self.prices)
    }

    /// Decodes the prices `offset` bytes into each entry. True when one of them left the range.
    #[inline(always)]
    pub fn orders(&mut self, group: &Group<'_>, offset: usize, template_id: u16) -> bool {
        let prices = &mut *self.prices;
        self.orders.decode(group, offset, template_id, prices)
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
        template_id: u16,
        prices: &mut [i64],
    ) -> bool {
        match group.len() {
            0..=FEW => few(group, offset, template_id, prices),
            _ => self.many(group, offset, decimals(template_id), prices),
        }
    }

    #[inline(never)]
    fn many(
        &mut self,
        group: &Group<'_>,
        offset: usize,
        decimals: u32,
        prices: &mut [i64],
    ) -> bool {
        if (self.decimals, self.stride) != (decimals, group.stride()) {
            *self = Decoder::new(decimals, group.stride());
        }
        let array = &group.bytes()[offset..];
        self.decoder.decode(array, &mut prices[..group.len()]) != 0
    }
}

/// The same without vectors.
#[inline(always)]
fn few(group: &Group<'_>, offset: usize, template_id: u16, prices: &mut [i64]) -> bool {
    // Both are constants: `price_unit` of any number would be a loop.
    let unit = match template_id < template::BOOK {
        true => const { price_unit(template::BOOK_7) },
        false => const { price_unit(template::BOOK) },
    };
    let mut beyond = false;
    let mut at = offset;
    for price in &mut prices[..group.len()] {
        let wire = group
            .bytes()
            .get(at..)
            .and_then(|bytes| bytes.first_chunk());
        let wire = wire.map_or(NULL_PRICE, |bytes| i64::from_le_bytes(*bytes));
        let (scaled, over) = wire.overflowing_mul(unit);
        let (null, over) = (wire == NULL_PRICE, over || !Price(scaled).is_some());
        beyond |= over && !null;
        *price = if null || over { Price::NULL.0 } else { scaled };
        at += group.stride();
    }
    beyond
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::mdp3::{Dimension, Message, MessageBuilder};
    use proptest::prelude::*;

    proptest! {
        /// One by one or at once: the same prices, and the same to say of them.
        #[test]
        fn a_group_decodes_alike_either_way(
            wire in prop::collection::vec(
                prop_oneof![any::<i64>(), -100i64..100, Just(NULL_PRICE), Just(i64::MIN), (-3i64..3).prop_map(|n| i64::MAX / 100 + n)],
                1..9,
            ),
            template_id in prop_oneof![Just(template::BOOK_7), Just(template::BOOK)],
            offset in 0usize..3,
        ) {
            let entries: Vec<[i64; 3]> = wire
                .iter()
                .map(|&price| std::array::from_fn(|i| if i == offset { price } else { 7 }))
                .collect();
            let mut builder = MessageBuilder::new();
            builder.begin(template_id, 8, &[0u8; 0]).group(Dimension::Three, &entries);
            let message = Message::parse(builder.finish()).unwrap();
            let group = message.groups().next(Dimension::Three).unwrap();
            let (mut one_by_one, mut at_once) = ([0; 9], [0; 9]);
            let mut decoder = Decoder::new(9, 32);
            let beyond = few(&group, 8 * offset, template_id, &mut one_by_one);
            prop_assert_eq!(
                decoder.many(&group, 8 * offset, decimals(template_id), &mut at_once),
                beyond
            );
            prop_assert_eq!(one_by_one, at_once);
        }
    }
}
