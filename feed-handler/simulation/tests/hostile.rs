//! What nobody should send: numbers at the end of their range, counts that are none, sessions that mix, answers that
//! nobody asked for. Memory stays bounded, everything is counted, and the records are right.

use feed_common::event::{Kind, Record};
use feed_common::latency::NoProbe;
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::time::{TickScale, Ticks, UnixNanos};
use feed_common::wire::itch50::OrderDelete;
use feed_common::wire::moldudp64::{Header, PacketBuilder};
use feed_handler::pipeline::{ChannelSetup, Join, Lane, LaneTime, Rescue, SessionDay};
use feed_handler::protocol::Decode;
use feed_handler::protocol::itch50::{Itch50, Itch50Decoder};
use feed_handler::publish::{Publish, Records};
use feed_handler::recovery::{
    Handed, Heard, MoldRequests, Net, Recovery, RecoverySink, RequestLimits, Wish,
};
use feed_handler::transport::MoldFraming;
use zerocopy::IntoBytes;

const TODAY: [u8; 10] = *b"TODAY     ";
const YESTERDAY: [u8; 10] = *b"YESTERDAY ";
const WINDOW: u64 = 1_000;
const LIMIT: u64 = 50_000;

#[derive(Default)]
struct Kept(Vec<Record>);

impl Publish for Kept {
    fn publish(&mut self, record: &Record) {
        self.0.push(*record);
    }
}

struct Handler(Lane<Itch50, Records<Kept>, NoProbe>);

impl Handler {
    fn new(rescue: Option<Rescue>) -> Handler {
        let setup = ChannelSetup {
            name: "hostile".into(),
            number: 0,
            lines: 2,
            window_nanos: WINDOW,
            stash_slots: 4,
            stash_slot_bytes: 1_472,
            day: SessionDay::Midnight(UnixNanos(1)),
        };
        let channel = (setup, MoldFraming, Itch50Decoder::with_room(4));
        let time = LaneTime::Received(TickScale::from_ratio(1, 1));
        let records = Records::new(Kept::default(), 1);
        let lane = Lane::new(vec![channel], time, 0, records, NoProbe);
        Handler(match rescue {
            Some(rescue) => lane.with_rescue(0, rescue),
            None => lane,
        })
    }

    fn line(&mut self, line: u16, at: u64, bytes: &[u8]) {
        let meta = RxMeta {
            rx: Ticks(at),
            len: bytes.len() as u32,
            line,
            ..RxMeta::default()
        };
        self.0.step(&mut One(Some((meta, bytes)))).unwrap();
    }

    /// Order ids delivered, and gaps as first number and count; 0 is a new session.
    fn output(mut self) -> (Vec<u64>, Vec<(u64, u64)>) {
        self.0.finish();
        let (mut ids, mut gaps) = (Vec::new(), Vec::new());
        for record in self.0.into_outlet().into_sink().0 {
            match record.data.kind {
                kind if kind == Kind::GAP.0 => {
                    gaps.push((record.sequence.get(), record.order_id.get()));
                }
                _ => ids.push(record.order_id.get()),
            }
        }
        (ids, gaps)
    }
}

struct One<'p>(Option<(RxMeta, &'p [u8])>);

struct Batch<'p>(Option<(RxMeta, &'p [u8])>);

impl<'p> PacketSource for One<'p> {
    type Batch<'a>
        = Batch<'p>
    where
        Self: 'a;

    fn poll(&mut self) -> Result<Batch<'p>, RxError> {
        Ok(Batch(self.0.take()))
    }
}

impl PacketBatch for Batch<'_> {
    fn len(&self) -> usize {
        usize::from(self.0.is_some())
    }

    fn get(&self, _: usize) -> Packet<'_> {
        let (meta, bytes) = self.0.as_ref().unwrap();
        Packet { meta, bytes }
    }
}

/// Deletes whose order ids are their numbers.
fn packet(session: [u8; 10], first: u64, count: u64) -> Vec<u8> {
    let mut builder = PacketBuilder::new(session, first, 1_472);
    for number in (first..).take(count as usize) {
        let mut delete = OrderDelete {
            msg_type: OrderDelete::TYPE,
            ..OrderDelete::default()
        };
        delete.order_ref.set(number);
        assert!(builder.push(delete.as_bytes()));
    }
    builder.payload().to_vec()
}

fn header(session: [u8; 10], sequence: u64, message_count: u16) -> Vec<u8> {
    let header = Header {
        session,
        sequence: sequence.into(),
        message_count: message_count.into(),
    };
    header.as_bytes().to_vec()
}

#[test]
fn numbers_at_the_end_of_their_range_are_gaps_like_others() {
    let mut h = Handler::new(None);
    h.line(0, 10, &packet(TODAY, 1, 2));
    h.line(0, 20, &packet(TODAY, u64::MAX - 3, 2));
    h.line(1, 21, &packet(TODAY, u64::MAX - 1, 1));
    h.line(0, 22, &header(TODAY, u64::MAX, 0));
    // One message beyond the last number is none.
    let mut beyond = packet(TODAY, u64::MAX - 1, 1);
    beyond[10..18].copy_from_slice(&u64::MAX.to_be_bytes());
    h.line(1, 23, &beyond);
    h.0.idle(30 + WINDOW);
    assert_eq!(h.0.drops().total(), 1);
    let lost = u64::MAX - 3 - 3;
    assert_eq!(h.0.channels()[0].sequence().lost, lost);
    let last = [u64::MAX - 3, u64::MAX - 2, u64::MAX - 1];
    assert_eq!(h.output(), ([&[1, 2], &last[..]].concat(), vec![(3, lost)]));
}

#[test]
fn a_count_of_all_ones_is_the_end_of_a_session_and_no_messages() {
    let mut h = Handler::new(None);
    h.line(0, 10, &packet(TODAY, 1, 2));
    h.line(0, 20, &header(TODAY, 3, 0xFFFF));
    // So many messages that are not there.
    h.line(1, 21, &header(TODAY, 3, 0xFFFE));
    // Bytes behind the end.
    h.line(1, 22, &[header(TODAY, 3, 0xFFFF), vec![0; 9]].concat());
    h.line(0, 23, &header(TODAY, 5, 0xFFFF));
    h.0.idle(23 + WINDOW);
    assert_eq!(h.0.drops().total(), 2);
    assert_eq!(h.output(), (vec![1, 2], vec![(3, 2)]));
}

#[test]
fn a_line_that_goes_back_to_the_session_before_is_not_followed() {
    let mut h = Handler::new(None);
    h.line(0, 10, &packet(YESTERDAY, 1, 1));
    h.line(0, 20, &packet(TODAY, 1, 1));
    // The other line replays all of yesterday, between what is said today.
    for number in 2..500 {
        h.line(1, 20 + number, &packet(YESTERDAY, number, 1));
        h.line(0, 20 + number, &packet(TODAY, number, 1));
    }
    assert_eq!(h.0.drops().old_session, 498);
    assert_eq!(h.0.channels()[0].sequence().restarts, 1);
    let today = [vec![1, 0], (1..500).collect()].concat();
    assert_eq!(h.output(), (today, vec![]));
}

/// Names do not say which session is the later one: the one that came second is. The other is counted, packet by packet.
#[test]
fn of_two_sessions_that_mix_one_is_followed_and_the_other_counted() {
    let mut h = Handler::new(None);
    for number in 1..500 {
        h.line(0, number, &packet(TODAY, number, 1));
        h.line(1, number, &packet(YESTERDAY, number, 1));
    }
    assert_eq!(h.0.channels()[0].sequence().restarts, 1);
    assert_eq!(h.0.drops().old_session, 498);
    let one = [vec![1, 0], (1..500).collect()].concat();
    assert_eq!(h.output(), (one, vec![]));
}

/// What a client hands over.
#[derive(Default)]
struct World {
    packets: Vec<Vec<u8>>,
    failed: usize,
}

impl RecoverySink for World {
    fn has_room(&self, _: usize) -> bool {
        true
    }

    fn hand(&mut self, _: u16, what: Handed<'_>) {
        match what {
            Handed::Packet(bytes) => self.packets.push(bytes.to_vec()),
            Handed::Failed(_) => self.failed += 1,
            other => panic!("{other:?}"),
        }
    }
}

/// A lane that misses the numbers from `from` to `to`, and the client it has asked.
fn asked(from: u64, to: u64) -> (Handler, MoldRequests, World) {
    let (sender, wishes) = crossbeam_channel::bounded(16);
    let mut h = Handler::new(Some(Rescue {
        wishes: sender,
        messages: true,
        limit_nanos: LIMIT,
        snapshot_nanos: None,
        refresh: None,
        join: Join::Live,
    }));
    h.line(0, 10, &packet(TODAY, from - 1, 1));
    h.line(0, 20, &packet(TODAY, to, 1));
    h.0.idle(20 + WINDOW);
    let limits = RequestLimits {
        attempts: 2,
        answer_nanos: 10_000,
        messages: 1_000,
        in_flight: 4,
        open: 16,
    };
    let (mut client, mut world) = (MoldRequests::new(1, limits), World::default());
    let wishes: Vec<Wish> = wishes.try_iter().collect();
    assert_eq!(wishes.len(), 1);
    for wish in wishes {
        client.wish(wish, 2_000, &mut world);
    }
    client.poll(2_000, &mut NoNet, &mut world);
    (h, client, world)
}

/// Requests go nowhere.
struct NoNet;

impl Net for NoNet {
    fn send(&mut self, _: usize, _: &[u8]) {}

    fn open(&mut self, _: usize) {}

    fn close(&mut self, _: usize) {}
}

fn hear(client: &mut MoldRequests, world: &mut World, at: u64, bytes: &[u8]) {
    client.heard(0, Heard::Bytes(bytes), at, &mut NoNet, world);
}

#[test]
fn an_answer_that_nobody_asked_for_goes_nowhere() {
    let (mut h, mut client, mut world) = asked(5, 8);
    for stray in [
        packet(TODAY, 1, 4),
        packet(TODAY, 8, 4),
        packet(TODAY, 100, 4),
        packet(YESTERDAY, 5, 3),
        header(TODAY, 5, 0),
        header(TODAY, 5, 0xFFFF),
        header([0; 10], 0, 0),
    ] {
        hear(&mut client, &mut world, 2_001, &stray);
        // And should one reach the lane all the same:
        h.0.hand(0, Handed::Packet(&stray), Ticks(2_001));
    }
    assert!(world.packets.is_empty());
    hear(&mut client, &mut world, 2_002, &packet(TODAY, 5, 3));
    assert_eq!(world.packets.len(), 1);
    h.0.hand(0, Handed::Packet(&world.packets[0]), Ticks(2_002));
    assert_eq!(h.0.channels()[0].sequence().restarts, 0);
    let (ids, gaps) = h.output();
    assert_eq!(ids, [4, 5, 6, 7, 8, 9, 10, 11, 100, 101, 102, 103]);
    assert_eq!(gaps, [(12, 88)]);
}

#[test]
fn a_server_of_garbage_is_given_up_and_the_gap_declared() {
    let (mut h, mut client, mut world) = asked(5, 8);
    let mut garbage = 0;
    for nth in 0..2_000u64 {
        let at = 2_000 + nth * 1_000;
        // Bytes one at a time, and none, and many.
        let length = [0, 1, 19, 20, 21, 1_400][nth as usize % 6];
        let bytes: Vec<u8> = (0..length).map(|i| (nth * 31 + i * 7) as u8).collect();
        garbage += 1;
        hear(&mut client, &mut world, at, &bytes);
        client.poll(at, &mut NoNet, &mut world);
        h.0.idle(at);
    }
    assert_eq!((world.failed, world.packets.len()), (1, 0));
    let counted: u64 = client
        .counters()
        .iter()
        .filter(|(n, _)| n.starts_with("answers_"))
        .map(|c| c.1)
        .sum();
    assert_eq!(counted, garbage);
    assert_eq!(h.output(), (vec![4, 8], vec![(5, 3)]));
}

#[test]
fn a_hole_of_nearly_all_numbers_is_asked_for_piece_by_piece() {
    let (mut h, mut client, mut world) = asked(5, u64::MAX - 2);
    for nth in 0..100u64 {
        let at = 2_000 + nth * 10;
        let first = 5 + nth * 20;
        hear(&mut client, &mut world, at, &packet(TODAY, first, 20));
        client.poll(at, &mut NoNet, &mut world);
    }
    assert_eq!(world.packets.len(), 100);
    for (bytes, at) in world.packets.iter().zip(2_000..) {
        h.0.hand(0, Handed::Packet(bytes), Ticks(at));
    }
    let (ids, gaps) = h.output();
    assert_eq!(ids.len(), 1 + 2_000 + 1);
    assert_eq!(gaps, [(2_005, u64::MAX - 2 - 2_005)]);
}
