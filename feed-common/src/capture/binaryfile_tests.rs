//! Tests of the BinaryFILE reader against the writer, against bytes by hand, and against damage.

use super::*;
use crate::capture::BinaryFileWriter;
use proptest::prelude::*;

fn write(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut w = BinaryFileWriter::new(Vec::new());
    for m in messages {
        w.message(m).expect("memory");
    }
    w.finish().expect("memory")
}

fn chunks<'a>(reader: &mut BinaryFileReader<'a>, limit: usize) -> Vec<Chunk<'a>> {
    std::iter::from_fn(|| reader.next_chunk(limit)).collect()
}

#[test]
fn bytes_by_hand() {
    let file = [0, 1, b'a', 0, 2, b'b', b'c', 0, 1, b'd', 0, 0];
    assert_eq!(write(&[b"a".to_vec(), b"bc".to_vec(), b"d".to_vec()]), file);
    let mut reader = BinaryFileReader::new(&file);
    let got = chunks(&mut reader, 8);
    let chunk = |first_record, records, bytes| Chunk {
        first_record,
        records,
        bytes,
    };
    assert_eq!(got, [chunk(1, 2, &file[..7]), chunk(3, 1, &file[7..10])]);
    assert!(reader.end_of_session());
    assert_eq!(reader.cut(), None);
    assert_eq!(reader.next_chunk(8), None);
}

#[test]
fn a_record_above_the_limit_comes_alone() {
    let file = write(&[vec![1; 3], vec![2; 50], vec![3; 3]]);
    let mut reader = BinaryFileReader::new(&file);
    let lens: Vec<_> = chunks(&mut reader, 10)
        .iter()
        .map(|c| c.bytes.len())
        .collect();
    assert_eq!(lens, [5, 52, 5]);
    assert_eq!(chunks(&mut BinaryFileReader::new(&file), 0).len(), 3);
}

#[test]
fn a_file_may_end_without_the_end_of_session() {
    let mut reader = BinaryFileReader::new(&[0, 1, 7]);
    assert_eq!(chunks(&mut reader, 100).len(), 1);
    assert!(!reader.end_of_session());
    assert_eq!(reader.cut(), None);
}

#[test]
fn what_follows_the_end_of_session_is_told() {
    let file = [0, 1, 7, 0, 0, 0, 1, 8];
    let mut reader = BinaryFileReader::new(&file);
    assert_eq!(reader.cut(), None);
    assert_eq!(chunks(&mut reader, 100).len(), 1);
    let reason = CutReason::BehindEnd(3);
    assert_eq!(reader.cut(), Some(Cut { offset: 5, reason }));
}

#[test]
fn a_cut_anywhere_gives_the_whole_records_before_it() {
    let messages = [vec![1; 3], vec![2; 50], vec![3; 1]];
    let file = write(&messages);
    for cut in 0..=file.len() {
        let (mut count, mut end) = (0, 0);
        for m in &messages {
            if end + 2 + m.len() > cut {
                break;
            }
            count += 1;
            end += 2 + m.len();
        }
        let mut reader = BinaryFileReader::new(&file[..cut]);
        let records: u32 = chunks(&mut reader, 20).iter().map(|c| c.records).sum();
        assert_eq!(records, count, "cut at {cut}");
        let want = (cut != end && cut != file.len()).then_some(Cut {
            offset: end as u64,
            reason: CutReason::PartialRecord,
        });
        assert_eq!(reader.cut(), want, "cut at {cut}");
    }
}

#[test]
fn detection_wants_every_first_record_to_agree() {
    let s = |len: usize, kind: u8| [vec![kind], vec![0; len - 1]].concat();
    assert!(looks_like(&write(&[s(12, b'S'), s(39, b'R')])));
    assert!(!looks_like(&write(&[s(12, b'S'), s(38, b'R')])));
    assert!(!looks_like(&[0, 0]));
    assert!(!looks_like(&[0, 12]));
    // The seventeenth record is not looked at: newer types may come later.
    let mut many = vec![s(19, b'D'); 16];
    many.push(s(7, b'?'));
    assert!(looks_like(&write(&many)));
    many.remove(0);
    assert!(!looks_like(&write(&many)));
}

#[test]
fn the_lengths_are_those_of_the_message_structs_table() {
    let table = "S12 R39 H25 Y20 L26 V35 W12 K28 J35 h21 A36 F40 E31 C36 X23 D19 U35 P44 Q40 B19 I50 N20 O48";
    let mut known = 0;
    for entry in table.split(' ') {
        let (kind, len) = entry.split_at(1);
        assert_eq!(itch50_length(kind.as_bytes()[0]), len.parse().ok());
        known += 1;
    }
    assert_eq!((0..=255).filter_map(itch50_length).count(), known);
}

#[test]
fn the_writer_refuses_what_the_format_cannot_hold() {
    let mut w = BinaryFileWriter::new(Vec::new());
    assert!(w.message(&[]).is_err());
    assert!(w.message(&vec![0; 65_536]).is_err());
    assert!(w.message(&vec![0; 65_535]).is_ok());
    assert_eq!(w.finish().expect("memory").len(), 65_537 + 2);
}

proptest! {
    /// Chunks put together are the file, whatever the limit, and no chunk of several records exceeds it.
    #[test]
    fn chunks_are_the_file(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..50),
        limit in 0usize..300,
    ) {
        let file = write(&messages);
        let mut reader = BinaryFileReader::new(&file);
        let mut rebuilt = Vec::new();
        let mut next = 1;
        for c in chunks(&mut reader, limit) {
            prop_assert_eq!(c.first_record, next);
            prop_assert!(c.records == 1 || c.bytes.len() <= limit);
            next += c.records as u64;
            rebuilt.extend_from_slice(c.bytes);
        }
        prop_assert_eq!(next as usize, messages.len() + 1);
        prop_assert_eq!(&rebuilt[..], &file[..file.len() - 2]);
        prop_assert_eq!(reader.cut(), None);
    }

    #[test]
    fn any_bytes_are_accounted_for(file in proptest::collection::vec(0u8..4, 0..200), limit in 0usize..50) {
        let mut reader = BinaryFileReader::new(&file);
        let read: usize = chunks(&mut reader, limit).iter().map(|c| c.bytes.len()).sum();
        let end = reader.cut().map_or(file.len(), |c| c.offset as usize);
        let marker = if file[read..].starts_with(&[0, 0]) { 2 } else { 0 };
        prop_assert_eq!(read + marker, end);
    }
}
