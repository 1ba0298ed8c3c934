//! Requests and their answers by hand, and packets off a connection cut anywhere.

use super::*;
use crate::wire::pillar::parse;

const TIME: u64 = 1_795_271_400_000_000_042;
const SOURCE: SourceId = *b"ACME01\0\0\0\0";

#[test]
fn a_request_by_hand() {
    let request = RetransmissionRequest {
        begin_seq: 0x0102.into(),
        end_seq: 0x0103.into(),
        source_id: SOURCE,
        product_id: 11,
        channel_id: 7,
        ..RetransmissionRequest::new()
    };
    let packet = RequestPacket::request(&request, 9, TIME);
    let seconds = u32::to_le_bytes(1_795_271_400);
    let want = [
        // 40 bytes, original, one message, number 9, when
        &b"\x28\0\x0b\x01\x09\0\0\0"[..],
        &seconds,
        b"\x2a\0\0\0",
        // 24 bytes, type 10, from and to
        b"\x18\0\x0a\0\x02\x01\0\0\x03\x01\0\0ACME01\0\0\0\0\x0b\x07",
    ];
    assert_eq!(packet.as_bytes(), want.concat());
    let (header, _) = parse(packet.as_bytes()).unwrap();
    assert_eq!(header.flag(), Flag::ORIGINAL);
    let mut said = messages(packet.as_bytes()).unwrap();
    assert_eq!(said.next(), Some(Message::RetransmissionRequest(&request)));
    assert_eq!(said.next(), None);
}

#[test]
fn a_response_and_a_heartbeat_response_by_hand() {
    let response = b"\x2d\0\x0b\x01\x01\0\0\0\0\0\0\0\0\0\0\0\
        \x1d\0\x0b\0\x09\0\0\0\x02\x01\0\0\x03\x01\0\0ACME01\0\0\0\0\x0b\x076";
    let said: Vec<_> = messages(response).unwrap().collect();
    let [Message::RequestResponse(said)] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!(
        (said.request_seq_num.get(), said.begin_seq.get()),
        (9, 0x0102)
    );
    assert_eq!((said.end_seq.get(), said.source_id), (0x0103, SOURCE));
    assert_eq!((said.product_id, said.channel_id), (11, 7));
    assert_eq!(Status::of(said.status), Status::TooOld);
    assert_eq!(RequestPacket::response(said, 1, 0).as_bytes(), response);
    let alive = RequestPacket::alive(SOURCE, 2, 0);
    let want = b"\x1e\0\x0b\x01\x02\0\0\0\0\0\0\0\0\0\0\0\x0e\0\x0c\0ACME01\0\0\0\0";
    assert_eq!(alive.as_bytes(), want);
}

#[test]
fn every_status_has_a_code_of_its_own() {
    for code in 0..=255 {
        let status = Status::of(code);
        assert_eq!(status.code(), code);
        let listed = b"013456789".contains(&code);
        assert_eq!(listed, !matches!(status, Status::Other(_)));
    }
    assert_eq!(Status::of(b'2'), Status::Other(b'2'));
}

#[test]
fn packets_are_the_same_however_their_bytes_are_cut() {
    let request = RetransmissionRequest::new();
    let packets: Vec<_> = (1..60)
        .map(|n| match n % 3 {
            0 => RequestPacket::request(&request, n, TIME),
            _ => RequestPacket::alive(SOURCE, n, TIME),
        })
        .collect();
    let all: Vec<u8> = packets.iter().flat_map(|p| p.as_bytes()).copied().collect();
    for piece in [1, 2, 15, 16, 17, 100, 1_399, 1_400, 5_000] {
        let (mut stream, mut rest, mut came) = (PacketStream::new(), &all[..], Vec::new());
        while !rest.is_empty() {
            let taken = stream.fill(&rest[..piece.min(rest.len())]);
            assert!(taken > 0);
            rest = &rest[taken..];
            while let Some(packet) = stream.next().unwrap() {
                came.push(packet.to_vec());
            }
        }
        assert!(came.iter().eq(packets.iter().map(|p| p.as_bytes())));
    }
}

#[test]
fn sizes_that_no_packet_has_end_the_stream() {
    for (bytes, error) in [
        (&b"\x0f\0"[..], ParseError::ShortHeader),
        (b"\0\0\0\0", ParseError::ShortHeader),
        (b"\x79\x05", ParseError::Overrun),
        (b"\xff\xff\xff", ParseError::Overrun),
    ] {
        let mut stream = PacketStream::new();
        stream.fill(bytes);
        assert_eq!(stream.next(), Err(error));
        assert_eq!(stream.next(), Err(error));
        stream.clear();
        assert_eq!(stream.next(), Ok(None));
    }
}
