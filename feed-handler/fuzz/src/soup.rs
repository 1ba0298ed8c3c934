//! SoupBinTCP: a stream of packets, and the clients of recovery against a server that says anything.

use super::choices::Choices;
use super::servers::{Ends, Judge, Lane, SERVERS, STEPS, Wished, wish};
use feed_common::wire::moldudp64::parse;
use feed_common::wire::soupbintcp::{PacketStream, StreamError};
use feed_handler::recovery::{
    Glimpse, GlimpseSettings, Handed, Heard, Recovery, ReplaySettings, SoupReplay, SoupServers,
    SoupUser,
};
use feed_handler::sequence::SeqSpan;

const SESSION: [u8; 10] = *b"SESSION001";

/// A byte says how the stream is cut; it is the same as in one piece.
pub fn soupbintcp(data: &[u8]) {
    let mut choices = Choices(data);
    let piece = 1 + choices.small() as usize;
    let bytes = choices.0;
    assert_eq!(
        packets(bytes, piece),
        packets(bytes, PacketStream::CAPACITY)
    );
}

/// What each packet is, to a client and to a server, up to where there are none any more.
fn packets(bytes: &[u8], piece: usize) -> (Vec<String>, Option<StreamError>) {
    let (mut stream, mut all, mut rest) = (PacketStream::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        let taken = stream.fill(&rest[..piece.min(rest.len())]);
        assert!(taken > 0, "whole packets have been taken");
        rest = &rest[taken..];
        loop {
            match stream.next() {
                Ok(None) => break,
                Ok(Some(packet)) => all.push(format!(
                    "{:?} {:?}",
                    packet.from_server(),
                    packet.from_client()
                )),
                Err(e) => {
                    assert!(stream.is_ready() && stream.next() == Err(e));
                    return (all, Some(e));
                }
            }
        }
        assert!(!stream.is_ready());
    }
    (all, None)
}

/// The replay client.
pub fn soup_replay(data: &[u8]) {
    let settings = ReplaySettings {
        wishes: 4,
        skip: 20,
        ..ReplaySettings::default()
    };
    drive(SoupReplay::new(servers(), settings), data);
}

/// The snapshot client.
pub fn glimpse(data: &[u8]) {
    let settings = GlimpseSettings {
        messages: 30,
        ..GlimpseSettings::default()
    };
    drive(Glimpse::new(servers(), settings), data);
}

fn servers() -> SoupServers {
    let user = SoupUser {
        name: [b' '; 6],
        password: [b' '; 10],
    };
    SoupServers::new(SERVERS, user)
}

/// Whether a snapshot has begun.
#[derive(Default)]
struct Snapshots(bool);

impl Judge for Snapshots {
    fn judge(&mut self, wished: &Wished, what: Handed<'_>) {
        match what {
            Handed::Packet(bytes) => {
                let (header, blocks) = parse(bytes).expect("a packet");
                let (first, count) = (header.sequence.get(), blocks.count() as u64);
                assert!(count > 0 && wished.have(SeqSpan { first, count }));
                assert_eq!(header.session, SESSION);
            }
            Handed::Failed(missing) => {
                assert!(missing.span.count == 0 || wished.have(missing.span));
            }
            Handed::SnapshotBegins => self.0 = true,
            Handed::SnapshotMessage(_) => assert!(self.0),
            Handed::SnapshotEnds { .. } => assert!(std::mem::take(&mut self.0)),
            Handed::SnapshotFailed => self.0 = false,
            Handed::LoopBegins { .. } | Handed::Refresh(_) | Handed::LoopEnds { .. } => {
                panic!("it has no loops")
            }
        }
    }
}

/// Every byte is a choice of what happens next; the client must keep within its room and the lane's.
fn drive(mut client: impl Recovery, data: &[u8]) {
    let mut ends = Ends::new(|bytes| assert!(bytes.len() >= 3));
    let (mut choices, mut lane) = (Choices(data), Lane::new(Snapshots::default()));
    let mut now = 0;
    for _ in 0..STEPS {
        let Some(choice) = choices.byte() else {
            break;
        };
        match choice & 7 {
            0 => wish(&mut client, &mut choices, SESSION, now, &mut lane),
            1 => now += choices.small() * 10_000_000,
            2 => lane.room = choices.small() as usize,
            what => {
                let server = usize::from(choice >> 3) % SERVERS;
                let length = usize::from(choice >> 4) * 5 + 1;
                let room = client.room(server);
                let heard = match (what, ends.state(server)) {
                    (3, Some(false)) => ends.opened(server),
                    (4, Some(_)) => ends.closed(server),
                    // What no driver brings must change nothing either.
                    (3, _) => Heard::Bytes(choices.bytes(length)),
                    (_, Some(true)) => Heard::Bytes(choices.bytes(length.min(room))),
                    _ => continue,
                };
                client.heard(server, heard, now, &mut ends, &mut lane);
                assert!(client.room(server) <= PacketStream::CAPACITY);
            }
        }
        client.poll(now, &mut ends, &mut lane);
    }
    // With time and room, everything that was wished ends.
    for _ in 0..1_000 {
        lane.room = 1_000;
        let Some(next) = client.poll(now, &mut ends, &mut lane) else {
            assert!(ends.are_left());
            return;
        };
        assert!(next > now, "what is due at once is done at once");
        now = next;
    }
    panic!("it never ends");
}
