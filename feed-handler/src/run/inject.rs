//! A delay in front of a stage, on purpose.

use crate::config::Injection;
use crate::pipeline::Hold;
use feed_common::latency::Stage;
use feed_common::time::{Clock, Ticks};
use std::hint::spin_loop;

/// Holds up a share of the packets that come to a stage. Which ones follows from how many there were before, so the same
/// run holds up the same.
#[derive(Clone, Debug)]
pub struct Delay {
    clock: Clock,
    stage: Stage,
    ticks: u64,
    per_million: u32,
    packets: u64,
}

impl Delay {
    /// What `injection` says, by `clock`.
    pub fn new(injection: Injection, clock: Clock) -> Delay {
        Delay {
            ticks: clock.scale().ticks(injection.delay.0),
            stage: injection.stage,
            per_million: injection.per_million,
            packets: 0,
            clock,
        }
    }

    fn is_drawn(&mut self) -> bool {
        self.packets += 1;
        // The last step of SplitMix64: neighbours have nothing to do with each other.
        let mut z = self.packets.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z >> 32) * 1_000_000) >> 32 < u64::from(self.per_million)
    }
}

impl Hold for Delay {
    #[inline]
    fn hold(&mut self, stage: Stage) -> Option<(Ticks, Ticks)> {
        if stage != self.stage || !self.is_drawn() {
            return None;
        }
        let begun = self.clock.now();
        loop {
            let now = self.clock.now();
            if now.since(begun) >= self.ticks {
                return Some((begun, now));
            }
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_and_the_time_are_those_asked_for() {
        let injection: Injection = "decoded=2us@10%".parse().unwrap();
        let clock = Clock::new();
        let mut delay = Delay::new(injection, clock.clone());
        let mut again = delay.clone();
        assert_eq!(delay.hold(Stage::Published), None);
        let mut held = 0;
        for _ in 0..20_000 {
            let before = clock.now();
            let span = delay.hold(Stage::Decoded);
            assert_eq!(span.is_some(), again.is_drawn());
            if let Some((from, to)) = span {
                held += 1;
                assert!(from >= before);
                assert!(clock.scale().nanos(to.since(from)) >= 1_999);
            }
        }
        assert!((1_800..2_200).contains(&held), "{held}");
    }
}
