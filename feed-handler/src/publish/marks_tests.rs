//! Marks against the plain statement of what they are: the records before a number, taken anew for each.

use super::*;
use crate::publish::{Outlet, Publish, Records};
use feed_common::event::{DeleteOrder, Gap, MarketHandler, MsgCtx};
use proptest::prelude::*;

struct Nowhere;

impl Publish for Nowhere {
    fn publish(&mut self, _: &Record) {}
}

/// What happens on a channel of units 0 and 1.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Records of the message so many numbers on.
    Message {
        unit: u8,
        on: u64,
        records: u8,
    },
    Gap {
        unit: u8,
        count: u64,
    },
    Restart {
        unit: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let message = (0u8..2, 1u64..9, 0u8..4).prop_map(|(unit, on, records)| Step::Message {
        unit,
        on,
        records,
    });
    prop_oneof![
        20 => message,
        1 => (0u8..2, 1u64..40).prop_map(|(unit, count)| Step::Gap { unit, count }),
        1 => (0u8..2).prop_map(|unit| Step::Restart { unit }),
    ]
}

/// One numbering as it went, told plainly.
#[derive(Clone, Default)]
struct Told {
    /// Sequence and record of what went out in this epoch.
    records: Vec<(u64, Record)>,
    /// Of the epochs before.
    before: Vec<Record>,
    next: u64,
    epoch: u32,
    marks: Vec<Mark>,
}

impl Told {
    fn print(&self, records: usize) -> Fingerprint {
        let mut print = Fingerprint::EMPTY;
        let epoch = self.records[..records].iter().map(|(_, r)| r);
        self.before
            .iter()
            .chain(epoch)
            .for_each(|r| print.update(r));
        print
    }

    fn mark(&mut self, kind: MarkKind, unit: u8, sequence: u64, count: u64) {
        self.marks.push(Mark {
            sequence,
            count,
            print: self.print(self.records.len()),
            epoch: self.epoch,
            channel: 0,
            unit,
            kind,
        });
    }

    fn record(&mut self, every: u64, unit: u8, record: Record) {
        let sequence = record.sequence.get();
        match self.records.last() {
            None => self.mark(MarkKind::BEGIN, unit, sequence, 0),
            Some((last, _)) if every > 0 && sequence / every > last / every => {
                self.mark(MarkKind::AT, unit, sequence / every * every, 0);
            }
            Some(_) => {}
        }
        self.records.push((sequence, record));
    }
}

/// Keeps what went out, to be told of.
#[derive(Default)]
struct Kept(Vec<Record>);

impl Publish for Kept {
    fn publish(&mut self, record: &Record) {
        self.0.push(*record);
    }
}

fn cx(unit: u8, sequence: u64) -> MsgCtx {
    MsgCtx {
        sequence,
        unit,
        ..MsgCtx::default()
    }
}

proptest! {
    #[test]
    fn marks_are_of_what_went_before_their_number(
        steps in prop::collection::vec(step(), 1..120),
        every in prop::sample::select(vec![0u64, 1, 4, 16]),
    ) {
        let marks = Marks::new(every).unwrap();
        let mut reader = MarkReader::new([&marks.subscriber()]);
        let mut noted = Records::new(Nowhere, 1).with_marks(marks);
        let mut plain = Records::new(Kept::default(), 1);
        let mut told = [Told::default(), Told::default()];
        for told in &mut told {
            told.next = 1;
        }
        for (id, step) in (1..).zip(steps) {
            let out = plain.sink().0.len();
            let (unit, jump) = match step {
                Step::Message { unit, on, records } => {
                    let told = &mut told[usize::from(unit)];
                    told.next += on - 1;
                    let cx = cx(unit, told.next);
                    for _ in 0..records {
                        noted.on_delete(&cx, DeleteOrder { order_id: id });
                        plain.on_delete(&cx, DeleteOrder { order_id: id });
                    }
                    (unit, 1)
                }
                Step::Gap { unit, count } => {
                    let told = &mut told[usize::from(unit)];
                    told.mark(MarkKind::GAP, unit, told.next, count);
                    let cx = cx(unit, told.next);
                    noted.on_gap(&cx, Gap { count });
                    plain.on_gap(&cx, Gap { count });
                    (unit, count)
                }
                Step::Restart { unit } => {
                    let told = &mut told[usize::from(unit)];
                    told.mark(MarkKind::END, unit, 0, 0);
                    told.epoch += 1;
                    let records = std::mem::take(&mut told.records);
                    told.before.extend(records.into_iter().map(|(_, r)| r));
                    told.next = 1;
                    noted.on_restart(&cx(unit, 1));
                    plain.on_restart(&cx(unit, 1));
                    (unit, 0)
                }
            };
            let told = &mut told[usize::from(unit)];
            for record in &plain.sink().0[out..] {
                told.record(every, unit, *record);
            }
            told.next += jump;
        }
        let mut found = [Vec::new(), Vec::new()];
        let missed = reader.drain(|mark| found[usize::from(mark.unit)].push(*mark));
        prop_assert_eq!(missed, 0);
        for (found, told) in found.iter().zip(&told) {
            prop_assert_eq!(found, &told.marks);
        }
        prop_assert_eq!(noted.digest(0), plain.digest(0));
        // Those that have no records are not among them.
        for of_unit in noted.prints(0) {
            let told = &told[usize::from(of_unit.unit)];
            prop_assert_eq!(of_unit.print, told.print(told.records.len()));
            prop_assert_eq!(of_unit.epoch, told.epoch);
        }
    }
}

#[test]
fn the_highest_numbers_are_noted_once() {
    let marks = Marks::new(16).unwrap();
    let mut reader = MarkReader::new([&marks.subscriber()]);
    let mut records = Records::new(Nowhere, 1).with_marks(marks);
    for sequence in [u64::MAX - 20, u64::MAX - 1, u64::MAX, u64::MAX, 0, u64::MAX] {
        records.on_delete(&cx(0, sequence), DeleteOrder { order_id: 1 });
    }
    let mut noted = Vec::new();
    reader.drain(|mark| noted.push((mark.kind, mark.sequence)));
    let want = [
        (MarkKind::BEGIN, u64::MAX - 20),
        (MarkKind::AT, u64::MAX - 15),
    ];
    assert_eq!(noted, want);
}

#[test]
fn a_reader_that_is_too_slow_is_told() {
    let marks = Marks::new(1).unwrap();
    let mut reader = MarkReader::new([&marks.subscriber()]);
    let mut records = Records::new(Nowhere, 1).with_marks(marks);
    let all = 3 * SLOTS as u64;
    for sequence in 1..=all {
        records.on_delete(&cx(0, sequence), DeleteOrder { order_id: 1 });
    }
    let mut read = 0;
    let missed = reader.drain(|_| read += 1);
    assert!(missed > 0 && read > 0);
    assert_eq!(missed + read, all);
}

#[test]
fn a_watch_hands_out_its_stretch_and_changes_no_mark() {
    let (out, records) = std::sync::mpsc::channel();
    let watch = Watch {
        channel: 0,
        unit: 0,
        epoch: 1,
        from: 6,
        to: 9,
        out,
    };
    let [plain, watched] = [None, Some(watch)].map(|watch| {
        let marks = Marks::new(4).unwrap().with_watch(watch);
        let mut reader = MarkReader::new([&marks.subscriber()]);
        let mut records = Records::new(Nowhere, 1).with_marks(marks);
        for _ in 0..2 {
            for sequence in 1..12 {
                let id = DeleteOrder { order_id: sequence };
                records.on_delete(&cx(0, sequence), id);
                records.on_delete(&cx(0, sequence), id);
            }
            records.on_restart(&cx(0, 1));
        }
        let mut marks = Vec::new();
        reader.drain(|mark| marks.push(*mark));
        marks
    });
    assert_eq!(plain, watched);
    let sequences: Vec<_> = records.iter().map(|r| r.sequence.get()).collect();
    assert_eq!(sequences, [6, 6, 7, 7, 8, 8]);
}
