//! What the mapped journal costs beside a bare loop, and how soon another process sees a record.
//!
//! ```text
//! cargo run --release -p benches --bin journal [FOLDER] [ROUNDS] [--json]
//! ```
//!
//! Every round writes six segments of 64 MiB in each way, so that a machine that changes under the run changes all alike;
//! the table gives medians over the rounds, in nanoseconds on a core for each record of 64 bytes. The bare loop copies
//! the records into the same kind of mapping, made by the same call. *Prepared*: the segments are there, with their pages, before
//! the clock starts, as when a preparer keeps ahead. *With making them*: the writer makes its own segments, and so does the loop.
//!
//! The latency is that of single records, one every 20 µs: from before the call of `append` to when a reader in another
//! process, on another core, has it and has checked it. The reader's time-stamp counter is the writer's.

use benches::measure::{Figures, Way, of, print, take_turns, timed};
use feed_common::event::Record;
use feed_common::journal::{Found, JournalOptions, JournalReader, JournalWriter, Start};
use feed_common::sys::{FileWords, pin_current_thread};
use feed_common::time::Clock;
use std::hint::{black_box, spin_loop};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Segments of a way in a round.
const SEGMENTS: usize = 6;
/// Records that are written at a time, which is what a queue gives.
const BATCH: usize = 256;
/// Single records whose latency is measured, and those before them, while the reader calibrates its clock.
const SINGLE: u64 = 50_000;
const WARM: u64 = 25_000;
/// Ends the reader.
const LAST: u64 = u64::MAX;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut plain = arguments.iter().filter(|text| !text.starts_with("--"));
    let folder = plain.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("feed-journal-bench-{}", std::process::id()));
    if let Some(read) = arguments
        .iter()
        .find_map(|text| text.strip_prefix("--read="))
    {
        return read_latencies(Path::new(read));
    }
    let rounds = plain
        .next()
        .map_or(9, |text| text.parse().expect("a number of rounds"));
    std::fs::create_dir_all(&folder).expect("a folder");
    pin_current_thread(0).unwrap_or_else(|error| panic!("{error}"));
    // First: the disk is then not busy with what the rest writes, which a writer can have to wait for when the system has
    // written a page back and makes it writable again.
    let latency = latency(&folder);
    let figures = throughput(&folder, rounds);
    std::fs::remove_dir_all(&folder).expect("its own folder");
    let ratio = |a, b| of(&figures, a).median() / of(&figures, b).median();
    let ratios = [
        ratio("journal, prepared", "bare loop, prepared"),
        ratio("journal, with making them", "bare loop, with making them"),
    ];
    if arguments.iter().any(|text| text == "--json") {
        let figures = figures
            .iter()
            .map(|f| (f.name.to_string(), f.median().into()));
        let figures: serde_json::Map<_, _> = figures.collect();
        let facts = serde_json::json!({"ns": figures, "ratios": ratios, "latency_ns": latency});
        return println!("{facts}");
    }
    print(&format!("{rounds} rounds, ns a record"), &figures);
    println!(
        "journal / bare loop: prepared {:.3}, with making them {:.3}",
        ratios[0], ratios[1]
    );
    let [p50, p99, p999] = latency;
    println!("seen in another process: p50 {p50} ns, p99 {p99} ns, p99.9 {p999} ns");
}

fn throughput(folder: &Path, rounds: usize) -> Vec<Figures> {
    let options = JournalOptions::new(1);
    let batch: Vec<_> = (0..BATCH as u64)
        .map(|i| Record::from_words([i; 8]))
        .collect();
    let in_block = (options.block - 16) / 80;
    let in_segment = (options.segment - 4096) / options.block * in_block;
    let records = (SEGMENTS * in_segment) as u64;
    let ours = || {
        let folder = folder.join("ours");
        let _ = std::fs::remove_dir_all(&folder);
        JournalWriter::open(&folder, &options).expect("room")
    };
    let write = |writer: &mut JournalWriter, mut left: usize| {
        while left > 0 {
            let now = left.min(BATCH);
            writer.append(black_box(&batch[..now])).expect("room");
            left -= now;
        }
    };
    let bare = |name: &str| {
        let path = folder.join(name);
        let _ = std::fs::remove_file(&path);
        FileWords::create(&path, options.segment).expect("room")
    };
    take_turns(
        rounds,
        &mut [
            Way::timing("bare loop, prepared", records, || {
                let mut nanos = 0.0;
                let mut left = records as usize;
                while left > 0 {
                    let file = bare("bare");
                    let now = left.min(options.segment / 64);
                    nanos += timed(|| copy(&file, black_box(&batch), now));
                    left -= now;
                }
                nanos
            }),
            Way::timing("journal, prepared", records, || {
                let mut writer = ours();
                let preparer = writer.preparer();
                let mut nanos = 0.0;
                for _ in 0..SEGMENTS {
                    preparer.prepare().expect("room");
                    nanos += timed(|| write(&mut writer, in_segment));
                }
                assert_eq!(writer.waits(), 0);
                nanos
            }),
            Way::timing("bare loop, with making them", records, || {
                timed(|| {
                    let mut left = records as usize;
                    while left > 0 {
                        let file = bare("bare");
                        let now = left.min(options.segment / 64);
                        copy(&file, black_box(&batch), now);
                        left -= now;
                    }
                })
            }),
            Way::timing("journal, with making them", records, || {
                let _ = std::fs::remove_dir_all(folder.join("ours"));
                timed(|| write(&mut ours(), records as usize))
            }),
        ],
    )
}

/// The bare loop: so many records, one behind the other.
#[inline(never)]
#[allow(unsafe_code)]
fn copy(file: &FileWords, records: &[Record], count: usize) {
    let to = file.cells().as_ptr().cast_mut().cast::<Record>();
    assert!(count <= file.len() / 8);
    let mut at = 0;
    while at < count {
        for record in &records[..records.len().min(count - at)] {
            // SAFETY: the file has room for `count` records, as was asserted, and nobody else has it; a record may lie
            // anywhere.
            unsafe { to.add(at).write(*record) };
            at += 1;
        }
    }
    black_box(file.load(0, Ordering::Acquire));
}

/// One way p50, p99 and p99.9 in nanoseconds.
fn latency(folder: &Path) -> [u64; 3] {
    let folder = folder.join("latency");
    let mut writer = JournalWriter::open(&folder, &JournalOptions::new(1)).expect("room");
    let reader = Command::new(std::env::current_exe().expect("this program"))
        .arg(format!("--read={}", folder.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("a reader");
    let clock = Clock::new();
    let mut record = Record::default();
    for _ in 0..WARM + SINGLE {
        let begun = Instant::now();
        while begun.elapsed().as_micros() < 20 {
            spin_loop();
        }
        record.rx = clock.now().0.into();
        writer.append(&[record]).expect("room");
    }
    record.rx = LAST.into();
    writer.append(&[record]).expect("room");
    let said = reader.wait_with_output().expect("an end").stdout;
    let said = String::from_utf8(said).expect("text");
    let figures: Vec<u64> = said
        .split_whitespace()
        .map(|n| n.parse().expect("a number"))
        .collect();
    figures.try_into().expect("three figures")
}

/// The reader's process.
fn read_latencies(folder: &Path) {
    pin_current_thread(1).unwrap_or_else(|error| panic!("{error}"));
    let clock = Clock::new();
    let mut reader = JournalReader::open(folder, Start::Oldest).expect("a journal");
    let mut took = Vec::new();
    loop {
        let Some(found) = reader.read().expect("readable") else {
            spin_loop();
            continue;
        };
        let now = clock.now().0;
        let Found::Record { frame, .. } = found else {
            panic!("{found:?}");
        };
        match frame.view::<Record>().expect("a record").rx.get() {
            LAST => break,
            sent => took.push(clock.scale().nanos(now.saturating_sub(sent))),
        }
    }
    let mut took = took.split_off(WARM as usize);
    took.sort_unstable();
    let at = |share: f64| took[(took.len() as f64 * share) as usize];
    println!("{} {} {}", at(0.5), at(0.99), at(0.999));
}
