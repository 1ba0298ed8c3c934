use super::*;
use proptest::prelude::*;

/// Latencies up to 10 s.
fn empty() -> Bursts {
    Bursts::new(Resolution::default())
}

/// What packets at these times come to: the figures, and each packet's place.
fn counted(times: &[u64]) -> (BurstTotals, Vec<u64>) {
    let (mut arrivals, mut seen) = (Arrivals::new(), empty());
    let places = times.iter().map(|at| {
        arrivals.arrived(*at, &mut seen);
        arrivals.place()
    });
    let places = places.collect();
    arrivals.finish(&mut seen);
    let mut totals = BurstTotals::new(Resolution::default());
    totals.add(&seen);
    (totals, places)
}

#[test]
fn windows_hold_what_came_in_them() {
    // Three at once, one 9 µs later, one 10 µs after the first, one 99.999 µs after the first, one much later.
    let times = [0, 0, 0, 9_000, 10_000, 99_999, 5_000_000].map(|t| t + 70_000);
    let (totals, places) = counted(&times);
    let [short, middle, long] = totals.windows();
    assert_eq!((short.count, short.max, short.min), (7, 4, 1));
    assert_eq!((middle.max, long.max), (6, 6));
    // 3 3 3 4 2 1 1 in order: half of the packets came as one of at most 3.
    assert_eq!((short.p50, short.p99), (3, 4));
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 1]);
    assert_eq!(totals.crowded(), 0);
}

#[test]
fn latency_is_kept_by_the_place_in_the_crowd() {
    let mut seen = empty();
    for (place, nanos) in [
        (0, 7),
        (1, 100),
        (2, 200),
        (3, 250),
        (4, 400),
        (7, 700),
        (2_048, 9_000),
        (u64::MAX, 9_900),
    ] {
        seen.published(place, nanos);
    }
    let mut totals = BurstTotals::new(Resolution::default());
    totals.add(&seen);
    let latency = totals.latency();
    let counts = latency.map(|q| q.count);
    assert_eq!(counts, [2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    assert_eq!((latency[0].max, latency[1].max), (100, 250));
    assert_eq!(latency[11].max, 9_900);
}

#[test]
fn more_than_can_be_kept_is_counted_as_such() {
    // 6,000 different times within a millisecond.
    let times: Vec<u64> = (0..6_000).map(|i| 1 + i * 150).collect();
    let (totals, _) = counted(&times);
    let [short, middle, long] = totals.windows();
    assert_eq!((short.max, middle.max), (67, 667));
    // The kept ones and the one that has just come.
    assert_eq!(long.max, TIMES as u64);
    assert!(totals.crowded() > 0);
    // As many at one time are no difficulty.
    let (totals, _) = counted(&[5; 6_000]);
    assert_eq!((totals.windows()[0].max, totals.crowded()), (6_000, 0));
}

#[test]
fn sums_are_those_of_their_parts() {
    let (mut arrivals, mut seen) = (Arrivals::new(), empty());
    let mut totals = BurstTotals::new(Resolution::default());
    let mut sum = empty();
    for at in [10, 20, 30, 40] {
        arrivals.arrived(at, &mut seen);
        seen.published(arrivals.place(), 500);
        totals.add(&seen);
        sum.add(&seen);
        seen.reset();
    }
    arrivals.finish(&mut seen);
    totals.add(&seen);
    sum.add(&seen);
    let mut again = BurstTotals::new(Resolution::default());
    again.add(&sum);
    let mut merged = BurstTotals::new(Resolution::default());
    merged.merge(&totals);
    for totals in [&totals, &again, &merged] {
        assert_eq!(totals.windows()[0].count, 4);
        assert_eq!(totals.windows()[2].max, 4);
        assert_eq!(totals.latency().map(|q| q.count)[..3], [1, 2, 1]);
    }
}

/// Slowly: the times as they are taken, where those before the last up to a millisecond are the last, and what is
/// further back begins anew (as another stretch).
fn taken(times: &[u64]) -> Vec<(usize, u64)> {
    let (mut stretch, mut last) = (0, None);
    let taken = times.iter().map(|&at| {
        let at = match last {
            Some(last) if at < last && last - at <= 1_000_000 => last,
            Some(last) if at < last => {
                stretch += 1;
                at
            }
            _ => at,
        };
        last = Some(at);
        (stretch, at)
    });
    taken.collect()
}

proptest! {
    /// Against counting every packet for every packet.
    #[test]
    fn windows_agree_with_counting(
        steps in prop::collection::vec(
            prop_oneof![
                4 => Just(0i64),
                8 => 1i64..20_000,
                3 => 20_000i64..400_000,
                1 => 400_000i64..3_000_000,
                1 => -2_000_000i64..0,
            ],
            1..250,
        )
    ) {
        let mut at = 50_000_000i64;
        let times: Vec<u64> = steps.iter().map(|step| { at = (at + step).max(1); at as u64 }).collect();
        let (totals, places) = counted(&times);
        let taken = taken(&times);
        let within = |of: usize, among: &[(usize, u64)], width: u64| {
            let (stretch, at) = taken[of];
            among.iter().filter(|(s, t)| *s == stretch && *t <= at && at - t < width).count() as u64
        };
        for (window, width) in WINDOWS.into_iter().enumerate() {
            // Packets of one time see all of it.
            let mut all: Vec<u64> = (0..times.len()).map(|i| within(i, &taken, width)).collect();
            all.sort_unstable();
            let found = totals.windows()[window];
            prop_assert_eq!(found.count, all.len() as u64);
            prop_assert_eq!(found.max, all[all.len() - 1]);
            prop_assert_eq!(found.min, all[0]);
            prop_assert_eq!(found.p50, all[all.len().div_ceil(2) - 1]);
        }
        for (i, place) in places.iter().enumerate() {
            prop_assert_eq!(*place, within(i, &taken[..=i], WINDOWS[CROWD]));
        }
    }
}
