//! Segments of a mapped journal.

use super::seeds::Seeds;
use feed_common::encode::{Decode, Frame, WithTail};
use feed_common::event::Record;
use feed_common::journal::mapped::layout::HEADER_BYTES;
use feed_common::journal::{Found, JournalOptions, JournalReader, JournalWriter, Skipped, Why};
use feed_common::record::{GapRecord, PointFlags, TimeSeriesPoint};
use feed_handler::inspect::RowFormat;
use feed_handler::journal::{Picked, Rows};
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes of a seed: the smallest segment there can be.
const SEGMENT: usize = HEADER_BYTES + 4096;

/// The file of a segment: whatever it holds, numbers rise, every frame lies in the file as it is handed out, a gap in
/// the numbers is told, and reading it again gives the same.
pub fn journal(data: &[u8]) {
    let Ok(given) = read(data) else {
        return;
    };
    assert_eq!(read(data), Ok(given.clone()));
    let mut next = None;
    let mut told = false;
    let (mut offset, mut rest) = (0, data);
    for found in given {
        match found {
            Ok((number, frame)) => {
                assert!(next.is_none_or(|next| next == number || told && next < number));
                readable(number, &frame);
                let at = rest.windows(frame.len()).position(|bytes| bytes == frame);
                rest = &rest[at.expect("it lies in the file, behind those before it") + 1..];
                (next, told) = (number.checked_add(1), false);
            }
            Err(skipped) => {
                assert!(skipped.offset >= offset);
                (offset, told) = (skipped.offset, true);
            }
        }
    }
}

/// Whatever a record holds, it is a row in every format.
fn readable(number: u64, frame: &[u8]) {
    let (frame, _) = Frame::deserialize_from(frame).expect("as it was handed out");
    for format in [RowFormat::Table, RowFormat::Csv, RowFormat::Json] {
        let mut out = Vec::new();
        let mut rows = Rows::new(&mut out, format, None);
        let picked = rows.take(number, &frame).expect("memory");
        assert_eq!(picked, Picked::Written);
        let lines = if format == RowFormat::Json { 1 } else { 2 };
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), lines);
    }
}

type Given = Vec<Result<(u64, Vec<u8>), Skipped>>;

fn read(data: &[u8]) -> Result<Given, Why> {
    let mut reader = JournalReader::from_memory(data)?;
    let mut given = Vec::new();
    while let Some(found) = reader.read().expect("memory") {
        given.push(match found {
            Found::Record { number, frame } => Ok((number, frame.bytes().to_vec())),
            Found::Skipped(skipped) => Err(skipped),
        });
    }
    Ok(given)
}

/// Segments with nothing, with records of one kind, of several, and full.
pub fn seeds(seeds: &mut Seeds) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let options = JournalOptions {
        segment: SEGMENT,
        block: 4096,
        ..JournalOptions::new(1)
    };
    for (plain, noted) in [(0, 0), (3, 0), (2, 5), (51, 0)] {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("feed-fuzz-journal-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let mut writer = JournalWriter::open(&folder, &options).expect("room");
        writer
            .append(&vec![Record::default(); plain])
            .expect("room");
        if noted > 0 {
            writer.append(&[GapRecord::default()]).expect("room");
        }
        for i in 0..noted {
            let point = TimeSeriesPoint::new(i, 0, 0.0, PointFlags::NONE);
            let tail = vec![7; i as usize * 10];
            let noted = WithTail::new(&point, &tail);
            writer.push(&noted).expect("room");
        }
        drop(writer);
        let file = std::fs::read(folder.join("segment-0000000000.fhj")).expect("a segment");
        std::fs::remove_dir_all(&folder).expect("its own folder");
        seeds.push(file);
    }
}
