//! What a lane says became of its holes, and what the evidence says of where they were lost.

use super::tests::{Out, SESSION, WINDOW, heartbeat, packet, probed_into};
use super::*;
use crate::protocol::itch50::Itch50;
use crate::publish::Records;
use crate::recovery::Missing;
use crate::sequence::{By, Cause, HoleEnd, SeqSpan};
use crossbeam_channel::{Receiver, bounded};
use feed_common::latency::NoProbe;
use feed_common::packet::RxMeta;
use feed_common::time::UnixNanos;
use proptest::prelude::*;

/// A hole: first number, how many, who closed it, the cause, and the causes of the lines that lack it.
type Ended = (u64, u64, Option<By>, Cause, Vec<Cause>);

struct Told {
    lane: Lane<Itch50, Out, NoProbe>,
    ends: Receiver<HoleEnd>,
    /// What the system says of each line.
    socket_drops: [u64; 2],
    ring_drops: [u64; 2],
}

impl Told {
    fn new(lines: usize, stash_slots: usize) -> Told {
        let (to, ends) = HoleEnds::new();
        let lane = probed_into(lines, stash_slots, NoProbe, Records::new(Vec::new(), 1));
        Told {
            lane: lane.with_hole_ends(to),
            ends,
            socket_drops: [0; 2],
            ring_drops: [0; 2],
        }
    }

    fn bytes(&mut self, line: usize, at: u64, bytes: &[u8]) {
        let meta = RxMeta {
            rx: Ticks(at),
            kernel: UnixNanos(at),
            len: bytes.len() as u32,
            line: line as u16,
            socket_drops: self.socket_drops[line],
            ring_drops: self.ring_drops[line],
            ..RxMeta::default()
        };
        self.lane.packet(Packet { meta: &meta, bytes }, Ticks(at));
    }

    fn line(&mut self, line: usize, at: u64, first: u64, count: u64) {
        self.bytes(line, at, &packet(SESSION, first, count));
    }

    fn told(&self) -> Vec<Ended> {
        let ends = self.ends.try_iter().map(|end| {
            let verdict = end.verdict(|_, _, _| false);
            let lines = verdict.lines.into_iter().flatten().collect();
            let (first, count) = (end.span.first, end.span.count);
            (first, count, end.by, verdict.cause, lines)
        });
        ends.collect()
    }
}

#[test]
fn what_one_line_loses_and_another_brings() {
    let mut t = Told::new(2, 8);
    t.line(0, 10, 1, 3);
    t.line(1, 11, 1, 3);
    t.line(0, 20, 7, 2); // 4..7 are missing
    t.line(1, 25, 4, 3);
    let end = t.ends.try_recv().unwrap();
    assert_eq!((end.opened, end.closed, end.lost.count), (20, 25, 0));
    assert_eq!(
        (end.span, end.by),
        (SeqSpan::between(4, 7), Some(By::Line(1)))
    );
    let verdict = end.verdict(|_, _, _| false);
    assert_eq!(verdict.cause, Cause::OneLine);
    assert_eq!(verdict.lines[..2], [Some(Cause::OneLine), None]);
    // The same once more, after the socket of that line had dropped something.
    t.socket_drops[1] = 2;
    t.line(1, 30, 12, 1); // which has not had 7..9 from this line either
    t.line(0, 35, 9, 3);
    let want = (
        9,
        3,
        Some(By::Line(0)),
        Cause::OneLine,
        vec![Cause::SocketBuffer],
    );
    assert_eq!(t.told(), [want]);
    assert_eq!(t.lane.channels()[0].lines()[1].lost_here().socket_buffer, 5);
    assert_eq!(t.lane.channels()[0].lines()[0].lost_here().total(), 0);
}

#[test]
fn what_a_line_brings_late_was_reordered() {
    let mut t = Told::new(1, 8);
    t.line(0, 10, 1, 1);
    t.line(0, 20, 3, 1);
    t.line(0, 30, 2, 1);
    let want = (2, 1, Some(By::Line(0)), Cause::Reordered, vec![]);
    assert_eq!(t.told(), [want]);
}

#[test]
fn what_all_lines_lose_is_judged_by_what_was_dropped_here() {
    type Drop = fn(&mut Told);
    let rows: [(Drop, Cause); 5] = [
        (|t| t.socket_drops = [1, 1], Cause::SocketBuffer),
        (|t| t.ring_drops = [4, 7], Cause::RingFull),
        (
            |t| (0..2).for_each(|line| t.bytes(line, 15, b"no frame")),
            Cause::Malformed,
        ),
        (|_| {}, Cause::Upstream),
        (
            |t| {
                t.ring_drops[0] = 1;
                t.socket_drops[0] = 1;
            },
            Cause::Unknown,
        ),
    ];
    for (drop, cause) in rows {
        let mut t = Told::new(2, 8);
        for line in 0..2 {
            t.line(line, 10, 1, 3);
        }
        drop(&mut t);
        for line in 0..2 {
            t.line(line, 20, 7, 1);
        }
        t.lane.idle(20 + WINDOW);
        let told = t.told();
        assert_eq!(told.len(), 1);
        let (first, count, by, found, lines) = &told[0];
        assert_eq!((*first, *count, *by, *found), (4, 3, None, cause));
        if cause != Cause::Unknown {
            assert_eq!(*lines, [cause; 2]);
        }
    }
}

#[test]
fn a_datagram_that_was_cut_is_malformed_too() {
    let mut t = Told::new(1, 8);
    t.line(0, 10, 1, 1);
    let bytes = packet(SESSION, 2, 1);
    let meta = RxMeta {
        len: bytes.len() as u32,
        flags: RxMeta::TRUNCATED,
        ..RxMeta::default()
    };
    let cut = Packet {
        meta: &meta,
        bytes: &bytes,
    };
    t.lane.packet(cut, Ticks(15));
    t.bytes(0, 20, &heartbeat(3));
    t.lane.finish();
    let want = (2, 1, None, Cause::Malformed, vec![Cause::Malformed]);
    assert_eq!(t.told(), [want]);
}

#[test]
fn a_full_stash_gives_up_and_says_of_what() {
    let mut t = Told::new(2, 1);
    t.line(0, 10, 1, 1);
    t.line(1, 11, 1, 1);
    t.socket_drops = [1, 1];
    t.line(0, 20, 3, 1);
    t.line(1, 21, 3, 1);
    t.line(0, 22, 5, 1); // no room: 2 is given up
    t.lane.finish();
    let socket = vec![Cause::SocketBuffer; 2];
    let lost = (2, 1, None, Cause::SocketBuffer, socket);
    // Nothing more was dropped, and the second line has not come as far.
    let unknown = (4, 1, None, Cause::Unknown, vec![Cause::Unknown]);
    assert_eq!(t.told(), [lost, unknown]);
}

#[test]
fn recovery_and_snapshots_close_holes_by_their_names() {
    let mut t = Told::new(2, 8);
    let (wishes, _taken) = bounded(8);
    t.lane = t.lane.with_rescue(
        0,
        Rescue {
            wishes,
            messages: true,
            limit_nanos: 10_000,
            snapshot_nanos: Some(10_000),
            refresh: None,
            join: Join::Live,
        },
    );
    for (at, first, count) in [(10, 1, 3), (20, 5, 1), (30, 9, 1)] {
        for line in 0..2 {
            t.line(line, at, first, count);
        }
    }
    t.lane.idle(30 + WINDOW);
    let answer = packet(SESSION, 4, 1);
    t.lane.hand(0, Handed::Packet(&answer), Ticks(2_000));
    let upstream = || vec![Cause::Upstream; 2];
    let again = By::Retransmission;
    assert_eq!(t.told(), [(4, 1, Some(again), Cause::Upstream, upstream())]);
    // The other one nobody has.
    let failed = Missing {
        channel: 0,
        unit: 0,
        session: SESSION,
        span: SeqSpan::between(6, 9),
    };
    t.lane.hand(0, Handed::Failed(failed), Ticks(3_000));
    t.lane.idle(3_000);
    t.lane.hand(0, Handed::SnapshotBegins, Ticks(4_000));
    let ends = Handed::SnapshotEnds {
        session: Some(SESSION),
        unit: 0,
        next: 9,
    };
    t.lane.hand(0, ends, Ticks(4_000));
    let end = t.ends.try_recv().unwrap();
    let lost = SeqSpan::between(6, 9);
    assert_eq!((end.by, end.lost), (Some(By::Snapshot), lost));
    assert_eq!(t.lane.channels()[0].holes(), (2, 0));
}

#[test]
fn a_hole_behind_another_was_closed_by_who_brought_it() {
    let mut t = Told::new(2, 8);
    t.line(0, 10, 1, 1);
    t.line(0, 20, 3, 1); // 2 is missing
    t.line(0, 30, 5, 1); // and 4
    t.line(1, 40, 4, 1);
    assert_eq!(t.told(), []);
    t.line(0, 50, 2, 1);
    let first = t.told();
    assert_eq!(first[0].2, Some(By::Line(0)));
    assert_eq!(first[1].2, Some(By::Line(1)));
}

#[test]
fn what_finds_no_room_is_counted() {
    let mut t = Told::new(1, 8);
    let room = 4_096;
    for n in 0..room + 10 {
        t.line(0, n * 10, 1 + 2 * n, 1);
        t.lane.idle(n * 10 + WINDOW);
    }
    let (opened, open) = t.lane.channels()[0].holes();
    assert_eq!((opened, open), (room + 9, 0));
    assert_eq!(t.lane.hole_ends_missed(), 9);
    assert_eq!(t.ends.len() as u64, room);
}

proptest! {
    /// Whatever comes on whichever line: every hole that there was ends once, and what is given up with holes is what is
    /// declared lost.
    #[test]
    fn every_hole_ends_once(
        packets in proptest::collection::vec((0usize..2, 1u64..80, 1u64..5, 0u64..400), 1..80),
        slots in 1usize..8,
    ) {
        let mut t = Told::new(2, slots);
        let (mut at, mut base) = (0, 0);
        for (line, ahead, count, later) in packets {
            at += later;
            base += ahead % 4;
            t.line(line, at, base + ahead % 9, count);
        }
        t.lane.finish();
        let sequence = t.lane.channels()[0].sequence();
        let (opened, open) = t.lane.channels()[0].holes();
        let ends: Vec<HoleEnd> = t.ends.try_iter().collect();
        prop_assert_eq!((open, opened), (0, ends.len() as u64));
        prop_assert_eq!(ends.iter().map(|e| e.lost.count).sum::<u64>(), sequence.lost);
        for end in &ends {
            prop_assert!(end.by.is_none() == (end.lost.count > 0), "{:?}", end);
            prop_assert!(end.closed >= end.opened && end.span.count > 0);
            prop_assert!(matches!(end.by, None | Some(By::Line(0 | 1))), "{:?}", end);
        }
    }
}
