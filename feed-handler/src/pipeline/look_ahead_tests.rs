//! Which messages are looked at before their turn, and when.

use super::tests::{SESSION, give, heartbeat, packet, probed_into};
use super::*;
use crate::protocol::Ahead;
use feed_common::event::{DeleteOrder, MarketHandler, MsgCtx};
use feed_common::latency::NoProbe;
use feed_common::packet::RxMeta;
use feed_common::time::UnixNanos;
use std::cell::RefCell;

/// Keeps the numbers of the orders it was told of, and of those whose event has come, each with how many events had come
/// before.
#[derive(Default)]
struct Foresighted {
    fetched: RefCell<Vec<(u64, usize)>>,
    behind: RefCell<Vec<(u64, usize)>>,
    delivered: Vec<u64>,
}

impl Foresighted {
    /// The numbers asked for, each of which was asked for in both steps before its turn.
    fn fetched(&self) -> Vec<u64> {
        let (fetched, behind) = (self.fetched.borrow(), self.behind.borrow());
        let numbers = |asked: &[(u64, usize)]| asked.iter().map(|a| a.0).collect::<Vec<_>>();
        assert_eq!(numbers(&fetched), numbers(&behind));
        for (first, second) in fetched.iter().zip(behind.iter()) {
            let turn = self.delivered.iter().position(|id| *id == first.0);
            assert!(first.1 <= second.1 && Some(second.1) <= turn, "{first:?}");
        }
        numbers(&fetched)
    }
}

impl MarketHandler for Foresighted {
    fn on_delete(&mut self, _: &MsgCtx, m: DeleteOrder) {
        self.delivered.push(m.order_id);
    }
}

impl Outlet for Foresighted {
    const LOOKS_AHEAD: bool = true;

    fn fetch(&self, _: u16, ahead: Ahead) {
        assert_eq!(ahead.order_id, ahead.new_id, "no replacement");
        let at = (ahead.order_id, self.delivered.len());
        self.fetched.borrow_mut().push(at);
    }

    fn fetch_behind(&self, _: u16, ahead: Ahead) {
        let at = (ahead.order_id, self.delivered.len());
        self.behind.borrow_mut().push(at);
    }

    fn published(&self) -> u64 {
        self.delivered.len() as u64
    }
}

/// Packets of lines that come at once.
struct Together(Vec<(u16, Vec<u8>)>);

struct Packets(Vec<(RxMeta, Vec<u8>)>);

impl PacketSource for Together {
    type Batch<'a> = Packets;

    fn poll(&mut self) -> Result<Packets, RxError> {
        let all = std::mem::take(&mut self.0).into_iter();
        let meta = |line, len| RxMeta {
            kernel: UnixNanos(1),
            len,
            line,
            ..RxMeta::default()
        };
        let all = all.map(|(line, bytes)| (meta(line, bytes.len() as u32), bytes));
        Ok(Packets(all.collect()))
    }
}

impl PacketBatch for Packets {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, i: usize) -> Packet<'_> {
        let (meta, bytes) = &self.0[i];
        Packet { meta, bytes }
    }
}

#[test]
fn messages_are_looked_at_before_their_turn_but_not_on_their_own() {
    let mut lane = probed_into(1, 4, NoProbe, Foresighted::default());
    for (at, bytes) in [packet(SESSION, 1, 40), packet(SESSION, 41, 1)]
        .iter()
        .enumerate()
    {
        give(&mut lane, 0, at as u64, bytes);
    }
    let seen = lane.outlet();
    assert_eq!(seen.delivered, (1..=41).collect::<Vec<_>>());
    assert_eq!(seen.fetched(), (1..=40).collect::<Vec<_>>());
}

#[test]
fn packets_that_came_together_are_looked_at_two_before_their_turn() {
    let mut lane = probed_into(1, 4, NoProbe, Foresighted::default());
    let four = |n: u64| (0, packet(SESSION, 1 + 4 * n, 4));
    lane.step(&mut Together((0..6).map(four).collect()))
        .unwrap();
    let seen = lane.outlet();
    assert_eq!(seen.delivered, (1..=24).collect::<Vec<_>>());
    assert_eq!(seen.fetched(), (1..=24).collect::<Vec<_>>());
    let before = |asked: &RefCell<Vec<(u64, usize)>>| {
        let asked = asked.borrow();
        let ahead = asked.iter().map(|&(id, at)| id as usize - 1 - at);
        ahead.step_by(4).collect::<Vec<_>>()
    };
    assert_eq!(before(&seen.fetched), [0, 4, 8, 8, 8, 8]);
    assert_eq!(before(&seen.behind), [0, 4, 4, 4, 4, 4]);
}

#[test]
fn a_long_packet_is_looked_at_in_groups_and_what_another_line_brings_not_again() {
    let mut lane = probed_into(2, 4, NoProbe, Foresighted::default());
    give(&mut lane, 0, 0, &heartbeat(1)); // the session has begun
    let (long, short) = (packet(SESSION, 1, 30), packet(SESSION, 31, 2));
    let both = [(0, long.clone()), (1, long), (1, short.clone()), (0, short)];
    lane.step(&mut Together(both.to_vec())).unwrap();
    let seen = lane.outlet();
    assert_eq!(seen.delivered, (1..=32).collect::<Vec<_>>());
    let mut fetched = seen
        .fetched
        .borrow()
        .iter()
        .map(|a| a.0)
        .collect::<Vec<_>>();
    fetched.sort_unstable();
    assert_eq!(fetched, (1..=32).collect::<Vec<_>>());
}
