use super::super::levels::BIDS;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Levels 0 and 1, as queues of orders.
fn two_levels() -> Levels {
    let mut levels = Levels::new(2).unwrap();
    levels.take(BIDS, 1);
    levels.take(BIDS, 2);
    levels
}

fn record(instrument: u32, order_id: u64, level: u32) -> Record {
    Record {
        order_id,
        quantity: order_id + 1,
        instrument,
        level,
        previous: NONE,
        next: NONE,
    }
}

/// The orders of a queue, followed from both ends.
fn queue(orders: &Orders, level: &super::super::levels::Level) -> Vec<(u32, u64)> {
    let walk = |first: u32, step: fn(&Record) -> u32| {
        let places = std::iter::successors(Some(first), |&at| Some(step(orders.at(at))));
        let records = places.take_while(|&at| at != NONE).map(|at| orders.at(at));
        records.map(|r| (r.instrument, r.order_id)).collect()
    };
    let forth: Vec<_> = walk(level.head, |r| r.next);
    let mut back: Vec<_> = walk(level.tail, |r| r.previous);
    back.reverse();
    assert_eq!(forth, back);
    forth
}

#[test]
fn a_full_table_ends_every_search() {
    let mut levels = two_levels();
    let mut orders = Orders::with_places(3, 1).unwrap();
    for id in 0..3 {
        assert!(!orders.is_full());
        let vacant = orders.seek(7, id).unwrap_err();
        orders.join(vacant, record(7, id, 0), &mut levels);
    }
    assert!(orders.is_full());
    assert_eq!(orders.places.len(), 4);
    for id in 3..100 {
        assert!(orders.seek(7, id).is_err());
        assert!(orders.seek(8, id % 3).is_err());
    }
}

#[test]
fn numbers_in_rows_spread_over_the_table() {
    let orders = Orders::new(1 << 14).unwrap();
    // As exchanges give them out: ascending, some instruments sharing them, some counting for themselves.
    for numbers in [
        |i: u64| (0, i),
        |i: u64| (0, 4 * i + 1_000_000_000),
        |i: u64| (i as u32 % 100, i),
        |i: u64| (i as u32 % 100, i / 100),
        |i: u64| (i as u32 % 100, (i / 100) << 32),
    ] {
        let mut homes = vec![0; orders.places.len()];
        for i in 0..1 << 14 {
            let (instrument, order_id) = numbers(i);
            homes[orders.home(instrument, order_id) as usize] += 1;
        }
        let most = homes.iter().max();
        assert!(most <= Some(&8), "{most:?} orders hash to one place");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// In tables so full that chains wrap around the end and removals move many, nothing is lost and queues keep order.
    #[test]
    fn equals_a_map_and_two_lists(
        steps in prop::collection::vec((0u32..2, 0u64..24, 0u32..2), 0..200),
        limit in 1usize..32,
    ) {
        let mut levels = two_levels();
        let mut orders = Orders::with_places(limit, limit + 1).unwrap();
        let mut map = BTreeMap::new();
        let mut lists = [vec![], vec![]];
        for (instrument, order_id, level) in steps {
            let key = (instrument, order_id);
            match orders.seek(instrument, order_id) {
                Ok(at) => {
                    let level = map.remove(&key).expect("in the map too");
                    prop_assert_eq!(orders.at(at).level, level);
                    orders.leave(at, &mut levels);
                    lists[level as usize].retain(|&other| other != key);
                }
                Err(vacant) => {
                    prop_assert!(!map.contains_key(&key));
                    if !orders.is_full() {
                        orders.join(vacant, record(instrument, order_id, level), &mut levels);
                        map.insert(key, level);
                        lists[level as usize].push(key);
                    }
                }
            }
            prop_assert_eq!(orders.live(), map.len());
            for level in [0, 1] {
                prop_assert_eq!(&queue(&orders, levels.at(level)), &lists[level as usize]);
            }
            for &(instrument, order_id) in map.keys() {
                let at = orders.seek(instrument, order_id);
                prop_assert_eq!(at.map(|at| orders.at(at).quantity), Ok(order_id + 1));
            }
        }
    }
}
