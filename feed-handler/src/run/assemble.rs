//! The one match from a lane's plan to concrete types, and the threads it runs on.

use super::clock::{CardPairing, pair_cards};
use super::end::{LaneEnd, SourceEnd};
use super::gauge::Gauge;
use super::hot::{IdleTime, Quiet, drive, drive_held, receive, receive_watched};
use super::inject::Delay;
use super::recovery::Link;
use super::start::{Input, StartError};
use crate::config::{BookKeep, BookPlan, ChannelPlan, Injection, LanePlan, LaneThreads, LinePlan};
use crate::journal::{Tap, Tapped};
use crate::net::file::{
    CaptureBackend, CaptureSource, FileCounters, INCOMPLETE, LineMap, Position,
};
use crate::net::{LineCounters, UdpReceiver};
use crate::pipeline::{ChannelSetup, HoleEnds, Lane, LaneTime};
use crate::protocol::itch50::Itch50File;
use crate::protocol::{Decode, Definitions, ForProtocol, Protocol, type_code, with_protocol};
use crate::publish::{Booked, Marks, Outlet, Records};
use crate::record::{Queue, Tee};
use crate::subscribe::{Changes, Filter};
use feed_common::capture::{CaptureFile, Cut, Datagrams, Format};
use feed_common::event::Record;
use feed_common::latency::messages::MessageFigures;
use feed_common::latency::recorder::StageRecorder;
use feed_common::packet::{PacketSource, RxError};
use feed_common::ring::{Gauge as RingGauge, Inline, Producer, SlotConfig, Writer, packet_ring};
use feed_common::sys::{pin_current_thread, set_fifo_priority};
use feed_common::time::Clock;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::thread::{Builder, JoinHandle};

/// Everything a lane starts with.
pub(super) struct LaneStart {
    pub(super) plan: LanePlan,
    pub(super) book: BookPlan,
    pub(super) setups: Vec<ChannelSetup>,
    /// Channels of the whole configuration.
    pub(super) channels_total: usize,
    pub(super) sample_messages: u32,
    pub(super) writer: Writer<Record>,
    pub(super) marks: Marks,
    pub(super) recorder: StageRecorder,
    /// For the pauses of its receiving thread, where it has one.
    pub(super) receiving: Option<StageRecorder>,
    /// What its channels want at first, and where they hear of changes.
    pub(super) wanted: Filter,
    pub(super) changes: Arc<Changes>,
    /// Where to keep what it publishes.
    pub(super) journal: Option<Tap>,
    /// Where to keep what live lines bring.
    pub(super) record: Option<Queue>,
    /// Who is asked for what its lines lose.
    pub(super) link: Option<Link>,
    /// Where it says what became of its holes.
    pub(super) hole_ends: Option<HoleEnds>,
    pub(super) hot: Hot,
}

/// What every hot thread of a lane holds.
#[derive(Clone)]
pub(super) struct Hot {
    pub(super) clock: Clock,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) gauge: Arc<Gauge>,
    /// A delay on purpose.
    pub(super) inject: Option<Injection>,
    /// Each thread says once whether it could be pinned and raised.
    pub(super) ready: Sender<Result<(), StartError>>,
}

/// A lane that has been started.
pub(super) struct LaneRunning {
    pub(super) decode: JoinHandle<LaneEnd>,
    pub(super) receive: Option<JoinHandle<SourceEnd>>,
    /// Hot threads, each of which reports to [`Hot::ready`].
    pub(super) threads: usize,
    pub(super) sockets: Option<Arc<[LineCounters]>>,
    /// How far its file is read.
    pub(super) position: Option<Arc<Position>>,
    /// The cards that stamp its packets.
    pub(super) cards: Cards,
    pub(super) facts: Vec<(String, String)>,
}

/// The cards that stamp a lane's packets.
#[derive(Default)]
pub(super) struct Cards {
    /// Their clocks.
    pub(super) pairings: Vec<CardPairing>,
    /// The lines that they stamp, by number, with their names.
    pub(super) lines: Vec<(usize, String)>,
}

type PlannedLane<P, H> = Lane<P, H, StageRecorder>;

/// Opens a lane's input and starts its threads.
pub(super) fn start_lane(start: LaneStart, input: &Input) -> Result<LaneRunning, StartError> {
    if let Input::File(file) = input
        && file.format() == Format::BinaryFile
    {
        return start_protocol::<Itch50File>(start, input);
    }
    struct Start<'a>(LaneStart, &'a Input);
    impl ForProtocol for Start<'_> {
        type Out = Result<LaneRunning, StartError>;

        fn call<P: Protocol>(self) -> Self::Out {
            start_protocol::<P>(self.0, self.1)
        }
    }
    with_protocol(start.plan.protocol, Start(start, input))
}

fn start_protocol<P: Protocol>(start: LaneStart, input: &Input) -> Result<LaneRunning, StartError> {
    let time = match input {
        Input::Live => LaneTime::Received(start.hot.clock.scale()),
        Input::File(_) => LaneTime::Captured,
    };
    let book = start.book;
    let first = start.setups.first().map_or(0, |setup| setup.number);
    let own = first..first + start.setups.len() as u16;
    let announced = Arc::new(announced::<P>(input));
    let channels = start.setups.into_iter().zip(&start.plan.channels);
    let channels = channels.map(|(setup, plan)| {
        let mut decoder = P::Decoder::with_room(book.limits.instruments);
        decoder.subscribe(Box::new(start.wanted.clone()));
        decoder.refer(definitions::<P>(plan, &announced)?);
        Ok((setup, P::Framing::default(), decoder))
    });
    let channels = channels.collect::<Result<_, StartError>>()?;
    let (sample, recorder) = (start.sample_messages, start.recorder);
    let figures = (sample > 0).then(|| {
        let instruments = book.limits.instruments.min(SAMPLED_INSTRUMENTS);
        let scale = start.hot.clock.scale();
        MessageFigures::new(type_code(P::NAME), scale, first, own.len(), instruments)
    });
    let sink = Tapped::new(start.writer, start.journal);
    let records = Records::new(sink, start.channels_total).with_marks(start.marks);
    let (plan, hot, record) = (start.plan, start.hot, start.record);
    let receiving = start.receiving;
    let (changes, link, ends) = (start.changes, start.link, start.hole_ends);
    match book.keep {
        BookKeep::None => {
            let lane = PlannedLane::<P, _>::new(channels, time, sample, records, recorder);
            let lane = sampling(lane, figures);
            let lane = told_of_lines(lane.with_changes(changes), &plan, first);
            let lane = linked(lane, link, ends);
            start_threads(plan, lane, input, hot, record, receiving)
        }
        BookKeep::Full => {
            let booked = Booked::new(records, own, &book.limits, book.publish_bbo)?;
            let lane = PlannedLane::<P, _>::new(channels, time, sample, booked, recorder);
            let lane = sampling(lane, figures);
            let lane = told_of_lines(lane.with_changes(changes), &plan, first);
            let lane = linked(lane, link, ends);
            start_threads(plan, lane, input, hot, record, receiving)
        }
    }
}

/// Instruments of a channel that have figures of their own, in 72 bytes each.
const SAMPLED_INSTRUMENTS: usize = 1 << 16;

/// A lane that keeps what its sampled messages take, if it samples any.
fn sampling<P: Protocol, H: Outlet>(
    lane: PlannedLane<P, H>,
    figures: Option<MessageFigures>,
) -> PlannedLane<P, H> {
    match figures {
        Some(figures) => lane.with_message_figures(figures),
        None => lane,
    }
}

/// A lane whose channels, numbered from `first`, know their lines of retransmissions and how long silence may last.
fn told_of_lines<P: Protocol, H: Outlet>(
    mut lane: PlannedLane<P, H>,
    plan: &LanePlan,
    first: u16,
) -> PlannedLane<P, H> {
    for (number, channel) in (first..).zip(&plan.channels) {
        let lines = channel.lines.iter().enumerate();
        let lines = lines.filter(|(_, line)| line.retransmission);
        lane = lane.with_retransmissions(number, lines.map(|(line, _)| line));
        if let Some(limit) = channel.stale_after {
            lane = lane.with_stale_after(number, limit.as_nanos() as u64);
        }
    }
    lane
}

/// A lane with what its channels get back from recovery, and with where it says what became of their holes.
fn linked<P: Protocol, H: Outlet>(
    mut lane: PlannedLane<P, H>,
    link: Option<Link>,
    ends: Option<HoleEnds>,
) -> PlannedLane<P, H> {
    if let Some(ends) = ends {
        lane = lane.with_hole_ends(ends);
    }
    let Some(Link { rescues, delivery }) = link else {
        return lane;
    };
    for (channel, rescue) in rescues {
        lane = lane.with_rescue(channel, rescue);
    }
    lane.with_delivery(delivery)
}

/// What the input says of instruments, also on streams that are nobody's lines, if it can be read before the run.
fn announced<P: Protocol>(input: &Input) -> Definitions {
    let mut definitions = Definitions::default();
    if let Input::File(file) = input
        && !file.is_once()
    {
        definitions.gather::<P>(Datagrams::new(file));
    }
    definitions
}

/// What a channel's own file says of instruments besides.
fn definitions<P: Protocol>(
    channel: &ChannelPlan,
    announced: &Arc<Definitions>,
) -> Result<Arc<Definitions>, StartError> {
    let Some(path) = &channel.definitions else {
        return Ok(announced.clone());
    };
    let file = CaptureFile::open(path).map_err(StartError::Definitions)?;
    let mut definitions = Definitions::clone(announced);
    definitions.gather::<P>(Datagrams::new(&file));
    Ok(Arc::new(definitions))
}

fn start_threads<P: Protocol, H: Outlet + Send + 'static>(
    plan: LanePlan,
    lane: PlannedLane<P, H>,
    input: &Input,
    hot: Hot,
    record: Option<Queue>,
    receiving: Option<StageRecorder>,
) -> Result<LaneRunning, StartError> {
    match (input, plan.threads) {
        (Input::Live, LaneThreads::One { core }) => live_one(&plan, core, lane, hot, record),
        (
            Input::Live,
            LaneThreads::Two {
                receive_core,
                decode_core,
            },
        ) => {
            let receiver = open_sockets(&plan, &hot)?;
            let sockets = receiver.counters();
            let mut facts = line_facts(&plan, &receiver);
            let (lane, cards) = with_cards(lane, &receiver, &plan, &hot)?;
            let quiet = Arc::new(Quiet::default());
            let idle = IdleTime::Follows(quiet.clone());
            let (producer, ring, decode) = ring_lane(&plan, decode_core, lane, &hot, idle, record)?;
            facts.push(ring_fact(&plan, &ring));
            let ends = (receiver, producer);
            let receive = socket_thread(&plan, receive_core, ends, quiet, hot, receiving)?;
            Ok(LaneRunning {
                decode,
                receive: Some(receive),
                threads: 2,
                sockets: Some(sockets),
                position: None,
                cards,
                facts,
            })
        }
        (Input::File(file), LaneThreads::One { core }) => {
            let (file, lines) = (file.clone(), line_map(&plan));
            let position = Arc::new(Position::default());
            let shown = position.clone();
            let decode = lane_thread(&plan, core, lane, hot, move |lane, hot| {
                let mut source = CaptureSource::new(&file, lines, hot.clock.clone()).showing(shown);
                let ended = run_lane(lane, &mut source, &IdleTime::StandsStill, hot);
                file_end(ended, source.counters(), source.cut())
            })?;
            Ok(LaneRunning {
                decode,
                receive: None,
                threads: 1,
                sockets: None,
                position: Some(position),
                cards: Cards::default(),
                facts: Vec::new(),
            })
        }
        (
            Input::File(file),
            LaneThreads::Two {
                receive_core,
                decode_core,
            },
        ) => {
            let (producer, ring, decode) =
                ring_lane(&plan, decode_core, lane, &hot, IdleTime::StandsStill, None)?;
            let facts = vec![ring_fact(&plan, &ring)];
            let position = Arc::new(Position::default());
            let shown = position.clone();
            let receive = file_thread(&plan, receive_core, file.clone(), shown, producer, hot)?;
            Ok(LaneRunning {
                decode,
                receive: Some(receive),
                threads: 2,
                sockets: None,
                position: Some(position),
                cards: Cards::default(),
                facts,
            })
        }
    }
}

fn live_one<P: Protocol, H: Outlet + Send + 'static>(
    plan: &LanePlan,
    core: Option<usize>,
    lane: PlannedLane<P, H>,
    hot: Hot,
    record: Option<Queue>,
) -> Result<LaneRunning, StartError> {
    let receiver = open_sockets(plan, &hot)?;
    let sockets = receiver.counters();
    let facts = line_facts(plan, &receiver);
    let (lane, cards) = with_cards(lane, &receiver, plan, &hot)?;
    // One poll brings at most one batch, and its slots are free again before the next.
    let slots = SlotConfig {
        slots: plan.batch.next_power_of_two(),
        stride: plan.slot_bytes,
        batch: plan.batch,
    };
    let mut source = Tee::new(Inline::new(receiver, &slots)?, record);
    let decode = lane_thread(plan, core, lane, hot, move |lane, hot| {
        let ended = run_lane(lane, &mut source, &IdleTime::Passes, hot);
        SourceEnd {
            error: ended.err(),
            ..SourceEnd::default()
        }
    })?;
    Ok(LaneRunning {
        decode,
        receive: None,
        threads: 1,
        sockets: Some(sockets),
        position: None,
        cards,
        facts,
    })
}

/// A lane that follows the clocks of the cards that stamp its packets.
fn with_cards<P: Protocol, H: Outlet>(
    mut lane: PlannedLane<P, H>,
    receiver: &UdpReceiver,
    plan: &LanePlan,
    hot: &Hot,
) -> Result<(PlannedLane<P, H>, Cards), StartError> {
    let paired = pair_cards(&hot.clock, receiver.stampers());
    let (pairings, readers) = paired.map_err(|source| StartError::CardClock {
        lane: plan.name.clone(),
        source,
    })?;
    let names = plan.lines().map(|line| line_name(plan, line)).enumerate();
    let lines = names.zip(&readers).filter(|(_, reader)| reader.is_some());
    let lines = lines.map(|(line, _)| line).collect();
    if !pairings.is_empty() {
        lane.probe_mut().follow_cards(readers);
    }
    Ok((lane, Cards { pairings, lines }))
}

/// Starts the decoding half of a two-thread lane and returns the ring's other end.
fn ring_lane<P: Protocol, H: Outlet + Send + 'static>(
    plan: &LanePlan,
    core: Option<usize>,
    lane: PlannedLane<P, H>,
    hot: &Hot,
    idle: IdleTime,
    record: Option<Queue>,
) -> Result<(Producer, RingGauge, JoinHandle<LaneEnd>), StartError> {
    let slots = SlotConfig {
        slots: plan.ring_slots,
        stride: plan.slot_bytes,
        batch: plan.batch.min(plan.ring_slots),
    };
    let (producer, consumer) = packet_ring(&slots)?;
    let gauge = producer.gauge();
    let mut source = Tee::new(consumer, record);
    // The receiving thread hears the stop and drains its sockets; the decoding one ends when the ring does.
    let never = Arc::new(AtomicBool::new(false));
    let hot = Hot {
        stop: never,
        ..hot.clone()
    };
    let decode = lane_thread(plan, core, lane, hot, move |lane, hot| {
        let ended = run_lane(lane, &mut source, &idle, hot);
        SourceEnd {
            error: ended.err(),
            ..SourceEnd::default()
        }
    })?;
    Ok((producer, gauge, decode))
}

/// Runs a lane to its end. Whether anything holds packets up is decided here, once.
fn run_lane<P: Protocol, H: Outlet, S: PacketSource>(
    lane: &mut PlannedLane<P, H>,
    source: &mut S,
    idle: &IdleTime,
    hot: &Hot,
) -> Result<(), RxError> {
    let (clock, stop, gauge) = (&hot.clock, &hot.stop, &hot.gauge);
    match hot.inject {
        None => drive(lane, source, idle, clock, stop, gauge),
        Some(injection) => {
            let mut delay = Delay::new(injection, clock.clone());
            drive_held(lane, source, idle, clock, stop, gauge, &mut delay)
        }
    }
}

fn lane_thread<P: Protocol, H: Outlet + Send + 'static>(
    plan: &LanePlan,
    core: Option<usize>,
    mut lane: PlannedLane<P, H>,
    hot: Hot,
    body: impl FnOnce(&mut PlannedLane<P, H>, &Hot) -> SourceEnd + Send + 'static,
) -> Result<JoinHandle<LaneEnd>, StartError> {
    hot_thread(plan, "lane", core, hot, move |hot| {
        let source = body(&mut lane, hot);
        LaneEnd::of(&lane, source)
    })
}

fn socket_thread(
    plan: &LanePlan,
    core: Option<usize>,
    (mut receiver, mut producer): (UdpReceiver, Producer),
    quiet: Arc<Quiet>,
    hot: Hot,
    mut recorder: Option<StageRecorder>,
) -> Result<JoinHandle<SourceEnd>, StartError> {
    hot_thread(plan, "rx", core, hot, move |hot| {
        let (from, to, watch) = (&mut receiver, &mut producer, recorder.as_mut());
        let ended = receive_watched(from, to, &hot.clock, &hot.stop, &quiet, watch);
        SourceEnd {
            error: ended.err(),
            ..SourceEnd::default()
        }
    })
}

fn file_thread(
    plan: &LanePlan,
    core: Option<usize>,
    file: Arc<CaptureFile>,
    position: Arc<Position>,
    mut producer: Producer,
    hot: Hot,
) -> Result<JoinHandle<SourceEnd>, StartError> {
    let lines = line_map(plan);
    hot_thread(plan, "rx", core, hot, move |hot| {
        let mut backend = CaptureBackend::new(&file, lines, hot.clock.clone()).showing(position);
        // In a file time is the capture's, so nobody follows this.
        let quiet = Quiet::default();
        let ended = receive(&mut backend, &mut producer, &hot.clock, &hot.stop, &quiet);
        file_end(ended, backend.counters(), backend.cut())
    })
}

/// A pinned and, where asked, raised thread. It does nothing when it could not be made so: the run is then called off.
fn hot_thread<T: Default + Send + 'static>(
    plan: &LanePlan,
    role: &str,
    core: Option<usize>,
    hot: Hot,
    body: impl FnOnce(&Hot) -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    let (priority, name) = (plan.priority, plan.name.clone());
    let thread = Builder::new().name(format!("{role}-{name}"));
    let spawned = thread.spawn(move || {
        let settled = settle(&name, core, priority);
        let failed = settled.is_err();
        // The starter waits for this; if it has gone, there is nobody left to run for.
        if hot.ready.send(settled).is_err() || failed {
            return T::default();
        }
        body(&hot)
    });
    spawned.map_err(|source| StartError::Thread {
        lane: plan.name.clone(),
        source,
    })
}

fn settle(lane: &str, core: Option<usize>, priority: Option<u8>) -> Result<(), StartError> {
    let lane = || lane.to_owned();
    if let Some(core) = core {
        pin_current_thread(core).map_err(|source| StartError::Pin {
            lane: lane(),
            source,
        })?;
    }
    if let Some(priority) = priority {
        set_fifo_priority(priority.into()).map_err(|source| StartError::Priority {
            lane: lane(),
            source,
        })?;
    }
    Ok(())
}

fn open_sockets(plan: &LanePlan, hot: &Hot) -> Result<UdpReceiver, StartError> {
    let (lines, clock) = (plan.addresses(), hot.clock.clone());
    Ok(UdpReceiver::open(&lines, plan.udp_options(), clock)?)
}

/// Lines by address. Two lines of one group on different interfaces look the same in a capture: the first stands for both.
fn line_map(plan: &LanePlan) -> LineMap {
    let mut seen = Vec::new();
    for (number, (_, line)) in plan.lines().enumerate() {
        if seen.iter().all(|&(group, _)| group != line.address.group) {
            seen.push((line.address.group, number as u16));
        }
    }
    LineMap::new(seen).unwrap_or_default()
}

fn file_end(ended: Result<(), RxError>, counters: FileCounters, cut: Option<Cut>) -> SourceEnd {
    SourceEnd {
        error: ended.err(),
        cut,
        foreign: counters.foreign,
        skipped: counters
            .skipped
            .iter()
            .map(|(reason, n)| (reason.name(), n))
            .chain([(INCOMPLETE, counters.incomplete)])
            .collect(),
    }
}

/// What each line's socket was granted, and who stamps its packets.
fn line_facts(plan: &LanePlan, receiver: &UdpReceiver) -> Vec<(String, String)> {
    let lines = plan
        .lines()
        .zip(receiver.granted())
        .zip(receiver.stampers());
    lines
        .flat_map(|((line, granted), stamper)| {
            let name = line_name(plan, line);
            let asked = plan.timestamps.name();
            [
                (
                    format!("socket buffer {name}"),
                    format!("{granted} bytes granted, {} asked", plan.socket_buffer),
                ),
                (format!("timestamps {name}"), format!("{asked}: {stamper}")),
            ]
        })
        .collect()
}

fn line_name(plan: &LanePlan, (channel, line): (usize, &LinePlan)) -> String {
    format!("{}/{}", plan.channels[channel].name, line.name)
}

impl Cards {
    /// How many packets of each line carried a stamp, when the run is over: a card can be told to stamp and not do it.
    pub(super) fn facts<'c>(
        &'c self,
        sockets: &'c [LineCounters],
    ) -> impl Iterator<Item = (String, String)> + 'c {
        self.lines.iter().filter_map(|(number, name)| {
            let counts = sockets.get(*number)?.read();
            let stamped = match counts.by_card {
                0 => "not a single packet carried a stamp of the card".to_owned(),
                n => format!(
                    "{n} of {} packets carried a stamp of the card",
                    counts.packets
                ),
            };
            Some((format!("card stamps {name}"), stamped))
        })
    }
}

fn ring_fact(plan: &LanePlan, ring: &RingGauge) -> (String, String) {
    let (pages, reason) = ring.pages();
    (
        format!("packet ring {}", plan.name),
        format!(
            "{} slots of {} bytes on {pages:?} pages: {reason}",
            plan.ring_slots, plan.slot_bytes
        ),
    )
}
