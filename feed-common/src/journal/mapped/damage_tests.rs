use super::layout::{HEADER_BYTES, SegmentHeader};
use super::tests::{BLOCK, Folder, IN_BLOCK, IN_SEGMENT, bytes, given, options, record, records};
use super::*;
use crate::journal::{Skipped, Why};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use zerocopy::{FromBytes, IntoBytes};

/// The file of a segment with so many records.
fn segment(count: u64) -> Vec<u8> {
    let folder = Folder::new();
    folder.writer().append(&records(0..count)).unwrap();
    fs::read(folder.segment(0)).unwrap()
}

/// What a file gives: the numbers of its records, all of which are as they were written.
fn numbers(reader: &mut JournalReader) -> (Vec<u64>, Vec<Skipped>) {
    let (found, skipped) = given(reader);
    let numbers = found.into_iter().map(|(number, frame)| {
        assert_eq!(frame, bytes(&record(number)), "record {number} is another");
        number
    });
    let numbers: Vec<_> = numbers.collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    (numbers, skipped)
}

fn of_memory(file: &[u8]) -> Result<(Vec<u64>, Vec<Skipped>), Why> {
    JournalReader::from_memory(file).map(|mut reader| numbers(&mut reader))
}

#[test]
fn a_flipped_bit_costs_its_record() {
    let mut file = segment(IN_BLOCK + 10);
    // In the price of the fourth.
    file[HEADER_BYTES + 16 + 3 * 80 + 16 + 9] ^= 4;
    let (found, skipped) = of_memory(&file).unwrap();
    assert!(found.into_iter().eq((0..IN_BLOCK + 10).filter(|&n| n != 3)));
    let want = Skipped {
        offset: HEADER_BYTES as u64 + 16 + 3 * 80,
        bytes: 80,
        records: Some(1),
        why: Why::Record,
    };
    assert_eq!(skipped, [want]);
}

#[test]
fn a_length_or_the_mark_of_a_block_costs_the_rest_of_the_block() {
    let whole = segment(2 * IN_BLOCK + 10);
    // The tail of the fourth record of the second block.
    let mut file = whole.clone();
    file[HEADER_BYTES + BLOCK + 16 + 3 * 80 + 12] ^= 1;
    let (found, skipped) = of_memory(&file).unwrap();
    assert_eq!(found.len() as u64, IN_BLOCK + 3 + 10);
    assert_eq!(skipped.len(), 1);
    assert_eq!(
        (skipped[0].records, skipped[0].why),
        (Some(IN_BLOCK - 3), Why::Record)
    );
    // Its mark.
    let mut file = whole.clone();
    file[HEADER_BYTES + BLOCK] ^= 1;
    let (found, skipped) = of_memory(&file).unwrap();
    assert_eq!(found.len() as u64, IN_BLOCK + 10);
    assert_eq!(skipped.len(), 1);
    assert_eq!(
        (skipped[0].records, skipped[0].why),
        (Some(IN_BLOCK), Why::Header)
    );
    // A page that the disk never got.
    let mut file = whole.clone();
    file[HEADER_BYTES + BLOCK..][..BLOCK].fill(0);
    let (found, skipped) = of_memory(&file).unwrap();
    assert_eq!(found.len() as u64, IN_BLOCK + 10);
    assert_eq!(skipped.len(), 1);
    assert_eq!(
        (skipped[0].records, skipped[0].why),
        (Some(IN_BLOCK), Why::Missing)
    );
    // At the end nobody knows how many.
    let mut file = whole;
    file[HEADER_BYTES + 2 * BLOCK + 16 + 12] ^= 1;
    let (found, skipped) = of_memory(&file).unwrap();
    assert_eq!(found.len() as u64, 2 * IN_BLOCK);
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].records, skipped[0].why), (None, Why::Record));
}

#[test]
fn records_of_another_place_or_journal_do_not_pass() {
    let mut file = segment(6);
    // The second over the fourth.
    let at = HEADER_BYTES + 16;
    file.copy_within(at + 80..at + 160, at + 240);
    let (found, skipped) = of_memory(&file).unwrap();
    assert_eq!(found, [0, 1, 2, 4, 5]);
    assert_eq!(skipped.len(), 1);
    // A whole header of another journal.
    let mut file = segment(6);
    let header = SegmentHeader::read_from_prefix(&file).unwrap().0;
    let shape = layout::Shape {
        journal: 78,
        ..header.shape().unwrap()
    };
    let other = SegmentHeader::new(&shape, 0, 0);
    file[..size_of::<SegmentHeader>()].copy_from_slice(other.as_bytes());
    let (found, _) = of_memory(&file).unwrap();
    assert_eq!(found, []);
}

#[test]
fn files_that_are_no_segments_are_refused() {
    for (file, why) in [
        (vec![], Why::Cut),
        (vec![0; 4095], Why::Cut),
        (vec![0; 4096], Why::NoSegment),
    ] {
        assert_eq!(of_memory(&file), Err(why));
    }
    let folder = Folder::new();
    folder.writer().append(&records(0..2 * IN_SEGMENT)).unwrap();
    let spoil = |number, at: usize| {
        let path = folder.segment(number);
        let mut file = fs::read(&path).unwrap();
        file[at] ^= 0x80;
        fs::write(path, file).unwrap();
    };
    // The first: what is in it is skipped, and writing goes on.
    spoil(0, 20);
    let (found, skipped) = numbers(&mut folder.reader(Start::Oldest));
    assert!(found.into_iter().eq(IN_SEGMENT..2 * IN_SEGMENT));
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].records, skipped[0].why), (None, Why::Header));
    assert_eq!(folder.writer().recovered().next, 2 * IN_SEGMENT);
    // The last: where writing would go on is not known.
    spoil(1, 0);
    let refused = JournalWriter::open(&folder.0, &options()).unwrap_err();
    let says = refused.to_string();
    assert!(
        says.ends_with("segment-0000000001.fhj: no segment of a journal begins here"),
        "{says}"
    );
    let refused = JournalReader::open(&folder.0, Start::Oldest).unwrap_err();
    assert!(matches!(
        refused,
        JournalError::Unreadable {
            why: Why::Header,
            ..
        }
    ));
    let listed = segments(&folder.0).unwrap();
    assert_eq!(listed[1].contents, Err(Why::NoSegment));
}

#[test]
fn a_cut_file_gives_what_it_holds_and_writing_goes_on_behind_it() {
    for (keep, whole) in [(HEADER_BYTES + 16 + 80 * 7 + 40, 7), (HEADER_BYTES, 0)] {
        let folder = Folder::new();
        folder.writer().append(&records(0..20)).unwrap();
        let file = fs::File::options()
            .write(true)
            .open(folder.segment(0))
            .unwrap();
        file.set_len(keep as u64).unwrap();
        let (found, skipped) = numbers(&mut folder.reader(Start::Oldest));
        assert_eq!((found.len(), skipped.len()), (whole, 1), "{skipped:?}");
        assert_eq!((skipped[0].records, skipped[0].why), (None, Why::Cut));
        let mut writer = folder.writer();
        // The number of one that is lost is not given again.
        let next = whole as u64 + 1;
        assert_eq!((writer.number(), writer.recovered().damaged), (next, 1));
        writer.append(&records(next..next + 3)).unwrap();
        let (found, _) = numbers(&mut folder.reader(Start::Oldest));
        assert!(
            found
                .into_iter()
                .eq((0..whole as u64).chain(next..next + 3))
        );
    }
}

#[test]
fn damage_at_the_end_stays_and_writing_goes_on_behind_it() {
    for (count, next_segment) in [(5, 0), (IN_SEGMENT - 1, 1)] {
        let folder = Folder::new();
        folder.writer().append(&records(0..count)).unwrap();
        let path = folder.segment(0);
        let mut file = fs::read(&path).unwrap();
        // The last one's commit word came to the disk, and the rest did not.
        let block = (count - 1) / IN_BLOCK;
        let at =
            HEADER_BYTES + block as usize * BLOCK + 16 + 80 * ((count - 1) % IN_BLOCK) as usize;
        file[at + 16..at + 80].fill(0);
        fs::write(&path, &file).unwrap();
        let mut writer = folder.writer();
        let recovered = *writer.recovered();
        assert_eq!((recovered.next, recovered.damaged), (count, 1));
        writer.append(&records(count..count + 2)).unwrap();
        assert_eq!(writer.segment(), next_segment);
        let (found, skipped) = numbers(&mut folder.reader(Start::Oldest));
        assert!(found.into_iter().eq((0..count - 1).chain(count..count + 2)));
        assert_eq!(skipped.len(), 1);
        assert_eq!((skipped[0].records, skipped[0].why), (Some(1), Why::Record));
    }
}

#[test]
fn an_end_mark_that_the_disk_never_got_stops_nobody() {
    let folder = Folder::new();
    folder.writer().append(&records(0..IN_SEGMENT + 5)).unwrap();
    let mut file = fs::read(folder.segment(0)).unwrap();
    file[64..80].fill(0);
    fs::write(folder.segment(0), file).unwrap();
    let (found, skipped) = numbers(&mut folder.reader(Start::Oldest));
    assert_eq!((found.len() as u64, skipped), (IN_SEGMENT + 5, vec![]));
    assert_eq!(folder.writer().recovered().next, IN_SEGMENT + 5);
}

#[test]
fn a_segment_that_is_missing_is_told() {
    let folder = Folder::new();
    folder.writer().append(&records(0..3 * IN_SEGMENT)).unwrap();
    fs::remove_file(folder.segment(1)).unwrap();
    let (found, skipped) = numbers(&mut folder.reader(Start::Oldest));
    assert_eq!(found.len() as u64, 2 * IN_SEGMENT);
    assert_eq!(skipped.len(), 1);
    assert_eq!(
        (skipped[0].records, skipped[0].why),
        (Some(IN_SEGMENT), Why::Missing)
    );
}

/// Bits or bytes of a segment that are not what was written.
fn spoiled(file: &mut [u8], damage: &[(usize, u8)]) {
    for &(at, xor) in damage {
        let at = at % file.len();
        file[at] ^= xor;
    }
}

/// Opens what was damaged for writing, and whatever that finds, what is written then is there.
fn goes_on(folder: &Path) {
    let Ok(mut writer) = JournalWriter::open(folder, &options()) else {
        return;
    };
    let next = writer.number();
    writer.append(&records(next..next + IN_BLOCK)).unwrap();
    let mut reader = JournalReader::open(folder, Start::Oldest).unwrap();
    let (found, _) = numbers(&mut reader);
    assert!(found.ends_with(&(next..next + IN_BLOCK).collect::<Vec<_>>()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What is handed out is always what was written, and what is not is told, unless it is behind all that is whole.
    #[test]
    fn damage_never_gives_a_wrong_record(
        count in 1..IN_SEGMENT,
        damage in prop::collection::vec((0usize..1 << 20, 1u8..), 1..6),
        cut in prop::option::weighted(0.3, 0usize..1 << 14),
    ) {
        let mut file = segment(count);
        spoiled(&mut file, &damage);
        if let Some(cut) = cut {
            file.truncate(cut);
        }
        if let Ok((found, skipped)) = of_memory(&file) {
            let told: u64 = skipped.iter().filter_map(|s| s.records).sum();
            let open_end = skipped.last().is_some_and(|s| s.records.is_none());
            let last = found.last().map_or(0, |last| last + 1);
            prop_assert!(found.len() as u64 + told <= count || open_end);
            if skipped.iter().all(|s| s.records.is_some()) {
                prop_assert!(found.len() as u64 + told >= last);
            }
            prop_assert!(found.len() as u64 == count || !skipped.is_empty());
        }
        let folder = Folder::new();
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.segment(0), &file).unwrap();
        goes_on(&folder.0);
    }

    #[test]
    fn anything_at_all_is_no_panic(
        mut file in prop::collection::vec(any::<u8>(), 0..20_000),
        count in 0..20u64,
    ) {
        let _ = of_memory(&file);
        let there = segment(count);
        let head = there.len().min(file.len()).min(HEADER_BYTES + 700);
        file[..head].copy_from_slice(&there[..head]);
        let (found, _) = match of_memory(&file) {
            Ok(given) => given,
            Err(_) => return Ok(()),
        };
        prop_assert!(found.len() as u64 <= count);
    }
}
