//! Lines that bring only what the others had lost.

use super::*;
use crate::protocol::Decode;
use crate::protocol::pitch::{Pitch, PitchDecoder};
use crate::publish::Records;
use crate::transport::PitchFraming;
use feed_common::event::Record;
use feed_common::latency::NoProbe;
use feed_common::packet::RxMeta;
use feed_common::time::UnixNanos;
use feed_common::wire::pitch::UnitBuilder;

type TestLane = Lane<Pitch, Records<Vec<Record>>, NoProbe>;

/// A lane of lines A and B, and a third of retransmissions.
fn lane() -> TestLane {
    let setup = ChannelSetup {
        name: "c".into(),
        number: 4,
        lines: 3,
        window_nanos: 1_000,
        stash_slots: 8,
        stash_slot_bytes: 1500,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let channel = (setup, PitchFraming, PitchDecoder::with_room(4));
    let out = Records::new(Vec::new(), 5);
    Lane::new(vec![channel], LaneTime::Captured, 0, out, NoProbe).with_retransmissions(4, [2])
}

/// A block of a unit with so many messages, of a type that says nothing, in on a line.
fn give(lane: &mut TestLane, line: u16, at: u64, unit: u8, first: u32, count: u32) {
    let mut block = UnitBuilder::new(unit, first, 1_400);
    (0..count).for_each(|_| assert!(block.push(b"\x03\xfe!")));
    let bytes = block.block();
    let meta = RxMeta {
        rx: Ticks(at),
        kernel: UnixNanos(at),
        len: bytes.len() as u32,
        line,
        ..RxMeta::default()
    };
    lane.packet(Packet { meta: &meta, bytes }, Ticks(at));
}

#[test]
fn a_gap_group_fills_holes_and_is_neither_silent_nor_lossy() {
    let mut l = lane();
    for line in [0, 1] {
        give(&mut l, line, 10 + u64::from(line), 1, 1, 3);
        give(&mut l, line, 20 + u64::from(line), 1, 6, 2); // 4 and 5 are missing
    }
    give(&mut l, 2, 30, 1, 4, 2);
    give(&mut l, 2, 31, 1, 4, 2); // somebody else had asked too
    // Far behind: a line would have lost what is between.
    for first in (8..2_008).step_by(100) {
        for line in [0, 1] {
            give(&mut l, line, 40 + u64::from(first), 1, first, 100);
        }
    }
    give(&mut l, 2, 9_000, 1, 1_900, 10);
    let channel = &l.channels[0];
    let lines = channel.lines();
    let sequence = channel.sequence();
    assert_eq!(
        (sequence.lost, sequence.recovered, sequence.gaps),
        (0, 2, 0)
    );
    for line in 0..2 {
        assert_eq!((lines[line].lost(), lines[line].lost_alone()), (2, 0));
    }
    assert_eq!((lines[2].lost(), lines[2].lost_alone()), (0, 0));
    let repeated = (lines[2].packets, lines[2].messages, lines[2].first);
    assert_eq!((repeated, lines[2].duplicates), ((3, 14, 2), 2));
    assert_eq!(lines.lost_by_all(), 2);
    assert!(channel.is_retransmission(2) && !channel.is_retransmission(1));
}

#[test]
fn it_says_nothing_of_what_comes_next_and_of_others_units() {
    let mut l = lane();
    give(&mut l, 2, 5, 1, 50, 1); // before the lines
    give(&mut l, 0, 10, 1, 1, 3);
    give(&mut l, 2, 20, 1, 900, 0); // a heartbeat
    give(&mut l, 2, 21, 7, 1, 5); // a unit that is not on the lines
    give(&mut l, 2, 22, 1, 0, 1); // without numbers
    l.idle(10_000);
    let channel = &l.channels[0];
    assert_eq!((channel.sequence().lost, channel.expected(1)), (0, Some(4)));
    assert_eq!(channel.expected(7), None);
    assert_eq!(channel.lines()[2].packets, 4);
    assert_eq!((l.messages(), l.drops().stray), (3, 0));
}

#[test]
fn lines_that_are_too_many_to_be_told_apart_are_ordinary() {
    let l = lane().with_retransmissions(4, [0, 64]);
    let of = [0, 1, 2, 63, 64, 66].map(|line| l.channels[0].is_retransmission(line));
    assert_eq!(of, [true, false, true, false, false, false]);
}
