//! Journals of whole runs: what was published is in them, in order, and what is not is said.

#[path = "harness/scratch.rs"]
#[allow(dead_code)] // pipes are for recordings
mod scratch;
mod sessions;

use feed_common::capture::CaptureFile;
use feed_common::event::{Kind, Record};
use feed_common::journal::{Found, JournalOptions, JournalReader, JournalWriter, Start};
use feed_common::record::{GapRecord, kind};
use feed_handler::config::{JournalPlan, JournalSync, LaneThreads, Plan};
use feed_handler::journal::{check, locate, segment_rows};
use feed_handler::publish::Digest;
use feed_handler::run::{Handler, Input, Outcome};
use feed_replay::synth::{Layout, Protocol};
use scratch::Scratch;
use sessions::{Faults, Feed, LAYOUTS, from_file, plan};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Each line loses 2 % of its packets, which the other carries, and some are lost on both.
const FAULTS: Faults = Faults {
    per_line: 200,
    hole_every: 400,
    skew: 0,
};

/// Records of the broadcast ring: all of a run are still there when it has ended.
const RING: usize = 1 << 17;

fn journalled(protocol: Protocol, threads: LaneThreads, dir: &Path, queue: usize) -> Plan {
    Plan {
        publish_slots: RING,
        journal: Some(JournalPlan {
            // A few hundred records: a run goes over many.
            segment: 4096 + (64 << 10),
            queue,
            sync: JournalSync::End,
            ..JournalPlan::new(dir.to_owned())
        }),
        ..plan(protocol, threads)
    }
}

/// A run over a capture, and every record it has published.
fn run(plan: &Plan, capture: Vec<u8>) -> (Outcome, Vec<Record>) {
    let file = CaptureFile::from_memory("capture", capture).unwrap();
    let handler = Handler::start(plan, &Input::File(Arc::new(file))).unwrap();
    let ring = handler.subscribers()[0].from_now();
    assert!(ring.position() < RING as u64);
    let mut ring = handler.subscribers()[0].from_oldest();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !handler.is_finished() {
        assert!(Instant::now() < deadline, "the file does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
    let outcome = handler.finish();
    let mut published = Vec::new();
    while let Some(record) = ring.next().expect("the ring holds all of it") {
        published.push(record);
    }
    assert_eq!(published.len() as u64, outcome.lanes[0].published);
    (outcome, published)
}

/// What a journal has from a number on: records, and where others are missing.
fn read(dir: &Path, from: u64) -> (Vec<Record>, Vec<GapRecord>) {
    let mut reader = JournalReader::open(dir, Start::Number(from)).unwrap();
    let (mut records, mut gaps) = (Vec::new(), Vec::new());
    let mut number = from;
    while let Some(found) = reader.read().unwrap() {
        let Found::Record { number: n, frame } = found else {
            panic!("{found:?}");
        };
        assert_eq!(n, number);
        number += 1;
        match frame.kind() {
            kind::RECORD => records.push(frame.copy().unwrap()),
            kind::GAP => gaps.push(frame.copy().unwrap()),
            other => panic!("kind {other}"),
        }
    }
    (records, gaps)
}

#[test]
fn a_journal_has_every_published_record_in_order() {
    let scratch = Scratch::new();
    for (seed, protocol) in (61..).zip([Protocol::Itch50, Protocol::Native(Layout::Mixed)]) {
        let feed = Feed::new(protocol, 10_000, seed, FAULTS);
        for threads in LAYOUTS {
            let what = format!("{protocol:?}, {threads}");
            let dir = scratch
                .0
                .join(format!("{seed}-{threads}").replace(' ', "-"));
            let plain = from_file(&plan(protocol, threads), feed.capture());
            let plan = journalled(protocol, threads, &dir, RING);
            // The second goes on behind the first.
            let mut first = 0;
            for _ in 0..2 {
                let (outcome, published) = run(&plan, feed.capture());
                assert_eq!(outcome.record_digest(), plain.record_digest(), "{what}");
                let [end] = &outcome.journals[..] else {
                    panic!("{what}: {:?}", outcome.journals);
                };
                assert!(end.error.is_none(), "{what}: {end:?}");
                let all = published.len() as u64;
                let counts = (end.first, end.records, end.lost, end.gaps);
                assert_eq!(counts, (first, all, 0, 0), "{what}");
                assert_eq!(end.dir, dir.join("lane"), "{what}");
                assert!(read(&end.dir, first).0 == published, "{what}");
                first += all;
            }
            // The digest of what is kept is the run's: in the channel's own order, which is that of one numbering.
            let mut digest = Digest::EMPTY;
            let (records, _) = read(&dir.join("lane"), first / 2);
            let counted = |r: &&Record| Kind(r.data.kind) != Kind::TRUST;
            records
                .iter()
                .filter(counted)
                .for_each(|r| digest.update(r));
            assert_eq!(digest, plain.lanes[0].channels[0].digest, "{what}");
            // One lane: its folder need not be named.
            let folder = locate(&dir).unwrap();
            let rows = segment_rows(&folder).unwrap();
            assert!(rows.len() > 10, "{what}: {rows:?}");
            let records: u64 = rows.iter().filter_map(|row| row.records).sum();
            assert_eq!(records, first, "{what}");
            let checked = check(&folder).unwrap();
            assert!(checked.is_whole(), "{what}: {checked:?}");
            assert_eq!((checked.published, checked.next), (first, Some(first)));
        }
    }
}

#[test]
fn what_a_journal_lacks_it_says() {
    let scratch = Scratch::new();
    let feed = Feed::new(Protocol::Itch50, 20_000, 71, Faults::default());
    for threads in LAYOUTS {
        let what = format!("{threads}");
        let dir = scratch.0.join(&what);
        // A single record can wait.
        let (outcome, published) = run(
            &journalled(Protocol::Itch50, threads, &dir, 1),
            feed.capture(),
        );
        let end = &outcome.journals[0];
        assert!(end.error.is_none() && end.lost > 0, "{what}: {end:?}");
        assert_eq!(end.unwritten, 0, "{what}");
        assert_eq!(end.records + end.lost, published.len() as u64, "{what}");
        let (records, gaps) = read(&end.dir, 0);
        assert_eq!(records.len() as u64, end.records, "{what}");
        assert_eq!(gaps.len() as u64, end.gaps, "{what}");
        let lost: u64 = gaps.iter().map(|gap| gap.count.get()).sum();
        assert_eq!(lost, end.lost, "{what}");
        // Without what the gaps name, what was published is what is there.
        let mut kept = Vec::new();
        let mut at = 0;
        for gap in &gaps {
            let first = gap.first.get() as usize;
            kept.extend_from_slice(&published[at..first]);
            at = first + gap.count.get() as usize;
        }
        kept.extend_from_slice(&published[at..]);
        assert!(kept == records, "{what}");
        let checked = check(&end.dir).unwrap();
        assert!(!checked.is_whole() && checked.lost == lost, "{what}");
        assert_eq!(checked.damaged, 0, "{what}");
    }
}

#[test]
fn a_journal_that_cannot_be_had_calls_the_run_off() {
    let scratch = Scratch::new();
    let feed = Feed::new(Protocol::Itch50, 100, 81, Faults::default());
    let capture = CaptureFile::from_memory("capture", feed.capture()).unwrap();
    let input = Input::File(Arc::new(capture));
    let started = |dir: &Path| {
        let plan = journalled(Protocol::Itch50, LAYOUTS[0], dir, 64);
        Handler::start(&plan, &input).map(Handler::finish)
    };
    let file = scratch.0.join("file");
    std::fs::write(&file, "").unwrap();
    let error = started(&file).expect_err("a file is no folder").to_string();
    assert!(error.starts_with("journal of lane lane: "), "{error}");
    // One writer at a time.
    let dir = scratch.0.join("held");
    let options = JournalOptions {
        segment: 4096 + (64 << 10),
        ..JournalOptions::new(1)
    };
    let holding = JournalWriter::open(&dir.join("lane"), &options).unwrap();
    let error = started(&dir).expect_err("it is held").to_string();
    assert!(error.contains("another writer has the journal"), "{error}");
    drop(holding);
    started(&dir).expect("it is free again");
}

#[test]
fn retention_keeps_so_many_segments() {
    let scratch = Scratch::new();
    let feed = Feed::new(Protocol::Itch50, 20_000, 91, Faults::default());
    let mut plan = journalled(Protocol::Itch50, LAYOUTS[0], &scratch.0, RING);
    plan.journal.as_mut().unwrap().keep = Some(2);
    let (outcome, published) = run(&plan, feed.capture());
    let end = &outcome.journals[0];
    assert_eq!((end.records, end.lost), (published.len() as u64, 0));
    let rows = segment_rows(&end.dir).unwrap();
    // Those kept, the open one, one prepared, and those that were not removed yet when the run ended.
    assert!(rows.len() <= 6, "{rows:?}");
    let first = rows[0].first.unwrap();
    assert!(first > 0);
    assert!(read(&end.dir, first).0 == published[first as usize..]);
    assert!(check(&end.dir).unwrap().is_whole());
}
