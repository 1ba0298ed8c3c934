//! Tests of both file sources: the same packets, nothing lost, everything left out counted.

use std::net::{Ipv4Addr, SocketAddrV4};

use feed_common::capture::{BinaryFileWriter, PcapWriter};
use feed_common::ring::{Consumer, Producer, SlotConfig, packet_ring};
use feed_common::time::UnixNanos;
use feed_common::wire::frame::UdpFlow;

use super::*;

const LINES: [SocketAddrV4; 2] = [
    SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 30_001),
    SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 2), 30_001),
];
const FOREIGN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 30_002);

/// A packet as it left a source: line, capture time, flags, payload.
type Seen = (u16, u64, u16, Vec<u8>);

/// A packet ring of `slots` slots with room for `capacity` bytes each (a multiple of 64).
fn ring(slots: usize, capacity: usize) -> (Producer, Consumer) {
    let config = SlotConfig {
        slots,
        stride: 64 + capacity,
        batch: slots,
    };
    packet_ring(&config).expect("memory")
}

/// Everything that lies in the ring.
fn take(consumer: &mut Consumer) -> Vec<Seen> {
    let batch = consumer.poll().expect("the producer is there");
    let packet = |i| {
        let packet = batch.get(i);
        assert_ne!(packet.meta.rx, Ticks(0));
        seen(packet.meta, packet.bytes)
    };
    (0..batch.len()).map(packet).collect()
}

fn lines() -> LineMap {
    LineMap::new(LINES.into_iter().zip(0..)).expect("all differ")
}

fn flow(dst: SocketAddrV4) -> UdpFlow {
    UdpFlow::multicast(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40_000), dst)
}

/// `packets` on alternating lines, other traffic in between, and what a source should see of it.
fn capture(packets: u16) -> (CaptureFile, Vec<Seen>) {
    let mut file = PcapWriter::new(Vec::new()).expect("memory");
    let mut frame = Vec::new();
    let mut want = Vec::new();
    for i in 0..packets {
        let time = 1_000 + u64::from(i);
        let line = i % 2;
        let payload = vec![i as u8; usize::from(i % 50)];
        flow(LINES[usize::from(line)])
            .encode(&payload, i, &mut frame)
            .expect("fits");
        file.frame(UnixNanos(time), &frame).expect("memory");
        want.push((line, time, 0, payload));
        if i % 3 == 0 {
            flow(FOREIGN).encode(b"other", i, &mut frame).expect("fits");
            file.frame(UnixNanos(time), &frame).expect("memory");
        }
        if i % 7 == 0 {
            file.frame(UnixNanos(time), &[0; 60]).expect("memory");
        }
    }
    let bytes = file.finish().expect("memory");
    (
        CaptureFile::from_memory("test.pcap", bytes).expect("readable"),
        want,
    )
}

fn binary_file(lens: &[usize]) -> CaptureFile {
    let mut file = BinaryFileWriter::new(Vec::new());
    for &len in lens {
        let mut message = vec![0; len];
        message[0] = b'S';
        file.message(&message).expect("memory");
    }
    let bytes = file.finish().expect("memory");
    CaptureFile::from_memory("test.itch", bytes).expect("readable")
}

fn seen(meta: &RxMeta, bytes: &[u8]) -> Seen {
    assert_eq!(meta.len as usize, bytes.len());
    assert_eq!(meta.socket_drops, 0);
    (meta.line, meta.kernel.0, meta.flags, bytes.to_vec())
}

fn drain(source: &mut CaptureSource<'_>) -> Vec<Seen> {
    let mut all = Vec::new();
    let mut last = Ticks(0);
    for _ in 0..10_000 {
        match source.poll() {
            Ok(batch) => {
                assert!(batch.len() <= BATCH);
                for i in 0..batch.len() {
                    let packet = batch.get(i);
                    assert_eq!(packet.meta.rx, batch.get(0).meta.rx);
                    assert!(packet.meta.rx >= last);
                    last = packet.meta.rx;
                    all.push(seen(packet.meta, packet.bytes));
                }
            }
            Err(RxError::End) => return all,
            Err(e) => panic!("{e}"),
        }
    }
    panic!("no end");
}

fn drain_backend(
    backend: &mut CaptureBackend<'_>,
    (mut producer, mut consumer): (Producer, Consumer),
) -> Vec<Seen> {
    let mut all = Vec::new();
    for _ in 0..10_000 {
        match backend.fill(&mut producer) {
            Ok(_) => all.extend(take(&mut consumer)),
            Err(RxError::End) => return all,
            Err(e) => panic!("{e}"),
        }
    }
    panic!("no end");
}

#[test]
fn both_sources_see_the_same() {
    let (file, want) = capture(300);
    let mut source = CaptureSource::new(&file, lines(), Clock::new());
    assert_eq!(drain(&mut source), want);
    let mut backend = CaptureBackend::new(&file, lines(), Clock::new());
    assert_eq!(drain_backend(&mut backend, ring(16, 128)), want);
    assert_eq!(source.counters(), backend.counters());
    assert_eq!(source.counters().packets, 300);
    let drops: Vec<_> = source.counters().drops().collect();
    assert_eq!(drops, [("foreign", 100), ("not_ip", 43)]);
    assert_eq!(source.cut(), None);
}

#[test]
fn the_end_is_told_again_and_again() {
    let (file, _) = capture(1);
    let mut source = CaptureSource::new(&file, lines(), Clock::new());
    assert_eq!(source.poll().expect("one").len(), 1);
    for _ in 0..3 {
        assert!(matches!(source.poll(), Err(RxError::End)));
    }
}

#[test]
fn others_see_how_far_a_source_has_come() {
    let (file, _) = capture(300);
    let [lent, copied] = [Arc::new(Position::default()), Arc::default()];
    let mut source = CaptureSource::new(&file, lines(), Clock::new()).showing(lent.clone());
    let mut before = 0;
    while source.poll().is_ok() {
        let read = lent.read();
        // What the polls before this one read; before the first, the header.
        assert!(read > before, "{read} after {before}");
        before = read;
    }
    let mut backend = CaptureBackend::new(&file, lines(), Clock::new()).showing(copied.clone());
    drain_backend(&mut backend, ring(4, 128));
    let all = file.bytes().map(|bytes| bytes.len() as u64);
    assert_eq!([lent, copied].map(|p| Some(p.read())), [all, all]);
}

#[test]
fn a_full_ring_loses_nothing() {
    let (file, want) = capture(100);
    let mut backend = CaptureBackend::new(&file, lines(), Clock::new());
    let (mut producer, mut consumer) = ring(4, 128);
    let mut got = Vec::new();
    for _ in 0..20 {
        assert_eq!(backend.fill(&mut producer).expect("more"), 4);
        assert_eq!(backend.fill(&mut producer).expect("waits"), 0);
        got.extend(take(&mut consumer));
    }
    got.extend(drain_backend(&mut backend, (producer, consumer)));
    assert_eq!(got, want);
}

#[test]
fn what_does_not_fit_or_was_cut_is_flagged() {
    let mut file = PcapWriter::new(Vec::new()).expect("memory");
    let mut frame = Vec::new();
    flow(LINES[1])
        .encode(&[7; 80], 0, &mut frame)
        .expect("fits");
    file.frame(UnixNanos(1), &frame).expect("memory");
    file.cut_frame(UnixNanos(2), &frame[..52], 122)
        .expect("memory");
    let mut bytes = file.finish().expect("memory");
    bytes.truncate(bytes.len() - 1);
    let whole = CaptureFile::from_memory("x", [&bytes[..], &[7]].concat()).expect("readable");
    let cut = RxMeta::TRUNCATED;

    let mut source = CaptureSource::new(&whole, lines(), Clock::new());
    assert_eq!(
        drain(&mut source),
        [(1, 1, 0, vec![7; 80]), (1, 2, cut, vec![7; 10])]
    );
    let mut backend = CaptureBackend::new(&whole, lines(), Clock::new());
    assert_eq!(
        drain_backend(&mut backend, ring(4, 64)),
        [(1, 1, cut, vec![7; 64]), (1, 2, cut, vec![7; 10])]
    );

    let short = CaptureFile::from_memory("x", bytes).expect("readable");
    let mut source = CaptureSource::new(&short, lines(), Clock::new());
    assert_eq!(drain(&mut source).len(), 1);
    assert_eq!(source.cut().map(|c| c.offset), Some(24 + 16 + 122));
}

#[test]
fn a_poll_looks_at_a_bounded_number_of_frames() {
    let mut file = PcapWriter::new(Vec::new()).expect("memory");
    for _ in 0..FRAMES_PER_POLL * 2 {
        file.frame(UnixNanos(1), &[0; 60]).expect("memory");
    }
    let file = CaptureFile::from_memory("x", file.finish().expect("memory")).expect("readable");
    let mut source = CaptureSource::new(&file, lines(), Clock::new());
    assert!(source.poll().expect("not the end yet").is_empty());
    assert!(source.poll().expect("not the end yet").is_empty());
    assert!(matches!(source.poll(), Err(RxError::End)));
    assert_eq!(
        source.counters().skipped.total() as usize,
        FRAMES_PER_POLL * 2
    );
}

#[test]
fn a_binaryfile_comes_in_runs_that_make_up_the_file() {
    let file = binary_file(&[12; 5_000]);
    let records = [&[0, 12, b'S'][..], &[0; 11]].concat().repeat(5_000);
    let together = |seen: Vec<Seen>| {
        let mut bytes = Vec::new();
        for (line, time, flags, payload) in seen {
            assert_eq!((line, time, flags), (0, 0, 0));
            bytes.extend(payload);
        }
        bytes
    };
    let mut source = CaptureSource::new(&file, lines(), Clock::new());
    assert_eq!(together(drain(&mut source)), records);
    assert_eq!(source.counters().packets, 2);
    let mut source = CaptureSource::new(&file, lines(), Clock::new()).with_chunk_bytes(1_000);
    assert_eq!(source.poll().expect("first").get(0).bytes.len(), 71 * 14);
    let mut backend = CaptureBackend::new(&file, lines(), Clock::new());
    let got = drain_backend(&mut backend, ring(8, 128));
    assert!(got.iter().all(|(_, _, _, payload)| payload.len() <= 128));
    assert_eq!(together(got), records);
}

#[test]
fn a_record_longer_than_a_slot_is_flagged() {
    let file = binary_file(&[&[12; 16][..], &[100]].concat());
    let mut backend = CaptureBackend::new(&file, lines(), Clock::new());
    let got = drain_backend(&mut backend, ring(64, 64));
    assert_eq!(got.len(), 5);
    assert!(got[..4].iter().all(|p| p.2 == 0 && p.3.len() == 4 * 14));
    assert_eq!((got[4].2, got[4].3.len()), (RxMeta::TRUNCATED, 64));
}

/// A compressed capture of more than one block: batches end where windows do, and nothing else differs.
#[test]
fn a_compressed_file_gives_the_same_packets() {
    let (plain, mut want) = capture(30_000);
    let bytes = plain.bytes().expect("in memory");
    assert!(bytes.len() > 3 << 20);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, bytes).expect("memory");
    let packed = gzip.finish().expect("memory");
    let cut = packed.len() - 8; // the trailer is missing, the packets are not
    for packed in [&packed[..], &packed[..cut]] {
        let file = CaptureFile::from_memory("x", packed.to_vec()).expect("readable");
        let mut source = CaptureSource::new(&file, lines(), Clock::new());
        let mut got = drain(&mut source);
        assert!(got == want);
        let mut backend = CaptureBackend::new(&file, lines(), Clock::new());
        assert!(drain_backend(&mut backend, ring(16, 128)) == want);
        assert_eq!(source.counters(), backend.counters());
        assert_eq!(source.cut(), backend.cut());
        assert_eq!(source.cut().is_some(), packed.len() == cut);
        std::mem::swap(&mut got, &mut want);
    }
}

/// What was put together lies beside the window: it is the last of its batch, and comes as it was sent.
#[test]
fn a_datagram_in_fragments_is_one_packet() {
    let mut file = PcapWriter::new(Vec::new()).expect("memory");
    let mut frame = Vec::new();
    let mut want = Vec::new();
    for i in 0..10u16 {
        let payload = vec![i as u8; 100];
        flow(LINES[0])
            .encode(&payload, i, &mut frame)
            .expect("fits");
        for (range, flags) in [(0..56, 0x20), (56..108, 0)] {
            let mut part = frame[..34].to_vec();
            part[17] = 20 + range.len() as u8;
            part[20..22].copy_from_slice(&[flags, range.start as u8 / 8]);
            part.extend(&frame[34..][range]);
            file.frame(UnixNanos(i.into()), &part).expect("memory");
        }
        want.push((0, u64::from(i), 0, payload));
        flow(LINES[1])
            .encode(b"whole", i, &mut frame)
            .expect("fits");
        file.frame(UnixNanos(i.into()), &frame).expect("memory");
        want.push((1, u64::from(i), 0, b"whole".to_vec()));
    }
    let file = CaptureFile::from_memory("x", file.finish().expect("memory")).expect("readable");
    let mut source = CaptureSource::new(&file, lines(), Clock::new());
    assert_eq!(drain(&mut source), want);
    let mut backend = CaptureBackend::new(&file, lines(), Clock::new());
    assert_eq!(drain_backend(&mut backend, ring(16, 128)), want);
    assert_eq!(source.counters().drops().count(), 0);
}
