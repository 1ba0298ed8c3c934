//! Tests of opening: what a file is, and that it is read alike from a disk, from a pipe, and unpacked.

use super::*;
use crate::capture::testing::{Contents, drain, read, read_file};
use crate::capture::{BinaryFileWriter, PcapWriter, StreamDamage};
use crate::time::UnixNanos;
use std::io::Write;

#[test]
fn errors_name_the_file_and_what_it_is() {
    let open = |bytes: &[u8]| {
        CaptureFile::from_memory("day.bin", bytes.to_vec())
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    assert!(open(b"").starts_with("day.bin: an empty file is not readable"));
    assert!(open(b"a,b\n1,2\n").starts_with("day.bin: a text file"));
    assert!(open(b"\x0A\x0D\x0D\x0A").contains("pcapng file header is incomplete (4 of 28 bytes)"));
    assert!(open(b"\xFD7zXZ\0").starts_with("day.bin: an xz file is not readable"));
    assert!(open(b"\x4D\x3C\xB2\xA1\x02").contains("header is incomplete (5 of 24 bytes)"));
    let missing = CaptureFile::open("/no/such/file")
        .err()
        .map(|e| e.to_string());
    assert!(missing.is_some_and(|m| m.starts_with("/no/such/file: ")));
}

#[test]
fn a_file_on_disk_is_told_by_its_bytes() {
    let path = std::env::temp_dir().join(format!("capture-file-{}.txt", std::process::id()));
    let mut w =
        PcapWriter::new(std::fs::File::create(&path).expect("temporary file")).expect("written");
    w.frame(UnixNanos(5), b"abc").expect("written");
    drop(w.finish());
    let file = CaptureFile::open(&path);
    std::fs::remove_file(&path).expect("removed");
    let file = file.expect("a pcap file whatever its name");
    assert!(matches!(file.format(), Format::Pcap(_)));
    assert_eq!(read_file(&file).frames[0].bytes, b"abc");
    assert_eq!(file.path(), path);
}

#[test]
fn a_binaryfile_is_told_by_its_bytes() {
    let mut w = BinaryFileWriter::new(Vec::new());
    w.message(b"S0123456789O").expect("memory");
    let file = CaptureFile::from_memory("x", w.finish().expect("memory")).expect("readable");
    assert_eq!(file.format(), Format::BinaryFile);
    assert_eq!(read_file(&file).messages, 1);
}

fn pcap(frames: u8) -> Vec<u8> {
    let mut w = PcapWriter::new(Vec::new()).expect("memory");
    for i in 0..frames {
        let bytes: Vec<u8> = (0..usize::from(i) * 3).map(|j| (j * j) as u8 ^ i).collect();
        w.frame(UnixNanos(i.into()), &bytes).expect("memory");
    }
    w.finish().expect("memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut w = flate2::GzBuilder::new()
        .filename("day.pcap")
        .comment("of a day")
        .extra(vec![7; 300])
        .write(Vec::new(), flate2::Compression::default());
    w.write_all(bytes).expect("memory");
    w.finish().expect("memory")
}

/// A frame with its checksum, in blocks of 128 bytes: the encoder ends one at each flush.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut w = zstd::Encoder::new(Vec::new(), 3).expect("memory");
    w.include_checksum(true).expect("supported");
    for part in bytes.chunks(128) {
        w.write_all(part).expect("memory");
        w.flush().expect("memory");
    }
    w.finish().expect("memory")
}

const SKIPPABLE: [u8; 13] = [0x53, 0x2A, 0x4D, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5];

/// The bytes in two parts, each compressed, with what may lie between them.
fn packed(bytes: &[u8], compression: Compression) -> Vec<u8> {
    let (a, b) = bytes.split_at(bytes.len() / 2);
    match compression {
        Compression::Gzip => [gzip(a), gzip(b""), gzip(b)].concat(),
        Compression::Zstd => {
            let skippable = SKIPPABLE.to_vec();
            let parts = [
                skippable.clone(),
                zstd(a),
                skippable.clone(),
                zstd(b),
                skippable,
            ];
            parts.concat()
        }
    }
}

const BOTH: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

fn open(bytes: &[u8]) -> Result<CaptureFile, OpenError> {
    CaptureFile::from_memory("day", bytes.to_vec())
}

#[test]
fn what_is_taken_is_counted_as_it_is_in_the_file() {
    let plain = pcap(100);
    let inputs = BOTH.map(|compression| packed(&plain, compression));
    for bytes in [plain].iter().chain(&inputs) {
        let file = open(bytes).expect("readable");
        let mut records = file.records_in_blocks(512);
        let (mut taken, mut steps) = (0, 0);
        while records.next(1).is_some() {
            assert!((taken..=bytes.len() as u64).contains(&records.taken()));
            steps += u64::from(records.taken() > taken);
            taken = records.taken();
        }
        assert_eq!(records.taken(), bytes.len() as u64);
        assert!(steps > 10, "{steps}");
    }
}

#[test]
fn members_and_frames_are_one_file() {
    let mut messages = BinaryFileWriter::new(Vec::new());
    for _ in 0..100 {
        messages.message(b"S0123456789O").expect("memory");
    }
    for plain in [pcap(40), messages.finish().expect("memory")] {
        let want = read(&plain);
        assert!(want.frames.len() == 40 || want.messages == 100);
        for compression in BOTH {
            let file = open(&packed(&plain, compression)).expect("readable");
            assert_eq!(file.compression(), Some(compression));
            assert_eq!(read_file(&file), want, "{compression:?}");
            // A second reading is like the first.
            assert_eq!(read_file(&file), want, "{compression:?}");
        }
    }
}

#[test]
fn compressed_in_compressed_is_refused_by_name() {
    for (inner, name) in [
        (gzip(&pcap(1)), "a gzip file inside"),
        (zstd(&pcap(1)), "a Zstandard file inside"),
        (b"\xFD7zXZ\0".to_vec(), "an xz file inside"),
        (b"text".to_vec(), "a text file inside"),
        (Vec::new(), "an empty file inside"),
    ] {
        for compression in BOTH {
            let says = open(&packed(&inner, compression))
                .expect_err("refused")
                .to_string();
            assert!(
                says.contains(name) && says.contains(compression.name()),
                "{says}"
            );
        }
    }
}

/// What is in front of a cut of the compressed file is delivered, and the cut names both places.
#[test]
fn a_compressed_file_cut_at_any_byte() {
    let plain = pcap(30);
    let whole = read(&plain);
    for compression in BOTH {
        let packed = packed(&plain, compression);
        let mut most = 0;
        for cut in 1..packed.len() {
            let file = match open(&packed[..cut]) {
                Ok(file) => file,
                Err(OpenError::Format { reason, .. }) => {
                    assert!(cut < 900, "{reason} at {cut}");
                    continue;
                }
                Err(e) => panic!("{e}"),
            };
            let got = drain(file.records());
            assert!(got.frames.len() >= most, "more bytes, fewer frames");
            assert_eq!(got.frames, whole.frames[..got.frames.len()], "cut at {cut}");
            most = got.frames.len();
            match got.cut {
                // Between two members or frames, the capture itself is cut.
                Some(Cut {
                    reason: CutReason::PartialRecord,
                    ..
                }) => {}
                Some(Cut { offset, reason }) => {
                    let want = CutReason::Compressed {
                        compression,
                        damage: StreamDamage::Ended,
                        at: cut as u64,
                    };
                    assert_eq!(reason, want);
                    assert!(offset <= plain.len() as u64);
                }
                None => assert_eq!(got.frames.len(), 30, "cut at {cut}"),
            }
        }
        assert_eq!(most, 30);
    }
}

/// Every byte of a compressed file changed in turn: what it gives before is right, and the end is told.
#[test]
fn a_compressed_file_with_any_byte_changed() {
    let plain = pcap(30);
    let whole = read(&plain);
    for compression in BOTH {
        let good = packed(&plain, compression);
        let (mut told, mut harmless) = (0, 0);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            let Ok(file) = open(&bad) else {
                told += 1;
                continue;
            };
            let got = drain(file.records());
            match got.cut {
                Some(Cut {
                    reason: CutReason::Compressed { at: place, .. },
                    ..
                }) => {
                    told += 1;
                    assert!(place <= bad.len() as u64);
                }
                Some(_) => told += 1,
                // A file name, a time, the contents of what is skipped.
                None => harmless += usize::from(got == whole),
            }
        }
        let all = good.len();
        assert!(
            harmless > 0 && told + harmless > all - 8,
            "{told}, {harmless} of {all}"
        );
    }
}

/// Where the blocks of the frame that [`zstd`] writes begin: behind 6 bytes, each with its length in the upper 21 bits
/// of its first 3 bytes and its kind in the two below the last.
fn blocks_of_zstd(frame: &[u8]) -> Vec<usize> {
    let (mut at, mut starts) = (6, Vec::new());
    loop {
        starts.push(at);
        let header = u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], 0]);
        assert_ne!(header >> 1 & 3, 1, "none is a byte repeated");
        at += 3 + (header >> 3) as usize;
        if header & 1 != 0 {
            assert_eq!(at + 4, frame.len());
            return starts;
        }
    }
}

/// Damage costs nothing of what was unpacked before it, though one call could have met both.
#[test]
fn nothing_before_the_damage_is_lost() {
    let plain = pcap(200);
    let whole = read(&plain);
    let good = zstd(&plain);
    let starts = blocks_of_zstd(&good);
    for block in [starts.len() / 2, starts.len() - 2] {
        let mut bad = good.clone();
        bad[starts[block]] |= 6; // a kind that does not exist
        let got = drain(open(&bad).expect("readable").records());
        let given = 128 * block;
        let mut end = 24;
        let frames = whole.frames.iter().take_while(|frame| {
            end += 16 + frame.bytes.len();
            end <= given
        });
        let frames = frames.count();
        assert_eq!(got.frames, whole.frames[..frames]);
        assert!(got.cut.is_some_and(|cut| cut.offset <= given as u64));
        let Some(CutReason::Compressed { damage, at, .. }) = got.cut.map(|cut| cut.reason) else {
            panic!("{:?}", got.cut);
        };
        assert_eq!(damage, StreamDamage::Corrupt);
        assert!(at.abs_diff(starts[block] as u64) <= 3);
    }

    let first = gzip(&plain);
    let mut bad = [&first[..], &gzip(b"more")].concat();
    bad[first.len()] = 0;
    let got = drain(open(&bad).expect("readable").records());
    assert_eq!(got.frames, whole.frames);
    let says = got.cut.expect("told").to_string();
    let want = format!("behind {} bytes of capture", plain.len());
    assert!(
        says.starts_with("gzip damaged: ") && says.ends_with(&want),
        "{says}"
    );
}

#[test]
fn a_wrong_checksum_is_told_at_the_end() {
    let plain = pcap(30);
    let mut bad = gzip(&plain);
    let at = bad.len() - 8;
    bad[at] ^= 1;
    let got = drain(open(&bad).expect("readable").records());
    assert_eq!(got.frames, read(&plain).frames);
    let says = got.cut.expect("told").to_string();
    assert!(
        says.starts_with("gzip damaged: the checksum differs"),
        "{says}"
    );
}

/// A pipe that gives its bytes in pieces of `piece`.
fn through_fifo(name: &str, bytes: &[u8], piece: usize, open: fn(&Path) -> Contents) -> Contents {
    let path = std::env::temp_dir().join(format!("capture-{name}-{}", std::process::id()));
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo").success());
    let contents = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut fifo = std::fs::OpenOptions::new().write(true).open(&path);
            let fifo = fifo.as_mut().expect("a reader");
            bytes
                .chunks(piece)
                .try_for_each(|part| fifo.write_all(part))
        });
        let contents = open(&path);
        writer.join().expect("no panic").expect("all of it taken");
        contents
    });
    std::fs::remove_file(&path).expect("removed");
    contents
}

#[test]
fn a_pipe_is_read_as_often_as_it_is_asked_for() {
    let plain = pcap(60);
    let want = read(&plain);
    for (name, bytes) in [
        ("plain", plain.clone()),
        ("gzip", packed(&plain, Compression::Gzip)),
        ("zstd", packed(&plain, Compression::Zstd)),
    ] {
        let got = through_fifo(name, &bytes, 10, |path| {
            let file = CaptureFile::open(path).expect("readable");
            assert!(!file.is_once());
            let first = drain(file.records());
            assert_eq!(drain(file.records()), first);
            first
        });
        assert_eq!(got, want, "{name}");
        for piece in [3, 1_000_000] {
            let got = through_fifo(name, &bytes, piece, |path| {
                let file = CaptureFile::open_once(path).expect("readable");
                assert!(file.is_once());
                let first = drain(file.records());
                let second = drain(file.records());
                assert!(second.frames.is_empty());
                assert_eq!(second.cut.map(|cut| cut.reason), Some(CutReason::Taken));
                first
            });
            assert_eq!(got, want, "{name} in pieces of {piece}");
        }
    }
}

/// What has come through a pipe is handed out before more comes.
#[test]
fn a_pipe_does_not_wait_for_a_block_to_be_full() {
    let (from, mut to) = io::pipe().expect("a pipe");
    let bytes = pcap(20);
    let (now, later) = bytes.split_at(bytes.len() - 1);
    let open = std::thread::spawn(move || CaptureFile::of_pipe(Path::new("pipe"), from));
    to.write_all(now).expect("taken");
    let file = open.join().expect("no panic").expect("readable");
    let mut records = file.records();
    for _ in 0..19 {
        assert!(records.next(0).is_some());
    }
    to.write_all(later).expect("taken");
    assert!(records.next(0).is_some());
    drop(to);
    assert_eq!(records.next(0), None);
    assert_eq!(records.cut(), None);
}
