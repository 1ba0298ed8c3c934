//! CME's loops of snapshots: lines that lose, feeds that say anything, and the books that come of both.

use super::book::Keeper;
use super::choices::Choices;
use super::seeds::Seeds;
use super::servers::{CHANNEL, STEPS};
use super::source::One;
use crossbeam_channel::{Receiver, bounded};
use feed_common::latency::NoProbe;
use feed_common::packet::RxMeta;
use feed_common::time::{TickScale, Ticks, UnixNanos};
use feed_common::wire::mdp3::{Message, PacketBuilder};
use feed_handler::pipeline::{ChannelSetup, Join, Lane, LaneTime, Loop, Rescue, SessionDay};
use feed_handler::protocol::Decode;
use feed_handler::protocol::mdp3::{Mdp3, Mdp3Decoder};
use feed_handler::recovery::{
    Handed, Heard, LoopSettings, Mdp3Loops, Net, Recovery, RecoverySink, Wish,
};
use feed_handler::transport::Mdp3Framing;
use feed_replay::exchange::Mdp3State;
use feed_replay::synth::{Protocol, Recording, Spec};

/// Two of levels and one of orders.
const FEEDS: usize = 3;
const LEVELS: usize = 2;
/// Bytes that a snapshot may have.
const MESSAGE_BYTES: usize = 600;
const MILLISECOND: u64 = 1_000_000;

/// A byte says what happens next: a packet on the line or on a feed (two bytes of length follow), time,
/// room, or a feed that is gone.
pub fn loops(data: &[u8]) {
    let mut world = play(data);
    world.sink.lane.finish();
    world.sink.lane.outlet().finish();
}

fn play(data: &[u8]) -> World {
    let mut choices = Choices(data);
    let (mut world, mut now) = (World::new(), 1);
    for _ in 0..STEPS {
        let Some(choice) = choices.byte() else {
            break;
        };
        let feed = usize::from(choice >> 4) % FEEDS;
        match choice & 7 {
            0 | 1 => {
                world.line(now, packet(&mut choices));
            }
            2 => now += choices.small() * 10 * MILLISECOND,
            3 => world.sink.room = choices.small() as usize,
            4 => world.hear(feed, Heard::Closed, now),
            _ => {
                world.hear(feed, Heard::Bytes(packet(&mut choices)), now);
            }
        }
        now += 1;
        world.poll(now);
    }
    world
}

/// The bytes that follow, of which the first two say how many.
fn packet<'a>(choices: &mut Choices<'a>) -> &'a [u8] {
    let length = choices.small() << 8 | choices.small();
    choices.bytes(length as usize)
}

/// The client, the lane, and what is between them.
struct World {
    client: Mdp3Loops,
    feeds: Feeds,
    sink: Sink,
    wishes: Receiver<Wish>,
}

/// The lane, with room for so much.
struct Sink {
    lane: Lane<Mdp3, Keeper, NoProbe>,
    room: usize,
    /// Of levels and of orders: a loop has begun, and has not ended.
    begun: [bool; 2],
    now: u64,
}

impl RecoverySink for Sink {
    fn has_room(&self, n: usize) -> bool {
        self.room >= n
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert!(channel == CHANNEL && self.room > 0);
        self.room -= 1;
        match what {
            Handed::LoopBegins { orders } => self.begun[usize::from(orders)] = true,
            Handed::LoopEnds { orders, .. } => {
                assert!(std::mem::take(&mut self.begun[usize::from(orders)]));
            }
            Handed::Refresh(message) => {
                assert!(message.len() <= MESSAGE_BYTES && Message::parse(message).is_ok());
            }
            other => panic!("{other:?}"),
        }
        self.lane.hand(channel, what, Ticks(self.now));
    }
}

/// Which feeds are listened to: none is joined twice, and none left that is not.
#[derive(Default)]
struct Feeds([bool; FEEDS]);

impl Net for Feeds {
    fn send(&mut self, _: usize, _: &[u8]) {
        panic!("nobody is asked");
    }

    fn open(&mut self, server: usize) {
        assert!(!std::mem::replace(&mut self.0[server], true));
    }

    fn close(&mut self, server: usize) {
        assert!(std::mem::take(&mut self.0[server]));
    }
}

impl World {
    fn new() -> World {
        let (wishes, taken) = bounded(8);
        let rescue = Rescue {
            wishes,
            messages: false,
            limit_nanos: MILLISECOND,
            snapshot_nanos: None,
            refresh: Some(Loop { orders: true }),
            join: Join::Live,
        };
        let setup = ChannelSetup {
            name: "c".into(),
            number: CHANNEL,
            lines: 1,
            window_nanos: MILLISECOND,
            stash_slots: 8,
            stash_slot_bytes: 1_400,
            day: SessionDay::Midnight(UnixNanos(1)),
        };
        let channel = (setup, Mdp3Framing, Mdp3Decoder::with_room(4));
        let time = LaneTime::Received(TickScale::from_ratio(1, 1));
        let lane = Lane::new(vec![channel], time, 0, Keeper::new(), NoProbe);
        let settings = LoopSettings {
            levels: LEVELS,
            message_bytes: MESSAGE_BYTES,
            again: 100 * MILLISECOND,
        };
        World {
            client: Mdp3Loops::new(FEEDS, settings),
            feeds: Feeds::default(),
            sink: Sink {
                lane: lane.with_rescue(CHANNEL, rescue),
                room: 1_000,
                begun: [false; 2],
                now: 0,
            },
            wishes: taken,
        }
    }

    fn line(&mut self, now: u64, bytes: &[u8]) {
        let meta = RxMeta {
            rx: Ticks(now),
            kernel: UnixNanos(now),
            len: bytes.len() as u32,
            ..RxMeta::default()
        };
        let taken = self.sink.lane.step(&mut One(Some((meta, bytes))));
        assert!(matches!(taken, Ok(1)));
    }

    fn hear(&mut self, feed: usize, heard: Heard<'_>, now: u64) {
        if heard == Heard::Closed && !std::mem::take(&mut self.feeds.0[feed]) {
            return; // there is nothing to close
        }
        self.sink.now = now;
        let (net, sink) = (&mut self.feeds, &mut self.sink);
        self.client.heard(feed, heard, now, net, sink);
    }

    fn poll(&mut self, now: u64) {
        self.sink.now = now;
        self.sink.lane.take_delivery();
        self.sink.lane.idle(now);
        for wish in self.wishes.try_iter() {
            self.client.wish(wish, now, &mut self.sink);
        }
        let next = self.client.poll(now, &mut self.feeds, &mut self.sink);
        assert!(next.is_none_or(|next| next > now));
    }
}

/// Lines of which one packet is lost, and three rounds of the loops of what there was.
pub fn seeds(seeds: &mut Seeds) {
    let spec = Spec {
        symbols: 3,
        payload_limit: 1_000,
        ..Spec::new(Protocol::Mdp3, 60, 7)
    };
    let (session, _) = Recording::of(&spec).expect("a small session");
    let packets: Vec<_> = session.packets().map(|p| p.payload.to_vec()).collect();
    let mut state = Mdp3State::default();
    let mut input = vec![3, 255];
    for (number, packet) in packets.iter().enumerate() {
        state.apply(packet);
        if number != packets.len() / 2 {
            said(&mut input, 0, packet);
        }
    }
    let ids = state.instruments(false);
    let orders = state.orders(MESSAGE_BYTES);
    for round in 1..=3u64 {
        input.extend([2, 1]);
        let levels = ids.iter().map(|&id| state.levels(id, ids.len() as u32));
        for (kind, messages) in [(5, levels.collect()), (5 | 2 << 4, orders.clone())] {
            for (number, message) in (1u32..).zip::<Vec<Vec<u8>>>(messages) {
                let mut packet = PacketBuilder::new(number, 1_000);
                assert!(packet.push(&message));
                let sent = UnixNanos(round * MILLISECOND + u64::from(number));
                said(&mut input, kind, packet.payload(sent));
            }
        }
        seeds.push(input.clone());
    }
    input.extend([4, 4 | 1 << 4, 2, 255]);
    seeds.push(input);
}

/// A packet as the next choice.
fn said(input: &mut Vec<u8>, choice: u8, packet: &[u8]) {
    let length = u16::try_from(packet.len()).expect("a short packet");
    input.push(choice);
    input.extend(length.to_be_bytes());
    input.extend(packet);
}

#[cfg(test)]
#[test]
fn what_it_begins_with_makes_whole_what_was_lost() {
    let mut seeds = Seeds::default();
    self::seeds(&mut seeds);
    let longest = seeds.iter().max_by_key(|seed| seed.len());
    let world = play(longest.expect("a seed"));
    let counters = world.client.counters();
    let count = |name| counters.iter().find(|(n, _)| *n == name).map(|c| c.1);
    assert_eq!(count("garbage"), Some(0), "{counters:?}");
    assert!(count("loops_whole") >= Some(4), "{counters:?}");
    assert_eq!(world.sink.lane.channels()[0].sequence().gaps, 1);
}
