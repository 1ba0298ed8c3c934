use super::*;
use feed_common::wire::soupbintcp::{
    LoginAccepted, LoginRejected, push_sequenced, push_unsequenced,
};

const SESSION: Session = *b"SESSION001";
const USER: SoupUser = SoupUser {
    name: *b"USER  ",
    password: *b"SECRET    ",
};

/// What was done to the servers.
#[derive(Debug, Default)]
struct Done(Vec<String>);

impl Net for Done {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.0.push(format!("{server}< {text}"));
    }

    fn open(&mut self, server: usize) {
        self.0.push(format!("open {server}"));
    }

    fn close(&mut self, server: usize) {
        self.0.push(format!("close {server}"));
    }
}

impl Done {
    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

const LOGIN: &str = "3< \0/LUSER  SECRET    SESSION001                   7";

fn accepted() -> Vec<u8> {
    LoginAccepted::new(SESSION, 7).as_bytes().to_vec()
}

/// A client that has logged in to server 3, as of 7 at time 0, and what it does from here on.
fn receiving() -> (SoupClient, Done) {
    let (mut client, mut net) = (SoupClient::new(USER, SoupTimes::default()), Done::default());
    client.open(3, SESSION, 7, 0, &mut net);
    assert!(client.heard(3, Heard::Opened, 0, &mut net));
    assert_eq!(net.take(), ["open 3", LOGIN]);
    let bytes = accepted();
    assert!(client.heard(3, Heard::Bytes(&bytes), 0, &mut net));
    let (session, next) = (SESSION, 7);
    assert_eq!(
        client.next(&mut net),
        Some(SoupEvent::Accepted { session, next })
    );
    (client, net)
}

fn ended(client: &mut SoupClient, net: &mut Done) -> Option<Ended> {
    loop {
        match client.next(net)? {
            SoupEvent::Ended(ended) => return Some(ended),
            _ => continue,
        }
    }
}

#[test]
fn messages_are_numbered_from_the_login_on_and_nothing_else_is() {
    let (mut client, mut net) = receiving();
    let mut bytes = Vec::new();
    push_sequenced(&mut bytes, b"one");
    bytes.extend(Head::server_heartbeat().as_bytes());
    push_unsequenced(&mut bytes, b"aside");
    push_sequenced(&mut bytes, b"");
    assert!(client.heard(3, Heard::Bytes(&bytes), 1, &mut net));
    let message = |sequence, message| Some(SoupEvent::Message { sequence, message });
    assert_eq!(client.next(&mut net), message(7, b"one"));
    assert_eq!(client.next(&mut net), Some(SoupEvent::Alive));
    assert_eq!(client.next(&mut net), Some(SoupEvent::Alive));
    assert_eq!(client.next(&mut net), message(8, b""));
    assert_eq!(client.next(&mut net), None);
    assert_eq!(client.next_sequence(), 9);
    client.log_out(&mut net);
    assert_eq!(net.take(), ["3< \0\u{1}O", "close 3"]);
    assert_eq!(ended(&mut client, &mut net), None);
}

#[test]
fn heartbeats_are_sent_each_second_and_a_silent_server_is_dead_after_fifteen() {
    let (mut client, mut net) = receiving();
    let mut now = 0;
    let mut sent = Vec::new();
    while let Some(next) = client.poll(now, &mut net) {
        assert!(next > now || client.is_ready());
        for done in net.take() {
            sent.push((now / SECOND, done));
        }
        now = next.max(now);
        if client.is_ready() {
            break;
        }
    }
    let heartbeats = (1..15).map(|second| (second, "3< \0\u{1}R".to_owned()));
    assert_eq!(sent[..14], heartbeats.collect::<Vec<_>>());
    assert_eq!(sent.last(), Some(&(15, "close 3".to_owned())));
    assert_eq!(ended(&mut client, &mut net), Some(Ended::Silent));
    assert_eq!(client.poll(now, &mut net), None);
}

#[test]
fn a_byte_now_and_then_is_silence() {
    let (mut client, mut net) = receiving();
    for second in 1..15 {
        client.heard(3, Heard::Bytes(b"\0"), second * SECOND, &mut net);
        client.poll(second * SECOND, &mut net);
    }
    assert_eq!(ended(&mut client, &mut net), Some(Ended::Garbage));

    let (mut client, mut net) = receiving();
    client.heard(3, Heard::Bytes(b"\0\x20S"), SECOND, &mut net);
    for second in 2..=15 {
        client.heard(3, Heard::Bytes(b"."), second * SECOND, &mut net);
        client.poll(second * SECOND, &mut net);
    }
    assert_eq!(ended(&mut client, &mut net), Some(Ended::Silent));
}

#[test]
fn who_does_not_take_what_came_has_not_been_left_alone() {
    let (mut client, mut net) = receiving();
    client.heard(3, Heard::Bytes(b"\0\x01S"), 0, &mut net);
    client.poll(100 * SECOND, &mut net);
    assert!(matches!(
        client.next(&mut net),
        Some(SoupEvent::Message { .. })
    ));
    client.poll(114 * SECOND, &mut net);
    assert_eq!(client.next(&mut net), None);
    client.poll(115 * SECOND, &mut net);
    assert_eq!(ended(&mut client, &mut net), Some(Ended::Silent));
}

#[test]
fn an_answer_to_a_login_that_is_not_taken_is_an_answer() {
    let (mut client, mut net) = (SoupClient::new(USER, SoupTimes::default()), Done::default());
    client.open(0, SESSION, 7, 0, &mut net);
    client.heard(0, Heard::Opened, 0, &mut net);
    client.heard(0, Heard::Bytes(&accepted()), SECOND, &mut net);
    net.take();
    client.poll(60 * SECOND, &mut net);
    assert_eq!(net.take(), ["0< \0\u{1}R"]);
    assert!(matches!(
        client.next(&mut net),
        Some(SoupEvent::Accepted { .. })
    ));
}

#[test]
fn no_answer_to_a_connection_or_a_login_ends_it() {
    for opened in [false, true] {
        let (mut client, mut net) = (SoupClient::new(USER, SoupTimes::default()), Done::default());
        client.open(0, SESSION, 1, 5, &mut net);
        if opened {
            client.heard(0, Heard::Opened, 6, &mut net);
        }
        // Heartbeats are no answer.
        client.heard(0, Heard::Bytes(b"\0\x01H"), 2 * SECOND, &mut net);
        while client.next(&mut net).is_some() {}
        let limit = 5 + 3 * SECOND;
        assert_eq!(client.poll(limit - 1, &mut net), Some(limit));
        client.poll(limit, &mut net);
        assert_eq!(ended(&mut client, &mut net), Some(Ended::Silent));
    }
}

#[test]
fn what_came_before_the_end_of_a_connection_is_still_there() {
    let (mut client, mut net) = receiving();
    client.heard(3, Heard::Bytes(b"\0\x02Sx\0\x05S"), 1, &mut net);
    client.heard(3, Heard::Closed, 2, &mut net);
    assert!(net.take().is_empty(), "there is nothing to close any more");
    let message = b"x";
    assert_eq!(
        client.next(&mut net),
        Some(SoupEvent::Message {
            sequence: 7,
            message
        })
    );
    assert_eq!(client.next(&mut net), Some(SoupEvent::Ended(Ended::Closed)));
    assert_eq!(client.next(&mut net), None);
    // From where it ended.
    client.open(3, SESSION, client.next_sequence(), 3, &mut net);
    client.heard(3, Heard::Opened, 3, &mut net);
    assert!(net.take()[1].ends_with(" 8"));
    let late = client.heard(3, Heard::Bytes(&accepted()), 3, &mut net);
    assert!(late && matches!(client.next(&mut net), Some(SoupEvent::Accepted { .. })));
}

#[test]
fn a_login_and_its_end_can_come_at_once() {
    let (mut client, mut net) = (SoupClient::new(USER, SoupTimes::default()), Done::default());
    client.open(0, SESSION, 7, 0, &mut net);
    client.heard(0, Heard::Opened, 0, &mut net);
    let mut bytes = accepted();
    push_sequenced(&mut bytes, b"x");
    client.heard(0, Heard::Bytes(&bytes), 0, &mut net);
    client.heard(0, Heard::Closed, 0, &mut net);
    assert!(matches!(
        client.next(&mut net),
        Some(SoupEvent::Accepted { next: 7, .. })
    ));
    assert!(matches!(
        client.next(&mut net),
        Some(SoupEvent::Message { sequence: 7, .. })
    ));
    assert_eq!(ended(&mut client, &mut net), Some(Ended::Closed));
}

#[test]
fn what_cannot_come_ends_the_connection() {
    let after_login = |bytes: &[u8]| {
        let (mut client, mut net) = receiving();
        client.heard(3, Heard::Bytes(bytes), 1, &mut net);
        let ended = ended(&mut client, &mut net);
        assert_eq!(net.take(), ["close 3"]);
        assert_eq!(client.next(&mut net), None);
        ended
    };
    assert_eq!(after_login(b"\0\0"), Some(Ended::Garbage));
    assert_eq!(after_login(b"\0\x01L"), Some(Ended::Garbage));
    assert_eq!(after_login(&accepted()), Some(Ended::Garbage));
    assert_eq!(after_login(b"\0\x02JA"), Some(Ended::Garbage));
    assert_eq!(after_login(b"\0\x01Z\0\x01S"), Some(Ended::EndOfSession));

    let instead = |bytes: &[u8]| {
        let (mut client, mut net) = (SoupClient::new(USER, SoupTimes::default()), Done::default());
        client.open(0, SESSION, 1, 0, &mut net);
        client.heard(0, Heard::Opened, 0, &mut net);
        client.heard(0, Heard::Bytes(bytes), 0, &mut net);
        ended(&mut client, &mut net)
    };
    let rejected = LoginRejected::new(b'S');
    assert_eq!(instead(rejected.as_bytes()), Some(Ended::Rejected(b'S')));
    assert_eq!(instead(b"\0\x01S"), Some(Ended::Garbage));
    let zero = LoginAccepted::new(SESSION, 0);
    assert_eq!(instead(zero.as_bytes()), Some(Ended::Garbage));
    let mut no_number = LoginAccepted::new(SESSION, 1);
    no_number.sequence_number = [b' '; 20];
    assert_eq!(instead(no_number.as_bytes()), Some(Ended::Garbage));
    // Behind the last number there is none.
    let mut last = LoginAccepted::new(SESSION, u64::MAX).as_bytes().to_vec();
    push_sequenced(&mut last, b"x");
    assert_eq!(instead(&last), Some(Ended::Garbage));
}

#[test]
fn more_bytes_than_there_is_room_for_end_the_connection() {
    let (mut client, mut net) = receiving();
    let room = client.room();
    let bytes = b"\0\x01S".repeat(room / 3 + 1);
    client.heard(3, Heard::Bytes(&bytes[..room]), 1, &mut net);
    assert_eq!(client.room(), 0);
    client.heard(3, Heard::Bytes(b"\0"), 1, &mut net);
    assert_eq!(net.take(), ["close 3"]);
    assert_eq!(ended(&mut client, &mut net), Some(Ended::Flooded));
    assert_eq!(client.next_sequence(), 7 + room as u64 / 3);
}

#[test]
fn what_nobody_waits_for_changes_nothing() {
    let (mut client, mut net) = receiving();
    assert!(!client.heard(2, Heard::Bytes(b"\0\0"), 1, &mut net));
    assert!(!client.heard(3, Heard::Opened, 1, &mut net));
    client.close(&mut net);
    for heard in [Heard::Opened, Heard::Bytes(b"\0\0"), Heard::Closed] {
        assert!(!client.heard(3, heard, 1, &mut net));
    }
    assert_eq!(client.next(&mut net), None);
    assert_eq!(net.take(), ["close 3"]);
}
