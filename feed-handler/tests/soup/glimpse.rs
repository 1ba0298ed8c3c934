//! Snapshots, and the books that are made of them.

use crate::world::{Got, Source, Way, World, missing, servers};
use crate::world::{MILLISECOND, SECOND, SESSION};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, MsgCtx, ReplaceOrder,
    Status, Trade, Trust,
};
use feed_handler::book::{BookLimits, Books, digest};
use feed_handler::protocol::Decode;
use feed_handler::protocol::itch50::Itch50Decoder;
use feed_handler::publish::Digest;
use feed_handler::recovery::{Glimpse, GlimpseSettings, Missing, Recovery, Wish};
use feed_replay::exchange::{GlimpseState, SoupEnd, SoupFaults};
use feed_replay::synth::{MessageSink, Protocol, Spec, generate_messages};
use proptest::prelude::*;
use std::io;
use std::sync::{Arc, LazyLock};

/// The messages of a session.
static ALL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    struct Kept(Vec<Vec<u8>>);
    impl MessageSink for Kept {
        fn message(&mut self, _: u64, message: &[u8]) -> io::Result<()> {
            self.0.push(message.to_vec());
            Ok(())
        }
    }
    let spec = Spec {
        symbols: 8,
        ..Spec::new(Protocol::Itch50, 4_000, 11)
    };
    let mut kept = Kept(Vec::new());
    generate_messages(&spec, &mut kept).expect("a session");
    kept.0
});

/// What a server sends when `next` is the session's next message.
fn snapshot(next: u64) -> Vec<Vec<u8>> {
    let mut state = GlimpseState::default();
    ALL[..next as usize - 1].iter().for_each(|m| state.apply(m));
    state.snapshot(next).from(1).map(<[u8]>::to_vec).collect()
}

fn source(messages: Vec<Vec<u8>>) -> Source {
    Source {
        session: *b"GLIMPSE   ",
        first: 1,
        messages: Arc::new(messages),
        over: false,
    }
}

fn well(next: u64) -> Way {
    Way::Made(source(snapshot(next)), SoupFaults::default())
}

fn faulty(next: u64, faults: SoupFaults) -> Way {
    Way::Made(source(snapshot(next)), faults)
}

fn ending(then: SoupEnd, after: u64) -> Way {
    let faults = SoupFaults {
        after,
        then,
        ..SoupFaults::default()
    };
    faulty(1_000, faults)
}

fn world(ways: Vec<Vec<Way>>) -> World<Glimpse> {
    let glimpse = Glimpse::new(servers(ways.len()), GlimpseSettings::default());
    World::new(glimpse, ways, 1)
}

/// Wishes a snapshot as of a number, and runs until nothing is open.
fn asked(mut world: World<Glimpse>, first: u64) -> World<Glimpse> {
    world.wish(Wish::Snapshot(missing(first, first + 10)));
    world.run();
    world
}

/// The messages of the last snapshot that was begun, and how it ended.
fn last(world: &World<Glimpse>) -> (Vec<Vec<u8>>, Option<Got>) {
    let begins = world.lane.got.iter().rposition(|got| *got == Got::Begins);
    let (mut messages, mut end) = (Vec::new(), None);
    for got in &world.lane.got[begins.map_or(0, |at| at + 1)..] {
        assert_eq!(end, None, "nothing comes behind the end");
        match got {
            Got::Message(message) => messages.push(message.clone()),
            Got::Ends(_) | Got::NoSnapshot => end = Some(got.clone()),
            other => panic!("{other:?}"),
        }
    }
    (messages, end)
}

/// Books behind a decoder.
struct Kept(Books);

macro_rules! events {
    ($($on:ident: $event:ident = $method:ident;)*) => {
        impl MarketHandler for Kept {
            $(fn $on(&mut self, cx: &MsgCtx, m: $event) {
                self.0.$method(cx, &m);
            })*

            fn on_status(&mut self, cx: &MsgCtx, m: Status) {
                self.0.status(cx, &m);
            }

            fn on_trade(&mut self, cx: &MsgCtx, m: Trade) {
                if m.flags.has(Flags::CROSS) {
                    self.0.cross(cx);
                }
            }
        }
    };
}

events! {
    on_add: AddOrder = add;
    on_execute: ExecuteOrder = execute;
    on_cancel: CancelOrder = cancel;
    on_delete: DeleteOrder = delete;
    on_replace: ReplaceOrder = replace;
}

/// The books that messages make.
fn books<'a>(messages: impl IntoIterator<Item = &'a Vec<u8>>) -> Books {
    let limits = BookLimits {
        orders: 5_000,
        levels: 5_000,
        instruments: 20,
    };
    let mut kept = Kept(Books::new(&limits).expect("room"));
    let mut decoder = Itch50Decoder::with_room(20);
    for (message, sequence) in messages.into_iter().zip(1..) {
        let mut cx = MsgCtx {
            sequence,
            trust: Trust::VALID,
            flags: Flags::END_OF_EVENT,
            ..MsgCtx::default()
        };
        let decoded = decoder.decode(message, &mut cx, &mut kept);
        decoded.expect("a message of the specification");
    }
    kept.0
}

fn same(a: &Books, b: &Books) -> bool {
    digest(a) == digest(b) && a.live_orders() == b.live_orders()
}

#[test]
fn books_after_a_snapshot_are_those_of_the_session_up_to_there_and_stay_so() {
    let empty = digest(&books(&[]));
    assert_eq!(empty, Digest::EMPTY);
    let mut different = 0;
    for next in (1..=ALL.len() as u64 + 1).step_by(97) {
        let world = asked(world(vec![vec![well(next)]]), 1);
        let (messages, end) = last(&world);
        assert_eq!(end, Some(Got::Ends(next)));
        let (before, behind) = ALL.split_at(next as usize - 1);
        let joined = books(&messages);
        assert!(same(&joined, &books(before)), "as of {next}");
        assert_eq!(joined.faults().total(), 0, "as of {next}");
        different += u64::from(digest(&joined) != empty);
        // And with what follows it.
        if next % 5 == 0 {
            let all = books(messages.iter().chain(behind));
            assert!(same(&all, &books(ALL.iter())), "from {next}");
        }
    }
    assert!(different > 30);
}

#[test]
fn a_snapshot_is_handed_whole_and_the_server_left() {
    let world = asked(world(vec![vec![well(1_000)]]), 990);
    let mut want = snapshot(1_000);
    want.pop();
    assert_eq!(last(&world), (want.clone(), Some(Got::Ends(1_000))));
    assert_eq!(world.lane.got.len(), want.len() + 2);
    assert_eq!(world.logouts, 1);
    let counts = ["connections", "logins", "snapshots", "messages", "failed"];
    let counts = counts.map(|name| world.count(name));
    assert_eq!(counts, [1, 1, 1, want.len() as u64, 0]);
}

#[test]
fn a_snapshot_before_what_is_held_is_void_and_another_is_asked_for() {
    let ways = vec![well(500), well(999), well(1_000)];
    let world = asked(world(vec![ways]), 1_000);
    let (messages, end) = last(&world);
    assert_eq!(
        (messages.len() + 1, end),
        (snapshot(1_000).len(), Some(Got::Ends(1_000)))
    );
    assert_eq!(
        (world.count("snapshot_too_old"), world.count("failed")),
        (2, 0)
    );
    assert!(world.now >= SECOND, "half a second between them");

    let old = asked(self::world(vec![vec![well(500)]]), 1_000);
    assert_eq!(old.lane.got.last(), Some(&Got::NoSnapshot));
    assert!((30 * SECOND..32 * SECOND).contains(&old.now));
    let ends = old
        .lane
        .got
        .iter()
        .filter(|got| matches!(got, Got::Ends(_)));
    assert_eq!(ends.count(), 0);
}

#[test]
fn bad_servers_are_given_up_counted_and_bounded_in_time() {
    let none = SoupFaults::default;
    let trickle = |apart| {
        faulty(
            1_000,
            SoupFaults {
                trickle: apart,
                ..none()
            },
        )
    };
    let mut cut = snapshot(1_000);
    cut.last_mut().unwrap().truncate(20);
    let mut blank = snapshot(1_000);
    blank.last_mut().unwrap()[1..].fill(b' ');
    let over = Source {
        over: true,
        ..source(snapshot(1_000)[..30].to_vec())
    };
    let cases = [
        (Way::Refused, "server_closed", 1),
        (Way::Deaf, "server_silent", 10),
        (ending(SoupEnd::Close, 50), "server_closed", 1),
        (ending(SoupEnd::Garbage, 50), "server_garbage", 1),
        (ending(SoupEnd::Silence, 50), "server_slow", 4),
        (
            faulty(
                9,
                SoupFaults {
                    late: 10 * SECOND,
                    ..none()
                },
            ),
            "server_silent",
            10,
        ),
        (
            faulty(
                9,
                SoupFaults {
                    from: Some(2),
                    ..none()
                },
            ),
            "other_session",
            1,
        ),
        (trickle(SECOND), "server_silent", 10),
        (trickle(60 * MILLISECOND), "server_slow", 20),
        (Way::Made(source(cut), none()), "server_garbage", 1),
        (Way::Made(source(blank), none()), "server_garbage", 1),
        (Way::Made(over, none()), "session_over", 1),
        (
            faulty(
                9,
                SoupFaults {
                    reject: Some(b'S'),
                    ..none()
                },
            ),
            "login_rejected",
            1,
        ),
    ];
    for (way, counter, seconds) in cases {
        let world = asked(world(vec![vec![way]]), 1);
        assert_eq!(last(&world).1, Some(Got::NoSnapshot), "{counter}");
        assert_eq!(
            (world.count(counter), world.count("connections")),
            (3, 3),
            "{counter}"
        );
        assert_eq!(world.count("failed"), 1);
        assert!(world.now < seconds * SECOND, "{counter}: {} ns", world.now);
    }
    let reject = Some(b'A');
    let stranger = faulty(9, SoupFaults { reject, ..none() });
    let world = asked(world(vec![vec![stranger]]), 1);
    assert_eq!(
        (last(&world).1, world.count("connections")),
        (Some(Got::NoSnapshot), 1)
    );
}

#[test]
fn a_snapshot_that_never_ends_is_given_up() {
    let settings = GlimpseSettings {
        messages: 5_000,
        ..GlimpseSettings::default()
    };
    let glimpse = Glimpse::new(servers(1), settings);
    let mut world = World::new(glimpse, vec![vec![ending(SoupEnd::Repeat, 50)]], 1);
    world.piece = 60_000;
    let world = asked(world, 1);
    assert_eq!(last(&world).1, Some(Got::NoSnapshot));
    assert_eq!(
        (world.count("snapshot_endless"), world.count("messages")),
        (3, 15_000)
    );

    // Nor one that ends in a year.
    let settings = GlimpseSettings {
        time: 3 * SECOND,
        ..GlimpseSettings::default()
    };
    let glimpse = Glimpse::new(servers(1), settings);
    let slow = SoupFaults {
        trickle: 10 * MILLISECOND,
        ..SoupFaults::default()
    };
    let world = asked(World::new(glimpse, vec![vec![faulty(1_000, slow)]], 1), 1);
    assert_eq!(last(&world).1, Some(Got::NoSnapshot));
    assert_eq!(world.count("server_slow"), 3);
    assert!(world.now < 11 * SECOND);
}

#[test]
fn the_next_server_is_asked_where_one_fails() {
    let bad = vec![ending(SoupEnd::Close, 50)];
    let world = asked(world(vec![bad.clone(), bad, vec![well(1_000)]]), 1);
    assert_eq!(last(&world).1, Some(Got::Ends(1_000)));
    let begun = world.lane.got.iter().filter(|got| **got == Got::Begins);
    assert_eq!(begun.count(), 3);
}

#[test]
fn a_snapshot_not_wanted_any_more_is_left() {
    let slow = SoupFaults {
        trickle: MILLISECOND,
        ..SoupFaults::default()
    };
    let mut world = world(vec![vec![faulty(1_000, slow)]]);
    world.wish(Wish::Snapshot(missing(10, 20)));
    world.run_to(300 * MILLISECOND);
    // Of another session, or not all of it.
    world.wish(Wish::Settled(Missing {
        session: *b"YESTERDAY ",
        ..missing(20, 20)
    }));
    world.wish(Wish::Settled(missing(19, 19)));
    world.run_to(400 * MILLISECOND);
    let before = world.lane.got.len();
    assert!(before > 3 && world.logouts == 0);
    world.wish(Wish::Settled(missing(20, 20)));
    world.run();
    assert_eq!((world.lane.got.len(), world.logouts), (before, 1));
    assert!(world.now < SECOND);
}

#[test]
fn a_snapshot_on_its_way_is_not_taken_for_what_is_wished_when_its_own_wish_was_settled() {
    let slow = SoupFaults {
        trickle: MILLISECOND / 5,
        ..SoupFaults::default()
    };
    let mut world = world(vec![vec![faulty(1_000, slow), well(7)]]);
    world.wish(Wish::Snapshot(missing(1, 3)));
    world.run_to(300 * MILLISECOND);
    // The lane has left out what came since, or all of it.
    world.wish(Wish::Settled(missing(3, 3)));
    world.wish(Wish::Snapshot(missing(4, 6)));
    world.run();
    assert_eq!(last(&world).1, Some(Got::Ends(7)));
    assert_eq!((world.count("connections"), world.logouts), (2, 2));
}

#[test]
fn a_snapshot_for_another_session_is_begun_anew() {
    let slow = SoupFaults {
        trickle: MILLISECOND / 5,
        ..SoupFaults::default()
    };
    let mut world = world(vec![vec![faulty(1_000, slow), well(7)]]);
    world.wish(Wish::Snapshot(missing(10, 20)));
    world.run_to(300 * MILLISECOND);
    world.wish(Wish::Snapshot(Missing {
        session: *b"SESSION002",
        ..missing(1, 5)
    }));
    world.run();
    assert_eq!(last(&world).1, Some(Got::Ends(7)));
    assert_eq!((world.count("connections"), world.logouts), (2, 2));
}

#[test]
fn messages_are_none_of_its_business() {
    let mut world = world(vec![vec![well(9)]]);
    world.wish(Wish::Messages(missing(1, 5)));
    world.run();
    assert_eq!(world.lane.got, [Got::Failed(missing(1, 5))]);
    assert_eq!(missing(1, 5).session, SESSION);
}

#[test]
fn a_lane_without_room_holds_the_server_back_and_loses_nothing() {
    let mut world = world(vec![vec![ending(SoupEnd::Repeat, 50), well(2_000)]]);
    (world.piece, world.most) = (1 << 20, 0);
    world.wish(Wish::Snapshot(missing(1, 5)));
    world.run_to(20 * SECOND);
    assert!(world.lane.got.is_empty(), "there is no room");
    assert_eq!(world.recovery.room(0), 0, "and the server is not read");
    // The time of a snapshot ends all the same.
    world.run_to(31 * SECOND);
    assert_eq!(world.count("failed") + world.count("server_slow"), 1);
    assert_eq!(world.count("flooded"), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Whatever the servers do, and however bytes are cut: a snapshot is handed whole and as it is, or has failed.
    #[test]
    fn a_snapshot_is_handed_whole_or_has_failed(
        ways in prop::collection::vec((0u8..10, 1u64..3_000, 0u64..400), 1..5),
        first in 1u64..2_000,
        (seed, piece, most) in (any::<u64>(), 1u64..5_000, 1u64..200),
    ) {
        let way = |&(kind, next, n): &(u8, u64, u64)| {
            let mut faults = SoupFaults { after: n, ..SoupFaults::default() };
            match kind {
                0 => return Way::Refused,
                1 => faults.reject = Some(b"AS"[n as usize % 2]),
                2 => faults.late = n * 20 * MILLISECOND,
                3 => faults.from = Some(n),
                4 => faults.then = SoupEnd::Close,
                5 => faults.then = SoupEnd::Garbage,
                6 => faults.then = SoupEnd::Silence,
                7 => faults.trickle = MILLISECOND / 100 * (1 + n % 20),
                _ => {}
            }
            faulty(next, faults)
        };
        let ways = vec![ways.iter().map(way).collect()];
        let glimpse = Glimpse::new(servers(1), GlimpseSettings::default());
        let mut world = World::new(glimpse, ways, seed);
        (world.piece, world.most) = (piece, most);
        let world = asked(world, first);
        match last(&world) {
            (messages, Some(Got::Ends(next))) => {
                prop_assert!(next >= first);
                let mut want = snapshot(next);
                want.pop();
                prop_assert!(messages == want);
                prop_assert_eq!(books(&messages).faults().total(), 0);
            }
            (_, end) => prop_assert_eq!(end, Some(Got::NoSnapshot)),
        }
    }
}
