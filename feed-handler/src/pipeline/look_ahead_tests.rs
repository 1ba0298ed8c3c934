//! Which messages are looked at before their turn, and when.

use super::tests::{SESSION, give, packet, probed_into};
use super::*;
use crate::protocol::Ahead;
use feed_common::event::{DeleteOrder, MarketHandler, MsgCtx};
use feed_common::latency::NoProbe;
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
