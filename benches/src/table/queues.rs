//! Rings between two pinned cores.

use super::{Effort, Made, Row, Skipped, Target};
use crate::measure::median;
use crate::rings::Cores;
use crate::rings::broadcasting::{self, RECORDS, writer_and_reader};
use crate::rings::handoff::{Handoff, Ring, latency, throughput};
use crate::rings::peers::{Crossbeam, Disruptor, Kanal, Rtrb};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The two cores of all rows.
const CORES: [usize; 2] = [0, 1];

/// Distances between cores, one way in nanoseconds, at which figures are aimed for: near, and far. Some machines move
/// between them from minute to minute; what is aimed for moves along, on a line.
const DISTANCES: [f64; 2] = [70.0, 250.0];

/// Above this distance the cores were busy with something else, and figures between them say nothing of rings.
const BUSY: f64 = 1_000.0;

/// Readers of the crowd.
const CROWD: usize = 64;

/// Rounds are given up after this long, where others are at work.
const PATIENCE: Duration = Duration::from_secs(30);

/// Figures by name, over rounds.
#[derive(Default)]
struct Rounds(BTreeMap<&'static str, Vec<f64>>);

impl Rounds {
    fn add(&mut self, name: &'static str, figure: f64) {
        self.0.entry(name).or_default().push(figure);
    }

    fn median(&self, name: &str) -> f64 {
        median(self.0[name].clone())
    }

    /// A row between cores, with what is aimed for at the distance there was: near, and far.
    fn between(&self, row: Row, aim: Option<[f64; 2]>) -> Made {
        let distance = self.median("distance");
        if distance > BUSY {
            return Made::Skipped(Skipped {
                what: row.what,
                why: format!("the cores were busy: {distance:.0} ns from one to the other"),
            });
        }
        match aim {
            Some(aims) => row
                .target(Target::AtMost(at_distance(distance, aims)))
                .into(),
            None => row.into(),
        }
    }
}

/// What is aimed for at that distance, no less than what is near and no more than what is far.
fn at_distance(distance: f64, [near, far]: [f64; 2]) -> f64 {
    let [least, most] = DISTANCES;
    let part = ((distance - least) / (most - least)).clamp(0.0, 1.0);
    near + part * (far - near)
}

/// So many rounds, or as many as there is patience for, at least two.
fn rounds(most: usize, mut round: impl FnMut()) {
    let since = Instant::now();
    for done in 0..most {
        if done >= 2 && since.elapsed() > PATIENCE {
            break;
        }
        round();
    }
}

/// Runs on the two cores from a thread of its own, since a pinned thread stays pinned.
fn pinned(work: impl FnOnce(&Cores) -> Vec<Made> + Send) -> Result<Vec<Made>, String> {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| Ok(work(&Cores::pin(CORES[0], CORES[1])?)));
        run.join()
            .map_err(|_| "the measurement panicked".to_string())?
    })
}

/// The broadcast ring.
pub fn broadcast(effort: Effort) -> Result<Vec<Made>, String> {
    pinned(|cores| {
        let mut all = Rounds::default();
        rounds(effort.pick(9, 3), || {
            all.add("distance", cores.distance());
            all.add("copies", broadcasting::plain_copies(4096));
            all.add("alone", broadcasting::writer_alone(4096));
            all.add("reader", broadcasting::reader_alone());
            let [written, ..] = writer_and_reader(cores, 4096, 5 * RECORDS, 0);
            all.add("one reader", written);
            let [written, ..] = writer_and_reader(cores, 4096, 5 * RECORDS, CROWD - 1);
            all.add("crowd", written);
            all.add("p50", broadcasting::latency(cores)[0]);
        });
        let (seen, torn) = broadcasting::torn(cores, effort.pick(100_000_000, 10_000_000));
        let of = |name| all.median(name);
        let time = |what: &str, name| Row::time(what, "ns a record", of(name));
        let read = seen as f64 / 1e6;
        vec![
            time("broadcast ring, writer alone", "alone")
                .limit("64-byte copies", of("copies"))
                .target(Target::AtMost(2.5))
                .into(),
            time("broadcast ring, reader", "reader")
                .target(Target::AtMost(3.0))
                .into(),
            all.between(
                time("broadcast ring, writer, one reader", "one reader")
                    .limit("core to core", of("distance")),
                Some([15.0, 45.0]),
            ),
            all.between(
                time("broadcast ring, writer, 64 readers, 63 slow", "crowd")
                    .limit("one reader", of("one reader")),
                Some([15.0, 45.0]),
            ),
            all.between(
                Row::time("broadcast ring, one way p50", "ns", of("p50"))
                    .limit("core to core", of("distance")),
                Some([130.0, 330.0]),
            ),
            Row::time(
                format!("torn of {read:.1} million records read"),
                "records",
                torn as f64,
            )
            .target(Target::AtMost(0.0))
            .into(),
        ]
    })
}

/// Packets from core to core.
pub fn handoff(effort: Effort) -> Result<Vec<Made>, String> {
    pinned(|cores| {
        let [mut head, mut whole, mut one_way] = [const { Rounds(BTreeMap::new()) }; 3];
        let mut one = Measured {
            cores,
            rounds: [&mut head, &mut whole, &mut one_way],
        };
        rounds(effort.pick(9, 3), || {
            one.distance();
            one.take::<Ring<2048>>("ours");
            one.take::<Rtrb>("rtrb");
            one.take::<Disruptor>("disruptor");
            one.take::<Crossbeam>("crossbeam");
            one.take::<Kanal>("kanal");
        });
        let row = |what: &str, unit, rounds: &Rounds| {
            let peers = ["rtrb", "disruptor", "crossbeam", "kanal"];
            Row::time(what, unit, rounds.median("ours"))
                .beside(peers.map(|name| (name, rounds.median(name))))
                .limit("core to core", rounds.median("distance"))
        };
        let per_packet = "ns a packet";
        vec![
            head.between(
                row("packet ring, 200 bytes, head read", per_packet, &head),
                Some([15.0, 160.0]),
            ),
            whole.between(
                row("packet ring, 200 bytes, all read", per_packet, &whole),
                None,
            ),
            one_way.between(
                row("packet ring, 200 bytes, one way p50", "ns", &one_way),
                None,
            ),
        ]
    })
}

/// Where figures of a way to hand packets over go: the head of a packet read, all of it read, and one at a time.
struct Measured<'r> {
    cores: &'r Cores,
    rounds: [&'r mut Rounds; 3],
}

impl Measured<'_> {
    fn distance(&mut self) {
        let distance = self.cores.distance();
        for rounds in &mut self.rounds {
            rounds.add("distance", distance);
        }
    }

    fn take<H: Handoff>(&mut self, name: &'static str) {
        let figures = [
            throughput::<H>(self.cores, false),
            throughput::<H>(self.cores, true),
            latency::<H>(self.cores)[0],
        ];
        for (rounds, figure) in self.rounds.iter_mut().zip(figures) {
            rounds.add(name, figure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::at_distance;

    #[test]
    fn aims_move_with_the_distance() {
        let aims = [15.0, 160.0];
        let at = |distance| at_distance(distance, aims);
        assert_eq!([at(20.0), at(70.0), at(160.0)], [15.0, 15.0, 87.5]);
        assert_eq!([at(250.0), at(900.0)], [160.0, 160.0]);
    }
}
