//! The broadcast ring against a list of everything ever written.
#![cfg(not(loom))]

use feed_common::event::Record;
use feed_common::ring::{Reader, RingError, broadcast};
use proptest::prelude::*;

/// Record `p`: every word follows from the position.
fn record(p: u64) -> [u64; 3] {
    [p, p.wrapping_mul(0x9E37_79B9_7F4A_7C15), !p]
}

#[derive(Clone, Debug)]
enum Op {
    Push(u64),
    Flush,
    Prepare,
    /// Reader, length of the buffer.
    Read(usize, usize),
    Next(usize),
    FromNow,
    FromOldest,
    CloneReader(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..100u64).prop_map(Op::Push),
        1 => (0..6_000u64).prop_map(Op::Push),
        3 => Just(Op::Flush),
        1 => Just(Op::Prepare),
        8 => (0..8usize, 0..80usize).prop_map(|(reader, n)| Op::Read(reader, n)),
        4 => (0..8usize).prop_map(Op::Next),
        1 => Just(Op::FromNow),
        1 => Just(Op::FromOldest),
        1 => (0..8usize).prop_map(Op::CloneReader),
    ]
}

/// What the ring must look like after so many records: everything follows from two counts.
struct Model {
    slots: u64,
    written: u64,
    published: u64,
}

impl Model {
    fn step(&self) -> u64 {
        (self.slots / 4).min(64)
    }

    fn reach(&self) -> u64 {
        self.step().max(self.slots / 64)
    }

    fn push(&mut self) {
        if self.written.is_multiple_of(self.step()) {
            self.published = self.written;
        }
        self.written += 1;
    }

    /// Records below this may have been overwritten or be about to.
    fn oldest(&self) -> u64 {
        let window = self.written.next_multiple_of(self.reach());
        window.saturating_sub(self.slots)
    }

    fn check_read(&self, reader: &mut Reader<[u64; 3]>, n: usize) {
        let (position, lost) = (reader.position(), reader.lost());
        let there = self.published - position;
        assert_eq!(reader.backlog(), there);
        let mut out = vec![[7; 3]; n];
        match reader.read(&mut out) {
            Ok(got) => {
                assert!(got as u64 <= there && got <= n);
                assert_eq!(got == 0, there == 0 || n == 0);
                assert!(
                    got == 0 || position >= self.oldest(),
                    "an overrun went unseen"
                );
                let want: Vec<_> = (position..).map(record).take(got).collect();
                assert_eq!(out[..got], want);
                assert_eq!(
                    (reader.position(), reader.lost()),
                    (position + got as u64, lost)
                );
            }
            Err(overrun) => {
                assert!(
                    position < self.oldest(),
                    "an overrun where nothing was overwritten"
                );
                assert_eq!(reader.position(), self.published - self.slots / 2);
                assert_eq!(overrun.lost, reader.position() - position);
                assert!(overrun.lost > 0);
                assert_eq!(reader.lost(), lost + overrun.lost);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn readers_see_everything_in_order_or_are_told(
        shift in 2..15u32,
        ops in prop::collection::vec(op(), 0..150),
    ) {
        let slots = 1u64 << shift;
        let mut writer = broadcast::<[u64; 3]>(slots as usize).unwrap();
        let subscriber = writer.subscriber();
        let mut readers = vec![writer.subscribe()];
        let mut model = Model { slots, written: 0, published: 0 };
        for op in ops {
            let among = readers.len();
            match op {
                Op::Push(n) => for _ in 0..n {
                    writer.push(&record(model.written));
                    model.push();
                },
                Op::Flush => {
                    writer.flush();
                    model.published = model.written;
                }
                // Only a hint: nothing is written and nothing becomes visible.
                Op::Prepare => writer.prepare(),
                Op::Read(reader, n) => model.check_read(&mut readers[reader % among], n),
                Op::Next(reader) => {
                    // `next` must do what a read of one would.
                    let reader = &mut readers[reader % among];
                    let mut twin = reader.clone();
                    let mut one = [[0; 3]];
                    let want = twin.read(&mut one).map(|n| (n == 1).then_some(one[0]));
                    assert_eq!(reader.next(), want);
                    assert_eq!(reader.position(), twin.position());
                }
                Op::FromNow => {
                    readers.push(subscriber.from_now());
                    assert_eq!(readers[among].position(), model.published);
                }
                Op::FromOldest => {
                    readers.push(subscriber.from_oldest());
                    assert_eq!(readers[among].position(), model.oldest().min(model.published));
                }
                Op::CloneReader(reader) => {
                    let reader = &readers[reader % among];
                    let twin = reader.clone();
                    assert_eq!((twin.position(), twin.lost()), (reader.position(), 0));
                    readers.push(twin);
                }
            }
            assert_eq!(writer.position(), model.written);
            assert_eq!(subscriber.published(), model.published);
        }
        drop(writer);
        model.published = model.written;
        for reader in &mut readers {
            // At most one overrun, and reads of at least one record each.
            for _ in 0..=2 * slots {
                if reader.is_closed() {
                    break;
                }
                model.check_read(reader, 7);
            }
            assert!(reader.is_closed());
            assert_eq!(reader.position(), model.written);
        }
    }
}

#[test]
fn nothing_is_visible_before_a_flush_and_all_of_it_after_the_writer_is_gone() {
    let mut writer = broadcast::<Record>(256).unwrap();
    let mut reader = writer.subscribe();
    let mut record = Record::default();
    record.sequence.set(5);
    writer.push(&record);
    assert_eq!(reader.next(), Ok(None));
    writer.flush();
    assert_eq!(reader.next(), Ok(Some(record)));

    record.sequence.set(6);
    writer.push(&record);
    assert!(!reader.is_closed());
    drop(writer);
    assert!(!reader.is_closed());
    assert_eq!(reader.next(), Ok(Some(record)));
    assert!(reader.is_closed());
    assert_eq!(reader.next(), Ok(None));
}

#[test]
fn sizes_that_cannot_work_are_refused() {
    for slots in [0, 1, 2, 3, 5, 1 << 33, usize::MAX] {
        assert!(matches!(
            broadcast::<Record>(slots),
            Err(RingError::Slots { slots: s }) if s == slots
        ));
    }
}

#[test]
fn ends_can_be_sent_to_threads_and_subscribers_shared() {
    fn send<T: Send>(_: &T) {}
    fn sync<T: Sync>(_: &T) {}
    let writer = broadcast::<Record>(4).unwrap();
    send(&writer);
    send(&writer.subscribe());
    send(&writer.subscriber());
    sync(&writer.subscriber());
}
