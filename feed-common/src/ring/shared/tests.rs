//! Making, opening, taking over and refusing files, in one process; several are in `tests/shared_memory.rs`.

use super::layout::{CHANNELS, HEADER, Header};
use super::taken::{TakenLog, clear, collect};
use super::*;
use crate::event::{Name, Price, Record};
use crate::ring::{Overrun, Reader};
use crate::sys::shared::beside;
use crate::time::{Clock, TickScale};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use zerocopy::{FromBytes, IntoBytes};

/// A folder in shared memory, gone with it.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let path = format!("/dev/shm/feed-test-{name}-{}", std::process::id());
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path.into())
    }

    pub(super) fn plan(&self) -> SharedPlan {
        SharedPlan {
            path: self.0.join("feed"),
            slots: 64,
            instruments: 8,
            mode: 0o600,
            group: None,
            session: Session::new("a test"),
            channels: vec![Channel {
                number: 3,
                name: "itch".into(),
                protocol: "itch50".into(),
            }],
            scale: TickScale::from_ratio(1, 2),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn record(p: u64) -> Record {
    Record::from_words(std::array::from_fn(|i| p.wrapping_mul(2 * i as u64 + 1)))
}

pub(super) fn open(path: &Path) -> SharedReader {
    SharedReader::open(path, OwnedBy::Us).unwrap()
}

pub(super) fn why(path: &Path) -> String {
    SharedReader::open(path, OwnedBy::Us)
        .unwrap_err()
        .to_string()
}

pub(super) fn refused(plan: &SharedPlan) -> String {
    publish(plan).unwrap_err().to_string()
}

/// Reads what is there; how many, all of them whole.
pub(super) fn drain(reader: &mut Reader<Record>) -> u64 {
    let mut out = [Record::default(); 7];
    let mut seen = 0;
    loop {
        let at = reader.position();
        match reader.read(&mut out) {
            Ok(0) => return seen,
            Ok(n) => {
                for (p, got) in (at..).zip(&out[..n]) {
                    assert_eq!(*got, record(p));
                }
                seen += n as u64;
            }
            Err(Overrun { lost }) => assert_eq!(reader.position(), at + lost),
        }
    }
}

/// As if its writer had been killed: nothing in this process says that it ended.
pub(super) fn orphan(plan: &SharedPlan) -> Vec<u8> {
    let published = publish(plan).unwrap();
    let bytes = fs::read(&plan.path).unwrap();
    drop(published);
    let mut header = Header::read_from_prefix(&bytes).unwrap().0;
    header.started += 1;
    sealed(bytes, header)
}

/// The file with this header, and a checksum that fits.
pub(super) fn sealed(mut bytes: Vec<u8>, mut header: Header) -> Vec<u8> {
    let channels = header.channel_count.min(1_024) as usize * 64;
    let end = (CHANNELS as usize + channels).min(bytes.len());
    header.checksum = header.sum(&bytes[CHANNELS as usize..end]);
    bytes[..HEADER as usize].copy_from_slice(header.as_bytes());
    bytes
}

#[test]
fn what_is_written_is_read_until_the_writer_closes() {
    let folder = Folder::new("read");
    let plan = folder.plan();
    let Published {
        mut ring,
        mut board,
        hold,
    } = publish(&plan).unwrap();
    assert_eq!(hold.takeover(), &Takeover::Nobody);
    let feed = open(&plan.path);
    let facts = feed.facts();
    assert_eq!(
        (facts.slots, facts.instruments, facts.scale),
        (64, 8, plan.scale)
    );
    assert_eq!(
        (facts.epoch, facts.session.text()),
        (hold.epoch(), "a test".into())
    );
    assert_eq!(
        (facts.writer.pid, &facts.channels),
        (std::process::id(), &plan.channels)
    );
    assert_eq!(feed.standing(), Standing::Live);

    let mut reader = feed.subscriber().from_now();
    let mut inside = ring.subscribe();
    (0..40).for_each(|p| ring.push(&record(p)));
    ring.flush();
    assert_eq!((drain(&mut reader), drain(&mut inside)), (40, 40));
    (40..1_000).for_each(|p| ring.push(&record(p)));
    ring.flush();
    assert_eq!(drain(&mut reader) + reader.lost(), 960);
    assert!(reader.lost() > 0, "a lap of 64 slots");

    let names: [&[u8]; 2] = [b"ABC", b"A LONGER NAME 2027-03"];
    for (i, name) in (0..).zip(names) {
        let name = Name::new(name);
        let symbol = name.symbol().unwrap_or(*b"#1      ");
        let it = Instrument {
            channel: 3,
            instrument: i,
            symbol,
            name,
        };
        assert_eq!(board.announce(&it), Some(i));
        assert_eq!(feed.instrument(i), Ok(Some(it)));
    }
    assert_eq!((feed.rows(), feed.quote(1)), (2, Ok(None)));
    let quote = Quote {
        bid: Price(5),
        ask_quantity: 1 << 40,
        flags: QuoteFlags::UNSURE,
        ..Quote::default()
    };
    assert!(board.put(1, &quote));
    assert_eq!((feed.quote(1), feed.quote(0)), (Ok(Some(quote)), Ok(None)));
    assert_eq!(
        (
            feed.row_named("ABC"),
            feed.row_named("A LONGER NAME 2027-03")
        ),
        (Some(0), Some(1))
    );
    assert_eq!(
        (feed.row_named("#1"), feed.row_named("AB")),
        (Some(1), None)
    );
    assert_eq!((feed.row_of(3, 1), feed.row_of(2, 1)), (Some(1), None));

    assert!(!reader.is_closed());
    ring.push(&record(1_000));
    drop(ring);
    assert_eq!((feed.standing(), drain(&mut reader)), (Standing::Closed, 1));
    assert!(reader.is_closed());
}

#[test]
fn plans_that_cannot_be_are_refused_by_name() {
    let folder = Folder::new("plans");
    let plan = folder.plan();
    let with = |change: fn(&mut SharedPlan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        refused(&plan)
    };
    assert!(with(|p| p.slots = 100).contains("power of two"));
    assert!(with(|p| p.instruments = INSTRUMENTS_MAX + 1).contains("instruments"));
    assert!(with(|p| p.mode = 0o666).contains("nobody but its owner"));
    assert!(with(|p| p.mode = 0o400).contains("mode"));
    let channel = plan.channels[0].clone();
    assert!(
        publish(&SharedPlan {
            channels: vec![channel; 1_025],
            ..plan.clone()
        })
        .is_err()
    );
    // More than there is room for: an error, and nothing is left.
    let huge = with(|p| p.slots = 1 << 32);
    assert!(huge.contains("feed.new"), "{huge}");
    let there: Vec<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(there, ["feed.lock"]);
}

#[test]
fn permissions_are_those_of_the_plan_and_owners_those_that_are_wanted() {
    let folder = Folder::new("mode");
    let plan = SharedPlan {
        mode: 0o644,
        ..folder.plan()
    };
    let _published = publish(&plan).unwrap();
    let facts = fs::metadata(&plan.path).unwrap();
    assert_eq!(facts.mode() & 0o7777, 0o644);
    assert!(facts.blocks() * 512 >= facts.len(), "sparse");
    let of = |owned_by| SharedReader::open(&plan.path, owned_by);
    assert!(of(OwnedBy::User(facts.uid())).is_ok() && of(OwnedBy::Anybody).is_ok());
    let other = of(OwnedBy::User(facts.uid() + 1)).unwrap_err().to_string();
    assert!(other.contains("belongs to user"), "{other}");
}

#[test]
fn an_unwritten_ring_holds_nothing_and_a_file_without_instruments_no_quotes() {
    let folder = Folder::new("empty");
    let plan = SharedPlan {
        instruments: 0,
        slots: 4,
        channels: Vec::new(),
        ..folder.plan()
    };
    let mut published = publish(&plan).unwrap();
    let feed = open(&plan.path);
    assert_eq!(drain(&mut feed.subscriber().from_oldest()), 0);
    let it = Instrument {
        channel: 0,
        instrument: 0,
        symbol: *b"A       ",
        name: Name::NONE,
    };
    assert_eq!(
        (published.board.announce(&it), published.board.turned_away()),
        (None, 1)
    );
    assert_eq!(
        (feed.rows(), feed.quote(0), feed.row_named("A")),
        (0, Ok(None), None)
    );
}

#[test]
fn consumers_leave_what_they_took_and_the_writer_collects_it() {
    let folder = Folder::new("taken");
    let plan = SharedPlan {
        scale: Clock::new().scale(),
        ..folder.plan()
    };
    let mut published = publish(&plan).unwrap();
    let feed = open(&plan.path);
    let mut reader = feed.subscriber().from_now();
    let mut taken = TakenLog::of(&feed);
    let clock = Clock::new();
    for _ in 0..50 {
        let mut record = Record::default();
        record.rx.set(clock.now().0);
        published.ring.push(&record);
        // Made without a packet.
        published.ring.push(&Record::default());
        published.ring.flush();
        let mut out = [Record::default(); 4];
        assert_eq!(reader.read(&mut out), Ok(2));
        taken.take(&out[..2]);
    }
    let path = taken.leave().unwrap().to_owned();
    taken.leave().unwrap();
    let epoch = published.hold.epoch();
    // One of another run, one that is none, a link, one too large.
    let name = |epoch: u64, pid: u32| beside(&plan.path, &format!(".taken.{epoch}.{pid}"));
    fs::copy(&path, name(epoch - 1, 5)).unwrap();
    fs::write(name(epoch, 1), "Tag=taken,0,0,0,!!!\n").unwrap();
    symlink(&path, name(epoch, 2)).unwrap();
    fs::File::create(name(epoch, 3))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();

    let found = collect(&plan.path, epoch).unwrap();
    assert_eq!(found.len(), 4);
    for by in &found {
        match by.pid {
            1..=3 => assert!(by.fault.is_some() && by.cells.is_empty(), "{by:?}"),
            pid => {
                assert_eq!(
                    (pid, &by.fault, by.cells.len()),
                    (std::process::id(), &None, 1)
                );
                let histogram = by.cells[0].histogram();
                assert_eq!(histogram.len(), 50);
                assert!(histogram.min() > 0 && histogram.max() < 10_000_000_000);
            }
        }
    }
    clear(&plan.path).unwrap();
    assert!(collect(&plan.path, epoch).unwrap().is_empty());
    assert!(!name(epoch - 1, 5).exists() && plan.path.exists());

    // All of it or nothing.
    fs::create_dir(&path).unwrap();
    taken.leave().unwrap_err();
    assert!(path.is_dir() && !beside(&path, ".new").exists());
}
