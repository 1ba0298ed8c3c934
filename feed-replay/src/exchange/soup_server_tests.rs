use super::*;
use crate::exchange::{Numbering, Shape, SoupNext};
use crate::fault::SessionFaults;
use crate::synth::{Protocol, Recording, Spec};
use feed_common::wire::soupbintcp::{EndOfSnapshot, FromServer, Packet, PacketStream};
use zerocopy::{FromBytes, IntoBytes};

const SECOND: u64 = 1_000_000_000;

fn history(restarts: &[u64]) -> Arc<History> {
    let (session, _) = Recording::of(&Spec::new(Protocol::Itch50, 3_000, 7)).unwrap();
    let shape = Shape {
        faults: SessionFaults {
            restarts: restarts.to_vec(),
            ..SessionFaults::default()
        },
        ..Shape::default()
    };
    Arc::new(History::of(&session, Numbering::MoldUdp64, &shape).unwrap())
}

/// How a login was answered, the messages that followed, and whether the session was over.
#[derive(Debug, Default, PartialEq)]
struct Got {
    accepted: Option<([u8; 10], u64)>,
    rejected: bool,
    messages: Vec<Vec<u8>>,
    over: bool,
}

/// Logs in at a time, and takes what there is at that time.
fn ask(server: &mut SoupServer, session: [u8; 10], sequence: u64, now: u64) -> Got {
    let mut connection = server.connect(now);
    let login = LoginRequest::new([b' '; 6], [b' '; 10], session, sequence);
    connection.heard(login.as_bytes(), now);
    let (mut stream, mut got) = (PacketStream::new(), Got::default());
    loop {
        let mut out = Vec::new();
        let next = connection.poll(now, 10_000, &mut out);
        assert_eq!(stream.fill(&out), out.len());
        while let Some(packet) = stream.next().unwrap() {
            match Packet::from_server(packet).unwrap() {
                FromServer::Accepted(m) => {
                    got.accepted = Some((m.session, number(&m.sequence_number).unwrap()));
                }
                FromServer::Rejected(_) => got.rejected = true,
                FromServer::Sequenced(m) => got.messages.push(m.to_vec()),
                FromServer::EndOfSession => got.over = true,
                other => panic!("{other:?}"),
            }
        }
        if out.is_empty() || next == SoupNext::Close {
            return got;
        }
    }
}

#[test]
fn a_session_is_replayed_from_any_number_up_to_what_was_sent() {
    let history = history(&[]);
    let all: Vec<_> = history.messages(1).map(<[u8]>::to_vec).collect();
    let (session, _) = history.wire(1).unwrap();
    let mut server = SoupServer::replay(Arc::clone(&history), &ServerFaults::default(), 1);
    let end = history.last_at();
    let whole = ask(&mut server, CURRENT_SESSION, 1, end);
    assert_eq!(whole.accepted, Some((session, 1)));
    assert!(whole.messages == all && whole.over);
    let half = history.packet(history.len() / 2).unwrap();
    let some = ask(&mut server, session, 100, half.at);
    assert_eq!(some.accepted, Some((session, 100)));
    let sent = history.reached(half.at) as usize;
    assert!(some.messages == all[99..sent - 1] && !some.over);
    // Of what has not been sent, what will be next.
    for asked in [sent as u64 + 500, 0] {
        let later = ask(&mut server, session, asked, half.at);
        assert_eq!(later.accepted, Some((session, sent as u64)));
        assert!(later.messages.is_empty() && !later.over);
    }
    assert!(ask(&mut server, *b"YESTERDAY ", 1, end).rejected);
    assert_eq!(server.counts().answered, 5);
}

#[test]
fn a_session_that_another_has_replaced_is_over() {
    let original = history(&[]);
    let at = original.packet(original.len() / 2).unwrap().at;
    let history = history(&[at]);
    let (first, second) = (
        history.wire(1).unwrap().0,
        history.heartbeat(at, false).unwrap(),
    );
    assert_ne!(first, second.session);
    let mut server = SoupServer::replay(Arc::clone(&history), &ServerFaults::default(), 1);
    let old = ask(&mut server, first, 1, history.last_at());
    let new = ask(&mut server, CURRENT_SESSION, 1, history.last_at());
    assert!(old.over && new.over);
    assert_eq!(new.accepted, Some((second.session, 1)));
    assert_eq!(old.messages.len() + new.messages.len(), 3_000);
}

#[test]
fn snapshots_are_of_the_moment_they_are_asked_for() {
    let history = history(&[]);
    let mut server = SoupServer::snapshots(Arc::clone(&history), &ServerFaults::default(), 1);
    for place in [10, 40, history.len() - 1] {
        let now = history.packet(place).unwrap().at;
        let got = ask(&mut server, CURRENT_SESSION, 1, now);
        let next = history.reached(now);
        let mut state = GlimpseState::default();
        let sent = history.messages(1).take(next as usize - 1);
        sent.for_each(|message| state.apply(message));
        let want = state.snapshot(next);
        assert!(got.messages.iter().map(Vec::as_slice).eq(want.from(1)) && !got.over);
        let end = EndOfSnapshot::read_from_bytes(got.messages.last().unwrap()).unwrap();
        assert_eq!(number(&end.sequence_number), Some(next));
    }
    assert!(ask(&mut server, CURRENT_SESSION, 2, 0).rejected);
    assert!(ask(&mut server, *b"SESSION001", 1, 0).rejected);
}

#[test]
fn faults_come_as_often_as_they_should_and_the_seed_decides_which() {
    let history = history(&[]);
    let (session, _) = history.wire(1).unwrap();
    let now = history.last_at() + SECOND;
    let run = |faults: &str, seed| {
        let faults = faults.parse().unwrap();
        let mut server = SoupServer::replay(Arc::clone(&history), &faults, seed);
        let got: Vec<_> = (0..40).map(|_| server.draw()).collect();
        (got, server.counts())
    };
    let (drawn, counts) = run("refuse=20% wrong=50% close=20%", 1);
    assert_eq!(
        run("refuse=20% wrong=50% close=20%", 1),
        (drawn.clone(), counts)
    );
    assert_ne!(run("refuse=20% wrong=50% close=20%", 2).0, drawn);
    assert_eq!(counts.refused + counts.closed + counts.answered, 40);
    assert!(counts.refused > 2 && counts.closed > 2 && counts.wrong > 5);
    let kinds = [
        drawn.iter().any(|f| f.session.is_some()),
        drawn.iter().any(|f| f.from.is_some()),
        drawn.iter().any(|f| f.then == SoupEnd::Garbage),
    ];
    assert_eq!(kinds, [true; 3]);

    let mut server = SoupServer::replay(Arc::clone(&history), &"close=100%".parse().unwrap(), 3);
    let closed = ask(&mut server, session, 1, now);
    assert!(closed.messages.len() < 1_000 && !closed.over);
    let mut server = SoupServer::replay(history, &"late=1s..2s".parse().unwrap(), 3);
    assert_eq!(ask(&mut server, session, 1, now), Got::default());
    assert_eq!(server.counts().late, 1);
}
