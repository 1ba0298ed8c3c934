//! What made sessions are like: the course of the day, the mix of order flow, prices, depth, lifetimes, arrivals.

use super::reader::Reader;
use super::{itch, make, read};
use feed_common::wire::itch50::Message;
use feed_common::wire::moldudp64;
use feed_replay::synth::{Bursts, Mix, Spec, generate};
use std::collections::BTreeMap;

#[test]
fn all_types_are_there_and_the_day_has_its_course() {
    for seed in 0..4 {
        let (packets, _) = make(&itch(100_000, seed));
        let reader = read(&packets);
        // W is for days on which the market breaks down.
        assert_eq!(reader.types(), "ABCDEFHIJKLNOPQRSUVXYh");
        let halts = &reader.halts;
        let of = |reason: &[u8; 4]| halts.get(reason).copied().unwrap_or(0);
        assert_eq!(
            (of(b"T1  "), of(b"LUDP"), of(b"IPO1")),
            (2, 2, 2),
            "{halts:?}"
        );
        let crosses = |kind| {
            let with = |shares| reader.crosses.get(&(kind, shares)).copied().unwrap_or(0);
            with(true) + with(false)
        };
        // Two instruments are listed after the open.
        assert_eq!((crosses(b'O'), crosses(b'H'), crosses(b'C')), (98, 6, 100));
        assert!(reader.crosses[&(b'O', true)] > 50 && reader.crosses[&(b'C', true)] > 50);
        assert!(reader.uncrossed > 10, "books are crossed before the open");
    }
}

#[test]
fn the_circuit_breaker_halts_everything_once() {
    let spec = Spec {
        breaker: true,
        ..itch(100_000, 3)
    };
    let reader = read(&make(&spec).0);
    assert_eq!(reader.by_type[&b'W'], 1);
    assert!(reader.halts[b"MWC1"] > 90);
    assert!(reader.crosses[&(b'H', true)] > 90, "and they trade again");
    assert_eq!(reader.types(), "ABCDEFHIJKLNOPQRSUVWXYh");
}

#[test]
fn halts_are_as_many_as_asked_for() {
    for (halts, want) in [(0, 0), (1, 1), (25, 25), (1_000, 55)] {
        let spec = Spec {
            halts,
            ..itch(56_000, 1)
        };
        let reader = read(&make(&spec).0);
        let count: u64 = [b"T1  ", b"LUDP"]
            .iter()
            .filter_map(|&reason| reader.halts.get(reason))
            .sum();
        assert!(
            count <= want && count + want / 20 >= want,
            "{count} for {want}"
        );
    }
}

#[test]
fn order_flow_has_the_mix_asked_for() {
    let near = |have: u64, want: u64, of: &str| {
        let most = want / 12 + 12;
        assert!(
            have.abs_diff(want) <= most,
            "{of}: {have} for {want} in 10,000"
        );
    };
    let other = "F=5,U=12,E=6,C=1,X=4,P=2.5".parse().unwrap();
    for (mix, symbols, seed) in [(Mix::USUAL, 100, 1), (Mix::USUAL, 10, 2), (other, 30, 3)] {
        let spec = Spec {
            mix,
            symbols,
            ..itch(150_000, seed)
        };
        let reader = read(&make(&spec).0);
        let part = |kinds: &[u8]| reader.part_in_hours(kinds);
        near(part(b"F"), mix.attributed.into(), "F");
        near(part(b"U"), mix.replace.into(), "U");
        near(part(b"E"), mix.execute.into(), "E");
        near(part(b"X"), mix.cancel.into(), "X");
        near(part(b"P"), mix.hidden.into(), "P");
        let prints = u64::from(mix.execute_at);
        assert!(
            (prints * 9 / 10..prints + 100).contains(&part(b"C")),
            "{}",
            part(b"C")
        );
        // Adds make good for what was executed or deleted.
        let (adds, deletes) = (part(b"AF"), part(b"D"));
        assert!(adds > deletes && adds < deletes + 900, "{adds} {deletes}");
        if mix == Mix::USUAL {
            assert!((4_300..4_800).contains(&adds) && (3_800..4_300).contains(&deletes));
        }
    }
}

#[test]
fn orders_are_near_the_best_live_short_and_trade_in_sweeps() {
    let mut reader = read(&make(&itch(300_000, 5)).0);
    let count = |range: std::ops::Range<u64>| {
        let near = reader.distances.iter().filter(|d| range.contains(&d.0));
        (
            near.clone().count(),
            near.map(|d| u64::from(d.1)).sum::<u64>(),
        )
    };
    let all = reader.distances.len();
    let [
        (touch, _),
        (close, close_shares),
        (mid, _),
        (far, far_shares),
    ] = [count(0..1), count(1..10), count(10..20), count(40..1_000)];
    assert!(
        touch > all / 4 && close > all / 5,
        "{touch} and {close} of {all}"
    );
    assert!(
        mid < close / 2 && far < mid && far > all / 200,
        "{mid} {far} of {all}"
    );
    let larger = |far: u64, near: u64| far as f64 / near as f64;
    let sizes = larger(far_shares, far as u64) / larger(close_shares, close as u64);
    assert!(sizes > 1.5, "far orders are {sizes} times as large");

    reader.ages.sort_unstable();
    let (median, deep) = (
        reader.ages[reader.ages.len() / 2],
        reader.ages[reader.ages.len() * 95 / 100],
    );
    assert!(median < 60 && deep > 20 * median, "{median} {deep}");

    let sweeps: u64 = reader.sweeps.values().sum();
    let wide: u64 = reader.sweeps.range(2..).map(|(_, n)| n).sum();
    assert!(wide * 10 > sweeps && reader.sweeps.range(4..).next().is_some());
}

#[test]
fn prices_move_and_some_are_below_a_dollar() {
    let spec = itch(300_000, 2);
    let (packets, _) = make(&spec);
    let mut prices = BTreeMap::<u16, Vec<u32>>::new();
    let mut reader = Reader::default();
    for (_, payload) in &packets {
        for block in moldudp64::parse(payload).unwrap().1 {
            reader.message(block);
            if let Ok(Message::Trade(m)) = Message::parse(block) {
                prices
                    .entry(m.stock_locate.get())
                    .or_default()
                    .push(m.price.get());
            }
        }
    }
    prices.retain(|_, of| of.len() >= 100);
    assert!(prices.len() >= 4);
    let mut spans = Vec::new();
    for of in prices.values() {
        let (low, high) = (of.iter().min().unwrap(), of.iter().max().unwrap());
        assert!(high <= &(low * 2), "{low} to {high}");
        spans.push((high - low) / if *low < 10_000 { 1 } else { 100 });
    }
    assert!(spans.iter().all(|&ticks| ticks >= 2), "{spans:?}");
    assert!(spans.iter().any(|&ticks| ticks >= 10), "{spans:?}");
    let penny = reader
        .instruments
        .values()
        .filter(|i| i.best(b'B').is_some_and(|b| b < 10_000));
    assert!((1..30).contains(&penny.count()));
}

#[test]
fn arrivals_have_the_rate_and_the_bursts_asked_for() {
    // Counts of messages in windows of 1 ms of market hours: mean, and variance over mean.
    let windows = |bursts| {
        let spec = Spec {
            bursts,
            halts: 0,
            ..itch(400_000, 3)
        };
        let mut counts = BTreeMap::<u64, u64>::new();
        for (_, payload) in &make(&spec).0 {
            for block in moldudp64::parse(payload).unwrap().1 {
                let time = block[5..11].iter().fold(0, |t, &b| t << 8 | u64::from(b));
                *counts.entry(time / 1_000_000).or_default() += 1;
            }
        }
        let open = 9 * 3_600_000 + 30 * 60_000;
        // The opening crosses and the listings are over then.
        let hours: Vec<f64> = (open + 1_000..open + 3_000)
            .map(|ms| *counts.get(&ms).unwrap_or(&0) as f64)
            .collect();
        let n = hours.len() as f64;
        let mean = hours.iter().sum::<f64>() / n;
        (
            mean,
            hours.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n / mean,
        )
    };
    let (mean, dispersion) = windows(Bursts {
        factor: 1,
        share: 0,
    });
    assert!((97.0..103.0).contains(&mean), "{mean}");
    assert!(dispersion < 4.0, "{dispersion}"); // sweeps alone
    let (mean, dispersion) = windows(Bursts::USUAL);
    assert!((90.0..110.0).contains(&mean), "{mean}");
    assert!(dispersion > 30.0, "{dispersion}");
}

#[test]
fn activity_is_uneven_and_orders_stay_live() {
    let (packets, summary) = make(&Spec {
        symbols: 50,
        ..itch(200_000, 5)
    });
    assert_eq!(summary.symbols, 50);
    let mut by_symbol = BTreeMap::<u16, u64>::new();
    for (_, payload) in &packets {
        for block in moldudp64::parse(payload).unwrap().1 {
            *by_symbol
                .entry(u16::from_be_bytes([block[1], block[2]]))
                .or_default() += 1;
        }
    }
    let mut counts: Vec<_> = by_symbol.into_values().collect();
    counts.sort_unstable();
    // Zipf over 50: the first has 22 % of everything, the middle one 0.9 %.
    assert!(counts[50] > 35_000 && counts[25] < 4_000, "{counts:?}");
    let live = read(&packets).orders.len();
    assert!((4_000..12_000).contains(&live), "{live}");
}

#[test]
fn live_orders_stay_bounded_however_long_the_session() {
    let spec = Spec {
        symbols: 1,
        ..itch(200_000, 6)
    };
    let mut reader = Reader::default();
    let mut most = 0;
    generate(&spec, &mut |_, payload: &[u8]| {
        moldudp64::parse(payload)
            .unwrap()
            .1
            .for_each(|m| reader.message(m));
        most = most.max(reader.orders.len());
        Ok(())
    })
    .unwrap();
    // 3000 per instrument on average, and never twice that.
    assert!((2_000..6_000).contains(&most), "{most}");
}
