//! What the rings cost between two pinned cores, next to the distance between the cores and to a peer.
//!
//! ```text
//! cargo run --release -p benches --bin ring [CORE CORE] [ROUNDS]
//! ```
//!
//! Every round measures each row once, so that a machine that changes under the run changes all rows alike; the table
//! gives the median, the least and the most over the rounds. There are never more than two spinning threads. Latencies
//! are differences of time-stamp counters of two cores, which are synchronised on every machine this runs on; the
//! median of a round includes one reading of the counter.

use feed_common::event::Record;
use feed_common::packet::{PacketBatch, PacketSource, RxError, RxMeta, SlotWriter};
use feed_common::ring::{SlotConfig, broadcast, packet_ring};
use feed_common::sys::pin_current_thread;
use feed_common::time::{Clock, Ticks};
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a packet.
const PACKET: usize = 200;
/// Packets or records of one commit or flush, and of one poll or read.
const BATCH: usize = 32;
/// Packets of one throughput measurement.
const PACKETS: u64 = 1_000_000;
/// Records of one throughput measurement.
const RECORDS: u64 = 2_000_000;
/// Exchanges of one latency measurement.
const EXCHANGES: u64 = 50_000;

fn main() {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|a| a.parse().expect("cores and rounds are numbers"))
        .collect();
    let cores = [0, 1].map(|i| arguments.get(i).copied().unwrap_or(i));
    let rounds = arguments.get(2).copied().unwrap_or(7);
    pin_current_thread(cores[0]).unwrap_or_else(|error| panic!("{error}"));
    let bench = Bench {
        other: cores[1],
        clock: Clock::new(),
    };

    let mut table = Table::default();
    for _ in 0..rounds {
        bench.round(&mut table);
    }
    println!("{rounds} rounds, cores {} and {}; ns", cores[0], cores[1]);
    let wide = SlotConfig {
        batch: BATCH,
        ..SlotConfig::default()
    };
    let (producer, _) = packet_ring(&wide).expect("memory");
    println!("packet ring pages: {:?}", producer.gauge().pages());
    table.print();
}

struct Bench {
    other: usize,
    clock: Clock,
}

impl Bench {
    fn round(&self, table: &mut Table) {
        let atomic = self.atomic_distance();
        table.add("atomic, one way", atomic);

        let shapes = [("2 KiB x 4096", 2048, 4096), ("320 B x 4096", 320, 4096)];
        for (name, stride, slots) in shapes {
            let config = SlotConfig {
                slots,
                stride,
                batch: BATCH,
            };
            let whole = self.packets(&config, true);
            table.add(format!("packets {name}, all lines read, per packet"), whole);
            let head = self.packets(&config, false);
            table.add(format!("packets {name}, first line read, per packet"), head);
            if stride == 320 {
                let peer = self.rtrb(true);
                table.add("rtrb chunks 320 B x 4096, all lines read, per packet", peer);
                table.add("ratio ours 320 B / rtrb", whole / peer);
            } else {
                table.add("ratio packets 2 KiB / atomic", whole / atomic);
            }
        }
        let [p50, p99] = self.packet_latency();
        table.add("packet one at a time, one way p50", p50);
        table.add("packet one at a time, one way p99", p99);

        for slots in [256, 4096, 65_536] {
            table.add(
                format!("floor: plain 64-byte copies into {slots} slots"),
                plain_copies(slots),
            );
            let alone = writer_alone(slots);
            table.add(format!("broadcast writer alone, {slots} slots"), alone);
            let [writer, reader, lost] = self.writer_and_reader(slots);
            table.add(format!("broadcast writer, one reader, {slots}"), writer);
            table.add(
                format!("broadcast reader, per record seen, {slots}"),
                reader,
            );
            table.add(format!("broadcast records lost, % of {slots}"), lost);
        }
        table.add("broadcast reader alone, per record", reader_alone());
        let [p50, p99] = self.broadcast_latency();
        table.add("broadcast one at a time, one way p50", p50);
        table.add("broadcast one at a time, one way p99", p99);
    }

    /// Runs `there` on the other core while `here` runs on this one, beginning together.
    fn pair<A: Send, B>(
        &self,
        there: impl FnOnce() -> A + Send,
        here: impl FnOnce() -> B,
    ) -> (A, B) {
        let (ready, started) = mpsc::channel();
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                pin_current_thread(self.other).unwrap_or_else(|error| panic!("{error}"));
                ready.send(()).expect("the other side waits");
                there()
            });
            started.recv().expect("the other thread runs");
            let here = here();
            (thread.join().expect("the other thread ends"), here)
        })
    }

    /// Half a round trip of one atomic word each way.
    fn atomic_distance(&self) -> f64 {
        let (ping, pong) = (Line::default(), Line::default());
        let answer = || {
            for i in 1..=EXCHANGES {
                wait(|| ping.0.load(Ordering::Acquire) == i);
                pong.0.store(i, Ordering::Release);
            }
        };
        let ask = || {
            let start = Instant::now();
            for i in 1..=EXCHANGES {
                ping.0.store(i, Ordering::Release);
                wait(|| pong.0.load(Ordering::Acquire) == i);
            }
            start.elapsed()
        };
        let ((), took) = self.pair(answer, ask);
        per(took, EXCHANGES) / 2.0
    }

    /// Packets flat out; the reader touches every line of a packet, or the descriptor and the first line.
    fn packets(&self, config: &SlotConfig, whole: bool) -> f64 {
        let (mut producer, mut consumer) = packet_ring(config).expect("memory");
        let send = move || {
            let bytes = black_box([7u8; PACKET]);
            let mut sent = 0;
            while sent < PACKETS {
                let mut free = 0;
                wait(|| {
                    free = producer.free(BATCH);
                    free == BATCH
                });
                for i in 0..free {
                    let slot = producer.slot(i);
                    slot.meta.rx = Ticks(sent);
                    slot.meta.len = PACKET as u32;
                    slot.payload[..PACKET].copy_from_slice(&bytes);
                    sent += 1;
                }
                producer.commit(free);
            }
        };
        let receive = || {
            let (mut start, mut seen, mut sum) = (None, 0u64, 0u64);
            loop {
                match consumer.poll() {
                    Ok(batch) if batch.is_empty() => spin_loop(),
                    Ok(batch) => {
                        start.get_or_insert_with(Instant::now);
                        for i in 0..batch.len() {
                            let packet = batch.get(i);
                            sum += packet.meta.rx.0 + touch(packet.bytes, whole);
                        }
                        seen += batch.len() as u64;
                    }
                    Err(RxError::End) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            black_box(sum);
            assert_eq!(seen, PACKETS.next_multiple_of(BATCH as u64));
            per(start.expect("packets came").elapsed(), seen)
        };
        self.pair(send, receive).1
    }

    /// The same hand-off through rtrb, packets by value in chunks.
    fn rtrb(&self, whole: bool) -> f64 {
        let (mut producer, mut consumer) = rtrb::RingBuffer::<ByValue>::new(4096);
        let send = move || {
            let bytes = black_box([7u8; PACKET]);
            let mut sent = 0;
            while sent < PACKETS {
                wait(|| producer.slots() >= BATCH);
                let chunk = producer.write_chunk_uninit(BATCH).expect("waited for");
                chunk.fill_from_iter((sent..).map(|rx| ByValue {
                    meta: RxMeta {
                        rx: Ticks(rx),
                        len: PACKET as u32,
                        ..RxMeta::default()
                    },
                    bytes,
                }));
                sent += BATCH as u64;
            }
        };
        let receive = || {
            let (mut start, mut seen, mut sum) = (None, 0u64, 0u64);
            while seen < PACKETS.next_multiple_of(BATCH as u64) {
                wait(|| consumer.slots() > 0);
                start.get_or_insert_with(Instant::now);
                let n = consumer.slots().min(BATCH);
                let chunk = consumer.read_chunk(n).expect("waited for");
                let (first, second) = chunk.as_slices();
                for packet in first.iter().chain(second) {
                    let bytes = &packet.bytes[..packet.meta.len as usize];
                    sum += packet.meta.rx.0 + touch(bytes, whole);
                }
                chunk.commit_all();
                seen += n as u64;
            }
            black_box(sum);
            per(start.expect("packets came").elapsed(), seen)
        };
        self.pair(send, receive).1
    }

    /// One packet in flight at a time; from before the commit to after the poll.
    fn packet_latency(&self) -> [f64; 2] {
        let config = SlotConfig {
            batch: BATCH,
            ..SlotConfig::default()
        };
        let (mut producer, mut consumer) = packet_ring(&config).expect("memory");
        let taken = Line::default();
        let clock = self.clock.clone();
        let send = || {
            for i in 1..=EXCHANGES {
                assert_eq!(producer.free(1), 1);
                let slot = producer.slot(0);
                slot.meta.len = PACKET as u32;
                slot.payload[..PACKET].fill(i as u8);
                slot.meta.rx = clock.now();
                producer.commit(1);
                wait(|| taken.0.load(Ordering::Acquire) == i);
            }
        };
        let receive = || {
            let mut times = Vec::with_capacity(EXCHANGES as usize);
            for i in 1..=EXCHANGES {
                wait(|| {
                    let batch = consumer.poll().expect("the sender is there");
                    if batch.is_empty() {
                        return false;
                    }
                    let rx = batch.get(0).meta.rx;
                    times.push(self.clock.now().since(rx));
                    true
                });
                taken.0.store(i, Ordering::Release);
            }
            times
        };
        let ((), times) = self.pair(send, receive);
        self.quantiles(times)
    }

    /// Both flat out: ns per record written, ns per record seen, and per cent lost.
    fn writer_and_reader(&self, slots: usize) -> [f64; 3] {
        let mut writer = broadcast::<Record>(slots).expect("memory");
        let mut reader = writer.subscribe();
        let write = move || {
            let start = Instant::now();
            for p in 0..RECORDS {
                writer.push(&record(black_box(p)));
                if p % BATCH as u64 == BATCH as u64 - 1 {
                    writer.flush();
                }
            }
            per(start.elapsed(), RECORDS)
        };
        let read = || {
            let mut out = [Record::default(); BATCH];
            let (mut start, mut seen) = (None, 0);
            loop {
                match reader.read(&mut out) {
                    Ok(0) if reader.is_closed() => break,
                    Ok(0) => spin_loop(),
                    Ok(n) => {
                        start.get_or_insert_with(Instant::now);
                        black_box(&out[..n]);
                        seen += n as u64;
                    }
                    Err(_) => {}
                }
            }
            assert_eq!(seen + reader.lost(), RECORDS);
            let took = start.map_or(Duration::ZERO, |s| s.elapsed());
            (per(took, seen), reader.lost())
        };
        let (writer, (reader, lost)) = self.pair(write, read);
        [writer, reader, lost as f64 * 100.0 / RECORDS as f64]
    }

    /// One record in flight at a time; from before the push to after the read.
    fn broadcast_latency(&self) -> [f64; 2] {
        let mut writer = broadcast::<Record>(4096).expect("memory");
        let mut reader = writer.subscribe();
        let taken = Line::default();
        let clock = self.clock.clone();
        let send = || {
            let mut record = Record::default();
            for i in 1..=EXCHANGES {
                record.rx.set(clock.now().0);
                writer.push(&record);
                writer.flush();
                wait(|| taken.0.load(Ordering::Acquire) == i);
            }
        };
        let receive = || {
            let mut times = Vec::with_capacity(EXCHANGES as usize);
            for i in 1..=EXCHANGES {
                wait(|| match reader.next().expect("nothing is overwritten") {
                    Some(record) => {
                        times.push(self.clock.now().since(Ticks(record.rx.get())));
                        true
                    }
                    None => false,
                });
                taken.0.store(i, Ordering::Release);
            }
            times
        };
        let ((), times) = self.pair(send, receive);
        self.quantiles(times)
    }

    /// p50 and p99 in nanoseconds.
    fn quantiles(&self, mut ticks: Vec<u64>) -> [f64; 2] {
        ticks.sort_unstable();
        [50, 99].map(|p| {
            let at = ticks.len() * p / 100;
            self.clock.scale().nanos(ticks[at]) as f64
        })
    }
}

/// A record made in registers, as the pipeline makes them: one that is changed in memory and then copied waits for its
/// own stores, which is no cost of a ring.
#[inline(always)]
fn record(p: u64) -> Record {
    Record::from_words([7, 7, 7, 7, p, 7, 7, 7])
}

/// What any writer must pay: storing 64 bytes in the next slot.
fn plain_copies(slots: usize) -> f64 {
    let mut memory = vec![Record::default(); slots];
    let start = Instant::now();
    for p in 0..RECORDS {
        memory[p as usize & (slots - 1)] = record(black_box(p));
    }
    let took = per(start.elapsed(), RECORDS);
    black_box(memory);
    took
}

/// Flat out with nobody reading.
fn writer_alone(slots: usize) -> f64 {
    let mut writer = broadcast::<Record>(slots).expect("memory");
    let start = Instant::now();
    for p in 0..RECORDS {
        writer.push(&record(black_box(p)));
        if p % BATCH as u64 == BATCH as u64 - 1 {
            writer.flush();
        }
    }
    per(start.elapsed(), RECORDS)
}

/// Reading what lies in this core's own cache.
fn reader_alone() -> f64 {
    let mut writer = broadcast::<Record>(4096).expect("memory");
    let mut reader = writer.subscribe();
    let mut out = [Record::default(); BATCH];
    let (mut took, mut seen) = (Duration::ZERO, 0);
    while seen < RECORDS / 4 {
        for _ in 0..2048 {
            writer.push(black_box(&Record::default()));
        }
        writer.flush();
        let start = Instant::now();
        while let Ok(n @ 1..) = reader.read(&mut out) {
            black_box(&out[..n]);
            seen += n as u64;
        }
        took += start.elapsed();
    }
    per(took, seen)
}

/// An atomic word on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// What rtrb moves: the descriptor and the packet, as one value.
#[repr(C)]
struct ByValue {
    meta: RxMeta,
    bytes: [u8; PACKET],
}

/// Reads one byte of every cache line of `bytes`, or of the first alone.
#[inline(always)]
fn touch(bytes: &[u8], whole: bool) -> u64 {
    let bytes = if whole { bytes } else { &bytes[..1] };
    bytes.iter().step_by(64).map(|&b| u64::from(b)).sum()
}

/// Spins until `done`; gives up after a time no working ring needs.
#[inline(always)]
fn wait(mut done: impl FnMut() -> bool) {
    let mut spins = 0u64;
    while !done() {
        spin_loop();
        spins += 1;
        assert!(spins < 1 << 32, "the other side has stopped");
    }
}

fn per(took: Duration, count: u64) -> f64 {
    took.as_nanos() as f64 / count.max(1) as f64
}

/// Rows in the order they were first added, with a figure per round.
#[derive(Default)]
struct Table {
    rows: Vec<(String, Vec<f64>)>,
}

impl Table {
    fn add(&mut self, name: impl Into<String>, figure: f64) {
        let name = name.into();
        match self.rows.iter_mut().find(|(row, _)| *row == name) {
            Some((_, figures)) => figures.push(figure),
            None => self.rows.push((name, vec![figure])),
        }
    }

    fn print(mut self) {
        println!("{:<58} {:>9} {:>9} {:>9}", "", "median", "least", "most");
        for (name, figures) in &mut self.rows {
            figures.sort_unstable_by(f64::total_cmp);
            let (least, most) = (figures[0], figures[figures.len() - 1]);
            let median = figures[figures.len() / 2];
            println!("{name:<58} {median:>9.2} {least:>9.2} {most:>9.2}");
        }
    }
}
