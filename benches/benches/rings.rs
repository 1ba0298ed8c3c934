//! Both rings with both ends on one thread, and queues of others likewise. Between cores: `scripts/bench ring`.

use benches::rings::BATCH;
use benches::rings::broadcasting::{read, write};
use benches::rings::handoff::{Handoff, PACKET, Ring};
use benches::rings::peers::{Crossbeam, Disruptor, Kanal, Rtrb};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use feed_common::event::Record;
use feed_common::ring::broadcast;
use std::hint::black_box;

const RECORDS: u64 = 2_048;

fn broadcasting(c: &mut Criterion) {
    let mut writer = broadcast::<Record>(4_096).expect("memory");
    let mut reader = writer.subscribe();
    let mut group = c.benchmark_group("broadcast ring");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("write and read", |b| {
        b.iter(|| {
            write(&mut writer, RECORDS);
            read(&mut reader)
        })
    });
    group.bench_function("write", |b| b.iter(|| write(&mut writer, RECORDS)));
    group.finish();
}

fn handoff(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch of packets");
    group.throughput(Throughput::Elements(BATCH as u64));
    batch::<Ring<2048>>("packet ring", &mut group);
    batch::<Rtrb>("rtrb", &mut group);
    batch::<Disruptor>("disruptor", &mut group);
    batch::<Crossbeam>("crossbeam-channel", &mut group);
    batch::<Kanal>("kanal", &mut group);
    group.finish();
}

fn batch<H: Handoff>(name: &str, group: &mut BenchmarkGroup<'_, WallTime>) {
    let (mut into, mut from) = H::ends();
    group.bench_function(name, |b| {
        b.iter(|| {
            H::send(&mut into, 0, BATCH, black_box(&[7; PACKET]));
            let look = |meta: &_, bytes: &[u8]| _ = black_box((meta, bytes));
            H::take(&mut from, look)
        })
    });
}

criterion_group!(groups, broadcasting, handoff);
criterion_main!(groups);
