//! NYSE Pillar: the client of the request server, with servers and a group that say anything.

use super::choices::Choices;
use super::seeds::Seeds;
use feed_common::wire::pillar::{
    Flag, MAX_PACKET, MessageUnavailable, PacketBuilder, PacketStream, ParseError, RequestPacket,
    RequestResponse, SourceId, messages, parse,
};
use feed_handler::recovery::{
    Handed, Heard, Missing, Net, PillarRequests, PillarSettings, Recovery, RecoverySink, Wish,
};
use feed_handler::sequence::SeqSpan;
use zerocopy::IntoBytes;

const SERVERS: usize = 2;
const GROUP: usize = SERVERS;
const SOURCE: SourceId = *b"ACME01\0\0\0\0";
/// Calls of the client at most.
const STEPS: usize = 2_000;

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

/// Which servers are connected, or about to be: the client closes and writes to no other.
#[derive(Default)]
struct Ends([Option<bool>; SERVERS]);

impl Net for Ends {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        assert_eq!(self.0[server], Some(true));
        assert_eq!(messages(bytes).map_or(0, Iterator::count), 1);
    }

    fn open(&mut self, server: usize) {
        assert!(self.0.iter().all(Option::is_none), "one at a time");
        self.0[server] = Some(false);
    }

    fn close(&mut self, server: usize) {
        assert!(self.0[server].take().is_some());
    }
}

/// Takes what there is room for, and holds it against what was wished.
#[derive(Default)]
struct Lane {
    room: usize,
    wished: Vec<SeqSpan>,
}

impl RecoverySink for Lane {
    fn has_room(&self, n: usize) -> bool {
        self.room >= n
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert!(channel == 1 && self.room > 0);
        self.room -= 1;
        let is_wished = |n: u64| {
            let mut wished = self.wished.iter();
            wished.any(|w| n >= w.first && n < w.end())
        };
        match what {
            Handed::Packet(bytes) => {
                let (header, _) = parse(bytes).expect("a packet");
                assert!(matches!(header.delivery_flag, 13 | 15));
                let first = u64::from(header.seq_num.get());
                let mut numbers = first..first + u64::from(header.number_msgs);
                assert!(numbers.any(is_wished));
            }
            Handed::Failed(Missing { span, .. }) => {
                assert!(span.count == 0 || (span.first..span.end()).all(is_wished));
            }
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
    let (mut choices, mut ends, mut lane) = (Choices(data), Ends::default(), Lane::default());
    let mut now = 0;
    for _ in 0..STEPS {
        let Some(choice) = choices.byte() else {
            break;
        };
        match choice & 7 {
            0 => wish(&mut client, &mut choices, now, &mut lane),
            1 => now += choices.small() * 10_000_000,
            2 => lane.room = choices.small() as usize,
            3 | 4 => {
                let length = choices.small() as usize;
                let heard = Heard::Bytes(choices.bytes(length));
                client.heard(GROUP, heard, now, &mut ends, &mut lane);
            }
            what => {
                let server = usize::from(choice >> 3) % SERVERS;
                let heard = match (what, ends.0[server]) {
                    (5, Some(false)) => {
                        ends.0[server] = Some(true);
                        Heard::Opened
                    }
                    (6, Some(_)) => {
                        ends.0[server] = None;
                        Heard::Closed
                    }
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

fn wish(client: &mut PillarRequests, choices: &mut Choices<'_>, now: u64, lane: &mut Lane) {
    let [what, first, count] = [0; 3].map(|_| choices.small());
    let first = match what & 0xc0 {
        0x40 => u64::from(u32::MAX) - first,
        0x80 => u64::MAX - first,
        _ => first,
    };
    let missing = Missing {
        channel: 1,
        unit: 0,
        session: [0; 10],
        span: SeqSpan { first, count },
    };
    let room = std::mem::replace(&mut lane.room, 1_000);
    let wish = match what & 3 {
        0 | 1 => Wish::Messages(missing),
        2 => Wish::Snapshot(missing),
        _ => Wish::Settled(missing),
    };
    if let Wish::Messages(_) = wish {
        lane.wished.push(missing.span);
    }
    client.wish(wish, now, lane);
    lane.room = room;
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
