//! Tests of the way from frames to datagrams.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use crate::capture::{BinaryFileWriter, PcapWriter};
use crate::wire::frame::UdpFlow;

const SRC: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 40_000);
const DST: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 0, 0, 1), 30_001);

#[test]
fn datagrams_in_order_with_what_was_skipped() {
    let mut file = PcapWriter::new(Vec::new()).expect("memory");
    let mut frame = Vec::new();
    let flow = UdpFlow::multicast(SRC, DST);
    flow.encode(b"one", 1, &mut frame).expect("fits");
    file.frame(UnixNanos(7), &frame).expect("memory");
    file.frame(UnixNanos(8), &[0; 60]).expect("memory");
    file.cut_frame(UnixNanos(9), &frame[..44], 45)
        .expect("memory");
    flow.encode(b"", 2, &mut frame).expect("fits");
    file.frame(UnixNanos(10), &frame).expect("memory");
    let mut bytes = file.finish().expect("memory");
    let end = bytes.len() as u64;
    bytes.push(0);
    let file = CaptureFile::from_memory("x", bytes).expect("readable");

    let mut datagrams = Datagrams::new(&file);
    let datagram = |number, time, payload| {
        Some(Datagram {
            number,
            time: UnixNanos(time),
            dst: Some(DST.into()),
            src: Some(SRC.into()),
            payload,
        })
    };
    assert_eq!(datagrams.next(), datagram(1, 7, b"one"));
    assert_eq!(datagrams.cut(), None);
    assert_eq!(datagrams.next(), datagram(4, 10, b""));
    assert_eq!(datagrams.next(), None);
    assert_eq!(datagrams.frames(), 4);
    assert_eq!(datagrams.skipped().total(), 2);
    assert_eq!(datagrams.skipped().of(Skip::NotIp), 1);
    assert_eq!(datagrams.skipped().of(Skip::Truncated), 1);
    assert_eq!(datagrams.cut().map(|c| c.offset), Some(end));
}

#[test]
fn runs_of_a_binaryfile() {
    let mut w = BinaryFileWriter::new(Vec::new());
    for _ in 0..10_000 {
        w.message(b"S0123456789O").expect("memory");
    }
    let file = CaptureFile::from_memory("x", w.finish().expect("memory")).expect("readable");
    let mut datagrams = Datagrams::new(&file);
    let mut numbers = Vec::new();
    while let Some(datagram) = datagrams.next() {
        numbers.push(datagram.number);
    }
    let per_run = (CHUNK_BYTES / 14) as u64;
    assert_eq!(numbers, [1, 1 + per_run, 1 + 2 * per_run]);
    assert_eq!(datagrams.cut(), None);
}

/// A datagram of 2,000 bytes in three fragments, out of order, between two whole ones.
fn fragmented() -> Vec<u8> {
    let mut file = PcapWriter::new(Vec::new()).expect("memory");
    let flow = UdpFlow::multicast(SRC, DST);
    let mut frame = Vec::new();
    flow.encode(b"before", 1, &mut frame).expect("fits");
    file.frame(UnixNanos(1), &frame).expect("memory");
    let payload: Vec<u8> = (0..2_000u32).map(|i| i as u8).collect();
    flow.encode(&payload, 2, &mut frame).expect("fits");
    // No checksum, as in most captures: then nothing is compared.
    for (time, range, more) in [
        (2, 0..800, true),
        (3, 1600..2008, false),
        (4, 800..1600, true),
    ] {
        let mut part = frame[..34].to_vec();
        let total = 20 + range.len() as u16;
        part[16..18].copy_from_slice(&total.to_be_bytes());
        let offset = (range.start / 8) as u16 | if more { 0x2000 } else { 0 };
        part[20..22].copy_from_slice(&offset.to_be_bytes());
        part.extend(&frame[34..][range]);
        file.frame(UnixNanos(time), &part).expect("memory");
    }
    flow.encode(b"after", 3, &mut frame).expect("fits");
    file.frame(UnixNanos(5), &frame).expect("memory");
    // And one that never completes.
    let mut part = frame[..34].to_vec();
    part[20] = 0x20;
    part[16..18].copy_from_slice(&28u16.to_be_bytes());
    part.extend([0; 8]);
    file.frame(UnixNanos(6), &part).expect("memory");
    file.finish().expect("memory")
}

#[test]
fn fragments_are_put_together() {
    let file = CaptureFile::from_memory("x", fragmented()).expect("readable");
    let mut datagrams = Datagrams::new(&file);
    let mut got = Vec::new();
    while let Some(d) = datagrams.next() {
        assert_eq!((d.src, d.dst), (Some(SRC.into()), Some(DST.into())));
        got.push((d.number, d.time.0, d.payload.to_vec()));
    }
    let whole: Vec<u8> = (0..2_000u32).map(|i| i as u8).collect();
    let want = [
        (1, 1, b"before".to_vec()),
        (4, 4, whole),
        (5, 5, b"after".to_vec()),
    ];
    assert_eq!(got, want);
    assert_eq!((datagrams.frames(), datagrams.skipped().total()), (6, 0));
    assert_eq!(
        (datagrams.fragments().completed, datagrams.incomplete()),
        (1, 1)
    );
}

/// Places of a whole file hold until its end; lasting payloads of a stream outlive their places.
#[test]
fn places_and_lasting_payloads() {
    let file = CaptureFile::from_memory("x", fragmented()).expect("readable");
    let mut datagrams = Datagrams::new(&file);
    let mut places = Vec::new();
    let mut lasting = Vec::new();
    loop {
        match datagrams.advance(CHUNK_BYTES) {
            Advance::Datagram(found) => {
                lasting.push(datagrams.lasting(&found));
                places.push(found.place);
            }
            Advance::Assembled(found) => {
                assert_eq!(found.place.len(), 2_000);
                lasting.push(datagrams.lasting(&found));
            }
            Advance::Passed => {}
            Advance::Short => assert!(datagrams.more(None)),
            Advance::End => break,
        }
    }
    let payloads = datagrams.payloads();
    let at: Vec<_> = places.iter().map(|&place| payloads.at(place)).collect();
    assert_eq!(at, [&b"before"[..], b"after"]);
    let borrowed = |p: &Cow<'_, [u8]>| matches!(p, Cow::Borrowed(_));
    let kinds: Vec<_> = lasting.iter().map(borrowed).collect();
    assert_eq!(kinds, [true, false, true]);
    assert_eq!((lasting[0].len(), lasting[1].len()), (6, 2_000));
}

#[test]
fn frames_held_in_part_are_counted_apart() {
    let mut file = PcapWriter::new(Vec::new()).expect("memory");
    let mut frame = Vec::new();
    let flow = UdpFlow::multicast(SRC, DST);
    flow.encode(b"whole", 1, &mut frame).expect("fits");
    // A trailer behind the datagram is missing, and then part of the datagram itself.
    file.cut_frame(UnixNanos(1), &frame, frame.len() + 4)
        .expect("memory");
    file.cut_frame(UnixNanos(2), &frame[..44], frame.len())
        .expect("memory");
    file.frame(UnixNanos(3), &frame).expect("memory");
    let bytes = file.finish().expect("memory");
    let file = CaptureFile::from_memory("x", bytes).expect("readable");
    let mut datagrams = Datagrams::new(&file);
    let numbers: Vec<_> = std::iter::from_fn(|| datagrams.next().map(|d| d.number)).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(datagrams.cut_frames(), 2);
    assert_eq!(datagrams.skipped().of(Skip::Truncated), 1);
    let links = datagrams.links();
    assert_eq!((links.len(), links[0].number, links[0].frames), (1, 1, 3));
}
