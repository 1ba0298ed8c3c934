//! What it costs to turn a message into bytes: the ways of the encoding traits beside serde with bincode, and beside a
//! copy of the same bytes, which is the limit.
//!
//! ```text
//! cargo run --release -p benches --bin serialization [--json] [ROUNDS]
//! ```
//!
//! A message of 1 KiB (id, timestamp, 1008 bytes of payload), an array of 256 prices as `f32` in big-endian order (1 KiB)
//! and one as `i64` (2 KiB). Every round measures each row once, so that a machine that changes under the run changes all
//! rows alike; the table gives medians over the rounds. What a limit copies is the same bytes to the same places: messages go
//! one behind the other through 16 KiB (which stay in the first cache) or a map of 1 MiB, arrays to one aligned place. `ns` is that of a run of operations; p50 and p99 are of single
//! ones, each between two readings of the clock, whose own cost (the row `nothing`) is part of them. Allocations are
//! counted, not estimated.

use feed_common::encode::{Encode, WithTail};
use feed_common::journal::{Compress, StreamOptions, StreamWriter};
use feed_common::prices::{Endian, Path, PriceDecoder, PriceLayout, write_f32};
use feed_common::ring::Pool;
use feed_common::sys::Mapping;
use feed_common::time::Clock;
use serde::Serialize;
use std::hint::black_box;
use std::io;
use std::time::Instant;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::U64;

/// Bytes of a message.
const MESSAGE: usize = 1024;
/// Of them, payload.
const PAYLOAD: usize = MESSAGE - 16;
/// Prices of an array.
const PRICES: usize = 256;
/// Bytes of the map that is written into from one end to the other, again and again.
const MAPPED: usize = 1 << 20;
/// Bytes that messages are written through when the first cache is to hold them.
const NEAR: usize = 16 << 10;
/// Operations of a run, and operations measured one by one, of a row in a round.
const RUN: u32 = 4_000;
const SINGLE: usize = 2_000;

feed_common::record! {
    /// The fields of the message; its payload is the tail.
    struct Fields: 16, kind 256, version 1 {
        id: U64,
        timestamp: U64,
    }
}

/// The message as one would write it for serde.
#[derive(Serialize)]
struct Message {
    id: u64,
    timestamp: u64,
    #[serde(serialize_with = "as_bytes")]
    payload: Vec<u8>,
}

/// Bytes at once and not one by one, in bincode's favour.
fn as_bytes<S: serde::Serializer>(payload: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(payload)
}

/// The same without that favour: what a plain derive does.
#[derive(Serialize)]
struct Derived {
    id: u64,
    timestamp: u64,
    payload: Vec<u8>,
}

/// What is read and written, aligned, and apart modulo a page: a load that follows a store to the same place of another
/// page waits for it.
#[repr(C, align(4096))]
struct Memory {
    near: [u8; NEAR],
    apart: [u8; 1024],
    flat: [u8; 1088],
    payload: [u8; 4032],
    floats: [f32; PRICES],
    wire: [u8; 8 * PRICES],
    integers: [i64; PRICES],
}

fn main() {
    let mut json = false;
    let mut rounds = 31;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            number => rounds = number.parse().expect("a number of rounds, or --json"),
        }
    }
    let mut table = Table {
        clock: Clock::new(),
        rows: Vec::new(),
    };
    measure(&mut table, rounds);
    match json {
        true => table.print_json(),
        false => table.print(rounds),
    }
}

/// All rows, round by round.
fn measure(table: &mut Table, rounds: usize) {
    let mut memory = Box::new(Memory {
        near: [0; NEAR],
        apart: [0; 1024],
        flat: [0; 1088],
        payload: std::array::from_fn(|i| i as u8),
        floats: std::array::from_fn(|i| i as f32 / 3.0),
        wire: [0; 8 * PRICES],
        integers: [0; PRICES],
    });
    for (i, bytes) in memory.wire.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&(i as i64 * 1_000_003).to_be_bytes());
    }
    let Memory {
        near,
        apart,
        flat,
        payload,
        floats,
        wire,
        integers,
    } = &mut *memory;
    black_box(apart);
    let payload = &payload[..PAYLOAD];
    let fields = Fields {
        id: U64::new(7),
        timestamp: U64::new(1_700_000_000_123_456_789),
    };
    let (id, timestamp) = (7, 1_700_000_000_123_456_789);
    let message = Message {
        id,
        timestamp,
        payload: payload.to_vec(),
    };
    let derived = Derived {
        id,
        timestamp,
        payload: payload.to_vec(),
    };
    let ours = WithTail::new(&fields, payload);
    let size = ours.serialize_into_slice(flat).expect("room");
    let flat = &flat[..size];

    let layout = PriceLayout::new(8, true, Endian::Big, 9).expect("eight bytes");
    let decoder = PriceDecoder::new(layout);
    let mut grown = Vec::with_capacity(4096);
    let pool = Pool::new(64, 2048).expect("memory");
    let mut map = Mapping::anonymous(MAPPED).expect("memory");
    let map = &mut map.bytes_mut()[..MAPPED];
    let (mut at, mut at_copied) = (Cursor(0), Cursor(0));
    let (mut map_at, mut map_at_copied) = (Cursor(0), Cursor(0));
    let stream = |compress| {
        let options = StreamOptions {
            compress,
            ..StreamOptions::new(1)
        };
        StreamWriter::new(io::sink(), &options).expect("a sink takes everything")
    };
    let mut plain_stream = stream(Compress::No);
    let mut packed_stream = stream(Compress::Zstd(1));

    for _ in 0..rounds {
        table.row("nothing", || ());
        table.row("memcpy of a message", || {
            let out = at_copied.room(near, size);
            out.copy_from_slice(black_box(flat));
            black_box(out);
        });
        table.row("bincode, derived, new Vec", || {
            black_box(bincode::serialize(black_box(&derived)).expect("memory"));
        });
        table.row("bincode, derived, reused buffer", || {
            grown.clear();
            bincode::serialize_into(&mut grown, black_box(&derived)).expect("memory");
            black_box(&mut grown);
        });
        table.row("bincode, payload as bytes, reused buffer", || {
            grown.clear();
            bincode::serialize_into(&mut grown, black_box(&message)).expect("memory");
            black_box(&mut grown);
        });
        table.row("traits, into a slice", || {
            let out = at.room(near, size);
            black_box(&ours).serialize_into_slice(out).expect("room");
            black_box(out);
        });
        table.row("traits, into a reused Vec", || {
            grown.clear();
            black_box(&ours).serialize_into(&mut grown).expect("memory");
            black_box(&mut grown);
        });
        table.row("pool, get and return", || {
            black_box(pool.get());
        });
        table.row("traits, into a buffer of the pool", || {
            let mut pooled = pool.get();
            black_box(&ours)
                .serialize_into(&mut *pooled)
                .expect("memory");
            black_box(&mut pooled);
        });
        table.row("memcpy of a message, through a map", || {
            let out = map_at_copied.room(map, size);
            out.copy_from_slice(black_box(flat));
            black_box(out);
        });
        table.row("traits, through a map", || {
            let out = map_at.room(map, size);
            black_box(&ours).serialize_into_slice(out).expect("room");
            black_box(out);
        });
        table.row("stream, checked blocks of 64 KiB", || {
            plain_stream.push(black_box(&ours)).expect("a sink");
        });
        table.row("stream, checked and zstd 1", || {
            packed_stream.push(black_box(&ours)).expect("a sink");
        });
        table.row("256 f32: bincode, reused buffer", || {
            grown.clear();
            bincode::serialize_into(&mut grown, black_box(&floats[..])).expect("memory");
            black_box(&mut grown);
        });
        table.row("256 f32: memcpy", || {
            near[..4 * PRICES].copy_from_slice(black_box(floats.as_bytes()));
            black_box(&mut *near);
        });
        for (name, path) in [
            ("256 f32: big-endian, AVX2", Path::best()),
            ("256 f32: big-endian, portable", Path::Portable),
        ] {
            table.row(name, || {
                let (floats, out) = (black_box(&*floats), &mut near[..4 * PRICES]);
                write_f32(path, Endian::Big, floats, out);
                black_box(out);
            });
        }
        table.row("256 i64: memcpy", || {
            integers.as_mut_bytes().copy_from_slice(black_box(&*wire));
            black_box(&mut *integers);
        });
        table.row("256 i64: big-endian, checked, AVX2", || {
            black_box(decoder.decode(black_box(&*wire), integers));
            black_box(&mut *integers);
        });
    }
    assert_eq!((pool.misses(), pool.regrown()), (0, 0));
}

/// Where the next message goes.
struct Cursor(usize);

impl Cursor {
    /// The next `size` bytes, from the front again behind the end.
    #[inline(always)]
    fn room<'a>(&mut self, out: &'a mut [u8], size: usize) -> &'a mut [u8] {
        if self.0 + size > out.len() {
            self.0 = 0;
        }
        let at = self.0;
        self.0 += size;
        &mut out[at..at + size]
    }
}

/// The rows in the order of their first round.
struct Table {
    clock: Clock,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    /// Each a round's.
    nanos: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    /// Of all rounds.
    allocations: u64,
    operations: u64,
}

/// What a figure should be.
struct Target {
    what: &'static str,
    figure: f64,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.figure <= most,
            Bound::AtLeast(least) => self.figure >= least,
        }
    }
}

impl Table {
    /// Measures a round of a row.
    fn row(&mut self, name: &'static str, mut operation: impl FnMut()) {
        (0..RUN / 8).for_each(|_| operation());
        let before = counter::calls();
        let start = Instant::now();
        for _ in 0..RUN {
            operation();
        }
        let nanos = start.elapsed().as_nanos() as f64 / f64::from(RUN);
        let allocations = counter::calls() - before;

        let mut single: Vec<u64> = Vec::with_capacity(SINGLE);
        for _ in 0..SINGLE {
            let start = self.clock.now();
            operation();
            single.push(self.clock.now().since(start));
        }
        single.sort_unstable();
        let scale = self.clock.scale();
        let quantile = |percent: usize| scale.nanos(single[SINGLE * percent / 100]) as f64;

        let row = match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row,
            None => {
                self.rows.push(Row {
                    name,
                    nanos: Vec::new(),
                    p50: Vec::new(),
                    p99: Vec::new(),
                    allocations: 0,
                    operations: 0,
                });
                self.rows.last_mut().expect("just pushed")
            }
        };
        row.nanos.push(nanos);
        row.p50.push(quantile(50));
        row.p99.push(quantile(99));
        row.allocations += allocations;
        row.operations += u64::from(RUN);
    }

    /// The median of the rounds' ratios of two rows.
    fn ratio(&self, of: &str, to: &str) -> f64 {
        let nanos = |name| {
            let row = self.rows.iter().find(|row| row.name == name);
            &row.expect("a row of that name").nanos
        };
        let ratios = nanos(of).iter().zip(nanos(to)).map(|(of, to)| of / to);
        median(&ratios.collect::<Vec<_>>())
    }

    fn targets(&self) -> [Target; 5] {
        let row = |name| self.rows.iter().find(|row| row.name == name);
        let pool = row("pool, get and return").expect("a row of that name");
        let at_most = |what, figure, most| Target {
            what,
            figure,
            bound: Bound::AtMost(most),
        };
        let slice = "traits, into a slice";
        let memcpy = "memcpy of a message";
        let mapped = self.ratio(
            "traits, through a map",
            "memcpy of a message, through a map",
        );
        let floats = self.ratio("256 f32: big-endian, AVX2", "256 f32: memcpy");
        [
            at_most("traits / memcpy", self.ratio(slice, memcpy), 1.1),
            at_most("traits / memcpy, mapped", mapped, 1.1),
            at_most("256 f32 / memcpy", floats, 1.1),
            at_most("pool, get and return, ns", median(&pool.nanos), 20.0),
            Target {
                what: "bincode / traits",
                figure: self.ratio("bincode, derived, new Vec", slice),
                bound: Bound::AtLeast(40.0),
            },
        ]
    }

    fn print(&self, rounds: usize) {
        println!(
            "medians of {rounds} interleaved rounds of {RUN} operations and {SINGLE} single ones"
        );
        println!(
            "{:<42} {:>9} {:>12} {:>9} {:>9} {:>8}",
            "", "ns", "operations/s", "p50 ns", "p99 ns", "allocs"
        );
        for row in &self.rows {
            let nanos = median(&row.nanos);
            println!(
                "{:<42} {nanos:>9.1} {:>12.0} {:>9.0} {:>9.0} {:>8.2}",
                row.name,
                1e9 / nanos.max(0.01),
                median(&row.p50),
                median(&row.p99),
                row.allocations as f64 / row.operations as f64,
            );
        }
        for target in self.targets() {
            let Target { what, figure, .. } = target;
            let met = if target.is_met() { "met" } else { "missed" };
            match target.bound {
                Bound::AtMost(most) => println!("{what:<42} {figure:>9.2}, at most {most}: {met}"),
                Bound::AtLeast(least) => {
                    println!("{what:<42} {figure:>9.2}, at least {least}: {met}");
                }
            }
        }
    }

    fn print_json(&self) {
        let rows = self.rows.iter().map(|row| {
            let nanos = median(&row.nanos);
            format!(
                "{{\"row\":\"{}\",\"ns\":{nanos:.2},\"per_second\":{:.0},\"p50_ns\":{:.0},\"p99_ns\":{:.0},\"allocations\":{:.3}}}",
                row.name,
                1e9 / nanos.max(0.01),
                median(&row.p50),
                median(&row.p99),
                row.allocations as f64 / row.operations as f64,
            )
        });
        let targets = self.targets();
        let targets = targets.iter().map(|t| {
            let (what, figure, met) = (t.what, t.figure, t.is_met());
            let (bound, value) = match t.bound {
                Bound::AtMost(most) => ("at_most", most),
                Bound::AtLeast(least) => ("at_least", least),
            };
            format!(
                "{{\"what\":\"{what}\",\"figure\":{figure:.4},\"{bound}\":{value},\"met\":{met}}}"
            )
        });
        println!(
            "{{\"rows\":[{}],\"targets\":[{}]}}",
            rows.collect::<Vec<_>>().join(","),
            targets.collect::<Vec<_>>().join(",")
        );
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[global_allocator]
static ALLOCATOR: counter::Counting = counter::Counting;

mod counter {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static CALLS: Cell<u64> = const { Cell::new(0) };
    }

    /// Blocks this thread has asked for.
    pub fn calls() -> u64 {
        CALLS.get()
    }

    fn count() {
        // Without destructor or lazy initialisation: reading it neither allocates nor can come too late.
        CALLS.set(CALLS.get() + 1);
    }

    /// The system's allocator, with a count of the blocks it gave.
    pub struct Counting;

    // SAFETY: every call is passed on unchanged to `System`, which keeps the contract; counting touches a constant-
    // initialised thread local of a type without destructor, and so neither allocates nor unwinds.
    #[allow(unsafe_code)]
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: the caller's promise is `System`'s requirement.
            unsafe { System.alloc(layout) }
        }

        unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            count();
            // SAFETY: as above; `at` came from `System`, as every block does.
            unsafe { System.realloc(at, layout, size) }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            // SAFETY: as for `realloc`.
            unsafe { System.dealloc(at, layout) }
        }
    }
}
