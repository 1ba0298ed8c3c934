//! The lane against an obviously right oracle: the clean sequence of messages.

use super::*;
use crate::config::BookPlan;
use crate::journal::Tapped;
use crate::protocol::Decode;
use crate::protocol::itch50::{Itch50, Itch50Decoder};
use crate::publish::{Booked, Publish, Records};
use crate::transport::MoldFraming;
use feed_common::event::{Kind, Record, Trust};
use feed_common::latency::NoProbe;
use feed_common::packet::{RxMeta, SlotWriter};
use feed_common::ring::{SlotConfig, packet_ring};
use feed_common::time::UnixNanos;
use feed_common::wire::itch50::OrderDelete;
use feed_common::wire::moldudp64::PacketBuilder;
use proptest::prelude::*;
use std::cell::Cell;
use std::rc::Rc;
use zerocopy::IntoBytes;

pub(super) const SESSION: [u8; 10] = *b"TESTSESS01";
pub(super) const WINDOW: u64 = 1_000;

pub(super) type Out = Records<Vec<Record>>;
type TestLane = Lane<Itch50, Out, NoProbe>;

fn lane(lines: usize, stash_slots: usize) -> TestLane {
    probed(lines, stash_slots, NoProbe)
}

fn probed<R: Probe>(lines: usize, stash_slots: usize, probe: R) -> Lane<Itch50, Out, R> {
    probed_into(lines, stash_slots, probe, Records::new(Vec::new(), 1))
}

pub(super) fn probed_into<H: Outlet, R: Probe>(
    lines: usize,
    stash_slots: usize,
    probe: R,
    outlet: H,
) -> Lane<Itch50, H, R> {
    let setup = ChannelSetup {
        name: "c".into(),
        number: 0,
        lines,
        window_nanos: WINDOW,
        stash_slots,
        stash_slot_bytes: 1500,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let channel = (setup, MoldFraming, Itch50Decoder::with_room(16));
    Lane::new(vec![channel], LaneTime::Captured, 0, outlet, probe)
}

/// A packet of deletes whose order ids are their sequence numbers.
pub(super) fn packet(session: [u8; 10], first: u64, count: u64) -> Vec<u8> {
    let mut b = PacketBuilder::new(session, first, 1400);
    for id in first..first + count {
        let mut m = OrderDelete {
            msg_type: OrderDelete::TYPE,
            ..OrderDelete::default()
        };
        m.order_ref.set(id);
        assert!(b.push(m.as_bytes()));
    }
    b.payload().to_vec()
}

pub(super) fn heartbeat(next: u64) -> Vec<u8> {
    PacketBuilder::new(SESSION, next, 1400)
        .heartbeat()
        .as_bytes()
        .to_vec()
}

/// Hands the lane one packet that arrived on `line` at `at`.
pub(super) fn give<H: Outlet, R: Probe>(
    lane: &mut Lane<Itch50, H, R>,
    line: u16,
    at: u64,
    bytes: &[u8],
) {
    let meta = RxMeta {
        rx: Ticks(at),
        kernel: UnixNanos(at),
        len: bytes.len() as u32,
        line,
        ..RxMeta::default()
    };
    lane.packet(Packet { meta: &meta, bytes }, Ticks(at));
}

/// What came out: order ids, 0 where a new session voids everything, and gaps as (first, count).
pub(super) fn output(lane: TestLane) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut ids, mut gaps) = (Vec::new(), Vec::new());
    for r in lane.core.outlet.into_sink() {
        if r.data.kind == Kind::GAP.0 {
            gaps.push((r.sequence.get(), r.order_id.get()));
        } else if r.data.kind == Kind::CLEAR.0 {
            ids.push(0);
        } else {
            assert_eq!(
                r.sequence.get(),
                r.order_id.get(),
                "message under another's number"
            );
            ids.push(r.order_id.get());
        }
    }
    (ids, gaps)
}

#[test]
fn a_packet_lost_on_one_line_comes_from_the_other() {
    let mut l = lane(2, 8);
    give(&mut l, 0, 10, &packet(SESSION, 1, 3));
    give(&mut l, 0, 11, &packet(SESSION, 7, 3)); // 4..7 lost on A
    give(&mut l, 1, 12, &packet(SESSION, 1, 3));
    give(&mut l, 1, 13, &packet(SESSION, 4, 3));
    give(&mut l, 1, 14, &packet(SESSION, 7, 3));
    let (sequence, lines) = (l.channels[0].sequence(), l.channels[0].lines());
    assert_eq!(
        (sequence.gaps, sequence.lost, sequence.duplicates),
        (0, 0, 2)
    );
    assert_eq!((lines[0].lost(), lines[1].lost()), (3, 0));
    assert_eq!((lines[0].first, lines[1].first), (6, 3));
    assert_eq!((lines[0].duplicates, lines[1].duplicates), (0, 2));
    assert_eq!(output(l).0, (1..10).collect::<Vec<_>>());
}

#[test]
fn a_hole_is_given_up_after_its_window_and_what_waited_follows_the_gap_record() {
    let mut l = lane(2, 8);
    give(&mut l, 0, 10, &packet(SESSION, 1, 1));
    give(&mut l, 0, 20, &packet(SESSION, 5, 1));
    give(&mut l, 1, 20 + WINDOW - 1, &packet(SESSION, 6, 1));
    assert_eq!(l.messages(), 1);
    give(&mut l, 1, 20 + WINDOW, &heartbeat(7));
    assert_eq!(l.messages(), 3);
    assert!(l.core.outlet.published() == 4 && l.channels[0].sequence().lost == 3);
    // Late: the hole has been declared.
    give(&mut l, 1, 21 + WINDOW, &packet(SESSION, 2, 3));
    let (ids, gaps) = output(l);
    assert_eq!((ids, gaps), (vec![1, 5, 6], vec![(2, 3)]));
}

/// Remembers which packets, by their receive time, reached which stage.
#[derive(Default)]
struct Marks(Vec<(Stage, u64)>);

impl Probe for Marks {
    fn now(&self) -> Ticks {
        Ticks(0)
    }

    fn mark(&mut self, stage: Stage, rx: Ticks) {
        self.mark_at(stage, rx, Ticks(0));
    }

    fn mark_at(&mut self, stage: Stage, rx: Ticks, _now: Ticks) {
        self.0.push((stage, rx.0));
    }

    fn span(&mut self, _stage: Stage, _nanos: u64) {}

    fn received(&mut self, _meta: &RxMeta, _sent: UnixNanos) {}
}

#[test]
fn waiting_for_a_hole_is_part_of_a_packets_latency() {
    let mut l = probed(1, 8, Marks::default());
    give(&mut l, 0, 10, &packet(SESSION, 1, 1));
    give(&mut l, 0, 20, &packet(SESSION, 3, 1)); // waits for 2
    give(&mut l, 0, 30, &packet(SESSION, 2, 1));
    let mut published: Vec<_> = l
        .core
        .probe
        .0
        .iter()
        .filter(|m| m.0 == Stage::Published)
        .collect();
    published.sort_by_key(|m| m.1);
    let received: Vec<_> = published.iter().map(|m| m.1).collect();
    assert_eq!(received, [10, 20, 30]);
}

#[test]
fn a_lane_that_lost_its_core_asks_every_line_before_it_gives_up() {
    let live = |kept: &[(u16, u64, u64)]| {
        let mut l = lane(2, 8);
        l.time = LaneTime::Received(TickScale::from_ratio(1, 1));
        for &(line, at, first) in kept {
            give(&mut l, line, at, &packet(SESSION, first, 1));
        }
        output(l)
    };
    let late = 100 * WINDOW;
    // Line A lost 2. Then the lane stood still; both lines hold packets, A is asked first.
    let filled = live(&[
        (0, 10, 1),
        (0, 20, 3),
        (0, late, 4),
        (0, late, 5),
        (1, late + 1, 2),
    ]);
    assert_eq!(filled, (vec![1, 2, 3, 4, 5], vec![]));
    // Line B does not have it either: given up once both were asked.
    let kept = [
        (0, 10, 1),
        (0, 20, 3),
        (0, late, 4),
        (1, late + 1, 4),
        (0, late + 2, 5),
    ];
    assert_eq!(live(&kept), (vec![1], vec![]));
    let asked = [&kept[..], &[(1, late + 3, 5), (0, late + 4, 6)]].concat();
    assert_eq!(live(&asked), (vec![1, 3, 4, 5, 6], vec![(2, 1)]));
}

#[test]
fn records_after_a_gap_are_not_trusted() {
    let mut l = lane(1, 8);
    give(&mut l, 0, 10, &packet(SESSION, 1, 1));
    give(&mut l, 0, 20, &packet(SESSION, 3, 1));
    l.finish();
    let trust: Vec<_> = l.core.outlet.into_sink().iter().map(|r| r.trust).collect();
    assert_eq!(
        trust,
        [Trust::VALID.0, Trust::RECOVERING.0, Trust::RECOVERING.0]
    );
}

#[test]
fn a_late_joiner_is_not_trusted() {
    let mut l = lane(1, 8);
    give(&mut l, 0, 10, &packet(SESSION, 100, 1));
    assert_eq!(l.core.outlet.into_sink()[0].trust, Trust::RECOVERING.0);
}

#[test]
fn a_heartbeat_shows_what_was_lost_at_the_end() {
    let mut l = lane(1, 8);
    give(&mut l, 0, 10, &packet(SESSION, 1, 2));
    give(&mut l, 0, 20, &heartbeat(6));
    l.idle(20 + WINDOW - 1);
    assert_eq!(l.channels[0].sequence().gaps, 0);
    l.idle(20 + WINDOW);
    assert_eq!(output(l), (vec![1, 2], vec![(3, 3)]));
}

#[test]
fn a_full_stash_gives_up_the_earliest_hole_and_says_so() {
    let mut l = lane(1, 2);
    for first in [1, 3, 5, 7] {
        give(&mut l, 0, 10, &packet(SESSION, first, 1));
    }
    assert_eq!(l.drops().stash_full, 1);
    l.finish();
    assert_eq!(output(l), (vec![1, 3, 5, 7], vec![(2, 1), (4, 1), (6, 1)]));
}

#[test]
fn a_straggler_of_the_session_before_the_last_turns_nothing_back() {
    let sessions = [*b"FIRST     ", *b"SECOND    ", *b"THIRD     "];
    let mut l = lane(2, 8);
    for (session, at) in sessions.into_iter().zip([10, 20, 30]) {
        give(&mut l, 0, at, &packet(session, 1, 1));
    }
    give(&mut l, 1, 31, &packet(sessions[0], 1, 5));
    give(&mut l, 1, 32, &packet(sessions[1], 1, 5));
    give(&mut l, 0, 33, &packet(sessions[2], 2, 1));
    assert_eq!(l.channels[0].sequence().restarts, 2);
    assert_eq!(l.drops().old_session, 2);
    assert_eq!(output(l).0, [1, 0, 1, 0, 1, 2]);
}

#[test]
fn a_new_session_begins_anew_and_stragglers_of_the_old_are_named() {
    let mut l = lane(2, 8);
    give(&mut l, 0, 10, &packet(SESSION, 1, 4));
    give(&mut l, 0, 11, &packet(*b"NEXT      ", 1, 2));
    give(&mut l, 1, 12, &packet(SESSION, 5, 1));
    let s = l.channels[0].sequence();
    assert_eq!((s.restarts, s.gaps), (1, 0));
    assert_eq!(l.drops().old_session, 1);
    assert_eq!(output(l).0, [1, 2, 3, 4, 0, 1, 2]);
}

#[test]
fn what_is_not_a_frame_or_not_a_message_is_counted_and_the_rest_goes_on() {
    let mut l = lane(1, 2);
    give(&mut l, 0, 1, b"");
    give(&mut l, 0, 2, b"not this protocol at all");
    let mut mixed = PacketBuilder::new(SESSION, 1, 1400);
    assert!(mixed.push(b"?unknown") && mixed.push(b"D") && mixed.push(b""));
    assert!(mixed.push(&[&[b'D'][..], &[0; 18]].concat()));
    give(&mut l, 0, 3, mixed.payload());
    give(&mut l, 9, 4, b"no such line");
    let causes: std::collections::BTreeMap<_, _> =
        l.drops().by_cause().filter(|c| c.1 > 0).collect();
    let want = [
        ("frame_overrun", 1),
        ("frame_short_header", 1),
        ("message_empty", 1),
        ("message_short", 1),
        ("message_unknown_type", 1),
        ("packet_no_line", 1),
    ];
    assert_eq!(causes, want.into());
    assert_eq!(l.core.outlet.published(), 1);
}

/// One line's way of sending `total` messages: how they are packed, and which packets are lost.
fn line(total: u64) -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    prop::collection::vec((1u64..12, prop::bool::weighted(0.85)), total as usize).prop_map(
        move |cuts| {
            let mut next = 1;
            let mut packets = Vec::new();
            for (count, kept) in cuts {
                let count = count.min(total + 1 - next);
                if count == 0 {
                    break;
                }
                packets.push((next, count, kept));
                next += count;
            }
            packets
        },
    )
}

proptest! {
    /// Two lines that pack differently, lose independently and are interleaved at random, with room and time enough:
    /// every message that either line brought is delivered once and in order, every other lies in a gap record.
    #[test]
    fn lines_merge_to_what_either_brought(
        a in line(80),
        b in line(80),
        turns in prop::collection::vec(any::<bool>(), 160),
    ) {
        let mut l = lane(2, 256);
        // Without its first message a line would be a late joiner; the end is announced on both lines.
        give(&mut l, 0, 1, &heartbeat(1));
        let mut queues = [a.iter(), b.iter()];
        let mut brought = std::collections::BTreeSet::new();
        for turn in turns {
            let line = turn as usize;
            if let Some(&(first, count, kept)) = queues[line].next() && kept {
                brought.extend(first..first + count);
                give(&mut l, line as u16, 2, &packet(SESSION, first, count));
            }
        }
        for (line, queue) in queues.into_iter().enumerate() {
            for &(first, count, kept) in queue {
                if kept {
                    brought.extend(first..first + count);
                    give(&mut l, line as u16, 3, &packet(SESSION, first, count));
                }
            }
        }
        give(&mut l, 0, 3, &heartbeat(81));
        l.finish();
        let lost = l.channels[0].sequence().lost;
        let (ids, gaps) = output(l);
        prop_assert_eq!(&ids, &brought.iter().copied().collect::<Vec<_>>());
        let missing: Vec<u64> = gaps.iter().flat_map(|&(first, count)| first..first + count).collect();
        prop_assert_eq!(missing.len() as u64, lost);
        let want: Vec<u64> = (1..81).filter(|n| !brought.contains(n)).collect();
        prop_assert_eq!(missing, want);
    }
}

/// A sink that counts how often it is told to get ready.
struct Readied(Rc<Cell<u32>>);

impl Publish for Readied {
    fn publish(&mut self, _: &Record) {}

    fn prepare(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_poll_that_finds_nothing_lets_the_ring_get_ready_behind_books_and_journal() {
    let readied = Rc::new(Cell::new(0));
    let sink = Tapped::new(Readied(readied.clone()), None);
    let limits = BookPlan::default().limits;
    let books = Booked::new(Records::new(sink, 1), 0..1, &limits, true).unwrap();
    let mut l = probed_into(1, 8, NoProbe, books);
    let config = SlotConfig {
        slots: 2,
        stride: 256,
        batch: 2,
    };
    let (mut producer, mut consumer) = packet_ring(&config).unwrap();
    assert_eq!((l.step(&mut consumer).unwrap(), readied.get()), (0, 1));
    let bytes = packet(SESSION, 1, 1);
    assert_eq!(producer.free(1), 1);
    let slot = producer.slot(0);
    slot.payload[..bytes.len()].copy_from_slice(&bytes);
    slot.meta.len = bytes.len() as u32;
    producer.commit(1);
    assert_eq!((l.step(&mut consumer).unwrap(), readied.get()), (1, 1));
    assert_eq!((l.step(&mut consumer).unwrap(), readied.get()), (0, 2));
}
