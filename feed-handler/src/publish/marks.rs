//! Marks: what a lane notes of its record stream at exact sequence numbers, so that two runs can be held against each
//! other afterwards.
//!
//! A mark is taken before the first record of a numbering, before the first record at or beyond each multiple of a fixed
//! number, at each declared gap, and when a numbering ends. It follows from the records alone: how packets were cut and
//! which line was first leaves no trace in it. The lane writes marks to a broadcast ring of their own, which never waits
//! and never allocates; whoever wants to keep them reads it on a cold thread, and learns how many it was too slow for.

use super::Digest;
use super::digest::hash;
use feed_common::event::Record;
use feed_common::ring::{Reader, RingError, Subscriber, Writer, broadcast};
use std::sync::mpsc::Sender;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Marks of a lane that can wait for their reader. A lane of 10 million messages a second fills them in 1.6 s at the
/// default of a mark every 4,096.
const SLOTS: usize = 4096;

/// What the records of a numbering so far come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Fingerprint {
    /// Over all of them in order.
    pub digest: Digest,
    /// The sum of their hashes, so that the difference of two fingerprints tells the records between them whatever came
    /// before. It does not see the order of records; those of different messages differ by their sequence.
    pub sum: u64,
    /// How many.
    pub records: u64,
}

impl Fingerprint {
    /// Of no records.
    pub const EMPTY: Fingerprint = Fingerprint {
        digest: Digest::EMPTY,
        sum: 0,
        records: 0,
    };

    /// Takes a record in.
    #[inline(always)]
    pub fn update(&mut self, record: &Record) {
        let hash = hash(record);
        self.digest.hashed(hash);
        self.sum = self.sum.wrapping_add(hash);
        self.records += 1;
    }

    /// The sum and number of the records that came after `before`.
    pub fn since(&self, before: &Fingerprint) -> (u64, u64) {
        (
            self.sum.wrapping_sub(before.sum),
            self.records.wrapping_sub(before.records),
        )
    }
}

/// What a [`Mark`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct MarkKind(pub u8);

impl MarkKind {
    /// The numbering's first record is that of `sequence`; the fingerprint is of what went before.
    pub const BEGIN: MarkKind = MarkKind(1);
    /// The fingerprint is of all records before `sequence`, a multiple of the lane's number.
    pub const AT: MarkKind = MarkKind(2);
    /// `count` messages from `sequence` on are declared lost; the fingerprint is of what went before.
    pub const GAP: MarkKind = MarkKind(3);
    /// The numbering has ended, because a new one begins; the fingerprint is of all of it.
    pub const END: MarkKind = MarkKind(4);
}

/// Something noted of a record stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Mark {
    /// Where, in the numbering's own numbers; 0 at an end.
    pub sequence: u64,
    /// Messages of a gap.
    pub count: u64,
    /// The records so far.
    pub print: Fingerprint,
    /// How often the numbering had begun anew.
    pub epoch: u32,
    /// The channel's number.
    pub channel: u16,
    /// Which of the channel's numberings it is; 0 where there is one.
    pub unit: u8,
    /// What it says.
    pub kind: MarkKind,
}

/// The records of one stretch of a numbering, handed out one by one. Meant for looking into a file: it allocates.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The channel's number.
    pub channel: u16,
    /// The numbering.
    pub unit: u8,
    /// How often it had begun anew.
    pub epoch: u32,
    /// The first sequence number.
    pub from: u64,
    /// The first one behind it.
    pub to: u64,
    /// Who wants them.
    pub out: Sender<Record>,
}

impl Watch {
    fn is_of(&self, channel: u16, unit: u8, epoch: u32) -> bool {
        (self.channel, self.unit, self.epoch) == (channel, unit, epoch)
    }
}

/// Takes the marks of one lane.
#[derive(Debug)]
pub struct Marks {
    writer: Writer<Mark>,
    /// The bits of a sequence number below the boundaries; all of them where only beginnings, gaps and ends are noted.
    mask: u64,
    watch: Option<Watch>,
}

impl Marks {
    /// Marks every `every` sequence numbers, a power of two; 0 for none but beginnings, gaps and ends.
    pub fn new(every: u64) -> Result<Marks, RingError> {
        Ok(Marks {
            writer: broadcast(SLOTS)?,
            mask: every.wrapping_sub(1),
            watch: None,
        })
    }

    /// Hands out the records of a stretch besides.
    pub fn with_watch(mut self, watch: Option<Watch>) -> Marks {
        self.watch = watch;
        self
    }

    /// Makes readers of the marks.
    pub fn subscriber(&self) -> Subscriber<Mark> {
        self.writer.subscriber()
    }

    fn write(&mut self, mark: &Mark) {
        self.writer.push(mark);
        self.writer.flush();
    }
}

/// Reads the marks of all lanes of a run.
#[derive(Debug)]
pub struct MarkReader {
    lanes: Vec<Reader<Mark>>,
}

impl MarkReader {
    /// Reads every mark that the lanes still hold.
    pub fn new<'a>(lanes: impl IntoIterator<Item = &'a Subscriber<Mark>>) -> MarkReader {
        let readers = lanes.into_iter().map(Subscriber::from_oldest);
        MarkReader {
            lanes: readers.collect(),
        }
    }

    /// Hands out what is there, of each lane at most as many marks as can wait, and returns how many were overwritten
    /// before they could be.
    pub fn drain(&mut self, mut take: impl FnMut(&Mark)) -> u64 {
        let mut lost = 0;
        for reader in &mut self.lanes {
            // A lane that writes as fast as this reads does not keep the others from being read.
            for _ in 0..SLOTS {
                match reader.next() {
                    Ok(Some(mark)) => take(&mark),
                    Ok(None) => break,
                    Err(overrun) => lost += overrun.lost,
                }
            }
        }
        lost
    }
}

/// The running state of one numbering of a channel: a cache line, which makes its place a shift of its number.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Numbering {
    pub print: Fingerprint,
    /// A record with a higher sequence number than this is looked at by [`Numbering::note`].
    pub last: u64,
    /// The last sequence number before the next boundary.
    block: u64,
    begun: bool,
    pub epoch: u32,
}

impl Numbering {
    /// One of which nothing is noted.
    pub const UNMARKED: Numbering = Numbering {
        print: Fingerprint::EMPTY,
        last: u64::MAX,
        block: 0,
        begun: false,
        epoch: 0,
    };

    /// One whose first numbered record is noted.
    pub const MARKED: Numbering = Numbering {
        last: 0,
        ..Numbering::UNMARKED
    };

    /// Notes what is to be noted before a record is taken in.
    pub fn note(&mut self, marks: &mut Marks, channel: u16, unit: u8, record: Record) {
        let sequence = record.sequence.get();
        if !self.begun {
            self.begun = true;
            self.block = sequence | marks.mask;
            marks.write(&self.mark(MarkKind::BEGIN, channel, unit, sequence));
        } else if sequence > self.block {
            self.block = sequence | marks.mask;
            marks.write(&self.mark(MarkKind::AT, channel, unit, sequence & !marks.mask));
        }
        self.last = self.block;
        if let Some(watch) = &marks.watch
            && watch.is_of(channel, unit, self.epoch)
        {
            // Every record is looked at.
            self.last = 0;
            if (watch.from..watch.to).contains(&sequence) {
                // Whoever wanted them may have had enough.
                let _ = watch.out.send(record);
            }
        }
    }

    /// Notes that `count` messages from `first` on are declared lost.
    #[cold]
    pub fn gap(&self, marks: &mut Marks, channel: u16, unit: u8, first: u64, count: u64) {
        let mark = self.mark(MarkKind::GAP, channel, unit, first);
        marks.write(&Mark { count, ..mark });
    }

    /// Notes that the numbering has ended; what comes is of the next.
    pub fn restart(&mut self, marks: &mut Marks, channel: u16, unit: u8) {
        marks.write(&self.mark(MarkKind::END, channel, unit, 0));
        *self = Numbering {
            print: self.print,
            epoch: self.epoch.wrapping_add(1),
            ..Numbering::MARKED
        };
    }

    fn mark(&self, kind: MarkKind, channel: u16, unit: u8, sequence: u64) -> Mark {
        Mark {
            sequence,
            count: 0,
            print: self.print,
            epoch: self.epoch,
            channel,
            unit,
            kind,
        }
    }
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
