//! The queue of one lane between its hot thread and the recorder: a packet ring whose slots also say what it has lost.

use feed_common::packet::{Packet, PacketBatch, RxMeta, SlotWriter};
use feed_common::ring::{Consumer, Gauge, Producer, SlotConfig, SlotError, packet_ring};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes before a packet in its slot: how many packets of its line the queue had lost when it came.
const LOST: usize = size_of::<u64>();

/// By how much a slot is longer than the lane's own, which holds the same packet: [`LOST`], in whole cache lines.
pub(super) const LONGER: usize = 64;

/// The hot thread's end. It copies, and neither waits, allocates nor makes a system call.
#[derive(Debug)]
pub struct Queue {
    producer: Producer,
    /// Packets that found the queue full, by line of the lane.
    lost: Box<[u64]>,
    shown: Arc<[AtomicU64]>,
}

/// What can be told about a queue from outside, exact once its lane has ended.
#[derive(Clone, Debug)]
pub(super) struct QueueGauge {
    ring: Gauge,
    lost: Arc<[AtomicU64]>,
}

/// Makes a queue for a lane of `lines` lines; all its memory is taken and touched here.
pub(super) fn queue(
    lines: usize,
    config: &SlotConfig,
) -> Result<(Queue, Consumer, QueueGauge), SlotError> {
    let (producer, consumer) = packet_ring(config)?;
    let shown: Arc<[AtomicU64]> = (0..lines).map(|_| AtomicU64::new(0)).collect();
    let gauge = QueueGauge {
        ring: producer.gauge(),
        lost: shown.clone(),
    };
    let queue = Queue {
        producer,
        lost: vec![0; lines].into(),
        shown,
    };
    Ok((queue, consumer, gauge))
}

impl Queue {
    /// Takes copies of as many packets of a batch as there is room for, and counts the rest.
    #[inline]
    pub fn offer<B: PacketBatch>(&mut self, batch: &B) {
        let free = self.producer.free(batch.len());
        for i in 0..free {
            self.copy(i, batch.get(i));
        }
        self.producer.commit(free);
        if free < batch.len() {
            self.lose(batch, free);
        }
    }

    #[inline]
    fn copy(&mut self, i: usize, packet: Packet<'_>) {
        let line = packet.meta.line as usize;
        let lost = self.lost.get(line).copied().unwrap_or_default();
        let slot = self.producer.slot(i);
        let (head, room) = slot.payload.split_at_mut(LOST);
        head.copy_from_slice(&lost.to_le_bytes());
        let len = packet.bytes.len().min(room.len());
        room[..len].copy_from_slice(&packet.bytes[..len]);
        let whole = len == packet.bytes.len();
        let cut = if whole { 0 } else { RxMeta::TRUNCATED };
        *slot.meta = RxMeta {
            len: (LOST + len) as u32,
            flags: packet.meta.flags | cut,
            ..*packet.meta
        };
    }

    #[cold]
    fn lose<B: PacketBatch>(&mut self, batch: &B, first: usize) {
        for i in first..batch.len() {
            let line = batch.get(i).meta.line as usize;
            if let (Some(lost), Some(shown)) = (self.lost.get_mut(line), self.shown.get(line)) {
                *lost += 1;
                // The only writer stores what it counted.
                shown.store(*lost, Relaxed);
            }
        }
    }
}

impl QueueGauge {
    /// Packets the queue took.
    pub(super) fn taken(&self) -> u64 {
        self.ring.committed()
    }

    /// Packets of a line that found it full.
    pub(super) fn lost(&self, line: usize) -> u64 {
        self.lost.get(line).map_or(0, |n| n.load(Relaxed))
    }

    /// Packets of any line that found it full.
    pub(super) fn lost_in_all(&self) -> u64 {
        self.lost.iter().map(|n| n.load(Relaxed)).sum()
    }
}

/// What a slot holds: how many packets of its line the queue had lost when it came, and its bytes.
pub(super) fn held(packet: Packet<'_>) -> (u64, &[u8]) {
    match packet.bytes.split_first_chunk() {
        Some((lost, bytes)) => (u64::from_le_bytes(*lost), bytes),
        None => (0, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::packet::PacketSource;

    /// Packets of given lines, each holding its own number.
    struct Batch(Vec<(RxMeta, Vec<u8>)>);

    impl Batch {
        fn of(lines: &[u16], bytes: usize) -> Batch {
            let packet = |(i, &line): (usize, &u16)| {
                let meta = RxMeta {
                    line,
                    len: bytes as u32,
                    socket_drops: i as u64,
                    ..RxMeta::default()
                };
                (meta, vec![i as u8; bytes])
            };
            Batch(lines.iter().enumerate().map(packet).collect())
        }
    }

    impl PacketBatch for Batch {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn get(&self, i: usize) -> Packet<'_> {
            let (meta, bytes) = &self.0[i];
            Packet { meta, bytes }
        }
    }

    fn small() -> (Queue, Consumer, QueueGauge) {
        let config = SlotConfig {
            slots: 4,
            stride: 192,
            batch: 4,
        };
        queue(2, &config).unwrap()
    }

    /// Line, lost before, first byte.
    fn drain(consumer: &mut Consumer) -> Vec<(u16, u64, u8)> {
        let batch = consumer.poll().unwrap();
        let packet = |i| {
            let (lost, bytes) = held(batch.get(i));
            (batch.get(i).meta.line, lost, bytes[0])
        };
        (0..batch.len()).map(packet).collect()
    }

    #[test]
    fn what_finds_the_queue_full_is_told_with_the_next_packet_of_its_line() {
        let (mut queue, mut consumer, gauge) = small();
        queue.offer(&Batch::of(&[0, 1, 0, 0, 1, 0, 0], 3));
        assert_eq!(
            drain(&mut consumer),
            [(0, 0, 0), (1, 0, 1), (0, 0, 2), (0, 0, 3)]
        );
        queue.offer(&Batch::of(&[1, 0], 3));
        assert_eq!(drain(&mut consumer), [(1, 1, 0), (0, 2, 1)]);
        assert_eq!((gauge.taken(), gauge.lost_in_all()), (6, 3));
        assert_eq!((gauge.lost(0), gauge.lost(1)), (2, 1));
    }

    #[test]
    fn a_packet_is_kept_with_its_facts() {
        let (mut queue, mut consumer, _) = small();
        queue.offer(&Batch::of(&[1, 0], 120));
        let batch = consumer.poll().unwrap();
        let second = batch.get(1);
        assert_eq!(held(second), (0, &[1; 120][..]));
        let want = RxMeta {
            len: 128,
            socket_drops: 1,
            ..RxMeta::default()
        };
        assert_eq!(*second.meta, want);
    }

    #[test]
    fn a_packet_that_does_not_fit_a_slot_is_cut_and_says_so() {
        let (mut queue, mut consumer, _) = small();
        queue.offer(&Batch::of(&[0], 121));
        let batch = consumer.poll().unwrap();
        assert!(batch.get(0).meta.is_truncated());
        assert_eq!(held(batch.get(0)).1.len(), 120);
    }
}
