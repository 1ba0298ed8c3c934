//! Two threads flat out on each ring. Every word of a record and every byte of a packet follows from its number, so a
//! torn, stale, lost or repeated one shows.
//!
//! About two seconds in all in a debug build; `FEED_STRESS_RECORDS` sets how many records each test passes instead.
#![cfg(not(loom))]

use feed_common::packet::{PacketBatch, PacketSource, RxError, SlotWriter};
use feed_common::ring::{Overrun, Reader, SlotConfig, broadcast, packet_ring};
use feed_common::time::Ticks;
use std::thread;
use std::time::{Duration, Instant};

/// Ends a test that hangs; far beyond any honest run on a loaded machine.
const LIMIT: Duration = Duration::from_secs(30 * 60);

fn records(default: u64) -> u64 {
    std::env::var("FEED_STRESS_RECORDS").map_or(default, |text| {
        text.parse().expect("FEED_STRESS_RECORDS is a number")
    })
}

/// Waits a little without starving the other thread where both share a core, and gives up on a hang.
struct Patience {
    spins: u32,
    start: Instant,
}

impl Patience {
    fn new() -> Patience {
        Patience {
            spins: 0,
            start: Instant::now(),
        }
    }

    fn spin(&mut self) {
        self.spins += 1;
        if self.spins.is_multiple_of(64) {
            assert!(self.start.elapsed() < LIMIT, "no progress");
            thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

/// 64 bytes, each word a different function of the position.
type Item = [u64; 8];

fn item(position: u64) -> Item {
    std::array::from_fn(|i| {
        (position ^ (i as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15 | 1 << i)
    })
}

/// Reads in batches of `N` until the writer is gone; returns records read.
fn drain<const N: usize>(mut reader: Reader<Item>, pause_every: u64) -> (u64, Reader<Item>) {
    let mut out = [[0; 8]; N];
    let (mut read, mut reads) = (0, 0u64);
    let mut patience = Patience::new();
    loop {
        let position = reader.position();
        match reader.read(&mut out) {
            Ok(0) if reader.is_closed() => return (read, reader),
            Ok(0) => patience.spin(),
            Ok(n) => {
                for (p, got) in (position..).zip(&out[..n]) {
                    assert_eq!(*got, item(p), "record {p} is torn or not itself");
                }
                read += n as u64;
            }
            Err(Overrun { lost }) => assert_eq!(reader.position(), position + lost),
        }
        reads += 1;
        if pause_every > 0 && reads.is_multiple_of(pause_every) {
            // Long enough to be lapped, so that overruns come in the middle of reads.
            for _ in 0..2000 {
                std::hint::spin_loop();
            }
        }
    }
}

/// Writes `count` records in bursts of 1 to 40 while a reader with batches of `N` reads.
fn broadcast_stress<const N: usize>(slots: usize, count: u64, pause_every: u64) {
    let mut writer = broadcast::<Item>(slots).unwrap();
    let reader = writer.subscribe();
    let thread = thread::spawn(move || drain::<N>(reader, pause_every));
    let mut until_flush = 1;
    for p in 0..count {
        writer.push(&item(p));
        until_flush -= 1;
        if until_flush == 0 {
            writer.flush();
            until_flush = 1 + p.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 40;
            if p & 0xFFF < 40 {
                // Lets the reader catch up now and then, so that both ends of the ring are visited.
                thread::yield_now();
            }
        }
    }
    drop(writer);
    let (read, reader) = thread.join().unwrap();
    assert_eq!(reader.position(), count);
    assert_eq!(read + reader.lost(), count);
}

#[test]
fn broadcast_never_tears_in_a_tiny_ring() {
    broadcast_stress::<1>(4, records(300_000), 0);
    broadcast_stress::<3>(8, records(300_000), 0);
}

#[test]
fn broadcast_never_tears_when_lapped() {
    broadcast_stress::<32>(256, records(300_000), 64);
}

#[test]
fn broadcast_never_tears_in_a_large_ring() {
    broadcast_stress::<64>(65_536, records(300_000), 0);
}

/// Bytes of packet `number`: a length of its own and a byte pattern of its own.
fn packet_len(number: u64, capacity: usize) -> usize {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize % (capacity + 1)
}

fn packet_byte(number: u64, i: usize) -> u8 {
    (number as u8).wrapping_mul(31).wrapping_add(i as u8)
}

/// Passes `count` packets of all lengths through a ring of `slots`.
fn packet_stress(slots: usize, stride: usize, batch: usize, count: u64) {
    let config = SlotConfig {
        slots,
        stride,
        batch,
    };
    let (mut producer, mut consumer) = packet_ring(&config).unwrap();
    let gauge = producer.gauge();
    let capacity = producer.capacity();
    let sender = thread::spawn(move || {
        let (mut next, mut patience) = (0u64, Patience::new());
        while next < count {
            let want = (1 + next % 37).min(count - next) as usize;
            let free = producer.free(want);
            if free < want {
                producer.count_drop(1);
                patience.spin();
            }
            for i in 0..free {
                let slot = producer.slot(i);
                let len = packet_len(next, capacity);
                slot.meta.rx = Ticks(next);
                slot.meta.len = len as u32;
                for (i, byte) in slot.payload[..len].iter_mut().enumerate() {
                    *byte = packet_byte(next, i);
                }
                next += 1;
            }
            producer.commit(free);
        }
    });
    let (mut expected, mut patience) = (0u64, Patience::new());
    loop {
        match consumer.poll() {
            Ok(got) => {
                assert!(got.len() <= batch);
                for i in 0..got.len() {
                    let packet = got.get(i);
                    assert_eq!(packet.meta.rx, Ticks(expected));
                    assert_eq!(packet.bytes.len(), packet_len(expected, capacity));
                    let whole = (0..).zip(packet.bytes);
                    for (i, byte) in whole {
                        assert_eq!(*byte, packet_byte(expected, i), "packet {expected}");
                    }
                    expected += 1;
                }
                if got.is_empty() {
                    patience.spin();
                }
            }
            Err(RxError::End) => break,
            Err(other) => panic!("{other}"),
        }
    }
    sender.join().unwrap();
    assert_eq!(expected, count);
    assert_eq!((gauge.committed(), gauge.backlog()), (count, 0));
}

#[test]
fn packets_arrive_whole_and_in_order_through_tiny_rings() {
    packet_stress(1, 128, 1, records(40_000));
    packet_stress(2, 192, 2, records(40_000));
    packet_stress(8, 256, 3, records(40_000));
}

#[test]
fn packets_arrive_whole_and_in_order_through_a_large_ring() {
    packet_stress(4096, 2048, 64, records(8_000));
}
