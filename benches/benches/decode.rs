//! ITCH decode, every field, beside the least any decoder does and decoders of others.

use benches::itch::{mix, peers, plain, product, walk};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const MESSAGES: usize = 60_000;

fn decode(c: &mut Criterion) {
    let file = mix(MESSAGES);
    let mut decoder = benches::itch::told_of_mix();
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.bench_function("ours", |b| b.iter(|| product(&file, &mut decoder)));
    group.bench_function("plain loop", |b| b.iter(|| plain(&file)));
    group.bench_function("length prefixes", |b| b.iter(|| walk(&file)));
    group.bench_function("itch5", |b| b.iter(|| peers::itch5(&file)));
    group.bench_function("itchy", |b| b.iter(|| peers::itchy(&file)));
    #[cfg(feature = "lunary")]
    group.bench_function("lunary", |b| b.iter(|| peers::lunary(&file)));
    group.finish();
}

criterion_group!(groups, decode);
criterion_main!(groups);
