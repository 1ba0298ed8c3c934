use super::*;
use proptest::prelude::*;

/// One tick is one nanosecond.
fn meter() -> PauseMeter {
    PauseMeter::new(TickScale::from_ratio(1, 1))
}

/// Rounds of these lengths, the first beginning at 1,000; the pauses found.
fn over(meter: &mut PauseMeter, rounds: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut at = 1_000;
    meter.goes_on(Ticks(at));
    let found = rounds.into_iter().filter_map(|took| {
        at += took;
        meter.nothing(Ticks(at))
    });
    found.collect()
}

#[test]
fn a_round_that_takes_longer_than_usual_is_a_pause() {
    let mut meter = meter();
    assert_eq!(over(&mut meter, [800; 50]), []);
    // Up to 2 µs more is no pause; what is one is as long as it was above the usual.
    assert_eq!(over(&mut meter, [800, 2_500, 800]), []);
    let found = over(&mut meter, [800, 30_800, 800, 5_000_800]);
    assert_eq!(found.len(), 2);
    assert!(found[0].abs_diff(30_000) < 30, "{found:?}");
    assert!(found[1].abs_diff(5_000_000) < 30, "{found:?}");
    let all = 50 * 800 + 4_100 + 800 + 30_800 + 800 + 5_000_800;
    assert_eq!(meter.take_watched(), all);
    assert_eq!(meter.take_watched(), 0);
}

#[test]
fn what_is_usual_is_learnt_whatever_the_first_round_was() {
    let mut meter = meter();
    // It begins in the middle of a stall: then for 3,000 rounds less is found, and never more.
    assert_eq!(over(&mut meter, [5_000_000]), []);
    over(&mut meter, [8_000; 3_000]);
    let found = over(&mut meter, [8_000, 28_000]);
    assert!(
        found.len() == 1 && found[0].abs_diff(20_000) < 100,
        "{found:?}"
    );
    // Twenty sockets more to ask: what was a pause becomes usual.
    let found = over(&mut meter, [16_000; 1_000]);
    assert!((50..1_000).contains(&found.len()), "{}", found.len());
    assert_eq!(over(&mut meter, [16_000; 1_000]), []);
}

#[test]
fn packets_take_their_time_and_their_handling_is_not_watched() {
    let mut meter = meter();
    over(&mut meter, [1_000; 10]);
    meter.take_watched();
    // 64 packets in 100 µs is what copying them may take.
    meter.goes_on(Ticks(1_000_000));
    assert_eq!(meter.packets(64, Ticks(1_100_000)), None);
    // They are handled for 3 ms; then one comes after 40 µs, of which 37 are nobody's.
    meter.goes_on(Ticks(4_100_000));
    let found = meter.packets(1, Ticks(4_140_000)).unwrap();
    assert!(found.abs_diff(37_000) < 20, "{found}");
    assert_eq!(meter.take_watched(), 140_000);
    // Nothing is judged that did not begin with the end of a round.
    assert_eq!(meter.packets(1, Ticks(9_000_000)), None);
    assert_eq!(meter.nothing(Ticks(9_100_000)), None);
    assert_eq!(meter.take_watched(), 0);
}

#[test]
fn own_work_is_nobodys_pause() {
    let mut meter = meter();
    over(&mut meter, [1_000; 10]);
    meter.goes_on(Ticks(50_000));
    meter.own_work();
    assert_eq!(meter.nothing(Ticks(900_000)), None);
    assert!(meter.nothing(Ticks(950_000)).is_some());
    meter.own_work();
    assert_eq!(meter.packets(1, Ticks(990_000)), None);
}

proptest! {
    /// Rounds that differ by less than the threshold are never a pause, and what is longer by more always is, to within
    /// what the rounds differ by.
    #[test]
    fn pauses_are_those_that_were_put_in(
        usual in 200u64..20_000,
        noise in prop::collection::vec((0u64..200, prop::option::weighted(0.05, 5_000u64..50_000_000)), 600..900),
    ) {
        let mut meter = meter();
        over(&mut meter, [usual + 100; 300]);
        let rounds: Vec<u64> = noise.iter().map(|(n, pause)| usual + n + pause.unwrap_or(0)).collect();
        let found = over(&mut meter, rounds);
        let put: Vec<u64> = noise.iter().filter_map(|(_, pause)| *pause).collect();
        prop_assert_eq!(found.len(), put.len());
        let slack = 210 + usual / 10;
        for (found, put) in found.iter().zip(&put) {
            prop_assert!(found.abs_diff(*put) <= slack, "{} for {}", found, put);
        }
    }
}
