//! After warm-up the hot threads do not allocate: the loops of `run` under an allocator that counts.
//!
//! The counter is armed inside the hot thread once it has seen [`WARM_UP`] packets, and read when its loop has ended.
//! Everything a lane does is in play meanwhile: two lossy lines, packets that wait for the other line, holes given up,
//! what became of them said, records for readers, latency intervals collected by another thread, other symbols wanted again and again.

mod sessions;

use crossbeam_channel::Receiver;
use feed_common::capture::{CaptureFile, SectionDescription};
use feed_common::event::{Flags, Kind, MarketData, MarketHandler, MsgCtx, Record, Side, Trust};
use feed_common::latency::Resolution;
use feed_common::latency::recorder::{Collected, Collector, StageRecorder, pair};
use feed_common::packet::{
    Packet, PacketBatch, PacketSource, RxBackend, RxError, RxMeta, SlotWriter,
};
use feed_common::ring::{Inline, Reader, SlotConfig, Subscriber, Writer, broadcast, packet_ring};
use feed_common::time::{
    Clock, ClockFit, ClockPair, FitReader, FitWriter, Ticks, UnixNanos, shared_line,
};
use feed_common::wire::itch50::OrderDelete;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_handler::book::BookLimits;
use feed_handler::config::RecordPlan;
use feed_handler::journal::{JournalGauge, Tap, Tapped};
use feed_handler::net::file::{CaptureBackend, CaptureSource, LineMap};
use feed_handler::net::{LineAddress, Timestamps, UdpOptions, UdpReceiver};
use feed_handler::pipeline::{ChannelSetup, HoleEnds, Join, Lane, LaneTime, Rescue, SessionDay};
use feed_handler::protocol::itch50::Itch50;
use feed_handler::protocol::native::Native;
use feed_handler::protocol::{Decode, Protocol};
use feed_handler::publish::{Booked, Marks, Outlet, Records};
use feed_handler::record::{Queue, Recorder, Tee};
use feed_handler::recovery::{Handed, RecoverySink, Wish, courier};
use feed_handler::run::{Gauge, IdleTime, Quiet, drive, receive};
use feed_handler::sequence::HoleEnd;
use feed_handler::subscribe::{Changes, Filter, Glob};
use feed_replay::schedule::Speed;
use feed_replay::send::{Interface, Sender, SenderOptions, replay};
use feed_replay::synth::{Layout, Protocol as Made};
use sessions::{Faults, Feed, GROUPS, LAYOUTS, plan};
use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use zerocopy::IntoBytes;

/// Packets a hot thread sees before it is watched.
const WARM_UP: usize = 300;

const FAULTS: Faults = Faults {
    per_line: 300,
    hole_every: 500,
    skew: 40_000,
};

/// Shorter than the session, so that holes are given up while it runs.
const WINDOW: Duration = Duration::from_millis(2);

#[test]
fn the_counter_sees_an_allocation_inside_the_loop() {
    let feed = feed(Made::Itch50);
    let (file, lines) = (capture(&feed), line_map());
    let rig = Rig::<Itch50, Plain>::new(LaneTime::Captured);
    let source = Allocating(CaptureSource::new(&file, lines, rig.clock.clone()));
    let never = AtomicBool::new(false);
    let (counted, _) = rig.run(|lane, hot| hot.decode(lane, source, IdleTime::StandsStill, &never));
    assert!(counted > 2, "{counted}: each poll took memory and freed it");
}

#[test]
fn itch_from_a_file() {
    from_file::<Itch50, Plain>(Made::Itch50);
}

#[test]
fn itch_into_books_from_a_file() {
    from_file::<Itch50, Kept>(Made::Itch50);
}

#[test]
fn itch_into_a_journal_from_a_file() {
    from_file::<Itch50, Journalled>(Made::Itch50);
}

#[test]
fn native_from_a_file() {
    from_file::<Native, Plain>(Made::Native(Layout::Mixed));
}

#[test]
fn native_into_books_from_a_file() {
    from_file::<Native, Kept>(Made::Native(Layout::Mixed));
}

#[test]
fn itch_from_sockets() {
    from_sockets::<Itch50, Plain>(Made::Itch50, false);
}

#[test]
fn itch_into_books_from_sockets_while_recording() {
    from_sockets::<Itch50, Kept>(Made::Itch50, true);
}

#[test]
fn native_from_sockets() {
    from_sockets::<Native, Plain>(Made::Native(Layout::Mixed), false);
}

/// No generated session has price levels, or events of several messages.
#[test]
fn price_levels_in_events_of_several_messages() {
    let writer = broadcast::<Record>(4096).unwrap();
    let mut books = Kept::of(writer);
    let mut pass = |round: u32| {
        for i in 0..2_000u32 {
            let instrument = i % 64;
            let last = i % 5 == 4;
            let context = MsgCtx {
                sequence: i.into(),
                skip: 0,
                channel: 0,
                rx: Ticks(0),
                trust: Trust::VALID,
                midnight: UnixNanos(1),
                timestamp: UnixNanos(1),
                instrument,
                symbol: [b'A' + instrument as u8; 8],
                flags: if last {
                    Flags::END_OF_EVENT
                } else {
                    Flags::NONE
                },
                ..MsgCtx::default()
            };
            let level = MarketData {
                symbol: context.symbol,
                price: (i64::from(i * 7 % 90) + 1).into(),
                quantity: (i * 31 % 11 + round).into(),
                kind: if i % 500 == 0 {
                    Kind::CLEAR
                } else {
                    Kind::LEVEL
                }
                .0,
                side: if i % 2 == 0 { Side::BUY } else { Side::SELL }.0,
                flags: context.flags.0.into(),
                timestamp: 1.into(),
            };
            books.on_market_data(&context, level);
        }
        books.flush();
    };
    pass(1);
    counter::arm();
    pass(2);
    assert_eq!(counter::disarm(), 0);
    let totals = books.books(0).unwrap();
    assert!(totals.bbo_changes > 500, "{totals:?}");
    assert!(books.published() > 5_000);
}

/// Holes that are asked for and closed, or given up, while a lane runs.
#[test]
fn holes_that_recovery_is_asked_for() {
    let (sender, wishes) = crossbeam_channel::bounded(64);
    let rescue = Rescue {
        wishes: sender,
        messages: true,
        limit_nanos: 5_000,
        snapshot_nanos: None,
        refresh: None,
        join: Join::Live,
    };
    let clock = Clock::new();
    let (mut courier, delivery) = courier(1_500, clock.clone()).unwrap();
    let (to, ends) = HoleEnds::new();
    let setup = ChannelSetup {
        name: "c".into(),
        number: 0,
        lines: 1,
        window_nanos: 1_000,
        stash_slots: 64,
        stash_slot_bytes: 1_500,
        day: SessionDay::Midnight(UnixNanos(1)),
    };
    let decoder = <Itch50 as Protocol>::Decoder::with_room(16);
    let channel = (setup, Default::default(), decoder);
    let outlet = Kept::of(broadcast::<Record>(4_096).unwrap());
    let probe = pair(Resolution::default(), clock.clone()).0;
    let time = LaneTime::Received(clock.scale());
    let mut lane = Lane::<Itch50, _, _>::new(vec![channel], time, 0, outlet, probe)
        .with_rescue(0, rescue)
        .with_hole_ends(to)
        .with_delivery(delivery);
    let packets: Vec<Vec<u8>> = (0..600).map(deletes).collect();
    let (mut asked, mut at) = (0, 1_000_000);
    let mut pass = |packets: &[Vec<u8>]| {
        // Of six packets the second comes from recovery and the fourth never.
        for six in packets.chunks(6) {
            for i in [0, 2, 4, 5] {
                at += 100;
                let ticks = Ticks(clock.scale().ticks(at));
                lane.step(&mut Single(&six[i], ticks)).unwrap();
            }
            at += 2_000;
            lane.idle(at);
            while let Ok(wish) = wishes.try_recv() {
                asked += usize::from(matches!(wish, Wish::Messages(_)));
            }
            courier.hand(0, Handed::Packet(&six[1]));
            lane.take_delivery();
            at += 6_000;
            lane.idle(at);
        }
    };
    pass(&packets[..300]);
    counter::arm();
    pass(&packets[300..]);
    assert_eq!(counter::disarm(), 0);
    let sequence = lane.channels()[0].sequence();
    assert_eq!(asked, 200);
    assert_eq!((sequence.recovered, sequence.lost), (300, 300));
    assert_eq!((ends.len(), lane.hole_ends_missed()), (200, 0));
}

/// The packet at a place in a session of packets of three messages.
fn deletes(place: u64) -> Vec<u8> {
    let mut packet = PacketBuilder::new(*b"SESSION   ", 1 + 3 * place, 1_400);
    let delete = OrderDelete {
        msg_type: OrderDelete::TYPE,
        ..OrderDelete::default()
    };
    (0..3).for_each(|_| assert!(packet.push(delete.as_bytes())));
    packet.payload().to_vec()
}

/// One packet that has come in.
struct Single<'a>(&'a [u8], Ticks);

struct One<'a>(RxMeta, &'a [u8]);

impl PacketSource for Single<'_> {
    type Batch<'a>
        = One<'a>
    where
        Self: 'a;

    fn poll(&mut self) -> Result<One<'_>, RxError> {
        let meta = RxMeta {
            rx: self.1,
            len: self.0.len() as u32,
            ..RxMeta::default()
        };
        Ok(One(meta, self.0))
    }
}

impl PacketBatch for One<'_> {
    fn len(&self) -> usize {
        1
    }

    fn get(&self, _: usize) -> Packet<'_> {
        Packet {
            meta: &self.0,
            bytes: self.1,
        }
    }
}

/// Records alone.
type Plain = Records<Writer<Record>>;

/// Books, and their best prices among the records.
type Kept = Booked<Writer<Record>>;

/// Records that are kept besides, as far as the queue goes.
type Journalled = Records<Tapped<Writer<Record>>>;

/// Where a lane's events go.
trait Outgoing: Outlet + Send {
    fn of(writer: Writer<Record>) -> Self;

    /// Whether what it was made for has been done.
    fn check(&self);
}

impl Outgoing for Plain {
    fn of(writer: Writer<Record>) -> Plain {
        // Many marks, and gaps among them.
        Records::new(writer, 1).with_marks(Marks::new(4).unwrap())
    }

    fn check(&self) {}
}

impl Outgoing for Journalled {
    fn of(writer: Writer<Record>) -> Journalled {
        // Nobody takes anything out, so that both ways are gone: that into the queue, and that of what finds it full.
        let records = writer.subscribe();
        let (tap, _) = Tap::new(records, 16_384, JournalGauge::default()).unwrap();
        Records::new(Tapped::new(writer, Some(tap)), 1).with_marks(Marks::new(4).unwrap())
    }

    fn check(&self) {
        let lost = self.sink().tap().unwrap().lost();
        assert!(lost > 1000, "{lost}");
        assert_eq!(lost + 16_384, self.published());
    }
}

impl Outgoing for Kept {
    fn of(writer: Writer<Record>) -> Kept {
        let limits = BookLimits {
            orders: 1 << 16,
            levels: 1 << 14,
            instruments: 1 << 10,
        };
        Booked::new(Plain::of(writer), 0..1, &limits, true).unwrap()
    }

    fn check(&self) {
        let totals = self.books(0).unwrap();
        assert!(totals.bbo_changes > 500, "{totals:?}");
    }
}

fn feed(protocol: Made) -> Feed {
    Feed::new(protocol, 30_000, 11, FAULTS)
}

fn capture(feed: &Feed) -> CaptureFile {
    CaptureFile::from_memory("capture", feed.capture()).unwrap()
}

fn line_map() -> LineMap {
    LineMap::new(GROUPS.into_iter().zip(0..)).unwrap()
}

fn from_file<P: Protocol, H: Outgoing>(protocol: Made) {
    let feed = feed(protocol);
    let file = capture(&feed);
    let never = AtomicBool::new(false);
    let check = |layout, (counted, seen): (u64, Seen)| {
        assert_eq!(counted, 0, "{layout}: the decoding thread allocated");
        assert_eq!(seen.gaps, feed.holes.len() as u64, "{layout}");
        assert_eq!(seen.lost, feed.left_out, "{layout}");
        seen.check(layout);
    };

    let rig = Rig::<P, H>::new(LaneTime::Captured);
    let source = CaptureSource::new(&file, line_map(), rig.clock.clone());
    check(
        "one thread",
        rig.run(|lane, hot| hot.decode(lane, source, IdleTime::StandsStill, &never)),
    );

    let rig = Rig::<P, H>::new(LaneTime::Captured);
    let (mut producer, consumer) = packet_ring(&SlotConfig::default()).unwrap();
    let (clock, file, stop) = (rig.clock.clone(), &file, &never);
    thread::scope(|scope| {
        let receiving = scope.spawn(move || {
            let backend = CaptureBackend::new(file, line_map(), clock.clone());
            receive_counted(backend, &mut producer, &clock, stop, &Quiet::default())
        });
        check(
            "two threads",
            rig.run(|lane, hot| hot.decode(lane, consumer, IdleTime::StandsStill, stop)),
        );
        assert_eq!(
            receiving.join().unwrap(),
            0,
            "the receiving thread allocated"
        );
    });
}

fn from_sockets<P: Protocol, H: Outgoing>(protocol: Made, recording: bool) {
    let feed = feed(protocol);
    let open = |clock: &Clock| {
        let lines = [free_port(), free_port()].map(|group| LineAddress {
            group,
            interface: None,
            source: None,
        });
        let options = UdpOptions {
            batch: 32,
            socket_buffer: 4 << 20,
            timestamps: Timestamps::Kernel,
        };
        let receiver = UdpReceiver::open(&lines, options, clock.clone()).unwrap();
        (receiver, lines.map(|line| line.group))
    };
    let slots = SlotConfig {
        slots: 64,
        stride: 2048,
        batch: 64,
    };

    let rig = Rig::<P, H>::new(LaneTime::Received(Clock::new().scale()));
    let (receiver, to) = open(&rig.clock);
    let (recorder, queue) = record(recording, &receiver, &rig.fit).unzip();
    let source = Tee::new(Inline::new(receiver, &slots).unwrap(), queue);
    let stop = AtomicBool::new(false);
    let (stop, feed) = (&stop, &feed);
    thread::scope(|scope| {
        scope.spawn(move || send(feed, to, stop));
        let (counted, seen) = rig.run(|lane, hot| hot.decode(lane, source, IdleTime::Passes, stop));
        assert_eq!(counted, 0, "one thread: the lane allocated");
        seen.check_live("one thread");
    });
    if let Some(recorder) = recorder {
        check_recording(recorder);
    }

    let rig = Rig::<P, H>::new(LaneTime::Received(Clock::new().scale()));
    let (receiver, to) = open(&rig.clock);
    let (mut producer, consumer) = packet_ring(&SlotConfig::default()).unwrap();
    let (recorder, queue) = record(recording, &receiver, &rig.fit).unzip();
    let source = Tee::new(consumer, queue);
    let (clock, stop, never) = (
        rig.clock.clone(),
        &AtomicBool::new(false),
        &AtomicBool::new(false),
    );
    thread::scope(|scope| {
        let quiet = Arc::new(Quiet::default());
        let idle = IdleTime::Follows(quiet.clone());
        let receiving =
            scope.spawn(move || receive_counted(receiver, &mut producer, &clock, stop, &quiet));
        scope.spawn(move || send(feed, to, stop));
        let (counted, seen) = rig.run(|lane, hot| hot.decode(lane, source, idle, never));
        assert_eq!(counted, 0, "two threads: the decoding thread allocated");
        assert_eq!(
            receiving.join().unwrap(),
            0,
            "the receiving thread allocated"
        );
        seen.check_live("two threads");
    });
    if let Some(recorder) = recorder {
        check_recording(recorder);
    }
}

/// A recorder and its queue where there is to be one. It writes at once.
fn record(recording: bool, receiver: &UdpReceiver, fit: &FitReader) -> Option<(Recorder, Queue)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    if !recording {
        return None;
    }
    let number = NUMBER.fetch_add(1, Relaxed);
    let name = format!(
        "feed-handler-hot-path-{}-{number}.pcapng",
        std::process::id()
    );
    let to = RecordPlan::new(std::env::temp_dir().join(name));
    let lanes = plan(Made::Itch50, LAYOUTS[0]).lanes;
    let machine = SectionDescription::default();
    let (recorder, mut queues) = Recorder::start(&to, &lanes, &machine, fit.clone()).unwrap();
    recorder.begin(vec![receiver.counters()]);
    Some((recorder, queues.remove(0)))
}

/// Holds that the recorder was at work while its lane was watched.
fn check_recording(recorder: Recorder) {
    let end = recorder.finish();
    assert!(
        end.error.is_none() && end.packets > 2 * WARM_UP as u64,
        "{end:?}"
    );
    std::fs::remove_file(end.file).unwrap();
}

/// An address of this machine that nobody listens on.
fn free_port() -> SocketAddrV4 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, socket.local_addr().unwrap().port())
}

/// Sends the feed on its schedule, then sets `stop`.
fn send(feed: &Feed, to: [SocketAddrV4; 2], stop: &AtomicBool) {
    let lo = Interface::named("lo").unwrap();
    let senders = to.map(|to| Sender::open(to, &lo, SenderOptions::default()).unwrap());
    let sent = replay(
        feed.outgoing(),
        &senders,
        Speed::ORIGINAL,
        &AtomicBool::new(false),
    );
    thread::sleep(Duration::from_millis(20));
    stop.store(true, Relaxed);
    assert_eq!(sent.unwrap().packets, feed.carried().count() as u64);
}

fn receive_counted<B: RxBackend, W: SlotWriter>(
    backend: B,
    slots: &mut W,
    clock: &Clock,
    stop: &AtomicBool,
    quiet: &Quiet,
) -> u64 {
    let mut backend = Watched::new(backend);
    receive(&mut backend, slots, clock, stop, quiet).unwrap();
    counter::disarm()
}

/// A lane and everything around it that touches its memory while it runs.
struct Rig<P: Protocol, H> {
    clock: Clock,
    lane: Lane<P, H, StageRecorder>,
    ends: Receiver<HoleEnd>,
    collector: Collector,
    subscriber: Subscriber<Record>,
    line: FitWriter,
    changes: Arc<Changes>,
    fit: FitReader,
}

/// What the hot thread has besides its lane.
struct Hot {
    clock: Clock,
    gauge: Gauge,
}

/// What a run came to, so that it is known what it exercised.
#[derive(Debug, Default)]
struct Seen {
    gaps: u64,
    lost: [u64; 2],
    published: u64,
    read: u64,
    overrun: u64,
    intervals: u64,
    filtered: u64,
    /// Holes it said what had become of.
    ends: u64,
}

impl Seen {
    fn check(&self, layout: &str) {
        assert!(self.published > 5_000, "{layout}: {self:?}");
        assert_eq!(
            self.read + self.overrun,
            self.published,
            "{layout}: {self:?}"
        );
        assert!(self.lost.iter().all(|&n| n > 0), "{layout}: {self:?}");
    }

    /// Live takes long enough for the collector to have come by many times, and drops only make for more holes.
    fn check_live(&self, layout: &str) {
        self.check(layout);
        assert!(self.gaps > 0, "{layout}: {self:?}");
        assert!(self.ends >= self.gaps, "{layout}: {self:?}");
        assert!(self.intervals > 5, "{layout}: {self:?}");
        assert!(self.filtered > 0, "{layout}: {self:?}");
    }
}

impl<P: Protocol, H: Outgoing> Rig<P, H> {
    fn new(time: LaneTime) -> Rig<P, H> {
        let clock = Clock::new();
        let setup = ChannelSetup {
            name: "watched".into(),
            number: 0,
            lines: 2,
            window_nanos: WINDOW.as_nanos() as u64,
            stash_slots: 256,
            stash_slot_bytes: 2048,
            day: SessionDay::Midnight(UnixNanos(1)),
        };
        let (recorder, collector) = pair(Resolution::default(), clock.clone());
        let (line, fit) = shared_line();
        let writer = broadcast::<Record>(4096).unwrap();
        let subscriber = writer.subscriber();
        let channel = (setup, P::Framing::default(), P::Decoder::with_room(1 << 16));
        let recorder = recorder.with_fit(fit.clone());
        let changes = Changes::new(1);
        let (to, ends) = HoleEnds::new();
        let lane = Lane::new(vec![channel], time, 16, H::of(writer), recorder);
        Rig {
            lane: lane.with_changes(changes.clone()).with_hole_ends(to),
            ends,
            changes,
            clock,
            collector,
            subscriber,
            line,
            fit,
        }
    }

    /// Runs `body` on a thread of its own while this one reads its records, collects its latencies and pairs clocks.
    /// Returns what `body` counted.
    fn run(
        mut self,
        body: impl FnOnce(&mut Lane<P, H, StageRecorder>, &Hot) -> u64 + Send,
    ) -> (u64, Seen) {
        let hot = Hot {
            clock: self.clock.clone(),
            gauge: Gauge::default(),
        };
        let mut lane = self.lane;
        let reader = self.subscriber.from_now();
        thread::scope(|scope| {
            let running = scope.spawn(move || {
                let counted = body(&mut lane, &hot);
                lane.outlet().check();
                let channel = &lane.channels()[0];
                let seen = Seen {
                    gaps: channel.sequence().gaps,
                    lost: [0, 1].map(|line: usize| channel.lines()[line].lost()),
                    published: hot.gauge.read().published,
                    filtered: channel.filtered(),
                    ..Seen::default()
                };
                (counted, seen)
            });
            let (read, overrun, intervals, ends) = attend(
                &mut self.collector,
                &self.ends,
                reader,
                &mut self.line,
                &self.clock,
                &self.changes,
            );
            let (counted, seen) = running.join().unwrap();
            let seen = Seen {
                read,
                overrun,
                intervals,
                ends,
                ..seen
            };
            (counted, seen)
        })
    }
}

/// The cold side of a lane until it ends: records read, records overrun, intervals taken from it while it ran, holes it
/// told of.
fn attend(
    collector: &mut Collector,
    ends: &Receiver<HoleEnd>,
    mut reader: Reader<Record>,
    line: &mut FitWriter,
    clock: &Clock,
    changes: &Changes,
) -> (u64, u64, u64, u64) {
    let mut filter = Filter::default();
    let symbols: [Glob; 2] = ["A*", "?A*"].map(|glob| glob.parse().unwrap());
    let mut fit = ClockFit::new(clock.scale(), 100);
    let mut batch = [Record::default(); 256];
    let (mut read, mut intervals, mut holes) = (0, 0, 0);
    while !(collector.is_over() && reader.is_closed()) {
        fit.push(ClockPair::sample(clock));
        line.publish(fit.line());
        // Something is wanted, or not wanted any more, all the time.
        let wanted = filter.rules().first().is_some_and(|rule| !rule.wanted);
        for symbols in &symbols {
            filter.add(symbols.clone(), wanted).unwrap();
        }
        changes.post(&filter);
        if let Collected::Interval(_) = collector.collect(Duration::from_millis(1)) {
            intervals += 1;
        }
        while let Ok(n @ 1..) = reader.read(&mut batch) {
            read += n as u64;
        }
        holes += ends.try_iter().count() as u64;
    }
    holes += ends.try_iter().count() as u64;
    (read, reader.lost(), intervals, holes)
}

impl Hot {
    /// The lane's loop over `source`; what the thread took and gave of memory after its warm-up.
    fn decode<P: Protocol, H: Outlet, S: PacketSource>(
        &self,
        lane: &mut Lane<P, H, StageRecorder>,
        source: S,
        idle: IdleTime,
        stop: &AtomicBool,
    ) -> u64 {
        let mut source = Watched::new(source);
        drive(lane, &mut source, &idle, &self.clock, stop, &self.gauge).unwrap();
        counter::disarm()
    }
}

/// Arms the counter of its thread after [`WARM_UP`] packets.
struct Watched<S> {
    inner: S,
    seen: usize,
}

impl<S> Watched<S> {
    fn new(inner: S) -> Watched<S> {
        Watched { inner, seen: 0 }
    }

    fn count(seen: &mut usize, n: usize) {
        let before = *seen;
        *seen += n;
        if before < WARM_UP && *seen >= WARM_UP {
            counter::arm();
        }
    }
}

impl<S: PacketSource> PacketSource for Watched<S> {
    type Batch<'a>
        = S::Batch<'a>
    where
        S: 'a;

    fn poll(&mut self) -> Result<S::Batch<'_>, RxError> {
        use feed_common::packet::PacketBatch;
        let batch = self.inner.poll()?;
        Self::count(&mut self.seen, batch.len());
        Ok(batch)
    }
}

impl<B: RxBackend> RxBackend for Watched<B> {
    fn fill<W: SlotWriter>(&mut self, slots: &mut W) -> Result<usize, RxError> {
        let n = self.inner.fill(slots)?;
        Self::count(&mut self.seen, n);
        Ok(n)
    }
}

/// A source that does what no source may.
struct Allocating<S>(S);

impl<S: PacketSource> PacketSource for Allocating<S> {
    type Batch<'a>
        = S::Batch<'a>
    where
        S: 'a;

    fn poll(&mut self) -> Result<S::Batch<'_>, RxError> {
        drop(black_box(Box::new(1u64)));
        self.0.poll()
    }
}

#[global_allocator]
static ALLOCATOR: counter::Counting = counter::Counting;

mod counter {
    use super::{Cell, GlobalAlloc, Memory, System};

    thread_local! {
        /// Calls since the thread was armed; `None` while it is not.
        static CALLS: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// Counts this thread's calls from here on.
    pub fn arm() {
        CALLS.set(Some(0));
    }

    /// Ends counting. Panics when the thread was never armed: then nothing has been shown.
    pub fn disarm() -> u64 {
        CALLS
            .take()
            .expect("the thread saw enough packets to be watched")
    }

    fn count() {
        // Without destructor or lazy initialisation: reading it neither allocates nor can come too late.
        if let Some(calls) = CALLS.get() {
            CALLS.set(Some(calls + 1));
        }
    }

    /// The system's allocator, with a count of the calls of armed threads.
    pub struct Counting;

    // SAFETY: every call is passed on unchanged to `System`, which keeps the contract; counting touches a constant-
    // initialised thread local of a type without destructor, and so neither allocates nor unwinds.
    #[allow(unsafe_code)]
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Memory) -> *mut u8 {
            count();
            // SAFETY: the caller's promise is `System`'s requirement.
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Memory) -> *mut u8 {
            count();
            // SAFETY: as above.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn realloc(&self, at: *mut u8, layout: Memory, size: usize) -> *mut u8 {
            count();
            // SAFETY: as above; `at` came from `System`, as every block does.
            unsafe { System.realloc(at, layout, size) }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Memory) {
            count();
            // SAFETY: as for `realloc`.
            unsafe { System.dealloc(at, layout) }
        }
    }
}
