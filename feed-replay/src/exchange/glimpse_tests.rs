use super::*;
use crate::synth::{MessageSink, Protocol, Spec, generate_messages};
use feed_common::wire::itch50 as wire;
use std::collections::BTreeMap as Map;
use std::io;
use zerocopy::FromBytes;

const STOCK: [u8; 8] = *b"ZVZZT   ";

fn add(id: u64, side: u8, price: u32, shares: u32) -> AddOrder {
    AddOrder {
        stock_locate: 1.into(),
        timestamp: U48::new(id),
        order_ref: id.into(),
        side,
        shares: shares.into(),
        stock: STOCK,
        price: price.into(),
        ..AddOrder::new()
    }
}

#[test]
fn a_small_session_by_hand() {
    let mut state = GlimpseState::default();
    let start = wire::SystemEvent {
        event_code: b'O',
        ..wire::SystemEvent::new()
    };
    let directory = wire::StockDirectory {
        stock_locate: 1.into(),
        stock: STOCK,
        ..wire::StockDirectory::new()
    };
    let state_of = |trading_state| wire::StockTradingAction {
        stock_locate: 1.into(),
        stock: STOCK,
        trading_state,
        ..wire::StockTradingAction::new()
    };
    let named = wire::AddOrderMpid {
        stock_locate: 1.into(),
        timestamp: U48::new(2),
        order_ref: 2.into(),
        side: b'B',
        shares: 50.into(),
        stock: STOCK,
        price: 100.into(),
        attribution: *b"MPID",
        ..wire::AddOrderMpid::new()
    };
    let replace = wire::OrderReplace {
        timestamp: U48::new(9),
        original_ref: 2.into(),
        new_ref: 7.into(),
        shares: 60.into(),
        price: 100.into(),
        ..wire::OrderReplace::new()
    };
    let cancel = wire::OrderCancel {
        order_ref: 3.into(),
        cancelled_shares: 4.into(),
        ..wire::OrderCancel::new()
    };
    let executed = wire::OrderExecuted {
        order_ref: 4.into(),
        executed_shares: 10.into(),
        ..wire::OrderExecuted::new()
    };
    let messages = [
        start.as_bytes().to_vec(),
        directory.as_bytes().to_vec(),
        state_of(b'H').as_bytes().to_vec(),
        state_of(b'T').as_bytes().to_vec(),
        add(1, b'S', 101, 10).as_bytes().to_vec(),
        named.as_bytes().to_vec(),
        add(3, b'B', 100, 10).as_bytes().to_vec(),
        add(4, b'B', 99, 10).as_bytes().to_vec(),
        cancel.as_bytes().to_vec(),
        executed.as_bytes().to_vec(),
        replace.as_bytes().to_vec(),
    ];
    messages.iter().for_each(|m| state.apply(m));
    // Nothing of these can be.
    for stray in [
        &b"A"[..],
        b"",
        b"?",
        &[b'D'; 19],
        replace.as_bytes(),
        executed.as_bytes(),
    ] {
        state.apply(stray);
    }
    let moved = wire::AddOrderMpid {
        timestamp: U48::new(9),
        order_ref: 7.into(),
        shares: 60.into(),
        ..named
    };
    let end = EndOfSnapshot::new(12);
    let want = [
        start.as_bytes().to_vec(),
        directory.as_bytes().to_vec(),
        state_of(b'T').as_bytes().to_vec(),
        // The replaced order has lost its place in the queue.
        add(3, b'B', 100, 6).as_bytes().to_vec(),
        moved.as_bytes().to_vec(),
        add(1, b'S', 101, 10).as_bytes().to_vec(),
        end.as_bytes().to_vec(),
    ];
    let snapshot = state.snapshot(12);
    assert_eq!(snapshot.from(1).collect::<Vec<_>>(), want);
    assert_eq!(snapshot.from(7).collect::<Vec<_>>(), want[6..]);
    assert_eq!((snapshot.len(), snapshot.from(8).count()), (7, 0));
}

/// A session's orders as a list, in the order of their arrival.
#[derive(Default)]
struct Plain(Vec<(u64, u16, u8, u32, u32)>);

impl Plain {
    fn apply(&mut self, message: &[u8]) {
        match Message::parse(message).unwrap() {
            Message::AddOrder(m) => self.0.push((
                m.order_ref.get(),
                m.stock_locate.get(),
                m.side,
                m.price.get(),
                m.shares.get(),
            )),
            Message::AddOrderMpid(m) => self.0.push((
                m.order_ref.get(),
                m.stock_locate.get(),
                m.side,
                m.price.get(),
                m.shares.get(),
            )),
            Message::OrderExecuted(m) => self.reduce(m.order_ref.get(), m.executed_shares.get()),
            Message::OrderExecutedWithPrice(m) => {
                self.reduce(m.order_ref.get(), m.executed_shares.get());
            }
            Message::OrderCancel(m) => self.reduce(m.order_ref.get(), m.cancelled_shares.get()),
            Message::OrderDelete(m) => self.reduce(m.order_ref.get(), u32::MAX),
            Message::OrderReplace(m) => {
                let old = self
                    .0
                    .iter()
                    .find(|o| o.0 == m.original_ref.get())
                    .copied()
                    .unwrap();
                self.reduce(old.0, u32::MAX);
                self.0
                    .push((m.new_ref.get(), old.1, old.2, m.price.get(), m.shares.get()));
            }
            _ => {}
        }
    }

    fn reduce(&mut self, id: u64, shares: u32) {
        for order in &mut self.0 {
            if order.0 == id {
                order.4 = order.4.saturating_sub(shares);
            }
        }
        self.0.retain(|order| order.4 > 0);
    }
}

/// Orders by instrument, side and price, in their queues.
type Queues = Map<(u16, u8, u32), Vec<(u64, u32)>>;

fn queues(orders: &[(u64, u16, u8, u32, u32)]) -> Queues {
    let mut queues = Queues::new();
    for &(id, locate, side, price, shares) in orders {
        let queue = queues.entry((locate, side, price)).or_default();
        queue.push((id, shares));
    }
    queues
}

#[derive(Default)]
struct Compared {
    state: GlimpseState,
    plain: Plain,
    said: Map<(u8, u16), Vec<u8>>,
    system: Vec<Vec<u8>>,
    messages: u64,
    snapshots: u64,
}

impl MessageSink for Compared {
    fn message(&mut self, _: u64, message: &[u8]) -> io::Result<()> {
        self.state.apply(message);
        self.plain.apply(message);
        self.messages += 1;
        let locate = Head::of(message).unwrap().locate;
        match message[0] {
            b'S' => self.system.push(message.to_vec()),
            kind @ (b'R' | b'H' | b'Y' | b'N') => {
                self.said.insert((kind, locate), message.to_vec());
            }
            _ => {}
        }
        if self.messages.is_multiple_of(101) {
            self.compare();
        }
        Ok(())
    }
}

impl Compared {
    fn compare(&mut self) {
        self.snapshots += 1;
        let snapshot = self.state.snapshot(self.messages + 1);
        let (mut orders, mut said, mut system) = (Plain::default(), Map::new(), Vec::new());
        let messages: Vec<_> = snapshot.from(1).collect();
        let (end, rest) = messages.split_last().unwrap();
        for message in rest {
            let locate = Head::of(message).unwrap().locate;
            match message[0] {
                b'S' => system.push(message.to_vec()),
                b'A' | b'F' => orders.apply(message),
                kind => assert_eq!(said.insert((kind, locate), message.to_vec()), None),
            }
        }
        assert_eq!(
            EndOfSnapshot::read_from_bytes(end),
            Ok(EndOfSnapshot::new(self.messages + 1))
        );
        assert_eq!((&system, &said), (&self.system, &self.said));
        assert_eq!(queues(&orders.0), queues(&self.plain.0));
    }
}

#[test]
fn a_snapshot_anywhere_in_a_session_has_its_orders_in_their_queues() {
    let spec = Spec {
        symbols: 5,
        ..Spec::new(Protocol::Itch50, 4_000, 3)
    };
    let mut compared = Compared::default();
    generate_messages(&spec, &mut compared).unwrap();
    compared.compare();
    assert!(compared.snapshots == 40 && compared.plain.0.len() > 10);
}
