//! Made native sessions, read back.

use feed_common::event::{Flags, Kind, Price};
use feed_common::time::UnixNanos;
use feed_common::wire::native::{Batch, arrangement, frame};
use feed_replay::synth::{GenerateError, Layout, Protocol, Spec, generate, generate_messages};
use std::collections::BTreeSet;

fn make(spec: &Spec) -> Vec<(UnixNanos, Vec<u8>)> {
    let mut packets = Vec::new();
    let summary = generate(spec, &mut |time, payload: &[u8]| {
        packets.push((time, payload.to_vec()));
        Ok(())
    })
    .unwrap();
    assert_eq!(summary.messages, spec.messages.max(1));
    assert_eq!(summary.packets, packets.len() as u64);
    packets
}

#[test]
fn records_and_columns_carry_the_same_session() {
    let read = |layout| {
        let packets = make(&Spec::new(Protocol::Native(layout), 20_000, 3));
        let mut arrangements = BTreeSet::new();
        let mut records = Vec::new();
        for (time, payload) in &packets {
            let (batch, rest) = Batch::parse(payload).unwrap();
            assert!(rest.is_empty() && payload.len() <= 1472);
            let header = batch.header();
            assert_eq!(
                (header.sequence.get(), header.sent.get()),
                (records.len() as u64 + 1, time.0)
            );
            let data = batch.market_data().unwrap();
            if header.frame == frame::DATA {
                arrangements.insert(header.arrangement);
            }
            records.extend((0..data.len()).map(|i| data.get(i).unwrap()));
        }
        let end = Batch::parse(&packets.last().unwrap().1).unwrap().0;
        assert_eq!(end.header().frame, frame::END_OF_SESSION);
        assert_eq!(records.len(), 20_000);
        (records, arrangements)
    };
    let (whole, in_records) = read(Layout::Records);
    let (columns, in_columns) = read(Layout::Columns);
    let (mixed, in_both) = read(Layout::Mixed);
    assert!(whole == columns && whole == mixed);
    assert_eq!(in_records, [arrangement::RECORDS].into());
    assert_eq!(in_columns, [arrangement::COLUMNS].into());
    assert_eq!(in_both, [arrangement::RECORDS, arrangement::COLUMNS].into());

    let mut records = whole.iter();
    let mut last = 0;
    while let Some(record) = records.next() {
        let price = record.price.get();
        assert!(
            price > 0 && price % 10_000_000 == 0,
            "whole cents, no loss: {price}"
        );
        assert!(record.timestamp.get() >= last);
        last = record.timestamp.get();
        let closed = Flags(record.flags.get()).has(Flags::END_OF_EVENT);
        match Kind(record.kind) {
            Kind::TRADE => assert!(closed),
            Kind::BID => {
                let offer = records.next().expect("an offer after every bid");
                assert_eq!(
                    (Kind(offer.kind), offer.symbol),
                    (Kind::OFFER, record.symbol)
                );
                assert!(!closed && Flags(offer.flags.get()).has(Flags::END_OF_EVENT));
                assert!(Price(price) < Price(offer.price.get()));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn seeds_differ_in_price_types_and_repeat_exactly() {
    let mut types = BTreeSet::new();
    for seed in 0..40 {
        let spec = Spec::new(Protocol::Native(Layout::Mixed), 101, seed);
        let packets = make(&spec);
        assert!(packets == make(&spec));
        let header = *Batch::parse(&packets[0].1).unwrap().0.header();
        types.insert((
            header.price_width,
            header.price_decimals,
            header.price_format,
        ));
    }
    assert!(types.len() >= 6, "{types:?}");
}

#[test]
fn the_smallest_sessions() {
    for messages in 0..20 {
        make(&Spec::new(
            Protocol::Native(Layout::Mixed),
            messages,
            messages,
        ));
    }
}

#[test]
fn there_are_no_bare_native_messages() {
    struct Nowhere;
    impl feed_replay::synth::MessageSink for Nowhere {
        fn message(&mut self, _: u64, _: &[u8]) -> std::io::Result<()> {
            Ok(())
        }
    }
    let spec = Spec::new(Protocol::Native(Layout::Mixed), 10, 0);
    assert!(matches!(
        generate_messages(&spec, &mut Nowhere),
        Err(GenerateError::Spec(_))
    ));
}
