//! Capture files, each format by its own reader and all by the door they share.

use feed_common::capture::{CaptureFile, Datagrams, Format, Record};

/// A file that begins with frames, in any format that is not packed: they lie behind each other, up to the cut.
pub fn frames(data: &[u8]) {
    let Ok(opened) = CaptureFile::from_memory("fuzz", data.to_vec()) else {
        return;
    };
    let (mut records, mut number, mut bytes) = (opened.records(), 0, 0);
    while let Some(record) = records.next(64) {
        match record {
            Record::Frame(frame) => {
                number += 1;
                assert_eq!(frame.number, number);
                bytes += frame.bytes.len();
            }
            Record::Unusable(_) => number += 1,
            Record::Run(_) => {}
        }
        if opened.compression().is_none() {
            assert!(records.position() <= data.len() as u64 && bytes <= data.len());
        }
    }
    file(data);
}

/// A BinaryFILE: however it is cut into runs, the runs are the file up to the cut.
pub fn binaryfile(data: &[u8]) {
    let limit = data.first().map_or(0, |&b| usize::from(b) * 16);
    let opened = CaptureFile::from_memory("fuzz", data.to_vec()).ok();
    let opened = opened.filter(|file| file.format() == Format::BinaryFile);
    let opened = opened.filter(|file| file.compression().is_none());
    for limit in [limit, usize::MAX] {
        let Some(file) = &opened else { break };
        let (mut reader, mut at, mut records) = (file.records(), 0, 0);
        while let Some(record) = reader.next(limit) {
            let Record::Run(chunk) = record else {
                panic!("a frame in a BinaryFILE");
            };
            assert_eq!(chunk.first_record, records + 1);
            assert_eq!(chunk.bytes, &data[at..at + chunk.bytes.len()]);
            assert!(chunk.records > 0);
            records += u64::from(chunk.records);
            at += chunk.bytes.len();
        }
        let rest = data.len() - at;
        match reader.cut() {
            Some(cut) => assert!((at..=at + 2).contains(&(cut.offset as usize)), "{cut}"),
            None => assert!(rest == 0 || data[at..] == [0, 0]),
        }
    }
    file(data);
}

/// Any file: twice the same, and every frame is a datagram or skipped for a reason.
pub fn file(data: &[u8]) {
    let Ok(file) = CaptureFile::from_memory("fuzz", data.to_vec()) else {
        return;
    };
    assert_eq!(walk(&file), walk(&file));
}

/// The numbers and payload bytes of all datagrams.
fn walk(file: &CaptureFile) -> (Vec<u64>, usize) {
    let mut datagrams = Datagrams::new(file);
    let (mut numbers, mut bytes) = (Vec::new(), 0);
    while let Some(datagram) = datagrams.next() {
        assert!(numbers.last() < Some(&datagram.number));
        numbers.push(datagram.number);
        bytes += datagram.payload.len();
    }
    let skipped = datagrams.skipped().total();
    assert!(datagrams.frames() >= numbers.len() as u64 + skipped);
    if datagrams.fragments().completed + datagrams.incomplete() == 0 {
        assert_eq!(datagrams.frames(), numbers.len() as u64 + skipped);
    }
    if let (Some(cut), Some(length)) = (datagrams.cut(), file.length()) {
        assert!(cut.offset <= length, "{cut}");
    }
    (numbers, bytes)
}
