//! A lane of packets that begin anew, repeat, or say a state again.

use super::*;
use crate::protocol::Decode;
use crate::protocol::pillar::{Pillar, PillarDecoder};
use crate::publish::Records;
use crate::transport::PillarFraming;
use feed_common::event::{Kind, Record};
use feed_common::latency::NoProbe;
use feed_common::packet::RxMeta;
use feed_common::time::UnixNanos;
use feed_common::wire::pillar::{
    AddOrderRefresh, DeleteOrder, Flag, MAX_PACKET, MessageUnavailable, PacketBuilder,
    SequenceNumberReset,
};
use zerocopy::IntoBytes;

type TestLane = Lane<Pillar, Records<Vec<Record>>, NoProbe>;

fn lane() -> TestLane {
    probed(NoProbe)
}

fn probed<R: Probe>(probe: R) -> Lane<Pillar, Records<Vec<Record>>, R> {
    let setup = ChannelSetup {
        name: "c".into(),
        number: 0,
        lines: 2,
        window_nanos: 1_000,
        stash_slots: 8,
        stash_slot_bytes: 1500,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let channel = (setup, PillarFraming, PillarDecoder::with_room(4));
    let out = Records::new(Vec::new(), 1);
    Lane::new(vec![channel], LaneTime::Captured, 0, out, probe)
}

/// Hands the lane a packet that is sent, and arrives on `line`, at `at`.
fn give<R: Probe>(
    lane: &mut Lane<Pillar, Records<Vec<Record>>, R>,
    line: u16,
    at: u64,
    flag: Flag,
    first: u32,
    messages: &[&[u8]],
) {
    let mut builder = PacketBuilder::new(first, MAX_PACKET);
    assert!(messages.iter().all(|message| builder.push(message)));
    let bytes = builder.payload(flag, at);
    let meta = RxMeta {
        rx: Ticks(at),
        kernel: UnixNanos(at),
        len: bytes.len() as u32,
        line,
        ..RxMeta::default()
    };
    lane.packet(Packet { meta: &meta, bytes }, Ticks(at));
}

/// Deletes whose order ids are their numbers.
fn deletes(lane: &mut TestLane, line: u16, at: u64, flag: Flag, first: u32, count: u32) {
    let delete = |id: u32| DeleteOrder {
        order_id: u64::from(id).into(),
        ..DeleteOrder::new()
    };
    let messages: Vec<_> = (first..first + count).map(delete).collect();
    let messages: Vec<_> = messages.iter().map(|m| m.as_bytes()).collect();
    give(lane, line, at, flag, first, &messages);
}

/// The sequence numbers that came out, 0 where all is void.
fn sequences(lane: TestLane) -> Vec<u64> {
    let number = |r: &Record| match r.data.kind == Kind::CLEAR.0 {
        true => 0,
        false => r.sequence.get(),
    };
    lane.core.outlet.into_sink().iter().map(number).collect()
}

#[test]
fn a_reset_begins_anew_once_on_both_lines_and_is_no_gap() {
    let mut l = lane();
    let reset = SequenceNumberReset::new();
    deletes(&mut l, 0, 100, Flag::ORIGINAL, 1, 5);
    for line in [0, 1] {
        give(
            &mut l,
            line,
            200,
            Flag::SEQUENCE_RESET,
            1,
            &[reset.as_bytes()],
        );
    }
    deletes(&mut l, 1, 150, Flag::ORIGINAL, 6, 1); // late, of before
    deletes(&mut l, 0, 201, Flag::ORIGINAL, 2, 2);
    let s = l.channels[0].sequence();
    assert_eq!((s.restarts, s.gaps, s.duplicates), (1, 0, 1));
    assert_eq!(l.drops().old_session, 1);
    give(&mut l, 0, 300, Flag::FAILOVER, 1, &[reset.as_bytes()]);
    let mut again = AddOrderRefresh::new();
    again.side = b'B';
    give(&mut l, 0, 301, Flag::FAILOVER, 2, &[again.as_bytes()]);
    assert_eq!(l.channels[0].sequence().restarts, 2);
    assert_eq!(sequences(l), [1, 2, 3, 4, 5, 0, 2, 3, 0, 2]);
}

#[test]
fn a_retransmission_is_one_more_line() {
    let mut l = lane();
    deletes(&mut l, 0, 100, Flag::ORIGINAL, 1, 2);
    deletes(&mut l, 0, 101, Flag::ORIGINAL, 4, 1);
    deletes(&mut l, 1, 500, Flag::RETRANSMISSION, 3, 1);
    let reset = SequenceNumberReset::new();
    give(&mut l, 1, 501, Flag::RETRANSMISSION, 1, &[reset.as_bytes()]);
    let s = l.channels[0].sequence();
    assert_eq!((s.restarts, s.lost, s.duplicates), (0, 0, 1));
    assert_eq!(sequences(l), [1, 2, 3, 4]);
}

#[test]
fn refreshes_are_counted_and_not_delivered() {
    let mut l = lane();
    for (flag, first) in [(18, 1), (19, 3), (20, 5)] {
        deletes(&mut l, 0, 100, Flag(flag), first, 2);
    }
    let unavailable = MessageUnavailable::new();
    give(
        &mut l,
        0,
        102,
        Flag::UNAVAILABLE,
        900,
        &[unavailable.as_bytes()],
    );
    give(&mut l, 0, 103, Flag::HEARTBEAT, 7, &[]);
    let s = l.channels[0].sequence();
    assert_eq!((s.gaps, l.drops().refresh), (0, 6));
    assert_eq!(l.messages(), 1, "what is unavailable is said by a message");
    assert_eq!(sequences(l), [0; 0]);
}

/// Remembers when packets were sent, as the lane says.
#[derive(Default)]
struct Sent(Vec<u64>);

impl Probe for Sent {
    fn now(&self) -> Ticks {
        Ticks(0)
    }

    fn mark(&mut self, _stage: Stage, _rx: Ticks) {}

    fn mark_at(&mut self, _stage: Stage, _rx: Ticks, _at: Ticks) {}

    fn span(&mut self, _stage: Stage, _nanos: u64) {}

    fn received(&mut self, _meta: &RxMeta, sent: UnixNanos) {
        self.0.push(sent.0);
    }
}

#[test]
fn every_packet_says_when_it_was_sent_but_those_that_were_sent_again() {
    let mut l = probed(Sent::default()).with_retransmissions(0, [1]);
    give(&mut l, 0, 10, Flag::HEARTBEAT, 1, &[]);
    let delete = DeleteOrder::new();
    give(&mut l, 0, 20, Flag::ORIGINAL, 1, &[delete.as_bytes()]);
    // One that brings nothing new was on its way too.
    give(&mut l, 0, 30, Flag::ORIGINAL, 1, &[delete.as_bytes()]);
    give(&mut l, 1, 40, Flag::ORIGINAL, 1, &[delete.as_bytes()]);
    let (meta, bytes) = (RxMeta::default(), [0; 3].as_slice());
    l.packet(Packet { meta: &meta, bytes }, Ticks(50));
    assert_eq!(l.probe_mut().0, [10, 20, 30, 0, 0]);
}
