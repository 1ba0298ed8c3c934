//! The hot end of a journal: what a lane publishes, copied into a bounded queue.

use super::keep::JournalGauge;
use crate::publish::Publish;
use feed_common::event::Record;
use feed_common::packet::{RxMeta, SlotWriter};
use feed_common::ring::{Consumer, Producer, Reader, SlotConfig, SlotError, packet_ring};
use zerocopy::IntoBytes;

/// Records that are copied between two stores that make them visible.
pub(super) const CHUNK: usize = 64;

/// A slot of the queue: its descriptor and a record.
const STRIDE: usize = size_of::<RxMeta>() + size_of::<Record>();

/// Takes copies of a lane's records out of its broadcast ring, in the lane's own thread, for the thread that journals them.
/// It neither waits, allocates nor makes a system call.
pub struct Tap {
    records: Reader<Record>,
    chunk: Box<[Record; CHUNK]>,
    queue: Producer,
    /// Records that are not in the queue.
    lost: u64,
    gauge: JournalGauge,
}

impl Tap {
    /// A tap on `records` with a queue of `slots` of them, a power of two, and the queue's other end; all its memory is
    /// taken and touched here. `gauge` is told what is lost.
    ///
    /// The queue is a packet ring whose slots hold a record each; `ring_drops` of a slot says how many records were lost
    /// before it.
    pub fn new(
        records: Reader<Record>,
        slots: usize,
        gauge: JournalGauge,
    ) -> Result<(Tap, Consumer), SlotError> {
        let (queue, out) = packet_ring(&SlotConfig {
            slots,
            stride: STRIDE,
            batch: CHUNK.min(slots),
        })?;
        let tap = Tap {
            records,
            chunk: Box::new([Record::default(); CHUNK]),
            queue,
            lost: 0,
            gauge,
        };
        Ok((tap, out))
    }

    /// Records that found the queue full.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Copies what has become visible, with one store for each [`CHUNK`] of it.
    fn take(&mut self) {
        loop {
            match self.records.read(&mut self.chunk[..]) {
                Ok(0) => return,
                Ok(n) => self.offer(n),
                // One packet that made more records than the broadcast ring holds.
                Err(overrun) => self.lose(overrun.lost),
            }
        }
    }

    fn offer(&mut self, n: usize) {
        let free = self.queue.free(n);
        for (i, record) in self.chunk[..free].iter().enumerate() {
            let slot = self.queue.slot(i);
            slot.payload[..size_of::<Record>()].copy_from_slice(record.as_bytes());
            *slot.meta = RxMeta {
                len: size_of::<Record>() as u32,
                ring_drops: self.lost,
                ..RxMeta::default()
            };
        }
        self.queue.commit(free);
        if free < n {
            self.lose((n - free) as u64);
        }
    }

    #[cold]
    fn lose(&mut self, n: u64) {
        self.lost += n;
        self.gauge.lose_before(self.lost);
    }
}

/// A sink with a tap behind it, or without one.
///
/// What is published goes to the sink alone; whether there is a tap is asked once a packet, when the sink has made its
/// records visible. So a lane that keeps no journal pays a branch a packet, and one that does pays nothing between the
/// message and the ring: the copying is done when the records are out.
pub struct Tapped<K: Publish> {
    sink: K,
    tap: Option<Tap>,
}

impl<K: Publish> Tapped<K> {
    /// Around `sink`, into whose ring the tap looks.
    pub fn new(sink: K, tap: Option<Tap>) -> Tapped<K> {
        Tapped { sink, tap }
    }

    /// The tap behind it.
    pub fn tap(&self) -> Option<&Tap> {
        self.tap.as_ref()
    }
}

impl<K: Publish> Publish for Tapped<K> {
    #[inline(always)]
    fn publish(&mut self, record: &Record) {
        self.sink.publish(record);
    }

    #[inline]
    fn flush(&mut self) {
        self.sink.flush();
        if let Some(tap) = &mut self.tap {
            tap.take();
        }
    }

    #[inline]
    fn prepare(&mut self) {
        self.sink.prepare();
    }
}

impl<K: Publish> Drop for Tapped<K> {
    /// What was written behind the last flush is published too.
    fn drop(&mut self) {
        self.flush();
    }
}
