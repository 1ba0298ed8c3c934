//! The digests of a lane's channels, and the marks that are taken of them.

use super::marks::Numbering;
use super::{Digest, Marks, UnitPrint};
use feed_common::event::Record;

/// One digest a channel. Where a channel has several numberings, each has its own and they are put together at the end:
/// how they are interleaved differs from line to line.
#[derive(Debug)]
pub(super) struct Digests {
    /// By channel, of all that is in no unit.
    channels: Box<[Numbering]>,
    units: Units,
    marks: Option<Marks>,
}

/// The units that have shown themselves.
#[derive(Debug)]
struct Units {
    /// Each with its channel and its number.
    all: Vec<(u16, u8, Numbering)>,
    /// The unit of the last record.
    last: usize,
    /// What each begins as.
    new: Numbering,
}

impl Digests {
    /// Of `channels` channels.
    pub fn new(channels: usize) -> Digests {
        Digests {
            channels: vec![Numbering::UNMARKED; channels].into_boxed_slice(),
            units: Units {
                all: Vec::new(),
                last: 0,
                new: Numbering::UNMARKED,
            },
            marks: None,
        }
    }

    /// Takes marks from the first record on.
    pub fn with_marks(mut self, marks: Marks) -> Digests {
        self.channels.fill(Numbering::MARKED);
        self.units.new = Numbering::MARKED;
        self.marks = Some(marks);
        self
    }

    /// Takes a record of a unit in.
    #[inline(always)]
    pub fn update(&mut self, channel: u16, unit: u8, record: &Record) {
        let numbering = match unit {
            0 => &mut self.channels[usize::from(channel)],
            _ => self.units.of(channel, unit),
        };
        if record.sequence.get() > numbering.last {
            // A copy, so that only this branch needs the record in memory; and one question, not two.
            note(&mut self.marks, numbering, channel, unit, *record);
        }
        numbering.print.update(record);
    }

    /// Notes that `count` messages from `first` on are declared lost.
    #[inline(never)]
    pub fn gap(&mut self, channel: u16, unit: u8, first: u64, count: u64) {
        if let (numbering, Some(marks)) = self.marked(channel, unit) {
            numbering.gap(marks, channel, unit, first, count);
        }
    }

    /// Notes that a numbering begins anew.
    pub fn restart(&mut self, channel: u16, unit: u8) {
        if let (numbering, Some(marks)) = self.marked(channel, unit) {
            numbering.restart(marks, channel, unit);
        }
    }

    fn marked(&mut self, channel: u16, unit: u8) -> (&mut Numbering, Option<&mut Marks>) {
        let numbering = match unit {
            0 => &mut self.channels[usize::from(channel)],
            _ => self.units.of(channel, unit),
        };
        (numbering, self.marks.as_mut())
    }

    /// What the records of each of a channel's numberings that had any came to, by unit.
    pub fn prints(&self, channel: u16) -> Vec<UnitPrint> {
        let own = (0, &self.channels[usize::from(channel)]);
        let units = self.units.all.iter().filter(|u| u.0 == channel);
        let all = [own].into_iter().chain(units.map(|(_, u, n)| (*u, n)));
        let print = |(unit, numbering): (u8, &Numbering)| UnitPrint {
            unit,
            epoch: numbering.epoch,
            print: numbering.print,
        };
        let mut prints: Vec<_> = all.map(print).filter(|p| p.print.records > 0).collect();
        prints.sort_by_key(|p| p.unit);
        prints
    }

    /// The digest of a channel, whatever order its units came in. Of one with a single unit it is that of its records.
    pub fn of(&self, channel: u16) -> Digest {
        let mut digest = Digest::EMPTY;
        let prints = self.prints(channel);
        if let [only] = prints[..] {
            return only.print.digest;
        }
        for UnitPrint { unit, print, .. } in prints {
            match unit {
                0 => digest = print.digest,
                _ => {
                    digest.word(u64::from(unit));
                    digest.word(print.digest.bits());
                }
            }
        }
        digest
    }
}

#[cold]
#[inline(never)]
fn note(
    marks: &mut Option<Marks>,
    numbering: &mut Numbering,
    channel: u16,
    unit: u8,
    record: Record,
) {
    if let Some(marks) = marks {
        numbering.note(marks, channel, unit, record);
    }
}

impl Units {
    #[inline(never)]
    fn of(&mut self, channel: u16, unit: u8) -> &mut Numbering {
        let is = |&(c, u, _): &(u16, u8, Numbering)| (c, u) == (channel, unit);
        if !self.all.get(self.last).is_some_and(is) {
            self.last = self.all.iter().position(is).unwrap_or_else(|| {
                self.all.push((channel, unit, self.new));
                self.all.len() - 1
            });
        }
        &mut self.all[self.last].2
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
