//! Tests of the BinaryFILE reader against the writer, against bytes by hand, and against damage.

use super::*;
use crate::capture::records::{Parser, Records};
use crate::capture::stream::{Held, Stream, plain};
use crate::capture::testing::{Contents, drain};
use crate::capture::window::Window;
use crate::capture::{BinaryFileWriter, Chunk, Cut, CutReason, Record};
use crate::sys::file::FileBytes;
use proptest::prelude::*;
use std::sync::Arc;

fn write(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut w = BinaryFileWriter::new(Vec::new());
    for m in messages {
        w.message(m).expect("memory");
    }
    w.finish().expect("memory")
}

/// A reader of any bytes: these messages are none of ITCH.
fn records(file: &[u8]) -> Records<'_> {
    let parser = Parser::BinaryFile(BinaryFileParser::default());
    Records::new(parser, Window::Whole(file))
}

/// All of it, whole and through small windows.
fn read(file: &[u8]) -> Contents {
    let whole = drain(records(file));
    for block in [1, 7, 200] {
        let parser = Parser::BinaryFile(BinaryFileParser::default());
        let held = Held::new(Arc::new(FileBytes::Memory(file.to_vec())));
        let stream = Stream::with_block(plain(None, held), block);
        let streamed = drain(Records::new(parser, Window::Stream(Box::new(stream))));
        assert_eq!(streamed, whole, "in blocks of {block}");
    }
    whole
}

/// Calls `each` with the runs, as they come with a limit.
fn runs(file: &[u8], limit: usize, mut each: impl FnMut(Chunk<'_>)) {
    let mut records = records(file);
    while let Some(record) = records.next(limit) {
        match record {
            Record::Run(run) => each(run),
            other => panic!("{other:?}"),
        }
    }
}

fn lens(file: &[u8], limit: usize) -> Vec<usize> {
    let mut lens = Vec::new();
    runs(file, limit, |run| lens.push(run.bytes.len()));
    lens
}

#[test]
fn bytes_by_hand() {
    let file = [0, 1, b'a', 0, 2, b'b', b'c', 0, 1, b'd', 0, 0];
    assert_eq!(write(&[b"a".to_vec(), b"bc".to_vec(), b"d".to_vec()]), file);
    let chunk = |first_record, records, bytes| Chunk {
        first_record,
        records,
        bytes,
    };
    let mut want = [chunk(1, 2, &file[..7]), chunk(3, 1, &file[7..10])].into_iter();
    runs(&file, 8, |run| assert_eq!(Some(run), want.next()));
    assert_eq!(want.next(), None);
    assert_eq!(read(&file).cut, None);
}

#[test]
fn a_record_above_the_limit_comes_alone() {
    let file = write(&[vec![1; 3], vec![2; 50], vec![3; 3]]);
    assert_eq!(lens(&file, 10), [5, 52, 5]);
    assert_eq!(lens(&file, 0).len(), 3);
}

#[test]
fn a_file_may_end_without_the_end_of_session() {
    let got = read(&[0, 1, 7]);
    assert_eq!((got.messages, got.cut), (1, None));
}

#[test]
fn what_follows_the_end_of_session_is_told() {
    let file = [0, 1, 7, 0, 0, 0, 1, 8];
    let got = read(&file);
    let reason = CutReason::BehindEnd(3);
    assert_eq!(got.messages, 1);
    assert_eq!(got.cut, Some(Cut { offset: 5, reason }));
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
        let got = read(&file[..cut]);
        assert_eq!(got.messages, count, "cut at {cut}");
        let want = (cut != end && cut != file.len()).then_some(Cut {
            offset: end as u64,
            reason: CutReason::PartialRecord,
        });
        assert_eq!(got.cut, want, "cut at {cut}");
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
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Runs put together are the file, whatever the limit, and no run of several records exceeds it.
    #[test]
    fn runs_are_the_file(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..50),
        limit in 0usize..300,
    ) {
        let file = write(&messages);
        let mut rebuilt = Vec::new();
        let mut next = 1;
        runs(&file, limit, |run| {
            assert_eq!(run.first_record, next);
            assert!(run.records == 1 || run.bytes.len() <= limit);
            next += u64::from(run.records);
            rebuilt.extend_from_slice(run.bytes);
        });
        prop_assert_eq!(next as usize, messages.len() + 1);
        prop_assert_eq!(&rebuilt[..], &file[..file.len() - 2]);
        let got = read(&file);
        prop_assert_eq!((got.runs, got.cut), (rebuilt, None));
    }

    #[test]
    fn any_bytes_are_accounted_for(file in proptest::collection::vec(0u8..4, 0..200)) {
        let got = read(&file);
        let end = got.cut.map_or(file.len(), |c| c.offset as usize);
        let read = got.runs.len();
        let marker = if file[read..].starts_with(&[0, 0]) { 2 } else { 0 };
        prop_assert_eq!(read + marker, end);
    }
}
