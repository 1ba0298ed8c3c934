//! Captures to books, exchange by exchange: nanoseconds a message from a warm capture in memory to records in the broadcast
//! ring, without and with books, on one thread; and what of it is spent measuring: the same with no probe, and how much
//! longer it takes with the recorder of a run, round by round.
//!
//! Every lane is built as `run --input` builds it, over a generated session of its own. Rounds are interleaved, so that a
//! machine that changes under the run changes all rows alike.
//!
//! ```text
//! cargo run --release -p benches --bin venues [-- NAME[:FEED]... [MESSAGES [ROUNDS]]]
//! ```
//!
//! Without names all that can be generated are measured. A new exchange is there by being in the generator's list.

use benches::{MIDNIGHT, context};
use feed_common::capture::CaptureFile;
use feed_common::event::{
    AddOrder, Flags, MarketHandler, MsgCtx, Price, RankedOrder, Record, Side,
};
use feed_common::latency::recorder::{self, StageRecorder};
use feed_common::latency::{NoProbe, Probe, Resolution};
use feed_common::ring::{Writer, broadcast};
use feed_common::time::Clock;
use feed_common::wire::ProtocolName;
use feed_handler::config::BookPlan;
use feed_handler::net::file::{CaptureSource, LineMap};
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::{Decode, ForProtocol, Protocol as Spoken, with_protocol};
use feed_handler::publish::{Booked, Outlet, Records};
use feed_replay::output::PcapSink;
use feed_replay::synth::{Protocol, Spec, generate};
use std::time::{Duration, Instant};

/// Messages of a session, where the command line does not say.
const MESSAGES: u64 = 2_000_000;
const ROUNDS: usize = 7;
/// Records of the ring, as a lane has them by default.
const SLOTS: usize = 1 << 16;

fn main() {
    let (protocols, messages, rounds) = arguments();
    let clock = Clock::new();
    let mut rows: Vec<Row> = protocols
        .into_iter()
        .map(|protocol| Row::new(protocol, messages))
        .collect();
    // The first round warms caches, branch predictors and page tables.
    for round in 0..=rounds {
        for row in &mut rows {
            // With and without stages in turn, and which of them first as well.
            let (first, then) = (round % 2 == 0, round % 2 == 1);
            for (books, stages) in [(false, first), (false, then), (true, first), (true, then)] {
                let took = row.measure(&clock, books, stages);
                if round > 0 {
                    let nanos = took.as_nanos() as f64 / messages as f64;
                    row.took[usize::from(books)][usize::from(stages)].push(nanos);
                }
            }
        }
    }
    println!("{messages} messages, {rounds} rounds, medians");
    println!(
        "{:14} {:>7} {:>12} {:>7} {:>9} {:>12} {:>7} {:>9}",
        "", "bytes", "records ns", "M/s", "stages", "books ns", "M/s", "stages"
    );
    for row in &mut rows {
        print!("{:14} {:7.1}", row.name, row.bytes as f64 / messages as f64);
        for [off, on] in &mut row.took {
            let shares = on
                .iter()
                .zip(&*off)
                .map(|(on, off)| (on / off - 1.0) * 100.0);
            let (share, on) = (median(&mut shares.collect::<Vec<_>>()), median(on));
            print!(" {on:12.2} {:7.1} {share:7.1} %", 1e3 / on);
        }
        println!();
    }
}

/// Which sessions, of how many messages, how often.
fn arguments() -> (Vec<Protocol>, u64, usize) {
    let mut protocols = Vec::new();
    let mut numbers = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.parse::<u64>() {
            Ok(number) => numbers.push(number),
            Err(_) => {
                let (name, feed) = match argument.split_once(':') {
                    Some((name, feed)) => (name, Some(feed)),
                    None => (argument.as_str(), None),
                };
                let name: ProtocolName = name.parse().expect("the name of a protocol");
                protocols.push(Protocol::of(name, feed).expect("what can be generated"));
            }
        }
    }
    if protocols.is_empty() {
        protocols = Protocol::ALL.to_vec();
    }
    let mut numbers = numbers.into_iter();
    let messages = numbers.next().unwrap_or(MESSAGES);
    let rounds = numbers.next().map_or(ROUNDS, |rounds| rounds as usize);
    (protocols, messages.max(1), rounds.max(1))
}

/// A session and what was measured of it.
struct Row {
    name: String,
    protocol: ProtocolName,
    file: CaptureFile,
    /// UDP payload in all.
    bytes: u64,
    /// Nanoseconds a message, by round: without books, and with; of each without stages, and with.
    took: [[Vec<f64>; 2]; 2],
}

impl Row {
    fn new(protocol: Protocol, messages: u64) -> Row {
        let spec = Spec {
            rate: 1_000_000,
            ..Spec::new(protocol, messages, 3)
        };
        let mut sink = PcapSink::lines(Vec::new(), &[PcapSink::<Vec<u8>>::GROUP]).expect("memory");
        let made = generate(&spec, &mut sink).expect("a session that can be made");
        let capture = sink.finish().expect("memory");
        let name = match protocol.feed() {
            "" => protocol.name().to_string(),
            feed => format!("{}:{feed}", protocol.name()),
        };
        Row {
            name,
            protocol: protocol.name(),
            file: CaptureFile::from_memory("session.pcap", capture).expect("a capture"),
            bytes: made.bytes,
            took: Default::default(),
        }
    }

    fn measure(&self, clock: &Clock, books: bool, stages: bool) -> Duration {
        let run = Run {
            file: &self.file,
            clock,
            books,
            stages,
        };
        with_protocol(self.protocol, run)
    }
}

/// Reads a capture through a lane.
struct Run<'f> {
    file: &'f CaptureFile,
    clock: &'f Clock,
    books: bool,
    stages: bool,
}

impl ForProtocol for Run<'_> {
    type Out = Duration;

    fn call<P: Spoken>(self) -> Duration {
        let (writer, recorder) = outputs(self.clock);
        match (self.books, self.stages) {
            (true, true) => self.lane::<P, _, _>(booked(writer), recorder),
            (true, false) => self.lane::<P, _, _>(booked(writer), NoProbe),
            (false, true) => self.lane::<P, _, _>(Records::new(writer, 1), recorder),
            (false, false) => self.lane::<P, _, _>(Records::new(writer, 1), NoProbe),
        }
    }
}

impl Run<'_> {
    fn lane<P: Spoken, H: Outlet, R: Probe>(&self, outlet: H, probe: R) -> Duration {
        let setup = ChannelSetup {
            name: "session".into(),
            number: 0,
            lines: 1,
            window_nanos: 1_000_000,
            stash_slots: 16,
            stash_slot_bytes: 2048,
            day: SessionDay::Midnight(MIDNIGHT),
        };
        let instruments = BookPlan::default().limits.instruments;
        let decoder = P::Decoder::with_room(instruments);
        let channel = (setup, P::Framing::default(), decoder);
        let mut lane = Lane::<P, _, _>::new(vec![channel], LaneTime::Captured, 0, outlet, probe);
        let group = PcapSink::<Vec<u8>>::GROUP;
        let lines = LineMap::new([(group, 0)]).expect("one line");
        let mut source = CaptureSource::new(self.file, lines, self.clock.clone());
        let start = Instant::now();
        while lane.step(&mut source).is_ok() {}
        lane.finish();
        let took = start.elapsed();
        assert!(lane.outlet().published() > 0, "nothing was published");
        assert_eq!(lane.drops().total(), 0, "{:?}", lane.drops());
        took
    }
}

fn outputs(clock: &Clock) -> (Writer<Record>, StageRecorder) {
    let mut ring = broadcast(SLOTS).expect("memory");
    // Once around, so that none of its pages is touched for the first time while it is measured.
    (0..SLOTS).for_each(|_| ring.push(&Record::default()));
    let recorder = recorder::pair(Resolution::default(), clock.clone()).0;
    (ring, recorder.of_capture())
}

/// Books as large as a lane has them by default, so used that no page of the order table is left untouched, nor of that of
/// the orders' ranks.
fn booked(writer: Writer<Record>) -> Booked<Writer<Record>> {
    let limits = BookPlan::default().limits;
    let mut booked = Booked::new(Records::new(writer, 1), 0..1, &limits, true).expect("memory");
    let cx = MsgCtx {
        instrument: 0,
        flags: Flags::END_OF_EVENT,
        ..context()
    };
    let of_ranks = MsgCtx {
        instrument: 1,
        ..cx
    };
    for order_id in 0..1 << 16 {
        let add = AddOrder {
            order_id,
            side: Side::BUY,
            price: Price(order_id as i64 % 1024),
            quantity: 1,
        };
        booked.on_add(&cx, add);
        let ranked = RankedOrder {
            order_id,
            side: add.side,
            price: add.price,
            quantity: add.quantity,
            rank: order_id,
            enters: true,
        };
        booked.on_ranked(&of_ranks, ranked);
    }
    booked.on_restart(&cx);
    booked
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
