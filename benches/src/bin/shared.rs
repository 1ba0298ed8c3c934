//! What shared memory costs its writer, whoever reads it, and what the table of quotes costs.
//!
//! ```text
//! cargo run --release -p benches --bin shared [CORE CORE] [ROUNDS]
//! ```
//!
//! Readers are processes of their own on the second core. Those that poll sleep a millisecond between their looks, and read
//! in a look what a feed of a million records a second brings meanwhile, or what there is. Every round measures each row
//! once, so that a machine that changes under the run changes all rows alike; the table gives the median, the least and the
//! most over the rounds, and what the median is beside that of the first row of its kind.

use benches::measure::timed;
use benches::rings::broadcasting;
use benches::rings::{BATCH, Cores};
use feed_common::event::{Name, Price, Record};
use feed_common::ring::Reader;
use feed_common::ring::shared::{
    Board, Instrument, OwnedBy, Published, Quote, Session, SharedPlan, SharedReader, publish,
};
use feed_common::sys::pin_current_thread;
use feed_common::time::{Clock, UnixNanos};
use std::hint::{black_box, spin_loop};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SLOTS: usize = 65_536;
/// Instruments that have a quote.
const INSTRUMENTS: u32 = 8_000;
/// Records of a measurement flat out, and quotes of one of the table.
const RECORDS: u64 = 100_000_000;
const QUOTES: u64 = 5_000_000;
/// Bursts of [`BATCH`] records of a measurement at a rate, and how far they are apart: a million records a second.
const BURSTS: u64 = 10_000;
const APART: Duration = Duration::from_micros(BATCH as u64);
/// Between two looks of a reader that polls, and what it reads in one at most.
const NAP: Duration = Duration::from_millis(1);
const LOOK: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, path, core] = &arguments[..]
        && let "poll" | "spin" = role.as_str()
    {
        return read(
            Path::new(path),
            core.parse().expect("a core"),
            role == "poll",
        );
    }
    let number = |i: usize, or| {
        arguments
            .get(i)
            .map_or(or, |a| a.parse().expect("a number"))
    };
    let (here, other, rounds) = (number(0, 0), number(1, 1), number(2, 7));
    let cores = Cores::pin(here, other).unwrap_or_else(|error| panic!("{error}"));
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..rounds {
        for row in round(&cores, other) {
            match rows.iter_mut().find(|r| r.name == row.name) {
                Some(there) => there.figures.extend(row.figures),
                None => rows.push(row),
            }
        }
    }
    println!(
        "{rounds} rounds, cores {here} and {other}, {SLOTS} slots, {INSTRUMENTS} instruments; ns"
    );
    println!(
        "{:<62} {:>8} {:>8} {:>8} {:>8}",
        "", "median", "least", "most", "change"
    );
    let mut first: Option<(String, f64)> = None;
    for row in &mut rows {
        row.figures.sort_unstable_by(f64::total_cmp);
        let [least, median, most] =
            [0, row.figures.len() / 2, row.figures.len() - 1].map(|i| row.figures[i]);
        let kind = row.name.split(',').next().unwrap_or_default().to_owned();
        let change = match &first {
            Some((of, base)) if *of == kind => format!("{:+.1} %", (median / base - 1.0) * 100.0),
            _ => {
                first = Some((kind, median));
                String::new()
            }
        };
        println!(
            "{:<62} {median:>8.2} {least:>8.2} {most:>8.2} {change:>8}",
            row.name
        );
    }
}

struct Row {
    name: String,
    figures: Vec<f64>,
}

fn round(cores: &Cores, other: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |name: String, figure| {
        rows.push(Row {
            name,
            figures: vec![figure],
        })
    };
    let crowds = [
        ("nobody reads", 0, 0),
        ("1 polls", 1, 0),
        ("8 poll", 8, 0),
        ("64 poll", 64, 0),
        ("1 reads without pause", 0, 1),
    ];
    let crowds = crowds
        .into_iter()
        .chain([("1 without pause and 64 poll", 64, 1)]);
    for (who, polling, spinning) in crowds.clone() {
        let (published, readers) = before(polling, spinning, other);
        add(
            format!("a record flat out, {who}"),
            flat_out(published, readers),
        );
    }
    for (who, polling, spinning) in crowds {
        let (published, readers) = before(polling, spinning, other);
        add(
            format!("a record at 1,000,000/s, {who}"),
            paced(published, readers),
        );
    }
    add(
        "a record flat out, memory of the process".into(),
        broadcasting::writer_alone(SLOTS),
    );
    for (name, figure) in quotes(cores) {
        add(name.into(), figure);
    }
    rows
}

fn path() -> PathBuf {
    format!("/dev/shm/feed-bench-{}", std::process::id()).into()
}

/// A file, removed with its lock when it has been used.
fn published() -> Published {
    let plan = SharedPlan {
        path: path(),
        slots: SLOTS,
        instruments: INSTRUMENTS,
        mode: 0o600,
        group: None,
        session: Session::new("bench"),
        channels: Vec::new(),
        scale: Clock::new().scale(),
    };
    publish(&plan).unwrap_or_else(|error| panic!("{error}"))
}

fn remove() {
    for file in [path(), format!("{}.lock", path().display()).into()] {
        std::fs::remove_file(file).expect("what was made");
    }
}

/// A file and so many processes that read it.
fn before(polling: usize, spinning: usize, core: usize) -> (Published, Vec<Child>) {
    let mut published = published();
    // Once around, so that none of its pages is touched for the first time while it is measured.
    broadcasting::write(&mut published.ring, SLOTS as u64);
    let roles = [("poll", polling), ("spin", spinning)];
    let roles = roles
        .iter()
        .flat_map(|(role, n)| std::iter::repeat_n(*role, *n));
    let mut readers: Vec<_> = roles.map(|role| start(role, core)).collect();
    for reader in &mut readers {
        let mut line = String::new();
        let out = reader.stdout.as_mut().expect("piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it says that it reads");
        assert_eq!(line, "reads\n");
    }
    (published, readers)
}

fn start(role: &str, core: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(role).arg(path()).arg(core.to_string());
    command
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again")
}

/// Tells the readers that no more comes and waits for them.
fn after(published: Published, readers: Vec<Child>) {
    drop(published);
    for mut reader in readers {
        assert!(reader.wait().expect("a child").success());
    }
    remove();
}

fn flat_out(mut published: Published, readers: Vec<Child>) -> f64 {
    let took = timed(|| broadcasting::write(&mut published.ring, RECORDS));
    after(published, readers);
    took / RECORDS as f64
}

/// Bursts on a schedule; the time that the bursts took.
fn paced(mut published: Published, readers: Vec<Child>) -> f64 {
    let mut took = Duration::ZERO;
    let start = Instant::now();
    for burst in 0..BURSTS as u32 {
        while start.elapsed() < APART * burst {
            published.ring.prepare();
            spin_loop();
        }
        let begun = Instant::now();
        broadcasting::write(&mut published.ring, BATCH as u64);
        took += begun.elapsed();
    }
    after(published, readers);
    took.as_nanos() as f64 / (BURSTS * BATCH as u64) as f64
}

/// A reader process.
fn read(path: &Path, core: usize, polls: bool) {
    pin_current_thread(core).unwrap_or_else(|error| panic!("{error}"));
    let feed = SharedReader::open(path, OwnedBy::Us).unwrap_or_else(|error| panic!("{error}"));
    let mut reader = feed.subscriber().from_now();
    println!("reads");
    while !reader.is_closed() {
        match polls {
            true => {
                look(&mut reader);
                thread::sleep(NAP);
            }
            false => {
                let mut out = [Record::default(); BATCH];
                match reader.read(&mut out) {
                    Ok(0) => spin_loop(),
                    other => _ = black_box((other.is_ok(), &out)),
                }
            }
        }
    }
}

fn look(reader: &mut Reader<Record>) {
    let mut out = [Record::default(); BATCH];
    let mut seen = 0;
    while seen < LOOK {
        match reader.read(&mut out) {
            Ok(0) => return,
            Ok(n) => {
                black_box(&out[..n]);
                seen += n;
            }
            // On with what there is.
            Err(_) => {}
        }
    }
}

/// A quote made in registers, as the pipeline makes them.
#[inline(always)]
fn quote(n: u64) -> Quote {
    Quote {
        bid: Price(n as i64),
        bid_quantity: 7,
        ask: Price(7),
        ask_quantity: 7,
        timestamp: UnixNanos(7),
        sequence: n,
        ..Quote::default()
    }
}

/// A row, any of them, one after the other.
#[inline(always)]
fn row(n: u64) -> u32 {
    let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    ((mixed * u64::from(INSTRUMENTS)) >> 32) as u32
}

/// The table: alone, and both ends flat out on two cores.
fn quotes(cores: &Cores) -> [(&'static str, f64); 4] {
    let Published {
        ring,
        mut board,
        hold,
    } = published();
    for instrument in 0..INSTRUMENTS {
        let it = Instrument {
            channel: 0,
            instrument,
            symbol: *b"ABC     ",
            name: Name::NONE,
        };
        assert_eq!(board.announce(&it), Some(instrument));
    }
    let feed = SharedReader::open(&path(), OwnedBy::Us).expect("just made");
    let write = |board: &mut Board| {
        timed(|| (0..QUOTES).for_each(|n| _ = board.put(row(n), &quote(black_box(n)))))
            / QUOTES as f64
    };
    // In another order than they are written in.
    let read_one = |n: u64| _ = black_box(feed.quote(row(black_box(!n).rotate_left(17))));
    // Once over all of them before.
    write(&mut board);
    let writes_alone = write(&mut board);
    let reads_alone = timed(|| (0..QUOTES).for_each(read_one)) / QUOTES as f64;
    let over = AtomicBool::new(false);
    let read_meanwhile = || {
        let (mut n, start) = (0, Instant::now());
        while !over.load(Ordering::Relaxed) {
            (n..n + 1_000).for_each(read_one);
            n += 1_000;
        }
        start.elapsed().as_nanos() as f64 / n as f64
    };
    let write_meanwhile = || {
        let took = write(&mut board);
        over.store(true, Ordering::Relaxed);
        took
    };
    let (reads, writes) = cores.pair(read_meanwhile, write_meanwhile);
    drop((ring, hold));
    remove();
    [
        ("a quote written, alone", writes_alone),
        ("a quote written, another core reads without pause", writes),
        ("a quote read, alone", reads_alone),
        ("a quote read, another core writes without pause", reads),
    ]
}
