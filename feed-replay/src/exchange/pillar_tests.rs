//! The request server by hand: its statuses, what it sends to the group, and what goes wrong with that.

use super::*;
use crate::exchange::{Numbering, Shape};
use crate::synth::{Protocol, Recording, Spec};

const SOURCE: SourceId = *b"ACME01\0\0\0\0";

fn history() -> Arc<History> {
    let (session, _) = Recording::of(&Spec::new(Protocol::Pillar, 5_000, 3)).unwrap();
    Arc::new(History::of(&session, Numbering::Pillar, &Shape::default()).unwrap())
}

/// A server, and a connection to it long after the session.
struct World {
    history: Arc<History>,
    server: PillarServer,
    connection: Box<dyn StreamConnection>,
    now: u64,
}

fn world(limits: PillarLimits, faults: &str) -> World {
    let history = history();
    let faults = faults.parse().unwrap();
    let mut server = PillarServer::new(Arc::clone(&history), limits, &faults, 5);
    let now = history.last_at() + SECOND;
    let connection = server.connect(now);
    let mut world = World {
        history,
        server,
        connection,
        now,
    };
    world.group(); // the heartbeat
    world
}

fn request(begin: u32, end: u32) -> RetransmissionRequest {
    RetransmissionRequest {
        begin_seq: begin.into(),
        end_seq: end.into(),
        source_id: SOURCE,
        product_id: 11,
        channel_id: 1,
        ..RetransmissionRequest::new()
    }
}

impl World {
    fn ask(&mut self, request: &RetransmissionRequest) -> Vec<u8> {
        let packet = RequestPacket::request(request, 9, 0);
        // A byte a time, as it may come.
        for byte in packet.as_bytes() {
            self.connection.heard(&[*byte], self.now);
        }
        self.said()
    }

    fn said(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.connection.poll(self.now, 1_000, &mut out);
        out
    }

    fn status(&mut self, request: &RetransmissionRequest) -> Status {
        let said = self.ask(request);
        let said: Vec<_> = messages(&said).unwrap().collect();
        let [Message::RequestResponse(said)] = said[..] else {
            panic!("{said:?}")
        };
        assert_eq!((said.request_seq_num.get(), said.source_id), (9, SOURCE));
        assert_eq!(said.begin_seq, request.begin_seq);
        Status::of(said.status)
    }

    /// What goes to the group now.
    fn group(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        self.server
            .datagrams(self.now, &mut |packet| sent.push(packet.to_vec()));
        sent
    }
}

#[test]
fn what_was_asked_for_goes_to_the_group_as_it_was_sent() {
    let mut w = world(PillarLimits::default(), "");
    assert_eq!(w.status(&request(100, 399)), Status::Accepted);
    let sent = w.group();
    let (mut next, mut came) = (100, Vec::new());
    assert!(sent.len() > 2);
    for packet in &sent {
        let (header, messages) = parse(packet).unwrap();
        assert_eq!(header.flag(), Flag::RETRANSMISSION_PART);
        assert_eq!(header.seq_num.get(), next);
        next += u32::from(header.number_msgs);
        came.extend(messages.map(<[u8]>::to_vec));
    }
    assert_eq!(next, 400);
    assert!(
        w.history
            .messages(100)
            .take(300)
            .eq(came.iter().map(Vec::as_slice))
    );
    assert_eq!(w.status(&request(7, 7)), Status::Accepted);
    let sent = w.group();
    assert_eq!(sent.len(), 1);
    assert_eq!(parse(&sent[0]).unwrap().0.flag(), Flag::RETRANSMISSION);
    let counts = w.server.counts();
    assert_eq!(
        (counts.requests, counts.answered, counts.messages),
        (2, 2, 301)
    );
}

#[test]
fn every_limit_has_its_status() {
    let limits = PillarLimits {
        messages: 50,
        requests: 2,
        keep: 1_000,
        ..PillarLimits::default()
    };
    let mut w = world(limits, "");
    let last = w.history.reached(w.now) as u32 - 1;
    for (asked, status) in [
        (request(last - 50, last), Status::RangeTooLarge),
        (request(last - 1_000, last - 999), Status::TooOld),
        (request(1, 2), Status::TooOld),
        (request(0, 2), Status::Format),
        (request(3, 2), Status::Format),
        (
            RetransmissionRequest {
                product_id: 12,
                ..request(last, last)
            },
            Status::Product,
        ),
        (
            RetransmissionRequest {
                channel_id: 2,
                ..request(last, last)
            },
            Status::Channel,
        ),
        (request(last - 49, last), Status::Accepted),
        (request(last, last), Status::Accepted),
        (request(last, last), Status::DailyRequests),
    ] {
        assert_eq!(w.status(&asked), status, "{asked:?}");
    }
    let counts = w.server.counts();
    assert_eq!(
        (counts.requests, counts.answered, counts.limited),
        (10, 2, 2)
    );
    assert_eq!(
        (counts.unknown, counts.malformed, counts.other_session),
        (2, 2, 2)
    );
}

#[test]
fn what_is_not_sent_yet_is_unavailable() {
    let mut w = world(PillarLimits::default(), "");
    let end = w.history.reached(w.now) as u32;
    assert_eq!(w.status(&request(end - 2, end + 5)), Status::Accepted);
    let sent = w.group();
    assert_eq!(sent.len(), 2);
    let (header, _) = parse(&sent[1]).unwrap();
    assert_eq!(header.flag(), Flag::UNAVAILABLE);
    let said: Vec<_> = messages(&sent[1]).unwrap().collect();
    let [Message::MessageUnavailable(said)] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((said.begin_seq.get(), said.end_seq.get()), (end, end + 5));
}

#[test]
fn heartbeats_go_both_ways_and_the_newest_connection_of_a_source_wins() {
    let mut w = world(PillarLimits::default(), "");
    w.ask(&request(1, 1));
    w.now += 60 * SECOND;
    let said = w.said();
    assert_eq!(parse(&said).unwrap().0.flag(), Flag::HEARTBEAT);
    let alive = RequestPacket::alive(SOURCE, 10, 0);
    w.connection.heard(alive.as_bytes(), w.now);
    w.now += 6 * SECOND;
    assert!(w.said().is_empty());
    let mut other = w.server.connect(w.now);
    assert_ne!(
        w.connection.poll(w.now, 1_000, &mut Vec::new()),
        Again::Close
    );
    other.heard(RequestPacket::alive(SOURCE, 1, 0).as_bytes(), w.now);
    assert_eq!(
        w.connection.poll(w.now, 1_000, &mut Vec::new()),
        Again::Close
    );
    // It does not answer, and is left.
    let mut out = Vec::new();
    other.poll(w.now + 60 * SECOND, 1_000, &mut out);
    assert_eq!(out.len(), 16);
    let again = other.poll(w.now + 65 * SECOND, 1_000, &mut out);
    assert_eq!(again, Again::Close);
}

#[test]
fn what_is_no_request_is_rejected_or_ends_the_connection() {
    let mut w = world(PillarLimits::default(), "");
    w.connection.heard(
        b"\x18\0\x0b\x01\x09\0\0\0\0\0\0\0\0\0\0\0\x08\0\x0f\0\0\0\0\0",
        w.now,
    );
    assert!(w.said().is_empty(), "shorter than any message of its type");
    let refresh =
        b"\x24\0\x0b\x01\x09\0\0\0\0\0\0\0\0\0\0\0\x14\0\x0f\0\0\0\0\0ACME01\0\0\0\0\x0b\x01";
    w.connection.heard(refresh, w.now);
    let said = w.said();
    let said: Vec<_> = messages(&said).unwrap().collect();
    assert!(matches!(said[..], [Message::RequestResponse(r)] if r.status == b'9'));
    w.connection.heard(b"GET / HTTP/1.1", w.now);
    assert_eq!(
        w.connection.poll(w.now, 1_000, &mut Vec::new()),
        Again::Close
    );
}

#[test]
fn faults_are_of_requests_and_of_answers() {
    let mut w = world(PillarLimits::default(), "refuse=100%");
    assert_eq!(w.status(&request(1, 9)), Status::DailyRequests);
    assert_eq!((w.group().len(), w.server.counts().refused), (0, 1));
    let mut w = world(PillarLimits::default(), "loss=100%");
    assert_eq!(w.status(&request(1, 9)), Status::Accepted);
    assert!(w.group().is_empty() && w.server.counts().lost > 0);
    let mut w = world(PillarLimits::default(), "close=100%");
    w.ask(&request(1, 9));
    assert_eq!(
        w.connection.poll(w.now, 1_000, &mut Vec::new()),
        Again::Close
    );
    let mut w = world(PillarLimits::default(), "late=5ms trickle=1ms");
    assert!(w.ask(&request(1, 9)).is_empty());
    let mut came = Vec::new();
    for _ in 0..20 {
        w.now += 1_000_000;
        came.push(w.group().len());
    }
    assert_eq!(came[..4].iter().sum::<usize>(), 0);
    assert_eq!(came[4..13], [1; 9]);
    assert!(!w.said().is_empty());
    let mut w = world(PillarLimits::default(), "wrong=100%");
    let mut on_the_connection = 0;
    for _ in 0..40 {
        let mut other = w.server.connect(w.now);
        let packet = RequestPacket::request(&request(10, 20), 1, 0);
        other.heard(packet.as_bytes(), w.now);
        let mut said = Vec::new();
        other.poll(w.now, 1_000, &mut said);
        on_the_connection += u64::from(messages(&said).is_err());
    }
    let sent = w.group();
    let right = sent.iter().filter(|packet| {
        parse(packet).is_ok_and(|(header, _)| (10..=20).contains(&header.seq_num.get()))
    });
    assert!(right.count() < 10 && on_the_connection > 2);
    assert_eq!(w.server.counts().wrong, 40);
}
