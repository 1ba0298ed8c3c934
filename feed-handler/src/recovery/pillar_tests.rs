//! The client against a server in virtual time that says, loses and delays what it likes.

use super::*;
use feed_common::wire::pillar::{
    MAX_PACKET, MessageUnavailable, PacketBuilder, RequestPacket, SequenceNumberReset,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use zerocopy::IntoBytes;

const MS: u64 = MILLISECOND;
const SECOND: u64 = 1_000 * MS;
const SOURCE: SourceId = *b"ACME01\0\0\0\0";
/// The group that answers are sent to, behind two servers.
const GROUP: usize = 2;

/// What was handed over, and how much more can be.
#[derive(Default)]
struct World {
    room: Option<usize>,
    brought: Vec<u64>,
    failed: Vec<(u64, u64)>,
}

/// What was done to the servers.
#[derive(Default)]
struct Ways(Vec<String>);

impl Net for Ways {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        let mut said = messages(bytes).expect("a packet");
        let (header, _) = parse(bytes).expect("a packet");
        let number = header.seq_num.get();
        self.0.push(match said.next().expect("a message") {
            Message::RetransmissionRequest(r) => {
                assert_eq!((r.source_id, r.product_id, r.channel_id), (SOURCE, 11, 3));
                let (begin, end) = (r.begin_seq.get(), r.end_seq.get());
                format!("{server}< {number}: {begin} to {end}")
            }
            Message::HeartbeatResponse(r) => {
                assert_eq!(r.source_id, SOURCE);
                format!("{server}< {number}: alive")
            }
            other => panic!("{other:?}"),
        });
        assert!(said.next().is_none());
    }

    fn open(&mut self, server: usize) {
        self.0.push(format!("open {server}"));
    }

    fn close(&mut self, server: usize) {
        self.0.push(format!("close {server}"));
    }
}

impl RecoverySink for World {
    fn has_room(&self, n: usize) -> bool {
        self.room.is_none_or(|room| room >= n)
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert!(channel == 5 && self.room != Some(0));
        match what {
            Handed::Packet(bytes) => {
                let (frame, _) = PillarFraming.open(bytes).unwrap();
                self.brought.extend(frame.span.first..frame.span.end());
            }
            Handed::Failed(m) => self.failed.push((m.span.first, m.span.end())),
            other => panic!("{other:?}"),
        }
    }
}

fn missing(first: u64, end: u64) -> Missing {
    Missing {
        channel: 5,
        unit: 0,
        session: SESSION,
        span: SeqSpan::between(first, end),
    }
}

/// An answer with so many messages.
fn packet(flag: Flag, first: u64, count: u64) -> Vec<u8> {
    let mut packet = PacketBuilder::new(first as u32, MAX_PACKET);
    (0..count).for_each(|_| assert!(packet.push(b"\x05\0\x8c\0x")));
    packet.payload(flag, 0).to_vec()
}

fn again(first: u64, count: u64) -> Vec<u8> {
    packet(Flag::RETRANSMISSION_PART, first, count)
}

fn unavailable(first: u32, last: u32, channel_id: u8) -> Vec<u8> {
    let mut packet = PacketBuilder::new(900, MAX_PACKET);
    let said = MessageUnavailable {
        begin_seq: first.into(),
        end_seq: last.into(),
        product_id: 11,
        channel_id,
        ..MessageUnavailable::new()
    };
    packet.push(said.as_bytes());
    packet.payload(Flag::UNAVAILABLE, 0).to_vec()
}

fn response(number: u32, status: u8) -> Vec<u8> {
    let said = RequestResponse {
        request_seq_num: number.into(),
        source_id: SOURCE,
        product_id: 11,
        channel_id: 3,
        status,
        ..RequestResponse::new()
    };
    RequestPacket::response(&said, 1, 0).as_bytes().to_vec()
}

struct Client {
    client: PillarRequests,
    world: World,
    now: u64,
}

impl Client {
    fn new(settings: PillarSettings) -> Client {
        Client {
            client: PillarRequests::new(settings),
            world: World::default(),
            now: 0,
        }
    }

    /// A client that is connected to the first of two servers.
    fn connected() -> Client {
        let mut c = Client::new(settings());
        assert_eq!(c.poll(), ["open 0"]);
        assert!(c.says(0, Heard::Opened).is_empty());
        c
    }

    fn wish(&mut self, first: u64, end: u64) {
        let wish = Wish::Messages(missing(first, end));
        self.client.wish(wish, self.now, &mut self.world);
    }

    fn settle(&mut self, first: u64) {
        let mut settled = missing(first, first);
        settled.span.count = 0;
        let wish = Wish::Settled(settled);
        self.client.wish(wish, self.now, &mut self.world);
    }

    fn poll(&mut self) -> Vec<String> {
        let mut ways = Ways::default();
        let next = self.client.poll(self.now, &mut ways, &mut self.world);
        assert!(next.is_some_and(|next| next > self.now));
        ways.0
    }

    /// What is done by a time, each with its millisecond.
    fn until(&mut self, time: u64) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        loop {
            let mut ways = Ways::default();
            let next = self.client.poll(self.now, &mut ways, &mut self.world);
            all.extend(ways.0.into_iter().map(|done| (self.now / MS, done)));
            let next = next.unwrap().min(time);
            if next == self.now {
                return all;
            }
            self.now = next;
        }
    }

    fn says(&mut self, server: usize, heard: Heard<'_>) -> Vec<String> {
        let mut ways = Ways::default();
        let Client { client, world, now } = self;
        client.heard(server, heard, *now, &mut ways, world);
        ways.0
    }

    fn server(&mut self, bytes: &[u8]) -> Vec<String> {
        self.says(0, Heard::Bytes(bytes))
    }

    fn group(&mut self, bytes: &[u8]) {
        assert!(self.says(GROUP, Heard::Bytes(bytes)).is_empty());
    }

    fn count(&self, name: &str) -> u64 {
        let counters: BTreeMap<_, _> = self.client.counters().into_iter().collect();
        counters[name]
    }
}

fn settings() -> PillarSettings {
    PillarSettings {
        attempts: 3,
        wishes: 4,
        ..PillarSettings::new(2, SOURCE, 11, 3)
    }
}

#[test]
fn what_is_missing_is_asked_for_by_one_request_and_handed_over() {
    let mut c = Client::connected();
    c.wish(101, 103);
    c.wish(600, 700);
    assert_eq!(c.poll(), ["0< 1: 101 to 699"]);
    assert!(c.server(&response(1, b'0')).is_empty());
    c.group(&again(101, 2));
    c.group(&again(500, 180));
    c.group(&packet(Flag::RETRANSMISSION, 680, 20));
    assert_eq!(c.until(100 * SECOND), []);
    let all: Vec<u64> = [101, 102].into_iter().chain(500..700).collect();
    assert_eq!(c.world.brought, all);
    assert!(c.world.failed.is_empty());
    let names = ["requests", "requests_accepted", "answers", "messages"];
    assert_eq!(names.map(|name| c.count(name)), [1, 1, 3, 102]);
    assert_eq!(c.count("answers_unasked"), 0);
}

#[test]
fn a_request_has_a_thousand_messages_at_most_and_several_are_under_way() {
    let mut c = Client::connected();
    c.wish(1, 2_501);
    c.wish(2_900, 2_901);
    let asked = [
        "0< 1: 1 to 1000",
        "0< 2: 1001 to 2000",
        "0< 3: 2001 to 2900",
    ];
    assert_eq!(c.poll(), asked);
    // The second server of the group brings the same, and nobody takes it twice.
    for first in (2_001..2_501).step_by(100) {
        c.group(&again(first, 100));
        c.group(&again(first, 100));
    }
    c.server(&response(3, b'0')); // later than what it announces
    assert_eq!(c.count("messages"), 500);
    let asides = ["answers_unneeded", "answers_unasked"];
    assert_eq!(asides.map(|name| c.count(name)), [5, 0]);
    assert_eq!(c.count("requests_accepted"), 1);
}

#[test]
fn what_was_lost_of_an_answer_is_asked_for_again() {
    let mut c = Client::connected();
    c.wish(10, 40);
    assert_eq!(c.poll(), ["0< 1: 10 to 39"]);
    c.now = 4 * MS;
    c.server(&response(1, b'0'));
    c.group(&again(10, 10));
    c.group(&again(30, 5));
    c.group(&again(10, 10)); // by another group
    assert_eq!(c.count("answers_unneeded"), 1);
    // Nothing more for as long as it took, at least 20 ms.
    assert_eq!(c.until(23 * MS), []);
    assert_eq!(c.until(24 * MS), [(24, "0< 2: 20 to 39".into())]);
    c.group(&again(20, 20));
    assert_eq!(c.until(90 * SECOND), []);
    assert_eq!(c.count("requests_unanswered"), 0);
}

#[test]
fn each_rejection_has_its_name_and_fails_its_range() {
    for (code, name) in [
        (b'1', "rejected_source_id"),
        (b'2', "rejected_other"),
        (b'3', "rejected_range_too_large"),
        (b'4', "rejected_daily_requests"),
        (b'5', "rejected_daily_refreshes"),
        (b'6', "rejected_too_old"),
        (b'7', "rejected_channel"),
        (b'8', "rejected_product"),
        (b'9', "rejected_format"),
    ] {
        let mut c = Client::connected();
        c.wish(1, 1_001);
        c.wish(5_000, 5_002);
        assert_eq!(c.poll().len(), 2);
        c.server(&response(1, code));
        assert_eq!(c.until(MS), []);
        assert_eq!(c.world.failed, [(1, 1_001)], "{name}");
        assert_eq!((c.count(name), c.count("failed")), (1, 1), "{name}");
        c.group(&again(5_000, 2));
        assert_eq!(c.world.brought, [5_000, 5_001]);
    }
}

#[test]
fn messages_that_are_unavailable_fail_at_once_as_far_as_they_were_asked_for() {
    let mut c = Client::connected();
    c.wish(10, 30);
    c.group(&unavailable(1, 100, 3)); // nobody has asked
    assert_eq!(c.poll(), ["0< 1: 10 to 29"]);
    c.group(&unavailable(1, 100, 4)); // another channel
    c.group(&unavailable(30, u32::MAX, 3));
    assert_eq!(c.count("answers_unasked"), 3);
    c.group(&unavailable(1, 14, 3));
    assert_eq!(c.until(MS), []);
    assert_eq!(c.world.failed, [(10, 15)]);
    c.group(&again(15, 15));
    assert_eq!(c.until(100 * SECOND), []);
    assert_eq!(c.world.brought, (15..30).collect::<Vec<_>>());
    assert_eq!(c.count("unavailable"), 1);
}

#[test]
fn only_answers_are_handed_over() {
    let mut c = Client::connected();
    c.wish(10, 15);
    c.group(&again(10, 5)); // before it was asked
    c.poll();
    c.group(&again(10, 6));
    c.group(&again(9, 6));
    c.group(&again(10, 0));
    c.group(&packet(Flag::ORIGINAL, 10, 5));
    c.group(&packet(Flag::REFRESH, 10, 5));
    c.group(&again(u64::from(u32::MAX), 1));
    assert_eq!(c.count("answers_unasked"), 7);
    c.group(b"");
    c.group(&[0xff; 1_400]);
    c.group(&again(10, 5)[..30]);
    assert_eq!(c.count("answers_garbage"), 3);
    c.server(&response(7, b'6')); // never asked
    let mut other = response(1, b'6');
    other[16 + 16] = b'B'; // another client's
    c.server(&other);
    assert_eq!(c.count("answers_unasked"), 9);
    assert!(c.world.brought.is_empty() && c.world.failed.is_empty());
    c.group(&again(11, 3));
    assert_eq!(c.world.brought, [11, 12, 13]);
}

#[test]
fn a_server_that_never_responds_is_left_and_then_it_is_given_up() {
    let mut c = Client::connected();
    c.wish(7, 8);
    let done = c.until(1_250 * MS);
    let want = [
        (0, "0< 1: 7 to 7".to_owned()),
        (500, "0< 2: 7 to 7".to_owned()),
        (1_000, "close 0".to_owned()),
        (1_250, "open 1".to_owned()),
    ];
    assert_eq!(done, want);
    c.says(1, Heard::Opened);
    assert_eq!(c.until(1_500 * MS), [(1_250, "1< 3: 7 to 7".into())]);
    assert!(c.world.failed.is_empty());
    assert_eq!(c.until(1_750 * MS), []);
    assert_eq!(c.world.failed, [(7, 8)]);
    assert_eq!(c.count("requests_unanswered"), 3);
    c.group(&again(7, 1)); // too late now
    assert!(c.world.brought.is_empty());
}

#[test]
fn nobody_to_connect_to_is_asked_ever_less_often_and_wishes_end() {
    let mut c = Client::new(settings());
    c.wish(1, 2);
    let mut opened = Vec::new();
    while c.now < 120 * SECOND {
        for done in c.poll() {
            opened.push(c.now / (250 * MS));
            let server: usize = done.strip_prefix("open ").unwrap().parse().unwrap();
            c.says(server, Heard::Closed);
        }
        c.now += 250 * MS;
    }
    assert_eq!(opened[..8], [0, 1, 3, 7, 15, 31, 63, 127]);
    assert_eq!(opened[8..], [191, 255, 319, 383, 447]);
    assert_eq!(c.world.failed, [(1, 2)]);
    assert_eq!(c.count("requests"), 0);
}

#[test]
fn heartbeats_are_answered_however_their_bytes_come_and_silence_is_death() {
    let mut c = Client::connected();
    let beat = PacketBuilder::new(0, MAX_PACKET).heartbeat(0);
    let beats = [beat.as_bytes(), beat.as_bytes()].concat();
    assert_eq!(c.server(&beats), ["0< 1: alive", "0< 2: alive"]);
    let mut said = Vec::new();
    c.wish(3, 4);
    c.poll();
    for &byte in beats.iter().chain(&response(3, b'0')) {
        said.extend(c.server(&[byte]));
    }
    assert_eq!(said, ["0< 4: alive", "0< 5: alive"]);
    assert_eq!(c.count("requests_accepted"), 1);
    c.group(&again(3, 1));
    // A byte now and then is silence.
    for second in 1..150 {
        c.now = second * SECOND;
        c.server(&[16, 0, 1][..usize::from(second == 1) * 2]);
        assert!(c.poll().is_empty());
    }
    c.now = 150 * SECOND;
    assert_eq!(c.poll(), ["close 0"]);
    assert_eq!(c.count("server_silent"), 1);
}

#[test]
fn garbage_ends_the_connection_and_what_was_asked_is_asked_again() {
    let [mut short, mut flagged] = [response(1, b'0'), response(1, b'0')];
    short[0] = 15;
    flagged[2] = 99;
    for garbage in [
        &short[..],
        &flagged,
        &[0xff; 64],
        b"HTTP/1.1 400 Bad Request",
    ] {
        let mut c = Client::connected();
        c.wish(7, 9);
        c.poll();
        assert_eq!(c.server(garbage), ["close 0"]);
        assert_eq!(c.count("server_garbage"), 1);
        assert_eq!(c.until(SECOND), [(250, "open 1".into())]);
        c.server(&response(1, b'0')); // of the connection that is closed
        assert_eq!(c.count("server_unasked"), 1);
        c.says(1, Heard::Opened);
        assert_eq!(c.poll(), ["1< 2: 7 to 8"]);
    }
}

#[test]
fn a_lost_connection_is_an_attempt() {
    let mut c = Client::connected();
    c.wish(7, 9);
    assert_eq!(c.poll(), ["0< 1: 7 to 8"]);
    for (server, asked) in [(1, "1< 2: 7 to 8"), (0, "0< 3: 7 to 8")] {
        c.says(1 - server, Heard::Closed);
        c.now += 20 * SECOND;
        assert_eq!(c.poll(), [format!("open {server}")]);
        c.says(server, Heard::Opened);
        assert_eq!(c.poll(), [asked]);
    }
    assert!(c.world.failed.is_empty());
    c.says(0, Heard::Closed);
    c.poll();
    assert_eq!(c.world.failed, [(7, 9)]);
    assert_eq!(c.count("server_closed"), 3);
}

#[test]
fn a_reset_voids_what_is_open() {
    // The lane says so, by what it wants no more.
    let mut c = Client::connected();
    c.wish(10, 20);
    c.poll();
    c.settle(20);
    c.group(&again(10, 10));
    assert_eq!((c.count("answers_unasked"), c.until(SECOND)), (1, vec![]));
    assert!(c.world.brought.is_empty() && c.world.failed.is_empty());
    // So does the channel of answers.
    c.wish(10, 20);
    assert_eq!(c.poll(), ["0< 2: 10 to 19"]);
    let mut reset = PacketBuilder::new(1, MAX_PACKET);
    reset.push(SequenceNumberReset::new().as_bytes());
    c.group(reset.payload(Flag::SEQUENCE_RESET, 0));
    c.group(&again(10, 10));
    c.poll();
    assert_eq!(
        (c.world.failed.clone(), c.count("resets")),
        (vec![(10, 20)], 1)
    );
    assert!(c.world.brought.is_empty());
    // What is wished for then has numbers of the new run.
    c.wish(3, 4);
    assert_eq!(c.poll(), ["0< 3: 3 to 3"]);
    c.group(&again(3, 1));
    assert_eq!(c.world.brought, [3]);
}

#[test]
fn wishes_that_cannot_be_open_fail_at_once() {
    let mut c = Client::connected();
    for first in [10, 20, 30, 40, 50] {
        c.wish(first, first + 1);
    }
    let beyond = u64::from(u32::MAX);
    c.wish(beyond, beyond + 2);
    c.client.wish(
        Wish::Messages(Missing {
            session: *b"YESTERDAY ",
            ..missing(1, 2)
        }),
        0,
        &mut c.world,
    );
    assert_eq!(c.world.failed, [(50, 51), (beyond, beyond + 2), (1, 2)]);
    c.settle(41);
    c.wish(beyond, beyond + 1);
    assert_eq!(c.poll(), [format!("0< 1: {beyond} to {beyond}")]);
    c.group(&again(beyond, 1));
    assert_eq!(c.world.brought, [beyond]);
}

#[test]
fn what_the_lane_has_no_room_for_is_asked_for_again() {
    let mut c = Client::connected();
    c.wish(10, 12);
    c.wish(5_000, 5_001);
    c.poll();
    c.world.room = Some(0);
    c.group(&again(10, 2));
    c.server(&response(2, b'6'));
    c.poll();
    assert_eq!(c.count("answers_no_room"), 1);
    c.world.room = None;
    let again_asked = c.until(500 * MS);
    assert_eq!(again_asked, [(20, "0< 3: 10 to 11".into())]);
    assert_eq!(c.world.failed, [(5_000, 5_001)]);
}

proptest! {
    /// Whatever becomes of requests, in the end every message wished for was handed over or is said to have failed; no
    /// request asks for more than it may or for nothing that is missing, and their number is bounded.
    #[test]
    fn all_is_brought_or_said_to_have_failed(
        wishes in prop::collection::vec((1u64..3_000, 1u64..1_500), 1..5),
        answers in prop::collection::vec((0u8..12, 0u64..6, 1u64..200, 0u64..900), 1..300),
    ) {
        let mut c = Client::connected();
        let mut wanted = BTreeSet::new();
        for &(first, count) in &wishes {
            c.wish(first, first + count);
            wanted.extend(first..first + count);
        }
        let mut answers = answers.into_iter().cycle();
        let mut coming: BTreeMap<(u64, u64), (bool, Vec<u8>)> = BTreeMap::new();
        let (mut number, mut server, mut requests) = (0, 0, 0);
        while c.client.wants.iter().next().is_some() {
            prop_assert!(c.now < 100_000 * SECOND, "without an end");
            while let Some(entry) = coming.first_entry() && entry.key().0 <= c.now {
                match entry.remove() {
                    (true, bytes) => c.group(&bytes),
                    (false, bytes) => drop(c.says(server, Heard::Bytes(&bytes))),
                }
            }
            for done in c.poll() {
                if let Some(opened) = done.strip_prefix("open ") {
                    server = opened.parse().unwrap();
                    c.says(server, Heard::Opened);
                    continue;
                }
                let Some((_, request)) = done.split_once("< ") else { continue };
                let fields: Vec<u64> = request
                    .split(|c: char| !c.is_ascii_digit())
                    .filter_map(|field| field.parse().ok())
                    .collect();
                let [asked, first, last] = fields[..] else { panic!("{done}") };
                requests += 1;
                prop_assert!(last >= first && last - first < 1_000);
                prop_assert!((first..=last).any(|n| wanted.contains(&n)));
                let (status, packets, messages, late) = answers.next().unwrap_or_default();
                let mut come = |at: u64, group, bytes| {
                    coming.insert((c.now + at * MS, number), (group, bytes));
                    number += 1;
                };
                match status {
                    0 => {}
                    1 => come(late, false, response(asked as u32, b'6')),
                    2 => come(late, true, unavailable(first as u32, (first + messages) as u32, 3)),
                    _ => come(late, false, response(asked as u32, b'0')),
                }
                let mut at = first;
                for part in 0..packets {
                    let n = messages.min(last + 1 - at);
                    if status > 2 && n > 0 {
                        come(late + part, true, again(at, n));
                        at += n;
                    }
                }
            }
            c.now += 10 * MS;
        }
        let failed = c.world.failed.iter().flat_map(|&(first, end)| first..end);
        let ended: BTreeSet<u64> = c.world.brought.iter().copied().chain(failed).collect();
        prop_assert!(wanted.is_subset(&ended));
        prop_assert!(requests < 100_000);
        prop_assert!(c.client.requests.is_empty());
    }
}
