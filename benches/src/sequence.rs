//! Sequencing of two healthy lines: line A brings every packet first and B behind it, a few packets later; packets have
//! the sizes of a feed.

use feed_common::time::UnixNanos;
use feed_handler::sequence::{Admit, Lines, SeqSpan, Sequencer};
use std::hint::black_box;

/// Packets that line B is behind.
const BEHIND: usize = 5;

/// Nanoseconds between packets.
const STEP: u64 = 10_000;

/// A packet: its line, its numbers, and when it arrived.
pub type Packet = (usize, SeqSpan, u64);

/// So many packets on line A, and what of them has come on B.
pub fn sent(packets: usize) -> Vec<Packet> {
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

/// The sequencer alone; messages delivered.
pub fn sequencer(sent: &[Packet]) -> u64 {
    let mut sequencer = Sequencer::default();
    let new = sent
        .iter()
        .map(|&(_, span, _)| admit(&mut sequencer, black_box(span)));
    new.sum()
}

/// What each line brought, lacked and was first by, alone.
pub fn lines(sent: &[Packet]) -> u64 {
    let mut lines = two_lines();
    for &(line, span, at) in sent {
        bring(&mut lines, (black_box(line), black_box(span), at));
    }
    lines.lost_by_all()
}

/// All that a channel does with the numbers of a packet.
pub fn both(sent: &[Packet]) -> u64 {
    let (mut lines, mut sequencer) = (two_lines(), Sequencer::default());
    for &(line, span, at) in sent {
        bring(&mut lines, (black_box(line), black_box(span), at));
        lines[line].first += admit(&mut sequencer, span);
    }
    lines.iter().map(|line| line.first).sum()
}

fn admit(sequencer: &mut Sequencer, span: SeqSpan) -> u64 {
    match sequencer.admit(span) {
        Admit::Deliver { skip } => span.count - skip,
        Admit::Duplicate | Admit::Gap { .. } => 0,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_delivered_once_and_none_is_lost() {
        let sent = sent(1_000);
        let of_a = sent.iter().filter(|(line, ..)| *line == 0);
        let messages: u64 = of_a.map(|(_, span, _)| span.count).sum();
        assert_eq!(sequencer(&sent), messages);
        assert_eq!(both(&sent), messages);
        assert_eq!(lines(&sent), 0);
    }
}
