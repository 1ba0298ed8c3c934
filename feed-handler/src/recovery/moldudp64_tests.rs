//! The client against a server in virtual time that loses, delays and cuts what it likes.

use super::*;
use crate::sequence::SeqSpan;
use feed_common::wire::moldudp64::{PacketBuilder, Request};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use zerocopy::FromBytes;

const SESSION: [u8; 10] = *b"SESSION001";
const MS: u64 = 1_000_000;

/// What was sent, and what was handed over.
#[derive(Default)]
struct World {
    sent: Vec<(usize, Request)>,
    brought: BTreeSet<u64>,
    /// Messages handed over, however often.
    handed: u64,
    failed: Vec<SeqSpan>,
}

impl Net for World {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        self.sent
            .push((server, Request::read_from_bytes(bytes).unwrap()));
    }

    fn open(&mut self, _: usize) {
        panic!("datagrams have no connections");
    }

    fn close(&mut self, _: usize) {
        panic!("datagrams have no connections");
    }
}

impl RecoverySink for World {
    fn has_room(&self, _: usize) -> bool {
        true
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert_eq!(channel, 5);
        match what {
            Handed::Packet(bytes) => {
                let (frame, _) = MoldFraming.open(bytes).unwrap();
                self.handed += frame.span.count;
                self.brought.extend(frame.span.first..frame.span.end());
            }
            Handed::Failed(missing) => self.failed.push(missing.span),
            other => panic!("{other:?}"),
        }
    }
}

fn missing(first: u64, count: u64) -> Missing {
    Missing {
        channel: 5,
        unit: 0,
        session: SESSION,
        span: SeqSpan { first, count },
    }
}

fn packet(session: [u8; 10], first: u64, count: u64) -> Vec<u8> {
    let mut packet = PacketBuilder::new(session, first, 1_400);
    (0..count).for_each(|_| assert!(packet.push(b"m")));
    packet.payload().to_vec()
}

/// A client, and two steps of its world that cannot borrow each other.
struct Client {
    client: MoldRequests,
    world: World,
}

impl Client {
    fn new(limits: RequestLimits) -> Client {
        Client {
            client: MoldRequests::new(2, limits),
            world: World::default(),
        }
    }

    fn wish(&mut self, first: u64, count: u64) {
        self.client
            .wish(Wish::Messages(missing(first, count)), 0, &mut self.world);
    }

    /// What is sent at `now`.
    fn poll(&mut self, now: u64) -> Vec<(usize, u64, u16)> {
        let mut net = World::default();
        self.client.poll(now, &mut net, &mut self.world);
        let sent = net.sent.iter();
        sent.map(|(server, r)| (*server, r.sequence.get(), r.requested_count.get()))
            .collect()
    }

    fn hear(&mut self, now: u64, bytes: &[u8]) {
        self.hear_from(0, now, bytes);
    }

    fn hear_from(&mut self, server: usize, now: u64, bytes: &[u8]) {
        let mut net = World::default();
        self.client
            .heard(server, Heard::Bytes(bytes), now, &mut net, &mut self.world);
        assert!(net.sent.is_empty());
    }

    fn count(&self, name: &str) -> u64 {
        let counters: BTreeMap<_, _> = self.client.counters().into_iter().collect();
        counters[name]
    }
}

const LIMITS: RequestLimits = RequestLimits {
    attempts: 3,
    answer_nanos: 10 * MS,
    messages: 50,
    in_flight: 3,
    open: 4,
};

#[test]
fn what_is_left_out_is_asked_for_again_after_a_rest_and_no_sooner() {
    let mut c = Client::new(LIMITS);
    c.wish(101, 60);
    assert_eq!(c.poll(0), [(0, 101, 50)]);
    assert_eq!(c.poll(MS), []);
    c.hear(2 * MS, &packet(SESSION, 101, 20));
    assert_eq!(c.poll(3 * MS), []);
    c.hear(3 * MS, &packet(SESSION, 121, 20));
    assert_eq!(c.poll(5 * MS), []);
    assert_eq!(c.poll(6 * MS), [(0, 141, 20)]);
    c.hear(7 * MS, &packet(SESSION, 141, 20));
    assert_eq!(c.poll(100 * MS), []);
    assert_eq!(c.world.brought, (101..161).collect());
    assert_eq!(
        (c.count("requests"), c.count("requests_unanswered")),
        (2, 0)
    );
}

#[test]
fn a_full_answer_to_part_is_followed_at_once() {
    let mut c = Client::new(LIMITS);
    c.wish(1, 60);
    assert_eq!(c.poll(0), [(0, 1, 50)]);
    c.hear(MS, &packet(SESSION, 1, 50));
    assert_eq!(c.poll(MS), [(0, 51, 10)]);
}

#[test]
fn pieces_are_as_long_as_answers_and_a_few_are_under_way() {
    let mut c = Client::new(LIMITS);
    c.wish(1, 200);
    assert_eq!(c.poll(0), [(0, 1, 50)]);
    c.hear(MS, &packet(SESSION, 1, 20));
    // Ten messages were left out: only now is it known that they were.
    assert_eq!(c.poll(2 * MS), [(0, 21, 20), (0, 41, 20), (0, 61, 20)]);
    // In any order, and each is followed at once.
    c.hear(3 * MS, &packet(SESSION, 41, 20));
    assert_eq!(c.poll(3 * MS), [(0, 81, 20)]);
    c.hear(4 * MS, &packet(SESSION, 61, 12));
    assert_eq!(c.poll(4 * MS), []);
    c.hear(4 * MS, &packet(SESSION, 21, 20));
    assert_eq!(c.poll(4 * MS), [(0, 101, 20)]);
    // A single short answer does not make all that follow as short.
    assert_eq!(c.poll(6 * MS), [(0, 73, 8)]);
    c.hear(6 * MS, &packet(SESSION, 73, 8));
    assert_eq!(c.poll(6 * MS), [(0, 121, 15)]);
    assert_eq!(c.world.brought, (1..81).collect());
    assert_eq!((c.world.handed, c.count("answers_unasked")), (80, 0));
}

#[test]
fn long_requests_are_tried_again_after_many_whole_answers() {
    let mut c = Client::new(LIMITS);
    c.wish(1, 1_000);
    let mut asked = c.poll(0);
    c.hear(0, &packet(SESSION, 1, 8));
    asked = c.poll(MS).into_iter().chain(asked.drain(..0)).collect();
    let mut longest = 0;
    for now in 2..200 {
        for (_, first, count) in std::mem::take(&mut asked) {
            longest = longest.max(count);
            c.hear(now * MS, &packet(SESSION, first, count.into()));
        }
        asked = c.poll(now * MS);
    }
    assert_eq!(c.world.brought.len(), 1_000);
    assert!((15..=50).contains(&longest), "{longest}");
}

#[test]
fn a_piece_that_nobody_has_fails_alone_where_others_come() {
    let mut c = Client::new(LIMITS);
    c.wish(1, 80);
    c.poll(0);
    c.hear(0, &packet(SESSION, 1, 20));
    // Nobody has 21 to 40.
    for now in [MS, 11 * MS, 21 * MS] {
        for (_, first, count) in c.poll(now) {
            if first != 21 {
                c.hear(now + MS, &packet(SESSION, first, count.into()));
            }
        }
    }
    assert!(c.world.failed.is_empty());
    assert_eq!(c.poll(31 * MS), []);
    let alone = SeqSpan {
        first: 21,
        count: 20,
    };
    assert_eq!(c.world.failed, [alone]);
    assert!(c.client.runs.is_empty());
}

#[test]
fn the_server_that_brought_something_is_asked_first() {
    let mut c = Client::new(LIMITS);
    c.wish(7, 1);
    assert_eq!(c.poll(0), [(0, 7, 1)]);
    assert_eq!(c.poll(10 * MS), [(1, 7, 1)]);
    c.hear_from(1, 11 * MS, &packet(SESSION, 7, 1));
    c.wish(9, 1);
    assert_eq!(c.poll(12 * MS), [(1, 9, 1)]);
    assert_eq!(c.poll(22 * MS), [(0, 9, 1)]);
}

#[test]
fn servers_are_asked_in_turn_and_then_it_is_given_up() {
    let mut c = Client::new(LIMITS);
    c.wish(7, 1);
    assert_eq!(c.poll(0), [(0, 7, 1)]);
    assert_eq!(c.poll(10 * MS), [(1, 7, 1)]);
    assert_eq!(c.poll(20 * MS), [(0, 7, 1)]);
    assert!(c.world.failed.is_empty());
    assert_eq!(c.poll(30 * MS), []);
    assert_eq!(c.world.failed, [SeqSpan { first: 7, count: 1 }]);
    assert_eq!(c.count("requests_unanswered"), 3);
    // Too late now.
    c.hear(31 * MS, &packet(SESSION, 7, 1));
    assert_eq!(c.count("answers_unasked"), 1);
    assert!(c.world.brought.is_empty());
}

#[test]
fn what_has_come_otherwise_is_not_asked_for() {
    let mut c = Client::new(LIMITS);
    c.wish(10, 5);
    c.wish(20, 5);
    c.client
        .wish(Wish::Settled(missing(22, 0)), 0, &mut c.world);
    assert_eq!(c.poll(0), [(0, 22, 3)]);
    c.client
        .wish(Wish::Settled(missing(25, 0)), 0, &mut c.world);
    assert_eq!(c.poll(100 * MS), []);
    assert!(c.world.failed.is_empty());
}

#[test]
fn only_answers_are_handed_over() {
    let mut c = Client::new(LIMITS);
    c.wish(10, 5);
    c.hear(0, &packet(SESSION, 10, 5)); // before it was asked
    c.poll(0);
    c.hear(1, &packet(*b"YESTERDAY ", 10, 5));
    c.hear(1, &packet(SESSION, 10, 6)); // more than was asked for
    c.hear(1, &packet(SESSION, 5, 5));
    c.hear(1, &packet(SESSION, 10, 0));
    c.hear(1, &packet(SESSION, u64::MAX - 1, 1));
    assert_eq!((c.count("answers_unasked"), c.count("answers")), (6, 0));
    c.hear(1, b"");
    c.hear(1, &[0xff; 1_400]);
    assert_eq!(c.count("answers_garbage"), 2);
    c.hear(2, &packet(SESSION, 8, 4));
    assert_eq!(c.world.brought, (8..12).collect());
}

#[test]
fn the_middle_alone_is_no_progress() {
    let mut c = Client::new(LIMITS);
    c.wish(10, 5);
    let mut requests = 0;
    for now in 0..1_000 {
        for _ in c.poll(now * MS) {
            requests += 1;
            c.hear(now * MS, &packet(SESSION, 12, 1));
        }
    }
    assert_eq!(requests, 3);
    assert_eq!(
        c.world.failed,
        [SeqSpan {
            first: 10,
            count: 5
        }]
    );
}

#[test]
fn wishes_without_room_fail_at_once() {
    let mut c = Client::new(LIMITS);
    for first in [10, 20, 30, 40, 50] {
        c.wish(first, 1);
    }
    assert_eq!(
        c.world.failed,
        [SeqSpan {
            first: 50,
            count: 1
        }]
    );
    assert_eq!(c.poll(0).len(), 4);
}

proptest! {
    /// Whatever a server makes of requests, in the end every message wished for was handed over or is said to have
    /// failed, requests ask only for what is missing, and their number is bounded.
    #[test]
    fn all_is_brought_or_said_to_have_failed(
        wishes in prop::collection::vec((1u64..400, 1u64..120), 1..5),
        answers in prop::collection::vec((0u64..6, 0u64..15, 0u64..8), 1..300),
    ) {
        let mut c = Client::new(LIMITS);
        let mut wanted = BTreeSet::new();
        for &(first, count) in &wishes {
            c.wish(first, count);
            wanted.extend(first..first + count);
        }
        let mut answers = answers.into_iter().cycle();
        let mut coming: BTreeMap<(u64, u64), Vec<u8>> = BTreeMap::new();
        let (mut now, mut number) = (0, 0);
        while !c.client.runs.is_empty() {
            prop_assert!(now < 40_000 * MS, "without an end");
            while let Some(entry) = coming.first_entry() && entry.key().0 <= now {
                c.hear(now, &entry.remove());
            }
            for (_, first, count) in c.poll(now) {
                prop_assert!(count > 0 && count <= LIMITS.messages);
                prop_assert!((first..first + u64::from(count)).any(|n| wanted.contains(&n)));
                // So many packets come back, each with so many messages, each so late.
                let (packets, messages, late) = answers.next().unwrap_or_default();
                let mut at = first;
                for part in 0..packets {
                    let n = messages.min(first + u64::from(count) - at);
                    if n > 0 {
                        coming.insert((now + (late + part) * MS, number), packet(SESSION, at, n));
                        number += 1;
                        at += n;
                    }
                }
            }
            now += MS;
        }
        for span in &c.world.failed {
            c.world.brought.extend(span.first..span.end());
        }
        prop_assert!(wanted.is_subset(&c.world.brought));
        prop_assert_eq!(c.count("requests_failed"), c.world.failed.len() as u64);
    }

    /// A server that answers each request with up to so many messages in one packet, and loses nothing, is asked for each
    /// message until it has come and no more: all is brought once, in little more requests than its answers need.
    #[test]
    fn a_sound_server_is_not_asked_more_than_it_must_be(
        count in 1u64..3_000,
        most in 1u64..80,
        lates in prop::collection::vec(1u64..5, 1..20),
        in_flight in 1usize..6,
    ) {
        let mut c = Client::new(RequestLimits { in_flight, ..LIMITS });
        c.wish(10, count);
        let mut lates = lates.into_iter().cycle();
        let mut coming: BTreeMap<(u64, u64), (u64, u64)> = BTreeMap::new();
        let mut now = 0;
        while !c.client.runs.is_empty() {
            prop_assert!(now < 100_000 * MS, "without an end");
            while let Some(entry) = coming.first_entry() && entry.key().0 <= now {
                let (first, n) = entry.remove();
                c.hear(now, &packet(SESSION, first, n));
            }
            for (_, first, n) in c.poll(now) {
                let late = lates.next().unwrap_or(1) * MS;
                coming.insert((now + late, first), (first, most.min(n.into())));
            }
            // One request at a time until it is known how many messages an answer has.
            prop_assert!(coming.len() <= in_flight.max(1));
            now += MS;
        }
        prop_assert_eq!(&c.world.brought, &(10..10 + count).collect());
        prop_assert_eq!(c.world.handed, count);
        prop_assert!(c.world.failed.is_empty());
        let least = count.div_ceil(most.min(LIMITS.messages.into()));
        let requests = c.count("requests");
        prop_assert!(requests <= least + least / 2 + 8, "{} for {}", requests, least);
    }
}
