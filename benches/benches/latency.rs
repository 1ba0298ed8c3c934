//! Recording latencies, and the sequencing of two healthy lines.

use benches::latency::{Recording, VALUES};
use benches::sequence;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn recording(c: &mut Criterion) {
    let mut recording = Recording::new();
    let mut group = c.benchmark_group("latency");
    group.throughput(Throughput::Elements(VALUES));
    group.bench_function("count a value", |b| b.iter(|| recording.record()));
    group.bench_function("mark a stage", |b| b.iter(|| recording.mark()));
    group.finish();
}

fn sequencing(c: &mut Criterion) {
    let sent = sequence::sent(10_000);
    let mut group = c.benchmark_group("sequencing");
    group.throughput(Throughput::Elements(sent.len() as u64));
    group.bench_function("sequencer", |b| b.iter(|| sequence::sequencer(&sent)));
    group.bench_function("both", |b| b.iter(|| sequence::both(&sent)));
    group.finish();
}

criterion_group!(groups, recording, sequencing);
criterion_main!(groups);
