//! NYSE Pillar: the client of the request server, with servers and a group that say anything.

use super::choices::Choices;
use super::seeds::Seeds;
use super::servers::{Ends, Judge, Lane, SERVERS, STEPS, Wished, wish};
use feed_common::wire::pillar::{
    Flag, MAX_PACKET, MessageUnavailable, PacketBuilder, PacketStream, ParseError, RequestPacket,
    RequestResponse, SourceId, messages, parse,
};
use feed_handler::recovery::{Handed, Heard, Missing, PillarRequests, PillarSettings, Recovery};
use zerocopy::IntoBytes;

const GROUP: usize = SERVERS;
const SOURCE: SourceId = *b"ACME01\0\0\0\0";

/// The bytes as what a connection brings, which is the same however it is cut; then every byte is a choice of what
/// happens next.
pub fn retransmissions(data: &[u8]) {
    let piece = 1 + data.first().map_or(0, |&byte| usize::from(byte));
    assert_eq!(packets(data, piece), packets(data, PacketStream::CAPACITY));
    drive(data);
}

/// The packets of a stream up to where there are none any more, each with its messages of known types.
fn packets(bytes: &[u8], piece: usize) -> (Vec<(Vec<u8>, usize)>, Option<ParseError>) {
    let (mut stream, mut all, mut rest) = (PacketStream::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let taken = stream.fill(&rest[..piece.min(rest.len())]);
        assert!(taken > 0, "whole packets have been taken");
        rest = &rest[taken..];
        loop {
            match stream.next() {
                Ok(None) => break,
                Ok(Some(packet)) => {
                    all.push((packet.to_vec(), messages(packet).map_or(0, Iterator::count)));
                }
                Err(e) => return (all, Some(e)),
            }
        }
    }
    (all, None)
}

/// What answers are.
struct Answers;

impl Judge for Answers {
    fn judge(&mut self, wished: &Wished, what: Handed<'_>) {
        match what {
            Handed::Packet(bytes) => {
                let (header, _) = parse(bytes).expect("a packet");
                assert!(matches!(header.delivery_flag, 13 | 15));
                let first = u64::from(header.seq_num.get());
                let mut numbers = first..first + u64::from(header.number_msgs);
                assert!(numbers.any(|number| wished.has(number)));
            }
            Handed::Failed(Missing { span, .. }) => assert!(span.count == 0 || wished.have(span)),
            Handed::SnapshotFailed => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The client must keep within the lane's room, and end what was wished.
fn drive(data: &[u8]) {
    let settings = PillarSettings {
        wishes: 4,
        messages: 100,
        ..PillarSettings::new(SERVERS, SOURCE, 11, 3)
    };
    let mut client = PillarRequests::new(settings);
    let mut ends = Ends::new(|bytes| {
        assert_eq!(messages(bytes).map_or(0, Iterator::count), 1);
    });
    let (mut choices, mut lane) = (Choices(data), Lane::new(Answers));
    let mut now = 0;
    for _ in 0..STEPS {
        let Some(choice) = choices.byte() else {
            break;
        };
        match choice & 7 {
            0 => wish(
                &mut client,
                &mut choices,
                Default::default(),
                now,
                &mut lane,
            ),
            1 => now += choices.small() * 10_000_000,
            2 => lane.room = choices.small() as usize,
            3 | 4 => {
                let length = choices.small() as usize;
                let heard = Heard::Bytes(choices.bytes(length));
                client.heard(GROUP, heard, now, &mut ends, &mut lane);
            }
            what => {
                let server = usize::from(choice >> 3) % SERVERS;
                let heard = match (what, ends.state(server)) {
                    (5, Some(false)) => ends.opened(server),
                    (6, Some(_)) => ends.closed(server),
                    // What no driver brings must change nothing either.
                    _ => {
                        let length = choices.small() as usize;
                        Heard::Bytes(choices.bytes(length))
                    }
                };
                client.heard(server, heard, now, &mut ends, &mut lane);
            }
        }
        let next = client.poll(now, &mut ends, &mut lane);
        assert!(next.is_some_and(|next| next > now));
    }
    // With time and room, everything that was wished ends.
    lane.room = 10_000;
    for _ in 0..1_000 {
        now = client.poll(now, &mut ends, &mut lane).expect("it stays");
    }
    let room = lane.room;
    for _ in 0..100 {
        now = client.poll(now, &mut ends, &mut lane).expect("it stays");
    }
    assert_eq!(lane.room, room, "something is open still");
}

/// A client that is connected and asks, and what servers say to that.
pub fn seeds(seeds: &mut Seeds) {
    let response = |status: u8| {
        let said = RequestResponse {
            request_seq_num: 1.into(),
            source_id: SOURCE,
            product_id: 11,
            channel_id: 3,
            status,
            ..RequestResponse::new()
        };
        RequestPacket::response(&said, 1, 0).as_bytes().to_vec()
    };
    let mut again = PacketBuilder::new(7, MAX_PACKET);
    (0..3).for_each(|_| assert!(again.push(b"\x05\0\xc8\0x")));
    let heartbeat = again.heartbeat(0).as_bytes().to_vec();
    let again = again.payload(Flag::RETRANSMISSION, 0).to_vec();
    let unavailable = MessageUnavailable {
        begin_seq: 10.into(),
        end_seq: 11.into(),
        product_id: 11,
        channel_id: 3,
        ..MessageUnavailable::new()
    };
    let mut none = PacketBuilder::new(10, MAX_PACKET);
    assert!(none.push(unavailable.as_bytes()));
    let none = none.payload(Flag::UNAVAILABLE, 0).to_vec();
    for status in [b'0', b'6'] {
        // There is room; it is connected; five messages from 7 on are wished; the server and the group speak.
        let mut input = vec![2, 200, 1, 1, 5, 0, 0, 7, 5];
        for said in [&response(status), &heartbeat] {
            input.extend([7, said.len() as u8]);
            input.extend(said);
        }
        for said in [&again, &none] {
            input.extend([3, said.len() as u8]);
            input.extend(said);
        }
        seeds.push(input.clone());
        input.extend([1, 255].repeat(5));
        seeds.push(input);
    }
    seeds.push([heartbeat, response(b'9'), again].concat());
}
