//! The packets of a channel that were delivered last, for doing again what they did since a snapshot.

/// A bounded store of packets with consecutive numbers; the oldest make room for the newest. All memory is taken when it
/// is made.
#[derive(Debug)]
pub(super) struct Backlog {
    bytes: Box<[u8]>,
    /// Of each slot.
    lens: Box<[u32]>,
    slot_bytes: usize,
    /// Number of the oldest packet that is kept.
    first: u64,
    /// Number of the packet that comes next.
    end: u64,
}

impl Backlog {
    /// Room for `slots` packets of up to `slot_bytes` each.
    pub fn new(slots: usize, slot_bytes: usize) -> Backlog {
        Backlog {
            bytes: vec![0; slots * slot_bytes].into(),
            lens: vec![0; slots].into(),
            slot_bytes,
            first: 0,
            end: 0,
        }
    }

    /// Nothing is kept of what was before the packet `next`.
    pub fn begin(&mut self, next: u64) {
        (self.first, self.end) = (next, next);
    }

    /// Keeps a packet. What does not follow the one before it, or is larger than a slot, begins anew.
    pub fn keep(&mut self, number: u64, packet: &[u8]) {
        if number != self.end {
            self.begin(number);
        }
        let slots = self.lens.len() as u64;
        if packet.len() > self.slot_bytes || slots == 0 {
            return self.begin(number.saturating_add(1));
        }
        let slot = (number % slots) as usize;
        self.lens[slot] = packet.len() as u32;
        self.bytes[slot * self.slot_bytes..][..packet.len()].copy_from_slice(packet);
        self.end = number.saturating_add(1);
        self.first = self.first.max(self.end.saturating_sub(slots));
    }

    /// The packets from a number on, if all of them are kept.
    pub fn from(&self, number: u64) -> Option<impl Iterator<Item = &[u8]>> {
        let slots = self.lens.len() as u64;
        (self.first..=self.end).contains(&number).then(|| {
            (number..self.end).map(move |number| {
                let slot = (number % slots) as usize;
                &self.bytes[slot * self.slot_bytes..][..self.lens[slot] as usize]
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(backlog: &Backlog, from: u64) -> Option<Vec<Vec<u8>>> {
        Some(backlog.from(from)?.map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn the_newest_packets_are_kept_while_they_follow_one_another() {
        let mut backlog = Backlog::new(3, 4);
        backlog.begin(7);
        assert_eq!(kept(&backlog, 7), Some(vec![]));
        assert_eq!((kept(&backlog, 6), kept(&backlog, 8)), (None, None));
        for number in 7..=8 {
            backlog.keep(number, &[number as u8]);
        }
        assert_eq!(kept(&backlog, 7), Some(vec![vec![7], vec![8]]));
        assert_eq!(kept(&backlog, 8), Some(vec![vec![8]]));
        assert_eq!(kept(&backlog, 9), Some(vec![]));
        for number in 9..=11 {
            backlog.keep(number, &[number as u8; 4]);
        }
        assert_eq!((kept(&backlog, 7), kept(&backlog, 8)), (None, None));
        assert_eq!(kept(&backlog, 9).map(|all| all.len()), Some(3));
        // A step over one, and one that is too large.
        backlog.keep(13, &[13]);
        assert_eq!(kept(&backlog, 12), None);
        assert_eq!(kept(&backlog, 13), Some(vec![vec![13]]));
        backlog.keep(14, &[0; 5]);
        assert_eq!(
            (kept(&backlog, 14), kept(&backlog, 15)),
            (None, Some(vec![]))
        );
    }

    #[test]
    fn numbers_at_the_end_of_their_range_and_no_room_at_all() {
        let mut backlog = Backlog::new(2, 4);
        backlog.keep(u64::MAX - 1, &[1]);
        backlog.keep(u64::MAX, &[2]);
        backlog.keep(u64::MAX, &[3]);
        assert!(kept(&backlog, u64::MAX - 1).is_none_or(|all| all.len() <= 2));
        let mut none = Backlog::new(0, 0);
        none.keep(5, &[]);
        assert_eq!((kept(&none, 5), kept(&none, 6)), (None, Some(vec![])));
    }
}
