//! The digests of a lane's channels.

use super::Digest;
use feed_common::event::Record;

/// One digest a channel. Where a channel has several numberings, each has its own and they are put together at the end:
/// how they are interleaved differs from line to line.
#[derive(Debug)]
pub(super) struct Digests {
    /// By channel, of all that is in no unit.
    channels: Box<[Digest]>,
    /// Of each unit that has shown itself: its channel, its number, its digest.
    units: Vec<(u16, u8, Digest)>,
    /// The unit of the last record.
    last: usize,
}

impl Digests {
    /// Of `channels` channels.
    pub fn new(channels: usize) -> Digests {
        Digests {
            channels: vec![Digest::EMPTY; channels].into_boxed_slice(),
            units: Vec::new(),
            last: 0,
        }
    }

    /// Takes a record of a unit in.
    #[inline(always)]
    pub fn update(&mut self, channel: u16, unit: u8, record: &Record) {
        match unit {
            0 => self.channels[usize::from(channel)].update(record),
            _ => self.unit(channel, unit).update(record),
        }
    }

    #[inline(never)]
    fn unit(&mut self, channel: u16, unit: u8) -> &mut Digest {
        let is = |&(c, u, _): &(u16, u8, Digest)| (c, u) == (channel, unit);
        if !self.units.get(self.last).is_some_and(is) {
            self.last = self.units.iter().position(is).unwrap_or_else(|| {
                self.units.push((channel, unit, Digest::EMPTY));
                self.units.len() - 1
            });
        }
        &mut self.units[self.last].2
    }

    /// The digest of a channel, whatever order its units came in. Of one with a single unit it is that of its records.
    pub fn of(&self, channel: u16) -> Digest {
        let mut digest = self.channels[usize::from(channel)];
        let mut units: Vec<_> = self.units.iter().filter(|u| u.0 == channel).collect();
        if let [(_, _, only)] = units[..]
            && digest == Digest::EMPTY
        {
            return *only;
        }
        units.sort_by_key(|u| u.1);
        for (_, unit, of_unit) in units {
            digest.word(u64::from(*unit));
            digest.word(of_unit.bits());
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64) -> Record {
        let mut record = Record::default();
        record.sequence.set(sequence);
        record
    }

    fn of(records: &[(u8, u64)]) -> Digest {
        let mut digests = Digests::new(2);
        for &(unit, sequence) in records {
            digests.update(1, unit, &record(sequence));
        }
        assert_eq!(digests.of(0), Digest::EMPTY);
        digests.of(1)
    }

    #[test]
    fn order_matters_within_a_unit_and_not_between_units() {
        assert_eq!(of(&[(1, 1), (2, 1), (1, 2)]), of(&[(2, 1), (1, 1), (1, 2)]));
        assert_ne!(of(&[(1, 1), (1, 2)]), of(&[(1, 2), (1, 1)]));
        assert_ne!(of(&[(1, 1), (2, 2)]), of(&[(2, 1), (1, 2)]));
        assert_ne!(of(&[(0, 1), (0, 2)]), of(&[(0, 2), (0, 1)]));
        let mut plain = Digest::EMPTY;
        plain.update(&record(7));
        assert_eq!(of(&[(0, 7)]), plain);
        assert_eq!(of(&[(3, 7)]), plain);
    }
}
