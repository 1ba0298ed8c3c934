//! What a lane wishes of its recovery, and what it makes of what it is handed.

use super::tests::{Out, SESSION, WINDOW, give, heartbeat, output, packet, probed_into};
use super::*;
use crate::protocol::itch50::Itch50;
use crate::publish::Records;
use crate::recovery::{Missing, Wish};
use crate::sequence::SeqSpan;
use crossbeam_channel::{Receiver, bounded};
use feed_common::event::{Kind, Record, Trust};
use feed_common::latency::NoProbe;
use zerocopy::IntoBytes;

const LIMIT: u64 = 10_000;

struct Rescued {
    lane: Lane<Itch50, Out, NoProbe>,
    wishes: Receiver<Wish>,
}

fn rescued(lines: usize, rescue: impl FnOnce(&mut Rescue)) -> Rescued {
    let (sender, wishes) = bounded(8);
    let mut setup = Rescue {
        wishes: sender,
        messages: true,
        limit_nanos: LIMIT,
        snapshot_nanos: None,
        refresh: None,
        join: Join::Live,
    };
    rescue(&mut setup);
    let lane = probed_into(lines, 8, NoProbe, Records::new(Vec::new(), 1));
    Rescued {
        lane: lane.with_rescue(0, setup),
        wishes,
    }
}

fn missing(first: u64, end: u64) -> Missing {
    Missing {
        channel: 0,
        unit: 0,
        session: SESSION,
        span: SeqSpan::between(first, end),
    }
}

impl Rescued {
    fn line(&mut self, at: u64, first: u64, count: u64) {
        give(&mut self.lane, 0, at, &packet(SESSION, first, count));
    }

    fn hand(&mut self, at: u64, what: Handed<'_>) {
        self.lane.hand(0, what, Ticks(at));
    }

    fn wishes(&self) -> Vec<Wish> {
        self.wishes.try_iter().collect()
    }
}

#[test]
fn a_hole_is_asked_for_after_its_window_and_closed_by_the_answer() {
    let mut r = rescued(1, |_| {});
    r.line(10, 1, 3);
    r.line(20, 7, 1); // 4..7 are missing
    r.line(25, 9, 1); // and 8
    r.lane.idle(20 + WINDOW - 1);
    assert_eq!(r.wishes(), []);
    r.lane.idle(20 + WINDOW);
    assert_eq!(r.wishes(), [Wish::Messages(missing(4, 7))]);
    r.lane.idle(25 + WINDOW);
    assert_eq!(r.wishes(), [Wish::Messages(missing(8, 9))]);
    let answer = packet(SESSION, 4, 3);
    r.hand(30 + WINDOW, Handed::Packet(&answer));
    assert_eq!(r.wishes(), [Wish::Settled(missing(8, 8))]);
    let answer = packet(SESSION, 8, 1);
    r.hand(31 + WINDOW, Handed::Packet(&answer));
    assert_eq!(r.wishes(), [Wish::Settled(missing(10, 10))]);
    let sequence = r.lane.channels[0].sequence();
    assert_eq!((sequence.recovered, sequence.lost), (4, 0));
    assert_eq!(r.lane.channels[0].lines().len(), 1);
    assert_eq!(output(r.lane), ((1..10).collect(), vec![]));
}

#[test]
fn what_nobody_has_is_given_up_when_it_failed_or_took_too_long() {
    let mut r = rescued(1, |_| {});
    r.line(10, 1, 1);
    r.line(20, 3, 1);
    r.line(21, 5, 1);
    r.lane.idle(21 + WINDOW);
    assert_eq!(r.wishes().len(), 2);
    r.hand(1_100, Handed::Failed(missing(2, 3)));
    r.lane.idle(1_200);
    assert_eq!(r.lane.channels[0].sequence().lost, 1);
    r.lane.idle(1_100 + LIMIT);
    assert_eq!(r.lane.channels[0].sequence().lost, 2);
    assert_eq!(output(r.lane), (vec![1, 3, 5], vec![(2, 1), (4, 1)]));
}

#[test]
fn progress_gives_a_long_hole_more_time() {
    let mut r = rescued(1, |_| {});
    r.line(10, 1, 1);
    r.line(20, 9, 1);
    r.lane.idle(20 + WINDOW);
    let step = LIMIT - 10;
    for (i, number) in (2..9).enumerate() {
        let at = 20 + WINDOW + step * (i as u64 + 1);
        r.lane.idle(at);
        let answer = packet(SESSION, number, 1);
        r.hand(at, Handed::Packet(&answer));
    }
    assert_eq!(output(r.lane), ((1..10).collect(), vec![]));
}

#[test]
fn only_what_is_missing_is_asked_for() {
    let mut r = rescued(1, |_| {});
    r.line(10, 1, 1);
    r.line(20, 20, 1);
    r.line(21, 5, 3); // late, within the hole
    r.lane.idle(20 + WINDOW);
    let wished = [missing(2, 5), missing(8, 20)].map(Wish::Messages);
    assert_eq!(r.wishes(), wished);
}

#[test]
fn a_wish_that_finds_no_room_is_given_up() {
    let mut r = rescued(1, |rescue| rescue.wishes = bounded(0).0);
    r.line(10, 1, 1);
    r.line(20, 3, 1);
    r.lane.idle(20 + WINDOW);
    r.lane.idle(20 + WINDOW + 1);
    assert_eq!(output(r.lane), (vec![1, 3], vec![(2, 1)]));
}

#[test]
fn a_server_cannot_turn_the_session_or_announce() {
    let mut r = rescued(1, |_| {});
    r.line(10, 1, 1);
    let stray = [packet(*b"YESTERDAY ", 1, 1), heartbeat(1_000), heartbeat(0)];
    for bytes in &stray {
        r.hand(11, Handed::Packet(bytes));
    }
    let none = feed_common::wire::moldudp64::PacketBuilder::new([0; 10], 0, 100).heartbeat();
    r.hand(11, Handed::Packet(none.as_bytes()));
    r.hand(11, Handed::Packet(b"garbage"));
    assert_eq!(r.lane.drops().stray, 4);
    r.lane.idle(1_000_000);
    let sequence = r.lane.channels[0].sequence();
    assert_eq!((sequence.restarts, sequence.lost), (0, 0));
}

#[test]
fn the_start_of_a_session_joined_late_is_asked_for() {
    let mut r = rescued(1, |rescue| rescue.join = Join::Start);
    r.line(10, 5, 1);
    r.lane.idle(10 + WINDOW);
    assert_eq!(r.wishes(), [Wish::Messages(missing(1, 5))]);
    let answer = packet(SESSION, 1, 4);
    r.hand(20 + WINDOW, Handed::Packet(&answer));
    let records = r.lane.into_outlet().into_sink();
    assert!(records.iter().all(|r| r.trust == Trust::VALID.0));
    assert_eq!(records.len(), 5);
}

#[test]
fn a_new_session_is_void_from_its_first_number_on_whichever_packet_comes_first() {
    let next = *b"TESTSESS02";
    let records = |overtaken: bool| {
        let mut r = rescued(1, |rescue| rescue.join = Join::Start);
        r.line(10, 1, 1);
        let mut packets = [packet(next, 1, 1), packet(next, 2, 1)];
        if overtaken {
            packets.reverse();
        }
        for (bytes, at) in packets.iter().zip([20, 21]) {
            give(&mut r.lane, 0, at, bytes);
        }
        let records = r.lane.into_outlet().into_sink();
        let said = records.iter().map(|r| (r.data.kind, r.sequence.get()));
        said.collect::<Vec<_>>()
    };
    assert_eq!(records(false).len(), 4);
    assert_eq!(records(true), records(false));
}

/// A message as a snapshot would have it.
fn message(id: u64) -> Vec<u8> {
    packet(SESSION, id, 1)[22..].to_vec()
}

#[test]
fn a_late_joiner_goes_on_from_a_snapshot_and_is_trusted() {
    let mut r = rescued(1, |rescue| {
        rescue.join = Join::Snapshot;
        rescue.snapshot_nanos = Some(LIMIT);
    });
    r.line(10, 50, 1);
    r.line(11, 51, 1);
    r.lane.idle(10 + WINDOW);
    assert_eq!(r.wishes(), [Wish::Snapshot(missing(1, 50))]);
    r.hand(1_100, Handed::SnapshotBegins);
    let kept = message(7);
    r.hand(1_101, Handed::SnapshotMessage(&kept));
    let ends = Handed::SnapshotEnds {
        session: None,
        unit: 0,
        next: 51,
    };
    r.hand(1_102, ends);
    assert_eq!(r.wishes(), [Wish::Settled(missing(52, 52))]);
    assert_eq!(r.lane.channels[0].sequence().lost, 0);
    r.line(1_200, 52, 1);
    let records = r.lane.into_outlet().into_sink();
    let told: Vec<_> = records
        .iter()
        .map(|r| (r.data.kind, r.order_id.get(), r.trust))
        .collect();
    let (clear, delete) = (Kind::CLEAR.0, Kind::DELETE.0);
    let (recovering, valid) = (Trust::RECOVERING.0, Trust::VALID.0);
    let expected = [
        (clear, 0, recovering),
        (delete, 7, recovering),
        (delete, 51, valid),
        (delete, 52, valid),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_snapshot_short_of_what_waits_leaves_a_hole_that_is_asked_for() {
    let mut r = rescued(1, |rescue| {
        rescue.join = Join::Snapshot;
        rescue.snapshot_nanos = Some(LIMIT);
    });
    r.line(10, 50, 1);
    r.lane.idle(10 + WINDOW);
    r.hand(1_100, Handed::SnapshotBegins);
    let ends = Handed::SnapshotEnds {
        session: Some(SESSION),
        unit: 0,
        next: 48,
    };
    r.hand(1_101, ends);
    r.wishes();
    r.lane.idle(1_102);
    assert_eq!(r.wishes(), [Wish::Messages(missing(48, 50))]);
    let answer = packet(SESSION, 48, 2);
    r.hand(1_103, Handed::Packet(&answer));
    let (ids, gaps) = output(r.lane);
    assert_eq!((ids, gaps), (vec![0, 48, 49, 50], vec![]));
}

#[test]
fn what_cannot_be_had_is_bridged_by_a_snapshot_and_said_to_be_lost() {
    let mut r = rescued(1, |rescue| rescue.snapshot_nanos = Some(LIMIT));
    r.line(10, 1, 1);
    r.line(20, 5, 1);
    r.lane.idle(20 + WINDOW);
    r.hand(1_100, Handed::Failed(missing(2, 5)));
    r.wishes();
    r.lane.idle(1_200);
    assert_eq!(r.wishes(), [Wish::Snapshot(missing(2, 5))]);
    assert_eq!(r.lane.channels[0].sequence().lost, 0);
    r.hand(1_300, Handed::SnapshotBegins);
    let ends = Handed::SnapshotEnds {
        session: None,
        unit: 0,
        next: 6,
    };
    r.hand(1_301, ends);
    r.line(1_400, 6, 1);
    assert_eq!(r.lane.channels[0].sequence().lost, 4);
    let records = r.lane.into_outlet().into_sink();
    let last = records.last().map(|r| (r.sequence.get(), r.trust));
    assert_eq!(last, Some((6, Trust::VALID.0)));
    let gap = records.iter().find(|r| r.data.kind == Kind::GAP.0).unwrap();
    assert_eq!((gap.sequence.get(), gap.order_id.get()), (2, 4));
}

#[test]
fn without_a_snapshot_in_time_the_gap_is_declared() {
    for fails in [false, true] {
        let mut r = rescued(1, |rescue| rescue.snapshot_nanos = Some(LIMIT));
        r.line(10, 1, 1);
        r.line(20, 5, 1);
        r.lane.idle(20 + WINDOW);
        r.lane.idle(20 + WINDOW + LIMIT);
        r.hand(20_000, Handed::SnapshotBegins);
        if fails {
            r.hand(20_001, Handed::SnapshotFailed);
        }
        r.lane.idle(20_002);
        r.lane.idle(20_002 + LIMIT);
        // Nothing is taken of one that comes too late.
        r.hand(40_000, Handed::SnapshotBegins);
        let kept = message(9);
        r.hand(40_001, Handed::SnapshotMessage(&kept));
        let (ids, gaps) = output(r.lane);
        assert_eq!((ids, gaps), (vec![1, 0, 5], vec![(2, 3)]));
    }
}

fn snapshots(lines: usize) -> Rescued {
    rescued(lines, |rescue| {
        rescue.join = Join::Snapshot;
        rescue.messages = false;
        rescue.snapshot_nanos = Some(LIMIT);
    })
}

fn ends(next: u64) -> Handed<'static> {
    Handed::SnapshotEnds {
        session: None,
        unit: 0,
        next,
    }
}

#[test]
fn a_line_that_brings_what_a_snapshot_is_taken_for_does_not_leave_the_books_void() {
    let mut r = snapshots(2);
    r.line(10, 1, 1);
    r.line(20, 5, 1);
    r.lane.idle(20 + WINDOW);
    assert_eq!(r.wishes(), [Wish::Snapshot(missing(2, 5))]);
    r.hand(1_100, Handed::SnapshotBegins);
    give(&mut r.lane, 1, 1_101, &packet(SESSION, 1, 4));
    give(&mut r.lane, 1, 1_102, &packet(SESSION, 2, 3));
    r.line(1_103, 6, 1);
    assert_eq!(r.wishes(), [], "it is still wanted");
    r.hand(1_104, ends(6));
    r.line(1_105, 7, 1);
    let records = r.lane.into_outlet().into_sink();
    let last = records.iter().rev().take(2);
    let last: Vec<_> = last.map(|r| (r.sequence.get(), r.trust)).collect();
    assert_eq!(last, [(7, Trust::VALID.0), (6, Trust::VALID.0)]);
}

#[test]
fn what_waits_for_a_snapshot_that_does_not_come_is_delivered() {
    let mut r = snapshots(2);
    r.line(10, 1, 1);
    r.line(20, 5, 1);
    r.lane.idle(20 + WINDOW);
    r.hand(1_100, Handed::SnapshotBegins);
    give(&mut r.lane, 1, 1_101, &packet(SESSION, 2, 3));
    r.hand(1_102, Handed::SnapshotFailed);
    r.lane.idle(1_103);
    r.line(1_104, 6, 1);
    assert_eq!(output(r.lane), (vec![1, 0, 2, 3, 4, 5, 6], vec![]));
}

#[test]
fn a_beginning_that_the_lines_bring_themselves_needs_no_snapshot() {
    let mut r = snapshots(1);
    r.line(10, 3, 1);
    r.line(11, 1, 2);
    r.line(12, 4, 1);
    r.lane.idle(10_000 + LIMIT);
    let records = r.lane.into_outlet().into_sink();
    let trust = |r: &Record| (r.sequence.get(), r.trust == Trust::VALID.0);
    let trust: Vec<_> = records.iter().map(trust).collect();
    assert_eq!(trust[2..], [(3, true), (4, true)]);
}

#[test]
fn of_a_session_joined_late_nothing_is_missing_unsaid_once_it_has_begun() {
    let mut r = snapshots(1);
    r.line(10, 50, 1);
    for first in [20, 30, 40] {
        r.line(11, first, 2); // late ones, of before
    }
    r.lane.idle(10 + WINDOW);
    r.hand(1_100, Handed::SnapshotFailed);
    r.lane.idle(1_101);
    let (ids, gaps) = output(r.lane);
    assert_eq!(ids, [20, 21, 30, 31, 40, 41, 50]);
    assert_eq!(gaps, [(22, 8), (32, 8), (42, 8)]);
}

#[test]
fn a_snapshot_of_which_a_message_was_left_out_is_not_taken_for_whole() {
    let mut r = snapshots(1);
    r.line(10, 1, 1);
    r.line(20, 3, 1);
    r.lane.idle(20 + WINDOW);
    r.hand(1_100, Handed::SnapshotBegins);
    r.lane.idle(2_000 + LIMIT); // given up
    r.lane.idle(2_001 + LIMIT);
    let left_out = message(9);
    r.hand(2_002 + LIMIT, Handed::SnapshotMessage(&left_out));
    r.line(2_003 + LIMIT, 6, 1);
    r.lane.idle(4_000 + LIMIT);
    r.hand(4_001 + LIMIT, ends(7));
    r.line(4_002 + LIMIT, 7, 1);
    let records = r.lane.into_outlet().into_sink();
    let valid = |r: &&Record| r.sequence.get() > 1 && r.trust == Trust::VALID.0;
    assert_eq!(records.iter().find(valid), None);
}

#[test]
fn a_snapshot_is_not_taken_when_the_last_hole_was_closed_before_it_was_asked_for() {
    let mut r = snapshots(2);
    r.line(10, 1, 1);
    r.line(20, 3, 1);
    r.lane.idle(20 + WINDOW);
    assert_eq!(r.wishes(), [Wish::Snapshot(missing(2, 3))]);
    r.line(1_100, 5, 1); // another hole, which keeps the snapshot wanted
    give(&mut r.lane, 1, 1_101, &packet(SESSION, 2, 1));
    assert_eq!(r.wishes(), [Wish::Settled(missing(4, 4))]);
    give(&mut r.lane, 1, 1_102, &packet(SESSION, 4, 1));
    assert_eq!(r.wishes(), [Wish::Settled(missing(6, 6))]);
    r.hand(1_103, Handed::SnapshotBegins);
    r.line(1_104, 6, 1);
    r.hand(1_105, ends(7));
    r.line(1_106, 7, 1);
    let records = r.lane.into_outlet().into_sink();
    assert!(records.iter().all(|r| r.trust == Trust::VALID.0));
    assert_eq!(records.len(), 7);
}

#[test]
fn a_snapshot_is_not_taken_for_whole_when_what_waited_for_it_found_no_room() {
    let mut r = snapshots(2);
    r.line(10, 1, 1);
    r.line(20, 3, 1);
    r.lane.idle(20 + WINDOW);
    r.hand(1_100, Handed::SnapshotBegins);
    // The stash has room for eight: three is in it, and what fills the hole is the ninth.
    for number in 4..11 {
        r.line(1_101, number, 1);
    }
    give(&mut r.lane, 1, 1_102, &packet(SESSION, 2, 1));
    assert_eq!(r.lane.drops().stash_full, 1);
    r.line(1_103, 12, 1); // and another hole
    r.lane.idle(1_103 + WINDOW);
    r.hand(3_000, ends(13));
    r.line(3_001, 13, 1);
    let records = r.lane.into_outlet().into_sink();
    let valid = |r: &&Record| r.sequence.get() > 1 && r.trust == Trust::VALID.0;
    assert_eq!(records.iter().find(valid), None);
}
