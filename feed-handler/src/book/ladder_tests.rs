use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Blocks in use, that each two neighbours are joined both ways and hold what the bound rests on, and that the stations
/// are chained in their order, none left out.
fn blocks(ladders: &Ladders, top: u32) -> usize {
    let (mut count, mut at, mut better) = (0, top, NONE);
    let mut station = top;
    while at != NONE {
        let block = &ladders.blocks[at];
        assert_eq!(block.is_station(), at == station);
        if block.is_station() {
            station = block.station;
        }
        assert!((1..=RUNGS as u32).contains(&block.len));
        assert_eq!(block.better, better);
        if better != NONE {
            assert!((block.len + ladders.blocks[better].len) as usize > MERGED);
        }
        (count, better, at) = (count + 1, at, block.deeper);
    }
    assert_eq!(station, NONE);
    count
}

/// Toggles keys of two sides and compares with maps after each.
fn toggle(keys: &[(bool, i64)]) -> Result<(), TestCaseError> {
    // Just as many blocks as are promised to be enough, the array's rounding aside.
    let mut ladders = Ladders::new(keys.len(), 2).unwrap();
    let (mut tops, mut maps) = ([NONE; 2], [BTreeMap::new(), BTreeMap::new()]);
    for (level, &(side, key)) in keys.iter().enumerate() {
        let (side, level) = (usize::from(side), level as u32);
        let (top, map) = (&mut tops[side], &mut maps[side]);
        let rank = ladders.find(*top, key);
        prop_assert_eq!(rank.level, map.get(&key).copied());
        match rank.level {
            Some(_) => {
                ladders.remove(top, rank);
                map.remove(&key);
            }
            None => {
                ladders.insert(top, rank, key, level);
                map.insert(key, level);
            }
        }
        let mut used = 0;
        for (&top, map) in tops.iter().zip(&maps) {
            let mut seen = Vec::new();
            seen.extend(ladders.levels(top));
            prop_assert_eq!(&seen, &map.values().rev().copied().collect::<Vec<_>>());
            prop_assert_eq!(ladders.best(top), seen.first().copied());
            used += blocks(&ladders, top);
        }
        let levels = maps[0].len() + maps[1].len();
        prop_assert!(used <= levels.min(2) + 2 * levels / (MERGED + 1));
    }
    Ok(())
}

#[test]
fn rises_falls_and_fills_from_the_middle() {
    let up = (0..200).map(|i| (false, i));
    let down = (0..200).rev().map(|i| (false, i));
    let middle = (0..200).map(|i| (true, if i % 2 == 0 { i } else { -i }));
    let keys: Vec<_> = up.clone().chain(up).chain(middle.clone()).collect();
    toggle(&keys).unwrap();
    let keys: Vec<_> = down.clone().chain(down).chain(middle).collect();
    toggle(&keys).unwrap();
}

/// How many blocks are looked at to find a key.
fn looked_at(ladders: &Ladders, top: u32, key: i64) -> usize {
    let (mut at, mut count) = (top, 1);
    let expected = ladders.find(top, key).block;
    while at != expected {
        (at, count) = (ladders.beyond(&ladders.blocks[at], key), count + 1);
    }
    count
}

#[test]
fn what_is_deep_is_found_by_way_of_the_stations() {
    const LEVELS: i64 = 20_000;
    let mut ladders = Ladders::new(LEVELS as usize, 1).unwrap();
    let mut top = NONE;
    // In an order that splits blocks everywhere.
    for i in 0..LEVELS {
        let key = i * 7_919 % LEVELS;
        let rank = ladders.find(top, key);
        ladders.insert(&mut top, rank, key, key as u32);
    }
    let most = |ladders: &Ladders, top| {
        let all = (0..LEVELS).map(|key| looked_at(ladders, top, key));
        all.max().unwrap()
    };
    let all = blocks(&ladders, top);
    let before = most(&ladders, top);
    assert!(before < all / 2, "{before} of {all}");
    // With nine of ten levels gone, from both ends and the middle.
    for key in (0..LEVELS).filter(|key| key % 10 != 3) {
        let rank = ladders.find(top, key);
        assert_eq!(rank.level, Some(key as u32));
        ladders.remove(&mut top, rank);
    }
    let left = blocks(&ladders, top);
    for key in (3..LEVELS).step_by(10) {
        assert_eq!(ladders.find(top, key).level, Some(key as u32));
    }
    assert!(left < all / 5, "{left} of {all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn equals_a_map(keys in prop::collection::vec((any::<bool>(), 0i64..120), 0..600)) {
        toggle(&keys)?;
    }
}
