//! The streams of a capture, numbered from 0 in the order in which they appear.

use std::collections::HashMap;
use std::net::SocketAddr;

/// Streams that are found without the map: more than most captures have.
const RECENT: usize = 64;

/// A stream is a destination; a BinaryFILE is one without.
pub(super) struct Appearance {
    order: Vec<Option<SocketAddr>>,
    numbers: HashMap<Option<SocketAddr>, usize>,
    /// By a hash of the destination, the last number it had: one comparison where a lookup would hash for longer than
    /// all else takes.
    recent: [usize; RECENT],
}

impl Default for Appearance {
    fn default() -> Appearance {
        Appearance {
            order: Vec::new(),
            numbers: HashMap::new(),
            recent: [0; RECENT],
        }
    }
}

impl Appearance {
    /// The number of a stream, the next one where it is new.
    #[inline]
    pub(super) fn number(&mut self, destination: Option<SocketAddr>) -> usize {
        let slot = slot(&destination);
        let recent = self.recent[slot];
        if self.order.get(recent) == Some(&destination) {
            return recent;
        }
        let number = *self.numbers.entry(destination).or_insert_with(|| {
            self.order.push(destination);
            self.order.len() - 1
        });
        self.recent[slot] = number;
        number
    }

    /// The number of a stream that has appeared.
    pub(super) fn find(&self, destination: Option<SocketAddr>) -> Option<usize> {
        self.numbers.get(&destination).copied()
    }

    /// The streams by number.
    pub(super) fn order(&self) -> &[Option<SocketAddr>] {
        &self.order
    }
}

#[inline]
fn slot(destination: &Option<SocketAddr>) -> usize {
    let key = match destination {
        Some(SocketAddr::V4(a)) => u64::from(a.ip().to_bits()) << 16 | u64::from(a.port()),
        Some(SocketAddr::V6(a)) => (a.ip().to_bits() as u64) << 16 ^ u64::from(a.port()),
        None => 0,
    };
    // The high bits of the product depend on every bit of the key.
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn numbers_follow_the_order_of_appearance_and_stay() {
        let mut appearance = Appearance::default();
        let v4 =
            (0..300u16).map(|n| Some(SocketAddr::from(([239, 0, (n >> 8) as u8, n as u8], 1))));
        let v6 = (0..300).map(|port| Some(SocketAddr::from((Ipv6Addr::LOCALHOST, port))));
        let all: Vec<_> = v4.chain(v6).chain([None]).collect();
        assert_eq!(appearance.find(None), None);
        for _ in 0..2 {
            for (i, &destination) in all.iter().enumerate() {
                assert_eq!(appearance.number(destination), i);
                assert_eq!(appearance.number(destination), i);
                assert_eq!(appearance.find(destination), Some(i));
            }
        }
        assert_eq!(appearance.order(), all);
    }
}
