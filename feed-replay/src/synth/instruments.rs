//! What instruments of any made session have in common: names, prices that wander, uneven activity.

use super::rng::Rng;

/// A cent in prices with 4 decimals: the price step above one dollar.
pub const TICK: u32 = 100;

/// Four letters, different for every index: multiplication by an odd number not divisible by 13 is one-to-one modulo
/// 26^4.
pub fn symbol(index: u16) -> [u8; 8] {
    let mut n = (u64::from(index) + 1) * 96_173 % 26u64.pow(4);
    let mut name = *b"        ";
    for letter in name[..4].iter_mut().rev() {
        *letter = b'A' + (n % 26) as u8;
        n /= 26;
    }
    name
}

/// A price from 5 to 640 dollars, low ones as common as high ones on a scale of doublings; 4 decimals, whole cents.
pub fn first_price(rng: &mut Rng) -> u32 {
    let base = (5u32 << rng.below(7)) * 10_000;
    (base + rng.below(base.into()) as u32) / TICK * TICK
}

/// `price` one tick up or down, kept between half and twice `base`.
pub fn wander(rng: &mut Rng, price: u32, base: u32) -> u32 {
    match rng.next_u64() >> 63 {
        0 => (price + TICK).min(base * 2),
        _ => (price - TICK).max(base / 2 / TICK * TICK),
    }
}

/// The ranks `0..count` in random order: activity does not follow the alphabet.
pub fn shuffled(rng: &mut Rng, count: usize) -> Vec<usize> {
    let mut rank: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        rank.swap(i, rng.below(i as u64 + 1) as usize);
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_all_different() {
        let mut all: Vec<_> = (0..u16::MAX).map(symbol).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), usize::from(u16::MAX));
    }

    #[test]
    fn prices_stay_whole_cents_within_their_bounds() {
        let mut rng = Rng::new(2);
        for _ in 0..200 {
            let base = first_price(&mut rng);
            assert!((50_000..6_400_000).contains(&base) && base.is_multiple_of(TICK));
            let mut price = base;
            for _ in 0..1_000 {
                price = wander(&mut rng, price, base);
                assert!(
                    price.is_multiple_of(TICK) && price <= base * 2 && price + TICK >= base / 2
                );
            }
        }
    }

    #[test]
    fn shuffling_keeps_every_rank() {
        let mut ranks = shuffled(&mut Rng::new(1), 100);
        assert_ne!(ranks, (0..100).collect::<Vec<_>>());
        ranks.sort_unstable();
        assert_eq!(ranks, (0..100).collect::<Vec<_>>());
    }
}
