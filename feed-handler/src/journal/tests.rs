use super::intake::{Intake, RETRY};
use super::keep::JournalGauge;
use super::tap::{Tap, Tapped};
use super::{check, locate};
use crate::publish::Publish;
use feed_common::event::Record;
use feed_common::journal::{Found, JournalOptions, JournalReader, JournalWriter, Start};
use feed_common::record::{GapCause, GapRecord, kind};
use feed_common::ring::{Writer, broadcast};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A folder that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let name = format!("feed-handler-journal-{process}-{number}");
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Both ends of a lane's journal in one thread. Segments of one block: it rolls over every 50 records.
struct Lane {
    sink: Tapped<Writer<Record>>,
    intake: Intake,
    gauge: JournalGauge,
    published: u64,
}

impl Lane {
    fn new(folder: &Path, ring: usize, queue: usize) -> Lane {
        let options = JournalOptions {
            segment: 8192,
            block: 4096,
            ..JournalOptions::new(1)
        };
        let writer = broadcast(ring).unwrap();
        let gauge = JournalGauge::default();
        let (tap, out) = Tap::new(writer.subscribe(), queue, gauge.clone()).unwrap();
        let journal = JournalWriter::open(folder, &options).unwrap();
        Lane {
            sink: Tapped::new(writer, Some(tap)),
            intake: Intake::new(out, gauge.clone(), journal),
            gauge,
            published: 0,
        }
    }

    /// A packet whose records have their position among all for a sequence number.
    fn packet(&mut self, records: u64) {
        for _ in 0..records {
            self.sink.publish(&Record {
                sequence: self.published.into(),
                ..Record::default()
            });
            self.published += 1;
        }
        self.sink.flush();
    }

    fn end(mut self) -> (JournalGauge, u64, bool) {
        drop(self.sink);
        while !self.intake.has_ended() {
            self.intake.take();
        }
        (self.gauge, self.published, self.intake.finish().1.is_some())
    }
}

/// What a journal holds: positions of records, in order, and what is missing. Panics when the two do not cover all of the
/// `published`, each once, in order.
fn covered(folder: &Path, published: u64) -> (u64, Vec<GapRecord>) {
    let mut reader = JournalReader::open(folder, Start::Oldest).unwrap();
    let (mut position, mut records, mut gaps) = (0, 0, Vec::new());
    while let Some(found) = reader.read().unwrap() {
        let Found::Record { frame, .. } = found else {
            panic!("{found:?}");
        };
        match frame.kind() {
            kind::RECORD => {
                assert_eq!(frame.copy::<Record>().unwrap().sequence.get(), position);
                records += 1;
                position += 1;
            }
            kind::GAP => {
                let gap: GapRecord = frame.copy().unwrap();
                assert_eq!(gap.first.get(), position);
                position += gap.count.get();
                gaps.push(gap);
            }
            other => panic!("kind {other}"),
        }
    }
    assert_eq!(position, published);
    (records, gaps)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the journal is too slow for, published is journalled and lost, and the journal says where.
    #[test]
    fn what_is_not_journalled_is_said_where_it_is_missing(
        steps in prop::collection::vec((0u64..90, 0usize..3), 1..40),
        queue in prop::sample::select(vec![1usize, 8, 64]),
        ring in prop::sample::select(vec![4usize, 64, 1024]),
    ) {
        let scratch = Scratch::new();
        let mut lane = Lane::new(&scratch.0, ring, queue);
        for (records, takes) in steps {
            lane.packet(records);
            (0..takes).for_each(|_| { lane.intake.take(); });
        }
        let (gauge, published, failed) = lane.end();
        prop_assert!(!failed && gauge.unwritten() == 0);
        prop_assert_eq!(gauge.records() + gauge.lost(), published);
        let (records, gaps) = covered(&scratch.0, published);
        prop_assert_eq!(records, gauge.records());
        prop_assert_eq!(gaps.iter().map(|gap| gap.count.get()).sum::<u64>(), gauge.lost());
        prop_assert!(gaps.iter().all(|gap| gap.cause == GapCause::QUEUE_FULL.0));
        let checked = check(&scratch.0).unwrap();
        prop_assert_eq!((checked.published, checked.lost), (records, gauge.lost()));
        prop_assert_eq!(checked.is_whole(), gauge.lost() == 0);
    }
}

#[test]
fn a_disk_that_fails_costs_records_that_are_counted_and_then_it_goes_on() {
    let scratch = Scratch::new();
    let aside = scratch.0.with_extension("aside");
    let mut lane = Lane::new(&scratch.0, 1024, 1024);
    let drain = |lane: &mut Lane| while lane.intake.take() > 0 {};
    lane.packet(20);
    drain(&mut lane);
    // No segment can be made where there is no folder.
    std::fs::rename(&scratch.0, &aside).unwrap();
    lane.packet(300);
    drain(&mut lane);
    let (written, unwritten) = (lane.gauge.records(), lane.gauge.unwritten());
    assert!(written >= 20 && unwritten > 200, "{written}, {unwritten}");
    assert_eq!(written + unwritten, 320);
    // Until it is tried again nothing is.
    std::fs::rename(&aside, &scratch.0).unwrap();
    lane.packet(10);
    drain(&mut lane);
    assert_eq!(lane.gauge.unwritten(), unwritten + 10);
    std::thread::sleep(RETRY);
    lane.packet(70);
    drain(&mut lane);
    let (gauge, published, failed) = lane.end();
    assert!(failed, "the first error is kept");
    assert_eq!((published, gauge.records()), (400, written + 70));
    let (records, gaps) = covered(&scratch.0, published);
    assert_eq!(records, written + 70);
    assert_eq!(gaps.len(), 1);
    let gap = (gaps[0].first.get(), gaps[0].count.get(), gaps[0].cause);
    assert_eq!(gap, (written, unwritten + 10, GapCause::NO_ROOM.0));
    assert_eq!(locate(&scratch.0).unwrap(), scratch.0);
}

#[test]
fn a_lane_without_a_journal_publishes_as_it_would() {
    let writer = broadcast(64).unwrap();
    let mut reader = writer.subscribe();
    let mut sink = Tapped::new(writer, None);
    sink.publish(&Record::default());
    assert_eq!(reader.next(), Ok(None));
    sink.flush();
    assert_eq!(reader.next(), Ok(Some(Record::default())));
    sink.publish(&Record::default());
    drop(sink);
    assert_eq!(reader.next(), Ok(Some(Record::default())));
    assert!(reader.is_closed());
}
