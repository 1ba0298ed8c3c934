use super::*;
use crate::recovery::Missing;
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::mdp3::{
    Dimension, MessageBuilder, PacketBuilder, SnapshotEntry, SnapshotOrderEntry,
};

const CHANNEL: u16 = 3;

/// What was handed over: `<` begins a loop, `>` ends one with what it is as of, else the instrument; capitals of orders.
#[derive(Default)]
struct Lane {
    said: Vec<String>,
    full: bool,
}

impl RecoverySink for Lane {
    fn has_room(&self, _: usize) -> bool {
        !self.full
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        assert_eq!(channel, CHANNEL);
        self.said.push(match what {
            Handed::LoopBegins { orders } => (if orders { "<<" } else { "<" }).to_owned(),
            Handed::LoopEnds { orders, as_of } => {
                format!("{}{as_of}", if orders { ">>" } else { ">" })
            }
            Handed::Refresh(message) => {
                let message = Message::parse(message).unwrap();
                match message.template_id() {
                    template::SNAPSHOT_ORDERS => {
                        let root: &SnapshotOrdersRoot = message.root().unwrap();
                        format!("O{}", root.security_id.get())
                    }
                    _ => {
                        let root: &SnapshotRoot = message.root().unwrap();
                        root.security_id.get().to_string()
                    }
                }
            }
            Handed::Failed(_) => "failed".to_owned(),
            other => panic!("{other:?}"),
        });
    }
}

#[derive(Default)]
struct Asked(Vec<String>);

impl Net for Asked {
    fn send(&mut self, _: usize, _: &[u8]) {
        panic!("nobody is asked");
    }

    fn open(&mut self, server: usize) {
        self.0.push(format!("open {server}"));
    }

    fn close(&mut self, server: usize) {
        self.0.push(format!("close {server}"));
    }
}

struct World {
    loops: Mdp3Loops,
    lane: Lane,
    net: Asked,
    now: u64,
}

impl World {
    /// Two feeds of levels and one of orders, wished for.
    fn new() -> World {
        let settings = LoopSettings {
            levels: 2,
            message_bytes: 200,
            again: 1_000,
        };
        let mut world = World {
            loops: Mdp3Loops::new(3, settings),
            lane: Lane::default(),
            net: Asked::default(),
            now: 0,
        };
        world.wish(Wish::Snapshot(missing()));
        assert_eq!(world.net.0, ["open 0", "open 1", "open 2"]);
        world.net.0.clear();
        world
    }

    fn wish(&mut self, wish: Wish) {
        self.loops.wish(wish, self.now, &mut self.lane);
        self.loops.poll(self.now, &mut self.net, &mut self.lane);
    }

    fn hear(&mut self, server: usize, bytes: &[u8]) -> Vec<String> {
        self.now += 1;
        let heard = Heard::Bytes(bytes);
        let (net, lane) = (&mut self.net, &mut self.lane);
        self.loops.heard(server, heard, self.now, net, lane);
        std::mem::take(&mut self.lane.said)
    }

    /// A loop of two packets of two instruments each, `at` its begin.
    fn round(&mut self, at: u64) -> Vec<String> {
        let mut said = self.hear(0, &levels(1, at, 4, &[1, 2]));
        said.extend(self.hear(0, &levels(2, at + 10, 4, &[3, 4])));
        said
    }

    #[track_caller]
    fn count(&self, name: &str) -> u64 {
        let all = self.loops.counters();
        all.iter().find(|(n, _)| *n == name).expect("a name").1
    }
}

fn missing() -> Missing {
    Missing {
        channel: CHANNEL,
        unit: 0,
        session: Default::default(),
        span: SeqSpan { first: 9, count: 0 },
    }
}

fn packet(number: u32, sent: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = PacketBuilder::new(number, 1_400);
    assert!(messages.iter().all(|message| packet.push(message)));
    packet.payload(UnixNanos(sent)).to_vec()
}

fn level_message(security_id: i32, total: u32) -> Vec<u8> {
    let root = SnapshotRoot {
        last_msg_seq_num_processed: (100 + security_id as u32).into(),
        tot_num_reports: total.into(),
        security_id: security_id.into(),
        ..SnapshotRoot::default()
    };
    let mut message = MessageBuilder::new();
    message.begin(template::SNAPSHOT, 13, &root);
    message.group::<SnapshotEntry>(Dimension::Three, &[]);
    message.finish().to_vec()
}

fn levels(number: u32, sent: u64, total: u32, ids: &[i32]) -> Vec<u8> {
    let messages: Vec<_> = ids.iter().map(|&id| level_message(id, total)).collect();
    packet(number, sent, &messages)
}

fn order_message(security_id: i32, total: u32, orders: usize) -> Vec<u8> {
    let root = SnapshotOrdersRoot {
        tot_num_reports: total.into(),
        security_id: security_id.into(),
        ..SnapshotOrdersRoot::default()
    };
    let mut message = MessageBuilder::new();
    message.begin(template::SNAPSHOT_ORDERS, 13, &root);
    message.group(
        Dimension::Three,
        &vec![SnapshotOrderEntry::default(); orders],
    );
    message.finish().to_vec()
}

#[test]
fn a_loop_is_handed_over_as_it_comes_and_believed_when_another_took_as_long() {
    let mut w = World::new();
    assert_eq!(w.round(1_000), ["<", "1", "2", "3", "4"]);
    assert_eq!(w.round(2_000), ["<", "1", "2", "3", "4", ">101"]);
    assert_eq!((w.count("loops"), w.count("loops_whole")), (2, 2));
    // Half a loop, a silence of one round, and the other half of the next loop.
    assert_eq!(w.hear(0, &levels(1, 3_000, 4, &[1, 2])).len(), 3);
    assert_eq!(w.hear(0, &levels(2, 4_010, 4, &[3, 4])), ["3", "4"]);
    assert_eq!(w.count("loops_whole"), 3);
}

#[test]
fn two_feeds_are_one_loop_in_any_order() {
    let mut w = World::new();
    w.round(1_000);
    let (first, second) = (levels(1, 2_000, 4, &[1, 2]), levels(2, 2_010, 4, &[3, 4]));
    // B was first with the second packet, which A lost; A alone has the first.
    assert_eq!(w.hear(1, &second), ["<", "3", "4"]);
    assert_eq!(w.hear(0, &first), ["1", "2", ">101"]);
    assert_eq!(w.hear(1, &first), [] as [&str; 0]);
    assert_eq!(w.hear(0, &second), [] as [&str; 0]);
    assert_eq!((w.count("duplicates"), w.count("loops")), (2, 2));
    // A straggler of the loop before.
    assert_eq!(w.hear(1, &levels(2, 1_010, 4, &[3, 4])), [] as [&str; 0]);
    assert_eq!(w.count("stale"), 1);
}

#[test]
fn what_lacks_a_packet_or_counts_otherwise_is_not_whole() {
    let mut w = World::new();
    w.round(1_000);
    // Its first packet is missing, then its last, then it says to have more, then differing totals.
    w.hear(0, &levels(2, 2_010, 4, &[3, 4]));
    w.hear(0, &levels(1, 3_000, 4, &[1, 2]));
    for (total, other) in [(5, 5), (4, 3)] {
        w.now += 1;
        w.hear(0, &levels(1, 4_000 + w.now, total, &[1, 2]));
        w.hear(0, &levels(2, 4_000 + w.now, other, &[3, 4]));
    }
    assert_eq!(w.count("loops_whole"), 1);
    assert_eq!((w.count("loops"), w.count("loops_broken")), (5, 3));
    assert_eq!(w.count("garbage"), 2);
    assert_eq!(w.round(9_000), ["<", "1", "2", "3", "4", ">101"]);
}

#[test]
fn orders_have_a_loop_of_their_own() {
    let mut w = World::new();
    for at in [1_000, 2_000] {
        w.hear(2, &packet(1, at, &[order_message(7, 2, 1)]));
        w.hear(0, &levels(1, at, 1, &[1]));
        let said = w.hear(2, &packet(2, at + 5, &[order_message(7, 2, 1)]));
        assert_eq!(said.last().unwrap() == ">>0", at == 2_000, "{said:?}");
    }
    // Levels among orders, and what is too long for the lane: the loop is not whole.
    let long = order_message(7, 2, 6);
    assert!(long.len() > 200);
    let mixed = packet(1, 3_000, &[level_message(1, 2), long]);
    assert_eq!(w.hear(2, &mixed), ["<<"]);
    assert_eq!((w.count("garbage"), w.count("too_long")), (1, 1));
}

#[test]
fn garbage_is_counted_and_a_time_ahead_of_all_others_costs_a_second() {
    let mut w = World::new();
    w.round(1_000);
    for garbage in [
        &b"x"[..],
        &[0xff; 40],
        &levels(0, 1, 1, &[1]),
        &levels(70_000, 1, 1, &[1]),
    ] {
        assert_eq!(w.hear(0, garbage), [] as [&str; 0]);
    }
    assert_eq!(w.count("garbage"), 4);
    assert_eq!(w.hear(0, &levels(1, u64::MAX, 9, &[9])), ["<", "9"]);
    assert_eq!(w.round(2_000), [] as [&str; 0], "of another total");
    w.now += PATIENCE + 1;
    assert_eq!(w.round(3_000), ["<", "1", "2", "3", "4", ">101"]);
}

#[test]
fn a_lane_without_room_costs_the_loop_its_wholeness() {
    let mut w = World::new();
    w.round(1_000);
    w.hear(0, &levels(1, 2_000, 4, &[1, 2]));
    w.lane.full = true;
    assert_eq!(w.hear(0, &levels(2, 2_010, 4, &[3, 4])), [] as [&str; 0]);
    w.lane.full = false;
    assert_eq!(w.hear(1, &levels(2, 2_010, 4, &[3, 4])), ["3", "4"]);
    assert_eq!((w.count("no_room"), w.count("loops_whole")), (1, 1));
}

#[test]
fn feeds_are_listened_to_while_something_is_wished_for() {
    let mut w = World::new();
    let (net, lane) = (&mut w.net, &mut w.lane);
    w.loops.heard(1, Heard::Closed, 10, net, lane);
    assert_eq!(w.loops.poll(20, net, lane), Some(1_010));
    assert!(net.0.is_empty());
    assert_eq!(w.loops.poll(1_010, net, lane), None);
    assert_eq!(net.0, ["open 1"]);
    net.0.clear();
    w.wish(Wish::Settled(missing()));
    assert_eq!(w.net.0, ["close 0", "close 1", "close 2"]);
    assert_eq!(w.round(5_000), [] as [&str; 0]);
    assert_eq!(w.count("answer_unasked"), 2);
    w.wish(Wish::Messages(missing()));
    assert_eq!(w.lane.said, ["failed"]);
}
