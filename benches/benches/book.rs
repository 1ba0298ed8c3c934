//! ITCH decode and order book with best prices, beside the decoder alone and books over maps; MDP 3.0 likewise.

use benches::book::maps::{Heap, Maps, Tree};
use benches::book::{Fast, decode_only, play};
use benches::{itch, mdp3};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const MESSAGES: usize = 200_000;

fn book(c: &mut Criterion) {
    let session = itch::session(MESSAGES, 100);
    let mut fast = Fast::with_room(1 << 20);
    let mut group = c.benchmark_group("book");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    group.sample_size(20);
    group.bench_function("decode only", |b| b.iter(|| decode_only(&session)));
    for (name, ahead) in [("ours", true), ("ours, not ahead", false)] {
        group.bench_function(name, |b| b.iter(|| fast.play(ahead, &session)));
    }
    group.bench_function("BTreeMap", |b| {
        let play = |mut books| play(false, &session, &mut books);
        b.iter_batched(Maps::<Tree>::default, play, BatchSize::PerIteration);
    });
    group.bench_function("HashMap", |b| {
        let play = |mut books| play(false, &session, &mut books);
        b.iter_batched(Maps::<Heap>::default, play, BatchSize::PerIteration);
    });
    group.finish();

    let mut session = mdp3::Session::new(MESSAGES as u64);
    let mut group = c.benchmark_group("book, MDP 3.0");
    group.throughput(Throughput::Elements(session.messages));
    group.sample_size(20);
    group.bench_function("ours", |b| {
        b.iter(|| {
            session.restart();
            session.play();
        })
    });
    group.finish();
}

criterion_group!(groups, book);
criterion_main!(groups);
