//! Which packets two redundant lines lose: decided by a seed, so that a run can be repeated and its losses predicted.
//!
//! Every decision is a hash of the seed and the packet's index and depends on nothing else: not on timing, not on the
//! order of questions. No packet is lost on both lines, so a receiver that merges them must miss nothing. And every
//! loss can be noticed, because after a lost packet its line always delivers one with a later sequence:
//! - only packets with messages are lost: nobody can tell that a heartbeat is missing;
//! - the last packet with messages and everything after it arrive;
//! - the first packet arrives: before it a receiver does not know where the session begins.

use crate::send::Outgoing;
use crate::synth::Recording;
use crate::synth::rng::splitmix64;

/// One of two redundant lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Line 0.
    A,
    /// Line 1.
    B,
}

/// What a line loses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Packets.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
}

/// The losses of a session over two lines.
#[derive(Clone, Copy, Debug)]
pub struct LossPlan {
    seed: u64,
    last: u64,
    per_line: u32,
}

impl LossPlan {
    /// Each line loses `per_line` packets in 10,000 (at most 5,000) of those between packet 0 and packet `last`, the
    /// last one that carries messages.
    pub fn new(seed: u64, last: u64, per_line: u32) -> LossPlan {
        LossPlan {
            seed: splitmix64(seed),
            last,
            per_line: per_line.min(Self::SCALE / 2),
        }
    }

    /// For the lines of a recorded session.
    pub fn of(seed: u64, session: &Recording, per_line: u32) -> LossPlan {
        let with_messages = session
            .packets()
            .enumerate()
            .filter(|(_, p)| p.messages > 0);
        LossPlan::new(
            seed,
            with_messages.map(|(i, _)| i as u64).last().unwrap_or(0),
            per_line,
        )
    }

    /// What the two lines of a session carry: every packet on line 0, then on line 1, except where it is lost.
    pub fn lines(self, session: &Recording) -> impl Iterator<Item = Outgoing<&[u8]>> {
        session.packets().enumerate().flat_map(move |(i, packet)| {
            let lost = self.lost(i as u64, packet.messages > 0);
            let carried = [Line::A, Line::B]
                .into_iter()
                .filter(move |&line| lost != Some(line));
            carried.map(move |line| Outgoing {
                offset: packet.offset,
                line: line as usize,
                payload: packet.payload,
            })
        })
    }

    /// What lines 0 and 1 of a session lose: what a receiver has to find.
    pub fn losses(self, session: &Recording) -> [Loss; 2] {
        let mut losses = [Loss::default(); 2];
        for (i, packet) in session.packets().enumerate() {
            if let Some(line) = self.lost(i as u64, packet.messages > 0) {
                let loss = &mut losses[line as usize];
                loss.packets += 1;
                loss.messages += u64::from(packet.messages);
            }
        }
        losses
    }

    /// One percent of the packets on each line.
    pub const ONE_PERCENT: u32 = 100;

    const SCALE: u32 = 10_000;

    /// The line that loses packet `index` (counted from 0, all packets of the session); `has_messages` is false for
    /// heartbeats and the end of session.
    pub fn lost(&self, index: u64, has_messages: bool) -> Option<Line> {
        if !has_messages || index == 0 || index >= self.last {
            return None;
        }
        let hash = splitmix64(self.seed ^ index);
        let point = ((hash as u128 * Self::SCALE as u128) >> 64) as u32;
        // Two neighbouring intervals: a packet can fall into one of them at most.
        match point {
            p if p < self.per_line => Some(Line::A),
            p if p < 2 * self.per_line => Some(Line::B),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Protocol, Spec};

    #[test]
    fn each_line_loses_about_one_percent_and_the_seed_decides_which() {
        for seed in 0..20 {
            let plan = LossPlan::new(seed, 100_000, LossPlan::ONE_PERCENT);
            let count = |line| {
                (0..100_000)
                    .filter(|&i| plan.lost(i, true) == Some(line))
                    .count()
            };
            for line in [Line::A, Line::B] {
                assert!(
                    (850..1_150).contains(&count(line)),
                    "seed {seed} {line:?}: {}",
                    count(line)
                );
            }
        }
        let lost = |seed| -> Vec<u64> {
            let plan = LossPlan::new(seed, 10_000, LossPlan::ONE_PERCENT);
            (0..10_000)
                .filter(|&i| plan.lost(i, true).is_some())
                .collect()
        };
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }

    #[test]
    fn what_reveals_a_loss_is_never_lost() {
        // Half on each line: every packet that may be lost is.
        for last in [0, 1, 2, 50] {
            let plan = LossPlan::new(1, last, 5_000);
            for i in 0..60 {
                let may = i > 0 && i < last;
                assert_eq!(plan.lost(i, true).is_some(), may, "{i} of {last}");
                assert_eq!(plan.lost(i, false), None);
            }
        }
    }

    #[test]
    fn the_lines_of_a_session_lack_what_was_said_and_nothing_together() {
        let spec = Spec::new(Protocol::Itch50, 50_000, 3);
        let (session, summary) = Recording::of(&spec).unwrap();
        let plan = LossPlan::of(9, &session, LossPlan::ONE_PERCENT);
        let losses = plan.losses(&session);
        let mut lines = [Vec::new(), Vec::new()];
        for packet in plan.lines(&session) {
            lines[packet.line].push(packet.payload);
        }
        let mut read = [0, 0];
        for packet in session.packets() {
            let mut carried = 0;
            for (line, at) in lines.iter().zip(&mut read) {
                if line.get(*at) == Some(&packet.payload) {
                    *at += 1;
                    carried += 1;
                }
            }
            assert!(carried == 2 || (carried == 1 && packet.messages > 0));
        }
        for (line, loss) in lines.iter().zip(losses) {
            assert_eq!(line.len() as u64 + loss.packets, summary.packets);
            // The last thing on each line is the end of session, and before it the last messages.
            let last: Vec<_> = session.packets().map(|p| p.payload).collect();
            assert_eq!(line[line.len() - 2..], last[last.len() - 2..]);
            assert!(loss.packets > 20 && loss.messages >= loss.packets);
        }
    }

    #[test]
    fn the_rate_is_bounded_so_that_both_lines_never_lose_the_same() {
        let plan = LossPlan::new(1, u64::MAX, u32::MAX);
        let a = (1..10_000)
            .filter(|&i| plan.lost(i, true) == Some(Line::A))
            .count();
        let b = (1..10_000)
            .filter(|&i| plan.lost(i, true) == Some(Line::B))
            .count();
        assert_eq!(a + b, 9_999);
        assert!(a > 4_500 && b > 4_500);
    }
}
