use super::*;
use feed_common::wire::soupbintcp::{NO_SESSION, NOT_AUTHORIZED};

const SESSION: [u8; 10] = *b"SESSION001";
const MILLISECOND: u64 = SECOND / 1_000;

/// A session of the messages `m1`, `m2` and so on, one a second, and over after the last.
#[derive(Debug)]
struct Source(u64);

impl SoupSource for Source {
    fn login(&mut self, request: &LoginRequest, _: u64) -> Result<([u8; 10], u64), u8> {
        if &request.username != b"USER  " {
            return Err(NOT_AUTHORIZED);
        }
        match request.requested_session {
            SESSION => {}
            _ => return Err(NO_SESSION),
        }
        let first = feed_common::wire::soupbintcp::number(&request.requested_sequence);
        Ok((SESSION, first.unwrap_or(1)))
    }

    fn messages(&self, from: u64, now: u64, visit: &mut dyn FnMut(&[u8]) -> bool) {
        let told = (now / SECOND + 1).min(self.0);
        (from..=told).all(|n| visit(format!("m{n}").as_bytes()));
    }

    fn is_over(&self, from: u64, _: u64) -> bool {
        from > self.0
    }
}

fn login(session: [u8; 10], sequence: u64) -> Vec<u8> {
    LoginRequest::new(*b"USER  ", [b' '; 10], session, sequence)
        .as_bytes()
        .to_vec()
}

fn connection(faults: SoupFaults) -> SoupConnection {
    SoupConnection::new(Box::new(Source(3)), faults, 0)
}

fn polled(c: &mut SoupConnection, now: u64) -> (String, SoupNext) {
    let mut out = Vec::new();
    let next = c.poll(now, usize::MAX, &mut out);
    (String::from_utf8(out).unwrap(), next)
}

const ACCEPTED_2: &str = "\0\x1fASESSION001                   2";

#[test]
fn a_session_is_told_as_it_happens_until_it_is_over() {
    let mut c = connection(SoupFaults::default());
    assert_eq!(
        polled(&mut c, 5),
        (String::new(), SoupNext::At(30 * SECOND))
    );
    let login = login(SESSION, 2);
    c.heard(&login[..20], 5);
    c.heard(&login[20..], 6);
    let (said, next) = polled(&mut c, 6);
    assert_eq!(
        (&said[..], next),
        (ACCEPTED_2, SoupNext::At(6 + SECOND)),
        "2 is not told yet"
    );
    assert_eq!(polled(&mut c, 7).0, "");
    assert_eq!(polled(&mut c, SECOND).0, "\0\x03Sm2");
    let (said, _) = polled(&mut c, 2 * SECOND);
    assert_eq!(said, "\0\x03Sm3\0\x01Z");
    assert_eq!(polled(&mut c, 2 * SECOND), (String::new(), SoupNext::Close));
    assert_eq!(c.messages(), 2);
}

#[test]
fn a_server_with_nothing_to_say_sends_heartbeats_to_who_is_there() {
    let mut c = SoupConnection::new(Box::new(Source(100)), SoupFaults::default(), 0);
    c.heard(&login(SESSION, 90), 0);
    polled(&mut c, 0);
    for second in 1..15 {
        assert_eq!(polled(&mut c, second * SECOND).0, "\0\x01H");
    }
    c.heard(b"\0\x01R", 14 * SECOND);
    assert_eq!(polled(&mut c, 28 * SECOND).0, "\0\x01H");
    assert_eq!(polled(&mut c, 29 * SECOND).1, SoupNext::Close);
}

#[test]
fn who_cannot_log_in_is_told_why_and_who_talks_nonsense_is_not() {
    let closed = |said: &[u8]| {
        let mut c = connection(SoupFaults::default());
        c.heard(said, 0);
        let mut out = Vec::new();
        while c.poll(0, 1, &mut out) != SoupNext::Close {}
        String::from_utf8(out).unwrap()
    };
    assert_eq!(closed(&login(*b"SESSION002", 1)), "\0\x02JS");
    let stranger = LoginRequest::new(*b"NOBODY", [b' '; 10], SESSION, 1);
    assert_eq!(closed(stranger.as_bytes()), "\0\x02JA");
    for said in [&b"\0\0"[..], b"\0\x01S", b"\0\x01L", b"\0\x01O"] {
        assert_eq!(closed(said), "");
    }
    let twice = [login(SESSION, 1), login(SESSION, 1)].concat();
    assert_eq!(closed(&twice), "");
    let mut silent = connection(SoupFaults::default());
    assert_eq!(polled(&mut silent, 30 * SECOND).1, SoupNext::Close);
}

#[test]
fn what_a_slow_client_has_not_taken_is_not_made() {
    let mut c = SoupConnection::new(Box::new(Source(u64::MAX)), SoupFaults::default(), 0);
    c.heard(&login(SESSION, 1), 0);
    let now = 1_000_000 * SECOND;
    c.heard(b"\0\x01R", now);
    let mut out = Vec::new();
    for _ in 0..1_000 {
        c.poll(now, 10, &mut out);
    }
    assert_eq!(out.len(), 10_000);
    assert!(c.made.len() < AHEAD + 100);
    assert!(out.starts_with(b"\0\x1fASESSION001                   1\0\x03Sm1\0\x03Sm2"));
}

#[test]
fn every_fault_is_what_it_is_called() {
    let said = |faults: SoupFaults| {
        let mut c = connection(faults);
        c.heard(&login(SESSION, 1), 0);
        let now = 10 * SECOND;
        polled(&mut c, now)
    };
    let none = SoupFaults::default;
    let reject = Some(NOT_AUTHORIZED);
    assert_eq!(said(SoupFaults { reject, ..none() }).0, "\0\x02JA");
    let session = Some(*b"YESTERDAY ");
    let other = said(SoupFaults { session, ..none() }).0;
    assert!(other.starts_with("\0\x1fAYESTERDAY                    1"));
    let from = Some(2);
    let shifted = said(SoupFaults { from, ..none() }).0;
    assert_eq!(shifted, format!("{ACCEPTED_2}\0\x03Sm2\0\x03Sm3\0\x01Z"));
    let ends = |then| {
        let after = 2;
        let whole = said(SoupFaults {
            after,
            then,
            ..none()
        });
        let rest = whole.0.split_once("\0\x03Sm1\0\x03Sm2").unwrap().1;
        (rest.to_owned(), whole.1)
    };
    assert_eq!(ends(SoupEnd::Well).0, "\0\x03Sm3\0\x01Z");
    assert_eq!(ends(SoupEnd::Close).0, "\0(SA");
    assert_eq!(ends(SoupEnd::Garbage).0, "\0\x05?what");
    assert_eq!(ends(SoupEnd::Silence).0, "");
    let (repeated, _) = ends(SoupEnd::Repeat);
    assert_eq!(repeated, "\0\x03Sm2".repeat(repeated.len() / 5));
    assert!(repeated.len() > AHEAD - 100);
}

#[test]
fn answers_can_be_late_and_come_byte_by_byte() {
    let mut c = connection(SoupFaults {
        late: SECOND,
        trickle: MILLISECOND,
        ..SoupFaults::default()
    });
    c.heard(&login(SESSION, 2), 0);
    assert_eq!(
        polled(&mut c, SECOND - 1),
        (String::new(), SoupNext::At(SECOND))
    );
    assert_eq!(
        polled(&mut c, SECOND),
        (String::new(), SoupNext::At(SECOND + MILLISECOND))
    );
    let mut said = String::new();
    for tick in 1..=38 {
        let (byte, _) = polled(&mut c, SECOND + tick * MILLISECOND);
        assert_eq!(byte.len(), 1);
        said += &byte;
    }
    assert_eq!(said, format!("{ACCEPTED_2}\0\x03Sm2"));
}
