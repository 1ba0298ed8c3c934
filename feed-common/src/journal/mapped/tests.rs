use super::layout::{HEADER_BYTES, WORD};
use super::*;
use crate::encode::{Encode, EncodeFrame, SerializeError, WithTail};
use crate::event::Record;
use crate::journal::{Found, Skipped, Why};
use proptest::prelude::*;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use zerocopy::byteorder::little_endian::U64;

crate::record! {
    /// A number and bytes; its length is odd on purpose.
    struct Note: 9, kind 500, version 1 {
        id: U64,
        odd: u8,
    }
}

pub(super) const BLOCK: usize = 4096;
/// Published records of a block, and of a segment of three.
pub(super) const IN_BLOCK: u64 = (BLOCK as u64 - 16) / 80;
pub(super) const IN_SEGMENT: u64 = 3 * IN_BLOCK;

/// A folder that is gone in the end.
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("feed-journal-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }

    pub fn writer(&self) -> JournalWriter {
        JournalWriter::open(&self.0, &options()).unwrap()
    }

    pub fn reader(&self, start: Start) -> JournalReader {
        JournalReader::open(&self.0, start).unwrap()
    }

    pub fn segment(&self, number: u64) -> PathBuf {
        folder::path(&self.0, number)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn options() -> JournalOptions {
    JournalOptions {
        segment: HEADER_BYTES + 3 * BLOCK,
        block: BLOCK,
        ..JournalOptions::new(77)
    }
}

/// Record `n`: all of it follows from its number.
pub(super) fn record(n: u64) -> Record {
    Record::from_words(std::array::from_fn(|i| {
        (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 + i as u64)
    }))
}

pub(super) fn records(numbers: std::ops::Range<u64>) -> Vec<Record> {
    numbers.map(record).collect()
}

/// What a reader gives until there is no more, as bytes of frames.
pub(super) fn given(reader: &mut JournalReader) -> (Vec<(u64, Vec<u8>)>, Vec<Skipped>) {
    let (mut records, mut skips) = (Vec::new(), Vec::new());
    while let Some(found) = reader.read().unwrap() {
        match found {
            Found::Record { number, frame } => records.push((number, frame.bytes().to_vec())),
            Found::Skipped(skipped) => skips.push(skipped),
        }
    }
    (records, skips)
}

pub(super) fn bytes(record: &impl Encode) -> Vec<u8> {
    let mut out = Vec::new();
    record.serialize_into(&mut out).unwrap();
    out
}

/// The published records of these numbers, and nothing skipped.
fn just(numbers: std::ops::Range<u64>) -> (Vec<(u64, Vec<u8>)>, Vec<Skipped>) {
    (numbers.map(|n| (n, bytes(&record(n)))).collect(), vec![])
}

#[test]
fn what_goes_in_comes_out_over_many_segments() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let mut behind = folder.reader(Start::Oldest);
    assert_eq!(given(&mut behind), just(0..0));
    let mut at = 0;
    for batch in [1, 0, IN_BLOCK - 1, 1, IN_SEGMENT, 7 * IN_SEGMENT + 3, 1] {
        writer.append(&records(at..at + batch)).unwrap();
        assert_eq!(given(&mut behind), just(at..at + batch));
        at += batch;
        assert_eq!(writer.number(), at);
    }
    assert_eq!(given(&mut folder.reader(Start::Oldest)), just(0..at));
    for n in [
        0,
        1,
        IN_BLOCK,
        IN_SEGMENT - 1,
        IN_SEGMENT,
        5 * IN_SEGMENT + 1,
        at - 1,
        at,
    ] {
        assert_eq!(
            given(&mut folder.reader(Start::Number(n))),
            just(n..at),
            "{n}"
        );
    }
    let mut late = folder.reader(Start::End);
    let mut later = folder.reader(Start::Number(at + 2));
    writer.append(&records(at..at + 5)).unwrap();
    assert_eq!(given(&mut late), just(at..at + 5));
    assert_eq!(given(&mut later), just(at + 2..at + 5));
    let listed = segments(&folder.0).unwrap();
    for (i, segment) in listed.iter().enumerate() {
        let contents = segment.contents.unwrap();
        let i = i as u64;
        assert_eq!((segment.number, contents.first), (i, Some(i * IN_SEGMENT)));
        let last = i + 1 == listed.len() as u64;
        assert_eq!(contents.end, (!last).then_some((i + 1) * IN_SEGMENT));
    }
}

#[test]
fn a_segment_byte_by_byte() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    writer.append(&[record(0)]).unwrap();
    let note = Note {
        id: 7.into(),
        odd: 1,
    };
    writer.push(&WithTail::new(&note, b"tail")).unwrap();
    drop(writer);
    let file = fs::read(folder.segment(0)).unwrap();
    assert_eq!(file.len(), HEADER_BYTES + 3 * BLOCK);
    let block = &file[HEADER_BYTES..];
    assert_eq!((&block[4..8], &block[8..16]), (&b"JBLK"[..], &[0; 8][..]));
    assert_eq!(block[20..96], bytes(&record(0)));
    assert_eq!(&block[20..32], b"FH\x02\0\x01\0\x40\0\0\0\0\0");
    let noted = b"FH\xF4\x01\x01\0\x09\0\x04\0\0\0\x07\0\0\0\0\0\0\0\x01tail";
    assert_eq!(&block[100..100 + noted.len()], noted);
    // The check of a record by the description, bit by bit.
    let mut input = [77u64, 0].map(u64::to_le_bytes).concat();
    input.extend(0u32.to_le_bytes());
    input.extend((HEADER_BYTES as u32 / 8 + 2).to_le_bytes());
    input.extend([0; 4]);
    input.extend(&block[20..96]);
    let check = input.iter().fold(!0u32, |check, &byte| {
        (0..8).fold(check ^ u32::from(byte), |c, _| {
            (c >> 1) ^ ((c & 1) * 0x82F6_3B78)
        })
    });
    assert_eq!(block[16..20], (!check).to_le_bytes());
    assert!(block[100 + noted.len()..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_record_that_was_not_committed_is_cleared_and_counted() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    writer.append(&records(0..3)).unwrap();
    drop(writer);
    // As a writer leaves it that is killed within the fourth: all but the commit word.
    let mut file = fs::read(folder.segment(0)).unwrap();
    let at = HEADER_BYTES + 16 + 3 * 80;
    file[at + WORD..at + 80].fill(0xAB);
    fs::write(folder.segment(0), &file).unwrap();
    assert_eq!(given(&mut folder.reader(Start::Oldest)), just(0..3));
    let mut writer = folder.writer();
    let want = Recovered {
        next: 3,
        partial: 1,
        damaged: 0,
    };
    assert_eq!(*writer.recovered(), want);
    // A shorter one than was begun there.
    writer
        .push(&Note {
            id: 3.into(),
            odd: 0,
        })
        .unwrap();
    let (found, skipped) = given(&mut folder.reader(Start::Number(3)));
    assert_eq!((found.len(), skipped), (1, vec![]));
    drop(writer);
    assert_eq!(folder.writer().recovered().partial, 0);
}

#[test]
fn a_writer_that_was_killed_between_two_segments_goes_on_in_the_next() {
    for further in [false, true] {
        let folder = Folder::new();
        let mut writer = folder.writer();
        writer.append(&records(0..IN_SEGMENT + 1)).unwrap();
        // The preparer can be faster than the writer.
        if further {
            assert!(writer.preparer().prepare().unwrap());
            assert!(!writer.preparer().prepare().unwrap());
        }
        drop(writer);
        // The end of the first is marked, and nothing is in the second yet.
        let mut second = fs::read(folder.segment(1)).unwrap();
        second[HEADER_BYTES..].fill(0);
        fs::write(folder.segment(1), second).unwrap();
        let mut reader = folder.reader(Start::Oldest);
        assert_eq!(given(&mut reader), just(0..IN_SEGMENT));
        let mut writer = folder.writer();
        assert_eq!(writer.recovered().next, IN_SEGMENT);
        writer.append(&records(IN_SEGMENT..3 * IN_SEGMENT)).unwrap();
        // Also who was there already.
        assert_eq!(given(&mut reader), just(IN_SEGMENT..3 * IN_SEGMENT));
        assert_eq!(writer.waits(), 1 - u64::from(further));
    }
}

#[test]
fn a_prepared_segment_is_gone_over_to_without_waiting() {
    let folder = Folder::new();
    let mut writer = folder.writer();
    let preparer = writer.preparer();
    for segment in 0..5 {
        preparer.prepare().unwrap();
        let at = segment * IN_SEGMENT;
        writer.append(&records(at..at + IN_SEGMENT)).unwrap();
    }
    assert_eq!((writer.waits(), writer.segment()), (0, 4));
    writer.append(&records(0..IN_SEGMENT + 1)).unwrap();
    assert_eq!(writer.waits(), 2);
    drop(writer);
    assert!(!folder::unfinished(&folder.0).exists());
    // With another writer there, what is left of the first touches nothing.
    let other = folder.writer();
    assert!(!preparer.prepare().unwrap());
    assert_eq!(
        segments(&folder.0).unwrap().len() as u64,
        other.segment() + 1
    );
}

#[test]
fn what_retention_removed_is_told() {
    let folder = Folder::new();
    let options = JournalOptions {
        keep: Some(1),
        ..options()
    };
    let mut writer = JournalWriter::open(&folder.0, &options).unwrap();
    writer.append(&records(0..2)).unwrap();
    let mut slow = folder.reader(Start::Oldest);
    assert!(slow.read().unwrap().is_some());
    writer.append(&records(2..6 * IN_SEGMENT)).unwrap();
    while writer.preparer().prepare().unwrap() {}
    let numbers: Vec<_> = segments(&folder.0)
        .unwrap()
        .iter()
        .map(|s| s.number)
        .collect();
    assert_eq!(numbers, [4, 5, 6]);
    // What it has mapped stays; of the rest it is told.
    let (found, skipped) = given(&mut slow);
    let want = (1..IN_SEGMENT).chain(4 * IN_SEGMENT..6 * IN_SEGMENT);
    assert!(found.iter().map(|&(n, _)| n).eq(want));
    let removed = |from: u64| Skipped {
        offset: from * options.segment as u64,
        bytes: (4 - from) * options.segment as u64 + HEADER_BYTES as u64,
        records: Some(3 * IN_SEGMENT),
        why: Why::Removed,
    };
    assert_eq!(skipped, [removed(1)]);
    // Whoever asks for one of them is told how many are missing from there on.
    let (found, skipped) = given(&mut folder.reader(Start::Number(5)));
    assert_eq!(found.len() as u64, 2 * IN_SEGMENT);
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].records, Some(4 * IN_SEGMENT - 5));
    assert_eq!(skipped[0].why, Why::Removed);
    assert_eq!(given(&mut folder.reader(Start::Oldest)).1, []);
}

#[test]
fn a_second_writer_and_impossible_options_are_refused() {
    let folder = Folder::new();
    let writer = folder.writer();
    let second = JournalWriter::open(&folder.0, &options()).unwrap_err();
    let says = second.to_string();
    assert!(
        says.ends_with(&format!("process {}", std::process::id())),
        "{says}"
    );
    drop(writer);
    drop(folder.writer());
    for other in [
        JournalOptions {
            keep: Some(0),
            ..options()
        },
        JournalOptions {
            segment: HEADER_BYTES,
            ..options()
        },
        JournalOptions {
            segment: HEADER_BYTES + BLOCK + 1,
            ..options()
        },
        JournalOptions {
            block: BLOCK - 8,
            ..options()
        },
        // Not what it was begun with.
        JournalOptions {
            segment: HEADER_BYTES + BLOCK,
            ..options()
        },
    ] {
        let refused = JournalWriter::open(&folder.0, &other).unwrap_err();
        assert!(matches!(refused, JournalError::Options { .. }), "{refused}");
    }
    // The journal keeps its own number.
    let other = JournalOptions {
        journal: 5,
        ..options()
    };
    drop(JournalWriter::open(&folder.0, &other).unwrap());
    assert_eq!(folder.reader(Start::Oldest).journal(), 77);
    let nothing = Folder::new();
    let empty = JournalReader::open(&nothing.0, Start::Oldest).unwrap_err();
    assert!(matches!(empty, JournalError::Empty { .. }));
    assert!(segments(&nothing.0).unwrap().is_empty());
}

#[test]
fn records_that_do_not_fit_or_are_none_are_refused() {
    struct Lie(&'static [u8]);
    impl Encode for Lie {
        fn serialized_size(&self) -> usize {
            self.0.len()
        }
        fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
            out.write_all(self.0)
        }
        fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
            out[..self.0.len()].copy_from_slice(self.0);
            Ok(self.0.len())
        }
    }
    impl EncodeFrame for Lie {}
    let folder = Folder::new();
    let mut writer = folder.writer();
    for lie in [
        &b""[..],
        b"F",
        b"FH\x02\0\x01\0\x01\0\0\0\0\0",
        b"FH\x02\0\x01\0\0\0\0\0\0\0\0",
    ] {
        assert!(matches!(writer.push(&Lie(lie)), Err(JournalError::NoFrame)));
    }
    let note = Note {
        id: 0.into(),
        odd: 0,
    };
    let most = BLOCK - 20 - 12 - 9;
    let tail = vec![1; most + 1];
    match writer.push(&WithTail::new(&note, &tail)) {
        Err(JournalError::TooLong { bytes, most }) => assert_eq!(bytes, most + 1),
        other => panic!("{other:?}"),
    }
    for length in [most, 0, most - 1] {
        writer.push(&WithTail::new(&note, &tail[..length])).unwrap();
    }
    assert_eq!(writer.number(), 3);
    let (found, skipped) = given(&mut folder.reader(Start::Oldest));
    assert_eq!((found.len(), skipped), (3, vec![]));
}

/// What a test does with a journal.
#[derive(Clone, Debug)]
enum Act {
    Append(u64),
    Push(usize),
    Reopen,
    Prepare,
    Read(usize),
    /// A reader begins so many records before the end.
    Begin(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..2 * IN_BLOCK).prop_map(Act::Append),
        4 => (0usize..3000).prop_map(Act::Push),
        1 => Just(Act::Reopen),
        1 => Just(Act::Prepare),
        2 => (0usize..200).prop_map(Act::Read),
        1 => (0u64..300).prop_map(Act::Begin),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn as_a_list_would(acts in prop::collection::vec(act(), 1..40)) {
        let folder = Folder::new();
        let mut list: Vec<Vec<u8>> = Vec::new();
        let mut writer = Some(folder.writer());
        let mut readers = vec![(folder.reader(Start::Oldest), 0)];
        for act in acts {
            let open = writer.as_mut().unwrap();
            match act {
                Act::Append(n) => {
                    let at = list.len() as u64;
                    let batch = records(at..at + n);
                    open.append(&batch).unwrap();
                    list.extend(batch.iter().map(bytes));
                }
                Act::Push(length) => {
                    let note = Note { id: (list.len() as u64).into(), odd: 3 };
                    let tail = vec![length as u8; length];
                    let noted = WithTail::new(&note, &tail);
                    open.push(&noted).unwrap();
                    list.push(bytes(&noted));
                }
                Act::Reopen => {
                    drop(writer.take());
                    let again = folder.writer();
                    let next = list.len() as u64;
                    prop_assert_eq!(*again.recovered(), Recovered { next, ..Recovered::default() });
                    writer = Some(again);
                }
                Act::Prepare => drop(open.preparer().prepare().unwrap()),
                Act::Read(n) => for (reader, at) in &mut readers {
                    for _ in 0..n {
                        follow(reader, at, &list)?;
                    }
                },
                Act::Begin(before) => {
                    let at = list.len() - list.len().min(before as usize);
                    readers.push((folder.reader(Start::Number(at as u64)), at));
                }
            }
            prop_assert_eq!(writer.as_ref().unwrap().number(), list.len() as u64);
        }
        for (mut reader, mut at) in readers {
            while follow(&mut reader, &mut at, &list)? {}
            prop_assert_eq!(at, list.len());
        }
    }
}

/// One record more, if the list has one.
fn follow(
    reader: &mut JournalReader,
    at: &mut usize,
    list: &[Vec<u8>],
) -> Result<bool, TestCaseError> {
    match reader.read().unwrap() {
        Some(Found::Record { number, frame }) => {
            prop_assert_eq!(number, *at as u64);
            prop_assert_eq!(frame.bytes(), &list[*at]);
            *at += 1;
            Ok(true)
        }
        Some(Found::Skipped(skipped)) => Err(TestCaseError::fail(skipped.to_string())),
        None => {
            prop_assert_eq!(*at, list.len());
            Ok(false)
        }
    }
}

#[test]
fn whoever_cannot_write_there_is_told_where() {
    let refused = JournalWriter::open(Path::new("/proc/self"), &options()).unwrap_err();
    assert!(refused.to_string().starts_with("/proc/self"), "{refused}");
}
