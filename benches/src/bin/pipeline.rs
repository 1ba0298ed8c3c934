//! File to records: nanoseconds a message from a warm BinaryFILE to records in the broadcast ring, and where they go.
//!
//! Every row does all that the row above it does and one thing more, ending with the lane exactly as `run --input`
//! builds it. Rounds are interleaved, so that a machine that changes under the run changes all rows alike, and the
//! medians are compared. Everything runs on one thread.
//!
//! ```text
//! cargo run --release -p benches --bin pipeline [-- MESSAGES [ROUNDS]]
//! ```
//!
//! What does not depend on the machine's mood is the number of instructions. This counts those of the lane without books
//! alone, and with `counted_books` those of the lane with them:
//!
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect='*counted_lane*' \
//!     target/release/pipeline 1000000 0
//! ```

use benches::{MESSAGES, MIDNIGHT, Sum, arguments, context, decoder, spec};
use feed_common::capture::{BinaryFileWriter, CaptureFile};
use feed_common::event::{AddOrder, Flags, MarketHandler, MsgCtx, Price, Record, Side};
use feed_common::latency::recorder::{self, StageRecorder};
use feed_common::latency::{NoProbe, Probe, Resolution};
use feed_common::packet::{Packet, PacketBatch, PacketSource};
use feed_common::ring::{Writer, broadcast};
use feed_common::time::Clock;
use feed_common::wire::moldudp64::Blocks;
use feed_handler::config::BookPlan;
use feed_handler::config::defaults::DIGEST_EVERY;
use feed_handler::net::file::{CaptureSource, LineMap};
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::Decode;
use feed_handler::protocol::itch50::Itch50File;
use feed_handler::publish::{Booked, Marks, Outlet, Publish, Records};
use feed_handler::transport::{Framing, ItchFileFraming};
use feed_replay::synth::{MessageSink, generate_messages};
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

/// What a core must reach, in million messages a second: with books, and without.
const TARGETS: [(&str, f64); 2] = [("without books", 30.0), ("with books", 1e3 / 140.0)];
/// Records of the ring, as a lane has them by default.
const SLOTS: usize = 1 << 16;

/// Reads a whole file and says how long it took, what it needs being there already.
type Way<'f> = (&'static str, Box<dyn FnMut() -> Duration + 'f>);

fn main() {
    let mut arguments = arguments();
    let messages = arguments.next().unwrap_or(MESSAGES);
    let rounds = arguments.next().unwrap_or(15);
    let file = session(messages);
    let clock = Clock::new();
    if rounds == 0 {
        let (writer, recorder) = outputs(&clock);
        println!("{:?}", counted_lane(&file, &clock, writer, recorder));
        let (writer, recorder) = outputs(&clock);
        println!(
            "{:?}",
            counted_books(&file, &clock, booked(writer), recorder)
        );
        return;
    }

    let mut ways: Vec<Way<'_>> = vec![
        (
            "walk the length prefixes",
            Box::new(|| walk(file.bytes().expect("in memory"))),
        ),
        ("packet source", Box::new(|| source(&file, &clock))),
        (
            "+ framing, every message",
            Box::new(|| frames(&file, &clock)),
        ),
        ("+ decoder to events", Box::new(|| events(&file, &clock))),
        (
            "lane: + sequencer, records, digest",
            Box::new(|| lane(&file, &clock, Records::new(Nothing, 1), NoProbe)),
        ),
        (
            "lane: + ring",
            Box::new(|| lane(&file, &clock, marked(outputs(&clock).0), NoProbe)),
        ),
        ("lane: + stages", Box::new(|| full_lane(&file, &clock))),
        (
            "lane: + books and best prices",
            Box::new(|| booked_lane(&file, &clock)),
        ),
    ];
    let mut figures = vec![Vec::new(); ways.len()];
    // The first round warms caches, branch predictors and page tables.
    for round in 0..=rounds {
        for (figure, (_, way)) in figures.iter_mut().zip(&mut ways) {
            let took = way();
            if round > 0 {
                figure.push(took.as_nanos() as f64 / messages as f64);
            }
        }
    }
    let bytes = file.bytes().map_or(0, <[u8]>::len) as f64 / messages as f64;
    println!("{messages} messages of {bytes:.1} bytes with their length, {rounds} rounds");
    println!(
        "{:36} {:>8} {:>8} {:>10}",
        "ns a message", "median", "least", "M/s"
    );
    for (figure, (name, _)) in figures.iter_mut().zip(&ways) {
        figure.sort_by(f64::total_cmp);
        let median = figure[rounds / 2];
        println!(
            "{name:36} {median:8.2} {:8.2} {:10.1}",
            figure[0],
            1e3 / median
        );
    }
    for (what, target) in TARGETS {
        println!(
            "{:36} {:8.2} {:8} {target:10.1}",
            format!("target of a lane {what}"),
            1e3 / target,
            ""
        );
    }
}

/// A generated session as a BinaryFILE in memory.
fn session(messages: usize) -> CaptureFile {
    struct Sink(BinaryFileWriter<Vec<u8>>);
    impl MessageSink for Sink {
        fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
            self.0.message(message)
        }
    }
    let mut sink = Sink(BinaryFileWriter::new(Vec::with_capacity(messages * 34)));
    generate_messages(&spec(messages), &mut sink).expect("a session that can be made");
    let bytes = sink.0.finish().expect("memory");
    CaptureFile::from_memory("session.itch", bytes).expect("a BinaryFILE")
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn walk(bytes: &[u8]) -> Duration {
    timed(|| {
        let lengths = Blocks::new(black_box(bytes)).map(|m| m.len() as u64);
        lengths.sum::<u64>()
    })
}

/// Every packet of the file, in the order and sizes a lane gets them.
fn packets(file: &CaptureFile, clock: &Clock, mut take: impl FnMut(Packet<'_>)) {
    let mut source = CaptureSource::new(file, LineMap::default(), clock.clone());
    while let Ok(batch) = source.poll() {
        (0..batch.len()).for_each(|i| take(batch.get(i)));
    }
}

fn source(file: &CaptureFile, clock: &Clock) -> Duration {
    timed(|| {
        let mut bytes = 0;
        packets(file, clock, |packet| bytes += packet.bytes.len() as u64);
        bytes
    })
}

fn frames(file: &CaptureFile, clock: &Clock) -> Duration {
    timed(|| {
        let mut sum = 0;
        messages(file, clock, |_, message| sum += u64::from(message[0]));
        sum
    })
}

/// Every message of the file with its number.
fn messages(file: &CaptureFile, clock: &Clock, mut take: impl FnMut(u64, &[u8])) {
    let mut framing = ItchFileFraming::default();
    packets(file, clock, |packet| {
        let opened = framing.open_walked(packet.bytes, packet.meta.records);
        let (frame, rest) = opened.expect("whole records");
        assert!(rest.is_empty());
        (frame.span.first..)
            .zip(frame.messages)
            .for_each(|(number, message)| take(number, message));
    });
}

fn events(file: &CaptureFile, clock: &Clock) -> Duration {
    let (mut decoder, mut sum) = (decoder(), Sum(0));
    let mut cx = context();
    timed(|| {
        messages(file, clock, |number, message| {
            cx.sequence = number;
            let decoded = decoder.decode(message, &mut cx, &mut sum);
            decoded.expect("known messages");
        });
        sum.0
    })
}

fn full_lane(file: &CaptureFile, clock: &Clock) -> Duration {
    let (writer, recorder) = outputs(clock);
    lane(file, clock, marked(writer), recorder)
}

fn booked_lane(file: &CaptureFile, clock: &Clock) -> Duration {
    let (writer, recorder) = outputs(clock);
    lane(file, clock, booked(writer), recorder)
}

/// The row without books by a name that a profiler can find, without the making of its outputs.
#[inline(never)]
fn counted_lane(
    file: &CaptureFile,
    clock: &Clock,
    out: Writer<Record>,
    probe: StageRecorder,
) -> Duration {
    lane(file, clock, marked(out), probe)
}

/// The last row likewise.
#[inline(never)]
fn counted_books(
    file: &CaptureFile,
    clock: &Clock,
    out: Booked<Writer<Record>>,
    probe: StageRecorder,
) -> Duration {
    lane(file, clock, out, probe)
}

/// Records with the marks that a run takes of them by default.
fn marked(writer: Writer<Record>) -> Records<Writer<Record>> {
    let marks = Marks::new(DIGEST_EVERY).expect("memory");
    Records::new(writer, 1).with_marks(marks)
}

/// Books as large as a lane has them by default.
fn booked(writer: Writer<Record>) -> Booked<Writer<Record>> {
    let limits = BookPlan::default().limits;
    let mut booked = Booked::new(marked(writer), 0..1, &limits, true).expect("memory");
    // So many that no page of their table is left untouched.
    let cx = MsgCtx {
        instrument: 0,
        flags: Flags::END_OF_EVENT,
        ..context()
    };
    let side = Side::BUY;
    for order_id in 0..1 << 16 {
        let (price, quantity) = (Price(order_id as i64 % 1024), 1);
        let add = AddOrder {
            order_id,
            side,
            price,
            quantity,
        };
        booked.on_add(&cx, add);
    }
    booked.on_restart(&cx);
    booked
}

fn outputs(clock: &Clock) -> (Writer<Record>, StageRecorder) {
    let mut ring = broadcast(SLOTS).expect("memory");
    // Once around, so that none of its pages is touched for the first time while it is measured.
    (0..SLOTS).for_each(|_| ring.push(&Record::default()));
    let recorder = recorder::pair(Resolution::default(), clock.clone()).0;
    (ring, recorder.of_capture())
}

#[inline(never)]
fn lane<H: Outlet, R: Probe>(file: &CaptureFile, clock: &Clock, outlet: H, probe: R) -> Duration {
    let setup = ChannelSetup {
        name: "itch".into(),
        number: 0,
        lines: 1,
        window_nanos: 1_000_000,
        stash_slots: 16,
        stash_slot_bytes: 2048,
        day: SessionDay::Midnight(MIDNIGHT),
    };
    let channel = (setup, ItchFileFraming::default(), decoder());
    let mut lane =
        Lane::<Itch50File, _, R>::new(vec![channel], LaneTime::Captured, 0, outlet, probe);
    let mut source = CaptureSource::new(file, LineMap::default(), clock.clone());
    timed(|| {
        while lane.step(&mut source).is_ok() {}
        lane.finish();
        lane.outlet().published()
    })
}

/// Takes records and forgets them, unseen by the optimiser.
struct Nothing;

impl Publish for Nothing {
    #[inline]
    fn publish(&mut self, record: &Record) {
        black_box(record);
    }
}
