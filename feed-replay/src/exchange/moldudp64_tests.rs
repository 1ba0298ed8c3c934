use super::*;
use crate::exchange::history::{Numbering, Shape};
use crate::synth::{Protocol, Recording, Spec};
use feed_common::wire::moldudp64::parse;
use proptest::prelude::*;
use std::sync::LazyLock;
use zerocopy::IntoBytes;

const LATER: u64 = 3_600_000_000_000;

/// A session of 5,000 messages, all of it sent by [`LATER`], with a restart in the middle.
static HISTORY: LazyLock<Arc<History>> = LazyLock::new(|| {
    let (session, _) = Recording::of(&Spec::new(Protocol::Itch50, 5_000, 3)).unwrap();
    let shape = Shape {
        faults: "restart@20ms".parse().unwrap(),
        ..Shape::default()
    };
    Arc::new(History::of(&session, Numbering::MoldUdp64, &shape).unwrap())
});

fn server(limits: Limits, faults: &str, seed: u64) -> MoldServer {
    MoldServer::new(Arc::clone(&HISTORY), limits, &faults.parse().unwrap(), seed)
}

fn request(session: [u8; 10], sequence: u64, count: u16) -> Vec<u8> {
    let request = Request {
        session,
        sequence: sequence.into(),
        requested_count: count.into(),
    };
    request.as_bytes().to_vec()
}

fn first() -> [u8; 10] {
    HISTORY.wire(1).unwrap().0
}

fn ask(server: &mut MoldServer, request: &[u8], now: u64) -> Vec<(u64, Vec<u8>)> {
    let mut packets = Vec::new();
    server.answer(request, now, &mut |at, packet| {
        packets.push((at, packet.to_vec()))
    });
    packets
}

/// The messages of packets that follow one another, checked to be those of the session from `number` on.
fn messages(packets: &[(u64, Vec<u8>)], number: u64) -> u64 {
    let mut next = number;
    for (_, packet) in packets {
        let (header, blocks) = parse(packet).unwrap();
        assert_eq!(
            HISTORY.wire(next),
            Some((header.session, header.sequence.get()))
        );
        let count = u64::from(header.blocks());
        assert!(blocks.eq(HISTORY.messages(next).take(count as usize)));
        next += count;
    }
    next - number
}

#[test]
fn an_answer_is_a_packet_with_as_many_messages_as_fit_or_were_asked_for() {
    let mut server = server(Limits::default(), "", 1);
    let answer = ask(&mut server, &request(first(), 1, 3), LATER);
    assert_eq!(
        (answer.len(), answer[0].0, messages(&answer, 1)),
        (1, LATER, 3)
    );
    let answer = ask(&mut server, &request(first(), 10, 0xfffe), LATER);
    let got = messages(&answer, 10);
    let next = HISTORY.messages(10 + got).next().unwrap().len();
    let length = answer[0].1.len();
    assert!(
        answer.len() == 1 && length <= 1_400 && length + 2 + next > 1_400,
        "{length}"
    );
    let counts = server.counts();
    assert_eq!(
        (counts.requests, counts.answered, counts.packets),
        (2, 2, 2)
    );
    assert_eq!(
        (counts.messages, counts.bytes),
        (3 + got, 20 + 2 * 3 + lengths(1, 3) + length as u64)
    );
}

fn lengths(from: u64, count: usize) -> u64 {
    HISTORY
        .messages(from)
        .take(count)
        .map(|m| m.len() as u64)
        .sum()
}

#[test]
fn its_limits_hold() {
    let limits = Limits {
        payload: 80,
        packets: 7,
        messages: 7,
        requests_per_second: 2,
        keep: 100,
    };
    let mut server = server(limits, "", 1);
    let (session, last) = HISTORY.wire(5_000).unwrap();
    let answer = ask(&mut server, &request(session, last - 50, 1_000), LATER);
    assert_eq!(messages(&answer, 5_000 - 50), 7);
    assert!(answer.len() > 1 && answer.iter().all(|(_, p)| p.len() <= 80));
    assert!(ask(&mut server, &request(session, last - 100, 1), LATER).is_empty());
    assert!(ask(&mut server, &request(session, last - 50, 1), LATER).is_empty());
    let counts = server.counts();
    assert_eq!((counts.answered, counts.unknown, counts.limited), (1, 1, 1));
    // Half a second later there is room for one more; the oldest kept is there.
    let answer = ask(
        &mut server,
        &request(session, last - 99, 2),
        LATER + 500_000_000,
    );
    assert_eq!(messages(&answer, 5_000 - 99), 2);
    // Packets run out before messages do.
    let limits = Limits {
        payload: 50,
        packets: 2,
        ..limits
    };
    let mut server = MoldServer::new(Arc::clone(&HISTORY), limits, &ServerFaults::default(), 1);
    // No message fits beside another, and some not even alone: they have a packet each.
    let answer = ask(&mut server, &request(session, last - 50, 7), LATER);
    assert!(answer.len() == 2 && messages(&answer, 5_000 - 50) == 2);
}

#[test]
fn what_it_does_not_know_it_does_not_answer() {
    let mut server = server(Limits::default(), "", 1);
    let (second, after) = HISTORY.wire(5_000).unwrap();
    assert_ne!(second, first());
    let now = HISTORY.sent_at(10).unwrap();
    let (_, sent) = HISTORY.wire(HISTORY.reached(now)).unwrap();
    // In the order of the counts: malformed, another session, unknown.
    let mut cases: Vec<(Vec<u8>, u64, usize)> = vec![
        (Vec::new(), LATER, 0),
        (request(first(), 1, 1)[..19].to_vec(), LATER, 0),
        ([request(first(), 1, 1), vec![0]].concat(), LATER, 0),
        (vec![0xff; 65_507], LATER, 0),
        (request(first(), 1, 0), LATER, 0),
        (request(first(), 1, 0xffff), LATER, 0),
        (request(*b"NOBODY    ", 1, 1), LATER, 1),
        (request([0xff; 10], u64::MAX, 1), LATER, 1),
        (request(second, 1, 1), now, 1), // not begun yet
        (request(first(), sent, 1), now, 2),
        (request(first(), 0, 1), LATER, 2),
        (request(second, after + 1, 1), LATER, 2),
        (request(second, u64::MAX, 0xfffe), LATER, 2),
        (request(first(), u64::MAX - 3, 0xfffe), LATER, 2),
        // The number that the second session's first message would have in the first.
        (request(first(), 5_000, 1), LATER, 2),
    ];
    cases.sort_by_key(|case| case.1);
    let mut expected = [0; 3];
    for (request, now, why) in cases {
        assert!(ask(&mut server, &request, now).is_empty(), "{request:?}");
        expected[why] += 1;
        let counts = server.counts();
        assert_eq!(
            [counts.malformed, counts.other_session, counts.unknown],
            expected,
            "{request:?}"
        );
    }
    // A request over the end is answered up to it, and never across into the next session.
    let answer = ask(&mut server, &request(second, after - 1, 100), LATER);
    assert_eq!(messages(&answer, 4_999), 2);
    let behind = (1..5_001)
        .find(|&n| HISTORY.wire(n).unwrap().0 == second)
        .unwrap();
    let answer = ask(&mut server, &request(first(), behind - 2, 100), LATER);
    assert_eq!(messages(&answer, behind - 2), 2);
}

#[test]
fn faults_come_at_their_rates_and_are_told() {
    let asked = request(first(), 5, 2);
    let mut server = server(
        Limits {
            requests_per_second: 0,
            ..Limits::default()
        },
        "refuse=10% late=1ms..5ms wrong=5% loss=3%",
        9,
    );
    let (mut right, mut silent) = (0, 0);
    for i in 0..20_000 {
        let now = LATER + i;
        let answer = ask(&mut server, &asked, now);
        assert!(
            answer
                .iter()
                .all(|(at, _)| (1_000_000..=5_000_000).contains(&(at - now)))
        );
        match &answer[..] {
            [] => silent += 1,
            [(_, packet)] => {
                right += u64::from(
                    parse(packet).is_ok_and(|(h, _)| h.sequence.get() == 5 && h.session == first()),
                )
            }
            more => panic!("{more:?}"),
        }
    }
    // Six standard deviations.
    let counts = server.counts();
    assert!(counts.refused.abs_diff(2_000) < 260, "{counts:?}");
    assert!(counts.wrong.abs_diff(900) < 180, "{counts:?}");
    assert!(counts.lost.abs_diff(540) < 140, "{counts:?}");
    assert_eq!(counts.answered + counts.refused, 20_000);
    assert_eq!(
        (counts.late, silent),
        (counts.answered, counts.refused + counts.lost)
    );
    // Lost or wrong, and wrong ones may happen to be cut behind the header or to be what was asked for.
    let wrong = counts.packets - right;
    assert!(
        wrong <= counts.wrong && wrong + counts.lost + 60 > counts.wrong,
        "{wrong} {counts:?}"
    );
}

#[test]
fn wrong_answers_are_of_every_kind() {
    let mut server = server(Limits::default(), "wrong=100%", 4);
    let [mut session, mut other, mut cut, mut garbage] = [0; 4];
    for i in 0..400 {
        let answer = ask(&mut server, &request(first(), 5, 2), LATER + i * 1_000_000);
        let [(_, packet)] = &answer[..] else {
            panic!("{answer:?}")
        };
        match parse(packet) {
            Ok((header, _)) if HISTORY.sent_of(&header.session, 1, u64::MAX).is_none() => {
                session += 1
            }
            Ok((header, _)) => {
                let sequence = header.sequence.get();
                let sent = HISTORY
                    .sent_of(&header.session, sequence, u64::MAX)
                    .unwrap();
                assert!(messages(&answer, sent.start) <= 2);
                other += 1;
            }
            Err(_) if packet.starts_with(&first()) => cut += 1,
            Err(_) => garbage += 1,
        }
    }
    // A packet cut within its session's name looks like garbage.
    for kind in [session, other, cut, garbage] {
        assert!(
            (50..170).contains(&kind),
            "{session} {other} {cut} {garbage}"
        );
    }
}

#[test]
fn a_server_that_went_away_is_deaf_and_comes_back() {
    let mut server = server(Limits::default(), "close=20%", 2);
    let asked = request(first(), 1, 1);
    let (mut now, mut gone) = (LATER, 0);
    for _ in 0..200 {
        let answered = !ask(&mut server, &asked, now).is_empty();
        if !answered {
            gone += 1;
            let back = now + ServerFaults::CLOSED_NS;
            assert!(ask(&mut server, &asked, back - 1).is_empty());
            now = back;
        } else {
            now += 1_000_000;
        }
    }
    assert!((15..70).contains(&gone), "{gone}");
    assert_eq!(server.counts().closed, 2 * gone);
}

#[test]
fn a_trickle_is_a_message_at_a_time() {
    let mut server = server(Limits::default(), "trickle=10ms", 2);
    let answer = ask(&mut server, &request(first(), 1, 20), LATER);
    assert_eq!((answer.len(), messages(&answer, 1)), (20, 20));
    for (i, (at, packet)) in answer.iter().enumerate() {
        assert_eq!(*at, LATER + i as u64 * 10_000_000);
        assert_eq!(parse(packet).unwrap().0.blocks(), 1);
    }
}

proptest! {
    /// Whatever is asked, every request is counted once, what is answered is what the session has, and the same
    /// requests get the same answers.
    #[test]
    fn any_request_is_answered_rightly_or_not_at_all(
        requests in prop::collection::vec(
            (prop_oneof![
                (prop_oneof![0..5_100u64, any::<u64>()], any::<u16>(), 0..3u8).prop_map(|(sequence, count, session)| {
                    let name = match session {
                        0 => first(),
                        1 => HISTORY.wire(5_000).unwrap().0,
                        _ => *b"OTHER     ",
                    };
                    request(name, sequence, count)
                }),
                prop::collection::vec(any::<u8>(), 0..40),
            ], 0..50_000_000u64),
            1..40,
        ),
        packets in 0..5u16,
        keep in prop_oneof![Just(0), 1..6_000u64],
        seed in any::<u64>(),
    ) {
        let limits = Limits { packets, keep, requests_per_second: 100, ..Limits::default() };
        let run = |faults: &str| {
            let mut server = server(limits, faults, seed);
            let mut now = 0;
            let answers: Vec<_> = requests.iter().map(|(request, gap)| {
                now += gap;
                (now, ask(&mut server, request, now))
            }).collect();
            (answers, server.counts())
        };
        let (answers, counts) = run("");
        for (now, answer) in &answers {
            let Some((_, packet)) = answer.first() else { continue };
            let (header, _) = parse(packet).unwrap();
            let sent = HISTORY.sent_of(&header.session, header.sequence.get(), *now).unwrap();
            let got = messages(answer, sent.start);
            prop_assert!(answer.len() <= packets.max(1).into() && sent.start + got <= sent.end);
        }
        let faulty = "refuse=20% late=0..5ms wrong=20% loss=20% close=5%";
        prop_assert_eq!(run(faulty), run(faulty));
        for counts in [counts, run(faulty).1] {
            let ends = [
                counts.answered, counts.malformed, counts.other_session, counts.unknown, counts.limited,
                counts.refused, counts.closed,
            ];
            prop_assert_eq!(ends.iter().sum::<u64>(), requests.len() as u64);
        }
    }
}
