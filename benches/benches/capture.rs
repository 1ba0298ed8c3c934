//! Reading a pcap file that is in memory, beside crates that do.

use benches::capture::{datagrams, frames, packets, pcap_file, pcap_parser, small_frames};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use feed_common::capture::CaptureFile;

const PACKETS: u64 = 50_000;

fn capture(c: &mut Criterion) {
    let bytes = small_frames(PACKETS).expect("frames");
    let file = CaptureFile::from_memory("memory", bytes.clone()).expect("a capture");
    let mut group = c.benchmark_group("pcap");
    group.throughput(Throughput::Elements(PACKETS));
    group.bench_function("frames", |b| b.iter(|| frames(&file)));
    group.bench_function("UDP payloads", |b| b.iter(|| datagrams(&file)));
    group.bench_function("packets of a lane", |b| b.iter(|| packets(&file)));
    group.bench_function("pcap-parser", |b| b.iter(|| pcap_parser(&bytes[..])));
    group.bench_function("pcap-file", |b| b.iter(|| pcap_file(&bytes[..])));
    group.finish();
}

criterion_group!(groups, capture);
criterion_main!(groups);
