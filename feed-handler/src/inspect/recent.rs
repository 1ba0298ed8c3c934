//! The last packets of a session, so that what another line brings again is known by its bytes.

use super::evidence::Exhibit;

/// Packets that are remembered: lines are at most a few apart.
const RECENT: usize = 16;

/// A ring of packets that were counted.
#[derive(Default)]
pub(super) struct Recent {
    packets: Vec<Packet>,
    /// The oldest, which the next one replaces.
    oldest: usize,
    /// The one that is likely to come again next: that after the last that did.
    expected: usize,
}

/// A packet that was counted.
struct Packet {
    exhibit: Exhibit,
    payload: Vec<u8>,
}

impl Recent {
    /// Remembers a packet that is in evidence. It allocates only while packets get longer.
    pub(super) fn remember(&mut self, payload: &[u8], exhibit: Exhibit) {
        if self.packets.len() < RECENT {
            self.oldest = self.packets.len();
            self.packets.push(Packet {
                exhibit,
                payload: Vec::new(),
            });
        }
        let packet = &mut self.packets[self.oldest];
        packet.exhibit = exhibit;
        packet.payload.clear();
        packet.payload.extend_from_slice(payload);
        self.oldest = (self.oldest + 1) % RECENT;
    }

    /// The packet with this payload, if it is remembered.
    #[inline]
    pub(super) fn find(&mut self, payload: &[u8]) -> Option<Exhibit> {
        // Two lines find the expected one, a third the one before it.
        let place = (0..RECENT)
            .map(|back| self.expected.wrapping_sub(back) % RECENT)
            .find(|&place| {
                let packet = self.packets.get(place);
                packet.is_some_and(|packet| packet.payload == payload)
            })?;
        self.expected = (place + 1) % RECENT;
        Some(self.packets[place].exhibit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_packets_are_found_in_any_order_and_more_than_once() {
        let mut recent = Recent::default();
        assert!(recent.find(b"").is_none());
        for n in 0..100u32 {
            recent.remember(&n.to_be_bytes(), Exhibit(n));
            let held = (n + 1).saturating_sub(RECENT as u32)..=n;
            for sought in [n, n, n / 2, 0, n.saturating_sub(15), n.saturating_sub(16)] {
                let found = recent.find(&sought.to_be_bytes());
                let want = held.contains(&sought).then_some(Exhibit(sought));
                assert_eq!(found, want, "{sought} after {n}");
            }
        }
        assert!(recent.find(&99u32.to_be_bytes()[..3]).is_none());
    }
}
