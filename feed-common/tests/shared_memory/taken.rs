//! How long records took, as consumers in C, Python and Rust count it.

use super::languages::{NUMPY, compiled, has_numpy, python, skipped};
use super::{Folder, plan, record};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use feed_common::event::Record;
use feed_common::ring::shared::taken::{TakenLog, collect};
use feed_common::ring::shared::{OwnedBy, SharedPlan, SharedReader, publish};
use feed_common::time::{TickScale, Ticks};
use flate2::read::ZlibDecoder;
use hdrhistogram::Histogram;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// As `taken.c` does.
const COUNT: &str = "\
import sys, numpy, feed_shm
feed = feed_shm.open(sys.argv[1])
taken = feed.taken()
while head := sys.stdin.buffer.read(16):
    now, n = numpy.frombuffer(head, 'u8').tolist()
    taken.take(numpy.frombuffer(sys.stdin.buffer.read(64 * n), feed_shm.RECORD), now)
taken.leave()
";

/// Records that were taken at a time.
struct Batch {
    now: u64,
    records: Vec<Record>,
}

impl Batch {
    /// Taken so many ticks after their receive. None is received at 0, which would say that it was not received.
    fn after(now: u64, spans: impl Iterator<Item = u64>) -> Batch {
        let received = spans.map(|span| now.wrapping_sub(span).max(1));
        Batch {
            now,
            records: received.map(received_at).collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.now, self.records.len() as u64]
            .map(u64::to_ne_bytes)
            .concat();
        let words = self.records.iter().flat_map(|r| r.words());
        words.for_each(|word| bytes.extend(word.to_ne_bytes()));
        bytes
    }
}

fn received_at(rx: u64) -> Record {
    let mut record = record(rx);
    record.rx.set(rx);
    record
}

/// Spans at every edge there is, then random ones of every size.
fn spans() -> Vec<u64> {
    const HIGHEST: u64 = 10_000_000_000;
    let powers = (0..64).map(|power| 1u64 << power);
    let edges = powers.chain([HIGHEST, HIGHEST >> 23 << 23, u64::MAX, 100_000, 4_096_000]);
    let mut spans: Vec<u64> = edges
        .flat_map(|edge| [edge.wrapping_sub(1), edge, edge.wrapping_add(1)])
        .collect();
    let mut random = 88_172_645_463_325_252u64;
    for _ in 0..20_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        spans.push(random >> (random % 64));
    }
    spans
}

fn batches() -> Vec<Batch> {
    let spans = spans();
    let mut batches: Vec<_> = spans
        .chunks(1_000)
        .map(|spans| Batch::after(u64::MAX, spans.iter().copied()))
        .collect();
    // Received later than taken: the counters of two cores, or one that was set back.
    let later = [1_001, 5_000, u64::MAX, 1 << 63].map(received_at);
    // Made without a packet.
    let unreceived = vec![received_at(0); 3];
    batches.extend(
        [later.to_vec(), unreceived, Vec::new()].map(|records| Batch {
            now: 1_000,
            records,
        }),
    );
    batches
}

#[test]
fn c_and_python_count_as_rust_does() {
    let folder = Folder::new("counted");
    let program = compiled(&folder, "tests/shared_memory/taken.c");
    let in_c = || Command::new(&program);
    let in_python = || {
        let mut command = python();
        command.args(["-c", COUNT]);
        command
    };
    let mut programs: Vec<(&str, &dyn Fn() -> Command)> = vec![("C", &in_c)];
    if has_numpy() {
        programs.push(("Python", &in_python));
    } else {
        skipped("c_and_python_count_as_rust_does: Python", NUMPY);
    }
    // A nanosecond to a tick, so that every edge is met; a usual one; and what only a hostile header says.
    let usual = TickScale::from_ratio(1_000_000_007, 2_600_000_000);
    let scales = [1 << 32, usual.factor(), 3 << 33 | 0x1234_5678, 0, u64::MAX];
    for scale in scales.map(TickScale::from_factor) {
        let plan = SharedPlan {
            scale,
            ..plan(&folder.feed(), 64)
        };
        let published = publish(&plan).unwrap();
        let epoch = published.hold.epoch();
        let batches = batches();
        let mut ours = TakenLog::of(&SharedReader::open(&plan.path, OwnedBy::Us).unwrap());
        let mut expected = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3).unwrap();
        for batch in &batches {
            ours.take_at(Ticks(batch.now), &batch.records);
            for rx in batch
                .records
                .iter()
                .map(|r| r.rx.get())
                .filter(|rx| *rx != 0)
            {
                let ticks = u128::from(batch.now.saturating_sub(rx));
                // Of a product that does not fit, the lower bits.
                let nanos = ((ticks * u128::from(scale.factor())) >> 32) as u64;
                expected.record(nanos.min(10_000_000_000)).unwrap();
            }
        }
        let our_line = line(ours.leave().unwrap());
        let input: Vec<u8> = batches.iter().flat_map(Batch::bytes).collect();
        let mut processes = vec![("Rust", std::process::id())];
        for (language, program) in &programs {
            let child = begun(program().arg(&plan.path).stdin(Stdio::piped()));
            let id = child.id();
            let given = child.stdin.as_ref().unwrap().write_all(&input);
            let output = child.wait_with_output().unwrap();
            let good = given.is_ok() && output.status.success();
            assert!(good, "{language}: {output:?}");
            let path = format!("{}.taken.{epoch}.{id}", plan.path.display());
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
            let line = line(Path::new(&path));
            assert_eq!(line.max, our_line.max, "{language}");
            assert_eq!(line.payload, our_line.payload, "{language}");
            processes.push((language, id));
        }
        let collected = collect(&plan.path, epoch).unwrap();
        assert_eq!(collected.len(), processes.len());
        for (language, id) in processes {
            let by = collected.iter().find(|by| by.pid == id).expect(language);
            assert_eq!((&by.fault, by.cells.len()), (&None, 1), "{language}");
            let histogram = by.cells[0].histogram();
            assert_eq!(histogram, expected, "{language}");
            for quantile in [0.0, 0.5, 0.99, 0.9999, 1.0] {
                let value = |h: &Histogram<u64>| h.value_at_quantile(quantile);
                assert_eq!(value(&histogram), value(&expected), "{language}");
            }
        }
    }
}

/// What matters in the line of a file.
pub struct Line {
    pub max: String,
    pub payload: Vec<u8>,
}

pub fn line(path: &Path) -> Line {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Tag="));
    let fields: Vec<_> = lines.next().expect("a line").split(',').collect();
    assert_eq!((fields.len(), lines.next()), (5, None), "{text}");
    let (tag, process) = (fields[0], path.extension().unwrap().to_str().unwrap());
    assert_eq!(tag, format!("Tag=process:{process}/taken"));
    let packed = STANDARD.decode(fields[4]).unwrap();
    let (head, stream) = packed.split_at(8);
    let length = (stream.len() as u32).to_be_bytes();
    assert_eq!(head, [[0x1C, 0x84, 0x93, 0x14], length].concat());
    let mut payload = Vec::new();
    ZlibDecoder::new(stream).read_to_end(&mut payload).unwrap();
    let max = fields[3].to_owned();
    Line { max, payload }
}

pub fn begun(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}
