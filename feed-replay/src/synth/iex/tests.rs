use super::*;
use crate::synth::told::{Ledger, Venue, session};
use crate::synth::{Protocol, Summary};
use feed_common::event::Side;
use feed_common::wire::iex::Message;
use feed_common::wire::iextp::{self, Header};
use std::collections::BTreeMap;
use zerocopy::FromBytes;

struct Told {
    headers: Vec<Header>,
    messages: Vec<Vec<u8>>,
    summary: Summary,
    ledger: Ledger,
}

fn told<V: Venue>(protocol: Protocol, messages: u64, seed: u64) -> Told {
    let spec = Spec {
        symbols: 10,
        breaker: true,
        ..Spec::new(protocol, messages, seed)
    };
    let (mut headers, mut all) = (Vec::new(), Vec::new());
    let mut sink = |_: UnixNanos, payload: &[u8]| {
        let (header, blocks) = iextp::parse(payload).expect("a segment");
        headers.push(*header);
        all.extend(blocks.map(<[u8]>::to_vec));
        Ok(())
    };
    let (summary, ledger) = session::<V>(&spec, &mut sink).expect("no sink that fails");
    Told {
        headers,
        messages: all,
        summary,
        ledger,
    }
}

fn deep(messages: u64) -> Told {
    told::<Deep>(Protocol::IexDeep, messages, 3)
}

fn tops(messages: u64) -> Told {
    told::<Tops>(Protocol::IexTops, messages, 4)
}

fn deep_plus(messages: u64) -> Told {
    told::<DeepPlus>(Protocol::IexDeepPlus, messages, 5)
}

#[test]
fn segments_number_messages_and_bytes_through() {
    for (protocol, told) in [
        (iextp::DEEP_1_0, deep(20_000)),
        (iextp::TOPS_1_6, tops(20_000)),
        (iextp::DEEP_PLUS_1_0, deep_plus(20_000)),
    ] {
        let (mut sequence, mut offset) = (1, 0);
        let mut time = 0;
        for header in &told.headers {
            assert_eq!(header.message_protocol_id.get(), protocol);
            assert_eq!(header.session_id, told.headers[0].session_id);
            assert_eq!(
                (header.first_sequence.get(), header.stream_offset.get()),
                (sequence, offset)
            );
            sequence += u64::from(header.message_count.get());
            offset += u64::from(header.payload_length.get());
            assert!(header.send_time.get() >= time, "time goes on");
            time = header.send_time.get();
        }
        assert_eq!(told.messages.len(), 20_000);
        assert_eq!(told.summary.messages, 20_000);
        assert_eq!(told.headers[told.headers.len() - 1].message_count.get(), 0);
        assert!(
            told.messages
                .iter()
                .all(|m| iex::length_of(m[0]) == Some(m.len())),
            "every message has its type's length"
        );
    }
}

#[test]
fn a_session_has_few_messages_that_change_nothing() {
    for told in [deep(100_000), tops(100_000), deep_plus(100_000)] {
        let fillers = told
            .messages
            .iter()
            .filter(|m| m.get(10..18) == Some(b"ZIEXT   "));
        let fillers = fillers.count();
        assert!(fillers < 10_000, "{fillers} of {:?}", told.summary.by_type);
        assert_eq!(
            told.messages.last().map(|m| m[0]),
            Some(b'I'),
            "the day is told whole"
        );
    }
}

/// Reads levels as the document says, and holds them against the market's.
#[test]
fn deep_levels_come_to_the_books_and_every_event_ends() {
    let told = deep(50_000);
    let mut levels = BTreeMap::new();
    let mut open = None;
    let mut several = 0;
    for message in &told.messages {
        let Some(m) = level(message) else { continue };
        let key = (m.symbol, message[0], m.price.get());
        match m.size.get() {
            0 => levels.remove(&key),
            size => levels.insert(key, size),
        };
        assert!(
            open.is_none_or(|symbol| symbol == m.symbol),
            "one at a time"
        );
        open = match m.event_flags {
            iex::EVENT_COMPLETE => None,
            _ => {
                several += 1;
                Some(m.symbol)
            }
        };
    }
    assert_eq!(open, None);
    assert!(
        several > 100,
        "{several} updates were not the last of theirs"
    );
    let mut want = BTreeMap::new();
    for i in 0..told.ledger.instruments() {
        for (kind, side) in [(iex::BUY, Side::BUY), (iex::SELL, Side::SELL)] {
            for total in told.ledger.levels(i, side) {
                let key = (told.ledger.symbol(i), kind, i64::from(total.price));
                want.insert(key, total.shares as u32);
            }
        }
    }
    assert!(!want.is_empty());
    assert_eq!(levels, want);
}

fn level(message: &[u8]) -> Option<&iex::PriceLevelBuy> {
    match message[0] {
        // Both have the same fields.
        iex::BUY | iex::SELL => iex::PriceLevelBuy::ref_from_bytes(message).ok(),
        _ => None,
    }
}

#[test]
fn deep_plus_orders_come_to_the_books() {
    let told = deep_plus(50_000);
    let mut orders = BTreeMap::new();
    let (mut kept, mut lost) = (0, 0);
    for message in &told.messages {
        match Message::parse(message).expect("a message") {
            Message::AddOrder(m) => {
                let order = (m.symbol, m.side, m.price.get(), m.size.get());
                assert_eq!(orders.insert(m.order_id.get(), order), None);
            }
            Message::OrderModify(m) => {
                let order = orders.get_mut(&m.order_id.get()).expect("a live order");
                (order.2, order.3) = (m.price.get(), m.size.get());
                match m.modify_flags & iex::KEEPS_PRIORITY {
                    0 => lost += 1,
                    _ => kept += 1,
                }
            }
            Message::OrderExecuted(m) => {
                let order = orders.get_mut(&m.order_id.get()).expect("a live order");
                order.3 -= m.size.get();
                if order.3 == 0 {
                    orders.remove(&m.order_id.get());
                }
            }
            Message::OrderDelete(m) => {
                orders.remove(&m.order_id.get()).expect("a live order");
            }
            _ => {}
        }
    }
    assert!(kept > 100 && lost > 100, "{kept} {lost}");
    let mut have = BTreeMap::<_, (u64, u32)>::new();
    for (symbol, side, price, size) in orders.into_values() {
        let level = have.entry((symbol, side, price)).or_default();
        *level = (level.0 + u64::from(size), level.1 + 1);
    }
    let mut want = BTreeMap::new();
    for i in 0..told.ledger.instruments() {
        for (kind, side) in [(iex::BUY, Side::BUY), (iex::SELL, Side::SELL)] {
            for total in told.ledger.levels(i, side) {
                let key = (told.ledger.symbol(i), kind, i64::from(total.price));
                want.insert(key, (total.shares, total.orders));
            }
        }
    }
    assert_eq!(have, want);
}

#[test]
fn tops_quotes_are_the_best_of_the_books() {
    let told = tops(50_000);
    let mut quotes = BTreeMap::new();
    for message in &told.messages {
        if let Ok(Message::QuoteUpdate(m)) = Message::parse(message) {
            let quote = [
                (m.bid_price.get(), m.bid_size.get()),
                (m.ask_price.get(), m.ask_size.get()),
            ];
            assert_ne!(quotes.insert(m.symbol, quote), Some(quote), "a change");
        }
    }
    assert!(!quotes.is_empty());
    for i in 0..told.ledger.instruments() {
        let best = |side| {
            let best = told.ledger.best(i, side);
            best.map_or((0, 0), |t| (i64::from(t.price), t.shares as u32))
        };
        let want = [best(Side::BUY), best(Side::SELL)];
        let have = quotes.get(&told.ledger.symbol(i)).copied();
        assert_eq!(have.unwrap_or_default(), want);
    }
}

#[test]
fn volume_is_the_same_in_all_feeds() {
    let volume = |told: &Told| {
        let mut volume = 0u64;
        for message in &told.messages {
            match Message::parse(message).expect("a message") {
                Message::TradeReport(m) => volume += u64::from(m.size.get()),
                Message::OrderExecuted(m) => volume += u64::from(m.size.get()),
                _ => {}
            }
        }
        volume
    };
    // The same market: as many of its events, told whole or filled up.
    let deep = told::<Deep>(Protocol::IexDeep, 80_000, 9);
    let plus = told::<DeepPlus>(Protocol::IexDeepPlus, Deep::events(80_000), 9);
    assert!(volume(&deep) > 0);
    assert_eq!(volume(&deep), volume(&plus));
}
