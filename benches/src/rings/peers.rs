//! Queues of others, each in the way that is fastest for it: in chunks where it has them, one at a time where not.

use super::handoff::{Handoff, PACKET, SLOTS};
use super::{BATCH, wait};
use disruptor::{
    BusySpin, EventPoller, Producer as _, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};
use feed_common::packet::RxMeta;
use feed_common::time::Ticks;

/// What they move: the descriptor and the packet, as one value.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ByValue {
    meta: RxMeta,
    bytes: [u8; PACKET],
}

impl ByValue {
    #[inline(always)]
    fn new(rx: u64, bytes: &[u8; PACKET]) -> ByValue {
        let meta = RxMeta {
            rx: Ticks(rx),
            len: PACKET as u32,
            ..RxMeta::default()
        };
        ByValue {
            meta,
            bytes: *bytes,
        }
    }

    #[inline(always)]
    fn show(&self, mut look: impl FnMut(&RxMeta, &[u8])) {
        look(&self.meta, &self.bytes[..self.meta.len as usize]);
    }
}

/// The crate `rtrb`, in chunks.
pub struct Rtrb;

impl Handoff for Rtrb {
    type In = rtrb::Producer<ByValue>;
    type Out = rtrb::Consumer<ByValue>;

    fn ends() -> (Self::In, Self::Out) {
        rtrb::RingBuffer::new(SLOTS)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, rx: u64, n: usize, bytes: &[u8; PACKET]) {
        wait(|| into.slots() >= n);
        let chunk = into.write_chunk_uninit(n).expect("waited for");
        chunk.fill_from_iter((rx..).map(|rx| ByValue::new(rx, bytes)));
    }

    #[inline(always)]
    fn take(from: &mut Self::Out, mut look: impl FnMut(&RxMeta, &[u8])) -> usize {
        let n = from.slots().min(BATCH);
        let chunk = from.read_chunk(n).expect("there");
        let (first, second) = chunk.as_slices();
        first.iter().chain(second).for_each(|p| p.show(&mut look));
        chunk.commit_all();
        n
    }
}

/// The crate `disruptor`, in batches, with its poller.
pub struct Disruptor;

impl Handoff for Disruptor {
    type In = SingleProducer<ByValue, SingleConsumerBarrier>;
    type Out = EventPoller<ByValue, SingleProducerBarrier>;

    fn ends() -> (Self::In, Self::Out) {
        let empty = || ByValue::new(0, &[0; PACKET]);
        let (poller, builder) = build_single_producer(SLOTS, empty, BusySpin).new_event_poller();
        (builder.build(), poller)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, rx: u64, n: usize, bytes: &[u8; PACKET]) {
        into.batch_publish(n, |slots| {
            for (rx, slot) in (rx..).zip(slots) {
                *slot = ByValue::new(rx, bytes);
            }
        });
    }

    #[inline(always)]
    fn take(from: &mut Self::Out, mut look: impl FnMut(&RxMeta, &[u8])) -> usize {
        let mut n = 0;
        if let Ok(mut events) = from.take(BATCH as u64) {
            for event in &mut events {
                event.show(&mut look);
                n += 1;
            }
        }
        n
    }
}

/// The crate `crossbeam-channel`, bounded.
pub struct Crossbeam;

impl Handoff for Crossbeam {
    type In = crossbeam_channel::Sender<ByValue>;
    type Out = crossbeam_channel::Receiver<ByValue>;

    fn ends() -> (Self::In, Self::Out) {
        crossbeam_channel::bounded(SLOTS)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, rx: u64, n: usize, bytes: &[u8; PACKET]) {
        for i in 0..n as u64 {
            let packet = ByValue::new(rx + i, bytes);
            wait(|| into.try_send(packet).is_ok());
        }
    }

    #[inline(always)]
    fn take(from: &mut Self::Out, mut look: impl FnMut(&RxMeta, &[u8])) -> usize {
        let there = from.try_iter().take(BATCH);
        there.map(|packet| packet.show(&mut look)).count()
    }
}

/// The crate `kanal`, bounded.
pub struct Kanal;

impl Handoff for Kanal {
    type In = kanal::Sender<ByValue>;
    type Out = kanal::Receiver<ByValue>;

    fn ends() -> (Self::In, Self::Out) {
        kanal::bounded(SLOTS)
    }

    #[inline(always)]
    fn send(into: &mut Self::In, rx: u64, n: usize, bytes: &[u8; PACKET]) {
        for i in 0..n as u64 {
            let packet = ByValue::new(rx + i, bytes);
            wait(|| into.try_send(packet).expect("the reader is there"));
        }
    }

    #[inline(always)]
    fn take(from: &mut Self::Out, mut look: impl FnMut(&RxMeta, &[u8])) -> usize {
        let there = std::iter::from_fn(|| from.try_recv().expect("the writer is there"));
        let there = there.take(BATCH);
        there.map(|packet| packet.show(&mut look)).count()
    }
}
