//! Capture files, each format by its own reader and all by the door they share.

use feed_common::capture::pcap::{FILE_HEADER, RECORD_HEADER};
use feed_common::capture::{BinaryFileReader, CaptureFile, Datagrams, PcapReader};

/// A pcap file: frames lie behind each other up to the cut.
pub fn pcap(data: &[u8]) {
    if let Ok(mut reader) = PcapReader::new(data) {
        let (mut at, mut number) = (FILE_HEADER, 0);
        while let Some(frame) = reader.next() {
            at += RECORD_HEADER;
            number += 1;
            assert_eq!(frame.number, number);
            assert_eq!(frame.bytes, &data[at..at + frame.bytes.len()]);
            at += frame.bytes.len();
        }
        let end = reader.cut().map_or(data.len() as u64, |cut| cut.offset);
        assert_eq!(at as u64, end);
    }
    file(data);
}

/// A BinaryFILE: however it is cut into runs, the runs are the file up to the cut.
pub fn binaryfile(data: &[u8]) {
    let limit = data.first().map_or(0, |&b| usize::from(b) * 16);
    for limit in [limit, usize::MAX] {
        let mut reader = BinaryFileReader::new(data);
        let (mut at, mut records) = (0, 0);
        while let Some(chunk) = reader.next_chunk(limit) {
            assert_eq!(chunk.first_record, records + 1);
            assert_eq!(chunk.bytes, &data[at..at + chunk.bytes.len()]);
            assert!(chunk.records > 0);
            records += u64::from(chunk.records);
            at += chunk.bytes.len();
        }
        at += usize::from(reader.end_of_session()) * 2;
        let end = reader.cut().map_or(data.len() as u64, |cut| cut.offset);
        assert_eq!(at as u64, end);
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
    assert!(bytes <= file.bytes().len());
    let skipped = datagrams.skipped().total();
    assert_eq!(datagrams.frames(), numbers.len() as u64 + skipped);
    if let Some(cut) = datagrams.cut() {
        assert!(cut.offset <= file.bytes().len() as u64, "{cut}");
    }
    (numbers, bytes)
}
