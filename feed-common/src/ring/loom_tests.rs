//! Small cases of both rings under every interleaving; how to run them is in the module above.

use super::{Overrun, Pool, SlotConfig, Writer, broadcast, packet_ring};
use crate::packet::{PacketBatch, PacketSource, RxError, SlotWriter};
use crate::time::Ticks;
use loom::sync::Arc;
use loom::thread;

/// Runs `test` through all interleavings with at most `preemptions` forced switches (None: any number).
fn model(preemptions: Option<usize>, test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    builder.check(test);
}

/// Passes `packets` packets through a ring of two slots, committing up to `per_commit` at a time.
fn pass_packets(packets: u64, per_commit: usize, batch: usize) {
    let config = SlotConfig {
        slots: 2,
        stride: 128,
        batch,
    };
    let (mut producer, mut consumer) = packet_ring(&config).unwrap();
    let gauge = consumer.gauge();
    let sender = thread::spawn(move || {
        let mut next = 0;
        while next < packets {
            let free = producer.free(per_commit.min((packets - next) as usize));
            if free == 0 {
                thread::yield_now();
            }
            for i in 0..free {
                let slot = producer.slot(i);
                slot.meta.rx = Ticks(next);
                slot.meta.len = 8;
                slot.payload[..8].copy_from_slice(&next.to_ne_bytes());
                next += 1;
            }
            producer.commit(free);
        }
        producer.count_drop(3);
    });
    let mut expected = 0u64;
    loop {
        match consumer.poll() {
            Ok(batch) => {
                for i in 0..batch.len() {
                    let packet = batch.get(i);
                    assert_eq!(packet.meta.rx, Ticks(expected));
                    assert_eq!(packet.bytes, expected.to_ne_bytes());
                    expected += 1;
                }
                if batch.is_empty() {
                    thread::yield_now();
                }
            }
            Err(RxError::End) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(expected, packets);
    sender.join().unwrap();
    assert_eq!((gauge.dropped(), gauge.backlog()), (3, 0));
}

#[test]
fn loom_packets_one_by_one_through_a_full_ring() {
    model(Some(3), || pass_packets(4, 1, 1));
}

#[test]
fn loom_packets_in_batches() {
    model(Some(3), || pass_packets(4, 2, 2));
}

#[test]
fn loom_the_last_packet_is_never_lost_to_the_end() {
    model(None, || pass_packets(1, 1, 1));
}

type Item = [u64; 2];

fn item(position: u64) -> Item {
    [position + 1, !position]
}

/// Writes `records`, publishing after every `per_flush`.
fn write(writer: &mut Writer<Item>, records: u64, per_flush: u64) {
    for p in 0..records {
        writer.push(&item(p));
        if (p + 1) % per_flush == 0 {
            writer.flush();
        }
    }
}

/// One writer, `readers` readers in threads of their own, each making `attempts` reads of up to `N` records while the
/// writer runs and the rest afterwards.
fn broadcast_to<const N: usize>(readers: usize, records: u64, per_flush: u64, attempts: usize) {
    let mut writer = broadcast::<Item>(4).unwrap();
    let threads: Vec<_> = (0..readers)
        .map(|_| {
            let mut reader = writer.subscribe();
            thread::spawn(move || {
                for _ in 0..attempts {
                    check(&mut reader, [[0; 2]; N]);
                }
                reader
            })
        })
        .collect();
    write(&mut writer, records, per_flush);
    drop(writer);
    for thread in threads {
        let mut reader = thread.join().unwrap();
        while !reader.is_closed() {
            check(&mut reader, [[0; 2]; N]);
        }
        assert_eq!(reader.position(), records);
    }
}

/// Reads once; whatever is accepted must be the records of the positions it stands for.
fn check<const N: usize>(reader: &mut super::Reader<Item>, mut out: [Item; N]) {
    let (position, lost) = (reader.position(), reader.lost());
    match reader.read(&mut out) {
        Ok(n) => {
            for (i, read) in out[..n].iter().enumerate() {
                assert_eq!(*read, item(position + i as u64), "torn or misplaced");
            }
            assert_eq!(reader.position(), position + n as u64);
        }
        Err(Overrun { lost: more }) => {
            assert!(more > 0);
            assert_eq!(reader.position(), position + more);
            assert_eq!(reader.lost(), lost + more);
        }
    }
}

#[test]
fn loom_broadcast_record_by_record() {
    model(Some(3), || broadcast_to::<1>(1, 6, 1, 2));
}

#[test]
fn loom_broadcast_in_batches() {
    model(Some(3), || broadcast_to::<2>(1, 7, 2, 2));
}

#[test]
fn loom_broadcast_one_read_against_a_whole_lap() {
    model(None, || broadcast_to::<1>(1, 6, 5, 1));
}

#[test]
fn loom_broadcast_two_readers() {
    model(Some(1), || broadcast_to::<1>(2, 6, 2, 1));
}

#[test]
fn loom_readers_may_come_at_any_time() {
    model(Some(2), || {
        let mut writer = broadcast::<Item>(4).unwrap();
        let subscriber = writer.subscriber();
        let late = thread::spawn(move || {
            check(&mut subscriber.from_oldest(), [[0; 2]; 1]);
            let now = subscriber.from_now();
            assert!(now.position() <= 6);
        });
        write(&mut writer, 6, 3);
        late.join().unwrap();
    });
}

/// Takes `held` buffers at a time, `times` over. Whoever holds a buffer is the only one who writes into it: loom is told
/// of every access to its slot, and the mark would be another's.
fn borrow(pool: &Pool, mark: u8, held: usize, times: usize) {
    for _ in 0..times {
        let mut buffers: Vec<_> = (0..held).map(|_| pool.get()).collect();
        for buffer in &mut buffers {
            assert!(buffer.is_empty(), "lent to another");
            buffer.push(mark);
        }
        thread::yield_now();
        for buffer in buffers {
            assert_eq!(**buffer, [mark]);
        }
    }
}

/// Two threads take and give back; all of the pool is there in the end. How often none was found: a buffer that is given
/// back behind a thread that looks may be missed.
fn borrow_from(buffers: usize, held: usize, times: usize) -> u64 {
    let pool = Arc::new(Pool::new(buffers, 1).unwrap());
    let other = pool.clone();
    let thread = thread::spawn(move || borrow(&other, 1, held, times));
    borrow(&pool, 2, held, times);
    thread.join().unwrap();
    assert_eq!(pool.available(), buffers);
    pool.misses()
}

#[test]
fn loom_a_buffer_has_one_holder() {
    model(Some(3), || assert!(borrow_from(2, 1, 2) < 4));
}

#[test]
fn loom_a_buffer_has_one_holder_while_others_are_held() {
    model(Some(2), || assert!(borrow_from(3, 2, 1) < 4));
}

#[test]
fn loom_who_finds_none_gets_a_fresh_one() {
    model(Some(3), || assert!(borrow_from(1, 1, 2) <= 3));
}

#[test]
fn loom_a_buffer_goes_back_from_another_thread() {
    model(None, || {
        let pool: &'static Pool = Pool::leaked(1, 1).unwrap();
        let mut buffer = pool.get();
        let thread = thread::spawn(move || {
            buffer.push(1);
            assert_eq!(**buffer, [1]);
        });
        borrow(pool, 2, 1, 1);
        thread.join().unwrap();
        assert_eq!(pool.available(), 1);
    });
}

/// Each word of the value follows from its number.
fn value(number: u64) -> super::latest::Value {
    (
        number as u16,
        std::array::from_fn(|i| number << 8 | i as u64),
    )
}

/// Writes a row `writes` times while another thread reads it `reads` times: what it is given is whole, and never older
/// than what it was given before.
fn latest(writes: u64, reads: usize) {
    let words = super::primitive::Words::zeroed(super::latest::ROW_WORDS).unwrap();
    let table = super::latest::Latest::new(words);
    let rows = table.clone();
    let reader = thread::spawn(move || {
        let mut last = 0;
        for _ in 0..reads {
            // Given up is as good as not looked.
            let Ok(read) = rows.read(0) else { continue };
            let number = read.map_or(0, |(tag, _)| tag.into());
            assert!(number >= last, "older than before");
            assert!(read.is_none_or(|read| read == value(number)), "torn");
            last = number;
        }
    });
    for number in 1..=writes {
        assert!(table.write(0, value(number)));
    }
    reader.join().unwrap();
    assert_eq!(table.read(0), Ok(Some(value(writes))));
}

#[test]
fn loom_latest_value_against_two_writes() {
    model(Some(3), || latest(2, 1));
}

#[test]
fn loom_latest_values_come_in_order() {
    model(Some(2), || latest(2, 2));
}
