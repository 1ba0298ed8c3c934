//! SoupBinTCP: a stream of packets, and the clients of recovery against a server that says anything.

use super::choices::Choices;
use feed_common::wire::moldudp64::parse;
use feed_common::wire::soupbintcp::{PacketStream, StreamError};
use feed_handler::recovery::{
    Glimpse, GlimpseSettings, Handed, Heard, Missing, Net, Recovery, RecoverySink, ReplaySettings,
    SoupReplay, SoupServers, SoupUser, Wish,
};
use feed_handler::sequence::SeqSpan;

const SESSION: [u8; 10] = *b"SESSION001";
const SERVERS: usize = 2;
/// Calls of a client at most.
const STEPS: usize = 2_000;

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

/// Which servers are connected, or about to be: a client closes and writes to no other.
#[derive(Default)]
struct Ends([Option<bool>; SERVERS]);

impl Net for Ends {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        assert!(self.0[server] == Some(true) && bytes.len() >= 3);
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
    begun: bool,
}

impl RecoverySink for Lane {
    fn has_room(&self, n: usize) -> bool {
        self.room >= n
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert_eq!(channel, 1);
        assert!(self.room > 0);
        self.room -= 1;
        let wished = |span: SeqSpan| {
            (span.first..span.end())
                .all(|n| self.wished.iter().any(|w| n >= w.first && n < w.end()))
        };
        match what {
            Handed::Packet(bytes) => {
                let (header, blocks) = parse(bytes).expect("a packet");
                let (first, count) = (header.sequence.get(), blocks.count() as u64);
                assert!(count > 0 && wished(SeqSpan { first, count }));
                assert_eq!(header.session, SESSION);
            }
            Handed::Failed(missing) => assert!(missing.span.count == 0 || wished(missing.span)),
            Handed::SnapshotBegins => self.begun = true,
            Handed::SnapshotMessage(_) => assert!(self.begun),
            Handed::SnapshotEnds { .. } => assert!(std::mem::take(&mut self.begun)),
            Handed::SnapshotFailed => self.begun = false,
            other => panic!("of a loop: {other:?}"),
        }
    }
}

/// Every byte is a choice of what happens next; the client must keep within its room and the lane's.
fn drive(mut client: impl Recovery, data: &[u8]) {
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
            what => {
                let server = usize::from(choice >> 3) % SERVERS;
                let length = usize::from(choice >> 4) * 5 + 1;
                let room = client.room(server);
                let heard = match (what, ends.0[server]) {
                    (3, Some(false)) => {
                        ends.0[server] = Some(true);
                        Heard::Opened
                    }
                    (4, Some(_)) => {
                        ends.0[server] = None;
                        Heard::Closed
                    }
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
            assert!(ends.0.iter().all(Option::is_none));
            return;
        };
        assert!(next > now, "what is due at once is done at once");
        now = next;
    }
    panic!("it never ends");
}

fn wish(client: &mut impl Recovery, choices: &mut Choices<'_>, now: u64, lane: &mut Lane) {
    let [what, first, count] = [0; 3].map(|_| choices.small());
    let first = if what & 64 == 0 {
        first
    } else {
        u64::MAX - first
    };
    let missing = Missing {
        channel: 1,
        unit: 0,
        session: SESSION,
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
