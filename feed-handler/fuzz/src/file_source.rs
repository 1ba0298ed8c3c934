//! A capture as a packet source: lent in place, and copied into slots.

use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::packet::{PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::ring::{Inline, SlotConfig};
use feed_common::time::{Clock, Ticks};
use feed_handler::net::file::{CaptureBackend, CaptureSource, LineMap};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::OnceLock;

/// Room of a slot: some datagrams do not fit.
const ROOM: usize = 256;

const SLOTS: SlotConfig = SlotConfig {
    slots: 4,
    stride: 64 + ROOM,
    batch: 4,
};

/// Both ways give the same packets and count the same, but that slots cut what does not fit.
pub fn file_source(data: &[u8]) {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    let Ok(file) = CaptureFile::from_memory("fuzz", data.to_vec()) else {
        return;
    };
    let clock = || CLOCK.get_or_init(Clock::new).clone();
    let lines = lines(&file);
    let source = CaptureSource::new(&file, lines.clone(), clock());
    let mut source = source.with_chunk_bytes(ROOM);
    let backend = CaptureBackend::new(&file, lines, clock());
    let mut slots = Inline::new(backend, &SLOTS).expect("memory for a few slots");
    let mut lent = packets(&mut source);
    let copied = packets(&mut slots);
    for (meta, bytes) in &mut lent {
        if bytes.len() > ROOM {
            bytes.truncate(ROOM);
            (meta.len, meta.records) = (ROOM as u32, 0);
            meta.flags |= RxMeta::TRUNCATED;
        }
    }
    assert_eq!(lent, copied);
    let counters = source.counters();
    assert_eq!(counters, slots.backend().counters());
    assert_eq!(counters.packets, lent.len() as u64);
    assert_eq!(source.cut(), slots.backend().cut());
}

/// A line for the first few addresses there are; the others are foreign.
fn lines(file: &CaptureFile) -> LineMap {
    let (mut lines, mut datagrams) = (Vec::new(), Datagrams::new(file));
    while let (true, Some(datagram)) = (lines.len() < 3, datagrams.next()) {
        if let Some(SocketAddr::V4(address)) = datagram.dst
            && !lines.contains(&address)
        {
            lines.push(address);
        }
    }
    let map = LineMap::new(lines.iter().copied().zip(0..)).expect("all differ");
    let is_line =
        |(a, line): (&SocketAddrV4, u16)| map.line(IpAddr::V4(*a.ip()), a.port()) == Some(line);
    assert!(lines.iter().zip(0..).all(is_line));
    map
}

/// All packets of a source, without the time they were handed out.
fn packets(source: &mut impl PacketSource) -> Vec<(RxMeta, Vec<u8>)> {
    let mut packets = Vec::new();
    loop {
        match source.poll() {
            Ok(batch) => packets.extend((0..batch.len()).map(|i| {
                let packet = batch.get(i);
                assert_eq!(packet.meta.len as usize, packet.bytes.len());
                let meta = RxMeta {
                    rx: Ticks(0),
                    ..*packet.meta
                };
                (meta, packet.bytes.to_vec())
            })),
            Err(RxError::End) => return packets,
            Err(e) => panic!("{e}"),
        }
    }
}
