//! A writer and its reader in a process each.

use super::{Folder, LIMIT, Other, plan, quote, record, records};
use feed_common::event::Record;
use feed_common::ring::shared::{OwnedBy, Published, SharedReader, Standing, Takeover, publish};
use feed_common::ring::{Overrun, Reader};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Reads until nothing more can come; how many were read, each of them whole.
fn read_all(reader: &mut Reader<Record>) -> u64 {
    let mut out = [Record::default(); 32];
    let (mut seen, start) = (0, Instant::now());
    let mut idle = 0u32;
    loop {
        let at = reader.position();
        match reader.read(&mut out) {
            Ok(0) if reader.is_closed() => return seen,
            Ok(0) => {
                idle += 1;
                if idle.is_multiple_of(64) {
                    assert!(start.elapsed() < LIMIT, "no progress");
                    thread::yield_now();
                }
            }
            Ok(n) => {
                for (p, got) in (at..).zip(&out[..n]) {
                    assert_eq!(*got, record(p), "record {p} is torn or not itself");
                }
                seen += n as u64;
            }
            Err(Overrun { lost }) => assert_eq!(reader.position(), at + lost),
        }
    }
}

#[test]
fn no_record_is_torn_between_processes_and_every_one_is_read_or_counted() {
    let folder = Folder::new("torn");
    let mut writer = Other::start("writer", &folder.feed());
    writer.hear();
    let feed = SharedReader::open(&folder.feed(), OwnedBy::Us).unwrap();
    let mut reader = feed.subscriber().from_oldest();
    writer.tell();
    let quotes = thread::scope(|threads| {
        let quotes = threads.spawn(|| {
            let (mut last, mut seen) = (0, 0u64);
            while feed.standing() == Standing::Live {
                for _ in 0..1_000 {
                    let Ok(Some(got)) = feed.quote(0) else {
                        continue;
                    };
                    assert_eq!(got, quote(got.sequence), "torn");
                    assert!(got.sequence >= last);
                    seen += u64::from(got.sequence != last);
                    last = got.sequence;
                }
                thread::sleep(Duration::from_micros(100));
            }
            seen
        });
        let seen = read_all(&mut reader);
        assert_eq!(
            (reader.position(), seen + reader.lost()),
            (records(), records())
        );
        println!("{seen} read, {} lost", reader.lost());
        quotes.join().unwrap()
    });
    assert!(quotes > 0);
    writer.end();
    assert_eq!(feed.standing(), Standing::Closed);
}

#[test]
fn a_killed_writer_is_noticed_and_its_successor_followed() {
    let folder = Folder::new("killed");
    let mut first = Other::start("endless", &folder.feed());
    assert_eq!(first.hear(), format!("{:?}", Takeover::Nobody));
    let mut feed = SharedReader::open(&folder.feed(), OwnedBy::Us).unwrap();
    for _ in 0..5 {
        let mut reader = feed.subscriber().from_now();
        let mut out = [Record::default(); 8];
        let start = Instant::now();
        while reader.position() + reader.lost() == 0 || reader.backlog() == 0 {
            assert!(start.elapsed() < LIMIT);
            let _ = reader.read(&mut out);
        }
        assert_eq!(feed.standing(), Standing::Live);
        // One that lives is not taken over.
        let refused = publish(&plan(&folder.feed(), 256)).unwrap_err().to_string();
        let pid = first.child.id();
        assert!(
            refused.contains(&format!("running writer has it (process {pid})")),
            "{refused}"
        );

        first.kill();
        assert_eq!(feed.standing(), Standing::Dead);
        let mut second = Other::start("endless", &folder.feed());
        assert_eq!(second.hear(), format!("{:?}", Takeover::Dead(pid)));
        assert_eq!(feed.standing(), Standing::Superseded);
        // What was there when the first was killed is there still, whole.
        let mut last = feed.subscriber().from_oldest();
        assert!(read_all(&mut last) > 0);
        let next = feed.reopen().unwrap();
        assert!(next.facts().epoch > feed.facts().epoch);
        assert_eq!(next.facts().writer.pid, second.child.id());
        (feed, first) = (next, second);
    }
    first.kill();
}

#[test]
fn a_reader_that_is_stopped_is_noticed_by_nobody() {
    // It maps the file read-only, so there is nothing it could do: the writer finds the same words whoever reads.
    let folder = Folder::new("stopped");
    let Published {
        mut ring,
        board,
        hold: _hold,
    } = publish(&plan(&folder.feed(), 64)).unwrap();
    let feed = SharedReader::open(&folder.feed(), OwnedBy::Us).unwrap();
    let mut stopped = feed.subscriber().from_now();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = folder.feed().display().to_string();
    let ours = maps.lines().filter(|l| l.ends_with(&path));
    let mut modes: Vec<_> = ours.map(|l| l.split_whitespace().nth(1).unwrap()).collect();
    modes.sort();
    assert_eq!(modes, ["r--s", "rw-s"], "the reader's and the writer's");
    for p in 0..100_000 {
        ring.push(&record(p));
    }
    ring.flush();
    let Err(Overrun { lost }) = stopped.next() else {
        panic!("a lap of 64 slots")
    };
    assert_eq!(lost, 100_000 - 32);
    assert_eq!(stopped.next(), Ok(Some(record(lost))));
    drop(board);
}
