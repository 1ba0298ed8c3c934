//! Shared memory as another process could have left it.

use super::Seeds;
use feed_common::event::{Name, Price, Record};
use feed_common::ring::shared::{
    Channel, Instrument, OwnedBy, Quote, Session, SharedPlan, SharedReader, publish,
};
use feed_common::time::TickScale;
use flate2::Crc;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the checksum lies, and the channels that it is of, too.
const CHECKSUM: usize = 504;
const CHANNELS: usize = 1024;

/// A file behind a byte: odd, its checksum is made to fit, which no fuzzer finds. What can be opened is read as it lies
/// there, twice the same, and nothing outside of it.
pub fn shared_memory(data: &[u8]) {
    let Some((how, file)) = data.split_first() else {
        return;
    };
    let mut bytes = file.to_vec();
    if how & 1 == 1 {
        seal(&mut bytes);
    }
    let folder = Folder::new();
    let path = folder.0.join("feed");
    fs::write(&path, &bytes).expect("memory");
    if let Ok(feed) = SharedReader::open(&path, OwnedBy::Us) {
        let again = feed.reopen().expect("as before");
        assert_eq!(again.facts(), feed.facts());
        assert_eq!(again.standing(), feed.standing());
        let word = |at: usize| u64::from_ne_bytes(bytes[at..][..8].try_into().expect("8 bytes"));
        tables(&feed, word);
        for reader in [
            feed.subscriber().from_now(),
            feed.subscriber().from_oldest(),
        ] {
            let slots = feed.facts().slots;
            let (mut reader, mut out) = (reader, [Record::default(); 16]);
            for _ in 0..8 {
                let at = reader.position();
                let Ok(n) = reader.read(&mut out) else {
                    continue;
                };
                for (i, record) in (0..).zip(&out[..n]) {
                    let slot = at.wrapping_add(i) & (slots - 1);
                    let place = (word(96) + slot * 64) as usize;
                    let there = (0..8).map(|i| word(place + i * 8));
                    assert!(there.eq(record.words().map(u64::from_le)));
                }
            }
            let _ = (reader.backlog(), reader.is_closed(), reader.next());
        }
    }
}

/// Rows that are said to be there, and some that are not.
fn tables(feed: &SharedReader, word: impl Fn(usize) -> u64) {
    let rows = feed.facts().instruments;
    assert!(feed.rows() <= rows);
    for row in (0..rows.min(64)).chain([rows, u32::MAX]) {
        if let Ok(Some(quote)) = feed.quote(row) {
            assert_eq!(
                quote.bid.0 as u64,
                word((word(120) + u64::from(row) * 64 + 8) as usize)
            );
        }
        if let Ok(Some(it)) = feed.instrument(row) {
            assert!(row < rows);
            let _ = feed.row_of(it.channel, it.instrument);
        }
    }
    let _ = feed.row_named("ABC");
}

fn seal(bytes: &mut [u8]) {
    let channels = bytes
        .get(136..144)
        .map(|b| u64::from_ne_bytes(b.try_into().expect("8 bytes")));
    let channels = channels.unwrap_or(0).min(1024) as usize * 64;
    let mut sum = Crc::new();
    if let (Some(header), Some(channels)) = (
        bytes.get(..CHECKSUM),
        bytes.get(CHANNELS..CHANNELS + channels),
    ) {
        sum.update(header);
        sum.update(channels);
        bytes[CHECKSUM..][..8].copy_from_slice(&u64::from(sum.sum()).to_ne_bytes());
    }
}

/// Files with records, quotes and names: of a writer that ended, and of one that writes.
pub fn seeds(seeds: &mut Seeds) {
    for (slots, instruments, channels) in [(4, 0, 0), (16, 2, 1)] {
        let folder = Folder::new();
        let channel = Channel {
            number: 3,
            name: "itch".into(),
            protocol: "itch50".into(),
        };
        let plan = SharedPlan {
            path: folder.0.join("feed"),
            slots,
            instruments,
            mode: 0o600,
            group: None,
            session: Session::new("seed"),
            channels: vec![channel; channels],
            scale: TickScale::from_ratio(1, 3),
        };
        let mut published = publish(&plan).expect("memory");
        for p in 0..40 {
            published.ring.push(&Record::from_words([p; 8]));
        }
        published.ring.flush();
        for instrument in 0..instruments {
            let it = Instrument {
                channel: 3,
                instrument,
                symbol: *b"ABC     ",
                name: Name::new(b"ABC"),
            };
            let quote = Quote {
                bid: Price(7),
                ..Quote::default()
            };
            let row = published.board.announce(&it).expect("a row");
            published.board.put(row, &quote);
        }
        let live = fs::read(&plan.path).expect("just made");
        drop(published);
        let closed = fs::read(&plan.path).expect("just made");
        for (how, file) in [(0, &live), (1, &live), (1, &closed)] {
            seeds.push([&[how], &file[..]].concat());
        }
    }
}

/// A folder of its own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let memory = Path::new("/dev/shm").join(format!("feed-fuzz-{process}-{number}"));
        fs::create_dir(&memory).expect("shared memory");
        Folder(memory)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
