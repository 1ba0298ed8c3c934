//! Packets handed from one core to another, by whatever can.

use super::{BATCH, Cores, EXCHANGES, Line, per, wait};
use feed_common::packet::{PacketBatch, PacketSource, RxMeta, SlotWriter};
use feed_common::ring::{Consumer, Producer, SlotConfig, packet_ring};
use feed_common::time::Ticks;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Bytes of a packet.
pub const PACKET: usize = 200;

/// Packets of one throughput measurement.
pub const PACKETS: u64 = 1_000_000;

/// Packets that each has room for.
pub const SLOTS: usize = 4096;

/// Hands packets over: their descriptors and their bytes.
pub trait Handoff {
    /// The end that writes.
    type In: Send;
    /// The end that reads.
    type Out;

    /// Both ends.
    fn ends() -> (Self::In, Self::Out);

    /// Hands `n` packets over, at most [`BATCH`], spinning until there is room. The first is received at `rx`, each other
    /// a tick later.
    fn send(into: &mut Self::In, rx: u64, n: usize, bytes: &[u8; PACKET]);

    /// Takes what is there, at most [`BATCH`] packets, and says how many.
    fn take(from: &mut Self::Out, look: impl FnMut(&RxMeta, &[u8])) -> usize;
}

/// The packet ring, with slots of so many bytes.
pub struct Ring<const STRIDE: usize>;

impl<const STRIDE: usize> Ring<STRIDE> {
    /// As it is configured here.
    pub const CONFIG: SlotConfig = SlotConfig {
        slots: SLOTS,
        stride: STRIDE,
        batch: BATCH,
    };
}

impl<const STRIDE: usize> Handoff for Ring<STRIDE> {
    type In = Producer;
    type Out = Consumer;

    fn ends() -> (Producer, Consumer) {
        packet_ring(&Self::CONFIG).expect("memory")
    }

    #[inline(always)]
    fn send(into: &mut Producer, rx: u64, n: usize, bytes: &[u8; PACKET]) {
        wait(|| into.free(n) == n);
        for i in 0..n {
            let slot = into.slot(i);
            slot.meta.rx = Ticks(rx + i as u64);
            slot.meta.len = PACKET as u32;
            slot.payload[..PACKET].copy_from_slice(bytes);
        }
        into.commit(n);
    }

    #[inline(always)]
    fn take(from: &mut Consumer, mut look: impl FnMut(&RxMeta, &[u8])) -> usize {
        let batch = from.poll().expect("the writer is there");
        for i in 0..batch.len() {
            let packet = batch.get(i);
            look(packet.meta, packet.bytes);
        }
        batch.len()
    }
}

/// Nanoseconds a packet, flat out in batches; the reader looks at every cache line of a packet, or at the descriptor and
/// the first line.
pub fn throughput<H: Handoff>(cores: &Cores, whole: bool) -> f64 {
    let (mut into, mut from) = H::ends();
    let send = move || {
        let bytes = black_box([7u8; PACKET]);
        for batch in 0..PACKETS / BATCH as u64 {
            H::send(&mut into, batch, BATCH, &bytes);
        }
        // Not dropped before the reader has all.
        into
    };
    let receive = || {
        let (mut start, mut seen, mut sum) = (None, 0u64, 0u64);
        while seen < PACKETS {
            let n = H::take(&mut from, |meta, bytes| {
                sum = sum.wrapping_add(meta.rx.0 + touch(bytes, whole));
            });
            match n {
                0 => spin_loop(),
                _ => _ = start.get_or_insert_with(Instant::now),
            }
            seen += n as u64;
        }
        black_box(sum);
        per(start.expect("packets came").elapsed(), seen)
    };
    cores.pair(send, receive).1
}

/// One packet in flight at a time, from before it is written until it has been taken: p50 and p99 in nanoseconds.
pub fn latency<H: Handoff>(cores: &Cores) -> [f64; 2] {
    let (mut into, mut from) = H::ends();
    let taken = Line::default();
    let clock = cores.clock.clone();
    let send = || {
        let bytes = black_box([7u8; PACKET]);
        for i in 1..=EXCHANGES {
            H::send(&mut into, clock.now().0, 1, &bytes);
            wait(|| taken.0.load(Ordering::Acquire) == i);
        }
    };
    let receive = || {
        let mut times = Vec::with_capacity(EXCHANGES as usize);
        for i in 1..=EXCHANGES {
            wait(|| {
                let take = |meta: &RxMeta, _: &[u8]| times.push(cores.clock.now().since(meta.rx));
                H::take(&mut from, take) > 0
            });
            taken.0.store(i, Ordering::Release);
        }
        times
    };
    let ((), times) = cores.pair(send, receive);
    cores.quantiles(times)
}

/// Reads one byte of every cache line of `bytes`, or of the first alone.
#[inline(always)]
fn touch(bytes: &[u8], whole: bool) -> u64 {
    let bytes = if whole { bytes } else { &bytes[..1] };
    bytes.iter().step_by(64).map(|&b| u64::from(b)).sum()
}

const _: () = assert!(PACKETS.is_multiple_of(BATCH as u64));

#[cfg(test)]
mod tests {
    use super::super::peers::{Crossbeam, Disruptor, Kanal, Rtrb};
    use super::*;

    /// A few batches on one thread: everything comes out once and in order.
    fn hands_over<H: Handoff>() {
        let (mut into, mut from) = H::ends();
        let mut next = 0;
        for batch in 0..300u64 {
            let rx = batch * BATCH as u64;
            H::send(&mut into, rx, BATCH, &[batch as u8; PACKET]);
            let mut taken = 0;
            while taken < BATCH {
                taken += H::take(&mut from, |meta, bytes| {
                    assert_eq!(meta.rx.0, next);
                    assert_eq!(bytes, [batch as u8; PACKET]);
                    next += 1;
                });
            }
        }
        assert_eq!(next, 300 * BATCH as u64);
        assert_eq!(H::take(&mut from, |_, _| panic!("nothing is left")), 0);
    }

    #[test]
    fn every_way_hands_over_everything_once() {
        hands_over::<Ring<2048>>();
        hands_over::<Ring<320>>();
        hands_over::<Rtrb>();
        hands_over::<Disruptor>();
        hands_over::<Crossbeam>();
        hands_over::<Kanal>();
    }
}
