//! A writer of a journal is killed again and again, at any moment: no record that it had committed is missing, none is
//! torn, and who follows meanwhile sees them all once, in order.
//!
//! The test runs itself again as the writer. `JOURNAL_KILLS` says how often it is killed (200), `JOURNAL_SEED` when.

use feed_common::encode::{Encode, WithTail};
use feed_common::event::Record;
use feed_common::journal::{Found, JournalOptions, JournalReader, JournalWriter, Start};
use feed_common::record::{PointFlags, TimeSeriesPoint};
use feed_common::sys::FileWords;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Set in the writer, to the folder of the journal.
const WRITER: &str = "JOURNAL_KILL_WRITER";
/// Lives of a journal, after which another is begun.
const LIVES: u64 = 20;
/// A life that has not begun by then is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// The words that a writer and its parent share.
const COMMITTED: usize = 0;
const PARTIAL: usize = 1;
const SEGMENT: usize = 2;

#[test]
fn no_committed_record_is_lost_or_torn() {
    if let Some(folder) = std::env::var_os(WRITER) {
        return write(Path::new(&folder));
    }
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let kills: u64 = setting("JOURNAL_KILLS").unwrap_or(200);
    let mut dice = Dice(setting("JOURNAL_SEED").unwrap_or(0x5EED));
    let folder = std::env::temp_dir().join(format!("feed-journal-kill-{}", std::process::id()));
    let (mut records, mut partial, mut segments) = (0, 0, 0);
    let mut left = kills;
    while left > 0 {
        let lives = left.min(LIVES);
        left -= lives;
        let told = journal(&folder, lives, &mut dice);
        records += told[COMMITTED];
        partial += told[PARTIAL];
        segments += told[SEGMENT];
        std::fs::remove_dir_all(&folder).expect("its own folder");
    }
    println!(
        "{kills} kills: {records} committed records in {segments} segments, {partial} begun and not committed"
    );
    assert!(records > kills, "the writers did not come to write");
}

/// One journal and its lives; what was told in the end.
fn journal(folder: &Path, lives: u64, dice: &mut Dice) -> [u64; 3] {
    std::fs::create_dir_all(folder).expect("a folder");
    let shared = FileWords::create(&folder.join("shared"), 4096).expect("room for a page");
    let cells = shared.cells();
    let committed = || cells[COMMITTED].load(Ordering::Acquire);
    let follower = Follower::start(folder.into());
    for _ in 0..lives {
        let before = committed();
        let mut child = Killed(spawn(folder));
        let begun = Instant::now();
        if dice.below(4) == 0 {
            // While it starts and opens the journal.
            dice.sleep(12_000);
        } else {
            while committed() == before {
                assert!(begun.elapsed() < PATIENCE, "the writer does not write");
                assert!(
                    child.0.try_wait().expect("a child").is_none(),
                    "the writer gave up"
                );
                thread::sleep(Duration::from_micros(200));
            }
            dice.sleep(8_000);
        }
        drop(child);
        let committed = committed();
        let there = check(folder, committed);
        follower.reaches(there);
    }
    // Once more in order: it goes on.
    let mut writer = JournalWriter::open(folder, &options()).expect("a journal, or a new one");
    let next = writer.number();
    assert!(next >= committed());
    append(&mut writer, 1);
    drop(writer);
    check(folder, next + 1);
    follower.reaches(next + 1);
    follower.stop();
    [COMMITTED, PARTIAL, SEGMENT].map(|word| cells[word].load(Ordering::Acquire))
}

/// A journal is all there, from the first record to at least so many; how many there are.
fn check(folder: &Path, committed: u64) -> u64 {
    if committed == 0
        && feed_common::journal::mapped::segments(folder)
            .expect("a folder")
            .is_empty()
    {
        return 0;
    }
    let mut reader = JournalReader::open(folder, Start::Oldest).expect("a journal");
    let mut at = 0;
    while take(&mut reader, at) {
        at += 1;
    }
    assert!(
        at >= committed,
        "{at} records are there, {committed} were committed"
    );
    at
}

/// The next record, which should be of this number; whether there is one.
fn take(reader: &mut JournalReader, number: u64) -> bool {
    match reader.read().expect("readable") {
        None => false,
        Some(Found::Skipped(skipped)) => panic!("at record {number}: {skipped}"),
        Some(Found::Record { number: n, frame }) => {
            assert_eq!(n, number);
            let mut want = Vec::new();
            match is_plain(n) {
                true => plain(n).serialize_into(&mut want).expect("memory"),
                false => with_noted(n, |noted| noted.serialize_into(&mut want).expect("memory")),
            }
            assert_eq!(frame.bytes(), want, "record {n}");
            true
        }
    }
}

/// Reads the journal while it is written, killed and recovered.
struct Follower {
    at: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Follower {
    fn start(folder: PathBuf) -> Follower {
        let (at, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (its_at, its_stop) = (at.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut reader = None;
            let mut at = 0;
            while !its_stop.load(Ordering::Relaxed) {
                if reader.is_none() {
                    // It may not be begun yet.
                    reader = JournalReader::open(&folder, Start::Oldest).ok();
                }
                while reader.as_mut().is_some_and(|reader| take(reader, at)) {
                    at += 1;
                    its_at.store(at, Ordering::Release);
                }
                thread::yield_now();
            }
        });
        Follower { at, stop, thread }
    }

    fn reaches(&self, number: u64) {
        let begun = Instant::now();
        while self.at.load(Ordering::Acquire) < number {
            assert!(!self.thread.is_finished(), "the follower gave up");
            assert!(begun.elapsed() < PATIENCE, "the follower stands still");
            thread::sleep(Duration::from_micros(100));
        }
        assert_eq!(
            self.at.load(Ordering::Acquire),
            number,
            "it saw more than there is"
        );
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .expect("a follower that saw no wrong record");
    }
}

/// A writer that is killed when it is dropped, also by a failing test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args([
            "--exact",
            "no_committed_record_is_lost_or_torn",
            "--nocapture",
        ])
        .env(WRITER, folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("a writer")
}

fn options() -> JournalOptions {
    JournalOptions {
        segment: 4096 + 16 * 4096,
        block: 4096,
        ..JournalOptions::new(1)
    }
}

/// Writes until it is killed, and says after each call what is committed.
fn write(folder: &Path) {
    let shared = FileWords::open_writable(&folder.join("shared")).expect("the parent's page");
    let cells = shared.cells();
    let mut writer = JournalWriter::open(folder, &options()).expect("a journal");
    cells[PARTIAL].fetch_add(writer.recovered().partial, Ordering::AcqRel);
    let preparer = writer.preparer();
    thread::spawn(move || {
        loop {
            preparer.prepare().expect("room");
            thread::sleep(Duration::from_micros(500));
        }
    });
    let mut dice = Dice(writer.number() + 1);
    loop {
        append(&mut writer, 1 + dice.below(30));
        cells[SEGMENT].store(writer.segment(), Ordering::Release);
        cells[COMMITTED].store(writer.number(), Ordering::Release);
    }
}

/// The next record, or several where they are of one kind.
fn append(writer: &mut JournalWriter, most: u64) {
    let at = writer.number();
    if is_plain(at) {
        let alike = (at..at + most).take_while(|&n| is_plain(n));
        let batch: Vec<_> = alike.map(plain).collect();
        writer.append(&batch).expect("room");
    } else {
        with_noted(at, |noted| writer.push(noted).expect("room"));
    }
}

/// Every ninth is of another kind.
fn is_plain(number: u64) -> bool {
    number % 9 != 4
}

/// All of a record follows from its number.
fn plain(number: u64) -> Record {
    let word = |i| (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 + 2 * i as u64);
    Record::from_words(std::array::from_fn(word))
}

fn with_noted<T>(number: u64, take: impl FnOnce(&WithTail<'_, TimeSeriesPoint>) -> T) -> T {
    let point = TimeSeriesPoint::new(number as u32, number, 0.5, PointFlags::NONE);
    let tail = vec![number as u8; (number * 37 % 900) as usize];
    take(&WithTail::new(&point, &tail))
}

/// Numbers that look random and follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn sleep(&mut self, micros: u64) {
        thread::sleep(Duration::from_micros(self.below(micros)));
    }
}
