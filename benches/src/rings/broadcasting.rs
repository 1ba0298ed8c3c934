//! The broadcast ring: what writing and reading costs, alone and between two cores, and before a crowd.

use super::{BATCH, Cores, EXCHANGES, Line, per, wait};
use crate::measure::{median, timed};
use feed_common::event::Record;
use feed_common::ring::{Reader, Writer, broadcast};
use feed_common::sys::pin_current_thread;
use feed_common::time::Ticks;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Records of one throughput measurement.
pub const RECORDS: u64 = 2_000_000;

/// How long each of a crowd sleeps between its looks at the ring.
const NAP: Duration = Duration::from_millis(10);

/// A record made in registers, as the pipeline makes them: one that is changed in memory and then copied waits for its
/// own stores, which is no cost of a ring.
#[inline(always)]
fn record(p: u64) -> Record {
    Record::from_words([7, 7, 7, 7, p, 7, 7, 7])
}

/// What any writer must pay: storing 64 bytes in the next slot. Nanoseconds a record.
pub fn plain_copies(slots: usize) -> f64 {
    let mut memory = vec![Record::default(); slots];
    let took = timed(|| {
        for p in 0..RECORDS {
            memory[p as usize & (slots - 1)] = record(black_box(p));
        }
    });
    black_box(memory);
    took / RECORDS as f64
}

/// Flat out with nobody reading. Nanoseconds a record.
pub fn writer_alone(slots: usize) -> f64 {
    let mut writer = broadcast::<Record>(slots).expect("memory");
    // Once around, so that none of its pages is touched for the first time while it is measured.
    write(&mut writer, slots as u64);
    timed(|| write(&mut writer, RECORDS)) / RECORDS as f64
}

/// So many records in batches.
pub fn write(writer: &mut Writer<Record>, records: u64) {
    for p in 0..records {
        writer.push(&record(black_box(p)));
        if p % BATCH as u64 == BATCH as u64 - 1 {
            writer.flush();
        }
    }
    writer.flush();
}

/// Reads what is there in batches; records.
pub fn read(reader: &mut Reader<Record>) -> u64 {
    let mut out = [Record::default(); BATCH];
    let mut seen = 0;
    while let Ok(n @ 1..) = reader.read(&mut out) {
        black_box(&out[..n]);
        seen += n as u64;
    }
    seen
}

/// Reading what lies in this core's own cache. Nanoseconds a record: the median of many short looks, since whatever
/// comes between makes the cache another's.
pub fn reader_alone() -> f64 {
    const THERE: u64 = 2048;
    let mut writer = broadcast::<Record>(4096).expect("memory");
    let mut reader = writer.subscribe();
    let looks = (0..RECORDS / THERE).map(|_| {
        write(&mut writer, THERE);
        let start = Instant::now();
        assert_eq!(read(&mut reader), THERE, "nothing is overwritten");
        per(start.elapsed(), THERE)
    });
    median(looks.collect())
}

/// Both flat out: nanoseconds for each record written, for each record seen, and per cent lost. Before a crowd, there are
/// `sleepers` more readers on the other core that look at the ring a hundred times a second.
pub fn writer_and_reader(cores: &Cores, slots: usize, records: u64, sleepers: usize) -> [f64; 3] {
    let mut writer = broadcast::<Record>(slots).expect("memory");
    let mut reader = writer.subscribe();
    let readers = writer.subscriber();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..sleepers {
            let mut reader = readers.from_now();
            let over = &over;
            scope.spawn(move || {
                pin_current_thread(cores.other).unwrap_or_else(|error| panic!("{error}"));
                let mut out = [Record::default(); BATCH];
                while !over.load(Ordering::Relaxed) {
                    // Overrun each time, which is its own loss.
                    let _ = black_box(reader.read(&mut out));
                    thread::sleep(NAP);
                }
            });
        }
        let read = move || {
            let mut out = [Record::default(); BATCH];
            let (mut start, mut seen) = (None, 0);
            loop {
                match reader.read(&mut out) {
                    Ok(0) if reader.is_closed() => break,
                    Ok(0) => spin_loop(),
                    Ok(n) => {
                        start.get_or_insert_with(Instant::now);
                        black_box(&out[..n]);
                        seen += n as u64;
                    }
                    Err(_) => {}
                }
            }
            assert_eq!(seen + reader.lost(), records);
            let took = start.map_or(Duration::ZERO, |s| s.elapsed());
            (per(took, seen), reader.lost())
        };
        let write_all = move || {
            let start = Instant::now();
            write(&mut writer, records);
            per(start.elapsed(), records)
        };
        let ((seen, lost), written) = cores.pair(read, write_all);
        over.store(true, Ordering::Relaxed);
        [written, seen, lost as f64 * 100.0 / records as f64]
    })
}

/// Records read while they are written over, and how many of them were torn: a record is the same word eight times.
pub fn torn(cores: &Cores, records: u64) -> (u64, u64) {
    let mut writer = broadcast::<Record>(4096).expect("memory");
    let mut reader = writer.subscribe();
    let write = move || {
        for p in 0..records {
            writer.push(&Record::from_words([black_box(p); 8]));
            if p % BATCH as u64 == BATCH as u64 - 1 {
                writer.flush();
            }
        }
    };
    let read = || {
        let mut out = [Record::default(); BATCH];
        let (mut seen, mut torn) = (0, 0);
        loop {
            match reader.read(&mut out) {
                Ok(0) if reader.is_closed() => break,
                Ok(n) => {
                    let broken = |r: &&Record| {
                        let words = r.words();
                        words.iter().any(|word| *word != words[0])
                    };
                    torn += out[..n].iter().filter(broken).count() as u64;
                    seen += n as u64;
                }
                Err(_) => {}
            }
        }
        (seen, torn)
    };
    cores.pair(write, read).1
}

/// One record in flight at a time, from before the push to after the read: p50 and p99 in nanoseconds.
pub fn latency(cores: &Cores) -> [f64; 2] {
    let mut writer = broadcast::<Record>(4096).expect("memory");
    let mut reader = writer.subscribe();
    let taken = Line::default();
    let clock = cores.clock.clone();
    let send = || {
        let mut record = Record::default();
        for i in 1..=EXCHANGES {
            record.rx.set(clock.now().0);
            writer.push(&record);
            writer.flush();
            wait(|| taken.0.load(Ordering::Acquire) == i);
        }
    };
    let receive = || {
        let mut times = Vec::with_capacity(EXCHANGES as usize);
        for i in 1..=EXCHANGES {
            wait(|| match reader.next().expect("nothing is overwritten") {
                Some(record) => {
                    times.push(cores.clock.now().since(Ticks(record.rx.get())));
                    true
                }
                None => false,
            });
            taken.0.store(i, Ordering::Release);
        }
        times
    };
    let ((), times) = cores.pair(send, receive);
    cores.quantiles(times)
}
