//! The packet ring and the arena against a queue: any sequence of operations gives what a `VecDeque` would.
#![cfg(not(loom))]

use feed_common::packet::{PacketBatch, PacketSource, RxBackend, RxError, SlotWriter};
use feed_common::ring::{Inline, SlotConfig, SlotError, packet_ring};
use feed_common::time::Ticks;
use proptest::prelude::*;
use std::collections::VecDeque;

/// A packet whose length and bytes follow from its number.
fn payload(number: u64, capacity: usize) -> Vec<u8> {
    let mix = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let len = (mix >> 32) as usize % (capacity + 1);
    (0..len).map(|i| (mix >> (i % 57)) as u8).collect()
}

/// Writes packet `number` into free slot `i`.
fn write<W: SlotWriter>(slots: &mut W, i: usize, number: u64) {
    let bytes = payload(number, slots.capacity());
    let slot = slots.slot(i);
    slot.meta.rx = Ticks(number);
    slot.meta.len = bytes.len() as u32;
    slot.payload[..bytes.len()].copy_from_slice(&bytes);
}

/// Checks that the batch holds these packets.
fn check<B: PacketBatch>(batch: &B, numbers: impl Iterator<Item = u64>, capacity: usize) {
    let mut seen = 0;
    for (i, number) in numbers.enumerate() {
        let packet = batch.get(i);
        assert_eq!(packet.meta.rx, Ticks(number));
        assert_eq!(packet.bytes, payload(number, capacity));
        seen += 1;
    }
    assert_eq!(seen, batch.len());
}

#[derive(Clone, Debug)]
enum Op {
    /// Ask for slots, fill those given, commit part of them.
    Send {
        want: usize,
        commit: usize,
    },
    Poll,
    /// Poll, and leak the batch.
    Leak,
    CountDrop(u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..12usize, 0..12usize).prop_map(|(want, commit)| Op::Send { want, commit }),
        4 => Just(Op::Poll),
        1 => Just(Op::Leak),
        1 => any::<u8>().prop_map(Op::CountDrop),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn ring_is_a_bounded_queue(
        shift in 0..4u32,
        lines in 1..4usize,
        batch in 1..9usize,
        ops in prop::collection::vec(op(), 0..200),
    ) {
        let slots = 1usize << shift;
        let batch = batch.min(slots);
        let config = SlotConfig { slots, stride: 64 + 64 * lines, batch };
        let (mut producer, mut consumer) = packet_ring(&config).unwrap();
        let gauge = consumer.gauge();
        let capacity = producer.capacity();
        prop_assert_eq!(capacity, 64 * lines);
        let (mut queue, mut next, mut dropped) = (VecDeque::new(), 0u64, 0u64);
        for op in ops {
            match op {
                Op::Send { want, commit } => {
                    let free = producer.free(want);
                    prop_assert_eq!(free, want.min(slots - queue.len()));
                    for i in 0..free {
                        write(&mut producer, i, next + i as u64);
                    }
                    // In two parts: numbering starts again after a commit.
                    let commit = commit.min(free);
                    producer.commit(commit / 2);
                    producer.commit(commit - commit / 2);
                    queue.extend(next..next + commit as u64);
                    next += commit as u64;
                }
                Op::Poll => {
                    let got = consumer.poll().unwrap();
                    prop_assert!(got.len() <= batch.min(queue.len()));
                    prop_assert_eq!(got.is_empty(), queue.is_empty());
                    let n = got.len();
                    check(&got, queue.drain(..n), capacity);
                }
                Op::Leak => {
                    let got = consumer.poll().unwrap();
                    check(&got, queue.iter().copied().take(got.len()), capacity);
                    std::mem::forget(got);
                }
                Op::CountDrop(n) => {
                    producer.count_drop(n.into());
                    dropped += u64::from(n);
                }
            }
            prop_assert_eq!(gauge.backlog(), queue.len() as u64);
            prop_assert_eq!(gauge.committed(), next);
            prop_assert_eq!(gauge.dropped(), dropped);
        }
        drop(producer);
        while !queue.is_empty() {
            let got = consumer.poll().unwrap();
            prop_assert!(!got.is_empty());
            let n = got.len();
            check(&got, queue.drain(..n), capacity);
        }
        prop_assert!(matches!(consumer.poll(), Err(RxError::End)));
        prop_assert!(matches!(consumer.poll(), Err(RxError::End)));
    }

    #[test]
    fn arena_hands_out_what_each_fill_committed(
        batch in 1..9usize,
        script in prop::collection::vec((0..12usize, 0..12usize, any::<bool>()), 0..60),
    ) {
        let config = SlotConfig { slots: 8, stride: 192, batch: batch.min(8) };
        let backend = Script { steps: script.clone().into(), next: 0 };
        let mut source = Inline::new(backend, &config).unwrap();
        let mut next = 0u64;
        for (first, second, fails) in script {
            let first = first.min(config.batch);
            let count = first + second.min(config.batch - first);
            if count > 0 || !fails {
                let got = source.poll().unwrap();
                check(&got, next..next + count as u64, 128);
            }
            if fails {
                prop_assert!(matches!(source.poll(), Err(RxError::Io(_))));
            }
            next += count as u64;
        }
        prop_assert!(matches!(source.poll(), Err(RxError::End)));
    }
}

/// Fills in two commits per call, then fails if the script says so.
struct Script {
    steps: VecDeque<(usize, usize, bool)>,
    next: u64,
}

impl RxBackend for Script {
    fn fill<W: SlotWriter>(&mut self, slots: &mut W) -> Result<usize, RxError> {
        let (first, second, fails) = self.steps.pop_front().ok_or(RxError::End)?;
        let mut sum = 0;
        for want in [first, second] {
            let n = slots.free(want);
            for i in 0..n {
                write(slots, i, self.next + i as u64);
            }
            slots.commit(n);
            self.next += n as u64;
            sum += n;
        }
        match fails {
            true => Err(std::io::Error::other("scripted").into()),
            false => Ok(sum),
        }
    }
}

#[test]
fn lengths_beyond_the_slot_are_cut_to_it() {
    let config = SlotConfig {
        slots: 2,
        stride: 128,
        batch: 2,
    };
    let (mut producer, mut consumer) = packet_ring(&config).unwrap();
    assert_eq!(producer.free(1), 1);
    producer.slot(0).meta.len = u32::MAX;
    producer.commit(1);
    assert_eq!(consumer.poll().unwrap().get(0).bytes.len(), 64);
}

#[test]
#[should_panic(expected = "slot 1 is not free")]
fn slots_that_were_not_granted_cannot_be_written() {
    let (mut producer, _consumer) = packet_ring(&SlotConfig::default()).unwrap();
    producer.free(1);
    producer.slot(1);
}

#[test]
#[should_panic(expected = "commit of 2 slots, 1 are free")]
fn slots_that_were_not_granted_cannot_be_committed() {
    let (mut producer, _consumer) = packet_ring(&SlotConfig::default()).unwrap();
    producer.free(1);
    producer.commit(2);
}

#[test]
#[should_panic(expected = "packet 0 of a batch of 0")]
fn packets_that_are_not_there_cannot_be_read() {
    let (_producer, mut consumer) = packet_ring(&SlotConfig::default()).unwrap();
    consumer.poll().unwrap().get(0);
}

#[test]
fn a_full_ring_says_so_and_bad_shapes_are_refused() {
    let config = SlotConfig {
        slots: 4,
        stride: 128,
        batch: 4,
    };
    let (mut producer, mut consumer) = packet_ring(&config).unwrap();
    assert_eq!(producer.free(64), 4);
    producer.commit(4);
    assert_eq!(producer.free(64), 0);
    drop(consumer.poll().unwrap());
    assert_eq!(producer.free(64), 4);

    let bad = SlotConfig { slots: 5, ..config };
    assert!(matches!(
        packet_ring(&bad),
        Err(SlotError::Slots { slots: 5 })
    ));
}
