//! Files that are unpacked or read in blocks.

use super::choices::Choices;
use feed_common::capture::{CaptureFile, Cut, CutReason, Record, Records};
use flate2::write::GzEncoder;
use std::io::Write;

/// Records of a file that are compared at most, and bytes: what is packed may be a thousand times as long.
const RECORDS: usize = 20_000;
const BYTES: u64 = 1 << 20;

/// Four bytes choose how a file is packed, the size of the blocks, and where the packed bytes are damaged; then the
/// file. Unpacked in blocks it gives what it gives from memory, and of a damaged one the records before the damage.
pub fn streams(data: &[u8]) {
    let mut choices = Choices(data);
    let [how, block, high, low] = [0; 4].map(|_| choices.small() as usize);
    let data = choices.0;
    // Every block is handed from one thread to another, so there should not be thousands.
    let block = (1 + block * block / 4).max(data.len() / 256);
    let level = how >> 2 & 15;
    let packed = match how & 3 {
        0 => gzip(data, level),
        1 => zstd(data, level, how & 64 != 0),
        // It may be packed, and not by us.
        _ => {
            if let Some(file) = open(data) {
                same(file.records_in_blocks(block.max(4096)), file.records());
            }
            return;
        }
    };
    // What is packed twice is not unpacked twice.
    let plain = open(data).filter(|plain| plain.compression().is_none());
    let file = open(&packed);
    assert_eq!(file.is_some(), plain.is_some());
    if let (Some(file), Some(plain)) = (file, plain) {
        same(file.records_in_blocks(block), plain.records());
        same(plain.records_in_blocks(block), plain.records());
        damaged(&file, &packed, (high << 8 | low) % packed.len(), block);
    }
}

/// Cut there, it gives a beginning and says that it was cut; damaged there, it gives no less.
fn damaged(whole: &CaptureFile, packed: &[u8], at: usize, block: usize) {
    let mut lying = packed.to_vec();
    lying[at] ^= 0x55;
    let (Some(cut), Some(lying)) = (open(&packed[..at]), open(&lying)) else {
        return;
    };
    let [whole, cut, lying] = [whole, &cut, &lying].map(|file| prefix(file, block));
    assert!(whole.starts_with(&cut), "{} records", cut.len());
    assert!(lying.starts_with(&cut), "{} records", cut.len());
}

/// What the first records of a file hold.
fn prefix(file: &CaptureFile, block: usize) -> Vec<(u64, Vec<u8>)> {
    let (mut records, mut held) = (file.records_in_blocks(block), Vec::new());
    while let (true, Some(record)) = (held.len() < RECORDS, records.next(1)) {
        held.push(match record {
            Record::Frame(frame) => (frame.time.0, frame.bytes.to_vec()),
            Record::Unusable(skip) => (skip as u64, Vec::new()),
            Record::Run(run) => (run.first_record, run.bytes.to_vec()),
        });
    }
    held
}

/// Two readings give the same records and end in the same way.
fn same(mut a: Records<'_>, mut b: Records<'_>) {
    for _ in 0..RECORDS {
        let record = a.next(1);
        assert_eq!(record, b.next(1));
        if record.is_none() {
            assert_eq!(end(a.cut()), end(b.cut()));
            assert_eq!(a.position(), b.position());
            assert_eq!(a.faults(), b.faults());
            assert_eq!(a.links(), b.links());
            return;
        }
        if a.position() > BYTES {
            return;
        }
    }
}

/// How records ended, without the place in the packed bytes, which is known only roughly.
fn end(cut: Option<Cut>) -> Option<Cut> {
    cut.map(|Cut { offset, reason }| {
        let reason = match reason {
            CutReason::Compressed {
                compression,
                damage,
                ..
            } => CutReason::Compressed {
                compression,
                damage,
                at: 0,
            },
            other => other,
        };
        Cut { offset, reason }
    })
}

fn open(bytes: &[u8]) -> Option<CaptureFile> {
    CaptureFile::from_memory("fuzz", bytes.to_vec()).ok()
}

/// In up to two members.
fn gzip(bytes: &[u8], level: usize) -> Vec<u8> {
    let mut packed = Vec::new();
    let (first, second) = bytes.split_at(if level > 9 { bytes.len() / 2 } else { 0 });
    for part in [first, second] {
        let level = flate2::Compression::new(level as u32 % 10);
        let mut member = GzEncoder::new(packed, level);
        member.write_all(part).expect("memory");
        packed = member.finish().expect("memory");
    }
    packed
}

/// In up to two frames, behind one to be skipped.
fn zstd(bytes: &[u8], level: usize, sum: bool) -> Vec<u8> {
    let mut packed = [&0x184D_2A50_u32.to_le_bytes()[..], &[2, 0, 0, 0, 7, 7]].concat();
    let (first, second) = bytes.split_at(if level > 9 { bytes.len() / 2 } else { 0 });
    for part in [first, second] {
        let level = level as i32 % 10;
        let mut frame = zstd::Encoder::new(packed, level).expect("memory");
        frame.include_checksum(sum).expect("a choice there is");
        frame.write_all(part).expect("memory");
        packed = frame.finish().expect("memory");
    }
    packed
}
