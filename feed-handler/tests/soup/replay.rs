//! Replay of messages that no line brought.

use crate::world::{Got, Source, Way, World, missing, servers};
use crate::world::{MILLISECOND, SECOND, SESSION};
use feed_common::wire::moldudp64::parse;
use feed_handler::recovery::{
    Glimpse, GlimpseSettings, Handed, Heard, Missing, Net, Recovery, RecoverySink, ReplaySettings,
    SoupReplay, Wish,
};
use feed_replay::exchange::{SoupEnd, SoupFaults};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Messages of the session.
const ALL: u64 = 3_000;

fn message(n: u64) -> Vec<u8> {
    let mut message = format!("message {n} ").into_bytes();
    message.resize(message.len() + (n * 7 % 61) as usize, n as u8);
    message
}

fn source() -> Source {
    Source {
        session: SESSION,
        first: 1,
        messages: Arc::new((1..=ALL).map(message).collect()),
        over: false,
    }
}

fn made(faults: SoupFaults) -> Way {
    Way::Made(source(), faults)
}

fn well() -> Way {
    made(SoupFaults::default())
}

fn ending(then: SoupEnd, after: u64) -> Way {
    made(SoupFaults {
        after,
        then,
        ..SoupFaults::default()
    })
}

fn world(ways: Vec<Vec<Way>>) -> World<SoupReplay> {
    let replay = SoupReplay::new(servers(ways.len()), ReplaySettings::default());
    World::new(replay, ways, 1)
}

/// The numbers of the messages that were handed, each checked, and those that could not be had.
fn handed(world: &World<SoupReplay>) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut came, mut failed) = (Vec::new(), Vec::new());
    for got in &world.lane.got {
        match got {
            Got::Packet(bytes) => {
                assert!(bytes.len() <= 1_400);
                let (header, blocks) = parse(bytes).expect("a packet");
                assert_eq!(header.session, SESSION);
                for (n, block) in (header.sequence.get()..).zip(blocks) {
                    assert_eq!(block, message(n));
                    came.push(n);
                }
            }
            Got::Failed(Missing { session, span, .. }) => {
                assert_eq!(*session, SESSION);
                failed.push((span.first, span.end()));
            }
            other => panic!("{other:?}"),
        }
    }
    (came, failed)
}

fn numbers(spans: &[(u64, u64)]) -> Vec<u64> {
    spans.iter().flat_map(|&(first, end)| first..end).collect()
}

/// Wishes these, and runs until nothing is open.
fn asked(mut world: World<SoupReplay>, spans: &[(u64, u64)]) -> World<SoupReplay> {
    for &(first, end) in spans {
        world.wish(Wish::Messages(missing(first, end)));
    }
    world.run();
    world
}

#[test]
fn what_is_wished_is_brought_and_no_more() {
    let world = asked(world(vec![vec![well()]]), &[(100, 400)]);
    assert_eq!(handed(&world), (numbers(&[(100, 400)]), vec![]));
    let counts = [
        "connections",
        "logins",
        "messages",
        "skipped",
        "answer_unasked",
    ];
    assert_eq!(counts.map(|name| world.count(name)), [1, 1, 300, 0, 0]);
    assert_eq!(world.logouts, 1);
    assert!(world.lane.got.len() < 30 && world.now < SECOND);
}

/// What a server said last is taken when the lane has room, and only then it turns out that its time was over long ago.
#[test]
fn what_is_due_at_once_is_done_at_once() {
    struct Nowhere;
    impl Net for Nowhere {
        fn send(&mut self, _: usize, _: &[u8]) {}
        fn open(&mut self, _: usize) {}
        fn close(&mut self, _: usize) {}
    }
    struct Room(bool);
    impl RecoverySink for Room {
        fn has_room(&self, _: usize) -> bool {
            self.0
        }
        fn hand(&mut self, _: u16, _: Handed<'_>) {}
    }
    fn due(mut client: impl Recovery, wish: Wish) {
        let (net, out) = (&mut Nowhere, &mut Room(false));
        client.wish(wish, 0, out);
        client.poll(0, net, out);
        client.heard(0, Heard::Opened, 1, net, out);
        client.heard(0, Heard::Bytes(b"\0\x03+ok"), 2, net, out);
        let mut now = 20 * SECOND;
        client.poll(now, net, out);
        out.0 = true;
        for _ in 0..100 {
            let Some(next) = client.poll(now, net, out) else {
                return;
            };
            assert!(next > now, "{next} at {now}");
            now = next;
        }
        panic!("it never ends");
    }
    let replay = SoupReplay::new(servers(1), ReplaySettings::default());
    due(replay, Wish::Messages(missing(3, 9)));
    let glimpse = Glimpse::new(servers(1), GlimpseSettings::default());
    due(glimpse, Wish::Snapshot(missing(3, 9)));
}

#[test]
fn wishes_that_are_near_share_a_connection() {
    let near = asked(
        world(vec![vec![well()]]),
        &[(900, 910), (100, 101), (500, 505)],
    );
    let spans = [(100, 101), (500, 505), (900, 910)];
    assert_eq!(handed(&near), (numbers(&spans), vec![]));
    assert_eq!(
        (near.count("connections"), near.count("skipped")),
        (1, 399 + 395)
    );
    let far = asked(world(vec![vec![well()]]), &[(10, 12), (2_500, 2_501)]);
    assert_eq!(handed(&far), (numbers(&[(10, 12), (2_500, 2_501)]), vec![]));
    assert_eq!((far.count("connections"), far.count("skipped")), (2, 0));
    assert_eq!(far.logouts, 2);
}

#[test]
fn a_lost_connection_is_taken_up_where_it_ended() {
    let ways = vec![ending(SoupEnd::Close, 70), well()];
    let world = asked(world(vec![ways]), &[(100, 400)]);
    assert_eq!(handed(&world), (numbers(&[(100, 400)]), vec![]));
    assert_eq!(
        (world.count("connections"), world.count("server_closed")),
        (2, 1)
    );
    assert_eq!(world.count("skipped"), 0);
}

#[test]
fn connections_may_end_as_often_as_they_bring_something() {
    let world = asked(world(vec![vec![ending(SoupEnd::Close, 20)]]), &[(1, 201)]);
    assert_eq!(handed(&world), (numbers(&[(1, 201)]), vec![]));
    assert_eq!(world.count("connections"), 10);
}

#[test]
fn another_session_is_not_taken_and_not_asked_again() {
    let other = || {
        made(SoupFaults {
            session: Some(*b"YESTERDAY "),
            ..SoupFaults::default()
        })
    };
    let alone = asked(world(vec![vec![other()]]), &[(5, 9)]);
    assert_eq!(handed(&alone), (vec![], vec![(5, 9)]));
    assert_eq!(
        (alone.count("connections"), alone.count("other_session")),
        (1, 1)
    );
    assert!(alone.now < SECOND);
    let beside = asked(world(vec![vec![other()], vec![well()]]), &[(5, 9)]);
    assert_eq!(handed(&beside), (numbers(&[(5, 9)]), vec![]));
}

#[test]
fn a_session_padded_otherwise_is_the_same() {
    let unpadded = made(SoupFaults {
        session: Some(*b"SESSION1\0\0"),
        ..SoupFaults::default()
    });
    let mut world = world(vec![vec![unpadded]]);
    let wish = Missing {
        session: *b"SESSION1  ",
        ..missing(5, 9)
    };
    world.wish(Wish::Messages(wish));
    world.run();
    let Got::Packet(bytes) = &world.lane.got[0] else {
        panic!("no packet");
    };
    assert_eq!(
        &parse(bytes).unwrap().0.session,
        b"SESSION1  ",
        "the lane's"
    );
}

#[test]
fn who_is_not_let_in_does_not_try_again_and_a_session_may_come() {
    let reject = |reason| {
        made(SoupFaults {
            reject: Some(reason),
            ..SoupFaults::default()
        })
    };
    let world_of = |reason| asked(world(vec![vec![reject(reason)]]), &[(5, 9)]);
    for (reason, times) in [(b'A', 1), (b'S', 3)] {
        let world = world_of(reason);
        assert_eq!(handed(&world), (vec![], vec![(5, 9)]));
        assert_eq!(world.count("login_rejected"), times);
    }
    let later = asked(world(vec![vec![reject(b'S'), well()]]), &[(5, 9)]);
    assert_eq!(handed(&later), (numbers(&[(5, 9)]), vec![]));
}

#[test]
fn bad_servers_are_given_up_counted_and_bounded_in_time() {
    let none = SoupFaults::default;
    let trickle = |apart| {
        made(SoupFaults {
            trickle: apart,
            ..none()
        })
    };
    let late = made(SoupFaults {
        late: 10 * SECOND,
        ..none()
    });
    let cases = [
        (Way::Refused, "server_closed", 1),
        (Way::Deaf, "server_silent", 10),
        (ending(SoupEnd::Silence, 0), "server_slow", 4),
        (ending(SoupEnd::Garbage, 0), "server_garbage", 1),
        (ending(SoupEnd::Close, 0), "server_closed", 1),
        (late, "server_silent", 10),
        // A byte a second: not even the login in time.
        (trickle(SECOND), "server_silent", 10),
        // The login, and then not a message in time.
        (trickle(60 * MILLISECOND), "server_slow", 12),
    ];
    for (way, counter, seconds) in cases {
        let case = format!("{way:?}")
            .chars()
            .rev()
            .take(200)
            .collect::<Vec<_>>();
        let case: String = case.into_iter().rev().collect();
        let world = asked(world(vec![vec![way]]), &[(5, 9), (50, 60)]);
        let (came, failed) = handed(&world);
        assert_eq!((came, failed), (vec![], vec![(5, 9), (50, 60)]), "{case}");
        assert_eq!(world.count("failed"), 2);
        assert_eq!(
            (world.count(counter), world.count("connections")),
            (3, 3),
            "{case}"
        );
        assert!(world.now < seconds * SECOND, "{case}: {} ns", world.now);
    }
}

#[test]
fn a_server_that_says_a_little_now_and_then_ends_with_our_patience() {
    // A message of 13 bytes or more in 0.9 seconds: never late, and never done.
    let world = asked(
        world(vec![vec![made(SoupFaults {
            trickle: 10 * MILLISECOND,
            ..SoupFaults::default()
        })]]),
        &[(1, 2_000)],
    );
    let (came, failed) = handed(&world);
    assert!(came.len() > 30 && came.len() < 200);
    assert_eq!(failed, [(came.len() as u64 + 1, 2_000)]);
    assert!((30 * SECOND..31 * SECOND).contains(&world.now));
}

#[test]
fn the_next_server_is_asked_where_one_fails() {
    let bad = vec![Way::Refused];
    let world = asked(world(vec![bad.clone(), bad, vec![well()]]), &[(5, 900)]);
    assert_eq!(handed(&world), (numbers(&[(5, 900)]), vec![]));
    assert_eq!(world.count("connections"), 3);
}

#[test]
fn what_a_server_does_not_have_is_asked_of_another() {
    let young = Source {
        first: 50,
        messages: Arc::new((50..=ALL).map(message).collect()),
        ..source()
    };
    let old = Source {
        messages: Arc::new((1..=45).map(message).collect()),
        over: true,
        ..source()
    };
    let way = |source| vec![Way::Made(source, SoupFaults::default())];
    let both = asked(
        world(vec![way(young.clone()), way(old.clone())]),
        &[(40, 60)],
    );
    let (mut came, failed) = handed(&both);
    came.sort_unstable();
    assert_eq!(
        (came, failed),
        (numbers(&[(40, 46), (50, 60)]), vec![(46, 50)])
    );
    let young = asked(world(vec![way(young)]), &[(40, 60)]);
    assert_eq!(handed(&young), (numbers(&[(50, 60)]), vec![(40, 50)]));
    let old = asked(world(vec![way(old)]), &[(40, 60)]);
    assert_eq!(handed(&old), (numbers(&[(40, 46)]), vec![(46, 60)]));
    assert_eq!(old.count("session_over"), 1);
}

#[test]
fn what_was_not_asked_for_is_not_handed() {
    let from = Some(20);
    let early = made(SoupFaults {
        from,
        ..SoupFaults::default()
    });
    let world = asked(world(vec![vec![early]]), &[(30, 35)]);
    assert_eq!(handed(&world), (numbers(&[(30, 35)]), vec![]));
    assert_eq!(world.count("answer_unasked"), 10);
}

#[test]
fn bytes_of_nobody_are_counted() {
    let mut world = world(vec![vec![well()]]);
    for heard in [Heard::Bytes(b"\0\x03Shi"), Heard::Opened, Heard::Closed] {
        world.heard(0, heard);
    }
    assert_eq!(world.count("answer_unasked"), 3);
    assert!(world.lane.got.is_empty() && !world.step());
}

#[test]
fn what_is_settled_is_not_waited_for() {
    let mut world = world(vec![vec![ending(SoupEnd::Silence, 10)]]);
    world.wish(Wish::Messages(missing(1, 100)));
    world.wish(Wish::Messages(missing(200, 300)));
    world.run_to(500 * MILLISECOND);
    assert_eq!(handed(&world).0, numbers(&[(1, 11)]));
    world.wish(Wish::Settled(missing(250, 250)));
    world.wish(Wish::Settled(Missing {
        session: *b"YESTERDAY ",
        ..missing(1_000, 1_000)
    }));
    world.run_to(2 * SECOND);
    let (came, _) = handed(&world);
    assert!(came.iter().all(|&n| !(11..250).contains(&n)));
    world.wish(Wish::Settled(missing(300, 300)));
    world.run();
    assert!(handed(&world).1.is_empty());
    assert_eq!(world.count("failed"), 0);
}

#[test]
fn wishes_there_is_no_room_for_fail_at_once() {
    let settings = ReplaySettings {
        wishes: 2,
        ..ReplaySettings::default()
    };
    let replay = SoupReplay::new(servers(1), settings);
    let world = World::new(replay, vec![vec![well()]], 1);
    let world = asked(world, &[(1, 2), (5, 6), (8, 9)]);
    assert_eq!(handed(&world), (numbers(&[(1, 2), (5, 6)]), vec![(8, 9)]));
    assert_eq!(world.count("wishes_refused"), 1);
}

#[test]
fn a_snapshot_is_none_of_its_business() {
    let mut world = world(vec![vec![well()]]);
    world.wish(Wish::Snapshot(missing(1, 9)));
    world.run();
    assert_eq!(world.lane.got, [Got::NoSnapshot]);
}

#[test]
fn a_lane_without_room_holds_the_server_back_and_loses_nothing() {
    let mut world = world(vec![vec![well()]]);
    (world.piece, world.most) = (100_000, 0);
    world.wish(Wish::Messages(missing(1, ALL + 1)));
    world.run_to(20 * SECOND);
    assert!(world.lane.got.is_empty(), "there is no room");
    world.most = 1;
    world.run();
    assert_eq!(handed(&world), (numbers(&[(1, ALL + 1)]), vec![]));
    assert_eq!((world.count("connections"), world.count("flooded")), (1, 0));
}

#[test]
fn messages_longer_than_a_packet_are_no_messages_of_the_feed() {
    let long = Source {
        messages: Arc::new(vec![vec![1; 1_379]; 10]),
        ..source()
    };
    let way = Way::Made(long, SoupFaults::default());
    let world = asked(world(vec![vec![way]]), &[(1, 5)]);
    assert_eq!(handed(&world), (vec![], vec![(1, 5)]));
    assert_eq!(world.count("too_long"), 3);
}

fn any_way() -> impl Strategy<Value = Way> {
    let end = prop_oneof![
        Just(SoupEnd::Well),
        Just(SoupEnd::Close),
        Just(SoupEnd::Garbage),
        Just(SoupEnd::Silence),
    ];
    let faults = (end, 0u64..300, 0u64..12).prop_flat_map(|(then, after, kind)| {
        let of = move |kind: u64, n: u64| {
            let mut faults = SoupFaults {
                then,
                after,
                ..SoupFaults::default()
            };
            match kind {
                0 => faults.reject = Some(b"AS"[n as usize % 2]),
                1 => faults.late = n * 20 * MILLISECOND,
                2 => faults.session = Some(*b"YESTERDAY "),
                3 => faults.from = Some(1 + n),
                4 => faults.trickle = MILLISECOND / 10 * (1 + n % 7),
                _ => {}
            }
            faults
        };
        (0u64..400).prop_map(move |n| made(of(kind, n)))
    });
    prop_oneof![1 => Just(Way::Refused), 1 => Just(Way::Deaf), 8 => faults]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever the servers do, and however bytes are cut: every message that was wished is handed once, as it is, or has
    /// failed, and no other is.
    #[test]
    fn every_message_wished_is_brought_once_or_has_failed(
        ways in prop::collection::vec(prop::collection::vec(any_way(), 1..4), 1..4),
        wishes in prop::collection::vec((1u64..600, 1u64..80, 0u64..2_000), 1..8),
        settled in prop::option::of((0u64..400, 0u64..4_000)),
        (seed, piece, most) in (any::<u64>(), 1u64..3_000, 0u64..4),
    ) {
        let replay = SoupReplay::new(servers(ways.len()), ReplaySettings::default());
        let mut world = World::new(replay, ways, seed);
        world.piece = piece;
        world.most = most + 1;
        let mut wishes = wishes;
        wishes.sort_by_key(|&(.., at)| at);
        let (settled, at) = settled.unwrap_or((0, u64::MAX));
        let mut wished = BTreeSet::new();
        let mut is_settled = false;
        for (first, count, when) in wishes {
            if when > at && !is_settled {
                is_settled = true;
                world.run_to(at * MILLISECOND);
                world.wish(Wish::Settled(missing(settled, settled)));
            }
            world.run_to(when * MILLISECOND);
            // What was brought can be wished again, and would be brought again.
            let new: Vec<_> = (first..first + count).filter(|n| wished.insert(*n)).collect();
            for run in new.chunk_by(|a, b| a + 1 == *b) {
                world.wish(Wish::Messages(missing(run[0], run[0] + run.len() as u64)));
            }
        }
        world.run();
        let (came, failed) = handed(&world);
        let failed = numbers(&failed);
        let all: Vec<_> = came.iter().chain(&failed).copied().collect();
        let set: BTreeSet<_> = all.iter().copied().collect();
        prop_assert_eq!(all.len(), set.len(), "nothing twice");
        prop_assert!(set.is_subset(&wished));
        let left = wished.difference(&set).copied();
        prop_assert!(left.into_iter().all(|n| is_settled && n < settled));
        prop_assert_eq!(world.count("flooded"), 0);
    }
}
