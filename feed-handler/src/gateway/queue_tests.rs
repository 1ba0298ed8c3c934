use super::*;
use crate::gateway::update::Memory;
use crate::gateway::update::tests::{source, update};
use feed_common::event::Kind;
use proptest::prelude::*;

fn memory() -> Arc<Memory> {
    Arc::new(Memory::new(usize::MAX))
}

/// Positions of records; what is missing as negative numbers: lost as it is, skipped below -1,000, conflated below -2,000;
/// states as 1,000 and more.
fn told(queue: &mut Queue) -> Vec<i64> {
    let mut out = VecDeque::new();
    queue.take(usize::MAX, &mut out);
    let number = |item: &Item| match item {
        Item::Update(update) => update.position as i64,
        Item::Missing { why, count, .. } => {
            let base = match why {
                Missing::Lost => 0,
                Missing::Skipped => -1_000,
                Missing::Conflated => -2_000,
            };
            base - *count as i64
        }
        Item::State { state, .. } => 1_000 + *state as i64,
    };
    out.iter().map(number).collect()
}

fn filled(policy: Policy, room: usize, updates: &[(Kind, u32)]) -> Queue {
    let mut queue = Queue::new(room, policy);
    for (position, (kind, instrument)) in updates.iter().enumerate() {
        let update = update(*kind, *instrument, 1 + position as u64, &memory());
        queue.push(&update, false);
    }
    queue
}

#[test]
fn with_room_everything_comes_in_order() {
    for policy in [Policy::Skip, Policy::Conflate, Policy::Disconnect] {
        let mut queue = filled(policy, 4, &[(Kind::BID, 1); 4]);
        assert_eq!(told(&mut queue), [1, 2, 3, 4]);
        assert_eq!(queue.counts().taken, 4);
    }
}

#[test]
fn who_skips_goes_on_with_the_newest() {
    let mut queue = filled(Policy::Skip, 4, &[(Kind::ADD, 1); 10]);
    // Full at 5, and at 8, as what is missing takes a place.
    assert_eq!(told(&mut queue), [-1_007, 8, 9, 10]);
    let counts = queue.counts();
    assert_eq!((counts.taken, counts.skipped), (3, 7));
}

#[test]
fn who_conflates_gets_the_newest_state_of_each_instrument() {
    let bid = |instrument| (Kind::BID, instrument);
    let updates = [
        bid(1),
        bid(1),
        bid(1),
        bid(2),
        bid(1),
        (Kind::ADD, 1),
        bid(1),
    ];
    let mut queue = filled(Policy::Conflate, 2, &updates);
    // 3 waited and was replaced by 5 and 7; an order cannot be put together again.
    assert_eq!(told(&mut queue), [1, 2, -2_002, -1, 7, 4]);
    let counts = queue.counts();
    assert_eq!((counts.taken, counts.conflated, counts.lost), (4, 2, 1));
    // Emptied, it is a queue again.
    queue.push(&update(Kind::ADD, 1, 8, &memory()), false);
    assert_eq!(told(&mut queue), [8]);
}

#[test]
fn what_waits_stays_behind_what_is_in_the_queue() {
    let mut queue = filled(
        Policy::Conflate,
        2,
        &[(Kind::BID, 1), (Kind::BID, 2), (Kind::BID, 3)],
    );
    let mut out = VecDeque::new();
    queue.take(1, &mut out);
    // There is a place now, but it is not this one's.
    queue.push(&update(Kind::BID, 4, 4, &memory()), false);
    assert_eq!(told(&mut queue), [2, 3, 4]);
}

#[test]
fn who_wants_to_be_dropped_is() {
    let mut queue = filled(Policy::Disconnect, 4, &[(Kind::BID, 1); 5]);
    assert_eq!(queue.ending().unwrap().name(), "too_slow");
    assert!(told(&mut queue).is_empty());
    queue.end(Ending::Left);
    queue.miss(&source(0, 1), Missing::Lost, 3);
    queue.state(&source(0, 1), State::Ended, 3);
    assert_eq!(queue.ending().unwrap(), &Ending::TooSlow(4));
    assert!(told(&mut queue).is_empty());
}

#[test]
fn without_memory_a_queue_holds_one() {
    let pushed = |policy| {
        let mut queue = Queue::new(100, policy);
        for position in 1..=3 {
            let update = update(Kind::BID, position as u32, position, &memory());
            queue.push(&update, true);
        }
        told(&mut queue)
    };
    assert_eq!(pushed(Policy::Skip), [-1_002, 3]);
    assert_eq!(pushed(Policy::Conflate), [1, -2]);
}

#[test]
fn states_are_kept_when_records_go_and_are_told_once_while_nothing_is_taken() {
    let mut queue = filled(Policy::Skip, 2, &[(Kind::BID, 1), (Kind::BID, 1)]);
    let (one, other) = (source(0, 1), source(1, 1));
    queue.state(&one, State::Died, 2);
    queue.state(&other, State::Ended, 2);
    for generation in 2..100 {
        queue.state(&source(0, generation), State::Live, 0);
        queue.state(&source(0, generation), State::Died, 0);
    }
    assert_eq!(told(&mut queue), [1, 2, 1_001, 1_002]);
    queue.state(&one, State::Ended, 2);
    queue.push(&update(Kind::BID, 1, 3, &memory()), false);
    queue.push(&update(Kind::BID, 1, 4, &memory()), false);
    assert_eq!(told(&mut queue), [1_001, -1_001, 4]);
}

#[test]
fn what_waits_of_an_earlier_writer_is_void() {
    let mut queue = filled(Policy::Conflate, 1, &[(Kind::BID, 1), (Kind::BID, 2)]);
    queue.state(&source(0, 2), State::Live, 0);
    queue.miss(&source(0, 2), Missing::Lost, 5);
    assert_eq!(told(&mut queue), [1, 1_000, -5, -2_001]);
}

proptest! {
    /// Every record is handed over once, or counted once; positions ascend where nothing is conflated; no queue is longer
    /// than it may be.
    #[test]
    fn every_record_is_handed_over_or_counted(
        policy in prop_oneof![Just(Policy::Skip), Just(Policy::Conflate)],
        room in 1usize..6,
        steps in prop::collection::vec((0u8..4, 0u32..3, any::<bool>()), 0..80),
    ) {
        let memory = memory();
        let (mut queue, mut pushed, mut got) = (Queue::new(room, policy), 0, Vec::new());
        let mut missing = 0;
        let mut drain = |queue: &mut Queue, most| {
            let mut out = VecDeque::new();
            queue.take(most, &mut out);
            for item in out {
                match item {
                    Item::Update(update) => got.push(update.position),
                    Item::Missing { count, .. } => missing += count,
                    Item::State { .. } => {}
                }
            }
        };
        for (kind, instrument, no_memory) in steps {
            let kind = [Kind::BID, Kind::OFFER, Kind::ADD, Kind::CLEAR][usize::from(kind)];
            pushed += 1;
            queue.push(&update(kind, instrument, pushed, &memory), no_memory);
            prop_assert!(queue.items.len() <= room + 2);
            if pushed % 5 == 0 {
                drain(&mut queue, 2);
            }
        }
        drain(&mut queue, usize::MAX);
        let counts = queue.counts();
        prop_assert_eq!(got.len() as u64 + missing, pushed);
        prop_assert_eq!(counts.taken, got.len() as u64);
        prop_assert_eq!(counts.skipped + counts.conflated + counts.lost, missing);
        if policy == Policy::Skip {
            prop_assert!(got.is_sorted());
        }
        got.sort_unstable();
        got.dedup();
        prop_assert_eq!(got.len() as u64, counts.taken);
        drop(queue);
        prop_assert_eq!(memory.used(), 0);
    }
}
