//! The market told again in its own words: nothing may be lost on the way.

use super::*;
use crate::synth::expected_book;
use crate::synth::packer::MoldFramer;
use feed_common::event::Side;
use feed_common::wire::itch50 as wire;
use feed_common::wire::moldudp64;
use proptest::prelude::*;
use std::collections::BTreeMap;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// ITCH, told as ITCH. `MESSAGES` says how many messages the first of an event is told in: what follows it is filler.
struct Retold<const MESSAGES: u64>;

impl<const MESSAGES: u64> Venue for Retold<MESSAGES> {
    type Framer = MoldFramer;

    const MOST: u64 = MESSAGES;

    fn new(_: &Spec) -> Self {
        Retold
    }

    fn framer(spec: &Spec) -> MoldFramer {
        MoldFramer::new(spec)
    }

    fn code(message: &[u8]) -> u16 {
        message[0].into()
    }

    fn key(code: u16) -> String {
        (code as u8 as char).to_string()
    }

    fn tell(&mut self, event: &Event, _: &Ledger, out: &mut Out<'_>) {
        match event.what {
            What::System(code) => put(out, event, |m: &mut wire::SystemEvent| {
                (m.msg_type, m.event_code) = (b'S', code)
            }),
            What::Directory { round_lot, class } => {
                put(out, event, |m: &mut wire::StockDirectory| {
                    (m.msg_type, m.stock, m.round_lot_size) =
                        (b'R', event.symbol, round_lot.into());
                    m.issue_classification = class;
                })
            }
            What::Status { state, reason, .. } => {
                put(out, event, |m: &mut wire::StockTradingAction| {
                    (m.msg_type, m.stock, m.trading_state) = (b'H', event.symbol, state);
                    (m.reason, m.reserved) = (reason, b' ');
                })
            }
            What::Add(order) => match order.participant {
                None => put(out, event, |m: &mut wire::AddOrder| {
                    (m.msg_type, m.stock) = (b'A', event.symbol);
                    (m.order_ref, m.side) = (order.id.into(), order.side.0);
                    (m.shares, m.price) = (order.shares.into(), order.price.into());
                }),
                Some(participant) => put(out, event, |m: &mut wire::AddOrderMpid| {
                    (m.msg_type, m.stock, m.attribution) = (b'F', event.symbol, participant);
                    (m.order_ref, m.side) = (order.id.into(), order.side.0);
                    (m.shares, m.price) = (order.shares.into(), order.price.into());
                }),
            },
            What::Execute {
                order,
                shares,
                number,
                price: None,
                ..
            } => put(out, event, |m: &mut wire::OrderExecuted| {
                (m.msg_type, m.order_ref) = (b'E', order.id.into());
                (m.executed_shares, m.match_number) = (shares.into(), number.into());
            }),
            What::Execute {
                order,
                shares,
                number,
                price: Some(price),
                printable,
            } => put(out, event, |m: &mut wire::OrderExecutedWithPrice| {
                (m.msg_type, m.order_ref) = (b'C', order.id.into());
                (m.executed_shares, m.match_number) = (shares.into(), number.into());
                (m.printable, m.execution_price) = (b"NY"[usize::from(printable)], price.into());
            }),
            What::Cancel { order, shares } => put(out, event, |m: &mut wire::OrderCancel| {
                (m.msg_type, m.order_ref) = (b'X', order.id.into());
                m.cancelled_shares = shares.into();
            }),
            What::Delete { order } => put(out, event, |m: &mut wire::OrderDelete| {
                (m.msg_type, m.order_ref) = (b'D', order.id.into())
            }),
            What::Replace { old, new } => put(out, event, |m: &mut wire::OrderReplace| {
                (m.msg_type, m.original_ref, m.new_ref) = (b'U', old.id.into(), new.id.into());
                (m.shares, m.price) = (new.shares.into(), new.price.into());
            }),
            What::Hidden {
                shares,
                price,
                number,
            } => put(out, event, |m: &mut wire::Trade| {
                (m.msg_type, m.stock, m.side) = (b'P', event.symbol, b'B');
                (m.shares, m.price, m.match_number) = (shares.into(), price.into(), number.into());
            }),
            What::Cross {
                shares,
                price,
                number,
                auction,
            } => put(out, event, |m: &mut wire::CrossTrade| {
                (m.msg_type, m.stock, m.shares) = (b'Q', event.symbol, shares.into());
                (m.cross_price, m.match_number) = (price.into(), number.into());
                m.cross_type = auction;
            }),
            What::Broken { number, .. } => put(out, event, |m: &mut wire::BrokenTrade| {
                (m.msg_type, m.match_number) = (b'B', number.into())
            }),
            _ => return,
        }
        (1..MESSAGES).for_each(|_| self.filler(event.time, out));
    }

    fn filler(&mut self, now: u64, out: &mut Out<'_>) {
        let mut message = wire::RetailPriceImprovement::new();
        message.timestamp = now.into();
        out.put(message.as_bytes());
    }
}

fn put<M>(out: &mut Out<'_>, event: &Event, fill: impl FnOnce(&mut M))
where
    M: FromBytes + IntoBytes + Immutable,
{
    let mut message = M::new_zeroed();
    fill(&mut message);
    let bytes = message.as_mut_bytes();
    if event.symbol != *b"        " {
        bytes[1..3].copy_from_slice(&(event.instrument as u16 + 1).to_be_bytes());
    }
    bytes[5..11].copy_from_slice(&event.time.to_be_bytes()[2..]);
    out.put(bytes);
}

/// The messages that are told again, without their tracking numbers; a directory only as far as it is told.
fn told_of(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let told = messages.iter().filter(|m| b"SRHAFECXDUPQB".contains(&m[0]));
    told.map(|message| {
        let mut message = message.clone();
        message[3..5].fill(0);
        if message[0] == b'R' {
            let (class, lot) = (message[26], message[21..25].to_owned());
            message[19..].fill(0);
            message[26] = class;
            message[21..25].copy_from_slice(&lot);
        }
        message
    })
    .collect()
}

/// The messages of the market, before any framing.
fn market(spec: &Spec) -> Vec<Vec<u8>> {
    struct All(Vec<Vec<u8>>);
    impl MessageSink for All {
        fn message(&mut self, _: u64, message: &[u8]) -> io::Result<()> {
            self.0.push(message.to_vec());
            Ok(())
        }
    }
    let mut all = All(Vec::new());
    itch::session(spec, &mut all).unwrap();
    all.0
}

/// A session told by a venue: its messages, and what is said about it.
fn told<V: Venue>(spec: &Spec) -> (Vec<Vec<u8>>, Summary, Ledger) {
    let mut messages = Vec::new();
    let mut sink = |_: UnixNanos, payload: &[u8]| {
        let (_, blocks) = moldudp64::parse(payload).unwrap();
        messages.extend(blocks.map(<[u8]>::to_vec));
        Ok(())
    };
    let (summary, ledger) = session::<V>(spec, &mut sink).unwrap();
    (messages, summary, ledger)
}

fn spec(messages: u64, seed: u64) -> Spec {
    Spec {
        breaker: true,
        ..Spec::new(Protocol::Itch50, messages, seed)
    }
}

#[test]
fn the_market_told_in_its_own_words_is_the_market() {
    let spec = spec(60_000, 7);
    let (messages, summary, ledger) = told::<Retold<1>>(&spec);
    let want = told_of(&market(&spec));
    let (day, filler) = messages.split_at(want.len());
    assert!(day == want);
    assert!(filler.iter().all(|m| m[0] == b'N') && filler.len() < 2_000);
    assert_eq!(messages.len(), 60_000);
    assert_eq!(
        ledger.rows(usize::MAX),
        expected_book(&spec, usize::MAX).unwrap()
    );

    assert_eq!((summary.messages, summary.symbols), (60_000, 100));
    let count = |kind: u8| messages.iter().filter(|m| m[0] == kind).count() as u64;
    for (kind, n) in &summary.by_type {
        assert_eq!(count(kind.as_bytes()[0]), *n, "{kind}");
    }
    assert_eq!(summary.by_type.values().sum::<u64>(), 60_000);
    assert!(summary.first.0 > spec.midnight().0 && summary.first < summary.last);
}

#[test]
fn a_talkative_venue_ends_early_and_its_books_with_it() {
    let spec = spec(30_000, 3);
    let (messages, summary, ledger) = told::<Retold<3>>(&spec);
    assert_eq!((messages.len(), summary.messages), (30_000, 30_000));
    let want = told_of(&market(&spec));
    let heads: Vec<_> = messages.iter().filter(|m| m[0] != b'N').cloned().collect();
    assert!(heads.len() <= 10_000 && heads == want[..heads.len()]);
    // The books are those of what was told, not of the day.
    let mut part = Ledger::default();
    heads.iter().for_each(|m| part.message(0, m).unwrap());
    assert!(!ledger.rows(9).is_empty() && ledger.rows(9) == part.rows(9));
    assert_ne!(ledger.rows(9), expected_book(&spec, 9).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_number_of_messages_can_be_had(messages in 1u64..400, seed in any::<u64>()) {
        for (made, _, _) in [told::<Retold<1>>(&spec(messages, seed)), told::<Retold<2>>(&spec(messages, seed))] {
            prop_assert_eq!(made.len() as u64, messages);
        }
    }
}

/// A venue that only looks.
struct Looking {
    /// The event before, where it said that more follows.
    open: Option<Event>,
    seen: u64,
}

impl Venue for Looking {
    type Framer = MoldFramer;

    const MOST: u64 = 1;

    fn new(_: &Spec) -> Self {
        Looking {
            open: None,
            seen: 0,
        }
    }

    fn framer(spec: &Spec) -> MoldFramer {
        MoldFramer::new(spec)
    }

    fn code(_: &[u8]) -> u16 {
        0
    }

    fn key(_: u16) -> String {
        "any".into()
    }

    fn tell(&mut self, event: &Event, ledger: &Ledger, out: &mut Out<'_>) {
        if let Some(open) = self.open {
            assert_eq!(open.time, event.time, "what happens at once has one time");
        }
        self.open = event.more.then_some(*event);
        self.seen += 1;
        if let What::Cross { .. } = event.what {
            assert!(!event.more || ledger.instruments() > 0);
        }
        let (instrument, symbol) = (event.instrument, event.symbol);
        if let What::Execute { order, shares, .. } = event.what {
            let after = ledger.order(order.id);
            assert_eq!(after.map_or(0, |o| o.shares), order.shares - shares);
            let level = ledger.level(instrument, order.side, order.price);
            let queue = ledger.queue(instrument, order.side, order.price);
            assert_eq!(level.map_or(0, |l| l.orders as usize), queue.len());
            let shares: u64 = queue
                .iter()
                .map(|&id| u64::from(ledger.order(id).unwrap().shares))
                .sum();
            assert_eq!(level.map_or(0, |l| l.shares), shares);
            assert_eq!(ledger.symbol(instrument), symbol);
        }
        if let What::Replace { old, new } = event.what {
            assert_eq!((old.origin, old.instrument), (new.origin, new.instrument));
            assert!(old.id != new.id && ledger.order(old.id).is_none());
            assert_eq!(ledger.order(new.id), Some(&new));
            let rank = ledger.rank(instrument, new.side, new.price);
            let there = ledger.levels(instrument, new.side).nth(rank);
            assert_eq!(there.map(|level| level.price), Some(new.price));
            assert_eq!(
                ledger.queue(instrument, new.side, new.price).last(),
                Some(&new.id)
            );
        }
        for side in [Side::BUY, Side::SELL] {
            if symbol != *b"        " {
                let best = ledger.levels(instrument, side).next();
                assert_eq!(ledger.best(instrument, side), best);
            }
        }
        out.put(b"x");
    }

    fn filler(&mut self, _: u64, out: &mut Out<'_>) {
        out.put(b"x");
    }
}

#[test]
fn an_event_and_the_ledger_agree() {
    let (messages, summary, _) = told::<Looking>(&spec(50_000, 5));
    assert_eq!((messages.len(), summary.messages), (50_000, 50_000));
    assert_eq!(
        summary.by_type,
        BTreeMap::from([("any".to_owned(), 50_000)])
    );
}
