//! Price arrays in the first cache: the loop one would write, the portable kernel, the best.

use benches::native::{self, AllRecords, RECORDS};
use benches::prices::{Side, all, layout};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use feed_common::prices::Path;
use feed_handler::protocol::native::NativeDecoder;

fn prices(c: &mut Criterion) {
    let sides = [
        ("plain loop", Side::Plain),
        ("portable", Side::Path(Path::Portable)),
        ("best", Side::Path(Path::best())),
    ];
    all(&mut |name, place, count, run| {
        if place != "L1" {
            return;
        }
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(count as u64));
        for (side, which) in sides {
            group.bench_function(side, |b| b.iter(|| run(which)));
        }
        group.finish();
    });
}

fn native(c: &mut Criterion) {
    let mut group = c.benchmark_group("native");
    group.throughput(Throughput::Elements(RECORDS));
    for (name, columns) in [("records", false), ("columns", true)] {
        let datagram = native::datagram(columns, &layout(4, false, 4));
        let mut decoder = NativeDecoder::with_path(64, Path::best());
        let mut all = AllRecords::default();
        group.bench_function(name, |b| {
            b.iter(|| native::decode(&mut decoder, &datagram, &mut all))
        });
    }
    group.finish();
}

criterion_group!(groups, prices, native);
criterion_main!(groups);
