//! Channels whose lines fall silent.

use super::*;
use crate::protocol::Decode;
use crate::protocol::itch50::{Itch50, Itch50Decoder};
use crate::protocol::pitch::{Pitch, PitchDecoder};
use crate::publish::Records;
use crate::transport::{MoldFraming, PitchFraming};
use feed_common::event::{Flags, Kind, NO_INSTRUMENT, Record, Trust};
use feed_common::latency::NoProbe;
use feed_common::packet::RxMeta;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::{END_OF_SESSION, Header};
use feed_common::wire::pitch::UnitBuilder;
use zerocopy::IntoBytes;

type TestLane = Lane<Itch50, Records<Vec<Record>>, NoProbe>;

const LIMIT: u64 = 100;

/// A lane of two channels of two lines each, the first of which is watched; and a third line of it that repeats.
fn lane() -> TestLane {
    let setup = |number| ChannelSetup {
        name: format!("c{number}"),
        number,
        lines: 3,
        window_nanos: 20,
        stash_slots: 8,
        stash_slot_bytes: 1500,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let channel = |number| (setup(number), MoldFraming, Itch50Decoder::with_room(4));
    let out = Records::new(Vec::new(), 2);
    Lane::new(
        vec![channel(0), channel(1)],
        LaneTime::Captured,
        0,
        out,
        NoProbe,
    )
    .with_retransmissions(0, [2])
    .with_stale_after(0, LIMIT)
}

fn give(lane: &mut TestLane, line: u16, at: u64, bytes: &[u8]) {
    let meta = RxMeta {
        rx: Ticks(at),
        kernel: UnixNanos(at),
        len: bytes.len() as u32,
        line,
        ..RxMeta::default()
    };
    lane.packet(Packet { meta: &meta, bytes }, Ticks(at));
}

fn heartbeat(next: u64, count: u16) -> Vec<u8> {
    let header = Header {
        session: *b"0000000001",
        sequence: next.into(),
        message_count: count.into(),
    };
    header.as_bytes().to_vec()
}

/// When the trust of all was told, and what.
fn told(lane: &TestLane) -> Vec<(u64, Trust)> {
    let records = lane.outlet().sink().iter();
    let trust = records.filter(|r| r.data.kind == Kind::TRUST.0);
    trust.map(|r| (r.rx.get(), Trust(r.trust))).collect()
}

#[test]
fn silence_is_told_once_and_so_is_its_end() {
    let mut l = lane();
    l.idle(1_000_000);
    assert_eq!(told(&l), [], "nothing has been heard that could be missed");
    give(&mut l, 0, 1_000, &heartbeat(1, 0));
    give(&mut l, 1, 1_080, &heartbeat(1, 0));
    l.idle(1_180);
    assert_eq!(
        told(&l),
        [],
        "one line is enough, and the limit is not over"
    );
    l.idle(1_181);
    l.idle(9_000);
    assert_eq!(told(&l), [(1_080, Trust::STALE)]);
    assert!(l.channels()[0].is_silent());
    give(&mut l, 0, 9_100, &heartbeat(1, 0));
    l.idle(9_150);
    let end = (9_100, Trust::VALID);
    assert_eq!(told(&l), [(1_080, Trust::STALE), end]);
    assert!(!l.channels()[0].is_silent());
    assert_eq!(l.channels()[0].silences(), 1);
    let record = l.outlet().sink()[0];
    assert_eq!(
        (record.instrument.get(), record.sequence.get()),
        (NO_INSTRUMENT, 1)
    );
    let flags = Flags(record.data.flags.get());
    assert!(flags.has(Flags::END_OF_EVENT) && flags.has(Flags::OF_INSTRUMENT));
    // The other channel has never been asked to be heard, and no digest knows of any of this.
    give(&mut l, 3, 9_100, &heartbeat(1, 0));
    l.idle(1_000_000);
    assert!(!l.channels()[1].is_silent());
    let fresh = lane();
    assert_eq!(l.outlet().digest(0), fresh.outlet().digest(0));
}

#[test]
fn what_comes_shows_a_silence_where_nobody_was_idle() {
    let mut l = lane();
    give(&mut l, 0, 1_000, &heartbeat(1, 0));
    give(&mut l, 0, 1_500, &heartbeat(1, 0));
    assert_eq!(told(&l), [(1_000, Trust::STALE), (1_500, Trust::VALID)]);
    give(&mut l, 0, 1_400, &heartbeat(1, 0)); // captures can go back in time
    give(&mut l, 0, 1_590, &heartbeat(1, 0));
    assert_eq!(l.channels()[0].silences(), 2, "190 of silence before it");
}

#[test]
fn a_session_that_has_ended_is_silent_rightfully_and_an_answer_is_no_sign_of_life() {
    let mut l = lane();
    give(&mut l, 0, 1_000, &heartbeat(1, 0));
    give(&mut l, 2, 1_090, &heartbeat(1, 1)); // the line of answers
    give(&mut l, 0, 1_095, b"neither is what is no frame");
    l.idle(1_101);
    assert_eq!(told(&l), [(1_000, Trust::STALE)]);
    give(&mut l, 0, 1_200, &heartbeat(1, END_OF_SESSION));
    l.idle(1_000_000);
    assert_eq!(l.channels()[0].silences(), 1);
    give(&mut l, 0, 2_000_000, &heartbeat(1, 0));
    l.idle(2_000_101);
    assert_eq!(l.channels()[0].silences(), 2);
}

#[test]
fn a_channel_that_was_not_whole_before_is_not_whole_behind() {
    let mut l = lane();
    give(&mut l, 0, 1_000, &heartbeat(1, 0));
    give(&mut l, 0, 1_010, &heartbeat(5, 0));
    l.idle(1_050); // 1 to 4 are declared lost
    l.idle(1_200);
    give(&mut l, 0, 1_300, &heartbeat(5, 0));
    assert_eq!(
        told(&l),
        [(1_010, Trust::STALE), (1_300, Trust::RECOVERING)]
    );
}

/// Units are known when they have brought something with a number.
#[test]
fn a_channel_without_a_numbering_falls_silent_too() {
    let setup = ChannelSetup {
        name: "c".into(),
        number: 0,
        lines: 1,
        window_nanos: 20,
        stash_slots: 8,
        stash_slot_bytes: 1500,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let channel = (setup, PitchFraming, PitchDecoder::with_room(4));
    let out = Records::new(Vec::new(), 1);
    let lane: Lane<Pitch, Records<Vec<Record>>, NoProbe> =
        Lane::new(vec![channel], LaneTime::Captured, 0, out, NoProbe);
    let mut lane = lane.with_stale_after(0, LIMIT);
    let mut block = UnitBuilder::new(1, 0, 1_400);
    assert!(block.push(b"\x03\xfe!"));
    let bytes = block.block();
    let meta = RxMeta {
        rx: Ticks(10),
        kernel: UnixNanos(10),
        len: bytes.len() as u32,
        ..RxMeta::default()
    };
    lane.packet(Packet { meta: &meta, bytes }, Ticks(10));
    lane.idle(11 + LIMIT);
    let records = lane.into_outlet().into_sink();
    let last = records
        .last()
        .map(|r| (r.data.kind, r.sequence.get(), r.trust));
    assert_eq!(last, Some((Kind::TRUST.0, 0, Trust::STALE.0)));
}
