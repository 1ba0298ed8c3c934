//! The two loops of hot threads. After warm-up they make no system call but the receive, and neither allocate nor lock.

use super::gauge::Gauge;
use crate::pipeline::Lane;
use crate::protocol::Protocol;
use crate::publish::Publish;
use feed_common::latency::recorder::StageRecorder;
use feed_common::packet::{PacketSource, RxBackend, RxError, SlotWriter};
use feed_common::time::{Clock, Ticks};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// After a stop, what the sockets still hold is handled, for at most this long.
const DRAIN_NANOS: u64 = 200_000_000;

/// When a loop should end: at the end of its input, or when it was told to and has drained.
struct Stopping<'a> {
    stop: &'a AtomicBool,
    clock: &'a Clock,
    since: Option<Ticks>,
}

impl<'a> Stopping<'a> {
    fn new(stop: &'a AtomicBool, clock: &'a Clock) -> Self {
        Stopping {
            stop,
            clock,
            since: None,
        }
    }

    /// True when the loop must end. `drained` says whether the poll just made left nothing behind; what a poll found
    /// before the stop was seen says nothing, as packets may have come between the two.
    #[inline]
    fn now(&mut self, drained: impl FnOnce() -> bool) -> bool {
        self.stop.load(Relaxed) && self.ends(drained)
    }

    #[cold]
    fn ends(&mut self, drained: impl FnOnce() -> bool) -> bool {
        let now = self.clock.now();
        match self.since {
            None => {
                self.since = Some(now);
                false
            }
            Some(since) => drained() || self.clock.scale().nanos(now.since(since)) > DRAIN_NANOS,
        }
    }
}

/// Whether a lane's holes age while no packet comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleTime {
    /// Live: the clock goes on.
    Passes,
    /// From a file, time is the capture's.
    StandsStill,
}

/// Runs a lane until its input ends or `stop` is set. An error of the receive ends the lane, after what it had received.
pub fn drive<P: Protocol, K: Publish, S: PacketSource>(
    lane: &mut Lane<P, K, StageRecorder>,
    source: &mut S,
    idle: IdleTime,
    clock: &Clock,
    stop: &AtomicBool,
    gauge: &Gauge,
) -> Result<(), RxError> {
    let mut stopping = Stopping::new(stop, clock);
    let ended = loop {
        match lane.step(source) {
            Ok(n) => {
                if n == 0 && idle == IdleTime::Passes {
                    lane.idle(clock.scale().nanos(clock.now().0));
                }
                lane.probe_mut().housekeep();
                gauge.show(lane);
                if stopping.now(|| n == 0) {
                    break Ok(());
                }
            }
            Err(RxError::End) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    lane.finish();
    gauge.show(lane);
    ended
}

/// Runs the receiving half of a two-thread lane until its input ends or `stop` is set.
pub fn receive<B: RxBackend, W: SlotWriter>(
    backend: &mut B,
    slots: &mut W,
    clock: &Clock,
    stop: &AtomicBool,
) -> Result<(), RxError> {
    let mut stopping = Stopping::new(stop, clock);
    loop {
        match backend.fill(slots) {
            // With no slot free nothing was received, which does not mean that nothing waits.
            Ok(n) if stopping.now(|| n == 0 && slots.free(1) > 0) => return Ok(()),
            Ok(_) => {}
            Err(RxError::End) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::packet::RxMeta;
    use feed_common::ring::{SlotConfig, packet_ring};

    /// A socket to which packets come in right after a poll that found it empty, and then the stop.
    struct LateArrivals<'a> {
        stop: &'a AtomicBool,
        waiting: usize,
        polls: usize,
    }

    impl RxBackend for LateArrivals<'_> {
        fn fill<W: SlotWriter>(&mut self, slots: &mut W) -> Result<usize, RxError> {
            self.polls += 1;
            if self.polls == 1 {
                self.stop.store(true, Relaxed);
                return Ok(0);
            }
            let n = slots.free(2).min(self.waiting);
            (0..n).for_each(|i| *slots.slot(i).meta = RxMeta::default());
            slots.commit(n);
            self.waiting -= n;
            Ok(n)
        }
    }

    #[test]
    fn what_came_in_before_the_stop_was_seen_is_received() {
        let config = SlotConfig {
            slots: 8,
            stride: 128,
            batch: 8,
        };
        let (mut producer, consumer) = packet_ring(&config).unwrap();
        let stop = AtomicBool::new(false);
        let mut backend = LateArrivals {
            stop: &stop,
            waiting: 5,
            polls: 0,
        };
        receive(&mut backend, &mut producer, &Clock::new(), &stop).unwrap();
        assert_eq!((backend.waiting, backend.polls), (0, 5));
        assert_eq!(consumer.gauge().committed(), 5);
    }

    #[test]
    fn a_full_ring_ends_the_drain_in_bounded_time() {
        let config = SlotConfig {
            slots: 4,
            stride: 128,
            batch: 4,
        };
        let (mut producer, _consumer) = packet_ring(&config).unwrap();
        let stop = AtomicBool::new(false);
        let mut backend = LateArrivals {
            stop: &stop,
            waiting: 5,
            polls: 0,
        };
        let clock = Clock::new();
        let start = clock.now();
        receive(&mut backend, &mut producer, &clock, &stop).unwrap();
        let took = clock.scale().nanos(clock.now().since(start));
        assert!((DRAIN_NANOS..20 * DRAIN_NANOS).contains(&took), "{took} ns");
        assert_eq!(backend.waiting, 1);
    }
}
