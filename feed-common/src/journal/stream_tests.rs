use super::block::{BlockHeader, HEADER_LENGTH, MAGIC, MAX_BODY};
use super::*;
use crate::encode::{RecordKind, WithTail};
use crate::event::Record;
use proptest::prelude::*;
use std::io::{self, ErrorKind, Read, Write};
use zerocopy::byteorder::little_endian::U64;
use zerocopy::{FromZeros, IntoBytes};

crate::record! {
    /// A number and bytes.
    struct Note: 8, kind 500, version 1 {
        id: U64,
    }
}

fn note(id: usize) -> Note {
    Note {
        id: U64::new(id as u64),
    }
}

fn options(buffer: usize, compress: Compress) -> StreamOptions {
    StreamOptions {
        buffer,
        compress,
        ..StreamOptions::new(77)
    }
}

/// The tail of record `id`: what it is follows from its number.
fn tail(id: usize, length: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 7 + id) as u8).collect()
}

/// A stream of records with tails of these lengths, from number 0 on.
fn stream(lengths: &[usize], options: &StreamOptions) -> Vec<u8> {
    let mut writer = StreamWriter::new(Vec::new(), options).unwrap();
    for (id, &length) in lengths.iter().enumerate() {
        let tail = tail(id, length);
        writer.push(&WithTail::new(&note(id), &tail)).unwrap();
    }
    assert_eq!(writer.records(), lengths.len() as u64);
    writer.finish().unwrap()
}

/// What a stream gives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    records: Vec<(u64, u64, Vec<u8>)>,
    skipped: Vec<Skipped>,
    finished: bool,
    offset: u64,
}

fn given(from: impl Read) -> Given {
    let mut reader = StreamReader::new(from);
    let mut given = Given::default();
    while let Some(found) = reader.read().unwrap() {
        match found {
            Found::Record { number, frame } => {
                let id = frame.view::<Note>().unwrap().id.get();
                given.records.push((number, id, frame.tail().to_vec()));
            }
            Found::Skipped(skipped) => given.skipped.push(skipped),
        }
    }
    (given.finished, given.offset) = (reader.is_finished(), reader.offset());
    given
}

fn whole(lengths: &[usize]) -> Vec<(u64, u64, Vec<u8>)> {
    let record = |(id, &length)| (id as u64, id as u64, tail(id, length));
    lengths.iter().enumerate().map(record).collect()
}

/// Where the blocks of an undamaged stream lie.
fn blocks(mut bytes: &[u8]) -> Vec<(usize, BlockHeader)> {
    let (mut all, mut at) = (Vec::new(), 0);
    while !bytes.is_empty() {
        let header = *BlockHeader::whole(bytes).unwrap();
        let length = HEADER_LENGTH + header.stored.get() as usize;
        all.push((at, header));
        (at, bytes) = (at + length, &bytes[length..]);
    }
    all
}

#[test]
fn a_stream_byte_by_byte() {
    let mut writer = StreamWriter::new(Vec::new(), &options(0, Compress::No)).unwrap();
    writer.push(&note(5)).unwrap();
    let bytes = writer.finish().unwrap();
    let body = b"FH\xF4\x01\x01\0\x08\0\0\0\0\0\x05\0\0\0\0\0\0\0";
    let mut want = b"\x93FHS\r\n\x1A\n\x01\0\0\0\x14\0\0\0\x14\0\0\0\x01\0\0\0".to_vec();
    want.extend([0; 8]);
    want.extend(77u64.to_le_bytes());
    want.extend(crc32fast::hash(body).to_le_bytes());
    want.extend(crc32fast::hash(&want).to_le_bytes());
    want.extend(body);
    assert_eq!(bytes[..want.len()], want);
    let end = BlockHeader::whole(&bytes[want.len()..]).unwrap();
    assert_eq!((end.mark, end.first.get(), end.records.get()), (1, 1, 0));
    assert_eq!(bytes.len(), want.len() + HEADER_LENGTH);
    // The check value of the CRC-32 that everybody means.
    assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
}

#[test]
fn what_goes_in_comes_out() {
    let lengths: Vec<_> = (0..400)
        .map(|i| (i * 37) % 700)
        .chain([20_000, 3])
        .collect();
    for buffer in [0, 5_000, 64 << 10] {
        for compress in [Compress::No, Compress::Zstd(1)] {
            let bytes = stream(&lengths, &options(buffer, compress));
            let given = given(&bytes[..]);
            assert_eq!(given.records, whole(&lengths));
            assert_eq!((given.skipped, given.finished), (vec![], true));
            assert_eq!(given.offset, bytes.len() as u64);
        }
    }
    let [plain, packed] = [Compress::No, Compress::Zstd(3)]
        .map(|compress| stream(&lengths, &options(64 << 10, compress)).len());
    assert!(packed < plain / 2, "{packed} of {plain}");
    let empty = given(&stream(&[], &StreamOptions::new(1))[..]);
    assert_eq!((empty.records, empty.finished), (vec![], true));
}

#[test]
fn large_records_are_blocks_of_their_own_and_go_by_the_buffer() {
    let lengths = [10, 30_000, 10];
    let bytes = stream(&lengths, &options(4096, Compress::Zstd(1)));
    let blocks = blocks(&bytes);
    let of = |(_, h): &(usize, BlockHeader)| (h.records.get(), h.packing, h.stored.get());
    let large = 30_000 + 12 + 8;
    assert_eq!(of(&blocks[1]), (1, block::packing::NONE, large));
    assert_eq!(blocks.len(), 4);
    assert_eq!(given(&bytes[..]).records, whole(&lengths));

    let mut writer = StreamWriter::new(Vec::new(), &StreamOptions::new(1)).unwrap();
    let huge = vec![0; MAX_BODY];
    let refused = writer.push(&WithTail::new(&note(0), &huge)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    writer.push(&WithTail::new(&note(0), &huge[20..])).unwrap();
    writer.push(&note(1)).unwrap();
    let given = given(&writer.finish().unwrap()[..]);
    let ids: Vec<_> = given
        .records
        .iter()
        .map(|(_, id, t)| (*id, t.len()))
        .collect();
    assert_eq!(ids, [(0, MAX_BODY - 20), (1, 0)]);
}

#[test]
fn a_pipe_gives_what_was_flushed() {
    let (from, to) = io::pipe().unwrap();
    let mut writer = StreamWriter::new(to, &StreamOptions::new(1)).unwrap();
    let mut reader = StreamReader::new(from);
    for id in 0..5 {
        writer.push(&note(id)).unwrap();
        writer.flush().unwrap();
        let Some(Found::Record { number, .. }) = reader.read().unwrap() else {
            panic!("{reader:?}");
        };
        assert_eq!(number, id as u64);
    }
    let thread = std::thread::spawn(move || {
        for id in 5..50_000 {
            writer.push(&note(id)).unwrap();
        }
        drop(writer.finish().unwrap());
    });
    let mut next = 5;
    while let Some(found) = reader.read().unwrap() {
        let Found::Record { number, frame } = found else {
            panic!("{found:?}");
        };
        assert_eq!(
            (number, frame.view::<Note>().unwrap().id.get()),
            (next, next)
        );
        next += 1;
    }
    thread.join().unwrap();
    assert_eq!((next, reader.is_finished()), (50_000, true));
}

#[test]
fn a_file_of_published_records() {
    let path = std::env::temp_dir().join(format!("feed-stream-{}", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = StreamWriter::new(file, &StreamOptions::new(1)).unwrap();
    for sequence in 0..5_000u64 {
        let record = Record {
            sequence: sequence.into(),
            ..Record::default()
        };
        writer.push(&record).unwrap();
    }
    drop(writer.finish().unwrap());
    let mut reader = StreamReader::new(std::fs::File::open(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    let mut read = 0;
    while let Some(Found::Record { number, frame }) = reader.read().unwrap() {
        assert_eq!(frame.view::<Record>().unwrap().sequence.get(), number);
        read += 1;
    }
    assert_eq!((read, reader.is_finished()), (5_000, true));
}

/// Takes so many bytes, then has no room.
struct Full {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        match taken {
            0 => Err(ErrorKind::StorageFull.into()),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_said_again_and_again() {
    for large in [false, true] {
        let out = Full {
            bytes: Vec::new(),
            room: 6_000,
        };
        let mut writer = StreamWriter::new(out, &options(4096, Compress::No)).unwrap();
        let kind = |pushed: io::Result<()>| pushed.err().map(|e| e.kind());
        let large_tail = vec![0; if large { 9_000 } else { 0 }];
        let mut taken = 0;
        let error = loop {
            let record = WithTail {
                fixed: &note(taken),
                tail: if taken == 10 { &large_tail } else { &[] },
            };
            match kind(writer.push(&record)) {
                None => taken += 1,
                Some(error) => break error,
            }
            assert!(taken < 1_000);
        };
        assert_eq!(error, ErrorKind::StorageFull);
        assert_eq!(kind(writer.push(&note(0))), Some(ErrorKind::StorageFull));
        assert_eq!(kind(writer.flush()), Some(ErrorKind::StorageFull));
        let written = writer.get_ref().unwrap().bytes.clone();
        let refused = writer.finish().err().unwrap();
        assert_eq!(refused.source.kind(), ErrorKind::StorageFull);
        // What is in the file and what is said to be lost is everything that was taken.
        let given = given(&written[..]);
        let large_one = u64::from(large);
        assert_eq!(
            given.records.len() as u64 + refused.lost,
            taken as u64 + large_one
        );
        assert_eq!(given.skipped.len(), 1);
        assert_eq!(given.skipped[0].why, Why::Cut);
        assert!(!given.finished);
    }
}

#[test]
fn without_a_finish_the_end_is_missing() {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::new(&mut bytes, &StreamOptions::new(1)).unwrap();
    writer.push(&note(0)).unwrap();
    drop(writer);
    let given = given(&bytes[..]);
    assert_eq!((given.records.len(), given.finished), (1, false));
}

#[test]
fn each_damage_is_named_with_what_it_cost() {
    let lengths = [1_000; 20]; // four to a block
    let good = stream(&lengths, &options(4096, Compress::No));
    let all = blocks(&good);
    let (second, third) = (all[1].0, all[2].0);
    let lost = all[1].1.records.get();
    let skip = |damage: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        damage(&mut bytes);
        let given = given(&bytes[..]);
        assert_eq!(given.offset, bytes.len() as u64);
        assert_eq!(given.skipped.len(), 1, "{:?}", given.skipped);
        (given.records.len(), given.skipped[0], given.finished)
    };
    let a_block = |why| Skipped {
        offset: second as u64,
        bytes: (third - second) as u64,
        records: Some(lost.into()),
        why,
    };
    let left = 20 - lost as usize;
    let damages: [(usize, Why); 3] = [(0, Why::NoBlock), (20, Why::Header), (900, Why::Body)];
    for (at, why) in damages {
        let damaged = skip(&|bytes| bytes[second + at] ^= 4);
        assert_eq!(damaged, (left, a_block(why), true));
    }
    // Blocks of another version and of another byte order.
    let reseal = |bytes: &mut Vec<u8>, change: &dyn Fn(&mut BlockHeader)| {
        let mut header = *BlockHeader::whole(&bytes[second..]).unwrap();
        change(&mut header);
        bytes[second..][..HEADER_LENGTH].copy_from_slice(header.sealed().as_bytes());
    };
    let newer = skip(&|bytes| reseal(bytes, &|h| h.version = 2));
    assert_eq!(newer, (left, a_block(Why::Version(2)), true));
    let foreign = skip(&|bytes| bytes[second + 44..][..4].reverse());
    assert_eq!(foreign, (left, a_block(Why::ByteOrder), true));
    // Lengths that lie behind a true check.
    for lie in [MAX_BODY as u32 + 1, u32::MAX] {
        let lying =
            skip(&|bytes| reseal(bytes, &|h| (h.stored, h.length) = (lie.into(), lie.into())));
        assert_eq!(lying, (left, a_block(Why::Header), true));
    }
    let far = MAX_BODY as u32;
    let lying = skip(&|bytes| reseal(bytes, &|h| (h.stored, h.length) = (far.into(), far.into())));
    assert_eq!(lying, (left, a_block(Why::Cut), true));
    let packed = skip(&|bytes| reseal(bytes, &|h| h.packing = block::packing::ZSTD));
    assert_eq!(packed, (left, a_block(Why::Packing), true));
    // A block that is not there at all, and bytes that should not be.
    let (given, skipped, _) = skip(&|bytes| drop(bytes.drain(second..third)));
    assert_eq!((given, skipped.bytes, skipped.why), (left, 0, Why::Missing));
    assert_eq!(skipped.records, Some(lost.into()));
    let (given, skipped, _) = skip(&|bytes| drop(bytes.splice(second..second, *b"more")));
    assert_eq!((given, skipped.bytes, skipped.why), (20, 4, Why::NoBlock));
    assert_eq!(skipped.records, Some(0));
    // Cut short, in a body and in a header.
    for (cut, why) in [(second + 900, Why::Cut), (second + 9, Why::Cut)] {
        let (given, skipped, finished) = skip(&|bytes| bytes.truncate(cut));
        assert_eq!((given, finished), (all[0].1.records.get() as usize, false));
        let bytes = (cut - second) as u64;
        let offset = second as u64;
        assert_eq!(
            skipped,
            Skipped {
                offset,
                bytes,
                records: None,
                why
            }
        );
    }
    let says = a_block(Why::Body).to_string();
    assert!(says.ends_with("4 records: the block is damaged"), "{says}");
}

#[test]
fn records_that_are_none_cost_the_rest_of_their_block() {
    let good = stream(&[4, 4, 4], &StreamOptions::new(77));
    let second = HEADER_LENGTH + 24;
    for (at, lie, given_records) in [(second, b'x', 1), (second + 8, 0xFF, 1)] {
        let mut bytes = good.clone();
        bytes[at] = lie;
        let mut header = *BlockHeader::whole(&bytes).unwrap();
        let body = &bytes[HEADER_LENGTH..][..header.stored.get() as usize];
        header.body_check = crc32fast::hash(body).into();
        bytes[..HEADER_LENGTH].copy_from_slice(header.sealed().as_bytes());
        let given = given(&bytes[..]);
        let skipped = Skipped {
            offset: second as u64,
            bytes: 48,
            records: Some(2),
            why: Why::Frame,
        };
        assert_eq!(
            (given.records.len(), given.skipped),
            (given_records, vec![skipped])
        );
        assert!(given.finished);
    }
    // More records than it says, and fewer.
    for (says, records, skipped) in [(2u32, 2, (24, 0)), (4, 3, (0, 1)), (0, 0, (72, 0))] {
        let mut bytes = good.clone();
        let mut header = *BlockHeader::whole(&bytes).unwrap();
        header.records = says.into();
        bytes[..HEADER_LENGTH].copy_from_slice(header.sealed().as_bytes());
        let given = given(&bytes[..]);
        assert_eq!(given.records.len(), records);
        let first = given.skipped[0];
        assert_eq!((first.bytes, first.records), (skipped.0, Some(skipped.1)));
        assert_eq!(first.why, Why::Frame);
    }
}

#[test]
fn streams_may_follow_each_other() {
    let [first, second] = [5, 6].map(|id| {
        let options = StreamOptions {
            stream: id,
            ..options(4096, Compress::No)
        };
        stream(&[1_000; 9], &options)
    });
    let both = given(&[&first[..], &second].concat()[..]);
    assert_eq!(
        (both.records.len(), both.skipped, both.finished),
        (18, vec![], true)
    );
    // The end of the first is gone: nobody knows what was lost, but what is behind is not.
    let cut = first.len() - HEADER_LENGTH - 100;
    let cut = given(&[&first[..cut], &second].concat()[..]);
    assert_eq!((cut.records.len(), cut.finished), (8 + 9, true));
    assert_eq!((cut.skipped.len(), cut.skipped[0].records), (1, None));
}

/// A damaged record whose tail is a stream of its own must not pass for the stream.
#[test]
fn blocks_inside_of_damaged_records_are_not_the_stream() {
    let inner = StreamOptions {
        stream: 5,
        ..options(4096, Compress::No)
    };
    let inner = stream(&[10; 5], &inner);
    let mut writer = StreamWriter::new(Vec::new(), &StreamOptions::new(77)).unwrap();
    writer.push(&WithTail::new(&note(0), &inner)).unwrap();
    writer.flush().unwrap();
    writer.push(&note(1)).unwrap();
    let mut bytes = writer.finish().unwrap();
    bytes[HEADER_LENGTH + 13] ^= 1;
    let given = given(&bytes[..]);
    assert_eq!(given.records, [(1, 1, vec![])]);
    assert_eq!(
        (given.skipped.len(), given.skipped[0].records),
        (1, Some(1))
    );
}

/// Blocks within blocks that each claim the rest of the file: what is checked in vain stays in proportion.
#[test]
fn a_file_made_to_be_slow_is_read_in_time() {
    const BLOCKS: usize = 60_000;
    let mut bytes = Vec::new();
    for i in 0..BLOCKS {
        let rest = ((BLOCKS - 1 - i) * HEADER_LENGTH) as u32;
        let header = BlockHeader {
            magic: MAGIC,
            version: 1,
            stored: rest.into(),
            length: rest.into(),
            records: 1.into(),
            first: (i as u64).into(),
            body_check: 1.into(),
            ..BlockHeader::new_zeroed()
        };
        bytes.extend(header.sealed().as_bytes());
    }
    let begun = std::time::Instant::now();
    let given = given(&bytes[..]);
    assert_eq!(given.offset, bytes.len() as u64);
    assert!(given.skipped.iter().any(|s| s.why == Why::Body));
    // Checked every time it would be 86 GB.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

/// Gives what it has in pieces, now and then interrupted.
struct Pieces<'a> {
    bytes: &'a [u8],
    turn: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        let most = (self.turn * 131 % 999 + 1).min(out.len());
        self.bytes.read(&mut out[..most])
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Cut(usize, usize),
    Insert(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<usize>(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => (any::<usize>(), 1usize..3_000).prop_map(|(at, bytes)| Damage::Cut(at, bytes)),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..200))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

/// Does the damage; what is left of the bytes that were there, with where each was.
fn damaged(good: &[u8], damages: &[Damage]) -> Vec<(u8, Option<usize>)> {
    let mut bytes: Vec<_> = good.iter().copied().zip((0..).map(Some)).collect();
    for damage in damages {
        let place = |at: &usize| at % bytes.len().max(1);
        match damage {
            Damage::Flip(at, bits) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = (byte.0 ^ bits, None);
                }
            }
            Damage::Cut(at, many) => {
                let at = place(at);
                let end = (at + many).min(bytes.len());
                bytes.drain(at..end);
            }
            Damage::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().map(|&byte| (byte, None)));
            }
        }
    }
    bytes
}

proptest! {
    /// Whatever is done to a stream: every record of a block that was not touched comes out, with its number, in order;
    /// nothing comes out that did not go in; and every byte was either used or skipped.
    #[test]
    fn undamaged_blocks_are_read_whatever_happens_around_them(
        lengths in prop::collection::vec(prop_oneof![9 => 0usize..900, 1 => 3_000usize..9_000], 0..60),
        compress in prop_oneof![Just(Compress::No), Just(Compress::Zstd(1))],
        damages in prop::collection::vec(damage(), 0..6),
    ) {
        let good = stream(&lengths, &options(4096, compress));
        let bytes = damaged(&good, &damages);
        let untouched = |at: usize, length: usize| {
            let mut run = bytes.windows(length);
            run.any(|run| run.iter().enumerate().all(|(i, (_, was))| *was == Some(at + i)))
        };
        let mut must = Vec::new();
        for (at, header) in blocks(&good) {
            if untouched(at, HEADER_LENGTH + header.stored.get() as usize) {
                let first = header.first.get();
                must.extend(first..first + u64::from(header.records.get()));
            }
        }
        let bytes: Vec<_> = bytes.iter().map(|(byte, _)| *byte).collect();
        let given = given(Pieces { bytes: &bytes, turn: 0 });
        let all = whole(&lengths);
        for record in &given.records {
            prop_assert_eq!(record, &all[record.0 as usize]);
        }
        let numbers: Vec<_> = given.records.iter().map(|r| r.0).collect();
        prop_assert_eq!(&numbers, &must);
        prop_assert_eq!(given.offset, bytes.len() as u64);
        if bytes == good {
            prop_assert!(given.skipped.is_empty() && given.finished);
        } else if given.finished {
            // Nothing is lost in silence: what is not given is counted.
            let lost: u64 = given.skipped.iter().map(|s| s.records.unwrap_or(0)).sum();
            prop_assert_eq!(lost + must.len() as u64, lengths.len() as u64);
        }
        let mut end = 0;
        for skipped in &given.skipped {
            prop_assert!(skipped.offset >= end && skipped.why != Why::Frame);
            end = skipped.offset + skipped.bytes;
        }
        prop_assert!(end <= bytes.len() as u64);
    }

    #[test]
    fn random_bytes_are_skipped(mut bytes in prop::collection::vec(any::<u8>(), 0..500), magic: bool) {
        if magic && bytes.len() >= 8 {
            bytes[..8].copy_from_slice(&MAGIC);
        }
        let given = given(Pieces { bytes: &bytes, turn: 0 });
        prop_assert!(given.records.is_empty() && !given.finished);
        prop_assert_eq!(given.skipped.iter().map(|s| s.bytes).sum::<u64>(), bytes.len() as u64);
    }
}

#[test]
fn kinds_of_these_tests_are_those_of_users() {
    assert_eq!(Note::KIND, 500);
}
