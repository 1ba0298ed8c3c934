//! Retransmissions of NYSE Pillar: a lane, its recovery, an exchange's faulty lines and its request server.

use crossbeam_channel::{Receiver, bounded};
use feed_common::event::{Kind, Record};
use feed_common::latency::NoProbe;
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::time::{TickScale, Ticks, UnixNanos};
use feed_handler::pipeline::{ChannelSetup, Join, Lane, LaneTime, Rescue, SessionDay};
use feed_handler::protocol::Decode;
use feed_handler::protocol::pillar::{Pillar, PillarDecoder};
use feed_handler::publish::{Publish, Records};
use feed_handler::recovery::{
    Handed, Heard, Net, PillarRequests, PillarSettings, Recovery, RecoverySink, Wish,
};
use feed_handler::transport::PillarFraming;
use feed_replay::exchange::{
    Again, Downstream, History, Numbering, PillarLimits, PillarServer, Shape, StreamConnection,
    StreamServer, Timing,
};
use feed_replay::synth::rng::Rng;
use feed_replay::synth::{Protocol, Recording, Spec};
use std::collections::BTreeMap;
use std::sync::Arc;

const MESSAGES: u64 = 20_000;
const MILLISECOND: u64 = 1_000_000;
/// As often as a control thread looks.
const LOOK: u64 = MILLISECOND / 4;
/// The group of the answers, behind one server.
const GROUP: usize = 1;

type PillarLane = Lane<Pillar, Records<Kept>, NoProbe>;

/// Records without when they were received. A mapping has no time of its own: its record says when its packet was sent,
/// and so is without that too, because retransmissions are sent later.
#[derive(Default)]
struct Kept(Vec<[u64; 8]>);

impl Publish for Kept {
    fn publish(&mut self, record: &Record) {
        let mut words = record.words();
        words[6] = 0;
        if record.data.kind == Kind::DIRECTORY.0 {
            words[3] = 0;
        }
        self.0.push(words);
    }
}

fn history(seed: u64) -> Arc<History> {
    let spec = Spec {
        rate: 50_000,
        ..Spec::new(Protocol::Pillar, MESSAGES, seed)
    };
    let (session, _) = Recording::of(&spec).unwrap();
    Arc::new(History::of(&session, Numbering::Pillar, &Shape::default()).unwrap())
}

fn lane() -> (PillarLane, Receiver<Wish>) {
    let setup = ChannelSetup {
        name: "pillar".into(),
        number: 0,
        lines: 2,
        window_nanos: 2 * MILLISECOND,
        stash_slots: 1 << 14,
        stash_slot_bytes: 1_500,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let (sender, wishes) = bounded(4_096);
    let rescue = Rescue {
        wishes: sender,
        messages: true,
        limit_nanos: 10_000 * MILLISECOND,
        snapshot_nanos: None,
        refresh: None,
        join: Join::Start,
    };
    let channel = (setup, PillarFraming, PillarDecoder::with_room(1 << 10));
    let out = Records::new(Kept::default(), 1);
    let time = LaneTime::Received(TickScale::from_ratio(1, 1));
    let lane = Lane::new(vec![channel], time, 0, out, NoProbe).with_rescue(0, rescue);
    (lane, wishes)
}

/// One packet on its way into a lane.
struct One<'p>(Option<(RxMeta, &'p [u8])>);

struct Single<'p>(Option<(RxMeta, &'p [u8])>);

impl PacketBatch for Single<'_> {
    fn len(&self) -> usize {
        usize::from(self.0.is_some())
    }

    fn get(&self, _: usize) -> Packet<'_> {
        let (meta, bytes) = self.0.as_ref().expect("a packet");
        Packet { meta, bytes }
    }
}

impl<'p> PacketSource for One<'p> {
    type Batch<'b>
        = Single<'p>
    where
        Self: 'b;

    fn poll(&mut self) -> Result<Single<'p>, RxError> {
        Ok(Single(self.0.take()))
    }
}

/// What is handed goes into the lane at once.
struct Sink<'l> {
    lane: &'l mut PillarLane,
    now: u64,
}

impl RecoverySink for Sink<'_> {
    fn has_room(&self, _: usize) -> bool {
        true
    }

    fn hand(&mut self, channel: u16, what: Handed<'_>) {
        self.lane.hand(channel, what, Ticks(self.now));
    }
}

enum Done {
    Open,
    Send(Vec<u8>),
    Close,
}

#[derive(Default)]
struct Asked(Vec<Done>);

impl Net for Asked {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        assert_eq!(server, 0);
        self.0.push(Done::Send(bytes.to_vec()));
    }

    fn open(&mut self, server: usize) {
        assert_eq!(server, 0);
        self.0.push(Done::Open);
    }

    fn close(&mut self, _: usize) {
        self.0.push(Done::Close);
    }
}

/// A recovery and its server.
struct Ways {
    recovery: PillarRequests,
    server: PillarServer,
    connection: Option<Box<dyn StreamConnection>>,
    asked: Asked,
    rng: Rng,
}

impl Ways {
    fn hear(&mut self, server: usize, heard: Heard<'_>, sink: &mut Sink<'_>) {
        let now = sink.now;
        self.recovery
            .heard(server, heard, now, &mut self.asked, sink);
    }

    /// All that happens between client and server at a time.
    fn step(&mut self, wishes: &Receiver<Wish>, sink: &mut Sink<'_>) {
        let now = sink.now;
        for wish in wishes.try_iter() {
            self.recovery.wish(wish, now, sink);
        }
        let mut answers = Vec::new();
        self.server
            .datagrams(now, &mut |packet| answers.push(packet.to_vec()));
        for answer in &answers {
            self.hear(GROUP, Heard::Bytes(answer), sink);
        }
        let mut said = Vec::new();
        let ended = self
            .connection
            .as_mut()
            .is_some_and(|c| c.poll(now, 4_096, &mut said) == Again::Close);
        while !said.is_empty() && self.connection.is_some() {
            // Cut anywhere.
            let piece = 1 + self.rng.below(said.len() as u64) as usize;
            let rest = said.split_off(piece);
            self.hear(0, Heard::Bytes(&said), sink);
            said = rest;
            self.act(sink);
        }
        if ended && self.connection.take().is_some() {
            self.hear(0, Heard::Closed, sink);
        }
        self.recovery.poll(now, &mut self.asked, sink);
        self.act(sink);
    }

    fn act(&mut self, sink: &mut Sink<'_>) {
        for done in std::mem::take(&mut self.asked.0) {
            match done {
                Done::Open => {
                    assert!(self.connection.is_none(), "one connection at a time");
                    self.connection = Some(self.server.connect(sink.now));
                    self.hear(0, Heard::Opened, sink);
                }
                Done::Send(bytes) => {
                    if let Some(connection) = &mut self.connection {
                        connection.heard(&bytes, sink.now);
                    }
                }
                Done::Close => self.connection = None,
            }
        }
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.recovery.counters().into_iter().collect()
    }
}

struct Played {
    records: Vec<[u64; 8]>,
    messages: u64,
    lost: u64,
    recovered: u64,
    lost_by_all: u64,
    counters: BTreeMap<&'static str, u64>,
}

/// Plays a session on two lines, with a server that answers for what they lost.
fn play(
    history: &Arc<History>,
    lines: [&str; 2],
    limits: PillarLimits,
    server: &str,
    seed: u64,
) -> Played {
    let faults = lines.map(|faults| faults.parse().unwrap());
    let timing = Timing {
        heartbeat: 20 * MILLISECOND,
        grace: 20_000 * MILLISECOND,
    };
    let mut downstream = Downstream::new(Arc::clone(history), &faults, seed, timing);
    let (mut lane, wishes) = lane();
    let settings = PillarSettings {
        answer: 20 * MILLISECOND,
        attempts: 30,
        ..PillarSettings::new(1, *b"ACME01\0\0\0\0", 11, 1)
    };
    let server = server.parse().unwrap();
    let mut ways = Ways {
        recovery: PillarRequests::new(settings),
        server: PillarServer::new(Arc::clone(history), limits, &server, seed),
        connection: None,
        asked: Asked::default(),
        rng: Rng::new(seed),
    };
    let mut now = 0;
    while now < downstream.end() {
        while let Some(packet) = downstream.next(now) {
            let meta = RxMeta {
                rx: Ticks(packet.at),
                kernel: UnixNanos(packet.at),
                len: packet.payload.len() as u32,
                line: packet.line as u16,
                ..RxMeta::default()
            };
            lane.step(&mut One(Some((meta, packet.payload)))).unwrap();
        }
        lane.idle(now);
        let mut sink = Sink {
            lane: &mut lane,
            now,
        };
        ways.step(&wishes, &mut sink);
        now += LOOK;
    }
    lane.finish();
    let sequence = lane.channels()[0].sequence();
    Played {
        messages: lane.messages(),
        records: lane.into_outlet().into_sink().0,
        lost: sequence.lost,
        recovered: sequence.recovered,
        lost_by_all: downstream.account().lost_by_all().count(),
        counters: ways.counters(),
    }
}

const LOSSY: [&str; 2] = [
    "loss=8% burst=2 dup=1% reorder=1%x3",
    "loss=8% skew=300us delay=0..100us",
];

#[test]
fn a_session_with_losses_on_both_lines_ends_whole() {
    for seed in 0..4 {
        let history = history(seed);
        let usual = PillarLimits::default();
        let clean = play(&history, ["", ""], usual, "", seed);
        assert_eq!((clean.lost, clean.recovered), (0, 0));
        for server in [
            "",
            "late=0..15ms loss=10% wrong=5% close=2%",
            "trickle=100us",
        ] {
            let played = play(&history, LOSSY, usual, server, seed);
            let what = format!("{seed} {server:?}: {:?}", played.counters);
            assert!(played.lost_by_all > 20, "{what}");
            assert_eq!(
                (played.lost, played.messages),
                (0, clean.messages),
                "{what}"
            );
            assert!(played.records == clean.records, "{what}");
            assert!(played.recovered >= played.lost_by_all, "{what}");
            assert_eq!(played.counters["failed"], 0, "{what}");
        }
    }
}

#[test]
fn what_the_server_rejects_is_lost_and_nothing_else() {
    let history = history(9);
    let few = PillarLimits {
        requests: 3,
        ..PillarLimits::default()
    };
    let played = play(&history, LOSSY, few, "", 9);
    let counters = &played.counters;
    assert!(played.lost > 0 && played.recovered > 0, "{counters:?}");
    assert_eq!(counters["requests_accepted"], 3);
    assert!(counters["rejected_daily_requests"] > 0);
    assert_eq!(played.messages + played.lost, MESSAGES);
    assert!(played.lost <= played.lost_by_all);
}
