//! What measuring costs: a report that does not say it invites the reader to guess.

use super::messages::MessageFigures;
use super::recorder::{self, StageRecorder};
use super::{Probe, Resolution, Stage};
use crate::event::NO_SYMBOL;
use crate::time::{Clock, Ticks};
use std::hint::black_box;

/// The price of the instruments on this machine, in nanoseconds. Medians of several rounds, taken in a row on one
/// thread with warm caches: the least they cost, not the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Reading the tick clock.
    pub clock: f64,
    /// Counting one value.
    pub record: f64,
    /// One [`Probe::mark`]: a clock read, a conversion and a count.
    pub mark: f64,
    /// One [`StageRecorder::housekeep`] when nobody asks.
    pub housekeep: f64,
    /// One packet counted in its windows, and its latency by how many there were; each with a time of its own.
    pub arrival: f64,
    /// One round of a loop watched for a pause.
    pub watch: f64,
    /// Timing one sampled message: two clock reads, its span, its type and its instrument.
    pub message: f64,
}

const ROUNDS: usize = 9;
const CALLS: u64 = 4_096;

impl Cost {
    /// Measures for about a millisecond.
    pub fn measure(clock: &Clock) -> Cost {
        let (mut recorder, _collector) = recorder::pair(Resolution::default(), clock.clone());
        let values = spread();
        let clock_read = per_call(clock, |_| {
            black_box(clock.now());
        });
        let record = per_call(clock, |i| {
            let nanos = values[i as usize % values.len()];
            black_box(&mut recorder).record(Stage::Decoded, nanos);
        });
        let mark = {
            let rx = clock.now();
            per_call(clock, |_| mark(black_box(&mut recorder), rx))
        };
        let housekeep = per_call(clock, |_| {
            black_box(black_box(&mut recorder).housekeep());
        });
        let arrival = {
            let (rx, step) = (clock.now(), 7_000);
            per_call(clock, |i| {
                let recorder = black_box(&mut recorder);
                recorder.arrived(1_000_000_000 + i * step);
                recorder.crowded(rx, Ticks(rx.0 + i));
            })
        };
        let watch = {
            let round = clock.scale().ticks(700);
            per_call(clock, |i| {
                let recorder = black_box(&mut recorder);
                recorder.polled(0, Ticks(i * round));
                recorder.handled(Ticks(i * round));
            })
        };
        let message = {
            let code = |message: &[u8]| message.first().copied().unwrap_or(0).into();
            let mut figures = MessageFigures::new(code, clock.scale(), 0, 1, INSTRUMENTS);
            per_call(clock, |i| {
                let from = clock.now();
                let to = clock.now();
                black_box(&mut recorder).mark_at(Stage::Message, from, to);
                let (kind, about) = (
                    [b'A' + i as u8 % 16],
                    (i as u32 % INSTRUMENTS as u32, NO_SYMBOL),
                );
                black_box(&mut figures).take(&kind, 0, about, from, to);
            })
        };
        Cost {
            clock: clock_read,
            record,
            mark,
            housekeep,
            arrival,
            watch,
            message,
        }
    }

    /// What is spent on a packet that brings something new and is alone in its poll: the clock is read when it is taken up
    /// and when it is published, three stages and its arrival are counted, and somebody may have asked for the interval.
    pub fn packet(&self) -> f64 {
        self.clock + self.mark + 2.0 * self.record + self.arrival + self.housekeep
    }
}

/// Instruments whose sampled messages are counted in turn.
const INSTRUMENTS: usize = 256;

fn mark(recorder: &mut StageRecorder, rx: Ticks) {
    recorder.mark(Stage::Published, rx);
}

/// Latencies as they come: most within a few hundred nanoseconds, some far out.
fn spread() -> [u64; 64] {
    std::array::from_fn(|i| {
        let i = i as u64;
        let tail = if i.is_multiple_of(16) { 40 } else { 1 };
        (200 + i * 37 % 300) * tail
    })
}

fn per_call(clock: &Clock, mut call: impl FnMut(u64)) -> f64 {
    let mut rounds = [0.0; ROUNDS];
    for round in &mut rounds {
        let start = clock.now();
        (0..CALLS).for_each(&mut call);
        let ticks = clock.now().since(start);
        *round = clock.scale().nanos(ticks) as f64 / CALLS as f64;
    }
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "clock {:.1} ns, record {:.1} ns, mark {:.1} ns, housekeep {:.1} ns, arrival {:.1} ns, watch {:.1} ns, \
             sampled message {:.1} ns",
            self.clock,
            self.record,
            self.mark,
            self.housekeep,
            self.arrival,
            self.watch,
            self.message
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_costs_more_than_a_clock_read() {
        let cost = Cost::measure(&Clock::new());
        assert!(cost.clock > 0.0 && cost.mark > cost.clock, "{cost}");
        assert!(cost.mark < 100_000.0, "{cost}");
        assert!(cost.message > cost.mark, "{cost}");
        assert!(cost.packet() > cost.clock + cost.mark, "{cost}");
    }
}
