//! Files as they should not be: damaged anywhere, or made with care.

use super::layout::{CHANNELS, HEADER, Header, STATE};
use super::tests::{Folder, open, record, sealed};
use super::*;
use crate::event::{Name, Record};
use crate::time::UnixNanos;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::FileExt;
use zerocopy::FromBytes;

/// Everything that a reader can do with a file, whatever is in it.
fn use_all(feed: &SharedReader) {
    let _ = (
        feed.standing(),
        feed.rows(),
        feed.row_named("ABC"),
        feed.row_of(0, 0),
    );
    for row in [0, 7, 8, u32::MAX] {
        let _ = (feed.quote(row), feed.instrument(row));
    }
    for mut reader in [
        feed.subscriber().from_now(),
        feed.subscriber().from_oldest(),
    ] {
        let mut out = [Record::default(); 100];
        for _ in 0..4 {
            let _ = reader.read(&mut out);
            let _ = (reader.backlog(), reader.is_closed(), reader.next());
        }
    }
}

fn filled(folder: &Folder) -> Vec<u8> {
    let plan = folder.plan();
    let mut published = publish(&plan).unwrap();
    (0..100).for_each(|p| published.ring.push(&record(p)));
    let it = Instrument {
        channel: 3,
        instrument: 0,
        symbol: *b"ABC     ",
        name: Name::new(b"ABC"),
    };
    published.board.announce(&it);
    published.board.put(
        0,
        &Quote {
            timestamp: UnixNanos(1),
            ..Quote::default()
        },
    );
    published.ring.flush();
    fs::read(&plan.path).unwrap()
}

#[test]
fn a_flipped_bit_anywhere_is_refused_in_the_header_and_harmless_behind_it() {
    let folder = Folder::new("flip");
    let good = filled(&folder);
    let path = folder.0.join("flipped");
    fs::write(&path, &good).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let write = |at: usize, byte: u8| file.write_all_at(&[byte], at as u64).unwrap();
    for (at, byte) in good.iter().enumerate().take(4_096 + 128) {
        for bit in 0..8 {
            write(at, byte ^ 1 << bit);
            let opened = SharedReader::open(&path, OwnedBy::Us);
            let covered =
                at < HEADER as usize || (CHANNELS as usize..CHANNELS as usize + 64).contains(&at);
            match opened {
                Err(_) => assert!(covered, "byte {at}, bit {bit}"),
                Ok(feed) => {
                    assert!(!covered, "byte {at}, bit {bit}");
                    use_all(&feed);
                }
            }
        }
        write(at, *byte);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A header that somebody made with care, checksum and all: what it says is refused, or stays inside the file.
    #[test]
    fn a_hostile_header_leads_nowhere(
        words in prop::collection::vec((1usize..63, prop_oneof![
            any::<u64>(), 0u64..5_000, Just(u64::MAX), Just(1 << 63), Just(1 << 32), (0u32..64).prop_map(|b| 1 << b),
        ]), 1..4),
        dynamic in prop::collection::vec((64usize..1_200, any::<u64>()), 0..8),
        cut in prop_oneof![4 => Just(None), 1 => (0usize..30_000).prop_map(Some)],
    ) {
        let folder = Folder::new("hostile");
        let mut bytes = filled(&folder);
        for (word, value) in words.iter().chain(&dynamic) {
            bytes[word * 8..][..8].copy_from_slice(&value.to_ne_bytes());
        }
        let header = Header::read_from_prefix(&bytes).unwrap().0;
        let mut bytes = sealed(bytes, header);
        bytes.truncate(cut.unwrap_or(bytes.len()));
        let path = folder.0.join("hostile");
        fs::write(&path, &bytes).unwrap();
        if let Ok(feed) = SharedReader::open(&path, OwnedBy::Us) {
            use_all(&feed);
        }
    }

    /// What another process does to the words that move, while they are read.
    #[test]
    fn hostile_words_that_move_lead_nowhere(
        steps in prop::collection::vec(prop::collection::vec((
            prop_oneof![Just(512u64), Just(640), Just(STATE), Just(896)],
            prop_oneof![any::<u64>(), 0u64..200, Just(u64::MAX), (u64::MAX - 100)..u64::MAX],
        ), 0..4), 1..12),
    ) {
        let folder = Folder::new("moves");
        let path = folder.0.join("moves");
        fs::write(&path, filled(&folder)).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let feed = open(&path);
        let mut reader = feed.subscriber().from_oldest();
        let mut out = [Record::default(); 100];
        for step in steps {
            for (at, value) in step {
                file.write_all_at(&value.to_ne_bytes(), at).unwrap();
            }
            let _ = (reader.read(&mut out), reader.backlog(), reader.is_closed());
            use_all(&feed);
        }
    }
}
