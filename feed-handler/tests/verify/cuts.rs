//! Marks follow from messages, not from packets or lines.

use crate::sessions::{CHANNEL, Faults, Feed, pcap};
use crate::support::{one_thread, packets};
use feed_common::capture::CaptureFile;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::{self, PacketBuilder};
use feed_handler::config::Plan;
use feed_handler::run::{Handler, Input};
use feed_handler::trail::{Origin, Trail};
use feed_replay::synth::Protocol;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SESSION: [u8; 10] = *b"CUTSESSION";

/// The messages of a made session.
fn messages() -> (UnixNanos, Vec<Vec<u8>>) {
    let feed = Feed::new(Protocol::Itch50, 400, 12, Faults::default());
    let packets = packets(&feed);
    let mut messages = Vec::new();
    for (_, payload) in &packets {
        let (_, blocks) = moldudp64::parse(payload).unwrap();
        messages.extend(blocks.map(<[u8]>::to_vec));
    }
    (packets[0].0, messages)
}

/// A line that carries messages in packets of these many, over and over.
fn line(messages: &[Vec<u8>], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let (mut next, mut cuts) = (0, cuts.iter().cycle());
    while next < messages.len() {
        let mut packet = PacketBuilder::new(SESSION, next as u64 + 1, 1400);
        let end = (next + cuts.next().unwrap()).min(messages.len());
        while next < end && packet.push(&messages[next]) {
            next += 1;
        }
        packets.push(packet.payload().to_vec());
    }
    packets
}

fn trail(plan: &Plan, capture: Vec<u8>) -> Trail {
    let file = CaptureFile::from_memory("capture", capture).unwrap();
    let handler = Handler::start(plan, &Input::File(Arc::new(file))).unwrap();
    let mut trail = Trail::new(
        plan.digest_every,
        vec![CHANNEL.to_owned()],
        Origin::default(),
    );
    let mut marks = handler.marks();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !handler.is_finished() {
        assert!(Instant::now() < deadline, "the file does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
    let outcome = handler.finish();
    assert_eq!(marks.drain(|mark| trail.mark(mark)), 0);
    trail.done(outcome.lasts(), outcome.totals());
    trail
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn however_packets_are_cut_and_whichever_line_is_first(
        cuts in prop::array::uniform2(prop::collection::vec(1usize..30, 1..6)),
        first in prop::collection::vec(0usize..2, 1..40),
        every in prop::sample::select(vec![1u64, 16, 64]),
    ) {
        let mut plan = one_thread(Protocol::Itch50);
        plan.digest_every = every;
        let (start, messages) = messages();
        let at = |i: usize| UnixNanos(start.0 + i as u64 * 1_000);
        let plain = line(&messages, &[1]);
        let plain = plain.iter().enumerate().map(|(i, p)| (at(i), 0, &p[..]));
        let want = trail(&plan, pcap(plain));
        prop_assert!(want.streams.values().next().unwrap().at.len() as u64 >= 400 / every - 1);
        let lines = cuts.each_ref().map(|cuts| line(&messages, cuts));
        let mut waiting = lines.each_ref().map(|line| line.iter().peekable());
        let mut merged = Vec::new();
        for &turn in first.iter().cycle() {
            let line = if waiting[turn].peek().is_some() { turn } else { 1 - turn };
            let Some(packet) = waiting[line].next() else { break };
            merged.push((at(merged.len()), line, &packet[..]));
        }
        let found = trail(&plan, pcap(merged));
        prop_assert_eq!(found, want);
    }
}
