//! The two loops of hot threads. After warm-up they make no system call but the receive, and neither allocate nor lock.

use super::gauge::Gauge;
use crate::pipeline::{Hold, Lane, NoHold};
use crate::protocol::Protocol;
use crate::publish::Outlet;
use feed_common::latency::recorder::StageRecorder;
use feed_common::packet::{PacketSource, RxBackend, RxError, SlotWriter};
use feed_common::time::{Clock, Ticks};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

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

/// How far time has passed for a lane when a poll brought nothing, which is what makes its holes age.
#[derive(Clone, Debug)]
pub enum IdleTime {
    /// The lane asks its lines itself: up to the moment before it asked them.
    Passes,
    /// Another thread asks them: as far as that one has found them empty.
    Follows(Arc<Quiet>),
    /// From a file, time is the capture's.
    StandsStill,
}

/// The moment up to which everything that came in on any line has been received. A thread that loses its core does not
/// move it, so that what came in meanwhile is not taken for lost.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Quiet(AtomicU64);

impl Quiet {
    fn advance(&self, to: Ticks) {
        // Release: whoever sees the moment sees the packets that were committed before it.
        self.0.store(to.0, Release);
    }

    fn until(&self) -> Ticks {
        Ticks(self.0.load(Acquire))
    }
}

/// Runs a lane until its input ends or `stop` is set. An error of the receive ends the lane, after what it had received.
pub fn drive<P: Protocol, H: Outlet, S: PacketSource>(
    lane: &mut Lane<P, H, StageRecorder>,
    source: &mut S,
    idle: &IdleTime,
    clock: &Clock,
    stop: &AtomicBool,
    gauge: &Gauge,
) -> Result<(), RxError> {
    drive_held(lane, source, idle, clock, stop, gauge, &mut NoHold)
}

/// The same, with packets held up on purpose: a loop of its own, so that the other has nothing of it.
pub fn drive_held<P: Protocol, H: Outlet, S: PacketSource>(
    lane: &mut Lane<P, H, StageRecorder>,
    source: &mut S,
    idle: &IdleTime,
    clock: &Clock,
    stop: &AtomicBool,
    gauge: &Gauge,
    hold: &mut impl Hold,
) -> Result<(), RxError> {
    let mut stopping = Stopping::new(stop, clock);
    let mut quiet = clock.now();
    let ended = loop {
        // Before the ring is looked at: what was committed before this moment is then handled before it counts.
        if let IdleTime::Follows(receiver) = idle {
            quiet = receiver.until();
        }
        let changed = lane.resubscribe();
        let mut worked = lane.take_delivery() || changed;
        match lane.step_held(source, hold) {
            Ok(n) => {
                if !matches!(idle, IdleTime::StandsStill) {
                    let (mut over, mut handled) = lane.last_batch();
                    if n == 0 {
                        worked |= lane.idle(clock.scale().nanos(quiet.0));
                        // Taken before the next poll asks the lines.
                        quiet = clock.now();
                        (over, handled) = (quiet, quiet);
                    }
                    watch(lane.probe_mut(), worked, n, over, handled);
                }
                if lane.probe_mut().housekeep() {
                    gauge.show_parts(lane);
                    lane.probe_mut().own_work();
                }
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
    gauge.show_parts(lane);
    ended
}

/// Has a round of a loop watched for a pause of the machine: a poll that brought `n` packets was `over`, and these were
/// `handled`, or there were none. Rounds in which the loop `worked` on anything else are not judged.
#[inline]
fn watch(recorder: &mut StageRecorder, worked: bool, n: usize, over: Ticks, handled: Ticks) {
    if worked {
        recorder.own_work();
    }
    recorder.polled(n, over);
    recorder.handled(handled);
}

/// Runs the receiving half of a two-thread lane until its input ends or `stop` is set.
pub fn receive<B: RxBackend, W: SlotWriter>(
    backend: &mut B,
    slots: &mut W,
    clock: &Clock,
    stop: &AtomicBool,
    quiet: &Quiet,
) -> Result<(), RxError> {
    receive_watched(backend, slots, clock, stop, quiet, None)
}

/// The same, watched for pauses of the machine by `recorder`, which costs a reading of the clock for each receive call
/// that brings packets.
pub fn receive_watched<B: RxBackend, W: SlotWriter>(
    backend: &mut B,
    slots: &mut W,
    clock: &Clock,
    stop: &AtomicBool,
    quiet: &Quiet,
    mut recorder: Option<&mut StageRecorder>,
) -> Result<(), RxError> {
    let mut stopping = Stopping::new(stop, clock);
    let mut asked = clock.now();
    loop {
        // With no slot free nothing is received, which does not mean that nothing waits.
        let room = slots.free(1) > 0;
        match backend.fill(slots) {
            Ok(n) => {
                let empty = n == 0 && room;
                if empty {
                    quiet.advance(asked);
                    asked = clock.now();
                }
                if let Some(recorder) = &mut recorder {
                    let over = if empty { asked } else { clock.now() };
                    watch(recorder, !room, n, over, over);
                    if recorder.housekeep() {
                        recorder.own_work();
                    }
                }
                if stopping.now(|| empty) {
                    return Ok(());
                }
            }
            Err(RxError::End) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{ChannelSetup, LaneTime, SessionDay};
    use crate::protocol::Decode;
    use crate::protocol::itch50::{Itch50, Itch50Decoder};
    use crate::publish::Records;
    use crate::transport::MoldFraming;
    use feed_common::event::Record;
    use feed_common::latency::Resolution;
    use feed_common::latency::recorder::pair;
    use feed_common::packet::RxMeta;
    use feed_common::ring::{SlotConfig, packet_ring};
    use feed_common::time::UnixNanos;
    use feed_common::wire::moldudp64::PacketBuilder;
    use std::time::Duration;
    use zerocopy::IntoBytes;

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
        let quiet = Quiet::default();
        receive(&mut backend, &mut producer, &Clock::new(), &stop, &quiet).unwrap();
        assert_eq!((backend.waiting, backend.polls), (0, 5));
        assert_eq!(consumer.gauge().committed(), 5);
    }

    /// Waits for another thread, at most 5 seconds; whether it came to it.
    fn comes(done: impl Fn() -> bool) -> bool {
        (0..5_000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            done()
        })
    }

    #[test]
    fn a_hole_does_not_age_while_the_receiving_thread_has_not_asked_its_lines() {
        let config = SlotConfig {
            slots: 8,
            stride: 128,
            batch: 8,
        };
        let (mut producer, mut consumer) = packet_ring(&config).unwrap();
        let (clock, stop, gauge) = (Clock::new(), AtomicBool::new(false), Gauge::default());
        let setup = ChannelSetup {
            name: "c".into(),
            number: 0,
            lines: 1,
            window_nanos: 1_000_000,
            stash_slots: 1,
            stash_slot_bytes: 128,
            day: SessionDay::Midnight(UnixNanos(1)),
        };
        let (recorder, _collector) = pair(Resolution::default(), clock.clone());
        let time = LaneTime::Received(clock.scale());
        let channel = (setup, MoldFraming, Itch50Decoder::with_room(1));
        let records = Records::new(Vec::<Record>::new(), 1);
        let mut lane = Lane::<Itch50, _, _>::new(vec![channel], time, 0, records, recorder);
        // The session begins, and eight messages of it are missing.
        for next in [1, 9] {
            let heartbeat = PacketBuilder::new(*b"S         ", next, 100).heartbeat();
            assert_eq!(producer.free(1), 1);
            let slot = producer.slot(0);
            slot.payload[..20].copy_from_slice(heartbeat.as_bytes());
            *slot.meta = RxMeta {
                rx: clock.now(),
                len: 20,
                ..RxMeta::default()
            };
            producer.commit(1);
        }
        let quiet = Arc::new(Quiet::default());
        std::thread::scope(|threads| {
            let idle = IdleTime::Follows(quiet.clone());
            let (clock, stop, gauge) = (&clock, &stop, &gauge);
            threads.spawn(move || drive(&mut lane, &mut consumer, &idle, clock, stop, gauge));
            let handled = comes(|| gauge.read().packets == 2);
            // Its window passes, and nobody looks.
            std::thread::sleep(Duration::from_millis(20));
            let early = gauge.read().lost;
            quiet.advance(clock.now());
            let given_up = comes(|| gauge.read().lost == 8);
            stop.store(true, Relaxed);
            assert_eq!((handled, early, given_up), (true, 0, true));
        });
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
        let quiet = Quiet::default();
        receive(&mut backend, &mut producer, &clock, &stop, &quiet).unwrap();
        let took = clock.scale().nanos(clock.now().since(start));
        assert!((DRAIN_NANOS..20 * DRAIN_NANOS).contains(&took), "{took} ns");
        assert_eq!(backend.waiting, 1);
    }
}
