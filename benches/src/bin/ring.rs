//! What the rings cost between two pinned cores, next to the distance between the cores and to queues of others.
//!
//! ```text
//! cargo run --release -p benches --bin ring [CORE CORE] [ROUNDS]
//! ```
//!
//! Every round measures each row once, so that a machine that changes under the run changes all rows alike; the table
//! gives the median, the least and the most over the rounds.

use benches::rings::handoff::{self, Handoff, Ring, latency, throughput};
use benches::rings::peers::{Crossbeam, Disruptor, Kanal, Rtrb};
use benches::rings::{Cores, broadcasting};
use feed_common::ring::packet_ring;

fn main() {
    let arguments: Vec<usize> = benches::arguments().collect();
    let cores = [0, 1].map(|i| arguments.get(i).copied().unwrap_or(i));
    let rounds = arguments.get(2).copied().unwrap_or(7);
    let bench = Cores::pin(cores[0], cores[1]).unwrap_or_else(|error| panic!("{error}"));

    let mut table = Table::default();
    for _ in 0..rounds {
        round(&bench, &mut table);
    }
    println!("{rounds} rounds, cores {} and {}; ns", cores[0], cores[1]);
    let (producer, _) = packet_ring(&Ring::<2048>::CONFIG).expect("memory");
    println!("packet ring pages: {:?}", producer.gauge().pages());
    table.print();
}

fn round(cores: &Cores, table: &mut Table) {
    let atomic = cores.distance();
    table.add("atomic, one way", atomic);
    let bytes = handoff::PACKET;

    let both = |table: &mut Table, name: &str, whole, head| {
        table.add(format!("packets {name}, all lines read, per packet"), whole);
        table.add(format!("packets {name}, first line read"), head);
    };
    let wide = flat_out::<Ring<2048>>(cores);
    both(table, "2 KiB x 4096", wide[0], wide[1]);
    let narrow = flat_out::<Ring<320>>(cores);
    both(table, "320 B x 4096", narrow[0], narrow[1]);
    for (name, [whole, head]) in [
        ("rtrb chunks", flat_out::<Rtrb>(cores)),
        ("disruptor batches", flat_out::<Disruptor>(cores)),
        ("crossbeam-channel", flat_out::<Crossbeam>(cores)),
        ("kanal", flat_out::<Kanal>(cores)),
    ] {
        both(table, name, whole, head);
        if name == "rtrb chunks" {
            table.add("ratio ours 320 B / rtrb", narrow[0] / whole);
        }
    }
    table.add("ratio packets 2 KiB / atomic", wide[0] / atomic);
    for (name, [p50, p99]) in [
        ("packet ring", latency::<Ring<2048>>(cores)),
        ("rtrb", latency::<Rtrb>(cores)),
        ("disruptor", latency::<Disruptor>(cores)),
        ("crossbeam-channel", latency::<Crossbeam>(cores)),
        ("kanal", latency::<Kanal>(cores)),
    ] {
        table.add(format!("{name}, {bytes} bytes one at a time, p50"), p50);
        table.add(format!("{name}, {bytes} bytes one at a time, p99"), p99);
    }

    for slots in [256, 4096, 65_536] {
        table.add(
            format!("floor: plain 64-byte copies into {slots} slots"),
            broadcasting::plain_copies(slots),
        );
        let alone = broadcasting::writer_alone(slots);
        table.add(format!("broadcast writer alone, {slots} slots"), alone);
        let [writer, reader, lost] =
            broadcasting::writer_and_reader(cores, slots, broadcasting::RECORDS, 0);
        table.add(format!("broadcast writer, one reader, {slots}"), writer);
        table.add(
            format!("broadcast reader, per record seen, {slots}"),
            reader,
        );
        table.add(format!("broadcast records lost, % of {slots}"), lost);
    }
    table.add(
        "broadcast reader alone, per record",
        broadcasting::reader_alone(),
    );
    let [p50, p99] = broadcasting::latency(cores);
    table.add("broadcast one at a time, one way p50", p50);
    table.add("broadcast one at a time, one way p99", p99);
}

/// All lines of a packet read, and the first alone.
fn flat_out<H: Handoff>(cores: &Cores) -> [f64; 2] {
    [true, false].map(|whole| throughput::<H>(cores, whole))
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
