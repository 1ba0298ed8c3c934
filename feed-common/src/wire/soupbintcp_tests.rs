use super::*;
use proptest::prelude::*;

/// What a server says, copied out.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Accepted([u8; 10], Option<u64>),
    Rejected(u8),
    Sequenced(Vec<u8>),
    Unsequenced(Vec<u8>),
    Heartbeat,
    End,
    Debug(Vec<u8>),
}

fn said(packet: FromServer<'_>) -> Said {
    match packet {
        FromServer::Accepted(m) => Said::Accepted(m.session, number(&m.sequence_number)),
        FromServer::Rejected(m) => Said::Rejected(m.reason),
        FromServer::Sequenced(m) => Said::Sequenced(m.to_vec()),
        FromServer::Unsequenced(m) => Said::Unsequenced(m.to_vec()),
        FromServer::Heartbeat => Said::Heartbeat,
        FromServer::EndOfSession => Said::End,
        FromServer::Debug(m) => Said::Debug(m.to_vec()),
    }
}

/// Everything in a stream up to its end or the first error.
fn read(stream: &mut PacketStream) -> (Vec<Said>, Option<StreamError>) {
    let mut all = Vec::new();
    loop {
        match stream.next() {
            Ok(None) => return (all, None),
            Ok(Some(packet)) => match packet.from_server() {
                Ok(packet) => all.push(said(packet)),
                Err(e) => return (all, Some(e)),
            },
            Err(e) => return (all, Some(e)),
        }
    }
}

/// The same of bytes that come in pieces.
fn read_cut(bytes: &[u8], cuts: &[usize]) -> (Vec<Said>, Option<StreamError>) {
    let (mut stream, mut all, mut rest) = (PacketStream::new(), Vec::new(), bytes);
    let mut cuts = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let piece = cuts.next().expect("it repeats").clamp(1, rest.len());
        let taken = stream.fill(&rest[..piece]);
        rest = &rest[taken..];
        let (more, error) = read(&mut stream);
        all.extend(more);
        if error.is_some() {
            return (all, error);
        }
    }
    (all, None)
}

#[test]
fn what_a_client_says_by_hand() {
    let login = LoginRequest::new(*b"USER01", *b"SECRET    ", *b"SESSION001", 42);
    let bytes = b"\0\x2fLUSER01SECRET    SESSION001                  42";
    assert_eq!(login.as_bytes(), bytes);
    assert_eq!(Head::client_heartbeat().as_bytes(), b"\0\x01R");
    assert_eq!(Head::logout_request().as_bytes(), b"\0\x01O");

    let mut stream = PacketStream::new();
    // What 4.10 appends is left aside.
    let longer = [b"\0\x34", &bytes[2..], b"01000"].concat();
    for bytes in [
        &longer[..],
        b"\0\x01R\0\x01O\0\x03Uhi\0\x02+!\0\x01S\0\x03L..",
    ] {
        assert_eq!(stream.fill(bytes), bytes.len());
    }
    fn next(stream: &mut PacketStream) -> Result<FromClient<'_>, StreamError> {
        stream.next().unwrap().unwrap().from_client()
    }
    let Ok(FromClient::Login(read)) = next(&mut stream) else {
        panic!("no login");
    };
    assert_eq!(
        &read.as_bytes()[2..],
        &login.as_bytes()[2..],
        "all but the length"
    );
    assert_eq!(next(&mut stream), Ok(FromClient::Heartbeat));
    assert_eq!(next(&mut stream), Ok(FromClient::Logout));
    assert_eq!(next(&mut stream), Ok(FromClient::Unsequenced(b"hi")));
    assert_eq!(next(&mut stream), Ok(FromClient::Debug(b"!")));
    assert_eq!(next(&mut stream), Err(StreamError::Type(b'S')));
    assert_eq!(next(&mut stream), Err(StreamError::Short(b'L')));
    assert_eq!(stream.next(), Ok(None));
}

#[test]
fn what_a_server_says_by_hand() {
    let bytes = b"\0\x1fASESSION001                   7\0\x02JS\0\x03Shi\0\x01S\0\x02Ux\0\x01H\0\x01Z\0\x04+abc";
    let mut made = LoginAccepted::new(*b"SESSION001", 7).as_bytes().to_vec();
    made.extend(LoginRejected::new(NO_SESSION).as_bytes());
    assert!(push_sequenced(&mut made, b"hi") && push_sequenced(&mut made, b""));
    assert!(push_unsequenced(&mut made, b"x"));
    made.extend(Head::server_heartbeat().as_bytes());
    made.extend(Head::end_of_session().as_bytes());
    assert!(push_debug(&mut made, b"abc"));
    assert_eq!(made, bytes);
    let (all, error) = read_cut(bytes, &[]);
    assert_eq!(error, None);
    assert_eq!(
        all,
        [
            Said::Accepted(*b"SESSION001", Some(7)),
            Said::Rejected(b'S'),
            Said::Sequenced(b"hi".to_vec()),
            Said::Sequenced(Vec::new()),
            Said::Unsequenced(b"x".to_vec()),
            Said::Heartbeat,
            Said::End,
            Said::Debug(b"abc".to_vec()),
        ]
    );
}

#[test]
fn what_no_server_can_say_is_an_error() {
    let error = |bytes: &[u8]| read_cut(bytes, &[]).1;
    assert_eq!(error(b"\0\0S"), Some(StreamError::Empty));
    for kind in (0..=255u8).filter(|kind| !b"AJSUHZ+".contains(kind)) {
        assert_eq!(error(&[0, 1, kind]), Some(StreamError::Type(kind)));
    }
    assert_eq!(error(b"\0\x01A"), Some(StreamError::Short(b'A')));
    assert_eq!(error(b"\0\x01J"), Some(StreamError::Short(b'J')));
    assert_eq!(error(b"\0\x02"), None, "not all there");
}

#[test]
fn the_end_of_a_snapshot_by_hand() {
    let end = EndOfSnapshot::new(123_456);
    assert_eq!(end.as_bytes(), b"G              123456");
    let (read, rest) = EndOfSnapshot::ref_from_prefix(b"G00000000000000123456!").unwrap();
    assert_eq!(
        (number(&read.sequence_number), rest),
        (Some(123_456), &b"!"[..])
    );
}

#[test]
fn numbers_are_padded_with_blanks_or_zeros() {
    assert_eq!(&digits(0), b"                   0");
    assert_eq!(&digits(u64::MAX), b"18446744073709551615");
    assert_eq!(number(b"   007"), Some(7));
    assert_eq!(number(b"7     "), Some(7));
    assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
    for none in [
        &b""[..],
        b"     ",
        b"1 1",
        b"-1",
        b"+1",
        b"1x",
        b"18446744073709551616",
        b"99999999999999999999",
    ] {
        assert_eq!(number(none), None, "{none:?}");
    }
}

#[test]
fn the_largest_packet_fits_and_a_larger_one_is_refused() {
    let mut bytes = Vec::new();
    assert!(!push_sequenced(&mut bytes, &[7; MAX_MESSAGE + 1]) && bytes.is_empty());
    for _ in 0..5 {
        assert!(push_sequenced(&mut bytes, &[7; MAX_MESSAGE]));
    }
    assert_eq!(bytes.len(), 5 * MAX_PACKET);
    for piece in [1000, MAX_PACKET - 1, MAX_PACKET, PacketStream::CAPACITY] {
        let (all, error) = read_cut(&bytes, &[piece; 400]);
        assert_eq!((all.len(), error), (5, None));
        assert!(
            all.iter()
                .all(|m| *m == Said::Sequenced(vec![7; MAX_MESSAGE]))
        );
    }
}

#[test]
fn a_full_buffer_takes_no_more_until_a_packet_is_taken() {
    let mut stream = PacketStream::new();
    let packets = b"\0\x01H".repeat(PacketStream::CAPACITY);
    assert!(!stream.is_ready());
    assert_eq!(stream.fill(&packets), PacketStream::CAPACITY);
    assert!(stream.is_ready());
    assert_eq!((stream.room(), stream.fill(&packets)), (0, 0));
    assert!(stream.next().unwrap().is_some());
    assert_eq!((stream.room(), stream.fill(&packets)), (3, 3));
    stream.clear();
    assert_eq!(stream.room(), PacketStream::CAPACITY);
    assert_eq!(stream.next(), Ok(None));
}

fn any_said() -> impl Strategy<Value = Said> {
    let message = prop::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        (any::<[u8; 10]>(), any::<u64>()).prop_map(|(s, n)| Said::Accepted(s, Some(n))),
        any::<u8>().prop_map(Said::Rejected),
        message.clone().prop_map(Said::Sequenced),
        message.clone().prop_map(Said::Unsequenced),
        Just(Said::Heartbeat),
        Just(Said::End),
        message.prop_map(Said::Debug),
    ]
}

fn write(all: &[Said]) -> Vec<u8> {
    let mut out = Vec::new();
    for said in all {
        match said {
            Said::Accepted(session, n) => {
                out.extend(LoginAccepted::new(*session, n.unwrap()).as_bytes())
            }
            Said::Rejected(reason) => out.extend(LoginRejected::new(*reason).as_bytes()),
            Said::Sequenced(m) => assert!(push_sequenced(&mut out, m)),
            Said::Unsequenced(m) => assert!(push_unsequenced(&mut out, m)),
            Said::Heartbeat => out.extend(Head::server_heartbeat().as_bytes()),
            Said::End => out.extend(Head::end_of_session().as_bytes()),
            Said::Debug(m) => assert!(push_debug(&mut out, m)),
        }
    }
    out
}

proptest! {
    #[test]
    fn cuts_do_not_show(
        all in prop::collection::vec(any_said(), 0..40),
        cuts in prop::collection::vec(1usize..90, 0..200),
    ) {
        let bytes = write(&all);
        prop_assert_eq!(read_cut(&bytes, &cuts), (all.clone(), None));
        prop_assert_eq!(read_cut(&bytes, &[1; 4000]), (all, None));
    }

    /// Whatever the bytes, and however cut, the same packets up to the same error.
    #[test]
    fn garbage_never_panics_and_cuts_do_not_show_in_it(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), 0u8..4, any::<u8>()], 0..300),
        cuts in prop::collection::vec(1usize..30, 0..100),
    ) {
        prop_assert_eq!(read_cut(&bytes, &cuts), read_cut(&bytes, &[]));
    }

    #[test]
    fn digits_are_read_back(n in any::<u64>()) {
        prop_assert_eq!(number(&digits(n)), Some(n));
    }
}
