//! What sequencing costs a packet of two healthy lines: the sequencer alone, the line statistics, and both.
//!
//! ```text
//! cargo run --release -p benches --bin sequence [PACKETS] [ROUNDS]
//! ```
//!
//! Line A brings every packet first and B behind it, a few packets later; packets have the sizes of a feed. Every round
//! measures each row once, so that a machine that changes under the run changes all rows alike.

use benches::arguments;
use feed_common::time::UnixNanos;
use feed_handler::sequence::{Admit, Lines, SeqSpan, Sequencer};
use std::hint::black_box;
use std::time::Instant;

/// Packets that line B is behind.
const BEHIND: usize = 5;

/// Nanoseconds between packets.
const STEP: u64 = 10_000;

/// Goes through all packets and returns something that depends on all.
type Way = fn(&[Packet]) -> u64;

/// A packet: its line, its numbers, and when it arrived.
type Packet = (usize, SeqSpan, u64);

fn main() {
    let mut arguments = arguments();
    let packets = arguments.next().unwrap_or(1_000_000);
    let rounds = arguments.next().unwrap_or(9);
    let sent = sent(packets);
    let ways: [(&str, Way); 3] = [
        ("sequencer", |sent| sequencer(sent)),
        ("line statistics", |sent| lines(sent)),
        ("both", |sent| both(sent)),
    ];
    let mut figures = [const { Vec::new() }; 3];
    // The first round warms caches and branch predictors.
    for round in 0..=rounds {
        for (figure, (_, way)) in figures.iter_mut().zip(&ways) {
            let start = Instant::now();
            black_box(way(&sent));
            if round > 0 {
                figure.push(start.elapsed().as_nanos() as f64 / sent.len() as f64);
            }
        }
    }
    println!("{} packets on two lines, {rounds} rounds", sent.len());
    println!("{:20} {:>8} {:>8}", "ns a packet", "median", "least");
    for (figure, (name, _)) in figures.iter_mut().zip(&ways) {
        figure.sort_by(f64::total_cmp);
        println!("{name:20} {:8.2} {:8.2}", figure[rounds / 2], figure[0]);
    }
}

fn sent(packets: usize) -> Vec<Packet> {
    let mut first = 1;
    let packet = |i: usize| {
        let count = 1 + ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61);
        let span = SeqSpan { first, count };
        first += count;
        span
    };
    let spans: Vec<SeqSpan> = (0..packets).map(packet).collect();
    let mut sent = Vec::with_capacity(2 * packets);
    for (i, &span) in spans.iter().enumerate() {
        let at = i as u64 * STEP;
        sent.push((0, span, at));
        if let Some(earlier) = i.checked_sub(BEHIND) {
            sent.push((1, spans[earlier], at + 1));
        }
    }
    sent
}

fn admit(sequencer: &mut Sequencer, span: SeqSpan) -> u64 {
    match sequencer.admit(span) {
        Admit::Deliver { skip } => span.count - skip,
        Admit::Duplicate | Admit::Gap { .. } => 0,
    }
}

fn sequencer(sent: &[Packet]) -> u64 {
    let mut sequencer = Sequencer::default();
    let new = sent
        .iter()
        .map(|&(_, span, _)| admit(&mut sequencer, black_box(span)));
    new.sum()
}

fn two_lines() -> Lines {
    let mut lines = Lines::new(2);
    lines.add_unit();
    lines
}

/// As a channel does: with what the packet says was dropped before it.
fn bring(lines: &mut Lines, (line, span, at): Packet) {
    // Nothing, which the compiler must not know.
    lines[line].dropped_before(at >> 63, at >> 62);
    lines.bring(line, 0, span, span.count, at, UnixNanos(at));
}

fn lines(sent: &[Packet]) -> u64 {
    let mut lines = two_lines();
    for &(line, span, at) in sent {
        bring(&mut lines, (black_box(line), black_box(span), at));
    }
    lines.lost_by_all()
}

fn both(sent: &[Packet]) -> u64 {
    let (mut lines, mut sequencer) = (two_lines(), Sequencer::default());
    for &(line, span, at) in sent {
        bring(&mut lines, (black_box(line), black_box(span), at));
        lines[line].first += admit(&mut sequencer, span);
    }
    lines.iter().map(|line| line.first).sum()
}
